"""Differences of documents: ``patch`` makes the one of the other, whatever ends their lines."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import pcisim
from pcisim.formats.patch import difference
from tests.cli.running import example, process

needs_patch = pytest.mark.skipif(shutil.which("patch") is None, reason="needs patch")
CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "LF": lambda text: text,
    "CRLF": lambda text: text.replace(b"\n", b"\r\n"),
    "CR": lambda text: text.replace(b"\n", b"\r"),
    "one-line": lambda text: text.replace(b"\n", b" "),
    "no-newline-at-end": lambda text: text.rstrip(),
    "UTF-16": lambda text: text.decode().encode("utf-16"),
    "UTF-16-CR": lambda text: text.decode().replace("\n", "\r").encode("utf-16-be"),
    "other-line-ends": lambda text: text.replace(b"\n", "\x85\u2028\n".encode(), 3).replace(b"\n", b"\x0c\n"),
}


def patched(path: Path, text: bytes, diff: bytes) -> bytes:
    """Return what ``patch`` makes of a text."""
    path.write_bytes(text)
    subprocess.run(["patch", "--binary", "-s", str(path)], input=diff, check=True, timeout=60)
    return path.read_bytes()


@needs_patch
@pytest.mark.parametrize("change", CHANGES)
def test_patch_makes_the_one_of_the_other(change: str, tmp_path: Path) -> None:
    chance = random.Random(change)
    before = CHANGES[change](example("server"))
    for _ in range(5):
        lines = [line for line in example("server").splitlines(keepends=True) if chance.random() < 0.9]
        after = CHANGES[change](b"".join(lines + [b"<!-- new -->\n"] * chance.randrange(2)))
        diff = difference("guest.xml", before, after, "x")
        assert diff.startswith(b"--- guest.xml\n+++ guest.xml\tx\n".replace(b"x\n", b"(x)\n"))
        assert patched(tmp_path / "guest.xml", before, diff) == after


@needs_patch
@pytest.mark.parametrize("change", ["CR", "CRLF", "one-line", "UTF-16"])
@pytest.mark.parametrize("command", ["assign", "explain"])
def test_patches_of_the_commands_apply(command: str, change: str, tmp_path: Path) -> None:
    text = CHANGES[change](example("server" if command == "assign" else "conflict"))
    path = tmp_path / "guest.xml"
    path.write_bytes(text)
    words = ["assign", "--print-diff"] if command == "assign" else ["explain", "Attempted double use of PCI Address"]
    out = process([*words, str(path)]).stdout
    after = patched(path, text, out[out.index(b"--- ") :])
    assert after == pcisim.assign_xml(text) if command == "assign" else pcisim.assign_xml(after)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a b.xml", b"a b.xml"),
        ("é.xml", "é.xml".encode()),
        ("a\nb.xml", b'"a\\012b.xml"'),
        ('a"\\b.xml', b'"a\\042\\134b.xml"'),
        ("\x1b[31mé\udc9b.xml", b'"\\033[31m\\303\\251\\233.xml"'),
    ],
)
def test_names(name: str, shown: bytes) -> None:
    """As GNU diff writes them: no name sends anything to a terminal, and ``patch`` finds the file."""
    assert difference(name, b"a\n", b"b\n", "x").split(b"\n")[:2] == [b"--- " + shown, b"+++ " + shown + b"\t(x)"]


@needs_patch
def test_patch_finds_the_file_by_a_quoted_name(tmp_path: Path) -> None:
    path = tmp_path / 'a"\x1bé.xml'
    path.write_bytes(b"a\n")
    diff = difference(path.name, b"a\n", b"b\n", "x")
    subprocess.run(["patch", "-s"], input=diff, check=True, timeout=60, cwd=tmp_path)
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"b\n", [path.name])
