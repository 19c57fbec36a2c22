"""Which values of properties QEMU's devices refuse, and in which words: facts, one row each.

Verified against QEMU 7.2.22 (Debian bookworm), at values on both sides of each limit.  What depends on more than one
property is in `pcisim.qemu.values`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

CRASH, ABORT = "Segmentation fault", "Aborted"
"""What becomes of QEMU where it does not look at a value."""
_POWER_ASSERTED = "pci_register_bar: Assertion `is_power_of_2(size)' failed."

ENUMERATIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "OnOffAuto": frozenset({"on", "off", "auto"}),
        "PCIELinkSpeed": frozenset({"2_5", "5", "8", "16"}),
        "PCIELinkWidth": frozenset({"1", "2", "4", "8", "12", "16", "32"}),
        "OffAutoPCIBAR": frozenset({"off", "auto", *(f"bar{number}" for number in range(6))}),
        "BlockdevOnError": frozenset({"auto", "report", "ignore", "enospc", "stop"}),
        "BiosAtaTranslation": frozenset({"auto", "none", "lba", "large", "rechs"}),
        "FdcDriveType": frozenset({"144", "288", "120", "none", "auto"}),
        "LostTickPolicy": frozenset({"discard", "delay", "slew"}),
    }
)
"""The values of each type of property that is one of a few words."""

MAC, HOST, UUID = "MAC address", "address on the host", "UUID"
FORMATS: Mapping[str, str] = MappingProxyType(
    {"mac": MAC, "fp_start_macaddr": MAC, "host": HOST, "guid": UUID, "uuid": UUID}
)
"""Properties that are text of a certain form, of those that QEMU calls ``str`` (and ``QemuUUID``)."""
SMALL_SIZES = frozenset({"discard_granularity", "min_io_size", "opt_io_size"})
"""Sizes of 32 bits."""
BLOCK_SIZES = frozenset({"logical_block_size", "physical_block_size"})
LEAST_BLOCK, LARGEST_BLOCK = 512, 2 << 20
SIZE_PROPERTIES = frozenset({"label-size"})
"""Sizes that QEMU calls ``int``."""
NOT_WRITABLE = frozenset(
    {("virtio-balloon", "guest-stats"), ("virtio-mem", "size"), ("pc-dimm", "size"), ("nvdimm", "size")}
)
"""Properties that say something and take nothing."""

INNER: Mapping[str, str] = MappingProxyType(
    {"virtio-mem-pci": "virtio-mem", "virtio-pmem-pci": "virtio-pmem", "pci-serial": "serial"}
)
"""The device inside of each that hands its properties on, where its name is not ``-device`` for ``-pci``."""


class Limit(NamedTuple):
    """One row: what a property may be."""

    low: int = 0
    high: int = (1 << 64) - 1
    words: str = ""
    """What QEMU says of any other value, which stands for ``{value}``."""
    power_of_two: bool = False
    only: frozenset[int] = frozenset()
    """The values that will do, where they are few."""
    zero: bool = False
    """Whether 0, which is to say nothing, will do besides."""
    unset: int = -1
    """A value that is to say nothing, and will do besides."""

    def allows(self, value: int) -> bool:
        """Return whether a value will do."""
        if value == self.unset:
            return True
        if self.only:
            return value in self.only
        if not value:
            return self.zero or not (self.low or self.power_of_two)
        return self.low <= value <= self.high and not (self.power_of_two and value & (value - 1))


_QUEUE_SIZE = "Invalid {{property}} (= {{value}}), must be a power of 2 between 256 and 1024{end}"
_POWER_OF_TWO = "invalid {property} property ({value}), must be a power of 2 (max 1024)"
_CIRRUS = Limit(words="Invalid cirrus_vga ram size '{value}'", only=frozenset({4, 8, 16}))
_SECTORS = Limit(1, 4194303, "invalid {property} property ({value}), must be between 1 and 4194303")
_AER = Limit(0, 128, "Invalid aer_log_max {value}. The max number of aer log is 128")
_OUTPUTS = Limit(0, 16, "invalid max_outputs > 16")
_QXL_OUTPUTS = Limit(0, 16, "Device display ID count ({value}) is greater than limit 16")
_QXL_REVISION = Limit(1, 5, "Invalid revision {value} for qxl device (max 5)")
_EHCI_FRAMES = Limit(8, 512, CRASH)
_GUEST_CID = (
    Limit(3, words="guest-cid property must be greater than 2"),
    Limit(0, (1 << 32) - 1, "guest-cid property must be a 32-bit number"),
)
_NO_NUMBER = (1 << 32) - 1
_IRQ = (Limit(0, 15, "isa_get_irq: Assertion `isairq < ISA_NUM_IRQS' failed."),)
_IDE_GRANULARITY = Limit(512, 512, "discard_granularity must be 512 for ide", zero=True, unset=_NO_NUMBER)
_AW_BITS = Limit(words="Supported values for aw-bits are: 39, 48", only=frozenset({39, 48}))
_UNSET_IRQ = (Limit(0, 15, "isa_get_irq: Assertion `isairq < ISA_NUM_IRQS' failed.", unset=_NO_NUMBER),)
_RECORD = "ERST record_size {value} is invalid"

LIMITS: Mapping[str, Mapping[str, tuple[Limit, ...]]] = MappingProxyType(
    {
        "virtio-net": {
            "rx_queue_size": (Limit(256, 1024, _QUEUE_SIZE.format(end="."), power_of_two=True),),
            "tx_queue_size": (Limit(256, 1024, _QUEUE_SIZE.format(end=""), power_of_two=True),),
            "speed": (Limit(-1, (1 << 31) - 1, "'speed' must be between 0 and INT_MAX", zero=True),),
        },
        "virtio-blk": {
            "num-queues": (Limit(1, words="num-queues property must be larger than 0"), Limit(0, 1024, ABORT)),
            "queue-size": (
                Limit(3, words="invalid {property} property ({value}), must be > 2"),
                Limit(0, 1024, _POWER_OF_TWO, power_of_two=True),
            ),
            "max-discard-sectors": (_SECTORS,),
            "max-write-zeroes-sectors": (_SECTORS,),
        },
        "virtio-scsi": {
            "num_queues": (
                Limit(1, 1022, "Invalid number of queues (= {value}), must be a positive integer less than 1022."),
            ),
            "virtqueue_size": (
                Limit(3, words="invalid {property} property (= {value}), must be > 2"), Limit(0, 1024, ABORT),
            ),
        },
        "virtio-serial": {
            "max_ports": (
                Limit(1, words="Maximum number of serial ports not specified"),
                Limit(0, 511, "maximum ports supported: 511"),
            ),
        },
        "virtio-rng": {
            "max-bytes": (Limit(0, (1 << 63) - 1, "'max-bytes' parameter must be non-negative, and less than 2^63"),),
            "period": (Limit(1, words="'period' parameter expects a positive integer"),),
        },
        "virtio-gpu": {"max_outputs": (_OUTPUTS,)},
        "virtio-vga": {"max_outputs": (Limit(1, words=CRASH), _OUTPUTS)},
        "virtio-iommu": {
            "len-reserved-regions": (
                Limit(0, 0, "array size property len-reserved-regions may not be set more than once"),
            ),
        },
        "virtio-mem": {
            "block-size": (
                Limit(1 << 20, words="'block-size' property has to be at least 0x100000"),
                Limit(0, words="'block-size' property has to be a power of two", power_of_two=True),
            ),
        },
        "vhost-vsock": {"guest-cid": _GUEST_CID},
        "nvme": {
            "max_ioqpairs": (Limit(1, 65535, "max_ioqpairs must be between 1 and 65535"),),
            "num_queues": (Limit(2, 65536, "max_ioqpairs must be between 1 and 65535", zero=True),),
            "msix_qsize": (Limit(1, 2048, "msix_qsize must be between 1 and 2048"),),
            "vsl": (Limit(1, words="vsl must be non-zero"),),
            "smart_critical_warning": (Limit(0, 31, "unsupported smart critical warning bits"),),
            "cmb_size_mb": (Limit(0, words=_POWER_ASSERTED, power_of_two=True, zero=True),),
        },
        "pci-testdev": {"membar": (Limit(0, words=_POWER_ASSERTED, power_of_two=True, zero=True),)},
        "acpi-erst": {"record_size": (Limit(4096, words=_RECORD, power_of_two=True),)},
        "cirrus-vga": {"vgamem_mb": (_CIRRUS,)},
        "isa-cirrus-vga": {"vgamem_mb": (_CIRRUS,)},
        "ati-vga": {
            "x-device-id": (
                Limit(
                    words="Unknown ATI VGA device id, only 0x5046 and 0x5159 are supported",
                    only=frozenset({0x5046, 0x5159}),
                ),
            ),
        },
        "bochs-display": {
            "vgamem": (
                Limit(4 << 20, words="bochs-display: video memory too small"),
                Limit(0, 256 << 20, "bochs-display: video memory too big"),
            ),
        },
        **{name: {"irq": _IRQ} for name in ("cs4231a", "gus", "isa-fdc", "isa-ide", "ne2k_isa", "sb16")},
        "isa-serial": {
            "index": (Limit(0, 3, "Max. supported number of ISA serial ports is 4.", unset=_NO_NUMBER),),
            "irq": _UNSET_IRQ,
        },
        "isa-parallel": {
            "index": (Limit(0, 2, "Max. supported number of parallel ports is 3.", unset=_NO_NUMBER),),
            "irq": _IRQ,
        },
        "mc146818rtc": {"irq": (Limit(0, 15, 'Maximum value for "irq" is: 15'),)},
        "i8042": {
            name: (Limit(0, 15, 'Maximum value for "{property}" is: 15'),) for name in ("kbd-irq", "mouse-irq")
        },
        "ide-hd": {
            "heads": (Limit(0, 16, "heads must be between 1 and 16"),),
            "discard_granularity": (_IDE_GRANULARITY,),
        },
        "ide-cd": {"discard_granularity": (_IDE_GRANULARITY,)},
        "intel-iommu": {"aw-bits": (_AW_BITS,)},
        "qxl": {"max_outputs": (_QXL_OUTPUTS,), "revision": (_QXL_REVISION,)},
        "qxl-vga": {"max_outputs": (_QXL_OUTPUTS,), "revision": (_QXL_REVISION,)},
        "sdhci-pci": {"sd-spec-version": (Limit(2, 3, "Only Spec v2/v3 are supported"),)},
        "pci-ohci": {"num-ports": (Limit(0, 15, "OHCI num-ports={value} is too big (limit is 15 ports)"),)},
        "usb-ehci": {"maxframes": (_EHCI_FRAMES,)},
        "ich9-usb-ehci1": {"maxframes": (_EHCI_FRAMES,)},
        "ich9-usb-ehci2": {"maxframes": (_EHCI_FRAMES,)},
        **{
            port: {"aer_log_max": (_AER,)}
            for port in (
                "pcie-root-port", "ioh3420", "x3130-upstream", "xio3130-downstream", "cxl-rp", "cxl-upstream",
                "cxl-downstream",
            )
        },
    }
)  # fmt: skip
"""For each device the properties with limits, and their limits in the order in which QEMU looks at them; a virtio
device goes by its name without ``-pci`` or ``-device`` and what follows."""

WORDS: Mapping[tuple[str, str], tuple[frozenset[str], str]] = MappingProxyType(
    {
        ("virtio-net", "duplex"): (frozenset({"half", "full"}), "'duplex' must be 'half' or 'full'"),
        ("intel-iommu", "eim"): (frozenset({"off", "auto"}), "eim=on requires accel=kvm,kernel-irqchip=split"),
    }
)
"""Properties that are one of a few words, which a device looks at when it is made."""

USED_ONCE: Mapping[str, str] = MappingProxyType(
    {
        "netdev": "Property '{device}.{property}' can't take value '{value}', it's in use",
        **dict.fromkeys(
            ("chardev", *(f"chardev{number}" for number in range(9))),
            "Property '{device}.{property}' can't take value '{value}': Device '{value}' is in use",
        ),
        "memdev": "can't use already busy memdev: {value}",
        "cryptodev": "can't use already used cryptodev backend: {value}",
        "bmc": "BMC object is already in use",
        "tpmdev": "Property '{device}.{property}' can't take value '{value}', it's in use",
        "drive": "Conflict on node '{value}': two devices would write to it",
    }
)
"""Properties that name something which serves one device only, and what QEMU says to the second."""
SHARED_DRIVE = "share-rw"
"""With this on, a disk shares its drive with others that have it on."""
DEVICE_LINKS = frozenset({"bmc", "subsys", "target"})
"""Properties that name another ``-device`` by its id."""
