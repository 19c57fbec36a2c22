"""The JSON document: its exact keys and values, and that it says what the plan says."""

from __future__ import annotations

import json

import pcisim
from tests.guests import at, domain, nic, pci


def test_a_small_guest() -> None:
    guest = domain("pc-i440fx-9.2", "<memballoon model='none'/>", nic("virtio", at(0, 9, 0)), nic("e1000", at(0, 9, 1)))
    assert pcisim.assign(guest).to_json() == {
        "schema": "pcisim.plan/1",
        "libvirt": "12.9",
        "measured": True,
        "profile": "qemu-11.1",
        "other_versions": [],
        "policy": "as libvirt 12.9",
        "machine": "pc-i440fx-9.2",
        "arch": "x86_64",
        "devices": [
            {
                "label": "usb:0",
                "element": "controller",
                "type": "usb",
                "model": "piix3-uhci",
                "address": "0000:00:01.2",
                "bus": 0,
                "slot": 1,
                "function": 2,
                "multifunction": None,
                "line": None,
            },
            {
                "label": "interface:0",
                "element": "interface",
                "type": "user",
                "model": "virtio",
                "address": "0000:00:09.0",
                "bus": 0,
                "slot": 9,
                "function": 0,
                "multifunction": "on",
                "line": 11,
            },
            {
                "label": "interface:1",
                "element": "interface",
                "type": "user",
                "model": "e1000",
                "address": "0000:00:09.1",
                "bus": 0,
                "slot": 9,
                "function": 1,
                "multifunction": None,
                "line": 12,
            },
        ],
        "controllers": [
            {"label": "pci:0", "index": 0, "model": "pci-root", "model_name": None, "target": {}, "address": None}
        ],
        "buses": [
            {
                "index": 0,
                "model": "pci-root",
                "usable_slots": [1, 31],
                "held": [
                    {"address": "0000:00:01.0", "owner": "PIIX3 ISA bridge", "kind": "built-in"},
                    {"address": "0000:00:01.2", "owner": "usb:0", "kind": "device"},
                    {"address": "0000:00:01.3", "owner": "PIIX4 power management", "kind": "built-in"},
                    {"address": "0000:00:09.0", "owner": "interface:0", "kind": "device"},
                    {"address": "0000:00:09.1", "owner": "interface:1", "kind": "device"},
                ],
                "claims": [
                    {"address": "0000:00:00.0", "owner": "i440FX host bridge", "kind": "built-in"},
                    {"address": "0000:00:01.1", "owner": "PIIX3 IDE controller (ide:0)", "kind": "reserved"},
                    {"address": "0000:00:02.0", "owner": "primary video", "kind": "preferred"},
                ],
            }
        ],
        "hotplug": {"empty_slots": 29, "detachable": []},
        "added": ["usb:0"],
        "rewritten": {},
    }


def test_controllers() -> None:
    port = pci("pcie-root-port", 1, "<target chassis='9' hotplug='off'/>")
    plan = pcisim.assign(domain("q35", pci("pcie-root", 0), port, nic("e1000")), libvirt="9.0")
    document = plan.to_json()
    assert (document["libvirt"], document["policy"]) == ("9.0", "as libvirt 9.0")
    assert document["controllers"][1] == {
        "label": "pci:1",
        "index": 1,
        "model": "pcie-root-port",
        "model_name": "pcie-root-port",
        "target": {"chassis": 9, "hotplug": "off", "port": 8},
        "address": "0000:00:01.0",
    }
    added = [label for label in document["added"] if label.startswith("pci:")]
    assert added == [row["label"] for row in document["controllers"][2:]]


def test_an_address_that_had_to_change() -> None:
    document = pcisim.assign(domain("q35", nic("e1000", at(1, 4)))).to_json()
    assert document["rewritten"] == {"interface:0": "0000:01:04.0"}
    assert [row["address"] for row in document["devices"] if row["label"] == "interface:0"] == ["0000:02:04.0"]


def test_without_xml() -> None:
    document = pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 1, "virtio-scsi": 1})).to_json()
    assert document["added"] == ["memballoon:0", "pci:1", "pci:2", "pci:3", "pci:4", "pci:5", "sata:0", "usb:0"]
    assert [row["label"] for row in document["devices"]] == [
        *("scsi:0", "usb:0", "sata:0", "pci:1", "pci:2", "pci:3", "pci:4", "pci:5"),
        *("disk:vda", "memballoon:0"),
    ]
    assert {row["line"] for row in document["devices"]} == {None}


def test_a_machine_that_is_not_named() -> None:
    document = pcisim.assign("<domain><os><type arch='i686'>hvm</type></os></domain>").to_json()
    assert (document["machine"], document["arch"]) == ("pc", "i686")


def test_it_is_plain_data() -> None:
    document = pcisim.assign(domain("q35", nic(), nic("e1000"))).to_json()
    assert json.loads(json.dumps(document)) == document


def test_it_says_what_the_plan_says() -> None:
    plan = pcisim.assign(domain("q35", nic(), nic("e1000")))
    document = plan.to_json()
    assert {row["label"]: row["address"] for row in document["devices"]} == {
        label: str(address) for label, address in plan.addresses.items()
    }
    held = {row["address"] for bus in document["buses"] for row in bus["held"] if row["kind"] == "device"}
    assert held == {str(address) for address in plan.addresses.values()}
