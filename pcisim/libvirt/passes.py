"""The two passes of libvirt's QEMU driver over all devices of a guest.

The trial pass may append buses; the real one starts afresh with all controllers known and cannot.

Source: libvirt rule 6; verified against libvirt 9.0.0 and 11.3.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pcisim.address import FUNCTIONS, MAX_FUNCTION, format_packed, pack
from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import HOST_BRIDGE, MAX_INDEX, PCI_CONTROLLERS, ROOT_MODELS
from pcisim.catalogue.devices import ICH9_FUNCTIONS, PLACED, WALK, plug_on
from pcisim.catalogue.versions import Libvirt
from pcisim.catalogue.x86_machines import (
    CHIPSET_FUNCTIONS,
    DMI_SLOT,
    ICH9_SOUND_SLOT,
    ICH9_USB_SLOTS,
    IDE_0,
    RESERVED,
    SATA_0,
    USB_0,
    X86,
)
from pcisim.errors import RefusedError
from pcisim.guest import Controller, Device, Guest, refuse
from pcisim.libvirt.growth import Demand
from pcisim.placement import PlacementStep
from pcisim.topology import Owner, Topology, bits, grouped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_ROOT_PORT = PCI_CONTROLLERS["pcie-root-port"]
_TO_PCI = PCI_CONTROLLERS["pcie-to-pci-bridge"]
_CHIPSET = {
    family: [(pack(0, place.slot, place.function), Owner(place.owner, place.kind)) for place in places]
    for family, places in CHIPSET_FUNCTIONS.items()
}
_MOST_BUSES = 16 * (MAX_INDEX + 1)
"""Where the trial pass gives up; as far as that, the missing places of the new buses are found out first."""
_MOST_NAMED = 4
"""How many buses that were added are named in an error."""
IMAGINARY = Owner("a device that libvirt imagines, to keep room for a bridge", RESERVED)
"""The trial pass looks for a place for it on a conventional machine, and gives it back."""
_EXPRESS_PLUGS = c.ROOT_PORT | c.DMI_BRIDGE | c.DOWNSTREAM_PORT | c.EXPRESS_EXPANDER
SPARE = Owner("the spare root port", RESERVED)
"""Who a port is appended for that nobody needs yet."""


class Pass:
    """One of the two passes.

    Args:
        present: the addresses that are known before the pass; the trial pass adds what the
            real one keeps (libvirt rule 6.7).
        count: how many buses there are at the beginning.
        trial: whether the pass may append buses.
    """

    def __init__(
        self,
        rules: Libvirt,
        guest: Guest,
        controllers: list[Controller],
        present: dict[Device, int],
        count: int,
        *,
        trial: bool,
        log: bool,
    ) -> None:
        self.rules = rules
        self.guest = guest
        self.controllers = controllers
        self.machine = guest.machine
        self.express = guest.express
        self.present = present
        self.trial = trial
        self.topology = Topology(
            integrated_conventional=rules.integrated_conventional_on_express, spoken_for=self.machine.spoken_for
        )
        self.addresses: dict[Device, int] = {}
        self.log: dict[Device, list[PlacementStep]] = {}
        self.logging = log
        self.count = count
        self._ich9: dict[int | None, list[Controller]] | None = None
        self._run: list[Device] = []
        self._run_plug = 0
        self.topology.hotplug_off = {d.index or 0 for d in controllers if d.is_pci and d.target.get("hotplug") == "off"}
        if not self.machine.root_hotplug or (self.machine.family == "i440fx" and not guest.acpi):
            self.topology.hotplug_off.add(0)  # the root bus of pc has no other hotplug than ACPI's
        models = {d.index: d.model for d in controllers if d.is_pci}
        gap = "pcie-root-port" if "pcie-root" in models.values() else self.machine.growth
        for index in range(count):
            self.topology.add_bus(PCI_CONTROLLERS[models.get(index, gap)])

    # places that are known

    def collect(self) -> None:
        """Reserve every explicit address (libvirt rule 6.2)."""
        if not self.present:
            return
        for device in self.walk():
            if device in self.present:
                if not self._is_chipset_place(device):
                    self.reserve(device, self.present[device])
                elif self.machine.family != "i440fx":  # nobody reserves it there
                    self.addresses[device] = self.present[device]

    def walk(self) -> Iterator[Device]:
        """Yield all devices in the order in which libvirt collects their addresses."""
        for element in WALK:
            if element == "controller":
                yield from self.controllers
            else:
                for device in self.guest.devices.get(element, ()):
                    if device.mirrors is None:
                        yield device

    def _is_chipset_place(self, device: Device) -> bool:
        """Return whether a controller stands where the chipset has it; then it is reserved later."""
        if not isinstance(device, Controller) or device.index != 0:
            return False
        place = {"ide": IDE_0, "usb": USB_0}.get(device.type)
        if place is None or self.present[device] != pack(0, *place):
            return False
        if device.type == "usb" and device.model not in ("", "piix3-uhci"):
            return False
        buses = self.topology.buses
        if buses and not buses[0].model.accepts & c.CONVENTIONAL:
            raise refuse(
                device,
                "Bus 0 must be PCI for integrated PIIX3 USB or IDE controllers",
                "wrong-root",
                "leave the address out, or use a machine of type pc",
            )
        return True

    def chipset(self) -> None:
        """Give the fixed and preferred places of the machine, but for the primary video device's (libvirt rule 4.3)."""
        if self.machine.family == "i440fx":
            self._chipset_i440fx()
        elif self.machine.family == "q35":
            self._chipset_q35()

    def _chipset_i440fx(self) -> None:
        for controller in self.controllers:
            if controller.index != 0:
                continue
            if controller.type == "ide":
                self._fixed(controller, IDE_0, "Primary IDE controller must have PCI address 0:0:1.1")
            elif controller.type == "usb" and controller.model == "piix3-uhci":
                self._fixed(controller, USB_0, "PIIX3 USB controller at index 0 must have PCI address 0:0:1.2")
        self._reserve_chipset()

    def _chipset_q35(self) -> None:
        for controller in self.controllers:
            if controller.type == "sata" and controller.index == 0:
                self._fixed(controller, SATA_0, "Primary SATA controller must have PCI address 0:0:1f.2")
            elif controller.address_type is not None:
                continue
            elif controller.model == "ich9-uhci1":
                for slot in ICH9_USB_SLOTS:
                    if self._prefer(controller, slot):
                        break
            elif controller.model == "dmi-to-pci-bridge":
                self._prefer(controller, DMI_SLOT)
        self._reserve_chipset()
        for sound in self.guest.devices.get("sound", ()):
            if sound.model == "ich9" and self.wants(sound):
                self._prefer(sound, ICH9_SOUND_SLOT)
                break

    def _fixed(self, controller: Controller, place: tuple[int, int], headline: str) -> None:
        packed = pack(0, *place)
        known = self.present.get(controller)
        if known is not None and known != packed:
            raise refuse(
                controller,
                headline,
                "fixed-place",
                f"leave the address of {controller.label} out, or write {format_packed(packed)}",
                f"{controller.label} has {format_packed(known)}; the chipset's own place cannot be chosen",
            )
        if packed not in self.topology.owners or self.topology.owners[packed] is not controller:
            self.reserve(controller, packed)
        self._note(controller, "the chipset's own place")
        self.keep(controller, packed)

    def _reserve_chipset(self) -> None:
        for packed, owner in _CHIPSET[self.machine.family]:
            self.topology.reserve(packed, c.CONVENTIONAL, owner)

    def primary_video(self) -> None:
        """Place the primary video device, which comes before all others (libvirt rule 4.3)."""
        videos = self.guest.devices.get("video")
        slot = self.machine.video_slot
        if not videos or slot is None:
            return
        video = videos[0]
        if video.plug and self.wants(video) and not self._prefer(video, slot):
            packed = self.find(self.plug(video), video)
            if not self.trial:  # the trial pass forgets it, and places it once more in its turn
                self.keep(video, packed)

    def _prefer(self, device: Device, slot: int) -> bool:
        """Give a device function 0 of a slot of bus 0 if the slot is empty."""
        if device in self.present or not self.topology.buses[0].free >> slot & 1:
            return False
        packed = pack(0, slot)
        self.keep(device, packed)
        self.reserve(device, packed)
        self._note(device, f"slot {slot:#04x} of bus 0, which its kind prefers, is empty")
        return True

    def keep(self, device: Device, packed: int) -> None:
        """Remember a place that the trial pass leaves behind."""
        self.present[device] = packed

    # one device

    def plug(self, device: Device) -> int:
        """Return what a device needs from a bus of this machine."""
        if isinstance(device, Controller) and device.is_pci:
            return PCI_CONTROLLERS[device.model].plug
        plug = device.plug & ~c.NO_CLASS or c.CONVENTIONAL if device in self.present else device.plug
        return plug_on(plug, self.express)

    def wants(self, device: Device) -> bool:
        """Return whether a device still needs an address to be chosen."""
        return device.wants and device not in self.present

    def reserve(self, device: Device, packed: int) -> None:
        """Reserve an explicit place, appending buses if the pass may."""
        plug = self.plug(device) or c.CONVENTIONAL
        if not self.topology.buses:
            raise no_buses(self.guest, device)
        written, there = packed, len(self.topology.buses)
        if self.trial and packed >> 8 & 0xFF >= there and there:
            grown = self.grow(packed >> 8 & 0xFF, plug, device)
            packed = packed & ~0xFF00 | grown << 8
            if device in self.present:
                self.present[device] = packed
        try:
            self.topology.reserve(packed, plug, device)
        except RefusedError as error:
            if there < len(self.topology.buses):
                raise self._as_written(error, written, packed, there) from None
            raise
        self.addresses[device] = packed

    def _as_written(self, error: RefusedError, written: int, packed: int, there: int) -> RefusedError:
        """Return a refusal by the explicit address, where buses have been added for it (libvirt rule
        6.6).
        """
        added = [f"{bus.model.name} {bus.index}" for bus in self.topology.buses[there:]]
        if len(added) > _MOST_NAMED:
            added[1:-2] = ["..."]
        asked, got = written >> 8 & 0xFF, packed >> 8 & 0xFF
        return RefusedError(
            error.headline.replace(format_packed(packed), format_packed(written)),
            code=error.code,
            details=(
                f"there is no bus {asked} yet: libvirt has added {', '.join(added[:-1])}{' and ' * (len(added) > 1)}"
                f"{added[-1]} for it" + (f", and takes bus {got} for bus {asked}" if got != asked else ""),
                *error.details,
            ),
            remedy=error.remedy,
            line=error.line,
            parties=error.parties,
        )

    def find(self, plug: int, owner: Device | Owner, function: int = 0) -> int:
        """Find a place for a device and take it; the trial pass appends a bus if need be (libvirt rule 6.3)."""
        topology = self.topology
        self.flush()
        if self.logging and isinstance(owner, Device):
            self.log.setdefault(owner, []).append(PlacementStep("search", tuple(topology.explain(plug))))
        packed = topology.allocate(plug, owner, function)
        if packed is None:
            if not topology.buses:
                raise no_buses(self.guest, owner)
            if not self.trial:
                raise self._no_room(plug, owner)
            number = self.grow(len(topology.buses), plug, owner)
            packed = pack(number, topology.buses[number].model.slots[0], function)
            topology.reserve(packed, plug, owner, explicit=False)
        if isinstance(owner, Device):
            self.addresses[owner] = packed
        return packed

    def find_all(self, devices: Iterable[Device]) -> None:
        """Find a place for one device after the other, those with the same plug in one go: see `flush`."""
        run = self._run
        model: str | None = None
        own_plug = -1
        for device in devices:
            if device.model != model or device.plug != own_plug:  # else it plugs in as the one before
                model, own_plug = device.model, device.plug
                plug = self.plug(device)
                if plug != self._run_plug:
                    self.flush()
                    self._run_plug = plug
                    run = self._run
            run.append(device)

    def flush(self) -> None:
        """Find places for those that `find_all` was given last: nothing else may look for one before them."""
        run = self._run
        if run:
            self._run = []
            self._find_run(self._run_plug, run)

    def _find_run(self, plug: int, run: list[Device]) -> None:
        topology = self.topology
        place = 0
        while place < len(run):
            if not self.logging:
                place = topology.allocate_all(plug, run, self.addresses, place)
                if place < len(run) and self.trial and plug == c.EXPRESS and topology.buses:
                    # one new port takes one device, so that all of them can be appended at once
                    self.grow(len(topology.buses) + len(run) - place - 1, plug, run[place])
                    place = topology.allocate_all(plug, run, self.addresses, place)
            if place < len(run):
                self.find(plug, run[place])
                place += 1

    def _note(self, device: Device, remark: str) -> None:
        if self.logging:
            self.log.setdefault(device, []).append(PlacementStep(remark))

    # growth

    def grow(self, number: int, plug: int, owner: Device | Owner) -> int:
        """Append buses up to a number, of the model that suits a plug (libvirt rule 6.6).

        Returns:
            The number of the bus, one higher if a bridge had to be put before it.
        """
        topology = self.topology
        need = number - len(topology.buses) + 1
        if plug & c.CONVENTIONAL:
            if not self.machine.host_bridges and not any(bus.model.accepts & c.PCI_BRIDGE for bus in topology.buses):
                if need == 1:
                    need, number = 2, number + 1
                port = topology.add_bus(_ROOT_PORT)
                port.automatic = port.explicit = c.EXPRESS_TO_PCI_BRIDGE
                topology.add_bus(_TO_PCI)
                need -= 2
            model = PCI_CONTROLLERS[self.machine.growth]
        elif plug & (c.EXPRESS | c.UPSTREAM_PORT) or (plug & c.EXPRESS_TO_PCI_BRIDGE and self.rules.port_before_bridge):
            model = _ROOT_PORT
        else:
            self._cannot_grow(plug, owner)
        if len(topology.buses) + need > _MOST_BUSES:
            raise index_too_high(owner)
        topology.add_buses(model, need)
        return number

    def _cannot_grow(self, plug: int, owner: Device | Owner) -> NoReturn:
        label = owner.label
        details = (self._searched(owner), *self._looks(plug))
        named = self.rules.names_express_slots
        if plug & (c.EXPRESS_TO_PCI_BRIDGE | c.NO_CLASS) or not plug & ~c.INTEGRATED:
            flags = 0x2000 if plug & c.EXPRESS_TO_PCI_BRIDGE else 0
            raise RefusedError(
                f"Cannot automatically add a new PCI bus for a device with{' unrecognized' if named else ''} connect"
                f" flags {flags:02X}",
                code="cannot-grow",
                details=details,
                remedy="add a <controller type='pci' model='pcie-root-port'/> for it"
                if flags
                else "take the device out: libvirt knows no PCI bus for it",
                line=owner.line,
                parties=(label,),
            )
        raise RefusedError(
            f"a {'PCIe' if named and plug & _EXPRESS_PLUGS else 'PCI'} slot is needed to connect a PCI controller"
            f" model='{c.name_of(plug)}',"
            " but none is available, and it cannot be automatically added",
            code="no-slot-for-controller",
            details=details,
            remedy=_ROOM_FOR.get(plug, "add a controller that accepts it"),
            line=owner.line,
            parties=(label,),
        )

    def _no_room(self, plug: int, owner: Device | Owner) -> RefusedError:
        return RefusedError(
            "No more available PCI slots",
            code="no-more-slots",
            details=(self._searched(owner), *self._looks(plug)),
            remedy=_ROOM_FOR.get(plug, "add a controller that accepts it"),
            line=owner.line,
            parties=(owner.label,),
        )

    def _searched(self, owner: Device | Owner) -> str:
        implied = isinstance(owner, Controller) and owner.origin is None and not owner.row
        who = f"{owner.label}, a controller that libvirt would add," if implied else owner.label
        return f"{who} found no bus that accepts it and has room"

    def _looks(self, plug: int, most: int = 12) -> list[str]:
        lines = [f"{look.buses()} ({look.model}): {look.verdict}" for look in grouped(self.topology.explain(plug))]
        if len(lines) > most:
            lines[most:] = [f"and {len(lines) - most} more groups of buses"]
        return lines

    # all devices

    @property
    def keeps_spare(self) -> bool:
        """Return whether growth brings a spare port: only the root of a PCI Express machine is listed (libvirt rule
        6.6).
        """
        return self.express and highest_index(self.guest) == 0

    def imagine(self) -> None:
        """Find a place for a device that libvirt imagines, to keep room for a bridge (libvirt rule 6.4)."""
        if not self.express and any(bus.free for bus in self.topology.buses):
            self.find(c.CONVENTIONAL, IMAGINARY)

    def assign(self) -> None:
        """Give a place to every device that wants one, in libvirt's order (libvirt rule 6.4)."""
        self.find_all(d for d in self.controllers if d.is_pci and d.model not in ROOT_MODELS and self.wants(d))
        devices = self.guest.devices
        for element in PLACED:
            of_element = devices.get(element)
            if element == "controller":
                self._assign_controllers()
            elif element == "hostdev":
                self._assign_all([d for d in devices.get("interface", ()) if d.bus == "hostdev"])
                self._assign_all(of_element)
            elif not of_element:
                continue
            elif element == "interface":
                self._assign_all([d for d in of_element if d.bus != "hostdev"])
            elif element == "disk":
                self._assign_disks(of_element)
            else:
                self._assign_all(of_element)
        self.flush()

    def _assign_all(self, devices: list[Device] | None) -> None:
        if not devices:
            return
        present = self.present
        self.find_all([d for d in devices if d.plug and d.wants and d not in present])

    def _assign_disks(self, disks: list[Device]) -> None:
        wanting = []
        for disk in disks:
            if disk.bus != "virtio" or disk in self.present:
                continue
            if disk.wants:
                wanting.append(disk)
            elif disk.address_type not in self.machine.disk_addresses:
                self.find_all(wanting)
                self.flush()
                raise refuse(
                    disk,
                    f"virtio disk cannot have an address of type '{disk.address_type}'",
                    "wrong-address-type",
                    "leave the address out, or give it one of type pci",
                )
        self.find_all(wanting)

    def _assign_controllers(self) -> None:
        for controller in self.controllers:
            if controller.is_pci or not controller.plug or not self.wants(controller):
                continue
            if controller.type == "ide" and controller.index == 0:
                continue
            if controller.ich9:
                self.flush()
                self._assign_ich9(controller)
            else:
                self.find_all((controller,))

    def _assign_ich9(self, controller: Controller) -> None:
        function = ICH9_FUNCTIONS[controller.model]
        known = self.present if self.trial else self.addresses
        if self._ich9 is None:
            self._ich9 = {}
            for other in self.controllers:
                if other.ich9:
                    self._ich9.setdefault(other.index, []).append(other)
        first = next((other for other in self._ich9[controller.index] if other in known), None)
        if first is None:
            self.find(self.plug(controller), controller, function)
        else:
            packed = known[first] & ~MAX_FUNCTION | function
            self._note(controller, f"shares the slot of {first.label}")
            self.reserve(controller, packed)
            self.keep(controller, packed)


class Count(Pass):
    """A trial pass that counts what it would look for, and takes nothing but the places that are known."""

    def __init__(self, rules: Libvirt, guest: Guest, controllers: list[Controller], present: dict[Device, int]) -> None:
        super().__init__(rules, guest, controllers, present, highest_index(guest) + 1, trial=True, log=False)
        self.wanted: dict[int, int] = {}
        self.before_integrated = 0
        self.grew = False
        """Whether an explicit address asks for a bus that is not there."""
        self.is_complete = False
        """Whether no device looks for a place, and no bus lacks its controller."""

    def count_all(self) -> Count:
        """Reserve the places that are known, count all others, and return this pass."""
        self.collect()
        self.chipset()
        self.primary_video()
        self.imagine()
        imagined = dict(self.wanted)
        self.assign()
        listed = sum([d.is_pci for d in self.controllers])
        self.is_complete = self.wanted == imagined and listed == len(self.topology.buses)
        return self

    def grow(self, number: int, plug: int, owner: Device | Owner) -> int:
        """Append buses up to a number, for an explicit address."""
        self.grew = True
        return super().grow(number, plug, owner)

    def find(self, plug: int, owner: Device | Owner, function: int = 0) -> int:
        """Count one place."""
        self._count(plug, 1)
        return 0

    def _find_run(self, plug: int, run: list[Device]) -> None:
        self._count(plug, len(run))

    def _count(self, plug: int, places: int) -> None:
        if plug & c.INTEGRATED and not any(known & c.INTEGRATED for known in self.wanted):
            self.before_integrated = self._conventional
        self.wanted[plug] = self.wanted.get(plug, 0) + places

    @property
    def _conventional(self) -> int:
        return sum(self.wanted.get(plug, 0) for plug in (c.CONVENTIONAL, c.PCI_BRIDGE, c.EXPANDER))

    def demand(self) -> Demand:
        """Return what was counted, and what is free."""
        want, buses = self.wanted, self.topology.buses
        known = {d.index for d in self.controllers if d.is_pci}
        missing = [bus.model.name for bus in buses if bus.index and bus.index not in known]
        integrated = sum(places for plug, places in want.items() if plug & c.INTEGRATED)
        conventional = bridge = express = port = 0
        for bus in buses:
            slots = bus.free.bit_count()
            if bus.automatic & c.CONVENTIONAL:
                conventional += slots
            elif bus.automatic & c.PCI_BRIDGE:
                bridge += slots
            if bus.automatic & c.EXPRESS:
                express += slots
            if bus.automatic & c.ROOT_PORT:
                shared = sum(FUNCTIONS - bus.functions(slot).bit_count() for slot in bits(bus.shared))
                port += slots * FUNCTIONS + shared
        if self.express:
            port -= FUNCTIONS * (want.get(c.DMI_BRIDGE, 0) + want.get(c.EXPRESS_EXPANDER, 0) + integrated)
        return Demand(
            conventional=self._conventional,
            express=sum(want.get(plug, 0) for plug in (c.EXPRESS, c.EXPRESS_TO_PCI_BRIDGE, c.UPSTREAM_PORT)),
            integrated=integrated,
            before_integrated=self.before_integrated,
            free_conventional=conventional,
            free_bridge=bridge,
            free_express=express,
            free_port=port,
            free_root=buses[0].free.bit_count() if buses else 0,
            buses=len(buses),
            ports=want.get(c.ROOT_PORT, 0) + missing.count("pcie-root-port"),
            bridges=missing.count("pci-bridge"),
            host_bridges=sum(bus.model.name == HOST_BRIDGE.name for bus in buses) if self.machine.host_bridges else 0,
            takes_bridges=any(bus.model.accepts & c.PCI_BRIDGE for bus in buses),
            express_root=self.express,
            spare=self.keeps_spare,
        )

    def real(self, controllers: list[Controller], model: str, buses: int) -> Pass:
        """Return the real pass, which begins with the places that this one has reserved.

        Args:
            controllers: all of them, those included that libvirt adds.
            model: the model of the buses to append.
            buses: how many.
        """
        real = Pass(self.rules, self.guest, controllers, self.present, 0, trial=False, log=False)
        self.topology.add_buses(PCI_CONTROLLERS[model], buses)
        real.topology, real.addresses = self.topology, self.addresses
        return real


def highest_index(guest: Guest) -> int:
    """Return the highest index of a PCI controller, -1 where there is none."""
    return max((d.index or 0 for d in guest.controllers if d.is_pci), default=-1)


def no_buses(guest: Guest, owner: Device | Owner) -> RefusedError:
    """Return the refusal of whoever wants an address on a machine without a PCI bus."""
    from pcisim.catalogue.other_machines import architectures_of

    name = guest.machine_type
    others = architectures_of(name) if guest.arch in X86 else []
    return RefusedError(
        "No PCI buses available",
        code="no-pci-bus",
        details=(
            f"{owner.label} needs or has a PCI address" + (f" (line {owner.line})" if owner.line else ""),
            f"the machine type '{name}' has no PCI bus that libvirt knows: {known_machines(guest, others)}",
        ),
        remedy=f"name a machine of type {machines_with_pci(guest)} in <os><type machine='...'>"
        + (f", or another architecture: arch='{others[0]}'" if others else ""),
        line=guest.machine_line,
        parties=(owner.label,),
    )


def known_machines(guest: Guest, others: list[str]) -> str:
    """Say which machines have a PCI bus, and what that of a guest is instead.

    Args:
        guest: the guest.
        others: the architectures that have a machine of that name.
    """
    if guest.arch not in X86:
        return "it is not virt or virt-VERSION"
    if guest.machine.family == "isapc":
        return "it has ISA only"
    also = f"; a {guest.machine_type} is a machine of {', '.join(others)}" if others else ""
    return f"it is none of pc, pc-i440fx-VERSION, q35 and pc-q35-VERSION{also}"


def machines_with_pci(guest: Guest) -> str:
    """Return the machine types of the guest's architecture that have a PCI bus."""
    return "pc or q35" if guest.arch in X86 else "virt"


def index_too_high(owner: Device | Owner) -> RefusedError:
    """Return the refusal of whoever needs a bus beyond the last one that there can be."""
    index = owner.index if isinstance(owner, Controller) else MAX_INDEX + 1
    return RefusedError(
        f"PCI controller index {index} too high, maximum is {MAX_INDEX}",
        code="index-range",
        details=(f"{owner.label} needs a bus beyond the {MAX_INDEX + 1} that there can be",),
        remedy="number the controllers from 1 without large gaps, or use fewer devices",
        line=owner.line,
        parties=(owner.label,),
    )


_ROOM_FOR = {
    c.PCI_BRIDGE: "write <controller type='pci' index='1' model='pci-bridge'/> into the definition: what is listed is"
    " placed before the devices",
    c.ROOT_PORT: "use <controller type='pci' model='pcie-switch-upstream-port'/> with downstream ports behind a port",
    c.EXPRESS: "add <controller type='pci' model='pcie-root-port'/>",
    c.CONVENTIONAL: "add <controller type='pci' model='pci-bridge'/> (q35: pcie-to-pci-bridge)",
    c.EXPRESS_TO_PCI_BRIDGE: "add <controller type='pci' model='pcie-root-port'/>",
    c.UPSTREAM_PORT: "add <controller type='pci' model='pcie-root-port'/>",
    c.DOWNSTREAM_PORT: "add <controller type='pci' model='pcie-switch-upstream-port'/>",
    c.DMI_BRIDGE: "free a slot of bus 0",
    c.EXPANDER: "free a slot of bus 0; an expander sits on the root bus of a pc machine",
    c.EXPRESS_EXPANDER: "free a slot of bus 0; an expander sits on the root bus of a q35 machine",
}
