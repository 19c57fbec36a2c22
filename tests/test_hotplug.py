"""Attach and detach: recorded answers, the tables, and the laws."""

from __future__ import annotations

import pytest

import pcisim
from pcisim.catalogue.versions import DEFAULT_VERSION, VERSIONS
from pcisim.errors import PcisimError
from pcisim.formats.domain_xml import read_device
from pcisim.hotplug import RunningGuest
from tests.guests import domain
from tests.hotplug_cases import CASES, Case

RULES = VERSIONS[DEFAULT_VERSION]


def started(machine: str, *devices: str, acpi: bool = True) -> RunningGuest:
    """Return a guest that runs."""
    xml = domain(machine, *devices)
    return RunningGuest(pcisim.assign(xml if acpi else xml.replace("<acpi/>", "")).placement)


def shown(address: pcisim.PciAddress | None) -> str:
    return "-" if address is None else str(address)[5:]


def taken(guest: RunningGuest, step: str) -> str:
    """Take a step of a case, and return what came of it."""
    before = len(guest.events)
    if step.startswith("-"):
        address = guest.detach(step[1:])
        return f"{step[1:]} {shown(address)}"
    guest.attach(read_device(step[1:], RULES))
    return ", ".join(f"{event.label} {shown(event.address)}" for event in guest.events[before:])


def answer(guest: RunningGuest, step: str) -> str:
    """Take a step of a case, and return what came of it; what is refused changes nothing."""
    before = guest.addresses, list(guest.events), guest.definition
    found = ""
    try:
        found = taken(guest, step)
    except PcisimError as error:
        found = f"!{error.code}: {error.headline}"
    if found.startswith("!"):
        assert (guest.addresses, guest.events, guest.definition) == before
    guest.check()
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_answers_as_libvirt_did(case: Case) -> None:
    guest = started(case.machine, case.devices, acpi=case.acpi)
    for step, expected in case.steps:
        found = answer(guest, step)
        code, _, words = expected.partition(": ")
        assert found == expected or (expected[0] == "!" and found.startswith(code) and words in found), step
