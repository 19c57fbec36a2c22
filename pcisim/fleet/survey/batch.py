"""A piece of work: some guests of a fleet, by where they are, never by what they hold."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from pcisim.errors import InputError
from pcisim.fleet.survey.answers import Answers, Question, answers
from pcisim.fleet.survey.rows import Row
from pcisim.formats.xml.document import most_bytes

GUESTS = 200
"""How many guests a batch has; a worker takes less than a tenth of a second for them."""


class Batch(Protocol):
    """Some guests of one source."""

    @property
    def size(self) -> int:
        """Return how many rows it gives."""

    def rows(self, answers: Answers) -> list[Row]:
        """Read the guests and return their rows, in order.

        Raises:
            InputError: the source cannot be read any more.
        """


class Unread(NamedTuple):
    """What is known to be unreadable before anybody tries: a directory, a link."""

    path: str
    error: InputError


def work(batch: Batch, question: Question) -> list[Row]:
    """Return the rows of a batch; this is what runs in a worker.

    Args:
        batch: where the guests are.
        question: what is asked of them.

    Raises:
        InputError: the source cannot be read any more.
    """
    return batch.rows(answers(question))


class Stamp(NamedTuple):
    """By what a source is known again: its size in bytes, when it was last written in nanoseconds, its inode."""

    size: int
    changed: int
    inode: int

    @classmethod
    def of(cls, number: int) -> Stamp:
        """Return that of an open file."""
        found = os.fstat(number)
        return cls(found.st_size, found.st_mtime_ns, found.st_ino)

    def check(self, number: int) -> None:
        """Refuse a source that is not what it was when its guests were listed.

        Raises:
            InputError: it has changed (code ``source-changed``).
        """
        if Stamp.of(number) != self:
            raise InputError("cannot be read: the source has changed since it was listed", code="source-changed")


def shown(path: str) -> str:
    """Return a path as text that can be written anywhere: bytes that are none are escapes, such as ``\\xe9``."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return _NO_TEXT.sub(_escape, path)
    return path


_NO_TEXT = re.compile("[\ud800-\udfff]")


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def reason(error: OSError | ValueError) -> str:
    """Return why something cannot be read."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text[:1].lower() + text[1:]


def unread(error: OSError | ValueError) -> InputError:
    """Return the error of a file that cannot be read, for its row."""
    return InputError(f"cannot be read: {reason(error)}", code="cannot-read")


@contextmanager
def ordinary(path: str) -> Iterator[int]:
    """Open an ordinary file, whoever waits at the other end of what is none, and give its number.

    Raises:
        OSError: it cannot be opened, or is not a regular file.
        ValueError: no file can have that name.
    """
    number = _open(path)
    try:
        yield number
    finally:
        os.close(number)


def _open(path: str) -> int:
    number = os.open(path, _FLAGS)
    mode = os.fstat(number).st_mode
    if not stat.S_ISREG(mode):
        os.close(number)
        raise OSError(errno.EINVAL, os.strerror(errno.EISDIR) if stat.S_ISDIR(mode) else "not a regular file")
    return number


_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)


def read_file(path: str) -> bytes:
    """Return what is in an ordinary file, or one byte more than any document may have.

    Raises:
        OSError: it cannot be read, or is not a regular file.
        ValueError: no file can have that name.
    """
    most = most_bytes() + 1
    number = _open(path)
    try:
        wanted = min(os.fstat(number).st_size + 1, most)  # to get less is to have reached the end
        data = os.read(number, wanted)
        if len(data) < wanted or wanted == most:
            return data
        pieces, left = [data], most - len(data)
        while left and (data := os.read(number, min(left, _PIECE))):
            pieces.append(data)
            left -= len(data)
        return b"".join(pieces)
    finally:
        os.close(number)


_PIECE = 1 << 16
"""How many bytes of a file that is longer than it says are read at once."""
