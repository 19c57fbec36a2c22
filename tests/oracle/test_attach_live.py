"""Law: attach and detach answer as the libvirt that is running, on guests nobody has seen before.

Set PCISIM_LIBVIRT_11_3 to a connection URI; `setup.sh` beside this file makes such a daemon.
PCISIM_ATTACH_CONFIG says how many sequences are attached to stored definitions (100),
PCISIM_ATTACH_LIVE how many happen to running guests (10), PCISIM_ORACLE_FIRST where to begin (1).

Agreement is per step: accepted or refused alike, for the same reason where it is about PCI, and afterwards every PCI
address and PCI controller alike.
"""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

import pcisim
from pcisim.catalogue.versions import DEFAULT_VERSION, VERSIONS, Libvirt
from pcisim.errors import PcisimError
from pcisim.formats.domain.reader import read_device
from pcisim.hotplug import RunningGuest, attach_config
from pcisim.placement import Placement
from tests.hotplug_cases import CASES, Case
from tests.oracle.facts import facts
from tests.oracle.generator import generate
from tests.oracle.live import URI_VARIABLES, configured
from tests.oracle.live_guest import LiveGuests
from tests.oracle.sequences import READABLE, domain, running_sequence, stored_steps

FIRST = int(os.environ.get("PCISIM_ORACLE_FIRST", "1"))
CONFIG = int(os.environ.get("PCISIM_ATTACH_CONFIG", "100"))
LIVE = int(os.environ.get("PCISIM_ATTACH_LIVE", "10"))
RULES = VERSIONS[DEFAULT_VERSION]
REPORTED_AT_MOST = 10
BRICKED = ("usb-disabled", "no-ide")
"""What an attach to a stored definition does not check, so that libvirt refuses every change afterwards: a USB
controller where USB is switched off; in 9.0 also an IDE disk on q35.  pcisim refuses at once."""
CRASHES = re.compile("<video")
"""What ends libvirt 12.9.0 when it is attached: a virtio video device."""
NOT_ABOUT_PCI = re.compile(
    "conflicts with SCSI host device address|target port '0' already allocated|bad scsi device lun"
)
"""What is refused about drives and ISA ports, of which pcisim knows nothing."""

pytestmark = pytest.mark.oracle

REASONS = {
    "no-more-slots": "No more available PCI slots",
    "no-hotplug": "requires hotplug capability|does not support hotplugging|not allowed by controller",
    "function-not-zero": "function=0 are supported",
    "slot-occupied": "Attempted double use|a device with the same address already exists|already has a",
    "slot-range": "slot must be",
    "bus-missing": "Only PCI buses up to",
    "wrong-plug": "cannot be plugged into|requires hotplug",
    "single-function": "indicates single function",
    "multifunction-unplug": "with multifunction PCI guest address",
    "controller-busy": "device is busy",
    "virtual-functions": "VF addr overflows|not available for",
    "unplug-pending": "already in the process of unplug",
    "required-option": "Required option|only supported on 440fx|not supported with this machine type",
    "no-slot-for-controller": "none is available, and it cannot be automatically added",
}
"""For codes of pcisim's what libvirt, or QEMU through it, then says."""


def connected(version: str) -> LiveGuests:
    uri = configured(version)
    if uri is None:
        pytest.skip(f"{URI_VARIABLES[version]} is not set: no libvirt {version} to ask")
    client = LiveGuests(uri)
    assert client.version.startswith(f"{version}."), f"{uri} is libvirt {client.version}"
    return client


@pytest.fixture(scope="module", params=list(URI_VARIABLES))
def stored(request: pytest.FixtureRequest) -> Iterator[tuple[Libvirt, LiveGuests]]:
    with connected(request.param) as client:
        yield VERSIONS[request.param], client


@pytest.fixture(scope="module")
def live() -> Iterator[LiveGuests]:
    with connected(DEFAULT_VERSION) as client:
        yield client


def dumped(xml: str) -> dict[str, str]:
    """Return the places of a dumped definition, by label."""
    return {
        label: f"{fact.get('address', '-')}{fact.get('multifunction') or ''}"
        for label, fact in facts(xml).items()
        if not label.startswith("console:")
    }


def ours(placement: Placement) -> dict[str, str]:
    """Return the places of a placement, by label."""
    found = {
        d.label: f"{pcisim.PciAddress.from_int(packed)}{placement.multifunction.get(d) or ''}"
        for d, packed in placement.addresses.items()
        if d.element != "console"
    }
    roots = {d.label: "-" for d in placement.guest.controllers if d.type == "pci" and d.label not in found}
    return roots | found


def verdict(error: PcisimError | None, answer: dict[str, Any]) -> str:
    """Return how the two answers to a step differ; "" when they do not."""
    if error is None:
        return "" if answer["ok"] else f"we accept, libvirt refuses: {answer['error']}"
    if answer["ok"]:
        return f"we refuse, libvirt accepts: {error.code}: {error.headline} {error.details}"
    pattern = REASONS.get(error.code)
    if pattern is not None and not re.search(pattern, answer["error"]):
        return f"another reason: ours {error.code}: {error.headline}; libvirt's {answer['error']}"
    return ""


# ------------------------------------------------------------------ stored definitions


def test_attach_to_a_stored_definition(stored: tuple[Libvirt, LiveGuests]) -> None:
    """Libvirt rule 7.6: with the config flag it is an allocation like a definition's."""
    rules, client = stored
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    seed = FIRST - 1
    while counts["sequences"] < CONFIG:
        seed += 1
        xml = generate(seed).xml
        steps = [step for step in stored_steps(seed) if not CRASHES.search(str(step["attach"]))]
        answer = client.ask(xml, steps, live=False)
        if not answer["ok"]:
            continue
        try:
            placement = pcisim.assign(answer["xml"], libvirt=rules.version).placement
        except PcisimError:
            assert not client.ask(answer["xml"], [], live=False)["ok"]
            counts["libvirt stores what it cannot read any more"] += 1
            continue
        counts["sequences"] += 1
        counts["steps"] += len(steps)
        lines = config_disagreement(rules, placement, steps, answer, counts)
        if lines:
            counts["wrong sequences"] += 1
            wrong.append("\n".join([f"seed {seed}", *lines]))
    print(f"libvirt {rules.version}, stored definitions, up to seed {seed}: {dict(counts)}")
    assert not wrong, "\n\n".join([str(dict(counts)), *wrong[:REPORTED_AT_MOST]])


def config_disagreement(
    rules: Libvirt,
    placement: Placement,
    steps: list[dict[str, object]],
    answer: dict[str, Any],
    counts: Counter[str],
) -> list[str]:
    for step, said in zip(steps, answer["steps"], strict=True):
        error = None
        try:
            placement = attach_config(placement, [read_device(str(step["attach"]), rules)], rules)
        except PcisimError as caught:
            error = caught
        if error is not None and error.code in BRICKED and said["ok"]:
            counts["libvirt stores what it cannot read any more"] += 1
            return []
        if NOT_ABOUT_PCI.search(said.get("error", "")):
            counts["refused, but not about PCI: left out"] += 1
            return []
        line = verdict(error, said)
        counts["accepted" if error is None else "refused"] += 1
        theirs, mine = dumped(said["xml"]), ours(placement)
        if not line and theirs != mine:
            line = f"{sorted(theirs.items() - mine.items())} not {sorted(mine.items() - theirs.items())}"
        if line:
            return [str(step["attach"]), line]
    return []


# ------------------------------------------------------------------ running guests


def places(xml: str) -> tuple[dict[str, str], set[str]]:
    """Return the places of a running guest by alias or controller, and all aliases of the user's."""
    found: dict[str, str] = {}
    aliases = set()
    for element in ET.fromstring(xml).iterfind("./devices/*"):
        alias = element.find("alias")
        name = alias.get("name", "") if alias is not None else ""
        if name.startswith("ua-"):
            aliases.add(name)
        else:
            kind = element.get("type") if element.tag == "controller" else element.tag
            name = f"{kind}:{element.get('index', '0')}"
        address = element.find("address")
        if element.tag != "console" and address is not None and address.get("type") == "pci":
            parts = [int(address.get(part, "0"), 0) for part in ("bus", "slot", "function")]
            found[name] = str(pcisim.PciAddress.of(*parts)) + address.get("multifunction", "")
    return found, aliases


OTHER_ALIASES = {"usb:0": "usb", "memballoon:0": "balloon0"}
"""Aliases of libvirt's that are not the label without its colon."""


class Mirror:
    """A `RunningGuest` that is spoken of by aliases."""

    def __init__(self, xml: str) -> None:
        plan = pcisim.assign(xml)
        self.guest = RunningGuest(plan.placement)
        self.aliases = {
            label: alias.get("name") or ""
            for device in plan.placement.guest.all_devices()
            if (label := device.label) and device.origin is not None and (alias := device.origin.find("alias"))
        }

    def alias(self, label: str) -> str:
        """Return the alias of a device, libvirt's own if the user gave none."""
        return self.aliases.get(label) or OTHER_ALIASES.get(label) or label.replace(":", "")

    def take(self, step: dict[str, object]) -> None:
        """Take a step.

        Raises:
            PcisimError: it is refused.
        """
        if "detach" in step:
            label = next(
                (label for label in self.guest.addresses | self.aliases if self.alias(label) == step["detach"]), ""
            )
            self.guest.detach(label, wait=not step.get("pending"))
            if not step.get("pending"):
                self.aliases.pop(label, None)
            return
        device = read_device(str(step["attach"]), RULES)
        self.guest.attach(device)
        alias = device.origin.find("alias")
        if alias is not None:
            self.aliases[self.guest.events[-1].label] = alias.get("name") or ""

    def places(self) -> dict[str, str]:
        """Return who sits where, as `places` does."""
        flags = {d.label: d.multifunction or "" for d in self.guest.definition.all_devices()}
        found = {}
        for label, address in self.guest.addresses.items():
            name = self.aliases.get(label, label)
            if name == label and label.startswith(("memballoon", "watchdog")):
                name = label.partition(":")[0] + ":0"
            found[name] = f"{address}{flags[label]}"
        return found


def test_attach_to_running_guests(live: LiveGuests) -> None:
    """Libvirt rule 7.6: a hot-pluggable bus, function 0, no growth; and what detach frees."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    seed = FIRST - 1
    while counts["sequences"] < LIVE:
        seed += 1
        sequence = running_sequence(seed)
        if CRASHES.search(str(sequence.steps)):
            continue
        answer = live.ask(sequence.xml, sequence.steps, live=True)
        if not answer["ok"]:
            counts["guest does not start"] += 1
            continue
        counts["sequences"] += 1
        counts["steps"] += len(sequence.steps)
        lines = live_disagreement(sequence.xml, sequence.steps, answer, counts)
        if lines:
            counts["wrong sequences"] += 1
            wrong.append("\n".join([f"seed {seed}", *lines]))
    print(f"running guests, up to seed {seed}: {dict(counts)}")
    assert not wrong, "\n\n".join([str(dict(counts)), *wrong[:REPORTED_AT_MOST]])


def live_disagreement(
    xml: str, steps: list[dict[str, object]], answer: dict[str, Any], counts: Counter[str]
) -> list[str]:
    mirror = Mirror(xml)
    before, _ = places(answer["xml"])
    if before != mirror.places():
        return [f"at the start: {before} not {mirror.places()}"]
    for step, said in zip(steps, answer["steps"], strict=True):
        error = None
        try:
            mirror.take(step | {"pending": said.get("pending", False)})
        except PcisimError as caught:
            error = caught
        mirror.guest.check()
        if error is None and NOT_ABOUT_PCI.search(said.get("error", "")):
            counts["refused, but not about PCI: left out"] += 1
            return []
        line = verdict(error, said)
        theirs, mine = places(said["xml"])[0], mirror.places()
        if not line and theirs != mine:
            if error is not None and 'bus="scsi"' in str(step.get("attach")):
                counts["SCSI controllers left behind by a refusal"] += 1
                return []
            line = f"{sorted(theirs.items() - mine.items())} not {sorted(mine.items() - theirs.items())}"
        action = "attach" if "attach" in step else "detach"
        counts[f"{action} {'accepted' if error is None else 'refused'}"] += 1
        if line:
            return [str(step), line]
    return []


# ------------------------------------------------------------------ the recorded cases


def aliased(devices: str, first: int) -> str:
    """Return device elements with an alias each (PCI controllers without), and with a file that is there."""
    root = ET.fromstring(f"<devices>{devices}</devices>")
    for number, element in enumerate(root, start=first):
        if element.tag != "controller" or element.get("type") not in ("pci", "usb"):
            ET.SubElement(element, "alias", {"name": f"ua-{number}"})
        if element.tag == "disk" and element.get("device") == "disk":
            for source in element.iter("source"):
                source.set("file", READABLE)
            ET.SubElement(element, "readonly")
            ET.SubElement(element, "shareable")
    return "".join(ET.tostring(element, encoding="unicode") for element in root)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_recorded_cases_are_what_libvirt_says(live: LiveGuests, case: Case) -> None:
    xml = domain(case.machine, aliased(case.devices, 1), acpi=case.acpi, arch=case.arch)
    if case.arch == "aarch64":  # the default processor of its emulator has 32 bits
        xml = xml.replace("</os>", "</os><cpu mode='custom'><model>cortex-a57</model></cpu>")
    if case.machine == "isapc":
        pytest.skip("this emulator starts no isapc guest with a PCI device asked for")
    mirror = Mirror(xml)
    steps: list[dict[str, object]] = []
    for number, (step, _) in enumerate(case.steps, start=1000):
        if step.startswith("-"):
            steps.append({"detach": mirror.alias(step[1:])})
            with suppress(PcisimError):
                mirror.guest.detach(step[1:])
        else:
            attach = aliased(step[1:], number)
            steps.append({"attach": attach})
            with suppress(PcisimError):
                mirror.guest.attach(read_device(attach, RULES))
                mirror.aliases[mirror.guest.events[-1].label] = f"ua-{number}"
    answer = live.ask(xml, steps, live=True)
    assert answer["ok"], answer
    for (step, expected), said in zip(case.steps, answer["steps"], strict=True):
        assert said["ok"] != expected.startswith("!"), f"{step}: {said.get('error')}"
        if not said["ok"]:
            assert expected.partition(": ")[2] in said["error"], step
    assert live_disagreement(xml, steps, answer, Counter()) == []
