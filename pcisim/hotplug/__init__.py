"""Attach and detach: what a running guest answers, and what its stored definition does.

The two follow different rules.  A *running* guest takes a device only at function 0 of an empty slot of a
bus that takes hotplug, and nothing is added for it.  An attach to the *stored* definition reads the whole
definition anew: a placing like any other, which grows, ignores hotplug and takes any function.
"""

from pcisim.hotplug.running import ABSENT, PLUGGED, TRANSITIONS, UNPLUGGING, Event, RunningGuest
from pcisim.hotplug.stored import attach_config

__all__ = [
    "ABSENT",
    "PLUGGED",
    "TRANSITIONS",
    "UNPLUGGING",
    "Event",
    "RunningGuest",
    "attach_config",
]
