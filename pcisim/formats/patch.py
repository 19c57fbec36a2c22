"""Differences of documents, as ``patch`` reads them."""

from __future__ import annotations

import os
from difflib import diff_bytes, unified_diff

from pcisim.formats.plain import printable


def difference(name: str, before: bytes, after: bytes, note: str) -> bytes:
    """Return the difference of two texts, in their own encoding.

    Args:
        name: the file that holds the first.
        before: the first.
        after: the second.
        note: what was done to make the second, in a word.
    """
    shown = _file_name(name)
    lines = diff_bytes(
        unified_diff, _lines(before), _lines(after), shown, shown + f"\t({note})".encode(), lineterm=b"\n"
    )
    return b"".join(line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n" for line in lines)


def _lines(text: bytes) -> list[bytes]:
    """Return lines as ``patch`` sees them: it knows one way to end a line."""
    *lines, last = text.split(b"\n")
    return [line + b"\n" for line in lines] + ([last] if last else [])


def _file_name(name: str) -> bytes:
    """Return a file's name, in quotes with octal escapes where it is more than plain text."""
    data = os.fsencode(name)
    if printable(name) == name and not {'"', "\\"} & set(name):
        return data
    plain = "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03o}" for byte in data)
    return f'"{plain}"'.encode()
