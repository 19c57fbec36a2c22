"""How many more of a device fit: the known answers of libvirt, and the engine asked count by count."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

import pcisim
from pcisim.capacity.max_count import More, how_many_more, shortages
from pcisim.catalogue.devices import DEVICE_MODELS
from pcisim.catalogue.versions import Libvirt, libvirt_version
from pcisim.errors import RefusedError, UsageError
from pcisim.formats.domain.reader import read
from pcisim.guest import Guest
from pcisim.libvirt.completion import complete
from pcisim.libvirt.growth import Budget
from pcisim.libvirt.policy import LibvirtPolicy
from pcisim.libvirt.validation import validate
from tests.guests import BARE, NO_USB, at, disks, domain, ich9, nic, pci, video
from tests.property.strategies import VERSIONS, Drawn, drawn_guests
from tests.sampled import one_in

RULES = libvirt_version("11.3")
fewer = settings(max_examples=max(5, settings().max_examples // 5))
"""For what asks the engine at every edge."""
PC_HOLES = (
    (59, 59), (89, 90), (119, 121), (149, 152), (179, 183), (209, 214), (239, 245), (269, 276), (299, 307), (329, 338),
    (359, 369), (389, 400), (419, 431), (449, 462), (479, 493), (509, 524), (539, 555), (569, 586), (599, 617),
    (629, 648), (659, 679), (689, 710), (719, 741), (749, 772), (779, 803), (809, 834), (839, 865), (869, 896),
    (899, 927),
)  # fmt: skip
"""Disks that libvirt 11.3 refuses on pc, without video and with the balloon that it adds."""
CARD_HOLES = tuple((a + 3, b + 3) for a, b in PC_HOLES)
"""Conventional cards that it refuses on q35, behind the one pcie-to-pci-bridge."""


def code_of(guest: Guest, device: str, count: int, rules: Libvirt = RULES) -> str | None:
    """Return how the engine refuses the guest with more of a device, ``None`` when it does not."""
    try:
        placement = LibvirtPolicy(rules).place(complete(guest.extended({device: count}), rules))
        validate(placement.guest, placement.addresses, rules)
    except RefusedError as error:
        return error.code
    return None


def fits_with(guest: Guest, device: str, count: int, rules: Libvirt = RULES) -> bool:
    """Return whether the engine takes the guest with more of a device."""
    return code_of(guest, device, count, rules) is None


def said(more: More, counts: Iterable[int]) -> dict[int, bool]:
    """Return for each count whether it fits by what `how_many_more` says."""
    return {n: n <= more.most and not any(a <= n <= b for a, b in more.holes) for n in counts}


def scanned(guest: Guest, device: str, counts: Iterable[int], rules: Libvirt = RULES) -> dict[int, bool]:
    """Return for each count whether the engine takes it."""
    return {n: fits_with(guest, device, n, rules) for n in counts}


# the live libvirt 11.3.0 was asked


@pytest.mark.parametrize(
    ("count", "accepted"),
    one_in(3, [(59, False), (60, True), (88, True), (89, False), (90, False), (91, True), (299, False), (307, False),
               (308, True), (898, True), (899, False), (927, False), (928, True), (929, False), (1000, False)]),
)  # fmt: skip
def test_disks_on_pc(count: int, accepted: bool) -> None:
    assert said(how_many_more(Guest.of("pc"), "virtio-blk", RULES), [count]) == {count: accepted}
    assert fits_with(Guest.of("pc"), "virtio-blk", count) is accepted


@pytest.mark.parametrize(
    ("machine", "has", "device", "most", "holes"),
    [
        ("pc", {}, "virtio-blk", 928, PC_HOLES),
        ("pc", {"vga": 1}, "virtio-blk", 927, tuple((a - 1, b - 1) for a, b in PC_HOLES)),
        ("pc", {}, "e1000", 928, PC_HOLES),
        ("q35", {}, "virtio-blk", 237, ()),
        ("q35", {"vga": 1}, "virtio-blk", 229, ()),
        ("q35", {}, "virtio-net", 237, ()),
        ("q35", {}, "virtio-scsi", 237, ()),
        ("q35", {}, "e1000", 931, CARD_HOLES),
        ("q35", {"vga": 1}, "e1000", 931, CARD_HOLES),
    ],
)
def test_new_guests(
    machine: str, has: dict[str, int], device: str, most: int, holes: tuple[tuple[int, int], ...]
) -> None:
    more = how_many_more(Guest.of(machine, has), device, RULES)
    assert (more.device, more.most, more.holes) == (device, most, holes)


@pytest.mark.parametrize(
    ("arch", "machine", "device", "accepted", "refused"),
    [
        ("aarch64", "virt", "virtio-rng", [0, 247], [248]),
        ("riscv64", "virt", "virtio-rng", [246], [247]),
        ("loongarch64", "virt", "e1000", [61, 63, 931], [62, 932]),
        ("aarch64", "versatilepb", "e1000", [59, 61, 929], [60, 930]),
        ("s390x", "", "e1000", [60, 62, 930], [61, 931]),
        ("ppc64", "pseries", "e1000", [30, 62, 958], [959, 960]),
    ],
)
def test_new_guests_of_other_architectures(
    arch: str, machine: str, device: str, accepted: list[int], refused: list[int]
) -> None:
    """Verified against libvirt 11.3: root ports, holes, and host bridges, which have none."""
    guest = Guest.of(machine, arch=arch)
    more = how_many_more(guest, device, RULES)
    expected = dict.fromkeys(accepted, True) | dict.fromkeys(refused, False)
    assert said(more, expected) == scanned(guest, device, expected) == expected
    assert more.most == max(accepted)


@pytest.mark.parametrize(
    ("arch", "machine", "device", "why"),
    [
        ("s390x", "s390-ccw-virtio", "virtio-blk", "it is on ccw"),
        ("aarch64", "raspi3b", "e1000", "libvirt gives no PCI addresses there"),
    ],
)
def test_what_is_not_on_pci(arch: str, machine: str, device: str, why: str) -> None:
    with pytest.raises(RefusedError) as caught:
        how_many_more(Guest.of(machine, arch=arch), device, RULES)
    assert caught.value.code == "not-on-pci"
    assert caught.value.headline == f"{device} has no PCI address on machine type '{machine}': {why}"


def test_the_holes_of_conventional_cards_on_q35() -> None:
    """Libvirt rule 12: "62 conventional devices fail, 63 work, 92-93 fail"."""
    assert CARD_HOLES[:2] == ((62, 62), (92, 93))
    assert scanned(Guest.of("q35"), "e1000", [61, 62, 63, 91, 92, 93, 94]) == {
        61: True, 62: False, 63: True, 91: True, 92: False, 93: False, 94: True,
    }  # fmt: skip


# what is there counts as it is given


def test_addresses_that_are_there_stay() -> None:
    """29 cards at addresses leave one slot of 30, for the first bridge; the balloon and all the rest are behind it."""
    held = [nic("virtio", at(0, slot)) for slot in range(2, 31)]
    guest = read(domain("pc", *held, NO_USB), RULES)
    more = how_many_more(guest, "virtio-blk", RULES)
    assert (more.most, more.holes[:2]) == (899, ((30, 30), (60, 61)))
    assert scanned(guest, "virtio-blk", range(70)) == said(more, range(70))


def test_what_has_no_address_is_placed_together_with_the_new_ones() -> None:
    """58 disks and one more make 59, which is refused; two more make 60."""
    more = how_many_more(Guest.of("pc", {"virtio-blk": 58}), "virtio-blk", RULES)
    assert (more.most, more.holes) == (928 - 58, tuple((a - 58, b - 58) for a, b in PC_HOLES))


def test_a_guest_in_a_hole() -> None:
    """The guest as it is can be refused for want of room, and fit with one device more."""
    more = how_many_more(Guest.of("pc", {"virtio-blk": 59}), "virtio-blk", RULES)
    assert (more.most, more.holes[:2]) == (928 - 59, ((0, 0), (30, 31)))


def test_a_guest_that_does_not_fit() -> None:
    more = how_many_more(Guest.of("q35", {"virtio-blk": 238}), "virtio-blk", RULES)
    assert (more.most, more.holes) == (-1, ())


def test_the_spare_port_is_used_up_before_anything_grows() -> None:
    """A definition that is addressed has its spare port; and no other is added (libvirt rule 6.6)."""
    addressed = pcisim.assign(domain("q35")).to_xml()
    more = how_many_more(read(addressed, RULES), "virtio-blk", RULES)
    assert (more.most, more.holes) == (238, ())


@pytest.mark.parametrize("device", ["vhost-vsock", "virtio-balloon", "virtio-iommu", "pvpanic", "acpi-erst", "vga"])
def test_one_and_no_more(device: str) -> None:
    """Of these a guest has one, whatever the room; the balloon is instead of the one that libvirt adds."""
    more = how_many_more(Guest.of("q35"), device, RULES)
    assert (more.most, more.holes) == (1, ())
    assert scanned(Guest.of("q35"), device, range(4)) == {0: True, 1: True, 2: False, 3: False}


def test_none_of_what_the_machine_does_not_take() -> None:
    more = how_many_more(Guest.of("pc"), "virtio-iommu", RULES)
    assert (more.most, more.holes) == (0, ())
    assert more.reason == "IOMMU device: 'virtio' is only supported with Q35 and ARM Virt machines"


def test_no_pci_bus() -> None:
    with pytest.raises(RefusedError) as caught:
        how_many_more(Guest.of("isapc"), "virtio-blk", RULES)
    assert caught.value.code == "no-pci-bus"


def test_an_unknown_device() -> None:
    with pytest.raises(UsageError) as caught:
        how_many_more(Guest.of("q35"), "virtio-block", RULES)
    assert caught.value.code == "unknown-device"


def test_a_guest_that_is_refused_for_something_else() -> None:
    guest = read(domain("pc", nic("virtio", at(0, 3)), nic("virtio", at(0, 3))), RULES)
    with pytest.raises(RefusedError) as caught:
        how_many_more(guest, "virtio-blk", RULES)
    assert caught.value.code == "slot-occupied"


# the engine is asked count by count

STEPS = [*range(140), *range(140, 1001, 43), 237, 238, 307, 308, 927, 928, 929, 931, 932]


@pytest.mark.parametrize(
    ("machine", "device", "has"),
    one_in(
        3,
        [
            ("pc", "virtio-blk", ()),
            ("pc", "virtio-blk", ("vga=1",)),
            ("q35", "virtio-blk", ()),
            ("q35", "virtio-blk", ("vga=1",)),
            ("q35", "e1000", ()),
            ("q35", "e1000", ("vga=1",)),
            ("q35", "virtio-rng", ("virtio-net=3", "intel-hda=1", "e1000=40")),
        ],
    ),
)
def test_agrees_with_the_engine(machine: str, device: str, has: tuple[str, ...]) -> None:
    """Rule: "Every count from 0 to 1,000 agrees with `assign`"; here in steps."""
    guest = Guest.of(machine, has)
    steps = STEPS if device != "virtio-blk" or machine == "pc" else [n for n in STEPS if n < 330]
    assert said(how_many_more(guest, device, RULES), steps) == scanned(guest, device, steps)


SHAPES = {
    "an expander": ("pc", [BARE, pci("pci-expander-bus", 1), disks(20)]),
    "two bridges at the end": ("pc", [BARE, pci("pci-bridge", 1, at(0, 0x1E)), pci("pci-bridge", 2, at(0, 0x1F))]),
    "a gap": ("pc", [BARE, pci("pci-bridge", 6)]),
    "ich9": ("pc", [ich9(0), disks(20)]),
    "a bus full of functions": ("pc", [BARE, *(nic("virtio", at(0, slot, slot % 2)) for slot in range(3, 30))]),
    "dmi": ("q35", [BARE, pci("dmi-to-pci-bridge", 1), nic("e1000")]),
    "a switch": (
        "q35",
        [pci("pcie-root"), pci("pcie-root-port"), pci("pcie-switch-upstream-port")]
        + [pci("pcie-switch-downstream-port")] * 9,
    ),
    "an expander with a port": (
        "q35",
        [BARE, pci("pcie-expander-bus", 1), pci("pcie-root-port", 2, at(1, 0)), video("vga")],
    ),
    "ports in gaps": ("q35", [BARE, pci("pcie-root-port", 9), nic("e1000")]),
    "ports with hotplug off": ("q35", [pci("pcie-root-port", 1, "<target hotplug='off'/>"), nic("virtio")]),
    "two sets of ich9": ("q35", [ich9(0), ich9(1), ich9(2), nic("e1000")]),
    "a port beside an endpoint": ("q35", [BARE, nic("virtio", at(0, 2)), pci("pcie-root-port", 1, at(0, 2, 1))]),
    "an address on a bus to come": ("q35", [nic("e1000", at(1, 1))]),
}


@pytest.mark.parametrize(
    ("shape", "device"), one_in(3, [(shape, device) for shape in SHAPES for device in ("virtio-blk", "e1000")])
)
def test_agrees_with_the_engine_on_shapes(shape: str, device: str) -> None:
    machine, devices = SHAPES[shape]
    guest = read(domain(machine, *devices), RULES)
    counts = range(100)
    assert said(how_many_more(guest, device, RULES), counts) == scanned(guest, device, counts)


COUNTED = [
    "virtio-blk", "virtio-blk", "e1000", "e1000", "virtio-net", "virtio-scsi", "lsi", "virtio-serial", "qxl",
    "ich9-intel-hda", "ich9-ahci", "qemu-xhci", "piix3-usb-uhci", "virtio-rng", "pci-serial", "vfio-pci", "vhost-scsi",
    "pvpanic", "virtio-gpu", "i6300esb",
]  # fmt: skip


@fewer
@given(drawn_guests(), VERSIONS, st.sampled_from(COUNTED), st.integers(0, 80))
def test_agrees_with_the_engine_on_random_guests(drawn: Drawn, version: str, device: str, count: int) -> None:
    """Whatever is there: controllers, addresses, gaps, DMI bridges, expanders, switches, ICH9 sets."""
    rules = libvirt_version(version)
    counts = sorted({0, 1, 2, 3, *range(max(0, count - 3), count + 4)})
    try:
        guest = read(drawn.text, rules)
        more = how_many_more(guest, device, rules)
    except pcisim.PcisimError:
        reject()
    codes = {n: code_of(guest, device, n, rules) for n in counts}
    assert said(more, counts) == {n: code is None for n, code in codes.items()}, more
    for low, high in more.holes:
        assert 0 <= low <= high < more.most


@fewer
@given(
    drawn_guests(most=3), VERSIONS, st.sampled_from(["virtio-blk", "e1000"]), st.integers(0, 120), st.integers(0, 80)
)
def test_agrees_with_the_engine_on_crowded_guests(
    drawn: Drawn, version: str, device: str, before: int, cards: int
) -> None:
    """The same with many devices on top, so that holes and ends come into sight."""
    rules = libvirt_version(version)
    try:
        guest = read(drawn.text, rules).extended({"virtio-blk": before, "rtl8139": cards})
        more = how_many_more(guest, device, rules)
    except pcisim.PcisimError:
        reject()
    edges = {n for a, b in more.holes[:4] for n in (a - 1, a, b, b + 1)} | {0, 1, 2, 3}
    edges |= set(range(more.most - 3, more.most + 4)) if more.most < 300 else set()
    counts = sorted(n for n in edges if n >= 0)
    assert said(more, counts) == scanned(guest, device, counts, rules), more


@pytest.mark.parametrize(
    ("machine", "device", "most"),
    one_in(
        3,
        [
            ("q35", "virtio-gpu", 230),  # the first one sits on the root bus
            ("q35", "qxl", 932),
            ("q35", "ich9-intel-hda", 932),
            ("q35", "ich9-ahci", 932),  # the first one is the chipset's
            ("q35", "qemu-xhci", 238),  # the first one is instead of the default
            ("q35", "tulip", 237),
            ("pc", "piix3-usb-uhci", 929),
            ("pc", "virtio-gpu", 928),
            ("pc", "vfio-pci", 928),
        ],
    ),
)
def test_the_first_of_a_kind_can_be_special(machine: str, device: str, most: int) -> None:
    """Verified against libvirt 11.3.0: each accepted, and one more refused (`tulip` and `vfio-pci` apart)."""
    guest = Guest.of(machine)
    assert how_many_more(guest, device, RULES).most == most
    assert scanned(guest, device, [most, most + 1]) == {most: True, most + 1: False}


def test_an_integrated_device_needs_a_slot_of_the_root_bus() -> None:
    """Verified against libvirt 11.3.0: pvpanic comes last, and on pc it must find bus 0 not full."""
    more = how_many_more(Guest.of("pc", {"pvpanic": 1}), "virtio-blk", RULES)
    assert (more.most, more.holes) == (27, ())
    assert [str(short) for short in more.short] == ["slots of bus 0: 31 needed, 30 available, short by 1"]
    assert how_many_more(Guest.of("q35", {"pvpanic": 1, "virtio-iommu": 1}), "virtio-blk", RULES).most == 221


@pytest.mark.parametrize("device", DEVICE_MODELS)
def test_every_model_can_be_counted(device: str) -> None:
    """On a machine that is nearly full, so that no count is high."""
    guest = Guest.of("q35", {"virtio-net": 150, "rtl8139": 871})
    assert 0 <= how_many_more(guest, device, RULES).most <= 73


# which budget runs out, and by how much


@pytest.mark.parametrize(
    ("machine", "has", "device", "short"),
    [
        ("pc", {}, "virtio-blk", ["slots for pci-bridges: 30 needed, 29 available, short by 1"]),
        ("q35", {}, "virtio-blk", ["places for root ports: 241 needed, 240 available, short by 1"]),
        ("q35", {"vga": 1}, "virtio-blk", ["places for root ports: 233 needed, 232 available, short by 1"]),
        ("q35", {}, "e1000", ["slots for pci-bridges: 30 needed, 29 available, short by 1"]),
        ("q35", {"virtio-blk": 300}, "virtio-blk",
         ["places for root ports: 303 needed, 240 available, short by 63",
          "bus numbers: 304 needed, 256 available, short by 48"]),
        ("q35", {}, "vga", []),
    ],
)  # fmt: skip
def test_what_runs_out(machine: str, has: dict[str, int], device: str, short: list[str]) -> None:
    """Rule: "Impossible requests say which budget ran out, and by how much"."""
    assert [str(each) for each in how_many_more(Guest.of(machine, has), device, RULES).short] == short


def test_host_bridges_run_out() -> None:
    full = Guest.of("pseries", {"e1000": 959}, arch="ppc64")
    assert [str(row) for row in shortages(full, LibvirtPolicy(RULES))] == [
        "host bridges: 32 needed, 31 available, short by 1"
    ]


def test_what_runs_out_of_a_guest_that_fits() -> None:
    assert shortages(Guest.of("pc", {"virtio-blk": 58}), LibvirtPolicy(RULES)) == ()


def test_what_runs_out_in_a_hole() -> None:
    short = shortages(Guest.of("pc", {"virtio-blk": 90}), LibvirtPolicy(RULES))
    assert short == (Budget("slots for pci-bridges", 2, 0),)
    assert short[0].short == 2
    assert short[0].to_json() == {"budget": "slots for pci-bridges", "needed": 2, "available": 0, "short": 2}


def test_bus_numbers_run_out_behind_a_switch() -> None:
    models = ["pcie-root-port", "pcie-switch-upstream-port", *["pcie-switch-downstream-port"] * 32] * 7
    guest = read(domain("q35", BARE, *[pci(model, n) for n, model in enumerate(models, 1)]), RULES)
    more = how_many_more(guest, "virtio-blk", RULES)
    assert (more.most, [str(short) for short in more.short]) == (
        7 * 32 + 17,
        ["bus numbers: 257 needed, 256 available, short by 1"],
    )


@given(drawn_guests(), VERSIONS, st.integers(0, 120), st.integers(0, 80))
def test_nothing_runs_out_where_the_engine_finds_room(drawn: Drawn, version: str, disks: int, cards: int) -> None:
    """A budget that is short means a refusal; and a refusal for want of root ports or bridges has its budget."""
    rules = libvirt_version(version)
    try:
        guest = read(drawn.text, rules).extended({"virtio-blk": disks, "rtl8139": cards})
        code = code_of(guest, "virtio-rng", 0, rules)
        short = shortages(guest, LibvirtPolicy(rules))
    except pcisim.PcisimError:
        reject()
    if short:
        assert code is not None
        assert all(each.short > 0 for each in short)


# in words


def test_text() -> None:
    more = how_many_more(Guest.of("pc"), "virtio-blk", RULES)
    assert str(more).startswith("virtio-blk: up to 928 more fit; refused below that: 59, 89-90, 119-121, ")
    assert str(more).endswith(", 899-927; not 929: slots for pci-bridges: 30 needed, 29 available, short by 1")


def test_text_without_holes() -> None:
    assert str(how_many_more(Guest.of("q35"), "virtio-blk", RULES)) == (
        "virtio-blk: up to 237 more fit; not 238: places for root ports: 241 needed, 240 available, short by 1"
    )


def test_text_of_one_and_no_more() -> None:
    assert str(how_many_more(Guest.of("q35"), "vhost-vsock", RULES)) == (
        "vhost-vsock: up to 1 more fit; not 2: only a single vsock device is supported"
    )


def test_text_of_a_guest_that_does_not_fit() -> None:
    assert str(how_many_more(Guest.of("q35", {"virtio-blk": 238}), "virtio-blk", RULES)) == (
        "virtio-blk: the guest itself does not fit: places for root ports: 241 needed, 240 available, short by 1"
    )


@pytest.mark.parametrize(
    ("machine", "model", "most", "reason"),
    [
        ("q35", "pcie-root-port", 240, "a PCIe slot is needed to connect a PCI controller model='pcie-root-port'"),
        ("pc", "pci-bridge", 255, "PCI controller index 256 too high, maximum is 255"),
        ("pc", "pcie-root-port", 0, "a PCIe slot is needed to connect a PCI controller model='pcie-root-port'"),
    ],
)
def test_pci_controllers(machine: str, model: str, most: int, reason: str) -> None:
    """Verified against libvirt 11.3.0 and 12.9.0."""
    more = pcisim.assign(Guest.of(machine)).max_count(model)
    assert (more.device, more.most, more.holes) == (model, most, ())
    assert more.reason.startswith(reason)
