"""Devices that sit on a NUMA node of the guest by wish: below an expander bus of that node.

A policy places the others; then each pair of a node and a complex gets an expander on bus 0, behind all controllers
that there are.  On PCI Express a root port for each device is below it, 8 in each slot from slot 0 on; on conventional
machines the devices are on it, each in a slot of its own.  The bus numbers are the last ones, those of each expander up
to the next one's: the main tree keeps all below (firmware rule 2.4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from pcisim.address import MAX_BUS, MAX_FUNCTION, SLOTS, pack
from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import EXPANDER_BUSES, MAX_INDEX, PCI_CONTROLLERS
from pcisim.catalogue.devices import plug_on
from pcisim.errors import RefusedError, UsageError
from pcisim.guest import Controller, Device, Guest, evolved, refuse
from pcisim.placement import Placement, PlacementStep
from pcisim.placement.apart import put_back, without
from pcisim.placement.bus_numbers import numbers_short

_PORT = "pcie-root-port"
_HELD = "interface"
"""The element of what holds a slot for an expander."""


class Branch(NamedTuple):
    """One row: the devices of one expander."""

    node: int
    complex: int
    devices: tuple[Device, ...]


def asks_for_node(guest: Guest) -> bool:
    """Return whether a NUMA node is wished for."""
    return any(wish.node is not None or wish.complex for wish in guest.wishes.values())


def branches_of(guest: Guest) -> list[Branch]:
    """Return the expanders that are wished for, by node and complex, with their devices in the guest's order.

    Args:
        guest: a completed guest.

    Raises:
        UsageError: the guest lacks the node, the machine has no expanders, or the device cannot be below one.
    """
    devices = {d.label: d for d in guest.all_devices()}
    wanted: dict[tuple[int, int], set[Device]] = {}
    for label, wish in guest.wishes.items():
        if wish.node is None:
            if wish.complex:
                raise _unusable(label, f"complex={wish.complex} says which expander of a node, and no node is named")
            continue
        if wish.node not in guest.numa_nodes:
            nodes = ", ".join(map(str, sorted(guest.numa_nodes)))
            raise UsageError(
                f"{label} cannot be on NUMA node {wish.node}: the guest has no such node",
                code="node",
                details=(f"its nodes: {nodes}" if nodes else "it has no NUMA nodes",),
                remedy=f"name one of them, or add <cell id='{wish.node}' .../> to <cpu><numa>",
            )
        device = devices.get(label)
        if device is None:
            raise _unusable(label, "there is no such device", f"there are: {', '.join(devices)}")
        _check(device, guest)
        wanted.setdefault((wish.node, wish.complex), set()).add(device)
    order = {device: place for place, device in enumerate(guest.all_devices())}
    return [Branch(*key, tuple(sorted(found, key=order.__getitem__))) for key, found in sorted(wanted.items())]


def _check(device: Device, guest: Guest) -> None:
    machine = guest.machine
    if machine.family not in EXPANDER_BUSES:
        raise _unusable(device.label, f"machine type '{guest.machine_name}' has no expander bus",
                        "pc, q35 and virt of ARM have one")  # fmt: skip
    fixed = {place.owner for place in machine.places}
    if not device.plug or (isinstance(device, Controller) and (device.is_pci or device.ich9 or device.label in fixed)):
        raise _unusable(device.label, "it is not a device that is plugged into a bus below an expander")
    if not device.wants:
        raise _unusable(device.label, "its address is explicit: take it out")
    plug = plug_on(device.plug, guest.express)
    if plug & c.INTEGRATED:
        raise _unusable(device.label, "it sits on bus 0 only")
    if not plug & (c.EXPRESS if guest.express else c.CONVENTIONAL):
        raise _unusable(device.label, "it is conventional, and below the expander are PCI Express ports")


def _unusable(label: str, *details: str) -> UsageError:
    return UsageError(f"{label} cannot be placed on a NUMA node", code="node", details=details)


def place_nodes(
    guest: Guest,
    place: Callable[[Guest], Placement],
    ports: Callable[[Placement], Iterable[tuple[Device, int, int | None]]],
) -> Placement:
    """Place a guest, what a NUMA node is wished for below an expander of that node.

    Args:
        guest: a completed guest; it is not changed.
        place: places a completed guest.
        ports: says of a placed guest how many bytes of I/O ports each device has, with its bus.

    Raises:
        UsageError: see `branches_of`.
        RefusedError: the guest is refused; slots, controllers or bus numbers do not suffice; or a device has I/O ports.
    """
    branches = branches_of(guest)
    apart = {device for branch in branches for device in branch.devices}
    wishes = {label: wish for label, wish in guest.wishes.items() if wish.node is None}
    rest = without(guest, apart, wishes)
    made = place(rest)
    row = PCI_CONTROLLERS[EXPANDER_BUSES[guest.machine.family]]
    slots = _slots(made, row.plug, len(branches))
    if len(slots) < len(branches):
        held = [slot for slot in reversed(range(SLOTS)) if slot not in slots and _gives_way(made, slot)]
        slots = sorted(slots + held[: len(branches) - len(slots)])
        if len(slots) < len(branches):
            raise _short("slots of bus 0 for expanders", len(branches), len(slots))
        made = _with_slots_held(rest, place, slots)
    new = _built(made, guest, branches, slots)
    last = max((at + 1 for at, d in enumerate(made.guest.controllers) if d.is_pci), default=0)
    made.guest = evolved(made.guest, controllers=[*made.guest.controllers[:last], *new, *made.guest.controllers[last:]])
    made.added = [*made.added, *new]
    put_back(made, guest, apart)
    numbers = numbers_short(made)
    if numbers is not None:
        raise _short("bus numbers", *numbers)
    for device, _, count in ports(made):
        if count and device in apart:
            raise refuse(
                device,
                f"{device.label} has I/O ports, and is not placed below an expander bus",
                "io-on-node",
                "take a model without, such as virtio-non-transitional, or leave node= out",
                f"it has {count} bytes of them",
            )
    return made


def _slots(made: Placement, plug: int, count: int) -> list[int]:
    """Return the slots of bus 0 that expanders find, as many as there are of a number."""
    bus, spoken_for = made.topology.buses[0], made.guest.machine.spoken_for
    low, high = bus.model.slots
    free = [slot for slot in range(low, high + 1) if not bus.functions(slot) and not spoken_for >> slot & 1]
    return free[:count]


def _gives_way(made: Placement, slot: int) -> bool:
    """Return whether what is in a slot of bus 0 may be elsewhere."""
    if made.guest.machine.spoken_for >> slot & 1 or slot < made.topology.buses[0].model.slots[0]:
        return False
    holders = [made.topology.owners.get(pack(0, slot, function)) for function in range(MAX_FUNCTION + 1)]
    return all(d is None or (isinstance(d, Device) and d.wants and not d.plug & c.INTEGRATED) for d in holders)


def _with_slots_held(rest: Guest, place: Callable[[Guest], Placement], slots: list[int]) -> Placement:
    """Return a guest placed with some slots of bus 0 left empty."""
    holders = [
        Device(_HELD, f"slot {slot}", "virtio", c.EXPRESS, "pci", pack(0, slot, 0), "off", bus="user") for slot in slots
    ]
    devices = {**rest.devices, _HELD: [*rest.devices.get(_HELD, []), *holders]}
    made = place(evolved(rest, devices=devices))
    labels = {device.label for device in holders}
    for device in [d for d in made.addresses if d.label in labels]:
        made.topology.release(made.addresses.pop(device))
        made.multifunction.pop(device, None)
        made.log.pop(device, None)
        made.rewritten.pop(device, None)
    kept = {element: [d for d in found if d.label not in labels] for element, found in made.guest.devices.items()}
    made.guest = evolved(made.guest, devices=kept)
    return made


def _built(made: Placement, guest: Guest, branches: list[Branch], slots: list[int]) -> list[Controller]:
    """Put expanders, ports and devices into a placed guest, and return the controllers."""
    topology = made.topology
    row, port = PCI_CONTROLLERS[EXPANDER_BUSES[guest.machine.family]], PCI_CONTROLLERS[_PORT]
    by_port = guest.express
    needs = [row.own_bus_numbers + by_port * len(branch.devices) for branch in branches]
    end = min((d.target["busNr"] for d in made.guest.controllers if "busNr" in d.target), default=MAX_BUS + 1)
    first = end - sum(needs)
    controllers = len(branches) + by_port * sum(len(branch.devices) for branch in branches)
    if first < 1:
        raise _short("bus numbers", sum(needs), max(end - 1, 0))
    if len(topology.buses) + controllers > MAX_INDEX + 1:
        raise _short("indexes of PCI controllers", len(topology.buses) + controllers - 1, MAX_INDEX)
    new: list[Controller] = []

    def put(device: Device, packed: int, plug: int, remark: str) -> None:
        topology.reserve(packed, plug, device)
        made.addresses[device] = packed
        made.log[device] = [PlacementStep(remark)]

    for branch, slot, need in zip(branches, slots, needs):
        node = f"NUMA node {branch.node}" + (f", complex {branch.complex}" if branch.complex else "")
        if not by_port and len(branch.devices) > row.slot_count:
            raise _short(f"slots on the expander of {node}", len(branch.devices), row.slot_count)
        expander = _controller(len(topology.buses), row.name, {"busNr": first, "node": branch.node})
        first += need
        new.append(expander)
        put(expander, pack(0, slot, 0), row.plug, f"added: the expander bus of {node}, as is wished")
        base = topology.add_bus(row).base
        for place, device in enumerate(branch.devices):
            packed = base | place << 3
            if by_port:
                index = len(topology.buses)
                above, packed = base | place, topology.add_bus(port).base
                number = port.port_number(*divmod(place, MAX_FUNCTION + 1))
                made_port = _controller(index, _PORT, {"chassis": index, "port": number})
                new.append(made_port)
                put(made_port, above, port.plug, f"added: a port below {expander.label} for {device.label}")
                if above & MAX_FUNCTION:
                    made.multifunction[topology.owners[above & ~MAX_FUNCTION]] = "on"  # type: ignore[index]
            put(device, packed, plug_on(device.plug, guest.express), f"below {expander.label}, on {node}, as is wished")
    return new


def _controller(index: int, model: str, target: dict[str, int]) -> Controller:
    name = PCI_CONTROLLERS[model].model_names[0]
    return Controller(
        "controller", f"pci:{index}", model, type="pci", index=index, target=dict(target), model_name=name
    )


def _short(what: str, needed: int, available: int) -> RefusedError:
    return RefusedError(
        "no room for the expander buses of NUMA nodes",
        code="no-node-room",
        details=(f"{what}: needed {needed}, available {available}",),
        remedy="wish for fewer devices on nodes, or use fewer devices; complex=K adds another expander of a node",
    )
