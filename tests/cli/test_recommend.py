"""``pcisim recommend``: table, JSON, managers' words, exit statuses."""

from __future__ import annotations

import json

import pytest

from tests.cli.running import Done, run

SMALL = ("recommend", "--machine", "q35", "--device", "virtio-blk,count=3")
MANY = ("recommend", "--machine", "q35", "--device", "virtio-net,count=300")


def test_table() -> None:
    done = run(*SMALL)
    assert (done.status, done.err) == (0, "")
    head, *rows = done.out.splitlines()
    assert head.split()[:3] == ["policy", "fits", "boots"]
    assert [row.split(" yes")[0].rstrip() for row in rows[:4]] == ["* libvirt", "  dense", "  hotplug", "  virtio-scsi"]
    assert rows[-1] == "recommended: libvirt on q35"


def test_exit_status() -> None:
    assert run(*MANY).status == 0
    done = run(*MANY, "--compare", "libvirt")
    assert done.status == 1
    assert done.out.endswith("no layout is recommended: none fits, boots and has the room asked for\n")


def test_json() -> None:
    done = run(*MANY, "--format", "json")
    assert (done.status, done.err) == (0, "")
    assert json.loads(done.out)["recommended"] == 1


@pytest.mark.parametrize(
    ("form", "out"),
    [
        ("virt-install", "--controller num_pcie_root_ports=6\n"),
        ("nova", "[libvirt]\nnum_pcie_ports = 6\n"),
    ],
)
def test_managers(form: str, out: str) -> None:
    assert run(*SMALL, "--emit", form) == Done(0, out, "libvirt on q35\n")


def test_kubevirt() -> None:
    done = run(*SMALL, "--emit", "kubevirt")
    assert done.out.startswith("disks:\n- name: vda\n  disk:\n    pciAddress: 0000:02:00.0\n")
    assert "KubeVirt has no words for the 6 PCI controllers" in done.err


def test_a_packed_layout_in_other_words() -> None:
    packed = ("recommend", "--machine", "q35", "--device", "virtio-net,count=3", "--compare", "dense", "--emit")
    done = run("recommend", *MANY[1:], "--emit", "virt-install")
    assert done.out.startswith(
        "--controller type=pci,index=1,model=pcie-root-port,address.type=pci,address.domain=0x0,address.bus=0x0,"
    )
    done = run(*packed, "nova")
    assert (done.status, done.out) == (0, "")
    assert "nova has no words for this layout" in done.err
    assert run(*packed, "qemu").out.startswith("-machine q35")
    assert run(*packed, "xml").out.startswith("<domain")


def test_disks_on_scsi_in_other_words() -> None:
    disks = ("recommend", "--machine", "q35", "--device", "virtio-blk,count=300", "--emit")
    lines = run(*disks, "virt-install").out.splitlines()
    assert lines[:4] == [
        "--controller num_pcie_root_ports=5",
        "--controller type=scsi,index=0,model=virtio-scsi",
        "--controller type=scsi,index=1,model=virtio-scsi",
        "# disk:sda: add ,bus=scsi,address.type=drive,address.controller=0,address.target=0",
    ]
    assert len(lines) == 303
    done = run(*disks, "nova")
    assert done.out == "[libvirt]\nnum_pcie_ports = 5\n"
    assert "hw_disk_bus=scsi, hw_scsi_model=virtio-scsi" in done.err
    assert "numbers them itself" in run(*disks, "kubevirt").err


def test_what_libvirt_does_by_itself_needs_no_words() -> None:
    for form in ("virt-install", "nova"):
        done = run("recommend", "--machine", "pc", "--device", "virtio-net", "--emit", form)
        assert (done.status, done.out) == (0, "")
        assert "libvirt makes this layout by itself" in done.err


def test_spares_are_ports_in_other_words() -> None:
    done = run("recommend", "--machine", "q35", "--device", "virtio-net", "--later", "virtio-net=4", "--emit", "nova")
    assert done.out == "[libvirt]\nnum_pcie_ports = 7\n"


def test_bad_input() -> None:
    for words in (
        (*SMALL, "--compare", "spread"),
        (*SMALL, "--compare", ","),
        (*SMALL, "--later", "virtio-net=x"),
        (*SMALL, "--emit", "xml", "--format", "json"),
        ("recommend",),
    ):
        done = run(*words)
        assert (done.status, done.out) == (2, ""), words
        assert done.err


def test_an_architecture_that_no_policy_covers() -> None:
    guest = b"<domain><os><type arch='mips' machine='malta'>hvm</type></os></domain>"
    done = run("recommend", "-", given=guest)
    assert (done.status, done.out) == (4, "")
    assert done.err.startswith("<stdin>:1: architecture 'mips' is not covered")
