"""One call of a command, and what is promised of each: docs/files.md."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.cli.running import Done, run
from tests.cli.schemas import complaints, documents
from tests.fuzz import damage

SECONDS = 10
"""How long a call may take of a processor."""
WAITING = 60
"""How many seconds a call may take on a machine that does other things too."""
STATUSES = (0, 1, 2, 3, 4)
_UNSEEN = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_GUEST_OPTIONS = ("--libvirt=9.0", "--policy=qemu", "--host-pci=0000:06:12.0=pci", "--max-size=1")
_FORMATS = {
    "assign": ("--format=json", "--format=qemu", "--format=addresses", "--explain=pci:1"),
    "tree": ("--format=json", "--view=guest", "--libvirt=9.0"),
    "guest": ("--format=json", "--firmware=ovmf", "--naming-scheme=latest"),
    "lspci": ("-v", "-t", "-n", "-D", "-s=3"),
    "capacity": ("--format=json", "--of=virtio-net"),
    "fits": ("--add=virtio-net=2", "--add=e1000=3", "--hotplug", "--format=json"),
    "check": (
        "--format=json",
        "--format=github",
        "--format=sarif",
        "--format=junit",
        "--strict",
        "-v",
        "--limits=rhel7",
    ),
    "attach": ("--device=virtio-net", "--device=e1000,count=2", "--format=json"),
    "diff": ("--format=json",),
    "fleet": ("--format=json", "--format=csv", "--format=jsonl", "--add=virtio-net=1", "--workers=1"),
}
_TEXTS = (
    "error: XML error: Attempted double use of PCI Address 0000:00:05.0",
    "internal error: No more available PCI slots",
    "PCI: slot 3 function 0 not available for virtio-net-pci, in use by e1000",
)


class Call(NamedTuple):
    """A call: its words, standard input, and whether it may print bytes of a document as they are."""

    words: list[str]
    given: bytes
    prints_documents: bool


class HangError(Exception):
    """A call took longer than `SECONDS` or `WAITING`."""


@contextmanager
def _soon() -> Iterator[None]:
    def ring(_number: int, _frame: object) -> None:
        os.environ["PCISIM_FUZZ_HANG"] = "1"
        raise HangError

    timers = ((signal.ITIMER_PROF, signal.SIGPROF, SECONDS), (signal.ITIMER_REAL, signal.SIGALRM, WAITING))
    before = {number: signal.signal(number, ring) for _, number, _ in timers}
    for timer, _, seconds in timers:
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for timer, number, _ in timers:
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])


def call(folder: Path, chance: Random) -> Call:
    """Make files in a folder and return a call that reads them."""
    command = chance.choice((*_FORMATS, "detach", "explain", "fleet", "fleet", "assign"))
    words = [command]
    options = _FORMATS.get(command, ())
    for option in chance.sample(options, min(len(options), chance.choice((0, 1, 1, 2)))):
        name, _, text = option.partition("=")
        words.append(f"{name}={damage.value(chance)}" if text and chance.random() < 0.1 else option)
    if command in ("assign", "tree", "guest", "lspci", "capacity", "fits") and chance.random() < 0.3:
        words.append(chance.choice(_GUEST_OPTIONS))
    if command == "fits" and not any(word.startswith("--add") for word in words):
        words.append("--add=virtio-blk=1")
    if command == "attach" and not any(word.startswith("--device") for word in words):
        words.append("--device=virtio-blk")
    if command == "fleet":
        words += _sources(folder, chance)
        if chance.random() < 0.3:
            words += ["-o", str(folder / f"rows{chance.choice(('.csv', '.jsonl', '.parquet', '.x'))}")]
        return Call(words, b"", False)
    document = damage.document(chance)
    file = folder / f"g{chance.choice(damage.NAMES)}.xml"
    file.write_bytes(document)
    shown = str(file) if chance.random() < 0.7 else "-"
    if command == "explain":
        text = chance.choice(_TEXTS)
        text = damage.damaged(text.encode(), chance).decode("utf-8", "replace").replace("\0", "") or "x"
        return Call([*words, "--", text, shown], document, True)
    words.append(shown)
    if command == "detach":
        words.append(chance.choice(("interface:0", "disk:vda", damage.value(chance).replace("\0", "") or "x")))
    if command == "diff":
        other = folder / "other.xml"
        other.write_bytes(damage.document(chance))
        words.append(str(other))
    if command == "assign":
        if len(words) == 2 or chance.random() < 0.1:
            moved = [
                "--reassign",
                *chance.choice((["--machine", "q35", "--fix-ide", "sata"], ["--fix-ide", "virtio-scsi"])),
            ]
            words += chance.choice(([], ["--in-place"], ["--keep", str(_old(folder, chance))], ["--reassign"], moved))
        if len(words) == 2 or chance.random() < 0.1:
            words += chance.choice(([], [], ["--print-diff"], ["-o", str(folder / "new.xml")]))
    plain = command != "assign" or any(word.startswith("--format=") for word in words)
    return Call(words, document, not plain or "--print-diff" in words)


def _old(folder: Path, chance: Random) -> Path:
    path = folder / "old.xml"
    path.write_bytes(damage.document(chance))
    return path


def _sources(folder: Path, chance: Random) -> list[str]:
    """Make some sources of a fleet."""
    found = []
    for number in range(chance.choice((1, 1, 1, 2, 3))):
        kind = chance.choice(("xml", "tar", "csv", "csv", "parquet", "folder", "tar", "nothing"))
        path = folder / f"{number}{chance.choice(damage.NAMES)}.{kind}"
        if kind == "folder":
            damage.folder(path, chance)
        elif kind != "nothing":
            make = {"xml": damage.document, "tar": damage.archive, "csv": damage.table, "parquet": damage.parquet}[kind]
            path.write_bytes(make(chance) or b"")
        found.append(str(path))
    return found


def _content(folder: Path) -> dict[str, object]:
    """Return what is in a folder: the bytes of files, and where links lead."""
    found: dict[str, object] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            if os.path.islink(path):
                found[path] = os.readlink(path)
            elif os.path.isfile(path):
                found[path] = Path(path).read_bytes()
    return found


def faults(folder: Path, seed: int) -> list[str]:
    """Make a call, and return what of its promises is broken.

    Args:
        folder: an empty one; it is removed.
        seed: the same one makes the same call.
    """
    chance = Random(seed)
    one = call(folder, chance)
    before = _content(folder)
    os.environ.pop("PCISIM_FUZZ_HANG", None)
    try:
        with _soon():
            done = run(*one.words, given=one.given)
    except HangError:
        done = Done(-1, "", "")
    after = _content(folder)
    shutil.rmtree(folder)
    broken = []
    if os.environ.get("PCISIM_FUZZ_HANG"):
        broken.append(f"it took more than {SECONDS} seconds of a processor, or {WAITING} in all")
    elif done.status not in STATUSES:
        broken.append(f"its status is {done.status}: {done.err[:300]}")
    if done.status == 70 or "Traceback" in done.err:
        broken.append(done.err[-300:])
    if _UNSEEN.search(done.err):
        broken.append(f"control characters on stderr: {_UNSEEN.search(done.err)}")
    if not one.prints_documents and _UNSEEN.search(done.out):
        broken.append(f"control characters on stdout: {_UNSEEN.search(done.out)}")
    if done.out and _prints_json(one.words):
        broken += [text for document in documents(done.out) for text in complaints(document)]
    broken += [
        f"{path!r} has changed" for path in before if before[path] != after.get(path) and not _may(one, done, path)
    ]
    if done.status > 1 or (done.status == 1 and "-o" not in one.words):
        broken += [f"{path!r} is new" for path in after if path not in before and not path.endswith(".partial")]
    return [f"{one.words!r}: {text}" for text in broken]


def _prints_json(words: list[str]) -> bool:
    """Return whether a call prints JSON: the last format counts, and a few options print something else."""
    formats = [word for word in words if word.startswith("--format=")]
    others = ("--explain", "--print-diff", "-o")
    return formats[-1:] == ["--format=json"] and not any(word.startswith(others) for word in words)


def _may(one: Call, done: Done, path: str) -> bool:
    """Return whether a call may change a file."""
    return done.status == 0 and "--in-place" in one.words and path in one.words
