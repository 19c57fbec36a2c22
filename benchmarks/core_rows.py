"""One reservation: pcisim's engine against libvirt's C loop, packed numbers on both sides."""

from __future__ import annotations

import statistics
import time

from benchmarks import libvirt_core
from benchmarks.libvirt_core import Core
from benchmarks.measure import Ratio, costs, faster, in_turn
from pcisim import connector as c
from pcisim.catalogue.controllers import PCI_CONTROLLERS
from pcisim.topology import Topology

PC, Q35 = ["pci-root", *["pci-bridge"] * 240], ["pcie-root", *["pcie-root-port"] * 240]
LOOPS = (
    ("pc, 30 devices", PC[:2], 30, 1.5),
    ("pc, 250 devices", PC[:10], 250, 8.0),
    ("pc, 7,000 devices", PC, 7000, 200.0),
    ("q35, 30 devices on ports", Q35[:31], 30, 8.0),
    ("q35, 224 devices on ports", Q35[:225], 224, 50.0),
)
"""What, the buses, how many places, the target."""
RESERVATIONS = 3000
"""About so many in a round."""


def topology(models: list[str]) -> Topology:
    """Return empty buses."""
    made = Topology()
    for model in models:
        made.add_bus(PCI_CONTROLLERS[model])
    return made


def places(models: list[str], count: int) -> tuple[float, list[int]]:
    """Reserve places for numbers, one after the other, and return the seconds and the packed addresses."""
    own = topology(models)
    addresses: dict[int, int] = {}
    plug = c.EXPRESS if models[0] == "pcie-root" else c.CONVENTIONAL
    owners = range(count)
    begin = time.perf_counter()
    own.allocate_all(plug, owners, addresses)  # type: ignore[arg-type]
    return time.perf_counter() - begin, list(addresses.values())


def seconds(models: list[str], count: int) -> float:
    """Return the seconds of a place: the median of some runs."""
    runs = max(RESERVATIONS // count, 3)
    return statistics.median(places(models, count)[0] for _ in range(runs)) / count


def core_seconds(core: Core, models: list[str], count: int) -> float:
    """Return the seconds of a place of libvirt's."""
    plug = libvirt_core.EXPRESS if models[0] == "pcie-root" else libvirt_core.CONVENTIONAL
    return core.seconds(models, plug, count, 1 if count > RESERVATIONS else max(RESERVATIONS // count, 3))


def rows(core: Core, rounds: int) -> list[Ratio]:
    """Return a row for each loop, after a look whether the answers are the same."""
    table = []
    for what, models, count, target in LOOPS:
        plug = libvirt_core.EXPRESS if models[0] == "pcie-root" else libvirt_core.CONVENTIONAL
        assert core.run(models, plug, count)[2] == places(models, count)[1], what
        ours, theirs = in_turn(
            rounds,
            lambda models=models, count=count: seconds(models, count),  # type: ignore[misc]
            lambda models=models, count=count: core_seconds(core, models, count),  # type: ignore[misc]
        )
        table.append(faster(f"one reservation, {what} / libvirt's C loop (9.0)", target, ours, theirs))
    return table


def growth(rounds: int) -> Ratio:
    """Return the cost of an address among 7,000 against one among 30."""
    many, few = in_turn(rounds, lambda: seconds(PC, 7000), lambda: seconds(PC[:2], 30))
    return costs("an address on pc: among 7,000 devices / among 30", 1.3, many, few)
