"""Pages of the docs that the code has the facts for: written into `docs/generated` each time that they are built."""

from __future__ import annotations

import argparse
import inspect
import json
import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest import mock

import pcisim
from pcisim import fleet
from pcisim.cli import parser as command_line
from pcisim.cli.schema import schemas

ROOT = Path(__file__).resolve().parent.parent
GENERATED = ROOT / "docs/generated"
NOTEBOOKS = ROOT / "notebooks"
WIDTH = 100
"""Columns of what is printed as it is."""
ANSWERS = (
    "capacity.report.Capacity",
    "capacity.max_count.More",
    "capacity.fits.Fits",
    "diagnose.finding.Finding",
    "diagnose.explain.Meaning",
    "enumeration.view.GuestView",
    "compare.difference.Difference",
    "plan.Explanation",
    "recommendation.Recommendation",
    "rewrite.keep.Carried",
    "rewrite.reassign.Reassigned",
    "simulation.Simulation",
    "simulation.HotplugSimulation",
    "version_differences.VersionDifference",
    "topology.Topology",
)
"""What the public calls return, beside `pcisim.__all__`."""


def commands_page() -> str:
    """Return the page of all commands, with every option, as reStructuredText."""
    with mock.patch.dict(os.environ, {"COLUMNS": str(WIDTH)}):
        top = command_line()
        commands = next(action for action in top._actions if isinstance(action, argparse._SubParsersAction))
        about = {action.dest: action.help or "" for action in commands._get_subactions()}
        parts = [_title("Commands", "="), ".. program:: pcisim\n", *_command(top)]
        parts += [f"- :ref:`pcisim-{name}`: {_escaped(about[name])}" for name in commands.choices]
        for name, one in commands.choices.items():
            parts += ["", f".. _pcisim-{name}:\n", _title(one.prog, "-"), f".. program:: {one.prog}\n", *_command(one)]
    return "\n".join(parts) + "\n"


def _command(one: argparse.ArgumentParser) -> Iterator[str]:
    yield f"{_escaped(' '.join((one.description or '').split()))}\n"
    yield _literal(one.format_usage().removeprefix("usage: "), "text")
    for action in one._actions:
        if action.help == argparse.SUPPRESS or isinstance(action, argparse._SubParsersAction):
            continue
        value = "" if action.nargs == 0 else f" {_value(action)}"
        if action.option_strings:
            names = ", ".join(f"{option}{value}" for option in action.option_strings)
            yield f".. option:: {names}\n\n   {_escaped(_help(one, action))}\n"
        else:
            yield f"``{_value(action)}``\n   {_escaped(_help(one, action))}\n"
    for paragraph in filter(None, (one.epilog or "").strip().split("\n\n")):
        heading, _, text = paragraph.partition(":")
        text = text.strip("\n")
        yield f"{_escaped(heading.capitalize())}:\n"
        yield _literal(text, "console") if text.startswith("  ") else f"{_escaped(' '.join(text.split()))}\n"


def _value(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    return "|".join(map(str, action.choices)) if action.choices else action.dest.upper()


def _help(one: argparse.ArgumentParser, action: argparse.Action) -> str:
    return " ".join(one._get_formatter()._expand_help(action).split())


def _title(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"


def _literal(text: str, language: str) -> str:
    lines = inspect.cleandoc(f"\n{text}").splitlines()
    return "\n".join([f".. code-block:: {language}\n", *(f"   {line}".rstrip() for line in lines), ""])


def _escaped(text: str) -> str:
    return re.sub(r"([\\*`_|])", r"\\\1", text)


def library_page() -> str:
    """Return the page of the public names, which Sphinx fills in from their docstrings."""
    parts = [_title("Python API", "="), "What `pcisim` has, by name. :doc:`/library` says what is for what.\n"]
    parts += ["Calls\n-----\n", ".. currentmodule:: pcisim\n"]
    parts += [f".. autofunction:: pcisim.{name}\n" for name in pcisim.__all__ if not _is_class(pcisim, name)]
    parts += ["Values\n------\n"]
    for name in (name for name in pcisim.__all__ if _is_class(pcisim, name)):
        parts.append(f".. autoclass:: pcisim.{name}\n   :members:\n   :member-order: bysource\n")
    parts += ["Answers\n-------\n", "What the calls return. They are not made by hand.\n"]
    parts += [f".. autoclass:: pcisim.{name}\n   :members:\n   :no-index-entry:\n" for name in ANSWERS]
    parts += ["Fleets as arrays\n----------------\n"]
    for name in fleet.__all__:
        kind = (
            "autoclass" if _is_class(fleet, name) else "autofunction" if callable(getattr(fleet, name)) else "autodata"
        )
        parts.append(f".. {kind}:: pcisim.fleet.{name}\n" + ("   :members:\n" if kind == "autoclass" else ""))
    return "\n".join(parts)


def _is_class(module: object, name: str) -> bool:
    return isinstance(getattr(module, name), type)


def schemas_page() -> str:
    """Return the page of the JSON Schemas."""
    parts = [
        "# JSON Schemas\n",
        "What `--format json` prints, as JSON Schema (draft 2020-12); `pcisim schema NAME` prints each."
        " What the keys hold is told in [the page of the JSON](../json.md).\n",
    ]
    for name, path in schemas().items():
        text = path.read_text(encoding="utf-8")
        document = json.loads(text)
        title = document["title"]
        parts.append(f"## `{document['properties']['schema']['const']}`\n\n{title[:1].upper()}{title[1:]}.\n")
        parts += [*_folded(f"{name}.json", _fenced(text, "json")), ""]
    return "\n".join(parts)


def notebook_page(path: Path, pictures: Path) -> str:
    """Return a rendered notebook as Markdown, and write its pictures.

    Args:
        path: the notebook, with its outputs.
        pictures: the folder that they go to, that of the page.
    """
    parts: list[str] = []
    for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(_fenced(source, "python"))
        for output in cell["outputs"]:
            data = {kind: "".join(text) for kind, text in output.get("data", {}).items()}
            if output["output_type"] == "stream":
                parts.append(_fenced("".join(output["text"]), "text"))
            elif "image/svg+xml" in data:
                name = f"{path.stem}-{number:02}.svg"
                (pictures / name).write_text(data["image/svg+xml"], encoding="utf-8")
                shown = re.sub(r"([][\\])", r"\\\1", source.splitlines()[-1])
                parts.append(f"![{shown}]({name})")
            elif "text/html" in data:
                parts.append(_fenced(data["text/html"], "{raw} html"))
            else:
                parts.append(_fenced(data["text/plain"], "text"))
    return "\n\n".join(parts) + "\n"


def _folded(title: str, text: str) -> list[str]:
    """Return a long text of which the title alone is shown until it is wanted."""
    opening = _fenced(f"<details><summary><code>{title}</code></summary>", "{raw} html")
    return [opening, "", text, "", _fenced("</details>", "{raw} html")]


def _fenced(text: str, language: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"


def pages() -> dict[str, Callable[[], str]]:
    """Return what gives the text of each page, by the name of its file."""
    notebooks = {
        f"{path.stem}.md": partial(notebook_page, path, GENERATED) for path in sorted(NOTEBOOKS.glob("*.ipynb"))
    }
    return {"commands.rst": commands_page, "api.rst": library_page, "schemas.md": schemas_page, **notebooks}


def write() -> None:
    """Write every page; one that has not changed keeps its time, so that it is not built anew."""
    GENERATED.mkdir(exist_ok=True)
    for name, page in pages().items():
        target, text = GENERATED / name, page()
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")
