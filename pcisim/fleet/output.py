"""Rows in a file: CSV, JSON lines or Parquet, complete under its name or not there at all.

While a run goes on the rows are in ``FILE.partial``, and after an interruption they stay there.
"""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, BinaryIO, Protocol

from pcisim.errors import InputError, PcisimError, UsageError
from pcisim.fleet.batch import reason, shown
from pcisim.fleet.extras import needed
from pcisim.fleet.rows import COLUMNS, SCHEMA, Row

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
    """JSON lines: an object a row.

    Args:
        stream: where they go.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._encode = json.JSONEncoder(ensure_ascii=False).encode

    def write(self, rows: Iterable[Row]) -> None:
        """Write rows."""
        text = "".join([self._encode(row.to_json()) + "\n" for row in rows])
        self._stream.write(text.encode())

    def close(self) -> None:
        """Do nothing more."""


class Table:
    """CSV: the names of the columns, then a line a row; truth is ``true`` or ``false``.

    Args:
        stream: where it goes.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._write([[column.name for column in COLUMNS]])

    def write(self, rows: Iterable[Row]) -> None:
        """Write rows."""
        self._write([[_TRUTH.get(cell, cell) if cell.__class__ is bool else cell for cell in row] for row in rows])

    def _write(self, records: Iterable[Iterable[object]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(records)
        self._stream.write(text.getvalue().encode())

    def close(self) -> None:
        """Do nothing more."""


_TRUTH: Mapping[object, str] = {True: "true", False: "false"}


class Parquet:
    """Parquet; the version of the columns is in its metadata.

    Args:
        stream: where it goes.

    Raises:
        UsageError: pyarrow is not there.
    """

    def __init__(self, stream: BinaryIO) -> None:
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


FORMATS: Mapping[str, Callable[[BinaryIO], Format]] = MappingProxyType(
    {".csv": Table, ".jsonl": Lines, ".ndjson": Lines, ".parquet": Parquet}
)
"""How rows are written, by the suffix of the file's name."""


def format_of(name: str) -> Callable[[BinaryIO], Format]:
    """Return how rows are written to a file of that name.

    Raises:
        UsageError: its suffix names no format; or the library of that format is missing.
    """
    suffix = os.path.splitext(name)[1].lower()
    chosen = FORMATS.get(suffix)
    if chosen is None:
        raise UsageError(
            f"{shown(name)}: the suffix names no format",
            code="usage",
            details=(f"known: {', '.join(FORMATS)}",),
        )
    if chosen is Parquet:
        needed("pyarrow.parquet", "fleet", "Parquet")
    return chosen


class Output:
    """A file of rows that gets its name when it is complete.

    What is no ordinary file, such as ``/dev/null`` or a pipe, is written to as it is.

    Args:
        name: the file; its suffix chooses the format.

    Raises:
        UsageError: as for `format_of`.
        InputError: it cannot be written.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = 0
        chosen = format_of(name)
        with self._errors():
            self._target = os.path.realpath(name)
            try:
                mode = os.stat(self._target).st_mode
            except FileNotFoundError:
                mode = None
            ordinary = mode is None or stat.S_ISREG(mode)
            self.path = self._target + PARTIAL if ordinary else self._target
            self._stream = open(self.path, "wb")  # noqa: SIM115  # closed by complete() or leave()
            if ordinary and mode is not None:
                os.fchmod(self._stream.fileno(), mode & 0o7777)
            self._format = chosen(self._stream)

    @property
    def shown(self) -> str:
        """Return the file in which the rows are now, as text."""
        return shown(self.name + PARTIAL if self.path != self._target else self.name)

    def write(self, rows: list[Row]) -> None:
        """Write rows.

        Raises:
            InputError: they cannot be written.
        """
        with self._errors():
            self._format.write(rows)
        self.rows += len(rows)

    def complete(self) -> None:
        """Give the file its name.

        Raises:
            InputError: it cannot be written.
        """
        with self._errors():
            self._close()
            if self.path != self._target:
                os.replace(self.path, self._target)
                self.path = self._target

    def leave(self) -> None:
        """Leave what there is readable in the file with the name of an incomplete one; remove an empty one.

        Raises:
            InputError: it cannot be written.
        """
        with self._errors():
            self._close()
            if not self.rows and self.path != self._target:
                os.unlink(self.path)

    def _close(self) -> None:
        if not self._stream.closed:
            with self._stream:
                self._format.close()
                self._stream.flush()
                if self.path != self._target:
                    os.fsync(self._stream.fileno())

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the system's errors into one that names the file."""
        try:
            yield
        except (PcisimError, BrokenPipeError):
            raise
        except (OSError, ValueError) as error:
            raise InputError(
                f"cannot write {shown(self.name) or 'a file without a name'}: {reason(error)}",
                code="cannot-write",
                details=("nothing is there under that name that was not there before",),
            ) from error
