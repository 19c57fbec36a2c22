"""What is wanted: a machine, its controllers and devices, and where each came from.

A `Guest` is a description.  Nothing here has been placed: `Device.address` is the
address that somebody wrote down, and completion and placement return new objects
instead of changing these.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from pcisim.catalogue.connectors import EXPRESS, NO_CLASS
from pcisim.catalogue.devices import CONTROLLER_MODELS, DEVICE_MODELS, ICH9_FUNCTIONS, PLUGS, DeviceModel
from pcisim.catalogue.machines import default_machine, machine_of
from pcisim.catalogue.versions import Libvirt
from pcisim.catalogue.x86_machines import DEVICE, X86, Machine
from pcisim.errors import RefusedError, UsageError, WrongTypeError, check_type, did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, SupportsIndex

    from pcisim.requests import Wish

MOST_DEVICES = 65_536
"""How many devices of a model are tried: 256 buses of 256 functions."""
NO_TRAITS: Mapping[str, Any] = {}
"""Of a device or a guest of which nothing else is written."""
IGNORED = "ignored"
"""The address type of a device whose address the version of libvirt does not read."""


class Ram(NamedTuple):
    """How much RAM a guest has, in bytes.

    Args:
        size: what it starts with.
        most: what it may have at most; 0 where that is what it starts with.
        slots: how many memory modules can be plugged in.
        limit: how much of it may be below 4 GiB; 0 where nothing is said.
    """

    size: int = 256 << 20
    most: int = 0
    slots: int = 0
    limit: int = 0


_POWERS: Mapping[str, int] = MappingProxyType({"k": 1, "m": 2, "g": 3, "t": 4, "p": 5, "e": 6})
_BYTES = ("b", "byte", "bytes")


def memory_size(number: int, unit: str) -> int | None:
    """Return a number of bytes, or ``None`` where libvirt does not know the unit.

    Args:
        number: how many of the unit (from 0).
        unit: ``b``, ``KiB`` or ``K``, ``KB`` and so on up to E, in capitals or not.
    """
    unit = unit.lower()
    if unit in _BYTES:
        return number
    power = _POWERS.get(unit[:1])
    if power is None or unit[1:] not in ("", "b", "ib"):
        return None
    return int(number * (1000 if unit[1:] == "b" else 1024) ** power)


NO_RAM = Ram()
"""What QEMU gives a machine for which nothing is said."""


class Device:
    """A thing that is plugged in, or would be.

    Devices are compared by identity: two equal network cards are two.

    Args:
        element: libvirt's element, such as ``interface``.
        label: the name of the device in every report: ``disk:vda``, ``interface:0``, ``pci:3``.
        model: the model, in libvirt's words; "" when it is not said.
        plug: what it needs from a bus; 0 when it needs no PCI address.
        address_type: the type of the address that somebody wrote, ``None`` when there is none.
        address: the packed PCI address that somebody wrote down; ``None`` for an empty one too.
        multifunction: ``on`` or ``off`` as somebody wrote it with the address.
        bus: the bus of a disk or an input device; the type of an interface or a hostdev.
        unit: a disk's number among its kind, or a channel's or console's port.
        controller: the index of the disk, channel or console controller that its address names.
        drive: bus, target and unit on that controller, for disks and SCSI host devices.
        kind: what kind of input device it is: ``mouse``, ``keyboard``, ``tablet``, ``passthrough``; ``usb`` for an
            interface that is a USB device of the host; ``nvme`` for a disk with the name of one on NVMe.
        row: the name in `DEVICE_MODELS` of a device that was described by it.
        primary: whether a video device is marked as the primary one.
        mirrors: the serial port that the first console is another name for; it shares the address.
        zpci: the uid and the fid that somebody wrote with its PCI address, each ``None`` when it is not said.
        acpi_index: the ``index`` of its ``<acpi>``, which only devices on PCI may have.
        traits: what else is written that decides whether libvirt accepts it, and about no place (libvirt rule 8.4).
        origin: the element of the document that it was read from.
        defaults: what libvirt fills in that addresses depend on: the key is an XML path.
        serial: the serial number of an NVMe controller, or of a disk on one.
    """

    fields: tuple[str, ...] = (
        "element",
        "label",
        "model",
        "plug",
        "address_type",
        "address",
        "multifunction",
        "bus",
        "unit",
        "controller",
        "drive",
        "kind",
        "row",
        "primary",
        "mirrors",
        "zpci",
        "acpi_index",
        "traits",
        "origin",
        "defaults",
        "serial",
    )
    __slots__ = fields

    def __init__(
        self,
        element: str,
        label: str,
        model: str = "",
        plug: int = 0,
        address_type: str | None = None,
        address: int | None = None,
        multifunction: str | None = None,
        bus: str = "",
        unit: int | None = None,
        controller: int | None = None,
        drive: tuple[int, int, int] = (0, 0, 0),
        kind: str = "",
        row: str = "",
        primary: bool = False,
        mirrors: Device | None = None,
        zpci: tuple[int | None, int | None] | None = None,
        acpi_index: int | None = None,
        traits: Mapping[str, Any] = NO_TRAITS,
        origin: Any = None,
        defaults: dict[str, str] | None = None,
        serial: str = "",
    ) -> None:
        self.element = element
        self.label = label
        self.model = model
        self.plug = plug
        self.address_type = address_type
        self.address = address
        self.multifunction = multifunction
        self.bus = bus
        self.unit = unit
        self.controller = controller
        self.drive = drive
        self.kind = kind
        self.row = row
        self.primary = primary
        self.mirrors = mirrors
        self.zpci = zpci
        self.acpi_index = acpi_index
        self.traits = traits
        self.origin = origin
        self.defaults = defaults if defaults is not None else {}
        self.serial = serial

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {' '.join(filter(None, (self.label, self.model)))}>"

    @property
    def wants(self) -> bool:
        """Return whether it asks for an address to be chosen, if it needs one."""
        return self.address is None and self.address_type in (None, "pci")

    @property
    def line(self) -> int | None:
        """Return the line of the document where it stands, if it stands in one."""
        return None if self.origin is None else int(self.origin.line)

    @property
    def on_pci(self) -> bool:
        """Return whether QEMU has it on PCI; for others libvirt keeps a place too, where one is explicit."""
        return bool(self.plug & ~NO_CLASS)

    @property
    def owner_kind(self) -> str:
        """Return ``device``."""
        return DEVICE


class Controller(Device):
    """A device that gives a bus (PCI), or that disks, ports and USB devices hang on.

    Args:
        type: libvirt's type: ``pci``, ``usb``, ``scsi``, ``sata``, ``ide``, ``virtio-serial`` and so on; `is_pci` says
            whether it is the first.
        index: its index among the controllers of its type; ``None`` when it is not said.
        companion: whether it is a companion of another USB controller.
        start_port: the first port of its master that a companion serves.
        target: the options of a PCI controller, by the names of libvirt's ``<target>``; numbers are ints.
        model_name: the QEMU device that it is made of, as somebody wrote it.
        ports: the number of ports of a virtio-serial controller.
        read_as: the bus, slot and function that libvirt takes a PCI controller's address of another type for.
    """

    fields = (
        *Device.fields,
        "type",
        "index",
        "companion",
        "start_port",
        "target",
        "model_name",
        "ports",
        "read_as",
    )
    __slots__ = (
        "type",
        "is_pci",
        "index",
        "companion",
        "start_port",
        "target",
        "model_name",
        "ports",
        "read_as",
    )

    def __init__(
        self,
        element: str,
        label: str,
        model: str = "",
        plug: int = 0,
        address_type: str | None = None,
        address: int | None = None,
        multifunction: str | None = None,
        bus: str = "",
        unit: int | None = None,
        controller: int | None = None,
        drive: tuple[int, int, int] = (0, 0, 0),
        kind: str = "",
        row: str = "",
        primary: bool = False,
        mirrors: Device | None = None,
        zpci: tuple[int | None, int | None] | None = None,
        acpi_index: int | None = None,
        traits: Mapping[str, Any] = NO_TRAITS,
        origin: Any = None,
        defaults: dict[str, str] | None = None,
        serial: str = "",
        type: str = "pci",
        index: int | None = None,
        companion: bool = False,
        start_port: int | None = None,
        target: dict[str, Any] | None = None,
        model_name: str = "",
        ports: int | None = None,
        read_as: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        # Not through super(): a call more for each of hundreds of ports.
        self.element = element
        self.label = label
        self.model = model
        self.plug = plug
        self.address_type = address_type
        self.address = address
        self.multifunction = multifunction
        self.bus = bus
        self.unit = unit
        self.controller = controller
        self.drive = drive
        self.kind = kind
        self.row = row
        self.primary = primary
        self.mirrors = mirrors
        self.zpci = zpci
        self.acpi_index = acpi_index
        self.traits = traits
        self.origin = origin
        self.defaults = defaults if defaults is not None else {}
        self.serial = serial
        self.type = type
        self.is_pci = type == "pci"
        self.index = index
        self.companion = companion
        self.start_port = start_port
        self.target = target if target is not None else {}
        self.model_name = model_name
        self.ports = ports
        self.read_as = read_as

    @property
    def on_pci(self) -> bool:
        """Return whether QEMU has it on PCI, as all controllers of type ``pci`` are."""
        return self.is_pci or bool(self.plug & ~NO_CLASS)

    @property
    def ich9(self) -> bool:
        """Return whether it is one of the ICH9 USB controllers, which share a slot."""
        return self.model in ICH9_FUNCTIONS


class Guest:
    """A machine with its controllers and devices.

    Args:
        machine_type: the machine as it is written, such as ``pc-q35-9.2``.
        arch: the architecture.
        devices: every device but the controllers, by element, each list in document order.
        controllers: the controllers in document order.
        graphics: whether a display is attached (libvirt then adds a video device).
        numa_nodes: the guest's NUMA nodes.
        acpi: whether the guest has ACPI.
        firmware: ``seabios`` or ``ovmf``.
        traits: what is written beside the devices that decides whether libvirt accepts some (libvirt rule 8.4).
        document: the document it was read from.
        machine_origin: the element of the document that names the machine.
        rules: the version of libvirt that has completed it.
        read_ram: finds out how much RAM the document gives it; ``None`` for a guest without a document.
        wishes: what is wished for of the places of devices, by label.

    Examples:
        >>> import pcisim
        >>> pcisim.Guest.of("q35", {"virtio-blk": 2, "virtio-net": 1})
        Guest.of('q35', {'virtio-blk': 2, 'virtio-net': 1})
    """

    fields = (
        "machine_type",
        "arch",
        "devices",
        "controllers",
        "graphics",
        "numa_nodes",
        "acpi",
        "firmware",
        "vcpus",
        "traits",
        "document",
        "machine_origin",
        "rules",
        "read_ram",
        "wishes",
    )
    __slots__ = (*fields, "_machine")

    def __init__(
        self,
        machine_type: str,
        arch: str = "x86_64",
        devices: dict[str, list[Device]] | None = None,
        controllers: list[Controller] | None = None,
        graphics: bool = False,
        numa_nodes: frozenset[int] = frozenset(),
        acpi: bool = True,
        firmware: str = "seabios",
        vcpus: int = 1,
        traits: Mapping[str, Any] = NO_TRAITS,
        document: Any = None,
        machine_origin: Any = None,
        rules: Libvirt | None = None,
        read_ram: Callable[[], Ram] | None = None,
        wishes: Mapping[str, Wish] = NO_TRAITS,
    ) -> None:
        self.machine_type = machine_type
        self.arch = arch
        self.devices = devices if devices is not None else {}
        self.controllers = controllers if controllers is not None else []
        self.graphics = graphics
        self.numa_nodes = numa_nodes
        self.acpi = acpi
        self.firmware = firmware
        self.vcpus = vcpus
        self.traits = traits
        self.document = document
        self.machine_origin = machine_origin
        self.rules = rules
        self.read_ram = read_ram
        self.wishes = wishes
        self._machine: tuple[str, str, Libvirt | None, Machine] | None = None

    def __repr__(self) -> str:
        described = self._described()
        if described is not None:
            return described
        kind = f"{self.machine_name} {self.arch}"
        return f"<Guest {kind}: {sum(map(len, self.devices.values()))} devices, {len(self.controllers)} controllers>"

    def _described(self) -> str | None:
        """Return the call of `of` that makes such a guest, ``None`` where there is none."""
        if self.document is not None or self.wishes or self.rules is not None:
            return None
        counts: dict[str, int] = {}
        for device in self.all_devices():
            counts[device.row] = counts.get(device.row, 0) + 1
        try:
            again = Guest.of(self.machine_type, counts, arch=self.arch)
        except UsageError:
            return None
        mine, others = ([(d.label, d.row, d.address) for d in one.all_devices()] for one in (self, again))
        if mine != others or (self.acpi, self.graphics, self.firmware) != (again.acpi, again.graphics, again.firmware):
            return None
        arch = "" if self.arch == "x86_64" else f", arch={self.arch!r}"
        return f"Guest.of({self.machine_type!r}{f', {counts!r}' if counts else ''}{arch})"

    @property
    def ram(self) -> Ram:
        """Return how much RAM it has.

        Examples:
            >>> Guest.of("q35").ram.size >> 20
            256
        """
        return NO_RAM if self.read_ram is None else self.read_ram()

    @property
    def machine(self) -> Machine:
        """Return the family of the machine type, as the version of libvirt treats it.

        Examples:
            >>> Guest.of("pc-i440fx-9.2").machine.family
            'i440fx'
        """
        known = self._machine
        if (
            known is None
            or known[0] is not self.machine_type
            or known[1] is not self.arch
            or known[2] is not self.rules
        ):
            machine = machine_of(self.machine_type, self.arch, self.rules)
            known = self._machine = self.machine_type, self.arch, self.rules, machine
        return known[3]

    @property
    def express(self) -> bool:
        """Return whether the root bus is PCI Express, also one that the definition gives a machine without any.

        Examples:
            >>> Guest.of("q35").express, Guest.of("pc").express
            (True, False)
        """
        machine = self.machine
        if machine.root is not None:
            return machine.express
        return any(d.is_pci and not d.index and d.model == "pcie-root" for d in self.controllers)

    @property
    def machine_name(self) -> str:
        """Return the machine type, the architecture's default where none is written.

        Examples:
            >>> Guest.of("").machine_name
            'pc'
        """
        return self.machine_type or default_machine(self.arch)

    @property
    def name(self) -> str:
        """Return the name of the guest, as its document has it; "" where it has none.

        Examples:
            >>> Guest.of("q35").name
            ''
        """
        element = None if self.document is None else self.document.root.find("name")
        return "" if element is None else element.text.strip()

    @property
    def title(self) -> str:
        """Return the name of the guest, if it has one, and its machine type.

        Examples:
            >>> Guest.of("q35").title
            'q35'
        """
        return f"{self.name}: {self.machine_name}" if self.name else self.machine_name

    @property
    def machine_line(self) -> int | None:
        """Return the line of the document that names the machine, if it was read from one.

        Examples:
            >>> Guest.of("q35").machine_line is None
            True
        """
        return None if self.machine_origin is None else int(self.machine_origin.line)

    @classmethod
    def of(
        cls, machine: str, devices: Mapping[str, int] | Iterable[str] | None = None, *, arch: str = "x86_64"
    ) -> Guest:
        """Describe a guest without XML.

        Args:
            machine: a machine type, such as ``q35`` or ``pc-i440fx-9.2``.
            devices: how many of each model, by the names of QEMU's devices without ``-pci``
                (``virtio-blk``, ``virtio-net``, ``vga``; `DEVICE_MODELS` has all) and libvirt's names of PCI
                controllers (``pcie-root-port``); or texts as `pcisim.requests` reads them, such as
                ``virtio-blk,count=3,hotpluggable=on``.
            arch: the architecture, in libvirt's words, such as ``aarch64``.  On others than x86 the guest has ACPI,
                and the firmware for it, only if a device needs it.

        Raises:
            UsageError: an unknown model, or a count that is not a non-negative integer.

        Examples:
            >>> import pcisim
            >>> guest = pcisim.Guest.of("q35", ["virtio-blk=2", "virtio-net"])
            >>> [device.label for device in guest.all_devices()]
            ['disk:vda', 'disk:vdb', 'interface:0']
        """
        check_type(machine, str, "a machine type is a str, such as 'q35'")
        check_type(arch, str, "an architecture is a str, such as 'x86_64'")
        what = "devices are a table of counts, such as {'vga': 1}, or a list of texts, such as ['vga', 'virtio-blk=3']"
        check_type({} if devices is None else devices, (Mapping, list, tuple), what)
        guest = cls(machine, arch).extended(devices or {})
        guest.acpi = arch in X86 or bool(guest.devices.get("iommu"))
        return guest

    def add(self, row: DeviceModel, count: int = 1) -> list[Device]:
        """Add devices of a model under names that are not in use, and return them; `extended` changes no guest.

        Args:
            row: the model, as `device_model` returns it.
            count: how many.

        Examples:
            >>> Guest.of("q35", {"virtio-blk": 1}).add(device_model("virtio-blk"))
            [<Device disk:vdb virtio>]
        """
        element, _, kind = row.element.partition("/")
        plug = PLUGS[row.element].get(row.model, EXPRESS) if kind != "pci" else 0
        made: list[Device] = []
        if element == "controller":
            taken = {d.index for d in self.controllers if d.type == kind}
            if kind == "pci":
                taken.add(0)  # the root bus
            free = (n for n in itertools.count() if n not in taken)
            for index in itertools.islice(free, count):
                made.append(
                    Controller(element, f"{kind}:{index}", row.model, plug, type=kind, index=index, row=row.name)
                )
            self.controllers += [d for d in made if isinstance(d, Controller)]
            return made
        devices = self.devices.setdefault(element, [])
        if element == "disk":
            labels = {d.label for d in devices}
            free_disks = (n for n in itertools.count(len(devices)) if f"disk:{disk_target('vd', n)}" not in labels)
            for number in itertools.islice(free_disks, count):
                label = f"disk:{disk_target('vd', number)}"
                made.append(Device(element, label, row.model, plug, bus="virtio", unit=number, row=row.name))
        else:
            for number in range(len(devices), len(devices) + count):
                made.append(Device(element, f"{element}:{number}", row.model, plug, row=row.name))
        devices += made
        return made

    def extended(self, devices: Mapping[str, int] | Iterable[str]) -> Guest:
        """Return this guest with more devices.

        Args:
            devices: as for `of`.

        Raises:
            UsageError: as for `of`.

        Examples:
            >>> import pcisim
            >>> pcisim.Guest.of("q35", {"virtio-blk": 1}).extended({"virtio-blk": 2, "vga": 1})
            Guest.of('q35', {'virtio-blk': 3, 'vga': 1})
        """
        if isinstance(devices, (str, bytes)):
            raise WrongTypeError(
                f"devices are a mapping of counts or a list of texts, not the one string {devices!r}", code="wrong-type"
            )
        guest = evolved(self, devices={e: list(d) for e, d in self.devices.items()}, controllers=list(self.controllers))
        if isinstance(devices, Mapping):
            for name, count in devices.items():
                guest.add(device_model(name, controllers=True), whole_count(count, name))
            return guest
        from pcisim.requests import NO_WISH, read_request

        wishes = dict(self.wishes)
        for text in devices:
            check_type(text, str, "a device that is asked for is a str, such as 'virtio-blk=3'")
            name, number, wish = read_request(text)
            made = guest.add(device_model(name, controllers=True), whole_count(number, name))
            wishes.update({device.label: wish for device in made if wish != NO_WISH})
        return guest.wishing(wishes)

    def wishing(self, wishes: Mapping[str, Wish]) -> Guest:
        """Return this guest with more wishes; one without a document has the NUMA nodes that they name.

        Args:
            wishes: what is wished for of the places of devices, by label.

        Raises:
            UsageError: a node is not a number from 0 to 127.

        Examples:
            >>> import pcisim
            >>> from pcisim.requests import Wish
            >>> guest = pcisim.Guest.of("q35", {"virtio-blk": 1}).wishing({"disk:vda": Wish(hotpluggable=True)})
            >>> guest.wishes["disk:vda"].hotpluggable
            True
        """
        from pcisim.requests import MOST_NODES

        for label, wish in wishes.items():
            if wish.node is not None and (type(wish.node) is not int or not 0 <= wish.node < MOST_NODES):
                what = f"{label}: node is a number from 0 to {MOST_NODES - 1}, not {wish.node!r}"
                raise UsageError(what, code="node")
        highest = max((wish.node for wish in wishes.values() if wish.node is not None), default=-1)
        nodes = self.numa_nodes if self.document is not None else self.numa_nodes.union(range(highest + 1))
        return evolved(self, wishes={**self.wishes, **wishes}, numa_nodes=nodes)

    def all_devices(self) -> Iterator[Device]:
        """Yield every device and controller.

        Examples:
            >>> import pcisim
            >>> list(pcisim.Guest.of("q35", {"virtio-blk": 1, "pcie-root-port": 1}).all_devices())
            [<Controller pci:1 pcie-root-port>, <Device disk:vda virtio>]
        """
        yield from self.controllers
        for devices in self.devices.values():
            yield from devices


Copied = TypeVar("Copied", Device, Controller, Guest)


def evolved(item: Copied, **changes: Any) -> Copied:
    """Return a copy of a guest, a device or a controller with some of its attributes changed.

    Args:
        item: what to copy; a device keeps what it holds of the document.
        changes: new values, by attribute.
    """
    kind = item.__class__
    made = kind(*_VALUES[kind](item))
    for name, value in changes.items():
        setattr(made, name, value)
    return made


_VALUES: Mapping[type, Callable[[object], tuple[Any, ...]]] = {
    kind: operator.attrgetter(*kind.fields) for kind in (Device, Controller, Guest)
}
"""For each class what returns the values that it is made of."""


def whole_count(count: SupportsIndex, name: str) -> int:
    """Return how many of a device are asked for: an int, or what stands for one, such as a number of numpy's.

    Raises:
        UsageError: it is not an integer from 0 to `MOST_DEVICES`.
    """
    try:
        number = -1 if isinstance(count, bool) else operator.index(count)
    except TypeError:
        number = -1
    if number < 0:
        raise UsageError(f"the count of {name} must be a non-negative integer, not {count!r}", code="device-count")
    if number > MOST_DEVICES:
        raise UsageError(f"at most {MOST_DEVICES} devices of a model are tried: {name}", code="device-count")
    return number


def device_model(name: str, *, controllers: bool = False) -> DeviceModel:
    """Return the row of a device by QEMU's name.

    Args:
        name: the name, with or without ``-pci``.
        controllers: whether it may be a PCI controller, by libvirt's name.

    Raises:
        UsageError: there is no such row.
    """
    check_type(name, str, "the name of a device is a str, such as 'virtio-blk'")
    row = DEVICE_MODELS.get(name) or DEVICE_MODELS.get(name.removesuffix("-pci"))
    if row is None and controllers:
        row = CONTROLLER_MODELS.get(name)
    if row is None:
        asked = did_you_mean(name, [*DEVICE_MODELS, *(CONTROLLER_MODELS if controllers else ())])
        raise UsageError(
            f"unknown device {name!r}",
            code="unknown-device",
            details=(asked,) if asked else (),
            remedy="pcisim assign --device=help lists the models",
        )
    return row


def disk_target(prefix: str, number: int) -> str:
    """Return the name of a disk by its number: 0 is ``vda``, 26 is ``vdaa``."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return prefix + letters


def refuse(device: Device, headline: str, code: str, remedy: str = "", *details: str) -> RefusedError:
    """Return the refusal of a device, with its label and line."""
    return RefusedError(headline, code=code, details=details, remedy=remedy, line=device.line, parties=(device.label,))
