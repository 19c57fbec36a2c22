"""What a pasted error text means, and where it comes from in a guest."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import cache, lru_cache
from typing import NamedTuple

from pcisim.address import format_packed
from pcisim.capacity.fits import fits
from pcisim.capacity.report import room
from pcisim.catalogue.versions import DEFAULT_VERSION, Libvirt, libvirt_version
from pcisim.diagnose.diagnosis import Diagnosis, controller_text, examine
from pcisim.diagnose.finding import Finding
from pcisim.diagnose.headlines import about_attribute, rows
from pcisim.diagnose.rules import RULES
from pcisim.diagnose.texts import PCISIM, Text
from pcisim.diagnose.trial import Judge, patched, with_remedies
from pcisim.errors import check_type
from pcisim.libvirt.policy import LibvirtPolicy

_NEAR = 0.5
"""How much of a text two rows have to share to be called near."""


class Case(NamedTuple):
    """A text in a guest.

    Args:
        findings: those that are this error.
        others: the other errors.
        room: what is free in the guest, when libvirt accepts it.
        patched: the document with these findings fixed, tried; ``None`` where no patch is known.
        fixed: how many of `findings` the patch fixes.
        accepted: whether the patched document has no errors.
        paste: controllers that make room for a conventional device of a running guest.
    """

    findings: tuple[Finding, ...]
    others: tuple[Finding, ...]
    room: str = ""
    patched: str | bytes | None = None
    fixed: int = 0
    accepted: bool = False
    paste: tuple[str, ...] = ()


class Meaning(NamedTuple):
    """What an error text means; false where that is not known.

    Args:
        text: what was asked about.
        row: what it means; ``None`` where it is unknown.
        near: for an unknown text, the rows that it resembles.
        case: where it comes from in the document, if there was one.
    """

    text: str
    row: Text | None
    near: tuple[Text, ...] = ()
    case: Case | None = None

    def __bool__(self) -> bool:
        return self.row is not None

    def lines(self) -> list[str]:
        """Return what it means, for people, without the document."""
        if self.row is not None:
            return self.row.lines()
        lines = [f"unknown text: {' '.join(self.text.split())[:200]}"]
        if self.near:
            lines += ["  near ones:", *(f"    {row.title}  ({row.speaker})" for row in self.near)]
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return f"<Meaning {'unknown' if self.row is None else repr(self.row.title)}>"


def explain(text: str, xml: str | bytes | None = None, *, libvirt: str | Libvirt = DEFAULT_VERSION) -> Meaning:
    """Say what an error of libvirt, QEMU, the firmware or pcisim means, and where it comes from in a guest.

    Args:
        text: whatever was pasted, with prefixes, addresses and line ends.
        xml: the domain that it was said of, if it is at hand.
        libvirt: the libvirt version to emulate, from ``7.0`` on.

    Raises:
        UsageError: an unknown version.

    Examples:
        >>> import pcisim
        >>> found = pcisim.explain("error: internal error: No more available PCI slots")
        >>> found.lines()[0]
        'No more available PCI slots  (libvirt)'
        >>> pcisim.explain("all is well")
        <Meaning unknown>
    """
    check_type(text, str, "a text to be explained is a str")
    rows = meanings(text)
    row = rows[0] if rows else None
    case = None if xml is None else explain_in(row, xml, libvirt=libvirt, text=text)
    if row is None and case is not None and case.findings:
        row = meaning_of(case.findings[0])
    return Meaning(text, row, () if row is not None else tuple(near(text)), case)


def meanings(text: str) -> list[Text]:
    """Return the rows that a text matches, the closest first.

    Args:
        text: whatever was pasted, with prefixes, addresses and line ends.
    """
    words = _words(text)
    hits: list[tuple[int, int, Text]] = []
    for place, row in enumerate(_rows()):
        lengths = [len(pattern) for pattern in row.patterns if _is_in(words, _pieces(pattern))]
        if lengths:
            hits.append((-max(lengths), place, row))
    return [about_attribute(row, text) for _, _, row in sorted(hits, key=lambda hit: hit[:2])]


def near(text: str, most: int = 3) -> list[Text]:
    """Return the rows that a text resembles, the closest first; none when it resembles nothing."""
    words = set(_words(text).split()) - _COMMON
    found = []
    for place, row in enumerate(_rows()):
        best = 0.0
        for pattern in row.patterns:
            known = set(_words(pattern).split()) - _COMMON
            if known and words and 2 * len(known) >= _NEAR * (len(known) + len(words)):
                shared = sum(max(_alike(a, b) for b in words) for a in known)
                best = max(best, 2 * shared / (len(known) + len(words)))
        if best >= _NEAR:
            found.append((-best, place, row))
    return [row for _, _, row in sorted(found, key=lambda hit: hit[:2])[:most]]


def explain_in(
    row: Text | None, document: str | bytes, *, libvirt: str | Libvirt = DEFAULT_VERSION, text: str = ""
) -> Case:
    """Say where an error comes from in a guest, and fix it.

    Args:
        row: one of `meanings`, or ``None`` where the text has none.
        document: domain XML.
        libvirt: the libvirt version to emulate.
        text: what was pasted: a finding whose headline is in it is the one, else the address in it chooses.

    Raises:
        UsageError: an unknown version.
    """
    before = examine(document, libvirt=libvirt)
    codes = frozenset(row.codes) if row is not None else frozenset()
    mine = _quoted(before, text) or _at_address(tuple(f for f in before.findings if f.code in codes), before, text)
    others = tuple(finding for finding in before.errors if finding not in mine)
    free = str(room(before.placement.topology)) if before.placement is not None else ""
    paste = _for_conventional(before, libvirt) if codes & _ABOUT_HOT else ()
    new, fixed, after = patched(document, before, frozenset(mine), libvirt)
    told = {_key(finding): finding for finding in with_remedies(before, Judge(libvirt)).findings}
    mine, others = (tuple(told.get(_key(f), f) for f in found) for found in (mine, others))
    if not fixed:
        return Case(mine, others, free, paste=paste)
    return Case(mine, others, free, new, fixed, not after.errors, paste)


def meaning_of(finding: Finding) -> Text:
    """Return what a finding means, where no text says so: what its rule says."""
    row = RULES.get(finding.code)
    meaning = row.meaning if row is not None else finding.headline
    return Text(PCISIM, (finding.headline,), (finding.code,), meaning, meaning, finding.remedy)


def _key(finding: Finding) -> tuple[object, ...]:
    return finding.code, finding.headline, finding.parties, finding.line


def _quoted(diagnosis: Diagnosis, text: str) -> tuple[Finding, ...]:
    """Return the findings whose headlines are in a text; of those that are within another, the longest."""
    words = f" {_words(text)} "
    found = [f for f in diagnosis.findings if f" {_words(f.headline)} " in words]
    longest = max((len(f.headline) for f in found), default=0)
    return tuple(f for f in found if len(f.headline) == longest)


def _at_address(findings: tuple[Finding, ...], diagnosis: Diagnosis, text: str) -> tuple[Finding, ...]:
    """Return the findings that speak of an address in a text; all of them where none does."""
    addresses = {address.lower() for address in _ADDRESS.findall(text)}
    guest = diagnosis.guest
    written = {} if guest is None else {d.label: d.address for d in guest.all_devices() if d.address is not None}

    def speaks(finding: Finding) -> bool:
        said = " ".join((finding.headline, *finding.details)).lower()
        places = {format_packed(written[label]) for label in finding.parties[:1] if label in written}
        return bool(addresses & {*_ADDRESS.findall(said), *places})

    chosen = tuple(finding for finding in findings if addresses and speaks(finding))
    return chosen or findings


_ADDRESS = re.compile(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]")
_rows = cache(rows)


_ABOUT_HOT = frozenset({"no-hot-slot"})


def _for_conventional(diagnosis: Diagnosis, libvirt: str | Libvirt) -> tuple[str, ...]:
    """Return the controllers that a running guest lacks for one conventional device."""
    guest = diagnosis.guest
    if guest is None or diagnosis.placement is None or not guest.express:
        return ()
    answer = fits(guest, {"rtl8139": 1}, LibvirtPolicy(libvirt_version(libvirt)), hotplug=True)
    return tuple(controller_text(controller) for controller in answer.controllers)


_COMMON = frozenset({"error", "pci", "the", "a", "is", "of", "for", "with", "in", "to", "and", "xml", "internal"})


def _words(text: str) -> str:
    """Return a text in lower case, with one blank between words; ``*`` stays."""
    return " ".join(re.findall(r"[a-z0-9_<>=/*]+(?:'t)?", text.lower().replace("\u2019", "'")))


@cache
def _pieces(pattern: str) -> tuple[str, ...]:
    """Return what stands between the ``*`` of a pattern."""
    return tuple(piece.strip() for piece in _words(pattern).split("*"))


def _is_in(words: str, pieces: tuple[str, ...]) -> bool:
    """Return whether pieces stand in a text one after the other, the first and the last at the ends of words.

    The first place of each leaves most room for the next, so that none is looked for twice.
    """
    place, last = 0, len(pieces) - 1
    for number, piece in enumerate(pieces):
        while True:
            place = words.find(piece, place)
            if place < 0:
                return False
            end = place + len(piece)
            begins = number > 0 or not piece or place == 0 or not _is_word(words[place - 1])
            if begins and (number < last or not piece or end == len(words) or not _is_word(words[end])):
                break
            place += 1
        place = end
    return True


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


@lru_cache(maxsize=1024)
def _alike(a: str, b: str) -> float:
    """Return how alike two words are, from 0 to 1, and 0 for all that is not above `_ALIKE`."""
    if 2 * min(len(a), len(b)) <= _ALIKE * (len(a) + len(b)):
        return 0.0
    ratio = SequenceMatcher(None, a, b).ratio()
    return ratio if ratio > _ALIKE else 0.0


_ALIKE = 0.75
