"""A table of guests, measured and written out block by block with the closed form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pcisim.catalogue.devices import DeviceModel
from pcisim.catalogue.x86_machines import Machine
from pcisim.fleet.arrays.closed_form import Form, Ints
from pcisim.fleet.arrays.request import FAMILIES, Counts, Fleet, capped
from pcisim.fleet.arrays.runs import Runs
from pcisim.fleet.arrays.ways import LIBVIRT, Way

BLOCK = 8192
"""Guests for which the closed form is worked out at once."""
PLACES = 40_000
"""About so many addresses are written at once: the temporary arrays stay within the processor's second cache, and are
too small for the system to take them back in between."""

Addresses = NDArray[np.uint16]
Owners = NDArray[np.uint8]
Offsets = NDArray[np.int64]
Rows = slice | NDArray[np.int64]


class Placed:
    """Placed guests.

    Args:
        guests: how many there are.
    """

    __slots__ = ("fits", "buses", "ports", "free_cold", "free_hot", "offsets", "addresses", "owners")

    def __init__(self, guests: int) -> None:
        self.fits = np.empty(guests, np.bool_)
        self.buses = np.empty(guests, np.int16)
        self.ports = np.empty(guests, np.int16)
        self.free_cold = np.empty((guests, 2), np.int16)
        self.free_hot = np.empty((guests, 2), np.int16)
        self.offsets = np.zeros(guests + 1, np.int64)
        self.addresses = np.empty(0, np.uint16)
        self.owners = np.empty(0, np.uint8)

    def note(self, rows: Rows, form: Form) -> None:
        """Note what a closed form says of some guests beside their addresses; the offsets are their lengths yet."""
        self.fits[rows] = form.fits
        self.buses[rows] = form.buses
        self.ports[rows] = form.ports
        for plug in (0, 1):
            self.free_cold[rows, plug] = form.free_cold[plug]
            self.free_hot[rows, plug] = form.free_hot[plug]
        self.offsets[1:][rows] = form.length

    def reach(self, end: int) -> None:
        """Make room for so many addresses."""
        if end > len(self.addresses):
            self._resize(max(end, int(len(self.addresses) * _GROWTH)))

    def finish(self) -> None:
        """Give back the room that is not needed."""
        self._resize(int(self.offsets[-1]))

    def _resize(self, size: int) -> None:
        if not len(self.addresses):
            self.addresses, self.owners = np.empty(size, np.uint16), np.empty(size, np.uint8)
            return
        # in place: the system moves the pages, nothing is copied and nothing is there twice
        self.addresses.resize(size, refcheck=False)
        self.owners.resize(size, refcheck=False)

    def copied(self, kinds: NDArray[np.int32]) -> Placed:
        """Return guests that are like these.

        Args:
            kinds: for each guest the number of the one that it is like.
        """
        made = Placed(len(kinds))
        for name in ("fits", "buses", "ports", "free_cold", "free_hot"):
            np.take(getattr(self, name), kinds, axis=0, out=getattr(made, name), mode="clip")
        lengths = np.diff(self.offsets)
        np.take(lengths, kinds, out=made.offsets[1:], mode="clip")
        np.cumsum(made.offsets, out=made.offsets)
        made.finish()
        size = int(lengths[0]) if len(lengths) else 0
        if size and (lengths == size).all():
            for of_kinds, of_guests in ((self.addresses, made.addresses), (self.owners, made.owners)):
                np.take(of_kinds.reshape(-1, size), kinds, axis=0, out=of_guests.reshape(-1, size), mode="clip")
            return made
        count = np.arange(0)
        step = max(PLACES * len(kinds) // max(int(made.offsets[-1]), 1), 1)
        for begin in range(0, len(kinds), step):
            edges = made.offsets[begin : begin + step + 1]
            low, high = int(edges[0]), int(edges[-1])
            if high - low > len(count):
                count = np.arange(high - low)
            index = np.repeat(self.offsets[kinds[begin : begin + step]] - (edges[:-1] - low), np.diff(edges))
            index += count[: high - low]
            np.take(self.addresses, index, out=made.addresses[low:high], mode="clip")
            np.take(self.owners, index, out=made.owners[low:high], mode="clip")
        return made


_SAMPLE = 1024
"""Guests by which the room that all need is guessed."""
_SLACK = 1.03
_GROWTH = 1.125


def place(fleet: Fleet, way: Way = LIBVIRT) -> Placed:
    """Place all guests of a fleet, one after the other.

    Args:
        fleet: the guests.
        way: how they are placed.
    """
    guests = len(fleet)
    made = Placed(guests)
    if guests > 2 * _SAMPLE:
        some = slice(None, None, guests // _SAMPLE)
        sample = place(Fleet(fleet.devices, fleet.table[some], fleet.families[some], fleet.bits), way)
        made.reach(int(len(sample.addresses) / len(sample.fits) * guests * _SLACK))
    types = _Types(fleet.devices)
    for begin in range(0, guests, BLOCK):
        end = min(begin + BLOCK, guests)
        parts: list[tuple[Rows, Runs]] = []
        for rows, machine, order in _groups(fleet, types, begin, end):
            counts = columns_of(fleet, rows)
            form = way.form(machine, fleet.devices, counts, order)
            made.note(rows, form)
            layouts = form.layout
            if form.fits.all() and (layouts == layouts[0]).all():
                parts.append((rows, way.runs_of(form)))
                continue
            indices = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
            for layout in np.unique(layouts[form.fits]).tolist():
                some = form.fits & (layouts == layout)
                own = way.form(machine, fleet.devices, counts[:, some], order)
                parts.append((indices[some], way.runs_of(own)))
        edges = made.offsets[begin : end + 1]
        np.cumsum(edges, out=edges)
        made.reach(int(edges[-1]))
        if len(parts) == 1 and isinstance(parts[0][0], slice):
            runs = parts[0][1]
        else:
            runs = joined([(_within(rows, begin), runs) for rows, runs in parts], end - begin)
        here = slice(int(edges[0]), int(edges[-1]))
        expand(runs, made.addresses[here], made.owners[here])
    made.finish()
    return made


def columns_of(fleet: Fleet, rows: Rows) -> Ints:
    """Return the counts of some guests, as (K, guests)."""
    return np.ascontiguousarray(capped(fleet.table[rows]).T, np.int32)


def machines_of(fleet: Fleet, begin: int, end: int) -> Iterator[tuple[Rows, Machine]]:
    """Yield the guests of a block by machine."""
    families = fleet.families[begin:end]
    for family, machine in enumerate(FAMILIES):
        own = families == family
        if own.all():
            yield slice(begin, end), machine
        elif own.any():
            yield np.flatnonzero(own) + begin, machine


def _groups(fleet: Fleet, types: _Types, begin: int, end: int) -> Iterator[tuple[Rows, Machine, list[str]]]:
    """Yield the guests of a block that are of one machine and have their controllers in one order."""
    for rows, machine in machines_of(fleet, begin, end):
        orders = types.orders(fleet.table[rows])
        if (orders == orders[0]).all():
            yield rows, machine, types.of(int(orders[0]))
            continue
        indices = np.arange(begin, end) if isinstance(rows, slice) else rows
        for order in np.unique(orders).tolist():
            yield indices[orders == order], machine, types.of(order)


class _Types:
    """The order of the types of controllers in libvirt's list: each begins where its first controller is listed.

    It depends on which columns are 0 where the columns of a type do not stand together.
    """

    def __init__(self, devices: Sequence[DeviceModel]) -> None:
        columns = [n for n, row in enumerate(devices) if row.element.startswith("controller/")]
        self._types = list(dict.fromkeys(devices[n].element for n in columns))
        self._columns = [[n for n in columns if devices[n].element == element] for element in self._types]
        self._settled = [n for columns_of in self._columns for n in columns_of] == columns

    def orders(self, table: Counts) -> Offsets:
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


def _within(rows: Rows, begin: int) -> Rows:
    return slice(rows.start - begin, rows.stop - begin) if isinstance(rows, slice) else rows - begin


def joined(parts: list[tuple[Rows, Runs]], guests: int) -> Runs:
    """Return the addresses of guests that were worked out in parts, those in no part without any."""
    width = max((runs.lengths.shape[1] for _, runs in parts), default=1)
    made = Runs(
        np.concatenate([runs.places for _, runs in parts]) if parts else np.zeros(1, np.uint16),
        np.zeros((guests, width), np.uint8),
        np.zeros((guests, width), np.int64),
        np.zeros((guests, width), np.int32),
    )
    places = 0
    for rows, runs in parts:
        own = slice(runs.lengths.shape[1])
        made.codes[rows, own] = runs.codes
        made.lengths[rows, own] = runs.lengths
        made.starts[rows, own] = runs.starts + places
        places += len(runs.places)
    return made


def expand(runs: Runs, addresses: Addresses, owners: Owners) -> None:
    """Write slices of a table of places, one after the other, and whose they are."""
    guests = len(runs.lengths)
    step = max(PLACES * guests // max(len(addresses), 1), 1)
    count = np.arange(0)
    low = 0
    for begin in range(0, guests, step):
        some = slice(begin, begin + step)
        lengths = runs.lengths[some].ravel()
        ends = np.cumsum(lengths)
        total = int(ends[-1])
        if total > len(count):
            count = np.arange(total)
        # where a run begins in the table, and whose it is, side by side: it is repeated only once
        both = runs.starts[some].ravel() - (ends - lengths)
        both <<= 8
        both |= runs.codes[some].ravel()
        index = np.repeat(both, lengths)
        owners[low : low + total] = index
        index >>= 8
        index += count[:total]
        np.take(runs.places, index, out=addresses[low : low + total], mode="clip")
        low += total
