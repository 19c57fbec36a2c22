"""The table of QEMU's bridges, and that nothing outside the catalogue lists them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import pcisim
from pcisim.catalogue import bridges, controllers
from pcisim.catalogue.bridges import BRIDGES, PORT, ROOT, SWITCH
from pcisim.catalogue.properties import PROPERTIES

PACKAGE = Path(pcisim.__file__).parent
OUTSIDE = sorted(path for path in PACKAGE.rglob("*.py") if "catalogue" not in path.relative_to(PACKAGE).parts)
LIBVIRTS = frozenset(controllers.PCI_CONTROLLERS)
QEMUS_ONLY = frozenset(BRIDGES) - LIBVIRTS


def test_every_bridge_that_libvirt_uses_has_a_row() -> None:
    used = {name for row in controllers.PCI_CONTROLLERS.values() for name in row.model_names}
    assert used <= set(BRIDGES)


@pytest.mark.parametrize("row", BRIDGES.values(), ids=lambda row: row.driver)
def test_row(row: bridges.Bridge) -> None:
    properties = PROPERTIES[row.driver]
    assert row.reserves == ("io-reserve" in properties)
    assert row.reserves >= row.reserve_read
    assert row.reserves >= bool(row.no_io_window)
    assert (row.behind == ROOT) == ("bus_nr" in properties)
    assert (row.behind == PORT) == ("chassis" in properties)
    assert row.shpc <= ("shpc" in properties or row.driver == "pcie-pci-bridge")
    assert row.behind != SWITCH or row.express


def test_libvirts_names_say_the_same() -> None:
    assert {"pci-expander-bus", "pcie-expander-bus"} == controllers.EXPANDERS
    assert {"pcie-root-port", "pcie-switch-downstream-port"} == controllers.PORTS
    assert {"pci-bridge", "pcie-to-pci-bridge"} == controllers.SHPC_BRIDGES
    for row in controllers.PCI_CONTROLLERS.values():
        for name in row.model_names:
            assert row.is_port == (BRIDGES[name].behind == PORT)
            assert row.is_expander == (BRIDGES[name].behind == ROOT)


def texts_of(node: ast.AST) -> list[str]:
    return [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def test_nothing_outside_the_catalogue_lists_bridges() -> None:
    for path in OUTSIDE:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not QEMUS_ONLY & set(texts_of(tree)), path
        for node in ast.walk(tree):
            if isinstance(node, (ast.Tuple, ast.Set)):
                listed = LIBVIRTS & {e.value for e in node.elts if isinstance(e, ast.Constant)}
                assert len(listed) < 2, (path, ast.unparse(node))
