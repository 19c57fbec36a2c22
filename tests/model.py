"""A slow engine, written straight from the rules: what the fast one has to agree with.

Buses are dicts of sets, every search starts again at bus 0, nothing is cached.  It shares with
pcisim the `Guest` objects that it is given and the rows of the catalogue that say what a device is
(its plug); buses, reserving, searching, growth, the two passes, and what comes after, are its own.

The numbers in comments are those of the rules' sections.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pcisim.catalogue import connectors
from pcisim.catalogue.versions import Libvirt
from pcisim.guest import Controller, Device, Guest

Place = tuple[int, int, int]
"""Bus, slot, function."""

C, E = "conventional", "express"


@dataclass(frozen=True)
class Socket:
    """One row of the table of section 2: what a bus is."""

    accepts: frozenset[str]
    auto: bool
    hotplug: bool
    low: int
    high: int


def _row(accepts: str, auto: bool, hotplug: bool, low: int, high: int) -> Socket:
    return Socket(frozenset(accepts.split()), auto, hotplug, low, high)


SOCKETS = {
    "pci-root": _row(f"{C} pci-bridge pci-expander-bus", True, True, 1, 31),
    "pci-bridge": _row(f"{C} pci-bridge", True, True, 1, 31),
    "pci-expander-bus": _row(f"{C} pci-bridge", True, True, 0, 31),
    "pcie-root": _row(f"{E} pcie-root-port dmi-to-pci-bridge pcie-expander-bus", False, False, 1, 31),
    "dmi-to-pci-bridge": _row(f"{C} pci-bridge", False, False, 0, 31),
    "pcie-to-pci-bridge": _row(f"{C} pci-bridge", True, True, 1, 31),
    "pcie-root-port": _row(f"{E} pcie-switch-upstream-port pcie-to-pci-bridge", True, True, 0, 0),
    "pcie-switch-upstream-port": _row("pcie-switch-downstream-port", False, False, 0, 31),
    "pcie-switch-downstream-port": _row(f"{E} pcie-switch-upstream-port pcie-to-pci-bridge", True, True, 0, 0),
    "pcie-expander-bus": _row("pcie-root-port dmi-to-pci-bridge", False, False, 0, 31),
}
"""Section 2, written out again."""
ROOTS = ("pci-root", "pcie-root")

KINDS = {
    connectors.CONVENTIONAL: C,
    connectors.EXPRESS: E,
    connectors.ROOT_PORT: "pcie-root-port",
    connectors.UPSTREAM_PORT: "pcie-switch-upstream-port",
    connectors.DOWNSTREAM_PORT: "pcie-switch-downstream-port",
    connectors.DMI_BRIDGE: "dmi-to-pci-bridge",
    connectors.EXPANDER: "pci-expander-bus",
    connectors.EXPRESS_EXPANDER: "pcie-expander-bus",
    connectors.PCI_BRIDGE: "pci-bridge",
    connectors.EXPRESS_TO_PCI_BRIDGE: "pcie-to-pci-bridge",
}


@dataclass(frozen=True)
class Plug:
    """What a device needs: a kind (or none, which no bus takes), and perhaps bus 0."""

    kind: str | None
    integrated: bool = False

    @classmethod
    def of(cls, bits: int) -> Plug:
        """Return the plug of pcisim's bits."""
        kinds = [name for bit, name in KINDS.items() if bits & bit]
        assert len(kinds) <= 1, bits
        return cls(kinds[0] if kinds else None, bool(bits & connectors.INTEGRATED))

    def bits(self) -> int:
        """Return pcisim's bits."""
        kind = next((bit for bit, name in KINDS.items() if name == self.kind), connectors.NO_CLASS)
        return kind | (connectors.INTEGRATED if self.integrated else 0)


class SlowRefusal(Exception):
    """A refusal, with the code that pcisim has for it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class SlowBus:
    """A bus: for each slot in use the functions in use, and the slots that carry the packing mark."""

    model: str
    dedicated: bool = False
    used: dict[int, set[int]] = field(default_factory=dict)
    packing: set[int] = field(default_factory=set)

    @property
    def slots(self) -> range:
        """Return the usable slots."""
        socket = SOCKETS[self.model]
        return range(socket.low, socket.high + 1)

    @property
    def accepts(self) -> frozenset[str]:
        """Return what it accepts; a port made for a bridge takes nothing else (6.6)."""
        return frozenset({"pcie-to-pci-bridge"}) if self.dedicated else SOCKETS[self.model].accepts


class SlowTopology:
    """Buses and who sits on them."""

    def __init__(self, *, integrated_conventional: bool = True) -> None:
        self.buses: list[SlowBus] = []
        self.owners: dict[Place, object] = {}
        self.integrated_conventional = integrated_conventional

    def add_bus(self, model: str, *, dedicated: bool = False) -> SlowBus:
        """Append a bus."""
        bus = SlowBus(model, dedicated)
        self.buses.append(bus)
        return bus

    def compatible(self, number: int, plug: Plug, *, explicit: bool) -> bool:
        """Return whether a bus takes a plug (section 2, the compatibility test)."""
        bus = self.buses[number]
        accepts = set(bus.accepts)
        if plug.integrated:
            if number != 0:
                return False
            if self.integrated_conventional:
                accepts.add(C)
        if explicit:
            if accepts & {C, E}:
                accepts |= {C, E, "pci-bridge"}
        elif plug.kind in (C, E) and not plug.integrated and not SOCKETS[bus.model].auto:
            return False
        return plug.kind in accepts

    def refusal(self, place: Place, plug: Plug, *, explicit: bool = True, domain: int = 0) -> str:
        """Return why a function cannot be given (6.5, steps 2 and 3), or ""."""
        number, slot, function = place
        if not self.buses:
            return "no-pci-bus"
        if domain:
            return "domain-range"
        if number >= len(self.buses):
            return "bus-missing"
        if not self.compatible(number, plug, explicit=explicit):
            return "not-integrated" if plug.integrated and number else "wrong-plug"
        if slot not in self.buses[number].slots:
            return "slot-range"
        if function in self.buses[number].used.get(slot, ()):
            return "slot-occupied"
        return ""

    def reserve(self, place: Place, plug: Plug, owner: object, *, explicit: bool = True, domain: int = 0) -> None:
        """Give one function to its owner (6.5)."""
        code = self.refusal(place, plug, explicit=explicit, domain=domain)
        if code:
            raise SlowRefusal(code)
        number, slot, function = place
        bus = self.buses[number]
        held = bus.used.setdefault(slot, set())
        if not held and plug.kind == "pcie-root-port":
            bus.packing.add(slot)
        held.add(function)
        self.owners[place] = owner

    def search(self, plug: Plug, function: int = 0) -> Place | None:
        """Return the first place for a plug, buses and slots in ascending order (6.3).

        The second walk of 6.3 is over buses of other isolation groups, which x86 has not.
        """
        for number, bus in enumerate(self.buses):
            if not self.compatible(number, plug, explicit=False):
                continue
            for slot in bus.slots:
                held = bus.used.get(slot, set())
                if not held:
                    return number, slot, function
                if plug.kind == "pcie-root-port" and slot in bus.packing and len(held) < 8:
                    return number, slot, min(set(range(8)) - held)
        return None

    def allocate(self, plug: Plug, owner: object, function: int = 0) -> Place | None:
        """Find a place and give it to its owner."""
        place = self.search(plug, function)
        if place is not None:
            self.reserve(place, plug, owner, explicit=False)
        return place

    def release(self, place: Place) -> None:
        """Take a place back; an empty slot carries no mark."""
        if place not in self.owners:
            raise SlowRefusal("slot-empty")
        del self.owners[place]
        number, slot, function = place
        bus = self.buses[number]
        bus.used[slot].remove(function)
        if not bus.used[slot]:
            del bus.used[slot]
            bus.packing.discard(slot)

    @property
    def has_empty_slot(self) -> bool:
        """Return whether any bus has a slot with nothing in it."""
        return any(not bus.used.get(slot) for bus in self.buses for slot in bus.slots)


@dataclass
class SlowPlacement:
    """What the slow engine answers."""

    addresses: dict[Device, Place]
    controllers: list[Controller]
    multifunction: dict[Device, str]
    targets: dict[int, dict[str, object]]
    """For each index of a PCI controller the options of its `<target>`."""
    topology: SlowTopology


# 6.2: the order in which explicit addresses are collected
WALK = [
    "disk", "interface", "sound", "hostdev", "video", "controller", "smartcard", "serial", "parallel", "channel",
    "console", "input", "filesystem", "watchdog", "memballoon", "rng", "nvram", "hub", "shmem", "tpm", "panic",
    "memory", "redirdev", "iommu", "vsock", "crypto", "pstore",
]  # fmt: skip

# 6.4: the order in which addresses are assigned, after the PCI controllers
ASSIGN = [
    "filesystem", "interface", "sound", "controller", "disk", "hostdev", "memballoon", "rng", "watchdog", "video",
    "shmem", "input", "serial", "iommu", "vsock", "memory", "crypto", "panic", "pstore",
]  # fmt: skip

ICH9 = {"ich9-ehci1": 7, "ich9-uhci1": 0, "ich9-uhci2": 1, "ich9-uhci3": 2}
COMPANIONS = ("ich9-uhci1", "ich9-uhci2", "ich9-uhci3")


class SlowEngine:
    """The sketch of 6.8 over one completed guest."""

    def __init__(self, guest: Guest, rules: Libvirt) -> None:
        self.guest = guest
        self.rules = rules
        machine = guest.machine_type
        if machine == "q35" or machine.startswith("pc-q35-"):
            self.family = "q35"
        elif machine in ("", "pc") or machine.startswith(("pc-0.", "pc-1.", "pc-i440fx-", "rhel")):
            self.family = "i440fx"
        else:
            self.family = "other"
        # objects of our own: the guest is not changed
        self.controllers = list(guest.controllers)
        self.present: dict[Device, Place] = {}
        self.domains: dict[Device, int] = {}
        for device in guest.all_devices():
            if device.address is not None:
                packed = device.address
                self.present[device] = (packed >> 8 & 0xFF, packed >> 3 & 0x1F, packed & 7)
                self.domains[device] = packed >> 16
        self.state = SlowTopology()
        self.chosen: dict[Device, Place] = {}
        self.trial = True

    # -- the sketch of 6.8

    def place(self) -> SlowPlacement:
        """Place the guest."""
        pci = {c.index: c for c in self.controllers if c.type == "pci" and c.index is not None}
        highest = max(pci, default=-1)
        count = highest + 1
        if count:
            self.trial = True
            self.new_state(count)
            self.collect_explicit()
            self.chipset()
            if self.buses[0].model == "pci-root" and self.state.has_empty_slot:
                self.find(Plug(C), "imaginary")
            self.assign_all()
            if self.buses[0].model == "pcie-root" and highest == 0 and len(self.buses) > count:
                self.find(Plug(E), "spare")
            for index in range(1, len(self.buses)):
                if index in pci:
                    continue
                model = self.buses[index].model
                made = Controller("controller", f"pci:{index}", model, type="pci", index=index)
                self.add_controller(made)
                self.find(Plug(model), made)
            count = len(self.buses)
        self.trial = False
        self.chosen = {}
        self.new_state(count)
        self.collect_explicit()
        self.chipset()
        self.assign_all()
        return SlowPlacement(self.chosen, self.controllers, self.multifunction(), self.settle(), self.state)

    @property
    def buses(self) -> list[SlowBus]:
        """Return the buses of the pass."""
        return self.state.buses

    def new_state(self, count: int) -> None:
        """Build the initial state: the listed controllers, and what fills the gaps (6.2)."""
        self.state = SlowTopology(integrated_conventional=self.rules.integrated_conventional_on_express)
        models = {c.index: c.model for c in self.controllers if c.type == "pci"}
        for index in range(count):
            gap = "pcie-root-port" if "pcie-root" in models.values() else "pci-bridge"
            self.state.add_bus(models.get(index, gap))

    def walk(self) -> Iterator[Device]:
        """Yield the devices in the order of 6.2."""
        for element in WALK:
            yield from self.controllers if element == "controller" else self.guest.devices.get(element, [])

    def collect_explicit(self) -> None:
        """Reserve all explicit addresses (6.2, step 3)."""
        for device in self.walk():
            if device not in self.present:
                continue
            if isinstance(device, Controller) and device.index == 0:
                place = self.present[device]
                is_ide = device.type == "ide" and place == (0, 1, 1)
                is_usb = device.type == "usb" and device.model == "piix3-uhci" and place == (0, 1, 2)
                if (is_ide or is_usb) and not self.domains.get(device):
                    if self.buses and C not in self.buses[0].accepts:
                        raise SlowRefusal("wrong-root")
                    continue
            self.reserve(device)

    def reserve(self, device: Device) -> None:
        """Reserve the place that a device has (6.5, step 1 with the growth of 6.6)."""
        number, slot, function = self.present[device]
        plug = self.plug(device)
        if self.trial and self.buses and number >= len(self.buses):
            number = self.grow(number, plug)
            self.present[device] = number, slot, function
        self.state.reserve(self.present[device], plug, device, domain=self.domains.get(device, 0))
        self.chosen[device] = self.present[device]

    def plug(self, device: Device) -> Plug:
        """Return the plug of a device (section 3)."""
        if isinstance(device, Controller) and device.type == "pci":
            return Plug(device.model)
        plug = Plug.of(device.plug)
        if plug.kind is None and device in self.present:
            return Plug(C)  # 3.2, last paragraph
        if plug.kind == E and not (self.buses and self.buses[0].model == "pcie-root"):
            return Plug(C, plug.integrated)
        return plug

    def wants(self, device: Device) -> bool:
        """Return whether a device still wants a PCI address (1.2)."""
        return device.address is None and device.address_type in (None, "pci") and device not in self.present

    def find(self, plug: Plug, owner: object, function: int = 0) -> None:
        """Search a place, growing if this is the trial (6.3)."""
        if not self.buses:
            raise SlowRefusal("no-pci-bus")
        place = self.state.search(plug, function)
        if place is None:
            if not self.trial:
                raise SlowRefusal("no-more-slots")
            number = self.grow(len(self.buses), plug)
            place = number, self.buses[number].slots[0], function
        self.state.reserve(place, plug, owner, explicit=False)
        if isinstance(owner, Device) and not self.trial:
            self.chosen[owner] = place

    def grow(self, number: int, plug: Plug) -> int:
        """Append buses up to a number; return the number, which may be one higher (6.6)."""
        if plug.kind == C:
            if not any("pci-bridge" in bus.accepts for bus in self.buses):
                if number == len(self.buses):
                    number += 1
                self.state.add_bus("pcie-root-port", dedicated=True)
                self.state.add_bus("pcie-to-pci-bridge")
            model = "pci-bridge"
        elif plug.kind in (E, "pcie-switch-upstream-port"):
            model = "pcie-root-port"
        elif plug.kind in ("pcie-to-pci-bridge", None):
            raise SlowRefusal("cannot-grow")
        else:
            raise SlowRefusal("no-slot-for-controller")
        while len(self.buses) <= number:
            self.state.add_bus(model)
        return number

    def add_controller(self, new: Controller) -> None:
        """Insert a controller that libvirt makes (5.3): sorted in by 11.3, last by 9.0."""
        position = len(self.controllers)
        if self.rules.sorts_added_controllers:
            same = [n for n, other in enumerate(self.controllers) if other.type == new.type]
            greater = [n for n in same if (self.controllers[n].index or 0) > (new.index or 0)]
            position = greater[0] if greater else same[-1] + 1 if same else position
        self.controllers.insert(position, new)

    # -- 4.3

    def chipset(self) -> None:
        """Give fixed and preferred places."""
        if not self.buses:
            return
        if self.family == "i440fx":
            for controller in list(self.controllers):
                if controller.index == 0 and controller.type == "ide":
                    self.fixed(controller, (0, 1, 1))
                elif controller.index == 0 and controller.type == "usb" and controller.model == "piix3-uhci":
                    self.fixed(controller, (0, 1, 2))
            for function in (0, 3):
                self.state.reserve((0, 1, function), Plug(C), "chipset")
            self.primary_video(2)
        elif self.family == "q35":
            for controller in list(self.controllers):
                if controller.type == "sata" and controller.index == 0:
                    self.fixed(controller, (0, 0x1F, 2))
                elif controller.address_type is not None:
                    continue
                elif controller.type == "usb" and controller.model == "ich9-uhci1":
                    if not self.prefer(controller, 0x1D):
                        self.prefer(controller, 0x1A)
                elif controller.type == "pci" and controller.model == "dmi-to-pci-bridge":
                    self.prefer(controller, 0x1E)
            for function in (0, 3):
                self.state.reserve((0, 0x1F, function), Plug(C), "chipset")
            self.primary_video(1)
            for sound in self.guest.devices.get("sound", []):
                if sound.model == "ich9" and self.wants(sound):
                    self.prefer(sound, 0x1B)
                    break

    def fixed(self, controller: Controller, place: Place) -> None:
        """Put a controller where the chipset has it; the place is kept (6.7)."""
        if controller.address is not None and self.present[controller] != place:
            raise SlowRefusal("fixed-place")
        self.present[controller] = place
        if controller not in self.state.owners.values():
            self.reserve(controller)
        self.chosen[controller] = place

    def prefer(self, device: Device, slot: int) -> bool:
        """Put a device into a slot of bus 0 if that is empty; the place is kept (6.7)."""
        if device in self.present or self.buses[0].used.get(slot):
            return False
        self.present[device] = 0, slot, 0
        self.reserve(device)
        return True

    def primary_video(self, slot: int) -> None:
        """Place the first video device."""
        videos = self.guest.devices.get("video", [])
        if not videos or not videos[0].plug or not self.wants(videos[0]):
            return
        if not self.prefer(videos[0], slot):
            self.find(self.plug(videos[0]), videos[0])

    # -- 6.4

    def assign_all(self) -> None:
        """Place every device that wants a place, in order."""
        for controller in list(self.controllers):
            if controller.type == "pci" and controller.model not in ROOTS and self.wants(controller):
                self.find(Plug(controller.model), controller)
        for element in ASSIGN:
            if element == "controller":
                for controller in list(self.controllers):
                    self.assign_controller(controller)
                continue
            devices = self.guest.devices.get(element, [])
            interfaces = self.guest.devices.get("interface", [])
            if element == "interface":
                devices = [d for d in interfaces if d.bus != "hostdev"]
            elif element == "hostdev":
                devices = [d for d in interfaces if d.bus == "hostdev"] + devices
            for device in devices:
                foreign = device.address_type not in (None, "pci", "ccw", "virtio-mmio")
                if element == "disk" and device.bus == "virtio" and foreign:
                    raise SlowRefusal("wrong-address-type")
                if device.plug and self.wants(device) and device not in self.chosen:
                    self.find(self.plug(device), device)

    def assign_controller(self, controller: Controller) -> None:
        """Place a controller that is not a PCI bridge (6.4, step 5)."""
        if controller.type == "pci" or not controller.plug or not self.wants(controller):
            return
        if controller.type == "ide" and controller.index == 0:
            return
        if controller.model not in ICH9:
            self.find(self.plug(controller), controller)
            return
        function = ICH9[controller.model]
        for other in self.controllers:
            if other.type == "usb" and other.model in ICH9 and other.index == controller.index:
                known = self.present.get(other) or (None if self.trial else self.chosen.get(other))
                if known is not None:
                    # found: "reserved as explicit", and kept even by the trial (6.7)
                    self.present[controller] = known[0], known[1], function
                    self.reserve(controller)
                    return
        self.find(self.plug(controller), controller, function)

    # -- 7

    def multifunction(self) -> dict[Device, str]:
        """Return the attribute of each device that carries one (7.1)."""
        carried: dict[Device, str] = {}
        for device in self.chosen:
            if device.address is not None and device.multifunction:
                carried[device] = device.multifunction
            elif device.address is None and device.model == "ich9-uhci1":
                carried[device] = "on"
        for bus, slot, function in self.chosen.values():
            if function:
                for device in self.walk():
                    if self.chosen.get(device) == (bus, slot, 0):
                        carried.setdefault(device, "on")
                        break
        return carried

    def settle(self) -> dict[int, dict[str, object]]:
        """Return the options of each PCI controller (7.2), and refuse what 7.3 refuses."""
        settled: dict[int, dict[str, object]] = {}
        numbers = [int(c.target["busNr"]) for c in self.controllers if "busNr" in c.target]
        for controller in self.controllers:
            if controller.type != "pci" or controller.index is None:
                continue
            place = self.chosen.get(controller)
            target: dict[str, object] = dict(controller.target)
            if controller.model == "pci-bridge" and place is not None and controller.index <= place[0]:
                raise SlowRefusal("bridge-order")
            if controller.model == "pci-bridge":
                target.setdefault("chassisNr", controller.index)
            elif controller.model in ("pcie-root-port", "pcie-switch-downstream-port"):
                root = controller.model == "pcie-root-port"
                _, slot, function = place or (0, 0, 0)  # a foreign address counts as zero (asked of 11.3)
                target.setdefault("chassis", controller.index)
                target.setdefault("port", slot * 8 + function if root else slot)
            elif controller.model in ("pci-expander-bus", "pcie-expander-bus") and "busNr" not in target:
                lowest = min(numbers, default=256)
                if lowest <= 2:
                    raise SlowRefusal("no-bus-number")
                target["busNr"] = lowest - 2
                numbers.append(lowest - 2)
            settled[controller.index] = target
        return settled


def place(guest: Guest, rules: Libvirt) -> SlowPlacement:
    """Place a completed guest, slowly.

    Raises:
        SlowRefusal: libvirt refuses the guest.
    """
    return SlowEngine(guest, rules).place()
