"""A guest that runs: devices come and go, buses do not.

Source: libvirt rules 2 and 7.6, and what libvirt 11.3.0 with QEMU 10.0 answered about running guests (2026-11-23).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pcisim.address import MAX_FUNCTION, MAX_SLOT, PciAddress, format_packed, pack
from pcisim.catalogue import connectors as c
from pcisim.catalogue.devices import plug_on
from pcisim.catalogue.versions import DEFAULT_VERSION, VERSIONS, Libvirt
from pcisim.enumeration.virtual_functions import in_the_way, overflows, virtual_functions
from pcisim.errors import NotCoveredError, RefusedError, UsageError
from pcisim.guest import Controller, Device, Guest, evolved, refuse
from pcisim.hotplug.definition import copied, extended, next_number, reduced, settled
from pcisim.hotplug.kinds import (
    bus_name,
    check_comes,
    check_made,
    emulator_refuses,
    is_hot,
    no_room,
    row_of,
)
from pcisim.hotplug.unplug import check_goes, may_ask_again
from pcisim.libvirt.completion import complete
from pcisim.libvirt.controllers_to_add import recipes_for
from pcisim.libvirt.validation import validate
from pcisim.placement import Placement
from pcisim.placement.pinned import pinned
from pcisim.topology import Bus

_MOST_LOOKS = 12

# what may happen to a device

ABSENT = "absent"
PLUGGED = "plugged"
UNPLUGGING = "unplugging"
"""The guest has been asked to let the device go, and has not yet: its place is still held."""

ATTACH = "attach"
DETACH = "detach"
ACKNOWLEDGE = "acknowledge"

TRANSITIONS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        ABSENT: MappingProxyType({ATTACH: PLUGGED}),
        PLUGGED: MappingProxyType({DETACH: UNPLUGGING}),
        UNPLUGGING: MappingProxyType({ACKNOWLEDGE: ABSENT}),
    }
)
"""For each state of a device, the events that are legal and the state that follows."""


class Event(NamedTuple):
    """One thing that happened: what, to whom, where; and whether it came along with something else."""

    action: str
    label: str
    address: PciAddress | None
    multifunction: str | None = None
    implied: bool = False


class RunningGuest:
    """A guest that runs: devices come and go, buses do not.

    Nothing that is refused changes anything.  In one thing that is better than libvirt: when a SCSI disk needs
    several new controllers and not all find a place, libvirt leaves the first ones plugged in.

    Args:
        placement: the guest as it was started; it is not changed.
        rules: the version of libvirt; what differs while a guest runs was asked of 11.3 only.

    Raises:
        RefusedError: a guest of s390, whose devices come and go by other rules.
    """

    __slots__ = ("_controllers", "_numbers", "_places", "_states", "definition", "events", "rules", "topology")

    def __init__(self, placement: Placement, rules: Libvirt = VERSIONS[DEFAULT_VERSION]) -> None:
        if placement.guest.machine.virtio_bus == "ccw":
            raise NotCoveredError(
                f"what a running guest of {placement.guest.arch} takes is not covered",
                code="unknown-architecture",
                line=placement.guest.machine_line,
                remedy="attach it with --config, or ask libvirt itself",
            )
        self.rules = rules
        self.definition = pinned(placement)
        """The guest as it is now, with every address explicit."""
        self.topology = copied(placement.topology)
        """Every bus and who sits on it now."""
        self.events: list[Event] = []
        """What has happened, in order."""
        self._controllers = {d.index: d for d in self.definition.controllers if d.is_pci}
        self._states = {d.label: PLUGGED for d in self.definition.all_devices() if d.mirrors is None}
        self._places = {d.label: packed for d, packed in placement.addresses.items() if d.mirrors is None}
        self._numbers = {element: next_number(self.definition, element) for element in self.definition.devices}

    @property
    def addresses(self) -> dict[str, PciAddress]:
        """Return the address of every device that has one, by label."""
        return {label: PciAddress.from_int(packed) for label, packed in self._places.items()}

    def state(self, label: str) -> str:
        """Return the state of a device: `PLUGGED`, `UNPLUGGING`, or `ABSENT` when there is none of that label."""
        return self._states.get(label, ABSENT)

    # events

    def attach(self, device: Device) -> PciAddress | None:
        """Plug a device in, as ``virsh attach-device --live`` does.

        Args:
            device: the device, with or without an address; disks and controllers keep their label, others
                get the next number of their element, which is never given twice.

        Returns:
            Its address; ``None`` for what needs none, such as a SCSI disk.  `events` tells the label, and
            which SCSI controllers came along.

        Raises:
            RefusedError: libvirt or QEMU refuses; nothing has changed then.
        """
        self.attach_alike([device])
        return self.events[-1].address

    def attach_alike(self, devices: Sequence[Device]) -> None:
        """Plug devices of one kind in, one after the other: all of them, or none when one of them is refused.

        It takes no longer for many of them than for one.

        Args:
            devices: as for `attach`; their labels differ.

        Raises:
            RefusedError: libvirt or QEMU refuses one of them; nothing has changed then.
        """
        asked = [self._named(device, number) for number, device in enumerate(devices)]
        if not asked:
            return
        for device in asked:
            self._next(device.label, ATTACH, device)
            check_comes(device)
        trial = complete(extended(self.definition, asked), self.rules)
        attached = self._attached_with(trial, asked[-1])
        for one in attached:
            check_made(one)
        places = self._take(attached)
        try:
            validate(trial, {d for d in trial.all_devices() if d.address is not None} | set(places), self.rules)
        except RefusedError:
            self._give_back(places)
            raise
        self.definition = settled(trial, self.definition, attached, places)
        element = asked[-1].element
        self._numbers[element] = self._numbers.get(element, 0) + len(asked)
        implied = attached[: -len(asked)]
        for one in attached:
            packed = places.get(one)
            self._states[one.label] = PLUGGED
            if packed is not None:
                self._places[one.label] = packed
            address = None if packed is None else PciAddress.from_int(packed)
            self.events.append(Event(ATTACH, one.label, address, one.multifunction, one in implied))

    def detach(self, label: str, *, wait: bool = True) -> PciAddress | None:
        """Ask the guest to let a device go, as ``virsh detach-device --live`` does.

        Args:
            label: the device.
            wait: whether the guest does so, now; otherwise the place stays held until `acknowledge`.

        Returns:
            The address that is, or will be, free; ``None`` when the device has none.

        Raises:
            UsageError: there is no such device.
            RefusedError: libvirt or QEMU refuses; nothing has changed then.
        """
        after = self._next(label, DETACH)
        device = next(d for d in self.definition.all_devices() if d.label == label)
        check_goes(device, self._places.get(label), self.definition, self.topology)
        self._states[label] = after
        packed = self._places.get(label)
        address = None if packed is None else PciAddress.from_int(packed)
        self.events.append(Event(DETACH, label, address))
        if wait:
            self.acknowledge(label)
        return address

    def acknowledge(self, label: str) -> None:
        """Let the guest let go of a device that is being unplugged; its function is free then.

        Raises:
            UsageError: there is no such device.
            RefusedError: nobody asked for it.
        """
        self._next(label, ACKNOWLEDGE)
        packed = self._places.pop(label, None)
        if packed is not None:
            self.topology.release(packed)
        del self._states[label]
        self.definition = reduced(self.definition, label)
        self.events.append(Event(ACKNOWLEDGE, label, None if packed is None else PciAddress.from_int(packed)))

    def headroom(self, plug: int) -> int:
        """Return how many more devices of a plug can be attached without naming an address.

        Fewer than there are hot slots when libvirt comes upon a bus that it takes for hot-pluggable and QEMU
        does not: it looks no further.

        Args:
            plug: `CONVENTIONAL` or `EXPRESS` of `pcisim.catalogue.connectors`.
        """
        plug = plug_on(plug, self.definition.express)
        count = 0
        for bus in self.topology.buses:
            if bus.free and plug & bus.automatic and self._is_hot(bus):
                if emulator_refuses(bus, self._controllers.get(bus.index), self.definition):
                    break
                count += bus.free.bit_count()
        return count

    def check(self) -> None:
        """Verify that states, places, buses and the definition agree.

        Raises:
            AssertionError: they do not; the message shows the state.
        """
        self.topology.check()
        labels = [d.label for d in self.definition.all_devices() if d.mirrors is None]
        assert len(labels) == len(set(labels)), labels
        assert set(labels) == set(self._states), f"{labels} {self._states}"
        assert set(self._states.values()) <= {PLUGGED, UNPLUGGING}, self._states
        written = {d.label: d.address for d in self.definition.all_devices() if d.address is not None}
        assert written == self._places, f"{written} {self._places}"
        held = {owner.label: packed for packed, owner in self.topology.owners.items() if owner.label in self._states}
        assert held == self._places, f"{held} {self._places}"

    # one event

    def _next(self, label: str, event: str, device: Device | None = None) -> str:
        """Return the state after an event, or refuse it."""
        state = self._states.get(label, ABSENT)
        after = TRANSITIONS[state].get(event)
        if after is not None:
            return after
        packed = self._places.get(label)
        if event == DETACH and packed is not None and may_ask_again(packed, self.definition, self.topology):
            return state
        if state == ABSENT:
            known = ", ".join(self._states)
            raise UsageError(f"no device {label!r}", code="unknown-label", details=(f"there are: {known}",))
        if event == ACKNOWLEDGE:
            raise RefusedError(
                f"nobody asked the guest to let {label} go", code="not-unplugging", remedy="detach it", parties=(label,)
            )
        if event == DETACH:
            raise RefusedError(
                f"Device {label} is already in the process of unplug",
                code="unplug-pending",
                remedy="wait until the guest lets it go",
                parties=(label,),
            )
        pending = (f"{label} is being unplugged, the guest has not let it go",) if state == UNPLUGGING else ()
        is_disk = label.startswith("disk:")
        raise RefusedError(
            f"target '{label[5:]}' duplicated for disk sources" if is_disk else f"target {label} already exists",
            code="duplicate-target" if is_disk else "duplicate-index",
            details=pending,
            remedy="give it another target" if is_disk else "give it another index, or none",
            line=None if device is None else device.line,
            parties=(label,),
        )

    def _named(self, device: Device, number: int) -> Device:
        if device.element in ("disk", "controller"):
            return device
        return evolved(device, label=f"{device.element}:{self._numbers.get(device.element, 0) + number}")

    def _attached_with(self, trial: Guest, asked: Device) -> list[Device]:
        """Return the devices that an attach brings, the one that was asked for last.

        libvirt gives the SCSI controllers that come along the model of the last one there.
        """
        last = next((d for d in reversed(self.definition.controllers) if d.type == "scsi"), None)
        made: list[Device] = []
        for device in trial.all_devices():
            if device.label in self._states or device.mirrors is not None:
                continue
            if isinstance(device, Controller) and not isinstance(asked, Controller):
                if device.type == "virtio-serial":
                    raise refuse(
                        asked,
                        "no virtio-serial controllers are available",
                        "no-serial-port",
                        "attach <controller type='virtio-serial'/> first",
                        "libvirt adds one to a stored definition, but not to a running guest",
                    )
                if last is not None:
                    made.append(evolved(device, model=last.model, plug=last.plug))
                    continue
            made.append(device)
        return made

    # places

    def _is_hot(self, bus: Bus) -> bool:
        return is_hot(bus, self._controllers.get(bus.index))

    def _take(self, devices: list[Device]) -> dict[Device, int]:
        places: dict[Device, int] = {}
        try:
            for device in devices:
                packed = self._reserve(device)
                if packed is not None:
                    places[device] = packed
                    self._check_emulator(device, packed)
        except RefusedError:
            self._give_back(places)
            raise
        return places

    def _give_back(self, places: Mapping[Device, int]) -> None:
        for packed in places.values():
            self.topology.release(packed)

    def _reserve(self, device: Device) -> int | None:
        plug = plug_on(device.plug & ~c.NO_CLASS, self.definition.express)
        packed = device.address
        if packed is not None:
            self._check_written(device, packed)
        elif not plug:
            return None
        elif not device.wants:
            if device.element == "hostdev":  # unassigned: kept, but not plugged in
                return None
            raise refuse(
                device,
                f"Unexpected address type '{device.address_type}' for {device.label}",
                "wrong-address-type",
                "leave the address out, or give it one of type pci",
            )
        else:
            packed = self._search(plug)
            if packed is None:
                raise self._no_room(device, plug)
        self.topology.reserve(packed, plug or c.CONVENTIONAL, device)
        return packed

    def _check_written(self, device: Device, packed: int) -> None:
        if packed & MAX_FUNCTION:
            raise refuse(
                device,
                "Only PCI device addresses with function=0 are supported",
                "function-not-zero",
                "take function 0 of an empty slot, or attach with --config, which takes any function at the next boot",
                f"{device.label} asks for {format_packed(packed)}",
            )
        number = packed >> 8
        buses = self.topology.buses
        if number < len(buses) and not self._is_hot(buses[number]):
            raise refuse(
                device,
                f"The device at PCI address {format_packed(packed)} requires hotplug capability, but the PCI controller"
                f" with index='{number}' doesn't support hotplug",
                "no-hotplug",
                "leave the address out, or name a bus that takes hotplug",
                f"bus {number} is a {buses[number].model.name}",
            )

    def _search(self, plug: int) -> int | None:
        """Return the first empty slot of the first bus that libvirt takes for hot-pluggable (libvirt rule 7.6)."""
        for bus in self.topology.buses:
            if bus.free and plug & bus.automatic and self._is_hot(bus):
                return pack(bus.index, (bus.free & -bus.free).bit_length() - 1)
        return None

    def _check_emulator(self, device: Device, packed: int) -> None:
        """Refuse what libvirt hands on and QEMU refuses."""
        bus = self.topology.buses[packed >> 8]
        cold = emulator_refuses(bus, self._controllers.get(bus.index), self.definition)
        if cold is not None:
            raise refuse(
                device,
                f"Bus '{bus_name(bus)}' does not support hotplugging",
                "no-hotplug",
                self._other_slot(device) or cold.remedy,
                f"{device.label}: libvirt goes to {format_packed(packed)}, and looks no further; {cold.why}",
            )
        slot = packed >> 3 & MAX_SLOT
        others = bus.functions(slot) & ~1
        if others and device.multifunction != "on":
            function = (others & -others).bit_length() - 1
            raise refuse(
                device,
                f"PCI: {slot:x}.0 indicates single function, but {slot:x}.{function} is already populated.",
                "single-function",
                "write multifunction='on' in its address",
                f"{self.topology.owners[packed | function].label} holds function {function} of the slot",
            )
        self._check_virtual_functions(device, packed)

    def _check_virtual_functions(self, device: Device, packed: int) -> None:
        """Refuse what meets the functions that QEMU holds for virtual ones."""
        if overflows(device, packed):
            virtual = virtual_functions(device, packed)
            raise refuse(
                device,
                "VF addr overflows",
                "virtual-functions",
                "name a slot up to 0x0e, or one behind a port",
                f"{device.label} at {format_packed(packed)}: QEMU holds {len(virtual)} functions for virtual ones,"
                f" from {virtual.start - packed} above it on",
            )
        for other, holder in in_the_way(device, packed, self.topology):
            raise refuse(
                device,
                f"PCI: slot {packed >> 3 & MAX_SLOT} function 0 not available for {device.label}",
                "virtual-functions",
                "name another slot",
                f"it meets the functions that QEMU holds for the virtual ones of an SR-IOV card: {holder.label}"
                f" at {format_packed(other)}, {device.label} at {format_packed(packed)}",
            )

    def _other_slot(self, device: Device) -> str:
        """Return the advice to name a slot that both libvirt and QEMU take; "" when there is none."""
        plug = plug_on(device.plug, self.definition.express)
        for bus in self.topology.buses:
            controller = self._controllers.get(bus.index)
            if bus.free and self._is_hot(bus) and self.topology.accepts(bus, plug, explicit=True):
                if emulator_refuses(bus, controller, self.definition):
                    continue
                slot = (bus.free & -bus.free).bit_length() - 1
                return f"name a slot that takes it: <address type='pci' bus='{bus.index:#04x}' slot='{slot:#04x}'/>"
        return ""

    def _no_room(self, device: Device, plug: int) -> RefusedError:
        if not self.topology.buses:
            try:
                self.topology.reserve(0, plug, device)
            except RefusedError as error:
                return error
        looks = [self._look(bus) for bus in self.topology.buses if plug & bus.model.accepts]
        more = (f"and {len(looks) - _MOST_LOOKS} more buses",) if len(looks) > _MOST_LOOKS else ()
        recipe = recipes_for(self.definition, plug & c.ENDPOINT)[0]
        return refuse(
            device,
            "No more available PCI slots",
            "no-more-slots",
            "before the next boot add " + " and ".join(map(row_of, recipe.models(1))),
            no_room(plug, self.definition),
            *looks[:_MOST_LOOKS],
            *more,
        )

    def _look(self, bus: Bus) -> str:
        verdict = "no slot is empty" if self._is_hot(bus) else "takes no hotplug"
        return f"bus {bus.index} ({bus.model.name}): {verdict}"
