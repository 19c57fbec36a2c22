"""Libraries that not everybody needs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from pcisim.errors import UsageError


def needed(module: str, extra: str, purpose: str) -> Any:
    """Return a module of an extra.

    Args:
        module: its name.
        extra: the extra of pcisim that brings it.
        purpose: what it is needed for.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise UsageError(
            f"{purpose} needs {module.partition('.')[0]}, which is not installed",
            code="missing-library",
            remedy=f"pip install 'pcisim[{extra}]'",
        ) from error
