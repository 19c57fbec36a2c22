"""`dense` against a constraint solver, which is asked whether one controller fewer would do."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

import pcisim
from pcisim.errors import RefusedError
from tests.dense.exhaustive import Freedom, takes
from tests.guests import BARE, at, disk, domain, nic, pci

cp_model: Any = pytest.importorskip("ortools.sat.python.cp_model", reason="ortools cannot be installed here")

INSTANCES = int(os.environ.get("PCISIM_SOLVER_INSTANCES", "60"))
MODELS = (
    "pcie-root-port",
    "pcie-to-pci-bridge",
    "pci-bridge",
    "pcie-switch-upstream-port",
    "pcie-switch-downstream-port",
)
FUNCTIONS = {
    "pcie-root-port": 8, "pcie-switch-downstream-port": 8, "pcie-to-pci-bridge": 248, "pci-bridge": 248,
    "pcie-switch-upstream-port": 256, "pcie-root": 248, "pci-root": 248,
}  # fmt: skip


def suffices(
    root: str, buses: dict[int, tuple[str, int, bool]], wanted: dict[str, int], freedom: Freedom, more: int
) -> bool:
    """Return whether a number of controllers more hold a guest, wherever function 0 is.

    Args:
        root: the model of the root bus.
        buses: for each bus its model, how many of its functions are held, and whether it looks for a place itself.
        wanted: how many endpoints of each kind look for a place.
        freedom: where they may go.
        more: how many controllers are added.
    """
    model = cp_model.CpModel()
    top = max(buses)
    count = top + 1 + more
    chosen = {
        (i, name): model.new_bool_var(f"bus {i} is {name}")
        for i in range(top + 1, count)
        for name in (MODELS if root == "pcie-root" else ("pci-bridge",))
    }
    for i in range(top + 1, count):
        model.add(sum(chosen[i, name] for name in MODELS if (i, name) in chosen) == 1)

    def names(bus: int) -> list[tuple[str, Any]]:
        if bus in buses:
            return [(buses[bus][0], 1)]
        return [(name, chosen[bus, name]) for name in MODELS if (bus, name) in chosen]

    on: dict[tuple[Any, int], Any] = {}
    for i in range(1, count):
        if i in buses and not buses[i][2]:
            continue
        parents = []
        for j in range(i):
            on[i, j] = model.new_bool_var(f"{i} on {j}")
            parents.append(on[i, j])
            for name, is_name in names(i):
                for parent, is_parent in names(j):
                    if not takes(parent, name, freedom):
                        model.add(on[i, j] + is_name + is_parent <= 2)
        model.add(sum(parents) == 1)
    for kind, number in wanted.items():
        for j in range(count):
            on[kind, j] = model.new_int_var(0, number, f"{kind} on {j}")
            for parent, is_parent in names(j):
                if not takes(parent, kind, freedom):
                    model.add(on[kind, j] <= number * (1 - is_parent))
        model.add(sum(on[kind, j] for j in range(count)) == number)
    for j in range(count):
        held = buses[j][1] if j in buses else 0
        room = sum(FUNCTIONS[name] * is_name for name, is_name in names(j)) - held
        model.add(sum(variable for (_, bus), variable in on.items() if bus == j) <= room)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = 20
    status = solver.solve(model)
    assert status in (cp_model.OPTIMAL, cp_model.FEASIBLE, cp_model.INFEASIBLE), solver.status_name(status)
    return bool(status != cp_model.INFEASIBLE)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_one_controller_fewer_would_not_do(seed: int) -> None:
    tried = 0
    for number in range(10 * INSTANCES):
        if tried == INSTANCES // 4:
            break
        rng = random.Random(f"{seed} {number}")
        express = rng.random() < 0.7
        root = "pcie-root" if express else "pci-root"
        freedom = Freedom(rng.random() < 0.3, rng.random() < 0.3) if express else Freedom()
        buses = {0: (root, 3, False)}
        devices = [BARE]
        for index in range(1, rng.randrange(1, 5)):
            name = rng.choice(MODELS[:1] * 3 + MODELS) if express else "pci-bridge"
            has_place = rng.random() < 0.4 and takes(root, name, freedom)
            buses[index] = name, 0, not has_place
            if has_place:
                buses[0] = root, buses[0][1] + 1, False
            devices.append(pci(name, index, at(0, 8 + index) if has_place else ""))
        given = rng.randrange(3)
        for slot in range(given):
            devices.append(nic("e1000", at(0, 0x10 + slot)))
        buses[0] = root, buses[0][1] + given, False
        if express:
            wanted = {"E": rng.randrange(rng.choice((9, 60, 120))), "C": rng.randrange(rng.choice((3, 600)))}
        else:
            wanted = {"E": 0, "C": rng.randrange(rng.choice((300, 2000)))}
        devices += [disk(n) if not express else nic("vmxnet3") for n in range(wanted["C"])]
        devices += [disk(n) for n in range(wanted["E"])]
        policy = f"dense:firmware=none:mixed={_on(freedom.mixed)}:integrated={_on(freedom.integrated)}"
        try:
            made = pcisim.assign(domain("q35" if express else "pc", *devices), policy).placement
        except RefusedError:
            continue
        if made.added:
            tried += 1
            what = f"{seed} {number} {buses} {wanted}"
            assert suffices(root, buses, wanted, freedom, len(made.added)), what
            assert not suffices(root, buses, wanted, freedom, len(made.added) - 1), what
    assert tried == INSTANCES // 4


def _on(value: bool) -> str:
    return "on" if value else "off"
