"""What SeaBIOS makes of the buses: windows of bridges, addresses of BARs, or no boot at all.

Each bus needs, for I/O, memory and prefetchable memory, the sum of what is on it; a bridge passes
its need on to its parent, aligned and at least as large as hotplug wants it.  The root bus hands the
room out: I/O from 0xc000 (or 0x1000), memory downwards from 0xfec00000.  Where that does not do,
64-bit memory moves above 4 GiB; where that does not do either, SeaBIOS stops.

Source: firmware rules 3.1 to 3.6.
"""

from __future__ import annotations

from operator import itemgetter

from pcisim.catalogue.bars import IO as IO_BAR
from pcisim.catalogue.bars import MEM64
from pcisim.catalogue.bridges import PORT, RESERVES_READ
from pcisim.catalogue.functions import PciFunction
from pcisim.catalogue.profiles import GIB, Profile, SeaBios
from pcisim.enumeration.firmware_result import IO, MEMORY, PREFETCH, FirmwareResult
from pcisim.enumeration.numbers import Routing
from pcisim.enumeration.view import ROM
from pcisim.qemu.functions import Hardware, QemuFunction, has_hotplug_controller
from pcisim.qemu.ram import below_4g, end_above_4g, up

LEAST_BAR = 0x1000
"""Memory BARs smaller than this take as much."""
RESERVE_OPTIONS = (("io-reserve",), ("mem-reserve",), ("pref32-reserve", "pref64-reserve"))
_UNSET = (1 << 64) - 1
_USB = 0x0C03

Entry = tuple[int, int, QemuFunction, int, bool]
"""Alignment, size, function, index of the BAR (-1: the window of a bridge), whether it is 64-bit."""


class Region:
    """What the functions of one bus need of one kind."""

    __slots__ = ("align", "base", "entries", "only_64bit", "total")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.align = 1
        self.total = 0
        self.base = 0
        self.only_64bit = True

    def add(self, entry: Entry) -> None:
        """Add a BAR or window."""
        self.entries.append(entry)
        self.total += entry[1]
        if entry[0] > self.align:
            self.align = entry[0]
        if not entry[4]:
            self.only_64bit = False

    def split_64bit(self) -> Region:
        """Move what can live above 4 GiB to a region of its own; USB controllers stay."""
        high, low = Region(), Region()
        for entry in self.entries:
            row = entry[2].row
            (high if entry[4] and not (row is not None and row.class_code == _USB) else low).add(entry)
        self.entries, self.align, self.total = low.entries, low.align, low.total
        return high


def seabios(
    hardware: Hardware, buses: dict[int, list[QemuFunction]], programmed: FirmwareResult, profile: Profile
) -> FirmwareResult:
    """Return what SeaBIOS writes into the functions of a machine.

    Args:
        hardware: the machine.
        buses: what is found on each bus number.
        programmed: the bus numbers, and nothing else yet.
        profile: which version it is, and of which QEMU.
    """
    rules = profile.seabios
    below = below_4g(hardware.ram, hardware.family, profile.qemu)
    above = max(0, hardware.ram.size - below) if hardware.wide else 0
    needs, bridges = _needs(buses, programmed.routing, rules, least_prefetch=rules.high_prefetch if above else 0)
    if not programmed.routing.unique:
        left = frozenset(part for part in programmed.found if part.behind is not None) - bridges
        programmed = programmed._replace(forgotten=left)
    root = needs[0]
    if root[IO].total < rules.io_small[1]:
        root[IO].base = rules.io_small[0]
    elif root[IO].total < rules.io_end[hardware.family] - rules.io_base:
        root[IO].base = rules.io_base
    else:
        return _stopped(programmed, "out of I/O address space")
    starts = rules.memory_start[hardware.family]
    start = next((start for start in starts if below <= start), below)
    if (above and rules.high_end) or not _settle(root, start, rules):
        high = [root[MEMORY].split_64bit(), root[PREFETCH].split_64bit()]
        if not _settle(root, start, rules):
            return _stopped(programmed, "out of 32bit address space")
        base = end_above_4g(hardware.ram, hardware.family, profile.qemu)
        if rules.high_end and hardware.wide:
            base = max(base, _high_base(high, rules, share=rules.high_share if above else GIB))
        for region, kind in zip(high, (MEMORY, PREFETCH)):
            region.base = up(up(base, region.align), GIB)
            base = region.base + region.total
            _map(region, kind, needs, programmed)
    for number in sorted(needs):
        for kind, region in enumerate(needs[number]):
            _map(region, kind, needs, programmed)
    for part in programmed.found:
        if part.driver in rules.fixed_ports:
            bars = programmed.bars[part]
            bars.update(dict.fromkeys(bars, rules.fixed_ports[part.driver]))
    return programmed


def _stopped(programmed: FirmwareResult, why: str) -> FirmwareResult:
    return programmed._replace(boots=False, reason=f"PCI: {why}", closes_windows=False)


def _high_base(high: list[Region], rules: SeaBios, *, share: int) -> int:
    """Return where 64-bit windows begin that are put at the end of the address space.

    The last GiBs of it are reserved for HyperTransport, so that they move down by their own size.
    """
    size = up(sum(up(region.total, GIB) for region in high), share)
    return rules.high_end - 2 * size


def _needs(
    buses: dict[int, list[QemuFunction]], routing: Routing, rules: SeaBios, *, least_prefetch: int
) -> tuple[dict[int, list[Region]], frozenset[QemuFunction]]:
    """Return what each bus needs, windows of the bridges on it included, and the bridges.

    Hotplug wants `least_prefetch` of 64-bit prefetchable memory, if that is more than usual.

    Everything on a root bus, also on those of expanders, counts for bus 0.  Of bridges with the same number only the
    last one counts.
    """
    needs = {0: [Region(), Region(), Region()]}
    bridges: dict[int, tuple[QemuFunction, int]] = {}
    bars: dict[int, list[tuple[int, int, int, bool]]] = {}
    for number, parts in buses.items():
        regions = needs[number if number in bridges else 0]
        for part in parts:
            if part.behind is not None:
                secondary = routing.numbers[part][1]
                bridges[secondary] = part, number
                needs.setdefault(secondary, [Region(), Region(), Region()])
            row = part.row
            if row is not None:
                wanted = bars.get(id(row))
                if wanted is None:
                    wanted = bars[id(row)] = _wanted(row)
                for kind, size, bar, is64 in wanted:  # `Region.add`, without the call
                    region = regions[kind]
                    region.entries.append((size, size, part, bar, is64))
                    region.total += size
                    if size > region.align:
                        region.align = size
                    if not is64:
                        region.only_64bit = False
    for secondary in sorted(bridges, reverse=True):
        part, number = bridges[secondary]
        parent = needs[number if number in bridges else 0]
        hotplug = _hotplug(part)
        for kind, region in enumerate(needs[secondary]):
            align = max(region.align, rules.least_windows[kind])
            if kind == PREFETCH and hotplug[kind] and region.only_64bit:
                align = max(align, least_prefetch) if rules.keeps_large_align else least_prefetch or align
            size = _window_size(part, kind, region.total or (align if hotplug[kind] else 0), align)
            parent[kind].add((align, size, part, -1, kind == PREFETCH and region.only_64bit))
    return needs, frozenset(part for part, _ in bridges.values())


def _wanted(row: PciFunction) -> list[tuple[int, int, int, bool]]:
    """Return kind, size, index and whether it is 64-bit of each BAR of a function, and of its ROM."""
    wanted = []
    for bar in row.bars:
        if bar.kind == IO_BAR:
            wanted.append((IO, bar.size, bar.number, False))
        else:
            size = max(bar.size, LEAST_BAR)
            wanted.append((PREFETCH if bar.prefetchable else MEMORY, size, bar.number, bar.kind == MEM64))
    if row.rom:
        wanted.append((MEMORY, row.rom, ROM, False))
    return wanted


def _hotplug(part: QemuFunction) -> tuple[bool, bool, bool]:
    """Return of which kinds a bridge gets a window though nothing is behind it."""
    if part.behind is not None and part.behind.kind == PORT:
        return (False, True, True)
    controller = has_hotplug_controller(part)
    return (controller, controller, controller)


def _window_size(part: QemuFunction, kind: int, total: int, align: int) -> int:
    """Return the size of a bridge's window.

    Args:
        part: the bridge, which may reserve more.
        kind: `IO`, `MEMORY` or `PREFETCH`.
        total: bytes that are needed behind it.
        align: the alignment of the window.
    """
    options = part.options
    if options and part.driver in RESERVES_READ:
        reserved = [int(options[name]) for name in RESERVE_OPTIONS[kind] if name in options]
        if reserved and total < reserved[0] != _UNSET:
            return reserved[0] if kind == IO else up(reserved[0], align)
    return up(total, align)


def _settle(root: list[Region], start: int, rules: SeaBios) -> bool:
    """Put the two memory regions of the root bus below 4 GiB; return whether they fit."""
    upper, lower = root[PREFETCH], root[MEMORY]
    if lower.align < upper.align:
        upper, lower = lower, upper
    upper.base = (rules.memory_end - upper.total) & -upper.align
    lower.base = (upper.base - lower.total) & -lower.align
    return start <= lower.base <= rules.memory_end


_by_size = itemgetter(0, 1)


def _map(region: Region, kind: int, needs: dict[int, list[Region]], programmed: FirmwareResult) -> None:
    """Hand a region out: the largest alignment first, then the largest size."""
    address = region.base
    if not region.entries:
        return
    for _, size, part, bar, _ in sorted(region.entries, key=_by_size, reverse=True):
        if bar < 0:
            secondary = programmed.routing.numbers[part][1]
            needs[secondary][kind].base = address
            programmed.open_window(part, kind, address, size)
        elif bar != ROM:
            programmed.bars.setdefault(part, {})[bar] = address & -size
        address += size
