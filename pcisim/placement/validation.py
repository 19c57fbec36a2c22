"""What libvirt refuses after it has placed everything.

Source: sections 7 and 8.3 of the rules; each refusal was asked of libvirt 11.3.0.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from types import MappingProxyType

from pcisim.catalogue.controllers import (
    FILLED_IN,
    HOST_BRIDGE,
    MAX_INDEX,
    PCI_CONTROLLERS,
    ROOT_MODELS,
    TARGET_RANGES,
    pci_controller,
)
from pcisim.catalogue.devices import ADDRESS_READDRESSED, DIMMS, ICH9_START_PORTS, ON_SPAPR_VIO
from pcisim.catalogue.versions import Libvirt
from pcisim.catalogue.words import FOREIGN, OF_X86, OWN_MODELS
from pcisim.catalogue.x86_machines import X86, Machine
from pcisim.connector import NO_CLASS
from pcisim.errors import RefusedError
from pcisim.guest import IGNORED, Controller, Device, Guest, refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SECONDARY_VIDEO = ("qxl", "virtio")
"""The models that a video device may have which is not the primary one."""
_DRIVE_BUSES = ("ide", "scsi", "sata", "fdc")


def validate(guest: Guest, addresses: Container[Any], rules: Libvirt) -> None:
    """Refuse what libvirt refuses in a definition whose addresses are settled.

    Args:
        guest: a placed guest: the controllers carry their model names and targets.
        addresses: the devices that have a PCI address.
        rules: the version of libvirt.

    Raises:
        RefusedError: the first thing that is refused, in libvirt's words where users search for them.
    """
    machine = guest.machine
    foreign = FOREIGN if guest.arch in X86 else _foreign_to(machine)
    # what libvirt calls none of its own accord counts for nothing, on s390
    usb = [c for c in guest.controllers if c.type == "usb" and not (c.model == "none" and "@model" in c.defaults)]
    _check_usb_indexes(usb)
    for controller in guest.controllers:
        if controller.address_type is not None and controller not in addresses:  # else it is one on PCI by now
            _check_address_type(controller, guest)
        if controller.type == "pci":
            _check_pci_controller(controller, machine)
            if foreign is not FOREIGN and controller.origin is not None:
                _check_hole(controller, guest)
        elif controller.type == "ide":
            _check_ide(controller, guest)
        elif (controller.element, controller.model) in foreign:
            raise _foreign(controller, foreign)
    usb_off = next((c for c in usb if c.model == "none"), None)
    no_usb = all(c.model == "none" for c in usb)
    ccid = next((c for c in guest.controllers if c.type == "ccid"), None)
    if no_usb and ccid is not None:
        raise _without_usb(ccid, usb_off)
    if no_usb and guest.graphics and machine.usb_pointers:
        raise RefusedError(
            _NO_USB,
            code="usb-disabled",
            details=("libvirt adds a keyboard and a mouse on USB, because there is <graphics>",),
            remedy="take <graphics> out, or give the guest a USB controller",
            line=usb_off.line if usb_off is not None else None,
        )
    for element, devices in guest.devices.items():
        check = _CHECKS.get(element)
        for device in devices:
            if device.address_type is not None and (element, device.model) not in DIMMS:
                _check_address_type(device, guest)
            if device.model == "ib700" and rules.several_watchdogs and machine.family != "i440fx":
                raise refuse(
                    device,
                    "ib700 model of watchdog cannot be used with this machine type",
                    "wrong-machine",
                    "use model='itco' (q35) or model='i6300esb'",
                )
            if (element, device.model) in foreign:
                raise _foreign(device, foreign)
            if device.acpi_index is not None and device not in addresses and _is_on_another_bus(device):
                raise refuse(
                    device,
                    "ACPI index is only supported for PCI devices",
                    "acpi-index",
                    "take the <acpi> element out",
                    f"{device.label} has an address of another type than PCI",
                )
            if check is not None:
                check(device, guest, rules)
            if (no_usb or (usb_off is not None and element in _WITHOUT_USB)) and _is_usb(device):
                raise _without_usb(device, usb_off)


_NO_USB = "USB is disabled for this domain, but USB devices are present in the domain XML"


def _without_usb(device: Device, off: Controller | None) -> RefusedError:
    headline, why = _NO_USB, "this machine type has no USB controller of its own"
    if off is not None:
        why = "a USB controller of model 'none' switches USB off" + (f" (line {off.line})" if off.line else "")
        headline = _WITHOUT_USB.get(device.element, headline)
    return refuse(device, headline, "usb-disabled", "take the device out, or give the guest a USB controller", why)


_WITHOUT_USB = {
    "input": "Can't add USB input device. USB bus is disabled",
    "hub": "Can't add USB hub: USB is disabled for this domain",
    "hostdev": "Can't add host USB device: USB is disabled in this host",
}


def check_options(controller: Controller) -> None:
    """Refuse a PCI controller that does not say what nobody fills in for it.

    Raises:
        RefusedError: in libvirt's words.
    """
    row = PCI_CONTROLLERS.get(controller.model)
    if row is None or not row.plug:
        return
    # a device is judged before anything is filled in for it, unlike a definition
    required = ("modelName", *[option for option in row.options if option in FILLED_IN])
    given = {"modelName": controller.model_name, **controller.target}
    missing = next((name for name in required if given.get(name) in (None, "")), None)
    if missing is not None:
        index = -1 if controller.index is None else controller.index
        raise refuse(
            controller,
            f"Required option '{missing}' is not set for PCI controller with index '{index}',"
            f" model '{controller.model}' and modelName '{controller.model_name or 'none'}'",
            "required-option",
            f"write <model name='{row.model_names[0]}'/>"
            + (f" and <target {' '.join(f'{name}=...' for name in required[1:])}/>" if required[1:] else "")
            + ", or edit the definition, where they are filled in",
        )


def _check_hole(controller: Controller, guest: Guest) -> None:
    if controller.model in ROOT_MODELS and controller.origin.find("pcihole64") is not None:
        raise refuse(
            controller,
            f"Setting the 64-bit PCI hole size is not supported for machine '{guest.machine_name}'",
            "wrong-option",
            "take the <pcihole64> element out",
        )


def _check_pci_controller(controller: Controller, machine: Machine) -> None:
    row = pci_controller(controller.model, host_bridges=machine.host_bridges)
    index = controller.index or 0
    if not machine.places_pci:
        check_options(controller)
    if index > MAX_INDEX:
        raise refuse(
            controller,
            f"PCI controller index {index} too high, maximum is {MAX_INDEX}",
            "index-range",
            "number the controllers from 1 without large gaps: libvirt fills each gap with a controller",
        )
    if controller.model_name and controller.model_name not in row.model_names:
        verdict = "has invalid value" if row.model_names else "is not valid"
        raise refuse(
            controller,
            f"Option 'modelName' {verdict} {_for_controller(controller)}",
            "wrong-model-name",
            f"write {' or '.join(row.model_names)}, or leave <model> out" if row.model_names else "leave <model> out",
        )
    for option, value in controller.target.items():
        if option not in row.options:
            name = {"index": "targetIndex", "node": "numaNode"}.get(option, option)
            raise refuse(
                controller,
                f"Option '{name}' is not valid {_for_controller(controller)}",
                "wrong-option",
                f"take '{option}' out of <target>",
                f"a {controller.model} knows {', '.join(row.options) or 'no options'}",
            )
        low, high = TARGET_RANGES.get(option, _ANY)
        if high and not low <= value <= high:
            raise refuse(
                controller,
                f"PCI controller {_OPTION_NAMES.get(option, option)} '{value}' out of range - must be {low}-{high}",
                "target-range",
                f"write a number from {low} to {high}",
            )
    if row is HOST_BRIDGE:
        _check_host_bridge(controller, index)


_ANY = (0, 0)
_OPTION_NAMES = {"index": "target index"}


def _check_host_bridge(controller: Controller, index: int) -> None:
    if (index == 0) != (controller.target["index"] == 0):
        raise refuse(
            controller,
            "Only the PCI controller with index 0 can have target index 0, and vice versa",
            "target-range",
            "leave the target's index out",
        )
    if not index and "node" in controller.target:
        raise refuse(
            controller,
            "The PCI controller with index=0 can't be associated with a NUMA node",
            "wrong-option",
            "take the <node> out, or put the devices on another host bridge",
        )


def _for_controller(controller: Controller) -> str:
    return (
        f"for PCI controller with index '{controller.index or 0}', model '{controller.model}'"
        f" and modelName '{controller.model_name or 'none'}'"
    )


def _check_usb_indexes(controllers: list[Controller]) -> None:
    """Refuse a second USB controller with an index, ICH9 companions excepted."""
    seen: dict[int | None, Controller] = {}
    for item in controllers:
        if item.model not in ICH9_START_PORTS:
            first = seen.setdefault(item.index, item)
            if first is not item:
                error = refuse(
                    item,
                    f"Duplicate USB controllers with index {item.index}",
                    "duplicate-index",
                    "give one of them another index, or leave the index out",
                    f"the first one is a {first.model} controller" + (f" (line {first.line})" if first.line else ""),
                )
                error.parties += (first.label,)
                raise error


def _foreign_to(machine: Machine) -> Mapping[tuple[str, str], str]:
    """Return the models of other machines' than one that is no x86 machine."""
    return {
        model: said for model, said in {**FOREIGN, **OF_X86}.items() if model not in OWN_MODELS.get(machine.family, ())
    }


def _foreign(device: Device, foreign: Mapping[tuple[str, str], str]) -> RefusedError:
    headline = foreign[device.element, device.model]
    return refuse(device, headline, "wrong-machine", "take the device out, or use another model of it")


def _check_ide(controller: Controller, guest: Guest) -> None:
    if not guest.machine.ide:
        error = refuse(
            controller,
            "IDE controllers are unsupported for this QEMU binary or machine type",
            "no-ide",
            "use another bus, such as bus='sata', for the disks",
        )
        disk = next((disk for disk in guest.devices.get("disk", ()) if disk.bus == "ide"), None)
        if disk is not None and controller.origin is None:
            error.details = (f"libvirt adds {controller.label} for {disk.label}, which is on bus='ide'",)
            error.line, error.parties = disk.line, (controller.label, disk.label)
        raise error
    if controller.index:
        raise refuse(
            controller,
            "Only a single IDE controller is supported for this machine type",
            "second-ide",
            "put at most four disks on bus='ide'",
        )


def _check_address_type(device: Device, guest: Guest) -> None:
    if device.address_type == "ccw" and guest.machine.virtio_bus != "ccw":
        raise refuse(
            device,
            f"CCW addresses are not supported by machine type '{guest.machine_type}'",
            "wrong-address-type",
            "leave the address out",
            "only s390 guests have CCW addresses",
        )
    if device.address_type == "unassigned" and device.element != "hostdev":
        raise refuse(
            device,
            "address of type 'unassigned' is supported only for hostdevs",
            "wrong-address-type",
            "leave the address out",
        )


def _is_usb(device: Device) -> bool:
    return (
        device.element in ("hub", "redirdev", "smartcard")
        or (device.element == "interface" and device.kind == "usb")
        or (
            device.element == "interface"
            and device.bus != "hostdev"
            and device.model == "usb-net"
            and not device.plug & NO_CLASS
        )
        or (device.element in ("input", "disk", "hostdev") and device.bus == "usb")
        or (device.element == "sound" and device.model == "usb")
        or (device.element == "filesystem" and device.model == "mtp")
        or (device.element == "serial" and device.model == "usb-serial")
    )


def _is_on_another_bus(device: Device) -> bool:
    """Return whether a device without a PCI address has one of another type, be it that libvirt gives it one."""
    if device.address_type not in (None, IGNORED, "pci"):
        return True
    element = device.element
    if device.address_type == "pci" and (element, device.model) not in ADDRESS_READDRESSED:
        return False  # it is empty, and nothing takes its place
    return (
        _is_usb(device)
        or (element == "disk" and device.bus in _DRIVE_BUSES)
        or (element == "hostdev" and device.bus == "scsi")
        or (element == "channel" and device.bus == "virtio")
        or (element, device.model) in DIMMS | ON_SPAPR_VIO
    )


def _wrong_type(device: Device, headline: str, wanted: str) -> RefusedError:
    return refuse(
        device,
        headline,
        "wrong-address-type",
        "leave the address out" + (f", or give one of type '{wanted}'" if wanted else ""),
        f"{device.label} has an address of type '{device.address_type}'",
    )


def _disk(device: Device, _guest: Guest, _rules: Libvirt) -> None:
    kind = device.address_type
    if device.bus in _DRIVE_BUSES and kind not in (None, "drive"):
        headline = f"Invalid address type '{kind}' for the disk '{device.label[5:]}' with the bus type '{device.bus}'"
        raise _wrong_type(device, headline, "drive")
    if device.bus == "usb" and kind not in (None, "usb"):
        raise _wrong_type(device, "unexpected address type for usb disk", "usb")


def _hostdev(device: Device, _guest: Guest, _rules: Libvirt) -> None:
    kind = device.address_type
    if device.bus == "pci" and kind not in (None, "pci", "unassigned"):
        raise _wrong_type(device, "PCI host devices must use 'pci' or 'unassigned' address type", "pci")
    if device.model == "vfio-pci" and kind not in (None, "pci", "unassigned"):
        raise _wrong_type(device, f"Unsupported address type '{kind}' with mediated device model 'vfio-pci'", "pci")
    if device.model == "vfio-ccw" and kind not in (None, "ccw"):
        raise _wrong_type(device, f"Unsupported address type '{kind}' with mediated device model 'vfio-ccw'", "ccw")
    if device.bus == "usb" and kind not in (None, "usb"):
        raise _wrong_type(device, "USB host device must use 'usb' address type", "usb")
    if device.bus == "scsi_host" and kind not in (None, "pci", "ccw"):
        raise _wrong_type(device, "SCSI_host host device must use 'pci' or 'ccw' address type", "pci")
    if device.bus == "scsi" and kind not in (None, "drive"):
        raise _wrong_type(device, "SCSI host device must use 'drive' address type", "drive")


def _memory(device: Device, _guest: Guest, rules: Libvirt) -> None:
    on_ccw = device.model == "virtio-mem" and rules.memory_on_ccw
    if device.plug and device.address_type not in (None, "pci", *(["ccw"] if on_ccw else [])):
        allowed = "'pci' and 'ccw'" if on_ccw else "'pci'"
        raise _wrong_type(device, f"only {allowed} addresses are supported for the {device.model} device", "pci")


def _interface(device: Device, _guest: Guest, _rules: Libvirt) -> None:
    if device.bus == "hostdev" and device.kind == "usb":
        if device.address_type not in (None, "usb"):
            raise _wrong_type(device, "USB host device must use 'usb' address type", "usb")
    elif device.bus == "hostdev" and device.address_type not in (None, "pci", "unassigned"):
        raise _wrong_type(device, "PCI host devices must use 'pci' or 'unassigned' address type", "pci")


def _usb_only(device: Device, _guest: Guest, _rules: Libvirt) -> None:
    if device.address_type not in (None, "usb") and _is_usb(device):
        raise _wrong_type(device, "Invalid address for a USB device", "usb")


_WITHOUT_ADDRESS = ("system-serial", "sclp-serial")


def _serial(device: Device, guest: Guest, _rules: Libvirt) -> None:
    kind = device.address_type
    if kind is None:
        return
    if device.model == "pci-serial" and kind != "pci":
        raise _wrong_type(device, "Target type 'pci-serial' requires address type 'pci'", "pci")
    if device.model == "isa-debug" and kind != "isa":
        raise _wrong_type(device, "Target type 'isa-debug' requires address type 'isa'", "isa")
    if device.model == "usb-serial" and kind != "usb":
        raise _wrong_type(device, "usb-serial requires address of usb type", "usb")
    if device.model in _WITHOUT_ADDRESS:
        raise _wrong_type(device, f"Target type '{device.model}' cannot have an associated address", "")
    if device.model in ("", "isa-serial") and guest.machine.models.serial == "isa-serial" and kind != "isa":
        raise _wrong_type(device, "Target type 'isa-serial' requires address type 'isa'", "isa")


def _console(device: Device, guest: Guest, _rules: Libvirt) -> None:
    if device.address_type is None or device.bus not in ("", "serial") or guest.devices.get("serial"):
        return
    model = guest.machine.models.serial  # it becomes a serial port
    if model in _WITHOUT_ADDRESS:
        raise _wrong_type(device, f"Target type '{model}' cannot have an associated address", "")
    if model == "isa-serial" and device.address_type != "isa":
        raise _wrong_type(device, "Target type 'isa-serial' requires address type 'isa'", "isa")


def _smartcard(device: Device, _guest: Guest, _rules: Libvirt) -> None:
    if device.address_type not in (None, "ccid"):
        raise _wrong_type(device, "Controllers must use the 'ccid' address type", "ccid")


def _video(device: Device, guest: Guest, _rules: Libvirt) -> None:
    if device is not guest.devices["video"][0] and device.model not in SECONDARY_VIDEO:
        raise refuse(
            device,
            f"video type '{device.model}' is only valid as primary video device",
            "secondary-video",
            "use model type qxl or virtio for every video device but the first",
        )
    if device.model == "ramfb" and device.address_type is not None:
        raise _wrong_type(device, "address not supported for video type ramfb", "")


def _watchdog(device: Device, guest: Guest, _rules: Libvirt) -> None:
    if device.model == "i6300esb":
        if device.address_type not in (None, "pci"):
            raise _wrong_type(device, "i6300esb model of watchdog can go only on PCI bus", "pci")
    elif device.model == "itco" and guest.machine.family != "q35":
        raise refuse(
            device, "itco model of watchdog is only part of q35 machine", "wrong-machine", "use model='i6300esb'"
        )
    elif device.address_type is not None and device.model == "itco":
        raise _wrong_type(device, "itco model of watchdog is part of the machine and cannot have any address set.", "")
    elif device.address_type is not None:
        raise _wrong_type(device, f"{device.model} model of watchdog does not support configuring the address", "")


def _pstore(device: Device, _guest: Guest, _rules: Libvirt) -> None:
    if device.address_type not in (None, "pci", IGNORED):
        raise _wrong_type(device, "ACPI ERST device must reside on a PCI bus", "pci")


def _panic(device: Device, guest: Guest, _rules: Libvirt) -> None:
    kind = device.address_type
    if device.model == "pvpanic" and (kind not in (None, "pci") or not guest.machine.places_pci):
        raise _wrong_type(device, "pvpanic is supported only with PCI address type", "pci")
    if device.model == "isa" and kind not in (None, "isa"):
        raise _wrong_type(device, "panic is supported only with ISA address type", "isa")
    if device.model in ("hyperv", "pseries", "s390") and kind is not None:
        raise _wrong_type(device, f"setting the panic device address is not supported for model '{device.model}'", "")


def _iommu(device: Device, guest: Guest, _rules: Libvirt) -> None:
    if device.model != "virtio":
        if device.address_type is not None:
            raise _wrong_type(device, f"iommu model '{device.model}' can't have address", "")
        if device.model == "intel" and guest.machine.family != "q35":
            raise refuse(
                device,
                "IOMMU device: 'intel' is only supported with Q35 machines",
                "wrong-machine",
                "use a machine of type q35",
            )
        return
    if guest.machine.family not in ("q35", "arm-virt"):
        raise refuse(
            device,
            "IOMMU device: 'virtio' is only supported with Q35 and ARM Virt machines",
            "wrong-machine",
            "use a machine of type q35",
        )
    if not guest.acpi:
        raise refuse(device, "IOMMU device: 'virtio' requires ACPI", "needs-acpi", "add <features><acpi/></features>")
    if device.address_type not in (None, "pci"):
        raise _wrong_type(device, "IOMMU device: 'virtio' needs a PCI address", "pci")


_Check = Callable[[Device, Guest, Libvirt], None]
_CHECKS: Mapping[str, _Check] = MappingProxyType(
    {
        "disk": _disk,
        "hostdev": _hostdev,
        "interface": _interface,
        "memory": _memory,
        "input": _usb_only,
        "redirdev": _usb_only,
        "serial": _serial,
        "console": _console,
        "smartcard": _smartcard,
        "video": _video,
        "watchdog": _watchdog,
        "panic": _panic,
        "pstore": _pstore,
        "iommu": _iommu,
    }
)
