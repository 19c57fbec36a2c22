"""A placed guest as a definition in which every address is written down."""

from __future__ import annotations

from pcisim._record import evolved
from pcisim.guest import Controller, Device, Guest
from pcisim.placement import Placement


def pinned(placement: Placement) -> Guest:
    """Return a placed guest with its addresses, as libvirt stores it.

    Args:
        placement: a placed guest.
    """
    addresses, multifunction = placement.addresses, placement.multifunction

    def pin(device: Device) -> Device:
        packed = addresses.get(device)
        if packed is None or device.mirrors is not None:
            return device
        return evolved(device, address=packed, address_type="pci", multifunction=multifunction.get(device))

    guest = placement.guest
    return evolved(
        guest,
        devices={element: [pin(d) for d in devices] for element, devices in guest.devices.items()},
        controllers=[d for d in (pin(d) for d in guest.controllers) if isinstance(d, Controller)],
    )
