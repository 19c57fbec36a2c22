"""Law: the real libvirt returns what `dense` has planned, attribute for attribute."""

from __future__ import annotations

import pytest

from tests.oracle.live import LiveLibvirt
from tests.oracle.plans import check_plans

pytestmark = pytest.mark.oracle
POLICIES = (
    "dense", "dense:firmware=none", "dense:mixed=on:firmware=none", "dense:integrated=on", "dense:dmi=on:mixed=on",
    "dense:dmi=on",
)  # fmt: skip


def test_libvirt_returns_the_plan(taking: tuple[str, LiveLibvirt]) -> None:
    check_plans(*taking, POLICIES)
