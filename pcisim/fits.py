"""Will it fit, and if not, what has to be pasted so that it does.

Source: sections 6, 7.6 and 12 of the rules.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping

from pcisim import connector as c
from pcisim._record import evolved, record
from pcisim.catalogue.controllers import MAX_INDEX
from pcisim.catalogue.devices import plug_on
from pcisim.completion import complete
from pcisim.errors import RefusedError
from pcisim.guest import Controller, Device, Guest
from pcisim.hotplug import RunningGuest
from pcisim.hotplug.kinds import check_comes
from pcisim.more import SPACE, ClosedForm, Short
from pcisim.placement import Placement
from pcisim.placement.libvirt import LibvirtPolicy
from pcisim.placement.pinned import pinned
from pcisim.placement.validation import validate

_MOST_TRIED = 16
"""How many sets of a kind are tried of those that make room by the closed form, which is right as a rule."""
_BRIDGE_SLOTS = 31
_PORTS_OF_A_SWITCH = 32
_NAMES = {c.EXPRESS: "PCI Express", c.CONVENTIONAL: "conventional"}


@record
class Fits:
    """Whether more devices fit.

    Args:
        fits: the answer.
        headline: the answer in a line.
        devices: the new devices.
        controllers: PCI controllers that make it fit, to be pasted into the definition; empty
            when it fits without, or when none were found.
        reason: why not, in libvirt's words; "" when it fits.
        short: the budgets that run out, and by how much.
        missing: how many places are missing, by plug, for a running guest.
    """

    fits: bool
    headline: str
    devices: tuple[Device, ...] = ()
    controllers: tuple[Controller, ...] = ()
    reason: str = ""
    short: tuple[Short, ...] = ()
    missing: tuple[tuple[str, int], ...] = ()


def fits(guest: Guest, more: Mapping[str, int], policy: LibvirtPolicy, *, hotplug: bool = False) -> Fits:
    """Say whether more devices fit into a guest, and what makes them fit.

    Args:
        guest: as it was read or described; addresses that it has stay.
        more: how many of each model, by QEMU's names.
        policy: whose rules.
        hotplug: whether the devices are to be attached while the guest runs.

    Raises:
        UsageError: an unknown model or a count that is none.
        RefusedError: the guest as it is, or what is added, is refused for something else than room.
    """
    extended = guest.extended(more)
    known = set(guest.all_devices())
    devices = tuple(d for d in extended.all_devices() if d not in known)
    if hotplug:
        return _fits_hot(guest, devices, policy)
    what = _count(len(devices))
    try:
        _place(extended, policy)
    except RefusedError as error:
        if error.code not in SPACE:
            raise
        reason = error.headline
    else:
        return Fits(True, f"yes: {what} {'fits' if len(devices) == 1 else 'fit'}", devices)
    form = ClosedForm(complete(extended, policy.rules), policy)
    short = tuple(form.short())
    headline = f"no: {what} {'does' if len(devices) == 1 else 'do'} not fit: {'; '.join(map(str, short)) or reason}"
    express = guest.machine.express
    for plug in sorted({plug_on(d.plug, express) for d in devices}, reverse=True):
        for controllers in _remedies(extended, form, {plug: 1}):
            if _try(_with(extended, controllers), policy) is not None:
                return Fits(False, headline, devices, tuple(controllers), reason, short)
    return Fits(False, headline, devices, (), reason, short)


def _fits_hot(guest: Guest, devices: tuple[Device, ...], policy: LibvirtPolicy) -> Fits:
    for device in devices:
        check_comes(device)
    placement = _place(guest, policy)
    missing = _missing_hot(placement, devices, policy)
    if not missing:
        return Fits(True, f"yes: {_count(len(devices))} can be attached to the running guest", devices)
    named = tuple((_NAMES[plug], count) for plug, count in missing.items())
    short = ", ".join(f"{count} {name} {'slot' if count == 1 else 'slots'}" for name, count in named)
    attached = len(devices) - sum(missing.values())
    headline = f"no: {attached} of {len(devices)} can be attached; free hot-pluggable room lacks {short}"
    reason = "No more available PCI slots"
    stored = pinned(placement)
    form = ClosedForm(complete(stored, policy.rules), policy)
    for controllers in _remedies(stored, form, missing):
        grown = _try(_with(stored, controllers), policy)
        if grown is not None and not _missing_hot(grown, devices, policy):
            return Fits(False, headline, devices, tuple(controllers), reason, missing=named)
    return Fits(False, headline, devices, (), reason, missing=named)


def _missing_hot(placement: Placement, devices: tuple[Device, ...], policy: LibvirtPolicy) -> dict[int, int]:
    """Return how many slots that a running guest takes are missing, by plug."""
    running = RunningGuest(placement, policy.rules)
    plugs = [plug_on(d.plug, placement.guest.machine.express) for d in devices]
    short = {plug: plugs.count(plug) - running.headroom(plug) for plug in _NAMES if plug in plugs}
    return {plug: count for plug, count in short.items() if count > 0}


# what to paste


@record
class _Recipe:
    """One row: controllers that make room for a plug on a kind of machine."""

    express: bool
    plug: int
    models: Callable[[int], list[str]]
    """The models of one controller, of two, and so on; a switch counts by its ports."""
    slots: int
    """How many slots one of them makes at most."""


def _switch(count: int) -> list[str]:
    models: list[str] = []
    while count > 0:
        down = min(count, _PORTS_OF_A_SWITCH)
        models += ["pcie-root-port", "pcie-switch-upstream-port", *["pcie-switch-downstream-port"] * down]
        count -= down
    return models


_RECIPES = (
    _Recipe(False, c.CONVENTIONAL, lambda count: ["pci-bridge"] * count, _BRIDGE_SLOTS),
    _Recipe(True, c.EXPRESS, lambda count: ["pcie-root-port"] * count, 1),
    _Recipe(True, c.CONVENTIONAL, lambda count: ["pcie-root-port", "pcie-to-pci-bridge"] * count, _BRIDGE_SLOTS),
    _Recipe(True, c.CONVENTIONAL, lambda count: ["pci-bridge"] * count, _BRIDGE_SLOTS),
    _Recipe(True, c.EXPRESS, _switch, 1),
)


def _remedies(guest: Guest, form: ClosedForm, least: Mapping[int, int]) -> Iterator[list[Controller]]:
    """Yield sets of controllers that may make it fit, the smallest of each kind first.

    Args:
        guest: whose indexes go on.
        form: the closed form of the guest; sets for which it has no room are left out.
        least: how many slots have to be made at least, by plug.
    """
    highest = max((d.index or 0 for d in guest.controllers if d.type == "pci"), default=0)
    rows = [[r for r in _RECIPES if r.express == guest.machine.express and r.plug == plug] for plug in least]
    for recipes in itertools.product(*rows):
        tried = 0
        for extra in range(MAX_INDEX):
            counts = [-(-slots // recipe.slots) + extra for recipe, slots in zip(recipes, least.values())]
            models = [model for recipe, count in zip(recipes, counts) for model in recipe.models(count)]
            if highest + len(models) > MAX_INDEX or tried == _MOST_TRIED:
                break
            if form.with_controllers(models).short():
                continue
            tried += 1
            yield [
                Controller("controller", f"pci:{index}", model, type="pci", index=index)
                for index, model in enumerate(models, start=highest + 1)
            ]


def _with(guest: Guest, controllers: list[Controller]) -> Guest:
    return evolved(guest, controllers=[*guest.controllers, *controllers])


def _place(guest: Guest, policy: LibvirtPolicy) -> Placement:
    placement = policy.place(complete(guest, policy.rules))
    validate(placement.guest, placement.addresses)
    return placement


def _try(guest: Guest, policy: LibvirtPolicy) -> Placement | None:
    """Return the placement of a guest, ``None`` when it is refused."""
    try:
        return _place(guest, policy)
    except RefusedError:
        return None


def _count(number: int) -> str:
    return "1 more device" if number == 1 else f"{number} more devices"
