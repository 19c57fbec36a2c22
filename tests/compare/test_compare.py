"""Who is who in two guests, and who moved."""

from __future__ import annotations

import pytest
from hypothesis import given

import pcisim
from pcisim.catalogue.versions import libvirt_version
from pcisim.compare import (
    APPEARED,
    GONE,
    KINDS,
    MODEL,
    MOVED,
    MULTIFUNCTION,
    OPTION,
    RENAMED,
    RENUMBERED,
    Difference,
    compare,
    match,
    natural,
    paths,
)
from pcisim.guest import Guest
from tests.guests import BARE, NO_USB, at, completed, disk, disks, domain, lines, nic, pci, video
from tests.property.strategies import VERSIONS, Drawn, drawn_guests
from tests.property.test_occupancy_laws import accepted


def mac(last: str, alias: str = "", model: str = "virtio", address: str = "") -> str:
    """Return a network card with a MAC address."""
    name = f"<alias name='{alias}'/>" if alias else ""
    return (
        f"<interface type='user'><mac address='52:54:00:00:00:{last}'/><model type='{model}'/>"
        f"{name}{address}</interface>"
    )


def rng(inner: str = "/dev/urandom", address: str = "", model: str = "virtio") -> str:
    """Return a random number generator."""
    return f"<rng model='{model}'><backend model='random'>{inner}</backend>{address}</rng>"


def hostdev(slot: int) -> str:
    """Return a host device by its slot on the host."""
    source = f"<address domain='0' bus='6' slot='{slot:#x}' function='0'/>"
    return f"<hostdev mode='subsystem' type='pci'><source>{source}</source></hostdev>"


def matched(old: str, new: str) -> dict[str, tuple[str, str]]:
    """Return, for two lists of devices, what each device of the old one was matched with and by what."""
    guests = [completed("q35", BARE, devices) for devices in (old, new)]
    matching = match(guests[0].all_devices(), guests[1].all_devices())
    found = {pair.old.label: (pair.new.label, pair.by) for pair in matching.pairs}
    for group in matching.ambiguous:
        found |= {device.label: (", ".join(d.label for d in group.new), "ambiguous") for device in group.old}
    return {label: row for label, row in found.items() if not label.startswith(("sata", "usb", "memballoon"))}


def difference(machine: str, old: str, new: str) -> Difference:
    """Return the difference of two lists of devices, both without USB and balloon."""
    return compare(*(pcisim.assign(domain(machine, BARE, devices)) for devices in (old, new)))


# who is who


def test_a_users_alias_comes_before_the_mac_address() -> None:
    old = mac("01", "ua-lan") + mac("02", "ua-wan")
    new = mac("01", "ua-wan") + mac("02", "ua-lan")
    assert matched(old, new) == {"interface:0": ("interface:1", "alias"), "interface:1": ("interface:0", "alias")}


def test_the_mac_address_comes_before_libvirts_alias() -> None:
    """libvirt calls the first card net0, whichever it is."""
    old = mac("01", "net0") + mac("02", "net1")
    assert matched(old, mac("02", "net0")) == {"interface:1": ("interface:0", "MAC")}


def test_letters_of_a_mac_address_are_small_or_capital() -> None:
    old = mac("aa") + mac("bb")
    assert matched(old, mac("BB") + mac("AA")) == {
        "interface:0": ("interface:1", "MAC"),
        "interface:1": ("interface:0", "MAC"),
    }


def test_libvirts_alias_where_there_is_nothing_else() -> None:
    old = "<sound model='ich6'><alias name='sound0'/></sound><sound model='ac97'><alias name='sound1'/></sound>"
    new = "<sound model='ac97'><alias name='sound0'/></sound><sound model='ich6'><alias name='sound9'/></sound>"
    assert matched(old, new)["sound:0"] == ("sound:0", "alias")


@pytest.mark.parametrize(
    ("old", "new", "by"),
    [
        (disk(0) + disk(1), disk(1), "target"),
        (hostdev(1) + hostdev(2), hostdev(2), "host device"),
        (
            "<filesystem type='mount'><source dir='/a'/><target dir='a'/></filesystem>"
            "<filesystem type='mount'><source dir='/b'/><target dir='b'/></filesystem>",
            "<filesystem type='mount'><source dir='/other'/><target dir='b'/></filesystem>",
            "target",
        ),
        (
            "<shmem name='a'><model type='ivshmem-plain'/></shmem>"
            "<shmem name='b'><model type='ivshmem-plain'/></shmem>",
            "<shmem name='b'><model type='ivshmem-plain'/></shmem>",
            "target",
        ),
        (rng("/a") + rng("/b"), rng("/b", "", "virtio"), "content"),
    ],
)
def test_the_second_one_stays(old: str, new: str, by: str) -> None:
    found = matched(old, new)
    assert list(found.values()) == [(next(iter(found.values()))[0], by)]
    assert next(iter(found)).endswith(("1", "vdb"))


def test_a_disk_of_another_target_is_another_disk() -> None:
    assert matched(disk(0), disk(1)) == {}
    assert matched(disk(0, bus="sata", prefix="sd"), disk(1, bus="sata", prefix="sd")) == {}


def test_what_nothing_tells_apart_is_matched_in_order() -> None:
    assert matched(rng() + rng(), rng() + rng() + rng()) == {
        "rng:0": ("rng:0", "content"),
        "rng:1": ("rng:1", "content"),
    }


def test_what_libvirt_fills_in_is_no_difference() -> None:
    default = "<interface type='user'/>"
    found = matched(default + nic("e1000"), nic("E1000") + nic("rtl8139") + nic("e1000e"))
    assert found == {"interface:0": ("interface:1", "content"), "interface:1": ("interface:0", "content")}


def test_the_only_one_left_is_the_same_one() -> None:
    assert matched(mac("01") + mac("02"), mac("02") + mac("03")) == {
        "interface:0": ("interface:1", "position"),
        "interface:1": ("interface:0", "MAC"),
    }
    assert matched(hostdev(1), hostdev(2)) == {"hostdev:0": ("hostdev:0", "position")}


def test_as_many_left_are_the_same_ones_in_order() -> None:
    assert matched(rng("/a") + rng("/b"), rng("/c") + rng("/d")) == {
        "rng:0": ("rng:0", "position"),
        "rng:1": ("rng:1", "position"),
    }


def test_several_with_other_mac_addresses_are_ambiguous() -> None:
    found = matched(mac("01") + mac("02"), mac("03") + mac("04"))
    assert found == dict.fromkeys(["interface:0", "interface:1"], ("interface:0, interface:1", "ambiguous"))
    assert matched(rng("/a") + rng("/b"), rng("/c")) == dict.fromkeys(["rng:0", "rng:1"], ("rng:0", "ambiguous"))


def test_a_model_that_changes_is_still_the_only_video() -> None:
    assert matched(video("vga"), video("virtio")) == {"video:0": ("video:0", "position")}
    assert matched(nic("e1000"), nic("virtio")) == {}


def test_two_with_the_same_mac_address_are_told_apart_otherwise() -> None:
    old = mac("01", model="e1000") + mac("01")
    assert matched(old, mac("01")) == {"interface:1": ("interface:0", "content")}


# where


def test_the_way_from_the_root() -> None:
    switch = pci("pcie-switch-upstream-port", 2, at(1, 0)) + pci("pcie-switch-downstream-port", 3, at(2, 5))
    ports = pci("pcie-root", 0) + pci("pcie-root-port", 1, at(0, 2, 4)) + switch
    plan = pcisim.assign(domain("q35", BARE, ports, disk(0, at(3, 0))))
    ways = {device.label: way for device, way in paths(plan.placement).items()}
    assert ways["disk:vda"] == "02.4/00.0/05.0/00.0"
    assert ways["pci:3"] == "02.4/00.0/05.0"
    assert ways["sata:0"] == "1f.2"


def test_controllers_in_a_circle_have_no_way_from_the_root() -> None:
    circle = (
        pci("pcie-root", 0)
        + pci("pcie-switch-upstream-port", 1, at(2, 0))
        + pci("pcie-switch-downstream-port", 2, at(1, 0))
        + pci("pcie-switch-upstream-port", 3, at(2, 0, 1))
    )
    plan = pcisim.assign(domain("q35", BARE, circle, disk(0, at(2, 0, 2))))
    ways = {device.label: way for device, way in paths(plan.placement).items()}
    assert ways["disk:vda"] == "(2)/00.2"
    assert ways["pci:3"] == "(2)/00.1"
    assert not compare(plan, plan)


# what changed


def test_a_disk_that_comes_before_moves_those_after_it() -> None:
    found = difference("pc", disk(1), disk(0) + disk(1))
    assert str(found) == lines("""
        disk:vda  appears at 0000:00:02.0
        disk:vdb  0000:00:02.0 -> 0000:00:03.0
    """)
    assert found.summary == "1 moved, 1 appeared"
    assert bool(found) is True
    assert [str(change) for change in found.of(MOVED)] == ["disk:vdb  0000:00:02.0 -> 0000:00:03.0"]


def test_nothing_moves() -> None:
    found = difference("q35", disks(3), disks(3))
    assert not found
    assert (str(found), found.summary, found.rows()) == ("", "nothing moves", [])


def test_the_same_address_behind_a_port_that_moved() -> None:
    """A primary video takes slot 1 of q35, and all ports move on."""
    found = difference("q35", disk(), disk() + video("vga"))
    assert str(found) == lines("""
        disk:vda  0000:01:00.0 -> 0000:01:00.0  (bus 0x01 moved: 01.0/00.0 -> 02.0/00.0)
        pci:1     0000:00:01.0 -> 0000:00:02.0
        pci:2     0000:00:01.1 -> 0000:00:02.1
        video:0   appears at 0000:00:01.0
    """)


def test_another_index_at_the_same_place() -> None:
    def ports(*numbers: int) -> str:
        written = [pci("pcie-root-port", n, at(0, 2, place)) for place, n in enumerate(numbers)]
        return pci("pcie-root", 0) + "".join(written)

    found = difference("q35", ports(1, 2, 3) + disk(0, at(3, 0)), ports(1, 3, 4) + disk(0, at(4, 0)))
    assert str(found) == lines("""
        disk:vda  0000:03:00.0 -> 0000:04:00.0  (index only: its place is still 02.2/00.0)
        pci:2     index only: 2 -> 3, still at 0000:00:02.1  (now pci:3)
        pci:2     appears at 0000:00:01.0
        pci:3     index only: 3 -> 4, still at 0000:00:02.2  (now pci:4)
    """)
    assert len(found.of(RENUMBERED)) == 3
    assert found.summary == "3 renumbered in place, 1 appeared"


def test_two_controllers_that_swap_their_indexes() -> None:
    def ports(*numbers: int) -> str:
        written = [pci("pcie-root-port", n, at(0, 2, place)) for place, n in enumerate(numbers)]
        return pci("pcie-root", 0) + "".join(written)

    found = difference("q35", ports(1, 2) + disk(0, at(2, 0)), ports(2, 1) + disk(0, at(1, 0)))
    assert {change.kind for change in found.changes} == {RENUMBERED}
    assert [change.label for change in found.changes] == ["disk:vda", "pci:1", "pci:2"]


def test_what_leaves_pci_and_what_comes_to_it() -> None:
    alias = "<alias name='ua-system'/>"
    virtio = f"<disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/>{alias}</disk>"
    sata = f"<disk type='file'><source file='/a'/><target dev='sda' bus='sata'/>{alias}</disk>"
    away, back = difference("q35", virtio, sata), difference("q35", sata, virtio)
    assert next(change.text for change in away.of(GONE)) == "disappears from 0000:01:00.0  (now disk:sda)"
    assert [change.text for change in away.of(MODEL)] == ["model virtio -> sata  (now disk:sda)"]
    assert next(change.text for change in back.of(APPEARED)) == "appears at 0000:01:00.0  (now disk:vda)"


def test_models_and_multifunction() -> None:
    old = mac("01", model="e1000", address=at(0, 5))
    new = mac("01", address=at(0, 5)) + rng(address=at(0, 5, 1))
    assert str(difference("pc", old, new)) == lines("""
        interface:0  model e1000 -> virtio
        interface:0  multifunction none -> on
        interface:0  the guest's ens5 -> ens5f0
        rng:0        appears at 0000:00:05.1
    """)


def test_interfaces_that_the_guest_will_call_something_else() -> None:
    old = pci("pcie-root", 0) + pci("pcie-root-port", 1, at(0, 9)) + nic("virtio", at(1, 0))
    new = pci("pcie-root", 0) + pci("pcie-root-port", 1, at(0, 9)) + pci("pcie-root-port", 2, at(0, 8))
    found = difference("q35", old, new + nic("virtio", at(1, 0)))
    assert str(found) == lines("""
        interface:0  the guest's enp1s0 -> enp2s0
        pci:2        appears at 0000:00:08.0
    """)
    (change,) = found.of(RENAMED)
    assert (change.before, change.after, change.name) == ("enp1s0", "enp2s0", "")
    assert found.summary == "1 appeared, 1 renamed in the guest"


def test_renamed_although_nothing_moves() -> None:
    """The names follow ACPI, too: an index of the interface's own, and the tables that a guest without ACPI lacks."""
    indexed = nic("virtio", at(0, 5)).replace("</interface>", "<acpi index='1'/></interface>")
    found = difference("q35", nic("virtio", at(0, 5)), indexed)
    assert str(found) == "interface:0  the guest's enp0s5 -> eno1"
    assert found.summary == "1 renamed in the guest"
    assert found
    assert str(difference("q35", indexed, nic("virtio", at(0, 5)))) == "interface:0  the guest's eno1 -> enp0s5"
    assert not difference("q35", indexed, indexed)
    with_acpi = domain("pc", BARE, nic("virtio", at(0, 5)))
    without = with_acpi.replace("<features><acpi/></features>", "")
    assert with_acpi != without
    lost = compare(pcisim.assign(with_acpi), pcisim.assign(without))
    assert str(lost) == "interface:0  the guest's ens5 -> enp0s5"
    assert [(change.kind, change.before, change.after) for change in lost.changes] == [(RENAMED, "ens5", "enp0s5")]


def test_renamed_by_some_schemes_only() -> None:
    bridge = pci("pci-bridge", 1, at(0, 4))
    found = difference("pc", bridge + nic("virtio", at(1, 4)), bridge + nic("virtio", at(1, 7)))
    assert [(change.before, change.after, change.name) for change in found.of(RENAMED)] == [
        ("ens4", "enp1s7", "v238-v255"),
        ("ens4", "ens7", "v257"),
    ]
    assert "interface:0  the guest's ens4 -> enp1s7 (v238-v255)" in str(found)


def test_an_interface_that_the_guest_loses() -> None:
    found = difference("q35", nic("virtio", at(0, 9)), nic("virtio", at(0, 9, 1)))
    assert [(change.before, change.after) for change in found.of(RENAMED)] == [("enp0s9", "none")]


def test_numbers_of_a_port_that_do_not_follow_its_place() -> None:
    old = pci("pcie-root", 0) + pci("pcie-root-port", 1)
    new = pci("pcie-root", 0) + pci("pcie-root-port", 1, "<target chassis='9' hotplug='off'/>")
    found = difference("q35", old, new)
    assert str(found) == lines("""
        pci:1  chassis 1 -> 9
        pci:1  hotplug none -> off
    """)
    assert [change.name for change in found.of(OPTION)] == ["chassis", "hotplug"]


def test_another_model_at_the_same_place() -> None:
    old = pci("pcie-root", 0) + pci("pcie-root-port", 1)
    new = pci("pcie-root", 0) + pci("pcie-root-port", 1, "<model name='ioh3420'/>")
    assert str(difference("q35", old, new)) == "pci:1  model pcie-root-port -> pcie-root-port (ioh3420)"


def test_ambiguous_ones_are_listed() -> None:
    found = difference("pc", rng("/a") + rng("/b"), disks(2) + rng("/c"))
    assert str(found) == lines("""
        disk:vda  appears at 0000:00:02.0
        disk:vdb  appears at 0000:00:03.0
        rng:0     ambiguous, rng virtio: rng:0 0000:00:02.0, rng:1 0000:00:03.0 -> rng:0 0000:00:04.0
    """)


def test_the_one_at_the_same_place_is_the_same_one() -> None:
    found = difference("pc", rng("/a") + rng("/b"), disk() + rng("/c"))
    assert str(found) == lines("""
        disk:vda  appears at 0000:00:02.0
        rng:0     disappears from 0000:00:02.0
    """)


def test_ambiguous_network_cards() -> None:
    found = difference("pc", mac("01") + mac("02"), mac("03"))
    assert str(found) == (
        "interface:0  ambiguous, interface virtio:"
        " interface:0 0000:00:02.0, interface:1 0000:00:03.0 -> interface:0 0000:00:02.0"
    )
    assert str(found.ambiguous[0]) == str(found)
    assert found.summary == "1 ambiguous"
    assert found


def test_guests_without_xml() -> None:
    old, new = (pcisim.assign(Guest.of("q35", {"virtio-net": count})) for count in (2, 3))
    assert compare(old, new).summary == "2 moved, 2 appeared"
    assert compare(old, new).of(APPEARED)[0].label == "interface:2"


def test_one_file_by_two_versions() -> None:
    """Rules, section 11: a controller that libvirt adds in a gap is placed in another order."""
    scsi = "<controller type='scsi' index='3' model='virtio-scsi'/>"
    text = domain("pc", NO_USB, scsi, "<disk type='file'><source file='/a'/><target dev='sda' bus='scsi'/></disk>")
    found = compare(*(pcisim.assign(text, libvirt=version) for version in ("9.0", "11.3")))
    assert {change.label for change in found.of(MOVED)} == {"scsi:0", "scsi:3"}


def test_labels_in_their_natural_order() -> None:
    labels = ["disk:vdz", "disk:vdaa", "interface:2", "interface:10", "pci:1", "pci:2", "pci:10", "usb:0:ich9-uhci1"]
    assert sorted({*labels}, key=natural) == labels


@given(drawn_guests(), VERSIONS)
def test_a_guest_does_not_differ_from_itself(drawn: Drawn, version: str) -> None:
    """Law: nothing moves between a guest and itself, nor when its addresses are written down."""
    plan = accepted(drawn, version)
    assert not compare(plan, accepted(drawn, version))
    again = pcisim.assign(plan.to_xml(), libvirt=version)
    if again.placement.added == [] and len(again.addresses) == len(plan.addresses):
        assert not compare(plan, again)


@given(drawn_guests(), drawn_guests())
def test_every_address_is_accounted_for(one: Drawn, other: Drawn) -> None:
    """Law: each device with an address stays, is in exactly one pair, or is gone, new or ambiguous."""
    old, new = accepted(one, "11.3"), accepted(other, "11.3")
    found = compare(old, new)
    gone = [c.label for c in found.of(GONE) if c.new is None]
    appeared = [c.label for c in found.of(APPEARED) if c.old is None]
    paired = {c.label for c in found.changes if c.old is not None and c.new is not None}
    unclear = [spot.label for group in found.ambiguous for spot in group.old]
    assert len(set(gone)) == len(gone)
    assert len(set(appeared)) == len(appeared)
    assert set(gone) <= set(old.addresses)
    assert set(appeared) <= set(new.addresses)
    assert paired.isdisjoint(gone)
    assert paired.isdisjoint(unclear)
    assert [change.label for change in found.changes] == sorted((c.label for c in found.changes), key=natural)
    backwards = compare(new, old)
    for kind, mirror in ((MOVED, MOVED), (GONE, APPEARED), (APPEARED, GONE), (MULTIFUNCTION, MULTIFUNCTION)):
        assert len(found.of(kind)) == len(backwards.of(mirror))
    assert {change.kind for change in found.changes} <= set(KINDS)


@given(drawn_guests())
def test_versions_are_compared_on_one_guest(drawn: Drawn) -> None:
    """Law: two versions of libvirt see the same devices, so that none is ambiguous."""
    old, new = accepted(drawn, "9.0"), accepted(drawn, "11.3")
    assert libvirt_version("9.0") == old.rules
    assert not compare(old, new).ambiguous
