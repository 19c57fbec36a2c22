"""Pictures: bus maps, what fits against what was asked for, trees, the guest's numbers, layouts, a fleet's head-room.

Every function returns a matplotlib `Figure` that shows itself in a notebook; `svg` turns it into text.
Needs the extra ``plot``; a `Table` needs nothing.
"""

from __future__ import annotations

from typing import Any, cast

from pcisim.notebook import HTML, SVG, register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pcisim.capacity.report import Capacity
    from pcisim.plot._canvas import svg
    from pcisim.plot._curve import capacity_curve
    from pcisim.plot._front import layout_front
    from pcisim.plot._guest import guest_map
    from pcisim.plot._headroom import headroom_histogram
    from pcisim.plot._maps import bus_map, bus_maps
    from pcisim.plot._tree import topology_tree
    from pcisim.plot._view import Subject
    from pcisim.plot.table import Table, capacity_table

__all__ = [
    "Table",
    "bus_map",
    "bus_maps",
    "capacity_curve",
    "capacity_table",
    "guest_map",
    "headroom_histogram",
    "layout_front",
    "svg",
    "topology_tree",
]

_HOMES = {
    "svg": "_canvas",
    "capacity_curve": "_curve",
    "guest_map": "_guest",
    "layout_front": "_front",
    "headroom_histogram": "_headroom",
    "bus_map": "_maps",
    "bus_maps": "_maps",
    "topology_tree": "_tree",
    "Table": "table",
    "capacity_table": "table",
}


def _svg(subject: object) -> str | None:
    try:
        from pcisim.plot import svg, topology_tree
    except ImportError:
        return None
    return svg(topology_tree(cast("Subject", subject)))


def _html(subject: object) -> str | None:
    from pcisim.plot.table import capacity_table

    return capacity_table(cast("Capacity", subject))


register(SVG, _svg)
register(HTML, _html)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("matplotlib"):
            raise
        raise ImportError("pcisim.plot needs matplotlib: pip install 'pcisim[plot]'", name="matplotlib") from error
