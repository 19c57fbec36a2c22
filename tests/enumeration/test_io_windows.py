"""I/O ports: who asks for a window, and whether the firmware has enough.

The counts at which SeaBIOS 1.16.2 boots and stops were measured with QEMU 7.2.
"""

from __future__ import annotations

import pytest
from hypothesis import given

import pcisim
from pcisim.catalogue.profiles import FIRMWARES, PROFILES
from pcisim.enumeration.io_windows import IoBudget, io_budget, stops
from pcisim.guest import Guest
from tests.guests import BARE, NO_BALLOON, at, controller, domain, nic, pci, video
from tests.property.strategies import Drawn, drawn_guests
from tests.property.test_occupancy_laws import accepted

PROFILE = PROFILES["qemu-7.2"]
SEABIOS_Q35 = PROFILE.io_room("seabios", "q35")
SEABIOS_PC = PROFILE.io_room("seabios", "i440fx")
OVMF_Q35 = PROFILE.io_room("ovmf", "q35")
OVMF_PC = PROFILE.io_room("ovmf", "i440fx")


def budget(machine: str, *devices: str, firmware: str = "", profile: str = PROFILE.name) -> IoBudget:
    text = domain(machine, BARE, *devices)
    if firmware:
        text = text.replace("<os>", f"<os firmware='{firmware}'>")
    plan = pcisim.assign(text, profile=profile)
    found = io_budget(plan.placement)
    assert stops(plan.placement) == (None if found.boots in (True, None) else found)
    return found


def ports(count: int, *, inner: str = "") -> list[str]:
    return [pci("pcie-root"), *[pci("pcie-root-port", None, inner)] * count]


def bridges(count: int) -> list[str]:
    return [pci("pci-root"), *[pci("pci-bridge")] * count]


def test_profiles() -> None:
    """Every figure carries the versions that it was measured with; no other is guessed."""
    rooms = [PROFILE.io_room(name, family) for name in FIRMWARES for family in ("q35", "i440fx", "arm-virt")]
    assert [room and (room.name, room.family, room.windows, room.occupied, room.fatal) for room in rooms] == [
        ("qemu-7.2/seabios-1.16.2", "q35", 14, 14, True),
        ("qemu-7.2/seabios-1.16.2", "pc", 8, 8, True),
        None,
        ("qemu-7.2/ovmf-2022.11", "q35", 10, 9, False),
        ("qemu-7.2/ovmf-2022.11", "pc", 4, 3, False),
        None,
    ]


@pytest.mark.parametrize("model", ["e1000e", "igb"])
@pytest.mark.parametrize(("count", "boots"), [(13, True), (14, True), (15, False), (20, False)])
def test_devices_with_io_behind_ports(model: str, count: int, boots: bool) -> None:
    found = budget("q35", *[nic(model)] * count)
    assert (found.windows, found.asking) == (count, tuple(f"pci:{n}" for n in range(1, count + 1)))
    assert found.bytes == count * 0x1000 + 0x60
    assert found.boots is boots
    assert (found.profile, found.room, found.unknown) == (SEABIOS_Q35, 14, ())


@pytest.mark.parametrize(("count", "boots"), [(14, True), (15, False)])
def test_transitional_virtio_behind_ports(count: int, boots: bool) -> None:
    cards = [nic("virtio-transitional", at(n + 1, 0)) for n in range(count)]
    found = budget("q35", *ports(count), *cards)
    assert (found.windows, found.boots) == (count, boots)


@pytest.mark.parametrize("model", ["virtio", "virtio-non-transitional"])
def test_modern_virtio_behind_ports_asks_for_nothing(model: str) -> None:
    assert budget("q35", *[nic(model)] * 32) == IoBudget(SEABIOS_Q35, (), 0x60, (), 0, 14)


def test_empty_ports_ask_for_nothing() -> None:
    assert budget("q35", *ports(40)).windows == 0
    assert budget("q35", *ports(40, inner="<target hotplug='off'/>")).windows == 0


@pytest.mark.parametrize(("count", "boots"), [(8, True), (9, False), (29, False)])
def test_empty_bridges_on_pc(count: int, boots: bool) -> None:
    assert budget("pc", *bridges(count)) == IoBudget(
        SEABIOS_PC, tuple(f"pci:{n}" for n in range(1, count + 1)), count * 0x1000, (), count, 8
    )
    assert budget("pc", *bridges(count)).boots is boots


def test_a_bridge_inside_another_shares_its_window() -> None:
    inner = [pci("pci-bridge", None, at(bus, 1)) for bus in (1, 8, 9)]
    found = budget("pc", pci("pci-root"), *[pci("pci-bridge", None, at(0, n + 2)) for n in range(7)], *inner)
    assert (len(found.asking), found.windows, found.bytes, found.boots) == (10, 7, 0x7000, True)


def test_two_inside_another_need_two_windows() -> None:
    inner = [pci("pci-bridge", None, at(1, slot)) for slot in (1, 2)]
    found = budget("pc", pci("pci-root"), pci("pci-bridge", None, at(0, 3)), *inner)
    assert (found.asking, found.windows) == (("pci:1", "pci:2", "pci:3"), 2)


def test_a_device_behind_a_bridge_is_inside_its_window() -> None:
    assert budget("pc", pci("pci-bridge", 1), nic("rtl8139", at(1, 1))).bytes == 0x1000


def test_many_devices_behind_a_bridge_make_its_window_larger() -> None:
    cards = [nic("virtio", at(1, slot, function)) for slot in range(1, 31) for function in range(8)]
    found = budget("pc", pci("pci-bridge", 1), *cards)
    assert (found.asking, found.windows) == (("pci:1",), 240 * 32 // 0x1000 + 1)


@pytest.mark.parametrize(("count", "boots"), [(14, True), (15, False)])
def test_pcie_to_pci_bridges_ask_when_they_are_empty_and_so_do_their_ports(count: int, boots: bool) -> None:
    found = budget("q35", pci("pcie-root"), *[pci("pcie-root-port"), pci("pcie-to-pci-bridge")] * count)
    assert found.asking == tuple(f"pci:{n}" for n in range(1, 2 * count + 1))
    assert (found.windows, found.boots) == (count, boots)


def test_dmi_bridges_ask_when_something_is_behind_them() -> None:
    assert budget("q35", pci("dmi-to-pci-bridge", 1)).asking == ()
    assert budget("q35", pci("dmi-to-pci-bridge", 1), nic("virtio", at(1, 1))).asking == ("pci:1",)


@pytest.mark.parametrize(("count", "boots"), [(14, True), (15, False)])
def test_a_switch_hands_on_what_its_ports_ask(count: int, boots: bool) -> None:
    down = [pci("pcie-switch-downstream-port")] * count
    cards = [nic("e1000e", at(n + 3, 0)) for n in range(count)]
    found = budget("q35", *ports(1), pci("pcie-switch-upstream-port"), *down, *cards)
    assert (len(found.asking), found.windows, found.boots) == (count + 2, count, boots)


@pytest.mark.parametrize(("count", "boots"), [(7, True), (8, False)])
def test_an_expander_of_pc_hides_a_bridge_that_asks_when_something_is_behind(count: int, boots: bool) -> None:
    others = [pci("pci-bridge", None, at(0, n + 3)) for n in range(count)]
    expander = [pci("pci-root"), pci("pci-expander-bus"), *others]
    assert budget("pc", *expander).windows == count
    found = budget("pc", *expander, nic("virtio", at(1, 0)))
    assert (found.asking, found.windows) == (tuple(f"pci:{n + 2}" for n in range(count)), count + 1)
    assert found.boots is boots


@pytest.mark.parametrize(("count", "boots"), [(8, True), (9, False)])
def test_bridges_on_an_expander_count_like_all_others(count: int, boots: bool) -> None:
    behind = [pci("pci-bridge", None, at(1, n + 1)) for n in range(count)]
    found = budget("pc", pci("pci-root"), pci("pci-expander-bus"), *behind)
    assert (len(found.asking), found.windows, found.boots) == (count, count, boots)


@pytest.mark.parametrize(("count", "boots"), [(14, True), (15, False)])
def test_ports_on_an_expander_count_like_all_others(count: int, boots: bool) -> None:
    behind = [pci("pcie-root-port", None, at(1, n)) for n in range(count)]
    cards = [nic("e1000e", at(n + 2, 0)) for n in range(count)]
    found = budget("q35", pci("pcie-root"), pci("pcie-expander-bus", None, at(0, 16)), *behind, *cards)
    assert (len(found.asking), found.windows, found.boots) == (count, count, boots)


def test_ports_of_the_root_bus_count_too() -> None:
    """q35: SATA has 32 bytes and the SMBus 64; pc: USB 32, a legacy virtio network card 32."""
    assert budget("q35").bytes == 0x60
    assert budget("q35", nic("virtio", at(0, 5))).bytes == 0x60 + 0x20
    assert budget("pc", nic("virtio")).bytes == 0x20
    assert io_budget(pcisim.assign(domain("pc", NO_BALLOON)).placement).bytes == 0x20


def test_a_root_bus_can_run_out_by_itself() -> None:
    """Measured with 245 devices of 256 bytes and more; here SCSI controllers beside 8 bridges that just fit."""
    held = [controller("scsi", 16 * n + f, "lsilogic", at(0, 0x10 + n, f)) for n in range(2) for f in range(8)]
    found = budget("pc", *bridges(8), *held)
    assert (found.bytes, found.windows, found.boots) == (0x8000 + 16 * 0x100, 8, False)


def test_host_devices_are_not_known() -> None:
    source = "<source><address domain='0' bus='0xf0' slot='0' function='0'/></source>"
    found = budget("q35", f"<hostdev mode='subsystem' type='pci' managed='yes'>{source}</hostdev>", nic("e1000e"))
    assert (found.unknown, found.asking) == (("hostdev:0",), ("pci:1",))


def test_devices_that_were_not_measured_are_not_known() -> None:
    assert budget("q35", nic("no-such-card")).unknown == ("interface:0",)


# OVMF


@pytest.mark.parametrize(("count", "room"), [(10, 10), (16, 10)])
def test_ovmf_asks_for_every_port(count: int, room: int) -> None:
    found = budget("q35", *ports(count), firmware="efi")
    assert (found.profile, found.windows, found.room, found.boots) == (OVMF_Q35, count, room, True)
    assert len(found.asking) == count


def test_ovmf_has_room_for_one_less_with_io_behind() -> None:
    found = budget("q35", *[nic("e1000e")] * 10, firmware="efi")
    assert (found.windows, found.room, found.boots) == (11, 9, True)
    found = budget("pc", *bridges(4), firmware="efi")
    assert (found.profile, found.windows, found.room) == (OVMF_PC, 4, 4)
    assert budget("pc", *bridges(4), nic("rtl8139", at(4, 1)), firmware="efi").room == 3


def test_a_loader_of_type_pflash_is_ovmf() -> None:
    text = domain("q35", BARE).replace("<os>", "<os><loader type='pflash' readonly='yes'>/OVMF_CODE.fd</loader>")
    assert io_budget(pcisim.assign(text, profile=PROFILE).placement).profile == OVMF_Q35


# unknown


def test_a_machine_that_was_not_measured() -> None:
    placement = pcisim.assign(domain("isapc", NO_BALLOON)).placement
    assert io_budget(placement) == IoBudget(None, (), 0, (), 0, None)
    assert io_budget(placement).boots is None
    assert stops(placement) is None


def test_a_firmware_that_was_not_measured() -> None:
    placement = pcisim.assign(Guest.of("q35", {"e1000e": 20})).placement
    placement.guest.firmware = "coreboot"
    found = io_budget(placement)
    assert (found.profile, found.room, found.boots, found.windows) == (None, None, None, 20)
    assert stops(placement) is None


# the short cut


@pytest.mark.parametrize("model", ["virtio-blk", "virtio-net-transitional", "e1000", "e1000e", "lsi", "vga"])
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_stops_says_what_the_budget_says(machine: str, model: str) -> None:
    for count in (0, 1) if model == "vga" else (0, 7, 15, 40, 208, 237):
        placement = pcisim.assign(Guest.of(machine, {model: count})).placement
        found = io_budget(placement)
        assert stops(placement) == (None if found.boots else found)


@pytest.mark.parametrize("root", ["pci-expander-bus", "dmi-to-pci-bridge"])
def test_stops_sees_modern_devices_on_conventional_buses(root: str) -> None:
    """Virtio has I/O ports on a conventional bus; these buses ask only when something is behind them."""
    if root == "pci-expander-bus":
        made = [pci(root, None, f"<target busNr='{250 - 2 * n}'/>") for n in range(9)]
        found = budget("pc", pci("pci-root"), *made, *[nic("virtio", at(n + 1, 0)) for n in range(9)])
    else:
        made = [pci(root, None, at(0, n + 1)) for n in range(15)]
        found = budget("q35", pci("pcie-root"), *made, *[nic("virtio", at(n + 1, 0)) for n in range(15)])
    assert found.boots is False


@given(drawn_guests())
def test_stops_says_what_the_budget_of_a_random_guest_says(drawn: Drawn) -> None:
    placement = accepted(drawn, "11.3").placement
    found = io_budget(placement)
    assert stops(placement) == (None if found.boots in (True, None) else found)
    assert found.windows <= len(placement.topology.buses) + len(placement.addresses)
    assert set(found.asking) <= {d.label for d in placement.guest.controllers}


def test_a_primary_video_on_the_root_bus_has_no_ports_that_count() -> None:
    assert budget("q35", video("vga")).bytes == 0x60
