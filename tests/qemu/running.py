"""Start a real QEMU on a plan, and read off where it put everything."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache

import pcisim
from pcisim.guest import Controller
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
            elif _SHARED.match(line):
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
    questions = (
        {"execute": "qmp_capabilities"},
        {"execute": "human-monitor-command", "arguments": {"command-line": "info qtree"}},
        {"execute": "quit"},
    )
    done = subprocess.run(
        [PROGRAM, *words, "-S", "-qmp", "stdio"],
        input="".join(json.dumps(question) for question in questions),
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    answers = [json.loads(line).get("return") for line in done.stdout.splitlines()]
    texts = [answer for answer in answers if isinstance(answer, str)]
    complaints = "\n".join(line for line in done.stderr.splitlines() if "is not connected to host network" not in line)
    assert texts, f"QEMU does not start:\n{complaints}\n{' '.join(words)}"
    return Tree(texts[0])


def expected(plan: Plan) -> tuple[dict[str, Place], set[Place], set[str]]:
    """Return what `Tree.places`, `Tree.built_in` and `Tree.shared` have to be.

    This is worked out from the plan's addresses alone, not from its QEMU arguments.
    """
    machine = plan.guest.machine
    root = "pcie.0" if machine.express else "pci.0"
    with_machine = {"ide:0", "sata:0"} if machine.express else {"ide:0"}
    places: dict[str, Place] = {}
    for label, address in plan.addresses.items():
        if not (label in with_machine and address.bus == 0 and (label == "sata:0" or address.slot == 1)):
            places[_identity(label)] = (_bus(address, root), f"{address.slot:02x}.{address.function}")
    built_in = {(root, f"{p.slot:02x}.{p.function}") for p in machine.places if "usb:0" not in p.owner}
    shared = {
        _identity(device.label)
        for device, flag in plan.placement.multifunction.items()
        if flag == "on" and not (isinstance(device, Controller) and device.label in with_machine)
    }
    return places, built_in, shared


def _bus(address: pcisim.PciAddress, root: str) -> str:
    return f"pci.{address.bus}" if address.bus else root


def _identity(label: str) -> str:
    kind, _, rest = label.partition(":")
    return f"pci.{rest}" if kind == "pci" else label.replace(":", "-")
