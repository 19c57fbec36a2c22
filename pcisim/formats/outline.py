"""The outline of a plain document: what devices it has and where each ends, without a tree of its elements.

Most of what a domain says of a device (image, MAC address, back-end) has no say in its address.  expat only checks that
the inside of ``<devices>`` is well-formed; one pattern finds what `domain_xml` reads of each device.  Of devices that
are alike one is read and the others are counted.  What stands around ``<devices>`` is parsed.

What is not written plainly has no outline, and is for `pcisim.formats.domain_xml.read`: comments in ``<devices>``,
references in what is read, characters beyond ASCII.  So is what has errors: they are reported from there.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pcisim.catalogue.devices import KNOWN_SINCE_11, WALK
from pcisim.catalogue.versions import Libvirt
from pcisim.catalogue.words import WORDS
from pcisim.connector import ENDPOINT
from pcisim.errors import PcisimError
from pcisim.formats._devices import HostPci, disk_number
from pcisim.formats._xml import Element, HollowError, parse
from pcisim.formats.domain_xml import Reader
from pcisim.guest import Device, Guest, disk_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OPEN, _CLOSE = "<devices>", "</devices>"
_ASCII = ("UTF-8", "US-ASCII", "ISO-8859-1")
"""Encodings of which ASCII is a part."""

# In a well-formed text without comments, in which no > stands for itself, every tag is <[^<>]*>.
_TEXT = "[^<]*+"
_ATTRIBUTES = "([^<>]*+)"
_LEAF = f"<[^/<>][^<>]*+>(?:(?<=/>)|{_TEXT}</[^<>]*+>)"


def _others(*read: str) -> str:
    """Return the pattern of any number of elements in a device that are not read."""
    names = "|".join((*read, "address", "acpi"))
    return rf"(?:{_TEXT}<(?!/|(?:{names})[\s/>])[^<>]*+>(?:(?<=/>)|{_TEXT}(?:{_LEAF}{_TEXT})*+</[^<>]*+>))*+"


def _device(tag: str, inside: str) -> str:
    """Return the pattern of a device: name, attributes, what text begins the inside, the inside, what text ends it."""
    return rf"({tag})(?=[\s/>]){_ATTRIBUTES}>(?:(?<=/>)|({_TEXT}){inside}({_TEXT})</[^<>]*+>)()"


def _with(child: str, attributes: str = _ATTRIBUTES) -> str:
    """Return the pattern of what is in a device of which one child is read."""
    return rf"{_others(child)}(?:{_TEXT}<{child}(?=[\s/>]){attributes}>(?<=/>){_others(child)})?+"


_SEVERAL = "disk|interface|video|shmem|filesystem|serial|console|channel|hostdev|controller"
"""Devices of which children are read besides the address."""
_PATTERN = re.compile(
    r"\s*+<(?:"
    + "|".join(
        (
            _device("disk", _with("target", rf"\s+dev=['\"]([^'\"&<>]++)['\"]{_ATTRIBUTES}")),
            _device("interface|video|shmem", _with("model")),
            _device("console|channel", _with("target")),
            _device("filesystem", _with("driver")),
            _device(rf"(?!(?:{_SEVERAL})[\s/>])[a-z]++", f"{_others()}()"),
        )
    )
    + ")"
)
_scanner: Callable[[str, int, int], Any] = _PATTERN.scanner  # type: ignore[attr-defined]
"""Finds one match directly behind the other (known since Python 2, not to type checkers)."""
_CHILDREN = {7: "target", 13: "model", 19: "target", 25: "driver", 31: ""}
"""The child that is read, by the last group of the alternative."""
_DISK = 7
_UNUSUAL = re.compile(r"\s*+<([\w:.-]++)[^<>]*+>")
_ATTRIBUTE = re.compile(r"""([^\s=]+)\s*=\s*(?:'([^']*)'|"([^"]*)")""")
_ODD = re.compile(r"[&\t\n]").search
_KNOWN = frozenset({*WALK, *WORDS})
"""Elements that are read."""
_COUNTED = ("interface", "disk", "rng")
"""Devices that nothing depends on but addresses."""


class Spot:
    """What stands for the element of a device in an outline.

    Args:
        number: the device's number in `Outline.ends`.
    """

    __slots__ = ("number",)

    line = 0
    """Nobody is told: errors are reported from the other reading."""

    def __init__(self, number: int) -> None:
        self.number = number


class Outline:
    """What is known of a plain document.

    Args:
        text: all of it.
        devices: where ``<devices>`` begins.
        begin: where the inside of ``<devices>`` begins.
        end: where it ends.
        guest: the guest, without the devices that are counted; the origin of a device is a `Spot`.
    """

    __slots__ = ("begin", "counted", "devices", "end", "ends", "guest", "text")

    def __init__(self, text: str, begin: int, end: int, guest: Guest) -> None:
        self.text = text
        self.devices = begin - len(_OPEN)
        self.begin = begin
        self.end = end
        self.guest = guest
        self.counted: dict[str, list[tuple[int, Device | int]]] = {"interface": [], "rng": []}
        """By element, in libvirt's order: plug and number of each device that is counted."""
        self.ends: list[tuple[int, int, str, str, str | None]] = []
        """Of each device the offsets of the start tag and of the end tag, the name, and what text begins and ends the
        inside.  Of ``<a/>`` the second is the offset past it; then comes the text before it, and ``None``."""


def read_outline(xml: str | bytes, rules: Libvirt, host_pci: HostPci | None = None) -> Outline | None:
    """Return the outline of a document, ``None`` if it has none.

    Args:
        xml: domain XML.
        rules: as for `pcisim.formats.domain_xml.read`.
        host_pci: as for `pcisim.formats.domain_xml.read`.
    """
    if not xml.isascii():
        return None
    text = xml if isinstance(xml, str) else xml.decode()
    begin = text.find(_OPEN) + len(_OPEN)
    end = text.rfind(_CLOSE, begin)
    inside = text[begin:end]
    if end < 0 or "\r" in text or "<!" in inside or "<?" in inside or inside.count("<") != inside.count(">"):
        return None
    try:
        document = parse(xml, hollow=(begin, end))
        devices = document.root.find("devices")
        if devices is None or devices.start + len(_OPEN) != begin or document.source.encoding.upper() not in _ASCII:
            return None
        reader = Reader(document, rules, host_pci)
        outline = Outline(text, begin, end, reader.guest())
        _Scan(outline, reader).run()
        return outline
    except (PcisimError, HollowError, _UnusualError):
        return None


class _UnusualError(Exception):
    """The document has no outline."""


class _Scan:
    """One reading of what is inside ``<devices>``."""

    def __init__(self, outline: Outline, reader: Reader) -> None:
        self.outline = outline
        self.reader = reader
        self.source = reader.document.source
        self.guest = outline.guest
        self.targets: list[str] = []
        self.disks: list[tuple[int, int, int]] = []

    def run(self) -> None:
        """Read and count.

        Raises:
            _UnusualError: something is written unusually.
            PcisimError: something is refused.
        """
        text, end, ends, counted = self.outline.text, self.outline.end, self.outline.ends, self.outline.counted
        disks, targets = self.disks, self.targets
        plugs: dict[tuple[str, str, str], int] = {}  # of devices of which the next need not be read
        position, match = self.outline.begin, None
        while True:
            for match in iter(_scanner(text, position, end).match, None):
                form = match.lastindex or 0
                if form == _DISK:
                    tag = "disk"
                    own, begins, target, attributes, blanks = match.group(2, 3, 4, 5, 6)
                else:
                    tag, own, begins, attributes, blanks = match.group(form - 5, form - 4, form - 3, form - 2, form - 1)
                    target = None
                plug = plugs.get((tag, own, attributes))
                if plug is None:
                    if tag not in _KNOWN:
                        continue
                    if _ODD(own + (attributes or "")) or "hostdev" in own:
                        position = match.start()
                        break
                    plug = self._read(self._element(tag, own, _CHILDREN[form], attributes, target))
                    if plug < 0:
                        continue
                    if plug:
                        plugs[tag, own, attributes] = plug
                number = len(ends)
                if form == _DISK:
                    targets.append(target)
                    if plug:
                        unit = _VD_UNITS.get(target)
                        disks.append((_unit(target) if unit is None else unit, number, plug))
                elif plug:
                    counted[tag].append((plug, number))
                if begins is None:
                    blanks_before = text[match.start() : text.index("<", match.start())]
                    ends.append((match.start() + len(blanks_before), match.end(), tag, blanks_before, None))
                else:
                    ends.append((match.start(form - 5) - 1, match.end(form - 1), tag, begins, blanks))
            else:
                if match is not None:
                    position = max(position, match.end())
                if not text[position:end].strip():
                    break
            position = self._read_unusual(position)
        if len(set(targets)) < len(targets):
            raise _UnusualError
        disks.sort()
        counted["disk"] = [(plug, number) for _, number, plug in disks]

    def _element(self, tag: str, own: str, child: str, attributes: str | None, target: str | None = None) -> Element:
        """Return an element, with the child that is read if it is there."""
        element = Element()
        element.tag = tag
        element.attrib = {name: one or other for name, one, other in _ATTRIBUTE.findall(own)}
        element.children = ()
        element.start = 0
        element.source = self.source
        if child and attributes is not None:
            said = attributes if target is None else f" dev='{target}'{attributes}"
            element.children = [self._element(child, said, "", None)]
        return element

    def _read(self, element: Element) -> int:
        """Read a device; return its plug if it can be counted, else 0 and keep it, and -1 if it is none."""
        device = self.reader.read_one(element, self.guest)
        if device is None:
            return -1
        if device.element in _COUNTED and device.plug and device.bus != "hostdev":
            if (
                device.plug & ~ENDPOINT
                or device.address_type is not None
                or device.acpi_index is not None
                or device.defaults
                or (device.element, device.model) in KNOWN_SINCE_11
            ):
                raise _UnusualError
            self.guest.devices[device.element].pop()
            return device.plug
        device.origin = Spot(len(self.outline.ends))
        return 0

    def _read_unusual(self, position: int) -> int:
        """Read the element at a position from a tree of its own; return where it ends."""
        outline, text = self.outline, self.outline.text
        head = _UNUSUAL.match(text, position, outline.end)
        if head is None:
            raise _UnusualError
        start, end = head.start(1) - 1, head.end()
        if text[end - 2] != "/":
            close = text.find(f"</{head[1]}", end, outline.end)
            end = text.find(">", close) + 1
        element = parse(text[start:end]).root  # refuses what holds another one of its name
        plug = self._read(element)
        if plug < 0:
            return end
        number = len(outline.ends)
        if element.tag == "disk":
            child = element.find("target")
            target = child.get("dev") if child is not None else None
            self.targets.append(target or "")
            if plug:
                self.disks.append((_unit(target), number, plug))
        elif plug:
            outline.counted[element.tag].append((plug, number))
        if element.self_closing:
            outline.ends.append((start, end, element.tag, text[position:start], None))
        else:
            inside, until = start + element.start_tag_end, start + element.end_tag
            begins, blanks = text[inside : text.index("<", inside)], text[text.rindex(">", 0, until) + 1 : until]
            outline.ends.append((start, until, element.tag, begins, blanks))
        return end


def _unit(target: str | None) -> int:
    """Return the number of a disk with a usual name."""
    number = disk_number(target)[1] if target else None
    if not target or number is None or target[-1] <= "9" or target[:2] == "fd":
        raise _UnusualError
    return number


_VD_UNITS = {disk_target("vd", number): number for number in range(26 + 26 * 26)}
"""The numbers of the names that most disks have."""
