"""``pcisim fleet``: many guests at once."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from pcisim.cli import common, pictures
from pcisim.cli.pictures import PICTURES
from pcisim.errors import InputError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pcisim.fleet.survey.output import Output
    from pcisim.fleet.survey.rows import Row
    from pcisim.fleet.survey.summary import Summary

_EPILOG = """examples:
  pcisim fleet /etc/libvirt/qemu                      how full, who does not fit, who has no hot-plug slot left
  pcisim fleet domains/ -o rows.csv --plot room.png   one row per guest, and a picture
  pcisim fleet inventory.csv --add virtio-net=2       what if each of them got two more interfaces?
  pcisim fleet domains.tar --scheduler tcp://10.0.0.1:8786

An inventory is a table: machine, perhaps name and arch, and a column of counts for each model of device.

exit status: 0 all of them fit and boot; 1 some do not, or cannot be read: the rows say which;
3 a source cannot be read at all, or the result cannot be written
"""


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "fleet",
        help="survey many guests: how full they are, which do not fit, and which have no room left",
        description="Place every guest of a fleet, each shape once, and report how full they are, which do not fit and"
        " why, which have no slot left for hotplug, and which will not boot.",
        epilog=_EPILOG,
        formatter_class=common.HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="a directory of domain XML (*.xml), a file or a .tar archive of it, or an inventory: .csv or .parquet",
    )
    common.add_libvirt(parser)
    parser.add_argument(
        "--policy", default="libvirt", metavar="POLICY", help="the placement policy, as for assign (default: libvirt)"
    )
    parser.add_argument(
        "--add", action="append", default=[], metavar="MODEL=N", help="devices to add to every guest (may be repeated)"
    )
    parser.add_argument(
        "--workers", type=_workers, metavar="N", help="number of processes (default: one per processor)"
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="use the workers of this Dask scheduler")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write one row per guest: .csv, .jsonl or .parquet, atomically"
    )
    parser.add_argument(
        "--plot", metavar="FILE", help="draw how many guests have how many hot-plug slots: .svg, .png or .pdf"
    )
    parser.add_argument(
        "--format",
        choices=("text", "json", "csv", "jsonl"),
        default="text",
        help="what to print: the summary as text (default) or json, or the rows as csv or jsonl",
    )
    parser.add_argument(
        "--raw",
        action="store_true",
        help="write strings to CSV unescaped, even control characters and what a spreadsheet would take for a formula",
    )
    common.add_debug(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from pcisim.fleet.survey.answers import Question
    from pcisim.fleet.survey.output import Output, format_of
    from pcisim.fleet.survey.run import rows_of
    from pcisim.fleet.survey.sources import batches
    from pcisim.fleet.survey.summary import Summary

    more = tuple(sorted(common.device_counts(arguments.add, "--add").items()))
    question = Question(arguments.libvirt.version, arguments.policy, more, str(arguments.libvirt.profile)).checked()
    _check_files(arguments)
    if arguments.output is not None:
        format_of(arguments.output)
    if arguments.scheduler is not None and not arguments.debug:
        import logging

        logging.disable()  # what Dask says of what goes wrong, beside what is said here
    found = batches(arguments.sources)
    results = rows_of(found, question, workers=arguments.workers, scheduler=arguments.scheduler)
    summary = Summary(arguments.libvirt, more)
    printer = _Printer() if arguments.format in ("csv", "jsonl") else None
    output = Output(arguments.output, raw=arguments.raw) if arguments.output is not None else None
    if output is not None and output.rival:
        common.say(
            f"note: another run is writing {arguments.output}, into {output.rival}",
            f"  this one writes into {output.shown}; the one that ends last gives the file its rows",
        )
    stdout = format_of(f"-.{arguments.format}")(printer, raw=arguments.raw) if printer else None  # type: ignore[arg-type]
    total = sum(batch.size for batch in found)
    try:
        for rows in _shown(results, total):
            with _uninterrupted():
                summary.add(rows)
                if output:
                    output.write(rows)
            if stdout:
                stdout.write(rows)
        if output:
            with _uninterrupted():
                output.complete()
    except BaseException as error:
        with _uninterrupted():
            _stop(error, output, summary, total)
        raise
    if arguments.plot is not None:
        _plot(arguments.plot, summary)
    if arguments.format == "json":
        common.write_json(summary.to_json())
    elif arguments.format == "text":
        common.write_stdout("".join(f"{line}\n" for line in summary.lines()))
    return 0 if summary.sound else 1


class _Printer:
    """Standard output as a stream of bytes."""

    def write(self, data: bytes) -> int:
        """Print bytes as they are."""
        common.write_stdout(data)
        return len(data)


def _workers(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= 1024:
        raise argparse.ArgumentTypeError(f"the number of processes must be from 1 to 1024, not {text!r}")
    return int(text)


def _check_files(arguments: argparse.Namespace) -> None:
    """Refuse before the work what could not be written after it.

    Raises:
        UsageError: a name without a known suffix, one that is given twice, or that of a source.
    """
    if arguments.plot is not None:
        if os.path.splitext(arguments.plot)[1].lower() not in PICTURES:
            raise UsageError(
                f"{arguments.plot}: unknown suffix",
                code="usage",
                details=(f"known: {', '.join(PICTURES)}",),
            )
        pictures.check_library("--plot")
    for name in filter(None, (arguments.output, arguments.plot)):
        if any(_is_same(name, source) for source in arguments.sources):
            raise UsageError(f"{name} is read: it cannot be written too", code="usage")


def _is_same(one: str, other: str) -> bool:
    """Return whether two names are of one file that is there."""
    with suppress(OSError, ValueError):
        return os.path.samefile(one, other)
    return False


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put Ctrl-C off until the end of the block, where rows are written and counted or neither; a second one is not."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = False

    def put_off(_number: int, _frame: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    signal.signal(signal.SIGINT, put_off)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def _stop(error: BaseException, output: Output | None, summary: Summary, total: int) -> None:
    """Say what there is of a run that ends early."""
    if output is not None:
        with suppress(InputError):  # what ended the run is said anyway
            output.leave()
    if isinstance(error, KeyboardInterrupt):
        lines = [f"interrupted after {summary.guests:,} of {total:,} guests"]
        if output is not None and output.rows:
            whose = "their rows" if output.rows == summary.guests else f"the rows of the first {output.rows:,}"
            lines.append(f"  {whose} are in {output.shown}")
        common.complain(*lines)
    elif output is not None and output.rows and not isinstance(error, BrokenPipeError):
        common.complain(f"stopped after {output.rows:,} of {total:,} guests: their rows are in {output.shown}")


def _shown(results: Iterable[list[Row]], total: int) -> Iterator[list[Row]]:
    """Yield the rows, with a progress bar where somebody looks on."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield from results
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        yield from results
        return
    columns = (TextColumn("guests"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("guests", total=total)
        for rows in results:
            progress.advance(task, len(rows))
            yield rows


def _plot(name: str, summary: Summary) -> None:
    """Draw the picture.

    Raises:
        InputError: no guest fits, or it cannot be written.
    """
    from pcisim.plot import headroom_histogram

    if not summary.hot:
        raise InputError(f"nothing to draw in {name}: no guest fits", code="no-guests")
    figure = headroom_histogram(
        {f"{family}: free hot-plug slots": table for family, table in sorted(summary.hot.items())}
    )
    pictures.write(name, figure, os.path.splitext(name)[1].lower().lstrip("."))
