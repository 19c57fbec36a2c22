"""The hotplug slots of a Linux guest, and the numbers that it knows them by.

Linux lists each slot in ``/sys/bus/pci/slots`` under its number.  Where that is taken, the slot's name gets
a suffix (``5-1``), which is no number: the first slot has it for good.

Two sources of slots: the ACPI tables, which give every slot that takes hotplug a ``_SUN``, its number on its
bus; and where ACPI does not handle a bus, the hotplug controller of its bridge, which counts from 1.  The
slot of a port is 0, which no rule takes for a number.

Source: measured: Linux 6.1 on QEMU 7.2.22 and 10.0.13.  They differ in what their tables say of functions
1 to 7, and of slots that take no hotplug (`SlotRules.thorough`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pcisim.address import FUNCTIONS, SLOTS
from pcisim.catalogue.bridges import BRIDGES, PORT, SHPC_BRIDGES, SWITCH
from pcisim.catalogue.profiles import ACPI_BRIDGES_SINCE, Profile, has_tables
from pcisim.catalogue.qemu_rules import NOT_HOTPLUGGABLE
from pcisim.catalogue.x86_machines import machine_version
from pcisim.enumeration.io_windows import profile_of_guest
from pcisim.enumeration.view import GuestFunction, GuestView
from pcisim.guest import Guest

CHIPSET = frozenset({"ICH9-LPC", "ICH9-SMB", "PIIX3", "PIIX4_PM", "gpex-root", "i440FX", "mch"})
"""What a machine is made of, and which is never plugged; nor is what `NOT_HOTPLUGGABLE` lists, nor a bridge that was
there from the start."""


class SlotRules(NamedTuple):
    """What decides about slots, apart from who sits where.

    Args:
        acpi: whether the guest has ACPI.
        off: the labels of the controllers whose hotplug is switched off.
        bridges: whether ACPI handles hotplug below bridges.
        thorough: whether ACPI describes every function that is there (QEMU 10.0), or only function 0 of slots
            that take hotplug (7.2).
        firmware_tables: whether the firmware has tables of its own for a machine without ACPI; SeaBIOS has, of q35.
    """

    acpi: bool = True
    off: frozenset[str] = frozenset()
    bridges: bool = True
    thorough: bool = True
    firmware_tables: bool = False


def slot_rules(guest: Guest, profile: Profile | None = None) -> SlotRules:
    """Return what a guest's definition says about slots.

    Args:
        guest: the guest.
        profile: the QEMU and the firmware; by default those that it was placed for.
    """
    profile = profile or profile_of_guest(guest)
    version = machine_version(guest.machine_type)
    since = ACPI_BRIDGES_SINCE.get(guest.machine.family, (0, 0))
    return SlotRules(
        acpi=guest.acpi,
        off=frozenset(d.label for d in guest.controllers if d.is_pci and d.target.get("hotplug") == "off"),
        bridges=version is None or version >= since,
        thorough=profile.qemu.acpi_of_every_function,
        firmware_tables=has_tables(guest.firmware, profile, guest.machine.family),
    )


class Slots(NamedTuple):
    """The slots of one guest.

    Args:
        numbers: the number of each slot that has one, by ``bus << 5 | device``.
        described: the number that ACPI gives to each function that is there, by the function's packed address.
        indexed: the packed addresses of the functions that ACPI can give an ``acpi-index``.
    """

    numbers: dict[int, int]
    described: dict[int, int]
    indexed: frozenset[int]


def slots_of(view: GuestView, rules: SlotRules) -> Slots:
    """Return the hotplug slots of a guest.

    Args:
        view: what it sees.
        rules: what its machine makes of slots.
    """
    return _Search(view, rules).slots()


class _Search:
    """One search for slots, in the order in which Linux finds them."""

    def __init__(self, view: GuestView, rules: SlotRules) -> None:
        self.view = view
        self.rules = rules
        self.there: dict[int, dict[int, GuestFunction]] = {}
        self.bridges: dict[int, list[GuestFunction]] = {}
        for function in view.functions:
            if function.address is not None:
                self.there.setdefault(int(function.address) >> 3, {})[function.address.function] = function
                if function.is_bridge and not function.off:
                    self.bridges.setdefault(function.address.bus, []).append(function)
        host = self.there.get(0, {}).get(0)
        self.express = host is not None and host.driver == "mch"
        self.labels = {bus.number: bus.label for bus in view.buses}
        self.numbers: dict[int, int] = {}
        self.described: dict[int, int] = {}
        self.indexed: set[int] = set()
        self.taken: set[int] = {0}

    def slots(self) -> Slots:
        """Return what is found."""
        rules = self.rules
        main = [(0, range(SLOTS))]
        extra: list[int] = []
        for root in (bus.number for bus in self.view.buses if bus.bridge is None):
            below = list(self._below(root))
            if root:
                extra += [bus for bus, driver in below if driver in SHPC_BRIDGES]
            else:
                kinds = [(bus, BRIDGES[driver].behind if driver in BRIDGES else "") for bus, driver in below]
                main += [(bus, range(1 if kind == PORT else SLOTS)) for bus, kind in kinds if kind != SWITCH]
                native = [bus for bus, driver in below if driver in SHPC_BRIDGES]
        if rules.acpi:
            for bus, slots in sorted(main, key=lambda item: item[0]):
                managed = (rules.bridges if bus else not self.express) and self.labels.get(bus) not in rules.off
                self._acpi(bus, slots, managed=managed)
        elif rules.firmware_tables:
            for slot in range(1, SLOTS):
                self._number(slot, slot)
                if 0 in self.there.get(slot, {}):
                    self.described[slot << 3] = slot
        # on a root bus of its own, or where there is no ACPI, the bridges' own controllers are left alone
        if not rules.acpi or not rules.bridges:
            extra = native + extra
        if self.express or not rules.acpi:
            for bus in extra:
                for slot in range(1, SLOTS):
                    self._number(bus << 5 | slot, slot)
        return Slots(self.numbers, self.described, frozenset(self.indexed))

    def _acpi(self, bus: int, slots: range, *, managed: bool) -> None:
        thorough = self.rules.thorough
        for slot in slots:
            place = bus << 5 | slot
            there = self.there.get(place, {})
            for function, owner in there.items():
                packed = place << 3 | function
                fixed = owner.is_bridge or owner.driver in NOT_HOTPLUGGABLE or owner.driver in CHIPSET
                if managed and not fixed and (thorough or not function):
                    self.described[packed] = slot
                if (thorough and (self.rules.bridges or not bus)) or packed in self.described:
                    self.indexed.add(packed)
            if managed and (not there or any(place << 3 | function in self.described for function in range(FUNCTIONS))):
                self._number(place, slot)

    def _number(self, place: int, number: int) -> None:
        if number not in self.taken:
            self.taken.add(number)
            self.numbers[place] = number

    def _below(self, bus: int) -> Iterator[tuple[int, str]]:
        """Yield every bus below a bus and the driver of its bridge, all of one bus before those behind them."""
        here = [
            (bridge.numbers.secondary, bridge.driver)
            for bridge in self.bridges.get(bus, [])
            if bridge.numbers is not None and bridge.numbers.secondary > bus
        ]
        yield from here
        for secondary, _ in here:
            yield from self._below(secondary)
