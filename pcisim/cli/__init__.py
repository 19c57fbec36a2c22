"""The command line: results on stdout, everything else on stderr.

Exit status: 0 done or sound; 1 well-formed, but refused, unsound or without room; 2 usage;
3 cannot be read, parsed or written; 70 internal error; 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from pcisim.cli import assign, example, tree
from pcisim.errors import PcisimError

INTERNAL_ERROR = 70
INTERRUPTED = 130

COMMANDS = (assign, tree, example)

_DESCRIPTION = "Where every PCI device of a virtual machine will sit, and how much room is left - offline."
_EPILOG = """examples:
  virsh dumpxml vm | pcisim tree -
  pcisim assign guest.xml
  pcisim assign --machine q35 --device virtio-blk,count=20 --format addresses

exit status: 0 done; 1 refused, unsound or does not fit; 2 usage; 3 cannot be read or written
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="pcisim",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"pcisim {_version()}")
    top.add_argument("--debug", action="store_true", help="show a traceback with every error")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add_parser(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        argv: the arguments, by default those of the process.
    """
    arguments = None
    try:
        try:
            arguments = parser().parse_args(argv)
            status: int = arguments.run(arguments)
            sys.stdout.flush()
        except PcisimError as error:
            if arguments is not None and arguments.debug:
                raise
            print("\n".join(error.explanation()), file=sys.stderr)
            return error.exit_status
        else:
            return status
    except BrokenPipeError:
        # whoever read the output has read enough; keep the interpreter from complaining at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except PcisimError as error:
        _traceback()
        return error.exit_status
    except Exception as error:
        if arguments is not None and arguments.debug:
            _traceback()
        print(
            f"internal error: {type(error).__name__}: {error}\n"
            "  this is a defect of pcisim; please report it with the input and the output of --debug",
            file=sys.stderr,
        )
        return INTERNAL_ERROR


def _traceback() -> None:
    import traceback

    traceback.print_exc()


def _version() -> str:
    from pcisim import __version__

    return __version__
