"""A finding, and how severe it can be."""

from __future__ import annotations

from typing import NamedTuple

from pcisim.errors import PcisimError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)
"""Error: libvirt refuses the guest, the emulator does not start it, or it never boots.  Warning: it
runs, but something in it is lost, or is not where it was written.  Note: sound, and worth knowing."""


class Finding(NamedTuple):
    """One thing that is wrong with a guest, or worth knowing about it.

    Args:
        severity: one of `SEVERITIES`.
        code: a stable word: a row of `pcisim.diagnose.RULES`.
        headline: one line that a human understands.
        parties: labels of everything involved, the one to be changed first.
        line: 1-based line of the document, or ``None``.
        details: further lines.
        remedy: what to do about it, or "".
    """

    severity: str
    code: str
    headline: str
    parties: tuple[str, ...] = ()
    line: int | None = None
    details: tuple[str, ...] = ()
    remedy: str = ""

    @classmethod
    def of(cls, error: PcisimError, remedy: str = "") -> Finding:
        """Return the finding that a refusal is.

        Args:
            error: the refusal.
            remedy: a better remedy than the refusal's own.
        """
        return cls(ERROR, error.code, error.headline, error.parties, error.line, error.details, remedy or error.remedy)

    def to_json(self) -> dict[str, Any]:
        """Return the finding as plain data."""
        return {
            "severity": self.severity,
            "code": self.code,
            "headline": self.headline,
            "parties": list(self.parties),
            "line": self.line,
            "details": list(self.details),
            "remedy": self.remedy,
        }


def by_line(finding: Finding) -> tuple[bool, int, int, str, str]:
    """Return the key to sort findings by: the line, then how severe; those without a line come last."""
    return finding.line is None, finding.line or 0, SEVERITIES.index(finding.severity), finding.code, finding.headline
