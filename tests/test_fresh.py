"""The closed form of fresh guests, against the policy."""

from __future__ import annotations

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

import pcisim
from pcisim.catalogue.versions import libvirt_version
from pcisim.formats.domain_xml import read
from pcisim.placement.fresh import fresh
from tests.guests import BARE, NO_BALLOON, at, disk, disks, domain, nic, pci, video
from tests.property.strategies import VERSIONS, Drawn, drawn_guests

RULES = libvirt_version("11.3")
BALLOON = "<memballoon model='virtio'/>"
RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
PLAIN = (
    "<serial type='pty'/><console type='pty'/><input type='tablet' bus='usb'/><input type='mouse' bus='ps2'/>",
    "<graphics type='vnc'/>" + video("virtio"),
    video("vga"),
    BALLOON,
    RNG * 3,
)


def by_the_policy(text: str, version: str = "11.3") -> str | bytes | None:
    try:
        return pcisim.assign(text, libvirt=version).to_xml()
    except pcisim.PcisimError:
        return None


def is_fresh(text: str) -> bool:
    return fresh(read(text, RULES)) is not None


@pytest.mark.parametrize("version", ["9.0", "11.3"])
@pytest.mark.parametrize("plain", range(len(PLAIN)))
@pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 8, 13, 14, 15, 220, 228, 229, 230, 236, 237, 238, 239])
def test_equals_the_policy_at_every_edge(count: int, plain: int, version: str) -> None:
    """Eight ports fill a slot, and 240 (232 beside a video device) the root bus."""
    text = domain("q35", disks(count // 2), nic("virtio") * (count - count // 2), PLAIN[plain])
    expected = by_the_policy(text, version)
    if is_fresh(text):
        assert pcisim.assign_xml(text, libvirt=version) == expected
    else:
        assert expected is None


@given(
    st.lists(st.sampled_from([nic("virtio"), nic("e1000e"), RNG, *PLAIN]), max_size=30),
    st.lists(st.integers(0, 800), max_size=30, unique=True),
    VERSIONS,
)
def test_equals_the_policy_on_random_fresh_guests(others: list[str], numbers: list[int], version: str) -> None:
    """In libvirt's order, not in that of the document: disks by number, elements by kind."""
    text = domain(
        "q35",
        *others[::2],
        *(disk(n) for n in numbers),
        *others[1::2],
    )
    expected = by_the_policy(text, version)
    if expected is None:
        with pytest.raises(pcisim.PcisimError):
            pcisim.assign_xml(text, libvirt=version)
    else:
        assert pcisim.assign_xml(text, libvirt=version) == expected


@given(drawn_guests(), VERSIONS)
def test_equals_the_policy_on_random_guests(drawn: Drawn, version: str) -> None:
    """Whatever is there: what is not fresh is left to the policy."""
    expected = by_the_policy(drawn.text, version)
    if expected is None:
        reject()
    assert pcisim.assign_xml(drawn.text, libvirt=version) == expected


@pytest.mark.parametrize(
    "devices",
    [
        "",
        disks(3),
        nic("virtio") + RNG,
        video("vga") + "<graphics type='vnc'/>",
        "<serial type='pty'/><console type='pty'/>",
    ],
)
def test_these_are_fresh(devices: str) -> None:
    assert is_fresh(domain("q35", devices))


@pytest.mark.parametrize(
    "devices",
    [
        nic("e1000"),
        "<interface type='user'/>",
        pci("pcie-root-port"),
        BARE,
        NO_BALLOON,
        nic("virtio", at(0, 5)),
        "<graphics type='vnc'/>",
        video("vga") + video("qxl"),
        BALLOON * 2,
        "<channel type='pty'><target type='virtio'/></channel>",
        "<console type='pty'><target type='virtio'/></console>",
        "<sound model='ich9'/>",
        "<watchdog model='itco'/>",
        "<disk type='file'><target dev='sda' bus='sata'/></disk>",
        "<disk type='file'><target dev='vda'/></disk>",
        "<serial type='pty'><target type='pci-serial'/></serial>",
    ],
)
def test_these_are_not(devices: str) -> None:
    assert not is_fresh(domain("q35", devices))


def test_no_other_machine_is() -> None:
    assert not is_fresh(domain("pc", disks(1)))
    assert not is_fresh(domain("microvm", NO_BALLOON))
