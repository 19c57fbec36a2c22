"""The elements and attributes of domain XML that an answer depends on: the reader looks at these, and at nothing else.

`pcisim.formats.domain.reader` gives them their meaning; `pcisim.fleet.survey.shapes` takes them for the key by which
guests are alike.  A test reads with every access recorded and holds the reader to this table.

Source: libvirt rules 1.1, 1.4, 3 and 8.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from pcisim.catalogue.attribute_words import WORDS
from pcisim.catalogue.devices import WALK

START = "\x02"
"""What a name begins with; it cannot stand in a document."""


HOST = " of the host"
"""Of the address of a device on its host nothing matters but that it is one, and another than those before it."""
SAID = " said"
"""Of some attributes nothing matters but that they are there and not empty."""
TEXT = " text"
"""Of an element what is written in it."""


class OneKind(NamedTuple):
    """All attributes are read; and of one kind of the element more of what is inside it.

    Args:
        value: an attribute's value that makes it of that kind.
        inside: the elements inside one of that kind that are read.
    """

    value: str
    inside: Mapping[str, Node]


class Node(NamedTuple):
    """An element that is read, and what inside it.

    Args:
        start: its mark and name.
        attributes: whether its attributes are read; or the names of those that are; or `HOST`, `SAID` or `TEXT`; or
            of which kind of it more is read.
        inside: the elements inside it that are read.
    """

    start: str
    attributes: bool | str | frozenset[str] | OneKind
    inside: Mapping[str, Node]


def _node(tag: str, *inside: Node, attributes: bool | str | set[str] | OneKind = True) -> Node:
    noted = frozenset(attributes) if isinstance(attributes, set) else attributes
    return Node(START + tag, noted, _by_name(inside))


def _by_name(nodes: Iterable[Node]) -> Mapping[str, Node]:
    return {node.start[1:]: node for node in nodes}  # no proxy: a scan looks into these for every element


_ADDRESS = _node("address", _node("zpci"))
_ANY = (_ADDRESS, _node("acpi"))
_BOOT = _node("boot", attributes={"order"})
_MODEL, _TARGET = _node("model"), _node("target")
_SERIAL_TARGET = _node("target", _MODEL)
_HOST_ADDRESS = _node("address", attributes=HOST)
_HOST_PARTS = (_HOST_ADDRESS, _node("vendor"), _node("product"))
_THREADS = _node("iothreads", _node("iothread"), attributes=False)
_DETAILS: Mapping[str, tuple[Node, ...]] = MappingProxyType(
    {
        "disk": (
            _TARGET,
            _BOOT,
            _node("driver", _THREADS, attributes={"iothread"}),
        ),
        "interface": (_MODEL, _BOOT),
        "hostdev": (_BOOT, _node("source", *_HOST_PARTS, _node("adapter"), _node("host"))),
        "redirdev": (_BOOT,),
        "video": (_MODEL,),
        "shmem": (_MODEL,),
        "filesystem": (
            _node("driver"), _BOOT, _node("source", attributes=SAID), _node("target", attributes=SAID),
        ),
        "serial": (_SERIAL_TARGET,),
        "parallel": (_node("target", attributes={"port"}),),
        "console": (_TARGET,),
        "channel": (_TARGET,),
        "controller": (
            _MODEL,
            _node("target", _node("node", attributes=TEXT)),
            _node("master"),
            _node("pcihole64", attributes=False),
            _node("driver", attributes={"iothread"}),
        ),
        "tpm": (_node("backend", attributes=False),),
        "memory": (
            _node("target", _node("node", attributes=TEXT), _node("size", attributes=False), attributes=False),
        ),
    }
)  # fmt: skip
"""What is read of a device beside what is read of any."""

_ONE_KIND: Mapping[str, OneKind] = MappingProxyType(
    {
        "disk": OneKind(
            "lun",
            _by_name(
                (
                    *_ANY,
                    *_DETAILS["disk"],
                    _node("driver", _THREADS, attributes={"iothread", "type"}),
                    _node("source", attributes={"protocol"}),
                )
            ),
        ),
        "interface": OneKind(
            "hostdev",
            _by_name((*_ANY, *_DETAILS["interface"], _node("source", *_HOST_PARTS, attributes=False))),
        ),
    }
)

_ONLY_TYPE = ("serial", "parallel", "console", "channel", "graphics")
"""Elements of whose own attributes one is read; the others name terminals and ports, which differ from guest to
guest."""

DOMAIN = _node(
    "domain",
    _node("os", _node("type"), _node("loader"), _node("boot", attributes={"dev"})),
    _node("features", _node("acpi", attributes=False), attributes=False),
    _node("cpu", _node("numa", _node("cell"), attributes=False), attributes=False),
    _node("memoryBacking", _node("access", attributes={"mode"}), attributes=False),
    _node("maxMemory", attributes={"slots"}),
    _node("iothreads", attributes=TEXT),
    _node("iothreadids", _node("iothread", attributes={"id"}), attributes=False),
    _node(
        "devices",
        *(
            _node(
                tag,
                *_ANY,
                *_DETAILS.get(tag, ()),
                attributes={"type"} if tag in _ONLY_TYPE else _ONE_KIND.get(tag, True),
            )
            for tag in dict.fromkeys((*WALK, *WORDS))
        ),
        attributes=False,
    ),
    attributes=False,
)
READ = MappingProxyType({"domain": DOMAIN})
"""Everything that is read, from the root on."""
