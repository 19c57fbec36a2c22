"""Law: what the model of `dense` calls illegal does not work, or is nowhere where libvirt puts it by itself.

Layouts of small machines with a fault or two are written down.  libvirt refuses the definition, or QEMU does not
start it, or SeaBIOS does not find all of it, or a device is on a bus of the other kind, where libvirt's own rules
put none.  PCISIM_ORACLE_SEEDS says how many are asked (12).
"""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest

import pcisim
from tests.dense.exhaustive import SLOTS, Freedom, takes
from tests.guests import BARE
from tests.oracle.live import configured
from tests.oracle.live_guest import LiveGuests
from tests.oracle.packed import names_seen
from tests.oracle.sequences import Maker, address, domain
from tests.oracle.snippets import el
from tests.qemu.running import identity, is_installed

pytestmark = pytest.mark.oracle
LAYOUTS = int(os.environ.get("PCISIM_ORACLE_SEEDS", "12"))
ON_ROOT = 2
"""So many slots of bus 0 higher than on small machines: below is the chipset."""
ALL = Freedom(True, True, True)

Placed = tuple[str, int, tuple[int, int, int]]
"""What it is (``E``, ``C`` or a model), its index, and its place."""


def drawn(seed: int) -> tuple[str, dict[int, str], list[Placed]]:
    """Return a machine, the model of each bus, and what is where."""
    rng = random.Random(f"illegal {seed}")
    root = rng.choice(("pci-root", "pcie-root", "pcie-root"))
    models = ["pci-bridge"] if root == "pci-root" else [model for model in SLOTS if not model.endswith("-root")]
    buses = {0: root}
    what = []
    for index in range(1, rng.randrange(2, 5)):
        buses[index] = rng.choice(models)
        what.append((buses[index], index))
    what += [(rng.choice("EC") if root == "pcie-root" else "C", 0) for _ in range(rng.randrange(1, 5))]
    placed: list[Placed] = []
    taken: set[tuple[int, int, int]] = set()
    for kind, index in what:
        careless = rng.random() < 0.2
        places = [
            (bus, slot, function)
            for bus, model in buses.items()
            for slot in range(0 if careless and bus else SLOTS[model][0], (2 if careless else SLOTS[model][1]) + 1)
            for function in range(2)
            if bus != index or not index
            if (bus, slot, function) not in taken
            if careless or (takes(model, kind, Freedom()) and (bus < index or not index))
            if careless or not function or (bus, slot, 0) in taken
        ]
        if places:
            place = rng.choice(places)
            taken.add(place)
            placed.append((kind, index, place))
    return root, buses, placed


def faults(buses: dict[int, str], placed: list[Placed]) -> set[str]:
    """Return what the model of `tests.dense.exhaustive` calls illegal."""
    found = set()
    places = {place for _, _, place in placed}
    for kind, index, (bus, slot, _) in placed:
        low, high = SLOTS[buses[bus]]
        if not low <= slot <= high:
            found.add("slot")
        if not takes(buses[bus], kind, Freedom()):
            found.add("automatic" if takes(buses[bus], kind, ALL) else "kind")
        if index and bus >= index:
            found.add("order")
        if (bus, slot, 0) not in places:
            found.add("function 0")
    return found


def written(root: str, buses: dict[int, str], placed: list[Placed]) -> str:
    """Return a layout as XML."""
    maker = Maker(random.Random(0))
    parts = [BARE, el("controller", {"type": "pci", "index": 0, "model": root})]
    for kind, index, (bus, slot, function) in placed:
        place = address(bus, slot + (0 if bus else ON_ROOT), function, "on")
        if index:
            parts.append(el("controller", {"type": "pci", "index": index, "model": kind}, place))
        elif kind == "C":
            parts.append(maker.interface("e1000", place))
        else:
            parts.append(maker.rng_device(place, "virtio-non-transitional"))
    return domain("pc" if root == "pci-root" else "q35", "".join(parts))


@pytest.mark.skipif(not configured("11.3") or not is_installed(), reason="no libvirt 11.3, or no QEMU, to ask")
def test_what_is_illegal_does_not_work() -> None:
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    seed = 0
    with LiveGuests(configured("11.3") or "") as client:
        while counts.total() + len(wrong) < LAYOUTS:
            seed += 1
            root, buses, placed = drawn(seed)
            found = faults(buses, placed)
            listed = {index for _, index, _ in placed if index}
            if not found or listed != set(buses) - {0}:
                continue
            xml = written(root, buses, placed)
            answer = client.ask(xml, [], live=True)
            if not answer["ok"]:
                by_emulator = "monitor" in answer["error"] or "process exited" in answer["error"]
                counts["QEMU does not start it" if by_emulator else "libvirt refuses it"] += 1
            elif "automatic" in found:
                counts["forbidden by the automatic-kind rule only"] += 1
            else:
                plan = pcisim.assign(xml, libvirt="9.0")
                names = {identity(d) for d in plan.placement.guest.all_devices() if d.label in plan.addresses}
                if names - names_seen(plan) - {"sata-0", "ide-0", "usb-0"}:
                    counts["SeaBIOS does not see all of it"] += 1
                else:
                    wrong.append(f"seed {seed}: {found}\n{xml}")
    print(f"illegal layouts, up to seed {seed}: {dict(counts)}")
    assert not wrong, "\n".join(wrong[:5])
