"""The base address registers of QEMU's devices, and what properties make of them.

Verified against QEMU 7.2.22 (Debian bookworm), property by property, at values on both sides of each limit;
QEMU 10.0.13 gives the same sizes where it was asked.
Sizes that a device takes from more than one property are computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from pcisim.address import whole_number
from pcisim.errors import UsageError

K, M = 1 << 10, 1 << 20
IO, MEM32, MEM64 = "io", "mem32", "mem64"
Bars = dict[int, "Bar"]
Options = Mapping[str, str]


class Bar(NamedTuple):
    """One base address register: what it decodes and how much."""

    number: int
    """The register, 0 to 5; a `MEM64` one also takes the next."""
    kind: str
    """`IO`, `MEM32` or `MEM64`."""
    prefetchable: bool
    size: int
    """In bytes; a power of two."""


def io(number: int, size: int) -> Bar:
    """Return a BAR of I/O ports."""
    return Bar(number, IO, False, size)


def m32(number: int, size: int) -> Bar:
    """Return a 32-bit memory BAR."""
    return Bar(number, MEM32, False, size)


def p32(number: int, size: int) -> Bar:
    """Return a prefetchable 32-bit memory BAR."""
    return Bar(number, MEM32, True, size)


def m64(number: int, size: int) -> Bar:
    """Return a 64-bit memory BAR."""
    return Bar(number, MEM64, False, size)


def p64(number: int, size: int) -> Bar:
    """Return a prefetchable 64-bit memory BAR."""
    return Bar(number, MEM64, True, size)


def power_of_two(size: int) -> int:
    """Return a size rounded up to a power of two; 0 for 0."""
    return 1 << (size - 1).bit_length() if size > 0 else 0


def msix_table(vectors: int) -> int:
    """Return the size of an MSI-X BAR: an entry has 16 bytes and a pending bit; the bits come in words of 8 bytes."""
    return power_of_two(max(vectors * 16 + (vectors + 63) // 64 * 8, 4 * K))


MOST_VECTORS = 2048
"""With more vectors than that a device does without MSI-X."""


class SizeOption(NamedTuple):
    """One row: a property that is the size of a BAR."""

    bar: Bar
    """The BAR; its size is the unit of the property."""
    least: int = 0
    most: int = 1 << 64
    """Bytes; smaller and larger values are taken for these."""


_VGA_MEMORY = SizeOption(p32(0, M), M, 512 * M)
MEMDEV_SIZE = "memdev-size"
"""Not a property of QEMU's: the bytes of the memory that ``memdev`` or ``pmrdev`` names, where they are known."""
SIZE_OPTIONS: Mapping[tuple[str, str], SizeOption] = MappingProxyType(
    {
        ("VGA", "vgamem_mb"): _VGA_MEMORY,
        ("secondary-vga", "vgamem_mb"): _VGA_MEMORY,
        ("ati-vga", "vgamem_mb"): _VGA_MEMORY,
        ("vmware-svga", "vgamem_mb"): SizeOption(p32(1, M), M, 512 * M),
        ("bochs-display", "vgamem"): SizeOption(p32(0, 1)),
        ("acpi-erst", "record_size"): SizeOption(m32(1, 1)),
        ("pci-testdev", "membar"): SizeOption(p64(2, 1)),
        ("nvme", "cmb_size_mb"): SizeOption(p64(2, M)),
        ("nvme", MEMDEV_SIZE): SizeOption(p64(4, 1)),
        ("ivshmem-plain", MEMDEV_SIZE): SizeOption(p64(2, 1)),
    }
)
"""Properties that are the size of a BAR; the BAR is not there where the size is 0."""
MEMORY_LINKS: Mapping[str, str] = MappingProxyType({"ivshmem-plain": "memdev", "nvme": "pmrdev"})
"""The property that names the memory behind a BAR."""

WITHOUT: Mapping[tuple[str, str, str], int] = MappingProxyType({("VGA", "mmio", "off"): 2})
"""Properties whose value takes a BAR away."""

ROM_FILES: Mapping[str, int] = MappingProxyType(
    {
        **{
            f"{kind}-{driver}.rom": size
            for kind, sizes in (
                ("efi", (249856, 249856, 247808, 245760, 246272, 249856, 249344, 243712)),
                ("pxe", (75264, 75264, 75264, 74752, 74752, 75776, 75776, 74240)),
            )
            for driver, size in zip(
                ("e1000", "e1000e", "eepro100", "ne2k_pci", "pcnet", "rtl8139", "virtio", "vmxnet3"), sizes, strict=True
            )
        },
        **dict.fromkeys(("vgabios-ati.bin", "vgabios-qxl.bin", "vgabios-stdvga.bin", "vgabios-virtio.bin"), 39936),
        "vgabios-bochs-display.bin": 28672, "vgabios-cirrus.bin": 39424, "vgabios-vmware.bin": 39936,
    }
)  # fmt: skip
"""The option ROMs that come with QEMU, in bytes (those of Debian bookworm)."""


# ------------------------------------------------------------------ virtio


class ConfigField(NamedTuple):
    """One row: how far the configuration of a virtio device goes when it has something."""

    end: int
    """Bytes."""
    option: str = ""
    """The property that decides; "" for what is always there."""
    default: bool = False
    off: frozenset[str] = frozenset({"off"})
    """The values with which it is not there."""

    def is_there(self, options: Options) -> bool:
        """Return whether a device with some properties has it."""
        return not self.option or (options[self.option] not in self.off if self.option in options else self.default)


_BLOCK = (ConfigField(36), ConfigField(60, "discard", True), ConfigField(60, "write-zeroes", True))
_SCSI = (ConfigField(36),)
CONFIG_FIELDS: Mapping[str, tuple[ConfigField, ...]] = MappingProxyType(
    {
        "virtio-net-pci": (
            ConfigField(8),
            ConfigField(10, "mq"),
            ConfigField(12, "host_mtu", off=frozenset({"0"})),
            ConfigField(17, "speed", off=frozenset({"-1"})),
            ConfigField(17, "duplex", off=frozenset()),
            ConfigField(24, "rss"),
            ConfigField(24, "hash"),
        ),
        "virtio-blk-pci": _BLOCK,
        "vhost-user-blk-pci": _BLOCK,
        "virtio-scsi-pci": _SCSI,
        "vhost-scsi-pci": _SCSI,
        "vhost-user-scsi-pci": _SCSI,
        "virtio-serial-pci": (ConfigField(8), ConfigField(12, "emergency-write", True)),
        "virtio-balloon-pci": (
            ConfigField(8),
            ConfigField(12, "free-page-hint"),
            ConfigField(16, "page-poison", True),
            ConfigField(16, "qemu-4-0-config-size"),
        ),
        "virtio-rng-pci": (ConfigField(0),),
        "virtio-9p-pci": (ConfigField(2),),
    }
)
"""The configuration of each virtio device that can be legacy."""
_LEGACY_REGISTERS = 20
_MSIX_REGISTERS = 4

QUEUES: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "virtio-blk-pci": ("num-queues", 1),
        "vhost-user-blk-pci": ("num-queues", 1),
        "virtio-scsi-pci": ("num_queues", 3),
        "vhost-scsi-pci": ("num_queues", 3),
        "vhost-user-scsi-pci": ("num_queues", 3),
        "vhost-user-fs-pci": ("num-request-queues", 2),
    }
)
"""The property with the number of queues, and how many interrupt vectors there are besides one for each of them,
where ``vectors`` says nothing."""


def stem(driver: str) -> str:
    """Return the name of a virtio device without the ending that says whether it is legacy."""
    return driver.removesuffix("-transitional").removesuffix("-non")


def vectors_of(driver: str, options: Options) -> int | None:
    """Return how many interrupt vectors a virtio device asks for; ``None`` where no property says so."""
    if "vectors" in options:
        return number(options, "vectors")
    queues, more = QUEUES.get(stem(driver), ("", 0))
    return number(options, queues) + more if queues in options else None


def legacy_ports(driver: str, options: Options, *, msix: bool) -> int:
    """Return the size of the BAR of a legacy virtio device: its registers and its configuration."""
    name = stem(driver)
    config = max(field.end for field in CONFIG_FIELDS[name] if field.is_there(options))
    if name == "virtio-9p-pci":
        config += len(options.get("mount_tag", "").encode())
    return power_of_two(_LEGACY_REGISTERS + msix * _MSIX_REGISTERS + config)


# ------------------------------------------------------------------ sizes from more than one property


def _nvme(bars: Bars, options: Options) -> None:
    """Registers and doorbells of all queues, then the MSI-X table, in one BAR or in two."""
    pairs = number(options, "max_ioqpairs") if "max_ioqpairs" in options else 64
    if options.get("num_queues", "0") != "0":
        pairs = number(options, "num_queues") - 1
    vectors = number(options, "msix_qsize") if "msix_qsize" in options else 65
    registers = _page(4 * K + 8 * (pairs + 1))
    if options.get("msix-exclusive-bar") == "on":
        bars[0] = m64(0, power_of_two(registers))
        bars[4] = m32(4, msix_table(vectors))
    else:
        bars[0] = m64(0, power_of_two(_page(registers + 16 * vectors) + (vectors + 63) // 64 * 8))


def _page(size: int) -> int:
    return -(-size // (4 * K)) * 4 * K


_QXL_PORTS = {"1": 8, "2": 16}
_MB_OF_32_BITS = 0xFFF
"""Megabytes are kept as bytes in 32 bits."""


def _qxl(bars: Bars, options: Options, *, most: int) -> None:
    """Make room for the frame buffer twice, and for surfaces in BAR 1 and, where there are more, in BAR 4."""
    frame = min(max(_number_or(options, "vgamem_mb", 16), 8), 256) * M
    ram = _sized(options, "ram_size_mb", "ram_size", 64 * M, _MB_OF_32_BITS)
    low = max(_sized(options, "vram_size_mb", "vram_size", 64 * M), 4 * K)
    high = max(_sized(options, "vram64_size_mb", "", 0), low)
    revision = options.get("revision", "")
    if revision == "1":
        low = high = 4 * K
    bars[0] = m32(0, min(power_of_two(max(ram, 2 * frame)), most))
    bars[1] = m32(1, power_of_two(low))
    bars[3] = io(3, _QXL_PORTS.get(revision, 32))
    if power_of_two(high) > power_of_two(low):
        bars[4] = p64(4, power_of_two(high))


def _qxl_secondary(bars: Bars, options: Options) -> None:
    _qxl(bars, options, most=2048 * M)


def _qxl_primary(bars: Bars, options: Options) -> None:
    _qxl(bars, options, most=512 * M)


def _sized(options: Options, megabytes: str, size: str, default: int, mask: int = -1) -> int:
    """Return bytes that one property gives in MiB and another as they are; the first of them counts."""
    if options.get(megabytes, _UNSET_32) != _UNSET_32:
        return (number(options, megabytes) & mask) * M
    return _number_or(options, size, default)


def _number_or(options: Options, name: str, default: int) -> int:
    return number(options, name) if name in options else default


_UNSET_32 = "4294967295"
COMPUTED: Mapping[str, Callable[[Bars, Options], None]] = MappingProxyType(
    {"nvme": _nvme, "qxl": _qxl_secondary, "qxl-vga": _qxl_primary}
)
"""Devices with BARs whose sizes come from more than one property."""


def resize(driver: str, bars: Bars, options: Options) -> None:
    """Change the BARs of a device as its properties say.

    Args:
        driver: QEMU's name of the device.
        bars: its BARs by number, which are changed.
        options: its properties as text.

    Raises:
        UsageError: a property that is not a number.
    """
    for name, value in options.items():
        row = SIZE_OPTIONS.get((driver, name))
        if row is not None:
            size = min(max(power_of_two(number(options, name) * row.bar.size), row.least), row.most)
            if size:
                bars[row.bar.number] = row.bar._replace(size=size)
        gone = WITHOUT.get((driver, name, value))
        if gone is not None:
            bars.pop(gone, None)
    if driver in COMPUTED and options:
        COMPUTED[driver](bars, options)


def rom_size(own: int, options: Options) -> int:
    """Return the size of a device's option ROM; 0 where it has none.

    Args:
        own: that of the ROM that it has without properties.
        options: its properties as text.
    """
    name = options.get("romfile")
    size = own if name is None or (name and name not in ROM_FILES) else power_of_two(ROM_FILES.get(name, 0))
    if not size or options.get("rombar") == "0":
        return 0
    asked = options.get("romsize", _UNSET_32)
    return size if asked == _UNSET_32 else int(asked)


_SUFFIXES = {"K": 10, "M": 20, "G": 30, "T": 40}


def number(options: Options, name: str) -> int:
    """Return a property as a number, of which K, M, G and T may be the unit.

    Raises:
        UsageError: it is none.
    """
    word = options[name]
    shift = _SUFFIXES.get(word[-1:].upper(), 0)
    digits = word[:-1] if shift else word
    if not (digits.isascii() and digits.isdecimal()):
        raise bad_option(name, word, "a number")
    return whole_number(digits) << shift


def bad_option(name: str, word: str, wanted: str) -> UsageError:
    """Return the error of a property whose value is not of its kind."""
    return UsageError(f"option {name}={word} is not {wanted}", code="bad-option")
