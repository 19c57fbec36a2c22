"""What follows from the addresses: multifunction, names and numbers of controllers (libvirt rule 7, asked of
11.3.0).
"""

from __future__ import annotations

import pytest

import pcisim
from pcisim.address import pack
from pcisim.errors import RefusedError
from pcisim.guest import Controller, Device
from pcisim.libvirt.targets import multifunction, settle_controllers
from tests.guests import BARE, FIRST_LINE, at, domain, nic, pci, placed, refused


def device(label: str, address: int | None = None, flag: str | None = None, model: str = "") -> Device:
    kind = None if address is None else "pci"
    return Device("rng", label, model, address_type=kind, address=address, multifunction=flag)


def flags(*placed_at: tuple[Device, int]) -> dict[str, str]:
    return {d.label: flag for d, flag in multifunction(dict(placed_at)).items()}


def test_function_zero_is_marked_where_others_share() -> None:
    assert flags((device("a"), pack(0, 3)), (device("b"), pack(0, 3, 1)), (device("c"), pack(0, 4))) == {"a": "on"}


def test_order_does_not_matter() -> None:
    assert flags((device("b"), pack(0, 3, 7)), (device("a"), pack(0, 3))) == {"a": "on"}


def test_a_lone_function_marks_nobody() -> None:
    assert flags((device("b"), pack(0, 3, 1)), (device("c"), pack(1, 3))) == {}


def test_what_is_written_is_respected() -> None:
    off, on = device("off", pack(0, 3), "off"), device("on", pack(0, 4), "on")
    sharing = device("b", pack(0, 3, 1), "on")
    assert flags((off, pack(0, 3)), (sharing, pack(0, 3, 1)), (on, pack(0, 4))) == {"off": "off", "b": "on", "on": "on"}


def test_a_flag_without_an_address_is_discarded() -> None:
    """Libvirt rule 1.1: of an empty address function and multifunction are discarded."""
    assert flags((device("a", None, "on"), pack(0, 3))) == {}


def test_uhci1_is_marked_even_alone() -> None:
    """Libvirt rule 6.4, step 5; not when its address is explicit."""
    assert flags((device("a", model="ich9-uhci1"), pack(0, 3))) == {"a": "on"}
    assert flags((device("a", pack(0, 3), model="ich9-uhci1"), pack(0, 3))) == {}


# --- names and numbers


def settled(machine: str, *devices: str) -> dict[str, tuple[str, dict[str, object]]]:
    plan = pcisim.assign(domain(machine, BARE, *devices))
    return {c.label: (c.model_name, c.target) for c in plan.placement.guest.controllers if c.type == "pci"}


def test_defaults_of_q35() -> None:
    assert settled(
        "q35",
        pci("pcie-root"),
        pci("pcie-root-port"),
        pci("pcie-root-port", None, at(0, 3, 2)),
        pci("pcie-switch-upstream-port"),
        pci("pcie-switch-downstream-port"),
        pci("pcie-switch-downstream-port"),
        pci("pcie-to-pci-bridge"),
        pci("pci-bridge"),
        pci("dmi-to-pci-bridge"),
        pci("pcie-expander-bus"),
        pci("pcie-expander-bus"),
    ) == {
        "pci:0": ("", {}),
        "pci:1": ("pcie-root-port", {"chassis": 1, "port": 0x8}),
        "pci:2": ("pcie-root-port", {"chassis": 2, "port": 0x1A}),
        "pci:3": ("x3130-upstream", {}),
        "pci:4": ("xio3130-downstream", {"chassis": 4, "port": 0x0}),
        "pci:5": ("xio3130-downstream", {"chassis": 5, "port": 0x1}),
        "pci:6": ("pcie-pci-bridge", {}),
        "pci:7": ("pci-bridge", {"chassisNr": 7}),
        "pci:8": ("i82801b11-bridge", {}),
        "pci:9": ("pxb-pcie", {"busNr": 254}),
        "pci:10": ("pxb-pcie", {"busNr": 252}),
    }


def test_defaults_of_pc() -> None:
    assert settled("pc", pci("pci-root"), pci("pci-bridge"), pci("pci-expander-bus")) == {
        "pci:0": ("", {}),
        "pci:1": ("pci-bridge", {"chassisNr": 1}),
        "pci:2": ("pxb", {"busNr": 254}),
    }


def test_what_is_written_stays() -> None:
    port = "<model name='ioh3420'/><target chassis='9' port='0x20' hotplug='off'/>"
    assert settled("q35", pci("pcie-root-port", 1, port))["pci:1"] == (
        "ioh3420",
        {"chassis": 9, "port": 0x20, "hotplug": "off"},
    )
    assert settled("q35", pci("pcie-root-port", 1, "<target port='7'/>"))["pci:1"][1] == {"chassis": 1, "port": 7}
    assert settled("pc", pci("pci-bridge", 1, "<target chassisNr='44'/>"))["pci:1"][1] == {"chassisNr": 44}


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (["", "", ""], [254, 252, 250]),
        (["", "100", ""], [98, 100, 96]),  # a number later in the list is seen
        (["4", ""], [4, 2]),
        (["3", ""], [3, 1]),
        (["200", "100", ""], [200, 100, 98]),
    ],
)
def test_bus_numbers_of_expanders(numbers: list[str], expected: list[int]) -> None:
    expanders = [
        pci("pcie-expander-bus", index, f"<target busNr='{number}'/>" if number else "")
        for index, number in enumerate(numbers, 1)
    ]
    found = settled("q35", *expanders)
    assert [found[f"pci:{index}"][1]["busNr"] for index in range(1, len(numbers) + 1)] == expected


@pytest.mark.parametrize("lowest", [1, 2])
def test_bus_numbers_run_out(lowest: int) -> None:
    error = refused("q35", pci("pcie-expander-bus", 1, f"<target busNr='{lowest}'/>"), pci("pcie-expander-bus", 2))
    assert error.code == "no-bus-number"
    assert error.headline == (
        "No free busNr lower than current lowest busNr is available to auto-assign to bus 0. Must be manually assigned"
    )
    assert error.details == (f"it is pci:2 that gets none: the lowest busNr is {lowest}",)
    assert (error.line, error.parties) == (FIRST_LINE + 1, ("pci:2",))


def test_a_bridge_hangs_on_a_bus_before_it() -> None:
    """Libvirt rule 7.3, of pci-bridges only."""
    error = refused("pc", pci("pci-bridge", 1, at(2, 1)), pci("pci-bridge", 2))
    assert error.code == "bridge-order"
    assert error.headline == "PCI controller at index 1 (0x01) has bus='0x02', but index must be larger than bus"
    assert (error.line, error.parties) == (FIRST_LINE, ("pci:1",))


def test_a_lone_bridge_on_q35_hangs_on_itself() -> None:
    """Libvirt rule 7.3: the only place found is its own bus."""
    error = refused("q35", BARE, pci("pci-bridge", 1))
    assert error.headline == "PCI controller at index 1 (0x01) has bus='0x01', but index must be larger than bus"


def test_other_controllers_may_hang_on_a_later_bus() -> None:
    assert placed("q35", BARE, pci("pcie-root-port", 2), pci("pcie-switch-upstream-port", 1)).splitlines() == [
        "00:01.0 pci:2 pcie-root-port",
        "00:1f.2 sata:0",
        "02:00.0 pci:1 pcie-switch-upstream-port",
    ]


@pytest.mark.parametrize("foreign", ["isa", "usb"])
def test_a_controller_with_a_foreign_address_is_settled_too(foreign: str) -> None:
    """Its port is 0: libvirt takes slot and function of an address that it does not have for zero."""
    found = settled("q35", pci("pcie-root-port", 1, f"<address type='{foreign}'/>"))
    assert found["pci:1"] == ("pcie-root-port", {"chassis": 1, "port": 0})
    assert settled("pc", pci("pci-bridge", 1, f"<address type='{foreign}'/>"))["pci:1"] == (
        "pci-bridge",
        {"chassisNr": 1},
    )


def test_other_types_are_left_alone() -> None:
    controllers = [Controller("controller", "scsi:0", "lsilogic", type="scsi", index=0)]
    settle_controllers(controllers, {controllers[0]: pack(0, 3)})
    assert (controllers[0].target, controllers[0].model_name) == ({}, "")


def test_nic_beside_an_explicit_one() -> None:
    """Two written functions of a slot, whichever comes first."""
    assert placed("pc", BARE, nic("virtio", at(0, 5, 1)), nic("e1000", at(0, 5))) == (
        "00:05.0* interface:1\n00:05.1 interface:0"
    )


# --- host bridges of pseries


def host_bridges(*controllers: str) -> dict[str, object]:
    plan = pcisim.assign(domain("pseries", BARE, *controllers, arch="ppc64"))
    bridges = [c for c in plan.placement.guest.controllers if c.type == "pci"]
    assert {c.model_name for c in bridges} == {"spapr-pci-host-bridge"}
    return {c.label: c.target["index"] for c in bridges}


def test_numbers_of_host_bridges() -> None:
    """Libvirt rule 7.2: the lowest that is not used by one whose model name is known already; asked of 11.3.0."""
    five, one = "<target index='5'/>", "<target index='1'/>"
    assert host_bridges(pci("pci-root", 1, five), pci("pci-root", 2), pci("pci-root", 3, one), pci("pci-root", 4)) == {
        "pci:0": 0,
        "pci:1": 5,
        "pci:2": 1,
        "pci:3": 1,
        "pci:4": 2,
    }


def test_a_gap_of_host_bridges_is_filled() -> None:
    assert host_bridges(pci("pci-root", 3)) == {"pci:0": 0, "pci:1": 1, "pci:2": 2, "pci:3": 3}


@pytest.mark.parametrize(
    ("index", "target", "code", "headline"),
    [
        (1, "<target index='0'/>", "target-range", "Only the PCI controller with index 0 can have target index 0"),
        (0, "<target index='2'/>", "target-range", "Only the PCI controller with index 0 can have target index 0"),
        (1, "<target index='31'/>", "target-range", "PCI controller target index '31' out of range - must be 0-30"),
        (1, "<target busNr='3'/>", "wrong-option", "Option 'busNr' is not valid for PCI controller with index '1'"),
        (1, "<model name='pci-bridge'/>", "wrong-model-name", "Option 'modelName' has invalid value for"),
    ],
)
def test_refused_host_bridges(index: int, target: str, code: str, headline: str) -> None:
    with pytest.raises(RefusedError) as caught:
        host_bridges(pci("pci-root", index, target))
    assert caught.value.code == code
    assert caught.value.headline.startswith(headline)
