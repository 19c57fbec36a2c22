"""Settings of a project: ``pcisim.toml``, or ``[tool.pcisim]`` of ``pyproject.toml``, in this folder or above it."""

from __future__ import annotations

import argparse
import os

from pcisim.cli import common
from pcisim.errors import InputError, UsageError, did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OWN, _SHARED = "pcisim.toml", "pyproject.toml"
_CODES, _SWITCH, _WORD = "a list of codes", "true or false", "a string"
_KEYS = {"select": _CODES, "ignore": _CODES, "strict": _SWITCH, "libvirt": _WORD, "profile": _WORD}
"""What may be set, and how it is written."""


def find_settings() -> tuple[str, dict[str, Any]]:
    """Return the nearest file that sets anything, from the current folder upwards, and what it sets, by key.

    Raises:
        InputError: it cannot be read, or is not TOML.
        UsageError: a key that does not exist, or a value of another type.
    """
    try:
        folder = os.getcwd()
    except OSError:  # it is gone
        return "", {}
    while True:
        for name in (_OWN, _SHARED):
            path = os.path.join(folder, name)
            data = _content(path)
            if data is None or (name == _SHARED and b"pcisim" not in data):
                continue
            table = _table(path, data, shared=name == _SHARED)
            if table is not None:
                return path, {key: _checked(path, key, value) for key, value in table.items()}
        above = os.path.dirname(folder)
        if above == folder:
            return "", {}
        folder = above


def apply(arguments: argparse.Namespace) -> str:
    """Put what a file sets in the place of options that are not given, and return the name of the file.

    Raises:
        PcisimError: as `find_settings`.
    """
    if arguments.isolated:
        return ""
    file, values = find_settings()
    for key, value in values.items():
        if key == "libvirt" and os.environ.get(common.LIBVIRT):
            continue
        if getattr(arguments, key, value) is None:
            setattr(arguments, key, value)
    return file


def _content(path: str) -> bytes | None:
    if not os.path.isfile(path):  # nor is it where the folder cannot be searched, or a pipe that nobody writes to
        return None
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}", code="cannot-read", remedy="make it readable, or give --isolated"
        ) from error


def _table(path: str, data: bytes, *, shared: bool) -> dict[str, Any] | None:
    import tomllib

    try:
        table: Any = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            f"cannot read {path}: not TOML: {error}", code="cannot-read", remedy="correct it, or give --isolated"
        ) from error
    for name in ("tool", "pcisim") if shared else ():
        table = table.get(name) if isinstance(table, dict) else None
    if table is not None and not isinstance(table, dict):
        raise UsageError(f"{path}: tool.pcisim is not a table", code="usage")
    return table


def _checked(path: str, key: str, value: object) -> Any:
    """Return a value as a command line would give it."""
    if key not in _KEYS:
        raise UsageError(
            f"{path}: unknown key {key!r}",
            code="usage",
            details=(f"known: {', '.join(_KEYS)}",),
            remedy=did_you_mean(key, _KEYS, 1),
        )
    kind = _KEYS[key]
    if kind == _CODES and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return [*value]
    if (kind == _SWITCH and isinstance(value, bool)) or (kind == _WORD and isinstance(value, str)):
        return value
    raise UsageError(f"{path}: {key} must be {kind}, not {value!r}", code="usage")
