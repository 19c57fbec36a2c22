"""Head-room of a fleet: how many guests have how many slots free."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from pcisim.errors import UsageError
from pcisim.formats.plain import printable
from pcisim.plot._canvas import FAINT, INK, PAPER, Picture, style

_WIDTH, _PANEL, _LEFT, _RIGHT = 9.6, 1.75, 0.85, 0.3
_TOP, _BETWEEN, _BOTTOM = 0.5, 1.0, 0.85
_FILL, _EDGE, _NONE = "#8fc3ea", "#1f5f93", "#b3261e"
_MOST_BARS = 40
_LABELS = 24
"""Up to how many bars the figures are written on them."""


def headroom_histogram(counts: Mapping[str, Mapping[int, int]]) -> Figure:
    """Draw how many guests have how many free slots, a panel for each machine family.

    Guests without one stand out; numbers of slots are put together where there are many.

    Args:
        counts: for each panel by its name how many guests (from 0) have so many free slots (from 0).

    Raises:
        UsageError: nothing to draw, or something that is no such table.
    """
    if not isinstance(counts, Mapping) or not counts or not all(map(_is_table, counts.values())):
        raise UsageError(
            f"headroom_histogram takes numbers of guests by free slots, by panel, not {counts!r}", code="usage"
        )
    height = _TOP + len(counts) * _PANEL + (len(counts) - 1) * _BETWEEN + _BOTTOM
    with style():
        figure = Picture(figsize=(_WIDTH, height), facecolor=PAPER)
        for number, (name, table) in enumerate(counts.items()):
            top = _TOP + number * (_PANEL + _BETWEEN)
            place = (_LEFT / _WIDTH, 1 - (top + _PANEL) / height, 1 - (_LEFT + _RIGHT) / _WIDTH, _PANEL / height)
            axes = figure.add_axes(place)
            _panel(axes, str(name), table)
            if number + 1 == len(counts):
                axes.set_xlabel("free slots", fontsize=8, color=INK)
    return figure


def _is_table(table: object) -> bool:
    return (
        isinstance(table, Mapping)
        and bool(table)
        and all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for pair in table.items() for n in pair)
    )


def _panel(axes: Axes, name: str, table: Mapping[int, int]) -> None:
    bars = _bars(table)
    total, without = sum(table.values()), table.get(0, 0)
    highest = max(max(count for _, _, count in bars), 1)
    axes.set_xlim(-0.6, len(bars) - 0.4)
    axes.set_ylim(0, highest * 1.15)
    axes.tick_params(labelsize=7, colors=INK)
    axes.set_ylabel("guests", fontsize=8, color=INK)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for place, (low, high, count) in enumerate(bars):
        bar = Rectangle(
            (place - 0.42, 0), 0.84, count, facecolor=_FILL if high else _NONE, edgecolor=_EDGE if high else _NONE,
            linewidth=0.6,
        )  # fmt: skip
        bar.set_gid(f"free-{low}-{high}")
        axes.add_patch(bar)
        if count and len(bars) <= _LABELS:
            axes.text(place, count, f"{count:,}", fontsize=6.5, color=INK, ha="center", va="bottom")
    axes.set_xticks(range(len(bars)), [f"{low}" if low == high else f"{low}-{high}" for low, high, _ in bars])
    if len(bars) > _LABELS:
        axes.tick_params(axis="x", labelrotation=90)
    text = f"{total:,} guest{'s' * (total != 1)}, {without:,} without a free slot"
    for words, x, ink, weight in ((name, 0.0, INK, "bold"), (text, 1.0, FAINT, "normal")):
        axes.text(
            x, 1.06, printable(words), fontsize=9 if not x else 7, color=ink, fontweight=weight,
            ha="right" if x else "left", va="bottom", transform=axes.transAxes, parse_math=False,
        )  # fmt: skip


def _bars(table: Mapping[int, int]) -> list[tuple[int, int, int]]:
    """Return the least and the most free slots of each bar, and its guests; 0 has a bar of its own."""
    most = max(table)
    width = -(-most // _MOST_BARS) or 1
    bars = [(0, 0, table.get(0, 0))]
    for low in range(1, most + 1, width):
        high = low + width - 1
        bars.append((low, high, sum(table.get(free, 0) for free in range(low, high + 1))))
    return bars
