"""Where RAM ends, below 4 GiB and above.  Every answer is one of a real SeaBIOS: where its windows began."""

from __future__ import annotations

import pytest

from pcisim import simulate_qemu
from pcisim.catalogue.profiles import QEMUS
from pcisim.guest import Ram
from pcisim.qemu.ram import below_4g, end_above_4g

GIB = 1 << 30
MIB = 1 << 20


@pytest.mark.parametrize(
    ("family", "ram", "below"),
    [
        ("pc", Ram(3583 * MIB), 3583 * MIB),
        ("pc", Ram(3584 * MIB), 3 * GIB),
        ("pc", Ram(3584 * MIB, limit=4 * GIB), 3584 * MIB),
        ("pc", Ram(3 * GIB, limit=2500 * MIB), 2500 * MIB),
        ("pc", Ram(4 * GIB, limit=3500 * MIB), 3 * GIB),
        ("pc", Ram(4 * GIB, limit=GIB), GIB),
        ("q35", Ram(2815 * MIB), 2815 * MIB),
        ("q35", Ram(2816 * MIB), 2 * GIB),
        ("q35", Ram(2815 * MIB, limit=2500 * MIB), 2500 * MIB),
        ("q35", Ram(4 * GIB, limit=2500 * MIB), 2 * GIB),
        ("q35", Ram(4 * GIB, limit=GIB), GIB),
    ],
)
def test_ram_below_4_gib(family: str, ram: Ram, below: int) -> None:
    assert below_4g(ram, family, QEMUS["7.2"]) == below


def test_room_for_more_ram() -> None:
    qemu = QEMUS["7.2"]
    assert end_above_4g(Ram(GIB), "q35", qemu) == 4 * GIB
    assert end_above_4g(Ram(GIB, 8 * GIB, 4), "q35", qemu) == (4 + 7 + 4) * GIB
    assert end_above_4g(Ram(3 * GIB, 5 * GIB, 2), "q35", qemu) == (4 + 1 + 2 + 2) * GIB
    assert end_above_4g(Ram(GIB, 1280 * MIB, 1), "pc", qemu) == (4 + 1 + 1) * GIB


@pytest.mark.parametrize(
    ("machine", "memory", "first", "second"),
    [
        ("q35", "-m 1G", 0x100000000, 0x140000000),
        ("q35", "-m 1G,slots=4,maxmem=8G", 0x3C0000000, 0x400000000),
        ("q35", "-m 1G,maxmem=8G", 0x2C0000000, 0x300000000),
        ("q35,max-ram-below-4g=1G", "-m 3G,slots=2,maxmem=5G", 0x280000000, 0x2C0000000),
    ],
)
def test_windows_come_after_it(machine: str, memory: str, first: int, second: int) -> None:
    ports = ["pcie-root-port,id=p1,chassis=1,pref64-reserve=1G", "pcie-root-port,id=p2,chassis=2,pref64-reserve=512M"]
    seen = simulate_qemu(machine, ports, options=[memory], profile="qemu-7.2").to_json()
    bridges = [f["bridge"] for f in seen["seabios"]["buses"][0]["functions"] if "bridge" in f]
    assert [bridge["prefetch"][0] for bridge in bridges] == [first, second]


def test_more_than_4_gib_below_4_gib() -> None:
    seen = simulate_qemu("q35,max-ram-below-4g=5G", [])
    assert seen.error == "Machine option 'max-ram-below-4g=5368709120' expects size less than or equal to 4G"


@pytest.mark.parametrize(
    ("profile", "starts"),
    [
        ("qemu-10.0", {"p1": 652835028992, "p3": 549755813888, "p6": 755914244096}),
        ("qemu-11.1", {"p1": 653908770816, "p3": 550829555712, "p6": 549755813888}),
    ],
)
def test_large_bars_behind_ports_that_take_hotplug(profile: str, starts: dict[str, int]) -> None:
    """SeaBIOS 1.16.3 forgets the alignment of the BAR of 1 GiB; so its window comes last, as the smallest."""
    devices = [
        "pcie-root-port,id=p1,chassis=1,pref64-reserve=96G",
        "virtio-rng-pci,disable-legacy=off,bus=p1",
        "pcie-root-port,id=p3,chassis=3,hotplug=off,pref64-reserve=96G",
        "pcie-pci-bridge,id=q4,bus=p3",
        "pci-testdev,bus=q4,addr=1",
        "pcie-root-port,id=p6,chassis=6,pref64-reserve=64M",
        "pci-testdev,membar=1G,bus=p6",
    ]
    view = simulate_qemu("q35", devices, options=["-m 3G"], profile=profile).view
    assert view is not None
    assert {f.label: f.windows[2].base for f in view.functions if f.label in starts} == starts
