"""Domain XML for a guest without one: what `Guest.of` makes reads back as the same guest, and libvirt defines it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import pcisim
from pcisim.catalogue.devices import DEVICE_MODELS, WALK
from pcisim.catalogue.versions import libvirt_version
from pcisim.errors import PcisimError
from pcisim.formats.domain.reader import read
from pcisim.formats.domain.text import render
from tests.oracle.live import URI_VARIABLES, LiveLibvirt, configured

RULES = libvirt_version("11.3")
MACHINES = ("pc", "q35")


def test_the_text() -> None:
    guest = pcisim.Guest.of("q35", {"virtio-blk": 1, "lsi": 1, "virtio-mem": 1, "vhost-user-fs": 1, "vga": 0})
    assert render(guest) == (
        "<domain type='qemu'>\n"
        "  <name>guest</name>\n"
        "  <maxMemory slots='256' unit='GiB'>1024</maxMemory>\n"
        "  <memory unit='GiB'>1</memory>\n"
        "  <memoryBacking>\n"
        "    <source type='memfd'/>\n"
        "    <access mode='shared'/>\n"
        "  </memoryBacking>\n"
        "  <vcpu>1</vcpu>\n"
        "  <os>\n"
        "    <type arch='x86_64' machine='q35'>hvm</type>\n"
        "  </os>\n"
        "  <features>\n"
        "    <acpi/>\n"
        "  </features>\n"
        "  <cpu>\n"
        "    <numa>\n"
        "      <cell id='0' cpus='0' memory='1' unit='GiB'/>\n"
        "    </numa>\n"
        "  </cpu>\n"
        "  <devices>\n"
        "    <controller type='scsi' index='0' model='lsilogic'/>\n"
        "    <disk type='file' device='disk'>\n"
        "      <source file='/disks/vda'/>\n"
        "      <target dev='vda' bus='virtio'/>\n"
        "    </disk>\n"
        "    <memory model='virtio-mem'>\n"
        "      <target>\n"
        "        <size unit='MiB'>256</size>\n"
        "        <node>0</node>\n"
        "        <block unit='MiB'>2</block>\n"
        "        <requested unit='MiB'>128</requested>\n"
        "      </target>\n"
        "    </memory>\n"
        "    <filesystem type='mount'>\n"
        "      <driver type='virtiofs'/>\n"
        "      <source dir='/shares/0'/>\n"
        "      <target dir='share0'/>\n"
        "    </filesystem>\n"
        "  </devices>\n"
        "</domain>\n"
    )


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", DEVICE_MODELS)
def test_reads_back_as_what_it_was(name: str, machine: str) -> None:
    guest = pcisim.Guest.of(machine, {name: 3})
    back = read(render(guest), RULES)
    assert (back.machine_type, back.arch, back.acpi) == (machine, "x86_64", True)
    assert [(d.element, d.label, d.plug) for d in back.all_devices()] == [
        (d.element, d.label, d.plug) for d in guest.all_devices()
    ]
    # an interface of a host device aside, the words are those of the catalogue
    assert [d.model for d in back.all_devices()] == [d.model for d in guest.all_devices()]
    assert all(d.element in WALK for d in back.all_devices())


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", DEVICE_MODELS)
@pytest.mark.parametrize("version", ["12.9", "11.3", "9.0"])
def test_is_placed_as_what_it_was(name: str, machine: str, version: str) -> None:
    guest = pcisim.Guest.of(machine, {name: 1})
    outcomes = []
    for given in (guest, render(guest)):
        try:
            outcomes.append(str(pcisim.assign(given, libvirt=version).addresses))
        except PcisimError as error:
            outcomes.append(error.headline)
    if version == "11.3":
        assert outcomes[0] == outcomes[1]
    else:  # words that 9.0 does not know are refused where they are written, and placed where they are not
        assert outcomes[0] == outcomes[1] or name in ("virtio-sound", "pvpanic", "virtio-crypto", "acpi-erst")


def test_the_machine_can_hold_anything() -> None:
    guest = pcisim.Guest.of("pc-q35-\"'&<>\n\té", {"virtio-blk": 1})
    assert read(render(guest), RULES).machine_type == guest.machine_type
    assert pcisim.assign(pcisim.assign(guest).to_xml()).placement.guest.machine_type == guest.machine_type


def test_thousands_of_devices() -> None:
    guest = pcisim.Guest.of("pc", {"virtio-blk": 848, "virtio-rng": 50})
    assert pcisim.assign(render(guest)).addresses == pcisim.assign(guest).addresses


@pytest.fixture(scope="module")
def live() -> Iterator[LiveLibvirt]:
    uri = configured("11.3")
    if not uri:
        pytest.skip(f"{URI_VARIABLES['11.3']} names no daemon")
    with LiveLibvirt(uri) as client:
        yield client


@pytest.mark.oracle
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", DEVICE_MODELS)
def test_libvirt_defines_it(name: str, machine: str, live: LiveLibvirt) -> None:
    """What it answers is what pcisim says of the guest without XML."""
    guest = pcisim.Guest.of(machine, {name: 1})
    answer = live.ask(render(guest))
    if not answer.ok:
        with pytest.raises(PcisimError) as caught:
            pcisim.assign(guest)
        assert caught.value.headline in answer.error
        return
    plan = pcisim.assign(guest)
    assert pcisim.assign(answer.xml).addresses == plan.addresses
    assert pcisim.assign(plan.to_xml()).addresses == plan.addresses


FEATURES = "  <features>\n    <acpi/>\n  </features>\n"


@pytest.mark.parametrize(
    ("device", "firmware", "features"), [("virtio-net", "", ""), ("virtio-iommu", " firmware='efi'", FEATURES)]
)
def test_other_architectures_have_acpi_where_a_device_needs_it(device: str, firmware: str, features: str) -> None:
    """libvirt 11.3 says of ARM: ACPI requires UEFI on this architecture."""
    text = render(pcisim.Guest.of("virt", {device: 1}, arch="aarch64"))
    os = f"  <os{firmware}>\n    <type arch='aarch64' machine='virt'>hvm</type>\n  </os>\n"
    assert f"{os}{features}  <devices>\n" in text
    assert "bus='0x00' slot='0x01'" in str(pcisim.assign_xml(text))
