"""Where a running Linux guest finds what is plugged into it.

Source: firmware rule 7.1.
"""

from __future__ import annotations

from collections.abc import Iterable

from pcisim.address import MAX_FUNCTION, MAX_SLOT, GuestAddress, PciAddress
from pcisim.catalogue.x86_machines import X86
from pcisim.enumeration import enumerate_guest
from pcisim.placement import Placement

Sight = tuple[GuestAddress | None, str]
"""Where the guest finds a function; ``None``, and why not."""


def seen_when_plugged(placement: Placement, addresses: Iterable[PciAddress]) -> list[Sight]:
    """Return where the guest finds functions that are plugged in while it runs.

    A running guest keeps the bus numbers that the firmware gave when it booted.

    Args:
        placement: the guest as it booted.
        addresses: what is plugged in, in this order.
    """
    arch = placement.guest.arch
    if arch not in X86:
        return [(None, f"where a guest of {arch} finds it is not covered") for _ in addresses]
    view = enumerate_guest(placement, placement.guest.firmware)
    numbers: dict[int, int | None] = {0: 0}
    for controller in placement.guest.controllers:
        if controller.is_pci and controller.index:
            function = view.find(controller.label)
            known = function is not None and function.address is not None and function.numbers is not None
            numbers[controller.index] = function.numbers.secondary if known else None  # type: ignore[union-attr]
    held = set(placement.topology.owners)
    sights: list[Sight] = []
    for address in addresses:
        number, packed = numbers.get(address.bus), int(address)
        if number is None:
            sights.append((None, f"bus {address.bus} is not there for the guest"))
        elif address.function and packed & ~MAX_FUNCTION not in held:
            why = f"not before function 0 of slot {address.slot:#04x} is plugged in: that has to come last"
            sights.append((None, why))
        else:
            sights.append((GuestAddress.of(number, address.slot & MAX_SLOT, address.function), ""))
        held.add(packed)
    return sights
