"""What devices are connected to: each back-end serves one device, and a device that is named must be there.

Whether a back-end is there is not asked: a command line may be given without its ``-netdev`` and ``-blockdev``.

Source: verified against QEMU 7.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pcisim.catalogue.qemu_values import DEVICE_LINKS, SHARED_DRIVE, USED_ONCE
from pcisim.qemu.device import QemuDevice, inner_name, refusal
from pcisim.qemu.options import MachineOptions

_CHARDEV = "chardev"
_READ_ONLY = "-cd"


class Backends:
    """Which device has which back-end.

    Args:
        options: those of the command line.
    """

    def __init__(self, options: MachineOptions) -> None:
        self._options = options
        self._users: dict[tuple[str, str], str] = {
            ("memdev", node["memdev"]): "a NUMA node" for node in options.nodes if "memdev" in node
        }

    def check(self, device: QemuDevice, options: Mapping[str, str], devices: Mapping[str, object]) -> None:
        """Check that what a device names is free, and that devices that it names are there.

        Args:
            device: the new device.
            options: its properties.
            devices: the devices that are there, by id.

        Raises:
            RefusedError: another device has it, or there is no device of that name.
        """
        for key, value in options.items():
            if key in DEVICE_LINKS and value not in devices:
                raise refusal(
                    f"Device '{value}' not found",
                    f"{key}= names a device that stands before",
                    code="qemu-no-device",
                )
        for key, name, found in self._named(device, options):
            user = self._users.get(found)
            if user is not None:
                raise refusal(
                    USED_ONCE[key].format(device=inner_name(device.name), property=key, value=name),
                    f"{user} has it",
                    code="qemu-backend-in-use",
                    remedy="give each device a back-end of its own",
                )

    def take(self, device: QemuDevice, options: Mapping[str, str]) -> None:
        """Note what a device is connected to."""
        for _, _, found in self._named(device, options):
            self._users[found] = device.id or f"another {device.name}"

    def release(self, name: str) -> None:
        """Free what the device of that id had."""
        self._users = {found: user for found, user in self._users.items() if user != name}

    def _named(self, device: QemuDevice, options: Mapping[str, str]) -> Iterator[tuple[str, str, tuple[str, str]]]:
        """Yield the property, the value, and the sort and name of each back-end that serves one device only."""
        for key, value in options.items():
            if key not in USED_ONCE or not value:
                continue
            sort = _CHARDEV if key.startswith(_CHARDEV) else key
            shared = key == "drive" and (options.get(SHARED_DRIVE) == "on" or device.name.endswith(_READ_ONLY))
            if not shared and self._options.backends.get(value, {}).get("mux") != "on":
                yield key, value, (sort, value)
