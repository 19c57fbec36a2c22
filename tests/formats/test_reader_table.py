"""The reader looks at what `pcisim.catalogue.domain_elements` lists, and at nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import pytest

from pcisim.catalogue.domain_elements import HOST, READ, SAID, START, TEXT, Node, OneKind
from pcisim.catalogue.versions import VERSIONS
from pcisim.errors import PcisimError
from pcisim.formats.domain.reader import read
from pcisim.formats.xml import document as xml
from tests.record_goldens import cases, read_guest


class Attributes(dict[str, str]):
    """Attributes that remember which of them were asked for."""

    def __init__(self, values: dict[str, str], asked: set[str]) -> None:
        super().__init__(values)
        self.asked = asked

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return super().__contains__(name)

    def items(self) -> Any:
        self.asked.update(self.keys())
        return super().items()


def elements(element: xml.Element, *around: str) -> Iterator[tuple[xml.Element, tuple[str, ...]]]:
    """Yield every element of a document with the names on the way to it."""
    way = (*around, element.tag)
    yield element, way
    for child in element.children:
        yield from elements(child, *way)


def rows_of(way: tuple[str, ...]) -> list[Node]:
    """Return what the table says of an element, of each kind of what is around it."""
    inside: list[Mapping[str, Node]] = [READ]
    rows: list[Node] = []
    for tag in way:
        rows = [each[tag] for each in inside if tag in each]
        assert all(row.start == START + tag for row in rows)
        inside = [row.inside for row in rows]
        inside += [row.attributes.inside for row in rows if isinstance(row.attributes, OneKind)]
    return rows


def listed(way: tuple[str, ...], name: str) -> bool:
    """Return whether the table lists an attribute of an element."""
    if way[-1] == "alias":  # of which a scan notes for itself whether it is there twice
        return name == "name"
    return any(
        row.attributes in (True, HOST, SAID, TEXT)
        or isinstance(row.attributes, OneKind)
        or (isinstance(row.attributes, frozenset) and name in row.attributes)
        for row in rows_of(way)
    )


def unlisted(text: bytes | str, version: str) -> list[str]:
    """Return what the reader asked of a document that is not in the table."""
    document = xml.parse(text)
    asked: dict[tuple[str, ...], set[str]] = {}
    for element, way in elements(document.root):
        element.attrib = Attributes(element.attrib, asked.setdefault(way, set()))
    with suppress(PcisimError):
        read(document, VERSIONS[version])
    found = []
    for way, names in asked.items():
        for name in sorted(names):
            if not listed(way, name):
                found.append(f"{'/'.join(way)}/@{name}")
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_the_reader_asks_for_nothing_that_is_not_listed(version: str) -> None:
    for case in cases():
        assert unlisted(read_guest(case), version) == [], case
