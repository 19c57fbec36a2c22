"""What of a document its PCI answer depends on, found without building anything from it.

Guests of a fleet repeat: under other names, UUIDs, MAC addresses and disk images stands the same
hardware.  `skim` lets expat run over a document once and notes the elements and attributes that
`pcisim.formats.domain_xml.read` looks at, and nothing else.  Documents with the same notes have the same
answer, so that it has to be worked out once.

What cannot be skimmed is read.  Where something stands is no part of the notes: of a guest that is refused, the line
is found by skimming it once more.
"""

from __future__ import annotations

import pyexpat
from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import NamedTuple

from pcisim.address import MAX_BUS, MAX_FUNCTION, MAX_SLOT, USUAL_NUMBERS
from pcisim.catalogue.devices import WALK
from pcisim.catalogue.words import WORDS
from pcisim.formats._xml import MAX_BYTES, MAX_DEPTH

# None of these can stand in a document.
SEPARATOR, START, END = "\x01", "\x02", "\x03"


IF_ODD = " if odd"
"""Of the address of a device on its host nothing matters but that it is one, and whether it says its type."""


class Node(NamedTuple):
    """An element that is read, and what inside it.

    Args:
        start: its mark and name.
        attributes: whether its attributes are read; or the name of the one that is; or `IF_ODD`.
        inside: the elements inside it that are read.
    """

    start: str
    attributes: bool | str
    inside: Mapping[str, Node]


def _node(tag: str, *inside: Node, attributes: bool | str = True) -> Node:
    return Node(START + tag, attributes, MappingProxyType({node.start[1:]: node for node in inside}))


_ADDRESS = _node("address", _node("zpci"))
_ANY = (_ADDRESS, _node("acpi"))
_MODEL, _TARGET = _node("model"), _node("target")
_SERIAL_TARGET = _node("target", _MODEL)
_HOST_SOURCE = _node("source", _node("address", attributes=IF_ODD), _node("vendor"), _node("product"), attributes=False)
_DETAILS: Mapping[str, tuple[Node, ...]] = MappingProxyType(
    {
        "disk": (_TARGET,),
        "interface": (_MODEL, _HOST_SOURCE),
        "hostdev": (_HOST_SOURCE,),
        "video": (_MODEL,),
        "shmem": (_MODEL,),
        "filesystem": (_node("driver"),),
        "serial": (_SERIAL_TARGET,),
        "console": (_TARGET,),
        "channel": (_TARGET,),
        "controller": (_MODEL, _TARGET, _node("master"), _node("pcihole64", attributes=False)),
    }
)
"""What is read of a device beside what is read of any."""

_ONLY_TYPE = ("serial", "parallel", "console", "channel", "graphics")
"""Elements of whose own attributes one is read; the others name terminals and ports, which differ from guest to
guest."""

_DOMAIN = _node(
    "domain",
    _node("os", _node("type"), _node("loader")),
    _node("features", _node("acpi", attributes=False), attributes=False),
    _node("cpu", _node("numa", _node("cell"), attributes=False), attributes=False),
    _node(
        "devices",
        *(
            _node(tag, *_ANY, *_DETAILS.get(tag, ()), attributes="type" if tag in _ONLY_TYPE else True)
            for tag in dict.fromkeys((*WALK, *WORDS))
        ),
        attributes=False,
    ),
    attributes=False,
)
READ = MappingProxyType({"domain": _DOMAIN})
"""Everything that is read, from the root on; the text of `_NUMA_NODE` besides."""

MAX_UNREAD = MAX_DEPTH - 16
"""How deep what is not read may be; what is read is 6 deep."""
_NUMA_NODE = "node"
_TARGET_OF_CONTROLLER = _DOMAIN.inside["devices"].inside["controller"].inside["target"].inside


class Skimmed(NamedTuple):
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


def _is_host_address(attributes: list[str]) -> bool:
    """Return whether these are the attributes of an address on PCI that every reader takes for one."""
    for name, value in zip(attributes[::2], attributes[1::2]):
        if name == "type" and value != "pci":
            return False
        limit = _HOST_LIMITS.get(name)
        if limit is not None and USUAL_NUMBERS.get(value, limit + 1) > limit:
            return False
    return True


_HOST_LIMITS = {"domain": 0, "bus": MAX_BUS, "slot": MAX_SLOT, "function": MAX_FUNCTION}


class _UnusualError(Exception):
    """The document is to be read, not skimmed."""


def skim(data: bytes, lines: list[int] | None = None) -> Skimmed | None:
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
            push(here)
            if lines is not None:
                lines.append(parser.CurrentLineNumber)
            mark, noted, here = node
            append(mark)
            if noted is True:
                extend(attributes)
            elif noted == IF_ODD:
                if not _is_host_address(attributes):
                    extend(attributes)
                elif "type" in attributes[::2]:
                    extend(("type", "pci"))
            elif noted and noted in attributes[::2]:
                extend((noted, attributes[attributes[::2].index(noted) * 2 + 1]))
            return
        unread = 1
        if tag == "name" and here is _DOMAIN.inside:
            if named:
                raise _UnusualError
            text = named = True
            parser.CharacterDataHandler = names.append
        elif tag == _NUMA_NODE and here is _TARGET_OF_CONTROLLER:
            text = True
            if lines is not None:
                lines.append(parser.CurrentLineNumber)
            append(START + tag)
            parser.CharacterDataHandler = append

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

    parser = pyexpat.ParserCreate()
    parser.ordered_attributes = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(data, True)
    except (pyexpat.ExpatError, _UnusualError, LookupError, ValueError, Warning):
        return None
    finally:  # parser and handlers hold each other
        parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None
    return Skimmed(SEPARATOR.join(pieces), "".join(names)) if pieces else None
