"""Law: a runnable line starts a real QEMU, and QEMU's own tree is the plan's.

Every device is at its bus, slot and function, every bus is there under its name, the multifunction
bit is where the plan has it, and the machine's own devices are where the catalogue says.
"""

from __future__ import annotations

import pytest

import pcisim
from pcisim.catalogue.devices import DEVICE_MODELS
from pcisim.errors import PcisimError
from pcisim.plan import Plan
from tests.guests import NO_BALLOON, NO_USB, at, controller, disk, disks, domain, ich9, nic, pci, video
from tests.qemu import running
from tests.record_goldens import cases, read_answer, read_guest
from tests.sampled import one_in

pytestmark = [
    pytest.mark.qemu,
    pytest.mark.skipif(not running.is_installed(), reason=f"{running.PROGRAM} is not installed"),
]

NUMA = (
    "<cpu><numa><cell id='0' cpus='0' memory='1' unit='GiB'/><cell id='1' cpus='1' memory='1' unit='GiB'/></numa></cpu>"
)
ROOT_PC, ROOT_Q35 = pci("pci-root", 0), pci("pcie-root", 0)
PORT = "pcie-root-port"
HOSTDEV = "<hostdev mode='subsystem' type='pci' managed='yes'><source><address bus='{}'/></source></hostdev>"
MDEV = (
    "<hostdev mode='subsystem' type='mdev' model='vfio-pci'>"
    "<source><address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev>"
)
MEMORY = (
    "<memory model='virtio-mem'><target><size unit='MiB'>256</size><node>0</node><block unit='MiB'>2</block>"
    "<requested unit='MiB'>128</requested></target></memory>"
    "<memory model='virtio-pmem' access='shared'><source><path>/pmem</path></source>"
    "<target><size unit='MiB'>128</size></target></memory>"
)

GUESTS: dict[str, str] = {
    "pc-without-devices": domain("pc", NO_USB, NO_BALLOON),
    "pc-ninety-one-disks": domain("pc", disks(91)),
    "pc-nested-bridges": domain(
        "pc",
        pci("pci-bridge", 1),
        pci("pci-bridge", 2, at(1, 1)),
        pci("pci-bridge", 3, at(2, 0x1F)),
        pci("pci-bridge", 4, at(3, 5)),
        nic("e1000", at(4, 7)),
        nic("virtio", at(3, 6, 3, "on")),
        nic("rtl8139", at(3, 6)),
    ),
    "pc-expanders-on-numa-nodes": domain(
        "pc",
        pci("pci-expander-bus", 1, "<target busNr='100'><node>1</node></target>"),
        pci("pci-expander-bus", 2, "<target><node>0</node></target>"),
        pci("pci-bridge", 3, at(1, 0)),
        nic("virtio", at(1, 2)),
        nic("e1000", at(3, 9)),
        nic("rtl8139", at(2, 0)),
        head=NUMA,
    ),
    "pc-ich9-and-others": domain("pc", ich9(0), ich9(1), controller("usb", 2, "ehci"), nic()),
    "pc-functions-by-hand": domain("pc", *(disk(n, at(0, 9, n)) for n in range(8)), *(nic("e1000") for _ in range(3))),
    "pc-videos-the-second-is-primary": domain("pc", video("qxl"), video("virtio", primary=True), video("qxl")),
    "pc-slot-two-taken": domain("pc", nic("virtio", at(0, 2)), video("vga")),
    "pc-hotplug-off": domain("pc", pci("pci-root", 0, "<target hotplug='off'/>"), nic()),
    "pc-lone-function": domain("pc", nic("virtio", at(0, 9, 3))),
    "pc-storage": domain(
        "pc",
        disk(0, bus="ide", prefix="hd"),
        disk(8, bus="scsi", prefix="sd"),
        disk(7, bus="sata", prefix="sd").replace("sdh", "sdz"),
        *(controller("scsi", n, m) for n, m in enumerate(("lsilogic", "virtio-scsi", "lsisas1078", "vmpvscsi"), 1)),
    ),
    "q35-without-devices": domain("q35", NO_USB, NO_BALLOON),
    "q35-two-hundred-disks": domain("q35", disks(200)),
    "q35-both-kinds": domain(
        "q35", nic("e1000"), nic(), disks(9), video("qxl"), "<sound model='ich9'/>", nic("e1000e")
    ),
    "q35-nested-switches": domain(
        "q35",
        ROOT_Q35,
        pci(PORT, 1),
        pci("pcie-switch-upstream-port", 2, at(1, 0)),
        *(pci("pcie-switch-downstream-port", n, at(2, n - 3)) for n in range(3, 7)),
        pci("pcie-switch-upstream-port", 7, at(3, 0)),
        pci("pcie-switch-downstream-port", 8, at(7, 0x1F)),
        pci("pcie-to-pci-bridge", 9, at(4, 0)),
        pci("pci-bridge", 10, at(9, 3)),
        nic("virtio", at(8, 0)),
        nic("e1000", at(10, 0x1F)),
    ),
    "q35-expanders": domain(
        "q35",
        ROOT_Q35,
        pci("pcie-expander-bus", 1, "<target busNr='180'><node>1</node></target>"),
        pci("pcie-expander-bus", 2, "<target busNr='220'><node>0</node></target>"),
        pci(PORT, 3, at(1, 0)),
        pci(PORT, 4, at(1, 4, 7)),
        pci("dmi-to-pci-bridge", 5, at(2, 0)),
        pci("pci-bridge", 6, at(5, 0)),
        nic("virtio", at(3, 0)),
        nic("e1000", at(6, 1)),
        head=NUMA,
    ),
    "q35-dmi-bridge": domain("q35", ROOT_Q35, pci("dmi-to-pci-bridge", 1), nic("e1000"), nic("rtl8139", at(1, 4))),
    "q35-ich9-three-sets": domain("q35", ich9(0), ich9(1, "321e"), ich9(2)),
    "q35-companions-of-another-master": domain(
        "q35",
        controller("usb", 0, "qemu-xhci"),
        controller("usb", 0, "ich9-uhci1", "<master startport='0'/>"),
        controller("usb", 1, "ich9-ehci1"),
        controller("usb", 1, "ich9-uhci1", "<master startport='0'/>"),
        controller("usb", 1, "ich9-uhci2", "<master startport='0'/>"),
        controller("usb", 1, "ich9-uhci3", "<master startport='77'/>"),
    ),
    "q35-port-options": domain(
        "q35",
        ROOT_Q35,
        pci(PORT, 1, "<target chassis='7' port='0x77' hotplug='off' memReserve='2048'/>"),
        pci(PORT, 2, "<model name='ioh3420'/><target chassis='7' memReserve='2048'/>"),
        pci(PORT, 3, "<target chassis='7'/>"),
        pci("pcie-to-pci-bridge", 4),
        pci("pci-bridge", 5, "<target chassisNr='255' memReserve='1024'/>" + at(4, 1)),
        nic("e1000", at(5, 1)),
    ),
    "q35-ports-beside-an-endpoint": domain("q35", ROOT_Q35, pci(PORT, 1, at(0, 2, 3)), pci(PORT), pci(PORT), nic()),
    "q35-endpoints-on-the-root": domain("q35", nic("e1000", at(0, 5)), nic("virtio", at(0, 0x1F, 7)), disks(2)),
    "q35-host-devices": domain(
        "q35",
        HOSTDEV.format("0x41"),
        MDEV,
        "<hostdev mode='subsystem' type='scsi_host'><source protocol='vhost' wwpn='naa.5001405df3e54061'/></hostdev>",
        "<interface type='hostdev'><source><address type='pci' bus='0x42'/></source></interface>",
        "<input type='passthrough' bus='virtio'><source evdev='/dev/input/event1'/></input>",
    ),
    "q35-memory-devices": domain("q35", MEMORY, MEMORY.replace("/pmem", "/pmem2"), head="<maxMemory>9</maxMemory>"),
    "q35-names-of-the-user": domain(
        "q35",
        ROOT_Q35,
        pci(PORT, 1, "<alias name='ua-a.port'/>"),
        nic("virtio", at(1, 0)).replace("</interface>", "<alias name='ua-the_card'/></interface>"),
        nic("virtio").replace("</interface>", "<acpi index='3'/></interface>"),
    ),
    "q35-acpi-indexes-twice": domain(
        "q35", *(nic().replace("</interface>", f"<acpi index='{n}'/></interface>") for n in (3, 3, 70000))
    ),
    "q35-all-transitional": domain(
        "q35",
        "<rng model='virtio-transitional'><backend model='random'>/dev/urandom</backend></rng>",
        "<memballoon model='virtio-non-transitional'/>",
        "<vsock model='virtio-non-transitional'/>",
        "<filesystem model='virtio-transitional'><source dir='/a'/><target dir='a'/></filesystem>",
        controller("scsi", 0, "virtio-transitional"),
        controller("virtio-serial", 0, "virtio-non-transitional"),
        nic("virtio-transitional"),
        disk().replace("<disk ", "<disk model='virtio-transitional' "),
    ),
    "q35-without-acpi": domain("q35", nic(), nic("e1000")).replace("<features><acpi/></features>", "<features/>"),
    "pc-without-acpi": domain("pc", nic(), nic("e1000")).replace("<features><acpi/></features>", "<features/>"),
}


def assert_qemu_agrees(plan: Plan, words: list[str] | None = None) -> None:
    """Start the guest and compare."""
    places, built_in, shared = running.expected(plan)
    tree = running.start(plan.to_qemu_args(runnable=True) if words is None else words)
    assert tree.places == places
    assert tree.shared == shared
    assert tree.built_in == built_in
    assert {bus for bus, _ in places.values()} <= tree.buses
    assert {running.identity(c) for c in plan.placement.guest.controllers if c.type == "pci" and c.index} <= tree.buses


def skip_what_is_lacking(words: list[str]) -> None:
    """Skip a guest with a device that this QEMU lacks."""
    wanted = {words[place + 1].partition(",")[0] for place, word in enumerate(words) if word == "-device"}
    lacking = sorted(wanted - running.devices_there())
    if lacking:
        pytest.skip(f"this QEMU has no {', '.join(lacking)}")


@pytest.mark.parametrize("name", GUESTS)
def test_starts_as_planned(name: str) -> None:
    assert_qemu_agrees(pcisim.assign(GUESTS[name]))


def test_starts_as_planned_by_the_older_rules() -> None:
    port = pci(PORT, 5)
    assert_qemu_agrees(pcisim.assign(domain("q35", ROOT_Q35, port, disks(3), nic("e1000")), libvirt="9.0"))


@pytest.mark.parametrize(("machine", "name"), one_in(3, [(m, name) for name in DEVICE_MODELS for m in ("pc", "q35")]))
def test_each_device_starts(machine: str, name: str) -> None:
    if (machine, name) == ("pc", "virtio-iommu"):
        with pytest.raises(PcisimError):
            pcisim.assign(pcisim.Guest.of(machine, {name: 1}))
        return
    plan = pcisim.assign(pcisim.Guest.of(machine, {name: 1}))
    skip_what_is_lacking(plan.to_qemu_args(runnable=True))
    assert_qemu_agrees(plan)


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_all_devices_start_together(machine: str) -> None:
    there = {
        name: 1 if row.element in ("video", "memballoon", "vsock", "panic", "iommu", "pstore") else 2
        for name, row in DEVICE_MODELS.items()
        if row.driver in running.devices_there()
        and (row.element != "video" or name == "qxl")
        # they must sit on bus 0, which is full on pc by the time it is their turn
        and (machine, name) not in (("pc", "virtio-iommu"), ("pc", "pvpanic"))
    }
    assert_qemu_agrees(pcisim.assign(pcisim.Guest.of(machine, there)))


REFUSED_BY_QEMU = {
    "memory-reserve-of-64-bits": "mem-reserve must be less than 4G",
    "multifunction-off-is-respected": "single function device can't be populated in function",
    "pc-chipset-functions-left-over": "in use by piix3-ide",
    "pci-controller-with-a-foreign-address": "Bus 'pci.1' not found",
    "ports-on-foreign-addresses": "Bus 'pci.2' not found",
    "q35-port-number-of-a-drive-address": "Bus 'pci.1' not found",
    "switch-on-itself-by-search": "Bus 'pci.1' not found",
    "switch-ports-in-a-circle": "Bus 'pci.1' not found",
    "two-switches-in-a-circle": "Bus 'pci.1' not found",
}
"""Guests that libvirt accepts and cannot start, and what QEMU says of them."""


def startable() -> list[str]:
    """Return the goldens of machines that this QEMU has."""
    accepted = [case for case in cases() if read_answer(case)["11.3"]["ok"]]
    families = {
        case: pcisim.assign(read_guest(case), libvirt="11.3").placement.guest.machine.family for case in accepted
    }
    return [case for case in accepted if families[case] in ("i440fx", "q35")]


@pytest.mark.parametrize("case", one_in(5, startable(), always=REFUSED_BY_QEMU))
def test_goldens_start(case: str) -> None:
    plan = pcisim.assign(read_guest(case), libvirt="11.3")
    words = plan.to_qemu_args(runnable=True)
    _, *options = words[1].split(",")  # whatever version the guest has, this QEMU need not know it
    words[1] = ",".join(["q35" if plan.placement.guest.machine.express else "pc", *options])
    names = [running.identity(device) for device in plan.placement.addresses]
    skip_what_is_lacking(words)
    if case in REFUSED_BY_QEMU:
        with pytest.raises(AssertionError, match=REFUSED_BY_QEMU[case]):
            running.start(words)
    elif len(set(names)) == len(names):
        assert_qemu_agrees(plan, words)
    else:
        running.start(words)
