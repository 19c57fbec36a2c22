"""No line is wider than the terminal, and no word is broken: in every help, in every answer for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcisim.cli import COMMANDS
from pcisim.cli.wrapping import wrapped
from tests.cli.running import EXAMPLES, run

WIDTHS = (60, 80, 120)
DESKTOP, SERVER, CONFLICT = (str(EXAMPLES / f"{name}.xml") for name in ("desktop", "server", "conflict"))
NESTED = ("--machine", "q35", "--device", "pcie-root-port", "--device", "e1000=40", "--device", "virtio-net=9")
ANSWERS: tuple[tuple[str, ...], ...] = (
    ("assign", "--format", "addresses", DESKTOP),
    ("assign", "--explain", "disk:vda", DESKTOP),
    ("assign", CONFLICT, "-o", "/dev/null"),
    ("assign", "--device=help"),
    ("assign", "--policy=help"),
    ("tree", DESKTOP, SERVER),
    ("tree", *NESTED),
    ("tree", "--view", "guest", DESKTOP),
    ("guest", *NESTED),
    ("lspci", "-v", DESKTOP),
    ("lspci", "-tv", DESKTOP),
    ("capacity", DESKTOP, "--of", "virtio-blk"),
    ("capacity", *NESTED),
    ("capacity", "-v", *NESTED),
    ("fits", SERVER, "--add", "virtio-blk=60"),
    ("fits", "--machine", "q35", "--add", "virtio-blk=300"),
    ("recommend", "--machine", "q35", "--device", "virtio-blk=300"),
    ("attach", DESKTOP, "--device", "virtio-net=4"),
    ("detach", DESKTOP, "memballoon:0"),
    ("check", str(EXAMPLES)),
    ("check", "--limits", "rhel7", SERVER),
    ("check", "--limits", "help"),
    ("explain", "No more available PCI slots", DESKTOP),
    ("diff", DESKTOP, SERVER),
    ("fleet", str(EXAMPLES), "--workers", "1"),
    ("example",),
    ("schema",),
    ("frobnicate",),
    ("tree", "--frobnicate"),
    ("-v", "tree", DESKTOP),
)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_helps(command: str) -> None:
    words = [command] if command else []
    wide = run(*words, "--help", columns=1000).out.split()
    for width in WIDTHS:
        shown = run(*words, "--help", columns=width).out
        assert max(map(len, shown.splitlines())) <= width, shown
        assert [word for word in shown.split() if word != "\\"] == wide


@pytest.mark.parametrize("words", ANSWERS, ids=lambda words: " ".join(words)[-50:])
def test_answers(words: tuple[str, ...]) -> None:
    piped = run(*words)
    for width in WIDTHS:
        done = run(*words, columns=width)
        assert done.status == piped.status
        streams = ((done.out, piped.out), (done.err, piped.err))
        for shown, plain in streams[: 1 if "fleet" in words else 2]:  # a progress bar is on the other
            said = [word for word in plain.split() if word not in "├─└─│"]
            assert [word for word in shown.split() if word not in "├─└─│"] == said
            for line in shown.splitlines():
                assert len(line) <= width or len(line.strip().split()[-1]) >= width // 2, line


@given(st.text("ab │├─└ ", max_size=60), st.integers(8, 40))
def test_nothing_is_lost_and_nothing_is_broken(line: str, width: int) -> None:
    shown = list(wrapped([line], width))
    marks = set("│├─└")
    assert [w for each in shown for w in each.split() if not set(w) <= marks] == [
        w for w in line.split() if not set(w) <= marks
    ]
    for each in shown:
        assert len(each) <= width or len(each.split()) == 1 or set("".join(each.split()[:-1])) <= marks


def test_documents_and_data_are_as_they_are() -> None:
    for words in (
        ("assign",),
        ("assign", "--format", "json"),
        ("assign", "--format", "qemu"),
        ("check", "--format", "json"),
    ):
        assert run(*words, DESKTOP, columns=40).out == run(*words, DESKTOP).out
