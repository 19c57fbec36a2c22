"""Random guests: as XML text, and as `Guest` objects.

A guest is a machine and, for each kind of element, a list of elements as text. `Drawn.text`
writes them down kind by kind; `Drawn.shuffled` interleaves the kinds without changing the order
inside any of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from hypothesis import strategies as st

from pcisim.catalogue.devices import DEVICE_MODELS
from pcisim.guest import disk_target

Draw = st.DrawFn

MACHINES = ["q35", "q35", "pc", "pc", "pc-q35-9.2", "pc-i440fx-4.0", "pc-1.3", "rhel6.6.0", ""]
Q35_SLOTS = [0x1, 0x1, 0x2, 0x2, 0x3, 0x1A, 0x1B, 0x1D, 0x1E, 0x1F, 0x10]
PC_SLOTS = [0x1, 0x2, 0x2, 0x3, 0x4, 0x5, 0x10, 0x1F]

Q35_CONTROLLERS = [
    "pcie-root-port", "pcie-root-port", "pcie-root-port", "pcie-root-port", "pcie-to-pci-bridge", "pci-bridge",
    "dmi-to-pci-bridge", "pcie-switch-upstream-port", "pcie-switch-downstream-port", "pcie-switch-downstream-port",
    "pcie-expander-bus",
]  # fmt: skip
PC_CONTROLLERS = ["pci-bridge", "pci-bridge", "pci-bridge", "pci-expander-bus"]

VIRTIO = ["virtio", "virtio-non-transitional", "virtio-transitional"]
INTERFACES = [*VIRTIO, "e1000", "e1000e", "igb", "rtl8139", "E1000", "pcnet", "usb-net", "vmxnet3", "82540em"]
SOUNDS = ["ich6", "ich9", "ich9", "ac97", "es1370", "virtio", "usb", "sb16", "pcspk"]
VIDEOS = ["vga", "cirrus", "qxl", "virtio", "bochs", "ramfb", "none"]
SCSI = [
    "virtio-transitional",
    "virtio-non-transitional",
    "virtio-scsi",
    "lsilogic",
    "lsisas1068",
    "vmpvscsi",
    "auto",
    "",
]
ICH9 = ["ich9-ehci1", "ich9-uhci1", "ich9-uhci2", "ich9-uhci3"]
START_PORTS = {"ich9-uhci1": 0, "ich9-uhci2": 2, "ich9-uhci3": 4}
USB = ["qemu-xhci", "nec-xhci", "piix3-uhci", "ehci", "pci-ohci", ""]
INPUTS = [
    "<input type='mouse' bus='virtio'",
    "<input type='tablet' bus='usb'",
    "<input type='keyboard' bus='ps2'",
]
NUMBER_FORMS = ["{}", "{:#x}", "0{:o}", "{:#04x}", "+{}", " {}"]


@dataclass
class Drawn:
    """A random guest as text.

    Args:
        machine: the machine type.
        bare: how rare written addresses are: one in about half of it; 0 for none at all.
        kinds: for each element the texts of that element, in order.
    """

    machine: str
    bare: int = 12
    kinds: dict[str, list[str]] = field(default_factory=dict)

    @property
    def express(self) -> bool:
        """Return whether its root bus is PCI Express."""
        return "q35" in self.machine

    def add(self, kind: str, text: str) -> None:
        """Add an element of a kind."""
        self.kinds.setdefault(kind, []).append(text)

    def count(self, kind: str) -> int:
        """Return the number of elements of a kind."""
        return len(self.kinds.get(kind, ()))

    def written(self, elements: Iterator[str] | list[str]) -> str:
        """Return the domain with these elements."""
        lines = "".join(f"    {element}\n" for element in elements)
        machine = f" machine='{self.machine}'" if self.machine else ""
        return (
            "<domain type='qemu'>\n  <name>drawn</name>\n  <memory unit='MiB'>64</memory>\n"
            f"  <os>\n    <type arch='x86_64'{machine}>hvm</type>\n  </os>\n  <features>\n    <acpi/>\n  </features>\n"
            f"  <devices>\n{lines}  </devices>\n</domain>\n"
        )

    @property
    def text(self) -> str:
        """Return the domain, kind by kind."""
        return self.written([element for elements in self.kinds.values() for element in elements])

    def shuffled(self, random: Random) -> str:
        """Return the same domain with the kinds interleaved."""
        left = {kind: list(elements) for kind, elements in self.kinds.items()}
        mixed = []
        while left:
            kind = random.choice(list(left))
            mixed.append(left[kind].pop(0))
            if not left[kind]:
                del left[kind]
        return self.written(mixed)

    def __repr__(self) -> str:
        return f"<Drawn\n{self.text}>"


@st.composite
def addresses(draw: Draw, guest: Drawn) -> str:
    """Draw the `<address>` of a device: mostly none, sometimes an empty one, or a written one."""
    express = guest.express
    kind = draw(st.integers(0, guest.bare)) if guest.bare else 9
    if kind > 2:
        return ""
    if kind == 2:
        return draw(st.sampled_from(["<address type='pci'/>", "<address type='pci' function='3' multifunction='on'/>"]))
    bus = draw(st.sampled_from([0, 0, 0, 1, 1, 2, 3, 4, 6]))
    if bus == 0:
        slot = draw(st.sampled_from(Q35_SLOTS if express else PC_SLOTS))
    else:
        slot = draw(st.sampled_from([0, 0, 0, 1, 2, 5] if express else [1, 1, 2, 3, 0, 31]))
    function = draw(st.sampled_from([0, 0, 0, 0, 1, 2, 3, 7]))
    multifunction = draw(st.sampled_from(["", "", "", " multifunction='on'", " multifunction='off'"]))
    form = draw(st.sampled_from(NUMBER_FORMS))
    return (
        f"<address type='pci' domain='0x0000' bus='{form.format(bus)}' slot='{form.format(slot)}'"
        f" function='{function:#x}'{multifunction}/>"
    )


def wrapped(head: str, body: str) -> str:
    """Return an element from its start and its children."""
    tag = head[1:].split()[0].rstrip(">")
    return f"{head}>{body}</{tag}>" if body else f"{head}/>"


@st.composite
def _pci_controllers(draw: Draw, guest: Drawn) -> None:
    express = guest.express
    models = draw(st.lists(st.sampled_from(Q35_CONTROLLERS if express else PC_CONTROLLERS), max_size=6))
    indexed = draw(st.sampled_from(["none", "all", "gaps"]))
    if models and (indexed == "none" or draw(st.booleans())):
        guest.add("controller", f"<controller type='pci' model='{'pcie-root' if express else 'pci-root'}'/>")
    index = 0
    for model in models:
        index += draw(st.sampled_from([1, 1, 2, 4])) if indexed == "gaps" else 1
        number = "" if indexed == "none" else f" index='{index}'"
        target = ""
        if model in ("pcie-root-port", "pcie-switch-downstream-port"):
            target = draw(st.sampled_from(["", "", "<target hotplug='off'/>", "<target chassis='9' port='0x20'/>"]))
        elif model == "pci-bridge":
            target = draw(st.sampled_from(["", "", "<target chassisNr='9'/>"]))
        elif model.endswith("expander-bus"):
            target = draw(st.sampled_from(["", "", "<target busNr='100'/>", "<target busNr='4'/>"]))
        if model == "pcie-root-port" and draw(st.integers(0, 5)) == 0:
            target = "<model name='ioh3420'/>" + target
        body = target + draw(addresses(guest))
        guest.add("controller", wrapped(f"<controller type='pci'{number} model='{model}'", body))


@st.composite
def _usb(draw: Draw, guest: Drawn) -> None:
    kind = draw(st.sampled_from(["default", "default", "none", "one", "two", "ich9", "ich9 twice", "ich9 unindexed"]))
    if kind == "none":
        guest.add("controller", "<controller type='usb' model='none'/>")
    elif kind in ("one", "two"):
        for index in range(1 if kind == "one" else 2):
            model = draw(st.sampled_from(USB))
            head = f"<controller type='usb' index='{index}'" + (f" model='{model}'" if model else "")
            guest.add("controller", wrapped(head, draw(addresses(guest))))
    elif kind.startswith("ich9"):
        for index in range(2 if kind == "ich9 twice" else 1):
            models = draw(st.permutations(ICH9))
            missing = draw(st.sampled_from(["", "", "", "ich9-uhci1", "ich9-uhci2", "ich9-ehci1"]))
            models = [model for model in models if model != missing]
            for model in models:
                number = "" if kind == "ich9 unindexed" else f" index='{index}'"
                body = f"<master startport='{START_PORTS[model]}'/>" if model in START_PORTS else ""
                address = draw(addresses(guest))
                guest.add("controller", wrapped(f"<controller type='usb'{number} model='{model}'", body + address))


@st.composite
def _other_controllers(draw: Draw, guest: Drawn) -> None:
    for index in range(draw(st.sampled_from([0, 0, 1, 2]))):
        model = draw(st.sampled_from(SCSI))
        shift = draw(st.sampled_from([0, 0, 1]))
        head = f"<controller type='scsi' index='{index * 2 + shift}'" + (f" model='{model}'" if model else "")
        guest.add("controller", wrapped(head, draw(addresses(guest))))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        guest.add("controller", wrapped("<controller type='virtio-serial'", draw(addresses(guest))))
    if draw(st.integers(0, 5)) == 0:
        for index in range(draw(st.integers(1, 2))):
            guest.add("controller", wrapped(f"<controller type='sata' index='{index}'", draw(addresses(guest))))


def _simple(draw: Draw, guest: Drawn, kind: str, head: str, body: str = "") -> None:
    guest.add(kind, wrapped(head, body + draw(addresses(guest))))


@st.composite
def _devices(draw: Draw, guest: Drawn, most: int) -> None:
    """Draw the devices."""
    express = guest.express

    def often(kind: str) -> int:
        return draw(st.integers(0, most)) if draw(st.booleans()) else 0

    for _ in range(often("interface")):
        model = draw(st.sampled_from(INTERFACES))
        body = draw(st.sampled_from(["", f"<model type='{model}'/>", f"<model type='{model}'/>"]))
        _simple(draw, guest, "interface", "<interface type='user'", body)
    if draw(st.integers(0, 5)) == 0:
        source = "<source><address type='pci' domain='0' bus='0xf1' slot='1' function='0'/></source>"
        _simple(draw, guest, "interface", "<interface type='hostdev'", source)
    used: dict[str, int] = {}
    for _ in range(often("disk")):
        bus = draw(st.sampled_from(["virtio", "virtio", "virtio", "scsi", "sata" if express else "ide"]))
        number = used[bus] = used.get(bus, -1) + draw(st.sampled_from([1, 1, 2]))
        if bus == "ide" and number > 3:
            continue
        name = disk_target({"virtio": "vd", "scsi": "sd", "sata": "sd", "ide": "hd"}[bus], number)
        if any(f"'{name}'" in text for text in guest.kinds.get("disk", ())):
            continue
        model = draw(st.sampled_from(["", "", *(f" model='{model}'" for model in VIRTIO)])) if bus == "virtio" else ""
        body = f"<source file='/{bus}-{name}'/><target dev='{name}' bus='{bus}'/>"
        head = f"<disk type='file' device='disk'{model}"
        guest.add("disk", wrapped(head, body + (draw(addresses(guest)) if bus == "virtio" else "")))
    for _ in range(often("sound") // 2):
        _simple(draw, guest, "sound", f"<sound model='{draw(st.sampled_from(SOUNDS))}'")
    videos = [draw(st.sampled_from(VIDEOS))] if draw(st.booleans()) else []
    videos += ["qxl"] * draw(st.sampled_from([0, 0, 1])) if videos and videos[0] not in ("none", "ramfb") else []
    primary = draw(st.sampled_from([None, None, *range(len(videos))])) if videos[:1] in (["qxl"], ["virtio"]) else None
    for number, model in enumerate(videos):
        mark = " primary='yes'" if number == primary else ""
        bare = model in ("none", "ramfb")
        address = "" if bare else draw(addresses(guest))
        guest.add("video", wrapped("<video", f"<model type='{model}'{mark}/>{address}"))
    for number in range(often("filesystem") // 2):
        body = f"<source dir='/s{number}'/><target dir='t{number}'/>"
        _simple(draw, guest, "filesystem", "<filesystem type='mount' accessmode='mapped'", body)
    for number in range(often("hostdev") // 2):
        source = f"<source><address domain='0' bus='0xf0' slot='{number}' function='0'/></source>"
        _simple(draw, guest, "hostdev", "<hostdev mode='subsystem' type='pci' managed='yes'", source)
    for number in range(draw(st.sampled_from([0, 0, 0, 1, 8]))):
        source = f"<source><adapter name='scsi_host0'/><address bus='0' target='0' unit='{number}'/></source>"
        guest.add("hostdev", wrapped("<hostdev mode='subsystem' type='scsi'", source))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        body = "<backend model='random'>/dev/urandom</backend>"
        _simple(draw, guest, "rng", f"<rng model='{draw(st.sampled_from(VIRTIO))}'", body)
    for number in range(draw(st.sampled_from([0, 0, 0, 1, 33]))):
        body = f"<target type='virtio' name='c{number}'/>"
        guest.add("channel", f"<channel type='pty'>{body}</channel>")
    if draw(st.integers(0, 3)) == 0:
        model = draw(st.sampled_from([*VIRTIO, "none"]))
        address = "" if model == "none" else draw(addresses(guest))
        guest.add("memballoon", wrapped(f"<memballoon model='{model}'", address))
    if draw(st.integers(0, 3)) == 0:
        _simple(draw, guest, "watchdog", "<watchdog model='i6300esb' action='reset'")
    if draw(st.integers(0, 4)) == 0:
        _simple(draw, guest, "shmem", "<shmem name='s'", "<model type='ivshmem-plain'/><size unit='M'>4</size>")
    if draw(st.integers(0, 3)) == 0:
        head = draw(st.sampled_from(INPUTS))
        guest.add("input", wrapped(head, draw(addresses(guest)) if "virtio" in head else ""))
    if draw(st.integers(0, 4)) == 0:
        _simple(draw, guest, "serial", "<serial type='pty'", "<target type='pci-serial'/>")
    if draw(st.integers(0, 4)) == 0:
        _simple(draw, guest, "vsock", "<vsock model='virtio'", "<cid auto='yes'/>")
    if draw(st.integers(0, 4)) == 0:
        body = "<backend model='builtin' queues='1'/>"
        _simple(draw, guest, "crypto", "<crypto model='virtio' type='qemu'", body)
    if draw(st.integers(0, 4)) == 0:
        _simple(draw, guest, "panic", "<panic model='pvpanic'")
    if draw(st.integers(0, 4)) == 0:
        body = "<path>/p</path><size unit='KiB'>64</size>"
        _simple(draw, guest, "pstore", "<pstore backend='acpi-erst'", body)
    if express and draw(st.integers(0, 4)) == 0:
        _simple(draw, guest, "iommu", "<iommu model='virtio'")
    if draw(st.integers(0, 3)) == 0:
        guest.add("graphics", "<graphics type='vnc'/>")


@st.composite
def drawn_guests(draw: Draw, most: int = 5) -> Drawn:
    """Draw a guest as text: any machine, controllers, and up to `most` devices of the frequent kinds."""
    guest = Drawn(draw(st.sampled_from(MACHINES)), draw(st.sampled_from([0, 80, 40, 20, 8])))
    draw(_pci_controllers(guest))
    draw(_usb(guest))
    draw(_other_controllers(guest))
    draw(_devices(guest, most))
    return guest


SINGLE = {"memballoon", "panic", "pstore", "iommu", "vsock", "video"}
"""Elements of which a guest has one, or one of most models."""


@st.composite
def plain_guests(draw: Draw, most: int = 40) -> tuple[str, dict[str, int]]:
    """Draw the arguments of `Guest.of`: a machine, and how many of each of a few models."""
    machine = draw(st.sampled_from(["q35", "pc"]))
    names = draw(st.lists(st.sampled_from(sorted(DEVICE_MODELS)), max_size=5, unique=True))
    counts: dict[str, int] = {}
    elements: set[str] = set()
    for name in names:
        element = DEVICE_MODELS[name].element
        if element in SINGLE & elements or (name == "virtio-iommu" and machine == "pc"):
            continue
        elements.add(element)
        counts[name] = draw(st.integers(0, 1 if element in SINGLE else most))
    return machine, counts


VERSIONS = st.sampled_from(["12.9", "12.9", "11.3", "9.0"])


@st.composite
def crowded_guests(draw: Draw) -> Drawn:
    """Draw a guest whose ports, ICH9 controllers and cards have written addresses in the same few slots."""
    guest = Drawn(draw(st.sampled_from(["q35", "q35", "pc"])))
    root, bridge = ("pcie-root", "pcie-root-port") if guest.express else ("pci-root", "pci-bridge")
    slots = draw(st.lists(st.integers(1, 6), min_size=1, max_size=3, unique=True))
    free = [(slot, function) for slot in slots for function in range(8)]

    def address(function: int | None = None) -> str:
        left = [place for place in free if function is None or place[1] == function]
        if not left or draw(st.booleans()):
            return ""
        place = draw(st.sampled_from(left))
        if draw(st.integers(0, 20)):
            free.remove(place)
        return f"<address type='pci' slot='{place[0]:#x}' function='{place[1]}'/>"

    guest.add("controller", f"<controller type='pci' model='{root}'/>")
    for _ in range(draw(st.integers(0, 4))):
        guest.add("controller", wrapped(f"<controller type='pci' model='{bridge}'", address()))
    for index in range(draw(st.integers(0, 2))):
        for name in draw(st.permutations(ICH9)):
            master = f"<master startport='{START_PORTS[name]}'/>" if name in START_PORTS else ""
            function = {"ich9-ehci1": 7, "ich9-uhci1": 0, "ich9-uhci2": 1, "ich9-uhci3": 2}[name]
            where = address(function) if draw(st.integers(0, 2)) == 0 else ""
            guest.add("controller", wrapped(f"<controller type='usb' index='{index}' model='{name}'", master + where))
    for _ in range(draw(st.integers(0, 4))):
        card = draw(st.sampled_from(["virtio", "e1000", "e1000e"]))
        guest.add("interface", wrapped("<interface type='user'", f"<model type='{card}'/>{address()}"))
    if draw(st.booleans()):
        guest.add("video", wrapped("<video", "<model type='vga'/>"))
    return guest
