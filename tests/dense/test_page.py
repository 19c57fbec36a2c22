"""The page about packing says what the code answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dense import ceilings

PAGE = Path(__file__).parents[2] / "docs" / "dense.md"


@pytest.mark.slow
def test_the_ceilings() -> None:
    text = PAGE.read_text()
    lines = text[text.index("| machine | policy |") :].split("\n\n")[0].splitlines()
    assert lines == ceilings.table()
