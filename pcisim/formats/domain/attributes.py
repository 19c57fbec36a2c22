"""Attributes of elements: words, numbers, and what is said of those that are neither."""

from __future__ import annotations

from collections.abc import Iterable

from pcisim.address import parse_number, whole_number
from pcisim.catalogue.attribute_words import ADDRESS_NUMBERS, ADDRESS_WORDS, INVALID, LONG_NUMBERS, WORDS
from pcisim.errors import InputError
from pcisim.formats.xml.document import Element

_MOST = 0xFFFF_FFFF
_LONG = 0xFFFF_FFFF_FFFF_FFFF
_DIGITS = {10: frozenset("0123456789"), 16: frozenset("0123456789abcdefABCDEF")}


def short(text: str, most: int = 60) -> str:
    """Return a text, or its beginning when it is long."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def bad(
    element: Element, attribute: str, value: str, expected: str = "", code: str = "bad-attribute", form: str = INVALID
) -> InputError:
    """Return the refusal of what an attribute holds."""
    text = form.format(attribute=attribute, tag=element.tag, value=short(value))
    return InputError(text + (f" Expected {expected}" if expected else ""), code=code, line=element.line)


def missing(element: Element, attribute: str) -> InputError:
    """Return the refusal of an element without an attribute."""
    return InputError(
        f"Missing required attribute '{attribute}' in element '{element.tag}'",
        code="missing-attribute",
        line=element.line,
    )


def unknown(element: Element, attribute: str, value: str, allowed: Iterable[str], form: str = INVALID) -> InputError:
    """Return the refusal of a word that is none of those that are allowed."""
    error = bad(element, attribute, value, code="unknown-word", form=form)
    words = ", ".join(word for word in allowed if word)
    error.details = (f"known: {words}",) if words else ()
    return error


def holder_of(elements: Iterable[Element], attribute: str) -> Element | None:
    """Return the first of some elements that has an attribute: the one whose value libvirt takes."""
    return next((element for element in elements if attribute in element.attrib), None)


def check_words(element: Element) -> None:
    """Check the words that an element of a device holds.

    Raises:
        InputError: there is another word than libvirt knows.
    """
    for child, attribute, words, headline in _ROWS.get(element.tag, ()):
        holder = element.find(child) if child else element
        if holder is not None:
            value = holder.attrib.get(attribute)
            if value is not None and value not in words:
                raise unknown(holder, attribute, value, sorted(words), headline)


_ROWS = {tag: [(row.child, row.attribute, row.words, row.headline) for row in rows] for tag, rows in WORDS.items()}


def number_of(element: Element, attribute: str, base: int = 10, limit: int = _MOST) -> int:
    """Return a non-negative number in a base of its own; 0 when it is missing.

    Raises:
        InputError: it is not such a number.
    """
    text = element.attrib.get(attribute)
    if text is None:
        return 0
    digits = text.lstrip(" \t\r\n").removeprefix("+")
    if base == 16:
        digits = digits.removeprefix("0x").removeprefix("0X")
    if digits and _DIGITS[base].issuperset(digits):
        value = whole_number(digits, base)
        if value <= limit:
            return value
    raise bad(element, attribute, text, "non-negative integer value", "bad-number")


def check_address(element: Element) -> None:
    """Check the numbers of an address that is not of type ``pci``.

    Raises:
        InputError: one of them is no number, or one is missing.
    """
    kind = element.attrib["type"]
    for name, base in ADDRESS_NUMBERS.get(kind, {}).items():
        if name in element.attrib:
            number_of(element, name, base, _LONG if name in LONG_NUMBERS else _MOST)
    if kind == "spapr-vio" and number_of(element, "reg", 16, _LONG) > _MOST:
        raise InputError(
            f"spapr-vio reg='{number_of(element, 'reg', 16, _LONG):#x}' exceeds maximum possible value (0xffffffff)",
            code="address-range",
            line=element.line,
            remedy="write a number of up to 32 bits, or leave the address out",
        )
    if kind == "dimm" and "slot" not in element.attrib:
        raise missing(element, "slot")
    if kind == "usb" and "port" in element.attrib:
        port = element.attrib["port"]
        parts = port.lstrip().split(".")
        if len(parts) > _USB_DEPTH or not all(part.isascii() and part.isdigit() for part in parts):
            raise bad(element, "port", port, "up to four numbers with dots between them", "bad-number")


def words_of(element: Element) -> tuple[int, int, int, int]:
    """Return the first four words of 32 bits that an address takes in libvirt's memory (libvirt rule 9)."""
    kind = element.attrib["type"]
    words: list[int] = []
    for name in ADDRESS_WORDS.get(kind, ()):
        text = element.attrib.get(name, "0")
        if name == "true":
            words.append(1)
        elif name == "port" and kind == "usb":
            words += map(int, text.split("."))
        else:
            base = ADDRESS_NUMBERS.get(kind, {}).get(name)
            value = (parse_number(text) or 0) if base is None else int(text, base)
            words += [value & _MOST, value >> 32] if name in LONG_NUMBERS else [value]
    first, second, third, fourth = (*words, 0, 0, 0, 0)[:4]
    return first, second, third, fourth


def as_pci(element: Element) -> tuple[int, int, int]:
    """Return the bus, slot and function that libvirt reads in an address of another type (libvirt rule 9)."""
    return words_of(element)[1:]


_USB_DEPTH = 4
"""How many hubs deep the address of a USB device goes."""
