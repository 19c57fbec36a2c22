"""``pcisim explain``: what it says, the patch, exit statuses."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pcisim.diagnose import check
from tests.cli.running import EXAMPLES, Done, run
from tests.guests import at, disk, disks, domain, nic, pci

DOUBLE = (
    "error: Failed to define domain from x.xml\nerror: XML error: Attempted double use of PCI Address 0000:00:08.0\n"
)
FULL = "error: internal error: No more available PCI slots"


def test_a_text_alone() -> None:
    assert run("explain", DOUBLE) == Done(
        0,
        "Attempted double use of PCI Address ...  (libvirt)\n"
        "  meaning: two devices, or a device and the machine, ask for one function of one slot\n"
        "  rule: a function has one owner; the chipset's are taken from the start\n"
        "  to do: leave the address of one of the two out; sharing the slot takes another function,"
        " and multifunction='on' on function 0\n",
        "",
    )


def test_the_text_on_standard_input() -> None:
    assert run("explain", "-", given=DOUBLE.encode()).out == run("explain", DOUBLE).out


def test_where_who_and_the_patch() -> None:
    name = str(EXAMPLES / "conflict.xml")
    lines = run("explain", DOUBLE, name).out.splitlines()
    start = lines.index("") + 1
    assert lines[start] == f"{name}:15: error: Attempted double use of PCI Address 0000:00:08.0 [slot-occupied]"
    assert lines[start + 4 : start + 7] == [
        "patch (tried: libvirt 12.9 accepts the guest):",
        f"--- {name}",
        f"+++ {name}\t(patched)",
    ]
    assert [line for line in lines[start + 7 :] if line[0] in "+-"] == [
        "-      <address type='pci' domain='0x0000' bus='0x00' slot='0x08' function='0x0'/>"
    ]


@pytest.mark.skipif(shutil.which("patch") is None, reason="needs patch")
@pytest.mark.parametrize(
    ("text", "guest"),
    [
        (DOUBLE, domain("pc", nic("virtio", at(0, 5)), disk(0, at(0, 5)))),
        (FULL, domain("q35", pci("pcie-root", 0), *(pci("pcie-root-port", n) for n in (1, 2))).replace("'", '"')),
        ("a PCI slot is needed to connect a PCI controller", domain("pc", disks(59))),
        ("Can't add chassis slot, error -16", domain("q35", "<a/>", pci("pcie-root", 0), pci("pcie-root-port", 1),
                                                     pci("pcie-root-port", 2, "<target chassis='1'/>"))),
        ("Bus 'pci.2' not found", domain("q35", pci("pcie-root", 0), pci("pcie-switch-upstream-port", 1),
                                         pci("pcie-root-port", 2)).replace("\n", "\r\n")),
    ],
)  # fmt: skip
def test_the_patch_applies(tmp_path: Path, text: str, guest: str) -> None:
    path = tmp_path / "guest.xml"
    path.write_bytes(guest.encode())
    done = run("explain", text, str(path))
    assert done.status == 0
    difference = done.out[done.out.index("--- ") :].encode()
    subprocess.run(["patch", "--binary", "-s", str(path)], input=difference, check=True, timeout=60)
    assert [f.code for f in check(path.read_bytes()) if f.severity == "error"] == []
    assert "does not give this error" in run("explain", text, str(path)).out


def test_other_errors_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "guest.xml"
    path.write_text(domain("pc", nic("virtio", at(0, 5)), disk(0, at(0, 5)), disk(1, at(2, 0))))
    out = run("explain", DOUBLE, str(path)).out
    assert f"other errors in {path}:\n  {path}:12: error: Invalid PCI address 0000:02:00.0." in out
    assert "patch (tried: other errors remain):\n" in out


def test_an_accepted_guest_says_what_is_free(tmp_path: Path) -> None:
    path = tmp_path / "guest.xml"
    path.write_text(domain("q35", nic()))
    out = run("explain", FULL, str(path)).out
    assert f"{path} does not give this error, as libvirt 12.9; free slots: cold" in out
    assert out.endswith("model='pcie-root-port'/>\n  <controller type='pci' index='6' model='pcie-to-pci-bridge'/>\n")


def test_unknown() -> None:
    done = run("explain", "the quick brown\nfox")
    assert done == Done(1, "", "unknown text: the quick brown fox\n")
    near = run("explain", "No more availble PCI slot")
    assert near.status == 1
    assert "near ones:\n    No more available PCI slots  (libvirt)\n" in near.err
    assert run("explain", "").status == 1
    assert run("explain", "-", given=bytes(range(256))).status == 1


def test_cannot_be_read(tmp_path: Path) -> None:
    assert run("explain", FULL, str(tmp_path / "missing.xml")).status == 3
    path = tmp_path / "garbage.xml"
    path.write_bytes(b"\xff\xfe\x00")
    done = run("explain", FULL, str(path))
    assert done.status == 0
    assert "other errors in" in done.out


def test_usage() -> None:
    assert run("explain").status == 2
    assert run("explain", "x", "--libvirt", "1").status == 2
