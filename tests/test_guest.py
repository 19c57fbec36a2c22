"""Guests without XML, and what a device knows of itself."""

from __future__ import annotations

import pytest

import pcisim
from pcisim.catalogue.connectors import CONVENTIONAL, EXPRESS
from pcisim.catalogue.devices import DEVICE_MODELS
from pcisim.errors import RefusedError, UsageError
from pcisim.guest import Controller, Device, Guest, device_model, disk_target, memory_size, refuse
from tests.guests import table


def test_of_nothing() -> None:
    guest = Guest.of("q35")
    assert (guest.machine_type, guest.arch, guest.acpi, guest.document) == ("q35", "x86_64", True, None)
    assert (guest.devices, guest.controllers, list(guest.all_devices())) == ({}, [], [])
    assert guest.machine.family == "q35"


def test_of_some() -> None:
    guest = Guest.of("pc-i440fx-9.2", {"virtio-blk": 2, "virtio-net": 1, "e1000": 1, "virtio-scsi": 2})
    assert [(d.label, d.element, d.model, d.plug) for d in guest.all_devices()] == [
        ("scsi:0", "controller", "virtio-scsi", EXPRESS),
        ("scsi:1", "controller", "virtio-scsi", EXPRESS),
        ("disk:vda", "disk", "virtio", EXPRESS),
        ("disk:vdb", "disk", "virtio", EXPRESS),
        ("interface:0", "interface", "virtio", EXPRESS),
        ("interface:1", "interface", "e1000", CONVENTIONAL),
    ]
    assert [(d.bus, d.unit) for d in guest.devices["disk"]] == [("virtio", 0), ("virtio", 1)]
    assert guest.machine.family == "i440fx"


@pytest.mark.parametrize("counts", [{}, {"virtio-blk": 0}, {"virtio-blk": 0, "vga": 0}])
def test_a_count_of_zero_is_nothing(counts: dict[str, int]) -> None:
    assert list(Guest.of("q35", counts).all_devices()) == []
    assert table(pcisim.assign(Guest.of("q35", counts))) == table(pcisim.assign(Guest.of("q35")))


@pytest.mark.parametrize("count", [-1, 1.0, 0.0, True, False, "3", None, float("nan")])
def test_a_count_that_is_no_whole_number(count: object) -> None:
    with pytest.raises(UsageError) as caught:
        Guest.of("q35", {"virtio-blk": count})
    assert caught.value.code == "device-count"
    assert caught.value.headline == f"the count of virtio-blk must be a non-negative integer, not {count!r}"
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("virtio-blok", "virtio-blk"),
        ("e1000x", "e1000"),
        ("", ""),
        ("VGA", ""),
        ("nosuchthing", ""),
        ("virtio_net", "virtio-net"),
    ],
)
def test_an_unknown_device(name: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        Guest.of("q35", {name: 1})
    assert caught.value.code == "unknown-device"
    assert caught.value.headline == f"unknown device {name!r}"
    assert near in "".join(caught.value.details)
    assert caught.value.remedy == "pcisim assign --device=help lists the models"


def test_an_unknown_device_is_refused_even_none_of_it() -> None:
    with pytest.raises(UsageError):
        Guest.of("q35", {"nosuchthing": 0})


@pytest.mark.parametrize("name", sorted(DEVICE_MODELS))
def test_every_model_can_be_asked_for(name: str) -> None:
    row = DEVICE_MODELS[name]
    guest = Guest.of("q35", {name: 1})
    (device,) = guest.all_devices()
    assert device.row == name
    kind = f"/{device.type}" if isinstance(device, Controller) else ""
    assert (device.element + kind, device.model) == (row.element, row.model)
    assert device.label in pcisim.assign(guest).addresses


def test_names_with_and_without_pci() -> None:
    assert device_model("virtio-blk-pci") is DEVICE_MODELS["virtio-blk"]
    assert device_model("virtio-blk") is DEVICE_MODELS["virtio-blk"]


def test_controllers_are_numbered_by_type() -> None:
    guest = Guest.of("q35", {"virtio-scsi": 1, "virtio-serial": 2, "lsi": 1, "ich9-ahci": 1})
    assert [(c.label, c.type, c.index) for c in guest.controllers] == [
        ("scsi:0", "scsi", 0),
        ("virtio-serial:0", "virtio-serial", 0),
        ("virtio-serial:1", "virtio-serial", 1),
        ("scsi:1", "scsi", 1),
        ("sata:0", "sata", 0),
    ]


@pytest.mark.parametrize(
    ("number", "name"),
    [(0, "vda"), (25, "vdz"), (26, "vdaa"), (51, "vdaz"), (52, "vdba"), (701, "vdzz"), (702, "vdaaa")],
)
def test_names_of_disks(number: int, name: str) -> None:
    assert disk_target("vd", number) == name


@pytest.mark.parametrize(
    ("address_type", "address", "wants"),
    [(None, None, True), ("pci", None, True), ("pci", 0x18, False), ("drive", None, False), ("isa", None, False)],
)
def test_who_wants_an_address(address_type: str | None, address: int | None, wants: bool) -> None:
    """Libvirt rule 1.2: who has none, or an empty one of type pci."""
    assert Device("disk", "disk:vda", address_type=address_type, address=address).wants is wants


def test_devices_are_compared_by_identity() -> None:
    one, other = Device("rng", "rng:0"), Device("rng", "rng:0")
    assert one != other
    assert len({one, other}) == 2


def test_a_device_without_a_document_has_no_line() -> None:
    device = Device("rng", "rng:0")
    assert device.line is None
    assert device.owner_kind == "device"
    error = refuse(device, "headline", "code", "remedy", "one", "two")
    assert isinstance(error, RefusedError)
    assert (error.headline, error.code, error.remedy, error.details) == ("headline", "code", "remedy", ("one", "two"))
    assert (error.line, error.parties) == (None, ("rng:0",))


@pytest.mark.parametrize(("model", "ich9"), [("ich9-ehci1", True), ("ich9-uhci3", True), ("ehci", False), ("", False)])
def test_ich9(model: str, ich9: bool) -> None:
    assert Controller("controller", "usb:0", model, type="usb").ich9 is ich9


def test_defaults_are_not_shared() -> None:
    one, other = Controller("controller", "pci:1"), Controller("controller", "pci:2")
    one.target["port"] = 1
    one.defaults["@model"] = "x"
    assert (other.target, other.defaults) == ({}, {})
    first, second = Guest("pc"), Guest("pc")
    first.devices["rng"] = []
    first.controllers.append(one)
    assert (second.devices, second.controllers) == ({}, [])


def test_sizes_of_memory() -> None:
    assert memory_size(3, "GiB") == memory_size(3, "g") == 3 << 30
    assert memory_size(3, "GB") == 3 * 10**9
    assert memory_size(3, "bytes") == 3
    assert [memory_size(1, unit) for unit in ("", "stone", "kb.", "ib")] == [None] * 4
