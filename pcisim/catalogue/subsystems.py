"""Subsystem ids of QEMU's PCI functions, which ``lspci -v`` prints.

Verified against QEMU 7.2.22 (``query-pci``, ``info qtree``) on the root bus of q35 and behind a root port.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pcisim.catalogue.functions import PciFunction

DEFAULT = (0x1AF4, 0x1100)
"""The ids of every function that has no row here, the chipset's included."""

EXCEPTIONS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "e1000e": (0x8086, 0x0000),
        "i82559c": (0x8086, 0x0040),
        "lsi53c810": (0x0000, 0x1000),
        "lsi53c895a": (0x0000, 0x1000),
        "megasas": (0x1000, 0x1013),
        "megasas-gen2": (0x1000, 0x9261),
        "mptsas1068": (0x1000, 0x8000),
        "pcnet": (0x0000, 0x0000),
        "pvscsi": (0x15AD, 0x07C0),
        "tpci200": (0x1498, 0x300A),
        "tulip": (0x103C, 0x104F),
        "vmware-svga": (0x15AD, 0x0405),
        "vmxnet3": (0x15AD, 0x07B0),
    }
)

LEGACY_VIRTIO: Mapping[int, int] = MappingProxyType(
    {0x1000: 1, 0x1001: 2, 0x1002: 5, 0x1003: 3, 0x1004: 8, 0x1005: 4, 0x1009: 9}
)
"""The subsystem id of a legacy or transitional virtio device, by its device id: the kind of virtio device."""


def subsystem_of(row: PciFunction) -> tuple[int, int] | None:
    """Return the subsystem's vendor and device ids of a function in its place; ``None`` for a bridge."""
    if row.header:
        return None
    if row.virtio and row.device in LEGACY_VIRTIO:
        return DEFAULT[0], LEGACY_VIRTIO[row.device]
    return EXCEPTIONS.get(row.driver, DEFAULT)
