"""Laws of the policy hotplug: spares that are asked for are there, and nothing moves for them."""

from __future__ import annotations

import random

import pytest

import pcisim
from pcisim.capacity.fits import fits
from pcisim.capacity.max_count import how_many_more_beside_spares
from pcisim.catalogue import connectors as c
from pcisim.catalogue.versions import libvirt_version
from pcisim.cli.common import assigned
from pcisim.errors import NotCoveredError, PcisimError, RefusedError
from pcisim.guest import Device, Guest
from pcisim.hotplug.running import RunningGuest
from pcisim.plan import Plan
from pcisim.policies import policy_of
from pcisim.spares.policy import HotplugPolicy, Spares
from tests.guests import BARE, at, disk, disks, domain, nic, pci, video
from tests.oracle.generator import generate
from tests.sampled import one_in

GUESTS = {
    "pc": domain("pc", disks(3), video("vga")),
    "pc, nearly full": domain("pc", BARE, disks(28)),
    "q35": domain("q35", disks(3), nic("virtio"), video("qxl")),
    "q35, mixed": domain("q35", nic("e1000"), disks(2), "<sound model='ich9'/>", "<panic model='pvpanic'/>"),
    "q35, ports": domain("q35", BARE, disks(2), *[pci("pcie-root-port", n) for n in (1, 2, 3, 7)]),
    "q35, ports off": domain(
        "q35", BARE, disks(1), *[pci("pcie-root-port", n, "<target hotplug='off'/>") for n in (1, 2)]
    ),
    "q35, switch": domain(
        "q35", pci("pcie-root-port", 1), pci("pcie-switch-upstream-port", 2), pci("pcie-switch-downstream-port", 3)
    ),
    "virt": domain("virt", disks(2), arch="aarch64"),
    "empty": domain("q35", BARE),
}


def attached(plan: Plan, make: str, most: int) -> int:
    """Attach devices one by one until one is refused, and return how many were not."""
    running = RunningGuest(plan.placement, plan.rules)
    xml = "virtio" if make == "express" else "e1000"
    plug = c.EXPRESS if make == "express" else c.CONVENTIONAL
    for count in range(most + 1):
        try:
            running.attach(Device("interface", f"interface:{100 + count}", xml, plug, bus="user"))
        except RefusedError:
            return count
    return most + 1


def check_spares(xml: str, spare: int, pci_spare: int) -> bool:
    """Hold a guest to the laws, and return whether it has a plan."""
    try:
        before = pcisim.assign(xml)
        plan = pcisim.assign(xml, f"hotplug:spare={spare}:pci-spare={pci_spare}")
    except PcisimError:
        return False
    plan.topology.check()
    assert plan.addresses.items() >= before.addresses.items()
    if plan.placement.guest.express:
        assert attached(plan, "express", spare) >= spare
        assert attached(plan, "conventional", pci_spare) >= pci_spare
    else:
        assert attached(plan, "conventional", spare + pci_spare) >= spare + pci_spare
    again = pcisim.assign(plan.to_xml())
    assert again.addresses == plan.addresses
    assert again.to_xml() == plan.to_xml()
    return True


@pytest.mark.parametrize("name", GUESTS)
def test_spares_are_there_and_nothing_moves(name: str) -> None:
    for spare, pci_spare in ((0, 0), (1, 0), (9, 0), (3, 2), (0, 33)):
        assert check_spares(GUESTS[name], spare, pci_spare), (spare, pci_spare)


def test_spares_are_there_in_guests_of_all_kinds() -> None:
    rng = random.Random(14)
    held = sum(check_spares(generate(seed).xml, rng.randrange(12), rng.choice((0, 0, 1, 40))) for seed in range(60))
    assert held > 25


def ports(plan: Plan) -> tuple[int, int]:
    """Return how many ports there are, and how many of them are empty."""
    buses = [bus for bus in plan.topology.buses if bus.model.is_port]
    return len(buses), sum(bool(bus.free) for bus in buses)


@pytest.mark.parametrize(
    ("policy", "three_disks", "two_of_four_ports"),
    [
        ("libvirt", (4, 1), (4, 2)),
        ("hotplug", (4, 1), (4, 2)),
        ("hotplug:spare=0", (4, 1), (4, 2)),
        ("hotplug:spare=4", (7, 4), (6, 4)),
        ("hotplug:total=5", (5, 2), (5, 3)),
        ("hotplug:total=2", (4, 1), (4, 2)),
        ("hotplug:total=5:spare=4", (7, 4), (6, 4)),
        ("hotplug:extra=3", (6, 3), (7, 5)),
        ("hotplug:extra=3:total=9", (9, 6), (9, 7)),
        ("hotplug:pci-spare=1", (5, 1), (4, 1)),
        ("hotplug:extra=1:pci-spare=1", (5, 1), (5, 2)),
    ],
)
def test_what_spare_total_and_extra_count(
    policy: str, three_disks: tuple[int, int], two_of_four_ports: tuple[int, int]
) -> None:
    assert ports(pcisim.assign(domain("q35", BARE, disks(3)), policy)) == three_disks
    listed = [pci("pcie-root-port", n) for n in range(1, 5)]
    assert ports(pcisim.assign(domain("q35", BARE, disks(2), *listed), policy)) == two_of_four_ports


def test_ports_are_packed_eight_a_slot() -> None:
    plan = pcisim.assign(domain("q35", BARE, disk()), "hotplug:spare=16")
    places = [str(plan.addresses[f"pci:{index}"]) for index in range(1, 18)]
    expected = [f"0000:00:{slot:02x}.{function}" for slot in (1, 2, 3) for function in range(8)]
    assert places == expected[:17]
    xml = str(plan.to_xml())
    assert xml.count("multifunction='on'") == 2  # 17 ports: the third slot has one


def test_spares_share_no_slot_with_a_device_that_forbids_it() -> None:
    alone = pci("pcie-root-port", 1, at(0, 1, multifunction="off"))
    plan = pcisim.assign(domain("q35", BARE, alone), "hotplug:spare=3")
    assert [str(plan.addresses[f"pci:{n}"]) for n in (2, 3)] == ["0000:00:02.0", "0000:00:02.1"]


def test_a_bridge_makes_conventional_slots() -> None:
    plan = pcisim.assign(domain("q35", BARE, disk()), "hotplug:pci-spare=40")
    models = [bus.model.name for bus in plan.topology.buses]
    assert models == ["pcie-root", "pcie-root-port", "pcie-root-port", "pcie-to-pci-bridge", "pci-bridge",
                      "pcie-root-port"]  # fmt: skip


@pytest.mark.parametrize(
    ("xml", "policy", "detail"),
    [
        (domain("q35", BARE, disks(200)), "hotplug:spare=50",
         "spare 50 is asked for, and 40 can be had"),
        (domain("q35", BARE), "hotplug:total=250", "total 250 is asked for, and 240 can be had"),
        (domain("pc", BARE).replace("<acpi/>", ""), "hotplug",
         "libvirt looks no further than bus 0, a pci-root that takes no hotplug here"),
    ],
)  # fmt: skip
def test_spares_for_which_there_is_no_room(xml: str, policy: str, detail: str) -> None:
    with pytest.raises(RefusedError, match="there is no room for the spares") as caught:
        pcisim.assign(xml, policy)
    assert detail in caught.value.details
    assert caught.value.code == "no-spares"


@pytest.mark.parametrize("policy", ["hotplug:total=3", "hotplug:extra=1"])
def test_pc_has_no_ports_to_count(policy: str) -> None:
    with pytest.raises(RefusedError, match="machine type 'pc' has no PCI Express ports to count"):
        pcisim.assign(domain("pc", BARE), policy)


def test_machines_that_are_not_covered() -> None:
    with pytest.raises(NotCoveredError, match="spares on machine type 's390-ccw-virtio' of s390x are not covered"):
        pcisim.assign(domain("s390-ccw-virtio", arch="s390x"), "hotplug")


def test_the_log_says_what_spares_are_for() -> None:
    plan = pcisim.assign(domain("q35", BARE, disk()), "hotplug:spare=2")
    assert [step.remark for step in plan.explain("pci:3").steps] == ["appended: a spare port"]


@pytest.mark.parametrize("policy", one_in(2, ["hotplug:spare=2", "hotplug:spare=40", "hotplug:preset=nova:ports=3"]))
@pytest.mark.parametrize(("machine", "model"), [("pc", "virtio-blk"), ("q35", "e1000")])
def test_the_count_beside_spares_is_what_placing_says(policy: str, machine: str, model: str) -> None:
    rules = libvirt_version("12.9")
    asked = policy_of(policy, rules)
    assert isinstance(asked, HotplugPolicy)
    answer = how_many_more_beside_spares(Guest.of(machine), model, asked)
    refused = []
    for count in range(130):
        try:
            pcisim.assign(Guest.of(machine, {model: count}), policy)
        except RefusedError:
            refused.append(count)
    assert answer.most > 130
    assert refused == [count for low, high in answer.holes for count in range(low, high + 1) if count < 130]
    pcisim.assign(Guest.of(machine, {model: answer.most}), policy)
    with pytest.raises(RefusedError):
        pcisim.assign(Guest.of(machine, {model: answer.most + 1}), policy)


def test_fits_keeps_the_spares() -> None:
    policy = HotplugPolicy(spares=Spares(spare=8))
    assert fits(Guest.of("q35"), {"virtio-blk": 200}, policy).fits
    answer = fits(Guest.of("q35"), {"virtio-blk": 232}, policy)
    assert (answer.fits, answer.headline) == (
        False, "no: 232 more devices do not fit: No more available PCI slots: there is no room for the spares",
    )  # fmt: skip
    assert fits(Guest.of("q35"), {"virtio-blk": 8}, policy, hotplug=True).fits
    assert not fits(Guest.of("q35"), {"virtio-blk": 9}, policy, hotplug=True).fits


@pytest.mark.parametrize(
    ("xml", "policy", "remedy"),
    [
        (domain("q35", BARE, disks(200)), "hotplug:spare=50", "ask for hotplug:spare=40"),
        (domain("q35", BARE, disks(236)), "hotplug:total=250:spare=2:extra=4",
         "ask for hotplug:spare=2:total=240:extra=4"),
        (domain("q35", BARE, disks(236)), "hotplug:extra=250:pci-spare=2",
         "ask for hotplug:spare=0:extra=3:pci-spare=2"),
        (domain("pc"), "hotplug:total=3",
         "ask for hotplug:spare=3, which are conventional slots there"),
    ],
)  # fmt: skip
def test_fewer_spares_are_a_remedy(xml: str, policy: str, remedy: str) -> None:
    with pytest.raises(RefusedError) as caught:
        assigned(xml.encode(), policy, libvirt="12.9")
    assert caught.value.remedy == remedy
    pcisim.assign(xml, remedy.removeprefix("ask for ").partition(",")[0])


@pytest.mark.parametrize("machine", ["isapc", "microvm"])
def test_machines_without_pci_have_no_spares(machine: str) -> None:
    with pytest.raises(RefusedError, match="No PCI buses available"):
        pcisim.assign(domain(machine, BARE), "hotplug")
