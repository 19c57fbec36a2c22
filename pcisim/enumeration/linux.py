"""What Linux adds to what the firmware did: which functions it finds, and the windows it gives to ports.

Linux keeps the firmware's bus numbers, BARs and windows.  A port that can take a device while the
guest runs and has no I/O window gets one of 4 KiB, as far as the room goes: if there is enough for
all, in the order of their addresses; otherwise from the last port backwards.

Source: firmware rules 1.5, 1.6, 5.1 and 5.2.
"""

from __future__ import annotations

from pcisim.catalogue.bridges import DOWNSTREAM_PORTS, PORT, ROOT
from pcisim.catalogue.profiles import WINDOW, Linux
from pcisim.enumeration.firmware_result import IO, FirmwareResult
from pcisim.enumeration.numbers import found_on
from pcisim.qemu.functions import Hardware, PciBus, QemuFunction

LEAST_MEMORY = 16
"""The least size of a memory BAR, whose lowest bits say of what kind it is."""

IDE = 0x0101
"""The class of IDE controllers, which have their ports where they always had them:"""
IDE_PORTS = ((0x1F0, 8), (0x3F6, 1), (0x170, 8), (0x376, 1))
"""the first port and how many there are, for each of two channels and its control."""


def sees(bus: PciBus) -> list[QemuFunction]:
    """Return what Linux finds on a bus: behind a port it looks at slot 0 only."""
    found = found_on(bus)
    return [part for part in found if not part.slot] if bus.kind == PORT else found


def scan(hardware: Hardware, programmed: FirmwareResult) -> dict[QemuFunction, int]:
    """Return the bus number of every function that Linux finds, in the order in which it looks."""
    routing = programmed.routing
    seen: dict[QemuFunction, int] = {}
    done: set[int] = set()

    def look(number: int, direct: PciBus | None) -> None:
        bus = direct if routing.unique else routing.find(number)
        if bus is None or number in done:
            return
        done.add(number)
        for part in sees(bus):
            if part in seen:
                continue
            seen[part] = number
            numbers = routing.numbers.get(part)
            if numbers and numbers[1]:
                look(numbers[1], part.behind)

    for bus in (hardware.root, *sorted(hardware.extra, key=lambda extra: extra.number)):
        look(bus.number, bus)
    return seen


def switched_off(
    hardware: Hardware, seen: dict[QemuFunction, int], *, tables: bool
) -> dict[QemuFunction, QemuFunction]:
    """Return what is behind ports that Linux switches off as it starts, each with its port.

    Where ACPI handles hotplug, QEMU's ports do not say that their slot is in use.  Linux does not ask them
    there, but without ACPI tables it does: it takes the slot for empty, and takes its power away.

    Args:
        hardware: the machine.
        seen: what Linux finds, a bridge before what is behind it.
        tables: whether the guest has ACPI tables, from QEMU or from its firmware.
    """
    off: dict[QemuFunction, QemuFunction] = {}
    if tables or hardware.family != "q35" or not hardware.acpi_bridges:
        return off
    handled = {hardware.root}
    for part in seen:
        above = part.bus.parent
        if above is not None and above in off:
            off[part] = off[above]
        elif above is not None and part.bus in handled and part.bus.kind == PORT:
            off[part] = above
        if part.behind is not None and part.bus in handled and part.options.get("hotplug") != "off":
            handled.add(part.behind)
    return off


def panics(seen: dict[QemuFunction, int]) -> str:
    """Return why Linux stops with a kernel panic; "" when it does not."""
    for part in seen:
        if part.driver in DOWNSTREAM_PORTS and part.bus.kind == ROOT and part.behind is not None:
            behind = part.behind.parts.values()
            if any(child in seen for child in behind):
                return f"{part.label or part.driver} is a downstream port without a switch: Linux panics"
    return ""


def io_windows(
    hardware: Hardware, programmed: FirmwareResult, seen: dict[QemuFunction, int], rules: Linux
) -> dict[QemuFunction, tuple[int, int]]:
    """Return base and size of the I/O windows that Linux adds."""
    return _Assignment(hardware, programmed, seen, rules).run()


class _Assignment:
    """One pass of Linux over the root bus: sizes first, then from the root down."""

    def __init__(
        self, hardware: Hardware, programmed: FirmwareResult, seen: dict[QemuFunction, int], rules: Linux
    ) -> None:
        self.rules = rules
        self.hardware = hardware
        self.programmed = programmed
        self.wanted: dict[QemuFunction, int] = {}
        """What a bridge without a window would like, in the order in which it was found out."""
        self.below: dict[PciBus, list[QemuFunction]] = {}
        """The bridges on each bus, by slot and function."""
        for part in seen:
            if part.behind is not None:
                self.below.setdefault(part.bus, []).append(part)
        self.given: dict[QemuFunction, tuple[int, int]] = {}

    def run(self) -> dict[QemuFunction, tuple[int, int]]:
        for bus in (self.hardware.root, *self.hardware.extra):
            self._size(bus)
        if self.wanted:
            self._assign(self.hardware.root, self.rules.io_start, self.rules.io_end)
            for bus in self.hardware.extra:
                for part in self.below.get(bus, ()):
                    self._descend(part)
        return self.given

    def _window(self, part: QemuFunction) -> tuple[int, int] | None:
        return self.programmed.window(part, IO) or self.given.get(part)

    def _size(self, bus: PciBus) -> int:
        """Find out what the bridges on a bus would like; return the sum of those without a window."""
        total = 0
        for part in self.below.get(bus, ()):
            behind = part.behind
            assert behind is not None
            below = self._size(behind)
            if self._window(part):
                continue
            own = WINDOW if behind.kind == PORT and part.options.get("hotplug") != "off" else 0
            if own + below:
                self.wanted[part] = own + below
                total += own + below
        return total

    def _assign(self, bus: PciBus, start: int, end: int) -> None:
        wanting = [part for part in self.below.get(bus, ()) if part in self.wanted]
        if wanting:
            free = self._free(bus, start, end)
            if not self._place(wanting, list(free)):
                for part in wanting[::-1]:
                    if not self._place([part], free) and self.wanted[part] == WINDOW:
                        break  # no smaller one will come
        for part in self.below.get(bus, ()):
            self._descend(part)

    def _descend(self, part: QemuFunction) -> None:
        window = self._window(part)
        if part.behind is not None:
            base, size = window or (0, 0)
            self._assign(part.behind, base, base + size)

    def _place(self, parts: list[QemuFunction], free: list[tuple[int, int]]) -> bool:
        """Give every part a window out of what is free, or none; the first that fits."""
        given: dict[QemuFunction, tuple[int, int]] = {}
        for part in parts:
            size = self.wanted[part]
            for number, (start, end) in enumerate(free):
                base = (start + WINDOW - 1) & -WINDOW
                if base + size <= end:
                    free[number : number + 1] = [(start, base), (base + size, end)]
                    given[part] = base, size
                    break
            else:
                return False
        self.given |= given
        return True

    def _free(self, bus: PciBus, start: int, end: int) -> list[tuple[int, int]]:
        """Return the gaps between what is placed on a bus."""
        taken = list(self.rules.reserved_ports[self.hardware.family]) if bus is self.hardware.root else []
        buses = (bus, *self.hardware.extra) if bus is self.hardware.root else (bus,)
        for part in (part for one in buses for part in one.parts.values()):
            window = self._window(part) if part.behind is not None else None
            if window:
                taken.append((window[0], window[0] + window[1]))
            addresses = self.programmed.bars.get(part, {})
            for bar in part.row.bars if part.row else ():
                if bar.kind == "io" and bar.number in addresses:
                    taken.append((addresses[bar.number], addresses[bar.number] + bar.size))
        gaps = []
        for low, high in sorted(taken):
            if start < low:
                gaps.append((start, min(low, end)))
            start = max(start, high)
        return [*gaps, (start, end)] if start < end else gaps
