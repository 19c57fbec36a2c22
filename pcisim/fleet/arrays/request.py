"""What is asked of a fleet: machines, device names and counts, checked."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from pcisim.catalogue.devices import DeviceModel
from pcisim.catalogue.machines import machine_of
from pcisim.catalogue.x86_machines import I440FX, Q35, Machine
from pcisim.errors import UsageError
from pcisim.guest import device_model

Machines = str | Sequence[str] | NDArray[np.str_] | NDArray[np.object_]
Counts = NDArray[np.integer]

FAMILIES: tuple[Machine, ...] = (I440FX, Q35)
"""The machines that a fleet may consist of."""
MOST_BITS = 16
"""More bits of a count make no difference: no guest with so many of one device fits."""


@attrs.frozen(eq=False, weakref_slot=False)
class Fleet:
    """Guests by their counts.

    Args:
        devices: the row of each column.
        table: (guests, K): how many of each.
        families: for each guest the number of its machine among `FAMILIES`.
        bits: how many bits the counts of each column have, at most `MOST_BITS`.
    """

    devices: list[DeviceModel]
    table: Counts
    families: NDArray[np.uint8]
    bits: list[int]

    @classmethod
    def of(cls, machine: Machines, devices: Sequence[str], counts: ArrayLike) -> Fleet:
        """Check what is asked for.

        Raises:
            UsageError: as for `pcisim.fleet.assign`.
        """
        rows = _devices(devices)
        table = _table(counts, rows)
        return cls(rows, table, _families(machine, len(table)), _bits(table, rows))

    def __len__(self) -> int:
        return len(self.table)


def capped(table: Counts) -> Counts:
    """Return the counts, large ones as the largest that has `MOST_BITS`."""
    return np.minimum(table, min((1 << MOST_BITS) - 1, np.iinfo(table.dtype).max))


def _devices(devices: Sequence[str]) -> list[DeviceModel]:
    """Return the row of each device.

    Raises:
        UsageError: an unknown name, or one that is given twice.
    """
    if isinstance(devices, str):
        raise UsageError(
            f"devices must be a sequence of names, not the one string {devices!r}",
            code="device-names",
            remedy=f"write [{devices!r}]",
        )
    rows: list[DeviceModel] = []
    for name in devices:
        if not isinstance(name, str):
            raise UsageError(f"the name of a device must be a string, not {name!r}", code="device-names")
        row = device_model(str(name))
        if row in rows:
            raise UsageError(
                f"device {name!r} is given twice", code="duplicate-device", remedy="add its two columns of counts up"
            )
        rows.append(row)
    return rows


def _table(counts: ArrayLike, devices: list[DeviceModel]) -> Counts:
    """Return the counts as a table of integers: one row per guest, one column per device.

    Raises:
        UsageError: not a table of that width, or not of non-negative integers.
    """
    try:
        table = np.asarray(counts)
    except ValueError as error:  # rows of different lengths
        raise _shape(devices, f"counts are no table: {error}") from error
    if table.ndim != 2 or table.shape[1] != len(devices):
        if table.size == 0 and table.ndim < 2:
            return np.zeros((0, len(devices)), np.int64)
        raise _shape(devices, f"counts have the shape {table.shape}")
    if not table.size:
        return np.zeros(table.shape, np.int64)
    if table.dtype.kind not in "iu":
        raise UsageError(
            f"counts must be integers, not of type {table.dtype}",
            code="device-count",
            remedy="convert them first, with counts.astype(int)" if table.dtype.kind == "f" else "",
        )
    return table


def _shape(devices: list[DeviceModel], headline: str) -> UsageError:
    return UsageError(
        f"{headline}; a table of (guests, {len(devices)}) is needed: one row per guest, one column per device",
        code="counts-shape",
    )


def _bits(table: Counts, devices: list[DeviceModel]) -> list[int]:
    """Return how many bits the counts of each device have, at most `MOST_BITS`.

    Raises:
        UsageError: one of them is negative.
    """
    rows, width = table.shape
    together = 1024  # rows side by side, so that bits are combined at the speed of vectors
    whole = rows - rows % together if table.flags.c_contiguous else 0
    combined = np.bitwise_or.reduce(table[whole:], axis=0)
    if whole and width:
        side_by_side = np.bitwise_or.reduce(table[:whole].reshape(-1, width * together), axis=0)
        combined |= np.bitwise_or.reduce(side_by_side.reshape(together, width), axis=0)
    if (combined < 0).any():
        guest, column = (int(n) for n in np.argwhere(table < 0)[0])
        raise UsageError(
            f"the count of {devices[column].name} must be a non-negative integer, not {table[guest, column]}",
            code="device-count",
            details=(f"guest {guest}, column {column}",),
        )
    return [min(number.bit_length(), MOST_BITS) for number in combined.tolist()]


def _families(machine: Machines, guests: int) -> NDArray[np.uint8]:
    """Return for each guest which of `FAMILIES` its machine belongs to.

    Args:
        machine: the machine type of all guests, or one a guest.
        guests: how many guests there are.

    Raises:
        UsageError: an unknown machine type, or not one a guest.
    """
    if isinstance(machine, str):
        return np.full(guests, _family(machine), np.uint8)
    names = np.asarray(machine)
    if names.shape != (guests,):
        raise UsageError(
            f"machines have the shape {names.shape}: one name is needed, or one a guest: ({guests},)",
            code="machines-shape",
        )
    if not guests:
        return np.zeros(0, np.uint8)
    if names.dtype.kind not in "UO":
        raise UsageError(f"machines must be names, not of type {names.dtype}", code="unknown-machine")
    unknown = len(FAMILIES)
    families = np.full(guests, unknown, np.uint8)
    first = 0
    while families[first] == unknown:  # once for each name
        families[names == names[first]] = _family(names[first])
        first = int(np.argmax(families))
    return families


def _family(name: object) -> int:
    row = machine_of(name) if isinstance(name, str) else None
    if row not in FAMILIES:
        shown = str(name) if isinstance(name, str) else name  # without the name of numpy's type
        raise UsageError(
            f"unknown machine {shown!r}",
            code="unknown-machine",
            details=("fleets are made of the machine types pc and q35, and their versions such as pc-q35-9.2",),
            remedy="ask pcisim.assign about guests of other machines",
        )
    return FAMILIES.index(row)
