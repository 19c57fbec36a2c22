"""Addresses of PCI functions, as configured in libvirt's XML.

The `bus` of a configured address is the *index of a controller*.  It is not the
bus number that the guest sees.

Inside pcisim an address is one integer, ``domain << 16 | bus << 8 | slot << 3 |
function``; `PciAddress` is the same integer with names and a text form.
"""

from __future__ import annotations

from pcisim.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

SLOTS = 32
FUNCTIONS = 8
MAX_DOMAIN = 0xFFFFFFFF
MAX_BUS = 0xFF
MAX_SLOT = SLOTS - 1
MAX_FUNCTION = FUNCTIONS - 1
MAX_UID = 0xFFFF
"""The highest uid of a PCI function of s390, from 1."""

_LIMITS = {"domain": MAX_DOMAIN, "bus": MAX_BUS, "slot": MAX_SLOT, "function": MAX_FUNCTION}
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_DIGITS = {2: frozenset("01"), 8: frozenset("01234567"), 10: frozenset("0123456789"), 16: _HEX_DIGITS}
_C_SPACES = " \t\n\v\f\r"


def pack(bus: int, slot: int, function: int = 0, domain: int = 0) -> int:
    """Return the integer of an address whose parts are known to be in range."""
    return domain << 16 | bus << 8 | slot << 3 | function


def parse_number(text: str, *, limit: int = MAX_DOMAIN, binary: bool = True) -> int | None:
    """Read a number as libvirt reads the attributes of an address.

    C style with an automatic base: ``31``, ``0x1f`` and ``037`` are the same.
    Leading white space and a plus sign are taken, as C takes them; a minus sign,
    anything after the digits, and values above `limit` are not.

    Args:
        text: the attribute's value.
        limit: the highest value taken, by default that of an unsigned 32-bit number.
        binary: whether ``0b11`` is a number, which the C library knows since glibc 2.38.

    Returns:
        The number, or ``None`` when `text` is not one.

    Source: verified against libvirt 9.0.0 (glibc 2.36) and 11.3.0 (glibc 2.41).
    """
    digits = text.lstrip(_C_SPACES)
    if digits[:1] == "+":
        digits = digits[1:]
    if not digits.isascii() or not digits.isalnum():
        return None
    base = 10
    if digits[0] == "0" and len(digits) > 1:
        mark = digits[1]
        if mark in "xX":
            base, digits = 16, digits[2:]
        elif mark in "bB" and binary:
            base, digits = 2, digits[2:]
        else:
            base = 8
    if not digits or not _DIGITS[base].issuperset(digits):
        return None
    value = whole_number(digits, base)
    return value if value <= limit else None


def whole_number(digits: str, base: int = 10) -> int:
    """Return the number that digits say, or another one beyond every limit instead of one of very many digits.

    `int` itself refuses digits by the thousand.

    Args:
        digits: digits of the base, and nothing else.
        base: 2 to 36.
    """
    return int(digits.lstrip("0")[:_MOST_DIGITS] or "0", base)


_MOST_DIGITS = 80
"""No limit has so many, in base 2 either."""


USUAL_NUMBERS = {
    text: number for number in range(MAX_BUS + 1) for text in (f"{number:#04x}", f"{number:#x}", str(number))
} | {"0x0000": 0}
"""What `parse_number` returns for the numbers of an address as libvirt and people write them."""


def out_of_range(component: str, value: int, limit: int) -> str:
    """Return libvirt's words for a part of an address that is too large."""
    if component == "function":
        return f"Invalid PCI address function={value:#x}, must be <= {limit}"
    return f"Invalid PCI address {component}='{value:#x}', must be <= {limit:#X}".replace("0X", "0x")


class _Address:
    """One integer with a text form; addresses of one class are ordered, those of two never equal."""

    __slots__ = ("_packed",)

    _packed: int

    @property
    def function(self) -> int:
        """Return the function in the slot (0 to 7)."""
        return self._packed & MAX_FUNCTION

    def __int__(self) -> int:
        return self._packed

    def __hash__(self) -> int:
        return hash((self.__class__, self._packed))

    def __eq__(self, other: object) -> bool:
        return self._packed == other._packed if isinstance(other, self.__class__) else NotImplemented

    def __lt__(self, other: Self) -> bool:
        return self._packed < other._packed if isinstance(other, self.__class__) else NotImplemented

    def __le__(self, other: Self) -> bool:
        return self._packed <= other._packed if isinstance(other, self.__class__) else NotImplemented

    def __gt__(self, other: Self) -> bool:
        return self._packed > other._packed if isinstance(other, self.__class__) else NotImplemented

    def __ge__(self, other: Self) -> bool:
        return self._packed >= other._packed if isinstance(other, self.__class__) else NotImplemented

    def __str__(self) -> str:
        return format_packed(self._packed)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}('{self}')"

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return self.__class__, (str(self),)


class PciAddress(_Address):
    """A configured PCI address: ``domain:bus:slot.function``, ordered and hashable.

    Args:
        text: ``0000:03:1f.7``, or without the domain, ``03:1f.7``; hexadecimal
            without a prefix, any number of digits.

    Raises:
        InputError: a part is missing, not hexadecimal or out of range; the error
            names the part, its value and the range.

    The bus is a controller's index (0 to 255), the slot 0 to 31, the function 0 to 7.

    Examples:
        >>> address = PciAddress("03:1f.7")
        >>> address, address.slot
        (PciAddress('0000:03:1f.7'), 31)
    """

    __slots__ = ()

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise InputError(
                f"Invalid PCI address {text!r}: a text such as '0000:03:1f.7' is needed",
                code="address-syntax",
                remedy="use PciAddress.of(bus, slot, function) for numbers",
            )
        parts = text.replace(".", ":").split(":")
        names = ("domain", "bus", "slot", "function")[4 - len(parts) :] if len(parts) in (3, 4) else ()
        if not names or text.count(".") != 1 or text.rindex(".") < text.rindex(":"):
            raise InputError(
                f"Invalid PCI address {text!r}: expected domain:bus:slot.function or bus:slot.function",
                code="address-syntax",
                remedy="write it as 0000:03:1f.7, hexadecimal without 0x",
            )
        values = dict.fromkeys(_LIMITS, 0)
        for name, part in zip(names, parts, strict=True):
            if not part or not _HEX_DIGITS.issuperset(part) or len(part) > 16:
                raise InputError(
                    f"Invalid PCI address {text!r}: the {name} {part!r} is not a hexadecimal number",
                    code="address-syntax",
                    remedy="write it as 0000:03:1f.7, hexadecimal without 0x",
                )
            values[name] = int(part, 16)
        self._packed = _checked(**values)

    @classmethod
    def of(cls, bus: int, slot: int, function: int = 0, domain: int = 0) -> PciAddress:
        """Return the address with these numbers.

        Raises:
            InputError: one of them is out of range.

        Examples:
            >>> PciAddress.of(3, 0x1F, 7)
            PciAddress('0000:03:1f.7')
        """
        return cls.from_int(_checked(domain, bus, slot, function))

    @classmethod
    def from_int(cls, packed: int) -> PciAddress:
        """Return the address of an integer ``domain << 16 | bus << 8 | slot << 3 | function``.

        Raises:
            InputError: `packed` is negative or its domain exceeds 32 bits.

        Examples:
            >>> PciAddress.from_int(0x3FF)
            PciAddress('0000:03:1f.7')
        """
        if not 0 <= packed <= MAX_DOMAIN << 16 | 0xFFFF:
            raise InputError(f"Invalid PCI address: {packed:#x} is not a packed address", code="address-range")
        address = cls.__new__(cls)
        address._packed = packed
        return address

    @property
    def domain(self) -> int:
        """Return the PCI domain; libvirt's guests only have domain 0.

        Examples:
            >>> PciAddress("0000:03:1f.7").domain
            0
        """
        return self._packed >> 16

    @property
    def bus(self) -> int:
        """Return the index of the controller whose bus this is (0 to 255).

        Examples:
            >>> PciAddress("0000:03:1f.7").bus
            3
        """
        return self._packed >> 8 & MAX_BUS

    @property
    def slot(self) -> int:
        """Return the slot on the bus (0 to 31).

        Examples:
            >>> PciAddress("0000:03:1f.7").slot
            31
        """
        return self._packed >> 3 & MAX_SLOT


class GuestAddress(_Address):
    """An address as the guest enumerates it: ``segment:bus:device.function``, ordered and hashable.

    The bus is a real bus number, given by the firmware; it is not the index of a controller, so
    that a guest address never equals a `PciAddress`.

    Args:
        text: ``0000:03:1f.7``, or without the segment, ``03:1f.7``.

    Raises:
        InputError: as for `PciAddress`.
    """

    __slots__ = ()

    def __init__(self, text: str) -> None:
        self._packed = int(PciAddress(text))

    @classmethod
    def of(cls, bus: int, device: int, function: int = 0, segment: int = 0) -> GuestAddress:
        """Return the address with these numbers.

        Raises:
            InputError: one of them is out of range.
        """
        return cls.from_int(_checked(segment, bus, device, function))

    @classmethod
    def from_int(cls, packed: int) -> GuestAddress:
        """Return the address of ``segment << 16 | bus << 8 | device << 3 | function``, which is in range."""
        address = cls.__new__(cls)
        address._packed = packed
        return address

    @property
    def segment(self) -> int:
        """Return the PCI segment; x86 guests of QEMU only have 0."""
        return self._packed >> 16

    @property
    def bus(self) -> int:
        """Return the bus number (0 to 255)."""
        return self._packed >> 8 & MAX_BUS

    @property
    def device(self) -> int:
        """Return the device number on the bus (0 to 31), which a configured address calls slot."""
        return self._packed >> 3 & MAX_SLOT


def format_packed(packed: int) -> str:
    """Return the text of a packed address: ``0000:03:1f.7``."""
    return f"{packed >> 16:04x}:{packed >> 8 & MAX_BUS:02x}:{packed >> 3 & MAX_SLOT:02x}.{packed & MAX_FUNCTION}"


def _checked(domain: int, bus: int, slot: int, function: int) -> int:
    for name, value in (("domain", domain), ("bus", bus), ("slot", slot), ("function", function)):
        if not isinstance(value, int) or not 0 <= value <= _LIMITS[name]:
            shown = f"{value:#x}" if isinstance(value, int) else repr(value)
            raise InputError(
                f"Invalid PCI address: {name} {shown} is not in 0..{_LIMITS[name]:#x}",
                code="address-range",
                details=(f"a {name} is an integer from 0 to {_LIMITS[name]} ({_LIMITS[name]:#x})",),
            )
    return pack(bus, slot, function, domain)
