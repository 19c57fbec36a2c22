"""What OVMF makes of the buses: windows of bridges and addresses of BARs.

Each bridge asks for what is behind it or for what hotplug wants, whichever is more.  Where the room
of a root bus does not do, OVMF takes away, round by round, the largest request behind a bridge:
what hotplug wanted of a bridge (all its windows), or a device (all its BARs).

Source: firmware rules 4.1 to 4.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter

from pcisim.catalogue.bars import IO as IO_BAR
from pcisim.catalogue.bars import MEM32
from pcisim.catalogue.bridges import PORT
from pcisim.catalogue.profiles import Ovmf, Profile
from pcisim.enumeration.firmware_result import IO, MEMORY, PREFETCH, FirmwareResult
from pcisim.enumeration.numbers import Routing
from pcisim.qemu.functions import Hardware, QemuFunction, has_hotplug_controller
from pcisim.qemu.ram import HIGH_MEMORY, below_4g, up

PORTS, MEM, PMEM, MEM_64, PMEM_64 = range(5)
"""The five kinds of requests that OVMF keeps apart."""
POOLS = (PORTS, MEM, MEM_64)
"""What is left of them on a root bus, whose prefetchable memory is no different from other memory."""
WINDOW_OF = (IO, MEMORY, PREFETCH, MEMORY, PREFETCH)
"""The window of a bridge that each of them goes through."""
GRANULARITY = (0x1000, 0x100000, 0x100000, 0x100000, 0x100000)

LEAST_ALIGNMENT = 0x1000
"""What memory BARs are aligned to that are smaller."""
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
        window: whether it forwards other requests.
    """

    __slots__ = ("align", "bar", "by_align", "hotplug", "length", "offset", "part")

    def __init__(
        self,
        part: QemuFunction | None,
        bar: int,
        length: int,
        align: int,
        *,
        hotplug: bool = False,
        window: bool = False,
    ) -> None:
        self.part = part
        self.bar = bar
        self.length = length
        self.align = align
        self.hotplug = hotplug
        self.by_align: dict[int, list[Request]] | None = {} if window else None
        """Of a window the requests inside, by alignment, the first one last."""
        self.offset = 0

    def insert(self, request: Request) -> None:
        """Put a request among those inside: large alignments first, of equal ones the last comer.

        One that does not end at its alignment comes after those that end further beyond theirs.
        """
        assert self.by_align is not None
        group = self.by_align.setdefault(request.align, [])
        below = request.align - 1
        rest = request.length & below
        place = len(group)
        while rest and place and group[place - 1].length & below > rest:
            place -= 1
        group.insert(place, request)

    @property
    def inside(self) -> list[Request]:
        """Return the requests that a window forwards, in order."""
        by_align = self.by_align or {}
        return [request for align in sorted(by_align, reverse=True) for request in reversed(by_align[align])]

    def absorb(self, other: Request) -> None:
        """Take over what is inside another window."""
        for request in other.inside:
            self.insert(request)
        other.by_align = {}

    def lay_out(self) -> None:
        """Give each request inside its offset, and the window its length and alignment."""
        if not self.by_align:
            return
        ends = [0, 0]
        for request in self.inside:
            request.offset = up(ends[request.hotplug], request.align)
            ends[request.hotplug] = request.offset + request.length
        reserved = ends[1] if self.bar == IO else up(ends[1], self.align)
        self.length = max(up(ends[0], self.align), reserved)
        self.align = max(self.align, *self.by_align)


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
    if not _Allocation(hardware, routing, buses, programmed, profile).run():
        return FirmwareResult(
            routing, found, {}, {}, False, "OVMF does not get by with the room, and programs no window"
        )
    return programmed


class _Allocation:
    """All root buses' requests, and the room there is for them."""

    def __init__(
        self,
        hardware: Hardware,
        routing: Routing,
        buses: dict[int, list[QemuFunction]],
        programmed: FirmwareResult,
        profile: Profile,
    ) -> None:
        rules = self.rules = profile.ovmf
        self.buses = buses
        self.routing = routing
        self.programmed = programmed
        self.roots = sorted({0, *(bus.number for bus in hardware.extra)})
        start, end = rules.memory_room[hardware.family]
        free = HIGH_MEMORY - below_4g(hardware.ram, hardware.family, profile.qemu)
        start = max(start, HIGH_MEMORY - (1 << free.bit_length() - 1))
        self.rooms = {
            PORTS: rules.io_room_of[hardware.family],
            MEM: (start, end),
            MEM_64: rules.high_room,
        }
        self.rejected: set[QemuFunction] = set()
        """Devices that go without."""
        self.without_hotplug: set[QemuFunction] = set()
        """Bridges from which what hotplug wants was taken away."""
        self.expected: set[tuple[int, int]] = set()
        """Root buses and kinds that OVMF goes on to hand out, even if they ask for nothing any more."""

    def run(self) -> bool:
        """Hand the room out; return whether OVMF came to an end with it."""
        while True:
            trees = [self._root(number) for number in self.roots]
            if any(tree[MEM].length >= HIGH_MEMORY for tree in trees):
                return False
            states = self._place(trees)
            if all(states.values()):
                break
            # of the root buses that asked for a kind, OVMF remembers how the last one fared
            served = {pool: state for (_, pool), state in sorted(states.items())}
            taken_away = [self._reject(trees, pool) for pool in POOLS if not served.get(pool, True)]
            if not any(taken_away):
                return False
        for tree in trees:
            for pool in POOLS:
                self._write(tree[pool], 0)
        return True

    def _place(self, trees: list[list[Request]]) -> dict[tuple[int, int], bool]:
        """Give each root bus its part of the room; return who got it, by root bus and kind.

        A root bus that asks for memory no longer, or for I/O no longer that it did not get, counts as one whose
        request is never met.
        """
        taken: dict[int, list[tuple[int, int]]] = {pool: [] for pool in POOLS}
        states: dict[tuple[int, int], bool] = {}
        for root, tree in enumerate(trees):
            for pool in sorted(POOLS, key=lambda pool: (tree[pool].align, pool), reverse=True):
                request = tree[pool]
                if request.length:
                    fits = self._fit(request, pool, taken) or (pool == MEM_64 and self._fit(request, MEM, taken))
                    states[root, pool] = fits
                    if pool == PORTS and fits:
                        self.expected.discard((root, pool))
                    else:
                        self.expected.add((root, pool))
                elif (root, pool) in self.expected:
                    states[root, pool] = False
        return states

    def _fit(self, request: Request, pool: int, taken: dict[int, list[tuple[int, int]]]) -> bool:
        """Put a request into the first gap of a room that is large enough; return whether there is one."""
        start, end = self.rooms[pool]
        address = up(start, request.align)
        for low, high in sorted(taken[pool]):
            if address + request.length <= low:
                break
            address = max(address, up(high, request.align))
        if address + request.length > end:
            return False
        request.offset = address
        taken[pool].append((address, address + request.length))
        return True

    def _reject(self, trees: list[list[Request]], pool: int) -> bool:
        """Take away what asks for most of a kind; return whether there was anything to take."""
        roots = Request(None, -1, 0, 1, window=True)
        for tree in trees:
            if tree[pool].length:
                roots.insert(tree[pool])
        requests = [request for root in roots.inside for request in _behind_bridges(root)]
        if not requests:
            return False
        part = max(reversed(requests), key=attrgetter("length")).part
        given_up = self.rejected if part is None or part.behind is None else self.without_hotplug
        if part is None or part in given_up:
            return False
        given_up.add(part)
        return True

    def _root(self, number: int) -> list[Request]:
        tree = [Request(None, -1, 0, granularity, window=True) for granularity in GRANULARITY]
        rom = self._rom(number)
        if rom:
            tree[MEM].insert(Request(None, -1, rom, rom))
        self._fill(tree, number)
        tree[MEM].absorb(tree[PMEM])
        tree[MEM_64].absorb(tree[PMEM_64])
        for request in tree:
            request.lay_out()
        return tree

    def _rom(self, number: int) -> int:
        """Return the size of the largest option ROM on a bus and below."""
        size = 0
        for part in self.buses.get(number, ()):
            if part.row is not None and part not in self.rejected:
                size = max(size, part.row.rom)
            if part.behind is not None:
                size = max(size, self._rom(self.routing.numbers[part][1]))
        return size

    def _fill(self, tree: list[Request], number: int) -> None:
        """Add everything on a bus, bridges with what is behind them included."""
        for part in self.buses.get(number, ()):
            if part not in self.rejected:
                for kind, request in _bars(part):
                    tree[kind].insert(request)
            if part.behind is None:
                continue
            windows = [Request(part, WINDOW_OF[kind], 0, size, window=True) for kind, size in enumerate(GRANULARITY)]
            self._fill(windows, self.routing.numbers[part][1])
            if part not in self.without_hotplug:
                for kind, size in hotplug_wants(part, self.rules):
                    windows[kind].insert(Request(part, -1, size, size, hotplug=True))
            windows[MEM].absorb(windows[MEM_64])  # a bridge forwards 64-bit addresses only if they are prefetchable
            if windows[PMEM_64].by_align:
                windows[MEM].absorb(windows[PMEM])
            for kind, window in enumerate(windows):
                if window.by_align:
                    window.lay_out()
                    tree[kind].insert(window)

    def _write(self, request: Request, base: int) -> None:
        base += request.offset
        if request.by_align is None:
            if request.part is not None and request.bar >= 0:
                self.programmed.bars.setdefault(request.part, {})[request.bar] = base
            return
        for inner in request.inside:
            if not inner.hotplug:
                self._write(inner, base)
        if request.part is not None:
            grain = GRANULARITY[request.bar]
            self.programmed.open_window(request.part, request.bar, base, up(request.length, grain))


def _behind_bridges(root: Request) -> Iterator[Request]:
    """Yield every request behind a bridge of a root bus."""
    for request in root.inside:
        if request.by_align is not None:
            yield from _leaves(request)


def _leaves(window: Request) -> Iterator[Request]:
    for request in window.inside:
        if request.by_align is not None:
            yield from _leaves(request)
        else:
            yield request


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
        yield kind, Request(part, bar.number, bar.size, bar.size if kind == PORTS else max(bar.size, LEAST_ALIGNMENT))


def hotplug_wants(part: QemuFunction, rules: Ovmf) -> Iterator[tuple[int, int]]:
    """Yield the kinds and sizes of windows that a bridge wants for devices to come."""
    port = part.behind is not None and part.behind.kind == PORT and part.options.get("hotplug") != "off"
    controller = has_hotplug_controller(part)
    if not port and not controller:
        return
    wants = {PORTS: rules.hotplug_io, MEM: rules.hotplug_memory, PMEM_64: rules.hotplug_prefetch}
    for option, kind in RESERVE:
        size = int(part.options.get(option, _UNSET))
        if size == _UNSET or (not size and kind in (PMEM, PMEM_64)):
            continue
        if kind == PMEM:
            del wants[PMEM_64]
        wants[kind] = 1 << (size - 1).bit_length() if size else 0
    yield from ((kind, size) for kind, size in wants.items() if size)
