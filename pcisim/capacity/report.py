"""How much room is left: bus by bus, cold and hot, and the budgets beside the addresses.

Theory says that every bus has 256 addresses.  What its kind leaves usable is less, what is held
by devices and by the machine less again.  *Cold* is what an address that somebody writes down may take
while the guest is off; *hot* is what a running guest takes: function 0 of an empty slot of a bus that
takes hotplug.

Source: libvirt rules 2, 7.6 and 12; the figures of the budgets say where they were measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pcisim.address import FUNCTIONS, MAX_SLOT, format_packed
from pcisim.catalogue import connectors as c
from pcisim.catalogue.x86_machines import DEVICE
from pcisim.enumeration.io_windows import IoBudget, io_budget
from pcisim.errors import counted, ranged
from pcisim.hotplug.unplug import detachable
from pcisim.placement import Placement
from pcisim.topology import Bus, Holder, Topology

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

THEORETICAL = 256
"""Functions of a bus: 32 slots of 8."""
BUS_NUMBERS = 256
"""Bus numbers of a PCI domain."""
PORT_MEMORY_KIB = 700
"""Resident memory of the emulator for each PCI Express port before the guest runs, as QEMU's
maintainers give it (about; more after boot)."""

_WHO = ("holders", "claims")
_COUNTS = ("usable_slots", "used", "reserved", "free_slots", "free_functions", "unusable", "hot_slots")
"""What is counted of a bus, as the columns of a data frame."""

CONVENTIONAL, EXPRESS = "conventional", "express"
_PLUGS = {c.CONVENTIONAL: CONVENTIONAL, c.EXPRESS: EXPRESS}


class Held(NamedTuple):
    """One function that is held: by whom, and what kind of owner that is."""

    address: str
    owner: str
    kind: str


class BusCapacity(NamedTuple):
    """One bus.

    The sum of `used`, `reserved`, `free_functions` and `unusable` is always 256.
    """

    index: int  # type: ignore[assignment]  # a tuple has a method of that name
    model: str
    plug: str | None
    """``conventional`` or ``express``, ``None`` for a bus that takes no endpoints."""
    usable_slots: int
    used: int
    """Functions held by devices and controllers of the definition."""
    reserved: int
    """Functions held by the machine."""
    free_slots: int
    """Usable slots in which nothing is held."""
    free_functions: int
    """Functions that an address that somebody writes down may take."""
    unusable: int
    why: tuple[str, ...]
    """Why the others cannot be used."""
    hot_slots: int
    """Slots that a running guest can take."""
    holders: tuple[tuple[int, Holder], ...]
    """The packed addresses that are held, in ascending order, and by whom."""
    claims: tuple[Held, ...]
    """Functions that nothing holds and the machine, or a kind of device, has a claim on."""

    @property
    def held(self) -> tuple[Held, ...]:
        """Return the functions that are held."""
        return tuple([Held(format_packed(packed), owner.label, owner.owner_kind) for packed, owner in self.holders])

    def __repr__(self) -> str:  # who holds what in words, the same in every run
        names = ("held" if name == "holders" else name for name in self._fields)
        return f"BusCapacity({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"


class Room(NamedTuple):
    """Empty slots by plug, cold and hot."""

    express_cold: int
    conventional_cold: int
    express_hot: int
    conventional_hot: int

    @property
    def hot(self) -> int:
        """Return how many empty slots take a device while the guest runs."""
        return self.express_hot + self.conventional_hot

    def __str__(self) -> str:
        return (
            f"free slots: cold {self.express_cold} PCI Express + {self.conventional_cold} conventional,"
            f" hot {self.express_hot} PCI Express + {self.conventional_hot} conventional"
        )


class Capacity(NamedTuple):
    """What a placed guest has left.

    `more` holds, for each device that was asked about, how many more of it fit: see `pcisim.capacity.max_count`.
    """

    machine: str
    buses: tuple[BusCapacity, ...]
    room: Room
    functions_cold: Mapping[str, int]
    """Free functions by plug."""
    bus_numbers: int
    """Bus numbers in use, of 256."""
    ports: int
    """PCI Express ports."""
    io: IoBudget
    detachable: int
    """Devices that can be detached while the guest runs."""
    title: str = ""
    """What to call the guest."""

    @property
    def port_memory_kib(self) -> int:
        """Return about how much memory the emulator takes for the ports."""
        return self.ports * PORT_MEMORY_KIB

    def lines(self, *, grouped: bool = True) -> list[str]:
        """Return the report for people: a table of the buses with one line of totals, and the budgets.

        Args:
            grouped: whether buses that are equal in everything but their index share a row, with the sums of them.
        """
        return [
            f"{self.title or self.machine}: functions, {THEORETICAL} a bus in theory, and empty slots",
            *_table(self.buses, grouped=grouped),
            *self.budget_lines(),
        ]

    def budget_lines(self) -> list[str]:
        """Return what is said of the whole guest: its free slots, and the budgets beside the addresses."""
        io = self.io
        windows = f"I/O windows: {io.windows} asked for"
        if io.profile is None:
            windows += "; the firmware's room is unknown"
        else:
            verdict = "boots" if io.boots else "will not boot"
            if io.boots and io.windows > (io.room or 0):
                verdict += (
                    ", but bridges go without, without memory too, until the guest's system repairs it"
                    if io.profile.all_ask
                    else ", but devices go without I/O ports"
                )
            windows += f", room for {io.room} ({io.profile.name}): {verdict}"
        if io.unknown:
            windows += f"; not known for {', '.join(io.unknown)}"
        return [
            str(self.room),
            f"hotplug: {counted(self.room.hot, 'empty slot')} left,"
            f" {counted(self.detachable, 'device')} can be detached",
            f"bus numbers: {self.bus_numbers} of {BUS_NUMBERS}",
            f"emulator's memory for {counted(self.ports, 'port')}: about {self.port_memory_kib / 1024:.1f} MiB",
            windows,
        ]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return f"<Capacity {self.machine}: {len(self.buses)} buses, {self.room}>"

    def to_frame(self) -> Any:
        """Return one row for each bus as a data frame of pandas, else of polars.

        Raises:
            UsageError: neither is installed.
        """
        from pcisim.frames import frame_of

        rows = [
            [bus.index, bus.model, bus.plug, THEORETICAL, *(getattr(bus, n) for n in _COUNTS)] for bus in self.buses
        ]
        return frame_of(("index", "model", "plug", "theoretical", *_COUNTS), rows)

    def _repr_html_(self) -> str | None:
        from pcisim.notebook import HTML, picture

        return picture(self, HTML)

    def to_json(self) -> dict[str, Any]:
        """Return the capacity as plain data; the key ``schema`` names its version."""
        io = self.io
        return {
            "schema": "pcisim.capacity/1",
            "machine": self.machine,
            "buses": [
                {name: getattr(bus, name) for name in bus._fields if name not in _WHO}
                | {"theoretical": THEORETICAL}
                | {
                    name: [{"address": h.address, "owner": h.owner, "kind": h.kind} for h in getattr(bus, name)]
                    for name in ("held", "claims")
                }
                for bus in self.buses
            ],
            "totals": {
                EXPRESS: {
                    "cold": {"slots": self.room.express_cold, "functions": self.functions_cold[EXPRESS]},
                    "hot": {"slots": self.room.express_hot},
                },
                CONVENTIONAL: {
                    "cold": {"slots": self.room.conventional_cold, "functions": self.functions_cold[CONVENTIONAL]},
                    "hot": {"slots": self.room.conventional_hot},
                },
            },
            "hotplug": {"empty_slots": self.room.hot, "detachable": self.detachable},
            "budgets": {
                "bus_numbers": {"used": self.bus_numbers, "of": BUS_NUMBERS},
                "port_memory_kib": {"used": self.port_memory_kib, "ports": self.ports},
                "io_windows": {
                    "asked": io.windows,
                    "bridges": list(io.asking),
                    "room": io.room if io.room is not None else "unknown",
                    "profile": io.profile.name if io.profile else "unknown",
                    "boots": io.boots if io.boots is not None else "unknown",
                    "unknown": list(io.unknown),
                },
            },
        }


_COLUMNS = ("bus", "controller", "usable", "used", "reserved", "free", "slots", "hot")


def _table(buses: tuple[BusCapacity, ...], *, grouped: bool) -> list[str]:
    """Return the lines of a table of buses: a row for each, or for equal ones; the totals; what cannot be used."""
    if not buses:
        return ["no PCI bus"]
    groups: dict[object, list[BusCapacity]] = {}
    reasons: dict[str, list[BusCapacity]] = {}
    for bus in buses:
        equal = bus._replace(index=0, holders=(), claims=()) if grouped else bus.index
        groups.setdefault(equal, []).append(bus)
        if bus.why:
            reasons.setdefault("; ".join(bus.why), []).append(bus)
    rows = [_COLUMNS, *(_cells(f"pci:{ranged(bus.index for bus in of)}", of[0].model, of) for of in groups.values())]
    if len(buses) > 1:
        rows.append(_cells("total", f"{len(buses)} buses", buses))
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        "  ".join(
            f"{cell:{width}}" if n < 2 else f"{cell:>{width}}" for n, (cell, width) in enumerate(zip(row, widths))
        )
        for row in rows
    ]
    for why, of in reasons.items():
        functions = counted(sum(bus.unusable for bus in of), "function")
        lines.append(f"not usable: {functions} of pci:{ranged(bus.index for bus in of)} ({why})")
    return lines


def _cells(name: str, model: str, buses: Iterable[BusCapacity]) -> tuple[str, ...]:
    """Return the cells of buses: sums."""
    figures = [
        (THEORETICAL - b.unusable, b.used, b.reserved, b.free_functions, b.free_slots if b.plug else 0, b.hot_slots)
        for b in buses
    ]
    return name, model, *(str(sum(column)) for column in zip(*figures))


def capacity(placement: Placement) -> Capacity:
    """Report what a placed guest has left.

    Args:
        placement: a placed guest.
    """
    topology = placement.topology
    alone = _single_functions(placement)
    holders = topology.holders()
    claims = tuple(Held(format_packed(packed), place.owner, place.kind) for packed, place in placement.claims)
    buses = tuple(
        [
            _bus(
                bus,
                tuple(holders[bus.index]),
                alone.get(bus.index, ()),
                claims if not bus.index else (),
                hot=topology.takes_hotplug(bus),
            )
            for bus in topology.buses
        ]
    )
    ports = sum(bus.model.is_port or bus.model.accepts == c.DOWNSTREAM_PORT for bus in topology.buses)
    hidden = sum(bus.model.own_bus_numbers - 1 for bus in topology.buses)
    return Capacity(
        machine=placement.guest.machine_name,
        buses=buses,
        room=_room(buses),
        functions_cold={
            plug: sum(b.free_functions for b in buses if b.plug == plug) for plug in (EXPRESS, CONVENTIONAL)
        },
        bus_numbers=len(buses) + hidden,
        ports=ports,
        io=io_budget(placement),
        detachable=len(detachable(placement)),
        title=placement.guest.title,
    )


def room(topology: Topology) -> Room:
    """Return the empty slots of a topology by plug, cold and hot."""
    counts = {(plug, hot): 0 for plug in (EXPRESS, CONVENTIONAL) for hot in (False, True)}
    for bus in topology.buses:
        plug = _PLUGS.get(bus.model.accepts & c.ENDPOINT)
        if plug is not None:
            free = bus.free.bit_count()
            counts[plug, False] += free
            counts[plug, True] += free if topology.takes_hotplug(bus) else 0
    return Room(counts[EXPRESS, False], counts[CONVENTIONAL, False], counts[EXPRESS, True], counts[CONVENTIONAL, True])


def _room(buses: Iterable[BusCapacity]) -> Room:
    rows = list(buses)
    return Room(
        sum(b.free_slots for b in rows if b.plug == EXPRESS),
        sum(b.free_slots for b in rows if b.plug == CONVENTIONAL),
        sum(b.hot_slots for b in rows if b.plug == EXPRESS),
        sum(b.hot_slots for b in rows if b.plug == CONVENTIONAL),
    )


def _bus(
    bus: Bus,
    holders: tuple[tuple[int, Holder], ...],
    alone: Iterable[int],
    claims: tuple[Held, ...],
    *,
    hot: bool,
) -> BusCapacity:
    low, high = bus.model.slots
    used = sum([owner.owner_kind == DEVICE for _, owner in holders])
    blocked = sum([FUNCTIONS - bus.functions(slot).bit_count() for slot in alone])
    free_functions = (high - low + 1) * FUNCTIONS - len(holders) - blocked
    why = []
    if high - low < MAX_SLOT:
        why.append(bus.model.unusable)
    if blocked:
        why.append(f"{counted(blocked, 'function is', 'functions are')} beside a device with multifunction='off'")
    free_slots = bus.free.bit_count()
    plug = _PLUGS.get(bus.model.accepts & c.ENDPOINT)
    return BusCapacity(
        index=bus.index,
        model=bus.model.name,
        plug=plug,
        usable_slots=high - low + 1,
        used=used,
        reserved=len(holders) - used,
        free_slots=free_slots,
        free_functions=free_functions,
        unusable=THEORETICAL - (high - low + 1) * FUNCTIONS + blocked,
        why=tuple(why),
        hot_slots=free_slots if plug and hot else 0,
        holders=holders,
        claims=claims,
    )


def _single_functions(placement: Placement) -> dict[int, set[int]]:
    """Return, by bus, the slots whose function 0 says that it is alone."""
    slots: dict[int, set[int]] = {}
    for device, value in placement.multifunction.items():
        packed = placement.addresses.get(device)
        if value == "off" and packed is not None and not packed & (FUNCTIONS - 1):
            slots.setdefault(packed >> 8, set()).add(packed >> 3 & MAX_SLOT)
    return slots
