"""Laws: what was planned is what the real libvirt keeps and starts, the real QEMU has, and the real firmware serves.

PCISIM_ORACLE_SEEDS says how many plans each version of libvirt starts (by default 12), PCISIM_FIRMWARE_SEEDS how many
guests SeaBIOS boots (4; half as many OVMF), PCISIM_DETACH_SEEDS of how many every device is detached (2).
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.oracle.live import configured
from tests.oracle.live_guest import LiveGuests
from tests.oracle.packed import DENSE, MOST, SAYS, boot_image, booted, random_plan
from tests.oracle.plans import differences, returned, text_of, written
from tests.oracle.test_attach_live import live_disagreement
from tests.qemu.running import Tree, is_installed

pytestmark = pytest.mark.oracle
STARTED = int(os.environ.get("PCISIM_ORACLE_SEEDS", "12"))
FIRMWARE = int(os.environ.get("PCISIM_FIRMWARE_SEEDS", "4"))
DETACHED = int(os.environ.get("PCISIM_DETACH_SEEDS", "2"))
OVMF = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")


@pytest.fixture(scope="module", params=[v for v in ("11.3", "12.9") if configured(v)])
def guests(request: pytest.FixtureRequest) -> Iterator[tuple[str, LiveGuests]]:
    with LiveGuests(configured(request.param) or "") as client:
        yield request.param, client


def places(xml: str) -> dict[str, tuple[str, str]]:
    """Return where each device of a running guest is, by alias: the bus by its alias, slot and function."""
    root = ET.fromstring(xml)
    machine = root.find("os/type")
    assert machine is not None
    roots = {"0": "pcie.0" if "q35" in machine.get("machine", "") else "pci.0"}
    found = {}
    for element in root.iterfind("./devices/*"):
        place, alias = element.find("address"), element.find("alias")
        if place is not None and alias is not None and place.get("type") == "pci":
            bus, slot, function = (int(place.get(part, "0"), 0) for part in ("bus", "slot", "function"))
            found[alias.get("name", "")] = roots.get(str(bus), f"pci.{bus}"), f"{slot:02x}.{function}"
    return found


CHIPSET = ("ide", "ide0", "sata0", "usb")
"""Aliases of what the machine may bring itself, under another name or none."""


def test_plans_are_kept_and_started(guests: tuple[str, LiveGuests]) -> None:
    version, client = guests
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    seed = 0
    while counts["started"] + len(wrong) < STARTED:
        seed += 1
        plan = random_plan(seed, version)
        if plan is None:
            continue
        answer = client.ask(text_of(plan), [{"monitor": "info qtree"}], live=True)
        if not answer["ok"]:
            wrong.append(f"seed {seed}: {plan.policy}: {answer['error']}")
            continue
        tree = Tree(answer["steps"][0]["said"])
        differ: object = differences(written(plan), returned(answer["xml"], version))
        expected = {name: place for name, place in places(answer["xml"]).items() if name not in CHIPSET}
        differ = differ or {n: (p, tree.places.get(n)) for n, p in expected.items() if tree.places.get(n) != p}
        if differ:
            wrong.append(f"seed {seed}: {plan.policy}: {differ}")
        else:
            counts["started"] += 1
            counts["devices"] += len(expected)
            counts[plan.policy.describe().partition(",")[0]] += 1
    print(f"libvirt {version}, up to seed {seed}: {dict(counts)}")
    assert not wrong, "\n".join(wrong[:10])


@pytest.mark.skipif(not is_installed(), reason="no QEMU is installed")
def test_seabios_sees_every_function(tmp_path: Path) -> None:
    image = boot_image(tmp_path / "boot.img")
    counts: Counter[str] = Counter()
    for seed in range(100_000):
        plan = random_plan(seed, "9.0", DENSE, MOST)
        if plan is None or len(plan.addresses) > MOST or not firmware_matters(plan.policy):
            continue
        with_disk = seed % 5 and any(label.startswith("disk:vd") for label in plan.addresses)
        seen = booted(plan, "seabios", image=image if with_disk else None)
        assert not seen.lost, (seed, plan.policy, seen.lost[:5], seen.says[-300:])
        if with_disk:
            assert SAYS in seen.says, (seed, plan.policy, seen.says[-300:])
            counts["the last disk boots"] += 1
        counts["guests"] += 1
        counts["functions"] += seen.functions
        if counts["guests"] == FIRMWARE:
            break
    print(f"SeaBIOS: {dict(counts)}")


@pytest.mark.skipif(not is_installed() or not OVMF.exists(), reason="no OVMF is installed")
def test_ovmf_sees_every_function() -> None:
    counts: Counter[str] = Counter()
    for seed in range(100_000, 200_000):
        plan = random_plan(seed, "9.0", ("dense:firmware=ovmf", "dense:firmware=ovmf:modern=on"), MOST)
        if plan is None or len(plan.addresses) > MOST:
            continue
        seen = booted(plan, "ovmf", ovmf=str(OVMF), limit=120)
        assert not seen.lost, (seed, plan.policy, seen.lost[:5])
        counts["guests"] += 1
        counts["functions"] += seen.functions
        if counts["guests"] >= FIRMWARE / 2:
            break
    print(f"OVMF: {dict(counts)}")


def firmware_matters(policy: object) -> bool:
    """Return whether a policy looks at what the firmware gets past."""
    return getattr(policy, "firmware", "none") != "none"


def test_detaching_each_device_of_packed_guests(guests: tuple[str, LiveGuests]) -> None:
    """Libvirt rule 7.6: what shares its slot stays."""
    version, client = guests
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    for seed in range(200_000, 300_000):
        plan = random_plan(seed, version, DENSE, 30)
        if plan is None:
            continue
        xml = text_of(plan)
        names = [alias.get("name") for alias in ET.fromstring(xml).iterfind("./devices/*/alias")]
        steps: list[dict[str, object]] = [{"detach": name} for name in names]
        answer = client.ask(xml, steps, live=True)
        assert answer["ok"], (seed, answer["error"])
        wrong += [f"seed {seed}: {line}" for line in live_disagreement(xml, steps, answer, counts)]
        counts["guests"] += 1
        if counts["guests"] == DETACHED:
            break
    print(f"detached as libvirt {version}: {dict(counts)}")
    assert not wrong, "\n".join(wrong[:10])
