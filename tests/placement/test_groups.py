"""Law: a group is in one slot as a whole, with function 0, whatever the policy."""

from __future__ import annotations

import pytest

import pcisim
from pcisim.cli import main
from pcisim.errors import UsageError
from pcisim.guest import Guest
from pcisim.plan import Plan
from pcisim.requests import Wish
from tests.guests import BARE, at, disk, disks, domain, nic, pci

POLICIES = ("libvirt", "dense", "hotplug:spare=3", "hotplug:preset=virt-install")


def host(bus: int, slot: int, function: int, address: str = "") -> str:
    """Return a device of the host."""
    source = f"<address domain='0' bus='{bus:#x}' slot='{slot:#x}' function='{function}'/>"
    return f"<hostdev mode='subsystem' type='pci'><source>{source}</source>{address}</hostdev>"


def host_nic(bus: int, slot: int, function: int) -> str:
    """Return an interface that is a device of the host."""
    source = f"<address type='pci' domain='0' bus='{bus:#x}' slot='{slot:#x}' function='{function}'/>"
    return f"<interface type='hostdev'><source>{source}</source></interface>"


CARDS = (host(0x21, 0, 1), disk(), host(0x21, 0, 0), host(0x22, 1, 5), host_nic(0x22, 1, 3), host(0x23, 0, 0), nic())


def slots(plan: Plan) -> dict[tuple[int, int], list[tuple[int, str]]]:
    """Return who shares each slot that is shared, bus 0 left out."""
    found: dict[tuple[int, int], list[tuple[int, str]]] = {}
    for label, address in plan.addresses.items():
        if address.bus:
            found.setdefault((address.bus, address.slot), []).append((address.function, label))
    return {slot: sorted(held) for slot, held in found.items() if len(held) > 1}


@pytest.mark.parametrize("policy", POLICIES)
def test_functions_of_a_host_slot_share_one(policy: str) -> None:
    plan = pcisim.assign(domain("q35", BARE, *CARDS), policy, group_by_host_slot=True)
    plan.topology.check()
    shared = list(slots(plan).values())
    assert [(0, "hostdev:1"), (1, "hostdev:0")] in shared
    assert [(0, "interface:0"), (5, "hostdev:2")] in shared
    flags = {d.label: flag for d, flag in plan.placement.multifunction.items()}
    assert flags["hostdev:1"] == flags["interface:0"] == "on"
    assert "hostdev:0" not in flags
    again = pcisim.assign(plan.to_xml())
    assert again.addresses == plan.addresses
    assert again.to_xml() == plan.to_xml()


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_any_devices_share_a_slot_by_wish(policy: str, machine: str) -> None:
    labels = ("interface:0", "disk:vdb", "disk:vdc", "rng:0")
    rng = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
    plan = pcisim.assign(
        domain(machine, disks(5), nic(), rng), policy, wishes={label: Wish(group="g") for label in labels}
    )
    places = [plan.addresses[label] for label in labels]
    assert len({(place.bus, place.slot) for place in places}) == 1
    assert sorted(place.function for place in places) == [0, 1, 2, 3]
    assert sum((a.bus, a.slot) == (places[0].bus, places[0].slot) for a in plan.addresses.values()) == len(labels)
    assert pcisim.assign(plan.to_xml()).addresses == plan.addresses


def test_controllers_share_a_slot_by_wish() -> None:
    devices = {"virtio-scsi": 2, "virtio-serial": 1}
    plan = pcisim.assign(
        Guest.of("q35", devices), wishes={label: Wish(group="g") for label in ("scsi:0", "scsi:1", "virtio-serial:0")}
    )
    assert len(slots(plan)) == 1
    assert [d.label for d in plan.placement.guest.controllers if d.type == "scsi"] == ["scsi:0", "scsi:1"]
    assert pcisim.assign(plan.to_xml()).addresses == plan.addresses


def test_others_stay_where_they_are_without_the_members() -> None:
    alone = pcisim.assign(domain("q35", BARE, disks(3), host(0x21, 0, 0)))
    plan = pcisim.assign(domain("q35", BARE, disks(3), host(0x21, 0, 0), host(0x21, 0, 1)), group_by_host_slot=True)
    assert plan.addresses.items() >= alone.addresses.items()
    assert str(plan.explain("hostdev:1")).endswith("shares slot 0000:04:00.0 of hostdev:0, as is wished")


def test_written_addresses_stay() -> None:
    ports = [pci("pcie-root-port", n) for n in (1, 2, 3)]
    xml = domain("q35", BARE, *ports, host(0x21, 0, 0, at(2, 0)), host(0x21, 0, 1))
    assert slots(pcisim.assign(xml, group_by_host_slot=True)) == {}


@pytest.mark.parametrize(
    ("xml", "labels", "detail"),
    [
        (domain("q35", disks(9)), [f"disk:vd{letter}" for letter in "abcdefghi"],
         "it has 9 devices, and a slot 8 functions"),
        (domain("q35", host(0x21, 0, 0), host(0x22, 0, 0)), ["hostdev:0", "hostdev:1"],
         "hostdev:0 and hostdev:1 both have function 0 of their host slot"),
        (domain("q35", pci("pcie-root-port", 1), disk(0, at(1, 0))), ["disk:vda"],
         "the address of disk:vda is explicit"),
        (domain("q35", pci("pcie-root-port", 1)), ["pci:1"], "pci:1 is not a device that can share a slot by wish"),
        (domain("q35", BARE), ["disk:vda"], "there is no device 'disk:vda'"),
    ],
)  # fmt: skip
def test_what_cannot_share_a_slot(xml: str, labels: list[str], detail: str) -> None:
    with pytest.raises(UsageError, match="group 'g' cannot share a slot") as caught:
        pcisim.assign(xml, wishes={label: Wish(group="g") for label in labels})
    assert (caught.value.details[0], caught.value.code) == (detail, "group")


def test_a_group_cannot_be_hot_pluggable() -> None:
    with pytest.raises(UsageError, match="group 'g' cannot share a slot") as caught:
        pcisim.assign(domain("q35", disk()), wishes={"disk:vda": Wish(hotpluggable=True, group="g")})
    assert caught.value.details == ("disk:vda cannot share a slot and be hot-pluggable",)


def test_the_command_line_says_what_it_costs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tree", "--machine", "q35", "--device", "virtio-net,count=4,group=nics"]) == 0
    captured = capsys.readouterr()
    assert "00.3 interface:3" in captured.out
    assert captured.err == "note: libvirt attaches and detaches what shares a slot only while the guest is off\n"
    assert main(["tree", "--machine", "q35", "--device", "virtio-net,count=9,group=nics"]) == 2
    assert main(["tree", "--machine", "q35", "--device", "virtio-net,group="]) == 2


@pytest.mark.parametrize(
    ("machine", "listed", "added"),
    [("pc", [], 0), ("q35", [pci("pcie-root-port", n, "<target hotplug='off'/>") for n in (1, 2)], 0)],
)
def test_a_packed_group_needs_no_slot_that_takes_hotplug(machine: str, listed: list[str], added: int) -> None:
    xml = domain(machine, *([pci("pcie-root"), *listed] if listed else []), *[nic()] * 3).replace("<acpi/>", "")
    plan = pcisim.assign(xml, "dense", wishes={f"interface:{n}": Wish(group="a") for n in (0, 1)})
    assert len(plan.placement.added) == added
    first, second = (plan.addresses[f"interface:{n}"] for n in (0, 1))
    assert (first.bus, first.slot, second.function) == (second.bus, second.slot, 1)
