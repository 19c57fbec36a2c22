"""Rules about slots and functions, of a guest that libvirt accepts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pcisim.address import MAX_FUNCTION, MAX_SLOT, format_packed, pack
from pcisim.catalogue import connectors as c
from pcisim.catalogue.devices import ADDRESS_READDRESSED, plug_on
from pcisim.catalogue.x86_machines import IDE_0
from pcisim.diagnose.finding import Finding
from pcisim.diagnose.view import PlacedView, found, is_port, line_of
from pcisim.enumeration.virtual_functions import in_the_way, met_at_start, overflows, virtual_functions
from pcisim.errors import counted
from pcisim.guest import IGNORED, Controller, Device
from pcisim.placement.groups import by_host_slot
from pcisim.topology import Topology, bits

HIGHEST_ACPI_INDEX = 16383


def orphan_functions(view: PlacedView) -> Iterator[Finding]:
    """Find slots in use whose function 0 is not: the guest never looks at them."""
    for slot, functions in view.slots.items():
        devices = [holder for _, holder in sorted(functions.items()) if isinstance(holder, Device)]
        if 0 in functions or not devices or slot >> 5 in view.circle:
            continue
        text = format_packed(slot << 3)[:-2]
        lost = [
            f"{b.label} takes {counted(len(view.behind(b.index or 0)), 'device')} behind it along"
            for b in devices
            if isinstance(b, Controller) and b.is_pci and view.behind(b.index or 0)
        ]
        which = ", ".join(d.label for d in devices)
        headline = f"slot {text} has no function 0, so that the guest never sees {which}"
        ich9 = devices[0]
        if (
            isinstance(ich9, Controller)
            and all(isinstance(d, Controller) and d.ich9 for d in devices)
            and (not any(o.model == "ich9-uhci1" and o.index == ich9.index for o in view.guest.controllers))
        ):
            yield found(
                "companion-orphan",
                headline,
                devices,
                *lost,
                remedy=f"add <controller type='usb' index='{ich9.index}' model='ich9-uhci1'><master startport='0'/>"
                "</controller>: it is function 0 of the set",
            )
        else:
            first, holder = devices[0], view.placement.topology.owners.get(slot << 3)
            in_vain = "" if holder is None else f"leave the address of {holder.label} out, which is not on PCI, and "
            yield found(
                "orphan-function",
                headline,
                devices,
                *lost,
                remedy=f"{in_vain}write function='0x0'{_and_on(devices)} in the address of {first.label}",
            )


def _and_on(devices: list[Device]) -> str:
    return " multifunction='on'" if len(devices) > 1 else ""


def single_functions(view: PlacedView) -> Iterator[Finding]:
    """Find slots whose function 0 says that it is alone, and is not."""
    for functions in view.slots.values():
        first = functions.get(0)
        if len(functions) < 2 or not isinstance(first, Device) or first not in view.addresses:
            continue
        if view.placement.multifunction.get(first) == "on":
            continue
        others = [h for f, h in sorted(functions.items()) if f and isinstance(h, Device)]
        names = ", ".join(d.label for d in others)
        yield found(
            "single-function",
            f"{first.label} at {view.place(first)} says multifunction='off', but is not alone: {names}",
            (first, *others),
            "QEMU does not start: 'single function device can't be populated'",
            remedy=f"write multifunction='on' in the address of {first.label}",
        )


def chipset_functions(view: PlacedView) -> Iterator[Finding]:
    """Find devices where the machine has a function that libvirt does not keep."""
    if view.guest.machine.family != "i440fx":
        return
    packed = pack(0, *IDE_0)
    holder = view.slots.get(packed >> 3, {}).get(packed & MAX_FUNCTION)
    if isinstance(holder, Device) and not (isinstance(holder, Controller) and holder.type == "ide"):
        yield found(
            "chipset-function",
            f"{holder.label} is at {format_packed(packed)}, where the machine's own IDE controller is",
            (holder,),
            "libvirt keeps the place only for a guest with an IDE controller; QEMU has one in every pc machine",
            remedy=f"leave the address of {holder.label} out, or write slot='0x01' function='0x4'",
        )


def virtual_functions_in_the_way(view: PlacedView) -> Iterator[Finding]:
    """Find devices where QEMU holds functions for the virtual ones of a card with SR-IOV."""
    topology = view.placement.topology
    for card, packed in view.addresses.items():
        virtual = virtual_functions(card, packed)
        if not virtual:
            continue
        if overflows(card, packed):
            yield found(
                "virtual-functions",
                f"{card.label} at {view.place(card)} leaves no room on its bus for its virtual functions",
                (card,),
                f"QEMU holds {len(virtual)} of them, from 16 slots above on, and does not start: 'VF addr overflows'",
                remedy=f"give {card.label} a slot up to 0x0e, or one behind a port of its own",
            )
            continue
        for other, holder in met_at_start(card, packed, topology):
            if not isinstance(holder, Device) or (other < packed and virtual_functions(holder, other)):
                continue  # said of the other card
            slots = sorted({f"{each >> 3 & MAX_SLOT:#04x}" for each in virtual})
            place = _place_out_of_the_way(holder, other, topology)
            yield found(
                "virtual-functions",
                f"{holder.label} at {view.place(holder)} meets the virtual functions of {card.label}",
                (holder, card),
                f"for {card.label} at {view.place(card)} QEMU holds functions of slots {' and '.join(slots)}, switched"
                " on or off, and does not start",
                remedy=f"give {holder.label} {place}",
            )


def _place_out_of_the_way(device: Device, packed: int, topology: Topology) -> str:
    """Return a place on the same bus where a device meets nobody, as advice."""
    bus = topology.buses[packed >> 8]
    for slot in bits(bus.free & ~(topology.spoken_for if not bus.index else 0)):
        place = pack(bus.index, slot)
        if not overflows(device, place) and not any(in_the_way(device, place, topology)):
            return f"the address <address type='pci' bus='{bus.index:#04x}' slot='{slot:#04x}'/>"
    return "a place on another bus"


def mixed_plugs(view: PlacedView) -> Iterator[Finding]:
    """Find endpoints on a bus of the other kind, which only a written address can bring about."""
    express = view.guest.express
    if not express:
        return
    models = [bus.model for bus in view.placement.topology.buses]
    for device, packed in view.addresses.items():
        if device.address is None or device.bus == "hostdev" or device.element == "hostdev":
            continue  # whether a host device is conventional is not written down
        plug = plug_on(device.plug, express) & c.ENDPOINT
        model = models[packed >> 8]
        behind = f"bus {packed >> 8:#04x}, a {model.name}"
        if plug == c.CONVENTIONAL and model.accepts & c.EXPRESS and packed >> 8:
            yield found(
                "conventional-on-port",
                f"{device.label} is a conventional PCI device on {behind}",
                (device,),
                "it works; libvirt itself would put it behind a pcie-to-pci-bridge",
                remedy=f"nothing, or leave the address of {device.label} out",
            )
        elif plug == c.EXPRESS and model.accepts & c.CONVENTIONAL:
            yield found(
                "express-on-conventional",
                f"{device.label} counts as a PCI Express device, and is on {behind}",
                (device,),
                "it works as a conventional device, without PCI Express registers",
                remedy=f"nothing, or leave the address of {device.label} out",
            )


def acpi_indexes(view: PlacedView) -> Iterator[Finding]:
    """Find ACPI indexes that QEMU does not take."""
    first: dict[int, Device] = {}
    used = {d.acpi_index for d in view.addresses if d.acpi_index is not None}
    for device in view.addresses:
        index = device.acpi_index
        if index is None:
            continue
        free = next(n for n in range(1, HIGHEST_ACPI_INDEX) if n not in used)
        remedy = f"write <acpi index='{free}'/> in {device.label}"
        if index > HIGHEST_ACPI_INDEX:
            yield found(
                "acpi-index-range",
                f"{device.label} has ACPI index {index}; the highest is {HIGHEST_ACPI_INDEX}",
                (device,),
                remedy=remedy,
            )
        elif first.setdefault(index, device) is not device:
            other = first[index]
            yield found(
                "duplicate-acpi-index",
                f"{device.label} and {other.label} have one ACPI index, {index}",
                (device, other),
                f"{other.label} has it first{line_of(other)}",
                remedy=remedy,
            )


def chassis_numbers(view: PlacedView) -> Iterator[Finding]:
    """Find ports that have one chassis number, and bridges that have one chassisNr."""
    ports = [b for b in view.bridges.values() if is_port(b)]
    for code, name, controllers in (
        ("duplicate-chassis", "chassis", ports),
        ("duplicate-chassis-nr", "chassisNr", [b for b in view.bridges.values() if b.model == "pci-bridge"]),
    ):
        used = {b.target.get(name) for b in controllers}
        first: dict[int, Controller] = {}
        for controller in controllers:
            number = controller.target.get(name)
            if number is None or first.setdefault(number, controller) is controller:
                continue
            other = first[number]
            if controller.origin is None:  # libvirt adds it and numbers it by its index: change the other one
                controller, other = other, controller
            free = next((n for n in range(1, 256) if n not in used), None)
            used.add(free)
            yield found(
                code,
                f"{controller.label} and {other.label} have one {name}, {number}",
                (controller, other),
                f"{other.label} is a {other.model}{line_of(other)}",
                remedy=f"write <target {name}='{free}'/> in {controller.label}" if free is not None else "",
            )


def rewritten_addresses(view: PlacedView) -> Iterator[Finding]:
    """Find addresses that libvirt changes although they were explicit."""
    for device, old in view.placement.rewritten.items():
        if device in view.addresses:
            place = view.place(device)
            yield found(
                "address-rewritten",
                f"{device.label} is written at {format_packed(old)}, and libvirt puts it at {place}",
                (device,),
                "libvirt adds a pcie-root-port and a pcie-to-pci-bridge behind it, so that the bus is one higher",
                remedy=f"write {place}, or list the port and the bridge, with the bridge at index {old >> 8}",
            )


def dropped_addresses(devices: Iterable[Device]) -> Iterator[Finding]:
    """Find addresses that libvirt does not keep."""
    for device in devices:
        written = device.origin is not None and device.origin.find("address") is not None
        readdressed = device.address_type == "pci" and (device.element, device.model) in ADDRESS_READDRESSED
        if written and (readdressed or device.address_type == IGNORED):
            yield found(
                "address-dropped",
                f"the address of {device.label} is not kept: it needs none",
                (device,),
                remedy="leave the address out",
            )


def split_cards(view: PlacedView) -> Iterator[Finding]:
    """Find cards of the host whose functions are in different slots; what has no function 0 may be virtual ones."""
    for slot, functions in by_host_slot(view.guest.devices.get("hostdev", ())).items():
        placed = [device for _, device in sorted(functions.items()) if device in view.addresses]
        if 0 in functions and len({view.addresses[device] >> 3 for device in placed}) > 1:
            places = ", ".join(f"{device.label} at {view.place(device)}" for device in placed)
            yield found(
                "card-split",
                f"functions of {slot} of the host are in different slots of the guest: {places}",
                placed,
                "drivers that look for the other functions of their card beside them do not find them",
                remedy="leave their addresses out and assign with --group-by-host-slot",
            )


def shared_groups(view: PlacedView) -> Iterator[Finding]:
    """Find devices that have one IOMMU group in the guest because they share a slot (firmware rule 5.4)."""
    if not view.guest.devices.get("iommu"):
        return
    buses = view.placement.topology.buses
    shared = []
    for slot, functions in sorted(view.slots.items()):
        devices = [
            holder
            for _, holder in sorted(functions.items())
            if isinstance(holder, Device) and not (isinstance(holder, Controller) and holder.is_pci)
        ]
        if len(devices) > 1 and 0 in functions and buses[slot >> 5].model.accepts & c.EXPRESS:
            shared.append((slot, devices))
    if shared:
        yield found(
            "group-shared",
            f"devices that share a slot share an IOMMU group in the guest: {len(shared)} slot"
            f"{'s' if len(shared) > 1 else ''}",
            [device for _, devices in shared for device in devices],
            *(f"{format_packed(slot << 3)[:-2]}: {_few(devices)}" for slot, devices in shared[:_SHOWN]),
            *([f"and {len(shared) - _SHOWN} more slots"] if len(shared) > _SHOWN else []),
            "the guest gives them to its own guests or to programs together, or not at all",
            remedy="leave the addresses out of those that are to be passed on, and assign without packing them",
        )


_SHOWN = 4


def _few(devices: list[Device]) -> str:
    more = f" and {len(devices) - _SHOWN} more" if len(devices) > _SHOWN else ""
    return ", ".join(device.label for device in devices[:_SHOWN]) + more


SLOT_RULES = (
    orphan_functions,
    single_functions,
    chipset_functions,
    virtual_functions_in_the_way,
    mixed_plugs,
    acpi_indexes,
    chassis_numbers,
    rewritten_addresses,
    split_cards,
    shared_groups,
)
