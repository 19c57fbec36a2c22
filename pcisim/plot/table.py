"""Tables for notebooks: HTML without styles, which every viewer shows; plain columns as text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from pcisim.capacity.report import THEORETICAL, Capacity
from pcisim.errors import UsageError
from pcisim.formats.plain import printable


class Table:
    """Rows under a head; numbers are set flush right.

    Args:
        head: the names of the columns.
        rows: as many values a row as there are names.
        caption: a line above the table, or "".

    Raises:
        UsageError: a row is shorter or longer than the head.
    """

    def __init__(self, head: Sequence[str], rows: Sequence[Sequence[object]], caption: str = "") -> None:
        self.head = [str(name) for name in head]
        self.rows = [list(row) for row in rows]
        self.caption = caption
        for row in self.rows:
            if len(row) != len(self.head):
                raise UsageError(f"a row of {len(row)} values under {len(self.head)} names: {row}", code="usage")

    def _repr_html_(self) -> str:
        lines = ["<table>"]
        if self.caption:
            lines.append(f"<caption>{_html(self.caption)}</caption>")
        lines.append("<thead><tr>" + "".join(f"<th>{_html(name)}</th>" for name in self.head) + "</tr></thead>")
        lines.append("<tbody>")
        for row in self.rows:
            lines.append("<tr>" + "".join(f"<td{_align(value)}>{_html(_text(value))}</td>" for value in row) + "</tr>")
        return "\n".join([*lines, "</tbody>", "</table>"])

    def __str__(self) -> str:
        texts = [self.head, *([printable(_text(value)) for value in row] for row in self.rows)]
        widths = [max(len(row[place]) for row in texts) for place in range(len(self.head))]
        lines = []
        for number, row in enumerate(texts):
            cells = [
                text.rjust(width) if number and _align(self.rows[number - 1][place]) else text.ljust(width)
                for place, (text, width) in enumerate(zip(row, widths))
            ]
            lines.append("  ".join(cells).rstrip())
        return "\n".join([self.caption, *lines] if self.caption else lines)

    def __repr__(self) -> str:
        return str(self)


def capacity_table(capacity: Capacity) -> str:
    """Return a capacity as HTML: a row for each bus, equal neighbours in one; then the budgets.

    Args:
        capacity: what `pcisim.capacity.report.capacity` returned.
    """
    groups: list[list[object]] = []
    before: tuple[object, ...] = ()
    for bus in capacity.buses:
        plug = bus.plug or "no endpoints"
        figures = (bus.used, bus.reserved, bus.free_functions, bus.unusable, bus.free_slots, bus.hot_slots)
        values = (bus.model, plug, *figures, "; ".join(bus.why))
        if values == before:
            groups[-1][0] = f"{str(groups[-1][0]).partition('-')[0]}-{bus.index:#04x}"
        else:
            groups.append([f"{bus.index:#04x}", *values])
        before = values
    head = ["bus", "model", "takes", "used", "reserved", "free", "unusable", "empty slots", "of them hot", "why"]
    caption = f"{capacity.machine}: {THEORETICAL} functions a bus in theory"
    budgets = "<br>\n".join(_html(line) for line in capacity.budget_lines())
    return f"{Table(head, groups, caption)._repr_html_()}\n<p>{budgets}</p>"


def _text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "unknown"}[value]
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}" if isinstance(value, float) else str(value)


def _align(value: object) -> str:
    return ' align="right"' if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _html(text: str) -> str:
    return escape(printable(text))
