"""uid and fid of s390's PCI functions: the laws, and the walk that decides who comes first."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

import pcisim
from pcisim.errors import RefusedError
from pcisim.guest import Device
from pcisim.libvirt.zpci import WITHOUT, zpci_ids
from tests.guests import BARE, at, domain, nic, pci

Written = tuple[int | None, int | None] | None
few = st.integers(1, 6) | st.none()
written = st.lists(st.none() | st.tuples(few, st.integers(0, 5) | st.none()).filter(any), max_size=8)


def devices(*rows: Written) -> list[Device]:
    return [Device("interface", f"interface:{n}", zpci=row) for n, row in enumerate(rows)]


@given(written)
def test_numbers_are_unique_and_the_lowest_that_are_free(rows: list[Written]) -> None:
    """Libvirt rule 1.4: given values are reserved first; all others receive the lowest free uid (from 1) and fid
    (from 0).
    """
    made = devices(*rows)
    try:
        ids = zpci_ids(made, made)
    except RefusedError:
        reject()
    assert list(map(len, map(set, zip(*ids.values())))) in ([len(made)] * 2, [])
    for device, (uid, fid) in ids.items():
        asked = device.zpci or (None, None)
        assert asked in {(u, f) for u in (None, uid) for f in (None, fid)}
    plain = [ids[device] for device in made if device.zpci is None]
    for place, first in enumerate((1, 0)):
        numbers = [row[place] for row in plain]
        others = {row[place] for device, row in ids.items() if device.zpci is not None}
        free = (number for number in itertools.count(first) if number not in others)
        assert numbers == list(itertools.islice(free, len(numbers)))


def test_who_has_no_address_has_no_number() -> None:
    first, second = devices(None, None)
    assert zpci_ids([first, second], [second]) == {second: (1, 0)}


@pytest.mark.parametrize("element", sorted(WITHOUT))
def test_character_devices_have_no_numbers(element: str) -> None:
    port = Device(element, f"{element}:0", zpci=(1, 0))
    (other,) = devices(None)
    assert zpci_ids([port, other], [port, other]) == {other: (1, 0)}


def test_taken_numbers_are_told_in_octal() -> None:
    made = devices((16, None), (16, None))
    with pytest.raises(RefusedError, match="zPCI uid 20 is already reserved") as caught:
        zpci_ids(made, made)
    assert caught.value.details == ("interface:0 has uid='0x10'",)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("11.3", {"interface:0": (1, 0), "pci:1": (2, 1), "pci:2": (3, 2), "watchdog:0": (4, 3)}),
        ("9.0", {"interface:0": (1, 0), "pci:2": (2, 1), "watchdog:0": (3, 2)}),
    ],
)
def test_controllers_that_are_added(version: str, expected: dict[str, tuple[int, int]]) -> None:
    """Asked of both: 11.3 numbers them where controllers are walked, 9.0 not at all."""
    text = domain(
        "s390-ccw-virtio",
        BARE,
        pci("pci-bridge", 2, at(0, 9)),
        nic("e1000"),
        "<watchdog model='i6300esb' action='reset'/>",
        arch="s390x",
    )
    placement = pcisim.assign(text, libvirt=version).placement
    assert {device.label: ids for device, ids in placement.zpci.items()} == expected


def test_a_plan_written_down_stays_as_it_is() -> None:
    text = domain("", BARE, nic("virtio", "<address type='pci'><zpci fid='7'/></address>"), nic("e1000"), arch="s390x")
    once = pcisim.assign_xml(text)
    assert "<zpci fid='7' uid='0x0001'/>" in str(once)
    assert "<zpci uid='0x0002' fid='0x00000000'/>" in str(once)
    assert pcisim.assign_xml(once) == once
