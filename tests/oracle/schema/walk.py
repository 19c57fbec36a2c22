"""A random walk through a RELAX NG grammar: each pattern that is met adds what it allows to an element."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.oracle.schema.grammar import Grammar, kind
from tests.oracle.schema.patterns import matching

if TYPE_CHECKING:
    from collections.abc import Iterator

ANYWHERE = "*"
DIGITS = "[0-9]+"
DEEP = 30
"""How many patterns inside one another are too many: what is optional is left out below."""
NUMBERS = (0, 1, 1, 2, 3, 4, 5, 8, 16, 31, 32, 64, 255, 256, 1024)
"""The integers to choose from where the grammar allows any: none that would keep a daemon busy for long."""

Row = tuple[str, str]
Value = Callable[[random.Random], str]


@dataclass(frozen=True)
class Taste:
    """What to prefer where the grammar leaves a choice.

    A row is for a *scope* and a *label*. The scope is the name of an element or of a named pattern that is open,
    ``outer/inner`` for one directly in another, or ``*``; the innermost scope that has a row counts. The label is
    what the pattern begins with: a name, or for a weight a value if there is one.

    Attributes:
        weights: how likely an alternative is; one without a row weighs 1, and 0 is never.
        chances: the probability that something optional is there, or that there is one more of it.
        values: what to write instead of what the grammar allows, by the name of a pattern, ``<element>``,
            ``element@attribute`` or ``scope/element@attribute``, the scope that the element is in.
        chance: the probability where no row says another.
    """

    weights: Mapping[Row, float] = field(default_factory=dict)
    chances: Mapping[Row, float] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)
    chance: float = 0.05


class Walk:
    """One random walk.

    Args:
        grammar: what is allowed.
        taste: what is preferred.
        rng: where chance comes from; the same state gives the same document.
    """

    def __init__(self, grammar: Grammar, taste: Taste, rng: random.Random) -> None:
        self._grammar = grammar
        self._taste = taste
        self._rng = rng
        self._scopes: list[str] = [ANYWHERE]
        self._namespace = ""

    def element(self, name: str) -> ET.Element:
        """Return an element as the named pattern allows it."""
        holder = ET.Element(ANYWHERE)
        self._named(name, holder)
        return holder[0]

    # ---- patterns

    def _visit(self, pattern: ET.Element, into: ET.Element) -> None:
        match kind(pattern):
            case "element":
                self._element(pattern, into)
            case "attribute":
                self._attribute(pattern, into)
            case "ref":
                self._named(pattern.attrib["name"], into)
            case "group":
                self._all(pattern, into)
            case "interleave":
                self._interleave(pattern, into)
            case "choice":
                alternatives = [part for part in pattern if kind(part) != "anyName"]
                weights = [self._row(self._taste.weights, first_of(part), 1.0) for part in alternatives]
                if any(weights):
                    self._visit(self._rng.choices(alternatives, weights)[0], into)
            case "optional":
                if self._likely(pattern):
                    self._all(pattern, into)
            case "zeroOrMore":
                while self._likely(pattern):
                    self._all(pattern, into)
            case "oneOrMore":
                self._all(pattern, into)
                while self._likely(pattern):
                    self._all(pattern, into)
            case "value":
                into.text = (into.text or "") + (pattern.text or "")
            case "text":
                into.text = matching("[a-z]{1,8}", self._rng)
            case "data":
                into.text = self._data(pattern)
            case "empty" | "anyName" | "notAllowed":
                pass
            case other:
                raise ValueError(f"the grammar has a pattern of an unknown kind: {other}")

    def _all(self, patterns: Iterable[ET.Element], into: ET.Element) -> None:
        for pattern in patterns:
            self._visit(pattern, into)

    def _named(self, name: str, into: ET.Element) -> None:
        value = self._taste.values.get(name)
        if value is not None:
            into.text = value(self._rng)
            return
        with self._scope(name):
            self._all(self._grammar.defines[name], into)

    def _element(self, pattern: ET.Element, into: ET.Element) -> None:
        name = pattern.get("name", "anything")
        outside, self._namespace = self._namespace, pattern.get("ns", self._namespace)
        new = ET.SubElement(into, f"{{{self._namespace}}}{name}" if self._namespace else name)
        with self._scope(name):
            self._all(pattern, new)
            self._overwrite(new)
        self._namespace = outside

    def _attribute(self, pattern: ET.Element, into: ET.Element) -> None:
        name = pattern.get("name", "any")
        holder = ET.Element(name)
        with self._scope(name):
            self._all(pattern, holder)
        if not len(pattern):
            holder.text = matching("[a-z]{1,8}", self._rng)
        into.set(name, holder.text or "")

    def _interleave(self, pattern: ET.Element, into: ET.Element) -> None:
        children: list[ET.Element] = []
        for part in pattern:
            holder = ET.Element(into.tag)
            self._visit(part, holder)
            into.attrib.update(holder.attrib)
            into.text = holder.text or into.text
            children.append(holder)
        self._rng.shuffle(children)
        for holder in children:
            into.extend(holder)

    # ---- choices

    def _row(self, rows: Mapping[Row, float], label: str, otherwise: float) -> float:
        """Return the number in the row of the innermost scope that has one."""
        for at in range(len(self._scopes) - 1, -1, -1):
            scope = self._scopes[at]
            for each in (f"{self._scopes[at - 1]}/{scope}", scope):
                if (each, label) in rows:
                    return rows[each, label]
        return otherwise

    def _likely(self, pattern: ET.Element) -> bool:
        chance = self._row(self._taste.chances, name_of(pattern), self._taste.chance)
        return len(self._scopes) < DEEP and self._rng.random() < chance

    def _overwrite(self, element: ET.Element) -> None:
        """Replace what has a value of its own in the taste."""
        values = self._taste.values
        outer = self._scopes[-2]
        for attribute in element.attrib:
            name = f"{element.tag}@{attribute}"
            value = values.get(f"{outer}/{name}") or values.get(name)
            if value is not None:
                element.set(attribute, value(self._rng))
        value = values.get(f"<{element.tag}>")
        if value is not None:
            element.text = value(self._rng)

    def _data(self, pattern: ET.Element) -> str:
        name = pattern.attrib["type"]
        limits = {part.attrib["name"]: part.text or "" for part in pattern if kind(part) == "param"}
        if name in ("string", "NCName", "anyURI") or limits.get("pattern", DIGITS) != DIGITS:
            return matching(limits.get("pattern", "[a-z]{1,8}"), self._rng)
        if name == "dateTime":
            return "2030-01-01T00:00:00"
        least = int(limits.get("minInclusive", "1" if name == "positiveInteger" else "0"))
        most = int(limits.get("maxInclusive", str(max(NUMBERS))))
        return str(self._rng.choice([number for number in (*NUMBERS, least, most) if least <= number <= most]))

    @contextmanager
    def _scope(self, name: str) -> Iterator[None]:
        if self._scopes[-1] == name:
            yield
            return
        self._scopes.append(name)
        yield
        self._scopes.pop()


def name_of(pattern: ET.Element) -> str:
    """Return the name of the first attribute, element or named pattern in this one."""
    return pattern.get("name") or next((found for part in pattern if (found := name_of(part))), "")


def first_of(pattern: ET.Element) -> str:
    """Return the first value in this pattern, or else the first name."""
    if kind(pattern) == "value":
        return pattern.text or ""
    if kind(pattern) in ("ref", "element"):
        return pattern.get("name", "")
    return next((found for part in pattern if (found := first_of(part))), "") or pattern.get("name", kind(pattern))
