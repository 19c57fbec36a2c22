"""Names of PCI vendors, devices and classes, as far as QEMU's devices have them.

Source: the public pci.ids of 2023.04.10 (Debian bookworm), for every id of `pcisim.catalogue.functions`;
an id that is not here has no name there.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# fmt: off
VENDORS: Mapping[int, str] = MappingProxyType(
    {
        0x1000: "Broadcom / LSI",
        0x1002: "Advanced Micro Devices, Inc. [AMD/ATI]",
        0x1011: "Digital Equipment Corporation",
        0x1013: "Cirrus Logic",
        0x1022: "Advanced Micro Devices, Inc. [AMD]",
        0x1033: "NEC Corporation",
        0x104C: "Texas Instruments",
        0x106B: "Apple Inc.",
        0x10E8: "Applied Micro Circuits Corp.",
        0x10EC: "Realtek Semiconductor Co., Ltd.",
        0x1274: "Ensoniq",
        0x13FE: "Advantech Co. Ltd",
        0x1498: "TEWS Technologies GmbH",
        0x15AD: "VMware",
        0x1760: "TEDIA spol. s r. o.",
        0x19E5: "Huawei Technologies Co., Ltd.",
        0x1AF4: "Red Hat, Inc.",
        0x1B36: "Red Hat, Inc.",
        0x8086: "Intel Corporation",
    }
)
DEVICES: Mapping[tuple[int, int], str] = MappingProxyType(
    {
        (0x1000, 0x0001): "53c810",
        (0x1000, 0x0012): "53c895a",
        (0x1000, 0x0054): "SAS1068 PCI-X Fusion-MPT SAS",
        (0x1000, 0x0060): "MegaRAID SAS 1078",
        (0x1000, 0x0079): "MegaRAID SAS 2108 [Liberator]",
        (0x1002, 0x5046): "Rage 4 [Rage 128 PRO AGP 4X]",
        (0x1011, 0x0019): "DECchip 21142/43",
        (0x1013, 0x00B8): "GD 5446",
        (0x1022, 0x1419): "Family 15h (Models 10h-1fh) I/O Memory Management Unit",
        (0x1022, 0x2000): "79c970 [PCnet32 LANCE]",
        (0x1022, 0x2020): "53c974 [PCscsi]",
        (0x1033, 0x0194): "uPD720200 USB 3.0 Host Controller",
        (0x104C, 0x8232): "XIO3130 PCI Express Switch (Upstream)",
        (0x104C, 0x8233): "XIO3130 PCI Express Switch (Downstream)",
        (0x106B, 0x003F): "KeyLargo/Intrepid USB",
        (0x10E8, 0x8406): "PCIcanx/PCIcan CAN interface [Kvaser AB]",
        (0x10EC, 0x8029): "RTL-8029(AS)",
        (0x10EC, 0x8139): "RTL-8100/8101L/8139 PCI Fast Ethernet Adapter",
        (0x1274, 0x5000): "ES1370 [AudioPCI]",
        (0x13FE, 0xC302): "MIOe-3680 2-Port CAN-Bus MIOe Module with Isolation Protection",
        (0x1498, 0x30C8): "TPCI200 4 Slot IndustryPack PCI Carrier",
        (0x15AD, 0x0405): "SVGA II Adapter",
        (0x15AD, 0x07B0): "VMXNET3 Ethernet Controller",
        (0x15AD, 0x07C0): "PVSCSI SCSI Controller",
        (0x1760, 0xFF00): "CTU CAN FD PCIe Card",
        (0x1AF4, 0x1000): "Virtio network device",
        (0x1AF4, 0x1001): "Virtio block device",
        (0x1AF4, 0x1002): "Virtio memory balloon",
        (0x1AF4, 0x1003): "Virtio console",
        (0x1AF4, 0x1004): "Virtio SCSI",
        (0x1AF4, 0x1005): "Virtio RNG",
        (0x1AF4, 0x1009): "Virtio filesystem",
        (0x1AF4, 0x1041): "Virtio 1.0 network device",
        (0x1AF4, 0x1042): "Virtio 1.0 block device",
        (0x1AF4, 0x1043): "Virtio 1.0 console",
        (0x1AF4, 0x1044): "Virtio 1.0 RNG",
        (0x1AF4, 0x1045): "Virtio 1.0 memory balloon",
        (0x1AF4, 0x1048): "Virtio 1.0 SCSI",
        (0x1AF4, 0x1049): "Virtio 1.0 filesystem",
        (0x1AF4, 0x1050): "Virtio 1.0 GPU",
        (0x1AF4, 0x1052): "Virtio 1.0 input",
        (0x1AF4, 0x1053): "Virtio 1.0 socket",
        (0x1AF4, 0x105A): "Virtio file system",
        (0x1AF4, 0x1110): "Inter-VM shared memory",
        (0x1B36, 0x0001): "QEMU PCI-PCI bridge",
        (0x1B36, 0x0002): "QEMU PCI 16550A Adapter",
        (0x1B36, 0x0003): "QEMU PCI Dual-port 16550A Adapter",
        (0x1B36, 0x0004): "QEMU PCI Quad-port 16550A Adapter",
        (0x1B36, 0x0005): "QEMU PCI Test Device",
        (0x1B36, 0x0006): "PCI Rocker Ethernet switch device",
        (0x1B36, 0x0007): "PCI SD Card Host Controller Interface",
        (0x1B36, 0x0008): "QEMU PCIe Host bridge",
        (0x1B36, 0x0009): "QEMU PCI Expander bridge",
        (0x1B36, 0x000A): "PCI-PCI bridge (multiseat)",
        (0x1B36, 0x000B): "QEMU PCIe Expander bridge",
        (0x1B36, 0x000C): "QEMU PCIe Root port",
        (0x1B36, 0x000D): "QEMU XHCI Host Controller",
        (0x1B36, 0x0010): "QEMU NVM Express Controller",
        (0x1B36, 0x0100): "QXL paravirtual graphic card",
        (0x8086, 0x100C): "82544GC Gigabit Ethernet Controller (Copper)",
        (0x8086, 0x100E): "82540EM Gigabit Ethernet Controller",
        (0x8086, 0x100F): "82545EM Gigabit Ethernet Controller (Copper)",
        (0x8086, 0x10C9): "82576 Gigabit Network Connection",
        (0x8086, 0x10D3): "82574L Gigabit Network Connection",
        (0x8086, 0x1209): "8255xER/82551IT Fast Ethernet Controller",
        (0x8086, 0x1229): "82557/8/9/0/1 Ethernet Pro 100",
        (0x8086, 0x1237): "440FX - 82441FX PMC [Natoma]",
        (0x8086, 0x2415): "82801AA AC'97 Audio Controller",
        (0x8086, 0x2449): "82801BA/BAM/CA/CAM Ethernet Controller",
        (0x8086, 0x244E): "82801 PCI Bridge",
        (0x8086, 0x24CD): "82801DB/DBM (ICH4/ICH4-M) USB2 EHCI Controller",
        (0x8086, 0x25AB): "6300ESB Watchdog Timer",
        (0x8086, 0x2668): "82801FB/FBM/FR/FW/FRW (ICH6 Family) High Definition Audio Controller",
        (0x8086, 0x2918): "82801IB (ICH9) LPC Interface Controller",
        (0x8086, 0x2922): "82801IR/IO/IH (ICH9R/DO/DH) 6 port SATA Controller [AHCI mode]",
        (0x8086, 0x2930): "82801I (ICH9 Family) SMBus Controller",
        (0x8086, 0x2934): "82801I (ICH9 Family) USB UHCI Controller #1",
        (0x8086, 0x2935): "82801I (ICH9 Family) USB UHCI Controller #2",
        (0x8086, 0x2936): "82801I (ICH9 Family) USB UHCI Controller #3",
        (0x8086, 0x2937): "82801I (ICH9 Family) USB UHCI Controller #4",
        (0x8086, 0x2938): "82801I (ICH9 Family) USB UHCI Controller #5",
        (0x8086, 0x2939): "82801I (ICH9 Family) USB UHCI Controller #6",
        (0x8086, 0x293A): "82801I (ICH9 Family) USB2 EHCI Controller #1",
        (0x8086, 0x293C): "82801I (ICH9 Family) USB2 EHCI Controller #2",
        (0x8086, 0x293E): "82801I (ICH9 Family) HD Audio Controller",
        (0x8086, 0x29C0): "82G33/G31/P35/P31 Express DRAM Controller",
        (0x8086, 0x3420): "7500/5520/5500/X58 I/O Hub PCI Express Root Port 0",
        (0x8086, 0x7000): "82371SB PIIX3 ISA [Natoma/Triton II]",
        (0x8086, 0x7010): "82371SB PIIX3 IDE [Natoma/Triton II]",
        (0x8086, 0x7020): "82371SB PIIX3 USB [Natoma/Triton II]",
        (0x8086, 0x7111): "82371AB/EB/MB PIIX4 IDE",
        (0x8086, 0x7112): "82371AB/EB/MB PIIX4 USB",
        (0x8086, 0x7113): "82371AB/EB/MB PIIX4 ACPI",
    }
)
CLASSES: Mapping[int, str] = MappingProxyType(
    {
        0x0100: "SCSI storage controller",
        0x0101: "IDE interface",
        0x0104: "RAID bus controller",
        0x0106: "SATA controller",
        0x0108: "Non-Volatile memory controller",
        0x0109: "Universal Flash Storage controller",
        0x0180: "Mass storage controller",
        0x0200: "Ethernet controller",
        0x0280: "Network controller",
        0x0300: "VGA compatible controller",
        0x0380: "Display controller",
        0x0401: "Multimedia audio controller",
        0x0403: "Audio device",
        0x0500: "RAM memory",
        0x0502: "CXL",
        0x0600: "Host bridge",
        0x0601: "ISA bridge",
        0x0604: "PCI bridge",
        0x0680: "Bridge",
        0x0700: "Serial controller",
        0x0780: "Communication controller",
        0x0805: "SD Host controller",
        0x0806: "IOMMU",
        0x0880: "System peripheral",
        0x0900: "Keyboard controller",
        0x0902: "Mouse controller",
        0x0980: "Input device controller",
        0x0C03: "USB controller",
        0x0C05: "SMBus",
        0x0C07: "IPMI Interface",
        0x0C09: "CANBUS",
    }
)
BASE_CLASSES: Mapping[int, str] = MappingProxyType({0x00: "Unclassified device", 0xFF: "Unassigned class"})
"""Of the classes that have no name of their own."""

INTERFACES: Mapping[tuple[int, int], str] = MappingProxyType(
    {
        (0x0101, 0x80): "ISA Compatibility mode-only controller, supports bus mastering",
        (0x0106, 0x01): "AHCI 1.0",
        (0x0108, 0x02): "NVM Express",
        (0x0300, 0x00): "VGA controller",
        (0x0604, 0x00): "Normal decode",
        (0x0604, 0x01): "Subtractive decode",
        (0x0700, 0x02): "16550",
        (0x0C03, 0x00): "UHCI",
        (0x0C03, 0x10): "OHCI",
        (0x0C03, 0x20): "EHCI",
        (0x0C03, 0x30): "XHCI",
    }
)
# fmt: on
"""Names of programming interfaces, by class and number."""

PROGRAMMING_INTERFACES: Mapping[str, int] = MappingProxyType(
    {
        "i82801b11-bridge": 0x01, "ich9-ahci": 0x01, "ich9-usb-ehci1": 0x20, "ich9-usb-ehci2": 0x20,
        "nec-usb-xhci": 0x30, "nvme": 0x02, "pci-ohci": 0x10, "pci-serial": 0x02, "pci-serial-2x": 0x02,
        "pci-serial-4x": 0x02, "piix3-ide": 0x80, "piix4-ide": 0x80, "qemu-xhci": 0x30, "sdhci-pci": 0x01,
        "usb-ehci": 0x20,
    }
)  # fmt: skip
"""The number of a driver's programming interface where it is not 0."""
