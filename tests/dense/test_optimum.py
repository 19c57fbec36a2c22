"""`dense` against every layout of small machines."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

import pcisim.dense.composition
import pcisim.dense.layout
from pcisim.catalogue.controllers import PACKED_WITH
from pcisim.catalogue.versions import libvirt_version
from pcisim.dense.composition import Freedom
from pcisim.dense.policy import DensePolicy, NoLayoutError
from pcisim.formats.domain.reader import read
from pcisim.libvirt.completion import complete
from pcisim.placement import Placement
from pcisim.topology import bits
from tests.dense import exhaustive
from tests.guests import BARE, at, disk, domain, nic, pci
from tests.sampled import one_in

RULES = libvirt_version("12.9")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the packer work with slots 0 to 2 of functions 0 and 1."""

    def spread(slots: int) -> int:
        return sum(0b11 << (slot << 3) for slot in bits(slots & 0b111))

    sizes = [(1 + high - low) * 2 for low, high in (exhaustive.SLOTS[model] for model in PACKED_WITH)]
    monkeypatch.setattr(pcisim.dense.layout, "spread", spread)
    monkeypatch.setattr(pcisim.dense.composition, "FUNCTIONS", 2)
    monkeypatch.setattr(pcisim.dense.composition, "_BRINGS", tuple(sizes))


def drawn(rng: random.Random) -> tuple[str, exhaustive.Small, Freedom]:
    """Return a small guest as XML, and as what is tried."""
    express = rng.random() < 0.7
    freedom = Freedom(rng.random() < 0.25, rng.random() < 0.25, rng.random() < 0.25) if express else Freedom()
    root = "pcie-root" if express else "pci-root"
    held = {(0, 1, 0)} if not express else set()
    barred = {(0, 1, 1)} if not express else set()
    devices: list[str] = []
    listed: dict[int, tuple[str, tuple[int, int, int] | None]] = {}
    buses = {0: root}
    index = 0
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        index += rng.choice((1, 1, 1, 2))
        if not express:
            model = "pci-bridge"
        else:
            model = rng.choice(
                (
                    "pcie-root-port",
                    "pcie-root-port",
                    "pci-bridge",
                    "pcie-to-pci-bridge",
                    "pcie-switch-upstream-port",
                    "pcie-switch-downstream-port",
                )
            )
        place = None
        if rng.random() < 0.5:
            place = _free_place(rng, model, buses, held | barred, exhaustive.Freedom(True))
        listed[index] = model, place
        buses[index] = model
        if place is not None:
            held.add(place)
        devices.append(pci(model, index, at(*place) if place else ""))
    wanted = {"E": rng.randrange(4), "C": rng.randrange(4)} if express else {"E": 0, "C": rng.randrange(7)}
    number = 0
    for kind, count in wanted.items():
        for _ in range(count):
            devices.append(disk(number) if kind == "E" or not express else nic("e1000"))
            number += 1
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        place = _free_place(rng, "E", buses, held | barred, exhaustive.Freedom(True, True))
        if place is not None:
            held.add(place)
            devices.append(nic("e1000e", at(*place)))
    small = exhaustive.Small(root, wanted, listed, frozenset(held), frozenset(barred))
    return domain("q35" if express else "pc", BARE, *devices), small, freedom


def _free_place(
    rng: random.Random,
    what: str,
    buses: dict[int, str],
    taken: set[tuple[int, int, int]],
    freedom: exhaustive.Freedom,
) -> tuple[int, int, int] | None:
    places = [
        (bus, slot, function)
        for bus, model in buses.items()
        if exhaustive.takes(model, what, freedom)
        for slot in range(exhaustive.SLOTS[model][0], exhaustive.SLOTS[model][1] + 1)
        for function in range(2)
        if (bus, slot, function) not in taken and (bus or slot)
    ]
    return rng.choice(places) if places else None


@pytest.mark.parametrize("seed", one_in(4, range(8)))
def test_it_is_the_best_of_all_layouts(seed: int) -> None:
    for number in range(40):
        one(seed, number)


def one(seed: int, number: int) -> None:
    xml, small, freedom = drawn(random.Random(f"{seed} {number}"))
    expected = exhaustive.best(small, exhaustive.Freedom(*freedom), most=3)
    guest = complete(read(xml, RULES), RULES)
    got = None
    with suppress(NoLayoutError):
        got = seen(DensePolicy(RULES, freedom, firmware="none").place(guest))
    if expected is None and got is not None:
        assert got.controllers > len(small.listed) + 3, f"{got}\n{xml}"
    else:
        assert tuple(got or ()) == tuple(expected or ()), f"seed {seed} {number} {freedom}\n{small}\n{xml}"


def seen(made: Placement) -> exhaustive.Best:
    """Return what a layout looks like."""
    made.topology.check()
    places = ((packed >> 8, packed >> 3 & 31, packed & 7) for packed in made.topology.owners)
    occupied = tuple(sorted(place for place in places if place[1] <= 2 and place[2] < 2))
    in_use = {place[:2] for place in occupied}
    empty = 0
    for bus in made.topology.buses:
        low, high = exhaustive.SLOTS[bus.model.name]
        if bus.model.name in exhaustive.HOT:
            empty += sum((bus.index, slot) not in in_use for slot in range(low, high + 1))
    controllers = sum(d.is_pci and bool(d.index) for d in made.guest.controllers)
    return exhaustive.Best(controllers, empty, occupied)
