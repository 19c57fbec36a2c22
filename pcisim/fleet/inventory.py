"""Tables of counts: a row a guest, a column for its machine type and one for each model of device.

CSV is handed out in ranges of bytes that end where a record ends, Parquet by row groups.  The first line of
a CSV names the columns: `machine`, perhaps `name` and `arch`, and models by QEMU's names.  An empty count is 0.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, NamedTuple

from pcisim.catalogue.devices import DEVICE_MODELS
from pcisim.errors import InputError, PcisimError
from pcisim.fleet.answers import Answers
from pcisim.fleet.batch import reason, shown
from pcisim.fleet.extras import needed
from pcisim.fleet.rows import Row, error_row
from pcisim.guest import device_model

MACHINE, NAME, ARCH = "machine", "name", "arch"
_NO_MODELS = (MACHINE, NAME, ARCH)
MOST_DEVICES = 50_000
"""How many devices of a guest are tried; the largest guest that fits has some thousand."""
RECORDS = 1_000
"""How many records of a Parquet file a batch has."""
_RANGE = 1 << 14
"""About how many bytes of a CSV a batch has."""
_MOST_BYTES = 1 << 20
"""How long a record may be."""


class Columns(NamedTuple):
    """What the columns of a table hold.

    Args:
        machine: the place of the machine type.
        name: the place of the name, where there is one.
        arch: the place of the architecture, where there is one.
        models: the places of the counts, and of which models.
    """

    machine: int
    name: int | None
    arch: int | None
    models: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, path: str, head: list[str]) -> Columns:
        """Return what a table's head says.

        Raises:
            InputError: the column `machine` is missing, a name is there twice, or is no model.
        """
        names = [name.strip() for name in head]
        for name in names:
            if name not in (*_NO_MODELS, *DEVICE_MODELS) and name.removesuffix("-pci") not in DEVICE_MODELS:
                near = get_close_matches(name, (*_NO_MODELS, *DEVICE_MODELS), 3)
                raise _bad(
                    path,
                    f"the column {name!r} is no model of a device",
                    *((f"did you mean {', '.join(near)}?",) if near else ()),
                    code="unknown-device",
                    remedy="pcisim assign --device=? lists the models; beside them there are machine, name and arch",
                )
        if MACHINE not in names:
            raise _bad(
                path,
                f"the column {MACHINE!r} is missing",
                f"there are: {', '.join(names)}",
                remedy="the first line names the columns, with commas: machine,name,virtio-blk,virtio-net",
            )
        names = [name if name in _NO_MODELS else device_model(name).name for name in names]
        for place, name in enumerate(names):
            if name in names[:place]:
                raise _bad(path, f"the column {name!r} is there twice")
        models = tuple((n, name) for n, name in enumerate(names) if name not in _NO_MODELS)
        places = {name: names.index(name) for name in _NO_MODELS if name in names}
        return cls(places[MACHINE], places.get(NAME), places.get(ARCH), models)

    def row(self, path: str, cells: list[Any], line: int | None, answers: Answers) -> Row:
        """Return the row of a guest.

        Args:
            path: where it is, for the row.
            cells: a record of the table.
            line: its line.
            answers: who is asked.
        """
        name = machine = None
        try:
            if len(cells) <= max(self.machine, self.name or 0, self.arch or 0, *(place for place, _ in self.models)):
                raise InputError(f"the record has only {len(cells)} values", code="inventory-record", line=line)
            name = _text(cells[self.name]) if self.name is not None else None
            machine = _text(cells[self.machine])
            if machine is None:
                raise InputError("the record names no machine type", code="inventory-record", line=line)
            wanted = [(model, _count(model, cells[place], line)) for place, model in self.models]
            counts = tuple([(model, count) for model, count in wanted if count])
            if sum(count for _, count in counts) > MOST_DEVICES:
                raise InputError(f"at most {MOST_DEVICES} devices are tried", code="device-count", line=line)
        except PcisimError as error:
            return error_row(path, name, machine, answers.question.libvirt, error)
        arch = _text(cells[self.arch]) if self.arch is not None else None
        return answers.of_counts(path, name, machine, counts, line, arch or "x86_64")


def _text(value: Any) -> str | None:
    return None if value is None else str(value).strip() or None


def _count(model: str, value: Any, line: int | None) -> int:
    if isinstance(value, str):
        digits = value.strip() or "0"
        if digits.isascii() and digits.isdigit() and len(digits) < 20:
            return int(digits)
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise InputError(
        f"the count of {model} must be a whole number from 0, not {str(value)[:60]}", code="device-count", line=line
    )


def _bad(path: str, headline: str, *details: str, code: str = "inventory-column", remedy: str = "") -> InputError:
    return InputError(headline, code=code, details=details, remedy=remedy, file=shown(path), line=1)


class Records(NamedTuple):
    """A range of bytes of a CSV.

    Args:
        path: the file, as it was named.
        file: its absolute path.
        columns: what the columns hold.
        start: where the range begins.
        end: where it ends.
        line: the number of the first line in it.
        size: how many lines there are.
    """

    path: str
    file: str
    columns: Columns
    start: int
    end: int
    line: int
    size: int

    def rows(self, answers: Answers) -> list[Row]:
        """Read the records and return their rows, in order.

        Raises:
            InputError: the file cannot be read any more.
        """
        try:
            with open(self.file, "rb", buffering=0) as stream:
                data = os.pread(stream.fileno(), self.end - self.start, self.start)
        except OSError as error:
            raise _cannot_read(self.path, error) from error
        reader = csv.reader(io.StringIO(data.decode("utf-8", "replace"), newline=""))
        rows = []
        line = self.line
        try:
            for cells in reader:
                if cells:
                    rows.append(self.columns.row(f"{shown(self.path)}:{line}", cells, line, answers))
                line = self.line + reader.line_num
        except csv.Error as error:
            raise InputError(
                f"a record cannot be read: {error}", code="inventory-record", file=shown(self.path), line=line
            ) from error
        return rows


def csv_batches(path: str) -> Iterator[Records]:
    """Yield the records of a CSV in ranges.

    Args:
        path: the file: UTF-8, commas, the names of the columns first.

    Raises:
        InputError: it cannot be read, has no records, or its columns are not those of an inventory.
    """
    file = os.path.abspath(path)
    try:
        with open(path, "rb") as stream:
            head = stream.readline(_MOST_BYTES)
            columns = Columns.of(path, _names(path, head))
            start, line = len(head), 2
            empty = True
            while data := stream.read(_RANGE):
                data += stream.readline(_MOST_BYTES)
                # a line that ends between quotes does not end a record
                while data.count(b'"') % 2 and len(data) < _MOST_BYTES and (rest := stream.readline(_MOST_BYTES)):
                    data += rest
                lines = data.count(b"\n") + (not data.endswith(b"\n"))
                empty = False
                yield Records(path, file, columns, start, start + len(data), line, lines)
                start, line = start + len(data), line + lines
    except OSError as error:
        raise _cannot_read(path, error) from error
    if empty:
        raise _no_records(path)


def _names(path: str, head: bytes) -> list[str]:
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad(path, "the names of the columns are not UTF-8", remedy="save it as UTF-8") from error
    return next(csv.reader([text]), [])


class Group(NamedTuple):
    """Some records of a Parquet file.

    Args:
        path: the file, as it was named.
        file: its absolute path.
        names: the columns that are read.
        columns: what they hold.
        group: the row group.
        skip: how many records of the group come before.
        size: how many records there are.
        first: the number of the first one in the file, from 1.
    """

    path: str
    file: str
    names: tuple[str, ...]
    columns: Columns
    group: int
    skip: int
    size: int
    first: int

    def rows(self, answers: Answers) -> list[Row]:
        """Read the records and return their rows, in order.

        Raises:
            InputError: the file cannot be read any more.
        """
        pyarrow, _ = _parquet()
        try:
            table = _row_group(self.file, os.stat(self.file).st_mtime_ns, self.group, self.names)
        except (OSError, pyarrow.ArrowException) as error:
            raise _cannot_read(self.path, error) from error
        cells = [table.column(name).slice(self.skip, self.size).to_pylist() for name in self.names]
        return [
            self.columns.row(f"{shown(self.path)}:{self.first + n}", list(record), None, answers)
            for n, record in enumerate(zip(*cells))
        ]


def parquet_batches(path: str) -> Iterator[Group]:
    """Yield the records of a Parquet file.

    Args:
        path: the file; its counts are whole numbers.

    Raises:
        InputError: it cannot be read, has no records, or its columns are not those of an inventory.
        UsageError: pyarrow is not there.
    """
    pyarrow, parquet = _parquet()
    try:
        with parquet.ParquetFile(path) as file:
            schema, metadata = file.schema_arrow, file.metadata
            groups = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
    except (OSError, pyarrow.ArrowException) as error:
        raise _cannot_read(path, error) from error
    names = tuple(schema.names)
    columns = Columns.of(path, list(names))
    for place, model in columns.models:
        if not pyarrow.types.is_integer(schema.types[place]):
            raise _bad(path, f"the counts of {model} are of type {schema.types[place]}, not whole numbers")
    first = 1
    for group, count in enumerate(groups):
        for skip in range(0, count, RECORDS):
            size = min(RECORDS, count - skip)
            yield Group(path, os.path.abspath(path), names, columns, group, skip, size, first + skip)
        first += count
    if first == 1:
        raise _no_records(path)


@lru_cache(maxsize=2)
def _row_group(file: str, changed: int, group: int, names: tuple[str, ...]) -> Any:
    """Return a row group, which can be read as a whole only and serves many batches."""
    return _parquet()[1].ParquetFile(file).read_row_group(group, columns=list(names))


def _parquet() -> tuple[Any, Any]:
    return needed("pyarrow", "fleet", "Parquet"), needed("pyarrow.parquet", "fleet", "Parquet")


def _no_records(path: str) -> InputError:
    return InputError(f"{shown(path)} has no records", code="no-guests", remedy="an inventory has a line a guest")


def _cannot_read(path: str, error: Exception) -> InputError:
    why = reason(error) if isinstance(error, OSError | ValueError) else str(error)
    return InputError(f"cannot read {shown(path)}: {why.splitlines()[0] if why else 'unknown'}", code="cannot-read")
