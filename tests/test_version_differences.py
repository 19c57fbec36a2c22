"""Law: silence means that all versions of libvirt that were measured agree about a guest."""

from __future__ import annotations

import pytest

import pcisim
from pcisim.catalogue.versions import VERSIONS
from pcisim.guest import Controller, Guest
from pcisim.plan import Plan
from pcisim.version_differences import may_differ, sentence
from tests.guests import domain, pci
from tests.record_goldens import cases, not_covered, read_answer, read_guest

NEWEST = "12.9"
SCSI = "".join(
    f"<disk type='file' device='disk'><source file='/a'/><target dev='sd{letter}' bus='scsi'/></disk>"
    for letter in "abcdefgh"
)
VIRTIO_SCSI = "<controller type='scsi' index='0' model='virtio-scsi'/>"


def answer(text: str, version: str) -> object:
    """Return what a version makes of a guest: the addresses and the models of the controllers, or a refusal."""
    try:
        plan = pcisim.assign(text, libvirt=version)
    except pcisim.PcisimError:
        return "refused"
    models = {d.label: d.model for d in plan.placement.guest.all_devices() if isinstance(d, Controller)}
    return plan.addresses, models


ACCEPTED = [case for case in cases() if read_answer(case)[NEWEST]["ok"] and NEWEST not in not_covered(case)]


@pytest.mark.parametrize("case", ACCEPTED)
def test_silence_means_that_all_agree(case: str) -> None:
    text = read_guest(case)
    plan = pcisim.assign(text)
    others = {v: answer(text, v) for v in VERSIONS if v != NEWEST and v not in not_covered(case)}
    differing = {version for version, said in others.items() if said != answer(text, NEWEST)}
    if not may_differ(plan.placement.guest):
        assert differing == set()
    told = plan.version_differences()
    assert {version for one in told for version in one.versions} == differing
    for one in told:
        assert all((others[version] == "refused") == bool(one.refusal) for version in one.versions)
        assert one.refusal or one.addresses or one.here != one.there


def test_most_guests_are_looked_at_once() -> None:
    looked = sum(may_differ(pcisim.assign(read_guest(case)).placement.guest) for case in ACCEPTED)
    assert looked < len(ACCEPTED) * 0.7


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_the_commonest_guests_are_looked_at_once(machine: str) -> None:
    plan = pcisim.assign(Guest.of(machine, {"virtio-blk": 3, "virtio-net": 2, "virtio-serial": 1, "vga": 1}))
    assert not may_differ(plan.placement.guest)
    again = pcisim.assign(plan.to_xml())
    assert not may_differ(again.placement.guest)


def test_the_line() -> None:
    plan = pcisim.assign(domain("q35", VIRTIO_SCSI + SCSI))
    assert said(plan) == "scsi:1: 12.9 virtio-scsi, 11.3 and 9.0 lsilogic: 8 and 6 addresses differ"
    assert plan.to_json()["other_versions"][0] == {
        "versions": ["11.3"],
        "refusal": None,
        "label": "scsi:1",
        "here": "virtio-scsi",
        "there": "lsilogic",
        "addresses": 8,
    }
    old = pcisim.assign(domain("q35", VIRTIO_SCSI + SCSI), libvirt="12.5.0")
    assert said(old).startswith("scsi:1: 12.5.0 lsilogic, 12.9 virtio-scsi: 8 addresses differ; ")
    assert (old.to_json()["libvirt"], old.to_json()["measured"]) == ("12.5.0", False)


def said(plan: Plan) -> str:
    return sentence(plan.version_differences(), plan.rules.version)


def test_a_refusal_is_a_difference() -> None:
    plan = pcisim.assign(domain("q35", pci("pcie-to-pci-bridge", 1)))
    assert said(plan) == (
        "11.3 and 9.0 refuse the guest: Cannot automatically add a new PCI bus for a device with connect flags 2000"
    )


def test_another_policy_is_nobody_elses() -> None:
    assert pcisim.assign(domain("q35", VIRTIO_SCSI + SCSI), "qemu").version_differences() == []
