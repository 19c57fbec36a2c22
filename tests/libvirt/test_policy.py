"""Placement as libvirt 11.3 does it: exact tables of addresses, each verified against the live daemon.

The names E1 to E10 are those of the rules' worked examples (section 10).
"""

from __future__ import annotations

import pytest

import pcisim
from pcisim.catalogue import connectors
from pcisim.catalogue.versions import libvirt_version
from pcisim.guest import Guest, disk_target
from pcisim.libvirt.completion import complete
from pcisim.libvirt.policy import LibvirtPolicy
from tests.guests import (
    BARE,
    NO_BALLOON,
    NO_USB,
    at,
    completed,
    controller,
    disk,
    disks,
    domain,
    ich9,
    lines,
    nic,
    pci,
    placed,
    refused,
    table,
    video,
)

RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
ICH6, ICH9_SOUND = "<sound model='ich6'/>", "<sound model='ich9'/>"
CDROM = "<disk type='file' device='cdrom'><target dev='hda' bus='ide'/></disk>"
CHANNEL = "<channel type='pty'><target type='virtio' name='c'/></channel>"
WATCHDOG = "<watchdog model='i6300esb'/>"

# --- cases

# fmt: off
EXAMPLES: list[tuple[str, str, list[str], str]] = [
    # section 10
    ("E1-pc-empty", "pc", [], """
        00:01.2 usb:0
        00:02.0 memballoon:0
    """),
    ("E2-q35-empty", "q35", [], """
        00:01.0* pci:1 pcie-root-port
        00:01.1 pci:2 pcie-root-port
        00:01.2 pci:3 pcie-root-port
        00:1f.2 sata:0
        01:00.0 usb:0
        02:00.0 memballoon:0
    """),
    ("E2-q35-bare-has-no-port", "q35", [BARE], """
        00:1f.2 sata:0
    """),
    ("E2-one-disk-and-the-spare", "q35", [BARE, disk()], """
        00:01.0* pci:1 pcie-root-port
        00:01.1 pci:2 pcie-root-port
        00:1f.2 sata:0
        01:00.0 disk:vda
    """),
    (
        "E3-pc-one-of-many",
        "pc",
        [
            nic("virtio"), nic("e1000"), ICH6, video("vga"), controller("scsi", 0, "virtio-scsi"), CHANNEL, disk(0),
            disk(1), CDROM, RNG, WATCHDOG,
        ],
        """
        00:01.1 ide:0
        00:01.2 usb:0
        00:02.0 video:0
        00:03.0 interface:0
        00:04.0 interface:1
        00:05.0 sound:0
        00:06.0 scsi:0
        00:07.0 virtio-serial:0
        00:08.0 disk:vda
        00:09.0 disk:vdb
        00:0a.0 memballoon:0
        00:0b.0 rng:0
        00:0c.0 watchdog:0
    """
    ),
    (
        "E4-q35-bridge-shifts-the-ports",
        "q35",
        [nic("virtio"), nic("e1000"), ICH9_SOUND, video("vga"), controller("scsi", 0, "virtio-scsi"), disk(0), RNG],
        """
        00:01.0 video:0
        00:02.0* pci:1 pcie-root-port
        00:02.1 pci:2 pcie-root-port
        00:02.2 pci:4 pcie-root-port
        00:02.3 pci:5 pcie-root-port
        00:02.4 pci:6 pcie-root-port
        00:02.5 pci:7 pcie-root-port
        00:02.6 pci:8 pcie-root-port
        00:02.7 pci:9 pcie-root-port
        00:1b.0 sound:0
        00:1f.2 sata:0
        01:00.0 pci:3 pcie-to-pci-bridge
        02:00.0 interface:0
        03:01.0 interface:1
        04:00.0 scsi:0
        05:00.0 usb:0
        06:00.0 disk:vda
        07:00.0 memballoon:0
        08:00.0 rng:0
    """
    ),
    ("E6-pc-ich9", "pc", [ich9(0), nic()], """
        00:02.0 interface:0
        00:03.0* usb:0:ich9-uhci1
        00:03.1 usb:0:ich9-uhci2
        00:03.2 usb:0:ich9-uhci3
        00:03.7 usb:0:ich9-ehci1
        00:04.0 memballoon:0
    """),
    ("E6-q35-three-ich9-sets", "q35", [ich9(0), ich9(1), ich9(2)], """
        00:01.0* pci:1 pcie-root-port
        00:01.1 pci:3 pcie-root-port
        00:01.2 pci:4 pcie-root-port
        00:1a.0* usb:1:ich9-uhci1
        00:1a.1 usb:1:ich9-uhci2
        00:1a.2 usb:1:ich9-uhci3
        00:1a.7 usb:1:ich9-ehci1
        00:1d.0* usb:0:ich9-uhci1
        00:1d.1 usb:0:ich9-uhci2
        00:1d.2 usb:0:ich9-uhci3
        00:1d.7 usb:0:ich9-ehci1
        00:1f.2 sata:0
        01:00.0 pci:2 pcie-to-pci-bridge
        02:01.0* usb:2:ich9-uhci1
        02:01.1 usb:2:ich9-uhci2
        02:01.2 usb:2:ich9-uhci3
        02:01.7 usb:2:ich9-ehci1
        03:00.0 memballoon:0
    """),
    (
        "E7-switch-unindexed",
        "q35",
        [
            BARE, pci("pcie-root"), pci("pcie-root-port"), pci("pcie-switch-upstream-port"),
            pci("pcie-switch-downstream-port"), pci("pcie-switch-downstream-port"), nic(), nic("e1000e"),
        ],
        """
        00:01.0 pci:1 pcie-root-port
        00:1f.2 sata:0
        01:00.0 pci:2 pcie-switch-upstream-port
        02:00.0 pci:3 pcie-switch-downstream-port
        02:01.0 pci:4 pcie-switch-downstream-port
        03:00.0 interface:0
        04:00.0 interface:1
    """
    ),
    ("E8-bridge-first", "q35", [BARE, nic("virtio", at(2, 0)), nic("e1000"), nic("virtio")], """
        00:01.0* pci:1 pcie-root-port
        00:01.1 pci:2 pcie-root-port
        00:01.2 pci:3 pcie-root-port
        00:01.3 pci:5 pcie-root-port
        00:1f.2 sata:0
        01:00.0 pci:4 pcie-to-pci-bridge
        02:00.0 interface:0
        03:00.0 interface:2
        04:01.0 interface:1
    """),
    ("E9-bus-moves-up", "q35", [nic("e1000", at(1, 1))], """
        00:01.0* pci:1 pcie-root-port
        00:01.1 pci:3 pcie-root-port
        00:01.2 pci:4 pcie-root-port
        00:01.3 pci:5 pcie-root-port
        00:1f.2 sata:0
        01:00.0 pci:2 pcie-to-pci-bridge
        02:01.0 interface:0
        03:00.0 usb:0
        04:00.0 memballoon:0
    """),
    ("E9-dmi", "q35", [pci("dmi-to-pci-bridge", 1), nic("e1000")], """
        00:01.0* pci:3 pcie-root-port
        00:01.1 pci:4 pcie-root-port
        00:1e.0 pci:1 dmi-to-pci-bridge
        00:1f.2 sata:0
        01:00.0 pci:2 pci-bridge
        02:01.0 interface:0
        03:00.0 usb:0
        04:00.0 memballoon:0
    """),
    (
        "E10-expanders",
        "q35",
        [pci("pcie-expander-bus", 1), pci("pcie-expander-bus", 2), pci("pcie-root-port", 3, at(1, 0))],
        """
        00:01.0 pci:1 pcie-expander-bus
        00:02.0 pci:2 pcie-expander-bus
        00:03.0 pci:4 pcie-root-port
        00:1f.2 sata:0
        01:00.0 pci:3 pcie-root-port
        03:00.0 usb:0
        04:00.0 memballoon:0
    """
    ),
    # 6.6: growth and the bus increment
    ("bus-two-stays", "q35", [BARE, nic("e1000", at(2, 1))], """
        00:01.0* pci:1 pcie-root-port
        00:01.1 pci:3 pcie-root-port
        00:1f.2 sata:0
        01:00.0 pci:2 pcie-to-pci-bridge
        02:01.0 interface:0
    """),
    ("bus-three-gets-a-bridge-before", "q35", [BARE, nic("e1000", at(3, 1))], """
        00:01.0* pci:1 pcie-root-port
        00:01.1 pci:4 pcie-root-port
        00:1f.2 sata:0
        01:00.0 pci:2 pcie-to-pci-bridge
        02:01.0 pci:3 pci-bridge
        03:01.0 interface:0
    """),
    ("two-cards-meet-on-bus-two", "q35", [BARE, nic("e1000", at(1, 1)), nic("e1000", at(2, 2))], """
        00:01.0* pci:1 pcie-root-port
        00:01.1 pci:3 pcie-root-port
        00:1f.2 sata:0
        01:00.0 pci:2 pcie-to-pci-bridge
        02:01.0 interface:0
        02:02.0 interface:1
    """),
    ("express-first-then-conventional", "q35", [BARE, nic("virtio", at(1, 0)), nic("e1000", at(2, 1))], """
        00:01.0* pci:1 pcie-root-port
        00:01.1 pci:2 pcie-root-port
        00:01.2 pci:4 pcie-root-port
        00:1f.2 sata:0
        01:00.0 interface:0
        02:00.0 pci:3 pcie-to-pci-bridge
        03:01.0 interface:1
    """),
    ("express-on-bus-three", "q35", [BARE, nic("virtio", at(3, 0))], """
        00:01.0* pci:1 pcie-root-port
        00:01.1 pci:2 pcie-root-port
        00:01.2 pci:3 pcie-root-port
        00:1f.2 sata:0
        03:00.0 interface:0
    """),
    ("pc-bus-three", "pc", [BARE, nic("virtio", at(3, 1))], """
        00:02.0 pci:1 pci-bridge
        00:03.0 pci:2 pci-bridge
        00:04.0 pci:3 pci-bridge
        03:01.0 interface:0
    """),
    # 6.6: the spare port
    ("gap-ports-are-the-spare", "q35", [BARE, pci("pcie-root-port", 3), nic()], """
        00:01.0* pci:1 pcie-root-port
        00:01.1 pci:2 pcie-root-port
        00:01.2 pci:3 pcie-root-port
        00:1f.2 sata:0
        01:00.0 interface:0
    """),
    ("no-spare-where-ports-are-listed", "q35", [BARE, pci("pcie-root-port", 1), nic(), nic()], """
        00:01.0* pci:1 pcie-root-port
        00:01.1 pci:2 pcie-root-port
        00:1f.2 sata:0
        01:00.0 interface:0
        02:00.0 interface:1
    """),
    ("no-spare-where-nothing-was-added", "q35", [BARE, nic("virtio", at(0, 3))], """
        00:03.0 interface:0
        00:1f.2 sata:0
    """),
    ("gaps-come-before-the-listed-port", "q35", [BARE, pci("pcie-root-port", 5)], """
        00:01.0* pci:1 pcie-root-port
        00:01.1 pci:2 pcie-root-port
        00:01.2 pci:3 pcie-root-port
        00:01.3 pci:4 pcie-root-port
        00:01.4 pci:5 pcie-root-port
        00:1f.2 sata:0
    """),
    ("gaps-of-pc-are-bridges", "pc", [BARE, pci("pci-bridge", 3), nic()], """
        00:02.0 pci:1 pci-bridge
        00:03.0 pci:2 pci-bridge
        00:04.0 pci:3 pci-bridge
        00:05.0 interface:0
    """),
    # 6.3 and 6.5: packing
    ("nine-ports-take-two-slots", "q35", [BARE, pci("pcie-root"), *[pci("pcie-root-port")] * 9], """
        00:01.0* pci:1 pcie-root-port
        00:01.1 pci:2 pcie-root-port
        00:01.2 pci:3 pcie-root-port
        00:01.3 pci:4 pcie-root-port
        00:01.4 pci:5 pcie-root-port
        00:01.5 pci:6 pcie-root-port
        00:01.6 pci:7 pcie-root-port
        00:01.7 pci:8 pcie-root-port
        00:02.0 pci:9 pcie-root-port
        00:1f.2 sata:0
    """),
    (
        "ports-join-a-written-port",
        "q35",
        [BARE, video("vga"), pci("pcie-root-port", 1, at(0, 2, 3)), pci("pcie-root-port", 2), pci("pcie-root-port", 3)],
        """
        00:01.0 video:0
        00:02.0* pci:2 pcie-root-port
        00:02.1 pci:3 pcie-root-port
        00:02.3 pci:1 pcie-root-port
        00:1f.2 sata:0
    """
    ),
    (
        "ports-do-not-join-an-endpoint",
        "q35",
        [BARE, nic("virtio", at(0, 1)), pci("pcie-root-port", 1, at(0, 1, 1)), pci("pcie-root-port", 2)],
        """
        00:01.0* interface:0
        00:01.1 pci:1 pcie-root-port
        00:02.0 pci:2 pcie-root-port
        00:1f.2 sata:0
    """
    ),
    (
        "ports-jump-over-written-functions",
        "q35",
        [
            BARE, pci("pcie-root-port", 1, at(0, 1)), nic("virtio", at(0, 1, 1)), pci("pcie-root-port", 2),
            nic("virtio", at(0, 1, 3)), pci("pcie-root-port", 3),
        ],
        """
        00:01.0* pci:1 pcie-root-port
        00:01.1 interface:0
        00:01.3 interface:1
        00:02.0* pci:2 pcie-root-port
        00:02.1 pci:3 pcie-root-port
        00:1f.2 sata:0
    """
    ),
    (
        "off-is-respected",
        "q35",
        [BARE, pci("pcie-root-port", 1, at(0, 1, 0, "off")), pci("pcie-root-port", 2)],
        """
        00:01.0! pci:1 pcie-root-port
        00:01.1 pci:2 pcie-root-port
        00:1f.2 sata:0
    """
    ),
    ("hotplug-off-does-not-matter", "q35", [BARE, pci("pcie-root-port", 1, "<target hotplug='off'/>"), disk()], """
        00:01.0 pci:1 pcie-root-port
        00:1f.2 sata:0
        01:00.0 disk:vda
    """),
    (
        "holes-are-filled-lowest-first",
        "pc",
        [BARE, nic("virtio", at(0, 4)), nic("virtio", at(0, 2)), disk(0), disk(1)],
        """
        00:02.0 interface:1
        00:03.0 disk:vda
        00:04.0 interface:0
        00:05.0 disk:vdb
    """
    ),
    # 7.1
    ("a-lone-function", "pc", [BARE, nic("virtio", at(0, 5, 1))], """
        00:05.1 interface:0
    """),
    ("function-zero-is-marked", "pc", [BARE, nic("virtio", at(0, 5, 1)), nic("e1000", at(0, 5, 0))], """
        00:05.0* interface:1
        00:05.1 interface:0
    """),
    # 4.3, i440fx
    ("primary-video-has-slot-two", "pc", [BARE, disk(), video("vga"), video("qxl")], """
        00:02.0 video:0
        00:03.0 disk:vda
        00:04.0 video:1
    """),
    ("primary-video-with-slot-two-taken", "pc", [BARE, nic("virtio", at(0, 2)), disk(), video("vga")], """
        00:02.0 interface:0
        00:03.0 video:0
        00:04.0 disk:vda
    """),
    ("primary-video-is-the-marked-one", "pc", [BARE, video("qxl"), video("virtio", primary=True)], """
        00:02.0 video:0
        00:03.0 video:1
    """),
    ("written-video-stays", "pc", [BARE, disk(), video("vga", at(0, 9))], """
        00:02.0 disk:vda
        00:09.0 video:0
    """),
    ("empty-slot-two-without-video", "pc", [BARE, disk()], """
        00:02.0 disk:vda
    """),
    (
        "beside-the-chipset-of-pc",
        "pc",
        [BARE, nic("virtio", at(0, 1, 1)), nic("virtio", at(0, 1, 2)), nic("virtio", at(0, 1, 4))],
        """
        00:01.1 interface:0
        00:01.2 interface:1
        00:01.4 interface:2
    """
    ),
    # 4.3, q35
    ("ich9-set-where-1d-is-taken", "q35", [NO_BALLOON, nic("virtio", at(0, 0x1D)), ich9(0)], """
        00:1a.0* usb:0:ich9-uhci1
        00:1a.1 usb:0:ich9-uhci2
        00:1a.2 usb:0:ich9-uhci3
        00:1a.7 usb:0:ich9-ehci1
        00:1d.0 interface:0
        00:1f.2 sata:0
    """),
    (
        "uhci1-with-an-empty-address",
        "q35",
        [
            NO_BALLOON, controller("usb", 0, "ich9-ehci1"),
            controller("usb", 0, "ich9-uhci1", "<master startport='0'/><address type='pci'/>"),
        ],
        """
        00:01.0* pci:1 pcie-root-port
        00:01.1 pci:3 pcie-root-port
        00:1f.2 sata:0
        01:00.0 pci:2 pcie-to-pci-bridge
        02:01.0* usb:0:ich9-uhci1
        02:01.7 usb:0:ich9-ehci1
    """
    ),
    (
        "companions-keep-their-place-from-the-trial",
        "q35",
        [
            NO_BALLOON, video("vga"), pci("pcie-root-port", 1, at(0, 2)),
            controller("usb", 0, "ich9-ehci1", at(0, 2, 7)),
            controller("usb", 0, "ich9-uhci2", "<master startport='2'/>"), nic(), nic(),
        ],
        """
        00:01.0 video:0
        00:02.0* pci:1 pcie-root-port
        00:02.1 usb:0:ich9-uhci2
        00:02.2 pci:2 pcie-root-port
        00:02.7 usb:0:ich9-ehci1
        00:1f.2 sata:0
        01:00.0 interface:0
        02:00.0 interface:1
    """
    ),
    ("dmi-bridge-has-1e", "q35", [BARE, pci("dmi-to-pci-bridge", 1), pci("dmi-to-pci-bridge", 2)], """
        00:01.0 pci:2 dmi-to-pci-bridge
        00:1e.0 pci:1 dmi-to-pci-bridge
        00:1f.2 sata:0
    """),
    ("dmi-bridge-where-1e-is-taken", "q35", [BARE, nic("virtio", at(0, 0x1E)), pci("dmi-to-pci-bridge", 1)], """
        00:01.0 pci:1 dmi-to-pci-bridge
        00:1e.0 interface:0
        00:1f.2 sata:0
    """),
    ("first-ich9-sound-has-1b", "q35", [BARE, ICH6, ICH9_SOUND, ICH9_SOUND], """
        00:01.0* pci:1 pcie-root-port
        00:01.1 pci:3 pcie-root-port
        00:1b.0 sound:1
        00:1f.2 sata:0
        01:00.0 pci:2 pcie-to-pci-bridge
        02:01.0 sound:0
        02:02.0 sound:2
    """),
    ("ich9-sound-where-1b-is-taken", "q35", [BARE, nic("virtio", at(0, 0x1B)), ICH9_SOUND], """
        00:01.0* pci:1 pcie-root-port
        00:01.1 pci:3 pcie-root-port
        00:1b.0 interface:0
        00:1f.2 sata:0
        01:00.0 pci:2 pcie-to-pci-bridge
        02:01.0 sound:0
    """),
    ("vga-where-slot-one-is-taken", "q35", [BARE, nic("virtio", at(0, 1)), video("vga")], """
        00:01.0 interface:0
        00:02.0* pci:1 pcie-root-port
        00:02.1 pci:3 pcie-root-port
        00:1f.2 sata:0
        01:00.0 pci:2 pcie-to-pci-bridge
        02:01.0 video:0
    """),
    ("virtio-video-where-slot-one-is-taken", "q35", [BARE, nic("virtio", at(0, 1)), video("virtio")], """
        00:01.0 interface:0
        00:02.0* pci:1 pcie-root-port
        00:02.1 pci:2 pcie-root-port
        00:02.2 pci:3 pcie-root-port
        00:1f.2 sata:0
        01:00.0 video:0
    """),
    ("beside-the-chipset-of-q35", "q35", [BARE, nic("virtio", at(0, 0x1F, 1)), nic("virtio", at(0, 0x1F, 7))], """
        00:1f.1 interface:0
        00:1f.2 sata:0
        00:1f.7 interface:1
    """),
    (
        "endpoints-by-hand-anywhere",
        "q35",
        [BARE, nic("e1000", at(0, 2)), pci("pcie-root-port", 1), nic("rtl8139", at(1, 0))],
        """
        00:01.0 pci:1 pcie-root-port
        00:02.0 interface:0
        00:1f.2 sata:0
        01:00.0 interface:1
    """
    ),
    # 3.1: integrated devices
    ("virtio-iommu-is-integrated", "q35", [BARE, "<iommu model='virtio'/>", disk()], """
        00:01.0* pci:1 pcie-root-port
        00:01.1 pci:2 pcie-root-port
        00:02.0 iommu:0
        00:1f.2 sata:0
        01:00.0 disk:vda
    """),
    ("pvpanic-is-integrated", "q35", [BARE, "<panic model='pvpanic'/>"], """
        00:01.0 panic:0
        00:1f.2 sata:0
    """),
    ("pvpanic-on-pc", "pc", [BARE, "<panic model='pvpanic'/>"], """
        00:02.0 panic:0
    """),
]
# fmt: on


@pytest.mark.parametrize(("machine", "devices", "expected"), [pytest.param(*row[1:], id=row[0]) for row in EXAMPLES])
def test_addresses(machine: str, devices: list[str], expected: str) -> None:
    assert placed(machine, *devices) == lines(expected)


# --- how much fits (sections 10 and 12)


def test_28_disks_need_no_bridge() -> None:
    """E5."""
    rows = ["00:01.2 usb:0"]
    rows += [f"00:{slot:02x}.0 disk:{disk_target('vd', slot - 2)}" for slot in range(2, 30)]
    assert placed("pc", disks(28)) == "\n".join([*rows, "00:1e.0 memballoon:0"])


def test_29_disks_bring_a_bridge() -> None:
    """E5: the imaginary device takes the last slot, so the trial makes room for a bridge before it is gone."""
    rows = ["00:01.2 usb:0", "00:02.0 pci:1 pci-bridge"]
    rows += [f"00:{slot:02x}.0 disk:{disk_target('vd', slot - 3)}" for slot in range(3, 32)]
    assert placed("pc", disks(29)) == "\n".join([*rows, "01:01.0 memballoon:0"])


def test_the_imaginary_device_may_force_a_bridge() -> None:
    """Libvirt rule 12: 28 disks by hand and one that is not, on 29 slots: a bridge in the last slot, the disk behind
    it.
    """
    by_hand = "".join(disk(number, at(0, number + 2)) for number in range(28))
    written = [NO_USB, "<memballoon model='virtio'><address type='pci' slot='0x1e'/></memballoon>", by_hand]
    found = placed("pc", *written, nic()).splitlines()
    assert found[-3:] == ["00:1e.0 memballoon:0", "00:1f.0 pci:1 pci-bridge", "01:01.0 interface:0"]


@pytest.mark.parametrize(("count", "bridges"), [(24, 0), (25, 1)])
def test_ich9_companions_are_over_counted(count: int, bridges: int) -> None:
    """Libvirt rule 6.7: each of the four takes a whole slot in the trial."""
    plan = pcisim.assign(domain("pc", ich9(0), disks(count)))
    assert [made.model for made in plan.placement.added] == ["pci-bridge"] * bridges
    assert len({packed >> 3 for packed in plan.placement.addresses.values()}) == count + 2 + bridges


def fits(machine: str, devices: dict[str, int]) -> str:
    """Return "" or the code of the refusal."""
    policy = LibvirtPolicy()
    try:
        policy.place(complete(Guest.of(machine, devices), libvirt_version("11.3")))
    except pcisim.PcisimError as error:
        return error.code
    return ""


NO_SLOT = "no-slot-for-controller"


@pytest.mark.parametrize(
    ("machine", "devices", "code"),
    [
        # libvirt rule 12, i440fx: windows in which the bridge finds no room, though more devices would fit
        ("pc", {"virtio-blk": 58}, ""),
        ("pc", {"virtio-blk": 59}, NO_SLOT),
        ("pc", {"virtio-blk": 60}, ""),
        ("pc", {"virtio-blk": 88}, ""),
        ("pc", {"virtio-blk": 89}, NO_SLOT),
        ("pc", {"virtio-blk": 90}, NO_SLOT),
        ("pc", {"virtio-blk": 91}, ""),
        ("pc", {"virtio-blk": 118}, ""),
        ("pc", {"virtio-blk": 119}, NO_SLOT),
        ("pc", {"virtio-blk": 121}, NO_SLOT),
        ("pc", {"virtio-blk": 122}, ""),
        ("pc", {"virtio-blk": 298}, ""),
        ("pc", {"virtio-blk": 299}, NO_SLOT),
        ("pc", {"virtio-blk": 307}, NO_SLOT),
        ("pc", {"virtio-blk": 308}, ""),
        ("pc", {"virtio-blk": 898}, ""),
        ("pc", {"virtio-blk": 899}, NO_SLOT),
        ("pc", {"virtio-blk": 927}, NO_SLOT),
        ("pc", {"virtio-blk": 928}, ""),
        ("pc", {"virtio-blk": 929}, NO_SLOT),
        # libvirt rule 12, q35: root ports on pcie-root
        ("q35", {"virtio-blk": 237}, ""),
        ("q35", {"virtio-blk": 238}, NO_SLOT),
        ("q35", {"virtio-blk": 229, "vga": 1}, ""),
        ("q35", {"virtio-blk": 230, "vga": 1}, NO_SLOT),
        ("q35", {"virtio-blk": 229, "ich9-intel-hda": 1}, ""),
        ("q35", {"virtio-blk": 230, "ich9-intel-hda": 1}, NO_SLOT),
    ],
)
def test_how_many_fit(machine: str, devices: dict[str, int], code: str) -> None:
    assert fits(machine, devices) == code


@pytest.mark.parametrize(("cards", "code"), [(61, ""), (62, NO_SLOT), (63, ""), (92, NO_SLOT), (93, NO_SLOT)])
def test_how_many_conventional_cards_fit_behind_the_bridge_of_q35(cards: int, code: str) -> None:
    assert fits("q35", {"e1000": cards}) == code


# --- the versions


def test_versions_order_added_controllers_differently() -> None:
    """Libvirt rule 11.1, both asked live."""
    devices = [BARE, controller("scsi", 1, "lsilogic"), disk(0, bus="scsi", prefix="sd")]
    assert placed("pc", *devices) == lines("""
        00:02.0 scsi:0
        00:03.0 scsi:1
    """)
    assert placed("pc", *devices, version="9.0") == lines("""
        00:02.0 scsi:1
        00:03.0 scsi:0
    """)


def test_versions_order_gap_ports_differently() -> None:
    """Libvirt rule 11.1: 9.0 gives the listed port the first place."""
    assert placed("q35", BARE, pci("pcie-root-port", 3), version="9.0") == lines("""
        00:01.0* pci:3 pcie-root-port
        00:01.1 pci:1 pcie-root-port
        00:01.2 pci:2 pcie-root-port
        00:1f.2 sata:0
    """)


# --- what the policy returns


def test_describe() -> None:
    assert LibvirtPolicy().describe() == "as libvirt 12.9"
    assert LibvirtPolicy(libvirt_version("9.0")).describe() == "as libvirt 9.0"


def test_placement_says_what_was_added_and_rewritten() -> None:
    plan = pcisim.assign(domain("q35", BARE, nic("e1000", at(1, 1))))
    assert [made.label for made in plan.placement.added] == ["pci:1", "pci:2", "pci:3"]
    assert {d.label: packed for d, packed in plan.placement.rewritten.items()} == {"interface:0": 1 << 8 | 1 << 3}
    assert str(plan.addresses["interface:0"]) == "0000:02:01.0"


def test_dedicated_port_is_an_ordinary_one_in_the_end() -> None:
    """Libvirt rule 6.6: only for the rest of the trial does it accept nothing but the bridge."""
    plan = pcisim.assign(domain("q35", BARE, nic("e1000")))
    port = plan.topology.buses[1]
    assert plan.topology.accepts(port, connectors.EXPRESS, explicit=False)


def test_policy_does_not_change_the_guest() -> None:
    guest = completed("q35", BARE, nic("e1000", at(2, 1)), pci("pcie-expander-bus", 1))
    before = [(c.label, c.index, c.address, dict(c.target), c.model_name) for c in guest.controllers]
    placement = LibvirtPolicy().place(guest)
    assert list(placement.rewritten.values()) == [2 << 8 | 1 << 3]
    assert [(c.label, c.index, c.address, dict(c.target), c.model_name) for c in guest.controllers] == before
    assert [d.address for d in guest.devices["interface"]] == [2 << 8 | 1 << 3]


def test_machines_without_a_bus() -> None:
    """Libvirt rule 4.1: isapc and microvm have none; any device that needs one is refused."""
    assert placed("isapc", BARE) == ""
    assert placed("microvm", BARE) == ""
    for machine in ("isapc", "microvm", "pc-frobnicate-9"):
        error = refused(machine, NO_USB)
        assert (error.code, error.headline) == ("no-pci-bus", "No PCI buses available")
        assert error.parties == ("memballoon:0",)


def test_table_shows_the_plan() -> None:
    """The tests' own table: sorted by address, flags marked."""
    plan = pcisim.assign(Guest.of("q35", {"virtio-blk": 1}))
    assert table(plan).splitlines()[:2] == ["00:01.0* pci:1 pcie-root-port", "00:01.1 pci:2 pcie-root-port"]
