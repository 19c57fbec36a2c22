"""How long a large topology takes to enumerate: ``pytest benchmarks/test_enumeration.py``.

250 buses and 500 devices in less than 5 ms; the ratio is to what SeaBIOS takes under QEMU (TCG) for
as many buses and devices as it can start with.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from pcisim.enumeration import GuestView, enumerate_guest
from pcisim.enumeration.enumerate import program, view_of
from pcisim.simulation import simulate_qemu
from pcisim.topology import Topology
from tests.qemu import running
from tests.qemu.firmware import Machine

LIMIT = 0.005
PORTS, CARDS = 230, 19


def large() -> tuple[Topology, int]:
    """Return a placed q35 guest with 250 buses and 500 devices on them."""
    import pcisim
    from tests.guests import NO_USB, at, domain, nic, pci

    lines = [NO_USB, pci("pcie-root", 0)]
    slots = [(slot, function) for slot in range(2, 0x1F) for function in range(8)]
    for index, (slot, function) in zip(range(1, PORTS + 1), slots):
        lines.append(pci("pcie-root-port", index, at(0, slot, function)))
    for card in range(CARDS):
        lines.append(pci("pcie-to-pci-bridge", PORTS + 1 + card, at(1 + card, 0)))
    places = [(1 + port, 0) for port in range(CARDS, PORTS)]
    places += [(PORTS + 1 + card, slot) for card in range(CARDS) for slot in range(1, 32)]
    lines += [nic("virtio", at(bus, slot)) for bus, slot in places[:500]]
    plan = pcisim.assign(domain("q35", *lines))
    return plan.topology, len(places[:500])


def test_large_topology(benchmark: Any) -> None:
    topology, devices = large()
    assert len(topology.buses) >= PORTS + CARDS + 1
    assert devices == 500
    view: GuestView = benchmark(enumerate_guest, topology)
    assert len(view.buses) == len(topology.buses)
    assert len(view.functions) + len(view.unseen) >= 500 + PORTS + CARDS
    # processor time: what else the machine does is no fault of this
    spent = []
    for _ in range(30):
        begin = time.process_time()
        enumerate_guest(topology)
        spent.append(time.process_time() - begin)
    assert min(spent) < LIMIT


@pytest.mark.qemu
@pytest.mark.skipif(not running.is_installed(), reason=f"{running.PROGRAM} is not installed")
def test_against_seabios(benchmark: Any) -> None:
    devices = [
        f"pcie-root-port,id=r{n},chassis={n // 200},slot={n % 200},addr={2 + n // 8:x}.{n % 8},multifunction=on"
        for n in range(120)
    ]
    devices += [f"virtio-rng-pci,bus=r{n}" for n in range(120)]
    simulation = simulate_qemu("q35", devices)
    hardware = simulation.built.hardware
    with Machine("q35", devices) as machine:
        begin = time.perf_counter()
        boots, _ = machine.run_seabios()
        real = time.perf_counter() - begin
    assert boots
    view = benchmark(lambda: view_of(hardware, "seabios", program(hardware, "seabios")))
    assert view.boots
    benchmark.extra_info["SeaBIOS_seconds"] = round(real, 3)
    benchmark.extra_info["ratio"] = round(real / benchmark.stats.stats.min)
    assert real > benchmark.stats.stats.min
