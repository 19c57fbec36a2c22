"""How long fleets take: ``pytest benchmarks`` (pytest-benchmark)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.fleet_rows import FEW, MANY, MIXED, counts
from pcisim import fleet

GUESTS = 100_000


@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize(("names", "shapes"), [(FEW, 50), (MANY, 15_000), (MANY, GUESTS), (MIXED, GUESTS)])
def test_assign(benchmark: Callable[..., Any], machine: str, names: list[str], shapes: int) -> None:
    table = counts(names, shapes, GUESTS)
    plan = benchmark(fleet.assign, machine, names, table)
    assert plan.fits.all()
    assert len(plan) == GUESTS


@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize("of", ["virtio-net", "e1000"])
def test_capacity(benchmark: Callable[..., Any], machine: str, of: str) -> None:
    table = counts(MIXED, GUESTS, GUESTS)
    room = benchmark(fleet.capacity, machine, MIXED, table, of)
    assert (room.cold > 0).all()


def test_many_refused_guests(benchmark: Callable[..., Any]) -> None:
    table = counts(MIXED, GUESTS, GUESTS) * 20
    plan = benchmark(fleet.assign, "q35", MIXED, table)
    assert 0 < plan.fits.sum() < GUESTS


def test_two_machines(benchmark: Callable[..., Any]) -> None:
    machines = ["pc", "q35"] * (GUESTS // 2)
    plan = benchmark(fleet.assign, machines, MIXED, counts(MIXED, GUESTS, GUESTS))
    assert plan.fits.all()
