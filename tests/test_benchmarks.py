"""The benchmarks run, and look at the answers before they time anything."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import pcisim
from benchmarks import core_rows, files_rows, fleet_rows, xml_rows
from benchmarks.measure import Ratio, costs, faster, in_turn, seconds_text

ROOT = Path(__file__).resolve().parent.parent


def test_ratios_are_medians_of_rounds() -> None:
    row = faster("what", 2.0, [1.0, 2.0, 1.0], [4.0, 4.0, 1.0])
    assert (row.ratio, row.met, row.rounds) == (2.0, True, 3)
    assert row.texts == ("what", "2", "at least 2", "1 s", "4 s")
    row = costs("what", 1.5, [0.004, 0.002], [0.001, 0.001])
    assert (row.ratio, row.met) == (3.0, False)
    assert row.texts == ("what", "3", "at most 1.5", "3 ms", "1 ms")
    assert row.to_json()["met"] is False


def test_sides_take_turns() -> None:
    order: list[str] = []

    def side(name: str, seconds: float) -> float:
        order.append(name)
        return seconds

    times = in_turn(2, lambda: side("a", 1.0), lambda: side("b", 2.0))
    assert order == ["a", "b", "a", "b"]
    assert times == [[1.0, 1.0], [2.0, 2.0]]


def test_times_for_people() -> None:
    assert [seconds_text(n) for n in (2, 0.0035, 0.000_012, 0.000_000_25)] == ["2 s", "3.5 ms", "12 us", "250 ns"]


def test_places_of_a_loop() -> None:
    _, places = core_rows.places(["pci-root", "pci-bridge"], 33)
    assert [f"{place >> 8}:{place >> 3 & 31}" for place in (places[0], places[30], places[31], places[32])] == [
        "0:1",
        "0:31",
        "1:1",
        "1:2",
    ]
    assert core_rows.places(["pcie-root", *["pcie-root-port"] * 3], 3)[1] == [0x100, 0x200, 0x300]


def test_fleet_rows() -> None:
    rows: list[Ratio] = fleet_rows.rows(None, 1, guests=3000)
    assert [row.at_most for row in rows] == [True] * 6
    assert fleet_rows.capacity_row(1, guests=200).met


def test_files_rows() -> None:
    two, rate = files_rows.rows(1, files=40)
    assert two.ratio > 0
    assert rate.ours == f"{rate.ratio:,.0f}/s"


def test_guests_of_the_xml_rows_are_of_many_shapes() -> None:
    for size in xml_rows.SIZES:
        documents = xml_rows.guests(size)
        assert len(set(documents)) >= (2 if size == 1 else 12)
        for text in documents:
            plan = pcisim.assign(text)
            added = {"memballoon:0", "usb:0", "sata:0"}
            assert sum(not label.startswith("pci:") and label not in added for label in plan.addresses) == size


def test_guests_of_the_xml_rows_are_of_many_kinds() -> None:
    for kind in xml_rows.KINDS:
        for text in xml_rows.guests(20, kind):
            assert pcisim.assign(text).placement.guest.machine_type == ("pc" if kind == "pc" else "q35")
    (plan,) = (pcisim.assign(text) for text in xml_rows.guests(200, xml_rows.MANY)[:1])
    assert {"sound:0", "scsi:1", "virtio-serial:0", "video:0"} <= set(plan.addresses)


@pytest.mark.slow
def test_ratios_as_json() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "ratios.py"), "--json", "--rounds", "1", "--only", "core"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    document = json.loads(done.stdout)
    assert document["schema"] == "pcisim.ratios/1"
    assert document["rows"][-1]["what"].startswith("an address of a run on pc: among 7,000")
    assert len(document["rows"]) == 12 or document["skipped"][0].startswith("libvirt's C loop: ")
