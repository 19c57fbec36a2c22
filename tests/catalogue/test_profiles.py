"""Profiles: which QEMU and firmware go together, and how another one is asked for."""

from __future__ import annotations

import pytest

import pcisim
from pcisim.catalogue.profiles import DEFAULT_PROFILE, FIRMWARES, OVMFS, PROFILES, SEABIOSES, profile_of
from pcisim.catalogue.versions import DEFAULT_VERSION, VERSIONS, libvirt_version
from pcisim.errors import UsageError


def test_every_libvirt_has_the_profile_of_its_distribution() -> None:
    assert {row.version: str(row.profile) for row in VERSIONS.values()} == {
        "9.0": "qemu-7.2",
        "11.3": "qemu-10.0",
        "12.9": "qemu-11.1",
    }
    assert {row.name: [row.firmware_name(f) for f in FIRMWARES] for row in PROFILES.values()} == {
        "qemu-7.2": ["qemu-7.2/seabios-1.16.2", "qemu-7.2/ovmf-2022.11"],
        "qemu-10.0": ["qemu-10.0/seabios-1.16.3", "qemu-10.0/ovmf-2025.02"],
        "qemu-11.1": ["qemu-11.1/seabios-1.17", "qemu-11.1/ovmf-2025.02"],
    }
    assert VERSIONS[DEFAULT_VERSION].profile is DEFAULT_PROFILE
    assert libvirt_version("9.5").profile is PROFILES["qemu-7.2"]


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("seabios", [None, *SEABIOSES])
@pytest.mark.parametrize("ovmf", [None, *OVMFS])
def test_the_word_of_a_profile_names_it(name: str, seabios: str | None, ovmf: str | None) -> None:
    profile = profile_of(name, seabios=seabios, ovmf=ovmf)
    assert profile_of(str(profile)) == profile == profile_of(profile)
    assert profile.seabios is (PROFILES[name].seabios if seabios is None else SEABIOSES[seabios])
    assert profile.ovmf is (PROFILES[name].ovmf if ovmf is None else OVMFS[ovmf])


@pytest.mark.parametrize(
    ("word", "allowed"),
    [
        ("qemu-8.0", "qemu-7.2, qemu-10.0, qemu-11.1"),
        ("", "qemu-7.2, qemu-10.0, qemu-11.1"),
        ("qemu-10.0:ovmf=2023.05", "2022.11, 2025.02, 2026.08"),
        ("qemu-10.0:seabios=2", "1.16.2, 1.16.3, 1.17"),
        ("qemu-10.0:kernel=6.1", "qemu-10.0:ovmf=2025.02"),
    ],
)
def test_a_wrong_word_is_refused_with_what_is_allowed(word: str, allowed: str) -> None:
    with pytest.raises(UsageError) as caught:
        pcisim.assign(pcisim.Guest.of("q35", {}), profile=word)
    assert caught.value.exit_status == 2
    assert allowed in caught.value.remedy


def test_the_profile_goes_with_the_plan() -> None:
    plan = pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 1}), libvirt="9.0", profile="qemu-10.0:ovmf=2026.08")
    assert plan.to_json()["profile"] == "qemu-10.0:ovmf=2026.08"
    assert pcisim.enumerate_guest(plan.placement, "ovmf").profile == "qemu-10.0/ovmf-2026.08"
    assert pcisim.enumerate_guest(plan.placement, "ovmf", "qemu-7.2").profile == "qemu-7.2/ovmf-2022.11"
