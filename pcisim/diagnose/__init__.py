"""What is wrong with a guest: all findings in one pass, and what a pasted error means.

`assign` stops at the first refusal.  `diagnose` reports everything: what libvirt refuses, what the
emulator refuses although libvirt accepts it, what the guest would never see or boot with, and what
is merely worth knowing.
"""

from pcisim.diagnose.diagnosis import Diagnosis, diagnose, examine
from pcisim.diagnose.explain import Case, explain_in, meanings, near
from pcisim.diagnose.finding import ERROR, NOTE, SEVERITIES, WARNING, Finding
from pcisim.diagnose.rules import NOT_JUDGED, RULES, Rule
from pcisim.diagnose.texts import TEXTS, Text

__all__ = [
    "Diagnosis",
    "diagnose",
    "examine",
    "Case",
    "explain_in",
    "meanings",
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
