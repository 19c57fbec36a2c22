"""Which PCI controllers make room for more devices: one table, and the sets that are worth a try.

Whoever asks judges the sets: whether libvirt accepts the guest then, whether a running guest takes the devices,
whether it boots.

Source: libvirt rules 2 and 6.6.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import MAX_INDEX
from pcisim.guest import Controller, Guest
from pcisim.libvirt.growth import BRIDGE_SLOTS

MOST_TRIED = 16
"""How many sets of a kind are yielded at most: those that need more controllers hardly ever help."""

_PORTS_OF_A_SWITCH = 32


class Recipe(NamedTuple):
    """One row: controllers that make room for a plug on a kind of machine."""

    express: bool
    """Whether it is for a root bus of PCI Express."""
    plug: int
    models: Callable[[int], list[str]]
    """The models of one such controller, of two, and so on; a switch counts by its ports."""
    slots: int
    """How many slots one of them makes at most."""


def _bridges(count: int) -> list[str]:
    return ["pci-bridge"] * count


def _ports(count: int) -> list[str]:
    return ["pcie-root-port"] * count


def _bridges_behind_ports(count: int) -> list[str]:
    return ["pcie-root-port", "pcie-to-pci-bridge"] * count


def _switches(count: int) -> list[str]:
    models: list[str] = []
    while count > 0:
        down = min(count, _PORTS_OF_A_SWITCH)
        models += ["pcie-root-port", "pcie-switch-upstream-port", *["pcie-switch-downstream-port"] * down]
        count -= down
    return models


RECIPES = (
    Recipe(False, c.CONVENTIONAL, _bridges, BRIDGE_SLOTS),
    Recipe(True, c.EXPRESS, _ports, 1),
    Recipe(True, c.CONVENTIONAL, _bridges_behind_ports, BRIDGE_SLOTS),
    Recipe(True, c.CONVENTIONAL, _bridges, BRIDGE_SLOTS),
    Recipe(True, c.EXPRESS, _switches, 1),
)
"""The usual one first, for each kind of machine and plug."""


def recipes_for(guest: Guest, plug: int) -> list[Recipe]:
    """Return the recipes that make room for a plug in a guest, the usual one first."""
    return [row for row in RECIPES if row.express == guest.express and row.plug == plug]


def remedies(
    guest: Guest, least: Mapping[int, int], worth: Callable[[Sequence[str]], bool]
) -> Iterator[list[Controller]]:
    """Yield sets of controllers that may make room, the smallest of each kind first.

    Args:
        guest: whose indexes go on.
        least: how many slots have to be made at least, by plug.
        worth: says of the models of a set whether it is worth a try.
    """
    highest = max((d.index or 0 for d in guest.controllers if d.is_pci), default=0)
    for recipes in itertools.product(*(recipes_for(guest, plug) for plug in least)):
        tried = 0
        for extra in range(MAX_INDEX):
            counts = [-(-slots // recipe.slots) + extra for recipe, slots in zip(recipes, least.values())]
            models = [model for recipe, count in zip(recipes, counts) for model in recipe.models(count)]
            if highest + len(models) > MAX_INDEX or tried == MOST_TRIED:
                break
            if worth(models):
                tried += 1
                yield [
                    Controller("controller", f"pci:{index}", model, type="pci", index=index)
                    for index, model in enumerate(models, start=highest + 1)
                ]
