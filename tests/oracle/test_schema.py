"""Laws of the generator that walks libvirt's grammar, on a grammar of a few lines. No libvirt is asked."""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.oracle.schema.documents import Document, generate
from tests.oracle.schema.grammar import START, Grammar, schemas_of
from tests.oracle.schema.patterns import matching
from tests.oracle.schema.refusals import REASONS, row_of
from tests.oracle.schema.walk import Taste, Walk

HEAD = "<grammar xmlns='http://relaxng.org/ns/structure/1.0'>"
DOMAIN = f"""{HEAD}
<include href='common.rng'/>
<define name='domain'>
  <element name='domain'>
    <interleave>
      <ref name='devices'/>
      <optional><element name='title'><text/></element></optional>
      <element name='os'><element name='type'><value>hvm</value></element></element>
      <element name='commandline' ns='urn:qemu'><element name='arg'><attribute name='value'/></element></element>
    </interleave>
  </element>
</define>
<define name='bus' combine='choice'><value>usb</value></define>
</grammar>"""
COMMON = f"""{HEAD}
<define name='bus'><notAllowed/></define>
<define name='slot'>
  <data type='int'><param name='minInclusive'>3</param><param name='maxInclusive'>5</param></data>
</define>
<define name='devices'>
  <element name='devices'>
    <oneOrMore>
      <choice>
        <element name='rng'><attribute name='slot'><ref name='slot'/></attribute><empty/></element>
        <element name='disk'>
          <element name='target'>
            <attribute name='dev'><data type='string'><param name='pattern'>(sd|vd)[a-z]+</param></data></attribute>
            <attribute name='bus'><ref name='bus'/></attribute>
          </element>
          <optional>
            <element name='boot'><attribute name='order'><data type='positiveInteger'/></attribute></element>
          </optional>
        </element>
        <group><element name='hub'><zeroOrMore><element name='port'><empty/></element></zeroOrMore></element></group>
      </choice>
    </oneOrMore>
  </element>
</define>
</grammar>"""
NEVER = {("*", "notAllowed"): 0.0}


@pytest.fixture
def grammar(tmp_path: Path) -> Grammar:
    (tmp_path / START).write_text(DOMAIN)
    (tmp_path / "common.rng").write_text(COMMON)
    return Grammar(tmp_path)


def walked(grammar: Grammar, seed: int, taste: Taste) -> ET.Element:
    return Walk(grammar, taste, random.Random(seed)).element("domain")


@pytest.mark.parametrize(
    "pattern",
    [
        r"[a-fA-F0-9]{8}\-([a-fA-F0-9]{4}\-){3}[a-fA-F0-9]{12}",
        r"(0x)?[0-1]?[0-9a-fA-F]",
        r"(25[0-5]|[1-9][0-9]|[0-9])\.0",
        r"[^/\n]+",
        r"(/|[a-zA-Z]:\\).+",
        r"[a-z.\s\-]{1,8}",
        r"a{2,}b*",
        r"",
    ],
)
def test_a_string_matches_its_pattern(pattern: str) -> None:
    rng = random.Random(pattern)
    for _ in range(200):
        assert re.fullmatch(pattern, matching(pattern, rng))


@pytest.mark.parametrize("pattern", [r"\d+", "(a", "a)"])
def test_a_pattern_that_cannot_be_sampled_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"has|cannot be read"):
        matching(pattern, random.Random(1))


def test_every_walk_gives_what_the_grammar_allows(grammar: Grammar) -> None:
    tags = set()
    for seed in range(200):
        root = walked(grammar, seed, Taste(NEVER, chance=0.5))
        assert sorted({child.tag for child in root} - {"title"}) == ["devices", "os", "{urn:qemu}commandline"]
        assert root.findtext("os/type") == "hvm"
        assert root.find("{urn:qemu}commandline/{urn:qemu}arg") is not None
        devices = list(root.iterfind("devices/*"))
        assert devices
        tags |= {device.tag for device in devices}
        assert {rng.get("slot") for rng in root.iter("rng")} <= {"3", "4", "5"}
        for target in root.iter("target"):
            assert re.fullmatch("(sd|vd)[a-z]+", target.get("dev", ""))
            assert target.get("bus") == "usb"  # the other alternative is not allowed
    assert tags == {"rng", "disk", "hub"}


def test_the_innermost_row_decides(grammar: Grammar) -> None:
    taste = Taste(
        weights={**NEVER, ("devices", "rng"): 0, ("domain", "disk"): 0, ("devices", "disk"): 1, ("*", "hub"): 0},
        chances={("devices", "rng"): 0.9, ("*", "boot"): 1, ("*", "title"): 0},
        values={"disk/target@dev": lambda rng: "vda", "slot": lambda rng: "9"},
    )
    for seed in range(50):
        root = walked(grammar, seed, taste)
        assert root.find("title") is None
        assert {device.tag for device in root.iterfind("devices/*")} == {"disk"}
        assert {target.get("dev") for target in root.iter("target")} == {"vda"}
        assert all(disk.find("boot") is not None for disk in root.iter("disk"))


def test_an_unknown_kind_of_pattern_is_refused(tmp_path: Path) -> None:
    (tmp_path / START).write_text(f"{HEAD}<define name='domain'><list/></define></grammar>")
    with pytest.raises(ValueError, match="unknown kind: list"):
        walked(Grammar(tmp_path), 1, Taste())


def test_a_seed_always_gives_the_same_document_of_any_machine(grammar: Grammar) -> None:
    documents = [generate(grammar, seed).xml() for seed in range(100)]
    assert documents == [generate(grammar, seed).xml() for seed in range(100)]
    kinds = [ET.fromstring(xml).find("os/type") for xml in documents]
    assert {None, "x86_64", "i686", "s390x", "ppc64"} <= {kind.get("arch") for kind in kinds if kind is not None}
    x86 = [ET.fromstring(generate(grammar, seed, others=False).xml()).find("os/type") for seed in range(100)]
    assert {kind.get("arch") for kind in x86 if kind is not None} == {None, "x86_64", "i686"}


def test_a_document_is_in_parts() -> None:
    base = ET.fromstring("<domain type='qemu'><name>a</name><os><type>hvm</type></os></domain>")
    parts = [
        ("devices", ET.Element("disk")),
        ("domain", ET.Element("title")),
        ("os", ET.Element("boot")),
        ("devices", ET.Element("rng")),
    ]
    document = Document(base, tuple(parts))
    without = '<domain type="qemu"><name>a</name>{}<os><type>hvm</type></os>{}</domain>'
    assert document.xml([]) == without.format("", "")
    assert document.xml([3, 0]) == without.format("", "<devices><disk /><rng /></devices>")
    everything = '<domain type="qemu"><name>a</name><title /><os><type>hvm</type><boot /></os>{}</domain>'
    assert document.xml() == everything.format("<devices><disk /><rng /></devices>")


def test_names_and_boot_orders_of_disks_are_nearly_always_unique(grammar: Grammar) -> None:
    twice = 0
    for seed in range(100):
        root = ET.fromstring(generate(grammar, seed).xml())
        names = [target.get("dev") for target in root.iter("target")]
        twice += len(names) > len(set(names))
    assert twice < 10


def test_the_grammar_is_where_its_package_installs_it() -> None:
    assert schemas_of("qemu:///system") == Path("/usr/share/libvirt/schemas")
    socket = "qemu+unix:///system?socket=/srv/trixie/run/libvirt/libvirt-sock"
    assert schemas_of(socket) == Path("/srv/trixie/usr/share/libvirt/schemas")


def test_a_refusal_is_explained_by_one_row() -> None:
    rows = [text for texts in REASONS.values() for text in texts]
    assert len(rows) == len(set(rows))
    assert row_of("unsupported configuration: cachetune is only supported for KVM domains") == "cachetune"
    assert row_of("XML error: Attempted double use of PCI Address 0000:00:04.0") is None
