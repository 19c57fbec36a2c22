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

from pcisim.catalogue.controllers import PCI_CONTROLLERS, ROOT_MODELS
from pcisim.catalogue.devices import PLUGS, WALK
from pcisim.catalogue.machines import X86
from pcisim.catalogue.versions import Libvirt
from pcisim.catalogue.words import WORDS
from pcisim.connector import ENDPOINT, EXPRESS
from pcisim.errors import PcisimError
from pcisim.formats._devices import HostPci, disk_number
from pcisim.formats._patterns import BY_GROUP, ELEMENT, ENCODING, HEAD, OF_DISK, TAIL, scanner
from pcisim.formats._xml import MAX_BYTES, MAX_DEPTH, Document, Element, Source, parse
from pcisim.formats.domain_xml import Reader
from pcisim.guest import Device, Guest, disk_target

_BRIDGES = frozenset(PCI_CONTROLLERS) - ROOT_MODELS
_NO_DOCUMENT = Document(Element(), Source(b"", str, None, "utf-8", None))
_ATTRIBUTE = re.compile(r"""\s([^\s=]++)\s*+=\s*+(?:'([^']*+)'|"([^"]*+)")""")
_BLANKS = re.compile(r"\s*+")
_MOST_UNUSUAL = 20
"""With more elements that are read by themselves, the long way is the shorter one."""
_ODD = re.compile(r"[&\t\n]").search
_KNOWN = frozenset({*WALK, *WORDS})
"""Elements that are read."""
_COUNTED = ("interface", "disk", "hostdev", "rng", "sound", "input", "filesystem", "shmem")
"""Devices on which nothing depends but addresses, if they have one.  The first ICH9 sound may be the chipset's."""
_FREQUENT = ("interface", "disk", "rng")
"""Those of them that `_usual_plug` knows."""


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
        begin: where the inside of ``<devices>`` begins.
        end: where it ends.
        guest: the guest, without the devices that are counted; the origin of a device is a `Spot`.
    """

    __slots__ = ("begin", "counted", "end", "ends", "guest", "text")

    def __init__(self, text: str, begin: int, end: int, guest: Guest) -> None:
        self.text = text
        self.begin = begin
        self.end = end
        self.guest = guest
        self.counted: dict[str, list[tuple[int, Device | int]]] = {}
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
    head, end = HEAD.match(text), text.rfind("</devices>")
    if head is None or end < head.end() or TAIL.fullmatch(text, end) is None or "\r" in text:
        return None
    declaration, machine, acpi = head.groups("")
    if _ODD(machine) or (isinstance(xml, bytes) and "encoding" in declaration and not ENCODING.search(declaration)):
        return None
    said = _attributes(machine)
    guest = Guest(said.get("machine") or "", said.get("arch") or "x86_64", acpi=bool(acpi))
    if guest.arch not in X86:
        return None
    outline = Outline(text, head.end(), end, guest)
    try:
        _Scan(outline, Reader(_NO_DOCUMENT, rules, host_pci)).run()  # gives up earlier than expat
        pyexpat.ParserCreate("utf-8" if isinstance(xml, str) else None).Parse(xml, True)
    except (pyexpat.ExpatError, PcisimError, _UnusualError):
        return None
    return outline


class _Scan:
    """One reading of what is inside ``<devices>``."""

    def __init__(self, outline: Outline, reader: Reader) -> None:
        self.outline = outline
        self.reader = reader
        self.guest = outline.guest
        self.targets: list[str] = []
        self.disks: list[tuple[int, int, int]] = []
        self.unusual = 0

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
            for match in iter(scanner(text, position, end).match, None):
                form = match.lastindex or 0
                if form == OF_DISK:
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
                        said = attributes if target is None else f" dev='{target}'{attributes}"
                        plug = self._read(_element(tag, own, BY_GROUP[form].path, said))
                        if plug < 0:
                            continue
                    if plug:
                        plugs[tag, own, attributes] = plug
                number = len(ends)
                if form == OF_DISK:
                    targets.append(target)
                    if plug:
                        unit = _VD_UNITS.get(target)
                        disks.append((_unit(target) if unit is None else unit, number, plug))
                elif plug:
                    try:
                        counted[tag].append((plug, number))
                    except KeyError:
                        counted[tag] = [(plug, number)]
                ends.append((match.span(), tag, begins, blanks))
            else:
                if match is not None:
                    position = max(position, match.end())
                if _BLANKS.fullmatch(text, position, end):
                    break
            position = self._read_unusual(position)
        if len(set(targets)) < len(targets):
            raise _UnusualError
        if disks:
            disks.sort()
            counted["disk"] = [(plug, number) for _, number, plug in disks]

    def _read(self, element: Element) -> int:
        """Read a device; return its plug if it can be counted, else 0 and keep it, and -1 if it is none."""
        device = self.reader.read_one(element, self.guest)
        if device is None:
            return -1
        if device.address_type == "pci" or (element.get("type") == "pci" and device.model in _BRIDGES):
            raise _UnusualError  # no fresh guest: more need not be looked at
        if (
            device.plug
            and device.element in _COUNTED
            and device.bus != "hostdev"
            and not self._is_chipset_sound(device)
        ):
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

    def _is_chipset_sound(self, device: Device) -> bool:
        """Return whether a device, the latest of its kind, may have the place of the chipset's sound."""
        if device.model != "ich9" or not self.guest.machine.express:
            return False
        return not any(other.model == "ich9" for other in self.guest.devices[device.element][:-1])

    def _read_unusual(self, position: int) -> int:
        """Read the element at a position from a tree of its own; return where it ends."""
        outline, text = self.outline, self.outline.text
        head = ELEMENT.match(text, position, outline.end)
        if head is None:
            raise _UnusualError
        start, end = head.start(1) - 1, head.end()
        if text[end - 2] != "/":
            close = f"</{head[1]}>"
            end = text.find(close, end, outline.end) + len(close)
        self.unusual += 1
        if (
            end < head.end()
            or self.unusual > _MOST_UNUSUAL
            or text.find("<!", start, end) >= 0
            or text.find("<?", start, end) >= 0
            or text.count("</", start, end) > MAX_DEPTH // 2  # it may be too deep
        ):
            raise _UnusualError
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
            outline.counted.setdefault(element.tag, []).append((plug, number))
        begins = blanks = None
        if not element.self_closing:
            inside, until = start + element.start_tag_end, start + element.end_tag
            begins = text[inside : text.index("<", inside)]
            blanks = text[text.rindex(">", 0, until) + 1 : until] if element.children else ""
        outline.ends.append(((position, end), element.tag, begins, blanks))
        return end


def _element(tag: str, own: str, path: tuple[str, ...], attributes: str | None) -> Element:
    """Return an element, with what is read inside if it is there."""
    element = Element()
    element.tag = tag
    element.attrib = _attributes(own)
    element.children = ()
    element.start = 0
    element.source = _NO_DOCUMENT.source
    if path and attributes is not None:
        element.children = [_element(path[0], attributes if len(path) == 1 else "", path[1:], attributes)]
    return element


def _attributes(text: str) -> dict[str, str]:
    """Return the attributes of a tag, whose values hold no references."""
    return {name: one or other for name, one, other in _ATTRIBUTE.findall(text)}


def _usual_plug(tag: str, own: str, attributes: str) -> int:
    """Return what the most frequent devices need from a bus, as `Reader` finds it; 0 for any other device."""
    if tag not in _FREQUENT:
        return 0
    said, inside = _attributes(own), _attributes(attributes)
    for row in WORDS.get(tag, ()):
        word = said.get(row.attribute)
        if word is not None and word not in row.words:
            return 0
    if tag == "disk":
        usual = inside.get("bus") == "virtio" and said.get("device") in (None, "disk") and "model" not in said
        return EXPRESS if usual else 0
    model = inside.get("type") if tag == "interface" else said.get("model")
    return PLUGS[tag].get(model or "", 0)


def _unit(target: str | None) -> int:
    """Return the number of a disk with a usual name."""
    number = disk_number(target)[1] if target else None
    if not target or number is None or target[-1] <= "9" or target[:2] == "fd":
        raise _UnusualError
    return number


_VD_UNITS = {disk_target("vd", number): number for number in range(26 + 26 * 26)}
"""The numbers of the names that most disks have."""
