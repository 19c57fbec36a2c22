"""A sheet to draw on, in inches from the upper left corner; how text is measured; what kinds look like.

The pictures look the same whatever matplotlib's settings are, and the same input gives the same bytes.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import matplotlib
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextToPath

from pcisim.catalogue.x86_machines import BUILT_IN, PREFERRED, RESERVED
from pcisim.errors import UsageError
from pcisim.plot._view import CONTROLLER, DISPLAY, FREE, HOST, KINDS, NETWORK, OTHER, STORAGE, UNUSABLE

INK = "#1a1a1a"
FAINT = "#6b6b6b"
LINE = "#9a9a9a"
PAPER = "#ffffff"
_POINTS = 72
_LEADING = 1.2
_SWATCH, _APART = 0.3, 0.2
_SETTINGS: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "svg.fonttype": "none",  # text stays text: it can be searched and read aloud
    "svg.hashsalt": "pcisim",
    "hatch.linewidth": 0.6,
}


class Style(NamedTuple):
    """How a kind of owner is drawn: the shades differ in grey too, the letter and the hatch say it twice."""

    fill: str
    ink: str
    hatch: str
    letter: str


LOOKS = {
    BUILT_IN: Style("#3f4650", "#ffffff", "", "B"),
    RESERVED: Style("#fbd3a0", INK, "////", "R"),
    PREFERRED: Style("#fff3b8", INK, r"\\\\", "P"),
    NETWORK: Style("#6fd0b4", INK, "", "N"),
    STORAGE: Style("#86bbe4", INK, "", "S"),
    DISPLAY: Style("#e4b4ea", INK, "", "D"),
    HOST: Style("#f7a38f", INK, "", "H"),
    CONTROLLER: Style("#d3c19f", INK, "", "C"),
    OTHER: Style("#d9dfe8", INK, "", "O"),
    FREE: Style(PAPER, FAINT, "", ""),
    UNUSABLE: Style("#dcdcdc", FAINT, "xxxx", ""),
}
LEGEND = {
    BUILT_IN: "B  built in",
    RESERVED: "R  for a chipset controller",
    PREFERRED: "P  free, preferred for a kind of device",
    NETWORK: "N  network",
    STORAGE: "S  storage",
    DISPLAY: "D  display",
    HOST: "H  host device",
    CONTROLLER: "C  controller",
    OTHER: "O  other device",
    FREE: "free",
    UNUSABLE: "cannot be used",
}


class Picture(Figure):
    """A matplotlib `Figure` that shows itself in a notebook."""

    def _repr_svg_(self) -> str:
        return svg(self)


@contextmanager
def style() -> Iterator[None]:
    """Draw with matplotlib's defaults, whatever the user's settings are."""
    with matplotlib.style.context(["default", _SETTINGS], after_reset=True), warnings.catch_warnings():
        # a label may hold letters that the font lacks; a viewer takes them from another one
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        yield


def svg(figure: Figure) -> str:
    """Return a figure as SVG; the same figure gives the same text.

    Args:
        figure: what a function of this package returned, or any other figure.

    Raises:
        UsageError: it is not a figure.
    """
    if not isinstance(figure, Figure):
        raise UsageError(f"svg takes a Figure, not {figure!r}", code="usage")
    text = io.StringIO()
    with style():
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    # rotations by nothing and paths of many lines are half of what matplotlib writes
    shorter = re.sub(r' transform="rotate\(-0 [-0-9. ]+\)"', "", text.getvalue())
    shorter = re.sub(r' d="[^"]*"', lambda found: " " + " ".join(found[0].split()), shorter)
    return "\n".join(line.strip() for line in shorter.splitlines()) + "\n"


@lru_cache(maxsize=8192)
def text_width(text: str, size: float, bold: bool = False) -> float:
    """Return the width of a line of text in inches, at a size in points."""
    font = FontProperties(family=["DejaVu Sans"], size=size, weight="bold" if bold else "normal")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        width, _, _ = TextToPath().get_text_width_height_descent(text, font, ismath=False)
    return float(width) * (1.04 if size >= 8 else 1.08) / _POINTS  # glyphs snapped to pixels are wider than outlines


def shortened(text: str, size: float, room: float, bold: bool = False) -> str:
    """Return a text cut to a width in inches, with an ellipsis if anything is missing."""
    if text_width(text, size, bold) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(text[:middle] + "…", size, bold) <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


def fitted(text: str, width: float, height: float, sizes: tuple[float, ...]) -> tuple[str, float]:
    """Return a text broken into lines that fit a box, and its size; the first size that takes all of it.

    Args:
        text: one line.
        width: the box, in inches.
        height: the box, in inches.
        sizes: in points, the most wanted first.
    """
    for size in sizes:
        lines = _wrapped(text, size, width)
        if lines and len(lines) * size * _LEADING / _POINTS <= height:
            return "\n".join(lines), size
    size = sizes[-1]
    rows = max(1, int(height * _POINTS / (size * _LEADING)))
    lines = []
    while text and len(lines) < rows - 1 and " " in text and text_width(text.partition(" ")[0], size) <= width:
        line = _first_line(text, size, width)
        lines.append(line)
        text = text[len(line) :].lstrip()
    return "\n".join([*lines, shortened(text, size, width)] if text else lines), size


def _wrapped(text: str, size: float, width: float) -> list[str]:
    """Return a text in lines, broken at blanks; nothing when a word is too long."""
    lines = []
    while text:
        line = _first_line(text, size, width)
        if text_width(line, size) > width:
            return []
        lines.append(line)
        text = text[len(line) :].lstrip()
    return lines


def _first_line(text: str, size: float, width: float) -> str:
    words = text.split(" ")
    count = len(words)
    while count > 1 and text_width(" ".join(words[:count]), size) > width:
        count -= 1
    return " ".join(words[:count])


class Sheet:
    """A figure without axes, drawn on in inches; y grows downwards.

    Args:
        width: in inches.
        height: in inches.
    """

    def __init__(self, width: float, height: float) -> None:
        self.figure = Picture(figsize=(width, height), facecolor=PAPER)
        self.axes: Axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0), frame_on=False)
        self.axes.set_axis_off()

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        look: Style,
        name: str = "",
        edge: str = LINE,
        **more: Any,
    ) -> None:
        """Draw a rectangle that looks like a kind of owner, under a name that the SVG keeps."""
        settings: dict[str, Any] = {"linewidth": 0.5, "hatch": look.hatch or None} | more
        ink = FAINT if look.hatch and edge == LINE else edge  # a hatch has the colour of the edge
        patch = Rectangle((x, y), width, height, facecolor=look.fill, edgecolor=ink, clip_on=False, **settings)
        if name:
            patch.set_gid(name)
        self.axes.add_patch(patch)

    def text(self, x: float, y: float, text: str, size: float = 7, *, ink: str = INK, **more: Any) -> None:
        """Write a text; `more` as for matplotlib's `Text`."""
        settings: dict[str, Any] = {"ha": "left", "va": "center", "linespacing": 1.05} | more
        self.axes.text(x, y, text, fontsize=size, color=ink, parse_math=False, **settings)

    def line(self, x: Sequence[float], y: Sequence[float], ink: str = FAINT, width: float = 0.8) -> None:
        """Draw a line through points."""
        self.axes.plot(x, y, color=ink, linewidth=width, solid_capstyle="butt")

    def legend(self, x: float, y: float, kinds: tuple[str, ...] = KINDS, room: float = 8.0) -> float:
        """Draw what the kinds look like, in as many lines as it takes; return where the next thing may begin."""
        place = x
        for kind in kinds:
            width = _SWATCH + text_width(LEGEND[kind], 7) + _APART
            if place > x and place + width - _APART > x + room:
                place, y = x, y + 0.2
            self.box(place, y - 0.06, 0.24, 0.12, LOOKS[kind], f"legend-{kind}")
            self.text(place + _SWATCH, y, LEGEND[kind])
            place += width
        return y + 0.2


def legend_height(kinds: tuple[str, ...], room: float) -> float:
    """Return the height in inches of the legend in a width."""
    place, lines = 0.0, 1
    for kind in kinds:
        width = _SWATCH + text_width(LEGEND[kind], 7) + _APART
        if place and place + width - _APART > room:
            place, lines = 0.0, lines + 1
        place += width
    return lines * 0.2
