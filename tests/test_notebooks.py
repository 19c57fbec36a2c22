"""The notebooks run, say what is true, and are rendered as they stand."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jupytext  # type: ignore[import-untyped]
import pytest

import pcisim
from pcisim.capacity.max_count import how_many_more
from tests.sampled import one_in

NOTEBOOKS = Path(pcisim.__file__).parent.parent / "notebooks"
SCRIPTS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.py"))
NAMES = [script.stem for script in SCRIPTS]
LARGEST = 500_000
SVG, HTML = "image/svg+xml", "text/html"


@lru_cache
def cells(name: str) -> tuple[tuple[str, str], ...]:
    """Return the kind and the source of each cell of a script."""
    text = (NOTEBOOKS / f"{name}.py").read_text(encoding="utf-8")
    return tuple((cell.cell_type, cell.source) for cell in jupytext.reads(text, fmt="py:percent").cells)


@lru_cache
def rendered(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))
    return document


@lru_cache
def ran(name: str) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """Run a script; return its names, and for each cell what it printed and what it shows."""
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = []
    for kind, source in cells(name):
        printed, value = io.StringIO(), None
        if kind == "code":
            tree = ast.parse(source, f"{name}.py")
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            with contextlib.redirect_stdout(printed):
                exec(compile(tree, f"{name}.py", "exec"), names)
                if isinstance(last, ast.Expr):
                    value = eval(compile(ast.Expression(last.value), f"{name}.py", "eval"), names)
        shown.append((printed.getvalue(), value))
    return names, shown


def outputs(cell: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return what a rendered cell printed, and what it shows by its type."""
    printed, data = "", {}
    for output in cell.get("outputs", []):
        if output["output_type"] == "stream":
            assert output["name"] == "stdout", output
            printed += "".join(output["text"])
        else:
            assert output["output_type"] == "execute_result", output
            data = {kind: "".join(text) for kind, text in output["data"].items()}
    return printed, data


def labels(svg: str) -> list[str]:
    nodes = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return sorted("".join(node.itertext()) for node in nodes)


def test_there_are_notebooks() -> None:
    assert NAMES == [
        "01_capacity_of_machine_types",
        "02_libvirts_holes",
        "03_what_the_guest_sees",
        "04_planning_a_host",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_rendered_notebook_has_the_same_cells(name: str) -> None:
    stored = tuple((cell["cell_type"], "".join(cell["source"])) for cell in rendered(name)["cells"])
    assert stored == cells(name), f"{name}.ipynb is older than {name}.py: make notebooks"


@pytest.mark.parametrize("name", one_in(3, NAMES))
def test_the_rendered_notebook_shows_what_running_it_shows(name: str) -> None:
    _, shown = ran(name)
    for (printed, value), cell in zip(shown, rendered(name)["cells"], strict=True):
        stored, data = outputs(cell)
        assert stored == printed
        if value is None:
            assert not data
        elif hasattr(value, "_repr_svg_"):
            # the strokes may differ with the version of matplotlib, the words may not
            assert labels(data[SVG]) == labels(value._repr_svg_())
        else:
            assert data[HTML] == value._repr_html_()


@pytest.mark.parametrize("name", NAMES)
def test_the_rendered_notebook_is_small_and_the_same_everywhere(name: str) -> None:
    text = (NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8")
    assert len(text.encode()) < LARGEST
    document = rendered(name)
    assert set(document["metadata"]) == {"kernelspec", "language_info"}
    assert "version" not in document["metadata"]["language_info"]
    assert [cell["id"] for cell in document["cells"]] == [f"cell-{n:02}" for n in range(len(document["cells"]))]
    assert not re.search(r"/(home|root|tmp|work)/|0x7f[0-9a-f]{8}", text)
    assert not any(cell["metadata"] for cell in document["cells"])


@pytest.mark.parametrize("name", NAMES)
def test_prose_has_no_figures_of_its_own(name: str) -> None:
    """Numbers in prose would go stale; versions and the 256 of theory are names."""
    for kind, source in cells(name):
        if kind == "markdown":
            words = re.sub(
                r"`[^`]*`|libvirt\s12\.9|libvirt\s11\.3|QEMU\s7\.2|\b256\b|function\s0\b|bus\s0\b", "", source
            )
            assert not re.search(r"(?<![A-Za-z])\d", words), source


# --- what they find


def test_capacity_of_empty_machines() -> None:
    names, _ = ran(NAMES[0])
    empty = names["empty"]
    assert [len(empty[machine].buses) for machine in ("pc", "q35", "isapc", "microvm")] == [1, 1, 0, 0]
    assert (empty["pc"].room.conventional_cold, empty["pc"].room.conventional_hot) == (30, 30)
    assert (empty["q35"].room.express_cold, empty["q35"].room.express_hot) == (30, 0)
    assert sum(empty["pc"].functions_cold.values()) == 246
    assert sum(empty["q35"].functions_cold.values()) == 245


@pytest.mark.parametrize(
    ("way", "plug", "devices", "hot", "spent", "numbers", "ports", "windows"),
    [
        (("pc", "a bridge"), "conventional", 31, 31, 1, 1, 0, 1),
        (("pc", "an expander bus"), "conventional", 32, 0, 1, 2, 0, 0),
        (("pc", "multifunction by hand"), "conventional", 8, 0, 1, 0, 0, 0),
        (("q35", "a root port"), "express", 1, 1, 1, 1, 1, 0),
        (("q35", "eight root ports"), "express", 8, 8, 1, 8, 8, 0),
        (("q35", "a switch of eight"), "express", 8, 8, 1, 10, 10, 0),
        (("q35", "a bridge behind a port"), "conventional", 31, 31, 1, 2, 1, 2),
        (("q35", "a bridge behind a DMI bridge"), "conventional", 62, 31, 1, 2, 0, 2),
        (("q35", "multifunction by hand"), "express", 8, 0, 1, 0, 0, 0),
    ],
)
def test_the_price_of_each_way(
    way: tuple[str, str], plug: str, devices: int, hot: int, spent: int, numbers: int, ports: int, windows: int
) -> None:
    names, _ = ran(NAMES[0])
    price = names["prices"][way]
    assert price == {
        "plug": plug,
        "devices": devices,
        "hot": hot,
        "spent": spent,
        "numbers": numbers,
        "memory": ports * 700 / 1024,
        "windows": windows,
    }
    assert len(names["prices"]) == 9


def test_what_boots() -> None:
    names, _ = ran(NAMES[0])
    growth = {way: (accepted, booting) for way, (accepted, _, booting, *_) in names["growth"].items()}
    assert growth == {
        ("pc", "bridges"): (255, 8),
        ("pc", "expander buses"): (29, 29),
        ("q35", "root ports"): (240, 240),
        ("q35", "switches of eight"): (25, 25),
        ("q35", "bridges behind ports"): (127, 14),
    }
    devices = names["devices"]
    assert devices["q35", "virtio-blk"] == (237, 237)
    assert devices["q35", "e1000e"] == (237, 14)
    assert devices["pc", "virtio-blk"] == (928, 268)
    assert (names["cards"], names["packed"].bus_numbers) == (240, 1)


def test_the_counts_that_boot_are_where_it_changes() -> None:
    """The notebook looks for the edge by halves; count by count it is the same one."""
    names, _ = ran(NAMES[0])
    most = names["devices"]["q35", "e1000e"][1]
    boots = [
        names["capacity"](pcisim.assign(pcisim.Guest.of("q35", {"e1000e": n})).placement).io.boots for n in range(40)
    ]
    assert boots == [n <= most for n in range(40)]


def test_holes() -> None:
    names, _ = ran(NAMES[1])
    virtio = names["virtio"]
    assert {name: more.most for name, more in virtio.items()} == {
        "pc, no video": 928,
        "pc, vga": 927,
        "q35, no video": 237,
        "q35, vga": 229,
    }
    holes = virtio["pc, no video"].holes
    assert holes[:3] == ((59, 59), (89, 90), (119, 121))
    assert (299, 307) in holes
    assert len(holes) == 29
    assert not virtio["q35, no video"].holes
    assert names["conventional"]["q35, no video"].most == 931
    assert names["placed"] == [59, 89, 90, 119, 120, 121]


def test_what_to_paste() -> None:
    names, _ = ran(NAMES[1])
    assert names["lines"] == ["<controller type='pci' index='1' model='pci-bridge'/>"]
    assert names["disks"] == 59
    assert [row[2] for row in names["remedies"]] == [f"{n} x pci-bridge" for n in range(1, 9)]
    assert how_many_more(pcisim.Guest.of("pc"), "virtio-blk", names["RULES"]).most == 928


def test_dense_has_no_holes() -> None:
    names, _ = ran(NAMES[1])
    assert [names["bridges"](count, "dense") for count in (59, 250, 299)] == [0, 1, None]
    assert names["table"][0] == ["59-59", "refused", 0, 0]
    assert names["table"][-1] == ["899-927", "refused", "no layout boots", 3]


def test_what_the_guest_sees() -> None:
    names, shown = ran(NAMES[2])
    assert [
        (change.before, change.after) for change in names["compare"](names["before"], names["after"]).of("renamed")
    ] == [("enp1s0", "enp2s0")]
    assert [n for n, answer in names["answers"].items() if answer.view.boots] == [10, 11, 12, 13, 14]
    assert all(answer.accepted for answer in names["answers"].values())
    assert names["lines"] == {14: True, 15: True, 56: True}
    assert [function.label for function in names["lost"].view.unseen] == ["second"]
    assert "interface:0  the guest's enp1s0 -> enp2s0" in "".join(printed for printed, _ in shown)


def test_planning_a_host() -> None:
    names, shown = ran(NAMES[3])
    chosen = {name: (layout.policy, layout.machine) for name, layout in names["chosen"].items()}
    assert chosen == {
        "web": ("libvirt", "q35"),
        "database": ("hotplug:spare=4", "q35"),
        "router": ("hotplug:spare=4", "q35"),
        "archive": ("virtio-scsi", "q35"),
        "appliance": ("libvirt", "pc"),
        "desktop": ("libvirt", "pc"),
    }
    assert all(layout.qualifies for layout in names["chosen"].values())
    front = names["front"]
    assert (front["libvirt"], front["dense"], front["hotplug:spare=4"]) == ([(29, 26)], [(4, 0)], [(32, 26)])
    mixed = front["dense, some devices in slots of their own"]
    assert (mixed[0], mixed[-1]) == ((5, 1), (27, 26))
    assert [detachable for _, detachable in mixed] == list(range(1, 27))
    assert names["sums"][0] == 72
    assert "archive, libvirt on q35: a PCIe slot is needed" in "".join(printed for printed, _ in shown)
