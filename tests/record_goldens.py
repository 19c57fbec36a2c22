"""Record what libvirt answers to the guests in `tests/data`, or compare with what is recorded.

    python -m tests.record_goldens             write every answer.json anew
    python -m tests.record_goldens --check     compare, write nothing; status 1 when anything differs
    python -m tests.record_goldens CASE...     only these

Each `tests/data/<case>/guest.xml` is asked of every libvirt that the environment names (see
`tests/oracle/live.py`), and its answer is kept in `answer.json` by version:

    {"12.9": {...}, "11.3": {"ok": true, "facts": {...}}, "9.0": {"ok": false, "error": "...", "code": 27}}

Where the comment at its head says ``not covered as 9.0``, pcisim has to say so too instead of
giving an answer; what libvirt answers is kept all the same (`not_covered`).

A guest may stand for a long one: a comment ``<!-- add 59 virtio disks -->`` is replaced by
them (`read_guest`), so that big cases need no big files.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.oracle.facts import facts
from tests.oracle.live import URI_VARIABLES, Answer, LiveLibvirt, configured

DATA = Path(__file__).parent / "data"
Recorded = dict[str, dict[str, Any]]


def disk_letters(number: int) -> str:
    """Return the letters of a disk target: 0 is a, 25 z, 26 aa."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters


def _disk(number: int) -> str:
    name = f"vd{disk_letters(number)}"
    return (
        "<disk type='file' device='disk'>"
        f"<source file='/srv/img/{name}.img'/><target dev='{name}' bus='virtio'/></disk>"
    )


def _interface(number: int) -> str:
    del number
    return "<interface type='user'><model type='e1000'/></interface>"


def _channel(number: int) -> str:
    return f"<channel type='unix'><target type='virtio' name='org.test.{number}'/></channel>"


MANY: dict[str, Callable[[int], str]] = {
    "virtio disks": _disk,
    "e1000 interfaces": _interface,
    "virtio channels": _channel,
}
NOT_COVERED = re.compile(r"not covered as (\d+\.\d+)", re.IGNORECASE)
ADD = re.compile(rf"<!-- add (\d+) ({'|'.join(MANY)}) -->")


def cases() -> list[str]:
    """Return the names of all cases, sorted."""
    return sorted(path.parent.name for path in DATA.glob("*/guest.xml"))


def read_guest(case: str) -> str:
    """Return the domain XML of a case, with its ``add`` comments carried out."""
    text = (DATA / case / "guest.xml").read_text(encoding="utf-8")
    return ADD.sub(lambda match: "\n".join(map(MANY[match[2]], range(int(match[1])))), text)


def not_covered(case: str) -> set[str]:
    """Return the versions of libvirt as which pcisim declines to answer this case."""
    return set(NOT_COVERED.findall(read_guest(case).partition("-->")[0]))


def read_answer(case: str) -> Recorded:
    """Return what is recorded for a case, by libvirt version."""
    path = DATA / case / "answer.json"
    recorded: Recorded = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return recorded


def as_record(answer: Answer) -> dict[str, Any]:
    """Return the JSON form of one answer."""
    if answer.ok:
        return {"ok": True, "facts": facts(answer.xml)}
    return {"ok": False, "error": answer.error, "code": answer.code}


def to_text(recorded: Recorded) -> str:
    """Return the text of an answer.json: one fact per line, so that diffs are readable."""
    parts = []
    for version, record in recorded.items():
        rows = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in record.items() if key != "facts"]
        if "facts" in record:
            lines = [f"   {json.dumps(label)}: {json.dumps(fact)}" for label, fact in record["facts"].items()]
            rows.append('  "facts": {\n' + ",\n".join(lines) + "\n  }")
        parts.append(f" {json.dumps(version)}: {{\n" + ",\n".join(rows) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def record(names: list[str], check: bool) -> int:
    """Ask every configured libvirt about these cases; return how many answers changed."""
    changed = 0
    live = {version: LiveLibvirt(uri) for version in URI_VARIABLES if (uri := configured(version))}
    if not live:
        sys.exit(f"no libvirt to ask: set {' or '.join(URI_VARIABLES.values())}")
    try:
        for name in names:
            old = read_answer(name)
            known = old | {version: as_record(client.ask(read_guest(name))) for version, client in live.items()}
            new = {version: known[version] for version in URI_VARIABLES if version in known}
            if to_text(new) == to_text(old):
                continue
            changed += 1
            print(f"{'differs' if check else 'recorded'}: {name}")
            if not check:
                (DATA / name / "answer.json").write_text(to_text(new), encoding="utf-8")
    finally:
        for client in live.values():
            client.close()
    print(f"{len(names)} cases, {changed} changed")
    return changed


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Record libvirt's answers to the guests in tests/data.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="default: all")
    options = parser.parse_args()
    changed = record(options.cases or cases(), options.check)
    sys.exit(1 if options.check and changed else 0)


if __name__ == "__main__":
    main()
