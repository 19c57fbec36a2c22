"""The PCI functions of a machine as QEMU realises them, before any firmware has run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

from pcisim._record import record
from pcisim.address import MAX_BUS, MAX_FUNCTION, MAX_SLOT
from pcisim.catalogue.functions import BUILT_INS, FUNCTIONS, PciFunction, function_at, is_measured
from pcisim.drivers import driver_of
from pcisim.guest import Controller, Device, Guest
from pcisim.placement import Placement
from pcisim.topology import Topology

ENUMERATED_ON = "7.2"
"""The profile of `pcisim.catalogue.functions` that goes with the firmwares that were measured."""

PORT, SWITCH, CONVENTIONAL, ROOT = "port", "switch", "conventional", "root"
"""Kinds of buses: one link with one device, the inside of a switch, conventional PCI, a root bus."""

BUS_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "pcie-root-port": PORT, "ioh3420": PORT, "cxl-rp": PORT, "xio3130-downstream": PORT, "cxl-downstream": PORT,
        "x3130-upstream": SWITCH, "cxl-upstream": SWITCH,
        "pci-bridge": CONVENTIONAL, "pci-bridge-seat": CONVENTIONAL, "pcie-pci-bridge": CONVENTIONAL,
        "i82801b11-bridge": CONVENTIONAL,
    }
)  # fmt: skip
"""The kind of bus behind each bridge that QEMU has."""

EXPANDERS = MappingProxyType({"pxb": False, "pxb-pcie": True})
"""Devices that bring a root bus of their own, and whether that is PCI Express."""
HIDDEN_BRIDGE = MappingProxyType({"shpc": "off"})
"""The options of the bridge between the root bus of a pxb and what is plugged into it."""

_NO_OPTIONS: Mapping[str, str] = MappingProxyType({})
_ABSENT_BY_DEFAULT = frozenset(
    {"piix3-usb-uhci", "ich9-usb-uhci1", "ich9-usb-uhci2", "ich9-usb-uhci3", "ich9-usb-ehci1"}
)


class Part:
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
        "behind",
        "bus",
        "configured",
        "driver",
        "function",
        "label",
        "multifunction",
        "options",
        "row",
        "slot",
    )

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
        options: Mapping[str, str] = _NO_OPTIONS,
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
        self, kind: str, *, express: bool, label: str | None, parent: Part | None = None, number: int = 0
    ) -> None:
        self.kind = kind
        self.express = express
        self.label = label
        self.parent = parent
        self.number = number
        self.parts: dict[int, Part] = {}
        """By ``slot << 3 | function``."""
        if parent is not None:
            parent.behind = self

    def in_order(self) -> list[Part]:
        """Return what sits on the bus by slot and function."""
        parts = self.parts
        return [parts[place] for place in sorted(parts)]


@record
class Hardware:
    """All PCI functions of a machine.

    Args:
        family: ``pc``, ``q35`` or ``microvm``.
        root: the main root bus.
        extra: the root buses of expanders, in the order in which they were made.
        hotplug_bridges: whether ACPI hotplug is on below bridges.
        hotplug_root: whether it is on for the root bus (of pc).
    """

    family: str
    root: PciBus
    extra: tuple[PciBus, ...]
    acpi_bridges: bool = True
    acpi_root: bool = True

    def parts(self) -> Iterator[Part]:
        """Yield every function, each bridge before what is behind it."""
        for bus in (self.root, *self.extra):
            stack = bus.in_order()[::-1]
            while stack:
                part = stack.pop()
                yield part
                if part.behind is not None:
                    stack += part.behind.in_order()[::-1]


@lru_cache(maxsize=4096)
def _row(driver: str, express: bool, root: bool, options: tuple[tuple[str, str], ...]) -> PciFunction | None:
    for profile in (ENUMERATED_ON, "10.0"):
        if is_measured(driver, profile):
            return function_at(driver, express_bus=express, root_bus=root, options=dict(options), profile=profile)
    return None


def row_on(driver: str, bus: PciBus, options: Mapping[str, str] = _NO_OPTIONS) -> PciFunction | None:
    """Return what a device is on a bus; ``None`` when it was not measured.

    Raises:
        PcisimError: as for `pcisim.catalogue.functions.function_at`.
    """
    return _row(driver, bus.express, bus.kind == ROOT, tuple(options.items()) if options else ())


def built_ins(family: str, *, acpi: bool = True, without: frozenset[str] = frozenset()) -> dict[tuple[int, int], str]:
    """Return the chipset's functions by slot and function, with their QEMU names.

    Args:
        family: ``pc``, ``q35`` or ``microvm``.
        acpi: whether the machine has ACPI; pc's power management goes with it.
        without: functions that were switched off.
    """
    gone = without | (frozenset() if acpi else frozenset({"PIIX4_PM"})) | _ABSENT_BY_DEFAULT
    return {place: driver for place, driver in BUILT_INS[family].items() if driver not in gone}


def hardware_of(placed: Placement | Topology) -> Hardware:
    """Return the functions of a placed guest, the chipset's included.

    Args:
        placed: a placement, or its topology alone: that has everything but the multifunction bits
            that somebody switched off, and whether there is ACPI.
    """
    topology, guest = (placed.topology, placed.guest) if isinstance(placed, Placement) else (placed, None)
    devices = {packed: owner for packed, owner in topology.owners.items() if isinstance(owner, Device)}
    express = bool(topology.buses) and topology.buses[0].model.name == "pcie-root"
    family = "q35" if express else "pc"
    if guest is None:
        videos = sorted((d for d in devices.values() if d.element == "video"), key=lambda d: d.label)
        guest = Guest(family, devices={"video": videos})
    root = PciBus(ROOT, express=express, label="pci:0")
    buses: dict[int, PciBus] = {0: root}
    extra = []
    controllers = {d.index: d for d in devices.values() if isinstance(d, Controller) and d.type == "pci"}
    for index, controller in controllers.items():
        if controller.model_name in EXPANDERS:
            number = int(controller.target.get("busNr", 0))
            bus = PciBus(ROOT, express=EXPANDERS[controller.model_name], label=controller.label, number=number)
            extra.append(bus)
            if not bus.express:
                hidden = Part("pci-bridge", 0, 0, bus, row_on("pci-bridge", bus, HIDDEN_BRIDGE), options=HIDDEN_BRIDGE)
                bus = PciBus(CONVENTIONAL, express=False, label=controller.label, parent=hidden)
        else:
            kind = BUS_KINDS.get(controller.model_name, CONVENTIONAL)
            bus = PciBus(kind, express=kind != CONVENTIONAL, label=controller.label)
        buses[index or 0] = bus
    if topology.buses:
        for (slot, function), driver in built_ins(family, acpi=guest.acpi).items():
            row = FUNCTIONS[driver]
            Part(driver, slot, function, root, row, multifunction=(slot, function) in ((1, 0), (0x1F, 0)))
    for packed, device in devices.items():
        bus = buses[packed >> 8 & MAX_BUS]
        slot, function = packed >> 3 & MAX_SLOT, packed & MAX_FUNCTION
        built_in = bus.parts.get(slot << 3 | function)
        if built_in is not None:
            built_in.label, built_in.configured = device.label, packed
            continue
        driver = driver_of(device, guest)
        options = {}
        if isinstance(device, Controller) and "memReserve" in device.target:
            options["mem-reserve"] = str(device.target["memReserve"] << 10)
        part = Part(
            driver, slot, function, bus, row_on(driver, bus) if driver else None, device.label, packed, options=options
        )
        part.multifunction = function == 0 and topology.buses[packed >> 8].functions(slot) != 1
        if isinstance(device, Controller) and device.type == "pci" and driver not in EXPANDERS:
            behind = buses[device.index or 0]
            part.behind, behind.parent = behind, part
    return Hardware(family, root, tuple(extra))
