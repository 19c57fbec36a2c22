"""The public contract, and what an import may cost."""

from __future__ import annotations

import inspect
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

import pcisim
from pcisim.capacity.max_count import how_many_more
from pcisim.capacity.report import capacity
from pcisim.errors import InputError, PcisimError, RefusedError, UsageError
from pcisim.frames import LIBRARIES
from tests.guests import BARE, at, disk, domain

HEAVY = ("numpy", "matplotlib", "rich", "dask", "pyarrow", "lxml", "attr", "attrs")


def test_names() -> None:
    eager = {"Guest", "PciAddress", "PcisimError", "Plan", "assign", "assign_xml"}
    lazy = {"check", "enumerate_guest", "explain", "keep", "reassign", "recommend", "simulate_hotplug", "simulate_qemu"}
    assert set(pcisim.__all__) == eager | lazy
    assert {*pcisim.__all__, "fleet", "__version__"} <= set(dir(pcisim))
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


def test_what_is_loaded_on_first_use() -> None:
    modules = loaded("import pcisim; dir(pcisim)")
    assert modules.isdisjoint({"pcisim.diagnose", "pcisim.rewrite", "pcisim.simulation", "pcisim.fleet", *HEAVY})
    assert {"pcisim.diagnose", "pcisim.rewrite.keep"} <= loaded("import pcisim; pcisim.check, pcisim.keep")


# the verbs of a plan

SMALL = {"virtio-blk": 2, "virtio-net": 1}


def test_verbs_of_a_plan_are_those_of_the_commands() -> None:
    plan = pcisim.assign(pcisim.Guest.of("q35", SMALL))
    assert plan.capacity() == capacity(plan.placement)
    assert plan.max_count("virtio-blk") == how_many_more(plan.source, "virtio-blk", plan.rules)
    assert plan.fits({"virtio-blk": 1})
    assert not plan.fits({"virtio-blk": 2}, hotplug=True)
    assert plan.check() == pcisim.check(plan.source) == []
    assert plan.guest() == pcisim.enumerate_guest(plan.placement, "seabios")
    assert plan.guest("ovmf").firmware == "ovmf"
    assert not plan.diff(plan)
    assert plan.diff(pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 3})))


def test_check_of_a_plan_is_that_of_its_document() -> None:
    text = domain("pc", disk(0), "<hostdev mode='subsystem' type='pci'><source><address bus='6'/></source></hostdev>")
    host_pci = {"0000:06:00.0": "pci"}
    plan = pcisim.assign(text, host_pci=host_pci)
    assert plan.check(limits="rhel7") == pcisim.check(text, host_pci=host_pci, limits="rhel7")
    with pytest.raises(UsageError):
        plan.check(limits="rhel99")


def test_what_other_policies_do_not_count() -> None:
    plan = pcisim.assign(pcisim.Guest.of("q35", SMALL), "qemu")
    for call in (lambda: plan.max_count("virtio-blk"), lambda: plan.fits({"virtio-blk": 1})):
        with pytest.raises(UsageError, match="counts as libvirt places"):
            call()
    assert pcisim.assign(pcisim.Guest.of("q35", SMALL), "dense").max_count("virtio-blk").most > 0


def test_explain_with_a_document() -> None:
    text = domain("pc", disk(0, at(0, 5)), disk(1, at(0, 5)))
    found = pcisim.explain("Attempted double use of PCI Address 0000:00:05.0", text)
    assert found.case is not None
    assert [f.line for f in found.case.findings] == [11]
    assert pcisim.check(str(found.case.patched)) == []
    assert str(found).startswith("Attempted double use of PCI Address ...")


def test_keep_and_reassign() -> None:
    old, new = domain("q35", disk(0), disk(1)), domain("q35", disk(1), disk(0), disk(2))
    before, after = pcisim.assign(old).addresses, pcisim.assign(pcisim.keep(old, new).text).addresses
    assert {label: after[label] for label in ("disk:vda", "disk:vdb")} == {
        label: before[label] for label in ("disk:vda", "disk:vdb")
    }
    assert pcisim.assign(pcisim.reassign(pcisim.assign_xml(old)).text).addresses == before


# short reprs


def test_reprs_that_evaluate() -> None:
    for machine, devices, arch in (
        ("q35", SMALL, "x86_64"),
        ("virt", {}, "aarch64"),
        ("pc", {"pci-bridge": 2}, "x86_64"),
    ):
        guest = pcisim.Guest.of(machine, devices, arch=arch)
        again = eval(repr(guest), {"Guest": pcisim.Guest})
        assert (repr(again), pcisim.assign(again).addresses) == (repr(guest), pcisim.assign(guest).addresses)


def test_reprs_that_do_not_are_marked_and_short() -> None:
    plan = pcisim.assign(domain("q35", disk(0)))
    mixed = pcisim.Guest.of("q35", ["pci-bridge", "dmi-to-pci-bridge", "pci-bridge"])
    others = (
        *(plan, plan.source, plan.placement, plan.topology, plan.placement.guest, plan.rules),
        *(plan.capacity(), plan.guest(), plan.fits({"vga": 1}), plan.diff(plan), plan.explain("disk:vda")),
        *(pcisim.recommend(mixed), pcisim.simulate_qemu("q35", []), pcisim.explain("nothing")),
        *(pcisim.reassign(domain("q35")), pcisim.keep(domain("q35"), domain("q35")), mixed),
        plan.source.devices["disk"][0],
    )
    for value in others:
        assert repr(value).startswith("<"), repr(value)[:200]
        assert len(repr(value)) < 120, repr(value)
        assert " at 0x" not in repr(value)
    assert len(repr(plan.policy)) < 120


# data frames


class _Frame(dict[str, Any]):
    """What stands for a data frame."""


def _tables() -> dict[str, tuple[Any, int]]:
    plan = pcisim.assign(pcisim.Guest.of("q35", SMALL))
    other = pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 3}))
    view, difference, found = plan.guest(), plan.diff(other), pcisim.recommend(plan.source)
    placed = pcisim.fleet.assign("q35", ["virtio-blk"], [[1], [2], [3]])
    room = pcisim.fleet.capacity("q35", ["virtio-blk"], [[1], [2]], of="virtio-net")
    return {
        "capacity": (plan.capacity(), len(plan.topology.buses)),
        "guest": (view, len(view.functions) + len(view.unseen)),
        "difference": (difference, len(difference.changes)),
        "nothing": (plan.diff(plan), 0),
        "recommendation": (found, len(found.layouts)),
        "fleet": (placed, 3),
        "fleet capacity": (room, 2),
    }


@pytest.mark.parametrize("library", LIBRARIES)
def test_frames(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of pandas if it is there, else of polars; either takes columns."""
    for name in LIBRARIES:
        module = types.ModuleType(name)
        module.DataFrame = _Frame  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, module if name == library else None)
    for name, (table, rows) in _tables().items():
        frame = table.to_frame()
        assert isinstance(frame, _Frame), name
        assert frame, name
        assert {len(column) for column in frame.values()} == {rows}, name


def test_frames_without_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LIBRARIES:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match="needs pandas or polars") as caught:
        pcisim.assign(pcisim.Guest.of("q35")).capacity().to_frame()
    assert caught.value.remedy == "pip install pandas; or pip install polars"


# arguments of another type

SERVER = domain("pc", disk())
NO_TEXT: tuple[Any, ...] = (None, 5, 1.5, True, [], {}, object(), ("a",), numpy.int64(3))
CALLS: dict[str, tuple[Callable[[Any], object], tuple[Any, ...]]] = {
    "document": (pcisim.assign_xml, NO_TEXT),
    "guest": (pcisim.assign, NO_TEXT),
    "simulated": (lambda value: pcisim.simulate_qemu("q35", value), ("e1000", b"e1000")),
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
    "added": (lambda value: pcisim.assign(SERVER).fits(value), ("vga", b"vga", {"vga": -1})),
    "other": (lambda value: pcisim.assign(SERVER).diff(value), (*NO_TEXT, SERVER)),
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
