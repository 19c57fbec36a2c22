"""Refusals from the document alone: which of several is the first, and in whose words.

The answers are recorded; here pcisim's headline has to be all that libvirt says, but for the names of machines and
sources.
"""

from __future__ import annotations

import re

import pytest

import pcisim
from pcisim.errors import PcisimError
from tests.record_goldens import cases, read_answer, read_guest

KINDS = (
    "acpi-index", "alias", "boot", "ccw-on", "display", "drive", "filesystem", "first", "hostdev", "input", "iothread",
    "isa-serial", "last", "lun", "mdev", "memory", "ramfb", "s390x-virtiofs", "scsi-hostdev", "slot-zero-of-a-raised",
    "tpm", "uefi", "vhostuser", "video", "virtiofs", "aarch64-virt-acpi",
)  # fmt: skip
ANSWERS = [
    (case, version)
    for case in cases()
    if case.removeprefix("refused-").startswith(KINDS) or case.endswith("-by-version")
    for version, answer in read_answer(case).items()
    if not answer["ok"] and version in ("9.0", "11.3")
]
PREFIXES = re.compile("^(unsupported configuration|internal error|XML error): ")
LEFT_OUT = re.compile("(?<=information for device) .*")
RESOLVED = re.compile(r"pc-(q35|i440fx)-[0-9.]+")
OTHER_WORDS = {"watchdogs-by-version"}


def test_there_are_many() -> None:
    assert len(ANSWERS) > 150
    assert {version for _, version in ANSWERS} == {"9.0", "11.3"}


@pytest.mark.parametrize(("case", "version"), [answer for answer in ANSWERS if answer[0] not in OTHER_WORDS])
def test_says_what_libvirt_says(case: str, version: str) -> None:
    said = LEFT_OUT.sub("", PREFIXES.sub("", read_answer(case)[version]["error"]))
    with pytest.raises(PcisimError) as caught:
        pcisim.assign_xml(read_guest(case), libvirt=version)
    error = caught.value
    assert error.headline == RESOLVED.sub(lambda match: "q35" if match[1] == "q35" else "pc", said)
    assert error.remedy or error.code in ("bad-number", "unknown-word")
    assert error.line
    assert error.parties or error.code == "needs-uefi" or "UEFI" in said


@pytest.mark.parametrize(
    ("case", "first", "second"),
    [
        ("refused-hostdev-twice", "hostdev:1", "hostdev:0"),
        ("refused-hostdev-of-an-interface-twice", "hostdev:0", "interface:0"),
        ("refused-alias-of-two-controllers", "pci:1", "pci:0"),
        ("refused-boot-order-twice", "interface:0", "disk:vda"),
        ("refused-drive-twice", "disk:sda", "disk:sdb"),
        ("refused-scsi-hostdev-where-a-disk-is", "hostdev:0", "disk:sdb"),
        ("refused-memory-slot-twice", "memory:1", "memory:0"),
    ],
)
def test_names_both_parties(case: str, first: str, second: str) -> None:
    with pytest.raises(PcisimError) as caught:
        pcisim.assign_xml(read_guest(case))
    assert caught.value.parties == (first, second)


def test_a_raised_bus_says_what_was_added() -> None:
    with pytest.raises(PcisimError) as caught:
        pcisim.assign_xml(read_guest("refused-slot-zero-of-a-raised-bus"))
    assert caught.value.details[0] == (
        "there is no bus 1 yet: libvirt has added pcie-root-port 1 and pcie-to-pci-bridge 2 for it, and takes bus 2 for"
        " bus 1"
    )
