"""A machine as QEMU builds it from its command line: where each ``-device`` goes, and what is refused.

Source: sections 1, 2 and 7 of the facts about QEMU; each rule was asked of QEMU 7.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from pcisim.address import MAX_SLOT
from pcisim.catalogue.machines import machine_of
from pcisim.catalogue.qemu_rules import (
    ACPI_SINCE,
    ACPI_SWITCHES,
    HIGHEST_ACPI_INDEX,
    NEEDS_PEER,
    NOT_CREATABLE,
    NOT_HOTPLUGGABLE,
    ONLY_ONE,
    OTHER_BUSES,
)
from pcisim.errors import PcisimError, RefusedError, UsageError
from pcisim.hardware import (
    BUS_KINDS,
    CONVENTIONAL,
    EXPANDERS,
    PORT,
    ROOT,
    Hardware,
    Part,
    PciBus,
    add_built_ins,
    expander_bus,
    row_on,
)
from pcisim.qemu import rules
from pcisim.qemu.device import QemuDevice, is_pci, other_bus, parse_device, read_properties, refusal, similar_driver

ACPI, SHPC, PCIE, NOBODY = "acpi", "shpc", "pcie", ""
"""Who handles hotplug on a bus."""

_DEFAULT_MEMORY = 256
_VERSION = re.compile(r"-(\d+)\.(\d+)$")
_NATIVE = {"pci-bridge": SHPC, "pci-bridge-seat": SHPC, "pcie-pci-bridge": SHPC}
_BUS_STEMS = {"cxl-rp": "cxl"}


class QemuMachine:
    """A machine under construction, or running and paused.

    Args:
        machine: as after ``-machine``: ``q35``, ``microvm,pcie=on``, ``pc,usb=on``.
        options: further options, each one text with its blank: ``-global X=Y``, ``-m 1G``.

    Raises:
        UsageError: a machine that is not pc, q35 or microvm, or an option that cannot be read.
    """

    def __init__(self, machine: str, options: Iterable[str] = ()) -> None:
        name, *settings = machine.split(",")
        self.settings = dict(item.partition("=")[::2] for item in settings if item)
        self.globals: dict[str, str] = {}
        self.numa_nodes = 0
        memory = self.settings.get("memory", "")
        for option in options:
            key, _, value = option.strip().partition(" ")
            if key == "-global":
                switch, equals, state = value.strip().partition("=")
                if not equals:
                    raise UsageError(f"{option!r} is not -global DRIVER.PROPERTY=VALUE", code="bad-option")
                self.globals[switch] = state
            elif key == "-m":
                memory = value.strip().removeprefix("size=").split(",")[0]
            elif key == "-numa":
                self.numa_nodes += value.strip().startswith("node")
        self.warnings: list[str] = []
        self.not_on_pci: list[str] = []
        self.root, family = self._root(name)
        self.hardware = Hardware(
            family,
            self.root or PciBus(ROOT, express=False, label=None),
            [],
            memory=_memory(memory),
            acpi_root=self._acpi_root(family),
            acpi_bridges=self._acpi_bridges(family, name),
        )
        self.ids: dict[str, Part | None] = {}
        self.handlers: dict[PciBus, str] = {}
        if self.root is not None:
            self.handlers[self.root] = ACPI if family == "pc" and self.hardware.acpi_root else NOBODY
        self._chassis: set[tuple[int, int]] = set()
        self._acpi_indexes: dict[int, Part] = {}
        self._named: dict[str, int] = {"pci": 1} if family == "pc" else {}
        self._leaving: set[Part] = set()
        self._singles: set[str] = set()

    def _root(self, name: str) -> tuple[PciBus | None, str]:
        family = machine_of(name).family
        if name.startswith("microvm"):
            if self.settings.get("pcie") != "on":
                return None, "microvm"
            family = "microvm"
        elif family not in ("i440fx", "q35"):
            raise UsageError(
                f"machine type {name!r} is not known", code="unknown-machine", remedy="one of pc, q35 and microvm"
            )
        family = {"i440fx": "pc"}.get(family, family)
        express = family != "pc"
        root = PciBus(ROOT, express=express, label="pcie.0" if express else "pci.0")
        without = set()
        if family == "pc" and self.settings.get("acpi") == "off":
            without.add("PIIX4_PM")
        for setting, driver in (("sata", "ich9-ahci"), ("smbus", "ICH9-SMB")):
            if self.settings.get(setting) == "off":
                without.add(driver)
        add_built_ins(root, family, without=frozenset(without), usb=self.settings.get("usb") == "on")
        return root, family

    def _acpi_root(self, family: str) -> bool:
        switch = ACPI_SWITCHES.get(family, ("", ""))[1]
        return family == "pc" and self.settings.get("acpi") != "off" and self.globals.get(switch) != "off"

    def _acpi_bridges(self, family: str, name: str) -> bool:
        if family not in ACPI_SWITCHES or (family == "pc" and self.settings.get("acpi") == "off"):
            return False
        version = _VERSION.search(name)
        if version and (int(version[1]), int(version[2])) < ACPI_SINCE[family]:
            return False
        return self.globals.get(ACPI_SWITCHES[family][0]) != "off"

    # buses

    def buses(self) -> Iterator[PciBus]:
        """Yield every bus in the order in which QEMU looks for one: what was made last comes first."""
        stack = [*([self.root] if self.root is not None else []), *self.hardware.extra]
        while stack:
            bus = stack.pop()
            yield bus
            stack += [part.behind for part in bus.parts.values() if part.behind is not None]

    def _bus_of(self, device: QemuDevice) -> PciBus:
        name = device.properties.get("bus")
        if name is not None:
            found = next((bus for bus in self.buses() if bus.label == name), None)
            if found is not None:
                return found
            if name in OTHER_BUSES:
                raise refusal(
                    f"Device '{device.name}' can't go on {OTHER_BUSES[name]} bus",
                    "it is a PCI device",
                    code="qemu-bus-kind",
                )
            raise refusal(
                f"Bus '{name}' not found",
                "a bus exists from where its controller stands on the command line, and is named after its id",
                code="qemu-no-bus",
                remedy=f"there are: {', '.join(str(bus.label) for bus in self.buses())}",
            )
        found = next(self.buses(), None)
        if found is None:
            raise refusal(
                f"No 'PCI' bus found for device '{device.name}'",
                "the machine has no PCI bus",
                code="qemu-no-bus",
                remedy="microvm has one with pcie=on",
            )
        return found

    def _bus_name(self, driver: str, identity: str | None) -> str:
        if identity:
            return identity
        stem = _BUS_STEMS.get(driver, "pci" if BUS_KINDS.get(driver) == CONVENTIONAL else "pcie")
        if driver in EXPANDERS:
            stem = "pxb-pcie-bus" if EXPANDERS[driver] else "pci"
        number = self._named.get(stem, 0)
        self._named[stem] = number + 1
        return f"{stem}.{number}"

    # plugging

    def start(self, texts: Iterable[str]) -> None:
        """Plug devices in the order of the command line.

        Raises:
            RefusedError: QEMU refuses one; the headline is QEMU's own, its first party the text of the device.
        """
        devices: list[QemuDevice] = []
        ids: set[str] = set()
        for text in texts:
            with _Blamed(text):
                device = parse_device(text)
                if device.id is not None:
                    if device.id in ids:
                        raise refusal(
                            f"Duplicate ID '{device.id}' for device",
                            "two devices have the same id",
                            code="qemu-duplicate-id",
                            remedy="give each device an id of its own",
                        )
                    ids.add(device.id)
                devices.append(device)
        for device in devices:
            with _Blamed(device.text):
                self._plug(device, hot=False)

    def plug(self, text: str) -> Part | None:
        """Plug one device while the machine runs, as ``device_add`` does.

        Returns:
            The new function; ``None`` for a device that is not on PCI.

        Raises:
            RefusedError: QEMU refuses it, and nothing has changed.
        """
        with _Blamed(text):
            return self._plug(parse_device(text), hot=True)

    def _plug(self, device: QemuDevice, *, hot: bool) -> Part | None:
        name = device.name
        if not is_pci(name):
            self._not_pci(device)
            return None
        if hot and name in NOT_HOTPLUGGABLE:
            raise refusal(
                "Parameter 'driver' expects a pluggable device type",
                f"a {name} cannot be plugged into a running machine",
                code="qemu-not-pluggable",
            )
        bus = self._bus_of(device)
        if hot and not self.handlers[bus]:
            raise rules.no_hotplug(bus)
        if hot and device.id in self.ids:
            raise refusal(f"Duplicate device ID '{device.id}'", "a device has that id", code="qemu-duplicate-id")
        options = {**self._defaults(name), **read_properties(device)}
        self._pre_plug(device, bus, options, hot=hot)
        place = self._place(device, bus, options, hot=hot)
        rules.check_functions(place, bus, options)
        rules.check_required(name, options)
        if name in EXPANDERS:
            rules.check_expander(name, bus, options, root=self.root, numa_nodes=self.numa_nodes)
        kind, words = ONLY_ONE.get(name, ("", ""))
        if kind in self._singles:
            raise refusal(words, "a machine has one at most", code="qemu-only-one", remedy="take one out")
        rules.check_chassis(rules.chassis_slot(name, options), self._chassis)
        rules.check_reserve(options)
        rules.check_virtio(name, bus, options)
        rules.check_path(bus, place)
        if self.handlers[bus] == SHPC and not place >> 3:
            raise rules.slot_zero()
        return self._add(device, bus, place, options, hot=hot)

    def _not_pci(self, device: QemuDevice) -> None:
        name = device.name
        kind = other_bus(name)
        if kind is None:
            if name in NOT_CREATABLE:
                raise refusal(
                    "Parameter 'driver' expects a pluggable device type",
                    f"{name} comes with the machine",
                    code="qemu-not-pluggable",
                )
            raise refusal(
                f"'{device.driver}' is not a valid device model name",
                "QEMU 7.2 has no such device",
                code="unknown-driver",
                remedy=similar_driver(name),
            )
        self.not_on_pci.append(name)
        if device.id is not None:
            self.ids[device.id] = None

    def _defaults(self, name: str) -> dict[str, str]:
        """Return what ``-global`` says about a device's properties."""
        found: dict[str, str] = {}
        for switch, value in self.globals.items():
            kind, _, key = switch.rpartition(".")
            if kind == name or (kind == "virtio-pci" and name.startswith("virtio-")):
                try:
                    found |= read_properties(QemuDevice("", name, {key: value}, False))
                except RefusedError as error:
                    words = error.headline.replace("expects integer", "expects uint64")
                    raise refusal(
                        f"can't apply global {switch}={value}: {words}",
                        f"-global {switch} is for every {name}",
                        code=error.code,
                        remedy=error.remedy,
                    ) from None
        return found

    def _pre_plug(self, device: QemuDevice, bus: PciBus, options: Mapping[str, str], *, hot: bool) -> None:
        """Apply what the handler of hotplug demands before there is a place."""
        handler = self.handlers[bus]
        index = int(options.get("acpi-index", 0))
        if index and (handler == ACPI or self.hardware.family == "q35"):
            if index > HIGHEST_ACPI_INDEX:
                raise refusal(
                    f"acpi-index should be less or equal to {HIGHEST_ACPI_INDEX}",
                    f"it is {index}",
                    code="qemu-acpi-index",
                )
            if index in self._acpi_indexes:
                raise refusal(
                    f"a PCI device with acpi-index = {index} already exist",
                    f"{self._acpi_indexes[index].label or 'a device without id'} has it",
                    code="qemu-acpi-index",
                )
        if hot and handler == PCIE and bus.parent is not None and bus.parent.options.get("hotplug") == "off":
            raise refusal(
                f"Hot-plug failed: unsupported by the port device '{bus.parent.label or ''}'",
                "hotplug is switched off for the port",
                code="qemu-no-hotplug",
            )

    def _place(self, device: QemuDevice, bus: PciBus, options: Mapping[str, str], *, hot: bool) -> int:
        """Return ``slot << 3 | function``: the one asked for, or the lowest slot whose function 0 is free."""
        name = device.name
        owner = self._expander_of(bus)
        if owner is not None and name not in BUS_KINDS:
            raise refusal(
                f"PCI: Only PCI/PCIe bridges can be plugged into {owner.driver}",
                "a device without bus= goes to the expander that was made last"
                if "bus" not in device.properties
                else "the root bus of an expander takes bridges and ports only",
                code="qemu-expander",
                remedy="write bus= with the name of the bus, or plug a port into the expander first",
            )
        place = int(options.get("addr", -1))
        if place < 0:
            place = next((slot << 3 for slot in range(MAX_SLOT + 1) if slot << 3 not in bus.parts), -1)
            if place < 0:
                raise refusal(
                    f"PCI: no slot/function available for {name}, all in use or reserved",
                    f"function 0 of all {MAX_SLOT + 1} slots of {bus.label} is taken; QEMU gives no other function",
                    code="qemu-bus-full",
                    remedy="write addr= with a function from 1 to 7, or add a bridge",
                )
            return place
        holder = bus.parts.get(place)
        if holder is not None:
            raise refusal(
                f"PCI: slot {place >> 3} function {place & 7} not available for {name}, in use by {holder.driver},"
                f"id={holder.label or '(null)'}",
                f"{bus.label} has {holder.driver} there already",
                code="qemu-slot-occupied",
                parties=tuple(filter(None, (device.id, holder.label))),
            )
        if hot:
            first = bus.parts.get(0 if bus.kind == PORT else place & ~7)
            if first is not None:
                raise refusal(
                    f"PCI: slot {first.slot} function 0 already occupied by {first.driver}, new func {name} cannot be"
                    " exposed to guest.",
                    "a running guest looks at a slot when its function 0 appears: that has to come last",
                    code="qemu-function-zero-first",
                )
        return place

    def _expander_of(self, bus: PciBus) -> Part | None:
        if bus not in self.hardware.extra:
            return None
        return next(part for part in self.hardware.root.parts.values() if part.expander is bus)

    def _add(self, device: QemuDevice, bus: PciBus, place: int, options: dict[str, str], *, hot: bool) -> Part:
        name = device.name
        part = Part(
            name,
            place >> 3,
            place & 7,
            bus,
            row_on(name, bus, options),
            device.id,
            multifunction=options.get("multifunction") == "on",
            options=options,
        )
        if device.id is not None:
            self.ids[device.id] = part
        if int(options.get("acpi-index", 0)):
            self._acpi_indexes[int(options["acpi-index"])] = part
        if name in NEEDS_PEER and "netdev" not in options:
            self.warnings.append(f"warning: nic {device.id or self._numbered(name)} has no peer")
        if name in EXPANDERS:
            inner = expander_bus(part, int(options.get("bus_nr", 0)), self._bus_name(name, device.id))
            assert part.expander is not None
            self.hardware.extra.append(part.expander)
            self.handlers[part.expander] = self.handlers[inner] = NOBODY
            if inner.parent is not None:
                inner.parent.label = device.id
        elif name in BUS_KINDS:
            kind = BUS_KINDS[name]
            below = PciBus(kind, express=kind != CONVENTIONAL, label=self._bus_name(name, device.id), parent=part)
            self.handlers[below] = self._handler(part, bus, hot=hot)
        if name in ONLY_ONE:
            self._singles.add(ONLY_ONE[name][0])
        pair = rules.chassis_slot(name, options)
        if pair is not None:
            self._chassis.add(pair)
        return part

    def _numbered(self, name: str) -> str:
        number = self._named.get(f"nic {name}", 0)
        self._named[f"nic {name}"] = number + 1
        return f"{name}.{number}"

    def _handler(self, part: Part, bus: PciBus, *, hot: bool) -> str:
        """Return who handles hotplug on the bus behind a bridge."""
        under_acpi = self.hardware.acpi_bridges and not hot
        if under_acpi and (bus is self.root or self.handlers[bus] == ACPI):
            return NOBODY if BUS_KINDS[part.driver] == PORT and part.options.get("hotplug") == "off" else ACPI
        if BUS_KINDS[part.driver] == PORT:
            return PCIE
        return NOBODY if part.options.get("shpc") == "off" else _NATIVE.get(part.driver, NOBODY)

    def unplug(self, name: str) -> None:
        """Ask for a device to be taken out, as ``device_del`` does.

        Raises:
            RefusedError: there is none, or it cannot leave; nothing has changed then.
        """
        part = self.ids.get(name)
        if part is None:
            raise refusal(f"Device '{name}' not found", "no device has that id", code="qemu-no-device")
        handler = self.handlers[part.bus]
        if not handler:
            raise rules.no_hotplug(part.bus)
        if part in self._leaving:
            raise refusal(
                f"Device {name} is already in the process of unplug",
                "the guest has not let go of it",
                code="qemu-leaving",
            )
        if handler == ACPI:  # the guest has to eject it, and a paused one does not
            self._leaving.add(part)
            return
        del part.bus.parts[part.slot << 3 | part.function]
        del self.ids[name]


class _Blamed:
    """Names the device in every refusal that comes out of a block."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, where: object) -> None:
        if isinstance(error, PcisimError):
            error.details = (f"-device {self.text}", *error.details)


def _memory(text: str) -> int:
    found = re.fullmatch(r"(\d+)([KMGT]?)B?", text.upper()) if text else None
    if text and found is None:
        raise UsageError(f"-m {text!r} is not a size", code="bad-option")
    if found is None:
        return _DEFAULT_MEMORY << 20
    return int(found[1]) << {"K": 10, "": 20, "M": 20, "G": 30, "T": 40}[found[2]]
