"""Law: fleets of every policy that has a closed form are what the scalar engine makes of them, guest by guest."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from pcisim import fleet
from pcisim.catalogue.devices import DEVICE_MODELS
from pcisim.errors import NotCoveredError, UsageError
from tests.fleet.test_arrays import SWEEP
from tests.fleet_model import fleet_row, random_counts, scalar_cold, scalar_hot, scalar_row

NAMES = list(DEVICE_MODELS)
SPARES = (
    "hotplug", "hotplug:spare=9", "hotplug:spare=3:pci-spare=2", "hotplug:total=14", "hotplug:extra=5:spare=7",
    "hotplug:pci-spare=40", "hotplug:spare=0", "hotplug:spare=200:pci-spare=200",
)  # fmt: skip
DENSE = "dense:firmware=none"


def check(machine: str, names: list[str], counts: list[list[int]], policy: str) -> int:
    """Compare a fleet with the scalar engine, and return how many guests were refused."""
    plan = fleet.assign(machine, names, counts, policy=policy)
    refused = 0
    for number, row in enumerate(counts):
        expected = scalar_row(machine, names, row, policy)
        own = {name: count for name, count in zip(names, row, strict=True) if count}
        assert fleet_row(plan, number) == expected, f"{machine}, {policy}, {own}"
        refused += expected is None
    return refused


@pytest.mark.parametrize(("machine", "policies"), [(m, p) for m in ("pc", "q35") for p in ((DENSE,), SPARES)])
def test_arrays_equal_scalars(machine: str, policies: tuple[str, ...]) -> None:
    random = Random(f"{machine} {policies[0]}")
    scales = (1, 8, 30, 300, 300, 1000) if policies == (DENSE,) else (1, 4, 30, 100, 200)
    for number in range(SWEEP // 20):
        names = random.sample(NAMES, random.randint(1, 10))
        counts = random_counts(random, names, 2, random.choice(scales)).tolist()
        policy = random.choice(policies)
        check(machine, names, counts, policy)
        if number % 10:
            continue  # the scalar engine tries counts one by one
        of = random.choice(NAMES)
        room = fleet.capacity(machine, names, counts[:1], of, policy=policy)
        assert room.cold.tolist() == [scalar_cold(machine, names, counts[0], of, policy)], (policy, of, names, counts)
        if "igb" not in (*names, of):
            hot = scalar_hot(machine, names, counts[0], of, 3, policy)
            assert min(int(room.hot[0]), 3) == hot, (policy, of, names, counts)


def test_the_edges_of_packing() -> None:
    """Full slots and buses, the switch, and the last bus number."""
    express = [0, 5, 6, 7, 1933, 1934, 1942, 1949, 1950, 1951, 2013, 2014, 2021, 2022, 2028, 2029, 2030]
    conventional = [0, 1, 247, 248, 249, 495, 496, 497]
    random = Random("edges")
    both = [[e, n, 0, 0] for e in express for n in random.sample(conventional, 2)]
    both += [[e, n, i, 1] for e, n, i in ((1500, 300, 60), (3, 0, 243), (3, 1, 240), (8, 248, 242), (1800, 0, 30))]
    assert check("q35", ["virtio-blk", "e1000", "virtio-iommu", "ich9-intel-hda"], both, DENSE) == 12
    last = [[62_744, 0], [62_745, 0], [62_700, 30]]
    assert check("q35", ["e1000", "vga"], [[61_000, 1]], DENSE) == 0
    plan = fleet.assign("q35", ["vmxnet3", "vga"], last, policy=DENSE)
    assert plan.fits.tolist() == [True, False, False]
    plan = fleet.assign("pc", ["vmxnet3", "vga"], [[63_228, 0], [63_229, 0], [63_227, 1]], policy=DENSE)
    assert plan.fits.tolist() == [True, False, True]
    assert check("pc", ["virtio-blk", "pvpanic"], [[n, 1] for n in (0, 242, 243, 244, 490, 491)], DENSE) == 0


@pytest.mark.parametrize("block", [1, 7])
def test_blocks_do_not_show(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["virtio-blk", "e1000", "vga", "lsi", "virtio-iommu"]
    counts = random_counts(Random(block), names, 60, 900)
    machines = ["pc", "q35", "q35"] * 20
    for policy in (DENSE, "hotplug:pci-spare=40"):
        expected = fleet.assign(machines, names, counts, policy=policy)
        with monkeypatch.context() as patched:
            patched.setattr("pcisim.fleet.arrays.place.BLOCK", block)
            plan = fleet.assign(machines, names, counts, policy=policy)
        assert np.array_equal(plan.addresses, expected.addresses)
        assert np.array_equal(plan.owners, expected.owners)


def test_dense_is_whatever_the_firmware_makes_of_it() -> None:
    counts = [[300, 3], [2, 0]]
    for machine in ("pc", "q35"):
        plans = [fleet.assign(machine, ["virtio-blk", "e1000"], counts, policy=p) for p in ("dense", DENSE)]
        assert np.array_equal(plans[0].addresses, plans[1].addresses)


@pytest.mark.parametrize(
    "policy", ["dense:firmware=seabios", "dense:mixed=on", "dense:modern=on", "qemu", "hotplug:preset=virt-install"]
)
def test_what_has_no_closed_form(policy: str) -> None:
    for call in (
        lambda: fleet.assign("q35", ["vga"], [[1]], policy=policy),
        lambda: fleet.capacity("q35", ["vga"], [[1]], "vga", policy=policy),
    ):
        with pytest.raises(NotCoveredError) as caught:
            call()
        assert caught.value.code == "no-closed-form"


def test_an_unknown_policy() -> None:
    with pytest.raises(UsageError, match="unknown policy 'tight'"):
        fleet.assign("q35", ["vga"], [[1]], policy="tight")


def test_capacity_of_what_has_a_place_on_bus_0() -> None:
    """The scalar engine comes to these, after a while."""
    for policy, most in (("libvirt", 28), (DENSE, 243), ("hotplug:extra=5:spare=7", 27)):
        assert fleet.capacity("q35", ["pvpanic"], [[1]], "virtio-iommu", policy=policy).cold.tolist() == [most]
    assert fleet.capacity("q35", ["virtio-iommu"], [[1]], "qxl", policy=DENSE).cold.tolist() == [62_745]
