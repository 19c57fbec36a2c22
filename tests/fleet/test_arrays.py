"""Fleets: the same answers as the scalar engine, guest by guest."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from random import Random
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pcisim import fleet
from pcisim.address import format_packed
from pcisim.catalogue.controllers import PCI_CONTROLLERS
from pcisim.catalogue.devices import DEVICE_MODELS
from pcisim.errors import PcisimError, UsageError
from pcisim.fleet.arrays import distinct, request
from tests.fleet_model import fleet_row, random_counts, scalar_cold, scalar_hot, scalar_row

SWEEP = int(os.environ.get("PCISIM_FLEET_SWEEP", "400"))
"""Guests a machine in the seeded sweeps; 20000 is thorough, and takes a quarter of an hour."""
NAMES = list(DEVICE_MODELS)
SCALES = (1, 2, 4, 8, 30, 100, 300, 1000)


def check(machine: str | Sequence[str], names: list[str], counts: NDArray[np.integer]) -> int:
    """Compare a fleet with the scalar engine, and return how many guests were refused."""
    plan = fleet.assign(machine, names, counts)
    refused = 0
    assert len(plan) == len(counts)
    for number, row in enumerate(counts.tolist()):
        own = machine if isinstance(machine, str) else machine[number]
        expected = scalar_row(own, names, row)
        assert fleet_row(plan, number) == expected, f"{own}, {dict(zip(names, row, strict=True))}"
        refused += expected is None
    return refused


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_sweep(machine: str) -> None:
    random = Random(f"fleet {machine}")
    done = refused = 0
    while done < SWEEP:
        names = random.sample(NAMES, random.randint(1, 14))
        counts = random_counts(random, names, 20, random.choice(SCALES))
        refused += check(machine, names, counts)
        done += len(counts)
    assert 0.02 < refused / done < 0.6


@given(
    st.sampled_from(["pc", "q35", "pc-q35-9.2", "rhel6.6.0"]),
    st.dictionaries(st.sampled_from(NAMES), st.integers(0, 5), max_size=12),
    st.sampled_from(["virtio-blk", "e1000", "virtio-rng", "acpi-erst", "ac97"]),
    st.integers(0, 400),
)
def test_any_guest(machine: str, counts: dict[str, int], many: str, how_many: int) -> None:
    counts[many] = how_many
    check(machine, list(counts), np.array([list(counts.values())]))


@pytest.mark.parametrize(
    ("machine", "device", "highest"), [("pc", "virtio-blk", 960), ("q35", "virtio-blk", 260), ("q35", "e1000", 990)]
)
def test_holes_of_one_device(machine: str, device: str, highest: int) -> None:
    """libvirt's answer is not monotonic: every count around the edges of every hole."""
    counts = np.arange(highest)[:, None]
    plan = fleet.assign(machine, [device], counts)
    edges = np.flatnonzero(np.diff(plan.fits.astype(int)))
    assert len(edges) == (1 if device == "virtio-blk" and machine == "q35" else 59)
    near = sorted({int(n) for edge in edges for n in (edge, edge + 1)})
    assert check(machine, [device], counts[near]) == len(near) // 2 + (len(near) % 2 > 0) * 0


def test_holes_of_pc_are_those_that_live_libvirt_has() -> None:
    fits = fleet.assign("pc", ["virtio-blk"], np.arange(1000)[:, None]).fits
    for low, high in ((59, 59), (89, 90), (119, 121), (299, 307), (899, 927), (929, 999)):
        assert not fits[low : high + 1].any()
        assert fits[low - 1]
        assert high == 999 or fits[high + 1]


def test_machines_of_each_guest() -> None:
    random = Random(7)
    names = ["e1000", "virtio-blk", "ich9-ahci", "lsi", "vga", "ich9-intel-hda", "qemu-xhci", "virtio-scsi"]
    machines = [random.choice(["pc", "q35", "pc-i440fx-9.2", "pc-q35-3.0"]) for _ in range(300)]
    check(machines, names, random_counts(random, names, 300, 40))
    check(np.array(machines), names, random_counts(random, names, 300, 4))  # type: ignore[arg-type]


def test_controllers_come_in_the_order_of_their_first() -> None:
    """The columns of SCSI controllers stand apart here, so that their place depends on which of them are 0."""
    names = ["lsi", "virtio-serial", "virtio-scsi", "qemu-xhci", "pvscsi", "ich9-ahci", "usb-ehci"]
    assert check("q35", names, random_counts(Random(1), names, 200, 3)) == 0
    assert check("pc", names, random_counts(Random(2), names, 200, 3)) == 0


@pytest.mark.parametrize("block", [1, 7, 64])
def test_blocks_do_not_show(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pcisim.fleet.arrays.place.BLOCK", block)
    monkeypatch.setattr("pcisim.fleet.arrays.distinct._BLOCK", block)
    names = ["virtio-blk", "e1000", "vga", "virtio-scsi", "lsi", "vhost-vsock"]
    counts = random_counts(Random(block), names, 150, 60)
    check(["pc", "q35", "q35"] * 50, names, counts)
    check("q35", names, np.repeat(counts[:20], 10, axis=0))


def test_guests_that_are_alike_and_guests_that_are_not() -> None:
    random = Random(3)
    names = random.sample(NAMES, 30)
    counts = random_counts(random, names, 40, 6)
    once = fleet.assign("q35", names, counts)
    kinds = np.array([random.randrange(40) for _ in range(1000)])
    often = fleet.assign("q35", names, counts[kinds])
    for number, kind in enumerate(kinds.tolist()):
        assert fleet_row(often, number) == fleet_row(once, kind)


@pytest.mark.parametrize("guests", [0, 1, 3, 1023, 1024, 5000])
def test_distinct_guests(guests: int) -> None:
    """Also where the counts of a guest do not fit into one number, and where they are cut off."""
    rng = np.random.default_rng(guests)
    names = NAMES[:30]
    counts = rng.integers(0, 2, (max(guests // 8, 1), 30)) * rng.choice([1, 3, 4000, 1 << 40], 30)
    counts = counts[rng.integers(0, len(counts), guests)]
    machines = ["pc" if n % 2 else "q35" for n in range(guests)]
    asked = request.Fleet.of(machines, names, counts)
    few, kinds = distinct.distinct(asked)
    if kinds is None:
        assert few is asked
        assert guests < 5
        return
    keyed = np.column_stack([asked.families, request.capped(counts)])
    assert np.array_equal(np.column_stack([few.families, request.capped(few.table)])[kinds], keyed)
    assert len(few) == len(np.unique(keyed, axis=0))


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int32, np.uint64, np.int64])
def test_any_kind_of_whole_number(kind: type[np.integer[Any]]) -> None:
    names = ["virtio-blk", "virtio-net", "vga"]
    counts = np.array([[3, 2, 1], [100, 100, 1], [0, 0, 0], [3, 2, 1]])
    expected = fleet.assign("q35", names, counts)
    for own in (counts.astype(kind), np.asfortranarray(counts.astype(kind)), counts.astype(kind)[::-1][::-1]):
        plan = fleet.assign("q35", names, own)
        assert np.array_equal(plan.addresses, expected.addresses)
        assert np.array_equal(plan.offsets, expected.offsets)


def test_huge_counts_do_not_fit() -> None:
    most = np.iinfo(np.uint64).max
    plan = fleet.assign("pc", ["virtio-blk", "virtio-net"], np.array([[most, most], [1, 1]], np.uint64))
    assert plan.fits.tolist() == [False, True]
    assert fleet.capacity("pc", ["virtio-blk"], [[1 << 62]], "virtio-net").cold.tolist() == [-1]


@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize(("guests", "devices"), [(0, 0), (0, 2), (3, 0)])
def test_empty_fleets(machine: str, guests: int, devices: int) -> None:
    names = NAMES[:devices]
    plan = fleet.assign(machine, names, np.zeros((guests, devices), int))
    assert len(plan) == guests
    assert plan.offsets.tolist() == [n * int(plan.offsets[-1]) // max(guests, 1) for n in range(guests + 1)]
    check(machine, names, np.zeros((guests, devices), int))
    room = fleet.capacity(machine, names, np.zeros((guests, devices), int), "virtio-blk")
    assert room.cold.tolist() == [928 if machine == "pc" else 237] * guests
    assert fleet.assign(machine, names, []).fits.shape == (0,)


def test_plan_has_what_its_documentation_says() -> None:
    plan = fleet.assign("q35", ["virtio-blk", "vga"], [[2, 1], [0, 0], [300, 0]])
    assert plan.fits.tolist() == [True, True, False]
    assert {name: getattr(plan, name).dtype.name for name in attrs.fields_dict(fleet.FleetPlan)} == {
        "fits": "bool",
        "addresses": "uint16",
        "owners": "uint8",
        "offsets": "int64",
        "buses": "int16",
        "ports": "int16",
        "free_cold": "int16",
        "free_hot": "int16",
    }
    assert plan.offsets.tolist() == [0, 11, 17, 17]
    addresses, owners = plan.row(0)
    assert [f"{format_packed(a)} {fleet.OWNERS[o]}" for a, o in zip(addresses.tolist(), owners.tolist())] == [
        "0000:01:00.0 qemu-xhci",
        "0000:00:1f.2 ich9-ahci",
        "0000:00:02.0 pcie-root-port",
        "0000:00:02.1 pcie-root-port",
        "0000:00:02.2 pcie-root-port",
        "0000:00:02.3 pcie-root-port",
        "0000:00:02.4 pcie-root-port",
        "0000:02:00.0 virtio-blk",
        "0000:03:00.0 virtio-blk",
        "0000:00:01.0 vga",
        "0000:04:00.0 virtio-balloon",
    ]
    assert plan.buses.tolist() == [6, 4, 0]
    assert plan.ports.tolist() == [5, 3, 0]
    assert plan.free_cold.tolist() == [[29, 0], [30, 0], [0, 0]]
    assert plan.free_hot.tolist() == [[1, 0], [1, 0], [0, 0]]
    assert plan.nbytes == 3 + 17 * 3 + 4 * 8 + 2 * 3 * 2 + 2 * 3 * 4


def test_every_owner_has_a_code() -> None:
    assert len(set(fleet.OWNERS)) == len(fleet.OWNERS) < 256
    assert set(fleet.OWNERS) == set(DEVICE_MODELS) | {row.name for row in PCI_CONTROLLERS.values() if row.plug}


# capacity


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_capacity_of_any_device(machine: str) -> None:
    """Asked of guests that have some of it and of guests that have not."""
    random = Random(f"capacity {machine}")
    for _ in range(1 + SWEEP // 100):
        of = random.choice(NAMES)
        names = [of, *random.sample([name for name in NAMES if name != of], 5)][random.randrange(2) :]
        counts = random_counts(random, names, 2, random.choice([2, 30, 100]))
        room = fleet.capacity(machine, names, counts, of)
        assert room.cold.dtype == room.hot.dtype == np.int32
        expected = [scalar_cold(machine, names, row, of) for row in counts.tolist()]
        assert room.cold.tolist() == expected, f"{of} beside {names}: {counts.tolist()}"


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_capacity_of_a_running_guest(machine: str) -> None:
    random = Random(f"hot {machine}")
    most = 6
    for of in NAMES:
        names = random.sample([name for name in NAMES if name != "igb"], 6)
        counts = random_counts(random, names, 1, random.choice([2, 30]))
        room = fleet.capacity(machine, names, counts, of)
        if machine == "pc" and of == "igb":
            continue
        expected = scalar_hot(machine, names, counts[0].tolist(), of, most)
        assert min(int(room.hot[0]), most) == expected, f"{of} beside {names}: {counts.tolist()}"


@settings(max_examples=25)
@given(
    st.sampled_from(["pc", "q35"]),
    st.sampled_from(["virtio-blk", "e1000", "virtio-net", "qxl", "pvpanic", "virtio-iommu", "acpi-erst"]),
    st.sampled_from(["virtio-blk", "e1000", "virtio-balloon", "pvpanic", "vga", "acpi-erst", "ich9-intel-hda", "qxl"]),
    st.sampled_from([0, 1, 2, 5, 26, 27, 28, 29, 30, 31, 32, 58, 59, 60, 61, 62, 63, 92, 93, 94, 200, 230, 235, 237]),
    st.integers(0, 2),
)
def test_capacity_around_the_edges(machine: str, device: str, of: str, count: int, more: int) -> None:
    names = ["e1000e" if device != "e1000e" else "igb", device, "virtio-rng"]
    row = [more, count if device not in ("pvpanic", "virtio-iommu", "acpi-erst") else count % 2, count // 2]
    cold = fleet.capacity(machine, names, [row], of).cold
    assert cold.tolist() == [scalar_cold(machine, names, row, of)], f"{names} {row}"


def test_capacity_of_guests_that_are_alike_and_of_two_machines() -> None:
    names = ["virtio-blk", "e1000"]
    counts = np.array([[n % 3 * 7, n % 2] for n in range(3000)])
    machines = ["pc" if n % 5 else "q35" for n in range(3000)]
    room = fleet.capacity(machines, names, counts, "virtio-net")
    for number in range(30):
        own = fleet.capacity(machines[number], names, counts[number : number + 1], "virtio-net")
        assert (own.cold[0], own.hot[0]) == (room.cold[number], room.hot[number])
        assert (room.cold[number], room.hot[number]) == (room.cold[number + 30], room.hot[number + 30])


# wrong calls


@pytest.mark.parametrize(
    ("machine", "devices", "counts", "code", "headline"),
    [
        ("s390", ["virtio-blk"], [[1]], "unknown-machine", "unknown machine 's390'"),
        ("isapc", ["virtio-blk"], [[1]], "unknown-machine", "unknown machine 'isapc'"),
        (["q35", "nope"], ["vga"], [[1], [1]], "unknown-machine", "unknown machine 'nope'"),
        ([1, 2], ["vga"], [[1], [1]], "unknown-machine", "machines must be names, not of type int64"),
        (np.array(["q35", None], object), ["vga"], [[1], [1]], "unknown-machine", "unknown machine None"),
        (["q35"], ["vga"], [[1], [1]], "machines-shape", "machines have the shape (1,)"),
        (None, ["vga"], [[1]], "machines-shape", "machines have the shape ()"),
        ("q35", ["virtio-bulk"], [[1]], "unknown-device", "unknown device 'virtio-bulk'"),
        ("q35", "virtio-blk", [[1]], "device-names", "devices must be a sequence of names"),
        ("q35", [3], [[1]], "device-names", "the name of a device must be a string, not 3"),
        (
            "q35",
            ["virtio-blk", "virtio-blk-pci"],
            [[1, 1]],
            "duplicate-device",
            "device 'virtio-blk-pci' is given twice",
        ),
        ("q35", ["vga"], [[1, 2]], "counts-shape", "counts have the shape (1, 2); a table of (guests, 1) is needed"),
        ("q35", ["vga"], [1], "counts-shape", "counts have the shape (1,)"),
        ("q35", ["vga"], 1, "counts-shape", "counts have the shape ()"),
        ("q35", ["vga", "virtio-net"], [[1, 2], [3]], "counts-shape", "counts are no table"),
        ("q35", ["vga"], [[-1]], "device-count", "the count of vga must be a non-negative integer, not -1"),
        ("q35", ["vga"], [[1.0]], "device-count", "counts must be integers, not of type float64"),
        ("q35", ["vga"], [[True]], "device-count", "counts must be integers, not of type bool"),
        ("q35", ["vga"], [["1"]], "device-count", "counts must be integers, not of type <U1"),
        ("q35", ["vga"], [[1 << 70]], "device-count", "counts must be integers, not of type object"),
    ],
)
def test_wrong_calls(machine: Any, devices: Any, counts: Any, code: str, headline: str) -> None:
    for call in (
        lambda: fleet.assign(machine, devices, counts),
        lambda: fleet.capacity(machine, devices, counts, "vga"),
    ):
        with pytest.raises(UsageError) as caught:
            call()
        assert caught.value.code == code
        assert caught.value.headline.startswith(headline)
        assert isinstance(caught.value, PcisimError)


def test_negative_counts_are_found_among_many() -> None:
    counts = np.ones((5000, 3), np.int32)
    counts[4100, 2] = -7
    with pytest.raises(UsageError) as caught:
        fleet.assign("q35", ["virtio-blk", "virtio-net", "virtio-rng"], counts)
    assert caught.value.headline == "the count of virtio-rng must be a non-negative integer, not -7"
    assert caught.value.details == ("guest 4100, column 2",)


def test_capacity_of_an_unknown_device() -> None:
    with pytest.raises(UsageError, match="unknown device 'virtio-bulk'"):
        fleet.capacity("q35", ["vga"], [[1]], "virtio-bulk")


# what it costs


@pytest.mark.parametrize("order", ["mixed", "small ones first", "large ones first"])
@pytest.mark.parametrize("kinds", [20, 60_000])
def test_memory_stays_near_the_size_of_the_result(kinds: int, order: str) -> None:
    rng = np.random.default_rng(5)
    counts = rng.multinomial(16, np.ones(8) / 8, kinds)[rng.integers(0, kinds, 100_000)]
    if order != "mixed":
        counts = counts * rng.integers(0, 4, (len(counts), 1))
        counts = counts[np.argsort(counts.sum(axis=1) * (1 if order == "small ones first" else -1))]
    names = ["virtio-blk", "virtio-net", "virtio-scsi", "virtio-rng", "virtio-serial", "e1000", "vfio-pci", "e1000e"]
    fleet.assign("q35", names, counts[:10])
    tracemalloc.start()
    plan = fleet.assign("q35", names, counts)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert plan.fits.all()
    assert peak < 1.5 * plan.nbytes


def test_importing_pcisim_loads_no_numpy() -> None:
    code = (
        "import pcisim, sys; assert 'numpy' not in sys.modules; plan = pcisim.fleet.assign('pc', ['vga'], [[1]]);"
        "assert 'numpy' in sys.modules; assert plan.fits.all()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
