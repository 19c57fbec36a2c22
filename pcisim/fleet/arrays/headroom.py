"""How many more of a device each guest of a fleet takes, cold and hot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pcisim.catalogue import connectors as c
from pcisim.catalogue.devices import PLUGS, DeviceModel, plug_on
from pcisim.catalogue.x86_machines import Machine
from pcisim.errors import RefusedError
from pcisim.fleet.arrays.closed_form import ONE_AT_MOST, Ints
from pcisim.fleet.arrays.distinct import distinct
from pcisim.fleet.arrays.place import BLOCK, columns_of, machines_of
from pcisim.fleet.arrays.request import Fleet, Machines
from pcisim.fleet.arrays.ways import Way, way_of
from pcisim.guest import Guest, device_model
from pcisim.hotplug.kinds import check_comes
from pcisim.placement import Policy


class FleetCapacity(NamedTuple):
    """How many more of a device each guest takes."""

    cold: NDArray[np.int32]
    """(guests,): the most that fit when the guest is defined with them, as `pcisim.capacity.max_count.how_many_more`
    counts; -1 when it does not fit with any number of them."""
    hot: NDArray[np.int32]
    """(guests,): how many can be attached while it runs, as the headroom of `pcisim.hotplug.RunningGuest`; 0 for what
    no running guest takes, -1 when the guest as it is does not fit.  On pc QEMU may refuse some of them beside an igb
    card, whose virtual functions libvirt does not know of."""

    def to_frame(self) -> Any:
        """Return one row for each guest as a data frame of pandas, else of polars.

        Raises:
            UsageError: neither is installed.
        """
        from pcisim.frames import frame

        return frame({"cold": self.cold, "hot": self.hot})


def capacity(
    machine: Machines, devices: Sequence[str], counts: ArrayLike, of: str, *, policy: str | Policy = "libvirt"
) -> FleetCapacity:
    """Count how many more of a device each guest of a fleet takes, for libvirt 12.9.

    Args:
        machine: the machine type of all guests, or an array of them, one a guest: ``pc``, ``q35`` or a version.
        devices: K models, by the names of QEMU's devices without ``-pci``.
        counts: how many of each model a guest has: integers, of shape (guests, K).
        of: the model that is asked about.
        policy: ``libvirt``, ``dense`` (whatever the firmware), or ``hotplug`` with numbers of spares, which are kept.

    Raises:
        UsageError: an unknown machine, device or policy, or counts of another shape or kind.
        NotCoveredError: a policy, or an option of one, that has no closed form.

    Examples:
        >>> from pcisim import fleet
        >>> fleet.capacity("q35", ["virtio-blk"], [[2], [20]], of="virtio-net").hot.tolist()
        [1, 1]
    """
    row = device_model(of)
    way = way_of(policy)
    fleet, kinds = distinct(Fleet.of(machine, devices, counts))
    room = FleetCapacity(np.empty(len(fleet), np.int32), np.empty(len(fleet), np.int32))
    comes = _comes(row)
    for begin in range(0, len(fleet), BLOCK):
        for rows, of_machine in machines_of(fleet, begin, min(begin + BLOCK, len(fleet))):
            columns = columns_of(fleet, rows)
            room.cold[rows], hot = _headroom(way, of_machine, fleet.devices, columns, row)
            room.hot[rows] = hot if comes else np.minimum(hot, 0)
    return room if kinds is None else FleetCapacity(room.cold[kinds], room.hot[kinds])


def _headroom(
    way: Way, machine: Machine, devices: list[DeviceModel], counts: Ints, row: DeviceModel
) -> tuple[Ints, Ints]:
    """Return how many more of a device guests take, cold and hot.

    The first two of a kind may have a place of their own, or none; from the third on each takes one more place of its
    plug.
    """
    forms = [
        way.form(machine, [*devices, row], np.vstack([counts, np.full((1, counts.shape[1]), more, np.int32)]))
        for more in range(3)
    ]
    plug = plug_on(PLUGS[row.element].get(row.model, c.EXPRESS), machine.express)
    beyond = forms[2].room(plug)
    cold = np.select([beyond >= 0, *(form.fits for form in reversed(forms))], [beyond + 2, 2, 1, 0], -1)
    as_it_is = forms[0]
    hot = as_it_is.free_hot[0 if plug & c.EXPRESS else 1]
    if row.element in ONE_AT_MOST:
        hot = np.minimum(hot, ~forms[1].refused)
    return cold, np.where(as_it_is.fits, hot, -1)


def _comes(row: DeviceModel) -> bool:
    """Return whether a running guest takes a device."""
    try:
        check_comes(Guest("").add(row)[0])
    except RefusedError:
        return False
    return True
