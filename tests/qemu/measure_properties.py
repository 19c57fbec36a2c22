"""Ask a real QEMU again for what `pcisim.catalogue.properties` has: which properties each device takes.

python tests/qemu/measure_properties.py --write
python tests/qemu/measure_properties.py --check
python tests/qemu/measure_properties.py --qemu "chroot DIR qemu-system-x86_64" --check
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from pcisim.catalogue.properties import CPU_SUFFIX, NOT_ON_PCI, PROPERTIES

TABLE = Path(__file__).parents[2] / "pcisim" / "catalogue" / "properties.py"
_NAME = re.compile(r'^name "([^"]+)"(?:, bus ([^,\n]+))?', re.M)
_PROPERTY = re.compile(r"^  (\S+?)=<(.+?)>(?:\s+-|$|\s*$)", re.M)


def help_text(qemu: Sequence[str], what: str) -> str:
    run = subprocess.run([*qemu, "-device", what], capture_output=True, text=True, timeout=30, check=False)
    return run.stdout + run.stderr


def measure(qemu: Sequence[str]) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Return the properties of each device by name, and the bus of each that is not on PCI ("" for none).

    The properties of CPUs, which are their features, are left out.
    """
    properties: dict[str, dict[str, str]] = {}
    others: dict[str, str] = {}
    for name, bus in _NAME.findall(help_text(qemu, "help")):
        if bus != "PCI":
            others[name] = bus
        if name.endswith(CPU_SUFFIX):
            continue
        found = dict(_PROPERTY.findall(help_text(qemu, f"{name},help")))
        if found or bus != "PCI":  # else it is in a module that is not installed
            properties[name] = {k: v.partition("<")[0].split()[0] for k, v in found.items() if v[:5] != "child"}
    return properties, others


def common(rows: Sequence[dict[str, str]]) -> dict[str, str]:
    """Return the properties that nearly all rows have."""
    pairs = Counter(pair for row in rows for pair in row.items())
    return dict(sorted(pair for pair, count in pairs.items() if count > 0.9 * len(rows)))


def line(name: str, words: Iterable[str]) -> str:
    """Return a row of the table, wrapped, its further lines indented."""
    return "\n".join(
        textwrap.wrap(
            f"{name} {' '.join(words)}", 110, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False
        )
    )


def own(row: dict[str, str], *shared: dict[str, str]) -> list[str]:
    """Return what a row has beyond the shared properties, and with a minus what it lacks of them."""
    known = {key: kind for rows in shared for key, kind in rows.items()}
    more = [f"{key}:{kind}" for key, kind in sorted(row.items()) if known.get(key) != kind]
    return more + [f"-{key}" for key in sorted(known) if key not in row]


def table(properties: dict[str, dict[str, str]], others: dict[str, str]) -> str:
    """Return the literal part of the module."""
    pci = {name: row for name, row in properties.items() if name not in others}
    every = common(list(pci.values()))
    virtio = common([row for row in pci.values() if "disable-legacy" in row])
    lines = [line("*", own(every)), line("@virtio", own(virtio, every))]
    for name, row in sorted(pci.items()):
        if "disable-legacy" in row:
            lines.append(line(name, ["@virtio", *own(row, every, virtio)]))
        else:
            lines.append(line(name, own(row, every)))
    text = "\n".join(lines)
    buses: dict[str, list[str]] = {}
    for name, bus in others.items():
        if not name.endswith(CPU_SUFFIX):
            buses.setdefault(bus or "-", []).append(name)
    rest: list[str] = []
    for bus, names in sorted(buses.items()):
        rest.append(f"= {bus}")
        shared = common([properties[name] for name in names]) if len(names) > 2 else {}
        rest.append(line("*", own(shared)))
        rest += [line(name, own(properties[name], shared)) for name in sorted(names)]
    cpus = line("=", sorted(name.removesuffix(CPU_SUFFIX) for name in others if name.endswith(CPU_SUFFIX)))
    lists = "\n".join(rest)
    return f'_PCI = """\\\n{text}\n"""\n_OTHERS = """\\\n{lists}\n"""\n_CPUS = """\\\n{cpus}\n"""\n'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--qemu", default="qemu-system-x86_64")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    properties, others = measure(shlex.split(args.qemu))
    start, end = "# table\n", "# end of table\n"
    if args.write:
        before, _, rest = TABLE.read_text().partition(start)
        TABLE.write_text(before + start + table(properties, others) + end + rest.partition(end)[2])
        return 0
    wrong = 0
    for name, row in properties.items():
        if dict(PROPERTIES.get(name, {})) != row:
            wrong += 1
            print(f"{name}: {sorted(set(row.items()) ^ set(PROPERTIES.get(name, {}).items()))}")
    for name, bus in others.items():
        if NOT_ON_PCI.get(name) != bus:
            wrong += 1
            print(f"{name} is on bus {bus!r}, not {NOT_ON_PCI.get(name)!r}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
