"""Virtio devices without I/O ports: ``virtio-non-transitional`` in place of what has them on conventional buses."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pcisim.catalogue.devices import PLUGS
from pcisim.guest import Controller, Device, Guest, evolved

_MODERN = "virtio-non-transitional"
_LEGACY = frozenset({"", "virtio", "virtio-scsi", "virtio-transitional"})
PATHS: Mapping[str, str] = MappingProxyType(
    {
        "disk": "@model", "interface": "model/@type", "filesystem": "@model", "memballoon": "@model", "rng": "@model",
        "vsock": "@model", "controller/scsi": "@model", "controller/virtio-serial": "@model",
    }
)  # fmt: skip
"""Where the model of each kind of virtio device is written that has I/O ports on a conventional bus."""


def modernised(guest: Guest) -> Guest:
    """Return a guest whose virtio devices are non-transitional; addresses and all else stay.

    Args:
        guest: a completed guest; it is not changed.
    """
    return evolved(
        guest,
        devices={element: [_modern(d) for d in devices] for element, devices in guest.devices.items()},
        controllers=[d for d in map(_modern, guest.controllers) if isinstance(d, Controller)],
    )


def _modern(device: Device) -> Device:
    element = f"controller/{device.type}" if isinstance(device, Controller) else device.element
    path = PATHS.get(element)
    legacy = device.model in _LEGACY and (device.model or element == "controller/virtio-serial")
    if path is None or not legacy or not device.plug or (element == "disk" and device.bus != "virtio"):
        return device
    return evolved(
        device,
        model=_MODERN,
        plug=PLUGS[element][_MODERN],
        row="",
        defaults={**device.defaults, path: _MODERN},
    )
