"""Whether pcisim and a running libvirt give the same answer, and the smallest guest on which they do not."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pcisim
from tests.oracle.facts import differences, facts
from tests.oracle.live import Answer, LiveLibvirt
from tests.oracle.shrink import shrink

Judged = Callable[[str], bool]
"""Tells whether a refusal of libvirt's, by its text, is one that pcisim has to share."""


@dataclass(frozen=True)
class Agreement:
    """Compares the answers of pcisim and of one daemon.

    Attributes:
        version: the version of libvirt, whose rules pcisim is to follow.
        client: the daemon.
        judged: which of its refusals count.
    """

    version: str
    client: LiveLibvirt
    judged: Judged

    def disagreement(self, xml: str, answer: Answer) -> list[str] | None:
        """Return how pcisim's answer differs from libvirt's: [] not at all, None when it is not for pcisim to say.

        What libvirt accepts although it refuses what it then writes, pcisim may refuse at once.
        """
        if not answer.ok and not self.judged(answer.error):
            return None
        try:
            addressed = pcisim.assign_xml(xml, libvirt=self.version)
        except pcisim.PcisimError as error:
            if "is not covered as libvirt" in error.headline:
                return None
            if not answer.ok:
                return []
            return [f"pcisim refuses: {error.headline}"] if self.client.ask(answer.xml).ok else None
        except Exception as error:  # whatever libvirt says, this is wrong
            return [f"pcisim crashes: {type(error).__name__}: {error}"]
        if not answer.ok:
            return [f"pcisim accepts, libvirt refuses: {answer.error}"]
        return differences(facts(answer.xml), facts(addressed))

    def reduced(self, xml: str, lines: list[str]) -> tuple[str, list[str]]:
        """Return the smallest guest found that disagrees in the first way that this one does, and how it disagrees."""
        wanted = kind(lines[:1])

        def still_wrong(candidate: str) -> bool:
            found = self.disagreement(candidate, self.client.ask(candidate)) or []
            return any(kind([line]) == wanted for line in found)

        small = shrink(xml, still_wrong)
        return small, self.disagreement(small, self.client.ask(small)) or lines

    def report(self, title: str, xml: str, lines: list[str]) -> str:
        """Return what to print about one disagreement."""
        return "\n".join([f"libvirt {self.version}, {title}", "differences once reduced:", *lines[:10], xml])


def kind(lines: list[str]) -> str:
    """Return what sort of disagreement this is, without its numbers and names.

    A smaller guest has to disagree in the same way, and one report of each sort is enough.
    """
    return " | ".join(sorted({re.sub(r"\d+|'.*", "", line.split(": ", 1)[-1]) for line in lines}))
