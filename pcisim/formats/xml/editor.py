"""Edit XML so that every byte nobody asked to change stays.

Edits are collected per element and become splices (start, end, replacement) of `Document.source`.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

from pcisim.errors import InputError
from pcisim.formats.xml.document import BLANKS, BOM, SPACE, Document, Element, read_start_tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import AnyStr

_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_LEADING = re.compile(b"[ \t]*")
_NEAR = 4096
"""So many bytes are looked through for the beginning of a line; longer lines have an index."""
_VALUE = {
    quote: str.maketrans(
        {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;", quote: escaped}
    )
    for quote, escaped in (("'", "&apos;"), ('"', "&quot;"))
}


class Fragment:
    """A piece of XML to be written; where it goes decides on indentation, quotes and line endings.

    Args:
        tag: an ASCII name.
        attributes: names and values, in the order to write them.
        children: written on lines of their own, unless there is text too.
        text: written before the children.

    Raises:
        ValueError: a name that is none.
        InputError: a character that XML cannot hold (code ``xml-character``).
    """

    __slots__ = ("attributes", "children", "tag", "text")

    def __init__(
        self,
        tag: str,
        attributes: Mapping[str, str] | None = None,
        children: Iterable[Fragment] = (),
        text: str | None = None,
    ) -> None:
        self.tag = tag
        self.attributes = dict(attributes or {})
        self.children = tuple(children)
        self.text = text
        for word in (tag, *self.attributes):
            _check_name(word)
        words = "".join(self.attributes.values()) + (text or "")
        if not words.isprintable():
            _check_characters(words)

    def __repr__(self) -> str:
        return f"Fragment({self.tag!r}, {self.attributes!r}, {self.children!r}, {self.text!r})"

    def render(self, quote: str, newline: str, step: str, indent: str | None) -> str:
        """Return the text of the fragment; an indentation of ``None`` keeps it on one line."""
        head = f"<{self.tag}"
        for name, value in self.attributes.items():
            head += f" {name}={quote}{value if value.isalnum() else _value(value, quote)}{quote}"
        if not self.text and not self.children:
            return f"{head}/>"
        inner = (self.text or "").translate(_TEXT).replace("\n", newline)
        if inner or indent is None:
            inner += "".join(child.render(quote, newline, step, None) for child in self.children)
        else:
            deeper = indent + step
            lines = [f"{newline}{deeper}{child.render(quote, newline, step, deeper)}" for child in self.children]
            inner = f"{''.join(lines)}{newline}{indent}"
        return f"{head}>{inner}</{self.tag}>"


DEPTHS = "\0\1\2\3"
"""What the lines of a `Markup` begin with: each stands for a line break and an indentation."""


class Markup:
    """Lines of XML that are known to be well-formed, in single quotes, with no other quotes inside.

    Cheaper than a tree of `Fragment`, for what is written often.

    Args:
        text: the lines, each behind the character of `DEPTHS` that says how deep it is indented.
    """

    __slots__ = ("children", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.children = text.count("<") > 1
        """Whether there is more than one line."""

    def __repr__(self) -> str:
        return f"Markup({self.text!r})"

    def render(self, quote: str, newline: str, step: str, indent: str | None) -> str:
        """Return the text of the lines; an indentation of ``None`` keeps them on one line."""
        text = self.text[1:]
        for depth, mark in enumerate(DEPTHS):
            if mark in text:
                text = text.replace(mark, "" if indent is None else newline + indent + step * depth)
        return text if quote == "'" else text.replace("'", quote)


def near_quote(source: bytes, stretch: int) -> str:
    """Return the quotes in use about a stretch of 2 KiB of a document."""
    near = source[max(0, stretch - 1) << 11 : (stretch + 2) << 11]
    return '"' if b'="' in near and near.count(b'="') > near.count(b"='") else "'"


def deeper(lines: str) -> str:
    """Return the lines of a `Markup`, each one level deeper."""
    return lines.translate(_DEEPER)


_DEEPER = {ord(mark): more for mark, more in itertools.pairwise(DEPTHS)}


def _value(value: str, quote: str) -> str:
    return value.translate(_VALUE[quote])


@lru_cache(256)
def _check_name(name: str) -> None:
    plain = name.replace("-", "_").replace(".", "_").replace(":", "_")
    if not (name.isascii() and plain.isidentifier()) or name[0] in "-.":
        raise ValueError(f"not a name that can be written: {name!r}")


def _check_characters(text: str) -> None:
    if text.isprintable():
        return
    for char in text:
        if (char < " " and char not in "\t\n\r") or "\ud800" <= char <= "\udfff" or char in "\ufffe\uffff":
            raise InputError(f"XML cannot hold the character U+{ord(char):04X} of {text!r}", code="xml-character")


class Edit(NamedTuple):
    """What an edit took away or replaced; what it merely added is not a change.

    Attributes:
        line: 1-based line of the element, before any edit.
        tag: its name.
        what: ``set attribute NAME``, ``removed attribute NAME``, ``opened``, ``removed``,
            ``replaced`` or ``moved``.
        old: the value or the bytes that were there; for a move, the line.
        new: what is there now, or ``""``.
    """

    line: int
    tag: str
    what: str
    old: str
    new: str

    def __str__(self) -> str:
        if " attribute " in self.what:
            return f"{self.what} of {self.tag}: {self.old}" + (f" -> {self.new}" if self.what[0] == "s" else "")
        if self.what == "opened":
            return f"opened {self.old}"
        if self.what == "moved":
            return f"moved {self.tag}: {self.old} -> {self.new}"
        return f"{self.what} {self.tag} of line {self.line}"


_NOTHING: Mapping[str, str | None] = MappingProxyType({})


class _Edits:
    """What was asked of one element; `before` and `after` are about its place, not about itself."""

    __slots__ = ("after", "appended", "attributes", "before", "fate")

    def __init__(self) -> None:
        self.attributes: Mapping[str, str | None] = _NOTHING
        self.appended: Sequence[Fragment | Markup] = ()
        self.before: Sequence[Fragment | Markup | Element] = ()
        self.after: Sequence[Fragment | Markup] = ()
        self.fate: str | Fragment | Element | None = None  # "removed", replaced by, or moved before

    def __bool__(self) -> bool:
        return bool(self.attributes or self.appended or self.before or self.after or self.fate)


_Splice = tuple[int, int, int, "tuple[bytes | Element, ...]"]
"""What is to be replaced, from where until where; the rank orders what is put in at one and the
same place; the new parts, where a moved element stands for its bytes, as edited."""


class Editor:
    """Edits of one document, collected until `apply`.

    Edits of one element combine, in the order of the calls.  What contradicts raises ValueError and
    changes nothing: an element that was removed or replaced cannot be edited inside, nor can one that
    was edited inside be removed or replaced; one that was removed or moved marks no place any more.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._source = document.source.data
        self._one_line = b"\n" not in document.source.data.strip(SPACE)
        self._edits: dict[Element, _Edits] = {}
        self._quotes: dict[int, str] = {}
        self._gone: set[Element] = set()  # removed or replaced
        self._lined: set[Element] = set()  # got a line that is ready
        self._ready: list[_Splice] = []

    def append_child(self, parent: Element, fragment: Fragment | Markup) -> None:
        """Add a fragment as the last child; ``<a/>`` becomes ``<a>...</a>``."""
        edits = self._inside(parent)
        edits.appended = (*edits.appended, fragment)

    def append_lines(self, lines: Iterable[tuple[Element, str]]) -> None:
        """Add one line of `Markup` to each of some elements, as the last child.

        To an element whose children and end tag begin lines, as most do, it is added at a quarter of
        the price of `append_child`; it gives the same.
        """
        source, edits, lined, ready = self._source, self._edits, self._lined, self._ready
        quotes, where = self._quotes, self._document.source
        find, encode = source.rfind, where.encode
        known: tuple[bytes, bytes] | None = None
        for parent, line in lines:
            if parent.children and parent not in edits and parent not in lined:
                if self._gone or parent.source is not where:
                    self._check_alive(parent)
                position = find(b"\n", parent.start, parent.end_tag)
                first = parent.children[0].start
                before = find(b"\n", parent.start, first)
                blanks = source[before:first], source[position : parent.end_tag]
                if (
                    (blanks == known or all(piece.strip(BLANKS) == b"\n" for piece in blanks))
                    and position > first
                    and before >= 0
                    and source[position - 1] == 0x3E  # ">", and so no CR, no blanks and no text
                ):
                    known = blanks
                    at = parent.start >> 11
                    if (quotes[at] if at in quotes else self._quote(parent.start)) == '"':
                        line = line.replace("'", '"')
                    lined.add(parent)
                    written = line.encode() if line.isascii() else encode(line)
                    ready.append((position, position, 2, (blanks[0] + written,)))
                    continue
            self.append_child(parent, Markup(DEPTHS[0] + line))

    def insert_before(self, sibling: Element, fragment: Fragment | Markup) -> None:
        """Add a fragment right before an element."""
        edits = self._place(sibling)
        edits.before = (*edits.before, fragment)

    def insert_after(self, sibling: Element, fragment: Fragment | Markup) -> None:
        """Add a fragment after an element and after what was inserted after it before."""
        edits = self._place(sibling)
        edits.after = (*edits.after, fragment)

    def set_attribute(self, element: Element, name: str, value: str) -> None:
        """Set an attribute: in its place and quotes if it is there, else at the end of the start tag."""
        if name not in element.attrib:
            _check_name(name)
        _check_characters(value)
        edits = self._inside(element)
        edits.attributes = {**edits.attributes, name: value}

    def remove_attribute(self, element: Element, name: str) -> None:
        """Remove an attribute, if it is there, with the blanks before it."""
        edits = self._inside(element)
        edits.attributes = {**edits.attributes, name: None}

    def remove(self, element: Element) -> None:
        """Remove an element; with its line, when it stands alone on it."""
        self._take(element, "removed")

    def replace(self, element: Element, fragment: Fragment) -> None:
        """Put a fragment in the place of the element's own bytes."""
        self._take(element, fragment)

    def move_before(self, element: Element, sibling: Element) -> None:
        """Move an element's bytes, with what is edited inside it, to right before a sibling."""
        parent = self._document.parent
        if element is sibling or parent(element) is not parent(sibling):
            raise ValueError(f"{element!r} can only be moved before another child of the same parent")
        place, edits = self._place(sibling), self._place(element)
        if edits.fate is not None:
            raise ValueError(f"{element!r} was replaced, so it cannot be moved")
        edits.fate = sibling
        place.before = (*place.before, element)

    @property
    def changes(self) -> list[Edit]:
        """What was replaced or taken away, in the order of the document."""
        changes: list[Edit] = []
        document, source = self._document, self._source
        for element, edits in sorted(self._edits.items(), key=lambda item: item[0].start):
            found: list[tuple[str, str, str]] = []
            if edits.fate == "removed":
                found.append(("removed", document.source.decode(source[element.start : element.end]), ""))
            elif isinstance(edits.fate, Fragment):
                new = document.source.decode(self._write(edits.fate, element.start, *self._own_style(element)))
                found.append(("replaced", document.source.decode(source[element.start : element.end]), new))
            elif isinstance(edits.fate, Element):
                found.append(("moved", f"line {element.line}", f"before line {edits.fate.line}"))
            for name, value in edits.attributes.items():
                old = element.attrib.get(name)
                if old is not None and value is None:
                    found.append((f"removed attribute {name}", old, ""))
                elif old is not None and value is not None and value != old:
                    found.append((f"set attribute {name}", old, value))
            if edits.appended and element.self_closing:
                found.append(("opened", f"<{element.tag}{' ...' if element.attrib else ''}/>", ""))
            changes += [Edit(element.line, element.tag, *what) for what in found]
        return changes

    @property
    def splices(self) -> list[tuple[int, int, bytes]]:
        """What `apply` does to `Document.source`: disjoint replacements (start, end, new bytes), in order."""
        planned = sorted([*self._ready, *self._planned()], key=itemgetter(0, 1, 2))
        leaving = [element for element, edits in self._edits.items() if isinstance(edits.fate, Element)]
        if not leaving:
            return [(start, end, b"".join(parts)) for start, end, _, parts in planned]  # type: ignore[arg-type]
        starts = [splice[0] for splice in planned]
        moved: dict[Element, bytes] = {}

        def settled(splices: list[_Splice], cursor: int) -> Iterator[tuple[int, int, bytes]]:
            for start, end, _, parts in splices:
                if start >= cursor:  # else inside of what was moved away
                    yield start, end, b"".join(moved[part] if isinstance(part, Element) else part for part in parts)
                    cursor = end

        # The last first: what moves inside of an element that moves is known when that one's turn comes.
        for element in sorted(leaving, key=lambda element: element.start, reverse=True):
            start, end = element.start, element.end
            inside = planned[bisect_right(starts, start) : bisect_left(starts, end)]
            moved[element] = spliced(self._source, start, end, settled(inside, start))
        return list(settled(planned, 0))

    def apply(self) -> str | bytes:
        """Return the edited document, of the kind that came in."""
        return self._document.source.deliver(spliced(self._source, 0, len(self._source), self.splices))

    # What may be asked.

    def _check_alive(self, element: Element) -> None:
        """Refuse an element of another document, or inside of (or being) one that is gone."""
        if element.source is not self._document.source:
            raise ValueError(f"{element!r} belongs to another document")
        if self._gone:
            around: Element | None = element
            while around is not None:
                if around in self._gone:
                    raise ValueError(f"{element!r} cannot be edited: {around!r} was removed or replaced")
                around = self._document.parent(around)

    def _inside(self, element: Element) -> _Edits:
        self._check_alive(element)
        edits = self._edits.get(element)
        if edits is None:
            edits = self._edits[element] = _Edits()
        return edits

    def _place(self, sibling: Element) -> _Edits:
        if sibling is self._document.root:
            raise ValueError("nothing can stand beside the outermost element")
        parent = self._document.parent(sibling)
        self._check_alive(sibling if parent is None else parent)
        edits = self._edits.get(sibling)
        if edits is not None and (edits.fate == "removed" or isinstance(edits.fate, Element)):
            raise ValueError(f"{sibling!r} was removed or moved, so it marks no place")
        return self._edits.setdefault(sibling, _Edits())

    def _take(self, element: Element, fate: str | Fragment) -> None:
        self._check_alive(element)
        if element is self._document.root and not isinstance(fate, Fragment):
            raise ValueError("the outermost element cannot be removed")
        edits = self._edits.get(element)
        rest = list(element.children) if self._edits or self._lined else []
        if (
            edits is not None and (edits.fate is not None or edits.attributes or edits.appended)
        ) or element in self._lined:
            raise ValueError(f"{element!r} was edited or moved, so it cannot be removed or replaced")
        while rest:
            inner = rest.pop()
            if self._edits.get(inner) or inner in self._lined:
                raise ValueError(f"{inner!r} was edited, so what it is in cannot be removed or replaced")
            rest += inner.children
        self._edits.setdefault(element, _Edits()).fate = fate
        self._gone.add(element)

    # Where lines begin and end, and how the file is written near a place.

    def _line_begin(self, position: int) -> int:
        """Return where the line of a position begins, without a look at all of a long one."""
        begin = self._source.rfind(b"\n", max(0, position - _NEAR), position) + 1
        if begin or position <= _NEAR:
            return begin
        return self._begins[bisect_right(self._begins, position) - 1]

    @cached_property
    def _begins(self) -> list[int]:
        """Where lines begin."""
        return [0, *(found.end() for found in re.finditer(b"\n", self._source))]

    def _line_head(self, position: int) -> int:
        """Return where the line before ends, when only blanks precede on this line; else -1."""
        source = self._source
        if position and source[position - 1] not in SPACE and (position != 3 or source[:3] != BOM):
            return -1
        begin = self._line_begin(position)
        if position - begin > _NEAR and source[position - _NEAR + len(BOM) : position].strip(BLANKS):
            return -1
        blanks = source[begin:position]
        if not begin:
            blanks = blanks.removeprefix(BOM)
        if blanks.strip(BLANKS):
            return -1
        if not begin:
            return position - len(blanks)
        return begin - 2 if source.startswith(b"\r\n", begin - 2) else begin - 1

    def _line_end(self, position: int) -> int:
        """Return where this line ends, when only blanks and comments follow on it; else the position."""
        source, at = self._source, position
        while True:
            while source[at] in BLANKS:
                at += 1
            if source.startswith((b"\n", b"\r\n"), at):
                return at
            end = source.find(b"-->", at) + 3 if source.startswith(b"<!--", at) else 0
            if not end or source.find(b"\n", at, end) >= 0:
                return position
            at = end

    def _alone(self, element: Element) -> tuple[int, int]:
        """Return the bytes to take away: from the end of the line before, when it stands alone on its lines."""
        head, end = self._line_head(element.start), element.end
        until = self._line_end(end) if head >= 0 else end
        if head >= 0 and self._source[until] in b"\r\n" and not self._source[end:until].strip(BLANKS):
            return head, until
        return element.start, end

    def _indent(self, position: int) -> str:
        """Return the blanks that the line of a position begins with."""
        blanks = _LEADING.match(self._source, self._line_begin(position), position)
        return blanks[0].decode() if blanks else ""

    def _newline(self, position: int) -> str:
        """Return the line ending in use at a position: of the line before, or else of this line."""
        at = self._line_begin(position) - 1
        if at < 0 and len(self._begins) > 1:
            at = self._begins[1] - 1
        return "\r\n" if at > 0 and self._source[at - 1 : at] == b"\r" else "\n"

    def _step(self, element: Element) -> str:
        """Return by how much the first child is indented more, or the nearest element around than its parent."""
        if element.children and self._line_head(element.children[0].start) >= 0 and self._line_head(element.start) >= 0:
            more = self._indent(element.children[0].start).removeprefix(self._indent(element.start))
            if more:
                return more
        inner = element
        while (parent := self._document.parent(inner)) is not None:
            if self._line_head(inner.start) >= 0 and self._line_head(parent.start) >= 0:
                deep, shallow = self._indent(inner.start), self._indent(parent.start)
                if deep.startswith(shallow):
                    return deep[len(shallow) :]
            inner = parent
        first = next((child for child in inner.children if self._line_head(child.start) >= 0), None)
        if first is not None:
            return self._indent(first.start).removeprefix(self._indent(inner.start))
        return "\t" if "\t" in self._indent(element.start) else "  "

    def _quote(self, position: int) -> str:
        """Return the quotes in use about a position, counted by stretches of the source."""
        at = position >> 11
        if at not in self._quotes:
            self._quotes[at] = near_quote(self._source, at)
        return self._quotes[at]

    def _own_style(self, element: Element) -> tuple[str, str | None]:
        """Return step and indentation for what takes an element's place; None when it does not begin a line."""
        if self._one_line or self._line_head(element.start) < 0:
            return "", None
        return self._step(element), self._indent(element.start)

    def _write(self, fragment: Fragment, position: int, step: str, indent: str | None) -> bytes:
        return self._document.source.encode(
            fragment.render(self._quote(position), self._newline(position), step, indent)
        )

    def _lines(self, fragments: Sequence[Fragment | Markup], near: Element, indent: str | None) -> bytes:
        """Return fragments as they are written near an element, each after its line break and indentation."""
        quote, newline = self._quote(near.start), self._newline(near.start)
        lead = "" if indent is None else newline + indent
        step = self._step(near) if any(fragment.children for fragment in fragments) else ""
        return self._document.source.encode(
            "".join([lead + fragment.render(quote, newline, step, indent) for fragment in fragments])
        )

    # From edits to splices.

    def _planned(self) -> Iterator[_Splice]:
        for element, edits in self._edits.items():
            if isinstance(edits.fate, Fragment):
                new = self._write(edits.fate, element.start, *self._own_style(element))
                yield (element.start, element.end, 3, (new,))
            elif edits.fate is not None:
                yield (*self._alone(element), 3, ())
            if edits.attributes:
                yield from self._of_attributes(element, edits.attributes)
            if edits.appended:
                yield self._of_appended(element, edits.appended)
            if edits.before or edits.after:
                yield from self._of_place(element, edits)

    def _of_attributes(self, element: Element, attributes: Mapping[str, str | None]) -> Iterator[_Splice]:
        spans, tail, _, _ = read_start_tag(element)
        source, encode = self._source, self._document.source.encode
        lead, quote = b" ", self._quote(element.start)
        if spans:  # write a new one as the last one is
            begin, value, closing = list(spans.values())[-1]
            blanks = source[begin:value]
            lead, quote = blanks[: len(blanks) - len(blanks.lstrip(SPACE))], chr(source[closing])
        added = b""
        for name, new in attributes.items():
            if name not in spans:
                if new is not None:
                    added += lead + encode(f"{name}={quote}{_value(new, quote)}{quote}")
                continue
            begin, value, closing = spans[name]
            if new is None:
                yield (begin, closing + 1, 3, ())
            elif new != element.attrib[name]:
                yield (value, closing, 3, (encode(_value(new, chr(source[closing]))),))
        if added:
            yield (tail, tail, 3, (added,))

    def _of_appended(self, parent: Element, fragments: Sequence[Fragment | Markup]) -> _Splice:
        source = self._source
        if parent.children:
            line_child = next((child for child in parent.children if self._line_head(child.start) >= 0), None)
            indent = None if line_child is None else self._indent(line_child.start)
            position = parent.end_tag
            if indent is not None or not parent.text.strip():
                while source[position - 1] in SPACE:
                    position -= 1
            if indent is not None:
                position = self._line_end(position)
            return (position, position, 2, (self._lines(fragments, parent, indent),))
        _, tail, inner, self_closing = read_start_tag(parent)
        begins_line = not self._one_line and self._line_head(parent.start) >= 0
        own = self._indent(parent.start) if begins_line else ""
        deeper = own + self._step(parent) if begins_line else None
        close = (self._newline(parent.start) + own).encode() if begins_line else b""
        if self_closing:
            blanks = source[tail : inner - 2]
            opened = (blanks if b"\n" in blanks else b"") + b">"
            lines = self._lines(fragments, parent, deeper)
            closed = close + b"</" + self._document.source.encode(parent.tag) + b">"
            return (tail, inner, 2, (opened, lines, closed))
        position = parent.end_tag
        if self._line_head(position) >= inner and not parent.text.strip():
            while position > inner and source[position - 1] in SPACE:
                position -= 1
            position = self._line_end(position)
            deeper = self._indent(parent.start) + self._step(parent)
            return (position, position, 2, (self._lines(fragments, parent, deeper),))
        if position == inner and begins_line:
            return (position, position, 2, (self._lines(fragments, parent, deeper), close))
        return (position, position, 2, (self._lines(fragments, parent, None),))

    def _of_place(self, element: Element, edits: _Edits) -> Iterator[_Splice]:
        head = self._line_head(element.start)
        _, indent = self._own_style(element)
        lead = b"" if indent is None else (self._newline(element.start) + indent).encode()
        before: list[bytes | Element] = []
        for item in edits.before:
            before += [lead, item] if isinstance(item, Element) else [self._lines([item], element, indent)]
        if before:
            position = element.start if indent is None else head
            yield (position, position, 1, tuple(before))
        if edits.after:
            end = element.end if indent is None else self._line_end(element.end)
            yield (end, end, 0, (self._lines(edits.after, element, indent),))


def spliced(source: AnyStr, begin: int, end: int, splices: Iterable[tuple[int, int, AnyStr]]) -> AnyStr:
    """Return source[begin:end] with the splices, disjoint and in order, done to it."""
    pieces: list[AnyStr] = []
    for start, until, new in splices:
        pieces += (source[begin:start], new)
        begin = until
    pieces.append(source[begin:end])
    return source[:0].join(pieces)
