"""Place a fleet: every guest of a table of counts.

Each distinct guest is placed once, by the scalar engine, and its addresses are copied to all guests that are
like it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pcisim.capacity import room
from pcisim.errors import RefusedError
from pcisim.fleet.owners import code_of
from pcisim.fleet.request import FAMILIES, Machines, counts_of, devices_of, families_of
from pcisim.guest import Guest
from pcisim.plan import assign as assign_one

_NAMES = {"i440fx": "pc", "q35": "q35"}


@dataclass(frozen=True, eq=False, slots=True)
class FleetPlan:
    """Where everything of every guest sits.

    What belongs to guest ``g`` of `addresses` and `owners` is ``[offsets[g]:offsets[g + 1]]``; `row` cuts it out.
    A guest that libvirt refuses has no addresses and zeros everywhere; `pcisim.assign` of the same counts raises the
    reason.
    """

    fits: NDArray[np.bool_]
    """(guests,): whether libvirt accepts the guest."""
    addresses: NDArray[np.uint16]
    """``bus << 8 | slot << 3 | function``: what `Plan.addresses` holds, in its order, guest after guest."""
    owners: NDArray[np.uint8]
    """Beside each address who sits there: a number of `OWNERS`."""
    offsets: NDArray[np.int64]
    """(guests + 1,): where each guest begins."""
    buses: NDArray[np.int16]
    """(guests,): the buses, root bus included."""
    ports: NDArray[np.int16]
    """(guests,): the PCI Express ports among them."""
    free_cold: NDArray[np.int16]
    """(guests, 2): empty slots, PCI Express and conventional, as `pcisim.capacity.room` counts them."""
    free_hot: NDArray[np.int16]
    """(guests, 2): those of them that a running guest takes."""

    def __len__(self) -> int:
        return len(self.fits)

    def row(self, guest: int) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
        """Return the addresses of one guest, and who sits there."""
        low, high = self.offsets[guest], self.offsets[guest + 1]
        return self.addresses[low:high], self.owners[low:high]

    @property
    def nbytes(self) -> int:
        """Return how many bytes the arrays take."""
        return sum(getattr(self, name).nbytes for name in self.__slots__)


def assign(machine: Machines, devices: Sequence[str], counts: ArrayLike) -> FleetPlan:
    """Place every guest of a fleet as libvirt 11.3 does.

    Args:
        machine: the machine type of all guests, or an array of them, one a guest: ``pc``, ``q35`` or a version.
        devices: K models, by the names of QEMU's devices without ``-pci``, as `Guest.of` takes them.
        counts: how many of each model a guest has: whole numbers, of shape (guests, K).

    Raises:
        UsageError: an unknown machine or device, or counts of another shape or kind.
    """
    rows = devices_of(devices)
    table = counts_of(counts, rows)
    families = families_of(machine, len(table))
    keyed = np.column_stack([families.astype(np.int64), table.astype(np.int64)])
    distinct, inverse = np.unique(keyed, axis=0, return_inverse=True)
    inverse = inverse.ravel()
    placed = [_place(_NAMES[FAMILIES[row[0]].family], [d.name for d in rows], row[1:]) for row in distinct.tolist()]
    lengths = np.array([len(p.addresses) for p in placed], np.int64)[inverse]
    offsets = np.zeros(len(table) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    addresses, owners = np.empty(offsets[-1], np.uint16), np.empty(offsets[-1], np.uint8)
    for guest, shape in enumerate(inverse.tolist()):
        addresses[offsets[guest] : offsets[guest + 1]] = placed[shape].addresses
        owners[offsets[guest] : offsets[guest + 1]] = placed[shape].owners
    summary = np.array([p.summary for p in placed], np.int16).reshape(-1, 7)[inverse]
    return FleetPlan(
        fits=summary[:, 0] != 0,
        addresses=addresses,
        owners=owners,
        offsets=offsets,
        buses=summary[:, 1],
        ports=summary[:, 2],
        free_cold=summary[:, 3:5],
        free_hot=summary[:, 5:7],
    )


@dataclass(frozen=True)
class _Placed:
    addresses: list[int]
    owners: list[int]
    summary: tuple[int, ...]


def _place(machine: str, names: list[str], counts: list[int]) -> _Placed:
    try:
        plan = assign_one(Guest.of(machine, dict(zip(names, counts))))
    except RefusedError:
        return _Placed([], [], (0,) * 7)
    packed = plan.placement.addresses
    sitting = [d for d in plan.guest.all_devices() if d in packed]
    buses = plan.topology.buses
    left = room(plan.topology)
    return _Placed(
        [packed[d] for d in sitting],
        [code_of(d) for d in sitting],
        (
            1,
            len(buses),
            sum("port" in bus.model.name for bus in buses),
            left.express_cold,
            left.conventional_cold,
            left.express_hot,
            left.conventional_hot,
        ),
    )
