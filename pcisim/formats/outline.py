"""The outline of a plain document: what devices it has and where each ends, without a tree of its elements.

Most of what a domain says of a device (image, MAC address, back-end) has no say in its address.  expat only checks that
the document is well-formed; one pattern finds what `domain_xml` reads of each device.  Of devices that are alike one is
read and the others are counted.

What is not written plainly has no outline, and is for `pcisim.formats.domain_xml.read`: comments in the domain,
references in what is read, characters beyond ASCII.  So is what has errors: they are reported from there.
"""

from __future__ import annotations

import pyexpat
import re
from collections.abc import Callable

from pcisim.catalogue.devices import PLUGS, WALK
from pcisim.catalogue.versions import Libvirt
from pcisim.catalogue.words import WORDS
from pcisim.connector import ENDPOINT, EXPRESS
from pcisim.errors import PcisimError
from pcisim.formats._devices import HostPci, disk_number
from pcisim.formats._xml import MAX_BYTES, MAX_DEPTH, Document, Element, Source, parse
from pcisim.formats.domain_xml import Reader
from pcisim.guest import Device, Guest, disk_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OPEN, _CLOSE = "<devices>", "</devices>"
_BEGINNING = re.compile(r"\s*(<\?xml[^<>]*>)?\s*(?:<!--[^-]*+(?:-[^-]++)*+-->\s*)*<domain(?=[\s>])[^<>]*>")
"""The declaration, comments and the start tag of a document."""
_ENCODING = re.compile(r"encoding\s*=\s*['\"](?i:utf-8|us-ascii|iso-8859-1)['\"]")
"""Encodings of which ASCII is a part."""
_NO_DOCUMENT = Document(Element(), Source(b"", str, None, "utf-8", None))

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
    return rf"({tag})(?=[\s/>]){_ATTRIBUTES}>(?:(?<=/>)|({_TEXT}){inside}({_TEXT})</[^\s<>]++>)()"


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
_SINGLE = re.compile(r"\s([^\s=]+)='([^']*)'")
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

    def __init__(self, text: str, devices: int, end: int, guest: Guest) -> None:
        self.text = text
        self.devices = devices
        self.begin = devices + len(_OPEN)
        self.end = end
        self.guest = guest
        self.counted: dict[str, list[tuple[int, Device | int]]] = {"interface": [], "rng": []}
        """By element, in libvirt's order: plug and number of each device that is counted."""
        self.ends: list[tuple[tuple[int, int], str, str | None, str | None]] = []
        """Of each device where the text before it begins and where it ends, its name, and what text begins and ends the
        inside; of ``<a/>`` there is no such text."""


class _UnusualError(Exception):
    """The document has no outline."""


def read_outline(xml: str | bytes, rules: Libvirt, host_pci: HostPci | None = None) -> Outline | None:
    """Return the outline of a document, ``None`` if it has none.

    Args:
        xml: domain XML.
        rules: as for `pcisim.formats.domain_xml.read`.
        host_pci: as for `pcisim.formats.domain_xml.read`.
    """
    if not xml.isascii() or len(xml) > MAX_BYTES:
        return None
    text = xml if isinstance(xml, str) else xml.decode()
    beginning = _BEGINNING.match(text)
    if beginning is None or not (isinstance(xml, str) or _is_ascii(beginning[1] or "")):
        return None
    begin = beginning.end()
    devices, end = text.find(_OPEN, begin), text.rfind(_CLOSE)
    if not begin <= devices < end or not _is_plain(text, begin, devices):
        return None
    try:
        pyexpat.ParserCreate("utf-8" if isinstance(xml, str) else None).Parse(xml, True)
        outline = Outline(text, devices, end, _read_machine(text, begin, devices, end))
        _Scan(outline, Reader(_NO_DOCUMENT, rules, host_pci)).run()
        return outline
    except (pyexpat.ExpatError, PcisimError, _UnusualError):
        return None


def _is_ascii(declaration: str) -> bool:
    """Return whether bytes with a declaration are read as ASCII when they are that."""
    return "encoding" not in declaration or _ENCODING.search(declaration) is not None


def _is_plain(text: str, begin: int, devices: int) -> bool:
    """Return whether < and > stand for tags alone from an offset on, and no tag before ``<devices>`` is too deep."""
    return (
        "\r" not in text
        and text.find("<!", begin) < 0
        and text.find("<?", begin) < 0
        and text.count("<", begin) == text.count(">", begin)
        and text.count("</", begin, devices) < MAX_DEPTH // 2
    )


def _read_machine(text: str, begin: int, devices: int, end: int) -> Guest:
    """Read what stands around ``<devices>``, which begins and ends there, in a domain that begins before.

    Raises:
        _UnusualError: it is not simply written.
    """
    if _depth(text, begin, devices) or any(text.find(tag, end) >= 0 for tag in ("<os", "<features", "<devices")):
        raise _UnusualError
    os = _child(text, "os", begin, devices)
    kind = os and _child(text, "type", *os[1:])
    if kind is None or _ODD(kind[0]):
        raise _UnusualError
    features = _child(text, "features", begin, devices)
    said = _attributes(kind[0])
    acpi = features is not None and _child(text, "acpi", *features[1:]) is not None
    return Guest(said.get("machine") or "", said.get("arch") or "x86_64", acpi=acpi)


def _child(text: str, tag: str, begin: int, end: int) -> tuple[str, int, int] | None:
    """Return the attributes of the one child of a name in a piece of text, and where its inside begins and ends.

    Raises:
        _UnusualError: there are several, or names that begin alike, or it is no child but inside of one.
    """
    start = text.find(f"<{tag}", begin, end)
    if start < 0:
        return None
    name_end = start + 1 + len(tag)
    tag_end = text.index(">", name_end)
    if text[name_end] not in " \t\n/>" or text.find(f"<{tag}", name_end, end) >= 0 or _depth(text, begin, start):
        raise _UnusualError
    if text[tag_end - 1] == "/":
        return text[name_end : tag_end - 1], tag_end, tag_end
    return text[name_end:tag_end], tag_end + 1, text.index(f"</{tag}", tag_end)


def _depth(text: str, begin: int, end: int) -> int:
    """Return how many more elements begin than end between two offsets."""
    return text.count("<", begin, end) - 2 * text.count("</", begin, end) - text.count("/>", begin, end)


class _Scan:
    """One reading of what is inside ``<devices>``."""

    def __init__(self, outline: Outline, reader: Reader) -> None:
        self.outline = outline
        self.reader = reader
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
                    plug = _usual_plug(tag, own, attributes or "")
                    if not plug:
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
                ends.append((match.span(), tag, begins, blanks))
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
        element.attrib = _attributes(own)
        element.children = ()
        element.start = 0
        element.source = _NO_DOCUMENT.source
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
        begins = blanks = None
        if not element.self_closing:
            inside, until = start + element.start_tag_end, start + element.end_tag
            begins, blanks = text[inside : text.index("<", inside)], text[text.rindex(">", 0, until) + 1 : until]
        outline.ends.append(((position, end), element.tag, begins, blanks))
        return end


def _attributes(text: str) -> dict[str, str]:
    """Return the attributes of a tag, whose values hold no references."""
    return {name: one or other for name, one, other in _ATTRIBUTE.findall(text)}


def _usual_plug(tag: str, own: str, attributes: str) -> int:
    """Return what the most frequent devices need from a bus, as `Reader` finds it; 0 for any other device."""
    if tag not in _COUNTED:
        return 0
    said, inside = dict(_SINGLE.findall(own)), dict(_SINGLE.findall(attributes))
    if len(said) + len(inside) != own.count("=") + attributes.count("="):
        return 0
    for row in WORDS.get(tag, ()):
        if said.get(row.attribute, next(iter(row.words))) not in row.words:
            return 0
    if tag == "disk":
        usual = inside.get("bus") == "virtio" and said.get("device") in (None, "disk") and "model" not in said
        return EXPRESS if usual else 0
    return PLUGS[tag].get(
        (inside if tag == "interface" else said).get("type" if tag == "interface" else "model", ""), 0
    )


def _unit(target: str | None) -> int:
    """Return the number of a disk with a usual name."""
    number = disk_number(target)[1] if target else None
    if not target or number is None or target[-1] <= "9" or target[:2] == "fd":
        raise _UnusualError
    return number


_VD_UNITS = {disk_target("vd", number): number for number in range(26 + 26 * 26)}
"""The numbers of the names that most disks have."""
