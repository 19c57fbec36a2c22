"""What QEMU demands of a device in its place, one rule a function.

Each raises a refusal with QEMU's own words as its headline, and ours as its detail.

Source: QEMU rules 1, 2, 3 and 4; each rule was verified against QEMU 7.2.
"""

from __future__ import annotations

from collections.abc import Mapping

from pcisim.address import FUNCTIONS
from pcisim.catalogue.bridges import BRIDGES, NEED_CXL, PORT, ROOT
from pcisim.catalogue.qemu_rules import ALTERNATIVES, PATH_LIMIT, REQUIRED, REQUIRED_TOO, SETS_MULTIFUNCTION
from pcisim.errors import RefusedError
from pcisim.qemu.device import refusal
from pcisim.qemu.functions import Hardware, PciBus, row_on

_CONFLICT = "PCI resource reserve cap: PREF32 and PREF64 conflict"
_TOO_LARGE = (("pref32-reserve", "pref32-reserve "), ("mem-reserve", "mem-reserve"))
_NO_CHASSIS = "Bridge chassis not specified. Each bridge is required to be assigned a unique chassis id > 0."


def check_functions(place: int, bus: PciBus, options: Mapping[str, str]) -> None:
    """Check the multifunction bit, of which only that of function 0 counts."""
    slot, function = place >> 3, place & 7
    if function:
        first = bus.parts.get(slot << 3)
        if first is not None and not first.multifunction:
            raise refusal(
                f"PCI: single function device can't be populated in function {slot:x}.{function}",
                f"{first.driver} at function 0 of the slot has no multifunction=on",
                code="qemu-multifunction",
                remedy="add multifunction=on to function 0",
            )
        return
    if options.get("multifunction") == "on":
        return
    for other in range(1, FUNCTIONS):
        if slot << 3 | other in bus.parts:
            raise refusal(
                f"PCI: {slot:x}.0 indicates single function, but {slot:x}.{other} is already populated.",
                "function 0 of a slot with more functions needs multifunction=on",
                code="qemu-multifunction",
                remedy="add multifunction=on",
            )


def is_multifunction(name: str, options: Mapping[str, str]) -> bool:
    """Return whether a device says that its slot has more functions, once it is in its place."""
    return options.get("multifunction") == "on" or options.get(SETS_MULTIFUNCTION.get(name, ""), "0") != "0"


def check_required(name: str, options: Mapping[str, str]) -> None:
    """Check the properties without which a device does not start."""
    for needed, words in (REQUIRED.get(name, ("", "")), REQUIRED_TOO.get(name, ("", ""))):
        if needed and needed not in options and ALTERNATIVES.get(needed) not in options:
            raise refusal(words, f"{name} does not start without {needed}=", code="qemu-required")
    if name.startswith("pci-bridge") and options.get("chassis_nr", "0") == "0":
        raise refusal(
            _NO_CHASSIS, "a pci-bridge needs a chassis_nr from 1 to 255", code="qemu-chassis", remedy="add chassis_nr="
        )


def chassis_slot(name: str, options: Mapping[str, str]) -> tuple[int, int] | None:
    """Return the pair that no two ports may share, of which only 8 bits of the slot count; ``None`` for others."""
    if name not in BRIDGES or BRIDGES[name].behind != PORT:
        return None
    return int(options.get("chassis", 0)), int(options.get("slot", 0)) & 0xFF


def check_chassis(pair: tuple[int, int] | None, taken: set[tuple[int, int]]) -> None:
    """Check that no other port has the chassis and slot of a port."""
    if pair in taken:
        assert pair is not None
        raise refusal(
            "Can't add chassis slot, error -16",
            f"another port has chassis {pair[0]} and slot {pair[1]}; the pair must be its own (both are 0 where"
            " they are left out, and only the lower 8 bits of the slot count)",
            code="qemu-chassis",
            remedy="give each port a chassis of its own",
        )


def check_virtio(name: str, bus: PciBus, options: Mapping[str, str]) -> None:
    """Check that a virtio device is legacy, modern or both, and an IOMMU on the root bus."""
    if name == "virtio-iommu-pci" and bus.kind != ROOT:
        raise refusal(
            "virtio-iommu-pci must be plugged on the root bus",
            f"{bus.label} is behind a bridge",
            code="qemu-not-on-root",
        )
    try:
        row_on(name, bus, options)
    except RefusedError as error:
        raise refusal(
            "device cannot work as neither modern nor legacy mode is enabled",
            error.details[0] if error.details else error.headline,
            code=error.code,
            remedy=error.remedy,
        ) from None


def check_reserve(options: Mapping[str, str]) -> None:
    """Check what a port reserves for devices to come."""
    if "pref32-reserve" in options and "pref64-reserve" in options:
        raise refusal(_CONFLICT, "a port has one prefetchable window", code="qemu-reserve")
    for option, words in _TOO_LARGE:
        if option in options and 1 << 32 <= int(options[option]) < (1 << 64) - 1:
            raise refusal(
                f"PCI resource reserve cap: {words} must be less than 4G",
                f"it is {options[option]}",
                code="qemu-reserve",
                remedy="pref64-reserve= takes more",
            )


def check_expander(name: str, bus: PciBus, options: Mapping[str, str], *, root: PciBus | None, numa_nodes: int) -> None:
    """Check the place and the number of an expander bus."""
    express = BRIDGES[name].express
    if bus.express != express:
        kind = "PCI" if express else "PCIe"
        raise refusal(
            f"{name} devices cannot reside on a {kind} bus",
            "pxb is for pc, the others for q35",
            code="qemu-expander",
        )
    node = int(options.get("numa_node", 128))
    if node != 128 and node >= numa_nodes:
        raise refusal(f"Illegal numa node {node}", "no -numa defines it", code="qemu-expander")
    if bus is not root:
        raise refusal(
            "PXB devices can be attached only to root bus",
            f"{bus.label} is not the machine's root bus",
            code="qemu-expander",
        )
    number = int(options.get("bus_nr", 0))
    if any((below.number if below.parent is None else 0) == number for below in bus.buses_below()):
        raise refusal(
            f"Bus {number} is already in use",
            "another expander has it"
            if number
            else "the bus behind a bridge is number 0 as long as no firmware has run",
            code="qemu-expander",
            remedy="write another bus_nr=",
        )
    if not express and not number:
        raise refusal(
            _NO_CHASSIS,
            "a pxb has a bridge of its own, whose chassis number is bus_nr",
            code="qemu-chassis",
            remedy="add bus_nr=",
        )


def check_path(bus: PciBus, place: int) -> None:
    """Check the name that QEMU gives to a device's saved state: its way through all bridges."""
    path = f":{place >> 3:02x}.{place & 7}"
    while bus.parent is not None:
        path = f":{bus.parent.slot:02x}.{bus.parent.function}{path}"
        bus = bus.parent.bus
    path = f"0000:{bus.number:02x}{path}"
    if len(path) + 1 >= PATH_LIMIT:
        raise refusal(
            f"Path too long for VMState ({path})",
            f"QEMU names a device by all bridges above it, in less than {PATH_LIMIT} characters",
            code="qemu-depth",
        )


def slot_zero() -> RefusedError:
    """Return the refusal of slot 0 of a bridge whose own controller handles hotplug."""
    return refusal(
        "Unsupported PCI slot 0 for standard hotplug controller. Valid slots are between 1 and 31.",
        "the bridge has a hotplug controller, which knows slots from 1",
        code="qemu-slot-zero",
        remedy="write addr= with a slot from 1, or shpc=off for a pci-bridge",
    )


def check_cxl(hardware: Hardware, *, enabled: bool) -> None:
    """Check that the machine has CXL switched on if it has a host bridge for it."""
    if not enabled and any(part.driver in NEED_CXL for part in hardware.root.parts.values()):
        raise refusal(
            "CXL host bridges present, but cxl=off",
            "pxb-cxl is for machines with CXL",
            code="qemu-setting",
            remedy="add cxl=on to -machine",
        )


def no_hotplug(bus: str | None) -> RefusedError:
    """Return the refusal of a bus that takes nothing while the machine runs."""
    return refusal(
        f"Bus '{bus}' does not support hotplugging",
        "nothing there handles hotplug: neither ACPI, a hotplug controller of the bridge, nor a port",
        code="qemu-no-hotplug",
    )
