"""Random strings that match a regular expression, of the kind that XML Schema has and libvirt's grammar uses."""

from __future__ import annotations

import random
from collections.abc import Callable

ANY = "abcdefghijklmnopqrstuvwxyz0123456789"
"""What stands for "any character", and for a class that is given by what it leaves out."""
ESCAPES = {"n": "\n", "s": " "}
MORE_THAN_NEEDED = 2
"""How many repetitions ``*``, ``+`` and ``{n,}`` add at most."""

Sampler = Callable[[random.Random], str]


def matching(pattern: str, rng: random.Random) -> str:
    """Return a random string that matches the whole of this pattern.

    Args:
        pattern: literals, ``.``, classes, groups, ``|``, and the repetitions ``* + ? {n} {n,} {n,m}``.

    Raises:
        ValueError: the pattern has something else.
    """
    return _Reader(pattern).read()(rng)


class _Reader:
    """A recursive-descent parser that turns a pattern into a function that samples it."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def read(self) -> Sampler:
        sampler = self._alternatives()
        if self._at != len(self._pattern):
            raise ValueError(f"{self._pattern!r} cannot be read beyond character {self._at}")
        return sampler

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _next(self) -> str:
        self._at += 1
        return self._pattern[self._at - 1]

    def _skip(self, character: str) -> bool:
        found = self._peek() == character
        self._at += found
        return found

    def _alternatives(self) -> Sampler:
        branches = [self._sequence()]
        while self._skip("|"):
            branches.append(self._sequence())
        return lambda rng: rng.choice(branches)(rng)

    def _sequence(self) -> Sampler:
        parts = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._repeated(self._atom()))
        return lambda rng: "".join(part(rng) for part in parts)

    def _atom(self) -> Sampler:
        character = self._next()
        if character == "(":
            inside = self._alternatives()
            if not self._skip(")"):
                raise ValueError(f"{self._pattern!r} has a group without an end")
            return inside
        if character == "[":
            members = self._class()
            return lambda rng: rng.choice(members)
        if character == ".":
            return lambda rng: rng.choice(ANY)
        literal = self._escaped() if character == "\\" else character
        return lambda rng: literal

    def _escaped(self) -> str:
        character = self._next()
        if character.isalnum() and character not in ESCAPES:
            raise ValueError(f"{self._pattern!r} has the unknown escape \\{character}")
        return ESCAPES.get(character, character)

    def _class(self) -> str:
        left_out = self._skip("^")
        members = ""
        while not self._skip("]"):
            first = self._member()
            if self._peek() == "-" and self._pattern[self._at + 1] != "]":
                self._next()
                members += "".join(map(chr, range(ord(first), ord(self._member()) + 1)))
            else:
                members += first
        return "".join(character for character in ANY if character not in members) if left_out else members

    def _member(self) -> str:
        character = self._next()
        return self._escaped() if character == "\\" else character

    def _repeated(self, sampler: Sampler) -> Sampler:
        least, most = 1, 1
        if self._skip("*"):
            least, most = 0, MORE_THAN_NEEDED
        elif self._skip("+"):
            least, most = 1, 1 + MORE_THAN_NEEDED
        elif self._skip("?"):
            least, most = 0, 1
        elif self._skip("{"):
            end = self._pattern.index("}", self._at)
            low, comma, high = self._pattern[self._at : end].partition(",")
            least = int(low)
            most = int(high) if high else least + (MORE_THAN_NEEDED if comma else 0)
            self._at = end + 1
        return lambda rng: "".join(sampler(rng) for _ in range(rng.randint(least, most)))
