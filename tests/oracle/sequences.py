"""Random guests and what happens to them: sequences of attaches and detaches, each from a seed.

A guest that is to run has what every host has: no files but one that is there anyway, no networks.  All of
its devices carry an alias of the user's (``ua-3``), by which both sides speak of them, since their number among
their kind changes when others go.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tests.oracle import snippets as s
from tests.oracle.snippets import el, letters

READABLE = "/etc/os-release"
"""A file that is there wherever a daemon runs; disks only read it."""


@dataclass
class Sequence:
    """A guest and the steps."""

    xml: str
    steps: list[dict[str, object]] = field(default_factory=list)


def address(bus: int, slot: int, function: int = 0, multifunction: str | None = None) -> str:
    """Return a written address."""
    values = {"type": "pci", "bus": f"{bus:#x}", "slot": f"{slot:#x}", "function": function}
    return el("address", values | {"multifunction": multifunction})


def domain(machine: str, devices: str, *, acpi: bool = True, arch: str = "x86_64") -> str:
    """Return a small guest."""
    return (
        "<domain type='qemu'><name>x</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>"
        f"<os><type arch='{arch}' machine='{machine}'>hvm</type></os>"
        f"<features>{'<acpi/>' if acpi else ''}</features><devices>{devices}</devices></domain>"
    )


# ------------------------------------------------------------------ devices of a running guest


KINDS = (
    ("rng",) * 5 + ("nic",) * 5 + ("blk",) * 4
    + ("scsi", "scsi", "sd", "sd", "serial", "channel", "shmem", "input", "watchdog", "pci-serial", "transitional")
    + ("sound", "usb-controller", "video", "pci", "ide", "9p", "null")
)  # fmt: skip
"""What is attached, the usual more often; a running guest takes none of the last line."""


class Maker:
    """Makes the devices of one guest, each with an alias of its own."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.count = 0

    def alias(self) -> str:
        """Return a new alias."""
        self.count += 1
        return el("alias", {"name": f"ua-{self.count}"})

    def rng_device(self, place: str = "", model: str = "virtio") -> str:
        """Return a random number generator, the smallest of devices."""
        return el("rng", {"model": model}, "<backend model='random'>/dev/urandom</backend>", self.alias(), place)

    def interface(self, model: str, place: str = "", kind: str = "user") -> str:
        """Return a network card."""
        name = el("model", {"type": model}) if model else ""
        return el("interface", {"type": kind}, name, self.alias(), place)

    def disk(self, target: str, bus: str, place: str = "", model: str | None = None) -> str:
        """Return a disk."""
        head = {"type": "file", "device": "disk", "model": model}
        source = el("source", {"file": READABLE})
        target_xml = el("target", {"dev": target, "bus": bus})
        shared = "" if bus == "sata" else "<readonly/><shareable/>"
        return el("disk", head, source, target_xml, shared, self.alias(), place)

    def controller(self, kind: str, index: int | None, model: str | None, place: str = "") -> str:
        """Return a controller that is not PCI's."""
        return el("controller", {"type": kind, "index": index, "model": model}, self.alias(), place)

    def any(self, place: str = "") -> str:
        """Return a device of any kind that a running guest might take, or not."""
        rng = self.rng
        kind = rng.choice(KINDS)
        letter = letters(rng.choice((0, 1, 2, 3, 7, 8, 15)))
        match kind:
            case "nic":
                return self.interface(rng.choice(("virtio", "virtio", "e1000e", "rtl8139", "e1000", "igb", "")), place)
            case "blk":
                return self.disk(f"vd{letters(rng.randint(0, 40))}", "virtio", place)
            case "scsi":
                model = rng.choice(("virtio-scsi", "lsilogic", "lsisas1078", "vmpvscsi", None))
                return self.controller("scsi", rng.choice((None, 0, 1, 2, 5)), model, place)
            case "sd":
                return self.disk(f"sd{letter}", "scsi")
            case "serial":
                return self.controller("virtio-serial", rng.choice((None, 0)), None, place)
            case "channel":
                target = el("target", {"type": "virtio", "name": f"port.{self.count}"})
                return el("channel", {"type": "null"}, target, self.alias())
            case "shmem":
                size = "<size unit='M'>4</size>"
                head = {"name": f"shmem{self.count}"}
                return el("shmem", head, el("model", {"type": "ivshmem-plain"}), size, self.alias(), place)
            case "input":
                bus = rng.choice(("virtio", "virtio", "ps2"))
                return el("input", {"type": "mouse", "bus": bus}, self.alias(), place if bus == "virtio" else "")
            case "watchdog":
                return el("watchdog", {"model": "i6300esb", "action": "reset"}, self.alias(), place)
            case "pci-serial":
                return el("serial", {"type": "null"}, "<target type='pci-serial'/>", self.alias(), place)
            case "transitional":
                return self.rng_device(place, "virtio-transitional")
            case "sound":
                return el("sound", {"model": rng.choice(("ich9", "ac97"))}, self.alias(), place)
            case "usb-controller":
                return self.controller("usb", rng.choice((1, 2)), "qemu-xhci", place)
            case "video":
                return el("video", {}, el("model", {"type": "virtio"}), self.alias(), place)
            case "pci":
                inner = "<model name='pcie-root-port'/><target chassis='40' port='0x1'/>"
                return el("controller", {"type": "pci", "index": 40, "model": "pcie-root-port"}, inner)
            case "ide":
                return el("disk", {"type": "file", "device": "cdrom"}, el("target", {"dev": "hdc", "bus": "ide"}))
            case "9p":
                inner = el("source", {"dir": "/tmp"}) + el("target", {"dir": f"t{self.count}"})
                return el("filesystem", {"type": "mount", "accessmode": "mapped"}, inner, self.alias(), place)
            case "null":
                return self.interface("virtio", place, "null")
        return self.rng_device(place)


# ------------------------------------------------------------------ running guests

OFF = "<target hotplug='off'/>"


def running_pc(rng: random.Random, make: Maker) -> str:
    """Return the devices of a pc guest: bridges, an expander, slots that are taken, shared or nearly all full."""
    root = rng.random() < 0.1
    devices = [s.controller("pci", 0, "pci-root", OFF)] if root else []
    buses = [0]
    for index in range(1, 1 + rng.choice((0, 1, 1, 2))):
        expander = rng.random() < 0.15
        place = address(0, 0x1E - index)
        if not expander and len(buses) > 1 and rng.random() < 0.4:
            place = address(buses[-1], 0x10)
        devices.append(s.controller("pci", index, "pci-expander-bus" if expander else "pci-bridge", place))
        buses.append(index)
    taken = {(0, 0), (0, 1)} | {(0, 0x1E - index) for index in buses} | {(bus, 0x10) for bus in buses}
    full = rng.random() < 0.4
    for bus in buses:
        slots = [slot for slot in range(1, 32) if (bus, slot) not in taken]
        count = rng.randint(len(slots) - 3, len(slots)) if full else rng.randint(0, 4)
        for slot in rng.sample(slots, count):
            devices += occupied(rng, make, bus, slot)
    return "".join(devices) + usual(rng)


def occupied(rng: random.Random, make: Maker, bus: int, slot: int) -> list[str]:
    """Return what holds a slot: a device, several, or one that leaves function 0 free."""
    chance = rng.random()
    if chance < 0.75:
        return [make.rng_device(address(bus, slot))]
    if chance < 0.85:
        return [make.rng_device(address(bus, slot, rng.randint(1, 7)))]
    return [make.rng_device(address(bus, slot, 0, "on")), make.rng_device(address(bus, slot, rng.randint(1, 7)))]


def running_q35(rng: random.Random, make: Maker) -> str:
    """Return the devices of a q35 guest: ports with hotplug and without, bridges, switches, an expander."""
    devices: list[str] = []
    if rng.random() < 0.85:
        devices.append(s.controller("pci", 0, "pcie-root"))
        index = 0

        def add(model: str, inner: str = "") -> int:
            nonlocal index
            index += 1
            devices.append(s.controller("pci", index, model, inner))
            return index

        endpoints = []
        for _ in range(rng.randint(1, 7)):
            endpoints.append(add("pcie-root-port", OFF if rng.random() < 0.2 else ""))
        if rng.random() < 0.6:
            bridge = add("pcie-to-pci-bridge", address(add("pcie-root-port"), 0))
            for slot in rng.sample(range(1, 32), rng.choice((0, 2, 30, 31))):
                devices += occupied(rng, make, bridge, slot)
        if rng.random() < 0.3:
            dmi = add("dmi-to-pci-bridge")
            devices += occupied(rng, make, dmi, 7)
            if rng.random() < 0.6:
                add("pci-bridge", address(dmi, 3))
        if rng.random() < 0.3:
            upstream = add("pcie-switch-upstream-port", address(add("pcie-root-port"), 0))
            for slot in range(rng.randint(1, 3)):
                inner = OFF if rng.random() < 0.2 else ""
                endpoints.append(add("pcie-switch-downstream-port", inner + address(upstream, slot)))
        if rng.random() < 0.2:
            endpoints.append(add("pcie-root-port", address(add("pcie-expander-bus"), 0)))
        for bus in endpoints:
            if rng.random() < 0.25:
                devices += occupied(rng, make, bus, 0)
        if rng.random() < 0.4:
            devices.append(make.rng_device(address(0, rng.randint(5, 10))))
    devices += [make.rng_device() for _ in range(rng.choice((0, 0, 1, 2)))]
    return "".join(devices) + usual(rng)


def usual(rng: random.Random) -> str:
    """Return what decides over USB and the balloon."""
    usb = "<controller type='usb' model='none'/>" if rng.random() < 0.8 else ""
    return usb + ("<memballoon model='none'/>" if rng.random() < 0.6 else "")


def running_sequence(seed: int) -> Sequence:
    """Return a guest that starts, and what happens to it while it runs."""
    rng = random.Random(seed)
    make = Maker(rng)
    machine = ("pc", "q35")[seed % 2]
    devices = running_pc(rng, make) if machine == "pc" else running_q35(rng, make)
    sequence = Sequence(domain(machine, devices, acpi=rng.random() < 0.9))
    for _ in range(rng.randint(8, 24)):
        if make.count and rng.random() < 0.35:
            step: dict[str, object] = {"detach": f"ua-{rng.randint(1, make.count)}"}
            if rng.random() < 0.15:
                step["pending"] = True
        else:
            place = ""
            if rng.random() < 0.35:
                function = rng.choice((0, 0, 0, 0, 0, 3))
                flag = rng.choice((None, None, "on", "off"))
                place = address(rng.randint(0, 9), rng.choice((0, 0, 1, 2, 3, 5, 7, 9, 0x10, 0x1F)), function, flag)
            step = {"attach": make.any(place)}
        sequence.steps.append(step)
    return sequence


# ------------------------------------------------------------------ stored definitions


def stored_steps(seed: int) -> list[dict[str, object]]:
    """Return what is attached to a stored definition."""
    rng = random.Random(seed * 7919)
    return [{"attach": _stored_device(rng, number)} for number in range(rng.randint(1, 8))]


def _stored_device(rng: random.Random, number: int) -> str:
    make = Maker(rng)
    make.count = 1000 * (number + 1)
    place = ""
    if rng.random() < 0.3:
        place = address(
            rng.choice((0, 0, 0, 1, 2, 3, 6)), rng.randint(0, 31), rng.choice((0, 0, 0, 1, 7)), rng.choice((None, "on"))
        )
    kind = rng.choice(["any"] * 8 + ["many", "pci", "hostdev", "mdev", "vsock", "iommu", "virtiofs", "usb", "console"])
    match kind:
        case "many":
            return make.disk(f"sd{letters(rng.randint(0, 60))}", rng.choice(("scsi", "scsi", "sata")))
        case "pci":
            model, inner = rng.choice(PCI_ELEMENTS)
            return s.controller("pci", rng.choice((None, None, 3, 5, 9)), model, inner + place)
        case "hostdev":
            return s.hostdev_pci(200 + number, place)
        case "mdev":
            return s.hostdev_mdev(0x4000 + number, place)
        case "vsock":
            return f"<vsock model='virtio'><cid auto='yes'/>{place}</vsock>"
        case "iommu":
            return "<iommu model='virtio'/>"
        case "virtiofs":
            inner = el("source", {"dir": "/tmp"}) + el("target", {"dir": f"attached{number}"})
            return el("filesystem", {"type": "mount", "accessmode": "mapped"}, inner, place)
        case "usb":
            return s.controller("usb", rng.choice((None, 1, 2)), rng.choice(("qemu-xhci", "piix3-uhci", "ehci")), place)
        case "console":
            return "<console type='null'><target type='virtio'/></console>"
    return make.any(place)


PCI_ELEMENTS = (
    ("pcie-root-port", "<model name='pcie-root-port'/><target chassis='40' port='0x9'/>"),
    ("pcie-root-port", "<model name='pcie-root-port'/>"),
    ("pcie-root-port", ""),
    ("pci-bridge", "<model name='pci-bridge'/><target chassisNr='41'/>"),
    ("pci-bridge", "<model name='pci-bridge'/>"),
    ("pcie-to-pci-bridge", "<model name='pcie-pci-bridge'/>"),
    ("dmi-to-pci-bridge", "<model name='i82801b11-bridge'/>"),
    ("pcie-switch-upstream-port", "<model name='x3130-upstream'/>"),
    ("pcie-switch-downstream-port", "<model name='xio3130-downstream'/><target chassis='42' port='0x0'/>"),
    ("pcie-switch-downstream-port", "<model name='xio3130-downstream'/>"),
    ("pcie-expander-bus", "<model name='pxb-pcie'/><target busNr='200'/>"),
    ("pcie-expander-bus", "<model name='pxb-pcie'/>"),
    ("pci-expander-bus", "<model name='pxb'/><target busNr='200'/>"),
    ("pci-expander-bus", "<model name='pxb'/>"),
)
"""PCI controllers with everything that has to be said, and without."""
