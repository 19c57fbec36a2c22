"""Read XML with byte offsets.

expat reports where a start tag begins, but not where it ends, and the end of ``<a/>`` at a place that
tells it from nothing; what else is needed is found by scanning the few bytes of the elements that
somebody asks about.

`Document.source` is the input itself, or its UTF-8 form for a ``str`` and for UTF-16.  In all of
the encodings that remain, markup is ASCII bytes; expat itself insists on that.
"""

from __future__ import annotations

import codecs
import os
import pyexpat
import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from pcisim.errors import InputError, check_type

MAX_DEPTH = 256
MAX_BYTES = 16 << 20
"""How large a document may be; it takes up to 64 times as much memory."""
MAX_SIZE = "PCISIM_MAX_SIZE"
"""The variable that sets another limit, in MiB."""

BOM = b"\xef\xbb\xbf"
BLANKS = b" \t"
SPACE = b" \t\r\n"

# expat's error numbers (XML_ERROR_... in expat.h) in words; 3, 4, 5 and 7 need more than a phrase.
_WORDS = {
    2: "expected a tag here, found text that is not XML",
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
        start: offset of the ``<`` of the start tag.
        end_tag: offset of ``</tag>``.  Of ``<a/>`` it is what expat reports, the offset past it:
            `self_closing` tells the two apart, a comparison of offsets does not.
    """

    __slots__ = ("attrib", "children", "end_tag", "source", "start", "tag")

    tag: str
    attrib: dict[str, str]
    children: Sequence[Element]
    start: int
    end_tag: int
    source: Source
    # No __init__: filling the slots in expat's handler, without one more call, saves 7% of the reading.
    # No parent either, see `Document.parent`: without cycles all of it is freed as it is dropped.

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
    def line(self) -> int:
        """Return the 1-based line of the start tag."""
        return self.source.line(self.start)

    @property
    def column(self) -> int:
        """Return the 1-based column of the start tag, in characters."""
        return self.source.location(self.start)[1]

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
        return end if self_closing else self.source.data.index(b">", self.end_tag) + 1

    @property
    def text(self) -> str:
        """Return all character data directly inside, with entities and CDATA resolved."""
        pieces: list[str] = []
        depth = 0

        def step(by: int) -> None:
            nonlocal depth
            depth += by
            parser.CharacterDataHandler = pieces.append if depth == 1 else None

        parser = pyexpat.ParserCreate(self.source.encoding)
        parser.StartElementHandler = lambda tag, attributes: step(1)
        parser.EndElementHandler = lambda tag: step(-1)
        try:
            parser.Parse(self.source.data[self.start : self.end], True)
        finally:
            parser.StartElementHandler = parser.EndElementHandler = None
        return "".join(pieces)


class Source:
    """The bytes of a document: where lines begin in them, and how text is written in them.

    Attributes:
        data: the bytes that offsets refer to: the input, or its UTF-8 form for ``str`` and UTF-16.
        kind: ``str`` or ``bytes``, as came in.
        name: what to call it in messages, or ``None``.
        encoding: the encoding of `data`, by expat's name for it.
        wide: ``"utf-16-le"`` or ``"utf-16-be"`` where the input was that, else ``None``.
    """

    __slots__ = ("_charmap", "_lines", "data", "encoding", "kind", "name", "wide")

    def __init__(
        self, data: bytes, kind: type[str] | type[bytes], name: str | None, encoding: str, wide: str | None
    ) -> None:
        self.data = data
        self.kind = kind
        self.name = name
        self.encoding = encoding
        self.wide = wide
        self._lines: list[int] = []
        self._charmap: tuple[str, dict[int, int]] | None = None

    def line(self, offset: int) -> int:
        """Return the 1-based line of an offset."""
        if not self._lines:
            self._lines = list(accumulate(map(len, self.data.splitlines(keepends=True)), initial=0))
            if self.data and self.data[-1] not in b"\r\n":
                self._lines.pop()  # the end of the last line starts no other
        return bisect_right(self._lines, offset)

    def location(self, offset: int) -> tuple[int, int]:
        """Return the 1-based line, and the 1-based column in characters, of an offset; it reads the whole line."""
        line = self.line(offset)
        before = self.data[self._lines[line - 1] : offset]
        if line == 1:
            before = before.removeprefix(BOM)
        return line, 1 + (len(before.decode(errors="replace")) if self._single_bytes is None else len(before))

    def decode(self, piece: bytes) -> str:
        """Return a piece of the source as text."""
        single = self._single_bytes
        return piece.decode() if single is None else codecs.charmap_decode(piece, "replace", single[0])[0]

    def encode(self, text: str) -> bytes:
        """Return text as it is written in the source, with references for what the encoding lacks."""
        if text.isascii():
            return text.encode()
        single = self._single_bytes
        return text.encode() if single is None else codecs.charmap_encode(text, "xmlcharrefreplace", single[1])[0]

    def deliver(self, data: bytes) -> str | bytes:
        """Return (edited) bytes in the form that the document came in."""
        if self.kind is str:
            return data.decode()
        return data.decode().encode(self.wide) if self.wide else data

    @property
    def _single_bytes(self) -> tuple[str, dict[int, int]] | None:
        """The table of an 8-bit encoding in both directions, made as pyexpat makes it; None for UTF-8."""
        if self._charmap is None and self.encoding.upper() != "UTF-8":
            table = bytes(range(256)).decode(self.encoding, "replace")
            self._charmap = table, {ord(char): byte for byte, char in enumerate(table) if char != "\ufffd"}
        return self._charmap


class Document:
    """A document that was read.

    Attributes:
        root: the outermost element.
        source: its bytes.
    """

    __slots__ = ("_parents", "root", "source")

    def __init__(self, root: Element, source: Source) -> None:
        self.root = root
        self.source = source
        self._parents: dict[Element, Element] | None = None

    def parent(self, element: Element) -> Element | None:
        """Return the element around, or ``None`` for the root and for elements of other documents."""
        if self._parents is None:
            self._parents = {}
            rest = [self.root]
            while rest:
                around = rest.pop()
                for child in around.children:
                    self._parents[child] = around
                rest += around.children
        return self._parents.get(element)


def most_bytes() -> int:
    """Return how large a document may be, in bytes."""
    said = os.environ.get(MAX_SIZE, "")
    return int(said) << 20 if said.isdecimal() and len(said) < 10 and int(said) else MAX_BYTES


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
        WrongTypeError: it is neither text nor bytes.
    """
    wide = None
    check_type(text, (str, bytes), "a document is str or bytes")
    if len(text) > 1 << 20 and len(text) > most_bytes():
        raise InputError(
            f"XML document of more than {most_bytes() >> 20} MiB",
            code="xml-size",
            file=name,
            remedy=f"take larger ones by --max-size MIB, or {MAX_SIZE}=MIB; each MiB takes up to 64 of memory",
        )
    if isinstance(text, str):
        kind: type[str] | type[bytes] = str
        try:
            source = text.encode()
        except UnicodeEncodeError as error:
            raise _at_the_end_of(text[: error.start], "a lone surrogate, which is not a character", name) from None
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
    where = Source(source, kind, name, "utf-8", wide)
    return Document(_build(where), where)


def _build(source: Source) -> Element:
    """Let expat read the source and return the root; the encoding is set, where the source declares one."""
    data = source.data
    if b"\0" in data:  # nowhere allowed, but at the start expat would take it for UTF-16, whatever it is told
        raise _error(source, data.index(b"\0"), "a NUL character, which XML does not allow", "xml-syntax")
    _refuse_doctype(source)
    top = current = Element()
    top.tag = ""
    outermost: Sequence[Element] = ()
    top.children = outermost
    around: list[Element] = []
    push, pop = around.append, around.pop
    declared: str | None = None

    # These two run for every element: no lookups but locals, and nothing that can be found later.
    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal current
        element = Element()
        element.tag = tag
        element.attrib = attributes
        element.children = ()
        element.source = source
        element.start = parser.CurrentByteIndex
        push(current)
        if current.children:
            current.children.append(element)  # type: ignore[attr-defined]  # a list from the first one on
        else:
            current.children = [element]
            if len(around) > MAX_DEPTH:  # the first to be so deep is a first child
                what = f"elements are nested more than {MAX_DEPTH} deep"
                raise _error(source, element.start, what, "xml-depth")
        current = element

    def end(tag: str) -> None:
        nonlocal current
        current.end_tag = parser.CurrentByteIndex
        current = pop()

    def declaration(version: str, encoding: str | None, standalone: int) -> None:
        nonlocal declared
        declared = encoding
        if encoding and not fixed:
            source.encoding = encoding

    def doctype(*arguments: object) -> None:  # a second lock; _refuse_doctype is the first
        raise _error(source, parser.CurrentByteIndex, "a DOCTYPE, which is refused", "xml-doctype")

    # A protocol encoding makes expat ignore the declared one.
    fixed = source.kind is str or source.wide is not None
    parser = new_parser("utf-8" if fixed else None)
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.XmlDeclHandler = declaration
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except InputError:
        raise
    except pyexpat.ExpatError as error:
        if error.code in (18, 19):
            source.encoding = "utf-8"  # which serves for the location
        raise _syntax_error(source, error.code, max(parser.ErrorByteIndex, 0), current) from None
    except (LookupError, ValueError, Warning):  # from pyexpat's search for a Python codec
        source.encoding = "utf-8"
        raise _error(source, 0, f"the encoding {declared!r} cannot be read", "xml-encoding") from None
    finally:  # parser and handlers hold each other
        parser.StartElementHandler = parser.EndElementHandler = None
        parser.XmlDeclHandler = parser.StartDoctypeDeclHandler = None
    if source.wide and (declared or "utf-16").lower() not in ("utf-16", source.wide.replace("-16-", "-16")):
        what = f"the encoding {declared!r} is declared, but the bytes are UTF-16"
        raise _error(source, 0, what, "xml-encoding")
    return next(iter(top.children))


def new_parser(encoding: str | None = None) -> pyexpat.XMLParserType:
    """Return a parser of expat that takes the names that other documents have used from them, which saves 5 %."""
    if len(_NAMES) > MAX_NAMES:
        _NAMES.clear()
    return pyexpat.ParserCreate(encoding, None, _NAMES)


MAX_NAMES = 4096
_NAMES: dict[str, str] = {}


def _refuse_doctype(source: Source) -> None:
    """Refuse a DOCTYPE before expat sees it: it reads on to the end, entities and all, after a handler raised."""
    data = source.data
    position = data.find(b"<")
    while data.startswith((b"<?", b"<!--"), position):  # what may precede it, with only blanks between
        opening, closing = (b"<?", b"?>") if data.startswith(b"<?", position) else (b"<!--", b"-->")
        end = data.find(closing, position + len(opening))
        position = data.find(b"<", end) if end >= 0 else len(data)
    if data.startswith(b"<!DOCTYPE", position):
        raise _error(source, position, "a DOCTYPE, which is refused: it can define entities", "xml-doctype")


def _error(source: Source, offset: int, what: str, code: str) -> InputError:
    line, column = source.location(offset)
    headline = f"XML cannot be read: {what} (line {line}, column {column})"
    return InputError(headline, code=code, file=source.name, line=line, column=column)


def _at_the_end_of(text: str, what: str, name: str | None) -> InputError:
    data = text.encode()
    return _error(Source(data, str, name, "utf-8", None), len(data), what, "xml-encoding")


def _syntax_error(source: Source, code: int, offset: int, current: Element) -> InputError:
    """Say what expat's error number means here; `current` is the innermost open element."""
    token = source.data[offset : offset + 60]
    if code in (9, 17) and not current.tag and current.children and _DOMAIN.match(source.data, offset):
        return _two_domains(source, offset, current.children[0])
    opened = f"<{current.tag}>, opened on line {source.line(current.start)}" if current.tag else ""
    if code == 3 and not opened:
        return _error(source, offset, "the document is empty: it has no element", "xml-empty")
    if code == 3:
        what = f"the document ends, but {opened}, is not closed"
    elif code == 5:
        kind = "a comment" if token.startswith(b"<!--") else "a reference" if token.startswith(b"&") else "a tag"
        what = f"the document ends inside {kind}"
    elif code == 7:
        what = f"</{_word(token)}> does not close {opened}"
    elif code == 4:
        what = _bad_character(source, offset)
    else:
        what = _WORDS.get(code, pyexpat.ErrorString(code) or "not well-formed").format(token=_word(token))
    return _error(source, offset, what, "xml-encoding" if code in (18, 19) else "xml-syntax")


_DOMAIN = re.compile(rb"(?:<\?xml[^>]*>\s*)?<domain[\s/>]")


def _two_domains(source: Source, offset: int, first: Element) -> InputError:
    """Return the error of a document that goes on with a second domain, as ``virt-install --print-xml`` prints it."""
    line = source.line(source.data.index(b"<domain", offset))
    what = f"{_WORDS[9]}: a second <domain> on line {line}, after the one on line {first.line}"
    error = _error(source, offset, what, "xml-syntax")
    error.details = ("a document is one guest; virt-install --print-xml prints two for an installation, a step each",)
    error.remedy = "keep one of them in a file of its own; virt-install --print-xml 2 prints the installed guest alone"
    return error


def _word(token: bytes) -> str:
    """Return the start of a token for a message: up to what cannot belong to a name or a reference."""
    word = token.decode(errors="replace")
    return word[: next((at for at, char in enumerate(word) if char in " \t\r\n=<>/'\"?"), None)].partition(";")[0]


def _bad_character(source: Source, offset: int) -> str:
    data = source.data
    before, here = data[:offset].rstrip(SPACE)[-1:], data[offset : offset + 1]
    if not here:
        return "the document ends too early"
    if here < b" ":
        return f"the control character {here[0]:#04x}, which XML does not allow"
    if here > b"~":
        return f"the byte {here[0]:#04x} is not valid here, or not in the encoding"
    if data[offset - 1 : offset] == b"&":
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
    source = element.source
    data = source.data
    spans: dict[str, tuple[int, int, int]] = {}
    tail = element.start + 1 + len(source.encode(element.tag))
    while True:
        end = data.index(b">", tail)
        equals = data.find(b"=", tail, end)
        if equals < 0:
            return spans, tail, end + 1, data.startswith(b"/", end - 1)
        value = equals + 1
        while data[value] in SPACE:
            value += 1
        closing = data.index(data[value], value + 1)
        spans[source.decode(data[tail:equals].strip(SPACE))] = (tail, value + 1, closing)
        tail = closing + 1
