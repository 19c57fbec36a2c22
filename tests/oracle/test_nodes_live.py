"""Law: the real libvirt returns what was planned with devices on NUMA nodes, attribute for attribute."""

from __future__ import annotations

import pytest

from tests.oracle.live import LiveLibvirt
from tests.oracle.plans import SEEDS, returned, text_of, written
from tests.placement.test_nodes import random_plan

pytestmark = pytest.mark.oracle


def test_libvirt_returns_the_plan(taking: tuple[str, LiveLibvirt]) -> None:
    version, client = taking
    asked = 0
    for seed in range(2 * SEEDS):
        plan = random_plan(seed, version)
        if plan is None:
            continue
        answer = client.ask(text_of(plan))
        assert answer.ok, (seed, answer.error)
        assert written(plan) == returned(answer.xml, version), seed
        asked += 1
        if asked == SEEDS:
            break
    assert asked == SEEDS
