"""Domain files to rows: two processes against one, and how many a processor reads."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from benchmarks.fleet_files import timed
from benchmarks.make_fleet import write
from benchmarks.measure import Ratio, faster
from pcisim.fleet.survey.run import survey

FILES = 10_000


def rows(rounds: int, files: int = FILES) -> list[Ratio]:
    """Return the rows, after a look whether the answers of one process and of two are the same."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, files)
        assert list(survey(folder, workers=1)) == list(survey(folder, workers=2))
        times = [(timed(folder, 1), timed(folder, 2)) for _ in range(rounds)]
    one, two = [single[0] for single, _ in times], [double[0] for _, double in times]
    rate = files / statistics.median(single[1] for single, _ in times)
    what = f"pcisim fleet, {files:,} domain files"
    return [
        faster(f"{what}: two processes / one", 1.6, two, one),
        Ratio(f"{what}: guests a second of a processor", rate, 3000, False, f"{rate:,.0f}/s", "-", rounds),
    ]
