"""How much room is left, by plug, cold and hot."""

from __future__ import annotations

import pytest

import pcisim
from pcisim.capacity.report import Room, capacity, room
from pcisim.guest import Guest
from pcisim.topology import Topology
from tests.guests import BARE, NO_BALLOON, at, disks, domain, nic, pci, video


def left(machine: str, *devices: str) -> tuple[int, int, int, int]:
    """Return the room: express cold, conventional cold, express hot, conventional hot."""
    found = room(pcisim.assign(domain(machine, *devices)).topology)
    return found.express_cold, found.conventional_cold, found.express_hot, found.conventional_hot


@pytest.mark.parametrize(
    ("machine", "devices", "expected"),
    [
        # pc: 31 slots, of which the chipset's is one
        ("pc", [BARE], (0, 30, 0, 30)),
        ("pc", [], (0, 29, 0, 29)),
        ("pc", [BARE, video("vga")], (0, 29, 0, 29)),
        ("pc", [BARE, nic("virtio", at(0, 3, 1))], (0, 29, 0, 29)),
        ("pc", [BARE, pci("pci-bridge", 1)], (0, 29 + 31, 0, 29 + 31)),
        ("pc", [BARE, pci("pci-expander-bus", 1)], (0, 29 + 32, 0, 29)),  # QEMU plugs nothing into a pxb
        # q35: 31 slots cold only, and the ports
        ("q35", [BARE], (30, 0, 0, 0)),
        ("q35", [BARE, disks(1)], (29 + 1, 0, 1, 0)),
        ("q35", [BARE, pci("pcie-root-port", 1)], (29 + 1, 0, 1, 0)),
        ("q35", [BARE, pci("pcie-root-port", 1, "<target hotplug='off'/>")], (29 + 1, 0, 0, 0)),
        ("q35", [BARE, pci("pcie-root-port", 1, at(0, 1)), nic("virtio", at(1, 0))], (29, 0, 0, 0)),
        ("q35", [BARE, nic("e1000")], (29 + 1, 30, 1, 30)),
        ("q35", [BARE, pci("dmi-to-pci-bridge", 1)], (29, 32, 0, 0)),
        (
            "q35",
            [BARE, pci("pcie-root"), pci("pcie-root-port"), pci("pcie-switch-upstream-port"),
             pci("pcie-switch-downstream-port")],
            (29 + 1, 0, 1, 0),
        ),
        ("q35", [BARE, pci("pcie-expander-bus", 1)], (29, 0, 0, 0)),
    ],
)  # fmt: skip
def test_room(machine: str, devices: list[str], expected: tuple[int, int, int, int]) -> None:
    assert left(machine, *devices) == expected


def test_room_of_a_root_bus_that_is_switched_off() -> None:
    assert left("pc", BARE, pci("pci-root", 0, "<target hotplug='off'/>"), pci("pci-bridge", 1)) == (0, 60, 0, 31)


def test_room_of_no_bus() -> None:
    assert room(Topology()) == Room(0, 0, 0, 0)


def test_the_spare_port_is_the_room_of_a_new_guest() -> None:
    assert room(pcisim.assign(Guest.of("q35", {"virtio-blk": 20, "virtio-net": 3})).topology).express_hot == 1


def test_text() -> None:
    assert str(room(pcisim.assign(domain("q35", NO_BALLOON)).topology)) == (
        "free slots: cold 30 PCI Express + 0 conventional, hot 1 PCI Express + 0 conventional"
    )


def test_who_has_a_claim_on_what_nobody_holds() -> None:
    plan = pcisim.assign(domain("q35", video("vga"), nic("virtio", at(0, 0x1B, 3))))
    root, *others = capacity(plan.placement).buses
    assert [(row.address, row.kind) for row in root.claims] == [
        ("0000:00:00.0", "built-in"),
        ("0000:00:1a.0", "preferred"),
        ("0000:00:1d.0", "preferred"),
        ("0000:00:1e.0", "preferred"),
    ]
    assert not any(bus.claims for bus in others)
    document = capacity(plan.placement).to_json()
    assert document["buses"][0]["claims"][0] == {
        "address": "0000:00:00.0",
        "owner": "Q35 host bridge",
        "kind": "built-in",
    }
    assert capacity(pcisim.assign(domain("microvm", BARE)).placement).buses == ()
