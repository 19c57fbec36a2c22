"""A dump as ``lspci -x`` writes it, made from a view, for the real ``lspci -F`` to read."""

from __future__ import annotations

from pcisim.catalogue.pci_names import PROGRAMMING_INTERFACES
from pcisim.enumeration import GuestFunction, GuestView, Window

_COMMAND = 0x0007  # I/O, memory and bus master are on
_IO_START, _MEMORY_START = 0x1000, 0x8000_0000
_PREFETCH_64 = 1
_CLOSED = (0xFFF0_0000, 0)
"""A window that begins above its end; of an I/O window only the bits that it has."""


def dump(view: GuestView) -> str:
    """Return the first 64 bytes of every function's configuration space, as ``lspci -x`` prints them.

    Addresses that the view does not have are made up: windows of memory follow each other from 2 GiB.
    """
    writer = _Dump()
    return "\n".join(writer.function(function) for function in view.functions)


class _Dump:
    def __init__(self) -> None:
        self.next = {"io": _IO_START, "memory": _MEMORY_START, "prefetch": _MEMORY_START + (1 << 30)}

    def function(self, function: GuestFunction) -> str:
        space = bytearray(64)

        def put(offset: int, size: int, value: int) -> None:
            space[offset : offset + size] = value.to_bytes(size, "little")

        put(0x00, 2, function.vendor or 0x1AF4)
        put(0x02, 2, function.device or 0xFFFE)
        put(0x04, 2, _COMMAND)
        put(0x08, 1, function.revision)
        put(0x09, 1, PROGRAMMING_INTERFACES.get(function.driver, 0))
        put(0x0A, 2, function.class_code)
        put(0x0E, 1, function.header | 0x80 * function.multifunction)
        for bar in function.bars:
            if bar.index < (2 if function.header else 6) and bar.address is not None:
                kind = 1 if bar.kind == "io" else (4 if bar.kind == "mem64" else 0) | 8 * bar.prefetchable
                put(0x10 + 4 * bar.index, 8 if bar.kind == "mem64" else 4, bar.address | kind)
        if function.numbers is not None:
            numbers = (function.numbers.primary, function.numbers.secondary, function.numbers.subordinate)
            put(0x18, 3, int.from_bytes(bytes(numbers), "little"))
            for window in function.windows:
                self.window(window, put)
        elif function.subsystem is not None:
            put(0x2C, 2, function.subsystem[0])
            put(0x2E, 2, function.subsystem[1])
        rows = (
            f"{start:02x}: " + " ".join(f"{byte:02x}" for byte in space[start : start + 16])
            for start in (0, 16, 32, 48)
        )
        return f"{function.address} made from a view\n" + "\n".join(rows) + "\n"

    def window(self, window: Window, put: object) -> None:
        assert callable(put)
        base, limit = _CLOSED
        if window.size:
            base = window.base if window.base is not None else self.next[window.kind]
            self.next[window.kind] = base + window.size
            limit = base + window.size - 1
        if window.kind == "io":
            put(0x1C, 1, base >> 8 & 0xF0 if window.size else 0xF0)
            put(0x1D, 1, limit >> 8 & 0xF0)
        elif window.kind == "memory":
            put(0x20, 2, base >> 16 & 0xFFF0)
            put(0x22, 2, limit >> 16 & 0xFFF0)
        else:
            put(0x24, 2, base >> 16 & 0xFFF0 | _PREFETCH_64)
            put(0x26, 2, limit >> 16 & 0xFFF0 | _PREFETCH_64)
            put(0x28, 4, base >> 32)
            put(0x2C, 4, limit >> 32)
