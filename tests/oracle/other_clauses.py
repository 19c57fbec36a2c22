"""The clauses that are of other architectures than x86: host bridges, zPCI, ccw, virtio-mmio, default models.

They are registered apart from those of x86, so that the guests of an x86 seed stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.oracle import snippets as s
from tests.oracle.draft import Action, Clause, Draft
from tests.oracle.mistakes import address
from tests.oracle.snippets import el

EVERYONE = "express conventional pseries s390 bare"
WITH_PCI = "express conventional pseries s390"
OTHER_CLAUSES: list[Clause] = []
ANY_ADDRESS = "<address type='pci'/>"
UEFI = "<loader readonly='yes' type='pflash'>/usr/share/AAVMF/AAVMF_CODE.fd</loader>"


def other(*tags: str, on: str = EVERYONE, alone: bool = False) -> Callable[[Action], Action]:
    """Register a function under these clauses."""

    def register(action: Action) -> Action:
        OTHER_CLAUSES.append(Clause(tags, action, tuple(on.split()), None, alone))
        return action

    return register


# ------------------------------------------------------------------ 4 and 5: what a machine implies


@other("4.2/no-devices", alone=True)
def no_devices(d: Draft) -> None:
    assert not d.parts


@other("5.4/model-left-out")
def model_left_out(d: Draft) -> None:
    rows = [
        s.interface(None, d.some_address()),
        s.controller("scsi", d.count("controller scsi"), d.rng.choice((None, "auto")), d.some_address()),
        el("input", {"type": d.rng.choice(("tablet", "mouse", "keyboard"))}),
        s.serial() if d.once("serial") else "",
        s.disk(d.target(d.rng.choice(("vd", "sd", "hd")))),
        el("video", {}, d.some_address()) if d.once("video") else "",
        el("panic") if d.once("panic") else "",
        el("vsock", {}, el("cid", {"auto": "yes"}), d.some_address()) if d.once("vsock") else "",
        s.console("virtio") if d.once("console") else "",
        s.channel(d.count("channel")),
        el("memballoon", {"model": "virtio"}, d.some_address()) if d.once("balloon") else "",
    ]
    d.add(*d.rng.sample([row for row in rows if row], d.rng.randint(1, 4)))


@other("5.4/usb-without-model")
def usb_without_model(d: Draft) -> object:
    if "no usb" in d.taken_once or not d.once("usb 0"):
        return False
    d.taken_once.add("usb in use")
    d.add(s.controller("usb", d.rng.choice((0, None, 0, 1)), None, d.some_address()))
    if d.chance(0.5):
        d.add(s.input_device("tablet", "usb"))
    return True


@other("4.2/usb-device-without-controller")
def usb_device(d: Draft) -> None:
    d.taken_once.add("usb in use")
    d.add(
        d.rng.choice(
            (
                s.input_device("tablet", "usb"),
                el("hub", {"type": "usb"}),
                el("redirdev", {"bus": "usb", "type": "spicevmc"}),
                s.interface("usb-net"),
                el("sound", {"model": "usb"}),
                s.disk(d.target("sd"), "usb"),
                el("smartcard", {"mode": "host"}),
            )
        )
    )


@other("5.5/graphics")
def graphics(d: Draft) -> None:
    d.add(el("graphics", {"type": "vnc", "port": -1}))
    if d.chance(0.5) and d.once("video"):
        d.add(s.video(d.rng.choice(("vga", "virtio", "bochs", "none", "ramfb")), d.some_address()))


@other("8.3/ide")
def ide(d: Draft) -> None:
    if d.chance(0.4):
        place = d.free() if d.chance(0.4) else None
        by_hand = d.rng.choice((address(0, 1, 1), d.at(*place) if place else ""))
        d.add(s.controller("ide", 0, d.rng.choice((None, "piix3", "piix4")), by_hand))
    d.add(*[s.disk(name, "ide", device="cdrom") for name in d.rng.sample(("hda", "hdb", "hdc", "hdd"), 2)])


@other("4.3/piix3-usb-elsewhere-than-on-x86", on=WITH_PCI)
def piix3(d: Draft) -> object:
    if "no usb" in d.taken_once or not d.once("usb 0"):
        return False
    d.taken_once.add("usb in use")
    place = d.free() if d.chance(0.4) else None
    by_hand = d.rng.choice((address(0, 1, 2), d.at(*place) if place else "", ANY_ADDRESS))
    d.add(s.controller("usb", 0, d.rng.choice(("piix3-uhci", "pci-ohci", "piix4-uhci", None)), by_hand))
    return True


@other("4.3/slots-of-x86-are-free", on=WITH_PCI)
def slots_of_x86(d: Draft) -> None:
    for slot, function in d.rng.sample(((1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (0x1F, 0), (0x1F, 2), (0x1B, 0)), 3):
        d.add(s.interface("virtio", d.at(0, slot, function)))


@other("4.1/pci-where-there-is-none", on="bare")
def pci_without_bus(d: Draft) -> None:
    rows = [
        s.interface("e1000", address(0, 5)),
        s.interface("virtio", d.rng.choice(("", ANY_ADDRESS, address(1, 0)))),
        s.controller("pci", 0, d.rng.choice(("pci-root", "pcie-root"))),
        s.controller("pci", 1, d.rng.choice(("pci-bridge", "pcie-root-port", "pcie-to-pci-bridge"))),
        s.controller("pci", 1, "pci-bridge", el("model", {"name": "pci-bridge"})),
        s.controller("usb", 0, d.rng.choice(("qemu-xhci", "pci-ohci", "piix3-uhci", None))),
        s.controller("scsi", 0, d.rng.choice(("virtio-scsi", "lsilogic", None))),
        s.disk(d.target("vd"), "virtio"),
        s.disk(d.target("sd"), "sd"),
        s.rng(),
    ]
    d.add(*d.rng.sample(rows, d.rng.randint(1, 4)))


# ------------------------------------------------------------------ addresses of the machines' own types

VIRTIO: tuple[Callable[[Draft, str], str], ...] = (
    lambda d, a: s.disk(d.target("vd"), "virtio", a),
    lambda d, a: s.interface("virtio", a),
    lambda d, a: s.rng("virtio", a),
    lambda d, a: s.controller("scsi", d.count("controller scsi"), "virtio-scsi", a),
    lambda d, a: s.controller("virtio-serial", d.count("controller virtio-serial"), None, a),
    lambda d, a: s.input_device("keyboard", "virtio", a),
    lambda d, a: s.filesystem(d.count("filesystem"), None, None, a),
    lambda d, a: s.hostdev_vhost_scsi(d.count("vhost-scsi"), None, a),
    lambda d, a: el("memballoon", {"model": "virtio"}, a) if d.once("balloon") else "",
    lambda d, a: s.vsock(None, a) if d.once("vsock") else "",
    lambda d, a: s.video("virtio", a) if d.once("video") else "",
    lambda d, a: s.crypto(a),
    lambda d, a: el("sound", {"model": "virtio"}, a),
)


def some_virtio(d: Draft, addresses: Callable[[], str]) -> None:
    """Add a few virtio devices, each with an address of these."""
    for builder in d.rng.sample(VIRTIO, d.rng.randint(1, 5)):
        xml = builder(d, addresses())
        if xml:
            d.add(xml)


@other("4.5/virtio-mmio")
def virtio_mmio(d: Draft) -> None:
    some_virtio(d, lambda: d.rng.choice(("<address type='virtio-mmio'/>", "", "", d.some_address())))


@other("4.4/ccw", on="s390 s390 express pseries")
def ccw(d: Draft) -> None:
    def place() -> str:
        number = f"0x{d.count('ccw'):04x}"
        return el("address", {"type": "ccw", "cssid": "0xfe", "ssid": "0x0", "devno": number})

    some_virtio(d, lambda: place() if d.chance(0.4) else d.rng.choice(("", d.some_address())))


@other("4.4/virtio-here-and-there", on=WITH_PCI)
def virtio_anywhere(d: Draft) -> None:
    some_virtio(d, d.some_address)


@other("9/spapr-vio", on="pseries conventional express")
def spapr_vio(d: Draft) -> None:
    register = el("address", {"type": "spapr-vio", "reg": f"0x{0x1000 * d.rng.randint(1, 5):x}"})
    rows = [
        s.interface("spapr-vlan", d.rng.choice(("", register, d.some_address()))),
        s.controller("scsi", d.count("controller scsi"), "ibmvscsi", d.rng.choice(("", register, d.some_address()))),
        s.controller("scsi", d.count("controller scsi"), None, d.rng.choice(("", register))),
        s.interface("virtio", register),
        el("nvram", {}, register),
        s.serial("spapr-vio-serial") if d.once("serial") else "",
        el("panic", {"model": "pseries"}) if d.once("panic") else "",
        s.disk(d.target("sd"), "scsi"),
    ]
    d.add(*d.rng.sample([row for row in rows if row], d.rng.randint(1, 3)))


# ------------------------------------------------------------------ zPCI


def zpci(d: Draft, inside: str = "") -> str:
    """Return a PCI address with numbers of s390, of which a few are bad."""
    number = d.count("zpci")
    uid = d.rng.choice((None, f"0x{0x10 + number:04x}", str(1 + number), "0x3"))
    fid = d.rng.choice((None, f"0x{0x10 + number:08x}", str(number), "5"))
    if d.chance(0.03):
        uid = d.rng.choice(("0", "0xffff", "0x10000", "-1", "x"))
    if d.chance(0.03):
        fid = d.rng.choice(("0", "0xffffffff", "0x100000000", "x"))
    child = el("zpci", {"uid": uid, "fid": fid})
    return (inside or ANY_ADDRESS).replace("/>", f">{child}</address>")


NUMBERED: tuple[Callable[[Draft, str], str], ...] = (
    *VIRTIO[:6],
    lambda d, a: s.hostdev_pci(d.count("hostdev"), a),
    lambda d, a: s.hostdev_interface(d.count("hostdev"), a),
    lambda d, a: s.controller("usb", d.count("usb"), "qemu-xhci", a),
    lambda d, a: d.pci("pci-bridge", d.next_index(), a),
    lambda d, a: s.serial("pci-serial", a) if d.once("serial") else "",
    lambda d, a: s.watchdog("i6300esb", a) if d.once("watchdog") else "",
    lambda d, a: s.shmem(d.count("shmem"), a),
)


@other("1.4/zpci", on="s390")
def zpci_numbers(d: Draft) -> None:
    for _ in range(d.rng.randint(1, 5)):
        place = d.free() if d.chance(0.3) else None
        by_hand = d.at(*place) if place else ANY_ADDRESS
        if "<zpci" not in by_hand and d.chance(0.6):
            by_hand = zpci(d, by_hand)
        xml = d.rng.choice(NUMBERED)(d, by_hand)
        if xml:
            d.add(xml)


@other("1.4/zpci-is-of-s390", on="express pseries conventional")
def zpci_elsewhere(d: Draft) -> None:
    place = d.free()
    d.add(s.interface("virtio", zpci(d, d.at(*place) if place else "")))


@other("1.4/zpci-and-growth", on="s390", alone=True)
def zpci_growth(d: Draft) -> None:
    d.add(el("memballoon", {"model": "none"}))
    for _ in range(d.rng.choice((d.rng.randint(1, 100), *range(28, 33), 60, 61, 62))):
        d.add(s.interface("virtio", zpci(d) if d.chance(0.02) else ANY_ADDRESS))


# ------------------------------------------------------------------ host bridges


def host_bridge(d: Draft, index: int | None, inner: str = "") -> str:
    """Return a host bridge; 0 is the root bus."""
    if index == 0:
        d.taken_once.add("root")
    return d.pci("pci-root", index, inner)


def bridge_target(d: Draft) -> str:
    """Return a random <target> of a host bridge, or none."""
    node = d.rng.choice((None, None, None, 0, 1, 2))
    number = d.rng.choice((None, None, None, *range(1, 6), d.rng.randint(0, 31)))
    name = el("model", {"name": "spapr-pci-host-bridge"}) if d.chance(0.2) else ""
    if node is not None and d.chance(0.9):
        d.numa()
    inside = "" if node is None else el("node", {}, str(node))
    return name + (el("target", {"index": number}, inside) if number is not None or inside else "")


@other("6.2/host-bridges", on="pseries")
def host_bridges(d: Draft) -> None:
    if d.chance(0.1) and d.once("root"):
        d.add(host_bridge(d, 0, bridge_target(d) if d.chance(0.4) else ""))
    indexes = [d.next_index(d.rng.choice((0, 0, 0, 1, 3))) for _ in range(d.rng.randint(1, 5))]
    if d.chance(0.3):
        d.rng.shuffle(indexes)
    d.add(*[host_bridge(d, index, bridge_target(d)) for index in indexes])


@other("5.2/host-bridges-without-index", on="pseries")
def unindexed_host_bridges(d: Draft) -> None:
    d.add(*[host_bridge(d, None, bridge_target(d) if d.chance(0.3) else "") for _ in range(d.rng.randint(1, 4))])


@other("6.6/host-bridges-to-come", on="pseries")
def host_bridges_to_come(d: Draft) -> None:
    for _ in range(d.rng.randint(1, 3)):
        bus = d.next_index(d.rng.choice((0, 0, 1, 2, 28)))
        d.add(s.interface(d.rng.choice(("virtio", "e1000", "e1000e")), d.at(bus, d.rng.randint(1, 31))))


@other("6.6/host-bridges-grow", on="pseries", alone=True)
def many_on_pseries(d: Draft) -> None:
    number = d.rng.choice((d.rng.randint(25, 130), *range(27, 34), 59, 60, 61, 62, 63, *range(90, 95), 950, 965))
    d.add(*[s.disk(d.target("vd"), "virtio") for _ in range(number)])


@other("7/host-bridges-run-out", on="pseries", alone=True)
def many_host_bridges(d: Draft) -> None:
    d.add(host_bridge(d, d.rng.randint(29, 33), bridge_target(d)))


@other("2/pci-bridge-on-host-bridge", on="pseries")
def bridge_on_host_bridge(d: Draft) -> None:
    host, bridge = d.next_index(), d.next_index()
    d.add(host_bridge(d, host), d.pci("pci-bridge", bridge, d.at(host, 3) if d.chance(0.5) else ""))
    d.add(*[s.interface("e1000", d.some_address()) for _ in range(d.rng.randint(0, 3))])


@other("3.4/host-devices", on=WITH_PCI)
def host_devices(d: Draft) -> None:
    d.add(*[s.hostdev_pci(d.count("hostdev"), d.some_address()) for _ in range(d.rng.randint(1, 3))])
    if d.chance(0.4):
        d.add(s.hostdev_interface(d.count("hostdev"), d.some_address()))


# ------------------------------------------------------------------ many devices, and what is of one machine


@other("12/many-disks", on="conventional express", alone=True)
def many_disks(d: Draft) -> None:
    number = d.rng.choice((d.rng.randint(5, 130), *range(27, 34), 59, 60, 61, 62, 89, 90, 91, 92))
    d.add(*[s.disk(d.target("vd"), "virtio") for _ in range(number)])


@other("3.1/virtio-iommu-and-firmware", on="express")
def iommu(d: Draft) -> object:
    if not d.once("iommu"):
        return False
    d.head["features"] = el("features", {}, el("acpi"))
    d.boot = [UEFI]
    d.add(el("iommu", {"model": d.rng.choice(("virtio", "virtio", "smmuv3", "intel"))}, d.some_address()))
    return True


@other("3.1/pvpanic", on="express conventional pseries")
def pvpanic(d: Draft) -> object:
    if not d.once("panic"):
        return False
    d.add(el("panic", {"model": d.rng.choice((None, "pvpanic"))}, d.some_address()))
    return True


@other("8.1/roots", on=EVERYONE)
def wrong_roots(d: Draft) -> object:
    if d.unindexed or not d.once("root"):
        return False
    model = d.rng.choice(("pci-root", "pcie-root"))
    d.add(s.controller("pci", d.rng.choice((0, 0, None, 1)), model, d.rng.choice(("", "", "<target index='0'/>"))))
    return True


@other("8.1/controllers-of-other-machines", on=EVERYONE)
def strange_controllers(d: Draft) -> None:
    models = ("pci-bridge", "pcie-root-port", "pcie-to-pci-bridge", "dmi-to-pci-bridge", "pci-expander-bus")
    model = d.rng.choice((*models, "pcie-expander-bus", "pcie-switch-upstream-port", "pci-root", "pcie-root"))
    d.add(s.controller("pci", d.next_index(), model, d.some_address() if d.buses else ""))
