"""``pcisim diff``: what moves from one definition to another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import EXAMPLES, Done, example, is_tidy, run
from tests.guests import BARE, NO_USB, disk, disks, domain, video

NOTHING = "nothing moves, as libvirt 12.9\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Return the names of two definitions: a disk is put before another one."""
    old, new = tmp_path / "old.xml", tmp_path / "new.xml"
    old.write_text(domain("q35", BARE, disk(1)))
    new.write_text(domain("q35", BARE, disk(0), disk(1)))
    return str(old), str(new)


def test_a_line_a_change(files: tuple[str, str]) -> None:
    assert run("diff", *files) == Done(
        1,
        "disk:vda  appears at 0000:01:00.0\n"
        "disk:vdb  0000:01:00.0 -> 0000:02:00.0\n"
        "pci:3     appears at 0000:00:01.2\n",
        "1 moved, 2 appeared, as libvirt 12.9\n",
    )


def test_nothing_moves(files: tuple[str, str]) -> None:
    assert run("diff", files[0], files[0]) == Done(0, "", NOTHING)
    desktop = str(EXAMPLES / "desktop.xml")
    addressed = run("assign", desktop).out
    assert run("diff", desktop, "-", given=addressed.encode()) == Done(0, "", NOTHING)
    assert run("diff", "-", desktop, given=addressed.encode()) == Done(0, "", NOTHING)


def test_what_is_appended_to_an_addressed_definition_moves_nothing(tmp_path: Path) -> None:
    addressed = run("assign", "-", given=example("desktop")).out
    old, new = tmp_path / "old.xml", tmp_path / "new.xml"
    old.write_text(addressed)
    new.write_text(addressed.replace("</devices>", f"{disk(9)}</devices>"))
    done = run("diff", str(old), str(new))
    assert (done.status, done.out) == (1, "disk:vdj  appears at 0000:07:00.0\n")


def test_json(files: tuple[str, str]) -> None:
    done = run("diff", "--format", "json", *files)
    document = json.loads(done.out)
    assert done.status == 1
    assert document["schema"] == "pcisim.diff/1"
    assert document["libvirt"] == {"old": "12.9", "new": "12.9"}
    assert document["different"] is True
    assert document["counts"]["moved"] == 1
    moved = next(row for row in document["changes"] if row["kind"] == "moved")
    assert moved == {
        "kind": "moved",
        "label": "disk:vdb",
        "matched_by": "target",
        "old": {"label": "disk:vdb", "address": "0000:01:00.0", "path": "01.0/00.0", "model": "virtio"},
        "new": {"label": "disk:vdb", "address": "0000:02:00.0", "path": "01.1/00.0", "model": "virtio"},
        "name": None,
        "before": None,
        "after": None,
        "text": "0000:01:00.0 -> 0000:02:00.0",
    }
    same = json.loads(run("diff", "--format", "json", files[0], files[0]).out)
    assert (same["different"], same["changes"], same["ambiguous"]) == (False, [], [])


def test_json_of_ambiguous_devices(tmp_path: Path) -> None:
    card = "<interface type='user'><mac address='52:54:00:00:00:{:02x}'/><model type='virtio'/></interface>"
    old, new = tmp_path / "old.xml", tmp_path / "new.xml"
    old.write_text(domain("pc", BARE, card.format(1), card.format(2)))
    new.write_text(domain("pc", BARE, card.format(3)))
    done = run("diff", "--format", "json", str(old), str(new))
    assert done.status == 1
    (group,) = json.loads(done.out)["ambiguous"]
    assert (group["element"], group["model"]) == ("interface", "virtio")
    assert [spot["address"] for spot in group["old"]] == ["0000:00:02.0", "0000:00:03.0"]
    assert [spot["label"] for spot in group["new"]] == ["interface:0"]


def test_two_versions_of_libvirt(tmp_path: Path) -> None:
    scsi = "<controller type='scsi' index='3' model='virtio-scsi'/>"
    drive = "<disk type='file'><source file='/a'/><target dev='sda' bus='scsi'/></disk>"
    file = tmp_path / "guest.xml"
    file.write_text(domain("pc", NO_USB, scsi, drive))
    name = str(file)
    done = run("diff", name, name, "--libvirt-old", "9.0", "--libvirt-new", "11.3")
    assert (done.status, done.err) == (1, "2 moved, from libvirt 9.0 to 11.3\n")
    assert [line.split()[0] for line in done.out.splitlines()] == ["scsi:0", "scsi:3"]
    assert run("diff", name, name, "--libvirt", "9.0") == Done(0, "", "nothing moves, as libvirt 9.0\n")
    done = run("diff", name, name, "--libvirt", "9.0", "--libvirt-new", "11.3", "--format", "json")
    assert done.status == 1
    assert json.loads(done.out)["profile"] == {"old": "qemu-7.2", "new": "qemu-10.0"}


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("diff",), 2),
        (("diff", "-"), 2),
        (("diff", "-", "-"), 2),
        (("diff", "OLD", "OLD", "--libvirt-new", "1.0"), 2),
        (("diff", "OLD", "missing.xml"), 3),
        (("diff", "OLD", "-"), 3),
        (("diff", "OLD", "REFUSED"), 1),
    ],
)
def test_complaints(words: tuple[str, ...], status: int, files: tuple[str, str], tmp_path: Path) -> None:
    refused = tmp_path / "refused.xml"
    refused.write_text(domain("pc", BARE, disks(1), video("vga") * 2))
    names = {"OLD": files[0], "REFUSED": str(refused)}
    done = run(*(names.get(word, word) for word in words), given=b"<")
    assert (done.status, done.out) == (status, "")
    assert is_tidy(done.err)
    if "REFUSED" in words:
        assert done.err.startswith(f"{refused}:")
