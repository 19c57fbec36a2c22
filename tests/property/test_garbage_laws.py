"""Law: whatever the input, only a `PcisimError` leaves the library, and only 0, 1, 2 or 3 the command line.

Guests that are fine are damaged by seeded chance: attributes, values, tags and nesting are dropped,
doubled, garbled and moved; text is cut and overwritten.  What is refused is refused tidily, and what
is accepted can be written in every form.
"""

from __future__ import annotations

import json
import random
from contextlib import suppress

import pytest

import pcisim
from pcisim.errors import PcisimError
from pcisim.formats.plain import printable
from tests.cli.running import EXAMPLES, is_tidy, run
from tests.damaged import damaged

ROUNDS = 1200
COMMAND_LINE_ROUNDS = 400


def test_only_our_errors_leave_the_library() -> None:
    counts = {"accepted": 0, "refused": 0}
    for seed in range(ROUNDS):
        text = damaged(seed)
        plan, refusal = attempt(text, seed)
        if refusal is not None:
            counts["refused"] += 1
            assert refusal.code, seed
            lines = map(printable, refusal.explanation())
            assert is_tidy("\n".join([*lines, ""])), (seed, refusal.explanation())
        if plan is not None:
            counts["accepted"] += 1
            use(plan, text, seed)
    assert min(counts.values()) > ROUNDS // 5, counts


def attempt(text: str, seed: int) -> tuple[pcisim.Plan | None, PcisimError | None]:
    """Return the plan of a guest, or how it is refused."""
    try:
        return pcisim.assign(text, libvirt="11.3" if seed % 5 else "9.0"), None
    except PcisimError as error:
        return None, error
    except Exception as error:
        raise AssertionError(f"seed {seed}: {error!r}\n{text}") from error


def use(plan: pcisim.Plan, text: str, seed: int) -> None:
    """Write an accepted plan in every form."""
    try:
        addressed = plan.to_xml()
        plan.topology.check()
        assert str(plan)
        assert json.dumps(plan.to_json())
        assert plan.to_qemu_args()
        assert plan.to_qemu_args(runnable=True)
        assert plan.changes() is not None
        for label in list(plan.addresses)[:2]:
            assert str(plan.explain(label))
        if plan.placement.guest.machine.zpci and plan.rules.version == "9.0":
            addressed = pcisim.assign_xml(addressed, libvirt="9.0")  # numbers the bridges that were added
        usb = [c for c in plan.placement.guest.controllers if c.type == "usb"]
        if len(usb) < 2 or all(c.model != "none" for c in usb):  # libvirt does not read those two again
            assert pcisim.assign_xml(addressed, libvirt=plan.rules.version) == addressed
    except Exception as error:
        raise AssertionError(f"seed {seed}: {error!r}\n{text}") from error


@pytest.mark.parametrize("command", [["tree"], ["assign"], ["assign", "--format", "qemu"], ["assign", "--print-diff"]])
def test_only_known_statuses_leave_the_command_line(command: list[str]) -> None:
    for seed in range(10_000, 10_000 + COMMAND_LINE_ROUNDS // 4):
        text = damaged(seed).encode("utf-8", "surrogatepass")
        done = run(*command, "-", given=text)
        assert done.status in (0, 1, 3), (seed, done.err)
        if done.status:
            assert is_tidy(done.err), (seed, done.err)
            assert not done.out
        else:
            assert done.out or command[-1] == "--print-diff"


def test_no_bytes_break_the_reader() -> None:
    chance = random.Random(7)
    whole = (EXAMPLES / "server.xml").read_bytes()
    for _ in range(300):
        text = bytearray(whole)
        for _ in range(chance.choice((1, 3, 30))):
            text[chance.randrange(len(text))] = chance.randrange(256)
        for piece in (bytes(text), bytes(text[: chance.randrange(len(text))])):
            with suppress(PcisimError):
                pcisim.assign_xml(piece)


def test_no_options_break_the_command_line() -> None:
    """Statuses 0 to 3 only, whatever the words."""
    chance = random.Random(11)
    pieces = (
        "assign", "tree", "example", "desktop", "--machine", "q35", "pc", "--device", "virtio-blk", "vga,count=2",
        "--libvirt", "9.0", "--policy", "libvirt", "--host-pci", "auto", "1:2.3=pci", "--format", "xml", "qemu",
        "json", "addresses", "--runnable", "--explain", "usb:0", "-", "--", "-h", "--version", "?", "", "é", "-x",
        "--device=?", "@x", "--debug", "--print-diff", "--machine=q35", "--format=qemu", "\udcc3\udca9",
        *map(str, EXAMPLES.glob("*.xml")),
    )  # fmt: skip
    statuses = set()
    for _ in range(600):
        words = [chance.choice(("assign", "tree")), *(chance.choice(pieces) for _ in range(chance.randrange(7)))]
        done = run(*words, given=(EXAMPLES / "desktop.xml").read_bytes())
        assert done.status in (0, 1, 2, 3), (words, done.err)
        assert "internal error" not in done.err, (words, done.err)
        statuses.add(done.status)
    assert statuses == {0, 1, 2, 3}
