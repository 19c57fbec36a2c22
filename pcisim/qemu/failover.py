"""Virtio failover: a primary device that is not there until the guest asks for it.

A virtio-net device with ``failover=on`` hides the device whose ``failover_pair_id`` is its id; QEMU then looks at
nothing of the hidden device but its id and its bus.

Source: verified against QEMU 7.2, at start and by ``device_add``.
"""

from __future__ import annotations

from collections.abc import Mapping

from pcisim.catalogue.bars import stem
from pcisim.qemu.device import QemuDevice, refusal
from pcisim.qemu.functions import PciBus

PAIR = "failover_pair_id"
_STANDBY = "virtio-net-pci"
ETHERNET = 0x0200
"""The class of what can be a primary device."""


class Standbys:
    """The network devices that stand in for another one."""

    def __init__(self) -> None:
        self.primaries: dict[str, str] = {}
        """For each of them, by its id ("" for one without), the id of the device that it hides, or ""."""

    def add(self, device: QemuDevice, options: Mapping[str, str]) -> None:
        """Note a device that was made, if it is one."""
        if stem(device.name) == _STANDBY and options.get("failover") == "on":
            self.primaries[device.id or ""] = ""

    def remove(self, name: str) -> None:
        """Forget one that was unplugged."""
        self.primaries.pop(name, None)

    def hides(self, device: QemuDevice) -> bool:
        """Return whether a device is hidden, and note it.

        Raises:
            RefusedError: it has no id, or another device is hidden already.
        """
        pair = device.properties.get(PAIR)
        if pair is None or not self.primaries:
            return False
        if device.id is None:
            raise refusal(
                "Device with failover_pair_id needs to have id",
                "a device with failover=on looks for its primary by that id",
                code="qemu-failover",
                remedy="add id=",
            )
        if not pair or pair not in self.primaries:
            return False
        first = self.primaries[pair]
        if first:
            raise refusal(
                f"Cannot attach more than one primary device to '{pair}': '{first}' and '{device.id}'",
                "a standby has one primary",
                code="qemu-failover",
                parties=(first, device.id),
            )
        self.primaries[pair] = device.id
        return True


def check_primary(bus: PciBus, place: int, options: Mapping[str, str], class_code: int | None) -> None:
    """Check a device that would be hidden if its standby were there.

    Raises:
        RefusedError: it cannot be a primary device.
    """
    if PAIR not in options:
        return
    if not bus.express:
        raise refusal("failover primary device must be on PCIExpress bus", f"{bus.label} is none", code="qemu-failover")
    if class_code is not None and class_code != ETHERNET:
        raise refusal("failover primary device is not an Ethernet device", "", code="qemu-failover")
    if options.get("multifunction") == "on" or place & 7:
        raise refusal(
            "failover: primary device must be in its own PCI slot",
            "it is function 0, without multifunction=on",
            code="qemu-failover",
        )
