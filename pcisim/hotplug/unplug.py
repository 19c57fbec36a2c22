"""What may be unplugged while a guest runs.

Source: verified against libvirt 11.3.0 with QEMU 10.0 on running guests (2026-11-23).
"""

from __future__ import annotations

from collections.abc import Callable

from pcisim.address import format_packed
from pcisim.catalogue.controllers import EXPANDERS, SHPC_BRIDGES
from pcisim.catalogue.devices import DISKS_A_CONTROLLER
from pcisim.catalogue.x86_machines import X86
from pcisim.errors import RefusedError
from pcisim.guest import Controller, Device, Guest, refuse
from pcisim.hotplug.kinds import HOT, bus_name, emulator_refuses
from pcisim.placement import Placement
from pcisim.topology import Topology

_AT_NEXT_BOOT = "take it out of the stored definition: it is gone at the next boot"


def check_goes(device: Device, packed: int | None, guest: Guest, topology: Topology) -> None:
    """Refuse what libvirt or QEMU refuses to unplug, in the order in which they look.

    Args:
        device: one of the guest's.
        packed: where it sits, if it has a PCI address.
        guest: the guest as it is now.
        topology: who sits where now.

    Raises:
        RefusedError: in their words.
    """
    _check_kind(device)
    if isinstance(device, Controller):
        _check_idle(device, guest)
    if packed is not None:
        _check_alone(device, packed, guest, topology)
        _check_bus(device, packed, guest, topology)


def detachable(placement: Placement) -> list[Device]:
    """Return the devices with a PCI address that can be detached while the guest runs.

    Args:
        placement: a placed guest, as it is when it has booted.
    """
    guest, topology = placement.guest, placement.topology
    sharers: dict[int, int] = {}
    for packed, owner in topology.owners.items():
        sharers[packed >> 3] = sharers.get(packed >> 3, 0) + isinstance(owner, Device)
    goes: dict[object, bool] = {}
    found: list[Device] = []
    for device, packed in placement.addresses.items():
        if sharers.get(packed >> 3, 0) > 1 or device.mirrors is not None:
            continue
        if isinstance(device, Controller):
            if not _passes(_check_kind, device) or not _passes(_check_idle, device, guest):
                continue
        else:
            kind = device.element, device.model, device.bus, device.kind
            if kind not in goes:
                goes[kind] = _passes(_check_kind, device)
            if not goes[kind]:
                continue
        bus = packed >> 8
        if bus not in goes:
            goes[bus] = _passes(_check_bus, device, packed, guest, topology)
        if goes[bus]:
            found.append(device)
    return found


def _passes(check: Callable[..., None], *arguments: object) -> bool:
    try:
        check(*arguments)
    except RefusedError:
        return False
    return True


def may_ask_again(packed: int, guest: Guest, topology: Topology) -> bool:
    """Return whether QEMU asks a second time for a device that the guest has not let go yet.

    Only a bridge's own hotplug controller (SHPC) does; it is in force where neither ACPI nor a host bridge of pseries
    is: below an expander, on pc without ACPI, and on virt machines.
    """
    controllers = {d.index: d for d in guest.controllers if d.is_pci}
    index = packed >> 8
    if topology.buses[index].model.name not in SHPC_BRIDGES:
        return False
    if (guest.machine.family == "i440fx" and not guest.acpi) or guest.arch not in X86:
        return not guest.machine.host_bridges
    above = set()
    while index and index not in above:
        above.add(index)
        controller = controllers.get(index)
        index = 0 if controller is None or controller.address is None else controller.address >> 8
    return any(controllers[index].model in EXPANDERS for index in above if index in controllers)


def _check_kind(device: Device) -> None:
    row = HOT.get(device.element)
    value = row.value(device) if row is not None else ""
    if row is None or (row.by and value and value not in row.goes):
        words = row.no_detach.format(value) if row is not None else ""
        raise refuse(
            device,
            words or f"live detach of device '{device.element}' is not supported",
            "not-hot-pluggable",
            _AT_NEXT_BOOT,
            f"{device.label} stays while the guest runs",
        )


def _check_idle(controller: Controller, guest: Guest) -> None:
    users = [
        d.label
        for element in ("disk", "hostdev")
        for d in guest.devices.get(element, ())
        if d.bus == controller.type == "scsi" and _scsi_controller(d) == controller.index
    ]
    if users:
        raise refuse(
            controller,
            "device cannot be detached: device is busy",
            "controller-busy",
            f"detach {', '.join(users)} first",
            f"on {controller.label}: {', '.join(users)}",
        )


def _scsi_controller(device: Device) -> int:
    return device.controller if device.controller is not None else (device.unit or 0) // DISKS_A_CONTROLLER["scsi"]


def _check_alone(device: Device, packed: int, guest: Guest, topology: Topology) -> None:
    known = {d.label for d in guest.all_devices()}
    others = [
        f"{owner.label} is at {format_packed(place)}"
        for place, owner in topology.owners.items()
        if place >> 3 == packed >> 3 and place != packed and owner.label in known
    ]
    if others:
        raise refuse(
            device,
            f"cannot hot unplug {device.element} device with multifunction PCI guest address: {format_packed(packed)}",
            "multifunction-unplug",
            _AT_NEXT_BOOT,
            *others,
        )


def _check_bus(device: Device, packed: int, guest: Guest, topology: Topology) -> None:
    bus = topology.buses[packed >> 8]
    controller = next((d for d in guest.controllers if d.is_pci and d.index == bus.index), None)
    if controller is not None and controller.target.get("hotplug") == "off":
        raise refuse(
            device,
            f"cannot hot unplug {device.element} device with PCI guest address: {format_packed(packed)}"
            " - not allowed by controller",
            "no-hotplug",
            _AT_NEXT_BOOT,
            f"{controller.label} has hotplug='off'",
        )
    cold = emulator_refuses(bus, controller, guest)
    if cold is not None:
        raise refuse(
            device, f"Bus '{bus_name(bus)}' does not support hotplugging", "no-hotplug", _AT_NEXT_BOOT, cold.why
        )
