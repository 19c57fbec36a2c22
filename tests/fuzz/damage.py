"""Documents, texts, archives and tables, and what can become of them."""

from __future__ import annotations

import io
import os
import tarfile
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

from tests.cli.running import EXAMPLES
from tests.fleet.fleets import SHAPES

DOCUMENTS = [path.read_bytes() for path in sorted(EXAMPLES.glob("*.xml"))] + [text.encode() for text in SHAPES.values()]
PLAUSIBLE = (
    "0", "1", "2", "0x1f", "7", "31", "255", "on", "off", "yes", "no", "auto", "none", "pci", "pcie-root", "pci-root",
    "pcie-root-port", "pci-bridge", "pcie-to-pci-bridge", "pcie-expander-bus", "dmi-to-pci-bridge", "virtio", "scsi",
    "usb", "ide", "sata", "q35", "pc", "microvm", "virt", "pseries", "s390-ccw-virtio", "x86_64", "aarch64", "ppc64",
    "vda", "sda", "drive", "ccw", "e1000", "e1000e", "qxl", "vga", "bochs", "ich9", "ehci", "nec-xhci", "ich9-ehci1",
)  # fmt: skip
NASTY = (
    "", " ", "-1", "+1", "0x", "0x100000000", "9" * 400, "1e9", "\u0663", "x" * 5000, "\x1b[31m", "\x9b31m", "\u202e",
    "\u2028", "\x07", "caf\xe9", "\ud800", "'", '"', "<", "&", "]]>", "&#27;", "&#x9b;", "&#x202e;", "&foo;", "%s",
    "{0}", "../../etc/passwd", "=1+1", "--", "-h", "$(id)", "`id`", "\\", "\n", "\r", "\0",
)  # fmt: skip
PIECES = (
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"<![CDATA[x]]>", b"<!--", b"-->", b"<?x?>", b"\0", b"\xff\xfe",
    b"\xef\xbb\xbf", b"</devices>", b"<devices>", b"<a>" * 300, b"\r", b"\r\n", b"\x1b]0;x\x07", b"\xc2\x9b31m",
    b"\xe2\x80\xae", b"<?xml version='1.0' encoding='latin-1'?>", b"<?xml version='1.0' encoding='utf-16'?>",
)  # fmt: skip
NAMES = ("", "caf\udce9", "\x1b[31m", "=1")
"""What names of files hold."""
HEAD = ["name", "arch", "machine", "virtio-blk", "virtio-net", "e1000", "vga"]


def value(chance: Random) -> str:
    """Return something for a value, a word or a name."""
    return chance.choice(PLAUSIBLE if chance.random() < 0.7 else NASTY)


def damaged(data: bytes, chance: Random) -> bytes:
    """Return data after some accidents."""
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 8))):
        place = chance.randrange(len(data) + 1)
        end = min(len(data), place + chance.choice((1, 1, 4, 30, 400)))
        accident = chance.randrange(7)
        if accident == 0:
            data = data[:place] + bytes([chance.randrange(256)]) + data[place + 1 :]
        elif accident == 1:
            data = data[:place] + data[end:]
        elif accident == 2:
            data = data[:end] + data[place:]
        elif accident == 3:
            data = data[:place] + chance.choice(PIECES) + data[place:]
        elif accident == 4:
            data = data[:place]
        elif accident == 5:
            data = data[:place] + value(chance).encode("utf-8", "surrogatepass") + data[place:]
        elif data:
            other = chance.randrange(len(data))
            data = data[:place] + data[other : other + chance.choice((4, 40, 400))] + data[place:]
    return data


def document(chance: Random) -> bytes:
    """Return a document: another value here and there, then perhaps accidents, then perhaps another encoding."""
    data = chance.choice(DOCUMENTS)
    for _ in range(chance.choice((0, 0, 1, 1, 2, 4))):
        quotes = [n for n, byte in enumerate(data) if byte == 0x27 or byte == 0x22]
        if len(quotes) > 1:
            number = 2 * chance.randrange(len(quotes) // 2)
            new = value(chance).encode("utf-8", "surrogatepass")
            data = data[: quotes[number] + 1] + new + data[quotes[number + 1] :]
    if chance.random() < 0.3:
        name = chance.choice(
            ("\x9b31m", "\u202e\u2028", "&#x9b;x", "=1+1", "-x", "caf\xe9", "\x7f", "a\tb", "'")
        ).encode()
        data = data.replace(b"<name>", b"<name>" + name)
    if chance.random() < 0.15:
        data = damaged(data, chance)
    if chance.random() < 0.1:
        data = data.decode("utf-8", "replace").encode(
            chance.choice(("utf-16", "utf-16-be", "latin-1", "utf-32")), "replace"
        )
    if chance.random() < 0.1:
        data = data.replace(b"\n", chance.choice((b"\r", b"\r\n", b"", b"\n\n")))
    return data


def table(chance: Random) -> bytes:
    """Return a table of counts."""
    head = chance.sample(HEAD, chance.randrange(1, len(HEAD)))
    if "machine" not in head:
        head.insert(0, "machine")
    kinds = {"machine": ("pc", "q35", "virt", "x"), "arch": ("x86_64", "aarch64", ""), "name": ("a", '"b\nc"', "'d'")}
    lines = [",".join(head)]
    for _ in range(chance.randrange(30)):
        lines.append(",".join(chance.choice(kinds.get(name, ("0", "1", "", "20", "60"))) for name in head))
    data = (chance.choice(("\n", "\n", "\r\n", "\r")).join(lines) + "\n").encode()
    return damaged(data, chance) if chance.random() < 0.7 else data


def archive(chance: Random) -> bytes:
    """Return a tar archive."""
    stream = io.BytesIO()
    form = chance.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    with tarfile.open(fileobj=stream, mode="w:", format=form) as tar:
        for number in range(chance.randrange(6)):
            name = chance.choice(
                (f"{number}.xml", f"d/{'x' * 90}{number}.xml", "caf\udce9.xml", "../a.xml", "same.xml")
            )
            info = tarfile.TarInfo(name)
            info.type = chance.choice((tarfile.REGTYPE,) * 6 + (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE))
            data = document(chance) if info.type == tarfile.REGTYPE else b""
            info.size = len(data)
            info.linkname = (
                chance.choice(("0.xml", "same.xml", "/etc/passwd", "caf\udce9.xml", "..")) if not data else ""
            )
            tar.addfile(info, io.BytesIO(data))
    whole = bytearray(stream.getvalue())
    for _ in range(chance.choice((0, 0, 1, 3))):  # headers stand at the beginning of blocks
        place = 512 * chance.randrange(max(1, len(whole) // 512)) + chance.randrange(512)
        if place < len(whole):
            whole[place] = chance.choice((0, 1, 0x30, 0x37, 0x4C, 0x53, 0x78, 0x80, 0xFF))
            block = place - place % 512
            if chance.random() < 0.7:  # as whoever means it would
                whole[block + 148 : block + 156] = b" " * 8
                whole[block + 148 : block + 156] = b"%06o\0 " % sum(whole[block : block + 512])
    return bytes(whole[: chance.randrange(len(whole) + 1)]) if chance.random() < 0.2 else bytes(whole)


def parquet(chance: Random) -> bytes | None:
    """Return a Parquet file, or ``None`` without pyarrow."""
    try:
        pyarrow: Any = import_module("pyarrow")
        write_table = import_module("pyarrow.parquet").write_table
    except ImportError:
        return None
    count = chance.randrange(5)
    columns: dict[str, list[Any]] = {"machine": [chance.choice(("pc", "q35", None, "x\x1b")) for _ in range(count)]}
    columns["vga"] = [chance.choice((0, 1, None, -1, 2**60)) for _ in range(count)]
    stream = io.BytesIO()
    types = pyarrow.schema([("machine", pyarrow.string()), ("vga", pyarrow.int64())])
    write_table(pyarrow.table(columns, types), stream)
    data = bytearray(stream.getvalue())
    for _ in range(chance.choice((0, 1, 2))):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def folder(path: Path, chance: Random) -> None:
    """Make a directory with whatever there can be in one."""
    path.mkdir()
    for number in range(chance.randrange(1, 6)):
        name = path / f"{number}{chance.choice(NAMES)}.xml"
        kind = chance.randrange(10)
        if kind == 0:
            os.mkfifo(name)
        elif kind == 1:
            name.symlink_to(chance.choice((name.name, "0.xml", "/dev/zero", "0.xml/x", "x" * 300, "..", "nowhere")))
        elif kind == 2:
            folder(name, chance)
        else:
            name.write_bytes(document(chance))
