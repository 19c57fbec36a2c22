"""The report of `capacity`: bus by bus, the totals cold and hot, the budgets, as text and as plain data."""

from __future__ import annotations

import json

import pytest

import pcisim
from pcisim.capacity.report import PORT_MEMORY_KIB, BusCapacity, Capacity, Held, Room, capacity, room
from pcisim.guest import Guest
from tests.guests import BARE, NO_BALLOON, at, controller, disks, domain, ich9, nic, pci, video

OFF = "<target hotplug='off'/>"
BRIDGE = "slot 0 of the bridge belongs to its hotplug controller"
ROOT = "slot 0 of the root bus belongs to the host bridge"


def of(machine: str, *devices: str, version: str = "11.3") -> Capacity:
    return capacity(pcisim.assign(domain(machine, *devices), libvirt=version).placement)


def figures(bus: BusCapacity) -> tuple[int, int, int, int, int, int]:
    """Return used, reserved, free slots, free functions, unusable and hot slots."""
    return bus.used, bus.reserved, bus.free_slots, bus.free_functions, bus.unusable, bus.hot_slots


def test_an_empty_pc() -> None:
    report = of("pc")
    (bus,) = report.buses
    assert (bus.index, bus.model, bus.plug, bus.usable_slots, bus.why) == (0, "pci-root", "conventional", 31, (ROOT,))
    assert figures(bus) == (2, 2, 29, 244, 8, 29)
    assert bus.held == (
        Held("0000:00:01.0", "PIIX3 ISA bridge", "built-in"),
        Held("0000:00:01.2", "usb:0", "device"),
        Held("0000:00:01.3", "PIIX4 power management", "built-in"),
        Held("0000:00:02.0", "memballoon:0", "device"),
    )
    assert report.room == Room(0, 29, 0, 29)
    assert report.functions_cold == {"express": 0, "conventional": 244}
    assert (report.machine, report.bus_numbers, report.ports, report.port_memory_kib) == ("pc", 1, 0, 0)


def test_an_empty_q35() -> None:
    report = of("q35")
    assert [figures(bus) for bus in report.buses] == [
        (4, 2, 29, 242, 8, 0), (1, 0, 0, 7, 248, 0), (1, 0, 0, 7, 248, 0), (0, 0, 1, 8, 248, 1),
    ]  # fmt: skip
    assert [bus.why for bus in report.buses] == [(ROOT,), *[("a port has one slot behind it",)] * 3]
    assert [bus.plug for bus in report.buses] == ["express"] * 4
    assert report.buses[0].held == (
        Held("0000:00:01.0", "pci:1", "device"),
        Held("0000:00:01.1", "pci:2", "device"),
        Held("0000:00:01.2", "pci:3", "device"),
        Held("0000:00:1f.0", "ICH9 LPC bridge", "built-in"),
        Held("0000:00:1f.2", "sata:0", "device"),
        Held("0000:00:1f.3", "ICH9 SMBus controller", "built-in"),
    )
    assert report.room == Room(30, 0, 1, 0)
    assert report.functions_cold == {"express": 242 + 7 + 7 + 8, "conventional": 0}
    assert (report.bus_numbers, report.ports, report.port_memory_kib) == (4, 3, 3 * PORT_MEMORY_KIB)


@pytest.mark.parametrize(
    ("model", "parents", "expected", "plug", "why"),
    [
        ("pci-bridge", [], (0, 0, 31, 248, 8, 31), "conventional", (BRIDGE,)),
        ("pci-expander-bus", [], (0, 0, 32, 256, 0, 0), "conventional", ()),
        ("pcie-root-port", [], (0, 0, 1, 8, 248, 1), "express", ("a port has one slot behind it",)),
        ("dmi-to-pci-bridge", [], (0, 0, 32, 256, 0, 0), "conventional", ()),
        ("pcie-expander-bus", [], (0, 0, 32, 256, 0, 0), None, ()),
        ("pcie-to-pci-bridge", ["pcie-root-port"], (0, 0, 31, 248, 8, 31), "conventional",
         (BRIDGE,)),
        ("pcie-switch-upstream-port", ["pcie-root-port"], (0, 0, 32, 256, 0, 0), None, ()),
        ("pcie-switch-downstream-port", ["pcie-root-port", "pcie-switch-upstream-port"], (0, 0, 1, 8, 248, 1),
         "express", ("a port has one slot behind it",)),
    ],
)  # fmt: skip
def test_each_kind_of_bus(
    model: str, parents: list[str], expected: tuple[int, ...], plug: str | None, why: tuple[str, ...]
) -> None:
    """Theory says 256; the kind of the bus says which slots can be used, and which while the guest runs."""
    machine = "pc" if model in ("pci-bridge", "pci-expander-bus") else "q35"
    chain = [pci(name, number) for number, name in enumerate([*parents, model], 1)]
    bus = of(machine, BARE, *chain).buses[-1]
    assert (bus.model, figures(bus), bus.plug, bus.why) == (model, expected, plug, why)
    assert bus.usable_slots == expected[2]


def test_functions_beside_a_device_are_free_slots_are_not() -> None:
    bus = of("pc", BARE, nic("virtio", at(0, 5)), nic("virtio", at(0, 6, 3))).buses[0]
    assert figures(bus) == (2, 2, 28, 244, 8, 28)


def test_functions_beside_a_device_that_is_to_be_alone_are_not_free() -> None:
    """Rule: "beside a device included unless its `multifunction` is off"."""
    bus = of("pc", BARE, nic("virtio", at(0, 5, 0, "off")), nic("virtio", at(0, 6, 0, "on"))).buses[0]
    assert figures(bus) == (2, 2, 28, 237, 15, 28)
    assert bus.why == (ROOT, "7 functions are beside a device with multifunction='off'")


def test_only_function_zero_decides() -> None:
    """Only the bit of function 0 counts (QEMU rule 3.3)."""
    bus = of("pc", BARE, nic("virtio", at(0, 5, 2, "off"))).buses[0]
    assert (bus.free_functions, bus.why) == (245, (ROOT,))


def test_functions_that_were_taken_in_spite_of_it_count_once() -> None:
    bus = of("pc", BARE, nic("virtio", at(0, 5, 0, "off")), nic("virtio", at(0, 5, 1))).buses[0]
    assert figures(bus) == (2, 2, 29, 248 - 4 - 6, 8 + 6, 29)
    assert bus.why == (ROOT, "6 functions are beside a device with multifunction='off'")


def test_hotplug_that_is_switched_off() -> None:
    assert [
        bus.hot_slots for bus in of("q35", BARE, pci("pcie-root-port", 1, OFF), pci("pcie-root-port", 2)).buses
    ] == [0, 0, 1]
    report = of("pc", BARE, pci("pci-root", 0, OFF), pci("pci-bridge", 1))
    assert [bus.hot_slots for bus in report.buses] == [0, 31]
    assert report.room == Room(0, 60, 0, 31)


def test_the_set_of_ich9_shares_a_slot() -> None:
    bus = of("pc", NO_BALLOON, ich9(0)).buses[0]
    assert [(held.address, held.owner) for held in bus.held[2:]] == [
        ("0000:00:02.0", "usb:0:ich9-uhci1"),
        ("0000:00:02.1", "usb:0:ich9-uhci2"),
        ("0000:00:02.2", "usb:0:ich9-uhci3"),
        ("0000:00:02.7", "usb:0:ich9-ehci1"),
    ]
    assert figures(bus) == (4, 2, 29, 242, 8, 29)


def test_bus_numbers_of_an_expander_of_pc() -> None:
    """Its devices are behind a bridge that nobody lists, which takes a number (firmware rule 2.3)."""
    assert of("pc", BARE, pci("pci-expander-bus", 1), pci("pci-bridge", 2)).bus_numbers == 4
    assert of("q35", BARE, pci("pcie-expander-bus", 1), pci("pcie-root-port", 2)).bus_numbers == 3


def test_ports_that_cost_memory() -> None:
    switch = [pci("pcie-root-port", 1), pci("pcie-switch-upstream-port", 2), pci("pcie-switch-downstream-port", 3)]
    assert (of("q35", BARE, *switch).ports, of("q35", BARE, pci("dmi-to-pci-bridge", 1)).ports) == (3, 0)


def test_no_bus() -> None:
    report = of("isapc", NO_BALLOON)
    assert (report.buses, report.room, report.bus_numbers, report.io.boots) == ((), Room(0, 0, 0, 0), 0, None)


def test_the_totals_are_the_room_of_the_topology() -> None:
    for machine, devices in (
        ("pc", [disks(40), pci("pci-expander-bus", 1)]),
        ("q35", [disks(40), nic("e1000"), video("vga"), pci("dmi-to-pci-bridge", 1)]),
        ("q35", [pci("pcie-root-port", 1, OFF), pci("pcie-root-port", 2), controller("usb", 0, "ehci")]),
    ):
        placement = pcisim.assign(domain(machine, *devices)).placement
        assert capacity(placement).room == room(placement.topology)


# as text


def test_text_of_pc() -> None:
    assert str(of("pc")) == (
        "guest: pc: functions, 256 a bus in theory, and empty slots\n"
        "bus    controller  usable  used  reserved  free  slots  hot\n"
        "pci:0  pci-root       248     2         2   244     29   29\n"
        "not usable: 8 functions of pci:0 (slot 0 of the root bus belongs to the host bridge)\n"
        "free slots: cold 0 PCI Express + 29 conventional, hot 0 PCI Express + 29 conventional\n"
        "hotplug: 29 empty slots left, 0 devices can be detached\n"
        "bus numbers: 1 of 256\n"
        "emulator's memory for 0 ports: about 0.0 MiB\n"
        "I/O windows: 0 asked for, room for 8 (qemu-10.0/seabios-1.16.3): boots"
    )


def test_text_of_q35() -> None:
    lines = of("q35", BARE, nic("e1000e"), pci("pcie-root-port", 9)).lines()
    assert lines[1:-5] == [
        "bus      controller      usable  used  reserved  free  slots  hot",
        "pci:0    pcie-root          248    10         2   236     28    0",
        "pci:1    pcie-root-port       8     1         0     7      0    0",
        "pci:2-9  pcie-root-port      64     0         0    64      8    8",
        "total    10 buses           320    11         2   307     36    8",
        "not usable: 8 functions of pci:0 (slot 0 of the root bus belongs to the host bridge)",
        "not usable: 2232 functions of pci:1-9 (a port has one slot behind it)",
    ]
    assert lines[-5:] == [
        "free slots: cold 36 PCI Express + 0 conventional, hot 8 PCI Express + 0 conventional",
        "hotplug: 8 empty slots left, 1 device can be detached",
        "bus numbers: 10 of 256",
        "emulator's memory for 9 ports: about 6.2 MiB",
        "I/O windows: 1 asked for, room for 14 (qemu-10.0/seabios-1.16.3): boots",
    ]


def last_line(text: str, profile: str | None = None) -> str:
    return capacity(pcisim.assign(text, profile=profile).placement).lines()[-1]


def test_fits_and_boots_are_two_answers() -> None:
    assert of("q35", *[nic("e1000e")] * 15).lines()[-1] == (
        "I/O windows: 15 asked for, room for 14 (qemu-10.0/seabios-1.16.3): will not boot"
    )


def test_text_where_bridges_go_without() -> None:
    text = domain("q35", BARE, pci("pcie-root"), *[pci("pcie-root-port")] * 12)
    assert last_line(text.replace("<os>", "<os firmware='efi'>"), "qemu-7.2") == (
        "I/O windows: 12 asked for, room for 10 (qemu-7.2/ovmf-2022.11): boots, but bridges go without,"
        " without memory too, until the guest's system repairs it"
    )


def test_text_of_what_is_not_known() -> None:
    assert last_line(domain("isapc", NO_BALLOON)) == "I/O windows: 0 asked for; the firmware's room is unknown"
    source = "<source><address domain='0' bus='0xf0' slot='0' function='0'/></source>"
    hostdev = f"<hostdev mode='subsystem' type='pci' managed='yes'>{source}</hostdev>"
    assert last_line(domain("q35", hostdev)) == (
        "I/O windows: 0 asked for, room for 14 (qemu-11.1/seabios-1.17): boots; not known for hostdev:0"
    )


# as plain data


def test_json_of_pc() -> None:
    assert of("pc").to_json() == {
        "schema": "pcisim.capacity/1",
        "machine": "pc",
        "buses": [
            {
                "index": 0,
                "model": "pci-root",
                "plug": "conventional",
                "theoretical": 256,
                "usable_slots": 31,
                "used": 2,
                "reserved": 2,
                "free_slots": 29,
                "free_functions": 244,
                "unusable": 8,
                "why": (ROOT,),
                "hot_slots": 29,
                "held": [
                    {"address": "0000:00:01.0", "owner": "PIIX3 ISA bridge", "kind": "built-in"},
                    {"address": "0000:00:01.2", "owner": "usb:0", "kind": "device"},
                    {"address": "0000:00:01.3", "owner": "PIIX4 power management", "kind": "built-in"},
                    {"address": "0000:00:02.0", "owner": "memballoon:0", "kind": "device"},
                ],
                "claims": [
                    {"address": "0000:00:00.0", "owner": "i440FX host bridge", "kind": "built-in"},
                    {"address": "0000:00:01.1", "owner": "PIIX3 IDE controller (ide:0)", "kind": "reserved"},
                ],
            }
        ],
        "totals": {
            "express": {"cold": {"slots": 0, "functions": 0}, "hot": {"slots": 0}},
            "conventional": {"cold": {"slots": 29, "functions": 244}, "hot": {"slots": 29}},
        },
        "hotplug": {"empty_slots": 29, "detachable": 0},
        "budgets": {
            "bus_numbers": {"used": 1, "of": 256},
            "port_memory_kib": {"used": 0, "ports": 0},
            "io_windows": {
                "asked": 0,
                "bridges": [],
                "room": 8,
                "profile": "qemu-10.0/seabios-1.16.3",
                "boots": True,
                "unknown": [],
            },
        },
    }


def test_json_of_q35() -> None:
    report = of("q35", BARE, nic("e1000"), nic("e1000e")).to_json()
    assert json.loads(json.dumps(report)) == json.loads(json.dumps(report, sort_keys=True))
    assert report["totals"] == {
        "express": {"cold": {"slots": 30, "functions": 242 + 7 + 7 + 8}, "hot": {"slots": 1}},
        "conventional": {"cold": {"slots": 30, "functions": 247}, "hot": {"slots": 30}},
    }
    assert report["budgets"] == {
        "bus_numbers": {"used": 5, "of": 256},
        "port_memory_kib": {"used": 2100, "ports": 3},
        "io_windows": {
            "asked": 2,
            "bridges": ["pci:1", "pci:2", "pci:3"],
            "room": 14,
            "profile": "qemu-10.0/seabios-1.16.3",
            "boots": True,
            "unknown": [],
        },
    }


def test_json_of_what_is_not_known() -> None:
    report = of("isapc", NO_BALLOON).to_json()
    assert report["buses"] == []
    assert report["budgets"]["io_windows"] == {
        "asked": 0, "bridges": [], "room": "unknown", "profile": "unknown", "boots": "unknown", "unknown": [],
    }  # fmt: skip


def test_every_slot_of_the_largest_guest() -> None:
    """256 buses, which is all that there are."""
    models = ["pcie-root-port", "pcie-switch-upstream-port", *["pcie-switch-downstream-port"] * 32] * 7
    chain = [pci(name, number) for number, name in enumerate([*models, *["pcie-root-port"] * 17], 1)]
    report = of("q35", BARE, *chain)
    assert (len(report.buses), report.bus_numbers) == (256, 256)
    assert report.room.express_hot == 7 * 32 + 17


def test_a_guest_without_xml() -> None:
    report = capacity(pcisim.assign(Guest.of("q35", {"virtio-blk": 237})).placement)
    assert (report.room, report.bus_numbers, report.ports) == (Room(1, 0, 1, 0), 241, 240)
