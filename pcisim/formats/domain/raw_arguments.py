"""QEMU arguments that a definition passes on as they are, which pcisim does not count.

libvirt puts them on QEMU's command line beside its own devices, which are written in JSON.  QEMU makes the others
first, so that a raw ``-device`` without an address takes a place that the definition gives to another device.
"""

from __future__ import annotations

from pcisim.guest import Guest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pcisim.formats.xml.document import Element

NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"
_USUAL_PREFIX = "qemu"
_DEVICE = "-device"


def raw_arguments(guest: Guest) -> list[Element]:
    """Return the elements of a guest's document that each hold one raw argument of QEMU's."""
    if guest.document is None:
        return []
    root = guest.document.root
    prefixes = {name.removeprefix("xmlns:") for name, value in root.attrib.items() if value == NAMESPACE}
    return [
        element
        for prefix in sorted(prefixes | {_USUAL_PREFIX})
        for around in root.findall(f"{prefix}:commandline")
        for element in around.findall(f"{prefix}:arg")
    ]


def summary(arguments: list[Element]) -> str:
    """Return one line that says that raw arguments are not counted; "" where there are none."""
    if not arguments:
        return ""
    if len(arguments) == 1:
        return "1 raw QEMU argument of <qemu:commandline> is not counted"
    return f"{len(arguments)} raw QEMU arguments of <qemu:commandline> are not counted"


def has_device(arguments: list[Element]) -> bool:
    """Return whether there is a device among raw arguments."""
    return any((argument.get("value") or "").lstrip("-") == _DEVICE.lstrip("-") for argument in arguments)
