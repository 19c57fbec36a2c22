"""Read XML with byte offsets.

expat reports where a start tag begins, but not where it ends, and the end of ``<a/>`` at a place that
tells it from nothing; what else is needed is found by scanning the few bytes of the elements that
somebody asks about.

`Document.source` is the input itself, or its UTF-8 form for a ``str`` and for UTF-16.  In all of
the encodings that remain, markup is ASCII bytes; expat itself insists on that.
"""

from __future__ import annotations

import codecs
import pyexpat
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from pcisim.errors import InputError

MAX_DEPTH = 256
MAX_BYTES = 64 << 20

BOM = b"\xef\xbb\xbf"
BLANKS = b" \t"
SPACE = b" \t\r\n"

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
    children: Sequence[Element]
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
        return read_start_tag(self)[3]

    @property
    def start_tag_end(self) -> int:
        """Return the offset just past the ``>`` of the start tag."""
        return read_start_tag(self)[2]

    @property
    def end(self) -> int:
        """Return the offset just past the last ``>`` of the element."""
        _, _, end, self_closing = read_start_tag(self)
        return end if self_closing else self.document.source.index(b">", self.end_tag) + 1

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
            before = before.removeprefix(BOM)
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
    top.tag = ""
    outermost: Sequence[Element] = ()
    top.children = outermost
    depth = 0
    declared: str | None = None

    # These two run for every element: no lookups but locals, and nothing that can be found later.
    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal current, depth
        element = Element()
        element.tag = tag
        element.attrib = attributes
        element.children = ()
        element.parent = current
        element.start = parser.CurrentByteIndex
        if current.children:
            current.children.append(element)  # type: ignore[attr-defined]  # a list from the first one on
        else:
            current.children = [element]
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
    document.root = next(iter(top.children))
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
    before, here = source[:offset].rstrip(SPACE)[-1:], source[offset : offset + 1]
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


def read_start_tag(element: Element) -> tuple[dict[str, tuple[int, int, int]], int, int, bool]:
    """Scan a start tag; expat has found it well-formed, so an ``=`` or quote is where it must be.

    Returns:
        For each attribute where the blanks before it, its value and its closing quote are; where
        the last attribute, or else the name, ends; where the tag ends; whether it is ``<a/>``.
    """
    document = element.document
    source = document.source
    spans: dict[str, tuple[int, int, int]] = {}
    tail = element.start + 1 + len(document.encode(element.tag))
    while True:
        end = source.index(b">", tail)
        equals = source.find(b"=", tail, end)
        if equals < 0:
            return spans, tail, end + 1, source.startswith(b"/", end - 1)
        value = equals + 1
        while source[value] in SPACE:
            value += 1
        closing = source.index(source[value], value + 1)
        spans[document.decode(source[tail:equals].strip(SPACE))] = (tail, value + 1, closing)
        tail = closing + 1
