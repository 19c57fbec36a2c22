"""Rows in files: what is in them, and under which name."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pcisim.errors import InputError, UsageError
from pcisim.fleet.survey import output as module
from pcisim.fleet.survey.output import Output, Table, format_of
from pcisim.fleet.survey.rows import COLUMNS, SCHEMA, Row

parquet = pytest.importorskip("pyarrow.parquet")

FINE = Row("a,b.xml", 'a "name"\n\u2028é', "pc", "11.3", True, None, None, None, 3, 0, 1, 0, 5, 0, 26, 0, 26, False)
BAD = Row("c.xml", None, None, "11.3", None, "xml-syntax", "XML cannot be read", 7)
SUFFIXES = (".csv", ".jsonl", ".ndjson", ".parquet", ".CSV")


def plain(row: Row) -> dict[str, object]:
    return row._asdict()


def read(path: Path) -> list[dict[str, object]]:
    """Return the rows of a file."""
    if path.name.lower().removesuffix(".partial").endswith(".parquet"):
        table = parquet.read_table(path)
        assert table.schema.metadata[b"schema"] == SCHEMA.encode()
        return [dict(row) for row in table.to_pylist()]
    if ".csv" in path.name.lower():
        kinds = {column.name: column.kind for column in COLUMNS}
        parse: dict[type, Callable[[str], object]] = {
            bool: lambda text: {"true": True, "false": False}[text],
            int: int,
            str: str,
        }
        with open(path, encoding="utf-8", newline="") as stream:
            return [
                {name: parse[kinds[name]](text) if text else None for name, text in row.items()}
                for row in csv.DictReader(stream)
            ]
    rows = [json.loads(line) for line in path.read_bytes().decode().split("\n")[:-1]]
    assert [row.pop("schema") for row in rows] == [SCHEMA] * len(rows)
    return rows


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    path.write_text("what was there")
    path.chmod(0o640)
    output = Output(str(path), raw=True)
    output.write([FINE])
    output.write([])
    output.write([BAD, FINE])
    assert path.read_text() == "what was there"
    assert output.shown == f"{path}.partial"
    output.complete()
    assert read(path) == [plain(FINE), plain(BAD), plain(FINE)]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_an_interruption_leaves(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    output = Output(str(path), raw=True)
    output.write([FINE, BAD])
    output.leave()
    assert [p.name for p in tmp_path.iterdir()] == [f"{path.name}.partial"]
    assert read(tmp_path / f"{path.name}.partial") == [plain(FINE), plain(BAD)]
    again = Output(str(path), raw=True)
    again.write([BAD])
    again.complete()
    assert read(path) == [plain(BAD)]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_at_all(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    Output(str(path)).leave()
    assert list(tmp_path.iterdir()) == []
    Output(str(path)).complete()
    assert read(path) == []


def test_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROW_GROUP", 3)
    path = tmp_path / "rows.parquet"
    output = Output(str(path), raw=True)
    for _ in range(5):
        output.write([FINE, BAD])
    output.complete()
    assert parquet.ParquetFile(path).metadata.num_row_groups == 3
    assert read(path) == [plain(FINE), plain(BAD)] * 5


def test_links_are_followed_and_devices_written_to(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to("real.csv")
    output = Output(str(tmp_path / "link.csv"), raw=True)
    output.write([FINE])
    output.complete()
    assert (tmp_path / "link.csv").is_symlink()
    assert read(tmp_path / "real.csv") == [plain(FINE)]
    (tmp_path / "null.csv").symlink_to(os.devnull)
    output = Output(str(tmp_path / "null.csv"))
    output.write([FINE])
    output.complete()
    assert not os.path.exists(f"{os.devnull}.partial")


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    for name in (tmp_path / "nowhere" / "a.csv", tmp_path / f"{'x' * 300}.csv", tmp_path / "nul\0.csv"):
        with pytest.raises(InputError) as caught:
            Output(str(name))
        assert caught.value.code == "cannot-write"
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="is a directory"):
        Output(str(tmp_path / "folder.csv"))
    full = tmp_path / "full.csv"
    full.symlink_to("/dev/full")
    with pytest.raises(InputError, match="no space left on device"):
        Output(str(full))


@pytest.mark.parametrize("name", ["rows", "rows.xml", "rows.json", "", "-"])
def test_unknown_formats(name: str) -> None:
    with pytest.raises(UsageError, match="unknown suffix"):
        format_of(name)


def test_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UsageError, match="Parquet needs pyarrow, which is not installed") as caught:
        format_of("rows.parquet")
    assert caught.value.remedy == "pip install 'pcisim[fleet]'"
    assert format_of("rows.csv") is Table
