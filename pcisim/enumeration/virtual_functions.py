"""SR-IOV: the functions that QEMU holds for the virtual ones of a card, on and off.

libvirt knows nothing of them.  Behind a port they are in nobody's way, unless two cards share its slot.

Source: verified against libvirt 11.3.0 with QEMU 10.0, on guests that start and on guests that run (2026-11-23).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pcisim.address import MAX_FUNCTION
from pcisim.guest import Device
from pcisim.topology import Holder, Topology, bits

VIRTUAL_FUNCTIONS: Mapping[str, range] = MappingProxyType({"igb": range(128, 128 + 2 * 8, 2)})
"""For each model with SR-IOV how far above a card's own function its virtual ones lie."""

_BUS = 0xFF


def virtual_functions(holder: Holder, packed: int) -> range:
    """Return the packed addresses of the virtual functions of what sits at an address; empty where it has none."""
    offsets = VIRTUAL_FUNCTIONS.get(holder.model, range(0)) if isinstance(holder, Device) else range(0)
    return range(packed + offsets.start, packed + offsets.stop, offsets.step)


def overflows(holder: Holder, packed: int) -> bool:
    """Return whether virtual functions would be above 1f.7: "VF addr overflows"."""
    return any(virtual >> 8 != packed >> 8 for virtual in virtual_functions(holder, packed))


def in_the_way(holder: Holder, packed: int, topology: Topology) -> Iterator[tuple[int, Holder]]:
    """Yield who else on the bus meets a device that comes after all of them, by their virtual functions or its own.

    A virtual function at function 0 of a slot is alone there for whoever comes later; QEMU does not mind who was
    beside it before.

    Args:
        holder: the device.
        packed: where it sits, or is to sit.
        topology: who sits where.
    """
    mine = virtual_functions(holder, packed)
    for other, neighbour in _neighbours(holder, packed, topology):
        theirs = virtual_functions(neighbour, other)
        if not mine and not theirs:
            continue
        if packed & ~MAX_FUNCTION in theirs or _collide(holder, packed, neighbour, other):
            yield other, neighbour


def met_at_start(card: Holder, packed: int, topology: Topology) -> Iterator[tuple[int, Holder]]:
    """Yield who else on the bus meets the virtual functions of a card when QEMU starts with all of them.

    Args:
        card: the card.
        packed: where it sits.
        topology: who sits where.
    """
    virtual = virtual_functions(card, packed)
    for other, neighbour in _neighbours(card, packed, topology):
        late = other & ~MAX_FUNCTION in virtual and _order(neighbour) > _order(card)
        if late or _collide(card, packed, neighbour, other):
            yield other, neighbour


def _neighbours(holder: Holder, packed: int, topology: Topology) -> Iterator[tuple[int, Holder]]:
    for function in bits(topology.buses[packed >> 8].used):
        other = packed & ~_BUS | function
        if topology.owners[other] is not holder:
            yield other, topology.owners[other]


def _collide(one: Holder, packed: int, other: Holder, at: int) -> bool:
    """Return whether two devices want the same function, for themselves or for a virtual one."""
    mine, theirs = virtual_functions(one, packed), virtual_functions(other, at)
    return packed in theirs or at in mine or not set(mine).isdisjoint(theirs)


_BEFORE_INTERFACES = ("iommu", "memory", "controller", "disk", "filesystem")
"""Elements that libvirt puts on QEMU's command line before any interface."""


def _order(holder: Holder) -> tuple[int, int]:
    """Return where a device stands on libvirt's command line, as seen from the interfaces."""
    if not isinstance(holder, Device) or holder.element in _BEFORE_INTERFACES:
        return 0, 0
    number = holder.label.rpartition(":")[2]
    return (1, int(number)) if holder.element == "interface" and number.isdecimal() else (2, 0)
