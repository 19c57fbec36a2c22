"""What the random domains are to be like: devices and PCI addresses above all, of machines of every kind."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.oracle.schema.walk import Row, Taste, Value


def one_of(*values: object, **often: int) -> Value:
    """Return a function that writes one of these values, and those named by keyword so many times as often."""
    every: Sequence[str] = [*map(str, values), *(name for name, times in often.items() for _ in range(times))]
    return lambda rng: rng.choice(every)


def number(*values: int) -> Value:
    """Return a function that writes one of these numbers, in one of the bases that libvirt reads."""
    return lambda rng: rng.choice((hex, str))(rng.choice(values))


def path(rng: random.Random) -> str:
    """Return a path of which nothing can be found."""
    return f"/nowhere/{rng.choice('abcdef')}{rng.randrange(100)}"


VALUES: dict[str, Value] = {
    # parts of addresses
    "pciDomain": one_of("0x0000", "0", "0x0", "0x0000", "0", "0x0000", "0", "0x0", "0x0000", "1"),
    "pciBus": number(*[0] * 8, *[1] * 4, *[2] * 3, 3, 4, 5, 9),
    "pciSlot": number(*[0] * 6, *range(32), *range(1, 8)),
    "pciFunc": number(*[0] * 6, *range(8)),
    "driveController": one_of(0, 0, 0, 0, 1, 2),
    "driveBus": one_of(0, 0, 0, 0, 1),
    "driveTarget": one_of(0, 0, 0, 0, 1),
    "driveSCSITarget": one_of(0, 0, 0, 0, 1),
    "driveUnit": one_of(0, 0, 1, 2, 3, 5, 7, 8),
    "driveSCSIUnit": one_of(0, 0, 1, 2, 3, 5, 7, 8),
    "usbAddr": one_of(0, 0, 0, 1, 2),
    "usbId": lambda rng: f"{rng.getrandbits(16):#06x}",
    "usbPort": one_of(1, 1, 2, 3, 4, "1.1", 9),
    "virtioserialPort": one_of(0, 1, 1, 2, 3, 31),
    "spaprvioReg": one_of("0x00001000", "0x00002000", "0x30000000", "0x00005000"),
    "ccidSlot": one_of(0, 0, 0, 1),
    # what names things
    "absFilePath": path,
    "absDirPath": path,
    "filePath": path,
    "UUID": lambda rng: "-".join(f"{rng.getrandbits(4 * n):0{n}x}" for n in (8, 4, 4, 4, 12)),
    "aliasName": lambda rng: f"ua-{rng.getrandbits(24):06x}",
    "cpuset": one_of("0", "0-1", "1"),
    "unit": one_of("KiB", "MiB", "KiB", "MiB", "b", "GiB"),
    # sizes and counts
    "controller@index": one_of(*[0] * 6, *[1] * 5, 2, 2, 2, 3, 3, 4, 5, 7, 9, 30, 255, 256),
    "controller@ports": one_of(1, 2, 4, 8, 15, 16, 31, 32),
    "controller@vectors": one_of(0, 1, 4, 16),
    "target@port": number(*range(9), 16),
    "target@busNr": number(0, 1, 2, 64, 128, 200, 250, 254, 255),
    "target@chassisNr": number(0, 1, 2, 3, 255),
    "target@chassis": number(0, 1, 2, 3, 255),
    "target@index": number(0, 1, 2, 3, 31),
    "acpi@index": one_of(0, 1, 1, 2, 3, 100, 16383, 16384),
    "boot@order": one_of(*range(1, 10)),
    "cid@address": one_of(2, 3, 3, 4),
    "<node>": one_of(0, 0, 1, 2),
    "<size>": one_of(64, 128, 128, 1024, 3),
    "audio@id": one_of(1, 1, 1, 2),
    "cell@memory": one_of(65536),
    "driver@queues": one_of(1, 2, 4),
    "driver@iothread": one_of(1, 1, 1, 2, 3),
    "iothread@id": one_of(1, 2, 3),
    # words that the grammar leaves open
    "interface-options/model@type": one_of(
        *["virtio"] * 8, *["e1000e"] * 3, *["e1000"] * 3, *["rtl8139"] * 3, "virtio-transitional",
        "virtio-non-transitional", "igb", "igb", "vmxnet3", "ne2k_pci", "pcnet", "i82551", "i82557b", "i82559er",
        "tulip", "usb-net", "spapr-vlan", "lan9118", "scm91c111", "ne2k_isa", "netfront", "vlance", "vmxnet2",
        "e1000-82545em", "e1000-82544gc", "rocker", "nosuch",
    ),
    "interface-options/driver@name": one_of("qemu", "vhost", "vfio"),
    "address@address": one_of("10.0.2.2", "fd00::2"),
    "qemucdevSrcDef/source@mode": one_of("connect", "connect", "bind", "server"),
    "qemucdevSrcDef/source@channel": one_of("org.spice-space.webdav.0"),
    "source@network": one_of("default"),
    "source@bridge": one_of("br0"),
    "diskDriver/driver@name": one_of("qemu"),
    "diskDriver/driver@type": one_of("raw", "raw", "qcow2"),
    "hostdevDriver/driver@name": one_of("vfio", "vfio", "vfio", "kvm"),
}  # fmt: skip

DEVICES: dict[str, float] = {
    "disk": 10, "controller": 14, "interface": 8, "hostdev": 5, "video": 4, "input": 3, "sound": 3, "filesystem": 2.5,
    "channel": 1.5, "serial": 2, "console": 1.5, "parallel": 0.7, "redirdev": 1.2, "hub": 0.7, "smartcard": 0.8,
    "rng": 2, "shmem": 1.5, "memorydev": 1.5, "crypto": 1, "tpm": 1, "graphic": 0.6, "audio": 0.3, "lease": 0.1,
    "redirfilter": 0.1,
}  # fmt: skip
ADDRESSES: dict[str, float] = {
    "pci": 12, "drive": 0.6, "usb": 0.6, "virtio-serial": 0.3, "ccid": 0.3, "isa": 0.4, "spapr-vio": 0.2, "ccw": 0.2,
    "virtio-mmio": 0.3, "dimm": 0.3, "unassigned": 0.4,
}  # fmt: skip
CONTROLLERS: dict[str, float] = {
    "pci": 12, "usb": 5, "scsi": 4, "virtio-serial": 3, "fdc": 2.5, "ide": 1, "isa": 0.1, "xenbus": 0.1,
}  # fmt: skip

WEIGHTS: dict[Row, float] = {
    ("hvs", name): float(name == "qemu")
    for name in (
        "qemu", "kqemu", "kvm", "xen", "lxc", "uml", "openvz", "test", "vmware", "hyperv", "vbox", "phyp", "vz",
        "bhyve", "hvf",
    )
}  # fmt: skip
WEIGHTS |= {("os", "osxen"): 0, ("os", "osexe"): 0, ("*", "notAllowed"): 0}
WEIGHTS |= {("devices", name): weight for name, weight in DEVICES.items()}
WEIGHTS |= {("address", name): weight for name, weight in ADDRESSES.items()}
WEIGHTS |= {("disk/address", "drive"): 8, ("disk/address", "usb"): 1}
WEIGHTS |= {("diskspec/address", "drive"): 8, ("diskspec/address", "usb"): 1}
WEIGHTS |= {("controller", name): weight for name, weight in CONTROLLERS.items()}
WEIGHTS |= {("diskSource", name): 0.2 for name in ("diskSourceVolume", "diskSourceDir", "diskSourceVhostVdpa")}
WEIGHTS |= {("diskSource", name): 0.5 for name in ("diskSourceNetwork", "diskSourceNvme", "diskSourceVhostUser")}
WEIGHTS |= {("diskSource", "diskSourceFile"): 6, ("diskSource", "diskSourceBlock"): 3}
WEIGHTS |= {("target", name): 6 for name in ("virtio", "scsi")}
WEIGHTS |= {("target", name): 2 for name in ("sata", "usb", "ide")}
WEIGHTS |= {("interface", name): 3 for name in ("user", "network", "bridge", "hostdev")}
WEIGHTS |= {("interface", name): 0.1 for name in ("vds", "internal")}
WEIGHTS |= {("disk", "lun"): 0.2, ("*", "diskBackingStore"): 0.05, ("filesystem", "mount"): 12}
WEIGHTS |= {("model", name): 4 for name in ("vga", "qxl", "virtio", "cirrus", "bochs", "none")}
WEIGHTS |= {("hostdev", "hostdevcaps"): 0.05, ("hostdevsubsys", "hostdevsubsyspci"): 4}

CHANCES: dict[Row, float] = {
    # what is there, and how much of it
    ("domaincontents", "devices"): 1, ("devices", "disk"): 0.9, ("devices", "emulator"): 0,
    ("devices", "memballoon"): 0.4, ("devices", "watchdog"): 0.25, ("devices", "panic"): 0.25,
    ("devices", "nvram"): 0.1, ("devices", "iommu"): 0.25, ("devices", "vsock"): 0.3, ("devices", "pstore"): 0.2,
    ("*", "storageSourceExtra"): 1, ("*", "privateData"): 0, ("*", "dataStore"): 0.01, ("disk", "backingStore"): 0.03,
    # addresses
    ("*", "address"): 0.35, ("*", "multifunction"): 0.15, ("*", "domain"): 0.5, ("*", "bus"): 0.75, ("*", "slot"): 0.8,
    ("*", "function"): 0.4, ("*", "controller"): 0.7, ("*", "target"): 0.7, ("*", "unit"): 0.8, ("*", "port"): 0.5,
    ("*", "cssid"): 0.7, ("*", "iobase"): 0.5, ("*", "irq"): 0.5, ("*", "reg"): 0.5, ("*", "base"): 0.5,
    # what decides where a device goes
    ("*", "model"): 0.75, ("*", "type"): 0.7, ("*", "index"): 0.8, ("*", "device"): 0.5, ("disk", "model"): 0.1,
    ("*", "usbmaster"): 0.15, ("controller", "target"): 0.2, ("target", "busNr"): 0.3, ("target", "node"): 0.2,
    ("target", "index"): 0.1, ("controller", "ports"): 0.2, ("controller", "model"): 0.8,
    ("controller", "pcihole64"): 0.1, ("*", "source"): 0.9, ("qemucdevSrcDef", "source"): 0.4, ("*", "managed"): 0.3,
    ("*", "server"): 0.5, ("shmem", "size"): 0.5, ("*", "qemucdevTgtDef"): 0.4,
    ("memorydev-target", "node"): 0.9, ("*", "memorydev-source"): 0.3, ("*", "cid"): 0.9,
    ("cid", "auto"): 0.5, ("cid", "address"): 0.3, ("target", "name"): 0.3, ("*", "primary"): 0.1, ("*", "ramfb"): 0.15,
    ("*", "display"): 0.15, ("*", "teaming"): 0.03, ("iommu", "driver"): 0.2, ("video", "driver"): 0.1,
    ("source", "index"): 0.02, ("backingStore", "index"): 0.1, ("mirror", "index"): 0.1,
    ("source", "file"): 0.95, ("source", "dev"): 0.95, ("source", "dir"): 0.95, ("diskSource", "source"): 0.95,
    ("interface-options", "target"): 0.1, ("target", "managed"): 0.1,
    ("qemucdevSrcDef", "path"): 0.9, ("qemucdevSrcDef", "host"): 0.9, ("qemucdevSrcDef", "service"): 0.9,
    ("qemucdevSrcDef", "channel"): 0.9, ("qemucdevSrcDef", "mode"): 0.9,
    # what any device may have
    ("*", "alias"): 0.06, ("*", "acpi"): 0.06, ("acpi", "index"): 0.9, ("*", "deviceBoot"): 0.08, ("*", "rom"): 0.06,
    ("*", "zpci"): 0.04, ("*", "driver"): 0.06, ("*", "diskDriver"): 0.06, ("driver", "iommu"): 0.2,
    ("*", "readonly"): 0.06, ("*", "shareable"): 0.06,
}  # fmt: skip
CHANCES |= {
    ("domaincontents", name): 0 for name in ("lxcsharens", "bhyvecmdline", "xencmdline", "vmwaredatacenterpath", "id")
}

PCI_CONTROLLERS: dict[str, dict[str, float]] = {
    "any": {},
    "pc": {
        "pci-root": 0.15, "pcie-root": 0.05, "pci-bridge": 4, "pci-expander-bus": 1.5, "dmi-to-pci-bridge": 0.1,
        "pcie-to-pci-bridge": 0.2, "pcie-root-port": 0.2, "pcie-switch-upstream-port": 0.1,
        "pcie-switch-downstream-port": 0.1, "pcie-expander-bus": 0.1,
    },
    "q35": {
        "pci-root": 0.15, "pcie-root": 0.6, "pci-bridge": 1, "pci-expander-bus": 0.05, "dmi-to-pci-bridge": 0.5,
        "pcie-to-pci-bridge": 0.7, "pcie-root-port": 4, "pcie-switch-upstream-port": 0.7,
        "pcie-switch-downstream-port": 0.7, "pcie-expander-bus": 0.7,
    },
    "s390": {},
}  # fmt: skip
"""The weights of the models of PCI controllers, by the kind of machine."""
ADDRESSES_OF = {"s390": {"ccw": 6.0}}
"""The weights of the types of addresses, where a kind of machine has others."""

TASTES = {
    name: Taste(
        WEIGHTS
        | {("controller", model): weight for model, weight in models.items()}
        | {("address", each): weight for each, weight in ADDRESSES_OF.get(name, {}).items()},
        CHANCES,
        VALUES,
    )
    for name, models in PCI_CONTROLLERS.items()
}
"""The taste for each kind of machine."""
