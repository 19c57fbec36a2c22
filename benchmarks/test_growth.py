"""The law of time: every command takes time in proportion to its input, whatever it is made of.

Four times as much takes less than eight times as long; 64 KB of text take less than 2 seconds, 50,000 devices less
than 10.
"""

from __future__ import annotations

import itertools
import string
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pcisim.diagnose.texts import TEXTS
from tests.cli.running import Done, run

FEW, MANY = 12_500, 50_000
SECONDS, TEXT_SECONDS = 10.0, 2.0
GROWTH = 8.0
LEAST = 0.15
"""What takes less than so many seconds says nothing of how it grows."""
TEXT = 1 << 16

_NAMES = ["".join(name) for name in itertools.islice(itertools.product(string.ascii_lowercase, repeat=4), MANY)]
DEVICES: dict[str, Callable[[int], str]] = {
    "tablets": lambda n: "<input type='tablet' bus='usb'/>",
    "usb-disks": lambda n: f"<disk type='file'><source file='/{n}'/><target dev='sd{_NAMES[n]}' bus='usb'/></disk>",
    "scsi-disks": lambda n: f"<disk type='file'><source file='/{n}'/><target dev='sd{_NAMES[n]}' bus='scsi'/></disk>",
    "channels": lambda n: f"<channel type='unix'><target type='virtio' name='c{n}'/></channel>",
    "cards": lambda n: "<interface type='user'><model type='virtio'/></interface>",
    "addresses": lambda n: (
        "<interface type='user'><model type='e1000'/><address type='pci' domain='0x0000'"
        f" bus='0x{n % 255:02x}' slot='0x{n // 255 % 32:02x}' function='0x{n // 8160}'/></interface>"
    ),
    "bridges": lambda n: f"<controller type='pci' index='{n + 1}' model='pcie-root-port'/>",
}
COMMANDS = (
    ("assign", "--format=json"), ("assign", "--format=qemu"), ("assign", "--print-diff"), ("assign", "--reassign"),
    ("tree",), ("fits", "--add=virtio-net"), ("check",), ("attach", "--device=virtio-net"),
    ("explain", "No more available PCI slots"),
)  # fmt: skip


def document(device: Callable[[int], str], count: int) -> bytes:
    """Return a guest with so many devices, on one line."""
    devices = "".join(map(device, range(count)))
    return (
        f"<domain><os><type arch='x86_64' machine='q35'>hvm</type></os><devices>{devices}</devices></domain>".encode()
    )


def timed(*words: str, given: bytes = b"") -> tuple[float, Done]:
    """Return the seconds that a call computes, the less of two, and what it says."""
    least = SECONDS * GROWTH
    for _ in range(2):
        begin = time.process_time()
        done = run(*words, given=given)
        least = min(least, time.process_time() - begin)
        if least > LEAST:
            break
    assert done.status in (0, 1), done.err
    return least, done


@pytest.mark.parametrize("devices", DEVICES)
def test_devices(devices: str) -> None:
    """All of them stand on one line."""
    few, many = (document(DEVICES[devices], count) for count in (FEW, MANY))
    slow = {}
    for words in COMMANDS:
        before, after = (timed(*words, "-", given=data)[0] for data in (few, many))
        if after > SECONDS or after > GROWTH * max(before, LEAST):
            slow[words] = (before, after)
    assert not slow


@pytest.mark.parametrize("words", [("diff",), ("assign", "--keep")])
def test_two_documents(words: tuple[str, ...], tmp_path: Path) -> None:
    seconds = []
    for count in (FEW, MANY):
        for name, less in (("old.xml", count // 10), ("new.xml", 0)):
            (tmp_path / name).write_bytes(document(DEVICES["tablets"], count - less))
        seconds.append(timed(*words, str(tmp_path / "old.xml"), str(tmp_path / "new.xml"))[0])
    assert seconds[1] < SECONDS
    assert seconds[1] < GROWTH * max(seconds[0], LEAST)


def test_texts() -> None:
    """What a text repeats is part of a pattern, or no word of any."""
    parts = {piece.strip() for row in TEXTS for pattern in row.patterns for piece in pattern.split("*")} - {""}
    texts = [f"{part} " for part in parts] + [f"{part}x" for part in parts]
    texts += [f"{' '.join(pattern.split('*')[:-1])} " for row in TEXTS for pattern in row.patterns if "*" in pattern]
    unknown = " ".join(_NAMES)
    for text in [unknown, "x" * TEXT, "* " * TEXT, *texts]:
        whole = (text * (TEXT // len(text) + 1))[:TEXT]
        begin = time.process_time()
        run("explain", "-", given=whole.encode())
        assert time.process_time() - begin < TEXT_SECONDS, text[:80]


def test_tables(tmp_path: Path) -> None:
    """Rows of a table, sound ones and broken ones, each in proportion to its length."""
    for line in ("a,pc\n", '"a,pc\n', 'a"b,pc\n', '"a\nb",pc\n', '"' + "\n" * 99, ",\n", "\r\r\r\n"):
        seconds = []
        for count in (FEW, MANY):
            (tmp_path / "t.csv").write_text("name,machine\n" + line * (count // (1 + line.count("\n") // 10)))
            seconds.append(timed("fleet", "--workers=1", str(tmp_path / "t.csv"))[0])
        assert seconds[1] < SECONDS, line
        assert seconds[1] < GROWTH * max(seconds[0], LEAST), line
