"""Guests that are fine, damaged by seeded chance: dropped, doubled, garbled and moved, cut and overwritten."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from pcisim.catalogue.controllers import PCI_CONTROLLERS
from pcisim.catalogue.devices import ADDRESS_TYPES, DEVICE_MODELS, PLUGS, WALK
from tests.cli.running import EXAMPLES
from tests.record_goldens import cases, read_answer, read_guest

WORDS = (
    "", "0", "1", "-1", "+1", " 1", "1 ", "0x1f", "0X1F", "1f", "010", "08", "0b11", "255", "256", "4294967295",
    "4294967296", "1e3", "on", "off", "yes", "ON", "none", "auto", "default", "pc", "q35", "isapc", "microvm",
    "virt", "x86_64", "i686", "vda", "vdzz", "sda", "sdaaaa", "hdb", "vda1", "VDA", "virtio-transitional", "a,b=c",
    "a'b\"c", "../../x", "%s%n", "{0}", "é", "\u0663", "\x9b31m", "\u202e", "\t",
    "9" * 400, *ADDRESS_TYPES, *PCI_CONTROLLERS, *(word for row in PLUGS.values() for word in row),
)  # fmt: skip
NAMES = (
    "type", "model", "index", "bus", "slot", "function", "domain", "multifunction", "dev", "name", "controller",
    "port", "ports", "chassis", "chassisNr", "busNr", "hotplug", "memReserve", "startport", "primary", "machine",
    "arch", "mode", "backend", "uuid", "firmware", "id",
)  # fmt: skip
TAGS = (
    *WALK,
    "address", "target", "model", "master", "node", "driver", "source", "alias", "acpi", "zpci", "os", "features",
    "cpu", "numa", "cell", "devices", "graphics", "domain", "loader",
)  # fmt: skip

_ATTRIBUTE = re.compile(r"\s[\w:]+\s*=\s*('[^'<]*'|\"[^\"<]*\")")
_TAG = re.compile(r"<(/?)([\w:]+)")
_ELEMENT = re.compile(r"<(\w+)(?:[^<>]*)/>|<(\w+)[^<>]*>(?:[^<]|<(?!/?\2\b))*</\2>")


def escaped(word: str) -> str:
    """Return a word as the value of an attribute."""
    return word.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&apos;")


def set_value(text: str, chance: random.Random) -> str:
    return _any(_ATTRIBUTE, text, chance, lambda old: f"{old.partition('=')[0]}='{escaped(chance.choice(WORDS))}'")


def drop_attribute(text: str, chance: random.Random) -> str:
    return _any(_ATTRIBUTE, text, chance, lambda old: "")


def rename_attribute(text: str, chance: random.Random) -> str:
    return _any(_ATTRIBUTE, text, chance, lambda old: f" {chance.choice(NAMES)}={old.partition('=')[2]}")


def add_attribute(text: str, chance: random.Random) -> str:
    added = f" {chance.choice(NAMES)}='{escaped(chance.choice(WORDS))}'"
    return _any(_ATTRIBUTE, text, chance, lambda old: old + added)


def rename_element(text: str, chance: random.Random) -> str:
    tag = chance.choice(TAGS)
    return _any(_ELEMENT, text, chance, lambda old: re.sub(r"^<\w+|\w+>$", lambda m: _renamed(m[0], tag), old))


def _renamed(old: str, tag: str) -> str:
    return f"<{tag}" if old.startswith("<") else f"{tag}>"


def drop_element(text: str, chance: random.Random) -> str:
    return _any(_ELEMENT, text, chance, lambda old: "")


def double_element(text: str, chance: random.Random) -> str:
    times = chance.choice((2, 2, 3, 40))
    return _any(_ELEMENT, text, chance, lambda old: old * times)


def move_element(text: str, chance: random.Random) -> str:
    moved = ""

    def away(old: str) -> str:
        nonlocal moved
        moved = old
        return ""

    text = _any(_ELEMENT, text, chance, away)
    return _any(_TAG, text, chance, lambda old: moved + old)


def add_element(text: str, chance: random.Random) -> str:
    inner = "".join(f" {chance.choice(NAMES)}='{escaped(chance.choice(WORDS))}'" for _ in range(chance.randrange(3)))
    new = chance.choice((f"<{chance.choice(TAGS)}{inner}/>", chance.choice(list(DEVICE_MODELS.values())).xml))
    return _any(_TAG, text, chance, lambda old: new + old)


def rename_tag(text: str, chance: random.Random) -> str:
    return _any(_TAG, text, chance, lambda old: f"<{chance.choice(TAGS)}")


def cut(text: str, chance: random.Random) -> str:
    begin = chance.randrange(len(text) + 1)
    return text[:begin] + text[begin + chance.randrange(1, 30) :]


def overwrite(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text) + 1)
    junk = chance.choice(
        ("<", ">", "&", "'", '"', "]]>", "<!--", "\0", "\ud800", "<![CDATA[", "&#0;", "&a;", "<?x", "\r")
    )
    return text[:place] + junk + text[place + len(junk) :]


def _any(pattern: re.Pattern[str], text: str, chance: random.Random, change: Callable[[str], str]) -> str:
    """Change one of the places that a pattern matches."""
    found = list(pattern.finditer(text))
    if not found:
        return text
    one = chance.choice(found)
    return text[: one.start()] + change(one[0]) + text[one.end() :]


GENTLE = (set_value, drop_attribute, rename_attribute, add_attribute, rename_element, drop_element, double_element,
          move_element, add_element)  # fmt: skip
ROUGH = (*GENTLE, rename_tag, cut, overwrite)


def damaged(seed: int) -> str:
    """Return a damaged guest; three of four are still well-formed, or nearly all would end in the XML parser."""
    chance = random.Random(seed)
    text = chance.choice(GUESTS)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        text = chance.choice(GENTLE if seed % 4 else ROUGH)(text, chance)
    return text


GUESTS = [path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.glob("*.xml"))]
GUESTS += [read_guest(case) for case in cases() if read_answer(case)["11.3"]["ok"] and len(read_guest(case)) < 4000]
