"""What a firmware wrote into the PCI functions: the common result of all of them."""

from __future__ import annotations

from typing import NamedTuple

from pcisim.enumeration.numbers import Routing
from pcisim.qemu.functions import QemuFunction, forwards_io
from pcisim.qemu.ram import up

IO, MEMORY, PREFETCH = range(3)
"""Kinds of windows, by which lists are indexed; their names are `pcisim.enumeration.view.WINDOW_KINDS`."""
_IO_GRANULARITY = 0x1000
"""The registers of a bridge know base and end of its I/O window in these units."""


class FirmwareResult(NamedTuple):
    """What a firmware wrote into the functions.

    Args:
        routing: the bus numbers.
        found: the bus number of every function that it found.
        bars: for each function the address of its BARs, by index.
        windows: for each bridge base and size of its three windows; ``None`` where it goes without.
        boots: whether it got past this.
        reason: why it did not; "" when it did.
    """

    routing: Routing
    found: dict[QemuFunction, int]
    bars: dict[QemuFunction, dict[int, int]]
    windows: dict[QemuFunction, list[tuple[int, int] | None]]
    boots: bool
    reason: str
    closes_windows: bool = True
    """Whether a bridge that goes without a window has its registers set so."""
    forgotten: frozenset[QemuFunction] = frozenset()
    """Bridges that it found and did not program, because another one has their number."""

    def open_window(self, part: QemuFunction, kind: int, base: int, size: int) -> None:
        """Give a bridge a window, which is what its registers make of base and size.

        An I/O window of no size at a base that is not aligned is one of the least size.
        """
        if kind == IO:
            end = up(base + size, _IO_GRANULARITY)
            base &= -_IO_GRANULARITY
            size = end - base if forwards_io(part) else 0
        if not size:
            return
        windows = self.windows.get(part)
        if windows is None:
            windows = self.windows[part] = [None, None, None]
        windows[kind] = base, size

    def window(self, part: QemuFunction, kind: int) -> tuple[int, int] | None:
        """Return base and size of a window, if the bridge has one."""
        windows = self.windows.get(part)
        return windows[kind] if windows else None
