"""The policy ``qemu``: the addresses that QEMU itself gives to ``-device`` without ``addr``.

Each device in the order of the command line, on the root bus, in the lowest slot whose function 0 is
free; an explicit address is taken as it stands.  Nothing moves for anything later, so
that an address written further down may be taken by then, as it is with QEMU.

Source: QEMU rule 2.6, verified against QEMU 7.2 and 10.0.
"""

from __future__ import annotations

from collections.abc import Iterator

from pcisim.address import FUNCTIONS, MAX_BUS, MAX_SLOT, format_packed, pack
from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import MAX_INDEX, PCI_CONTROLLERS
from pcisim.catalogue.x86_machines import BUILT_IN, IDE_0, SATA_0, X86
from pcisim.errors import NotCoveredError
from pcisim.guest import Controller, Device, Guest, refuse
from pcisim.libvirt.targets import multifunction, settle_controllers, with_own_bridges
from pcisim.placement import Placement, PlacementStep
from pcisim.topology import Owner, Topology

_FIXED = {("i440fx", "ide:0"): IDE_0, ("q35", "sata:0"): SATA_0}
"""Controllers that come with the machine."""


class QemuPolicy:
    """Places a guest as QEMU does when nobody gives addresses."""

    def __repr__(self) -> str:
        return "QemuPolicy()"

    def describe(self) -> str:
        """Return the policy in one line."""
        return "as QEMU 7.2 places -device without addr"

    def place(self, guest: Guest, *, log: bool = False) -> Placement:
        """Place a completed guest as a whole.

        Args:
            guest: the guest; it is not changed.
            log: whether to say how each device got its place.

        Raises:
            RefusedError: QEMU would not start: an address is taken, or the root bus is full.
            NotCoveredError: it is not known where QEMU places, as on conventional machines of other architectures
                than x86.
        """
        if guest.arch not in X86 and guest.machine.root == "pci-root":
            raise NotCoveredError(
                f"where QEMU places on machine type '{guest.machine_type}' of {guest.arch} is not covered",
                code="machine-not-covered",
                line=guest.machine_line,
                remedy="leave --policy out: libvirt's places are known",
            )
        guest = with_own_bridges(guest)
        topology = _empty(guest)
        addresses: dict[Device, int] = {}
        steps: dict[Device, list[PlacementStep]] = {}
        for device in _in_order(guest):
            packed, remark = _place(device, guest, topology)
            bus = topology.buses[packed >> 8 & MAX_BUS] if packed >> 8 < len(topology.buses) else None
            # QEMU asks no bus what it accepts
            topology.reserve(packed, bus.explicit & ~c.ROOT_PORT if bus else device.plug, device)
            addresses[device] = packed
            if log:
                steps[device] = [PlacementStep(remark)]
        settle_controllers(guest.controllers, addresses)
        return Placement(guest, topology, addresses, multifunction(addresses), [], {}, steps)


def _empty(guest: Guest) -> Topology:
    machine = guest.machine
    topology = Topology(spoken_for=machine.spoken_for)
    models = {d.index or 0: d.model for d in guest.controllers if d.is_pci}
    gap = "pcie-root-port" if machine.express else "pci-bridge"
    for index in range(min(max(models, default=-1), MAX_INDEX) + 1):
        topology.add_bus(PCI_CONTROLLERS[models.get(index, gap)])
    for place in machine.places if topology.buses else ():
        if place.kind == BUILT_IN and place.slot:
            topology.reserve(pack(0, place.slot, place.function), c.CONVENTIONAL, Owner(place.owner, place.kind))
    return topology


def _in_order(guest: Guest) -> Iterator[Device]:
    """Yield what has a PCI address in the order in which `pcisim.formats.qemu` writes it."""
    usb = [d for d in guest.controllers if d.type == "usb"]
    done: set[Device] = set()
    for device in (
        *(d for d in guest.controllers if (guest.machine.family, d.label) in _FIXED),
        *(d for d in guest.controllers if d.is_pci and PCI_CONTROLLERS[d.model].plug),
        *(d for d in usb if not d.companion),
        *(d for d in usb if d.companion),
        *guest.all_devices(),
    ):
        is_bus = isinstance(device, Controller) and device.is_pci
        if device not in done and (device.plug or is_bus) and device.mirrors is None:
            done.add(device)
            if not is_bus or PCI_CONTROLLERS[device.model].plug:
                yield device


def _place(device: Device, guest: Guest, topology: Topology) -> tuple[int, str]:
    """Return the packed address of a device, and how it came by it."""
    fixed = _FIXED.get((guest.machine.family, device.label))
    if fixed is not None:
        return pack(0, *fixed), "the chipset's own place"
    if device.address is not None:
        return device.address, "the address is explicit"
    if not topology.buses:
        return 0, "there is no PCI bus"
    root = topology.buses[0]
    taken = root.used | 1  # the host bridge
    slot = next((slot for slot in range(MAX_SLOT + 1) if not taken >> (slot << 3) & 1), None)
    if slot is None:
        raise refuse(
            device,
            f"PCI: no slot/function available for {device.label}, all in use or reserved",
            "qemu-bus-full",
            "add a bridge or a port, and write down the addresses of what sits on it",
            f"function 0 of all {MAX_SLOT + 1} slots of the root bus is taken; QEMU gives no other function",
        )
    beside = next((f for f in range(1, FUNCTIONS) if taken >> (slot << 3 | f) & 1), None)
    if beside is not None:
        other = topology.owners[pack(0, slot, beside)]
        raise refuse(
            device,
            f"PCI: {slot:x}.0 indicates single function, but {slot:x}.{beside} is already populated.",
            "qemu-multifunction",
            f"write an address for {device.label}, or give {other.label} function 0",
            f"QEMU gives {device.label} function 0 of slot {slot:#x}, where {other.label} has function {beside}",
        )
    return pack(0, slot), f"{format_packed(pack(0, slot))} is the lowest slot whose function 0 is free"
