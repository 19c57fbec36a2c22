"""The clauses of libvirt's rules that make well-formed guests: sections 1 to 7, 11 and 12."""

from __future__ import annotations

from collections.abc import Callable

from tests.oracle import snippets as s
from tests.oracle.draft import CLAUSES, Clause, Draft, clause
from tests.oracle.plugs import PLUGS, Builder
from tests.oracle.snippets import el

# ------------------------------------------------------------------ 1 address syntax


@clause("1/empty-address")
def empty_address(d: Draft) -> None:
    d.add(s.interface("virtio", el("address", {"type": "pci"})))


@clause("1/empty-address-with-function")
def empty_with_function(d: Draft) -> None:
    values = {"type": "pci", "slot": d.rng.choice((None, "0")), "function": d.number(d.rng.randint(1, 9))}
    values["multifunction"] = d.rng.choice((None, "on", "off"))
    d.add(s.disk(d.target("vd"), "virtio", el("address", values)))


@clause("1/address-of-another-type")
def other_types(d: Draft) -> None:
    drive = el("address", {"type": "drive", "controller": 0, "bus": 0, "target": 0, "unit": d.count("unit") % 7})
    d.add(s.disk(d.target("sd"), "scsi", drive))
    if "no usb" not in d.taken_once:
        d.taken_once.add("usb in use")
        d.add(s.input_device("tablet", "usb"))


@clause("1/acpi-index")
def acpi_index(d: Draft) -> None:
    d.add(s.interface("virtio", d.some_address(), el("acpi", {"index": d.rng.randint(1, 3)})))


@clause("1/multifunction-by-hand", "7/multifunction-by-hand")
def multifunction_by_hand(d: Draft) -> object:
    place = d.free("pci-root", "pcie-root", "pci-bridge")
    if place is None:
        return False
    bus, slot, _ = place
    first = s.interface("virtio", d.at(bus, slot, 0, d.rng.choice(("on", "off"))))
    others = [
        s.disk(d.target("vd"), "virtio", d.at(bus, slot, function, d.rng.choice((None, None, "on", "off"))))
        for function in d.rng.sample(range(1, 8), d.rng.randint(1, 4))
    ]
    d.add(first, *others)
    return True


# ------------------------------------------------------------------ 2 sockets


def rest(d: Draft, probability: float = 0.3) -> str:
    """Return an explicit address on the root bus, or none."""
    place = d.free("pci-root", "pcie-root") if d.chance(probability) else None
    return d.at(*place) if place else ""


@clause("2/pci-bridge-listed", on="pc")
def bridges(d: Draft) -> None:
    for _ in range(d.rng.randint(1, 3)):
        d.add(d.pci("pci-bridge", d.next_index(), rest(d)))


@clause("2/pci-bridge-nested", on="pc")
def nested_bridges(d: Draft) -> None:
    outer, inner = d.next_index(), d.next_index()
    d.add(d.pci("pci-bridge", outer), d.pci("pci-bridge", inner, d.at(outer, d.rng.randint(1, 31))))


@clause("6.2/gap-becomes-bridges", on="pc")
def gap_bridges(d: Draft) -> None:
    d.add(d.pci("pci-bridge", d.next_index(d.rng.randint(1, 3)), rest(d)))


@clause("6.2/gap-becomes-ports", "11/port-gap", on="q35")
def gap_ports(d: Draft) -> None:
    d.add(d.pci("pcie-root-port", d.next_index(d.rng.randint(1, 4)), rest(d)))


@clause("2/pci-expander-bus-listed", on="pc")
def pci_expander(d: Draft) -> None:
    index = d.next_index()
    d.add(d.pci("pci-expander-bus", index, expander_target(d) + rest(d)))
    if d.chance(0.5):
        d.tags.add("2/bridge-on-expander")
        d.add(d.pci("pci-bridge", d.next_index(), d.at(index, d.rng.randint(0, 31))))


def expander_target(d: Draft) -> str:
    """Return a random <target> of an expander bus, or none."""
    bus_nr = d.rng.choice((None, None, d.rng.randint(100, 254)))
    node = d.rng.choice((None, 0, 1))
    if bus_nr is None:
        d.tags.add("7/busNr-default")
    else:
        d.tags.add("7/busNr-given")
    if node is None:
        return el("target", {"busNr": bus_nr}) if bus_nr else ""
    d.tags.add("7/numa-node")
    d.numa()
    return el("target", {"busNr": bus_nr}, el("node", {}, str(node)))


@clause("2/root-ports-listed", on="q35")
def root_ports(d: Draft) -> None:
    for _ in range(d.rng.randint(1, 12)):
        d.add(d.pci("pcie-root-port", d.next_index(), rest(d, 0.1)))


@clause("5.2/unindexed-ports", on="q35")
def unindexed_ports(d: Draft) -> None:
    d.add(*[d.pci("pcie-root-port") for _ in range(d.rng.choice((1, 2, 4, 8, 14, 16, 28)))])


@clause("5.2/unindexed-bridges", on="pc")
def unindexed_bridges(d: Draft) -> None:
    d.add(*[d.pci("pci-bridge") for _ in range(d.rng.randint(1, 3))])


@clause("2/hotplug-off", on="q35")
def hotplug_off(d: Draft) -> None:
    for _ in range(d.rng.randint(1, 3)):
        d.add(d.pci("pcie-root-port", d.next_index(), el("target", {"hotplug": d.rng.choice(("off", "on"))})))


@clause("2/hotplug-off-on-pci-root", on="pc")
def hotplug_off_root(d: Draft) -> object:
    if d.unindexed or not d.once("root"):
        return False
    d.add(s.controller("pci", 0, "pci-root", el("target", {"hotplug": "off"})))
    return True


@clause("2/dmi-to-pci-bridge-listed", "4.3/q35-dmi-at-1e", on="q35")
def dmi(d: Draft) -> None:
    index = d.next_index()
    d.add(d.pci("dmi-to-pci-bridge", index))
    if d.chance(0.5):
        d.tags.add("2/bridge-behind-dmi")
        d.add(d.pci("pci-bridge", d.next_index(), d.at(index, d.rng.randint(0, 31)) if d.chance(0.5) else ""))
    if d.chance(0.5):
        d.tags.add("2/endpoint-by-hand-on-dmi")
        place = d.free("dmi-to-pci-bridge")
        if place:
            d.add(s.interface("e1000", d.at(*place)))


@clause("4.3/q35-1e-taken", on="q35")
def dmi_elsewhere(d: Draft) -> object:
    if not d.once("slot 1e"):
        return False
    d.add(s.interface("virtio", d.at(0, 0x1E)), d.pci("dmi-to-pci-bridge", d.next_index()))
    return True


@clause("2/pcie-to-pci-bridge-listed", on="q35")
def pcie_to_pci(d: Draft) -> None:
    port, bridge = d.next_index(), d.next_index()
    d.add(d.pci("pcie-root-port", port))
    del d.buses[port]  # the bridge will want it
    d.add(d.pci("pcie-to-pci-bridge", bridge, d.at(port, 0) if d.chance(0.4) else ""))
    if d.chance(0.4):
        d.tags.add("2/bridge-behind-pcie-to-pci")
        d.add(d.pci("pci-bridge", d.next_index()))
    d.add(*[s.interface("rtl8139", d.some_address()) for _ in range(d.rng.randint(0, 3))])


@clause("2/pci-bridge-by-hand-on-pcie-root", on="q35")
def bridge_on_pcie_root(d: Draft) -> object:
    place = d.free("pcie-root")
    if place is None:
        return False
    d.add(d.pci("pci-bridge", d.next_index(), d.at(*place)), s.interface("e1000"))
    return True


@clause("2/pci-bridge-by-hand-on-port", on="q35")
def bridge_on_port(d: Draft) -> None:
    port = d.next_index()
    d.add(d.pci("pcie-root-port", port), d.pci("pci-bridge", d.next_index(), d.at(port, 0)))


@clause("2/switch", on="q35")
def switch(d: Draft) -> None:
    port, upstream = d.next_index(), d.next_index()
    d.add(
        d.pci("pcie-root-port", port),
        d.pci("pcie-switch-upstream-port", upstream, d.at(port, 0) if d.chance(0.5) else ""),
    )
    d.buses.pop(port)
    for number in range(d.rng.randint(1, 5)):
        inner = d.at(upstream, 2 * number) if d.chance(0.3) else ""
        d.add(d.pci("pcie-switch-downstream-port", d.next_index(), inner))


@clause("2/switch-nested", on="q35")
def nested_switch(d: Draft) -> None:
    port, first, middle, second = (d.next_index() for _ in range(4))
    d.add(
        d.pci("pcie-root-port", port),
        d.pci("pcie-switch-upstream-port", first, d.at(port, 0)),
        d.pci("pcie-switch-downstream-port", middle, d.at(first, 0)),
        d.pci("pcie-switch-upstream-port", second, d.at(middle, 0)),
        d.pci("pcie-switch-downstream-port", d.next_index()),
        d.pci("pcie-switch-downstream-port", d.next_index()),
    )


@clause("2/switch-without-indexes", on="q35")
def unindexed_switch(d: Draft) -> None:
    models = ["pcie-root-port", "pcie-switch-upstream-port"] + ["pcie-switch-downstream-port"] * d.rng.randint(1, 4)
    d.add(*[d.pci(model) for model in models])


@clause("2/pcie-to-pci-bridge-behind-switch", on="q35")
def bridge_behind_switch(d: Draft) -> None:
    port, upstream, down = (d.next_index() for _ in range(3))
    d.add(
        d.pci("pcie-root-port", port),
        d.pci("pcie-switch-upstream-port", upstream, d.at(port, 0)),
        d.pci("pcie-switch-downstream-port", down, d.at(upstream, d.rng.randint(0, 31))),
        d.pci("pcie-to-pci-bridge", d.next_index(), d.at(down, 0)),
        s.interface("e1000"),
    )


@clause("2/circle", on="q35")
def circle(d: Draft) -> None:
    first, second = d.next_index(), d.next_index()
    by_hand = d.chance(0.5)
    d.add(
        d.pci("pcie-switch-upstream-port", first, d.at(second, 0) if by_hand else ""),
        d.pci("pcie-switch-downstream-port", second, d.at(first, 0) if by_hand else ""),
    )


@clause("2/pcie-expander-bus-listed", on="q35")
def pcie_expander(d: Draft) -> None:
    index = d.next_index()
    d.add(d.pci("pcie-expander-bus", index, expander_target(d) + rest(d)))
    for slot in range(d.rng.randint(0, 3)):
        d.tags.add("2/port-on-expander")
        d.add(d.pci("pcie-root-port", d.next_index(), d.at(index, slot)))
    if d.chance(0.3):
        d.tags.add("2/dmi-on-expander")
        d.add(d.pci("dmi-to-pci-bridge", d.next_index(), d.at(index, 4)))


@clause("2/endpoint-by-hand-on-pcie-root", on="q35")
def endpoint_on_pcie_root(d: Draft) -> object:
    place = d.free("pcie-root")
    if place is None:
        return False
    d.add(s.interface(d.rng.choice(("virtio", "e1000", "rtl8139", "e1000e")), d.at(*place)))
    return True


@clause("2/conventional-by-hand-on-port", on="q35")
def conventional_on_port(d: Draft) -> None:
    port = d.next_index()
    d.add(d.pci("pcie-root-port", port), s.interface(d.rng.choice(("e1000", "rtl8139")), d.at(port, 0)))


# ------------------------------------------------------------------ 3 plugs: one clause a row of the table


def plug_action(builder: Builder) -> Callable[[Draft], object]:
    """Return the clause that adds one device of this sort, with or without an address."""

    def act(d: Draft) -> object:
        xml = builder(d, d.some_address())
        if not xml:
            return False
        d.add(xml)
        return True

    return act


CLAUSES.extend(Clause((f"3.2/{name}",), plug_action(builder), ("pc", "q35")) for name, builder in PLUGS.items())
Q35_IOMMU = {"virtio": "3.2/iommu-virtio", "intel": "3.2/iommu-intel"}


@clause(*Q35_IOMMU.values(), on="q35")
def iommu(d: Draft) -> object:
    if not d.once("iommu"):
        return False
    model = d.rng.choice(list(Q35_IOMMU))
    d.add(el("iommu", {"model": model}))
    return True


@clause("3.1/integrated-by-hand-on-root", on="q35")
def integrated_by_hand(d: Draft) -> object:
    place = d.free("pcie-root")
    if place is None or not d.once("iommu"):
        return False
    d.add(el("iommu", {"model": "virtio"}, d.at(*place)))
    return True


@clause("11/pvpanic-by-hand")
def pvpanic_by_hand(d: Draft) -> object:
    place = d.free("pcie-root", "pci-root")
    if place is None or not d.once("panic"):
        return False
    d.add(el("panic", {"model": "pvpanic"}, d.at(*place)))
    return True


# ------------------------------------------------------------------ 4 machines


@clause("4.2/usb-none")
def usb_none(d: Draft) -> object:
    if "usb in use" in d.taken_once or not d.once("no usb"):
        return False
    d.add(s.controller("usb", d.rng.choice((0, None)), "none"))
    return True


@clause("4.2/balloon-none")
def balloon_none(d: Draft) -> object:
    if not d.once("balloon"):
        return False
    d.add(el("memballoon", {"model": "none"}))
    return True


@clause("4.2/no-devices", alone=True)
def no_devices(d: Draft) -> None:
    assert not d.parts


@clause("4.2/isapc-without-pci", on="isapc", alone=True)
def isapc(d: Draft) -> None:
    d.add(s.controller("usb", 0, "none"), el("memballoon", {"model": "none"}), s.disk("fda", None, device="floppy"))


@clause("4.3/pc-ide-and-usb-written-out", on="pc")
def chipset_written_out(d: Draft) -> object:
    if "no usb" in d.taken_once or not d.once("usb 0"):
        return False
    d.taken_once.add("usb in use")
    d.add(s.controller("ide", 0, None, el("address", {"type": "pci", "slot": "1", "function": "1"})))
    d.add(s.controller("usb", 0, "piix3-uhci", el("address", {"type": "pci", "slot": "0x01", "function": "0x2"})))
    return True


@clause("4.3/q35-sata-written-out", on="q35")
def sata_written_out(d: Draft) -> object:
    if not d.once("sata 0"):
        return False
    d.add(s.controller("sata", 0, None, d.at(0, 0x1F, 2)))
    return True


@clause("4.3/pc-free-chipset-functions", on="pc")
def chipset_functions(d: Draft) -> object:
    function = d.rng.choice((1, 4, 5, 6, 7))
    if (0, 1, function) in d.used or (function == 1 and "no ide" not in d.taken_once and not d.once("no ide")):
        return False
    d.add(s.interface("virtio", d.at(0, 1, function)))
    return True


@clause("4.3/q35-slot-1f-by-hand", on="q35")
def slot_1f(d: Draft) -> object:
    function = d.rng.choice((1, 4, 5, 6, 7))
    if (0, 0x1F, function) in d.used:
        return False
    d.add(s.interface("virtio", d.at(0, 0x1F, function)))
    return True


@clause("4.3/primary-video")
def primary_video(d: Draft) -> object:
    if not d.once("video"):
        return False
    d.add(s.video(d.rng.choice(("vga", "cirrus", "qxl", "virtio", "bochs", "vmvga"))))
    return True


@clause("4.3/video-slot-taken")
def video_slot_taken(d: Draft) -> object:
    if not d.once("video"):
        return False
    slot = 1 if d.express else 2
    d.add(s.interface("virtio", d.at(0, slot)))
    d.add(s.video(d.rng.choice(("vga", "virtio", "bochs", "qxl"))))
    return True


@clause("4.3/video-none-or-ramfb")
def video_none(d: Draft) -> object:
    if not d.once("video"):
        return False
    d.add(s.video(d.rng.choice(("none", "ramfb"))))
    return True


@clause("4.3/video-by-hand")
def video_by_hand(d: Draft) -> object:
    place = d.free()
    if place is None or not d.once("video"):
        return False
    d.add(s.video(d.rng.choice(("vga", "virtio")), d.at(*place)))
    return True


@clause("5.1/video-primary-second", "6.4/secondary-video")
def two_videos(d: Draft) -> object:
    if not d.once("video"):
        return False
    d.add(s.video("virtio"), s.video(d.rng.choice(("qxl", "virtio")), primary=d.chance(0.7)))
    return True


@clause("5.5/graphics-imply-video")
def graphics(d: Draft) -> object:
    if not d.once("video"):
        return False
    d.add(el("graphics", {"type": d.rng.choice(("vnc", "spice")), "port": -1}))
    return True


@clause("4.3/q35-ich9-sound-at-1b", "3.2/sound-ich9-preferred-1b", on="q35")
def sound_1b(d: Draft) -> None:
    d.add(*[el("sound", {"model": "ich9"}) for _ in range(d.rng.choice((1, 1, 2)))])


@clause("4.3/q35-1b-taken", on="q35")
def sound_1b_taken(d: Draft) -> object:
    if not d.once("slot 1b"):
        return False
    d.add(s.interface("virtio", d.at(0, 0x1B)), el("sound", {"model": "ich9"}))
    return True


@clause("3.2/sound-ich9", on="pc")
def sound_ich9(d: Draft) -> None:
    d.add(el("sound", {"model": "ich9"}, d.some_address()))


# ------------------------------------------------------------------ ICH9 USB


def claim_usb(d: Draft) -> bool:
    """Return whether a USB set may begin at index 0."""
    if "no usb" in d.taken_once:
        return False
    d.taken_once.add("usb in use")
    return d.once("usb 0")


@clause("6.4/ich9-set", "4.3/q35-ich9-at-1d")
def ich9_set(d: Draft) -> object:
    if not claim_usb(d):
        return False
    d.add(*[s.ich9(0, function) for function in (7, 0, 1, 2)])
    return True


@clause("5.1/ich9-shuffled")
def ich9_shuffled(d: Draft) -> object:
    if not claim_usb(d):
        return False
    d.add(*[s.ich9(0, function) for function in d.rng.sample((7, 0, 1, 2), 4)])
    return True


@clause("6.4/ich9-incomplete")
def ich9_incomplete(d: Draft) -> object:
    if not claim_usb(d):
        return False
    functions = [7, *d.rng.sample((0, 1, 2), d.rng.randint(0, 2))]
    d.add(*[s.ich9(0, function) for function in functions])
    return True


@clause("5.2/ich9-index-reuse", "11/ich9-resorted")
def ich9_unindexed(d: Draft) -> object:
    if not claim_usb(d):
        return False
    d.keep_order = True
    rows = [s.ich9(None, function) for _ in range(d.rng.randint(1, 3)) for function in (7, 0, 1, 2)]
    if d.chance(0.4):
        d.rng.shuffle(rows)
    d.add(*rows)
    return True


@clause("4.3/q35-ehci-1a-second", "4.3/ich9-third-set")
def ich9_three_sets(d: Draft) -> object:
    if not claim_usb(d):
        return False
    for index in range(3):
        d.add(*[s.ich9(index, function) for function in (7, 0, 1, 2)])
    return True


@clause("4.3/q35-1d-taken", on="q35")
def slot_1d_taken(d: Draft) -> object:
    if not claim_usb(d):
        return False
    d.add(s.interface("virtio", d.at(0, 0x1D)))
    if d.chance(0.4):
        d.add(s.interface("virtio", d.at(0, 0x1A)))
    d.add(*[s.ich9(0, function) for function in (7, 0, 1, 2)])
    return True


@clause("4.3/uhci1-empty-address")
def uhci1_empty(d: Draft) -> object:
    if not claim_usb(d):
        return False
    d.add(*[s.ich9(0, f, el("address", {"type": "pci"}) if f == 0 or d.chance(0.3) else "") for f in (7, 0, 1, 2)])
    return True


@clause("6.4/ich9-one-by-hand")
def ich9_by_hand(d: Draft) -> object:
    place = d.free()
    if place is None or not claim_usb(d):
        return False
    bus, slot, _ = place
    chosen = d.rng.choice((7, 0, 1, 2))
    d.used.update((bus, slot, function) for function in range(8))
    d.add(*[s.ich9(0, f, d.at(bus, slot, f) if f == chosen else "") for f in (7, 0, 1, 2)])
    return True


@clause("6.7/ich9-overcount", on="pc", alone=True)
def ich9_overcount(d: Draft) -> object:
    if not claim_usb(d):
        return False
    d.add(*[s.ich9(0, function) for function in (7, 0, 1, 2)])
    d.add(*[s.disk(d.target("vd"), "virtio") for _ in range(d.rng.randint(20, 30))])
    return True


# ------------------------------------------------------------------ 5 lists and what is implied


@clause("5.1/disk-order")
def disk_order(d: Draft) -> None:
    names = [d.target(d.rng.choice(("vd", "vd", "vd", "sd"))) for _ in range(d.rng.randint(3, 8))]
    d.rng.shuffle(names)
    d.add(*[s.disk(name, "virtio" if name[0] == "v" else "scsi") for name in names])


@clause("5.1/disk-order-suffix")
def disk_order_suffix(d: Draft) -> object:
    if not d.once("suffixes"):
        return False
    names = d.rng.sample(("vdaa", "vdzz", "vdba", "vdz", "vdy", "vdx", "hdzz", "sdab", "xvdzz"), 6)
    d.add(*[s.disk(name, "virtio") for name in names])
    return True


@clause("5.1/disk-bus-missing", "5.4/disk-bus-by-name")
def disk_bus_missing(d: Draft) -> None:
    names = [d.target("vd") for _ in range(3)] + [d.target("sd")]
    d.rng.shuffle(names)
    d.add(*[s.disk(name, "virtio" if name[0] == "v" and d.chance(0.4) else None) for name in names])


@clause("5.1/controllers-out-of-order", "5.1/scsi-out-of-order")
def controllers_out_of_order(d: Draft) -> object:
    if not d.once("scsi order"):
        return False
    indexes: list[int | None] = [*d.rng.sample(range(40, 60), 3), None]
    d.rng.shuffle(indexes)
    d.keep_order = True
    d.add(*[s.controller("scsi", index, "virtio-scsi") for index in indexes])
    return True


@clause("5.1/pci-out-of-order", on="q35")
def ports_out_of_order(d: Draft) -> None:
    indexes = [d.next_index() for _ in range(d.rng.randint(2, 6))]
    d.rng.shuffle(indexes)
    d.add(*[d.pci("pcie-root-port", index) for index in indexes])


@clause("5.1/bridges-out-of-order", on="pc")
def bridges_out_of_order(d: Draft) -> None:
    indexes = [d.next_index() for _ in range(d.rng.randint(2, 4))]
    d.rng.shuffle(indexes)
    d.add(*[d.pci("pci-bridge", index) for index in indexes])


@clause("5.1/interface-hostdev-first")
def interface_hostdev(d: Draft) -> None:
    d.add(s.hostdev_pci(d.count("hostdev")), s.hostdev_interface(d.count("hostdev")), s.interface("virtio"))


@clause("5.2/mixed-indexes")
def mixed_indexes(d: Draft) -> object:
    if not d.once("mixed serial"):
        return False
    d.keep_order = True
    d.add(*[s.controller("virtio-serial", index) for index in d.rng.sample((None, None, 71, None, 70), 4)])
    return True


@clause("5.4/interface-without-model")
def interface_without_model(d: Draft) -> None:
    d.add(s.interface(None, d.some_address()))


@clause("5.4/interface-vdpa")
def interface_vdpa(d: Draft) -> None:
    d.add(el("interface", {"type": "vdpa"}, el("source", {"dev": f"/dev/vhost-vdpa-{d.count('vdpa')}"})))


@clause("11/interface-vhostuser")
def interface_vhostuser(d: Draft) -> None:
    d.shared_memory()
    source = el("source", {"type": "unix", "path": f"/run/vhost{d.count('vhostuser')}", "mode": "server"})
    model = el("model", {"type": "virtio"}) if d.chance(0.3) else ""
    d.add(el("interface", {"type": "vhostuser"}, source, model))


@clause("5.4/usb-without-model")
def usb_without_model(d: Draft) -> object:
    if not claim_usb(d):
        return False
    d.add(s.controller("usb", d.rng.choice((0, None, 1))))
    return True


@clause("5.4/scsi-without-model")
def scsi_without_model(d: Draft) -> None:
    d.add(s.controller("scsi", d.count("controller scsi"), d.rng.choice((None, "auto"))))


@clause("5.5/disk-implies-scsi", "11/scsi-gap")
def disk_implies_scsi(d: Draft) -> object:
    if not d.once("scsi gap"):
        return False
    top = d.rng.randint(1, 3)
    address = el("address", {"type": "drive", "controller": top, "bus": 0, "target": 0, "unit": 6})
    d.add(s.disk(d.target("sd"), "scsi", address))
    if d.chance(0.5):
        d.add(s.controller("scsi", top + 20, "virtio-scsi"))
    return True


@clause("5.5/disk-implies-sata")
def disk_implies_sata(d: Draft) -> object:
    if not d.once("sata disks"):
        return False
    d.add(s.disk("sdg" if d.chance(0.5) else "sdm", "sata"))
    return True


@clause("5.5/disk-implies-ide", on="pc")
def disk_implies_ide(d: Draft) -> object:
    if not d.once("no ide"):
        return False
    d.add(*[s.disk(name, "ide", device="cdrom") for name in d.rng.sample(("hda", "hdb", "hdc", "hdd"), 2)])
    return True


@clause("5.5/disk-number-decides-controller")
def disk_number(d: Draft) -> object:
    if not d.once("far disk"):
        return False
    d.add(s.disk(d.rng.choice(("sdh", "sdz", "sdaa")), "scsi"))
    return True


@clause("5.5/channel-implies-virtio-serial")
def channels(d: Draft) -> None:
    d.add(*[s.channel(d.count("channel")) for _ in range(d.rng.randint(1, 3))])


@clause("5.5/console-implies-virtio-serial")
def consoles(d: Draft) -> object:
    if not d.once("console"):
        return False
    d.add(s.console("serial"), s.console("virtio"))
    return True


@clause("5.5/virtio-serial-address")
def virtio_serial_address(d: Draft) -> None:
    place = {"type": "virtio-serial", "controller": d.rng.randint(0, 2), "bus": 0, "port": 9 + d.count("vs port")}
    d.add(s.channel(d.count("channel"), el("address", place)))


@clause("5.5/virtio-serial-ports-run-out")
def virtio_serial_full(d: Draft) -> None:
    if d.chance(0.5):
        d.tags.add("5.5/virtio-serial-ports-attribute")
        d.add(
            el(
                "controller",
                {"type": "virtio-serial", "index": 20 + d.count("few ports"), "ports": d.rng.choice((1, 2, 4))},
            )
        )
    d.add(*[s.channel(d.count("channel")) for _ in range(d.rng.choice((5, 30, 31, 32)))])


@clause("5.5/hostdev-scsi-before-numbering")
def hostdev_scsi(d: Draft) -> None:
    d.add(s.controller("scsi", None, "virtio-scsi"), s.hostdev_scsi(d.count("hostdev scsi")))


@clause("5.5/hostdev-scsi-far-controller")
def hostdev_scsi_far(d: Draft) -> None:
    place = {"type": "drive", "controller": d.rng.randint(1, 3), "bus": 0, "target": 0, "unit": 40 + d.count("hs unit")}
    if d.chance(0.5):
        d.add(s.controller("scsi", d.count("controller scsi"), "virtio-scsi"))
    d.add(s.hostdev_scsi(d.count("hostdev scsi"), el("address", place)))


@clause("5.5/hostdev-scsi-eight")
def hostdev_scsi_eight(d: Draft) -> None:
    d.add(*[s.hostdev_scsi(d.count("hostdev scsi")) for _ in range(d.rng.randint(7, 9))])


# ------------------------------------------------------------------ 6 allocation


@clause("6.3/packing-mark-by-explicit-port", on="q35")
def packing_by_hand(d: Draft) -> object:
    place = d.free("pcie-root")
    if place is None:
        return False
    _, slot, _ = place
    function = d.rng.randint(0, 7)
    d.add(d.pci("pcie-root-port", d.next_index(), d.at(0, slot, function)))
    d.add(*[d.pci("pcie-root-port", d.next_index()) for _ in range(d.rng.randint(1, 4))])
    return True


@clause("6.5/endpoint-first-then-ports", on="q35")
def endpoint_first(d: Draft) -> object:
    place = d.free("pcie-root")
    if place is None:
        return False
    _, slot, _ = place
    d.add(s.interface("virtio", d.at(0, slot, d.rng.choice((0, 0, 5)))))
    d.add(d.pci("pcie-root-port", d.next_index(), d.at(0, slot, 1)), d.pci("pcie-root-port", d.next_index()))
    return True


@clause("6.3/port-slot-full", on="q35")
def many_ports(d: Draft) -> None:
    d.add(*[d.pci("pcie-root-port", d.next_index()) for _ in range(d.rng.randint(9, 20))])


@clause("6.3/holes")
def holes(d: Draft) -> None:
    for _ in range(d.rng.randint(3, 8)):
        place = d.free("pci-root", "pcie-root", "pci-bridge")
        if place:
            d.add(s.interface("virtio", d.at(*place)))
    d.add(*[s.disk(d.target("vd"), "virtio") for _ in range(4)])


@clause("6.6/bus-increment", on="q35")
def bus_increment(d: Draft) -> object:
    if any(model in ("pci-bridge", "pcie-to-pci-bridge", "dmi-to-pci-bridge") for model in d.buses.values()):
        return False
    bus = d.next_index()
    d.add(s.interface(d.rng.choice(("e1000", "rtl8139", "virtio-transitional")), d.at(bus, d.rng.randint(1, 31))))
    d.top_index += 1
    return True


@clause("6.6/explicit-bus-grows-bridges")
def explicit_conventional(d: Draft) -> None:
    bus = d.next_index(d.rng.randint(1, 2))
    d.add(s.interface("e1000", d.at(bus, d.rng.randint(1, 31))))


@clause("6.6/explicit-bus-grows-ports", on="q35")
def explicit_express(d: Draft) -> None:
    d.add(s.interface("virtio", d.at(d.next_index(d.rng.randint(0, 3)), 0)))


@clause("6.6/upstream-port-grows-a-port", on="q35")
def lone_upstream(d: Draft) -> None:
    d.add(d.pci("pcie-switch-upstream-port", d.next_index()))


@clause("6.6/spare-suppressed-by-list", on="q35")
def no_spare(d: Draft) -> None:
    d.add(d.pci("pcie-root-port", d.next_index()))
    d.add(*[s.disk(d.target("vd"), "virtio") for _ in range(d.rng.randint(1, 3))])


@clause("6.6/conventional-growth", "6.9/bridge-takes-first-port", on="q35")
def conventional_growth(d: Draft) -> None:
    d.add(s.interface("virtio"), s.interface("e1000"), s.disk(d.target("vd"), "virtio"))


@clause("6.4/order-of-kinds")
def order_of_kinds(d: Draft) -> None:
    d.add(
        s.rng(),
        s.disk(d.target("vd"), "virtio"),
        s.interface("virtio"),
        s.controller("scsi", d.count("controller scsi"), "virtio-scsi"),
    )
    d.add(s.hostdev_pci(d.count("hostdev")), s.shmem(d.count("shmem")), s.input_device("tablet", "virtio"))
    d.shared_memory()
    d.add(s.filesystem(d.count("filesystem"), "virtiofs"))


# ------------------------------------------------------------------ 7 defaults


@clause("7/lone-function")
def lone_function(d: Draft) -> object:
    place = d.free("pci-root", "pcie-root")
    if place is None:
        return False
    d.add(s.interface("virtio", d.at(0, place[1], d.rng.randint(1, 7))))
    return True


@clause("7/multifunction-implied")
def multifunction_implied(d: Draft) -> object:
    place = d.free("pci-root", "pcie-root")
    if place is None:
        return False
    slot = place[1]
    rows = [s.interface("virtio", d.at(0, slot, function)) for function in d.rng.sample(range(1, 8), 2)]
    rows.append(s.disk(d.target("vd"), "virtio", d.at(0, slot)))
    d.rng.shuffle(rows)
    d.add(*rows)
    return True


@clause("7/port-target-given", on="q35")
def port_target(d: Draft) -> None:
    target = {"chassis": d.rng.choice((None, d.number(d.rng.randint(0, 255)))), "port": d.number(d.rng.randint(0, 255))}
    name = el("model", {"name": d.rng.choice(("ioh3420", "pcie-root-port"))}) if d.chance(0.6) else ""
    d.add(d.pci("pcie-root-port", d.next_index(), name + el("target", target)))


@clause("7/bridge-target-given")
def bridge_target(d: Draft) -> None:
    place = d.free("pci-root", "pcie-root")
    inner = el("target", {"chassisNr": d.rng.randint(1, 255)}) + (d.at(*place) if place else "")
    d.add(d.pci("pci-bridge", d.next_index(), inner))


@clause("7/memory-reserve", on="q35")
def memory_reserve(d: Draft) -> None:
    d.add(d.pci("pcie-root-port", d.next_index(), el("target", {"memReserve": d.rng.choice((1024, 65536))})))


@clause("7/pcihole64")
def pcihole64(d: Draft) -> object:
    if d.unindexed or not d.once("root"):
        return False
    d.add(s.controller("pci", 0, d.buses[0], el("pcihole64", {"unit": "GiB"}, "4")))
    return True


# ------------------------------------------------------------------ 12 many devices


@clause("12/pc-many-disks", on="pc", alone=True)
def many_disks_pc(d: Draft) -> None:
    number = d.rng.choice((d.rng.randint(25, 130), *range(27, 31), 59, 60, 61, 89, 90, 91, 92))
    d.add(*[s.disk(d.target("vd"), "virtio") for _ in range(number)])


@clause("12/q35-many-disks", on="q35", alone=True)
def many_disks_q35(d: Draft) -> None:
    number = d.rng.choice((d.rng.randint(5, 60), d.rng.randint(225, 245)))
    d.add(*[s.disk(d.target("vd"), "virtio") for _ in range(number)])


@clause("12/q35-many-conventional", on="q35", alone=True)
def many_conventional(d: Draft) -> None:
    number = d.rng.choice((d.rng.randint(25, 100), *range(30, 34), 61, 62, 63, 64))
    d.add(*[s.interface("e1000") for _ in range(number)])


@clause("12/dmi-takes-bridges-in-trial-only", on="q35", alone=True)
def dmi_trial(d: Draft) -> None:
    d.add(d.pci("pcie-root-port", 1), d.pci("pcie-to-pci-bridge", 2), d.pci("dmi-to-pci-bridge", 3))
    d.add(*[s.interface("rtl8139") for _ in range(d.rng.randint(58, 64))])


# ------------------------------------------------------------------ anything, anywhere

EVERYWHERE = (
    "pci-bridge",
    "pci-expander-bus",
    "pcie-root-port",
    "dmi-to-pci-bridge",
    "pcie-to-pci-bridge",
    "pcie-switch-upstream-port",
    "pcie-switch-downstream-port",
    "pcie-expander-bus",
)
NATIVE = {False: EVERYWHERE[:2], True: (*EVERYWHERE[2:5] * 2, *EVERYWHERE[5:], "pci-bridge")}
"""What is at home on a root bus that is PCI Express, or is not."""


def anywhere(d: Draft) -> str:
    """Return an explicit address that is often a good one and often not."""
    bus = d.rng.choice((0, 0, 1, 1, 2, 3, 4, 6))
    slot = d.rng.choice((0, 0, 0, 1, 2, 3, 4, 5, d.rng.randint(0, 31)))
    return d.at(bus, slot, d.rng.choice((0, 0, 0, 0, 1, 2)), d.rng.choice((None, None, None, "on", "off")))


@clause("6.5/endpoints-anywhere")
def endpoints_anywhere(d: Draft) -> None:
    for _ in range(d.rng.randint(1, 3)):
        model = d.rng.choice(("virtio", "e1000", "e1000e", "rtl8139"))
        d.add(s.interface(model, anywhere(d)) if d.chance(0.6) else s.disk(d.target("vd"), "virtio", anywhere(d)))


@clause("6.5/controllers-anywhere")
def controllers_anywhere(d: Draft) -> None:
    models = NATIVE[d.express] if d.chance(0.9) else EVERYWHERE
    for _ in range(d.rng.randint(1, 5)):
        d.add(d.pci(d.rng.choice(models), d.next_index(), anywhere(d) if d.chance(0.4) else ""))
    d.add(*[s.interface(d.rng.choice(("virtio", "e1000"))) for _ in range(d.rng.randint(0, 3))])


@clause("6.6/controller-on-a-bus-to-come")
def controller_on_future_bus(d: Draft) -> None:
    index = d.next_index()
    bus = index + d.rng.randint(1, 3)
    d.top_index = bus
    if d.express:
        d.add(d.pci(d.rng.choice(("pcie-switch-upstream-port", "pcie-to-pci-bridge")), index, d.at(bus, 0)))
    else:
        d.add(d.pci("pci-bridge", bus + 1, d.at(index, d.rng.randint(1, 31))))


@clause("4.3/video-by-hand-at-its-slot")
def video_at_its_slot(d: Draft) -> object:
    if not d.once("video"):
        return False
    slot = 1 if d.express else 2
    d.add(s.video(d.rng.choice(("vga", "virtio")), d.rng.choice((d.at(0, slot), "<address type='pci'/>"))))
    return True


@clause("4.3/q35-sound-by-hand-at-1b", on="q35")
def sound_by_hand(d: Draft) -> object:
    if not d.once("slot 1b"):
        return False
    d.add(el("sound", {"model": d.rng.choice(("ich9", "ich6"))}, d.at(0, 0x1B)), el("sound", {"model": "ich9"}))
    return True


@clause("4.3/q35-dmi-with-empty-address", on="q35")
def dmi_empty(d: Draft) -> None:
    d.add(d.pci("dmi-to-pci-bridge", d.next_index(), "<address type='pci'/>"))


@clause("6.6/bus-increment-twice", on="q35", alone=True)
def increment_twice(d: Draft) -> None:
    first = d.rng.randint(1, 3)
    for bus in (first, d.rng.choice((first, first + 1, first + 2))):
        d.add(s.interface("e1000", d.at(bus, d.rng.randint(1, 31))))


@clause("6.2/console-mirrors-serial")
def console_mirrors(d: Draft) -> object:
    place = d.free("pci-root", "pcie-root")
    if place is None or d.count("serial"):
        return False
    address = d.at(*place)
    serial = s.serial("pci-serial", address)
    d.add(
        serial, serial.replace("<serial", "<console").replace("</serial", "</console").replace("pci-serial", "serial")
    )
    return True


@clause("11/more-than-255-cpus", on="q35", alone=True)
def many_cpus(d: Draft) -> None:
    d.head["vcpu"] = el("vcpu", {}, str(d.rng.randint(250, 280)))


@clause("11/two-watchdogs")
def two_watchdogs(d: Draft) -> object:
    if not d.once("watchdog"):
        return False
    d.add(s.watchdog("i6300esb"), s.watchdog("ib700" if d.family == "pc" else "itco"))
    return True


@clause("9/unassigned-hostdev")
def unassigned(d: Draft) -> None:
    d.add(s.hostdev_pci(d.count("hostdev"), "<address type='unassigned'/>"), s.hostdev_pci(d.count("hostdev")))


@clause("9/many-usb-devices")
def many_usb(d: Draft) -> object:
    if "no usb" in d.taken_once:
        return False
    d.taken_once.add("usb in use")
    d.add(*[s.input_device("tablet", "usb") for _ in range(d.rng.randint(3, 12))])
    return True


# ------------------------------------------------------------------ addresses where nobody expects them

SOUNDS = ("sb16", "pcspk", "usb")
WITHOUT_PCI: tuple[Builder, ...] = (
    lambda d, a: s.input_device("mouse", "ps2", a),
    lambda d, a: s.input_device("evdev", None, a),
    lambda d, a: el("sound", {"model": d.rng.choice(SOUNDS[:2])}, a),
    lambda d, a: s.controller("fdc", 0, None, a) if d.once("fdc") else "",
    lambda d, a: s.controller("isa", d.count("isa"), None, a),
    lambda d, a: s.controller("xenbus", d.count("xenbus"), None, a),
    lambda d, a: el("parallel", {"type": "pty"}, a) if d.count("parallel") < 3 else "",
    lambda d, a: s.interface("usb-net", a),
    lambda d, a: s.filesystem(d.count("filesystem"), "mtp", None, a),
    lambda d, a: s.channel(d.count("channel"), a),
    lambda d, a: s.controller("scsi", d.count("controller scsi"), "ibmvscsi", a),
    lambda d, a: el("memballoon", {"model": "none"}, a) if d.once("balloon") else "",
    lambda d, a: s.video("none", a) if d.once("video") else "",
)
FOREIGN = ("isa", "usb", "drive", "virtio-mmio", "ccid", "virtio-serial")
FOREIGNERS: tuple[Builder, ...] = (
    lambda d, a: s.interface(d.rng.choice(("virtio", "e1000")), a),
    lambda d, a: s.rng("virtio", a),
    lambda d, a: s.controller("scsi", d.count("controller scsi"), "virtio-scsi", a),
    lambda d, a: s.disk(d.target("vd"), "virtio", "<address type='virtio-mmio'/>"),
    lambda d, a: s.controller("sata", 0, None, a) if d.once("sata 0") else "",
    lambda d, a: el("memballoon", {"model": "virtio"}, a) if d.once("balloon") else "",
)


@clause("3.2/pci-address-on-what-needs-none")
def pci_on_others(d: Draft) -> object:
    place = d.free("pci-root", "pcie-root")
    xml = d.rng.choice(WITHOUT_PCI)(d, d.at(*place)) if place else ""
    if not xml:
        return False
    d.add(xml)
    return True


@clause("1.2/address-of-a-foreign-type")
def foreign_address(d: Draft) -> object:
    kind = d.rng.choice(FOREIGN)
    values: dict[str, object] = {"type": kind}
    if kind in ("drive", "virtio-serial"):
        values |= {"controller": 0, "bus": 0}
    xml = d.rng.choice(FOREIGNERS)(d, el("address", values))
    if not xml:
        return False
    d.add(xml)
    return True


@clause("1/number-with-sign-or-blank")
def odd_numbers(d: Draft) -> object:
    place = d.free("pci-root", "pcie-root")
    if place is None:
        return False
    _, slot, _ = place
    d.used.add(place)
    text = d.rng.choice((f"+{slot}", f" {slot}", f"0X{slot:X}", f"+0x{slot:x}", f"00{slot:o}"))
    d.add(s.interface("virtio", el("address", {"type": "pci", "slot": text})))
    return True


@clause("4.2/isapc-with-listed-controllers", on="isapc", alone=True)
def isapc_listed(d: Draft) -> None:
    d.add(s.controller("usb", 0, "none"))
    if d.chance(0.6):
        d.add(s.controller("pci", 0, "pci-root"))
    for index in d.rng.sample((1, 2, 3), d.rng.randint(0, 2)):
        d.add(s.controller("pci", index, "pci-bridge"))
    d.add(*[s.interface(d.rng.choice(("virtio", "e1000"))) for _ in range(d.rng.randint(0, 3))])


@clause("8.1/companion-of-another-master")
def another_master(d: Draft) -> object:
    if not claim_usb(d):
        return False
    d.add(s.controller("usb", 0, d.rng.choice(("qemu-xhci", "ehci", "piix3-uhci"))))
    d.add(*[s.ich9(0, function) for function in d.rng.sample((0, 1, 2), d.rng.randint(1, 3))])
    return True


@clause("8.1/companion-without-master-element")
def no_master_element(d: Draft) -> object:
    if not claim_usb(d):
        return False
    d.add(s.controller("usb", 0, "ich9-ehci1"), *[s.controller("usb", 0, f"ich9-uhci{n}") for n in (1, 2, 3)])
    return True
