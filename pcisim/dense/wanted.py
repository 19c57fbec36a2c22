"""What keeps its place, and what looks for one.

The chipset, the primary video device, ICH9 sound and ICH9 USB go where libvirt puts them; what is written down stays.
"""

from __future__ import annotations

from typing import NamedTuple

from pcisim.catalogue import connectors as c
from pcisim.guest import Controller, Device, Guest, refuse
from pcisim.libvirt.passes import Pass, highest_index, no_buses
from pcisim.topology import Owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from pcisim.catalogue.versions import Libvirt


class Item(NamedTuple):
    """A device that looks for a place."""

    device: Device
    kind: int
    """The one connector kind that counts: `INTEGRATED` for what must sit on bus 0."""


class Wanted(Pass):
    """A pass that takes the places that are known, and lists what looks for one.

    Args:
        rules: the version of libvirt.
        guest: a completed guest whose PCI controllers may be changed.
    """

    def __init__(self, rules: Libvirt, guest: Guest) -> None:
        present = {d: d.address for d in guest.all_devices() if d.address is not None}
        super().__init__(rules, guest, guest.controllers, present, highest_index(guest) + 1, trial=True, log=False)
        self.items: list[Item] = []
        """In libvirt's order, PCI controllers first."""
        self.sets: dict[int | None, list[tuple[int, Device]]] = {}
        """ICH9 USB controllers that share a slot, by their index: the function of each."""

    def collected(self) -> Wanted:
        """Take the places that are known, list the rest, and return this pass."""
        self.collect()
        self.trial = False
        if self.machine.places_pci:
            self.chipset()
            self.primary_video()
            self.assign()
        return self

    def find(self, plug: int, owner: Device | Owner, function: int = 0) -> int:
        """List a device that looks for a place."""
        self.flush()
        if isinstance(owner, Controller) and owner.ich9:
            members = self.sets.setdefault(owner.index, [])
            other = next((device for known, device in members if known == function), None)
            if other is not None:
                raise refuse(
                    owner,
                    "Attempted double use of PCI Address",
                    "slot-occupied",
                    "give one of the two another index",
                    f"{owner.label} and {other.label} are companions of one set, and want one function of its slot",
                )
            members.append((function, owner))
        elif isinstance(owner, Device):
            self._list(plug, [owner])
        return 0

    def keep(self, device: Device, packed: int) -> None:
        """Remember that a device has its place, or is listed."""
        self.present[device] = packed

    def _find_run(self, plug: int, run: list[Device]) -> None:
        self._list(plug, run)

    def _list(self, plug: int, devices: list[Device]) -> None:
        buses = self.topology.buses
        if not buses:
            raise no_buses(self.guest, devices[0])
        if plug & c.INTEGRATED:
            if not self.topology.accepts(buses[0], plug, explicit=False):
                self._cannot_grow(plug, devices[0])
            plug = c.INTEGRATED
        self.items += [Item(device, plug) for device in devices]

    def refuse(self, item: Item) -> NoReturn:
        """Refuse a device that no bus of the machine accepts.

        Raises:
            RefusedError: in libvirt's words.
        """
        self._cannot_grow(item.kind, item.device)

    @property
    def gaps(self) -> list[int]:
        """Return the indexes below the highest that no controller has."""
        known = {d.index for d in self.controllers if d.is_pci}
        return [bus.index for bus in self.topology.buses if bus.index and bus.index not in known]
