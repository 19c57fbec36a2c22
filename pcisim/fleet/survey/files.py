"""Domain XML in files of their own: named ones, and those of a directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from pcisim.errors import InputError
from pcisim.fleet.survey.answers import Answers
from pcisim.fleet.survey.batch import GUESTS, Unread, read_file, reason, shown, unread
from pcisim.fleet.survey.rows import Row, error_row

SUFFIX = ".xml"


class Files(NamedTuple):
    """Some files.

    Args:
        folder: where relative paths begin.
        paths: the files.
    """

    folder: str
    paths: tuple[str | Unread, ...]

    @property
    def size(self) -> int:
        """Return how many files there are."""
        return len(self.paths)

    def rows(self, answers: Answers) -> list[Row]:
        """Read the files and return their rows, in order."""
        return [self._row(path, answers) for path in self.paths]

    def _row(self, path: str | Unread, answers: Answers) -> Row:
        if isinstance(path, Unread):
            return error_row(shown(path.path), None, None, answers.question.libvirt, path.error)
        try:
            data = read_file(os.path.join(self.folder, path))
        except (OSError, ValueError) as error:
            return error_row(shown(path), None, None, answers.question.libvirt, unread(error))
        return answers.of_document(shown(path), data)


def file_batches(paths: list[str | Unread]) -> Iterator[Files]:
    """Yield files in batches."""
    try:
        folder = os.getcwd()
    except FileNotFoundError:  # the working folder is deleted: names from the root on are all that can be read
        folder = ""
    for start in range(0, len(paths), GUESTS):
        yield Files(folder, tuple(paths[start : start + GUESTS]))


def files_of(folder: str) -> list[str | Unread]:
    """Return the files of a directory and of those below it whose names end in ``.xml``, in the order of their names.

    A link to a file that is read anyway is left out, and links to directories are not followed: so
    libvirt's ``autostart`` counts no guest twice.

    Args:
        folder: the directory.

    Raises:
        InputError: it cannot be read, or there is no such file.
    """
    found: list[str | Unread] = []
    links: list[int] = []
    try:
        waiting = _entries(folder)
    except OSError as error:
        raise InputError(
            f"cannot read the directory {shown(folder)}: {reason(error)}",
            code="cannot-read",
            remedy="name a directory that you may read",
        ) from error
    while waiting:
        entry = waiting.pop()
        if _is_folder(entry, follow=False):
            try:
                waiting += _entries(entry.path)
            except OSError as error:
                found.append(Unread(entry.path, unread(error)))
        elif entry.name.endswith(SUFFIX):
            if entry.is_symlink():
                if _is_folder(entry, follow=True):
                    continue
                links.append(len(found))
            found.append(entry.path)
    if links:
        linked = set(links)
        real = {os.path.realpath(path) for n, path in enumerate(found) if isinstance(path, str) and n not in linked}
        left_out = {n for n in links if os.path.realpath(str(found[n])) in real}
        found = [path for n, path in enumerate(found) if n not in left_out]
    if not found:
        raise InputError(
            f"no domain XML in {shown(folder)}: no file there has a name that ends in {SUFFIX}",
            code="no-guests",
            remedy="name a directory of files that 'virsh dumpxml' wrote",
        )
    return found


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """Return what is in a directory, the last name first."""
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name, reverse=True)


def _is_folder(entry: os.DirEntry[str], *, follow: bool) -> bool:
    """Return whether an entry is known to be a directory; of a link in a circle, say, its row will tell."""
    try:
        return entry.is_dir(follow_symlinks=follow)
    except OSError:
        return False
