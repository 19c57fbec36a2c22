"""``pcisim lspci``: what lspci will print in the guest."""

from __future__ import annotations

import argparse

from pcisim.cli import common, seen
from pcisim.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_EPILOG = """examples:
  virsh dumpxml vm | pcisim lspci -
  pcisim lspci -tv guest.xml
  pcisim lspci -nn -s 01: guest.xml

The options are those of lspci.  With -v the lines that drivers and capabilities decide are left
out: Flags, Capabilities, Kernel driver in use.

exit status: 0 the guest boots; 1 it does not, or is refused; 2 usage; 3 cannot be read
"""


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "lspci",
        help="print what lspci will print in the guest",
        description="Print what lspci will print in the guest, before it boots.",
        epilog=_EPILOG,
        formatter_class=common.HelpFormatter,
        allow_abbrev=False,
    )
    common.add_guest_options(parser)
    seen.add_firmware_option(parser)
    parser.add_argument("-t", dest="tree", action="store_true", help="draw the buses as a tree")
    parser.add_argument("-v", dest="verbose", action="count", default=0, help="print more details")
    parser.add_argument(
        "-n", dest="numeric", action="count", default=0, help="print numbers instead of names; -nn prints both"
    )
    parser.add_argument(
        "-s", dest="slot", metavar="[[[[D]:]BUS]:][SLOT][.[F]]", help="only show functions at matching addresses"
    )
    parser.add_argument("-D", dest="domains", action="store_true", help="always print PCI domain numbers")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or json")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from pcisim.formats import lspci

    only = None if arguments.slot is None else lspci.selection(arguments.slot)
    if arguments.format == "json" and (arguments.tree or arguments.numeric or arguments.verbose or arguments.domains):
        raise UsageError("-t, -v, -n and -D go with --format text", code="usage", remedy="JSON holds names and numbers")
    if arguments.tree and only is not None:
        raise UsageError("-t does not go with -s", code="usage", remedy="a tree is of all buses; leave one of them out")
    plan = common.plan_of(arguments)
    view = seen.view_of(plan, arguments.firmware)
    if arguments.format == "json":
        from pcisim.formats.jsondoc import libvirt_keys

        common.write_json(libvirt_keys(plan.rules) | lspci.document(view, only))
        return seen.status_of(view)
    numeric = min(arguments.numeric, lspci.BOTH)
    if arguments.tree:
        lines = lspci.tree(view, numeric=numeric, verbose=bool(arguments.verbose))
    else:
        lines = lspci.listing(
            view, numeric=numeric, domains=arguments.domains, verbose=bool(arguments.verbose), only=only
        )
    common.write_stdout("".join(f"{line}\n" for line in lines))
    return seen.status_of(view)
