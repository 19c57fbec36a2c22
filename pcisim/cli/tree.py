"""``pcisim tree``: draw the topology."""

from __future__ import annotations

import argparse
import os

from pcisim.cli import common, pictures, seen, terminal
from pcisim.cli.manner import manner
from pcisim.cli.pictures import PICTURES
from pcisim.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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
        "  pcisim tree --view guest guest.xml\n"
        "  pcisim tree -o guest.svg guest.xml\n",
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
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or json")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help=f"write there, by suffix: {', '.join(PICTURES)} a picture, .txt or none text; - is standard output",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from pcisim.formats import guest
    from pcisim.formats.tree import BOXES, document, tree

    for option, value in (("--firmware", arguments.firmware), ("--naming-scheme", arguments.naming_scheme)):
        if value is not None and arguments.view != GUEST:
            raise UsageError(f"{option} goes with --view guest", code="usage", remedy="add --view guest")
    picture = _picture(arguments)
    plan = common.plan_of(arguments)
    ascii_only = not terminal.can_show(BOXES) and arguments.output is None
    status = 0
    if arguments.view == GUEST:
        view = seen.view_of(plan, arguments.firmware)
        status = seen.status_of(view)
        names = seen.names_of(plan, view, arguments.naming_scheme)
    if picture:
        from pcisim.plot import guest_map, topology_tree

        figure = guest_map(view) if arguments.view == GUEST else topology_tree(plan.placement)
        pictures.write(arguments.output, figure, picture)
    elif arguments.format == "json":
        from pcisim.formats.jsondoc import libvirt_keys

        data = guest.document(view, names) if arguments.view == GUEST else document(plan.placement)
        _write(arguments, manner.document(libvirt_keys(plan.rules) | data))
    else:
        lines = (
            guest.tree(view, names, ascii_only=ascii_only)
            if arguments.view == GUEST
            else tree(plan.placement, ascii_only=ascii_only)
        )
        if arguments.output is None:
            common.write_stdout(terminal.text_of(lines, _STYLES))
        else:
            _write(arguments, "".join(f"{line}\n" for line in lines))
    if arguments.view == GUEST:
        for remark in guest.remarks(view, names):
            common.say(remark)
    else:
        common.warn_if_it_will_not_boot(plan.placement, plan)
    return status


def _write(arguments: argparse.Namespace, text: str) -> None:
    data = text.encode("utf-8", "backslashreplace")
    if arguments.output is None:
        common.write_stdout(data)
    else:
        common.write_file(arguments.output, data)


def _picture(arguments: argparse.Namespace) -> str:
    """Return what kind of picture ``-o`` asks for, "" for text or JSON.

    Raises:
        UsageError: the suffix names nothing that can be written; or matplotlib is not installed.
    """
    if arguments.output is None or arguments.output == common.STDOUT:
        return ""
    suffix = os.path.splitext(str(arguments.output))[1].lower()
    as_json = arguments.format == "json"
    if suffix in PICTURES and not as_json:
        pictures.check_library(f"-o {arguments.output}")
        return suffix.lstrip(".")
    known = (".json",) if as_json else (*PICTURES, ".txt")
    if suffix and suffix not in known:
        raise UsageError(
            f"-o {arguments.output}: unknown suffix",
            code="usage",
            details=(f"known: {', '.join(known)}; without a suffix it is {'JSON' if as_json else 'text'}",),
        )
    return ""
