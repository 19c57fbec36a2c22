"""``pcisim check``: everything that is wrong with guests."""

from __future__ import annotations

import argparse

from pcisim.cli import common, inputs, limits, reports, terminal
from pcisim.cli.manner import as_text as file_name
from pcisim.errors import NOT_COVERED_CODES, InputError, UsageError, counted, did_you_mean
from pcisim.formats.plain import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pcisim.catalogue.limits import Product
    from pcisim.catalogue.versions import Libvirt
    from pcisim.diagnose import Diagnosis, Finding
    from pcisim.plan import HostPci

SCHEMA = "pcisim.check/1"
UNREADABLE, NOT_COVERED = 3, 4
_REMEDY = "name files or directories of domain XML, or pipe a document in"

_STYLES = {
    r"^\S[^ ]*: error: ": "bold red",
    r"^\S[^ ]*: warning: ": "yellow",
    r"^\S[^ ]*: note: ": "cyan",
    r" \[[a-z0-9-]+\]$": "dim",
}
_EPILOG = """examples:
  pcisim check guests/*.xml
  virsh dumpxml vm | pcisim check -
  pcisim check --format github guests/*.xml     annotations in a pull request
  pcisim check --fix --print-diff guests/       what can be fixed
  pcisim check --limits rhel7 guests/*.xml      what RHEL 7 does not support, too

exit status: 0 no errors (warnings and notes do not count); 1 an error in a guest, with --strict a warning, too;
3 a file that is not a guest or cannot be read or written, the others are checked all the same; 4 nothing is wrong
but what pcisim does not cover
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
        choices=("text", "json", "github", "sarif", "junit"),
        default="text",
        help="text (default); json; github: workflow commands that annotate a pull request; sarif: SARIF 2.1.0; junit:"
        " JUnit XML",
    )
    parser.add_argument(
        "--select", action="append", metavar="CODE[,CODE]", help="report findings with these codes only"
    )
    parser.add_argument("--ignore", action="append", metavar="CODE[,CODE]", help="leave findings with these codes out")
    parser.add_argument(
        "--strict", action="store_true", default=None, help="let warnings count for the exit status, as errors do"
    )
    parser.add_argument(
        "--fix",
        action="store_true",
        help="fix errors and warnings in the files, where a fix is known and was tried",
    )
    parser.add_argument("--print-diff", action="store_true", help="with --fix: print the changes, and write nothing")
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
    _check_options(arguments)
    wanted = _wanted(arguments, product)
    as_text, rows = arguments.format == "text" and not arguments.print_diff, []
    if product is not None and as_text:
        common.write_stdout(f"{product.head}\n")
    counts = dict.fromkeys(SEVERITIES, 0)
    unreadable = uncovered = fixed = 0
    sources = list(inputs.expanded(arguments.files or [inputs.implied("no guest: no file is given", _REMEDY)]))
    for source in sources:
        findings, readable = check_file(source, arguments.libvirt, host_pci, product)
        if readable:
            findings = [finding for finding in findings if wanted(finding.code)]
            if arguments.fix and findings:
                try:
                    count, left = _fix(arguments, source, findings, host_pci)
                except InputError as error:
                    common.complain(*error.explanation())
                    count, left, readable = 0, None, False
                fixed += count
                if left is not None:
                    findings = [f for f in with_limits_of(left, product, arguments.libvirt) if wanted(f.code)]
        unreadable += not readable
        for finding in findings:
            counts[finding.severity] += 1
            uncovered += finding.code in NOT_COVERED_CODES
        rows.append((source.shown, readable, findings))
        if as_text:
            lines = text_lines(source.shown, findings, verbose=arguments.verbose)
            common.write_stdout(terminal.text_of([line.rstrip("\n") for line in lines], _STYLES))
        elif arguments.format == "github":
            common.write_stdout("".join(reports.github_line(source.shown, finding) for finding in findings))
    status = _status(counts, unreadable, uncovered, strict=bool(arguments.strict))
    _print_whole(arguments, rows, counts, unreadable, status, product)
    judged = as_text and unreadable < len(sources)
    remedied = f"; {fixed} {'can be fixed' if arguments.print_diff else 'fixed'}" if arguments.fix else ""
    common.say(
        _summary(len(sources), counts, unreadable, arguments.libvirt) + remedied,
        *([f"  not checked: {'; '.join(NOT_JUDGED)}"] if judged else []),
    )
    return status


def _status(counts: dict[str, int], unreadable: int, uncovered: int, *, strict: bool) -> int:
    """Return the exit status; with `strict` warnings count as errors do."""
    if unreadable:
        return UNREADABLE
    wrong = counts["error"] + (counts["warning"] if strict else 0)
    return int(bool(wrong)) if wrong > uncovered or not uncovered else NOT_COVERED


def _print_whole(
    arguments: argparse.Namespace,
    rows: list[tuple[str, bool, list[Finding]]],
    counts: dict[str, int],
    unreadable: int,
    status: int,
    product: Product | None,
) -> None:
    """Print what is printed at the end: a document of all findings, or a product's remarks."""
    if arguments.format == "json":
        document = _document(rows, counts, unreadable, arguments.libvirt)
        if product is not None:
            document["limits"] = product.to_json()
        common.write_json(document)
    elif arguments.format == "sarif":
        from pcisim import __version__

        common.write_json(reports.sarif(rows, __version__, status))
    elif arguments.format == "junit":
        failing = frozenset({"error", "warning"} if arguments.strict else {"error"})
        common.write_stdout(reports.junit(rows, failing).encode("utf-8", "replace"))
    elif product is not None and not arguments.print_diff:
        remarks = "".join(f"{line}\n" for line in limits.remark_lines(product))
        if arguments.format == "text":
            common.write_stdout(remarks)
        else:
            title = f"{product.head}\n{remarks.rstrip()}"
            common.write_stdout(f"::notice title={product.name}::{reports.github_text(title)}\n")


def _check_options(arguments: argparse.Namespace) -> None:
    if arguments.print_diff and not arguments.fix:
        raise UsageError("--print-diff goes with --fix", code="usage", remedy="add --fix; nothing is written then")
    if arguments.print_diff and arguments.format != "text":
        raise UsageError("--print-diff does not go with --format", code="usage", remedy="leave one of them out")
    if arguments.fix and not arguments.print_diff and common.STDIN in (arguments.files or [common.STDIN]):
        raise UsageError(
            "--fix needs a file", code="usage", remedy="--fix --print-diff shows what to change in standard input"
        )


def _wanted(arguments: argparse.Namespace, product: Product | None) -> Callable[[str], bool]:
    """Return what tells whether findings of a code are wanted.

    Raises:
        UsageError: ``--select`` or ``--ignore`` names a code that does not exist.
    """
    from pcisim.diagnose import RULES

    known = {*RULES, *(row.code for row in product.limits)} if product is not None else {*RULES}
    chosen = []
    for option, value in (("--select", arguments.select), ("--ignore", arguments.ignore)):
        codes = [code for text in value or () for code in text.split(",") if code]
        if option == "--select" and value and not codes:
            raise UsageError(f"{option} names no code", code="usage", remedy="docs/findings.md lists the codes")
        for code in codes:
            if code not in known:
                raise UsageError(
                    f"{option} {code}: no finding has that code",
                    code="usage",
                    remedy=did_you_mean(code, known, join=" or ") or "docs/findings.md lists the codes",
                )
        chosen.append(frozenset(codes))
    select, ignore = chosen
    return lambda code: (not arguments.select or code in select) and code not in ignore


def _fix(
    arguments: argparse.Namespace, source: inputs.Source, findings: list[Finding], host_pci: HostPci
) -> tuple[int, Diagnosis | None]:
    """Fix findings in a file, or print how, and return how many were fixed, and what is found in the new file.

    Raises:
        PcisimError: it cannot be written; it is as it was then.
    """
    from pcisim.diagnose import NOTE, Judge, examine, with_remedies
    from pcisim.diagnose.trial import patched

    data = common.read_bytes(source.name)
    before = examine(data, libvirt=arguments.libvirt, host_pci=host_pci)
    codes = frozenset(finding.code for finding in findings if finding.severity != NOTE)
    new, fixed, after = patched(data, before, codes, arguments.libvirt)
    if not fixed or new == data:
        return 0, None
    text = new.encode() if isinstance(new, str) else new
    if arguments.print_diff:
        from pcisim.formats.patch import difference

        common.write_stdout(difference(source.shown, data, text, "fixed"))
        return fixed, None
    common.write_file(source.name, text, in_place=True, read=data)
    return fixed, with_remedies(after, Judge(arguments.libvirt, host_pci=host_pci))


def check_file(
    source: inputs.Source, libvirt: str | Libvirt, host_pci: HostPci = None, product: Product | None = None
) -> tuple[list[Finding], bool]:
    """Return the findings of a file, and whether it could be read as a guest; what a product does not support, too."""
    from pcisim.diagnose import Finding, Judge, examine, with_remedies

    try:
        if source.error is not None:
            raise source.error
        data = common.read_bytes(source.name)
    except InputError as error:
        return [Finding.of(error)], False
    judge = Judge(libvirt, host_pci=host_pci)
    diagnosis = with_remedies(examine(data, libvirt=libvirt, host_pci=host_pci), judge)
    return with_limits_of(diagnosis, product, libvirt), diagnosis.readable or not _is_input_error(diagnosis.findings)


def with_limits_of(diagnosis: Diagnosis, product: Product | None, libvirt: str | Libvirt) -> list[Finding]:
    """Return the findings of a guest, with what a product does not support."""
    from pcisim.diagnose import with_limits

    return with_limits(diagnosis, product, libvirt)


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
        details = finding.details if verbose else finding.details[: reports.DETAILS]
        lines += [f"  {detail}" for detail in details]
        if finding.remedy:
            lines.append(f"  to do: {finding.remedy}")
    return [f"{printable(line)}\n" for line in lines]


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
                "file": file_name(name),
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
    text = f"{counted(files, 'file')}: {found or 'no findings'}, as libvirt {libvirt}"
    return text + (f"; {unreadable} cannot be read" if unreadable else "")
