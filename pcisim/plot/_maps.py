"""Maps of buses: 32 slots of 8 functions, by who owns them."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.figure import Figure

from pcisim.address import FUNCTIONS
from pcisim.capacity.report import THEORETICAL
from pcisim.catalogue.x86_machines import BUILT_IN, PREFERRED, RESERVED
from pcisim.errors import UsageError
from pcisim.plot._canvas import FAINT, INK, LOOKS, Sheet, fitted, legend_height, shortened, style, text_width
from pcisim.plot._view import DEVICES, FREE, KINDS, UNUSABLE, BusContents, Cell, Subject, ranges

MOST_MAPS = 48
"""How many buses `bus_maps` draws when nobody names them."""

_CELL, _ROW = 1.18, 0.26
_MARGIN = 0.2
_SLOT = 0.42
_SIZES = (7.0, 6.5, 6.0, 5.6)


def bus_map(subject: Subject, bus: int = 0) -> Figure:
    """Draw a bus as a grid: a row for each slot, a column for each function.

    Args:
        subject: a plan, a placement or a topology.
        bus: the index of the controller.

    Raises:
        UsageError: there is no such bus.
    """
    view = BusContents(subject)
    cells = view.cells(bus)
    model = view.topology.buses[bus].model
    width = 2 * _MARGIN + _SLOT + FUNCTIONS * _CELL
    rows = len(cells) // FUNCTIONS
    top = 0.95
    inner = width - 2 * _MARGIN
    shown = _shown(cells)
    with style():
        sheet = Sheet(width, top + rows * _ROW + 0.2 + legend_height(shown, inner) + 0.05)
        sheet.text(_MARGIN, 0.22, _title(view, bus), 11, weight="bold")
        sheet.text(
            _MARGIN, 0.38, fitted(_counts(cells, model.unusable), inner, 0.3, (7.5,))[0], 7.5, ink=FAINT, va="top"
        )
        x = _MARGIN + _SLOT
        sheet.text(_MARGIN, top - 0.12, "slot", 7, ink=FAINT)
        for function in range(FUNCTIONS):
            sheet.text(x + (function + 0.5) * _CELL, top - 0.12, f"function {function}", 7, ink=FAINT, ha="center")
        for cell in cells:
            _draw(sheet, cell, bus, x + cell.function * _CELL, top + cell.slot * _ROW, _CELL, _ROW)
        for slot in range(rows):
            sheet.text(x - 0.08, top + (slot + 0.5) * _ROW, f"{slot:02x}", 7, ha="right")
        sheet.legend(_MARGIN, top + rows * _ROW + 0.2, shown, inner)
    return sheet.figure


def _shown(cells: Iterable[Cell]) -> tuple[str, ...]:
    """Return the kinds that the legend explains: those that are in the picture."""
    found = {cell.kind for cell in cells}
    return tuple(kind for kind in KINDS if kind in found)


def _draw(sheet: Sheet, cell: Cell, bus: int, x: float, y: float, width: float, height: float) -> None:
    """Draw one function; with its label if there is room for one, else with the letter of its kind."""
    look = LOOKS[cell.kind]
    sheet.box(x, y, width, height, look, f"{cell.kind}-{bus:02x}.{cell.slot:02x}.{cell.function}")
    if not look.letter:
        return
    middle = y + height / 2
    # on a hatch, text needs a ground of its own
    ground = {"facecolor": look.fill, "edgecolor": "none", "pad": 0.6} if look.hatch else None
    if not cell.label:
        sheet.text(x + width / 2, middle, look.letter, 6, ink=look.ink, ha="center", bbox=ground)
        return
    sheet.text(x + 0.045, middle, look.letter, 6, ink=look.ink, weight="bold", bbox=ground)
    text, size = fitted(cell.label, width - 0.19, height - 0.02, _SIZES)
    sheet.text(x + 0.15, middle, text, size, ink=look.ink, bbox=ground)


def _title(view: BusContents, bus: int) -> str:
    machine = f"{view.title}: " if view.title else ""
    return f"{machine}bus {bus:#04x} {view.topology.buses[bus].model.name}"


def _counts(cells: list[Cell], why: str) -> str:
    count = {kind: sum(cell.kind == kind for cell in cells) for kind in KINDS}
    parts = [
        f"{count[BUILT_IN]} built in" if count[BUILT_IN] else "",
        f"{count[RESERVED]} for chipset controllers" if count[RESERVED] else "",
        f"{sum(count[kind] for kind in DEVICES)} held by devices and controllers",
        f"{count[FREE] + count[PREFERRED]} free",
        f"{count[UNUSABLE]} cannot be used" if count[UNUSABLE] else "",
    ]
    reason = f" ({why})" if why else ""
    return f"{THEORETICAL} functions in theory: {', '.join(part for part in parts if part)}{reason}"


# several buses at once: small cells with letters, the owners beside them

_SMALL, _LOW = 0.2, 0.17
_NARROW, _WIDE = 2.0, 4.2
"""Between what the names of owners have room."""
_GRID = 0.5 + FUNCTIONS * _SMALL + 0.08
_GAP = 0.3
_HEAD = 0.3
_TALL = 9.5


def bus_maps(subject: Subject, buses: Iterable[int] | None = None) -> Figure:
    """Draw several buses side by side: a letter in each held function, the owners beside the slot.

    Neighbouring slots that cannot be used, or in which nothing is held, are drawn as one row.

    Args:
        subject: a plan, a placement or a topology.
        buses: the indexes; all buses when ``None``, or the first `MOST_MAPS` with a note of how many are missing.

    Raises:
        UsageError: no such bus, or none at all.
    """
    view = BusContents(subject)
    every = range(len(view.topology.buses))
    try:
        chosen = list(every[:MOST_MAPS] if buses is None else buses)
    except TypeError:
        raise UsageError(f"bus_maps takes indexes of buses, not {buses!r}", code="usage") from None
    if not chosen:
        raise UsageError("there is no bus to draw", code="usage")
    panels = [(index, _rows(view.cells(index))) for index in chosen]
    heights = [_HEAD + len(rows) * _LOW + 0.12 for _, rows in panels]
    columns = _columns(heights)
    left_out = len(every) - len(chosen) if buses is None else 0
    names = max(text_width(_owners(row), 6.5) for _, rows in panels for row in rows)
    panel = _GRID + min(max(names + 0.02, _NARROW), _WIDE)
    shown = _shown(cell for _, rows in panels for row in rows for cell in row)
    width = 2 * _MARGIN + len(columns) * (panel + _GAP) - _GAP
    inner = width - 2 * _MARGIN
    body = max(sum(heights[place] for place in column) for column in columns)
    top = 0.45 if view.title else 0.15
    with style():
        sheet = Sheet(width, top + body + 0.15 + legend_height(shown, inner) + (0.25 if left_out else 0.05))
        if view.title:
            sheet.text(_MARGIN, 0.22, view.title, 11, weight="bold")
        for number, column in enumerate(columns):
            x, y = _MARGIN + number * (panel + _GAP), top
            for place in column:
                index, rows = panels[place]
                _panel(sheet, view, index, rows, x, y, panel)
                y += heights[place]
        end = sheet.legend(_MARGIN, top + body + 0.15, shown, inner)
        if left_out:
            sheet.text(_MARGIN, end + 0.03, f"{left_out} more buses are not shown", 7, ink=FAINT)
    return sheet.figure


def _rows(cells: list[Cell]) -> list[list[Cell]]:
    """Return the functions of a bus in rows of slots: slots side by side with nothing in them go into one row."""
    rows: list[list[Cell]] = []
    for start in range(0, len(cells), FUNCTIONS):
        slot = cells[start : start + FUNCTIONS]
        kinds = {cell.kind for cell in slot}
        plain = kinds in ({FREE}, {UNUSABLE})
        if plain and rows and {cell.kind for cell in rows[-1]} == kinds:
            rows[-1] += slot
        else:
            rows.append(list(slot))
    return rows


def _columns(heights: list[float]) -> list[list[int]]:
    """Deal panels, in their order, to one to three columns of about the same height."""
    count = min(3, len(heights), max(1, round(sum(heights) / _TALL + 0.5)))
    goal = max(*heights, sum(heights) / count) if len(heights) > 1 else heights[0]
    while True:
        columns: list[list[int]] = [[]]
        filled = 0.0
        for place, height in enumerate(heights):
            if columns[-1] and filled + height > goal + 1e-9:
                columns.append([])
                filled = 0.0
            columns[-1].append(place)
            filled += height
        if len(columns) <= count:
            return columns
        goal *= 1.03


def _panel(
    sheet: Sheet, view: BusContents, index: int, rows: list[list[Cell]], x: float, y: float, width: float
) -> None:
    sheet.text(x, y + 0.15, shortened(_bus_title(view, index), 8, width, bold=True), 8, weight="bold")
    y += _HEAD
    grid = x + 0.5
    for row in rows:
        slots = sorted({cell.slot for cell in row})
        sheet.text(grid - 0.06, y + _LOW / 2, ranges(slots), 6.5, ha="right")
        if len(slots) > 1:
            name = f"{row[0].kind}-{index:02x}.{slots[0]:02x}-{slots[-1]:02x}"
            sheet.box(grid, y, FUNCTIONS * _SMALL, _LOW, LOOKS[row[0].kind], name)
        else:
            for cell in row:
                look = LOOKS[cell.kind]
                place = grid + cell.function * _SMALL
                sheet.box(place, y, _SMALL, _LOW, look, f"{cell.kind}-{index:02x}.{cell.slot:02x}.{cell.function}")
                if look.letter:
                    ground = {"facecolor": look.fill, "edgecolor": "none", "pad": 0.4} if look.hatch else None
                    middle = (place + _SMALL / 2, y + _LOW / 2)
                    sheet.text(*middle, look.letter, 6, ink=look.ink, ha="center", bbox=ground)
        text = shortened(_owners(row), 6.5, width - _GRID)
        ink = FAINT if row[0].kind == UNUSABLE or len(slots) > 1 else INK
        sheet.text(grid + FUNCTIONS * _SMALL + 0.08, y + _LOW / 2, text, 6.5, ink=ink)
        y += _LOW


def _bus_title(view: BusContents, index: int) -> str:
    above = next((view.owners[packed].label for packed, below in view.below.items() if below == index), "")
    return f"bus {index:#04x} {view.topology.buses[index].model.name}" + (f" ({above})" if above else "")


def _owners(row: list[Cell]) -> str:
    """Return who is in a row, in a few words: neighbours of the same element and model by the first and the last."""
    slots = len(row) // FUNCTIONS
    if slots > 1:
        return f"{slots} slots {'cannot be used' if row[0].kind == UNUSABLE else 'free'}"
    runs: list[list[str]] = []
    for cell in row:
        if cell.label and runs and _alike(cell.label, runs[-1][0]):
            runs[-1].append(cell.label)
        elif cell.label:
            runs.append([cell.label])
    if not runs:
        return "cannot be used" if row[0].kind == UNUSABLE else "free"
    return ", ".join(map(_run, runs))


def _run(labels: list[str]) -> str:
    first, _, model = labels[0].partition(" ")
    last = labels[-1].partition(" ")[0]
    if len(labels) < 3:
        return labels[0] if len(labels) == 1 else f"{first}, {last} {model}"
    return f"{first} … {last} {model} ({len(labels)})"


def _alike(label: str, other: str) -> bool:
    """Return whether two labels are of the same element and model."""
    return ":" in label and [part.partition(":")[0] for part in label.split(" ")] == [
        part.partition(":")[0] for part in other.split(" ")
    ]
