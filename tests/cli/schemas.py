"""Judge JSON documents by the schemas of the package."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from pcisim.cli.schema import schemas


@cache
def schema(name: str) -> Mapping[str, Any]:
    """Return the schema of a name, such as ``plan``."""
    found: Mapping[str, Any] = json.loads(schemas()[name].read_text(encoding="utf-8"))
    return found


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(schema(name))


def documents(text: str) -> Iterator[Any]:
    """Yield the documents of an answer: one, or those of an array."""
    found = json.loads(text)
    yield from found if isinstance(found, list) else [found]


def complaints(document: Any) -> list[str]:
    """Return what is wrong with a document by the schema that it names."""
    name = document["schema"].removeprefix("pcisim.").partition("/")[0]
    return [f"{error.json_path}: {error.message[:200]}" for error in _validator(name).iter_errors(document)]
