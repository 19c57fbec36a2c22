"""The devices of domain XML: one function an element.

Source: libvirt rules 1 and 3; what is refused was verified against libvirt 9.0.0 and 11.3.0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from pcisim.address import (
    MAX_BUS,
    MAX_FUNCTION,
    MAX_SLOT,
    MAX_UID,
    USUAL_NUMBERS,
    PciAddress,
    out_of_range,
    pack,
    parse_number,
)
from pcisim.catalogue.attribute_words import (
    CCW_LIMITS,
    FORMER_WORDING,
    INVALID,
    SERIAL_MODEL_MACHINES,
    SERIAL_MODELS,
    VIDEO_DEVICES,
)
from pcisim.catalogue.connectors import CONVENTIONAL, EXPRESS, NO_CLASS
from pcisim.catalogue.devices import (
    ADDRESS_DROPPED,
    ADDRESS_TYPES,
    DISK_PREFIX_BUSES,
    ELSEWHERE_ON,
    KNOWN_SINCE,
    ON_SPAPR_VIO,
    PLUGS,
    USB_DISK_MODELS,
    interface_plug,
)
from pcisim.catalogue.versions import Libvirt, first_with
from pcisim.catalogue.x86_machines import I440FX
from pcisim.errors import InputError, RefusedError
from pcisim.formats.domain.attributes import bad, check_address, holder_of, missing, number_of, short, unknown, words_of
from pcisim.formats.xml.document import Element
from pcisim.guest import IGNORED, Controller, Device, disk_target

HostPci = Callable[[PciAddress], bool]
"""Says whether a host device is conventional, by its address on the host."""

_ON_OFF = ("on", "off")
_INTERFACE_MODELS = MappingProxyType({name.lower(): name for name in PLUGS["interface"]})
_FILESYSTEM_DRIVERS = ("path", "handle", *(name for name in PLUGS["filesystem"] if name not in PLUGS["disk"]))
_MDEV_MODELS = ("vfio-pci", "vfio-ap", "vfio-ccw")
_INTERFACE_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_DISK_BUSES = frozenset({"ide", "fdc", "scsi", "virtio", "xen", "usb", "uml", "sata", "sd", "nvme"})
_FORMER_PREFIX = "ioemu:"
"""How the targets of emulated disks once began under Xen; libvirt takes it off."""
_WHICH_HOST_DEVICE = (
    "add <source><address type='pci' domain='0x0000' bus='0x06' slot='0x00' function='0x0'/></source>: the device of"
    " the host"
)
_DISK_REMEDIES = {"floppy": "write bus='fdc'"}


def refused_later(device: Device, headline: str, code: str, remedy: str, *, by_emulator: bool = False) -> None:
    """Note what libvirt refuses of a device by itself once everything has its place (libvirt rule 8.7).

    Args:
        device: the device.
        headline: libvirt's words.
        code: the code of the refusal.
        remedy: what to do about it.
        by_emulator: whether its driver of QEMU refuses it, after the address is judged.
    """
    name = "refused_by_emulator" if by_emulator else "refused"
    device.traits = {name: (headline, code, remedy), **device.traits}


_NEVER_ON_PCI = frozenset({"channel", *(name for name, _ in {*ADDRESS_DROPPED, *ON_SPAPR_VIO, *ELSEWHERE_ON})})
"""Elements of which some models have no address on PCI, whatever is written."""


class DeviceReader:
    """Reads devices as a version of libvirt does.

    Args:
        rules: the version.
        host_pci: says which host devices are conventional; all others are PCI Express.
    """

    def __init__(self, rules: Libvirt, host_pci: HostPci | None) -> None:
        self.rules = rules
        self.host_pci = host_pci
        self.machine = I440FX
        """Whose defaults are filled in."""
        self.numbers: dict[str, int | None] = {}
        self.ccw: dict[tuple[int, int, int], Device] = {}
        """Who has which CCW address."""

    def refuse(
        self,
        element: Element,
        headline: str,
        code: str,
        *details: str,
        remedy: str = "",
        parties: tuple[str, ...] = (),
    ) -> RefusedError:
        """Return the refusal of an element, with its line."""
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
            raise bad(element, attribute, text, "non-negative integer value", "bad-number")
        return value

    def word(self, element: Element, attribute: str, allowed: Mapping[str, int]) -> str:
        """Return a required attribute that must be one of the words of a table."""
        value = element.attrib.get(attribute)
        if value is None:
            raise missing(element, attribute)
        if value not in allowed:
            raise unknown(element, attribute, value, allowed, self.form(element.tag))
        return value

    def since(self, element: Element, tag: str, attribute: str, value: str) -> None:
        """Refuse a word that only a newer libvirt knows."""
        difference = KNOWN_SINCE.get((tag, value))
        if difference is not None and not getattr(self.rules, difference):
            error = unknown(element, attribute, value, (), self.form(tag))
            error.details = (f"libvirt {self.rules.version} does not know it, {first_with(difference)} does",)
            error.remedy = f"ask for --libvirt {first_with(difference)}, or write another word"
            raise error

    def form(self, tag: str) -> str:
        """Return what libvirt says of an unknown word in the model of an element."""
        return INVALID if self.rules.words_of_address_types else FORMER_WORDING.get(tag, INVALID)

    def _address(self, element: Element, device: Device) -> None:
        attributes = element.attrib
        kind = attributes.get("type")
        if kind is None:
            if self.rules.words_of_address_types:
                raise missing(element, "type")
            raise InputError("No type specified for device address", code="missing-attribute", line=element.line)
        device.address_type = kind
        if kind != "pci":
            if kind not in ADDRESS_TYPES:
                form = INVALID if self.rules.words_of_address_types else "unknown address type '{value}'"
                raise bad(element, "type", kind, code="address-type", form=form)
            if kind == "virtio-s390":
                raise self.refuse(
                    element, "virtio-s390 bus doesn't have an address", "wrong-address-type",
                    remedy="leave the address out",
                )  # fmt: skip
            check_address(element)
            if kind == "ccw":
                self._ccw(element, device)
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
                raise bad(element, name, text, "'on' or 'off'")
        if element.children:
            self._zpci(element, device)
        if not (domain or bus or slot):
            return
        if bus > MAX_BUS or slot > MAX_SLOT or function > MAX_FUNCTION:
            for name, value, limit in (
                ("bus", bus, MAX_BUS),
                ("slot", slot, MAX_SLOT),
                ("function", function, MAX_FUNCTION),
            ):
                if value > limit:
                    raise _out_of_range(element, name, value, limit)
        device.address = domain << 16 | bus << 8 | slot << 3 | function
        device.multifunction = attributes.get("multifunction")

    def _acpi(self, element: Element, device: Device) -> None:
        if "index" in element.attrib:
            device.acpi_index = number_of(element, "index")
            if not device.acpi_index:
                raise InputError(
                    "Invalid value for attribute 'index' in element 'acpi': Zero is not permitted",
                    code="acpi-index",
                    line=element.line,
                    remedy="number the devices from 1",
                )

    def _ccw(self, element: Element, device: Device) -> None:
        numbers = [self.number(element, name, element.attrib[name]) for name in CCW_LIMITS if name in element.attrib]
        if not numbers:
            return
        if len(numbers) < len(CCW_LIMITS):
            raise InputError(
                "Invalid partial specification for virtio ccw address",
                code="missing-attribute",
                line=element.line,
                remedy="write cssid, ssid and devno, or none of them",
            )
        cssid, ssid, devno = numbers
        if any(number > limit for number, limit in zip(numbers, CCW_LIMITS.values())):
            raise InputError(
                "Invalid specification for virtio ccw address:"
                f" cssid='{cssid:#x}' ssid='{ssid:#x}' devno='{devno:#06x}'",
                code="address-range",
                line=element.line,
                remedy=f"the highest are {', '.join(f'{name} {limit:#x}' for name, limit in CCW_LIMITS.items())}",
            )
        other = self.ccw.setdefault((cssid, ssid, devno), device)
        if other is not device:
            raise self.refuse(
                element,
                f"The CCW devno '{cssid:x}.{ssid:x}.{devno:04x}' is in use already",
                "ccw-occupied",
                f"{other.label} has it" + (f" (line {other.line})" if other.line else ""),
                remedy="write another devno, or none",
                parties=(device.label, other.label),
            )

    def _zpci(self, element: Element, device: Device) -> None:
        zpci = element.find("zpci")
        if zpci is None or not zpci.attrib:
            return
        uid, fid = (
            self.number(zpci, name, zpci.attrib[name]) if name in zpci.attrib else None for name in ("uid", "fid")
        )
        if uid is not None and not 0 < uid <= MAX_UID:
            raise InputError(
                f"Invalid PCI address uid='{uid:#06x}', must be > 0x0000 and <= {MAX_UID:#06x}",
                code="address-range",
                line=zpci.line,
                remedy=f"a uid is a number from 1 to {MAX_UID:#x}",
            )
        if uid is None and fid is None:
            return
        device.zpci = uid, fid

    def _other_bus(self, element: Element, device: Device) -> None:
        """Settle what becomes of an address where libvirt keeps none, or one of another type (libvirt rule 1.2)."""
        kind, name = device.address_type, device.element
        if isinstance(device, Controller):
            if device.is_pci:
                return
            name = f"controller/{device.type}"
        if kind == "pci" and name not in _NEVER_ON_PCI:
            return
        row = name, device.model
        address = element.find("address")
        assert address is not None
        if ELSEWHERE_ON.get(row, self.machine.family) != self.machine.family:
            return
        if row in ADDRESS_DROPPED:
            device.address_type, device.address = IGNORED, None
        elif kind == "virtio-serial":
            device.controller = number_of(address, "controller")
            device.unit = number_of(address, "port")
        elif row in ON_SPAPR_VIO and kind != "spapr-vio":
            low, high, written, _ = words_of(address)
            if high and written & 0xFF:  # where libvirt keeps whether a register is written down
                raise self.refuse(
                    address,
                    f"spapr-vio reg='{low | high << 32:#x}' exceeds maximum possible value (0xffffffff)",
                    "address-range",
                    f"{device.label} is on spapr-vio, and libvirt takes what its address holds for a register",
                    remedy="leave the address out",
                )
            device.address_type, device.address = IGNORED, None
        elif (name == "channel" and device.bus == "virtio") or (name == "hub" and kind not in ("usb", "pci")):
            device.address_type, device.address = IGNORED, None

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
        if name.startswith(_FORMER_PREFIX):
            name = name.removeprefix(_FORMER_PREFIX)
            device.defaults = {"target/@dev": name}
        device.label = f"disk:{name}"
        bus = target.attrib.get("bus")
        prefix, number = disk_number(name)
        on_nvme = _nvme_name(name) if self.rules.nvme_controllers and prefix == "" else None
        if on_nvme is not None:
            prefix, device.kind = "nvme", "nvme"
            device.controller, number = on_nvme
        device.unit = number
        if bus is None:
            bus = "fdc" if element.attrib.get("device") == "floppy" else prefix or "ide"
            device.defaults = device.defaults | {"target/@bus": bus}
        elif bus not in _DISK_BUSES:
            raise bad(target, "bus", bus, code="unknown-word")
        if bus == "nvme":
            self.since(target, "disk", "bus", bus)
            device.controller, device.drive = device.controller or 0, (0, 0, number or 0)
            device.serial = serial_of(element)
        elif on_nvme is not None:
            device.controller = None
        self._check_disk(target, name, bus, element.attrib.get("device", "disk"), device)
        device.bus = bus
        model = element.attrib.get("model")
        if model == "default":
            model = None
        if model is not None and model not in PLUGS["disk"] and model not in USB_DISK_MODELS:
            raise unknown(element, "model", model, (*PLUGS["disk"], *USB_DISK_MODELS))
        if model in USB_DISK_MODELS:
            self.since(element, "disk", "model", model)
            device.plug = NO_CLASS if bus == "virtio" else 0
        elif bus == "virtio":
            device.model = model or "virtio"
            device.plug = PLUGS["disk"][device.model]
        elif model is not None:
            refused_later(
                device,
                f"disk model '{model}' not supported for bus '{bus}'",
                "disk-bus",
                "write bus='virtio', or take the model out",
            )
        if device.address_type == "drive":
            self._drive(element, device)

    def _check_disk(self, target: Element, name: str, bus: str, kind: str, device: Device) -> None:
        """Refuse names and buses that a disk of its kind cannot have."""
        if kind == "disk" and device.unit is not None and name[-1] > "9" and name[:2] != "fd" and bus != "fdc":
            return  # most disks
        problem = ""
        if device.unit is None and device.address_type is None:
            problem = f"Unknown disk name '{short(name)}' and no address specified"
        elif kind != "cdrom" and (kind == "floppy") != (name[:2] == "fd"):
            problem = f"Invalid {'floppy' if kind == 'floppy' else 'harddisk'} device name: {short(name)}"
        elif device.kind != "nvme" and name[-1].isdigit() and name[len(name.rstrip("0123456789")) :].strip("0"):
            problem = f"invalid disk target '{short(name)}', partitions can't appear in disk targets"
        elif device.unit is None:
            problem = f"Invalid harddisk device name: {short(name)}"
        if problem:
            raise InputError(
                problem,
                code="disk-name",
                line=target.line,
                remedy="name it vda, vdb, ... (sd, hd, xvd for other buses, fd for floppies)",
            )
        if (kind == "floppy") != (bus == "fdc"):
            problem = f"Invalid bus type '{bus}' for {'floppy disk' if kind == 'floppy' else 'disk'}"
        if problem:
            raise self.refuse(target, problem, "disk-bus", remedy=_DISK_REMEDIES.get(kind, "write bus='virtio'"))

    def _drive(self, element: Element, device: Device) -> None:
        address = element.find("address")
        assert address is not None
        device.controller = number_of(address, "controller")
        device.drive = (number_of(address, "bus"), number_of(address, "target"), number_of(address, "unit"))

    def _interface(self, element: Element, device: Device) -> None:
        device.bus = element.attrib.get("type", "")
        model = holder_of(element.findall("model"), "type")
        name = model.attrib["type"] if model is not None else None
        if name:
            if not _INTERFACE_LETTERS.issuperset(name):
                raise InputError(
                    "Model name contains invalid characters",
                    code="interface-model",
                    line=element.line,
                    details=(f"the model is {short(name)!r}",),
                    remedy="letters, digits, - and _ are allowed",
                )
            known = _INTERFACE_MODELS.get(name.lower())
            if known is not None and known != name:
                device.defaults = {"model/@type": known}
            device.model = known or name
        if device.bus == "hostdev":
            self._hostdev_interface(element, device)
        elif name:
            device.plug = interface_plug(device.model, self.rules)

    def _hostdev_interface(self, element: Element, device: Device) -> None:
        """Read which device of the host an interface is: on PCI, or on USB, where it needs no PCI address."""
        sources = element.findall("source")
        source = sources[0] if sources else element
        typed = holder_of([address for each in sources for address in each.findall("address")], "type")
        vendor = source.find("vendor")
        kind = typed.attrib["type"] if typed is not None else "usb" if vendor is not None else None
        if kind is None and not self.rules.words_of_address_types:
            raise InputError(
                "missing source address type", code="missing-source", line=element.line, remedy=_WHICH_HOST_DEVICE
            )
        if kind not in ("pci", "usb"):
            raise self.refuse(
                element,
                f"unknown host device source address type '{'(null)' if kind is None else short(kind)}'",
                "missing-source",
                remedy=_WHICH_HOST_DEVICE,
            )
        if kind == "pci":
            device.plug = EXPRESS if device.address is not None else self._host_plug(source)
        else:
            device.kind = kind
            self._check_usb_source(source)

    def _check_usb_source(self, source: Element) -> None:
        """Refuse what does not say which USB device of the host it is."""
        vendor, product, address = (source.find(tag) for tag in ("vendor", "product", "address"))
        for tag, found in (("vendor", vendor), ("product", product)):
            if found is None:
                continue
            if "id" not in found.attrib:
                raise missing(found, "id")
            if not self.number(found, "id", found.attrib["id"]):
                raise InputError(
                    f"Invalid value for attribute 'id' in element '{tag}': Zero is not permitted",
                    code="bad-number",
                    line=found.line,
                    remedy="write the number that lsusb shows",
                )
        if vendor is not None and product is None:
            raise InputError("missing product", code="missing-source", line=source.line, remedy=_WHICH_HOST_DEVICE)
        if address is not None:
            for name in ("bus", "device"):
                if name not in address.attrib:
                    raise missing(address, name)
                self.number(address, name, address.attrib[name])

    def _hostdev(self, element: Element, device: Device) -> None:
        kind = element.attrib.get("type")
        if kind is None:
            raise missing(element, "type")
        source = element.find("source")
        if source is None:
            raise InputError(
                "Missing <source> element in hostdev device",
                code="missing-source",
                line=element.line,
                remedy=_WHICH_HOST_DEVICE,
            )
        device.bus = device.model = kind
        model = element.attrib.get("model")
        if kind == "pci":
            device.plug = self._host_plug(source)
        elif kind == "mdev":
            if model is None:
                raise missing(element, "model")
            if model not in _MDEV_MODELS:
                raise unknown(element, "model", model, _MDEV_MODELS)
            device.model = model
            device.plug = EXPRESS if model == "vfio-pci" else 0
        elif kind == "scsi_host":
            if model is None or model == "default":
                model = "virtio"
            device.model = f"scsi_host:{model}"
            if device.model not in PLUGS["hostdev"]:
                raise unknown(element, "model", model, PLUGS["disk"])
            device.plug = PLUGS["hostdev"][device.model]
        elif kind == "usb":
            self._check_usb_source(source)
        elif kind == "scsi" and device.address_type == "drive":
            self._drive(element, device)
        if device.plug and device.address is not None:
            device.plug = EXPRESS  # whatever it is, once an address is explicit

    def _host_plug(self, source: Element) -> int:
        """Return the plug of a host device: PCI Express unless somebody knows better (libvirt rule 3.3)."""
        address = source.find("address")
        if address is None:
            return EXPRESS
        parts = {n: self.number(address, n, address.attrib.get(n, "0")) for n in ("domain", "bus", "slot", "function")}
        for name, limit in (("bus", MAX_BUS), ("slot", MAX_SLOT), ("function", MAX_FUNCTION)):
            if parts[name] > limit:
                raise _out_of_range(address, name, parts[name], limit, host=True)
        if self.host_pci is None:
            return EXPRESS
        return CONVENTIONAL if self.host_pci(PciAddress.from_int(pack(**parts))) else EXPRESS

    def _model_attribute(self, element: Element, device: Device) -> None:
        """Read a device whose model is a required attribute of its own."""
        plugs = PLUGS[device.element]
        device.model = self.word(element, "model", plugs)
        self.since(element, device.element, "model", device.model)
        device.plug = plugs[device.model]

    def _crypto_or_pstore(self, element: Element, device: Device) -> None:
        """Read an element that libvirt 9.0 does not place."""
        if self.rules.places_crypto_and_pstore:
            attribute = "backend" if device.element == "pstore" else "model"
            device.model = self.word(element, attribute, PLUGS[device.element])
            device.plug = PLUGS[device.element][device.model]

    def _video(self, element: Element, device: Device) -> None:
        models = element.findall("model")
        if self.rules.first_video_model_says_all:
            models = models[:1]
        typed, marked = holder_of(models, "type"), holder_of(models, "primary")
        kind = typed.attrib["type"] if typed is not None else ""
        if typed is not None and kind != "default" and (kind or self.rules.first_video_model_says_all):
            if kind not in PLUGS["video"]:
                raise unknown(typed, "type", kind, PLUGS["video"], self.form("video"))
            device.model = kind
            device.plug = PLUGS["video"][kind]
            if kind == "virtio" and self.rules.video_devices:
                wanted = typed.attrib.get("device")
                if wanted is not None and wanted not in VIDEO_DEVICES:
                    raise unknown(typed, "device", wanted, VIDEO_DEVICES)
        device.primary = marked is not None and marked.attrib["primary"] == "yes"

    def _filesystem(self, element: Element, device: Device) -> None:
        driver = element.find("driver")
        kind = driver.attrib.get("type", "default") if driver is not None else "default"
        model = element.attrib.get("model")
        if model is not None and model not in PLUGS["disk"]:
            raise unknown(element, "model", model, PLUGS["disk"])
        if kind in ("default", "path", "handle"):
            kind = model or "virtio"
        else:
            self.since(element if driver is None else driver, "filesystem", "type", kind)
            if driver is not None and (kind not in PLUGS["filesystem"] or kind in PLUGS["disk"]):
                raise unknown(driver, "type", kind, _FILESYSTEM_DRIVERS)
            if kind == "virtiofs" and model is not None:
                refused_later(device, "virtiofs does not support model", "filesystem", "take it out", by_emulator=True)
        device.model = kind
        device.plug = PLUGS["filesystem"][kind]

    def _shmem(self, element: Element, device: Device) -> None:
        model = element.find("model")
        kind = model.attrib.get("type") if model is not None else None
        if model is not None and kind is not None and kind not in PLUGS["shmem"]:
            raise unknown(model, "type", kind, PLUGS["shmem"])
        if kind is None or kind == "ivshmem":
            former = not self.rules.words_of_address_types
            refused_later(
                device,
                "ivshmem device is not supported with this QEMU binary"
                if former
                else "ivshmem device is no longer supported",
                "obsolete-model",
                "write <model type='ivshmem-plain'/>",
                by_emulator=True,
            )
            kind = "ivshmem"
        device.model = kind
        device.plug = PLUGS["shmem"][kind]

    def _input(self, element: Element, device: Device) -> None:
        bus = element.attrib.get("bus")
        kind = element.attrib.get("type")
        if kind is None:
            raise InputError(
                "missing input device type", code="missing-attribute", line=element.line, remedy="add type='tablet'"
            )
        if bus is not None:
            self._check_input_bus(device, kind, bus)
        else:
            models = self.machine.models
            bus = {
                "passthrough": "virtio",
                "evdev": "none",
                "mouse": models.pointer,
                "keyboard": models.pointer,
            }.get(kind, models.tablet)
            device.defaults = {"@bus": bus} if bus != "none" else {}
        device.bus = bus
        device.kind = kind
        if bus == "virtio":
            device.model = element.attrib.get("model") or "virtio"
            device.plug = PLUGS["input"][device.model]
        elif "model" in element.attrib:
            model = element.attrib["model"]
            refused_later(
                device,
                f"only bus 'virtio' is supported for input model '{model}'",
                "input-bus",
                "write bus='virtio', or take the model out",
            )

    def _check_input_bus(self, device: Device, kind: str, bus: str) -> None:
        problem = ""
        if bus == "ps2" and kind not in ("mouse", "keyboard"):
            problem = f"ps2 bus does not support {kind} input device"
        elif kind == "evdev":
            problem = "input evdev doesn't support bus element"
        elif bus == "xen":
            problem = "unsupported input bus xen"
        elif kind == "passthrough" and bus != "virtio":
            problem = "only bus 'virtio' is supported for 'passthrough' input devices"
        if problem:
            refused_later(device, problem, "input-bus", "leave the bus out")

    def _vsock(self, element: Element, device: Device) -> None:
        if element.attrib.get("model", "default") != "default":
            self._model_attribute(element, device)

    def _memory(self, element: Element, device: Device) -> None:
        self._model_attribute(element, device)

    def _panic(self, element: Element, device: Device) -> None:
        if element.attrib.get("model", "default") != "default":
            self._model_attribute(element, device)
        else:
            device.model = self.machine.models.panic
            if not device.model:
                raise self.refuse(
                    element,
                    "no panic model provided, and no default for the architecture and machine type",
                    "no-model",
                    remedy="write model='pvpanic', or take the device out",
                )
            device.plug = PLUGS["panic"][device.model]
            if device.plug:
                device.defaults = {"@model": device.model}

    def _serial(self, element: Element, device: Device) -> None:
        default = self.machine.models.serial
        if default != "isa-serial":
            device.model = default
        target = element.find("target")
        if target is None:
            return
        kind = target.attrib.get("type")
        if kind not in (None, "none") and not (kind == "isa-serial" and device.model):
            device.model = kind
            device.plug = PLUGS["serial"][kind]
        model = target.find("model")
        name = model.attrib.get("name", "none") if model is not None else "none"
        if name not in ("", "none"):
            wanted = SERIAL_MODELS.get(name, "")
            if not wanted:
                raise unknown(
                    target, "name", name, SERIAL_MODELS, "unknown target model '{value}' specified for character device"
                )
            if wanted != (device.model or "isa-serial"):
                raise self.refuse(
                    target,
                    f"Target model '{name}' requires target type '{wanted}'",
                    "wrong-option",
                    remedy=f"write <target type='{wanted}'>, or take the model out",
                )
            if self.machine.family not in SERIAL_MODEL_MACHINES.get(name, (self.machine.family,)):
                raise self.refuse(
                    target,
                    f"Serial device with target type '{wanted}' and target model '{name}' not compatible with guest"
                    " architecture or machine type",
                    "wrong-machine",
                    remedy="leave <model> out",
                )

    def _tpm(self, element: Element, device: Device) -> None:
        default = "tpm-spapr" if self.machine.family == "pseries" else "tpm-tis"
        model = element.attrib.get("model")
        if model is None:
            device.defaults = {"@model": default}
        # whatever its model is called, on pseries it is on spapr-vio
        device.model = default if self.machine.family == "pseries" else model or default

    def _hub(self, element: Element, _device: Device) -> None:
        if "type" not in element.attrib:
            raise InputError(
                "missing hub device type", code="missing-attribute", line=element.line, remedy="write type='usb'"
            )

    def _port(self, element: Element, device: Device) -> None:
        """Read a channel or console, of which only those of type virtio hang on a controller."""
        target = element.find("target")
        device.bus = (target.attrib.get("type") or "") if target is not None else ""
        if device.element == "channel" and not device.bus:
            raise InputError(
                "target type must be specified for channel device"
                if target is None
                else "unknown target type '(null)' specified for character device",
                code="missing-attribute",
                line=element.line,
                remedy="write <target type='virtio'/>",
            )


def _out_of_range(element: Element, name: str, value: int, limit: int, *, host: bool = False) -> InputError:
    bounds = f"a {name} is a number from 0 to {limit:#x}"
    return InputError(
        out_of_range(name, value, limit),
        code="address-range",
        line=element.line,
        details=("it is the address that the device has on the host, in <source>",) if host else (),
        remedy=f"write the address that 'lspci -D' shows on the host: {bounds}" if host else bounds,
    )


def disk_number(name: str) -> tuple[str, int | None]:
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


def _nvme_name(name: str) -> tuple[int, int] | None:
    """Return the controller and the unit of a disk's name: ``nvme1n2`` is unit 1 of controller 1."""
    match = _NVME_NAME.fullmatch(name)
    return (int(match[1]), int(match[2]) - 1) if match and int(match[2]) else None


_NVME_NAME = re.compile(r"nvme([0-9]{1,9})n([0-9]{1,9})(p[0-9]+)?")


def serial_of(element: Element) -> str:
    """Return the serial number that a disk or a controller says; of several the first counts."""
    serial = element.find("serial")
    return (serial.text or "") if serial is not None else ""


_Fill = Callable[[DeviceReader, Element, Device], None]
READ: Mapping[str, _Fill] = MappingProxyType(
    {
        "disk": DeviceReader._disk,
        "interface": DeviceReader._interface,
        "hostdev": DeviceReader._hostdev,
        "sound": DeviceReader._model_attribute,
        "video": DeviceReader._video,
        "filesystem": DeviceReader._filesystem,
        "memballoon": DeviceReader._model_attribute,
        "rng": DeviceReader._model_attribute,
        "watchdog": DeviceReader._model_attribute,
        "shmem": DeviceReader._shmem,
        "input": DeviceReader._input,
        "vsock": DeviceReader._vsock,
        "memory": DeviceReader._memory,
        "iommu": DeviceReader._model_attribute,
        "crypto": DeviceReader._crypto_or_pstore,
        "pstore": DeviceReader._crypto_or_pstore,
        "panic": DeviceReader._panic,
        "serial": DeviceReader._serial,
        "console": DeviceReader._port,
        "channel": DeviceReader._port,
        "hub": DeviceReader._hub,
        "tpm": DeviceReader._tpm,
    }
)
