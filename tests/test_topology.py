"""Buses and who sits on them: each rule of reserving, searching and releasing once, by example."""

from __future__ import annotations

import pytest

from pcisim.address import pack
from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import PCI_CONTROLLERS
from pcisim.errors import RefusedError
from pcisim.guest import Device
from pcisim.topology import Bus, Owner, SearchStep, Topology, bits, grouped


def topology(*models: str, spoken_for: int = 0) -> Topology:
    made = Topology(spoken_for=spoken_for)
    for model in models:
        made.add_bus(PCI_CONTROLLERS[model])
    return made


def owner(label: str = "thing:0", kind: str = "device", line: int | None = None) -> Owner:
    return Owner(label, kind, line)


def refusal(where: Topology, packed: int, plug: int, *, explicit: bool = True, line: int | None = None) -> RefusedError:
    """Return how a place is refused, having checked that this changed nothing."""
    before = ([repr(bus) for bus in where.buses], dict(where.owners))
    with pytest.raises(RefusedError) as caught:
        where.reserve(packed, plug, owner("new:0", line=line), explicit=explicit)
    assert ([repr(bus) for bus in where.buses], dict(where.owners)) == before
    where.check()
    return caught.value


# --- buses


def test_buses_are_numbered_as_they_come() -> None:
    made = topology("pci-root", "pci-bridge", "pci-bridge")
    assert [(bus.index, bus.model.name) for bus in made.buses] == [
        (0, "pci-root"),
        (1, "pci-bridge"),
        (2, "pci-bridge"),
    ]


@pytest.mark.parametrize(
    ("model", "free"),
    [("pci-root", 0xFFFFFFFE), ("pci-expander-bus", 0xFFFFFFFF), ("pcie-root-port", 0x1), ("pci-bridge", 0xFFFFFFFE)],
)
def test_a_new_bus_is_empty(model: str, free: int) -> None:
    bus = Bus(3, PCI_CONTROLLERS[model])
    assert (bus.used, bus.free, bus.full, bus.shared) == (0, free, 0, 0)
    assert repr(bus) == f"<Bus 3 {model}: empty>"


def test_a_bus_shows_what_is_held() -> None:
    made = topology("pci-root")
    made.reserve(pack(0, 0x1F, 7), c.CONVENTIONAL, owner())
    made.reserve(pack(0, 2), c.CONVENTIONAL, owner())
    assert repr(made.buses[0]) == "<Bus 0 pci-root: 02.0 1f.7>"
    assert made.buses[0].functions(0x1F) == 0x80


def test_bits() -> None:
    assert list(bits(0)) == []
    assert list(bits(0b1010001)) == [0, 4, 6]
    assert list(bits(1 << 255)) == [255]


# --- reserving


def test_a_place_has_an_owner() -> None:
    made, holder = topology("pci-root"), owner("disk:vda")
    made.reserve(pack(0, 3), c.CONVENTIONAL, holder)
    assert made.owners == {pack(0, 3): holder}
    assert made.holders() == [[(pack(0, 3), holder)]]
    made.check()


def test_holders_are_listed_by_bus_and_address() -> None:
    made = topology("pci-root", "pci-bridge")
    for packed in (pack(1, 2), pack(0, 9), pack(0, 3)):
        made.reserve(packed, c.CONVENTIONAL, owner(f"at:{packed}"))
    assert [[packed for packed, _ in row] for row in made.holders()] == [[pack(0, 3), pack(0, 9)], [pack(1, 2)]]


def test_a_function_is_given_once() -> None:
    made = topology("pci-root")
    made.reserve(pack(0, 3), c.CONVENTIONAL, owner("old:0", line=12))
    error = refusal(made, pack(0, 3), c.CONVENTIONAL, line=20)
    assert error.headline == "Attempted double use of PCI Address 0000:00:03.0"
    assert (error.code, error.line, error.parties) == ("slot-occupied", 20, ("new:0", "old:0"))
    assert error.details == ("new:0 asks for it", "old:0 holds it already (line 12)")
    assert error.remedy == (
        "leave the address out, or take the first empty slot of bus 0: 0x01, or share the slot: function='0x1' is free"
    )


def test_the_kind_of_the_other_owner_is_told_if_it_is_no_device() -> None:
    made = topology("pci-root")
    made.reserve(pack(0, 1), c.CONVENTIONAL, owner("PIIX3 ISA bridge", "built-in"))
    assert refusal(made, pack(0, 1), c.CONVENTIONAL).details[1] == "PIIX3 ISA bridge holds it already, built-in"


def test_advice_leaves_out_slots_on_which_somebody_has_a_claim() -> None:
    made = topology("pci-root", "pci-bridge", spoken_for=0b110)
    made.reserve(pack(0, 3), c.CONVENTIONAL, owner())
    made.reserve(pack(1, 3), c.CONVENTIONAL, owner())
    assert "the first empty slot of bus 0: 0x04" in refusal(made, pack(0, 3), c.CONVENTIONAL).remedy
    assert "the first empty slot of bus 1: 0x01" in refusal(made, pack(1, 3), c.CONVENTIONAL).remedy


def test_advice_on_a_full_port() -> None:
    made = topology("pcie-root", "pcie-root-port")
    for function in range(8):
        made.reserve(pack(1, 0, function), c.EXPRESS, owner())
    assert refusal(made, pack(1, 0), c.EXPRESS).remedy == "leave the address out"


def test_no_bus_at_all() -> None:
    error = refusal(Topology(), pack(0, 3), c.CONVENTIONAL)
    assert (error.code, error.headline) == ("no-pci-bus", "No PCI buses available")


def test_domain() -> None:
    error = refusal(topology("pci-root"), pack(0, 3, 0, 1), c.CONVENTIONAL)
    assert error.code == "domain-range"
    assert error.headline == "Invalid PCI address 0001:00:03.0. Only PCI domain 0 is available"


def test_bus_that_is_not_there() -> None:
    error = refusal(topology("pci-root", "pci-bridge"), pack(2, 3), c.CONVENTIONAL)
    assert error.code == "bus-missing"
    assert error.headline == "Invalid PCI address 0000:02:03.0. Only PCI buses up to 1 are available"


@pytest.mark.parametrize(
    ("model", "slot", "bound"),
    [
        ("pci-root", 0, ">= 1"),
        ("pcie-root", 0, ">= 1"),
        ("pci-bridge", 0, ">= 1"),
        ("pcie-to-pci-bridge", 0, ">= 1"),
        ("pcie-root-port", 1, "<= 0"),
        ("pcie-switch-downstream-port", 31, "<= 0"),
    ],
)
def test_slot_that_the_bus_does_not_have(model: str, slot: int, bound: str) -> None:
    error = refusal(topology(model), pack(0, slot), c.CONVENTIONAL)
    assert error.code == "slot-range"
    assert error.headline == f"Invalid PCI address 0000:00:{slot:02x}.0. slot must be {bound}"


@pytest.mark.parametrize(
    ("plug", "model", "needed"),
    [
        (c.ROOT_PORT, "pci-root", "pcie-root-port"),
        (c.CONVENTIONAL, "pcie-expander-bus", "standard PCI device"),
        (c.EXPRESS, "pcie-switch-upstream-port", "PCI Express device"),
        (c.DMI_BRIDGE, "pcie-root-port", "dmi-to-pci-bridge"),
        (c.EXPANDER, "pci-bridge", "pci-expander-bus"),
        (c.EXPRESS_TO_PCI_BRIDGE, "pcie-root", "pcie-to-pci-bridge"),
    ],
)
def test_plug_that_the_bus_does_not_accept(plug: int, model: str, needed: str) -> None:
    error = refusal(topology(model), pack(0, PCI_CONTROLLERS[model].slots[0]), plug)
    assert error.code == "wrong-plug"
    assert error.headline.endswith(
        f"cannot be plugged into the PCI controller with index='0'. It requires a controller that accepts a {needed}."
    )


def test_written_addresses_are_less_strict() -> None:
    """Libvirt rule 2: any endpoint on any bus for endpoints, a pci-bridge wherever a conventional device goes."""
    for plug in (c.CONVENTIONAL, c.EXPRESS, c.PCI_BRIDGE):
        made = topology("pcie-root", "pcie-root-port")
        made.reserve(pack(0, 3), plug, owner())
        made.reserve(pack(1, 0), plug, owner())
        assert refusal(made, pack(0, 4), plug, explicit=False).code == "wrong-plug"


@pytest.mark.parametrize("plug", [c.CONVENTIONAL, c.EXPRESS])
def test_integrated_devices_sit_on_bus_zero(plug: int) -> None:
    made = topology("pcie-root", "pcie-root-port")
    error = refusal(made, pack(1, 0), plug | c.INTEGRATED)
    assert error.code == "not-integrated"
    assert error.headline == "The device at PCI address 0000:01:00.0 needs to be an integrated device (bus=0)"
    assert made.search(plug | c.INTEGRATED) == pack(0, 1)


def test_integrated_conventional_devices_on_express_by_version() -> None:
    """Libvirt rule 11.3."""
    made = Topology(integrated_conventional=False)
    made.add_bus(PCI_CONTROLLERS["pcie-root"])
    assert made.search(c.CONVENTIONAL | c.INTEGRATED) is None
    assert made.search(c.EXPRESS | c.INTEGRATED) == pack(0, 1)
    assert topology("pcie-root").search(c.CONVENTIONAL | c.INTEGRATED) == pack(0, 1)


def test_checks_come_in_libvirts_order() -> None:
    """Libvirt rule 6.5: domain, bus, plug, slot, function."""
    made = topology("pcie-root", "pcie-root-port")
    made.reserve(pack(1, 0), c.EXPRESS, owner())
    assert refusal(made, pack(9, 0, 0, 1), c.ROOT_PORT).code == "domain-range"
    assert refusal(made, pack(9, 0), c.ROOT_PORT).code == "bus-missing"
    assert refusal(made, pack(1, 3), c.ROOT_PORT).code == "wrong-plug"
    assert refusal(made, pack(1, 3), c.EXPRESS).code == "slot-range"
    assert refusal(made, pack(1, 0), c.EXPRESS).code == "slot-occupied"


# --- searching


def test_slots_are_taken_in_order_and_holes_first() -> None:
    made = topology("pci-root")
    made.reserve(pack(0, 2), c.CONVENTIONAL, owner())
    assert [made.allocate(c.CONVENTIONAL, owner()) for _ in range(3)] == [pack(0, 1), pack(0, 3), pack(0, 4)]
    made.release(pack(0, 1))
    assert made.allocate(c.CONVENTIONAL, owner()) == pack(0, 1)


def test_one_function_makes_a_slot_unfit_for_endpoints() -> None:
    made = topology("pci-root")
    made.reserve(pack(0, 1, 7), c.CONVENTIONAL, owner())
    assert made.search(c.CONVENTIONAL) == pack(0, 2)


def test_buses_are_taken_in_order() -> None:
    made = topology("pcie-root", "pcie-root-port", "pcie-root-port")
    assert [made.allocate(c.EXPRESS, owner()) for _ in range(3)] == [pack(1, 0), pack(2, 0), None]
    made.add_bus(PCI_CONTROLLERS["pcie-root-port"])
    assert made.allocate(c.EXPRESS, owner()) == pack(3, 0)
    made.release(pack(1, 0))
    assert made.allocate(c.EXPRESS, owner()) == pack(1, 0)


def test_a_wanted_function_is_taken_in_an_empty_slot() -> None:
    made = topology("pci-root")
    assert made.allocate(c.CONVENTIONAL, owner(), function=7) == pack(0, 1, 7)
    assert made.allocate(c.CONVENTIONAL, owner(), function=7) == pack(0, 2, 7)


def test_root_ports_share_slots() -> None:
    made = topology("pcie-root")
    places = [made.allocate(c.ROOT_PORT, owner()) for _ in range(9)]
    assert places == [*(pack(0, 1, function) for function in range(8)), pack(0, 2)]


def test_root_ports_fill_the_holes_of_a_shared_slot() -> None:
    made = topology("pcie-root")
    made.reserve(pack(0, 1, 3), c.ROOT_PORT, owner())
    made.reserve(pack(0, 1, 1), c.EXPRESS, owner())
    assert [made.allocate(c.ROOT_PORT, owner()) for _ in range(3)] == [pack(0, 1), pack(0, 1, 2), pack(0, 1, 4)]


def test_root_ports_keep_away_from_a_slot_that_an_endpoint_took_first() -> None:
    made = topology("pcie-root")
    made.reserve(pack(0, 1), c.EXPRESS, owner())
    made.reserve(pack(0, 1, 1), c.ROOT_PORT, owner())
    assert made.allocate(c.ROOT_PORT, owner()) == pack(0, 2)


def test_the_mark_of_a_shared_slot_goes_when_it_is_empty() -> None:
    made = topology("pcie-root")
    made.reserve(pack(0, 1), c.ROOT_PORT, owner())
    made.release(pack(0, 1))
    made.reserve(pack(0, 1), c.EXPRESS, owner())
    assert made.allocate(c.ROOT_PORT, owner()) == pack(0, 2)


def test_other_controllers_do_not_share() -> None:
    made = topology("pcie-switch-upstream-port")
    assert [made.allocate(c.DOWNSTREAM_PORT, owner()) for _ in range(2)] == [pack(0, 0), pack(0, 1)]


def test_search_takes_nothing() -> None:
    made = topology("pci-root")
    assert made.search(c.CONVENTIONAL) == made.search(c.CONVENTIONAL) == pack(0, 1)
    assert made.owners == {}


@pytest.mark.parametrize("plug", [0, c.NO_CLASS])
def test_what_has_no_class_finds_nothing(plug: int) -> None:
    assert topology("pci-root", "pcie-root-port").search(plug) is None


# --- explaining


def test_explains_each_bus_that_is_passed_over() -> None:
    made = topology("pcie-root", "pcie-root-port", "pcie-switch-upstream-port", "pcie-to-pci-bridge", "pcie-root-port")
    made.reserve(pack(1, 0), c.EXPRESS, owner())
    assert made.explain(c.EXPRESS) == [
        SearchStep(0, "pcie-root", "takes a PCI Express device only at an explicit address"),
        SearchStep(1, "pcie-root-port", "its one slot is taken"),
        SearchStep(2, "pcie-switch-upstream-port", "does not accept a PCI Express device"),
        SearchStep(3, "pcie-to-pci-bridge", "does not accept a PCI Express device"),
        SearchStep(4, "pcie-root-port", "slot 0x00 is the first one free: chosen"),
    ]


def test_looks_of_which_the_same_is_to_be_said_are_grouped() -> None:
    made = topology("pcie-root", *["pcie-root-port"] * 4, "pcie-to-pci-bridge", "pcie-root-port")
    for bus in (1, 2, 3, 4, 6):
        made.reserve(pack(bus, 0), c.EXPRESS, owner())
    looks = grouped(made.explain(c.EXPRESS))
    assert [(look.buses(), look.buses("#04x"), look.verdict) for look in looks[1:]] == [
        ("buses 1-4", "buses 0x01-0x04", "its one slot is taken"),
        ("bus 5", "bus 0x05", "does not accept a PCI Express device"),
        ("bus 6", "bus 0x06", "its one slot is taken"),
    ]
    assert grouped([]) == []


@pytest.mark.parametrize(("mine", "holders"), [("off", None), (None, "off"), ("on", "on"), (None, None)])
def test_sharing_a_slot_is_offered_only_where_qemu_takes_it(mine: str | None, holders: str | None) -> None:
    made = topology("pci-root")
    made.reserve(pack(0, 5), c.CONVENTIONAL, Device("rng", "rng:0", multifunction=holders))
    with pytest.raises(RefusedError) as caught:
        made.reserve(pack(0, 5), c.CONVENTIONAL, Device("rng", "rng:1", multifunction=mine))
    assert ("share the slot" in caught.value.remedy) is ("off" not in (mine, holders))


def test_explains_integrated_devices_and_dedicated_ports() -> None:
    made = topology("pcie-root", "pcie-root-port")
    made.buses[1].automatic = made.buses[1].explicit = c.EXPRESS_TO_PCI_BRIDGE
    assert made.explain(c.EXPRESS)[1].verdict == "libvirt keeps it for the bridge that it adds"
    for slot in range(1, 32):
        made.reserve(pack(0, slot), c.EXPRESS, owner())
    assert [look.verdict for look in made.explain(c.EXPRESS | c.INTEGRATED)] == [
        "accepts the device, but no slot is empty",
        "the device must sit on bus 0",
    ]


# --- releasing


def test_release_gives_back() -> None:
    made = topology("pci-root")
    for function in range(8):
        made.reserve(pack(0, 1, function), c.CONVENTIONAL, owner())
    assert made.buses[0].full == 0b10
    made.release(pack(0, 1, 3))
    assert (made.buses[0].full, made.buses[0].functions(1)) == (0, 0xF7)
    made.check()


def test_release_of_what_nobody_holds() -> None:
    made = topology("pci-root")
    with pytest.raises(RefusedError) as caught:
        made.release(pack(0, 3))
    assert (caught.value.code, caught.value.headline) == ("slot-empty", "nothing is at PCI address 0000:00:03.0")


# --- check() finds what is wrong


@pytest.mark.parametrize(
    "break_it",
    [
        lambda made: made.owners.pop(pack(0, 3)),
        lambda made: made.owners.update({pack(0, 4): owner()}),
        lambda made: made.owners.update({pack(7, 4): owner()}),
        lambda made: setattr(made.buses[0], "used", made.buses[0].used | 1),
        lambda made: setattr(made.buses[0], "free", made.buses[0].free | 1 << 3),
        lambda made: setattr(made.buses[0], "free", made.buses[0].free & ~(1 << 4)),
        lambda made: setattr(made.buses[0], "full", 1 << 3),
        lambda made: setattr(made.buses[0], "shared", 1 << 4),
        lambda made: setattr(made.buses[0], "index", 1),
    ],
)
def test_check_fails_on_a_broken_state(break_it: object) -> None:
    made = topology("pci-root")
    made.reserve(pack(0, 3), c.CONVENTIONAL, owner())
    made.check()
    assert callable(break_it)
    break_it(made)
    with pytest.raises(AssertionError):
        made.check()
