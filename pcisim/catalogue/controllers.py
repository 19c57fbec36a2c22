"""The PCI controllers: what each bus accepts and where each controller plugs in.

Source: libvirt rules 2 and 7, verified against libvirt 9.0.0 and 11.3.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from pcisim.catalogue import connectors as c
from pcisim.catalogue.bridges import BRIDGES


class ControllerModel(NamedTuple):
    """One row: a PCI controller model of libvirt's."""

    name: str
    plug: int
    """The connector kind by which it plugs into its parent; 0 for a root bus."""
    accepts: int
    """The connector kinds that its bus accepts."""
    automatic: bool
    """Whether automatic placement of endpoints may use its bus."""
    hotplug: bool
    """Whether its bus takes devices while the guest runs (unless switched off)."""
    slots: tuple[int, int]
    """The lowest and the highest usable slot of its bus."""
    unusable: str
    """Why the other slots cannot be used; "" where all can."""
    options: tuple[str, ...]
    """The options it knows, by the names of libvirt's `<target>`."""
    model_names: tuple[str, ...]
    """QEMU devices it may be made of, the default first; empty for a root bus."""

    @property
    def automatic_socket(self) -> int:
        """Return what automatic placement may put on its bus."""
        return c.automatic_socket(self.accepts, self.automatic)

    @property
    def explicit_socket(self) -> int:
        """Return what an address that somebody wrote may put on its bus."""
        return c.explicit_socket(self.accepts)

    @property
    def is_port(self) -> bool:
        """Return whether it is a root port or a downstream port, whose bus is one slot."""
        return self.slots == (0, 0)

    @property
    def is_expander(self) -> bool:
        """Return whether its bus is a root bus of its own."""
        return bool(self.plug & (c.EXPANDER | c.EXPRESS_EXPANDER))

    @property
    def own_bus_numbers(self) -> int:
        """Return how many bus numbers it takes by itself: a conventional expander has a bridge that nobody lists."""
        return 2 if self.plug == c.EXPANDER else 1

    def port_number(self, slot: int, function: int) -> int:
        """Return the ``port`` that libvirt gives a port in its place (libvirt rule 7.2)."""
        return (slot << 3) + function if self.plug == c.ROOT_PORT else slot

    @property
    def slot_count(self) -> int:
        """Return how many slots of its bus can be used."""
        low, high = self.slots
        return high - low + 1

    @property
    def slot_mask(self) -> int:
        """Return the usable slots as bits."""
        low, high = self.slots
        return (1 << high + 1) - (1 << low)


_CONVENTIONAL = c.CONVENTIONAL | c.PCI_BRIDGE
_PORT = c.EXPRESS | c.UPSTREAM_PORT | c.EXPRESS_TO_PCI_BRIDGE
_ROOT = "slot 0 of the root bus belongs to the host bridge"
_BRIDGE = "slot 0 of the bridge belongs to its hotplug controller"
_ONE = "a port has one slot behind it"

# fmt: off
_ROWS = (
    # name, plug, accepts, automatic, hotplug, slots, unusable, options, model names
    ControllerModel("pci-root", 0, _CONVENTIONAL | c.EXPANDER, True, True, (1, 31), _ROOT,
                    ("hotplug", "pcihole64"), ()),
    ControllerModel("pcie-root", 0, c.EXPRESS | c.ROOT_PORT | c.DMI_BRIDGE | c.EXPRESS_EXPANDER, False, False,
                    (1, 31), _ROOT, ("pcihole64",), ()),
    ControllerModel("pci-bridge", c.PCI_BRIDGE, _CONVENTIONAL, True, True, (1, 31), _BRIDGE,
                    ("chassisNr", "memReserve"), ("pci-bridge",)),
    ControllerModel("pci-expander-bus", c.EXPANDER, _CONVENTIONAL, True, True, (0, 31), "",
                    ("busNr", "node"), ("pxb",)),
    ControllerModel("dmi-to-pci-bridge", c.DMI_BRIDGE, _CONVENTIONAL, False, False, (0, 31), "",
                    (), ("i82801b11-bridge",)),
    ControllerModel("pcie-to-pci-bridge", c.EXPRESS_TO_PCI_BRIDGE, _CONVENTIONAL, True, True, (1, 31), _BRIDGE,
                    (), ("pcie-pci-bridge",)),
    ControllerModel("pcie-root-port", c.ROOT_PORT, _PORT, True, True, (0, 0), _ONE,
                    ("chassis", "port", "hotplug", "memReserve"), ("pcie-root-port", "ioh3420")),
    ControllerModel("pcie-switch-upstream-port", c.UPSTREAM_PORT, c.DOWNSTREAM_PORT, False, False, (0, 31), "",
                    (), ("x3130-upstream",)),
    ControllerModel("pcie-switch-downstream-port", c.DOWNSTREAM_PORT, _PORT, True, True, (0, 0), _ONE,
                    ("chassis", "port", "hotplug"), ("xio3130-downstream",)),
    ControllerModel("pcie-expander-bus", c.EXPRESS_EXPANDER, c.ROOT_PORT | c.DMI_BRIDGE, False, False, (0, 31), "",
                    ("busNr", "node"), ("pxb-pcie",)),
)
# fmt: on

PCI_CONTROLLERS = MappingProxyType({row.name: row for row in _ROWS})
HOST_BRIDGE = ControllerModel("pci-root", 0, _CONVENTIONAL | c.EXPANDER, True, True, (1, 31), _ROOT,
                              ("index", "node", "hotplug"), ("spapr-pci-host-bridge",))  # fmt: skip
"""What pci-root is on a machine that may have many of them."""


def pci_controller(model: str, *, host_bridges: bool) -> ControllerModel:
    """Return the row of a model on a machine that may have many host bridges, or one root bus."""
    return HOST_BRIDGE if host_bridges and model == HOST_BRIDGE.name else PCI_CONTROLLERS[model]


SOCKETS = MappingProxyType({row.name: (row.automatic_socket, row.explicit_socket, row.slot_mask) for row in _ROWS})
"""For each model what automatic placement and what a written address may put on its bus, and its usable slots."""

EXPANDERS = frozenset(row.name for row in _ROWS if row.is_expander)
"""Extra root buses."""
PORTS = frozenset(row.name for row in _ROWS if row.is_port)
SHPC_BRIDGES = frozenset(row.name for row in _ROWS if row.model_names and BRIDGES[row.model_names[0]].shpc)
"""Bridges with a hotplug controller of their own."""
GROWN = frozenset({"pcie-root-port", "pci-bridge", "pcie-to-pci-bridge"})
"""The controllers that libvirt adds by itself."""
PACKED_WITH = (
    "pcie-root-port", "pcie-to-pci-bridge", "pci-bridge", "pcie-switch-upstream-port", "pcie-switch-downstream-port",
    "dmi-to-pci-bridge",
)  # fmt: skip
"""What packing adds, in the order in which a composition counts them."""
COMMON = ("pcie-root-port", "pci-bridge")
"""The models that are meant more often than others."""
LED_TO_BY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "pcie-to-pci-bridge": ("pcie-root-port",),
        "pcie-switch-upstream-port": ("pcie-root-port",),
        "pcie-switch-downstream-port": ("pcie-root-port", "pcie-switch-upstream-port"),
        "pci-bridge": ("pcie-root-port", "pcie-to-pci-bridge"),
    }
)
"""Which controllers lead from the root of a PCI Express machine to one."""
ROOT_MODELS = frozenset(row.name for row in _ROWS if not row.plug)

EXPANDER_BUSES = MappingProxyType(
    {"i440fx": "pci-expander-bus", "q35": "pcie-expander-bus", "arm-virt": "pcie-expander-bus"}
)
"""The expander of each family of machines that has one (libvirt rule 7.4)."""
MODEL_NAMES = frozenset(name for row in _ROWS for name in row.model_names) | {"spapr-pci-host-bridge", "pnv-phb"}
"""Every word that libvirt knows for `<model name=>` of a PCI controller (the last two are POWER's)."""

FILLED_IN = ("chassisNr", "chassis", "port", "busNr")
"""Options that libvirt fills in where a definition leaves them out (libvirt rule 7.2)."""

TARGET_RANGES = MappingProxyType(
    {"chassisNr": (1, 255), "chassis": (0, 255), "port": (0, 255), "busNr": (1, 254), "index": (0, 30)}
)

EMULATOR_TAKES_NO_HOTPLUG = frozenset({"pci-expander-bus"})
"""Buses that libvirt takes for hot-pluggable and QEMU does not (QEMU rule 4.1)."""

MAX_INDEX = 255
"""The highest index of a PCI controller: a bus number has eight bits."""

MOST_HOST_BRIDGES = 31
"""They are numbered from 0; libvirt also gives out the number after the last one, and refuses it then."""

FIRST_BUS_NR = 256
"""Expanders without a `busNr` count down from here, or from the lowest one given, by two."""
