"""SR-IOV: the functions that QEMU holds for the virtual ones of a card, on and off.

libvirt knows nothing of them.  Behind a port they are in nobody's way, unless two cards share its slot.

Source: asked of libvirt 11.3.0 with QEMU 10.0, on guests that start and on guests that run (2026-11-23).
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
    """Yield who else on the bus meets a device, by their virtual functions or its own.

    A virtual function at function 0 of a slot is alone there, as far as QEMU is concerned.

    Args:
        holder: the device.
        packed: where it sits, or is to sit.
        topology: who sits where.
    """
    mine = virtual_functions(holder, packed)
    for function in bits(topology.buses[packed >> 8].used):
        other = packed & ~_BUS | function
        neighbour = topology.owners[other]
        theirs = virtual_functions(neighbour, other)
        if neighbour is not holder and (
            _meets(packed, theirs) or _meets(other, mine) or not set(mine).isdisjoint(theirs)
        ):
            yield other, neighbour


def _meets(packed: int, virtual: range) -> bool:
    return packed in virtual or packed & ~MAX_FUNCTION in virtual
