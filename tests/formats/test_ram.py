"""The RAM of a definition, as libvirt writes it after ``-m``."""

from __future__ import annotations

import pytest

import pcisim
from pcisim.enumeration import enumerate_guest
from pcisim.formats.domain.ram import ram_of
from pcisim.formats.xml.document import parse
from pcisim.guest import NO_RAM, Ram

GIB = 1 << 30
MIB = 1 << 20
NUMA = "<cpu><numa><cell cpus='0' memory='700' unit='MiB'/></numa></cpu>"
MODULE = "<devices><memory model='dimm'><target><size unit='MiB'>512</size></target></memory></devices>"


@pytest.mark.parametrize(
    ("inside", "ram"),
    [
        ("", NO_RAM),
        ("<memory>1048576</memory>", Ram(GIB)),
        ("<memory unit='GiB'>2</memory>", Ram(2 * GIB)),
        ("<memory unit='g'> 2 </memory>", Ram(2 * GIB)),
        ("<memory unit='bytes'>1073741824</memory>", Ram(GIB)),
        ("<memory unit='MB'>1000</memory>", Ram(954 * MIB)),
        ("<memory unit='GiB'>1</memory><maxMemory slots='4' unit='GiB'>8</maxMemory>", Ram(GIB, 8 * GIB, 4)),
        (f"<memory unit='MiB'>1500</memory>{MODULE}", Ram(988 * MIB)),
        (f"<memory unit='GiB'>1</memory>{NUMA}{MODULE}", Ram(700 * MIB)),
        ("<memory>much</memory>", NO_RAM),
        ("<memory unit='furlong'>1</memory>", NO_RAM),
        ("<memory unit='GiB'>-1</memory>", NO_RAM),
    ],
)
def test_what_is_said(inside: str, ram: Ram) -> None:
    assert ram_of(parse(f"<domain type='qemu'>{inside}</domain>")) == ram


@pytest.mark.parametrize(("mebibytes", "start"), [(1024, 0x80000000), (2300, 0xC0000000)])
def test_windows_go_by_it(mebibytes: int, start: int) -> None:
    xml = (
        f"<domain type='qemu'><memory unit='MiB'>{mebibytes}</memory>"
        "<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>"
        "<devices><controller type='pci' index='1' model='pcie-root-port'/></devices></domain>"
    )
    placement = pcisim.assign(xml).placement
    assert placement.guest.ram == Ram(mebibytes * MIB)
    for ram, expected in ((None, start), (NO_RAM, 0x80000000)):
        seen = enumerate_guest(placement, "ovmf", "qemu-11.1", ram=ram)
        assert min(w.base or 0 for f in seen.functions for w in f.windows if w.kind == "memory" and w.size) == expected
