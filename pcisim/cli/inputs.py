"""Which guests a command is about: files, directories, patterns, or what is piped in."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pcisim.cli import common
from pcisim.cli.manner import manner
from pcisim.errors import InputError, PcisimError, UsageError, counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ERROR_SCHEMA = "pcisim.error/1"
"""A guest of several that has no answer."""
_ABOUT_ONE_GUEST = frozenset({"unknown-label", "group", "node"})
"""Wrong calls that are right for another guest."""
_BY_SEVERITY = (0, 4, 1, 2, 3)
"""Exit statuses, the worst last."""
_COMMENTS = {"xml": "<!-- {} -->\n", "qemu": "# {}\n", "virt-install": "# {}\n", "nova": "# {}\n", "kubevirt": "# {}\n"}
"""How a line that names the file is written, where the output is not for people."""


class Source(NamedTuple):
    """One guest of a command, or why there is none."""

    name: str
    error: InputError | None = None

    @property
    def shown(self) -> str:
        """Return what to call it."""
        return shown(self.name)


def shown(name: str) -> str:
    """Return what to call a file."""
    return "<stdin>" if name == common.STDIN else name


def worst(statuses: Sequence[int]) -> int:
    """Return the worst of exit statuses; 0 where there is none."""
    return max(statuses, key=_BY_SEVERITY.index, default=0)


def is_piped() -> bool:
    """Return whether a document may be waiting on standard input: it is there, and no terminal."""
    try:
        return sys.stdin is not None and not sys.stdin.isatty()
    except (OSError, ValueError):
        return False


def implied(what: str, remedy: str) -> str:
    """Return the name of standard input, where a command has no other.

    Args:
        what: what is missing otherwise.
        remedy: what to do about it.

    Raises:
        UsageError: standard input is a terminal, empty or closed.
    """
    terminal = "standard input is a terminal; it is read where - is given"
    why = "standard input is closed" if sys.stdin is None else terminal
    if is_piped():
        try:
            if sys.stdin.buffer.peek(1):  # type: ignore[union-attr]
                return common.STDIN
            why = "standard input is empty"
        except AttributeError:  # it is none of a process
            return common.STDIN
        except (OSError, ValueError):  # said where it is read
            return common.STDIN
    raise UsageError(what, code="usage", details=(why,), remedy=remedy)


def expanded(names: Sequence[str]) -> Iterator[Source]:
    """Yield files; of a directory those below it whose names end in ``.xml``, of a pattern those that match, sorted.

    Raises:
        UsageError: standard input is named twice.
    """
    if list(names).count(common.STDIN) > 1:
        raise UsageError("two inputs are standard input", code="usage", remedy="name a file for one of them")
    for name in names:
        if common.is_one(name):
            yield Source(name)
        elif os.path.isdir(name):
            yield from _below(name)
        else:
            yield from _matching(name)


def _below(folder: str) -> Iterator[Source]:
    from pcisim.fleet.survey.batch import Unread
    from pcisim.fleet.survey.files import files_of

    try:
        found = files_of(folder)
    except InputError as error:
        yield Source(folder, error)
        return
    for each in found:
        yield Source(each.path, each.error) if isinstance(each, Unread) else Source(each)


def _matching(pattern: str) -> Iterator[Source]:
    from glob import glob

    found = sorted(glob(pattern, recursive=True))
    for name in found:
        if os.path.isdir(name):
            yield from _below(name)
        else:
            yield Source(name)
    if not found:
        what = f"cannot read {pattern}: no file matches"
        yield Source(pattern, InputError(what, code="cannot-read", remedy="name a file of domain XML"))


def run_each(arguments: argparse.Namespace, run: Callable[[argparse.Namespace], int]) -> int:
    """Run a command for each guest that is named, and return the worst exit status.

    One guest is answered as ever. Of several each answer has a line that names it, or is an item of a JSON array; one
    without an answer is an error of its own, and the others are answered all the same.

    Args:
        arguments: what the command line says; `file` is set for each guest.
        run: what a command does for one guest.

    Raises:
        PcisimError: there is one guest, and it has no answer.
        UsageError: no guest is named; or the call is wrong whatever the guest.
    """
    names: list[str] = arguments.guests
    if not names and arguments.machine is None:
        names = [
            implied(
                "no guest: neither a file nor --machine is given",
                "name files or directories of domain XML, pipe one in, or give a --machine with --device options",
            )
        ]
    if len(names) < 2 and all(map(common.is_one, names)):
        arguments.file = names[0] if names else None
        return run(arguments)
    if getattr(arguments, "output", None) is not None:
        raise UsageError(
            "-o takes the answer of one guest, and several are named",
            code="usage",
            remedy="name one, or use --in-place" if hasattr(arguments, "in_place") else "name one",
        )
    sources = {source.shown: source for source in expanded(names)}

    def answer(name: str) -> int:
        source = sources[name]
        if source.error is not None:
            raise source.error
        arguments.file = source.name
        return run(arguments)

    as_json = getattr(arguments, "format", "text") == "json"
    return answer_each(list(sources), answer, as_json=as_json, title=_title(arguments))


def answer_each(names: Sequence[str], answer: Callable[[str], int], *, as_json: bool, title: str) -> int:
    """Answer for one guest after the other, and return the worst exit status.

    Args:
        names: what the guests are called.
        answer: prints the answer for one and returns its exit status.
        as_json: whether the answers are items of a JSON array.
        title: what is printed before an answer, with ``{}`` for the name.

    Raises:
        UsageError: the call is wrong whatever the guest.
    """
    if as_json:
        manner.documents = 0
    statuses = []
    for name in names:
        manner.subject = name
        manner.title = "" if as_json else title.format(name.replace("--", "- -") if title.startswith("<!--") else name)
        try:
            statuses.append(answer(name))
        except UsageError as error:
            if error.code not in _ABOUT_ONE_GUEST:
                manner.subject = ""
                raise
            statuses.append(_complained(error))
        except PcisimError as error:
            statuses.append(_complained(error))
    manner.subject = manner.title = ""
    if as_json:
        common.write_stdout("\n]\n" if manner.documents else "[]\n")
    bad = sum(map(bool, statuses))
    if len(names) > 1:
        what = f"{bad} with exit status 1 or more" if bad else "all done"
        common.say(f"{counted(len(names), 'file')}: {what}")
    return worst(statuses)


def _title(arguments: argparse.Namespace) -> str:
    """Return the line that names a guest before its answer, with ``{}`` for the name."""
    if getattr(arguments, "print_diff", False):
        return ""  # a difference names its file
    kind = str(getattr(arguments, "emit", None) or getattr(arguments, "format", "text"))
    if getattr(arguments, "explain", None) is not None:
        kind = "text"
    return _COMMENTS.get(kind, "==> {} <==\n")


def _complained(error: PcisimError) -> int:
    """Say why one guest of several has no answer, and return its exit status."""
    manner.locate(error)
    if manner.documents is not None:
        common.write_json(error_document(error))
    common.complain(*error.explanation())
    return error.exit_status


def error_document(error: PcisimError) -> dict[str, Any]:
    """Return an error as plain data."""
    return {
        "schema": ERROR_SCHEMA,
        "exit_status": error.exit_status,
        "code": error.code,
        "headline": error.headline,
        "line": error.line,
        "parties": list(error.parties),
        "details": list(error.details),
        "remedy": error.remedy,
    }
