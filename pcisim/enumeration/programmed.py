"""What a firmware wrote into the PCI functions: the common result of all of them."""

from __future__ import annotations

from pcisim._record import record
from pcisim.enumeration.numbers import Routing
from pcisim.hardware import Part

IO, MEMORY, PREFETCH = range(3)
"""Kinds of windows, by which lists are indexed; their names are `pcisim.enumeration.view.WINDOW_KINDS`."""
ROM = 6
"""The index of the expansion ROM among the BARs."""


@record
class Programmed:
    """What a firmware wrote into the functions.

    Args:
        routing: the bus numbers.
        found: the bus number of every function that it found.
        bars: for each function the address of its BARs, by index.
        windows: for each bridge and kind base and size; no entry where it goes without.
        boots: whether it got past this.
        reason: why it did not; "" when it did.
    """

    routing: Routing
    found: dict[Part, int]
    bars: dict[Part, dict[int, int]]
    windows: dict[tuple[Part, int], tuple[int, int]]
    boots: bool
    reason: str
    closes_windows: bool = True
    """Whether a bridge that goes without a window has its registers set so."""


def up(value: int, align: int) -> int:
    """Return a number rounded up to a power of two."""
    return (value + align - 1) & -align
