"""Bus numbers: which number each bridge's bus gets, and how far its range goes.

Depth first, on each bus by slot and function: a bridge gets the next number, then everything below
it, then its next sibling.  SeaBIOS and OVMF agree on that, and Linux keeps what they gave; they differ in
what they make of ``bus-reserve``, and where numbers run out: SeaBIOS counts on over those of expanders; to OVMF
each root bus has the numbers up to the next one's, and beyond them it stops with that root bus.

Source: firmware rule 2, measured with SeaBIOS 1.16.2, and with OVMF 2022.11, 2025.02 and 2026.08.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pcisim.address import MAX_BUS
from pcisim.catalogue.bridges import PORT, RESERVES_READ
from pcisim.enumeration.view import Numbers
from pcisim.qemu.functions import Hardware, PciBus, QemuFunction

UNNUMBERED = Numbers(0, 0, 0)

_NO_RESERVE = 0xFFFFFFFF
Reserve = Callable[[QemuFunction, int, int], int]
"""What a firmware makes of ``bus-reserve``: from a bridge, its secondary number and the last number given below it
to its subordinate number, from which numbering goes on."""


class Numbering(NamedTuple):
    """How a firmware hands out bus numbers.

    Args:
        reserve: what it makes of ``bus-reserve``.
        ranges: whether each root bus has the numbers up to the next one's, and no more.
    """

    reserve: Reserve
    ranges: bool


def seabios_reserve(part: QemuFunction, secondary: int, last: int) -> int:
    """Return the subordinate number of a bridge, which may be less than the numbers below it.

    Where a bridge below took all numbers back, SeaBIOS takes 0 for settled and asks no further.
    """
    reserve = _bus_reserve(part) if part.driver in RESERVES_READ and last else None
    if reserve is None:
        return last
    if secondary + reserve > MAX_BUS:
        reserve = 0
    return secondary + reserve if secondary + reserve > last else reserve


def ovmf_reserve(part: QemuFunction, secondary: int, last: int) -> int:
    """Return the subordinate number of a bridge, which is never less than the numbers below it."""
    reserve = _bus_reserve(part)
    if reserve is None or secondary + reserve > MAX_BUS:
        return last
    return max(last, secondary + reserve)


def _bus_reserve(part: QemuFunction) -> int | None:
    """Return how many numbers a bridge asks for, of which a firmware reads 8 bits; ``None`` where nothing is said."""
    reserve = int(part.options.get("bus-reserve", _NO_RESERVE))
    return None if reserve == _NO_RESERVE else reserve & 0xFF


def found_on(bus: PciBus) -> list[QemuFunction]:
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
    firmware sees behind an expander whose number is too low, or behind a bridge with ``bus-reserve``.
    """

    def __init__(self, hardware: Hardware) -> None:
        self.root = hardware.root
        self.unique = not hardware.extra and not any("bus-reserve" in part.options for part in hardware.parts())
        """Whether no two buses can claim one number, so that the bus behind a bridge answers to the bridge's number."""
        self.numbers: dict[QemuFunction, list[int]] = {}
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
            start: where to look from, by default the root bus of the machine.
        """
        bus = start or self.root
        if self.number_of(bus) == number:
            return bus
        if bus.parent is not None and not self._in_range(bus.parent, number):
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

    def _in_range(self, part: QemuFunction, number: int) -> bool:
        numbers = self.numbers.get(part)
        return numbers is not None and numbers[1] <= number <= numbers[2]


class NumberingError(Exception):
    """A firmware that does not come to an end with the numbers; the text says why."""


def number_buses(hardware: Hardware, rules: Numbering) -> tuple[Routing, dict[QemuFunction, int], str]:
    """Give every bridge its numbers.

    Args:
        hardware: the machine.
        rules: how the firmware does it.

    Returns:
        The numbers; the bus number of every function that was found, as far as a firmware comes that stops in
        order; and why it does not come to an end, "" when it does.
    """
    if rules.ranges and hardware.extra:
        ranges = _Ranges(Routing(hardware), rules.reserve)
        reason = ranges.run(hardware)
        return ranges.routing, ranges.found, reason
    numbering = _Numbering(Routing(hardware), rules.reserve)
    try:
        numbering.run(hardware)
    except NumberingError as error:
        return numbering.routing, {}, str(error)
    return numbering.routing, {}, ""


class _Ranges:
    """One pass of a firmware over all root buses, each of which has its own range of numbers."""

    def __init__(self, routing: Routing, reserve: Reserve) -> None:
        self.routing = routing
        self.reserve = reserve
        self.limit = MAX_BUS
        """The highest number of the root bus at hand."""
        self.found: dict[QemuFunction, int] = {}

    def run(self, hardware: Hardware) -> str:
        """Number what is below each root bus; return why one of them has too few numbers.

        A root bus on which nothing is found is not known to the firmware, and takes no numbers.
        """
        known = [bus for bus in hardware.extra if bus.number and found_on(bus)]
        roots = sorted((hardware.root, *known), key=lambda bus: bus.number)
        reason = ""
        for bus, following in zip(roots, [*roots[1:], None]):
            self.limit = MAX_BUS if following is None else following.number - 1
            try:
                self._descend(bus, bus.number, bus.number)
            except NumberingError:
                what = "there are more buses than bus numbers (256)"
                if following is not None:
                    what = f"bus number {following.number} of an expander is also given out below bus {bus.number}"
                reason = reason or what
        return reason

    def _descend(self, bus: PciBus, number: int, last: int) -> int:
        """Number everything below a bus; return the last number given.

        Raises:
            NumberingError: there are too few; the bridges on the way keep the whole range, those to come have none.
        """
        numbers = self.routing.numbers
        for part in found_on(bus):
            self.found[part] = number
            if part.behind is None:
                continue
            if last == self.limit:
                if last == MAX_BUS:
                    numbers[part] = [number, 0, 0]
                raise NumberingError
            secondary = last + 1
            numbers[part] = [number, secondary, self.limit]
            last = self.reserve(part, secondary, self._descend(part.behind, secondary, secondary))
            if last > self.limit:
                raise NumberingError
            numbers[part][2] = last
        return last


class _Numbering:
    """One pass of a firmware over all buses."""

    def __init__(self, routing: Routing, reserve: Reserve) -> None:
        self.routing = routing
        self.reserve = reserve
        self.entered: set[int] = set()
        """The numbers of the buses on the way down to the current one."""

    def run(self, hardware: Hardware) -> None:
        """Number what is below the root bus, then what is below those of expanders, which are looked for one by one."""
        last = self._enter(0, 0, hardware.root)
        done: set[int] = set()
        while hardware.extra and last < MAX_BUS:
            if last in done:
                raise NumberingError("bus-reserve takes numbers back, and the firmware scans the same buses forever")
            done.add(last)
            last = self._enter(last + 1, last + 1)

    def _enter(self, number: int, last: int, bus: PciBus | None = None) -> int:
        """Number everything below a bus, by default the one that answers to a number; return the last number given."""
        if bus is None or not self.routing.unique:
            bus = self.routing.find(number)
        if bus is None:
            return last
        if number in self.entered:
            raise NumberingError(f"bus-reserve gives number {number} to a bus and to one below it")
        self.entered.add(number)
        last = self._descend(bus, number, last)
        self.entered.remove(number)
        return last

    def _descend(self, bus: PciBus, number: int, last: int) -> int:
        numbers = self.routing.numbers
        bridges = [part for part in found_on(bus) if part.behind is not None]
        for part in bridges:
            numbers[part] = [0, MAX_BUS, 0]
        for part in bridges:
            if last == MAX_BUS:
                raise NumberingError("there are more buses than bus numbers (256)")
            secondary = last + 1
            numbers[part] = [number, secondary, MAX_BUS]
            last = self.reserve(part, secondary, self._enter(secondary, secondary, part.behind))
            numbers[part][2] = last
        return last


def probe(hardware: Hardware, routing: Routing) -> dict[int, list[QemuFunction]]:
    """Return what is found on each bus number, in ascending order of the numbers."""
    buses: dict[int, PciBus] = {0: hardware.root}
    if not routing.unique:
        for number in range(1, 256):
            bus = routing.find(number)
            if bus is not None:
                buses[number] = bus
    else:
        for part, numbers in routing.numbers.items():
            if part.behind is not None:
                buses[numbers[1]] = part.behind
    return {number: found_on(buses[number]) for number in sorted(buses)}
