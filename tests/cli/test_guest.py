"""``pcisim guest``, ``pcisim lspci`` and ``pcisim tree --view guest``."""

from __future__ import annotations

import json

import pytest

from tests.cli.running import Done, run
from tests.guests import BARE, at, domain, nic, pci
from tests.record_goldens import DATA

PORTS = str(DATA / "names-q35-ports" / "guest.xml")

TABLE = """\
"""


def test_the_table() -> None:
    assert run("guest", PORTS) == Done(0, TABLE, "")
