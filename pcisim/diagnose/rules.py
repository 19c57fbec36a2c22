"""Every rule by which a guest is judged, one row each.

Three judges: libvirt refuses a definition; the emulator (QEMU) refuses to start it; the firmware and
the guest do not see all of it, or never boot.  The rows of libvirt's refusals carry the codes
of `docs/errors.md`.

Source of the emulator's rows: each was verified against libvirt 11.3.0 with QEMU 10.0 (a paused start) and of
QEMU 7.2; of the guest's rows: measured on QEMU 7.2 with SeaBIOS 1.16.2, OVMF 2022.11 and Linux 6.1.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from pcisim.diagnose.finding import ERROR, NOTE, WARNING

LIBVIRT, EMULATOR, GUEST = "libvirt", "emulator", "guest"


class Rule(NamedTuple):
    """One row."""

    code: str
    severity: str
    judge: str
    """Who refuses it, or where it fails: `LIBVIRT`, `EMULATOR` or `GUEST`."""
    source: str
    """Where the rule is from: a section of libvirt's behaviour, or what was measured."""
    meaning: str


_ROWS = (
    # refused by libvirt: the document itself
    Rule("xml-empty", ERROR, LIBVIRT, "8.1", "the document is empty"),
    Rule("xml-syntax", ERROR, LIBVIRT, "8.1", "the document is not well-formed XML"),
    Rule("xml-encoding", ERROR, LIBVIRT, "8.1", "the document's encoding cannot be read"),
    Rule("xml-doctype", ERROR, LIBVIRT, "pcisim", "a DOCTYPE is never read"),
    Rule("xml-depth", ERROR, LIBVIRT, "pcisim", "elements are nested too deep"),
    Rule("xml-size", ERROR, LIBVIRT, "pcisim", "the document is too large"),
    Rule("not-a-domain", ERROR, LIBVIRT, "8.1", "the root element is not <domain>"),
    Rule("no-os-type", ERROR, LIBVIRT, "8.1", "the domain has no <os><type>"),
    Rule("bad-number", ERROR, LIBVIRT, "1.1", "a number is out of syntax"),
    Rule("bad-attribute", ERROR, LIBVIRT, "1.1", "an attribute is out of syntax"),
    Rule("missing-attribute", ERROR, LIBVIRT, "8.1", "an attribute is missing"),
    Rule("unknown-word", ERROR, LIBVIRT, "8.1", "an attribute holds a word that libvirt does not know"),
    Rule("address-range", ERROR, LIBVIRT, "1.1", "a bus, slot or function is out of range"),
    Rule("address-type", ERROR, LIBVIRT, "8.1", "there is no such type of address"),
    Rule("interface-model", ERROR, LIBVIRT, "8.1", "the model name of an interface has forbidden characters"),
    Rule("disk-name", ERROR, LIBVIRT, "5.1", "a disk's target has no known prefix and the disk no address"),
    Rule("no-target", ERROR, LIBVIRT, "8.1", "a disk has no target"),
    Rule("duplicate-target", ERROR, LIBVIRT, "8.1", "two disks have one target"),
    Rule("missing-source", ERROR, LIBVIRT, "8.1", "a host device does not say which device of the host it is"),
    Rule("disk-bus", ERROR, LIBVIRT, "8.1", "a disk of that kind or model is not for that bus"),
    Rule("input-bus", ERROR, LIBVIRT, "8.3", "an input device of that kind or model is not for that bus"),
    Rule("obsolete-model", ERROR, LIBVIRT, "8.1", "the emulator no longer has that model"),
    Rule("second-element", ERROR, LIBVIRT, "7", "a controller has two of what it may have once"),
    Rule("unknown-model", ERROR, LIBVIRT, "8.1", "libvirt knows no controller of that model"),
    Rule("no-model", ERROR, LIBVIRT, "8.1", "a PCI controller has no model"),
    Rule("zpci", ERROR, LIBVIRT, "1.4", "only s390 guests have zPCI addresses"),
    # refused by libvirt: before allocation
    Rule("unknown-architecture", ERROR, LIBVIRT, "pcisim", "the architecture is not covered"),
    Rule("unknown-machine", ERROR, LIBVIRT, "pcisim", "the machine type is one of another architecture"),
    Rule("machine-not-covered", ERROR, LIBVIRT, "pcisim", "the machine type is not covered as that version of libvirt"),
    Rule("duplicate-index", ERROR, LIBVIRT, "8.1", "two controllers of a type have one index"),
    Rule("duplicate-panic", ERROR, LIBVIRT, "8.1", "two panic devices have one model"),
    Rule("second-device", ERROR, LIBVIRT, "8.1", "a device that may be there once is there twice"),
    Rule("wrong-root", ERROR, LIBVIRT, "4.2", "controller 0 is not the root bus of the machine"),
    Rule("root-index", ERROR, LIBVIRT, "8.1", "a root bus has another index than 0"),
    Rule("root-address", ERROR, LIBVIRT, "7", "a root bus has an address"),
    Rule("wrong-machine", ERROR, LIBVIRT, "7, 8.3", "the machine does not have it"),
    Rule("numa-node", ERROR, LIBVIRT, "7", "the guest has no such NUMA node"),
    Rule("usb-disabled", ERROR, LIBVIRT, "8.1", "USB is switched off, and something needs it"),
    Rule("port-range", ERROR, LIBVIRT, "5.5, 8.1", "there is no such port, of a virtio-serial controller or on ISA"),
    Rule("port-occupied", ERROR, LIBVIRT, "5.5, 8.1", "two channels, consoles or serial ports have one port"),
    Rule("usb-no-master", ERROR, LIBVIRT, "8.1", "USB companions without a master"),
    # refused by libvirt: during allocation
    Rule("no-pci-bus", ERROR, LIBVIRT, "8.2", "the machine has no PCI bus"),
    Rule("domain-range", ERROR, LIBVIRT, "8.2", "guests have PCI domain 0 only"),
    Rule("bus-missing", ERROR, LIBVIRT, "8.2", "no controller has that index"),
    Rule("wrong-plug", ERROR, LIBVIRT, "2", "the bus does not accept the device"),
    Rule("not-integrated", ERROR, LIBVIRT, "2", "the device must sit on bus 0"),
    Rule("slot-range", ERROR, LIBVIRT, "2", "the bus has no such slot: slot 0 of a bridge, above slot 0 of a port"),
    Rule("slot-occupied", ERROR, LIBVIRT, "6.5", "two devices ask for one function"),
    Rule("fixed-place", ERROR, LIBVIRT, "4.3", "IDE 0, SATA 0 and PIIX3 USB 0 have places of their own"),
    Rule("no-more-slots", ERROR, LIBVIRT, "6.3", "no bus that accepts the device has room"),
    Rule("no-slot-for-controller", ERROR, LIBVIRT, "6.6", "no bus takes the controller, and none can be added for it"),
    Rule("cannot-grow", ERROR, LIBVIRT, "6.6", "no bus takes it, and libvirt adds none for its kind"),
    Rule("bridge-order", ERROR, LIBVIRT, "7.3", "a pci-bridge has no higher index than the bus it sits on"),
    Rule("no-host-bridge", ERROR, LIBVIRT, "7.2", "no number is left for a host bridge"),
    Rule("required-option", ERROR, LIBVIRT, "4.1", "a PCI controller says too little where nobody fills it in"),
    Rule("ccw-occupied", ERROR, LIBVIRT, "4.4", "two devices have one CCW address"),
    Rule("zpci-occupied", ERROR, LIBVIRT, "1.4", "two devices have one uid or fid"),
    Rule("no-bus-number", ERROR, LIBVIRT, "7.2", "no bus number is left for an expander"),
    # refused by libvirt: afterwards
    Rule("index-range", ERROR, LIBVIRT, "8.3", "a controller's index is too high"),
    Rule("wrong-model-name", ERROR, LIBVIRT, "7", "the controller is not made of that QEMU device"),
    Rule("wrong-option", ERROR, LIBVIRT, "7", "the controller does not know that option"),
    Rule("target-range", ERROR, LIBVIRT, "7", "a number in <target> is out of range"),
    Rule("no-ide", ERROR, LIBVIRT, "8.3", "the machine has no IDE controller"),
    Rule("second-ide", ERROR, LIBVIRT, "8.3", "a machine has one IDE controller"),
    Rule("wrong-address-type", ERROR, LIBVIRT, "8.3", "the device cannot have an address of that type"),
    Rule("acpi-index", ERROR, LIBVIRT, "1.5", "an ACPI index of 0, or of a device without a PCI address"),
    Rule("secondary-video", ERROR, LIBVIRT, "8.3", "only the primary video device may be of that type"),
    Rule("needs-acpi", ERROR, LIBVIRT, "8.3, 8.4", "the device or the firmware needs ACPI"),
    Rule("filesystem", ERROR, LIBVIRT, "8.3", "a filesystem is of a type that QEMU does not share, or has no target"),
    Rule("nvme-serial", ERROR, LIBVIRT, "13.13", "an NVMe controller has no serial number, or two"),
    Rule("disk-source", ERROR, LIBVIRT, "8.3", "a LUN of the host needs a block device as its source"),
    Rule("drive-range", ERROR, LIBVIRT, "8.6", "a drive address names a controller, bus or target that there is not"),
    Rule("duplicate-drive", ERROR, LIBVIRT, "8.6", "two disks or SCSI host devices have one drive address"),
    Rule("duplicate-hostdev", ERROR, LIBVIRT, "8.5", "a device of the host is given to the guest twice"),
    Rule("duplicate-alias", ERROR, LIBVIRT, "8.3", "two devices have one alias"),
    Rule("duplicate-boot", ERROR, LIBVIRT, "8.1", "two devices have one boot order"),
    Rule("boot-order", ERROR, LIBVIRT, "8.1, 8.3", "a boot order that the device cannot have, or beside one of <os>"),
    Rule("no-shared-memory", ERROR, LIBVIRT, "8.4", "the device shares the guest's memory, which is not shared"),
    Rule("no-iothread", ERROR, LIBVIRT, "8.4", "an I/O thread that the guest or the device cannot have"),
    Rule("memory-device", ERROR, LIBVIRT, "8.4", "a memory device finds no slot, no room or no NUMA node"),
    Rule("needs-uefi", ERROR, LIBVIRT, "8.4", "ACPI needs UEFI on the architecture"),
    Rule("needs-graphics", ERROR, LIBVIRT, "8.4", "the device needs a display"),
    # accepted by libvirt, refused by the emulator
    Rule("single-function", ERROR, EMULATOR, "measured",
         "function 0 says multifunction='off', and other functions of the slot are in use"),
    Rule("chipset-function", ERROR, EMULATOR, "measured",
         "pc's IDE controller is at 00:01.1 even when the definition has none"),
    Rule("virtual-functions", ERROR, EMULATOR, "measured",
         "QEMU holds functions for the virtual ones of an SR-IOV card, and another device is there"),
    Rule("duplicate-chassis", ERROR, EMULATOR, "measured",
         "two ports have one chassis number; QEMU's key is chassis and slot, and libvirt gives no slot"),
    Rule("duplicate-bus-nr", ERROR, EMULATOR, "measured", "two expanders have one busNr"),
    Rule("bus-before-controller", ERROR, EMULATOR, "measured",
         "a controller comes before the one whose bus it sits on, and QEMU makes them in that order"),
    Rule("controller-circle", ERROR, EMULATOR, "measured",
         "controllers sit on each other's buses, and none of them leads to the root"),
    Rule("bridge-depth", ERROR, EMULATOR, "measured", "more than 49 buses deep, QEMU has no name for a device"),
    Rule("no-such-device", ERROR, EMULATOR, "measured", "QEMU has no device of that model, or has it on another bus"),
    Rule("not-on-pci", ERROR, EMULATOR, "measured", "a PCI address of a device that QEMU does not have on PCI"),
    Rule("duplicate-acpi-index", ERROR, EMULATOR, "measured", "two devices have one ACPI index"),
    Rule("acpi-index-range", ERROR, EMULATOR, "measured", "an ACPI index above 16383"),
    # started, but does not boot, or loses something
    Rule("too-many-buses", ERROR, GUEST, "measured", "bus numbers run past 255: the firmware never gets to boot"),
    Rule("io-space", ERROR, GUEST, "measured", "SeaBIOS stops for want of I/O ports: the guest does not boot"),
    Rule("bus-numbers-no-boot", ERROR, GUEST, "measured", "OVMF does not boot when bus numbers overlap"),
    Rule("bus-numbers-overlap", WARNING, GUEST, "measured",
         "an expander's busNr leaves too few numbers for the buses below it, or below the one before it"),
    Rule("io-windows", WARNING, GUEST, "measured", "OVMF has too few I/O windows: bridges or devices go without"),
    Rule("orphan-function", WARNING, GUEST, "measured", "functions of a slot without function 0 are never seen"),
    Rule("companion-orphan", WARNING, GUEST, "measured",
         "ICH9 USB controllers without ich9-uhci1, which is function 0, are never seen"),
    Rule("switched-off", WARNING, GUEST, "measured",
         "without ACPI Linux switches off what is behind the ports of q35, unless SeaBIOS has tables of its own"),
    Rule("interface-name-twice", WARNING, GUEST, "measured",
         "two interfaces would have one name in a Linux guest: one keeps the kernel's ethN"),
    Rule("acpi-index-in-vain", WARNING, GUEST, "measured", "the guest never learns the ACPI index of an interface"),
    Rule("machine-gone", WARNING, EMULATOR, "13.19", "the QEMU of that libvirt has no machine type that old any more"),
    Rule("raw-device", WARNING, EMULATOR, "measured",
         "a raw -device of <qemu:commandline> is not counted, and takes its place before libvirt's own devices"),
    Rule("address-rewritten", WARNING, LIBVIRT, "6.6", "libvirt changes the bus of an explicit address"),
    # sound
    Rule("duplicate-chassis-nr", NOTE, EMULATOR, "measured", "two pci-bridges have one chassisNr; harmless"),
    Rule("conventional-on-port", NOTE, EMULATOR, "2", "a conventional device sits on a PCI Express port"),
    Rule("express-on-conventional", NOTE, EMULATOR, "2", "a PCI Express device sits on a conventional bus"),
    Rule("controllers-filled", NOTE, LIBVIRT, "6.2", "libvirt fills gaps in the indexes with controllers"),
    Rule("place-in-vain", NOTE, LIBVIRT, "1.2", "libvirt keeps a place for a device that is not on PCI"),
    Rule("address-dropped", NOTE, LIBVIRT, "1.2", "libvirt does not keep the explicit address"),
    Rule("no-hot-slot", NOTE, GUEST, "7.6", "a running guest has no slot to attach a device to"),
    Rule("hotplug-off", NOTE, GUEST, "7.6", "the only free slots are on buses whose hotplug is switched off"),
    Rule("interface-bus-number", NOTE, GUEST, "measured",
         "an interface is named after a bus number that is not the index of its controller"),
    Rule("other-model", NOTE, LIBVIRT, "13.1", "libvirt adds a controller of another model than the definition uses"),
    Rule("card-split", NOTE, GUEST, "measured",
         "functions of one card of the host are in different slots of the guest"),
    Rule("group-shared", NOTE, GUEST, "measured",
         "a guest with an IOMMU has devices that share a slot, and so an IOMMU group"),
    Rule("drive-numbers", NOTE, GUEST, "measured", "SeaBIOS has numbers for 16 disks, and more are to have one"),
    Rule("raw-arguments", NOTE, EMULATOR, "pcisim", "raw QEMU arguments of <qemu:commandline> are not counted"),
    Rule("more-findings", NOTE, LIBVIRT, "pcisim", "only the first refusals are listed"),
)  # fmt: skip

RULES = MappingProxyType({row.code: row for row in _ROWS})

NOT_JUDGED = (
    "what the host has, and what its QEMU can do",
    "CPUs, memory sizes and tuning",
    "back-ends of disks, networks and character devices",
    "USB ports",
)
"""What no rule looks at, so that libvirt or the emulator may refuse a guest of which nothing is found."""
NEWER_MACHINE = "give the guest a newer machine type while it is off"
"""What to do about ``machine-gone``; which one is its owner's to decide."""
