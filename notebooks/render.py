"""Run every NN_title.py (a percent script) and write it as NN_title.ipynb with its outputs.

The same scripts give the same bytes: no dates, no random identifiers, no version of the kernel.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LARGEST = 500_000
"""Bytes of a notebook; a picture that is larger should be a smaller picture."""


def render(script: Path) -> Path:
    """Run a script and write the notebook beside it."""
    notebook = jupytext.reads(script.read_text(encoding="utf-8"), fmt="py:percent")
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02}"
        cell.metadata = nbformat.from_dict({})
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", record_timing=False, coalesce_streams=True)
    client.execute(cwd=str(HERE))
    notebook.metadata["language_info"] = {"name": "python"}
    target = script.with_suffix(".ipynb")
    text = nbformat.writes(notebook)
    if len(text.encode()) > LARGEST:
        raise SystemExit(f"{target.name} would have {len(text.encode())} bytes, over {LARGEST}")
    target.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    return target


if __name__ == "__main__":
    for script in [Path(name) for name in sys.argv[1:]] or sorted(HERE.glob("[0-9][0-9]_*.py")):
        written = render(script)
        print(f"{written.name}: {written.stat().st_size / 1024:.0f} KiB")
