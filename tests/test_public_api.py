"""The public contract, and what an import may cost."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

import pcisim
from pcisim.errors import InputError, PcisimError, RefusedError, UsageError
from tests.guests import BARE, disk, domain

HEAVY = ("numpy", "matplotlib", "rich", "dask", "pyarrow", "lxml", "attr", "attrs")


def test_names() -> None:
    eager = {"Guest", "PciAddress", "PcisimError", "Plan", "assign", "assign_xml"}
    assert set(pcisim.__all__) == eager | {"enumerate_guest", "simulate_hotplug", "simulate_qemu"}
    for name in pcisim.__all__:
        assert getattr(pcisim, name).__doc__, name
    assert pcisim.__version__.count(".") == 2


def test_assign_xml_signature() -> None:
    parameters = inspect.signature(pcisim.assign_xml).parameters
    assert list(parameters) == ["xml", "policy", "libvirt", "host_pci"]
    assert [p.default for p in parameters.values()][1:] == ["libvirt", "12.9", None]
    assert all(p.kind is p.KEYWORD_ONLY for name, p in parameters.items() if name != "xml")


def test_assign_signature() -> None:
    parameters = inspect.signature(pcisim.assign).parameters
    assert list(parameters)[:2] == ["guest", "policy"]
    assert parameters["policy"].default == "libvirt"
    assert parameters["libvirt"].default == "12.9"


def test_plan_has_what_the_contract_says() -> None:
    plan = pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 20, "virtio-net": 3}))
    assert plan.addresses["disk:vda"] == pcisim.PciAddress("0000:05:00.0")
    assert plan.explain("disk:vda").address == plan.addresses["disk:vda"]
    assert isinstance(plan.to_xml(), str)
    assert isinstance(plan.to_qemu_args(), list)
    assert plan.to_json()["schema"] == "pcisim.plan/1"
    assert len(plan.topology.buses) == 27


def test_address_has_four_numbers() -> None:
    address = pcisim.PciAddress("0000:03:1f.7")
    assert (address.domain, address.bus, address.slot, address.function) == (0, 3, 31, 7)
    assert {type(part) for part in (address.domain, address.bus, address.slot, address.function)} == {int}


@pytest.mark.parametrize("kind", [RefusedError, UsageError, InputError])
def test_every_refusal_is_one_of_its_kind(kind: type[Exception]) -> None:
    assert issubclass(kind, pcisim.PcisimError)


@pytest.mark.parametrize("guest", ["", "<domain/>", b"\xff\xfe", "<a/>", b"", "<domain><os><type/></os></domain"])
def test_bad_text_is_refused_as_such(guest: str | bytes) -> None:
    with pytest.raises(pcisim.PcisimError):
        pcisim.assign_xml(guest)


# --- what is loaded


def loaded(code: str, *arguments: str, stdin: str = "") -> set[str]:
    """Return the names of all modules that a new interpreter has loaded after some code."""
    program = f"{code}\nimport sys\nprint(*sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        check=True,
        cwd=Path(pcisim.__file__).parent.parent,
    )
    return set(done.stderr.splitlines()[-1].split())


def test_import_loads_nothing_heavy() -> None:
    modules = loaded("import pcisim; pcisim.assign; pcisim.Guest; pcisim.PciAddress")
    assert "pcisim.plan" in modules
    assert modules.isdisjoint(HEAVY)


def test_piped_assign_loads_nothing_heavy() -> None:
    modules = loaded(
        "import sys\nfrom pcisim.cli import main\nassert main(['assign', '-']) == 0",
        stdin=domain("q35", BARE, disk()),
    )
    assert {"pcisim.cli.assign", "pcisim.formats.domain.reader"} <= modules
    assert modules.isdisjoint(HEAVY)
    assert "shutil" not in modules - loaded("")


def test_piped_tree_loads_nothing_heavy() -> None:
    modules = loaded(
        "import sys\nfrom pcisim.cli import main\nassert main(['tree', '-']) == 0", stdin=domain("pc", BARE, disk())
    )
    assert "pcisim.formats.tree" in modules
    assert modules.isdisjoint(HEAVY)


def test_the_check_would_see_a_heavy_module() -> None:
    assert "json" in loaded("import json")


# arguments of another type

SERVER = domain("pc", disk())
NO_TEXT: tuple[Any, ...] = (None, 5, 1.5, True, [], {}, object(), ("a",), numpy.int64(3))
CALLS: dict[str, tuple[Callable[[Any], object], tuple[Any, ...]]] = {
    "document": (pcisim.assign_xml, NO_TEXT),
    "guest": (pcisim.assign, NO_TEXT),
    "libvirt": (lambda value: pcisim.assign_xml(SERVER, libvirt=value), (*NO_TEXT, b"12.9")),
    "policy": (lambda value: pcisim.assign_xml(SERVER, policy=value), (*NO_TEXT, b"libvirt")),
    "host_pci": (lambda value: pcisim.assign_xml(SERVER, host_pci=value), (5, [], b"auto", True)),
    "machine": (pcisim.Guest.of, (*NO_TEXT, b"q35")),
    "arch": (lambda value: pcisim.Guest.of("q35", arch=value), (*NO_TEXT, b"x86_64")),
    "devices": (lambda value: pcisim.Guest.of("q35", value), (5, "vga", b"vga", [("vga", 1)], True, object())),
    "device": (lambda value: pcisim.Guest.of("q35", {value: 1}), (None, 5, b"vga", ("vga",))),
    "count": (
        lambda value: pcisim.Guest.of("q35", {"vga": value}),
        (None, 1.0, True, "1", -1, 10**30, numpy.float64(1)),
    ),
    "address": (pcisim.PciAddress, (None, 1.5, [], b"0000:00:01.0")),
}


@pytest.mark.parametrize("what", CALLS)
def test_arguments_of_another_type(what: str) -> None:
    """Refused by name: a TypeError of somewhere inside says nothing."""
    call, values = CALLS[what]
    for value in values:
        with pytest.raises(PcisimError) as caught:
            call(value)
        assert caught.value.exit_status in (2, 3), value
        assert caught.value.headline, value


def test_counts_of_numpy() -> None:
    counts = {"virtio-blk": numpy.int64(2), "virtio-net": numpy.uint8(1)}
    guest = pcisim.Guest.of("q35", counts)  # they are no int for mypy
    assert len(pcisim.assign(guest).addresses) == len(
        pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 2, "virtio-net": 1})).addresses
    )
