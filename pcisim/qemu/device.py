"""One ``-device``, as text and as its properties.

Source: verified against QEMU 7.2; the rules for numbers are those of the C library's strtoull and scanf.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from pcisim.catalogue.functions import ALIASES
from pcisim.catalogue.properties import CPU_SUFFIX, DeviceTable
from pcisim.catalogue.qemu_values import (
    BLOCK_SIZES,
    ENUMERATIONS,
    FORMATS,
    HOST,
    INNER,
    LARGEST_BLOCK,
    LEAST_BLOCK,
    MAC,
    NOT_WRITABLE,
    SIZE_PROPERTIES,
    SMALL_SIZES,
    UUID,
)
from pcisim.errors import RefusedError, did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_INTEGERS = MappingProxyType(
    {
        **{f"uint{bits}": (0, (1 << bits) - 1, f"uint{bits}_t") for bits in (8, 16, 32, 64)},
        **{f"int{bits}": (-1 << bits - 1, (1 << bits - 1) - 1, f"int{bits}_t") for bits in (8, 16, 32, 64)},
        "int": (-1 << 63, (1 << 63) - 1, "integer"),
    }
)
"""For each type of number the least and the greatest value, and QEMU's word for it."""
_ON = frozenset({"on", "yes", "true", "y"})
_OFF = frozenset({"off", "no", "false", "n"})
_UNITS = "BKMGTPE"
_NUMBER = re.compile(r"[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)\Z")
_SIZE = re.compile(r"[ \t\n\v\f\r]*\+?(?:(0[xX][0-9a-fA-F]+)|([0-9]+(?:\.[0-9]*)?|\.[0-9]+))([bBkKmMgGtTpPeE]?)\Z")
_HEX = r"[ \t\n\v\f\r]*([+-]?)(?:0[xX])?([0-9a-fA-F]*)"
_ADDRESS = re.compile(rf"{_HEX}(?:\.{_HEX})?\Z")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*\Z")
_SPECIAL = frozenset({"driver", "id", "bus"})
_FORMS = MappingProxyType(
    {
        MAC: re.compile(r"(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}\Z"),
        UUID: re.compile(r"auto\Z|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z"),
    }
)
_PART = r"[ \t\n\v\f\r]*[+]?(?:0[xX])?([0-9a-fA-F]+)"
_HOST_ADDRESS = re.compile(rf"(?:{_PART}:)?{_PART}:{_PART}\.[ \t\n\v\f\r]*[+]?([0-9]+)\Z")
_HOST_LIMITS = (0xFFFF, 0xFF, 0x1F, 7)
_VIRTUAL = ("virtio-", "vhost-")
_SIZE_END = 1 << 64
_LAST_PLACE = 0xFF
_PLACE = ("int32", "str")
"""The types of ``addr`` where it is a slot and a function; elsewhere it is an address in memory."""


class QemuDevice(NamedTuple):
    """One ``-device``.

    Args:
        text: as it was written.
        driver: the name as it was written, which may be an alias.
        properties: what was given, ``bus`` and ``id`` included, as text; of JSON as it was there.
        typed: whether it was JSON, where numbers and booleans have their own type.
    """

    text: str
    driver: str
    properties: Mapping[str, Any]
    typed: bool

    @property
    def name(self) -> str:
        """Return QEMU's own name of the driver."""
        return ALIASES.get(self.driver, self.driver)

    @property
    def id(self) -> str | None:
        """Return its ``id``, if it has one."""
        return self.properties.get("id")


def refusal(message: str, why: str, *, code: str, remedy: str = "", parties: tuple[str, ...] = ()) -> RefusedError:
    """Return a refusal: QEMU's own words as headline, ours as detail."""
    return RefusedError(message, code=code, details=(why,) if why else (), remedy=remedy, parties=parties)


def parse_device(text: str) -> QemuDevice:
    """Read one ``-device``: ``driver,key=value,...`` or a JSON object.

    Raises:
        RefusedError: QEMU would not read it; the headline has its reason.
    """
    return _parse_json(text) if text.startswith("{") else _parse_pairs(text)


def _parse_pairs(text: str) -> QemuDevice:
    properties: dict[str, str] = {}
    for number, item in enumerate(_split(text)):
        key, equals, value = item.partition("=")
        if not equals:
            if not number:
                key, value = "driver", item
            elif not item:
                continue
            elif item.startswith("no"):
                key, value = item[2:], "off"
            else:
                key, value = item, "on"
        if key == "id" and not _NAME.match(value):
            raise refusal(
                "Parameter 'id' expects an identifier",
                f"{value!r} is not a name: letters, digits, '-', '.' and '_', a letter first",
                code="qemu-identifier",
            )
        if key != "id" or "id" not in properties:
            properties[key] = value
    driver = properties.pop("driver", None)
    if driver is None or not text:
        raise refusal("Parameter 'driver' is missing", "a -device starts with the name of a device", code="qemu-driver")
    return QemuDevice(text, driver, properties, False)


def _split(text: str) -> list[str]:
    """Split at commas; two commas are one comma of a value."""
    return [part.replace("\0", ",") for part in text.replace(",,", "\0").split(",")]


def _parse_json(text: str) -> QemuDevice:
    import json

    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refusal("JSON parse error", f"it is not JSON: {error}", code="qemu-json") from None
    driver = found.pop("driver", None)
    if not isinstance(driver, str):
        raise refusal("Parameter 'driver' is missing", "the object has no 'driver' that is text", code="qemu-driver")
    for key in ("id", "bus"):
        if not isinstance(found.get(key, ""), str):
            raise _bad_type(key, "string")
    return QemuDevice(text, driver, found, True)


def read_properties(device: QemuDevice, table: DeviceTable) -> dict[str, str]:
    """Return the properties of a device as canonical text: ``on`` and ``off``, decimal numbers.

    Raises:
        RefusedError: QEMU's device has no such property, or it does not take the value.
    """
    name = device.name
    known = table.properties.get(name)
    values: dict[str, str] = {}
    for key, value in device.properties.items():
        if key in _SPECIAL:
            continue
        if known is None:  # a CPU, whose properties are its features
            values[key] = str(value)
            continue
        kind = known.get(key)
        if kind is None:
            raise refusal(
                f"Property '{name}.{key}' not found",
                f"QEMU {table.qemu}'s {name} has no property {key!r}",
                code="qemu-property",
                remedy=_similar(key, known),
            )
        values[key] = _typed(name, key, kind, value) if device.typed else _value(name, key, kind, value)
    return values


def inner_name(driver: str) -> str:
    """Return QEMU's name of the virtio device inside of one on PCI, which hands on its properties; else its own."""
    name = driver.removesuffix("-transitional").removesuffix("-non")
    if not name.startswith(_VIRTUAL) and name not in INNER:
        return driver
    return INNER.get(name, f"{name.removesuffix('-pci')}-device" if name.endswith("-pci") else driver)


def _similar(key: str, known: Mapping[str, str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key, known, 1)
    return f"write {near[0]}" if near else ""


def _value(driver: str, key: str, kind: str, value: str) -> str:
    """Return a property given as text."""
    if (inner_name(driver).removesuffix("-device"), key) in NOT_WRITABLE:
        raise refusal(f"Property '{inner_name(driver)}.{key}' is not writable", "it only tells", code="qemu-value")
    if key == "addr" and kind in _PLACE:
        return str(_address(driver, value))
    if kind == "bool":
        if value in _ON or value in _OFF:
            return "on" if value in _ON else "off"
        raise refusal(f"Parameter '{key}' expects 'on' or 'off'", f"it is {value!r}", code="qemu-value")
    if kind in ENUMERATIONS:
        if value not in ENUMERATIONS[kind]:
            words = ", ".join(sorted(ENUMERATIONS[kind]))
            raise refusal(f"Parameter '{key}' does not accept value '{value}'", f"one of {words}", code="qemu-value")
        return value
    if kind == "size" or key in SIZE_PROPERTIES:
        return _block_size(driver, key, _size(key, value))
    if kind in _INTEGERS:
        found = _NUMBER.match(value)
        if found is None:
            raise refusal(f"Parameter '{key}' expects integer", f"it is {value!r}", code="qemu-value")
        return _in_range(key, kind, int(found[1] + "1") * _c_number(found[2]))
    if kind not in ("link", "bool") and key in FORMATS and not _has_form(FORMATS[key], value):
        raise refusal(
            f"Property '{inner_name(driver)}.{key}' doesn't take value '{value}'",
            f"it is not a {FORMATS[key]}",
            code="qemu-value",
        )
    return value


def _has_form(form: str, value: str) -> bool:
    if form != HOST:
        return _FORMS[form].match(value) is not None
    found = _HOST_ADDRESS.match(value)
    if found is None:
        return False
    domain, bus, slot, function = found.groups()
    parts = int(domain or "0", 16), int(bus, 16), int(slot, 16), int(function)
    return all(part <= limit for part, limit in zip(parts, _HOST_LIMITS, strict=True))


def _block_size(driver: str, key: str, size: int) -> str:
    """Return a size as text, of a disk if it has the limits that QEMU sets to those."""
    if key in BLOCK_SIZES and size:
        limits = f"(minimum: {LEAST_BLOCK}, maximum: {LARGEST_BLOCK})"
        if not LEAST_BLOCK <= size <= LARGEST_BLOCK:
            raise refusal(
                f"Property {driver}.{key} doesn't take value {size} {limits}", "it is out of range", code="qemu-value"
            )
        if size & size - 1:
            raise refusal(
                f"Property {driver}.{key} doesn't take value '{size}', it's not a power of 2", "", code="qemu-value"
            )
    if key in SMALL_SIZES and size >> 32:
        raise refusal(
            f"Property {inner_name(driver)}.{key} doesn't take value {size} (maximum: {(1 << 32) - 1})",
            "it has 32 bits",
            code="qemu-value",
        )
    return str(size)


def _typed(driver: str, key: str, kind: str, value: object) -> str:
    """Return a property given as JSON."""
    if key == "addr" and kind in _PLACE:
        if isinstance(value, str):
            return str(_address(driver, value))
        if isinstance(value, int) and not -1 <= value <= _LAST_PLACE:
            raise refusal(f"Parameter '{key}' expects a value between -1 and {_LAST_PLACE}", "", code="qemu-value")
    if kind == "bool":
        if not isinstance(value, bool):
            raise _bad_type(key, "boolean")
        return "on" if value else "off"
    if kind in _INTEGERS or kind == "size":
        if isinstance(value, bool) or not isinstance(value, int):
            raise refusal(f"Parameter '{key}' expects uint64", f"it is {value!r}", code="qemu-value")
        checked = _in_range(key, kind if kind in _INTEGERS else "uint64", value)
        return _block_size(driver, key, value) if kind == "size" else checked
    if not isinstance(value, str):
        raise _bad_type(key, "string")
    return _value(driver, key, kind, value)


def _bad_type(key: str, wanted: str) -> RefusedError:
    return refusal(
        f"Invalid parameter type for '{key}', expected: {wanted}",
        'in JSON a value has its own type: true, 5, "text"',
        code="qemu-value",
    )


def _in_range(key: str, kind: str, value: int) -> str:
    low, high, word = _INTEGERS[kind]
    if not low <= value <= high:
        raise refusal(f"Parameter '{key}' expects {word}", f"{value} is not in {low}..{high}", code="qemu-value")
    return str(value)


def _c_number(text: str) -> int:
    """Return a number as C reads it, with the base that its beginning says."""
    if text[:2] in ("0x", "0X"):
        return int(text, 16)
    return int(text, 8) if len(text) > 1 and text[0] == "0" and set(text) <= set("01234567") else int(text)


def _size(key: str, value: str) -> int:
    found = _SIZE.match(value)
    if found is None:
        raise refusal(f"Parameter '{key}' expects size", f"{value!r} is not a size such as 512M", code="qemu-value")
    shift = 10 * _UNITS.index(found[3].upper() or "B")
    size = int(found[1], 16) << shift if found[1] else int(float(found[2]) * (1 << shift))
    if size >= _SIZE_END:
        raise refusal(f"Parameter '{key}' expects size", f"{value!r} is more than 64 bits", code="qemu-value")
    return size


def _address(driver: str, value: str) -> int:
    """Return ``slot << 3 | function`` of an ``addr``: hexadecimal, with or without ``0x``."""
    found = _ADDRESS.match(value)
    if found is not None:
        slot = _hex(found[1], found[2], value)
        function = 0 if found[4] is None else _hex(found[3], found[4], value)
        if slot is not None and function is not None and slot <= 31 and function <= 7:
            return slot << 3 | function
    raise refusal(
        f"Property '{driver}.addr' doesn't take value '{value}'",
        "an address is SLOT or SLOT.FUNCTION in hexadecimal: 0 to 1f, and 0 to 7",
        code="qemu-address",
    )


def _hex(sign: str, digits: str, whole: str) -> int | None:
    if not digits:  # scanf takes a bare "0x" for 0
        return 0 if "0x" in whole.lower() else None
    value = int(digits, 16)
    return value if sign != "-" or not value else None


def is_pci(name: str, table: DeviceTable) -> bool:
    """Return whether QEMU has a PCI device of that name (not an alias)."""
    return name in table.properties and name not in table.not_on_pci


def is_cpu(name: str, table: DeviceTable) -> bool:
    """Return whether QEMU has a CPU model of that name."""
    return name.endswith(CPU_SUFFIX) and name in table.not_on_pci


def other_bus(name: str, table: DeviceTable) -> str | None:
    """Return the kind of bus on which a device sits that is not on PCI, "" for none; ``None`` for an unknown device."""
    return table.not_on_pci.get(name)


def similar_driver(name: str, table: DeviceTable) -> str:
    """Return a question with the names of devices that are nearly that one; "" when there are none."""
    return did_you_mean(name, table.properties)
