"""Read XML with byte offsets, and edit it so that every byte nobody asked to change stays.

expat reports where a start tag begins, but not where it ends, and the end of ``<a/>`` at a place that
tells it from nothing; what else is needed is found by scanning the few bytes of the elements being edited.
Edits are collected per element and become splices (start, end, replacement) of `Document.source`.

`Document.source` is the input itself, or its UTF-8 form for a ``str`` and for UTF-16.  In all of
the encodings that remain, markup is ASCII bytes; expat itself insists on that.
"""

from __future__ import annotations

import codecs
import pyexpat
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from pcisim.errors import InputError

MAX_DEPTH = 256
MAX_BYTES = 64 << 20

_BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t"
_SPACE = b" \t\r\n"

_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_VALUE = {
    quote: str.maketrans(
        {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;", quote: escaped}
    )
    for quote, escaped in (("'", "&apos;"), ('"', "&quot;"))
}

# expat's error numbers (XML_ERROR_... in expat.h) in words; 3, 4, 5 and 7 need more than a phrase.
_WORDS = {
    2: "expected a tag here, found text that is no XML",
    6: "a character is cut off in the middle",
    8: "the attribute {token} is there twice in one tag",
    9: "there is something after the end of the outermost element",
    11: "the entity {token} is not defined",
    14: "the character reference {token} names a character that XML does not allow",
    17: "the XML declaration has to be the very first thing in the document",
    18: "the encoding {token} cannot be read",
    19: "the encoding {token} is declared, but is not the one that the bytes are in",
    20: "the document ends inside a CDATA section",
    30: "the XML declaration is not well-formed",
}


class Element:
    """An element of a `Document`.

    Attributes:
        tag: the name, prefix included.
        attrib: the attributes, in their order.
        children: the elements directly inside.
        parent: the element around, or ``None`` for the root.
        start: offset of the ``<`` of the start tag.
        end_tag: offset of ``</tag>``.  Of ``<a/>`` it is what expat reports, the offset past it:
            `self_closing` tells the two apart, a comparison of offsets does not.
    """

    __slots__ = ("_document", "attrib", "children", "end_tag", "parent", "start", "tag")

    tag: str
    attrib: dict[str, str]
    children: list[Element]
    parent: Element | None
    start: int
    end_tag: int
    _document: Document  # set on the root only
    # No __init__: filling the slots in expat's handler, without one more call, saves 7% of the reading.

    def __repr__(self) -> str:
        return f"<Element {self.tag!r} at line {self.line}>"

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the value of an attribute, or the default."""
        return self.attrib.get(name, default)

    def find(self, tag: str) -> Element | None:
        """Return the first direct child of that name, or ``None``."""
        for child in self.children:
            if child.tag == tag:
                return child
        return None

    def findall(self, tag: str) -> list[Element]:
        """Return the direct children of that name."""
        return [child for child in self.children if child.tag == tag]

    @property
    def document(self) -> Document:
        """Return the document that this element belongs to."""
        element = self
        while element.parent is not None:
            element = element.parent
        return element._document

    @property
    def line(self) -> int:
        """Return the 1-based line of the start tag."""
        return self.document.location(self.start)[0]

    @property
    def column(self) -> int:
        """Return the 1-based column of the start tag, in characters."""
        return self.document.location(self.start)[1]

    @property
    def self_closing(self) -> bool:
        """Tell whether this is written ``<a/>``."""
        return _read_start_tag(self).self_closing

    @property
    def start_tag_end(self) -> int:
        """Return the offset just past the ``>`` of the start tag."""
        return _read_start_tag(self).end

    @property
    def end(self) -> int:
        """Return the offset just past the last ``>`` of the element."""
        tag = _read_start_tag(self)
        return tag.end if tag.self_closing else self.document.source.index(b">", self.end_tag) + 1

    @property
    def text(self) -> str:
        """Return all character data directly inside, with entities and CDATA resolved."""
        pieces: list[str] = []
        depth = 0

        def step(by: int) -> None:
            nonlocal depth
            depth += by
            parser.CharacterDataHandler = pieces.append if depth == 1 else None

        document = self.document
        parser = pyexpat.ParserCreate(document.encoding)
        parser.StartElementHandler = lambda tag, attributes: step(1)
        parser.EndElementHandler = lambda tag: step(-1)
        try:
            parser.Parse(document.source[self.start : self.end], True)
        finally:
            parser.StartElementHandler = parser.EndElementHandler = None
        return "".join(pieces)


class Document:
    """A document that was read: its root, and the bytes that all offsets refer to.

    Attributes:
        root: the outermost element.
        source: the bytes that offsets refer to: the input, or its UTF-8 form for ``str`` and UTF-16.
        kind: ``str`` or ``bytes``, as came in.
        name: what to call it in messages, or ``None``.
        encoding: the encoding of `source`, by expat's name for it.
        wide: ``"utf-16-le"`` or ``"utf-16-be"`` where the input was that, else ``None``.
    """

    __slots__ = ("_charmap", "_lines", "encoding", "kind", "name", "root", "source", "wide")

    root: Element

    def __init__(
        self, source: bytes, kind: type[str] | type[bytes], name: str | None, encoding: str, wide: str | None
    ) -> None:
        self.source = source
        self.kind = kind
        self.name = name
        self.encoding = encoding
        self.wide = wide
        self._lines: list[int] = []
        self._charmap: tuple[str, dict[int, int]] | None = None

    def location(self, offset: int) -> tuple[int, int]:
        """Return the 1-based line, and the 1-based column in characters, of an offset."""
        if not self._lines:
            self._lines = list(accumulate(map(len, self.source.splitlines(keepends=True)), initial=0))
            if self.source and self.source[-1] not in b"\r\n":
                self._lines.pop()  # the end of the last line starts no other
        line = bisect_right(self._lines, offset)
        before = self.source[self._lines[line - 1] : offset]
        if line == 1:
            before = before.removeprefix(_BOM)
        return line, 1 + (len(before.decode(errors="replace")) if self._single_bytes is None else len(before))

    def decode(self, piece: bytes) -> str:
        """Return a piece of the source as text."""
        single = self._single_bytes
        return piece.decode() if single is None else codecs.charmap_decode(piece, "replace", single[0])[0]

    def encode(self, text: str) -> bytes:
        """Return text as it is written in the source, with references for what the encoding lacks."""
        single = self._single_bytes
        return text.encode() if single is None else codecs.charmap_encode(text, "xmlcharrefreplace", single[1])[0]

    def deliver(self, source: bytes) -> str | bytes:
        """Return (edited) source bytes in the form that the document came in."""
        if self.kind is str:
            return source.decode()
        return source.decode().encode(self.wide) if self.wide else source

    @property
    def _single_bytes(self) -> tuple[str, dict[int, int]] | None:
        """The table of an 8-bit encoding in both directions, made as pyexpat makes it; None for UTF-8."""
        if self._charmap is None and self.encoding.upper() != "UTF-8":
            table = bytes(range(256)).decode(self.encoding, "replace")
            self._charmap = table, {ord(char): byte for byte, char in enumerate(table) if char != "\ufffd"}
        return self._charmap


def parse(text: str | bytes, *, name: str | None = None) -> Document:
    """Read a document.

    A declared encoding is ignored for ``str``.  Prefixes are kept in the names and need not be
    declared: no address depends on that, and it is for libvirt to complain about.

    Args:
        text: the whole document; bytes in any encoding that expat reads.
        name: what to call it in messages.

    Raises:
        InputError: with the code ``xml-empty``, ``xml-size``, ``xml-depth``, ``xml-doctype``,
            ``xml-encoding`` or ``xml-syntax``.
    """
    wide = None
    if len(text) > MAX_BYTES:
        raise InputError(f"XML document of more than {MAX_BYTES >> 20} MiB", code="xml-size", file=name)
    if isinstance(text, str):
        kind: type[str] | type[bytes] = str
        try:
            source = text.encode()
        except UnicodeEncodeError as error:
            raise _at_the_end_of(text[: error.start], "a lone surrogate, which is no character", name) from None
    else:
        kind, source = bytes, text
        # As expat finds it: by the byte order mark, else by the NUL in or after the first character.
        if text.startswith((b"\xff\xfe", b"<\0")):
            wide = "utf-16-le"
        elif text.startswith((b"\xfe\xff", b"\0")):
            wide = "utf-16-be"
        if wide:
            try:
                source = text.decode(wide).encode()
            except UnicodeDecodeError as error:
                what = f"not well-formed UTF-16 ({error.reason})"
                raise _at_the_end_of(text[: error.start].decode(wide), what, name) from None
    document = Document(source, kind, name, "utf-8", wide)
    _build(document)
    return document


def _build(document: Document) -> None:
    """Let expat read the source, and set the root (and the encoding, where the source declares one)."""
    source = document.source
    if b"\0" in source:  # nowhere allowed, but at the start expat would take it for UTF-16, whatever it is told
        raise _error(document, source.index(b"\0"), "a NUL character, which XML does not allow", "xml-syntax")
    _refuse_doctype(document)
    top = current = Element()
    top.tag, top.children = "", []
    depth = 0
    declared: str | None = None

    # These two run for every element: no lookups but locals, and nothing that can be found later.
    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal current, depth
        element = Element()
        element.tag = tag
        element.attrib = attributes
        element.children = []
        element.parent = current
        element.start = parser.CurrentByteIndex
        current.children.append(element)
        current = element
        depth += 1
        if depth > MAX_DEPTH:
            what = f"elements are nested more than {MAX_DEPTH} deep"
            raise _error(document, element.start, what, "xml-depth")

    def end(tag: str) -> None:
        nonlocal current, depth
        current.end_tag = parser.CurrentByteIndex
        current = current.parent  # type: ignore[assignment]  # top has no end
        depth -= 1

    def declaration(version: str, encoding: str | None, standalone: int) -> None:
        nonlocal declared
        declared = encoding
        if encoding and not fixed:
            document.encoding = encoding

    def doctype(*arguments: object) -> None:  # a second lock; _refuse_doctype is the first
        raise _error(document, parser.CurrentByteIndex, "a DOCTYPE, which is refused", "xml-doctype")

    # A protocol encoding makes expat ignore the declared one.
    fixed = document.kind is str or document.wide is not None
    parser = pyexpat.ParserCreate("utf-8" if fixed else None)
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.XmlDeclHandler = declaration
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(source, True)
    except InputError:
        raise
    except pyexpat.ExpatError as error:
        if error.code in (18, 19):
            document.encoding = "utf-8"  # which serves for the location
        raise _syntax_error(document, error.code, max(parser.ErrorByteIndex, 0), current) from None
    except (LookupError, ValueError, Warning):  # from pyexpat's search for a Python codec
        document.encoding = "utf-8"
        raise _error(document, 0, f"the encoding {declared!r} cannot be read", "xml-encoding") from None
    finally:  # parser and handlers hold each other
        parser.StartElementHandler = parser.EndElementHandler = None
        parser.XmlDeclHandler = parser.StartDoctypeDeclHandler = None
    if document.wide and (declared or "utf-16").lower() not in ("utf-16", document.wide.replace("-16-", "-16")):
        what = f"the encoding {declared!r} is declared, but the bytes are UTF-16"
        raise _error(document, 0, what, "xml-encoding")
    document.root = top.children[0]
    document.root.parent = None
    document.root._document = document


def _refuse_doctype(document: Document) -> None:
    """Refuse a DOCTYPE before expat sees it: it reads on to the end, entities and all, after a handler raised."""
    source = document.source
    position = source.find(b"<")
    while source.startswith((b"<?", b"<!--"), position):  # what may precede it, with only blanks between
        opening, closing = (b"<?", b"?>") if source.startswith(b"<?", position) else (b"<!--", b"-->")
        end = source.find(closing, position + len(opening))
        position = source.find(b"<", end) if end >= 0 else len(source)
    if source.startswith(b"<!DOCTYPE", position):
        raise _error(document, position, "a DOCTYPE, which is refused: it can define entities", "xml-doctype")


def _error(document: Document, offset: int, what: str, code: str) -> InputError:
    line, column = document.location(offset)
    headline = f"XML cannot be read: {what} (line {line}, column {column})"
    return InputError(headline, code=code, file=document.name, line=line, column=column)


def _at_the_end_of(text: str, what: str, name: str | None) -> InputError:
    source = text.encode()
    return _error(Document(source, str, name, "utf-8", None), len(source), what, "xml-encoding")


def _syntax_error(document: Document, code: int, offset: int, current: Element) -> InputError:
    """Say what expat's error number means here; `current` is the innermost open element."""
    source = document.source
    token = source[offset : offset + 60]
    opened = f"<{current.tag}>, opened on line {document.location(current.start)[0]}" if current.tag else ""
    if code == 3 and not opened:
        return _error(document, offset, "the document is empty: it has no element", "xml-empty")
    if code == 3:
        what = f"the document ends, but {opened}, is not closed"
    elif code == 5:
        kind = "a comment" if token.startswith(b"<!--") else "a reference" if token.startswith(b"&") else "a tag"
        what = f"the document ends inside {kind}"
    elif code == 7:
        what = f"</{_word(token)}> does not close {opened}"
    elif code == 4:
        what = _bad_character(document, offset)
    else:
        what = _WORDS.get(code, pyexpat.ErrorString(code) or "not well-formed").format(token=_word(token))
    return _error(document, offset, what, "xml-encoding" if code in (18, 19) else "xml-syntax")


def _word(token: bytes) -> str:
    """Return the start of a token for a message: up to what cannot belong to a name or a reference."""
    word = token.decode(errors="replace")
    return word[: next((at for at, char in enumerate(word) if char in " \t\r\n=<>/'\"?"), None)].partition(";")[0]


def _bad_character(document: Document, offset: int) -> str:
    source = document.source
    before, here = source[:offset].rstrip(_SPACE)[-1:], source[offset : offset + 1]
    if not here:
        return "the document ends too early"
    if here < b" ":
        return f"the control character {here[0]:#04x}, which XML does not allow"
    if here > b"~":
        return f"the byte {here[0]:#04x} is not valid here, or not in the encoding"
    if source[offset - 1 : offset] == b"&":
        return "a bare & has to be written &amp;"
    if here == b"<":
        return "a < may not stand inside a tag; in the value of an attribute it is written &lt;"
    if before == b"=":
        return "the value of an attribute has to stand in quotes"
    return f"unexpected {here.decode()!r}"


class _StartTag(NamedTuple):
    spans: dict[str, tuple[int, int, int]]  # name -> (blanks before it, value, closing quote)
    tail: int  # where the last attribute, or else the name, ends
    end: int
    self_closing: bool


def _read_start_tag(element: Element) -> _StartTag:
    """Scan a start tag; expat has found it well-formed, so an ``=`` or quote is where it must be."""
    document = element.document
    source = document.source
    spans: dict[str, tuple[int, int, int]] = {}
    tail = element.start + 1 + len(document.encode(element.tag))
    while True:
        end = source.index(b">", tail)
        equals = source.find(b"=", tail, end)
        if equals < 0:
            return _StartTag(spans, tail, end + 1, source.startswith(b"/", end - 1))
        value = equals + 1
        while source[value] in _SPACE:
            value += 1
        closing = source.index(source[value], value + 1)
        spans[document.decode(source[tail:equals].strip(_SPACE))] = (tail, value + 1, closing)
        tail = closing + 1


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


class Change(NamedTuple):
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


class _Edits:
    """What was asked of one element; `before` and `after` are about its place, not about itself."""

    __slots__ = ("after", "appended", "attributes", "before", "fate")

    def __init__(self) -> None:
        self.attributes: dict[str, str | None] = {}
        self.appended: list[Fragment] = []
        self.before: list[Fragment | Element] = []
        self.after: list[Fragment] = []
        self.fate: str | Fragment | Element | None = None  # "removed", replaced by, or moved before

    def __bool__(self) -> bool:  # a refused call may leave an empty one behind
        return bool(self.attributes or self.appended or self.before or self.after or self.fate)


class _Splice(NamedTuple):
    """A replacement of source[start:end]; `rank` orders what is put in at one and the same place."""

    start: int
    end: int
    rank: int
    parts: tuple[bytes | Element, ...]  # a moved element stands for its bytes, as edited


class Editor:
    """Edits of one document, collected until `apply`.

    Edits of one element combine, in the order of the calls.  What contradicts raises ValueError and
    changes nothing: an element that was removed or replaced cannot be edited inside, nor can one that
    was edited inside be removed or replaced; one that was removed or moved marks no place any more.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._source = document.source
        self._one_line = b"\n" not in document.source.strip(_SPACE)
        self._edits: dict[Element, _Edits] = {}
        self._quotes: dict[int, str] = {}

    def append_child(self, parent: Element, fragment: Fragment) -> None:
        """Add a fragment as the last child; ``<a/>`` becomes ``<a>...</a>``."""
        self._inside(parent).appended.append(fragment)

    def insert_before(self, sibling: Element, fragment: Fragment) -> None:
        """Add a fragment right before an element."""
        self._place(sibling).before.append(fragment)

    def insert_after(self, sibling: Element, fragment: Fragment) -> None:
        """Add a fragment after an element and after what was inserted after it before."""
        self._place(sibling).after.append(fragment)

    def set_attribute(self, element: Element, name: str, value: str) -> None:
        """Set an attribute: in its place and quotes if it is there, else at the end of the start tag."""
        if name not in element.attrib:
            _check_name(name)
        _check_characters(value)
        self._inside(element).attributes[name] = value

    def remove_attribute(self, element: Element, name: str) -> None:
        """Remove an attribute, if it is there, with the blanks before it."""
        self._inside(element).attributes[name] = None

    def remove(self, element: Element) -> None:
        """Remove an element; with its line, when it stands alone on it."""
        self._take(element, "removed")

    def replace(self, element: Element, fragment: Fragment) -> None:
        """Put a fragment in the place of the element's own bytes."""
        self._take(element, fragment)

    def move_before(self, element: Element, sibling: Element) -> None:
        """Move an element's bytes, with what is edited inside it, to right before a sibling."""
        if element is sibling or element.parent is not sibling.parent:
            raise ValueError(f"{element!r} can only be moved before another child of the same parent")
        place, edits = self._place(sibling), self._place(element)
        if edits.fate is not None:
            raise ValueError(f"{element!r} was replaced, so it cannot be moved")
        edits.fate = sibling
        place.before.append(element)

    @property
    def changes(self) -> list[Change]:
        """What was replaced or taken away, in the order of the document."""
        changes: list[Change] = []
        document, source = self._document, self._source
        for element, edits in sorted(self._edits.items(), key=lambda item: item[0].start):
            found: list[tuple[str, str, str]] = []
            if edits.fate == "removed":
                found.append(("removed", document.decode(source[element.start : element.end]), ""))
            elif isinstance(edits.fate, Fragment):
                new = document.decode(self._write(edits.fate, element.start, *self._own_style(element)))
                found.append(("replaced", document.decode(source[element.start : element.end]), new))
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
            changes += [Change(element.line, element.tag, *what) for what in found]
        return changes

    @property
    def splices(self) -> list[tuple[int, int, bytes]]:
        """What `apply` does to `Document.source`: disjoint replacements (start, end, new bytes), in order."""
        planned = sorted(self._planned(), key=lambda splice: splice[:3])
        starts = [splice.start for splice in planned]
        moved: dict[Element, bytes] = {}

        def settled(splices: list[_Splice], cursor: int) -> Iterator[tuple[int, int, bytes]]:
            for start, end, _, parts in splices:
                if start >= cursor:  # else inside of what was moved away
                    yield start, end, b"".join(moved[part] if isinstance(part, Element) else part for part in parts)
                    cursor = end

        # The last first: what moves inside of an element that moves is known when that one's turn comes.
        leaving = [element for element, edits in self._edits.items() if isinstance(edits.fate, Element)]
        for element in sorted(leaving, key=lambda element: element.start, reverse=True):
            start, end = element.start, element.end
            inside = planned[bisect_right(starts, start) : bisect_left(starts, end)]
            moved[element] = _spliced(self._source, start, end, settled(inside, start))
        return list(settled(planned, 0))

    def apply(self) -> str | bytes:
        """Return the edited document, of the kind that came in."""
        return self._document.deliver(_spliced(self._source, 0, len(self._source), self.splices))

    # What may be asked.

    def _check_alive(self, element: Element | None) -> None:
        """Refuse an element of another document, or inside of (or being) one that is gone."""
        inner = element
        while element is not None:
            edits = self._edits.get(element)
            if edits is not None and (edits.fate == "removed" or isinstance(edits.fate, Fragment)):
                raise ValueError(f"{inner!r} cannot be edited: {element!r} was removed or replaced")
            if element.parent is None and element is not self._document.root:
                raise ValueError(f"{inner!r} belongs to another document")
            element = element.parent

    def _inside(self, element: Element) -> _Edits:
        self._check_alive(element)
        return self._edits.setdefault(element, _Edits())

    def _place(self, sibling: Element) -> _Edits:
        if sibling.parent is None:
            raise ValueError("nothing can stand beside the outermost element")
        self._check_alive(sibling.parent)
        edits = self._edits.get(sibling)
        if edits is not None and (edits.fate == "removed" or isinstance(edits.fate, Element)):
            raise ValueError(f"{sibling!r} was removed or moved, so it marks no place")
        return self._edits.setdefault(sibling, _Edits())

    def _take(self, element: Element, fate: str | Fragment) -> None:
        self._check_alive(element)
        if element.parent is None and not isinstance(fate, Fragment):
            raise ValueError("the outermost element cannot be removed")
        edits = self._edits.get(element)
        rest = list(element.children) if self._edits else []
        if edits is not None and (edits.fate is not None or edits.attributes or edits.appended):
            raise ValueError(f"{element!r} was edited or moved, so it cannot be removed or replaced")
        while rest:
            inner = rest.pop()
            if self._edits.get(inner):
                raise ValueError(f"{inner!r} was edited, so what it is in cannot be removed or replaced")
            rest += inner.children
        self._edits.setdefault(element, _Edits()).fate = fate

    # Where lines begin and end, and how the file is written near a place.

    def _line_head(self, position: int) -> int:
        """Return where the line before ends, when only blanks precede on this line; else -1."""
        source = self._source
        if position and source[position - 1] not in _SPACE and not source.startswith(_BOM, position - 3):
            return -1
        begin = source.rfind(b"\n", 0, position) + 1
        blanks = source[begin:position]
        if not begin:
            blanks = blanks.removeprefix(_BOM)
        if blanks.strip(_BLANKS):
            return -1
        if not begin:
            return position - len(blanks)
        return begin - 2 if source.startswith(b"\r\n", begin - 2) else begin - 1

    def _line_end(self, position: int) -> int:
        """Return where this line ends, when only blanks and comments follow on it; else the position."""
        source, at = self._source, position
        while True:
            while source[at] in _BLANKS:
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
        if head >= 0 and self._source[until] in b"\r\n" and not self._source[end:until].strip(_BLANKS):
            return head, until
        return element.start, end

    def _indent(self, position: int) -> str:
        """Return the blanks that the line of a position begins with."""
        begin = self._source.rfind(b"\n", 0, position) + 1
        line = self._source[begin:position]
        return line[: len(line) - len(line.lstrip(_BLANKS))].decode()

    def _newline(self, position: int) -> str:
        """Return the line ending in use at a position: of the line before, or else of this line."""
        at = self._source.rfind(b"\n", 0, position)
        if at < 0:
            at = self._source.find(b"\n", position)
        return "\r\n" if at > 0 and self._source[at - 1 : at] == b"\r" else "\n"

    def _step(self, element: Element) -> str:
        """Return by how much the nearest element around, this one included, is indented more than its parent."""
        inner = element
        while inner.parent is not None:
            if self._line_head(inner.start) >= 0 and self._line_head(inner.parent.start) >= 0:
                deep, shallow = self._indent(inner.start), self._indent(inner.parent.start)
                if deep.startswith(shallow):
                    return deep[len(shallow) :]
            inner = inner.parent
        first = next((child for child in inner.children if self._line_head(child.start) >= 0), None)
        if first is not None:
            return self._indent(first.start).removeprefix(self._indent(inner.start))
        return "\t" if "\t" in self._indent(element.start) else "  "

    def _quote(self, position: int) -> str:
        """Return the quotes in use about a position, counted by stretches of the source."""
        at = position >> 11
        if at not in self._quotes:
            near = self._source[max(0, at - 1) << 11 : (at + 2) << 11]
            self._quotes[at] = '"' if near.count(b'="') > near.count(b"='") else "'"
        return self._quotes[at]

    def _own_style(self, element: Element) -> tuple[str, str | None]:
        """Return step and indentation for what takes an element's place; None when it does not begin a line."""
        if self._one_line or self._line_head(element.start) < 0:
            return "", None
        return self._step(element), self._indent(element.start)

    def _write(self, fragment: Fragment, position: int, step: str, indent: str | None) -> bytes:
        return self._document.encode(fragment.render(self._quote(position), self._newline(position), step, indent))

    def _lines(self, fragments: list[Fragment], near: Element, indent: str | None) -> bytes:
        """Return fragments as they are written near an element, each after its line break and indentation."""
        quote, newline = self._quote(near.start), self._newline(near.start)
        lead = "" if indent is None else newline + indent
        step = self._step(near) if any(fragment.children for fragment in fragments) else ""
        return self._document.encode(
            "".join([lead + fragment.render(quote, newline, step, indent) for fragment in fragments])
        )

    # From edits to splices.

    def _planned(self) -> Iterator[_Splice]:
        for element, edits in self._edits.items():
            if isinstance(edits.fate, Fragment):
                new = self._write(edits.fate, element.start, *self._own_style(element))
                yield _Splice(element.start, element.end, 3, (new,))
            elif edits.fate is not None:
                yield _Splice(*self._alone(element), 3, ())
            if edits.attributes:
                yield from self._of_attributes(element, edits.attributes)
            if edits.appended:
                yield self._of_appended(element, edits.appended)
            if edits.before or edits.after:
                yield from self._of_place(element, edits)

    def _of_attributes(self, element: Element, attributes: dict[str, str | None]) -> Iterator[_Splice]:
        spans, tail, _, _ = _read_start_tag(element)
        source, encode = self._source, self._document.encode
        lead, quote = b" ", self._quote(element.start)
        if spans:  # write a new one as the last one is
            begin, value, closing = list(spans.values())[-1]
            blanks = source[begin:value]
            lead, quote = blanks[: len(blanks) - len(blanks.lstrip(_SPACE))], chr(source[closing])
        added = b""
        for name, new in attributes.items():
            if name not in spans:
                if new is not None:
                    added += lead + encode(f"{name}={quote}{_value(new, quote)}{quote}")
                continue
            begin, value, closing = spans[name]
            if new is None:
                yield _Splice(begin, closing + 1, 3, ())
            elif new != element.attrib[name]:
                yield _Splice(value, closing, 3, (encode(_value(new, chr(source[closing]))),))
        if added:
            yield _Splice(tail, tail, 3, (added,))

    def _of_appended(self, parent: Element, fragments: list[Fragment]) -> _Splice:
        source = self._source
        if parent.children:
            line_child = next((child for child in parent.children if self._line_head(child.start) >= 0), None)
            indent = None if line_child is None else self._indent(line_child.start)
            position = parent.end_tag
            if indent is not None or not parent.text.strip():
                while source[position - 1] in _SPACE:
                    position -= 1
            if indent is not None:
                position = self._line_end(position)
            return _Splice(position, position, 2, (self._lines(fragments, parent, indent),))
        _, tail, inner, self_closing = _read_start_tag(parent)
        begins_line = not self._one_line and self._line_head(parent.start) >= 0
        own = self._indent(parent.start) if begins_line else ""
        deeper = own + self._step(parent) if begins_line else None
        close = (self._newline(parent.start) + own).encode() if begins_line else b""
        if self_closing:
            blanks = source[tail : inner - 2]
            opened = (blanks if b"\n" in blanks else b"") + b">"
            lines = self._lines(fragments, parent, deeper)
            closed = close + b"</" + self._document.encode(parent.tag) + b">"
            return _Splice(tail, inner, 2, (opened, lines, closed))
        position = parent.end_tag
        if self._line_head(position) >= inner and not parent.text.strip():
            while position > inner and source[position - 1] in _SPACE:
                position -= 1
            position = self._line_end(position)
            deeper = self._indent(parent.start) + self._step(parent)
            return _Splice(position, position, 2, (self._lines(fragments, parent, deeper),))
        if position == inner and begins_line:
            return _Splice(position, position, 2, (self._lines(fragments, parent, deeper), close))
        return _Splice(position, position, 2, (self._lines(fragments, parent, None),))

    def _of_place(self, element: Element, edits: _Edits) -> Iterator[_Splice]:
        head = self._line_head(element.start)
        _, indent = self._own_style(element)
        lead = b"" if indent is None else (self._newline(element.start) + indent).encode()
        before: list[bytes | Element] = []
        for item in edits.before:
            before += [lead, item] if isinstance(item, Element) else [self._lines([item], element, indent)]
        if before:
            position = element.start if indent is None else head
            yield _Splice(position, position, 1, tuple(before))
        if edits.after:
            end = element.end if indent is None else self._line_end(element.end)
            yield _Splice(end, end, 0, (self._lines(edits.after, element, indent),))


def _spliced(source: bytes, begin: int, end: int, splices: Iterable[tuple[int, int, bytes]]) -> bytes:
    """Return source[begin:end] with the splices, disjoint and in order, done to it."""
    pieces: list[bytes] = []
    for start, until, new in splices:
        pieces += (source[begin:start], new)
        begin = until
    return b"".join((*pieces, source[begin:end]))
