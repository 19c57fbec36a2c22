"""The cheap look at a placed guest passes over nothing that the rules of `check` find."""

from __future__ import annotations

import pytest

import pcisim
from pcisim.diagnose import NOTE
from pcisim.diagnose.diagnosis import sound
from pcisim.placement.quick_check import is_doubtful
from tests.guests import domain, nic, pci
from tests.record_goldens import cases, not_covered, read_answer, read_guest
from tests.sampled import where_versions_differ

REPORTED = {
    "ich9-without-function-zero": "companion-orphan",
    "lone-function-without-function-zero": "orphan-function",
    "multifunction-off-is-respected": "single-function",
    "pc-chipset-functions-left-over": "chipset-function",
    "q35-lone-upstream-port-gets-a-root-port": "bus-before-controller",
    "two-switches-in-a-circle": "controller-circle",
    "acpi-index-says-nothing": "duplicate-acpi-index",
}
"""Goldens that libvirt accepts, although they are not sound, and what is found."""

ACCEPTED = [
    (case, version)
    for case in cases()
    for version, answer in read_answer(case).items()
    if answer["ok"] and version not in not_covered(case)
]


@pytest.mark.parametrize(("case", "version"), where_versions_differ(ACCEPTED))
def test_nothing_is_passed_over(case: str, version: str) -> None:
    placement = pcisim.assign(read_guest(case), libvirt=version).placement
    # what the emulator lacks is not about places
    codes = {f.code for f in sound(placement, whole=False) if f.severity != NOTE} - {
        "address-rewritten",
        "no-such-device",
    }
    assert is_doubtful(placement) or not codes
    if case in REPORTED:
        assert REPORTED[case] in codes


def test_an_ordinary_guest_is_not_doubtful() -> None:
    for case in ("q35-empty", "pc-empty", "gnome-boxes", "pc-60-disks-fit", "q35-237-disks-fill-pcie-root"):
        assert not is_doubtful(pcisim.assign(read_guest(case)).placement), case


@pytest.mark.parametrize("numbers", [("7", "7"), ("7", "8")])
def test_chassis_numbers(numbers: tuple[str, str]) -> None:
    ports = [pci("pcie-root-port", n, f"<target chassis='{number}'/>") for n, number in enumerate(numbers, 1)]
    placement = pcisim.assign(domain("q35", pci("pcie-root", 0), *ports, *[nic()] * 2)).placement
    codes = [f.code for f in sound(placement, whole=False)]
    assert is_doubtful(placement) is ("duplicate-chassis" in codes) is (numbers[0] == numbers[1])
