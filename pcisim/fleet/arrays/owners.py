"""Who holds an address, as a number: the codes of `FleetPlan.owners`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pcisim.catalogue.controllers import PCI_CONTROLLERS
from pcisim.catalogue.devices import DEVICE_MODELS

OWNERS: tuple[str, ...] = (*DEVICE_MODELS, *(row.name for row in PCI_CONTROLLERS.values() if row.plug))
"""What each code means: the devices by QEMU's names, then libvirt's PCI controllers.

A device that libvirt implies has the code of its model: the memory balloon that of ``virtio-balloon``, the USB
controller that of ``qemu-xhci`` or ``piix3-usb-uhci``, SATA controller 0 that of ``ich9-ahci``.
"""

CODES: Mapping[str, int] = MappingProxyType({name: code for code, name in enumerate(OWNERS)})
"""The code of each name."""

MODEL_CODES: Mapping[tuple[str, str], int] = MappingProxyType(
    {(row.element, row.model): CODES[row.name] for row in DEVICE_MODELS.values()}
)
"""The code of each device by libvirt's element (``controller/TYPE``) and model."""
