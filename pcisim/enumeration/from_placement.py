"""From a placed guest to the functions that QEMU makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pcisim.address import MAX_BUS, MAX_FUNCTION, MAX_SLOT
from pcisim.catalogue.bridges import BRIDGES, CONVENTIONAL, EXPANDERS, ROOT
from pcisim.catalogue.profiles import ACPI_BRIDGES_SINCE, DEFAULT_PROFILE, Qemu
from pcisim.catalogue.x86_machines import machine_version
from pcisim.guest import Controller, Device, Guest, Ram
from pcisim.placement import Placement
from pcisim.qemu.device_names import driver_of
from pcisim.qemu.functions import NO_OPTIONS, Hardware, PciBus, QemuFunction, add_built_ins, expander_bus, row_on
from pcisim.topology import Topology

_WITHOUT_ACPI = frozenset({"PIIX4_PM"})


def hardware_of(placed: Placement | Topology, qemu: Qemu = DEFAULT_PROFILE.qemu, ram: Ram | None = None) -> Hardware:
    """Return the functions of a placed guest, the chipset's included.

    Args:
        placed: a placement, or its topology alone: that has everything but RAM, the version of the machine, and
            whether there is ACPI.
        qemu: the version of QEMU.
        ram: how much RAM it has; by default what the definition says.
    """
    topology, guest = (placed.topology, placed.guest) if isinstance(placed, Placement) else (placed, None)
    devices = {packed: owner for packed, owner in topology.owners.items() if isinstance(owner, Device) and owner.on_pci}
    express = bool(topology.buses) and topology.buses[0].model.name == "pcie-root"
    family = "q35" if express else "pc"
    if guest is None:
        videos = sorted((d for d in devices.values() if d.element == "video"), key=lambda d: d.label)
        guest = Guest(family, devices={"video": videos})
    root = PciBus(ROOT, express=express, label="pci:0")
    version = machine_version(guest.machine_type)
    part_of = partial(_part, qemu=qemu.function_table(version))
    if topology.buses:
        add_built_ins(root, family, without=frozenset() if guest.acpi else _WITHOUT_ACPI)
    buses = {0: root}
    extra: list[PciBus] = []
    bridges = {packed: d for packed, d in devices.items() if isinstance(d, Controller) and d.is_pci}
    # a bus before what sits on it: in a definition a bridge may have a higher index than what it hangs on
    while bridges:
        ready = {packed: d for packed, d in bridges.items() if packed >> 8 & MAX_BUS in buses}
        if not ready:
            break  # what is left hangs on each other, or on a bus that nobody gives
        for packed, controller in ready.items():
            part = part_of(
                packed, controller, buses[packed >> 8 & MAX_BUS], controller.model_name, _options(controller)
            )
            buses[controller.index or 0] = _bus_behind(part, controller, extra)
            del bridges[packed]
    unreachable = [part_of(packed, device, _loose_bus(), device.model_name) for packed, device in bridges.items()]
    for packed, device in devices.items():
        if isinstance(device, Controller) and device.is_pci:
            continue
        bus = buses.get(packed >> 8 & MAX_BUS)
        if bus is not None:
            part_of(packed, device, bus, driver_of(device, guest))
        else:
            unreachable.append(part_of(packed, device, _loose_bus(), driver_of(device, guest)))
    for bus in buses.values():
        if len(bus.parts) > 1:
            for place in bus.parts:
                if place & MAX_FUNCTION and place & ~MAX_FUNCTION in bus.parts:
                    bus.parts[place & ~MAX_FUNCTION].multifunction = True
    acpi = guest.acpi
    new = version is None or version >= ACPI_BRIDGES_SINCE.get(guest.machine.family, (0, 0))
    return Hardware(
        family,
        root,
        extra,
        ram=guest.ram if ram is None else ram,
        acpi_root=acpi and 0 not in topology.hotplug_off,
        acpi_bridges=new and (acpi or family == "q35"),
        acpi=acpi,
        unreachable=unreachable,
    )


def _loose_bus() -> PciBus:
    return PciBus(CONVENTIONAL, express=False, label=None)


def _part(
    packed: int, device: Device, bus: PciBus, driver: str, options: Mapping[str, str] = NO_OPTIONS, *, qemu: str
) -> QemuFunction:
    built_in = bus.parts.get(packed & 0xFF)
    if built_in is not None:
        built_in.label, built_in.configured = device.label, packed
        return built_in
    row = row_on(driver, bus, options, qemu) if driver else None
    return QemuFunction(
        driver, packed >> 3 & MAX_SLOT, packed & MAX_FUNCTION, bus, row, device.label, packed, options=options
    )


def _options(controller: Controller) -> Mapping[str, str]:
    """Return the properties of a bridge that firmwares look at."""
    target = controller.target
    options: dict[str, str] = {}
    if "memReserve" in target:
        options["mem-reserve"] = str(target["memReserve"] << 10)
    if "hotplug" in target:
        options["hotplug"] = str(target["hotplug"])
    return options or NO_OPTIONS


def _bus_behind(part: QemuFunction, controller: Controller, extra: list[PciBus]) -> PciBus:
    if part.driver in EXPANDERS:
        bus = expander_bus(part, int(controller.target.get("busNr", 0)), controller.label)
        if part.expander is not None:
            extra.append(part.expander)
        return bus
    kind = BRIDGES[part.driver].behind if part.driver in BRIDGES else CONVENTIONAL
    return PciBus(kind, express=kind != CONVENTIONAL, label=controller.label, parent=part)
