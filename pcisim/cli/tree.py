"""``pcisim tree``: draw the topology."""

from __future__ import annotations

import argparse
import os
import sys

from pcisim.cli import common

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "tree",
        help="draw the PCI topology of a guest",
        description="Draw every bus, every slot's owner and the empty ports, and say what is free, cold and hot.",
        epilog="examples:\n  virsh dumpxml vm | pcisim tree -\n"
        "  pcisim tree --machine q35 --device virtio-blk,count=20\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    common.add_guest_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from pcisim.formats.tree import BOXES, tree

    if common.lists_devices(arguments):
        return 0
    plan = common.plan_of(arguments)
    lines = tree(plan.placement, ascii_only=not _can_show(BOXES))
    text = "\n".join(lines) + "\n"
    common.write_stdout((_coloured(lines) if _wants_colour() else None) or text)
    common.warn_if_it_will_not_boot(plan.placement)
    return 0


def _can_show(characters: str) -> bool:
    try:
        characters.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _wants_colour() -> bool:
    return (
        sys.stdout is not None
        and sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    )


def _coloured(lines: list[str]) -> str | None:
    """Return the lines with the terminal's colours, or ``None`` where rich is not installed."""
    try:
        from rich.console import Console
        from rich.text import Text
    except ImportError:
        return None
    console = Console(highlight=False, soft_wrap=True)
    with console.capture() as capture:
        for line in lines:
            text = Text(line)
            text.highlight_regex(r"\[free[^]]*\]|^free .*", "green")
            text.highlight_regex(r"\((built-in|reserved|preferred)\)", "dim")
            text.highlight_regex(r"\w+:[\w:-]+", "bold")
            text.highlight_regex(r"-> bus 0x..", "cyan")
            console.print(text)
    return capture.get()
