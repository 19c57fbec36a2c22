"""Accepted against requested: which counts of a device fit, and the holes below the most."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from pcisim.capacity.max_count import More
from pcisim.errors import UsageError
from pcisim.formats.plain import printable
from pcisim.plot._canvas import FAINT, INK, LINE, PAPER, Picture, fitted, style, text_width

_WIDTH, _PANEL, _LEFT, _RIGHT = 9.6, 1.75, 0.75, 0.3
_TOP, _BETWEEN, _BOTTOM = 0.62, 0.88, 0.55
_FILL, _EDGE, _REFUSED = "#8fc3ea", "#1f5f93", "#b3261e"
_LABEL = 6.5


def capacity_curve(more: More | Mapping[str, More], *, upto: int | None = None) -> Figure:
    """Draw how many devices are accepted against how many are asked for, one panel for each answer.

    A count that is refused is accepted as none of it: the curve falls to 0 there.

    Args:
        more: what `pcisim.capacity.max_count.how_many_more` returned, or several by the names of their panels (a
            machine, a policy).
        upto: the highest count to show; a little more than the highest that fits when ``None``.

    Raises:
        UsageError: nothing to draw, something that is no `More`, or a bound below 1.
    """
    rows = {"": more} if isinstance(more, More) else more
    if not isinstance(rows, Mapping) or not rows or not all(isinstance(row, More) for row in rows.values()):
        raise UsageError(
            f"capacity_curve takes what how_many_more returned, or several by name, not {more!r}", code="usage"
        )
    if upto is not None and (isinstance(upto, bool) or not isinstance(upto, int) or upto < 1):
        raise UsageError(f"the highest count to show must be a positive integer, not {upto!r}", code="usage")
    most = max(row.most for row in rows.values())
    end = upto if upto is not None else max(10, most + max(4, most // 20))
    height = _TOP + len(rows) * _PANEL + (len(rows) - 1) * _BETWEEN + _BOTTOM
    with style():
        figure = Picture(figsize=(_WIDTH, height), facecolor=PAPER)
        for number, (name, row) in enumerate(rows.items()):
            top = _TOP + number * (_PANEL + _BETWEEN)
            inner = _WIDTH - _LEFT - _RIGHT
            place = (_LEFT / _WIDTH, 1 - (top + _PANEL) / height, inner / _WIDTH, _PANEL / height)
            axes = figure.add_axes(place, xlim=(0, end + 0.5), ylim=(0, min(max(row.most, 1), end) * 1.42))
            _panel(axes, str(name), row, end, inner)
            if number + 1 == len(rows):
                axes.set_xlabel("devices asked for", fontsize=8, color=INK)
    return figure


def _panel(axes: Axes, name: str, row: More, end: int, inner: float) -> None:
    axes.tick_params(labelsize=7, colors=INK)
    axes.set_ylabel("accepted", fontsize=8, color=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    title = f"up to {row.most} of {row.device}" if row.most >= 0 else "does not fit as it is"
    _above(axes, 0.36, printable(f"{name}: {title}" if name else title), 9, INK, weight="bold")
    if row.holes:
        text = "refused below that: " + ", ".join(_hole(hole) for hole in row.holes)
    else:
        text = "nothing below that is refused" if row.most >= 0 else row.reason
    _above(axes, 0.3, fitted(printable(text), inner, 0.26, (7.0,))[0], 7, FAINT, va="top")
    top = axes.get_ylim()[1]
    start = 0
    for low, high in [*row.holes, (row.most + 1, end)]:
        last = min(low - 1, end)
        if start <= last:
            corners = [(start, 0), (start, start), (last, last), (last, 0)]
            run = Polygon(corners, facecolor=_FILL, edgecolor=_EDGE, linewidth=0.9, joinstyle="miter")
            run.set_gid(f"accepted-{start}-{last}")
            axes.add_patch(run)
        if low <= high and low <= end:
            final = low > row.most
            left, right = low - 0.5, min(high, end) + 0.5
            band = Rectangle(
                (left, 0),
                right - left,
                top if final else high,
                facecolor="#fbe3e1",
                edgecolor=LINE if final else _REFUSED,
                linewidth=0 if final else 0.5,
                hatch="////" if final else None,
            )
            band.set_gid(f"refused-{low}-{high}")
            axes.add_patch(band)
        start = high + 1
    _labels(axes, row, end, inner)


def _labels(axes: Axes, row: More, end: int, inner: float) -> None:
    """Write the holes over the curve where there is room, and the most."""
    bottom, top = axes.get_ylim()
    scale = _PANEL / (top - bottom)
    shown = 0 <= row.most <= end
    most = row.most / (end + 0.5) * inner
    width = text_width(f"{row.most}", 8, True) + 0.12
    right = inner - most > width
    free, last = -1.0, most - width if shown and not right else inner
    for low, high in row.holes:
        middle = (low + high) / 2
        place = middle / (end + 0.5) * inner
        text = _hole((low, high))
        if place > last or place - free < _LABEL * 1.35 / 72:
            continue
        if high * scale + 0.05 + text_width(text, _LABEL) > _PANEL:
            continue
        above = high + 0.05 / scale
        axes.text(middle, above, text, fontsize=_LABEL, color=_REFUSED, rotation=90, ha="center", va="bottom")
        free = place
    if shown:
        axes.plot([row.most], [row.most], marker="o", markersize=3.5, color=_EDGE, clip_on=False, zorder=5)
        axes.annotate(
            f"{row.most}",
            (row.most, row.most),
            xytext=(5 if right else -4, 0 if right else 4),
            textcoords="offset points",
            fontsize=8,
            fontweight="bold",
            color=_EDGE,
            ha="left" if right else "right",
            va="center" if right else "bottom",
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.0} if right else None,
        )


def _above(axes: Axes, inches: float, text: str, size: float, ink: str, **more: str) -> None:
    """Write a line above the axes, at a distance in inches."""
    axes.text(
        0,
        1 + inches / _PANEL,
        text,
        fontsize=size,
        color=ink,
        transform=axes.transAxes,
        parse_math=False,
        linespacing=1.1,
        **more,  # type: ignore[arg-type]
    )


def _hole(hole: tuple[int, int]) -> str:
    return f"{hole[0]}" if hole[0] == hole[1] else f"{hole[0]}-{hole[1]}"
