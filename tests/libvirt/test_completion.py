"""What libvirt 11.3 adds before it places anything: exact lists, each verified against the live daemon."""

from __future__ import annotations

import pytest

import pcisim
from pcisim.catalogue.connectors import CONVENTIONAL, EXPRESS
from pcisim.catalogue.other_machines import ARCHITECTURES
from pcisim.catalogue.versions import libvirt_version
from pcisim.catalogue.x86_machines import X86
from pcisim.errors import PcisimError
from pcisim.guest import Controller, Guest
from pcisim.libvirt.completion import ControllerList, complete
from tests.guests import (
    BARE,
    FIRST_LINE,
    NO_BALLOON,
    NO_USB,
    at,
    completed,
    controller,
    disk,
    domain,
    ich9,
    lines,
    nic,
    pci,
    placed,
    refused,
    video,
)


def scsi_disk(number: int, address: str = "") -> str:
    return disk(number, address, "scsi", "sd")


def scsi_hostdev(number: int = 0, address: str = "") -> str:
    source = f"<adapter name='scsi_host0'/><address bus='0' target='0' unit='{number}'/>"
    return f"<hostdev mode='subsystem' type='scsi'><source>{source}</source>{address}</hostdev>"


def drive(index: int, unit: int = 0) -> str:
    return f"<address type='drive' controller='{index}' bus='0' target='0' unit='{unit}'/>"


def channel(number: int, address: str = "") -> str:
    return f"<channel type='pty'><target type='virtio' name='c{number}'/>{address}</channel>"


def console(address: str = "") -> str:
    return f"<console type='pty'><target type='virtio'/>{address}</console>"


def port(index: int, number: int) -> str:
    return f"<address type='virtio-serial' controller='{index}' bus='0' port='{number}'/>"


def channels(count: int) -> list[str]:
    return [channel(number) for number in range(count)]


ROOT = pci("pci-root")
FLOPPY = "<disk type='file' device='floppy'><target dev='fda' bus='fdc'/></disk>"
VNC = "<graphics type='vnc'/>"

# --- cases

# fmt: off
CONTROLLERS: list[tuple[str, str, list[str], str]] = [
    # 5.3: what the machine has
    ("pc", "pc", [], """
        usb:0 piix3-uhci
        pci:0 pci-root
    """),
    ("pc-without-usb", "pc", [NO_USB], """
        usb:0 none
        pci:0 pci-root
    """),
    ("q35", "q35", [BARE], """
        usb:0 none
        sata:0
        pci:0 pcie-root
    """),
    ("q35-sata-and-root-listed", "q35", [BARE, pci("pcie-root", 0), controller("sata", 0)], """
        usb:0 none
        pci:0 pcie-root
        sata:0
    """),
    ("isapc-has-nothing", "isapc", [BARE], """
        usb:0 none
    """),
    ("microvm-has-no-bus", "microvm", [BARE], """
        usb:0 none
    """),
    ("usb-at-index-one-is-not-enough", "pc", [controller("usb", 1, "ehci")], """
        usb:0 piix3-uhci
        usb:1 ehci
        pci:0 pci-root
    """),
    ("usb-without-index-is-enough", "pc", [controller("usb", None, "ehci")], """
        usb:0 ehci
        pci:0 pci-root
    """),
    # 5.1: insertion
    ("sorted-within-a-type", "pc", [controller("scsi", 3), controller("scsi", 1), controller("scsi", 2)], """
        scsi:1 lsilogic
        scsi:2 lsilogic
        scsi:3 lsilogic
        usb:0 piix3-uhci
        pci:0 pci-root
    """),
    (
        "types-stay-together-where-the-first-stands",
        "pc",
        [controller("scsi", 5), controller("usb", 0, "ehci"), controller("scsi", 4), controller("virtio-serial", 0)],
        """
        scsi:4 lsilogic
        scsi:5 lsilogic
        usb:0 ehci
        virtio-serial:0
        pci:0 pci-root
    """
    ),
    (
        "unindexed-after-the-last-of-the-type",
        "pc",
        [controller("scsi", 1), controller("scsi"), controller("scsi", 0)],
        """
        scsi:0 lsilogic
        scsi:1 lsilogic
        scsi:2 lsilogic
        usb:0 piix3-uhci
        pci:0 pci-root
    """
    ),
    # 5.2: numbering
    ("lowest-unused-index", "pc", [controller("scsi", 1), controller("scsi"), controller("scsi")], """
        scsi:1 lsilogic
        scsi:0 lsilogic
        scsi:2 lsilogic
        usb:0 piix3-uhci
        pci:0 pci-root
    """),
    ("numbering-comes-before-the-root", "pc", [ROOT, pci("pci-bridge"), pci("pci-bridge", 1)], """
        pci:0 pci-root
        pci:2 pci-bridge
        pci:1 pci-bridge
        usb:0 piix3-uhci
    """),
    ("each-type-counts-for-itself", "pc", [controller("scsi"), controller("virtio-serial"), controller("scsi")], """
        scsi:0 lsilogic
        scsi:1 lsilogic
        virtio-serial:0
        usb:0 piix3-uhci
        pci:0 pci-root
    """),
    ("index-is-decimal", "pc", ["<controller type='scsi' index='010'/>"], """
        scsi:10 lsilogic
        usb:0 piix3-uhci
        pci:0 pci-root
    """),
    # 5.1 and 5.2: ICH9
    ("master-moves-before-companions", "pc", [ich9(0, "123e")], """
        usb:0:ich9-ehci1 ich9-ehci1
        usb:0:ich9-uhci1 ich9-uhci1
        usb:0:ich9-uhci2 ich9-uhci2
        usb:0:ich9-uhci3 ich9-uhci3
        pci:0 pci-root
    """),
    ("companions-stay-in-order", "pc", [ich9(0, "2e31")], """
        usb:0:ich9-ehci1 ich9-ehci1
        usb:0:ich9-uhci2 ich9-uhci2
        usb:0:ich9-uhci3 ich9-uhci3
        usb:0:ich9-uhci1 ich9-uhci1
        pci:0 pci-root
    """),
    ("ich9-unindexed", "pc", [ich9()], """
        usb:0:ich9-ehci1 ich9-ehci1
        usb:0:ich9-uhci1 ich9-uhci1
        usb:0:ich9-uhci2 ich9-uhci2
        usb:0:ich9-uhci3 ich9-uhci3
        pci:0 pci-root
    """),
    ("ich9-unindexed-master-last", "pc", [ich9(None, "123e")], """
        usb:0:ich9-ehci1 ich9-ehci1
        usb:0:ich9-uhci1 ich9-uhci1
        usb:0:ich9-uhci2 ich9-uhci2
        usb:0:ich9-uhci3 ich9-uhci3
        pci:0 pci-root
    """),
    ("ich9-unindexed-twice", "pc", [ich9(), ich9()], """
        usb:0:ich9-ehci1 ich9-ehci1
        usb:0:ich9-uhci1 ich9-uhci1
        usb:0:ich9-uhci2 ich9-uhci2
        usb:0:ich9-uhci3 ich9-uhci3
        usb:1:ich9-ehci1 ich9-ehci1
        usb:1:ich9-uhci1 ich9-uhci1
        usb:1:ich9-uhci2 ich9-uhci2
        usb:1:ich9-uhci3 ich9-uhci3
        pci:0 pci-root
    """),
    ("ich9-unindexed-twice-shuffled", "pc", [ich9(None, "3e12"), ich9(None, "21e3")], """
        usb:0:ich9-ehci1 ich9-ehci1
        usb:0:ich9-uhci3 ich9-uhci3
        usb:0:ich9-uhci1 ich9-uhci1
        usb:0:ich9-uhci2 ich9-uhci2
        usb:1:ich9-ehci1 ich9-ehci1
        usb:1:ich9-uhci2 ich9-uhci2
        usb:1:ich9-uhci1 ich9-uhci1
        usb:1:ich9-uhci3 ich9-uhci3
        pci:0 pci-root
    """),
    ("ich9-after-another", "pc", [controller("usb", None, "ehci"), ich9()], """
        usb:0 ehci
        usb:1:ich9-ehci1 ich9-ehci1
        usb:1:ich9-uhci1 ich9-uhci1
        usb:1:ich9-uhci2 ich9-uhci2
        usb:1:ich9-uhci3 ich9-uhci3
        pci:0 pci-root
    """),
    # 5.5, step 1: disks
    ("ide-disk", "pc", [disk(3, "", "ide", "hd")], """
        usb:0 piix3-uhci
        pci:0 pci-root
        ide:0
    """),
    ("scsi-disk-number-seven", "pc", [scsi_disk(7)], """
        usb:0 piix3-uhci
        pci:0 pci-root
        scsi:0 lsilogic
        scsi:1 lsilogic
    """),
    ("scsi-disk-by-address", "pc", [scsi_disk(0, drive(2))], """
        usb:0 piix3-uhci
        pci:0 pci-root
        scsi:0 lsilogic
        scsi:1 lsilogic
        scsi:2 lsilogic
    """),
    ("scsi-disk-beside-a-listed-one", "pc", [controller("scsi", 1, "virtio-scsi"), scsi_disk(0)], """
        scsi:0 lsilogic
        scsi:1 virtio-scsi
        usb:0 piix3-uhci
        pci:0 pci-root
    """),
    ("sata-disk-number-six", "pc", [disk(6, "", "sata", "sd")], """
        usb:0 piix3-uhci
        pci:0 pci-root
        sata:0
        sata:1
    """),
    ("floppy", "pc", [FLOPPY], """
        usb:0 piix3-uhci
        pci:0 pci-root
        fdc:0
    """),
    (
        "scsi-fdc-ide-sata-in-this-order",
        "pc",
        [disk(1, "", "sata", "sd"), disk(0, "", "ide", "hd"), FLOPPY, scsi_disk(0)],
        """
        usb:0 piix3-uhci
        pci:0 pci-root
        scsi:0 lsilogic
        fdc:0
        ide:0
        sata:0
    """
    ),
    ("virtio-disk-needs-none", "pc", [disk(0)], """
        usb:0 piix3-uhci
        pci:0 pci-root
    """),
    # 5.5, steps 0 and 4: SCSI host devices
    ("scsi-hostdev", "pc", [scsi_hostdev()], """
        scsi:0 lsilogic
        usb:0 piix3-uhci
        pci:0 pci-root
    """),
    ("scsi-hostdev-before-numbering", "pc", [controller("scsi", None, "virtio-scsi"), scsi_hostdev()], """
        scsi:1 virtio-scsi
        scsi:0 lsilogic
        usb:0 piix3-uhci
        pci:0 pci-root
    """),
    ("scsi-hostdev-by-address", "pc", [scsi_hostdev(0, drive(2))], """
        scsi:0 lsilogic
        scsi:1 lsilogic
        scsi:2 lsilogic
        usb:0 piix3-uhci
        pci:0 pci-root
    """),
    ("scsi-hostdevs-eight", "pc", [scsi_hostdev(number) for number in range(8)], """
        scsi:0 lsilogic
        scsi:1 lsilogic
        usb:0 piix3-uhci
        pci:0 pci-root
    """),
    (
        "scsi-hostdevs-follow-the-model-before",
        "pc",
        [controller("scsi", 0, "virtio-scsi"), *(scsi_hostdev(number) for number in range(8))],
        """
        scsi:0 virtio-scsi
        scsi:1 virtio-scsi
        usb:0 piix3-uhci
        pci:0 pci-root
    """
    ),
    ("scsi-hostdevs-leave-units-of-disks", "pc", [scsi_disk(0), *(scsi_hostdev(number) for number in range(7))], """
        scsi:0 lsilogic
        scsi:1 lsilogic
        usb:0 piix3-uhci
        pci:0 pci-root
    """),
    # 5.5, steps 2 and 7: virtio ports
    ("channel", "pc", [channel(0)], """
        usb:0 piix3-uhci
        pci:0 pci-root
        virtio-serial:0
    """),
    ("console", "pc", [console()], """
        usb:0 piix3-uhci
        pci:0 pci-root
        virtio-serial:0
    """),
    ("channel-by-address", "pc", [channel(0, port(2, 1))], """
        usb:0 piix3-uhci
        pci:0 pci-root
        virtio-serial:2
    """),
    ("30-channels", "pc", [*channels(30)], """
        usb:0 piix3-uhci
        pci:0 pci-root
        virtio-serial:0
    """),
    ("31-channels", "pc", [*channels(31)], """
        usb:0 piix3-uhci
        pci:0 pci-root
        virtio-serial:0
        virtio-serial:1
    """),
    ("30-channels-and-a-console", "pc", [*channels(30), console()], """
        usb:0 piix3-uhci
        pci:0 pci-root
        virtio-serial:0
    """),
    ("addressless-consoles-take-no-port", "pc", [*channels(30), console(), console()], """
        usb:0 piix3-uhci
        pci:0 pci-root
        virtio-serial:0
    """),
    ("console-by-address-takes-its-port", "pc", [*channels(30), console(port(0, 5))], """
        usb:0 piix3-uhci
        pci:0 pci-root
        virtio-serial:0
        virtio-serial:1
    """),
    ("a-port-by-address-is-taken", "pc", [channel(99, port(0, 7)), *channels(30)], """
        usb:0 piix3-uhci
        pci:0 pci-root
        virtio-serial:0
        virtio-serial:1
    """),
    ("few-ports", "pc", ["<controller type='virtio-serial' index='0' ports='3'/>", *channels(3)], """
        virtio-serial:0
        virtio-serial:1
        usb:0 piix3-uhci
        pci:0 pci-root
    """),
    ("few-ports-enough", "pc", ["<controller type='virtio-serial' index='0' ports='4'/>", *channels(3)], """
        virtio-serial:0
        usb:0 piix3-uhci
        pci:0 pci-root
    """),
    (
        "listed-second-controller-is-used",
        "pc",
        [controller("virtio-serial", 0), controller("virtio-serial", 1), *channels(35)],
        """
        virtio-serial:0
        virtio-serial:1
        usb:0 piix3-uhci
        pci:0 pci-root
    """
    ),
    # 5.4 and 5.5, step 5: default models
    ("scsi-auto", "pc", [controller("scsi", 0, "auto")], """
        scsi:0 lsilogic
        usb:0 piix3-uhci
        pci:0 pci-root
    """),
]

DISKS: list[tuple[str, str, list[str], str]] = [
    ("by-number", "pc", [disk(2), disk(0), disk(27), disk(25), disk(26)], """
        disk:vda
        disk:vdc
        disk:vdz
        disk:vdaa
        disk:vdab
    """),
    ("buses-in-the-order-of-their-first", "pc", [disk(1), scsi_disk(1), disk(0), scsi_disk(0)], """
        disk:vda
        disk:vdb
        disk:sda
        disk:sdb
    """),
    (
        "without-a-bus-is-a-bus-of-its-own",
        "pc",
        [
            "<disk type='file'><source file='/b'/><target dev='vdb'/></disk>",
            "<disk type='file'><source file='/h'/><target dev='hda'/></disk>",
            disk(0),
            "<disk type='file'><source file='/s'/><target dev='sda'/></disk>",
        ],
        """
        disk:hda
        disk:sda
        disk:vdb
        disk:vda
    """
    ),
]

MODELS: list[tuple[str, str, list[str], str]] = [
    ("interface-pc", "pc", [BARE, nic("")], """
        interface:0 rtl8139
    """),
    ("interface-q35", "q35", [BARE, nic("")], """
        interface:0 rtl8139
    """),
    ("interface-written", "pc", [BARE, nic("E1000E"), nic("Virtio-Transitional"), nic("82540em"), nic("tulip")], """
        interface:0 e1000e
        interface:1 virtio-transitional
        interface:2 82540EM
        interface:3 tulip
    """),
    ("interface-vdpa", "pc", [BARE, "<interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface>"], """
        interface:0 virtio
    """),
    ("video-of-graphics", "pc", [BARE, VNC], """
        video:0 cirrus
    """),
    ("no-video-without-graphics", "pc", [BARE], ""),
    ("graphics-with-video", "q35", [BARE, VNC, video("virtio")], """
        video:0 virtio
    """),
    ("video-without-model", "q35", [BARE, "<video/>"], """
        video:0 cirrus
    """),
    ("primary-video-first", "pc", [BARE, video("qxl"), video("virtio", primary=True), video("qxl")], """
        video:0 virtio
        video:1 qxl
        video:2 qxl
    """),
    ("vsock", "pc", [BARE, "<vsock><cid auto='yes'/></vsock>"], """
        vsock:0 virtio
    """),
]
# fmt: on


def params(rows: list[tuple[str, str, list[str], str]]) -> list[object]:
    return [pytest.param(*row, id=row[0]) for row in rows]


@pytest.mark.parametrize(("_name", "machine", "devices", "expected"), params(CONTROLLERS))
def test_controllers(_name: str, machine: str, devices: list[str], expected: str) -> None:
    guest = completed(machine, *devices)
    assert "\n".join(f"{c.label} {c.model}".strip() for c in guest.controllers) == lines(expected)


@pytest.mark.parametrize(("_name", "machine", "devices", "expected"), params(DISKS))
def test_order_of_disks(_name: str, machine: str, devices: list[str], expected: str) -> None:
    assert "\n".join(d.label for d in completed(machine, *devices).devices["disk"]) == lines(expected)


@pytest.mark.parametrize(("_name", "machine", "devices", "expected"), params(MODELS))
def test_models(_name: str, machine: str, devices: list[str], expected: str) -> None:
    guest = completed(machine, *devices)
    found = [d for element in ("interface", "video", "vsock") for d in guest.devices.get(element, [])]
    assert "\n".join(f"{d.label} {d.model}" for d in found) == lines(expected)


# --- what follows for addresses


@pytest.mark.parametrize(("version", "model", "plug"), [("11.3", "virtio", EXPRESS), ("9.0", "rtl8139", CONVENTIONAL)])
def test_vhostuser_by_version(version: str, model: str, plug: int) -> None:
    """Libvirt rule 11.5."""
    source = "<source type='unix' path='/s' mode='client'/>"
    guest = completed("q35", f"<interface type='vhostuser'>{source}</interface>", version=version)
    (interface,) = guest.devices["interface"]
    assert (interface.model, interface.plug, interface.defaults) == (model, plug, {"model/@type": model})


def test_usb_without_a_model_is_conventional_even_on_q35() -> None:
    """Libvirt rule 5.4: piix3-uhci, which then needs a bridge."""
    assert "02:01.0 usb:0" in placed("q35", NO_BALLOON, controller("usb", 0))


def test_balloon_is_added_unless_there_is_one() -> None:
    for devices, models in (([], ["virtio"]), ([NO_BALLOON], ["none"]), (["<memballoon model='virtio'/>"], ["virtio"])):
        assert [d.model for d in completed("pc", *devices).devices["memballoon"]] == models


def test_defaults_are_written_down() -> None:
    """Each default on which an address depends has the XML path where it belongs."""
    guest = completed("pc", controller("scsi"), controller("usb", 0), nic(""), "<video/>", scsi_hostdev())
    assert [(c.label, c.defaults) for c in guest.controllers if c.origin is not None] == [
        ("scsi:1", {"@index": "1", "@model": "lsilogic"}),
        ("usb:0", {"@model": "piix3-uhci"}),
    ]
    assert guest.devices["interface"][0].defaults == {"model/@type": "rtl8139"}
    assert guest.devices["video"][0].defaults == {"model/@type": "cirrus"}


def test_versions_add_controllers_at_different_places() -> None:
    """Libvirt rules 5.3 and 11.1: sorted in by 11.3, at the end by 9.0."""
    devices = [BARE, controller("scsi", 1, "lsilogic"), controller("virtio-serial", 0), scsi_disk(0)]
    for version, labels in (
        ("11.3", ["usb:0", "scsi:0", "scsi:1", "virtio-serial:0", "pci:0"]),
        ("9.0", ["usb:0", "scsi:1", "virtio-serial:0", "pci:0", "scsi:0"]),
    ):
        assert [c.label for c in completed("pc", *devices, version=version).controllers] == labels


def test_versions_order_ich9_without_index_differently() -> None:
    """Libvirt rule 11.2: 9.0 leaves the list as it was numbered."""
    for version, labels in (
        ("11.3", ["usb:0:ich9-ehci1", "usb:0:ich9-uhci1", "usb:0:ich9-uhci2", "usb:0:ich9-uhci3", "pci:0"]),
        ("9.0", ["usb:0:ich9-uhci1", "usb:0:ich9-uhci2", "usb:0:ich9-uhci3", "usb:0:ich9-ehci1", "pci:0"]),
    ):
        guest = completed("pc", NO_BALLOON, ich9(None, "123e"), version=version)
        assert [c.label for c in guest.controllers] == labels


def test_guest_is_not_changed() -> None:
    guest = Guest.of("q35", {"virtio-scsi": 1})
    complete(guest, libvirt_version("11.3"))
    assert [(c.label, c.index) for c in guest.controllers] == [("scsi:0", 0)]
    assert guest.devices == {}


def test_list_finds_the_first_of_an_index() -> None:
    made = ControllerList(libvirt_version("11.3"))
    for index in (0, 2):
        made.add(Controller("controller", f"scsi:{index}", type="scsi", index=index))
    found = made.find("scsi", 2)
    assert found is not None
    assert found.label == "scsi:2"
    assert made.find("scsi", 1) is None
    assert made.find("usb", 0) is None
    made.ensure("scsi", 2)
    made.ensure("scsi", 1)
    assert [item.label for item in made.items] == ["scsi:0", "scsi:1", "scsi:2"]


# --- what is refused before anything is placed (libvirt rule 8.1)

NUMA = "<vcpu>2</vcpu><cpu><numa><cell id='0' cpus='0-1' memory='64' unit='MiB'/></numa></cpu>"
PANIC = "<panic model='isa'/>"

# fmt: off
REFUSED: list[tuple[str, str, list[str], str]] = [
    ("usb-disabled", "pc", [NO_USB, controller("usb", 1, "ehci")], """
        Can't add another USB controller: USB is disabled for this domain
    """),
    ("usb-no-master", "pc", [controller("usb", 0, "ich9-uhci1", "<master startport='0'/>")], """
        No master USB controller specified
    """),
    ("duplicate-index", "pc", [pci("pci-bridge", 1), pci("pci-bridge", 1)], """
        Multiple 'pci' controllers with index '1'
    """),
    ("duplicate-index-scsi", "pc", [controller("scsi", 0), controller("scsi", 0)], """
        Multiple 'scsi' controllers with index '0'
    """),
    ("duplicate-index-usb", "pc", [controller("usb", 1, "ehci"), controller("usb", 1, "ehci")], """
        Duplicate USB controllers with index 1
    """),
    ("duplicate-panic", "pc", [PANIC, PANIC], """
        Multiple panic devices with model 'isa'
    """),
    ("second-device", "pc", [NO_BALLOON, NO_BALLOON], """
        only a single memory balloon device is supported
    """),
    ("wrong-root", "pc", [pci("pcie-root", 0)], """
        The PCI controller with index='0' must be model='pci-root' for this machine type, but
        model='pcie-root' was found instead
    """),
    ("wrong-root-unindexed", "q35", [pci("pcie-root-port"), nic()], """
        The PCI controller with index='0' must be model='pcie-root' for this machine type, but
        model='pcie-root-port' was found instead
    """),
    ("wrong-root-no-model", "pc", ["<controller type='pci' index='0'/>"], """
        The PCI controller with index='0' must be model='pci-root' for this machine type, but model='(null)'
        was found instead
    """),
    ("no-model", "pc", ["<controller type='pci' index='1'/>"], """
        PCI controller model was not set correctly
    """),
    ("root-index", "pc", [pci("pci-root", 1)], """
        pci-root and pcie-root controllers should have index 0
    """),
    ("root-index-second", "pc", [pci("pci-root"), pci("pci-root")], """
        pci-root and pcie-root controllers should have index 0
    """),
    ("root-address", "q35", [pci("pcie-root", 0, at(0, 1))], """
        pci-root and pcie-root controllers should not have an address
    """),
    ("wrong-machine-express-expander", "pc", [pci("pcie-expander-bus", 1)], """
        pcie-expander-bus controllers are not supported with this machine type
    """),
    ("wrong-machine-expander", "q35", [pci("pci-expander-bus", 1)], """
        pci-expander-bus controllers are only supported on 440fx-based machinetypes
    """),
    ("numa-node", "q35", [pci("pcie-expander-bus", 1, "<target><node>1</node></target>")], """
        pcie-expander-bus with index 1 is configured for a NUMA node (1) not present in the domain's
        <cpu><numa> array (0)
    """),
]
# fmt: on


@pytest.mark.parametrize(("name", "machine", "devices", "headline"), params(REFUSED))
def test_refused(name: str, machine: str, devices: list[str], headline: str) -> None:
    error = refused(machine, *devices)
    assert error.headline == " ".join(headline.split())
    assert name.startswith(error.code)
    assert error.exit_status == 1
    assert error.line == FIRST_LINE + (0 if name == "wrong-root-unindexed" else len(devices) - 1)
    assert len(error.parties) == (2 if error.code == "duplicate-index" else 1)


def test_numa_node_that_is_there() -> None:
    expander = pci("pcie-expander-bus", 1, "<target><node>0</node></target>")
    assert "pci:1 pcie-expander-bus" in placed("q35", BARE, expander, head=NUMA)


@pytest.mark.parametrize("arch", ["sparc64", "aarch", "x86", ""])
def test_unknown_architecture(arch: str) -> None:
    guest = Guest("virt", arch=arch)
    with pytest.raises(PcisimError) as caught:
        complete(guest, libvirt_version("11.3"))
    assert (caught.value.code, caught.value.exit_status) == ("unknown-architecture", 4)
    assert f"architecture {arch!r} is not covered" in caught.value.headline


@pytest.mark.parametrize("arch", [*X86, *ARCHITECTURES])
def test_known_architectures(arch: str) -> None:
    complete(Guest("", arch=arch), libvirt_version("11.3"))


@pytest.mark.parametrize(("arch", "machine"), [("loongarch64", "virt"), ("aarch64", "versatilepb"), ("riscv64", "")])
def test_machines_that_are_not_known_of_an_older_version(arch: str, machine: str) -> None:
    with pytest.raises(PcisimError) as caught:
        complete(Guest(machine, arch=arch), libvirt_version("9.0"))
    assert (caught.value.code, caught.value.exit_status) == ("machine-not-covered", 4)
    assert caught.value.headline == f"machine type '{machine}' of {arch} is not covered as libvirt 9.0"


@pytest.mark.parametrize(("arch", "machine"), [("riscv64", "q35"), ("aarch64", "pseries-9.2"), ("s390x", "virt")])
def test_machines_of_another_architecture(arch: str, machine: str) -> None:
    with pytest.raises(PcisimError) as caught:
        complete(Guest(machine, arch=arch), libvirt_version("11.3"))
    assert caught.value.code == "unknown-machine"
    assert caught.value.headline == f"machine type '{machine}' is not one of {arch}"


def test_architectures_by_other_names() -> None:
    with pytest.raises(PcisimError) as caught:
        complete(Guest("virt", arch="arm64"), libvirt_version("11.3"))
    assert caught.value.details == ("libvirt calls it aarch64",)


def test_a_machine_that_should_have_pci() -> None:
    """Libvirt rule 13.8: 12.9 takes an unknown x86 machine type to have PCI, and knows no root bus for it."""
    bare = "<controller type='usb' model='none'/><memballoon model='none'/>"
    with pytest.raises(PcisimError) as caught:
        pcisim.assign_xml(domain("none", bare), libvirt="12.9")
    assert caught.value.headline == "Machine type 'none' supports PCI but no PCI controller added"
