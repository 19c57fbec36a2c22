"""``pcisim tree``: the drawing of the examples, and of guests that are hard to draw."""

from __future__ import annotations

from tests.cli.running import EXAMPLES, Done, example, run
from tests.guests import at, domain, pci

DESKTOP = """\
desktop: q35 (x86_64)
bus 0x00 pcie-root
├─ 00.0 Q35 host bridge (built-in)
├─ 01.0 video:0 qxl
├─ 02.0 pci:1 pcie-root-port -> bus 0x01
│  └─ 00.0 interface:0 virtio
├─ 02.1 pci:2 pcie-root-port -> bus 0x02
│  └─ 00.0 usb:0 qemu-xhci
├─ 02.2 pci:3 pcie-root-port -> bus 0x03
│  └─ 00.0 virtio-serial:0
├─ 02.3 pci:4 pcie-root-port -> bus 0x04
│  └─ 00.0 disk:vda virtio
├─ 02.4 pci:5 pcie-root-port -> bus 0x05
│  └─ 00.0 memballoon:0 virtio
├─ 02.5 pci:6 pcie-root-port -> bus 0x06
│  └─ 00.0 rng:0 virtio
├─ 02.6 pci:7 pcie-root-port -> bus 0x07 [free]
├─ 1b.0 sound:0 ich9
├─ 1f.0 ICH9 LPC bridge (built-in)
├─ 1f.2 sata:0
└─ 1f.3 ICH9 SMBus controller (built-in)
free slots: cold 28 PCI Express + 0 conventional, hot 1 PCI Express + 0 conventional
"""

EMPTY = """\
pc (x86_64)
bus 0x00 pci-root
├─ 00.0 i440FX host bridge (built-in)
├─ 01.0 PIIX3 ISA bridge (built-in)
├─ 01.2 usb:0 piix3-uhci
├─ 01.3 PIIX4 power management (built-in)
└─ 02.0 memballoon:0 virtio
free slots: cold 0 PCI Express + 29 conventional, hot 0 PCI Express + 29 conventional
"""


def test_the_desktop() -> None:
    assert run("tree", str(EXAMPLES / "desktop.xml")) == Done(0, DESKTOP, "")
    assert run("tree", "-", given=example("desktop")) == Done(0, DESKTOP, "")
    assert run("tree", "-", given=example("desktop").decode().encode("utf-16")) == Done(0, DESKTOP, "")


def test_what_is_addressed_already_is_drawn_alike() -> None:
    addressed = run("assign", "-", given=example("desktop")).out
    assert run("tree", "-", given=addressed.encode()) == Done(0, DESKTOP, "")


def test_without_xml() -> None:
    assert run("tree", "--machine", "pc") == Done(0, EMPTY, "")


def test_a_refusal() -> None:
    done = run("tree", "-", given=example("conflict"))
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("<stdin>:15: Attempted double use of PCI Address 0000:00:08.0\n")


def test_ports_that_hang_on_each_other_end() -> None:
    """libvirt takes a switch whose ports hang on each other; each bus is drawn once, and said to lead nowhere."""
    guest = domain(
        "q35",
        pci("pcie-root", 0),
        pci("pcie-switch-upstream-port", 1, at(2, 0)),
        pci("pcie-switch-downstream-port", 2, at(1, 0)),
    )
    out = run("tree", "-", given=guest.encode()).out
    orphan = out.partition("bus 0x01")[2]
    assert orphan.startswith(" pcie-switch-upstream-port (hangs on no bus that leads to the root)\n└─ 00.0 pci:2 ")
    assert out.count("pcie-switch-upstream-port ->") == 1
    assert "-> bus 0x01 (a circle)" in out
