"""The way to each device, and which PCI controller is which.

A place is the way to a device from the root bus, by slot and function: that is what the guest
sees.  The bus in an address is only the index of a controller, which may change without anything
moving, or stay while the controller itself moves.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

from pcisim.compare.matching import ALIAS, INDEX, PLACE, Matcher, Matching, is_pci_controller, user_alias
from pcisim.guest import Controller, Device
from pcisim.placement import Placement

MODEL = "model"


def paths(placement: Placement) -> dict[Device, str]:
    """Return the way to each device from the root bus, by slot and function: ``02.4/00.0``.

    A bus that cannot be reached from the root (libvirt lets controllers sit on each other in a
    circle) is named by its index: ``(3)/00.0``.
    """
    addresses = placement.addresses
    holders = {d.index: addresses[d] for d in placement.guest.controllers if d.is_pci and d in addresses}
    ways: dict[int, str] = {0: ""}

    def way(bus: int, above: tuple[int, ...] = ()) -> str:
        if bus not in ways:
            if bus in above or bus not in holders:
                return f"({bus})/"
            packed = holders[bus]
            found = f"{way(packed >> 8 & 0xFF, (*above, bus))}{_slot(packed)}/"
            if "(" in found:
                found = f"({bus})/"
            ways[bus] = found
        return ways[bus]

    return {device: way(packed >> 8 & 0xFF) + _slot(packed) for device, packed in addresses.items()}


def _slot(packed: int) -> str:
    return f"{packed >> 3 & 0x1F:02x}.{packed & 7}"


def match_pci_controllers(old: Placement, new: Placement, *, by_index: bool = False) -> Matching:
    """Match the PCI controllers of two placed guests, the roots left out.

    By the alias that a user gave first, then by index and model, then by place.  When fewer would
    have changed that way, the places count first: then controllers merely have other numbers.

    Args:
        old: the old guest.
        new: the new guest.
        by_index: whether indexes count first in any case.
    """
    before, after = paths(old), paths(new)
    first = _match_buses(old, new, before | after, ((INDEX, MODEL), (PLACE, MODEL), (PLACE,)))
    other = _match_buses(old, new, before | after, ((PLACE, MODEL), (INDEX, MODEL), (PLACE,)))

    def disturbed(matching: Matching) -> int:
        moved = sum(before[pair.old] != after[pair.new] for pair in matching.pairs)
        renumbered = sum(index_of(pair.old) != index_of(pair.new) for pair in matching.pairs)
        return renumbered + 2 * (moved + len(matching.old) + len(matching.new))

    return first if by_index else min(other, first, key=disturbed)


def _match_buses(old: Placement, new: Placement, ways: dict[Device, str], tiers: Iterable[tuple[str, ...]]) -> Matching:
    def key(parts: tuple[str, ...]) -> Callable[[Device], Hashable]:
        def of(device: Device) -> Hashable:
            values = {PLACE: ways[device], INDEX: index_of(device), MODEL: device.model}
            return tuple(values[part] for part in parts)

        return of

    work = Matcher(_pci_controllers(old), _pci_controllers(new))
    work.unique(user_alias, ALIAS)
    work.unique(key((INDEX, PLACE, MODEL)), INDEX)
    for parts in tiers:
        work.unique(key(parts), parts[0])
    return Matching(tuple(work.pairs), tuple(work.old), tuple(work.new), ())


def _pci_controllers(placement: Placement) -> list[Device]:
    return [device for device in placement.addresses if is_pci_controller(device)]


def index_of(device: Device) -> str:
    """Return the index of a PCI controller as text; "" for any other device."""
    return str(device.index) if isinstance(device, Controller) and device.is_pci else ""
