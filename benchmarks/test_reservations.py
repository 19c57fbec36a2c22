"""How long a run of reservations takes: ``pytest benchmarks`` (pytest-benchmark)."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.core_rows import LOOPS, topology
from pcisim.catalogue import connectors as c


@pytest.mark.parametrize(("models", "count"), [(row[1], row[2]) for row in LOOPS], ids=[row[0] for row in LOOPS])
def test_reservations(benchmark: Any, models: list[str], count: int) -> None:
    plug = c.EXPRESS if models[0] == "pcie-root" else c.CONVENTIONAL

    def empty() -> tuple[tuple[object, ...], dict[str, object]]:
        return (topology(models), {}), {}

    def run(own: Any, addresses: dict[int, int]) -> int:
        return int(own.allocate_all(plug, range(count), addresses))

    assert benchmark.pedantic(run, setup=empty, rounds=50) == count
