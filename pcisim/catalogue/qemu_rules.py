"""What QEMU itself demands of devices: facts, one row each.

Verified against QEMU 7.2.22 (Debian bookworm); for placement QEMU 10.0 gives the same verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REQUIRED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "acpi-erst": ("memdev", "'memdev' property is not set"),
        "ctucan_pci": ("canbus0", "ctucan_connect_to_bus failed"),
        "ccid-card-passthru": ("chardev", "missing chardev"),
        "cxl-type3": ("memdev", "memdev property must be set"),
        "ide-hd": ("drive", "No drive specified"),
        "ipmi-bmc-extern": ("chardev", "IPMI external bmc requires chardev attribute"),
        "isa-debugcon": ("chardev", "Can't create debugcon device, empty char device"),
        **dict.fromkeys(("isa-ipmi-bt", "isa-ipmi-kcs"), ("bmc", "IPMI device requires a bmc attribute to be set")),
        "isa-parallel": ("chardev", "Can't create parallel device, empty char device"),
        "ivshmem-doorbell": ("chardev", "You must specify a 'chardev'"),
        "ivshmem-plain": ("memdev", "You must specify a 'memdev'"),
        "kvaser_pci": ("canbus", "can_sja_connect_to_bus failed"),
        "mioe3680_pci": ("canbus0", "can_sja_connect_to_bus failed"),
        "nvdimm": ("memdev", "'memdev' property must be set"),
        "nvme": ("serial", "serial property not set"),
        "nvme-ns": ("drive", "block backend not configured"),
        "pc-dimm": ("memdev", "'memdev' property must be set"),
        "pci-ipmi-bt": ("bmc", "IPMI device requires a bmc attribute to be set"),
        "pci-ipmi-kcs": ("bmc", "IPMI device requires a bmc attribute to be set"),
        "pcm3680_pci": ("canbus0", "can_sja_connect_to_bus failed"),
        **dict.fromkeys(("scsi-block", "scsi-generic", "scsi-hd"), ("drive", "drive property not set")),
        "smbus-ipmi": ("bmc", "IPMI device requires a bmc attribute to be set"),
        **dict.fromkeys(("tpm-crb", "tpm-tis"), ("tpmdev", "'tpmdev' property is required")),
        **dict.fromkeys(("usb-braille", "usb-serial"), ("chardev", "Property chardev is required")),
        "usb-mtp": ("rootdir", "usb-mtp: rootdir must be configured and be an absolute path"),
        "usb-redir": ("chardev", "Parameter 'chardev' is missing"),
        "usb-storage": ("drive", "drive property not set"),
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
        "vmmouse": ("i8042", "'i8042' link is not set"),
        "x-pci-proxy-dev": ("fd", "fd parameter not specified for (null)"),
    }
)
"""Properties without which a device does not start, and what QEMU says then."""
REQUIRED_TOO: Mapping[str, tuple[str, str]] = MappingProxyType({"cxl-type3": ("lsa", "lsa property must be set")})
"""A second one of them."""

ALTERNATIVES: Mapping[str, str] = MappingProxyType({"host": "sysfsdev"})
"""Properties that do as well as a required one."""

_ONE_VGA = ("isa-vga", "Only one global VGA device can be used at a time")
_ONE_IOMMU = ("iommu", "QEMU does not support multiple vIOMMUs for x86 yet.")
ONLY_ONE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        **{
            f"virtio-balloon-pci{variant}": ("virtio-balloon", "Only one balloon device is supported")
            for variant in ("", "-transitional", "-non-transitional")
        },
        **dict.fromkeys(("virtio-iommu-pci", "intel-iommu", "amd-iommu"), _ONE_IOMMU),
        **dict.fromkeys(("isa-vga", "isa-cirrus-vga"), _ONE_VGA),
        "pvpanic": ("pvpanic", "duplicate fw_cfg file name: etc/pvpanic-port"),
        "ramfb": ("ramfb", "duplicate fw_cfg file name: vgaroms/vgabios-ramfb.bin"),
        "rocker": ("rocker", "msix_vector_unuse: Assertion `vector < dev->msix_entries_nr' failed."),
        "sga": ("sga", "duplicate fw_cfg file name: vgaroms/sgabios.bin"),
        "vmbus-bridge": ("vmbus-bridge", "there can be at most one vmbus-bridge in the system"),
        "vmcoreinfo": ("vmcoreinfo", "at most one vmcoreinfo device is permitted"),
        "vmgenid": ("vmgenid", "at most one vmgenid device is permitted"),
        "vmware-svga": ("vmware-svga", 'RAMBlock "vmsvga.fifo" already registered, abort!'),
    }
)
"""Devices of which a machine has one at most: what they count as, and what QEMU says to the second."""

DISPLAYS = frozenset(
    {
        "VGA", "ati-vga", "bochs-display", "cirrus-vga", "isa-cirrus-vga", "isa-vga", "qxl", "qxl-vga", "ramfb",
        "secondary-vga", "virtio-gpu-pci", "virtio-vga", "vmware-svga",
    }
)  # fmt: skip
"""Devices with a display."""
FIRST_DISPLAY: Mapping[str, str] = MappingProxyType(
    {"qxl-vga": "primary qxl-vga device must be console 0 (first display device on the command line)"}
)
"""Displays that must be the first one, and what QEMU says when they are not."""

MISSING_MODULES: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("virtio-vga-gl", "virtio-gpu-gl-pci"), "missing object type 'virtio-gpu-gl-device'")
)
"""Devices that need a module which is not installed with QEMU itself, and what it says without."""

NOT_HOTPLUGGABLE = frozenset(
    {
        "VGA", "acpi-erst", "amd-iommu", "ati-vga", "cirrus-vga", "cxl-rp", "ich9-usb-ehci1", "ich9-usb-ehci2",
        "ich9-usb-uhci1", "ich9-usb-uhci2", "ich9-usb-uhci3", "ich9-usb-uhci4", "ich9-usb-uhci5", "ich9-usb-uhci6",
        "intel-iommu", "ipmi-bmc-extern", "ipmi-bmc-sim", "nvme-subsys", "pci-ohci", "piix3-ide", "piix4-ide", "pxb",
        "pxb-cxl", "pxb-pcie", "qxl-vga", "vhost-user-gpu-pci", "vhost-user-vga", "virtio-gpu-pci", "virtio-iommu-pci",
        "virtio-vga", "vmcoreinfo", "vmgenid", "vmware-svga",
    }
)  # fmt: skip
"""Devices that ``device_add`` refuses whatever the place."""
NO_BUS_TO_PLUG = frozenset({"nvme-subsys"})
"""Those of `NOT_HOTPLUGGABLE` that QEMU 10.0 refuses for want of a bus instead."""

NOT_CREATABLE = frozenset({"i440FX", "PIIX3", "piix3", "PIIX4_PM", "mch", "ICH9-LPC", "ICH9-SMB", "gpex-root"})
"""Devices that only come with a machine."""

CLASS_NAMES: Mapping[int, str] = MappingProxyType(
    {
        0x0001: "VGA controller", 0x0100: "SCSI controller", 0x0101: "IDE controller", 0x0102: "Floppy controller",
        0x0103: "IPI controller", 0x0104: "RAID controller", 0x0106: "SATA controller", 0x0107: "SAS controller",
        0x0180: "Storage controller", 0x0200: "Ethernet controller", 0x0201: "Token Ring controller",
        0x0202: "FDDI controller", 0x0203: "ATM controller", 0x0280: "Network controller", 0x0300: "VGA controller",
        0x0301: "XGA controller", 0x0302: "3D controller", 0x0380: "Display controller", 0x0400: "Video controller",
        0x0401: "Audio controller", 0x0402: "Phone", 0x0403: "Audio controller", 0x0480: "Multimedia controller",
        0x0500: "RAM controller", 0x0501: "Flash controller", 0x0580: "Memory controller", 0x0600: "Host bridge",
        0x0601: "ISA bridge", 0x0602: "EISA bridge", 0x0603: "MC bridge", 0x0604: "PCI bridge",
        0x0605: "PCMCIA bridge", 0x0606: "NUBUS bridge", 0x0607: "CARDBUS bridge", 0x0608: "RACEWAY bridge",
        0x0680: "Bridge", 0x0700: "Serial port", 0x0701: "Parallel port", 0x0800: "Interrupt controller",
        0x0801: "DMA controller", 0x0802: "Timer", 0x0803: "RTC", 0x0900: "Keyboard", 0x0901: "Pen", 0x0902: "Mouse",
        0x0A00: "Dock station", 0x0B00: "i386 cpu", 0x0C00: "Firewire controller", 0x0C01: "Access bus controller",
        0x0C02: "SSA controller", 0x0C03: "USB controller", 0x0C04: "Fibre channel controller", 0x0C05: "SMBus",
    }
)  # fmt: skip
"""QEMU's names of device classes; the others it prints as ``Class 00ff``."""

CHILD_BUSES: Mapping[str, str] = MappingProxyType(
    {"PIIX3": "isa.0", "ICH9-LPC": "isa.0", "PIIX4_PM": "i2c", "tpci200": "industrypack.0"}
)
"""Buses that are not PCI, of devices that QEMU calls bridges."""

NEEDS_PEER = frozenset(
    {
        "e1000", "e1000-82544gc", "e1000-82545em", "e1000e", "i82550", "i82551", "i82557a", "i82557b", "i82557c",
        "i82558a", "i82558b", "i82559a", "i82559b", "i82559c", "i82559er", "i82562", "i82801", "ne2k_pci", "pcnet",
        "rtl8139", "tulip", "virtio-net-pci", "virtio-net-pci-non-transitional", "virtio-net-pci-transitional",
        "vmxnet3",
    }
)  # fmt: skip
"""Network cards; QEMU warns when they have no peer."""

SETS_MULTIFUNCTION: Mapping[str, str] = MappingProxyType({"nvme": "sriov_max_vfs"})
"""Devices that have the multifunction bit when a property is not 0, once they are in their place."""

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

ACPI_SINCE: Mapping[str, tuple[int, int]] = MappingProxyType({"pc": (2, 0), "q35": (6, 1)})
"""The machine version from which ACPI handles hotplug below bridges."""

FAMILIES: Mapping[str, str] = MappingProxyType({"i440fx": "pc", "q35": "q35"})
"""libvirt's families of machines that QEMU builds, and the names that go with them here."""
CORES_FIRST_SINCE = (6, 2)
"""The machine version from which processors are cores of few sockets, where nothing says otherwise."""
DEFAULT_CPU = "qemu64"
AMD_PROCESSORS = ("qemu64", "EPYC", "Opteron", "athlon", "phenom")
"""What the names of processors of AMD's begin with; those of other makers say 40 address bits where they have more."""
