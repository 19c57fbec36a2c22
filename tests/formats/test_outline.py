"""The short way from text to text, against the long one."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pcisim
from pcisim.catalogue.versions import libvirt_version
from pcisim.formats.domain_xml import read
from pcisim.formats.outline import Outline, read_outline
from pcisim.plan import short_way
from tests.guests import at, controller, disk, disks, domain, nic, pci, video
from tests.property.strategies import VERSIONS, Drawn, drawn_guests
from tests.test_fresh import FRESH, MIXED, RNG

RULES = libvirt_version("11.3")
STEPS = ["  ", "\t", "    "]
PRETTY = """<domain type='qemu'>
  <name>guest</name>
  <os>
    <type arch='x86_64' machine='MACHINE'>hvm</type>
  </os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/a'>
        <seclabel model='dac' relabel='no'/>
      </source>
      <target dev='vda' bus='virtio'/>
      <iotune>
        <total_bytes_sec>10000000</total_bytes_sec>
      </iotune>
    </disk>
    <interface type='network'>
      <mac address='52:54:00:00:00:01'/>
      <source network='default'/>
      <model type='virtio'/>
    </interface>
    <sound model='ich6'/>
    <rng model='virtio'>
      <backend model='random'>/dev/urandom</backend>
    </rng>
  </devices>
</domain>
"""


UNMOVED = {name: text for name, text in FRESH.items() if name != "the display first"}
PIECES = ["", "<", ">", "'", '"', "&amp;", "<!--", "-->", "/", " ", "\n", "x", "<x/>", "\r", "é"]


def outline(text: str | bytes) -> Outline | None:
    return read_outline(text, RULES)


def short(text: str | bytes, version: str = "11.3") -> str | bytes | None:
    return short_way(text, libvirt_version(version), None)


def long(text: str | bytes, version: str = "11.3") -> str | bytes | None:
    """Return what becomes of a document when all of it is parsed, `None` when it is refused."""
    try:
        return pcisim.assign(text, libvirt=version).to_xml()
    except pcisim.PcisimError:
        return None


def laid_out(text: str, layout: int) -> str:
    """Return a document of `domain` in one of several layouts."""
    if layout == 1:  # indented, a device a line
        head, inside = text.split("<devices>")
        return head + "  <devices>" + inside.replace("\n<", "\n    <").replace("    </", "  </")
    if layout == 2:  # a line for each tag
        lines = re.sub(">\\s*<", ">\n<", text).split("\n")
        depth, indented = 0, []
        for line in lines:
            depth -= line.startswith("</")
            indented.append("\t" * depth + line)
            depth += not (line.startswith("</") or "</" in line or line.endswith("/>") or not line)
        return "\n".join(indented)
    if layout == 3:
        return text.replace("\n", "")
    return text


LAYOUTS = [0, 1, 2, 3]


@pytest.mark.parametrize("version", ["9.0", "11.3"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("devices", UNMOVED.values(), ids=UNMOVED)
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_fresh_guests_go_the_short_way(machine: str, devices: str, layout: int, version: str) -> None:
    text = laid_out(domain(machine, devices or "<emulator>/usr/bin/qemu</emulator>"), layout)
    found, expected = short(text, version), long(text, version)
    assert found == expected
    assert found is not None


@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize("quote", ["'", '"'])
def test_what_people_write_goes_the_short_way(machine: str, quote: str) -> None:
    text = PRETTY.replace("MACHINE", machine).replace("'", quote)
    expected = long(text)
    assert expected is not None
    assert short(text) == expected
    assert short(text.encode()) == long(text.encode())
    declared = f"<?xml version='1.0' encoding='utf-8'?>\n<!-- written by hand -->\n{text}"
    assert short(declared.encode()) == long(declared.encode()) is not None


@given(
    st.sampled_from(["pc", "q35"]),
    st.lists(st.tuples(st.sampled_from(MIXED), st.sampled_from([1, 1, 2, 31])), max_size=10),
    st.lists(st.integers(0, 800), max_size=10),
    st.sampled_from(LAYOUTS),
    st.booleans(),
    VERSIONS,
)
def test_both_ways_lead_to_the_same(
    machine: str, others: list[tuple[str, int]], numbers: list[int], layout: int, double: bool, version: str
) -> None:
    texts = [text * count for text, count in others]
    text = laid_out(domain(machine, *texts[::2], *map(disk, numbers), *texts[1::2]), layout)
    if double:
        text = text.replace("'", '"')
    found = short(text, version)
    assert found is None or found == long(text, version)


@given(drawn_guests(), st.sampled_from(LAYOUTS), VERSIONS)
def test_both_ways_lead_to_the_same_for_random_guests(drawn: Drawn, layout: int, version: str) -> None:
    text = laid_out(drawn.text, layout)
    found = short(text, version)
    assert found is None or found == long(text, version)


@pytest.mark.parametrize("depth", [*range(1, 7), 100, 127, 128, 129, 250, 251, 252, 253, 254, 255, 256])
@pytest.mark.parametrize("where", ["devices", "rng", "domain"])
def test_both_ways_end_at_the_same_depth(where: str, depth: int) -> None:
    text = domain("q35", "<rng model='virtio'><backend/></rng>", disk())
    nested = "<a>" * depth + "</a>" * depth
    end = {"devices": "</devices>", "rng": "</rng>", "domain": "<devices>"}[where]
    text = text.replace(end, nested + "\n" * (where != "rng") + end)
    found, expected = short(text), long(text)
    assert found in (None, expected)
    assert expected is not None or depth > 250
    assert found is not None or depth > 3


@given(st.data(), st.sampled_from(LAYOUTS))
def test_what_is_broken_goes_the_long_way(data: st.DataObject, layout: int) -> None:
    """A few characters more or less: it is refused, or both ways lead to the same."""
    text = laid_out(domain("q35", disks(2), nic("e1000"), RNG, video("vga")), layout)
    for _ in range(data.draw(st.integers(1, 3))):
        at_ = data.draw(st.integers(0, len(text)))
        new = data.draw(
            st.sampled_from(["", "<", ">", "'", '"', "&amp;", "<!--", "-->", "/", " ", "\n", "x", "<x/>", "\r", "é"])
        )
        text = text[:at_] + new + text[at_ + data.draw(st.integers(0, 2)) :]
    found = short(text)
    assert found is None or found == long(text)


@pytest.mark.parametrize(
    "devices",
    [
        "<!-- a comment -->",
        "<rng model='virtio'>\n  <!-- a comment --><backend/>\n</rng>",
        "<rng model='virtio'>\n  <backend><?a pi?></backend>\n</rng>",
        "<![CDATA[ ]]>",
        "<?a pi?>",
        "<title>é</title>",
        "<x a='>'/>",
        "text",
        nic("e1000 "),
        nic("virtio", at(0, 40)),
        disk(0) + disk(0),
        "<disk type='file'><target dev='vda1' bus='virtio'/></disk>",
        "<disk type='file'><source file='/a'/></disk>",
        "<rng model='virtio'><acpi index='4'/></rng>",
        "</devices><devices>",
        "<a></b>",
        "<rng model='virtio' model='virtio'/>",
        controller("usb", 0, "none") * 2,
    ],
)
def test_these_go_the_long_way(devices: str) -> None:
    assert short(domain("q35", devices)) is None


@pytest.mark.parametrize(
    "devices",
    [
        "<input type='tablet' bus='us&#98;'/>",
        "<interface type='user'><model type='vir&#116;io'/></interface>",
        "<disk type='file'><disk><disk/></disk><target dev='vda' bus='virtio'/></disk>",
        "<disk type='file'><source><a><b><c/></b></a></source><target bus='virtio' dev='vda'/></disk>",
        "<disk type='file' device='lun'><target dev = 'vda' bus\t=\t'virtio'/></disk>" + disk(1),
        "<interface type='hostdev'><source><address type='pci' bus='6'/></source></interface>",
        "<x1/><y:z a='b'><_/></y:z>",
    ],
)
def test_what_is_unusual_is_read_by_itself(devices: str) -> None:
    text = domain("q35", devices)
    assert short(text) == long(text) is not None


@pytest.mark.parametrize(
    "devices",
    [
        "<rng model='virtio'></rng >",
        "<rng model='virtio'><b/></rng\n>",
        "<rng model='virtio' x='&amp;'>\n<b/>\n</rng >",
        "<rng model='virtio' x='&amp;'>\n    </rng>",
        "<rng model='virtio' x='&amp;'></rng>",
        "<sound model='ich6'\n x='1'>\n    </sound>",
        "<disk type='file'><target dev=\"vda'\" bus='virtio'/></disk>",
        "<disk type='file'><target dev='vda\"' bus='virtio'/></disk>",
        "<disk type='file'><target dev=\"vda'x\" bus='virtio'/></disk>",
        "<disk type='file'><target dev=\"vda' x\" bus='virtio'/></disk>",
        "<disk type='file'><target dev='vda&apos;' bus='virtio'/></disk>",
        "<rng model='virtio' x='&amp;'/>" * 30,
    ],
)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_odd_ends_and_quotes_are_not_misread(devices: str, layout: int) -> None:
    text = laid_out(domain("q35", devices, disk(1)), layout)
    assert short(text) in (None, long(text))


@pytest.mark.parametrize("first", ["'", '"'])
def test_quotes_are_those_near_the_place(first: str) -> None:
    """Counted by stretches of 2 KiB: where ``<devices>`` begins decides, not where it ends."""
    other = "\"'".replace(first, "")
    for padding in range(1930, 2060):
        head = f"<name a={first}{'x' * padding}{first}/>\n<os>\n<type machine={first}q35{first}>hvm</type>\n</os>\n"
        beginning = f"<domain>\n{head}" + f"<a b={first}c{first}/>\n" * 30
        devices = (nic("virtio") + "\n") * 90
        text = f"{beginning}<devices>\n{devices.replace(chr(39), other)}</devices>\n</domain>\n"
        assert short(text) == long(text) is not None


def test_long_names_are_no_trap() -> None:
    """Neither in broken documents, which are looked at before expat refuses them."""
    for text in (
        domain("q35", f"<sound {'a' * 200_000}/>"),
        domain("q35").replace("<type ", f"<type {'a' * 200_000} x='' "),
        domain("q35", f"<disk type='file'><target dev=\"vda'{'a' * 200_000}\" bus='sata'/></disk>"),
        domain("q35", "<x1/>" * 20_000),
        domain("q35", "<tpm model='tpm-tis'><acpi/></tpm>\n" * 5_000),
    ):
        begin = time.process_time()
        short(text)
        assert time.process_time() - begin < 2


def test_a_document_without_devices_has_no_outline() -> None:
    text = domain("q35")
    for other in (
        text.replace("<devices>\n\n</devices>", ""),
        text.replace("<devices>", "<devices a='b'>"),
        f"<metadata>{text}</metadata>",
        text.replace("<name>", "<!-- <devices> --><name>"),
        "",
        "<devices></devices>",
    ):
        assert outline(other) is None
    assert outline(text.encode().replace(b"<domain", b"<?xml version='1.0' encoding='cp037'?><domain")) is None


def test_what_is_alike_is_counted() -> None:
    found = outline(domain("q35", disks(3), nic("virtio") * 2, RNG, disk(9, bus="sata", prefix="sd"), video("vga")))
    assert found is not None
    assert {element: len(row) for element, row in found.counted.items() if row} == {"disk": 3, "interface": 2, "rng": 1}
    assert {element: len(row) for element, row in found.guest.devices.items() if row} == {"disk": 1, "video": 1}


def test_disks_are_counted_in_libvirts_order() -> None:
    found = outline(domain("q35", disk(30), disk(2), disk(27)))
    assert found is not None
    assert [number for _, number in found.counted["disk"]] == [1, 2, 0]


@pytest.mark.parametrize("version", ["9.0", "11.3"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_what_is_added_follows_the_listed_controllers(machine: str, layout: int, version: str) -> None:
    root = {"pc": "pci-root", "q35": "pcie-root"}[machine]
    listed = [
        "<controller type='usb' index='0' model='nec-xhci'/>",
        f"<controller type='pci' index='0' model='{root}'/>",
        "<controller type='virtio-serial' index='0'/>",
    ]
    for order in itertools.permutations([*listed, nic("e1000"), "<sound model='ich6'/>"]):
        text = laid_out(domain(machine, *order), layout)
        assert short(text, version) == long(text, version) is not None


def test_a_guest_with_ports_goes_the_long_way() -> None:
    assert short(domain("q35", pci("pcie-root-port", 1), nic("virtio"))) is None


OS = "<os><type arch='x86_64' machine='q35'>hvm</type></os>"
PLAIN_HEADS = [
    OS,
    f"{OS}<features><acpi/><apic/></features>",
    f"<metadata><a:os xmlns:a='b' id='c'/></metadata>{OS}<features/>",
    '<os firmware="efi">\n<loader/>\n<type machine="pc"  arch="i686">hvm</type><boot dev="hd"/></os>',
    "<os><type>hvm</type></os><cpu mode='custom'><feature policy='require' name='vmx'/></cpu>",
    "<os><type machine=''>hvm</type></os><on_reboot/>",
    "<os><type machine='pc-q35-9.2' arch=''>hvm</type></os><features><hyperv><relaxed state='on'/></hyperv></features>",
]
ODD_HEADS = [
    "",
    "<os/>",
    "<os><type/></os>",
    "<os></os>",
    f"{OS}{OS}",
    f"<metadata>{OS}</metadata>",
    f"<metadata><os/></metadata>{OS}",
    f"{OS}<osinfo/>",
    "<os><a><type machine='q35'>hvm</type></a></os>",
    "<os><type machine='q35'>hvm</type><type machine='pc'>hvm</type></os>",
    "<os><type machine='q&#51;5'>hvm</type></os>",
    "<os><type arch='aarch64' machine='virt'>hvm</type></os>",
    "<os><type machine='microvm'>hvm</type></os>",
    f"{OS}<features><a><acpi/></a></features>",
    f"{OS}<features><acpi/></features><features/>",
    f"{OS}<!-- <devices> -->",
    f"{OS}<![CDATA[<os>]]>",
    f"{OS}<name>a > b</name>",
    f"{OS}<devices/>",
    f"{OS}<name>&amp;&#65;</name>",
    "<a>" * 300 + "</a>" * 300 + OS,
]
PROLOGS = [
    "",
    "\n\n",
    "<?xml version='1.0'?>\n",
    "<!-- made -by- hand --><!--- -->\n",
    '<?xml version="1.0" encoding="UTF-8"?><!-- <domain> -->',
    "<?xml version='1.0' encoding='iso-8859-1'?>",
]
ODD_PROLOGS = [
    "<?xml version='1.0' encoding='utf-16'?>",
    "<?xml version='1.0' encoding='cp037'?>",
    "<?xml version='1.0' encoding='none'?>",
    " <?xml version='1.0'?>",
    "<!DOCTYPE domain>",
    "<!DOCTYPE domain [<!ENTITY a 'b'>]>",
    "<?pi?>",
    "<!-- -- -->",
    "<a/>",
    "<domain>",
    "\0",
    "x",
]


def document(head: str, prolog: str = "") -> str:
    devices = f"{disks(2)}\n{nic('virtio')}\n{nic('e1000')}\n<iommu model='virtio'/>"
    return f"{prolog}<domain type='qemu'>\n{head}\n<devices>\n{devices}\n</devices>\n</domain>\n"


@pytest.mark.parametrize("head", PLAIN_HEADS)
@pytest.mark.parametrize("prolog", PROLOGS)
def test_the_machine_is_read_from_a_plain_head(head: str, prolog: str) -> None:
    text = document(head, prolog)
    guest, expected = outline(text), read(text, RULES)
    assert guest is not None
    assert (guest.guest.machine_type, guest.guest.arch) == (expected.machine_type, expected.arch)
    assert guest.guest.acpi == expected.acpi
    for form in (text, text.encode(), text.replace("\n", "")):
        assert short(form) in (None, long(form))


@pytest.mark.parametrize("head", ODD_HEADS)
def test_no_odd_head_is_misread(head: str) -> None:
    for text in (document(head), document("").replace("</devices>", f"</devices>{head}")):
        assert short(text) in (None, long(text))
        assert short(text.encode()) in (None, long(text.encode()))


@pytest.mark.parametrize("prolog", ODD_PROLOGS)
def test_no_odd_prolog_is_misread(prolog: str) -> None:
    text = document(OS, prolog)
    assert short(text) in (None, long(text))
    assert short(text.encode()) in (None, long(text.encode()))


@given(st.lists(st.sampled_from([*PLAIN_HEADS, *ODD_HEADS]), max_size=3), st.sampled_from([*PROLOGS, *ODD_PROLOGS]))
def test_no_head_is_misread(heads: list[str], prolog: str) -> None:
    text = document("".join(heads), prolog)
    assert short(text) in (None, long(text))
    assert short(text.encode()) in (None, long(text.encode()))
