"""How long the capacity of the largest guests takes: 256 buses, under 5 ms.

pytest benchmarks
"""

from __future__ import annotations

from typing import Any

import pytest

import pcisim
from pcisim.capacity.report import capacity
from pcisim.placement import Placement
from tests.guests import BARE, domain, nic, pci

LIMIT = 0.005
"""Seconds; the fastest round counts, for what else the machine does is no part of it."""

SWITCHES = ["pcie-root-port", "pcie-switch-upstream-port", *["pcie-switch-downstream-port"] * 32] * 7
GUESTS = {
    "pc, 255 empty bridges": ("pc", ["pci-bridge"] * 255, []),
    "pc, 255 bridges in each other": ("pc", ["pci-bridge"] * 255, ["nested"]),
    "pc, 255 bridges and 900 cards": ("pc", ["pci-bridge"] * 255, [nic("virtio")] * 900),
    "q35, 241 empty ports": ("q35", [*SWITCHES, *["pcie-root-port"] * 17], []),
    "q35, 241 ports and 241 cards": ("q35", [*SWITCHES, *["pcie-root-port"] * 17], [nic("e1000e")] * 241),
}


def placed(name: str) -> Placement:
    """Return a guest of 256 buses."""
    machine, models, devices = GUESTS[name]
    nested = devices == ["nested"]
    bridges = [
        pci(model, index, f"<address type='pci' bus='{index - 1}' slot='0x1f'/>" if nested else "")
        for index, model in enumerate(models, 1)
    ]
    placement = pcisim.assign(domain(machine, BARE, *bridges, *([] if nested else devices))).placement
    assert len(placement.topology.buses) == 256
    return placement


@pytest.mark.parametrize("name", GUESTS)
def test_the_capacity_of_256_buses(benchmark: Any, name: str) -> None:
    placement = placed(name)
    report = benchmark(capacity, placement)
    assert len(report.buses) == 256
    assert benchmark.stats.stats.min < LIMIT
