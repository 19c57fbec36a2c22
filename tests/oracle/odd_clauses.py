"""The clauses about what stands twice in a document, and about devices and addresses that do not belong on PCI."""

from __future__ import annotations

from tests.oracle import snippets as s
from tests.oracle.draft import Draft, clause
from tests.oracle.snippets import el


def on_usb(d: Draft) -> bool:
    """Tell whether there may be a device on USB, and note that there is one."""
    if "no usb" in d.taken_once:
        return False
    d.taken_once.add("usb in use")
    return True


# ------------------------------------------------------------------ 0 what stands twice


@clause("0.2/devices-twice")
def devices_twice(d: Draft) -> object:
    d.add(s.interface("virtio", d.some_address()))
    d.add(s.rng("virtio", d.some_address()))
    return d.once("halves")


@clause("0.2/os-twice")
def os_twice(d: Draft) -> object:
    if not d.once("second os"):
        return False
    d.tail.append(el("os", {}, el("type", {"arch": d.arch, "machine": d.machine}, "hvm")))
    return True


@clause("0.2/features-twice")
def features_twice(d: Draft) -> object:
    if "features" in d.head or not d.once("second features"):
        return False
    acpi, pae = el("features", {}, el("acpi"), el("apic")), el("features", {}, el("pae"))
    d.head["features"] = d.rng.choice((acpi + pae, pae + acpi))
    return True


@clause("0.2/model-of-an-interface-twice")
def interface_model_twice(d: Draft) -> None:
    models = [el("model"), *(el("model", {"type": name}) for name in d.rng.sample(("e1000", "virtio", "rtl8139"), 2))]
    d.rng.shuffle(models)
    d.add(el("interface", {"type": "user"}, *models, d.some_address()))


@clause("11/model-of-a-video-device-twice")
def video_model_twice(d: Draft) -> object:
    if not d.once("video"):
        return False
    models = [el("model"), el("model", {"type": "virtio"}), el("model", {"type": "qxl", "primary": "yes"})]
    d.rng.shuffle(models)
    d.add(s.video("virtio"), el("video", {}, *models[: d.rng.randint(1, 3)], el("model", {"type": "qxl"})))
    return True


@clause("0.2/acpi-of-a-device-twice")
def acpi_twice(d: Draft) -> None:
    d.add(el("sound", {"model": "sb16"}, el("acpi"), el("acpi", {"index": 3})))


# ------------------------------------------------------------------ 1 addresses of other kinds


@clause("1.2/dimm-on-pci")
def dimm_on_pci(d: Draft) -> object:
    place = d.free("pci-root", "pcie-root")
    if place is None:
        return False
    d.memory_devices()
    address = d.rng.choice((d.at(*place), el("address", {"type": "pci"}), el("address", {"type": "unassigned"})))
    d.add(s.memory("dimm", address))
    return True


@clause("1.2/dimm-on-a-bus-to-come", alone=True)
def dimm_on_a_bus_to_come(d: Draft) -> None:
    d.memory_devices()
    bus, slot = d.rng.randint(1, 3), d.rng.randint(1, 9)
    d.add(s.memory("dimm", el("address", {"type": "pci", "bus": bus, "slot": slot})), s.rng(), s.interface("virtio"))


@clause("1.2/address-that-is-not-read")
def address_not_read(d: Draft) -> object:
    address = d.rng.choice(
        (el("address"), el("address", {"type": "pci", "slot": "0x20"}), el("address", {"type": "nonsense"}))
    )
    if d.chance(0.5) and "usb in use" not in d.taken_once and d.once("no usb"):
        d.add(s.controller("usb", 0, "none", el("master") + address))
        return True
    if not d.once("balloon"):
        return False
    d.add(el("memballoon", {"model": "none"}, address, el("acpi", {"index": "x"})))
    return True


@clause("1.2/address-that-is-not-kept")
def address_not_kept(d: Draft) -> object:
    address = el("address", {"type": d.rng.choice(("unassigned", "ccw", "usb", "pci"))})
    if d.chance(0.5):
        d.add(s.controller("scsi", d.count("controller scsi"), "ibmvscsi", address))
        return True
    if not d.once("video"):
        return False
    d.add(s.video("none", address))
    return True


@clause("1.5/acpi-index-without-an-address")
def acpi_index_without_address(d: Draft) -> None:
    acpi = el("acpi", {"index": 20 + d.count("acpi index")})
    d.add(
        d.rng.choice(
            (
                el("sound", {"model": d.rng.choice(("sb16", "pcspk"))}, acpi),
                el("input", {"type": "mouse", "bus": "ps2"}, acpi),
                el("parallel", {"type": "pty"}, acpi),
                el("console", {"type": "pty"}, el("target", {"type": "virtio"}), acpi),
            )
        )
    )


# ------------------------------------------------------------------ 3 to 5 devices and controllers


@clause("3.2/usb-interface-of-the-host")
def usb_interface(d: Draft) -> object:
    if not on_usb(d):
        return False
    number = 1 + d.count("usb interface")
    source = d.rng.choice(
        (
            el("address", {"type": "usb", "bus": 9, "device": number}),
            el("vendor", {"id": "0x1234"}) + el("product", {"id": hex(number)}),
        )
    )
    model = d.rng.choice(("", el("model", {"type": "virtio"}), el("model", {"type": "e1000"})))
    d.add(el("interface", {"type": "hostdev"}, el("source", {}, source), model), s.interface("virtio"))
    return True


@clause("4.3/fixed-place-of-another-type")
def fixed_place(d: Draft) -> object:
    address = el("address", {"type": d.rng.choice(("unassigned", "ccw", "usb", "isa"))})
    if d.express:
        if not d.once("sata 0"):
            return False
        d.add(s.controller("sata", 0, None, address))
    else:
        if "no usb" in d.taken_once or not d.once("usb 0"):
            return False
        d.taken_once.add("usb in use")
        d.add(s.controller("usb", 0, "piix3-uhci", address))
    return True


@clause("5.4/word-default")
def word_default(d: Draft) -> object:
    kind = d.rng.choice(("video", "vsock", "disk", "serial"))
    if kind in ("video", "vsock") and not d.once(kind):
        return False
    target = el("target", {"dev": d.target("vd"), "bus": "virtio"})
    d.add(
        {
            "video": s.video("default", d.some_address()),
            "vsock": s.vsock("default"),
            "serial": s.serial("none"),
            "disk": el("disk", {"type": "file", "model": "default"}, el("source", {"file": "/srv/x.img"}), target),
        }[kind]
    )
    return True


@clause("5.5/port-of-a-controller")
def port_of_a_controller(d: Draft) -> None:
    index = 40 + 2 * d.count("asked for a port")
    ports = [s.controller("virtio-serial", n, None, "") for n in (index, index + 1)]
    address = el("address", {"type": "virtio-serial", "controller": index + 1, "port": d.rng.choice((None, 0))})
    d.add(*ports, s.channel(d.count("channel"), address), s.channel(d.count("channel")))


@clause("5.5/full-controller")
def full_controller(d: Draft) -> None:
    """A controller with ports 1 and 2, and up to three channels that ask for one of them."""
    index = 60 + d.count("full controller")
    address = el("address", {"type": "virtio-serial", "controller": index})
    few = el("controller", {"type": "virtio-serial", "index": index, "ports": 3})
    d.add(few, *[s.channel(d.count("channel"), address) for _ in range(d.rng.randint(1, 3))])


@clause("8.3/usb-none-beside-another")
def usb_none_beside_another(d: Draft) -> object:
    if "no usb" in d.taken_once or not d.once("usb 0") or not d.once("other usb") or not d.once("no usb"):
        return False
    d.add(s.controller("usb", d.rng.randint(1, 3), "none"))
    d.add(d.rng.choice(("", el("sound", {"model": "usb"}), s.input_device("tablet", "usb"))))
    return True
