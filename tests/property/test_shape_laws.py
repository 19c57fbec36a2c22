"""Law: what `scan_shape` notes of a document says everything that its answer depends on.

From the notes alone a document is written anew; its row is that of the original.  So two documents with
the same notes have the same row, which is what lets one answer serve for both.  Lines are the exception: they
are those of the document that is asked about, however the one was laid out of which the answer is known.
"""

from __future__ import annotations

from random import Random
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcisim.catalogue.domain_elements import START
from pcisim.fleet.survey.answers import Answers, Question
from pcisim.fleet.survey.rows import Row
from pcisim.fleet.survey.shapes import END, SEPARATOR, ScannedShape, scan_shape
from tests.damaged import damaged
from tests.property.strategies import Drawn, drawn_guests
from tests.record_goldens import cases, read_guest

ROUNDS = 4000
WITH_ONE_ALIAS_TWICE = {
    "refused-alias-of-two-controllers",
    "refused-alias-twice",
    "alias-of-a-serial-port-and-a-card",
    "usb-none-of-which-nothing-is-read",
}
"""Guests that are read each by itself."""
WITH_TEXT = ("node", "iothreads")
"""The elements whose text is noted; ``<iothreads>`` of a driver is another one."""


def rewritten(skimmed: ScannedShape) -> bytes:
    """Return a document that says what the notes say, and nothing else but the name."""
    text: list[str] = []
    tags: list[str] = []
    pieces = skimmed.notes.split(SEPARATOR)
    place = 0
    while place < len(pieces):
        piece = pieces[place]
        place += 1
        if piece == END:
            text.append(f"</{tags.pop()}>")
            continue
        assert piece.startswith(START), piece
        inside = []
        while place < len(pieces) and not pieces[place].startswith((START, END)):
            inside.append(pieces[place])
            place += 1
        if piece[1:] in WITH_TEXT and tags[-1] != "driver":
            text.append(f"<{piece[1:]}>{escape(''.join(inside))}</{piece[1:]}>")
            continue
        tags.append(piece[1:])
        values = [quoteattr(value, {"\n": "&#10;", "\t": "&#9;", "\r": "&#13;"}) for value in inside[1::2]]
        text.append("<" + " ".join([tags[-1], *map("=".join, zip(inside[::2], values))]) + ">")
        if tags == ["domain"] and skimmed.name:
            text.append(f"<name>{escape(skimmed.name)}</name>")
    assert not tags
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
