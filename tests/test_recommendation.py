"""Layouts side by side, and which to take."""

from __future__ import annotations

import pytest

import pcisim
from pcisim.errors import InputError, NotCoveredError, UsageError
from pcisim.recommendation import SCSI, Layout, Recommendation
from pcisim.requests import Wish
from tests.guests import domain

DISK = "<disk type='file' device='disk'><source file='/{0}'/><target dev='{0}' bus='virtio'/>{1}</disk>"


def best(found: Recommendation) -> tuple[str, str] | None:
    """Return policy and machine type of the recommended layout."""
    return None if found.best is None else (found.best.policy, found.best.machine)


def row(found: Recommendation, policy: str) -> Layout:
    """Return the row of a policy."""
    return next(layout for layout in found.layouts if layout.policy == policy)


def test_libvirt_is_recommended_where_it_will_do() -> None:
    found = pcisim.recommend(pcisim.Guest.of("q35", {"virtio-blk": 3}))
    assert best(found) == ("libvirt", "q35")
    assert [layout.policy for layout in found.layouts] == ["libvirt", "dense", "hotplug", SCSI]
    assert row(found, "libvirt").plan is not None
    assert row(found, "libvirt").boots == {"seabios": True, "ovmf": True}
    assert row(found, "libvirt").detachable == 3
    assert (row(found, "dense").controllers, row(found, "dense").detachable) == (1, 0)


def test_300_disks() -> None:
    found = pcisim.recommend(pcisim.Guest.of("q35", {"virtio-blk": 300}))
    assert not row(found, "libvirt").fits
    assert row(found, "dense").fits
    assert row(found, "dense").controllers == 38
    assert row(found, "dense").detachable == 0
    assert best(found) == (SCSI, "q35")
    assert row(found, SCSI).detachable == 300
    assert "300 disks change their names in the guest (vda becomes sda)" in row(found, SCSI).costs[0]


def test_300_cards_have_no_such_way_out() -> None:
    found = pcisim.recommend(pcisim.Guest.of("q35", {"virtio-net": 300}))
    rows = [(layout.policy, layout.fits) for layout in found.layouts]
    assert rows == [("libvirt", False), ("dense", True), ("hotplug", False)]
    assert best(found) == ("dense", "q35")


def test_nothing_is_recommended_without_the_room_that_is_asked_for() -> None:
    guest = pcisim.Guest.of("q35", {"virtio-net": 3})
    found = pcisim.recommend(guest, ["libvirt", "dense"], later={"virtio-net": 2})
    assert best(found) is None
    assert row(found, "libvirt").later == {"PCI Express": 1}
    assert "libvirt on q35: lacks 1 PCI Express slot for what comes later" in found.lines()
    assert best(pcisim.recommend(guest, later={"virtio-net": 1})) == ("libvirt", "q35")


def test_spares_for_what_comes_later() -> None:
    guest = pcisim.Guest.of("q35", {"virtio-net": 3})
    assert best(pcisim.recommend(guest, later={"virtio-net": 2})) == ("hotplug:spare=2", "q35")
    assert best(pcisim.recommend(guest, later={"virtio-net": 2, "e1000": 3})) == ("hotplug:spare=2:pci-spare=3", "q35")


def test_machine_types_side_by_side() -> None:
    found = pcisim.recommend(pcisim.Guest.of("pc", {"virtio-net": 2}), ["libvirt"], machines=["pc", "q35"])
    assert [(layout.machine, layout.fits) for layout in found.layouts] == [("pc", True), ("q35", True)]
    assert found.best is not None


def test_a_machine_type_on_which_devices_cannot_stay() -> None:
    xml = domain("pc", "<disk type='file' device='cdrom'><target dev='hda' bus='ide'/></disk>")
    found = pcisim.recommend(xml, ["libvirt"], machines=["pc", "q35"])
    assert [layout.fits for layout in found.layouts] == [True, False]
    assert found.layouts[1].reason
    assert best(found) == ("libvirt", "pc")


def test_given_addresses_that_move_count_against_a_layout() -> None:
    given = "<address type='pci' domain='0' bus='0' slot='9' function='0'/>"
    xml = domain("pc", DISK.format("vda", given) + DISK.format("vdb", ""))
    found = pcisim.recommend(xml)
    assert row(found, SCSI).moved == (("disk:vda", "0000:00:09.0", "none"),)
    assert row(found, "libvirt").moved == ()
    assert best(found) == ("libvirt", "pc")


def test_wishes_that_contradict_packing() -> None:
    """Slots of their own for many are kept while the bus numbers suffice; shared and hot-pluggable contradict."""
    guest = pcisim.Guest.of("q35", {"virtio-net": 300})
    some = pcisim.recommend(guest, wishes={f"interface:{n}": Wish(hotpluggable=True) for n in range(100)})
    assert best(some) == ("dense", "q35")
    assert (row(some, "dense").controllers, row(some, "dense").detachable) == (126, 100)
    many = pcisim.recommend(guest, wishes={f"interface:{n}": Wish(hotpluggable=True) for n in range(250)})
    assert best(many) is None
    assert "no layout holds the guest" in row(many, "dense").reason
    with pytest.raises(UsageError, match="group 'nics' cannot share a slot"):
        pcisim.recommend(guest, wishes={f"interface:{n}": Wish(group="nics", hotpluggable=n == 0) for n in range(2)})


def test_a_layout_that_cannot_be_found_is_no_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a yes nor a no: the other rows are shown all the same."""

    def not_found(*_: object, **__: object) -> None:
        raise NotCoveredError("no layout that keeps the wishes was found", code="not-found")

    monkeypatch.setattr("pcisim.dense.policy.DensePolicy.place", not_found)
    found = pcisim.recommend(pcisim.Guest.of("q35", {"virtio-net": 3}))
    assert row(found, "dense").reason == "no layout that keeps the wishes was found"
    assert best(found) == ("libvirt", "q35")


def test_json() -> None:
    guest = pcisim.Guest.of("q35", {"virtio-net": 300})
    document = pcisim.recommend(guest, ["libvirt", "dense"], libvirt="11.3").to_json()
    assert (document["schema"], document["libvirt"], document["measured"]) == ("pcisim.recommend/1", "11.3", True)
    assert document["recommended"] == 1
    refused, packed = document["layouts"]
    assert (refused["fits"], packed["fits"], packed["reason"]) == (False, True, None)
    assert refused["reason"].startswith("a PCI slot is needed")
    assert packed["boots"] == {"seabios": True, "ovmf": True}
    assert packed["empty_hot_slots"] == {"express": 0, "conventional": 0}
    assert packed["later_missing"] == {}


def test_bad_input() -> None:
    guest = pcisim.Guest.of("q35", {})
    with pytest.raises(UsageError, match="unknown policy 'spread'"):
        pcisim.recommend(guest, ["spread"])
    with pytest.raises(UsageError, match="there is no policy to compare"):
        pcisim.recommend(guest, [])
    with pytest.raises(UsageError):
        pcisim.recommend(guest, later={"virtio-nothing": 1})
    with pytest.raises(InputError):
        pcisim.recommend("<domain>")
