"""Values of properties that a device refuses when it is made.

Single values are in `pcisim.catalogue.qemu_values`; here are the rules that look at more than one property.  Each
function raises a refusal with QEMU's own words as its headline.

Source: verified against QEMU 7.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pcisim.catalogue.bars import ROM_FILES, stem
from pcisim.catalogue.functions import FUNCTIONS, HYBRID, TRANSITIONAL
from pcisim.catalogue.qemu_values import LIMITS, WORDS
from pcisim.errors import RefusedError
from pcisim.qemu.device import refusal

Options = Mapping[str, str]
_NO_ROM_SIZE = (1 << 32) - 1
_MOST_VFS = 127
_LARGEST_TAG = 31
_HEADS = 255
_CYLINDERS = 65535
_GRANULE = 2 << 20
"""What the sizes of memory devices are multiples of."""


def check_values(name: str, options: Options, *, legacy: bool) -> None:
    """Check what a device demands of its properties, one by one and together.

    Args:
        name: QEMU's name of the device.
        options: its properties, in canonical form.
        legacy: whether it is a virtio device in a place and with properties where it is legacy too.
    """
    kind = kind_of(name)
    limits = LIMITS.get(kind, {})
    for key, value in options.items():
        for limit in limits.get(key, ()):
            if not limit.allows(int(value)):
                raise _refused(limit.words.format(property=key, value=value), f"{key}={value} is not what it takes")
        allowed, words = WORDS.get((kind, key), (None, ""))
        if allowed is not None and value not in allowed:
            raise _refused(words, f"{key}={value} is not what it takes")
    _check_rom(name, options)
    _check_disk(options)
    if legacy:
        _check_legacy(kind, options)
    if kind in _RULES:
        _RULES[kind](options)


def kind_of(name: str) -> str:
    """Return the name of a device by which its limits are listed: of virtio without what stands at the end."""
    return stem(name).removesuffix("-pci").removesuffix("-device") if name.startswith(("virtio", "vhost")) else name


def is_legacy(name: str, device_id: int) -> bool:
    """Return whether a virtio device with that device id is legacy, alone or too."""
    row = FUNCTIONS.get(name)
    return row is not None and row.virtio in (HYBRID, TRANSITIONAL) and device_id == row.legacy


def _refused(words: str, why: str) -> RefusedError:
    return refusal(words, why, code="qemu-value")


def _check_rom(name: str, options: Options) -> None:
    """Check that the size given for an option ROM is a power of two, and enough."""
    size = int(options.get("romsize", _NO_ROM_SIZE))
    if size == _NO_ROM_SIZE:
        return
    if not size or size & size - 1:
        raise refusal(f"ROM size {size} is not a power of two", "", code="qemu-rom-size")
    row = FUNCTIONS.get(name)
    file = options.get("romfile")
    bytes_ = ROM_FILES.get(file, 0) if file is not None else (row.rom if row else 0)
    if bytes_ > size:
        raise refusal(
            f'romfile "{file or ""}" ({bytes_} bytes) is too large for ROM size {size}',
            "romsize= is the size of the BAR, in which the file must fit",
            code="qemu-rom-size",
        )


def _check_disk(options: Options) -> None:
    """Check block sizes and geometry of a disk."""
    logical = int(options.get("logical_block_size", 0)) or 512
    physical = int(options.get("physical_block_size", 0)) or 512
    if logical > physical:
        raise _refused("logical_block_size > physical_block_size not supported", f"{logical} and {physical}")
    for key in ("min_io_size", "opt_io_size", "discard_granularity"):
        value = int(options.get(key, 0))
        if value % logical and not (key == "discard_granularity" and value == _NO_ROM_SIZE):
            raise _refused(f"{key} must be a multiple of logical_block_size", f"{value} and {logical}")
        if key == "min_io_size" and value // logical > _CYLINDERS:
            raise _refused("min_io_size must not exceed 65535 logical blocks", f"it is {value}")
    geometry = {key: int(options.get(key, 0)) for key in ("cyls", "heads", "secs")}
    if any(geometry.values()):
        for (key, value), most in zip(geometry.items(), (_CYLINDERS, _HEADS, _HEADS), strict=True):
            if not 1 <= value <= most:
                raise _refused(f"{key} must be between 1 and {most}", "cyls, heads and secs are given together")


def _check_legacy(kind: str, options: Options) -> None:
    """Check what only a modern virtio device has."""
    if options.get("iommu_platform") == "on":
        raise refusal(
            "VIRTIO_F_IOMMU_PLATFORM was supported by neither legacy nor transitional device",
            "iommu_platform=on is for modern devices",
            code="qemu-value",
            remedy="add disable-legacy=on",
        )
    if kind == "virtio-blk" and options.get("scsi") == "on" and options.get("disable-modern") != "on":
        raise _refused("Please set scsi=off for virtio-blk devices in order to use virtio 1.0", "")


def _check_nvme(options: Options) -> None:
    def value(name: str, default: int = 0) -> int:
        return int(options.get(name, default))

    queues = value("num_queues")
    pairs = queues - 1 if queues else value("max_ioqpairs", 64)
    functions, pairs_shared, vectors_shared = map(value, ("sriov_max_vfs", "sriov_vq_flexible", "sriov_vi_flexible"))
    most = options.get("sriov_max_vq_per_vf", "0")
    rules = (
        ("drive" in options and "subsys" in options,
         "subsystem support is unavailable with legacy namespace ('drive' property)"),
        (value("zoned.zasl") > value("mdts", 7),
         "zoned.zasl (Zone Append Size Limit) must be less than or equal to mdts (Maximum Data Transfer Size)"),
    )  # fmt: skip
    virtual = (
        ("subsys" not in options, "subsystem is required for the use of SR-IOV"),
        (functions > _MOST_VFS, f"sriov_max_vfs must be between 0 and {_MOST_VFS}"),
        (value("cmb_size_mb") > 0, "CMB is not supported with SR-IOV"),
        ("pmrdev" in options, "PMR is not supported with SR-IOV"),
        (not pairs_shared or not vectors_shared,
         "both sriov_vq_flexible and sriov_vi_flexible must be set for the use of SR-IOV"),
        (pairs_shared < 2 * functions,
         f"sriov_vq_flexible must be greater than or equal to {2 * functions} (sriov_max_vfs * 2)"),
        (pairs < pairs_shared + 2, "(max_ioqpairs - sriov_vq_flexible) must be greater than or equal to 2"),
        (vectors_shared < functions,
         f"sriov_vi_flexible must be greater than or equal to {functions} (sriov_max_vfs)"),
        (value("msix_qsize", 65) < vectors_shared + 1,
         "(msix_qsize - sriov_vi_flexible) must be greater than or equal to 1"),
        (most == "1", "sriov_max_vq_per_vf must meet: (sriov_max_vq_per_vf - 1) % 1 == 0 and sriov_max_vq_per_vf >= 2"),
    )  # fmt: skip
    for broken, words in (*rules, *(virtual if functions else ())):
        if broken:
            raise _refused(words, "")


def _check_balloon(options: Options) -> None:
    if options.get("free-page-hint") == "on" and "iothread" not in options:
        raise _refused("'free-page-hint' requires 'iothread' to be set", "")


def _check_memory(options: Options) -> None:
    block = int(options.get("block-size", _GRANULE))
    if int(options.get("requested-size", 0)) % block:
        raise _refused(f"'requested-size' property has to be multiples of 'block-size' ({block:#x})", "")


def _check_share(options: Options) -> None:
    tag = options.get("mount_tag")
    if tag is None and "fsdev" in options:
        raise _refused(f"fsdev with id {options['fsdev']} needs mount_tag arguments", "the guest mounts it by that")
    size = len((tag or "").encode())
    if size > _LARGEST_TAG:
        raise _refused(f"mount tag '{tag}' ({size} bytes) is longer than maximum ({_LARGEST_TAG} bytes)", "")


def _check_loader(options: Options) -> None:
    data = options.get("data", "0") != "0", options.get("data-len", "0") != "0"
    file, addr, cpu = ("file" in options), ("addr" in options), ("cpu-num" in options)
    if any(data) and not all(data):
        raise _refused("Both data and data-len must be specified", "")
    if int(options.get("data-len", 0)) > 8:
        raise _refused("data-len cannot be greater then 8 bytes", "")
    for given, words in ((file, "a file"), (options.get("force-raw") == "on", "force-raw")):
        if any(data) and given:
            raise _refused(f"Specifying {words} is not supported when loading memory values", "")
    if not (any(data) or file) and addr and not cpu:
        raise _refused("cpu_num must be specified when setting a program counter", "")
    if not (any(data) or file or addr):
        raise _refused("please include valid arguments", "a file, data, or the address at which a processor starts")


_RULES: Mapping[str, Callable[[Options], None]] = MappingProxyType(
    {
        "nvme": _check_nvme,
        "virtio-balloon": _check_balloon,
        "virtio-mem": _check_memory,
        "virtio-9p": _check_share,
        "loader": _check_loader,
    }
)
