"""Call pcisim for a while with damaged sources, and print which calls break a promise.

python -m tests.fuzz [--seconds N] [--seed N]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.calls import faults


def main() -> int:
    """Run, and return the exit status: 1 after a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600, help="how long (3600)")
    parser.add_argument("--seed", type=int, default=0, help="of the first call; the next has the next one (0)")
    parser.add_argument("--one", action="store_true", help="make the call of that seed only")
    arguments = parser.parse_args()
    end = time.monotonic() + arguments.seconds
    seed, broken = arguments.seed, 0
    with tempfile.TemporaryDirectory() as name:
        while time.monotonic() < end:
            folder = Path(name) / "call"
            folder.mkdir()
            for text in faults(folder, seed):
                broken += 1
                print(f"seed {seed}: {text}", flush=True)
            seed += 1
            if arguments.one:
                break
    print(f"{seed - arguments.seed:,} calls, {broken:,} faults")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
