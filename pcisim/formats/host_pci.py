"""Which host devices are conventional: declared by the user, or read from this machine.

Source: libvirt rule 3.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pcisim.address import PciAddress
from pcisim.errors import UsageError, check_type

SYSFS = Path("/sys/bus/pci/devices")
KINDS = {"pci": True, "pcie": False}
"""What a host device can be declared as; true for conventional."""

_CAPABILITIES_POINTER = 0x34
_STATUS = 0x06
_HAS_CAPABILITIES = 0x10
_EXPRESS_CAPABILITY = 0x10
_HEADER = 64
_CONVENTIONAL_SIZE = 256
_NOTHING = 0xFF
"""What a device that does not answer reads as."""


def lookup(declared: Mapping[str, str] | str | None) -> Callable[[PciAddress], bool] | None:
    """Return a function that says whether a host device is conventional.

    Args:
        declared: ``None`` for none at all, ``"auto"`` to read this machine's sysfs, or the kind
            (``pci``, ``pcie``) of each host device by its address.

    Raises:
        UsageError: neither of those, or a kind that is none.
        InputError: an address that is none.
    """
    if declared is None:
        return None
    if declared == "auto":
        return is_conventional
    if isinstance(declared, str):
        raise UsageError(f"host_pci is 'auto' or a table of addresses, not {declared!r}", code="host-pci")
    check_type(declared, Mapping, "host_pci is 'auto' or a table of addresses")
    table: dict[PciAddress, bool] = {}
    for text, kind in declared.items():
        if kind not in KINDS:
            raise UsageError(
                f"host device {text} cannot be {kind!r}", code="host-pci", remedy="declare it as 'pci' or 'pcie'"
            )
        table[PciAddress(text)] = KINDS[kind]
    return lambda address: table.get(address, False)


def is_conventional(address: PciAddress, sysfs: Path = SYSFS) -> bool:
    """Return whether a device of this machine is conventional, as libvirt finds out.

    A device that is not there, or whose configuration space cannot be opened, counts as PCI
    Express.  Who is not root reads the beginning only; then a space of 256 bytes is taken for
    that of a conventional device, since PCI Express has 4096.
    """
    folder = sysfs / str(address)
    path = folder / "config"
    try:
        config, size = path.read_bytes(), path.stat().st_size
        for name in ("vendor", "device"):
            (folder / name).read_bytes()
    except OSError:
        return False
    if len(config) < max(size, _HEADER):
        return size == _CONVENTIONAL_SIZE
    if not config[_STATUS] & _HAS_CAPABILITIES:
        return True
    position, seen = config[_CAPABILITIES_POINTER], set()
    while _HEADER <= position < _NOTHING and position not in seen:
        if config[position] == _EXPRESS_CAPABILITY:
            return False
        seen.add(position)
        position = config[position + 1]
    return True
