"""Attach and detach: recorded answers, the tables, and the laws."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import pcisim
from pcisim.address import PciAddress
from pcisim.capacity.fits import room_at_next_boot
from pcisim.capacity.report import room
from pcisim.catalogue import connectors as c
from pcisim.catalogue.devices import WALK
from pcisim.catalogue.versions import DEFAULT_VERSION, VERSIONS
from pcisim.errors import PcisimError, RefusedError, UsageError
from pcisim.formats.domain.reader import read_device
from pcisim.guest import Controller, Device, evolved
from pcisim.hotplug import ABSENT, UNPLUGGING, RunningGuest, attach_config
from pcisim.hotplug.kinds import HOT, STORED_REFUSES, emulator_refuses
from pcisim.libvirt.completion import complete
from pcisim.libvirt.policy import LibvirtPolicy
from pcisim.placement import Placement
from pcisim.placement.pinned import pinned
from pcisim.plan import Plan
from tests.guests import BARE, NO_USB, at, disk, domain, nic, pci
from tests.hotplug_cases import CASES, CHANNEL, OFF, PORT, ROOT, SERIAL, Case, ports, rng, rngs, scsi
from tests.oracle.sequences import Maker, running_pc, running_q35
from tests.oracle.sequences import domain as sequence_domain

RULES = VERSIONS[DEFAULT_VERSION]


def started(machine: str, *devices: str, acpi: bool = True, arch: str = "x86_64") -> RunningGuest:
    """Return a guest that runs."""
    xml = domain(machine, *devices, arch=arch)
    return RunningGuest(pcisim.assign(xml if acpi else xml.replace("<acpi/>", "")).placement)


def shown(address: pcisim.PciAddress | None) -> str:
    return "-" if address is None else str(address)[5:]


def taken(guest: RunningGuest, step: str) -> str:
    """Take a step of a case, and return what came of it."""
    before = len(guest.events)
    if step.startswith("-"):
        address = guest.detach(step[1:])
        return f"{step[1:]} {shown(address)}"
    guest.attach(read_device(step[1:], RULES))
    return ", ".join(f"{event.label} {shown(event.address)}" for event in guest.events[before:])


def answer(guest: RunningGuest, step: str) -> str:
    """Take a step of a case, and return what came of it; what is refused changes nothing."""
    before = guest.addresses, list(guest.events), guest.definition
    found = ""
    try:
        found = taken(guest, step)
    except PcisimError as error:
        found = f"!{error.code}: {error.headline}"
    if found.startswith("!"):
        assert (guest.addresses, guest.events, guest.definition) == before
    guest.check()
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_answers_as_libvirt_did(case: Case) -> None:
    guest = started(case.machine, case.devices, acpi=case.acpi, arch=case.arch)
    for step, expected in case.steps:
        found = answer(guest, step)
        code, _, words = expected.partition(": ")
        assert found == expected or (expected[0] == "!" and found.startswith(code) and words in found), step


# ------------------------------------------------------------------ the tables


def test_running_guests_of_s390_are_not_covered() -> None:
    with pytest.raises(RefusedError) as caught:
        started("", arch="s390x")
    assert (caught.value.code, caught.value.line) == ("unknown-architecture", 6)
    assert caught.value.headline == "what a running guest of s390x takes is not covered"


def test_every_row_has_an_element_that_libvirt_places() -> None:
    assert set(HOT) <= set(WALK)
    assert not set(HOT) & STORED_REFUSES
    for element, row in HOT.items():
        assert (row.by == "") == (not row.comes), element
        assert row.comes >= row.goes or element == "interface", element


@pytest.mark.parametrize("element", sorted(set(WALK) - set(HOT) - {"controller"}))
def test_what_has_no_row_never_comes_and_never_goes(element: str) -> None:
    """libvirt: "live attach of device 'sound' is not supported", and so for every element without a row."""
    guest = started("pc", BARE)
    with pytest.raises(RefusedError, match=f"live attach of device '{element}' is not supported") as caught:
        guest.attach(Device(element, f"{element}:0"))
    assert caught.value.code == "not-hot-pluggable"


@pytest.mark.parametrize("element", sorted(STORED_REFUSES))
def test_what_has_to_be_edited_into_a_stored_definition(element: str) -> None:
    """libvirt: "persistent attach of device 'memballoon' is not supported"."""
    placement = pcisim.assign(domain("pc", BARE)).placement
    with pytest.raises(RefusedError, match=f"persistent attach of device '{element}' is not supported") as caught:
        attach_config(placement, [Device(element, f"{element}:9")])
    assert (caught.value.code, caught.value.remedy) == ("not-attachable", "edit the definition (virsh edit)")


def test_units_of_a_controller_that_takes_two() -> None:
    """Verified against libvirt 11.3 and 12.9: with lsisas1068, a unit above 1 is refused as if it were taken."""
    placement = pcisim.assign(domain("q35", "<controller type='scsi' index='0' model='lsisas1068'/>")).placement
    disks = [
        read_device(f"<disk type='file'><target dev='{name}' bus='scsi'/></disk>", RULES) for name in ("sdb", "sdc")
    ]
    assert attach_config(placement, disks[:1])
    with pytest.raises(RefusedError, match="Domain already contains a disk with that address"):
        attach_config(placement, disks[1:])


def test_libvirt_9_0_attaches_no_iommu() -> None:
    iommu = read_device("<iommu model='intel'/>", VERSIONS["9.0"])
    placement = pcisim.assign(domain("q35", BARE)).placement
    assert attach_config(placement, [iommu]).guest.devices["iommu"]
    with pytest.raises(RefusedError, match="persistent attach of device 'iommu' is not supported"):
        attach_config(placement, [iommu], VERSIONS["9.0"])


# ------------------------------------------------------------------ stored definitions, recorded 2026-11-23 from 11.3.0

STORED = (
    (
        "q35 without a port: the first attach brings the spare too",
        "q35",
        BARE,
        (
            (rng(), "pci:1 00:01.0, pci:2 00:01.1, rng:0 01:00.0"),
            (rng(), "rng:1 02:00.0"),
            (nic("rtl8139"), "pci:3 00:01.2, pci:4 03:00.0, interface:0 04:01.0"),
            (rng(at(2, 0, 1)), "rng:2 02:00.1"),
            (rng(at(0, 5)), "rng:3 00:05.0"),
        ),
    ),
    (
        "q35 with ports: one more for each device, none to spare",
        "q35",
        NO_USB,
        (
            (rng(), "rng:0 02:00.0"),
            (rng(), "pci:3 00:01.2, rng:1 03:00.0"),
            (nic("rtl8139"), "pci:4 00:01.3, pci:5 04:00.0, interface:0 05:01.0"),
            (nic("rtl8139"), "interface:1 05:02.0"),
            (rng(), "pci:6 00:01.4, rng:2 06:00.0"),
        ),
    ),
    (
        "pc: the last slot goes to a bridge, where a running guest gives it to the device",
        "pc",
        BARE + "".join(rng() for _ in range(29)),
        ((rng(), "pci:1 00:1f.0, rng:29 01:01.0"), (rng(), "rng:30 01:02.0")),
    ),
    (
        "pc: disks by number, their controllers, and what waits for a virtio-serial controller",
        "pc",
        BARE,
        (
            (disk(1), "disk:vdb 00:02.0"),
            (disk(0), "disk:vda 00:03.0"),
            (
                disk(25, bus="scsi", prefix="sd"),
                "scsi:0 00:04.0, scsi:1 00:05.0, scsi:2 00:06.0, scsi:3 00:07.0, disk:sdz -",
            ),
            ("<sound model='ich9'/>", "sound:0 00:08.0"),
            (CHANNEL, "virtio-serial:0 00:09.0, channel:0 -"),
            (pci("pci-bridge", None, "<model name='pci-bridge'/><target chassisNr='30'/>"), "pci:1 00:0a.0"),
        ),
    ),
)


@pytest.mark.parametrize(("name", "machine", "devices", "steps"), STORED, ids=[row[0] for row in STORED])
def test_a_stored_definition_grows_as_libvirts_did(
    name: str, machine: str, devices: str, steps: tuple[tuple[str, str], ...]
) -> None:
    placement = pcisim.assign(domain(machine, devices)).placement
    for xml, expected in steps:
        known = {d.label for d in placement.guest.all_devices()}
        placement = attach_config(placement, [read_device(xml, RULES)])
        fresh = [d for d in placement.guest.all_devices() if d.label not in known]
        places = {d: PciAddress.from_int(packed) for d, packed in placement.addresses.items()}
        assert ", ".join(f"{d.label} {shown(places.get(d))}" for d in fresh) == expected, name


def test_what_is_there_is_refused_by_name() -> None:
    placement = pcisim.assign(domain("pc", BARE + disk(0) + scsi("virtio-scsi", 0))).placement
    for xml, code in ((disk(0), "duplicate-target"), (scsi("lsilogic", 0), "duplicate-index")):
        with pytest.raises(RefusedError, match="already exists") as caught:
            attach_config(placement, [read_device(xml, RULES)])
        assert caught.value.code == code


# ------------------------------------------------------------------ the laws

machines = st.sampled_from(["pc", "q35"])
seeds = st.integers(0, 10**6)
FRESH = {
    "virtio": nic("virtio"),
    "rtl8139": nic("rtl8139"),
    "rng": rng(),
    "transitional": rng("", "virtio-transitional"),
}


def random_guest(machine: str, seed: int) -> Placement:
    chance = random.Random(seed)
    devices = (running_pc if machine == "pc" else running_q35)(chance, Maker(chance))
    return pcisim.assign(sequence_domain(machine, devices)).placement


@given(machines, seeds, st.sampled_from(sorted(FRESH)), st.integers(0, 12))
def test_detach_then_attach_gives_the_same_place_if_it_was_the_lowest_free(
    machine: str, seed: int, kind: str, before: int
) -> None:
    """Law: detach then attach gives the same address when its place was the lowest free one that accepts it."""
    guest = RunningGuest(random_guest(machine, seed))
    device = read_device(FRESH[kind], RULES)
    labels = []
    with suppress(RefusedError):
        for _ in range(before + 1):
            guest.attach(device)
            labels.append(guest.events[-1].label)
    assume(labels)
    places = [guest.addresses[label] for label in labels]
    assert guest.detach(labels[-1]) == places[-1]
    assert guest.attach(device) == places[-1]
    if len(labels) == 1:
        return
    assert guest.detach(labels[0]) == places[0]
    assert guest.attach(device) == places[0]


@given(machines, seeds, st.sampled_from(sorted(FRESH)))
def test_detach_then_attach_gives_the_same_place_if_its_xml_names_it(machine: str, seed: int, kind: str) -> None:
    """Law: detach then attach gives the same address when its XML names the address, whatever came in between."""
    guest = RunningGuest(random_guest(machine, seed))
    device = read_device(FRESH[kind], RULES)
    with suppress(RefusedError):
        guest.attach(device)
    assume(guest.events)
    packed = int(guest.addresses[guest.events[-1].label])
    named = evolved(device, address=packed, address_type="pci")
    guest.detach(guest.events[-1].label)
    assert guest.attach(named) == PciAddress.from_int(packed)
    guest.detach(guest.events[-1].label)
    guest.attach(device)
    assert guest.addresses[guest.events[-1].label] == PciAddress.from_int(packed)


@given(machines, seeds, st.sampled_from([c.EXPRESS, c.CONVENTIONAL]))
def test_headroom_is_what_attaching_achieves(machine: str, seed: int, plug: int) -> None:
    """Law: capacity is what allocation achieves: attach until refused."""
    placement = random_guest(machine, seed)
    guest = RunningGuest(placement)
    headroom = guest.headroom(plug)
    device = read_device(FRESH["virtio" if plug == c.EXPRESS else "rtl8139"], RULES)
    for _ in range(headroom):
        guest.attach(device)
    with pytest.raises(RefusedError) as caught:
        guest.attach(device)
    assert caught.value.code in ("no-more-slots", "no-hotplug")
    assert guest.headroom(plug) == 0


@given(machines, seeds, st.sampled_from(["virtio-rng", "e1000", "virtio-blk", "virtio-scsi", "igb"]), st.integers(0, 8))
def test_many_of_a_kind_are_attached_as_one_after_the_other_is(machine: str, seed: int, model: str, count: int) -> None:
    placement = random_guest(machine, seed)
    stored = pinned(placement)
    known = set(stored.all_devices())
    wanted = [d for d in stored.extended({model: count}).all_devices() if d not in known]
    one_by_one, at_once = RunningGuest(placement), RunningGuest(placement)
    refusal = None
    try:
        for device in wanted:
            one_by_one.attach(device)
    except RefusedError as error:
        refusal = error
    if refusal is None:
        at_once.attach_alike(wanted)
        assert (at_once.addresses, at_once.events) == (one_by_one.addresses, one_by_one.events)
    else:
        with pytest.raises(RefusedError) as caught:
            at_once.attach_alike(wanted)
        assert caught.value.explanation() == refusal.explanation()
        assert (at_once.addresses, at_once.events) == (RunningGuest(placement).addresses, [])
    at_once.check()


@given(machines, seeds)
def test_attach_agrees_with_capacity(machine: str, seed: int) -> None:
    """Law: `attach` agrees with `capacity`: a running guest takes as many devices as there are hot slots.

    The exception: where libvirt comes upon a bus that QEMU plugs nothing into, it looks no further.
    """
    placement = random_guest(machine, seed)
    guest, left = RunningGuest(placement), room(placement.topology)
    barred = [
        bus
        for bus in guest.topology.buses
        if bus.model.hotplug and emulator_refuses(bus, controller_of(placement, bus.index), placement.guest)
    ]
    express = guest.headroom(c.EXPRESS) if machine == "q35" else 0
    if barred:
        assert guest.headroom(c.CONVENTIONAL) <= left.conventional_hot
    else:
        assert (express, guest.headroom(c.CONVENTIONAL)) == (left.express_hot, left.conventional_hot)
    assert left.express_cold >= express
    assert left.conventional_cold >= guest.headroom(c.CONVENTIONAL)


def controller_of(placement: Placement, index: int) -> Controller | None:
    return next((d for d in placement.guest.controllers if d.type == "pci" and d.index == index), None)


def assigned(xml: str) -> tuple[Plan | None, PcisimError | None]:
    """Return the plan of a guest, or how it is refused."""
    try:
        return pcisim.assign(xml), None
    except PcisimError as error:
        return None, error


@given(machines, seeds, st.lists(st.sampled_from(sorted(FRESH)), min_size=1, max_size=6))
def test_attaching_to_a_definition_is_placing_it_with_the_device_in_it(
    machine: str, seed: int, kinds: list[str]
) -> None:
    """Libvirt rule 7.6: an attach with the config flag is an allocation like a definition's.

    Law: appending to an *addressed* definition moves no configured address.
    """
    placement = random_guest(machine, seed)
    chance = random.Random(seed)
    xml = sequence_domain(machine, (running_pc if machine == "pc" else running_q35)(chance, Maker(chance)))
    for kind in kinds:
        before = {d.label: packed for d, packed in placement.addresses.items()}
        stored = pcisim.assign_xml(xml)
        assert isinstance(stored, str)
        xml = stored.replace("</devices>", f"{FRESH[kind]}</devices>")
        device = read_device(FRESH[kind], RULES)
        plan, refusal = assigned(xml)
        if refusal is not None:
            with pytest.raises(RefusedError) as caught:
                attach_config(placement, [device])
            assert (caught.value.code, caught.value.headline) == (refusal.code, refusal.headline)
            return
        assert plan is not None
        placement = attach_config(placement, [device])
        after = {d.label: packed for d, packed in placement.addresses.items()}
        assert after == {label: int(address) for label, address in plan.addresses.items()}
        assert before.items() <= after.items()


@given(machines, seeds, st.dictionaries(st.sampled_from(["virtio", "rtl8139"]), st.integers(1, 5), min_size=1))
def test_the_remedy_is_one(machine: str, seed: int, counts: dict[str, int]) -> None:
    """Law: with the controllers that are to be added before the next boot no address moves, and all is attached."""
    placement = random_guest(machine, seed)
    devices = [read_device(FRESH[kind], RULES) for kind, count in counts.items() for _ in range(count)]
    controllers = room_at_next_boot(placement, devices)
    if not controllers:
        return
    stored = pinned(placement)
    grown = LibvirtPolicy().place(complete(evolved(stored, controllers=[*stored.controllers, *controllers]), RULES))
    before = {d.label: packed for d, packed in placement.addresses.items()}
    assert before.items() <= {d.label: packed for d, packed in grown.addresses.items()}.items()
    assert grown.added == []
    guest = RunningGuest(grown)
    for device in devices:
        guest.attach(device)


def test_older_rules_know_one_watchdog() -> None:
    """Verified against libvirt 9.0.0."""
    older = VERSIONS["9.0"]
    watchdog = read_device("<watchdog model='i6300esb'/>", older)
    placement = attach_config(pcisim.assign(domain("pc", BARE), libvirt="9.0").placement, [watchdog], older)
    with pytest.raises(RefusedError) as caught:
        attach_config(placement, [watchdog], older)
    assert (caught.value.code, caught.value.headline) == ("second-device", "domain already has a watchdog")
    assert (
        len(attach_config(pcisim.assign(domain("pc", BARE)).placement, [watchdog] * 2).guest.devices["watchdog"]) == 2
    )


REMEDIES: tuple[tuple[str, str, dict[str, int], list[str]], ...] = (
    ("q35", BARE + ROOT + ports(1), {"virtio": 3}, ["pcie-root-port"] * 2),
    ("q35", BARE + ROOT + ports(1), {"rtl8139": 2}, ["pcie-root-port", "pcie-to-pci-bridge"]),
    (
        "q35",
        BARE + ROOT + ports(1),
        {"rtl8139": 1, "virtio": 3},
        ["pcie-root-port"] * 3 + ["pcie-to-pci-bridge"],
    ),
    ("pc", BARE + rngs(0, range(2, 30)), {"virtio": 3}, ["pci-bridge"]),
    ("pc", BARE + rngs(0, range(2, 32)), {"virtio": 1}, []),
    ("pc", BARE + pci("pci-root", 0, OFF), {"virtio": 1}, []),
)


@pytest.mark.parametrize(("machine", "devices", "counts", "models"), REMEDIES)
def test_the_least_that_makes_room(machine: str, devices: str, counts: dict[str, int], models: list[str]) -> None:
    placement = pcisim.assign(domain(machine, devices)).placement
    wanted = [read_device(FRESH[kind], RULES) for kind, count in counts.items() for _ in range(count)]
    assert [d.model for d in room_at_next_boot(placement, wanted)] == models


# ------------------------------------------------------------------ one by one


@pytest.mark.parametrize(
    ("machine", "acpi", "devices", "again"),
    [
        ("pc", True, [rng(at(0, 5))], False),
        ("pc", True, [pci("pci-root", 0), pci("pci-bridge", 1), rng(at(1, 3))], False),
        ("pc", False, [pci("pci-root", 0), pci("pci-bridge", 1), rng(at(1, 3))], True),
        ("pc", True, [pci("pci-root", 0), pci("pci-expander-bus", 1), pci("pci-bridge", 2, at(1, 4)),
                      rng(at(2, 3))], True),
        ("q35", True, [pci("pcie-root", 0), pci("pcie-root-port", 1), rng(at(1, 0))], False),
        ("q35", False, [pci("pcie-root", 0), pci("pcie-root-port", 1), pci("pcie-to-pci-bridge", 2),
                        rng(at(2, 3))], False),
        ("q35", True, [pci("pcie-root", 0), pci("pcie-expander-bus", 1), pci("pcie-root-port", 2, at(1, 0)),
                       rng(at(2, 0))], False),
        ("q35", True, [pci("pcie-root", 0), pci("pcie-expander-bus", 1), pci("pcie-root-port", 2, at(1, 0)),
                       pci("pcie-to-pci-bridge", 3, at(2, 0)), rng(at(3, 3))], True),
    ],
)  # fmt: skip
def test_only_the_hotplug_controller_of_a_bridge_asks_twice(
    machine: str, acpi: bool, devices: list[str], again: bool
) -> None:
    """Verified against libvirt 11.3.0 with QEMU 10.0, each row."""
    guest = started(machine, BARE + "".join(devices), acpi=acpi)
    guest.detach("rng:0", wait=False)
    if not again:
        with pytest.raises(RefusedError, match="already in the process of unplug"):
            guest.detach("rng:0", wait=False)
        return
    guest.detach("rng:0", wait=False)
    assert guest.state("rng:0") == UNPLUGGING
    guest.detach("rng:0")
    assert "rng:0" not in guest.addresses


def test_a_place_is_held_until_the_guest_lets_go() -> None:
    """libvirt: the address of a device that is being unplugged is free when QEMU says that it has gone."""
    guest = started("pc", BARE, rng())
    assert guest.detach("rng:0", wait=False) == PciAddress("00:02.0")
    assert guest.state("rng:0") == UNPLUGGING
    assert shown(guest.attach(read_device(rng(), RULES))) == "00:03.0"
    with pytest.raises(RefusedError, match="already in the process of unplug") as caught:
        guest.detach("rng:0")
    assert caught.value.code == "unplug-pending"
    guest.acknowledge("rng:0")
    assert guest.state("rng:0") == ABSENT
    assert shown(guest.attach(read_device(rng(), RULES))) == "00:02.0"
    with pytest.raises(UsageError, match="no device 'rng:0'"):
        guest.acknowledge("rng:0")
    with pytest.raises(RefusedError) as caught:
        guest.acknowledge("rng:1")
    assert caught.value.code == "not-unplugging"
    guest.check()


def test_a_target_comes_back_only_when_it_has_gone() -> None:
    guest = started("pc", BARE, disk(0))
    guest.detach("disk:vda", wait=False)
    with pytest.raises(RefusedError) as caught:
        guest.attach(read_device(disk(0), RULES))
    assert caught.value.code == "duplicate-target"
    assert caught.value.details == ("disk:vda is being unplugged, the guest has not let it go",)
    guest.acknowledge("disk:vda")
    assert shown(guest.attach(read_device(disk(0), RULES))) == "00:02.0"


def test_the_placement_is_left_alone() -> None:
    placement = pcisim.assign(domain("pc", BARE, rng())).placement
    before = dict(placement.topology.owners), [bus.used for bus in placement.topology.buses]
    guest = RunningGuest(placement)
    guest.attach(read_device(rng(), RULES))
    guest.detach("rng:0")
    assert (dict(placement.topology.owners), [bus.used for bus in placement.topology.buses]) == before


def test_a_serial_port_takes_the_console_that_is_its_other_name_along() -> None:
    guest = started("pc", BARE, SERIAL, "<console type='null'><target type='serial'/></console>")
    assert [d.label for d in guest.definition.devices["console"]] == ["console:0"]
    guest.detach("serial:0")
    assert guest.definition.devices["console"] == []
    guest.check()


def test_scsi_controllers_come_all_or_none() -> None:
    """Of libvirt the first ones stay plugged in when the last finds no place; here nothing has changed."""
    guest = started("pc", BARE, rngs(0, range(2, 31)))
    with pytest.raises(RefusedError) as caught:
        guest.attach(read_device(disk(15, bus="scsi", prefix="sd"), RULES))
    assert caught.value.code == "no-more-slots"
    assert guest.events == []
    guest.check()


def test_a_host_device_that_is_unassigned_takes_no_slot() -> None:
    hostdev = (
        "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='0xf0' slot='3'"
        " function='{}'/></source>{}</hostdev>"
    )
    guest = started("pc", BARE)
    assert guest.attach(read_device(hostdev.format(0, "<address type='unassigned'/>"), RULES)) is None
    assert shown(guest.attach(read_device(hostdev.format(1, ""), RULES))) == "00:02.0"


def test_a_disk_with_an_address_of_another_kind() -> None:
    guest = started("pc", BARE)
    drive = "<address type='drive' controller='0' bus='0' target='0' unit='0'/>"
    with pytest.raises(RefusedError, match="Unexpected address type 'drive'") as caught:
        guest.attach(read_device(disk(0, drive), RULES))
    assert caught.value.code == "wrong-address-type"


def test_what_validation_refuses_changes_nothing() -> None:
    guest = started("pc", BARE)
    for xml, code in (
        (rng("<address type='ccw' cssid='0xfe' ssid='0' devno='0'/>"), "wrong-address-type"),
        ("<input type='tablet' bus='usb'/>", "usb-disabled"),
    ):
        with pytest.raises(RefusedError) as caught:
            guest.attach(read_device(xml, RULES))
        assert (caught.value.code, guest.events) == (code, [])
        guest.check()


def test_a_refusal_says_where_it_looked_and_what_would_help() -> None:
    with pytest.raises(RefusedError) as caught:
        started("q35", BARE + ROOT + ports(1) + rng() + pci(PORT, 2, OFF)).attach(read_device(nic(), RULES))
    assert caught.value.explanation() == [
        "line 1: No more available PCI slots",
        "  no free hot-pluggable express port",
        "  bus 0 (pcie-root): takes no hotplug",
        "  bus 1 (pcie-root-port): no slot is empty",
        "  bus 2 (pcie-root-port): takes no hotplug",
        "  to do: before the next boot add <controller type='pci' model='pcie-root-port'/>",
    ]


def test_a_long_search_is_told_in_short() -> None:
    with pytest.raises(RefusedError) as caught:
        started("q35", BARE + ROOT + "".join(pci(PORT, n, OFF) for n in range(1, 20))).attach(read_device(nic(), RULES))
    assert caught.value.details[-1] == "and 8 more buses"


def test_where_qemu_refuses_a_slot_is_named_that_it_takes() -> None:
    guest = started("pc", BARE, pci("pci-root", 0, OFF), pci("pci-bridge", 1))
    with pytest.raises(RefusedError) as caught:
        guest.attach(read_device(rng(), RULES))
    assert caught.value.remedy == "name a slot that takes it: <address type='pci' bus='0x01' slot='0x01'/>"
    assert shown(guest.attach(read_device(rng(at(1, 1)), RULES))) == "01:01.0"
    with pytest.raises(RefusedError) as caught:
        started("pc", BARE, pci("pci-root", 0, OFF)).attach(read_device(rng(), RULES))
    assert caught.value.remedy == "before the next boot take hotplug='off' off controller pci:0"
    with pytest.raises(RefusedError) as caught:
        started("pc", BARE, acpi=False).attach(read_device(rng(), RULES))
    assert caught.value.remedy == "before the next boot add <acpi/> to the <features>"


def test_labels_are_never_given_twice() -> None:
    guest = started("pc", BARE, rng(), rng())
    labels = []
    for _ in range(3):
        guest.attach(read_device(rng(), RULES))
        labels.append(guest.events[-1].label)
        guest.detach(labels[-1])
    assert labels == ["rng:2", "rng:3", "rng:4"]


def test_virtual_functions_come_beside_what_is_there() -> None:
    """Verified against libvirt 11.3.0 with QEMU 10.0: whoever was there before is no matter, who comes is."""
    lone = "<rng model='virtio'><backend model='random'>/dev/urandom</backend>{}</rng>"
    guest = RunningGuest(pcisim.assign(domain("pc", BARE, lone.format(at(0, 0x13, 7)))).placement)
    card = read_device(nic("igb", at(0, 3)), guest.rules)
    assert guest.attach(card) == PciAddress("00:03.0")
    with pytest.raises(RefusedError) as caught:
        guest.attach(read_device(nic("virtio", at(0, 0x14)), guest.rules))
    assert caught.value.code == "virtual-functions"
