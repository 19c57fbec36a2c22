"""Laws of capacity: what is told beforehand is what allocation then achieves."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

import pcisim
from pcisim.address import FUNCTIONS
from pcisim.capacity.fits import HOT_SPACE, fits
from pcisim.capacity.max_count import More, how_many_more
from pcisim.capacity.report import THEORETICAL, Capacity, Room, capacity, room
from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import EMULATOR_TAKES_NO_HOTPLUG, PCI_CONTROLLERS
from pcisim.catalogue.versions import libvirt_version
from pcisim.errors import RefusedError
from pcisim.formats.domain.reader import read
from pcisim.guest import Controller, Device, Guest, evolved
from pcisim.hotplug import RunningGuest
from pcisim.libvirt.completion import complete
from pcisim.libvirt.policy import LibvirtPolicy
from pcisim.libvirt.validation import validate
from pcisim.placement import Placement
from pcisim.placement.pinned import pinned
from pcisim.topology import Owner, Topology
from tests.guests import BARE, at, domain, nic, pci
from tests.property.strategies import Drawn, drawn_guests
from tests.property.test_occupancy_laws import accepted

RULES = libvirt_version("11.3")
POLICY = LibvirtPolicy(RULES)
PLUGS = {"express": c.EXPRESS, "conventional": c.CONVENTIONAL}
ADDED = ["virtio-blk", "virtio-net", "e1000", "e1000e", "lsi", "virtio-rng", "ivshmem-plain", "virtio-scsi"]
HOT = ["virtio-blk", "virtio-net", "e1000", "virtio-rng", "ivshmem-plain", "i6300esb", "lsi", "pci-serial"]
fewer = settings(max_examples=max(5, settings().max_examples // 5))
"""For laws that ask `how_many_more`, which asks the engine at every edge."""
wishes = st.dictionaries(st.sampled_from(ADDED), st.integers(0, 40), min_size=1, max_size=3)


def place(guest: Guest) -> Placement:
    placement = POLICY.place(complete(guest, RULES))
    validate(placement.guest, placement.addresses, RULES)
    return placement


def addressed(drawn: Drawn) -> Placement:
    """Return a guest in whose definition every address is written down."""
    return place(pinned(accepted(drawn, "11.3").placement))


def by_label(placement: Placement) -> dict[str, int]:
    return {device.label: packed for device, packed in placement.addresses.items()}


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    """Draw buses of any kinds with owners anywhere."""
    topology = Topology()
    roots = ["pci-root", "pcie-root"]
    for model in [draw(st.sampled_from(roots)), *draw(st.lists(st.sampled_from(sorted(PCI_CONTROLLERS)), max_size=6))]:
        if topology.buses and model in roots:
            continue
        topology.add_bus(PCI_CONTROLLERS[model])
    for number, packed in enumerate(draw(st.lists(st.integers(0, (len(topology.buses) << 8) - 1), max_size=40))):
        try:
            topology.reserve(packed, draw(st.sampled_from([c.EXPRESS, c.ROOT_PORT])), Owner(f"held:{number}", "device"))
        except RefusedError:
            continue
    return topology


def totals(report: Capacity) -> Counter[str]:
    """Return the figures of all buses together."""
    return Counter(
        {
            name: sum(getattr(bus, name) for bus in report.buses)
            for name in ("used", "reserved", "free_slots", "free_functions", "unusable", "hot_slots")
        }
    )


# The figures of a bus.


@given(drawn_guests())
def test_every_bus_adds_up_to_256(drawn: Drawn) -> None:
    """Rule: "used + free + reserved + unusable = 256 for every bus"."""
    placement = accepted(drawn, "11.3").placement
    report = capacity(placement)
    for bus in report.buses:
        assert bus.used + bus.free_functions + bus.reserved + bus.unusable == THEORETICAL
        assert bus.used + bus.reserved == len(bus.held)
        assert 0 <= bus.free_slots <= bus.usable_slots <= 32
        assert bus.free_slots * FUNCTIONS <= bus.free_functions
        assert bus.hot_slots <= bus.free_slots
    assert sum(bus.used for bus in report.buses) == len(set(placement.addresses.values()))
    assert report.room == room(placement.topology)


@given(drawn_guests())
def test_no_bus_holds_more_than_256_functions_and_no_slot_more_than_8(drawn: Drawn) -> None:
    """Rule: "A bus never holds more than 256 functions, a slot never more than 8"."""
    report = capacity(accepted(drawn, "11.3").placement)
    for bus in report.buses:
        assert len(bus.held) <= THEORETICAL
        slots = Counter(held.address[:-2] for held in bus.held)
        assert max(slots.values(), default=0) <= FUNCTIONS
        assert len({held.address for held in bus.held}) == len(bus.held)


# What one endpoint takes.


@given(drawn_guests(), st.sampled_from([c.EXPRESS, c.CONVENTIONAL]))
def test_each_endpoint_takes_one_slot(drawn: Drawn, plug: int) -> None:
    """Rule: "each endpoint placed takes exactly one slot (or one function) from it"."""
    placement = accepted(drawn, "11.3").placement
    before = capacity(placement)
    packed = placement.topology.allocate(plug, Owner("new", "device"))
    assume(packed is not None)
    after = capacity(placement)
    change = totals(after)
    change.subtract(totals(before))
    hot = before.buses[(packed or 0) >> 8].hot_slots > 0
    assert change == Counter(used=1, free_slots=-1, free_functions=-1, hot_slots=-1 if hot else 0)


@given(drawn_guests(), st.data())
def test_each_written_address_takes_one_function(drawn: Drawn, data: st.DataObject) -> None:
    """The same where somebody wrote the address down: one function; a slot only when it was empty."""
    placement = accepted(drawn, "11.3").placement
    before = capacity(placement)
    open_buses = [bus for bus in before.buses if bus.free_functions and bus.plug]
    assume(open_buses)
    index = data.draw(st.sampled_from(open_buses)).index
    bus = placement.topology.buses[index]
    alone = {p >> 3 for d, p in placement.addresses.items() if placement.multifunction.get(d) == "off" and not p & 7}
    free = [
        bit
        for bit in range(THEORETICAL)
        if bus.usable >> (bit >> 3) & 1 and not bus.used >> bit & 1 and index << 5 | bit >> 3 not in alone
    ]
    assert len(free) == before.buses[index].free_functions
    bit = data.draw(st.sampled_from(free))
    empty = bool(bus.free >> (bit >> 3) & 1)
    placement.topology.reserve(index << 8 | bit, c.EXPRESS, Owner("new", "device"))
    change = totals(capacity(placement))
    change.subtract(totals(before))
    hot = empty and before.buses[index].hot_slots > 0
    assert change == Counter(used=1, free_functions=-1, free_slots=-int(empty), hot_slots=-int(hot))


@given(drawn_guests(), st.sampled_from(ADDED))
def test_one_device_more_takes_one_slot_where_nothing_grows(drawn: Drawn, model: str) -> None:
    """The same through the whole of placing."""
    placement = addressed(drawn)
    before = capacity(placement)
    try:
        grown = place(pinned(placement).extended({model: 1}))
    except pcisim.PcisimError:
        reject()
    assume(len(grown.topology.buses) == len(placement.topology.buses))
    change = totals(capacity(grown))
    change.subtract(totals(before))
    assert (change["used"], change["free_slots"], change["free_functions"]) == (1, -1, -1)
    assert change["reserved"] == 0


# What allocation achieves.


@given(topologies(), st.sampled_from(sorted(PLUGS)))
def test_capacity_is_what_written_addresses_achieve(topology: Topology, plug: str) -> None:
    """Rule: "Capacity is what allocation achieves: allocate until refused, on random topologies"."""
    before = room(topology)
    expected = {"express": before.express_cold, "conventional": before.conventional_cold}[plug]
    achieved = 0
    for bus in topology.buses:
        if bus.model.accepts & PLUGS[plug]:
            for slot in range(32):
                if not bus.functions(slot):
                    try:
                        topology.reserve(
                            bus.index << 8 | slot << 3, PLUGS[plug], Owner(f"{bus.index}/{slot}", "device")
                        )
                    except RefusedError:
                        continue
                    achieved += 1
    assert achieved == expected
    after = room(topology)
    assert {"express": after.express_cold, "conventional": after.conventional_cold}[plug] == 0


@given(topologies(), st.sampled_from(sorted(PLUGS)))
def test_capacity_is_what_automatic_placement_achieves(topology: Topology, plug: str) -> None:
    """The same without addresses, but for the buses where libvirt puts nothing by itself (see below)."""
    never = sum(
        bus.free.bit_count()
        for bus in topology.buses
        if bus.model.accepts & PLUGS[plug] and bus.model.name in ("pcie-root", "dmi-to-pci-bridge")
    )
    before = room(topology)
    expected = {"express": before.express_cold, "conventional": before.conventional_cold}[plug] - never
    achieved = 0
    while topology.allocate(PLUGS[plug], Owner(f"new:{achieved}", "device")) is not None:
        achieved += 1
    assert achieved == expected


@pytest.mark.parametrize(
    ("devices", "never"),
    [([], Room(30, 0, 0, 0)), ([pci("dmi-to-pci-bridge", 1)], Room(29, 32, 0, 0))],
)
def test_exception_root_and_dmi_bus_take_written_addresses_only(devices: list[str], never: Room) -> None:
    """Libvirt rule 2, column "auto": these slots are free, but only somebody who writes the address gets them."""
    topology = pcisim.assign(domain("q35", BARE, *devices)).topology
    assert room(topology) == never
    assert topology.allocate(c.EXPRESS, Owner("new", "device")) is None
    assert topology.allocate(c.CONVENTIONAL, Owner("new", "device")) is None
    topology.reserve(2 << 3, c.CONVENTIONAL, Owner("new", "device"))
    assert room(topology).express_cold == never.express_cold - 1


@fewer
@given(drawn_guests(), st.sampled_from(ADDED))
def test_most_is_what_assign_achieves(drawn: Drawn, model: str) -> None:
    """The same for whole guests, which grow: `how_many_more` is the highest count that is accepted."""
    placement = addressed(drawn)
    try:
        more = how_many_more(pinned(placement), model, RULES)
    except pcisim.PcisimError:
        reject()
    assert fits(pinned(placement), {model: more.most}, POLICY).fits
    assert more.reason != ""
    try:
        answer = fits(pinned(placement), {model: more.most + 1}, POLICY)
    except RefusedError as error:  # for something else than room
        reason = error.headline
    else:
        reason = answer.reason
        assert (answer.fits, answer.short) == (False, more.short)
    assert reason == more.reason


@cache
def most_of(machine: str, video: bool, model: str) -> More:
    return how_many_more(Guest.of(machine, {"vga": 1} if video else {}), model, RULES)


def foretold(machine: str, video: bool, model: str, count: int) -> bool:
    more = most_of(machine, video, model)
    return count <= more.most and not any(low <= count <= high for low, high in more.holes)


@fewer
@given(st.sampled_from(["pc", "q35"]), st.booleans(), st.sampled_from(["virtio-blk", "e1000"]), st.integers(0, 1000))
def test_any_count_is_accepted_as_foretold(machine: str, video: bool, model: str, count: int) -> None:
    """Rule: "Every count from 0 to 1,000 agrees with `assign`, for `pc`, `q35`, conventional devices on q35,
    with and without video"; see below for all of them.
    """
    guest = Guest.of(machine, {"vga": int(video), model: count})
    assert (accepts(guest) is not None) is foretold(machine, video, model, count)


@pytest.mark.slow
@pytest.mark.parametrize("video", [False, True])
@pytest.mark.parametrize(("machine", "model"), [("pc", "virtio-blk"), ("q35", "virtio-blk"), ("q35", "e1000")])
def test_every_count_is_accepted_as_foretold(machine: str, model: str, video: bool) -> None:
    """The same for each of them, through `assign`."""
    wrong = []
    for count in range(1001):
        guest = Guest.of(machine, {"vga": int(video), model: count})
        try:
            accepted = bool(pcisim.assign(guest).addresses)
        except RefusedError:
            accepted = False
        if accepted is not foretold(machine, video, model, count):
            wrong.append(count)
    assert wrong == []


# What a bridge adds.

CARRIERS = {
    "conventional": ["pci-bridge", "pcie-to-pci-bridge", "dmi-to-pci-bridge", "pci-expander-bus"],
    "express": ["pcie-root-port", "pcie-switch-downstream-port"],
}


@given(drawn_guests(), st.sampled_from([(plug, model) for plug, models in CARRIERS.items() for model in models]))
def test_a_bridge_never_lowers_capacity(drawn: Drawn, added: tuple[str, str]) -> None:
    """Rule: "A bridge of a kind that carries the counted plug, added while a parent address and a bus number are
    left, never lowers capacity".
    """
    plug, model = added
    placement = addressed(drawn)
    guest = pinned(placement)
    index = len(placement.topology.buses)
    bridge = Controller("controller", f"pci:{index}", model, type="pci", index=index)
    try:
        grown = place(evolved(guest, controllers=[*guest.controllers, bridge]))
    except RefusedError:
        reject()  # no parent address is left
    assume(not grown.added)
    before, after = room(placement.topology), room(grown.topology)
    assert getattr(after, f"{plug}_cold") >= getattr(before, f"{plug}_cold")
    if model not in EMULATOR_TAKES_NO_HOTPLUG:
        assert getattr(after, f"{plug}_hot") >= getattr(before, f"{plug}_hot")


def test_exception_an_expander_takes_a_hot_slot_and_gives_none() -> None:
    """Facts, section 7: QEMU plugs nothing into a pxb, which sits in a slot of the root bus that takes hotplug."""
    before = pcisim.assign(domain("pc", BARE)).topology
    after = pcisim.assign(domain("pc", BARE, pci("pci-expander-bus", 1))).topology
    assert (room(before), room(after)) == (Room(0, 30, 0, 30), Room(0, 29 + 32, 0, 29))


def test_exception_in_front_of_an_expander_the_hot_slots_behind_are_only_for_written_addresses() -> None:
    """libvirt takes the first bus that it thinks hot-pluggable, and QEMU refuses: it looks no further."""
    bridges = [pci("pci-expander-bus", 1, at(0, 0x1E)), pci("pci-bridge", 2, at(0, 0x1F))]
    held = [nic("virtio", at(0, slot)) for slot in range(2, 0x1E)]
    placement = pcisim.assign(domain("pc", BARE, *bridges, *held)).placement
    running = RunningGuest(placement, RULES)
    assert (room(placement.topology).conventional_hot, running.headroom(c.CONVENTIONAL)) == (31, 0)
    answer = fits(pinned(placement), {"virtio-blk": 1}, POLICY, hotplug=True)
    assert (answer.fits, answer.controllers) == (False, ())
    assert answer.reason == "Bus 'pci.1' does not support hotplugging"
    assert running.attach(evolved(answer.devices[0], address=2 << 8 | 1 << 3, address_type="pci")) is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("machine", "root", "models", "device", "steps"),
    [
        ("pc", "pci-root", ["pci-bridge"], "virtio-blk", range(12)),
        ("pc", "pci-root", ["pci-expander-bus"], "e1000", range(4)),
        ("q35", "pcie-root", ["pcie-root-port"], "virtio-blk", [0, 1, 2, 3, 30, 100, 200]),
        ("q35", "pcie-root", ["pcie-root-port", "pcie-to-pci-bridge"], "e1000", range(8)),
    ],
)
def test_a_listed_bridge_never_lowers_what_fits(
    machine: str, root: str, models: list[str], device: str, steps: list[int]
) -> None:
    """The same for new guests: the most never falls, and no count that was accepted is refused."""
    most, refused = -1, set(range(2000))
    for count in steps:
        guest = read(domain(machine, pci(root), *[pci(model) for model in models] * count), RULES)
        more = how_many_more(guest, device, RULES)
        now = {n for a, b in more.holes for n in range(a, b + 1)} | set(range(more.most + 1, 2000))
        assert more.most >= most
        assert now <= refused
        most, refused = more.most, now


# What appending moves.


@given(drawn_guests(), wishes)
def test_appending_to_an_addressed_definition_moves_nothing(drawn: Drawn, more: dict[str, int]) -> None:
    """Rule: "Appending to an *addressed* definition moves no configured address"."""
    plan = accepted(drawn, "11.3")
    guest = read(plan.to_xml(), RULES)
    before = {d.label: d.address for d in guest.all_devices() if d.address is not None}
    try:
        after = by_label(place(guest.extended(more)))
    except RefusedError:
        reject()
    assert {label: after.get(label, before[label]) for label in before} == before


def test_exception_appending_to_a_new_definition_moves_what_is_not_written_down() -> None:
    """Libvirt rule 12: "adding one conventional device to a *new* q35 definition" renumbers all express devices."""
    before = pcisim.assign(Guest.of("q35", {"virtio-blk": 1})).addresses
    after = pcisim.assign(Guest.of("q35", {"virtio-blk": 1, "e1000": 1})).addresses
    assert (str(before["disk:vda"]), str(after["disk:vda"])) == ("0000:02:00.0", "0000:04:00.0")


def test_exception_a_written_bus_can_become_one_higher() -> None:
    """Libvirt rule 6.6: "the bus number of the address is incremented by one - even an explicit one given by the user";
    the bus does not exist in the definition, which so is not an addressed one.
    """
    plan = pcisim.assign(domain("q35", nic("e1000", at(1, 1))))
    assert str(plan.addresses["interface:0"]) == "0000:02:01.0"


# Cold and hot.


@fewer
@given(drawn_guests(), st.sampled_from(sorted(PLUGS)))
def test_cold_is_at_least_hot(drawn: Drawn, plug: str) -> None:
    """Rule: "On an addressed definition cold >= hot"."""
    placement = addressed(drawn)
    left = room(placement.topology)
    hot = RunningGuest(placement, RULES).headroom(PLUGS[plug])
    machine_hot = {
        "express": left.express_hot if placement.guest.machine.express else left.conventional_hot,
        "conventional": left.conventional_hot,
    }[plug]
    assert left.express_hot <= left.express_cold
    assert left.conventional_hot <= left.conventional_cold
    assert hot <= machine_hot
    most = how_many_more(pinned(placement), {"express": "virtio-blk", "conventional": "e1000"}[plug], RULES).most
    assert hot <= most


def test_exception_with_all_bus_numbers_in_use_a_running_guest_takes_one_more() -> None:
    """libvirt keeps room for a bridge that it imagines (libvirt rule 6.4, 0b): the last slot of all makes it add one,
    and there is no number for it.  A running guest takes the slot.
    """
    bridges = [pci("pci-bridge", number) for number in range(1, 256)]
    placement = pcisim.assign(domain("pc", BARE, *bridges)).placement
    left = room(placement.topology)
    assert (left.conventional_cold, left.conventional_hot) == (255 * 31 + 30 - 255, 255 * 31 + 30 - 255)
    guest = pinned(placement)
    more = how_many_more(guest, "e1000", RULES)
    assert (more.most, more.holes) == (left.conventional_cold - 1, ())
    assert [str(short) for short in more.short] == ["bus numbers: 257 needed, 256 available, short by 1"]
    assert RunningGuest(placement, RULES).headroom(c.CONVENTIONAL) == left.conventional_hot


# What `fits` says, and what `assign` does.


def accepts(guest: Guest) -> Placement | None:
    try:
        return place(guest)
    except RefusedError:
        return None


@given(drawn_guests(), wishes)
def test_fits_agrees_with_assign(drawn: Drawn, more: dict[str, int]) -> None:
    """Rule: "`fits` agrees with `assign`": yes means that the extended guest is accepted, no that it is refused;
    and with the controllers that are to be pasted it is accepted, and nothing that had an address moves.
    """
    try:
        guest = read(drawn.text, RULES)
        answer = fits(guest, more, POLICY)
    except pcisim.PcisimError:
        reject()
    check_against_assign(guest, more, answer.fits, answer.controllers)


@given(drawn_guests(most=2), st.integers(20, 70), st.integers(0, 40), st.integers(0, 280))
def test_fits_agrees_with_assign_where_it_is_crowded(drawn: Drawn, disks: int, cards: int, more: int) -> None:
    """The same near the holes and the ends, on definitions that are addressed."""
    try:
        plan = pcisim.assign(read(drawn.text, RULES).extended({"virtio-blk": disks}))
    except pcisim.PcisimError:
        reject()
    guest = pinned(plan.placement)
    wish = {"virtio-net": more, "rtl8139": cards}
    try:
        answer = fits(guest, wish, POLICY)
    except RefusedError:
        reject()
    check_against_assign(guest, wish, answer.fits, answer.controllers)


def check_against_assign(guest: Guest, more: dict[str, int], yes: bool, controllers: tuple[Controller, ...]) -> None:
    extended = guest.extended(more)
    assert (accepts(extended) is not None) is yes
    if yes:
        assert controllers == ()
    elif controllers:
        placement = accepts(evolved(extended, controllers=[*extended.controllers, *controllers]))
        assert placement is not None
        after = by_label(placement)
        for device in guest.all_devices():
            if device.address is not None and device.label in after:
                assert after[device.label] == device.address, device.label


# What `fits --hotplug` says, and what a running guest does.


@given(drawn_guests(), st.dictionaries(st.sampled_from(HOT), st.integers(0, 12), min_size=1, max_size=3))
def test_fits_hotplug_agrees_with_what_can_be_attached(drawn: Drawn, more: dict[str, int]) -> None:
    """Rule: "`attach` with `capacity`": as many can be attached as `fits` and the hot slots say, and after a boot
    with the controllers that are to be pasted all of them; nothing moves for these.
    """
    placement = addressed(drawn)
    try:
        answer = fits(pinned(placement), more, POLICY, hotplug=True)
    except RefusedError:
        reject()
    short = dict(answer.missing)
    express = placement.guest.machine.express
    left, running = room(placement.topology), RunningGuest(placement, RULES)
    plugs = Counter("express" if express and d.plug & c.EXPRESS else "conventional" for d in answer.devices)
    for plug, name in (("express", "PCI Express"), ("conventional", "conventional")):
        have = running.headroom(PLUGS[plug]) if plugs[plug] else 0
        assert short.get(name, 0) >= max(0, plugs[plug] - have)
        if "igb" not in drawn.text:
            assert short.get(name, 0) <= max(0, plugs[plug] - have)
        assert have <= getattr(left, f"{plug}_hot")
    assert answer.fits is (not short)
    assert attached(placement, answer.devices) == len(answer.devices) - sum(short.values())
    if answer.controllers:
        guest = pinned(placement)
        grown = place(evolved(guest, controllers=[*guest.controllers, *answer.controllers]))
        assert attached(grown, answer.devices) == len(answer.devices)
        after = by_label(grown)
        assert {label: after[label] for label in by_label(placement)} == by_label(placement)


def test_exception_virtual_functions_are_in_the_way() -> None:
    """libvirt knows nothing of the slots that an igb holds on a bus of several slots, goes there, and QEMU refuses."""
    placement = pcisim.assign(Guest.of("pc", {"igb": 1})).placement
    answer = fits(pinned(placement), {"virtio-blk": 20}, POLICY, hotplug=True)
    running = RunningGuest(placement, RULES)
    assert (running.headroom(c.CONVENTIONAL), answer.missing) == (28, (("conventional", 6),))
    for device in answer.devices[:14]:
        running.attach(device)
    with pytest.raises(RefusedError) as caught:
        running.attach(answer.devices[14])
    assert (caught.value.code, caught.value.headline) == ("virtual-functions", answer.reason)


def attached(placement: Placement, devices: tuple[Device, ...]) -> int:
    """Return how many of the devices a running guest takes, one after the other."""
    running = RunningGuest(placement, RULES)
    codes = Counter[str]()
    for device in devices:
        try:
            running.attach(device)
        except RefusedError as error:
            codes[error.code] += 1
    assert set(codes) <= HOT_SPACE
    return len(devices) - codes.total()
