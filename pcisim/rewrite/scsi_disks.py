"""A definition whose virtio disks are on few virtio-scsi controllers: they need no PCI address each.

libvirt alone puts 7 disks on a SCSI controller; with the target written down, 256 share one.

Source: libvirt rules 5.5 and 9; verified against libvirt 11.3.0 and 12.9.0.
"""

from __future__ import annotations

from typing import NamedTuple

from pcisim.catalogue.versions import Libvirt
from pcisim.formats.domain.reader import read
from pcisim.formats.xml.document import Element
from pcisim.formats.xml.editor import Editor, Fragment
from pcisim.guest import Device, disk_target

TARGETS = 256
"""Disks on a virtio-scsi controller that libvirt addresses without a bus or LUN of its own."""
_PCI_ONLY = ("vhostuser", "vhostvdpa")
"""Types of disks that only virtio-blk has."""
_THREADS = frozenset({"iothread", "iothreads"})
_OF_VIRTIO = frozenset({"queues", "queue_size", "event_idx", "ioeventfd", "iommu", "ats", "packed"})
"""Attributes of ``<driver>`` that only virtio-blk has."""


class ScsiDisks(NamedTuple):
    """A definition whose virtio disks have become SCSI disks.

    Args:
        text: the definition, of the kind that came in.
        renamed: the old target of each such disk and its new one.
        kept: the targets of virtio disks that cannot be SCSI disks.
        controllers: how many controllers were added.
    """

    text: str | bytes
    renamed: dict[str, str]
    kept: tuple[str, ...]
    controllers: int


def scsi_disks(text: str | bytes, rules: Libvirt) -> ScsiDisks:
    """Put the virtio disks of a definition on virtio-scsi controllers of their own, with written targets.

    Args:
        text: the definition.
        rules: the version of libvirt.

    Raises:
        InputError: the definition cannot be read.
        RefusedError: it is refused.
    """
    guest = read(text, rules)
    editor = Editor(guest.document)
    disks = [d for d in guest.devices.get("disk", ()) if d.bus == "virtio" and d.origin is not None]
    kept = [d for d in disks if not _may_move(d)]
    moved = [d for d in disks if _may_move(d)]
    names = {_target(d).get("dev") for d in guest.devices.get("disk", ()) if d.origin is not None}
    free = (name for name in (disk_target("sd", n) for n in range(len(names) + len(moved))) if name not in names)
    first = 1 + max([c.index or 0 for c in guest.controllers if c.type == "scsi"], default=-1)
    renamed = {}
    for number, disk in enumerate(moved):
        element, target, name = disk.origin, _target(disk), next(free)
        renamed[target.get("dev") or ""] = name
        editor.set_attribute(target, "dev", name)
        editor.set_attribute(target, "bus", "scsi")
        if element.get("model") is not None:
            editor.remove_attribute(element, "model")
        for address in element.findall("address"):
            editor.remove(address)
        place = {"controller": str(first + number // TARGETS), "bus": "0", "target": str(number % TARGETS), "unit": "0"}
        editor.append_child(element, Fragment("address", {"type": "drive", **place}))
    count = -(-len(moved) // TARGETS)
    parent = guest.document.root.find("devices")
    for index in range(first, first + count):
        editor.append_child(
            parent, Fragment("controller", {"type": "scsi", "index": str(index), "model": "virtio-scsi"})
        )
    return ScsiDisks(editor.apply(), renamed, tuple(_target(d).get("dev") or "" for d in kept), count)


def movable(disks: list[Device]) -> int:
    """Return how many of some disks are virtio disks that could be SCSI disks."""
    return sum(d.bus == "virtio" and _may_move(d) for d in disks)


def _may_move(disk: Device) -> bool:
    if disk.traits.get("shares") in _PCI_ONLY or not _THREADS.isdisjoint(disk.traits):
        return False
    driver = disk.origin.find("driver") if disk.origin is not None else None
    return driver is None or _OF_VIRTIO.isdisjoint(driver.attrib)


def _target(disk: Device) -> Element:
    target: Element = disk.origin.find("target")
    return target
