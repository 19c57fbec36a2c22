"""What is wrong with a guest: all findings in one pass, and what a pasted error means.

`assign` stops at the first refusal.  `check` reports everything: what libvirt refuses, what the
emulator refuses although libvirt accepts it, what the guest would never see or boot with, and what
is merely worth knowing.
"""

from pcisim.diagnose.diagnosis import Diagnosis, examine
from pcisim.diagnose.explain import Case, Meaning, explain, explain_in, meaning_of, meanings, near
from pcisim.diagnose.finding import ERROR, NOTE, SEVERITIES, WARNING, Finding
from pcisim.diagnose.limits import beyond_limits, limits_of, with_limits
from pcisim.diagnose.rules import NOT_JUDGED, RULES, Rule
from pcisim.diagnose.texts import TEXTS, Text
from pcisim.diagnose.trial import Judge, Tried, check, remedy_of, with_remedies

__all__ = [
    "Diagnosis",
    "check",
    "examine",
    "beyond_limits",
    "limits_of",
    "with_limits",
    "with_remedies",
    "remedy_of",
    "patched",
    "Judge",
    "Tried",
    "Case",
    "Meaning",
    "explain",
    "explain_in",
    "meanings",
    "meaning_of",
    "near",
    "Finding",
    "SEVERITIES",
    "ERROR",
    "WARNING",
    "NOTE",
    "NOT_JUDGED",
    "RULES",
    "Rule",
    "TEXTS",
    "Text",
]
