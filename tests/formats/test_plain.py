"""Text for terminals and shells: nothing in it moves a cursor, turns text around or runs a command."""

from __future__ import annotations

import shutil
import subprocess
import unicodedata

import pytest

from pcisim.formats.plain import printable, printable_lines, shell_word
from tests.cli.running import run

BASH = shutil.which("bash") or ""
WORDS = (
    "plain", "two words", "it's", "", "a'b\"c\\d", "$(id)`id`", "\x1b[31m", "\x9b31m", "\u202eabc", "é", "new\nline",
    "tab\t", "'\x07'", "\\\x01\\", "caf\udce9", "\x7f", "~", "-x", "\u2028", "!x",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("é \N{SNOWMAN}", "é \N{SNOWMAN}"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\x9bb\u202e", "a\\x9bb\\u202e"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("caf\udce9.xml", "caf\\xe9.xml"),
        ("\udc9b31m", "\\x9b31m"),
        ("\ud800", "\\ud800"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable_lines(text) == shown.replace("\\n", "\n").replace("\\t", "\t")


def test_no_control_character_is_left() -> None:
    for code in range(0x110000):
        char = chr(code)
        kind, direction = unicodedata.category(char), unicodedata.bidirectional(char)
        if kind in ("Cc", "Cs", "Zl", "Zp") or direction in (
            "LRE",
            "RLE",
            "PDF",
            "LRO",
            "RLO",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        ):
            assert printable(char).isascii(), hex(code)
            assert printable_lines(char).isascii(), hex(code)


@pytest.mark.skipif(not BASH, reason="needs bash")
@pytest.mark.parametrize("word", WORDS)
def test_a_shell_reads_a_word_back(word: str) -> None:
    written = shell_word(word)
    assert printable(written) == written
    done = subprocess.run([BASH, "-c", f"printf %s {written}"], capture_output=True, check=True, timeout=60)
    assert done.stdout == word.encode("utf-8", "surrogateescape")


GUEST = (
    "<domain><os><type machine='pc-q35-&#x9b;31m&#x202e;'>hvm</type></os><devices>"
    "<disk type='file'><target dev='vda' bus='virtio'/><alias name='ua-&#x9b;31m&#x202e;'/></disk>"
    "<interface type='user'><model type='virtio'/><alias name='ua-&#10;x&#x9b;'/></interface>"
    "</devices></domain>"
)


@pytest.mark.parametrize("words", [["assign", "--format", "qemu"], ["assign", "--format", "addresses"], ["tree"]])
def test_what_a_document_says_reaches_no_terminal(words: list[str]) -> None:
    done = run(*words, "-", given=GUEST.encode())
    assert done.status == 0
    assert printable_lines(done.out) == done.out
    if "qemu" in words:
        assert done.out.startswith("-machine $'pc-q35-\\302\\23331m\\342\\200\\256,acpi=off' \\\n")
