"""Columns: the documentation has the same table."""

from __future__ import annotations

import json
from pathlib import Path

from pcisim.fleet.survey.rows import COLUMNS, SCHEMA, Row

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "fleet.md"
KINDS = {str: "text", int: "integer", bool: "truth"}


def test_documented_columns() -> None:
    rows = DOCUMENT.read_text().partition("| column | type | meaning |")[2].partition("\n\n")[0].splitlines()[2:]
    assert rows == [f"| `{column.name}` | {KINDS[column.kind]} | {column.meaning} |" for column in COLUMNS]


def test_json() -> None:
    row = Row("a.xml", None, None, "11.3", None, "xml-empty", "nothing", 1)
    document = json.loads(json.dumps(row.to_json()))
    assert document.pop("schema") == SCHEMA
    assert tuple(document) == Row._fields
    assert tuple(document.values()) == row


def test_required_columns_have_values() -> None:
    row = Row("a.xml", None, None, "11.3", None, None, None, None)
    assert all(getattr(row, column.name) is not None for column in COLUMNS if column.required)
