"""Findings for other tools: SARIF 2.1.0, JUnit XML, and GitHub's workflow commands."""

from __future__ import annotations

from pcisim.formats.plain import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pcisim.diagnose import Finding

DETAILS = 3
"""How many lines of details are printed of a finding, unless all are asked for."""
_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}
"""GitHub's workflow commands."""
_SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def text_of(finding: Finding) -> str:
    """Return a finding as text: its headline, details and remedy."""
    return "\n".join(map(printable, _lines(finding)))


def _lines(finding: Finding) -> list[str]:
    return [finding.headline, *finding.details[:DETAILS], *([f"to do: {finding.remedy}"] if finding.remedy else [])]


def sarif(rows: Sequence[tuple[str, bool, list[Finding]]], version: str, status: int) -> dict[str, Any]:
    """Return findings as a SARIF 2.1.0 log.

    Args:
        rows: for each file its name, whether it could be read, and its findings.
        version: of pcisim.
        status: the exit status.
    """
    from pcisim.diagnose import RULES

    codes = sorted({finding.code for _, _, findings in rows for finding in findings})
    return {
        "$schema": _SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "pcisim",
                        "version": version,
                        "rules": [
                            {"id": code, "shortDescription": {"text": RULES[code].meaning if code in RULES else code}}
                            for code in codes
                        ],
                    }
                },
                "invocations": [{"executionSuccessful": all(readable for _, readable, _ in rows), "exitCode": status}],
                "results": [
                    {
                        "ruleId": finding.code,
                        "ruleIndex": codes.index(finding.code),
                        "level": finding.severity,
                        "message": {"text": text_of(finding)},
                        "locations": [{"physicalLocation": _place(name, finding)}],
                    }
                    for name, _, findings in rows
                    for finding in findings
                ],
            }
        ],
    }


def _place(name: str, finding: Finding) -> dict[str, Any]:
    import os
    from urllib.parse import quote

    uri = ("file://" if os.path.isabs(name) else "") + quote(os.fsencode(name))
    place: dict[str, Any] = {"artifactLocation": {"uri": uri}}
    if finding.line is not None:
        place["region"] = {"startLine": finding.line}
    return place


def junit(rows: Sequence[tuple[str, bool, list[Finding]]], failing: frozenset[str]) -> str:
    """Return findings as JUnit XML: a suite for each file, a test for each finding, one that passes where none is.

    Args:
        rows: as for `sarif`.
        failing: the severities that count as failures.
    """
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuites name="pcisim check"{_sums(rows, failing)}>']
    for name, readable, findings in rows:
        lines.append(f"  <testsuite name={_quoted(name)}{_sums([(name, readable, findings)], failing)}>")
        if not findings:
            lines.append(f'    <testcase classname={_quoted(name)} name="check"/>')
        for finding in findings:
            at = "" if finding.line is None else f" line={_quoted(str(finding.line))}"
            lines.append(f"    <testcase classname={_quoted(name)} name={_quoted(finding.code)}{at}>")
            kind = _kind(finding, readable, failing)
            text = _escaped(text_of(finding))
            if kind:
                head = f"message={_quoted(finding.headline)} type={_quoted(finding.severity)}"
                lines.append(f"      <{kind} {head}>{text}</{kind}>")
            else:
                lines.append(f"      <system-out>{_escaped(finding.severity)}: {text}</system-out>")
            lines.append("    </testcase>")
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _kind(finding: Finding, readable: bool, failing: frozenset[str]) -> str:
    if not readable and finding.severity == "error":
        return "error"
    return "failure" if finding.severity in failing else ""


def _sums(rows: Sequence[tuple[str, bool, list[Finding]]], failing: frozenset[str]) -> str:
    kinds = [_kind(finding, readable, failing) for _, readable, findings in rows for finding in findings]
    tests = sum(max(1, len(findings)) for _, _, findings in rows)
    return f' tests="{tests}" failures="{kinds.count("failure")}" errors="{kinds.count("error")}"'


def _escaped(text: str) -> str:
    from xml.sax.saxutils import escape

    return escape(text)


def _quoted(text: str) -> str:
    from xml.sax.saxutils import quoteattr

    return quoteattr(printable(text))


def github_line(name: str, finding: Finding) -> str:
    """Return a finding as a workflow command of GitHub's."""
    place = f"file={_property(name)}"
    if finding.line is not None:
        place += f",line={finding.line}"
    text = github_text("\n".join(_lines(finding)))
    return f"::{_COMMANDS[finding.severity]} {place},title={_property(finding.code)}::{text}\n"


def github_text(text: str) -> str:
    """Return text with the characters escaped that would end a workflow command."""
    lines = (printable(line) for line in text.replace("\r", "\n").split("\n"))
    return "%0A".join(line.replace("%", "%25") for line in lines)


def _property(text: str) -> str:
    return github_text(text).replace(":", "%3A").replace(",", "%2C")
