"""A guest from the inside: every function with its configured address, the guest's, and its interface's name."""

from __future__ import annotations

from collections.abc import Mapping

from pcisim.address import GuestAddress
from pcisim.enumeration.names import InterfaceName, clashes, spans, text_of
from pcisim.enumeration.view import WINDOW_KINDS, GuestFunction, GuestView
from pcisim.errors import counted
from pcisim.formats.lspci import size_text
from pcisim.formats.plain import printable
from pcisim.formats.tree import ASCII_LINES, LINES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SCHEMA = "pcisim.guest/1"

Names = Mapping[GuestAddress, tuple[InterfaceName, ...]]
"""The names of each network interface, by its address in the guest."""

MOVED = "*"
"""Marks an address that is not the configured one."""
_HEADINGS = ("device", "configured", "guest", "bus", "interface", "windows", "remarks")
_SHORT = {"io": "io", "memory": "mem", "prefetch": "pref"}


def is_moved(function: GuestFunction) -> bool:
    """Return whether the guest finds a device at another address than the configured one, or not at all."""
    if function.configured is None:
        return False
    return function.address is None or int(function.address) != int(function.configured)


def name_of(function: GuestFunction) -> str:
    """Return the label of a device, or QEMU's name in parentheses where it has none."""
    return printable(function.label) if function.label else f"({function.driver})"


def table(view: GuestView, names: Names) -> list[str]:
    """Return the lines of a table: a heading, then each function in the order of the guest's addresses.

    What the guest never sees comes last.  An address that is not the configured one has a `MOVED` behind it.

    Args:
        view: what the guest sees.
        names: the names of its interfaces.
    """
    rows = [_HEADINGS]
    for function in (*view.functions, *view.unseen):
        address = "-" if function.address is None else str(function.address)
        rows.append(
            (
                name_of(function),
                str(function.configured or "-"),
                address + MOVED * is_moved(function),
                _range(function),
                _names(function, names),
                _windows(function),
                printable("; ".join(function.remarks)),
            )
        )
    used = [column for column in range(len(_HEADINGS)) if any(row[column] for row in rows[1:])]
    widths = {column: max(len(row[column]) for row in rows) for column in used}
    return ["  ".join(f"{row[column]:{widths[column]}}" for column in used).rstrip() for row in rows]


def _range(function: GuestFunction) -> str:
    numbers = function.numbers
    if numbers is None or not numbers.secondary:
        return ""
    through = f"-{numbers.subordinate:02x}" if numbers.subordinate != numbers.secondary else ""
    return f"{numbers.secondary:02x}{through}"


def _names(function: GuestFunction, names: Names) -> str:
    options = () if function.address is None else names.get(function.address, ())
    return text_of(options)


def _windows(function: GuestFunction) -> str:
    return ", ".join(f"{_SHORT[w.kind]} {size_text(w.size)}" for w in function.windows if w.size is not None)


def remarks(view: GuestView, names: Names) -> list[str]:
    """Return what is to be said about the guest as a whole: its remarks, and names that two interfaces would have."""
    lines = list(view.remarks)
    labels = {function.address: name_of(function) for function in view.functions}
    for name, addresses, schemes in clashes(names):
        whose = ", ".join(labels[address] for address in addresses)
        lines.append(
            f"{name} is the name of {whose} ({spans(schemes)}): one gets it, the kernel's ethN stays for the rest"
        )
    return [printable(line) for line in lines]


def summary(view: GuestView, names: Names) -> str:
    """Return one line: how many functions, how many addresses differ, how many are never seen."""
    moved = sum(map(is_moved, view.functions))
    parts = [counted(len(view.functions), "function"), f"{moved} of them not where they are configured ({MOVED})"]
    if names:
        parts.append(counted(len(names), "interface"))
    if view.unseen:
        parts.append(f"{len(view.unseen)} never seen")
    return f"{', '.join(parts)}, as {view.profile}"


def tree(view: GuestView, names: Names, *, ascii_only: bool = False) -> list[str]:
    """Return the guest's buses as a tree, each function with its address, its label and its interface's name.

    Args:
        view: what the guest sees.
        names: the names of its interfaces.
        ascii_only: whether to draw with ASCII characters.
    """
    strokes = ASCII_LINES if ascii_only else LINES
    on: dict[int, list[GuestFunction]] = {}
    for function in view.functions:
        if function.address is not None:
            on.setdefault(function.address.bus, []).append(function)
    lines = [f"{view.firmware}: the guest's numbers; <- the configured address where it differs"]
    for bus in view.buses:
        if bus.bridge is None:
            lines.append(f"bus {bus.number:02x}")
            lines += _branches(bus.number, on, names, strokes)
    if view.unseen:
        lines.append("never seen")
        for place, function in enumerate(view.unseen, 1):
            stroke = strokes[1] if place == len(view.unseen) else strokes[0]
            lines.append(f"{stroke}{name_of(function)} <- {function.configured or '-'}")
    return lines


def _branches(
    number: int, on: Mapping[int, list[GuestFunction]], names: Names, strokes: tuple[str, str, str, str]
) -> list[str]:
    """Return the lines below a bus; a stack instead of recursion, since bridges nest deep."""
    branch, last_branch, line, blank = strokes
    lines: list[str] = []
    drawn = {number}
    stack = [("", on.get(number, []), 0)]
    while stack:
        indent, functions, place = stack.pop()
        if place == len(functions):
            continue
        stack.append((indent, functions, place + 1))
        function = functions[place]
        last = place + 1 == len(functions)
        lines.append(f"{indent}{last_branch if last else branch}{_line(function, names)}")
        secondary = function.numbers.secondary if function.numbers is not None else 0
        if secondary and secondary not in drawn:
            drawn.add(secondary)
            stack.append((indent + (blank if last else line), on.get(secondary, []), 0))
    return lines


def _line(function: GuestFunction, names: Names) -> str:
    parts = [str(function.address).partition(":")[2], name_of(function)]
    if function.label and function.driver:
        parts.append(function.driver)
    if interfaces := _names(function, names):
        parts.append(interfaces)
    if reach := _range(function):
        parts.append(f"-> bus {reach}")
    if is_moved(function):
        parts.append(f"<- {function.configured}")
    return " ".join(parts)


def document(view: GuestView, names: Names) -> dict[str, Any]:
    """Return a view as plain data; the key ``schema`` names its version.

    Keys: ``schema``, ``firmware``, ``profile``, ``boots``, ``reason``, ``remarks``, ``functions`` and ``unseen``
    (each: ``label``, ``configured``, ``guest``, ``differs``, ``driver``, ``class``, ``id``, ``bus_numbers``,
    ``windows``, ``interface``, ``remarks``), ``buses``.
    """
    return {
        "schema": SCHEMA,
        "firmware": view.firmware,
        "profile": view.profile,
        "boots": view.boots,
        "reason": view.reason or None,
        "remarks": remarks(view, names),
        "functions": [_function(function, names) for function in view.functions],
        "unseen": [_function(function, names) for function in view.unseen],
        "buses": [
            {"number": bus.number, "bridge": None if bus.bridge is None else str(bus.bridge), "label": bus.label}
            for bus in view.buses
        ],
    }


def _function(function: GuestFunction, names: Names) -> dict[str, Any]:
    known = bool(function.vendor)
    numbers = function.numbers
    options = () if function.address is None else names.get(function.address, ())
    windows = {w.kind: {"base": w.base, "size": w.size} for w in function.windows if w.size is not None}
    return {
        "label": function.label,
        "configured": None if function.configured is None else str(function.configured),
        "guest": None if function.address is None else str(function.address),
        "differs": is_moved(function),
        "driver": function.driver or None,
        "class": f"{function.class_code:04x}" if known else None,
        "id": f"{function.vendor:04x}:{function.device:04x}" if known else None,
        "bus_numbers": None if numbers is None else [numbers.primary, numbers.secondary, numbers.subordinate],
        "windows": {kind: windows.get(kind) for kind in WINDOW_KINDS} if numbers is not None else None,
        "interface": [
            {"name": option.name, "source": option.source, "schemes": list(option.schemes)} for option in options
        ],
        "remarks": list(function.remarks),
    }
