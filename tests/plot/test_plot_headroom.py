"""The histogram of a fleet's head-room: its bars say what the table says, and everything can be read."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from pcisim import plot
from pcisim.errors import UsageError

TABLE = {0: 120, 1: 900, 2: 30, 7: 1}


def bars(figure: Figure) -> list[list[tuple[int, int, int, str]]]:
    """Return for each panel the least and the most free slots of a bar, its height and its colour."""
    panels = []
    for axes in figure.axes:
        panel = []
        for patch in axes.patches:
            found = re.fullmatch(r"free-(\d+)-(\d+)", str(patch.get_gid()))
            assert found
            height = round(patch.get_height())  # type: ignore[attr-defined]
            colour = "red" if to_rgb(patch.get_facecolor())[0] > 0.65 else "blue"
            panel.append((int(found[1]), int(found[2]), height, colour))
        panels.append(panel)
    return panels


def test_bars() -> None:
    figure = plot.headroom_histogram({"q35": TABLE, "i440fx": {3: 5}})
    assert bars(figure) == [
        [(0, 0, 120, "red"), *((n, n, TABLE.get(n, 0), "blue") for n in range(1, 8))],
        [(0, 0, 0, "red"), (1, 1, 0, "blue"), (2, 2, 0, "blue"), (3, 3, 5, "blue")],
    ]


def test_words() -> None:
    figure = plot.headroom_histogram({"q35: free": TABLE})
    (axes,) = figure.axes
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["120", "900", "30", "1", "q35: free", "1,051 guests, 120 without a free slot"]
    assert [label.get_text() for label in axes.get_xticklabels()] == [str(n) for n in range(8)]


@settings(max_examples=20)
@given(st.dictionaries(st.integers(0, 5000), st.integers(0, 10**7), min_size=1, max_size=60))
def test_every_guest_is_in_one_bar(table: dict[int, int]) -> None:
    (panel,) = bars(plot.headroom_histogram({"x": table}))
    assert len(panel) <= 41
    assert sum(count for _, _, count, _ in panel) == sum(table.values())
    for low, high, count, _ in panel:
        assert count == sum(guests for free, guests in table.items() if low <= free <= high)


@pytest.mark.parametrize("table", [{0: 5}, {0: 10**6, 1: 1}, dict.fromkeys(range(41), 10**5), {4000: 3, 7: 1}])
def test_texts_do_not_overlap(table: dict[int, int]) -> None:
    figure = plot.headroom_histogram({"i440fx: free hot-plug slots": table, "q35: free hot-plug slots": table})
    FigureCanvasAgg(figure)
    figure.canvas.draw()
    page = figure.bbox
    for axes in figure.axes:
        texts = [t for t in [*axes.texts, *axes.get_xticklabels()] if t.get_text()]
        boxes = [text.get_window_extent() for text in texts]
        for number, box in enumerate(boxes):
            assert page.x0 <= box.x0 < box.x1 <= page.x1, texts[number]
            assert page.y0 <= box.y0 < box.y1 <= page.y1, texts[number]
            for other in boxes[:number]:
                assert not box.overlaps(other), (texts[number], box, other)


def test_svg() -> None:
    text = plot.svg(plot.headroom_histogram({"<q35> & $x$": TABLE}))
    assert text == plot.svg(plot.headroom_histogram({"<q35> & $x$": TABLE}))
    assert "<q35> & $x$" in [element.text for element in ElementTree.fromstring(text).iter()]


@pytest.mark.parametrize(
    "counts", [{}, None, {"a": {}}, {"a": {-1: 3}}, {"a": {1: -1}}, {"a": {1.5: 1}}, {"a": {1: True}}]
)
def test_nothing_to_draw(counts: Any) -> None:
    with pytest.raises(UsageError):
        plot.headroom_histogram(counts)
