"""How many domain files a second become rows, with one process and with two, in turn in the same run.

    python benchmarks/fleet_files.py [--count N] [--rounds N] [--json]

The fleet is that of `make_fleet.py`; the rows of both are compared before anything is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.make_fleet import write
from pcisim.fleet.survey.run import survey


def timed(folder: Path, workers: int) -> tuple[float, float]:
    """Return the seconds that a run takes, and those that this process computes: with one worker all of them."""
    computed, begin = time.process_time(), time.perf_counter()
    for _ in survey(folder, workers=workers):
        pass
    return time.perf_counter() - begin, time.process_time() - computed


def main() -> None:
    """Measure, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="how many files (10000)")
    parser.add_argument("--rounds", type=int, default=5, help="how many times each (5)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, arguments.count)
        one, two = (list(survey(folder, workers=workers)) for workers in (1, 2))
        assert one == two
        assert len(one) == arguments.count
        rounds = [(timed(folder, 1), timed(folder, 2)) for _ in range(arguments.rounds)]
    figures = {
        "guests": arguments.count,
        "guests_a_second_1": round(arguments.count / statistics.median(single[0] for single, _ in rounds)),
        "guests_a_second_2": round(arguments.count / statistics.median(double[0] for _, double in rounds)),
        "times_faster_2": round(statistics.median(single[0] / double[0] for single, double in rounds), 2),
        "guests_a_second_of_a_processor": round(arguments.count / statistics.median(single[1] for single, _ in rounds)),
        "processors": os.cpu_count(),
        "load_before": os.getloadavg()[0],
    }
    print(json.dumps(figures, indent=2) if arguments.json else "\n".join(f"{k}: {v}" for k, v in figures.items()))


if __name__ == "__main__":
    main()
