"""Who holds an address, as a number: the codes of `FleetPlan.owners`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pcisim.catalogue.controllers import PCI_CONTROLLERS
from pcisim.catalogue.devices import DEVICE_MODELS
from pcisim.guest import Controller, Device

OWNERS: tuple[str, ...] = (*DEVICE_MODELS, *(row.name for row in PCI_CONTROLLERS.values() if row.plug))
"""What each code means: the devices by QEMU's names, then libvirt's PCI controllers.

A device that libvirt implies has the code of its model: the memory balloon that of ``virtio-balloon``, the USB
controller that of ``qemu-xhci`` or ``piix3-usb-uhci``, SATA controller 0 that of ``ich9-ahci``.
"""

CODES: Mapping[str, int] = MappingProxyType({name: code for code, name in enumerate(OWNERS)})
"""The code of each name."""

_BY_MODEL = {(row.element, row.model): CODES[row.name] for row in reversed(list(DEVICE_MODELS.values()))}


def code_of(device: Device) -> int:
    """Return the code of a device or controller of a guest that was described by counts."""
    if device.row:
        return CODES[device.row]
    if isinstance(device, Controller):
        if device.type == "pci":
            return CODES[device.model]
        return _BY_MODEL[f"controller/{device.type}", device.model]
    return _BY_MODEL[device.element, device.model]
