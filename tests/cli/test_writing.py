"""``pcisim assign --in-place`` and ``-o``: what becomes of files, on real disks, with real signals."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import pcisim
from pcisim import file_replacement
from pcisim.cli import COMMANDS, common, main
from tests.cli.running import EXAMPLES, PLAIN, Done, example, is_tidy, process, run
from tests.sampled import one_in

SERVER = str(EXAMPLES / "server.xml")
OLD = example("server")
NEW = pcisim.assign_xml(OLD)
KILLS = int(os.environ.get("PCISIM_KILLS", "15"))
"""How many runs are ended at a random moment, by each signal."""


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    path = tmp_path / "guest.xml"
    path.write_bytes(OLD)
    path.chmod(0o600)
    return path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    guest = small_disk / "guest.xml"
    guest.write_bytes(OLD.replace(b"</name>", b"</name><!--" + b"x" * 40_000 + b"-->"))
    before = guest.read_bytes()
    done = run("assign", "--in-place", str(guest))
    assert (done.status, done.out) == (3, "")
    assert done.err.startswith(f"cannot write {guest}: no space left on device\n  the file is as it was")
    done = run("assign", str(guest), "-o", str(small_disk / "new.xml"))
    assert done == Done(3, "", f"cannot write {small_disk / 'new.xml'}: no space left on device\n")
    assert (guest.read_bytes(), os.listdir(small_disk)) == (before, ["guest.xml"])


# what would be lost


@pytest.mark.parametrize("words", [["--in-place"], ["-o", "{}"]])
def test_a_loss_is_refused_unless_it_is_forced(words: list[str], guest: Path) -> None:
    words = [word.format(guest) for word in words]
    other = guest.with_name("other.xml")
    other.hardlink_to(guest)
    done = run("assign", str(guest), *words)
    assert (done.status, done.out) == (3, "")
    elsewhere = "; -o FILE writes the result elsewhere" if words == ["--in-place"] else ""
    assert done.err == (
        f"cannot replace {guest} without loss\n"
        "  it has other names (hard links), which would keep the old content\n"
        f"  to do: --force replaces it all the same{elsewhere}\n"
    )
    assert (guest.read_bytes(), guest.samefile(other)) == (OLD, True)
    assert run("assign", str(guest), *words, "--force").status == 0
    assert (guest.read_bytes(), other.read_bytes()) == (NEW, OLD)


def test_force_alone_is_a_mistake() -> None:
    assert run("assign", SERVER, "--force") == Done(2, "", "--force goes with --in-place and -o\n")


@pytest.mark.parametrize("words", [["--in-place"], ["-o", "{}"], ["-o", "link.xml"]])
def test_an_edit_between_reading_and_replacing_stays(
    words: list[str], guest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(guest.parent)
    Path("link.xml").symlink_to("guest.xml")
    write_file = common.write_file

    def late(*arguments: Any, **options: Any) -> None:
        guest.write_bytes(OLD.replace(b"server", b"servant"))
        write_file(*arguments, **options)

    monkeypatch.setattr(common, "write_file", late)
    words = [word.format(guest) for word in words]
    done = run("assign", str(guest), *words)
    name = guest if words[-1] != "link.xml" else "link.xml"
    assert done == Done(
        3, "", f"cannot write {name}: another program has changed it meanwhile\n  to do: run the command again\n"
    )
    assert guest.read_bytes() == OLD.replace(b"server", b"servant")
    assert sorted(os.listdir()) == ["guest.xml", "link.xml"]


def test_a_private_document_stays_private(guest: Path) -> None:
    """It may hold passwords; what else is made of it does not."""
    umask = os.umask(0o022)
    try:
        for form, mode in (("xml", 0o600), ("json", 0o644), ("addresses", 0o644)):
            new = guest.with_name(f"new.{form}")
            assert run("assign", str(guest), "-o", str(new), "--format", form).status == 0
            assert stat.S_IMODE(new.stat().st_mode) == mode
    finally:
        os.umask(umask)


# Ctrl-C and kills


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the file that is compared, unclosed
def test_ctrl_c_at_every_line_of_the_writing(guest: Path) -> None:
    """What is said of the file is so: nothing at all is right as well, before and after the writing."""
    said = set()
    for when in range(1000):
        guest.write_bytes(OLD)
        done, sent = _interrupted(when, guest)
        if not sent:
            break
        assert (done.status, done.out) == (130, "")
        new = guest.read_bytes() == NEW
        assert new or guest.read_bytes() == OLD
        assert done.err in ("", f"interrupted: {guest} is {'written' if new else 'as it was'}\n")
        assert os.listdir(guest.parent) == ["guest.xml"]
        said.add((new, done.err))
    assert done.status == 0
    assert len(said) == 4


def _interrupted(when: int, guest: Path) -> tuple[Done, bool]:
    """Run until a line of the writing, press Ctrl-C, and return what came of it and whether it was pressed."""
    left = when
    sent = False
    code = common.write_file.__code__

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal left, sent
        if frame.f_code.co_filename != file_replacement.__file__ and frame.f_code is not code:
            return None
        if event == "line" and not sent:
            left -= 1
            if left < 0:
                sent = True
                signal.raise_signal(signal.SIGINT)
        return trace

    sys.settrace(trace)
    try:
        return run("assign", "--in-place", str(guest)), sent
    finally:
        sys.settrace(None)


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", [*SIGNALS, signal.SIGKILL])
def test_kills_at_random_moments(number: signal.Signals, guest: Path) -> None:
    """The file is the old one or the new one, and its copies are removed, or private where nobody can remove them."""
    whole = [_seconds(guest) for _ in range(5)]
    chance = random.Random(number)
    seen = set()
    for _ in range(KILLS):
        guest.write_bytes(OLD)
        child = _child(guest)
        time.sleep(chance.uniform(0, 1.2 * max(whole)))
        os.kill(child, number)
        _, status = os.waitpid(child, 0)
        text = guest.read_bytes()
        assert text in (OLD, NEW)
        seen.add((text == NEW, os.waitstatus_to_exitcode(status)))
        assert os.waitstatus_to_exitcode(status) in (0, -number, 128 + number)
        left = [path for path in guest.parent.iterdir() if path != guest]
        if number != signal.SIGKILL:
            assert left == []
        for path in left:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            path.unlink()
    assert len(seen) > 1


def _child(guest: Path) -> int:
    """Run in a process that has imported everything already."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # or it would end in the midst of pytest
    child = os.fork()
    if not child:
        status = 130  # of Ctrl-C before or after `main`
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            status = main(["assign", "--in-place", str(guest)])
        finally:
            os._exit(status)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    return child


def _seconds(guest: Path) -> float:
    guest.write_bytes(OLD)
    begin = time.perf_counter()
    _, status = os.waitpid(_child(guest), 0)
    assert (status, guest.read_bytes()) == (0, NEW)
    return time.perf_counter() - begin


def test_a_run_that_is_refused_says_so_tidily(guest: Path) -> None:
    guest.write_bytes(example("conflict"))
    done = run("assign", "--in-place", str(guest))
    assert done.status == 1
    assert is_tidy(done.err)
    assert guest.read_bytes() == example("conflict")


# where a command runs, and what is around it


@pytest.mark.parametrize("command", COMMANDS)
def test_a_working_folder_that_is_gone(command: str, tmp_path: Path) -> None:
    """As in a terminal that was left open: names that need it cannot be read or written, and others can."""
    words = {"explain": ["text", "guest.xml"], "diff": ["guest.xml", "guest.xml"], "detach": ["guest.xml", "disk:vda"]}
    words["fits"] = ["guest.xml", "--add", "virtio-blk=1"]
    arguments = words.get(command, ["guest.xml"])
    done = _in_a_folder_that_is_gone(tmp_path, command, *arguments)
    assert done.status == (2 if command in ("example", "attach", "schema", "help") else 3)
    assert is_tidy(done.err)


def test_writing_in_a_folder_that_is_gone(tmp_path: Path) -> None:
    done = _in_a_folder_that_is_gone(tmp_path, "assign", SERVER, "-o", "new.xml")
    assert done == Done(3, "", "cannot write new.xml: no such file or directory\n")
    assert _in_a_folder_that_is_gone(tmp_path, "assign", SERVER).out.encode() == NEW
    assert _in_a_folder_that_is_gone(tmp_path, "assign", SERVER, "-o", str(tmp_path / "new.xml")).status == 0
    assert (tmp_path / "new.xml").read_bytes() == NEW


def _in_a_folder_that_is_gone(tmp_path: Path, *words: str) -> Done:
    folder = tmp_path / "gone"
    folder.mkdir()
    code = "import os, sys; os.rmdir(os.getcwd()); from pcisim.cli import main; sys.exit(main())"
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(EXAMPLES.parent), **PLAIN}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=folder, env=variables, capture_output=True, check=False, timeout=60
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize("how", ["name", "link", "hard-link"])
@pytest.mark.parametrize("option", ["-o", "--plot"])
def test_a_source_of_a_fleet_is_not_written_over(
    option: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = "guest.csv" if option == "-o" else "guest.svg"
    Path(source).write_bytes(b"name,machine\na,pc\n" if option == "-o" else OLD)
    target = {"name": f"./{source}", "link": f"link-{source}", "hard-link": f"hard-{source}"}[how]
    if how == "link":
        Path(target).symlink_to(source)
    elif how == "hard-link":
        Path(target).hardlink_to(source)
    before = Path(source).read_bytes()
    done = run("fleet", source, option, target)
    assert done == Done(2, "", f"{target} is read: it cannot be written too\n")
    assert Path(source).read_bytes() == before


@pytest.mark.parametrize("backend", one_in(2, ["nonsense", "module://nonsense", "TkAgg", ""]))
def test_pictures_need_no_backend(backend: str, tmp_path: Path) -> None:
    """`MPLBACKEND` is for those who open windows; a bad one stops matplotlib as it is imported."""
    words = ["fleet", SERVER, "--plot", str(tmp_path / "room.svg")]
    done = process(words, environment={"MPLBACKEND": backend, "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "room.svg").read_bytes().startswith(b"<?xml")
