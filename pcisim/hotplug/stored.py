"""Attach to a stored definition.

Source: libvirt rules 6 and 7.6, verified against libvirt 11.3.0 (2026-11-23).
"""

from __future__ import annotations

from collections.abc import Iterable

from pcisim.catalogue.versions import DEFAULT_VERSION, VERSIONS, Libvirt
from pcisim.guest import Device, evolved
from pcisim.hotplug.definition import extended, next_number
from pcisim.hotplug.kinds import check_stored
from pcisim.libvirt.policy import LibvirtPolicy
from pcisim.placement import Placement
from pcisim.placement.pinned import pinned
from pcisim.policies import placed


def attach_config(
    placement: Placement, devices: Iterable[Device], rules: Libvirt = VERSIONS[DEFAULT_VERSION]
) -> Placement:
    """Attach devices to the stored definition, one after the other, as ``virsh attach-device --config`` does.

    Each attach reads the whole definition anew with the device in it.  What has an address keeps it; the new
    device is placed as in a definition, and controllers are added for it.

    Args:
        placement: the stored definition; it is not changed.
        devices: the devices, with or without addresses.
        rules: the version of libvirt.

    Returns:
        The definition after the last attach.

    Raises:
        RefusedError: libvirt refuses one of them.
    """
    policy = LibvirtPolicy(rules)
    for device in devices:
        guest = pinned(placement)
        if device.element not in ("disk", "controller"):
            device = evolved(device, label=f"{device.element}:{next_number(guest, device.element)}")
        check_stored(device, guest, rules)
        placement = placed(extended(guest, [device]), policy, rules)
    return placement
