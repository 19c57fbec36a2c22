"""``pcisim fleet``: its output, its statuses, and what an end before time leaves."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pcisim.fleet.survey.output import Lines
from pcisim.fleet.survey.rows import Row
from tests.cli.running import EXAMPLES, PLAIN, is_tidy, run
from tests.fleet.fleets import SHAPES, archive, member, write_fleet

ROOT = EXAMPLES.parent


def lines_of(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_summary(tmp_path: Path) -> None:
    write_fleet(tmp_path, 70)
    done = run("fleet", str(tmp_path), "--workers", "1")
    assert (done.status, done.err) == (1, "")
    head, slots, *rest = done.out.splitlines()
    assert head == "70 guests, as libvirt 12.9: 30 fit, 20 refused, 20 cannot be read"
    assert slots.startswith("slots in use: half of the guests use at most ")
    assert [line for line in rest if not line.startswith("  ")] == [
        "refused: 10 no-slot-for-controller: a PCI slot is needed to connect a PCI controller model='pci-bridge', but"
        " none is available, and it cannot be automatically added",
        "refused: 10 slot-occupied: Attempted double use of PCI Address 0000:00:03.0",
        "cannot be read: 10 not-a-domain: this is not a domain: unexpected root element <network>, expecting <domain>",
        "cannot be read: 10 xml-syntax: XML cannot be read: the document ends inside a tag (line 12, column 1)",
    ]
    assert f"  {tmp_path}/0/00003-too-many.xml, " in done.out
    assert " and 5 more" in done.out


def test_sound_fleet() -> None:
    done = run("fleet", str(EXAMPLES / "desktop.xml"), str(EXAMPLES / "server.xml"))
    assert done.status == 0
    assert done.out.startswith("2 guests, as libvirt 12.9: 2 fit, 0 refused, 0 cannot be read\n")


def test_formats(tmp_path: Path) -> None:
    write_fleet(tmp_path, 14)
    words = ("fleet", str(tmp_path), "--workers", "1", "--format")
    summary = json.loads(run(*words, "json").out)
    assert (summary["schema"], summary["guests"], summary["fit"]) == ("pcisim.fleet-summary/1", 14, 6)
    rows = lines_of(run(*words, "jsonl").out)
    assert {row.pop("schema") for row in rows} == {"pcisim.fleet/1"}
    assert [tuple(row) for row in rows] == [Row._fields] * 14
    table = list(csv.DictReader(io.StringIO(run(*words, "csv").out)))
    assert [row["path"] for row in table] == [row["path"] for row in rows]
    assert [row["fits"] for row in table[:7]] == ["true"] * 3 + ["false"] * 2 + [""] * 2


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_output(tmp_path: Path, suffix: str) -> None:
    write_fleet(tmp_path / "fleet", 14)
    out = tmp_path / f"rows{suffix}"
    done = run("fleet", str(tmp_path / "fleet"), "-o", str(out), "--workers", "2")
    assert done.status == 1
    assert done.out.startswith("14 guests")
    assert out.read_text() == run("fleet", str(tmp_path / "fleet"), "--workers", "1", "--format", suffix[1:]).out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fleet", out.name]


def test_more_of_a_device(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("machine,virtio-blk\npc,57\npc,58\npc,59\n")
    plain = run("fleet", str(table), "--format", "jsonl", "--workers", "1")
    more = run(
        "fleet", str(table), "--format", "jsonl", "--workers", "1", "--add", "virtio-blk", "--add", "virtio-blk=1"
    )
    assert [row["fits"] for row in lines_of(plain.out)] == [True, True, False]
    assert [row["fits"] for row in lines_of(more.out)] == [False, True, True]
    summary = run("fleet", str(table), "--workers", "1", "--add", "virtio-blk=2").out
    assert summary.startswith("3 guests, as libvirt 12.9, with 2 virtio-blk more: 2 fit, 1 refused")


@pytest.mark.parametrize(("suffix", "begin"), [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".PNG", b"\x89PNG")])
def test_plot(tmp_path: Path, suffix: str, begin: bytes) -> None:
    pytest.importorskip("matplotlib")
    write_fleet(tmp_path / "fleet", 7)
    picture = tmp_path / f"room{suffix}"
    assert run("fleet", str(tmp_path / "fleet"), "--workers", "1", "--plot", str(picture)).status == 1
    data = picture.read_bytes()
    assert data.startswith(begin)
    if suffix == ".svg":
        texts = [element.text for element in ElementTree.fromstring(data).iter() if element.text]
        assert "q35: free hot-plug slots" in texts
        assert "i440fx: free hot-plug slots" in texts


def test_nothing_to_draw(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "a.xml").write_text("<x/>")
    done = run("fleet", str(tmp_path), "--plot", str(tmp_path / "room.svg"))
    assert (done.status, done.err) == (3, f"nothing to draw in {tmp_path}/room.svg: no guest fits\n")
    assert not (tmp_path / "room.svg").exists()


@pytest.mark.parametrize(
    ("words", "status", "headline"),
    [
        ([], 2, "the following arguments are required"),
        (["fleet"], 3, "no domain XML in fleet"),
        (["nowhere"], 3, "cannot read nowhere: no such file or directory"),
        (["cut.tar"], 3, "cut.tar is damaged or cut off: "),
        (["columns.csv"], 3, "columns.csv:1: the column 'machine' is missing"),
        (["models.csv"], 3, "models.csv:1: the column 'frobnicator' is not a model of a device"),
        (["-"], 3, "cannot read -: no such file or directory"),
        (["g.xml", "--libvirt", "1"], 2, "unknown libvirt version '1'"),
        (["g.xml", "--policy", "best"], 2, "unknown policy 'best'"),
        (["g.xml", "--add", "frobnicator=1"], 2, "unknown device 'frobnicator'"),
        (["g.xml", "--add", "vga=x"], 2, "--add vga=x: 'x' is not a valid count"),
        (["g.xml", "--workers", "0"], 2, "argument --workers: the number of processes must be from 1 to 1024, not '0'"),
        (["g.xml", "--workers", "x"], 2, "argument --workers: the number of processes must be from 1 to 1024, not 'x'"),
        (["g.xml", "--workers", "2", "--scheduler", "tcp://127.0.0.1:1"], 2, "a scheduler has workers of its own"),
        (["g.xml", "--scheduler", "nonsense"], 3, "no Dask scheduler with workers answers at nonsense"),
        (["g.xml", "-o", "rows.txt"], 2, "rows.txt: unknown suffix"),
        (["g.xml", "-o", "nowhere/rows.csv"], 3, "cannot write nowhere/rows.csv: no such file or directory"),
        (["fine.csv", "-o", "./fine.csv"], 2, "./fine.csv is read: it cannot be written too"),
        (["g.xml", "--plot", "room.gif"], 2, "room.gif: unknown suffix"),
        (["g.xml", "--plot", "nowhere/room.svg"], 3, "cannot write nowhere/room.svg: no such file or directory"),
        (["g.xml", "--format", "xml"], 2, "argument --format: invalid choice"),
    ],
)
def test_what_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], status: int, headline: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet").mkdir()
    Path("g.xml").write_text(SHAPES["web"])
    Path("fine.csv").write_text("machine\npc\n")
    Path("columns.csv").write_text("name,virtio-blk\na,1\n")
    Path("models.csv").write_text("machine,frobnicator\npc,1\n")
    whole = Path(archive(Path("whole.tar"), *(member(f"{n}.xml", b"<domain/>") for n in range(9)))).read_bytes()
    Path("cut.tar").write_bytes(whole[:2000])
    before = sorted(p.name for p in tmp_path.iterdir())
    done = run("fleet", *words)
    assert done.status == status
    assert done.err.startswith(headline)
    assert is_tidy(done.err)
    if "--plot" not in words:
        assert done.out == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_bad_source_leaves_what_was_there(tmp_path: Path) -> None:
    """A table whose head is fine and a part of which cannot be read ends the run; the name stays the old one."""
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table, out = tmp_path / "t.parquet", tmp_path / "rows.csv"
    columns = {"name": [f"{n}" * 9 for n in range(20_000)], "machine": ["pc"] * 20_000}
    parquet.write_table(arrow.table(columns), table, row_group_size=12_000, compression="none")
    data = bytearray(table.read_bytes())
    begin = parquet.ParquetFile(table).metadata.row_group(1).column(0).dictionary_page_offset
    data[begin : begin + 64] = b"\xff" * 64
    table.write_bytes(data)
    out.write_text("before")
    done = run("fleet", str(table), "-o", str(out), "--workers", "1")
    assert done.status == 3
    told, *complaint = done.err.splitlines()
    assert told == f"stopped after 12,000 of 20,000 guests: their rows are in {out}.partial"
    assert complaint[0].startswith(f"cannot read {table}: ")
    assert out.read_text() == "before"
    rows = list(csv.DictReader((tmp_path / "rows.csv.partial").read_text().splitlines()))
    assert len(rows) == 12_000
    assert {row["fits"] for row in rows} == {"true"}


def slow_table(path: Path, count: int = 800) -> None:
    """Write a table of guests that are all different."""
    lines = [f"{'x' * 80}{n},q35,{n % 61},{n // 61},{n % 7}\n" for n in range(count)]
    path.write_text("name,machine,virtio-blk,virtio-net,e1000\n" + "".join(lines))


@pytest.mark.parametrize(("workers", "suffix"), [("1", ".csv"), ("2", ".jsonl")])
def test_interrupted_and_run_again(tmp_path: Path, workers: str, suffix: str) -> None:
    table, out = tmp_path / "t.csv", tmp_path / f"rows{suffix}"
    partial = Path(f"{out}.partial")
    slow_table(table)
    command = [sys.executable, "-m", "pcisim", "fleet", str(table), "-o", str(out), "--workers", workers]
    environment = {**os.environ, **PLAIN, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # what a background job starts ignores interrupts
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        until = time.monotonic() + 60
        while not partial.exists() or partial.stat().st_size < 10_000:
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        told, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told == b""
    first, second = complaint.decode().splitlines()
    assert first.startswith("interrupted after ")
    assert first.endswith(" of 800 guests")
    assert second == f"  their rows are in {partial}"
    assert not out.exists()
    some = partial.read_text()
    assert some.endswith("\n")
    assert run("fleet", str(table), "-o", str(out), "--workers", "2").status == 0
    assert out.read_text().startswith(some)
    assert out.read_text().count("\n") > some.count("\n") > 10
    assert not partial.exists()


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Let Ctrl-C interrupt, which what a background job starts ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupting(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
    """Press Ctrl-C whenever that function has done its work and not returned yet."""
    function = getattr(owner, name)

    def pressed(*words: object) -> object:
        answer = function(*words)
        signal.raise_signal(signal.SIGINT)
        return answer

    monkeypatch.setattr(owner, name, pressed)


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_splits_no_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are written are counted, and those that are counted are written."""
    table, out = tmp_path / "t.csv", tmp_path / "rows.jsonl"
    slow_table(table, 600)
    interrupting(monkeypatch, Lines, "write")
    done = run("fleet", str(table), "-o", str(out), "--workers", "1")
    written = len(lines_of(Path(f"{out}.partial").read_text()))
    assert 0 < written < 600
    assert (done.status, done.out) == (130, "")
    assert done.err == f"interrupted after {written} of 600 guests\n  their rows are in {out}.partial\n"
    assert not out.exists()


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_when_all_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fleet(tmp_path / "fleet", 14)
    out = tmp_path / "rows.jsonl"
    interrupting(monkeypatch, os, "replace")
    done = run("fleet", str(tmp_path / "fleet"), "-o", str(out), "--workers", "1")
    assert len(lines_of(out.read_text())) == 14
    assert done.status == 130
    assert done.err == f"interrupted after 14 of 14 guests\n  their rows are in {out}\n"
    assert not Path(f"{out}.partial").exists()


@pytest.mark.usefixtures("interrupts")
def test_a_second_interrupt_is_not_put_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written, as into a pipe that nobody reads, can still be ended; nothing is said of its rows."""
    write_fleet(tmp_path / "fleet", 14)
    out = tmp_path / "rows.jsonl"
    interrupting(monkeypatch, Lines, "write")
    interrupting(monkeypatch, Lines, "write")
    done = run("fleet", str(tmp_path / "fleet"), "-o", str(out), "--workers", "1")
    assert (done.status, done.err) == (130, "interrupted after 14 of 14 guests\n")
    assert not out.exists()


def test_workers_end_with_the_run(tmp_path: Path) -> None:
    """A run that is killed leaves no process behind, and no file under the final name; the next one is whole."""
    table, out = tmp_path / "t.csv", tmp_path / "rows.jsonl"
    slow_table(table)
    command = [sys.executable, "-m", "pcisim", "fleet", str(table), "-o", str(out), "--workers", "2"]
    with subprocess.Popen(
        command, env={**os.environ, **PLAIN, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL, start_new_session=True
    ) as process:
        until = time.monotonic() + 60
        while not os.path.exists(f"{out}.partial") or not os.path.getsize(f"{out}.partial"):
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.wait()
    assert not out.exists()
    while _group(process.pid):
        assert time.monotonic() < until
        time.sleep(0.05)
    run("fleet", str(table), "-o", str(out), "--workers", "1")
    assert len(lines_of(out.read_text())) == 800
    assert not os.path.exists(f"{out}.partial")


def _group(number: int) -> bool:
    """Return whether a process of a group still runs."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, group = (folder / "stat").read_text().rpartition(") ")[2].split()[:3]
        except OSError:
            continue
        if int(group) == number and state not in "ZX":
            return True
    return False


def test_progress_bar_on_a_terminal(tmp_path: Path) -> None:
    pytest.importorskip("rich")
    write_fleet(tmp_path, 70)
    command = [sys.executable, "-m", "pcisim", "fleet", str(tmp_path), "--workers", "1"]
    ours, theirs = pty.openpty()
    environment = {**os.environ, **PLAIN, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=theirs, timeout=60, check=False)
    os.close(theirs)
    shown = os.read(ours, 100_000)
    os.close(ours)
    assert b"guests" in shown
    assert b"/70" in shown
    assert done.stdout.startswith(b"70 guests, ")


def test_closed_pipe(tmp_path: Path) -> None:
    write_fleet(tmp_path, 7)
    command = (
        f"{sys.executable} -m pcisim fleet {tmp_path} --format csv --workers 2 | head -n 1; exit ${{PIPESTATUS[0]}}"
    )
    environment = {**os.environ, **PLAIN, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, timeout=60, check=False)
    assert done.stdout.startswith(b"path,name,machine")
    assert done.stderr == b""
