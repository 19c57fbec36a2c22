"""What libvirt refuses while it reads a definition, before it knows any place (libvirt rule 8.1).

It reads one kind of devices after the other, in an order of its own, and looks at each device once more when all are
read: so which of several refusals is reported first does not depend on the order of the document.
"""

from __future__ import annotations

from collections.abc import Mapping

from pcisim.catalogue.connectors import NO_CLASS
from pcisim.catalogue.versions import Libvirt
from pcisim.errors import RefusedError
from pcisim.guest import Controller, Device, Guest, refuse
from pcisim.libvirt.drives import check_disks_beside_hostdevs, check_hostdev_beside_disks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_SINGLE = {"memballoon": "memory balloon", "nvram": "nvram", "vsock": "vsock"}
"""Elements of which a guest has at most one, in every version, in the order in which libvirt reads them."""


def single_elements(rules: Libvirt) -> dict[str, str]:
    """Return the elements of which a guest has at most one, and what libvirt calls such a device."""
    single = {"pstore": "pstore"} if rules.places_crypto_and_pstore else {}
    iommu = {} if rules.several_iommus else {"iommu": "IOMMU"}
    watchdog = {} if rules.several_watchdogs else {"watchdog": "watchdog"}
    return watchdog | _SINGLE | iommu | single


def at(device: Device) -> str:
    """Return the line of a device in parentheses, or ``""``."""
    return f" (line {device.line})" if device.line else ""


# while it reads


def check_kinds(guest: Guest, controllers: Iterable[Controller], rules: Libvirt) -> None:
    """Refuse what libvirt refuses while it reads one kind of devices after the other.

    Args:
        guest: the guest, as it was read.
        controllers: its controllers.
        rules: the version of libvirt.

    Raises:
        RefusedError: the first thing that is refused.
    """
    usb = [item for item in controllers if item.type == "usb"]
    disabled = _check_usb(usb)
    devices = guest.devices
    for element in ("serial", "input", "hostdev"):
        for device in devices.get(element, ()):
            _check_on_usb(device, disabled)
    singles = single_elements(rules)
    for element in ("watchdog", "memballoon", "tpm", "nvram", "hub", "redirdev", "iommu", "vsock", "pstore"):
        row = devices.get(element)
        if not row:
            continue
        if element in singles and len(row) > 1:
            raise second(row[1], f"only a single {singles[element]} device is supported", len(row))
        if element == "tpm" and len(row) > 2:
            raise second(row[2], "a maximum of two TPM devices is supported, one of them being a TPM Proxy device")
        if element in ("hub", "redirdev"):
            for device in row:
                _check_on_usb(device, disabled)


def second(device: Device, headline: str, count: int = 2) -> RefusedError:
    """Return the refusal of a device of which there is one already, and of which there are so many."""
    return refuse(device, headline, "second-device", "take one of them out" if count == 2 else "take the others out")


def _check_usb(usb: list[Controller]) -> Controller | None:
    """Refuse USB controllers that do not go together, and return the one that switches USB off."""
    disabled = next((item for item in usb if item.model == "none"), None)
    if disabled and len(usb) > 1:
        other = next(item for item in usb if item is not disabled)
        raise refuse(
            other,
            "Can't add another USB controller: USB is disabled for this domain",
            "usb-disabled",
            "take the controller with model='none' out, or take the other USB controllers out",
            f"a controller of model 'none' switches USB off{at(disabled)}",
        )
    if usb and all(item.companion for item in usb):
        raise refuse(
            usb[0],
            "No master USB controller specified",
            "usb-no-master",
            f"add <controller type='usb' index='{usb[0].index or 0}' model='ich9-ehci1'/>",
            f"{usb[0].model or 'a USB controller'} is a companion: it serves ports of a master, and there is none",
        )
    return disabled


NO_USB = "USB is disabled for this domain, but USB devices are present in the domain XML"
_WITHOUT_USB: Mapping[str, str] = {
    "input": "Can't add USB input device. USB bus is disabled",
    "hub": "Can't add USB hub: USB is disabled for this domain",
    "hostdev": "Can't add host USB device: USB is disabled in this host",
}
"""What libvirt says of some devices as it reads them; of others when it gives them ports."""


def is_usb(device: Device) -> bool:
    """Return whether a device sits on USB."""
    return (
        device.element in ("hub", "redirdev", "smartcard")
        or (device.element == "interface" and (device.kind == "usb" or _is_usb_net(device)))
        or (device.element in ("input", "disk", "hostdev") and device.bus == "usb")
        or (device.element == "sound" and device.model == "usb")
        or (device.element == "filesystem" and device.model == "mtp")
        or (device.element == "serial" and device.model == "usb-serial")
    )


def _is_usb_net(device: Device) -> bool:
    return device.model == "usb-net" and device.bus != "hostdev" and not device.plug & NO_CLASS


def without_usb(device: Device, off: Controller | None, headline: str = NO_USB) -> RefusedError:
    """Return the refusal of a USB device of a guest without USB.

    Args:
        device: the device.
        off: the controller that switches USB off, if there is one.
        headline: libvirt's words.
    """
    why = "this machine type has no USB controller of its own"
    if off is not None:
        why = f"a USB controller of model 'none' switches USB off{at(off)}"
    return refuse(device, headline, "usb-disabled", "take the device out, or give the guest a USB controller", why)


_USB_ADDRESSES: Mapping[str, str] = {
    "input": "Invalid address for a USB device",
    "redirdev": "Invalid address for a USB device",
    "serial": "usb-serial requires address of usb type",
}


def _check_on_usb(device: Device, disabled: Controller | None) -> None:
    if not is_usb(device):
        return
    headline = _USB_ADDRESSES.get(device.element)
    if headline is not None and device.address_type not in (None, "usb"):
        raise wrong_type(device, headline, "usb")
    if disabled is not None and device.element in _WITHOUT_USB:
        raise without_usb(device, disabled, _WITHOUT_USB[device.element])


def wrong_type(device: Device, headline: str, wanted: str) -> RefusedError:
    """Return the refusal of an address of a type that a device cannot have.

    Args:
        device: the device.
        headline: libvirt's words.
        wanted: the type that it may have; "" for none.
    """
    return refuse(
        device,
        headline,
        "wrong-address-type",
        "leave the address out" + (f", or give one of type '{wanted}'" if wanted else ""),
        f"{device.label} has an address of type '{device.address_type}'",
    )


# when all is read, device by device

_ISA_PORTS = 4


def check_devices(guest: Guest, controllers: Iterable[Controller]) -> None:
    """Refuse what libvirt refuses as it looks at each device once more; the machine's own are there by now.

    Args:
        guest: the guest, as it was read.
        controllers: its controllers, those of the machine included.

    Raises:
        RefusedError: the first thing that is refused.
    """
    devices = guest.devices
    serials = [d for d in devices.get("serial", ()) if "port" in d.traits]
    if serials:
        _check_isa_ports(serials)
    hostdevs = devices.get("hostdev")
    if hostdevs:
        disks = devices.get("disk", ())
        check_disks_beside_hostdevs(hostdevs, disks)
        for device in hostdevs:
            if device.bus == "scsi":
                check_hostdev_beside_disks(device, disks)
            else:
                _check_mdev(device)
    for controller in controllers:
        if "iothread" in controller.traits and not _is_virtio_scsi(controller):
            raise refuse(
                controller,
                "'iothread' attribute only supported for virtio scsi controllers",
                "no-iothread",
                "take iothread='...' out of its <driver>, or write model='virtio-scsi'",
            )


def _check_isa_ports(serials: list[Device]) -> None:
    """Refuse more ISA ports than there are, of those that say that they are on ISA; others may say any number."""
    taken: set[int] = set()
    for device in serials:
        port = device.traits["port"]
        if port in taken:
            headline = f"target port '{port}' already allocated"
            raise refuse(device, headline, "port-occupied", "name another port, or leave it out")
        if port >= _ISA_PORTS:
            raise _no_isa_port(device)
        if port >= 0:
            taken.add(port)
    free = _ISA_PORTS - len(taken)
    wanting = [device for device in serials if device.traits["port"] == _ANY_PORT]
    if len(wanting) > free:
        raise _no_isa_port(wanting[free])


_ANY_PORT = -1


def _no_isa_port(device: Device) -> RefusedError:
    return refuse(
        device,
        f"Maximum supported number of ISA serial ports is '{_ISA_PORTS}'",
        "port-range",
        "use <target type='pci-serial'/>, or a port up to 3",
        "libvirt itself writes a higher port for a fifth serial device, and refuses to read it",
    )


def _is_virtio_scsi(controller: Controller) -> bool:
    return controller.type == "scsi" and controller.model.startswith("virtio")


_MDEV_ADDRESSES: Mapping[str, str] = {"vfio-pci": "pci", "vfio-ccw": "ccw"}
"""The type of the address that a mediated device of a model may have."""


def _check_mdev(device: Device) -> None:
    wanted = _MDEV_ADDRESSES.get(device.model)
    kind = device.address_type
    if wanted and kind not in (None, wanted):
        headline = f"Unsupported address type '{kind}' with mediated device model '{device.model}'"
        raise wrong_type(device, headline, wanted)
