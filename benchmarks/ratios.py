"""How fast pcisim is against its peers, measured in one run, round by round, after a look at the answers.

    python benchmarks/ratios.py [--json | --markdown] [--rounds N] [--only WORD]

What is compared with libvirt's define is "XML in, addressed XML out": libvirt also validates more, and stores the
definition.  What is compared with libvirt's C loop is the search for a place and nothing else.

The peers are the libvirt that ``PCISIM_LIBVIRT_9_0`` or ``PCISIM_LIBVIRT_11_3`` names (a connection URI;
`tests/oracle/setup.sh` makes one), the shared library of libvirt 9.0.0, and numpy's copy.  What is missing is skipped.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from benchmarks import core_rows, files_rows, fleet_rows, xml_rows
from benchmarks.libvirt_core import Core, UnavailableError
from benchmarks.measure import Ratio

VERSIONS = {"PCISIM_LIBVIRT_11_3": "11.3", "PCISIM_LIBVIRT_9_0": "9.0"}
XML_TARGETS = (10, 10, 8, 6)
"""What is asked for of each of `xml_rows.KINDS`."""
HEADINGS = ("pcisim / its peer", "ratio", "target", "pcisim", "peer")


def xml(rounds: int, skipped: list[str]) -> Iterator[Ratio]:
    """Yield the rows of libvirt's define."""
    for variable, version in VERSIONS.items():
        uri = os.environ.get(variable)
        if not uri:
            skipped.append(f"defineXML of libvirt {version}: {variable} is not set")
            continue
        with xml_rows.peer_of(uri) as peer:
            for kind, target in zip(xml_rows.KINDS, XML_TARGETS, strict=True):
                for size in xml_rows.SIZES:
                    yield xml_rows.library_row(peer, version, size, kind, target, rounds)
        if shutil.which("virsh"):
            yield xml_rows.process_row(uri, version, rounds)
        else:
            skipped.append("virsh: not installed")
    yield from xml_rows.growth_rows(rounds)


def core(rounds: int, skipped: list[str]) -> Iterator[Ratio]:
    """Yield the rows of a single reservation."""
    peer = core_of(skipped)
    if peer is not None:
        yield from core_rows.rows(peer, rounds)
    yield from core_rows.growth(rounds)


def fleet(rounds: int, skipped: list[str]) -> Iterator[Ratio]:
    """Yield the rows of fleets."""
    yield from fleet_rows.rows(core_of(skipped), rounds)
    yield fleet_rows.capacity_row(rounds)
    yield fleet_rows.packed_capacity_row(rounds)


def files(rounds: int, skipped: list[str]) -> Iterator[Ratio]:
    """Yield the rows of fleets from files."""
    yield from files_rows.rows(rounds)


def core_of(skipped: list[str]) -> Core | None:
    """Return libvirt's allocator, or say why there is none."""
    try:
        return Core()
    except UnavailableError as error:
        reason = f"libvirt's C loop: {error}"
        if reason not in skipped:
            skipped.append(reason)
        return None


PARTS = {"core": core, "fleet": fleet, "files": files, "xml": xml}


def machine_line() -> str:
    """Return one line about the machine."""
    names = [line for line in _cpuinfo() if line.startswith("model name")]
    processor = names[0].partition(":")[2].strip() if names else platform.machine()
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{time.strftime('%Y-%m-%d')}: {processor}, {os.cpu_count()} processors{load},"
        f" Python {platform.python_version()}, numpy {np.__version__}, {platform.system()} {platform.release()}"
    )


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the rows as JSON")
    form.add_argument("--markdown", action="store_true", help="print the table for the documentation")
    parser.add_argument("--rounds", type=int, default=9, help="how often each side is timed (default 9)")
    parser.add_argument("--only", choices=PARTS, help="only this part of the table")
    arguments = parser.parse_args()
    skipped: list[str] = []
    line = machine_line()
    rows: list[Ratio] = []
    if not arguments.json:
        print(line if not arguments.markdown else f"{line}.\n")
        print_row(HEADINGS, arguments.markdown)
        if arguments.markdown:
            print("| --- | --- | --- | --- | --- |")
    for name, part in PARTS.items():
        if arguments.only in (None, name):
            for row in part(arguments.rounds, skipped):
                rows.append(row)
                if not arguments.json:
                    print_row(row.texts, arguments.markdown, "" if row.met else "  missed")
    if arguments.json:
        data = {"schema": "pcisim.ratios/1", "machine": line, "rounds": arguments.rounds}
        print(json.dumps(data | {"rows": [row.to_json() for row in rows], "skipped": skipped}, indent=2))
        return 0
    for reason in skipped:
        print(f"\nskipped: {reason}")
    return 0


def print_row(texts: tuple[str, ...], markdown: bool, note: str = "") -> None:
    what, ratio, target, ours, theirs = texts
    if markdown:
        print(f"| {what} | {ratio}{note and ' (missed)'} | {target} | {ours} | {theirs} |", flush=True)
    else:
        print(f"{what:105} {ratio:>8} {target:>14} {ours:>9} {theirs:>9}{note}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
