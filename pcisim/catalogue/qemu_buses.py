"""QEMU's buses that are not PCI: who brings them, under which names, and what they take.

Verified against QEMU 7.2.22 (``info qtree``, ``device_add``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

SYSTEM, ISA, I2C, IDE, FLOPPY = "System", "ISA", "i2c-bus", "IDE", "floppy-bus"
SCSI, USB, HDA, SERIAL, CCID, NVME, SD = "SCSI", "usb-bus", "HDA", "virtio-serial-bus", "ccid-bus", "nvme-bus", "sd-bus"
INDUSTRY_PACK, VIRTIO = "IndustryPack", "virtio-bus"


class BusRow(NamedTuple):
    """One row: the buses that a device brings."""

    kind: str
    """What devices say that they sit on."""
    buses: int = 1
    units: int = 0
    """How many numbered places each bus has; 0 where QEMU finds places without end."""
    name: str = "{id}.{number}"
    """Its name, where the device has an id."""
    fixed: str = ""
    """Its name, where it is the same whatever the device is called."""
    speeds: frozenset[str] = frozenset()
    """Of a USB bus, the speeds of devices that it takes."""


FULL, HIGH = "full", "high"
_SCSI = BusRow(SCSI)
_UHCI, _EHCI = BusRow(USB, speeds=frozenset({FULL})), BusRow(USB, speeds=frozenset({HIGH}))
BUSES: Mapping[str, BusRow] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "am53c974", "dc390", "lsi53c810", "lsi53c895a", "megasas", "megasas-gen2", "mptsas1068", "pvscsi",
                "virtio-scsi-pci", "virtio-scsi-pci-transitional", "virtio-scsi-pci-non-transitional",
                "virtio-scsi-device", "usb-bot", "usb-uas",
            ),
            _SCSI,
        ),
        **dict.fromkeys(("ich9-usb-ehci1", "ich9-usb-ehci2", "usb-ehci"), _EHCI),
        **dict.fromkeys(
            (
                "ich9-usb-uhci1", "ich9-usb-uhci2", "ich9-usb-uhci3", "ich9-usb-uhci4", "ich9-usb-uhci5",
                "ich9-usb-uhci6", "pci-ohci", "piix3-usb-uhci", "piix4-usb-uhci",
            ),
            _UHCI,
        ),
        **dict.fromkeys(("nec-usb-xhci", "qemu-xhci"), BusRow(USB, speeds=frozenset({FULL, HIGH}))),
        **dict.fromkeys(
            (
                "virtio-serial-pci", "virtio-serial-pci-transitional", "virtio-serial-pci-non-transitional",
                "virtio-serial-device",
            ),
            BusRow(SERIAL),
        ),
        "ich9-ahci": BusRow(IDE, 6, 1),
        "piix3-ide": BusRow(IDE, 2, 2),
        "piix4-ide": BusRow(IDE, 2, 2),
        "isa-ide": BusRow(IDE, 1, 2),
        "isa-fdc": BusRow(FLOPPY, 1, 2),
        "intel-hda": BusRow(HDA),
        "ich9-intel-hda": BusRow(HDA),
        "usb-ccid": BusRow(CCID),
        "nvme": BusRow(NVME, name="{id}"),
        "sdhci-pci": BusRow(SD, fixed="sd-bus"),
        "tpci200": BusRow(INDUSTRY_PACK),
        "ati-vga": BusRow(I2C, fixed="ati-vga.ddc"),
    }
)  # fmt: skip
"""The buses of each device that brings some; the virtio device inside a virtio-pci one is not listed apart."""

USB_SPEEDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        **dict.fromkeys(
            ("usb-audio", "usb-braille", "usb-ccid", "usb-hub", "usb-net", "usb-serial", "usb-wacom-tablet"),
            frozenset({FULL}),
        ),
        "usb-uas": frozenset({HIGH}),
    }
)
"""The speeds of USB devices that do not have both."""
OLD_USB = ("usb_version", "1")
"""The property and the value with which a USB device has full speed only."""

MASTER_BUS = "masterbus"
"""The property with which a USB controller serves the ports of another one, whose bus it names."""

MACHINE_BUSES: Mapping[str, tuple[tuple[str, str, int], ...]] = MappingProxyType(
    {
        "pc": (
            (SYSTEM, "main-system-bus", 0), (ISA, "isa.0", 0), (I2C, "i2c", 0), (IDE, "ide.0", 2), (IDE, "ide.1", 2),
            (FLOPPY, "floppy-bus.0", 2),
        ),
        "q35": (
            (SYSTEM, "main-system-bus", 0), (ISA, "isa.0", 0), (I2C, "i2c", 0),
            *((IDE, f"ide.{number}", 1) for number in range(6)),
        ),
        "microvm": (
            (SYSTEM, "main-system-bus", 0), (ISA, "isa.0", 0),
            *((VIRTIO, f"virtio-mmio-bus.{number}", 0) for number in range(24)),
        ),
    }
)  # fmt: skip
"""Kind, name and numbered places of the buses that a machine has, by family."""
MACHINE_USB = "usb-bus.0"
"""The bus of the USB controller that a machine has with ``usb=on``."""
FULL_WITH_ONE = frozenset({VIRTIO})
"""Kinds of buses that are full with one device."""

TAKE_HOTPLUG = frozenset({SCSI, USB, SERIAL, CCID})
"""Kinds of buses that take devices while the machine runs."""
HOTPLUG_WITHOUT_BUS = frozenset({"pc-dimm", "nvdimm"})
"""Devices without a bus, CPUs apart, that ``device_add`` takes."""

IOMMUS: Mapping[str, str] = MappingProxyType({"amd-iommu": "AMDVI-PCI", "intel-iommu": ""})
"""The IOMMUs that are no PCI devices, and the PCI function that one brings."""
DYNAMIC: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "amd-iommu": frozenset({"q35"}),
        "intel-iommu": frozenset({"q35"}),
        "ramfb": frozenset({"pc", "q35", "microvm"}),
        "vmbus-bridge": frozenset({"pc", "q35"}),
    }
)
"""The families of machines that take each device of the system bus."""
NEEDS_SETTING: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"nvdimm": ("nvdimm", "nvdimm is not enabled: missing 'nvdimm' in '-M'")}
)
"""Settings of the machine without which a device does not start."""
NEEDS_DEVICE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"hv-syndbg": ("vmbus-bridge", "hv-syndbg device requires vmbus-bridge device")}
)
"""Devices without which another does not start."""
