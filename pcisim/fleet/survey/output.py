"""Rows in a file: CSV, JSON lines or Parquet, complete under its name or not there at all.

While a run goes on the rows are in ``FILE.partial``, and after an interruption they stay there.  Another run, or
somebody's file of that name, is left alone: then it is ``FILE.2.partial``, and so on.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any, BinaryIO, Protocol

from pcisim.errors import InputError, PcisimError, UsageError
from pcisim.file_replacement import Replacement, replaceable
from pcisim.fleet.survey.batch import reason, shown
from pcisim.fleet.survey.extras import needed
from pcisim.fleet.survey.rows import COLUMNS, SCHEMA, Row
from pcisim.formats.plain import printable

PARTIAL = ".partial"
_ROW_GROUP = 50_000
"""How many rows of a Parquet file are written at once."""


class Format(Protocol):
    """How rows are written."""

    def write(self, rows: Iterable[Row]) -> None:
        """Write rows."""

    def close(self) -> None:
        """Write what is still to be written; the stream stays open."""


class Lines:
    """JSON lines: an object a row; control characters are escapes, as JSON has them.

    Args:
        stream: where they go.
        raw: has no effect: whoever reads JSON reads the same.
    """

    def __init__(self, stream: BinaryIO, *, raw: bool = False) -> None:
        self._stream = stream
        self._encode = json.JSONEncoder(ensure_ascii=False).encode

    def write(self, rows: Iterable[Row]) -> None:
        """Write rows."""
        text = "".join([self._encode(row.to_json()) + "\n" for row in rows])
        self._stream.write(_UNSEEN.sub(_json_escape, text).encode())

    def close(self) -> None:
        """Do nothing more."""


_UNSEEN = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def _json_escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


class Table:
    """CSV: the names of the columns, then one line per row; truth is ``true`` or ``false``.

    Control characters are written as escapes, and a text that a spreadsheet would take for a formula begins with ``'``.

    Args:
        stream: where it goes.
        raw: write every text as it is.
    """

    def __init__(self, stream: BinaryIO, *, raw: bool = False) -> None:
        self._stream = stream
        self._raw = raw
        self._write([[column.name for column in COLUMNS]])

    def write(self, rows: Iterable[Row]) -> None:
        """Write rows."""
        cell = _raw_cell if self._raw else _cell
        self._write([list(map(cell, row)) for row in rows])

    def _write(self, records: Iterable[Iterable[object]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(records)
        self._stream.write(text.getvalue().encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        """Do nothing more."""


def _raw_cell(value: object) -> object:
    return _TRUTH[value] if value.__class__ is bool else value


def _cell(value: object) -> object:
    if value.__class__ is not str:
        return _TRUTH[value] if value.__class__ is bool else value
    text = str(value)
    if text[:1] in _FORMULA:
        text = f"'{text}"
    return text if text.isascii() and text.isprintable() else printable(text)


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a formula of a spreadsheet begins with, perhaps after a blank that it leaves out."""
_TRUTH: Mapping[object, str] = {True: "true", False: "false"}


class Parquet:
    """Parquet; the version of the columns is in its metadata.

    Args:
        stream: where it goes.
        raw: has no effect: texts are as they are.

    Raises:
        UsageError: pyarrow is not there.
    """

    def __init__(self, stream: BinaryIO, *, raw: bool = False) -> None:
        self._arrow: Any = needed("pyarrow", "fleet", "Parquet")
        types = {str: self._arrow.string(), bool: self._arrow.bool_(), int: self._arrow.int32()}
        fields = [self._arrow.field(c.name, types[c.kind], nullable=not c.required) for c in COLUMNS]
        self._schema = self._arrow.schema(fields, metadata={"schema": SCHEMA})
        self._writer = needed("pyarrow.parquet", "fleet", "Parquet").ParquetWriter(stream, self._schema)
        self._rows: list[Row] = []

    def write(self, rows: Iterable[Row]) -> None:
        """Write rows, many at once."""
        self._rows += rows
        if len(self._rows) >= _ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        columns = [self._arrow.array(cells, field.type) for cells, field in zip(zip(*self._rows), self._schema)]
        if columns:
            self._writer.write_table(self._arrow.Table.from_arrays(columns, schema=self._schema))
        self._rows = []

    def close(self) -> None:
        """Write the last rows and the end of the file, without which nobody can read it."""
        self._flush()
        self._writer.close()


class Maker(Protocol):
    """Makes a format."""

    def __call__(self, stream: BinaryIO, *, raw: bool = False) -> Format:
        """Return the format, which writes to a stream."""


FORMATS: Mapping[str, Maker] = MappingProxyType({".csv": Table, ".jsonl": Lines, ".ndjson": Lines, ".parquet": Parquet})
"""How rows are written, by the suffix of the file's name."""


def format_of(name: str) -> Maker:
    """Return how rows are written to a file of that name.

    Raises:
        UsageError: its suffix names no format; or the library of that format is missing.
    """
    suffix = os.path.splitext(name)[1].lower()
    chosen = FORMATS.get(suffix)
    if chosen is None:
        raise UsageError(
            f"{shown(name)}: unknown suffix",
            code="usage",
            details=(f"known: {', '.join(FORMATS)}",),
        )
    if chosen is Parquet:
        needed("pyarrow.parquet", "fleet", "Parquet")
    return chosen


class Output:
    """A file of rows that gets its name when it is complete.

    What is not a regular file, such as ``/dev/null`` or a pipe, is written to as it is.

    Args:
        name: the file; its suffix chooses the format.
        raw: as for `Table`.

    Attributes:
        rows: how many rows there are in the file.
        rival: the file into which another run writes at this moment what is to be ``name`` too, or ``""``.

    Raises:
        UsageError: as for `format_of`.
        InputError: it cannot be written.
    """

    def __init__(self, name: str, *, raw: bool = False) -> None:
        self.name = name
        self.rows = 0
        self.rival = ""
        self._new: Replacement | None = None
        self._ended = False
        self._maker = format_of(name)
        with self._errors():
            if replaceable(name):
                self._new = self._incomplete()
                self._stream = self._new.stream
            else:
                self._stream = open(name, "wb")  # noqa: SIM115  # closed by complete() or leave()
            self._whole = _Whole(self._stream, self._new is not None)
            try:
                self._format = self._maker(self._whole, raw=raw)  # type: ignore[arg-type]
                self._whole.keep()
            except BaseException:
                if self._new is not None:
                    self._new.discard()
                self._stream.close()
                raise

    @property
    def shown(self) -> str:
        """Return the file in which the rows are now, as text."""
        if self._new is None or not self._new.path:
            return shown(self.name)
        if os.path.islink(self.name):
            return shown(self._new.path)
        return shown(os.path.join(os.path.dirname(self.name), os.path.basename(self._new.path)))

    def write(self, rows: list[Row]) -> None:
        """Write rows, all of them or, in an ordinary file, none.

        Raises:
            InputError: they cannot be written.
        """
        with self._errors(), self._broken():
            self._format.write(rows)
            self._whole.keep()
        self.rows += len(rows)

    def complete(self) -> None:
        """Give the file its name.

        Raises:
            InputError: it cannot be written.
        """
        with self._errors():
            self._close()
            if self._new is not None:
                self._new.commit()

    def leave(self) -> None:
        """Leave what there is readable in the file with the name of an incomplete one; remove an empty one.

        Raises:
            InputError: it cannot be written.
        """
        with self._errors():
            try:
                self._close()
            finally:
                if self._new is not None and not self.rows:
                    self._new.discard()
                self._stream.close()

    def _close(self) -> None:
        """Write the end of the rows."""
        if self._ended or self._stream.closed:
            return
        with self._broken():
            self._format.close()
            self._whole.keep()
        self._ended = True
        if self._new is None:
            self._stream.close()

    @contextmanager
    def _broken(self) -> Iterator[None]:
        """Give rows up that nobody can read if something cannot be written: Parquet without its end."""
        try:
            yield
        except Exception:
            if isinstance(self._format, Parquet):
                self.rows, self._ended = 0, True
            raise

    def _incomplete(self) -> Replacement:
        """Return the incomplete file, new and locked."""
        while True:
            new = Replacement(self.name, temporary=self._partial_names(), last=True).open()
            if _lock(new.stream.fileno(), new.path):
                return new
            new.stream.close()  # another run has taken it for one that was left, and removed it

    def _partial_names(self) -> Iterator[str]:
        """Yield names for the incomplete file; what an earlier run left under the first one gives way."""
        name = os.path.basename(os.path.realpath(self.name))
        folder = os.path.dirname(os.path.realpath(self.name))
        for number in range(1, _MOST_PARTIAL):
            partial = f"{name}{PARTIAL}" if number == 1 else f"{name}.{number}{PARTIAL}"
            path = os.path.join(folder, partial)
            with suppress(OSError):
                if _remove_left_over(path, self._maker):
                    self.rival = self.rival or path
            yield partial

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the system's errors into one that names the file."""
        try:
            yield
        except InputError as error:
            if error.code == "file-loss":
                error.remedy = "remove the file first, or name another one"
            raise
        except (PcisimError, BrokenPipeError):
            raise
        except (OSError, ValueError) as error:
            raise InputError(
                f"cannot write {shown(self.name) or 'a file without a name'}: {reason(error)}",
                code="cannot-write",
                details=("nothing is there under that name that was not there before",),
            ) from error


_MOST_PARTIAL = 100


def _lock(number: int, path: str) -> bool:
    """Show other runs that this one writes into a file, as long as it or a worker of it lives.

    Returns:
        whether it is still there under its name.
    """
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(number), os.lstat(path))
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError:  # there are file systems without locks
        return True


def _remove_left_over(path: str, maker: Maker) -> bool:
    """Remove an incomplete file that no run writes into any more; anything else of that name stays.

    Returns:
        whether another run writes into it.

    Raises:
        OSError: nothing is there, or it cannot be looked at.
    """
    number = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid != os.geteuid():
            return False
        start = os.pread(number, 4096, 0)
        end = os.pread(number, _FOOTER, max(0, found.st_size - _FOOTER))
        rows = not found.st_size or _are_rows(start, maker, end)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return rows or maker is Parquet
        if rows and os.path.samestat(found, os.lstat(path)):
            os.unlink(path)
        return False
    finally:
        os.close(number)


def _are_rows(start: bytes, maker: Maker, end: bytes) -> bool:
    """Return whether a file begins, or a Parquet file ends, as the rows of a run do."""
    if maker is Parquet:
        return start.startswith(b"PAR1") and SCHEMA.encode() in end
    if maker is Lines:
        return start.startswith(f'{{"schema": "{SCHEMA}", "path": '.encode())
    return start.startswith(",".join(column.name for column in COLUMNS).encode() + b"\n")


_FOOTER = 1 << 14
"""In how many bytes at the end of a Parquet file its metadata are looked for."""


class _Whole:
    """A stream that has what was kept, and nothing of what could not be written.

    Args:
        stream: where it goes.
        ordinary: whether that is an ordinary file, of which the end can be taken away again.
    """

    closed = False

    def __init__(self, stream: BinaryIO, ordinary: bool) -> None:
        self._number = stream.fileno()
        self._ordinary = ordinary
        self._kept = self._written = 0

    def write(self, data: bytes) -> int:
        """Write to the file itself; what cannot be written as a whole is taken away again."""
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._number, left) :]
        except BaseException:
            if self._ordinary:
                self._written = os.lseek(self._number, self._kept, os.SEEK_SET)
                os.ftruncate(self._number, self._kept)
            raise
        self._written += len(data)
        return len(data)

    def keep(self) -> None:
        """Keep what is written up to here."""
        self._kept = self._written

    def flush(self) -> None:
        """Do nothing: all is written."""

    def tell(self) -> int:
        """Return how much is written."""
        return self._written
