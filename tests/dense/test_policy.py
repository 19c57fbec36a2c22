"""The policy `dense`: boundaries, options, wishes, what it refuses."""

from __future__ import annotations

import time
from collections import Counter

import pytest

import pcisim
from pcisim.capacity.max_count import how_many_more_packed
from pcisim.catalogue.versions import libvirt_version
from pcisim.dense.policy import DensePolicy
from pcisim.diagnose.diagnosis import sound
from pcisim.errors import RefusedError, UsageError
from pcisim.guest import Guest
from pcisim.libvirt.completion import complete
from pcisim.plan import Plan
from pcisim.policies import policy_of
from pcisim.requests import Wish
from tests.guests import BARE, at, disk, disks, domain, ich9, nic, pci, table, video

RULES = libvirt_version("12.9")


def packed(machine: str, *devices: str, policy: str = "dense") -> Plan:
    plan = pcisim.assign(domain(machine, *devices), policy)
    plan.topology.check()
    return plan


def added(plan: Plan) -> dict[str, int]:
    return dict(Counter(d.model for d in plan.placement.added))


def refused(machine: str, *devices: str, policy: str = "dense") -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        packed(machine, *devices, policy=policy)
    return caught.value


@pytest.mark.parametrize(("count", "ports"), [(0, 0), (1, 1), (7, 1), (8, 1), (9, 2), (16, 2), (17, 3)])
def test_a_port_holds_eight(count: int, ports: int) -> None:
    assert added(packed("q35", BARE, disks(count))).get("pcie-root-port", 0) == ports


@pytest.mark.parametrize(("slots", "bridges"), [(30, 1), (31, 1), (32, 2)])
def test_a_bridge_holds_31_slots(slots: int, bridges: int) -> None:
    plan = packed("q35", BARE, *[nic("vmxnet3")] * (8 * slots))
    assert added(plan) == {"pcie-root-port": 1, "pcie-to-pci-bridge": bridges}


@pytest.mark.parametrize(("bridges", "beside"), [(7, 7), (8, 8), (9, 8)])
def test_bridges_of_pc_are_chained_where_windows_run_out(bridges: int, beside: int) -> None:
    root = 248 - 3  # PIIX3, IDE and power management
    plan = packed("pc", BARE, *[nic("vmxnet3")] * (root + 247 * bridges))
    assert added(plan) == {"pci-bridge": bridges}
    on_root = [d for d in plan.placement.added if plan.placement.addresses[d] >> 8 == 0]
    assert len(on_root) == beside
    assert not [f for f in sound(plan.placement, whole=True) if f.severity != "note"]


@pytest.mark.parametrize("count", [14 * 8, 14 * 8 + 1])
def test_windows_of_q35(count: int) -> None:
    if count == 14 * 8:
        assert added(packed("q35", BARE, *[nic("e1000e")] * count)) == {"pcie-root-port": 14}
    else:
        error = refused("q35", BARE, *[nic("e1000e")] * count)
        assert error.details == ("bytes of I/O ports: 61536 needed, 61439 available, short by 97",)
        assert added(packed("q35", BARE, *[nic("e1000e")] * count, policy="dense:firmware=none"))


@pytest.mark.parametrize(("count", "down"), [(8 * 245, 0), (8 * 245 + 1, 1), (8 * 254 - 1, 9), (8 * 254, None)])
def test_a_switch_where_the_root_bus_is_full_and_the_last_index(count: int, down: int | None) -> None:
    if down is None:
        error = refused("q35", BARE, disks(count))
        assert (error.code, error.details) == (
            "no-layout",
            ("bus numbers: 257 needed, 256 available, short by 1",),
        )
        return
    found = added(packed("q35", BARE, disks(count)))
    assert found.get("pcie-switch-downstream-port", 0) == down
    assert found["pcie-root-port"] == 245


def test_bus_numbers_end_where_an_expander_begins() -> None:
    def guest(count: int) -> tuple[str, ...]:
        expander = pci("pcie-expander-bus", 1, "<target busNr='20'/>")
        return BARE, expander, disks(count)

    assert added(packed("q35", *guest(19 * 8))) == {"pcie-root-port": 19}
    assert refused("q35", *guest(19 * 8 + 1)).details == ("bus numbers: 21 needed, 20 available, short by 1",)


def test_what_has_a_place_of_its_own_keeps_it() -> None:
    plan = packed("q35", video("vga"), "<sound model='ich9'/>", ich9(), disk(0), "<panic model='pvpanic'/>")
    places = {label: str(address) for label, address in plan.addresses.items()}
    assert places["video:0"] == "0000:00:01.0"
    assert places["sound:0"] == "0000:00:1b.0"
    assert places["usb:0:ich9-uhci1"] == "0000:00:1d.0"
    assert places["sata:0"] == "0000:00:1f.2"
    assert places["panic:0"].startswith("0000:00:")


def test_a_slot_without_function_0_gets_one() -> None:
    assert table(packed("pc", BARE, nic("virtio", at(0, 5, 3)), nic("virtio"))) == (
        "00:05.0* interface:1\n00:05.3 interface:0"
    )


def test_nothing_is_put_beside_a_single_function() -> None:
    plan = packed("pc", BARE, nic("virtio", at(0, 1, 4)), nic("e1000", at(0, 2, 0, "off")), disks(4))
    assert {str(plan.addresses[f"disk:vd{letter}"]) for letter in "abcd"} == {
        "0000:00:01.2", "0000:00:01.5", "0000:00:01.6", "0000:00:01.7",
    }  # fmt: skip


def test_gaps_of_indexes_are_filled() -> None:
    plan = packed("q35", BARE, pci("pcie-root-port", 5), disks(3))
    assert sorted(d.index or 0 for d in plan.placement.guest.controllers if d.is_pci) == [0, 1, 2, 3, 4, 5]


def test_mixed() -> None:
    assert added(packed("q35", disks(300), policy="dense:mixed=on:firmware=none")) == {"pci-bridge": 2}


def test_mixed_leaves_virtio_on_ports_where_io_runs_out() -> None:
    assert added(packed("q35", BARE, disks(600), policy="dense:mixed=on")) == {"pcie-root-port": 75}


def test_integrated() -> None:
    assert added(packed("q35", BARE, disks(245), policy="dense:integrated=on")) == {}


def test_dmi() -> None:
    eight = [nic("vmxnet3")] * (9 * 248)
    assert sum(added(packed("q35", BARE, *eight, policy="dense:dmi=on")).values()) == 10
    assert sum(added(packed("q35", BARE, *eight)).values()) == 11


def test_modern() -> None:
    error = refused("pc", disks(300))
    assert error.details[0].startswith("bytes of I/O ports: ")
    assert "modern=on" in error.remedy
    plan = packed("pc", disks(300), nic("virtio-transitional"), policy="dense:modern=on")
    text = plan.to_xml()
    assert isinstance(text, str)
    assert text.count("model='virtio-non-transitional'") == 301  # and the balloon
    assert text.count("<model type='virtio-non-transitional'/>") == 1
    assert pcisim.assign(text).to_xml() == text


def test_a_wish_is_a_slot_of_its_own() -> None:
    xml = domain("q35", disks(20), nic("virtio"))
    plan = pcisim.assign(xml, "dense", wishes={"interface:0": Wish(hotpluggable=True)})
    assert added(plan) == {"pcie-root-port": 4}
    slot = (
        plan.placement.addresses[next(d for d in plan.placement.guest.all_devices() if d.label == "interface:0")] >> 3
    )
    assert [packed for packed in plan.topology.owners if packed >> 3 == slot] == [slot << 3]
    assert plan.to_json()["hotplug"]["detachable"] == ["interface:0"]


def test_wishes_that_cannot_be_kept() -> None:
    xml = domain("q35", video("vga"), nic("virtio", at(0, 5)), nic("virtio", at(0, 6)))
    for policy in ("libvirt", "dense"):
        with pytest.raises(RefusedError, match="interface:1 could not be detached while the guest runs") as caught:
            pcisim.assign(xml, policy, wishes={"interface:1": Wish(hotpluggable=True)})
        assert caught.value.code == "wish-not-kept"
    with pytest.raises(UsageError, match="no device 'disk:vdz'"):
        pcisim.assign(xml, "dense", wishes={"disk:vdz": Wish(hotpluggable=True)})


def test_not_covered() -> None:
    guest = Guest.of("pseries", {"virtio-blk": 3}, arch="ppc64")
    with pytest.raises(RefusedError) as caught:
        pcisim.assign(guest, "dense")
    assert (caught.value.code, caught.value.exit_status) == ("machine-not-covered", 4)


def test_one_device_more_never_needs_fewer_controllers() -> None:
    counts = [
        len(pcisim.assign(Guest.of("q35", {"virtio-blk": n, "e1000": n // 3}), "dense").placement.added)
        for n in range(0, 120, 3)
    ]
    assert counts == sorted(counts)


def test_explain() -> None:
    said = str(packed("q35", BARE, disks(3)).explain("disk:vdb"))
    assert "packed: function 1 of 0000:01:00.0 is the lowest that is left for it" in said


def test_many() -> None:
    guest = complete(Guest.of("pc", {"virtio-blk": 60_000}), RULES)
    policy = policy_of("dense:firmware=none", RULES)
    began = time.perf_counter()
    made = policy.place(guest)
    assert time.perf_counter() - began < 10  # 0.6 s on an idle machine
    assert len(made.added) == 242


def test_the_first_of_a_device_may_have_a_place_of_its_own() -> None:
    """The primary video device takes no place that others look for."""
    guest = Guest.of("q35", {})
    assert how_many_more_packed(guest, "qxl", DensePolicy(RULES, firmware="none")).most == 62_745
