"""``pcisim guest``, ``pcisim lspci`` and ``pcisim tree --view guest``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import Done, run
from tests.cli.test_main import on_a_terminal
from tests.guests import BARE, at, domain, nic, pci
from tests.record_goldens import DATA

PORTS = str(DATA / "names-q35-ports" / "guest.xml")
BRIDGES = str(DATA / "names-q35-bridges" / "guest.xml")

TABLE = """\
device       configured    guest          bus    interface  windows
(mch)        -             0000:00:00.0
pci:7        0000:00:01.0  0000:00:01.0   01                io 4K, mem 2M, pref 2M
pci:1        0000:00:01.1  0000:00:01.1   02-03             io 4K, mem 4M, pref 2M
pci:2        0000:00:01.2  0000:00:01.2   04                io 4K, mem 2M, pref 2M
pci:3        0000:00:01.3  0000:00:01.3   05                io 4K, mem 2M, pref 2M
pci:4        0000:00:01.4  0000:00:01.4   06                io 4K, mem 2M, pref 2M
pci:5        0000:00:01.5  0000:00:01.5   07                io 4K, mem 2M, pref 2M
pci:6        0000:00:01.6  0000:00:01.6   08                io 4K, mem 2M, pref 2M
pci:8        0000:00:01.7  0000:00:01.7   09                io 4K, mem 2M, pref 2M
(ICH9-LPC)   -             0000:00:1f.0
sata:0       0000:00:1f.2  0000:00:1f.2
(ICH9-SMB)   -             0000:00:1f.3
interface:2  0000:07:00.0  0000:01:00.0*         enp1s0
pci:9        0000:01:00.0  0000:02:00.0*  03                io 4K, mem 2M, pref 2M
interface:3  0000:09:01.0  0000:03:01.0*         ens1
interface:0  0000:02:00.0  0000:04:00.0*         enp4s0
interface:1  0000:03:00.0  0000:05:00.0*         enp5s0
"""
SUMMARY = "17 functions, 5 of them not where they are configured (*), 4 interfaces, as qemu-11.1/seabios-1.17\n"
TREE = """\
seabios: the guest's numbers; <- the configured address where it differs
bus 00
├─ 00:00.0 (mch)
├─ 00:01.0 pci:7 pcie-root-port -> bus 01
│  └─ 01:00.0 interface:2 virtio-net-pci enp1s0 <- 0000:07:00.0
├─ 00:01.1 pci:1 pcie-root-port -> bus 02-03
│  └─ 02:00.0 pci:9 pcie-pci-bridge -> bus 03 <- 0000:01:00.0
│     └─ 03:01.0 interface:3 rtl8139 ens1 <- 0000:09:01.0
├─ 00:01.2 pci:2 pcie-root-port -> bus 04
│  └─ 04:00.0 interface:0 virtio-net-pci enp4s0 <- 0000:02:00.0
├─ 00:01.3 pci:3 pcie-root-port -> bus 05
│  └─ 05:00.0 interface:1 e1000e enp5s0 <- 0000:03:00.0
├─ 00:01.4 pci:4 pcie-root-port -> bus 06
├─ 00:01.5 pci:5 pcie-root-port -> bus 07
├─ 00:01.6 pci:6 pcie-root-port -> bus 08
├─ 00:01.7 pci:8 pcie-root-port -> bus 09
├─ 00:1f.0 (ICH9-LPC)
├─ 00:1f.2 sata:0 ich9-ahci
└─ 00:1f.3 (ICH9-SMB)
"""
CLASH = "ens4 is the name of interface:0, interface:1 (v257): one gets it, the kernel's ethN stays for the rest\n"
MANY_PORTS = BARE + pci("pcie-root", 0) + "".join(pci("pcie-to-pci-bridge", i) for i in range(30, 46))


def test_the_table() -> None:
    assert run("guest", PORTS) == Done(0, TABLE, SUMMARY)


def test_the_tree() -> None:
    assert run("tree", "--view", "guest", PORTS) == Done(0, TREE, "")
    assert run("tree", "--view", "guest", PORTS, encoding="ascii").out == (
        TREE.replace("├─", "|-").replace("└─", "`-").replace("│", "|")
    )


def test_names_by_scheme() -> None:
    lines = run("guest", BRIDGES).out.splitlines()
    assert [line.split()[0] for line in lines if "enp4s4 (v238-v255), ens4 (v257)" in line] == ["interface:1"]
    assert run("guest", BRIDGES).err.startswith(CLASH)
    older = run("guest", "--naming-scheme", "v252", BRIDGES)
    assert "enp4s4" in older.out
    assert "v2" not in older.out
    assert "ens4 is the name" not in older.err
    assert run("tree", "--view", "guest", "--naming-scheme", "latest", BRIDGES).err == CLASH


def test_json() -> None:
    done = run("guest", "--format", "json", PORTS)
    document = json.loads(done.out)
    assert {
        key: document[key] for key in ("schema", "firmware", "profile", "boots", "reason", "libvirt", "measured")
    } == {
        "schema": "pcisim.guest/1",
        "firmware": "seabios",
        "profile": "qemu-11.1/seabios-1.17",
        "boots": True,
        "reason": None,
        "libvirt": "12.9",
        "measured": True,
    }
    (interface,) = [row for row in document["functions"] if row["label"] == "interface:0"]
    assert interface["configured"] == "0000:02:00.0"
    assert interface["guest"] == "0000:04:00.0"
    assert interface["differs"] is True
    assert interface["id"] == "1af4:1041"
    (name,) = interface["interface"]
    assert (name["name"], name["source"], name["schemes"][0], name["schemes"][-1]) == ("enp4s0", "path", "v238", "v257")
    (bridge,) = [row for row in document["functions"] if row["label"] == "pci:9"]
    assert bridge["bus_numbers"] == [2, 3, 3]
    assert [bridge["windows"][kind]["size"] for kind in ("io", "memory", "prefetch")] == [4096, 2 << 20, 2 << 20]


def test_firmware() -> None:
    assert "pref 512M" in run("guest", "--firmware", "ovmf", PORTS).out
    assert "ovmf-2025.02" in run("guest", "--firmware", "ovmf", PORTS).err


def test_what_is_never_seen() -> None:
    xml = domain("q35", BARE, nic("virtio", at(0, 9, 1))).encode()
    done = run("guest", "-", given=xml)
    assert done.status == 0
    (line,) = [line for line in done.out.splitlines() if "interface:0" in line]
    assert line.startswith("interface:0  0000:00:09.1  -*")
    assert "no function 0" in line
    assert ", 1 never seen, " in done.err
    assert run("tree", "--view", "guest", "-", given=xml).out.endswith("never seen\n└─ interface:0 <- 0000:00:09.1\n")


@pytest.mark.parametrize("words", [["guest"], ["lspci"], ["tree", "--view", "guest"]])
def test_a_guest_that_does_not_boot(words: list[str]) -> None:
    done = run(*words, "-", given=domain("q35", MANY_PORTS).encode())
    assert done.status == 1
    assert "this guest will not boot: " in done.err
    assert done.out


@pytest.mark.parametrize("words", [["guest"], ["lspci"], ["tree", "--view", "guest"]])
def test_a_machine_without_pci(words: list[str]) -> None:
    bare = domain("isapc", BARE).encode()
    done = run(*words, "-", given=bare)
    assert (done.status, done.out) == (1, "")
    assert "has no PCI bus" in done.err


def test_lspci() -> None:
    done = run("lspci", "-nn", "-s", "04:", PORTS)
    assert done == Done(
        0, "04:00.0 Ethernet controller [0200]: Red Hat, Inc. Virtio 1.0 network device [1af4:1041] (rev 01)\n", ""
    )
    assert run("lspci", "-nn", "-D", "-s", "04:", PORTS).out.startswith("0000:04:00.0 ")
    assert run("lspci", "-tn", PORTS).out.splitlines()[1] == "           +-01.0-[01]----00.0"
    assert run("lspci", "-tvn", PORTS).out.splitlines()[1] == "           +-01.0-[01]----00.0  1af4:1041"
    verbose = run("lspci", "-v", "-s", "00:01.1", PORTS).out
    assert "\tBus: primary=00, secondary=02, subordinate=03, sec-latency=0\n" in verbose
    assert verbose.endswith("[32-bit]\n\n")


@pytest.mark.parametrize(
    ("words", "headline"),
    [
        (["lspci", "-t", "-s", "1", PORTS], "-t does not go with -s"),
        (["lspci", "-s", "zz", PORTS], "-s zz: not an address"),
        (["guest", "--naming-scheme", "v1", PORTS], "unknown naming scheme 'v1'"),
        (["tree", "--firmware", "ovmf", PORTS], "--firmware goes with --view guest"),
        (["tree", "--naming-scheme", "v252", PORTS], "--naming-scheme goes with --view guest"),
        (["guest"], "no guest: neither a file nor --machine is given"),
    ],
)
def test_usage(words: list[str], headline: str) -> None:
    done = run(*words)
    assert (done.status, done.out, done.err.splitlines()[0]) == (2, "", headline)


def test_colours_on_a_terminal() -> None:
    pytest.importorskip("rich")
    assert "\x1b[33m" in on_a_terminal(["guest", PORTS], {})
    assert on_a_terminal(["guest", PORTS], {"NO_COLOR": "1"}).startswith(TABLE)


@pytest.mark.parametrize("command", ["guest", "lspci"])
def test_what_is_not_covered_is_said_of_the_file(command: str, tmp_path: Path) -> None:
    file = tmp_path / "arm.xml"
    file.write_text("<domain><os><type arch='aarch64' machine='virt'>hvm</type></os></domain>")
    done = run(command, str(file))
    assert (done.status, done.err.partition(" ")[0]) == (4, f"{file}:1:")
