"""What the documentation says of files is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pcisim
from tools import reference

ROOT = Path(pcisim.__file__).parent.parent
DOCS = ROOT / "docs"
BUILT = (DOCS / "_build", DOCS / "generated")
PAGES = sorted(
    page for page in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")] if not any(page.is_relative_to(built) for built in BUILT)
)
NAMED = re.compile(r"`((?:pcisim|tests|docs|benchmarks|notebooks|examples|share|tools)/[\w./-]*)`")
LAYER = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \|", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_are_there(page: Path) -> None:
    for name in NAMED.findall(page.read_text(encoding="utf-8")):
        assert (ROOT / name).exists(), name


def test_the_architecture_page_names_every_layer() -> None:
    rows = LAYER.findall((DOCS / "architecture.md").read_text(encoding="utf-8"))
    named = {name for row in rows for name in re.findall(r"\w+", row)}
    inside = (ROOT / "pcisim").iterdir()
    there = {path.stem for path in inside if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert named == there - {"__init__", "__main__"}


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_page_is_in_a_toctree() -> None:
    trees = re.findall(
        r"^```\{toctree\}\n(.*?)^```$", (DOCS / "index.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    named = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]
    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in PAGES if page.is_relative_to(DOCS)}
    generated = {name.rpartition(".")[0] for name in reference.pages()}
    assert sorted(named) == sorted({*pages - {"index"}, *(f"generated/{name}" for name in generated)})
