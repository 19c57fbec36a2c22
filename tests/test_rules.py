"""The rules in `docs/rules`: each has a number, and whatever cites one names a rule that is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from pcisim.catalogue import connectors
from pcisim.catalogue.controllers import PCI_CONTROLLERS
from pcisim.catalogue.devices import PLACED, WALK
from pcisim.enumeration.names import ALWAYS, NEVER, SCHEMES, SHARED, spans
from tests.oracle import generator, others

ROOT = Path(__file__).parent.parent
DOCUMENTS = {path.stem: path for path in sorted((ROOT / "docs" / "rules").glob("*.md"))}
FOLDERS = ("pcisim", "tests", "docs", "benchmarks", "notebooks", "examples")

NUMBER = r"\d+(?:\.\d+)*"
HEADING = re.compile(rf"#{{2,3}} ({NUMBER}) \S")
ROW = re.compile(rf"\| ({NUMBER}) \|")
CITATION = re.compile(
    rf"\b([Ll]ibvirt|QEMU|[Ff]irmware) (?:rule ({NUMBER})|rules ({NUMBER}(?:(?:, | and | or | to ){NUMBER})+))"
    r"(?![.\d]*\d)"
)
WITHIN = re.compile(rf"\(({NUMBER})(?=[),;:])")


def numbers_of(path: Path) -> list[str]:
    """Return the numbers of a document's rules: those of headings, and the first column of tables of rules."""
    found = []
    is_table_of_rules = False
    for line in path.read_text().splitlines():
        if line.startswith("| rule |"):
            is_table_of_rules = True
        elif not line.startswith("|"):
            is_table_of_rules = False
        match = HEADING.match(line) or (ROW.match(line) if is_table_of_rules else None)
        if match:
            found.append(match[1])
    return found


RULES = {name: numbers_of(path) for name, path in DOCUMENTS.items()}


def files() -> Iterator[Path]:
    """Yield every text that may cite a rule."""
    yield from ROOT.glob("*.md")
    for folder in FOLDERS:
        for suffix in ("py", "md"):
            yield from (path for path in (ROOT / folder).rglob(f"*.{suffix}") if path != Path(__file__))


def text_of(path: Path) -> str:
    """Return a text in one line, so that a citation may wrap, in a comment too."""
    return re.sub(r"\s*\n\s*(?:# )?", " ", path.read_text())


def cited(text: str) -> Iterator[tuple[str, str]]:
    """Yield document and number of every rule that a text cites."""
    for match in CITATION.finditer(text):
        for number in re.findall(NUMBER, match[2] or match[3]):
            yield match[1].lower(), number


def test_citations_are_found() -> None:
    text = (
        "as libvirt 11.3 (libvirt rule 6.3); QEMU rules 2.4, 3.1 and 3.2. Firmware rules 1.1 to 1.3, firmware rule 2."
    )
    assert list(cited(text)) == [
        ("libvirt", "6.3"),
        ("qemu", "2.4"),
        ("qemu", "3.1"),
        ("qemu", "3.2"),
        ("firmware", "1.1"),
        ("firmware", "1.3"),
        ("firmware", "2"),
    ]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_rules_are_numbered_in_order(name: str) -> None:
    numbers = [tuple(map(int, number.split("."))) for number in RULES[name]]
    assert {"libvirt", "qemu", "firmware"} == set(DOCUMENTS)
    for before, after in pairwise(numbers):
        assert after in {(before[0] + 1,), (before[0], 1), (*before[:-1], before[-1] + 1)}, (before, after)


OTHER_FORMS = re.compile(
    r"(?<![\w-])(?<!ibvirt )(?<!QEMU )(?<!irmware )[Rr]ules? \d|[Ss]ections? \d[\d., and]* of the (?:rules|facts)"
)


def test_there_is_one_form_of_citation() -> None:
    found = [path for path in files() if path.suffix == ".py" and OTHER_FORMS.search(text_of(path))]
    assert not found


def test_every_citation_names_a_rule() -> None:
    seen = [(path, *citation) for path in files() for citation in cited(text_of(path))]
    assert {name for _, name, _ in seen} == set(DOCUMENTS)
    unknown = [
        f"{path.relative_to(ROOT)}: {name} rule {number}" for path, name, number in seen if number not in RULES[name]
    ]
    assert not unknown


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_refers_to_rules_of_its_own(name: str) -> None:
    assert {number for number in WITHIN.findall(text_of(DOCUMENTS[name])) if "." in number} <= set(RULES[name])


def test_clauses_of_random_guests_are_rules_of_libvirt() -> None:
    numbers = {tag.partition("/")[0] for tag in (*generator.all_tags(), *others.all_tags())}
    assert numbers - {"style"} <= set(RULES["libvirt"])


# --- tables that the code has too


def table_of(name: str, first: str) -> list[list[str]]:
    """Return the cells of the table whose header starts with a word, without the header."""
    _, _, rest = DOCUMENTS[name].read_text().partition(f"| {first} |")
    rows = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip(" *") for cell in row.strip("| ").split(" | ")] for row in rows]


def test_buses_accept_what_the_catalogue_says() -> None:
    """Of libvirt rule 2.1."""
    letters = {"C": connectors.CONVENTIONAL, "E": connectors.EXPRESS}
    kinds = {name: kind for kind, name in connectors.KIND_NAMES.items()}
    for row in table_of("libvirt", "letter"):
        letters |= {letter: kinds[model] for letter, model in zip(row[::2], row[1::2], strict=True) if model in kinds}
    for model, accepts, auto, hotplug, slots in table_of("libvirt", "model"):
        known = PCI_CONTROLLERS[model]
        assert sum(letters[letter] for letter in accepts.split(", ")) == known.accepts
        assert (auto, hotplug) == ("yes" if known.automatic else "no", "yes" if known.hotplug else "no")
        assert slots == "-".join(f"{slot:02x}" for slot in sorted(set(known.slots)))
    assert len(table_of("libvirt", "model")) == len(PCI_CONTROLLERS)


def test_devices_come_in_the_order_of_the_catalogue() -> None:
    """Of libvirt rules 6.2 and 6.4."""
    walk = re.search(r"\*device-walk order\*: ([^.]*)\.", text_of(DOCUMENTS["libvirt"]))
    assert walk is not None
    assert tuple(walk[1].split(", ")) == WALK
    steps = [row[1].split(", ") for row in table_of("libvirt", "step") if row[0] not in ("0", "0b", "1")]
    assert tuple(element for step in steps for element in step) == PLACED


def test_naming_schemes_are_those_of_the_code() -> None:
    """Of firmware rule 9.2."""
    words = {"always": ALWAYS, "never": NEVER, "for": SHARED}
    for names, bridge, described in table_of("firmware", "schemes"):
        rows = (words[bridge.split()[0]], described.startswith("yes"))
        assert names == spans(row.name for row in SCHEMES.values() if (row.bridge, row.described) == rows)
