"""Every public docstring has an example, and every example is right."""

from __future__ import annotations

import doctest
import inspect
import sys
from collections.abc import Iterator

import pytest

import pcisim
from pcisim import fleet
from pcisim.diagnose import limits_of

CLASSES = (pcisim.Guest, pcisim.PciAddress, pcisim.Plan)
"""Classes whose public attributes are part of the contract, too."""
FINDER = doctest.DocTestFinder(recurse=False)


def public() -> Iterator[tuple[str, object]]:
    """Yield everything public, by name."""
    for name in pcisim.__all__:
        yield name, getattr(pcisim, name)
    yield from (("fleet.assign", fleet.assign), ("fleet.capacity", fleet.capacity), ("limits_of", limits_of))
    for kind in CLASSES:
        for name, value in vars(kind).items():
            described = value.__func__ if isinstance(value, classmethod) else value
            if not name.startswith("_") and (inspect.isfunction(described) or isinstance(described, property)):
                yield f"{kind.__name__}.{name}", described.fget if isinstance(described, property) else described


PUBLIC = dict(public())


def test_the_contract_is_looked_at() -> None:
    """The verbs of the contract are among what is public."""
    verbs = {"explain", "to_xml", "to_qemu_args", "to_json", "capacity", "max_count", "fits", "check", "guest", "diff"}
    assert {f"Plan.{verb}" for verb in (*verbs, "topology", "addresses")} <= set(PUBLIC)
    assert {"assign", "assign_xml", "recommend", "reassign", "keep", "explain", "Guest.of"} <= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_example(name: str) -> None:
    value = PUBLIC[name]
    module = sys.modules[getattr(value, "__module__", "pcisim")]
    found = FINDER.find(value, name, globs=dict(vars(module)))
    examples = [example for test in found for example in test.examples]
    assert examples, f"{name} has no example"
    heard: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    for test in found:
        runner.run(test, out=heard.append)
    assert not heard, "".join(heard)


@pytest.mark.parametrize("name", [name for name, value in PUBLIC.items() if inspect.isfunction(value)])
def test_signature(name: str) -> None:
    """`help` shows what a call takes: no ``*args`` and no ``**kwargs``, and every parameter has a type."""
    signature = inspect.signature(PUBLIC[name])  # type: ignore[arg-type]
    for parameter in signature.parameters.values():
        assert parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        assert parameter.name in ("self", "cls") or parameter.annotation is not parameter.empty
    assert signature.return_annotation is not signature.empty
