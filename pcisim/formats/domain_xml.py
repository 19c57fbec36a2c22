"""libvirt's domain XML: text to `Guest`, and a placed guest back into the same text.

Source: sections 1 and 3 of the rules; what is refused was asked of libvirt 11.3.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pcisim.address import MAX_BUS, MAX_FUNCTION, MAX_SLOT, USUAL_NUMBERS, PciAddress, out_of_range, pack, parse_number
from pcisim.catalogue.controllers import MODEL_NAMES, PCI_CONTROLLERS
from pcisim.catalogue.devices import (
    ADDRESS_DROPPED,
    ADDRESS_TYPES,
    DISK_PREFIX_BUSES,
    KNOWN_SINCE_11,
    PLUGS,
    WALK,
)
from pcisim.catalogue.versions import Libvirt
from pcisim.connector import CONVENTIONAL, EXPRESS
from pcisim.errors import InputError, PcisimError, RefusedError
from pcisim.formats._xml import Document, Element, parse
from pcisim.guest import IGNORED, Controller, Device, Guest, disk_target

HostPci = Callable[[PciAddress], bool]
"""Says whether a host device is conventional, by its address on the host."""

Problem = tuple[Element, PcisimError]
"""What is wrong with an element."""

UNREADABLE = "?"
"""The model of a device of which something cannot be read."""

_ON_OFF = ("on", "off")
_INTERFACE_MODELS = MappingProxyType({name.lower(): name for name in PLUGS["interface"]})
_INTERFACE_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_DISK_BUSES = frozenset({"ide", "fdc", "scsi", "virtio", "xen", "usb", "uml", "sata", "sd"})
_TARGET_NUMBERS = ("chassisNr", "chassis", "port", "busNr", "index")


def read(
    text: str | bytes,
    rules: Libvirt,
    *,
    host_pci: HostPci | None = None,
    problems: list[Problem] | None = None,
) -> Guest:
    """Read domain XML.

    Args:
        text: the document.
        rules: the version of libvirt, which knows more or fewer words.
        host_pci: says which host devices are conventional; all others are PCI Express.
        problems: where to put what is wrong with single devices, instead of raising it; such a
            controller is left out, and such a device is there with the model `UNREADABLE` and no plug.

    Raises:
        InputError: it is not well-formed XML, or an attribute is out of syntax or range.
        RefusedError: it is no domain, or libvirt refuses what it says.
    """
    return _Reader(parse(text), rules, host_pci, problems).guest()


def read_device(text: str | bytes, rules: Libvirt, *, host_pci: HostPci | None = None) -> Device:
    """Read one device element, as for ``virsh attach-device``.

    Args:
        text: the document, whose root is the element.
        rules: as for `read`.
        host_pci: as for `read`.

    Raises:
        InputError: as for `read`; or the root is no device that has a place.
        RefusedError: libvirt refuses what it says.
    """
    document = parse(text)
    guest = Guest("", document=document)
    around = Element()
    around.children = [document.root]
    _Reader(document, rules, host_pci)._devices(around, guest)
    device = next(guest.all_devices(), None)
    if device is None:
        raise InputError(
            f"this is no device that could have an address: the root element is <{document.root.tag}>",
            code="not-a-device",
            line=document.root.line,
            remedy="pass one device element, such as <interface>...</interface>",
        )
    return device


class _Reader:
    """One reading of a document."""

    def __init__(
        self, document: Document, rules: Libvirt, host_pci: HostPci | None, problems: list[Problem] | None = None
    ) -> None:
        self.problems = problems
        self.document = document
        self.rules = rules
        self.host_pci = host_pci
        self.numbers: dict[str, int | None] = {}
        self.known = frozenset(WALK)

    def guest(self) -> Guest:
        root = self.document.root
        if root.tag != "domain":
            raise InputError(
                f"this is no domain: the root element is <{root.tag}>, expecting <domain>",
                code="not-a-domain",
                line=root.line,
                remedy="pass what 'virsh dumpxml' prints for a guest",
            )
        kind = None
        guest = Guest("", document=self.document, acpi=False)
        for child in root.children:
            if child.tag == "os":
                kind = child.find("type")
                loader = child.find("loader")
                if child.get("firmware") == "efi" or (loader is not None and loader.get("type") == "pflash"):
                    guest.firmware = "ovmf"
            elif child.tag == "features":
                guest.acpi = child.find("acpi") is not None
            elif child.tag == "cpu":
                guest.numa_nodes = _numa_nodes(child)
        if kind is None:
            raise RefusedError(
                "an os <type> must be specified",
                code="no-os-type",
                line=root.line,
                remedy="add <os><type arch='x86_64' machine='q35'>hvm</type></os>",
            )
        guest.machine_type = kind.get("machine") or ""
        guest.arch = kind.get("arch") or "x86_64"
        devices = root.find("devices")
        if devices is not None:
            self._devices(devices, guest)
        return guest

    def _devices(self, parent: Element, guest: Guest) -> None:
        for element in parent.children:
            try:
                self._one(element, guest)
            except PcisimError as error:
                if self.problems is None:
                    raise
                self.problems.append((element, error))
                if element.tag != "controller":
                    row = guest.devices.setdefault(element.tag, [])
                    row.append(Device(element.tag, f"{element.tag}:{len(row)}", UNREADABLE, origin=element))
        disks = guest.devices.get("disk")
        if disks:
            self._check_targets(disks)

    def _one(self, element: Element, guest: Guest) -> None:
        tag = element.tag
        if tag == "controller":
            guest.controllers.append(self._controller(element))
        elif tag in self.known:
            lists = guest.devices
            row = lists.get(tag)
            if row is None:
                row = lists[tag] = []
            device = Device(tag, f"{tag}:{len(row)}")
            device.origin = element
            for child in element.children:
                name = child.tag
                if name == "address":
                    if device.address_type is None:
                        self._address(child, device)
                elif name == "acpi":
                    self._acpi(child, device)
            fill = _READ.get(tag)
            if fill is not None:
                fill(self, element, device)
            if device.address_type == "pci" and (
                (tag, device.model) in ADDRESS_DROPPED or (tag == "channel" and device.bus == "virtio")
            ):
                device.address_type, device.address = IGNORED, None
            row.append(device)
        elif tag == "graphics":
            guest.graphics = True

    def _check_targets(self, disks: list[Device]) -> None:
        seen: dict[str, Device] = {}
        for disk in disks:
            first = seen.setdefault(disk.label, disk)
            if first is not disk:
                error = self.refuse(
                    disk.origin,
                    f"target '{disk.label[5:]}' duplicated for disk sources",
                    "duplicate-target",
                    f"the first one is on line {first.line}",
                    remedy="give one of the two another target",
                    parties=(disk.label, first.label),
                )
                if self.problems is None:
                    raise error
                self.problems.append((disk.origin, error))
                disk.model, disk.plug, disk.bus, disk.label = UNREADABLE, 0, "", f"{disk.label} (line {disk.line})"

    # errors

    def bad(
        self, element: Element, attribute: str, value: str, expected: str = "", code: str = "bad-attribute"
    ) -> InputError:
        text = f"Invalid value for attribute '{attribute}' in element '{element.tag}': '{_short(value)}'."
        return InputError(text + (f" Expected {expected}" if expected else ""), code=code, line=element.line)

    def missing(self, element: Element, attribute: str) -> InputError:
        return InputError(
            f"Missing required attribute '{attribute}' in element '{element.tag}'",
            code="missing-attribute",
            line=element.line,
        )

    def refuse(
        self,
        element: Element,
        headline: str,
        code: str,
        *details: str,
        remedy: str = "",
        parties: tuple[str, ...] = (),
    ) -> RefusedError:
        return RefusedError(headline, code=code, details=details, remedy=remedy, line=element.line, parties=parties)

    # attributes

    def number(self, element: Element, attribute: str, text: str) -> int:
        """Return a non-negative number with an automatic base."""
        usual = USUAL_NUMBERS.get(text)
        if usual is not None:
            return usual
        numbers = self.numbers
        if text in numbers:
            value = numbers[text]
        else:
            value = numbers[text] = parse_number(text, binary=self.rules.binary_numbers)
        if value is None:
            raise self.bad(element, attribute, text, "non-negative integer value", "bad-number")
        return value

    def word(self, element: Element, attribute: str, allowed: Mapping[str, int]) -> str:
        """Return a required attribute that must be one of the words of a table."""
        value = element.attrib.get(attribute)
        if value is None:
            raise self.missing(element, attribute)
        if value not in allowed:
            raise self.unknown(element, attribute, value, allowed)
        return value

    def unknown(self, element: Element, attribute: str, value: str, allowed: Mapping[str, int]) -> InputError:
        error = self.bad(element, attribute, value, code="unknown-word")
        words = ", ".join(word for word in allowed if word)
        error.details = (f"known: {words}",) if words else ()
        return error

    def since(self, element: Element, tag: str, attribute: str, value: str) -> None:
        if not self.rules.places_newcomers and (tag, value) in KNOWN_SINCE_11:
            raise self.bad(element, attribute, value, f"a word that libvirt {self.rules.version} knows", "unknown-word")

    def _address(self, element: Element, device: Device) -> None:
        attributes = element.attrib
        kind = attributes.get("type")
        if kind is None:
            raise self.missing(element, "type")
        device.address_type = kind
        if kind != "pci":
            if kind not in ADDRESS_TYPES:
                raise self.bad(element, "type", kind, code="address-type")
            return
        domain = bus = slot = function = 0
        usual = USUAL_NUMBERS
        for name, text in attributes.items():
            if name == "bus":
                bus = usual[text] if text in usual else self.number(element, name, text)
            elif name == "slot":
                slot = usual[text] if text in usual else self.number(element, name, text)
            elif name == "function":
                function = usual[text] if text in usual else self.number(element, name, text)
            elif name == "domain":
                domain = usual[text] if text in usual else self.number(element, name, text)
            elif name == "multifunction" and text not in _ON_OFF:
                raise self.bad(element, name, text, "'on' or 'off'")
        if element.children:
            self._zpci(element)
        if not (domain or bus or slot):
            return
        if bus > MAX_BUS or slot > MAX_SLOT or function > MAX_FUNCTION:
            for name, value, limit in (
                ("bus", bus, MAX_BUS),
                ("slot", slot, MAX_SLOT),
                ("function", function, MAX_FUNCTION),
            ):
                if value > limit:
                    raise InputError(
                        out_of_range(name, value, limit),
                        code="address-range",
                        line=element.line,
                        remedy=f"a {name} is a number from 0 to {limit:#x}",
                        parties=(device.label,),
                    )
        device.address = domain << 16 | bus << 8 | slot << 3 | function
        device.multifunction = attributes.get("multifunction")

    def _acpi(self, element: Element, device: Device) -> None:
        text = element.attrib.get("index")
        if text is not None:
            device.acpi_index = self.number(element, "index", text)
            if not device.acpi_index:
                raise InputError(
                    "Invalid value for attribute 'index' in element 'acpi': Zero is not permitted",
                    code="acpi-index",
                    line=element.line,
                    remedy="number the devices from 1",
                )

    def _zpci(self, element: Element) -> None:
        if element.find("zpci") is not None:
            raise self.refuse(
                element,
                "This QEMU binary doesn't support zPCI",
                "zpci",
                "only s390 guests have zPCI addresses",
                remedy="take the <zpci> element out",
            )

    # controllers

    def _controller(self, element: Element) -> Controller:
        attributes = element.attrib
        kind = attributes.get("type", "ide")
        index = attributes.get("index")
        controller = Controller("controller", f"{kind}:{index or '?'}", type=kind, origin=element)
        if index is not None:
            controller.index = self._index(element, index)
            controller.label = f"{kind}:{controller.index}"
        model = attributes.get("model", "")
        if kind == "pci":
            self._pci_controller(element, controller, model)
        else:
            plugs = PLUGS.get(f"controller/{kind}")
            if plugs is None:
                raise self.bad(element, "type", kind, code="unknown-word")
            if model and not (kind == "scsi" and model == "auto") and model not in plugs:
                raise self._unknown_model(element, model, plugs)
            controller.model = model
            controller.plug = plugs.get(model, 0)
            if kind == "usb":
                self._companion(element, controller)
            elif kind == "virtio-serial" and "ports" in attributes:
                controller.ports = self._index(element, attributes["ports"], "ports")
        address = element.find("address")
        if address is not None:
            self._address(address, controller)
            if address.attrib["type"] == "pci" and (f"controller/{kind}", controller.model) in ADDRESS_DROPPED:
                controller.address_type, controller.address = IGNORED, None
        return controller

    def _index(self, element: Element, text: str, attribute: str = "index") -> int:
        digits = text.strip(" \t\r\n").removeprefix("+")
        if digits.startswith("-") and digits[1:].isdigit():
            raise self.bad(element, attribute, text, "non-negative value", "bad-number")
        if not digits.isascii() or not digits.isdigit() or text[-1:].isspace() or len(digits) > 4000:
            raise self.bad(element, attribute, text, "integer value", "bad-number")
        value = int(digits)
        if value > 0x7FFFFFFF:
            raise self.bad(element, attribute, text, "integer value", "bad-number")
        return value

    def _unknown_model(self, element: Element, model: str, allowed: Mapping[str, object]) -> RefusedError:
        return self.refuse(
            element,
            f"Unknown model type '{_short(model)}'",
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
                    raise self.bad(child, "name", name, code="unknown-word")
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
                    raise self.bad(
                        element, name, text, "non-negative value" if negative else "integer value", "bad-number"
                    )
                controller.target[name] = value
            elif name == "hotplug":
                if text not in _ON_OFF:
                    raise self.bad(element, name, text, "'on' or 'off'")
                controller.target[name] = text
            elif name == "memReserve" and self.rules.memory_reserve:
                controller.target[name] = self.number(element, name, text)
        node = element.find("node")
        if node is not None:
            value = parse_number(node.text.strip())
            if value is None:
                raise InputError(
                    "invalid NUMA node in target", code="bad-number", line=node.line,
                    details=(f"<node> holds {_short(node.text)!r}, a number is needed",),
                )  # fmt: skip
            controller.target["node"] = value

    # devices, one function an element

    def _disk(self, element: Element, device: Device) -> None:
        target = element.find("target")
        name = target.attrib.get("dev") if target is not None else None
        if target is None or not name:
            raise self.refuse(
                element,
                "missing target information for device",
                "no-target",
                remedy="add <target dev='vda' bus='virtio'/>",
            )
        device.label = f"disk:{name}"
        bus = target.attrib.get("bus")
        prefix, number = _disk_number(name)
        device.unit = number
        if bus is None:
            bus = "fdc" if element.attrib.get("device") == "floppy" else prefix or "ide"
            device.defaults = {"target/@bus": bus}
        elif bus not in _DISK_BUSES:
            raise self.bad(target, "bus", bus, code="unknown-word")
        if number is None and device.address_type is None:
            raise InputError(
                f"Unknown disk name '{_short(name)}' and no address specified",
                code="disk-name",
                line=target.line,
                remedy="name it vda, vdb, ... (sd, hd, fd, xvd for other buses)",
            )
        device.bus = bus
        if bus == "virtio":
            model = element.attrib.get("model") or "virtio"
            if model not in PLUGS["disk"]:
                raise self.unknown(element, "model", model, PLUGS["disk"])
            device.model = model
            device.plug = PLUGS["disk"][model]
        if device.address_type == "drive":
            self._drive(element, device)

    def _drive(self, element: Element, device: Device) -> None:
        address = element.find("address")
        assert address is not None
        place = [self.number(address, n, address.get(n, "0") or "0") for n in ("controller", "bus", "target", "unit")]
        device.controller = place[0]
        device.drive = (place[1], place[2], place[3])

    def _interface(self, element: Element, device: Device) -> None:
        device.bus = element.attrib.get("type", "")
        model = element.find("model")
        name = model.attrib.get("type") if model is not None else None
        if name:
            if not _INTERFACE_LETTERS.issuperset(name):
                raise InputError(
                    "Model name contains invalid characters",
                    code="interface-model",
                    line=element.line,
                    details=(f"the model is {_short(name)!r}",),
                    remedy="letters, digits, - and _ are allowed",
                )
            known = _INTERFACE_MODELS.get(name.lower())
            if known is not None and known != name:
                device.defaults = {"model/@type": known}
            device.model = known or name
        if device.bus == "hostdev":
            device.plug = self._host_plug(element)
        elif name:
            device.plug = PLUGS["interface"].get(device.model, EXPRESS)
            if device.model == "usb-net" and not self.rules.usb_net_is_usb:
                device.plug = NO_CLASS_9_0

    def _hostdev(self, element: Element, device: Device) -> None:
        if element.attrib.get("mode", "subsystem") != "subsystem":
            return
        kind = element.attrib.get("type")
        if kind is None:
            raise self.missing(element, "type")
        device.bus = kind
        model = element.attrib.get("model")
        device.model = kind
        if kind == "pci":
            device.plug = self._host_plug(element)
        elif kind == "mdev":
            device.model = model or "mdev"
            device.plug = EXPRESS if model == "vfio-pci" else 0
        elif kind == "scsi_host":
            device.model = f"scsi_host:{model or 'virtio'}"
            if device.model not in PLUGS["hostdev"]:
                raise self.bad(element, "model", model or "", code="unknown-word")
            device.plug = PLUGS["hostdev"][device.model]
        elif kind not in PLUGS["hostdev"]:
            raise self.bad(element, "type", kind, code="unknown-word")
        elif kind == "scsi" and device.address_type == "drive":
            self._drive(element, device)

    def _host_plug(self, element: Element) -> int:
        """Return the plug of a host device: PCI Express unless somebody knows better (rule 3.3)."""
        if self.host_pci is None:
            return EXPRESS
        source = element.find("source")
        address = source.find("address") if source is not None else None
        if address is None:
            return EXPRESS
        parts = {n: self.number(address, n, address.attrib.get(n, "0")) for n in ("domain", "bus", "slot", "function")}
        if parts["bus"] > MAX_BUS or parts["slot"] > MAX_SLOT or parts["function"] > MAX_FUNCTION:
            return EXPRESS
        return CONVENTIONAL if self.host_pci(PciAddress.from_int(pack(**parts))) else EXPRESS

    def _model_attribute(self, element: Element, device: Device) -> None:
        """Read a device whose model is a required attribute of its own."""
        plugs = PLUGS[device.element]
        device.model = self.word(element, "model", plugs)
        self.since(element, device.element, "model", device.model)
        device.plug = plugs[device.model]

    def _newcomer(self, element: Element, device: Device) -> None:
        """Read an element that libvirt 9.0 does not place."""
        if not self.rules.places_newcomers:
            device.address_type, device.address = IGNORED, None
        else:
            attribute = "backend" if device.element == "pstore" else "model"
            device.model = self.word(element, attribute, PLUGS[device.element])
            device.plug = PLUGS[device.element][device.model]

    def _video(self, element: Element, device: Device) -> None:
        model = element.find("model")
        if model is None:
            return
        kind = model.attrib.get("type")
        if kind is not None:
            if kind not in PLUGS["video"]:
                raise self.unknown(model, "type", kind, PLUGS["video"])
            device.model = kind
            device.plug = PLUGS["video"][kind]
        device.primary = model.attrib.get("primary") == "yes"

    def _filesystem(self, element: Element, device: Device) -> None:
        driver = element.find("driver")
        kind = driver.attrib.get("type", "") if driver is not None else ""
        if kind in ("", "path", "handle"):
            kind = element.attrib.get("model") or "virtio"
        else:
            self.since(element, "filesystem", "type", kind)
        if kind not in PLUGS["filesystem"]:
            raise self.unknown(driver if driver is not None else element, "type", kind, PLUGS["filesystem"])
        device.model = kind
        device.plug = PLUGS["filesystem"][kind]

    def _shmem(self, element: Element, device: Device) -> None:
        model = element.find("model")
        device.model = self.word(model, "type", PLUGS["shmem"]) if model is not None else "ivshmem"
        device.plug = CONVENTIONAL

    def _input(self, element: Element, device: Device) -> None:
        bus = element.attrib.get("bus")
        kind = element.attrib.get("type")
        if kind is None:
            raise self.refuse(element, "missing input device type", "missing-attribute", remedy="add type='tablet'")
        if bus is None:
            bus = {"passthrough": "virtio", "evdev": "none", "mouse": "ps2", "keyboard": "ps2"}.get(kind, "usb")
            device.defaults = {"@bus": bus} if bus != "none" else {}
        if bus not in ("ps2", "usb", "virtio", "xen", "parallels", "none"):
            raise self.refuse(element, f"unknown input bus type '{_short(bus)}'", "unknown-word")
        device.bus = bus
        device.kind = kind
        if bus == "virtio":
            model = element.attrib.get("model") or "virtio"
            if model not in PLUGS["input"]:
                raise self.unknown(element, "model", model, PLUGS["input"])
            device.model = model
            device.plug = PLUGS["input"][model]

    def _vsock(self, element: Element, device: Device) -> None:
        if "model" in element.attrib:
            self._model_attribute(element, device)

    def _memory(self, element: Element, device: Device) -> None:
        self._model_attribute(element, device)

    def _panic(self, element: Element, device: Device) -> None:
        if "model" in element.attrib:
            self._model_attribute(element, device)
        else:
            device.model = "isa"

    def _serial(self, element: Element, device: Device) -> None:
        target = element.find("target")
        kind = target.attrib.get("type") if target is not None else None
        if kind is not None:
            if kind not in PLUGS["serial"]:
                raise self.refuse(
                    element, f"unknown target type '{_short(kind)}' specified for character device", "unknown-word"
                )
            device.model = kind
            device.plug = PLUGS["serial"][kind]

    def _port(self, element: Element, device: Device) -> None:
        """Read a channel or console, of which only those of type virtio hang on a controller."""
        target = element.find("target")
        device.bus = (target.attrib.get("type") or "") if target is not None else ""
        if device.bus == "virtio" and device.address_type == "virtio-serial":
            address = element.find("address")
            assert address is not None
            device.controller = self.number(address, "controller", address.attrib.get("controller", "0"))
            device.unit = self.number(address, "port", address.attrib.get("port", "0"))


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def _numa_nodes(cpu: Element) -> frozenset[int]:
    numa = cpu.find("numa")
    if numa is None:
        return frozenset()
    cells = numa.findall("cell")
    numbers = (parse_number(cell.get("id", str(place)) or "") for place, cell in enumerate(cells))
    return frozenset(number for number in numbers if number is not None)


def _disk_number(name: str) -> tuple[str, int | None]:
    """Return the default bus and the number of a disk's target: ``vdb1`` is number 1 on virtio."""
    for length in (2, 3):
        bus = _DISK_BUS_OF.get(name[:length])
        if bus is not None:
            letters = name[length:]
            if letters in _DISK_NUMBERS:
                return bus, _DISK_NUMBERS[letters]
            letters = letters.rstrip("0123456789")
            if not letters or not _SMALL.issuperset(letters):
                return bus, None
            number = 0
            for letter in letters[:8]:
                number = number * 26 + ord(letter) - 96
            return bus, number - 1
    return "", None


_DISK_BUS_OF = dict(DISK_PREFIX_BUSES)
_SMALL = frozenset("abcdefghijklmnopqrstuvwxyz")
_DISK_NUMBERS = {disk_target("", number): number for number in range(26 + 26 * 26)}
"""The numbers of the letters ``a`` to ``zz``, which nearly all disks have."""

NO_CLASS_9_0 = PLUGS["controller/isa"][""]
"""What libvirt 9.0 makes of an interface of model usb-net: it asks for a place, and no bus takes it."""

_Fill = Callable[[_Reader, Element, Device], None]
_READ: Mapping[str, _Fill] = MappingProxyType(
    {
        "disk": _Reader._disk,
        "interface": _Reader._interface,
        "hostdev": _Reader._hostdev,
        "sound": _Reader._model_attribute,
        "video": _Reader._video,
        "filesystem": _Reader._filesystem,
        "memballoon": _Reader._model_attribute,
        "rng": _Reader._model_attribute,
        "watchdog": _Reader._model_attribute,
        "shmem": _Reader._shmem,
        "input": _Reader._input,
        "vsock": _Reader._vsock,
        "memory": _Reader._memory,
        "iommu": _Reader._model_attribute,
        "crypto": _Reader._newcomer,
        "pstore": _Reader._newcomer,
        "panic": _Reader._panic,
        "serial": _Reader._serial,
        "console": _Reader._port,
        "channel": _Reader._port,
    }
)
