"""The tree of buses: each bus a box, its slots as rows, the bus behind a port beside its row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from matplotlib.figure import Figure

from pcisim.address import MAX_FUNCTION, MAX_SLOT
from pcisim.capacity.report import room
from pcisim.catalogue.connectors import ENDPOINT
from pcisim.errors import counted
from pcisim.plot._canvas import (
    FAINT,
    INK,
    LOOKS,
    Sheet,
    Style,
    legend_height,
    shortened,
    style,
    text_width,
)
from pcisim.plot._view import (
    CONTROLLER,
    DEVICES,
    DISPLAY,
    FREE,
    HOST,
    KINDS,
    NETWORK,
    OTHER,
    STORAGE,
    BusContents,
    Subject,
    kind_of,
    name_of,
    ranges,
)
from pcisim.topology import Holder

_ROW, _PITCH = 0.185, 0.225
_SIZE = 7.0
_CHIP, _LETTER = 0.13, 5.5
_PAD = 0.06
_APART, _FARTHEST = 0.35, 1.2
"""The least and the most room between a bus and those behind it."""
_BELOW = 0.35
"""What is left free below a box of several rows, in rows."""
_MARGIN = 0.2
_WIDEST = 4.2
_TOP = 0.68
_HEADER = Style("#e9e9e9", INK, "", "")
_BEHIND = {
    NETWORK: ("network device", "network devices"),
    STORAGE: ("storage device", "storage devices"),
    DISPLAY: ("display device", "display devices"),
    HOST: ("host device", "host devices"),
    CONTROLLER: ("controller", "controllers"),
    OTHER: ("other device", "other devices"),
}


class Detail(NamedTuple):
    """How much of a topology is drawn: the first level that is not too tall is taken.

    Args:
        devices: how many equal devices in a row are folded into one row; 0 for never.
        ports: how many ports in a row with the same behind them are folded into one row; 0 for never.
        alike: whether ports are folded only when the same kind of device is behind them.
        whole: whether bridges side by side are folded with everything behind them.
        rows: how many rows of a bus are drawn.
        depth: how many buses deep.
    """

    devices: int
    ports: int
    alike: bool
    whole: bool
    rows: int
    depth: int


_LEVELS = (
    Detail(0, 0, True, False, 1000, 6),
    Detail(3, 0, True, False, 1000, 6),
    Detail(3, 3, True, False, 1000, 6),
    Detail(3, 3, False, False, 1000, 6),
    Detail(3, 2, False, True, 1000, 6),
    Detail(3, 2, False, True, 24, 2),
    Detail(3, 2, False, True, 12, 1),
)
_MOST_ROWS = 48


class _Row:
    """One line of a box: an address, what is there, and the box beside it."""

    def __init__(self, place: str, text: str, kind: str, box: _Box | None = None) -> None:
        self.place = place
        self.text = text
        self.kind = kind
        self.box = box

    @property
    def width(self) -> float:
        """Return the width of its text in inches."""
        return 4 * _PAD + _CHIP + text_width(self.place, _SIZE) + 0.08 + text_width(self.text, _SIZE, self.kind == FREE)


class _Box:
    """One bus, or a run of ports that are drawn as one; a single row is drawn beside the title."""

    def __init__(self, name: str, title: str, rows: list[_Row]) -> None:
        self.name = name
        self.title = title
        self.rows = rows
        self.y = 0.0
        """Where it begins, in rows from the top."""

    @property
    def flat(self) -> bool:
        """Return whether title and content share a line."""
        return len(self.rows) == 1 and self.rows[0].box is None

    @property
    def height(self) -> float:
        """Return the height in rows, without what hangs on it."""
        return 1.0 if self.flat else 1.0 + len(self.rows)

    @property
    def head(self) -> float:
        """Return the width of the title in inches."""
        return text_width(self.title, _SIZE, True) + 2 * _PAD

    @property
    def width(self) -> float:
        """Return the width in inches."""
        widest = max((row.width for row in self.rows), default=0.0)
        return min(self.head + widest, _WIDEST + 1.2) if self.flat else min(max(self.head, widest), _WIDEST)


def topology_tree(subject: Subject) -> Figure:
    """Draw the buses as boxes from left to right, with their slots, what holds them, and what is free.

    A small topology is drawn in full.  A large one is folded, no more than it takes: equal devices side
    by side, then ports with the same kind of device behind them, then all ports side by side; then
    deep and long parts are cut, and the picture says how much is missing.

    Args:
        subject: a plan, a placement or a topology.

    Raises:
        UsageError: it is none of these.
    """
    view = BusContents(subject)
    boxes: list[_Box] = []
    rows = 0.0
    for detail in _LEVELS:
        boxes = _Builder(view, detail).trees()
        rows = _stack(boxes)
        if rows <= _MOST_ROWS:
            break
    columns: dict[int, float] = {}
    falls: dict[int, float] = {}
    for box in boxes:
        _measure(box, 0, columns, falls)
    body = rows * _PITCH
    gaps = {depth: _gap(fall) for depth, fall in falls.items()}
    note = str(room(view.topology)) if boxes else "no PCI bus"
    width = max(sum(columns.values()) + sum(gaps.values()), 4.8) + 2 * _MARGIN
    inner = width - 2 * _MARGIN
    lines = _lines(note, inner)
    shown = tuple(kind for kind in KINDS if any(kind in _kinds(box) for box in boxes))
    top = _TOP + 0.15 * (len(lines) - 1)
    with style():
        sheet = Sheet(width, top + body + 0.25 + legend_height(shown, inner))
        sheet.text(_MARGIN, 0.22, view.title or "topology", 11, weight="bold")
        for number, line in enumerate(lines):
            sheet.text(_MARGIN, 0.45 + 0.15 * number, line, 7.5, ink=FAINT)
        for box in boxes:
            _draw(sheet, box, _MARGIN, top, 0, columns, gaps)
        sheet.legend(_MARGIN, top + body + 0.17, shown, inner)
    return sheet.figure


def _lines(note: str, width: float) -> list[str]:
    """Return the line about what is free, in two where it is too long for the picture."""
    if text_width(note, 7.5) <= width:
        return [note]
    cold, comma, hot = note.partition(", hot")
    return [cold + comma[:1], hot and f"hot{hot}"] if comma else [note]


def _kinds(box: _Box) -> set[str]:
    """Return the kinds of owners in a box and in those that hang on it."""
    return {row.kind for row in box.rows}.union(*(_kinds(row.box) for row in box.rows if row.box is not None))


def _stack(boxes: list[_Box]) -> float:
    """Set where each box begins: as near to its row as the boxes above it allow; return the height in rows."""
    height = 0.0
    for box in boxes:
        floors: dict[int, float] = {}
        _settle(box, height + 0.9 if height else 0.0, 0, floors)
        height = max(floors.values())
    return height


def _settle(box: _Box, y: float, depth: int, floors: dict[int, float]) -> None:
    box.y = max(y, floors.get(depth, 0.0))
    floors[depth] = box.y + box.height + (_BELOW if len(box.rows) > 1 and depth else 0.0)
    for number, row in enumerate(box.rows, 1):
        if row.box is not None:
            _settle(row.box, box.y + number, depth + 1, floors)


def _measure(box: _Box, depth: int, columns: dict[int, float], falls: dict[int, float]) -> None:
    """Find the widest box of each depth, and how far below its row a box behind one of that depth begins."""
    columns[depth] = max(columns.get(depth, 0.0), box.width)
    for number, row in enumerate(box.rows, 1):
        if row.box is not None:
            falls[depth] = max(falls.get(depth, 0.0), row.box.y - box.y - number)
            _measure(row.box, depth + 1, columns, falls)


def _gap(fall: float) -> float:
    """Return the room between two columns: lines that fall far have to stay apart from each other."""
    return min(_APART + 0.4 * fall * _PITCH, _FARTHEST)


def _draw(
    sheet: Sheet, box: _Box, x: float, top: float, depth: int, columns: dict[int, float], gaps: dict[int, float]
) -> None:
    """Draw a box and what hangs on it; the depth is bounded by the level of detail."""
    width = box.width
    y = top + box.y * _PITCH
    if box.flat:
        sheet.box(x, y, width, _ROW, LOOKS[FREE], f"bus-{box.name}", INK, linewidth=0.7)
        sheet.box(x, y, box.head, _ROW, _HEADER, "", INK, linewidth=0.7)
        sheet.text(x + _PAD, y + _ROW / 2, box.title, _SIZE, weight="bold")
        _write(sheet, box.rows[0], x + box.head, y, width - box.head, box.name)
        return
    tall = _PITCH * len(box.rows) + _ROW
    sheet.box(x, y, width, tall, LOOKS[FREE], f"bus-{box.name}", INK, linewidth=0.7)
    sheet.box(x, y, width, _ROW, _HEADER, "", INK, linewidth=0.7)
    sheet.text(x + _PAD, y + _ROW / 2, shortened(box.title, _SIZE, width - 2 * _PAD, True), _SIZE, weight="bold")
    y += _PITCH
    for row in box.rows:
        _write(sheet, row, x, y, width, box.name)
        if row.box is not None:
            edge, start = x + columns[depth] + 0.06, x + columns[depth] + gaps[depth]
            end = top + row.box.y * _PITCH + _ROW / 2
            sheet.line([x + width, edge, start - 0.06, start], [y + _ROW / 2, y + _ROW / 2, end, end], INK)
            _draw(sheet, row.box, start, top, depth + 1, columns, gaps)
        y += _PITCH


def _write(sheet: Sheet, row: _Row, x: float, y: float, width: float, name: str) -> None:
    middle = y + _ROW / 2
    x += _PAD
    free = row.kind == FREE
    dashed = {"linestyle": (0, (2, 1.5))} if free else {}
    look = LOOKS[row.kind]
    sheet.box(x, y + (_ROW - _CHIP) / 2, _CHIP, _CHIP, look, f"{row.kind}-{name}.{row.place}", INK, **dashed)
    if look.letter:
        sheet.text(x + _CHIP / 2, middle, look.letter, _LETTER, ink=look.ink, ha="center", va="center_baseline")
    x += _CHIP + _PAD
    width -= _CHIP + 3 * _PAD
    sheet.text(x, middle, row.place, _SIZE, ink=FAINT)
    place = text_width(row.place, _SIZE) + 0.08 if row.place else 0.0
    text = shortened(row.text, _SIZE, width - place + 0.01, free)
    sheet.text(x + place, middle, text, _SIZE, weight="bold" if free else "normal")


class _Builder:
    """Makes the boxes of a view at a level of detail."""

    def __init__(self, view: BusContents, detail: Detail) -> None:
        self.view = view
        self.detail = detail
        self.drawn: set[int] = set()

    def trees(self) -> list[_Box]:
        """Return the trees: that of bus 0, then those of buses that hang on no drawn bus."""
        boxes = []
        for bus in self.view.topology.buses:
            if bus.index not in self.drawn:
                self._below(bus.index)
                boxes.append(self._box(bus.index, 1, "" if not bus.index else " (leads to no root)"))
        cut = self.detail.rows
        if len(boxes) > cut:
            boxes[cut:] = [_Box("more", f"{len(boxes) - cut} more that lead to no root", [])]
        return boxes

    def _below(self, index: int) -> int:
        """Mark a bus and everything behind it as drawn; return how many buses that are."""
        stack, count = [index], 0
        while stack:
            current = stack.pop()
            if current in self.drawn:
                continue
            self.drawn.add(current)
            count += 1
            stack += [self.view.below[packed] for packed, _ in self.view.held[current] if packed in self.view.below]
        return count

    def _box(self, index: int, depth: int, remark: str = "", path: tuple[int, ...] = ()) -> _Box:
        bus = self.view.topology.buses[index]
        path = (*path, index)
        rows = []
        for run in self._runs(index):
            if len(run) > 1:
                rows.append(self._folded(run))
                continue
            packed, owner = run[0]
            row = _Row(_place(packed), name_of(owner), kind_of(owner))
            child = self.view.below.get(packed)
            if child is not None and child in path:
                row.text += f" → bus {child:#04x} (a circle)"
            elif child is not None and depth > self.detail.depth:
                behind = _Builder(self.view, self.detail)._below(child)
                row.text += f" → {behind} {'bus' if behind == 1 else 'buses'}"
            elif child is not None:
                row.box = self._box(child, depth + 1, path=path)
            rows.append(row)
        if len(rows) > self.detail.rows:
            missing = len(rows) - self.detail.rows
            rows[self.detail.rows :] = [_Row("", f"… and {missing} more rows", OTHER)]
        free = [slot for slot in range(MAX_SLOT + 1) if bus.free >> slot & 1]
        if free:
            rows.append(_Row(ranges(free), self._free(index, len(free)), FREE))
        return _Box(f"{index:02x}", f"bus {index:#04x} {bus.model.name}{remark}", rows)

    def _free(self, index: int, count: int) -> str:
        text = "free" if count == 1 else f"{count} slots free"
        if not self.view.topology.buses[index].model.accepts & ENDPOINT:
            return f"{text}, for controllers only"
        return text if self.view.hotplug(index) else f"{text}, no hotplug"

    def _runs(self, index: int) -> Iterator[list[tuple[int, Holder]]]:
        """Yield what a bus holds; what is folded into one row together."""
        run: list[tuple[int, Holder]] = []
        sort: object = None
        for packed, owner in self.view.held[index]:
            new = self._sort(packed, owner)
            if run and (new is None or new != sort):
                yield from self._cut(run)
                run = []
            run.append((packed, owner))
            sort = new
        yield from self._cut(run)

    def _cut(self, run: list[tuple[int, Holder]]) -> Iterator[list[tuple[int, Holder]]]:
        least = self.detail.ports if run and run[0][0] in self.view.below else self.detail.devices
        if least and len(run) >= least:
            yield run
        else:
            yield from ([item] for item in run)

    def _sort(self, packed: int, owner: Holder) -> object:
        """Return what neighbours must have in common to be folded; ``None`` for what never is."""
        child = self.view.below.get(packed)
        if child is None:
            return _sort_of(owner) if kind_of(owner) in DEVICES else None
        if self.detail.whole:
            return _sort_of(owner)
        held = self.view.held[child]
        bus = self.view.topology.buses[child]
        if bus.usable.bit_count() > 1 or any(packed in self.view.below for packed, _ in held):
            return None
        behind = tuple(_sort_of(owner) for _, owner in held) if self.detail.alike else ()
        return (_sort_of(owner), behind, self.view.hotplug(child) if self.detail.alike else True)

    def _folded(self, run: list[tuple[int, Holder]]) -> _Row:
        (first, owner), (last, other) = run[0], run[-1]
        row = _Row(f"{_place(first)}-{_place(last)}", f"{_span(owner, other)} ({len(run)})", kind_of(owner))
        children = [self.view.below[packed] for packed, _ in run if packed in self.view.below]
        if children and self.detail.whole:
            row.box = self._whole(children)
        elif children:
            behind = [held for child in children for _, held in self.view.held[child]]
            free = sum(not self.view.topology.buses[child].used for child in children)
            inner = []
            if behind:
                same = len({_sort_of(held) for held in behind}) == 1
                kinds = {kind_of(held) for held in behind}
                text = _span(behind[0], behind[-1]) if same else "devices of several kinds"
                kind = kinds.pop() if len(kinds) == 1 else OTHER
                inner.append(_Row("", f"{text} ({len(behind)})" if len(behind) > 1 else text, kind))
            if free:
                hot = sum(not self.view.topology.buses[c].used and self.view.hotplug(c) for c in children)
                text = f"{free} {'port' if free == 1 else 'ports'} free"
                inner.append(_Row("", text if hot == free else f"{text}, {hot} of them hot", FREE))
            name = f"{children[0]:02x}-{children[-1]:02x}"
            row.box = _Box(name, f"{len(children)} buses {children[0]:#04x}-{children[-1]:#04x}", inner)
        return row

    def _whole(self, children: list[int]) -> _Box:
        """Return a box that counts everything behind controllers."""
        found: set[int] = set()
        stack = list(children)
        devices: Counter[str] = Counter()
        free = 0
        while stack:
            index = stack.pop()
            if index in found:
                continue
            found.add(index)
            bus = self.view.topology.buses[index]
            free += bus.free.bit_count() if bus.model.accepts & ENDPOINT else 0
            for packed, owner in self.view.held[index]:
                if packed in self.view.below:
                    stack.append(self.view.below[packed])
                else:
                    devices[kind_of(owner)] += 1
        rows = [_Row("", counted(devices[kind], *_BEHIND[kind]), kind) for kind in DEVICES if devices[kind]]
        if free:
            rows.append(_Row("", "1 slot free" if free == 1 else f"{free} slots free", FREE))
        return _Box(f"{children[0]:02x}-{children[-1]:02x}", f"{len(found)} buses", rows)


def _place(packed: int) -> str:
    return f"{packed >> 3 & MAX_SLOT:02x}.{packed & MAX_FUNCTION}"


def _sort_of(owner: Holder) -> tuple[str, ...]:
    """Return the elements and models of an owner: what equal devices have in common."""
    label, _, model = name_of(owner).partition(" ")
    return (label.partition(":")[0], model)


def _span(first: Holder, last: Holder) -> str:
    """Return the first and the last of equal devices: ``disk:vda … disk:vdz virtio``."""
    return f"{name_of(first).partition(' ')[0]} … {name_of(last)}" if first is not last else name_of(first)
