"""Drive numbers of SeaBIOS, and IOMMU groups of slots that are shared: what is found, and what is not."""

from __future__ import annotations

import pytest

import pcisim
from pcisim.diagnose import check
from tests.guests import at, disk, disks, domain, nic, pci

BOOT = "<boot order='{}'/></disk>"
ORDERED = "".join(disk(n).replace("</disk>", BOOT.format(n + 1)) for n in range(17))


def codes(xml: str) -> set[str]:
    return {finding.code for finding in check(xml)}


def boot(xml: str, *devices: str) -> str:
    return xml.replace("</type>", "</type>" + "".join(f"<boot dev='{device}'/>" for device in devices))


@pytest.mark.parametrize(
    ("xml", "is_found"),
    [
        (domain("q35", disks(40)), False),  # libvirt gives the first a boot order
        (boot(domain("q35", disks(17)), "hd"), False),
        (boot(domain("q35", disks(17), nic()), "network"), False),
        (boot(domain("q35", disks(17)), "network", "cdrom"), True),
        (boot(domain("q35", disks(17)), "network", "hd"), False),
        (boot(domain("q35", disks(16)), "network"), False),
        (domain("pc", ORDERED), True),
        (domain("pc", ORDERED.replace("<boot order='7'/>", "")), False),
        (domain("pc", ORDERED.replace("<boot order='7'/>", ""), disk(30)), False),
        (domain("pc", ORDERED).replace("<os>", "<os firmware='efi'>"), False),
    ],
)
def test_drive_numbers(xml: str, is_found: bool) -> None:
    """Firmware rule 6.2: those with a boot order have numbers, and all have where nothing has a boot order."""
    assert ("drive-numbers" in codes(xml)) == is_found


@pytest.mark.parametrize(
    ("devices", "is_found"),
    [
        ([disk(0, at(1, 0, 0, "on")), disk(1, at(1, 0, 1))], True),
        ([disk(0, at(0, 9, 0, "on")), disk(1, at(0, 9, 1))], True),
        ([nic("e1000", at(3, 1, 0, "on")), nic("e1000", at(3, 1, 1))], False),  # all behind the bridge are one group
        ([disk(0, at(1, 0)), disk(1, at(2, 0))], False),  # the ports share a slot, and have a group each
    ],
)
def test_iommu_groups(devices: list[str], is_found: bool) -> None:
    """Firmware rule 5.4: the functions of one slot share a group."""
    ports = [pci("pcie-root-port", n, at(0, 2, n - 1, "on" if n == 1 else "")) for n in (1, 2, 4)]
    bridge = pci("pcie-to-pci-bridge", 3, at(4, 0)) if not is_found else ""
    listed = [pci("pcie-root"), *ports, bridge]
    assert ("group-shared" in codes(domain("q35", *listed, *devices, "<iommu model='intel'/>"))) == is_found
    assert "group-shared" not in codes(domain("q35", *listed, *devices))


def test_packing_is_told_of_a_guest_with_an_iommu() -> None:
    plan = pcisim.assign(domain("q35", disks(9), "<iommu model='intel'/>"), "dense")
    assert "group-shared" in codes(str(plan.to_xml()))
