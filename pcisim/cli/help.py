"""``pcisim help``: what the commands do."""

from __future__ import annotations

import argparse

from pcisim.cli import common

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    from pcisim.cli import COMMANDS

    parser = commands.add_parser(
        "help",
        help="list the commands, or print the help of one",
        description="List the commands, or print the help of one, as --help does.",
        formatter_class=common.HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("about", nargs="?", metavar="COMMAND", choices=COMMANDS, help="the command")
    common.add_debug(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from pcisim.cli import parser

    top = parser(arguments.about)
    if arguments.about is not None:
        (commands,) = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))
        top = commands.choices[arguments.about]
    common.write_stdout(top.format_help().encode())
    return 0
