"""Whether a placed guest is worth a closer look, found out cheaply.

libvirt accepts guests that the emulator does not start, or whose devices the guest never sees.
`pcisim.diagnose` finds out which and why; most guests need not wait for it.
"""

from __future__ import annotations

from pcisim.address import MAX_FUNCTION, pack
from pcisim.catalogue.controllers import EXPANDERS
from pcisim.catalogue.devices import DIMMS, DRIVERS
from pcisim.catalogue.x86_machines import IDE_0
from pcisim.guest import Controller
from pcisim.placement import Placement

_ODD = frozenset({("vsock", "virtio-transitional"), ("controller", "vt82c686b-uhci")})
"""Devices that QEMU has not, though libvirt knows what it would call them."""
_MANY = 40
"""More bridges than this may nest deeper than the emulator has names for."""


def is_doubtful(placement: Placement) -> bool:
    """Return whether anything suggests that the guest does not start, or loses devices.

    ``False`` is certain as far as slots, functions and the numbers and order of controllers go;
    ``True`` only says that it is worth asking.
    """
    return _slots(placement) or _controllers(placement) or _acpi_indexes(placement) or _devices(placement)


def _slots(placement: Placement) -> bool:
    owners, multifunction = placement.topology.owners, placement.multifunction
    ide = pack(0, *IDE_0) if placement.guest.machine.family == "i440fx" else -1
    for packed, owner in owners.items():
        if packed & MAX_FUNCTION:
            first = owners.get(packed & ~MAX_FUNCTION)
            if first is None or multifunction.get(first) == "off":  # type: ignore[call-overload]
                return True
            if packed == ide and (not isinstance(owner, Controller) or owner.type != "ide"):
                return True
    return False


def _controllers(placement: Placement) -> bool:
    made = {0}
    chassis: set[object] = set()
    bridges = ports = 0
    for controller in placement.guest.controllers:
        packed = placement.addresses.get(controller)
        if not controller.is_pci or packed is None:
            continue
        made.add(controller.index or 0)
        if packed >> 8 not in made or controller.model in EXPANDERS:
            return True
        if "chassis" in controller.target:
            ports += 1
            chassis.add(controller.target["chassis"])
        bridges += controller.model != "pcie-root-port"
    return len(chassis) < ports or bridges > _MANY


def _acpi_indexes(placement: Placement) -> bool:
    return any(device.acpi_index is not None for device in placement.addresses)


def _devices(placement: Placement) -> bool:
    """Return whether a device may be none that QEMU has, or has on PCI."""
    for device in placement.addresses:
        row = device.element, device.model
        if row in _ODD or (not device.on_pci and device.mirrors is None):
            return True
        if device.element == "interface" and row not in DRIVERS and device.bus != "hostdev":
            return True
    memory = placement.guest.devices.get("memory", ())
    return any((device.element, device.model) in DIMMS and device.address is not None for device in memory)
