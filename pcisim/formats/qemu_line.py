"""A QEMU command line as text: what of it decides where PCI devices go.

Takes a whole command line, as it was pasted, with its quotes and line continuations, and files with
nothing but ``-device`` lines.  Lines that start with ``#`` are comments.
"""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

from pcisim.errors import InputError

DEFAULT_MACHINE = "pc"
FLAGS = frozenset(
    {
        "S", "nodefaults", "no-user-config", "nographic", "enable-kvm", "daemonize", "snapshot", "no-reboot",
        "no-shutdown", "no-acpi", "no-hpet", "usb", "full-screen", "s", "only-migratable", "no-fd-bootchk", "preconfig",
        "mem-prealloc", "singlestep", "win2k-hack", "no-quit", "version", "h", "help",
    }
)  # fmt: skip
"""QEMU's options that take no value."""
MATTERS = frozenset({"global", "m", "numa"})
"""Options, beside the machine and the devices, that decide about PCI."""
_COMMENT = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_CONTINUED = re.compile(r"\\\r?\n")


class CommandLine(NamedTuple):
    """What a QEMU command line says about PCI.

    Args:
        machine: what stands after ``-machine``, its options included; ``pc`` where nothing does.
        devices: what stands after each ``-device``, in order.
        options: other options that matter, each with its blank.
        defaults: whether QEMU adds its default devices, of which this knows nothing (no ``-nodefaults``).
    """

    machine: str
    devices: tuple[str, ...]
    options: tuple[str, ...]
    defaults: bool


def read(text: str | bytes, *, name: str | None = None) -> CommandLine:
    """Read a QEMU command line.

    Args:
        text: the command line, or a file of ``-device`` lines.
        name: the name of the file, for error messages.

    Raises:
        InputError: a quote is not closed, an option lacks its value, or a word is not an option.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError as error:
            raise InputError(f"not UTF-8 text: {error.reason}", code="qemu-line-encoding", file=name) from None
    words = _words(text, name)
    machine, settings = "", ""
    devices: list[str] = []
    options: list[str] = []
    defaults = True
    position = 0
    # what stands before the first option is the program and its environment
    while position < len(words) and not words[position].startswith("-"):
        position += 1
    if position == len(words):
        raise InputError(
            "there is no -device and no other option of QEMU's",
            code="qemu-line-syntax",
            remedy="write one '-device DRIVER,KEY=VALUE,...' for each device",
            file=name,
        )
    while position < len(words):
        word = words[position]
        position += 1
        option = word.removeprefix("-").removeprefix("-")
        if not word.startswith("-") or not option:
            raise InputError(
                f"{word!r} is not an option of QEMU's",
                code="qemu-line-syntax",
                remedy="quote blanks in values",
                file=name,
            )
        if option == "nodefaults":
            defaults = False
        if option in FLAGS:
            settings += ",usb=on" if option == "usb" else ",acpi=off" if option == "no-acpi" else ""
            continue
        if position == len(words):
            raise InputError(f"-{option} lacks its value", code="qemu-line-syntax", file=name)
        value = words[position]
        position += 1
        if option in ("machine", "M"):
            machine = value.removeprefix("type=")
        elif option == "device":
            devices.append(value)
        elif option in MATTERS:
            options.append(f"-{option} {value}")
    return CommandLine((machine or DEFAULT_MACHINE) + settings, tuple(devices), tuple(options), defaults)


def _words(text: str, name: str | None) -> list[str]:
    joined = _CONTINUED.sub(" ", _COMMENT.sub("", text))
    try:
        return shlex.split(joined)
    except ValueError as error:
        raise InputError(
            f"the command line ends inside a quotation: {str(error).lower()}",
            code="qemu-line-quote",
            line=text[: text.rfind("\n") + 1].count("\n") + 1,
            file=name,
        ) from None
