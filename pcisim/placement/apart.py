"""Devices that are placed apart from the others: left out of what a policy places, and put back afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Set

from pcisim.guest import Controller, Device, Guest, evolved
from pcisim.placement import Placement
from pcisim.requests import Wish


def without(guest: Guest, apart: Set[Device], wishes: Mapping[str, Wish]) -> Guest:
    """Return a guest without some of its devices.

    Args:
        guest: a completed guest; it is not changed.
        apart: the devices.
        wishes: what is wished for of the places of those that stay.
    """
    return evolved(
        guest,
        devices={element: [d for d in devices if d not in apart] for element, devices in guest.devices.items()},
        controllers=[d for d in guest.controllers if d not in apart],
        wishes=wishes,
    )


def put_back(made: Placement, guest: Guest, apart: Set[Device]) -> None:
    """Give a placed guest the devices back that were left out, each where it was, and its wishes.

    Args:
        made: what was placed without them; its guest is replaced.
        guest: the guest with them.
        apart: the devices.
    """
    known = {d.label: d for d in made.guest.all_devices()}
    made.guest = evolved(
        made.guest,
        devices={
            element: [d if d in apart else known.get(d.label, d) for d in devices]
            for element, devices in guest.devices.items()
        },
        controllers=_with_controllers(made.guest.controllers, guest.controllers, apart),
        wishes=guest.wishes,
    )


def _with_controllers(made: list[Controller], before: list[Controller], apart: Set[Device]) -> list[Controller]:
    """Return the controllers with those that were left out, each behind the one that it follows."""
    controllers = list(made)
    for place, controller in enumerate(before):
        if controller in apart:
            previous = before[place - 1].label if place else None
            at = next((n + 1 for n, d in enumerate(controllers) if d.label == previous), 0)
            controllers.insert(at, controller)
    return controllers
