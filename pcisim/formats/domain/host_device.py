"""Which device of the host a ``<source>`` names, as a tuple (libvirt rule 8.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pcisim.address import parse_number
from pcisim.catalogue.versions import Libvirt
from pcisim.errors import InputError, PcisimError, RefusedError
from pcisim.formats.domain.attributes import bad, missing, short
from pcisim.formats.xml.document import Element

TYPE_CHECKING = False
if TYPE_CHECKING:
    HostDevice = tuple[str | int, ...]

_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
_WWPN = "naa."
_WWPN_DIGITS = 16
_UUID_DIGITS = 32


def host_device(kind: str, source: Element, rules: Libvirt) -> HostDevice:
    """Return what tells a device of the host from others.

    Args:
        kind: ``pci``, ``usb``, ``scsi``, ``scsi_host`` or ``mdev``.
        source: the element that names it.
        rules: the version of libvirt.

    Raises:
        InputError: an attribute is out of syntax, or not there.
        RefusedError: libvirt refuses the source.
    """
    read = _READ.get(kind)
    return () if read is None else (kind, *read(source, rules))


def interface_host_device(interface: Element, rules: Libvirt) -> HostDevice:
    """Return what tells the device of the host that an interface is from others.

    Args:
        interface: the element.
        rules: the version of libvirt.

    Raises:
        InputError: as for `host_device`, or the source does not say on which bus of the host the device is.
    """
    source = interface.find("source")
    address = source.find("address") if source is not None else None
    kind = address.attrib.get("type", "") if address is not None else ""
    return host_device(kind, source, rules) if source is not None and kind in ("pci", "usb") else ()


def _refused(element: Element, headline: str, remedy: str) -> PcisimError:
    return RefusedError(headline, code="missing-source", line=element.line, remedy=remedy)


def _number(element: Element, attribute: str, rules: Libvirt, *, required: bool = True) -> int:
    text = element.attrib.get(attribute)
    if text is None:
        if required:
            raise missing(element, attribute)
        return 0
    number = parse_number(text, binary=rules.binary_numbers)
    if number is None:
        raise bad(element, attribute, text, "non-negative integer value", "bad-number")
    return number


def _pci(source: Element, rules: Libvirt) -> HostDevice:
    address = source.find("address")
    if address is None:
        return 0, 0, 0, 0
    domain, bus, slot, function = (
        _number(address, name, rules, required=False) for name in ("domain", "bus", "slot", "function")
    )
    return domain, bus, slot, function


def _usb(source: Element, rules: Libvirt) -> HostDevice:
    vendor, product, address = (source.find(name) for name in ("vendor", "product", "address"))
    ids = [0, 0]
    if vendor is not None:
        ids[0] = _number(vendor, "id", rules)
        if not ids[0]:
            raise InputError(
                "Invalid value for attribute 'id' in element 'vendor': Zero is not permitted",
                code="bad-number",
                line=vendor.line,
            )
    if product is not None:
        ids[1] = _number(product, "id", rules)
    if vendor is not None and product is None:
        raise _refused(source, "missing product", "add <product id='0x...'/>")
    if product is not None and vendor is None:
        raise _refused(source, "missing vendor", "add <vendor id='0x...'/>")
    place = (0, 0) if address is None else (_number(address, "bus", rules), _number(address, "device", rules))
    return *place, *ids


def _scsi(source: Element, rules: Libvirt) -> HostDevice:
    if source.attrib.get("protocol") == "iscsi":
        host = source.find("host")
        where = host.attrib if host is not None else {}
        return "iscsi", source.attrib.get("name", ""), where.get("name", ""), where.get("port", "")
    adapter, address = source.find("adapter"), source.find("address")
    if address is None:
        raise InputError(
            "'address' must be specified for scsi hostdev source",
            code="missing-source",
            line=source.line,
            remedy="add <address bus='0' target='0' unit='0'/>: the device's place on the host's adapter",
        )
    bus, target, unit = (_number(address, name, rules) for name in ("bus", "target", "unit"))
    name = adapter.attrib.get("name") if adapter is not None else None
    if name is None:
        raise InputError(
            "'adapter' name must be specified for scsi hostdev source",
            code="missing-source",
            line=source.line,
            remedy="add <adapter name='scsi_host0'/>",
        )
    return name, bus, target, unit


def _scsi_host(source: Element, rules: Libvirt) -> HostDevice:
    if "protocol" not in source.attrib:
        if rules.words_of_address_types:
            raise missing(source, "protocol")
        raise InputError("Missing scsi_host subsystem protocol", code="missing-attribute", line=source.line)
    wwpn = source.attrib.get("wwpn")
    if wwpn is None:
        raise InputError(
            "missing vhost-scsi hostdev source wwpn",
            code="missing-source",
            line=source.line,
            remedy="add wwpn='naa....'",
        )
    digits = wwpn.removeprefix(_WWPN)
    if not wwpn.startswith(_WWPN) or len(digits) != _WWPN_DIGITS or not _HEXADECIMAL.issuperset(digits):
        raise InputError(
            "malformed 'wwpn' value",
            code="bad-attribute",
            line=source.line,
            details=(f"it is {short(wwpn)!r}",),
            remedy=f"write {_WWPN} and {_WWPN_DIGITS} hexadecimal digits",
        )
    return (wwpn,)


def _mdev(source: Element, _rules: Libvirt) -> HostDevice:
    address = source.find("address")
    add = "add <address uuid='...'/>: the UUID of the mediated device on the host"
    if address is None:
        raise _refused(source, "Missing <address> element", add)
    uuid = address.attrib.get("uuid")
    if uuid is None:
        raise _refused(address, "Missing 'uuid' attribute for element <address>", add)
    digits = uuid.strip().replace("-", "").lower()
    if len(digits) != _UUID_DIGITS or not _HEXADECIMAL.issuperset(digits):
        raise _refused(address, "Cannot parse uuid attribute of element <address>", "write a UUID of 32 digits")
    return (digits,)


_READ: Mapping[str, Callable[[Element, Libvirt], HostDevice]] = MappingProxyType(
    {"pci": _pci, "usb": _usb, "scsi": _scsi, "scsi_host": _scsi_host, "mdev": _mdev}
)
