"""``pcisim tree``: draw the topology."""

from __future__ import annotations

import argparse

from pcisim.cli import common, seen, terminal
from pcisim.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pcisim.plan import Plan

CONFIGURED, GUEST = "configured", "guest"
_STYLES = {
    r"\[free[^]]*\]|^free .*": "green",
    r"\((built-in|reserved|preferred)\)": "dim",
    r"\w+:[\w:-]+": "bold",
    r"-> bus \w+": "cyan",
    r"<- .*": "yellow",
}


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "tree",
        help="draw the PCI topology of a guest",
        description="Draw every bus, the device in every slot and the empty ports, and show what is free,"
        " cold and hot.",
        epilog="examples:\n  virsh dumpxml vm | pcisim tree -\n"
        "  pcisim tree --machine q35 --device virtio-blk,count=20\n"
        "  pcisim tree --view guest guest.xml\n",
        formatter_class=common.HelpFormatter,
        allow_abbrev=False,
    )
    common.add_guest_options(parser)
    parser.add_argument(
        "--view",
        choices=(CONFIGURED, GUEST),
        default=CONFIGURED,
        help="which bus numbers: those of the definition (default), or those the guest sees",
    )
    seen.add_firmware_option(parser)
    seen.add_scheme_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from pcisim.formats.tree import BOXES, tree

    if common.lists_devices(arguments):
        return 0
    for option, value in (("--firmware", arguments.firmware), ("--naming-scheme", arguments.naming_scheme)):
        if value is not None and arguments.view != GUEST:
            raise UsageError(f"{option} goes with --view guest", code="usage", remedy="add --view guest")
    plan = common.plan_of(arguments)
    ascii_only = not terminal.can_show(BOXES)
    if arguments.view == GUEST:
        return _guest(plan, arguments, ascii_only=ascii_only)
    common.write_stdout(terminal.text_of(tree(plan.placement, ascii_only=ascii_only), _STYLES))
    common.warn_if_it_will_not_boot(plan.placement, plan)
    return 0


def _guest(plan: Plan, arguments: argparse.Namespace, *, ascii_only: bool) -> int:
    from pcisim.formats import guest

    view = seen.view_of(plan, arguments.firmware)
    names = seen.names_of(plan, view, arguments.naming_scheme)
    common.write_stdout(terminal.text_of(guest.tree(view, names, ascii_only=ascii_only), _STYLES))
    for remark in guest.remarks(view, names):
        common.say(remark)
    return seen.status_of(view)
