"""Law: what `docs/versions.md` and the rules of firmware say of versions is what the tables say."""

from __future__ import annotations

from pathlib import Path

from pcisim.catalogue.profiles import OVMFS, PROFILES, SEABIOSES
from pcisim.catalogue.versions import DEFAULT_VERSION, FOLLOWED_FROM, VERSIONS

FIRMWARE = (Path(__file__).parents[2] / "docs/rules/firmware.md").read_text(encoding="utf-8")
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


def test_every_profile_has_its_row() -> None:
    assert [line for line in PAGE.splitlines() if line.startswith("| `qemu-")] == [
        f"| `{row.name}` | {row.qemu.version} | {row.seabios.version} | {row.ovmf.version} | {row.linux.version} |"
        for row in PROFILES.values()
    ]
    assert f"`--seabios VERSION` ({', '.join(SEABIOSES)})" in PAGE
    assert f"`--ovmf VERSION` ({', '.join(OVMFS)})" in PAGE


def test_the_rooms_of_ovmf_are_those_of_the_table() -> None:
    rows = [line for line in FIRMWARE.splitlines() if line.split(" ")[1:2] and line.split(" ")[1] in OVMFS]
    rooms = [[*(row.memory_room[family] for family in ("q35", "pc")), row.high_room] for row in OVMFS.values()]
    assert rows == [
        f"| {version} | {' | '.join(f'{start:#x}-{end - 1:#x}' for start, end in room)} |"
        for version, room in zip(OVMFS, rooms, strict=True)
    ]
