"""How values show themselves in notebooks.

What draws them is far above what they are, so it registers itself here; it is loaded when somebody first asks.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

SVG, HTML = "svg", "html"
_DRAWN_BY = "pcisim.plot"
_drawers: dict[str, Callable[[object], str | None]] = {}


def register(form: str, drawer: Callable[[object], str | None]) -> None:
    """Say who draws values in a form.

    Args:
        form: `SVG` or `HTML`.
        drawer: returns the picture of a value as text; ``None`` where it cannot be drawn.
    """
    _drawers[form] = drawer


def picture(value: object, form: str) -> str | None:
    """Return the picture of a value in a form; ``None`` where the libraries for it are missing."""
    if form not in _drawers:
        import_module(_DRAWN_BY)
    return _drawers[form](value)
