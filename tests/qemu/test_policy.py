"""Policy qemu: the addresses that QEMU gives to ``-device`` without ``addr``."""

from __future__ import annotations

import pytest

import pcisim
from pcisim.address import PciAddress
from pcisim.errors import RefusedError
from pcisim.plan import Plan
from tests.guests import BARE, NO_BALLOON, at, disks, domain, nic, pci


def places(plan: Plan) -> dict[str, str]:
    return {label: str(address)[5:] for label, address in plan.addresses.items()}


def test_lowest_free_slots_of_the_root_bus() -> None:
    plan = pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 2, "vga": 1}), "qemu")
    assert places(plan) == {
        "usb:0": "00:01.0",
        "sata:0": "00:1f.2",
        "disk:vda": "00:02.0",
        "disk:vdb": "00:03.0",
        "video:0": "00:04.0",
        "memballoon:0": "00:05.0",
    }
    assert plan.addresses["disk:vda"] == PciAddress("00:02.0")
    assert plan.policy.describe() == "as QEMU 7.2 places -device without addr"
    plan.topology.check()


def test_written_addresses_stand_and_are_passed_over() -> None:
    plan = pcisim.assign(domain("pc", BARE, nic("e1000", at(0, 2)), nic("e1000")), "qemu")
    assert places(plan) == {"interface:0": "00:02.0", "interface:1": "00:03.0"}


def test_nothing_moves_for_an_address_that_comes_later() -> None:
    with pytest.raises(RefusedError) as refused:
        pcisim.assign(domain("pc", BARE, nic("e1000"), nic("e1000", at(0, 2))), "qemu")
    assert refused.value.parties == ("interface:1", "interface:0")


def test_functions_beside_are_not_looked_at() -> None:
    with pytest.raises(RefusedError) as refused:
        pcisim.assign(domain("pc", BARE, nic("e1000", at(0, 2, 1)), nic("e1000")), "qemu")
    assert refused.value.headline == "PCI: 2.0 indicates single function, but 2.1 is already populated."
    assert refused.value.parties == ("interface:1",)


def test_root_bus_full() -> None:
    assert len(pcisim.assign(domain("pc", BARE, disks(30)), "qemu").addresses) >= 30
    with pytest.raises(RefusedError) as refused:
        pcisim.assign(domain("pc", BARE, disks(31)), "qemu")
    assert refused.value.code == "qemu-bus-full"


def test_ports_get_slots_too_and_devices_may_be_put_behind_them() -> None:
    plan = pcisim.assign(
        domain("q35", BARE, pci("pcie-root", 0), pci("pcie-root-port", 1), nic("virtio", at(1, 0)), nic("virtio")),
        "qemu",
    )
    found = places(plan)
    assert (found["pci:1"], found["interface:0"], found["interface:1"]) == ("00:01.0", "01:00.0", "00:02.0")


def test_buses_accept_what_libvirt_would_not_put_there() -> None:
    plan = pcisim.assign(domain("q35", BARE, nic("e1000", at(0, 3))), "qemu")
    assert places(plan)["interface:0"] == "00:03.0"


def test_no_pci_bus() -> None:
    with pytest.raises(RefusedError, match="No PCI buses available"):
        pcisim.assign(domain("isapc", NO_BALLOON, nic("virtio")), "qemu")


def test_explains() -> None:
    plan = pcisim.assign(domain("pc", BARE, nic("e1000")), "qemu")
    assert str(plan.explain("interface:0")).splitlines()[1] == (
        "  0000:00:02.0 is the lowest slot whose function 0 is free"
    )
