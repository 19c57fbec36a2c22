"""The arithmetic of growth: for integers and arrays alike, and what the passes do device by device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pcisim
from pcisim.catalogue import connectors as c
from pcisim.catalogue.versions import Libvirt, libvirt_version
from pcisim.errors import PcisimError, RefusedError
from pcisim.formats.domain.reader import read
from pcisim.guest import Guest
from pcisim.libvirt.completion import complete
from pcisim.libvirt.growth import BRIDGE_SLOTS, Budget, Demand, growth, most_more
from pcisim.libvirt.passes import Pass
from pcisim.libvirt.policy import LibvirtPolicy
from tests.guests import BARE, domain, pci
from tests.property.strategies import VERSIONS, Drawn, crowded_guests, drawn_guests, plain_guests

small = st.integers(0, 70)
COUNTS = [name for name in Demand._fields if name not in ("host_bridges", "express_root", "spare")]


@st.composite
def demands(draw: st.DrawFn) -> Demand:
    """Return what a guest may look for: a fresh one, or one with buses of its own."""
    express_root = draw(st.booleans())
    ports = draw(small)
    listed = draw(st.booleans())
    free_root = draw(st.integers(0, 30))
    conventional = draw(small)
    return Demand(
        conventional=conventional,
        express=draw(small) if express_root else 0,
        integrated=draw(st.sampled_from([0, 0, 0, 1, 2])),
        before_integrated=max(0, conventional - draw(st.sampled_from([0, 1]))),
        free_conventional=(0 if express_root else free_root) + draw(small) * listed,
        free_bridge=draw(st.sampled_from([0, 0, 3, 40])) * listed,
        free_express=draw(small) * listed * express_root,
        free_port=8 * free_root * express_root,
        free_root=free_root,
        buses=1 + listed * ports,
        ports=draw(st.integers(0, 3)) * listed * express_root,
        takes_bridges=listed or not express_root,
        express_root=express_root,
        spare=express_root and not listed,
    )


def test_a_bridge_has_31_slots() -> None:
    """Libvirt rule 2: slots 1 to 31 of a pci-bridge."""
    assert BRIDGE_SLOTS == 31


@given(st.lists(demands(), min_size=1, max_size=8))
def test_arrays_and_integers_are_the_same_arithmetic(several: list[Demand]) -> None:
    for express_root, spare in {(d.express_root, d.spare) for d in several}:
        alike = [d for d in several if (d.express_root, d.spare) == (express_root, spare)]
        columns: dict[str, Any] = {name: np.array([getattr(d, name) for d in alike]) for name in COUNTS}
        arrays = alike[0]._replace(**columns)
        grown = growth(arrays)  # what depends on none of the arrays stays a number
        for number, demand in enumerate(alike):
            one = growth(demand)
            assert [int(np.broadcast_to(x, len(alike))[number]) for x in grown[:4]] == list(one[:4])
            for many, budget in zip(grown.budgets, one.budgets):
                needed, available = (np.broadcast_to(x, len(alike))[number] for x in many[1:])
                assert Budget(many.name, int(needed), int(available)) == budget
            assert bool(np.broadcast_to(grown.fits, len(alike))[number]) == bool(one.fits)
        for plug in (c.CONVENTIONAL, c.EXPRESS):
            most = np.broadcast_to(most_more(arrays, plug), len(alike))
            assert most.tolist() == [most_more(demand, plug) for demand in alike]


@given(demands(), st.sampled_from([c.CONVENTIONAL, c.EXPRESS]))
def test_the_most_is_the_highest_count_that_fits(demand: Demand, plug: int) -> None:
    if plug == c.EXPRESS and not demand.express_root:
        plug = c.CONVENTIONAL
    most = most_more(demand, plug)
    assert most == -1 or growth(demand.with_more(plug, most)).fits
    assert not any(growth(demand.with_more(plug, n)).fits for n in range(most + 1, max(most + 100, 1200)))


def trial_of(guest: Guest, rules: Libvirt) -> Pass:
    """Return the trial pass over a completed guest."""
    policy = LibvirtPolicy(rules)
    return policy._in_two_passes(guest, log=False)[0]


@given(st.one_of(drawn_guests(), crowded_guests()), VERSIONS)
def test_one_pass_places_as_two(drawn: Drawn, version: str) -> None:
    """Libvirt rule 6.1: the trial pass only finds out how many controllers are needed."""
    rules = libvirt_version(version)
    policy = LibvirtPolicy(rules)
    try:
        guest = complete(read(drawn.text, rules), rules)
    except PcisimError:
        return
    placed = policy._in_one_pass(guest)
    if placed is None:
        return
    real, controllers, added = placed
    two, all_controllers, missing = policy._in_two_passes(guest, log=False)
    assert [d.label for d in controllers] == [d.label for d in all_controllers]
    assert [d.label for d in added] == [d.label for d in missing]
    assert {d.label: at for d, at in real.addresses.items()} == {d.label: at for d, at in two.addresses.items()}
    assert {d.label: at for d, at in real.present.items()} == {d.label: at for d, at in two.present.items()}


@given(plain_guests(), VERSIONS)
def test_growth_is_what_the_trial_pass_adds(plain: tuple[str, dict[str, int]], version: str) -> None:
    """Libvirt rules 6.3 to 6.6, counted and device by device."""
    rules = libvirt_version(version)
    policy = LibvirtPolicy(rules)
    guest = Guest.of(*plain)
    try:
        completed = complete(guest, rules)
        demand = policy.demand(completed)
    except RefusedError:
        return
    grown = growth(demand)
    try:
        _, _, added = policy._in_two_passes(completed, log=False)
    except RefusedError:
        assert not grown.fits
        return
    assert grown.fits
    models = [controller.model for controller in added]
    expected = {model: count for model, count in grown.by_model("pci-bridge") if count}
    assert {model: models.count(model) for model in models} == expected


@pytest.mark.parametrize(("expanders", "fits"), [(29, True), (30, False)])
def test_an_expander_does_not_get_the_imaginary_slot(expanders: int, fits: bool) -> None:
    """Libvirt rule 6.4: on pc the trial pass keeps one slot free, and an expander fits on the root bus only."""
    text = domain("pc", BARE, pci("pci-root"), *[pci("pci-expander-bus")] * expanders)
    if fits:
        assert len(pcisim.assign(text).topology.buses) == expanders + 1
    else:
        with pytest.raises(RefusedError, match="a PCI slot is needed to connect a PCI controller"):
            pcisim.assign(text)
