"""How many more of a device fit, and which counts below the most libvirt refuses.

libvirt's answer is not monotonic: its trial pass places devices first and bridges last, so that a count is
refused when the bridges that it needs find no room behind the devices, and a higher one, with one bridge
more, is accepted.  The closed form below counts slots; the engine is asked at every edge of it.

The closed form, for the trial pass (rules 6.3 to 6.6).  Let free(X) be the slots that automatic placement finds
for X before anything is placed, and want(X) what it looks for:

    conventional   deficit = want(C) + want(pci-bridge) + want(expander) - free(C); every new bridge brings 31
                   slots.  Where no bus takes a pci-bridge, the first growth is a root port and a
                   pcie-to-pci-bridge behind it.  The new bridges need slots themselves, of those that are left.
    express        every device that finds no port brings one; so does the spare, if anything was added and no
                   port is left.
    root ports     all new ports need functions: 8 for each empty slot, and those left in slots that ports share.
    integrated     these need a slot of bus 0, which the conventional devices that come before them fill first.
    numbers        the highest controller index is 255.

On pseries the deficit brings host bridges, which need no slot; there may be 31.

A bus that no controller gives, in a gap of the indexes or up to an address that is written down, needs a
controller too, which looks for its place at the end, with those of the new buses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy

from pcisim import connector as c
from pcisim._record import record
from pcisim.address import FUNCTIONS
from pcisim.catalogue.controllers import HOST_BRIDGE, MAX_INDEX, MOST_HOST_BRIDGES, PCI_CONTROLLERS
from pcisim.catalogue.devices import PLUGS, plug_on
from pcisim.catalogue.machines import X86
from pcisim.catalogue.versions import Libvirt
from pcisim.completion import complete
from pcisim.errors import RefusedError
from pcisim.guest import Guest, device_model
from pcisim.placement.libvirt import LibvirtPolicy
from pcisim.placement.validation import validate
from pcisim.topology import bits

SPACE = frozenset({"no-more-slots", "no-slot-for-controller", "cannot-grow", "index-range", "bridge-order"})
"""The codes of refusals that say that something does not fit."""

BRIDGE_SLOTS = "slots for pci-bridges"
PORT_PLACES = "places for root ports"
ROOT_SLOTS = "slots of bus 0"
BUS_NUMBERS = "bus numbers"
HOST_BRIDGES = "host bridges"

_BRIDGE_SLOTS = 31
_HIGHEST_COUNT = (MAX_INDEX + 1) * 32


@record
class Short:
    """A budget that runs out.

    Args:
        budget: what it is.
        needed: how much of it is asked for.
        available: how much of it there is.
    """

    budget: str
    needed: int
    available: int

    @property
    def by(self) -> int:
        """Return how much of it is missing."""
        return self.needed - self.available

    def __str__(self) -> str:
        return f"{self.budget}: {self.needed} needed, {self.available} available, short by {self.by}"

    def to_json(self) -> dict[str, str | int]:
        """Return it as plain data."""
        return {"budget": self.budget, "needed": self.needed, "available": self.available, "short": self.by}


@record
class More:
    """How many more of a device fit.

    Args:
        device: the model that was asked about.
        most: the highest count that fits; -1 when the guest does not fit as it is.
        holes: the counts below `most` that are refused, as inclusive ranges.
        reason: why one more than `most` does not fit.
        short: the budgets that run out then, and by how much; empty where it is not for want of room.
    """

    device: str
    most: int
    holes: tuple[tuple[int, int], ...]
    reason: str
    short: tuple[Short, ...] = ()

    def __str__(self) -> str:
        why = "; ".join(map(str, self.short)) or self.reason
        if self.most < 0:
            return f"{self.device}: the guest itself does not fit: {why}"
        text = f"{self.device}: up to {self.most} more fit"
        if self.holes:
            shown = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in self.holes)
            text += f"; refused below that: {shown}"
        return f"{text}; not {self.most + 1}: {why}"


def how_many_more(guest: Guest, device: str, rules: Libvirt) -> More:
    """Return how many more of a device a guest takes, as libvirt places.

    What the guest has without an address is placed together with the new devices.

    Args:
        guest: as it was read or described.
        device: a model, by QEMU's name.
        rules: the version of libvirt.

    Raises:
        UsageError: an unknown device.
        RefusedError: the guest is refused for something else than room, or the device is not on PCI there.
    """
    row = device_model(device)
    if guest.arch not in X86:
        _check_on_pci(guest, device, rules)
    policy = LibvirtPolicy(rules)
    refusals: dict[int, RefusedError | None] = {}

    def refusal(count: int) -> RefusedError | None:
        if count not in refusals:
            refusals[count] = _refusal(guest, device, count, policy)
        return refusals[count]

    first = refusal(0)
    if first is not None and first.code not in SPACE:
        raise first
    for count in (1, 2):
        error = refusal(count)
        if error is not None and error.code not in SPACE:
            # the guest takes one of them, or none, whatever the room
            fitting = [n for n in range(count) if refusal(n) is None]
            most = fitting[-1] if fitting else -1
            return More(device, most, _ranges(n for n in range(most) if refusal(n)), error.headline)
    form = ClosedForm(complete(guest.extended({device: 2}), rules), policy)
    plug = plug_on(PLUGS[row.element].get(row.model, c.EXPRESS), guest.express)
    counts = [n for n in range(3) if refusal(n) is None]
    if not counts and first is not None and not form.short(plug):
        # what is refused then is a controller of the definition, which is placed before any device
        return More(device, -1, (), first.headline)
    for n in range(3, _HIGHEST_COUNT):
        short = form.short(plug, n - 2)
        if not short:
            counts.append(n)
        elif short[-1].budget == BUS_NUMBERS:  # and those are not given back
            break
    most = counts[-1] if counts else -1
    holes = _ranges(_missing(counts))
    edges = {n for a, b in holes for n in (a - 1, a, b, b + 1)} | {most, most + 1, most + 2, 3, 4}
    known = set(counts)
    if any((refusal(n) is None) != (n in known) for n in edges if n >= 0):
        most, holes = _scan(refusal, most + 2 * _BRIDGE_SLOTS)
    error = refusal(most + 1)
    return More(device, most, holes, error.headline if error else "", tuple(form.short(plug, most - 1)))


def _check_on_pci(guest: Guest, device: str, rules: Libvirt) -> None:
    row = device_model(device)
    trial = complete(guest.extended({device: 1}), rules)
    machine = trial.machine
    if machine.places_pci and any(d.row == row.name and d.wants for d in trial.all_devices()):
        return
    why = f"it is on {machine.virtio_bus}" if machine.places_pci else "libvirt gives no PCI addresses there"
    raise RefusedError(
        f"{device} has no PCI address on machine type '{guest.machine_name}': {why}",
        code="not-on-pci",
        line=guest.machine_line,
        remedy="ask about a device that is on PCI there",
    )


def shortages(guest: Guest, policy: LibvirtPolicy) -> tuple[Short, ...]:
    """Return the budgets that run out when a guest is placed; none when there is room.

    Args:
        guest: as it was read or described.
        policy: whose rules.

    Raises:
        RefusedError: an address that is written down, or a fixed place, is refused.
    """
    return tuple(ClosedForm(complete(guest, policy.rules), policy).short())


def _refusal(guest: Guest, device: str, count: int, policy: LibvirtPolicy) -> RefusedError | None:
    try:
        placement = policy.place(complete(guest.extended({device: count}), policy.rules))
        validate(placement.guest, placement.addresses, policy.rules)
    except RefusedError as error:
        return error
    return None


class ClosedForm:
    """The closed form of one guest: what it wants and what it finds.

    Args:
        guest: a completed guest.
        policy: whose rules.

    Raises:
        RefusedError: an address that is written down, or a fixed place, is refused.
    """

    fields = __slots__ = (
        "bridges",
        "buses",
        "conventional",
        "express",
        "express_root",
        "free_bridge",
        "free_conventional",
        "free_express",
        "free_port",
        "free_root",
        "homeless",
        "host_bridges",
        "integrated",
        "ports",
        "spare",
        "takes_bridges",
    )

    def __init__(self, guest: Guest, policy: LibvirtPolicy) -> None:
        demand = policy.demand(guest)
        buses = demand.topology.buses
        known = {d.index for d in guest.controllers if d.type == "pci"}
        missing = [bus.model.name for bus in buses if bus.index and bus.index not in known]
        want = demand.wanted
        self.integrated = sum(count for plug, count in want.items() if plug & c.INTEGRATED)
        self.express_root = guest.express
        self.free_root = buses[0].free.bit_count() if buses else 0
        self.spare = demand.spare
        self.buses = len(buses)
        self.takes_bridges = any(bus.model.accepts & c.PCI_BRIDGE for bus in buses)
        self.conventional = sum(want.get(plug, 0) for plug in (c.CONVENTIONAL, c.PCI_BRIDGE, c.EXPANDER))
        self.express = sum(want.get(plug, 0) for plug in (c.EXPRESS, c.EXPRESS_TO_PCI_BRIDGE, c.UPSTREAM_PORT))
        self.ports = want.get(c.ROOT_PORT, 0) + missing.count("pcie-root-port")
        self.bridges = missing.count("pci-bridge")
        self.free_conventional = self.free_bridge = self.free_express = self.free_port = 0
        for bus in buses:
            slots = bus.free.bit_count()
            if bus.automatic & c.CONVENTIONAL:
                self.free_conventional += slots
            elif bus.automatic & c.PCI_BRIDGE:
                self.free_bridge += slots
            if bus.automatic & c.EXPRESS:
                self.free_express += slots
            if bus.automatic & c.ROOT_PORT:
                shared = sum(FUNCTIONS - bus.functions(slot).bit_count() for slot in bits(bus.shared))
                self.free_port += slots * FUNCTIONS + shared
        if self.express_root:
            whole_slots = want.get(c.DMI_BRIDGE, 0) + want.get(c.EXPRESS_EXPANDER, 0) + self.integrated
            self.free_port -= FUNCTIONS * whole_slots

        self.homeless = 0
        hosts = [bus for bus in buses if bus.model.name == HOST_BRIDGE.name]
        self.host_bridges = len(hosts) if guest.machine.host_bridges else 0

    def with_controllers(self, models: Iterable[str]) -> ClosedForm:
        """Return the form of the same guest with more PCI controllers in its definition."""
        form = copy(self)
        for model in models:
            row = PCI_CONTROLLERS[model]
            low, high = row.slots
            socket = row.automatic_socket
            form.spare = False
            form.buses += 1
            form.ports += row.plug == c.ROOT_PORT
            form.conventional += row.plug == c.PCI_BRIDGE
            form.homeless += row.plug == c.PCI_BRIDGE and not form.has_parent
            form.express += row.plug in (c.EXPRESS_TO_PCI_BRIDGE, c.UPSTREAM_PORT)
            form.takes_bridges |= bool(socket & c.PCI_BRIDGE)
            form.free_conventional += (high - low + 1) * bool(socket & c.CONVENTIONAL)
            form.free_express += (high - low + 1) * bool(socket & c.EXPRESS)
        return form

    def has_room_with(self, models: Iterable[str]) -> bool:
        """Return whether no budget runs out with more PCI controllers in the definition."""
        return not self.with_controllers(models).short()

    @property
    def has_parent(self) -> bool:
        """Return whether a bridge finds a slot on a bus that is there; on its own bus libvirt refuses it."""
        return bool(self.free_conventional + self.free_bridge)

    def short(self, plug: int = 0, more: int = 0) -> list[Short]:
        """Return the budgets that run out with more devices of a plug; none when the trial pass goes through."""
        conventional = self.conventional + (more if plug == c.CONVENTIONAL else 0)
        on_root = 0 if self.express_root or not self.integrated else conventional + self.integrated
        deficit = max(conventional, on_root) - self.free_conventional
        short = self.express - self.free_express + (more if plug == c.EXPRESS else 0)
        to_pci = bridges = hosts = 0
        homeless = self.homeless
        if deficit > 0 and self.host_bridges:
            hosts = -(-deficit // _BRIDGE_SLOTS)
        elif deficit > 0:
            if not self.takes_bridges:
                to_pci, deficit = 1, deficit - _BRIDGE_SLOTS
            bridges = max(0, -(-deficit // _BRIDGE_SLOTS))
            homeless += bridges if not to_pci and not self.has_parent else 0
        ports = max(0, short) + to_pci
        if self.spare and short >= 0 and (ports or bridges or self.buses > 1):
            ports += 1
        left = self.free_bridge + (bridges + hosts) * _BRIDGE_SLOTS - deficit
        rows = (
            (BRIDGE_SLOTS, self.bridges + bridges, left) if not homeless else (BRIDGE_SLOTS, homeless, 0),
            (PORT_PLACES, self.ports + ports, self.free_port),
            (ROOT_SLOTS, on_root, self.free_root),
            (HOST_BRIDGES, self.host_bridges + hosts, MOST_HOST_BRIDGES),
            (BUS_NUMBERS, self.buses + ports + to_pci + bridges + hosts, MAX_INDEX + 1),
        )
        return [Short(*row) for row in rows if row[1] > row[2]]


def _scan(refusal: Callable[[int], RefusedError | None], highest: int) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Ask the engine count by count."""
    counts = [n for n in range(highest + 1) if refusal(n) is None]
    return (counts[-1] if counts else -1), _ranges(_missing(counts))


def _missing(counts: list[int]) -> list[int]:
    known = set(counts)
    return [n for n in range(counts[-1]) if n not in known] if counts else []


def _ranges(counts: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Return ascending counts as inclusive ranges."""
    ranges: list[list[int]] = []
    for n in counts:
        if ranges and ranges[-1][1] == n - 1:
            ranges[-1][1] = n
        else:
            ranges.append([n, n])
    return tuple((a, b) for a, b in ranges)
