"""A fresh guest in its places, written into a document with an outline.

The same text as `pcisim.formats.domain_edits` writes, for lines that are laid out as people and libvirt lay them out.
"""

from __future__ import annotations

from operator import itemgetter

from pcisim.address import MAX_FUNCTION
from pcisim.catalogue.controllers import PCI_CONTROLLERS
from pcisim.catalogue.versions import Libvirt
from pcisim.formats._splice import near_quote, spliced
from pcisim.formats.domain_edits import BUSES, PLACES, Leads, controller_lines, device_lines
from pcisim.formats.outline import Outline
from pcisim.guest import Controller, Guest
from pcisim.placement.fresh import ROOT_PORT, Fresh

Splice = tuple[int, int, str]
"""What is to be replaced, from where until where, and by what."""

_PORTS = [f"{number:#x}" for number in range(0x100)]
"""The numbers of ports, as libvirt writes them."""


class _Place:
    """Where lines are added.

    Args:
        offset: of the place.
        near: an offset near which the quotes are looked at.
        leads: what the lines begin with.
    """

    __slots__ = ("leads", "lines", "near", "offset")

    def __init__(self, offset: int, near: int, leads: Leads) -> None:
        self.offset = offset
        self.near = near
        self.leads = leads
        self.lines: list[str] = []


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
        splices = [*writer.inside(fresh), *writer.beside(guest, fresh, rules)]
    except _OtherLayoutError:
        return None
    splices.sort(key=itemgetter(0))
    return spliced(outline.text, 0, len(outline.text), splices)


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
            self.around = self._indent(outline.begin - len("<devices>"))
            self.indent = self._indent(first)
            self.step = self.indent.removeprefix(self.around)
            if not self.step and (self.indent or "\n " in text or "\n\t" in text):
                raise _OtherLayoutError

    # devices that are there

    def inside(self, fresh: Fresh) -> list[Splice]:
        """Return what puts the addresses into the devices that are there."""
        ends, text, quotes = self.outline.ends, self.text, self.source
        usual_begin = usual_end = None
        splices: list[Splice] = []
        for key, packed in fresh.places.items():
            if not isinstance(key, int):
                if key.origin is None:
                    continue
                key = key.origin.number
            (before, end), tag, begins, blanks = ends[key]
            line = f"<address type='pci' {BUSES[packed >> 8]} {PLACES[packed & 0xFF]}/>"
            if quotes:
                line = line.replace("'", self._quote(text.index("<", before)))
            if begins is None or blanks is None:
                splices.append(self._opened(before, end, tag, line))
                continue
            end -= len(tag) + len(blanks) + 3
            if begins != usual_begin or blanks != usual_end:
                self._check(before, end, begins, blanks)
                if begins:
                    usual_begin, usual_end = begins, blanks
            splices.append((end, end, begins + line))
        return splices

    def _check(self, before: int, end: int, begins: str, blanks: str) -> None:
        """Refuse a layout in which a line at the end of a device is not written like the first one."""
        if begins or blanks:
            usual = begins[:1] == "\n" == blanks[:1] and not begins[1:].strip(" \t") and not blanks[1:].strip(" \t")
        else:
            start = self.text.index("<", before)
            usual = "\n" not in self.text[start:end] and self.text.rindex("<", 0, end) > start
        if not usual:
            raise _OtherLayoutError

    def _opened(self, before: int, end: int, tag: str, line: str) -> Splice:
        """Return what makes ``<a/>`` an element with a line in it."""
        start = self.text.index("<", before)
        head = self.text[start : end - 2]
        stripped = head.rstrip()
        if "\n" in head[len(stripped) :]:
            raise _OtherLayoutError
        blanks = self.text[before:start]
        start += len(stripped)
        if "\n" not in blanks:
            return start, end, f">{line}</{tag}>"
        own = blanks[blanks.rindex("\n") :]
        return start, end, f">{own}{self._deeper(own[1:])}{line}{own}</{tag}>"

    # what is added

    def beside(self, guest: Guest, fresh: Fresh, rules: Libvirt) -> list[Splice]:
        """Return what puts the controllers and devices there that libvirt adds."""
        places = fresh.places
        last = root = -1  # the numbers of the last controller that is listed, and of the root bus
        for controller in guest.controllers:
            if controller.origin is not None:
                last = max(last, controller.origin.number)
                if controller.type == "pci":
                    root = controller.origin.number
        end = self._end()
        others = self._after(last) if last >= 0 else end
        pci = self._after(root) if root >= 0 else others
        for controller in guest.controllers:
            if controller.type == "pci":
                if controller.origin is None:
                    pci.lines.append(controller_lines(controller, None, None, pci.leads))
                if rules.sorts_added_controllers:
                    _add_bridges(fresh, pci)
            elif controller.origin is None and controller in places:
                others.lines.append(controller_lines(controller, places[controller], None, others.leads))
        if not rules.sorts_added_controllers:
            _add_bridges(fresh, pci)
        for element, row in guest.devices.items():
            if element == "video":
                numbers = [device.origin.number for device in row if device.origin is not None]
                if numbers != sorted(numbers):
                    raise _OtherLayoutError  # the primary one is moved
            for device in row:
                if device.origin is None and device in places:
                    end.lines.append(device_lines(device, places[device], None, end.leads))
        return [self._added(place) for place in dict.fromkeys((pci, others, end)) if place.lines]

    def _after(self, number: int) -> _Place:
        """Return the place after a device that is there."""
        (before, offset), _, begins, _ = self.outline.ends[number]
        start = self.text.index("<", before)
        if self.one_line:
            return _Place(offset, start, ("", ""))
        outer = "\n" + self._indent(start)
        if begins or self.text[offset] != "\n":
            raise _OtherLayoutError
        return _Place(offset, start, (outer, outer + self._deeper(outer[1:])))

    def _end(self) -> _Place:
        """Return the place at the end of ``<devices>``."""
        outline = self.outline
        offset, near = self.text.rindex(">", 0, outline.end) + 1, outline.begin - len("<devices>")
        if self.one_line:
            return _Place(offset, near, ("", ""))
        if self.text[offset] != "\n":
            raise _OtherLayoutError
        outer = "\n" + self.indent
        return _Place(offset, near, (outer, outer + self.step))

    def _added(self, place: _Place) -> Splice:
        text = "".join(place.lines)
        if self.source:
            text = text.replace("'", self._quote(place.near))
        return place.offset, place.offset, text

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


def _add_bridges(fresh: Fresh, place: _Place) -> None:
    """Add the PCI controllers of a fresh guest."""
    outer, inner = place.leads
    last = max([packed for model, packed in fresh.bridges if model == ROOT_PORT], default=0)
    for index, (model, packed) in enumerate(fresh.bridges, 1):
        if model == ROOT_PORT:
            shared = "" if packed & MAX_FUNCTION or packed == last else " multifunction='on'"
            place.lines.append(
                f"{outer}<controller type='pci' index='{index}' model='pcie-root-port'>"
                f"{inner}<model name='pcie-root-port'/>{inner}<target chassis='{index}' port='{_PORTS[packed]}'/>"
                f"{inner}<address type='pci' domain='0x0000' bus='0x00' {PLACES[packed]}{shared}/>{outer}</controller>"
            )
        else:
            (name,) = PCI_CONTROLLERS[model].model_names
            target = {"chassisNr": index} if model == "pci-bridge" else {}
            bridge = Controller("controller", "", model, index=index, target=target, model_name=name)
            place.lines.append(controller_lines(bridge, packed, None, place.leads))
