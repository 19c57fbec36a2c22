"""Will it fit, and if not, what has to be pasted so that it does.

Source: sections 6, 7.6 and 12 of the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from pcisim import connector as c
from pcisim._record import evolved, record
from pcisim.capacity import room
from pcisim.catalogue.controllers import MAX_INDEX
from pcisim.catalogue.devices import plug_on
from pcisim.completion import complete
from pcisim.errors import RefusedError
from pcisim.guest import Controller, Device, Guest
from pcisim.more import SPACE
from pcisim.placement import Placement
from pcisim.placement.libvirt import LibvirtPolicy
from pcisim.placement.pinned import pinned
from pcisim.placement.validation import validate

_MOST_TRIED = 64
"""How many controllers of a kind a remedy adds at most."""


@record
class Fits:
    """Whether more devices fit.

    Args:
        fits: the answer.
        headline: the answer in a line.
        devices: the new devices.
        controllers: PCI controllers that make it fit, to be pasted into the definition; empty
            when it fits without, or when none were found.
        missing: how many places are missing, by plug, for a running guest.
    """

    fits: bool
    headline: str
    devices: tuple[Device, ...] = ()
    controllers: tuple[Controller, ...] = ()
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
    devices = _new_devices(guest, extended)
    if hotplug:
        return _fits_hot(guest, devices, policy)
    error = _refusal(extended, policy)
    what = _count(len(devices))
    if error is None:
        return Fits(True, f"yes: {what} {'fits' if len(devices) == 1 else 'fit'}", devices)
    if error.code not in SPACE:
        raise error
    for controllers in _remedies(extended, devices):
        if _refusal(_with(extended, controllers), policy) is None:
            return Fits(False, f"no: {error.headline}", devices, tuple(controllers))
    return Fits(False, f"no: {error.headline}", devices)


def _fits_hot(guest: Guest, devices: tuple[Device, ...], policy: LibvirtPolicy) -> Fits:
    placement = _place(guest, policy)
    missing = _missing_hot(placement, devices)
    what = _count(len(devices))
    if not missing:
        return Fits(True, f"yes: {what} can be attached to the running guest", devices)
    short = ", ".join(f"{count} {name} {'slot' if count == 1 else 'slots'}" for name, count in missing)
    total = len(devices) - sum(count for _, count in missing)
    headline = f"no: {total} of {len(devices)} can be attached; free hot-pluggable room lacks {short}"
    stored = pinned(placement)
    for controllers in _remedies(stored, devices, missing=dict(missing)):
        try:
            grown = _place(_with(stored, controllers), policy)
        except RefusedError:
            continue
        if not _missing_hot(grown, devices):
            return Fits(False, headline, devices, tuple(controllers), missing)
    return Fits(False, headline, devices, (), missing)


def _missing_hot(placement: Placement, devices: tuple[Device, ...]) -> tuple[tuple[str, int], ...]:
    """Return how many slots that a running guest takes are missing, by plug."""
    express_root = placement.guest.machine.express
    have = room(placement.topology)
    plugs = [plug_on(d.plug, express_root) for d in devices]
    integrated = sum(bool(plug & c.INTEGRATED) for plug in plugs)
    express = sum(plug == c.EXPRESS for plug in plugs) - have.express_hot
    conventional = sum(plug == c.CONVENTIONAL for plug in plugs) - have.conventional_hot
    rows = (("PCI Express", express), ("conventional", conventional), ("integrated", integrated))
    return tuple((name, count) for name, count in rows if count > 0)


def _remedies(
    guest: Guest, devices: tuple[Device, ...], missing: dict[str, int] | None = None
) -> Iterator[list[Controller]]:
    """Yield sets of controllers that may make it fit, the smallest of each kind first."""
    express = guest.machine.express
    plugs = {plug_on(d.plug, express) for d in devices}
    for recipe in _RECIPES:
        if recipe.express != express or (recipe.plug and recipe.plug not in plugs):
            continue
        for count in range(1, _MOST_TRIED + 1):
            models = recipe.models(count)
            made = _controllers(guest, models)
            if made is None:
                break
            yield made
    if missing and len(missing) > 1 and express:
        ports, cards = missing.get("PCI Express", 0), -(-missing.get("conventional", 0) // 31)
        made = _controllers(guest, ["pcie-root-port"] * ports + ["pcie-root-port", "pcie-to-pci-bridge"] * cards)
        if made is not None:
            yield made


@record
class _Recipe:
    """One row: controllers that make room on a kind of machine."""

    express: bool
    plug: int
    models: Callable[[int], list[str]]


def _switch(count: int) -> list[str]:
    models: list[str] = []
    while count > 0:
        down = min(count, 32)
        models += ["pcie-root-port", "pcie-switch-upstream-port", *["pcie-switch-downstream-port"] * down]
        count -= down
    return models


_RECIPES = (
    _Recipe(False, 0, lambda count: ["pci-bridge"] * count),
    _Recipe(True, c.EXPRESS, lambda count: ["pcie-root-port"] * count),
    _Recipe(True, c.CONVENTIONAL, lambda count: ["pcie-root-port", "pcie-to-pci-bridge"] * count),
    _Recipe(True, c.CONVENTIONAL, lambda count: ["pci-bridge"] * count),
    _Recipe(True, c.EXPRESS, _switch),
)


def _controllers(guest: Guest, models: list[str]) -> list[Controller] | None:
    """Return new controllers of these models with the next free indexes; ``None`` when those run out."""
    highest = max((d.index or 0 for d in guest.controllers if d.type == "pci"), default=0)
    if highest + len(models) > MAX_INDEX:
        return None
    return [
        Controller("controller", f"pci:{highest + n}", model, type="pci", index=highest + n)
        for n, model in enumerate(models, start=1)
    ]


def _with(guest: Guest, controllers: list[Controller]) -> Guest:
    return evolved(guest, controllers=[*guest.controllers, *controllers])


def _new_devices(guest: Guest, extended: Guest) -> tuple[Device, ...]:
    known = set(guest.all_devices())
    return tuple(d for d in extended.all_devices() if d not in known)


def _place(guest: Guest, policy: LibvirtPolicy) -> Placement:
    placement = policy.place(complete(guest, policy.rules))
    validate(placement.guest, placement.addresses)
    return placement


def _refusal(guest: Guest, policy: LibvirtPolicy) -> RefusedError | None:
    try:
        _place(guest, policy)
    except RefusedError as error:
        return error
    return None


def _count(number: int) -> str:
    return "1 more device" if number == 1 else f"{number} more devices"
