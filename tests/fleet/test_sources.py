"""Where the guests are: directories, files, archives; links, and what cannot be read."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from pcisim.errors import InputError, PcisimError, UsageError
from pcisim.fleet.survey import archive as archive_module
from pcisim.fleet.survey.batch import shown
from pcisim.fleet.survey.rows import Row
from pcisim.fleet.survey.run import survey
from pcisim.fleet.survey.sources import batches
from pcisim.formats.xml.document import MAX_BYTES
from tests.fleet.fleets import SHAPES, archive, member, write_fleet

WEB = SHAPES["web"].encode()


def rows(*sources: str | Path) -> list[Row]:
    return list(survey([str(source) for source in sources], workers=1))


def said(*sources: str | Path) -> list[tuple[str, str | None]]:
    """Return what rows say that need no figures: the path without its beginning, and the code."""
    return [(row.path.rpartition("/top/")[2], row.code) for row in rows(*sources)]


def refused(*sources: str | Path) -> PcisimError:
    with pytest.raises(PcisimError) as caught:
        rows(*sources)
    return caught.value


def test_directory(tmp_path: Path) -> None:
    paths = write_fleet(tmp_path, 20)
    (tmp_path / "0" / "notes.txt").write_text("no guest")
    (tmp_path / "a" / ".hidden").mkdir(parents=True)
    (tmp_path / "a" / ".hidden" / "x.xml").write_bytes(WEB)
    assert [row.path for row in rows(tmp_path)] == [*paths, f"{tmp_path}/a/.hidden/x.xml"]


def test_order_of_sources(tmp_path: Path) -> None:
    paths = write_fleet(tmp_path, 4)
    table = tmp_path / "t.csv"
    table.write_text("machine\npc\n")
    found = [row.path for row in rows(paths[3], paths[0], table, paths[1])]
    assert found == [paths[3], paths[0], f"{table}:2", paths[1]]


def test_a_named_file_needs_no_suffix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "guest").write_bytes(WEB)
    monkeypatch.chdir(tmp_path)
    (row,) = rows("guest")
    assert (row.path, row.fits) == ("guest", True)
    (row,) = survey(Path("guest"))
    assert row.path == "guest"


def test_links_of_a_directory(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "autostart").mkdir(parents=True)
    (tmp_path / "outside.xml").write_bytes(WEB)
    (top / "vm.xml").write_bytes(WEB)
    (top / "autostart" / "vm.xml").symlink_to("../vm.xml")
    (top / "dangling.xml").symlink_to("nowhere.xml")
    (top / "elsewhere.xml").symlink_to(tmp_path / "outside.xml")
    (top / "circle").symlink_to(top)
    (top / "circle.xml").symlink_to(top)
    assert said(top) == [("dangling.xml", "cannot-read"), ("elsewhere.xml", None), ("vm.xml", None)]


def test_unreadable_directory_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fleet(tmp_path / "top", 1)
    (tmp_path / "top" / "locked").mkdir()
    scan = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr("os.scandir", scandir)
    assert said(tmp_path / "top") == [("0/00000-web.xml", None), ("locked", "cannot-read")]
    error = refused(tmp_path / "top" / "locked")
    assert (error.code, error.exit_status) == ("cannot-read", 3)
    assert error.headline == f"cannot read the directory {tmp_path}/top/locked: permission denied"


def test_file_that_goes_away(tmp_path: Path) -> None:
    first, second = write_fleet(tmp_path, 2)
    found = batches([str(tmp_path)])
    os.unlink(first)
    from pcisim.fleet.survey.answers import Answers, Question

    gone, there = found[0].rows(Answers(Question()))
    assert (gone.path, gone.fits, gone.code) == (first, None, "cannot-read")
    assert gone.message == "cannot be read: no such file or directory"
    assert there.path == second


def test_large_file(tmp_path: Path) -> None:
    with open(tmp_path / "large.xml", "wb") as stream:
        stream.truncate(MAX_BYTES * 3)
    (row,) = rows(tmp_path)
    assert (row.code, row.message) == ("xml-size", "XML document of more than 16 MiB")


def test_names_that_are_no_text(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.xml"
    with open(path, "wb") as stream:
        stream.write(WEB)
    (row,) = rows(tmp_path)
    assert row.path == f"{tmp_path}/caf\\xe9.xml"
    assert shown("a\udce9") == "a\\xe9"


@pytest.mark.parametrize(
    ("name", "headline"),
    [
        ("nothing.xml", "cannot read {}/nothing.xml: no such file or directory"),
        ("empty", "no domain XML in {}/empty: no file there has a name that ends in .xml"),
        ("pipe", "cannot read {}/pipe: not a regular file"),
        ("nul\0", "cannot read {}/nul\0: embedded null byte"),
    ],
)
def test_what_is_no_source(tmp_path: Path, name: str, headline: str) -> None:
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    error = refused(tmp_path / name)
    assert isinstance(error, InputError)
    assert error.headline == headline.format(tmp_path)


def test_no_source() -> None:
    with pytest.raises(UsageError):
        rows()


def test_archive(tmp_path: Path) -> None:
    members = [(f"fleet/{shape}.xml", text.encode()) for shape, text in SHAPES.items()]
    long = (f"{'long/' * 40}name.xml", WEB)
    path = archive(tmp_path / "fleet.tar", *(member(*m) for m in [*members, ("fleet/notes", b"x"), long]))
    found = rows(path)
    assert [row.path for row in found] == [f"{path}:{name}" for name, _ in [*members, long]]
    for row, (name, data) in zip(found, members):
        (tmp_path / "one.xml").write_bytes(data)
        assert row._replace(path="") == rows(tmp_path / "one.xml")[0]._replace(path=""), name


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_forms_of_archives(tmp_path: Path, form: int) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w:", format=form) as tar:
        for name in write_fleet(tmp_path / "é", 3):
            tar.add(name, arcname=os.path.relpath(name, tmp_path))
    assert [row.fits for row in rows(path)] == [True, True, True]


def test_links_of_an_archive(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "a.tar",
        member("top/data/vm.conf", WEB),
        member("top/vm.xml", WEB),
        member("top/autostart/vm.xml", kind=tarfile.SYMTYPE, leads_to="../vm.xml"),
        member("top/conf.xml", kind=tarfile.SYMTYPE, leads_to="data/../data/vm.conf"),
        member("top/twice.xml", kind=tarfile.SYMTYPE, leads_to="conf.xml"),
        member("top/hard.xml", kind=tarfile.LNKTYPE, leads_to="top/vm.xml"),
        member("top/passwd.xml", kind=tarfile.SYMTYPE, leads_to="/etc/passwd"),
        member("top/up.xml", kind=tarfile.SYMTYPE, leads_to="../../etc/passwd"),
        member("top/hard-up.xml", kind=tarfile.LNKTYPE, leads_to="../x.xml"),
        member("top/lost.xml", kind=tarfile.SYMTYPE, leads_to="nowhere.xml"),
        member("top/circle.xml", kind=tarfile.SYMTYPE, leads_to="circle.xml"),
        member("top/device.xml", kind=tarfile.FIFOTYPE),
        member("../top/above.xml", WEB),
    )
    assert [(row.path.partition(":")[2], row.code) for row in rows(path)] == [
        ("top/vm.xml", None),
        ("top/conf.xml", None),
        ("top/twice.xml", None),
        ("top/hard.xml", None),
        ("top/passwd.xml", "link-outside"),
        ("top/up.xml", "link-outside"),
        ("top/hard-up.xml", "link-outside"),
        ("top/lost.xml", "cannot-read"),
        ("top/circle.xml", "cannot-read"),
        ("../top/above.xml", None),
    ]
    messages = {row.path.rpartition("/")[2]: row.message for row in rows(path)}
    assert messages["passwd.xml"] == "cannot be read: the link leads out of the archive, to /etc/passwd"


def test_the_last_member_of_a_name_counts(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar", member("a.xml", b"<x/>"), member("b.xml", WEB), member("./a.xml", WEB))
    assert [(row.path, row.fits) for row in rows(path)] == [(f"{path}:./a.xml", True), (f"{path}:b.xml", True)]


def test_cut_archives(tmp_path: Path) -> None:
    whole = Path(archive(tmp_path / "a.tar", *(member(f"{n}.xml", WEB) for n in range(3)))).read_bytes()
    length = 3 * (512 + -(-len(WEB) // 512) * 512)
    for size in (1, 100, 511, 512, 700, length - 513, length - 1, length, length + 100):
        (tmp_path / "cut.tar").write_bytes(whole[:size])
        error = refused(tmp_path / "cut.tar")
        assert (error.code, error.exit_status) == ("archive-damaged", 3), size
        assert error.headline.startswith(f"{tmp_path}/cut.tar is damaged or cut off: ")
    (tmp_path / "cut.tar").write_bytes(whole[: length + 512])
    assert len(rows(tmp_path / "cut.tar")) == 3


def test_damaged_archives(tmp_path: Path) -> None:
    """Whatever bytes are overwritten: rows or an error, and soon."""
    import random

    chance = random.Random(3)
    whole = Path(archive(tmp_path / "a.tar", *(member(f"{n}.xml", WEB) for n in range(3)))).read_bytes()
    refusals = 0
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 3, 20))):
            data[512 * 4 * chance.randrange(3) + chance.randrange(512)] = chance.randrange(256)
        (tmp_path / "b.tar").write_bytes(data)
        try:
            rows(tmp_path / "b.tar")
        except InputError:
            refusals += 1
    assert 10 < refusals < 150


def test_negative_size(tmp_path: Path) -> None:
    info, _ = member("a.xml")
    data = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    data[124:136] = b"\xff" * 10 + b"\xfe\x00"  # -512: the next header would be this one again
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data)
    (tmp_path / "a.tar").write_bytes(bytes(data) + bytes(1024))
    assert refused(tmp_path / "a.tar").code == "archive-damaged"


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tar.gz", "w:gz"), ("a.tgz", "w:gz"), ("a.tar", "w:xz"), ("a.tar.bz2", "w:bz2")]
)
def test_compressed_archives(tmp_path: Path, name: str, mode: str) -> None:
    error = refused(archive(tmp_path / name, member("a.xml", WEB), mode=mode))
    assert (error.code, error.exit_status) == ("archive-compressed", 3)


def test_archive_without_guests(tmp_path: Path) -> None:
    assert refused(archive(tmp_path / "a.tar", member("a.txt", b"x"))).code == "no-guests"
    assert refused(archive(tmp_path / "b.tar")).code == "no-guests"
    (tmp_path / "c.tar").write_bytes(b"")
    assert refused(tmp_path / "c.tar").code == "archive-damaged"
    (tmp_path / "d.tar").write_text("no archive" * 100)
    assert refused(tmp_path / "d.tar").code == "archive-damaged"


def test_archive_that_goes_away(tmp_path: Path) -> None:
    from pcisim.fleet.survey.answers import Answers, Question

    path = archive(tmp_path / "a.tar", member("a.xml", WEB))
    (batch,) = archive_module.archive_batches(path)
    os.unlink(path)
    with pytest.raises(InputError, match=r"cannot read .*a\.tar: no such file or directory"):
        batch.rows(Answers(Question()))
