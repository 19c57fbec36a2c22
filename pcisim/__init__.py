"""Where every PCI device of a virtual machine will sit, and how much room is left."""

from __future__ import annotations

from pcisim.address import PciAddress
from pcisim.errors import PcisimError
from pcisim.guest import Guest
from pcisim.plan import Plan, assign, assign_xml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pcisim import fleet as fleet
    from pcisim.enumeration import enumerate_guest
    from pcisim.recommendation import recommend
    from pcisim.simulation import simulate_hotplug, simulate_qemu

__version__ = "0.1.0"
__all__ = [
    "Guest",
    "PciAddress",
    "PcisimError",
    "Plan",
    "assign",
    "assign_xml",
    "enumerate_guest",
    "recommend",
    "simulate_hotplug",
    "simulate_qemu",
]

_HOME = {
    "enumerate_guest": "enumeration",
    "recommend": "recommendation",
    "simulate_hotplug": "simulation",
    "simulate_qemu": "simulation",
}
"""What is loaded on first use, and from where."""


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "fleet":  # and numpy with it
        return import_module(f"{__name__}.fleet")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
