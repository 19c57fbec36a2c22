"""`pcisim.hotplug.RunningGuest` against a slow model, through random attaches, detaches and acknowledgements.

Libvirt rule 7.6: a running guest takes a device at function 0 of an empty slot of a bus that takes hotplug, nothing
grows.
What is refused changes nothing; `check` holds after every step; and a guest that is started again from what is
written down is where it was.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import pcisim
from pcisim.address import PciAddress, pack
from pcisim.catalogue.connectors import CONVENTIONAL, EXPRESS
from pcisim.errors import PcisimError
from pcisim.guest import Controller, Device
from pcisim.hotplug import ABSENT, PLUGGED, TRANSITIONS, UNPLUGGING, RunningGuest
from pcisim.libvirt.completion import complete
from pcisim.libvirt.policy import LibvirtPolicy
from pcisim.placement import Placement
from tests.model import SOCKETS, C, E, Place
from tests.oracle.sequences import Maker, domain, running_pc, running_q35

KINDS = {
    "virtio": ("interface", EXPRESS),
    "igb": ("interface", EXPRESS),
    "rtl8139": ("interface", CONVENTIONAL),
    "rng": ("rng", EXPRESS),
    "shmem": ("shmem", CONVENTIONAL),
    "virtio-scsi": ("controller", EXPRESS),
    "sound": ("sound", CONVENTIONAL),
}
"""What is attached: the element and the plug."""
MODELS = {"rng": "virtio", "shmem": "ivshmem-plain", "sound": "ac97"}
VIRTUAL = [128 + 2 * n for n in range(8)]
"""An igb's virtual functions, above its own."""


@dataclass
class SlowGuest:
    """Who holds which function of which bus; every search begins at bus 0."""

    models: list[str]
    off: set[int]
    acpi: bool
    express: bool
    held: dict[Place, str]
    labels: set[str]
    devices: dict[str, str]
    """For each label the element, or what `KINDS` calls it."""
    unplugging: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, placement: Placement) -> SlowGuest:
        """Return the model of a guest as it starts."""
        guest, topology = placement.guest, placement.topology
        held = {(p >> 8, p >> 3 & 31, p & 7): owner.label for p, owner in topology.owners.items()}
        off = {c.index or 0 for c in guest.controllers if c.type == "pci" and c.target.get("hotplug") == "off"}
        everyone = [d for d in guest.all_devices() if d.mirrors is None]
        devices = {d.label: d.element for d in everyone}
        devices |= {d.label: f"controller/{d.type}" for d in guest.controllers}
        models = [bus.model.name for bus in topology.buses]
        return cls(models, off, guest.acpi, guest.machine.express, held, set(devices), devices)

    def libvirt_goes(self, bus: int) -> bool:
        """Return whether libvirt takes a bus for one that takes hotplug."""
        port = self.models[bus] in ("pcie-root-port", "pcie-switch-downstream-port")
        return SOCKETS[self.models[bus]].hotplug and not (port and bus in self.off)

    def qemu_takes(self, bus: int) -> bool:
        """Return whether QEMU does."""
        model = self.models[bus]
        if model == "pci-root":
            return self.acpi and bus not in self.off
        return model not in ("pcie-root", "pci-expander-bus")

    def functions(self, bus: int, slot: int) -> list[int]:
        """Return the functions that are held in a slot."""
        return [f for f in range(8) if (bus, slot, f) in self.held]

    def search(self, plug: int) -> Place | None:
        """Return the first empty slot that libvirt finds."""
        kind = E if plug == EXPRESS and self.express else C
        for bus, model in enumerate(self.models):
            socket = SOCKETS[model]
            if kind in socket.accepts and socket.auto and self.libvirt_goes(bus):
                for slot in range(socket.low, socket.high + 1):
                    if not self.functions(bus, slot):
                        return bus, slot, 0
        return None

    def refusal(self, kind: str, wanted: Place | None, flag: str | None) -> tuple[str, Place | None]:
        """Return why an attach is refused, or "" and the place."""
        if kind == "sound":
            return "not-hot-pluggable", None
        if wanted is None:
            place = self.search(KINDS[kind][1])
            if place is None:
                return "no-more-slots", None
        else:
            bus, slot, function = place = wanted
            if function:
                return "function-not-zero", None
            if bus >= len(self.models):
                return "bus-missing", None
            if not self.libvirt_goes(bus):
                return "no-hotplug", None
            if not SOCKETS[self.models[bus]].low <= slot <= SOCKETS[self.models[bus]].high:
                return "slot-range", None
            if (bus, slot, 0) in self.held:
                return "slot-occupied", None
        bus, slot, _ = place
        if not self.qemu_takes(bus):
            return "no-hotplug", None
        if self.functions(bus, slot) and flag != "on":
            return "single-function", None
        return ("virtual-functions", None) if self.meets_virtual(kind, bus, slot << 3) else ("", place)

    def meets_virtual(self, kind: str, bus: int, own: int) -> bool:
        """Return whether a card meets the virtual functions of another, or the other way round."""
        mine = [own + n for n in VIRTUAL] if kind == "igb" else []
        there = [(s << 3 | f, self.devices.get(label)) for (b, s, f), label in self.held.items() if b == bus]
        theirs = [at + n for at, other in there if other == "igb" for n in VIRTUAL]
        known = [
            at for (b, s, f), label in self.held.items() if b == bus and label in self.labels for at in [s << 3 | f]
        ]
        return max(mine, default=0) > 255 or own in theirs or bool(set(mine) & {*known, *theirs})

    def asks_again(self, label: str) -> bool:
        """Return whether QEMU asks once more: a bridge's own hotplug controller does, where ACPI is not in charge."""
        bus = next((bus for (bus, _, _), holder in self.held.items() if holder == label), 0)
        if self.models[bus] not in ("pci-bridge", "pcie-to-pci-bridge"):
            return False
        above = {holder: place[0] for place, holder in self.held.items()}
        line = [bus]
        while line[-1] and above.get(f"pci:{line[-1]}", 0) not in line:
            line.append(above.get(f"pci:{line[-1]}", 0))
        return (not self.express and not self.acpi) or any("expander" in self.models[b] for b in line)

    def stays(self, label: str) -> str:
        """Return why a detach is refused, or ""."""
        if label not in self.labels:
            return "unknown-label"
        if label in self.unplugging and not self.asks_again(label):
            return "unplug-pending"
        kind = self.devices[label]
        if kind not in ("rng", "interface", "shmem", "controller/scsi", "igb", "virtio", "rtl8139", "virtio-scsi"):
            return "not-hot-pluggable"
        places = [place for place, holder in self.held.items() if holder == label]
        for bus, slot, function in places:
            if any(self.held[bus, slot, f] in self.labels for f in self.functions(bus, slot) if f != function):
                return "multifunction-unplug"
            if bus in self.off or not self.qemu_takes(bus):
                return "no-hotplug"
        return ""


class RunningMachine(RuleBasedStateMachine):
    """Do the same to both."""

    @initialize(
        machine=st.sampled_from(["pc", "q35"]), seed=st.integers(0, 10**6), acpi=st.sampled_from([True] * 5 + [False])
    )
    def start(self, machine: str, seed: int, acpi: bool) -> None:
        chance = random.Random(seed)
        devices = (running_pc if machine == "pc" else running_q35)(chance, Maker(chance))
        placement = pcisim.assign(domain(machine, devices, acpi=acpi)).placement
        self.fast = RunningGuest(placement)
        self.slow = SlowGuest.of(placement)
        self.count = {"scsi": 10, **{e: 1000 for e, _ in KINDS.values()}}

    def snapshot(self) -> tuple[object, ...]:
        guest = self.fast
        states = {label: guest.state(label) for label in guest.addresses}
        return guest.addresses, dict(guest.topology.owners), states, guest.definition, list(guest.events)

    def device(self, kind: str, wanted: Place | None, flag: str | None) -> Device:
        element, plug = KINDS[kind]
        address = None if wanted is None else pack(*wanted)
        kind_of_address = None if wanted is None else "pci"
        model = MODELS.get(kind, kind)
        if element == "controller":
            index = self.count["scsi"]
            return Controller(
                element, f"scsi:{index}", model, plug, kind_of_address, address, flag, type="scsi", index=index
            )
        bus = "user" if element == "interface" else ""
        return Device(element, f"{element}:?", model, plug, kind_of_address, address, flag, bus)

    @rule(
        kind=st.sampled_from(sorted(KINDS)),
        wanted=st.none()
        | st.tuples(
            st.sampled_from([0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 6, 9]),
            st.sampled_from([0, 0, 1, 2, 5, 13, 14, 15, 29, 31]),
            st.sampled_from([0] * 6 + [3]),
        ),
        flag=st.sampled_from([None, "on", "off"]),
        beside=st.none() | st.none() | st.integers(0, 10**6),
    )
    def attach(self, kind: str, wanted: Place | None, flag: str | None, beside: int | None) -> None:
        alone = [place for place in self.slow.held if place[2] and (*place[:2], 0) not in self.slow.held]
        if beside is not None and alone:
            wanted = (*alone[beside % len(alone)][:2], 0)
        if wanted is not None and not any(wanted[:2]):
            wanted = None  # an address of zeros is none
        flag = None if wanted is None else flag
        code, place = self.slow.refusal(kind, wanted, flag)
        before = self.snapshot()
        device = self.device(kind, wanted, flag)
        if place is None:
            with pytest.raises(PcisimError) as caught:
                self.fast.attach(device)
            assert caught.value.code == code, caught.value.explanation()
            assert self.snapshot() == before
            return
        address = self.fast.attach(device)
        assert address == PciAddress.of(*place)
        label = self.fast.events[-1].label
        self.count["scsi"] += kind == "virtio-scsi"
        assert label not in self.slow.labels
        self.slow.held[place] = label
        self.slow.labels.add(label)
        self.slow.devices[label] = kind

    @rule(data=st.data(), wait=st.sampled_from([True, True, False]))
    def detach(self, data: st.DataObject, wait: bool) -> None:
        label = data.draw(st.sampled_from([*sorted(self.slow.labels), "interface:none"]))
        code = self.slow.stays(label)
        before = self.snapshot()
        if code:
            with pytest.raises(PcisimError) as caught:
                self.fast.detach(label, wait=wait)
            assert caught.value.code == code, caught.value.explanation()
            assert self.snapshot() == before
            return
        place = next((place for place, holder in self.slow.held.items() if holder == label), None)
        assert self.fast.detach(label, wait=wait) == (None if place is None else PciAddress.of(*place))
        self.slow.unplugging.add(label)
        if wait:
            self.forget(label)

    def forget(self, label: str) -> None:
        self.slow.unplugging.discard(label)
        self.slow.labels.discard(label)
        self.slow.held = {place: holder for place, holder in self.slow.held.items() if holder != label}

    @precondition(lambda self: self.slow.unplugging)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        label = data.draw(st.sampled_from(sorted(self.slow.unplugging)))
        self.fast.acknowledge(label)
        self.forget(label)

    @rule(data=st.data())
    def acknowledge_what_nobody_asked(self, data: st.DataObject) -> None:
        label = data.draw(st.sampled_from([*sorted(self.slow.labels - self.slow.unplugging), "rng:none"]))
        before = self.snapshot()
        with pytest.raises(PcisimError) as caught:
            self.fast.acknowledge(label)
        assert caught.value.code == ("not-unplugging" if label in self.slow.labels else "unknown-label")
        assert self.snapshot() == before

    @rule()
    def start_again(self) -> None:
        """An address is kept at a cold start because it is written into the stored XML."""
        again = LibvirtPolicy().place(complete(self.fast.definition, self.fast.rules))
        assert again.added == []
        places = {d.label: PciAddress.from_int(packed) for d, packed in again.addresses.items() if d.mirrors is None}
        assert places == self.fast.addresses
        assert [bus.used for bus in again.topology.buses] == [bus.used for bus in self.fast.topology.buses]

    @invariant()
    def is_sound(self) -> None:
        if hasattr(self, "fast"):
            self.fast.check()

    @invariant()
    def same_places(self) -> None:
        if not hasattr(self, "fast"):
            return
        held = {PciAddress.of(*place): label for place, label in self.slow.held.items()}
        owners = {PciAddress.from_int(packed): owner.label for packed, owner in self.fast.topology.owners.items()}
        assert owners == held
        for label in self.slow.labels:
            state = UNPLUGGING if label in self.slow.unplugging else PLUGGED
            assert self.fast.state(label) == state
        assert self.fast.state("interface:none") == ABSENT


def test_every_state_has_its_events() -> None:
    """An event leads from each state to one other, and round again: absent, plugged, unplugging, absent."""
    assert {state: dict(events) for state, events in TRANSITIONS.items()} == {
        ABSENT: {"attach": PLUGGED},
        PLUGGED: {"detach": UNPLUGGING},
        UNPLUGGING: {"acknowledge": ABSENT},
    }


TestRunningGuest = RunningMachine.TestCase
