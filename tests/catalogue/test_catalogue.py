"""Every row of the catalogue against the rules' tables, written out again here."""

from __future__ import annotations

import pytest

from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import (
    FIRST_BUS_NR,
    MAX_INDEX,
    MODEL_NAMES,
    PCI_CONTROLLERS,
    ROOT_MODELS,
    TARGET_RANGES,
)
from pcisim.catalogue.devices import (
    ADDRESS_TYPES,
    DEVICE_MODELS,
    DISK_PREFIX_BUSES,
    DISKS_A_CONTROLLER,
    DRIVERS,
    ICH9_FUNCTIONS,
    ICH9_START_PORTS,
    PLACED,
    PLUGS,
    SECONDARY_VIDEO,
    WALK,
    plug_on,
)
from pcisim.catalogue.machines import machine_of
from pcisim.catalogue.other_machines import architectures_of
from pcisim.catalogue.profiles import QEMUS
from pcisim.catalogue.versions import SINCE, VERSIONS, Libvirt, first_with, libvirt_version
from pcisim.catalogue.x86_machines import (
    BUILT_IN,
    CHIPSET_FUNCTIONS,
    I440FX,
    ICH9_USB_SLOTS,
    ISAPC,
    OTHER,
    OWNER_KINDS,
    PREFERRED,
    Q35,
    RESERVED,
    Machine,
)
from pcisim.errors import UsageError
from tests import model

# --- machines (libvirt rules 4.1 to 4.3)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("", "i440fx"), ("pc", "i440fx"), ("pc-0.10", "i440fx"), ("pc-0.", "i440fx"), ("pc-1.3", "i440fx"),
        ("pc-i440fx-9.2", "i440fx"), ("pc-i440fx-focal", "i440fx"), ("pc-i440fx-", "i440fx"), ("rhel6.6.0", "i440fx"),
        ("rhel", "i440fx"), ("rhelephant", "i440fx"),
        ("q35", "q35"), ("pc-q35-9.2", "q35"), ("pc-q35-rhel9.4.0", "q35"), ("pc-q35-", "q35"),
        ("isapc", "isapc"),
        ("pc-frobnicate-9", "other"), ("pc-2.0", "other"), ("pc-i440fx", "other"), ("pc-q35", "other"),
        ("pc-0", "other"),
        ("PC", "other"), ("Q35", "other"), ("pcx", "other"), ("q35-9.2", "other"), ("pc ", "other"),
        ("microvm", "microvm"), ("microvm-1", "other"),
        ("xenfv", "other"), ("xenpv", "other"), ("none", "other"), ("virt", "other"),
        ("isapc-1", "other"), ("my-pc-q35-9", "other"),
    ],
)  # fmt: skip
def test_machine_name(name: str, family: str) -> None:
    assert machine_of(name).family == family


@pytest.mark.parametrize(
    ("machine", "root", "usb", "sata", "ide", "video_slot", "express"),
    [
        (I440FX, "pci-root", "piix3-uhci", False, True, 2, False),
        (Q35, "pcie-root", "qemu-xhci", True, False, 1, True),
        (ISAPC, None, None, False, False, None, False),
        (OTHER, None, "piix3-uhci", False, False, None, False),
    ],
)
def test_machine_row(
    machine: Machine, root: str | None, usb: str | None, sata: bool, ide: bool, video_slot: int | None, express: bool
) -> None:
    assert (machine.root, machine.usb, machine.sata, machine.ide) == (root, usb, sata, ide)
    assert (machine.video_slot, machine.express) == (video_slot, express)


PLACES = {
    "i440fx": {
        (0x00, 0): BUILT_IN,
        (0x01, 0): BUILT_IN,
        (0x01, 1): RESERVED,
        (0x01, 2): RESERVED,
        (0x01, 3): BUILT_IN,
        (0x02, 0): PREFERRED,
    },
    "q35": {
        (0x00, 0): BUILT_IN,
        (0x1F, 0): BUILT_IN,
        (0x1F, 2): RESERVED,
        (0x1F, 3): BUILT_IN,
        (0x01, 0): PREFERRED,
        (0x1A, 0): PREFERRED,
        (0x1B, 0): PREFERRED,
        (0x1D, 0): PREFERRED,
        (0x1E, 0): PREFERRED,
    },
}


@pytest.mark.parametrize("machine", [I440FX, Q35, ISAPC, OTHER], ids=lambda machine: machine.family)
def test_places_of_the_machine(machine: Machine) -> None:
    places = [*machine.places, *machine.preferred]
    assert {(place.slot, place.function): place.kind for place in places} == PLACES.get(machine.family, {})
    assert len({(place.slot, place.function) for place in places}) == len(places)
    assert all(place.kind == PREFERRED for place in machine.preferred)
    assert all(place.owner for place in places)
    assert machine.spoken_for == sum(1 << slot for slot in {slot for slot, _ in PLACES.get(machine.family, {})})


OTHER_MACHINES = [
    # architecture, machine types, family, root bus, USB controller, and the models of a network card, a video device,
    # a USB and a SCSI controller and a panic device that say none; verified against libvirt 11.3
    ("aarch64", ["", "virt", "virt-9.2"], "arm-virt", "pcie-root", None,
     ("virtio", "virtio", "qemu-xhci", "lsilogic", "pvpanic")),
    ("armv7l", ["virt"], "arm-virt", "pcie-root", None, ("virtio", "virtio", "piix3-uhci", "lsilogic", "pvpanic")),
    ("aarch64", ["versatilepb"], "versatilepb", "pci-root", "pci-ohci",
     ("scm91c111", "cirrus", "qemu-xhci", "lsilogic", "")),
    ("aarch64", ["vexpress-a15"], "vexpress", None, None, ("lan9118", "cirrus", "qemu-xhci", "lsilogic", "")),
    ("aarch64", ["realview-pb-a8"], "realview", None, "pci-ohci", ("lan9118", "cirrus", "qemu-xhci", "lsilogic", "")),
    ("aarch64", ["raspi3b", "virtual", "q35"], "arm", None, None, ("lan9118", "cirrus", "qemu-xhci", "lsilogic", "")),
    ("riscv64", ["", "virt"], "riscv-virt", "pcie-root", None, ("virtio", "virtio", "piix3-uhci", "lsilogic", "")),
    ("riscv32", ["spike"], "riscv", None, None, ("rtl8139", "cirrus", "piix3-uhci", "lsilogic", "")),
    ("loongarch64", ["virt"], "loongarch-virt", "pcie-root", None,
     ("virtio", "virtio", "qemu-xhci", "virtio-scsi", "")),
    ("ppc64le", ["", "pseries", "pseries-7.2"], "pseries", "pci-root", "qemu-xhci",
     ("rtl8139", "vga", "qemu-xhci", "ibmvscsi", "pseries")),
    ("ppc64", ["mac99", "powernv9"], "ppc64", "pci-root", "qemu-xhci",
     ("rtl8139", "vga", "qemu-xhci", "lsilogic", "")),
    ("ppc", ["", "g3beige"], "g3beige", "pci-root", "piix3-uhci", ("rtl8139", "cirrus", "piix3-uhci", "lsilogic", "")),
    ("s390x", ["", "s390-ccw-virtio-9.1"], "s390", "pci-root", None,
     ("virtio", "virtio", "none", "virtio-scsi", "s390")),
    ("alpha", ["clipper"], "alpha", "pci-root", "piix3-uhci", ("rtl8139", "cirrus", "piix3-uhci", "lsilogic", "")),
    ("z80", ["", "virt"], "unknown", None, None, ("rtl8139", "cirrus", "piix3-uhci", "lsilogic", "")),
]  # fmt: skip


@pytest.mark.parametrize(("arch", "names", "family", "root", "usb", "models"), OTHER_MACHINES)
def test_machines_of_other_architectures(
    arch: str, names: list[str], family: str, root: str | None, usb: str | None, models: tuple[str, ...]
) -> None:
    for name in names:
        row = machine_of(name, arch)
        found = row.models
        assert (row.family, row.root, row.usb) == (family, root, usb)
        assert (found.interface, found.video, found.usb, found.scsi, found.panic) == models


def test_architectures_of_a_machine() -> None:
    assert architectures_of("pseries-9.2") == ["ppc64", "ppc64le"]
    assert architectures_of("g3beige") == ["ppc64", "ppc64le", "ppc"]
    assert architectures_of("q35") == architectures_of("pc-i440fx-9.2") == ["x86_64", "i686"]
    assert architectures_of("isapc") == architectures_of("") == []


def test_functions_that_libvirt_keeps_for_the_chipset() -> None:
    assert {
        family: [(place.slot, place.function) for place in places] for family, places in CHIPSET_FUNCTIONS.items()
    } == {"i440fx": [(1, 0), (1, 3)], "q35": [(0x1F, 0), (0x1F, 3)]}


def test_words_for_owners() -> None:
    assert OWNER_KINDS == ("built-in", "reserved", "preferred", "device")
    assert ICH9_USB_SLOTS == (0x1D, 0x1A)


# --- controllers (libvirt rules 2 and 7); what a bus accepts is the table of `tests.model`

OPTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "pci-root": (("hotplug", "pcihole64"), ()),
    "pcie-root": (("pcihole64",), ()),
    "pci-bridge": (("chassisNr", "memReserve"), ("pci-bridge",)),
    "pci-expander-bus": (("busNr", "node"), ("pxb",)),
    "dmi-to-pci-bridge": ((), ("i82801b11-bridge",)),
    "pcie-to-pci-bridge": ((), ("pcie-pci-bridge",)),
    "pcie-root-port": (("chassis", "hotplug", "memReserve", "port"), ("pcie-root-port", "ioh3420")),
    "pcie-switch-upstream-port": ((), ("x3130-upstream",)),
    "pcie-switch-downstream-port": (("chassis", "hotplug", "port"), ("xio3130-downstream",)),
    "pcie-expander-bus": (("busNr", "node"), ("pxb-pcie",)),
}


def test_controllers_are_all_there() -> None:
    assert set(PCI_CONTROLLERS) == set(model.SOCKETS) == set(OPTIONS)
    assert set(model.ROOTS) == ROOT_MODELS


@pytest.mark.parametrize("name", model.SOCKETS)
def test_controller_row(name: str) -> None:
    row, socket = PCI_CONTROLLERS[name], model.SOCKETS[name]
    assert row.name == name
    assert {kind for bit, kind in model.KINDS.items() if row.accepts & bit} == socket.accepts
    assert (row.automatic, row.hotplug, row.slots) == (socket.auto, socket.hotplug, (socket.low, socket.high))
    assert [slot for slot in range(64) if row.slot_mask >> slot & 1] == list(range(socket.low, socket.high + 1))
    assert bool(row.unusable) == ((socket.low, socket.high) != (0, 31))
    assert row.plug == (0 if name in model.ROOTS else model.Plug(name).bits())


@pytest.mark.parametrize("name", OPTIONS)
def test_controller_options(name: str) -> None:
    row = PCI_CONTROLLERS[name]
    assert (tuple(sorted(row.options)), row.model_names) == OPTIONS[name]
    assert set(row.model_names) <= MODEL_NAMES


@pytest.mark.parametrize("name", model.SOCKETS)
@pytest.mark.parametrize("plug", [model.C, model.E, *sorted(set(model.SOCKETS) - set(model.ROOTS))])
def test_controller_sockets(name: str, plug: str) -> None:
    row, bits = PCI_CONTROLLERS[name], model.Plug(plug).bits()
    buses = model.SlowTopology()
    buses.add_bus(name)
    assert bool(row.automatic_socket & bits) == buses.compatible(0, model.Plug(plug), explicit=False)
    assert bool(row.explicit_socket & bits) == buses.compatible(0, model.Plug(plug), explicit=True)


def test_numbers_of_controllers() -> None:
    assert dict(TARGET_RANGES) == {
        "chassisNr": (1, 255),
        "chassis": (0, 255),
        "port": (0, 255),
        "busNr": (1, 254),
        "index": (0, 30),
    }
    assert (MAX_INDEX, FIRST_BUS_NR) == (255, 256)
    assert {"spapr-pci-host-bridge", "pnv-phb", "ioh3420", "pxb"} <= MODEL_NAMES
    assert len(MODEL_NAMES) == 11


# --- devices (libvirt rules 3 and 5.4): C conventional, E express, - needs no PCI, x no class; + only on bus 0

VIRTIO = "virtio E, virtio-non-transitional E, virtio-transitional C"
DEVICES = {
    "disk": VIRTIO,
    "interface": f"{VIRTIO}, e1000e E, igb E, usb-net -, rtl8139 C, e1000 C, vmxnet C, vmxnet2 C, vmxnet3 C, vlance C,"
    " Am79C970A C, Am79C973 C, 82540EM C, 82545EM C, 82543GC C, lan9118 C, scm91c111 C, netfront C, spapr-vlan -",
    "sound": "ich6 C, ich9 C, ac97 C, es1370 C, virtio E, sb16 -, pcspk -, usb -",
    "video": "vga C, cirrus C, vmvga C, qxl C, xen C, vbox C, parallels C, virtio E, bochs E, none -, ramfb -, gop x",
    "filesystem": f"{VIRTIO}, virtiofs E, mtp -, loop x, nbd x, ploop x",
    "rng": VIRTIO,
    "watchdog": "i6300esb C, ib700 -, itco -, diag288 -",
    "shmem": "ivshmem C, ivshmem-plain C, ivshmem-doorbell C",
    "vsock": VIRTIO,
    "memory": "virtio-pmem E, virtio-mem E, dimm -, nvdimm -, sgx-epc -",
    "iommu": "virtio E+, amd E+, intel -, smmuv3 -",
    "crypto": "virtio C",
    "panic": "pvpanic C+, isa -, hyperv -, pseries -, s390 -",
    "pstore": "acpi-erst C",
    "input": f"{VIRTIO}, ps2 -, usb -, xen -, parallels -, none -",
    "serial": "pci-serial C, isa-serial -, usb-serial -, spapr-vio-serial -, system-serial -, sclp-serial -,"
    " isa-debug -",
    "hostdev": "pci E, mdev E, scsi_host:virtio E, scsi_host:virtio-non-transitional E,"
    " scsi_host:virtio-transitional C, vfio-ccw -, vfio-ap -, usb -, scsi -",
    "controller/sata": " C",
    "controller/ide": " C, piix3 C, piix4 C, ich6 C",
    "controller/usb": "piix3-uhci C, piix4-uhci C, ehci C, ich9-ehci1 C, ich9-uhci1 C, ich9-uhci2 C, ich9-uhci3 C,"
    " vt82c686b-uhci C, pci-ohci C, nec-xhci E, qemu-xhci E, none -",
    "controller/scsi": "virtio-scsi E, virtio-non-transitional E, virtio-transitional C, lsilogic C, buslogic C,"
    " lsisas1068 C, lsisas1078 C, vmpvscsi C, dc390 C, am53c974 C, ibmvscsi -, ncr53c90 -",
    "controller/virtio-serial": f" E, {VIRTIO}",
    "controller/nvme": " E",
    "controller/fdc": " -",
    "controller/ccid": " -",
    "controller/isa": " x",
    "controller/xenbus": " x",
}
BITS = {"C": c.CONVENTIONAL, "E": c.EXPRESS, "-": 0, "x": c.NO_CLASS}


def rows(text: str) -> dict[str, int]:
    """Return the plugs of one line of the table."""
    table = {}
    for part in text.split(","):
        name, _, letter = part.rpartition(" ")
        table[name.strip()] = BITS[letter.rstrip("+")] | (c.INTEGRATED if letter.endswith("+") else 0)
    return table


@pytest.mark.parametrize("element", DEVICES)
def test_device_rows(element: str) -> None:
    assert dict(PLUGS[element]) == rows(DEVICES[element])


def test_balloon_rows() -> None:
    """Libvirt rule 3.2; the model xen is refused by QEMU's driver, so its class does not matter."""
    assert {name: plug for name, plug in PLUGS["memballoon"].items() if name != "xen"} == rows(f"{VIRTIO}, none -")


def test_elements_are_all_there() -> None:
    assert set(PLUGS) == set(DEVICES) | {"memballoon"}


@pytest.mark.parametrize(
    ("plug", "on_conventional"),
    [
        (c.EXPRESS, c.CONVENTIONAL),
        (c.CONVENTIONAL, c.CONVENTIONAL),
        (c.EXPRESS | c.INTEGRATED, c.CONVENTIONAL | c.INTEGRATED),
        (c.NO_CLASS, c.NO_CLASS),
        (0, 0),
        (c.ROOT_PORT, c.ROOT_PORT),
    ],
)
def test_express_devices_are_conventional_without_an_express_root(plug: int, on_conventional: int) -> None:
    assert plug_on(plug, True) == plug
    assert plug_on(plug, False) == on_conventional


def test_orders() -> None:
    """Libvirt rules 6.2 and 6.4."""
    assert list(WALK) == model.WALK
    assert list(PLACED) == model.ASSIGN


def test_ich9() -> None:
    """Libvirt rule 6.4, step 5."""
    assert dict(ICH9_FUNCTIONS) == {"ich9-ehci1": 7, "ich9-uhci1": 0, "ich9-uhci2": 1, "ich9-uhci3": 2}
    assert dict(ICH9_START_PORTS) == {"ich9-uhci1": 0, "ich9-uhci2": 2, "ich9-uhci3": 4}


def test_disks() -> None:
    """Libvirt rules 5.4 and 5.5, step 1, where the order is that of adding controllers."""
    assert list(DISKS_A_CONTROLLER.items()) == [("scsi", 7), ("fdc", 2), ("ide", 4), ("sata", 6)]
    assert dict(DISK_PREFIX_BUSES) == {
        "fd": "ide",
        "hd": "ide",
        "vd": "virtio",
        "sd": "scsi",
        "xvd": "xen",
        "ubd": "uml",
    }


def test_address_types() -> None:
    """Libvirt rules 1.2 and 9."""
    assert {"pci", "drive", "virtio-serial", "ccid", "usb", "spapr-vio", "ccw", "virtio-mmio", "isa", "dimm"} < set(
        ADDRESS_TYPES
    )
    assert "none" not in ADDRESS_TYPES


# --- the models of `Guest.of`: element, model, class

MODELS = {
    "virtio-blk": ("disk", "virtio", "E"),
    "virtio-net": ("interface", "virtio", "E"),
    "virtio-net-transitional": ("interface", "virtio-transitional", "C"),
    "e1000": ("interface", "e1000", "C"),
    "e1000e": ("interface", "e1000e", "E"),
    "igb": ("interface", "igb", "E"),
    "rtl8139": ("interface", "rtl8139", "C"),
    "vmxnet3": ("interface", "vmxnet3", "C"),
    "pcnet": ("interface", "pcnet", "E"),
    "ne2k_pci": ("interface", "ne2k_pci", "E"),
    "i82559c": ("interface", "i82559c", "E"),
    "tulip": ("interface", "tulip", "E"),
    "virtio-scsi": ("controller/scsi", "virtio-scsi", "E"),
    "lsi": ("controller/scsi", "lsilogic", "C"),
    "megasas": ("controller/scsi", "lsisas1078", "C"),
    "mptsas1068": ("controller/scsi", "lsisas1068", "C"),
    "pvscsi": ("controller/scsi", "vmpvscsi", "C"),
    "am53c974": ("controller/scsi", "am53c974", "C"),
    "dc390": ("controller/scsi", "dc390", "C"),
    "virtio-serial": ("controller/virtio-serial", "", "E"),
    "ich9-ahci": ("controller/sata", "", "C"),
    "qemu-xhci": ("controller/usb", "qemu-xhci", "E"),
    "nec-usb-xhci": ("controller/usb", "nec-xhci", "E"),
    "usb-ehci": ("controller/usb", "ehci", "C"),
    "pci-ohci": ("controller/usb", "pci-ohci", "C"),
    "piix3-usb-uhci": ("controller/usb", "piix3-uhci", "C"),
    "piix4-usb-uhci": ("controller/usb", "piix4-uhci", "C"),
    "virtio-rng": ("rng", "virtio", "E"),
    "virtio-balloon": ("memballoon", "virtio", "E"),
    "vga": ("video", "vga", "C"),
    "qxl": ("video", "qxl", "C"),
    "cirrus-vga": ("video", "cirrus", "C"),
    "vmware-svga": ("video", "vmvga", "C"),
    "bochs-display": ("video", "bochs", "E"),
    "virtio-gpu": ("video", "virtio", "E"),
    "ac97": ("sound", "ac97", "C"),
    "es1370": ("sound", "es1370", "C"),
    "intel-hda": ("sound", "ich6", "C"),
    "ich9-intel-hda": ("sound", "ich9", "C"),
    "virtio-sound": ("sound", "virtio", "E"),
    "i6300esb": ("watchdog", "i6300esb", "C"),
    "virtio-9p": ("filesystem", "virtio", "E"),
    "vhost-user-fs": ("filesystem", "virtiofs", "E"),
    "virtio-keyboard": ("input", "virtio", "E"),
    "virtio-mouse": ("input", "virtio", "E"),
    "virtio-tablet": ("input", "virtio", "E"),
    "ivshmem-plain": ("shmem", "ivshmem-plain", "C"),
    "ivshmem-doorbell": ("shmem", "ivshmem-doorbell", "C"),
    "vhost-vsock": ("vsock", "virtio", "E"),
    "virtio-pmem": ("memory", "virtio-pmem", "E"),
    "virtio-mem": ("memory", "virtio-mem", "E"),
    "virtio-iommu": ("iommu", "virtio", "E+"),
    "virtio-crypto": ("crypto", "virtio", "C"),
    "pvpanic": ("panic", "pvpanic", "C+"),
    "acpi-erst": ("pstore", "acpi-erst", "C"),
    "pci-serial": ("serial", "pci-serial", "C"),
    "vfio-pci": ("hostdev", "pci", "E"),
    "vhost-scsi": ("hostdev", "scsi_host:virtio", "E"),
}
UNKNOWN_TO_LIBVIRT = {"pcnet", "ne2k_pci", "i82559c", "tulip"}


def test_models_are_all_there() -> None:
    assert set(DEVICE_MODELS) == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_model_row(name: str) -> None:
    row = DEVICE_MODELS[name]
    element, word, letter = MODELS[name]
    assert (row.name, row.element, row.model) == (name, element, word)
    if name in UNKNOWN_TO_LIBVIRT:
        assert word not in PLUGS[element]
    else:
        assert PLUGS[element][word] == rows(f"x {letter}")["x"]


@pytest.mark.parametrize("name", MODELS)
def test_model_has_a_qemu_device(name: str) -> None:
    """Names are QEMU's without -pci, in lower case; three stand for another device of libvirt's choice."""
    row = DEVICE_MODELS[name]
    others = {
        "qxl": "qxl-vga",
        "virtio-gpu": "virtio-vga",
        "virtio-net-transitional": "virtio-net-pci-transitional",
        "vfio-pci": "vfio",
    }
    assert row.driver.lower().removesuffix("-pci") == others.get(name, name)
    assert DRIVERS[row.element, row.model]


def test_every_placed_word_has_a_qemu_device() -> None:
    placed = {
        (element, word)
        for element, words in PLUGS.items()
        for word, plug in words.items()
        if plug & c.ENDPOINT and element not in ("controller/ide", "controller/sata")
    }
    # no build of QEMU has these; libvirt gives them addresses nevertheless
    never_built = {
        ("interface", word)
        for word in (
            "vmxnet", "vmxnet2", "vlance", "Am79C970A", "Am79C973", "82540EM", "82545EM", "82543GC", "lan9118",
            "scm91c111", "netfront",
        )
    } | {("video", word) for word in ("xen", "vbox", "parallels")}  # fmt: skip
    never_built |= {("controller/scsi", word) for word in ("buslogic",)} | {("hostdev", "mdev")}
    assert placed - set(DRIVERS) == never_built


def test_secondary_video_stands_in_for_a_primary_one() -> None:
    assert dict(SECONDARY_VIDEO) == {"VGA": "secondary-vga", "qxl-vga": "qxl", "virtio-vga": "virtio-gpu-pci"}


# --- versions (libvirt rule 11)

DIFFERENCES = (
    "sorts_added_controllers",
    "integrated_conventional_on_express",
    "places_crypto_and_pstore",
    "usb_net_is_usb",
    "vhostuser_is_virtio",
    "binary_numbers",
)


def test_versions() -> None:
    assert list(VERSIONS) == ["9.0", "11.3", "12.9"]
    for version, value in (("9.0", False), ("11.3", True), ("12.9", True)):
        row = libvirt_version(version)
        assert row.version == version
        assert [getattr(row, name) for name in DIFFERENCES] == [value] * len(DIFFERENCES)


def test_a_version_may_name_its_release() -> None:
    assert libvirt_version("9.0.0") is libvirt_version("9.0")
    assert libvirt_version("11.3.0") is libvirt_version("11.3")


@pytest.mark.parametrize(
    ("name", "like"),
    [("7.0", "9.0"), ("8.6.0", "9.0"), ("9.10", "9.0"), ("10.0.0", "11.3"), ("11.4", "11.3"), ("13.0", "12.9"),
     ("12.10.1", "12.9")],
)  # fmt: skip
def test_a_version_that_was_not_measured_follows_one(name: str, like: str) -> None:
    row, model = libvirt_version(name), VERSIONS[like]
    assert row.version == name
    assert not row.measured
    assert model.measured
    assert row.qemu == model.qemu
    assert [getattr(row, flag) for flag in SINCE] == [getattr(model, flag) for flag in SINCE]


def test_what_is_known_to_have_come_in_between_counts() -> None:
    between = libvirt_version("11.9.0")
    assert (between.usb_by_machine, between.virtio_scsi_on_virt, between.nvme_controllers) == (True, True, True)
    assert (between.several_iommus, between.scsi_follows_first, between.port_before_bridge) == (False, False, False)
    assert first_with("nvme_controllers") == "11.5"
    assert first_with("scsi_follows_first") == "12.9"
    assert first_with("places_crypto_and_pstore") == "11.3"


@pytest.mark.parametrize("name", ["6.10", "5.2.0", "0.9.13"])
def test_versions_that_are_too_old(name: str) -> None:
    with pytest.raises(UsageError, match=f"libvirt {name} is older than 7.0") as caught:
        libvirt_version(name)
    assert caught.value.code == "unknown-version"


@pytest.mark.parametrize("name", ["", "9", "11", "latest", "11.x", "11.3.0.1", "-11.3", "11.3 ", "v11.3", "1111.3"])
def test_unknown_version(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        libvirt_version(name)
    assert caught.value.code == "unknown-version"
    assert caught.value.headline == f"unknown libvirt version {name!r}"
    assert caught.value.details == ("measured: 9.0, 11.3, 12.9",)


def test_every_difference_between_versions_has_a_first_release() -> None:
    flags = [name for name in Libvirt._fields if name not in ("version", "profile")]
    assert sorted(flags) == sorted(SINCE)
    assert not any(getattr(VERSIONS["9.0"], flag) for flag in flags)
    assert all(getattr(VERSIONS["12.9"], flag) for flag in flags)
    since_11_3 = [flag for flag in flags if not getattr(VERSIONS["11.3"], flag)]
    assert all((11, 3) < SINCE[flag] <= (12, 9) for flag in since_11_3)
    assert all(SINCE[flag] == (10, 0) for flag in flags if flag not in since_11_3)
    assert {row.qemu for row in VERSIONS.values()} <= set(QEMUS)
