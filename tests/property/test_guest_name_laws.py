"""Laws of what the guest calls its interfaces, and of lspci's views."""

from __future__ import annotations

from hypothesis import given, reject

import pcisim
from pcisim.enumeration import enumerate_guest
from pcisim.enumeration.names import SCHEMES, clashes, names_of_guest
from pcisim.enumeration.slots import slot_rules, slots_of
from pcisim.formats import guest, lspci
from pcisim.plan import Plan
from tests.property.strategies import Drawn, drawn_guests


def plan_of(drawn: Drawn) -> Plan:
    try:
        plan = pcisim.assign(drawn.text)
    except pcisim.PcisimError:
        reject()
    if not plan.topology.buses:
        reject()
    return plan


@given(drawn_guests())
def test_every_scheme_gives_every_interface_one_name(drawn: Drawn) -> None:
    plan = plan_of(drawn)
    view = enumerate_guest(plan.placement)
    names = names_of_guest(plan.placement, view)
    everyone: dict[tuple[str, str], int] = {}
    for options in names.values():
        assert sorted(scheme for option in options for scheme in option.schemes) == sorted(SCHEMES)
        assert len({option.name for option in options}) == len(options)
        for option in options:
            assert len(option.name) <= 15
            for scheme in option.schemes:
                everyone[option.name, scheme] = everyone.get((option.name, scheme), 0) + 1
    twice = {key for key, count in everyone.items() if count > 1}
    assert twice == {(name, scheme) for name, _, schemes in clashes(names) for scheme in schemes}


@given(drawn_guests())
def test_no_number_is_given_to_two_slots(drawn: Drawn) -> None:
    plan = plan_of(drawn)
    slots = slots_of(enumerate_guest(plan.placement), slot_rules(plan.placement.guest))
    assert len(set(slots.numbers.values())) == len(slots.numbers)
    assert all(1 <= number <= 31 for number in slots.numbers.values())
    assert all(slots.numbers[place] == place & 31 for place in slots.numbers)


@given(drawn_guests())
def test_every_view_shows_every_function(drawn: Drawn) -> None:
    plan = plan_of(drawn)
    view = enumerate_guest(plan.placement)
    names = names_of_guest(plan.placement, view)
    assert len(lspci.listing(view)) == len(view.functions)
    assert len(guest.table(view, names)) == 1 + len(view.functions) + len(view.unseen)
    assert len(guest.document(view, names)["functions"]) == len(view.functions)
    drawing = "\n".join(lspci.tree(view))
    if view.boots and len(view.buses) == len({bus.number for bus in view.buses}):
        assert drawing.count(".") == len(view.functions)
        assert sum(" -> bus " in line for line in guest.tree(view, names)) == sum(
            f.numbers is not None and f.numbers.secondary > 0 for f in view.functions
        )
