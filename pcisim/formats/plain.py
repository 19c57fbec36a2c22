"""Text that may be shown on a terminal, whatever a document says."""

from __future__ import annotations

import re

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Return text on one line, with control characters written as escapes: a label can hold any of them.

    So are the bytes of a file's name that are no text, as ``\\xe9``: nobody knows what a terminal makes of them.
    """
    return _UNSEEN.sub(lambda found: _escape(found[0]), text)


def _escape(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
