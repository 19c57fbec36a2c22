"""Whole guests as people and programs write them: the dress around which the rest is put."""

from __future__ import annotations

from collections.abc import Callable

from tests.oracle import snippets as s
from tests.oracle.draft import Draft, clause
from tests.oracle.snippets import el

AGENT = el(
    "channel",
    {"type": "unix"},
    el("source", {"mode": "bind"}),
    el("target", {"type": "virtio", "name": "org.qemu.guest_agent.0"}),
)
SPICE_CHANNEL = el("channel", {"type": "spicevmc"}, el("target", {"type": "virtio", "name": "com.redhat.spice.0"}))
SERIAL_AND_CONSOLE = (
    el("serial", {"type": "pty"}, el("target", {"port": 0})),
    el("console", {"type": "pty"}, el("target", {"type": "serial", "port": 0})),
)
EMULATOR = el("emulator", {}, "/usr/bin/qemu-system-x86_64")
FEATURES = el(
    "features",
    {},
    el("acpi"),
    el("apic"),
    el("hyperv", {}, el("relaxed", {"state": "on"}), el("vapic", {"state": "on"})),
)
LIBOSINFO = el(
    "metadata",
    {},
    el(
        "libosinfo:libosinfo",
        {"xmlns:libosinfo": "http://libosinfo.org/xmlns/libvirt/domain/1.0"},
        el("libosinfo:os", {"id": "http://debian.org/debian/12"}),
    ),
)
NOVA = el(
    "metadata",
    {},
    el(
        "nova:instance",
        {"xmlns:nova": "http://openstack.org/xmlns/libvirt/nova/1.1"},
        el("nova:name", {}, "web-1 &amp; friends"),
    ),
)
STATS = el("stats", {"period": 10})
BOOT = el("boot", {"order": 1})


def redirections() -> list[str]:
    return [el("redirdev", {"bus": "usb", "type": "spicevmc"})] * 2


def own_usb(d: Draft) -> bool:
    """Return whether this guest may still have USB, and claim index 0."""
    if "no usb" in d.taken_once or not d.once("usb 0"):
        return False
    d.taken_once.add("usb in use")
    return True


def ports(d: Draft, number: int) -> None:
    """List root ports as managers do, none with an index."""
    d.parts += [d.pci("pcie-root-port") for _ in range(number)]


@clause("style/virt-manager")
def virt_manager(d: Draft) -> object:
    if not d.once("video") or not d.once("balloon") or not own_usb(d):
        return False
    d.head["metadata"] = LIBOSINFO
    d.parts += [EMULATOR, s.disk(d.target("vd"), "virtio", extra=el("driver", {"name": "qemu", "type": "qcow2"}))]
    d.add(s.controller("usb", None, "qemu-xhci"))
    if d.family == "q35":
        d.add(s.disk(d.target("sd"), "sata", device="cdrom"))
        ports(d, 14)
    d.parts += [s.interface("virtio"), *SERIAL_AND_CONSOLE, AGENT, SPICE_CHANNEL, s.input_device("tablet", "usb")]
    d.parts += [el("graphics", {"type": "spice", "autoport": "yes"}), el("sound", {"model": "ich9"})]
    d.parts += [
        s.video(d.rng.choice(("qxl", "virtio"))),
        *redirections(),
        el("memballoon", {"model": "virtio"}),
        s.rng(),
    ]
    return True


@clause("style/virt-install-ich9")
def virt_install(d: Draft) -> object:
    if not d.once("video") or not own_usb(d):
        return False
    d.keep_order = True
    d.parts += [EMULATOR, s.disk(d.target("vd"), "virtio", BOOT)]
    d.add(*[s.ich9(None, function) for function in (7, 0, 1, 2)])
    d.parts += [s.interface("virtio"), *SERIAL_AND_CONSOLE, AGENT, s.input_device("tablet", "usb")]
    d.parts += [el("graphics", {"type": "vnc", "port": -1}), s.video("cirrus"), s.rng()]
    return True


@clause("style/windows")
def windows(d: Draft) -> object:
    if not d.once("video") or not d.once("tpm") or not own_usb(d):
        return False
    d.head["features"] = FEATURES
    bus, prefix = ("sata", "sd") if d.family == "q35" else ("ide", "hd")
    if bus == "ide" and not d.once("no ide"):
        return False
    d.parts += [s.disk(d.target(prefix), bus), s.disk(d.target(prefix), bus, device="cdrom")]
    d.add(*[s.ich9(0, function) for function in (7, 0, 1, 2)])
    tpm = el("backend", {"type": "passthrough"}, el("device", {"path": "/dev/tpm0"}))
    d.parts += [s.interface("e1000e" if d.family == "q35" else "e1000"), el("tpm", {"model": "tpm-tis"}, tpm)]
    d.parts += [el("graphics", {"type": "spice", "autoport": "yes"}), el("sound", {"model": "ich9"}), s.video("qxl")]
    d.parts += [SPICE_CHANNEL, *redirections()]
    return True


@clause("style/nova")
def nova(d: Draft) -> object:
    if not d.once("video") or not d.once("balloon") or not d.once("watchdog") or not own_usb(d):
        return False
    d.head["metadata"] = NOVA
    d.parts += [s.disk(d.target("vd"), "virtio") for _ in range(d.rng.randint(1, 3))]
    driver = el("driver", {"name": "vhost", "rx_queue_size": 512})
    d.parts += [s.interface("virtio", "", driver) for _ in range(d.rng.randint(1, 3))]
    d.parts += [el("serial", {"type": "pty"}), el("graphics", {"type": "vnc", "autoport": "yes"}), s.video("virtio")]
    if d.family == "q35":
        ports(d, d.rng.choice((8, 16, 28)))
        d.parts.append(s.controller("usb", 0))
    d.parts += [el("memballoon", {"model": "virtio"}, STATS), s.watchdog("i6300esb"), s.rng()]
    if d.chance(0.5):
        d.add(s.hostdev_interface(d.count("hostdev")), s.hostdev_pci(d.count("hostdev")))
    return True


@clause("style/proxmox", on="pc")
def proxmox(d: Draft) -> object:
    if d.top_index or not d.once("balloon"):
        return False
    d.parts += [d.pci("pci-bridge", 1, d.at(0, 0x1E)), d.pci("pci-bridge", 2, d.at(0, 0x1F))]
    d.parts += [el("memballoon", {"model": "virtio"}, d.at(0, 3)), s.rng("virtio", d.at(1, 0x1D))]
    for slot in range(0x0A, 0x0A + d.rng.randint(1, 4)):
        d.add(s.disk(d.target("vd"), "virtio", d.at(0, slot) if d.chance(0.8) else ""))
    for slot in range(0x12, 0x12 + d.rng.randint(1, 3)):
        d.add(s.interface("virtio", d.at(d.rng.choice((0, 1)), slot)))
    return True


@clause("style/kubevirt", on="q35")
def kubevirt(d: Draft) -> object:
    if "usb in use" in d.taken_once or not d.once("no usb") or not d.once("balloon") or not d.once("video"):
        return False
    model = "virtio-non-transitional"
    d.add(s.controller("usb", 0, "none"))
    d.parts += [s.controller("scsi", d.count("controller scsi"), model)]
    d.parts += [s.controller("virtio-serial", d.count("controller virtio-serial"), model)]
    d.parts += [el("memballoon", {"model": model}, STATS), s.video("vga"), el("graphics", {"type": "vnc"})]
    alias = el("alias", {"name": "ua-disk"})
    d.parts += [s.disk(d.target("vd"), "virtio", alias, model=model), s.disk(d.target("vd"), "virtio", model=model)]
    d.parts += [s.interface(model, el("rom", {"enabled": "no"})), AGENT, s.rng(model)]
    if d.chance(0.4):
        ports(d, d.rng.choice((4, 8)))
    d.head["iothreads"] = el("iothreads", {}, "1")
    d.tail.append(el("qemu:commandline", {}, el("qemu:arg", {"value": "-no-hpet"})))
    return True


@clause("style/vagrant")
def vagrant(d: Draft) -> object:
    if not d.once("video"):
        return False
    d.head["title"] = el("title", {}, "project_default")
    alias = el("alias", {"name": "ua-box-volume-0"})
    d.parts += [s.disk(d.target("vd"), "virtio", alias), s.interface("virtio"), s.interface("virtio")]
    d.parts += [*SERIAL_AND_CONSOLE, s.input_device("mouse", "ps2"), s.video("cirrus")]
    d.parts += [el("graphics", {"type": "vnc", "port": -1, "autoport": "yes", "keymap": "en-us"})]
    return True


@clause("style/gpu-passthrough", on="q35")
def gpu(d: Draft) -> object:
    if not d.once("video"):
        return False
    port = d.next_index()
    d.add(
        s.hostdev_pci(d.count("hostdev"), d.at(port, 0, 0, "on")), s.hostdev_pci(d.count("hostdev"), d.at(port, 0, 1))
    )
    d.parts += [s.video("none"), s.input_device("mouse", "virtio"), s.shmem(d.count("shmem"))]
    return True


@clause("style/dumped-then-edited-q35", on="q35")
def edited_q35(d: Draft) -> object:
    """A layout as libvirt dumps it, some devices gone, some addresses gone."""
    if d.top_index or d.unindexed or "usb in use" in d.taken_once or not d.once("usb 0") or not d.once("balloon"):
        return False
    number = d.rng.randint(4, 14)
    for index in range(1, number + 1):
        slot, function = 2 + (index - 1) // 8, (index - 1) % 8
        flag = "on" if function == 0 else None
        inner = el("target", {"chassis": index, "port": f"0x{8 * slot + function:x}"}) + d.at(0, slot, function, flag)
        if d.chance(0.9):
            d.parts.append(d.pci("pcie-root-port", index, el("model", {"name": "pcie-root-port"}) + inner))
    d.top_index = number
    plugs: list[Callable[[str], str]] = [
        lambda a: s.interface("virtio", a),
        lambda a: s.controller("usb", 0, "qemu-xhci", a),
    ]
    plugs += [lambda a: s.disk(d.target("vd"), "virtio", a)] * (number - 3)
    plugs += [lambda a: el("memballoon", {"model": "virtio"}, a)]
    for index, plug in enumerate(plugs, 1):
        gone, bare = d.chance(0.15), d.chance(0.15)
        address = "" if bare else d.at(index, 0)
        if not gone:
            d.parts.append(plug(address))
    return True


@clause("style/dumped-then-edited-pc", on="pc")
def edited_pc(d: Draft) -> object:
    if not d.once("balloon"):
        return False
    plugs: list[Callable[[str], str]] = [lambda a: s.interface("virtio", a), lambda a: s.interface("e1000", a)]
    plugs += [lambda a: s.disk(d.target("vd"), "virtio", a)] * d.rng.randint(2, 12)
    plugs += [lambda a: el("memballoon", {"model": "virtio"}, a)]
    for slot, plug in enumerate(plugs, 3):
        if any((0, slot, function) in d.used for function in range(8)):
            continue
        address = "" if d.chance(0.2) else d.at(0, slot)
        if d.chance(0.85):
            d.parts.append(plug(address))
    return True
