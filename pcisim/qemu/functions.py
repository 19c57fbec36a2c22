"""The PCI functions of a machine as QEMU realises them, before any firmware has run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from pcisim.catalogue.bridges import BRIDGES, CONVENTIONAL, EXPANDER_BRIDGE, ROOT, SHPC_BRIDGES, UNSET_RESERVE
from pcisim.catalogue.functions import BUILT_INS, FUNCTIONS, PciFunction, function_at, is_measured
from pcisim.catalogue.profiles import DEFAULT_PROFILE, QEMUS
from pcisim.guest import NO_RAM, Ram

HIDDEN_BRIDGE: Mapping[str, str] = MappingProxyType({"shpc": "off"})
"""The options of the bridge between the root bus of a conventional expander and what is plugged into it."""

_USB_SET = frozenset({"ich9-usb-uhci1", "ich9-usb-uhci2", "ich9-usb-uhci3", "ich9-usb-ehci1"})
MULTIFUNCTION_BUILT_INS = frozenset({"PIIX3", "ICH9-LPC", "ich9-ahci", "ICH9-SMB"}) | _USB_SET
"""The chipset's functions that have the multifunction bit."""
_ABSENT_BY_DEFAULT = frozenset({"piix3-usb-uhci"}) | _USB_SET

NO_OPTIONS: Mapping[str, str] = MappingProxyType({})


class QemuFunction:
    """One PCI function in its place.

    Args:
        driver: QEMU's name of the device; "" for what is not known.
        slot: 0 to 31.
        function: 0 to 7.
        bus: where it sits.
        row: what it is there; ``None`` for what is not known.
        label: its name in the definition or its ``id``; ``None`` for the chipset's.
        configured: its packed address in the definition; ``None`` where no definition lists it.
        multifunction: whether the bit is set.
        options: the properties that were given to it.
    """

    __slots__ = (
        "behind", "bus", "configured", "driver", "expander", "function", "label", "multifunction", "options", "row",
        "slot",
    )  # fmt: skip

    def __init__(
        self,
        driver: str,
        slot: int,
        function: int,
        bus: PciBus,
        row: PciFunction | None,
        label: str | None = None,
        configured: int | None = None,
        *,
        multifunction: bool = False,
        options: Mapping[str, str] = NO_OPTIONS,
    ) -> None:
        self.driver = driver
        self.slot = slot
        self.function = function
        self.bus = bus
        self.row = row
        self.label = label
        self.configured = configured
        self.multifunction = multifunction
        self.options = options
        self.behind: PciBus | None = None
        """The bus that a bridge leads to."""
        self.expander: PciBus | None = None
        """The root bus that an expander brings."""
        bus.parts[slot << 3 | function] = self


class PciBus:
    """One bus and what sits on it.

    Args:
        kind: `PORT`, `SWITCH`, `CONVENTIONAL` or `ROOT`.
        express: whether it is PCI Express.
        label: the controller or the name that it goes by.
        parent: the bridge that leads to it; ``None`` for a root bus.
        number: of a root bus, the number that the machine gives it.
    """

    __slots__ = ("express", "kind", "label", "number", "parent", "parts")

    def __init__(
        self, kind: str, *, express: bool, label: str | None, parent: QemuFunction | None = None, number: int = 0
    ) -> None:
        self.kind = kind
        self.express = express
        self.label = label
        self.parent = parent
        self.number = number
        self.parts: dict[int, QemuFunction] = {}
        """By ``slot << 3 | function``, in the order in which they were made."""
        if parent is not None:
            parent.behind = self

    def in_order(self) -> list[QemuFunction]:
        """Return what sits on the bus by slot and function."""
        parts = self.parts
        return [parts[place] for place in sorted(parts)] if len(parts) > 1 else list(parts.values())

    def buses_below(self) -> list[PciBus]:
        """Return the buses that hang on this one, the last made first, as QEMU looks through them."""
        made = [bus for part in self.parts.values() for bus in (part.behind, part.expander) if bus is not None]
        return made[::-1]


def forwards_io(bridge: QemuFunction) -> bool:
    """Return whether a bridge can have an I/O window."""
    row = BRIDGES.get(bridge.driver)
    return row is None or bridge.options.get("io-reserve", UNSET_RESERVE) not in row.no_io_window


def has_hotplug_controller(bridge: QemuFunction) -> bool:
    """Return whether a bridge has a hotplug controller of its own that is not switched off."""
    return bridge.driver in SHPC_BRIDGES and bridge.options.get("shpc") != "off"


class Hardware:
    """All PCI functions of a machine.

    Args:
        family: ``pc``, ``q35`` or ``microvm``.
        root: the main root bus.
        extra: the root buses of expanders, in the order in which they were made.
        ram: how much RAM it has.
        acpi_root: whether ACPI hotplug is on for the root bus (of pc).
        acpi_bridges: whether it is on below bridges; on q35 also where the guest has no ACPI to ask for it.
        acpi: whether QEMU has ACPI tables for the guest.
        wide: whether the firmware takes the processor's word for the size of the address space.
        unreachable: functions on buses that hang on nothing, or on each other.
    """

    __slots__ = ("acpi", "acpi_bridges", "acpi_root", "unreachable", "extra", "family", "ram", "root", "wide")

    def __init__(
        self,
        family: str,
        root: PciBus,
        extra: list[PciBus],
        *,
        ram: Ram = NO_RAM,
        acpi_root: bool = True,
        acpi_bridges: bool = True,
        acpi: bool = True,
        unreachable: Sequence[QemuFunction] = (),
        wide: bool = True,
    ) -> None:
        self.family = family
        self.root = root
        self.extra = extra
        self.ram = ram
        self.acpi_root = acpi_root
        self.acpi_bridges = acpi_bridges
        self.acpi = acpi
        self.unreachable = unreachable
        self.wide = wide

    def parts(self) -> Iterator[QemuFunction]:
        """Yield every function, each bridge before what is behind it."""
        for bus in (self.root, *self.extra):
            stack = bus.in_order()[::-1]
            while stack:
                part = stack.pop()
                yield part
                if part.behind is not None:
                    stack += part.behind.in_order()[::-1]


@lru_cache(maxsize=4096)
def _row(driver: str, express: bool, root: bool, options: tuple[tuple[str, str], ...], qemu: str) -> PciFunction | None:
    for profile in (qemu, *QEMUS):
        if is_measured(driver, profile):
            return function_at(driver, express_bus=express, root_bus=root, options=dict(options), profile=profile)
    return None


def row_on(
    driver: str, bus: PciBus, options: Mapping[str, str] = NO_OPTIONS, qemu: str = DEFAULT_PROFILE.qemu.version
) -> PciFunction | None:
    """Return what a device is on a bus; ``None`` when it was not measured.

    Args:
        driver: QEMU's name of the device.
        bus: where it sits.
        options: its properties.
        qemu: the version of QEMU; what it does not have is as in one that has it.

    Raises:
        PcisimError: as for `pcisim.catalogue.functions.function_at`.
    """
    return _row(driver, bus.express, bus.kind == ROOT, tuple(options.items()) if options else (), qemu)


def add_built_ins(root: PciBus, family: str, *, without: frozenset[str] = frozenset(), usb: bool = False) -> None:
    """Put the chipset's functions on a root bus.

    Args:
        root: an empty root bus.
        family: ``pc``, ``q35`` or ``microvm``.
        without: QEMU's names of functions that were switched off.
        usb: whether the chipset's USB controllers are there.
    """
    for (slot, function), driver in BUILT_INS[family].items():
        if driver not in without and (usb or driver not in _ABSENT_BY_DEFAULT):
            multifunction = driver in MULTIFUNCTION_BUILT_INS
            QemuFunction(driver, slot, function, root, FUNCTIONS[driver], multifunction=multifunction)


def expander_bus(part: QemuFunction, number: int, label: str | None) -> PciBus:
    """Give an expander its root bus, and return the bus that devices are plugged into.

    On pc that is the bus of a bridge which nobody lists.

    Args:
        part: an expander.
        number: the number of its root bus.
        label: the name of the bus.
    """
    express = BRIDGES[part.driver].express
    bus = PciBus(ROOT, express=express, label=label if express else "pxb-internal", number=number)
    part.expander = bus
    if express:
        return bus
    hidden = QemuFunction(
        EXPANDER_BRIDGE, 0, 0, bus, row_on(EXPANDER_BRIDGE, bus, HIDDEN_BRIDGE), options=HIDDEN_BRIDGE
    )
    return PciBus(CONVENTIONAL, express=False, label=label, parent=hidden)
