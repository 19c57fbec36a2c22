"""Disks and CD-ROMs of a definition moved to another bus: from IDE, which q35 does not have, or to it on pc.

A disk keeps its name wherever libvirt finds it a free place by that name; else it gets the first free name of its new
bus.  On virtio-scsi, places are written down, so that names do not matter.

Source: libvirt rules 5.5, 8.3 and 8.6; verified against libvirt 11.3.0 and 12.9.0.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from pcisim.catalogue.devices import DISKS_A_CONTROLLER
from pcisim.catalogue.versions import Libvirt
from pcisim.errors import RefusedError, UsageError
from pcisim.formats.xml.document import Element
from pcisim.formats.xml.editor import Editor, Fragment
from pcisim.guest import Controller, Device, Guest, disk_target, evolved
from pcisim.libvirt.completion import complete
from pcisim.libvirt.drives import drive_of

IDE, SATA, SCSI = "ide", "sata", "virtio-scsi"
FIXES = (SATA, SCSI)
"""Where disks can be moved to that are on IDE."""
_BUS: Mapping[str, str] = MappingProxyType({IDE: "ide", SATA: "sata", SCSI: "scsi"})
_NAMES: Mapping[str, str] = MappingProxyType({IDE: "hd", SATA: "sd"})
"""How the disks on a bus are named."""
_TITLES: Mapping[str, str] = MappingProxyType({"ide": "IDE", "sata": "SATA", "scsi": "SCSI"})


class Move(NamedTuple):
    """What is to be moved, and where to.

    Args:
        source: the bus that is left, ``ide`` or ``sata``.
        target: `IDE`, `SATA` or `SCSI`.
        drops: whether the controllers of the bus that is left go.
    """

    source: str
    target: str
    drops: bool

    def disks(self, guest: Guest) -> list[Device]:
        """Return the disks that move."""
        return [d for d in guest.devices.get("disk", ()) if d.bus == self.source and d.origin is not None]

    def controllers(self, guest: Guest) -> list[Controller]:
        """Return the controllers that go."""
        return [c for c in guest.controllers if c.type == self.source and c.origin is not None] if self.drops else []


def check_fix(fix: str | None) -> None:
    """Refuse a bus that IDE disks are not moved to.

    Raises:
        UsageError: it is neither ``sata`` nor ``virtio-scsi``.
    """
    if fix is not None and fix not in FIXES:
        raise UsageError(f"IDE disks are not moved to {fix!r}", code="usage", remedy=f"name one of {', '.join(FIXES)}")


def move(editor: Editor, guest: Guest, rules: Libvirt, what: Move) -> list[str]:
    """Move disks to another bus, and return in words what was moved.

    Args:
        editor: of the definition.
        guest: as it was read from the definition.
        rules: the version of libvirt.
        what: which disks, and where to.
    """
    disks = what.disks(guest)
    where = _TITLES[_BUS[what.target]]
    if what.target == SCSI and disks:
        index = _free_index(guest)
        where = f"scsi:{index}, a new virtio-scsi controller"
        names = _onto_scsi(editor, guest, rules, what, index)
    else:
        names = _by_name(guest, what, disks)
    words = []
    for disk, name in zip(disks, names):
        target = _target(disk)
        old = target.get("dev") or ""
        editor.set_attribute(target, "bus", _BUS[what.target])
        if name != old:
            editor.set_attribute(target, "dev", name)
        renamed = "" if name == old else f", as {name}"
        words.append(f"{disk.label} from {_TITLES[what.source]} to {where}{renamed}")
        if what.target != SCSI:
            for address in _drives(disk):
                editor.remove(address)
    for controller in what.controllers(guest):
        editor.remove(controller.origin)
    return words


class _Only(NamedTuple):
    """One row: what a disk says that only disks on some buses may say, verified against libvirt 11.3.0 and 12.9.0."""

    element: str
    attribute: str
    """Which of its attributes is meant; "" for the element itself."""
    buses: tuple[str, ...]


_ONLY = (_Only("geometry", "trans", ("ide",)), _Only("wwn", "", ("ide", "scsi")))


def immovable(guest: Guest, what: Move) -> Iterator[tuple[str, str]]:
    """Yield the label of each disk that cannot move, and why.

    Args:
        guest: as it was read from the definition.
        what: which disks are to move, and where to.
    """
    disks = what.disks(guest)
    room = DISKS_A_CONTROLLER["ide"] - sum(d.bus == "ide" for d in guest.devices.get("disk", ()))
    for number, disk in enumerate(disks):
        where = f"{disk.label} (line {disk.line})"
        if what.target == IDE and number >= room:
            yield disk.label, f"{where}: an IDE controller takes {DISKS_A_CONTROLLER['ide']} disks, and pc has one"
        for row in _ONLY:
            found = disk.origin.find(row.element)
            if found is None or _BUS[what.target] in row.buses or (row.attribute and row.attribute not in found.attrib):
                continue
            said = f"{row.attribute}= of <{row.element}>" if row.attribute else f"<{row.element}>"
            allowed = " and ".join(_TITLES[bus] for bus in row.buses)
            yield disk.label, f"{where}: {said} is for disks on {allowed}; take it out"


def _by_name(guest: Guest, what: Move, disks: list[Device]) -> list[str]:
    """Return the name of each disk, by which libvirt finds it a place that no other has."""
    bus = _BUS[what.target]
    each = DISKS_A_CONTROLLER[bus]
    others = [d for d in guest.devices.get("disk", ()) if d not in disks]
    places = {_numbered(drive_of(d), bus, each) for d in others if d.bus == bus}
    names = [_target(d).get("dev") or "" for d in disks]
    used = {d.label.removeprefix("disk:") for d in guest.devices.get("disk", ())}
    limit = each if bus == "ide" else None  # there is one IDE controller
    stay = []
    for disk in disks:
        stays = disk.unit is not None and disk.unit not in places and (limit is None or disk.unit < limit)
        stay.append(stays)
        if stays:
            places.add(disk.unit)
    numbers = (n for n in itertools.count() if n not in places and disk_target(_NAMES[what.target], n) not in used)
    return [name if stays else disk_target(_NAMES[what.target], next(numbers)) for name, stays in zip(names, stay)]


def _numbered(drive: tuple[int, int, int, int] | None, bus: str, each: int) -> int | None:
    """Return the number of a disk by whose name libvirt gives it a place."""
    if drive is None:
        return None
    controller, channel, _, unit = drive
    return controller * each + (channel * 2 + unit if bus == "ide" else unit)


def _onto_scsi(editor: Editor, guest: Guest, rules: Libvirt, what: Move, index: int) -> list[str]:
    """Write the places of disks on a virtio-scsi controller of their own, and return their names, which stay."""
    disks = what.disks(guest)
    for number, disk in enumerate(disks):
        for address in _drives(disk):
            editor.remove(address)
        place = {"controller": str(index), "bus": "0", "target": str(number), "unit": "0"}
        editor.append_child(disk.origin, Fragment("address", {"type": "drive", **place}))
    parent = guest.document.root.find("devices")
    for controller in _without_model(guest, rules, what):
        # or it would take the model of the new one (libvirt rule 13.1)
        if controller.origin is not None:
            editor.set_attribute(controller.origin, "model", controller.model)
        else:
            editor.append_child(parent, _scsi(controller.index or 0, controller.model))
    editor.append_child(parent, _scsi(index, SCSI))
    return [_target(d).get("dev") or "" for d in disks]


def _scsi(index: int, model: str) -> Fragment:
    return Fragment("controller", {"type": "scsi", "index": str(index), "model": model})


def _free_index(guest: Guest) -> int:
    """Return an index that no SCSI controller has, also of those that libvirt numbers or adds."""
    scsi = [c for c in guest.controllers if c.type == "scsi"]
    used: list[int] = [c.index for c in scsi if c.index is not None]
    devices = [*guest.devices.get("disk", ()), *guest.devices.get("hostdev", ())]
    on_scsi = [d for d in devices if d.bus == "scsi"]
    used += [drive[0] for d in on_scsi if (drive := drive_of(d)) is not None]
    unplaced: int = sum(c.index is None for c in scsi) + sum(d.element == "hostdev" for d in on_scsi)
    highest: int = max(used, default=-1)
    return highest + 1 + unplaced


def _without_model(guest: Guest, rules: Libvirt, what: Move) -> list[Controller]:
    """Return the SCSI controllers whose model libvirt fills in, with that model."""
    devices = {**guest.devices, "disk": [d for d in guest.devices.get("disk", ()) if d.bus != what.source]}
    controllers = [c for c in guest.controllers if c.type != what.source]
    try:
        whole = complete(evolved(guest, devices=devices, controllers=controllers), rules)
    except RefusedError:  # said when the result is placed
        return []
    return [c for c in whole.controllers if c.type == "scsi" and (c.origin is None or "@model" in c.defaults)]


def _drives(disk: Device) -> Iterable[Element]:
    element: Element = disk.origin
    return (a for a in element.findall("address") if a.get("type") not in (None, "pci"))


def _target(disk: Device) -> Element:
    target: Element = disk.origin.find("target")
    return target
