"""Lines as wide as a terminal: they are broken between words, never inside one."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

USUAL_WIDTH = 80
_HANG = 2
_BEGINNING = r"[ \u2502|]*(\u251c\u2500 |\u2514\u2500 |\|- |`- )?"
"""What a line is indented with: blanks, or the lines of a tree."""
_WORD = r" *\S+"
_WIDTHS: dict[str, int] = {}
"""What was found, by what the variable says: argparse asks for every option."""


def terminal_width() -> int:
    """Return what `shutil.get_terminal_size` returns, which imports much."""
    columns = os.environ.get("COLUMNS", "")
    width = _WIDTHS.get(columns)
    if width is None:
        width = _WIDTHS[columns] = _measured(columns)
    return width


def forget_widths() -> None:
    """Look at the terminal anew: a run begins."""
    _WIDTHS.clear()


def _measured(columns: str) -> int:
    if columns.isdecimal() and len(columns) < 6 and int(columns):
        return int(columns)
    with suppress(AttributeError, ValueError, OSError):
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or USUAL_WIDTH  # type: ignore[union-attr]
    return USUAL_WIDTH


def width_of(stream: TextIO | None) -> int | None:
    """Return how wide lines on a stream may be; ``None`` for any width, where it is no terminal."""
    with suppress(AttributeError, ValueError, OSError):
        if stream is not None and stream.isatty():
            return terminal_width()
    return None


def wrapped(lines: Iterable[str], width: int | None, hang: int = _HANG) -> Iterator[str]:
    """Yield lines that are no wider than a terminal, but for words that are.

    A line goes on below its own beginning, a little further in; a branch of a tree goes on below its text.

    Args:
        lines: the lines, without their ends.
        width: of the terminal in columns; ``None`` for any.
        hang: how many columns further in a line goes on than it begins.
    """
    for line in lines:
        if width is None or len(line) <= width:
            yield line
        else:
            yield from _pieces(line, width, hang)


def _pieces(line: str, width: int, hang: int) -> Iterator[str]:
    found = re.match(_BEGINNING, line)
    begins = found[0] if found else ""
    branch = found[1] if found and found[1] else ""
    if branch:
        more = begins[: -len(branch)] + (
            "   " if branch[0] in "\u2514`" else f"{'|' if branch[0] == '|' else chr(0x2502)}  "
        )
    else:
        more = begins
    more += " " * hang
    if len(more) > width // 2:
        more = " " * hang
    piece, rest = begins, line[len(begins) :]
    fresh = True
    for word in re.findall(_WORD, rest):
        if fresh or len(piece) + len(word) <= width:
            piece += word
        else:
            yield piece
            piece = more + word.lstrip(" ")
        fresh = False
    yield piece
