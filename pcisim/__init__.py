"""Where every PCI device of a virtual machine will sit, and how much room is left.

plan = pcisim.assign(xml)
plan.addresses, plan.explain("disk:vda"), plan.to_xml()
plan.capacity(), plan.max_count("virtio-blk"), plan.fits({"virtio-net": 3}, hotplug=True)
plan.check(), plan.guest(), plan.diff(other)
"""

from __future__ import annotations

from pcisim.address import PciAddress
from pcisim.errors import PcisimError
from pcisim.guest import Guest
from pcisim.plan import Plan, assign, assign_xml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pcisim import fleet as fleet
    from pcisim.diagnose import check, explain
    from pcisim.enumeration import enumerate_guest
    from pcisim.recommendation import recommend
    from pcisim.rewrite.keep import keep
    from pcisim.rewrite.reassign import reassign
    from pcisim.simulation import simulate_hotplug, simulate_qemu

__version__ = "0.1.0"
__all__ = [
    "Guest",
    "PciAddress",
    "PcisimError",
    "Plan",
    "assign",
    "assign_xml",
    "check",
    "enumerate_guest",
    "explain",
    "keep",
    "reassign",
    "recommend",
    "simulate_hotplug",
    "simulate_qemu",
]

_HOME = {
    "check": "diagnose",
    "enumerate_guest": "enumeration",
    "explain": "diagnose",
    "keep": "rewrite.keep",
    "reassign": "rewrite.reassign",
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


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "fleet"} - {"annotations", "TYPE_CHECKING"})
