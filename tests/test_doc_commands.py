"""Every command in README and docs runs, and prints what is shown.

A line that begins with ``$`` is a command of a shell; the lines below it are all of its output, in which ``...`` stands
for any lines.  A command without output, or without ``$``, has to run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import pcisim

ROOT = Path(pcisim.__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
INDENT = " " * 4
ELSEWHERE = re.compile(r"tcp://|\| jq |--format qemu --runnable|^(pip|pipx|make|git) ")
"""What needs a cluster, a tool or an environment of its own."""
GUEST = """<domain type='kvm'>
  <name>guest</name>
  <memory unit='GiB'>4</memory>
  <vcpu>4</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <cpu><numa><cell id='0' cpus='0-1' memory='2097152'/><cell id='1' cpus='2-3' memory='2097152'/></numa></cpu>
  <devices>
    <disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/></disk>
    <interface type='user'><model type='virtio-non-transitional'/></interface>
    <hostdev mode='subsystem' type='pci'><source><address bus='1' slot='0' function='0'/></source></hostdev>
    <hostdev mode='subsystem' type='pci'><source><address bus='1' slot='0' function='1'/></source></hostdev>
  </devices>
</domain>
"""
OLD = "".join(
    f"<domain><os><type arch='x86_64' machine='{machine}'>hvm</type></os><devices>{disk}</devices></domain>"
    for machine, disk in [("pc", "<disk type='file'><source file='/a'/><target dev='hda' bus='ide'/></disk>")]
)


class Command(NamedTuple):
    """A command of a page, and what it prints there; ``None`` where nothing is shown."""

    line: int
    text: str
    shown: tuple[str, ...] | None


def commands(page: Path) -> Iterator[Command]:
    """Yield the commands of a page."""
    waiting: Command | None = None
    for number, text in enumerate([*page.read_text(encoding="utf-8").split("\n"), ""], 1):
        inside = text.startswith(INDENT)
        code = text[len(INDENT) :] if inside else ""
        if waiting is not None and inside and not code.startswith("$ "):
            waiting = waiting._replace(shown=(*(waiting.shown or ()), code))
            continue
        if waiting is not None:
            yield waiting
            waiting = None
        if code.startswith("$ "):
            waiting = Command(number, code[2:], None)
        elif re.match(r"pcisim [a-z]", code):
            yield Command(number, code, None)


def cases() -> list[tuple[str, Command]]:
    """Return the commands that can be run here, with the names of their pages."""
    return [
        (str(page.relative_to(ROOT)), command)
        for page in PAGES
        for command in commands(page)
        if not ELSEWHERE.search(command.text)
    ]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the pages name, and commands of those names."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "examples").symlink_to(ROOT / "examples")
    for name in ("guest.xml", "vm.xml"):
        (folder / name).write_text(GUEST)
    for name in ("old.xml", "new.xml"):
        (folder / name).write_text(OLD)
    for name in ("domains", "guests", "bin"):
        (folder / name).mkdir()
    for name in ("domains", "guests"):
        shutil.copy(ROOT / "examples" / "desktop.xml", folder / name)
    (folder / "inventory.csv").write_text("name,machine,virtio-blk\na,q35,3\nb,pc,2\n")
    for name, code in (
        ("pcisim", f'exec "{sys.executable}" -m pcisim "$@"'),
        ("virsh", f'f="{ROOT}/examples/$2.xml"; [ -f "$f" ] || f="{folder}/guest.xml"; cat "$f"'),
    ):
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{code}\n")
        (folder / "bin" / name).chmod(0o755)
    return folder


@pytest.mark.parametrize(("page", "command"), cases(), ids=lambda part: part if isinstance(part, str) else str(part[0]))
def test_it_prints_what_is_shown(page: str, command: Command, world: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", command.text],
        cwd=world,
        env={"PATH": f"{world}/bin:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if command.shown is not None else subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), f"{page}:{command.line}: {done.stdout}{done.stderr}"
    if command.shown is not None:
        lines = [re.escape(line.rstrip()) + "\n" for line in command.shown]
        pattern = "".join(r"(?:.*\n)*?" if line == r"\.\.\." "\n" else line for line in lines)
        printed = "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())
        assert re.fullmatch(pattern, printed), f"{page}:{command.line}:\n{done.stdout}"


def test_the_pages_have_commands() -> None:
    pages = {page for page, _ in cases()}
    assert {"README.md", "docs/capacity.md", "docs/dense.md", "docs/recommend.md", "docs/spares.md"} <= pages
