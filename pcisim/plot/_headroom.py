"""Head-room of a fleet: how many guests have how many slots free."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from pcisim.errors import UsageError
from pcisim.formats.plain import printable
from pcisim.plot._canvas import FAINT, INK, PAPER, Picture, shortened, style, text_width

_WIDTH, _PANEL, _LEFT, _RIGHT = 9.6, 3.0, 0.85, 0.3
_TOP, _LINE, _BOTTOM = 0.2, 0.2, 0.6
_LOOKS = (
    ("#8fc3ea", ""),
    ("#f2c879", "////"),
    ("#6fd0b4", r"\\\\"),
    ("#e4b4ea", "...."),
    ("#d9dfe8", "xxxx"),
)
"""The colour and the hatch of each group, over again where there are more."""
_EDGE, _NONE = "#3f4650", "#b3261e"
_EXACT, _EACH = 24, 8
"""Up to how many slots every number has a place of its own; beyond that, how many have."""
_SIZES = (6.5, 5.6)


def headroom_histogram(counts: Mapping[str, Mapping[int, int]]) -> Figure:
    """Draw how many guests have how many free slots, the bars of each machine family side by side on one axis.

    Guests without one stand out.  Where some have more than 24 free slots, numbers above 8 are put together, twice
    as many each time.

    Args:
        counts: for each family by its name how many guests (from 0) have so many free slots (from 0).

    Raises:
        UsageError: nothing to draw, or something that is no such table.
    """
    if not isinstance(counts, Mapping) or not counts or not all(map(_is_table, counts.values())):
        raise UsageError(
            f"headroom_histogram takes numbers of guests by free slots, by family, not {counts!r}", code="usage"
        )
    spans = _spans(max(max(table) for table in counts.values()))
    bars = [
        [sum(guests for free, guests in table.items() if low <= free <= high) for low, high in spans]
        for table in counts.values()
    ]
    head = _TOP + _LINE * len(counts) + 0.1
    height = head + _PANEL + _BOTTOM
    inner = _WIDTH - _LEFT - _RIGHT
    with style():
        figure = Picture(figsize=(_WIDTH, height), facecolor=PAPER)
        place = (_LEFT / _WIDTH, _BOTTOM / height, inner / _WIDTH, _PANEL / height)
        highest = max(1, *(max(row) for row in bars))
        axes = figure.add_axes(place, xlim=(-0.6, len(spans) - 0.4), ylim=(0, highest * 1.12))
        axes.tick_params(labelsize=7, colors=INK)
        axes.set_xlabel("free slots", fontsize=8, color=INK)
        axes.set_ylabel("guests", fontsize=8, color=INK)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        width = 0.84 / len(bars)
        room = width * inner / len(spans)
        scale = _PANEL / (highest * 1.12)
        for number, (name, table, row) in enumerate(zip(counts, counts.values(), bars)):
            fill, hatch = _LOOKS[number % len(_LOOKS)]
            for span, ((low, high), count) in enumerate(zip(spans, row)):
                bar = Rectangle(
                    (span - 0.42 + number * width, 0), width, count, facecolor=fill, hatch=hatch or None,
                    edgecolor=_EDGE if high else _NONE, linewidth=0.6 if high else 1.6,
                )  # fmt: skip
                bar.set_gid(f"free-{number}-{low}-{high}")
                axes.add_patch(bar)
                text = f"{count:,}"
                size = next((size for size in _SIZES if text_width(text, size) < room), 0.0)
                if count and size:
                    axes.text(
                        bar.get_x() + width / 2, count + 0.03 / scale, text, fontsize=size,
                        color=INK if high else _NONE, ha="center", va="bottom",
                    )  # fmt: skip
            y = 1 + (_LINE * (len(bars) - number) - 0.05) / _PANEL
            swatch = Rectangle(
                (0, y - 0.06 / _PANEL), 0.24 / inner, 0.12 / _PANEL, facecolor=fill, hatch=hatch or None,
                edgecolor=_EDGE, linewidth=0.6, transform=axes.transAxes, clip_on=False,
            )  # fmt: skip
            swatch.set_gid(f"legend-{number}")
            axes.add_patch(swatch)
            total, without = sum(table.values()), table.get(0, 0)
            words = f"{total:,} guest{'s' * (total != 1)}, {without:,} without a free slot"
            title = shortened(printable(str(name)), 8, inner - 0.5 - text_width(words, 7), True)
            for line, x, points, ink in ((title, 0.3, 8, INK), (words, 0.4 + text_width(title, 8, True), 7, FAINT)):
                axes.text(
                    x / inner, y, line, fontsize=points, color=ink, fontweight="bold" if points == 8 else "normal",
                    ha="left", va="center", transform=axes.transAxes, parse_math=False,
                )  # fmt: skip
        axes.set_xticks(range(len(spans)), [_span(low, high, inner / len(spans)) for low, high in spans])
    return figure


def _is_table(table: object) -> bool:
    return (
        isinstance(table, Mapping)
        and bool(table)
        and all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for pair in table.items() for n in pair)
    )


def _span(low: int, high: int, room: float) -> str:
    text = f"{low}" if low == high else f"{low}-{high}"
    return text if text_width(text, 7) < room else text.replace("-", "-\n")


def _spans(most: int) -> list[tuple[int, int]]:
    """Return the least and the most free slots of each place on the axis."""
    if most <= _EXACT:
        return [(free, free) for free in range(most + 1)]
    spans = [(free, free) for free in range(_EACH + 1)]
    while spans[-1][1] < most:
        low = spans[-1][1]
        spans.append((low + 1, 2 * low))
    return spans
