"""How fast pcisim is against libvirt, measured in one run, round by round.

What is compared is "XML in, addressed XML out": libvirt also validates more, and stores the
definition.  The answers are compared before anything is timed.

    python benchmarks/ratios.py [--json] [--rounds N]

The peer is the libvirt that ``PCISIM_LIBVIRT_9_0`` or ``PCISIM_LIBVIRT_11_3`` names (a connection
URI; `tests/oracle/setup.sh` makes one); without it, only pcisim's own times are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pcisim
from pcisim.guest import disk_target

HERE = Path(__file__).resolve().parent
SYSTEM_PYTHON = os.environ.get("PCISIM_LIBVIRT_PYTHON", "/usr/bin/python3")
VERSIONS = {"PCISIM_LIBVIRT_11_3": "11.3", "PCISIM_LIBVIRT_9_0": "9.0"}
SIZES = (1, 20, 200)
CALLS = 15
"""Calls in a round, on either side: the first ones find the caches as the other side left them."""
GROWTH = (28, 112, 448, 898)

DISK = """    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/var/lib/libvirt/images/bench-{n}.qcow2'/>
      <target dev='{target}' bus='virtio'/>
    </disk>
"""


def domain(machine: str, disks: int, name: str = "pcisim-bench") -> str:
    """Return the XML of a guest with virtio disks."""
    devices = "".join(DISK.format(n=n, target=disk_target("vd", n)) for n in range(disks))
    return (
        f"<domain type='qemu'>\n  <name>{name}</name>\n  <memory unit='MiB'>1024</memory>\n  <vcpu>1</vcpu>\n"
        f"  <os>\n    <type arch='x86_64' machine='{machine}'>hvm</type>\n  </os>\n  <devices>\n{devices}"
        "  </devices>\n</domain>\n"
    )


class Peer:
    """A running libvirt."""

    def __init__(self, uri: str) -> None:
        self.process = subprocess.Popen(
            [SYSTEM_PYTHON, str(HERE / "libvirt_peer.py"), uri],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, xml: str, rounds: int) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"xml": xml, "rounds": rounds}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def seconds_of(xml: str, version: str) -> float:
    begin = time.perf_counter()
    pcisim.assign_xml(xml, libvirt=version)
    return time.perf_counter() - begin


def library_row(peer: Peer, version: str, disks: int, rounds: int) -> dict[str, Any]:
    """Compare assign_xml with defineXML + XMLDesc, in turn; nothing is kept between two calls."""
    sys.path.insert(0, str(HERE.parent))
    from tests.oracle.facts import differences, facts

    xml = domain("q35", disks)
    answer = peer.ask(xml, 2)
    addressed = pcisim.assign_xml(xml, libvirt=version)
    assert isinstance(addressed, str)
    unequal = differences(facts(answer["xml"]), facts(addressed))
    assert not unequal, unequal
    ours, theirs = [], []
    for _ in range(rounds):
        theirs.append(statistics.median(peer.ask(xml, CALLS)["seconds"]))
        ours.append(statistics.median(seconds_of(xml, version) for _ in range(CALLS)))
    return row(f"assign_xml, q35, {disks} disks / defineXML + XMLDesc ({version})", ours, theirs)


def process_row(uri: str, version: str, rounds: int) -> dict[str, Any]:
    """Compare `pcisim assign` as a process with virsh define, dumpxml and undefine."""
    program = str(Path(sys.executable).parent / "pcisim")
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "guest.xml"
        file.write_text(domain("q35", 20, "pcisim-bench-process"), encoding="utf-8")
        virsh = ["virsh", "-q", "-c", uri]
        steps = [["define", str(file)], ["dumpxml", "pcisim-bench-process"], ["undefine", "pcisim-bench-process"]]
        for _ in range(rounds + 1):
            begin = time.perf_counter()
            for step in steps:
                subprocess.run([*virsh, *step], check=True, stdout=subprocess.DEVNULL)
            middle = time.perf_counter()
            subprocess.run([program, "assign", "--libvirt", version, str(file)], check=True, capture_output=True)
            theirs.append(middle - begin)
            ours.append(time.perf_counter() - middle)
    return row(f"pcisim assign, 20 disks / virsh define + dumpxml + undefine ({version})", ours[1:], theirs[1:])


def growth_row(rounds: int) -> dict[str, Any]:
    """Compare the time of a disk on pc at each size with that at the smallest."""
    times = {n: [] for n in GROWTH}  # type: dict[int, list[float]]
    for _ in range(rounds):
        for n in GROWTH:
            times[n].append(seconds_of(domain("pc", n), "11.3") / n)
    first = statistics.median(times[GROWTH[0]])
    return {
        "what": "time of a disk on pc, against 28 disks",
        "ratios": {str(n): round(statistics.median(times[n]) / first, 2) for n in GROWTH},
    }


def row(what: str, ours: list[float], theirs: list[float]) -> dict[str, Any]:
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    return {
        "what": what,
        "ours_ms": round(statistics.median(ours) * 1e3, 3),
        "theirs_ms": round(statistics.median(theirs) * 1e3, 3),
        "times_faster": round(statistics.median(ratios), 1),
        "rounds": len(ratios),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    skipped: list[str] = []
    for variable, version in VERSIONS.items():
        uri = os.environ.get(variable)
        if not uri:
            skipped.append(f"libvirt {version}: {variable} is not set")
            continue
        peer = Peer(uri)
        rows += [library_row(peer, version, disks, arguments.rounds) for disks in SIZES]
        peer.close()
        if shutil.which("virsh"):
            rows.append(process_row(uri, version, arguments.rounds))
        else:
            skipped.append("virsh: not installed")
    rows.append(growth_row(arguments.rounds))
    machine = {"python": platform.python_version(), "processors": os.cpu_count(), "system": platform.platform()}
    if arguments.json:
        print(json.dumps({"machine": machine, "rows": rows, "skipped": skipped}, indent=2))
        return 0
    print(f"Python {machine['python']}, {machine['processors']} processors, {machine['system']}")
    for entry in rows:
        if "ratios" in entry:
            print(f"{entry['what']}: " + ", ".join(f"{n}: {ratio}" for n, ratio in entry["ratios"].items()))
        else:
            print(
                f"{entry['what']}: {entry['times_faster']} times faster"
                f" ({entry['ours_ms']} ms / {entry['theirs_ms']} ms, {entry['rounds']} rounds)"
            )
    for reason in skipped:
        print(f"skipped: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
