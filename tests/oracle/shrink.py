"""Make a domain smaller while it keeps a property: a small reducer for failing guests."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator

Property = Callable[[str], bool]


def shrink(xml: str, holds: Property) -> str:
    """Return a smaller domain of which `holds` is still true.

    Removes children of `<devices>` in ever smaller runs, then children of the domain, then
    what is inside the devices, and begins anew until nothing more can go.
    """
    root = ET.fromstring(xml)
    while _pass(root, holds):
        pass
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")


def _pass(root: ET.Element, holds: Property) -> bool:
    """Try every removal once; return whether anything went."""
    shorter = False
    for parent in _parents(root):
        size = max(1, len(parent) // 2)
        while size:
            shorter |= _remove_runs(root, parent, size, holds)
            size //= 2
    return shorter


def _parents(root: ET.Element) -> Iterator[ET.Element]:
    """Yield the elements whose children may be removed, the most promising first."""
    devices = root.find("devices")
    if devices is not None:
        yield devices
    yield root
    if devices is not None:
        yield from devices


def _remove_runs(root: ET.Element, parent: ET.Element, size: int, holds: Property) -> bool:
    """Remove runs of `size` children wherever the property survives it."""
    shorter = False
    start = 0
    while start < len(parent):
        run = list(parent)[start : start + size]
        for child in run:
            parent.remove(child)
        if holds(ET.tostring(root, encoding="unicode")):
            shorter = True
            continue
        for offset, child in enumerate(run):
            parent.insert(start + offset, child)
        start += size
    return shorter
