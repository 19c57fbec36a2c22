"""``pcisim diff``: what moves from one definition of a guest to another."""

from __future__ import annotations

import argparse
import os

from pcisim.cli import common, inputs
from pcisim.errors import RefusedError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pcisim.compare import Difference
    from pcisim.plan import Plan

DIFF_SCHEMA = "pcisim.diff/1"

_EPILOG = """examples:
  pcisim diff before.xml after.xml
  virsh dumpxml vm | pcisim diff - new.xml
  pcisim diff backup/ /etc/libvirt/qemu
  pcisim diff --each --libvirt-old 11.3 --libvirt-new 12.9 /etc/libvirt/qemu      what an upgrade changes

A device moves when its place changes: the slots and functions on the way to it from the root bus.
The bus in an address is only the index of a controller.

exit status: 0 no difference; 1 there is one; 2 usage; 3 cannot be read.  A definition that libvirt
refuses has no addresses to compare: that is 1, too, with nothing on standard output.
"""


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "diff",
        help="show which devices move between two definitions",
        description="Name every device whose PCI address or controller moves, appears or disappears;"
        " devices without an address are placed first, as libvirt would.",
        epilog=_EPILOG,
        formatter_class=common.HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE|-",
        help="OLD and NEW: the domain XML before and after, or two directories, compared by the names of the"
        " files; - is standard input.  With --each any number of files, directories and patterns",
    )
    parser.add_argument(
        "--each", action="store_true", help="compare each file with itself: as --libvirt-old and as --libvirt-new"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or json")
    common.add_libvirt(parser)
    parser.add_argument("--libvirt-old", metavar="VERSION", help="the libvirt version to emulate for OLD")
    parser.add_argument("--libvirt-new", metavar="VERSION", help="the libvirt version to emulate for NEW")
    common.add_host_pci(parser)
    common.add_debug(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    if arguments.each:
        from pcisim.cli import each

        return each.run(arguments)
    if len(arguments.files) == 2 and all(map(os.path.isdir, arguments.files)):
        return _run_folders(arguments, *arguments.files)
    if len(arguments.files) != 2:
        raise UsageError(
            f"diff compares two definitions, not {len(arguments.files)}",
            code="usage",
            remedy="name OLD and NEW, or use --each to compare each file with itself",
        )
    if arguments.files[0] == arguments.files[1] == common.STDIN:
        raise UsageError("both definitions are standard input", code="usage", remedy="name a file for one of them")
    return _compare(arguments, *arguments.files)


def _run_folders(arguments: argparse.Namespace, old: str, new: str) -> int:
    """Compare the files of two directories that have one name there, and name those that are in one only."""
    found = []
    for folder in (old, new):
        sources = list(inputs.expanded([folder]))
        for source in sources:
            if source.name == folder and source.error is not None:  # the directory itself
                raise source.error
        found.append({os.path.relpath(source.name, folder): source for source in sources})

    def compare_one(name: str) -> int:
        sides = [each.get(name) for each in found]
        if None in sides:
            raise RefusedError(f"{name}: only in {new if sides[0] is None else old}", code="no-counterpart")
        for side in sides:
            if side is not None and side.error is not None:
                raise side.error
        return _compare(arguments, os.path.join(old, name), os.path.join(new, name))

    return inputs.answer_each(
        sorted({*found[0], *found[1]}), compare_one, as_json=arguments.format == "json", title="==> {} <==\n"
    )


def _compare(arguments: argparse.Namespace, old_name: str, new_name: str) -> int:
    from pcisim.compare import compare

    old = _plan(old_name, arguments.libvirt_old or arguments.libvirt, arguments)
    new = _plan(new_name, arguments.libvirt_new or arguments.libvirt, arguments)
    difference = compare(old, new)
    if arguments.format == "json":
        common.write_json(diff_document(old, new, difference))
    else:
        if difference:
            common.write_stdout(diff_lines(difference))
    common.say(difference.summary + _whose(old, new))
    return 1 if difference else 0


def _plan(name: str, version: str, arguments: argparse.Namespace) -> Plan:
    shown = "<stdin>" if name == common.STDIN else name
    host_pci = common.host_pci_of(arguments.host_pci)
    return common.assigned(common.read_bytes(name), libvirt=version, host_pci=host_pci, name=shown)


def _whose(old: Plan, new: Plan) -> str:
    if old.rules.version == new.rules.version:
        return f", as libvirt {new.rules.version}"
    return f", from libvirt {old.rules.version} to {new.rules.version}"


def diff_lines(difference: Difference) -> str:
    """Return a line for each change: the label, and what changed."""
    from pcisim.formats.plain import printable

    text = str(difference)
    return "".join(f"{printable(line)}\n" for line in text.split("\n")) if text else ""


def diff_document(old: Plan, new: Plan, difference: Difference) -> dict[str, Any]:
    """Return a difference as plain data.

    Args:
        old: the plan of the guest as it was.
        new: the plan of the guest as it is to be.
        difference: what `pcisim.compare.compare` says of them.

    Keys: ``schema``, ``libvirt``, ``measured`` and ``profile`` (``old`` and ``new`` each), ``different``,
    ``counts`` (by kind), ``changes`` (``kind``, ``label``, ``matched_by``, ``old``, ``new``, ``name``, ``before``,
    ``after``, ``text``), ``ambiguous``.
    """
    from pcisim.cli.changes import changes_of, spot_of
    from pcisim.compare import KINDS
    from pcisim.formats.jsondoc import both_libvirt_keys

    return {
        "schema": DIFF_SCHEMA,
        **both_libvirt_keys(old.rules, new.rules),
        "different": bool(difference),
        "counts": {kind: len(difference.of(kind)) for kind in KINDS},
        "changes": changes_of(difference),
        "ambiguous": [
            {
                "element": group.element,
                "model": group.model or None,
                "old": [spot_of(spot) for spot in group.old],
                "new": [spot_of(spot) for spot in group.new],
            }
            for group in difference.ambiguous
        ],
    }
