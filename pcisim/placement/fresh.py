"""The closed form of a fresh guest: nothing but PCI Express devices, no address and no controller written down.

libvirt then gives each device a root port of its own, in its order, eight ports a slot from the
first empty slot of bus 0 on, and adds a spare port.  Whoever wants addresses and nothing else
need not have such a guest placed; what is not as plain as that is left to the policy.

Source: sections 4 to 7 of the rules, for which this holds on q35 in both versions; the tests
compare it with the policy.
"""

from __future__ import annotations

from pcisim.address import FUNCTIONS, pack
from pcisim.catalogue.devices import PLACED, PLUGS
from pcisim.catalogue.machines import ARCHITECTURES, Q35, SATA_0
from pcisim.connector import EXPRESS
from pcisim.guest import Controller, Device, Guest

_ON_PORTS = ("interface", "disk", "memballoon", "rng")
_ELSEWHERE = {"serial": ("", "isa-serial"), "console": ("",), "input": ("",)}
"""Elements that need no place, and the models of theirs that are as plain as that."""
_ORDER = tuple(element for element in PLACED if element in _ON_PORTS or element == "controller")
_VIDEO_SLOT = Q35.video_slot or 0
_LAST_PORT = 0x1E << 3 | FUNCTIONS - 1
"""The last function of the slots before those of the chipset."""
_USB_PLUG = PLUGS["controller/usb"][Q35.usb or ""]
_BALLOON_PLUG = PLUGS["memballoon"]["virtio"]


class Fresh:
    """A fresh guest in its places.

    Args:
        devices: the packed address of every device, implied ones included, but of PCI controllers.
        ports: the packed address of each root port, from index 1 on; the last one is the spare.
    """

    __slots__ = ("devices", "ports")

    def __init__(self, devices: dict[Device, int], ports: range) -> None:
        self.devices = devices
        self.ports = ports


def fresh(guest: Guest) -> Fresh | None:
    """Return the places of a guest as it was read, ``None`` when it is not a fresh one.

    Args:
        guest: not completed; it is not changed.
    """
    devices = guest.devices
    if guest.controllers or guest.machine is not Q35 or guest.arch not in ARCHITECTURES:
        return None
    for element, row in devices.items():
        if element in _ON_PORTS:
            for device in row:
                if (
                    device.plug != EXPRESS
                    or device.address_type is not None
                    or device.defaults
                    or device.acpi_index is not None
                    or device.bus == "hostdev"
                ):
                    return None
        elif not (_is_primary_video(row) if element == "video" else _are_elsewhere(element, row)):
            return None
    videos, balloons = devices.get("video"), devices.get("memballoon")
    if (guest.graphics and not videos) or (balloons and len(balloons) > 1):
        return None
    placed: dict[Device, int] = {}
    bus = 1
    for element in _ORDER:
        if element == "controller":
            row = [Controller("controller", "usb:0", Q35.usb or "", _USB_PLUG, type="usb", index=0)]
        elif element == "disk":
            row = sorted(devices.get(element, ()), key=_unit)
        elif element == "memballoon":
            row = balloons or [Device(element, "memballoon:0", "virtio", _BALLOON_PLUG)]
        else:
            row = devices.get(element, [])
        for device in row:
            placed[device] = bus << 8
            bus += 1
    sata = Controller("controller", "sata:0", type="sata", index=0)
    placed[sata] = pack(0, *SATA_0)
    first = pack(0, _VIDEO_SLOT)
    if videos:
        placed[videos[0]] = first
        first += FUNCTIONS
    ports = range(first, first + bus)
    return Fresh(placed, ports) if ports[-1] <= _LAST_PORT else None


def _unit(disk: Device) -> int:
    return -1 if disk.unit is None else disk.unit


def _is_primary_video(row: list[Device]) -> bool:
    video = row[0]
    return (
        len(row) == 1
        and bool(video.plug)
        and video.address_type is None
        and video.acpi_index is None
        and (not video.defaults)
    )


def _are_elsewhere(element: str, row: list[Device]) -> bool:
    models = _ELSEWHERE.get(element)
    return models is not None and not any(
        d.plug or d.address_type is not None or d.acpi_index is not None or d.bus == "virtio" or d.model not in models
        for d in row
    )
