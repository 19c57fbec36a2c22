"""Whole command lines: the record of a simulation, and what a running guest sees of new devices."""

from __future__ import annotations

import json

import pytest

import pcisim
from pcisim.errors import UsageError
from pcisim.simulation import simulate_hotplug, simulate_qemu

PORT, RNG = "pcie-root-port,id=r,chassis=1", "virtio-rng-pci"


def test_record_of_a_machine_that_boots() -> None:
    record = simulate_qemu("q35", [PORT, f"{RNG},id=a,bus=r"]).to_json()
    assert list(record) == ["machine", "devices", "accepted", "error", "warnings", "placement", "seabios", "linux"]
    assert record["accepted"] is True
    assert record["error"] is None
    assert record["placement"][0] == {
        "bus": "pcie.0", "slot": 0, "function": 0, "driver": "mch", "id": "", "multifunction": False,
        "class": "Host bridge", "pci_id": "8086:29c0",
    }  # fmt: skip
    assert record["seabios"]["profile"] == "qemu-7.2/seabios-1.16.2"
    bridge = record["seabios"]["buses"][0]["functions"][1]
    assert bridge["bridge"] == {
        "primary": 0, "secondary": 1, "subordinate": 1,
        "io": None, "memory": [0xFE600000, 0xFE7FFFFF], "prefetch": [0xFEA00000, 0xFEBFFFFF],
    }  # fmt: skip
    assert bridge["behind"][0]["bars"] == [
        {"bar": 1, "type": "memory", "size": 0x1000, "address": 0xFE600000, "mem64": False, "prefetch": False},
        {"bar": 4, "type": "memory", "size": 0x4000, "address": 0xFEA00000, "mem64": True, "prefetch": True},
    ]
    linux = {function["address"]: function for function in record["linux"]["functions"]}
    assert linux["0000:00:01.0"]["bridge"]["io"] == [0x1000, 0x1FFF]
    assert linux["0000:01:00.0"]["pci_id"] == "1af4:1044"
    json.dumps(record)


def test_record_under_ovmf() -> None:
    record = simulate_qemu("q35", [PORT], firmware="ovmf").to_json()
    assert "seabios" not in record
    bridge = record["ovmf"]["buses"][0]["functions"][1]["bridge"]
    assert bridge["io"] == [0x6000, 0x6FFF]
    assert bridge["prefetch"] == [0xE000000000, 0xE01FFFFFFF]


def test_record_of_a_refusal() -> None:
    simulation = simulate_qemu("pc", [f"{RNG},addr=5", f"{RNG},addr=5.1"], options=["-m 1G"])
    assert simulation.to_json() == {
        "machine": "pc",
        "devices": [f"{RNG},addr=5", f"{RNG},addr=5.1"],
        "options": ["-m 1G"],
        "accepted": False,
        "error": "-device virtio-rng-pci,addr=5.1: PCI: single function device can't be populated in function 5.1",
    }
    assert simulation.view is None
    assert simulation.refusal is not None
    assert simulation.refusal.remedy == "add multifunction=on to function 0"


def test_machine_that_seabios_does_not_boot() -> None:
    devices = [f"pci-bridge,id=b{n},chassis_nr={n + 1}" for n in range(9)]
    record = simulate_qemu("pc", devices).to_json()
    assert record["seabios"]["ended"] == "firmware gave up: PCI: out of I/O address space"
    assert record["linux"] == {"booted": False, "why": "PCI: out of I/O address space"}
    bridges = [f["bridge"] for f in record["seabios"]["buses"][0]["functions"] if "bridge" in f]
    assert [b["secondary"] for b in bridges] == list(range(1, 10))
    assert [b["io"] for b in bridges] == [None] * 9


def test_machine_without_firmware_for_pci() -> None:
    record = simulate_qemu("microvm,pcie=on", [RNG]).to_json()
    assert record["accepted"] is True
    assert "seabios" not in record


def test_expanders_come_first_the_last_made_before_the_others() -> None:
    record = simulate_qemu("pc", ["pxb,id=p,bus_nr=64", "pxb,id=q,bus_nr=32,bus=pci.0", f"{RNG},bus=p"]).to_json()
    assert [bus["bus"] for bus in record["seabios"]["buses"]] == [32, 64, 0]
    hidden = record["seabios"]["buses"][1]["functions"][0]
    assert (hidden["qdev_id"], hidden["bridge"]["secondary"]) == ("p", 65)


def test_devices_that_are_not_on_pci_pass() -> None:
    simulation = simulate_qemu("q35", ["qemu-xhci,id=x", "usb-tablet,bus=x.0"])
    assert simulation.accepted
    assert simulation.built.not_on_pci == ["usb-tablet"]


def test_downstream_port_without_a_switch() -> None:
    view = simulate_qemu("q35", ["xio3130-downstream,id=d,chassis=1", f"{RNG},bus=d"]).view
    assert view is not None
    assert not view.boots
    assert view.reason == "d is a downstream port without a switch: Linux panics"


@pytest.mark.parametrize("firmware", ["uefi", ""])
def test_unknown_firmware(firmware: str) -> None:
    with pytest.raises(UsageError, match="unknown firmware"):
        simulate_qemu("q35", [], firmware=firmware)


def test_lazily_from_the_package() -> None:
    assert pcisim.simulate_qemu is simulate_qemu


SEEN: dict[str, tuple[str, list[str], list[str], list[tuple[bool | None, str]]]] = {
    "root-of-pc": ("pc", [], [RNG], [(True, "")]),
    "into-a-port": ("q35", [PORT], [f"{RNG},bus=r"], [(True, "")]),
    "slot-1-of-a-port": (
        "q35",
        [PORT],
        [f"{RNG},bus=r,addr=1"],
        [(False, "behind a port only slot 0 is looked at, not slot 0x1")],
    ),
    "function-0-last": (
        "pc",
        [],
        [f"{RNG},addr=6.1", f"{RNG},addr=6,multifunction=on"],
        [(False, "not before function 0 of slot 0x6 is plugged in: that has to come last"), (True, "")],
    ),
    "behind-a-bridge-that-is-new": (
        "pc",
        [],
        ["pci-bridge,id=n,chassis_nr=1", f"{RNG},bus=n,addr=3"],
        [(True, ""), (False, "n was not there when the guest booted: the bus behind it has no number to spare")],
    ),
    "where-the-bridge-itself-has-to-tell": (
        "pc,acpi=off",
        ["pci-bridge,id=b,chassis_nr=1"],
        [f"{RNG},bus=b,addr=2"],
        [(None, "only in a guest that has a driver for the bridge's hotplug controller (SHPC)")],
    ),
}


@pytest.mark.parametrize("case", SEEN)
def test_what_a_running_guest_sees(case: str) -> None:
    machine, devices, steps, seen = SEEN[case]
    simulation = simulate_hotplug(machine, devices, steps)
    assert [(step.seen, step.remark) for step in simulation.steps] == seen
    assert all(step.error is None for step in simulation.steps)


def test_record_of_hotplug() -> None:
    record = simulate_hotplug("pc", ["e1000,id=a"], [RNG, "-a", "-a", "pxb,bus_nr=4"]).to_json()
    assert record["steps"] == [
        {"step": RNG, "error": None, "placed": [{"bus": "pci.0", "slot": 3, "function": 0}]},
        {"step": "-a", "error": None},
        {"step": "-a", "error": "Device a is already in the process of unplug"},
        {"step": "pxb,bus_nr=4", "error": "Parameter 'driver' expects a pluggable device type", "placed": []},
    ]


def test_hotplug_on_what_does_not_start() -> None:
    simulation = simulate_hotplug("pc", ["nosuch"], [RNG])
    assert simulation.steps == ()
    assert simulation.to_json()["accepted"] is False
