"""What ``lspci`` prints in the guest.

As lspci 3.9 prints it, with the names of pci.ids.  With `verbose` the lines that a driver, the kernel or a
capability decides (``Flags``, ``Capabilities``, ``Kernel driver in use``) are left out, and an address that was
not worked out is not shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from pcisim.address import whole_number
from pcisim.catalogue.pci_names import (
    BASE_CLASSES,
    CLASSES,
    DEVICES,
    INTERFACES,
    PROGRAMMING_INTERFACES,
    VENDORS,
)
from pcisim.enumeration.view import IO, GuestBar, GuestFunction, GuestView, Window
from pcisim.errors import UsageError
from pcisim.formats.plain import printable

NAMES, NUMBERS, BOTH = 0, 1, 2
"""How vendors, devices and classes are shown: as lspci does without an option, with ``-n``, with ``-nn``."""

_FOUR_GIB = 1 << 32
_BRIDGED = {"io": "I/O", "memory": "Memory", "prefetch": "Prefetchable memory"}
_SLOT = re.compile(
    r"(?:(?:(?P<domain>[0-9a-f]{1,8}|\*)?:)?(?P<bus>[0-9a-f]{1,2}|\*)?:)?"
    r"(?P<slot>[0-9a-f]{1,2}|\*)?(?:\.(?P<function>[0-7]|\*)?)?",
    re.IGNORECASE,
)


class Selection(NamedTuple):
    """Which functions are meant; ``None`` stands for any number."""

    domain: int | None = None
    bus: int | None = None
    slot: int | None = None
    function: int | None = None

    def takes(self, function: GuestFunction) -> bool:
        """Return whether a function is one of them."""
        address = function.address
        if address is None:
            return False
        pairs = zip((self.domain, self.bus, self.slot, self.function), _parts(function), strict=True)
        return all(wanted is None or wanted == given for wanted, given in pairs)


def selection(text: str) -> Selection:
    """Return what ``-s`` selects: ``[[[[domain]:]bus]:][slot][.[function]]``, hexadecimal; a ``*`` is any.

    Raises:
        UsageError: the text is not of that form.
    """
    found = _SLOT.fullmatch(text)
    if found is None:
        raise UsageError(
            f"-s {text}: not an address",
            code="usage",
            remedy="write [[[[domain]:]bus]:][slot][.[function]], as in -s 01: or -s 00:1f.2",
        )
    numbers = {
        name: None if part in (None, "*") else whole_number(part, 16) for name, part in found.groupdict().items()
    }
    return Selection(**numbers)


LSPCI_SCHEMA = "pcisim.lspci/1"


def document(view: GuestView, only: Selection | None = None) -> dict[str, Any]:
    """Return what lspci will list as plain data.

    Args:
        view: what the guest sees.
        only: which functions; by default all.

    Keys: ``schema``, ``firmware``, ``profile``, ``boots``, ``functions`` (``address``, ``label``, ``class``,
    ``class_id``, ``name``, ``id``, ``subsystem_id``, ``revision``, ``bus_numbers``); what is not known of a device of
    the host is ``None``.
    """
    return {
        "schema": LSPCI_SCHEMA,
        "firmware": view.firmware,
        "profile": view.profile,
        "boots": view.boots,
        "functions": [
            _row(function)
            for function in view.functions
            if function.address is not None and (only is None or only.takes(function))
        ],
    }


def _row(function: GuestFunction) -> dict[str, Any]:
    known, numbers, subsystem = bool(function.vendor), function.numbers, function.subsystem
    return {
        "address": str(function.address),
        "label": function.label,
        "class": _class(function.class_code, NAMES) if known else None,
        "class_id": f"{function.class_code:04x}" if known else None,
        "name": device_name(function.vendor, function.device) if known else None,
        "id": device_name(function.vendor, function.device, NUMBERS) if known else None,
        "subsystem_id": None if subsystem is None else device_name(*subsystem, NUMBERS),
        "revision": function.revision if known else None,
        "bus_numbers": None if numbers is None else [numbers.primary, numbers.secondary, numbers.subordinate],
    }


def _parts(function: GuestFunction) -> tuple[int, int, int, int]:
    address = function.address
    assert address is not None
    return address.segment, address.bus, address.device, address.function


def listing(
    view: GuestView,
    *,
    numeric: int = NAMES,
    domains: bool = False,
    verbose: bool = False,
    only: Selection | None = None,
) -> list[str]:
    """Return a line for each function that the guest sees, or with `verbose` a paragraph.

    Args:
        view: what the guest sees.
        numeric: `NAMES`, `NUMBERS` or `BOTH`.
        domains: whether addresses begin with the domain, as they do anyway when a bus has another one than 0.
        verbose: whether to add resources, bus numbers and windows.
        only: which functions; by default all.
    """
    lines: list[str] = []
    domains = domains or any(f.address is not None and f.address.segment for f in view.functions)
    for function in view.functions:
        if only is not None and not only.takes(function):
            continue
        text = str(function.address)
        line = f"{text if domains else text.partition(':')[2]} {_description(function, numeric)}"
        if not verbose:
            lines.append(line)
        else:
            lines += [line + _interface(function), *_details(function, numeric), ""]
    return lines


def _description(function: GuestFunction, numeric: int) -> str:
    if not function.vendor:
        return f"Unknown class: {_unknown(function)}"
    if numeric == NUMBERS:
        kind = f"{function.class_code:04x}"
    else:
        kind = _class(function.class_code, numeric)
    revision = f" (rev {function.revision:02x})" if function.revision else ""
    return f"{kind}: {device_name(function.vendor, function.device, numeric)}{revision}"


def _unknown(function: GuestFunction) -> str:
    """Return what to call a device whose ids are those of the host's."""
    return printable(f"Device of the host ({function.label or function.driver})")


def _class(code: int, numeric: int) -> str:
    name = CLASSES.get(code)
    if name is None:
        return f"{BASE_CLASSES.get(code >> 8, 'Class')} [{code:04x}]"
    return f"{name} [{code:04x}]" if numeric == BOTH else name


def device_name(vendor: int, device: int, numeric: int = NAMES) -> str:
    """Return how lspci names a device: by vendor and name, or by its ids.

    Args:
        vendor: 16 bits.
        device: 16 bits.
        numeric: `NAMES`, `NUMBERS` or `BOTH`.
    """
    ids = f"{vendor:04x}:{device:04x}"
    if numeric == NUMBERS:
        return ids
    maker, name = VENDORS.get(vendor), DEVICES.get((vendor, device))
    if name is not None:
        return f"{maker} {name} [{ids}]" if numeric == BOTH else f"{maker} {name}"
    shown = f"[{ids}]" if numeric == BOTH else ids if maker is None else f"{device:04x}"
    return f"{maker} Device {shown}" if maker else f"Device {shown}"


def _interface(function: GuestFunction) -> str:
    """Return the programming interface in parentheses, where it says something."""
    number = PROGRAMMING_INTERFACES.get(function.driver, 0)
    name = INTERFACES.get((function.class_code, number))
    if name:
        return f" (prog-if {number:02x} [{name}])"
    return f" (prog-if {number:02x})" if number else ""


def _details(function: GuestFunction, numeric: int) -> list[str]:
    lines = []
    if function.subsystem is not None:
        lines.append(f"Subsystem: {device_name(*function.subsystem, numeric)}")
    roms = [bar for bar in function.bars if bar.index == 6]
    lines += [_bar(bar) for bar in function.bars if bar.index < 6]
    if function.numbers is not None:
        numbers = function.numbers
        lines.append(
            f"Bus: primary={numbers.primary:02x}, secondary={numbers.secondary:02x},"
            f" subordinate={numbers.subordinate:02x}, sec-latency=0"
        )
        lines += [_window(window) for window in function.windows]
    lines += [f"Expansion ROM{_at(bar)} [disabled] [size={size_text(bar.size)}]" for bar in roms]
    return [f"\t{line}" for line in lines]


def _bar(bar: GuestBar) -> str:
    size = size_text(bar.size)
    if bar.kind == IO:
        return f"I/O ports{_at(bar, 4)} [size={size}]"
    bits = "64-bit" if bar.kind == "mem64" else "32-bit"
    return f"Memory{_at(bar)} ({bits}, {'' if bar.prefetchable else 'non-'}prefetchable) [size={size}]"


def _at(bar: GuestBar, digits: int = 8) -> str:
    return "" if bar.address is None else f" at {bar.address:0{digits}x}"


def _window(window: Window) -> str:
    what = f"{_BRIDGED[window.kind]} behind bridge:"
    end = (window.base or 0) + (window.size or 0)
    if window.kind == IO:
        bits, digits = ("[16-bit]", 4) if end <= 1 << 16 else ("[32-bit]", 8)
    else:
        bits, digits = ("[32-bit]", 8) if end <= _FOUR_GIB else ("[64-bit]", 16)
    if window.size is None:
        return f"{what} [disabled] {bits}"
    where = "" if window.base is None else f" {window.base:0{digits}x}-{end - 1:0{digits}x}"
    return f"{what}{where} [size={size_text(window.size)}] {bits}"


def size_text(size: int) -> str:
    """Return a size in bytes as lspci writes it: ``256``, ``4K``, ``1536K``, ``2M``."""
    for unit in ("", "K", "M", "G"):
        if not size or size % 1024:
            return f"{size}{unit}"
        size //= 1024
    return f"{size}T"


def tree(view: GuestView, *, numeric: int = NAMES, verbose: bool = False) -> list[str]:
    """Return the buses as a tree, as ``lspci -t`` draws it.

    Args:
        view: what the guest sees.
        numeric: `NAMES`, `NUMBERS` or `BOTH`, with `verbose`.
        verbose: whether to name the devices.
    """
    drawing = _Tree(view, numeric, verbose)
    roots = [drawing.root(bus.number) for bus in view.buses if bus.bridge is None and bus.number in drawing.on]
    if len(roots) == 1:
        first, *rest = roots[0]
        return [f"-{first}", *(f" {line}" for line in rest)]
    first, *rest = _fork(roots)
    return [f"-{first}", *(f" {line}" for line in rest)]


class _Tree:
    """One drawing: every method returns lines, the first of which goes on where the drawing is."""

    def __init__(self, view: GuestView, numeric: int, verbose: bool) -> None:
        self.numeric = numeric
        self.verbose = verbose
        self.drawn: set[int] = set()
        """Buses; where numbers overlap, one could be behind two bridges."""
        self.on: dict[int, list[GuestFunction]] = {}
        for function in view.functions:
            if function.address is not None:
                self.on.setdefault(function.address.bus, []).append(function)

    def root(self, number: int) -> list[str]:
        """Return a root bus."""
        return _behind(f"[0000:{number:02x}]-", self.children(number))

    def children(self, number: int) -> list[str]:
        """Return the functions of a bus."""
        if number in self.drawn:
            return [""]
        self.drawn.add(number)
        functions = [self.function(function) for function in self.on.get(number, [])]
        if len(functions) == 1:
            return _behind("--", functions[0])
        return _fork(functions)

    def function(self, function: GuestFunction) -> list[str]:
        """Return a function and what is behind it."""
        _, _, slot, number = _parts(function)
        text = f"{slot:02x}.{number}"
        if function.numbers is not None:
            secondary, subordinate = function.numbers.secondary, function.numbers.subordinate
            through = f"-{subordinate:02x}" if subordinate != secondary else ""
            below = self.children(secondary) if secondary else [""]
            return _behind(f"{text}-[{secondary:02x}{through}]--", below)
        if self.verbose:
            known = bool(function.vendor)
            name = device_name(function.vendor, function.device, self.numeric) if known else _unknown(function)
            text += f"  {name}"
        return [text]


def _behind(text: str, lines: list[str]) -> list[str]:
    return [text + lines[0], *(" " * len(text) + line for line in lines[1:])]


def _fork(branches: Iterable[list[str]]) -> list[str]:
    every = list(branches)
    lines = []
    for place, (first, *rest) in enumerate(every, 1):
        branch, line = ("\\-", "  ") if place == len(every) else ("+-", "| ")
        lines += [branch + first, *(line + more for more in rest)]
    return lines or [""]
