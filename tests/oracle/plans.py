"""Plans of policies that libvirt does not have, held against what the real libvirt makes of their XML.

PCISIM_ORACLE_SEEDS says how many guests each version is asked about.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence

import pcisim
from pcisim.catalogue.versions import libvirt_version
from pcisim.errors import PcisimError
from pcisim.formats.domain.reader import read
from pcisim.guest import Controller
from pcisim.libvirt.completion import complete
from pcisim.plan import Plan
from tests.guests import BARE, at, disk, domain, ich9, nic, pci, video
from tests.oracle.generator import generate
from tests.oracle.live import LiveLibvirt

SEEDS = int(os.environ.get("PCISIM_ORACLE_SEEDS", "300"))
AT_LEAST = 100
"""How many guests have to be found among four times as many seeds, unless fewer are asked for."""


def crowded(seed: int) -> str:
    """Return a guest with many devices, controllers with and without addresses, and sound and USB of the chipset."""
    rng = random.Random(f"crowded {seed}")
    machine = rng.choice(("pc", "q35", "q35"))
    parts = [] if rng.random() < 0.5 else [BARE]
    if rng.random() < 0.5:
        parts.append(video(rng.choice(("vga", "qxl", "virtio"))))
    if rng.random() < 0.3:
        parts.append("<sound model='ich9'/>")
    if rng.random() < 0.3 and parts[:1] != [BARE]:
        parts.append(ich9())
    if rng.random() < 0.2:
        parts.append("<panic model='pvpanic'/>")
    if rng.random() < 0.5:
        model = "pci-bridge" if machine == "pc" else "pcie-root-port"
        parts += [pci(model, index) for index in range(1, rng.randrange(2, 12))]
        if machine == "q35" and rng.random() < 0.3:
            parts += [pci("pcie-switch-upstream-port", 20), pci("pcie-switch-downstream-port", 21)]
    most = rng.choice((3, 30, 120, 400, 2100 if machine == "q35" else 900))
    count = rng.randrange(most)
    modern = "virtio-non-transitional"
    for number in range(count):
        kind = rng.random()
        if kind < 0.02 and machine == "q35":
            parts.append(nic("e1000"))
        elif kind < 0.05:
            parts.append(nic(modern))
        else:
            parts.append(disk(number).replace("<disk ", f"<disk model='{modern}' "))
    if rng.random() < 0.3:
        parts.append(nic("e1000e", at(0, rng.randrange(3, 0x1A), rng.randrange(8))))
    return domain(machine, *parts)


def written(plan: Plan) -> dict[str, object]:
    """Return everything that was planned, by label."""
    placement = plan.placement
    facts: dict[str, object] = {}
    for device in placement.guest.all_devices():
        if device in placement.addresses and device.mirrors is None:
            facts[device.label] = placement.addresses[device], placement.multifunction.get(device)
        if isinstance(device, Controller) and device.is_pci:
            facts[f"{device.label} itself"] = device.model, device.model_name, device.target
    return facts


def returned(xml: str, version: str) -> dict[str, object]:
    """Return everything that libvirt says, by label."""
    facts: dict[str, object] = {}
    rules = libvirt_version(version)
    guest = complete(read(xml, rules), rules)
    for device in guest.all_devices():
        if device.address is not None:
            facts[device.label] = device.address, device.multifunction
        if isinstance(device, Controller) and device.is_pci:
            facts[f"{device.label} itself"] = device.model, device.model_name, device.target
    return facts


def is_sound(xml: str, client: LiveLibvirt) -> bool:
    """Return whether libvirt takes a guest at all, and once more what it makes of it."""
    first = client.ask(xml)
    return first.ok and client.ask(first.xml).ok


def text_of(plan: Plan) -> str:
    """Return the XML of a plan as text."""
    text = plan.to_xml()
    return text if isinstance(text, str) else text.decode()


def differences(planned: dict[str, object], got: dict[str, object]) -> dict[str, tuple[object, object]]:
    """Return what differs, by label: what was planned, and what libvirt says."""
    return {
        label: (planned.get(label), got.get(label))
        for label in sorted(planned.keys() | got.keys())
        if planned.get(label) != got.get(label)
    }


def check_plans(version: str, client: LiveLibvirt, policies: Sequence[str]) -> None:
    """Assert that libvirt returns the plans of generated and of crowded guests as they are."""
    asked = 0
    wrong: list[str] = []
    for seed in range(4 * SEEDS):
        xml = crowded(seed) if seed % 2 else generate(seed).xml
        policy = policies[seed // 2 % len(policies)]
        try:
            plan = pcisim.assign(xml, policy, libvirt=version)
        except PcisimError:
            continue
        if not seed % 2 and not is_sound(xml, client):
            continue
        asked += 1
        answer = client.ask(text_of(plan))
        if not answer.ok:
            wrong.append(f"seed {seed}, {policy}: refused: {answer.error}")
        elif differ := differences(written(plan), returned(answer.xml, version)):
            wrong.append(f"seed {seed}, {policy}: {dict(list(differ.items())[:6])}")
        if asked == SEEDS:
            break
    assert not wrong, f"{len(wrong)} of {asked}:\n" + "\n".join(wrong[:20])
    assert asked >= min(SEEDS, AT_LEAST)
