"""How much RAM a definition gives its guest.

No place depends on it, so that it is read only when a firmware is simulated, and what cannot be read says nothing.

Source: firmware rule 3.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pcisim.address import parse_number
from pcisim.formats.xml.document import Document, Element
from pcisim.guest import NO_RAM, Ram

_POWERS: Mapping[str, int] = MappingProxyType({"k": 1, "m": 2, "g": 3, "t": 4, "p": 5, "e": 6})
_BYTES = ("b", "byte", "bytes")
_MIB = 1 << 20
_MOST = (1 << 64) - 1


def ram_of(document: Document) -> Ram:
    """Return how much RAM a domain has: that of its NUMA nodes, else ``<memory>`` without the plugged modules.

    Args:
        document: the domain.
    """
    root = document.root
    cells = [cell for cpu in root.findall("cpu") for numa in cpu.findall("numa") for cell in numa.findall("cell")]
    size = sum([_bytes(cell.attrib.get("memory", ""), cell) for cell in cells])
    if not size:
        modules = [module for devices in root.findall("devices") for module in devices.findall("memory")]
        sizes = [target.find("size") for module in modules for target in module.findall("target")]
        size = _said(root.find("memory")) - sum([_said(element) for element in sizes])
    if size <= 0:
        return NO_RAM
    most = root.find("maxMemory")
    slots = parse_number(most.attrib.get("slots", "0")) if most is not None else 0
    return Ram(-(-size // _MIB) * _MIB, -(-_said(most) // _MIB) * _MIB, slots or 0)


def _said(element: Element | None) -> int:
    return 0 if element is None else _bytes(element.text or "", element)


def _bytes(text: str, element: Element) -> int:
    """Return a number of bytes in the unit that an element says, by default KiB; 0 for what is none."""
    number = parse_number(text.strip(), limit=_MOST) or 0
    unit = (element.attrib.get("unit") or "KiB").lower()
    if unit in _BYTES:
        return number
    if unit[0] not in _POWERS or unit[1:] not in ("", "b", "ib"):
        return 0
    return int(number * (1000 if unit[1:] == "b" else 1024) ** _POWERS[unit[0]])
