"""Every device element and model of libvirt's: how it plugs in, and QEMU's name for it.

A plug of 0 means that the device needs no PCI address.  `EXPRESS` devices are
conventional where the root bus is: see `plug_on`.

Source: libvirt rules 3 and 5.4; the words and refusals were verified against libvirt 11.3.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from pcisim.catalogue.connectors import CONVENTIONAL as C
from pcisim.catalogue.connectors import EXPRESS as E
from pcisim.catalogue.connectors import INTEGRATED, NO_CLASS
from pcisim.catalogue.controllers import PCI_CONTROLLERS
from pcisim.catalogue.versions import Libvirt

NONE = 0
VIRTIO = MappingProxyType({"virtio": E, "virtio-non-transitional": E, "virtio-transitional": C})
"""The virtio family: only the transitional model is conventional."""

WALK = (
    "disk", "interface", "sound", "hostdev", "video", "controller", "smartcard", "serial", "parallel", "channel",
    "console", "input", "filesystem", "watchdog", "memballoon", "rng", "nvram", "hub", "shmem", "tpm", "panic",
    "memory", "redirdev", "iommu", "vsock", "crypto", "pstore",
)  # fmt: skip
"""Every element that can hold a guest address, in the order in which libvirt walks them."""

READING = (
    "disk", "controller", "filesystem", "interface", "smartcard", "parallel", "serial", "console", "channel", "input",
    "graphics", "sound", "video", "hostdev", "watchdog", "memballoon", "rng", "crypto", "tpm", "nvram", "hub",
    "redirdev", "panic", "shmem", "memory", "iommu", "vsock", "pstore",
)  # fmt: skip
"""The elements in the order in which libvirt reads them, so that of two that it refuses the first is named."""

PLACED = (
    "filesystem", "interface", "sound", "controller", "disk", "hostdev", "memballoon", "rng", "watchdog", "video",
    "shmem", "input", "serial", "iommu", "vsock", "memory", "crypto", "panic", "pstore",
)  # fmt: skip
"""The elements that get PCI addresses, in the order in which libvirt places them (PCI controllers go first)."""

_CONTROLLER_SCSI = {
    "virtio-scsi": E, "virtio-non-transitional": E, "virtio-transitional": C, "lsilogic": C, "buslogic": C,
    "lsisas1068": C, "lsisas1078": C, "vmpvscsi": C,
    "dc390": C, "am53c974": C, "ibmvscsi": NONE, "ncr53c90": NONE,
}  # fmt: skip
_CONTROLLER_USB = {
    "piix3-uhci": C, "piix4-uhci": C, "ehci": C, "ich9-ehci1": C, "ich9-uhci1": C, "ich9-uhci2": C, "ich9-uhci3": C,
    "vt82c686b-uhci": C, "pci-ohci": C, "nec-xhci": E, "qemu-xhci": E, "none": NONE,
}  # fmt: skip

PLUGS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "disk": VIRTIO,  # those on bus virtio; disks on other buses need no PCI address
        "interface": {
            **VIRTIO, "e1000e": E, "igb": E, "rtl8139": C, "e1000": C, "vmxnet": C, "vmxnet2": C, "vmxnet3": C,
            "vlance": C, "Am79C970A": C, "Am79C973": C, "82540EM": C, "82545EM": C, "82543GC": C, "lan9118": C,
            "scm91c111": C, "netfront": C, "usb-net": NONE, "spapr-vlan": NONE,
        },
        "sound": {"ich6": C, "ich9": C, "ac97": C, "es1370": C, "virtio": E, "sb16": NONE, "pcspk": NONE, "usb": NONE},
        "video": {
            "vga": C, "cirrus": C, "vmvga": C, "qxl": C, "xen": C, "vbox": C, "parallels": C, "virtio": E, "bochs": E,
            "none": NONE, "ramfb": NONE, "gop": NO_CLASS,
        },
        "filesystem": {
            **VIRTIO, "virtiofs": E, "mtp": NONE, "loop": NO_CLASS, "nbd": NO_CLASS, "ploop": NO_CLASS,
        },
        "memballoon": {**VIRTIO, "none": NONE, "xen": NO_CLASS},
        "rng": VIRTIO,
        "watchdog": {"i6300esb": C, "ib700": NONE, "itco": NONE, "diag288": NONE},
        "hostdev": {
            "pci": E, "mdev": E, **{f"scsi_host:{model}": plug for model, plug in VIRTIO.items()},
            "vfio-ccw": NONE, "vfio-ap": NONE, "usb": NONE, "scsi": NONE,
        },
        "input": {**VIRTIO, "ps2": NONE, "usb": NONE, "xen": NONE, "parallels": NONE, "none": NONE},
        "shmem": {"ivshmem": C, "ivshmem-plain": C, "ivshmem-doorbell": C},
        "vsock": VIRTIO,
        "memory": {"virtio-pmem": E, "virtio-mem": E, "dimm": NONE, "nvdimm": NONE, "sgx-epc": NONE},
        "iommu": {"virtio": E | INTEGRATED, "amd": E | INTEGRATED, "intel": NONE, "smmuv3": NONE},
        "crypto": {"virtio": C},
        "panic": {"pvpanic": C | INTEGRATED, "isa": NONE, "hyperv": NONE, "pseries": NONE, "s390": NONE},
        "pstore": {"acpi-erst": C},
        "serial": {
            "pci-serial": C, "isa-serial": NONE, "usb-serial": NONE, "spapr-vio-serial": NONE, "system-serial": NONE,
            "sclp-serial": NONE, "isa-debug": NONE,
        },
        "controller/sata": {"": C},
        "controller/ide": {"": C, "piix3": C, "piix4": C, "ich6": C},
        "controller/usb": _CONTROLLER_USB,
        "controller/scsi": _CONTROLLER_SCSI,
        "controller/virtio-serial": {"": E, **VIRTIO},
        "controller/nvme": {"": E},
        "controller/fdc": {"": NONE},
        "controller/ccid": {"": NONE},
        "controller/isa": {"": NO_CLASS},
        "controller/xenbus": {"": NO_CLASS},
    }
)  # fmt: skip

KNOWN_SINCE: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("sound", "virtio"): "places_crypto_and_pstore", ("filesystem", "mtp"): "places_crypto_and_pstore",
        ("panic", "pvpanic"): "places_crypto_and_pstore", ("watchdog", "itco"): "places_crypto_and_pstore",
        ("iommu", "amd"): "amd_iommu", ("controller", "nvme"): "nvme_controllers", ("disk", "nvme"): "nvme_controllers",
        ("disk", "usb-storage"): "usb_disk_models", ("disk", "usb-bot"): "usb_disk_models",
    }
)  # fmt: skip
"""Words of elements that older versions of libvirt do not know: the difference (`Libvirt`) with which each came."""
PLACED_SINCE_11 = ("crypto", "pstore")
"""Elements that libvirt 9.0 does not place."""

ICH9_FUNCTIONS = MappingProxyType({"ich9-ehci1": 7, "ich9-uhci1": 0, "ich9-uhci2": 1, "ich9-uhci3": 2})
"""The function that each ICH9 USB controller has in the slot that the set shares."""
ICH9_START_PORTS = MappingProxyType({"ich9-uhci1": 0, "ich9-uhci2": 2, "ich9-uhci3": 4})
"""The first port of the master that each companion serves."""

DISK_PREFIX_BUSES = (
    ("fd", "ide"), ("hd", "ide"), ("vd", "virtio"), ("sd", "scsi"), ("xvd", "xen"), ("ubd", "uml"),
)  # fmt: skip
"""The bus of a disk that names none and is no floppy, by the prefix of its target."""
DISKS_A_CONTROLLER = MappingProxyType({"scsi": 7, "fdc": 2, "ide": 4, "sata": 6})
"""How many disks share a controller, in the order in which controllers are added; those of NVMe come after them."""
USB_DISK_MODELS = ("usb-storage", "usb-bot")
"""The models of disks that are on USB."""
SCSI_HOSTDEV_UNITS = MappingProxyType({"lsisas1068": 2})
"""How many units of a SCSI controller host devices without an address use; all other models 7."""

ON_VIRTIO_BUS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "disk": frozenset(VIRTIO), "interface": frozenset(VIRTIO), "input": frozenset(VIRTIO), "rng": frozenset(VIRTIO),
        "memballoon": frozenset(VIRTIO), "vsock": frozenset(VIRTIO), "filesystem": frozenset({*VIRTIO, "virtiofs"}),
        "video": frozenset({"virtio"}), "sound": frozenset({"virtio"}), "crypto": frozenset({"virtio"}),
        "memory": frozenset({"virtio-pmem", "virtio-mem"}),
        "hostdev": frozenset({"vfio-ccw", *(f"scsi_host:{model}" for model in VIRTIO)}),
    }
)  # fmt: skip
"""The models that are on the machine's own virtio bus where it has one, by element; and every controller of type scsi
or virtio-serial."""
NEVER_ON_MMIO = frozenset({"filesystem", "vsock"})
"""Elements that are on PCI even where other virtio devices are on virtio-mmio."""

ADDRESS_UNREAD = frozenset({("memballoon", "none"), ("controller/usb", "none")})
"""Devices of whose address, ACPI index and alias libvirt reads nothing, whatever they hold."""
ADDRESS_DROPPED = frozenset({*ADDRESS_UNREAD, ("video", "none"), ("hostdev", "vfio-ap")})
"""Devices whose address libvirt does not keep; a virtio channel is another."""
ON_SPAPR_VIO = frozenset(
    {
        ("controller/scsi", "ibmvscsi"), ("interface", "spapr-vlan"), ("serial", "spapr-vio-serial"), ("nvram", ""),
        ("tpm", "tpm-spapr"),
    }
)  # fmt: skip
"""Devices on spapr-vio, whose address becomes one of that type."""
ELSEWHERE_ON: Mapping[tuple[str, str], str] = MappingProxyType(
    {("hostdev", "vfio-ap"): "s390", ("tpm", "tpm-spapr"): "pseries", ("nvram", ""): "pseries"}
)
"""Those of the devices above whose address stays as it is but on one family of machines."""
DIMMS = frozenset({("memory", "dimm"), ("memory", "nvdimm")})
"""Devices whose address becomes one of type dimm."""
ADDRESS_READDRESSED = frozenset({("hub", ""), *DIMMS})
"""Devices whose PCI address is reserved and then replaced by one of another type."""

ADDRESS_TYPES = frozenset(
    {"pci", "drive", "virtio-serial", "ccid", "usb", "spapr-vio", "virtio-s390", "ccw", "virtio-mmio", "isa", "dimm",
     "unassigned"}
)  # fmt: skip


BOARD_INTERFACES = frozenset({"lan9118", "scm91c111"})
"""Interfaces that are parts of boards; libvirt once took them for devices on PCI."""


def interface_plug(model: str, rules: Libvirt) -> int:
    """Return the plug of an interface's model, as a version of libvirt takes it."""
    if model == "usb-net" and not rules.usb_net_is_usb:
        return NO_CLASS
    if model in BOARD_INTERFACES and rules.board_interfaces_off_pci:
        return NONE
    return PLUGS["interface"].get(model, E)


def plug_on(plug: int, express: bool) -> int:
    """Return the plug of a device on a machine whose root bus is PCI Express, or is not."""
    return plug if express or not plug & E else plug ^ (E | C)


class DeviceModel(NamedTuple):
    """One row: a device by the name that QEMU has for it, without ``-pci``."""

    name: str
    element: str
    """libvirt's element; ``controller/TYPE`` for controllers."""
    model: str
    """The word in `PLUGS`."""
    driver: str
    """QEMU's device."""
    xml: str
    """The element as text; ``{n}`` is the device's number, ``{mac}`` the end of a MAC, ``{disk}`` a disk's target."""


def _rows() -> Mapping[str, DeviceModel]:
    nic = "<interface type='user'><mac address='52:54:00:00:{mac}'/><model type='{model}'/></interface>"
    video = "<video><model type='{model}'/></video>"
    sound = "<sound model='{model}'/>"
    controller = "<controller type='{type}' index='{n}' model='{model}'/>"
    hostdev = (
        "<hostdev mode='subsystem' type='pci' managed='yes'><source>"
        "<address domain='0x0000' bus='0xf0' slot='0x{n:02x}' function='0x0'/></source></hostdev>"
    )
    table = (
        ("virtio-blk", "disk", "virtio", "virtio-blk-pci",
         "<disk type='file' device='disk'><source file='/disks/{disk}'/><target dev='{disk}' bus='virtio'/></disk>"),
        ("virtio-net", "interface", "virtio", "virtio-net-pci", nic),
        ("virtio-net-transitional", "interface", "virtio-transitional", "virtio-net-pci-transitional", nic),
        ("e1000", "interface", "e1000", "e1000", nic),
        ("e1000e", "interface", "e1000e", "e1000e", nic),
        ("igb", "interface", "igb", "igb", nic),
        ("rtl8139", "interface", "rtl8139", "rtl8139", nic),
        ("vmxnet3", "interface", "vmxnet3", "vmxnet3", nic),
        ("pcnet", "interface", "pcnet", "pcnet", nic),
        ("ne2k_pci", "interface", "ne2k_pci", "ne2k_pci", nic),
        ("i82559c", "interface", "i82559c", "i82559c", nic),
        ("tulip", "interface", "tulip", "tulip", nic),
        ("virtio-scsi", "controller/scsi", "virtio-scsi", "virtio-scsi-pci", controller),
        ("lsi", "controller/scsi", "lsilogic", "lsi", controller),
        ("megasas", "controller/scsi", "lsisas1078", "megasas", controller),
        ("mptsas1068", "controller/scsi", "lsisas1068", "mptsas1068", controller),
        ("pvscsi", "controller/scsi", "vmpvscsi", "pvscsi", controller),
        ("am53c974", "controller/scsi", "am53c974", "am53c974", controller),
        ("dc390", "controller/scsi", "dc390", "dc390", controller),
        ("virtio-serial", "controller/virtio-serial", "", "virtio-serial-pci",
         "<controller type='virtio-serial' index='{n}'/>"),
        ("ich9-ahci", "controller/sata", "", "ich9-ahci", "<controller type='sata' index='{n}'/>"),
        ("qemu-xhci", "controller/usb", "qemu-xhci", "qemu-xhci", controller),
        ("nec-usb-xhci", "controller/usb", "nec-xhci", "nec-usb-xhci", controller),
        ("usb-ehci", "controller/usb", "ehci", "usb-ehci", controller),
        ("pci-ohci", "controller/usb", "pci-ohci", "pci-ohci", controller),
        ("piix3-usb-uhci", "controller/usb", "piix3-uhci", "piix3-usb-uhci", controller),
        ("piix4-usb-uhci", "controller/usb", "piix4-uhci", "piix4-usb-uhci", controller),
        ("virtio-rng", "rng", "virtio", "virtio-rng-pci",
         "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"),
        ("virtio-balloon", "memballoon", "virtio", "virtio-balloon-pci", "<memballoon model='virtio'/>"),
        ("vga", "video", "vga", "VGA", video),
        ("qxl", "video", "qxl", "qxl-vga", video),
        ("cirrus-vga", "video", "cirrus", "cirrus-vga", video),
        ("vmware-svga", "video", "vmvga", "vmware-svga", video),
        ("bochs-display", "video", "bochs", "bochs-display", video),
        ("virtio-gpu", "video", "virtio", "virtio-vga", video),
        ("ac97", "sound", "ac97", "AC97", sound),
        ("es1370", "sound", "es1370", "ES1370", sound),
        ("intel-hda", "sound", "ich6", "intel-hda", sound),
        ("ich9-intel-hda", "sound", "ich9", "ich9-intel-hda", sound),
        ("virtio-sound", "sound", "virtio", "virtio-sound-pci", sound),
        ("i6300esb", "watchdog", "i6300esb", "i6300esb", "<watchdog model='i6300esb' action='reset'/>"),
        ("virtio-9p", "filesystem", "virtio", "virtio-9p-pci",
         "<filesystem type='mount' accessmode='mapped'><source dir='/shares/{n}'/><target dir='share{n}'/>"
         "</filesystem>"),
        ("vhost-user-fs", "filesystem", "virtiofs", "vhost-user-fs-pci",
         "<filesystem type='mount'><driver type='virtiofs'/><source dir='/shares/{n}'/><target dir='share{n}'/>"
         "</filesystem>"),
        ("virtio-keyboard", "input", "virtio", "virtio-keyboard-pci", "<input type='keyboard' bus='virtio'/>"),
        ("virtio-mouse", "input", "virtio", "virtio-mouse-pci", "<input type='mouse' bus='virtio'/>"),
        ("virtio-tablet", "input", "virtio", "virtio-tablet-pci", "<input type='tablet' bus='virtio'/>"),
        ("ivshmem-plain", "shmem", "ivshmem-plain", "ivshmem-plain",
         "<shmem name='shmem{n}'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>"),
        ("ivshmem-doorbell", "shmem", "ivshmem-doorbell", "ivshmem-doorbell",
         "<shmem name='shmem{n}'><model type='ivshmem-doorbell'/><server path='/run/shmem{n}'/></shmem>"),
        ("vhost-vsock", "vsock", "virtio", "vhost-vsock-pci", "<vsock model='virtio'><cid auto='yes'/></vsock>"),
        ("virtio-pmem", "memory", "virtio-pmem", "virtio-pmem-pci",
         "<memory model='virtio-pmem' access='shared'><source><path>/pmem/{n}</path></source>"
         "<target><size unit='MiB'>128</size></target></memory>"),
        ("virtio-mem", "memory", "virtio-mem", "virtio-mem-pci",
         "<memory model='virtio-mem'><target><size unit='MiB'>256</size><node>0</node><block unit='MiB'>2</block>"
         "<requested unit='MiB'>128</requested></target></memory>"),
        ("virtio-iommu", "iommu", "virtio", "virtio-iommu-pci", "<iommu model='virtio'/>"),
        ("virtio-crypto", "crypto", "virtio", "virtio-crypto-pci",
         "<crypto model='virtio' type='qemu'><backend model='builtin' queues='1'/></crypto>"),
        ("pvpanic", "panic", "pvpanic", "pvpanic-pci", "<panic model='pvpanic'/>"),
        ("acpi-erst", "pstore", "acpi-erst", "acpi-erst",
         "<pstore backend='acpi-erst'><path>/pstore</path><size unit='KiB'>64</size></pstore>"),
        ("pci-serial", "serial", "pci-serial", "pci-serial", "<serial type='pty'><target type='pci-serial'/></serial>"),
        ("vfio-pci", "hostdev", "pci", "vfio-pci", hostdev),
        ("vhost-scsi", "hostdev", "scsi_host:virtio", "vhost-scsi-pci",
         "<hostdev mode='subsystem' type='scsi_host' managed='no'>"
         "<source protocol='vhost' wwpn='naa.{n:016x}'/></hostdev>"),
    )  # fmt: skip
    return {
        name: DeviceModel(name, element, model, driver, xml.replace("{model}", model).replace("{type}", element[11:]))
        for name, element, model, driver, xml in table
    }


DEVICE_MODELS: Mapping[str, DeviceModel] = MappingProxyType(_rows())
"""What `Guest.of` and ``--device`` take, PCI controllers apart."""
CONTROLLER_MODELS: Mapping[str, DeviceModel] = MappingProxyType(
    {
        row.name: DeviceModel(
            row.name, "controller/pci", row.name, row.model_names[0],
            f"<controller type='pci' index='{{n}}' model='{row.name}'/>",
        )
        for row in PCI_CONTROLLERS.values()
        if row.plug
    }
)  # fmt: skip
"""PCI controllers, by libvirt's names."""
DRIVERS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        **{(row.element, row.model): row.driver for row in reversed(list(DEVICE_MODELS.values()))},
        ("disk", "virtio-transitional"): "virtio-blk-pci-transitional",
        ("disk", "virtio-non-transitional"): "virtio-blk-pci-non-transitional",
        ("interface", "virtio-transitional"): "virtio-net-pci-transitional",
        ("interface", "virtio-non-transitional"): "virtio-net-pci-non-transitional",
        ("controller/scsi", "virtio-transitional"): "virtio-scsi-pci-transitional",
        ("controller/scsi", "virtio-non-transitional"): "virtio-scsi-pci-non-transitional",
        ("controller/virtio-serial", "virtio"): "virtio-serial-pci",
        ("controller/virtio-serial", "virtio-transitional"): "virtio-serial-pci-transitional",
        ("controller/virtio-serial", "virtio-non-transitional"): "virtio-serial-pci-non-transitional",
        ("controller/nvme", ""): "nvme",
        ("controller/ide", ""): "piix3-ide",
        ("controller/usb", "vt82c686b-uhci"): "vt82c686b-usb-uhci",
        ("controller/usb", "ich9-ehci1"): "ich9-usb-ehci1",
        ("controller/usb", "ich9-uhci1"): "ich9-usb-uhci1",
        ("controller/usb", "ich9-uhci2"): "ich9-usb-uhci2",
        ("controller/usb", "ich9-uhci3"): "ich9-usb-uhci3",
        ("iommu", "amd"): "AMDVI-PCI",
        ("rng", "virtio-transitional"): "virtio-rng-pci-transitional",
        ("rng", "virtio-non-transitional"): "virtio-rng-pci-non-transitional",
        ("memballoon", "virtio-transitional"): "virtio-balloon-pci-transitional",
        ("memballoon", "virtio-non-transitional"): "virtio-balloon-pci-non-transitional",
        ("filesystem", "virtio-transitional"): "virtio-9p-pci-transitional",
        ("filesystem", "virtio-non-transitional"): "virtio-9p-pci-non-transitional",
        ("vsock", "virtio-transitional"): "vhost-vsock-pci-transitional",
        ("vsock", "virtio-non-transitional"): "vhost-vsock-pci-non-transitional",
        ("input", "virtio-transitional"): "virtio-input-host-pci-transitional",
        ("input", "virtio-non-transitional"): "virtio-input-host-pci-non-transitional",
        ("hostdev", "scsi_host:virtio-transitional"): "vhost-scsi-pci-transitional",
        ("hostdev", "scsi_host:virtio-non-transitional"): "vhost-scsi-pci-non-transitional",
        ("hostdev", "vfio-pci"): "vfio-pci",
        ("shmem", "ivshmem"): "ivshmem-plain",
    }
)
"""QEMU's device for an element and model; an interface of any other model is a device of that name."""

SECONDARY_VIDEO = MappingProxyType({"VGA": "secondary-vga", "qxl-vga": "qxl", "virtio-vga": "virtio-gpu-pci"})
"""What stands in for the VGA-compatible video device when it is not the primary one."""
