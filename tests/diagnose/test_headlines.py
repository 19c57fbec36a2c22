"""Law: `explain` knows every headline of a refusal or a finding, in the words of every version.

The headlines come from where they are: the calls in the source, the tables of words, and what libvirt 9.0 and 11.3
answered to the guests of `tests/data`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import pcisim
from pcisim.catalogue.attribute_words import FOREIGN, OF_X86, WORDS
from pcisim.diagnose import RULES, check, examine, explain_in, meaning_of, meanings
from pcisim.diagnose.headlines import rows
from pcisim.hotplug.kinds import HOT
from tests.guests import at, disk, domain, nic, pci
from tests.record_goldens import cases, not_covered, read_answer, read_guest

SOURCE = Path(pcisim.__file__).parent
NOT_ABOUT_GUESTS = ("qemu", "fleet", "plot", "cli", "replacement.py")
"""Files, the command line, many guests at a time: what they say of those explains itself."""
NO_HEADLINES = ("UsageError", "WrongTypeError", "Rule", "bad")
"""Calls that say how the command line or the library is used wrongly, or that are given a part of a headline."""
FILLED = {
    "Cannot automatically add a new PCI bus for a device withx connect flags x": "Cannot automatically add a new PCI"
    " bus for a device with unrecognized connect flags 00",
    "a x slot is needed to connect a PCI controller model='x', but none is available, and it cannot be automatically"
    " added": "a PCIe slot is needed to connect a PCI controller model='pcie-root-port', but none is available",
    "x, but x begins at x": "the root bus and the buses below it take 30 bus numbers, but pci:1 begins at 20",
    "x and x have one x, x": "pci:2 and pci:1 have one chassis, 3",
    "Option 'x' is not valid x": "Option 'busNr' is not valid for PCI controller with index '1', model 'x'",
    "Option 'modelName' x x": "Option 'modelName' has invalid value for PCI controller with index '1'",
    "zPCI x x is already reserved": "zPCI uid 1 is already reserved",
    "Invalid PCI address x. slot must be x": "Invalid PCI address 0000:01:00.0. slot must be >= 1",
}
"""Headlines of which too little is left without the values, with some."""


def literal(node: ast.expr) -> str | None:
    """Return the text of an expression, with ``x`` for every value in it; ``None`` when it is no text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
    return None


def alternatives(node: ast.expr) -> list[ast.expr]:
    """Return what an expression may be: of ``a if b else c`` and ``a or b`` each."""
    if isinstance(node, ast.IfExp):
        return [*alternatives(node.body), *alternatives(node.orelse)]
    if isinstance(node, ast.BoolOp):
        return [each for value in node.values for each in alternatives(value)]
    return [node]


def headline_of(call: ast.Call) -> ast.expr | None:
    """Return the argument of a call that is a headline: what stands before the code, or first where that is named."""
    for place, argument in enumerate(call.args):
        if isinstance(argument, ast.Constant) and argument.value in RULES:
            beside = [*call.args[:place][::-1], *call.args[place + 1 :]]
            texts = [
                node for node in beside if not isinstance(node, ast.Name) or node.id in ("headline", "problem", "text")
            ]
            return texts[0] if texts else None
    if any(word.arg == "code" for word in call.keywords) and call.args:
        return call.args[0]
    return None


def name_of(call: ast.Call) -> str:
    """Return the name of what is called."""
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


@cache
def headlines() -> dict[str, str]:
    """Return every headline in the source, with where it stands."""
    trees = {
        path.relative_to(SOURCE): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(SOURCE.rglob("*.py"))
        if path.relative_to(SOURCE).parts[0] not in NOT_ABOUT_GUESTS
    }
    helpers: dict[tuple[Path | None, str], tuple[int, int]] = {}  # who is given a headline, and at which place
    for path, tree in trees.items():
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            names = [argument.arg for argument in function.args.args if argument.arg != "self"]
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                text = headline_of(call)
                if isinstance(text, ast.Name) and text.id in names and function.name != "refuse":
                    place = names.index(text.id)
                    own = path if function.name.startswith("_") else None
                    helpers[own, function.name] = (place, place - len(names))
    found: dict[str, str] = {}
    for path, tree in trees.items():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if name_of(call) in NO_HEADLINES:
                continue
            texts = [headline_of(call)]
            place, from_end = helpers.get((path, name_of(call))) or helpers.get((None, name_of(call))) or (-1, -1)
            if place >= 0 and any(isinstance(argument, ast.Starred) for argument in call.args[:place]):
                place = len(call.args) + from_end
            if 0 <= place < len(call.args):
                texts.append(call.args[place])
            for node in (each for text in texts if text is not None for each in alternatives(text)):
                headline = literal(node)
                if headline and path == Path("formats", "xml", "document.py") and not headline.startswith("XML"):
                    headline = f"XML cannot be read: {headline}"
                if headline and " " in headline:
                    found.setdefault(headline, f"{path}:{node.lineno}")
    return found


def of_tables() -> Iterator[str]:
    """Yield the headlines that stand in tables."""
    yield from (
        row.headline.format(value="x", attribute="model", tag="panic") for rows in WORDS.values() for row in rows
    )
    yield from FOREIGN.values()
    yield from OF_X86.values()
    yield from (text.format("x") for row in HOT.values() for text in (row.no_attach, row.no_detach) if text)


def test_every_headline_in_the_source_is_known() -> None:
    assert [where for headline, where in headlines().items() if not meanings(FILLED.get(headline, headline))] == []


@pytest.mark.parametrize("headline", sorted(set(of_tables())))
def test_every_headline_in_the_tables_is_known(headline: str) -> None:
    assert meanings(headline)


def test_the_source_is_searched_well() -> None:
    assert len(headlines()) > 140
    for known in ("No more available PCI slots", "panic is supported only with ISA address type",
                  "x comes before x, whose bus it sits on"):  # fmt: skip
        assert known in headlines()


@pytest.mark.parametrize("version", ["12.9", "11.3", "9.0"])
def test_every_answer_of_libvirt_is_known(version: str) -> None:
    for case in cases():
        answer = read_answer(case).get(version, {"ok": True})
        if not answer["ok"]:
            assert meanings(answer["error"]), (case, answer["error"])


@pytest.mark.parametrize("version", ["12.9", "11.3", "9.0"])
def test_every_finding_is_known_by_its_code(version: str) -> None:
    for case in cases():
        if version in read_answer(case) and version not in not_covered(case):
            for finding in examine(read_guest(case), libvirt=version).findings:
                known = meanings(finding.headline)
                assert known, (case, finding.headline)
                assert any(finding.code in row.codes for row in known), (case, finding.code, finding.headline)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        # libvirt 9.0, where 11.3 says something else
        ("unsupported configuration: unknown address type 'pcie'", "address-type"),
        ("internal error: No type specified for device address", "missing-attribute"),
        ("unsupported configuration: unknown watchdog model 'itco'", "unknown-model"),
        ("unsupported configuration: unknown panic model 'pvpanic'", "unknown-word"),
        ("unsupported configuration: unknown video model 'tnt'", "unknown-model"),
        ("unsupported configuration: unknown RNG model 'foo'", "unknown-model"),
        ("internal error: watchdog must contain model name", "missing-attribute"),
        ("unsupported configuration: ivshmem device is not supported with this QEMU binary", "obsolete-model"),
        ("unsupported configuration: unknown hostdev mode 'foo'", "unknown-word"),
        ("internal error: Only 1 IDE controller is supported", "second-ide"),
    ],
)
def test_words_of_9_0(text: str, code: str) -> None:
    assert any(code in row.codes for row in meanings(text))


def test_every_row_is_found_by_its_title() -> None:
    for row in rows():
        assert set(row.codes) <= set(RULES), row.title
        assert row.meaning
        for pattern in row.patterns:
            assert any(row.patterns == known.patterns for known in meanings(pattern.replace("*", "x"))), pattern


# attributes


@pytest.mark.parametrize(
    ("text", "meaning", "rule", "remedy"),
    [
        (
            "XML error: Invalid value for attribute 'slot' in element 'address': '-1'. Expected non-negative value",
            "'slot' of <address> holds something else",
            "'slot' of <address> is a number from 0 to 0x1f",
            "write a number from 0 to 0x1f",
        ),
        (
            "Invalid value for attribute 'multifunction' in element 'address': 'yes'",
            "'multifunction' of <address> holds something else",
            "'multifunction' of <address> is on or off",
            "write on or off",
        ),
        (
            "Invalid value for attribute 'model' in element 'watchdog': 'foo'.",
            "'model' of <watchdog> holds something else",
            "'model' of <watchdog> is one of diag288, i6300esb, ib700, itco",
            "write one of diag288, i6300esb, ib700, itco",
        ),
        (
            "Invalid value for attribute 'index' in element 'controller': '0x1'. Expected integer value",
            "'index' of <controller> holds something else",
            "'index' of <controller> is a decimal number, without 0x; PCI controllers have 0 to 255",
            "write a decimal number, without 0x; PCI controllers have 0 to 255",
        ),
        (
            "XML error: Missing required attribute 'model' in element 'memballoon'",
            "<memballoon> lacks 'model'",
            "'model' of <memballoon> is one of none, virtio, virtio-non-transitional, virtio-transitional, xen",
            "add model=",
        ),
        (
            "Invalid value for attribute 'unit' in element 'address': 'x'",
            "'unit' of <address> holds something else",
            "'unit' of <address> is a number, in an address of type drive",
            "write a number, in an address of type drive",
        ),
    ],
)
def test_an_attribute_is_explained(text: str, meaning: str, rule: str, remedy: str) -> None:
    row = meanings(text)[0]
    assert (row.meaning, row.rule_text, row.remedy) == (meaning, rule, remedy)


def test_an_attribute_that_is_not_known_is_explained_in_general() -> None:
    row = meanings("Invalid value for attribute 'wish' in element 'genie': '4'")[0]
    assert row.meaning == "an attribute is out of syntax"


# in a guest


def test_the_address_chooses() -> None:
    text = domain(
        "pc", nic("virtio", at(0, 5)), nic("e1000", at(0, 5)), nic("virtio", at(0, 7)), nic("e1000", at(0, 7))
    )
    said = "Attempted double use of PCI Address 0000:00:07.0"
    row = meanings(said)[0]
    case = explain_in(row, text, text=said)
    assert [f.line for f in case.findings] == [13]
    assert [f.line for f in case.others] == [11]
    assert (case.fixed, case.accepted) == (1, False)
    assert [f.line for f in explain_in(row, text).findings] == [11, 13]
    elsewhere = explain_in(row, text, text="PCI: slot 9 function 0 not available at 0000:00:09.0")
    assert [f.line for f in elsewhere.findings] == [11, 13]


def test_the_address_that_is_written_chooses() -> None:
    text = domain("q35", pci("pcie-root"), disk(0, at(0, 0x1F, 1)), disk(1, at(0, 4)), disk(2, at(0, 4)))
    said = "qemu: PCI: slot 4 function 0 not available for virtio-blk-pci at 0000:00:04.0, in use by x"
    assert [f.parties[0] for f in explain_in(meanings(said)[0], text, text=said).findings] == ["disk:vdc"]


def test_a_headline_that_is_quoted_is_the_one() -> None:
    text = domain("pc", nic("virtio", at(0, 5)), nic("e1000", at(0, 5)), pci("pcie-root-port", 1))
    (refused,) = (f for f in examine(text).errors if f.code == "no-slot-for-controller")
    said = f"log: {refused.headline}; see below"
    case = explain_in(meanings(said)[0], text, text=said)
    assert [f.code for f in case.findings] == ["no-slot-for-controller"]
    assert [f.code for f in case.others] == ["slot-occupied"]


def test_a_headline_that_no_text_knows_is_that_of_its_finding() -> None:
    text = domain("pc", nic("virtio", at(0, 5, 1)))
    (finding,) = check(text)
    case = explain_in(None, text, text=f"check said: {finding.headline} [orphan-function]")
    assert [f.code for f in case.findings] == ["orphan-function"]
    assert case.findings[0].remedy == finding.remedy
    row = meaning_of(finding)
    assert (row.title, row.codes, row.remedy) == (finding.headline, ("orphan-function",), finding.remedy)
    assert explain_in(None, text, text="nothing of the kind").findings == ()
