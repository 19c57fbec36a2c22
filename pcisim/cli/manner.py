"""How this run of the command line prints: what its options say, and which of several guests it is at."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pcisim.errors import PcisimError


COLORS = AUTO, ALWAYS, NEVER = "auto", "always", "never"
"""When results are coloured."""


class Manner:
    """What every line that is printed depends on; one run has one.

    Attributes:
        quiet: whether nothing but results and errors is printed.
        verbose: how often ``-v`` was given.
        color: ``auto``, ``always`` or ``never``.
        subject: the name of the guest that is being answered, where there are several; else "".
        document_read: the name of the document that was read last; "" where none has a name.
        title: what is to be printed on standard output before the next result.
        titled: whether one was printed.
        documents: how many JSON documents of an array were printed; ``None`` where there is no array.
    """

    __slots__ = ("color", "document_read", "documents", "quiet", "subject", "title", "titled", "verbose")

    def __init__(self) -> None:
        self.quiet = False
        self.verbose = 0
        self.color = AUTO
        self.subject = ""
        self.document_read = ""
        self.title = ""
        self.titled = False
        self.documents: int | None = None

    def reset(self) -> None:
        """Begin a run."""
        Manner.__init__(self)

    def locate(self, error: PcisimError) -> None:
        """Let an error that knows its line name the document, which one of a placed guest does not know."""
        if error.line is not None and error.file is None and self.document_read:
            error.file = self.document_read

    def headline(self, line: str) -> str:
        """Return a headline that names the guest, where there are several."""
        if not self.subject or line.startswith(f"{self.subject}:") or f" {self.subject}:" in line:
            return line
        return f"{self.subject}: {line}"

    def take_title(self) -> str:
        """Return what is to be printed before a result; it is printed once."""
        title, self.title = self.title, ""
        blank, self.titled = self.titled and title.startswith("=="), True
        return "\n" + title if blank else title

    def document(self, document: dict[str, Any]) -> str:
        """Return a JSON document as text: alone, or as the next item of an array, with the name of its file."""
        import json

        if self.documents is None:
            return json.dumps(document, indent=2) + "\n"
        before = ",\n" if self.documents else "[\n"
        self.documents += 1
        named = {key: document[key] for key in ("schema",) if key in document} | {"file": as_text(self.subject)}
        return before + json.dumps(named | document, indent=2)


def as_text(name: str) -> str:
    """Return the name of a file as JSON can hold it: bytes that are no text are replaced."""
    import os

    return os.fsencode(name).decode("utf-8", "replace")


manner = Manner()
"""The one of this run."""
