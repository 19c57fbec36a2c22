"""Addresses: libvirt's number syntax, ranges, and the value type."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from pcisim.address import MAX_DOMAIN, PciAddress, format_packed, out_of_range, pack, parse_number, whole_number
from pcisim.errors import InputError

# --- numbers as libvirt's XML has them (each form was verified against libvirt 11.3.0)

NUMBERS = [
    ("0", 0),
    ("00", 0),
    ("9", 9),
    ("31", 31),
    ("0x1f", 31),
    ("0X1F", 31),
    ("0x001f", 31),
    ("010", 8),
    ("012", 10),
    ("+9", 9),
    ("+0x9", 9),
    (" 9", 9),
    ("\t9", 9),
    ("\n9", 9),
    ("\r9", 9),
    ("\v9", 9),
    ("\f9", 9),
    ("  +011", 9),
    ("0x0b1", 0xB1),
    ("4294967295", MAX_DOMAIN),
    ("0xffffffff", MAX_DOMAIN),
    ("037777777777", MAX_DOMAIN),
    ("0" * 400 + "7", 7),
]
NOT_NUMBERS = [
    "", " ", "+", "-", "9 ", "-1", "-0", " -1", "++9", "+-9", "+ 9", "1f", "zz", "09", "08", "00x9", "0x", "0X", "0x ",
    "0x+9", "0xg", "0x 9", "1_0", "0x1_0", "9.0", "1e1", "\u0663", "\u00a09", "9\n", "9;", "4294967296",
    "0x100000000", "040000000000", "18446744073709551616", "9" * 400, "9" * 5000,
]  # fmt: skip
PREFIXED_TWICE = ["0o17", "0O17", "0x0x10", "0b0b1"]


@pytest.mark.parametrize(("text", "value"), NUMBERS)
def test_number(text: str, value: int) -> None:
    assert parse_number(text) == value


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_not_a_number(text: str) -> None:
    assert parse_number(text) is None


@pytest.mark.parametrize("text", PREFIXED_TWICE)
def test_a_prefix_counts_once(text: str) -> None:
    assert parse_number(text) is None


@pytest.mark.parametrize("base", [2, 8, 10, 16])
def test_a_number_of_any_length_is_a_number(base: int) -> None:
    """`int` refuses 4,301 digits; here they are more than any limit, and leading zeros count for nothing."""
    assert whole_number("1" * 5000, base) > 1 << 64
    assert whole_number("0" * 5000 + "11", base) == base + 1
    assert whole_number("0" * 5000, base) == 0
    assert whole_number("1" * 64, base) == int("1" * 64, base)
    assert whole_number("٣" * 5000) > 1 << 64


@pytest.mark.parametrize("digits", ["9" * 5000, "0x" + "f" * 5000, "0" * 5000 + "8", "7" * 5000])
def test_very_long_numbers_are_out_of_range(digits: str) -> None:
    assert parse_number(digits) is None
    assert parse_number("0" * 5000 + "17") == 15


@pytest.mark.parametrize(("text", "value"), [("0b11", 3), ("0B1001", 9), (" +0b1", 1), ("0b", None), ("0b2", None)])
def test_binary_is_a_number_since_glibc_2_38(text: str, value: int | None) -> None:
    assert parse_number(text) == value
    assert parse_number(text, binary=False) is None


def test_number_limit() -> None:
    assert parse_number("0x7fffffff", limit=0x7FFFFFFF) == 0x7FFFFFFF
    assert parse_number("0x80000000", limit=0x7FFFFFFF) is None


@pytest.mark.parametrize(
    ("component", "value", "limit", "words"),
    [  # as libvirt 11.3.0 says it
        ("bus", 0x100, 0xFF, "Invalid PCI address bus='0x100', must be <= 0xFF"),
        ("slot", 0x20, 0x1F, "Invalid PCI address slot='0x20', must be <= 0x1F"),
        ("function", 8, 7, "Invalid PCI address function=0x8, must be <= 7"),
    ],
)
def test_words_of_out_of_range(component: str, value: int, limit: int, words: str) -> None:
    assert out_of_range(component, value, limit) == words


# --- the value type


@pytest.mark.parametrize(
    ("text", "parts", "canonical"),
    [
        ("0000:03:1f.7", (0, 3, 0x1F, 7), "0000:03:1f.7"),
        ("03:1f.7", (0, 3, 0x1F, 7), "0000:03:1f.7"),
        ("0:0:0.0", (0, 0, 0, 0), "0000:00:00.0"),
        ("00000:003:01F.7", (0, 3, 0x1F, 7), "0000:03:1f.7"),
        ("FFFF:fF:1F.0", (0xFFFF, 0xFF, 0x1F, 0), "ffff:ff:1f.0"),
        ("ffffffff:ff:1f.7", (0xFFFFFFFF, 0xFF, 0x1F, 7), "ffffffff:ff:1f.7"),
        ("12345:00:01.0", (0x12345, 0, 1, 0), "12345:00:01.0"),
    ],
)
def test_text(text: str, parts: tuple[int, int, int, int], canonical: str) -> None:
    address = PciAddress(text)
    assert (address.domain, address.bus, address.slot, address.function) == parts
    assert str(address) == canonical
    assert repr(address) == f"PciAddress('{canonical}')"
    assert PciAddress(canonical) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "0", "00.0", "0000:00:00", "0000:00:00:0", "0000.00.00.0", "00.00:0", "0000:00.00:0", "1:0000:00:00.0",
        "0000:00:00.0.0", ":00:00.0", "0000:00:00.", "::.", "0000:00:.0",
    ],
)  # fmt: skip
def test_text_of_another_shape(text: str) -> None:
    with pytest.raises(InputError) as caught:
        PciAddress(text)
    assert caught.value.code == "address-syntax"
    assert repr(text) in caught.value.headline


@pytest.mark.parametrize(
    ("text", "component", "part"),
    [
        ("000g:00:00.0", "domain", "000g"),
        ("0000:0x1:00.0", "bus", "0x1"),
        ("0000:00:-1.0", "slot", "-1"),
        ("0000:00: 1.0", "slot", " 1"),
        ("0000:00:00.+1", "function", "+1"),
        ("0000:00:00.1 ", "function", "1 "),
        ("00:0_1.0", "slot", "0_1"),
        ("\u0663:00.0.0", "", ""),
        ("0000:00:\u0663.0", "slot", "\u0663"),
        ("0" * 17 + ":00:00.0", "domain", "0" * 17),
    ],
)
def test_part_that_is_not_hexadecimal(text: str, component: str, part: str) -> None:
    with pytest.raises(InputError) as caught:
        PciAddress(text)
    assert caught.value.code == "address-syntax"
    if component:
        assert f"the {component} {part!r} is not a hexadecimal number" in caught.value.headline


RANGES = [
    ("domain", "100000000:00:00.0", "0x100000000", "0xffffffff"),
    ("bus", "0000:100:00.0", "0x100", "0xff"),
    ("slot", "0000:00:20.0", "0x20", "0x1f"),
    ("function", "0000:00:00.8", "0x8", "0x7"),
]


@pytest.mark.parametrize(("component", "text", "value", "highest"), RANGES)
def test_part_out_of_range(component: str, text: str, value: str, highest: str) -> None:
    with pytest.raises(InputError) as caught:
        PciAddress(text)
    assert caught.value.code == "address-range"
    assert caught.value.headline == f"Invalid PCI address: {component} {value} is not in 0..{highest}"
    assert caught.value.details == (f"a {component} is an integer from 0 to {int(highest, 16)} ({highest})",)
    assert caught.value.exit_status == 3


@pytest.mark.parametrize("value", [None, 7, b"00:01.0", 1.5])
def test_not_a_text(value: object) -> None:
    with pytest.raises(InputError) as caught:
        PciAddress(value)  # type: ignore[arg-type]
    assert caught.value.code == "address-syntax"
    assert repr(value) in caught.value.headline


def test_of_numbers() -> None:
    assert PciAddress.of(3, 0x1F, 7) == PciAddress("03:1f.7")
    assert PciAddress.of(bus=3, slot=1) == PciAddress("03:01.0")
    assert PciAddress.of(3, 1, 2, 4) == PciAddress("0004:03:01.2")


@pytest.mark.parametrize(
    ("make", "component", "shown"),
    [
        (lambda: PciAddress.of(256, 0), "bus", "0x100"),
        (lambda: PciAddress.of(-1, 0), "bus", "-0x1"),
        (lambda: PciAddress.of(0, 32), "slot", "0x20"),
        (lambda: PciAddress.of(0, 0, 8), "function", "0x8"),
        (lambda: PciAddress.of(0, 0, 0, 1 << 32), "domain", "0x100000000"),
        (lambda: PciAddress.of(1.0, 0), "bus", "1.0"),  # type: ignore[arg-type]
        (lambda: PciAddress.of("1", 0), "bus", "'1'"),  # type: ignore[arg-type]
    ],
)
def test_of_numbers_out_of_range(make: Callable[[], PciAddress], component: str, shown: str) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert caught.value.code == "address-range"
    assert f"{component} {shown} is not in 0.." in caught.value.headline


def test_packing() -> None:
    assert pack(3, 0x1F, 7) == 0x3FF
    assert pack(0xFF, 0x1F, 7) == 0xFFFF
    assert pack(1, 2, 3, 4) == 4 << 16 | 1 << 8 | 2 << 3 | 3
    address = PciAddress("0004:01:02.3")
    assert int(address) == pack(1, 2, 3, 4)
    assert PciAddress.from_int(pack(1, 2, 3, 4)) == address
    assert format_packed(pack(1, 2, 3, 4)) == "0004:01:02.3"


@pytest.mark.parametrize("packed", [-1, 1 << 48])
def test_packed_out_of_range(packed: int) -> None:
    with pytest.raises(InputError) as caught:
        PciAddress.from_int(packed)
    assert caught.value.code == "address-range"


def test_highest_packed() -> None:
    assert str(PciAddress.from_int((1 << 48) - 1)) == "ffffffff:ff:1f.7"


def test_order_is_by_domain_bus_slot_function() -> None:
    ordered = ["0000:00:00.0", "0000:00:00.7", "0000:00:01.0", "0000:00:1f.7", "0000:01:00.0", "0001:00:00.0"]
    assert [str(address) for address in sorted(PciAddress(text) for text in reversed(ordered))] == ordered


def test_equality_and_hash() -> None:
    assert PciAddress("00:01.0") == PciAddress("0000:00:01.0")
    assert PciAddress("00:01.0") != PciAddress("00:01.1")
    assert len({PciAddress("00:01.0"), PciAddress("0000:00:01.0"), PciAddress("00:01.1")}) == 2
    assert (PciAddress("00:01.0") == int(PciAddress("00:01.0"))) is False
    assert (PciAddress("00:01.0") == "0000:00:01.0") is False


@pytest.mark.parametrize("operator", ["__lt__", "__le__", "__gt__", "__ge__", "__eq__"])
def test_is_not_compared_with_other_things(operator: str) -> None:
    assert getattr(PciAddress("00:01.0"), operator)(8) is NotImplemented


def test_is_immutable_and_slotted() -> None:
    address = PciAddress("00:01.0")
    for name in ("domain", "bus", "slot", "function", "anything"):
        with pytest.raises(AttributeError):
            setattr(address, name, 1)


def test_survives_copy_and_pickle() -> None:
    address = PciAddress("0004:03:1f.7")
    assert copy.copy(address) == address
    assert copy.deepcopy(address) == address
    assert pickle.loads(pickle.dumps(address)) == address
