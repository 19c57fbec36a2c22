"""Score `pcisim.simulate_qemu` on records of a real QEMU, its firmwares and a Linux guest.

    python benchmarks/score_qemu.py FILE.jsonl...      # as qemu_generate.py writes them
    python benchmarks/score_qemu.py --show 5 FILE...   # with up to five misses of each kind
    python benchmarks/score_qemu.py --min 97 FILE...   # content with that share of the main answers

Prints a line for each thing that is compared: how many records have it, how many are the same, and
the ids of the others; then the same for the main answers together, which are verdicts, places, bus
numbers and windows by SeaBIOS.  The exit status is 1 when there is any difference, or with ``--min``
when fewer of the main answers are the same.  Records that name another QEMU than 7.2 (key ``qemu``)
are left out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pcisim.simulation import simulate_hotplug, simulate_qemu

WINDOWS = ("io", "memory", "prefetch")
WHAT = ("bus", "slot", "function", "qdev_id", "pci_id", "class")
NUMBERS = ("primary", "secondary", "subordinate")
QEMU = "7.2"
"""The version that is simulated."""
MAIN = ("verdict", "placement", "hotplug step", "seabios numbers", *(f"seabios {kind} windows" for kind in WINDOWS))
Facts = Iterator[tuple[str, object]]


def tree(buses: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield every function of a firmware's tree, parents first."""
    for bus in buses:
        stack = list(reversed(bus["functions"]))
        while stack:
            function = stack.pop()
            yield function
            stack += reversed(function.get("behind", []))


def size(window: list[int] | None) -> int | None:
    return None if window is None else window[1] - window[0] + 1


def firmware_facts(name: str, record: Mapping[str, Any]) -> Facts:
    """Yield what a firmware did, by kind."""
    functions = list(tree(record["buses"]))
    bridges = [f for f in functions if "bridge" in f]
    yield f"{name} boots", "gave up" not in record["ended"]
    yield f"{name} roots", sorted(bus["bus"] for bus in record["buses"])
    yield f"{name} functions", [[f[key] for key in WHAT] for f in functions]
    yield f"{name} numbers", [[f["qdev_id"], *(f["bridge"][key] for key in NUMBERS)] for f in bridges]
    for kind in WINDOWS:
        yield f"{name} {kind} windows", [[f["qdev_id"], size(f["bridge"][kind])] for f in bridges]
    bars = [f.get("bars", []) for f in functions]
    yield f"{name} BARs", [[[bar[key] for key in bar if key != "address"] for bar in row] for row in bars]
    yield f"{name} BARs placed", [[bar["address"] is not None for bar in row] for row in bars]
    addresses = [[bar["address"] for bar in row] for row in bars]
    yield f"{name} addresses", [addresses, [[f["bridge"][kind] for kind in WINDOWS] for f in bridges]]


def linux_facts(record: Mapping[str, Any]) -> Facts:
    """Yield what a Linux guest saw, by kind."""
    yield "linux boots", record["booted"]
    if not record["booted"]:
        return
    functions = record["functions"]
    bridges = [f for f in functions if "bridge" in f]
    yield "linux functions", [[f[key] for key in ("address", "class", "pci_id")] for f in functions]
    yield "linux numbers", [[f["address"], *(f["bridge"][key] for key in NUMBERS)] for f in bridges]
    for kind in WINDOWS:
        yield f"linux {kind} windows", [[f["address"], size(f["bridge"][kind])] for f in bridges]
    resources = [[r for r in f.get("resources", []) if r["bar"] < 6] for f in functions]
    yield "linux resources", resources
    yield "linux windows' addresses", [[f["bridge"][kind] for kind in WINDOWS] for f in bridges]


def steps(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what became of each step of a hotplug: records have it beside the questions, or together with them."""
    answers: list[Mapping[str, Any]] = record.get("answers") or record.get("steps") or []
    return answers


def places(placed: Mapping[str, Any] | list[Any]) -> list[Any]:
    """Return bus, slot and function of what was plugged in, which records have as an object or a list."""
    return [placed[key] for key in ("bus", "slot", "function")] if isinstance(placed, Mapping) else placed


def facts(record: Mapping[str, Any]) -> Facts:
    """Yield everything that is compared about a record, by kind."""
    yield "verdict", record["accepted"]
    yield "reason", record["error"]
    for number, step in enumerate(steps(record)):
        yield "hotplug step", [number, step["error"] is None, [places(item) for item in step.get("placed", [])]]
        yield "hotplug reason", [number, step["error"]]
    if record.get("placement") is not None:
        yield "placement", record["placement"]
    if "warnings" in record:
        yield "warnings", record["warnings"]
    for name in ("seabios", "ovmf"):
        if name in record:
            yield from firmware_facts(name, record[name])
    if "linux" in record:
        yield from linux_facts(record["linux"])


def predicted(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what pcisim says about the question of a record, with the keys that the record has."""
    machine, devices, options = record["machine"], record["devices"], record.get("options", ())
    answer = simulate_qemu(machine, devices, options=options).to_json()
    if "ovmf" in record:
        answer |= simulate_qemu(machine, devices, options=options, firmware="ovmf").to_json()
    if "steps" in record:
        texts = [step if isinstance(step, str) else step["step"] for step in record["steps"]]
        hotplug = simulate_hotplug(machine, devices, texts, options=options).to_json()
        answer["answers" if "answers" in record else "steps"] = hotplug["steps"]
    return {key: value for key, value in answer.items() if key in record}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="show up to N misses of each kind")
    parser.add_argument("--min", type=float, metavar="PERCENT", help="the share of the main answers that will do")
    args = parser.parse_args()
    asked: dict[str, int] = {}
    missed: dict[str, list[str]] = {}
    for path in args.files:
        for line in path.read_text().splitlines():
            record = json.loads(line)
            if record.get("qemu", QEMU) != QEMU:
                continue
            ours: dict[str, list[object]] = {}
            for kind, value in facts(predicted(record)):
                ours.setdefault(kind, []).append(value)
            for kind, value in facts(record):
                asked[kind] = asked.get(kind, 0) + 1
                mine = ours.get(kind) or [None]
                got = mine.pop(0)
                if got != value:
                    missed.setdefault(kind, []).append(record["id"])
                    if len(missed[kind]) <= args.show:
                        print(f"{record['id']} {kind}\n  theirs {value}\n  ours   {got}")
    for kind, count in asked.items():
        wrong = missed.get(kind, [])
        print(f"{kind:26} {count - len(wrong):5} of {count:5}  {' '.join(wrong[:12])}")
    total = sum(asked.get(kind, 0) for kind in MAIN)
    same = total - sum(len(missed.get(kind, ())) for kind in MAIN)
    share = 100 * same / total if total else 100.0
    print(f"{'main answers':26} {same:5} of {total:5}  {share:.1f} %")
    return int(bool(missed) if args.min is None else share < args.min)


if __name__ == "__main__":
    sys.exit(main())
