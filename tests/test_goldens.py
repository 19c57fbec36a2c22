"""Law: for every guest in `tests/data`, pcisim says what libvirt said.

Accepted: the same PCI controllers and the same addresses. Refused: a `PcisimError` that
contains the words of libvirt's that a user would search for. What pcisim does not cover it
says so of, whatever libvirt answers.
"""

from __future__ import annotations

import pytest

import pcisim
from tests.oracle.facts import about_pci, differences, facts
from tests.record_goldens import cases, not_covered, read_answer, read_guest
from tests.sampled import where_versions_differ

# the part of libvirt's text that is worth searching for, i.e. without numbers and names
SEARCHED_FOR = (
    "Attempted double use of PCI Address",
    "No more available PCI slots",
    "No PCI buses available",
    "Only PCI domain 0 is available",
    "Invalid PCI address",
    "cannot be plugged into the PCI controller",
    "needs to be an integrated device",
    "a PCI slot is needed to connect a PCI controller",
    "Cannot automatically add a new PCI bus",
    "index must be larger than bus",
    "No free busNr",
    "must have PCI address",
    "should have index 0",
    "must be model=",
    "Multiple 'pci' controllers with index",
    "should not have an address",
    "PCI controller model was not set correctly",
    "not present in the domain's <cpu><numa> array",
    "No master USB controller specified",
    "is not valid for PCI controller with index",
    "out of range",
    "too high, maximum is 255",
    "Invalid value for attribute",
    "i6300esb model of watchdog can go only on PCI bus",
    "are only supported on 440fx-based machinetypes",
    "are not supported with this machine type",
    "can have target index 0",
    "can't be associated with a NUMA node",
    "zPCI",
    "is already reserved",
    "USB is disabled for this domain",
    "IDE controllers are unsupported",
)


def answers(*, accepted: bool) -> list[tuple[str, str]]:
    """Return each case and version that says something about addresses."""
    return [
        (case, version)
        for case in cases()
        for version, recorded in read_answer(case).items()
        if version not in not_covered(case)
        and recorded["ok"] is accepted
        and (accepted or case.startswith("refused-") or about_pci(recorded["error"]))
    ]


@pytest.mark.parametrize(("case", "version"), answers(accepted=True))
def test_accepts_and_answers_as_libvirt(case: str, version: str) -> None:
    addressed = pcisim.assign_xml(read_guest(case), libvirt=version)
    assert differences(read_answer(case)[version]["facts"], facts(addressed)) == []


@pytest.mark.parametrize(("case", "version"), answers(accepted=False))
def test_refuses_in_the_words_of_libvirt(case: str, version: str) -> None:
    error: str = read_answer(case)[version]["error"]
    with pytest.raises(pcisim.PcisimError) as caught:
        pcisim.assign_xml(read_guest(case), libvirt=version)
    said = "\n".join([caught.value.headline, *caught.value.details])
    for words in SEARCHED_FOR:
        if words in error:
            assert words in said


@pytest.mark.parametrize(("case", "version"), where_versions_differ(answers(accepted=True)))
def test_assigning_again_changes_nothing(case: str, version: str) -> None:
    once = pcisim.assign_xml(read_guest(case), libvirt=version)
    if version == "9.0" and "<zpci" in str(once):
        once = pcisim.assign_xml(once, libvirt=version)  # the bridges that 9.0 adds get their numbers the next time
    if case == "usb-none-beside-another":  # libvirt does not read again what it adds beside it
        with pytest.raises(pcisim.PcisimError, match="Can't add another USB controller"):
            pcisim.assign_xml(once, libvirt=version)
    else:
        assert pcisim.assign_xml(once, libvirt=version) == once


@pytest.mark.parametrize(
    ("case", "version"), [(case, version) for case in cases() for version in sorted(not_covered(case))]
)
def test_says_what_it_does_not_cover(case: str, version: str) -> None:
    assert version in read_answer(case)
    with pytest.raises(pcisim.PcisimError, match=f"is not covered as libvirt {version}"):
        pcisim.assign_xml(read_guest(case), libvirt=version)


def test_each_case_says_which_clause_it_shows() -> None:
    for case in cases():
        assert read_guest(case).startswith("<!--"), case


def test_each_case_is_recorded() -> None:
    for case in cases():
        assert "11.3" in read_answer(case), case
