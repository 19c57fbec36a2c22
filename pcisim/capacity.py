"""How much room is left."""

from __future__ import annotations

from pcisim import connector as c
from pcisim._record import record
from pcisim.guest import Controller
from pcisim.topology import Bus, Topology


@record
class Room:
    """Empty slots of the buses that are there, by plug, cold and hot.

    Cold is what an address that somebody writes down may take while the guest is off; hot is
    what a running guest takes.  Both are counted in slots.
    """

    express_cold: int
    conventional_cold: int
    express_hot: int
    conventional_hot: int

    def __str__(self) -> str:
        return (
            f"free slots: cold {self.express_cold} PCI Express + {self.conventional_cold} conventional,"
            f" hot {self.express_hot} PCI Express + {self.conventional_hot} conventional"
        )


def room(topology: Topology) -> Room:
    """Return the empty slots of a topology."""
    switched_off = {
        owner.index
        for owner in topology.owners.values()
        if isinstance(owner, Controller) and owner.type == "pci" and owner.target.get("hotplug") == "off"
    }
    counts = {(kind, hot): 0 for kind in (c.EXPRESS, c.CONVENTIONAL) for hot in (False, True)}
    for bus in topology.buses:
        kind = bus.model.accepts & c.ENDPOINT
        if not kind:
            continue
        free = bus.free.bit_count()
        counts[kind, False] += free
        if is_hot(bus) and bus.index not in switched_off:
            counts[kind, True] += free
    return Room(
        counts[c.EXPRESS, False],
        counts[c.CONVENTIONAL, False],
        counts[c.EXPRESS, True],
        counts[c.CONVENTIONAL, True],
    )


def is_hot(bus: Bus) -> bool:
    """Return whether a kind of bus takes devices while the guest runs."""
    return bus.model.hotplug
