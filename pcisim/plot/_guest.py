"""The definition's addresses and the guest's, side by side: one row a function, in the order of the buses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from matplotlib.figure import Figure

from pcisim.enumeration import GuestFunction, GuestView, enumerate_guest
from pcisim.enumeration.names import names_of_guest
from pcisim.errors import UsageError
from pcisim.formats.guest import Names, is_moved, name_of
from pcisim.formats.plain import printable
from pcisim.placement import Placement
from pcisim.plot._canvas import FAINT, INK, Sheet, Style, fitted, shortened, style, text_width
from pcisim.plot._view import Placed, placement_of

SAME, MOVED, LOST, CHIPSET = "same", "moved", "lost", "chipset"
LOOKS = {
    SAME: Style("#ffffff", INK, "", ""),
    MOVED: Style("#ffd27f", INK, "", ""),
    LOST: Style("#dcdcdc", INK, "xxxx", ""),
    CHIPSET: Style("#f0f0f0", FAINT, "", ""),
}
LEGEND = {
    SAME: "no difference",
    MOVED: "≠  another number in the guest",
    LOST: "✗  never seen",
    CHIPSET: "built in, in no definition",
}
_SIZE = 7.0
_ROW, _PITCH = 0.19, 0.225
_MARGIN, _PAD, _STEP = 0.2, 0.06, 0.16
_GAP = 0.7
_WIDEST = 3.6
_MOST_ROWS = 60
_FEWEST_FOLDED = 3


class _Row(NamedTuple):
    """One function: what is written on both sides."""

    depth: int
    kind: str
    left: str
    label: str
    right: str
    name: str


def guest_map(subject: Placed | GuestView, *, firmware: str | None = None, scheme: str | None = None) -> Figure:
    """Draw a definition and its guest side by side, with the numbers that differ marked.

    Each row is a function: on the left the configured address and the device, on the right the address at
    which the guest finds it, the buses behind it, and the name of a network interface.  A row whose number
    differs has a thick frame, a shade and a ``≠``; what is never seen is hatched, with a ``✗``.  In a large
    guest rows without a difference are folded.

    Args:
        subject: a plan, or what `pcisim.enumeration.enumerate_guest` returned (then without names).
        firmware: of a plan's guest: ``seabios`` or ``ovmf``; by default as the definition says.
        scheme: the naming scheme of the interfaces, such as ``v252``; by default every one.

    Raises:
        UsageError: it is neither, or the firmware or the scheme is unknown.
    """
    names: Names = {}
    if isinstance(subject, GuestView):
        view, machine = subject, ""
    else:
        placement = placement_of(subject)
        if placement is None or isinstance(subject, Placement):
            raise UsageError(
                f"guest_map shows a Plan or a GuestView, not {subject!r}",
                code="usage",
                remedy="write pcisim.assign(guest) for a plan",
            )
        guest = placement.guest
        view = enumerate_guest(placement, firmware or guest.firmware)
        names = names_of_guest(placement, view, scheme)
        machine = printable(f"{guest.machine_name} ({guest.arch}), ")
    return _drawn(f"{machine}{view.profile}", view, _folded(_rows(view, names)))


def _rows(view: GuestView, names: Names) -> list[_Row]:
    """Return a row for each function: each bridge before what is behind it, what is lost last on its bus."""
    on: dict[int, list[GuestFunction]] = {}
    for function in view.functions:
        if function.address is not None:
            on.setdefault(function.address.bus, []).append(function)
    buses = {bus.label: bus.number for bus in view.buses if bus.label is not None}
    without_bus: list[GuestFunction] = []
    for function in view.unseen:
        home = None if function.configured is None else buses.get(f"pci:{function.configured.bus}")
        (without_bus if home is None else on.setdefault(home, [])).append(function)
    rows: list[_Row] = []
    drawn = set()
    stack = [(function, 0) for function in without_bus]
    for bus in reversed([bus.number for bus in view.buses if bus.bridge is None]):
        drawn.add(bus)
        stack += [(function, 0) for function in reversed(on.get(bus, []))]
    while stack:
        function, depth = stack.pop()
        rows.append(_row(function, depth, names))
        secondary = function.numbers.secondary if function.numbers is not None else 0
        if function.address is not None and secondary and secondary not in drawn:
            drawn.add(secondary)
            stack += [(child, depth + 1) for child in reversed(on.get(secondary, []))]
    return rows


def _row(function: GuestFunction, depth: int, names: Names) -> _Row:
    left = "" if function.configured is None else str(function.configured).partition(":")[2]
    if function.address is None:
        return _Row(depth, LOST, left, name_of(function), "never seen", "")
    kind = MOVED if is_moved(function) else CHIPSET if function.label is None else SAME
    parts = [option.name for option in names.get(function.address, ())]
    if function.numbers is not None and function.numbers.secondary:
        first, last = function.numbers.secondary, function.numbers.subordinate
        parts.append(f"bus {first:02x}" if first == last else f"buses {first:02x}-{last:02x}")
    return _Row(
        depth, kind, left, name_of(function), str(function.address).partition(":")[2], " / ".join(dict.fromkeys(parts))
    )


def _folded(rows: list[_Row]) -> list[_Row]:
    """Return no more rows than are legible: runs without a difference as one, then the rest cut off."""
    if len(rows) <= _MOST_ROWS:
        return rows
    kept: list[_Row] = []
    run: list[_Row] = []
    for row in [*rows, None]:
        if row is not None and row.kind in (SAME, CHIPSET):
            run.append(row)
            continue
        if len(run) < _FEWEST_FOLDED:
            kept += run
        else:
            kept.append(_Row(min(r.depth for r in run), CHIPSET, "", f"… {len(run)} without a difference", "", ""))
        run = []
        if row is not None:
            kept.append(row)
    if len(kept) > _MOST_ROWS:
        missing = kept[_MOST_ROWS - 1 :]
        kept[_MOST_ROWS - 1 :] = [_Row(0, CHIPSET, "", f"… and {len(missing)} more rows", "", "")]
    return kept


def _drawn(title: str, view: GuestView, rows: list[_Row]) -> Figure:
    left = _width((row.left, row.label, row.depth * _STEP) for row in rows)
    right = _width((row.right, row.name, row.depth * _STEP) for row in rows)
    width = max(left + right + _GAP, 5.4) + 2 * _MARGIN
    moved = sum(row.kind == MOVED for row in rows)
    written = any(row.left for row in rows)
    note = f"{len(view.functions)} functions" + (f", {moved} not where they are configured" if written else "")
    if view.unseen:
        note += f", {len(view.unseen)} never seen"
    if view.boots is False:
        note = f"does not boot: {view.reason}"
    note, size = fitted(note, width - 2 * _MARGIN, 0.3, (7.5, 7.0, 6.5))
    kinds = [kind for kind in LOOKS if any(row.kind == kind for row in rows)]
    lines = 1 + (sum(_swatch(kind) + 0.2 for kind in kinds) > width - 2 * _MARGIN)
    top = 0.95
    with style():
        sheet = Sheet(width, top + len(rows) * _PITCH + 0.25 + lines * _PITCH)
        sheet.text(_MARGIN, 0.22, shortened(title, 10, width - 2 * _MARGIN, True), 10, weight="bold")
        sheet.text(_MARGIN, 0.47, note, size, ink=INK if view.boots is False else FAINT)
        sheet.text(_MARGIN, top - 0.13, "configured" if written else "made", _SIZE, weight="bold")
        x = _MARGIN + left + _GAP
        sheet.text(x, top - 0.13, "in the guest", _SIZE, weight="bold")
        for number, row in enumerate(rows):
            _draw(sheet, row, number, top + number * _PITCH, left, right, x)
        _legend(sheet, kinds, top + len(rows) * _PITCH + 0.2, width - 2 * _MARGIN)
    return sheet.figure


def _width(cells: Iterable[tuple[str, str, float]]) -> float:
    widest = max((text_width(a, _SIZE, True) + text_width(b, _SIZE) + indent for a, b, indent in cells), default=1.0)
    return min(widest + 4 * _PAD, _WIDEST)


def _draw(sheet: Sheet, row: _Row, number: int, y: float, left: float, right: float, x: float) -> None:
    """Draw both boxes of a row, and what is between them."""
    look = LOOKS[row.kind]
    marked = row.kind in (MOVED, LOST)
    indent = row.depth * _STEP
    middle = y + _ROW / 2
    frame = {"linewidth": 1.4 if marked else 0.5}
    sheet.box(
        _MARGIN + indent, y, left - indent, _ROW, LOOKS[CHIPSET if row.kind == CHIPSET else SAME], f"left-{number}"
    )
    _write(sheet, row.left, row.label, _MARGIN + indent, middle, left - indent, bold=False, ink=look.ink)
    if not row.right:
        return
    start = _MARGIN + left
    if marked:
        sheet.line([start + 0.06, start + _GAP / 2 - 0.1], [middle, middle], INK, 1.2)
        sheet.line([start + _GAP / 2 + 0.1, x + indent - 0.06], [middle, middle], INK, 1.2)
        sheet.text(start + _GAP / 2, middle, "≠" if row.kind == MOVED else "✗", 9, ha="center", weight="bold")
    else:
        sheet.line([start + 0.06, x + indent - 0.06], [middle, middle], FAINT, 0.5)
    sheet.box(x + indent, y, right - indent, _ROW, look, f"{row.kind}-{number}", INK, **frame)
    _write(sheet, row.right, row.name, x + indent, middle, right - indent, bold=marked, ink=look.ink)


def _write(sheet: Sheet, first: str, second: str, x: float, y: float, width: float, *, bold: bool, ink: str) -> None:
    x += _PAD
    place = text_width(first, _SIZE, bold) + 2 * _PAD if first else 0.0
    backing = {"bbox": {"facecolor": "#ffffff", "edgecolor": "none", "pad": 0.8}} if first == "never seen" else {}
    sheet.text(x, y, first, _SIZE, ink=ink, weight="bold" if bold else "normal", **backing)
    sheet.text(x + place, y, shortened(second, _SIZE, width - place - 2 * _PAD + 0.02), _SIZE, ink=ink)


def _legend(sheet: Sheet, kinds: list[str], y: float, room: float) -> None:
    x = _MARGIN
    for kind in kinds:
        if x > _MARGIN and x + _swatch(kind) > _MARGIN + room:
            x, y = _MARGIN, y + _PITCH
        width = {"linewidth": 1.4 if kind in (MOVED, LOST) else 0.5}
        sheet.box(x, y - 0.06, 0.24, 0.12, LOOKS[kind], f"legend-{kind}", INK, **width)
        sheet.text(x + 0.3, y, LEGEND[kind])
        x += _swatch(kind) + 0.2


def _swatch(kind: str) -> float:
    return 0.3 + text_width(LEGEND[kind], _SIZE)
