"""Files with pictures, by the suffix of their names."""

from __future__ import annotations

import os

from pcisim.cli import common
from pcisim.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PICTURES = (".svg", ".png", ".pdf")
"""The suffixes of what can be drawn."""
_DPI = 150


def check_library(what: str) -> None:
    """Refuse before the work what could not be drawn after it.

    Args:
        what: the option that asks for a picture.

    Raises:
        UsageError: matplotlib is not installed.
    """
    os.environ.pop("MPLBACKEND", None)  # which is for windows, and stops matplotlib if there is none of that name
    try:
        from pcisim.plot import topology_tree  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"{what} needs matplotlib, which is not installed",
            code="missing-library",
            remedy="pip install 'pcisim[plot]'",
        ) from error


def write(name: str, figure: Any, kind: str) -> None:
    """Write a figure.

    Args:
        name: the file.
        figure: what a function of `pcisim.plot` returned.
        kind: ``svg``, ``png`` or ``pdf``.

    Raises:
        InputError: it cannot be written.
    """
    from pcisim.plot import svg
    from pcisim.plot._canvas import style

    if kind == "svg":
        common.write_file(name, svg(figure).encode())
        return
    import io

    data = io.BytesIO()
    with style():
        figure.savefig(data, format=kind, dpi=_DPI, metadata={"CreationDate": None} if kind == "pdf" else None)
    common.write_file(name, data.getvalue())
