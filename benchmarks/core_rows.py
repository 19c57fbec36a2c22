"""One reservation: pcisim's engine against libvirt's C loop, packed numbers on both sides."""

from __future__ import annotations

import statistics
from functools import partial

from benchmarks import libvirt_core
from benchmarks.libvirt_core import Core
from benchmarks.measure import Ratio, costs, faster, in_turn, processor_time
from pcisim.catalogue import connectors as c
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


def places(models: list[str], count: int, *, at_once: bool = False) -> tuple[float, list[int]]:
    """Reserve places for numbers, and return the seconds and the packed addresses.

    Args:
        models: the models of the buses.
        count: how many places.
        at_once: whether all are asked for in one call, as the policies do for devices of one kind.
    """
    own = topology(models)
    plug = c.EXPRESS if models[0] == "pcie-root" else c.CONVENTIONAL
    allocate, owners = own.allocate, range(count)
    if at_once:
        addresses: dict[int, int] = {}
        begin = processor_time()
        own.allocate_all(plug, owners, addresses)  # type: ignore[arg-type]
        return processor_time() - begin, list(addresses.values())
    begin = processor_time()
    packed = [allocate(plug, owner) for owner in owners]  # type: ignore[arg-type]
    end = processor_time()
    return end - begin, [address for address in packed if address is not None]


def seconds(models: list[str], count: int, at_once: bool = False) -> float:
    """Return the seconds of a place: the median of some runs."""
    runs = max(RESERVATIONS // count, 3)
    return statistics.median(places(models, count, at_once=at_once)[0] for _ in range(runs)) / count


def core_seconds(core: Core, models: list[str], count: int) -> float:
    """Return the seconds of a place of libvirt's."""
    plug = libvirt_core.EXPRESS if models[0] == "pcie-root" else libvirt_core.CONVENTIONAL
    return core.seconds(models, plug, count, 1 if count > RESERVATIONS else max(RESERVATIONS // count, 3))


def rows(core: Core, rounds: int) -> list[Ratio]:
    """Return the rows of each loop, after a look whether the answers are the same."""
    table = []
    for what, models, count, target in LOOPS:
        plug = libvirt_core.EXPRESS if models[0] == "pcie-root" else libvirt_core.CONVENTIONAL
        answer = core.run(models, plug, count)[2]
        assert answer == places(models, count)[1] == places(models, count, at_once=True)[1], what
        one, many, theirs = in_turn(
            rounds,
            partial(seconds, models, count),
            partial(seconds, models, count, True),
            partial(core_seconds, core, models, count),
        )
        table.append(faster(f"one reservation, {what} / libvirt's C loop (9.0)", target, one, theirs))
        table.append(faster(f"one of a run of reservations, {what} / libvirt's C loop (9.0)", target, many, theirs))
    return table


def growth(rounds: int) -> list[Ratio]:
    """Return the cost of an address among 7,000 against one among 30."""
    return [
        costs(
            f"{what} on pc: among 7,000 devices / among 30",
            1.3,
            *in_turn(rounds, partial(seconds, PC, 7000, at_once), partial(seconds, PC[:2], 30, at_once)),
        )
        for what, at_once in (("an address", False), ("an address of a run", True))
    ]
