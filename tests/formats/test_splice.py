"""Exact bytes of the XML editor, and exact errors of its reader."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest

from pcisim.errors import InputError
from pcisim.formats.xml.document import MAX_BYTES, MAX_DEPTH, Element, parse
from pcisim.formats.xml.editor import Edit, Editor, Fragment
from tests.limits import within

Do = Callable[[Editor, Element], object]
NEW = Fragment("new", {"x": "1"})
DEEP = Fragment("new", {}, [Fragment("one", {"x": "1"}), Fragment("two", text="2")])


def at(root: Element, path: str) -> Element:
    """Return the element that indices such as ``0.1`` lead to."""
    for index in filter(None, path.split(".")):
        root = root.children[int(index)]
    return root


def append(path: str, fragment: Fragment = NEW) -> Do:
    return lambda editor, root: editor.append_child(at(root, path), fragment)


def before(path: str, fragment: Fragment = NEW) -> Do:
    return lambda editor, root: editor.insert_before(at(root, path), fragment)


def after(path: str, fragment: Fragment = NEW) -> Do:
    return lambda editor, root: editor.insert_after(at(root, path), fragment)


def put(path: str, name: str, value: str) -> Do:
    return lambda editor, root: editor.set_attribute(at(root, path), name, value)


def unset(path: str, name: str) -> Do:
    return lambda editor, root: editor.remove_attribute(at(root, path), name)


def remove(path: str) -> Do:
    return lambda editor, root: editor.remove(at(root, path))


def replace(path: str, fragment: Fragment = NEW) -> Do:
    return lambda editor, root: editor.replace(at(root, path), fragment)


def move(path: str, sibling: str) -> Do:
    return lambda editor, root: editor.move_before(at(root, path), at(root, sibling))


def edited(source: str, *steps: Do) -> Editor:
    document = parse(source)
    editor = Editor(document)
    for step in steps:
        step(editor, document.root)
    return editor


# --- reading ------------------------------------------------------------------------------------

GUEST = """<?xml version='1.0'?>
<!-- é --><domain type='kvm' xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">
  <name>é &amp; <![CDATA[<b>]]></name>
  <devices>
    <disk a='>' b="/>"/>
    <disk></disk>
  </devices>
  <qemu:commandline/>
</domain>
"""


def test_an_element_knows_its_place() -> None:
    document = parse(GUEST, name="guest.xml")
    root = document.root
    assert (root.tag, document.parent(root), root.get("type"), root.get("x"), root.get("x", "y")) == (
        "domain",
        None,
        "kvm",
        None,
        "y",
    )
    assert [child.tag for child in root.children] == ["name", "devices", "qemu:commandline"]
    assert (root.line, root.column) == (2, 11)
    devices = root.find("devices")
    assert devices is not None
    assert document.parent(devices) is root
    where = document.source
    assert devices.source is where
    assert (where.name, where.kind, where.data) == ("guest.xml", str, GUEST.encode())
    assert root.find("disk") is None
    first, second = devices.findall("disk")
    assert (first.line, first.column, first.self_closing, first.text) == (5, 5, True, "")
    assert (second.line, second.column, second.self_closing, second.text) == (6, 5, False, "")
    source = document.source.data
    assert source[first.start : first.end] == source[first.start : first.start_tag_end] == b"""<disk a='>' b="/>"/>"""
    assert source[second.start : second.start_tag_end] == b"<disk>"
    assert source[second.end_tag : second.end] == b"</disk>"
    assert repr(second) == "<Element 'disk' at line 6>"


def test_text_is_what_stands_directly_inside() -> None:
    assert parse(GUEST).root.children[0].text == "é & <b>"
    assert parse("<a>1<b>no</b>2<!-- no --><?no no?>\r\n&#x33;</a>").root.text == "12\n3"
    assert parse("<?xml version='1.0' encoding='koi8-r'?><a>п</a>".encode("koi8-r")).root.text == "п"
    assert parse("<a>é</a>".encode("utf-16")).root.text == "é"


def test_a_prefix_need_not_be_declared() -> None:
    assert parse("<domain><qemu:commandline/></domain>").root.children[0].tag == "qemu:commandline"


def test_a_self_closing_element_just_before_an_end_tag() -> None:
    """The next bytes after ``<b/>``, and the last before ``</c>``, look like the other kind of element."""
    b, c = parse("<a><b/><c>/></c></a>").root.children
    assert (b.self_closing, b.end, c.self_closing, c.end) == (True, 7, False, 16)
    (only,) = parse("<a><b/></a>").root.children
    assert (only.self_closing, only.end) == (True, 7)
    assert not parse("<a><b/></a>").root.self_closing


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_of_every_ending(newline: str) -> None:
    (child,) = parse(f"<a>{newline}{newline} é<b/>{newline}</a>").root.children
    assert (child.line, child.column) == (3, 3)


@pytest.mark.parametrize(
    ("source", "code", "line", "column", "what"),
    [
        (b"", "xml-empty", 1, 1, "the document is empty: it has no element"),
        ("", "xml-empty", 1, 1, "the document is empty: it has no element"),
        (b" \n", "xml-empty", 2, 1, "the document is empty: it has no element"),
        (b"<!-- x -->", "xml-empty", 1, 11, "the document is empty: it has no element"),
        (b"hello", "xml-syntax", 1, 1, "expected a tag here, found text that is not XML"),
        (b"\x7fELF\x02\x01", "xml-syntax", 1, 1, "the byte 0x7f is not valid here"),
        (b"\x89PNG\r\n", "xml-syntax", 1, 1, "the byte 0x89 is not valid here, or not in the encoding"),
        (b"<a>\n  <b>\n</a>", "xml-syntax", 3, 3, "</a> does not close <b>, opened on line 2"),
        (b"<a>\n  <b>\n", "xml-syntax", 3, 1, "the document ends, but <b>, opened on line 2, is not closed"),
        (b"</a>", "xml-syntax", 1, 2, "unexpected '/'"),
        (b"<a><!-- x", "xml-syntax", 1, 4, "the document ends inside a comment"),
        (b"<a>\n<b x='", "xml-syntax", 2, 1, "the document ends inside a tag"),
        (b"<a>&am", "xml-syntax", 1, 4, "the document ends inside a reference"),
        (b"<a><![CDATA[ x", "xml-syntax", 1, 15, "the document ends inside a CDATA section"),
        (b"<a x='1' x='2'/>", "xml-syntax", 1, 10, "the attribute x is there twice in one tag"),
        (b"<a x=1/>", "xml-syntax", 1, 6, "the value of an attribute has to stand in quotes"),
        (b"<a x/>", "xml-syntax", 1, 5, "unexpected '/'"),
        (b"<a x='<'/>", "xml-syntax", 1, 7, "a < may not stand inside a tag; in the value of an attribute it is"),
        ("<a>é & b</a>", "xml-syntax", 1, 7, "a bare & has to be written &amp;"),
        (b"<a>&foo;</a>", "xml-syntax", 1, 4, "the entity &foo is not defined"),
        (b"<a>&#0;</a>", "xml-syntax", 1, 4, "the character reference &#0 names a character that XML does not allow"),
        (b"<a/>\n<b/>", "xml-syntax", 2, 1, "there is something after the end of the outermost element"),
        (b"\n<?xml version='1.0'?><a/>", "xml-syntax", 2, 1, "the XML declaration has to be the very first thing"),
        (b"<?xml encoding='utf-8'?><a/>", "xml-syntax", 1, 7, "the XML declaration is not well-formed"),
        (b"<a>\0</a>", "xml-syntax", 1, 4, "a NUL character, which XML does not allow"),
        ("<\0a\0/\0>\0", "xml-syntax", 1, 2, "a NUL character, which XML does not allow"),
        (b"<a>\x01</a>", "xml-syntax", 1, 4, "the control character 0x01, which XML does not allow"),
        (b"<a>\xff</a>", "xml-syntax", 1, 4, "the byte 0xff is not valid here, or not in the encoding"),
        (b"<a>\xe2\x82", "xml-syntax", 1, 4, "a character is cut off in the middle"),
        ("<a>é\ud800</a>", "xml-encoding", 1, 5, "a lone surrogate, which is not a character"),
        (b"\xff\xfe<\0a", "xml-encoding", 1, 2, "not well-formed UTF-16 (truncated data)"),
        (b"\0\xd8\0", "xml-encoding", 1, 2, "not well-formed UTF-16 (truncated data)"),
        (b"<?xml version='1.0' encoding='utf-16'?><a/>", "xml-encoding", 1, 31, "the encoding utf-16 is declared, but"),
        (
            "<?xml version='1.0' encoding='utf-8'?><a/>".encode("utf-16"),
            "xml-encoding",
            1,
            1,
            "the encoding 'utf-8' is declared, but the bytes are UTF-16",
        ),
        (b"<?xml version='1.0' encoding='cp037'?><a/>", "xml-encoding", 1, 31, "the encoding cp037 cannot be read"),
        *(
            (f"<?xml version='1.0' encoding='{name}'?><a/>".encode(), "xml-encoding", 1, 1, f"the encoding '{name}'")
            for name in ("nonsense", "gbk", "hex", "idna", "undefined", "unicode_escape", "utf-7")
        ),
        (b"<!DOCTYPE a><a/>", "xml-doctype", 1, 1, "a DOCTYPE, which is refused"),
        (
            b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- <!DOCTYPE -->\n <!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
            "xml-doctype",
            3,
            2,
            "a DOCTYPE, which is refused",
        ),
        (
            "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>".encode("utf-16"),
            "xml-doctype",
            1,
            1,
            "a DOCTYPE, which is refused",
        ),
        ("\n" + "<a>" * (MAX_DEPTH + 1), "xml-depth", 2, 3 * MAX_DEPTH + 1, "elements are nested more than 256 deep"),
    ],
)
def test_refusals_say_what_and_where(source: str | bytes, code: str, line: int, column: int, what: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(source, name="guest.xml")
    error = caught.value
    assert (error.code, error.line, error.column, error.file) == (code, line, column, "guest.xml")
    assert error.headline.startswith(f"XML cannot be read: {what}")
    assert error.headline.endswith(f"(line {line}, column {column})")


def test_too_large_a_document_is_refused_unread() -> None:
    with pytest.raises(InputError, match="more than 16 MiB") as caught:
        parse(b" " * (MAX_BYTES + 1))
    assert caught.value.code == "xml-size"


@pytest.mark.parametrize("levels", [10_000, 300_000])
def test_a_deep_document_fails_quickly(levels: int) -> None:
    with within(1):
        with pytest.raises(InputError, match="nested") as caught:
            parse("<a>" * levels + "</a>" * levels)
        assert caught.value.code == "xml-depth"
    assert parse("<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH).root.find("a") is not None


def test_entities_are_never_expanded() -> None:
    laughs = "".join(f"<!ENTITY l{i} '{f'&l{i - 1};' * 10}'>" for i in range(1, 12))
    with within(0.1), pytest.raises(InputError, match="DOCTYPE"):
        parse(f"<!DOCTYPE a [<!ENTITY l0 'ha'>{laughs}]><a>&l11;</a>")


def test_reading_leaves_no_parser_behind() -> None:
    """The parser and its handlers hold each other; the cycle is cut, not left to the collector."""
    gc.collect()
    gc.disable()
    try:
        before = sum(type(thing).__name__ == "xmlparser" for thing in gc.get_objects())
        documents = [parse(GUEST) for _ in range(5)]
        assert [document.root.children[0].text for document in documents]
        assert sum(type(thing).__name__ == "xmlparser" for thing in gc.get_objects()) == before
    finally:
        gc.enable()


# --- writing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "steps", "expected"),
    [
        # Opening an element, and where lines break.
        ("<a/>", [append("")], "<a><new x='1'/></a>"),
        ("<a/>\n", [append("", DEEP)], "<a><new><one x='1'/><two>2</two></new></a>\n"),
        ("<?pi?>\n<a />\n", [append("")], "<?pi?>\n<a>\n  <new x='1'/>\n</a>\n"),
        ("<?pi?>\n<a></a>", [append("")], "<?pi?>\n<a>\n  <new x='1'/>\n</a>"),
        ("<a>\n\t<b/>\n</a>", [append("0")], "<a>\n\t<b>\n\t\t<new x='1'/>\n\t</b>\n</a>"),
        ("<a>\n\t<b></b>\n</a>", [append("0")], "<a>\n\t<b>\n\t\t<new x='1'/>\n\t</b>\n</a>"),
        ("<a>\n   <b>\n   </b>\n</a>", [append("0")], "<a>\n   <b>\n      <new x='1'/>\n   </b>\n</a>"),
        ("<a>\n<b/>\n</a>", [append("0")], "<a>\n<b>\n<new x='1'/>\n</b>\n</a>"),
        ("<a>\n  <b><c/></b>\n</a>", [append("0.0", DEEP)],
         "<a>\n  <b><c><new><one x='1'/><two>2</two></new></c></b>\n</a>"),
        ("<a>\n  <b><c/></b>\n</a>", [append("0")], "<a>\n  <b><c/><new x='1'/></b>\n</a>"),
        ("<a x='>'\n   y='/'\n/>", [append("")], "<a x='>'\n   y='/'\n>\n  <new x='1'/>\n</a>"),
        # Among other children.
        ("<a>\n  <b/>\n</a>", [append("")], "<a>\n  <b/>\n  <new x='1'/>\n</a>"),
        ("<a>\n  <b/> \n\n</a>", [append("")], "<a>\n  <b/> \n  <new x='1'/>\n\n</a>"),
        ("<a>\n  <b/></a>", [append("")], "<a>\n  <b/>\n  <new x='1'/></a>"),
        ("<a>\n  <b/> <!-- b -->\n</a>", [append("")], "<a>\n  <b/> <!-- b -->\n  <new x='1'/>\n</a>"),
        ("<a>\n  <!-- b -->\n</a>", [append("")], "<a>\n  <!-- b -->\n  <new x='1'/>\n</a>"),
        ("<a> <b/> </a>", [append("")], "<a> <b/><new x='1'/> </a>"),
        ("<a>text</a>", [append("")], "<a>text<new x='1'/></a>"),
        ("<a>\n  text\n</a>", [append("")], "<a>\n  text\n<new x='1'/></a>"),
        ("<a><![CDATA[<b/>\n]]></a>", [append("")], "<a><![CDATA[<b/>\n]]><new x='1'/></a>"),
        ("<a>\n  <b/>\n</a>", [before("0"), after("0")], "<a>\n  <new x='1'/>\n  <b/>\n  <new x='1'/>\n</a>"),
        ("<a><b/></a>", [before("0"), after("0")], "<a><new x='1'/><b/><new x='1'/></a>"),
        ("<a><b/>\n  <c/><d/>\n</a>", [after("0"), after("1")],
         "<a><b/><new x='1'/>\n  <c/>\n  <new x='1'/><d/>\n</a>"),
        ("<a>\n  <b/> <!-- b --> \n</a>", [after("0")], "<a>\n  <b/> <!-- b --> \n  <new x='1'/>\n</a>"),
        ("<a>\n  <b/> <!-- b\n -->\n</a>", [after("0")], "<a>\n  <b/>\n  <new x='1'/> <!-- b\n -->\n</a>"),
        (
            "<a>\n  <b/>\n</a>",
            [append("", Fragment("p")), after("0", Fragment("q")),
             append("", Fragment("r")), after("0", Fragment("s"))],
            "<a>\n  <b/>\n  <q/>\n  <s/>\n  <p/>\n  <r/>\n</a>",
        ),
        (
            "<a>\n  <b/>\n  <c/>\n</a>",
            [before("1", Fragment("p")), before("1", Fragment("q")), after("0", Fragment("r"))],
            "<a>\n  <b/>\n  <r/>\n  <p/>\n  <q/>\n  <c/>\n</a>",
        ),
        # Line endings, quotes, indentation of what is deeper.
        ("<a>\r\n\t<b/>\r\n</a>\r\n", [append("0", DEEP)],
         "<a>\r\n\t<b>\r\n\t\t<new>\r\n\t\t\t<one x='1'/>\r\n\t\t\t<two>2</two>\r\n\t\t</new>\r\n\t</b>\r\n</a>\r\n"),
        ('<a>\n    <b y="2"/>\n</a>', [append("")], '<a>\n    <b y="2"/>\n    <new x="1"/>\n</a>'),
        ("<a>\n <b/>\n</a>", [append("", Fragment("t", text="1\n2"))], "<a>\n <b/>\n <t>1\n2</t>\n</a>"),
        ("<a>\r\n <b/>\r\n</a>", [append("", Fragment("t", text="1\n2\r"))],
         "<a>\r\n <b/>\r\n <t>1\r\n2&#13;</t>\r\n</a>"),
        ("<a>\n  <b/>\n</a>", [append("", Fragment("m", {}, [NEW], "t"))], "<a>\n  <b/>\n  <m>t<new x='1'/></m>\n</a>"),
        # Attributes.
        ("<a x = 'o' y=\"\"/>", [put("", "x", "it's"), put("", "y", "it's \"<&>\"\n")],
         "<a x = 'it&apos;s' y=\"it's &quot;&lt;&amp;&gt;&quot;&#10;\"/>"),
        ("<a x='&#x41;'/>", [put("", "x", "A")], "<a x='&#x41;'/>"),
        ("<a/>", [put("", "x", "1"), put("", "y", "2"), put("", "x", "3")], "<a x='3' y='2'/>"),
        ("<a p=\"0\" />", [put("", "x", "1")], "<a p=\"0\" x=\"1\" />"),
        ("<a\n  p='='\n  q='>'\n>\n</a>", [put("", "x", "1")], "<a\n  p='='\n  q='>'\n  x='1'\n>\n</a>"),
        ("<a p='0'  q = '1' />", [unset("", "q"), unset("", "none")], "<a p='0' />"),
        ("<a p='0'/>", [unset("", "p"), put("", "q", "1")], "<a q='1'/>"),
        ("<a p='0'/>", [unset("", "p"), put("", "p", "1")], "<a p='1'/>"),
        ("<a/>", [put("", "p", "1"), unset("", "p")], "<a/>"),
        ("<a xmlns='u' q:x='1'><q:b/></a>", [put("", "q:x", "2"), append("0")],
         "<a xmlns='u' q:x='2'><q:b><new x='1'/></q:b></a>"),
        # Several edits of one self-closing element.
        (
            "<a>\n  <b p='0' />\n</a>",
            [append("0", Fragment("q")), put("0", "x", "1"), append("0", Fragment("r")), put("0", "p", "2"),
             after("0")],
            "<a>\n  <b p='2' x='1'>\n    <q/>\n    <r/>\n  </b>\n  <new x='1'/>\n</a>",
        ),
        # Removing.
        ("<a>\n  <b/>\n  <c>\n  </c> \n</a>", [remove("0"), remove("1")], "<a>\n</a>"),
        ("<a>\r\n  <b/>\r\n</a>", [remove("0")], "<a>\r\n</a>"),
        ("<a>\n  <b/> <!-- b -->\n</a>", [remove("0")], "<a>\n   <!-- b -->\n</a>"),
        ("<a>\n  <b/></a>", [remove("0")], "<a>\n  </a>"),
        ("<a><b/><c/></a>", [remove("0")], "<a><c/></a>"),
        ("<a>\n  <b/>\n</a>", [before("0"), after("0", DEEP), remove("0")],
         "<a>\n  <new x='1'/>\n  <new>\n    <one x='1'/>\n    <two>2</two>\n  </new>\n</a>"),
        ("<a>\n  <b/>\n</a>", [remove("0"), append("")], "<a>\n  <new x='1'/>\n</a>"),
        # Replacing.
        ("<a>\n  <b>\n   </b > <c/>\n</a>", [replace("0", DEEP)],
         "<a>\n  <new>\n    <one x='1'/>\n    <two>2</two>\n  </new> <c/>\n</a>"),
        ("<a>\n  <b/>\n</a>", [replace("0"), after("0", Fragment("z"))], "<a>\n  <new x='1'/>\n  <z/>\n</a>"),
        ("<!-- x --><a/>", [replace("", DEEP)], "<!-- x --><new><one x='1'/><two>2</two></new>"),
        # Moving.
        ("<a>\n  <b/>\n  <c>\n  </c>\n</a>", [move("1", "0")], "<a>\n  <c>\n  </c>\n  <b/>\n</a>"),
        ("<a>\n  <b/>\n\n  <c/>\n  <d/>\n</a>", [move("0", "2")], "<a>\n\n  <c/>\n  <b/>\n  <d/>\n</a>"),
        ("<a><b/><c/></a>", [move("1", "0"), before("0")], "<a><c/><new x='1'/><b/></a>"),
        ("<a>\n  <b/>\n  <c p=''/>\n</a>", [append("1"), move("1", "0"), put("1", "p", "2")],
         "<a>\n  <c p='2'>\n    <new x='1'/>\n  </c>\n  <b/>\n</a>"),
        ("<a>\n <b/>\n <c>\n  <d/>\n  <e/>\n </c>\n</a>",
         [move("1", "0"), move("1.1", "1.0"), append("1.1", Fragment("z"))],
         "<a>\n <c>\n  <e>\n   <z/>\n  </e>\n  <d/>\n </c>\n <b/>\n</a>"),
    ],
)  # fmt: skip
def test_edits_give_exactly_this(source: str, steps: list[Do], expected: str) -> None:
    assert edited(source, *steps).apply() == expected


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1", "us-ascii", "windows-1252", "koi8-r"],
)
def test_every_encoding_comes_back(encoding: str) -> None:
    declared = encoding.removesuffix("-sig").replace("-16-", "-16")
    text = f"<?xml version='1.0' encoding='{declared}'?>\n<a>\n  <b x='&#233;'/>\n</a>\n"
    source = text.encode(encoding)
    document = parse(source)
    editor = Editor(document)
    assert editor.apply() == source
    editor.append_child(document.root, Fragment("c", {"x": "é€п"}, text="😀"))
    output = editor.apply()
    assert isinstance(output, bytes)
    head, tail = text.split("\n</a>")
    start, end = head.encode(encoding), output.decode(encoding).partition("/>")[2]
    assert output.startswith(start)
    assert end.endswith(f"</c>\n</a>{tail}")
    again = parse(output).root.children[1]
    assert (again.get("x"), again.text) == ("é€п", "😀")
    if encoding == "koi8-r":
        assert output.decode("koi8-r").splitlines()[3] == "  <c x='&#233;&#8364;п'>&#128512;</c>"


def test_a_utf8_that_expat_does_not_know_by_that_name() -> None:
    """Python takes "utf8" for UTF-8; expat then reads ASCII only, so only ASCII may be written."""
    document = parse(b"<?xml version='1.0' encoding='utf8'?><a/>")
    editor = Editor(document)
    editor.set_attribute(document.root, "x", "é")
    assert editor.apply() == b"<?xml version='1.0' encoding='utf8'?><a x='&#233;'/>"


def test_the_declaration_of_a_str_is_ignored() -> None:
    source = "\ufeff<?xml version='1.0' encoding='utf-16'?><a>é</a>"
    document = parse(source)
    assert document.root.text == "é"
    assert (document.root.line, document.root.column) == (1, 40)
    assert Editor(document).apply() == source


def test_changes_are_what_was_replaced() -> None:
    source = "<a p='1'>\n  <b x='1' y='2'/>\n  <c/>\n  <d/>\n  <e/>\n</a>"
    editor = edited(
        source,
        append("1"), put("0", "y", "3"), put("0", "z", "4"), unset("0", "x"), put("", "p", "1"), put("", "n", "1"),
        remove("2"), replace("3"), move("1", "0"), before("0"),
    )  # fmt: skip
    assert editor.changes == [
        Edit(2, "b", "set attribute y", "2", "3"),
        Edit(2, "b", "removed attribute x", "1", ""),
        Edit(3, "c", "moved", "line 3", "before line 2"),
        Edit(3, "c", "opened", "<c/>", ""),
        Edit(4, "d", "removed", "<d/>", ""),
        Edit(5, "e", "replaced", "<e/>", "<new x='1'/>"),
    ]
    assert [str(change) for change in editor.changes] == [
        "set attribute y of b: 2 -> 3",
        "removed attribute x of b: 1",
        "moved c: line 3 -> before line 2",
        "opened <c/>",
        "removed d of line 4",
        "replaced e of line 5",
    ]
    assert editor.apply() == (
        "<a p='1' n='1'>\n  <c>\n    <new x='1'/>\n  </c>\n  <new x='1'/>\n"
        "  <b y='3' z='4'/>\n  <new x='1'/>\n</a>"
    )  # fmt: skip
    assert edited("<disk type='file'/>", append("")).changes[0].old == "<disk .../>"
    assert edited("<a>\n  <b></b>\n</a>", append("0"), append(""), put("", "x", "1"), unset("", "y")).changes == []


@pytest.mark.parametrize(
    ("steps", "last"),
    [
        ([remove("0")], append("0")),
        ([append("0")], remove("0")),
        ([put("0.0", "x", "1")], remove("0")),
        ([remove("0")], put("0.0", "x", "1")),
        ([remove("0")], remove("0")),
        ([remove("0")], after("0")),
        ([remove("0")], move("1", "0")),
        ([replace("0")], append("0")),
        ([replace("0")], remove("0")),
        ([replace("0")], move("0", "1")),
        ([put("0", "x", "1")], replace("0")),
        ([move("1", "0")], before("1")),
        ([move("1", "0")], move("1", "0")),
        ([move("1", "0")], remove("1")),
        ([], move("0", "0")),
        ([], move("0.0", "1")),
        ([], remove("")),
        ([], after("")),
    ],
)
def test_contradictions_raise_and_change_nothing(steps: list[Do], last: Do) -> None:
    source = "<a>\n  <b>\n    <c/>\n  </b>\n  <d/>\n</a>"
    expected = edited(source, *steps).apply()
    editor = edited(source, *steps)
    with pytest.raises(ValueError, match=r".") as caught:
        last(editor, editor._document.root)
    assert not isinstance(caught.value, InputError)
    assert editor.apply() == expected


def test_a_refused_call_does_not_count_as_an_edit() -> None:
    editor = edited("<a><b><c/><d/><e/></b></a>", move("0.0", "0.1"))
    b = editor._document.root.children[0]
    other = Editor(editor._document)
    for call in (other.move_before, editor.move_before):
        with pytest.raises(ValueError, match="same parent"):
            call(b.children[2], b)
    with pytest.raises(ValueError, match="marks no place"):
        editor.move_before(b.children[2], b.children[0])
    with pytest.raises(ValueError, match="was edited"):
        editor.remove(b)
    other.remove(b)
    assert other.apply() == "<a></a>"
    third = edited("<a><b><c/><d/></b></a>", remove("0.0"))
    c, d = third._document.root.children[0].children
    with pytest.raises(ValueError, match="marks no place"):
        third.move_before(c, d)
    assert not third._edits[d]


def test_an_element_of_another_document_is_refused() -> None:
    editor, other = Editor(parse("<a/>")), parse("<a><b/></a>").root
    with pytest.raises(ValueError, match="another document"):
        editor.append_child(other, NEW)
    with pytest.raises(ValueError, match="another document"):
        editor.insert_after(other.children[0], NEW)


@pytest.mark.parametrize("name", ["", "a b", "1a", "-a", ".a", "a/", "a>", "é", "a'"])
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        Fragment(name)
    with pytest.raises(ValueError, match="not a name"):
        Fragment("a", {name: "1"})
    document = parse("<a/>")
    with pytest.raises(ValueError, match="not a name"):
        Editor(document).set_attribute(document.root, name, "1")


@pytest.mark.parametrize("char", ["\0", "\x1f", "\ud800", "\ufffe", "\uffff"])
def test_characters_that_xml_cannot_hold_are_refused(char: str) -> None:
    document = parse("<a/>")
    calls: list[Callable[[], object]] = [
        lambda: Fragment("a", {"x": char}),
        lambda: Fragment("a", text=char),
        lambda: Editor(document).set_attribute(document.root, "x", char),
    ]
    for call in calls:
        with pytest.raises(InputError) as caught:
            call()
        assert caught.value.code == "xml-character"


def test_a_fragment_shows_itself() -> None:
    assert repr(NEW) == "Fragment('new', {'x': '1'}, (), None)"


@pytest.mark.parametrize("newline", ["\n", ""])
def test_many_edits_take_linear_time(newline: str) -> None:
    """Twenty thousand children with three edits each: seconds would mean something quadratic."""
    document = parse(f"<a>{newline}" + f"  <b x='1'/>{newline}" * 20_000 + "</a>")
    editor = Editor(document)
    for child in document.root.children:
        editor.set_attribute(child, "x", "2")
        editor.insert_after(child, NEW)
        editor.append_child(child, NEW)
    with within(10):
        output = editor.apply()
        assert isinstance(output, str)
        assert output.count("<new x='1'/>") == 40_000
