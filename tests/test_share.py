"""Man pages and completions: those of `share` are those of the parser, and a shell takes them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import pcisim
from pcisim.cli import COMMANDS, parser
from tools.share import COMPLETIONS, FILES, SHARE, WORDS, commands_of, share_files

PACKAGE = Path(pcisim.__file__).parent
_PROBE = """
source "$0"
COMP_WORDS=("$@") COMP_CWORD=$(( $# - 1 ))
$(complete -p pcisim | sed 's/.*-F \\([^ ]*\\).*/\\1/')
printf '%s\\n' "${COMPREPLY[@]}"
"""


def test_what_is_kept_is_what_the_parser_gives() -> None:
    texts = share_files()
    kept = {path.relative_to(SHARE).as_posix() for path in SHARE.rglob("*") if path.is_file()}
    assert kept == texts.keys(), "make share"
    stale = [name for name, text in texts.items() if (SHARE / name).read_text(encoding="utf-8") != text]
    assert not stale, "make share"


def test_every_command_has_a_page() -> None:
    pages = {path.stem for path in (SHARE / "man/man1").glob("*.1")}
    assert pages == {"pcisim", *(f"pcisim-{name}" for name in COMMANDS)}


def test_what_is_completed_is_there() -> None:
    actions = [action for one in commands_of(parser()).choices.values() for action in one._actions]
    assert {*WORDS, *FILES} <= {name for action in actions for name in (action.dest, *action.option_strings)}


def test_nothing_of_it_has_a_date() -> None:
    for path in SHARE.rglob("*.1"):
        assert re.match(r'\.TH PCISIM\S* "1" "" ', path.read_text(encoding="utf-8")), path.name


@pytest.mark.parametrize(
    ("words", "answers"),
    [
        (("a",), {"assign", "attach"}),
        (("assign", "--fo"), {"--format", "--force"}),
        (("capacity", "--format", ""), {"text", "json"}),
        (("capacity", "--of", "virtio-bl"), {"virtio-blk"}),
        (("example", "desk"), {"desktop"}),
        (("tree", "--format", "=", "j"), {"json"}),
        (("tree", "--format", "="), {"text", "json"}),
        (("fits", "--add", "virtio-blk", "=", "3", "--ho"), {"--host-pci", "--hotplug"}),
        (("assign", "--policy", "hotplug", ":", "spare", "=", "4", "--format", "q"), {"qemu"}),
    ],
)
def test_bash_completes(words: tuple[str, ...], answers: set[str]) -> None:
    call = ["bash", "-c", _PROBE, str(SHARE / COMPLETIONS["bash"]), "pcisim", *words]
    done = subprocess.run(call, capture_output=True, text=True, timeout=30, check=True)
    assert set(done.stdout.split()) == answers


def test_the_package_needs_no_generator() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert not re.search(r"\b(shtab|argparse_manpage)\b", path.read_text(encoding="utf-8")), path.name
