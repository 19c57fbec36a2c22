"""The clauses about what libvirt accepts or refuses from the document alone: what is there twice, or needs another.

Each draws from so few values that about half of the guests are refused. None comes beside others.
"""

from __future__ import annotations

from tests.oracle import snippets as s
from tests.oracle.draft import Draft, clause
from tests.oracle.snippets import el

OTHER_TYPES = ("unassigned", "ccw", "usb", "isa", "drive", "ccid", "virtio-serial", "spapr-vio", "dimm", "pci")


def foreign(d: Draft) -> str:
    """Return an address that may be of another type than a device has."""
    kind = d.rng.choice(OTHER_TYPES)
    parts = {"drive": {"controller": 0, "bus": 0, "target": 0, "unit": 3}, "ccid": {"controller": 0, "slot": 0}}
    return el("address", {"type": kind, **parts.get(kind, {})})


def maybe(d: Draft, *texts: str) -> str:
    """Return one of the texts, or none."""
    return d.rng.choice(("", *texts))


# ------------------------------------------------------------------ what is there twice


def host_device(d: Draft, inner: str = "") -> str:
    """Return a device of the host, which another may be too."""
    number = d.rng.randint(1, 3)
    kind = d.rng.choice(("pci", "pci", "usb", "usb product", "scsi", "iscsi", "mdev", "vhost", "interface"))
    if kind in ("pci", "interface"):
        place = {"domain": d.rng.choice(("0", "0x0000", None)), "bus": 9, "slot": number, "function": 0}
        if kind == "interface":
            address = el("address", {"type": "pci", **place})
            return el("interface", {"type": "hostdev"}, el("source", {}, address), inner)
        return el("hostdev", {"mode": "subsystem", "type": "pci"}, el("source", {}, el("address", place)), inner)
    if kind == "scsi":
        return s.hostdev_scsi(number, inner)
    if kind == "mdev":
        return s.hostdev_mdev(number, inner)
    if kind == "vhost":
        return s.hostdev_vhost_scsi(number, None, inner)
    if kind == "iscsi":
        host = el("host", {"name": "h", "port": "3260"})
        source = el("source", {"protocol": "iscsi", "name": f"iqn.a:b/{number}"}, host)
        return el("hostdev", {"mode": "subsystem", "type": "scsi"}, source, inner)
    product = el("vendor", {"id": "0x1234"}) + el("product", {"id": hex(number)})
    address = el("address", {"bus": d.rng.choice((0, 1, 1)), "device": number})
    source = {"usb": address, "usb product": product + maybe(d, address)}[kind]
    return el("hostdev", {"mode": "subsystem", "type": "usb"}, el("source", {}, source), inner)


@clause("8.5/devices-of-the-host", alone=True)
def devices_of_the_host(d: Draft) -> None:
    d.add(*[host_device(d) for _ in range(d.rng.randint(2, 4))])


@clause("8.3/aliases", alone=True)
def aliases(d: Draft) -> None:
    def alias() -> str:
        return el("alias", {"name": d.rng.choice(("ua-a", "ua-b", "ua-c", "ua-d", "net0", "ua-x y"))})

    builders = (
        lambda: s.interface("virtio", alias()),
        lambda: s.disk(d.target("vd"), "virtio", alias()),
        lambda: s.controller("scsi", d.count("scsi"), "virtio-scsi", alias()),
        lambda: s.controller("pci", 1 + d.count("pci"), "pcie-root-port" if d.express else "pci-bridge", alias()),
        lambda: el("serial", {"type": "pty"}, alias()),
        lambda: el("console", {"type": "pty"}, alias()),
        lambda: el("sound", {"model": "ich6"}, alias(), alias()),
    )
    d.add(*[d.rng.choice(builders)() for _ in range(d.rng.randint(2, 4))])


@clause("8.1/boot-orders", alone=True)
def boot_orders(d: Draft) -> None:
    def boot() -> str:
        return el("boot", {"order": d.rng.choice((1, 2, 3, 4, 5, 5, 0x7F, 0))}) if d.chance(0.8) else ""

    shared = d.rng.choice(("virtiofs", "path"))
    d.shared_memory()
    builders = (
        lambda: s.interface("virtio", boot()),
        lambda: s.disk(d.target("vd"), "virtio", boot()),
        lambda: s.filesystem(d.count("fs"), shared, None, boot()),
        lambda: host_device(d, boot()),
    )
    d.add(*[d.rng.choice(builders)() for _ in range(d.rng.randint(1, 3))])
    if d.chance(0.2):
        d.boot.append(el("boot", {"dev": d.rng.choice(("hd", "cdrom", "network"))}))


@clause("8.6/drives", alone=True)
def drives(d: Draft) -> None:
    bus = d.rng.choice(("scsi", "scsi", "sata", "ide", "fdc"))
    prefix = {"ide": "hd", "fdc": "fd"}.get(bus, "sd")
    if bus == "scsi" and d.chance(0.5):
        model = d.rng.choice(("lsilogic", "virtio-scsi", "buslogic", "lsisas1068"))
        d.add(s.controller("scsi", 0, model))

    def place() -> str:
        if d.chance(0.3):
            return ""
        few = {name: d.rng.choice((0, 0, 0, 0, 0, 0, 1)) for name in ("controller", "bus", "target")}
        return el("address", {"type": "drive", **few, "unit": d.rng.randint(0, 3)})

    device = "floppy" if bus == "fdc" else "disk"
    disks = [s.disk(d.target(prefix), bus, place(), device=device) for _ in range(d.rng.randint(1, 3))]
    hostdevs = [s.hostdev_scsi(n, place()) for n in range(d.rng.randint(0, 2))] if bus == "scsi" else []
    d.add(*disks, *hostdevs)


@clause("8.1/targets", alone=True)
def targets(d: Draft) -> None:
    names = [f"{d.rng.choice(('vd', 'sd', 'xvd'))}{d.rng.choice('abc')}" for _ in range(d.rng.randint(2, 3))]
    d.add(*[s.disk(name, d.rng.choice(("virtio", "scsi", "usb"))) for name in names])


@clause("8.3/videos", alone=True)
def videos(d: Draft) -> None:
    models = ("qxl", "virtio", "vga", "cirrus", "bochs", "ramfb", "none", "vmvga", "vbox", "xen", "parallels", "gop")
    d.add(
        *[
            s.video(d.rng.choice(models), maybe(d, foreign(d)) if d.chance(0.2) else "", primary=d.chance(0.4))
            for _ in range(d.rng.randint(1, 3))
        ]
    )


@clause("8.1/tpms", alone=True)
def tpms(d: Draft) -> None:
    backend = el("backend", {"type": "emulator", "version": "2.0"})
    for _ in range(d.rng.randint(1, 3)):
        model = d.rng.choice(("tpm-tis", "tpm-crb", None))
        d.add(el("tpm", {"model": model}, *[backend] * d.rng.choice((1, 1, 1, 1, 1, 0, 2))))


@clause("8.1/ports-of-serial-devices", alone=True)
def serial_ports(d: Draft) -> None:
    for _ in range(d.rng.randint(1, 5)):
        kind = d.rng.choice(("isa-serial", "isa-serial", None, "pci-serial"))
        d.add(
            el("serial", {"type": "pty"}, el("target", {"type": kind, "port": d.rng.choice((None, None, 0, 1, 2, 4))}))
        )


# ------------------------------------------------------------------ what needs another


@clause("8.4/shared-memory", alone=True)
def shared_memory(d: Draft) -> None:
    modes = ("shared", "private")
    if d.chance(0.6):
        d.head["memoryBacking"] = el("memoryBacking", {}, el("access", {"mode": d.rng.choice(modes)}))
    if d.chance(0.5):
        cells = [
            el("cell", {"id": n, "cpus": n, "memory": 256, "unit": "MiB", "memAccess": d.rng.choice((None, *modes))})
            for n in range(2)
        ]
        d.head["vcpu"] = el("vcpu", {}, "2")
        d.head["cpu"] = el("cpu", {}, el("numa", {}, *cells))
    socket = el("source", {"type": "unix", "path": "/run/v", "mode": "client"})
    model = el("model", {"type": "virtio"})
    disk = el("source", {"type": "unix", "path": "/run/d"}) + el("target", {"dev": "vdx", "bus": "virtio"})
    driver = el("driver", {"name": "qemu", "type": "raw"})
    d.add(
        d.rng.choice(
            (
                s.filesystem(1, "virtiofs"),
                el("interface", {"type": "vhostuser"}, socket, model),
                el("disk", {"type": "vhostuser", "device": "disk"}, driver, disk),
            )
        )
    )


@clause("8.4/threads", alone=True)
def threads(d: Draft) -> None:
    if d.chance(0.5):
        d.head["iothreads"] = el("iothreads", {}, str(d.rng.randint(0, 3)))
    if d.chance(0.5):
        ids = [el("iothread", {"id": n}) for n in d.rng.sample(range(1, 6), d.rng.randint(1, 2))]
        d.head["iothreadids"] = el("iothreadids", {}, *ids)
    driver = el("driver", {"name": "qemu", "iothread": d.rng.randint(1, 5)})
    bus = d.rng.choice(("virtio", "virtio", "virtio", "sata"))
    model = d.rng.choice(("virtio-scsi", "virtio-scsi", "lsilogic"))
    d.add(
        d.rng.choice(
            (
                s.disk(d.target("vd"), bus, extra=driver),
                s.controller("scsi", 0, model, el("driver", {"iothread": d.rng.randint(0, 4)})),
            )
        )
    )


@clause("8.4/memory-devices", alone=True)
def memory_devices(d: Draft) -> None:
    if d.chance(0.7):
        d.numa()
    if d.chance(0.8):
        d.head["maxMemory"] = el("maxMemory", {"slots": d.rng.choice((1, 2, 8, 8)), "unit": "GiB"}, "8")
    for _ in range(d.rng.randint(0, 2)):
        node = maybe(d, el("node", {}, "0"), el("node", {}, "1"), el("node", {}, "2"))
        target = el("target", {}, el("size", {"unit": "MiB"}, "128"), node)
        slot = el("address", {"type": "dimm", "slot": d.rng.randint(0, 2)}) if d.chance(0.4) else ""
        d.add(el("memory", {"model": "dimm"}, target, slot))


@clause("8.3/luns", alone=True)
def luns(d: Draft) -> None:
    source, kind = d.rng.choice(
        (
            (el("source", {"dev": "/dev/sdx"}), "block"),
            ("", "block"),
            (el("source", {"file": "/srv/a"}), "file"),
            (el("source", {"pool": "p", "volume": "v"}), "volume"),
            *((network(name), "network") for name in ("iscsi", "nbd")),
        )
    )
    driver = el("driver", {"name": "qemu", "type": d.rng.choice(("raw", "raw", "qcow2", None))})
    bus = d.rng.choice(("scsi", "scsi", "sata", "usb"))
    address = foreign(d) if d.chance(0.1) else ""
    d.add(
        el("disk", {"type": kind, "device": "lun"}, driver, source, el("target", {"dev": "sdx", "bus": bus}), address)
    )


def network(protocol: str) -> str:
    """Return a source of the network."""
    return el("source", {"protocol": protocol, "name": "a/1"}, el("host", {"name": "h", "port": 3260}))


@clause("8.3/filesystems", alone=True)
def filesystems(d: Draft) -> None:
    kind, source = d.rng.choice(
        (
            ("mount", el("source", {"dir": "/srv"})),
            ("mount", ""),
            ("block", el("source", {"dev": "/dev/sdx"})),
            ("file", el("source", {"file": "/srv/a"})),
            ("template", el("source", {"name": "a"})),
            ("ram", el("source", {"usage": "1024", "units": "KiB"})),
            ("bind", el("source", {"dir": "/srv"})),
        )
    )
    target = maybe(d, *[el("target", {"dir": "tag"})] * 4)
    boot = maybe(d, *["", "", el("boot", {"order": 1})])
    d.add(el("filesystem", {"type": kind}, el("driver", {"type": "path"}), source, target, boot))


@clause("8.3/input-models", alone=True)
def input_models(d: Draft) -> None:
    models = (None, "virtio", "virtio-transitional", "virtio-non-transitional")
    bus = d.rng.choice(("virtio", "virtio", None, "ps2"))
    attributes = {"type": d.rng.choice(("mouse", "keyboard", "tablet")), "bus": bus, "model": d.rng.choice(models)}
    d.add(el("input", attributes))


@clause("8.3/mediated-devices", alone=True)
def mediated_devices(d: Draft) -> None:
    address = el("address", {"uuid": f"470ea4b5-0f16-4df7-aff2-{d.rng.randint(0, 1):012d}"})
    model = d.rng.choice(("vfio-pci", "vfio-pci", "vfio-ccw"))
    switches = {name: d.rng.choice((None, None, "on", "off")) for name in ("display", "ramfb")}
    attributes = {"mode": "subsystem", "type": "mdev", "model": model, **switches}
    for _ in range(d.rng.randint(1, 2)):
        place = foreign(d) if d.chance(0.3) else ""
        d.add(el("hostdev", attributes, el("source", {}, address), place, maybe(d, "", el("boot", {"order": 1}))))
    if d.chance(0.6):
        d.add(el("graphics", {"type": "vnc"}))


@clause("8.4/firmware-and-acpi", alone=True)
def firmware(d: Draft) -> None:
    d.head["features"] = el("features", {}, maybe(d, el("acpi")), el("apic"))
    d.boot.append(el("loader", {"readonly": "yes", "type": d.rng.choice(("pflash", "rom"))}, "/usr/share/a.fd"))


# ------------------------------------------------------------------ addresses


@clause("8.3/addresses-of-other-types", alone=True)
def addresses_of_other_types(d: Draft) -> None:
    bridge = "pcie-root-port" if d.express else "pci-bridge"
    d.memory_devices()
    d.add(
        d.rng.choice(
            (
                s.controller("ide", 0, None, foreign(d)),
                s.controller("sata", d.rng.randint(0, 1), None, foreign(d)),
                s.controller("pci", 1, bridge, foreign(d)),
                s.controller("usb", 0, d.rng.choice(("piix3-uhci", "qemu-xhci")), foreign(d)),
                s.controller("scsi", 0, "virtio-scsi", foreign(d)),
                s.controller("virtio-serial", 0, None, foreign(d)),
                s.controller("ccid", 0, None, foreign(d)),
                s.memory("dimm", foreign(d)),
                s.hostdev_pci(1, foreign(d)),
                s.hostdev_interface(1, foreign(d)),
                s.rng("virtio", foreign(d)),
            )
        )
    )


@clause("1.5/acpi-indexes", alone=True)
def acpi_indexes(d: Draft) -> None:
    acpi = el("acpi", {"index": d.rng.choice((0, 1, 2, 16383, 16384))})
    d.memory_devices()
    d.add(
        d.rng.choice(
            (
                s.controller("pci", 1, "pcie-root-port" if d.express else "pci-bridge", acpi),
                s.controller("scsi", 0, d.rng.choice(("virtio-scsi", "ibmvscsi", "lsilogic")), acpi),
                s.controller("ccid", 0, None, acpi),
                s.controller("usb", 0, d.rng.choice(("none", "qemu-xhci")), acpi),
                s.disk("sda", d.rng.choice(("scsi", "sata", "usb", "virtio")), acpi),
                s.input_device("mouse", d.rng.choice(("ps2", "usb", "virtio")), acpi),
                s.channel(0, acpi),
                s.serial("isa-serial", acpi),
                s.video(d.rng.choice(("none", "qxl", "ramfb")), acpi),
                s.memory("dimm", acpi),
                s.hostdev_scsi(1, acpi),
                el("interface", {"type": "user"}, el("model", {"type": "usb-net"}), acpi),
            )
        )
    )


@clause("1.4/zpci-on-x86", alone=True)
def zpci(d: Draft) -> None:
    def numbered(**parts: object) -> str:
        return el("address", {"type": "pci", **parts}, el("zpci", {"uid": d.rng.randint(1, 9), "fid": 2}))

    d.add(
        d.rng.choice(
            (
                s.controller("sata", d.rng.randint(0, 1), None, numbered()),
                s.controller("ide", 0, None, numbered(**d.rng.choice(({}, {"slot": 1, "function": 1})))),
                s.controller("usb", 0, d.rng.choice(("piix3-uhci", "qemu-xhci")), numbered()),
                s.ich9(0, 7) + s.controller("usb", 0, "ich9-uhci1", el("master", {"startport": 0}) + numbered()),
                s.video("qxl", numbered(**d.rng.choice(({}, {"slot": 2}, {"slot": 7})))),
                s.interface("virtio", el("address", {"type": "pci", "slot": d.rng.randint(1, 2)}))
                + s.video("qxl", numbered()),
                el("sound", {"model": d.rng.choice(("ich6", "ich9"))}, numbered()),
                s.interface("virtio", numbered()),
            )
        )
    )


@clause("4.2/root-with-an-address", alone=True)
def root_with_an_address(d: Draft) -> None:
    address = foreign(d) if d.chance(0.5) else el("address", {"type": "pci", "slot": d.rng.choice((0, 5))})
    d.add(s.controller("pci", 0, "pcie-root" if d.express else "pci-root", maybe(d, address)))
    d.keep_order = True
