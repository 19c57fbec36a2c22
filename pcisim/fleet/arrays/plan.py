"""Place a fleet: every guest of a table of counts.

Where guests are alike, each distinct one is placed once and its addresses are copied to the others; where they hardly
are, all are placed.  Either way it is done with the closed form, in blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from pcisim.fleet.arrays.distinct import distinct
from pcisim.fleet.arrays.place import place
from pcisim.fleet.arrays.request import Fleet, Machines
from pcisim.fleet.arrays.ways import way_of
from pcisim.placement import Policy


@attrs.frozen(eq=False, weakref_slot=False, repr=False)
class FleetPlan:
    """Where everything of every guest sits.

    What belongs to guest ``g`` of `addresses` and `owners` is ``[offsets[g]:offsets[g + 1]]``; `row` cuts it out.
    A guest that is refused has no addresses and zeros everywhere; `pcisim.assign` of the same counts raises the
    reason.
    """

    fits: NDArray[np.bool_]
    """(guests,): whether the guest fits, and libvirt accepts it."""
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
    """(guests, 2): empty slots, PCI Express and conventional, as `pcisim.capacity.report.room` counts them."""
    free_hot: NDArray[np.int16]
    """(guests, 2): those of them that a running guest takes."""

    def __len__(self) -> int:
        return len(self.fits)

    def row(self, guest: int) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
        """Return the addresses of one guest, and who sits there."""
        low, high = self.offsets[guest], self.offsets[guest + 1]
        return self.addresses[low:high], self.owners[low:high]

    def __repr__(self) -> str:
        return f"<FleetPlan {len(self)} guests, of which {int(self.fits.sum())} fit, {len(self.addresses)} addresses>"

    def to_frame(self) -> Any:
        """Return one row for each guest as a data frame of pandas, else of polars; the addresses are not in it.

        Raises:
            UsageError: neither is installed.
        """
        from pcisim.frames import frame

        free = {
            f"free_{plug}_{when}": values[:, place]
            for when, values in (("cold", self.free_cold), ("hot", self.free_hot))
            for place, plug in enumerate(("express", "conventional"))
        }
        return frame({"fits": self.fits, "buses": self.buses, "ports": self.ports, **free})

    @property
    def nbytes(self) -> int:
        """Return how many bytes the arrays take."""
        return sum(getattr(self, name).nbytes for name in attrs.fields_dict(type(self)))


def assign(
    machine: Machines, devices: Sequence[str], counts: ArrayLike, *, policy: str | Policy = "libvirt"
) -> FleetPlan:
    """Place every guest of a fleet, for libvirt 12.9.

    Args:
        machine: the machine type of all guests, or an array of them, one a guest: ``pc``, ``q35`` or a version.
        devices: K models, by the names of QEMU's devices without ``-pci``, as `Guest.of` takes them.
        counts: how many of each model a guest has: integers, of shape (guests, K).
        policy: ``libvirt``, ``dense`` (whatever the firmware), or ``hotplug`` with numbers of spares.

    Raises:
        UsageError: an unknown machine, device or policy, or counts of another shape or kind.
        NotCoveredError: a policy, or an option of one, that has no closed form.

    Examples:
        >>> from pcisim import fleet
        >>> fleet.assign("q35", ["virtio-blk", "virtio-net"], [[2, 1], [20, 4]])
        <FleetPlan 2 guests, of which 2 fit, 66 addresses>
    """
    kinds_of_guests, kinds = distinct(Fleet.of(machine, devices, counts))
    placed = place(kinds_of_guests, way_of(policy))
    if kinds is not None:
        placed = placed.copied(kinds)
    return FleetPlan(**{name: getattr(placed, name) for name in placed.__slots__})
