"""`scan_shape`: what it passes over, what it notes, and what it leaves to be read."""

from __future__ import annotations

import pytest

from pcisim.fleet.survey.shapes import scan_shape
from tests.guests import disk, domain, nic

GUEST = domain("q35", nic(), disk(), "<console type='pty' tty='/dev/pts/1'><target type='virtio'/></console>")


def notes(text: str) -> str:
    skimmed = scan_shape(text.encode())
    assert skimmed is not None
    return skimmed.notes


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<name>guest</name>", "<name>another &amp; longer</name>\n\n<uuid>1</uuid><title>t</title>"),
        ("<domain type='qemu'>", "<domain type='kvm' id='7'>"),
        ("<source file='/vda'/>", "<source dev='/x'><address type='pci' slot='9'/></source>"),
        ("<model type='virtio'/>", "<mac address='1'/><target dev='vnet7'/><model type='virtio'/><alias name='net0'/>"),
        ("tty='/dev/pts/1'", "tty='/dev/pts/2'"),
        ("<devices>", "<!-- note --><devices>"),
        ("<memory unit='MiB'>64</memory>", "<metadata><a:b xmlns:a='x'><devices/></a:b></metadata>"),
        ("'", '"'),
    ],
)
def test_passed_over(old: str, new: str) -> None:
    assert old in GUEST
    assert notes(GUEST.replace(old, new)) == notes(GUEST)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("machine='q35'", "machine='pc'"),
        ("arch='x86_64'", "arch='i686'"),
        ("<os>", "<os><loader type='pflash'/>"),
        ("<os>", "<os firmware='efi'>"),
        ("<acpi/>", ""),
        ("<features>", "<cpu><numa><cell id='0'/></numa></cpu><features>"),
        ("dev='vda'", "dev='vdb'"),
        ("<model type='virtio'/>", "<model type='e1000'/>"),
        ("<model type='virtio'/>", "<model type='virtio'/><address type='pci' slot='7'/>"),
        ("<model type='virtio'/>", "<model type='virtio'/><acpi index='1'/>"),
        ("<target type='virtio'/>", "<target type='serial'/>"),
        ("<devices>", "<devices><graphics type='vnc'/>"),
        ("<devices>", "<devices><hub type='usb'/>"),
        ("<os>", "<os><boot dev='hd'/>"),
        ("<os>", "<iothreads>2</iothreads><os>"),
        ("<os>", "<iothreadids><iothread id='3'/></iothreadids><os>"),
        ("<os>", "<maxMemory slots='4'>9</maxMemory><os>"),
        ("<os>", "<memoryBacking><access mode='shared'/></memoryBacking><os>"),
        ("<target dev='vda'", "<boot order='1'/><target dev='vda'"),
        ("<target dev='vda'", "<driver iothread='1'/><target dev='vda'"),
        ("<devices>", "<devices><controller type='pci' index='1' model='pcie-root-port'/>"),
    ],
)
def test_noted(old: str, new: str) -> None:
    assert old in GUEST
    assert notes(GUEST.replace(old, new, 1)) != notes(GUEST)


def test_numa_node_of_a_controller() -> None:
    port = "<controller type='pci' index='1' model='pcie-expander-bus'><target>{}</target></controller>"
    first, second, same = (
        notes(domain("q35", port.format(n))) for n in ("<node>0</node>", "<node>1</node>", "<node>0</node>")
    )
    assert first == same != second
    assert notes(domain("q35", port.format("<node a='x'>0</node>"))) == first


def hosts(*addresses: str) -> str:
    """Return what is noted of a guest with devices of the host."""
    hostdev = "<hostdev mode='subsystem' type='pci'><source><address {}/></source></hostdev>"
    return notes(domain("q35", *map(hostdev.format, addresses)))


def test_of_devices_of_the_host_nothing_matters_but_whether_they_are_one() -> None:
    assert hosts("bus='6'", "bus='0x07'") == hosts("bus='0x41'", "bus='3'")
    assert hosts("bus='6'", "bus='0x06'") == hosts("bus='9'", "bus='9'")
    assert hosts("bus='6'", "bus='7'") != hosts("bus='6'", "bus='6'")


def test_of_mediated_devices_too() -> None:
    mdev = "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='{}'/></source></hostdev>"

    def noted(*uuids: str) -> str:
        return notes(domain("q35", *map(mdev.format, uuids)))

    one, same = "470ea4b5-0f16-4df7-aff2-4fb4cec610c7", "470EA4B50f164df7aff24fb4cec610c7"
    other = one.replace("c7", "c8")
    assert noted(one, other) == noted(other, one)
    assert noted(one, same) == noted(other, other) != noted(one, other)


def test_an_alias_matters_when_it_is_there_twice() -> None:
    first, second = (f"<sound model='ich6'><alias name='{name}'/></sound>" for name in ("ua-a", "ua-b"))
    assert notes(domain("q35", first, second)) == notes(domain("q35", second, first))
    assert scan_shape(domain("q35", first, first).encode()) is None


def test_what_an_odd_address_is_compared_with_is_read() -> None:
    hostdev = "<hostdev mode='subsystem' type='pci'><source><address bus='{}'/></source></hostdev>"
    assert scan_shape(domain("q35", hostdev.format("006")).encode()) is not None
    assert scan_shape(domain("q35", hostdev.format("006"), hostdev.format("6")).encode()) is None


def test_attributes_are_no_elements() -> None:
    inside = domain("q35", "<interface><model type='virtio'/><address type='pci'/></interface>")
    beside = domain("q35", "<interface><model type='virtio' address='type' pci=''/></interface>")
    assert notes(inside) != notes(beside)


def test_name() -> None:
    for written, name in (("a", "a"), ("a&lt;b<!-- -->c", "a<bc"), ("<![CDATA[x]]>", "x"), ("", "")):
        skimmed = scan_shape(GUEST.replace(">guest<", f">{written}<").encode())
        assert skimmed is not None
        assert skimmed.name == name


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<domain>",
        b"<network/>",
        b"<!DOCTYPE domain><domain/>",
        b"<domain>\0</domain>",
        b"<domain><x>\xff</x></domain>",
        b"<?xml version='1.0' encoding='none'?><domain/>",
        "<domain/>".encode("utf-16"),
        b"<domain><name>a</name><name>b</name></domain>",
        b"<domain><name>a<b/></name></domain>",
        b"<domain>" + b"<a>" * 256 + b"</a>" * 256 + b"</domain>",
        domain("q35", "<controller><target><node>0<x/></node></target></controller>").encode(),
    ],
)
def test_left_to_be_read(data: bytes) -> None:
    assert scan_shape(data) is None


def test_keys_are_short_and_differ() -> None:
    one, two = scan_shape(GUEST.encode()), scan_shape(GUEST.replace("vda", "vdb").encode())
    assert one is not None
    assert two is not None
    assert len(one.key) == 32
    assert one.key != two.key
