"""The summary: its figures, its groups, its words."""

from __future__ import annotations

from pcisim.fleet.survey.rows import Row
from pcisim.fleet.survey.summary import EXAMPLES, Summary


def fits(
    path: str, machine: str = "pc", used: int = 3, cold: int = 7, hot: int | None = None, boots: bool = True
) -> Row:
    """Return the row of a guest with slots of the kind its machine takes."""
    left = (cold, 0) if "q35" in machine else (0, cold)
    hot = cold if hot is None else hot
    running = (hot, 4) if "q35" in machine else (4, hot)
    return Row(path, path, machine, "11.3", True, None, None, None, 3, 0, 1, 0, used, *left, *running, boots)


def refused(path: str, code: str = "no-more-slots", fits: bool | None = False) -> Row:
    return Row(path, path, "pc", "11.3", fits, code, f"about {path}\x1b", 7)


def test_summary() -> None:
    summary = Summary("11.3", (("virtio-net", 2),))
    summary.add([fits("a"), fits("b", hot=0), fits("c", "q35", used=10, cold=0, boots=False), refused("d")])
    summary.add([refused("e", "slot-occupied"), refused("f"), refused("g", "xml-syntax", fits=None)])
    assert not summary.sound
    assert summary.lines() == [
        "7 guests, as libvirt 11.3, with 2 more virtio-net: 3 fit, 3 refused, 1 cannot be read",
        "slots in use: half of the guests use at most 30 %, nine of ten at most 100 %, the fullest 100 %",
        "no slot left at all: 1",
        "  c",
        "no slot left for hotplug: 2",
        "  b, c",
        "will not boot: more I/O windows than the firmware has: 1",
        "  c",
        "refused: 2 no-more-slots: about d\\x1b",
        "  d, f",
        "refused: 1 slot-occupied: about e\\x1b",
        "  e",
        "cannot be read: 1 xml-syntax: about g\\x1b",
        "  g",
    ]
    assert summary.to_json() == {
        "schema": "pcisim.fleet-summary/1",
        "libvirt": "11.3",
        "measured": True,
        "profile": "qemu-10.0",
        "more": {"virtio-net": 2},
        "guests": 7,
        "fit": 3,
        "refused": {
            "no-more-slots": {"count": 2, "examples": ["d", "f"], "message": "about d\x1b"},
            "slot-occupied": {"count": 1, "examples": ["e"], "message": "about e\x1b"},
        },
        "unreadable": {"xml-syntax": {"count": 1, "examples": ["g"], "message": "about g\x1b"}},
        "not_covered": {},
        "full": {"count": 1, "examples": ["c"]},
        "no_hot_slot": {"count": 2, "examples": ["b", "c"]},
        "no_boot": {"count": 1, "examples": ["c"]},
        "percent_of_slots": {"30": 2, "100": 1},
        "free_hot_slots": {"i440fx": {"0": 1, "7": 1}, "q35": {"0": 1}},
    }


def test_sound() -> None:
    summary = Summary("9.0")
    summary.add([fits("a")])
    assert summary.sound
    assert summary.lines()[0] == "1 guest, as libvirt 9.0: 1 fits, 0 refused, 0 cannot be read"
    assert len(summary.lines()) == 2


def test_many() -> None:
    summary = Summary("11.3")
    summary.add(refused(f"g{n}") for n in range(1234 + EXAMPLES))
    assert summary.lines()[-1] == "  g0, g1, g2, g3, g4 and 1,234 more"
    assert summary.lines()[0] == "1,239 guests, as libvirt 11.3: 0 fit, 1,239 refused, 0 cannot be read"


def test_quantiles() -> None:
    summary = Summary("11.3")
    summary.add(fits("a", used=used, cold=100 - used) for used in range(1, 101))
    assert [summary.quantile(share) for share in (0.01, 0.5, 0.9, 1.0)] == [1, 50, 90, 100]
    empty = Summary("11.3")
    empty.add([fits("a", used=0, cold=0)])
    assert empty.quantile(0.5) == 100


def test_guests_without_slots_are_neither_full_nor_empty() -> None:
    summary = Summary("11.3")
    summary.add([Row("a", "a", "raspi3b", "11.3", True, None, None, None, 0, 0, 0, 0, 0, 0, 0, 0, 0, None)])
    assert summary.sound
    assert (summary.fit, summary.full.count, summary.no_hot_slot.count, summary.percent) == (1, 0, 0, {})
    assert summary.lines()[0] == "1 guest, as libvirt 11.3: 1 fits, 0 refused, 0 cannot be read"
