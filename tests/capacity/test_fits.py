"""Will it fit, and if not, what to paste; cold and while the guest runs."""

from __future__ import annotations

from collections import Counter

import pytest

import pcisim
from pcisim.capacity.fits import Fits, fits
from pcisim.catalogue.devices import DEVICE_MODELS
from pcisim.catalogue.versions import libvirt_version
from pcisim.errors import RefusedError, UsageError
from pcisim.formats.domain.reader import read
from pcisim.guest import Guest, evolved
from pcisim.hotplug import RunningGuest
from pcisim.hotplug.kinds import HOT
from pcisim.libvirt.completion import complete
from pcisim.libvirt.policy import LibvirtPolicy
from tests.guests import BARE, at, domain, nic, pci, video

RULES = libvirt_version("11.3")
POLICY = LibvirtPolicy(RULES)
OFF = "<target hotplug='off'/>"
NO_SLOT = (
    "a PCI slot is needed to connect a PCI controller model='pci-bridge',"
    " but none is available, and it cannot be automatically added"
)


def ask(machine: str, *devices: str, hotplug: bool = False, **more: int) -> Fits:
    """Ask about a guest in XML; ``virtio_blk=3`` stands for three of virtio-blk."""
    guest = read(domain(machine, *devices), RULES)
    return fits(guest, {name.replace("_", "-"): count for name, count in more.items()}, POLICY, hotplug=hotplug)


def models(answer: Fits) -> dict[str, int]:
    return dict(Counter(controller.model for controller in answer.controllers))


# before the guest boots


@pytest.mark.parametrize(
    ("machine", "more", "headline"),
    [
        ("pc", {"virtio-blk": 58}, "yes: 58 more devices fit"),
        ("pc", {"virtio-blk": 60}, "yes: 60 more devices fit"),
        ("pc", {"virtio-blk": 928}, "yes: 928 more devices fit"),
        ("pc", {"virtio-blk": 1}, "yes: 1 more device fits"),
        ("pc", {"virtio-blk": 0}, "yes: 0 more devices fit"),
        ("q35", {"virtio-blk": 237}, "yes: 237 more devices fit"),
        ("q35", {"e1000": 63, "virtio-blk": 100}, "yes: 163 more devices fit"),
    ],
)
def test_yes(machine: str, more: dict[str, int], headline: str) -> None:
    answer = fits(Guest.of(machine), more, POLICY)
    assert (answer.fits, answer.headline, answer.controllers, answer.reason) == (True, headline, (), "")
    assert (answer.short, answer.missing, len(answer.devices)) == ((), (), sum(more.values()))


@pytest.mark.parametrize(
    ("machine", "more", "short", "paste"),
    [
        ("pc", {"virtio-blk": 59}, "slots for pci-bridges: 1 needed, 0 available, short by 1", {"pci-bridge": 1}),
        ("pc", {"virtio-blk": 90}, "slots for pci-bridges: 2 needed, 0 available, short by 2", {"pci-bridge": 1}),
        ("pc", {"virtio-blk": 929}, "slots for pci-bridges: 30 needed, 29 available, short by 1", {"pci-bridge": 30}),
        ("pc", {"virtio-blk": 5000}, "slots for pci-bridges: 161 needed, 19 available, short by 142",
         {"pci-bridge": 144}),
        ("q35", {"e1000": 62}, "slots for pci-bridges: 1 needed, 0 available, short by 1",
         {"pcie-root-port": 2, "pcie-to-pci-bridge": 2}),
        ("q35", {"virtio-blk": 238}, "places for root ports: 241 needed, 240 available, short by 1",
         {"pcie-root-port": 1}),
        ("q35", {"virtio-blk": 251}, "places for root ports: 254 needed, 240 available, short by 14",
         {"pcie-root-port": 1, "pcie-switch-upstream-port": 1, "pcie-switch-downstream-port": 14}),
        ("pc", {"virtio-blk": 9000},
         "slots for pci-bridges: 290 needed, 18 available, short by 272;"
         " bus numbers: 291 needed, 256 available, short by 35", {}),
        ("q35", {"virtio-blk": 300},
         "places for root ports: 303 needed, 240 available, short by 63;"
         " bus numbers: 304 needed, 256 available, short by 48", {}),
    ],
)  # fmt: skip
def test_no_says_which_budget_ran_out_and_by_how_much(
    machine: str, more: dict[str, int], short: str, paste: dict[str, int]
) -> None:
    """Rule: "Impossible requests say which budget ran out, and by how much"."""
    answer = fits(Guest.of(machine), more, POLICY)
    assert not answer.fits
    assert answer.headline == f"no: {sum(more.values())} more devices do not fit: {short}"
    assert "; ".join(map(str, answer.short)) == short
    assert "none is available" in answer.reason or "index 256 too high" in answer.reason
    assert models(answer) == paste


def test_one_more_device_that_does_not_fit() -> None:
    """The headline counts what is asked for."""
    answer = fits(Guest.of("pc", {"virtio-blk": 58}), {"virtio-blk": 1}, POLICY)
    assert answer.headline == (
        "no: 1 more device does not fit: slots for pci-bridges: 1 needed, 0 available, short by 1"
    )
    assert answer.reason == NO_SLOT


def test_a_guest_in_a_hole_can_fit_with_more() -> None:
    assert fits(Guest.of("pc", {"virtio-blk": 59}), {"virtio-blk": 1}, POLICY).fits


def test_what_is_pasted_has_the_next_indexes() -> None:
    assert ask("pc", pci("pci-bridge", 4), virtio_blk=200).fits
    answer = ask("pc", pci("pci-bridge", 4), virtio_blk=179)
    assert not answer.fits
    assert [(d.index, d.model, d.address) for d in answer.controllers] == [
        (5, "pci-bridge", None),
        (6, "pci-bridge", None),
    ]


def test_addresses_that_are_there_stay() -> None:
    """A pc whose slots are all taken but one, by written addresses."""
    held = [nic("virtio", at(0, slot)) for slot in range(2, 0x1F)]
    answer = ask("pc", BARE, *held, e1000=31)
    assert not answer.fits
    assert models(answer) == {"pci-bridge": 1}
    guest = read(domain("pc", BARE, *held), RULES).extended({"e1000": 31})
    placement = POLICY.place(complete(evolved(guest, controllers=[*guest.controllers, *answer.controllers]), RULES))
    assert [placement.addresses[d] >> 3 for d in guest.devices["interface"][:29]] == list(range(2, 0x1F))


def test_where_no_slot_is_left_for_a_bridge_nothing_helps() -> None:
    held = [nic("virtio", at(0, slot)) for slot in range(2, 0x20)]
    answer = ask("pc", BARE, *held, e1000=1)
    assert (answer.fits, answer.controllers) == (False, ())
    assert answer.headline == (
        "no: 1 more device does not fit: slots for pci-bridges: 1 needed, 0 available, short by 1"
    )
    assert answer.reason == "PCI controller at index 1 (0x01) has bus='0x01', but index must be larger than bus"


def test_refused_for_something_else() -> None:
    with pytest.raises(RefusedError) as caught:
        fits(Guest.of("pc"), {"virtio-iommu": 1}, POLICY)
    assert caught.value.code == "wrong-machine"
    with pytest.raises(RefusedError) as caught:
        ask("pc", nic("virtio", at(0, 3)), nic("virtio", at(0, 3)), e1000=1)
    assert caught.value.code == "slot-occupied"
    with pytest.raises(RefusedError) as caught:
        fits(Guest.of("isapc"), {"e1000": 1}, POLICY)
    assert caught.value.code == "no-pci-bus"


@pytest.mark.parametrize("more", [{"virtio-block": 1}, {"virtio-blk": -1}])
@pytest.mark.parametrize("hotplug", [False, True])
def test_misuse(more: dict[str, int], hotplug: bool) -> None:
    with pytest.raises(UsageError):
        fits(Guest.of("q35"), more, POLICY, hotplug=hotplug)


# while it runs


@pytest.mark.parametrize(
    ("machine", "devices", "more", "headline", "paste"),
    [
        ("pc", [], {"virtio-net": 29}, "yes: 29 more devices can be attached to the running guest", {}),
        ("pc", [], {"virtio-net": 30},
         "no: 29 of 30 can be attached; free hot-pluggable room lacks 1 conventional slot", {"pci-bridge": 1}),
        ("pc", [], {"virtio-net": 200},
         "no: 29 of 200 can be attached; free hot-pluggable room lacks 171 conventional slots", {"pci-bridge": 6}),
        ("q35", [], {"virtio-net": 1}, "yes: 1 more device can be attached to the running guest", {}),
        ("q35", [], {"virtio-net": 3},
         "no: 1 of 3 can be attached; free hot-pluggable room lacks 2 PCI Express slots", {"pcie-root-port": 2}),
        ("q35", [], {"e1000": 40},
         "no: 0 of 40 can be attached; free hot-pluggable room lacks 40 conventional slots",
         {"pcie-root-port": 2, "pcie-to-pci-bridge": 2}),
        ("q35", [], {"virtio-net": 3, "e1000": 1},
         "no: 1 of 4 can be attached; free hot-pluggable room lacks 2 PCI Express slots, 1 conventional slot",
         {"pcie-root-port": 3, "pcie-to-pci-bridge": 1}),
        ("q35", [BARE, pci("pcie-root-port", 1, OFF)], {"virtio-net": 1},
         "no: 0 of 1 can be attached; free hot-pluggable room lacks 1 PCI Express slot", {"pcie-root-port": 1}),
        ("q35", [], {"virtio-net": 300},
         "no: 1 of 300 can be attached; free hot-pluggable room lacks 299 PCI Express slots", {}),
    ],
)  # fmt: skip
def test_hotplug(machine: str, devices: list[str], more: dict[str, int], headline: str, paste: dict[str, int]) -> None:
    answer = fits(read(domain(machine, *devices), RULES), more, POLICY, hotplug=True)
    assert (answer.fits, answer.headline) == (headline.startswith("yes"), headline)
    assert models(answer) == paste
    assert answer.reason == ("" if answer.fits else "No more available PCI slots")
    assert answer.short == ()


def test_what_is_missing_by_plug() -> None:
    answer = ask("q35", hotplug=True, virtio_net=3, e1000=2)
    assert answer.missing == (("PCI Express", 2), ("conventional", 2))


def test_what_is_pasted_for_a_running_guest_is_enough_after_the_next_boot() -> None:
    plan = pcisim.assign(domain("q35", video("vga"), nic("virtio"), nic("e1000")))
    answer = fits(plan.source, {"virtio-net": 4, "rtl8139": 33}, POLICY, hotplug=True)
    text = plan.to_xml()
    assert isinstance(text, str)
    pasted = "".join(f"<controller type='pci' index='{d.index}' model='{d.model}'/>" for d in answer.controllers)
    after = pcisim.assign(text.replace("</devices>", pasted + "</devices>"))
    assert {label: after.addresses[label] for label in plan.addresses} == plan.addresses
    running = RunningGuest(after.placement, RULES)
    for device in answer.devices:
        running.attach(device)


@pytest.mark.parametrize("name", DEVICE_MODELS)
def test_what_never_comes_while_the_guest_runs_is_refused(name: str) -> None:
    """Verified against libvirt 11.3.0: "live attach of device 'video' is not supported" and the like."""
    row = DEVICE_MODELS[name]
    element, _, kind = row.element.partition("/")
    by_element = {"controller": kind, "filesystem": row.model, "watchdog": row.model, "shmem": row.model}
    comes = element in HOT and (element not in by_element or by_element[element] in HOT[element].comes)
    comes = comes and name != "dc390"  # QEMU has no device of that name
    if comes:
        assert len(fits(Guest.of("q35"), {name: 1}, POLICY, hotplug=True).devices) == 1
        return
    with pytest.raises(RefusedError) as caught:
        fits(Guest.of("q35"), {name: 1}, POLICY, hotplug=True)
    assert caught.value.code in ("not-hot-pluggable", "not-in-emulator")


def test_hotplug_of_a_guest_that_is_refused() -> None:
    with pytest.raises(RefusedError) as caught:
        fits(Guest.of("q35", {"virtio-blk": 238}), {"virtio-net": 1}, POLICY, hotplug=True)
    assert caught.value.code == "no-slot-for-controller"


def test_hotplug_agrees_with_older_rules() -> None:
    policy = LibvirtPolicy(libvirt_version("9.0"))
    assert fits(Guest.of("q35"), {"virtio-net": 1}, policy, hotplug=True).fits
    assert not fits(Guest.of("q35"), {"virtio-net": 2}, policy, hotplug=True).fits
