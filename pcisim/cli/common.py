"""What the commands share: their input, their output files."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from pcisim.errors import InputError, UsageError
from pcisim.guest import Guest
from pcisim.plan import Plan, assign

STDIN = "-"


def add_guest_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which guest is meant, and whose rules."""
    parser.add_argument("file", nargs="?", metavar="FILE|-", help="domain XML; - is standard input")
    parser.add_argument("--machine", metavar="TYPE", help="a guest without XML: its machine type, such as q35")
    parser.add_argument(
        "--device",
        action="append",
        default=[],
        metavar="MODEL[,count=N]",
        help="a device of that guest, by QEMU's name without -pci; --device=? lists them",
    )
    parser.add_argument("--libvirt", default="11.3", metavar="VERSION", help="whose rules: 11.3 (default) or 9.0")
    parser.add_argument("--policy", default="libvirt", metavar="POLICY", help="how to place: libvirt")
    parser.add_argument(
        "--host-pci",
        action="append",
        default=[],
        metavar="ADDRESS=pci|auto",
        help="host devices that are conventional; auto reads this machine's sysfs (default: all are PCI Express)",
    )


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Return the plan of the guest that the options describe.

    Raises:
        UsageError: neither a file nor a machine, or both.
        PcisimError: the guest cannot be read, or is refused.
    """
    name = None
    guest: Guest | bytes
    if arguments.machine is not None:
        if arguments.file is not None:
            raise UsageError("both a file and --machine are given", code="usage", remedy="give the one or the other")
        guest = Guest.of(arguments.machine, device_counts(arguments.device))
    elif arguments.file is None:
        raise UsageError(
            "no guest: neither a file nor --machine is given",
            code="usage",
            remedy="name a file of domain XML, - for standard input, or a --machine with --device options",
        )
    elif arguments.device:
        raise UsageError("--device goes with --machine", code="usage", remedy="add the device to the XML")
    else:
        name = "<stdin>" if arguments.file == STDIN else arguments.file
        guest = read_bytes(arguments.file)
    return assign(guest, arguments.policy, libvirt=arguments.libvirt, host_pci=_host_pci(arguments.host_pci), name=name)


def device_counts(options: list[str]) -> dict[str, int]:
    """Return how many of each model the ``--device`` options ask for."""
    counts: dict[str, int] = {}
    for option in options:
        name, *properties = option.split(",")
        count = 1
        for text in properties:
            key, _, value = text.partition("=")
            if key != "count" or not value.isascii() or not value.isdigit() or len(value) > 7:
                raise UsageError(
                    f"--device {option}: {text!r} is no count",
                    code="usage",
                    remedy="write --device virtio-blk,count=20",
                )
            count = int(value)
        counts[name] = counts.get(name, 0) + count
    return counts


def _host_pci(options: list[str]) -> dict[str, str] | str | None:
    if not options:
        return None
    if options == ["auto"]:
        return "auto"
    table: dict[str, str] = {}
    for option in options:
        address, _, kind = option.partition("=")
        if not kind:
            raise UsageError(f"--host-pci {option}: write ADDRESS=pci, or auto alone", code="usage")
        table[address] = kind
    return table


def read_bytes(name: str) -> bytes:
    """Return the content of a file, or of standard input for ``-``.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot read {name}: {_reason(error)}", code="cannot-read", remedy="name a file of domain XML"
        ) from error


def write_atomically(name: str, data: bytes) -> None:
    """Put data in the place of a file as a whole: it is the old one or the new one, never half of one.

    The mode of an existing file is kept, and a link is followed.

    Raises:
        InputError: it cannot be written; the file is as it was.
    """
    target = os.path.realpath(name)
    temporary = f"{target}.pcisim-{os.getpid()}.tmp"
    try:
        mode = os.stat(target).st_mode & 0o7777 if os.path.exists(target) else None
        if os.path.exists(target) and not os.access(target, os.W_OK):
            raise PermissionError(13, "Permission denied")
        try:
            with open(temporary, "xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
                if mode is not None:
                    os.fchmod(stream.fileno(), mode)
            os.replace(temporary, target)
        except BaseException:
            if os.path.exists(temporary):
                os.unlink(temporary)
            raise
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot write {name}: {_reason(error)}",
            code="cannot-write",
            details=("the file is as it was",) if os.path.exists(target) else (),
        ) from error


def write_stdout(data: str | bytes) -> None:
    """Print data as it is.

    Raises:
        InputError: standard output cannot be written, for example on a full disk.
    """
    try:
        if isinstance(data, bytes):
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
        else:
            sys.stdout.write(data)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"cannot write the output: {_reason(error)}", code="cannot-write") from error


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text[:1].lower() + text[1:]
