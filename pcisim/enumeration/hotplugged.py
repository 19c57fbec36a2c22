"""What a running Linux guest sees of a device that is plugged in.

Source: firmware rule 7.1.
"""

from __future__ import annotations

from collections.abc import Container

from pcisim.catalogue.bridges import PORT
from pcisim.qemu.functions import QemuFunction


def appears(part: QemuFunction, booted_with: Container[QemuFunction], *, native: bool) -> tuple[bool | None, str]:
    """Return whether a guest finds a function that was just plugged in, and why not; ``None`` when that is not known.

    Args:
        part: the function, in its place.
        booted_with: every function that the guest found when it booted.
        native: whether the hotplug controller of a conventional bridge has to tell the guest, for
            which it needs a driver, rather than ACPI or a port.
    """
    bridge = part.bus.parent
    if bridge is not None and bridge not in booted_with:
        if bridge.configured is None and bridge.label is None:
            return False, "the bridge above it is not there for the guest"
        return False, f"{bridge.label} was not there when the guest booted: the bus behind it has no number to spare"
    if part.bus.kind == PORT and part.slot:
        return False, f"behind a port only slot 0 is looked at, not slot {part.slot:#x}"
    if part.function and part.slot << 3 not in part.bus.parts:
        return False, f"not before function 0 of slot {part.slot:#x} is plugged in: that has to come last"
    if native:
        return None, "only in a guest that has a driver for the bridge's hotplug controller (SHPC)"
    return True, ""
