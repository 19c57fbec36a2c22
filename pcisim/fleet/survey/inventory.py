"""Tables of counts: one row per guest, a column for its machine type and one for each model of device.

CSV is handed out in ranges of bytes that end where a record ends, Parquet by row groups.  The first line of
a CSV names the columns: `machine`, perhaps `name` and `arch`, and models by QEMU's names.  An empty count is 0.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from pcisim.catalogue.devices import DEVICE_MODELS
from pcisim.errors import InputError, PcisimError, did_you_mean
from pcisim.fleet.survey.answers import Answers
from pcisim.fleet.survey.batch import Stamp, ordinary, reason, shown
from pcisim.fleet.survey.extras import needed
from pcisim.fleet.survey.rows import Row, error_row
from pcisim.guest import device_model

MACHINE, NAME, ARCH = "machine", "name", "arch"
_NO_MODELS = (MACHINE, NAME, ARCH)
MOST_DEVICES = 50_000
"""How many devices of a guest are tried; the largest guest that fits has some thousand."""
RECORDS = 1_000
"""How many records of a Parquet file a batch has."""
_RANGE = 1 << 14
"""About how many bytes of a CSV a batch has."""
_MOST_BYTES = 1 << 17
"""How many bytes a record of a CSV may have, and its first line."""
_MOST_IN_GROUP = 1 << 30
"""How many bytes a row group of a Parquet file may have in memory: it is read as a whole."""


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

    @property
    def width(self) -> int:
        """Return how many columns there are."""
        return 1 + (self.name is not None) + (self.arch is not None) + len(self.models)

    @classmethod
    def of(cls, path: str, head: list[str]) -> Columns:
        """Return what a table's head says.

        Raises:
            InputError: the column `machine` is missing, a name is there twice, or is not a model.
        """
        names = [name.strip() for name in head]
        for name in names:
            if name not in (*_NO_MODELS, *DEVICE_MODELS) and name.removesuffix("-pci") not in DEVICE_MODELS:
                asked = did_you_mean(name, (*_NO_MODELS, *DEVICE_MODELS))
                raise _bad(
                    path,
                    f"the column {name[:60]!r} is not a model of a device",
                    *((asked,) if asked else ()),
                    code="unknown-device",
                    remedy="pcisim assign --device=help lists the models; beside them there are machine, name and arch",
                )
        if MACHINE not in names:
            raise _bad(
                path,
                f"the column {MACHINE!r} is missing",
                f"there are: {', '.join(dict.fromkeys(names))}",
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
            if len(cells) < self.width:
                raise InputError(f"the record has only {len(cells)} values", code="inventory-record", line=line)
            if len(cells) > self.width and any(cells[self.width :]):
                raise InputError(
                    f"the record has {len(cells)} values, and the table {self.width} columns",
                    code="inventory-record",
                    line=line,
                )
            name = _text(cells[self.name]) if self.name is not None else None
            machine = _text(cells[self.machine])
            if machine is None:
                raise InputError("the record names no machine type", code="inventory-record", line=line)
            wanted = [(model, _count(model, cells[place], line)) for place, model in self.models]
            counts = tuple([(model, count) for model, count in wanted if count])
            if sum(count for _, count in counts) > MOST_DEVICES:
                raise InputError(f"at most {MOST_DEVICES} devices are allowed", code="device-count", line=line)
        except PcisimError as error:
            return error_row(path, name, machine, answers.question.libvirt, error)
        arch = _text(cells[self.arch]) if self.arch is not None else None
        return answers.of_counts(path, name, machine, counts, line, arch or "x86_64")


def _text(value: Any) -> str | None:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return None if text is None else str(text).strip() or None


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
        f"the count of {model} must be a non-negative integer, not {str(value)[:60]}", code="device-count", line=line
    )


def _bad(path: str, headline: str, *details: str, code: str = "inventory-column", remedy: str = "") -> InputError:
    return InputError(headline, code=code, details=details, remedy=remedy, file=shown(path), line=1)


_FIELD = rb'(?:"(?:[^"]|"")*+"|[^",\r\n]*+)'
_RECORD = re.compile(rb"%(field)s(?:,%(field)s)*+(?:\r?\n|\r?\Z)" % {b"field": _FIELD})
"""A record as RFC 4180 has it: a quote stands at the ends of a field, or twice within one in quotes."""
_RECORDS = re.compile(rb"(?:%s)*+" % _RECORD.pattern)
_UNCLOSED = re.compile(rb'(?:%s,)*+"(?:[^"]|"")*+\Z' % _FIELD)
"""A record that may go on after the end of the text."""


def _well_formed(data: bytes, start: int = 0) -> int:
    """Return where the records end that are well-formed and no longer than `_MOST_BYTES`, from `start` on."""
    if len(data) - start > _MOST_BYTES:
        while start < len(data) and (found := _RECORD.match(data, start)) and found.end() - start <= _MOST_BYTES:
            start = found.end()
        return start
    if data.find(b'"', start) < 0 and (start == 0 or data.find(b"\r", start) < 0):
        returns = data.count(b"\r")
        if returns == data.count(b"\r\n") + data.endswith(b"\r"):
            return len(data)
    found = _RECORDS.match(data, start)
    return found.end() if found else start


def _next_line(data: bytes, start: int) -> int:
    return data.find(b"\n", start) + 1 or len(data)


class Records(NamedTuple):
    """A range of bytes of a CSV.

    Args:
        path: the file, as it was named.
        file: its absolute path.
        stamp: what it was when the range was found.
        columns: what the columns hold.
        start: where the range begins.
        end: where it ends.
        line: the number of the first line in it.
        size: how many lines there are.
    """

    path: str
    file: str
    stamp: Stamp
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
            with ordinary(self.file) as number:
                data = os.pread(number, self.end - self.start, self.start)
                self.stamp.check(number)
        except InputError as error:
            return [self._bad(line, error, answers) for line in range(self.line, self.line + self.size)]
        except OSError as error:
            raise _cannot_read(self.path, error) from error
        rows: list[Row] = []
        done, line = 0, self.line
        while done < len(data):
            end = _well_formed(data, done)
            self._read(data[done:end], line, rows, answers)
            line += data.count(b"\n", done, end)
            if end < len(data):
                rows.append(self._bad(line, InputError(_fault(data, end), code="inventory-record", line=line), answers))
                end = _next_line(data, end)
                line += 1
            done = end
        return rows

    def _read(self, data: bytes, line: int, rows: list[Row], answers: Answers) -> None:
        """Append the rows of well-formed records."""
        reader = csv.reader(io.StringIO(data.decode("utf-8", "replace"), newline="\n"))
        first = line
        for cells in reader:
            if cells:
                rows.append(self.columns.row(f"{shown(self.path)}:{line}", cells, line, answers))
            line = first + reader.line_num

    def _bad(self, line: int, error: InputError, answers: Answers) -> Row:
        return error_row(f"{shown(self.path)}:{line}", None, None, answers.question.libvirt, error)


def _fault(data: bytes, start: int) -> str:
    """Return what is wrong with the record that begins there."""
    line = data[start : _next_line(data, start)]
    if len(line) > _MOST_BYTES:
        return f"the record has more than {_MOST_BYTES >> 10} KiB"
    if _UNCLOSED.match(data, start):
        return "a quote is not closed"
    if b"\r" in line.removesuffix(b"\n").removesuffix(b"\r"):
        return "a carriage return within the line, outside quotes"
    if b'"' in line:
        return "a quote within a field: such a field is in quotes, and has the quote twice"
    return f"the record has more than {_MOST_BYTES >> 10} KiB"


def csv_batches(path: str) -> Iterator[Records]:
    """Yield the records of a CSV in ranges.

    Args:
        path: the file: UTF-8, commas, the names of the columns first.

    Raises:
        InputError: it cannot be read, has no records, or its columns are not those of an inventory.
    """
    file = os.path.abspath(path)
    try:
        with ordinary(path) as number, open(number, "rb", closefd=False) as stream:
            stamp = Stamp.of(number)
            head = stream.readline(_MOST_BYTES + 1)
            columns = Columns.of(path, _names(path, head))
            line, empty = 2, True
            for start, data in _ranges(stream, len(head)):
                lines = data.count(b"\n") + (not data.endswith(b"\n"))
                empty = False
                yield Records(path, file, stamp, columns, start, start + len(data), line, lines)
                line += lines
    except OSError as error:
        raise _cannot_read(path, error) from error
    if empty:
        raise _no_records(path)


def _ranges(stream: BinaryIO, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield where ranges begin that end where a record does, and what is in them; of a line too long its beginning."""
    data = b""
    while True:
        more = stream.read(_RANGE)
        more += stream.readline(_MOST_BYTES + 1) if more and not more.endswith(b"\n") else b""
        data += more
        if not data:
            return
        done = _well_formed(data)
        while done < len(data):
            if more and len(data) - done <= _MOST_BYTES and _UNCLOSED.match(data, done):
                break
            done = _well_formed(data, _next_line(data, done))
        if done:
            yield start, data[:done]
        start, data = start + done, data[done:]
        if not more.endswith(b"\n"):
            start += _rest_of_line(stream)


def _rest_of_line(stream: BinaryIO) -> int:
    """Read to the end of a line, and return how many bytes that were."""
    read = 0
    while piece := stream.readline(_MOST_BYTES):
        read += len(piece)
        if piece.endswith(b"\n"):
            break
    return read


def _names(path: str, head: bytes) -> list[str]:
    if b"\r" in head.removesuffix(b"\n").removesuffix(b"\r"):
        raise _bad(
            path,
            "the lines end with a carriage return alone",
            remedy="end them with a line feed: tr '\\r' '\\n' <OLD >NEW",
        )
    if len(head) > _MOST_BYTES:
        raise _bad(path, f"the first line has more than {_MOST_BYTES >> 10} KiB", remedy="it names the columns")
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad(path, "the names of the columns are not UTF-8", remedy="save it as UTF-8") from error
    if _well_formed(text.encode()) < len(text.encode()):
        raise _bad(path, _fault(text.encode(), 0).replace("record", "first line"))
    return next(csv.reader([text]), [])


class Group(NamedTuple):
    """Some records of a Parquet file.

    Args:
        path: the file, as it was named.
        file: its absolute path.
        stamp: what it was when its head was read.
        names: the columns that are read.
        columns: what they hold.
        group: the row group.
        skip: how many records of the group come before.
        size: how many records there are.
        first: the number of the first one in the file, from 1.
    """

    path: str
    file: str
    stamp: Stamp
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
        libvirt = answers.question.libvirt
        places = [f"{shown(self.path)}:{self.first + n}" for n in range(self.size)]
        try:
            with ordinary(self.file) as number:
                table = _row_group(number, self.file, self.stamp, self.group, self.names)
                self.stamp.check(number)
        except InputError as error:
            return [error_row(place, None, None, libvirt, error) for place in places]
        except (OSError, ValueError, pyarrow.ArrowException) as error:
            raise _cannot_read(self.path, error) from error
        cells = [_values(table.column(name).slice(self.skip, self.size)) for name in self.names]
        return [self.columns.row(place, list(record), None, answers) for place, record in zip(places, zip(*cells))]


def _values(column: Any) -> list[Any]:
    """Return the values of a column; of a text that is not UTF-8 as much as is."""
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        return [_decoded(value) for value in column]
    return values


def _decoded(value: Any) -> str | None:
    value = getattr(value, "value", value) if hasattr(value, "dictionary") else value
    return None if not value.is_valid else value.as_buffer().to_pybytes().decode("utf-8", "replace")


def parquet_batches(path: str) -> Iterator[Group]:
    """Yield the records of a Parquet file.

    Args:
        path: the file; its counts are integers.

    Raises:
        InputError: it cannot be read, has no records, or its columns are not those of an inventory.
        UsageError: pyarrow is not there.
    """
    pyarrow, parquet = _parquet()
    file = os.path.abspath(path)
    try:
        with ordinary(path) as number, open(number, "rb", closefd=False) as stream:
            stamp = Stamp.of(number)
            with parquet.ParquetFile(stream) as table:
                schema, metadata = table.schema_arrow, table.metadata
                names = tuple(schema.names)
                groups = [metadata.row_group(n) for n in range(metadata.num_row_groups)]
                sizes = [(group.num_rows, group.total_byte_size) for group in groups]
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise _cannot_read(path, error) from error
    columns = Columns.of(path, list(names))
    for place, model in columns.models:
        if not pyarrow.types.is_integer(schema.types[place]):
            raise _bad(path, f"the counts of {model} are of type {schema.types[place]}, not integers")
    first = 1
    for group, (count, size) in enumerate(sizes):
        if count < 0 or max(size, count * len(names) * _LEAST_IN_CELL) > _MOST_IN_GROUP:
            raise _bad(
                path,
                f"a row group of {count:,} rows is more than is read at once",
                code="cannot-read",
                remedy="write it with smaller ones, such as row_group_size=100000",
            )
        for skip in range(0, count, RECORDS):
            wanted = min(RECORDS, count - skip)
            yield Group(path, file, stamp, names, columns, group, skip, wanted, first + skip)
        first += count
    if first == 1:
        raise _no_records(path)


_LEAST_IN_CELL = 8
"""How many bytes a cell takes in memory, or more."""


_read: dict[tuple[object, ...], Any] = {}
"""The last row group that was read, which can be read as a whole only and serves many batches."""


def _row_group(number: int, file: str, stamp: Stamp, group: int, names: tuple[str, ...]) -> Any:
    key = (file, stamp, group, names)
    if key not in _read:
        _read.clear()
        with open(number, "rb", closefd=False) as stream:
            _read[key] = _parquet()[1].ParquetFile(stream).read_row_group(group, columns=list(names))
    return _read[key]


def _parquet() -> tuple[Any, Any]:
    return needed("pyarrow", "fleet", "Parquet"), needed("pyarrow.parquet", "fleet", "Parquet")


def _no_records(path: str) -> InputError:
    return InputError(f"{shown(path)} has no records", code="no-guests", remedy="an inventory has one line per guest")


def _cannot_read(path: str, error: Exception) -> InputError:
    why = reason(error) if isinstance(error, OSError | ValueError) else str(error)
    return InputError(f"cannot read {shown(path)}: {why.splitlines()[0] if why else 'unknown'}", code="cannot-read")
