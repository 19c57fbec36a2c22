"""Disks that move from IDE to SATA or virtio-scsi, and from SATA to IDE."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pcisim
from pcisim.errors import RefusedError, UsageError
from pcisim.libvirt.drives import drive_of
from pcisim.rewrite.disk_buses import FIXES
from pcisim.rewrite.reassign import Reassigned, reassign
from tests.cli.running import run
from tests.guests import NO_USB, at, controller, disk, domain, nic

UNIT = "<address type='drive' controller='0' bus='{}' target='0' unit='{}'/>"


def ide(number: int, inner: str = "", name: str = "") -> str:
    text = disk(number, inner, bus="ide", prefix="hd")
    return text.replace(f"hd{'abcdefgh'[number]}", name) if name else text


def sata(number: int, inner: str = "", name: str = "") -> str:
    text = disk(number, inner, bus="sata", prefix="sd")
    return text.replace(f"sd{'abcdefghijklmnop'[number]}", name) if name else text


def targets(made: Reassigned) -> list[tuple[str, str]]:
    """Return name and bus of each disk, in the order of the document."""
    return re.findall(r"<target dev='(\w+)' bus='(\w+)'", str(made.text))


def places(made: Reassigned) -> list[tuple[int, int, int, int] | None]:
    return [drive_of(d) for d in pcisim.assign(made.text).placement.guest.devices["disk"]]


def test_to_sata_names_stay_and_controllers_go() -> None:
    text = domain("pc", controller("ide", 0), ide(0, UNIT.format(1, 1)), nic("virtio", at(0, 5)), ide(2))
    made = reassign(text, machine="q35", fix_ide="sata")
    assert targets(made) == [("hda", "sata"), ("hdc", "sata")]
    assert places(made) == [(0, 0, 0, 0), (0, 0, 0, 2)]
    assert made.moved == ("disk:hda from IDE to SATA", "disk:hdc from IDE to SATA")
    assert made.explanation()[1] == "  moved: disk:hda from IDE to SATA"
    assert "<address" not in str(made.text)
    assert "type='ide'" not in str(made.text)


def test_to_sata_beside_disks_that_are_there() -> None:
    made = reassign(
        domain("pc", sata(0), sata(2, UNIT.format(0, 1)), ide(0), ide(1), ide(2)), machine="q35", fix_ide="sata"
    )
    assert targets(made) == [("sda", "sata"), ("sdc", "sata"), ("sdd", "sata"), ("sde", "sata"), ("hdc", "sata")]
    assert len(set(places(made))) == 5
    assert made.moved[0] == "disk:hda from IDE to SATA, as sdd"


def test_a_name_that_another_bus_has_is_not_taken() -> None:
    made = reassign(domain("pc", disk(1, bus="scsi", prefix="sd"), sata(0), ide(0)), machine="q35", fix_ide="sata")
    assert targets(made) == [("sdb", "scsi"), ("sda", "sata"), ("sdc", "sata")]


def test_a_bus_that_nobody_wrote() -> None:
    text = domain("pc", "<disk device='cdrom'><target dev='hdc'/></disk>")
    assert "<target dev='hdc' bus='sata'/>" in str(reassign(text, machine="q35", fix_ide="sata").text)


def test_to_virtio_scsi() -> None:
    made = reassign(domain("pc", ide(0, UNIT.format(0, 0)), ide(3, name="vdx")), machine="q35", fix_ide="virtio-scsi")
    assert targets(made) == [("hda", "scsi"), ("vdx", "scsi")]
    assert places(made) == [(0, 0, 0, 0), (0, 0, 1, 0)]
    assert made.moved[0] == "disk:hda from IDE to scsi:0, a new virtio-scsi controller"
    models = [c.model for c in pcisim.assign(made.text).source.controllers if c.type == "scsi"]
    assert models == ["virtio-scsi"]


@pytest.mark.parametrize("libvirt", ["11.3", "12.9"])
def test_the_models_of_other_scsi_controllers_stay(libvirt: str) -> None:
    """Both the one without a model and the one that libvirt adds; 12.9 would make them virtio-scsi."""
    text = domain("pc", NO_USB, controller("scsi", 0), disk(8, bus="scsi", prefix="sd"), ide(0))
    before = pcisim.assign(text, libvirt=libvirt).placement.guest
    made = reassign(text, machine="q35", fix_ide="virtio-scsi", libvirt=libvirt)
    after = pcisim.assign(made.text, libvirt=libvirt).placement.guest
    old, new = ({c.label: c.model for c in one.controllers if c.type == "scsi"} for one in (before, after))
    assert new == old | {"scsi:2": "virtio-scsi"}
    assert set(old.values()) == {"lsilogic"}


def test_from_sata_to_ide() -> None:
    text = domain("q35", controller("sata", 0), *(sata(n) for n in (5, 0, 9, 2)))
    made = reassign(text, machine="pc")
    assert targets(made) == [("hdb", "ide"), ("sda", "ide"), ("hdd", "ide"), ("sdc", "ide")]
    assert sorted(place or () for place in places(made)) == [(0, 0, 0, 0), (0, 0, 0, 1), (0, 1, 0, 0), (0, 1, 0, 1)]
    assert "sata" not in str(made.text)
    assert reassign(domain("q35", controller("sata", 0)), machine="pc").moved == ()


def test_five_are_too_many_for_ide() -> None:
    text = domain("q35", *(sata(n) for n in range(6)))
    with pytest.raises(RefusedError) as caught:
        reassign(text, machine="pc")
    assert caught.value.code == "machine-change"
    assert caught.value.parties == ("disk:sde", "disk:sdf")
    assert caught.value.details[0] == "disk:sde (line 14): an IDE controller takes 4 disks, and pc has one"
    assert "'--fix-ide sata' leaves the disks on SATA" in caught.value.remedy
    assert {bus for _, bus in targets(reassign(text, machine="pc", fix_ide="sata"))} == {"sata"}
    assert {bus for _, bus in targets(reassign(text, machine="pc", fix_ide="virtio-scsi"))} == {"scsi"}


@pytest.mark.parametrize(
    ("inner", "refused"),
    [
        ("<geometry cyls='99' heads='16' secs='63' trans='lba'/>", FIXES),
        ("<geometry cyls='99' heads='16' secs='63'/>", ()),
        ("<wwn>5000c50015ea71aa</wwn>", ("sata",)),
    ],
)
def test_what_only_some_buses_take(inner: str, refused: tuple[str, ...]) -> None:
    text = domain("pc", ide(0, inner))
    for fix in FIXES:
        if fix in refused:
            with pytest.raises(RefusedError, match="one thing in this guest cannot stay as it is"):
                reassign(text, machine="q35", fix_ide=fix)
        else:
            assert reassign(text, machine="q35", fix_ide=fix).moved


def test_without_a_fix_ide_is_refused_and_the_fix_is_named() -> None:
    with pytest.raises(RefusedError) as caught:
        reassign(domain("pc", ide(0)), machine="q35")
    assert caught.value.remedy.startswith("'--fix-ide sata' or '--fix-ide virtio-scsi' moves what is on IDE")


def test_on_the_same_machine() -> None:
    made = reassign(domain("pc", controller("ide", 0), ide(0)), fix_ide="virtio-scsi")
    assert targets(made) == [("hda", "scsi")]
    assert "<controller type='ide'" in str(made.text)
    assert reassign(domain("pc", ide(0))).moved == ()
    with pytest.raises(UsageError, match="not moved to 'usb'"):
        reassign(domain("pc", ide(0)), fix_ide="usb")


@st.composite
def guests(draw: st.DrawFn) -> str:
    """Draw a pc guest with disks on IDE, SATA, SCSI and virtio, of any names."""
    names = draw(st.lists(st.integers(0, 9), unique=True, max_size=6))
    rows = [disk(n, bus=draw(st.sampled_from(["sata", "scsi"])), prefix="sd") for n in names]
    rows += [ide(n) for n in draw(st.lists(st.integers(0, 3), unique=True, max_size=4))]
    rows += [disk(n) for n in range(draw(st.integers(0, 2)))]
    return domain("pc", NO_USB, *draw(st.permutations(rows)))


@settings(max_examples=40)
@given(guests(), st.sampled_from(FIXES))
def test_what_moves_is_accepted_and_nothing_else_changes(text: str, fix: str) -> None:
    """Law: all disks are there, each at a place of its own, and those on other buses are as they were."""
    old = pcisim.assign(text).source
    made = reassign(text, machine="q35", fix_ide=fix)
    new = pcisim.assign(made.text).source
    assert len(new.devices.get("disk", [])) == len(old.devices.get("disk", []))
    for was, now in zip(old.devices.get("disk", []), new.devices.get("disk", [])):
        if was.bus != "ide":
            assert (was.label, was.bus, drive_of(was)) == (now.label, now.bus, drive_of(now))
        else:
            assert now.bus == {"sata": "sata", "virtio-scsi": "scsi"}[fix]
    assert len(made.moved) == sum(d.bus == "ide" for d in old.devices.get("disk", []))


# the command line


def test_the_option() -> None:
    given_ = domain("pc", ide(0)).encode()
    done = run("assign", "-", "--reassign", "--machine", "q35", "--fix-ide", "sata", given=given_)
    assert done.status == 0
    assert "<target dev='hda' bus='sata'/>" in done.out
    assert "  moved: disk:hda from IDE to SATA\n" in done.err
    refused = run("assign", "-", "--reassign", "--machine", "q35", given=given_)
    assert (refused.status, refused.out) == (1, "")
    assert "--fix-ide sata" in refused.err
    for words in (["--fix-ide", "sata"], ["--reassign", "--fix-ide", "usb"]):
        assert run("assign", "-", *words, given=given_).status == 2
