"""A placed guest, seen by slots and by bridges: what the rules look at."""

from __future__ import annotations

from collections.abc import Iterable

from pcisim.address import MAX_FUNCTION, format_packed
from pcisim.catalogue.controllers import EXPANDERS, PCI_CONTROLLERS, PORTS
from pcisim.catalogue.x86_machines import BUILT_IN
from pcisim.diagnose.finding import Finding
from pcisim.diagnose.rules import RULES
from pcisim.guest import Controller, Device
from pcisim.placement import Placement
from pcisim.topology import Holder, Owner


class PlacedView:
    """What the rules ask of a placed guest.

    Attributes:
        placement: the placed guest.
        addresses: the packed address of everything on PCI that has a place of its own.
        slots: for each slot, as ``packed >> 3``, who on PCI has which function; the machine's own included.
        bridges: the PCI controllers but the root, by index, in the order of the list.
        circle: the indexes of the buses that do not lead to the root.
    """

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.guest = placement.guest
        self.addresses = {d: packed for d, packed in placement.addresses.items() if d.mirrors is None and d.on_pci}
        self.slots: dict[int, dict[int, Holder]] = {}
        for packed, holder in (*self._machine(), *placement.topology.owners.items()):
            if isinstance(holder, Device) and not holder.on_pci:
                continue
            self.slots.setdefault(packed >> 3, {})[packed & MAX_FUNCTION] = holder
        self.bridges = {d.index or 0: d for d in placement.guest.controllers if d.is_pci and d in self.addresses}
        self._depths: dict[int, int | None] = {}
        self.circle = {index for index in self.bridges if self.depth(index) is None}
        self._below: dict[int, list[int]] = {}
        for index in self.bridges:
            self._below.setdefault(self.parent(index), []).append(index)

    def _machine(self) -> Iterable[tuple[int, Owner]]:
        if not self.placement.topology.buses:
            return []
        places = self.guest.machine.places
        return [(p.slot << 3 | p.function, Owner(p.owner, p.kind)) for p in places if p.kind == BUILT_IN]

    def parent(self, index: int) -> int:
        """Return the bus that the controller of a bus sits on."""
        return self.addresses[self.bridges[index]] >> 8

    def depth(self, index: int) -> int | None:
        """Return how many bridges lead from a root (bus 0, or an expander's) to a bus; ``None`` in a circle."""
        chain: list[int] = []
        while index in self.bridges and index not in self._depths:
            if index in chain:
                for each in chain:
                    self._depths[each] = None
                return None
            chain.append(index)
            if self.bridges[index].model in EXPANDERS:
                break
            index = self.parent(index)
        known = self._depths.get(index, 0)
        for each in reversed(chain):
            if self.bridges[each].model in EXPANDERS:
                known = PCI_CONTROLLERS[self.bridges[each].model].own_bus_numbers - 1  # a bridge of its own counts
            elif known is not None:
                known += 1
            self._depths[each] = known
        return self._depths.get(chain[0], 0) if chain else known

    def behind(self, index: int) -> list[Device]:
        """Return every device and controller on the buses behind a bridge."""
        found: list[Device] = []
        todo, seen = [index], set()
        while todo:
            bus = todo.pop()
            if bus not in seen:
                seen.add(bus)
                found += [d for d, packed in self.addresses.items() if packed >> 8 == bus]
                todo += self._below.get(bus, [])
        return found

    def numbers_below(self, index: int) -> int:
        """Return how many bus numbers the bridges below a bus take; an expander's are its own."""
        count = 0
        todo, seen = [index], set()
        while todo:
            bus = todo.pop()
            for child in self._below.get(bus, []):
                bridge = self.bridges[child]
                if child not in seen and bridge.model not in EXPANDERS and self.is_seen(bridge):
                    seen.add(child)
                    count += 1
                    todo.append(child)
        return count

    def is_seen(self, device: Device) -> bool:
        """Return whether the slot of a device has a function 0, without which nobody looks at the others."""
        return 0 in self.slots[self.addresses[device] >> 3]

    def place(self, device: Device) -> str:
        """Return the address of a device as text."""
        return format_packed(self.addresses[device])


def found(code: str, headline: str, parties: Iterable[Device], *details: str, remedy: str = "") -> Finding:
    """Return a finding with the severity of its rule, on the line of the first party."""
    devices = tuple(parties)
    line = devices[0].line if devices else None
    return Finding(RULES[code].severity, code, headline, tuple(d.label for d in devices), line, details, remedy)


def line_of(device: Device) -> str:
    """Return where a device stands, in parentheses, or ""."""
    return f" (line {device.line})" if device.line else ""


def is_port(controller: Device) -> bool:
    """Return whether a controller is a root port or a downstream port."""
    return isinstance(controller, Controller) and controller.model in PORTS
