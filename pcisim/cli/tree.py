"""``pcisim tree``: draw the topology."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from pcisim.cli import common


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "tree",
        help="draw the PCI topology of a guest",
        description="Draw every bus, every slot's owner and the empty ports, and say what is free, cold and hot.",
        epilog="example:\n  virsh dumpxml vm | pcisim tree -\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    common.add_guest_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from pcisim.formats.tree import tree

    lines = tree(common.plan_of(arguments).placement)
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        _print_coloured(lines)
    else:
        common.write_stdout("\n".join(lines) + "\n")
    return 0


def _print_coloured(lines: list[str]) -> None:
    try:
        from rich.console import Console
        from rich.text import Text
    except ImportError:
        common.write_stdout("\n".join(lines) + "\n")
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        text = Text(line)
        text.highlight_regex(r"\[free[^]]*\]|^free .*", "green")
        text.highlight_regex(r"\((built-in|reserved|preferred)\)", "dim")
        text.highlight_regex(r"\w+:[\w:-]+", "bold")
        text.highlight_regex(r"-> bus 0x..", "cyan")
        console.print(text)
