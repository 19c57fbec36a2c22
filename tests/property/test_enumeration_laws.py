"""Laws of enumeration, for topologies without a conflict or shortage of bus numbers.

Source: firmware rule 2.1: "depth first, pre-order: on each bus the functions go by
ascending slot, then function; a bridge gets the next number, then everything below it, then its next
sibling. The order on the command line does not matter."
"""

from __future__ import annotations

import itertools

from hypothesis import assume, given
from hypothesis import strategies as st

from pcisim.enumeration import GuestFunction, GuestView, enumerate_guest
from pcisim.placement import Placement
from pcisim.simulation import Simulation, simulate_qemu
from pcisim.topology import Topology
from tests.property.strategies import VERSIONS, Drawn, drawn_guests
from tests.property.test_occupancy_laws import accepted
from tests.qemu.topologies import Tree

SEEDS = st.integers(0, 100_000)
FIRMWARES = st.sampled_from(["seabios", "ovmf"])


def bridges(view: GuestView) -> list[GuestFunction]:
    return [function for function in view.functions if function.numbers is not None]


def is_sound(view: GuestView) -> bool:
    """Return whether no bus number was short, or claimed twice."""
    secondaries = [f.numbers.secondary for f in bridges(view) if f.numbers]
    roots = [bus.number for bus in view.buses if bus.bridge is None]
    inside = any(
        f.numbers and f.numbers.secondary <= root <= f.numbers.subordinate for f in bridges(view) for root in roots
    )
    return "numbers" not in view.reason and 0 not in secondaries and not inside and len(set(roots)) == len(roots)


def grown(seed: int, firmware: str = "seabios") -> tuple[Simulation, GuestView]:
    tree = Tree(f"law {seed}")
    simulation = simulate_qemu(tree.machine, tree.devices, options=tree.options, firmware=firmware)
    view = simulation.view
    assume(view is not None)
    assert view is not None
    assume(is_sound(view))
    return simulation, view


def check_numbers(view: GuestView) -> None:
    """Numbers nest: primary < secondary <= subordinate, children inside, siblings disjoint."""
    ranges = {}
    for bridge in bridges(view):
        numbers, address = bridge.numbers, bridge.address
        assert numbers is not None
        assert address is not None
        assert numbers.primary == address.bus < numbers.secondary <= numbers.subordinate
        ranges[numbers.secondary] = bridge
    for bridge in ranges.values():
        assert bridge.address is not None
        assert bridge.numbers is not None
        parent = ranges.get(bridge.address.bus)
        if parent is not None:
            assert parent.numbers is not None
            assert parent.numbers.secondary < bridge.numbers.secondary
            assert bridge.numbers.subordinate <= parent.numbers.subordinate
    siblings = sorted(
        (b.numbers.primary, b.numbers.secondary, b.numbers.subordinate) for b in bridges(view) if b.numbers
    )
    for (primary, _, end), (other, start, _) in itertools.pairwise(siblings):
        assert primary != other or end < start


def check_addresses(view: GuestView) -> None:
    """Every visible device has exactly one guest address, on a bus that is there."""
    addresses = [function.address for function in view.functions]
    assert None not in addresses
    assert len(set(addresses)) == len(addresses)
    assert addresses == sorted(addresses, key=lambda address: int(address or 0))
    buses = {bus.number for bus in view.buses}
    assert {address.bus for address in addresses if address} <= buses
    assert all(function.address is None and function.remarks for function in view.unseen)


@given(SEEDS, FIRMWARES)
def test_numbers_nest(seed: int, firmware: str) -> None:
    check_numbers(grown(seed, firmware)[1])


@given(SEEDS, FIRMWARES)
def test_every_device_is_seen_once_or_lost_with_a_reason(seed: int, firmware: str) -> None:
    simulation, view = grown(seed, firmware)
    check_addresses(view)
    parts = sum(1 for _ in simulation.built.hardware.parts())
    assert len(view.functions) + len(view.unseen) == parts


@given(drawn_guests(), VERSIONS, FIRMWARES)
def test_placed_guests_too(drawn: Drawn, version: str, firmware: str) -> None:
    plan = accepted(drawn, version)
    view = enumerate_guest(plan.topology, firmware)
    check_addresses(view)
    if is_sound(view):
        check_numbers(view)
    configured = {function.label: function.configured for function in (*view.functions, *view.unseen)}
    for label, address in plan.addresses.items():
        device = next(d for d in plan.placement.guest.all_devices() if d.label == label)
        if device.plug and plan.placement.topology.owners.get(int(address)) is device:
            assert configured[label] == address


@given(drawn_guests(), VERSIONS)
def test_order_of_devices_never_matters_to_a_placed_topology(drawn: Drawn, version: str) -> None:
    plan = accepted(drawn, version)
    placement = plan.placement
    view = enumerate_guest(placement)
    assume(is_sound(view))
    turned = Topology()
    turned.buses = plan.topology.buses
    turned.owners = dict(reversed(plan.topology.owners.items()))
    other = Placement(placement.guest, turned, placement.addresses, placement.multifunction, [], {}, {})
    assert set(enumerate_guest(other).functions) == set(view.functions)


@given(SEEDS)
def test_empty_port_after_all_others_renumbers_nothing(seed: int) -> None:
    simulation, view = grown(seed)
    root = simulation.built.hardware.root
    place = 0x1F << 3 | 7
    assume(simulation.machine == "q35" and place not in root.parts)
    late = "pcie-root-port,id=late,chassis=255,bus=pcie.0,addr=1f.7"
    more = simulate_qemu(simulation.machine, [*simulation.devices, late], options=simulation.options).view
    assert more is not None
    assume(is_sound(more))
    numbers = {function.label: (function.address, function.numbers) for function in more.functions}
    assert {f.label: (f.address, f.numbers) for f in view.functions}.items() <= numbers.items()
    last = max(
        (f.numbers.subordinate for f in bridges(view) if f.numbers and f.address and _on_main(f, view)), default=0
    )
    assert numbers["late"][1] is not None
    assert numbers["late"][1].secondary == last + 1


def _on_main(function: GuestFunction, view: GuestView) -> bool:
    """Return whether a bridge is below the main root bus."""
    assert function.address is not None
    roots = {bus.number for bus in view.buses if bus.bridge is None} - {0}
    below = {
        number
        for other in bridges(view)
        if other.address and other.address.bus in roots and other.numbers
        for number in range(other.numbers.secondary, other.numbers.subordinate + 1)
    }
    return function.address.bus not in roots | below


@given(SEEDS)
def test_simulating_twice_is_simulating_once(seed: int) -> None:
    simulation, _ = grown(seed)
    again = simulate_qemu(simulation.machine, simulation.devices, options=simulation.options)
    assert again.to_json() == simulation.to_json()
