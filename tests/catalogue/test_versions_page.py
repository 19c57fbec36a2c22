"""Law: what `docs/versions.md` says of versions is what the tables say."""

from __future__ import annotations

from pathlib import Path

from pcisim.catalogue.versions import DEFAULT_VERSION, FOLLOWED_FROM, VERSIONS

PAGE = (Path(__file__).parents[2] / "docs/versions.md").read_text(encoding="utf-8")


def test_every_measured_version_has_its_row() -> None:
    rows = [line for line in PAGE.splitlines() if "| from " in line]
    assert rows == [
        f"| {row.version} | {row.qemu} | from {'.'.join(map(str, FOLLOWED_FROM[row.version]))} on |"
        for row in VERSIONS.values()
    ]


def test_the_default_is_the_newest() -> None:
    assert [*VERSIONS][-1] == DEFAULT_VERSION
    assert sorted(VERSIONS, key=lambda version: VERSIONS[version].release) == [*VERSIONS]
    assert all(row.measured for row in VERSIONS.values())
