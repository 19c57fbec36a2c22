"""From a placed guest to what the guest sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pcisim.address import GuestAddress, PciAddress
from pcisim.catalogue.functions import ALWAYS, PciFunction
from pcisim.enumeration import linux
from pcisim.enumeration.numbers import UNNUMBERED
from pcisim.enumeration.ovmf import ovmf
from pcisim.enumeration.placed import hardware_of
from pcisim.enumeration.programmed import IO, ROM, Programmed
from pcisim.enumeration.seabios import seabios
from pcisim.enumeration.view import WINDOW_KINDS, Bar, GuestBus, GuestFunction, GuestView, Numbers, Window
from pcisim.errors import UsageError
from pcisim.hardware import PORT, Hardware, Part
from pcisim.placement import Placement
from pcisim.topology import Topology

FIRMWARES = {"seabios": "qemu-7.2/seabios-1.16.2", "ovmf": "qemu-7.2/ovmf-2022.11"}
"""The firmwares whose rules are known, and the versions that they were measured on."""
FIRMWARE_RULES: Mapping[str, Callable[[Hardware], Programmed]] = MappingProxyType({"seabios": seabios, "ovmf": ovmf})


def check_firmware(firmware: str) -> None:
    """Check the name of a firmware.

    Raises:
        UsageError: it is not known.
    """
    if firmware not in FIRMWARES:
        raise UsageError(
            f"unknown firmware {firmware!r}", code="unknown-firmware", remedy=f"one of {', '.join(FIRMWARES)}"
        )


def enumerate_guest(placed: Placement | Topology, firmware: str = "seabios") -> GuestView:
    """Return what firmware and guest will see of a placed guest.

    Args:
        placed: a placement, or its topology alone (``plan.topology``).
        firmware: ``seabios`` or ``ovmf``.

    Raises:
        UsageError: an unknown firmware.
    """
    check_firmware(firmware)
    hardware = hardware_of(placed)
    return view_of(hardware, firmware, program(hardware, firmware))


def program(hardware: Hardware, firmware: str) -> Programmed:
    """Return what a firmware writes into the functions of a machine."""
    return FIRMWARE_RULES[firmware](hardware)


def view_of(hardware: Hardware, firmware: str, programmed: Programmed) -> GuestView:
    """Return what a Linux guest sees behind a firmware that did its work."""
    seen = linux.scan(hardware, programmed)
    added = linux.io_windows(hardware, programmed, seen) if programmed.boots else {}
    found: list[GuestFunction] = []
    lost: list[GuestFunction] = []
    buses = [GuestBus(bus.number, None, bus.label) for bus in (hardware.root, *hardware.extra)]
    for part in hardware.parts():
        number = seen.get(part)
        if number is None:
            lost.append(_function(part, None, programmed, added, (_why_lost(part, programmed),)))
            continue
        address = GuestAddress.from_int(number << 8 | part.slot << 3 | part.function)
        found.append(_function(part, address, programmed, added, ()))
        numbers = programmed.routing.numbers.get(part)
        if numbers and part.behind is not None:
            buses.append(GuestBus(numbers[1], address, part.behind.label))
    found.sort(key=lambda function: int(function.address or 0))
    buses.sort(key=lambda bus: bus.number)
    reason = programmed.reason or linux.panics(hardware, seen)
    return GuestView(
        firmware, FIRMWARES[firmware], tuple(found), tuple(lost), tuple(buses), not reason, reason, ()
    )  # fmt: skip


def _why_lost(part: Part, programmed: Programmed) -> str:
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


def _function(
    part: Part,
    address: GuestAddress | None,
    programmed: Programmed,
    added: dict[Part, tuple[int, int]],
    remarks: tuple[str, ...],
) -> GuestFunction:
    row = part.row
    configured = None if part.configured is None else PciAddress.from_int(part.configured)
    numbers, windows = None, ()
    if part.behind is not None:
        known = programmed.routing.numbers.get(part)
        numbers = Numbers(*known) if known else UNNUMBERED
        windows = _windows(part, programmed, added)
    if row is None:
        return GuestFunction(
            address, part.label, configured, part.driver, 0, 0, None, 0, 0, 0, 0, False, part.multifunction, (),
            numbers, windows, None, remarks,
        )  # fmt: skip
    bars = _bars(row, programmed.bars.get(part, {}))
    return GuestFunction(
        address, part.label, configured, part.driver, row.vendor, row.device, None, row.class_code, row.revision,
        row.header, row.pin, row.express == ALWAYS, part.multifunction, bars, numbers, windows, None, remarks,
    )  # fmt: skip


def _windows(part: Part, programmed: Programmed, added: dict[Part, tuple[int, int]]) -> tuple[Window, ...]:
    windows = []
    for kind, name in enumerate(WINDOW_KINDS):
        window = programmed.windows.get((part, kind)) or (added.get(part) if kind == IO else None)
        windows.append(Window(name, window[1], window[0]) if window else Window(name, None))
    return tuple(windows)


def _bars(row: PciFunction, addresses: dict[int, int]) -> tuple[Bar, ...]:
    bars = [Bar(bar.number, bar.kind, bar.prefetchable, bar.size, addresses.get(bar.number)) for bar in row.bars]
    if row.rom:
        bars.append(Bar(ROM, "mem32", False, row.rom, None))
    return tuple(bars)
