"""Law: the real libvirt returns what `hotplug` has planned, and comes to the same places when it is asked as managers
ask it.

PCISIM_ORACLE_SEEDS says how many guests each version is asked about.
"""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ET

import pytest

import pcisim
from tests.guests import BARE, at, controller, disk, domain, nic, pci, video
from tests.oracle.live import LiveLibvirt
from tests.oracle.plans import SEEDS, check_plans, returned, text_of, written

pytestmark = pytest.mark.oracle
POLICIES = (
    "hotplug", "hotplug:spare=9", "hotplug:spare=3:pci-spare=2", "hotplug:total=14", "hotplug:extra=5:spare=7",
    "hotplug:pci-spare=40", "hotplug:preset=virt-install", "hotplug:preset=nova:ports=9", "hotplug:preset=kubevirt-v1",
    "hotplug:preset=kubevirt-v2", "hotplug:preset=kubevirt-v3:memory=4GiB", "hotplug:preset=kubevirt-v2:slots=11",
)  # fmt: skip


def test_libvirt_returns_the_plan(taking: tuple[str, LiveLibvirt]) -> None:
    check_plans(*taking, POLICIES)


# as managers ask

_VIRTIO = "virtio-non-transitional"
_PLACEHOLDER = nic(_VIRTIO)


def managed(seed: int) -> str:
    """Return a guest as a manager writes it, with a few interfaces first."""
    rng = random.Random(f"managed {seed}")
    parts = [nic(rng.choice((_VIRTIO, _VIRTIO, "e1000", "e1000e"))) for _ in range(rng.randrange(6))]
    parts.append(controller("usb", 0, "none") if rng.random() < 0.7 else "")
    if rng.random() < 0.5:
        parts += [controller("scsi", 0, _VIRTIO), controller("virtio-serial", 0, _VIRTIO)]
    parts += [disk(number) for number in range(rng.randrange(12))]
    if rng.random() < 0.3:
        parts += [BARE.partition("/>")[0] + "/>"]
    if rng.random() < 0.3:
        parts.append(video("virtio"))
    if rng.random() < 0.2:
        parts.append("<panic model='pvpanic'/>")
    if rng.random() < 0.1:
        parts += [pci("pcie-root-port", 1), nic(_VIRTIO, at(1, 0))]
    return domain("q35", *parts)


def in_passes(xml: str, client: LiveLibvirt, placeholders: int, appended: int) -> str:
    """Define a domain as KubeVirt does, and return what libvirt makes of it."""
    written = ET.fromstring(xml)
    if placeholders:
        first = client.ask(xml.replace("</devices>", _PLACEHOLDER * placeholders + "</devices>"))
        assert first.ok, first.error
        made = ET.fromstring(first.xml)
        devices = made.find("devices")
        assert devices is not None
        for interface in devices.findall("interface"):
            devices.remove(interface)
        devices.extend(written.iterfind("devices/interface"))
        xml = ET.tostring(made, encoding="unicode")
    second = client.ask(xml)
    assert second.ok, second.error
    if not appended:
        return second.xml
    highest = max(map(int, re.findall(r"type='pci' index='(\d+)'", second.xml)))
    ports = "".join(pci("pcie-root-port", index) for index in range(highest + 1, min(highest + appended, 31) + 1))
    third = client.ask(second.xml.replace("</devices>", ports + "</devices>"))
    assert third.ok, third.error
    return third.xml


def test_libvirt_places_as_kubevirt_asks(taking: tuple[str, LiveLibvirt]) -> None:
    from pcisim.spares.presets import placeholders_by_interfaces, ports_by_memory

    version, client = taking
    for seed in range(min(SEEDS, 60)):
        xml = managed(seed)
        used, interfaces = seed % 15, xml.count("<interface")
        by_interfaces, wanted = placeholders_by_interfaces(interfaces), ports_by_memory(1 << 32, used)
        for name, placeholders, appended in (
            ("v1", by_interfaces, 0),
            ("v2", wanted, 0),
            ("v3", by_interfaces, max(0, wanted - by_interfaces)),
        ):
            plan = pcisim.assign(xml, f"hotplug:preset=kubevirt-{name}:memory=4GiB:used={used}", libvirt=version)
            got = returned(in_passes(xml, client, placeholders, appended), version)
            assert written(plan) == got, (seed, name)


def test_libvirt_places_as_virt_install_and_nova_ask(taking: tuple[str, LiveLibvirt]) -> None:
    version, client = taking
    for seed in range(min(SEEDS, 60)):
        xml = managed(seed)
        for preset, count in (("virt-install", 14), (f"nova:ports={seed % 29}", seed % 29)):
            if "pcie-root-port" in xml:
                continue
            ports = pci("pcie-root") + "".join(pci("pcie-root-port") for _ in range(count))
            answer = client.ask(xml.replace("</devices>", ports * bool(count) + "</devices>"))
            assert answer.ok, answer.error
            plan = pcisim.assign(xml, f"hotplug:preset={preset}", libvirt=version)
            assert written(plan) == returned(answer.xml, version), (seed, preset)


def test_libvirt_returns_groups(taking: tuple[str, LiveLibvirt]) -> None:
    version, client = taking
    source = "<source><address domain='0' bus='{:#x}' slot='{}' function='{}'/></source>"
    for seed in range(min(SEEDS, 60)):
        rng = random.Random(f"groups {seed}")
        functions = [(bus, slot, number) for bus in (0x21, 0x22) for slot in (0, 3) for number in range(8)]
        cards = [
            f"<hostdev mode='subsystem' type='pci'>{source.format(*place)}</hostdev>"
            for place in rng.sample(functions, rng.randrange(2, 14))
        ]
        xml = domain(rng.choice(("pc", "q35")), *cards, *[disk(number) for number in range(rng.randrange(5))])
        policy = rng.choice(("libvirt", "dense", "hotplug:spare=3"))
        plan = pcisim.assign(xml, policy, libvirt=version, group_by_host_slot=True)
        answer = client.ask(text_of(plan))
        assert answer.ok, answer.error
        assert written(plan) == returned(answer.xml, version), (seed, policy)
