"""A placement to which controllers are appended; nothing that is there moves."""

from __future__ import annotations

from typing import NamedTuple

from pcisim.address import MAX_FUNCTION, MAX_SLOT
from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import MAX_INDEX, PCI_CONTROLLERS
from pcisim.catalogue.versions import Libvirt
from pcisim.guest import Controller
from pcisim.libvirt.completion import ControllerList
from pcisim.libvirt.targets import multifunction, settle_controllers
from pcisim.placement import Placement, PlacementStep
from pcisim.topology import Bus

_OFF = "off"


class HotSlots(NamedTuple):
    """The slots that a running guest takes devices into without an address."""

    empty: int
    blocked_by: Bus | None = None
    """The bus where libvirt looks no further although QEMU takes nothing there (QEMU rule 4.1)."""


class Extension:
    """A placement while controllers are appended.

    Args:
        rules: the version of libvirt that takes the result.
        placement: a placed guest; it is changed.
        log: whether to say where each controller comes from.
    """

    def __init__(self, rules: Libvirt, placement: Placement, *, log: bool = False) -> None:
        self.rules = rules
        self.placement = placement
        self.topology = placement.topology
        self.added: list[Controller] = []
        self._logging = log
        for packed, holder in self.topology.owners.items():
            if getattr(holder, "multifunction", None) == _OFF:  # QEMU starts no guest with anything beside it
                self.topology.buses[packed >> 8].shared &= ~(1 << (packed >> 3 & MAX_SLOT))

    def hot_slots(self, plug: int) -> HotSlots:
        """Return how many devices of a plug a running guest takes (libvirt rule 7.6).

        Args:
            plug: `CONVENTIONAL` or `EXPRESS` of `pcisim.catalogue.connectors`.
        """
        count = 0
        for bus in self.topology.buses:
            if bus.free and plug & bus.automatic and bus.model.hotplug:
                if self.topology.takes_hotplug(bus):
                    count += bus.free.bit_count()
                elif not bus.model.is_port:
                    return HotSlots(count, bus)
        return HotSlots(count)

    @property
    def ports(self) -> int:
        """Return how many ports there are."""
        return sum(bus.model.is_port for bus in self.topology.buses)

    @property
    def unneeded_ports(self) -> int:
        """Return how many of the ports that nobody has written hold nothing."""
        added = (*self.placement.added, *self.added)
        return sum(PCI_CONTROLLERS[d.model].is_port and bool(self.topology.buses[d.index or 0].free) for d in added)

    def append(self, model: str, why: str) -> bool:
        """Append a controller at the first place that libvirt gives it, and return whether there was one.

        Args:
            model: libvirt's name of it.
            why: what it is for, for the log.
        """
        topology, row = self.topology, PCI_CONTROLLERS[model]
        index = len(topology.buses)
        controller = Controller("controller", f"pci:{index}", model, type="pci", index=index)
        looks = tuple(topology.explain(row.plug)) if self._logging else ()
        packed = topology.allocate(row.plug, controller) if index <= MAX_INDEX else None
        if packed is None:
            return False
        topology.add_bus(row)
        self.placement.addresses[controller] = packed
        self.added.append(controller)
        if self._logging:
            self.placement.log[controller] = [PlacementStep(why, looks)]
        return True

    def append_conventional(self, why: str) -> bool:
        """Append what makes conventional slots, and return whether there was room for it.

        Args:
            why: what it is for, for the log.
        """
        buses = self.topology.buses
        if any(bus.automatic & c.PCI_BRIDGE and bus.free for bus in buses):
            return self.append("pci-bridge", why)
        bridge = "pcie-to-pci-bridge"
        return self.append(bridge, why) or (self.append("pcie-root-port", why) and self.append(bridge, why))

    def finished(self) -> Placement:
        """Return the placement with the controllers that were appended."""
        made = self.placement
        if not self.added:
            return made
        settle_controllers(list(self.added), made.addresses)
        controllers = ControllerList.of(self.rules, made.guest.controllers)
        controllers.add_all(self.added)
        made.guest.controllers = controllers.items
        made.added = [*made.added, *self.added]
        slots = {made.addresses[controller] & ~MAX_FUNCTION for controller in self.added}
        beside = {d: place for d, place in made.addresses.items() if place & ~MAX_FUNCTION in slots}
        made.multifunction.update(multifunction(beside))
        return made
