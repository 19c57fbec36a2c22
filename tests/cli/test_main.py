"""The command line as a whole: options, exit statuses, streams that are closed, full or not UTF-8."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import IO

import pytest

import pcisim
from pcisim.catalogue.devices import CONTROLLER_MODELS, DEVICE_MODELS
from pcisim.cli import COMMANDS, assign, common, main, parser, terminal
from tests.cli.running import EXAMPLES, PLAIN, Done, example, is_tidy, process, run

DESKTOP = str(EXAMPLES / "desktop.xml")
CONFLICT = str(EXAMPLES / "conflict.xml")


def test_version() -> None:
    assert run("--version") == Done(0, f"pcisim {pcisim.__version__}\n", "")


@pytest.mark.parametrize("words", [["--help"], ["assign", "--help"], ["tree", "-h"], ["example", "--help"]])
def test_help_goes_to_standard_output(words: list[str]) -> None:
    done = run(*words)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("usage: pcisim")
    assert max(map(len, done.out.splitlines())) <= 120


def test_the_examples_of_the_help_work(tmp_path: Path) -> None:
    """Each line that the help shows is run, with a guest of ours where it names one."""
    (tmp_path / "guest.xml").write_bytes(example("desktop"))
    lines = [
        line.split("   ")[0].strip()
        for words in ([], ["assign"], ["tree"], ["example"])
        for line in run(*words, "--help").out.partition("example")[2].splitlines()
        if re.match(r"  (virsh|pcisim) ", line)
    ]
    assert len(lines) >= 11
    for line in lines:
        shown = line.replace("virsh dumpxml vm", "cat guest.xml").replace("pcisim", f"{sys.executable} -m pcisim")
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", shown],
            cwd=tmp_path,
            capture_output=True,
            check=False,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(EXAMPLES.parent), **PLAIN},
        )
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False), line


@pytest.mark.parametrize(
    ("words", "headline"),
    [
        ([], "no command is given"),
        (["frobnicate"], "argument COMMAND: invalid choice: 'frobnicate'"),
        (["assign", "--frobnicate", DESKTOP], "unrecognized arguments: --frobnicate"),
        (["assign", "--mach", "q35"], "unrecognized arguments: --mach"),
        (["detach", DESKTOP, "pci:1", "--frobnicate", "x"], "unrecognized arguments: --frobnicate"),
        (["assign", DESKTOP, DESKTOP, "-o", "x"], "-o takes the answer of one guest, and several are named"),
        (["assign", "--format", "yaml", DESKTOP], "argument --format: invalid choice: 'yaml'"),
        (["assign", "--in-place", "-o", "x", DESKTOP], "argument -o/--output: not allowed with argument --in-place"),
        (["assign"], "no guest: neither a file nor --machine is given"),
        (["tree"], "no guest: neither a file nor --machine is given"),
        (["tree", DESKTOP, "--machine", "q35"], "both a file and --machine are given"),
        (["assign", DESKTOP, "--device", "virtio-blk"], "--device goes with --machine"),
        (["assign", DESKTOP, "--arch", "aarch64"], "--arch goes with --machine"),
        (["assign", "--machine", "q35", "--host-pci", "auto"], "--host-pci goes with a file"),
        (["assign", "--machine", "q35", "--device", "virtio-block"], "unknown device 'virtio-block'"),
        (["assign", "--machine", "q35", "--device", "virtio-blk,bus=1"], "--device virtio-blk,bus=1: unknown property"),
        (
            ["assign", "--machine", "q35", "--device", "vga,count=-1"],
            "--device vga,count=-1: '-1' is not a valid count",
        ),
        (["assign", "--machine", "q35", "--device", "vga,count="], "--device vga,count=: '' is not a valid count"),
        (["assign", "--machine", "q35", "--device", f"vga,count={'9' * 5000}"], "--device vga,count=999"),
        (["assign", DESKTOP, "--libvirt", "6.9"], "libvirt 6.9 is older than 7.0"),
        (["assign", DESKTOP, "--policy", "chaos"], "unknown policy 'chaos'"),
        (["assign", DESKTOP, "--runnable"], "--runnable goes with --format qemu"),
        (["assign", DESKTOP, "--in-place", "--format", "json"], "--in-place and --print-diff go with --format xml"),
        (["assign", DESKTOP, "--print-diff", "--format", "qemu"], "--in-place and --print-diff go with --format xml"),
        (["assign", "-", "--in-place"], "--in-place needs a file"),
        (["assign", "--machine", "pc", "--in-place"], "--in-place needs a file"),
        (["assign", "--machine", "pc", "--print-diff"], "--print-diff needs a file"),
        (["assign", DESKTOP, "--explain", "disk:vdz"], "no device 'disk:vdz' with a PCI address"),
        (
            ["assign", DESKTOP, "--explain", "disk:vda", "--in-place"],
            "--explain prints an explanation and nothing else",
        ),
        (["assign", DESKTOP, "--explain", "disk:vda", "-o", "x"], "--explain prints an explanation and nothing else"),
        (["assign", DESKTOP, "--host-pci", "0000:06:12.0"], "--host-pci 0000:06:12.0: neither ADDRESS=pci nor auto"),
        (["assign", DESKTOP, "--host-pci", "auto", "--host-pci", "1:2.3=pci"], "--host-pci auto: neither ADDRESS=pci"),
        (["assign", DESKTOP, "--host-pci", "zz:1.0=pci"], "--host-pci zz:1.0=pci: Invalid PCI address 'zz:1.0'"),
        (["assign", DESKTOP, "--host-pci", "1:2.3=isa"], "host device 1:2.3 cannot be 'isa'"),
        (["example", "frobnicate"], "no example 'frobnicate'"),
    ],
)
def test_wrong_calls(words: list[str], headline: str) -> None:
    done = run(*words)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(headline)
    assert is_tidy(done.err)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_takes_two_dashes_for_a_word(command: str) -> None:
    """Python 3.11 makes a list of ``--option=--``; here it is a bad word, or a good one where any is."""
    (actions,) = (action for action in parser(command)._actions if isinstance(action, argparse._SubParsersAction))
    for action in actions.choices[command]._actions:
        if action.option_strings and action.nargs is None and action.dest not in ("output", "plot", "scheduler"):
            for option in action.option_strings:
                done = run(command, f"{option}=--" if option.startswith("--") else f"{option}--", DESKTOP)
                assert done.status in (0, 1, 2, 3), (option, done.err)


@pytest.mark.parametrize(
    "words",
    [
        ["guest", "--machine", f"pc-q35-{'9' * 5000}.1", "--device", "virtio-net"],
        ["guest", "--machine", f"pc-q35-9.{'9' * 5000}"],
        ["lspci", "--machine", "q35", "-s", "9" * 5000],
        ["tree", "--machine", "q35", "--libvirt", "9" * 5000],
        ["guest", "--machine", "q35", "--naming-scheme", f"v{'9' * 5000}"],
        ["assign", "--format", "qemu", "--machine", f"pc-q35-{'9' * 5000}.1"],
        ["fits", "--machine", "q35", "--add", f"virtio-blk={'9' * 5000}"],
    ],
)
def test_numbers_of_five_thousand_digits(words: list[str]) -> None:
    """More than `int` takes."""
    done = run(*words)
    assert done.status in (0, 2), done.err
    assert is_tidy(done.err) or not done.status


@pytest.mark.parametrize("columns", ["9" * 5000, "99999999999", "0", "-1", "x", "²"])
def test_any_width_of_a_terminal(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PLAIN, "COLUMNS", columns)
    assert run("tree", "--help").status == 0


def test_lists_the_devices() -> None:
    done = run("assign", "--device=?")
    assert (done.status, done.err) == (0, "")
    assert [line.split()[0] for line in done.out.splitlines()] == [*DEVICE_MODELS, *CONTROLLER_MODELS]
    assert "virtio-blk                 <disk> virtio\n" in done.out
    assert "lsi                        <controller type='scsi'> lsilogic\n" in done.out
    assert run("tree", "--machine", "q35", "--device", "?") == done


@pytest.mark.parametrize("words", [["--debug", "assign", CONFLICT], ["assign", "--debug", CONFLICT]])
def test_debug_shows_a_traceback_and_the_complaint(words: list[str]) -> None:
    done = run(*words)
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("Traceback (most recent call last):\n")
    assert done.err.endswith(run("assign", CONFLICT).err)


@pytest.mark.parametrize("debug", [False, True])
def test_a_defect_is_said_to_be_one(debug: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise ZeroDivisionError("oh no\nreally")

    monkeypatch.setattr(assign, "run", broken)
    monkeypatch.setattr(assign, "add_parser", lambda commands: commands.add_parser("assign").set_defaults(run=broken))
    done = run(*(["--debug"] if debug else []), "assign")
    assert (done.status, done.out) == (70, "")
    assert done.err.endswith(
        "internal error: ZeroDivisionError: oh no\\nreally\n"
        "  this is a defect of pcisim; please report it with the input and the output of --debug\n"
    )
    assert done.err.startswith("Traceback") is debug


# other architectures


@pytest.mark.parametrize(
    ("arch", "machine", "lines"),
    [
        (
            "aarch64",
            "virt",
            [
                "virt (aarch64)",
                "bus 0x00 pcie-root",
                "├─ 00.0 generic host bridge (built-in)",
                "├─ 01.0 pci:1 pcie-root-port -> bus 0x01",
                "│  └─ 00.0 disk:vda virtio",
                "└─ 01.1 pci:2 pcie-root-port -> bus 0x02 [free]",
                "free slots: cold 31 PCI Express + 0 conventional, hot 1 PCI Express + 0 conventional",
            ],
        ),
        (
            "ppc64",
            "",
            [
                "pseries (ppc64)",
                "bus 0x00 pci-root",
                "├─ 01.0 usb:0 qemu-xhci",
                "├─ 02.0 disk:vda virtio",
                "└─ 03.0 memballoon:0 virtio",
                "free slots: cold 0 PCI Express + 28 conventional, hot 0 PCI Express + 28 conventional",
            ],
        ),
        (
            "s390x",
            "s390-ccw-virtio",
            [
                "s390-ccw-virtio (s390x)",
                "bus 0x00 pci-root",
                "free slots: cold 0 PCI Express + 31 conventional, hot 0 PCI Express + 31 conventional",
            ],
        ),
    ],
)
def test_other_architectures(arch: str, machine: str, lines: list[str]) -> None:
    done = run("tree", "--arch", arch, "--machine", machine, "--device", "virtio-blk")
    assert (done.status, done.out.splitlines(), done.err) == (0, lines, "")


def test_numbers_of_s390_are_in_every_format() -> None:
    words = ("assign", "--arch", "s390x", "--machine", "", "--device", "e1000", "--format")
    assert "<zpci uid='0x0001' fid='0x00000000'/></address>" in run(*words, "xml").out
    assert run(*words, "addresses").out == (
        "interface:0 <address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0'>"
        "<zpci uid='0x0001' fid='0x00000000'/></address>\n"
    )
    assert json.loads(run(*words, "json").out)["devices"][0]["zpci"] == {"uid": 1, "fid": 0}


@pytest.mark.parametrize("command", [["guest"], ["lspci"], ["tree", "--view", "guest"]])
def test_what_a_guest_of_another_architecture_sees_is_not_covered(command: list[str]) -> None:
    done = run(*command, "--arch", "aarch64", "--machine", "virt", "--device", "virtio-net")
    assert (done.status, done.out) == (4, "")
    assert done.err.startswith("what a guest of aarch64 sees is not covered\n")


def test_where_qemu_places_on_pseries_is_not_covered() -> None:
    done = run("tree", "--arch", "ppc64", "--machine", "pseries", "--policy", "qemu")
    assert (done.status, done.out) == (4, "")
    assert done.err.startswith("where QEMU places on machine type 'pseries' of ppc64 is not covered\n")


def test_a_machine_of_another_architecture() -> None:
    done = run("tree", "--machine", "virt")
    assert done.status == 1
    assert "a virt is a machine of aarch64, armv7l, armv6l, riscv64, riscv32, loongarch64" in done.err


def test_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("pcisim.cli.common.read_bytes", interrupted)
    assert run("assign", "x") == Done(130, "", "")


def test_interrupted_while_it_waits_for_input() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "pcisim", "tree", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(EXAMPLES.parent), **PLAIN},
        # a job in the background ignores the interrupt, and hands that on
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as child:
        assert child.stdin is not None
        child.stdin.write(b"<domain")
        child.stdin.flush()
        deadline = time.monotonic() + 60
        while _unread(child.stdin):  # what is read is read by the command
            assert time.monotonic() < deadline
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (130, b"", b"")


def _unread(pipe: IO[bytes]) -> int:
    """Return how many bytes in a pipe nobody has read yet."""
    count = fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4)
    return int.from_bytes(count, sys.byteorder)


# streams


@pytest.mark.parametrize(
    "words",
    [
        ["tree", DESKTOP],
        ["assign", DESKTOP],
        ["assign", "--machine", "q35", "--device", "virtio-blk,count=150"],
        ["assign", "--machine", "q35", "--device", "virtio-blk,count=150", "--format", "json"],
        ["assign", "--device=?"],
        ["example", "desktop"],
        ["assign", "--help"],
    ],
)
@pytest.mark.parametrize("reader", ["head -n 1", "true"])
def test_a_closed_pipe_ends_in_silence(words: list[str], reader: str) -> None:
    done = process(words, shell=f'| {reader} >/dev/null; exit "${{PIPESTATUS[0]}}"')
    assert done.returncode == 0
    assert b"roken" not in done.stderr
    assert b"rror" not in done.stderr


@pytest.mark.parametrize("stream", [">&-", "> /dev/full"])
@pytest.mark.parametrize("words", [["tree", DESKTOP], ["assign", DESKTOP], ["example"], ["example", "server"]])
def test_output_that_cannot_be_written(words: list[str], stream: str) -> None:
    done = process(words, shell=stream)
    reason = "standard output is closed" if stream == ">&-" else "no space left on device"
    assert (done.returncode, done.stderr.decode()) == (3, f"cannot write the output: {reason}\n")


def test_help_that_cannot_be_written() -> None:
    done = process(["--help"], shell="> /dev/full")
    assert (done.returncode, done.stderr) == (3, b"cannot write the output: no space left on device\n")


@pytest.mark.parametrize("stream", ["2>&-", "2> /dev/full", "2> >(exec true)"])
def test_complaints_that_nobody_can_get(stream: str) -> None:
    """The status is the same, and nothing that belongs on stderr comes out on stdout."""
    assert process(["tree", CONFLICT], shell=stream).returncode == 1
    assert process(["tree", CONFLICT], shell=stream).stdout == b""
    assert process(["frobnicate"], shell=stream).returncode == 2
    done = process(["assign", DESKTOP], shell=stream)
    assert (done.returncode, done.stdout) == (0, run("assign", DESKTOP).out.encode())


def test_closed_input() -> None:
    done = process(["tree", "-"], shell="<&-")
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr == b"cannot read standard input: it is closed\n"


def test_python_m_is_the_same() -> None:
    done = process(["tree", DESKTOP])
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, run("tree", DESKTOP).out, b"")


@pytest.mark.parametrize(
    "variables", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_a_terminal_without_box_characters(variables: dict[str, str]) -> None:
    done = process(["tree", DESKTOP], environment=variables)
    drawn = run("tree", DESKTOP).out
    for box, plain in (("├─", "|-"), ("└─", "`-"), ("│", "|")):
        drawn = drawn.replace(box, plain)
    assert (done.returncode, done.stdout.decode("ascii"), done.stderr) == (0, drawn, b"")


def test_the_same_in_latin_1_and_utf_16() -> None:
    assert run("tree", DESKTOP, encoding="latin-1").out == run("tree", DESKTOP, encoding="ascii").out
    assert run("tree", DESKTOP, encoding="utf-16").out == run("tree", DESKTOP).out


def test_a_file_name_that_is_no_utf_8(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.xml"
    with open(name, "wb") as stream:
        stream.write(example("conflict"))
    done = process([b"tree", name])
    assert (done.returncode, done.stdout) == (1, b"")
    shown = os.fsencode(tmp_path) + b"/caf\\xe9.xml"
    assert done.stderr.startswith(shown + b":15: Attempted double use of PCI Address 0000:00:08.0\n")
    ascii_only = process([b"tree", name], environment={"PYTHONIOENCODING": "ascii"})
    assert ascii_only.stderr.startswith(shown + b":15: Attempted")


def test_control_characters_of_a_document_do_not_reach_the_terminal() -> None:
    text = b"<domain><os><type>hvm</type></os><devices><rng model='a&#10;b&#x9b;31m&#x202e;'/></devices></domain>"
    done = run("tree", "-", given=text)
    assert done.status == 3
    assert done.err.startswith(
        "<stdin>:1: Invalid value for attribute 'model' in element 'rng': 'a\\nb\\x9b31m\\u202e'.\n"
    )
    assert is_tidy(done.err)


def test_output_streams_without_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    """`contextlib.redirect_stdout` with a StringIO works too."""
    import contextlib
    import io

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert main(["tree", DESKTOP]) == 0
        assert main(["tree", CONFLICT]) == 1
    assert out.getvalue() == run("tree", DESKTOP).out
    assert err.getvalue() == run("tree", CONFLICT).err
    assert capsys.readouterr() == ("", "")


# terminals


def on_a_terminal(words: list[str], environment: dict[str, str], *, reads: bool = False, status: int = 0) -> str:
    """Return what a command writes on a terminal, which may be its standard input, too."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "pcisim", *words],
        stdin=follower if reads else subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
        env={"PYTHONPATH": str(EXAMPLES.parent), **PLAIN, **environment},
    ) as child:
        os.close(follower)
        pieces = []
        try:
            while piece := os.read(leader, 65536):
                pieces.append(piece)
        except OSError:  # how Linux says that the other end is closed
            pass
        assert child.wait(timeout=60) == status
    os.close(leader)
    return b"".join(pieces).decode().replace("\r\n", "\n")


def test_colours_on_a_terminal() -> None:
    pytest.importorskip("rich")
    coloured = on_a_terminal(["tree", DESKTOP], {"COLUMNS": "120"})
    assert "\x1b[32m[free]\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == run("tree", DESKTOP).out


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colours_where_they_are_not_wanted(variables: dict[str, str]) -> None:
    assert on_a_terminal(["tree", DESKTOP], variables) == run("tree", DESKTOP).out


def test_an_empty_no_color_says_nothing() -> None:
    pytest.importorskip("rich")
    assert "\x1b[" in on_a_terminal(["tree", DESKTOP], {"NO_COLOR": ""})


def test_a_terminal_without_rich(tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("raise ImportError('not installed')\n", encoding="ascii")
    path = f"{tmp_path}:{EXAMPLES.parent}"
    assert on_a_terminal(["tree", DESKTOP], {"PYTHONPATH": path}) == run("tree", DESKTOP).out


def test_complaints_on_a_terminal_that_is_not_utf_8() -> None:
    assert terminal.can_show("├")
    assert run("tree", "é.xml", encoding="ascii").err.startswith("cannot read \\xe9.xml: no such file or directory\n")


@pytest.mark.parametrize("columns", ["", "0", "40", "-3", "x", "²"])
def test_help_is_as_wide_as_the_terminal(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    own = common.HelpFormatter("pcisim")._width
    assert own == argparse.RawDescriptionHelpFormatter("pcisim")._width


# what a command loads


@pytest.mark.parametrize("words", [["assign", DESKTOP], ["tree", DESKTOP], ["assign", DESKTOP, "--format", "json"]])
def test_loads_nothing_heavy(words: list[str]) -> None:
    code = (
        "import json, sys; from pcisim.cli import main; status = main(sys.argv[1:]);"
        "heavy = {'numpy', 'matplotlib', 'rich', 'hypothesis', 'asyncio', 'multiprocessing'} & set(sys.modules);"
        "print(json.dumps([status, sorted(heavy)]), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        check=True,
        env={"PYTHONPATH": str(EXAMPLES.parent), **PLAIN},
    )
    assert json.loads(done.stderr.splitlines()[-1]) == [0, []]
