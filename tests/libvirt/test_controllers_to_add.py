"""Which controllers are to be pasted: the table, and the sets that are tried."""

from __future__ import annotations

from collections import Counter

import pytest

import pcisim
from pcisim.capacity.report import room
from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import MAX_INDEX
from pcisim.guest import Guest
from pcisim.libvirt.controllers_to_add import MOST_TRIED, RECIPES, Recipe, recipes_for, remedies
from tests.guests import BARE, domain, pci


def sets(guest: Guest, least: dict[int, int], most: int = 1000) -> list[list[str]]:
    """Return the models of the sets of up to so many controllers."""
    return [[d.model for d in made] for made in remedies(guest, least, lambda models: len(models) <= most)]


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("recipe", [row for row in RECIPES if row.express or row.plug == c.CONVENTIONAL])
def test_every_row_makes_the_room_that_it_says(recipe: Recipe, count: int) -> None:
    models = recipe.models(count)
    root = "pcie-root" if recipe.express else "pci-root"
    there = ["pcie-root-port", "pcie-to-pci-bridge"] if recipe.express and models[0] == "pci-bridge" else []
    names = [pci(model) for model in (root, *there, *models)]
    topology = pcisim.assign(domain("q35" if recipe.express else "pc", BARE, *names)).topology
    made = [bus for bus in topology.buses[len(there) + 1 :] if bus.model.accepts & recipe.plug]
    assert len(topology.buses) == len(names)
    ends = [bus for bus in made if bus.model.name == models[-1]]
    assert sum(bus.usable.bit_count() for bus in ends) == recipe.slots * count
    left = room(topology)
    assert (left.express_hot if recipe.plug == c.EXPRESS else left.conventional_hot) >= (count if there == [] else 1)


def test_a_switch_has_thirty_two_ports() -> None:
    models = next(row for row in RECIPES if row.models(1)[-1] == "pcie-switch-downstream-port").models(33)
    assert models[:3] == ["pcie-root-port", "pcie-switch-upstream-port", "pcie-switch-downstream-port"]
    assert models[34:] == models[:3]
    assert Counter(models)["pcie-switch-downstream-port"] == 33


def test_the_usual_one_comes_first() -> None:
    assert [row.models(1) for row in recipes_for(Guest.of("pc"), c.CONVENTIONAL)] == [["pci-bridge"]]
    assert [row.models(1)[-1] for row in recipes_for(Guest.of("q35"), c.EXPRESS)] == [
        "pcie-root-port",
        "pcie-switch-downstream-port",
    ]
    assert [row.models(1)[-1] for row in recipes_for(Guest.of("q35"), c.CONVENTIONAL)] == [
        "pcie-to-pci-bridge",
        "pci-bridge",
    ]
    assert recipes_for(Guest.of("pc"), c.EXPRESS) == []


def test_smallest_first() -> None:
    found = sets(Guest.of("pc"), {c.CONVENTIONAL: 1})
    assert found == [["pci-bridge"] * count for count in range(1, MOST_TRIED + 1)]


def test_no_less_than_is_missing() -> None:
    assert sets(Guest.of("pc"), {c.CONVENTIONAL: 32}, 2) == [["pci-bridge"] * 2]
    assert sets(Guest.of("q35"), {c.EXPRESS: 3}, 3) == [["pcie-root-port"] * 3]


def test_two_plugs_together() -> None:
    assert sets(Guest.of("q35"), {c.EXPRESS: 2, c.CONVENTIONAL: 1}, 4)[0] == [
        "pcie-root-port", "pcie-root-port", "pcie-root-port", "pcie-to-pci-bridge",
    ]  # fmt: skip


def test_what_is_not_worth_a_try_is_left_out_and_does_not_count() -> None:
    found = list(remedies(Guest.of("pc"), {c.CONVENTIONAL: 1}, lambda models: len(models) > 100))
    assert [len(made) for made in found] == list(range(101, 101 + MOST_TRIED))


def test_indexes_go_on_and_end_at_the_highest() -> None:
    guest = pcisim.assign(domain("pc", BARE, pci("pci-bridge", 250))).source
    found = [[d.index for d in made] for made in remedies(guest, {c.CONVENTIONAL: 1}, lambda _: True)]
    assert found == [list(range(251, 251 + count)) for count in range(1, MAX_INDEX - 250 + 1)]
