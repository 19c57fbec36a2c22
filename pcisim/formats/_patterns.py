"""Patterns of plainly written domain XML.

In a well-formed text without comments, in which no ``>`` stands for itself, every tag is ``<[^<>]*>``.  The patterns
match nothing else.  No repetition in them gives back what it took, so that they are as fast on what they do not match.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

_TEXT = "[^<>]*+"
_ATTRIBUTES = "([^<>]*+)"
_QUOTED = r"""(?:'(?=[^'"&]++')|"(?=[^'"&]++"))([^'"&<>]++)['"]"""
"""A value without quotes and references."""


def _tags(name: str, inside: str) -> str:
    """Return the pattern of an element."""
    return rf"<{name}[^<>]*+>(?:(?<=/>)|{inside}</[^<>]*+>)"


def _others(*read: str, depth: int) -> str:
    """Return the pattern of elements of other names than these, so many inside each other, with text before each."""
    inside = _TEXT
    for _ in range(depth - 1):
        inside = rf"(?:{_TEXT}{_tags('(?![/!?])', inside)})*+{_TEXT}"
    names = "".join(rf"|{name}[\s/>]" for name in read)
    return rf"(?:{_TEXT}{_tags(f'(?![/!?]{names})', inside)})*+"


def _head() -> re.Pattern[str]:
    """Return the pattern of what stands before the inside of ``<devices>``.

    Its groups are the declaration, the attributes of the machine's ``<type>``, and whether there is ``<acpi>``.
    """
    others = _others("os", "features", "devices", depth=5) + _TEXT
    of_os, of_features = _others("type", depth=3) + _TEXT, _others("acpi", depth=3) + _TEXT
    os = rf"<os(?=[\s>])[^<>]*+>(?<!/>){of_os}<type(?=[\s>]){_ATTRIBUTES}>(?<!/>){_TEXT}</type>{of_os}</os>"
    features = rf"<features(?:/>|>{of_features}(?:(<acpi)(?=[\s/>])[^<>]*+>(?<=/>){of_features})?+</features>)"
    return re.compile(
        r"\s*+(<\?xml[^<>]*+>)?+\s*+(?:<!--[^-]*+(?:-[^-]++)*+-->\s*+)*+<domain(?=[\s>])[^<>]*+>"
        rf"{others}{os}{others}(?:{features}{others})?+<devices>"
    )


HEAD = _head()
TAIL = re.compile(rf"</devices>{_others('os', 'features', 'devices', depth=5)}{_TEXT}</domain>\s*+")
ENCODING = re.compile(r"encoding\s*=\s*['\"](?i:utf-8|us-ascii|iso-8859-1)['\"]")
"""Encodings of which ASCII is a part."""


class _Form(NamedTuple):
    """Devices that are written alike.

    Args:
        names: of the elements, as a pattern.
        path: from the device to the element inside of which the attributes are read; empty when none is.
        elsewhere: children that are read too; with them a device is written otherwise.
    """

    names: str
    path: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()

    def pattern(self) -> str:
        """Return the pattern of a device.

        Its groups are the name, the attributes, what text begins the inside, the attributes of the element inside that
        is read (a disk's ``dev`` and those behind), what text ends the inside, and one that is always empty.
        """
        others = _others(*self.path[:1], *self.elsewhere, "address", "acpi", depth=2)
        read = "((?!))?+"
        for depth, name in enumerate(reversed(self.path)):
            if depth:
                read = rf"<{name}(?=[\s>])[^<>]*+>(?<!/>){_TEXT}{read}{_TEXT}</{name}>"
            else:
                attributes = rf"\s+dev={_QUOTED}{_ATTRIBUTES}" if self is _DISK else _ATTRIBUTES
                read = rf"<{name}(?=[\s/>]){attributes}>(?<=/>)"
        if self.path:
            read = rf"(?:{_TEXT}{read}{others})?+"
        return (
            rf"({self.names})(?=[\s/>]){_ATTRIBUTES}>"
            rf"(?:(?<=/>)|({_TEXT}){others}{read}({_TEXT})</[^\s<>]++>)()"
        )


_DISK = _Form("disk", ("target",))
_FORMS = (
    _DISK,
    _Form("interface", ("model",)),
    _Form("video|shmem", ("model",)),
    _Form("console|channel|serial", ("target",)),
    _Form("filesystem", ("driver",)),
    _Form("hostdev", ("source", "address")),
    _Form("controller", (), ("model", "target", "master")),
)
_PLAIN = _Form(rf"(?!(?:{'|'.join(form.names for form in _FORMS)})[\s/>])[\w:.-]++")
_DEVICE = re.compile(rf"\s*+<(?:{'|'.join(form.pattern() for form in (*_FORMS, _PLAIN))})")
BY_GROUP = {7 + 6 * number: form for number, form in enumerate((*_FORMS, _PLAIN))}
"""The forms, by their last groups: that of disks has seven, the others have six."""
OF_DISK = 7
scanner: Callable[[str, int, int], Any] = _DEVICE.scanner  # type: ignore[attr-defined]
"""Finds one match directly behind the other (known since Python 2, not to type checkers)."""
ELEMENT = re.compile(r"\s*+<([\w:.-]++)[^<>]*+>")
"""The start tag of any element."""
