"""``pcisim capacity``: its report, how many more, its JSON, its exit statuses."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import EXAMPLES, Done, example, is_tidy, process, run
from tests.guests import BARE, domain, nic, pci
from tests.limits import within

PC_HOLES = [
    [59, 59], [89, 90], [119, 121], [149, 152], [179, 183], [209, 214], [239, 245], [269, 276], [299, 307], [329, 338],
    [359, 369], [389, 400], [419, 431], [449, 462], [479, 493], [509, 524], [539, 555], [569, 586], [599, 617],
    [629, 648], [659, 679], [689, 710], [719, 741], [749, 772], [779, 803], [809, 834], [839, 865], [869, 896],
    [899, 927],
]  # fmt: skip
SOON = 10.0


def document(*words: str, given: bytes = b"") -> dict[str, Any]:
    """Return the JSON that the command prints."""
    done = run("capacity", "--format", "json", *words, given=given)
    assert (done.status, done.err) == (0, "")
    found: dict[str, Any] = json.loads(done.out)
    return found


def test_report() -> None:
    assert run("capacity", "--machine", "pc", "--of", "virtio-net") == Done(
        0,
        "pc: functions, 256 a bus in theory, and empty slots\n"
        "bus    controller  usable  used  reserved  free  slots  hot\n"
        "pci:0  pci-root       248     2         2   244     29   29\n"
        "not usable: 8 functions of pci:0 (slot 0 of the root bus belongs to the host bridge)\n"
        "free slots: cold 0 PCI Express + 29 conventional, hot 0 PCI Express + 29 conventional\n"
        "hotplug: 29 empty slots left, 0 devices can be detached\n"
        "bus numbers: 1 of 256\n"
        "emulator's memory for 0 ports: about 0.0 MiB\n"
        "I/O windows: 0 asked for, room for 8 (qemu-11.1/seabios-1.17): boots\n"
        "virtio-net: up to 928 more fit; refused below that: 59, 89-90, 119-121, 149-152, 179-183, 209-214, 239-245,"
        " 269-276, 299-307, 329-338, 359-369, 389-400, 419-431, 449-462, 479-493, 509-524, 539-555, 569-586, 599-617,"
        " 629-648, 659-679, 689-710, 719-741, 749-772, 779-803, 809-834, 839-865, 869-896, 899-927;"
        " not 929: slots for pci-bridges: 30 needed, 29 available, short by 1 (as libvirt 12.9)\n",
        "",
    )


def test_json() -> None:
    """Rule: ``"of": {"virtio-blk": {"libvirt": {"most": 928, "holes": [[59, 59], [89, 90], ...]}}}``."""
    found = document("--machine", "pc", "--of", "virtio-blk")
    assert list(found) == [
        "schema", "machine", "buses", "totals", "hotplug", "budgets", "libvirt", "measured", "profile", "policy",
        "raw_arguments", "of", "no_more",
    ]  # fmt: skip
    assert (found["schema"], found["libvirt"], found["policy"]) == ("pcisim.capacity/1", "12.9", "libvirt")
    assert found["of"] == {"virtio-blk": {"libvirt": {"most": 928, "holes": PC_HOLES}}}
    assert found["no_more"] == {
        "virtio-blk": {
            "libvirt": {
                "count": 929,
                "reason": "a PCI slot is needed to connect a PCI controller model='pci-bridge',"
                " but none is available, and it cannot be automatically added",
                "short": [{"budget": "slots for pci-bridges", "needed": 30, "available": 29, "short": 1}],
            }
        }
    }
    assert found["totals"]["conventional"] == {"cold": {"slots": 29, "functions": 244}, "hot": {"slots": 29}}


def test_json_of_nothing_asked() -> None:
    found = document("--machine", "q35")
    assert (found["of"], found["no_more"], found["machine"]) == ({}, {}, "q35")
    assert [bus["theoretical"] for bus in found["buses"]] == [256] * 4


def test_device_is_what_the_guest_has_and_of_is_what_is_counted() -> None:
    assert document("--machine", "q35", "--of", "virtio-blk")["of"]["virtio-blk"]["libvirt"]["most"] == 237
    found = document("--machine", "q35", "--device", "vga", "--of", "virtio-blk", "--of", "e1000")
    assert {name: row["libvirt"]["most"] for name, row in found["of"].items()} == {"virtio-blk": 229, "e1000": 931}
    assert found["buses"][0]["held"][0] == {"address": "0000:00:01.0", "owner": "video:0", "kind": "device"}


def test_name_of_the_emulator() -> None:
    assert document("--machine", "pc", "--of", "virtio-blk-pci")["of"] == {
        "virtio-blk-pci": {"libvirt": {"most": 928, "holes": PC_HOLES}}
    }


def test_a_file_counts_as_it_is_given(tmp_path: Path) -> None:
    """What has no address is placed together with the new ones, what has one stays."""
    file = tmp_path / "guest.xml"
    file.write_text(domain("pc", *[nic("virtio")] * 20))
    holes = [[low - 20, high - 20] for low, high in PC_HOLES]
    of = {"virtio-blk": {"libvirt": {"most": 908, "holes": holes}}}
    assert document(str(file), "--of", "virtio-blk")["of"] == of
    assert document("-", "--of", "virtio-blk", given=file.read_bytes())["of"] == of
    addressed = run("assign", str(file)).out.encode()
    assert document("-", "--of", "virtio-blk", given=addressed)["of"] == of
    moved = addressed.replace(b"slot='0x03'", b"slot='0x1f'")
    assert document("-", "--of", "virtio-blk", given=moved)["of"] == of


def test_version() -> None:
    assert document("--machine", "q35", "--libvirt", "9.0")["libvirt"] == "9.0"
    done = run("capacity", "--machine", "pc", "--libvirt", "9.0", "--of", "pvpanic")
    assert done.out.splitlines()[-1].endswith("(as libvirt 9.0)")


def test_every_example() -> None:
    for path in EXAMPLES.glob("*.xml"):
        done = run("capacity", str(path), "--of", "virtio-blk")
        assert done.status == (path.stem == "conflict"), path
        assert (done.err == "") is (done.status == 0)


def test_that_a_guest_will_not_boot_is_no_failure() -> None:
    done = run("capacity", "--machine", "q35", "--device", "e1000e,count=15")
    assert done.status == 0
    assert done.out.splitlines()[-1] == (
        "I/O windows: 15 asked for, room for 14 (qemu-11.1/seabios-1.17): will not boot"
    )


def test_list_of_devices() -> None:
    done = run("capacity", "--of=help")
    assert done.status == 0
    assert "virtio-blk                 <disk> virtio\n" in done.out


@pytest.mark.parametrize(
    ("words", "status", "headline"),
    [
        ([], 2, "no guest: neither a file nor --machine is given"),
        (["-", "--machine", "q35"], 2, "both a file and --machine are given"),
        (["-", "--device", "vga"], 2, "--device goes with --machine"),
        (["--machine", "q35", "--of", "frobnicator"], 2, "unknown device 'frobnicator'"),
        (["--machine", "q35", "--of", ""], 2, "unknown device ''"),
        (["--machine", "q35", "--of", "virtio-blk=3"], 2, "unknown device 'virtio-blk=3'"),
        (["--machine", "q35", "--of", "\0\x1b[31m"], 2, "unknown device '\\x00\\x1b[31m'"),
        (["--machine", "q35", "--of", "x" * 100_000], 2, "unknown device 'xxx"),
        (["--machine", "q35", "--device", "frobnicator"], 2, "unknown device 'frobnicator'"),
        (["--machine", "q35", "--device", "vga,count=-1"], 2, "--device vga,count=-1: '-1' is not a valid count"),
        (["--machine", "q35", "--device", "vga,count=99999999"], 2, "--device vga,count=99999999: at most 65536"),
        (["--machine", "q35", "--libvirt", "12"], 2, "unknown libvirt version '12'"),
        (["--machine", "q35", "--policy", "random"], 2, "unknown policy 'random'"),
        (["--machine", "q35", "--format", "xml"], 2, "argument --format: invalid choice: 'xml'"),
        (["--machine", "q35", "--of"], 2, "argument --of: expected one argument"),
        (["--machine", "q35", "--frob"], 2, "unrecognized arguments: --frob"),
        (["missing.xml"], 3, "cannot read missing.xml: no such file or directory"),
        ([""], 3, "cannot read a file without a name: no such file or directory"),
        (["-"], 3, "<stdin>:1: XML cannot be read: the document is empty"),
        (["--machine", "frobnicator"], 1, "Machine type '"),
        (["--machine", "virt"], 1, "Machine type '"),
        (["--machine", "pc", "--device", "virtio-blk,count=59"], 1, "a PCI slot is needed to connect a PCI controller"),
        (["--machine", "pc", "--device", "virtio-blk,count=50000"], 1, "a PCI slot is needed to connect"),
    ],
)
def test_what_is_refused(words: list[str], status: int, headline: str) -> None:
    with within(SOON):
        done = run("capacity", *words)
    assert (done.status, done.out) == (status, "")
    assert done.err.startswith(headline), done.err
    assert is_tidy(done.err)


@pytest.mark.parametrize("text", [b"\0" * 5000, b"<domain>", b"<a/>", random.Random(3).randbytes(5000)])
def test_garbage(text: bytes) -> None:
    done = run("capacity", "-", "--of", "virtio-blk", given=text)
    assert (done.status, done.out) == (3, "")
    assert is_tidy(done.err)


def test_a_guest_that_is_refused_says_why_with_its_line() -> None:
    done = run("capacity", str(EXAMPLES / "conflict.xml"), "--of", "virtio-blk")
    assert (done.status, done.out) == (1, "")
    assert "Attempted double use of PCI Address" in done.err
    assert done.err.startswith(f"{EXAMPLES / 'conflict.xml'}:")


@pytest.mark.parametrize("device", ["virtio-blk", "e1000"])
def test_the_largest_guests_are_counted_soon(device: str) -> None:
    """255 bridges: some thousand more fit."""
    text = domain("pc", BARE, pci("pci-root"), *[pci("pci-bridge")] * 255).encode()
    with within(SOON):
        found = document("-", "--of", device, given=text)
    assert found["of"][device]["libvirt"]["most"] == 255 * 31 + 30 - 255 - 1


def test_a_closed_pipe_ends_in_silence() -> None:
    done = process(["capacity", "--machine", "q35", "--device", "virtio-blk,count=230"], shell="| head -c 10")
    assert (done.stdout, done.stderr) == (b"q35: funct", b"")


def test_a_closed_output_is_an_error() -> None:
    done = process(["capacity", "-"], given=example("server"), shell=">&-")
    assert (done.returncode, done.stderr) == (3, b"cannot write the output: standard output is closed\n")
