"""What of a document its PCI answer depends on, found without building anything from it.

Guests of a fleet repeat: under other names, UUIDs, MAC addresses and disk images stands the same
hardware.  `scan_shape` lets expat run over a document once and notes the elements and attributes that
`pcisim.formats.domain.reader.read` looks at, and nothing else.  Documents with the same notes have the same
answer, so that it has to be worked out once.

What cannot be skimmed is read.  Where something stands is no part of the notes: of a guest that is refused, the line
is found by skimming it once more.
"""

from __future__ import annotations

import pyexpat
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import NamedTuple

from pcisim.address import MAX_BUS, MAX_FUNCTION, MAX_SLOT, USUAL_NUMBERS
from pcisim.catalogue.domain_elements import DOMAIN, HOST, READ, SAID, TEXT, Node, OneKind
from pcisim.formats.domain.traits import OWN_ALIAS
from pcisim.formats.xml.document import MAX_BYTES, MAX_DEPTH, new_parser

# Neither of these can stand in a document.
SEPARATOR, END = "\x01", "\x03"

MAX_UNREAD = MAX_DEPTH - 16
"""How deep what is not read may be; what is read is 6 deep."""


class ScannedShape(NamedTuple):
    """What was noted of a document.

    Args:
        notes: the elements and attributes that are read, in order.
        name: the guest's name.
    """

    notes: str
    name: str

    @property
    def key(self) -> bytes:
        """Return the notes in few bytes."""
        return sha256(self.notes.encode()).digest()


class _Host:
    """The devices of the host that a document names, each by its number in the order in which they come."""

    def __init__(self) -> None:
        self.numbers: dict[object, int] = {(0, 0, 0, 0): 0}  # what libvirt takes one without an address for
        self.odd = 0
        """How many addresses on PCI are written in a way that is not compared here."""

    def noted(self, attributes: list[str]) -> Iterable[str]:
        """Return what is noted of an address: its number instead of what it says, if every reader takes it for one."""
        names = attributes[::2]
        if names == ["uuid"]:
            digits = attributes[1].replace("-", "").lower()
            if len(digits) != _UUID_DIGITS or not _HEXADECIMAL.issuperset(digits):
                return attributes
            return "uuid", f"{self._number(digits):0{_UUID_DIGITS}x}"
        if not _PCI_NAMES.issuperset(names):
            return attributes
        parts = {"domain": 0, "bus": 0, "slot": 0, "function": 0}
        noted: tuple[str, ...] = ()
        for name, value in zip(names, attributes[1::2]):
            if name == "type":
                if value != "pci":
                    return attributes
                noted = "type", "pci"
            elif USUAL_NUMBERS.get(value, _HOST_LIMITS[name] + 1) > _HOST_LIMITS[name]:
                self.odd += 1
                if self.odd > 1 or len(self.numbers) > 1:
                    raise _UnusualError
                return attributes
            else:
                parts[name] = USUAL_NUMBERS[value]
        number = self._number(tuple(parts.values()))
        if "bus" in names:
            return *noted, "bus", str(number)
        if number:
            raise _UnusualError
        return noted

    def _number(self, key: object) -> int:
        number = self.numbers.setdefault(key, len(self.numbers))
        if self.odd or number > MAX_BUS:
            raise _UnusualError
        return number


_HEXADECIMAL = frozenset("0123456789abcdef")
_UUID_DIGITS = 32
_HOST_LIMITS = {"domain": 0, "bus": MAX_BUS, "slot": MAX_SLOT, "function": MAX_FUNCTION}
_PCI_NAMES = frozenset({"type", *_HOST_LIMITS})


class _UnusualError(Exception):
    """The document is to be read, not skimmed."""


def scan_shape(data: bytes, lines: list[int] | None = None) -> ScannedShape | None:
    """Note what the PCI answer of a document depends on.

    Args:
        data: domain XML.
        lines: where to put the line of each element that is noted.

    Returns:
        ``None`` for a document that has to be read: it is broken, no domain, or written in an unusual way.
    """
    if len(data) > MAX_BYTES or b"<!DOCTYPE" in data or b"\0" in data:
        return None
    pieces: list[str] = []
    names: list[str] = []
    around: list[Mapping[str, Node]] = []
    here: Mapping[str, Node] = READ
    hosts = _Host()
    aliases: set[str] = set()
    unread = 0  # how many elements are open from the first on that is not read
    text = named = False
    append, extend, push, pop = pieces.append, pieces.extend, around.append, around.pop

    # These run for every element.
    def start(tag: str, attributes: list[str]) -> None:
        nonlocal here, unread, text, named
        if unread:
            unread += 1
            if unread > MAX_UNREAD or text:
                raise _UnusualError
            return
        node = here.get(tag)
        if node is not None:
            if lines is not None:
                lines.append(parser.CurrentLineNumber)
            mark, noted, inside = node
            append(mark)
            if noted is True:
                extend(attributes)
            elif noted is HOST:
                extend(hosts.noted(attributes))
            elif noted is SAID:
                for name, value in zip(attributes[::2], attributes[1::2]):
                    extend((name, value and "said"))
            elif noted is TEXT:
                text = True
                parser.CharacterDataHandler = append
            elif isinstance(noted, OneKind):
                extend(attributes)
                if noted.value in attributes:
                    inside = noted.inside
            elif isinstance(noted, frozenset) and not noted.isdisjoint(attributes):
                for name, value in zip(attributes[::2], attributes[1::2]):
                    if name in noted:
                        extend((name, value))
            if inside:
                push(here)
                here = inside
            else:  # nothing in it is read: its end need not be noted
                unread = 1
            return
        unread = 1
        if tag == "name" and here is DOMAIN.inside:
            if named:
                raise _UnusualError
            text = named = True
            parser.CharacterDataHandler = names.append
        elif tag == "alias" and here is not DOMAIN.inside:
            for value in attributes[1::2]:
                if value.startswith(OWN_ALIAS):
                    if value in aliases:  # of all others nothing depends on the alias
                        raise _UnusualError
                    aliases.add(value)

    def end(tag: str) -> None:
        nonlocal here, unread, text
        if unread:
            unread -= 1
            if text:
                text = False
                parser.CharacterDataHandler = None
        else:
            here = pop()
            append(END)

    parser = new_parser()
    parser.ordered_attributes = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(data, True)
    except (pyexpat.ExpatError, _UnusualError, LookupError, ValueError, Warning):
        return None
    finally:  # parser and handlers hold each other
        parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None
    return ScannedShape(SEPARATOR.join(pieces), "".join(names)) if pieces else None
