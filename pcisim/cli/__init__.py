"""The command line: results on stdout, everything else on stderr.

Exit status: 0 done or sound; 1 well-formed, but refused, unsound or without room; 2 usage;
3 cannot be read, parsed or written; 70 internal error; 130 interrupted, 143 or 129 for SIGTERM or SIGHUP.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module

from pcisim.address import whole_number
from pcisim.cli import common, settings, whose_rules
from pcisim.cli.manner import manner
from pcisim.cli.wrapping import forget_widths
from pcisim.errors import PcisimError, UsageError, did_you_mean
from pcisim.formats.xml.document import MAX_BYTES, MAX_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

INTERNAL_ERROR = 70
_UNREADABLE = 3
INTERRUPTED = 130

COMMANDS = (
    "assign",
    "tree",
    "guest",
    "lspci",
    "capacity",
    "fits",
    "recommend",
    "attach",
    "detach",
    "check",
    "explain",
    "diff",
    "fleet",
    "example",
    "schema",
    "help",
)
"""The modules here, one a command."""

_DESCRIPTION = "Where every PCI device of a virtual machine will sit, and how much room is left - offline."
_EPILOG = """examples:
  virsh dumpxml vm | pcisim tree -
  pcisim assign guest.xml
  pcisim assign --machine q35 --device virtio-blk,count=20 --format addresses

exit status: 0 done; 1 refused, unsound or does not fit; 2 usage; 3 cannot be read or written;
4 cannot say: pcisim does not cover it
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints look like every other one, and whose options take ``--`` as any other word."""

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Return the value of an option or argument; before Python 3.13 that of ``--option=--`` was an empty list."""
        if action.option_strings and action.nargs is None and arg_strings == ["--"]:
            value = self._get_value(action, "--")
            self._check_value(action, value)
            return value
        return super()._get_values(action, arg_strings)

    _adding = False
    _checker: argparse.HelpFormatter | None = None

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        """Add an option; argparse checks the metavar of each with a formatter, and makes one every time."""
        self._adding = True
        try:
            return super().add_argument(*names, **options)
        finally:
            self._adding = False

    def _get_formatter(self) -> argparse.HelpFormatter:
        if not self._adding:
            return super()._get_formatter()
        if self._checker is None:
            self._checker = super()._get_formatter()
        return self._checker

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse what stands after a command; files may stand behind options, too."""
        found, others = super().parse_known_args(args, namespace)
        if not others:
            return found, others
        many = next((name for name in ("guests", "files") if isinstance(getattr(found, name, None), list)), None)
        unknown = [word for word in others if word.startswith("-") and word != common.STDIN]
        if unknown:
            near = _near(unknown[0].partition("=")[0], self._option_string_actions)
            raise self._wrong(f"unrecognized arguments: {' '.join(unknown)}", near)
        if many is not None:
            getattr(found, many).extend(others)
            return found, []
        return found, others

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            raise self._wrong(str(error), _near(str(value), action.choices or ())) from None

    def _wrong(self, message: str, near: str) -> UsageError:
        return UsageError(message, code="usage", remedy=f"{near}{self.prog} --help lists what there is")

    def error(self, message: str) -> NoReturn:
        raise self._wrong(message, "")


def _near(word: str, known: Iterable[str]) -> str:
    """Return what a word may have been meant for, to stand before other advice; "" where nothing is like it."""
    asked = did_you_mean(word, known, 2, join=" or ", cutoff=0.7)
    return f"{asked} " if asked else ""


def parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command line.

    Args:
        command: the only command to load, when it is known; by default all are.
    """
    top = _Parser(
        prog="pcisim",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=common.HelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"pcisim {_version()}")
    common.add_debug(top, default=False)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS if command is None else (command,):
        import_module(f"pcisim.cli.{name}").add_parser(commands)
    for one in commands.choices.values():
        common.add_manner(one)
        one.add_argument(
            "--max-size",
            type=_size,
            metavar="MIB",
            help=f"accept documents of up to this many MiB (default: {MAX_BYTES >> 20})",
        )
    return top


def _size(text: str) -> str:
    if not text.isascii() or not text.isdigit() or not 1 <= whole_number(text) < 1 << 20:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of MiB")
    return text


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; whatever happens, nothing is raised.

    Args:
        argv: the arguments, by default those of the process.
    """
    debug = "--debug" in (sys.argv[1:] if argv is None else argv)
    manner.reset()
    forget_widths()
    try:
        return _run(argv)
    except PcisimError as error:
        if debug:
            _traceback()
        manner.locate(error)
        common.complain(*error.explanation())
        return error.exit_status
    except BrokenPipeError:  # whoever read the output has read enough
        common.drop_stdout()
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as stop:  # SIGTERM or SIGHUP, while a file was written
        return int(stop.code or 0)
    except MemoryError:
        status = _UNREADABLE  # said when what was read is given back
    except Exception as error:
        if debug:
            _traceback()
        common.complain(
            f"internal error: {type(error).__name__}: {error}",
            "  this is a defect of pcisim; please report it with the input and the output of --debug",
        )
        return INTERNAL_ERROR
    common.complain("there is not enough memory for this")
    return status


def _run(argv: Sequence[str] | None) -> int:
    words = sys.argv[1:] if argv is None else argv
    if not words:
        raise UsageError("no command is given", code="usage", remedy="pcisim help lists the commands")
    try:
        arguments = parser(words[0] if words and words[0] in COMMANDS else None).parse_args(argv)
    except SystemExit as stop:  # --help and --version have printed
        if sys.stdout is not None:
            common.write_stdout(b"")
        return int(stop.code or 0)
    manner.quiet, manner.verbose, manner.color = arguments.quiet, arguments.tell, arguments.color
    if arguments.max_size is not None:
        os.environ[MAX_SIZE] = arguments.max_size  # for processes that this one begins, too
    file = settings.apply(arguments)
    whose_rules.settle(arguments)
    if manner.verbose:
        common.say(*_used(arguments, file))
    run: Callable[[argparse.Namespace], int] = arguments.run
    if not hasattr(arguments, "guests"):
        return run(arguments)
    if common.lists_devices(arguments):
        return 0
    if len(arguments.guests) == 1 and common.is_one(arguments.guests[0]):
        arguments.file = arguments.guests[0]
        return run(arguments)
    from pcisim.cli import inputs  # which one guest does not need

    return inputs.run_each(arguments, run)


def _used(arguments: argparse.Namespace, file: str) -> list[str]:
    """Return what a run uses that may not stand on its command line."""
    lines = [f"pcisim {_version()} {arguments.command}"]
    rules = getattr(arguments, "libvirt", None)
    if rules is not None:
        lines.append(f"  as libvirt {rules.version} with {rules.profile}")
    if getattr(arguments, "policy", None) is not None:
        lines.append(f"  policy: {arguments.policy}")
    lines.append(f"  settings: {file or 'none'}")
    return lines


def _traceback() -> None:
    import traceback

    common.complain(*traceback.format_exc().splitlines())


def _version() -> str:
    from pcisim import __version__

    return __version__
