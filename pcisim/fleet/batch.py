"""A piece of work: some guests of a fleet, by where they are, never by what they hold."""

from __future__ import annotations

import os
from typing import NamedTuple, Protocol

from pcisim.errors import InputError
from pcisim.fleet.answers import Answers, Question, answers
from pcisim.fleet.rows import Row
from pcisim.formats._xml import most_bytes

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


def shown(path: str) -> str:
    """Return a path as text that can be written anywhere."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def reason(error: OSError | ValueError) -> str:
    """Return why something cannot be read."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text[:1].lower() + text[1:]


def unread(error: OSError | ValueError) -> InputError:
    """Return the error of a file that cannot be read, for its row."""
    return InputError(f"cannot be read: {reason(error)}", code="cannot-read")


def read_file(path: str) -> bytes:
    """Return what is in a file, or one byte more than any document may have.

    Raises:
        OSError: it cannot be read.
        ValueError: no file can have that name.
    """
    with open(path, "rb", buffering=0) as stream:
        most = most_bytes()
        if os.fstat(stream.fileno()).st_size > most:
            return stream.read(most + 1) or b""
        return stream.readall() or b""
