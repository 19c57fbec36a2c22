"""Which host devices are conventional: what is declared, and what a (made-up) sysfs says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pcisim import PciAddress
from pcisim.errors import InputError, UsageError
from pcisim.formats.host_pci import is_conventional, lookup

ADDRESS = PciAddress("0000:06:12.0")


def device(sysfs: Path, config: bytes, *, size: int | None = None) -> Path:
    """Make a device up; a size says how long its configuration space claims to be."""
    folder = sysfs / "0000:06:12.0"
    folder.mkdir()
    (folder / "vendor").write_text("0x8086\n", encoding="ascii")
    (folder / "device").write_text("0x100e\n", encoding="ascii")
    (folder / "config").write_bytes(config)
    if size is not None:
        with open(folder / "config", "r+b") as stream:
            stream.truncate(size)
    return folder


def space(*capabilities: tuple[int, int, int], size: int = 256, status: int = 0x10, first: int | None = None) -> bytes:
    """Return a configuration space with capabilities: place, kind, place of the next."""
    config = bytearray(size)
    config[6] = status
    config[0x34] = first if first is not None else capabilities[0][0] if capabilities else 0
    for place, kind, following in capabilities:
        config[place] = kind
        config[place + 1] = following
    return bytes(config)


@pytest.mark.parametrize(
    ("config", "conventional"),
    [
        (space(), True),
        (space((0x40, 1, 0x50), (0x50, 5, 0)), True),
        (space((0x40, 1, 0x50), (0x50, 0x10, 0)), False),
        (space((0x40, 0x10, 0), size=4096), False),
        (space((0x40, 1, 0), size=4096), True),
        (space((0x40, 0x10, 0), status=0), True),  # no list of capabilities
        (space((0x40, 1, 0x50), (0x50, 1, 0x40)), True),  # a circle
        (space((0xFE, 0x10, 0)), False),
        (space((0x40, 1, 0xFF)), True),  # a device that fell silent
        (space(first=0x20), True),  # inside the header
    ],
)
def test_what_a_whole_configuration_space_says(config: bytes, conventional: bool, tmp_path: Path) -> None:
    device(tmp_path, config)
    assert is_conventional(ADDRESS, tmp_path) is conventional


@pytest.mark.parametrize(("size", "conventional"), [(256, True), (4096, False)])
def test_what_the_beginning_alone_says(
    size: int, conventional: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is not root reads 64 bytes; the length of the file is all there is to go by."""
    device(tmp_path, space((0x40, 0x10 if conventional else 1, 0), size=size))
    whole = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: whole(path)[:64])
    assert is_conventional(ADDRESS, tmp_path) is conventional


@pytest.mark.parametrize("missing", ["config", "vendor", "device", ""])
def test_a_device_that_is_not_there(missing: str, tmp_path: Path) -> None:
    folder = device(tmp_path, space())
    if missing:
        (folder / missing).unlink()
    else:
        folder.rename(tmp_path / "0000:06:12.1")
    assert not is_conventional(ADDRESS, tmp_path)


@pytest.mark.parametrize("length", [0, 6, 63])
def test_a_configuration_space_that_is_too_short(length: int, tmp_path: Path) -> None:
    device(tmp_path, bytes(length))
    assert not is_conventional(ADDRESS, tmp_path)


def test_nothing_is_looked_up_unless_asked() -> None:
    assert lookup(None) is None
    assert lookup("auto") is is_conventional


def test_declared() -> None:
    look = lookup({"0000:06:12.0": "pci", "07:00.0": "pcie"})
    assert look is not None
    assert [look(PciAddress(text)) for text in ("06:12.0", "07:00.0", "08:00.0", "0001:06:12.0")] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("declared", ["yes", "", "pci"])
def test_neither_auto_nor_a_table(declared: str) -> None:
    with pytest.raises(UsageError) as caught:
        lookup(declared)
    assert (caught.value.headline, caught.value.code) == (
        f"host_pci is 'auto' or a table of addresses, not {declared!r}",
        "host-pci",
    )


def test_a_kind_that_is_none() -> None:
    with pytest.raises(UsageError) as caught:
        lookup({"0000:06:12.0": "isa"})
    assert (caught.value.headline, caught.value.remedy) == (
        "host device 0000:06:12.0 cannot be 'isa'",
        "declare it as 'pci' or 'pcie'",
    )


def test_an_address_that_is_none() -> None:
    with pytest.raises(InputError) as caught:
        lookup({"6.0": "pci"})
    assert caught.value.code == "address-syntax"
