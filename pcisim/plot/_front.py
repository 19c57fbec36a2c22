"""Layouts of a guest against each other: how many devices can be detached for how many controllers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pcisim.errors import UsageError
from pcisim.formats.plain import printable
from pcisim.plot._canvas import FAINT, INK, LINE, PAPER, Picture, shortened, style

_WIDTH, _PANEL, _LEFT, _RIGHT = 9.6, 3.6, 0.75, 0.3
_TOP, _LINE, _BOTTOM = 0.2, 0.2, 0.6
_LOOKS = (
    ("#1f5f93", "o"), ("#b3261e", "s"), ("#0b7a5c", "^"), ("#8a4a9c", "D"), ("#8a6d1d", "v"), ("#3f4650", "P"),
)  # fmt: skip
"""The colour and the mark of each group, over again where there are more."""


def layout_front(layouts: Mapping[str, Sequence[tuple[int, int]]]) -> Figure:
    """Draw layouts by their PCI controllers and by the devices that can be detached while the guest runs.

    Layouts than which another has no more controllers and no fewer detachable devices, and is better in one of
    them, have hollow marks; a line joins the rest, which is the front.

    Args:
        layouts: by the name of a policy, the layouts that it makes: controllers and detachable devices of each, from 0.

    Raises:
        UsageError: nothing to draw, or something that is no such table.
    """
    if not isinstance(layouts, Mapping) or not any(layouts.values()) or not all(map(_are_points, layouts.values())):
        raise UsageError(
            f"layout_front takes pairs of controllers and detachable devices, by policy, not {layouts!r}", code="usage"
        )
    points = {point for group in layouts.values() for point in group}
    front = front_of(points)
    head = _TOP + _LINE * len(layouts) + 0.15
    height = head + _PANEL + _BOTTOM
    inner = _WIDTH - _LEFT - _RIGHT
    with style():
        figure = Picture(figsize=(_WIDTH, height), facecolor=PAPER)
        place = (_LEFT / _WIDTH, _BOTTOM / height, inner / _WIDTH, _PANEL / height)
        right, top = (max(1, *(point[axis] for point in points)) for axis in (0, 1))
        axes = figure.add_axes(place, xlim=(-0.03 * right, 1.05 * right), ylim=(-0.05 * top, 1.08 * top))
        axes.tick_params(labelsize=7, colors=INK)
        axes.set_xlabel("PCI controllers", fontsize=8, color=INK)
        axes.set_ylabel("devices that can be detached", fontsize=8, color=INK)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True))
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        # with a number of controllers goes what fewer of them give, too
        axes.plot(
            [x for x, _ in front], [y for _, y in front], drawstyle="steps-post", color=LINE, linewidth=1, gid="front"
        )
        axes.text(
            1, 1 + _LINE * len(layouts) / _PANEL,
            "filled: the front; hollow: another layout is as good in both, or better",
            fontsize=7, color=FAINT, ha="right", va="center", transform=axes.transAxes,
        )  # fmt: skip
        for number, (name, group) in enumerate(layouts.items()):
            ink, mark = _LOOKS[number % len(_LOOKS)]
            for on_front in (False, True):
                chosen = sorted({point for point in group if (point in front) is on_front})
                if chosen:
                    axes.plot(
                        [x for x, _ in chosen], [y for _, y in chosen], linestyle="none", marker=mark, color=ink,
                        markersize=5.5, markerfacecolor=ink if on_front else PAPER, clip_on=False, zorder=3,
                        gid=f"{'front' if on_front else 'behind'}-{number}",
                    )  # fmt: skip
            y = 1 + (_LINE * (len(layouts) - number) - 0.02) / _PANEL
            axes.plot(
                [0.1 / inner], [y], linestyle="none", marker=mark, color=ink, markersize=5.5, clip_on=False,
                transform=axes.transAxes,
            )  # fmt: skip
            text = str(name) if group else f"{name}: does not fit"
            axes.text(
                0.25 / inner, y, shortened(printable(text), 8, inner - 4.2), fontsize=8, color=INK if group else FAINT,
                va="center", transform=axes.transAxes, parse_math=False,
            )  # fmt: skip
    return figure


def _are_points(group: object) -> bool:
    return isinstance(group, Sequence) and all(
        isinstance(point, tuple)
        and len(point) == 2
        and all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in point)
        for point in group
    )


def front_of(points: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return those with more of the second than all that have no more of the first, in ascending order."""
    front: list[tuple[int, int]] = []
    for point in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or point[1] > front[-1][1]:
            front.append(point)
    return front
