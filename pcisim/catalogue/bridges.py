"""The bridges that QEMU has: what is behind each, and what firmware and guest make of it.

Libvirt's names for those that it uses are in `pcisim.catalogue.controllers`.

Source: QEMU rules 2.1 to 2.5, firmware rules 2.2 and 3.1; verified against QEMU 7.2.22 and 10.0.13.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

PORT, SWITCH, CONVENTIONAL, ROOT = "port", "switch", "conventional", "root"
"""Kinds of buses: one link with one device, the inside of a switch, conventional PCI, a root bus."""

UNSET_RESERVE = str((1 << 64) - 1)
"""The value of a ``*-reserve`` option that says nothing, which is also the default."""


class Bridge(NamedTuple):
    """One row: a device of QEMU's that brings a bus."""

    driver: str
    behind: str
    """The kind of its bus; an expander brings a root bus."""
    express: bool
    """Whether its bus is PCI Express."""
    below: str = ""
    """The kind of bus that it belongs on, where it is a port."""
    shpc: bool = False
    """Whether it has a hotplug controller of its own for the slots behind it."""
    reserves: bool = False
    """Whether it takes the ``*-reserve`` options."""
    reserve_read: bool = False
    """Whether SeaBIOS reads what they ask for."""
    no_io_window: frozenset[str] = frozenset()
    """The values of ``io-reserve`` with which it has no registers for an I/O window."""
    bus_stem: str = ""
    """What QEMU's own name of its bus begins with, where that is not the kind of bus."""
    bus_type: str = ""
    """QEMU's type of its bus, where that is neither ``PCI`` nor ``PCIE``."""
    needs_cxl: bool = False
    """Whether it is for machines with CXL only."""


# fmt: off
_ROWS = (
    Bridge("pcie-root-port", PORT, True, ROOT, reserves=True, reserve_read=True, no_io_window=frozenset({"0"})),
    Bridge("ioh3420", PORT, True, ROOT),
    Bridge("cxl-rp", PORT, True, ROOT, reserves=True, no_io_window=frozenset({"0", UNSET_RESERVE}),
           bus_stem="cxl", bus_type="CXL"),
    Bridge("x3130-upstream", SWITCH, True),
    Bridge("cxl-upstream", SWITCH, True),
    Bridge("xio3130-downstream", PORT, True, SWITCH),
    Bridge("cxl-downstream", PORT, True, SWITCH),
    Bridge("pci-bridge", CONVENTIONAL, False, shpc=True, reserves=True, reserve_read=True),
    Bridge("pci-bridge-seat", CONVENTIONAL, False, shpc=True, reserves=True),
    Bridge("pcie-pci-bridge", CONVENTIONAL, False, shpc=True),
    Bridge("i82801b11-bridge", CONVENTIONAL, False),
    Bridge("pxb", ROOT, False, bus_stem="pci"),
    Bridge("pxb-pcie", ROOT, True, bus_stem="pxb-pcie-bus", bus_type="pxb-pcie-bus"),
    Bridge("pxb-cxl", ROOT, True, bus_stem="pxb-cxl-bus", bus_type="pxb-cxl-bus", needs_cxl=True),
)
# fmt: on

BRIDGES: Mapping[str, Bridge] = MappingProxyType({row.driver: row for row in _ROWS})
EXPANDERS = frozenset(row.driver for row in _ROWS if row.behind == ROOT)
"""Those that bring a root bus."""
ROOT_PORTS = frozenset(row.driver for row in _ROWS if row.below == ROOT)
DOWNSTREAM_PORTS = frozenset(row.driver for row in _ROWS if row.below == SWITCH)
"""Ports that belong inside a switch."""
SHPC_BRIDGES = frozenset(row.driver for row in _ROWS if row.shpc)
"""Those with a hotplug controller of their own."""
RESERVES_READ = frozenset(row.driver for row in _ROWS if row.reserve_read)
"""Those whose ``*-reserve`` options SeaBIOS reads."""
NEED_CXL = frozenset(row.driver for row in _ROWS if row.needs_cxl)
EXPANDER_BRIDGE = "pci-bridge"
"""The bridge between the root bus of a conventional expander and what is plugged into it, which nobody lists."""
