"""What may be named on the command line: directories, files of domain XML, archives, inventories."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from pcisim.errors import InputError, UsageError
from pcisim.fleet.survey.archive import archive_batches
from pcisim.fleet.survey.batch import Batch, Unread, reason, shown
from pcisim.fleet.survey.files import file_batches, files_of
from pcisim.fleet.survey.inventory import csv_batches, parquet_batches

_BY_SUFFIX: Mapping[str, Callable[[str], Iterable[Batch]]] = MappingProxyType(
    {
        ".tar": archive_batches,
        ".tgz": archive_batches,
        ".gz": archive_batches,
        ".bz2": archive_batches,
        ".xz": archive_batches,
        ".zst": archive_batches,
        ".csv": csv_batches,
        ".parquet": parquet_batches,
    }
)
"""How a named file is read; all others are domain XML.  Compressed archives are refused by name."""


def batches(sources: Sequence[str | os.PathLike[str]]) -> list[Batch]:
    """Find the guests of some sources.

    Args:
        sources: directories, files of domain XML, tar archives, inventories (``.csv``, ``.parquet``).

    Returns:
        where they are, in the order of the sources, and in each in the order of names, members or lines.

    Raises:
        InputError: a source cannot be read, or holds no guest.
        UsageError: no source is named; a library is missing.
    """
    if not sources:
        raise UsageError("no source is named", code="usage", remedy="name a directory, files, an archive or a table")
    found: list[Batch] = []
    files: list[str | Unread] = []
    for source in [os.fspath(source) for source in sources]:
        mode = _mode(source)
        kind = _BY_SUFFIX.get(os.path.splitext(source)[1].lower())
        if stat.S_ISDIR(mode):
            files += files_of(source)
        elif not stat.S_ISREG(mode):
            raise InputError(f"cannot read {shown(source)}: not a regular file", code="cannot-read")
        elif kind is None:
            files.append(source)
        else:
            found += file_batches(files)
            files = []
            found += kind(source)
    found += file_batches(files)
    return found


def _mode(source: str) -> int:
    try:
        return os.stat(source).st_mode
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot read {shown(source) or 'a source without a name'}: {reason(error)}",
            code="cannot-read",
            remedy="name a directory, files of domain XML, a tar archive, or an inventory (.csv, .parquet)",
        ) from error
