"""How much memory a definition gives its guest."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pcisim.address import whole_number
from pcisim.errors import InputError
from pcisim.guest import Guest

UNITS: Mapping[str, int] = MappingProxyType(
    {
        "b": 1, "byte": 1, "bytes": 1,
        **{unit: 1024**power for power, prefix in enumerate("KMGTPE", 1) for unit in (prefix, f"{prefix}iB")},
        **{f"{prefix}B": 1000**power for power, prefix in enumerate("KMGTPE", 1)},
    }
)  # fmt: skip
"""How many bytes each unit has that libvirt knows for ``<memory>``."""
_DEFAULT_UNIT = "KiB"
_MOST_DIGITS = 19
_UNITS_FOLDED = {unit.lower(): size for unit, size in UNITS.items()}


def memory_size(number: str, unit: str = _DEFAULT_UNIT) -> int | None:
    """Return a size in bytes, or ``None`` for what is none.

    Args:
        number: a whole number.
        unit: one of `UNITS`, in capitals or not.
    """
    size = _UNITS_FOLDED.get(unit.lower())
    is_number = number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS
    return whole_number(number) * size if is_number and size is not None else None


def memory_of(guest: Guest) -> int | None:
    """Return how much memory the document of a guest gives it in bytes, ``None`` where there is no ``<memory>``.

    Raises:
        InputError: it cannot be read.
    """
    if guest.document is None:
        return None
    element = guest.document.root.find("memory")
    if element is None:
        return None
    number, unit = element.text.strip(), element.get("unit", _DEFAULT_UNIT)
    size = memory_size(number, unit)
    if size is None:
        raise InputError(
            f"invalid size of memory '{number[:20]}' in unit '{unit[:20]}'",
            code="bad-number",
            line=element.line,
            remedy="write <memory unit='GiB'>4</memory>",
        )
    return size
