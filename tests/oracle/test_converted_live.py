"""Law: the real libvirt returns unchanged what was moved from one kind of machine to the other."""

from __future__ import annotations

import pytest

import pcisim
from pcisim.rewrite.disk_buses import FIXES
from tests.guests import controller, disk, domain
from tests.oracle.facts import differences, facts
from tests.oracle.live import LiveLibvirt
from tests.qemu.test_converted import NEW, OLD, ide

pytestmark = pytest.mark.oracle

GUESTS = [("q35", domain("pc", *devices)) for devices in OLD.values()]
GUESTS += [("pc", domain("q35", *devices)) for devices in NEW.values()]
GUESTS += [
    ("q35", domain("pc", *(disk(n, bus="sata", prefix="sd") for n in range(6)), ide(0), ide(1))),
    ("q35", domain("pc", disk(0, bus="sata", prefix="hd"), ide(1).replace("hdb", "sda"))),
    ("q35", domain("pc", controller("scsi", 1, "lsilogic"), disk(8, bus="scsi", prefix="sd"), ide(0))),
    ("q35", domain("pc", controller("scsi", 0), disk(0, bus="scsi", prefix="sd"), ide(1))),
]


def test_libvirt_returns_what_was_moved(taking: tuple[str, LiveLibvirt]) -> None:
    version, client = taking
    for machine, text in GUESTS:
        assert client.ask(text).ok
        for fix in (*FIXES, *((None,) if machine == "pc" else ())):
            made = pcisim.reassign(text, machine=machine, fix_ide=fix, libvirt=version)
            addressed = pcisim.assign_xml(made.text, libvirt=version)
            answer = client.ask(str(addressed))
            assert answer.ok, (answer.error, text)
            assert differences(facts(answer.xml), facts(str(addressed))) == [], (fix, text)


@pytest.mark.parametrize(
    ("inner", "bus"),
    [("<geometry cyls='99' heads='16' secs='63' trans='lba'/>", "scsi"), ("<wwn>5000c50015ea71aa</wwn>", "sata")],
)
def test_libvirt_refuses_what_cannot_move(taking: tuple[str, LiveLibvirt], inner: str, bus: str) -> None:
    _, client = taking
    assert client.ask(domain("pc", ide(0, inner=inner))).ok
    assert not client.ask(domain("q35", controller("scsi", 0, "virtio-scsi"), disk(0, inner, bus=bus, prefix="sd"))).ok
