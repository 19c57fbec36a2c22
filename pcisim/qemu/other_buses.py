"""The buses of a machine that are not PCI, by name and kind.

Source: verified against QEMU 7.2; the facts are in `pcisim.catalogue.qemu_buses`.
"""

from __future__ import annotations

from pcisim.catalogue.qemu_buses import (
    BUSES,
    FLOPPY,
    FULL,
    FULL_WITH_ONE,
    HIGH,
    IDE,
    MACHINE_BUSES,
    MACHINE_USB,
    MASTER_BUS,
    OLD_USB,
    TAKE_HOTPLUG,
    USB,
    USB_SPEEDS,
)
from pcisim.qemu.device import QemuDevice, refusal

_ALL_SPEEDS = frozenset({FULL, HIGH})
_UNIT = {IDE: ("Can't create IDE unit", "IDE unit {} is in use"), FLOPPY: ("Can't create floppy unit", "")}
"""What QEMU says of a unit that a bus does not have, and of one that is taken."""


class OtherBus:
    """One bus that is not PCI.

    Args:
        kind: what devices say that they sit on.
        name: how ``bus=`` calls it.
        units: how many numbered places it has; 0 where QEMU finds places without end.
        speeds: of a USB bus, those of devices that it takes.
    """

    def __init__(self, kind: str, name: str, units: int = 0, speeds: frozenset[str] = _ALL_SPEEDS) -> None:
        self.kind = kind
        self.name = name
        self.units = units
        self.speeds = speeds
        self.taken: set[int] = set()
        self.devices = 0

    @property
    def full(self) -> bool:
        """Return whether QEMU looks for another one."""
        return self.kind in FULL_WITH_ONE and self.devices > 0

    @property
    def hotpluggable(self) -> bool:
        """Return whether it takes devices while the machine runs."""
        return self.kind in TAKE_HOTPLUG

    def take(self, device: QemuDevice) -> None:
        """Put a device on the bus.

        Raises:
            RefusedError: the numbered place that it asks for, or that is next, is not there or taken.
        """
        speeds = USB_SPEEDS.get(device.name, _ALL_SPEEDS)
        if device.properties.get(OLD_USB[0]) == OLD_USB[1]:
            speeds = frozenset({FULL})
        if self.kind == USB and not speeds & self.speeds:
            raise refusal(
                f'Warning: speed mismatch trying to attach usb device "{device.name}" ({min(speeds)} speed) to bus'
                f' "{self.name}"',
                f"it takes devices of {min(self.speeds)} speed",
                code="qemu-bus-kind",
                remedy="write bus= with the bus of another USB controller",
            )
        if self.units:
            given = str(device.properties.get("unit", ""))
            unit = int(given) if given.isdecimal() else min(self.devices, self._last_unit)
            missing, taken = _UNIT[self.kind]
            if unit >= self.units:
                raise refusal(
                    f"{missing} {unit}, bus supports only {self.units} units",
                    f"{self.name} is full" if not given else f"{self.name} has units below {self.units}",
                    code="qemu-bus-full",
                )
            if unit in self.taken:
                raise refusal(taken.format(unit), f"{self.name} has a device there", code="qemu-bus-full")
            self.taken.add(unit)
        self.devices += 1

    @property
    def _last_unit(self) -> int:
        """Return the unit that QEMU tries when all before it are taken."""
        return 1 if self.kind == IDE else self.units


class OtherBuses:
    """All of them, in the order in which they were made.

    Args:
        family: ``pc``, ``q35`` or ``microvm``.
        usb: whether the machine has a USB controller.
    """

    def __init__(self, family: str, *, usb: bool) -> None:
        self.buses = [OtherBus(*row) for row in MACHINE_BUSES[family]]
        self._named: dict[str, int] = {}
        for bus in self.buses:
            stem = bus.name.rpartition(".")[0]
            self._named[stem] = self._named.get(stem, 0) + 1
        if usb:
            self.buses.append(OtherBus(USB, MACHINE_USB))
            self._named[USB] = 1

    def find(self, name: str) -> OtherBus | None:
        """Return the bus of that name."""
        return next((bus for bus in reversed(self.buses) if bus.name == name), None)

    def choose(self, kind: str) -> OtherBus | None:
        """Return the bus that a device goes to that names none: the last one made that is not full."""
        return next((bus for bus in reversed(self.buses) if bus.kind == kind and not bus.full), None)

    def add(self, device: QemuDevice) -> None:
        """Add the buses that a device brings."""
        row = BUSES.get(device.name)
        if row is None:
            return
        master = self.find(device.properties.get(MASTER_BUS, ""))
        if master is not None:
            master.speeds |= row.speeds
            return
        for number in range(row.buses):
            name = row.fixed
            if not name and device.id:
                name = row.name.format(id=device.id, number=number)
            name = name or self._next(row.kind.lower())
            self.buses.append(OtherBus(row.kind, name, row.units, row.speeds))

    def _next(self, stem: str) -> str:
        number = self._named.get(stem, 0)
        self._named[stem] = number + 1
        return f"{stem}.{number}"

    def check_master(self, device: QemuDevice) -> None:
        """Check that a USB controller serves one that is there.

        Raises:
            RefusedError: there is no bus of that name.
        """
        name = device.properties.get(MASTER_BUS)
        if name is not None and ((bus := self.find(name)) is None or bus.kind != USB):
            raise refusal(
                f"USB bus '{name}' not found",
                "masterbus= names the bus of a USB controller that stands before: its id and .0",
                code="qemu-no-bus",
            )
