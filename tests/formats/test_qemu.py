"""QEMU's arguments, word by word; `tests/qemu` starts them."""

from __future__ import annotations

import itertools

import pytest

import pcisim
from pcisim.catalogue.devices import DEVICE_MODELS
from tests.guests import BARE, at, controller, disk, domain, ich9, nic, pci, video

ROOT = pci("pcie-root", 0)
PORT = "pcie-root-port"
NUMA = "<cpu><numa><cell id='0' memory='1'/><cell id='1' memory='1'/></numa></cpu>"


def words(machine: str, *devices: str, runnable: bool = False, head: str = "", version: str = "11.3") -> list[str]:
    """Return the arguments after ``-nodefaults``."""
    plan = pcisim.assign(domain(machine, BARE, *devices, head=head), libvirt=version)
    first, *rest = plan.to_qemu_args(runnable=runnable)
    assert (first, rest[0], rest[1]) == ("-machine", machine, "-nodefaults")
    return rest[2:]


def devices(machine: str, *elements: str, runnable: bool = False, head: str = "") -> list[str]:
    """Return what stands behind each ``-device``."""
    line = words(machine, *elements, runnable=runnable, head=head)
    return [value for option, value in itertools.pairwise(line) if option == "-device"]


def test_controllers_and_back_ends() -> None:
    assert devices("q35", ROOT, pci(PORT, 1), pci(PORT, 2), disk(), nic("e1000", at(2, 0))) == [
        "pcie-root-port,port=0x8,chassis=1,slot=0,id=pci.1,bus=pcie.0,multifunction=on,addr=0x1",
        "pcie-root-port,port=0x9,chassis=2,slot=0,id=pci.2,bus=pcie.0,addr=0x1.0x1",
        "virtio-blk-pci,drive=DRIVE_vda,id=disk-vda,bus=pci.1,addr=0x0",
        "e1000,netdev=NETDEV_0,id=interface-0,bus=pci.2,addr=0x0",
    ]


def test_bridges_and_expanders() -> None:
    assert devices(
        "pc",
        pci("pci-expander-bus", 1, "<target busNr='100'><node>1</node></target>"),
        pci("pci-bridge", 2, "<target memReserve='64'/>" + at(1, 0)),
        head=NUMA,
    ) == [
        "pxb,bus_nr=100,numa_node=1,id=pci.1,bus=pci.0,addr=0x2",
        "pci-bridge,chassis_nr=2,mem-reserve=65536,id=pci.2,bus=pci.1,addr=0x0",
    ]
    assert devices(
        "q35",
        ROOT,
        pci("pcie-expander-bus", 1),
        pci(PORT, 2, "<target hotplug='off' memReserve='1024' port='0x3' chassis='200'/>" + at(1, 0)),
        pci("pcie-switch-upstream-port", 3),
        pci("pcie-switch-downstream-port", 4, at(3, 7)),
        pci("dmi-to-pci-bridge", 5),
        pci("pcie-to-pci-bridge", 6),
    ) == [
        "pxb-pcie,bus_nr=254,id=pci.1,bus=pcie.0,addr=0x1",
        "pcie-root-port,port=0x3,chassis=200,slot=0,hotplug=off,mem-reserve=1048576,id=pci.2,bus=pci.1,addr=0x0",
        "x3130-upstream,id=pci.3,bus=pci.2,addr=0x0",
        "xio3130-downstream,port=0x7,chassis=4,slot=0,id=pci.4,bus=pci.3,addr=0x7",
        "i82801b11-bridge,id=pci.5,bus=pcie.0,addr=0x1e",
        "pcie-pci-bridge,id=pci.6,bus=pci.4,addr=0x0",
    ]


def test_a_bus_comes_before_what_hangs_on_it() -> None:
    lines = devices(
        "pc", pci("pci-bridge", 1, at(0, 9)), pci("pci-bridge", 9, at(3, 4)), pci("pci-bridge", 3, at(1, 4))
    )
    there = ["pci.0"]
    for line in lines:
        properties = dict(part.split("=") for part in line.split(",")[1:])
        assert properties["bus"] in there
        there.append(properties["id"])
    assert len(there) == 10


def test_what_comes_with_the_machine_is_left_out() -> None:
    assert devices("pc", disk(0, bus="ide", prefix="hd")) == []
    assert devices("q35", disk(0, bus="sata", prefix="sd")) == []
    assert devices("pc", controller("sata", 1)) == ["ich9-ahci,id=sata-1,bus=pci.0,addr=0x2"]


def test_hotplug_of_the_root_bus() -> None:
    assert words("pc", pci("pci-root", 0, "<target hotplug='off'/>")) == [
        "-global",
        "PIIX4_PM.acpi-root-pci-hotplug=off",
    ]


def test_host_bridges_of_pseries() -> None:
    text = domain(
        "pseries",
        BARE,
        pci("pci-root", 0),
        pci("pci-root", 1, "<target index='4'><node>1</node></target>"),
        pci("pci-bridge", 2, at(1, 3)),
        disk(),
        nic("e1000", at(1, 1)),
        head=NUMA,
        arch="ppc64",
    )
    assert pcisim.assign(text).to_qemu_args()[3:] == [
        "-device", "spapr-pci-host-bridge,index=4,id=pci.1,numa_node=1",
        "-device", "pci-bridge,chassis_nr=2,id=pci.2,bus=pci.1.0,addr=0x3",
        "-device", "virtio-blk-pci,drive=DRIVE_vda,id=disk-vda,bus=pci.0,addr=0x1",
        "-device", "e1000,netdev=NETDEV_0,id=interface-0,bus=pci.1.0,addr=0x1",
    ]  # fmt: skip


def test_numbers_of_s390() -> None:
    text = domain("", BARE, nic("e1000"), nic("virtio", "<address type='pci'><zpci uid='5'/></address>"), arch="s390x")
    assert pcisim.assign(text).to_qemu_args()[3:] == [
        "-device", "zpci,uid=1,fid=1,target=interface-0,id=zpci1",
        "-device", "e1000,netdev=NETDEV_0,id=interface-0,bus=pci.0,addr=0x1",
        "-device", "zpci,uid=5,fid=0,target=interface-1,id=zpci5",
        "-device", "virtio-net-pci,netdev=NETDEV_1,id=interface-1,bus=pci.0,addr=0x2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arch", "machine", "bus"),
    [
        ("aarch64", "virt", "pcie.0"),
        ("aarch64", "versatilepb", "pci"),
        ("ppc64", "mac99", "pci.0"),
        ("sh4", "", "pci"),
    ],
)
def test_names_of_root_buses(arch: str, machine: str, bus: str) -> None:
    place = at(0, 4)
    line = pcisim.assign(domain(machine, BARE, nic("e1000", place), arch=arch)).to_qemu_args()
    assert line[-1] == f"e1000,netdev=NETDEV_0,id=interface-0,bus={bus},addr=0x4"


@pytest.mark.parametrize(
    ("arch", "machine", "word"),
    [("aarch64", "virt", "virt,acpi=off"), ("ppc64", "pseries", "pseries"), ("s390x", "", "s390-ccw-virtio")],
)
def test_only_some_machines_have_acpi_to_switch_off(arch: str, machine: str, word: str) -> None:
    text = domain(machine, arch=arch).replace("<acpi/>", "")
    assert pcisim.assign(text).to_qemu_args()[1] == word


def test_acpi() -> None:
    guest = domain("q35", BARE).replace("<acpi/>", "")
    assert pcisim.assign(guest).to_qemu_args() == ["-machine", "q35,acpi=off", "-nodefaults"]


def usb(text: str) -> list[str]:
    """Return the USB controllers of a q35 guest."""
    plan = pcisim.assign(domain("q35", "<memballoon model='none'/>", text))
    line = plan.to_qemu_args()
    return [value for option, value in itertools.pairwise(line) if option == "-device" and "usb" in value]


def test_companions_come_after_their_master() -> None:
    expected = [
        "ich9-usb-ehci1,id=usb-0-ich9-ehci1,bus=pcie.0,addr=0x1d.0x7",
        "ich9-usb-uhci1,masterbus=usb-0-ich9-ehci1.0,firstport=0,id=usb-0-ich9-uhci1,bus=pcie.0,multifunction=on,addr=0x1d",
        "ich9-usb-uhci2,masterbus=usb-0-ich9-ehci1.0,firstport=2,id=usb-0-ich9-uhci2,bus=pcie.0,addr=0x1d.0x1",
        "ich9-usb-uhci3,masterbus=usb-0-ich9-ehci1.0,firstport=4,id=usb-0-ich9-uhci3,bus=pcie.0,addr=0x1d.0x2",
    ]
    assert usb(ich9(0)) == expected
    assert usb(ich9(0, "321e")) == [expected[0], *reversed(expected[1:])]


def test_companions_that_cannot_be_are_on_their_own_in_a_runnable_line() -> None:
    text = domain(
        "pc",
        "<memballoon model='none'/>",
        controller("usb", 0, "qemu-xhci"),
        controller("usb", 0, "ich9-uhci1", "<master startport='0'/>"),
    )
    as_libvirt, runnable = (pcisim.assign(text).to_qemu_args(runnable=flag)[-1] for flag in (False, True))
    rest = "id=usb-0-ich9-uhci1,bus=pci.0,multifunction=on,addr=0x3"
    assert as_libvirt == f"ich9-usb-uhci1,masterbus=usb-0.0,firstport=0,{rest}"
    assert runnable == f"ich9-usb-uhci1,{rest}"


def test_slots_of_one_chassis_differ_in_a_runnable_line() -> None:
    ports = (ROOT, *(pci(PORT, n, "<target chassis='5'/>") for n in (1, 2)), pci(PORT, 3))
    as_libvirt, runnable = (devices("q35", *ports, runnable=flag) for flag in (False, True))
    assert [line.split(",")[2:4] for line in as_libvirt] == [
        ["chassis=5", "slot=0"],
        ["chassis=5", "slot=0"],
        ["chassis=3", "slot=0"],
    ]
    assert [line.split(",")[2:4] for line in runnable] == [
        ["chassis=5", "slot=0"],
        ["chassis=5", "slot=1"],
        ["chassis=3", "slot=0"],
    ]


def test_videos() -> None:
    lines = devices("pc", video("qxl"), video("qxl"), video("virtio", primary=True))
    assert [line.partition(",")[0] for line in lines] == ["virtio-vga", "qxl", "qxl"]
    assert [line.partition(",")[0] for line in devices("pc", video("qxl"), video("virtio"))] == [
        "qxl-vga",
        "virtio-gpu-pci",
    ]


def test_host_devices() -> None:
    source = "<source><address type='pci' bus='0x41'/></source>"
    elements = (
        f"<hostdev mode='subsystem' type='pci'>{source}</hostdev>",
        f"<interface type='hostdev'>{source.replace('0x41', '0x42')}</interface>",
        "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source>"
        "<address uuid='470ea4b5-0f16-4df7-aff2-4fb4cec610c7'/></source></hostdev>",
        "<hostdev mode='subsystem' type='scsi_host'><source protocol='vhost' wwpn='naa.5001405df3e54061'/></hostdev>",
    )
    assert {line.split(",")[2]: line.split(",")[:2] for line in devices("pc", *elements)} == {
        "id=interface-0": ["vfio-pci", "host=HOST_interface_0"],
        "id=hostdev-0": ["vfio-pci", "host=HOST_0"],
        "id=hostdev-1": ["vfio-pci", "sysfsdev=MDEV_1"],
        "id=hostdev-2": ["vhost-scsi-pci", "wwpn=WWPN_2"],
    }
    assert {line.split(",")[1]: line.split(",")[0] for line in devices("pc", *elements, runnable=True)} == {
        "id=interface-0": "pci-testdev",
        "id=hostdev-0": "pci-testdev",
        "id=hostdev-1": "pci-testdev",
        "id=hostdev-2": "virtio-rng-pci",
    }


def test_names_of_the_user() -> None:
    alias = "<alias name='ua-my.port'/>"
    lines = devices("q35", ROOT, pci(PORT, 1, alias), nic().replace("<model", "<alias name='ua-x&amp;,y'/><model"))
    assert lines == [
        "pcie-root-port,port=0x8,chassis=1,slot=0,id=ua-my.port,bus=pcie.0,addr=0x1",
        "virtio-net-pci,netdev=NETDEV_0,id=ua-x_26__2c_y,bus=ua-my.port,addr=0x0",
    ]
    machine_made = nic().replace("<model", "<alias name='net0'/><model")
    assert devices("pc", machine_made) == ["virtio-net-pci,netdev=NETDEV_0,id=interface-0,bus=pci.0,addr=0x2"]


def test_names_are_ones_that_qemu_takes() -> None:
    guest = pcisim.Guest.of("pc", {"virtio-blk": 1})
    guest.devices["disk"][0].label = "disk:vda,readonly=on é"
    line = next(word for word in pcisim.assign(guest).to_qemu_args() if word.startswith("virtio-blk"))
    assert line == (
        "virtio-blk-pci,drive=DRIVE_vda_2c_readonly_3d_on_20__e9_,id=disk-vda_2c_readonly_3d_on_20__e9_,bus=pci.0,addr=0x2"
    )


def test_acpi_indexes() -> None:
    cards = [nic().replace("<model", f"<acpi index='{n}'/><model") for n in (7, 7, 16384)]
    ends = [line.rpartition("addr=")[2] for line in devices("pc", *cards)]
    assert ends == ["0x2,acpi-index=7", "0x3,acpi-index=7", "0x4,acpi-index=16384"]
    ends = [line.rpartition("addr=")[2] for line in devices("pc", *cards, runnable=True)]
    assert ends == ["0x2,acpi-index=7", "0x3", "0x4"]  # QEMU refuses the others


def test_what_is_not_on_pci_is_nothing_to_qemu() -> None:
    """libvirt lets them have a PCI address, and even keeps the place free."""
    assert devices("pc", f"<sound model='sb16'>{at(0, 9)}</sound>", controller("fdc", 0, inner=at(0, 10))) == []


def test_memory() -> None:
    element = (
        "<memory model='virtio-mem'><target><size unit='MiB'>256</size><node>0</node><block unit='MiB'>2</block>"
        "<requested unit='MiB'>0</requested></target></memory>"
    )
    head = "<maxMemory slots='9'>9</maxMemory>"
    assert words("pc", element, element, head=head) == [
        "-device",
        "virtio-mem-pci,memdev=MEM_0,id=memory-0,bus=pci.0,addr=0x2",
        "-device",
        "virtio-mem-pci,memdev=MEM_1,id=memory-1,bus=pci.0,addr=0x3",
    ]
    assert words("pc", element, head=head, runnable=True) == [
        "-display",
        "none",
        "-m",
        "size=256M,slots=1,maxmem=2G",
        "-object",
        "memory-backend-ram,id=MEM_0,size=256M",
        "-device",
        "virtio-mem-pci,memdev=MEM_0,id=memory-0,bus=pci.0,addr=0x2",
    ]


def test_numa_nodes() -> None:
    expander = pci("pci-expander-bus", 1, "<target><node>1</node></target>")
    line = words("pc", expander, head=NUMA, runnable=True)
    assert line[2:12] == [
        "-m",
        "size=256M",
        "-object",
        "memory-backend-ram,id=NODE_0,size=128M",
        "-numa",
        "node,nodeid=0,memdev=NODE_0",
        "-object",
        "memory-backend-ram,id=NODE_1,size=128M",
        "-numa",
        "node,nodeid=1,memdev=NODE_1",
    ]


@pytest.mark.parametrize("name", DEVICE_MODELS)
def test_placeholders_and_stand_ins(name: str) -> None:
    """Each row has its driver in the one form; in the other, every back-end that is named is there."""
    if name == "virtio-iommu":
        return
    plan = pcisim.assign(pcisim.Guest.of("pc", {name: 2 if name in ("virtio-blk", "virtio-net", "ac97") else 1}))
    plain, runnable = plan.to_qemu_args(), plan.to_qemu_args(runnable=True)
    drivers = [value.partition(",")[0] for option, value in itertools.pairwise(plain) if option == "-device"]
    assert DEVICE_MODELS[name].driver in drivers
    assert [option for option in plain if option.startswith("-")] == [
        "-machine",
        "-nodefaults",
        *["-device"] * len(drivers),
    ]
    made = {
        part.partition("=")[2]
        for word in runnable
        if "=" in word
        for part in word.split(",")
        if part[:3] in ("id=", "nod")
    }
    for option, value in itertools.pairwise(runnable):
        if option == "-device":
            for part in value.split(",")[1:]:
                key, _, wanted = part.partition("=")
                if key in ("drive", "netdev", "chardev", "fsdev", "rng", "cryptodev", "memdev", "audiodev"):
                    assert wanted in made, value
                assert key not in ("host", "sysfsdev", "wwpn", "guest-cid", "evdev"), value
