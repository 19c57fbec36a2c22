"""Folders, archives and tables of strangers: one bad entry is one row, and no run hangs."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from pcisim.errors import InputError
from pcisim.fleet.survey import inventory
from pcisim.fleet.survey.answers import Answers, Question
from pcisim.fleet.survey.batch import GUESTS
from pcisim.fleet.survey.rows import COLUMNS, MOST_TEXT, Row
from pcisim.fleet.survey.run import survey
from pcisim.fleet.survey.sources import batches
from tests.cli.running import PLAIN, Done, is_tidy
from tests.fleet.fleets import SHAPES, archive, member, write_fleet
from tests.limits import within
from tests.sampled import one_in

ROOT = Path(__file__).resolve().parents[2]
WEB = SHAPES["web"].encode()
NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user, or mount")


def start(
    *words: str | Path, folder: Path | None = None, before: Callable[[], object] | None = None
) -> subprocess.Popen[bytes]:
    """Begin a run of ``pcisim fleet`` in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "pcisim", "fleet", *map(str, words)],
        env={**os.environ, **PLAIN, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        start_new_session=True,
        preexec_fn=before,
    )


def ended(process: subprocess.Popen[bytes], seconds: float = 20) -> Done:
    """Wait for a run, and return what it says."""
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return Done(process.returncode, out.decode(), err.decode())


def fleet(*words: str | Path, folder: Path | None = None, before: Callable[[], object] | None = None) -> Done:
    """Run ``pcisim fleet`` in a process of its own."""
    return ended(start(*words, folder=folder, before=before))


def said(done: Done) -> dict[str, str | None]:
    """Return what the rows of ``--format jsonl`` say, by the names of the files."""
    rows = [json.loads(line) for line in done.out.splitlines()]
    return {row["path"].rpartition("/")[2]: row["message"] for row in rows}


def limited(what: int, most: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(what, (most, most))


# Workers


def test_workers_that_cannot_be_started(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("name,machine\n" + f"{'x' * 100},pc\n" * 20_000)
    begin = time.monotonic()
    done = fleet(table, "--workers", "64", before=limited(resource.RLIMIT_NOFILE, 40))
    assert time.monotonic() - begin < 10
    assert (done.status, done.out) == (3, "")
    assert done.err.startswith("cannot start worker ")
    assert " of 64: too many open files\n" in done.err
    assert is_tidy(done.err)


def as_another(user: int, *words: str | Path, processes: int | None = None) -> Done:
    """Run ``pcisim fleet`` as another user, who has that many processes at most; all modules are loaded before."""
    code = (
        "import os, resource, sys\n"
        "from pcisim.cli import main\n"
        "main(['fleet', '--workers', '2', *sys.argv[3:]])\n"
        "sys.stdout.flush(); sys.stderr.flush()\n"
        "os.ftruncate(1, 0); os.ftruncate(2, 0)\n"
        "os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))\n"
        "most = int(sys.argv[2])\n"
        "most and resource.setrlimit(resource.RLIMIT_NPROC, (most, most))\n"
        "sys.exit(main(['fleet', *sys.argv[3:]]))\n"
    )
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        done = subprocess.run(
            [sys.executable, "-c", code, str(user), str(processes or 0), *map(str, words)],
            env={**os.environ, **PLAIN, "PYTHONPATH": str(ROOT)},
            stdout=os.open(f"/proc/self/fd/{out.fileno()}", os.O_WRONLY | os.O_APPEND),
            stderr=os.open(f"/proc/self/fd/{err.fileno()}", os.O_WRONLY | os.O_APPEND),
            timeout=30,
            check=False,
        )
        return Done(done.returncode, out.read().decode(), err.read().decode())


@as_root
def test_processes_that_may_not_be_started(open_folder: Path) -> None:
    table = open_folder / "t.csv"
    table.write_text("name,machine\n" + f"{'x' * 100},pc\n" * 20_000)
    done = as_another(NOBODY - 1, table, "--workers", "16", processes=4)
    assert (done.status, done.out) == (3, "")
    assert done.err.startswith("cannot start worker ")
    assert "temporarily unavailable" in done.err


def test_no_more_workers_than_batches(tmp_path: Path) -> None:
    """With a limit that a thousand processes would break, a run of few guests asks for few."""
    write_fleet(tmp_path, 3 * GUESTS)
    done = fleet(tmp_path, "--workers", "1024", before=limited(resource.RLIMIT_NOFILE, 40))
    assert done.out.startswith(f"{3 * GUESTS} guests")


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_ways_to_start_workers(tmp_path: Path, method: str) -> None:
    write_fleet(tmp_path, 3 * GUESTS)
    code = (
        "import multiprocessing, sys\n"
        "from pcisim.cli import main\n"
        "if __name__ == '__main__':\n"
        f"    multiprocessing.set_start_method({method!r})\n"
        "    sys.exit(main(sys.argv[1:]))\n"
    )
    (tmp_path / "run.py").write_text(code)
    done = subprocess.run(
        [sys.executable, tmp_path / "run.py", "fleet", tmp_path, "--workers", "2"],
        env={**os.environ, **PLAIN, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.decode().startswith(f"{3 * GUESTS} guests"), done.stderr


# What is no file, and links


def test_what_is_no_ordinary_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.xml")
    for name in ("zero", "urandom", "tty", "null"):
        (tmp_path / f"{name}.xml").symlink_to(f"/dev/{name}")
    (tmp_path / "good.xml").write_bytes(WEB)
    (tmp_path / "process.xml").symlink_to("/proc/self/status")  # an ordinary file that says it is empty
    messages = said(fleet(tmp_path, "--format", "jsonl"))
    assert messages.pop("good.xml") is None
    assert (messages.pop("process.xml") or "").startswith("XML cannot be read: ")
    assert messages.pop("tty.xml") in (
        "cannot be read: not a regular file",
        "cannot be read: no such device or address",
    )
    assert set(messages) == {"fifo.xml", "zero.xml", "urandom.xml", "null.xml"}
    assert set(messages.values()) == {"cannot be read: not a regular file"}


def test_a_socket(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "s.xml"))
        (tmp_path / "good.xml").write_bytes(WEB)
        first, second = survey(tmp_path, workers=1)
    assert (first.code, second.code) == (None, "cannot-read")


def test_files_that_become_pipes(tmp_path: Path) -> None:
    """Between the listing and the reading an archive, tables and files are replaced by pipes that nobody writes to."""
    (tmp_path / "a.xml").write_bytes(WEB)
    (tmp_path / "t.csv").write_text("machine\npc\n")
    archive(tmp_path / "a.tar", member("a.xml", WEB))
    found = batches([str(tmp_path / name) for name in ("a.xml", "t.csv", "a.tar")])
    for name in ("a.xml", "t.csv", "a.tar"):
        (tmp_path / name).unlink()
        os.mkfifo(tmp_path / name)
    answers = Answers(Question())
    (row,) = found[0].rows(answers)
    assert row.message == "cannot be read: not a regular file"
    for batch in found[1:]:
        with pytest.raises(InputError, match="not a regular file"):
            batch.rows(answers)


def test_bad_links(tmp_path: Path) -> None:
    (tmp_path / "good.xml").write_bytes(WEB)
    (tmp_path / "again.xml").symlink_to("again.xml")
    (tmp_path / "two.xml").symlink_to("three.xml")
    (tmp_path / "three.xml").symlink_to("two.xml")
    (tmp_path / "through.xml").symlink_to("good.xml/below.xml")
    (tmp_path / "long.xml").symlink_to(f"{'x' * 300}.xml")
    (tmp_path / "longer.xml").symlink_to("y/" * 2040 + "z.xml")
    (tmp_path / "lost.xml").symlink_to("nowhere.xml")
    messages = said(fleet(tmp_path, "--format", "jsonl"))
    assert messages == {
        "good.xml": None,
        "again.xml": "cannot be read: too many levels of symbolic links",
        "two.xml": "cannot be read: too many levels of symbolic links",
        "three.xml": "cannot be read: too many levels of symbolic links",
        "through.xml": "cannot be read: not a directory",
        "long.xml": "cannot be read: file name too long",
        "longer.xml": "cannot be read: no such file or directory",
        "lost.xml": "cannot be read: no such file or directory",
    }


@as_root
def test_folders_that_may_not_be_read_or_searched(open_folder: Path) -> None:
    top = open_folder / "top"
    for name in ("unread", "unsearched", "secret"):
        (top / name).mkdir(parents=True)
        (top / name / "a.xml").write_bytes(WEB)
    (top / "good.xml").write_bytes(WEB)
    (top / "into.xml").symlink_to("secret/a.xml")
    (top / "private.xml").write_bytes(WEB)
    (top / "private.xml").chmod(0)
    (top / "unread").chmod(0o311)
    (top / "unsearched").chmod(0o644)
    (top / "secret").chmod(0o700)
    top.chmod(0o755)
    done = as_another(NOBODY, top, "--format", "jsonl")
    assert said(done) == {
        "good.xml": None,
        **dict.fromkeys(("into.xml", "private.xml", "secret", "unread", "a.xml"), "cannot be read: permission denied"),
    }


def test_a_deep_folder(tmp_path: Path) -> None:
    """A walk of 1,500 folders, and one of names that are too long together for the system."""
    here = os.getcwd()
    try:
        for name, count in (("d", 1500), ("e" * 200, 30)):
            os.chdir(tmp_path)
            for _ in range(count):
                os.mkdir(name)
                os.chdir(name)
            Path("a.xml").write_bytes(WEB)
    finally:
        os.chdir(here)
    first, second = survey(tmp_path, workers=1)
    subprocess.run(["rm", "-r", tmp_path / "d", tmp_path / ("e" * 200)], check=True)  # Python's way is recursive
    assert (first.fits, first.path.count("/d")) == (True, 1500)
    assert (second.code, second.message) == ("cannot-read", "cannot be read: file name too long")


def test_a_deleted_working_folder(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    write_fleet(tmp_path / "fleet", 7)
    code = f"cd {tmp_path}/here && rmdir ../here && exec {sys.executable} -P -m pcisim fleet "
    for words, status, out, err in (
        (f"{tmp_path}/fleet", 1, "7 guests", ""),
        (f"{tmp_path}/fleet -o {tmp_path}/rows.csv", 1, "7 guests", ""),
        (f"{tmp_path}/fleet -o rows.csv", 3, "", "cannot write rows.csv: no such file or directory\n"),
        (".", 3, "", "no domain XML in .: "),
        ("a.xml", 3, "", "cannot read a.xml: no such file or directory\n"),
    ):
        (tmp_path / "here").mkdir(exist_ok=True)
        done = subprocess.run(
            ["bash", "-c", code + words],
            env={**os.environ, **PLAIN, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout.decode()[: len(out)]) == (status, out), words
        assert done.stderr.decode().startswith(err), words
        assert bool(done.stderr) == bool(err)


# Names that are no text


def test_names_that_are_no_text_in_every_output(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    folder = tmp_path / "f\udce9"
    folder.mkdir()
    (folder / "caf\udce9.xml").write_bytes(WEB)
    path = archive(
        tmp_path / "a\udce9.tar",
        member("top/caf\udce9.xml", WEB),
        member("top/link.xml", kind=tarfile.SYMTYPE, leads_to="lost\udce9.xml"),
        member("top/out.xml", kind=tarfile.SYMTYPE, leads_to="/caf\udce9.xml"),
        member("top/hard.xml", kind=tarfile.LNKTYPE, leads_to="\udce9.xml"),
    )
    table = tmp_path / "t\udce9.csv"
    table.write_text("machine\npc\n")
    sources = [str(folder), path, str(table)]
    expected = [
        rf"{tmp_path}/f\xe9/caf\xe9.xml",
        *(rf"{tmp_path}/a\xe9.tar:top/{name}" for name in (r"caf\xe9.xml", "link.xml", "out.xml", "hard.xml")),
        rf"{tmp_path}/t\xe9.csv:2",
    ]
    for number, kind in enumerate((".csv", ".jsonl", ".parquet")):
        out = tmp_path / f"r{number}\udce9{kind}"
        done = fleet(*sources, "-o", str(out), "--raw")
        assert (done.status, done.err) == (1, "")
        assert [row["path"] for row in stored(out)] == expected
    for form in ("text", "json", "csv", "jsonl"):
        done = fleet(*sources, "--format", form)
        assert (done.status, done.err) == (1, "")
        assert r"a\xe9.tar" in done.out.replace("\\\\", "\\")


def stored(path: Path) -> list[dict[str, object]]:
    """Return the rows of a file, as its format has them."""
    if path.suffix == ".parquet":
        with open(path, "rb") as stream:
            return [dict(row) for row in pytest.importorskip("pyarrow.parquet").read_table(stream).to_pylist()]
    text = path.read_bytes().decode()
    if path.suffix == ".csv":
        return [dict(row) for row in csv.DictReader(io.StringIO(text, newline=""))]
    return [json.loads(line) for line in text.splitlines()]


def test_another_encoding_of_names(tmp_path: Path) -> None:
    """An archive's names are UTF-8, whatever the system thinks of names."""
    path = archive(tmp_path / "a.tar", member("\u4e2d.xml", WEB), member("caf\xe9.xml", WEB))
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-m", "pcisim", "fleet", path, "--format", "jsonl"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        timeout=60,
        check=True,
    )
    names = [json.loads(line)["path"].rpartition(":")[2] for line in done.stdout.splitlines()]
    assert names == ["\u4e2d.xml", "caf\xe9.xml"]


# Archives


def test_an_archive_without_end_says_so_once(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar", member("a.xml", WEB))
    Path(path).write_bytes(Path(path).read_bytes()[: 512 + -(-len(WEB) // 512) * 512])
    with pytest.raises(InputError) as caught:
        list(survey(path))
    assert caught.value.headline == f"{path} is damaged or cut off: it has no end mark"


def sparse_headers() -> Iterator[bytes]:
    """Yield archives whose last header is one of GNU's for files with holes, cut off in its continuation."""
    info, _ = member("a.xml")
    info.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[482] = 1  # there are more blocks of holes
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    for length in (0, 1, 100, 504, 505, 511):
        yield bytes(block) + bytes(length)
    yield bytes(block) + b"\1" * 512


def test_cut_off_sparse_headers(tmp_path: Path) -> None:
    for data in sparse_headers():
        (tmp_path / "a.tar").write_bytes(data)
        with pytest.raises(InputError) as caught:
            list(survey(tmp_path / "a.tar"))
        assert caught.value.code == "archive-damaged", len(data)
        assert caught.value.headline.count("is damaged or cut off") == 1


def test_many_headers_without_a_member(tmp_path: Path) -> None:
    """tarfile calls itself for each of them."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 5
    block = info.tobuf(tarfile.GNU_FORMAT) + b"name\0" + bytes(507)
    (tmp_path / "a.tar").write_bytes(block * 2000 + bytes(1024))
    with pytest.raises(InputError) as caught:
        list(survey(tmp_path / "a.tar"))
    assert caught.value.code == "archive-damaged"


# Sources that change


def rebuilt(path: Path) -> None:
    path.unlink()
    archive(path, *(member(f"{n}.xml", WEB + b"<!-- new -->") for n in range(3)))


def shortened(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])


def of_the_same_size(path: Path) -> None:
    found = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1_000_000))


def another_file(path: Path) -> None:
    found = path.stat()
    new = path.with_name("new")
    new.write_bytes(path.read_bytes())
    os.utime(new, ns=(found.st_atime_ns, found.st_mtime_ns))
    os.replace(new, path)


@pytest.mark.parametrize("change", [rebuilt, shortened, of_the_same_size, another_file])
@pytest.mark.parametrize("name", ["a.tar", "t.csv", "t.parquet"])
def test_a_source_that_changes(tmp_path: Path, name: str, change: Callable[[Path], None]) -> None:
    path = tmp_path / name
    write_source(path)
    found = batches([str(path)])
    before = [row.path for batch in found for row in batch.rows(Answers(Question()))]
    change(path)
    rows = [row for batch in found for row in batch.rows(Answers(Question()))]
    assert [row.path for row in rows] == before
    assert {row.code for row in rows} == {"source-changed"}
    assert {row.fits for row in rows} == {None}
    assert rows[0].message == "cannot be read: the source has changed since it was listed"


def write_source(path: Path) -> None:
    """Write an archive or a table with three guests."""
    if path.suffix == ".tar":
        archive(path, *(member(f"{n}.xml", WEB) for n in range(3)))
    elif path.suffix == ".csv":
        path.write_text("machine,vga\n" + "pc,1\n" * 3)
    else:
        arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.table({"machine": ["pc"] * 3, "vga": [1] * 3}), path)


# Tables


def rows_of_table(folder: Path, text: str | bytes) -> list[Row]:
    path = folder / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(survey(path, workers=1))


def lines_of(rows: Sequence[Row]) -> list[tuple[int, str | None, str | None]]:
    """Return where rows are, their names, and what is wrong with them."""
    return [(int(row.path.rpartition(":")[2]), row.name, row.message) for row in rows]


UNCLOSED = "a quote is not closed"
WITHIN = "a quote within a field: such a field is in quotes, and has the quote twice"


@pytest.mark.parametrize("size", [1, 10, 40, 1 << 14])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a,pc\n"b,pc\nc,pc\nd,pc\n', [(2, "a", None), (3, None, UNCLOSED), (4, "c", None), (5, "d", None)]),
        ('a,pc\n"b,pc\n"c",pc\nd,pc\n', [(2, "a", None), (3, None, WITHIN), (4, "c", None), (5, "d", None)]),
        ('a"b,pc\nc,pc\n', [(2, None, WITHIN), (3, "c", None)]),
        ('a,pc\n "b",pc\nc,pc\n', [(2, "a", None), (3, None, WITHIN), (4, "c", None)]),
        ('"a"b,pc\nc,pc\n', [(2, None, WITHIN), (3, "c", None)]),
        ('a",pc\n"b\nc",pc\nd,pc\n', [(2, None, WITHIN), (3, "b\nc", None), (5, "d", None)]),
        ('a,pc\nb,"pc', [(2, "a", None), (3, None, UNCLOSED)]),
        ("a,pc,1\nb,pc\n", [(2, None, "the record has 3 values, and the table 2 columns"), (3, "b", None)]),
        ("a,pc,\nb,pc\n", [(2, "a", None), (3, "b", None)]),
        ("a\rb,pc\nc,pc\n", [(2, None, "a carriage return within the line, outside quotes"), (3, "c", None)]),
        ('"a\rb",pc\nc,pc\n', [(2, "a\rb", None), (3, "c", None)]),
    ],
)
def test_stray_quotes(
    tmp_path: Path,
    text: str,
    expected: list[tuple[int, str | None, str | None]],
    size: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However the table is cut into ranges, a bad record is one row, and those beside it are as they are."""
    monkeypatch.setattr(inventory, "_RANGE", size)
    found = rows_of_table(tmp_path, f"name,machine\n{text}")
    assert [
        (line, None if name is None or "values" in (message or "") else name, message)
        for line, name, message in lines_of(found)
    ] == expected


def test_a_quote_that_is_never_closed(tmp_path: Path) -> None:
    """It costs one row, and no time to speak of, wherever it stands."""
    for place in (0, 1, 20_000, 39_999):
        records = [f"g{n},pc" for n in range(40_000)]
        records[place] = f'"{records[place]}'
        with within(5):
            found = rows_of_table(tmp_path, "name,machine\n" + "\n".join(records) + "\n")
        assert len(found) == 40_000
        assert [row.path.rpartition(":")[2] for row in found if row.code] == [str(place + 2)]


def test_quotes_everywhere(tmp_path: Path) -> None:
    with within(10):
        assert len(rows_of_table(tmp_path, "name,machine\n" + '"a,pc\n' * 40_000)) == 40_000
        assert len(rows_of_table(tmp_path, "name,machine\n" + 'a"b,pc\n' * 40_000)) == 40_000
        assert len(rows_of_table(tmp_path, "name,machine\n" + '"a\nb",pc\n' * 20_000)) == 20_000
        assert len(rows_of_table(tmp_path, 'name,machine\n"' + "\n" * 200_000)) == 1


@pytest.mark.parametrize(
    ("text", "headline"),
    [
        ("machine,vga\rpc,1\rq35,2\r", "the lines end with a carriage return alone"),
        ("machine,vga\rpc,1\r" * 50_000, "the lines end with a carriage return alone"),
        (f"machine,{'x' * 200_000}\npc,1\n", "the first line has more than 128 KiB"),
        (f"machine,{'x' * 100_000}\npc,1\n", f"the column '{'x' * 60}' is not a model of a device"),
        (f"machine{',vga' * 10_000}\n", "the column 'vga' is there twice"),
        ('machine,"vga\npc,1\n', UNCLOSED),
        ('machine,v"ga\npc,1\n', WITHIN),
    ],
)
def test_heads_of_tables(tmp_path: Path, text: str, headline: str) -> None:
    with pytest.raises(InputError) as caught:
        rows_of_table(tmp_path, text)
    assert (caught.value.headline, caught.value.line) == (headline, 1)
    done = fleet(tmp_path / "t.csv")
    assert done.status == 3
    assert is_tidy(done.err)
    assert len(done.err) < 1000


@pytest.mark.parametrize("length", [1 << 17, (1 << 17) + 1, 1 << 20, 10 << 20])
@pytest.mark.parametrize("quote", ["", '"'])
def test_long_records(tmp_path: Path, length: int, quote: str) -> None:
    """One that is too long is a row; the file is read piece by piece."""
    cell = quote + "x" * (length - 2 * len(quote) - 4) + quote
    before, long, after = rows_of_table(tmp_path, f"name,machine\na,pc\n{cell},pc\nb,pc\n")
    assert (before.name, after.name, after.path[-2:]) == ("a", "b", ":4")
    if length == 1 << 17:
        assert (long.fits, len(long.name or "")) == (True, MOST_TEXT + len("... (131,066 characters)"))
    else:
        assert (long.code, long.message, long.line) == ("inventory-record", "the record has more than 128 KiB", 3)


def test_text_in_parquet_that_is_not_utf_8(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    names = arrow.array([b"caf\xe9", b"good", None], arrow.binary())
    machines = arrow.array([b"pc", b"p\xff", b"q35"], arrow.binary())
    for encoded in (False, True):
        columns = [column.view(arrow.string()) for column in (names, machines)]
        if encoded:
            columns = [column.dictionary_encode() for column in columns]
        parquet.write_table(arrow.table(columns, ["name", "machine"]), tmp_path / "t.parquet")
        first, second, third = survey(tmp_path / "t.parquet", workers=1)
        assert (first.name, first.fits) == ("caf\ufffd", True)
        assert (second.machine, second.code) == ("p\ufffd", "no-pci-bus")
        assert (third.name, third.fits) == (None, True)
    parquet.write_table(arrow.table([names, machines], ["name", "machine"]), tmp_path / "t.parquet")
    assert [row.fits for row in survey(tmp_path / "t.parquet", workers=1)] == [True, False, True]


def test_row_groups_that_are_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is there a million times takes no room in the file, and much where it is read."""
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"machine": ["pc"] * 100_000}), tmp_path / "t.parquet")
    assert (tmp_path / "t.parquet").stat().st_size < 10_000
    monkeypatch.setattr(inventory, "_MOST_IN_GROUP", 800_000)
    assert sum(batch.size for batch in batches([str(tmp_path / "t.parquet")])) == 100_000
    monkeypatch.setattr(inventory, "_MOST_IN_GROUP", 799_999)
    with pytest.raises(InputError, match="a row group of 100,000 rows is more than is read at once"):
        batches([str(tmp_path / "t.parquet")])


# Memory


def test_the_memory_of_a_worker(tmp_path: Path) -> None:
    """Long names and long values are cut in the rows, of which a worker has many at once."""
    long = "x" * (1 << 20)
    for number in range(60):
        text = SHAPES["web"].replace("<name>guest", f"<name>{number}{long}").replace("pc-q35-9.2", f"q{long}{number}")
        (tmp_path / f"{number}.xml").write_text(text)
    code = (
        "import sys; from pcisim.cli import main; main(['fleet', sys.argv[1], '--workers', '1']);"
        "print(*[line for line in open('/proc/self/status') if line.startswith('VmHWM')])"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, check=True, timeout=60)
    assert int(done.stdout.split()[-2]) < 80 << 10  # KiB; the documents have 120 MiB together
    for row in survey(tmp_path, workers=1):
        assert len(row.name or "") < MOST_TEXT + 40
        assert len(row.machine or "") < MOST_TEXT + 40
        assert len(row.message or "") < MOST_TEXT + 40


def test_a_document_for_which_there_is_no_memory(tmp_path: Path) -> None:
    large = SHAPES["web"].replace("<devices>", "<devices>" + "<controller type='pci'/>" * 200_000)
    (tmp_path / "large.xml").write_text(large)
    (tmp_path / "good.xml").write_bytes(WEB)
    done = fleet(tmp_path, "--format", "jsonl", "--workers", "1", before=limited(resource.RLIMIT_AS, 250 << 20))
    messages = said(done)
    assert messages["good.xml"] is None
    assert messages["large.xml"] in (
        "cannot be read: it takes more memory than there is",
        "XML cannot be read: out of memory (line 1, column 1)",
    )
    assert done.err == ""


# Files that are written


def inventory_of(path: Path, count: int = 800) -> Path:
    """Write a table of guests that take their time."""
    lines = [f"{'x' * 80}{n},q35,{n % 61},{n // 61},{n % 7}\n" for n in range(count)]
    path.write_text("name,machine,virtio-blk,virtio-net,e1000\n" + "".join(lines))
    return path


def waits_for(path: Path, process: subprocess.Popen[bytes], size: int = 10_000) -> None:
    until = time.monotonic() + 30
    while not path.exists() or path.stat().st_size < size:
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.005)


@pytest.mark.parametrize("there", [False, True])
def test_two_runs_into_one_file(tmp_path: Path, there: bool) -> None:
    """Each has a file of its own, the second one says so, and the last to end gives the file all its rows."""
    table, out = inventory_of(tmp_path / "t.csv"), tmp_path / "rows.csv"
    other = inventory_of(tmp_path / "u.csv", 300)
    if there:
        out.write_text("before")
    first = start(table, "-o", out, "--workers", "1")
    waits_for(tmp_path / "rows.csv.partial", first)
    second = start(other, "-o", out, "--workers", "1")
    one, two = ended(first), ended(second)
    assert (one.status, one.err) == (0, "")
    assert two.status == 0
    assert two.err.splitlines()[0] == f"note: another run is writing {out}, into {out}.partial"
    assert is_tidy(two.err)
    written = out.read_text().splitlines()
    assert len(written) in (301, 801)
    assert {line.partition(":")[0] for line in written[1:]} == {str(other if len(written) == 301 else table)}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv", "t.csv", "u.csv"]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_what_is_under_the_name_already(tmp_path: Path, suffix: str) -> None:
    """A link is not followed, and neither somebody's file is lost nor a pipe waited for."""
    write_fleet(tmp_path / "fleet", 7)
    (tmp_path / "passwd").write_text("root")
    partial = tmp_path / f"rows{suffix}.partial"
    for make in (
        lambda: partial.symlink_to("passwd"),
        lambda: partial.symlink_to("nowhere"),
        lambda: partial.write_text("mine"),
        lambda: partial.mkdir(),
        lambda: os.mkfifo(partial),
        lambda: os.link(tmp_path / "passwd", partial),
    ):
        make()
        found = os.lstat(partial)
        done = fleet(tmp_path / "fleet", "-o", tmp_path / f"rows{suffix}")
        assert (done.status, done.err) == (1, "")
        assert os.path.samestat(os.lstat(partial), found)
        assert len(stored(tmp_path / f"rows{suffix}")) == 7
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
            ["fleet", "passwd", f"rows{suffix}", partial.name]
        )
        assert (tmp_path / "passwd").read_text() == "root"
        (partial.rmdir if partial.is_dir() and not partial.is_symlink() else partial.unlink)()


def test_an_incomplete_file_as_a_source(tmp_path: Path) -> None:
    partial = tmp_path / "rows.csv.partial"
    partial.write_bytes(WEB)
    done = fleet(partial, "-o", tmp_path / "rows.csv")
    assert done.status == 0
    assert partial.read_bytes() == WEB


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("room", one_in(3, [100, 3_000, 20_000, 60_001]))
def test_a_full_disk(tmp_path: Path, suffix: str, room: int) -> None:
    """The file may not grow: so many rows as are said are there, and all are whole."""
    table, out = inventory_of(tmp_path / "t.csv"), tmp_path / f"rows{suffix}"
    done = fleet(table, "-o", out, "--workers", "1", before=limited(resource.RLIMIT_FSIZE, room))
    if done.status == 0:
        assert (suffix, len(stored(out))) == (".parquet", 800)
        return
    check_partial(done, out)


def check_partial(done: Done, out: Path) -> None:
    """Check what a run says of the rows that it could write."""
    assert (done.status, done.out) == (3, "")
    told, *complaint = done.err.splitlines()
    partial = Path(f"{out}.partial")
    if told.startswith("stopped after "):
        assert told.endswith(f" of 800 guests: their rows are in {partial}")
        rows = stored(partial) if out.suffix != ".csv" else list(csv.DictReader(partial.read_text().splitlines()))
        assert len(rows) == int(told.split()[2])
        assert partial.read_bytes().endswith(b"\n")
        assert set(rows[-1]) - {"schema"} == {column.name for column in COLUMNS}
        told = complaint[0]
    else:
        assert not partial.exists()
    assert told.startswith(f"cannot write {out}: ")
    assert not out.exists()


@as_root
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_full_file_system(tmp_path: Path, suffix: str) -> None:
    table = inventory_of(tmp_path / "t.csv")
    small = tmp_path / "small"
    small.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12k", "tmpfs", small], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("the system allows no mounts")
    try:
        done = fleet(table, "-o", small / f"rows{suffix}", "--workers", "1")
        if done.status:
            assert "no space left on device" in done.err
            check_partial(done, small / f"rows{suffix}")
        else:
            assert suffix == ".parquet"
    finally:
        subprocess.run(["umount", small], check=True)


def test_ended_at_random_moments(tmp_path: Path) -> None:
    """SIGINT, SIGTERM and SIGKILL: the file is whole or not there, and what is left of one has whole rows."""
    import random

    chance = random.Random(5)
    table, out = inventory_of(tmp_path / "t.csv", 300), tmp_path / "rows.jsonl"
    partial = tmp_path / "rows.jsonl.partial"
    begin = time.monotonic()
    assert fleet(table, "-o", out, "--workers", "2").status == 0
    whole, seconds = out.read_bytes(), time.monotonic() - begin
    for number in range(int(os.environ.get("PCISIM_KILLS", "5"))):
        out.unlink(missing_ok=True)
        if number % 3 == 0:
            partial.unlink(missing_ok=True)
        process = start(
            table, "-o", out, "--workers", "2", before=lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
        )
        how = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)[number % 3]
        while how == signal.SIGINT and not (partial.exists() or out.exists()) and process.poll() is None:
            time.sleep(0.001)  # before that it is Python's own start that is interrupted
        time.sleep(chance.random() * seconds)
        (os.killpg if how == signal.SIGINT else os.kill)(process.pid, how)
        done = ended(process)
        assert done.status in (0, -how, 130), done
        assert "Traceback" not in done.err
        if out.exists():
            assert out.read_bytes() == whole
            assert not partial.exists()
        elif partial.exists():
            left = partial.read_bytes()
            assert whole.startswith(left)
            assert left.endswith(b"\n") or not left or how == signal.SIGKILL
    assert fleet(table, "-o", out, "--workers", "2").status == 0
    assert out.read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name and path.stat().st_size] == []


# Texts


CONTROLS = frozenset("\x1b\x07\x9b\u202e\u2028")
NASTY = "\x1b]0;x\x07\x9b31m\u202e\u2028"


def test_texts_that_would_act(tmp_path: Path) -> None:
    """Neither a terminal nor a spreadsheet does anything that a document says, unless --raw asks for it."""
    names = ["=1+1", "+1", "-1", "@x", "\t=1", "'a", "plain", f"a{NASTY}b"]
    table = tmp_path / "t.csv"
    with open(table, "w", newline="") as stream:
        csv.writer(stream).writerows([["name", "machine"], *([name, "pc"] for name in names)])
    text = fleet(table, "--format", "csv").out
    assert not set(text) & CONTROLS
    cells = [row["name"] for row in csv.DictReader(io.StringIO(text))]
    assert cells == ["'=1+1", "'+1", "'-1", "'@x", "'=1", "'a", "plain", r"a\x1b]0;x\x07\x9b31m\u202e\u2028b"]
    raw = fleet(table, "--format", "csv", "--raw").out
    assert [row["name"] for row in csv.DictReader(io.StringIO(raw, newline=""))][:4] == names[:4]
    assert NASTY in raw
    lines = fleet(table, "--format", "jsonl").out
    assert not set(lines) & CONTROLS
    assert [json.loads(line)["name"] for line in lines.splitlines()][-1] == names[-1]
    for form in ("text", "json"):
        assert not set(fleet(table, "--format", form).out) & CONTROLS
