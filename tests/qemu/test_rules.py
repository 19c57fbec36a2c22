"""What QEMU takes and refuses, rule by rule; each answer was verified against QEMU 7.2."""

from __future__ import annotations

import pytest

from pcisim.catalogue.properties import devices_of
from pcisim.errors import InputError, RefusedError, UsageError
from pcisim.qemu.device import parse_device, read_properties
from pcisim.qemu.listing import placement_of
from pcisim.qemu.machine import QemuMachine

PORT, RNG = "pcie-root-port,id=r,chassis=1", "virtio-rng-pci"
BRIDGE = "pci-bridge,id=b,chassis_nr=1"
NATIVE_PC = "-global PIIX4_PM.acpi-pci-hotplug-with-bridge-support=off"
NATIVE_Q35 = "-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"
SLOT_0 = "Unsupported PCI slot 0 for standard hotplug controller. Valid slots are between 1 and 31."

REFUSED: dict[str, tuple[str, list[str], str]] = {
    "slot-out-of-range": ("pc", [f"{RNG},addr=20"], "Property 'virtio-rng-pci.addr' doesn't take value '20'"),
    "function-out-of-range": ("pc", [f"{RNG},addr=4.8"], "Property 'virtio-rng-pci.addr' doesn't take value '4.8'"),
    "place-taken": (
        "q35",
        [f"{RNG},id=x,addr=4", "e1000,addr=4"],
        "PCI: slot 4 function 0 not available for e1000, in use by virtio-rng-pci,id=x",
    ),
    "built-in-function": (
        "q35",
        [f"{RNG},addr=1f.3"],
        "PCI: slot 31 function 3 not available for virtio-rng-pci, in use by ICH9-SMB,id=(null)",
    ),
    "single-function-first": (
        "pc",
        [f"{RNG},addr=6", f"{RNG},addr=6.2"],
        "PCI: single function device can't be populated in function 6.2",
    ),
    "single-function-last": (
        "pc",
        [f"{RNG},addr=1c.2", f"{RNG},addr=1c"],
        "PCI: 1c.0 indicates single function, but 1c.2 is already populated.",
    ),
    "root-full": (
        "pc",
        [RNG] * 31,
        "PCI: no slot/function available for virtio-rng-pci, all in use or reserved",
    ),
    "no-such-bus": ("q35", [f"{RNG},bus=pci.0"], "Bus 'pci.0' not found"),
    "bus-that-comes-later": ("q35", [f"{RNG},bus=r", PORT], "Bus 'r' not found"),
    "bus-that-is-not-pci": ("q35", [f"{RNG},bus=isa.0"], "Device 'virtio-rng-pci' can't go on ISA bus"),
    "no-pci-at-all": ("microvm", [RNG], "No 'PCI' bus found for device 'virtio-rng-pci'"),
    "id-twice": ("pc", [f"{RNG},id=a", "nosuch", f"{RNG},id=a"], "Duplicate ID 'a' for device"),
    "id-that-is-no-name": ("pc", [f"{RNG},id=1a"], "Parameter 'id' expects an identifier"),
    "unknown-device": ("pc", ["virtio-rgn-pci"], "'virtio-rgn-pci' is not a valid device model name"),
    "part-of-the-machine": ("pc", ["i440FX"], "Parameter 'driver' expects a pluggable device type"),
    "no-driver": ("pc", ["id=a"], "Parameter 'driver' is missing"),
    "unknown-property": ("q35", [f"{PORT},bus-reserv=3"], "Property 'pcie-root-port.bus-reserv' not found"),
    "number-too-large": ("q35", ["pcie-root-port,chassis=256"], "Parameter 'chassis' expects uint8_t"),
    "no-number": ("q35", ["pcie-root-port,slot=x"], "Parameter 'slot' expects integer"),
    "no-switch": ("q35", [f"{PORT},hotplug=maybe"], "Parameter 'hotplug' expects 'on' or 'off'"),
    "no-size": ("q35", [f"{PORT},io-reserve=4kk"], "Parameter 'io-reserve' expects size"),
    "neither-on-off-nor-auto": (
        "q35",
        [f"{RNG},disable-legacy=true"],
        "Parameter 'disable-legacy' does not accept value 'true'",
    ),
    "neither-legacy-nor-modern": (
        "q35",
        [PORT, f"{RNG},bus=r,disable-modern=on"],
        "device cannot work as neither modern nor legacy mode is enabled",
    ),
    "bridge-without-chassis": (
        "pc",
        ["pci-bridge,id=b"],
        "Bridge chassis not specified. Each bridge is required to be assigned a unique chassis id > 0.",
    ),
    "two-bare-ports": ("q35", ["pcie-root-port", "ioh3420"], "Can't add chassis slot, error -16"),
    "slot-number-cut-to-8-bits": (
        "q35",
        ["pcie-root-port,chassis=3,slot=1", "pcie-root-port,chassis=3,slot=257"],
        "Can't add chassis slot, error -16",
    ),
    "two-prefetchable-reserves": (
        "q35",
        [f"{PORT},pref32-reserve=1M,pref64-reserve=1M"],
        "PCI resource reserve cap: PREF32 and PREF64 conflict",
    ),
    "reserve-of-4-gib": (
        "q35",
        [f"{PORT},mem-reserve=4G"],
        "PCI resource reserve cap: mem-reserve must be less than 4G",
    ),
    "expander-of-the-other-kind": ("q35", ["pxb,bus_nr=9"], "pxb devices cannot reside on a PCIe bus"),
    "endpoint-on-an-expander": (
        "q35",
        ["pxb-pcie,id=p,bus_nr=9", RNG],
        "PCI: Only PCI/PCIe bridges can be plugged into pxb-pcie",
    ),
    "expander-behind-a-port": (
        "q35",
        [PORT, "pxb-pcie,bus_nr=9,bus=r"],
        "PXB devices can be attached only to root bus",
    ),
    "expander-number-twice": (
        "q35",
        ["pxb-pcie,bus_nr=9,bus=pcie.0", "pxb-pcie,bus_nr=9,bus=pcie.0"],
        "Bus 9 is already in use",
    ),
    "expander-number-of-an-unnumbered-bridge": (
        "q35",
        [PORT, "pxb-pcie,bus_nr=0,bus=pcie.0"],
        "Bus 0 is already in use",
    ),
    "expander-on-an-unknown-node": ("pc", ["pxb,bus_nr=9,numa_node=0"], "Illegal numa node 0"),
    "slot-0-below-an-expander": (
        "pc",
        ["pxb,id=p,bus_nr=9", f"{BRIDGE},bus=p,addr=1", f"{RNG},bus=b"],
        SLOT_0,
    ),
    "slot-0-without-acpi": ("pc,acpi=off", [BRIDGE, f"{RNG},bus=b"], SLOT_0),
    "slot-0-on-an-old-machine": ("pc-q35-6.0", ["pcie-pci-bridge,id=b", f"{RNG},bus=b"], SLOT_0),
    "without-its-drive": ("pc", ["virtio-blk-pci"], "drive property not set"),
    "two-balloons": ("pc", ["virtio-balloon-pci", "virtio-balloon"], "Only one balloon device is supported"),
    "rom-of-five-bytes": ("pc", [f"{RNG},romsize=5"], "ROM size 5 is not a power of two"),
    "acpi-index-twice": (
        "pc",
        [f"{RNG},acpi-index=3", f"{RNG},acpi-index=3"],
        "a PCI device with acpi-index = 3 already exist",
    ),
    "number-as-text-in-json": (
        "q35",
        ['{"driver": "pcie-root-port", "chassis": "1"}'],
        "Parameter 'chassis' expects uint64",
    ),
    "switch-as-text-in-json": (
        "q35",
        ['{"driver": "pcie-root-port", "multifunction": "on"}'],
        "Invalid parameter type for 'multifunction', expected: boolean",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    machine, devices, words = REFUSED[case]
    with pytest.raises(RefusedError) as refused:
        QemuMachine(machine).start(devices)
    assert refused.value.headline == words
    assert refused.value.details[0].startswith("-device ")
    assert refused.value.code


@pytest.mark.parametrize("options", [NATIVE_PC, f"  {NATIVE_PC}  "])
def test_switches_of_acpi_hotplug(options: str) -> None:
    QemuMachine("pc").start([BRIDGE, f"{RNG},bus=b"])
    with pytest.raises(RefusedError, match="Unsupported PCI slot 0"):
        QemuMachine("pc", [options]).start([BRIDGE, f"{RNG},bus=b"])


def where(machine: str, *devices: str, options: tuple[str, ...] = ()) -> dict[str, str]:
    built = QemuMachine(machine, options)
    built.start(devices)
    return {row["id"]: f"{row['bus']} {row['slot']:x}.{row['function']}" for row in placement_of(built) if row["id"]}


def test_automatic_addresses_are_the_lowest_slots() -> None:
    assert where("pc", f"{RNG},id=a,addr=3", f"{RNG},id=b", f"{RNG},id=c") == {
        "a": "pci.0 3.0",
        "b": "pci.0 2.0",
        "c": "pci.0 4.0",
    }


def test_automatic_address_on_a_port_and_beyond_it() -> None:
    assert where("q35", PORT, f"{RNG},id=a,bus=r", f"{RNG},id=b,bus=r") == {
        "r": "pcie.0 1.0",
        "a": "r 0.0",
        "b": "r 1.0",
    }


def test_functions_in_any_order_when_function_0_has_the_bit() -> None:
    assert where("pc", f"{RNG},id=b,addr=5.3", f"{RNG},id=a,addr=5,multifunction=on")["b"] == "pci.0 5.3"


def test_bridge_without_bus_goes_to_the_last_expander() -> None:
    assert where("pc", "pxb,id=p,bus_nr=9", BRIDGE) == {"p": "pxb-internal 0.0", "b": "pxb-internal 1.0"}


def test_buses_without_an_id_get_numbered_names() -> None:
    built = QemuMachine("q35")
    built.start(["pcie-root-port,chassis=1", "i82801b11-bridge", "i82801b11-bridge"])
    assert [bus.label for bus in built.buses()] == ["pcie.0", "pci.1", "pci.0", "pcie.0"]


@pytest.mark.parametrize(
    ("text", "place"), [("1f", 0xF8), ("0x1f.0x7", 0xFF), (" 5", 0x28), ("+5.1", 0x29), ("0x", 0), ("05.0", 0x28)]
)
def test_addresses_as_c_reads_them(text: str, place: int) -> None:
    assert read_properties(parse_device(f"{RNG},addr={text}"), devices_of("7.2"))["addr"] == str(place)


@pytest.mark.parametrize("text", ["", "5.", ".1", "5.1.2", "zz", "-1", "5:1", "100000000000000000000"])
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(RefusedError, match="doesn't take value"):
        read_properties(parse_device(f"{RNG},addr={text}"), devices_of("7.2"))


def test_short_forms_and_doubled_commas() -> None:
    device = parse_device("pcie-root-port,multifunction,nohotplug,id=a,romfile=a,,b,")
    assert (device.driver, device.id) == ("pcie-root-port", "a")
    assert read_properties(device, devices_of("7.2")) == {"multifunction": "on", "hotplug": "off", "romfile": "a,b"}


def test_numbers_and_sizes() -> None:
    device = parse_device("pcie-root-port,chassis=0x10,slot=010,io-reserve=1.5k,mem-reserve=0x10M")
    assert read_properties(device, devices_of("7.2")) == {
        "chassis": "16", "slot": "8", "io-reserve": "1536", "mem-reserve": str(16 << 20)
    }  # fmt: skip


def test_json() -> None:
    device = parse_device('{"driver": "pcie-root-port", "id": "r", "multifunction": true, "chassis": 3, "addr": "2.0"}')
    assert device.id == "r"
    assert read_properties(device, devices_of("7.2")) == {"multifunction": "on", "chassis": "3", "addr": "16"}


@pytest.mark.parametrize("text", ["{", '{"id": "x"}', '{"driver": 5}', "{" * 20000])
def test_json_that_is_none(text: str) -> None:
    with pytest.raises(RefusedError):
        parse_device(text)


def test_unknown_machine_is_named() -> None:
    with pytest.raises(UsageError, match="'virt'"):
        QemuMachine("virt")


@pytest.mark.parametrize("option", ["-global nonsense", "-m much"])
def test_bad_options(option: str) -> None:
    with pytest.raises((UsageError, InputError)):
        QemuMachine("pc", [option])


def test_similar_names_are_offered() -> None:
    with pytest.raises(RefusedError) as refused:
        QemuMachine("pc").start(["virtio-rgn-pci"])
    assert "virtio-rng-pci" in refused.value.remedy


def test_globals_are_defaults() -> None:
    machine = QemuMachine("q35", ["-global pcie-root-port.hotplug=off"])
    machine.start([PORT])
    with pytest.raises(RefusedError, match="does not support hotplugging"):
        machine.plug(f"{RNG},bus=r")


@pytest.mark.parametrize(
    ("switch", "words"),
    [
        ("pcie-root-port.chassis=x", "Parameter 'chassis' expects uint64"),
        ("pcie-root-port.foo=x", "Property 'pcie-root-port.foo' not found"),
    ],
)
def test_bad_globals(switch: str, words: str) -> None:
    with pytest.raises(RefusedError) as refused:
        QemuMachine("q35", [f"-global {switch}"]).start([PORT])
    assert refused.value.headline == f"can't apply global {switch}: {words}"


HOTPLUG: dict[str, tuple[str, list[str], str, str | None]] = {
    "pc-root": ("pc", [], f"{RNG},addr=9", None),
    "q35-root": ("q35", [], RNG, "Bus 'pcie.0' does not support hotplugging"),
    "port": ("q35", [PORT], f"{RNG},bus=r", None),
    "port-switched-off": ("q35", [f"{PORT},hotplug=off"], f"{RNG},bus=r", "Bus 'r' does not support hotplugging"),
    "switch": (
        "q35",
        [PORT, "x3130-upstream,id=u,bus=r"],
        "xio3130-downstream,bus=u,chassis=2",
        None,
    ),
    "behind-an-expander": ("pc", ["pxb,id=p,bus_nr=9"], f"{RNG},bus=p", "Bus 'p' does not support hotplugging"),
    "never": ("pc", [], "VGA", "Parameter 'driver' expects a pluggable device type"),
    "function-0-was-first": (
        "pc",
        [f"{RNG},addr=6,multifunction=on"],
        f"{RNG},addr=6.1",
        f"PCI: slot 6 function 0 already occupied by {RNG}, new func {RNG} cannot be exposed to guest.",
    ),
    "id-taken": ("pc", [f"{RNG},id=a"], f"{RNG},id=a", "Duplicate device ID 'a'"),
}


@pytest.mark.parametrize("case", HOTPLUG)
def test_hotplug(case: str) -> None:
    machine, devices, new, words = HOTPLUG[case]
    built = QemuMachine(machine)
    built.start(devices)
    if words is None:
        assert built.plug(new) is not None
        return
    before = placement_of(built)
    with pytest.raises(RefusedError) as refused:
        built.plug(new)
    assert refused.value.headline == words
    assert placement_of(built) == before


def test_native_port_switched_off() -> None:
    machine = QemuMachine("q35", [NATIVE_Q35])
    machine.start([f"{PORT},hotplug=off"])
    with pytest.raises(RefusedError, match="unsupported by the port device 'r'"):
        machine.plug(f"{RNG},bus=r")


def test_unplug() -> None:
    machine = QemuMachine("pc")
    machine.start([f"{RNG},id=a", BRIDGE])
    machine.unplug("a")
    with pytest.raises(RefusedError, match="already in the process of unplug"):
        machine.unplug("a")
    with pytest.raises(RefusedError, match="Device 'z' not found"):
        machine.unplug("z")
    native = QemuMachine("q35", [NATIVE_Q35])
    native.start([PORT, f"{RNG},id=a,bus=r"])
    native.unplug("a")
    assert [row["id"] for row in placement_of(native) if row["bus"] == "r"] == []
    with pytest.raises(RefusedError, match=r"Bus 'pcie\.0' does not support hotplugging"):
        native.unplug("r")
