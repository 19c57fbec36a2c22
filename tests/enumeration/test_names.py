"""Interface names, hotplug slots: as Debian's udev and Linux gave them (``names.json``), and the table of schemes."""

from __future__ import annotations

import json
from typing import Any

import pytest

import pcisim
from pcisim.enumeration import enumerate_guest
from pcisim.enumeration.names import (
    names_of_guest,
    spans,
)
from pcisim.enumeration.slots import QEMU_OF, slot_rules, slots_of
from tests.oracle.record_names import named_cases
from tests.record_goldens import DATA, read_guest


def recorded(case: str, qemu: str) -> dict[str, Any]:
    answers: dict[str, Any] = json.loads((DATA / case / "names.json").read_text())[qemu]
    return answers


CASES = [pytest.param(case, libvirt, id=f"{case}-{libvirt}") for case in named_cases() for libvirt in QEMU_OF]


def test_there_are_cases() -> None:
    assert len(CASES) >= 24


@pytest.mark.parametrize(("case", "libvirt"), CASES)
def test_names_are_those_of_udev(case: str, libvirt: str) -> None:
    plan = pcisim.assign(read_guest(case), libvirt=libvirt)
    view = enumerate_guest(plan.placement)
    names = names_of_guest(plan.placement, view, qemu=QEMU_OF[libvirt])
    predicted = {str(a): {option.name: spans(option.schemes) for option in options} for a, options in names.items()}
    assert predicted == recorded(case, QEMU_OF[libvirt])["names"]


@pytest.mark.parametrize(("case", "libvirt"), CASES)
def test_slots_are_those_of_linux(case: str, libvirt: str) -> None:
    plan = pcisim.assign(read_guest(case), libvirt=libvirt)
    slots = slots_of(enumerate_guest(plan.placement), slot_rules(plan.guest, QEMU_OF[libvirt]))
    numbers = {f"0000:{place >> 5:02x}:{place & 31:02x}": number for place, number in slots.numbers.items()}
    answer = recorded(case, QEMU_OF[libvirt])
    assert numbers == answer["slots"]
    described = {f"0000:{p >> 8:02x}:{p >> 3 & 31:02x}.{p & 7}": number for p, number in slots.described.items()}
    assert described == answer["described"]
