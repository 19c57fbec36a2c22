"""The topology as a tree, for people."""

from __future__ import annotations

from typing import Any

from pcisim.address import MAX_FUNCTION, MAX_SLOT, format_packed
from pcisim.capacity.report import room
from pcisim.catalogue.controllers import ROOT_MODELS
from pcisim.catalogue.x86_machines import RESERVED
from pcisim.formats.plain import printable
from pcisim.guest import Controller, Device
from pcisim.placement import Placement
from pcisim.topology import Holder, Owner

BOXES = "├─└│"
"""What the lines are drawn with, where the output can show it."""
LINES = ("├─ ", "└─ ", "│  ", "   ")
ASCII_LINES = ("|- ", "`- ", "|  ", "   ")


def tree(placement: Placement, *, ascii_only: bool = False) -> list[str]:
    """Return the lines of a tree: every bus, every slot's owner, the empty ports, what is free.

    Args:
        placement: a placed guest.
        ascii_only: whether to draw with ASCII characters.
    """
    guest, topology = placement.guest, placement.topology
    lines = [printable(f"{guest.title} ({guest.arch})")]
    if not topology.buses:
        lines.append("no PCI bus")
        return lines
    drawing = _Tree(placement, ASCII_LINES if ascii_only else LINES)
    for bus in topology.buses:
        if bus.index not in drawing.drawn:
            orphan = "" if bus.model.name in ROOT_MODELS else " (hangs on no bus that leads to the root)"
            lines += [f"bus {bus.index:#04x} {bus.model.name}{orphan}", *drawing.children(bus.index)]
    return [*lines, str(room(topology))]


TREE_SCHEMA = "pcisim.tree/1"


def document(placement: Placement) -> dict[str, Any]:
    """Return the topology as plain data.

    Keys: ``schema``, ``name``, ``machine``, ``arch``, ``buses`` (``index``, ``model``, ``parent``: the address of its
    controller, ``free``: whether nothing is on it, ``hotplug``: whether it takes devices while the guest runs,
    ``functions``: ``address``, ``owner``, ``kind``, ``model``, ``bus``: the one behind it), ``free_slots``.
    """
    guest, topology = placement.guest, placement.topology
    drawing = _Tree(placement, LINES)
    parents = {index: packed for packed, index in drawing.below.items()}
    free = room(topology)
    return {
        "schema": TREE_SCHEMA,
        "name": guest.name or None,
        "machine": guest.machine_name,
        "arch": guest.arch,
        "buses": [
            {
                "index": bus.index,
                "model": bus.model.name,
                "parent": format_packed(parents[bus.index]) if bus.index in parents else None,
                "free": not bus.used,
                "hotplug": topology.takes_hotplug(bus),
                "functions": [
                    {
                        "address": format_packed(packed),
                        "owner": owner.label,
                        "kind": owner.owner_kind,
                        "model": (owner.model or None) if isinstance(owner, Device) else None,
                        "bus": drawing.below.get(packed),
                    }
                    for packed, owner in drawing.holders[bus.index]
                ],
            }
            for bus in topology.buses
        ],
        "free_slots": {
            "express": {"cold": free.express_cold, "hot": free.express_hot},
            "conventional": {"cold": free.conventional_cold, "hot": free.conventional_hot},
        },
    }


class _Tree:
    """One drawing.

    Args:
        placement: the placed guest.
        strokes: what to draw a branch, the last one, a line and nothing with.
    """

    def __init__(self, placement: Placement, strokes: tuple[str, str, str, str]) -> None:
        self.strokes = strokes
        self.buses = placement.topology.buses
        self.holders = placement.topology.holders()
        for place in placement.guest.machine.places:
            if not place.slot and self.holders:
                self.holders[0].insert(0, (0, Owner(place.owner, place.kind)))
        self.below = {
            packed: device.index
            for device, packed in placement.addresses.items()
            if isinstance(device, Controller) and device.is_pci and device.index
        }
        self.drawn: set[int] = set()

    def children(self, index: int) -> list[str]:
        """Return the lines below a bus; a stack instead of recursion, since bridges nest deep."""
        lines: list[str] = []
        branch, last_branch, line, blank = self.strokes
        self.drawn.add(index)
        stack = [("", self.holders[index], 0)]
        while stack:
            indent, rows, place = stack.pop()
            if place == len(rows):
                continue
            stack.append((indent, rows, place + 1))
            packed, owner = rows[place]
            last = place + 1 == len(rows)
            text = (
                f"{indent}{last_branch if last else branch}{packed >> 3 & MAX_SLOT:02x}.{packed & MAX_FUNCTION}"
                f" {_holder(owner)}"
            )
            child = self.below.get(packed)
            if child is None or child >= len(self.buses):
                lines.append(text)
            elif child in self.drawn:
                lines.append(f"{text} -> bus {child:#04x} (a circle)")
            else:
                self.drawn.add(child)
                bus = self.buses[child]
                state = "" if bus.used else " [free]" if bus.model.hotplug and _hot(owner) else " [free, no hotplug]"
                lines.append(f"{text} -> bus {child:#04x}{state}")
                stack.append((indent + (blank if last else line), self.holders[child], 0))
        return lines


def _hot(owner: Holder) -> bool:
    return not (isinstance(owner, Controller) and owner.target.get("hotplug") == "off")


def _holder(owner: Holder) -> str:
    if not isinstance(owner, Device):
        return f"{owner.label} ({owner.owner_kind})"
    name = f"{owner.label} {owner.model}".rstrip()
    return printable(name if owner.on_pci else f"{name}, which is not on PCI ({RESERVED})")
