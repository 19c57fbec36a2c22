"""The arithmetic of growth: which buses libvirt's trial pass adds, and which budgets that takes.

libvirt adds a bus whenever a device finds no slot (libvirt rule 6.6).  Counted over a whole guest that is arithmetic,
and this module is the only place where it is written down; the passes themselves, which go device by device, are the
reference that the tests hold it against.

Let a plug be conventional (C), PCI Express (E) or a root port, and compare the places that are looked for with those
that are free before anything is placed:

    conventional   Every pci-bridge brings 31 slots.  Where no bus accepts a pci-bridge, the first growth is a root port
                   with a pcie-to-pci-bridge behind it.  The bridges need slots themselves, of those that are left over
                   behind the devices: this is why some counts are refused although higher ones fit.
    PCI Express    Every device without a free port brings one.  So does the spare port, if anything was added and no
                   port is left over.
    root ports     All new ports need a function of bus 0: 8 for each empty slot, and those left in slots that root
                   ports share already.
    bus 0          Integrated devices need a slot there, which the conventional devices placed before them take first.
    numbers        The highest controller index is 255.

On pseries the lack of conventional slots brings host bridges, which need no slot; there may be 31 in all.

Every number here is an `int`, or an array of integers with one element for each guest: the same lines serve one guest
and a fleet.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import MAX_INDEX, MOST_HOST_BRIDGES, PCI_CONTROLLERS

Count: TypeAlias = Any
"""An ``int``, or an array of integers."""

BRIDGE_SLOTS = PCI_CONTROLLERS["pci-bridge"].slot_count
"""Slots that a pci-bridge, a pcie-to-pci-bridge or another host bridge brings."""

BRIDGE_BUDGET = "slots for pci-bridges"
PORT_BUDGET = "places for root ports"
ROOT_BUDGET = "slots of bus 0"
HOST_BRIDGE_BUDGET = "host bridges"
NUMBER_BUDGET = "bus numbers"


class Demand(NamedTuple):
    """What a guest looks for, and what is free before anything is placed.

    Every explicit address, and every place of the chipset, is taken already.
    """

    conventional: Count
    """Slots looked for by conventional devices, pci-bridges, expanders, and the device that libvirt imagines."""
    express: Count
    """Ports looked for by PCI Express devices, pcie-to-pci-bridges and switches."""
    integrated: Count
    """Devices that have to sit on bus 0."""
    before_integrated: Count
    """Conventional slots that are looked for before the first of them."""
    free_conventional: Count
    """Free slots that automatic placement gives to conventional devices."""
    free_bridge: Count
    """Free slots that it gives to pci-bridges only."""
    free_express: Count
    """Free ports."""
    free_port: Count
    """Functions of bus 0, or of expanders, that are left for root ports."""
    free_root: Count
    """Free slots of bus 0."""
    buses: Count
    """Buses that are there, whether or not a controller is listed for them."""
    ports: Count = 0
    """Root ports that still have to be placed, those of buses without a controller among them."""
    bridges: Count = 0
    """Buses of pci-bridges without a controller, which look for their place last."""
    without_parent: Count = 0
    """Listed pci-bridges that find no slot on any bus but their own."""
    host_bridges: int = 0
    """Host bridges that are there; 0 on a machine with one root bus."""
    takes_bridges: bool = True
    """Whether a bus accepts a pci-bridge."""
    express_root: bool = False
    """Whether bus 0 is PCI Express."""
    spare: bool = False
    """Whether growth brings a spare port: no PCI controller but the root is listed."""

    @property
    def has_parent(self) -> Count:
        """Return whether a pci-bridge finds a slot on a bus that is there (on its own bus libvirt refuses it)."""
        return self.free_conventional + self.free_bridge > 0

    def with_more(self, plug: int, count: Count) -> Demand:
        """Return the demand with more devices of a plug.

        Args:
            plug: conventional or PCI Express, in the guest's own terms, and not integrated.
            count: how many (from 0).
        """
        if plug == c.CONVENTIONAL:
            return self._replace(
                conventional=self.conventional + count, before_integrated=self.before_integrated + count
            )
        return self._replace(express=self.express + count) if plug == c.EXPRESS else self

    def with_controllers(self, models: Iterable[str]) -> Demand:
        """Return the demand with more PCI controllers in the definition.

        Args:
            models: libvirt's names of them.
        """
        demand = self
        for model in models:
            row = PCI_CONTROLLERS[model]
            socket = row.automatic_socket
            conventional = row.plug == c.PCI_BRIDGE
            demand = demand._replace(
                conventional=demand.conventional + conventional,
                before_integrated=demand.before_integrated + conventional,
                express=demand.express + (row.plug in (c.EXPRESS_TO_PCI_BRIDGE, c.UPSTREAM_PORT)),
                ports=demand.ports + (row.plug == c.ROOT_PORT),
                without_parent=demand.without_parent + (conventional and not demand.has_parent),
                buses=demand.buses + 1,
                takes_bridges=demand.takes_bridges or bool(socket & c.PCI_BRIDGE),
                free_conventional=demand.free_conventional + row.slot_count * bool(socket & c.CONVENTIONAL),
                free_express=demand.free_express + row.slot_count * bool(socket & c.EXPRESS),
                spare=False,
            )
        return demand

    def fits_with(self, models: Iterable[str]) -> bool:
        """Return whether no budget runs out with more PCI controllers in the definition."""
        return bool(growth(self.with_controllers(models)).fits)


class Budget(NamedTuple):
    """Something of which there is only so much: how much of it is needed, and available."""

    name: str
    needed: Count
    available: Count

    @property
    def short(self) -> Count:
        """Return how much of it is missing; negative where some is left."""
        return self.needed - self.available

    def __str__(self) -> str:
        return f"{self.name}: {self.needed} needed, {self.available} available, short by {self.short}"

    def to_json(self) -> dict[str, str | int]:
        """Return it as plain data."""
        return {"budget": self.name, "needed": self.needed, "available": self.available, "short": self.short}


class Growth(NamedTuple):
    """What the trial pass adds, and the budgets of it."""

    ports: Count
    """Root ports, the spare port and the one before a pcie-to-pci-bridge included."""
    to_pci: Count
    """pcie-to-pci-bridges: 0 or 1."""
    bridges: Count
    """pci-bridges."""
    hosts: Count
    """Host bridges."""
    budgets: tuple[Budget, ...]

    @property
    def fits(self) -> Count:
        """Return whether every budget suffices, as the trial pass sees it."""
        fits: Count = True
        for _, needed, available in self.budgets:
            fits = fits & (needed <= available)
        return fits

    def by_model(self, conventional: str) -> tuple[tuple[str, Count], ...]:
        """Return how many buses of each model are added.

        Args:
            conventional: the model that the machine grows by for conventional devices.
        """
        return (
            ("pcie-root-port", self.ports),
            ("pcie-to-pci-bridge", self.to_pci),
            (conventional, self.bridges + self.hosts),
        )

    def budget(self, name: str) -> Budget:
        """Return the budget of a name."""
        return next(budget for budget in self.budgets if budget.name == name)

    @property
    def exceeded(self) -> tuple[Budget, ...]:
        """Return the budgets that run out, for one guest."""
        return tuple(budget for budget in self.budgets if budget.short > 0)


def growth(demand: Demand) -> Growth:
    """Return what libvirt's trial pass adds for a demand (libvirt rules 6.3 to 6.6)."""
    d = demand
    lack = d.conventional + (0 if d.express_root else d.integrated) - d.free_conventional
    grows = (lack > 0) * 1
    to_pci = bridges = hosts = 0 * lack
    rest = lack
    if d.host_bridges:
        hosts = _ceil_div(_positive(lack), BRIDGE_SLOTS)
    else:
        to_pci = grows * (1 - d.takes_bridges)
        rest = lack - BRIDGE_SLOTS * to_pci
        bridges = _ceil_div(_positive(rest), BRIDGE_SLOTS)
    without_parent = d.without_parent + bridges * (1 - to_pci) * (1 - d.has_parent)
    left = d.free_bridge + (bridges + hosts) * BRIDGE_SLOTS - rest

    missing = d.express - d.free_express
    ports = _positive(missing) + to_pci
    ports = ports + d.spare * (missing >= 0) * ((ports + bridges > 0) | (d.buses > 1))

    some = (without_parent > 0) * 1
    on_root = 0 * lack
    if not d.express_root:  # the real pass places the new bridges first; the device that it imagines is no more then
        on_root = (d.integrated > 0) * (d.before_integrated + d.integrated + _positive(bridges - 1))
    return Growth(
        ports,
        to_pci,
        bridges,
        hosts,
        (
            Budget(BRIDGE_BUDGET, some * without_parent + (1 - some) * (d.bridges + bridges), (1 - some) * left),
            Budget(PORT_BUDGET, d.ports + ports, d.free_port),
            Budget(ROOT_BUDGET, on_root, d.free_root),
            Budget(HOST_BRIDGE_BUDGET, d.host_bridges + hosts, MOST_HOST_BRIDGES),
            Budget(NUMBER_BUDGET, d.buses + ports + to_pci + bridges + hosts, MAX_INDEX + 1),
        ),
    )


def most_more(demand: Demand, plug: int) -> Count:
    """Return how many more devices of a plug fit at most, beyond the counts below it that are refused.

    A PCI Express device beyond the free ports costs a port and a number.  For conventional ones, with b bridges added
    of which all but the last are full, the lack of slots is above 31 (b - 1); and as each of the bridges needs a slot
    too, it is at most 30 b and what is left for bridges elsewhere.  So b is at most 30 and that.

    Args:
        demand: as it is without them.
        plug: conventional or PCI Express, and not integrated.

    Returns:
        The count; negative where none fits.
    """
    d = demand
    if plug == c.EXPRESS:
        least = _positive(d.free_express - d.express)
        grown = growth(d.with_more(plug, least))
        more = least + _smaller(-grown.budget(PORT_BUDGET).short, -grown.budget(NUMBER_BUDGET).short)
    else:
        least = d.free_conventional - d.conventional - (0 if d.express_root else d.integrated)
        grown = growth(d.with_more(plug, 1 + _positive(least)))
        numbers = -grown.budget(NUMBER_BUDGET).short
        for_bridges = d.free_bridge - d.bridges
        if d.host_bridges:
            hosts = _smaller(grown.hosts + numbers, MOST_HOST_BRIDGES - d.host_bridges)
            more = least + BRIDGE_SLOTS * hosts
        else:
            bridges = _smaller(grown.bridges + numbers, BRIDGE_SLOTS - 1 + for_bridges)
            behind = (BRIDGE_SLOTS - 1) * bridges + _smaller(for_bridges, bridges)
            more = least + BRIDGE_SLOTS * grown.to_pci + behind
        if not d.express_root:
            more = _where(d.integrated > 0, _smaller(more, d.free_root - d.before_integrated - d.integrated), more)
    return _where(_fits(d, plug, more), more, _where(_fits(d, plug, least), least, -1))


def _fits(demand: Demand, plug: int, more: Count) -> Count:
    return (more >= 0) & growth(demand.with_more(plug, more)).fits


def _positive(count: Count) -> Count:
    return count * (count > 0)


def _smaller(one: Count, other: Count) -> Count:
    return one - _positive(one - other)


def _where(condition: Count, yes: Count, no: Count) -> Count:
    return condition * yes + (1 - condition * 1) * no


def _ceil_div(count: Count, divisor: int) -> Count:
    return -(-count // divisor)
