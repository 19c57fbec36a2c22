"""Which guests a command is about: several files, directories, patterns, what is piped in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.running import EXAMPLES, example, is_tidy, process, run
from tests.cli.test_main import on_a_terminal

DESKTOP, SERVER = str(EXAMPLES / "desktop.xml"), str(EXAMPLES / "server.xml")
SEVERAL = (
    ("assign",),
    ("assign", "--format", "addresses"),
    ("assign", "--format", "qemu"),
    ("tree",),
    ("capacity",),
    ("fits", "--add", "virtio-net"),
    ("guest",),
    ("lspci",),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a directory with two sound guests, one in a directory below, one that is refused, and another file."""
    below = tmp_path / "guests" / "below"
    below.mkdir(parents=True)
    shutil.copy(DESKTOP, tmp_path / "guests" / "a.xml")
    shutil.copy(EXAMPLES / "conflict.xml", tmp_path / "guests" / "c.xml")
    shutil.copy(SERVER, below / "b.xml")
    (tmp_path / "guests" / "notes.txt").write_text("no guest")
    return tmp_path / "guests"


@pytest.mark.parametrize("words", SEVERAL, ids=" ".join)
def test_each_answer_names_its_file_and_is_otherwise_that_of_the_file_alone(words: tuple[str, ...]) -> None:
    done = run(*words, DESKTOP, SERVER)
    alone = [run(*words, name) for name in (DESKTOP, SERVER)]
    assert done.status == max(each.status for each in alone)
    rest = done.out
    for name, each in zip((DESKTOP, SERVER), alone):
        title, _, rest = rest.lstrip("\n").partition("\n")
        assert name in title
        assert rest.startswith(each.out)
        rest = rest[len(each.out) :]
        assert each.err.partition("\n")[0] in done.err
    assert not rest


def test_a_directory_stands_for_the_documents_below_it(folder: Path) -> None:
    done = run("tree", str(folder))
    titles = [line for line in done.out.splitlines() if line.startswith("==>")]
    assert titles == [f"==> {folder / name} <==" for name in ("a.xml", "below/b.xml")]
    assert done.status == 1
    assert f"{folder / 'c.xml'}:15: Attempted double use" in done.err
    assert "notes.txt" not in done.err
    assert not done.out.startswith("\n")


def test_a_pattern_that_the_shell_left_alone(folder: Path) -> None:
    named = run("capacity", "--format", "json", str(folder / "a.xml"), str(folder / "c.xml"))
    assert run("capacity", "--format", "json", str(folder / "*.xml")) == named
    found = json.loads(run("capacity", "--format", "json", str(folder / "**" / "*.xml")).out)
    assert [Path(item["file"]).name for item in found] == ["a.xml", "b.xml", "c.xml"]
    literal = folder / "[x].xml"
    shutil.copy(DESKTOP, literal)
    assert run("tree", str(literal)).out == run("tree", DESKTOP).out


@pytest.mark.parametrize("words", [("assign",), ("capacity",), ("fits", "--add", "vga"), ("guest",), ("recommend",)])
def test_json_of_several_is_an_array_of_what_each_is_alone(words: tuple[str, ...], folder: Path) -> None:
    done = run(*words, "--format", "json", str(folder), "missing.xml")
    assert done.status == 3
    items = json.loads(done.out)
    names = [folder / "a.xml", folder / "below" / "b.xml", folder / "c.xml", Path("missing.xml")]
    assert [item["file"] for item in items] == [str(name) for name in names]
    for name, item in zip(names, items):
        alone = run(*words, "--format", "json", str(name))
        if alone.out:
            assert json.loads(alone.out) == {key: value for key, value in item.items() if key != "file"}
        else:
            assert (item["schema"], item["exit_status"]) == ("pcisim.error/1", alone.status)
            assert item["headline"] in alone.err


def test_a_directory_with_one_document_is_an_array_too(folder: Path) -> None:
    assert len(json.loads(run("assign", "--format", "json", str(folder / "below")).out)) == 1


def test_in_place_on_many(folder: Path) -> None:
    before = {name: (folder / name).read_bytes() for name in ("a.xml", "c.xml", "below/b.xml")}
    done = run("assign", "--in-place", str(folder))
    assert (done.status, done.out) == (1, "")
    assert (folder / "c.xml").read_bytes() == before["c.xml"]
    for name in ("a.xml", "below/b.xml"):
        assert (folder / name).read_text() == run("assign", "-", given=before[name]).out
    assert done.err.endswith("3 files: 1 with exit status 1 or more\n")


def test_a_wrong_call_is_said_once() -> None:
    done = run("fits", DESKTOP, SERVER)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("nothing to add\n")
    assert is_tidy(done.err)


def test_a_device_that_one_of_the_guests_lacks() -> None:
    done = run("assign", "--explain", "sound:0", DESKTOP, SERVER)
    assert (done.status, f"==> {DESKTOP} <==" in done.out, SERVER in done.out) == (2, True, False)
    assert f"{SERVER}: no device 'sound:0'" in done.err


def test_files_may_stand_behind_options() -> None:
    assert run("check", DESKTOP, "--format", "github", SERVER) == run("check", "--format", "github", DESKTOP, SERVER)
    assert run("tree", DESKTOP, "--libvirt", "11.3", SERVER) == run("tree", "--libvirt", "11.3", DESKTOP, SERVER)


# standard input


@pytest.mark.parametrize(
    "words", [("assign",), ("check",), ("capacity", "--format", "json"), ("attach", "--device", "virtio-net")]
)
def test_a_piped_document_needs_no_name(words: tuple[str, ...]) -> None:
    given = example("desktop")
    command, *options = words
    done = process(words, given=given)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == run(command, "-", *options, given=given).out


def test_a_machine_is_no_document() -> None:
    assert run("tree", "--machine", "q35", given=b"<nonsense").out.startswith("q35 (x86_64)\n")


@pytest.mark.parametrize("command", ["tree", "check"])
def test_a_terminal_is_not_read_unless_it_is_asked_for(command: str) -> None:
    assert "standard input is a terminal" in on_a_terminal([command], {}, reads=True, status=2)


def test_standard_input_twice() -> None:
    done = run("tree", "-", "-", given=example("desktop"))
    assert (done.status, done.err.partition("\n")[0]) == (2, "two inputs are standard input")


# a document with two guests


@pytest.mark.parametrize("between", [b"", b"\n<!-- the second -->\n", b'<?xml version="1.0"?>\n'])
def test_two_domains_in_one_document(between: bytes) -> None:
    text = example("desktop")
    done = run("assign", "-", given=text + between + text)
    line = (text + between).count(b"\n") + 1
    assert (done.status, done.out) == (3, "")
    assert f"a second <domain> on line {line}, after the one on line 1" in done.err
    assert "virt-install --print-xml 2" in done.err


# two directories compared


def test_a_directory_without_documents_is_not_compared(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run("diff", str(EXAMPLES), str(tmp_path / "empty"))
    assert (done.status, done.out) == (3, "")
    assert done.err.startswith(f"no domain XML in {tmp_path / 'empty'}")


def test_two_directories_are_compared_by_name(folder: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    shutil.copytree(folder, new)
    (new / "c.xml").unlink()
    (new / "a.xml").write_bytes(example("desktop").replace(b"qxl", b"cirrus"))
    done = run("diff", str(folder), str(new))
    assert done.status == 1
    assert done.out.splitlines()[0] == "==> a.xml <=="
    assert f"c.xml: only in {folder}\n" in done.err
    assert "below/b.xml: nothing moves" in done.err
    items = json.loads(run("diff", str(folder), str(new), "--format", "json").out)
    assert [(item["file"], item["schema"]) for item in items] == [
        ("a.xml", "pcisim.diff/1"),
        ("below/b.xml", "pcisim.diff/1"),
        ("c.xml", "pcisim.error/1"),
    ]
    assert items[2]["code"] == "no-counterpart"
