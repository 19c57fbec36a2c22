"""Law: whatever the input, only a `PcisimError` leaves the library, and only 0, 1, 2 or 3 the command line.

Guests that are fine are damaged by seeded chance: attributes, values, tags and nesting are dropped,
doubled, garbled and moved; text is cut and overwritten.  What is refused is refused tidily, and what
is accepted can be written in every form.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from contextlib import suppress

import pytest

import pcisim
from pcisim.catalogue.controllers import PCI_CONTROLLERS
from pcisim.catalogue.devices import ADDRESS_TYPES, DEVICE_MODELS, PLUGS, WALK
from pcisim.errors import PcisimError
from pcisim.formats.plain import printable
from tests.cli.running import EXAMPLES, is_tidy, run
from tests.record_goldens import cases, read_answer, read_guest

ROUNDS = 3500
COMMAND_LINE_ROUNDS = 400
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


def test_only_our_errors_leave_the_library() -> None:
    counts = {"accepted": 0, "refused": 0}
    for seed in range(ROUNDS):
        text = damaged(seed)
        plan, refusal = attempt(text, seed)
        if refusal is not None:
            counts["refused"] += 1
            assert refusal.code, seed
            lines = map(printable, refusal.explanation())
            assert is_tidy("\n".join([*lines, ""])), (seed, refusal.explanation())
        if plan is not None:
            counts["accepted"] += 1
            use(plan, text, seed)
    assert min(counts.values()) > ROUNDS // 5, counts


def attempt(text: str, seed: int) -> tuple[pcisim.Plan | None, PcisimError | None]:
    """Return the plan of a guest, or how it is refused."""
    try:
        return pcisim.assign(text, libvirt="11.3" if seed % 5 else "9.0"), None
    except PcisimError as error:
        return None, error
    except Exception as error:
        raise AssertionError(f"seed {seed}: {error!r}\n{text}") from error


def use(plan: pcisim.Plan, text: str, seed: int) -> None:
    """Write an accepted plan in every form."""
    try:
        addressed = plan.to_xml()
        plan.topology.check()
        assert str(plan)
        assert json.dumps(plan.to_json())
        assert plan.to_qemu_args()
        assert plan.to_qemu_args(runnable=True)
        assert plan.changes() is not None
        for label in list(plan.addresses)[:2]:
            assert str(plan.explain(label))
        if plan.guest.machine.zpci and plan.rules.version == "9.0":
            addressed = pcisim.assign_xml(addressed, libvirt="9.0")  # numbers the bridges that were added
        assert pcisim.assign_xml(addressed, libvirt=plan.rules.version) == addressed
    except Exception as error:
        raise AssertionError(f"seed {seed}: {error!r}\n{text}") from error


@pytest.mark.parametrize("command", [["tree"], ["assign"], ["assign", "--format", "qemu"], ["assign", "--print-diff"]])
def test_only_known_statuses_leave_the_command_line(command: list[str]) -> None:
    for seed in range(10_000, 10_000 + COMMAND_LINE_ROUNDS // 4):
        text = damaged(seed).encode("utf-8", "surrogatepass")
        done = run(*command, "-", given=text)
        assert done.status in (0, 1, 3), (seed, done.err)
        if done.status:
            assert is_tidy(done.err), (seed, done.err)
            assert not done.out
        else:
            assert done.out or command[-1] == "--print-diff"


def test_no_bytes_break_the_reader() -> None:
    chance = random.Random(7)
    whole = (EXAMPLES / "server.xml").read_bytes()
    for _ in range(300):
        text = bytearray(whole)
        for _ in range(chance.choice((1, 3, 30))):
            text[chance.randrange(len(text))] = chance.randrange(256)
        for piece in (bytes(text), bytes(text[: chance.randrange(len(text))])):
            with suppress(PcisimError):
                pcisim.assign_xml(piece)


def test_no_options_break_the_command_line() -> None:
    """Statuses 0 to 3 only, whatever the words."""
    chance = random.Random(11)
    pieces = (
        "assign", "tree", "example", "desktop", "--machine", "q35", "pc", "--device", "virtio-blk", "vga,count=2",
        "--libvirt", "9.0", "--policy", "libvirt", "--host-pci", "auto", "1:2.3=pci", "--format", "xml", "qemu",
        "json", "addresses", "--runnable", "--explain", "usb:0", "-", "--", "-h", "--version", "?", "", "é", "-x",
        "--device=?", "@x", "--debug", "--print-diff", "--machine=q35", "--format=qemu", "\udcc3\udca9",
        *map(str, EXAMPLES.glob("*.xml")),
    )  # fmt: skip
    statuses = set()
    for _ in range(600):
        words = [chance.choice(("assign", "tree")), *(chance.choice(pieces) for _ in range(chance.randrange(7)))]
        done = run(*words, given=(EXAMPLES / "desktop.xml").read_bytes())
        assert done.status in (0, 1, 2, 3), (words, done.err)
        assert "internal error" not in done.err, (words, done.err)
        statuses.add(done.status)
    assert statuses == {0, 1, 2, 3}
