"""Two sides timed in turn, and the ratio between them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Ratio:
    """One row of the table.

    Args:
        what: pcisim's side and the other.
        ratio: the median over the rounds.
        target: what the project asks for.
        at_most: whether the target is a bound from above (a cost) and not from below (how much faster).
        ours: pcisim's median, with its unit.
        theirs: the other side's median.
        rounds: how many rounds.
    """

    what: str
    ratio: float
    target: float
    at_most: bool
    ours: str
    theirs: str
    rounds: int

    @property
    def met(self) -> bool:
        """Return whether the target is reached."""
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target

    @property
    def texts(self) -> tuple[str, str, str, str, str]:
        """Return the cells of the table."""
        words = "at most" if self.at_most else "at least"
        return self.what, f"{self.ratio:.3g}", f"{words} {self.target:g}", self.ours, self.theirs

    def to_json(self) -> dict[str, object]:
        """Return the row as plain data."""
        return asdict(self) | {"met": self.met}


def faster(what: str, target: float, ours: list[float], theirs: list[float]) -> Ratio:
    """Return how many times faster pcisim is, from the seconds of each round."""
    return _ratio(what, target, False, ours, theirs, [b / a for a, b in zip(ours, theirs, strict=True)])


def costs(what: str, target: float, ours: list[float], theirs: list[float]) -> Ratio:
    """Return how many times as long pcisim takes, from the seconds of each round."""
    return _ratio(what, target, True, ours, theirs, [a / b for a, b in zip(ours, theirs, strict=True)])


def _ratio(
    what: str, target: float, at_most: bool, ours: list[float], theirs: list[float], ratios: list[float]
) -> Ratio:
    return Ratio(
        what,
        statistics.median(ratios),
        target,
        at_most,
        seconds_text(statistics.median(ours)),
        seconds_text(statistics.median(theirs)),
        len(ratios),
    )


def in_turn(rounds: int, *sides: Callable[[], float]) -> list[list[float]]:
    """Ask each side for its seconds, one after the other in every round."""
    answers: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for side, own in zip(sides, answers, strict=True):
            own.append(side())
    return answers


def timed(call: Callable[[], object]) -> float:
    """Return the seconds of a call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


processor_time = time.process_time
"""The clock for what runs within this process, on either side: what else the machine does shows less."""


def worked(call: Callable[[], object]) -> float:
    """Return the seconds that the processor works on a call."""
    begin = processor_time()
    call()
    return processor_time() - begin


def seconds_text(seconds: float) -> str:
    """Return a time for people."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"
