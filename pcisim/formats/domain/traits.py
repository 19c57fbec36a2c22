"""What is written that decides whether libvirt accepts a guest, and about no place in it (libvirt rule 8.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pcisim.address import parse_number, whole_number
from pcisim.catalogue.versions import Libvirt
from pcisim.errors import InputError, RefusedError
from pcisim.formats.domain.attributes import bad, missing, number_of, short
from pcisim.formats.xml.document import Element
from pcisim.guest import NO_TRAITS, Device

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Traits = dict[str, Any]

OWN_ALIAS = "ua-"
"""How the aliases begin that somebody chose; libvirt reads no other ones."""
_ALIAS_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
BOOTABLE = ("disk", "interface", "hostdev", "redirdev", "filesystem")
"""Elements whose ``<boot>`` is read."""
_BOOT_DEVICES = ("fd", "hd", "cdrom", "network")
_SWITCHES = ("on", "off")


def read_traits(element: Element, device: Device, rules: Libvirt) -> None:
    """Read the traits of a device.

    Raises:
        InputError: one of them is out of syntax.
        RefusedError: libvirt refuses the source of a device.
    """
    tag = element.tag
    traits: Traits = {}
    named = False
    for child in element.children:
        name = child.tag
        if name == "alias":
            alias = child.attrib.get("name", "")
            if not named and alias.startswith(OWN_ALIAS) and _ALIAS_LETTERS.issuperset(alias):
                traits["alias"] = alias
            named = True
        elif name == "boot" and tag in BOOTABLE and "boot" not in traits:
            if "order" not in child.attrib:
                raise missing(child, "order")
            traits["boot"] = positive(child, "order")
        elif name == "address" and child.attrib.get("type") == "drive" and tag not in ("disk", "hostdev"):
            traits.setdefault(
                "drive", tuple(number_of(child, part) for part in ("controller", "bus", "target", "unit"))
            )
    read = _READ.get(tag)
    if read is not None:
        read(element, traits, rules)
    if traits:
        device.traits = {**device.traits, **traits}


def positive(element: Element, attribute: str) -> int:
    """Return a number that may not be 0.

    Raises:
        InputError: it is not a number, or 0.
    """
    number = number_of(element, attribute)
    if not number:
        raise InputError(
            f"Invalid value for attribute '{attribute}' in element '{element.tag}': Zero is not permitted",
            code="bad-number",
            line=element.line,
            remedy="count from 1",
        )
    return number


def _disk(element: Element, traits: Traits, rules: Libvirt) -> None:
    kind = element.attrib.get("type", "file")
    if kind in ("vhostuser", "vhostvdpa"):
        if kind == "vhostvdpa" and not rules.disks_on_vdpa:
            raise bad(element, "type", kind, code="unknown-word")
        traits["shares"] = kind
    driver = element.find("driver")
    if driver is not None:
        if "iothread" in driver.attrib:
            traits["iothread"] = positive(driver, "iothread")
        mapped = driver.find("iothreads") if rules.several_iothreads and driver.children else None
        if mapped is not None:
            if "iothread" in traits:
                raise InputError(
                    "disk driver 'iothread' attribute can't be used together with 'iothreads' subelement",
                    code="second-element",
                    line=driver.line,
                    remedy="name the thread in one of the two",
                )
            traits["iothreads"] = tuple(positive(one, "id") for one in mapped.findall("iothread"))
    if element.attrib.get("device") == "cdrom":
        traits["cdrom"] = True
    elif element.attrib.get("device") == "lun":
        traits["lun"] = _lun(element, kind)


def _lun(element: Element, kind: str) -> tuple[str, str]:
    """Return what libvirt refuses of the source of a LUN, and what to do; empty texts where it is one."""
    source, driver = element.find("source"), element.find("driver")
    if source is None or kind not in _LUN_SOURCES:
        headline = "disk device='lun' is only valid for block type disk source"
        if source is None and kind in _LUN_SOURCES:
            return headline, "add a <source>, or write device='disk'"
        return headline, "write type='block', with the device of the host as its source"
    protocol = source.attrib.get("protocol")
    if kind == "network" and protocol != "iscsi":
        headline = f"disk device='lun' is not supported for protocol='{short(protocol or '')}'"
        return headline, "use an iSCSI target, or write device='disk'"
    if driver is not None and driver.attrib.get("type") not in (None, "", "raw"):
        return "disk device 'lun' must use 'raw' format", "write type='raw' in its <driver>, or write device='disk'"
    return "", ""


_LUN_SOURCES = ("block", "network", "volume")


def _controller(element: Element, traits: Traits, _rules: Libvirt) -> None:
    driver = element.find("driver")
    if driver is not None:
        thread = number_of(driver, "iothread")
        if thread:
            traits["iothread"] = thread


_SOURCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"mount": ("dir", "socket"), "bind": ("dir",), "file": ("file",), "block": ("dev",), "template": ("name",)}
)
"""What the source of a filesystem says, by its type: one of these."""


def _filesystem(element: Element, traits: Traits, _rules: Libvirt) -> None:
    kind = element.attrib.get("type", "mount")
    traits["type"] = kind
    source, target = element.find("source"), element.find("target")
    said = source.attrib if source is not None else {}
    headline = ""
    if kind == "ram":
        headline = "" if "usage" in said or source is None else "missing 'usage' attribute for RAM filesystem"
    elif kind == "volume":
        both = "pool" in said and "volume" in said
        headline = "" if both else "'pool' and 'volume' must be specified together for 'pool' type source"
    elif not any(name in said for name in _SOURCES.get(kind, said)):
        headline = "missing source information for device"
    if headline:
        wanted = " or ".join(f"{name}='...'" for name in _SOURCES.get(kind, ()))
        raise InputError(
            headline,
            code="missing-source",
            line=element.line,
            remedy=f"write <source {wanted}/>" if wanted else "complete the <source> element",
        )
    traits["target"] = bool(target is not None and target.attrib.get("dir"))


def _hostdev(element: Element, traits: Traits, rules: Libvirt) -> None:
    kind = element.attrib.get("type", "")
    source = element.find("source")
    if source is not None:
        from pcisim.formats.domain.host_device import host_device

        traits["host"] = host_device(kind, source, rules)
    if kind == "mdev" or (kind == "pci" and rules.displays_of_host_devices):
        for name in ("display", "ramfb"):
            value = element.attrib.get(name, "off")
            if value not in _SWITCHES:
                raise bad(element, name, value, code="unknown-word")
            if value == "on":
                traits[name] = True


def _interface(element: Element, traits: Traits, rules: Libvirt) -> None:
    if element.attrib.get("type") == "hostdev":
        from pcisim.formats.domain.host_device import interface_host_device

        traits["host"] = interface_host_device(element, rules)


def _tpm(element: Element, traits: Traits, _rules: Libvirt) -> None:
    backends = len(element.findall("backend"))
    if backends != 1:
        raise InputError(
            "only one TPM backend is supported" if backends else "missing TPM device backend",
            code="second-element" if backends else "missing-source",
            line=element.line,
            remedy="" if backends else "add <backend type='emulator' version='2.0'/>",
        )
    traits["proxy"] = element.attrib.get("model") == "spapr-tpm-proxy"


def _port(element: Element, traits: Traits, _rules: Libvirt) -> None:
    """Read the port of a serial or parallel device or a console."""
    target = element.find("target")
    if target is None:
        return
    text = target.attrib.get("port", _NO_PORT)
    digits = text.lstrip(" \t\r\n")
    digits = digits[1:] if digits[:1] in ("+", "-") else digits
    if not digits.isascii() or not digits.isdigit():
        raise InputError(
            f"Invalid port number: {short(text)}",
            code="bad-number",
            line=target.line,
            remedy="write a decimal number, or leave the port out",
        )
    if element.tag == "serial" and target.attrib.get("type") == "isa-serial":
        number = whole_number(digits)
        traits["port"] = -number if "-" in text else number


_NO_PORT = "-1"


def _memory(element: Element, traits: Traits, _rules: Libvirt) -> None:
    target = element.find("target")
    if target is None:
        raise InputError(
            "missing <target> element for <memory> device",
            code="missing-attribute",
            line=element.line,
            remedy="add <target><size unit='GiB'>1</size></target>",
        )
    if target.find("size") is None:
        raise InputError(
            "missing element or attribute './size'",
            code="missing-attribute",
            line=target.line,
            remedy="add <size unit='GiB'>1</size>",
        )
    node = target.find("node")
    traits["node"] = None
    if node is not None and node.text:
        number = parse_number(node.text.strip())
        if number is None:
            raise InputError("invalid value of memory device node", code="bad-number", line=node.line)
        traits["node"] = number
    address = element.find("address")
    if address is not None and address.attrib.get("type") == "dimm":
        traits["slot"] = number_of(address, "slot")


_READ: Mapping[str, Callable[[Element, Traits, Libvirt], None]] = MappingProxyType(
    {
        "disk": _disk,
        "controller": _controller,
        "filesystem": _filesystem,
        "hostdev": _hostdev,
        "interface": _interface,
        "tpm": _tpm,
        "serial": _port,
        "parallel": _port,
        "console": _port,
        "memory": _memory,
    }
)


# of the guest


def guest_traits(root: Element, rules: Libvirt) -> Mapping[str, Any]:
    """Return the traits of a guest.

    Args:
        root: its ``<domain>``.
        rules: the version of libvirt.

    Raises:
        InputError: one of them is out of syntax.
        RefusedError: libvirt refuses what is said of the memory.
    """
    traits: Traits = {}
    for child in root.children:
        read = _OF_GUEST.get(child.tag)
        if read is not None:
            read(child, traits, rules)
    return traits or NO_TRAITS


def _memory_backing(element: Element, traits: Traits, _rules: Libvirt) -> None:
    access = element.find("access")
    mode = access.attrib.get("mode") if access is not None else None
    if mode is None:
        return
    if mode not in ("shared", "private"):
        raise RefusedError(
            f"unknown memoryBacking/access/mode '{short(mode)}'",
            code="unknown-word",
            details=("known: shared, private",),
            line=element.line,
        )
    traits.setdefault("memory_access", mode)


def _cells(element: Element, traits: Traits, _rules: Libvirt) -> None:
    """Read whether the memory of each NUMA node is shared."""
    numa = element.find("numa")
    if numa is None:
        return
    modes: list[str] = traits.setdefault("cells", [])
    for cell in numa.findall("cell"):
        mode = cell.attrib.get("memAccess", "")
        if mode not in ("", "shared", "private"):
            raise bad(cell, "memAccess", mode, code="unknown-word")
        modes.append(mode)


def _threads(element: Element, traits: Traits, _rules: Libvirt) -> None:
    text = element.text.strip()
    if "thread_count" in traits or not text:
        return
    number = parse_number(text)
    if number is None:
        raise InputError(f"invalid iothreads count '{short(text)}'", code="bad-number", line=element.line)
    traits["thread_count"] = number


def _thread_ids(element: Element, traits: Traits, _rules: Libvirt) -> None:
    known: set[int] = traits.setdefault("threads", set())
    for one in element.findall("iothread"):
        if "id" not in one.attrib:
            raise missing(one, "id")
        number = positive(one, "id")
        if number in known:
            raise InputError(
                f"duplicate iothread id '{number}' found",
                code="no-iothread",
                line=one.line,
                remedy="give each thread an id of its own",
            )
        known.add(number)


def _max_memory(element: Element, traits: Traits, rules: Libvirt) -> None:
    if "memory_slots" in traits:
        return
    slots = parse_number(element.attrib.get("slots", "0"))
    if slots is None:
        raise InputError("Failed to parse memory slot count", code="bad-number", line=element.line)
    if not rules.memory_without_slots and not slots:
        raise InputError(
            "both maximum memory size and memory slot count must be specified",
            code="memory-device",
            line=element.line,
            remedy="write <maxMemory slots='16' unit='GiB'>64</maxMemory>",
        )
    traits["memory_slots"] = slots


def _os(element: Element, traits: Traits, _rules: Libvirt) -> None:
    for boot in element.findall("boot"):
        device = boot.attrib.get("dev")
        if device is None:
            raise missing(boot, "dev")
        if device not in _BOOT_DEVICES:
            raise bad(boot, "dev", device, code="unknown-word")
        traits.setdefault("os_boot", boot.line)
        traits["os_boots"] = (*traits.get("os_boots", ()), device)


_OF_GUEST: Mapping[str, Callable[[Element, Traits, Libvirt], None]] = MappingProxyType(
    {
        "os": _os,
        "memoryBacking": _memory_backing,
        "cpu": _cells,
        "iothreads": _threads,
        "iothreadids": _thread_ids,
        "maxMemory": _max_memory,
    }
)
