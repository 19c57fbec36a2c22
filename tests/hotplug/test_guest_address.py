"""What a running guest finds of what is plugged into it."""

from __future__ import annotations

import pcisim
from pcisim.address import GuestAddress, PciAddress
from pcisim.hotplug.guest_address import Sight, seen_when_plugged
from tests.guests import BARE, at, domain, pci

ROOT = pci("pcie-root", 0)


def sights(text: str, *addresses: str) -> list[Sight]:
    placement = pcisim.assign(text).placement
    return seen_when_plugged(placement, [PciAddress(address) for address in addresses])


def test_the_guest_keeps_the_numbers_that_it_booted_with() -> None:
    text = domain("q35", BARE, ROOT, pci("pcie-root-port", 1, at(0, 5)), pci("pcie-root-port", 2, at(0, 2)))
    assert sights(text, "01:00.0", "02:00.0") == [(GuestAddress("02:00.0"), ""), (GuestAddress("01:00.0"), "")]


def test_function_0_comes_last() -> None:
    """ "plug functions 1-7 first, function 0 last": nothing shows up before that."""
    late = "not before function 0 of slot 0x06 is plugged in: that has to come last"
    assert sights(domain("pc", BARE), "00:06.1", "00:06.0", "00:06.2") == [
        (None, late),
        (GuestAddress("00:06.0"), ""),
        (GuestAddress("00:06.2"), ""),
    ]


def test_what_is_there_already_counts() -> None:
    text = domain("pc", BARE, pci("pci-bridge", 1, at(0, 6)))
    assert sights(text, "00:06.3", "01:04.0") == [(GuestAddress("00:06.3"), ""), (GuestAddress("01:04.0"), "")]


def test_a_bus_that_the_guest_has_not() -> None:
    """The bridge is a function of a slot without function 0: nothing is ever behind it."""
    text = domain("pc", BARE, pci("pci-bridge", 1, at(0, 6, 2)))
    assert sights(text, "01:04.0") == [(None, "bus 1 is not there for the guest")]
