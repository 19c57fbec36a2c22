"""Law: what `scan_shape` notes of a document says everything that its answer depends on.

From the notes alone a document is written anew; its row is that of the original.  So two documents with
the same notes have the same row, which is what lets one answer serve for both.  Lines are the exception: they
are those of the document that is asked about, however the one was laid out of which the answer is known.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from random import Random
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcisim.catalogue.domain_elements import READ, START, TEXT, Node, OneKind
from pcisim.fleet.survey.answers import Answers, Question
from pcisim.fleet.survey.rows import Row
from pcisim.fleet.survey.shapes import END, SEPARATOR, ScannedShape, scan_shape
from tests.damaged import damaged
from tests.property.strategies import Drawn, drawn_guests
from tests.record_goldens import cases, read_guest

ROUNDS = 800
WITH_ONE_ALIAS_TWICE = {
    "refused-alias-of-two-controllers",
    "refused-alias-twice",
    "alias-of-a-serial-port-and-a-card",
    "usb-none-of-which-nothing-is-read",
}
"""Guests that are read each by itself."""


def rewritten(skimmed: ScannedShape) -> bytes:
    """Return a document that says what the notes say, and nothing else but the name."""
    text: list[str] = []
    opened: list[tuple[str, Mapping[str, Node]]] = []
    here: Mapping[str, Node] = READ
    pieces = deque(skimmed.notes.split(SEPARATOR))
    while pieces:
        piece = pieces.popleft()
        if piece == END:
            tag, here = opened.pop()
            text.append(f"</{tag}>")
            continue
        assert piece.startswith(START), piece
        tag = piece[1:]
        said = []
        while pieces and not pieces[0].startswith((START, END)):
            said.append(pieces.popleft())
        _, noted, inside = here[tag]
        if noted is TEXT:
            text.append(f"<{tag}>{escape(''.join(said))}</{tag}>")
            continue
        values = [quoteattr(value, {"\n": "&#10;", "\t": "&#9;", "\r": "&#13;"}) for value in said[1::2]]
        text.append("<" + " ".join([tag, *map("=".join, zip(said[::2], values))]) + ">")
        if isinstance(noted, OneKind) and noted.value in said:
            inside = noted.inside
        if inside:
            opened.append((tag, here))
            here = inside
        else:
            text.append(f"</{tag}>")
        if tag == "domain" and skimmed.name:
            text.append(f"<name>{escape(skimmed.name)}</name>")
    assert not opened
    return "".join(text).encode()


def row(data: bytes, version: str = "11.3") -> Row:
    """Return the row of a document that nobody has asked about before, but for its line."""
    return Answers(Question(version)).of_document("guest.xml", data)._replace(line=None)


def holds(data: bytes, version: str = "11.3") -> bool:
    """Check the law for a document, and return whether it can be skimmed."""
    skimmed = scan_shape(data)
    if skimmed is None:
        return False
    again = rewritten(skimmed)
    assert scan_shape(again) == skimmed
    assert row(again, version) == row(data, version)
    warm = Answers(Question(version))
    warm.of_document("guest.xml", data)
    for laid_out in (
        data,
        data.replace(b"\n", b" "),
        b"\n" + data.replace(b"><", b">\n<").replace(b"\n", b"\r\n"),
        again,
    ):
        other = scan_shape(laid_out)
        if other is not None and other.notes == skimmed.notes:  # unless there are line breaks in values
            assert warm.of_document("a", laid_out) == Answers(Question(version)).of_document("a", laid_out)
    return True


@pytest.mark.parametrize("version", ["9.0", "11.3"])
def test_recorded_guests(version: str) -> None:
    left = {case for case in cases() if not holds(read_guest(case).encode(), version)}
    assert left == WITH_ONE_ALIAS_TWICE


@given(drawn_guests(), st.randoms(use_true_random=False))
def test_drawn_guests(guest: Drawn, random: Random) -> None:
    assert holds(guest.shuffled(random).encode())


def test_damaged_guests() -> None:
    skimmed = sum(holds(damaged(seed).encode("utf-8", "surrogatepass")) for seed in range(ROUNDS))
    assert skimmed > ROUNDS // 4  # of the others most are no XML any more
