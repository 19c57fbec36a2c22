"""Fleets: against a copy of the result, libvirt's C loop and the scalar functions."""

from __future__ import annotations

import tracemalloc
from functools import partial
from random import Random

import attrs
import numpy as np
from numpy.typing import NDArray

import pcisim
from benchmarks.core_rows import Q35, core_seconds
from benchmarks.libvirt_core import Core
from benchmarks.measure import Ratio, costs, faster, in_turn, worked
from pcisim import fleet
from pcisim.capacity.max_count import how_many_more, how_many_more_packed
from pcisim.catalogue.versions import VERSIONS
from pcisim.dense.policy import DensePolicy
from pcisim.errors import RefusedError
from pcisim.fleet.arrays.plan import FleetPlan
from pcisim.guest import Guest

GUESTS = 1_000_000
FEW = ["virtio-blk", "virtio-net", "virtio-scsi", "virtio-rng", "virtio-serial", "vga"]
MANY = [
    "virtio-blk", "virtio-net", "virtio-scsi", "virtio-rng", "virtio-serial", "vhost-user-fs", "virtio-9p", "vfio-pci",
    "e1000e", "virtio-mem", "igb", "qemu-xhci",
]  # fmt: skip
MIXED = [
    "virtio-blk", "virtio-net", "virtio-scsi", "virtio-rng", "virtio-serial", "qxl", "e1000", "vfio-pci", "e1000e",
    "ac97", "rtl8139", "qemu-xhci",
]  # fmt: skip
DEVICES = 16
SAMPLE = 200


def counts(names: list[str], shapes: int, guests: int) -> NDArray[np.int64]:
    """Return guests of 16 devices in so many shapes."""
    rng = np.random.default_rng(1)
    kinds = len(names) - ("vga" in names)
    table = rng.multinomial(DEVICES - ("vga" in names), np.ones(kinds) / kinds, shapes)
    if "vga" in names:
        table = np.column_stack([table, np.ones(shapes, np.int64)])
    return np.ascontiguousarray(table[rng.integers(0, shapes, guests)])


def compare(machine: str, names: list[str], table: NDArray[np.int64], plan: FleetPlan) -> None:
    """Compare some guests with `pcisim.assign`."""
    for number in Random(2).sample(range(len(table)), min(SAMPLE, len(table))):
        guest = Guest.of(machine, dict(zip(names, table[number].tolist(), strict=True)))
        try:
            expected = [int(address) for address in pcisim.assign(guest).addresses.values()]
        except RefusedError:
            expected = []
        assert plan.row(number)[0].tolist() == expected, (number, table[number])


def rows(core: Core | None, rounds: int, guests: int = GUESTS) -> list[Ratio]:
    """Return the rows of `fleet.assign`, each after a look whether the answers are those of the scalar engine."""
    made = []
    for what, names, shapes, slower, above in (
        ("few shapes", FEW, 50, 15.0, 800.0),
        ("150,000 shapes of 12 kinds", MANY, 150_000, 60.0, 200.0),
        ("hardly any shape twice, 12 kinds, a third conventional", MIXED, guests, 60.0, 200.0),
    ):
        what = f"fleet.assign, {guests:,} guests x 16 devices, q35, {what}"
        table = counts(names, shapes, guests)
        plan = fleet.assign("q35", names, table)
        compare("q35", names, table, plan)
        places = round(len(plan.addresses) / guests)
        sides = [partial(_assigning, names, table), partial(_copying, plan)]
        if core is not None:
            sides.append(partial(_reserving, core, places))
        times = in_turn(rounds, *sides)
        made.append(costs(f"{what} / numpy.copyto of the result", slower, times[0], times[1]))
        if core is not None:
            each = [seconds / guests for seconds in times[0]]
            made.append(faster(f"{what}, a guest / libvirt's C loop for {places} places (9.0)", above, each, times[2]))
        made.append(_memory(what, names, table, plan.nbytes))
    return made


def _assigning(names: list[str], table: NDArray[np.int64]) -> float:
    return worked(lambda: fleet.assign("q35", names, table))


def _copying(plan: FleetPlan) -> float:
    arrays = [getattr(plan, field.name) for field in attrs.fields(type(plan))]
    copies = [np.zeros_like(array) for array in arrays]

    def copy() -> None:
        for to, array in zip(copies, arrays, strict=True):
            np.copyto(to, array)

    copy()  # the system gives the pages on the first touch
    return worked(copy)


def _reserving(core: Core, places: int) -> float:
    return places * core_seconds(core, Q35[: places + 1], places)


def _memory(what: str, names: list[str], table: NDArray[np.int64], size: int) -> Ratio:
    tracemalloc.start()
    fleet.assign("q35", names, table)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return Ratio(f"{what}: peak memory / the arrays", peak / size, 1.5, True, _bytes(peak), _bytes(size), 1)


def _bytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


def packed_capacity_row(rounds: int, guests: int = GUESTS) -> Ratio:
    """Return what `fleet.capacity` costs with `dense`, compared with libvirt's policy."""
    table = counts(MIXED, guests, guests)
    own = Guest.of("q35", dict(zip(MIXED, table[0].tolist(), strict=True)))
    expected = how_many_more_packed(own, "virtio-net", DensePolicy(VERSIONS["12.9"], firmware="none")).most
    assert fleet.capacity("q35", MIXED, table[:1], "virtio-net", policy="dense").cold.tolist() == [expected]
    ours, theirs = in_turn(
        rounds,
        lambda: worked(lambda: fleet.capacity("q35", MIXED, table, "virtio-net", policy="dense")),
        lambda: worked(lambda: fleet.capacity("q35", MIXED, table, "virtio-net")),
    )
    return costs(f'fleet.capacity(policy="dense"), {guests:,} guests, hardly any twice / "libvirt"', 3.0, ours, theirs)


def capacity_row(rounds: int, guests: int = GUESTS) -> Ratio:
    """Return how much faster `fleet.capacity` is than the scalar function, a guest."""
    table = counts(MIXED, guests, guests)
    own = table[:20].tolist()
    rules = VERSIONS["11.3"]
    described = [Guest.of("q35", dict(zip(MIXED, row, strict=True))) for row in own]
    expected = [how_many_more(guest, "virtio-net", rules).most for guest in described]
    assert fleet.capacity("q35", MIXED, table, "virtio-net").cold[:20].tolist() == expected
    ours, theirs = in_turn(
        rounds,
        lambda: worked(lambda: fleet.capacity("q35", MIXED, table, "virtio-net")) / guests,
        lambda: worked(lambda: [how_many_more(guest, "virtio-net", rules) for guest in described]) / len(own),
    )
    return faster(f"fleet.capacity, {guests:,} guests, hardly any twice, a guest / how_many_more", 50, ours, theirs)
