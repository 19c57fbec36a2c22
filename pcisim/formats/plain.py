"""Text that may be shown on a terminal, whatever a document says."""

from __future__ import annotations

import re

_CHARACTERS = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_UNSEEN = re.compile(f"[\x00-\x1f{_CHARACTERS}]")
_UNSEEN_IN_LINES = re.compile(f"[\x00-\x08\x0b-\x1f{_CHARACTERS}]")


def printable(text: str) -> str:
    """Return text on one line, with control characters written as escapes: a label can hold any of them.

    So are the bytes of a file's name that are no text, as ``\\xe9``: nobody knows what a terminal makes of them.
    """
    return _UNSEEN.sub(_escape, text)


def printable_lines(text: str) -> str:
    """Return text of which the ends of lines and the tabs stay, and the rest is as from `printable`."""
    return _UNSEEN_IN_LINES.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    char = found[0]
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


def shell_word(word: str) -> str:
    """Return a word as a shell reads it: in quotes where it needs them, and with escapes for control characters.

    The escapes are in ``$'...'``, which bash, zsh, ksh and the POSIX of 2024 know.
    """
    if printable(word) == word:
        import shlex

        return shlex.quote(word)
    data = word.encode("utf-8", "surrogateescape")
    return (
        "$'" + "".join(chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f"\\{byte:03o}" for byte in data) + "'"
    )


def shell_lines(arguments: list[str]) -> str:
    """Return arguments as lines for a shell, an option and its value on each."""
    lines: list[str] = []
    for word in arguments:
        if word.startswith("-") or not lines:
            lines.append(shell_word(word))
        else:
            lines[-1] += " " + shell_word(word)
    return " \\\n".join(lines) + "\n"
