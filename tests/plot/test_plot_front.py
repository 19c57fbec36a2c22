"""Layouts against each other: the front is what nothing beats, and everything can be read."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from pcisim import plot
from pcisim.errors import UsageError
from pcisim.plot._front import front_of
from tests.plot.test_plot import assert_readable

LAYOUTS = {"libvirt": [(29, 26)], "dense": [(4, 0)], "wishes": [(5, 1), (7, 3), (7, 4), (27, 26)], "no fit": []}


def points_of(line: Any) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for x, y in zip(*line.get_data())]


def marks(figure: Figure, kind: str) -> dict[int, list[tuple[int, int]]]:
    """Return the points of a kind of mark, by the number of their policy."""
    (axes,) = figure.axes
    found = {}
    for line in axes.lines:
        name = re.fullmatch(rf"{kind}-(\d+)", str(line.get_gid()))
        if name:
            found[int(name[1])] = points_of(line)
    return found


def test_front() -> None:
    figure = plot.layout_front(LAYOUTS)
    assert marks(figure, "front") == {1: [(4, 0)], 2: [(5, 1), (7, 4), (27, 26)]}
    assert marks(figure, "behind") == {0: [(29, 26)], 2: [(7, 3)]}
    (line,) = [line for line in figure.axes[0].lines if line.get_gid() == "front"]
    assert points_of(line) == [(4, 0), (5, 1), (7, 4), (27, 26)]
    assert "no fit: does not fit" in [text.get_text() for text in figure.axes[0].texts]
    assert_readable(figure)
    assert plot.svg(figure) == plot.svg(plot.layout_front(LAYOUTS))


def test_long_names_are_cut() -> None:
    assert_readable(plot.layout_front({"$x$ " * 99: [(0, 0)], "\n": [(0, 0)]}))


@settings(max_examples=50)
@given(st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1))
def test_nothing_beats_the_front(points: set[tuple[int, int]]) -> None:
    front = front_of(points)
    assert front == sorted(front)
    for x, y in points:
        beaten = any(a <= x and b >= y and (a, b) != (x, y) for a, b in points)
        assert beaten is ((x, y) not in front)


@pytest.mark.parametrize(
    "layouts", [None, {}, {"a": []}, {"a": [(1,)]}, {"a": [(1, -1)]}, {"a": [(1, True)]}, {"a": 3}, {"a": [(1.5, 2)]}]
)
def test_nothing_to_draw(layouts: Any) -> None:
    with pytest.raises(UsageError, match="layout_front takes pairs"):
        plot.layout_front(layouts)
