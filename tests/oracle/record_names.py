"""Record what Debian's udev names the interfaces of the guests in `tests/data`, or compare with what is recorded.

    python -m tests.oracle.record_names DIR             write every names.json anew
    python -m tests.oracle.record_names DIR --check     compare, write nothing; status 1 when anything differs
    python -m tests.oracle.record_names DIR CASE...     only these
    python -m tests.oracle.record_names --qemu 11.1 DIR     ask only the QEMU of that version, which DIR has

Each ``tests/data/names-*/guest.xml`` is placed, booted under TCG with the null back-ends of
`Plan.to_qemu_args` on QEMU 7.2 (this machine's) and 10.0 (of DIR), and asked: Linux 6.1 of Debian
bookworm with the udev of Debian trixie, which knows every naming scheme.  DIR is the chroot that
`tests/oracle/setup.sh` makes.  A boot takes about 20 s.

What is kept in ``names.json``, by version of QEMU: ``names``, by address of an interface the names that it gets
(onboard before slot before path, as udev's default policy has it) with their schemes; ``slots``,
``/sys/bus/pci/slots`` as far as the names are numbers from 1; ``described``, the ``_SUN`` that ACPI gives a function;
``dead``, where there are any, the functions that no longer answer, which have no names.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import pcisim
from pcisim.catalogue.versions import VERSIONS
from pcisim.enumeration.names import SCHEMES, spans
from tests.oracle.linux_guest import LinuxGuest
from tests.record_goldens import DATA, read_guest

QUESTIONS = f"""
for d in /sys/bus/pci/devices/*; do
  test -e $d/firmware_node/sun && echo "@sun ${{d##*/}} $(cat $d/firmware_node/sun)"
done
for d in /sys/bus/pci/devices/*; do
  test "$(hexdump -n 2 -e '1/2 "%04x"' $d/config)" = ffff && echo "@dead ${{d##*/}}"
done
for d in /sys/bus/pci/slots/*; do test -e $d/address && echo "@slot ${{d##*/}} $(cat $d/address)"; done
for n in /sys/class/net/*; do
  test -e $n/device || continue
  for s in {" ".join(SCHEMES)}; do
    echo "@net $(readlink -f $n/device) $s"
    NET_NAMING_SCHEME=$s udevadm test-builtin net_id $n 2>/dev/null | grep '^ID_NET_NAME_'
  done
done
"""

_FUNCTION = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_PREFERENCE = ("ID_NET_NAME_ONBOARD", "ID_NET_NAME_SLOT", "ID_NET_NAME_PATH")


def parse(text: str) -> dict[str, Any]:
    """Return what a guest printed as what is kept: names, slots, what ACPI describes, and what is dead."""
    found: dict[str, dict[str, list[str]]] = {}
    slots: dict[str, int] = {}
    described: dict[str, int] = {}
    dead: list[str] = []
    address = scheme = ""
    best = len(_PREFERENCE)
    for line in text.splitlines():
        words = line.split()
        if line.startswith("@sun "):
            described[words[1]] = int(words[2])
        elif line.startswith("@dead "):
            dead.append(words[1])
        elif line.startswith("@slot ") and words[1].isdecimal() and words[1] != "0":
            slots[words[2]] = int(words[1])
        elif line.startswith("@net "):
            address, scheme, best = _FUNCTION.findall(words[1])[-1], words[2], len(_PREFERENCE)
            found.setdefault(address, {})
        elif line.startswith(_PREFERENCE):
            source, _, name = line.partition("=")
            if _PREFERENCE.index(source) < best:
                best = _PREFERENCE.index(source)
                by_name = found[address]
                for schemes in by_name.values():
                    if scheme in schemes:
                        schemes.remove(scheme)
                by_name.setdefault(name, []).append(scheme)
    names = {
        address: {name: spans(schemes) for name, schemes in sorted(by_name.items()) if schemes}
        for address, by_name in sorted(found.items())
        if address not in dead
    }
    record = {"names": names, "slots": dict(sorted(slots.items())), "described": dict(sorted(described.items()))}
    return record | {"dead": sorted(dead)} if dead else record


def named_cases() -> list[str]:
    """Return the cases whose names are recorded, sorted."""
    return sorted(path.parent.name for path in DATA.glob("names-*/guest.xml"))


def to_text(recorded: dict[str, Any]) -> str:
    """Return the text of a names.json, one fact per line."""
    parts = []
    for qemu, record in recorded.items():
        names = ",\n".join(f"   {json.dumps(k)}: {json.dumps(v)}" for k, v in record["names"].items())
        rest = ",\n".join(f"  {json.dumps(key)}: {json.dumps(record[key])}" for key in record if key != "names")
        parts.append(f' {json.dumps(qemu)}: {{\n  "names": {{\n{names}\n  }},\n{rest}\n }}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Record the names of the interfaces of the guests in tests/data.")
    parser.add_argument("chroot", type=Path, metavar="DIR", help="a Debian trixie, as tests/oracle/setup.sh makes it")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("--qemu", metavar="VERSION", help="ask only this QEMU, that of DIR (default: 7.2 and 10.0)")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="default: all")
    options = parser.parse_intermixed_args()
    guest = LinuxGuest(options.chroot, QUESTIONS, programs=["usr/bin/udevadm"])
    changed = 0
    for case in options.cases or named_cases():
        path = DATA / case / "names.json"
        recorded = json.loads(path.read_text()) if path.exists() else {}
        asked = (options.qemu,) if options.qemu else ("7.2", "10.0")
        for libvirt, qemu in ((row.version, row.qemu) for row in VERSIONS.values() if row.qemu in asked):
            plan = pcisim.assign(read_guest(case), libvirt=libvirt)
            recorded[qemu] = parse(guest.ask(qemu, plan.to_qemu_args(runnable=True)))
        if not path.exists() or path.read_text() != to_text(recorded):
            changed += 1
            print(f"{'differs' if options.check else 'recorded'}: {case}", flush=True)
            if not options.check:
                path.write_text(to_text(recorded))
    guest.close()
    sys.exit(1 if options.check and changed else 0)


if __name__ == "__main__":
    main()
