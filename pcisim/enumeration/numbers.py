"""Bus numbers: which number each bridge's bus gets, and how far its range goes.

Depth first, on each bus by slot and function: a bridge gets the next number, then everything below
it, then its next sibling.  SeaBIOS and OVMF agree, and Linux keeps what they gave.
"""

from __future__ import annotations

from pcisim.enumeration.hardware import Hardware, Part, PciBus
from pcisim.enumeration.view import Numbers


def number_buses(hardware: Hardware) -> dict[Part, Numbers]:
    """Return the numbers of every bridge."""
    numbers: dict[Part, Numbers] = {}
    _below(hardware.root, 0, 0, numbers)
    for bus in hardware.extra:
        _below(bus, bus.number, bus.number, numbers)
    return numbers


def _below(bus: PciBus, number: int, last: int, numbers: dict[Part, Numbers]) -> int:
    for part in bus.in_order():
        if part.behind is not None:
            secondary = last + 1
            last = _below(part.behind, secondary, secondary, numbers)
            last = max(last, secondary + int(part.options.get("bus-reserve", 0)))
            numbers[part] = Numbers(number, secondary, last)
    return last
