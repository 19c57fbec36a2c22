"""Tables as data frames, by whichever library is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from pcisim.errors import UsageError

LIBRARIES = ("pandas", "polars")
"""What makes data frames, the preferred one first."""


def frame(columns: Mapping[str, Sequence[Any] | Any]) -> Any:
    """Return a data frame: of pandas if it is installed, else of polars.

    Args:
        columns: the values of each column, all of one length, or an array of them.

    Raises:
        UsageError: neither is installed.
    """
    for name in LIBRARIES:
        try:
            library = import_module(name)
        except ImportError:
            continue
        return library.DataFrame(dict(columns))
    raise UsageError(
        f"to_frame() needs {' or '.join(LIBRARIES)}, and neither is installed",
        code="missing-library",
        remedy="; or ".join(f"pip install {name}" for name in LIBRARIES),
    )


def frame_of(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    """Return rows as a data frame, which has the columns also where there are no rows.

    Args:
        names: the names of the columns.
        rows: the values of each row, in the order of `names`.

    Raises:
        UsageError: as for `frame`.
    """
    return frame({name: [row[place] for row in rows] for place, name in enumerate(names)})
