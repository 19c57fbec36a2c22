"""libvirt's RELAX NG grammar of a domain, as the package of each version installs it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

NAMESPACE = "{http://relaxng.org/ns/structure/1.0}"
SCHEMAS = "usr/share/libvirt/schemas"
START = "domain.rng"


def kind(pattern: ET.Element) -> str:
    """Return what a pattern is: ``element``, ``choice``, ``ref``..."""
    return pattern.tag.removeprefix(NAMESPACE)


def schemas_of(uri: str) -> Path:
    """Return the folder of the grammar that came with the daemon behind this URI.

    A daemon in a root directory of its own (``?socket=ROOT/run/libvirt/libvirt-sock``) has its grammar there too.
    """
    socket = parse_qs(urlsplit(uri).query).get("socket", ["/run/libvirt/libvirt-sock"])[0]
    return Path(socket).parents[2] / SCHEMAS


class Grammar:
    """The named patterns of a grammar and of all that it includes.

    Args:
        folder: where the ``.rng`` files are.

    Raises:
        FileNotFoundError: there is no grammar in that folder.
    """

    def __init__(self, folder: Path) -> None:
        self.defines: dict[str, ET.Element] = {}
        self._read: set[str] = set()
        self._include(folder, START)

    def _include(self, folder: Path, name: str) -> None:
        if name in self._read:
            return
        self._read.add(name)
        for part in ET.parse(folder / name).getroot():
            if kind(part) == "include":
                self._include(folder, part.attrib["href"])
            elif kind(part) == "define":
                self._define(part)

    def _define(self, part: ET.Element) -> None:
        name = part.attrib["name"]
        known = self.defines.get(name)
        if known is not None and "choice" in (known.get("combine"), part.get("combine")):
            choice = ET.Element(f"{NAMESPACE}choice")
            for each in (known, part):
                ET.SubElement(choice, f"{NAMESPACE}group").extend(each)
            part = ET.Element(part.tag, {"name": name, "combine": "choice"})
            part.append(choice)
        self.defines[name] = part
