"""OVMF where room is short: what it takes away, and when it gives up.  Every answer is one of a real OVMF."""

from __future__ import annotations

import pytest

from pcisim import simulate_qemu
from pcisim.enumeration.ovmf import Request

MIB = 1 << 20
QUIET = "pcie-root-port,hotplug=off,"


def windows(
    machine: str, *devices: str, profile: str = "qemu-7.2", options: tuple[str, ...] = ()
) -> dict[str, list[list[int] | None]]:
    """Return the windows of each bridge, from its first to its last address."""
    seen = simulate_qemu(machine, devices, options=options, firmware="ovmf", profile=profile)
    assert seen.accepted, seen.error
    record = seen.to_json()["ovmf"]
    found: dict[str, list[list[int] | None]] = {}
    stack = [function for bus in record["buses"] for function in bus["functions"]]
    while stack:
        function = stack.pop()
        if "bridge" in function:
            found[function["qdev_id"]] = [function["bridge"][kind] for kind in ("io", "memory", "prefetch")]
            stack += function["behind"]
    return found


def port(name: str, more: str = "") -> str:
    return f"pcie-root-port,id={name},chassis={name[1:]}{more}"


def test_the_room_above_4_gib_is_128_gib() -> None:
    found = windows("q35", port("p1", ",pref64-reserve=128G"))
    assert found == {"p1": [[0x6000, 0x6FFF], [0xC0000000, 0xC01FFFFF], [0xE000000000, 0xFFFFFFFFFF]]}
    newer = windows("q35", port("p1", ",pref64-reserve=128G"), profile="qemu-11.1")
    assert newer == {"p1": [None, [0x80000000, 0x801FFFFF], [0xC000000000, 0xDFFFFFFFFF]]}


def test_alignment_goes_back_to_what_is_left() -> None:
    found = windows("q35", port("p1", ",pref64-reserve=256G"), "virtio-rng-pci,bus=p1")
    assert found == {"p1": [None, [0xC0000000, 0xC00FFFFF], [0xE000000000, 0xE0000FFFFF]]}


def test_only_the_largest_request_goes() -> None:
    found = windows("q35", port("p1", ",pref64-reserve=256G"), port("p2"))
    assert found == {
        "p1": [None, None, None],
        "p2": [[0x6000, 0x6FFF], [0xC0000000, 0xC01FFFFF], [0xE000000000, 0xE01FFFFFFF]],
    }


@pytest.mark.parametrize("reserve", ["pref64-reserve=256G", "mem-reserve=2G"])
@pytest.mark.parametrize("profile", ["qemu-7.2", "qemu-11.1"])
def test_it_gives_up_where_memory_is_asked_for_no_longer(reserve: str, profile: str) -> None:
    """Of mem-reserve the 64-bit memory was granted, and went with the rest of what hotplug wanted."""
    assert windows("q35", port("p1", f",{reserve}"), profile=profile) == {"p1": [None, None, None]}


def test_it_gives_up_where_4_gib_of_32_bit_memory_are_asked_for() -> None:
    bridges = [f"pci-bridge,id=p{n},chassis_nr={n},mem-reserve={size}" for n, size in ((1, "2G"), (2, "1G"), (3, "0"))]
    found = windows("pc", *bridges, "virtio-rng-pci,bus=p3,addr=1")
    assert found["p1"] == [None, None, None]
    assert found["p2"] == [[0xD000, 0xDFFF], [0x80000000, 0xBFFFFFFF], [0xE000000000, 0xE01FFFFFFF]]
    bridges[1] = bridges[1].replace("1G", "2G")
    found = windows("pc", *bridges, "virtio-rng-pci,bus=p3,addr=1")
    assert all(window == [None, None, None] for window in found.values())


def test_memory_that_another_kind_took_along_is_missed() -> None:
    ports = [f"{QUIET}id=p{n},chassis={n}" for n in range(1, 12)]
    cards = [f"e1000e,romfile=,bus=p{n}" for n in range(1, 11)]
    found = windows("q35", *ports, *cards, "pci-testdev,membar=1G,bus=p11")
    assert all(window == [None, None, None] for window in found.values())


def test_ports_that_were_granted_are_not_missed() -> None:
    found = windows(
        "q35,sata=off,smbus=off",
        f"{QUIET}id=p1,chassis=1",
        "pci-testdev,membar=256G,bus=p1",
        f"{QUIET}id=p2,chassis=2",
        "virtio-rng-pci,bus=p2",
    )
    assert found["p2"] == [None, [0xC0000000, 0xC00FFFFF], [0xE000000000, 0xE0000FFFFF]]


def test_both_sorts_of_prefetchable_memory_behind_a_bridge() -> None:
    """The 32-bit framebuffer goes through the memory window, since a bridge has one prefetchable window."""
    found = windows("q35", f"{QUIET}id=p4,chassis=4", "pcie-pci-bridge,id=q5,bus=p4", "VGA,bus=q5,addr=2")
    assert found["q5"] == [[0x6000, 0x6FFF], [0xC0000000, 0xC10FFFFF], [0xE000000000, 0xE01FFFFFFF]]


@pytest.mark.parametrize("option", ["pref32-reserve", "pref64-reserve"])
def test_a_prefetchable_reserve_of_0_says_nothing(option: str) -> None:
    assert windows("q35", port("p1", f",{option}=0"))["p1"][2] == [0xE000000000, 0xE01FFFFFFF]


@pytest.mark.parametrize(
    ("machine", "memory", "profile", "start"),
    [
        ("q35", "256M", "qemu-7.2", 0xC0000000),
        ("q35", "2700M", "qemu-7.2", 0xC0000000),
        ("q35", "2G", "qemu-11.1", 0x80000000),
        ("q35", "2300M", "qemu-11.1", 0xC0000000),
        ("q35", "4G", "qemu-11.1", 0x80000000),
        ("pc", "2300M", "qemu-7.2", 0xC0000000),
        ("pc", "3500M", "qemu-7.2", 0xE0000000),
        ("pc", "4G", "qemu-7.2", 0xC0000000),
        ("pc,max-ram-below-4g=1G", "4G", "qemu-7.2", 0x80000000),
    ],
)
def test_where_32_bit_memory_begins(machine: str, memory: str, profile: str, start: int) -> None:
    bridge = port("p1") if machine == "q35" else "pci-bridge,id=p1,chassis_nr=1"
    memory_window = windows(machine, bridge, profile=profile, options=(f"-m {memory}",))["p1"][1]
    assert memory_window == [start, start + 2 * MIB - 1]


def test_64_bit_memory_goes_below_4_gib_where_there_is_no_room_above() -> None:
    found = windows(
        "q35",
        "pxb-pcie,id=x1,bus_nr=60,bus=pcie.0",
        port("p1", ",bus=pcie.0,pref64-reserve=128G"),
        f"{QUIET}id=p2,chassis=2,bus=x1",
        "virtio-rng-pci,bus=p2",
    )
    assert found == {
        "p1": [[0x6000, 0x6FFF], [0xC0000000, 0xC01FFFFF], [0xE000000000, 0xFFFFFFFFFF]],
        "p2": [None, [0xC0400000, 0xC04FFFFF], [0xC0300000, 0xC03FFFFF]],
    }


def test_order_in_a_window() -> None:
    """Of two small BARs the larger one comes first, since it exceeds its alignment by more."""
    window = Request(None, -1, 0, MIB, window=True)
    for number, length in enumerate((0x100, 0x400, 0x100, 0x2000)):
        window.insert(Request(None, number, length, max(length, 0x1000)))
    window.lay_out()
    assert [(request.bar, request.offset) for request in window.inside] == [
        (3, 0),
        (1, 0x2000),
        (2, 0x3000),
        (0, 0x4000),
    ]
    assert (window.length, window.align) == (MIB, MIB)


@pytest.mark.parametrize("profile", ["qemu-7.2", "qemu-11.1", "qemu-11.1:ovmf=2026.08"])
@pytest.mark.parametrize(
    ("machine", "devices", "numbers"),
    [
        (
            "q35",
            ["pxb-pcie,id=p1,bus_nr=100", "pxb-pcie,id=p2,bus_nr=102,bus=pcie.0", port("r1", ",bus=pcie.0"),
             port("x11", ",bus=p1"), port("x12", ",bus=p1"), port("x13", ",bus=p1"),
             port("x21", ",bus=p2"), port("x22", ",bus=p2")],
            {"r1": (0, 1, 1), "x11": (100, 101, 101), "x12": (0, 0, 0), "x13": (0, 0, 0), "x21": (102, 103, 103),
             "x22": (102, 104, 104)},
        ),
        (
            "q35",
            ["pxb-pcie,id=p1,bus_nr=4", port("r1", ",bus=pcie.0"), "x3130-upstream,id=u,bus=r1",
             *(f"xio3130-downstream,id=d{n},bus=u,chassis={20 + n},addr={n}" for n in (1, 2, 3)),
             port("r2", ",bus=pcie.0"), port("x11", ",bus=p1")],
            {"r1": (0, 1, 3), "u": (1, 2, 3), "d1": (2, 3, 3), "d2": (0, 0, 0), "d3": (0, 0, 0), "r2": (0, 0, 0),
             "x11": (4, 5, 5)},
        ),
        (
            "q35",
            ["pxb-pcie,id=p1,bus_nr=4", port("r1", ",bus=pcie.0,bus-reserve=4"), port("r2", ",bus=pcie.0"),
             port("x11", ",bus=p1")],
            {"r1": (0, 1, 3), "r2": (0, 0, 0), "x11": (4, 5, 5)},
        ),
        (
            "q35",
            ["pxb-pcie,id=p1,bus_nr=254", port("r1", ",bus=pcie.0"), port("x11", ",bus=p1"), port("x12", ",bus=p1")],
            {"r1": (0, 1, 1), "x11": (254, 255, 255), "x12": (254, 0, 0)},
        ),
    ],
    ids=["expanders-too-close", "switch", "bus-reserve", "last"],
)  # fmt: skip
def test_below_a_root_bus_with_too_few_numbers_it_stops_in_order(
    machine: str, devices: list[str], numbers: dict[str, tuple[int, int, int]], profile: str
) -> None:
    seen = simulate_qemu(machine, devices, firmware="ovmf", profile=profile)
    assert seen.view is not None
    assert seen.view.boots is False
    functions = (*seen.view.functions, *seen.view.unseen)
    assert {f.label: tuple(f.numbers) for f in functions if f.numbers is not None and f.label in numbers} == numbers
    assert all(window == (None, None, None) for f in functions if f.label in numbers for window in [f.forwarded])


@pytest.mark.parametrize("profile", ["qemu-7.2", "qemu-11.1"])
def test_an_expander_with_nothing_on_it_takes_no_numbers(profile: str) -> None:
    devices = ["pxb-pcie,id=p1,bus_nr=2", *(port(f"r{n}", ",bus=pcie.0") for n in (1, 2, 3))]
    view = simulate_qemu("q35", devices, firmware="ovmf", profile=profile).view
    assert view is not None
    assert view.boots
    assert [f.numbers for f in view.functions if f.numbers is not None] == [(0, 1, 1), (0, 2, 2), (0, 3, 3)]
