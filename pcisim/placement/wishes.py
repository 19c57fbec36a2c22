"""Whether what was wished for of devices' places has come true."""

from __future__ import annotations

from pcisim.address import FUNCTIONS, MAX_FUNCTION, format_packed
from pcisim.errors import RefusedError, UsageError
from pcisim.guest import Device, refuse
from pcisim.placement import Placement


def check_wishes(placement: Placement) -> None:
    """Refuse a placed guest in which a wish is not kept.

    Args:
        placement: the guest; its `wishes` are looked at.

    Raises:
        UsageError: a wish is for a device that there is not, or that has no PCI address.
        RefusedError: a device can be detached only when the guest is off.
    """
    devices = {d.label: d for d in placement.guest.all_devices()}
    for label, wish in placement.guest.wishes.items():
        device = devices.get(label)
        packed = None if device is None else placement.addresses.get(device)
        if device is None or packed is None:
            raise UsageError(
                f"no device {label!r} with a PCI address to place as asked",
                code="unknown-label",
                details=(f"there are: {', '.join(d.label for d in placement.addresses)}",),
            )
        if wish.hotpluggable:
            _check_hotpluggable(device, packed, placement)


def _check_hotpluggable(device: Device, packed: int, placement: Placement) -> None:
    topology = placement.topology
    bus = topology.buses[packed >> 8]
    first = packed & ~MAX_FUNCTION
    others = [topology.owners[place].label for place in range(first, first + FUNCTIONS)
              if place != packed and place in topology.owners]  # fmt: skip
    if others:
        why = f"it shares its slot with {', '.join(others)}"
    elif not topology.takes_hotplug(bus):
        why = f"bus {bus.index}, a {bus.model.name}, takes no hotplug"
    else:
        return
    raise refuse_wish(device, f"{device.label} is at {format_packed(packed)}: {why}")


def refuse_wish(device: Device, *details: str) -> RefusedError:
    """Return the refusal of a guest in which a device cannot be detached while it runs."""
    return refuse(
        device,
        f"{device.label} could not be detached while the guest runs, as is wished",
        "wish-not-kept",
        "leave its address to --policy dense, which gives it a slot of its own, or leave hotpluggable=on out",
        *details,
    )
