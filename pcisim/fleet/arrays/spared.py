"""The closed form of `hotplug`: libvirt's own places, and what is appended for the spares that are asked for.

Nothing that libvirt places moves.  Appended are, in this order, each at the first place that libvirt gives it:

    conventional slots    where none is left, a pcie-to-pci-bridge on q35, on the empty port or on one of its own;
                          then pci-bridges, each of which takes a slot and brings 31
    ports                 until there are as many as are asked for, in all, empty and beyond those in use

Source: libvirt rules 6.3 and 6.4; `tests/fleet/test_policies.py` compares it with `pcisim.spares`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pcisim.address import FUNCTIONS
from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import MAX_INDEX
from pcisim.catalogue.devices import DeviceModel
from pcisim.catalogue.x86_machines import Machine
from pcisim.fleet.arrays.closed_form import Bools, Form, Ints
from pcisim.fleet.arrays.owners import CODES
from pcisim.fleet.arrays.runs import Run, Runs, pc_runs, pc_start, port_start, q35_runs
from pcisim.libvirt.growth import BRIDGE_SLOTS, Demand, growth
from pcisim.spares.policy import Spares

_PORT, _TO_PCI, _BRIDGE = CODES["pcie-root-port"], CODES["pcie-to-pci-bridge"], CODES["pci-bridge"]
_EACH = BRIDGE_SLOTS - 1
"""Slots that a pci-bridge adds: it takes one itself."""
_MOST = MAX_INDEX + 1


class Appended(NamedTuple):
    """What is appended to guests that libvirt has placed, and whether there is room for it."""

    port: Ints
    """Whether a pcie-to-pci-bridge needs a port of its own."""
    to_pci: Ints
    bridges: Ints
    ports: Ints
    """Ports beside it."""
    empty: Ints
    """Empty ports in the end."""
    slots: Ints
    """Empty conventional slots in the end, on pc those of bus 0 too."""
    short: Ints
    """How many numbers, or places for ports, are missing; none where it is not positive."""
    blocked: Bools
    """Whether a bridge finds no slot at all."""

    @property
    def fits(self) -> Bools:
        """Return whether there is room for all of it."""
        fits: Bools = (self.short <= 0) & ~self.blocked
        return fits

    @property
    def total(self) -> Ints:
        """Return how many controllers are appended."""
        total: Ints = self.port + self.to_pci + self.bridges + self.ports
        return total


class SparedForm(Form):
    """The closed form of guests with spares.

    Args:
        machine: one of the families.
        devices: the rows of the columns.
        counts: how many of each, as for `Form`.
        types: the order of the types of controllers.
        spares: what is asked for.
    """

    def __init__(
        self,
        machine: Machine,
        devices: Sequence[DeviceModel],
        counts: Ints,
        types: Sequence[str] | None = None,
        *,
        spares: Spares,
    ) -> None:
        self.spares = spares
        super().__init__(machine, devices, counts, types)

    def _grow(self) -> None:
        super()._grow()
        if not self.machine.express and (self.spares.total or self.spares.extra):
            self.fits = np.zeros_like(self.fits)  # there are no ports to count
        self.grown_buses = self.buses
        self.appended = made = self._appended(self.demand)
        self.fits = self.fits & made.fits
        self.buses = self.buses + made.total
        self.ports = self.ports + made.port + made.ports
        if self.machine.express:
            root = self.root - -(-self.ports // FUNCTIONS)
            self.free_cold = (root + made.empty, made.slots.copy())
            self.free_hot = (made.empty.copy(), made.slots.copy())
        else:
            self.free_cold = self.free_hot = (self.none.copy(), made.slots.copy())

    def _appended(self, demand: Demand) -> Appended:
        """Return what is appended where libvirt finds a demand."""
        asked, grown = self.spares, growth(demand)
        if not self.machine.express:
            wanted = asked.spare + asked.pci_spare
            # the device that libvirt imagines takes no slot in the end
            slots = BRIDGE_SLOTS * grown.bridges + demand.free_conventional - demand.conventional - demand.integrated
            slots = slots + 1 - grown.bridges
            bridges = _over(wanted - slots, _EACH)
            short = 1 + grown.bridges + bridges - _MOST
            end = slots + _EACH * bridges
            return Appended(
                self.none, self.none, bridges, self.none, self.none, end, short, (bridges > 0) & (slots < 1)
            )
        slots = BRIDGE_SLOTS * (grown.to_pci + grown.bridges) - demand.conventional - grown.bridges
        empty = grown.ports - grown.to_pci - demand.express
        to_pci = ((slots < asked.pci_spare) & (slots < 1)).astype(np.int32)
        port = to_pci * (empty < 1)
        empty = empty - (to_pci - port)
        slots = slots + BRIDGE_SLOTS * to_pci
        bridges = _over(asked.pci_spare - slots, _EACH)
        had = grown.ports + port
        wanted_ports = np.maximum(asked.total, had - empty + asked.extra)
        ports = np.maximum(np.maximum(wanted_ports - had, asked.spare - empty), 0)
        numbers = 1 + had + grown.to_pci + grown.bridges + to_pci + bridges + ports - _MOST
        places = had + ports - FUNCTIONS * self.root
        short = np.maximum(numbers, places)
        slots = slots + _EACH * bridges
        return Appended(port, to_pci, bridges, ports, empty + ports, slots, short, np.zeros(self.guests, np.bool_))

    def room(self, plug: int) -> Ints:
        """Return how many more devices fit at most that leave the spares; -1 where not even these do.

        Args:
            plug: what they need from a bus.
        """
        more = super().room(plug)
        if self.machine.express and plug & c.INTEGRATED:
            return more
        if not self.machine.express and (self.spares.total or self.spares.extra):
            more[:] = -1
        least = 1 if plug & c.EXPRESS else _EACH
        while True:
            demand = self.demand.with_more(plug, np.maximum(more, 0))
            made = self._appended(demand)
            bad = (more >= 0) & ~(made.fits & growth(demand).fits)
            if not bad.any():
                return more
            # so many fewer devices take a number or a place less at most
            step = np.maximum((np.maximum(made.short, 1) - 1) * least, 1)
            more = np.where(bad, np.maximum(more - step, -1), more)

    @property
    def layout(self) -> Ints:
        """Return a number for each guest; those with the same one have their places in the same pattern."""
        if not self.machine.express:
            return self.none
        made = self.appended
        number: Ints = ((self.bridges * 2 + (self.conventional > 0)) * 2 + made.to_pci) * _MOST + made.bridges
        return number


def spared_runs(form: Form) -> Runs:
    """Return the addresses of guests with spares, in the order of `Plan.addresses`.

    All guests must fit and have the same `layout`.
    """
    assert isinstance(form, SparedForm)
    made = form.appended
    first = form.grown_buses
    if not form.machine.express:
        return pc_runs(form, [(_BRIDGE, made.bridges, pc_start(form) + form.conventional)])
    new_bus = first + made.port  # of the pcie-to-pci-bridge
    first_bridge = new_bus + made.to_pci
    buses = [first_bridge + n for n in range(int(made.bridges[0]))]
    if made.to_pci[0]:
        buses.insert(0, new_bus)

    def appended(express: int, conventional: Ints) -> list[Run]:
        # an empty port of libvirt's is the last of its buses, and one that comes the next
        return [
            *_port_runs(form, form.grown_ports, made.port),
            (_TO_PCI, made.to_pci, express + first - 2 + made.port),
            (_BRIDGE, made.bridges, conventional + form.bridges + form.conventional),
            *_port_runs(form, form.grown_ports + made.port, made.ports),
        ]

    return q35_runs(form, int(form.bridges[0]), buses, appended)


def _port_runs(form: SparedForm, first: Ints, count: Ints) -> list[Run]:
    """Return where ports are: in the slot that others share, then behind what is on bus 0."""
    shared = FUNCTIONS * form.port_slots
    beside = np.clip(shared - first, 0, count)
    behind = port_start(form) + np.maximum(first, shared) + FUNCTIONS * form.integrated
    return [(_PORT, beside, port_start(form) + first), (_PORT, count - beside, behind)]


def _over(count: Ints, divisor: int) -> Ints:
    """Return how many of a size it takes for a count, none for less than one."""
    return np.maximum(-(-count // divisor), 0)
