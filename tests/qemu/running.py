"""Start a real QEMU on a plan, and read off where it put everything."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from contextlib import suppress
from functools import cache

from pcisim.catalogue.connectors import ENDPOINT
from pcisim.guest import Controller, Device
from pcisim.plan import Plan

PROGRAM = "qemu-system-x86_64"

Place = tuple[str, str]
"""The name of a bus, and slot and function as in ``1f.2``."""

_DEVICE = re.compile(r'( *)dev: ([^,]+), id "(.*)"')
_BUS = re.compile(r"( *)bus: (.*)")
_ADDRESS = re.compile(r" *addr = ([0-9a-f]{2}\.[0-7])$")
_SHARED = re.compile(r" *multifunction = true$")
_HIDDEN = ("pxb-internal",)
"""Buses that an expander keeps to itself."""


class Tree:
    """What QEMU's ``info qtree`` says of PCI.

    Attributes:
        places: where each device with an id is.
        built_in: where the devices without an id are.
        shared: the ids of devices with the multifunction bit.
        buses: the names of all buses.
    """

    def __init__(self, text: str) -> None:
        self.places: dict[str, Place] = {}
        self.built_in: set[Place] = set()
        self.shared: set[str] = set()
        self.buses: set[str] = set()
        buses: list[tuple[int, str]] = []
        identity = ""
        for line in text.splitlines():
            if found := _BUS.match(line):
                buses = [*(b for b in buses if b[0] < len(found[1])), (len(found[1]), found[2])]
                self.buses.add(found[2])
            elif found := _DEVICE.match(line):
                buses = [b for b in buses if b[0] < len(found[1])]
                identity = found[3]
            elif buses and buses[-1][1] in _HIDDEN:
                continue
            elif found := _ADDRESS.match(line):
                place = (buses[-1][1], found[1])
                if identity:
                    self.places[identity] = place
                else:
                    self.built_in.add(place)
            elif identity and _SHARED.match(line):
                self.shared.add(identity)


@cache
def devices_there() -> frozenset[str]:
    """Return the names of the devices that this QEMU has, their aliases too."""
    text = subprocess.run([PROGRAM, "-device", "help"], capture_output=True, check=True, text=True).stdout
    return frozenset(re.findall(r'(?:name|alias) "([^"]*)"', text))


def is_installed() -> bool:
    """Return whether there is a QEMU to start."""
    return shutil.which(PROGRAM) is not None


def start(words: list[str]) -> Tree:
    """Start a stopped guest, ask it, and end it.

    Args:
        words: the arguments.

    Raises:
        AssertionError: QEMU does not start; the message is its own.
    """
    with subprocess.Popen(
        [PROGRAM, *words, "-S", "-qmp", "stdio"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        text = ""
        with suppress(BrokenPipeError):
            for question in _QUESTIONS:
                child.stdin.write(json.dumps(question))
            child.stdin.flush()
        for line in child.stdout:
            answer = json.loads(line).get("return")
            if isinstance(answer, str):
                text = answer
                child.stdin.write(json.dumps({"execute": "quit"}))  # not before: it would cut the answer short
                child.stdin.flush()
        complaints = child.stderr.read()
    assert text, f"QEMU does not start:\n{complaints}{' '.join(words)}"
    return Tree(text)


_QUESTIONS = (
    {"execute": "qmp_capabilities"},
    {"execute": "human-monitor-command", "arguments": {"command-line": "info qtree"}},
)


def expected(plan: Plan) -> tuple[dict[str, Place], set[Place], set[str]]:
    """Return what `Tree.places`, `Tree.built_in` and `Tree.shared` have to be.

    This is worked out from the plan's addresses alone, not from its QEMU arguments.
    """
    machine = plan.placement.guest.machine
    root = "pcie.0" if machine.express else "pci.0"
    places: dict[str, Place] = {}
    shared: set[str] = set()
    buses = {d.index: identity(d) for d in plan.placement.guest.controllers if d.type == "pci" and d.index}
    for device, packed in plan.placement.addresses.items():
        bus, slot, function = packed >> 8, packed >> 3 & 31, packed & 7
        if device.label == ("sata:0" if machine.express else "ide:0") or not _is_on_pci(device):
            continue
        places[identity(device)] = (buses[bus] if bus else root, f"{slot:02x}.{function}")
        if plan.placement.multifunction.get(device) == "on":
            shared.add(identity(device))
    built_in = {
        (root, f"{place.slot:02x}.{place.function}")
        for place in machine.places
        if "usb:0" not in place.owner and (plan.placement.guest.acpi or "PIIX4" not in place.owner)
    }
    return places, built_in, shared


def _is_on_pci(device: Device) -> bool:
    if isinstance(device, Controller):
        return device.type == "pci" or bool(device.plug & ENDPOINT)
    return bool(device.plug)


def identity(device: Device) -> str:
    """Return the id that a device has on QEMU's command line."""
    alias = device.origin.find("alias") if device.origin is not None else None
    if alias is not None and alias.get("name").startswith("ua-"):
        return str(alias.get("name"))
    kind, _, rest = device.label.partition(":")
    return f"pci.{rest}" if kind == "pci" else device.label.replace(":", "-").replace("+", "_2b_")
