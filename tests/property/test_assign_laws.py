"""Laws of assigning as a whole: text in, text out."""

from __future__ import annotations

from random import Random
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

import pcisim
from pcisim.address import PciAddress, format_packed, parse_number
from pcisim.formats.domain.text import render
from pcisim.formats.domain.writer import address_attributes
from pcisim.guest import Guest
from tests.guests import NO_BALLOON, controller, domain
from tests.property.strategies import NUMBER_FORMS, VERSIONS, Drawn, drawn_guests, plain_guests
from tests.property.test_occupancy_laws import accepted

addresses = st.builds(
    PciAddress.of,
    st.integers(0, 255),
    st.integers(0, 31),
    st.integers(0, 7),
    st.one_of(st.just(0), st.integers(0, 0xFFFFFFFF)),
)


@given(drawn_guests(), VERSIONS)
def test_assigning_again_changes_nothing(drawn: Drawn, version: str) -> None:
    """Libvirt rule 0: "feeding the output back gives the same addresses"."""
    plan = accepted(drawn, version)
    once = plan.to_xml()
    again = pcisim.assign(once, libvirt=version)
    assert sorted(again.addresses.values()) == sorted(plan.addresses.values())
    assert again.placement.added == []
    assert again.placement.rewritten == {}
    assert again.to_xml() == once


def test_assigning_again_with_scsi_host_devices_on_lsisas1068() -> None:
    """The host devices' own addresses decide how many controllers there are: they are written."""
    source = "<source><adapter name='scsi_host0'/><address bus='0' target='0' unit='{}'/></source>"
    hostdevs = [f"<hostdev mode='subsystem' type='scsi'>{source.format(unit)}</hostdev>" for unit in range(8)]
    text = domain("pc", NO_BALLOON, controller("scsi", 0, "lsisas1068"), *hostdevs)
    once = pcisim.assign(text)
    assert [label for label in once.addresses if label.startswith("scsi:")] == ["scsi:0", "scsi:1"]
    found = ElementTree.fromstring(once.to_xml()).findall("devices/hostdev/address")
    places = [(0, 0), (0, 1), *((1, unit) for unit in range(6))]  # as libvirt 11.3 has them
    assert [address.attrib for address in found] == [
        {"type": "drive", "controller": str(index), "bus": "0", "target": "0", "unit": str(unit)}
        for index, unit in places
    ]
    again = pcisim.assign(once.to_xml())
    assert (again.addresses, again.to_xml()) == (once.addresses, once.to_xml())


@given(drawn_guests(), VERSIONS)
def test_the_output_says_what_the_plan_says(drawn: Drawn, version: str) -> None:
    """Libvirt rule 1.3: each address of the plan stands in the text, with its multifunction."""
    plan = accepted(drawn, version)
    devices = ElementTree.fromstring(plan.to_xml()).find("devices")
    assert devices is not None
    flags = {device.label: flag for device, flag in plan.placement.multifunction.items()}
    written: list[tuple[PciAddress, str | None]] = []
    for device in devices:
        address = device.find("address")
        if address is not None and address.get("type") == "pci":
            parts = {name: parse_number(address.get(name, "0")) or 0 for name in ("bus", "slot", "function", "domain")}
            if parts["bus"] or parts["slot"]:
                written.append((PciAddress.of(**parts), address.get("multifunction")))
    expected = [(address, flags.get(label)) for label, address in plan.addresses.items()]
    assert sorted(written, key=str) == sorted(expected, key=str)


@given(drawn_guests(), VERSIONS, st.randoms(use_true_random=False))
def test_the_order_of_kinds_does_not_matter(drawn: Drawn, version: str, random: Random) -> None:
    """Libvirt rule 0: "Kinds are independent; the relative order of different kinds in the document is irrelevant"."""
    plan = accepted(drawn, version)
    shuffled = pcisim.assign(drawn.shuffled(random), libvirt=version)
    assert shuffled.addresses == plan.addresses
    assert {d.label: flag for d, flag in shuffled.placement.multifunction.items()} == {
        d.label: flag for d, flag in plan.placement.multifunction.items()
    }


@given(drawn_guests(), VERSIONS)
def test_the_same_guest_gets_the_same_plan(drawn: Drawn, version: str) -> None:
    """Libvirt rule 0: "The whole thing is deterministic"; and str or bytes makes no difference."""
    plan = accepted(drawn, version)
    other = pcisim.assign(drawn.text.encode(), libvirt=version)
    assert other.to_json() == plan.to_json()
    assert other.to_xml() == str(plan.to_xml()).encode()


@given(drawn_guests())
def test_placing_leaves_the_guest_as_it_was(drawn: Drawn) -> None:
    """Design, section 2: "each step a pure function of the one before"."""
    plan = accepted(drawn, "12.9")
    first = plan.to_json()
    again = pcisim.assign(plan.source)
    assert again.to_json() == first
    assert all(device.address is None for device in plan.placement.guest.all_devices() if device.origin is None)


@given(plain_guests(most=12))
def test_a_guest_without_xml_is_its_xml(plain: tuple[str, dict[str, int]]) -> None:
    """Design, section 5: `Guest.of` describes what its XML would describe; what is refused is so in both."""

    def outcome(guest: Guest | str) -> dict[str, PciAddress] | str:
        try:
            return pcisim.assign(guest).addresses
        except pcisim.PcisimError as error:
            return error.code

    assert outcome(render(Guest.of(*plain))) == outcome(Guest.of(*plain))


@given(addresses)
def test_text_of_an_address_is_read_back(address: PciAddress) -> None:
    """Design, section 4: "`str` round-trips; `repr` evaluates"."""
    assert PciAddress(str(address)) == address
    assert eval(repr(address), {"PciAddress": PciAddress}) == address
    assert PciAddress.from_int(int(address)) == address
    assert hash(PciAddress(str(address))) == hash(address)
    assert format_packed(int(address)) == str(address)


@given(addresses)
def test_attributes_of_an_address_are_read_back(address: PciAddress) -> None:
    """Libvirt rules 1.1 and 1.3: what is printed is parsed to the same numbers."""
    attributes = address_attributes(int(address))
    assert {name: parse_number(value) for name, value in attributes.items() if name != "type"} == {
        "domain": address.domain,
        "bus": address.bus,
        "slot": address.slot,
        "function": address.function,
    }


@given(addresses, addresses)
def test_addresses_are_ordered_by_their_parts(one: PciAddress, other: PciAddress) -> None:
    """Domain before bus before slot before function."""
    parts = [(a.domain, a.bus, a.slot, a.function) for a in (one, other)]
    assert (one < other) == (parts[0] < parts[1])
    assert (one <= other) == (parts[0] <= parts[1])
    assert (one > other) == (parts[0] > parts[1])
    assert (one >= other) == (parts[0] >= parts[1])
    assert (one == other) == (parts[0] == parts[1])


@given(st.integers(0, 0xFFFFFFFF), st.sampled_from(NUMBER_FORMS))
def test_numbers_are_read_in_every_form(value: int, form: str) -> None:
    """Libvirt rule 1.1: C style, automatic base."""
    assert parse_number(form.format(value)) == value
