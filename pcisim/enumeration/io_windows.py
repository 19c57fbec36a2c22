"""I/O ports: which bridges ask for a window, and whether the firmware has enough.

A bridge's window is 4 KiB at least, whatever is behind it.  SeaBIOS stops with "out of I/O address
space" when the windows of bus 0 and the ports of the devices on it do not fit; the machine then never
boots.  OVMF boots, and leaves bridges without windows.

Source: measured on QEMU 7.2 with SeaBIOS 1.16.2 and OVMF 2022.11; QEMU 10.0's SeaBIOS stops at the
same counts.  Every figure here is of those versions.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from pcisim.catalogue.connectors import CONVENTIONAL, EXPRESS
from pcisim.catalogue.controllers import EXPANDERS, PCI_CONTROLLERS, SHPC_BRIDGES
from pcisim.catalogue.profiles import DEFAULT_PROFILE, WINDOW, IoRoom, Profile
from pcisim.errors import ranged
from pcisim.guest import Controller, Device, Guest
from pcisim.placement import Placement
from pcisim.qemu.device_names import driver_of

BUILT_IN_PORTS = MappingProxyType({"q35": 64, "i440fx": 0})
"""Bytes of ports of built-in devices of bus 0 that no definition lists: q35's SMBus controller."""


class IoBudget(NamedTuple):
    """What a topology asks of a firmware.

    Args:
        profile: the room of the firmware, ``None`` where it was not measured.
        asking: the labels of the bridges that ask for a window, in order of index.
        bytes: the sum of the windows and ports on bus 0.
        unknown: the labels of devices whose I/O ports are not known (host devices).
        windows: the sum of the windows on bus 0, as a number of windows of 4 KiB; what hangs deeper is inside of them.
        room: how many of these the firmware has; ``None`` where it was not measured.
    """

    profile: IoRoom | None
    asking: tuple[str, ...]
    bytes: int
    unknown: tuple[str, ...]
    windows: int
    room: int | None

    @property
    def bridges(self) -> str:
        """Return who asks, in words: ``pci:1-3,5``."""
        return f"pci:{ranged(int(label.partition(':')[2]) for label in self.asking)}" if self.asking else "none"

    @property
    def boots(self) -> bool | None:
        """Return whether the firmware gets past its I/O windows; ``None`` when that is not known."""
        if self.profile is None:
            return None
        return not self.profile.fatal or self.bytes < self.profile.room


def profile_of_guest(guest: Guest | None) -> Profile:
    """Return the QEMU and the firmware that a guest was placed for; the newest if no libvirt has completed it."""
    return DEFAULT_PROFILE if guest is None or guest.rules is None else guest.rules.profile


def io_budget(placement: Placement) -> IoBudget:
    """Return what a placed guest asks of its firmware in I/O ports.

    Args:
        placement: a placed guest; its `firmware` decides who is asked.
    """
    guest = placement.guest
    buses = placement.topology.buses
    controllers = {d.index: d for d in guest.controllers if d.is_pci}
    own = [0] * len(buses)
    unknown: list[str] = []
    bridges: list[tuple[Controller, int]] = []
    for device, number, ports in io_ports(placement):
        if ports is None:
            unknown.append(device.label)
        elif isinstance(device, Controller) and device.is_pci:
            bridges.append((device, number))
        else:
            own[number] += ports
    profile = profile_of_guest(guest).io_room(guest.firmware, guest.machine.family)
    all_ask = profile is not None and profile.all_ask
    below = {controller.index: number for controller, number in bridges}
    roots = [number for number in range(len(buses)) if number not in below]
    windows = _windows(own, bridges, roots, all_ask=all_ask)
    asking = [
        d.label
        for index, d in sorted(controllers.items(), key=lambda item: item[0] or 0)
        if windows.get(index) and d.model not in EXPANDERS
    ]
    forwarded = sum(size for index, size in windows.items() if below.get(index) in roots)
    total = BUILT_IN_PORTS.get(guest.machine.family, 0) + sum(own[number] for number in roots[:1]) + forwarded
    room = None
    if profile is not None:
        occupied = any(ports for number, ports in enumerate(own) if number not in roots)
        room = profile.occupied if occupied else profile.windows
    return IoBudget(profile, tuple(asking), total, tuple(unknown), forwarded // WINDOW, room)


def io_ports(placement: Placement) -> Iterator[tuple[Device, int, int | None]]:
    """Yield each device with its bus and the bytes of its I/O ports: 0 for a bridge, ``None`` where not known.

    Args:
        placement: a placed guest.
    """
    guest = placement.guest
    buses = placement.topology.buses
    express = [bool(bus.model.accepts & EXPRESS) for bus in buses]
    alike: dict[tuple[object, ...], int | None] = {}
    first_video = next(iter(guest.devices.get("video", ())), None)
    for device, packed in placement.addresses.items():
        number = packed >> 8
        if number >= len(buses) or device.mirrors is not None or not device.on_pci:
            continue
        if isinstance(device, Controller) and device.is_pci:
            yield device, number, 0
            continue
        kind = device.type if isinstance(device, Controller) else device.kind
        where = express[number], express[number] and not number
        what = device.element, kind, device.model, device.bus, device.row, device is first_video, where
        if what not in alike:
            alike[what] = _ports(driver_of(device, guest), express=where[0], root=where[1])
        yield device, number, alike[what]


def stops(placement: Placement) -> IoBudget | None:
    """Return the budget of a guest whose firmware stops for want of I/O ports, else ``None``."""
    guest = placement.guest
    profile = profile_of_guest(guest).io_room(guest.firmware, guest.machine.family)
    if profile is None or not profile.fatal:
        return None
    # Modern virtio behind a port has no ports, so that most guests need no closer look.
    buses = placement.topology.buses
    most = sum(bool(bus.model.accepts & CONVENTIONAL) for bus in buses) + len(placement.addresses) // 32
    for device in placement.addresses:
        if device.element == "controller":
            most += isinstance(device, Controller) and not device.is_pci
        else:
            most += not device.model.startswith("virtio") or device.model == "virtio-transitional"
    if most < profile.windows:
        return None
    budget = io_budget(placement)
    return None if budget.boots else budget


def _windows(
    own: list[int], bridges: list[tuple[Controller, int]], roots: list[int], *, all_ask: bool
) -> dict[int | None, int]:
    """Return the size of the window that each bridge asks for, by its index; what no root leads to has none."""
    children: dict[int, list[Controller]] = {}
    for controller, number in bridges:
        children.setdefault(number, []).append(controller)
    downwards = [controller for number in roots for controller in children.get(number, ())]
    for controller in downwards:
        downwards += children.get(controller.index or 0, ())
    windows: dict[int | None, int] = {}
    for controller in reversed(downwards):
        index = controller.index or 0
        behind = own[index] if index < len(own) else 0
        behind += sum([windows[child.index] for child in children.get(index, ()) if child.index in windows])
        if controller.model in EXPANDERS and PCI_CONTROLLERS[controller.model].own_bus_numbers == 1:
            windows[index] = behind
        elif behind or controller.model in SHPC_BRIDGES or (all_ask and controller.model not in EXPANDERS):
            windows[index] = max(WINDOW, -(-behind // WINDOW) * WINDOW)
    return windows


@cache
def _ports(driver: str, *, express: bool, root: bool) -> int | None:
    """Return the bytes of I/O ports of QEMU's device on a kind of bus; ``None`` when that was not measured."""
    from pcisim.catalogue.functions import function_at, is_measured  # 3 ms, so not before it is needed

    if not driver or not is_measured(driver):
        return None if driver else 0
    function = function_at(driver, express_bus=express, root_bus=root)
    return sum(bar.size for bar in function.bars if bar.kind == "io")
