"""A table of guests, measured and written out block by block with the closed form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pcisim.catalogue.devices import DeviceModel
from pcisim.fleet.closed import Form, Ints, Runs
from pcisim.fleet.request import FAMILIES, Counts, capped

BLOCK = 2048
"""Guests a block: what is worked out for them stays within the processor's second cache."""

Addresses = NDArray[np.uint16]
Owners = NDArray[np.uint8]


class Measures:
    """What is known of each guest beside its addresses.

    Args:
        guests: how many there are.
    """

    __slots__ = ("fits", "length", "buses", "ports", "free_cold", "free_hot")

    def __init__(self, guests: int) -> None:
        self.fits = np.empty(guests, np.bool_)
        self.length = np.empty(guests, np.int16)
        self.buses = np.empty(guests, np.int16)
        self.ports = np.empty(guests, np.int16)
        self.free_cold = np.empty((guests, 2), np.int16)
        self.free_hot = np.empty((guests, 2), np.int16)

    def fill(self, rows: slice | Ints, form: Form) -> None:
        """Note what a closed form says of some guests."""
        self.fits[rows] = form.fits
        self.length[rows] = form.length
        self.buses[rows] = form.buses
        self.ports[rows] = form.ports
        for plug in (0, 1):
            self.free_cold[rows, plug] = form.free_cold[plug]
            self.free_hot[rows, plug] = form.free_hot[plug]

    def taken(self, kinds: NDArray[np.int32]) -> Measures:
        """Return the measures of guests by the number of their kind."""
        made = Measures(0)
        for name in self.__slots__:
            setattr(made, name, np.take(getattr(self, name), kinds, axis=0))
        return made


class Shapes:
    """Guests by their counts.

    Args:
        devices: the rows of the columns.
        table: (guests, K): the counts.
        families: for each guest the number of its machine among `FAMILIES`.
    """

    def __init__(self, devices: Sequence[DeviceModel], table: Counts, families: NDArray[np.uint8]) -> None:
        self.devices = devices
        self.table = table
        self.families = families
        self._types = _Types(devices)

    def __len__(self) -> int:
        return len(self.table)

    def measures(self) -> Measures:
        """Return what is known of each guest beside its addresses."""
        made = Measures(len(self))
        for begin in range(0, len(self), BLOCK):
            for rows, kind in self._groups(begin, min(begin + BLOCK, len(self)), None):
                made.fill(rows, self._form(rows, kind))
        return made

    def write(self, fits: NDArray[np.bool_], offsets: Ints, addresses: Addresses, owners: Owners) -> None:
        """Write the addresses of all guests, and who sits there, one guest after the other.

        Args:
            fits: which guests have any.
            offsets: where each begins.
            addresses: where to write them.
            owners: where to write who they are.
        """
        for begin in range(0, len(self), BLOCK):
            end = min(begin + BLOCK, len(self))
            parts = [part for rows, kind in self._groups(begin, end, fits) for part in self._parts(rows, kind)]
            if len(parts) == 1:
                here = slice(int(offsets[begin]), int(offsets[end]))
                expand(parts[0][1], addresses[here], owners[here])
                continue
            for rows, runs in parts:
                scatter(runs, offsets[rows], addresses, owners)

    def _parts(self, rows: slice | Ints, kind: int) -> Iterator[tuple[slice | Ints, Runs]]:
        """Yield the addresses of guests of a kind, in parts in which all have the same number of bridges."""
        form = self._form(rows, kind)
        bridges = form.bridges.tolist() if form.machine.express else [0]
        if min(bridges) == max(bridges):
            yield rows, form.runs(bridges[0])
            return
        indices = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        for number in sorted(set(bridges)):
            some = indices[form.bridges == number]
            yield some, self._form(some, kind).runs(number)

    def _groups(self, begin: int, end: int, fits: NDArray[np.bool_] | None) -> Iterator[tuple[slice | Ints, int]]:
        """Yield the guests of a block that are of one machine and order of controllers; not those that do not fit."""
        block = slice(begin, end)
        kinds = self._types.orders(self.table[block]) * len(FAMILIES) + self.families[block]
        if fits is not None:
            kinds[~fits[block]] = -1
        low, high = int(kinds.min()), int(kinds.max())
        if low == high >= 0:
            yield block, low
            return
        for kind in np.unique(kinds[kinds >= 0]).tolist():
            yield np.flatnonzero(kinds == kind) + begin, kind

    def _form(self, rows: slice | Ints, kind: int) -> Form:
        order, family = divmod(kind, len(FAMILIES))
        counts = np.ascontiguousarray(capped(self.table[rows]).T, np.int64)
        return Form(FAMILIES[family], self.devices, counts, self._types.of(order))


class _Types:
    """The order of the types of controllers in libvirt's list: each begins where its first controller is listed.

    It depends on which columns are 0 where the columns of a type do not stand together.
    """

    def __init__(self, devices: Sequence[DeviceModel]) -> None:
        columns = [n for n, row in enumerate(devices) if row.element.startswith("controller/")]
        self._types = list(dict.fromkeys(devices[n].element for n in columns))
        self._columns = [[n for n in columns if devices[n].element == element] for element in self._types]
        self._settled = [n for columns_of in self._columns for n in columns_of] == columns

    def orders(self, table: Counts) -> Ints:
        """Return the number of the order of each guest's controllers."""
        if self._settled:
            return np.zeros(len(table), np.int64)
        last = table.shape[1]
        firsts = [np.where(table[:, columns] > 0, columns, last).min(axis=1) for columns in self._columns]
        order = np.argsort(firsts, axis=0, kind="stable")
        return np.asarray(sum(row * len(firsts) ** n for n, row in enumerate(order)), np.int64)

    def of(self, number: int) -> list[str]:
        """Return the types in the order of a number."""
        if self._settled:
            return self._types
        size = len(self._types)
        return [self._types[number // size**n % size] for n in range(size)]


def expand(runs: Runs, addresses: Addresses, owners: Owners) -> None:
    """Write slices of a table of places, one after the other, and whose they are."""
    lengths = runs.lengths.ravel()
    ends = np.cumsum(lengths)
    index = np.repeat(runs.starts.ravel() - (ends - lengths), lengths)
    index += np.arange(len(index))
    np.take(runs.places, index, out=addresses, mode="clip")
    owners[:] = np.repeat(np.tile(runs.codes, len(runs.lengths)), lengths)


def scatter(runs: Runs, offsets: Ints, addresses: Addresses, owners: Owners) -> None:
    """Write the slices of guests that do not follow each other to where each begins."""
    lengths = runs.lengths.sum(axis=1)
    ends = np.cumsum(lengths)
    index = np.repeat(offsets - (ends - lengths), lengths)
    index += np.arange(len(index))
    own, whose = np.empty(len(index), np.uint16), np.empty(len(index), np.uint8)
    expand(runs, own, whose)
    addresses[index] = own
    owners[index] = whose


def copy_slices(
    places: Addresses,
    whose: Owners,
    begins: Ints,
    kinds: NDArray[np.int32],
    offsets: Ints,
    addresses: Addresses,
    owners: Owners,
) -> None:
    """Write for each guest the addresses of its kind, and who sits there.

    Args:
        places: the addresses of all kinds, one after the other.
        whose: who sits there.
        begins: where each kind begins.
        kinds: the kind of each guest.
        offsets: where each guest begins, and where the last one ends.
        addresses: where to write the addresses.
        owners: where to write who sits there.
    """
    count = np.arange(0)
    for begin in range(0, len(kinds), BLOCK):
        edges = offsets[begin : begin + BLOCK + 1]
        low, high = int(edges[0]), int(edges[-1])
        if high - low > len(count):
            count = np.arange(high - low)
        index = np.repeat(begins[kinds[begin : begin + BLOCK]] - (edges[:-1] - low), np.diff(edges))
        index += count[: high - low]
        np.take(places, index, out=addresses[low:high], mode="clip")
        np.take(whose, index, out=owners[low:high], mode="clip")
