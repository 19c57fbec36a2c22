"""Laws of the tools around the live oracle. No libvirt is asked."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.oracle.facts import about_pci, differences, facts
from tests.oracle.live import as_ours
from tests.oracle.shrink import shrink

ADDRESSED = """
<domain type='kvm'>
  <name>a</name>
  <devices>
    <disk><target dev='vda' bus='virtio'/><address type='pci' bus='0x01' slot='010' function='0x0'/></disk>
    <controller type='pci' index='010' model='pcie-root-port'>
      <model name='pcie-root-port'/>
      <target chassis='1' port='0x10'><node>1</node></target>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x1' multifunction='on'/>
    </controller>
    <controller type='usb' index='0' model='ich9-uhci1'><address type='pci' slot='0x1d'/></controller>
    <input type='mouse' bus='ps2'/>
    <video><model type='vga'/><address type='pci'/></video>
    <hostdev type='pci'><address type='pci' slot='0x04'><zpci uid='0x0019' fid='037'/></address></hostdev>
  </devices>
</domain>
"""


def test_facts_are_numbers_whatever_their_base() -> None:
    found = facts(ADDRESSED)
    assert found["disk:vda"] == {"model": "virtio", "address": "0000:01:08.0"}
    assert found["pci:10"] == {
        "model": "pcie-root-port",
        "name": "pcie-root-port",
        "target": {"chassis": 1, "port": 16},
        "node": 1,
        "address": "0000:00:02.1",
        "multifunction": "on",
    }
    assert found["video:0"]["address"] == "?"
    assert found["hostdev:0"]["zpci"] == {"uid": 25, "fid": 31}
    assert list(found) == ["disk:vda", "pci:10", "usb:0:ich9-uhci1", "video:0", "hostdev:0"]


def test_differences_name_what_differs() -> None:
    left = facts(ADDRESSED)
    right = facts(
        ADDRESSED.replace("slot='010'", "slot='9'").replace("<video>", "<graphics>").replace("</video>", "</graphics>")
    )
    assert differences(left, left) == []
    assert [line.split(":")[0] for line in differences(left, right)] == ["disk", "video", "graphics"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("XML error: Attempted double use of PCI Address 0000:00:04.0", True),
        ("No master USB controller specified", True),
        ("unsupported configuration: unknown machine type 'pc-99'", False),
    ],
)
def test_about_pci(error: str, expected: bool) -> None:
    assert about_pci(error) is expected


def test_as_ours_leaves_no_name_of_the_users() -> None:
    root = ET.fromstring(as_ours(ADDRESSED, "ours"))
    assert [child.text for child in root.iterfind("name")] == ["ours"]
    assert len(root.findall("uuid")) == 1
    assert root.get("type") == "qemu"
    assert as_ours("<domain", "ours") == "<domain"
    assert as_ours("<network><name>a</name></network>", "ours") == "<network><name>a</name></network>"


def test_shrink_keeps_only_what_matters() -> None:
    devices = "".join(f"<disk number='{n}'><a/><b/></disk>" for n in range(20))
    small = shrink(
        f"<domain><x/><devices>{devices}</devices></domain>",
        lambda xml: 'number="7"' in xml and 'number="13"' in xml and "<b" in xml,
    )
    root = ET.fromstring(small)
    assert [disk.get("number") for disk in root.iterfind("devices/disk")] == ["7", "13"]
    assert len(list(root.iter("b"))) == 1
    assert root.find("x") is None
