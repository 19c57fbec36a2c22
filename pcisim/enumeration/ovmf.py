"""What OVMF makes of the buses: windows of bridges and addresses of BARs.

Each bridge asks for what is behind it or for what hotplug wants, whichever is more.  Where the room
of a root bus does not do, OVMF takes away, one after the other, the largest request behind a bridge:
what hotplug wanted of a bridge (all its windows), or a device (all its BARs).  It always boots.

Source: firmware rules 4.1 to 4.5.
"""

from __future__ import annotations

from collections.abc import Iterator

from pcisim.catalogue.bars import IO as IO_BAR
from pcisim.catalogue.bars import MEM32
from pcisim.catalogue.bridges import PORT
from pcisim.catalogue.profiles import Ovmf, Profile
from pcisim.enumeration.firmware_result import IO, MEMORY, PREFETCH, FirmwareResult, up
from pcisim.enumeration.numbers import Routing
from pcisim.qemu.functions import Hardware, QemuFunction, has_hotplug_controller

PORTS, MEM, PMEM, MEM_64, PMEM_64 = range(5)
"""The five kinds of requests that OVMF keeps apart."""
POOLS = (PORTS, MEM, MEM_64)
"""What is left of them on a root bus, whose prefetchable memory is no different from other memory."""
WINDOW_OF = (IO, MEMORY, PREFETCH, MEMORY, PREFETCH)
"""The window of a bridge that each of them goes through."""
GRANULARITY = (0x1000, 0x100000, 0x100000, 0x100000, 0x100000)

LEAST_BAR = 0x1000
"""Memory BARs smaller than this take as much."""
RESERVE = (("io-reserve", PORTS), ("mem-reserve", MEM), ("pref32-reserve", PMEM), ("pref64-reserve", PMEM_64))
_UNSET = (1 << 64) - 1


class Request:
    """One BAR, one bridge's window, or what hotplug wants.

    Args:
        part: whose it is.
        bar: the index of the BAR; of a window its kind; -1 otherwise.
        length: in bytes.
        align: a power of two.
        hotplug: whether nothing is there yet that needs it.
        inside: of a window, the requests that it forwards.
    """

    __slots__ = ("align", "bar", "hotplug", "inside", "length", "offset", "part")

    def __init__(
        self,
        part: QemuFunction | None,
        bar: int,
        length: int,
        align: int,
        *,
        hotplug: bool = False,
        inside: bool = False,
    ) -> None:
        self.part = part
        self.bar = bar
        self.length = length
        self.align = align
        self.hotplug = hotplug
        self.inside: list[Request] | None = [] if inside else None
        self.offset = 0

    def insert(self, request: Request) -> None:
        """Put a request among those inside: large alignments first, of equal ones the last comer."""
        assert self.inside is not None
        rest = request.length & request.align - 1
        place = len(self.inside)
        for number, other in enumerate(self.inside):
            if request.align > other.align or (
                request.align == other.align and (not rest or rest >= other.length & other.align - 1)
            ):
                place = number
                break
        self.inside.insert(place, request)

    def absorb(self, other: Request) -> None:
        """Take over what is inside another window."""
        assert other.inside is not None
        for request in other.inside:
            self.insert(request)
        other.inside = []

    def lay_out(self) -> None:
        """Give each request inside its offset, and the window its length and alignment."""
        assert self.inside is not None
        ends = [0, 0]
        for request in self.inside:
            request.offset = up(ends[request.hotplug], request.align)
            ends[request.hotplug] = request.offset + request.length
        self.length = max(up(ends[0], self.align), ends[1])
        if self.inside:
            self.align = max(self.align, self.inside[0].align)


def ovmf(
    hardware: Hardware, buses: dict[int, list[QemuFunction]], programmed: FirmwareResult, profile: Profile
) -> FirmwareResult:
    """Return what OVMF writes into the functions of a machine.

    Args:
        hardware: the machine.
        buses: what is found on each bus number.
        programmed: the bus numbers, and nothing else yet.
        profile: which version it is.
    """
    routing, found = programmed.routing, programmed.found
    clash = _clash(hardware, routing, found)
    if clash:
        return FirmwareResult(routing, found, {}, {}, False, clash)
    if not _Allocation(hardware, routing, buses, programmed, profile.ovmf).run():
        return FirmwareResult(
            routing, found, {}, {}, False, "OVMF does not get by with the room, and programs no window"
        )
    return programmed


def _clash(hardware: Hardware, routing: Routing, found: dict[QemuFunction, int]) -> str:
    """Return which bus numbers overlap; with such OVMF never reaches boot."""
    starts = sorted(bus.number for bus in hardware.extra)
    for bus in (hardware.root, *hardware.extra):
        ends = [routing.numbers[part][2] for part in bus.parts.values() if part in routing.numbers]
        last = max(ends, default=bus.number)
        over = next((start for start in starts if bus.number < start <= last), None)
        if over is not None:
            return f"bus number {over} of an expander is also given out below bus {bus.number}"
    missing = any(part.behind is not None and part not in routing.numbers for part in found)
    return "a bridge has no bus number" if missing else ""


class _Allocation:
    """All root buses' requests, and the room there is for them."""

    def __init__(
        self,
        hardware: Hardware,
        routing: Routing,
        buses: dict[int, list[QemuFunction]],
        programmed: FirmwareResult,
        rules: Ovmf,
    ) -> None:
        self.rules = rules
        self.buses = buses
        self.routing = routing
        self.programmed = programmed
        self.roots = sorted({0, *(bus.number for bus in hardware.extra)})
        self.rooms = {
            PORTS: rules.io_room_of[hardware.family],
            MEM: rules.memory_room[hardware.family],
            MEM_64: rules.high_room,
        }
        self.rejected: set[QemuFunction] = set()
        """Devices that go without."""
        self.without_hotplug: set[QemuFunction] = set()
        """Bridges from which what hotplug wants was taken away."""

    def run(self) -> bool:
        """Hand the room out; return whether OVMF came to an end with it."""
        while True:
            trees = [self._root(number) for number in self.roots]
            short = next((pool for pool in POOLS if not all(self._try(trees, pool))), None)
            if short is None:
                break
            if not self._make_fit(trees, short):
                return False
        for tree in trees:
            for pool in POOLS:
                self._write(tree[pool], 0)
        return True

    def _make_fit(self, trees: list[list[Request]], pool: int) -> bool:
        """Take requests of one kind away until the others fit; return whether that was possible.

        OVMF takes something away only if the last root bus that asked for the kind went without; where
        an earlier one did, it gives up.
        """
        found = [way for tree in reversed(trees) for way in _behind_bridges(tree[pool])]
        found.reverse()
        found.sort(key=lambda way: -way[-1].length)  # the largest first, of equal ones the last
        for *windows, request in found:
            states = self._try(trees, pool)
            if all(states):
                return True
            if states[-1]:
                return False
            given_up = self.without_hotplug if request.hotplug else self.rejected
            if request.part is not None and request.part not in given_up:
                given_up.add(request.part)
                _drop(request, windows)
        return all(self._try(trees, pool))

    def _try(self, trees: list[list[Request]], pool: int) -> list[bool]:
        """Give each root bus its part of the room; return who got one, of those that asked."""
        start, end = self.rooms[pool]
        states = []
        for tree in trees:
            request = tree[pool]
            if not request.length:
                continue
            request.offset = up(start, request.align)
            states.append(request.offset + request.length <= end)
            if states[-1]:
                start = request.offset + request.length
        return states

    def _root(self, number: int) -> list[Request]:
        tree = [Request(None, -1, 0, granularity, inside=True) for granularity in GRANULARITY]
        if number == self.roots[0]:
            rom = max((part.row.rom for part in self.programmed.found if part.row), default=0)
            if rom:
                tree[MEM].insert(Request(None, -1, rom, rom))
        self._fill(tree, number)
        tree[MEM].absorb(tree[PMEM])
        tree[MEM_64].absorb(tree[PMEM_64])
        for request in tree:
            request.lay_out()
        return tree

    def _fill(self, tree: list[Request], number: int) -> None:
        """Add everything on a bus, bridges with what is behind them included."""
        for part in self.buses.get(number, ()):
            if part not in self.rejected:
                for kind, request in _bars(part):
                    tree[kind].insert(request)
            if part.behind is None:
                continue
            windows = [Request(part, WINDOW_OF[kind], 0, size, inside=True) for kind, size in enumerate(GRANULARITY)]
            self._fill(windows, self.routing.numbers[part][1])
            if part not in self.without_hotplug:
                for kind, size in hotplug_wants(part, self.rules):
                    windows[kind].insert(Request(part, -1, size, size, hotplug=True))
            windows[MEM].absorb(windows[MEM_64])  # a bridge forwards 64-bit addresses only if they are prefetchable
            if windows[PMEM].inside:
                windows[PMEM].absorb(windows[PMEM_64])
            for kind, window in enumerate(windows):
                if window.inside:
                    window.lay_out()
                    tree[kind].insert(window)

    def _write(self, request: Request, base: int) -> None:
        base += request.offset
        if request.inside is None:
            if request.part is not None and request.bar >= 0:
                self.programmed.bars.setdefault(request.part, {})[request.bar] = base
            return
        for inner in request.inside:
            if not inner.hotplug:
                self._write(inner, base)
        if request.part is not None:
            grain = GRANULARITY[request.bar]
            self.programmed.open_window(request.part, request.bar, base, up(request.length, grain))


def _behind_bridges(*way: Request) -> Iterator[tuple[Request, ...]]:
    """Yield every request behind a bridge of a root bus, at the end of the windows that lead to it."""
    for request in way[-1].inside or ():
        if request.inside is not None:
            yield from _behind_bridges(*way, request)
        elif len(way) > 1:
            yield (*way, request)


def _drop(gone: Request, windows: list[Request]) -> None:
    """Take out of a window all that one function asks for, of the same sort, and windows that become empty."""
    out = [request for request in windows[-1].inside or () if request.inside is None]
    out = [request for request in out if request.part is gone.part and request.hotplug == gone.hotplug]
    for window in reversed(windows):
        window.inside = [request for request in window.inside or () if request not in out]
        window.lay_out()
        out = [] if window.inside else [window]


def _bars(part: QemuFunction) -> Iterator[tuple[int, Request]]:
    if part.row is None:
        return
    for bar in part.row.bars:
        if bar.kind == IO_BAR:
            kind = PORTS
        elif bar.kind == MEM32:
            kind = PMEM if bar.prefetchable else MEM
        else:
            kind = PMEM_64 if bar.prefetchable else MEM_64
        size = bar.size if kind == PORTS else max(bar.size, LEAST_BAR)
        yield kind, Request(part, bar.number, size, size)


def hotplug_wants(part: QemuFunction, rules: Ovmf) -> Iterator[tuple[int, int]]:
    """Yield the kinds and sizes of windows that a bridge wants for devices to come."""
    port = part.behind is not None and part.behind.kind == PORT and part.options.get("hotplug") != "off"
    controller = has_hotplug_controller(part)
    if not port and not controller:
        return
    wants = {PORTS: rules.hotplug_io, MEM: rules.hotplug_memory, PMEM_64: rules.hotplug_prefetch}
    for option, kind in RESERVE:
        size = int(part.options.get(option, _UNSET))
        if size != _UNSET:
            if kind == PMEM:
                del wants[PMEM_64]
            wants[kind] = 1 << (size - 1).bit_length() if size else 0
    yield from ((kind, size) for kind, size in wants.items() if size)
