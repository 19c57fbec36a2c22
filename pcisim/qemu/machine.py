"""A machine as QEMU builds it from its command line: where each ``-device`` goes, and what is refused.

Source: QEMU rules 1, 2, 3 and 4; each rule was verified against QEMU 7.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pcisim.address import MAX_SLOT
from pcisim.catalogue.bars import MEMDEV_SIZE, MEMORY_LINKS
from pcisim.catalogue.bridges import BRIDGES, EXPANDERS, PORT, ROOT
from pcisim.catalogue.functions import PLACE_IS_ID_IN_7_2
from pcisim.catalogue.profiles import QEMUS, Qemu
from pcisim.catalogue.properties import devices_of
from pcisim.catalogue.qemu_buses import (
    DYNAMIC,
    HOTPLUG_WITHOUT_BUS,
    IOMMUS,
    NEEDS_DEVICE,
    NEEDS_SETTING,
    SYSTEM,
)
from pcisim.catalogue.qemu_rules import (
    AMD_PROCESSORS,
    DISPLAYS,
    FIRST_DISPLAY,
    HIGHEST_ACPI_INDEX,
    MISSING_MODULES,
    NEEDS_PEER,
    NO_BUS_TO_PLUG,
    NOT_CREATABLE,
    NOT_HOTPLUGGABLE,
    ONLY_ONE,
)
from pcisim.errors import PcisimError, RefusedError
from pcisim.qemu import rules
from pcisim.qemu.backends import Backends
from pcisim.qemu.device import (
    QemuDevice,
    is_cpu,
    is_pci,
    other_bus,
    parse_device,
    read_properties,
    refusal,
    similar_driver,
)
from pcisim.qemu.failover import Standbys, check_primary
from pcisim.qemu.functions import (
    Hardware,
    PciBus,
    QemuFunction,
    add_built_ins,
    expander_bus,
    has_hotplug_controller,
    row_on,
)
from pcisim.qemu.memory import VIRTIO_MEMORY, MemoryDevices
from pcisim.qemu.options import MachineOptions
from pcisim.qemu.other_buses import OtherBus, OtherBuses
from pcisim.qemu.processors import ProcessorSlots
from pcisim.qemu.values import check_values, is_legacy

ACPI, SHPC, PCIE, NO_HANDLER = "acpi", "shpc", "pcie", ""
"""Who handles hotplug on a bus."""

_NO_PLUGGABLE = "Parameter 'driver' expects a pluggable device type"


class QemuMachine:
    """A machine under construction, or running and paused.

    Args:
        machine: as after ``-machine``: ``q35``, ``microvm,pcie=on``, ``pc,usb=on``.
        options: further options, each one text with its blank: ``-global X=Y``, ``-m 1G``.
        qemu: the version of QEMU.

    Raises:
        UsageError: a machine that is not pc, q35 or microvm, or an option that cannot be read.
    """

    def __init__(self, machine: str, options: Iterable[str] = (), qemu: Qemu = QEMUS["7.2"]) -> None:
        self.qemu = qemu
        self.devices = devices_of(qemu.version)
        self.options = MachineOptions(machine, options, qemu)
        family = self.options.family
        self._table = qemu.function_table(self.options.version)
        self._dead_slots: list[str] = []
        self._no_peers: list[str] = []
        self.not_on_pci: list[str] = []
        self.root = self._root() if self.options.has_pci else None
        self.hardware = Hardware(
            family,
            self.root or PciBus(ROOT, express=False, label=None),
            [],
            ram=self.options.ram,
            acpi_root=self.options.acpi_root,
            acpi_bridges=self.options.acpi_bridges,
            acpi=self.options.acpi,
            wide=self.options.cpu_model.startswith(AMD_PROCESSORS),
        )
        self.others = OtherBuses(family, usb=self.options.is_on("usb"))
        self.ids: dict[str, QemuFunction | OtherBus | None] = {}
        """For each id the function, or the bus of a device that is not on PCI; ``None`` for one without a bus."""
        self.handlers: dict[PciBus, str] = {}
        if self.root is not None:
            self.handlers[self.root] = ACPI if self.options.acpi_root else NO_HANDLER
        self._backends = Backends(self.options)
        self._standbys = Standbys()
        self._memory = MemoryDevices(self.options)
        self._processors = ProcessorSlots(self.options)
        self._hidden: set[str] = set()
        self._chassis: set[tuple[int, int]] = set()
        self._acpi_indexes: dict[int, QemuFunction] = {}
        self._named: dict[str, int] = {"pci": 1} if family == "pc" else {}
        self._leaving: set[QemuFunction] = set()
        self._singles: set[str] = set()
        self._has_display = False
        self._serials: dict[str, str] = {}

    @property
    def warnings(self) -> list[str]:
        """Return what QEMU prints though it starts; network cards come last."""
        return self._dead_slots + self._no_peers

    def _root(self) -> PciBus:
        family, options = self.options.family, self.options
        express = family != "pc"
        root = PciBus(ROOT, express=express, label="pcie.0" if express else "pci.0")
        without = set()
        if family == "pc" and not options.acpi:
            without.add("PIIX4_PM")
        for setting, driver in (("sata", "ich9-ahci"), ("smbus", "ICH9-SMB")):
            if not options.is_on(setting, default=True):
                without.add(driver)
        add_built_ins(root, family, without=frozenset(without), usb=options.is_on("usb"))
        return root

    # buses

    def buses(self) -> Iterator[PciBus]:
        """Yield every bus in the order in which QEMU looks for one: what was made last comes first."""
        stack = [*([self.root] if self.root is not None else []), *self.hardware.extra]
        while stack:
            bus = stack.pop()
            yield bus
            stack += [part.behind for part in bus.parts.values() if part.behind is not None]

    def _bus_of(self, device: QemuDevice) -> PciBus | OtherBus | None:
        """Return the bus that a device goes to; ``None`` for a device that sits on none."""
        wanted = "PCI" if is_pci(device.name, self.devices) else other_bus(device.name, self.devices)
        name = device.properties.get("bus")
        if not wanted or is_cpu(device.name, self.devices):
            return None
        if name is not None:
            return self._named_bus(device, wanted, name)
        found = next(self.buses(), None) if wanted == "PCI" else self.others.choose(wanted)
        if found is None:
            raise refusal(
                f"No '{wanted}' bus found for device '{device.name}'",
                "the machine has no such bus, or all are full",
                code="qemu-no-bus",
                remedy="microvm has one with pcie=on" if wanted == "PCI" else "add the controller before the device",
            )
        return found

    def _named_bus(self, device: QemuDevice, wanted: str, name: str) -> PciBus | OtherBus:
        pci = next((bus for bus in self.buses() if bus.label == name), None)
        other = self.others.find(name) if pci is None else None
        kind = "PCI" if pci is not None else other.kind if other is not None else ""
        if not kind:
            raise refusal(
                f"Bus '{name}' not found",
                "a bus exists from where its controller stands on the command line, and is named after its id",
                code="qemu-no-bus",
                remedy=f"there are: {', '.join(str(bus.label) for bus in self.buses())}",
            )
        if kind != wanted:
            shown = self._type_of(pci) if pci is not None else kind
            raise refusal(
                f"Device '{device.name}' can't go on {shown} bus",
                f"it is a {wanted} device" if wanted == "PCI" else f"it goes on a {wanted} bus",
                code="qemu-bus-kind",
            )
        if other is not None and other.full:
            raise refusal(f"Bus '{name}' is full", "it takes one device", code="qemu-bus-full")
        return pci if pci is not None else other  # type: ignore[return-value]

    def _type_of(self, bus: PciBus) -> str:
        """Return QEMU's word for the kind of a PCI bus."""
        owner = bus.parent or self._expander_of(bus)
        return (BRIDGES[owner.driver].bus_type if owner else "") or ("PCIE" if bus.express else "PCI")

    def _bus_name(self, driver: str, identity: str | None) -> str:
        if identity:
            return identity
        row = BRIDGES.get(driver)
        stem = "pcie" if row is None else row.bus_stem or ("pcie" if row.express else "pci")
        number = self._named.get(stem, 0)
        self._named[stem] = number + 1
        return f"{stem}.{number}"

    # plugging

    def start(self, texts: Iterable[str]) -> None:
        """Plug devices in the order in which QEMU makes them: those in JSON after all others.

        Raises:
            RefusedError: QEMU refuses one; the headline is QEMU's own, its first party the text of the device.
        """
        devices: list[QemuDevice] = []
        ids: set[str] = set()
        for text in texts:
            with _Blamed(text):
                device = parse_device(text)
                if device.id is not None and not device.typed:
                    if device.id in ids:
                        raise refusal(
                            f"Duplicate ID '{device.id}' for device",
                            "two devices have the same id",
                            code="qemu-duplicate-id",
                            remedy="give each device an id of its own",
                        )
                    ids.add(device.id)
                devices.append(device)
        self.options.check()
        for device in sorted(devices, key=lambda device: device.typed):
            with _Blamed(device.text):
                self._plug(device, hot=False)
        rules.check_cxl(self.hardware, enabled=self.options.is_on("cxl"))

    def plug(self, text: str) -> QemuFunction | None:
        """Plug one device while the machine runs, as ``device_add`` does.

        Returns:
            The new function; ``None`` for a device that is not on PCI, or that stays hidden.

        Raises:
            RefusedError: QEMU refuses it, and nothing has changed.
        """
        with _Blamed(text):
            return self._plug(parse_device(text), hot=True)

    def _plug(self, device: QemuDevice, *, hot: bool) -> QemuFunction | None:
        name = device.name
        self._check_driver(device, hot=hot)
        bus = self._bus_of(device)
        if hot and device.id in self._hidden:
            raise refusal(
                f"Duplicate ID '{device.id}' for device", "a hidden device has that id", code="qemu-duplicate-id"
            )
        if self._standbys.hides(device):
            self._check_hidden(device, bus, hot=hot)
            return None
        if hot:
            self._check_hotplug(device, bus)
        if device.id in self.ids:
            raise refusal(f"Duplicate device ID '{device.id}'", "a device has that id", code="qemu-duplicate-id")
        options = {**self._defaults(name), **read_properties(device, self.devices)}
        self._backends.check(device, options, self.ids)
        part = None
        if isinstance(bus, PciBus):
            part = self._plug_pci(device, bus, options, hot=hot)
        else:
            part = self._plug_other(device, bus, options)
        self._backends.take(device, options)
        self._standbys.add(device, options)
        self.others.add(device)
        if name in ONLY_ONE:
            self._singles.add(ONLY_ONE[name][0])
        self._has_display |= name in DISPLAYS
        return part

    def _check_driver(self, device: QemuDevice, *, hot: bool) -> None:
        """Check that QEMU has a device, and that it can be made at all."""
        name = device.name
        if name in MISSING_MODULES:
            raise refusal(
                MISSING_MODULES[name], "it is in a module that does not come with QEMU itself", code="qemu-module"
            )
        if other_bus(name, self.devices) is None and not is_pci(name, self.devices):
            if name in NOT_CREATABLE:
                raise refusal(_NO_PLUGGABLE, f"{name} comes with the machine", code="qemu-not-pluggable")
            raise refusal(
                f"'{device.driver}' is not a valid device model name",
                f"QEMU {self.qemu.version} has no such device",
                code="unknown-driver",
                remedy=similar_driver(name, self.devices),
            )
        never = hot and name in NOT_HOTPLUGGABLE
        if never and not self.qemu.names_what_is_never_plugged:
            raise refusal(
                _NO_PLUGGABLE, f"a {name} cannot be plugged into a running machine", code="qemu-not-pluggable"
            )
        if other_bus(name, self.devices) == SYSTEM and self.options.family not in DYNAMIC.get(name, ()):
            raise refusal(
                "Parameter 'driver' expects a dynamic sysbus device type for the machine",
                f"machines of the family {self.options.family} have no {name}",
                code="qemu-not-pluggable",
            )
        if never and name not in NO_BUS_TO_PLUG:
            raise refusal(
                f"Device '{name}' does not support hotplugging",
                f"a {name} cannot be plugged into a running machine",
                code="qemu-not-pluggable",
            )

    def _check_hotplug(self, device: QemuDevice, bus: PciBus | OtherBus | None) -> None:
        if isinstance(bus, PciBus):
            if not self.handlers[bus]:
                raise rules.no_hotplug(bus.label)
        elif bus is not None:
            if not bus.hotpluggable:
                raise rules.no_hotplug(bus.name)
        elif device.name not in HOTPLUG_WITHOUT_BUS and not is_cpu(device.name, self.devices):
            raise refusal(
                f"Device '{device.name}' can not be hotplugged on this machine",
                "it has no bus, and the machine does not handle it",
                code="qemu-no-hotplug",
            )

    def _check_hidden(self, device: QemuDevice, bus: PciBus | OtherBus | None, *, hot: bool) -> None:
        """Check the bus of a device that stays hidden: it has to take the device later on."""
        if isinstance(bus, PciBus):
            at_start = bus is self.root and (self.options.acpi_bridges or self.hardware.family == "pc")
            if not self.handlers[bus] and not (at_start and self.options.acpi and not hot):
                raise rules.no_hotplug(bus.label)
        elif bus is not None and not bus.hotpluggable:
            raise rules.no_hotplug(bus.name)
        if device.id is not None and not hot:
            self._hidden.add(device.id)

    def _plug_pci(self, device: QemuDevice, bus: PciBus, options: dict[str, str], *, hot: bool) -> QemuFunction:
        name = device.name
        self._pre_plug(device, bus, options, hot=hot)
        place = self._place(device, bus, options, hot=hot)
        rules.check_functions(place, bus, options)
        self._check_device(device, options)
        if name in EXPANDERS:
            rules.check_expander(name, bus, options, root=self.root, numa_nodes=len(self.options.nodes))
        rules.check_chassis(rules.chassis_slot(name, options), self._chassis)
        rules.check_reserve(options)
        rules.check_virtio(name, bus, options)
        rules.check_path(bus, place)
        size = self.options.memory_of(options.get(MEMORY_LINKS.get(name, ""), ""))
        row = row_on(name, bus, options if size is None else {**options, MEMDEV_SIZE: str(size)}, self._table)
        if row is not None and name in PLACE_IS_ID_IN_7_2 and self._table == "7.2":
            row = row._replace(device=place)
        check_values(name, options, legacy=row is not None and is_legacy(name, row.device))
        self._memory.plug(device, options)
        if self.handlers[bus] == SHPC and not place >> 3:
            raise rules.slot_zero()
        check_primary(bus, place, options, row.class_code if row else None)
        part = QemuFunction(
            name,
            place >> 3,
            place & 7,
            bus,
            row,
            device.id,
            multifunction=rules.is_multifunction(name, options),
            options=options,
        )
        self._add(part, bus, hot=hot)
        if bus.kind == PORT and part.slot and self.qemu.warns_of_dead_slots:
            self._dead_slots.append(
                f"-device {device.text}: warning: PCI: slot {part.slot} is not valid for {name}, parent device only"
                " allows plugging into slot 0."
            )
        return part

    def _plug_other(self, device: QemuDevice, bus: OtherBus | None, options: dict[str, str]) -> QemuFunction | None:
        """Plug a device that is not on PCI; return the PCI function that it brings, if any."""
        name = device.name
        setting, words = NEEDS_SETTING.get(name, ("", ""))
        if setting and not self.options.is_on(setting) and self.options.family != "microvm":
            raise refusal(words, f"-machine has no {setting}=on", code="qemu-setting", remedy=f"add {setting}=on")
        needed, words = NEEDS_DEVICE.get(name, ("", ""))
        if needed and needed not in self._singles:
            raise refusal(words, f"there is no {needed}", code="qemu-required", remedy=f"add a {needed} before it")
        if is_cpu(name, self.devices):
            self._processors.plug(device, options)
        else:
            self._check_device(device, options)
            check_values(name, options, legacy=False)
            self._memory.plug(device, options)
        part = None
        if IOMMUS.get(name):
            assert self.root is not None
            part = self._plug_pci(QemuDevice("", IOMMUS[name], {}, False), self.root, {}, hot=False)
        if bus is not None:
            bus.take(device)
        self.not_on_pci.append(name)
        if device.id is not None:
            self.ids[device.id] = bus
        return part

    def _check_device(self, device: QemuDevice, options: Mapping[str, str]) -> None:
        """Check what a device demands wherever it sits: properties that must be there, and that it is the only one."""
        name = device.name
        rules.check_required(name, options)
        self.others.check_master(device)
        kind, words = ONLY_ONE.get(name, ("", ""))
        if kind in self._singles:
            raise refusal(words, "a machine has one at most", code="qemu-only-one", remedy="take one out")
        if name in FIRST_DISPLAY and self._has_display:
            raise refusal(FIRST_DISPLAY[name], "another display stands before it", code="qemu-only-one")
        if name == "nvme" and "subsys" in options:
            serial = self._serials.setdefault(options["subsys"], options.get("serial", ""))
            if serial != options.get("serial", ""):
                raise refusal("invalid controller serial", "all of a subsystem have one serial", code="qemu-value")

    def _defaults(self, name: str) -> dict[str, str]:
        """Return what ``-global`` says about a device's properties."""
        found: dict[str, str] = {}
        for switch, value in self.options.globals.items():
            kind, _, key = switch.rpartition(".")
            if kind == name or (kind == "virtio-pci" and name.startswith("virtio-") and is_pci(name, self.devices)):
                try:
                    found |= read_properties(QemuDevice("", name, {key: value}, False), self.devices)
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
        if owner is not None and (name in EXPANDERS or name not in BRIDGES):
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
            if hot and self.options.qemu.takes_unset_for_last:
                _check_exposed(name, bus, MAX_SLOT << 3)
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
            _check_exposed(name, bus, place)
        return place

    def _expander_of(self, bus: PciBus) -> QemuFunction | None:
        if bus not in self.hardware.extra:
            return None
        return next(part for part in self.hardware.root.parts.values() if part.expander is bus)

    def _add(self, part: QemuFunction, bus: PciBus, *, hot: bool) -> None:
        """Note a function that was made, with the bus that it brings."""
        name, identity, options = part.driver, part.label, part.options
        if identity is not None:
            self.ids[identity] = part
        if int(options.get("acpi-index", 0)):
            self._acpi_indexes[int(options["acpi-index"])] = part
        if name in NEEDS_PEER and "netdev" not in options:
            self._no_peers.append(f"warning: nic {identity or self._numbered(name)} has no peer")
        if name in EXPANDERS:
            inner = expander_bus(part, int(options.get("bus_nr", 0)), self._bus_name(name, identity))
            assert part.expander is not None
            self.hardware.extra.append(part.expander)
            self.handlers[part.expander] = self.handlers[inner] = NO_HANDLER
            if inner.parent is not None:
                inner.parent.label = identity
        elif name in BRIDGES:
            row = BRIDGES[name]
            below = PciBus(row.behind, express=row.express, label=self._bus_name(name, identity), parent=part)
            self.handlers[below] = self._handler(part, bus, hot=hot)
        pair = rules.chassis_slot(name, options)
        if pair is not None:
            self._chassis.add(pair)

    def _numbered(self, name: str) -> str:
        number = self._named.get(f"nic {name}", 0)
        self._named[f"nic {name}"] = number + 1
        return f"{name}.{number}"

    def _handler(self, part: QemuFunction, bus: PciBus, *, hot: bool) -> str:
        """Return who handles hotplug on the bus behind a bridge."""
        under_acpi = self.hardware.acpi_bridges and not hot
        if under_acpi and (bus is self.root or self.handlers[bus] == ACPI):
            return NO_HANDLER if BRIDGES[part.driver].behind == PORT and part.options.get("hotplug") == "off" else ACPI
        if BRIDGES[part.driver].behind == PORT:
            return PCIE
        return SHPC if has_hotplug_controller(part) else NO_HANDLER

    def unplug(self, name: str) -> None:
        """Ask for a device to be taken out, as ``device_del`` does.

        Raises:
            RefusedError: there is none, or it cannot leave; nothing has changed then.
        """
        if name not in self.ids:
            raise refusal(f"Device '{name}' not found", "no device has that id", code="qemu-no-device")
        part = self.ids[name]
        if isinstance(part, QemuFunction):
            self._check_unplug(name, part)
            if self.handlers[part.bus] == ACPI:  # the guest has to eject it, and a paused one does not
                self._leaving.add(part)
                return
            del part.bus.parts[part.slot << 3 | part.function]
        elif part is not None and not part.hotpluggable:
            raise rules.no_hotplug(part.name)
        del self.ids[name]
        self._backends.release(name)
        self._standbys.remove(name)

    def _check_unplug(self, name: str, part: QemuFunction) -> None:
        if not self.handlers[part.bus]:
            raise rules.no_hotplug(part.bus.label)
        if part.driver in VIRTIO_MEMORY:
            raise refusal("virtio based memory devices cannot be unplugged.", f"{name} is one", code="qemu-no-hotplug")
        if part in self._leaving:
            raise refusal(
                f"Device {name} is already in the process of unplug",
                "the guest has not let go of it",
                code="qemu-leaving",
            )


class _Blamed:
    """Names the device in every refusal that comes out of a block."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, where: object) -> None:
        if isinstance(error, PcisimError):
            error.details = (f"-device {self.text}", *error.details)


def _check_exposed(name: str, bus: PciBus, place: int) -> None:
    """Check that a running guest will look at a slot again (QEMU rule 4.3).

    Raises:
        RefusedError: its function 0 is there already.
    """
    first = bus.parts.get(0 if bus.kind == PORT else place & ~7)
    if first is not None:
        raise refusal(
            f"PCI: slot {first.slot} function 0 already occupied by {first.driver}, new func {name} cannot be"
            " exposed to guest.",
            "a running guest looks at a slot when its function 0 appears: that has to come last",
            code="qemu-function-zero-first",
        )
