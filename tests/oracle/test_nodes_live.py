"""Law: the real libvirt returns what was planned with devices on NUMA nodes, attribute for attribute.

PCISIM_ORACLE_SEEDS says how many guests each version is asked about.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.oracle.live import URI_VARIABLES, LiveLibvirt, configured
from tests.oracle.test_dense_live import SEEDS, returned, written
from tests.placement.test_nodes import random_plan

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module", params=["11.3", "12.9"])
def live(request: pytest.FixtureRequest) -> Iterator[tuple[str, LiveLibvirt]]:
    """Return a version and a connection to a daemon of that version."""
    uri = configured(request.param)
    if uri is None:
        pytest.skip(f"{URI_VARIABLES[request.param]} is not set: no libvirt {request.param} to ask")
    with LiveLibvirt(uri) as client:
        yield request.param, client


def test_libvirt_returns_the_plan(live: tuple[str, LiveLibvirt]) -> None:
    version, client = live
    asked = 0
    for seed in range(2 * SEEDS):
        plan = random_plan(seed, version)
        if plan is None:
            continue
        answer = client.ask(str(plan.to_xml()))
        assert answer.ok, (seed, answer.error)
        assert written(plan) == returned(answer.xml, version), seed
        asked += 1
        if asked == SEEDS:
            break
    assert asked == SEEDS
