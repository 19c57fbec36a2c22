"""Many guests at once: arrays in, arrays out, the same answers as `pcisim.assign`, guest by guest."""

from pcisim.fleet.assign import FleetPlan, assign
from pcisim.fleet.capacity import FleetCapacity, capacity
from pcisim.fleet.owners import OWNERS

__all__ = ["FleetCapacity", "FleetPlan", "OWNERS", "assign", "capacity"]
