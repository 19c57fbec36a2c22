"""Laws of occupancy: true of every plan, whatever was asked for."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, reject
from hypothesis import strategies as st

import pcisim
from pcisim.catalogue.versions import libvirt_version
from pcisim.formats.domain.reader import read
from pcisim.guest import Device, Guest
from pcisim.libvirt.completion import complete
from pcisim.libvirt.policy import LibvirtPolicy
from tests import model
from tests.guests import BARE, domain, nic
from tests.property.strategies import VERSIONS, Drawn, crowded_guests, drawn_guests, plain_guests

CHIPSET = {"i440fx": {(0, 1, 0), (0, 1, 3)}, "q35": {(0, 0x1F, 0), (0, 0x1F, 3)}}


def accepted(drawn: Drawn, version: str) -> pcisim.Plan:
    """Return the plan of a guest that is not refused."""
    try:
        return pcisim.assign(drawn.text, libvirt=version)
    except pcisim.PcisimError:
        reject()


def unpacked(packed: int) -> model.Place:
    assert packed >> 16 == 0
    return packed >> 8, packed >> 3 & 0x1F, packed & 7


@given(drawn_guests(), VERSIONS)
def test_no_address_twice(drawn: Drawn, version: str) -> None:
    """Libvirt rule 6.5: "The function must be free (attempted double use)"."""
    plan = accepted(drawn, version)
    times = Counter(plan.addresses.values())
    assert {address: count for address, count in times.items() if count > 1} == {}
    hidden = CHIPSET[plan.placement.guest.machine.family]
    assert hidden.isdisjoint((a.bus, a.slot, a.function) for a in plan.addresses.values())


def test_only_a_console_that_is_its_serial_port_shares_an_address() -> None:
    """Libvirt rule 6.2: the first console mirrors the first serial port (verified against libvirt 11.3)."""
    serial = "<serial type='pty'><target type='pci-serial'/></serial>"
    plan = pcisim.assign(domain("pc", BARE, serial, "<console type='pty'/>", nic()))
    assert {label: str(address) for label, address in plan.addresses.items()} == {
        "interface:0": "0000:00:02.0",
        "serial:0": "0000:00:03.0",
        "console:0": "0000:00:03.0",
    }


@given(drawn_guests(), VERSIONS)
def test_every_address_is_on_a_usable_slot(drawn: Drawn, version: str) -> None:
    """Libvirt rule 2: 32 slots of 8 functions, of which each model of bus offers a range; libvirt rule 1.1: domain
    0.
    """
    plan = accepted(drawn, version)
    models = {c.index: c.model for c in plan.placement.guest.controllers if c.type == "pci"}
    on_bus: Counter[int] = Counter()
    in_slot: Counter[tuple[int, int]] = Counter()
    for address in plan.addresses.values():
        socket = model.SOCKETS[models[address.bus]]
        assert address.domain == 0
        assert socket.low <= address.slot <= socket.high
        on_bus[address.bus] += 1
        in_slot[address.bus, address.slot] += 1
    assert max(on_bus.values(), default=0) <= 256
    assert max(in_slot.values(), default=0) <= 8


@given(drawn_guests(), VERSIONS)
def test_written_addresses_are_kept(drawn: Drawn, version: str) -> None:
    """Libvirt rule 6.2: what is written down is reserved first; libvirt rule 6.6: only its bus may become one
    higher.
    """
    plan = accepted(drawn, version)
    for device in plan.placement.guest.all_devices():
        if device.address is None or device not in plan.placement.addresses:
            continue
        now = plan.placement.addresses[device]
        if device in plan.placement.rewritten:
            assert plan.placement.rewritten[device] == device.address
            assert now == device.address + (1 << 8)
            assert plan.placement.guest.machine.family == "q35"
        else:
            assert now == device.address


@given(drawn_guests(), VERSIONS)
def test_the_topology_is_what_the_addresses_say(drawn: Drawn, version: str) -> None:
    """Libvirt rules 4.3 and 6.5: held are the places of the devices and those of the chipset, and nothing else."""
    plan = accepted(drawn, version)
    plan.topology.check()
    held = {unpacked(packed): owner for packed, owner in plan.topology.owners.items()}
    placed = {unpacked(packed): device for device, packed in plan.placement.addresses.items()}
    hidden = CHIPSET[plan.placement.guest.machine.family]
    assert held.keys() == placed.keys() | hidden
    assert {place: held[place] for place in placed} == placed
    assert all(held[place].owner_kind == "built-in" for place in hidden)


Answer = tuple[dict[str, model.Place], dict[str, str], list[tuple[str, int | None, str]], dict[int, dict[str, object]]]


def fast(guest: Guest, version: str, *, log: bool = False) -> Answer | str:
    """Return what the engine of pcisim says: addresses, multifunction, controllers, targets; or the refusal's code."""
    try:
        placement = LibvirtPolicy(libvirt_version(version)).place(guest, log=log)
    except pcisim.PcisimError as error:
        return error.code
    return (
        {device.label: unpacked(packed) for device, packed in placement.addresses.items()},
        {device.label: flag for device, flag in placement.multifunction.items()},
        [(c.type, c.index, c.model) for c in placement.guest.controllers],
        {c.index: dict(c.target) for c in placement.guest.controllers if c.type == "pci" and c.index is not None},
    )


def slow(guest: Guest, version: str) -> Answer | str:
    """Return what `tests.model` says."""
    try:
        placement = model.place(guest, libvirt_version(version))
    except model.SlowRefusal as refusal:
        return refusal.code
    return (
        labelled(placement.addresses),
        {device.label: flag for device, flag in placement.multifunction.items()},
        [(c.type, c.index, c.model) for c in placement.controllers],
        placement.targets,
    )


def labelled(addresses: dict[Device, model.Place]) -> dict[str, model.Place]:
    by_label = {device.label: place for device, place in addresses.items()}
    assert len(by_label) == len(addresses), "two devices have one label"
    return by_label


def completed(drawn: Drawn, version: str) -> Guest:
    rules = libvirt_version(version)
    try:
        return complete(read(drawn.text, rules), rules)
    except pcisim.PcisimError:
        reject()


@given(drawn_guests(), VERSIONS)
def test_fast_engine_agrees_with_the_slow_one(drawn: Drawn, version: str) -> None:
    """Libvirt rule 6.8, the whole of it: the same places, flags, controllers, options, and the same refusals."""
    guest = completed(drawn, version)
    assert fast(guest, version) == slow(guest, version)


@given(crowded_guests(), VERSIONS)
def test_fast_engine_agrees_where_slots_are_shared(drawn: Drawn, version: str) -> None:
    """Libvirt rules 6.3 to 6.5: packing marks, companions and written functions in the same few slots."""
    guest = completed(drawn, version)
    assert fast(guest, version) == slow(guest, version)


@given(drawn_guests(), VERSIONS)
def test_logging_changes_nothing(drawn: Drawn, version: str) -> None:
    """Rule: `explain` shows the search that was made, so the logged run must be the same run."""
    guest = completed(drawn, version)
    assert fast(guest, version, log=True) == fast(guest, version)


@given(plain_guests(), VERSIONS)
def test_fast_engine_agrees_on_guests_without_xml(plain: tuple[str, dict[str, int]], version: str) -> None:
    """Libvirt rule 6.6: growth, from no device to some hundreds."""
    try:
        whole = complete(Guest.of(*plain), libvirt_version(version))
    except pcisim.PcisimError:  # 9.0 does not know all models; a second controller of one index
        reject()
    assert fast(whole, version) == slow(whole, version)


@given(st.sampled_from(["pc", "q35"]), st.integers(0, 260), st.integers(0, 3))
def test_fast_engine_agrees_on_many_disks(machine: str, disks: int, cards: int) -> None:
    """Libvirt rule 12: the windows in which libvirt refuses what it takes with one device more."""
    whole = complete(Guest.of(machine, {"virtio-blk": disks, "e1000": cards}), libvirt_version("11.3"))
    assert fast(whole, "11.3") == slow(whole, "11.3")
