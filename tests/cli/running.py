"""Run the command line, in this process or in one of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from pcisim.cli import main

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PLAIN = {"LC_ALL": "C.UTF-8", "COLUMNS": "100", "TERM": "xterm"}


class Done(NamedTuple):
    """What a run left behind."""

    status: int
    out: str
    err: str


class _Terminal(io.TextIOWrapper):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def run(*words: str, given: bytes = b"", encoding: str = "utf-8", columns: int | None = None) -> Done:
    """Run `main` here; standard output is nothing but bytes in the end, as in a pipe.

    Args:
        words: the arguments.
        given: what standard input holds.
        encoding: of the output.
        columns: how wide a terminal without colours is that both outputs go to; by default they go to none.
    """
    out, err = io.BytesIO(), io.BytesIO()
    kind = io.TextIOWrapper if columns is None else _Terminal
    wide = {} if columns is None else {"COLUMNS": str(columns), "NO_COLOR": "1"}
    with (
        patch("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(given)), "utf-8")),
        patch("sys.stdout", kind(out, encoding)),
        patch("sys.stderr", kind(err, encoding, "backslashreplace")),
        patch.dict(os.environ, PLAIN | wide),
    ):
        status = main(words)
        sys.stdout.flush()
        sys.stderr.flush()
        return Done(
            status,
            out.getvalue().decode(encoding, "surrogateescape"),
            err.getvalue().decode(encoding, "surrogateescape"),
        )


def process(
    words: Sequence[str | bytes],
    *,
    given: bytes = b"",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    shell: str = "",
    timeout: float = 60,
) -> subprocess.CompletedProcess[bytes]:
    """Run ``python -m pcisim`` in a process of its own.

    Args:
        words: the arguments.
        given: what standard input holds.
        environment: more variables.
        folder: where to run.
        shell: what to append to the command in a shell, such as ``>&-``.
        timeout: in seconds; the slowest thing that is allowed takes 10.
    """
    command: list[str | bytes] = [sys.executable, "-m", "pcisim", *words]
    if shell:
        command = ["bash", "-c", f'"$@" {shell}', "bash", *command]
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(EXAMPLES.parent), **PLAIN, **(environment or {})}
    return subprocess.run(
        command, input=given, capture_output=True, check=False, env=variables, cwd=folder, timeout=timeout
    )


def example(name: str) -> bytes:
    """Return the text of an example."""
    return (EXAMPLES / f"{name}.xml").read_bytes()


def is_tidy(text: str) -> bool:
    """Return whether a complaint is one headline and then indented lines, and no traceback."""
    headline, *details = text.splitlines() or [""]
    return (
        bool(headline)
        and not headline.startswith((" ", "internal error"))
        and "Traceback" not in text
        and text.endswith("\n")
        and all(line.startswith("  ") and line.strip() for line in details)
    )
