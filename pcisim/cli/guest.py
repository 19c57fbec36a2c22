"""``pcisim guest``: what the guest sees."""

from __future__ import annotations

import argparse

from pcisim.cli import common, seen, terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_STYLES = {
    r"^device .*": "bold",
    r"\S+\*": "yellow",
    r"\ben[ops]\S+": "cyan",
    r"^\([^)]*\)": "dim",
    r"  -  .*": "red",
}

_EPILOG = """examples:
  virsh dumpxml vm | pcisim guest -
  pcisim guest --firmware ovmf --naming-scheme v252 guest.xml
  pcisim guest --format json guest.xml

A * marks an address that is not the configured one: the bus in a definition is the index of a
controller, the guest's bus is a number that the firmware gives.  An interface has one name where
all naming schemes of systemd agree, else each with its schemes.

exit status: 0 the guest boots; 1 it does not, or is refused; 2 usage; 3 cannot be read
"""


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "guest",
        help="show where the guest will find every device, and what it will call its interfaces",
        description="List every PCI function with its configured address, the guest's address, its interface's name,"
        " the windows of bridges, and what is never seen and why.",
        epilog=_EPILOG,
        formatter_class=common.HelpFormatter,
        allow_abbrev=False,
    )
    common.add_guest_options(parser)
    seen.add_firmware_option(parser)
    seen.add_scheme_option(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or json")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from pcisim.formats import guest

    plan = common.plan_of(arguments)
    view = seen.view_of(plan, arguments.firmware)
    names = seen.names_of(plan, view, arguments.naming_scheme)
    uncounted = common.uncounted_arguments(plan)
    if arguments.format == "json":
        from pcisim.formats.jsondoc import libvirt_keys

        document = libvirt_keys(plan.rules) | guest.document(view, names) | {"raw_arguments": uncounted}
        common.write_json(document)
    else:
        common.write_stdout(terminal.text_of(guest.table(view, names), _STYLES))
    common.say(*guest.remarks(view, names), guest.summary(view, names))
    return seen.status_of(view)
