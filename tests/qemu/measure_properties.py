"""Ask a real QEMU again for what `pcisim.catalogue.properties` has: which properties each PCI device takes.

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

from pcisim.catalogue.properties import NOT_ON_PCI, PROPERTIES

TABLE = Path(__file__).parents[2] / "pcisim" / "catalogue" / "properties.py"
_NAME = re.compile(r'^name "([^"]+)", bus ([^,\n]+)(?:.*alias "([^"]+)")?', re.M)
_PROPERTY = re.compile(r"^  (\S+?)=<(.+?)>(?:\s+-|$|\s*$)", re.M)


def help_text(qemu: Sequence[str], what: str) -> str:
    run = subprocess.run([*qemu, "-device", what], capture_output=True, text=True, timeout=30, check=False)
    return run.stdout + run.stderr


def measure(qemu: Sequence[str]) -> tuple[dict[str, dict[str, str]], dict[str, list[str]]]:
    """Return the properties of each PCI device by name, and the other devices by their bus."""
    properties: dict[str, dict[str, str]] = {}
    others: dict[str, list[str]] = {}
    for name, bus, _ in _NAME.findall(help_text(qemu, "help")):
        if bus == "PCI":
            found = dict(_PROPERTY.findall(help_text(qemu, f"{name},help")))
            if found:  # else it is in a module that is not installed
                properties[name] = {k: v.partition("<")[0].split()[0] for k, v in found.items() if v[:5] != "child"}
        else:
            others.setdefault(bus, []).append(name)
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


def table(properties: dict[str, dict[str, str]], others: dict[str, list[str]]) -> str:
    """Return the literal part of the module."""
    every = common(list(properties.values()))
    virtio = common([row for row in properties.values() if "disable-legacy" in row])
    lines = [line("*", own(every)), line("@virtio", own(virtio, every))]
    for name, row in sorted(properties.items()):
        if "disable-legacy" in row:
            lines.append(line(name, ["@virtio", *own(row, every, virtio)]))
        else:
            lines.append(line(name, own(row, every)))
    text = "\n".join(lines)
    rest = "\n".join(line(bus, sorted(names)) for bus, names in sorted(others.items()))
    return f'_PCI = """\\\n{text}\n"""\n_OTHERS = """\\\n{rest}\n"""\n'


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
    for bus, names in others.items():
        for name in names:
            if NOT_ON_PCI.get(name) != bus:
                wrong += 1
                print(f"{name} is on bus {bus}, not {NOT_ON_PCI.get(name)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
