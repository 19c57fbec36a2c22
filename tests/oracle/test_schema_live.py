"""Law: pcisim answers as the libvirt that is running, on whatever the grammar that came with it allows.

A random document (`tests.oracle.schema`) grows part by part. Each part that is not refused stays, so that its places
are compared in the company of all before it; a part that is refused, and for which reason, is judged and left out.

Set PCISIM_LIBVIRT_11_3 (and the others of `tests.oracle.live`) to connection URIs. PCISIM_ORACLE_SEEDS says how many
documents (100) and PCISIM_ORACLE_FIRST where to begin (1).
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.oracle.agreement import Agreement, kind
from tests.oracle.live import URI_VARIABLES, LiveLibvirt, configured
from tests.oracle.schema.documents import Document, generate
from tests.oracle.schema.grammar import Grammar, schemas_of
from tests.oracle.schema.grammar import kind as kind_of
from tests.oracle.schema.refusals import REASONS, row_of
from tests.oracle.schema.taste import TASTES
from tests.oracle.test_live import EMULATED

FIRST = int(os.environ.get("PCISIM_ORACLE_FIRST", "1"))
SEEDS = int(os.environ.get("PCISIM_ORACLE_SEEDS", "100"))
REDUCED_AT_MOST = 20  # sorts of disagreement; each takes some hundred questions

pytestmark = pytest.mark.oracle


def growing(agreement: Agreement, document: Document, rows: Counter[str]) -> Iterator[tuple[str, list[str] | None]]:
    """Yield the document as it grows, with how the two answers differ; count the rows that say what is not judged."""
    kept: list[int] = []
    for part in (None, *range(len(document.parts))):
        trial = kept if part is None else [*kept, part]
        xml = document.xml(trial)
        answer = agreement.client.ask(xml)
        row = row_of(answer.error)
        if row is not None:
            rows[row] += 1
        lines = agreement.disagreement(xml, answer)
        yield xml, lines
        if answer.ok and not lines:
            kept = trial
        elif part is None:
            return


def words_of(grammar: Grammar) -> set[str]:
    """Return every name and value in a grammar, and ``<element>`` for each element."""
    found = {"*"}
    for name, define in grammar.defines.items():
        found.add(name)
        for part in define.iter():
            found |= {part.get("name") or "", kind_of(part), (part.text or "").strip()}
            if kind_of(part) == "element":
                found.add(f"<{part.get('name')}>")
    return found


def test_the_taste_speaks_of_what_the_grammars_have() -> None:
    uris = [uri for version in URI_VARIABLES if (uri := configured(version))]
    if not uris:
        pytest.skip("no libvirt to ask: there is no grammar")
    known = set().union(*(words_of(Grammar(schemas_of(uri))) for uri in uris))
    for taste in TASTES.values():
        rows = [*taste.weights, *taste.chances, *(re.split("[/@]", name) for name in taste.values)]
        said = {word for row in rows for part in row for word in part.split("/")}
        assert said - known == set()


@pytest.mark.parametrize("version", URI_VARIABLES)
def test_pcisim_answers_as_libvirt_on_what_its_grammar_allows(version: str) -> None:
    uri = configured(version)
    if uri is None:
        pytest.skip(f"{URI_VARIABLES[version]} is not set: no libvirt {version} to ask")
    grammar = Grammar(schemas_of(uri))
    counts: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    reports: dict[str, str] = {}
    with LiveLibvirt(uri) as client:
        assert client.version.startswith(f"{version}."), f"{uri} is libvirt {client.version}"
        others = all(client.ask(xml).ok for xml in EMULATED.values())
        agreement = Agreement(version, client, lambda error: row_of(error) is None)
        for seed in range(FIRST, FIRST + SEEDS):
            for xml, lines in growing(agreement, generate(grammar, seed, others), rows):
                counts["questions"] += 1
                counts["not judged"] += lines is None
                if not lines:
                    continue
                counts["wrong"] += 1
                sort = kind(lines[:1])
                if sort in reports:
                    continue
                small, rest = agreement.reduced(xml, lines) if len(reports) < REDUCED_AT_MOST else (xml, lines)
                reports[sort] = agreement.report(f"seed {seed}", small, rest)
    unmet = [text for texts in REASONS.values() for text in texts if text not in rows]
    print(f"libvirt {version}, seeds {FIRST} to {FIRST + SEEDS - 1}: {dict(counts)}")
    print("refusals that were never met:", *unmet, sep="\n  ")
    assert not reports, "\n\n".join([f"{counts['wrong']} answers are wrong: {dict(counts)}", *reports.values()])
