"""Policies: each places a whole guest, `place(guest) -> Placement`."""

from __future__ import annotations

from typing import NamedTuple

from pcisim.address import pack
from pcisim.catalogue.x86_machines import PREFERRED, Place
from pcisim.guest import Controller, Device, Guest
from pcisim.topology import SearchStep, Topology

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object


class PlacementStep(NamedTuple):
    """How one device got its place: a remark, or the buses that were looked at."""

    remark: str
    looks: tuple[SearchStep, ...] = ()


class Placement:
    """A placed guest: what a policy returns.

    Args:
        guest: the guest with the controllers that were added.
        topology: every bus and who sits on it.
        addresses: the packed address of every device and controller that has a PCI address.
        multifunction: ``on`` or ``off`` for those that carry the attribute.
        added: the controllers that the policy added.
        rewritten: the explicit addresses that had to change, with the old one.
        log: how each device got its place, when the policy was asked to log.
        zpci: uid and fid of each device in `addresses` that has them, on s390.
        overwritten: the devices whose address, with its zPCI numbers, has given way to a place of the machine.
    """

    __slots__ = ("added", "addresses", "guest", "log", "multifunction", "overwritten", "rewritten", "topology", "zpci")

    def __init__(
        self,
        guest: Guest,
        topology: Topology,
        addresses: dict[Device, int],
        multifunction: dict[Device, str],
        added: list[Controller],
        rewritten: dict[Device, int],
        log: dict[Device, list[PlacementStep]],
        zpci: dict[Device, tuple[int, int]] | None = None,
        overwritten: frozenset[Device] = frozenset(),
    ) -> None:
        self.guest = guest
        self.topology = topology
        self.addresses = addresses
        self.multifunction = multifunction
        self.added = added
        self.rewritten = rewritten
        self.log = log
        self.zpci = zpci or {}
        self.overwritten = overwritten

    def __repr__(self) -> str:
        return f"<Placement {self.guest.machine_name}: {len(self.addresses)} addresses, {len(self.added)} added>"

    @property
    def claims(self) -> list[tuple[int, Place]]:
        """Return the packed addresses of bus 0 that nothing holds and somebody has a claim on, in ascending order.

        The machine's own functions are taken all the same (``built-in``), those of chipset controllers
        that the definition lacks should be left alone (``reserved``), and an empty slot may be the one
        that a kind of device takes first (``preferred``).
        """
        if not self.topology.buses:
            return []
        bus, machine = self.topology.buses[0], self.guest.machine
        open_places = (
            (pack(0, place.slot, place.function), place)
            for place in (*machine.places, *machine.preferred)
            if not bus.functions(place.slot) & (0xFF if place.kind == PREFERRED else 1 << place.function)
        )
        return sorted(open_places, key=lambda claim: claim[0])


class Policy(Protocol):
    """What places guests."""

    def place(self, guest: Guest, *, log: bool = False) -> Placement:
        """Place a completed guest as a whole."""

    def describe(self) -> str:
        """Say in one line what the policy does."""
