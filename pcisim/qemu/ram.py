"""Where QEMU puts a machine's RAM: what is left below 4 GiB, and where the addresses above it are free.

Source: firmware rules 3.4 and 3.7; verified against QEMU 7.2, 10.0 and 11.1.
"""

from __future__ import annotations

from pcisim.catalogue.profiles import GIB, Qemu
from pcisim.guest import Ram

HIGH_MEMORY = 4 * GIB


def below_4g(ram: Ram, family: str, qemu: Qemu) -> int:
    """Return the bytes of RAM below 4 GiB.

    Args:
        ram: how much there is.
        family: ``pc``, ``q35`` or ``microvm``.
        qemu: the version of QEMU.
    """
    row = qemu.ram_below[family]
    limit = ram.limit or HIGH_MEMORY
    threshold = ram.limit if ram.limit and row.limit_is_threshold else row.threshold
    return min(ram.size, limit, row.most if ram.size >= threshold else HIGH_MEMORY)


def end_above_4g(ram: Ram, family: str, qemu: Qemu) -> int:
    """Return the first address above 4 GiB that neither RAM nor the room for more RAM takes.

    Room for more there is if there may be more than there is: the difference, and 1 GiB for each slot.

    Args:
        ram: how much there is, and may be.
        family: ``pc``, ``q35`` or ``microvm``.
        qemu: the version of QEMU.
    """
    end = HIGH_MEMORY + ram.size - below_4g(ram, family, qemu)
    if ram.most <= ram.size:
        return end
    return up(up(end, GIB) + ram.most - ram.size + ram.slots * GIB, GIB)


def up(value: int, align: int) -> int:
    """Return a number rounded up to a power of two."""
    return (value + align - 1) & -align
