"""From a placed guest to what the guest sees."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import attrgetter, itemgetter
from types import MappingProxyType

from pcisim.address import GuestAddress, PciAddress
from pcisim.catalogue.bridges import PORT
from pcisim.catalogue.functions import NEVER, PciFunction
from pcisim.catalogue.profiles import DEFAULT_PROFILE, SEABIOS, Profile, check_firmware, has_tables, profile_of
from pcisim.catalogue.x86_machines import X86
from pcisim.enumeration import linux
from pcisim.enumeration.firmware_result import FirmwareResult
from pcisim.enumeration.from_placement import hardware_of
from pcisim.enumeration.io_windows import profile_of_guest
from pcisim.enumeration.numbers import (
    UNNUMBERED,
    Numbering,
    number_buses,
    ovmf_reserve,
    probe,
    seabios_reserve,
)
from pcisim.enumeration.ovmf import ovmf
from pcisim.enumeration.seabios import seabios
from pcisim.enumeration.view import GuestBus, GuestFunction, GuestView, Numbers
from pcisim.errors import NotCoveredError
from pcisim.guest import Ram
from pcisim.placement import Placement
from pcisim.qemu.functions import Hardware, QemuFunction
from pcisim.topology import Topology

_CLOSED: list[tuple[int, int] | None] = [None, None, None]
Writer = Callable[[Hardware, dict[int, list[QemuFunction]], FirmwareResult, Profile], FirmwareResult]
FIRMWARE_RULES: Mapping[str, tuple[Numbering, Writer]] = MappingProxyType(
    {
        "seabios": (Numbering(seabios_reserve, ranges=False), seabios),
        "ovmf": (Numbering(ovmf_reserve, ranges=True), ovmf),
    }
)
"""For each firmware how it numbers buses, and what it makes of everything else."""


def enumerate_guest(
    placed: Placement | Topology,
    firmware: str = SEABIOS,
    profile: str | Profile | None = None,
    *,
    ram: Ram | None = None,
) -> GuestView:
    """Return what firmware and guest will see of a placed guest.

    Args:
        placed: a placement, or its topology alone (``plan.topology``).
        firmware: ``seabios`` or ``ovmf``.
        profile: the versions of QEMU, firmware and kernel, as for `pcisim.assign`; by default those that the
            placement was made for, of a topology the newest.
        ram: how much RAM it has; by default what its definition says, else 256 MiB.

    Raises:
        UsageError: an unknown firmware or profile.
        NotCoveredError: a guest of another architecture than x86.

    Examples:
        >>> import pcisim
        >>> plan = pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 1}))
        >>> pcisim.enumerate_guest(plan.placement, "ovmf")
        <GuestView ovmf: 11 functions on 5 buses>
    """
    check_firmware(firmware)
    guest = None if isinstance(placed, Topology) else placed.guest
    rows = profile_of_guest(guest) if profile is None else profile_of(profile)
    if guest is not None and guest.arch not in X86:
        raise NotCoveredError(
            f"what a guest of {guest.arch} sees is not covered",
            code="unknown-architecture",
            details=(f"the firmwares that are known are those of {' and '.join(X86)}",),
            line=guest.machine_line,
            remedy="ask for its tree: that is what libvirt and QEMU see",
        )
    # Thousands of small rows are made here, none of which is garbage: collecting in between is a third of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        hardware = hardware_of(placed, rows.qemu, ram)
        return view_of(hardware, firmware, program(hardware, firmware, rows), rows)
    finally:
        if collecting:
            if not gc.get_freeze_count():
                # All of it lives on: into the oldest generation with it, instead of through each of them at once.
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def enumerated(placement: Placement) -> tuple[Hardware, FirmwareResult]:
    """Return the functions of a placed guest, and what its firmware writes into them."""
    guest = placement.guest
    profile = profile_of_guest(guest)
    hardware = hardware_of(placement, profile.qemu)
    return hardware, program(hardware, guest.firmware, profile)


def program(hardware: Hardware, firmware: str, profile: Profile = DEFAULT_PROFILE) -> FirmwareResult:
    """Return what a firmware writes into the functions of a machine: numbers, then windows."""
    numbering, write = FIRMWARE_RULES[firmware]
    routing, found, failure = number_buses(hardware, numbering)
    if failure:
        return FirmwareResult(routing, found, {}, {}, False, failure)
    buses = probe(hardware, routing)
    for number, parts in buses.items():
        for part in parts:
            found.setdefault(part, number)
    return write(hardware, buses, FirmwareResult(routing, found, {}, {}, True, ""), profile)


def view_of(
    hardware: Hardware, firmware: str, programmed: FirmwareResult, profile: Profile = DEFAULT_PROFILE
) -> GuestView:
    """Return what a Linux guest sees behind a firmware that did its work."""
    seen = linux.scan(hardware, programmed)
    added = linux.io_windows(hardware, programmed, seen, profile.linux) if programmed.boots else {}
    off = linux.switched_off(hardware, seen, tables=hardware.acpi or has_tables(firmware, profile, hardware.family))
    make = _Maker(programmed, added)
    found: list[tuple[int, GuestFunction]] = []
    lost: list[GuestFunction] = []
    buses = [GuestBus(bus.number, None, bus.label) for bus in (hardware.root, *hardware.extra)]
    numbers = programmed.routing.numbers
    for part in hardware.parts():
        number = seen.get(part)
        if number is None:
            lost.append(make.function(part, None, (_why_lost(part, programmed),)))
            continue
        packed = number << 8 | part.slot << 3 | part.function
        address = GuestAddress.from_int(packed)
        remarks = _remarks(part, programmed) if part not in programmed.bars else ()
        port = off.get(part)
        if port is not None:
            remarks += (_OFF.format(port.label or port.driver),)
        found.append((packed, make.function(part, address, remarks, off=port is not None)))
        if part.behind is not None and part in numbers:
            buses.append(GuestBus(numbers[part][1], address, part.behind.label))
    lost += [make.function(part, None, (_UNREACHABLE,)) for part in hardware.unreachable]
    found.sort(key=itemgetter(0))
    buses.sort(key=attrgetter("number"))
    reason = programmed.reason or linux.panics(seen)
    functions = tuple([function for _, function in found])
    name = profile.firmware_name(firmware)
    return GuestView(firmware, name, functions, tuple(lost), tuple(buses), not reason, reason, ())


_UNREACHABLE = "its bus hangs on no other bus, or in a circle: QEMU does not find it and does not start"


_OFF = "dead: without ACPI Linux takes the slot of {} for empty, and switches it off"


def _remarks(part: QemuFunction, programmed: FirmwareResult) -> tuple[str, ...]:
    """Return what is odd about a function that the guest sees and that has no addresses."""
    if part.row is None:
        return ("nothing is known of it: its BARs are not counted",)
    if part.row.bars and programmed.boots:
        return ("the firmware had no room left for it: it has no addresses",)
    return ()


def _why_lost(part: QemuFunction, programmed: FirmwareResult) -> str:
    """Return why the guest never sees a function."""
    bus = part.bus
    if bus.kind == PORT and part.slot:
        return f"behind a port only slot 0 is looked at, not slot {part.slot:#x}"
    if part.function and part.slot << 3 not in bus.parts:
        return f"there is no function 0 in slot {part.slot:#x}, so that nobody looks for function {part.function}"
    if bus.parent is not None and bus.parent not in programmed.routing.numbers:
        return "the bridge above it has no bus number"
    if bus.parent is None and bus.number:
        return f"bus number {bus.number} of the expander is given to another bus"
    return "the bridge above it is not seen"


class _Maker:
    """Makes the values of a view.

    Args:
        programmed: what the firmware did.
        added: the I/O windows that Linux added.
    """

    def __init__(self, programmed: FirmwareResult, added: dict[QemuFunction, tuple[int, int]]) -> None:
        self.bars = programmed.bars
        self.numbers = programmed.routing.numbers
        self.windows = programmed.windows
        self.added = added
        self.numbers_of: dict[int, tuple[int, ...]] = {}
        """The numbers of the BARs of a row, by its identity: the catalogue keeps the rows."""

    def function(
        self, part: QemuFunction, address: GuestAddress | None, remarks: tuple[str, ...], *, off: bool = False
    ) -> GuestFunction:
        row = part.row or _unknown(part.driver)
        configured = None if part.configured is None else PciAddress.from_int(part.configured)
        numbers: Numbers | None = None
        forwarded: tuple[tuple[int, int] | None, ...] = ()
        if part.behind is not None:
            known = self.numbers.get(part)
            numbers = Numbers(*known) if known else UNNUMBERED
            windows = self.windows.get(part, _CLOSED)
            added = self.added.get(part)
            forwarded = (added, *windows[1:]) if added else tuple(windows)
        addresses = self.bars.get(part)
        bars = self.numbers_of.get(id(row))
        if bars is None:
            bars = self.numbers_of[id(row)] = tuple([bar.number for bar in row.bars])
        placed = tuple(map(addresses.get, bars)) if addresses else (None,) * len(bars)
        return GuestFunction(
            address, part.label, configured, row, part.multifunction, placed, numbers, forwarded, remarks, off
        )


@lru_cache
def _unknown(driver: str) -> PciFunction:
    """Return a row for a device that was not measured, such as one of the host's."""
    return PciFunction(driver, 0, 0, 0, 0, NEVER, ())
