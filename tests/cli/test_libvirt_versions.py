"""``--libvirt``, ``PCISIM_LIBVIRT`` and ``auto``; what a command says of a version; ``diff --each``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.running import run
from tests.guests import BARE, disk, domain

DISKS = "".join(
    f"<disk type='file' device='disk'><source file='/a'/><target dev='sd{letter}' bus='scsi'/></disk>"
    for letter in "abcdefgh"
)
SCSI = domain("q35", "<controller type='scsi' index='0' model='virtio-scsi'/>" + DISKS)
PLAIN = domain("q35", BARE, disk())


def spoken(document: str, *options: str) -> list[str]:
    """Return the lines that a command says of a document."""
    done = run("assign", "-", "--format", "addresses", *options, given=document.encode())
    assert done.status == 0, done.err
    return done.err.splitlines()


def test_the_default_is_the_newest_that_was_measured() -> None:
    assert spoken(PLAIN) == ["4 added, 0 already addressed, as libvirt 12.9"]


@pytest.mark.parametrize(
    ("version", "remark"),
    [
        ("7.0", "libvirt 7.0 was not measured: as 9.0"),
        ("10.0.0", "libvirt 10.0.0 was not measured: as 11.3"),
        ("12.5.0", "libvirt 12.5.0 was not measured: as 11.3, with what is known to have come in between"),
        ("13.0", "libvirt 13.0 was not measured: as 12.9"),
    ],
)
def test_what_was_not_measured_is_said_once(version: str, remark: str) -> None:
    assert spoken(PLAIN, "--libvirt", version) == [remark, f"4 added, 0 already addressed, as libvirt {version}"]
    done = run("assign", "-", "--format", "json", "--libvirt", version, given=PLAIN.encode())
    assert json.loads(done.out)["libvirt"] == version
    assert json.loads(done.out)["measured"] is False


def test_the_variable_sets_the_default_of_the_command_line_only(monkeypatch: pytest.MonkeyPatch) -> None:
    import pcisim

    monkeypatch.setenv("PCISIM_LIBVIRT", "9.0")
    assert spoken(PLAIN)[-1].endswith("as libvirt 9.0")
    assert spoken(PLAIN, "--libvirt", "11.3")[-1].endswith("as libvirt 11.3")
    assert pcisim.assign(PLAIN).rules.version == "12.9"
    monkeypatch.setenv("PCISIM_LIBVIRT", "9")
    done = run("assign", "-", given=PLAIN.encode())
    assert done.status == 2
    assert "PCISIM_LIBVIRT says so" in done.err
    monkeypatch.setenv("PCISIM_LIBVIRT", "")
    assert spoken(PLAIN)[-1].endswith("as libvirt 12.9")


def commands(folder: Path, monkeypatch: pytest.MonkeyPatch, **answers: str) -> None:
    """Let only these commands be found, each with what it prints."""
    for name, answer in answers.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{answer}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_auto_asks_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = "echo 'Using library: libvirt 9.0.0'; echo 'Running against daemon: 11.3.0'"
    commands(tmp_path, monkeypatch, virsh=answer)
    said = spoken(PLAIN, "--libvirt", "auto")
    assert said == [
        "libvirt 11.3.0, according to the daemon that virsh connects to",
        "4 added, 0 already addressed, as libvirt 11.3",
    ]


def test_auto_asks_the_programs_without_a_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands(tmp_path, monkeypatch, virsh='[ "$1" = --version ] && echo 10.0.0')
    assert spoken(PLAIN, "--libvirt", "auto")[0] == "libvirt 10.0.0, according to virsh"
    (tmp_path / "virsh").unlink()
    commands(tmp_path, monkeypatch, virtqemud="echo 'virtqemud (libvirt) 12.9.0'")
    assert spoken(PLAIN, "--libvirt", "auto")[0] == "libvirt 12.9.0, according to virtqemud"


def test_auto_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands(tmp_path, monkeypatch)
    done = run("assign", "-", "--libvirt", "auto", given=PLAIN.encode())
    assert (done.status, done.err.splitlines()[0]) == (2, "--libvirt auto: no libvirt answers on this machine")


def test_where_the_versions_differ_is_said_in_a_line() -> None:
    line = "scsi:1: 12.9 virtio-scsi, 11.3 and 9.0 lsilogic: 8 and 6 addresses differ"
    assert spoken(SCSI)[0] == f"{line}; choose with --libvirt"
    assert spoken(SCSI, "--libvirt", "12.9")[0] == line
    assert len(spoken(PLAIN)) == 1


def test_words_that_a_newer_version_knows_are_named() -> None:
    usb = "<disk type='file' device='disk' model='usb-bot'><source file='/a'/><target dev='sda' bus='usb'/></disk>"
    done = run("assign", "-", "--libvirt", "11.3", given=domain("q35", usb).encode())
    assert done.status != 0
    assert "libvirt 11.3 does not know it, 11.5 does" in done.err
    assert run("assign", "-", "--libvirt", "11.5", given=domain("q35", usb).encode()).status == 0


# diff --each

UPGRADE = ("--libvirt-old", "11.3", "--libvirt-new", "12.9")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a directory with a guest that an upgrade moves, one that it does not, and one whose machine goes."""
    (tmp_path / "below").mkdir()
    (tmp_path / "plain.xml").write_text(PLAIN)
    (tmp_path / "scsi.xml").write_text(SCSI)
    (tmp_path / "below" / "old.xml").write_text(PLAIN.replace("'q35'", "'pc-q35-4.2'"))
    return tmp_path


def test_each_file_with_itself(folder: Path) -> None:
    done = run("diff", "--each", *UPGRADE, str(folder))
    assert done.status == 1
    heads = [line for line in done.out.splitlines() if not line.startswith(" ")]
    assert heads == [
        f"{folder}/below/old.xml: QEMU 11.1, which libvirt 12.9 comes with, has no machine type 'pc-q35-4.2'",
        f"{folder}/scsi.xml: 4 moved, 2 renumbered in place, 1 appeared, 2 gone, 1 of another model",
    ]
    assert "  scsi:1        model lsilogic -> virtio-scsi" in done.out.splitlines()
    assert done.err == "3 files: 1 placed otherwise, 1 without a machine type, from libvirt 11.3 to 12.9\n"


def test_what_is_addressed_stays(folder: Path) -> None:
    addressed = run("assign", str(folder / "plain.xml")).out
    (folder / "plain.xml").write_text(addressed)
    done = run("diff", "--each", *UPGRADE, str(folder / "plain.xml"))
    assert (done.status, done.out, done.err) == (0, "", "1 file: nothing changes, from libvirt 11.3 to 12.9\n")


def test_each_in_json(folder: Path) -> None:
    (folder / "bad.xml").write_text("<domain")
    (folder / "usb.xml").write_text(domain("q35", "<controller type='usb' model='vt82c686b-uhci'/>"))
    names = [str(folder / name) for name in ("scsi.xml", "usb.xml", "bad.xml")]
    done = run("diff", "--each", *UPGRADE, "--format", "json", *names)
    found = json.loads(done.out)
    assert (done.status, found["schema"]) == (3, "pcisim.diff-each/1")
    assert found["libvirt"] == {"old": "11.3", "new": "12.9"}
    assert found["measured"] == {"old": True, "new": True}
    assert found["profile"] == {"old": "qemu-10.0", "new": "qemu-11.1"}
    scsi, usb, bad = found["files"]
    assert (scsi["differs"], len(scsi["changes"])) == (True, 10)
    assert usb["refused"] == {
        "old": None,
        "new": "USB controller model 'vt82c686b-uhci' not supported in this QEMU binary",
    }
    assert bad["refused"]["new"].startswith("XML cannot be read")
    assert done.err.splitlines()[-1] == (
        "3 files: 1 placed otherwise, 1 refused, 1 unreadable, from libvirt 11.3 to 12.9"
    )


def test_a_file_that_is_not_there(folder: Path) -> None:
    done = run("diff", "--each", *UPGRADE, str(folder / "nowhere.xml"))
    assert done.status == 3
    assert "nowhere.xml" in done.err


@pytest.mark.parametrize("options", [(), ("--libvirt-old", "12.9"), ("--libvirt", "11.3")])
def test_each_needs_two_versions(folder: Path, options: tuple[str, ...]) -> None:
    done = run("diff", "--each", *options, str(folder))
    assert done.status == 2
    assert "as two versions of libvirt" in done.err


def test_without_each_two_are_compared(folder: Path) -> None:
    for names in (["scsi.xml"], ["scsi.xml", "plain.xml", "scsi.xml"]):
        done = run("diff", *[os.path.join(folder, name) for name in names])
        assert done.status == 2
        assert done.err.startswith(f"diff compares two definitions, not {len(names)}")


WRONG_PROFILES = {
    ("--profile", "qemu-8.0"): "one of qemu-7.2, qemu-10.0, qemu-11.1",
    ("--seabios", "1.15"): "one of 1.16.2, 1.16.3, 1.17",
    ("--ovmf", "2023.05"): "one of 2020.11, 2022.11, 2025.02, 2026.08",
}


@pytest.mark.parametrize(("options", "allowed"), WRONG_PROFILES.items())
@pytest.mark.parametrize("command", ["guest", "check", "capacity", "fits", "tree", "lspci", "assign"])
def test_a_wrong_profile_is_a_usage_error(command: str, options: tuple[str, str], allowed: str) -> None:
    more = ("--add", "virtio-blk") if command == "fits" else ()
    done = run(command, *options, *more, "-", given=PLAIN.encode())
    assert (done.status, done.out) == (2, "")
    assert allowed in done.err


def test_another_firmware_has_another_answer() -> None:
    ports = "".join(f"<controller type='pci' index='{n}' model='pcie-root-port'/>" for n in range(1, 15))
    guest = domain("q35", BARE, "<controller type='pci' model='pcie-root'/>", ports)
    guest = guest.replace("<os>", "<os firmware='efi'>")
    old = run("check", "-", "--ovmf", "2022.11", "--format", "json", given=guest.encode())
    (finding,) = json.loads(old.out)["files"][0]["findings"]
    assert finding["code"] == "io-windows"
    assert finding["details"][0].startswith("pci:1, pci:2, pci:3, pci:4 get no window at all")
    assert json.loads(old.out)["profile"] == "qemu-11.1:ovmf=2022.11"
    assert json.loads(run("check", "-", "--format", "json", given=guest.encode()).out)["files"][0]["findings"] == []
