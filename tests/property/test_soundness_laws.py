"""Laws of soundness: true of all that pcisim places itself, and where libvirt itself breaks them.

The exceptions are libvirt's: what somebody writes down is not questioned. Each of them has an
example below, so that the exclusions of the laws are known to be needed.
"""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given

import pcisim
from pcisim.guest import Controller, Device
from pcisim.plan import Plan
from tests import model
from tests.property.strategies import VERSIONS, Drawn, crowded_guests, drawn_guests
from tests.property.test_occupancy_laws import accepted, unpacked

# libvirt rule 4.3: places on bus 0 that count as written down, by the device that gets them
PREFERRED = {
    "i440fx": {(0, 1, 1), (0, 1, 2), (0, 2, 0)},
    "q35": {(0, 0x1F, 2), (0, 1, 0), (0, 0x1B, 0), (0, 0x1D, 0), (0, 0x1A, 0), (0, 0x1E, 0)},
}


def plug_of(device: Device, express: bool) -> model.Plug:
    """Return the plug of libvirt rule 3: PCI Express devices are conventional without pcie-root."""
    if isinstance(device, Controller) and device.type == "pci":
        return model.Plug(device.model)
    plug = model.Plug.of(device.plug)
    return model.Plug(model.C, plug.integrated) if plug.kind == model.E and not express else plug


def chosen(plan: Plan) -> dict[Device, model.Place]:
    """Return the devices whose place nobody wrote down."""
    return {d: unpacked(p) for d, p in plan.placement.addresses.items() if d.address is None}


def shares_with_ich9(device: Device, plan: Plan) -> bool:
    """Return whether it is one of a set of ICH9 controllers and follows another of them."""
    if not isinstance(device, Controller) or device.model not in model.ICH9:
        return False
    place = plan.placement.addresses[device]
    return any(
        other is not device
        and other.model in model.ICH9
        and other.index == device.index
        and plan.placement.addresses[other] >> 3 == place >> 3
        for other in plan.placement.guest.controllers
        if other.type == "usb"
    )


@given(drawn_guests(), VERSIONS)
def test_every_device_is_on_a_bus_that_accepts_it(drawn: Drawn, version: str) -> None:
    """Libvirt rule 2, the compatibility test: automatic places are strict, preferred ones as if written down."""
    plan = accepted(drawn, version)
    express = plan.placement.guest.machine.express
    buses = model.SlowTopology(integrated_conventional=version != "9.0")
    models = {c.index: c.model for c in plan.placement.guest.controllers if c.type == "pci"}
    for index in range(len(plan.topology.buses)):
        buses.add_bus(models[index])
    for device, place in chosen(plan).items():
        preferred = place in PREFERRED[plan.placement.guest.machine.family] or shares_with_ich9(device, plan)
        plug = plug_of(device, express)
        assert buses.compatible(place[0], plug, explicit=preferred), (device.label, place, models[place[0]])


@given(drawn_guests(), VERSIONS)
def test_every_bus_hangs_off_another_up_to_the_root(drawn: Drawn, version: str) -> None:
    """Libvirt rule 6.6: each bus that libvirt adds gets a controller and a place for it.

    Excepted: circles of controllers that the document lists (a switch on its own port).
    """
    plan = accepted(drawn, version)
    controllers = {c.index: c for c in plan.placement.guest.controllers if c.type == "pci"}
    assert sorted(index for index in controllers if index is not None) == list(range(len(plan.topology.buses)))
    for index in range(1, len(plan.topology.buses)):
        path: list[int] = []
        at = index
        while at and at not in path:
            path.append(at)
            at = plan.placement.addresses[controllers[at]] >> 8
        if at:
            circle = path[path.index(at) :]
            assert all(controllers[number].origin is not None for number in circle), circle
            assert any(controllers[number].model == "pcie-switch-upstream-port" for number in circle), circle


def check_functions(plan: Plan) -> None:
    """Assert that function 0 is there and marked in each slot to which pcisim added something."""
    slots: defaultdict[tuple[int, int], dict[int, Device]] = defaultdict(dict)
    for device, packed in plan.placement.addresses.items():
        bus, slot, function = unpacked(packed)
        slots[bus, slot][function] = device
    hidden = {(0, 1)} if plan.placement.guest.machine.family == "i440fx" else {(0, 0x1F)}
    ours = chosen(plan)
    for where, held in slots.items():
        added = [device for device in held.values() if device in ours]
        if where in hidden or not added or set(held) == {0}:
            continue
        if 0 not in held:
            assert all(device.model in model.ICH9 for device in added), where
            continue
        flag = plan.placement.multifunction.get(held[0])
        assert flag == ("off" if held[0].multifunction == "off" and held[0] not in ours else "on"), where


@given(drawn_guests(), VERSIONS)
def test_function_zero_is_there_and_marked(drawn: Drawn, version: str) -> None:
    """Libvirt rule 7.1: who shares a slot with function 0 makes it `multifunction='on'`.

    Excepted: the slots whose function 0 the chipset has; ICH9 companions without ich9-uhci1;
    `multifunction='off'`, which libvirt respects.
    """
    check_functions(accepted(drawn, version))


@given(crowded_guests(), VERSIONS)
def test_function_zero_is_there_and_marked_in_crowded_slots(drawn: Drawn, version: str) -> None:
    """Libvirt rule 7.1, where written and chosen functions share slots."""
    check_functions(accepted(drawn, version))


@given(drawn_guests(), VERSIONS)
def test_endpoints_have_a_slot_of_their_own(drawn: Drawn, version: str) -> None:
    """Libvirt rule 3.1: "an automatically placed endpoint always takes one entirely free slot, as function 0"."""
    plan = accepted(drawn, version)
    family = plan.placement.guest.machine.family
    held: defaultdict[tuple[int, int], list[Device]] = defaultdict(list)
    for device, packed in plan.placement.addresses.items():
        held[packed >> 8, packed >> 3 & 0x1F].append(device)
    ours = chosen(plan)
    for device, place in ours.items():
        if device.model in (*model.ICH9, "pcie-root-port") or place in PREFERRED[family]:
            continue
        assert place[2] == 0
        assert [d.label for d in held[place[:2]] if d in ours] == [device.label]


# --- where libvirt breaks the laws, and pcisim with it (each verified against libvirt 11.3.0)


def plan_of(machine: str, devices: str) -> Plan:
    drawn = Drawn(machine)
    return pcisim.assign(drawn.written([devices, "<memballoon model='none'/>"]))


def test_a_lone_written_function_stays_alone() -> None:
    plan = plan_of(
        "pc", "<rng model='virtio'><backend model='random'/><address type='pci' slot='5' function='1'/></rng>"
    )
    assert str(plan.addresses["rng:0"]) == "0000:00:05.1"
    assert plan.placement.multifunction == {}


def test_ich9_companions_without_their_function_zero() -> None:
    plan = plan_of(
        "pc",
        "<controller type='usb' index='0' model='ich9-ehci1'/>"
        "<controller type='usb' index='0' model='ich9-uhci2'><master startport='2'/></controller>",
    )
    assert {label: str(address) for label, address in plan.addresses.items()} == {
        "usb:0:ich9-ehci1": "0000:00:02.7",
        "usb:0:ich9-uhci2": "0000:00:02.1",
    }
    assert plan.placement.multifunction == {}


def test_multifunction_off_is_respected() -> None:
    plan = plan_of(
        "q35",
        "<controller type='usb' model='none'/><controller type='pci' model='pcie-root'/>"
        "<controller type='pci' index='1' model='pcie-root-port'>"
        "<address type='pci' slot='1' multifunction='off'/></controller>"
        "<controller type='pci' index='2' model='pcie-root-port'/>",
    )
    assert str(plan.addresses["pci:2"]) == "0000:00:01.1"
    assert {d.label: flag for d, flag in plan.placement.multifunction.items()} == {"pci:1": "off"}


def test_a_lone_switch_hangs_on_itself() -> None:
    plan = plan_of(
        "q35",
        "<controller type='usb' model='none'/><controller type='pci' model='pcie-root'/>"
        "<controller type='pci' index='1' model='pcie-switch-upstream-port'/>"
        "<controller type='pci' index='2' model='pcie-switch-downstream-port'/>",
    )
    assert {label: str(address) for label, address in plan.addresses.items()} == {
        "pci:1": "0000:02:00.0",
        "pci:2": "0000:01:00.0",
        "sata:0": "0000:00:1f.2",
    }
