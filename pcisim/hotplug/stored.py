"""Attach to a stored definition, and the controllers that make room at the next boot.

Source: rules 6 and 7.6, asked of libvirt 11.3.0 (2026-11-23).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pcisim import connector as c
from pcisim._record import evolved
from pcisim.catalogue.controllers import MAX_INDEX
from pcisim.catalogue.devices import plug_on
from pcisim.catalogue.versions import DEFAULT_VERSION, VERSIONS, Libvirt
from pcisim.completion import complete
from pcisim.errors import RefusedError
from pcisim.guest import Controller, Device, Guest
from pcisim.hotplug.definition import extended, next_number
from pcisim.hotplug.kinds import ROOM, check_stored
from pcisim.hotplug.running import RunningGuest
from pcisim.placement import Placement
from pcisim.placement.libvirt import LibvirtPolicy
from pcisim.placement.pinned import pinned
from pcisim.placement.validation import validate

_MOST_ADDED = 64


def attach_config(
    placement: Placement, devices: Iterable[Device], rules: Libvirt = VERSIONS[DEFAULT_VERSION]
) -> Placement:
    """Attach devices to the stored definition, one after the other, as ``virsh attach-device --config`` does.

    Each attach reads the whole definition anew with the device in it.  What has an address keeps it; the new
    device is placed as in a definition, and controllers are added for it.

    Args:
        placement: the stored definition; it is not changed.
        devices: the devices, with or without addresses.
        rules: the version of libvirt.

    Returns:
        The definition after the last attach.

    Raises:
        RefusedError: libvirt refuses one of them.
    """
    policy = LibvirtPolicy(rules)
    for device in devices:
        guest = pinned(placement)
        if device.element not in ("disk", "controller"):
            device = evolved(device, label=f"{device.element}:{next_number(guest, device.element)}")
        check_stored(device, guest, rules)
        placement = policy.place(complete(extended(guest, device), rules))
        validate(placement.guest, placement.addresses)
    return placement


def room_at_next_boot(
    placement: Placement, devices: Iterable[Device], rules: Libvirt = VERSIONS[DEFAULT_VERSION]
) -> tuple[Controller, ...]:
    """Return the fewest PCI controllers that, added to the stored definition, let a guest take devices while it runs.

    Each answer has been tried: the definition with the controllers is placed, no address moves, and every device
    is attached.

    Args:
        placement: the stored definition.
        devices: what is to be attached after the next boot.
        rules: the version of libvirt.

    Returns:
        The controllers, without addresses; empty when none help.
    """
    wanted = list(devices)
    stored = pinned(placement)
    express = stored.machine.express
    kinds = sorted({plug_on(d.plug, express) for d in wanted if d.plug})
    for models in _sets_of_controllers(express, kinds, len(wanted)):
        made = _new_controllers(stored, models)
        if made is not None and _takes(stored, made, wanted, rules):
            return tuple(made)
    return ()


def _sets_of_controllers(express: bool, plugs: list[int], most: int) -> Iterator[tuple[str, ...]]:
    """Yield sets that may do, the smallest of each kind first."""
    if express and len(plugs) > 1:
        recipes = [(ROOM[express, c.CONVENTIONAL][0], ROOM[express, c.EXPRESS][0])]
    else:
        recipes = [((), models) for plug in plugs for models in ROOM.get((express, plug), ())]
    for first, more in recipes:
        for count in range(1, min(most, _MOST_ADDED) + 1):
            yield first + more * count


def _takes(stored: Guest, controllers: list[Controller], devices: list[Device], rules: Libvirt) -> bool:
    """Return whether the guest, booted with more controllers, takes all devices."""
    grown = evolved(stored, controllers=[*stored.controllers, *controllers])
    try:
        placement = LibvirtPolicy(rules).place(complete(grown, rules))
        validate(placement.guest, placement.addresses)
        guest = RunningGuest(placement, rules)
        for device in devices:
            guest.attach(device)
    except RefusedError:
        return False
    return True


def _new_controllers(guest: Guest, models: tuple[str, ...]) -> list[Controller] | None:
    first = 1 + max((d.index or 0 for d in guest.controllers if d.type == "pci"), default=0)
    if first + len(models) - 1 > MAX_INDEX:
        return None
    return [
        Controller("controller", f"pci:{index}", model, type="pci", index=index)
        for index, model in enumerate(models, start=first)
    ]
