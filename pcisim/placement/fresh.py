"""The closed form of a fresh guest: no address and no PCI controller is written down.

libvirt's two passes then come down to arithmetic.  First the fixed places are given: the first video device's, ICH9
sound's, SATA's, and on pc those of IDE and USB controller 0.  The others look for one, in the order of rule 6.4.

pc.  The empty slots of bus 0 come first, then slots 1 to 31 of each bridge.  As many bridges are added as are missing
when an imaginary device looks for a place too; they are placed before the devices.

q35.  Each express device brings a root port, the first conventional one a root port and a pcie-to-pci-bridge, each 31
more a pci-bridge; where any was brought, one more port is spare.  Buses are numbered as they are brought.  Ports share
slots by eight, integrated devices follow in slots of their own.  The pcie-to-pci-bridge takes the first port, the other
bridges and then the conventional devices take slots 1 to 31 of the conventional buses, express devices the other ports.

What does not fit so is left to the policy, which knows what to say.

Source: sections 4 to 7 of the rules; the tests compare it with the policy, version by version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import repeat

from pcisim import connector as c
from pcisim.address import FUNCTIONS, MAX_SLOT, pack
from pcisim.catalogue.controllers import MAX_INDEX, ROOT_MODELS
from pcisim.catalogue.devices import ADDRESS_READDRESSED, PLACED
from pcisim.catalogue.machines import I440FX, ICH9_SOUND_SLOT, IDE_0, Q35, SATA_0, USB_0, Machine
from pcisim.guest import IGNORED, Controller, Device, Guest

TYPE_CHECKING = False
if TYPE_CHECKING:
    Key = Device | int
    Wanting = list[tuple[int, Key]]

_SLOTS = {I440FX.family: range(2, MAX_SLOT + 1), Q35.family: range(1, MAX_SLOT)}
"""The slots of bus 0 that are empty to begin with."""
_FIXED: Mapping[str, Mapping[str, int]] = {
    I440FX.family: {"ide": pack(0, *IDE_0), "usb": pack(0, *USB_0)},
    Q35.family: {"sata": pack(0, *SATA_0)},
}
"""Where controller 0 of a type sits; of those for USB only the chipset's own model does."""
_BRIDGE_SLOTS = MAX_SLOT
ROOT_PORT = "pcie-root-port"


class Fresh:
    """A fresh guest in its places.

    Args:
        places: the packed address of every device that has one, by itself or by the number that it was counted under.
        bridges: model and packed address of each PCI controller that is added, from index 1 on.
    """

    __slots__ = ("bridges", "places")

    def __init__(self, places: dict[Key, int], bridges: list[tuple[str, int]]) -> None:
        self.places = places
        self.bridges = bridges


def fresh(guest: Guest, counted: Mapping[str, Wanting]) -> Fresh | None:
    """Return the places of a fresh guest, ``None`` when it is not one or something is in the way.

    Args:
        guest: a completed guest.
        counted: devices that nobody made, by element, in libvirt's order: the plug of each and a number for it.
    """
    machine = guest.machine
    if machine.family not in _SLOTS or not _is_plain(guest):
        return None
    slots = list(_SLOTS[machine.family])
    places: dict[Key, int] = {}
    _give_fixed(guest, machine, slots, places)
    wanting = _wanting(guest, counted, places)
    if wanting is None:
        return None
    return (_place_on_q35 if machine.express else _place_on_pc)(wanting, slots, places)


def _is_plain(guest: Guest) -> bool:
    """Return whether nothing is written down that decides about places, or is to be written differently."""
    for controller in guest.controllers:
        if controller.address_type is not None or controller.acpi_index is not None or controller.ich9:
            return False
        if controller.type == "pci" and (controller.model not in ROOT_MODELS or controller.target):
            return False
        if controller.defaults and controller.origin is not None and (controller.plug or controller.type == "pci"):
            return False
    for element, devices in guest.devices.items():
        for device in devices:
            if device.plug:
                if device.address_type is not None or device.acpi_index is not None or device.defaults:
                    return False
            elif device.address_type in ("pci", IGNORED) or (element == "hostdev" and device.bus == "scsi"):
                return False
            if device.mirrors is not None and device.mirrors.plug:
                return False
    return not any(guest.devices.get(element) for element in ADDRESS_READDRESSED)


def _give_fixed(guest: Guest, machine: Machine, slots: list[int], places: dict[Key, int]) -> None:
    """Give the fixed and preferred places (rule 4.3)."""
    videos = guest.devices.get("video")
    if videos and videos[0].plug and machine.video_slot is not None:
        places[videos[0]] = pack(0, machine.video_slot)
        slots.remove(machine.video_slot)
    if machine.express:
        for sound in guest.devices.get("sound", ()):
            if sound.model == "ich9":
                places[sound] = pack(0, ICH9_SOUND_SLOT)
                slots.remove(ICH9_SOUND_SLOT)
                break
    fixed = _FIXED[machine.family]
    for controller in guest.controllers:
        place = fixed.get(controller.type) if controller.index == 0 else None
        if place is not None and (controller.type != "usb" or controller.model == machine.usb):
            places[controller] = place


def _wanting(guest: Guest, counted: Mapping[str, Wanting], places: dict[Key, int]) -> Wanting | None:
    """Return plug and key of whatever looks for a place, in the order of rule 6.4, if that is known."""
    devices = guest.devices
    there = {"controller", *devices, *counted}
    if "interface" in devices:
        there.add("hostdev")  # those of type hostdev come with the host devices
    wanting: Wanting = []
    for element in PLACED:
        if element not in there:
            continue
        wanting += counted.get(element, ())
        row: list[Device] | list[Controller] = devices.get(element, [])
        if element == "controller":
            row = [item for item in guest.controllers if item.type != "ide" or item.index != 0]
        elif element == "interface":
            row = [device for device in row if device.bus != "hostdev"]
        elif element == "hostdev":
            row = [*(device for device in devices.get("interface", ()) if device.bus == "hostdev"), *row]
        for device in row:
            if device.plug and device not in places:
                if counted.get(element):
                    return None  # whose turn comes first?
                wanting.append((device.plug, device))
    return wanting


def _place_on_pc(wanting: Wanting, slots: list[int], places: dict[Key, int]) -> Fresh | None:
    for plug, _ in wanting:
        if plug & (c.INTEGRATED | c.NO_CLASS):
            return None
    count = len(wanting)
    bridges = max(0, -(-(count + 1 - len(slots)) // _BRIDGE_SLOTS))
    if len(slots) + _BRIDGE_SLOTS * bridges - (count + 1) < bridges or bridges > MAX_INDEX:
        return None
    free = [slot << 3 for slot in slots]
    free += [bus << 8 | slot << 3 for bus in range(1, bridges + 1) for slot in range(1, MAX_SLOT + 1)]
    for (_, key), place in zip(wanting, free[bridges:]):
        places[key] = place
    return Fresh(places, [("pci-bridge", place) for place in free[:bridges]])


def _place_on_q35(wanting: Wanting, slots: list[int], places: dict[Key, int]) -> Fresh | None:
    express = conventional = integrated = 0
    buses: list[int] = []  # the index of each conventional bus
    for plug, _ in wanting:
        if plug == c.EXPRESS:
            express += 1
        elif plug & c.NO_CLASS:
            return None
        elif plug & c.INTEGRATED:
            integrated += 1
        else:
            if not conventional % _BRIDGE_SLOTS:
                buses.append(express + len(buses) + 2)
            conventional += 1
    ports = express + bool(buses) + 1 if express or buses else 0
    more = max(0, len(buses) - 1)
    shared = -(-ports // FUNCTIONS)
    if (
        shared + integrated > len(slots)
        or (buses and _BRIDGE_SLOTS * len(buses) - conventional < more)
        or ports + len(buses) > MAX_INDEX
    ):
        return None
    places_of_ports: list[int] = []
    for slot in slots[:shared]:
        places_of_ports += range(slot << 3, (slot << 3) + FUNCTIONS)
    bridges = list(zip(repeat(ROOT_PORT), places_of_ports[:ports]))
    port = iter(range(1, ports + 1))
    place: Iterator[int] = iter(())
    if buses:
        free = [bus << 8 | slot << 3 for bus in buses for slot in range(1, MAX_SLOT + 1)]
        for index, packed in zip(buses, [pack(1, 0), *free[:more]]):
            bridges.insert(index - 1, ("pcie-to-pci-bridge" if index == buses[0] else "pci-bridge", packed))
        port = iter([index for index in range(2, len(bridges) + 1) if index not in buses])
        place = iter(free[more:])
    own = iter(slots[shared:])
    for plug, key in wanting:
        if plug == c.EXPRESS:
            places[key] = next(port) << 8
        elif plug & c.INTEGRATED:
            places[key] = next(own) << 3
        else:
            places[key] = next(place)
    return Fresh(places, bridges)
