"""``pcisim explain``: what a pasted error means, and where it comes from in a guest."""

from __future__ import annotations

import argparse
import sys

from pcisim.cli import common, inputs
from pcisim.cli.manner import as_text
from pcisim.errors import InputError
from pcisim.formats.plain import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pcisim.catalogue.versions import Libvirt
    from pcisim.diagnose import Case, Text

EXPLAIN_SCHEMA = "pcisim.explain/1"
_UNKNOWN = 1
_MOST_TEXT = 1 << 16

_EPILOG = """examples:
  pcisim explain 'No more available PCI slots'
  pcisim explain 'error: XML error: Attempted double use of PCI Address 0000:00:05.0' guest.xml
  virsh define guest.xml 2>&1 | pcisim explain - guest.xml

exit status: 0 explained; 1 an unknown text; 3 the file cannot be read
"""


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "explain",
        help="explain an error of libvirt, QEMU or the firmware, and fix it in a guest",
        description="Explain what a pasted error means, which rule it breaks and what to do; with a guest also where"
        " it comes from, and a patch that was tried.",
        epilog=_EPILOG,
        formatter_class=common.HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("text", metavar="TEXT|-", help="the error, as it was printed; - is standard input")
    parser.add_argument("file", nargs="?", metavar="FILE|-", help="domain XML that it is about")
    common.add_libvirt(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or json")
    common.add_debug(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from pcisim.diagnose import explain

    document = None if arguments.file is None else common.read_bytes(arguments.file)
    found = explain(_text(arguments), document, libvirt=arguments.libvirt)
    if found.row is None:
        common.complain(*found.lines())
        return _UNKNOWN
    name = inputs.shown(arguments.file or "")
    case = found.case
    if arguments.format == "json":
        common.write_json(_document(found.row, name, case, arguments.libvirt))
        return 0
    common.write_stdout("".join(f"{printable(line)}\n" for line in found.lines()))
    if case is None or document is None:
        return 0
    common.write_stdout("\n" + "".join(f"{printable(line)}\n" for line in case_lines(name, case, arguments.libvirt)))
    if case.patched is not None:
        from pcisim.formats.patch import difference

        patched = case.patched.encode() if isinstance(case.patched, str) else case.patched
        common.write_stdout(difference(name, document, patched, "patched"))
    return 0


def _document(row: Text, name: str, case: Case | None, libvirt: Libvirt) -> dict[str, Any]:
    """Return an explanation as plain data.

    Keys: ``schema``, ``libvirt``, ``measured``, ``profile``, ``title``, ``speaker``, ``meaning``, ``rule``, ``remedy``,
    and ``guest``, ``None`` without a file: ``file``, ``findings`` that are this error, ``others``, ``free_slots``,
    ``paste``, ``fixed`` of the findings, ``accepted`` (whether no error is left then), ``patched``: the document.
    """
    from pcisim.formats.jsondoc import libvirt_keys

    return {
        "schema": EXPLAIN_SCHEMA,
        **libvirt_keys(libvirt),
        "title": row.title,
        "speaker": row.speaker,
        "meaning": row.meaning,
        "rule": row.rule_text,
        "remedy": row.remedy,
        "guest": None
        if case is None
        else {
            "file": as_text(name),
            "findings": [finding.to_json() for finding in case.findings],
            "others": [finding.to_json() for finding in case.others],
            "free_slots": case.room or None,
            "paste": list(case.paste),
            "fixed": case.fixed,
            "accepted": case.accepted,
            "patched": case.patched.decode("utf-8", "replace") if isinstance(case.patched, bytes) else case.patched,
        },
    }


def _text(arguments: argparse.Namespace) -> str:
    """Return the text to be explained.

    Raises:
        InputError: standard input cannot be read.
    """
    if arguments.text != common.STDIN:
        return str(arguments.text)
    if sys.stdin is None:
        raise InputError("cannot read standard input: it is closed", code="cannot-read")
    return common.read_bytes(common.STDIN)[:_MOST_TEXT].decode("utf-8", "replace")


def case_lines(name: str, case: Case, libvirt: str | Libvirt) -> list[str]:
    """Return where an error comes from in a guest, as lines.

    Args:
        name: what to call the file.
        case: what was found.
        libvirt: the libvirt version that was emulated.
    """
    from pcisim.cli.check import text_lines

    lines = [line.rstrip("\n") for line in text_lines(name, list(case.findings))]
    if not case.findings:
        lines.append(f"{name} does not give this error, as libvirt {libvirt}" + (f"; {case.room}" if case.room else ""))
    if case.others:
        lines.append(f"other errors in {name}:")
        lines += [f"  {line}" for line in _short(name, case)]
    if case.paste:
        lines.append("for conventional devices, such as rtl8139 and e1000, add before the next start:")
        lines += [f"  {line}" for line in case.paste]
    if case.patched is not None:
        of = "" if case.fixed == len(case.findings) else f" {case.fixed} of {len(case.findings)}"
        state = f"libvirt {libvirt} accepts the guest" if case.accepted else "other errors remain"
        lines.append(f"patch{of} (tried: {state}):")
    return lines


def _short(name: str, case: Case) -> list[str]:
    from pcisim.cli.check import text_lines

    return [line.rstrip("\n") for line in text_lines(name, list(case.others)) if not line.startswith(" ")]
