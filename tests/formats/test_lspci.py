"""lspci's listing and tree: against the real lspci, which reads a dump of the same view."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import pcisim
from pcisim.catalogue.functions import FUNCTIONS
from pcisim.catalogue.pci_names import BASE_CLASSES, CLASSES, DEVICES, VENDORS
from pcisim.enumeration import GuestView, enumerate_guest
from pcisim.errors import UsageError
from pcisim.formats.lspci import BOTH, NUMBERS, Selection, device_name, listing, selection, size_text, tree
from tests.formats.lspci_dump import dump
from tests.guests import BARE, domain, nic
from tests.oracle.record_lspci import FOLDER, MACHINES, OPTIONS
from tests.record_goldens import cases, read_guest

IDS = Path("/usr/share/misc/pci.ids")
VERSION = "2023.04.10"
real = pytest.mark.skipif(shutil.which("lspci") is None, reason="needs lspci (pciutils)")
named = pytest.mark.skipif(
    not IDS.is_file() or VERSION not in IDS.read_text(encoding="utf-8")[:500], reason=f"needs pci.ids of {VERSION}"
)
WITH_BRIDGES = [case for case in cases() if case.startswith(("names-", "q35-", "pc-"))]


def view_of(case: str) -> GuestView | None:
    """Return the view of a guest whose devices are all known and whose buses have numbers; else ``None``."""
    try:
        plan = pcisim.assign(read_guest(case))
    except pcisim.PcisimError:
        return None
    if not plan.topology.buses:
        return None
    view = enumerate_guest(plan.placement)
    return view if view.boots and all(function.vendor for function in view.functions) else None


def lspci(view: GuestView, folder: Path, *words: str) -> list[str]:
    path = folder / "dump"
    path.write_text(dump(view), encoding="ascii")
    done = subprocess.run(["lspci", "-F", str(path), *words], capture_output=True, check=True, text=True)
    assert all("libkmod" in line for line in done.stderr.splitlines()), done.stderr
    return done.stdout.splitlines()


@real
def test_numbers_and_trees_are_those_of_lspci(tmp_path: Path) -> None:
    compared = 0
    for case in WITH_BRIDGES:
        view = view_of(case)
        if view is None:
            continue
        compared += 1
        assert tree(view) == lspci(view, tmp_path, "-t"), case
        assert tree(view, numeric=NUMBERS, verbose=True) == lspci(view, tmp_path, "-tvn"), case
        assert listing(view, numeric=NUMBERS) == lspci(view, tmp_path, "-n"), case
    assert compared >= 40


@real
@named
@pytest.mark.parametrize("case", [case for case in WITH_BRIDGES if case.startswith("names-")])
def test_names_are_those_of_lspci(case: str, tmp_path: Path) -> None:
    view = view_of(case)
    assert view is not None
    assert listing(view) == lspci(view, tmp_path)
    assert listing(view, numeric=BOTH) == lspci(view, tmp_path, "-nn")
    assert listing(view, domains=True) == lspci(view, tmp_path, "-D")
    assert tree(view, verbose=True) == lspci(view, tmp_path, "-tv")
    assert tree(view, verbose=True, numeric=BOTH) == lspci(view, tmp_path, "-tvnn")
    for place in ("00:", "01:", "1f", "00:04.0", ".1", "*:*.1"):
        assert listing(view, only=selection(place)) == lspci(view, tmp_path, "-s", place), place


@real
@named
@pytest.mark.parametrize("case", [case for case in WITH_BRIDGES if case.startswith("names-")])
def test_bridges_are_those_of_lspci(case: str, tmp_path: Path) -> None:
    view = view_of(case)
    assert view is not None
    ours = _bridges(listing(view, verbose=True))
    assert ours == _bridges(lspci(view, tmp_path, "-v"))
    assert sum(line.startswith("\tBus:") for line in ours) == sum(f.is_bridge for f in view.functions)


def _bridges(lines: list[str]) -> list[str]:
    """Return what -v says of numbers and windows; how many bits a window's end has depends on its place."""
    wanted = [line for line in lines if line[:1] not in ("\t", "") or "Bus:" in line or "behind bridge" in line]
    pattern = re.compile(r" \[(?:16|32|64)-bit\]|(?<=[ -])0{8}(?=[0-9a-f]{8}[- ])")
    return [pattern.sub("", line) for line in wanted]


@pytest.mark.parametrize("name", MACHINES)
def test_a_guest_printed_the_same(name: str) -> None:
    recorded = json.loads((FOLDER / f"{name}.json").read_text())
    view = pcisim.simulate_qemu(recorded["machine"], recorded["devices"]).view
    assert view is not None
    printed = recorded["lspci"]
    assert set(printed) == set(OPTIONS)
    assert listing(view) == printed[""]
    assert tree(view) == printed["-t"]
    assert tree(view, verbose=True) == printed["-tv"]
    assert tree(view, verbose=True, numeric=BOTH) == printed["-tvnn"]
    assert listing(view, numeric=NUMBERS) == printed["-n"]
    assert listing(view, numeric=BOTH) == printed["-nn"]
    assert listing(view, domains=True) == printed["-D"]
    assert listing(view, only=selection("01:")) == printed["-s 01:"]
    assert _modelled(listing(view, verbose=True)) == _modelled(printed["-v"])


def _modelled(lines: list[str]) -> list[str]:
    """Return what -v says of what is modelled: not where a ROM is shown, nor the fixed ports of an IDE controller."""
    others = r"\t(Flags|Capabilities|Kernel|Subsystem|Physical|Expansion ROM|I/O ports at 0[13][f7][04])"
    return [line for line in lines if not re.match(others, line)]


@named
def test_names_are_those_of_pci_ids() -> None:
    vendor, vendors, devices, classes = 0, {}, {}, {}
    for line in IDS.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"([0-9a-f]{4})  (.*)", line):
            vendor = int(found[1], 16)
            vendors[vendor] = found[2]
        elif found := re.match(r"C ([0-9a-f]{2})  ", line):
            vendor = -int(found[1], 16) - 1
        elif vendor >= 0 and (found := re.match(r"\t([0-9a-f]{4})  (.*)", line)):
            devices[vendor, int(found[1], 16)] = found[2]
        elif vendor < 0 and (found := re.match(r"\t([0-9a-f]{2})  (.*)", line)):
            classes[-vendor - 1 << 8 | int(found[1], 16)] = found[2]
    ids = {(row.vendor, row.device) for row in FUNCTIONS.values()}
    ids |= {(row.vendor, row.legacy) for row in FUNCTIONS.values() if row.legacy}
    assert dict(DEVICES) == {pair: devices[pair] for pair in ids if pair in devices}
    assert dict(VENDORS) == {number: vendors[number] for number, _ in ids if number in vendors}
    codes = {row.class_code for row in FUNCTIONS.values()}
    assert dict(CLASSES) == {code: classes[code] for code in codes if code in classes}
    assert {code >> 8 for code in codes if code not in classes} == set(BASE_CLASSES)


def test_devices_without_a_name() -> None:
    assert device_name(0x1B36, 0x000E) == "Red Hat, Inc. Device 000e"
    assert device_name(0x1B36, 0x000E, BOTH) == "Red Hat, Inc. Device [1b36:000e]"
    assert device_name(0x1234, 0x1111) == "Device 1234:1111"
    assert device_name(0x1234, 0x1111, BOTH) == "Device [1234:1111]"
    assert device_name(0x1AF4, 0x1000, NUMBERS) == "1af4:1000"


def test_a_device_of_the_host() -> None:
    source = "<source><address domain='0' bus='1' slot='16' function='0'/></source>"
    plan = pcisim.assign(domain("q35", BARE, f"<hostdev mode='subsystem' type='pci'>{source}</hostdev>"))
    view = enumerate_guest(plan.placement)
    assert "01:00.0 Unknown class: Device of the host (hostdev:0)" in listing(view)
    assert "-[01]----00.0  Device of the host (hostdev:0)" in "\n".join(tree(view, verbose=True))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", Selection()),
        ("3", Selection(slot=3)),
        ("3.1", Selection(slot=3, function=1)),
        (".1", Selection(function=1)),
        ("01:", Selection(bus=1)),
        ("1:2.3", Selection(bus=1, slot=2, function=3)),
        ("0000:1f:*.0", Selection(domain=0, bus=0x1F, function=0)),
        ("0::2", Selection(domain=0, slot=2)),
    ],
)
def test_selections(text: str, wanted: Selection) -> None:
    assert selection(text) == wanted


@pytest.mark.parametrize("text", ["x", "1.8", "0:0:0:0", "100:", "1.2.3"])
def test_bad_selections(text: str) -> None:
    with pytest.raises(UsageError):
        selection(text)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0"), (32, "32"), (4096, "4K"), (1536 << 10, "1536K"), (2 << 20, "2M"), (1 << 40, "1T")]
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


def test_a_deep_chain_of_bridges() -> None:
    bridges = "".join(f"<controller type='pci' index='{i}' model='pci-bridge'/>" for i in range(1, 3))
    plan = pcisim.assign(domain("pc", BARE, bridges, nic()))
    lines = tree(enumerate_guest(plan.placement))
    assert lines[0] == "-[0000:00]-+-00.0"
    assert lines[-1].startswith("           \\-")
