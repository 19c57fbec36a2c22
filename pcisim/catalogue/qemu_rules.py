"""What QEMU itself demands of devices: facts, one row each.

Asked of QEMU 7.2.22 (Debian bookworm); for placement QEMU 10.0 gives the same verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REQUIRED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "acpi-erst": ("memdev", "'memdev' property is not set"),
        "ctucan_pci": ("canbus0", "ctucan_connect_to_bus failed"),
        "cxl-type3": ("memdev", "memdev property must be set"),
        "ivshmem-doorbell": ("chardev", "You must specify a 'chardev'"),
        "ivshmem-plain": ("memdev", "You must specify a 'memdev'"),
        "kvaser_pci": ("canbus", "can_sja_connect_to_bus failed"),
        "mioe3680_pci": ("canbus0", "can_sja_connect_to_bus failed"),
        "nvme": ("serial", "serial property not set"),
        "pci-ipmi-bt": ("bmc", "IPMI device requires a bmc attribute to be set"),
        "pci-ipmi-kcs": ("bmc", "IPMI device requires a bmc attribute to be set"),
        "pcm3680_pci": ("canbus0", "can_sja_connect_to_bus failed"),
        "vfio-pci": ("host", "No provided host device"),
        "vfio-pci-nohotplug": ("host", "No provided host device"),
        **dict.fromkeys(
            ("vhost-scsi-pci", "vhost-scsi-pci-non-transitional", "vhost-scsi-pci-transitional"),
            ("wwpn", "vhost-scsi: missing wwpn"),
        ),
        **dict.fromkeys(
            ("vhost-user-blk-pci", "vhost-user-blk-pci-non-transitional", "vhost-user-blk-pci-transitional"),
            ("chardev", "chardev is mandatory"),
        ),
        "vhost-user-fs-pci": ("chardev", "missing chardev"),
        "vhost-user-gpio-pci": ("chardev", "vhost-user-gpio: chardev is mandatory"),
        "vhost-user-i2c-pci": ("chardev", "vhost-user-i2c: missing chardev"),
        "vhost-user-rng-pci": ("chardev", "missing chardev"),
        **dict.fromkeys(
            ("vhost-user-scsi-pci", "vhost-user-scsi-pci-non-transitional", "vhost-user-scsi-pci-transitional"),
            ("chardev", "vhost-user-scsi: missing chardev"),
        ),
        "vhost-user-vsock-pci": ("chardev", "missing chardev"),
        "vhost-user-vsock-pci-non-transitional": ("chardev", "missing chardev"),
        "vhost-vsock-pci": ("guest-cid", "guest-cid property must be greater than 2"),
        "vhost-vsock-pci-non-transitional": ("guest-cid", "guest-cid property must be greater than 2"),
        **dict.fromkeys(
            ("virtio-9p-pci", "virtio-9p-pci-non-transitional", "virtio-9p-pci-transitional"),
            ("fsdev", "9pfs device couldn't find fsdev with the id = NULL"),
        ),
        **dict.fromkeys(
            ("virtio-blk-pci", "virtio-blk-pci-non-transitional", "virtio-blk-pci-transitional"),
            ("drive", "drive property not set"),
        ),
        "virtio-crypto-pci": ("cryptodev", "'cryptodev' parameter expects a valid object"),
        "virtio-input-host-pci": ("evdev", "evdev property is required"),
        "virtio-mem-pci": ("memdev", "'memdev' property must be set"),
        "virtio-pmem-pci": ("memdev", "'memdev' property must be set"),
        "x-pci-proxy-dev": ("fd", "fd parameter not specified for (null)"),
    }
)
"""Properties without which a device does not start, and what QEMU says then."""

ALTERNATIVES: Mapping[str, str] = MappingProxyType({"host": "sysfsdev"})
"""Properties that do as well as a required one."""

ONLY_ONE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        **{
            f"virtio-balloon-pci{variant}": ("virtio-balloon", "Only one balloon device is supported")
            for variant in ("", "-transitional", "-non-transitional")
        },
        "virtio-iommu-pci": ("virtio-iommu", "QEMU does not support multiple vIOMMUs for x86 yet."),
    }
)
"""Devices of which a machine has one at most: what they count as, and what QEMU says to the second."""

NOT_HOTPLUGGABLE = frozenset(
    {
        "VGA", "acpi-erst", "ati-vga", "cirrus-vga", "cxl-rp", "ich9-usb-ehci1", "ich9-usb-ehci2", "ich9-usb-uhci1",
        "ich9-usb-uhci2", "ich9-usb-uhci3", "ich9-usb-uhci4", "ich9-usb-uhci5", "ich9-usb-uhci6", "pci-ohci",
        "piix3-ide", "piix4-ide", "pxb", "pxb-cxl", "pxb-pcie", "qxl-vga", "vhost-user-gpu-pci", "vhost-user-vga",
        "virtio-gpu-pci", "virtio-iommu-pci", "virtio-vga", "vmware-svga",
    }
)  # fmt: skip
"""Devices that ``device_add`` refuses whatever the place."""

NOT_CREATABLE = frozenset({"i440FX", "PIIX3", "piix3", "PIIX4_PM", "mch", "ICH9-LPC", "ICH9-SMB", "gpex-root"})
"""Devices that only come with a machine."""

CLASS_NAMES: Mapping[int, str] = MappingProxyType(
    {
        0x0100: "SCSI controller", 0x0101: "IDE controller", 0x0104: "RAID controller", 0x0106: "SATA controller",
        0x0200: "Ethernet controller", 0x0280: "Network controller", 0x0300: "VGA controller",
        0x0380: "Display controller", 0x0401: "Audio controller", 0x0403: "Audio controller", 0x0600: "Host bridge",
        0x0601: "ISA bridge", 0x0604: "PCI bridge", 0x0680: "Bridge", 0x0700: "Serial port", 0x0900: "Keyboard",
        0x0902: "Mouse", 0x0C03: "USB controller", 0x0C05: "SMBus",
    }
)  # fmt: skip
"""QEMU's names of device classes; the others it prints as ``Class 00ff``."""

CHILD_BUSES: Mapping[str, str] = MappingProxyType(
    {"PIIX3": "isa.0", "ICH9-LPC": "isa.0", "PIIX4_PM": "i2c", "tpci200": "industrypack.0"}
)
"""Buses that are not PCI, of devices that QEMU calls bridges."""

OTHER_BUSES: Mapping[str, str] = MappingProxyType(
    {"main-system-bus": "System", "isa.0": "ISA", "i2c": "i2c-bus", "ide.0": "IDE", "ide.1": "IDE"}
)
"""Names of buses that every machine has and that are not PCI, with their kinds."""

NEEDS_PEER = frozenset(
    {
        "e1000", "e1000-82544gc", "e1000-82545em", "e1000e", "i82550", "i82551", "i82557a", "i82557b", "i82557c",
        "i82558a", "i82558b", "i82559a", "i82559b", "i82559c", "i82559er", "i82562", "i82801", "ne2k_pci", "pcnet",
        "rtl8139", "tulip", "virtio-net-pci", "virtio-net-pci-non-transitional", "virtio-net-pci-transitional",
        "vmxnet3",
    }
)  # fmt: skip
"""Network cards; QEMU warns when they have no peer."""

HIGHEST_ACPI_INDEX = 16383
PATH_LIMIT = 256
"""Bytes of the path by which QEMU names a device's saved state: the length is 7, 5 for each bridge and the device."""

ACPI_SWITCHES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "pc": ("PIIX4_PM.acpi-pci-hotplug-with-bridge-support", "PIIX4_PM.acpi-root-pci-hotplug"),
        "q35": ("ICH9-LPC.acpi-pci-hotplug-with-bridge-support", ""),
    }
)
"""The ``-global`` switches of ACPI hotplug: below bridges, and on the root bus."""

ACPI_SINCE: Mapping[str, tuple[int, int]] = MappingProxyType({"pc": (1, 7), "q35": (6, 1)})
"""The machine version from which ACPI handles hotplug below bridges."""
