"""Law: policy qemu gives the addresses that a real QEMU gives when none are written."""

from __future__ import annotations

import re

import pytest

import pcisim
from tests.qemu import running

pytestmark = [
    pytest.mark.qemu,
    pytest.mark.skipif(not running.is_installed(), reason=f"{running.PROGRAM} is not installed"),
]

GUESTS = [
    ("pc", {"virtio-blk": 3, "virtio-net": 2, "vga": 1}),
    ("pc", {"e1000": 4, "virtio-scsi": 2, "virtio-rng": 1}),
    ("q35", {"virtio-blk": 5, "e1000e": 1, "cirrus-vga": 1}),
    ("q35", {"virtio-blk": 26}),
    ("q35", {"rtl8139": 2, "nec-usb-xhci": 1, "virtio-serial": 2}),
]


@pytest.mark.parametrize("number", range(len(GUESTS)))
def test_addresses(number: int) -> None:
    machine, devices = GUESTS[number]
    plan = pcisim.assign(pcisim.Guest.of(machine, devices), "qemu")
    words = plan.to_qemu_args(runnable=True)
    bare = [re.sub(r",addr=[^,]+|,multifunction=[^,]+", "", word) for word in words]
    assert bare != words
    tree = running.start(bare)
    places, _, _ = running.expected(plan)
    assert tree.places == places
