"""A placed guest as a definition in which every address is explicit."""

from __future__ import annotations

from pcisim.guest import Controller, Device, Guest, evolved
from pcisim.placement import Placement
from pcisim.requests import Wish


def pinned(placement: Placement) -> Guest:
    """Return a placed guest with its addresses, and on s390 their numbers, as libvirt stores it.

    Args:
        placement: a placed guest.
    """
    addresses, multifunction, zpci = placement.addresses, placement.multifunction, placement.zpci

    def pin(device: Device) -> Device:
        packed = addresses.get(device)
        if packed is None or device.mirrors is not None:
            return device
        flag = multifunction.get(device)
        ids = None if device in placement.overwritten else zpci.get(device, device.zpci)
        return evolved(device, address=packed, address_type="pci", multifunction=flag, zpci=ids)

    guest = placement.guest
    return evolved(
        guest,
        devices={element: [pin(d) for d in devices] for element, devices in guest.devices.items()},
        controllers=[d for d in (pin(d) for d in guest.controllers) if isinstance(d, Controller)],
        # a group and a node are wishes about addresses to be chosen, and have come true
        wishes={label: Wish(wish.hotpluggable) for label, wish in guest.wishes.items() if wish.hotpluggable},
    )
