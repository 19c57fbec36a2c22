"""What libvirt refuses after it has placed everything.

Source: libvirt rules 7 and 8.3; each refusal was verified against libvirt 11.3.0.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from types import MappingProxyType

from pcisim.catalogue.attribute_words import FOREIGN, OF_X86, OWN_MODELS, USB_MODELS_OF_QEMU, USB_MODELS_OF_SOME
from pcisim.catalogue.controllers import (
    FILLED_IN,
    HOST_BRIDGE,
    MAX_INDEX,
    PCI_CONTROLLERS,
    ROOT_MODELS,
    TARGET_RANGES,
    pci_controller,
)
from pcisim.catalogue.devices import ADDRESS_READDRESSED, DIMMS, ICH9_START_PORTS, ON_SPAPR_VIO, WALK
from pcisim.catalogue.versions import Libvirt
from pcisim.catalogue.x86_machines import X86, Machine
from pcisim.errors import RefusedError
from pcisim.guest import IGNORED, Controller, Device, Guest, refuse
from pcisim.libvirt.conditions import (
    check_definition,
    check_memory_slots,
    check_node,
    check_sharing,
    check_slot_twice,
    check_thread,
    check_tpms,
)
from pcisim.libvirt.drives import check_drive
from pcisim.libvirt.parsing import NO_USB, is_usb, second, without_usb, wrong_type
from pcisim.libvirt.twice import check_twice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SECONDARY_VIDEO = ("qxl", "virtio")
"""The models that a video device may have which is not the primary one."""
_DRIVE_BUSES = ("ide", "scsi", "sata", "fdc", "nvme")


def validate(
    guest: Guest, addresses: Container[Any], rules: Libvirt, overwritten: Container[Any] = frozenset()
) -> None:
    """Refuse what libvirt refuses in a definition whose addresses are settled, in its order (libvirt rule 8.7).

    Args:
        guest: a placed guest: the controllers carry their model names and targets.
        addresses: the devices that have a PCI address.
        rules: the version of libvirt.
        overwritten: the devices whose address, with its zPCI numbers, has given way to a place of the machine.

    Raises:
        RefusedError: the first thing that is refused, in libvirt's words where users search for them.
    """
    machine = guest.machine
    foreign = FOREIGN if guest.arch in X86 else _foreign_to(machine)
    _check_usb(guest)
    check_memory_slots(guest)
    check_definition(guest, rules)
    for panic in guest.devices.get("panic", ()):
        if ("panic", panic.model) in foreign:
            raise _foreign(panic, foreign)
        _panic(panic, guest)
    check_tpms(guest)
    _check_watchdogs(guest.devices.get("watchdog", ()))
    for element in WALK:
        row: Sequence[Device] | None = guest.controllers if element == "controller" else guest.devices.get(element)
        if element == "hostdev" and "interface" in guest.devices:
            for device in guest.devices["interface"]:
                _hostdev_interface(device)
        if not row:
            continue
        before, after = _BEFORE.get(element), _CHECKS.get(element)
        for device in row:
            kind = device.address_type
            if kind is not None and (device in addresses or (element, device.model) in DIMMS):
                kind = "pci" if device in addresses else None  # another than the one that is written, by now
            if kind == "unassigned" and element != "hostdev":
                raise refuse(
                    device,
                    "address of type 'unassigned' is supported only for hostdevs",
                    "wrong-address-type",
                    "leave the address out",
                )
            if before is not None:
                before(device, guest, rules)
            if device.traits:
                _refused_already(device, "refused")
            if kind is not None or element == "disk":
                _check_address(device, kind, guest, rules)
            if kind == "pci" and device.zpci is not None and device not in overwritten and not guest.machine.zpci:
                raise refuse(
                    device,
                    "This QEMU binary doesn't support zPCI",
                    "zpci",
                    "take the <zpci> element out",
                    "only s390 guests have zPCI addresses",
                )
            if device.acpi_index is not None and device not in addresses:
                _check_acpi_index(device)
            if (element, device.model) in foreign and element not in ("panic", "watchdog"):
                raise _foreign(device, foreign)
            if device.traits:
                _refused_already(device, "refused_by_emulator")
            if after is not None:
                after(device, guest, rules)
    check_twice(guest, _walk(guest))


def _refused_already(device: Device, stage: str) -> None:
    """Refuse what the reader has found."""
    if stage in device.traits:
        headline, code, remedy = device.traits[stage]
        raise refuse(device, headline, code, remedy)


def _walk(guest: Guest) -> Iterator[Device]:
    """Yield all devices in the order in which libvirt looks at them."""
    for element in WALK:
        yield from guest.controllers if element == "controller" else guest.devices.get(element, ())


def _check_usb(guest: Guest) -> None:
    """Refuse what finds no USB controller, or two of one index, as libvirt gives USB devices their ports."""
    # what libvirt calls none of its own accord counts for nothing, on s390
    usb = [c for c in guest.controllers if c.type == "usb" and not (c.model == "none" and "@model" in c.defaults)]
    _check_usb_indexes(usb)
    off = next((c for c in usb if c.model == "none"), None)
    if any(c.model != "none" for c in usb):
        return
    for device in _walk(guest):
        if is_usb(device) or (isinstance(device, Controller) and device.type == "ccid"):
            raise without_usb(device, off)
    if guest.graphics and guest.machine.usb_pointers:
        raise RefusedError(
            NO_USB,
            code="usb-disabled",
            details=("libvirt adds a keyboard and a mouse on USB, because there is <graphics>",),
            remedy="take <graphics> out, or give the guest a USB controller",
            line=off.line if off is not None else None,
        )


def _check_address(device: Device, kind: str | None, guest: Guest, rules: Libvirt) -> None:
    """Refuse an address of some type that no device of the guest can have."""
    if kind == "ccw" and guest.machine.virtio_bus != "ccw":
        headline = f"CCW addresses are not supported by machine type '{guest.machine_type}'"
        if not rules.words_of_address_types:
            headline = f"cannot use CCW address type for device '<null>' using machine type '{guest.machine_type}'"
        why = "only s390 guests have CCW addresses"
        raise refuse(device, headline, "wrong-address-type", "leave the address out", why)
    if kind == "virtio-s390":
        raise refuse(device, "virtio-s390 bus doesn't have an address", "wrong-address-type", "leave the address out")
    if kind == "drive" or (kind != "pci" and device.element in ("disk", "hostdev")):
        check_drive(device, guest)


def _check_acpi_index(device: Device) -> None:
    """Refuse the ACPI index of a device with an address of another type, be it that libvirt gives it one."""
    kind, element = device.address_type, device.element
    if isinstance(device, Controller):
        element = f"controller/{device.type}"
    if kind == "pci" and (element, device.model) not in ADDRESS_READDRESSED:
        return  # it is empty, and nothing takes its place
    if (
        kind not in (None, IGNORED, "pci")
        or is_usb(device)
        or element == "controller/ccid"
        or (element == "disk" and device.bus in _DRIVE_BUSES)
        or (element == "hostdev" and device.bus == "scsi")
        or (element == "channel" and device.bus == "virtio")
        or (element, device.model) in DIMMS | ON_SPAPR_VIO
    ):
        raise refuse(
            device,
            "ACPI index is only supported for PCI devices",
            "acpi-index",
            "take the <acpi> element out",
            f"{device.label} has an address of another type than PCI",
        )


def _check_watchdogs(watchdogs: Sequence[Device]) -> None:
    """Refuse two watchdogs of a kind that a machine has one of."""
    models: set[str] = set()
    for watchdog in watchdogs:
        if watchdog.model in models and watchdog.model != "i6300esb":
            raise second(watchdog, f"domain can only have one watchdog with model '{watchdog.model}'")
        models.add(watchdog.model)


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


def _check_usb_model(controller: Controller, guest: Guest) -> None:
    """Refuse a USB controller that the emulator of the architecture does not have (libvirt rule 13.12)."""
    model = controller.model
    only, known = USB_MODELS_OF_QEMU.get(guest.arch), USB_MODELS_OF_SOME.get(model)
    if model not in ("", "none") and ((only and model not in only) or (known and guest.arch not in known)):
        raise refuse(
            controller,
            f"USB controller model '{model}' not supported in this QEMU binary",
            "wrong-machine",
            "write model='qemu-xhci'",
            f"the QEMU of {guest.arch} does not have it",
        )


def _check_hole(controller: Controller, guest: Guest) -> None:
    if guest.machine.takes_hole:
        return
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
    if controller.model_name and controller.model_name not in row.model_names:
        verdict = "has invalid value" if row.model_names else "is not valid"
        raise refuse(
            controller,
            f"Option 'modelName' {verdict} {_for_controller(controller)}",
            "wrong-model-name",
            f"write {' or '.join(row.model_names)}, or leave <model> out" if row.model_names else "leave <model> out",
        )
    for option in controller.target:
        if option not in row.options:
            name = {"index": "targetIndex", "node": "numaNode"}.get(option, option)
            raise refuse(
                controller,
                f"Option '{name}' is not valid {_for_controller(controller)}",
                "wrong-option",
                f"take '{option}' out of <target>",
                f"a {controller.model} knows {', '.join(row.options) or 'no options'}",
            )
    if row is HOST_BRIDGE:
        _check_host_bridge(controller, index)


def _numbers_in_range(controller: Device, guest: Guest, _rules: Libvirt) -> None:
    """Refuse the address of a root bus, and numbers of a PCI controller that are out of range."""
    if not isinstance(controller, Controller) or not controller.is_pci:
        return
    if controller.model in ROOT_MODELS and controller.address_type is not None:
        headline = "pci-root and pcie-root controllers should not have an address"
        raise refuse(controller, headline, "root-address", "take the <address> out")
    row = pci_controller(controller.model, host_bridges=guest.machine.host_bridges)
    index = controller.index or 0
    if index > MAX_INDEX:
        raise refuse(
            controller,
            f"PCI controller index {index} too high, maximum is {MAX_INDEX}",
            "index-range",
            "number the controllers from 1 without large gaps: libvirt fills each gap with a controller",
        )
    for option, value in controller.target.items():
        low, high = TARGET_RANGES.get(option, _ANY)
        if high and option in row.options and not low <= value <= high:
            raise refuse(
                controller,
                f"PCI controller {_OPTION_NAMES.get(option, option)} '{value}' out of range - must be {low}-{high}",
                "target-range",
                f"write a number from {low} to {high}",
            )


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


def check_ide(controller: Controller, guest: Guest) -> None:
    """Refuse an IDE controller that a machine does not have; one without an index is judged as one of another.

    Raises:
        RefusedError: in libvirt's words.
    """
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
    if controller.index != 0:
        raise refuse(
            controller,
            "Only a single IDE controller is supported for this machine type",
            "second-ide",
            "put at most four disks on bus='ide'",
        )


def _disk_source(device: Device, _guest: Guest, _rules: Libvirt) -> None:
    """Refuse what libvirt refuses of a disk by itself."""
    headline, remedy = device.traits.get("lun", ("", ""))
    if headline:
        raise refuse(device, headline, "disk-source", remedy)
    kind = device.address_type
    if device.bus in _DRIVE_BUSES and kind not in (None, "drive"):
        headline = f"Invalid address type '{kind}' for the disk '{device.label[5:]}' with the bus type '{device.bus}'"
        raise wrong_type(device, headline, "drive")
    if device.traits.get("shares") == "vhostuser" and device.bus != "virtio":
        raise refuse(device, "vhostuser disk supports only virtio bus", "disk-bus", "write bus='virtio'")


_LUN_BUSES = ("scsi", "virtio")
_NOT_EJECTABLE = ("virtio", "sd")


def _disk(device: Device, guest: Guest, _rules: Libvirt) -> None:
    traits = device.traits
    if "lun" in traits and device.bus not in _LUN_BUSES:
        headline = f"disk device='lun' is not supported for bus='{device.bus}'"
        raise refuse(device, headline, "disk-bus", "write bus='scsi'")
    if device.bus == "usb" and device.address_type not in (None, "usb"):
        raise wrong_type(device, "unexpected address type for usb disk", "usb")
    if not traits:
        return
    if "cdrom" in traits and device.bus in _NOT_EJECTABLE:
        headline = f"disk type of '{device.label[5:]}' does not support ejectable media"
        raise refuse(device, headline, "disk-bus", "write bus='sata' or bus='scsi'")
    if "iothread" in traits or "iothreads" in traits:
        if device.bus != "virtio":
            headline = f"IOThreads not available for bus {device.bus} target {device.label[5:]}"
            raise refuse(device, headline, "no-iothread", "take the I/O thread out, or write bus='virtio'")
        if "iothread" in traits:
            check_thread(device, guest, traits["iothread"], "Disk iothread '{}' not defined in iothreadid")
        for number in traits.get("iothreads", ()):
            check_thread(device, guest, number, "iothread '{}' not defined in iothreadid")
    if "shares" in traits:
        check_sharing(device, guest, traits["shares"])


def _hostdev(device: Device, guest: Guest, _rules: Libvirt) -> None:
    kind = device.address_type
    if device.bus == "pci" and kind not in (None, "pci", "unassigned"):
        raise wrong_type(device, "PCI host devices must use 'pci' or 'unassigned' address type", "pci")
    if device.bus == "usb" and kind not in (None, "usb"):
        raise wrong_type(device, "USB host device must use 'usb' address type", "usb")
    if device.bus == "scsi_host" and kind not in (None, "pci", "ccw"):
        raise wrong_type(device, "SCSI_host host device must use 'pci' or 'ccw' address type", "pci")
    if device.bus == "scsi" and kind not in (None, "drive"):
        raise wrong_type(device, "SCSI host device must use 'drive' address type", "drive")
    if "boot" in device.traits and device.bus in _NOT_BOOTABLE and device.model != "vfio-ccw":
        what = _NOT_BOOTABLE[device.bus].format(device.model)
        headline = f"booting from assigned devices is not supported by {what}"
        raise refuse(device, headline, "boot-order", "take its <boot> out")
    if "display" in device.traits and not guest.graphics:
        headline = "graphics device is needed for attribute value 'display=on' in <hostdev>"
        raise refuse(device, headline, "needs-graphics", "add <graphics>, or take display='on' out")


_NOT_BOOTABLE: Mapping[str, str] = MappingProxyType(
    {"scsi_host": "vhost SCSI devices", "mdev": "mediated devices of model {}"}
)


def _interface(device: Device, guest: Guest, rules: Libvirt) -> None:
    if device.bus == "vhostuser" and rules.vhostuser_needs_sharing:
        check_sharing(device, guest, "interface")


def _hostdev_interface(device: Device) -> None:
    if device.bus != "hostdev":
        return
    if device.kind == "usb":
        if device.address_type not in (None, "usb") or device.model == _ON_SPAPR_VIO:
            raise wrong_type(device, "USB host device must use 'usb' address type", "usb")
    elif device.address_type not in (None, "pci", "unassigned") or device.model == _ON_SPAPR_VIO:
        raise wrong_type(device, "PCI host devices must use 'pci' or 'unassigned' address type", "pci")


_ON_SPAPR_VIO = "spapr-vlan"
"""The model of an interface that is on another bus, whatever its address says."""


def _controller(device: Device, guest: Guest, rules: Libvirt) -> None:
    if not isinstance(device, Controller):
        return
    if device.is_pci:
        _check_pci_controller(device, guest.machine)
        if guest.arch not in X86 and device.origin is not None:
            _check_hole(device, guest)
    elif device.type == "ide":
        check_ide(device, guest)
    elif device.type == "usb":
        if rules.asks_qemu_for_usb:
            _check_usb_model(device, guest)
    elif "iothread" in device.traits:
        if device.address_type not in (None, "pci", "ccw"):
            headline = "virtio-scsi IOThreads only available for virtio pci and virtio ccw controllers"
            raise refuse(device, headline, "no-iothread", "take iothread='...' out of its <driver>")
        number = device.traits["iothread"]
        check_thread(device, guest, number, "controller iothread '{}' not defined in iothreadid")


def _filesystem_alone(device: Device, _guest: Guest, _rules: Libvirt) -> None:
    """Refuse what libvirt refuses of a filesystem by itself."""
    if not device.traits.get("target", True):
        headline = "missing target information for device"
        raise refuse(device, headline, "filesystem", "add <target dir='...'/>: the tag that the guest mounts")
    if "boot" in device.traits and device.model != "virtiofs":
        headline = "boot order is only supported for virtiofs"
        raise refuse(device, headline, "boot-order", "take its <boot> out")


_NOT_OF_QEMU = ("loop", "nbd", "ploop")
"""Drivers of filesystems that other emulators have."""


def _filesystem(device: Device, guest: Guest, _rules: Libvirt) -> None:
    if device.traits.get("type", "mount") != "mount":
        headline = "only supports mount filesystem type"
        raise refuse(device, headline, "filesystem", "write type='mount' and <source dir='...'/>")
    if device.model in _NOT_OF_QEMU:
        headline = "Filesystem driver type not supported"
        raise refuse(device, headline, "filesystem", "take its <driver> out")
    if device.model == "virtiofs":
        if "boot" in device.traits and device.address_type not in (None, "pci"):
            headline = "setting virtiofs boot order is supported only with PCI bus"
            raise refuse(device, headline, "boot-order", "give it <address type='pci'/>, or take its <boot> out")
        check_sharing(device, guest, "virtiofs")


def _input(device: Device, _guest: Guest, _rules: Libvirt) -> None:
    if device.model in ("virtio-transitional", "virtio-non-transitional"):
        headline = f"virtio (non-)transitional models are not supported for input type={device.kind}"
        raise refuse(device, headline, "input-bus", "write model='virtio'")


_WITHOUT_ADDRESS = ("system-serial", "sclp-serial")


def _serial(device: Device, guest: Guest, _rules: Libvirt) -> None:
    kind = device.address_type
    if kind is None:
        return
    if device.model == "pci-serial" and kind != "pci":
        raise wrong_type(device, "Target type 'pci-serial' requires address type 'pci'", "pci")
    if device.model == "isa-debug" and kind != "isa":
        raise wrong_type(device, "Target type 'isa-debug' requires address type 'isa'", "isa")
    if device.model in _WITHOUT_ADDRESS:
        raise wrong_type(device, f"Target type '{device.model}' cannot have an associated address", "")
    if device.model in ("", "isa-serial") and guest.machine.models.serial == "isa-serial" and kind != "isa":
        raise wrong_type(device, "Target type 'isa-serial' requires address type 'isa'", "isa")


def _console(device: Device, guest: Guest, _rules: Libvirt) -> None:
    if device.address_type is None or device.bus not in ("", "serial") or guest.devices.get("serial"):
        return
    model = guest.machine.models.serial  # it becomes a serial port
    if model in _WITHOUT_ADDRESS:
        raise wrong_type(device, f"Target type '{model}' cannot have an associated address", "")
    if model == "isa-serial" and device.address_type != "isa":
        raise wrong_type(device, "Target type 'isa-serial' requires address type 'isa'", "isa")


def _smartcard(device: Device, _guest: Guest, _rules: Libvirt) -> None:
    if device.address_type not in (None, "ccid"):
        raise wrong_type(device, "Controllers must use the 'ccid' address type", "ccid")


def _video_alone(device: Device, guest: Guest, _rules: Libvirt) -> None:
    """Refuse what libvirt refuses of a video device by itself."""
    videos = guest.devices["video"]
    nothing = next((d for d in videos if d.model == "none"), None) if device is videos[0] else None
    if nothing is not None and len(videos) > 1:
        raise refuse(
            nothing,
            "a 'none' video type must be the only video device defined for the domain",
            "secondary-video",
            "take the others out, or this one",
        )
    if device.model == "ramfb" and device.address_type is not None:
        raise wrong_type(device, "address not supported for video type ramfb", "")


def _video(device: Device, guest: Guest, _rules: Libvirt) -> None:
    if not device.primary and device is not guest.devices["video"][0] and device.model not in SECONDARY_VIDEO:
        raise refuse(
            device,
            f"video type '{device.model}' is only valid as primary video device",
            "secondary-video",
            "use model type qxl or virtio for every video device but the first",
        )


def _watchdog(device: Device, guest: Guest, rules: Libvirt) -> None:
    kind, model = device.address_type, device.model
    if model == "ib700" and rules.several_watchdogs and guest.machine.family != "i440fx":
        raise refuse(
            device,
            "ib700 model of watchdog cannot be used with this machine type",
            "wrong-machine",
            "use model='itco' (q35) or model='i6300esb'",
        )
    if model == "itco" and guest.machine.family != "q35":
        headline = "itco model of watchdog is only part of q35 machine"
        raise refuse(device, headline, "wrong-machine", "use model='i6300esb'")
    if kind is not None and (model != "i6300esb" or kind != "pci"):
        headline = _WATCHDOG_ADDRESSES.get(model, f"{model} model of watchdog does not support configuring the address")
        raise wrong_type(device, headline, "pci" if model == "i6300esb" else "")
    if guest.machine.family != "s390" and ("watchdog", model) in FOREIGN:
        raise _foreign(device, FOREIGN)


_WATCHDOG_ADDRESSES: Mapping[str, str] = MappingProxyType(
    {
        "i6300esb": "i6300esb model of watchdog can go only on PCI bus",
        "itco": "itco model of watchdog is part of the machine and cannot have any address set.",
        "diag288": "diag288 model of watchdog is virtual and cannot go on any bus.",
    }
)


def _pstore(device: Device, _guest: Guest, _rules: Libvirt) -> None:
    if device.address_type not in (None, "pci", IGNORED):
        raise wrong_type(device, "ACPI ERST device must reside on a PCI bus", "pci")


def _panic(device: Device, guest: Guest) -> None:
    kind = device.address_type
    if device.model == "pvpanic" and (kind not in (None, "pci") or not guest.machine.places_pci):
        raise wrong_type(device, "pvpanic is supported only with PCI address type", "pci")
    if device.model == "isa" and kind not in (None, "isa"):
        raise wrong_type(device, "panic is supported only with ISA address type", "isa")
    if device.model in ("hyperv", "pseries", "s390") and kind is not None:
        raise wrong_type(device, f"setting the panic device address is not supported for model '{device.model}'", "")


def _iommu_alone(device: Device, _guest: Guest, _rules: Libvirt) -> None:
    """Refuse what libvirt refuses of an IOMMU by itself."""
    if device.model not in _IOMMUS_ON_PCI and device.address_type is not None:
        raise wrong_type(device, f"iommu model '{device.model}' can't have address", "")


def _iommu(device: Device, guest: Guest, _rules: Libvirt) -> None:
    if device.model in ("intel", "amd") and guest.machine.family != "q35":
        headline = f"IOMMU device: '{device.model}' is only supported with Q35 machines"
        raise refuse(device, headline, "wrong-machine", "use a machine of type q35")
    if device.model not in _IOMMUS_ON_PCI:
        return
    if guest.machine.family not in ("q35", "arm-virt"):
        headline = "IOMMU device: 'virtio' is only supported with Q35 and ARM Virt machines"
        raise refuse(device, headline, "wrong-machine", "use a machine of type q35")
    if device.model == "virtio" and not guest.acpi:
        raise refuse(device, "IOMMU device: 'virtio' requires ACPI", "needs-acpi", "add <features><acpi/></features>")
    if device.address_type not in (None, "pci"):
        raise wrong_type(device, f"IOMMU device: '{device.model}' needs a PCI address", "pci")


_IOMMUS_ON_PCI = ("virtio", "amd")


def _memory(device: Device, guest: Guest, rules: Libvirt) -> None:
    check_node(device, guest)
    if device.model == "sgx-epc" and device.address_type is not None:
        raise wrong_type(device, f"memory device address is not supported for model '{device.model}'", "")
    if rules.memory_without_slots:  # others look at that before all devices
        check_slot_twice(device, guest)


_Check = Callable[[Device, Guest, Libvirt], None]
_BEFORE: Mapping[str, _Check] = MappingProxyType(
    {
        "disk": _disk_source,
        "hostdev": _hostdev,
        "video": _video_alone,
        "controller": _numbers_in_range,
        "smartcard": _smartcard,
        "filesystem": _filesystem_alone,
        "iommu": _iommu_alone,
    }
)
"""What libvirt refuses of a device whatever the emulator: before its address is judged."""
_CHECKS: Mapping[str, _Check] = MappingProxyType(
    {
        "disk": _disk,
        "interface": _interface,
        "video": _video,
        "controller": _controller,
        "serial": _serial,
        "console": _console,
        "input": _input,
        "filesystem": _filesystem,
        "watchdog": _watchdog,
        "memory": _memory,
        "pstore": _pstore,
        "iommu": _iommu,
    }
)
"""What it refuses as its driver of QEMU: afterwards."""
