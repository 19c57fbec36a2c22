"""Answers: what the figures count, what is worked out once, and what errors say."""

from __future__ import annotations

import pytest

import pcisim
from pcisim.capacity.report import capacity
from pcisim.errors import UsageError
from pcisim.fleet.survey import answers as module
from pcisim.fleet.survey.answers import Answers, Figures, Question, figures
from pcisim.fleet.survey.rows import COLUMNS, Row
from pcisim.guest import Guest
from tests.fleet.fleets import SHAPES, named
from tests.guests import BARE, FIRST_LINE, disks, domain, nic, pci, video
from tests.record_goldens import cases, not_covered, read_answer, read_guest

ACCEPTED = [case for case in cases() if read_answer(case)["12.9"]["ok"] and "12.9" not in not_covered(case)]


def test_columns_are_the_fields_of_a_row() -> None:
    assert tuple(column.name for column in COLUMNS) == Row._fields
    assert Row._fields[2:3] + Row._fields[8:] == Figures._fields


def test_figures() -> None:
    row = Answers(Question()).of_document("a.xml", named(SHAPES["web"], "web"))
    # a card, two disks, xhci and a balloon in ports, one port more, all ports in slot 1; SATA in slot 1f
    plan = pcisim.assign(SHAPES["web"])
    bridges = [d for d in plan.placement.addresses if d.label.startswith("pci:")]
    assert row == Row(
        "a.xml", "web", "pc-q35-9.2", "12.9", True, None, None, None,
        devices=6, controllers=6, buses=7, ports=6, used=7,
        free_cold_express=30, free_cold_conventional=0, free_hot_express=1, free_hot_conventional=0, boots=True,
    )  # fmt: skip
    assert len(bridges) == row.controllers


@pytest.mark.parametrize("case", ACCEPTED)
def test_figures_are_those_of_the_capacity(case: str) -> None:
    plan = pcisim.assign(read_guest(case))
    report, mine = capacity(plan.placement), figures(plan.placement)
    assert mine.boots == report.io.boots
    assert (mine.machine, mine.ports, mine.buses) == (report.machine, report.ports, len(report.buses))
    assert mine.free_cold_express == report.room.express_cold
    assert mine.free_cold_conventional == report.room.conventional_cold
    assert mine.free_hot_express == report.room.express_hot
    assert mine.free_hot_conventional == report.room.conventional_hot
    assert mine.used == sum(bus.usable_slots - bus.free_slots for bus in report.buses if bus.plug)
    mirrors = sum(d.mirrors is not None for d in plan.placement.addresses)
    assert mine.devices + mine.controllers == len(plan.addresses) - mirrors


def test_a_shape_is_worked_out_once() -> None:
    answers = Answers(Question())
    rows = [answers.of_document(f"{n}.xml", named(SHAPES["db"], f"db-{n}")) for n in range(5)]
    assert answers.worked_out == 1
    assert [(row.path, row.name) for row in rows] == [(f"{n}.xml", f"db-{n}") for n in range(5)]
    assert len({row[2:] for row in rows}) == 1
    answers.of_document("x.xml", named(SHAPES["web"], "web"))
    assert answers.worked_out == 2


def test_shapes_are_forgotten_when_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SHAPES", 2)
    answers = Answers(Question())
    for _ in range(2):
        for count in (1, 2, 3):
            row = answers.of_counts("t", None, "pc", (("virtio-blk", count),), None)
            assert row.devices == count + 2
    assert 3 < answers.worked_out <= 6


def test_refused_and_unreadable() -> None:
    answers = Answers(Question())
    rows = {shape: answers.of_document(shape, named(text, shape)) for shape, text in SHAPES.items()}
    lines = {
        shape: (row.name, row.machine, row.fits, row.code, row.line) for shape, row in rows.items() if not row.fits
    }
    assert lines == {
        "too-many": ("too-many", "pc", False, "no-slot-for-controller", None),
        "clash": ("clash", "pc", False, "slot-occupied", FIRST_LINE + 2),
        "cut": (None, None, None, "xml-syntax", 12),
        "other": ("default", None, None, "not-a-domain", 1),
    }
    assert rows["clash"].message == "Attempted double use of PCI Address 0000:00:03.0"
    assert rows["too-many"].lacks_room
    assert not rows["clash"].lacks_room
    assert rows["clash"].devices is None


def test_a_refusal_is_worked_out_once_and_names_the_line_of_each() -> None:
    answers = Answers(Question())
    document = SHAPES["clash"].replace("><", ">\n<")
    first = answers.of_document("a", named(document, "a"))
    assert (first.code, first.line) == ("slot-occupied", FIRST_LINE + 7)
    again = answers.of_document("b", b"\n\n\r\n" + named(document, "b"))
    assert again == first._replace(path="b", name="b", line=FIRST_LINE + 10)
    assert answers.worked_out == 1
    for name in ("c", "d"):
        row = answers.of_document(name, named(SHAPES["too-many"], name))
        assert (row.name, row.code, row.line) == (name, "no-slot-for-controller", None)
    assert answers.worked_out == 2


def test_a_line_with_several_elements_is_read_each_time() -> None:
    answers = Answers(Question())
    document = SHAPES["clash"].replace("\n", "")
    for text, line in ((document, 1), (document.replace("<interface", "\n<interface"), 3), (document, 1)):
        row = answers.of_document("clash", text.encode())
        assert (row.code, row.line) == ("slot-occupied", line)
    assert answers.worked_out == 3


def test_will_not_boot() -> None:
    bridges = "".join(pci("pci-bridge", index) for index in range(1, 12))
    row = Answers(Question()).of_document("a", domain("pc", BARE, bridges).encode())
    assert (row.fits, row.boots) == (True, False)
    row = Answers(Question()).of_document("a", domain("pc", BARE).encode())
    assert (row.fits, row.boots) == (True, True)


def test_more_of_a_device() -> None:
    question = Question(more=(("virtio-blk", 2), ("virtio-net", 1))).checked()
    plain = Answers(Question()).of_document("a", domain("pc", disks(3), nic()).encode())
    more = Answers(question).of_document("a", domain("pc", disks(3), nic()).encode())
    assert (more.devices, more.free_cold_conventional) == (plain.devices + 3, plain.free_cold_conventional - 3)  # type: ignore[operator]
    full = Answers(question).of_counts("a", None, "pc", (("virtio-blk", 28),), None)
    assert (full.fits, full.buses) == (True, 2)


def test_counts_are_those_of_a_guest() -> None:
    row = Answers(Question()).of_counts("t:1", "n", "q35", (("virtio-blk", 3), ("vga", 1)), 7)
    expected = figures(pcisim.assign(Guest.of("q35", {"virtio-blk": 3, "vga": 1})).placement)
    assert row == Row("t:1", "n", "q35", "12.9", True, None, None, None, *expected[1:])
    refused = Answers(Question()).of_counts("t:1", "n", "frobnicate", (("virtio-blk", 3),), 7)
    assert (refused.fits, refused.machine, refused.code, refused.line) == (False, "frobnicate", "no-pci-bus", 7)


def test_version() -> None:
    document = domain(
        "pc", "<crypto model='virtio' type='qemu'><backend model='builtin'/></crypto>", video("vga")
    ).encode()
    old, new = (Answers(Question(v).checked()).of_document("a", document) for v in ("9.0.0", "11.3"))
    assert (old.libvirt, new.libvirt) == ("9.0", "11.3")
    assert new.devices == (old.devices or 0) + 1


@pytest.mark.parametrize(
    "question", [Question("6.0"), Question(policy="best"), Question(more=(("x", 1),)), Question(more=(("vga", -1),))]
)
def test_wrong_questions(question: Question) -> None:
    with pytest.raises(UsageError):
        question.checked()
