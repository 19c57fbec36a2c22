"""``pcisim assign``: fill in the addresses."""

from __future__ import annotations

import argparse
import os
from contextlib import suppress

from pcisim.cli import common, rewriting
from pcisim.cli.manner import manner
from pcisim.errors import UsageError
from pcisim.formats.plain import printable, shell_lines
from pcisim.plan import Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_EPILOG = """examples:
  pcisim assign guest.xml                      print the addressed XML
  pcisim assign --in-place --print-diff guest.xml
  pcisim assign --machine q35 --device virtio-blk,count=20 --device virtio-net,count=3
  pcisim assign guest.xml --format addresses   one <address> element for each device
  pcisim assign guest.xml --explain disk:vda   why that address
"""


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "assign",
        help="fill in the PCI addresses of a guest",
        description="Give every PCI device of a guest the address that libvirt would give it.",
        epilog=_EPILOG,
        formatter_class=common.HelpFormatter,
        allow_abbrev=False,
    )
    common.add_guest_options(parser)
    parser.add_argument(
        "--format",
        choices=("xml", "addresses", "json", "qemu"),
        default="xml",
        help="xml (default); addresses: label and <address> element, one per line; json; qemu: -device arguments",
    )
    parser.add_argument(
        "--runnable", action="store_true", help="with --format qemu: use null back-ends, so that QEMU starts"
    )
    parser.add_argument("--explain", metavar="LABEL", help="only print why a device gets its address")
    rewriting.add_options(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--in-place", action="store_true", help="replace the file atomically")
    where.add_argument("-o", "--output", metavar="FILE", help="write there; - is standard output, the default")
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace a file even if its owner, access control list or hard links cannot be preserved",
    )
    parser.add_argument("--print-diff", action="store_true", help="print a diff instead of the XML")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    _check_options(arguments)
    original: bytes | None = None
    carried: list[str] = []
    option = rewriting.wanted(arguments)

    def prepared(data: bytes, host_pci: Any) -> bytes:
        nonlocal original, carried
        original = data
        if option:
            data, carried = rewriting.apply(arguments, data, host_pci)
        return data

    plan = common.plan_of(arguments, prepared, option)
    if arguments.explain is not None:
        common.write_stdout(f"{plan.explain(arguments.explain)}\n")
        if carried:
            common.say(*carried)
        return 0
    text = _text(plan, arguments)
    data = text.encode() if isinstance(text, str) else text
    unread = False
    if arguments.print_diff:
        from pcisim.formats.patch import difference

        try:
            name = "<stdin>" if arguments.file == common.STDIN else arguments.file
            common.write_stdout(difference(name, original or b"", data, "addressed"))
        except BrokenPipeError:  # the difference is read no further, the file is wanted all the same
            common.drop_stdout()
            unread = True
    if arguments.in_place:
        if data != original:
            common.write_file(arguments.file, data, in_place=True, read=original, force=arguments.force)
    elif arguments.output is not None:
        _write_output(arguments, data, original)
    elif not arguments.print_diff:
        common.write_stdout(text if arguments.format == "addresses" else data)
    if not unread:
        _report(plan, option, carried, replacements=arguments.format == "xml")
    return 0


def _write_output(arguments: argparse.Namespace, data: bytes, original: bytes | None) -> None:
    """Write ``-o FILE``; a document's passwords are in the result, which nobody else may read then either."""
    read, mode = None, 0o666
    if arguments.file not in (None, common.STDIN):
        with suppress(OSError, ValueError):
            if os.path.samefile(arguments.file, arguments.output):
                read = original
        if arguments.format == "xml":
            with suppress(OSError):
                mode &= os.stat(arguments.file).st_mode
    common.write_file(arguments.output, data, read=read, force=arguments.force, mode=mode)


def _check_options(arguments: argparse.Namespace) -> None:
    if arguments.explain is not None:
        _check_alone(arguments)
    if arguments.runnable and arguments.format != "qemu":
        raise UsageError("--runnable goes with --format qemu", code="usage")
    if (arguments.in_place or arguments.print_diff) and arguments.format != "xml":
        raise UsageError(
            "--in-place and --print-diff go with --format xml",
            code="usage",
            remedy="-o FILE writes any format to a file",
        )
    if arguments.in_place and arguments.file in (None, common.STDIN):
        raise UsageError("--in-place needs a file", code="usage", remedy="-o FILE writes what standard input becomes")
    if arguments.print_diff and arguments.file is None:
        raise UsageError("--print-diff needs a file", code="usage", remedy="a guest of --machine has no XML to change")
    if arguments.force and not arguments.in_place and arguments.output is None:
        raise UsageError("--force goes with --in-place and -o", code="usage")


def _check_alone(arguments: argparse.Namespace) -> None:
    """Refuse options that an explanation would pass over in silence."""
    others = {
        "--format": arguments.format != "xml",
        "--runnable": arguments.runnable,
        "--in-place": arguments.in_place,
        "-o": arguments.output is not None,
        "--print-diff": arguments.print_diff,
    }
    given = [option for option, is_given in others.items() if is_given]
    if given:
        raise UsageError(
            f"--explain prints an explanation and nothing else: {given[0]} does not go with it", code="usage"
        )


def _text(plan: Plan, arguments: argparse.Namespace) -> str | bytes:
    if arguments.format == "xml":
        return plan.to_xml()
    if arguments.format == "json":
        return manner.document(plan.to_json())
    if arguments.format == "qemu":
        return shell_lines(plan.to_qemu_args(runnable=arguments.runnable))
    return address_lines(plan)


def address_lines(plan: Plan) -> str:
    """Return a line for each device: its label and its ready-to-paste ``<address>`` element."""
    from pcisim.formats.domain.writer import address_element

    placement = plan.placement
    addresses, carried, zpci = placement.addresses, placement.multifunction, placement.zpci
    rows = [
        (printable(device.label), address_element(addresses[device], carried.get(device), zpci.get(device)))
        for device in plan.placement.guest.all_devices()
        if device in addresses
    ]
    width = max((len(label) for label, _ in rows), default=0)
    return "".join([f"{label:{width}} {element}\n" for label, element in rows])


def _report(plan: Plan, option: str, carried: list[str], *, replacements: bool) -> None:
    """Say on stderr what was done."""
    placement = plan.placement
    given = sum(1 for d in placement.addresses if d.address is not None)
    lines = [*carried, f"{len(placement.addresses) - given} added, {given} already addressed, {plan.policy.describe()}"]
    if replacements and plan.source.document is not None:
        after = f" (after {option})" if option else ""
        lines += [f"  line {change.line}{after}: {change}" for change in plan.changes()]
    common.say(*lines)
    common.warn_if_it_is_unsound(plan)
    common.warn_if_it_will_not_boot(plan.placement, plan)
