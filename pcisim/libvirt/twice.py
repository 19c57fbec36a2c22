"""What may be there once in a definition, whatever its places: aliases, boot orders, devices of the host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pcisim.errors import RefusedError
from pcisim.guest import Device, Guest, refuse
from pcisim.libvirt.drives import check_drives_twice

BOOT_WALK = ("disk", "interface", "hostdev", "redirdev", "filesystem")
"""The elements that may have a ``<boot>``, in the order in which libvirt looks at them."""


def _once(device: Device, other: Device, headline: str, code: str, remedy: str) -> RefusedError:
    error = refuse(device, headline, code, remedy, f"the first one is {other.label}" + _at(other))
    error.parties += (other.label,)
    return error


def _at(device: Device) -> str:
    return f" (line {device.line})" if device.line else ""


def check_boot_orders(guest: Guest) -> None:
    """Refuse a boot order that two devices have, and one beside ``<boot>`` of ``<os>``, while the definition is read.

    Raises:
        RefusedError: in libvirt's words.
    """
    seen: dict[int, Device] = {}
    for element in BOOT_WALK:
        for device in guest.devices.get(element, ()):
            order = device.traits.get("boot")
            if order is None:
                continue
            first = seen.setdefault(order, device)
            if first is not device:
                raise _once(
                    device,
                    first,
                    f"boot order '{order}' used for more than one device",
                    "duplicate-boot",
                    "take its <boot> out, or give one of the two another order",
                )
    if seen and "os_boot" in guest.traits:
        device = next(iter(seen.values()))
        raise refuse(
            device,
            "per-device boot elements cannot be used together with os/boot elements",
            "boot-order",
            "take <boot> out of <os>, or take its <boot> out",
            f"<os> has a <boot> on line {guest.traits['os_boot']}",
        )


def check_twice(guest: Guest, walk: Iterable[Device]) -> None:
    """Refuse what is there twice in a definition of which each device is sound.

    Args:
        guest: the guest.
        walk: all its devices, in libvirt's order.

    Raises:
        RefusedError: in libvirt's words.
    """
    _check_targets(guest.devices.get("disk", ()))
    hostdevs = [*host_devices(guest)]
    if len(hostdevs) > 1:
        _check_hostdevs(hostdevs)
    check_drives_twice(guest)
    _check_aliases(guest, walk)
    primary = [d for d in guest.devices.get("video", ()) if d.primary]
    if len(primary) > 1:
        # the later ones go to the front of the list
        raise _once(
            primary[0],
            primary[-1],
            "Only one primary video device is supported",
            "secondary-video",
            "take primary='yes' out of the others",
        )


def _check_targets(disks: Iterable[Device]) -> None:
    seen: dict[str, Device] = {}
    for disk in disks:
        first = seen.setdefault(disk.label, disk)
        if first is not disk:
            raise _once(
                disk,
                first,
                f"target '{disk.label[5:]}' duplicated for disk sources",
                "duplicate-target",
                "give one of the two another target",
            )


def host_devices(guest: Guest) -> Iterator[Device]:
    """Yield the devices of the host in libvirt's order: interfaces first."""
    for element in ("interface", "hostdev"):
        for device in guest.devices.get(element, ()):
            if device.traits.get("host"):
                yield device


def _check_hostdevs(hostdevs: list[Device]) -> None:
    seen: dict[tuple[object, ...], Device] = {}
    usb: list[Device] = []
    ramfb: Device | None = None
    for device in hostdevs:
        host = device.traits["host"]
        first: Device | None
        if host[0] == "usb":
            first = next((d for d in usb if is_same_host_device(d, device)), None)
            usb.append(device)
        else:
            first = seen.setdefault(host, device)
        if first is not None and first is not device:
            raise _once(
                device,
                first,
                "Hostdev already exists in the domain configuration",
                "duplicate-hostdev",
                "take one of the two out, or name another device of the host",
            )
        if device.traits.get("ramfb"):
            if ramfb is not None:
                raise _once(
                    device,
                    ramfb,
                    "Only one vgpu device can have 'ramfb' enabled",
                    "second-device",
                    "write ramfb='off' for one of the two",
                )
            ramfb = device


def is_same_host_device(first: Device, second: Device) -> bool:
    """Return whether libvirt takes two devices of the host for one (libvirt rule 8.5).

    Args:
        first: the one that comes first; of two on USB it says whether places or products are compared.
        second: the other.
    """
    one, other = first.traits["host"], second.traits["host"]
    if one[0] != "usb" or other[0] != "usb":
        return bool(one == other)
    _, bus, number, *ids = one
    return bool(one[1:3] == other[1:3] if bus and number else ids == list(other[3:]))


def _check_aliases(guest: Guest, walk: Iterable[Device]) -> None:
    seen: dict[str, Device] = {}
    for device in walk:
        alias = device.traits.get("alias")
        if alias is None or _is_a_consoles(device, guest):
            continue
        first = seen.setdefault(alias, device)
        if first is not device:
            raise _once(
                device,
                first,
                f"non unique alias detected: {alias}",
                "duplicate-alias",
                "take its <alias> out, or give one of the two another alias",
            )


_WITH_CONSOLE = ("", "isa-serial", "spapr-vio-serial", "system-serial", "sclp-serial")
"""The kinds of serial ports for which libvirt adds a console."""


def _is_a_consoles(device: Device, guest: Guest) -> bool:
    """Return whether it is the serial port that the first console is another name for: no alias of it is looked at."""
    serials, consoles = guest.devices.get("serial"), guest.devices.get("console")
    of_serial = bool(consoles) and consoles is not None and consoles[0].bus in ("", "serial")
    if device.element == "console" and not serials:  # it becomes the serial port
        return of_serial and consoles is not None and device is consoles[0]
    if device.element != "serial" or serials is None or device is not serials[0]:
        return False
    return of_serial or device.model in _WITH_CONSOLE
