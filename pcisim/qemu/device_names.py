"""QEMU's device for each device of a guest."""

from __future__ import annotations

from types import MappingProxyType

from pcisim.catalogue.devices import DEVICE_MODELS, DRIVERS, SECONDARY_VIDEO
from pcisim.guest import Controller, Device, Guest

_INPUTS = MappingProxyType(
    {
        "mouse": "virtio-mouse-pci",
        "keyboard": "virtio-keyboard-pci",
        "tablet": "virtio-tablet-pci",
        "passthrough": "virtio-input-host-pci",
    }
)


def driver_of(device: Device, guest: Guest) -> str:
    """Return the QEMU device that libvirt makes a device of; "" where it is none on PCI.

    Args:
        device: a device or controller of the guest.
        guest: the guest, whose first video device is the VGA-compatible one.
    """
    if isinstance(device, Controller):
        if device.is_pci:
            return device.model_name
        model = "" if device.type in ("sata", "ide") else device.model
        return DRIVERS.get((f"controller/{device.type}", model), "")
    if device.bus == "hostdev":
        return "vfio-pci"
    if device.row:
        driver = DEVICE_MODELS[device.row].driver
    elif device.element == "input" and device.model:
        driver = _INPUTS.get(device.kind, "virtio-tablet-pci")
    elif device.element == "interface":
        driver = DRIVERS.get(("interface", device.model), device.model)
    else:
        driver = DRIVERS.get((device.element, device.model), "")
    if device.element == "video":
        videos = guest.devices.get("video", [])
        if videos and device is not videos[0]:
            return SECONDARY_VIDEO.get(driver, driver)
    return driver
