"""From a placed guest to the functions that QEMU makes of it."""

from __future__ import annotations

from pcisim.address import MAX_BUS, MAX_FUNCTION, MAX_SLOT
from pcisim.drivers import driver_of
from pcisim.guest import Controller, Device, Guest
from pcisim.hardware import (
    BUS_KINDS,
    CONVENTIONAL,
    EXPANDERS,
    ROOT,
    Hardware,
    Part,
    PciBus,
    add_built_ins,
    expander_bus,
    row_on,
)
from pcisim.placement import Placement
from pcisim.topology import Topology

_WITHOUT_ACPI = frozenset({"PIIX4_PM"})


def hardware_of(placed: Placement | Topology) -> Hardware:
    """Return the functions of a placed guest, the chipset's included.

    Args:
        placed: a placement, or its topology alone: that has everything but whether there is ACPI.
    """
    topology, guest = (placed.topology, placed.guest) if isinstance(placed, Placement) else (placed, None)
    devices = {packed: owner for packed, owner in topology.owners.items() if isinstance(owner, Device)}
    express = bool(topology.buses) and topology.buses[0].model.name == "pcie-root"
    family = "q35" if express else "pc"
    if guest is None:
        videos = sorted((d for d in devices.values() if d.element == "video"), key=lambda d: d.label)
        guest = Guest(family, devices={"video": videos})
    root = PciBus(ROOT, express=express, label="pci:0")
    if topology.buses:
        add_built_ins(root, family, without=frozenset() if guest.acpi else _WITHOUT_ACPI)
    buses = {0: root}
    extra: list[PciBus] = []
    # a bus before what sits on it; in a topology of libvirt's a bridge may have a higher index than its child
    waiting = sorted(devices.items(), key=lambda item: _level(item[1]))
    while waiting:
        later = []
        for packed, device in waiting:
            bus = buses.get(packed >> 8 & MAX_BUS)
            if bus is None:
                later.append((packed, device))
                continue
            part = _part(packed, device, bus, guest)
            if isinstance(device, Controller) and device.type == "pci":
                buses[device.index or 0] = _bus_behind(part, device, extra)
        if len(later) == len(waiting):
            break
        waiting = later
    for bus in buses.values():
        if len(bus.parts) > 1:
            for place in bus.parts:
                if place & MAX_FUNCTION and place & ~MAX_FUNCTION in bus.parts:
                    bus.parts[place & ~MAX_FUNCTION].multifunction = True
    hotplug = guest.acpi
    return Hardware(family, root, extra, acpi_root=hotplug and 0 not in topology.hotplug_off, acpi_bridges=hotplug)


def _level(device: Device) -> int:
    return 0 if isinstance(device, Controller) and device.type == "pci" else 1


def _part(packed: int, device: Device, bus: PciBus, guest: Guest) -> Part:
    slot, function = packed >> 3 & MAX_SLOT, packed & MAX_FUNCTION
    built_in = bus.parts.get(slot << 3 | function)
    if built_in is not None:
        built_in.label, built_in.configured = device.label, packed
        return built_in
    driver = driver_of(device, guest)
    options: dict[str, str] = {}
    if isinstance(device, Controller):
        if "memReserve" in device.target:
            options["mem-reserve"] = str(device.target["memReserve"] << 10)
        if "hotplug" in device.target:
            options["hotplug"] = str(device.target["hotplug"])
    return Part(
        driver, slot, function, bus, row_on(driver, bus) if driver else None, device.label, packed, options=options
    )


def _bus_behind(part: Part, controller: Controller, extra: list[PciBus]) -> PciBus:
    if part.driver in EXPANDERS:
        bus = expander_bus(part, int(controller.target.get("busNr", 0)), controller.label)
        if part.expander is not None:
            extra.append(part.expander)
        return bus
    kind = BUS_KINDS.get(part.driver, CONVENTIONAL)
    return PciBus(kind, express=kind != CONVENTIONAL, label=controller.label, parent=part)
