"""What the documentation says of files is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pcisim

ROOT = Path(pcisim.__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMED = re.compile(r"`((?:pcisim|tests|docs|benchmarks|notebooks|examples)/[\w./-]*)`")
LAYER = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \|", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_are_there(page: Path) -> None:
    for name in NAMED.findall(page.read_text(encoding="utf-8")):
        assert (ROOT / name).exists(), name


def test_the_architecture_page_names_every_layer() -> None:
    rows = LAYER.findall((ROOT / "docs/architecture.md").read_text(encoding="utf-8"))
    named = {name for row in rows for name in re.findall(r"\w+", row)}
    inside = (ROOT / "pcisim").iterdir()
    there = {path.stem for path in inside if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert named == there - {"__init__", "__main__"}


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
