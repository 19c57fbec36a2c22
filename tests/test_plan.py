"""What the user holds in hand: addresses, explanations, text and data of a plan."""

from __future__ import annotations

import itertools
import json

import pytest

import pcisim
from pcisim.catalogue.versions import libvirt_version
from pcisim.errors import InputError, RefusedError, UsageError
from pcisim.guest import Guest
from pcisim.libvirt.policy import LibvirtPolicy
from pcisim.placement import Placement
from pcisim.plan import Plan
from pcisim.policies import policy_of
from tests.guests import BARE, FIRST_LINE, NO_BALLOON, at, controller, disk, domain, ich9, nic, pci, table, video

E4 = domain("q35", nic("virtio"), nic("e1000"), video("vga"), nic("e1000", at(0, 0x10)), disk())


def shown(plan: Plan) -> dict[str, str]:
    return {label: str(address) for label, address in plan.addresses.items()}


# --- addresses


def test_addresses_by_label() -> None:
    plan = pcisim.assign(E4)
    assert shown(plan) == {
        "usb:0": "0000:04:00.0",
        "sata:0": "0000:00:1f.2",
        "pci:1": "0000:00:02.0",
        "pci:2": "0000:00:02.1",
        "pci:3": "0000:01:00.0",
        "pci:4": "0000:00:02.2",
        "pci:5": "0000:00:02.3",
        "pci:6": "0000:00:02.4",
        "pci:7": "0000:00:02.5",
        "disk:vda": "0000:05:00.0",
        "interface:0": "0000:02:00.0",
        "interface:1": "0000:03:01.0",
        "interface:2": "0000:00:10.0",
        "video:0": "0000:00:01.0",
        "memballoon:0": "0000:06:00.0",
    }
    assert all(isinstance(address, pcisim.PciAddress) for address in plan.addresses.values())
    assert plan.addresses is plan.addresses


def test_built_in_devices_without_an_element_are_not_among_them() -> None:
    assert shown(pcisim.assign(domain("q35", BARE))) == {"sata:0": "0000:00:1f.2"}
    owners = {owner.label: owner.owner_kind for owner in pcisim.assign(domain("q35", BARE)).topology.owners.values()}
    assert owners == {"ICH9 LPC bridge": "built-in", "ICH9 SMBus controller": "built-in", "sata:0": "device"}


def test_topology_is_that_of_the_guest() -> None:
    plan = pcisim.assign(E4)
    assert [bus.model.name for bus in plan.topology.buses] == [
        "pcie-root",
        "pcie-root-port",
        "pcie-root-port",
        "pcie-to-pci-bridge",
        *["pcie-root-port"] * 4,
    ]
    plan.topology.check()


def test_text_of_a_plan() -> None:
    plan = pcisim.assign(E4)
    assert repr(plan) == "<Plan q35: 15 addresses, as libvirt 12.9>"
    assert repr(pcisim.assign(domain("", BARE), libvirt="9.0")) == "<Plan pc: 0 addresses, as libvirt 9.0>"
    for label, address in plan.addresses.items():
        if label != "pci:0":
            assert label in str(plan), label
            assert f"{address.slot:02x}.{address.function}" in str(plan)


# --- explain


def test_explains_a_search() -> None:
    explained = pcisim.assign(E4).explain("interface:0")
    assert (explained.label, str(explained.address)) == ("interface:0", "0000:02:00.0")
    assert [step.remark for step in explained.steps] == ["search"]
    assert [(look.bus, look.model, look.verdict) for look in explained.steps[0].looks] == [
        (0, "pcie-root", "takes a PCI Express device only at an explicit address"),
        (1, "pcie-root-port", "its one slot is taken"),
        (2, "pcie-root-port", "slot 0x00 is the first one free: chosen"),
    ]
    assert str(explained) == (
        "interface:0 is at 0000:02:00.0\n"
        "  search\n"
        "    bus 0x00 pcie-root: takes a PCI Express device only at an explicit address\n"
        "    bus 0x01 pcie-root-port: its one slot is taken\n"
        "    bus 0x02 pcie-root-port: slot 0x00 is the first one free: chosen"
    )


def test_explains_a_written_address() -> None:
    explained = pcisim.assign(E4).explain("interface:2")
    assert [(step.remark, list(step.looks)) for step in explained.steps] == [
        (f"the address is explicit on line {FIRST_LINE + 3}", [])
    ]


def test_explains_an_increment() -> None:
    explained = pcisim.assign(domain("q35", BARE, nic("e1000", at(1, 1)))).explain("interface:0")
    assert str(explained.address) == "0000:02:01.0"
    assert [step.remark for step in explained.steps] == [
        "0000:01:01.0 is the explicit address;"
        " libvirt puts a root port before the bridge that it adds, so the bus is one higher"
    ]


def test_explains_a_place_of_the_chipset() -> None:
    explained = pcisim.assign(E4).explain("sata:0")
    assert [step.remark for step in explained.steps] == ["the chipset's own place"]


@pytest.mark.parametrize(
    ("machine", "devices", "label", "slot"),
    [
        ("q35", [video("vga")], "video:0", "0x01"),
        ("pc", [video("vga")], "video:0", "0x02"),
        ("q35", ["<sound model='ich9'/>"], "sound:0", "0x1b"),
        ("q35", [pci("dmi-to-pci-bridge", 1)], "pci:1", "0x1e"),
        ("q35", [ich9(0)], "usb:0:ich9-uhci1", "0x1d"),
    ],
)
def test_explains_a_preferred_place(machine: str, devices: list[str], label: str, slot: str) -> None:
    explained = pcisim.assign(domain(machine, NO_BALLOON, *devices)).explain(label)
    assert [step.remark for step in explained.steps] == [f"slot {slot} of bus 0, which its kind prefers, is empty"]


def test_explains_a_preferred_place_that_was_taken() -> None:
    plan = pcisim.assign(domain("pc", BARE, nic("virtio", at(0, 2)), video("vga")))
    explained = plan.explain("video:0")
    assert [look.verdict for look in explained.steps[-1].looks] == ["slot 0x03 is the first one free: chosen"]


def test_explains_companions() -> None:
    plan = pcisim.assign(domain("pc", NO_BALLOON, ich9(0)))
    assert [step.remark for step in plan.explain("usb:0:ich9-uhci2").steps] == ["shares the slot of usb:0:ich9-ehci1"]


def test_explains_everything_that_was_placed_by_search() -> None:
    plan = pcisim.assign(domain("q35", BARE, nic("virtio"), nic("e1000"), disk()))
    for label, address in plan.addresses.items():
        explained = plan.explain(label)
        assert explained.address == address
        assert explained.steps, label
        for step in explained.steps:
            if step.looks:
                assert step.looks[-1].bus == address.bus


def test_cannot_explain_what_is_not_there() -> None:
    plan = pcisim.assign(domain("pc", BARE, disk()))
    with pytest.raises(UsageError) as caught:
        plan.explain("disk:vdb")
    assert caught.value.code == "unknown-label"
    assert caught.value.headline == "no device 'disk:vdb' with a PCI address"
    assert caught.value.details == ("there are: disk:vda",)


# --- data


def test_json_schema() -> None:
    plan = pcisim.assign(domain("q35", BARE, disk(), nic("e1000", at(1, 1))))
    document = plan.to_json()
    assert list(document)[:6] == ["schema", "libvirt", "measured", "profile", "other_versions", "policy"]
    assert {key: document[key] for key in ("schema", "libvirt", "policy", "machine", "arch")} == {
        "schema": "pcisim.plan/1",
        "libvirt": "12.9",
        "policy": "as libvirt 12.9",
        "machine": "q35",
        "arch": "x86_64",
    }
    assert {"devices", "controllers", "buses", "added", "rewritten"} <= set(document)
    assert document["rewritten"] == {"interface:0": "0000:01:01.0"}
    assert document["added"] == sorted(["pci:1", "pci:2", "pci:3", "pci:4", "sata:0"])
    assert {row["label"]: row["address"] for row in document["devices"]} == shown(plan)
    assert next(row for row in document["devices"] if row["label"] == "disk:vda") == {
        "label": "disk:vda",
        "element": "disk",
        "type": "virtio",
        "model": "virtio",
        "address": "0000:03:00.0",
        "bus": 3,
        "slot": 0,
        "function": 0,
        "multifunction": None,
        "line": FIRST_LINE + 1,
    }
    assert document["controllers"][1] == {
        "label": "pci:1",
        "index": 1,
        "model": "pcie-root-port",
        "model_name": "pcie-root-port",
        "target": {"chassis": 1, "port": 8},
        "address": "0000:00:01.0",
    }
    assert [bus["index"] for bus in document["buses"]] == [0, 1, 2, 3, 4]
    assert document["buses"][2] == {
        "index": 2,
        "model": "pcie-to-pci-bridge",
        "usable_slots": [1, 31],
        "held": [{"address": "0000:02:01.0", "owner": "interface:0", "kind": "device"}],
        "claims": [],
    }


def test_json_is_plain_and_stable() -> None:
    first, second = pcisim.assign(E4).to_json(), pcisim.assign(E4).to_json()
    text = json.dumps(first)
    assert json.loads(text) == first
    assert json.dumps(second) == text


def test_json_of_another_version_says_so() -> None:
    document = pcisim.assign(domain("", BARE), libvirt="9.0").to_json()
    assert (document["libvirt"], document["policy"], document["machine"]) == ("9.0", "as libvirt 9.0", "pc")


def test_json_is_a_copy() -> None:
    plan = pcisim.assign(E4)
    document = plan.to_json()
    document["controllers"][1]["target"]["port"] = 99
    document["devices"].clear()
    assert plan.to_json() == pcisim.assign(E4).to_json()


# --- text out


def test_xml_of_the_same_kind() -> None:
    text, data = pcisim.assign_xml(E4), pcisim.assign_xml(E4.encode())
    assert isinstance(text, str)
    assert isinstance(data, bytes)
    assert data == text.encode()
    assert "<address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/>" in text


def test_xml_of_a_guest_without_a_document() -> None:
    guest = Guest.of("q35", {"virtio-blk": 2, "virtio-net": 1, "virtio-scsi": 1})
    plan = pcisim.assign(guest)
    text = plan.to_xml()
    assert isinstance(text, str)
    assert "<type arch='x86_64' machine='q35'>hvm</type>" in text
    assert shown(pcisim.assign(text)) == shown(plan)
    assert {change.what for change in plan.changes()} == {"opened"}
    assert guest.document is None


def test_xml_of_a_guest_without_a_document_by_version() -> None:
    guest = Guest.of("pc", {"virtio-blk": 1})
    plan = pcisim.assign(guest, libvirt="9.0")
    assert shown(pcisim.assign(plan.to_xml(), libvirt="9.0")) == shown(plan)


@pytest.mark.parametrize(("name", "element"), [("pvpanic", "panic"), ("virtio-sound", "sound")])
def test_older_versions_refuse_models_that_they_do_not_know(name: str, element: str) -> None:
    with pytest.raises(RefusedError) as caught:
        pcisim.assign(Guest.of("q35", {name: 1}), libvirt="9.0")
    assert (caught.value.code, caught.value.parties) == ("unknown-model", (f"{element}:0",))
    assert caught.value.headline.startswith("libvirt 9.0 does not know the model ")


@pytest.mark.parametrize(("name", "label"), [("virtio-crypto", "crypto:0"), ("acpi-erst", "pstore:0")])
def test_older_versions_do_not_place_elements_that_they_do_not_know(name: str, label: str) -> None:
    guest = Guest.of("q35", {name: 1})
    assert label in pcisim.assign(guest).addresses
    assert shown(pcisim.assign(guest, libvirt="9.0")) == shown(pcisim.assign(Guest.of("q35"), libvirt="9.0"))


def test_changes_are_what_is_replaced() -> None:
    plan = pcisim.assign(domain("q35", BARE, nic("e1000", at(1, 1))))
    assert [(change.line, "bus" in str(change)) for change in plan.changes()] == [(FIRST_LINE + 1, True)]
    assert pcisim.assign(domain("q35", BARE, nic("e1000", at(2, 1)))).changes() == []


def test_qemu_arguments_know_the_addresses() -> None:
    arguments = pcisim.assign(domain("q35", BARE, disk())).to_qemu_args()
    assert arguments[:2] == ["-machine", "q35"]
    devices = [value for flag, value in itertools.pairwise(arguments) if flag == "-device"]
    assert any("pcie-root-port" in value and "addr=0x1" in value for value in devices)
    assert any("virtio-blk-pci" in value and "bus=pci.1" in value and "addr=0x0" in value for value in devices)


# --- assign


def test_assign_is_deterministic() -> None:
    tables = {table(pcisim.assign(E4)) for _ in range(3)}
    assert len(tables) == 1


def test_assign_takes_a_guest_text_or_bytes() -> None:
    guest = Guest.of("q35", {"virtio-blk": 1})
    plan = pcisim.assign(guest)
    assert plan.source is guest
    text = plan.to_xml()
    assert isinstance(text, str)
    assert shown(pcisim.assign(text)) == shown(pcisim.assign(text.encode())) == shown(plan)


def test_assign_keeps_the_source() -> None:
    plan = pcisim.assign(E4)
    assert [c.label for c in plan.source.controllers] == []
    assert all(device.address is None for device in plan.source.devices["disk"])
    assert len(plan.placement.guest.controllers) == 10


def test_a_policy_object() -> None:
    class Upside(LibvirtPolicy):
        def describe(self) -> str:
            return "upside down"

    plan = pcisim.assign(E4, Upside(libvirt_version("11.3")))
    assert plan.to_json()["policy"] == "upside down"
    assert isinstance(plan.placement, Placement)


def test_names_of_policies() -> None:
    rules = libvirt_version("9.0")
    named = policy_of("libvirt", rules)
    assert isinstance(named, LibvirtPolicy)
    assert named.rules is rules
    assert policy_of(named, libvirt_version("11.3")) is named
    with pytest.raises(UsageError) as caught:
        pcisim.assign(E4, "nosuch")
    assert (caught.value.code, caught.value.headline) == ("unknown-policy", "unknown policy 'nosuch'")


def test_unknown_version() -> None:
    with pytest.raises(UsageError) as caught:
        pcisim.assign(E4, libvirt="6.0")
    assert caught.value.code == "unknown-version"


def test_refusals_carry_the_name_of_the_file() -> None:
    for text, kind in ((domain("pc", nic("virtio", at(0, 1, 3))), RefusedError), ("<domain", InputError)):
        with pytest.raises(kind) as caught:
            pcisim.assign(text, name="vm.xml")
        assert caught.value.file == "vm.xml"
        assert str(caught.value).startswith("vm.xml:")
    with pytest.raises(RefusedError) as caught:
        pcisim.assign(domain("pc", nic("virtio", at(0, 1, 3))))
    assert caught.value.file is None


# --- host devices (libvirt rule 3.3)

HOSTDEV = (
    "<hostdev mode='subsystem' type='pci'><source>"
    "<address domain='0x0000' bus='0x06' slot='0x12' function='0x0'/></source></hostdev>"
)


@pytest.mark.parametrize(
    ("host_pci", "address"),
    [
        (None, "0000:01:00.0"),
        ({}, "0000:01:00.0"),
        ({"0000:06:12.0": "pci"}, "0000:02:01.0"),
        ({"06:12.0": "pci"}, "0000:02:01.0"),
        ({"0000:06:12.1": "pci"}, "0000:01:00.0"),
    ],
)
def test_host_devices_are_express_unless_declared(host_pci: dict[str, str] | None, address: str) -> None:
    text = domain("q35", BARE, HOSTDEV)
    assert shown(pcisim.assign(text, host_pci=host_pci))["hostdev:0"] == address
    assert address[5:7] in str(pcisim.assign_xml(text, host_pci=host_pci))


def test_host_device_of_an_interface() -> None:
    source = "<source><address type='pci' domain='0' bus='0x6' slot='0x12' function='0'/></source>"
    text = domain("q35", BARE, f"<interface type='hostdev'>{source}</interface>", controller("scsi", 0, "virtio-scsi"))
    assert shown(pcisim.assign(text))["interface:0"] == "0000:02:00.0"
    assert shown(pcisim.assign(text, host_pci={"0000:06:12.0": "pci"}))["interface:0"] == "0000:03:01.0"


@pytest.mark.parametrize("host_pci", [{"0000:06:12.0": "pci"}, {}, "auto"])
def test_host_devices_of_a_guest_without_xml(host_pci: dict[str, str] | str) -> None:
    with pytest.raises(UsageError) as caught:
        pcisim.assign(Guest.of("q35", {"vfio-pci": 1}), host_pci=host_pci)
    assert caught.value.code == "host-pci"


@pytest.mark.parametrize(
    ("machine", "line", "why"),
    [
        ("frobnicate", 6, "none of pc, pc-i440fx-VERSION, q35 and pc-q35-VERSION"),
        ("pc-frobnicate-9", 6, "none of pc, pc-i440fx-VERSION, q35 and pc-q35-VERSION"),
        ("isapc", 6, "it has ISA only"),
        ("frobnicate", None, "none of pc, pc-i440fx-VERSION, q35 and pc-q35-VERSION"),
    ],
)
def test_a_machine_without_pci_is_named(machine: str, line: int | None, why: str) -> None:
    with pytest.raises(RefusedError) as caught:
        pcisim.assign(domain(machine) if line else Guest.of(machine), libvirt="11.3")
    error = caught.value
    assert (error.headline, error.code, error.line) == ("No PCI buses available", "no-pci-bus", line)
    assert f"the machine type '{machine}' has no PCI bus that libvirt knows: " in error.details[1]
    assert error.details[1].endswith(why)


@pytest.mark.parametrize("machine", ["frobnicate", "pc-frobnicate-9"])
def test_a_machine_without_a_root_bus_is_refused_at_once_by_12_9(machine: str) -> None:
    with pytest.raises(RefusedError) as caught:
        pcisim.assign(domain(machine), libvirt="12.9")
    error = caught.value
    assert error.headline == f"Machine type '{machine}' supports PCI but no PCI controller added"
    assert (error.code, error.line) == ("no-pci-bus", 6)
    assert error.details[0].endswith("none of pc, pc-i440fx-VERSION, q35 and pc-q35-VERSION")


def test_a_controller_that_libvirt_would_add_is_called_so() -> None:
    with pytest.raises(RefusedError) as caught:
        pcisim.assign(Guest.of("pc", {"virtio-blk": 59}))
    error = caught.value
    assert error.details[0] == "pci:1, a controller that libvirt would add, found no bus that accepts it and has room"
