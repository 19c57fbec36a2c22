"""Addresses of type drive: what each kind of controller has room for, and who has one already (libvirt rule 8.6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from pcisim.catalogue.devices import DISKS_A_CONTROLLER
from pcisim.errors import RefusedError
from pcisim.guest import Device, Guest, refuse

_Drive = tuple[int, int, int, int]
"""Controller, bus, target and unit."""


class _Limits(NamedTuple):
    """One row: which parts of the address of a disk on such a bus have to be 0, and what libvirt says otherwise."""

    controller: str = ""
    bus: str = ""
    target: str = ""


_LIMITS: Mapping[str, _Limits] = MappingProxyType(
    {
        "ide": _Limits("Only 1 IDE controller is supported", "", "target must be 0 for ide controller"),
        "fdc": _Limits(
            "Only 1 fdc controller is supported", "Only 1 fdc bus is supported", "target must be 0 for controller fdc"
        ),
        "sata": _Limits("", "bus must be 0 for sata controller", "target must be 0 for sata controller"),
        "scsi": _Limits("", "SCSI controller only supports 1 bus", ""),
        "nvme": _Limits(),
    }
)
_ONE_TARGET = "lsilogic"
"""The model of a SCSI controller that has one target only."""
_WITHOUT_DISKS = "buslogic"
"""The model of a SCSI controller to which libvirt attaches no disk."""


_UNITS_OF_IDE = 2
"""How many disks share one of the two buses of an IDE controller."""


def drive_of(device: Device) -> _Drive | None:
    """Return the drive address of a device, be it that a disk has it by its number; ``None`` without one."""
    if device.address_type not in (None, "drive"):
        return None
    if "drive" in device.traits:
        drive: _Drive = device.traits["drive"]
        return drive
    if device.controller is not None:
        return (device.controller, *device.drive)
    each = DISKS_A_CONTROLLER.get(device.bus)
    if device.element != "disk" or each is None or device.unit is None:
        return None
    controller, unit = divmod(device.unit, each)
    bus, unit = divmod(unit, _UNITS_OF_IDE) if device.bus == "ide" else (0, unit)
    return controller, bus, 0, unit


def check_drive(device: Device, guest: Guest) -> None:
    """Refuse an address that no controller of its kind has.

    Args:
        device: a disk, or any other device, whose address is then taken for one of SCSI.
        guest: whose controllers are complete.

    Raises:
        RefusedError: in libvirt's words.
    """
    drive = drive_of(device)
    bus_type = device.bus if device.element == "disk" else "scsi"
    limits = _LIMITS.get(bus_type)
    if drive is None or limits is None:
        return
    controller, bus, target, _unit = drive
    for name, value in (("controller", controller), ("bus", bus), ("target", target)):
        headline = str(getattr(limits, name))
        if value and headline:
            error = _refused(device, drive, headline, f"write {name}='0' in its <address>")
            if (bus_type, name) == ("ide", "controller"):
                error.code, error.remedy = "second-ide", "put at most four disks on bus='ide'"
            raise error
    if bus_type != "scsi":
        return
    found = next((d for d in guest.controllers if d.type == "scsi" and d.index == controller), None)
    if found is None:
        return
    if found.model == _ONE_TARGET and target:
        headline = f"target must be 0 for controller model '{found.model}'"
        raise _refused(device, drive, headline, "write target='0' in its <address>, or use model='virtio-scsi'", found)
    if found.model == _WITHOUT_DISKS:
        headline = f"Unsupported controller model: {found.model}"
        raise _refused(device, drive, headline, "use model='virtio-scsi' or model='lsilogic'", found)


def _refused(device: Device, drive: _Drive, headline: str, remedy: str, *others: Device) -> RefusedError:
    error = refuse(
        device, headline, "drive-range", remedy + ", or leave the address out", f"{device.label} has {said(drive)}"
    )
    error.parties += tuple(other.label for other in others)
    return error


def said(drive: _Drive) -> str:
    """Return a drive address as libvirt prints it."""
    controller, bus, target, unit = drive
    return f"controller='{controller}' bus='{bus}' target='{target}' unit='{unit}'"


def check_disks_beside_hostdevs(hostdevs: Iterable[Device], disks: Iterable[Device]) -> None:
    """Refuse a SCSI disk that has the place of a SCSI host device by its number, while the definition is read.

    Raises:
        RefusedError: in libvirt's words.
    """
    written = {drive_of(d): d for d in hostdevs if d.bus == "scsi" and d.controller is not None}
    if not written:
        return
    for disk in disks:
        drive = drive_of(disk) if disk.bus == "scsi" and disk.controller is None else None
        if drive is not None and drive in written:  # libvirt forgets the last quote
            headline = (
                f"using disk target name '{disk.label[5:]}' conflicts with SCSI host device address {said(drive)[:-1]}"
            )
            raise _conflict(disk, written[drive], headline, "give one of the two another address")


def check_hostdev_beside_disks(hostdev: Device, disks: Iterable[Device]) -> None:
    """Refuse a SCSI host device at the place of a SCSI disk, while the definition is read.

    Raises:
        RefusedError: in libvirt's words.
    """
    drive = drive_of(hostdev) if hostdev.controller is not None else None
    disk = next((d for d in disks if d.bus == "scsi" and drive is not None and drive_of(d) == drive), None)
    if disk is not None and drive is not None:
        headline = f"SCSI host address {said(drive)} in use by a SCSI disk"
        raise _conflict(hostdev, disk, headline, "give one of the two another address")


def check_drives_twice(guest: Guest) -> None:
    """Refuse two disks, or two SCSI host devices, at one place.

    Raises:
        RefusedError: in libvirt's words; the first of the two is the one that is named.
    """
    disks = [d for d in guest.devices.get("disk", ()) if d.bus in _LIMITS]
    pair = _first_pair(disks)
    if pair is not None:
        name = pair[0].label[5:]
        raise _conflict(
            *pair,
            f"Found duplicate drive address for disk with target name '{name}' {_said_of(pair[0])}",
            "give one of the two another unit",
        )
    pair = _first_pair([d for d in guest.devices.get("hostdev", ()) if d.bus == "scsi" and d.controller is not None])
    if pair is not None:
        raise _conflict(
            *pair,
            f"SCSI host address {_said_of(pair[0])} in use by another SCSI host device",
            "give one of the two another unit",
        )


def _first_pair(devices: list[Device]) -> tuple[Device, Device] | None:
    """Return the first device of which another has the address, and that one."""
    seen: dict[tuple[str, _Drive], list[Device]] = {}
    for device in devices:
        drive = drive_of(device)
        if drive is not None:
            seen.setdefault((device.bus, drive), []).append(device)
    return next(((row[0], row[1]) for row in seen.values() if len(row) > 1), None)


def _said_of(device: Device) -> str:
    drive = drive_of(device)
    return "" if drive is None else said(drive)


def _conflict(device: Device, other: Device, headline: str, remedy: str) -> RefusedError:
    error = refuse(
        device,
        headline,
        "duplicate-drive",
        remedy,
        f"{other.label} has the same place" + (f" (line {other.line})" if other.line else ""),
    )
    error.parties += (other.label,)
    return error
