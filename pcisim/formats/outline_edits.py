"""A fresh guest in its places, written into a document with an outline.

The same text as `pcisim.formats.domain_edits` writes, for lines that are laid out as people and libvirt lay them out.
"""

from __future__ import annotations

from operator import itemgetter

from pcisim.address import MAX_BUS, MAX_FUNCTION
from pcisim.catalogue.controllers import PCI_CONTROLLERS
from pcisim.catalogue.versions import Libvirt
from pcisim.formats._splice import DEPTHS, near_quote
from pcisim.formats.domain_edits import PLACES, controller_lines, device_lines
from pcisim.formats.outline import Outline
from pcisim.guest import Controller, Guest
from pcisim.placement.fresh import ROOT_PORT, Fresh

Splice = tuple[int, int, str]
"""What is to be replaced, from where until where, and by what."""

_BUSES = [f"domain='0x0000' bus='{bus:#04x}'" for bus in range(MAX_BUS + 1)]


class _OtherLayoutError(Exception):
    """Where a line goes, and how, depends on more than what is looked at here."""


def write_fresh(outline: Outline, guest: Guest, fresh: Fresh, rules: Libvirt) -> str | None:
    """Return the text of a document with the addresses of its guest.

    Args:
        outline: of the document.
        guest: its guest, completed.
        fresh: the places of that guest.
        rules: the version of libvirt, which says where the controllers stand that it adds.

    Returns:
        ``None`` for a document of another layout.
    """
    try:
        writer = _Writer(outline)
        return writer.written([*writer.inside(fresh), *writer.beside(guest, fresh, rules)])
    except _OtherLayoutError:
        return None


class _Writer:
    """How the lines of a document are laid out.

    Args:
        outline: of the document.
    """

    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        self.text = text = outline.text
        self.one_line = "\n" not in text.strip()
        self.source = text.encode() if '="' in text else b""
        self.quotes: dict[int, str] = {}
        self.around = self.indent = self.step = ""
        first = text.index("<", outline.begin)
        if first == outline.end:
            raise _OtherLayoutError
        if not self.one_line:
            self.around = self._indent(outline.devices)
            self.indent = self._indent(first)
            self.step = self.indent.removeprefix(self.around)
            if not self.step and (self.indent or "\n " in text or "\n\t" in text):
                raise _OtherLayoutError

    def written(self, splices: list[Splice]) -> str:
        """Return the text with the splices done to it."""
        splices.sort(key=itemgetter(0))
        pieces: list[str] = []
        position, text = 0, self.text
        for start, until, new in splices:
            pieces += (text[position:start], new)
            position = until
        pieces.append(text[position:])
        return "".join(pieces)

    # devices that are there

    def inside(self, fresh: Fresh) -> list[Splice]:
        """Return what puts the addresses into the devices that are there."""
        ends, quotes = self.outline.ends, self.source
        usual_begin = usual_end = None
        length = 0
        splices: list[Splice] = []
        for key, packed in fresh.places.items():
            if not isinstance(key, int):
                if key.origin is None:
                    continue
                key = key.origin.number
            start, end, tag, begins, blanks = ends[key]
            line = f"<address type='pci' {_BUSES[packed >> 8]} {PLACES[packed & 0xFF]}/>"
            if quotes:
                line = line.replace("'", self._quote(start))
            if begins == usual_begin and blanks == usual_end:
                end -= length
                splices.append((end, end, begins + line))
            elif blanks is None:
                splices.append(self._opened(start, end, tag, begins, line))
            elif begins or blanks:
                if begins[:1] != "\n" or blanks[:1] != "\n" or begins[1:].strip(" \t") or blanks[1:].strip(" \t"):
                    raise _OtherLayoutError
                usual_begin, usual_end, length = begins, blanks, len(blanks)
                splices.append((end - length, end - length, begins + line))
            elif "\n" in self.text[start:end] or self.text.rindex("<", 0, end) == start:
                raise _OtherLayoutError
            else:
                splices.append((end, end, line))
        return splices

    def _opened(self, start: int, end: int, tag: str, before: str, line: str) -> Splice:
        """Return what makes ``<a/>`` an element with a line in it."""
        head = self.text[start : end - 2]
        stripped = head.rstrip()
        if "\n" in head[len(stripped) :]:
            raise _OtherLayoutError
        start += len(stripped)
        if "\n" not in before:
            return start, end, f">{line}</{tag}>"
        own = before[before.rindex("\n") :]
        return start, end, f">{own}{self._deeper(own[1:])}{line}{own}</{tag}>"

    # what is added

    def beside(self, guest: Guest, fresh: Fresh, rules: Libvirt) -> list[Splice]:
        """Return what puts the controllers and devices there that libvirt adds."""
        places = fresh.places
        listed = [c for c in guest.controllers if c.origin is not None]
        last = max([c.origin.number for c in listed], default=None)
        root = max([c.origin.number for c in listed if c.type == "pci"], default=None)
        added: list[str] = []
        of_pci = added if root is None else []
        for controller in guest.controllers:
            if controller.type == "pci":
                if controller.origin is None:
                    of_pci.append(controller_lines(controller, None))
                if rules.sorts_added_controllers:
                    of_pci += _bridges(fresh)
            elif controller.origin is None and controller in places:
                added.append(controller_lines(controller, places[controller]))
        if not rules.sorts_added_controllers:
            of_pci += _bridges(fresh)
        devices = [
            device_lines(device, places[device])
            for row in guest.devices.values()
            for device in row
            if device.origin is None and device in places
        ]
        videos = [d.origin.number for d in guest.devices.get("video", ()) if d.origin is not None]
        if videos != sorted(videos):
            raise _OtherLayoutError  # the primary one is moved
        splices: list[Splice] = []
        if root is not None and of_pci:
            splices.append(self._after(root, of_pci))
        if last is not None and added:
            splices.append(self._after(last, added))
            added = []
        if added or devices:
            splices.append(self._at_the_end(added + devices))
        return splices

    def _after(self, number: int, lines: list[str]) -> Splice:
        """Return what puts lines after a device that is there."""
        start, end, _, begins, blanks = self.outline.ends[number]
        if blanks is not None:
            end = self.text.index(">", end) + 1
        own = "" if self.one_line else self._indent(start)
        if not self.one_line and ((begins and blanks is not None) or self.text[end] != "\n"):
            raise _OtherLayoutError
        return end, end, self._rendered(lines, start, own, self._deeper(own))

    def _at_the_end(self, lines: list[str]) -> Splice:
        """Return what puts lines at the end of ``<devices>``."""
        outline = self.outline
        end = self.text.rindex(">", 0, outline.end) + 1
        if not self.one_line and self.text[end] != "\n":
            raise _OtherLayoutError
        return end, end, self._rendered(lines, outline.devices, self.indent, self.step)

    def _rendered(self, lines: list[str], near: int, indent: str, step: str) -> str:
        """Return the lines of a `Markup` as they are written near an offset."""
        text = "".join(lines)
        shallow = deep = ""
        if not self.one_line:
            shallow = f"\n{indent}"
            deep = shallow + step
        text = text.replace(DEPTHS[0], shallow).replace(DEPTHS[1], deep)
        return text.replace("'", self._quote(near)) if self.source else text

    # how it is written there

    def _quote(self, position: int) -> str:
        if not self.source:
            return "'"
        stretch = position >> 11
        if stretch not in self.quotes:
            self.quotes[stretch] = near_quote(self.source, stretch)
        return self.quotes[stretch]

    def _deeper(self, own: str) -> str:
        """Return by how much what is in an element of ``<devices>`` is indented more."""
        if not own.startswith(self.around):
            raise _OtherLayoutError
        return own.removeprefix(self.around)

    def _indent(self, position: int) -> str:
        """Return the blanks before a position that begins a line."""
        begin = self.text.rfind("\n", 0, position)
        blanks = self.text[begin + 1 : position]
        if begin < 0 or blanks.strip(" \t"):
            raise _OtherLayoutError
        return blanks


def _bridges(fresh: Fresh) -> list[str]:
    """Return the PCI controllers that are added, as lines of `Markup`."""
    lines: list[str] = []
    last = max([packed for model, packed in fresh.bridges if model == ROOT_PORT], default=0)
    for index, (model, packed) in enumerate(fresh.bridges, 1):
        if model == ROOT_PORT:
            shared = "" if packed & MAX_FUNCTION or packed == last else " multifunction='on'"
            lines.append(
                f"\0<controller type='pci' index='{index}' model='pcie-root-port'>\1<model name='pcie-root-port'/>"
                f"\1<target chassis='{index}' port='{packed:#x}'/>"
                f"\1<address type='pci' domain='0x0000' bus='0x00' {PLACES[packed]}{shared}/>\0</controller>"
            )
        else:
            (name,) = PCI_CONTROLLERS[model].model_names
            target = {"chassisNr": index} if model == "pci-bridge" else {}
            bridge = Controller("controller", "", model, index=index, target=target, model_name=name)
            lines.append(controller_lines(bridge, packed))
    return lines
