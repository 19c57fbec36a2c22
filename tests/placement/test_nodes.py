"""Law: a device for which a NUMA node is wished is below an expander of that node, whatever the policy."""

from __future__ import annotations

import random

import pytest

import pcisim
from pcisim.cli import main
from pcisim.diagnose.diagnosis import examine
from pcisim.errors import RefusedError, UsageError
from pcisim.guest import Guest
from pcisim.plan import Plan
from pcisim.requests import Wish
from tests.guests import BARE, at, controller, disk, disks, domain, nic, pci
from tests.placement.test_groups import POLICIES, host

MODERN = "virtio-non-transitional"
NODES = "".join(f"<cell id='{node}' cpus='{node}' memory='32' unit='MiB'/>" for node in range(3))
HEAD = f"<vcpu>3</vcpu><cpu><numa>{NODES}</numa></cpu>"


def guest(machine: str, *devices: str) -> str:
    """Return a domain with three NUMA nodes."""
    return domain(machine, BARE, *devices, head=HEAD)


def spots(plan: Plan) -> dict[str, tuple[int, int, int]]:
    """Return the node, the bus number and the index of the expander that each device is below."""
    controllers = {d.index: d for d in plan.placement.guest.controllers if d.is_pci}
    found = {}
    for label, address in plan.addresses.items():
        index = address.bus
        while index and "expander" not in controllers[index].model:
            index = plan.addresses[controllers[index].label].bus
        if index and not label.startswith("pci:"):
            target = controllers[index].target
            found[label] = (target["node"], target["busNr"], index)
    return found


def check(plan: Plan) -> None:
    """Check a plan by its own rules: its masks, its findings, and that it stays as it is."""
    plan.topology.check()
    assert [f for f in examine(plan.to_xml(), libvirt=plan.rules.version).findings if f.severity != "note"] == []
    again = pcisim.assign(plan.to_xml())
    assert again.addresses == plan.addresses
    assert again.to_xml() == plan.to_xml()
    controllers = [[(d.label, d.target) for d in one.placement.guest.controllers if d.is_pci] for one in (again, plan)]
    assert controllers[0] == controllers[1]


@pytest.mark.parametrize(
    ("machine", "policy"),
    # a preset of virt-install counts PCI Express ports
    [(m, policy) for m in ("pc", "q35") for policy in POLICIES if m == "q35" or not policy.endswith("virt-install")],
)
def test_each_node_and_complex_has_an_expander(machine: str, policy: str) -> None:
    wishes = {f"interface:{n}": Wish(node=n % 2, complex=n // 8) for n in range(10)}
    plan = pcisim.assign(guest(machine, *[nic(MODERN)] * 12), policy, wishes=wishes)
    check(plan)
    found = spots(plan)
    assert {label: place[0] for label, place in found.items()} == {f"interface:{n}": n % 2 for n in range(10)}
    expanders = dict.fromkeys(found[label][1:] for label in sorted(found))
    assert len(expanders) == 4
    numbers = [number for number, _ in sorted(expanders)]
    needs = [2, 2, 2, 2] if machine == "pc" else [5, 2, 5, 2]
    assert numbers == [256 - sum(needs[n:]) for n in range(4)]


def test_ports_take_any_function_from_slot_0_on() -> None:
    plan = pcisim.assign(guest("q35", *[nic()] * 20), wishes={f"interface:{n}": Wish(node=1) for n in range(20)})
    check(plan)
    ports = [d for d in plan.placement.guest.controllers if d.target.get("chassis")]
    places = [(plan.addresses[d.label].slot, plan.addresses[d.label].function) for d in ports]
    assert places == [divmod(number, 8) for number in range(20)]
    assert [d.target["port"] for d in ports] == list(range(20))
    assert [plan.placement.multifunction.get(d) for d in ports] == [None if n % 8 else "on" for n in range(20)]


def test_others_stay_where_they_are_without() -> None:
    alone = pcisim.assign(domain("q35", disks(3), nic(), head=HEAD))
    plan = pcisim.assign(domain("q35", disks(3), nic(), nic(), head=HEAD), wishes={"interface:1": Wish(node=2)})
    assert plan.addresses.items() >= alone.addresses.items()
    assert "below pci:8, on NUMA node 2, as is wished" in str(plan.explain("interface:1"))


@pytest.mark.parametrize("policy", ["libvirt", "dense", "hotplug:spare=3"])
def test_a_full_bus_0_makes_room(policy: str) -> None:
    devices = [disk(n).replace("<disk ", f"<disk model='{MODERN}' ") for n in range(250 if policy == "dense" else 40)]
    plan = pcisim.assign(guest("pc", *devices, nic(MODERN)), policy, wishes={"interface:0": Wish(node=1)})
    check(plan)
    assert list(spots(plan)) == ["interface:0"]
    assert not any(d.label.startswith("slot") for d in (*plan.placement.guest.all_devices(), *plan.placement.addresses))


def test_a_group_sits_on_a_node() -> None:
    xml = guest("q35", host(0x21, 0, 0), host(0x21, 0, 1), host(0x22, 0, 0))
    plan = pcisim.assign(xml, wishes={"hostdev:1": Wish(node=2)}, group_by_host_slot=True)
    check(plan)
    assert set(spots(plan)) == {"hostdev:0", "hostdev:1"}
    assert plan.addresses["hostdev:1"].bus == plan.addresses["hostdev:0"].bus
    assert plan.addresses["hostdev:1"].function == 1


def test_a_group_is_not_on_two_nodes() -> None:
    wishes = {"disk:vda": Wish(group="g", node=1), "disk:vdb": Wish(group="g", node=2, complex=1)}
    with pytest.raises(UsageError) as caught:
        pcisim.assign(guest("q35", disks(2)), wishes=wishes)
    assert caught.value.details == ("disk:vda has node=1", "disk:vdb has node=2,complex=1")


def test_controllers_of_other_types_have_nodes() -> None:
    xml = guest("q35", *[controller("scsi", n, MODERN) for n in range(3)], disks(1))
    plan = pcisim.assign(xml, wishes={"scsi:1": Wish(node=1), "scsi:0": Wish(node=1)})
    check(plan)
    assert [d.label for d in plan.placement.guest.controllers if d.type == "scsi"] == ["scsi:0", "scsi:1", "scsi:2"]
    assert set(spots(plan)) == {"scsi:0", "scsi:1"}


def test_numbers_end_below_listed_expanders() -> None:
    target = "<target busNr='200'><node>0</node></target>"
    xml = guest("q35", pci("pcie-expander-bus", 1, target), pci("pcie-root-port", 2, at(1, 0)), disks(2))
    plan = pcisim.assign(xml, wishes={"disk:vdb": Wish(node=0)})
    check(plan)
    assert spots(plan)["disk:vdb"][:2] == (0, 198)


def test_a_guest_without_a_document_has_the_nodes_that_are_named() -> None:
    plan = pcisim.assign(Guest.of("q35", ["virtio-net,count=2,node=3", "virtio-blk"]))
    check(plan)
    assert plan.placement.guest.numa_nodes == {0, 1, 2, 3}
    assert str(plan.to_xml()).count("<cell ") == 4
    other = pcisim.assign(Guest.of("q35", {"virtio-blk": 1}), wishes={"disk:vda": Wish(node=1)})
    assert spots(other)["disk:vda"][0] == 1


def test_256_devices_are_too_many() -> None:
    count = 260
    xml = guest("q35", *[nic()] * count)
    with pytest.raises(RefusedError, match="no room for the expander buses of NUMA nodes") as caught:
        pcisim.assign(xml, wishes={f"interface:{n}": Wish(node=0) for n in range(count)})
    assert caught.value.details == ("bus numbers: needed 261, available 255",)
    with pytest.raises(RefusedError) as caught:
        pcisim.assign(guest("pc", *[nic(MODERN)] * 33), wishes={f"interface:{n}": Wish(node=0) for n in range(33)})
    assert caught.value.details == ("slots on the expander of NUMA node 0: needed 33, available 32",)


def test_controllers_of_nodes_and_others_share_the_indexes() -> None:
    wishes = {f"interface:{n}": Wish(node=1) for n in range(60)}
    with pytest.raises(RefusedError) as caught:
        pcisim.assign(guest("q35", *[nic()] * 255), wishes=wishes)
    assert caught.value.details == ("indexes of PCI controllers: needed 257, available 255",)
    fits = pcisim.assign(guest("q35", *[nic()] * 253), wishes=wishes)
    assert max(d.index or 0 for d in fits.placement.guest.controllers) == 255
    check(fits)


@pytest.mark.parametrize("node", [-1, 128, "1", 1.0, True])
def test_a_node_is_a_number(node: int) -> None:
    with pytest.raises(UsageError, match="node is a number from 0 to 127"):
        pcisim.assign(Guest.of("q35", {"virtio-blk": 1}), wishes={"disk:vda": Wish(node=node)})


@pytest.mark.parametrize(
    ("machine", "devices", "wish", "message"),
    [
        ("q35", disk(), Wish(node=3), "it"),
        ("q35", disk(0, at(0, 9)), Wish(node=1), "its address is explicit: take it out"),
        ("q35", disk(), Wish(complex=1), "complex=1 says which expander of a node, and no node is named"),
        ("q35", disk().replace("<disk ", "<disk model='virtio-transitional' "), Wish(node=1),
         "it is conventional, and below the expander are PCI Express ports"),
        ("isapc", disk(), Wish(node=1), "machine type 'isapc' has no expander bus"),
        ("q35", nic(), Wish(node=1), "there is no such device"),
    ],
)  # fmt: skip
def test_what_cannot_be_on_a_node(machine: str, devices: str, wish: Wish, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        pcisim.assign(guest(machine, devices), wishes={"disk:vda": wish})
    assert caught.value.code == "node"
    assert caught.value.details[0].startswith("its nodes: 0, 1, 2" if wish.node == 3 else message)


@pytest.mark.parametrize(("machine", "model"), [("pc", "virtio"), ("q35", "e1000e")])
def test_a_device_with_io_ports_is_refused(machine: str, model: str) -> None:
    with pytest.raises(RefusedError, match="interface:0 has I/O ports") as caught:
        pcisim.assign(guest(machine, nic(model)), wishes={"interface:0": Wish(node=1)})
    assert caught.value.code == "io-on-node"


def test_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tree", "--machine", "q35", "--device", "virtio-net,count=2,node=1,complex=2"]) == 0
    assert "pcie-expander-bus" in capsys.readouterr().out
    asked = ["tree", "--machine", "q35", "--device", "virtio-net"]
    assert main([*asked, "--set", "interface:0:node=1", "--set", "interface:0:hotpluggable=on"]) == 0
    assert "pcie-expander-bus" in capsys.readouterr().out
    for wrong in ("128", "-1", "x", "", "1e2", "٣"):
        assert main([*asked, "--set", f"interface:0:node={wrong}"]) == 2
    assert "node is a number from 0 to 127" in capsys.readouterr().err
    assert main([*asked, "--set", "interface:0:complex=1"]) == 2
    assert main(["fits", "--machine", "q35", "--add", "virtio-net,count=2,node=1"]) == 2
    assert "only how many there are can be said here" in capsys.readouterr().err


@pytest.mark.parametrize("seed", range(20))
def test_random_wishes_keep_every_rule(seed: int) -> None:
    plan = random_plan(seed)
    if plan is not None:
        check(plan)
        wishes = {label: wish.node for label, wish in plan.placement.guest.wishes.items() if wish.node is not None}
        found = {label: place[0] for label, place in spots(plan).items()}
        assert found.items() >= wishes.items()
        assert all(plan.placement.guest.wishes[label].group for label in found.keys() - wishes.keys())
        for firmware in ("seabios", "ovmf"):
            view = pcisim.enumerate_guest(plan.placement, firmware)
            assert view.boots, (firmware, view.reason)
            assert not view.unseen, firmware


def random_plan(seed: int, libvirt: str = "12.9") -> Plan | None:
    """Return a plan of a random guest with random wishes; ``None`` where it is refused."""
    rng = random.Random(f"nodes {seed}")
    machine = rng.choice(("pc", "q35", "q35"))
    parts = [] if rng.random() < 0.5 else [BARE]
    parts += [nic(MODERN)] * rng.randrange(1, 20)
    parts += [host(0x20 + n // 3, 0, n % 3) for n in range(rng.randrange(6))]
    parts += [disk(n).replace("<disk ", f"<disk model='{MODERN}' ") for n in range(rng.choice((0, 5, 40)))]
    if rng.random() < 0.3:
        parts.append(pci("pci-bridge" if machine == "pc" else "pcie-root-port", 1))
    xml = domain(machine, *parts, head=HEAD)
    try:
        alone = pcisim.assign(xml, libvirt=libvirt)
    except RefusedError:  # libvirt finds no place for a listed pci-bridge on a full bus
        return None
    labels = [label for label in alone.addresses if label.startswith(("interface", "hostdev", "disk"))]
    wishes = {
        label: Wish(node=rng.randrange(3), complex=rng.randrange(2))
        for label in rng.sample(labels, rng.randrange(1, len(labels) + 1))
    }
    policy = rng.choice(("libvirt", "dense", "hotplug:spare=3"))
    try:
        return pcisim.assign(xml, policy, libvirt=libvirt, wishes=wishes, group_by_host_slot=rng.random() < 0.3)
    except UsageError:  # a card of the host on two nodes
        return None
