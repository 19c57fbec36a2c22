"""How many more of a device fit, and which counts below the most libvirt refuses.

libvirt's answer is not monotonic: its trial pass places devices first and bridges last, so that a count is
refused when the bridges that it needs find no room behind the devices, and a higher one, with one bridge
more, is accepted.  The closed form below counts slots; the engine is asked at every edge of it.

The closed form, for the trial pass (rules 6.3 to 6.6).  Let free(X) be the slots that automatic placement finds
for X before anything is placed, and want(X) what it looks for:

    conventional   deficit = want(C) + want(pci-bridge) - free(C); every new bridge brings 31 slots.  Where no bus
                   takes a pci-bridge, the first growth is a root port and a pcie-to-pci-bridge behind it.
                   The new bridges need slots themselves, of those that are left.
    express        every device that finds no port brings one; so does the spare, if anything was added and no
                   port is left.
    root ports     all new ports need functions: 8 for each empty slot, and those left in slots that ports share.
    numbers        the highest controller index is 255.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pcisim import connector as c
from pcisim._record import record
from pcisim.catalogue.controllers import MAX_INDEX
from pcisim.catalogue.devices import PLUGS, plug_on
from pcisim.catalogue.versions import Libvirt
from pcisim.completion import complete
from pcisim.errors import RefusedError
from pcisim.guest import Guest, device_model
from pcisim.placement.libvirt import Demand, LibvirtPolicy
from pcisim.placement.validation import validate

SPACE = frozenset({"no-more-slots", "no-slot-for-controller", "cannot-grow", "index-range", "bridge-order"})
"""The codes of refusals that say that something does not fit."""

_BRIDGE_SLOTS = 31
_HIGHEST_COUNT = (MAX_INDEX + 1) * 32


@record
class More:
    """How many more of a device fit.

    Args:
        device: the model that was asked about.
        most: the highest count that fits; -1 when the guest does not fit as it is.
        holes: the counts below `most` that are refused, as inclusive ranges.
        reason: why one more than `most` does not fit.
    """

    device: str
    most: int
    holes: tuple[tuple[int, int], ...]
    reason: str

    def __str__(self) -> str:
        if self.most < 0:
            return f"{self.device}: the guest itself does not fit: {self.reason}"
        text = f"{self.device}: up to {self.most} more fit"
        if self.holes:
            shown = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in self.holes)
            text += f"; refused below that: {shown}"
        return f"{text}; not {self.most + 1}: {self.reason}"


def how_many_more(guest: Guest, device: str, rules: Libvirt) -> More:
    """Return how many more of a device a guest takes, as libvirt places.

    What the guest has without an address is placed together with the new devices.

    Args:
        guest: as it was read or described.
        device: a model, by QEMU's name.
        rules: the version of libvirt.

    Raises:
        UsageError: an unknown device.
        RefusedError: the guest is refused for something else than room.
    """
    row = device_model(device)
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
    demand = policy.demand(complete(guest.extended({device: 2}), rules))
    plug = plug_on(PLUGS[row.element].get(row.model, c.EXPRESS), guest.machine.express)
    predicted = [n for n in range(3, _HIGHEST_COUNT) if _fits(demand, plug, n - 2)]
    counts = [n for n in range(3) if refusal(n) is None] + predicted
    most = counts[-1] if counts else -1
    holes = _ranges(_missing(counts))
    edges = {n for a, b in holes for n in (a - 1, a, b, b + 1)} | {most, most + 1, most + 2, 3, 4}
    known = set(counts)
    if any((refusal(n) is None) != (n in known) for n in edges if n >= 0):
        most, holes = _scan(refusal, most + 2 * _BRIDGE_SLOTS)
    error = refusal(most + 1)
    return More(device, most, holes, error.headline if error else "")


def _refusal(guest: Guest, device: str, count: int, policy: LibvirtPolicy) -> RefusedError | None:
    try:
        placement = policy.place(complete(guest.extended({device: count}), policy.rules))
        validate(placement.guest, placement.addresses)
    except RefusedError as error:
        return error
    return None


def _fits(demand: Demand, plug: int, more: int) -> bool:
    """Return whether the trial pass would go through with more devices of a plug (the closed form)."""
    topology = demand.topology
    wanted = demand.wanted
    free = _free_slots(demand)
    conventional = wanted.get(c.CONVENTIONAL, 0) + (more if plug == c.CONVENTIONAL else 0)
    express = wanted.get(c.EXPRESS, 0) + (more if plug == c.EXPRESS else 0)
    behind_ports = wanted.get(c.EXPRESS_TO_PCI_BRIDGE, 0) + wanted.get(c.UPSTREAM_PORT, 0)
    bridges = wanted.get(c.PCI_BRIDGE, 0)
    ports = new_bridges = to_pci = 0
    deficit = conventional + bridges - free[c.CONVENTIONAL]
    if deficit > 0:
        if not any(bus.model.accepts & c.PCI_BRIDGE for bus in topology.buses):
            to_pci, deficit = 1, deficit - _BRIDGE_SLOTS
        new_bridges = max(0, -(-deficit // _BRIDGE_SLOTS))
    left = -deficit + new_bridges * _BRIDGE_SLOTS
    if new_bridges > left + free[c.PCI_BRIDGE]:
        return False
    short = express + behind_ports - free[c.EXPRESS]
    ports = max(0, short) + to_pci
    if demand.spare and (ports or new_bridges) and short >= 0:
        ports += 1
    if wanted.get(c.ROOT_PORT, 0) + ports > free[c.ROOT_PORT]:
        return False
    return len(topology.buses) + ports + to_pci + new_bridges - 1 <= MAX_INDEX


def _free_slots(demand: Demand) -> dict[int, int]:
    """Return how many places automatic placement finds for each plug before it places anything.

    For a pci-bridge only those that no conventional device takes; for a root port functions.
    """
    free = {c.CONVENTIONAL: 0, c.PCI_BRIDGE: 0, c.EXPRESS: 0, c.ROOT_PORT: 0}
    for bus in demand.topology.buses:
        slots = bus.free.bit_count()
        if bus.automatic & c.CONVENTIONAL:
            free[c.CONVENTIONAL] += slots
        elif bus.automatic & c.PCI_BRIDGE:
            free[c.PCI_BRIDGE] += slots
        if bus.automatic & c.EXPRESS:
            free[c.EXPRESS] += slots
        if bus.automatic & c.ROOT_PORT:
            free[c.ROOT_PORT] += slots * 8 + sum(
                8 - bus.functions(slot).bit_count() for slot in range(32) if bus.shared & ~bus.full & 1 << slot
            )
    return free


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
