"""Small fleets to ask about."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from tests.guests import disks, domain, nic, video

SHAPES = {
    "web": domain("pc-q35-9.2", nic(), disks(2)),
    "db": domain("pc", nic(), disks(20)),
    "desk": domain("q35", nic("e1000"), disks(1), video("qxl"), head="<vcpu>2</vcpu>"),
    "too-many": domain("pc", disks(59)),
    "clash": domain(
        "pc", nic("virtio", "<address type='pci' slot='3'/>"), nic("e1000", "<address type='pci' slot='3'/>")
    ),
    "cut": domain("pc", nic())[:-12],
    "other": "<network><name>default</name></network>",
}
"""Some guests, of which the last four are refused or cannot be read."""


def named(text: str, name: str) -> bytes:
    """Return a guest under another name, with other details that no address depends on."""
    details = f"<name>{name}</name>\n<uuid>{hash(name) & 0xFFFFFFFF:08x}</uuid>"
    return text.replace("<name>guest</name>", details).replace("<source file='/", f"<source file='/{name}/").encode()


def write_fleet(folder: Path, count: int) -> list[str]:
    """Write domain files in two directories, shape after shape, and return their paths in order."""
    shapes = list(SHAPES)
    paths = []
    for number in range(count):
        shape = shapes[number % len(shapes)]
        path = folder / f"{number // (count // 2 + 1)}" / f"{number:05}-{shape}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(named(SHAPES[shape], f"{shape}-{number}"))
        paths.append(str(path))
    return paths


def member(
    name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, leads_to: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    """Return a member of an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, len(data), leads_to
    return info, data


def archive(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w:") -> str:
    """Write a tar archive and return its name."""
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return str(path)
