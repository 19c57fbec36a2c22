"""The laws of the XML editor: what nobody asked to change stays, and what was asked for is there.

The documents are as untidy as files get; the reader that checks the results is `xml.dom`, not ours.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any
from xml.dom import Node as Dom
from xml.dom import expatbuilder

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pcisim.errors import InputError
from pcisim.formats.xml.document import Document, Element, parse
from pcisim.formats.xml.editor import Editor, Fragment, Markup

quick = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# --- documents ----------------------------------------------------------------------------------

TAGS = ["domain", "disk", "a", "b", "qemu:arg", "x-y.z", "é"]
NAMES = ["type", "bus", "x", "qemu:name", "xmlns:qemu", "xml:id"]
VALUES = ["", "0x01", "a > b", "&amp;&lt;", "&#x41;&#10;", "né", "/>", "=", "a/", "<!--".replace("<", "&lt;"), " x "]
TEXTS = ["text", "&amp; &#x41;", "<![CDATA[</a> < & ]]>", "né", "a\n  b", "x = '>' \"", "/>"]
ASIDES = ["<!-- one > ' -->", "<!-- two\n lines -->", "<?pi a='>'?>", "<!---->", "<!-- <b/> -->"]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-16-le bare", "iso-8859-1", "windows-1252", "koi8-r"]


class Writer:
    """Writes one random document."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.pick = rng.choice
        self.newline = self.pick(["\n", "\n", "\r\n"])
        self.step = self.pick(["  ", "\t", "    ", ""])
        self.layout = self.pick(["lines", "lines", "lines", "one line", "mixed"])
        self.left = rng.randint(1, 12)

    def chance(self, of: int) -> bool:
        return self.rng.randint(1, of) == 1

    def gap(self, depth: int) -> str:
        if self.layout == "one line" or (self.layout == "mixed" and self.chance(3)):
            return self.pick(["", "", " "])
        blank = self.newline if self.chance(8) else ""
        step = self.pick(["\t", " "]) if self.layout == "mixed" and self.chance(4) else self.step
        trailing = " " if self.chance(8) else ""
        return trailing + blank + self.newline + step * depth

    def attributes(self) -> str:
        names = [name for name in NAMES if self.chance(4)]
        many_lines = self.layout != "one line" and self.chance(6)
        text = ""
        for name in names:
            quote = self.pick("'\"")
            text += self.newline + "    " if many_lines else " " * self.rng.randint(1, 2)
            text += name + self.pick(["=", "=", " = "]) + quote + self.pick(VALUES) + quote
        return text + self.pick(["", "", " ", self.newline if many_lines else ""])

    def element(self, depth: int) -> str:
        self.left -= 1
        tag = self.pick(TAGS)
        head = f"<{tag}{self.attributes()}"
        kind = self.pick(["empty", "pair", "text", "children", "children", "children", "children"])
        if depth == 0 and not self.chance(8):
            kind = "children"
        if kind == "empty":
            return f"{head}/>"
        inner = ""
        if kind == "text":
            inner = self.pick(TEXTS)
        elif kind == "children":
            while self.left > 0 and not self.chance(5):
                inner += self.gap(depth + 1) + self.element(depth + 1)
                if self.chance(6):
                    inner += self.pick(["", " ", self.gap(depth + 1)]) + self.pick(ASIDES)
                if self.chance(15):
                    inner += self.pick(TEXTS)
            inner += self.gap(depth)
        return f"{head}>{inner}</{tag}{self.pick(['', '', ' '])}>"

    def document(self) -> tuple[str, str]:
        encoding = self.pick(ENCODINGS)
        declared = encoding.removesuffix("-sig").removesuffix(" bare").removesuffix("-le").removesuffix("-be")
        head = ""
        if "8859" in encoding or "1252" in encoding or "koi" in encoding or self.chance(4):
            quote = self.pick("'\"")
            head = f"<?xml version={quote}1.0{quote} encoding='{declared}'?>"
            head += self.pick(["", self.newline])
        head += self.pick(["", "", f"<!-- head -->{self.newline}"])
        text = head + self.element(0) + self.pick(["", self.newline, f"{self.newline}<!-- end -->"])
        if encoding.endswith("bare"):
            text = text.removeprefix("\ufeff")
        return (text.replace("é", "e") if encoding == "koi8-r" else text), encoding


def encoded(text: str, encoding: str) -> bytes:
    if encoding in ("utf-16-le", "utf-16-be"):
        text = "\ufeff" + text
    return text.encode(encoding.removesuffix(" bare"))


randoms = st.randoms(use_true_random=False)


@st.composite
def documents(draw: st.DrawFn) -> str | bytes:
    rng = draw(randoms)
    text, encoding = Writer(rng).document()
    return rng.choice(["", "\ufeff"]) + text if rng.randint(0, 3) == 0 else encoded(text, encoding)


# --- the model ----------------------------------------------------------------------------------


class Node:
    """An element of the model: a name, attributes, and nodes and text in one list."""

    def __init__(self, tag: str, attributes: dict[str, str], content: list[Node | str]) -> None:
        self.tag, self.attributes, self.content = tag, attributes, content
        self.parent: Node | None = None
        self.after = 0
        for node in self.nodes():
            node.parent = self

    def nodes(self) -> list[Node]:
        return [item for item in self.content if isinstance(item, Node)]

    def walk(self) -> list[Node]:
        return [self, *(inner for node in self.nodes() for inner in node.walk())]

    def put(self, at: int, node: Node) -> None:
        self.content.insert(at, node)
        node.parent = self

    def at(self, node: Node) -> int:
        return next(at for at, item in enumerate(self.content) if item is node)

    def plain(self) -> Any:
        """What is compared: text without any white space, joined where only text meets."""
        content: list[Any] = [""]
        for item in self.content:
            if isinstance(item, Node):
                content += [item.plain(), ""]
            else:
                content[-1] += "".join(item.split())
        return self.tag, dict(sorted(self.attributes.items())), content


def read(document: str | bytes) -> Node:
    def convert(node: Any) -> Node:
        content: list[Node | str] = []
        for child in node.childNodes:
            if child.nodeType == Dom.ELEMENT_NODE:
                content.append(convert(child))
            elif child.nodeType in (Dom.TEXT_NODE, Dom.CDATA_SECTION_NODE):
                content.append(child.data)
        return Node(node.tagName, dict(node.attributes.items()), content)

    dom = expatbuilder.parseString(document, namespaces=False)
    return convert(dom.documentElement)


def of_fragment(fragment: Fragment) -> Node:
    content: list[Node | str] = [fragment.text] if fragment.text else []
    return Node(fragment.tag, fragment.attributes, [*content, *map(of_fragment, fragment.children)])


def elements(root: Element) -> list[Element]:
    return [root, *(inner for child in root.children for inner in elements(child))]


Step = tuple[str, int, int, str, str, Fragment]


def random_step(rng: random.Random, size: int) -> Step:
    def fragment(depth: int) -> Fragment:
        attributes = {name: rng.choice(values) for name in ("x", "y") if rng.randint(0, 1)}
        children = [fragment(depth - 1) for _ in range(rng.randint(0, 2))] if depth else []
        text = rng.choice(values) if not children and rng.randint(0, 3) == 0 else None
        return Fragment(rng.choice(["new", "q:new"]), attributes, children, text)

    values = ["1", "a < b & 'c' \"d\"", "é я €", "]]>", "\t\n\r", "&amp;"]
    # Contradictions are refused, so what forbids later edits is kept rare.
    what = rng.choice(["append"] * 6 + ["before", "after"] * 4 + ["set"] * 6 + ["unset"] * 2 + ["take", "swap", "move"])
    name = rng.choice([*NAMES, "new"])
    return what, rng.randrange(size), rng.randrange(size), name, rng.choice(values), fragment(2)


def edit(editor: Editor, nodes: list[Element], step: Step) -> bool:
    what, one, two, name, value, fragment = step
    calls: dict[str, Callable[[], None]] = {
        "append": lambda: editor.append_child(nodes[one], fragment),
        "before": lambda: editor.insert_before(nodes[one], fragment),
        "after": lambda: editor.insert_after(nodes[one], fragment),
        "set": lambda: editor.set_attribute(nodes[one], name, value),
        "unset": lambda: editor.remove_attribute(nodes[one], name),
        "take": lambda: editor.remove(nodes[one]),
        "swap": lambda: editor.replace(nodes[one], fragment),
        "move": lambda: editor.move_before(nodes[one], nodes[two]),
    }
    try:
        calls[what]()
    except InputError:
        raise
    except ValueError:
        return False
    return True


def edit_model(nodes: list[Node], step: Step) -> None:
    what, one, two, name, value, fragment = step
    node, parent, new = nodes[one], nodes[one].parent, of_fragment(fragment)
    if what == "append":
        node.put(len(node.content), new)
    elif what == "set":
        node.attributes[name] = value
    elif what == "unset":
        node.attributes.pop(name, None)
    elif what == "swap":
        node.tag, node.attributes, node.content = new.tag, new.attributes, new.content
    else:
        assert parent is not None
        if what == "before":
            parent.put(parent.at(node), new)
        elif what == "after":
            node.after += 1
            parent.put(parent.at(node) + node.after, new)
        else:
            del parent.content[parent.at(node)]
            if what == "move":
                parent.put(parent.at(nodes[two]), node)


def edited(document: Document, rng: random.Random, most: int = 10) -> tuple[Editor, list[Step]]:
    """Do random edits, and return those that were no contradiction."""
    editor, nodes = Editor(document), elements(document.root)
    steps = [random_step(rng, len(nodes)) for _ in range(rng.randint(1, most))]
    return editor, [step for step in steps if edit(editor, nodes, step)]


def inner_bytes(output: str | bytes, document: Document) -> bytes:
    if isinstance(output, str):
        return output.encode()
    return output.decode(document.source.wide).encode() if document.source.wide else output


# --- the laws -----------------------------------------------------------------------------------


@quick
@given(documents())
def test_no_edit_gives_the_same_document(source: str | bytes) -> None:
    """Law 1: no edit gives the same bytes."""
    output = Editor(parse(source)).apply()
    assert type(output) is type(source)
    assert output == source


@quick
@given(documents(), randoms)
def test_taking_the_edits_out_again_gives_the_source(source: str | bytes, rng: random.Random) -> None:
    """Law 2: taking the additions out again gives the original bytes, replaced pieces aside."""
    document = parse(source)
    editor, _ = edited(document, rng)
    output = inner_bytes(editor.apply(), document)
    back, here, there = b"", 0, 0
    for start, end, new in editor.splices:
        assert here <= start <= end, "splices are in order and do not overlap"
        there += start - here
        assert output[there : there + len(new)] == new
        back += output[there - (start - here) : there] + document.source.data[start:end]
        here, there = end, there + len(new)
    assert back + output[there:] == document.source.data
    if not editor.changes:
        assert all(start == end for start, end, _ in editor.splices), "what is replaced is in the changes"


@quick
@given(documents(), randoms)
def test_the_tree_read_again_is_the_intended_one(source: str | bytes, rng: random.Random) -> None:
    """Law 3: the re-read tree is the intended one."""
    document, model = parse(source), read(source)
    nodes = model.walk()
    assert [node.tag for node in nodes] == [element.tag for element in elements(document.root)]
    editor, steps = edited(document, rng)
    for step in steps:
        edit_model(nodes, step)
    output = editor.apply()
    assert read(output).plain() == model.plain()
    assert Editor(parse(output)).apply() == output


@quick
@given(randoms)
def test_text_and_bytes_get_the_same_edits(rng: random.Random) -> None:
    """Law 4: str and bytes of the same document get the same edits."""
    text = Writer(rng).element(0)
    first, steps = edited(parse(text), rng)
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        second = Editor(parse(encoded(text, encoding)))
        for step in steps:
            assert edit(second, elements(second._document.root), step)
        output = second.apply()
        assert isinstance(output, bytes)
        assert output.decode(encoding).removeprefix("\ufeff") == first.apply()
        assert second.changes == first.changes


def refusal(data: str | bytes) -> InputError | None:
    try:
        document = parse(data, name="guest.xml")
    except InputError as error:
        return error
    assert Editor(document).apply() == data
    for element in elements(document.root):
        assert document.source.data[element.start : element.end].endswith(b">")
        assert element.text is not None
    return None


def only_input_errors(data: str | bytes) -> None:
    error = refusal(data)
    if error is not None:
        assert error.code in ("xml-empty", "xml-depth", "xml-doctype", "xml-encoding", "xml-syntax")
        assert error.file == "guest.xml"
        assert (error.line or 0) >= 1
        assert (error.column or 0) >= 1


@quick
@given(st.binary() | st.text() | st.text(alphabet="<>/a='\"& !-[]?\0\ufeff\ud800\r\n;#x"))
def test_junk_is_refused_with_an_input_error(data: str | bytes) -> None:
    """Law 5: parse never raises anything but InputError (random bytes and text)."""
    only_input_errors(data)


@quick
@given(documents(), randoms)
def test_a_damaged_document_is_refused_with_an_input_error(source: str | bytes, rng: random.Random) -> None:
    """Law 5: parse never raises anything but InputError (mutated documents)."""
    data = source.encode("utf-8") if isinstance(source, str) else source
    for _ in range(rng.randint(1, 3)):
        at, until = sorted((rng.randint(0, len(data)), rng.randint(0, len(data))))
        junk = rng.choice([b"", b"<", b">", b"&", b"'", b"\0", b"\xff", b"]]>", b"<!DOCTYPE", b"</a>", b"<?xml", b"\r"])
        data = rng.choice([data[:at] + junk + data[at:], data[:at] + junk + data[at + 1 :], data[:at], data[at:until]])
    only_input_errors(data)
    only_input_errors(data.decode("latin-1"))


@quick
@given(documents())
def test_the_bytes_of_an_element_are_that_element(source: str | bytes) -> None:
    """Law 6: source[e.start:e.end] re-parses alone to the same subtree."""
    document = parse(source)
    for element in elements(document.root):
        piece = document.source.data[element.start : element.end]
        alone = parse(document.source.decode(piece)).root
        for ours, theirs in zip(elements(element), elements(alone), strict=True):
            assert (ours.tag, ours.attrib, ours.text) == (theirs.tag, theirs.attrib, theirs.text)
            assert ours.self_closing == theirs.self_closing
            if document.source.encoding.upper() == "UTF-8":
                assert ours.start - element.start == theirs.start
                assert ours.start_tag_end - element.start == theirs.start_tag_end
                assert ours.end - element.start == theirs.end


@quick
@given(documents())
def test_lines_and_columns_count_characters(source: str | bytes) -> None:
    """Line and column are where an element's ``<`` stands in the text, the byte order mark not counted."""
    document = parse(source)
    lines = document.source.decode(document.source.data).removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    for element in elements(document.root):
        assert lines[element.line - 1].startswith(f"<{element.tag}", element.column - 1)


@given(documents(), randoms)
def test_markup_is_written_as_the_fragment_it_stands_for(source: str | bytes, rng: random.Random) -> None:
    """A line of `Markup`, which has a short way of its own, gives the same bytes as the `Fragment`."""
    outputs = []
    seed = rng.random()
    fragment, markup = Fragment("n", {"a": "0x01", "b": "on"}), Markup("\0<n a='0x01' b='on'/>")
    ways: tuple[Callable[[Editor, Element], None], ...] = (
        lambda editor, element: editor.append_child(element, fragment),
        lambda editor, element: editor.append_child(element, markup),
        lambda editor, element: editor.append_lines([(element, "<n a='0x01' b='on'/>")]),
    )
    for append in ways:
        document = parse(source)
        editor = Editor(document)
        chosen = random.Random(seed)
        for element in elements(document.root):
            if chosen.random() < 0.5:
                append(editor, element)
            if chosen.random() < 0.2:
                append(editor, element)
        outputs.append(editor.apply())
    assert outputs[0] == outputs[1] == outputs[2]


@given(documents(), randoms)
def test_an_element_that_got_a_line_cannot_be_removed(source: str | bytes, rng: random.Random) -> None:
    """What was edited inside cannot be removed or replaced, nor what it is in."""
    document = parse(source)
    element = rng.choice(elements(document.root))
    editor = Editor(document)
    editor.append_lines([(element, "<n/>")])
    around: Element | None = element
    while around is not None and around is not document.root:
        with pytest.raises(ValueError, match="was edited"):
            editor.remove(around)
        around = document.parent(around)
