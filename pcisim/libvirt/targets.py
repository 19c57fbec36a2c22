"""What follows from the addresses: multifunction bits, names and numbers of controllers.

Source: libvirt rule 7.
"""

from __future__ import annotations

from pcisim.address import MAX_FUNCTION, MAX_SLOT
from pcisim.catalogue.controllers import FIRST_BUS_NR, HOST_BRIDGE, MOST_HOST_BRIDGES, pci_controller
from pcisim.catalogue.devices import ADDRESS_READDRESSED
from pcisim.guest import Controller, Device, Guest, evolved, refuse


def multifunction(addresses: dict[Device, int]) -> dict[Device, str]:
    """Return the multifunction attribute of every device that carries one (libvirt rule 7.1).

    Args:
        addresses: the packed address of each device; no two are the same.
    """
    carried: dict[Device, str] = {}
    shared = {packed & ~MAX_FUNCTION for packed in addresses.values() if packed & MAX_FUNCTION}
    for device, packed in addresses.items():
        if device.address is not None and device.multifunction:
            carried[device] = device.multifunction
        elif packed in shared or (device.address is None and device.model == "ich9-uhci1"):
            carried[device] = "on"
    return carried


def readdress(guest: Guest, addresses: dict[Device, int]) -> None:
    """Take away addresses that become ones of another type, and give the first console that of its serial port.

    Args:
        guest: the guest.
        addresses: the packed address of each device; it is changed.
    """
    for element, model in ADDRESS_READDRESSED:
        for device in guest.devices.get(element, ()):
            if device.model == model:
                addresses.pop(device, None)
    for console in guest.devices.get("console", ())[:1]:
        if console.mirrors is not None and console.mirrors in addresses:
            addresses[console] = addresses[console.mirrors]


def with_own_bridges(guest: Guest) -> Guest:
    """Return a guest with PCI controllers of its own, which `settle_controllers` may then change."""
    return evolved(guest, controllers=[evolved(d) if d.is_pci else d for d in guest.controllers])


def settle_controllers(
    controllers: list[Controller], addresses: dict[Device, int], *, host_bridges: bool = False
) -> None:
    """Fill in the model names and numbers of the PCI controllers (libvirt rule 7.2), in list order.

    Args:
        controllers: the controllers; they are changed.
        addresses: the packed address of each.
        host_bridges: whether each pci-root is a host bridge.

    Raises:
        RefusedError: a pci-bridge hangs on a bus that does not come before it, or no bus
            number is left for an expander, or no number for a host bridge.
    """
    for controller in controllers:
        if not controller.is_pci:
            continue
        row = pci_controller(controller.model, host_bridges=host_bridges)
        packed = addresses.get(controller)
        bus, slot, function = controller.read_as
        if packed is not None:
            bus, slot, function = packed >> 8, packed >> 3 & MAX_SLOT, packed & MAX_FUNCTION
        index = controller.index or 0
        if controller.model == "pci-bridge" and bus >= index:
            raise refuse(
                controller,
                f"PCI controller at index {index} ({index:#04x}) has bus='{bus:#04x}',"
                " but index must be larger than bus",
                "bridge-order",
                "give the bridge a higher index than the bus it sits on, or add a bus that takes it"
                " (q35: a pcie-root-port and a pcie-to-pci-bridge)",
            )
        target = dict(controller.target)
        if row.plug:
            for option in row.options:
                if option in ("chassis", "chassisNr"):
                    target.setdefault(option, index)
                elif option == "port":
                    target.setdefault(option, row.port_number(slot, function))
        if "busNr" in row.options and "busNr" not in target:
            target["busNr"] = _next_bus_nr(controller, controllers)
        if row is HOST_BRIDGE and "index" not in target:
            target["index"] = _next_host_bridge(controller, controllers) if index else 0
        model_name = controller.model_name or (row.model_names[0] if row.model_names else "")
        controller.target = target
        controller.model_name = model_name


_UNKNOWN = 0
"""The index that libvirt names in such a refusal, whichever controller it is about."""


def _next_host_bridge(controller: Controller, controllers: list[Controller]) -> int:
    """Return the lowest number that no host bridge has of those whose model is known by now."""
    taken = {d.target["index"] for d in controllers if d.model_name in HOST_BRIDGE.model_names and "index" in d.target}
    free = next((number for number in range(1, MOST_HOST_BRIDGES + 1) if number not in taken), None)
    if free is None:
        raise refuse(
            controller,
            f"No usable target index found for {_UNKNOWN}",
            "no-host-bridge",
            "use fewer host bridges",
            f"a host bridge has a number from 0 to {MOST_HOST_BRIDGES - 1}",
        )
    return free


def _next_bus_nr(controller: Controller, controllers: list[Controller]) -> int:
    lowest = min((c.target["busNr"] for c in controllers if "busNr" in c.target), default=FIRST_BUS_NR)
    if lowest <= 2:
        raise refuse(
            controller,
            "No free busNr lower than current lowest busNr is available to auto-assign"
            f" to bus {_UNKNOWN}. Must be manually assigned",
            "no-bus-number",
            "write <target busNr='...'/> on each expander, leaving room above each for the buses below it",
            f"it is {controller.label} that gets none: the lowest busNr is {lowest}",
        )
    return lowest - 2
