"""What each QEMU device is on the PCI bus: ids, class, BARs, ROM and PCI Express capability.

Every row was measured, by reading and sizing the registers of a function that no firmware had
touched, never taken from QEMU's sources.  The table is that of profile ``10.0``, which is QEMU
10.0.13 (Debian trixie, its option ROMs); what QEMU 7.2.22 (Debian bookworm), profile ``7.2``, does
differently is in `NO_MSIX_IN_7_2`, `NEW_IN_10_0` and `UNMEASURED_IN_7_2`; what QEMU 11.1.3, profile ``11.1``,
does, in `ROWS_OF_11_1`, `BARS_OF_11_1` and `REVISIONS_OF_11_1`.

Machine types are the newest of each QEMU.  Of older ones some were looked at: pc-i440fx-7.2 and
pc-q35-7.2 on QEMU 10.0 differ from its newest exactly as profile 7.2 does; 2.12 and 2.7 (on QEMU
7.2) have smaller or other BARs on some virtio devices, nvme and qxl, but I/O BARs on the same
ones; with 2.6 virtio is legacy everywhere, also below ports, as with
``disable-modern=on,disable-legacy=off``.

To measure again: ``python tests/qemu/measure_functions.py --check``.

Three kinds of places make all the difference there is; every row was measured on all buses named:

================  =================================  =================================================
place             arguments of `function_at`         buses
================  =================================  =================================================
conventional bus  express_bus=False                  pc's root; those of pci-bridge, pcie-pci-bridge
                                                     and i82801b11-bridge
PCI Express root  express_bus=True, root_bus=True    q35's pcie.0
PCI Express port  express_bus=True                   those of a root port and of a downstream port
================  =================================  =================================================

So q35's own root bus is for virtio like a conventional bus: I/O BAR and transitional ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from pcisim.catalogue.bars import (
    IO,
    MEM64,
    MOST_VECTORS,
    Bar,
    K,
    M,
    bad_option,
    legacy_ports,
    msix_table,
    number,
    resize,
    rom_size,
    stem,
    vectors_of,
)
from pcisim.catalogue.bars import io as _io
from pcisim.catalogue.bars import m32 as _m32
from pcisim.catalogue.bars import m64 as _m64
from pcisim.catalogue.bars import p32 as _p32
from pcisim.catalogue.bars import p64 as _p64
from pcisim.errors import RefusedError, UsageError

NEVER, PORT, EXPRESS, ALWAYS = "never", "port", "express", "always"
HYBRID, TRANSITIONAL, MODERN = "hybrid", "transitional", "modern"

PROFILES = MappingProxyType({"7.2": "qemu-7.2.22", "10.0": "qemu-10.0.13", "11.1": "qemu-11.1.3"})
"""The QEMU versions that were measured."""
DEFAULT_PROFILE = "10.0"


class PciFunction(NamedTuple):
    """One row: a QEMU device as its configuration space shows it.

    A row of `FUNCTIONS` is the device before anything is known about its place; `function_at`
    answers for a place, and in its answers `express` is `ALWAYS` or `NEVER`.
    """

    driver: str
    vendor: int
    device: int
    """The device id; of a virtio device in a row of the table, the modern one where it has both."""
    class_code: int
    """Class and subclass, 16 bits."""
    revision: int
    express: str
    """Where it has a PCI Express capability: `NEVER`, `ALWAYS`, `EXPRESS` (on any PCI Express bus), or
    `PORT` (on a PCI Express bus that is not a root bus)."""
    bars: tuple[Bar, ...]
    """In the order of their numbers; of a row of a virtio device, without the legacy I/O one."""
    rom: int = 0
    """Size of the expansion ROM in bytes; 0 for none."""
    header: int = 0
    """Header type: 0 for an endpoint, 1 for a bridge."""
    pin: int = 0
    """Interrupt pin, 1 for INTA; 0 for none."""
    virtio: str = ""
    """`HYBRID` (legacy and modern, the place and the options decide), `TRANSITIONAL` (always both), `MODERN`
    (never legacy); "" when it is not virtio."""
    legacy: int = 0
    """The legacy device id of a virtio device that can be legacy, which then has an I/O BAR (number 0) too."""

    @property
    def asks_for_io(self) -> bool:
        """Return whether a BAR asks for I/O space."""
        return any(bar.kind == IO for bar in self.bars)


_F = PciFunction
_ROM_NIC, _ROM_VGA = 256 * K, 64 * K

# fmt: off
_ROWS = (
    # driver, vendor, device, class, revision, express, BARs, ROM, header, pin, virtio, legacy device
    _F("AC97", 0x8086, 0x2415, 0x0401, 1, NEVER, (_io(0, K), _io(1, 256)), 0, 0, 1),
    _F("acpi-erst", 0x1B36, 0x0012, 0x00FF, 0, NEVER, (_m32(0, 16), _m32(1, 8 * K))),
    _F("am53c974", 0x1022, 0x2020, 0x0100, 16, NEVER, (_io(0, 128),), 0, 0, 1),
    _F("AMDVI-PCI", 0x1022, 0x1419, 0x0806, 0, NEVER, ()),
    _F("ati-vga", 0x1002, 0x5046, 0x0300, 0, NEVER, (_p32(0, 16 * M), _io(1, 256), _m32(2, 16 * K)), _ROM_VGA, 0, 1),
    _F("bochs-display", 0x1234, 0x1111, 0x0380, 2, EXPRESS, (_p32(0, 16 * M), _m32(2, 4 * K)), 32 * K),
    _F("cirrus-vga", 0x1013, 0x00B8, 0x0300, 0, NEVER, (_p32(0, 32 * M), _m32(1, 4 * K)), _ROM_VGA),
    _F("ctucan_pci", 0x1760, 0xFF00, 0x0C09, 0, NEVER, (_m32(0, 32 * K), _m32(1, 64 * K)), 0, 0, 1),
    _F("cxl-downstream", 0x19E5, 0xA129, 0x0604, 0, ALWAYS, (_m64(0, 64 * K),), 0, 1),
    _F("cxl-rp", 0x8086, 0x7075, 0x0604, 0, ALWAYS, (_m64(0, 64 * K),), 0, 1, 1),
    _F("cxl-type3", 0x8086, 0x0D93, 0x0502, 1, ALWAYS, (_m64(0, 64 * K), _m64(2, 4 * K), _m32(4, 4 * K))),
    _F("cxl-upstream", 0x19E5, 0xA128, 0x0604, 0, ALWAYS, (_m64(0, 64 * K),), 0, 1),
    _F("dc390", 0x1022, 0x2020, 0x0100, 16, NEVER, (_io(0, 128),), 0, 0, 1),
    _F("e1000", 0x8086, 0x100E, 0x0200, 3, NEVER, (_m32(0, 128 * K), _io(1, 64)), _ROM_NIC, 0, 1),
    _F("e1000-82544gc", 0x8086, 0x100C, 0x0200, 3, NEVER, (_m32(0, 128 * K), _io(1, 64)), _ROM_NIC, 0, 1),
    _F("e1000-82545em", 0x8086, 0x100F, 0x0200, 3, NEVER, (_m32(0, 128 * K), _io(1, 64)), _ROM_NIC, 0, 1),
    _F("e1000e", 0x8086, 0x10D3, 0x0200, 0, ALWAYS,
       (_m32(0, 128 * K), _m32(1, 128 * K), _io(2, 32), _m32(3, 16 * K)), _ROM_NIC, 0, 1),
    _F("edu", 0x1234, 0x11E8, 0x00FF, 16, NEVER, (_m32(0, M),), 0, 0, 1),
    _F("ES1370", 0x1274, 0x5000, 0x0401, 0, NEVER, (_io(0, 256),), 0, 0, 1),
    _F("gpex-root", 0x1B36, 0x0008, 0x0600, 0, NEVER, ()),
    _F("i440FX", 0x8086, 0x1237, 0x0600, 2, NEVER, ()),
    _F("i6300esb", 0x8086, 0x25AB, 0x0880, 0, NEVER, (_m32(0, 16),)),
    _F("i82550", 0x8086, 0x1209, 0x0200, 14, NEVER, (_p32(0, 4 * K), _io(1, 64), _m32(2, 128 * K)), 128 * K, 0, 1),
    _F("i82551", 0x8086, 0x1209, 0x0200, 15, NEVER, (_p32(0, 4 * K), _io(1, 64), _m32(2, 128 * K)), 128 * K, 0, 1),
    _F("i82557a", 0x8086, 0x1229, 0x0200, 1, NEVER, (_p32(0, 4 * K), _io(1, 64), _m32(2, 128 * K)), 128 * K, 0, 1),
    _F("i82557b", 0x8086, 0x1229, 0x0200, 2, NEVER, (_p32(0, 4 * K), _io(1, 64), _m32(2, 128 * K)), 128 * K, 0, 1),
    _F("i82557c", 0x8086, 0x1229, 0x0200, 3, NEVER, (_p32(0, 4 * K), _io(1, 64), _m32(2, 128 * K)), 128 * K, 0, 1),
    _F("i82558a", 0x8086, 0x1229, 0x0200, 4, NEVER, (_p32(0, 4 * K), _io(1, 64), _m32(2, 128 * K)), 128 * K, 0, 1),
    _F("i82558b", 0x8086, 0x1229, 0x0200, 5, NEVER, (_p32(0, 4 * K), _io(1, 64), _m32(2, 128 * K)), 128 * K, 0, 1),
    _F("i82559a", 0x8086, 0x1229, 0x0200, 6, NEVER, (_p32(0, 4 * K), _io(1, 64), _m32(2, 128 * K)), 128 * K, 0, 1),
    _F("i82559b", 0x8086, 0x1229, 0x0200, 7, NEVER, (_p32(0, 4 * K), _io(1, 64), _m32(2, 128 * K)), 128 * K, 0, 1),
    _F("i82559c", 0x8086, 0x1229, 0x0200, 12, NEVER, (_p32(0, 4 * K), _io(1, 64), _m32(2, 128 * K)), 128 * K, 0, 1),
    _F("i82559er", 0x8086, 0x1209, 0x0200, 9, NEVER, (_p32(0, 4 * K), _io(1, 64), _m32(2, 128 * K)), 128 * K, 0, 1),
    _F("i82562", 0x8086, 0x1209, 0x0200, 14, NEVER, (_p32(0, 4 * K), _io(1, 64), _m32(2, 128 * K)), 128 * K, 0, 1),
    _F("i82801", 0x8086, 0x2449, 0x0200, 3, NEVER, (_p32(0, 4 * K), _io(1, 64), _m32(2, 128 * K)), 128 * K, 0, 1),
    _F("i82801b11-bridge", 0x8086, 0x244E, 0x0604, 146, NEVER, (), 0, 1),
    _F("ich9-ahci", 0x8086, 0x2922, 0x0106, 2, NEVER, (_io(4, 32), _m32(5, 4 * K)), 0, 0, 1),
    _F("ich9-intel-hda", 0x8086, 0x293E, 0x0403, 3, NEVER, (_m32(0, 16 * K),), 0, 0, 1),
    _F("ICH9-LPC", 0x8086, 0x2918, 0x0601, 2, NEVER, ()),
    _F("ICH9-SMB", 0x8086, 0x2930, 0x0C05, 2, NEVER, (_io(4, 64),), 0, 0, 1),
    _F("ich9-usb-ehci1", 0x8086, 0x293A, 0x0C03, 3, NEVER, (_m32(0, 4 * K),), 0, 0, 4),
    _F("ich9-usb-ehci2", 0x8086, 0x293C, 0x0C03, 3, NEVER, (_m32(0, 4 * K),), 0, 0, 4),
    _F("ich9-usb-uhci1", 0x8086, 0x2934, 0x0C03, 3, NEVER, (_io(4, 32),), 0, 0, 1),
    _F("ich9-usb-uhci2", 0x8086, 0x2935, 0x0C03, 3, NEVER, (_io(4, 32),), 0, 0, 2),
    _F("ich9-usb-uhci3", 0x8086, 0x2936, 0x0C03, 3, NEVER, (_io(4, 32),), 0, 0, 3),
    _F("ich9-usb-uhci4", 0x8086, 0x2937, 0x0C03, 3, NEVER, (_io(4, 32),), 0, 0, 1),
    _F("ich9-usb-uhci5", 0x8086, 0x2938, 0x0C03, 3, NEVER, (_io(4, 32),), 0, 0, 2),
    _F("ich9-usb-uhci6", 0x8086, 0x2939, 0x0C03, 3, NEVER, (_io(4, 32),), 0, 0, 3),
    _F("igb", 0x8086, 0x10C9, 0x0200, 1, ALWAYS,
       (_m32(0, 128 * K), _m32(1, 128 * K), _io(2, 32), _m64(3, 16 * K)), 0, 0, 1),
    _F("intel-hda", 0x8086, 0x2668, 0x0403, 1, NEVER, (_m32(0, 16 * K),), 0, 0, 1),
    _F("ioh3420", 0x8086, 0x3420, 0x0604, 2, ALWAYS, (), 0, 1, 1),
    _F("ivshmem-doorbell", 0x1AF4, 0x1110, 0x0500, 1, NEVER, (_m32(0, 256), _m32(1, 4 * K), _p64(2, M))),
    _F("ivshmem-plain", 0x1AF4, 0x1110, 0x0500, 1, NEVER, (_m32(0, 256), _p64(2, M))),
    _F("kvaser_pci", 0x10E8, 0x8406, 0xFF00, 0, NEVER, (_io(0, 128), _io(1, 128), _io(2, 8)), 0, 0, 1),
    _F("lsi53c810", 0x1000, 0x0001, 0x0100, 0, NEVER, (_io(0, 256), _m32(1, K), _m32(2, 8 * K)), 0, 0, 1),
    _F("lsi53c895a", 0x1000, 0x0012, 0x0100, 0, NEVER, (_io(0, 256), _m32(1, K), _m32(2, 8 * K)), 0, 0, 1),
    _F("mch", 0x8086, 0x29C0, 0x0600, 0, NEVER, ()),
    _F("megasas", 0x1000, 0x0060, 0x0104, 0, NEVER, (_m64(0, 16 * K), _io(2, 256), _m64(3, 256 * K)), 0, 0, 1),
    _F("megasas-gen2", 0x1000, 0x0079, 0x0104, 0, ALWAYS, (_io(0, 256), _m64(1, 16 * K), _m64(3, 256 * K)), 0, 0, 1),
    _F("mioe3680_pci", 0x13FE, 0xC302, 0x0C09, 0, NEVER, (_io(0, K), _io(1, K)), 0, 0, 1),
    _F("mptsas1068", 0x1000, 0x0054, 0x0100, 0, NEVER, (_io(0, 256), _m32(1, 16 * K), _m32(2, 64 * K)), 0, 0, 1),
    _F("ne2k_pci", 0x10EC, 0x8029, 0x0200, 0, NEVER, (_io(0, 256),), _ROM_NIC, 0, 1),
    _F("nec-usb-xhci", 0x1033, 0x0194, 0x0C03, 3, EXPRESS, (_m64(0, 16 * K),), 0, 0, 1),
    _F("nvme", 0x1B36, 0x0010, 0x0108, 2, ALWAYS, (_m64(0, 16 * K),), 0, 0, 1),
    _F("pci-bridge", 0x1B36, 0x0001, 0x0604, 0, NEVER, (_m64(0, 256),), 0, 1, 1),
    _F("pci-bridge-seat", 0x1B36, 0x000A, 0x0604, 0, NEVER, (_m64(0, 256),), 0, 1, 1),
    _F("pci-ipmi-bt", 0x1234, 0x1112, 0x0C07, 1, NEVER, (_io(0, 8),), 0, 0, 1),
    _F("pci-ipmi-kcs", 0x1234, 0x1112, 0x0C07, 1, NEVER, (_io(0, 8),), 0, 0, 1),
    _F("pci-ohci", 0x106B, 0x003F, 0x0C03, 0, NEVER, (_m32(0, 256),), 0, 0, 1),
    _F("pci-serial", 0x1B36, 0x0002, 0x0700, 1, NEVER, (_io(0, 8),), 0, 0, 1),
    _F("pci-serial-2x", 0x1B36, 0x0003, 0x0700, 1, NEVER, (_io(0, 16),), 0, 0, 1),
    _F("pci-serial-4x", 0x1B36, 0x0004, 0x0700, 1, NEVER, (_io(0, 32),), 0, 0, 1),
    _F("pci-testdev", 0x1B36, 0x0005, 0x00FF, 0, NEVER, (_m32(0, 4 * K), _io(1, 256))),
    _F("pcie-pci-bridge", 0x1B36, 0x000E, 0x0604, 0, ALWAYS, (_m64(0, 256),), 0, 1, 1),
    _F("pcie-root-port", 0x1B36, 0x000C, 0x0604, 0, ALWAYS, (_m32(0, 4 * K),), 0, 1, 1),
    _F("pcm3680_pci", 0x13FE, 0xC002, 0x0C09, 0, NEVER, (_io(0, 256), _io(1, 256)), 0, 0, 1),
    _F("pcnet", 0x1022, 0x2000, 0x0200, 16, NEVER, (_io(0, 32), _m32(1, 32)), _ROM_NIC, 0, 1),
    _F("PIIX3", 0x8086, 0x7000, 0x0601, 0, NEVER, ()),
    _F("piix3-ide", 0x8086, 0x7010, 0x0101, 0, NEVER, (_io(4, 16),)),
    _F("piix3-usb-uhci", 0x8086, 0x7020, 0x0C03, 1, NEVER, (_io(4, 32),), 0, 0, 4),
    _F("piix4-ide", 0x8086, 0x7111, 0x0101, 0, NEVER, (_io(4, 16),)),
    _F("piix4-usb-uhci", 0x8086, 0x7112, 0x0C03, 1, NEVER, (_io(4, 32),), 0, 0, 4),
    _F("PIIX4_PM", 0x8086, 0x7113, 0x0680, 3, NEVER, (), 0, 0, 1),
    _F("pvpanic-pci", 0x1B36, 0x0011, 0x0880, 1, NEVER, (_m32(0, 2),)),
    _F("pvscsi", 0x15AD, 0x07C0, 0x0100, 2, EXPRESS, (_m32(0, 32 * K),), 0, 0, 1),
    _F("pxb", 0x1B36, 0x0009, 0x0600, 0, NEVER, ()),
    _F("pxb-cxl", 0x0000, 0x0000, 0x0600, 0, NEVER, ()),
    _F("pxb-pcie", 0x1B36, 0x000B, 0x0600, 0, NEVER, ()),
    _F("qemu-xhci", 0x1B36, 0x000D, 0x0C03, 1, EXPRESS, (_m64(0, 16 * K),), 0, 0, 1),
    _F("qxl", 0x1B36, 0x0100, 0x0380, 5, NEVER,
       (_m32(0, 64 * M), _m32(1, 64 * M), _m32(2, 8 * K), _io(3, 32)), 0, 0, 1),
    _F("qxl-vga", 0x1B36, 0x0100, 0x0300, 5, NEVER,
       (_m32(0, 64 * M), _m32(1, 64 * M), _m32(2, 8 * K), _io(3, 32)), _ROM_VGA, 0, 1),
    _F("rocker", 0x1B36, 0x0006, 0x0280, 1, NEVER, (_m32(0, 8 * K), _m32(1, 8 * K))),
    _F("rtl8139", 0x10EC, 0x8139, 0x0200, 32, NEVER, (_io(0, 256), _m32(1, 256)), _ROM_NIC, 0, 1),
    _F("sdhci-pci", 0x1B36, 0x0007, 0x0805, 0, NEVER, (_m32(0, 256),), 0, 0, 1),
    _F("secondary-vga", 0x1234, 0x1111, 0x0380, 2, NEVER, (_p32(0, 16 * M), _m32(2, 4 * K))),
    _F("tpci200", 0x1498, 0x30C8, 0x0680, 0, NEVER,
       (_m32(0, 128), _io(1, 128), _m32(2, 256), _m32(3, K), _m32(4, 32 * M), _m32(5, 16 * M)), 0, 0, 1),
    _F("tulip", 0x1011, 0x0019, 0x0200, 0, NEVER, (_io(0, 128), _m32(1, 128)), 0, 0, 1),
    _F("ufs", 0x1B36, 0x0013, 0x0109, 0, NEVER, (_m32(0, 8 * K),), 0, 0, 1),
    _F("usb-ehci", 0x8086, 0x24CD, 0x0C03, 16, NEVER, (_m32(0, 4 * K),), 0, 0, 4),
    _F("VGA", 0x1234, 0x1111, 0x0300, 2, NEVER, (_p32(0, 16 * M), _m32(2, 4 * K)), _ROM_VGA),
    _F("vhost-user-blk-pci", 0x1AF4, 0x1042, 0x0100, 1, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, HYBRID, 0x1001),
    _F("vhost-user-blk-pci-non-transitional", 0x1AF4, 0x1042, 0x0100, 1, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("vhost-user-blk-pci-transitional", 0x1AF4, 0x1001, 0x0100, 0, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, TRANSITIONAL, 0x1001),
    _F("vhost-user-fs-pci", 0x1AF4, 0x105A, 0x0180, 1, PORT, (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("vhost-user-gpio-pci", 0x1AF4, 0x1069, 0x0780, 1, PORT, (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("vhost-user-gpu-pci", 0x1AF4, 0x1050, 0x0380, 1, PORT, (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("vhost-user-i2c-pci", 0x1AF4, 0x1062, 0x0780, 1, PORT, (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("vhost-user-input-pci", 0x1AF4, 0x1052, 0x0980, 1, PORT, (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("vhost-user-rng-pci", 0x1AF4, 0x1044, 0x00FF, 1, PORT, (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("vhost-user-scsi-pci", 0x1AF4, 0x1048, 0x0100, 1, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, HYBRID, 0x1004),
    _F("vhost-user-scsi-pci-non-transitional", 0x1AF4, 0x1048, 0x0100, 1, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("vhost-user-scsi-pci-transitional", 0x1AF4, 0x1004, 0x0100, 0, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, TRANSITIONAL, 0x1004),
    _F("vhost-user-snd-pci", 0x1AF4, 0x1059, 0x0401, 1, PORT, (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("vhost-user-vga", 0x1AF4, 0x1050, 0x0300, 1, PORT,
       (_p32(0, 8 * M), _p64(2, 16 * K), _m32(4, 4 * K)), _ROM_VGA, 0, 1, MODERN),
    _F("vhost-user-vsock-pci", 0x1AF4, 0x1053, 0x0780, 1, PORT, (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("vhost-user-vsock-pci-non-transitional", 0x1AF4, 0x1053, 0x0780, 1, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("virtio-9p-pci", 0x1AF4, 0x1049, 0x0002, 1, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, HYBRID, 0x1009),
    _F("virtio-9p-pci-non-transitional", 0x1AF4, 0x1049, 0x0002, 1, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("virtio-9p-pci-transitional", 0x1AF4, 0x1009, 0x0002, 0, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, TRANSITIONAL, 0x1009),
    _F("virtio-balloon-pci", 0x1AF4, 0x1045, 0x00FF, 1, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, HYBRID, 0x1002),
    _F("virtio-balloon-pci-non-transitional", 0x1AF4, 0x1045, 0x00FF, 1, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("virtio-balloon-pci-transitional", 0x1AF4, 0x1002, 0x00FF, 0, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, TRANSITIONAL, 0x1002),
    _F("virtio-blk-pci", 0x1AF4, 0x1042, 0x0100, 1, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, HYBRID, 0x1001),
    _F("virtio-blk-pci-non-transitional", 0x1AF4, 0x1042, 0x0100, 1, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("virtio-blk-pci-transitional", 0x1AF4, 0x1001, 0x0100, 0, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, TRANSITIONAL, 0x1001),
    _F("virtio-crypto-pci", 0x1AF4, 0x1054, 0x00FF, 1, PORT, (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("virtio-gpu-pci", 0x1AF4, 0x1050, 0x0380, 1, PORT, (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("virtio-iommu-pci", 0x1AF4, 0x1057, 0x00FF, 1, NEVER, (_p64(4, 16 * K),), 0, 0, 1, MODERN),
    _F("virtio-keyboard-pci", 0x1AF4, 0x1052, 0x0900, 1, PORT, (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("virtio-mem-pci", 0x1AF4, 0x1058, 0x00FF, 1, PORT, (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("virtio-mouse-pci", 0x1AF4, 0x1052, 0x0902, 1, PORT, (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("virtio-multitouch-pci", 0x1AF4, 0x1052, 0x0980, 1, PORT, (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("virtio-net-pci", 0x1AF4, 0x1041, 0x0200, 1, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), _ROM_NIC, 0, 1, HYBRID, 0x1000),
    _F("virtio-net-pci-non-transitional", 0x1AF4, 0x1041, 0x0200, 1, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), _ROM_NIC, 0, 1, MODERN),
    _F("virtio-net-pci-transitional", 0x1AF4, 0x1000, 0x0200, 0, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), _ROM_NIC, 0, 1, TRANSITIONAL, 0x1000),
    _F("virtio-pmem-pci", 0x1AF4, 0x105B, 0x00FF, 1, PORT, (_p64(4, 16 * K),), 0, 0, 1, MODERN),
    _F("virtio-rng-pci", 0x1AF4, 0x1044, 0x00FF, 1, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, HYBRID, 0x1005),
    _F("virtio-rng-pci-non-transitional", 0x1AF4, 0x1044, 0x00FF, 1, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("virtio-rng-pci-transitional", 0x1AF4, 0x1005, 0x00FF, 0, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, TRANSITIONAL, 0x1005),
    _F("virtio-scsi-pci", 0x1AF4, 0x1048, 0x0100, 1, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, HYBRID, 0x1004),
    _F("virtio-scsi-pci-non-transitional", 0x1AF4, 0x1048, 0x0100, 1, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("virtio-scsi-pci-transitional", 0x1AF4, 0x1004, 0x0100, 0, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, TRANSITIONAL, 0x1004),
    _F("virtio-serial-pci", 0x1AF4, 0x1043, 0x0780, 1, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, HYBRID, 0x1003),
    _F("virtio-serial-pci-non-transitional", 0x1AF4, 0x1043, 0x0780, 1, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("virtio-serial-pci-transitional", 0x1AF4, 0x1003, 0x0780, 0, PORT,
       (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, TRANSITIONAL, 0x1003),
    _F("virtio-sound-pci", 0x1AF4, 0x1059, 0x0401, 1, PORT, (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("virtio-tablet-pci", 0x1AF4, 0x1052, 0x0980, 1, PORT, (_m32(1, 4 * K), _p64(4, 16 * K)), 0, 0, 1, MODERN),
    _F("virtio-vga", 0x1AF4, 0x1050, 0x0300, 1, PORT,
       (_p32(0, 8 * M), _p64(2, 16 * K), _m32(4, 4 * K)), _ROM_VGA, 0, 1, MODERN),
    _F("vmware-svga", 0x15AD, 0x0405, 0x0300, 0, NEVER, (_io(0, 16), _p32(1, 16 * M), _p32(2, 64 * K)), _ROM_VGA),
    _F("vmxnet3", 0x15AD, 0x07B0, 0x0200, 1, EXPRESS, (_m32(0, 4 * K), _m32(1, 4 * K), _m32(2, 8 * K)), _ROM_NIC, 0, 1),
    _F("x3130-upstream", 0x104C, 0x8232, 0x0604, 2, ALWAYS, (), 0, 1),
    _F("xio3130-downstream", 0x104C, 0x8233, 0x0604, 1, ALWAYS, (), 0, 1),
)
# fmt: on

FUNCTIONS: Mapping[str, PciFunction] = MappingProxyType({row.driver: row for row in _ROWS})
"""Every measured driver of QEMU's, with the built-in functions of pc, q35 and microvm under the names that
``info qtree`` has for them."""

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "ahci": "ich9-ahci", "lsi": "lsi53c895a", "e1000-82540em": "e1000", "ac97": "AC97", "es1370": "ES1370",
        **{
            f"virtio-{kind}": f"virtio-{kind}-pci"
            for kind in (
                "9p", "blk", "scsi", "net", "input-host", "keyboard", "mouse", "serial", "tablet", "gpu-gl", "gpu",
                "sound", "balloon", "iommu", "rng",
            )
        },
    }
)  # fmt: skip
"""Other names that ``-device`` takes."""

BUILT_INS: Mapping[str, Mapping[tuple[int, int], str]] = MappingProxyType(
    {
        "pc": {(0, 0): "i440FX", (1, 0): "PIIX3", (1, 1): "piix3-ide", (1, 2): "piix3-usb-uhci", (1, 3): "PIIX4_PM"},
        "q35": {
            (0, 0): "mch", (0x1D, 0): "ich9-usb-uhci1", (0x1D, 1): "ich9-usb-uhci2", (0x1D, 2): "ich9-usb-uhci3",
            (0x1D, 7): "ich9-usb-ehci1", (0x1F, 0): "ICH9-LPC", (0x1F, 2): "ich9-ahci", (0x1F, 3): "ICH9-SMB",
        },
        "microvm": {(0, 0): "gpex-root"},
    }
)  # fmt: skip
"""What each machine has at (slot, function) of its root bus; the USB controllers only with ``usb=on``, microvm's
bridge only with ``pcie=on``."""

_VHOST = "needs the kernel's vhost device, which was not there"
_HOST = "is what the host's device is"
_VDPA = "needs a vDPA device of the host"
_GL = "needs a display with OpenGL"
_CXL = "needs a CXL machine"
UNMEASURED: Mapping[str, str] = MappingProxyType(
    {
        "vfio-pci": _HOST,
        "vfio-pci-nohotplug": _HOST,
        "vfio-pci-igd-lpc-bridge": "goes with a passed-through Intel graphics device",
        "vhost-scsi-pci": _VHOST,
        "vhost-scsi-pci-transitional": _VHOST,
        "vhost-scsi-pci-non-transitional": _VHOST,
        "vhost-vsock-pci": _VHOST,
        "vhost-vsock-pci-non-transitional": _VHOST,
        "vhost-vdpa-device-pci": _VDPA,
        "vhost-vdpa-device-pci-transitional": _VDPA,
        "vhost-vdpa-device-pci-non-transitional": _VDPA,
        "virtio-input-host-pci": "needs an input device of the host",
        "virtio-gpu-gl-pci": _GL,
        "virtio-vga-gl": _GL,
        "cxl-switch-mailbox-cci": _CXL,
        "pvrdma": "needs an RDMA device of the host (and is gone from QEMU 10.0)",
        "xen-platform": "needs a Xen guest",
        "vhost-user-rtc-pci": "needs a process behind it that has a clock",
        "vhost-user-spi-pci": "needs a process behind it that has an SPI bus",
        "vhost-user-test-device-pci": "is what the process behind it is",
        "vfio-user-pci": "is what the process behind it is",
        "x-pci-proxy-dev": "is what the process behind it is",
    }
)
"""QEMU's PCI drivers without a row, and why."""

NO_MSIX_IN_7_2 = frozenset(
    {"virtio-balloon-pci", "virtio-balloon-pci-transitional", "virtio-balloon-pci-non-transitional", "virtio-mem-pci"}
)
"""Rows without the MSI-X BAR (number 1) in profile 7.2."""
PLACE_IS_ID_IN_7_2 = frozenset({"AMDVI-PCI"})
"""Rows whose device id is the place of the function (slot and function) in profile 7.2."""
NEW_IN_10_0 = frozenset({"igb", "ufs", "vhost-user-snd-pci", "virtio-multitouch-pci", "virtio-sound-pci"})
"""Rows of drivers that QEMU 7.2 does not have."""
UNMEASURED_IN_7_2: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("vhost-user-gpu-pci", "vhost-user-input-pci", "vhost-user-vga"), "QEMU 7.2 wants KVM for it")
)

ROWS_OF_11_1: Mapping[str, PciFunction] = MappingProxyType(
    {
        row.driver: row
        for row in (
            _F("iommu-testdev", 0x1B36, 0x0005, 0x00FF, 0, NEVER, (_m32(0, 4 * K),)),
            _F("pxb-cxl", 0x1B36, 0x000B, 0x0600, 0, NEVER, ()),
            _F("virtio-rtc-pci", 0x1AF4, 0x1051, 0x0803, 1, PORT, (_p64(4, 16 * K),), 0, 0, 1, MODERN),
        )
    }
)
"""Rows of drivers that only QEMU 11.1 has, or has otherwise."""
BARS_OF_11_1: Mapping[tuple[str, int], Bar] = MappingProxyType(
    {("ati-vga", 0x5046): _p32(0, 64 * M), ("ati-vga", 0x5159): _p32(0, 128 * M)}
)
"""BARs in profile 11.1 by driver and device id, whatever `pcisim.catalogue.bars` makes of the properties."""
REVISIONS_OF_11_1: Mapping[tuple[str, str, str], int] = MappingProxyType(
    {
        ("VGA", "mmio", "off"): 0,
        **{(driver, "revision", str(value)): value for driver in ("qxl", "qxl-vga") for value in range(1, 5)},
    }
)
"""Properties whose value gives a device another revision in profile 11.1."""

IDENTITIES: Mapping[tuple[str, str, str], tuple[int, int]] = MappingProxyType(
    {
        ("nvme", "use-intel-id", "on"): (0x8086, 0x5845),
        ("ati-vga", "model", "rv100"): (0x1002, 0x5159),
        ("ati-vga", "x-device-id", str(0x5159)): (0x1002, 0x5159),
    }
)
"""Properties whose value gives a device another vendor and device id."""
CLASS_OPTIONS: Mapping[str, frozenset[int]] = MappingProxyType(
    {
        "virtio-blk-pci": frozenset(),
        "vhost-user-blk-pci": frozenset(),
        "virtio-iommu-pci": frozenset(),
        "virtio-serial-pci": frozenset({0x0780, 0x0380, 0x00FF}),
    }
)
"""Virtio devices whose class is that of their property ``class``, and the values that count; empty where all do."""

_NO_OPTIONS: Mapping[str, str] = MappingProxyType({})


def is_measured(driver: str, profile: str = DEFAULT_PROFILE) -> bool:
    """Return whether `function_at` knows the driver (or alias) in that profile."""
    driver = ALIASES.get(driver, driver)
    if driver not in FUNCTIONS:
        return profile == "11.1" and driver in ROWS_OF_11_1
    return profile != "7.2" or not (driver in NEW_IN_10_0 or driver in UNMEASURED_IN_7_2)


def function_at(
    driver: str,
    *,
    express_bus: bool,
    options: Mapping[str, str] = _NO_OPTIONS,
    root_bus: bool = False,
    profile: str = DEFAULT_PROFILE,
) -> PciFunction:
    """Return what a device is in one place.

    Options that matter: ``disable-legacy``, ``disable-modern``, ``modern-pio-notify``, ``page-per-vq``, those of
    queues, vectors and the configuration (virtio), ``romfile``, ``romsize``, ``rombar``, ``shpc`` (pci-bridge), those
    of the tables of `pcisim.catalogue.bars`, and of `IDENTITIES` and `CLASS_OPTIONS`.  Not modelled, though they
    change BARs: ``hostmem`` (virtio-gpu of QEMU 10.0), and the queues that virtio takes by itself for more than 253
    virtual CPUs.  All others are ignored, also those that QEMU would refuse.

    Args:
        driver: QEMU's name of the device, or an alias of it.
        express_bus: whether the device's bus is PCI Express.
        options: the properties of ``-device``, as text.
        root_bus: whether the bus is a root bus.  It makes a difference only with `express_bus`: on q35's
            ``pcie.0`` virtio is transitional, below a port it is modern.
        profile: a key of `PROFILES`.

    Raises:
        UsageError: the driver is unknown or was not measured, the profile is unknown, or an option has a value that
            is not of its kind.
        RefusedError: a virtio device that may be neither legacy nor modern, as QEMU refuses it.
    """
    row = _row(driver, profile)
    port = express_bus and not root_bus
    express = row.express == ALWAYS or (row.express == EXPRESS and express_bus) or (row.express == PORT and port)
    bars = {bar.number: bar for bar in row.bars}
    if row.driver.startswith("pci-bridge") and not _flag(options, "shpc", default=True):
        return row._replace(bars=(), pin=0)
    if row.virtio:
        row, bars, modern = _virtio(row, bars, port, options)
        express = express and modern
    if options:
        resize(row.driver, bars, options)
        row = _named(row, options, profile)
    own = BARS_OF_11_1.get((row.driver, row.device)) if profile == "11.1" else None
    if own is not None:
        bars[own.number] = own
    return row._replace(
        express=ALWAYS if express else NEVER,
        bars=tuple(bars[number] for number in sorted(bars)),
        rom=rom_size(row.rom, options),
    )


def _named(row: PciFunction, options: Mapping[str, str], profile: str) -> PciFunction:
    """Return a row with the ids, the revision and the class that the properties give it."""
    for name, value in options.items():
        found = IDENTITIES.get((row.driver, name, value))
        if found is not None:
            row = row._replace(vendor=found[0], device=found[1])
        if profile == "11.1" and (row.driver, name, value) in REVISIONS_OF_11_1:
            row = row._replace(revision=REVISIONS_OF_11_1[row.driver, name, value])
    allowed = CLASS_OPTIONS.get(stem(row.driver))
    if allowed is not None and options.get("class", "0") != "0":
        code = number(options, "class") & 0xFFFF
        if not allowed or code in allowed:
            return row._replace(class_code=code)
    return row


def asks_for_io(
    driver: str,
    *,
    express_bus: bool,
    options: Mapping[str, str] = _NO_OPTIONS,
    root_bus: bool = False,
    profile: str = DEFAULT_PROFILE,
) -> bool | None:
    """Return whether a device has an I/O BAR in one place; `None` when it was not measured.

    The arguments are those of `function_at`, and so are the refusals of bad options.
    """
    if not is_measured(driver, profile):
        return None
    return function_at(driver, express_bus=express_bus, options=options, root_bus=root_bus, profile=profile).asks_for_io


def _row(driver: str, profile: str) -> PciFunction:
    name = ALIASES.get(driver, driver)
    if profile not in PROFILES:
        raise UsageError(
            f"unknown QEMU profile '{profile}'", code="unknown-profile", remedy=f"one of {', '.join(PROFILES)}"
        )
    if not is_measured(name, profile):
        missing = "QEMU 7.2 does not have it" if profile == "7.2" and name in NEW_IN_10_0 else ""
        why = UNMEASURED.get(name) or missing or UNMEASURED_IN_7_2.get(name)
        if why:
            raise UsageError(
                f"QEMU's '{driver}' was not measured", code="unmeasured-driver", details=(why,), parties=(driver,)
            )
        raise UsageError(f"unknown QEMU device '{driver}'", code="unknown-driver", parties=(driver,))
    row = ROWS_OF_11_1[name] if profile == "11.1" and name in ROWS_OF_11_1 else FUNCTIONS[name]
    if profile == "7.2" and name in NO_MSIX_IN_7_2:
        return row._replace(bars=tuple(bar for bar in row.bars if bar.number != 1))
    return row


def _virtio(
    row: PciFunction, bars: dict[int, Bar], port: bool, options: Mapping[str, str]
) -> tuple[PciFunction, dict[int, Bar], bool]:
    """Return the row, its BARs by number, and whether it is modern, as the place and the options want a virtio device.

    QEMU's "auto" of ``disable-legacy`` is: off, but on below a port.
    """
    word = options.get("disable-legacy", "auto")
    if word not in ("on", "off", "auto"):
        raise bad_option("disable-legacy", word, "on, off or auto")
    legacy = not port if word == "auto" else word == "off"
    modern = not _flag(options, "disable-modern", default=False)
    if row.virtio == TRANSITIONAL:
        legacy = modern = True
    if not legacy and not modern:
        raise RefusedError(
            f"device '{row.driver}' cannot work: it is neither modern nor legacy",
            code="virtio-neither",
            details=("below a PCI Express port 'disable-legacy' is on unless it is given",),
            remedy="set either disable-modern or disable-legacy to off",
            parties=(row.driver,),
        )
    # The window of modern virtio is the one 64-bit BAR, the MSI-X table the one that is not prefetchable.
    window = next(bar for bar in row.bars if bar.kind == MEM64)
    table = next((bar for bar in row.bars if not bar.prefetchable), None)
    if row.virtio == HYBRID and not modern:
        del bars[window.number]
    else:
        if _flag(options, "page-per-vq", default=False):
            bars[window.number] = window._replace(size=8 * M)
        if _flag(options, "modern-pio-notify", default=False):
            port_number = 5 if window.number == 2 else 2
            bars[port_number] = _io(port_number, 4)
    vectors = vectors_of(row.driver, options)
    if table is not None and vectors is not None:
        bars[table.number] = table._replace(size=msix_table(vectors))
        if not 0 < vectors <= MOST_VECTORS:
            del bars[table.number]
    if legacy and row.legacy:
        bars[0] = _io(0, legacy_ports(row.driver, options, msix=table is not None and table.number in bars))
        row = row._replace(device=row.legacy, revision=0)
    return row, bars, modern or row.virtio == TRANSITIONAL


def _flag(options: Mapping[str, str], name: str, *, default: bool) -> bool:
    word = options.get(name)
    if word is None:
        return default
    if word in ("on", "yes", "true", "y"):
        return True
    if word in ("off", "no", "false", "n"):
        return False
    raise bad_option(name, word, "on or off")
