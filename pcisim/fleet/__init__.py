"""Many guests at once: arrays in, arrays out, the same answers as `pcisim.assign`, guest by guest.

    plan = fleet.assign("q35", ["virtio-blk", "virtio-net"], [[2, 1], [20, 4]])
    plan.fits, plan.addresses, plan.owners, plan.offsets
    fleet.capacity("q35", ["virtio-blk", "virtio-net"], [[2, 1], [20, 4]], of="virtio-net").hot

The names are loaded when they are used, and numpy with them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pcisim.fleet.arrays.headroom import FleetCapacity as FleetCapacity
    from pcisim.fleet.arrays.headroom import capacity as capacity
    from pcisim.fleet.arrays.owners import OWNERS as OWNERS
    from pcisim.fleet.arrays.plan import FleetPlan as FleetPlan
    from pcisim.fleet.arrays.plan import assign as assign

_MODULES = {
    "FleetCapacity": "headroom",
    "FleetPlan": "plan",
    "OWNERS": "owners",
    "assign": "plan",
    "capacity": "headroom",
}
__all__ = ["FleetCapacity", "FleetPlan", "OWNERS", "assign", "capacity"]


def __getattr__(name: str) -> object:
    """Load a public name."""
    if name in _MODULES:
        from importlib import import_module

        return getattr(import_module(f"pcisim.fleet.arrays.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
