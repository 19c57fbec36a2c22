"""Rules about buses: their order, their numbers, how deep they nest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pcisim.catalogue.controllers import EXPANDERS, PCI_CONTROLLERS
from pcisim.diagnose.finding import Finding
from pcisim.diagnose.view import PlacedView, found, line_of
from pcisim.guest import NO_RAM, Controller

NUMBERS = 256
HIGHEST_BUS_NR = 254
"""The highest busNr that libvirt takes."""
DEEPEST = 48
"""The most bridges between the root and the bus of a device: QEMU's name for it, five characters a
bridge, has to stay below 256."""


def controller_order(view: PlacedView) -> Iterator[Finding]:
    """Find controllers that QEMU would make before the bus they sit on, and circles of them."""
    if view.circle:
        circle = [b for index, b in view.bridges.items() if index in view.circle]
        yield found(
            "controller-circle",
            f"{', '.join(b.label for b in circle)} sit on each other's buses: no way leads to the root bus",
            circle,
            "QEMU does not start: the first of them is on a bus that is not there yet",
            remedy=f"write the bus of a controller that leads to the root, and comes earlier, in {circle[0].label}",
        )
    made = {0}
    for index, bridge in view.bridges.items():
        made.add(index)
        parent = view.parent(index)
        if parent in made or index in view.circle or parent not in view.bridges:
            continue
        other = view.bridges[parent]
        yield found(
            "bus-before-controller",
            f"{bridge.label} comes before {other.label}, whose bus it sits on",
            (bridge, other),
            f"QEMU makes the controllers in order and does not start: Bus 'pci.{parent}' not found",
            f"{other.label} is a {other.model}{line_of(other)}",
            remedy=_reordered(bridge, other),
        )


def _reordered(bridge: Controller, other: Controller) -> str:
    """Return how to get a controller before the one on its bus."""
    text = f"model='{other.model}'/>"
    if (other.index or 0) < (bridge.index or 0):  # libvirt 9.0 puts the controllers that it adds last
        return f"list <controller type='pci' index='{other.index}' {text} before {bridge.label}"
    if other.origin is None:
        return f"add <controller type='pci' index='{bridge.index}' {text}, and give {bridge.label} a higher index"
    return f"let {bridge.label} and {other.label} change their indexes, in the addresses that name their buses too"


def depth(view: PlacedView) -> Iterator[Finding]:
    """Find devices too deep for QEMU."""
    reported: set[int] = set()
    for device, packed in view.addresses.items():
        bus = packed >> 8
        if (view.depth(bus) or 0) == DEEPEST + 1 and bus not in reported:
            reported.add(bus)
            yield found(
                "bridge-depth",
                f"{device.label} is behind {DEEPEST + 1} bridges, one more than QEMU has names for",
                (device,),
                "QEMU does not start: Path too long for VMState",
                remedy=f"put {device.label} on a bus nearer to the root",
            )


def switched_off(view: PlacedView) -> Iterator[Finding]:
    """Find devices behind ports that Linux switches off, for want of ACPI (firmware rule 1.6)."""
    guest = view.guest
    if guest.acpi or guest.machine.family != "q35":
        return
    from pcisim.enumeration import enumerate_guest  # 20 ms, so not before it is needed

    seen = enumerate_guest(view.placement, guest.firmware, ram=NO_RAM)
    off = {function.label for function in seen.functions if function.off}
    lost = [d for d in view.addresses if d.label in off and d not in view.bridges.values()]
    labels = ", ".join(d.label for d in lost)
    if lost:
        yield found(
            "switched-off",
            f"{labels} {'are' if len(lost) > 1 else 'is'} behind ports that Linux switches off",
            lost,
            "without ACPI tables it asks the ports of q35 whether their slots are in use, and they do not say so",
            remedy="add <features><acpi/></features>",
        )


class _Run(NamedTuple):
    """Bus numbers that one root takes: its own first, then those of the bridges below."""

    controller: Controller | None
    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length


def numbers(view: PlacedView) -> Iterator[Finding]:
    """Find runs of bus numbers that run into each other, or past 255."""
    main = _Run(None, 0, 1 + view.numbers_below(0))
    expanders = [b for b in view.bridges.values() if b.model in EXPANDERS and view.is_seen(b)]
    by_number: dict[int, Controller] = {}
    runs = []
    twice = False
    for expander in expanders:
        number: int = expander.target["busNr"]
        if by_number.setdefault(number, expander) is expander:
            own = PCI_CONTROLLERS[expander.model].own_bus_numbers
            runs.append(_Run(expander, number, own + view.numbers_below(expander.index or 0)))
            continue
        twice = True
        other = by_number[number]
        yield found(
            "duplicate-bus-nr",
            f"{expander.label} and {other.label} have one busNr, {number}",
            (expander, other),
            f"QEMU does not start: Bus {number} is already in use",
            remedy=_layout(view, main.length, expanders),
        )
    if not twice:
        yield from _collisions(view, [main, *sorted(runs, key=lambda run: run.start)], expanders)


def _collisions(view: PlacedView, runs: list[_Run], expanders: list[Controller]) -> Iterator[Finding]:
    remedy = _layout(view, runs[0].length, expanders)
    overlap = "bus-numbers-no-boot" if view.guest.firmware == "ovmf" else "bus-numbers-overlap"
    for run, following in zip(runs, [*runs[1:], None]):
        limit = NUMBERS if following is None else following.start
        if run.end <= limit:
            continue
        if run.controller is None:
            who = f"the root bus and the buses below it take {run.length} bus numbers"
        else:
            who = f"{run.controller.label} with busNr {run.start} takes {run.length} bus numbers, up to {run.end - 1}"
        if following is None or following.controller is None:
            yield found(
                "too-many-buses",
                f"{who}, but 255 is the highest",
                () if run.controller is None else (run.controller,),
                "the firmware counts on from 0 and never gets to boot",
                remedy=remedy,
            )
            continue
        other = following.controller
        yield found(
            overlap,
            f"{who}, but {other.label} begins at {following.start}",
            (other,) if run.controller is None else (run.controller, other),
            "OVMF did not get to boot" if overlap == "bus-numbers-no-boot" else "devices behind the later one are lost",
            remedy=remedy,
        )


def _layout(view: PlacedView, main: int, expanders: list[Controller]) -> str:
    """Return the bus numbers to write, so that every run has room."""
    numbers = bus_numbers(view, main, expanders)
    if not numbers:
        return "take buses away: the guest has more than there are numbers"
    return "write " + ", ".join(f"<target busNr='{number}'/> in {label}" for label, number in numbers.items())


def bus_numbers(view: PlacedView, main: int, expanders: list[Controller]) -> dict[str, int]:
    """Return a busNr for each expander that needs another one; nothing when there is no room for all."""
    for kept in (True, False):
        limit = NUMBERS
        numbers: dict[str, int] = {}
        for expander in sorted(expanders, key=lambda b: (-b.target["busNr"], b.index or 0)):
            own = PCI_CONTROLLERS[expander.model].own_bus_numbers
            limit -= own + view.numbers_below(expander.index or 0)
            limit = min(limit, expander.target["busNr"] if kept else HIGHEST_BUS_NR)
            numbers[expander.label] = limit
        if limit >= main:
            return {b.label: numbers[b.label] for b in expanders if numbers[b.label] != b.target["busNr"]}
    return {}


def filled_gaps(view: PlacedView) -> Iterator[Finding]:
    """Find controllers that libvirt adds since indexes have gaps."""
    added = set(view.placement.added)
    written = [d.index or 0 for d in view.guest.controllers if d.is_pci and d not in added]
    highest = max(written, default=0)
    gaps = [d for d in view.placement.added if (d.index or 0) < highest]
    if gaps:
        top = next(d for d in view.guest.controllers if d.is_pci and d.index == highest)
        models = ", ".join(f"{d.label} ({d.model})" for d in gaps)
        yield found(
            "controllers-filled",
            f"libvirt adds {models}, since {top.label} has a higher index",
            (top, *gaps),
            remedy="nothing, or number the controllers without gaps",
        )


BUS_RULES = (controller_order, depth, numbers, filled_gaps)
