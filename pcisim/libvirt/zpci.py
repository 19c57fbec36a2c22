"""The numbers by which s390 names its PCI functions: a uid and a fid each.

Source: libvirt rule 1.4; verified against libvirt 11.3.0 and 9.0.0.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import count

from pcisim.catalogue.devices import BOARD_INTERFACES
from pcisim.guest import Device, refuse

WITHOUT = frozenset({"serial", "parallel", "channel", "console"})
"""Elements whose devices get no numbers, wherever they are."""


def zpci_ids(devices: Iterable[Device], addresses: Collection[Device]) -> dict[Device, tuple[int, int]]:
    """Return uid and fid of every device that has a PCI address, or might have one but for its place on a board.

    What somebody wrote is kept, and a device that has one of the two gets the other before any that has none.

    Args:
        devices: in the order in which libvirt walks them, the controllers that it added among them.
        addresses: the devices that have a PCI address.

    Raises:
        RefusedError: two devices have the same number.
    """
    numbered = [
        device
        for device in devices
        if (device in addresses and device.element not in WITHOUT)
        or (device.model in BOARD_INTERFACES and device.address_type == "pci")
    ]
    uids: dict[int, Device] = {}
    fids: dict[int, Device] = {}
    free_uids = (number for number in count(1) if number not in uids)
    free_fids = (number for number in count() if number not in fids)
    ids: dict[Device, tuple[int, int]] = {}
    for device in sorted(numbered, key=lambda device: device.zpci is None):
        uid, fid = device.zpci or (None, None)
        _reserve("uid", uid, uids, device)
        _reserve("fid", fid, fids, device)
        if uid is None:
            uid = next(free_uids)
            uids[uid] = device
        if fid is None:
            fid = next(free_fids)
            fids[fid] = device
        ids[device] = uid, fid
    return ids


def _reserve(name: str, number: int | None, taken: dict[int, Device], device: Device) -> None:
    if number is None:
        return
    other = taken.setdefault(number, device)
    if other is not device:
        error = refuse(
            device,
            f"zPCI {name} {number:o} is already reserved",  # in octal, as libvirt prints it
            "zpci-occupied",
            f"give it another {name}, or none",
            f"{other.label} has {name}='{number:#x}'" + (f" (line {other.line})" if other.line else ""),
        )
        error.parties += (other.label,)
        raise error
