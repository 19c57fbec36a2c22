"""Every layout of a small machine, tried one after the other: deliberately slow, and nothing of it is pcisim's.

A small machine has slots 0 to 2 with functions 0 and 1.  What a bus accepts is written down here once more.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

SLOTS = {
    "pci-root": (1, 2), "pcie-root": (1, 2), "pci-bridge": (1, 2), "pcie-to-pci-bridge": (1, 2),
    "dmi-to-pci-bridge": (0, 2), "pcie-root-port": (0, 0), "pcie-switch-upstream-port": (0, 2),
    "pcie-switch-downstream-port": (0, 0),
}  # fmt: skip
FUNCTIONS = 2
HOT = {"pci-root", "pci-bridge", "pcie-to-pci-bridge", "pcie-root-port", "pcie-switch-downstream-port"}


class Freedom(NamedTuple):
    """Where devices may go beyond libvirt's automatic rules."""

    mixed: bool = False
    integrated: bool = False
    dmi: bool = False


def takes(model: str, what: str, freedom: Freedom) -> bool:
    """Return whether a bus takes a model, or an endpoint: ``E``, ``C``, or ``I`` for one of the root bus."""
    is_port = model in ("pcie-root-port", "pcie-switch-downstream-port")
    if what == "I":
        return model in ("pci-root", "pcie-root")
    if model == "pcie-root":
        if what == "E":
            return freedom.integrated
        if what == "C":
            return freedom.integrated and freedom.mixed
        return what in ("pcie-root-port", "dmi-to-pci-bridge") or (what == "pci-bridge" and freedom.mixed)
    if is_port:
        return what in ("E", "pcie-to-pci-bridge", "pcie-switch-upstream-port") or (
            freedom.mixed and what in ("C", "pci-bridge")
        )
    if model == "pcie-switch-upstream-port":
        return what == "pcie-switch-downstream-port"
    if model == "dmi-to-pci-bridge":
        return what == "pci-bridge" or (freedom.mixed and what in ("E", "C"))
    return what in ("C", "pci-bridge") or (what == "E" and freedom.mixed)


class Small(NamedTuple):
    """A small guest.

    Args:
        root: the model of the root bus.
        wanted: how many of ``E``, ``C`` and ``I`` look for a place.
        listed: the models of the controllers that are listed, by index, and the place of each or ``None``.
        held: the places that are held, as (bus, slot, function).
        barred: free places of bus 0 that nobody may take.
    """

    root: str
    wanted: dict[str, int]
    listed: dict[int, tuple[str, tuple[int, int, int] | None]]
    held: frozenset[tuple[int, int, int]]
    barred: frozenset[tuple[int, int, int]] = frozenset()


class Best(NamedTuple):
    """What the best layout looks like."""

    controllers: int
    empty: int
    occupied: tuple[tuple[int, int, int], ...]


def best(small: Small, freedom: Freedom, most: int = 3) -> Best | None:
    """Return the best layout with at most so many controllers added."""
    models = ["pci-bridge"]
    if small.root == "pcie-root":
        models += [
            "pcie-root-port", "pcie-to-pci-bridge", "pcie-switch-upstream-port", "pcie-switch-downstream-port",
        ]  # fmt: skip
        if freedom.dmi:
            models.append("dmi-to-pci-bridge")
    top = max(small.listed, default=0)
    gaps = [index for index in range(1, top) if index not in small.listed]
    for count in range(len(gaps), most + 1):
        indexes = [*gaps, *range(top + 1, top + 1 + count - len(gaps))]
        found = [
            layout
            for made in itertools.product(models, repeat=count)
            if (layout := _best_of(small, freedom, dict(zip(indexes, made)))) is not None
        ]
        if found:
            return min(found, key=lambda layout: (-layout.empty, layout.occupied))
    return None


def _best_of(small: Small, freedom: Freedom, made: dict[int, str]) -> Best | None:
    buses = {0: small.root} | {index: model for index, (model, _) in small.listed.items()} | made
    seekers = [(index, model) for index, (model, place) in small.listed.items() if place is None] + [*made.items()]
    count = len(seekers) + sum(small.wanted.values())
    found: Best | None = None
    if not _may_fit(small, freedom, buses, seekers):
        return None
    slots = [(bus, slot) for bus in sorted(buses) for slot in range(SLOTS[buses[bus]][0], SLOTS[buses[bus]][1] + 1)]
    choices = [list(_states(small, bus, slot)) for bus, slot in slots]
    room = [max(len(new) for new in states) for states in choices]
    rooms = [sum(room[n:]) for n in range(len(room) + 1)]

    def visit(number: int, left: int, taken: list[tuple[int, int, int]]) -> None:
        nonlocal found
        if left < 0 or left > rooms[number]:
            return
        if number < len(slots):
            for new in choices[number]:
                visit(number + 1, left - len(new), taken + new)
            return
        occupied = tuple(sorted([*small.held, *taken]))
        in_use = {place[:2] for place in occupied}
        empty = sum(
            buses[bus] in HOT
            and (bus, slot) not in in_use
            and bool({(bus, slot, f) for f in range(FUNCTIONS)} - small.barred)
            for bus, slot in slots
        )
        layout = Best(len(small.listed) + len(made), empty, occupied)
        if found is not None and (-found.empty, found.occupied) <= (-layout.empty, layout.occupied):
            return
        seats = dict.fromkeys(buses, 0)
        for bus, _, _ in taken:
            seats[bus] += 1
        if _seated(seats, sorted(seekers), buses, freedom, small.wanted):
            found = layout

    visit(0, count, [])
    return found


def _may_fit(small: Small, freedom: Freedom, buses: dict[int, str], seekers: list[tuple[int, str]]) -> bool:
    """Return whether there is room at all, wherever function 0 is and whatever comes first."""
    seats = {
        bus: FUNCTIONS * (SLOTS[model][1] - SLOTS[model][0] + 1) - sum(place[0] == bus for place in small.held)
        for bus, model in buses.items()
    }
    for index, model in seekers:
        if not any(n > 0 and bus < index and takes(buses[bus], model, freedom) for bus, n in seats.items()):
            return False
    counts = dict(small.wanted)
    for _, model in seekers:
        counts[model] = counts.get(model, 0) + 1
    kinds = [kind for kind, count in counts.items() if count]
    for size in range(1, len(kinds) + 1):
        for some in itertools.combinations(kinds, size):
            room = sum(n for bus, n in seats.items() if any(takes(buses[bus], kind, freedom) for kind in some))
            if sum(counts[kind] for kind in some) > room:
                return False
    return True


def _states(small: Small, bus: int, slot: int) -> Iterator[list[tuple[int, int, int]]]:
    places = [(bus, slot, function) for function in range(FUNCTIONS)]
    free = [place for place in places if place not in small.held and place not in small.barred]
    for size in range(len(free) + 1):
        for new in itertools.combinations(free, size):
            there = {*new, *small.held}
            if places[0] in there or not there & set(places):
                yield list(new)


def _seated(
    seats: dict[int, int],
    seekers: list[tuple[int, str]],
    buses: dict[int, str],
    freedom: Freedom,
    wanted: dict[str, int],
) -> bool:
    if seekers:
        (index, model), *rest = seekers
        for bus in seats:
            if bus < index and seats[bus] and takes(buses[bus], model, freedom):
                left = dict(seats)
                left[bus] -= 1
                if _seated(left, rest, buses, freedom, wanted):
                    return True
        return False
    kinds = [kind for kind in ("E", "C", "I") if wanted.get(kind)]
    for size in range(1, len(kinds) + 1):
        for some in itertools.combinations(kinds, size):
            places = sum(n for bus, n in seats.items() if any(takes(buses[bus], kind, freedom) for kind in some))
            if sum(wanted[kind] for kind in some) > places:
                return False
    return all(not n or any(takes(buses[bus], kind, freedom) for kind in kinds) for bus, n in seats.items())
