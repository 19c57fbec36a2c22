"""Interface names, hotplug slots: as Debian's udev and Linux gave them (``names.json``), and the table of schemes."""

from __future__ import annotations

import json
from typing import Any

import pytest

import pcisim
from pcisim.address import GuestAddress
from pcisim.catalogue.versions import VERSIONS
from pcisim.enumeration import enumerate_guest
from pcisim.enumeration.names import LATEST, SCHEMES, clashes, names_of_guest, scheme_of, spans, text_of
from pcisim.enumeration.slots import slot_rules, slots_of
from pcisim.errors import UsageError
from tests.guests import BARE, at, domain, nic
from tests.oracle.record_names import named_cases
from tests.record_goldens import DATA, read_guest


def recorded(case: str) -> dict[str, Any]:
    """Return what each QEMU shows that was asked."""
    answers: dict[str, Any] = json.loads((DATA / case / "names.json").read_text())
    return answers


CASES = [
    pytest.param(case, row.version, id=f"{case}-{row.version}")
    for case in named_cases()
    for row in VERSIONS.values()
    if row.qemu in recorded(case)
]


def test_there_are_cases() -> None:
    assert len(CASES) >= 50


@pytest.mark.parametrize(("case", "libvirt"), CASES)
def test_names_are_those_of_udev(case: str, libvirt: str) -> None:
    plan = pcisim.assign(read_guest(case), libvirt=libvirt)
    view = enumerate_guest(plan.placement)
    names = names_of_guest(plan.placement, view)
    predicted = {str(a): {option.name: spans(option.schemes) for option in options} for a, options in names.items()}
    assert predicted == recorded(case)[VERSIONS[libvirt].qemu]["names"]


@pytest.mark.parametrize(("case", "libvirt"), CASES)
def test_slots_are_those_of_linux(case: str, libvirt: str) -> None:
    plan = pcisim.assign(read_guest(case), libvirt=libvirt)
    slots = slots_of(enumerate_guest(plan.placement), slot_rules(plan.placement.guest))
    numbers = {f"0000:{place >> 5:02x}:{place & 31:02x}": number for place, number in slots.numbers.items()}
    answer = recorded(case)[VERSIONS[libvirt].qemu]
    assert numbers == answer["slots"]
    described = {f"0000:{p >> 8:02x}:{p >> 3 & 31:02x}.{p & 7}": number for p, number in slots.described.items()}
    assert described == answer["described"]


@pytest.mark.parametrize(("case", "libvirt"), CASES)
def test_what_linux_switches_off_is_dead(case: str, libvirt: str) -> None:
    seen = enumerate_guest(pcisim.assign(read_guest(case), libvirt=libvirt).placement)
    dead = [str(function.address) for function in seen.functions if function.off]
    assert dead == recorded(case)[VERSIONS[libvirt].qemu].get("dead", [])


def test_every_scheme_names_every_interface_once() -> None:
    for case in named_cases():
        plan = pcisim.assign(read_guest(case))
        for options in names_of_guest(plan.placement, enumerate_guest(plan.placement)).values():
            given = [scheme for option in options for scheme in option.schemes]
            assert sorted(given, key=list(SCHEMES).index) == list(SCHEMES)


@pytest.mark.parametrize("scheme", [*SCHEMES, "latest"])
def test_one_scheme_names_as_it_does_among_all(scheme: str) -> None:
    plan = pcisim.assign(read_guest("names-pc-multifunction"))
    view = enumerate_guest(plan.placement)
    row = scheme_of(scheme)
    assert row.name == (LATEST if scheme == "latest" else scheme)
    alone = names_of_guest(plan.placement, view, scheme)
    for address, options in names_of_guest(plan.placement, view).items():
        (expected,) = [option.name for option in options if row.name in option.schemes]
        assert [option.name for option in alone[address]] == [expected]


def test_an_unknown_scheme() -> None:
    with pytest.raises(UsageError) as caught:
        scheme_of("v246")
    assert caught.value.code == "unknown-naming-scheme"
    assert "v245, v247" in caught.value.remedy


def test_schemes_as_ranges() -> None:
    assert spans(SCHEMES) == "v238-v257"
    assert spans(["v238", "v239", "v247", "v251", "v252"]) == "v238-v239, v247, v251-v252"
    assert spans([]) == ""


def test_a_name_that_two_interfaces_would_have() -> None:
    plan = pcisim.assign(read_guest("names-q35-bridges"))
    names = names_of_guest(plan.placement, enumerate_guest(plan.placement))
    first, second = GuestAddress("0000:02:04.0"), GuestAddress("0000:04:04.0")
    assert text_of(names[first]) == "ens4"
    assert text_of(names[second]) == "enp4s4 (v238-v255), ens4 (v257)"
    assert clashes(names) == [("ens4", (first, second), ("v257",))]


def test_two_functions_with_one_index() -> None:
    plan = pcisim.assign(read_guest("names-pc-acpi-index"))
    names = names_of_guest(plan.placement, enumerate_guest(plan.placement))
    assert [(name, len(who)) for name, who, _ in clashes(names)] == [("eno4", 2)]


def test_what_is_never_seen_has_no_name() -> None:
    guest = domain("q35", nic("virtio", at(0, 9, 1)))
    plan = pcisim.assign(guest)
    view = enumerate_guest(plan.placement)
    assert [function.label for function in view.unseen] == ["interface:0"]
    assert names_of_guest(plan.placement, view) == {}


def test_a_host_device_is_an_interface_by_its_element() -> None:
    source = "<source><address type='pci' domain='0' bus='1' slot='16' function='0'/></source>"
    plan = pcisim.assign(domain("q35", BARE, f"<interface type='hostdev'>{source}</interface>"))
    names = names_of_guest(plan.placement, enumerate_guest(plan.placement))
    assert [text_of(options) for options in names.values()] == ["enp1s0"]


def test_docs_list_every_scheme() -> None:
    text = (DATA.parent.parent / "docs" / "guest.md").read_text()
    runs: list[tuple[tuple[str, bool], list[str]]] = []
    for row in SCHEMES.values():
        rules = (row.bridge, row.described)
        if not runs or runs[-1][0] != rules:
            runs.append((rules, []))
        runs[-1][1].append(row.name)
    for (bridge, described), schemes in runs:
        assert f"| {spans(schemes)} | {bridge} | {'yes' if described else 'no'} |" in text
