"""`pcisim.topology.Topology` against the slow one, through random reserving, allocating and releasing.

Libvirt rules 6.3 and 6.5: both give the same places and the same refusals, whatever happened before; what
is refused changes nothing; and the masks stay in agreement (`check`) after every step.
"""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pcisim.catalogue.controllers import PCI_CONTROLLERS
from pcisim.errors import RefusedError
from pcisim.topology import Owner, Topology
from tests.model import ROOTS, C, E, Place, Plug, SlowTopology

MODELS = sorted(set(PCI_CONTROLLERS) - set(ROOTS))
PLUGS = [*(Plug(kind) for kind in (C, E, *MODELS)), Plug(C, True), Plug(E, True), Plug(None)]
plugs = st.sampled_from([Plug(C), Plug(E), Plug("pcie-root-port"), *PLUGS])
functions = st.sampled_from([0, 0, 0, 1, 2, 7])
slots = st.sampled_from([0, 0, 1, 1, 2, 3, 4, 30, 31])


def packed(place: Place, domain: int = 0) -> int:
    bus, slot, function = place
    return domain << 16 | bus << 8 | slot << 3 | function


class TopologyMachine(RuleBasedStateMachine):
    """Do the same to both."""

    def __init__(self) -> None:
        super().__init__()
        self.fast = Topology()
        self.slow = SlowTopology()
        self.serial = 0

    @initialize(root=st.sampled_from(["", *ROOTS, *ROOTS]), integrated_conventional=st.booleans())
    def start(self, root: str, integrated_conventional: bool) -> None:
        self.fast = Topology(integrated_conventional=integrated_conventional)
        self.slow = SlowTopology(integrated_conventional=integrated_conventional)
        if root:
            self.fast.add_bus(PCI_CONTROLLERS[root])
            self.slow.add_bus(root)

    def owner(self) -> Owner:
        self.serial += 1
        return Owner(f"device:{self.serial}", "device")

    def snapshot(self) -> tuple[object, ...]:
        buses = [(bus.model.name, bus.used, bus.free, bus.full, bus.shared) for bus in self.fast.buses]
        return buses, dict(self.fast.owners)

    @rule(model=st.sampled_from(MODELS))
    @precondition(lambda self: len(self.fast.buses) < 8)
    def add_bus(self, model: str) -> None:
        bus = self.fast.add_bus(PCI_CONTROLLERS[model])
        self.slow.add_bus(model)
        assert bus.index == len(self.slow.buses) - 1

    @rule(
        bus=st.integers(0, 8),
        slot=slots,
        function=functions,
        domain=st.sampled_from([0, 0, 0, 0, 1, 0xFFFFFFFF]),
        plug=plugs,
        explicit=st.booleans(),
    )
    def reserve(self, bus: int, slot: int, function: int, domain: int, plug: Plug, explicit: bool) -> None:
        place, owner, before = (bus, slot, function), self.owner(), self.snapshot()
        holder = self.slow.owners.get(place)
        code = self.slow.refusal(place, plug, explicit=explicit, domain=domain)
        if code:
            with pytest.raises(RefusedError) as caught:
                self.fast.reserve(packed(place, domain), plug.bits(), owner, explicit=explicit)
            assert caught.value.code == code
            others = (holder.label,) if code == "slot-occupied" and isinstance(holder, Owner) else ()
            assert caught.value.parties == (owner.label, *others)
            assert self.snapshot() == before
        else:
            self.slow.reserve(place, plug, owner, explicit=explicit)
            self.fast.reserve(packed(place, domain), plug.bits(), owner, explicit=explicit)

    @rule(plug=plugs, function=functions)
    def allocate(self, plug: Plug, function: int) -> None:
        owner, before = self.owner(), self.snapshot()
        place = self.slow.allocate(plug, owner, function)
        found = self.fast.allocate(plug.bits(), owner, function)
        assert found == (None if place is None else packed(place))
        if place is None:
            assert self.snapshot() == before

    @rule(plug=plugs, count=st.integers(2, 40))
    def allocate_many(self, plug: Plug, count: int) -> None:
        for _ in range(count):
            self.allocate(plug, 0)

    @rule(plug=plugs, count=st.integers(0, 40), skipped=st.integers(0, 2))
    def allocate_all(self, plug: Plug, count: int, skipped: int) -> None:
        owners = [self.owner() for _ in range(count + skipped)]
        addresses: dict[Owner, int] = {}
        expected: dict[Owner, int] = {}
        stopped = self.fast.allocate_all(plug.bits(), owners, addresses, skipped)
        for owner in owners[skipped:]:
            place = self.slow.allocate(plug, owner)
            if place is None:
                break
            expected[owner] = packed(place)
        assert addresses == expected
        assert stopped == skipped + len(expected)

    @rule(data=st.data())
    @precondition(lambda self: self.slow.owners)
    def release(self, data: st.DataObject) -> None:
        place = data.draw(st.sampled_from(sorted(self.slow.owners)))
        self.slow.release(place)
        self.fast.release(packed(place))

    @rule(bus=st.integers(0, 8), slot=slots, function=functions)
    def release_what_is_free(self, bus: int, slot: int, function: int) -> None:
        place, before = (bus, slot, function), self.snapshot()
        if place in self.slow.owners:
            return
        with pytest.raises(RefusedError) as caught:
            self.fast.release(packed(place))
        assert caught.value.code == "slot-empty"
        assert self.snapshot() == before

    @invariant()
    def is_sound(self) -> None:
        self.fast.check()

    @invariant()
    def same_occupancy(self) -> None:
        assert self.fast.owners == {packed(place): owner for place, owner in self.slow.owners.items()}
        for bus, other in zip(self.fast.buses, self.slow.buses, strict=True):
            assert {slot: bus.functions(slot) for slot in range(32) if bus.functions(slot)} == {
                slot: sum(1 << f for f in held) for slot, held in other.used.items() if held
            }

    @invariant()
    def same_searches(self) -> None:
        for plug in PLUGS:
            place = self.slow.search(plug)
            looks = self.fast.explain(plug.bits())
            assert self.fast.search(plug.bits()) == (None if place is None else packed(place)), plug
            ends = [look.bus for look in looks if look.verdict.endswith("chosen")]
            assert ends == ([] if place is None else [place[0]]), plug


TestTopology = TopologyMachine.TestCase
