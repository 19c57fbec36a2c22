"""XML in, addressed XML out: against a live libvirt, as a library and as a process."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pcisim
from benchmarks.measure import Ratio, costs, faster, in_turn, timed
from pcisim.guest import disk_target
from tests.oracle.facts import differences, facts

HERE = Path(__file__).resolve().parent
SYSTEM_PYTHON = os.environ.get("PCISIM_LIBVIRT_PYTHON", "/usr/bin/python3")
SIZES = (1, 20, 200)
SHAPES = 15
"""Calls in a round, each of another guest: the first ones find the caches as the other side left them."""
GROWTH = (28, 112, 448, 898)

DISK = """    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/var/lib/libvirt/images/bench-{n}.qcow2'/>
      <target dev='{target}' bus='virtio'/>
    </disk>
"""
INTERFACE = """    <interface type='user'>
      <mac address='52:54:00:00:{high:02x}:{low:02x}'/>
      <model type='{model}'/>
    </interface>
"""
RNG = "    <rng model='virtio'>\n      <backend model='random'>/dev/urandom</backend>\n    </rng>\n"


def domain(machine: str, devices: str, name: str = "pcisim-bench") -> str:
    """Return the XML of a guest."""
    return (
        f"<domain type='qemu'>\n  <name>{name}</name>\n  <memory unit='MiB'>1024</memory>\n  <vcpu>1</vcpu>\n"
        f"  <os>\n    <type arch='x86_64' machine='{machine}'>hvm</type>\n  </os>\n  <devices>\n{devices}"
        "  </devices>\n</domain>\n"
    )


def disks(count: int) -> str:
    """Return virtio disks."""
    return "".join(DISK.format(n=n, target=disk_target("vd", n)) for n in range(count))


MANY, ADDRESSED = "q35, many kinds", "q35, addressed already"
KINDS = ("q35", "pc", MANY, ADDRESSED)
"""Kinds of documents: disks, cards and entropy on both machines; other devices among them; and what libvirt printed."""
OTHERS = (
    "    <sound model='ich6'/>\n",
    "    <disk type='block' device='disk'>\n      <source dev='/dev/sd{letter}'/>\n"
    "      <target dev='sd{letter}' bus='scsi'/>\n    </disk>\n",
    "    <channel type='unix'>\n      <target type='virtio' name='org.qemu.{n}'/>\n    </channel>\n",
    "    <input type='tablet' bus='virtio'/>\n",
)
DESKTOP = (
    "    <video>\n      <model type='virtio'/>\n    </video>\n    <graphics type='vnc'/>\n"
    "    <input type='tablet' bus='usb'/>\n    <console type='pty'/>\n"
)


def guests(size: int, kind: str = KINDS[0]) -> list[str]:
    """Return guests of so many devices, no two of one shape."""
    documents = []
    for shape in range(SHAPES):
        cards = min(size - 1, shape % 5 + size // 20 * (shape % 3)) if size > 1 else shape % 2
        entropy = min(size - 1 - cards, shape // 5) if size > 1 else 0
        model = ("virtio", "e1000e", "e1000")[shape % 3]
        devices = "".join(INTERFACE.format(high=n >> 8, low=n & 0xFF, model=model) for n in range(cards))
        others = min(size - cards - entropy, size // 4) if kind == MANY else 0
        devices += "".join(OTHERS[n % 4].format(n=n, letter=chr(97 + n // 4)) for n in range(others))
        if kind == MANY:
            devices += DESKTOP
        documents.append(
            domain("pc" if kind == "pc" else "q35", devices + RNG * entropy + disks(size - cards - entropy - others))
        )
    return documents


class Peer:
    """A running libvirt, asked by another Python."""

    def __init__(self, uri: str) -> None:
        command = [SYSTEM_PYTHON, str(HERE / "libvirt_peer.py"), uri]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, xml: str) -> dict[str, Any]:
        """Return the seconds that it took to define a guest and read it back, and what was read."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"xml": xml, "rounds": 1}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


@contextmanager
def peer_of(uri: str) -> Iterator[Peer]:
    """Have a peer for a while."""
    peer = Peer(uri)
    try:
        yield peer
    finally:
        peer.close()


def assign_seconds(xml: str, version: str) -> float:
    """Return the seconds of a call."""
    return timed(lambda: pcisim.assign_xml(xml, libvirt=version))


def library_row(peer: Peer, version: str, size: int, kind: str, target: float, rounds: int) -> Ratio:
    """Compare assign_xml with defineXML + XMLDesc; nothing is kept between two calls."""
    documents = guests(size, kind)
    if kind == ADDRESSED:
        documents = [peer.ask(xml)["xml"] for xml in documents]
    for xml in documents:
        addressed = pcisim.assign_xml(xml, libvirt=version)
        assert isinstance(addressed, str)
        unequal = differences(facts(peer.ask(xml)["xml"]), facts(addressed))
        assert not unequal, unequal
    ours, theirs = in_turn(
        rounds,
        lambda: statistics.median(assign_seconds(xml, version) for xml in documents),
        lambda: statistics.median(peer.ask(xml)["seconds"][0] for xml in documents),
    )
    what = f"assign_xml, {kind}, {size} device{'s' * (size > 1)}, shapes varied / defineXML + XMLDesc ({version})"
    return faster(what, target, ours, theirs)


def process_row(uri: str, version: str, rounds: int) -> Ratio:
    """Compare `pcisim assign` as a process with virsh define, dumpxml and undefine."""
    program = str(Path(sys.executable).parent / "pcisim")
    name = "pcisim-bench-process"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "guest.xml"
        file.write_text(domain("q35", disks(20), name), encoding="utf-8")
        virsh = ["virsh", "-q", "-c", uri]
        steps = [["define", str(file)], ["dumpxml", name], ["undefine", name]]

        def theirs() -> float:
            return sum(
                timed(lambda: subprocess.run([*virsh, *step], check=True, stdout=subprocess.DEVNULL))  # noqa: B023
                for step in steps
            )

        def ours() -> float:
            command = [program, "assign", "--libvirt", version, str(file)]
            return timed(lambda: subprocess.run(command, check=True, capture_output=True))

        in_turn(1, ours, theirs)
        times = in_turn(rounds, ours, theirs)
    what = f"pcisim assign, 20 devices / virsh define + dumpxml + undefine ({version})"
    return costs(what, 0.8, *times)


def growth_rows(rounds: int) -> list[Ratio]:
    """Compare the time of a disk on pc at each size with that at the smallest."""
    documents = {n: domain("pc", disks(n)) for n in GROWTH}
    times = in_turn(rounds, *(lambda n=n: timed(lambda: pcisim.assign_xml(documents[n])) / n for n in GROWTH))
    return [
        costs(f"assign_xml, a disk on pc: among {n} / among {GROWTH[0]}", 1.3, own, times[0])
        for n, own in zip(GROWTH[1:], times[1:], strict=True)
    ]
