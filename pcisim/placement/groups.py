"""Devices that share a slot by wish: all of them in one slot, or none.

A policy places the first of a group, alone in its slot; the others are put beside it.  Devices of the host keep their
function numbers, so that a driver that looks for the other functions of its card finds them; the others get the lowest
that are left, in the order of the definition.  Function 0 is always there, for a guest looks at no other function of a
slot without it (firmware rule 1.1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pcisim.address import FUNCTIONS, MAX_FUNCTION, format_packed
from pcisim.catalogue.devices import plug_on
from pcisim.errors import RefusedError, UsageError
from pcisim.guest import Controller, Device, Guest
from pcisim.placement import Placement, PlacementStep
from pcisim.placement.apart import put_back, without
from pcisim.requests import NO_WISH, Wish

_HOST_PCI = "pci"


def grouped_by_host_slot(guest: Guest, wishes: Mapping[str, Wish]) -> dict[str, Wish]:
    """Return wishes, and that host devices of one slot of the host share a slot in the guest, too, by label.

    Args:
        guest: as it was read; devices with a written address stay where they are.
        wishes: what is wished for beside that; a group that is named there stays as it is.
    """
    slots = by_host_slot(device for device in guest.all_devices() if device.wants and device.on_pci)
    merged = dict(wishes)
    for slot, functions in slots.items():
        for label in [device.label for device in functions.values()] if len(functions) > 1 else ():
            wish = merged.get(label, NO_WISH)
            merged[label] = wish if wish.group else wish._replace(group=f"host slot {slot}")
    return merged


def by_host_slot(devices: Iterable[Device]) -> dict[str, dict[int, Device]]:
    """Return the devices that are PCI devices of the host, by its slot and their function there.

    Args:
        devices: of a guest in which none is there twice.
    """
    slots: dict[str, dict[int, Device]] = {}
    for device in devices:
        host = _host(device)
        if host is not None:
            domain, bus, slot, function = host
            slots.setdefault(f"{domain:04x}:{bus:02x}:{slot:02x}", {})[function] = device
    return slots


def _host(device: Device) -> tuple[int, ...] | None:
    """Return domain, bus, slot and function of the host's PCI device that a device is."""
    host = device.traits.get("host")
    return tuple(host[1:5]) if host and host[0] == _HOST_PCI else None


def groups_of(guest: Guest) -> list[dict[int, Device]]:
    """Return the groups that are wished for, each with the function of its members, function 0 among them.

    Args:
        guest: a completed guest.

    Raises:
        UsageError: a group has more members than a slot has functions, two that want one function, or one that has no
            PCI address to be chosen.
    """
    devices = {d.label: d for d in guest.all_devices()}
    members: dict[str, list[Device]] = {}
    for label, wish in guest.wishes.items():
        if not wish.group:
            continue
        device = devices.get(label)
        if device is None:
            known = ", ".join(devices)
            raise _refused(wish.group, f"there is no device {label!r}", f"there are: {known}")
        if wish.hotpluggable:
            raise _refused(wish.group, f"{label} cannot share a slot and be hot-pluggable")
        if (isinstance(device, Controller) and (device.is_pci or device.ich9)) or not device.plug:
            raise _refused(wish.group, f"{label} is not a device that can share a slot by wish")
        if not device.wants:
            raise _refused(wish.group, f"the address of {label} is explicit", "take it out")
        members.setdefault(wish.group, []).append(device)
    order = {device: place for place, device in enumerate(guest.all_devices())}
    return [_functions(name, sorted(group, key=lambda d: order[d])) for name, group in members.items()]


def _functions(name: str, group: list[Device]) -> dict[int, Device]:
    if len(group) > FUNCTIONS:
        raise _refused(name, f"it has {len(group)} devices, and a slot {FUNCTIONS} functions")
    functions: dict[int, Device] = {}
    for device in group:
        host = _host(device)
        if host is not None:
            other = functions.setdefault(host[-1], device)
            if other is not device:
                both = f"{other.label} and {device.label} both have function {host[-1]} of their host slot"
                raise _refused(name, both)
    left = (function for function in range(FUNCTIONS) if function not in functions)
    functions.update([(next(left), device) for device in group if _host(device) is None])
    if 0 not in functions:
        functions[0] = functions.pop(min(functions))
    return dict(sorted(functions.items()))


def _refused(group: str, *details: str) -> UsageError:
    return UsageError(f"group {group!r} cannot share a slot", code="group", details=details)


def place_groups(guest: Guest, place: Callable[[Guest], Placement]) -> Placement:
    """Place a guest, each group in one slot.

    Args:
        guest: a completed guest; it is not changed.
        place: places a completed guest.

    Raises:
        UsageError: see `groups_of`.
        RefusedError: the guest is refused, or a bus does not accept a member beside the first one.
    """
    groups = groups_of(guest)
    beside = {device for group in groups for function, device in group.items() if function}
    wishes = {label: wish for label, wish in guest.wishes.items() if not wish.group}
    wishes |= {group[0].label: _wish_of(group, guest) for group in groups}
    made = place(without(guest, beside, wishes))
    known = {d.label: d for d in made.guest.all_devices()}
    for group in groups:
        first = made.addresses.get(known[group[0].label])
        if first is None or first & MAX_FUNCTION:
            raise RefusedError(
                f"{group[0].label} has no slot that others can share", code="group", parties=(group[0].label,)
            )
        for function, device in group.items():
            if function:
                made.topology.reserve(first | function, plug_on(device.plug, guest.express), device)
                made.addresses[device] = first | function
                remark = f"shares slot {format_packed(first)} of {group[0].label}, as is wished"
                made.log[device] = [PlacementStep(remark)]
                made.multifunction[known[group[0].label]] = "on"
    put_back(made, guest, beside)
    return made


def _wish_of(group: Mapping[int, Device], guest: Guest) -> Wish:
    """Return what the first of a group is wished for: a slot of the group, on the NUMA node that any of them names.

    Raises:
        UsageError: they name different ones.
    """
    wishes = {device.label: guest.wishes[device.label] for device in group.values()}
    nodes = {(wish.node, wish.complex): f"{label} has {wish.where}" for label, wish in wishes.items() if wish.where}
    if len(nodes) > 1:
        raise _refused(wishes[group[0].label].group, *nodes.values())
    node, complex_ = next(iter(nodes), (None, 0))
    return Wish(group=wishes[group[0].label].group, node=node, complex=complex_)


def shares_by_wish(guest: Guest) -> bool:
    """Return whether a group is wished for."""
    return any(wish.group for wish in guest.wishes.values())
