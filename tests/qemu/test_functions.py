"""The table of PCI functions: its rows by themselves, what it says for a place, and ten rows on the real QEMU."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from pcisim.catalogue import bars, functions
from pcisim.catalogue.bars import (
    COMPUTED,
    CONFIG_FIELDS,
    IO,
    MEM32,
    MEM64,
    MEMDEV_SIZE,
    MEMORY_LINKS,
    QUEUES,
    SIZE_OPTIONS,
    WITHOUT,
    Bar,
    stem,
)
from pcisim.catalogue.controllers import PCI_CONTROLLERS
from pcisim.catalogue.devices import DEVICE_MODELS
from pcisim.catalogue.functions import (
    ALIASES,
    ALWAYS,
    BUILT_INS,
    CLASS_OPTIONS,
    DEFAULT_PROFILE,
    EXPRESS,
    FUNCTIONS,
    HYBRID,
    IDENTITIES,
    MODERN,
    NEVER,
    NEW_IN_10_0,
    NO_MSIX_IN_7_2,
    PLACE_IS_ID_IN_7_2,
    PORT,
    PROFILES,
    TRANSITIONAL,
    UNMEASURED,
    UNMEASURED_IN_7_2,
    PciFunction,
    asks_for_io,
    function_at,
    is_measured,
)
from pcisim.errors import RefusedError, UsageError

from . import measure_functions as measuring

ROWS = pytest.mark.parametrize("row", FUNCTIONS.values(), ids=lambda row: row.driver)
PLACES = ((False, False), (True, True), (True, False))
"""`express_bus` and `root_bus` of the three kinds of places."""
GENERATOR = (
    "virtio-rng-pci", "virtio-scsi-pci", "virtio-net-pci", "virtio-serial-pci", "e1000", "e1000e", "nec-usb-xhci",
    "pci-testdev", "pcie-root-port", "ioh3420", "x3130-upstream", "xio3130-downstream", "i82801b11-bridge",
    "pcie-pci-bridge", "pci-bridge", "pxb", "pxb-pcie", "cxl-rp", "gpex-root", "i440FX", "PIIX3", "piix3-ide",
    "PIIX4_PM", "mch", "ICH9-LPC", "ich9-ahci", "ICH9-SMB", "nvme", "igb", "edu", "megasas-gen2",
)  # fmt: skip
"""Drivers of the recorded topologies, and others that nobody should lose."""


def power_of_two(number: int) -> bool:
    return number > 0 and not number & (number - 1)


def at(place: tuple[bool, bool], driver: str, options: Mapping[str, str] | None = None) -> PciFunction:
    return function_at(driver, express_bus=place[0], root_bus=place[1], options=options or {})


# ------------------------------------------------------------------ the table


@ROWS
def test_row_is_well_formed(row: PciFunction) -> None:
    assert 0 < row.vendor < 0xFFFF or row.driver == "pxb-cxl"
    assert 0 < row.device <= 0xFFFF or row.driver == "pxb-cxl"
    assert 0 < row.class_code <= 0xFFFF
    assert 0 <= row.revision <= 0xFF
    assert row.express in (NEVER, PORT, EXPRESS, ALWAYS)
    assert row.header in (0, 1)
    assert (row.header == 1) == (row.class_code == 0x0604)
    assert 0 <= row.pin <= 4
    assert row.rom == 0 or (power_of_two(row.rom) and row.rom >= 2048)


@pytest.mark.parametrize("place", PLACES)
def test_bars_fit_into_their_registers(place: tuple[bool, bool]) -> None:
    for row in FUNCTIONS.values():
        check_bars(row, at(place, row.driver))


def check_bars(row: PciFunction, answer: PciFunction) -> None:
    """Check the BARs of a row as it is at a place."""
    taken: list[int] = []
    for bar in answer.bars:
        assert bar.kind in (IO, MEM32, MEM64)
        assert power_of_two(bar.size)
        assert bar.size >= (4 if bar.kind == IO else 2)
        assert not (bar.kind == IO and (bar.prefetchable or bar.size > 0x10000))
        taken += [bar.number] if bar.kind != MEM64 else [bar.number, bar.number + 1]
    assert taken == sorted(set(taken))
    assert not taken or taken[-1] < (2 if row.header else 6)
    assert answer.express in (ALWAYS, NEVER)


@ROWS
def test_virtio_columns_go_together(row: PciFunction) -> None:
    assert bool(row.virtio) == row.driver.startswith(("virtio-", "vhost-"))
    assert bool(row.legacy) == (row.virtio in (HYBRID, TRANSITIONAL))
    assert not row.legacy or stem(row.driver) in CONFIG_FIELDS
    if row.virtio:
        assert row.vendor == 0x1AF4
        assert sum(bar.kind == MEM64 for bar in row.bars) == 1
        assert not row.asks_for_io
    if row.virtio in (HYBRID, MODERN):
        assert 0x1041 <= row.device <= 0x107F
    if row.legacy:
        assert 0x1000 <= row.legacy <= 0x103F
    assert row.driver.endswith("-transitional") <= (row.virtio in (TRANSITIONAL, MODERN))


def test_a_virtio_family_is_one_device() -> None:
    for name, row in FUNCTIONS.items():
        if name + "-transitional" in FUNCTIONS:
            for express in (False, True):
                pair = ("disable-legacy", "off"), ("disable-legacy", "on")
                for (option, value), suffix in zip(pair, ("-transitional", "-non-transitional"), strict=True):
                    with_option = function_at(row.driver, express_bus=express, options={option: value})
                    by_name = function_at(name + suffix, express_bus=express)
                    for field in ("vendor", "device", "class_code", "revision", "express", "bars", "rom", "pin"):
                        assert getattr(with_option, field) == getattr(by_name, field)


def test_every_driver_has_a_row_or_a_reason() -> None:
    drivers = {row.driver for row in DEVICE_MODELS.values()}
    drivers |= {name for row in PCI_CONTROLLERS.values() for name in row.model_names}
    drivers |= set(GENERATOR) | {name for places in BUILT_INS.values() for name in places.values()}
    for driver in drivers:
        assert is_measured(driver) or UNMEASURED[driver]


def test_lists_beside_the_table_name_its_rows() -> None:
    rows = FUNCTIONS.keys()
    assert (
        rows
        >= PLACE_IS_ID_IN_7_2
        | NO_MSIX_IN_7_2
        | NEW_IN_10_0
        | UNMEASURED_IN_7_2.keys()
        | MEMORY_LINKS.keys()
        | COMPUTED.keys()
    )
    assert rows | UNMEASURED.keys() >= CONFIG_FIELDS.keys() | QUEUES.keys() | CLASS_OPTIONS.keys()
    assert rows >= {driver for driver, *_ in (*SIZE_OPTIONS, *WITHOUT, *IDENTITIES)}
    assert not rows & UNMEASURED.keys()
    assert not rows & ALIASES.keys()
    assert rows | UNMEASURED.keys() >= set(ALIASES.values())
    for driver in NO_MSIX_IN_7_2:
        assert any(bar.number == 1 for bar in FUNCTIONS[driver].bars)
        assert all(bar.number != 1 for bar in function_at(driver, express_bus=False, profile="7.2").bars)
    assert all((driver, MEMDEV_SIZE) in SIZE_OPTIONS for driver in MEMORY_LINKS)


@pytest.mark.parametrize(
    ("driver", "options", "older", "newer"),
    [
        ("ati-vga", {}, (0, 16 << 20), (0, 64 << 20)),
        ("ati-vga", {"vgamem_mb": "256", "model": "rv100"}, (0, 256 << 20), (0, 128 << 20)),
        ("qxl", {"revision": "3"}, (5, 64 << 20), (3, 64 << 20)),
        ("VGA", {"mmio": "off"}, (2, 16 << 20), (0, 16 << 20)),
    ],
)
def test_what_changed_in_11_1(
    driver: str, options: dict[str, str], older: tuple[int, int], newer: tuple[int, int]
) -> None:
    """Revision and size of BAR 0, as each QEMU has them."""
    found = {p: function_at(driver, express_bus=False, options=options, profile=p) for p in ("10.0", "11.1")}
    assert {p: (row.revision, row.bars[0].size) for p, row in found.items()} == {"10.0": older, "11.1": newer}


def test_what_is_new_in_11_1() -> None:
    for driver in ("virtio-rtc-pci", "iommu-testdev"):
        assert [is_measured(driver, profile) for profile in ("7.2", "10.0", "11.1")] == [False, False, True]


def test_pieces_known_from_elsewhere() -> None:
    """The guest facts: q35's fixed I/O is AHCI 32 and SMBus 64 bytes, a pci-testdev asks for 256."""
    io = {
        driver: [bar.size for bar in function_at(driver, express_bus=False).bars if bar.kind == IO]
        for driver in ("ich9-ahci", "ICH9-SMB", "pci-testdev", "piix3-ide", "mch")
    }
    assert io == {"ich9-ahci": [32], "ICH9-SMB": [64], "pci-testdev": [256], "piix3-ide": [16], "mch": []}


# ------------------------------------------------------------------ places and options


@pytest.mark.parametrize(
    ("options", "conventional", "root", "port"),
    [
        ({}, (0x1000, True, False), (0x1000, True, False), (0x1041, False, True)),
        ({"disable-legacy": "auto"}, (0x1000, True, False), (0x1000, True, False), (0x1041, False, True)),
        ({"disable-legacy": "off"}, (0x1000, True, False), (0x1000, True, False), (0x1000, True, True)),
        ({"disable-legacy": "on"}, (0x1041, False, False), (0x1041, False, False), (0x1041, False, True)),
        ({"disable-modern": "on"}, (0x1000, True, False), (0x1000, True, False), None),
        ({"disable-modern": "on", "disable-legacy": "off"}, *[(0x1000, True, False)] * 3),
        ({"disable-modern": "on", "disable-legacy": "on"}, None, None, None),
        ({"modern-pio-notify": "on"}, (0x1000, True, False), (0x1000, True, False), (0x1041, True, True)),
    ],
)  # fmt: skip
def test_virtio_net_by_place(options: Mapping[str, str], conventional: object, root: object, port: object) -> None:
    for place, wanted in zip(PLACES, (conventional, root, port), strict=True):
        if wanted is None:
            with pytest.raises(RefusedError, match="neither modern nor legacy") as caught:
                at(place, "virtio-net-pci", options)
            assert caught.value.code == "virtio-neither"
            continue
        answer = at(place, "virtio-net-pci", options)
        assert (answer.device, answer.asks_for_io, answer.express == ALWAYS) == wanted
        assert answer.revision == (answer.device >= 0x1041)
        express_bus, root_bus = place
        io = asks_for_io("virtio-net-pci", options=options, express_bus=express_bus, root_bus=root_bus)
        assert io is answer.asks_for_io


def test_legacy_only_has_no_modern_window() -> None:
    answer = function_at("virtio-rng-pci", express_bus=False, options={"disable-modern": "on"})
    assert answer.bars == (Bar(0, IO, False, 32), Bar(1, MEM32, False, 4096))


def test_express_capability_by_place() -> None:
    found = {
        driver: [at(place, driver).express == ALWAYS for place in PLACES]
        for driver in ("e1000", "virtio-gpu-pci", "qemu-xhci", "e1000e", "pcie-root-port", "pcie-pci-bridge")
    }
    assert found == {
        "e1000": [False, False, False],
        "virtio-gpu-pci": [False, False, True],
        "qemu-xhci": [False, True, True],
        "e1000e": [True, True, True],
        "pcie-root-port": [True, True, True],
        "pcie-pci-bridge": [True, True, True],
    }


@pytest.mark.parametrize(
    ("driver", "options", "bars"),
    [
        ("pci-bridge", {"shpc": "off"}, ()),
        ("pci-bridge", {"shpc": "on"}, (Bar(0, MEM64, False, 256),)),
        ("VGA", {"vgamem_mb": "24"}, (Bar(0, MEM32, True, 32 << 20), Bar(2, MEM32, False, 4096))),
        ("bochs-display", {"vgamem": "64M"}, (Bar(0, MEM32, True, 64 << 20), Bar(2, MEM32, False, 4096))),
        ("nvme", {"cmb_size_mb": "64"}, (Bar(0, MEM64, False, 16384), Bar(2, MEM64, True, 64 << 20))),
        ("nvme", {"cmb_size_mb": "0"}, (Bar(0, MEM64, False, 16384),)),
        ("nvme", {"msix_qsize": "512", "max_ioqpairs": "512"}, (Bar(0, MEM64, False, 32768),)),
        ("nvme", {MEMDEV_SIZE: "1048576"}, (Bar(0, MEM64, False, 16384), Bar(4, MEM64, True, 1 << 20))),
        ("VGA", {"mmio": "off"}, (Bar(0, MEM32, True, 16 << 20),)),
        ("virtio-gpu-pci", {"vectors": "0"}, (Bar(4, MEM64, True, 16384),)),
        ("virtio-gpu-pci", {"vectors": "255"}, (Bar(1, MEM32, False, 8192), Bar(4, MEM64, True, 16384))),
    ],
)  # fmt: skip
def test_options_change_bars(driver: str, options: Mapping[str, str], bars: tuple[Bar, ...]) -> None:
    assert function_at(driver, express_bus=False, options=options).bars == bars


def test_qxl_has_a_64_bit_bar_only_when_it_is_the_larger() -> None:
    for size, wanted in (("0", False), ("64", False), ("128", True)):
        answer = function_at("qxl", express_bus=False, options={"vram64_size_mb": size})
        assert any(bar.number == 4 for bar in answer.bars) == wanted


@pytest.mark.parametrize("options", [{"romfile": ""}, {"rombar": "0"}])
def test_rom_can_be_taken_away(options: Mapping[str, str]) -> None:
    assert function_at("e1000", express_bus=False).rom == 256 << 10
    assert function_at("e1000", express_bus=False, options=options).rom == 0


def test_unknown_options_change_nothing() -> None:
    plain = function_at("virtio-net-pci", express_bus=True)
    assert plain == function_at("virtio-net-pci", express_bus=True, options={"id": "n", "bus": "r", "romfile": "a.rom"})


@pytest.mark.parametrize(
    ("driver", "options"),
    [
        ("virtio-net-pci", {"disable-legacy": "yes"}),  # QEMU wants on, off or auto for this one
        ("virtio-net-pci", {"disable-modern": "maybe"}),
        ("virtio-net-pci", {"vectors": "many"}),
        ("VGA", {"vgamem_mb": ""}),
        ("pci-bridge", {"shpc": "2"}),
    ],
)
def test_bad_option_is_refused(driver: str, options: Mapping[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        function_at(driver, express_bus=False, options=options)
    assert caught.value.code == "bad-option"


@pytest.mark.parametrize(
    ("driver", "profile", "code", "reason"),
    [
        ("vhost-vsock-pci", DEFAULT_PROFILE, "unmeasured-driver", UNMEASURED["vhost-vsock-pci"]),
        ("virtio-gpu-gl", DEFAULT_PROFILE, "unmeasured-driver", UNMEASURED["virtio-gpu-gl-pci"]),
        ("igb", "7.2", "unmeasured-driver", "QEMU 7.2 does not have it"),
        ("vhost-user-vga", "7.2", "unmeasured-driver", UNMEASURED_IN_7_2["vhost-user-vga"]),
        ("nosuch-pci", DEFAULT_PROFILE, "unknown-driver", None),
        ("e1000", "1.0", "unknown-profile", None),
    ],
)
def test_what_was_not_measured_is_not_guessed(driver: str, profile: str, code: str, reason: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        function_at(driver, express_bus=True, profile=profile)
    assert caught.value.code == code
    assert caught.value.details == ((reason,) if reason else ())
    if code != "unknown-profile":
        assert asks_for_io(driver, express_bus=True, profile=profile) is None


def test_alias_is_the_same_device() -> None:
    assert function_at("lsi", express_bus=False) == function_at("lsi53c895a", express_bus=False)
    assert asks_for_io("ahci", express_bus=True) is True
    assert asks_for_io("qemu-xhci", express_bus=True) is False


def test_imports_only_what_a_catalogue_may() -> None:
    allowed = {"pcisim.address", "pcisim.errors", "pcisim.catalogue.bars"}
    for module in (functions, bars):
        tree = ast.parse(Path(str(module.__file__)).read_text())
        modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert {name for name in modules if name and name.startswith("pcisim")} <= allowed


# ------------------------------------------------------------------ the real QEMU


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("driver", "options"),
    [
        ("e1000", {}),
        ("e1000e", {"romfile": ""}),
        ("nvme", {}),
        ("qemu-xhci", {}),
        ("VGA", {}),
        ("pci-bridge", {"shpc": "off"}),
        ("pcie-root-port", {}),
        ("virtio-net-pci", {"disable-modern": "on"}),
        ("virtio-rng-pci", {"disable-legacy": "on"}),
        ("vhost-user-fs-pci", {}),
    ],
)
def test_ten_rows_on_the_real_qemu(driver: str, options: Mapping[str, str]) -> None:
    program = shutil.which("qemu-system-x86_64")
    if program is None:
        pytest.skip("qemu-system-x86_64 is not on the PATH (Debian: apt install qemu-system-x86)")
    profile = measuring.profile_of([program])
    if measuring.version([program]).rpartition(".")[0] not in PROFILES:
        pytest.skip(f"the table has no profile for QEMU {measuring.version([program])}")
    for place in measuring.MAIN_PLACES:
        for asked in ({}, options) if options else ({},):
            wanted = measuring.expected(driver, place, asked, profile)
            try:
                found: PciFunction | None = measuring.measure([program], driver, place, asked)
            except measuring.QemuRefusal as error:
                assert wanted is None, f"{driver} at {place}: {error}"  # noqa: PT017
            else:
                assert found == wanted
