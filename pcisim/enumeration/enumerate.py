"""From a placed guest to what the guest sees."""

from __future__ import annotations

from pcisim.address import GuestAddress, PciAddress
from pcisim.catalogue.functions import PciFunction
from pcisim.enumeration.placed import hardware_of
from pcisim.enumeration.numbers import number_buses
from pcisim.enumeration.view import WINDOW_KINDS, Bar, GuestBus, GuestFunction, GuestView, Numbers, Window
from pcisim.errors import UsageError
from pcisim.hardware import PORT, Hardware, Part, PciBus
from pcisim.placement import Placement
from pcisim.topology import Topology

FIRMWARES = {"seabios": "qemu-7.2/seabios-1.16.2", "ovmf": "qemu-7.2/ovmf-2022.11"}
"""The firmwares whose rules are known, and the versions that they were measured on."""


def enumerate_guest(placed: Placement | Topology, firmware: str = "seabios") -> GuestView:
    """Return what firmware and guest will see of a placed guest.

    Args:
        placed: a placement, or its topology alone (``plan.topology``).
        firmware: ``seabios`` or ``ovmf``.

    Raises:
        UsageError: an unknown firmware.
    """
    if firmware not in FIRMWARES:
        raise UsageError(
            f"unknown firmware {firmware!r}", code="unknown-firmware", remedy=f"one of {', '.join(FIRMWARES)}"
        )
    return view_of(hardware_of(placed), firmware)


def view_of(hardware: Hardware, firmware: str) -> GuestView:
    """Return what firmware and guest see of a machine's functions."""
    numbers = number_buses(hardware)
    seen: list[GuestFunction] = []
    unseen: list[GuestFunction] = []
    buses: list[GuestBus] = []
    for bus in (hardware.root, *hardware.extra):
        _walk(bus, bus.number, None, numbers, (seen, unseen, buses))
    seen.sort(key=lambda f: int(f.address or 0))
    buses.sort(key=lambda b: b.number)
    return GuestView(firmware, FIRMWARES[firmware], tuple(seen), tuple(unseen), tuple(buses), True, "", ())


def _walk(
    bus: PciBus,
    number: int | None,
    bridge: GuestAddress | None,
    numbers: dict[Part, Numbers],
    into: tuple[list[GuestFunction], list[GuestFunction], list[GuestBus]],
) -> None:
    seen, unseen, buses = into
    if number is not None:
        buses.append(GuestBus(number, bridge, bus.label))
    for part in bus.in_order():
        why = "" if number is None else _invisible(part)
        address = None
        if number is not None and not why:
            address = GuestAddress.from_int(number << 8 | part.slot << 3 | part.function)
        (unseen if address is None else seen).append(_function(part, address, numbers.get(part), (why,) if why else ()))
        if part.behind is not None:
            below = numbers[part].secondary if address is not None else None
            _walk(part.behind, below, address, numbers, into)


def _invisible(part: Part) -> str:
    """Return why nobody finds a function on a bus that is found; "" when it is found."""
    if part.function and part.slot << 3 not in part.bus.parts:
        return f"there is no function 0 in slot {part.slot:#x}, so that nobody looks for function {part.function}"
    if part.bus.kind == PORT and part.slot:
        return f"behind a port only slot 0 is looked at, not slot {part.slot:#x}"
    return ""


def _function(
    part: Part, address: GuestAddress | None, numbers: Numbers | None, remarks: tuple[str, ...]
) -> GuestFunction:
    row = part.row
    configured = None if part.configured is None else PciAddress.from_int(part.configured)
    windows = tuple(Window(kind, None) for kind in WINDOW_KINDS) if numbers is not None else ()
    if row is None:
        return GuestFunction(
            address, part.label, configured, part.driver, 0, 0, None, 0, 0, 0, 0, False, part.multifunction, (),
            numbers, windows, None, remarks,
        )  # fmt: skip
    return GuestFunction(
        address, part.label, configured, part.driver, row.vendor, row.device, None, row.class_code, row.revision,
        row.header, row.pin, row.express == "always", part.multifunction, _bars(row), numbers, windows, None, remarks,
    )  # fmt: skip


def _bars(row: PciFunction) -> tuple[Bar, ...]:
    bars = [Bar(bar.number, bar.kind, bar.prefetchable, bar.size, None) for bar in row.bars]
    if row.rom:
        bars.append(Bar(6, "mem32", False, row.rom, None))
    return tuple(bars)
