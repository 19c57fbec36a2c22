"""Will it fit, and if not, what has to be pasted so that it does.

Source: libvirt rules 6, 7.6 and 12.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pcisim.capacity.max_count import SPACE
from pcisim.catalogue import connectors as c
from pcisim.catalogue.devices import PLUGS, plug_on
from pcisim.catalogue.versions import DEFAULT_VERSION, VERSIONS, Libvirt
from pcisim.errors import RefusedError
from pcisim.guest import Controller, Device, Guest, evolved
from pcisim.hotplug import RunningGuest
from pcisim.hotplug.kinds import check_comes
from pcisim.libvirt.completion import complete
from pcisim.libvirt.controllers_to_add import remedies
from pcisim.libvirt.growth import Budget, growth
from pcisim.libvirt.policy import LibvirtPolicy
from pcisim.placement import Placement
from pcisim.placement.pinned import pinned
from pcisim.policies import placed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pcisim.capacity.max_count import Counted

HOT_SPACE = frozenset({"no-more-slots", "no-hotplug", "virtual-functions"})
"""The codes of refusals that say that a running guest has no place, or none that the emulator takes."""

_PACKING = ("dense", "dense:modern=on")
"""What is tried where libvirt's own way has no room."""
PLUG_NAMES = {c.EXPRESS: "PCI Express", c.CONVENTIONAL: "conventional"}


class Fits(NamedTuple):
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
        placement: the guest with all of it, placed: with the controllers, and with the new devices unless they are
            to be attached while it runs; ``None`` when nothing makes it fit.
    """

    fits: bool
    headline: str
    devices: tuple[Device, ...] = ()
    controllers: tuple[Controller, ...] = ()
    reason: str = ""
    short: tuple[Budget, ...] = ()
    missing: tuple[tuple[str, int], ...] = ()
    placement: Placement | None = None
    elsewhere: tuple[str, Placement] | None = None
    """Where nothing that was tried makes it fit: another policy under which it fits, and the guest placed by that, with
    the `controllers` for devices that are to be attached."""

    def __bool__(self) -> bool:
        return self.fits

    def __str__(self) -> str:
        return self.headline

    def __repr__(self) -> str:
        return f"<Fits {self.headline}>"


def fits(guest: Guest, more: Mapping[str, int], policy: Counted, *, hotplug: bool = False) -> Fits:
    """Say whether more devices fit into a guest, and what makes them fit.

    Args:
        guest: as it was read or described; addresses that it has stay.
        more: how many of each model, by QEMU's names.
        policy: the policy that places them.
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
        placement = placed(extended, policy, policy.rules)
    except RefusedError as error:
        if error.code not in SPACE:
            raise
        refusal = error
    else:
        return Fits(True, f"yes: {what} {'fits' if len(devices) == 1 else 'fit'}", devices, placement=placement)
    reason = refusal.headline
    if not isinstance(policy, LibvirtPolicy):
        short = getattr(refusal, "short", ())
        why = "; ".join(map(str, short)) or reason
        return Fits(
            False, f"no: {what} {'does' if len(devices) == 1 else 'do'} not fit: {why}", devices, (), reason, short
        )
    demand = policy.demand(complete(extended, policy.rules))
    short = growth(demand).exceeded
    headline = f"no: {what} {'does' if len(devices) == 1 else 'do'} not fit: {'; '.join(map(str, short)) or reason}"
    express = guest.express
    for plug in sorted({plug_on(d.plug, express) for d in devices}, reverse=True):
        for controllers in remedies(extended, {plug: 1}, demand.fits_with):
            grown = _try(_with(extended, controllers), policy)
            if grown is not None:
                return Fits(False, headline, devices, tuple(controllers), reason, short, placement=grown)
    return Fits(False, headline, devices, (), reason, short, elsewhere=_packed(extended, policy.rules))


def _packed(guest: Guest, rules: Libvirt) -> tuple[str, Placement] | None:
    """Return the first of the packing policies under which a guest fits, and the guest placed by it."""
    from pcisim.policies import policy_of

    for name in _PACKING:
        try:
            return name, placed(guest, policy_of(name, rules), rules)
        except RefusedError:
            continue
    return None


def _fits_hot(guest: Guest, devices: tuple[Device, ...], policy: Counted) -> Fits:
    for device in devices:
        check_comes(device)
    placement = placed(guest, policy, policy.rules)
    missing, reason = missing_hot(placement, devices, policy.rules)
    if not missing:
        headline = f"yes: {_count(len(devices))} can be attached to the running guest"
        return Fits(True, headline, devices, placement=placement)
    named = tuple((PLUG_NAMES[plug], count) for plug, count in missing.items())
    short = ", ".join(f"{count} {name} {'slot' if count == 1 else 'slots'}" for name, count in named)
    attached = len(devices) - sum(missing.values())
    headline = f"no: {attached} of {len(devices)} can be attached; free hot-pluggable room lacks {short}"
    controllers, grown = _room_for(placement, devices, LibvirtPolicy(policy.rules), missing)
    if controllers or not isinstance(policy, LibvirtPolicy):
        return Fits(False, headline, devices, controllers, reason, missing=named, placement=grown)
    controllers, elsewhere = _packed_hot(guest, devices, policy.rules)
    return Fits(False, headline, devices, controllers, reason, missing=named, elsewhere=elsewhere)


def _packed_hot(
    guest: Guest, devices: tuple[Device, ...], rules: Libvirt
) -> tuple[tuple[Controller, ...], tuple[str, Placement] | None]:
    """Return the first packing policy under which devices can be attached, and what has to be listed beside it."""
    from pcisim.policies import policy_of

    for name in _PACKING:
        policy: Any = policy_of(name, rules)
        try:
            found = _fits_hot(guest, devices, policy)
        except RefusedError:
            continue
        if found.placement is not None:
            return found.controllers, (name, found.placement)
    return (), None


def room_at_next_boot(
    placement: Placement, devices: Sequence[Device], rules: Libvirt = VERSIONS[DEFAULT_VERSION]
) -> tuple[Controller, ...]:
    """Return the fewest PCI controllers that, added to the stored definition, let a guest take devices while it runs.

    Each answer has been tried: the definition with the controllers is placed, no address moves, and every device
    is attached.

    Args:
        placement: the stored definition.
        devices: what is to be attached after the next boot.
        rules: the version of libvirt.

    Returns:
        The controllers, without addresses; empty when none help, or when none are needed.
    """
    policy = LibvirtPolicy(rules)
    try:
        missing, _ = missing_hot(placement, devices, policy.rules)
    except RefusedError:
        return ()
    return _room_for(placement, devices, policy, missing)[0]


def _room_for(
    placement: Placement, devices: Sequence[Device], policy: LibvirtPolicy, missing: Mapping[int, int]
) -> tuple[tuple[Controller, ...], Placement | None]:
    """Return the controllers with which all devices can be attached, none when none help, and the guest with them."""
    stored = pinned(placement)
    demand = policy.demand(complete(stored, policy.rules))
    for controllers in remedies(stored, missing, demand.fits_with):
        grown = _try(_with(stored, controllers), policy)
        if grown is not None and not missing_hot(grown, devices, policy.rules)[0]:
            return tuple(controllers), grown
    return (), None


def missing_hot(placement: Placement, devices: Sequence[Device], rules: Libvirt) -> tuple[dict[int, int], str]:
    """Return how many devices find no place in a running guest, by plug, and why.

    Args:
        placement: the guest as it was started.
        devices: what is to be attached.
        rules: the version of libvirt.

    Raises:
        RefusedError: one of them is refused for something else.
    """
    running = RunningGuest(placement, rules)
    missing = dict.fromkeys(PLUG_NAMES, 0)
    reason = ""
    for _, group in itertools.groupby(devices, key=lambda device: device.row or id(device)):
        alike = list(group)
        machine = placement.guest.machine
        # what needs no place itself may bring a SCSI controller, which does
        plug = plug_on(alike[0].plug or PLUGS["controller/scsi"][machine.models.scsi], placement.guest.express)
        count = max(1, min(len(alike), running.headroom(plug)))
        while alike and count:  # what is refused once is refused from then on
            try:
                running.attach_alike(alike[:count])
            except RefusedError as error:
                if error.code not in HOT_SPACE:
                    raise
                reason = error.headline
                count //= 2
            else:
                del alike[:count]
                count = min(count, len(alike))
        missing[plug] = missing.get(plug, 0) + len(alike)
    return {plug: count for plug, count in missing.items() if count}, reason


def _with(guest: Guest, controllers: list[Controller]) -> Guest:
    return evolved(guest, controllers=[*guest.controllers, *controllers])


def _try(guest: Guest, policy: LibvirtPolicy) -> Placement | None:
    """Return the placement of a guest, ``None`` when it is refused."""
    try:
        return placed(guest, policy, policy.rules)
    except RefusedError:
        return None


def _count(number: int) -> str:
    return "1 more device" if number == 1 else f"{number} more devices"
