"""A definition with one device more or less, and a copy of a topology."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pcisim.address import whole_number
from pcisim.guest import Controller, Device, Guest, evolved
from pcisim.topology import Topology


def next_number(guest: Guest, element: str) -> int:
    """Return the number of the next device of an element: one above the highest."""
    labels = (d.label.partition(":")[2] for d in guest.devices.get(element, ()))
    return max((whole_number(number) for number in labels if number.isdecimal()), default=-1) + 1


def extended(guest: Guest, more: Iterable[Device]) -> Guest:
    """Return a guest with more devices, each last of its kind."""
    controllers = list(guest.controllers)
    devices = {element: list(of_element) for element, of_element in guest.devices.items()}
    for device in more:
        if isinstance(device, Controller):
            controllers.append(device)
        else:
            devices.setdefault(device.element, []).append(device)
    return evolved(guest, devices=devices, controllers=controllers)


def reduced(guest: Guest, label: str) -> Guest:
    """Return a guest without a device, and without the console that is another name for it."""
    return evolved(
        guest,
        devices={
            element: [d for d in devices if d.label != label and (d.mirrors is None or d.mirrors.label != label)]
            for element, devices in guest.devices.items()
        },
        controllers=[d for d in guest.controllers if d.label != label],
    )


def settled(trial: Guest, before: Guest, attached: list[Device], places: Mapping[Device, int]) -> Guest:
    """Return the guest with the attached at their places, which are written down now."""
    known = {d.label for d in before.all_devices()}
    fresh = {d.label: d if d not in places else evolved(d, address=places[d], address_type="pci") for d in attached}
    return evolved(
        trial,
        devices={
            element: [d if d.label in known else fresh.get(d.label, d) for d in devices]
            for element, devices in trial.devices.items()
        },
        controllers=[
            made if isinstance(made := d if d.label in known else fresh.get(d.label, d), Controller) else d
            for d in trial.controllers
        ],
    )


def copied(topology: Topology) -> Topology:
    """Return a topology with the same buses and owners, to be changed without the other."""
    made = Topology(integrated_conventional=topology.integrated_conventional, spoken_for=topology.spoken_for)
    for bus in topology.buses:
        copy = made.add_bus(bus.model)
        copy.used, copy.free, copy.full, copy.shared = bus.used, bus.free, bus.full, bus.shared
    made.owners = dict(topology.owners)
    made.hotplug_off = set(topology.hotplug_off)
    return made
