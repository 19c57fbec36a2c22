"""A guest of a fleet, asked of the scalar engine; and random fleets."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pcisim
from pcisim.capacity.max_count import how_many_more_under
from pcisim.capacity.report import room
from pcisim.catalogue.devices import DEVICE_MODELS
from pcisim.catalogue.versions import VERSIONS
from pcisim.errors import RefusedError
from pcisim.fleet import OWNERS, FleetPlan
from pcisim.guest import Controller, Device, Guest
from pcisim.hotplug import RunningGuest
from pcisim.policies import policy_of

RARE = frozenset(
    {
        "virtio-balloon",
        "vhost-vsock",
        "acpi-erst",
        "virtio-iommu",
        "pvpanic",
        "vga",
        "cirrus-vga",
        "vmware-svga",
        "bochs-display",
    }
)
"""Devices of which libvirt takes one at most."""


@dataclass(frozen=True)
class Row:
    """What a fleet plan says of one guest."""

    addresses: list[int]
    owners: list[str]
    buses: int
    ports: int
    free_cold: tuple[int, int]
    free_hot: tuple[int, int]


def guest(machine: str, names: list[str], counts: list[int]) -> Guest:
    """Return the guest of a row of counts."""
    return Guest.of(machine, dict(zip(names, counts, strict=True)))


def scalar_row(machine: str, names: list[str], counts: list[int], policy: str = "libvirt") -> Row | None:
    """Return what `pcisim.assign` says of a guest; `None` when it is refused."""
    try:
        plan = pcisim.assign(guest(machine, names, counts), policy)
    except RefusedError:
        return None
    devices = {device.label: device for device in plan.placement.guest.all_devices()}
    left = room(plan.topology)
    return Row(
        [int(address) for address in plan.addresses.values()],
        [_name(devices[label]) for label in plan.addresses],
        len(plan.topology.buses),
        sum(bus.model.is_port for bus in plan.topology.buses),
        (left.express_cold, left.conventional_cold),
        (left.express_hot, left.conventional_hot),
    )


def _name(device: Device) -> str:
    if device.row:
        return device.row
    if isinstance(device, Controller) and device.type == "pci":
        return device.model
    element = f"controller/{device.type}" if isinstance(device, Controller) else device.element
    return next(row.name for row in DEVICE_MODELS.values() if (row.element, row.model) == (element, device.model))


def fleet_row(plan: FleetPlan, number: int) -> Row | None:
    """Return what a fleet plan says of a guest; `None` when it is refused."""
    addresses, owners = plan.row(number)
    cold, hot = plan.free_cold[number].tolist(), plan.free_hot[number].tolist()
    row = Row(
        addresses.tolist(),
        [OWNERS[code] for code in owners.tolist()],
        int(plan.buses[number]),
        int(plan.ports[number]),
        (cold[0], cold[1]),
        (hot[0], hot[1]),
    )
    if plan.fits[number]:
        return row
    assert row == Row([], [], 0, 0, (0, 0), (0, 0))
    return None


def scalar_cold(machine: str, names: list[str], counts: list[int], of: str, policy: str = "libvirt") -> int:
    """Return how many more of a device a guest takes when it is defined with them."""
    try:
        rules = VERSIONS["12.9"]
        under: Any = policy_of(policy, rules)
        return how_many_more_under(guest(machine, names, counts), of, under).most
    except RefusedError:
        return -1


def scalar_hot(machine: str, names: list[str], counts: list[int], of: str, most: int, policy: str = "libvirt") -> int:
    """Return how many of a device can be attached to a running guest, one after the other, up to a number."""
    try:
        running = RunningGuest(pcisim.assign(guest(machine, names, counts), policy).placement)
    except RefusedError:
        return -1
    for count in range(most):
        known = {device.label for device in running.definition.all_devices()}
        grown = running.definition.extended({of: 1})
        try:
            running.attach(next(device for device in grown.all_devices() if device.label not in known))
        except RefusedError:
            return count
    return most


def random_counts(random: Random, names: list[str], guests: int, scale: int) -> NDArray[np.int64]:
    """Return random counts: many zeros, mostly small numbers, some up to a scale; what is rare at most twice."""

    def count(name: str) -> int:
        if name in RARE:
            return random.choice([0, 0, 0, 1, 1, 1, 1, 2] if random.random() < 0.1 else [0, 0, 0, 1])
        return 0 if random.random() < 0.4 else int(random.random() ** 3 * scale + random.random())

    return np.array([[count(name) for name in names] for _ in range(guests)], np.int64).reshape(guests, len(names))
