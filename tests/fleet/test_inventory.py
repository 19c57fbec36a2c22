"""Tables of counts: their columns, their records, and how they are handed out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pcisim.errors import InputError, PcisimError
from pcisim.fleet.survey import inventory
from pcisim.fleet.survey.answers import Answers, Question
from pcisim.fleet.survey.rows import Row
from pcisim.fleet.survey.run import survey

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def rows(path: Path) -> list[Row]:
    return list(survey(path, workers=1))


def table(folder: Path, text: str | bytes) -> Path:
    path = folder / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(path: Path) -> PcisimError:
    with pytest.raises(PcisimError) as caught:
        rows(path)
    return caught.value


def counted(machine: str, **counts: int) -> tuple[Any, ...]:
    """Return what a row says of a guest, from `fits` on."""
    models = tuple((name.replace("_", "-"), count) for name, count in counts.items())
    return Answers(Question()).of_counts("", None, machine, models, None)[4:]


@pytest.mark.parametrize(
    "text",
    [
        "name,machine,virtio-blk,e1000\na,q35,3,1\nb,pc,,2\n",
        "name,machine,virtio-blk,e1000\r\na,q35,3,1\r\nb,pc,,2",
        '\ufeff"name","machine","virtio-blk","e1000"\n"a","q35"," 3 ",1\n"b","pc","0","2"\n',
        "name , machine, virtio-blk-pci ,e1000\na,q35,03,1\nb,pc, ,2\n",
    ],
)
def test_csv(tmp_path: Path, text: str) -> None:
    path = table(tmp_path, text)
    first, second = rows(path)
    assert first[:4] == (f"{path}:2", "a", "q35", "12.9")
    assert first[4:] == counted("q35", virtio_blk=3, e1000=1)
    assert second[:4] == (f"{path}:3", "b", "pc", "12.9")
    assert second[4:] == counted("pc", e1000=2)


def test_columns_in_any_order_and_without_names(tmp_path: Path) -> None:
    (row,) = rows(table(tmp_path, "e1000,machine,virtio-blk\n1,q35,3\n"))
    assert row.name is None
    assert row[4:] == counted("q35", virtio_blk=3, e1000=1)


def test_architectures(tmp_path: Path) -> None:
    """Without one a guest is of x86_64, where virt has no PCI bus."""
    arm, x86, unsaid, none = rows(
        table(tmp_path, "arch,machine,virtio-blk\naarch64,virt,3\nx86_64,q35,3\n,q35,3\n,virt,3\n")
    )
    assert (arm.fits, arm.machine, arm.devices, arm.ports, arm.free_hot_express) == (True, "virt", 3, 4, 1)
    assert x86[4:] == unsaid[4:] == counted("q35", virtio_blk=3)
    assert none.code == "no-pci-bus"


@pytest.mark.parametrize(
    ("head", "code", "headline"),
    [
        ("name,virtio-blk", "inventory-column", "the column 'machine' is missing"),
        ("machine;virtio-blk", "unknown-device", "the column 'machine;virtio-blk' is not a model of a device"),
        ("machine,virtio-blkk", "unknown-device", "the column 'virtio-blkk' is not a model of a device"),
        ("machine,", "unknown-device", "the column '' is not a model of a device"),
        ("machine,vga,vga", "inventory-column", "the column 'vga' is there twice"),
        ("machine,vga,vga-pci", "inventory-column", "the column 'vga' is there twice"),
        ("", "inventory-column", "the column 'machine' is missing"),
        (b"machine,\xff", "inventory-column", "the names of the columns are not UTF-8"),
    ],
)
def test_columns(tmp_path: Path, head: str | bytes, code: str, headline: str) -> None:
    error = refused(table(tmp_path, (head if isinstance(head, bytes) else head.encode()) + b"\npc,1,1\n"))
    assert isinstance(error, InputError)
    assert (error.code, error.headline, error.line) == (code, headline, 1)
    assert error.file == f"{tmp_path}/t.csv"


def test_near_names(tmp_path: Path) -> None:
    assert refused(table(tmp_path, "machine,virtio-blkk\n")).details[0].startswith("did you mean virtio-blk")


@pytest.mark.parametrize(
    ("record", "code", "message"),
    [
        ("a,pc,-1", "device-count", "the count of virtio-blk must be a non-negative integer, not -1"),
        ("a,pc,1.5", "device-count", "the count of virtio-blk must be a non-negative integer, not 1.5"),
        ("a,pc,2.0", "device-count", "the count of virtio-blk must be a non-negative integer, not 2.0"),
        ("a,pc,many", "device-count", "the count of virtio-blk must be a non-negative integer, not many"),
        ("a,pc,\u0663", "device-count", "the count of virtio-blk must be a non-negative integer, not \u0663"),
        ("a,pc,50001", "device-count", "at most 50000 devices are allowed"),
        (
            f"a,pc,{'9' * 400}",
            "device-count",
            f"the count of virtio-blk must be a non-negative integer, not {'9' * 60}",
        ),
        ("a,pc", "inventory-record", "the record has only 2 values"),
        ("a,,1", "inventory-record", "the record names no machine type"),
        ("a,frobnicate,1", "no-pci-bus", "Machine type 'frobnicate' supports PCI but no PCI controller added"),
    ],
)
def test_a_bad_record_is_a_row(tmp_path: Path, record: str, code: str, message: str) -> None:
    before, bad, after = rows(table(tmp_path, f"name,machine,virtio-blk\nx,pc,1\n{record}\ny,pc,1\n"))
    assert (before.fits, after.fits) == (True, True)
    assert (bad.name, bad.code, bad.message, bad.line) == (
        None if code == "inventory-record" and "," not in record[2:] else "a", code, message, 3
    )  # fmt: skip
    assert bad.fits is (False if code == "no-pci-bus" else None)


@pytest.mark.parametrize("text", ["machine\n", "machine", "machine\n\n"])
def test_no_records(tmp_path: Path, text: str) -> None:
    path = table(tmp_path, text)
    if text.endswith("\n\n"):
        assert rows(path) == []
    else:
        assert refused(path).code == "no-guests"


def test_quotes_and_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However a table is cut into ranges, its rows and their lines are the same."""
    names = ['"two\nlines"', "plain", '"a ""quoted"" one"', '"many\n\n\nlines, and a comma"', "\xe9", ""] * 5
    path = table(
        tmp_path, "name,machine,vga\n" + "\n".join(f"{name},pc,{n % 2}" for n, name in enumerate(names)) + "\n"
    )
    whole = rows(path)
    assert [row.name for row in whole[:6]] == [
        "two\nlines",
        "plain",
        'a "quoted" one',
        "many\n\n\nlines, and a comma",
        "\xe9",
        None,
    ]
    assert [int(row.path.rpartition(":")[2]) for row in whole[:7]] == [2, 4, 5, 6, 10, 11, 12]
    assert len(whole) == 30
    for size in (1, 10, 40, 200):
        monkeypatch.setattr(inventory, "_RANGE", size)
        ranges = list(inventory.csv_batches(str(path)))
        assert len(ranges) > 1
        assert ranges[-1].end == path.stat().st_size
        assert rows(path) == whole


def test_bad_quotes_and_bytes(tmp_path: Path) -> None:
    (row,) = rows(table(tmp_path, 'name,machine\n"open,pc\n'))
    assert row.code == "inventory-record"
    (row,) = rows(table(tmp_path, b"name,machine\n\xff,pc\n"))
    assert (row.name, row.fits) == ("\ufffd", True)
    before, long, after = rows(table(tmp_path, f"name,machine\na,pc\n{'x' * 200_000},pc\nb,pc\n"))
    assert (before.fits, after.fits, after.line, after.path[-2:]) == (True, True, None, ":4")
    assert (long.code, long.line, long.message) == ("inventory-record", 3, "the record has more than 128 KiB")


def stored(folder: Path, columns: dict[str, Any], **options: Any) -> Path:
    path = folder / "t.parquet"
    parquet.write_table(pyarrow.table(columns), path, **options)
    return path


def test_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {
        "name": ["a", None, "c", "d"] * 5,
        "machine": pyarrow.array(["q35", "pc", "frobnicate", None] * 5).dictionary_encode(),
        "virtio-blk": [3, None, 2, 1] * 5,
        "e1000": pyarrow.array([1, 2, 0, -1] * 5, pyarrow.int8()),
    }
    monkeypatch.setattr(inventory, "RECORDS", 3)
    path = stored(tmp_path, columns, row_group_size=8)
    found = rows(path)
    assert [row.path for row in found] == [f"{path}:{n}" for n in range(1, 21)]
    assert found[0][1:] == ("a", "q35", "12.9", *counted("q35", virtio_blk=3, e1000=1))
    assert found[1][1:] == (None, "pc", "12.9", *counted("pc", e1000=2))
    assert [row.code for row in found[2:4]] == ["no-pci-bus", "inventory-record"]
    assert [row[1:] for row in found[:4]] * 5 == [row[1:] for row in found]


def test_parquet_refused(tmp_path: Path) -> None:
    error = refused(stored(tmp_path, {"machine": ["pc"], "vga": [1.0]}))
    assert (error.code, error.headline) == (
        "inventory-column",
        "the counts of vga are of type double, not integers",
    )
    assert refused(stored(tmp_path, {"name": ["pc"], "vga": [1]})).headline == "the column 'machine' is missing"
    assert refused(stored(tmp_path, {"machine": pyarrow.array([], pyarrow.string())})).code == "no-guests"
    (row,) = rows(stored(tmp_path, {"machine": ["pc"], "vga": [-1]}))
    assert (row.code, row.line) == ("device-count", None)
    whole = (tmp_path / "t.parquet").read_bytes()
    for data in (b"", whole[:100], whole[:-6], b"x" * 1000):
        (tmp_path / "t.parquet").write_bytes(data)
        assert refused(tmp_path / "t.parquet").code == "cannot-read"
