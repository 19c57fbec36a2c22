"""``pcisim check``: everything that is wrong with guests."""

from __future__ import annotations

import argparse

from pcisim.cli import common, inputs, limits
from pcisim.cli.manner import as_text
from pcisim.errors import NOT_COVERED_CODES, InputError, counted
from pcisim.formats.plain import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pcisim.catalogue.limits import Product
    from pcisim.catalogue.versions import Libvirt
    from pcisim.diagnose import Finding
    from pcisim.plan import HostPci

SCHEMA = "pcisim.check/1"
UNREADABLE, NOT_COVERED = 3, 4
_REMEDY = "name files or directories of domain XML, or pipe a document in"
_DETAILS = 3
"""How many lines of details are printed without --verbose."""
_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}
"""GitHub's workflow commands."""

_EPILOG = """examples:
  pcisim check guests/*.xml
  virsh dumpxml vm | pcisim check -
  pcisim check --format github guests/*.xml     annotations in a pull request
  pcisim check --limits rhel7 guests/*.xml      what RHEL 7 does not support, too

exit status: 0 no errors (warnings and notes do not count); 1 an error in a guest; 3 a file that is not a guest
or cannot be read, the others are checked all the same; 4 nothing is wrong but what pcisim does not cover
"""


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "check",
        help="find everything that is wrong with a guest",
        description="Find what libvirt refuses, what the emulator does not start, what the guest never sees or does not"
        " boot with, and what is worth knowing: one line each, with file, line, code and remedy.",
        epilog=_EPILOG,
        formatter_class=common.HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE|DIR|-",
        help="domain XML: files, directories of *.xml, patterns; - is standard input, the default",
    )
    common.add_libvirt(parser)
    parser.add_argument(
        "--format",
        choices=("text", "json", "github"),
        default="text",
        help="text (default); json; github: workflow commands that annotate a pull request",
    )
    limits.add_option(parser)
    common.add_host_pci(parser)
    parser.add_argument("-v", "--verbose", action="store_true", help="print more details")
    common.add_debug(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from pcisim.diagnose import NOT_JUDGED, SEVERITIES

    host_pci = common.host_pci_of(arguments.host_pci)
    product = limits.wanted(arguments)
    if product is not None and arguments.format == "text":
        common.write_stdout(f"{product.head}\n")
    rows = []
    counts = dict.fromkeys(SEVERITIES, 0)
    unreadable = uncovered = 0
    sources = list(inputs.expanded(arguments.files or [inputs.implied("no guest: no file is given", _REMEDY)]))
    for source in sources:
        shown = source.shown
        findings, readable = check_file(source, arguments.libvirt, host_pci, product)
        unreadable += not readable
        for finding in findings:
            counts[finding.severity] += 1
            uncovered += finding.code in NOT_COVERED_CODES
        if arguments.format == "text":
            common.write_stdout("".join(text_lines(shown, findings, verbose=arguments.verbose)))
        elif arguments.format == "github":
            common.write_stdout("".join(github_line(shown, finding) for finding in findings))
        else:
            rows.append((shown, readable, findings))
    if arguments.format == "json":
        document = _document(rows, counts, unreadable, arguments.libvirt)
        if product is not None:
            document["limits"] = product.to_json()
        common.write_json(document)
    elif product is not None:
        remarks = "".join(f"{line}\n" for line in limits.remark_lines(product))
        if arguments.format == "text":
            common.write_stdout(remarks)
        else:
            title = f"{product.head}\n{remarks.rstrip()}"
            common.write_stdout(f"::notice title={product.name}::{_data(title)}\n")
    judged = arguments.format == "text" and unreadable < len(sources)
    common.say(
        _summary(len(sources), counts, unreadable, arguments.libvirt),
        *([f"  not judged: {'; '.join(NOT_JUDGED)}"] if judged else []),
    )
    if unreadable:
        return UNREADABLE
    return int(bool(counts["error"])) if counts["error"] > uncovered or not uncovered else NOT_COVERED


def check_file(
    source: inputs.Source, libvirt: str | Libvirt, host_pci: HostPci = None, product: Product | None = None
) -> tuple[list[Finding], bool]:
    """Return the findings of a file, and whether it could be read as a guest; what a product does not support, too."""
    from pcisim.diagnose import Finding, Judge, examine, with_limits, with_remedies

    try:
        if source.error is not None:
            raise source.error
        data = common.read_bytes(source.name)
    except InputError as error:
        return [Finding.of(error)], False
    judge = Judge(libvirt, host_pci=host_pci)
    diagnosis = with_remedies(examine(data, libvirt=libvirt, host_pci=host_pci), judge)
    return with_limits(diagnosis, product, libvirt), diagnosis.readable or not _is_input_error(diagnosis.findings)


def _is_input_error(findings: list[Finding]) -> bool:
    return any(finding.code.startswith("xml-") or finding.code == "not-a-domain" for finding in findings)


def text_lines(name: str, findings: list[Finding], *, verbose: bool = False) -> list[str]:
    """Return the lines of a file's findings: each headline, its details and its remedy.

    Args:
        name: what to call the file.
        findings: its findings.
        verbose: whether to print more details.
    """
    lines = []
    for finding in findings:
        where = name if finding.line is None else f"{name}:{finding.line}"
        lines.append(f"{where}: {finding.severity}: {finding.headline} [{finding.code}]")
        details = finding.details if verbose else finding.details[:_DETAILS]
        lines += [f"  {detail}" for detail in details]
        if finding.remedy:
            lines.append(f"  to do: {finding.remedy}")
    return [f"{printable(line)}\n" for line in lines]


def github_line(name: str, finding: Finding) -> str:
    """Return a finding as a workflow command of GitHub's."""
    place = f"file={_property(name)}"
    if finding.line is not None:
        place += f",line={finding.line}"
    text = finding.headline + "".join(f"\n{detail}" for detail in finding.details[:_DETAILS])
    if finding.remedy:
        text += f"\nto do: {finding.remedy}"
    return f"::{_COMMANDS[finding.severity]} {place},title={_property(finding.code)}::{_data(text)}\n"


def _data(text: str) -> str:
    """Return text with the characters escaped that would end a workflow command."""
    lines = (printable(line) for line in text.replace("\r", "\n").split("\n"))
    return "%0A".join(line.replace("%", "%25") for line in lines)


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _document(
    rows: list[tuple[str, bool, list[Finding]]], counts: dict[str, int], unreadable: int, libvirt: str | Libvirt
) -> dict[str, Any]:
    from pcisim.catalogue.versions import libvirt_version
    from pcisim.diagnose import NOT_JUDGED
    from pcisim.formats.jsondoc import libvirt_keys

    return {
        "schema": SCHEMA,
        **libvirt_keys(libvirt_version(libvirt)),
        "files": [
            {
                "file": as_text(name),
                "readable": readable,
                "findings": [finding.to_json() for finding in findings],
            }
            for name, readable, findings in rows
        ],
        "not_judged": list(NOT_JUDGED),
        "summary": {f"{severity}s": count for severity, count in counts.items()} | {"unreadable": unreadable},
    }


def _summary(files: int, counts: dict[str, int], unreadable: int, libvirt: str | Libvirt) -> str:
    found = ", ".join(counted(count, severity) for severity, count in counts.items() if count)
    text = f"{counted(files, 'file')}: {found or 'nothing found of what is judged'}, as libvirt {libvirt}"
    return text + (f"; {unreadable} cannot be read" if unreadable else "")
