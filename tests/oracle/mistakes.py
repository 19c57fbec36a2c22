"""Deliberate mistakes: the rows of sections 8.1 to 8.3 of libvirt's rules.

Each comes with a pattern that libvirt's refusal matches, so that a mistake that is refused
for another reason, or not at all, is noticed.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.oracle import snippets as s
from tests.oracle.draft import Draft, mistake
from tests.oracle.snippets import el

PLUG = "cannot be plugged into the PCI controller"
DOUBLE = "Attempted double use of PCI Address"
NO_SLOT = "a PCI slot is needed to connect a PCI controller"
OPTION = "is not valid for PCI controller"
NO_BUS = "No PCI buses available"


def pci(**parts: object) -> str:
    """Return a PCI address with just these attributes."""
    return el("address", {"type": "pci", **parts})


def port(index: int | None, model: str | None = None, inner: str = "") -> str:
    """Return a PCI controller."""
    return s.controller("pci", index, model, inner)


def address(bus: int, slot: int, function: int = 0) -> str:
    return pci(domain="0x0000", bus=f"0x{bus:02x}", slot=f"0x{slot:02x}", function=f"0x{function}")


# tag, pattern, families, XML of the devices
TABLE: tuple[tuple[str, str, str, str], ...] = (
    # 8.1
    ("8.1/not-a-number", "non-negative integer", "pc q35", s.interface("virtio", pci(slot="1f"))),
    ("8.1/negative", "non-negative integer", "pc q35", s.interface("virtio", pci(slot="-1"))),
    ("8.1/multifunction-word", "multifunction", "pc q35", s.interface("virtio", pci(slot="4", multifunction="yes"))),
    ("8.1/bus-range", "must be <= 0xFF", "pc q35", s.interface("virtio", pci(bus="256", slot="1"))),
    ("8.1/slot-range", "must be <= 0x1F", "pc q35", s.interface("virtio", pci(slot="32"))),
    ("8.1/function-range", "must be <= 7", "pc q35", s.interface("virtio", pci(slot="4", function="8"))),
    ("8.1/address-without-type", "type", "pc q35", s.interface("virtio", "<address slot='0x05'/>")),
    ("8.1/address-type-unknown", "type", "pc q35", s.interface("virtio", "<address type='pcix' slot='5'/>")),
    ("8.1/address-type-none", "none", "pc q35", s.interface("virtio", "<address type='none'/>")),
    ("8.1/model-unknown", "Unknown model type", "pc q35", port(1, "pcie-port")),
    ("8.1/model-missing", "model was not set", "pc q35", port(1)),
    ("8.1/same-index-port", "Multiple 'pci'", "q35", port(9, "pcie-root-port") * 2),
    ("8.1/same-index-bridge", "Multiple 'pci'", "pc", port(9, "pci-bridge") * 2),
    ("8.1/same-index-scsi", "Multiple 'scsi'", "pc q35", s.controller("scsi", 9, "virtio-scsi") * 2),
    ("8.1/wrong-root", "must be model='pcie-root'", "q35", port(0, "pci-root")),
    ("8.1/wrong-root", "must be model='pci-root'", "pc", port(0, "pcie-root")),
    ("5.2/unindexed-without-root", "must be model='pcie-root'", "q35", port(None, "pcie-root-port")),
    ("8.1/root-index", "should have index 0", "q35", port(0, "pcie-root") + port(3, "pcie-root")),
    ("8.1/root-index", "should have index 0", "pc", port(0, "pci-root") + port(3, "pci-root")),
    ("8.1/expander-machine", "440fx", "q35", port(1, "pci-expander-bus")),
    ("8.1/expander-machine", "not supported with this machine", "pc", port(1, "pcie-expander-bus")),
    ("8.1/numa-node", "NUMA node", "pc", port(1, "pci-expander-bus", el("target", {}, "<node>5</node>"))),
    ("8.1/numa-node", "NUMA node", "q35", port(1, "pcie-expander-bus", el("target", {}, "<node>5</node>"))),
    (
        "8.1/usb-none-and-more",
        "USB is disabled",
        "pc q35",
        s.controller("usb", 0, "none") + s.controller("usb", 1, "ehci"),
    ),
    ("8.1/ich9-without-master", "No master USB", "pc q35", s.ich9(0, 0) + s.ich9(0, 1)),
    (
        "8.1/usb-input-while-none",
        "USB bus is disabled",
        "pc q35",
        s.controller("usb", 0, "none") + s.input_device("tablet", "usb"),
    ),
    (
        "8.1/usb-hub-while-none",
        "USB is disabled",
        "pc q35",
        s.controller("usb", 0, "none") + el("hub", {"type": "usb"}),
    ),
    ("8.1/usb-index-twice", "Duplicate USB", "pc q35", s.controller("usb", 1, "ehci") * 2),
    ("8.1/two-roots", "should have index 0", "pc", port(None, "pci-root") + port(0, "pci-root")),
    ("8.1/index-hexadecimal", "Expected integer", "pc q35", s.controller("scsi", "0x1")),
    ("8.1/number-trailing-blank", "non-negative integer", "pc q35", s.interface("virtio", pci(slot="9 "))),
    ("8.1/number-not-octal", "non-negative integer", "pc q35", s.interface("virtio", pci(slot="09"))),
    ("8.2/ich9-companion-twice", DOUBLE, "pc", s.ich9(0, 7) + s.ich9(0, 0) * 2),
    (
        "8.2/taken-by-ps2-mouse",
        DOUBLE,
        "pc",
        s.input_device("mouse", "ps2", address(0, 9)) + s.interface("virtio", address(0, 9)),
    ),
    ("8.2/bridge-on-bus-to-come", NO_SLOT, "pc", port(1, "pci-bridge", address(3, 1))),
    ("8.2/dedicated-port", PLUG, "q35", s.interface("e1000", address(1, 1)) + s.interface("virtio", address(1, 0))),
    # 8.2
    ("8.2/no-bus-balloon", NO_BUS, "isapc", s.controller("usb", 0, "none")),
    ("8.2/no-bus-disk", NO_BUS, "isapc", s.disk("vda", "virtio")),
    ("8.2/no-bus-address", NO_BUS, "isapc", s.interface("ne2k_pci", address(0, 4))),
    ("8.2/domain", "Only PCI domain 0", "pc q35", s.interface("virtio", pci(domain="0x0001", slot="5"))),
    (
        "8.2/endpoint-on-switch",
        PLUG,
        "q35",
        port(1, "pcie-root-port") + port(2, "pcie-switch-upstream-port") + s.interface("virtio", address(2, 3)),
    ),
    ("8.2/endpoint-on-pcie-expander", PLUG, "q35", port(1, "pcie-expander-bus") + s.interface("virtio", address(1, 3))),
    ("8.2/port-on-bridge", PLUG, "q35", port(1, "dmi-to-pci-bridge") + port(2, "pcie-root-port", address(1, 3))),
    ("8.2/expander-off-root", PLUG, "pc", port(1, "pci-bridge") + port(2, "pci-expander-bus", address(1, 3))),
    ("8.2/downstream-on-root", PLUG, "q35", port(1, "pcie-switch-downstream-port", address(0, 5))),
    ("8.2/upstream-on-root", PLUG, "q35", port(1, "pcie-switch-upstream-port", address(0, 5))),
    ("8.2/pcie-to-pci-on-root", PLUG, "q35", port(1, "pcie-to-pci-bridge", address(0, 5))),
    ("8.2/dmi-on-port", PLUG, "q35", port(1, "pcie-root-port") + port(2, "dmi-to-pci-bridge", address(1, 0))),
    ("8.2/port-on-pc", PLUG, "pc", port(1, "pcie-root-port", address(0, 5))),
    (
        "8.2/integrated-elsewhere",
        "integrated device",
        "q35",
        port(1, "pcie-root-port") + el("iommu", {"model": "virtio"}, address(1, 0)),
    ),
    ("8.2/slot-zero-bridge", "slot must be >= 1", "pc", port(1, "pci-bridge") + s.interface("e1000", address(1, 0))),
    (
        "8.2/slot-zero-root",
        "slot must be >= 1|must be",
        "pc q35",
        s.interface("e1000", address(1, 0, 1)) + port(1, "pci-bridge", address(0, 9)),
    ),
    ("8.2/slot-on-port", "slot must be <= 0", "q35", port(1, "pcie-root-port") + s.interface("virtio", address(1, 7))),
    ("8.2/twice", DOUBLE, "pc q35", s.interface("virtio", address(0, 9)) + s.disk("vdz", "virtio", address(0, 9))),
    (
        "8.2/twice-with-controller",
        DOUBLE,
        "q35",
        port(1, "pcie-root-port", address(0, 9)) + s.interface("virtio", address(0, 9)),
    ),
    ("8.2/chipset-pc", DOUBLE, "pc", s.interface("virtio", address(0, 1))),
    ("8.2/chipset-pc-usb", DOUBLE, "pc", s.interface("virtio", address(0, 1, 2))),
    ("8.2/chipset-pc-acpi", DOUBLE, "pc", s.interface("virtio", address(0, 1, 3))),
    (
        "8.2/chipset-pc-ide",
        DOUBLE,
        "pc",
        s.disk("hda", "ide", device="cdrom") + s.interface("virtio", address(0, 1, 1)),
    ),
    ("8.2/chipset-q35-lpc", DOUBLE, "q35", s.interface("virtio", address(0, 0x1F))),
    ("8.2/chipset-q35-sata", DOUBLE, "q35", s.interface("virtio", address(0, 0x1F, 2))),
    ("8.2/chipset-q35-smbus", DOUBLE, "q35", s.interface("virtio", address(0, 0x1F, 3))),
    ("8.2/ide-elsewhere", "Primary IDE", "pc", s.controller("ide", 0, None, address(0, 9)) + s.disk("hda", "ide")),
    ("8.2/usb-elsewhere", "PIIX3 USB", "pc", s.controller("usb", 0, "piix3-uhci", address(0, 9))),
    ("8.2/piix3-usb-on-q35", "PIIX3", "q35", s.controller("usb", 0, "piix3-uhci", address(0, 1, 2))),
    ("8.2/sata-elsewhere", "Primary SATA", "q35", s.controller("sata", 0, None, address(0, 9))),
    ("8.2/lone-downstream", NO_SLOT, "q35", port(1, "pcie-switch-downstream-port")),
    ("8.2/lone-root-port-on-pc", NO_SLOT, "pc", port(1, "pcie-root-port")),
    ("8.2/lone-pcie-to-pci", "connect flags", "q35", port(1, "pcie-to-pci-bridge")),
    ("8.2/no-class-isa", "connect flags", "pc q35", s.controller("isa", 0)),
    ("8.2/no-class-xenbus", "connect flags", "pc q35", s.controller("xenbus", 0)),
    (
        "8.2/virtio-disk-on-drive",
        "virtio disk cannot have",
        "pc q35",
        s.disk("vdz", "virtio", "<address type='drive' controller='0' unit='0'/>"),
    ),
    (
        "8.2/busnr-exhausted",
        "No free busNr",
        "pc",
        port(1, "pci-expander-bus", "<target busNr='2'/>") + port(2, "pci-expander-bus"),
    ),
    (
        "8.2/busnr-exhausted",
        "No free busNr",
        "q35",
        port(1, "pcie-expander-bus", "<target busNr='1'/>") + port(2, "pcie-expander-bus"),
    ),
    ("8.2/bridge-index", "index must be larger", "pc", port(1, "pci-bridge", address(2, 4)) + port(2, "pci-bridge")),
    ("8.2/bridge-on-itself", "index must be larger", "q35", port(1, "pci-bridge")),
    # 8.3
    ("8.3/index-range", "too high", "pc", port(300, "pci-bridge")),
    ("8.3/chassisnr-range", "out of range", "pc", port(1, "pci-bridge", "<target chassisNr='300'/>")),
    ("8.3/chassis-range", "out of range", "q35", port(1, "pcie-root-port", "<target chassis='300'/>")),
    ("8.3/port-range", "out of range", "q35", port(1, "pcie-root-port", "<target port='300'/>")),
    ("8.3/busnr-range", "out of range", "pc", port(1, "pci-expander-bus", "<target busNr='255'/>")),
    ("8.3/option-chassisnr", OPTION, "q35", port(1, "pcie-root-port", "<target chassisNr='3'/>")),
    ("8.3/option-chassis", OPTION, "pc", port(1, "pci-bridge", "<target chassis='3'/>")),
    ("8.3/option-port", OPTION, "pc", port(1, "pci-bridge", "<target port='3'/>")),
    ("8.3/option-busnr", OPTION, "pc", port(1, "pci-bridge", "<target busNr='3'/>")),
    ("8.3/option-hotplug", OPTION, "pc", port(1, "pci-bridge", "<target hotplug='off'/>")),
    ("8.3/option-index", OPTION, "pc", port(1, "pci-bridge", "<target index='1'/>")),
    ("8.3/option-memreserve", OPTION, "pc", port(0, "pci-root", "<target memReserve='1024'/>")),
    ("8.3/model-name", "has invalid value", "q35", port(1, "pcie-root-port", "<model name='pxb'/>")),
    ("8.3/root-address", "should not have an address", "pc", port(0, "pci-root", address(0, 9))),
    ("8.3/root-address", "should not have an address", "q35", port(0, "pcie-root", address(0, 9))),
    ("8.3/ide-on-q35", "IDE controllers", "q35", s.disk("hda", "ide")),
    ("8.3/second-ide", "Only 1 IDE", "pc", s.disk("hda", "ide") + s.disk("hde", "ide")),
    ("8.3/iommu-on-pc", "IOMMU", "pc", el("iommu", {"model": "virtio"})),
    ("8.3/ramfb-address", "address not supported", "pc q35", s.video("ramfb", address(0, 9))),
    (
        "8.3/i6300esb-not-pci",
        "can go only on PCI",
        "pc q35",
        s.watchdog("i6300esb", "<address type='isa' iobase='0x500'/>"),
    ),
    ("8.3/ib700-address", "ib700", "pc", s.watchdog("ib700", address(0, 9))),
    ("8.3/isa-panic-on-pci", "ISA address", "pc q35", el("panic", {"model": "isa"}, address(0, 9))),
    (
        "8.3/hostdev-not-pci",
        "PCI host devices must",
        "pc q35",
        s.hostdev_pci(9, "<address type='drive' controller='0' unit='0'/>"),
    ),
    ("8.3/unassigned", "unassigned", "pc q35", s.interface("virtio", "<address type='unassigned'/>")),
    (
        "8.3/ccw",
        "(?i)ccw",
        "pc q35",
        s.interface("virtio", "<address type='ccw' cssid='0xfe' ssid='0x0' devno='0x0001'/>"),
    ),
    (
        "8.3/pci-serial-on-isa",
        "requires address type",
        "pc q35",
        s.serial("pci-serial", "<address type='isa' iobase='0x3f8'/>"),
    ),
    ("8.3/isa-serial-on-pci", "requires address type", "pc q35", s.serial("isa-serial", address(0, 9))),
    ("8.3/drive-disk-on-pci", "address type", "pc q35", s.disk("sdy", "scsi", address(0, 9))),
    ("8.3/acpi-index-off-pci", "ACPI index", "pc q35", s.disk("sdy", "scsi", "<acpi index='3'/>")),
)


def adder(xml: str) -> Callable[[Draft], None]:
    """Return the action that adds this XML and nothing else."""
    return lambda d: d.add(xml)


for _tag, _pattern, _families, _xml in TABLE:
    mistake(_tag, _pattern, _families)(adder(_xml))


@mistake("8.2/root-full", NO_SLOT, on="q35")
def root_full(d: Draft) -> None:
    d.add(*[s.interface("virtio", address(0, slot)) for slot in range(1, 0x1F)])
    d.add(s.disk(d.target("vd"), "virtio"))


@mistake("8.2/second-pass", "No more available PCI slots", on="q35")
def second_pass(d: Draft) -> None:
    models = ("pcie-root-port", "pcie-to-pci-bridge", "dmi-to-pci-bridge")
    d.add(*[d.pci(model, index) for index, model in enumerate(models, 1)])
    d.add(*[s.interface("e1000") for _ in range(62)])
