"""What the guest sees of placed guests: numbers, windows, who is lost."""

from __future__ import annotations

import pytest

import pcisim
from pcisim.address import GuestAddress, PciAddress
from pcisim.enumeration import GuestFunction, GuestView, Numbers, Window, enumerate_guest
from pcisim.errors import InputError, UsageError
from pcisim.simulation import simulate_qemu
from tests.guests import BARE, domain, pci


def view(machine: str, *devices: str, firmware: str = "seabios") -> GuestView:
    found = simulate_qemu(machine, devices, firmware=firmware).view
    assert found is not None
    return found


def function(seen: GuestView, label: str) -> GuestFunction:
    found = seen.find(label)
    assert found is not None, label
    return found


def sizes(seen: GuestView, label: str) -> list[int | None]:
    return [window.size for window in function(seen, label).windows]


def test_addresses_of_a_placed_guest_differ_from_the_configured_ones() -> None:
    plan = pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 2, "virtio-net": 1}))
    seen = enumerate_guest(plan.topology)
    disk = function(seen, "disk:vda")
    assert disk.configured == plan.addresses["disk:vda"] == PciAddress("0000:03:00.0")
    assert disk.address == GuestAddress("0000:03:00.0")
    assert (disk.vendor, disk.device, disk.class_code, disk.express) == (0x1AF4, 0x1042, 0x0100, True)
    assert seen == enumerate_guest(plan.placement)
    assert seen.unseen == ()
    assert function(seen, "sata:0").address == GuestAddress("0000:00:1f.2")
    assert [f.driver for f in seen.functions if f.label is None] == ["mch", "ICH9-LPC", "ICH9-SMB"]
    assert (seen.boots, seen.reason, seen.profile) == (True, "", "qemu-11.1/seabios-1.17")


def test_numbers_go_by_place_not_by_index() -> None:
    xml = """<domain type='kvm'><name>n</name><memory>1</memory><os><type machine='pc'>hvm</type></os><devices>
      <controller type='pci' index='1' model='pci-bridge'>
        <address type='pci' bus='0x00' slot='0x07' function='0'/></controller>
      <controller type='pci' index='2' model='pci-bridge'>
        <address type='pci' bus='0x00' slot='0x03' function='0'/></controller>
      <interface type='user'><model type='virtio'/><address type='pci' bus='0x01' slot='0x05' function='0'/></interface>
    </devices></domain>"""
    seen = enumerate_guest(pcisim.assign(xml).topology)
    assert function(seen, "pci:2").numbers == Numbers(0, 1, 1)
    assert function(seen, "pci:1").numbers == Numbers(0, 2, 2)
    assert function(seen, "interface:0").configured == PciAddress("0000:01:05.0")
    assert function(seen, "interface:0").address == GuestAddress("0000:02:05.0")
    assert [(bus.number, bus.label) for bus in seen.buses] == [(0, "pci:0"), (1, "pci:2"), (2, "pci:1")]


def test_numbers_depth_first_with_reserves() -> None:
    seen = view(
        "q35",
        "pcie-root-port,id=late,chassis=3,addr=4",
        "pcie-root-port,id=first,chassis=1,addr=2,bus-reserve=2",
        "pcie-root-port,id=second,chassis=2,addr=3",
        "x3130-upstream,id=up,bus=second",
        "xio3130-downstream,id=b,bus=up,addr=5,chassis=4",
        "xio3130-downstream,id=a,bus=up,addr=1,chassis=5",
    )
    numbers = {label: function(seen, label).numbers for label in ("first", "second", "up", "a", "b", "late")}
    assert numbers == {
        "first": Numbers(0, 1, 3),
        "second": Numbers(0, 4, 7),
        "up": Numbers(4, 5, 7),
        "a": Numbers(5, 6, 6),
        "b": Numbers(5, 7, 7),
        "late": Numbers(0, 8, 8),
    }


def test_reserve_beyond_255_takes_the_bus_number_back() -> None:
    """Firmware rule 2.2: SeaBIOS takes such a reserve as none, ends the port at bus 0 and counts on from there."""
    seen = view("q35", "pcie-root-port,id=a,chassis=1,bus-reserve=255", "pcie-root-port,id=b,chassis=2")
    assert function(seen, "a").numbers == Numbers(0, 1, 0)
    assert function(seen, "b").numbers == Numbers(0, 1, 1)


def test_hidden_bridge_of_an_expander() -> None:
    seen = view("pc", "pxb,id=p,bus_nr=64", "virtio-rng-pci,id=a,bus=p", "pci-bridge,id=b,bus=pci.0,chassis_nr=1")
    assert function(seen, "a").address == GuestAddress("0000:41:00.0")
    assert function(seen, "b").numbers == Numbers(0, 1, 1)
    hidden = [f for f in seen.functions if f.address == GuestAddress("0000:40:00.0")]
    assert [f.numbers for f in hidden] == [Numbers(64, 65, 65)]


def test_expander_whose_number_is_too_low_loses_its_devices() -> None:
    ports = [f"pcie-root-port,id=r{n},chassis={n},bus=pcie.0" for n in range(3)]
    lost = ("pcie-root-port,id=x,chassis=9,bus=p", "virtio-rng-pci,id=a,bus=x")
    seen = view("q35", "pxb-pcie,id=p,bus_nr=2", *ports, *lost)
    assert function(seen, "r1").numbers == Numbers(0, 2, 2)
    assert function(seen, "x").address is None
    assert function(seen, "x").remarks == ("bus number 2 of the expander is given to another bus",)
    assert function(seen, "a").address is None
    ovmf = view("q35", "pxb-pcie,id=p,bus_nr=2", *ports, *lost, firmware="ovmf")
    assert not ovmf.boots


def test_more_buses_than_numbers() -> None:
    ports = [
        f"pcie-root-port,id=r{n},chassis={n // 200},slot={n % 200},addr={1 + n // 8:x}.{n % 8},multifunction=on"
        for n in range(240)
    ]
    seen = view("q35", *ports, *(f"pcie-pci-bridge,id=b{n},bus=r{n}" for n in range(16)))
    assert not seen.boots
    assert seen.reason == "there are more buses than bus numbers (256)"
    assert view("q35", *ports, *(f"pcie-pci-bridge,id=b{n},bus=r{n}" for n in range(13))).reason == ""


UNSEEN = {
    "virtio-rng-pci,id=a,addr=5.1": "there is no function 0 in slot 0x5, so that nobody looks for function 1",
    "virtio-rng-pci,id=a,bus=r,addr=1": "behind a port only slot 0 is looked at, not slot 0x1",
    "virtio-rng-pci,id=a,bus=r,addr=0.1": "there is no function 0 in slot 0x0, so that nobody looks for function 1",
}


@pytest.mark.parametrize("device", UNSEEN)
def test_lost_functions(device: str) -> None:
    seen = view("q35", "pcie-root-port,id=r,chassis=1", device)
    assert [f.label for f in seen.unseen] == ["a"]
    assert seen.unseen[0].remarks == (UNSEEN[device],)


def test_what_is_behind_a_bridge_that_nobody_finds() -> None:
    seen = view("pc", "pci-bridge,id=b,chassis_nr=1,addr=5.1", "virtio-rng-pci,id=a,bus=b,addr=3")
    assert [(f.label, f.address) for f in seen.unseen] == [("b", None), ("a", None)]
    assert function(seen, "b").numbers == Numbers(0, 0, 0)
    assert function(seen, "a").remarks == ("the bridge above it has no bus number",)


def test_slot_1_of_a_port_has_bars_but_no_guest_address() -> None:
    seen = view("q35", "pcie-root-port,id=r,chassis=1", "virtio-rng-pci,id=a,bus=r", "virtio-rng-pci,id=b,bus=r,addr=1")
    assert function(seen, "b").address is None
    assert all(bar.address is not None for bar in function(seen, "b").bars)


K, M, G = 1 << 10, 1 << 20, 1 << 30


def test_who_asks_for_windows_under_seabios() -> None:
    seen = view(
        "pc",
        "pci-bridge,id=hot,chassis_nr=1",
        "pci-bridge,id=cold,chassis_nr=2,shpc=off",
        "pci-bridge,id=used,chassis_nr=3,shpc=off",
        "e1000,bus=used,addr=1,romfile=",
    )
    assert sizes(seen, "hot") == [4 * K, 2 * M, 2 * M]
    assert sizes(seen, "cold") == [None, None, None]
    assert sizes(seen, "used") == [4 * K, 2 * M, None]


def test_who_asks_for_windows_under_ovmf() -> None:
    seen = view(
        "q35",
        "pcie-root-port,id=hot,chassis=1",
        "pcie-root-port,id=cold,chassis=2,hotplug=off",
        "pcie-root-port,id=used,chassis=3,hotplug=off",
        "e1000,bus=used,romfile=",
        "pcie-root-port,id=more,chassis=4,pref64-reserve=3G,io-reserve=0",
        firmware="ovmf",
    )
    assert seen.profile == "qemu-7.2/ovmf-2022.11"
    assert sizes(seen, "hot") == [4 * K, 2 * M, 512 * M]
    assert sizes(seen, "cold") == [None, None, None]
    assert sizes(seen, "used") == [4 * K, M, None]
    assert sizes(seen, "more")[1:] == [2 * M, 4 * G]


def legacy(count: int) -> list[str]:
    ports = [f"pcie-root-port,id=r{n},chassis={n + 1}" for n in range(count)]
    return ports + [f"virtio-rng-pci,id=d{n},bus=r{n},disable-legacy=off" for n in range(count)]


def test_fifteenth_io_window_stops_seabios() -> None:
    assert view("q35", *legacy(14)).boots
    stopped = view("q35", *legacy(15))
    assert not stopped.boots
    assert stopped.reason == "PCI: out of I/O address space"
    assert function(stopped, "r14").numbers == Numbers(0, 15, 15)
    assert sizes(stopped, "r14") == [None, None, None]


def test_tenth_io_window_leaves_a_device_out_under_ovmf() -> None:
    seen = view("q35", *legacy(10), firmware="ovmf")
    assert seen.boots
    assert [bar.address for bar in function(seen, "d0").bars] == [None, None, None]
    assert function(seen, "d0").remarks == ("the firmware had no room left for it: it has no addresses",)
    assert function(seen, "d1").remarks == ()
    assert sizes(seen, "r0")[1:] == [None, None]
    assert sizes(seen, "r1") == [4 * K, M, M]


def test_ovmf_gives_up_where_the_last_root_bus_is_content() -> None:
    bridges = [f"pcie-root-port,id=r{n},chassis={n},bus=pcie.0" for n in range(11)]
    seen = view("q35", "pxb-pcie,id=p,bus_nr=64", *bridges, "pcie-root-port,id=z,chassis=99,bus=p", firmware="ovmf")
    assert not seen.boots
    assert sizes(seen, "r10") == [None, None, None]


def test_linux_gives_windows_to_ports() -> None:
    seen = view("q35", *(f"pcie-root-port,id=r{n},chassis={n + 1}" for n in range(16)))
    given = [function(seen, f"r{n}").windows[0] for n in range(16)]
    assert given[:2] == [Window("io", None), Window("io", None)]
    assert [window.size for window in given[2:]] == [4 * K] * 14
    assert given[15] == Window("io", 4 * K, 0x1000)


def test_memory_moves_above_4_gib() -> None:
    seen = view("q35", "pcie-root-port,id=r,chassis=1,pref64-reserve=1G", "virtio-rng-pci,id=a,bus=r", "qemu-xhci,id=x")
    assert function(seen, "r").windows[2] == Window("prefetch", G, 1 << 32)
    assert function(seen, "a").bars[1].address == 1 << 32
    assert (function(seen, "x").bars[0].address or 0) < 1 << 32, "USB controllers stay below"


def test_memory_that_cannot_move_stops_seabios() -> None:
    stopped = view("q35", "pcie-root-port,id=r,chassis=1,mem-reserve=1G")
    assert stopped.reason == "PCI: out of 32bit address space"


def test_host_devices_are_seen_though_nothing_is_known_of_them() -> None:
    plan = pcisim.assign(
        """<domain type='kvm'><name>n</name><memory>1</memory><os><type machine='q35'>hvm</type></os><devices>
        <hostdev mode='subsystem' type='pci' managed='yes'><source><address bus='6'/></source></hostdev>
        </devices></domain>"""
    )
    found = function(enumerate_guest(plan.topology), "hostdev:0")
    assert (found.driver, found.vendor, found.bars) == ("vfio-pci", 0, ())
    assert found.remarks == ("nothing is known of it: its BARs are not counted",)
    assert found.address == GuestAddress("0000:02:00.0")


def test_guest_without_pci() -> None:
    plan = pcisim.assign(domain("isapc", BARE))
    assert enumerate_guest(plan.topology).functions == ()


def test_unknown_firmware() -> None:
    plan = pcisim.assign(pcisim.Guest.of("q35"))
    with pytest.raises(UsageError, match="unknown firmware 'bios'"):
        enumerate_guest(plan.topology, firmware="bios")


def test_guest_addresses() -> None:
    address = GuestAddress("0001:40:1f.7")
    assert (address.segment, address.bus, address.device, address.function) == (1, 0x40, 0x1F, 7)
    assert GuestAddress.of(0x40, 0x1F, 7, 1) == address == eval(repr(address))
    assert str(address) == "0001:40:1f.7"
    assert GuestAddress("00:01.0") < GuestAddress("00:02.0") <= GuestAddress("00:02.0")
    assert GuestAddress("00:02.0") > GuestAddress("00:01.0")
    assert GuestAddress("00:02.0") >= GuestAddress("00:01.0")
    assert GuestAddress("00:01.0") != PciAddress("00:01.0")
    assert len({GuestAddress("00:01.0"), GuestAddress("0000:00:01.0"), PciAddress("00:01.0")}) == 2
    with pytest.raises(InputError):
        GuestAddress("00:20.0")


@pytest.mark.parametrize(
    ("device", "subsystem"),
    [
        ("virtio-net-pci,bus=pcie.0", (0x1AF4, 1)),
        ("virtio-rng-pci,bus=pcie.0", (0x1AF4, 4)),
        ("virtio-net-pci,bus=r", (0x1AF4, 0x1100)),
        ("qemu-xhci,bus=r", (0x1AF4, 0x1100)),
        ("pcnet,bus=pcie.0", (0, 0)),
        ("pci-bridge,chassis_nr=1,bus=pcie.0", None),
    ],
)
def test_subsystems(device: str, subsystem: tuple[int, int] | None) -> None:
    seen = view("q35", "pcie-root-port,id=r,chassis=1", f"{device},id=x")
    assert function(seen, "x").subsystem == subsystem


def test_what_hangs_in_a_circle_is_not_seen() -> None:
    """libvirt finds room for a switch on itself; what it puts behind it is on no bus of the machine."""
    ports = [pci("pcie-switch-downstream-port")] * 2
    plan = pcisim.assign(domain("q35", BARE, pci("pcie-root"), pci("pcie-switch-upstream-port"), *ports))
    view = enumerate_guest(plan.topology)
    reason = "its bus hangs on no other bus, or in a circle: QEMU does not find it and does not start"
    unreachable = {function.label for function in view.unseen if function.remarks == (reason,)}
    assert unreachable == {"pci:1", "pci:2", "pci:3"}
    assert set(plan.addresses) == {function.label for function in (*view.functions, *view.unseen)} - {None}


def test_what_is_not_on_pci_is_no_function() -> None:
    sound = "<sound model='sb16'><address type='pci' slot='5'/></sound>"
    rng = "<rng model='virtio'><address type='pci' slot='5' function='1'/></rng>"
    plan = pcisim.assign(domain("pc", BARE, sound, rng))
    assert plan.addresses["sound:0"] == PciAddress("0000:00:05.0")
    seen = enumerate_guest(plan.placement)
    assert seen.find("sound:0") is None
    assert [function.label for function in seen.unseen] == ["rng:0"]
    assert not any("sb16" in argument for argument in plan.to_qemu_args())
