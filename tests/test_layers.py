"""The direction of imports: they only go down, and never round in a circle."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pcisim

PACKAGE = Path(pcisim.__file__).parent
PROJECT = PACKAGE.parent / "pyproject.toml"


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def import_graph() -> dict[str, set[str]]:
    """Return what each module imports, imports inside of functions included."""
    paths = {module_name(path): path for path in PACKAGE.rglob("*.py")}
    graph: dict[str, set[str]] = {}
    for name, path in paths.items():
        seen = graph[name] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                inner = [f"{node.module}.{alias.name}" for alias in node.names]
                seen.update(each if each in paths else node.module for each in inner)
            elif isinstance(node, ast.Import):
                seen.update(alias.name for alias in node.names)
        seen &= paths.keys() - {name}
    return graph


def test_no_imports_go_round_in_a_circle() -> None:
    graph = import_graph()
    assert len(graph) > 150
    while ready := {name for name, below in graph.items() if not below}:
        graph = {name: below - ready for name, below in graph.items() if name not in ready}
    assert not graph, "these import each other"


def test_every_layer_is_named_and_nothing_is_ignored() -> None:
    contracts = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    layers, figures, *_ = contracts
    assert not any("ignore_imports" in contract for contract in contracts)
    named = {each.strip(" ()") for layer in layers["layers"] for each in layer.split("|")}
    there = {name for name in import_graph() if name.count(".") == 1} - {"pcisim.__main__"}
    assert named == there
    assert set(figures["source_modules"]) == there - {"pcisim.cli", "pcisim.fleet", "pcisim.plot"}
