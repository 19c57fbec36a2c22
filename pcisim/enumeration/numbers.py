"""Bus numbers: which number each bridge's bus gets, and how far its range goes.

Depth first, on each bus by slot and function: a bridge gets the next number, then everything below
it, then its next sibling.  SeaBIOS and OVMF agree, and Linux keeps what they gave.

Source: section 4 of the facts about QEMU, measured with SeaBIOS 1.16.2 and OVMF 2022.11.
"""

from __future__ import annotations

from pcisim.address import MAX_BUS
from pcisim.enumeration.view import Numbers
from pcisim.hardware import PORT, Hardware, Part, PciBus

UNNUMBERED = Numbers(0, 0, 0)
_NO_RESERVE = 0xFFFFFFFF


def found_on(bus: PciBus) -> list[Part]:
    """Return what a scan of a bus finds, by slot and function.

    A slot without function 0 is taken for empty, and so are the functions beside a function 0 that
    does not say that there are more.  A port whose slot 0 is empty is powered off, with all that
    is behind it.
    """
    parts = bus.parts
    if len(parts) == 1 and 0 in parts:  # most ports
        return [parts[0]]
    if not parts or (bus.kind == PORT and 0 not in parts and _has_power_control(bus)):
        return []
    if len(parts) == 1:
        return [part for place, part in parts.items() if not place & 7]
    found = []
    for place in sorted(parts):
        first = parts.get(place & ~7)
        if first is not None and (not place & 7 or first.multifunction):
            found.append(parts[place])
    return found


def _has_power_control(bus: PciBus) -> bool:
    return bus.parent is None or bus.parent.options.get("power_controller_present") != "off"


class Routing:
    """The bus numbers that are in the bridges, and which bus answers to a number.

    Where two buses claim one number, the one that QEMU finds first answers; that decides what a
    firmware sees behind an expander whose number is too low.
    """

    def __init__(self, hardware: Hardware) -> None:
        self.root = hardware.root
        self.numbers: dict[Part, list[int]] = {}
        """Primary, secondary and subordinate number of each bridge that was programmed."""

    def number_of(self, bus: PciBus) -> int:
        """Return the number that a bus answers to."""
        if bus.parent is None:
            return bus.number
        numbers = self.numbers.get(bus.parent)
        return numbers[1] if numbers else 0

    def find(self, number: int, start: PciBus | None = None) -> PciBus | None:
        """Return the bus that answers to a number; ``None`` when none does.

        Args:
            number: 0 to 255.
            start: where to look from, by default the root bus.
        """
        bus = start or self.root
        if self.number_of(bus) == number:
            return bus
        if start is not None and not self._forwards(bus, number):
            return None
        while True:
            for below in bus.buses_below():
                if self.number_of(below) == number:
                    return below
                if self._forwards(below, number):
                    bus = below
                    break
            else:
                return None

    def _forwards(self, bus: PciBus, number: int) -> bool:
        if bus.parent is None:
            return any(self._in_range(part, number) for part in bus.parts.values() if part.behind is not None)
        return self._in_range(bus.parent, number)

    def _in_range(self, part: Part, number: int) -> bool:
        numbers = self.numbers.get(part)
        return numbers is not None and numbers[1] <= number <= numbers[2]


class OutOfNumbersError(Exception):
    """More buses than there are numbers."""


def number_buses(hardware: Hardware) -> tuple[Routing, bool]:
    """Give every bridge its numbers, as SeaBIOS does.

    Returns:
        The numbers, and whether there were enough of them.
    """
    routing = Routing(hardware)
    try:
        if hardware.extra:
            last = _scan(routing, 0, 0)
            while last < MAX_BUS:
                last = _scan(routing, last + 1, last + 1)
        else:
            _descend(routing, hardware.root, 0, 0)
    except OutOfNumbersError:
        return routing, False
    return routing, True


def _scan(routing: Routing, number: int, last: int) -> int:
    """Number everything below whatever bus answers to a number; return the last number given."""
    bus = routing.find(number)
    return last if bus is None else _descend(routing, bus, number, last, by_number=True)


def _descend(routing: Routing, bus: PciBus, number: int, last: int, *, by_number: bool = False) -> int:
    bridges = [part for part in found_on(bus) if part.behind is not None]
    for part in bridges:
        routing.numbers[part] = [0, MAX_BUS, 0]
    for part in bridges:
        if last == MAX_BUS:
            raise OutOfNumbersError
        last += 1
        secondary = last
        numbers = routing.numbers[part] = [number, secondary, MAX_BUS]
        if by_number:
            last = _scan(routing, secondary, last)
        elif part.behind is not None:
            last = _descend(routing, part.behind, secondary, last)
        reserve = int(part.options.get("bus-reserve", _NO_RESERVE))
        if reserve != _NO_RESERVE:
            reserve &= 0xFF
            if secondary + reserve <= MAX_BUS:
                last = max(last, secondary + reserve)
        numbers[2] = last
    return last


def probe(hardware: Hardware, routing: Routing) -> dict[int, list[Part]]:
    """Return what is found on each bus number, in ascending order of the numbers."""
    buses: dict[int, PciBus] = {0: hardware.root}
    if hardware.extra:
        for number in range(1, 256):
            bus = routing.find(number)
            if bus is not None:
                buses[number] = bus
    else:
        for part, numbers in routing.numbers.items():
            if part.behind is not None:
                buses[numbers[1]] = part.behind
    return {number: found_on(buses[number]) for number in sorted(buses)}
