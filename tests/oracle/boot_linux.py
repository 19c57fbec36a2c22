"""Boot packed guests with Linux, and compare what it lists with what is predicted.

    python -m tests.oracle.boot_linux DIR [COUNT]       COUNT guests (10), on QEMU 7.2, this machine's

DIR is the chroot that ``tests/oracle/setup.sh`` makes; the guest is Linux 6.1 of Debian bookworm.  Every function has
to be there, at the address that is predicted, with an address for each of its BARs.  A boot takes about 10 s.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from pcisim.enumeration import enumerate_guest
from tests.oracle.linux_guest import LinuxGuest
from tests.oracle.packed import DENSE, MOST, random_plan

QUESTIONS = """
for d in /sys/bus/pci/devices/*; do
  n=0
  while read start end flags; do
    test $flags != 0x0000000000000000 && test $start = 0x0000000000000000 && n=$((n+1))
  done < $d/resource
  echo "@pci ${d##*/} $n"
done
"""


def main() -> int:
    """Boot the guests; return 1 when Linux sees something else."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("count", type=int, nargs="?", default=10)
    given = parser.parse_args()
    linux = LinuxGuest(given.directory, QUESTIONS, name="pcisim-packed")
    wrong = done = functions = seed = 0
    while done < given.count:
        seed += 1
        plan = random_plan(seed, "9.0", DENSE, MOST)
        if plan is None or len(plan.addresses) > MOST or getattr(plan.policy, "firmware", "") == "none":
            continue
        done += 1
        expected = {str(f.address) for f in enumerate_guest(plan.placement).functions if f.address is not None}
        answer = dict(re.findall(r"@pci (\S+) (\d+)", linux.ask("7.2", plan.to_qemu_args(runnable=True))))
        lacking = [address for address, count in answer.items() if count != "0"]
        functions += len(answer)
        if answer.keys() != expected or lacking:
            wrong += 1
            print(f"seed {seed}: not the same {sorted(answer.keys() ^ expected)}, without a resource {lacking}")
    linux.close()
    print(f"{done} guests, {functions} functions, {wrong} of the guests wrong")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
