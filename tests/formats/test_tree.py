"""The drawing: every bus, every slot's owner, free ports, and what hangs on nothing."""

from __future__ import annotations

import pcisim
from pcisim.formats.tree import BOXES, tree
from tests.guests import BARE, at, disk, domain, nic, pci

ROOT = pci("pcie-root", 0)


def drawn(machine: str, *devices: str) -> list[str]:
    """Return the lines between the machine and what is free."""
    first, *lines, last = str(pcisim.assign(domain(machine, BARE, *devices))).splitlines()
    assert first == f"guest: {machine} (x86_64)"
    assert last.startswith("free slots: ")
    return lines


def test_nested_buses() -> None:
    assert drawn(
        "q35",
        ROOT,
        pci("pcie-root-port", 1),
        pci("pcie-switch-upstream-port", 2),
        pci("pcie-switch-downstream-port", 3, "<target hotplug='off'/>"),
        pci("pcie-switch-downstream-port", 4),
        pci("pcie-to-pci-bridge", 5),
        pci("pcie-root-port", 6, "<target hotplug='off'/>"),
        nic("e1000"),
    ) == [
        "bus 0x00 pcie-root",
        "├─ 00.0 Q35 host bridge (built-in)",
        "├─ 01.0 pci:1 pcie-root-port -> bus 0x01",
        "│  └─ 00.0 pci:2 pcie-switch-upstream-port -> bus 0x02",
        "│     ├─ 00.0 pci:3 pcie-switch-downstream-port -> bus 0x03",
        "│     │  └─ 00.0 pci:5 pcie-to-pci-bridge -> bus 0x05",
        "│     │     └─ 01.0 interface:0 e1000",
        "│     └─ 01.0 pci:4 pcie-switch-downstream-port -> bus 0x04 [free]",
        "├─ 01.1 pci:6 pcie-root-port -> bus 0x06 [free, no hotplug]",
        "├─ 1f.0 ICH9 LPC bridge (built-in)",
        "├─ 1f.2 sata:0",
        "└─ 1f.3 ICH9 SMBus controller (built-in)",
    ]


def test_bridges_without_devices_are_free() -> None:
    assert drawn("pc", pci("pci-bridge", 1), pci("pci-expander-bus", 2))[4:] == [
        "├─ 02.0 pci:1 pci-bridge -> bus 0x01 [free]",
        "└─ 03.0 pci:2 pci-expander-bus -> bus 0x02 [free]",
    ]


def test_functions_of_a_slot() -> None:
    assert drawn("pc", disk(0, at(0, 9)), disk(1, at(0, 9, 7)))[-2:] == [
        "├─ 09.0 disk:vda virtio",
        "└─ 09.7 disk:vdb virtio",
    ]


def test_a_machine_without_pci() -> None:
    plan = pcisim.assign(domain("isapc", "<memballoon model='none'/>"))
    assert str(plan) == "guest: isapc (x86_64)\nno PCI bus"


def test_what_hangs_on_no_bus_that_leads_to_the_root() -> None:
    ports = (pci("pcie-switch-upstream-port", 1, at(2, 0)), pci("pcie-switch-downstream-port", 2, at(1, 3)))
    assert drawn("q35", ROOT, *ports)[5:] == [
        "bus 0x01 pcie-switch-upstream-port (hangs on no bus that leads to the root)",
        "└─ 03.0 pci:2 pcie-switch-downstream-port -> bus 0x02",
        "   └─ 00.0 pci:1 pcie-switch-upstream-port -> bus 0x01 (a circle)",
    ]


def test_each_holder_is_drawn_once() -> None:
    plan = pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 200, "e1000": 40}))
    text = str(plan)
    for label in plan.addresses:
        assert text.count(f" {label} ") + text.count(f" {label}\n") == 1, label


def test_a_deep_tree() -> None:
    """Deeper than Python recurses, if it could be."""
    bridges = [pci("pci-bridge", n, at(n - 1, 1) if n > 1 else "") for n in range(1, 256)]
    lines = drawn("pc", *bridges)
    assert lines[-1] == f"{'   ' * 254}└─ 01.0 pci:255 pci-bridge -> bus 0xff [free]"


def test_ascii_only() -> None:
    plan = pcisim.assign(domain("q35", ROOT, nic()))
    boxes, plain = tree(plan.placement), tree(plan.placement, ascii_only=True)
    assert "".join(plain).isascii()
    assert not set(BOXES) & set("".join(plain))
    table = str.maketrans({"├": "|", "└": "`", "│": "|", "─": "-"})
    assert [line.translate(table) for line in boxes] == plain


def test_names_with_control_characters() -> None:
    guest = pcisim.Guest.of("pc", {"virtio-blk": 1})
    guest.devices["disk"][0].label = "disk:vda\n\x9b31m"
    assert "├─ 02.0 disk:vda\\n\\x9b31m virtio" in str(pcisim.assign(guest)).splitlines()


def test_host_bridges_hang_on_nothing() -> None:
    plan = pcisim.assign(domain("pseries", BARE, pci("pci-root", 1), nic("e1000", at(1, 2)), arch="ppc64"))
    assert str(plan).splitlines() == [
        "guest: pseries (ppc64)",
        "bus 0x00 pci-root",
        "bus 0x01 pci-root",
        "└─ 02.0 interface:0 e1000",
        "free slots: cold 0 PCI Express + 61 conventional, hot 0 PCI Express + 61 conventional",
    ]


def test_what_is_not_on_pci_is_no_function() -> None:
    assert drawn("pc", f"<sound model='sb16'>{at(0, 5)}</sound>", f"<rng model='virtio'>{at(0, 6)}</rng>")[-2:] == [
        "├─ 05.0 sound:0 sb16, which is not on PCI (reserved)",
        "└─ 06.0 rng:0 virtio",
    ]
