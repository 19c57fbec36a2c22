"""What an upgrade of libvirt changes: machine types that are gone, controllers of another model."""

from __future__ import annotations

import pytest

from pcisim.diagnose import WARNING, check, meanings
from pcisim.guest import Guest
from tests.guests import domain, pci

DISKS = "".join(
    f"<disk type='file' device='disk'><source file='/a'/><target dev='sd{letter}' bus='scsi'/></disk>"
    for letter in "abcdefgh"
)
WRITTEN = "<controller type='scsi' index='0' model='{}'/>"


def codes(document: str | Guest, version: str) -> list[str]:
    """Return the codes of what is found."""
    return [finding.code for finding in check(document, libvirt=version)]


@pytest.mark.parametrize(
    ("machine", "arch", "gone"),
    [
        ("pc-q35-5.1", "x86_64", ["12.9"]),
        ("pc-q35-5.2", "x86_64", []),
        ("pc-q35-2.4", "x86_64", ["12.9"]),
        ("pc-i440fx-2.12", "x86_64", ["12.9"]),
        ("pc-i440fx-2.3", "x86_64", ["12.9", "11.3"]),
        ("pc-i440fx-1.3", "x86_64", ["12.9", "11.3", "9.0"]),
        ("virt-5.1", "aarch64", ["12.9"]),
        ("pseries-2.12", "ppc64", ["12.9", "11.3"]),
        ("q35", "x86_64", []),
        ("pc-q35-rhel8.6.0", "x86_64", []),
        ("pc-i440fx-focal", "x86_64", []),
    ],
)
def test_machine_types_that_are_gone(machine: str, arch: str, gone: list[str]) -> None:
    guest = Guest.of(machine, arch=arch)
    assert [v for v in ("12.9", "11.3", "9.0") if "machine-gone" in codes(guest, v)] == gone


def test_what_is_said_of_a_machine_type() -> None:
    finding = next(f for f in check(domain("pc-i440fx-4.2")) if f.code == "machine-gone")
    assert (finding.severity, finding.line) == (WARNING, 6)
    assert finding.details[1] == "the oldest that it has is pc-i440fx-5.2"
    assert finding.remedy == "give the guest a newer machine type while it is off"
    said = (
        "unsupported configuration: Emulator '/usr/bin/qemu-system-x86_64' does not support machine type 'pc-q35-4.2'"
    )
    assert ["machine-gone"] in [list(row.codes) for row in meanings(said)]


@pytest.mark.parametrize(
    ("model", "version", "noted"),
    [("virtio-scsi", "11.3", True), ("virtio-scsi", "9.0", True), ("virtio-scsi", "12.9", False),
     ("lsilogic", "11.3", False)],
)  # fmt: skip
def test_controllers_of_another_model(model: str, version: str, noted: bool) -> None:
    findings = check(domain("q35", WRITTEN.format(model) + DISKS), libvirt=version)
    found = [finding for finding in findings if finding.code == "other-model"]
    assert [f.parties for f in found] == [("scsi:1", "scsi:0")] * noted
    for finding in found:
        assert finding.headline == "libvirt gives scsi:1 the model lsilogic, and scsi:0 is virtio-scsi"


def test_a_controller_without_a_model_is_one_too() -> None:
    document = domain("pc", WRITTEN.format("vmpvscsi") + "<controller type='scsi' index='1'/>")
    assert "other-model" in codes(document, "11.3")
    assert "other-model" not in codes(document, "12.9")


def test_a_pci_controller_of_a_board_without_pci() -> None:
    document = domain("raspi3b", pci("pcie-root") + pci("pcie-root-port"), arch="aarch64").replace("<acpi/>", "")
    assert "required-option" in codes(document, "11.3")
    assert codes(document, "12.9") == ["no-pci-bus"]
