"""Virtio disks on few SCSI controllers."""

from __future__ import annotations

import pcisim
from pcisim.catalogue.versions import VERSIONS
from pcisim.formats.domain.text import render
from pcisim.rewrite.scsi_disks import scsi_disks
from tests.guests import domain

RULES = VERSIONS["12.9"]
DISK = "<disk type='file' device='disk'{1}><driver name='qemu'{2}/><target dev='{0}' bus='virtio'/>{3}</disk>"


def test_256_disks_share_a_controller() -> None:
    changed = scsi_disks(render(pcisim.Guest.of("q35", {"virtio-blk": 257})), RULES)
    assert (len(changed.renamed), changed.controllers, changed.kept) == (257, 2, ())
    assert isinstance(changed.text, str)
    assert changed.text.count("controller='0' bus='0' target='255' unit='0'") == 1
    assert changed.text.count("controller='1' bus='0' target='0' unit='0'") == 1
    plan = pcisim.assign(changed.text)
    assert [c.label for c in plan.placement.guest.controllers if c.type == "scsi"] == ["scsi:0", "scsi:1"]


def test_what_only_virtio_disks_have() -> None:
    xml = domain(
        "q35",
        DISK.format("vda", "", " queues='4'", "")
        + DISK.format("vdb", " model='virtio-transitional'", "", "<address type='pci'/>")
        + "<disk type='file' device='disk'><target dev='sda' bus='scsi'/></disk>",
    )
    changed = scsi_disks(xml, RULES)
    assert (changed.renamed, changed.kept) == ({"vdb": "sdb"}, ("vda",))
    assert isinstance(changed.text, str)
    assert "virtio-transitional" not in changed.text
    assert "<target dev='sdb' bus='scsi'/><address type='drive' controller='0' bus='0' target='0' unit='0'/>" in (
        changed.text
    )


def test_controllers_that_are_there_stay_as_they_are() -> None:
    xml = domain("q35", "<controller type='scsi' index='0' model='lsilogic'/>" + DISK.format("vda", "", "", ""))
    changed = scsi_disks(xml, RULES)
    assert isinstance(changed.text, str)
    assert "<controller type='scsi' index='1' model='virtio-scsi'/>" in changed.text
    assert "controller='1' bus='0' target='0'" in changed.text
