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
    """Return for each family the least and the most free slots of a bar, its height and the colour of its edge."""
    (axes,) = figure.axes
    families: list[list[tuple[int, int, int, str]]] = []
    for patch in axes.patches:
        found = re.fullmatch(r"free-(\d+)-(\d+)-(\d+)", str(patch.get_gid()))
        if found is None:
            assert re.fullmatch(r"legend-\d+", str(patch.get_gid()))
            continue
        number, low, high = map(int, found.groups())
        if number == len(families):
            families.append([])
        height = round(patch.get_height())  # type: ignore[attr-defined]
        edge = to_rgb(patch.get_edgecolor())
        families[number].append((low, high, height, "red" if edge[0] > 2 * edge[2] else "grey"))
    return families


def test_bars() -> None:
    figure = plot.headroom_histogram({"q35": TABLE, "i440fx": {3: 5}})
    assert bars(figure) == [
        [(0, 0, 120, "red"), *((n, n, TABLE.get(n, 0), "grey") for n in range(1, 8))],
        [(0, 0, 0, "red"), *((n, n, 5 if n == 3 else 0, "grey") for n in range(1, 8))],
    ]


def test_families_differ_in_colour_and_hatch() -> None:
    figure = plot.headroom_histogram(dict.fromkeys("abcde", TABLE))
    (axes,) = figure.axes
    looks = [p for p in axes.patches if str(p.get_gid()).startswith("legend")]
    assert len({p.get_facecolor() for p in looks}) == len({p.get_hatch() for p in looks}) == 5


def test_many_slots_are_put_together() -> None:
    (panel,) = bars(plot.headroom_histogram({"q35": {0: 1, 24: 2, 900: 3}}))
    assert [(low, high) for low, high, _, _ in panel][8:] == [
        (8, 8),
        *((2**n + 1, 2 ** (n + 1)) for n in range(3, 10)),
    ]
    (panel,) = bars(plot.headroom_histogram({"q35": {24: 2}}))
    assert len(panel) == 25


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
