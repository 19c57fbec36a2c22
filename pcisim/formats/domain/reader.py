"""libvirt's domain XML, read into a `Guest`.

Source: libvirt rules 1 and 3; what is refused was verified against libvirt 11.3.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pcisim.address import USUAL_NUMBERS, parse_number, whole_number
from pcisim.catalogue.attribute_words import WORDS
from pcisim.catalogue.controllers import MODEL_NAMES, PCI_CONTROLLERS
from pcisim.catalogue.devices import (
    ADDRESS_UNREAD,
    PLACED_SINCE_11,
    PLUGS,
    READING,
    WALK,
)
from pcisim.catalogue.versions import Libvirt
from pcisim.catalogue.x86_machines import I440FX, Machine
from pcisim.errors import InputError, PcisimError, RefusedError
from pcisim.formats.domain.attributes import as_pci, bad, check_words, holder_of, short
from pcisim.formats.domain.devices import READ, DeviceReader, HostPci, serial_of
from pcisim.formats.domain.ram import ram_of
from pcisim.formats.domain.traits import guest_traits, read_traits
from pcisim.formats.xml.document import Document, Element, parse
from pcisim.guest import IGNORED, Controller, Device, Guest

Problem = tuple[Element, PcisimError]
"""What is wrong with an element."""

UNREADABLE = "?"
"""The model of a device of which something cannot be read."""

_KNOWN = frozenset(WALK)
_OF_SOME_MODELS = frozenset(tag for tag, _ in ADDRESS_UNREAD)
_READING = {element: place for place, element in enumerate(READING)}
_ON_OFF = ("on", "off")
_TARGET_NUMBERS = ("chassisNr", "chassis", "port", "busNr", "index")


def read(
    text: str | bytes | Document,
    rules: Libvirt,
    *,
    host_pci: HostPci | None = None,
    problems: list[Problem] | None = None,
) -> Guest:
    """Read domain XML.

    Args:
        text: the document, parsed or not.
        rules: the version of libvirt, which knows more or fewer words.
        host_pci: says which host devices are conventional; all others are PCI Express.
        problems: where to put what is wrong with single devices, instead of raising it; such a
            controller is left out, and such a device is there with the model `UNREADABLE` and no plug.

    Raises:
        InputError: it is not well-formed XML, or an attribute is out of syntax or range.
        RefusedError: it is not a domain, or libvirt refuses what it says.
    """
    document = text if isinstance(text, Document) else parse(text)
    return Reader(document, rules, host_pci, problems).guest()


def read_device(
    text: str | bytes, rules: Libvirt, machine: Machine = I440FX, *, host_pci: HostPci | None = None
) -> Device:
    """Read one device element, as for ``virsh attach-device``.

    Args:
        text: the document, whose root is the element.
        rules: as for `read`.
        machine: whose defaults are filled in.
        host_pci: as for `read`.

    Raises:
        InputError: as for `read`; or the root is not a device that has a place.
        RefusedError: libvirt refuses what it says.
    """
    document = parse(text)
    guest = Guest("", document=document)
    around = Element()
    around.children = [document.root]
    reader = Reader(document, rules, host_pci)
    reader.machine = machine
    reader._devices(around, guest)
    device = next(guest.all_devices(), None)
    if device is None:
        raise InputError(
            f"this is not a device that could have an address: the root element is <{document.root.tag}>",
            code="not-a-device",
            line=document.root.line,
            remedy="pass one device element, such as <interface>...</interface>",
        )
    return device


class Reader(DeviceReader):
    """One reading of a document."""

    def __init__(
        self, document: Document, rules: Libvirt, host_pci: HostPci | None, problems: list[Problem] | None = None
    ) -> None:
        super().__init__(rules, host_pci)
        self.problems = problems
        self.document = document

    def guest(self) -> Guest:
        """Read the domain."""
        root = self.document.root
        if root.tag != "domain":
            raise InputError(
                f"this is not a domain: unexpected root element <{short(root.tag)}>, expecting <domain>",
                code="not-a-domain",
                line=root.line,
                remedy="pass what 'virsh dumpxml' prints for a guest",
            )
        kinds: list[Element] = []
        cells: list[Element] = []
        guest = Guest("", document=self.document, acpi=False, read_ram=partial(ram_of, self.document))
        for child in root.children:
            if child.tag == "os":
                kinds += child.findall("type")[:1]
                loader = child.find("loader")
                if child.get("firmware") == "efi" or (loader is not None and loader.get("type") == "pflash"):
                    guest.firmware = "ovmf"
            elif child.tag == "features":
                guest.acpi |= child.find("acpi") is not None
            elif child.tag == "cpu":
                numa = child.find("numa")
                cells += numa.findall("cell") if numa is not None else []
        guest.numa_nodes = self._numa_nodes(cells)
        if not kinds:
            raise RefusedError(
                "an os <type> must be specified",
                code="no-os-type",
                line=root.line,
                remedy="add <os><type arch='x86_64' machine='q35'>hvm</type></os>",
            )
        guest.machine_origin = holder_of(kinds, "machine") or kinds[0]
        guest.machine_type = guest.machine_origin.get("machine") or ""
        of_arch = holder_of(kinds, "arch")
        guest.arch = (of_arch is not None and of_arch.get("arch")) or "x86_64"
        guest.traits = guest_traits(root, self.rules)
        self.machine = guest.machine
        parents = root.findall("devices")
        try:
            for devices in parents:
                self._devices(devices, guest)
        except PcisimError as error:
            raise self._first_refusal([child for parent in parents for child in parent.children]) or error from None
        return guest

    def _numa_nodes(self, cells: list[Element]) -> frozenset[int]:
        numbers: set[int] = set()
        for place, cell in enumerate(cells):
            number = parse_number(cell.get("id", str(place)) or "")
            if number in numbers:
                error = InputError(
                    f"Duplicate NUMA cell info for cell id '{number}'",
                    code="numa-node",
                    line=cell.line,
                    remedy="give each <cell> an id of its own",
                )
                if self.problems is None:
                    raise error
                self.problems.append((cell, error))
            if number is not None:
                numbers.add(number)
        return frozenset(numbers)

    def _devices(self, parent: Element, guest: Guest) -> None:
        for element in parent.children:
            try:
                self.read_one(element, guest)
            except PcisimError as error:
                error.parties = error.parties or (_label(element, guest),)
                if self.problems is None:
                    raise
                self.problems.append((element, error))
                if element.tag != "controller":
                    row = guest.devices.setdefault(element.tag, [])
                    row.append(Device(element.tag, f"{element.tag}:{len(row)}", UNREADABLE, origin=element))

    def _first_refusal(self, elements: list[Element]) -> PcisimError | None:
        """Return what libvirt refuses first: it reads one kind of devices after the other (libvirt rule 8.7)."""
        again = Reader(self.document, self.rules, self.host_pci)
        again.machine = self.machine
        around, guest = Element(), Guest("")
        around.children = sorted(elements, key=lambda element: _READING.get(element.tag, len(_READING)))
        try:
            again._devices(around, guest)
        except PcisimError as error:
            return error
        return None

    def read_one(self, element: Element, guest: Guest) -> Device | None:
        """Read a child of ``<devices>`` into a guest, and return the device that it is, if it is one."""
        tag = element.tag
        if tag in WORDS:
            check_words(element)
        if tag == "controller":
            controller = self._controller(element)
            guest.controllers.append(controller)
            return controller
        if tag in _KNOWN:
            lists = guest.devices
            row = lists.get(tag)
            if row is None:
                row = lists[tag] = []
            device = Device(tag, f"{tag}:{len(row)}")
            device.origin = element
            unread = tag in _OF_SOME_MODELS and (tag, element.attrib.get("model")) in ADDRESS_UNREAD
            if unread or (tag in PLACED_SINCE_11 and not self.rules.places_crypto_and_pstore):
                device.address_type = IGNORED
            else:
                self._place(element, device)
            fill = READ.get(tag)
            if fill is not None:
                fill(self, element, device)
            if not unread:
                read_traits(element, device, self.rules)
            if device.address_type is not None and device.address_type != IGNORED:
                self._other_bus(element, device)
            row.append(device)
            return device
        if tag == "graphics":
            guest.graphics = True
        return None

    def _place(self, element: Element, device: Device) -> None:
        """Read the address and the ACPI index of a device, of each of which the first counts."""
        numbered = False
        for child in element.children:
            if child.tag == "address":
                if device.address_type is None:
                    self._address(child, device)
            elif child.tag == "acpi" and not numbered:
                numbered = True
                self._acpi(child, device)

    # controllers

    def _controller(self, element: Element) -> Controller:
        attributes = element.attrib
        kind = attributes.get("type", "ide")
        index = attributes.get("index")
        tags = [child.tag for child in element.children]
        for tag in ("model", "target"):
            if tags.count(tag) > 1:
                raise self.refuse(
                    element,
                    f"Multiple <{tag}> elements in controller definition not allowed",
                    "second-element",
                    remedy="make one of the two",
                )
        controller = Controller("controller", f"{kind}:{index or '?'}", type=kind, origin=element)
        if "type" not in attributes:
            controller.defaults = {"@type": kind}
        if index is not None:
            controller.index = self._index(element, index)
            controller.label = f"{kind}:{controller.index}"
        model = attributes.get("model", "")
        if not model and "model" in attributes:
            raise self._unknown_model(
                element, model, PCI_CONTROLLERS if kind == "pci" else PLUGS.get(f"controller/{kind}", {})
            )
        if kind == "pci":
            self._pci_controller(element, controller, model)
        else:
            plugs = PLUGS.get(f"controller/{kind}")
            if plugs is None:
                raise bad(element, "type", kind, code="unknown-word")
            self.since(element, "controller", "type", kind)
            if model and not (kind == "scsi" and model == "auto") and model not in plugs:
                raise self._unknown_model(element, model, plugs)
            controller.model = model
            controller.plug = plugs.get(model, 0)
            if kind == "usb" and model != "none":
                self._companion(element, controller)
            if kind == "nvme":
                controller.serial = serial_of(element)
            if kind in ("usb", "virtio-serial") and "ports" in attributes:
                controller.ports = self._index(element, attributes["ports"], "ports")
        address = element.find("address") if "address" in tags else None
        if kind != "pci" and (f"controller/{kind}", model) in ADDRESS_UNREAD:
            controller.address_type = None if address is None else IGNORED
            return controller
        if "acpi" in tags:
            self._acpi(element.children[tags.index("acpi")], controller)
        read_traits(element, controller, self.rules)
        if address is not None:
            self._address(address, controller)
            self._other_bus(element, controller)
            if kind == "pci" and address.attrib["type"] != "pci":
                controller.read_as = as_pci(address)
        return controller

    def _index(self, element: Element, text: str, attribute: str = "index") -> int:
        digits = text.strip(" \t\r\n").removeprefix("+")
        if digits.startswith("-") and digits[1:].isdigit():
            raise bad(element, attribute, text, "non-negative value", "bad-number")
        if not digits.isascii() or not digits.isdigit() or text[-1:].isspace():
            raise bad(element, attribute, text, "integer value", "bad-number")
        value = whole_number(digits)
        if value > 0x7FFFFFFF:
            raise bad(element, attribute, text, "integer value", "bad-number")
        return value

    def _unknown_model(self, element: Element, model: str, allowed: Mapping[str, object]) -> RefusedError:
        return self.refuse(
            element,
            f"Unknown model type '{short(model)}'",
            "unknown-model",
            f"known: {', '.join(word for word in allowed if word)}",
        )

    def _companion(self, element: Element, controller: Controller) -> None:
        master = element.find("master")
        if master is not None:
            text = master.attrib.get("startport")
            if text is not None:
                controller.start_port = self.number(master, "startport", text)
            controller.companion = True

    def _pci_controller(self, element: Element, controller: Controller, model: str) -> None:
        if model and model not in PCI_CONTROLLERS:
            raise self._unknown_model(element, model, PCI_CONTROLLERS)
        if not model and controller.index:
            raise self.refuse(
                element,
                "PCI controller model was not set correctly",
                "no-model",
                "a PCI controller needs a model",
                remedy="write model='pcie-root-port' (q35) or model='pci-bridge' (pc)",
            )
        controller.model = model
        for child in element.children:
            if child.tag == "model":
                name = child.attrib.get("name")
                if name is not None and name not in MODEL_NAMES:
                    raise bad(child, "name", name, code="unknown-word")
                controller.model_name = name or ""
            elif child.tag == "target":
                self._target(child, controller)

    def _target(self, element: Element, controller: Controller) -> None:
        for name, text in element.attrib.items():
            if name in _TARGET_NUMBERS:
                value = USUAL_NUMBERS.get(text)
                if value is None:
                    value = parse_number(text, limit=0x7FFFFFFF, binary=self.rules.binary_numbers)
                if value is None:
                    negative = text.strip().startswith("-")
                    raise bad(element, name, text, "non-negative value" if negative else "integer value", "bad-number")
                controller.target[name] = value
            elif name == "hotplug":
                if text not in _ON_OFF:
                    raise bad(element, name, text, "'on' or 'off'")
                controller.target[name] = text
            elif name == "memReserve" and self.rules.memory_reserve:
                value = parse_number(text, limit=0xFFFF_FFFF_FFFF_FFFF, binary=self.rules.binary_numbers)
                if value is None:
                    raise bad(element, name, text, "non-negative integer value", "bad-number")
                controller.target[name] = value
        node = element.find("node")
        if node is not None and node.text:
            value = parse_number(node.text.strip())
            if value is None:
                raise InputError(
                    "invalid NUMA node in target", code="bad-number", line=node.line,
                    details=(f"<node> holds {short(node.text)!r}, a number is needed",),
                )  # fmt: skip
            controller.target["node"] = value


def _label(element: Element, guest: Guest) -> str:
    """Return the label of an element that may be unreadable."""
    tag = element.tag
    if tag == "controller":
        return f"{element.get('type') or 'ide'}:{short(element.get('index') or '?')}"
    target = element.find("target") if tag == "disk" else None
    name = target.get("dev") if target is not None else None
    return f"disk:{short(name)}" if name else f"{tag}:{len(guest.devices.get(tag, ()))}"
