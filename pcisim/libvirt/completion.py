"""What libvirt adds to a definition before it places anything.

`complete` numbers controllers, puts lists into libvirt's order, fills in default models and
adds the controllers and devices that the machine, or other devices, imply.

Source: libvirt rule 5, verified against libvirt 9.0.0 and 11.3.0.
"""

from __future__ import annotations

from itertools import chain, count

from pcisim.catalogue.connectors import CONVENTIONAL
from pcisim.catalogue.controllers import EXPANDER_BUSES, MAX_INDEX, ROOT_MODELS
from pcisim.catalogue.devices import (
    ADDRESS_DROPPED,
    DISKS_A_CONTROLLER,
    ICH9_START_PORTS,
    KNOWN_SINCE,
    NEVER_ON_MMIO,
    ON_SPAPR_VIO,
    ON_VIRTIO_BUS,
    PLACED_SINCE_11,
    PLUGS,
    SCSI_HOSTDEV_UNITS,
    interface_plug,
)
from pcisim.catalogue.versions import Libvirt, first_with, libvirt_version
from pcisim.catalogue.x86_machines import X86, Machine, Models
from pcisim.errors import NotCoveredError, RefusedError
from pcisim.guest import IGNORED, Controller, Device, Guest, evolved, refuse
from pcisim.libvirt.parsing import at, check_devices, check_kinds
from pcisim.libvirt.passes import known_machines, machines_with_pci
from pcisim.libvirt.twice import check_boot_orders

SERIAL_PORTS = 31
"""How many ports a virtio-serial controller has when nobody says."""


def complete(guest: Guest, rules: Libvirt) -> Guest:
    """Return the guest as libvirt sees it when it begins to place addresses.

    Args:
        guest: what was read or described; it is not changed.
        rules: the version of libvirt.

    Raises:
        RefusedError: libvirt refuses the definition before it places anything.
    """
    guest = evolved(guest, rules=rules)
    machine = guest.machine
    if guest.arch not in X86:
        _check_architecture(guest, rules)
    controllers = ControllerList(rules)
    for controller in guest.controllers:
        controllers.insert(_as_companion(evolved(controller)))
    guest = _without_newer_words(guest, rules)
    hostdevs = [hostdev for hostdev in guest.devices.get("hostdev", ()) if hostdev.bus == "scsi"]
    check_kinds(guest, controllers.items, rules)
    _controllers_of_scsi_hostdevs(controllers, hostdevs, only_missing_models=True)
    if controllers.items:
        controllers.number()
        _check_models(controllers.items)
    _machine_controllers(controllers, guest, rules)
    check_devices(guest, controllers.items)
    _check_pci_controllers(controllers.items, guest)
    _check_expanders(controllers.items, machine)
    devices = dict(guest.devices)
    if machine.balloon and not devices.get("memballoon"):
        devices["memballoon"] = [_implied("memballoon", "virtio")]
    _device_defaults(devices, controllers, machine.models, rules)
    placed = _scsi_hostdev_units(hostdevs, devices.get("disk", []), controllers)
    if hostdevs and any(item.type == "scsi" and item.model in SCSI_HOSTDEV_UNITS for item in controllers.items):
        # once the controller that is added next is listed, other units would be found: they have to be written down
        known = dict(zip(hostdevs, placed))
        devices["hostdev"] = [known.get(hostdev, hostdev) for hostdev in devices["hostdev"]]
    hostdevs = placed
    _check_duplicates(controllers.items, devices)
    _check_roots(controllers.items, machine)
    check_boot_orders(guest)
    _controllers_of_disks(controllers, devices.get("disk", []))
    _nvme_controllers(controllers, [disk for disk in devices.get("disk", ()) if disk.bus == "nvme"])
    for device in (*_virtio_ports(devices, "channel"), *_virtio_ports(devices, "console")):
        controllers.ensure("virtio-serial", device.controller or 0)
    _controllers_of_scsi_hostdevs(controllers, hostdevs, only_missing_models=False)
    _scsi_models(controllers, machine, rules)
    if guest.graphics and not devices.get("video"):
        devices["video"] = [_implied("video", machine.models.video)]
    _assign_serial_ports(controllers, devices, rules)
    if machine.virtio_bus:
        _leave_pci(devices, controllers, machine)
    labels: set[str] = set()
    for controller in controllers.items:
        controller.label = _controller_label(controller)
        while controller.label in labels:  # libvirt takes two ICH9 companions of a kind
            controller.label += "+"
        labels.add(controller.label)
    return evolved(guest, devices=devices, controllers=controllers.items)


def _without_newer_words(guest: Guest, rules: Libvirt) -> Guest:
    """Return the guest as a libvirt sees it that does not know the newest devices (libvirt rule 11)."""
    devices = dict(guest.devices)
    for (element, model), difference in KNOWN_SINCE.items():
        if getattr(rules, difference):
            continue
        for device in devices.get(element, ()):
            if device.model == model:
                raise refuse(
                    device,
                    f"libvirt {rules.version} does not know the model '{model}' of <{element}>",
                    "unknown-model",
                    f"ask for --libvirt {first_with(difference)}, or take the device out",
                )
    if rules.places_crypto_and_pstore:
        return guest
    for element in PLACED_SINCE_11:
        if element in devices:
            devices[element] = [evolved(device, plug=0) for device in devices[element]]
    return evolved(guest, devices=devices)


class ControllerList:
    """The controllers of a definition, in libvirt's order.

    Args:
        rules: the version of libvirt: 11.3 sorts in the controllers that it adds, 9.0 puts
            them last.
    """

    def __init__(self, rules: Libvirt) -> None:
        self.items: list[Controller] = []
        self.rules = rules
        self._highest: dict[str, int] = {}
        self._known: dict[tuple[str, int], Controller] = {}

    @classmethod
    def of(cls, rules: Libvirt, controllers: list[Controller]) -> ControllerList:
        """Return the list of controllers that are in order already."""
        made = cls(rules)
        made.items = list(controllers)
        for item in controllers:
            made._note(item)
        return made

    def insert(self, new: Controller) -> None:
        """Insert a controller of the definition (libvirt rule 5.1)."""
        position = self._position(new)
        self.items.insert(position, new)
        self._note(new)

    def add_all(self, new: list[Controller]) -> None:
        """Add controllers of one type, in ascending order of index, that libvirt makes by itself."""
        first = new[0].index or 0
        if self.rules.sorts_added_controllers and first <= self._highest.get(new[0].type, -1):
            for item in new:
                self.insert(item)
            return
        position = self._position(new[0]) if self.rules.sorts_added_controllers else len(self.items)
        self.items[position:position] = new
        self._highest[new[0].type] = max(self._highest.get(new[0].type, -1), new[-1].index or 0)
        for item in new:
            self._known.setdefault((item.type, item.index or 0), item)

    def _note(self, new: Controller) -> None:
        index = -1 if new.index is None else new.index
        self._highest[new.type] = max(self._highest.get(new.type, -1), index)
        self._known.setdefault((new.type, index), new)

    def _position(self, new: Controller) -> int:
        items = self.items
        after_last = len(items)
        for position in range(len(items) - 1, -1, -1):
            if items[position].type == new.type:
                after_last = position + 1
                break
        else:
            return after_last
        if new.index is None or new.index > self._highest[new.type]:
            return after_last
        for position, item in enumerate(items):
            if item.type == new.type and item.index is not None:
                if item.index > new.index:
                    return position
                if item.index == new.index and item.companion and not new.companion:
                    return position
        return after_last

    def add(self, new: Controller) -> None:
        """Add a controller that libvirt makes by itself."""
        if self.rules.sorts_added_controllers:
            self.insert(new)
        else:
            self.items.append(new)
            self._note(new)

    def find(self, kind: str, index: int) -> Controller | None:
        """Return the first controller that was given for a type and an index."""
        return self._known.get((kind, index))

    def ensure(self, kind: str, index: int, model: str = "") -> None:
        """Add the controller of a type with an index if there is none."""
        if (kind, index) not in self._known:
            plug = PLUGS[f"controller/{kind}"].get(model, 0)
            self.add(Controller("controller", f"{kind}:{index}", model, plug, type=kind, index=index))

    def number(self) -> None:
        """Give an index to the controllers that have none (libvirt rule 5.2)."""
        used: dict[str, set[int]] = {}
        models: set[tuple[str, int | None]] = set()
        for item in self.items:
            if item.index is not None:
                used.setdefault(item.type, set()).add(item.index)
                models.add((item.model, item.index))
        lowest: dict[str, int] = {}
        resorts = False
        previous_usb: Controller | None = None
        for place, item in enumerate(self.items):
            if item.index is None:
                taken = used.setdefault(item.type, set())
                resorts |= item.ich9 and place > 0
                if item.ich9 and place and previous_usb is not None and previous_usb.ich9:
                    index = previous_usb.index
                    if (item.model, index) not in models:
                        item.index = index
                if item.index is None:
                    free = lowest.get(item.type, 0)
                    while free in taken:
                        free += 1
                    item.index = lowest[item.type] = free
                taken.add(item.index)
                models.add((item.model, item.index))
                self._note(item)
                item.defaults = item.defaults | {"@index": str(item.index)}
            if item.type == "usb":
                previous_usb = item
        if resorts and self.rules.sorts_added_controllers:
            # inserting one after the other sorts each type by index, companions after the others
            types = list(dict.fromkeys(item.type for item in self.items))
            self.items.sort(key=lambda item: (types.index(item.type), item.index, item.companion))


def _implied(element: str, model: str) -> Device:
    return Device(element, f"{element}:0", model, PLUGS[element][model])


def _controller_label(controller: Controller) -> str:
    label = f"{controller.type}:{controller.index}"
    return f"{label}:{controller.model}" if controller.ich9 else label


def _as_companion(controller: Controller) -> Controller:
    """Make an ICH9 controller without a master the companion that its model is."""
    if controller.model in ICH9_START_PORTS and not controller.companion:
        controller.companion = True
        controller.start_port = ICH9_START_PORTS[controller.model]
        controller.defaults = controller.defaults | {"master/@startport": str(controller.start_port)}
    return controller


def _check_pci_controllers(controllers: list[Controller], guest: Guest) -> None:
    """Refuse PCI controllers that libvirt refuses while it reads them (libvirt rules 7 and 8.1)."""
    for item in controllers:
        if not item.is_pci:
            continue
        node = item.target.get("node")
        if node is not None and node not in guest.numa_nodes:
            raise refuse(
                item,
                f"{item.model} with index {item.index} is configured for a NUMA node ({node})"
                f" not present in the domain's <cpu><numa> array ({len(guest.numa_nodes)})",
                "numa-node",
                f"add <cell id='{node}' .../> to <cpu><numa>, or name a node that is there",
            )


def _check_expanders(controllers: list[Controller], machine: Machine) -> None:
    """Refuse expanders of another machine's root bus."""
    for item in controllers:
        headline = _EXPANDERS.get(item.model, "")
        if headline and EXPANDER_BUSES.get(machine.family) != item.model:
            raise refuse(
                item,
                headline,
                "wrong-machine",
                "a q35 guest, and a virt one of ARM, has the pcie-expander-bus, a pc guest the pci-expander-bus",
            )


_EXPANDERS = {
    "pci-expander-bus": "pci-expander-bus controllers are only supported on 440fx-based machinetypes",
    "pcie-expander-bus": "pcie-expander-bus controllers are not supported with this machine type",
}


def _check_models(controllers: list[Controller]) -> None:
    for item in controllers:
        if item.is_pci and not item.model and item.index:
            raise refuse(
                item,
                "PCI controller model was not set correctly",
                "no-model",
                "write model='pcie-root-port' (q35) or model='pci-bridge' (pc)",
            )


def _check_roots(controllers: list[Controller], machine: Machine) -> None:
    """Refuse a second root bus."""
    for item in controllers:
        if item.model in ROOT_MODELS and item.index and not (machine.host_bridges and item.model == "pci-root"):
            raise refuse(
                item,
                "pci-root and pcie-root controllers should have index 0",
                "root-index",
                "write index='0', or use another model: a guest has one root bus",
            )


def _check_duplicates(controllers: list[Controller], devices: dict[str, list[Device]]) -> None:
    """Refuse two controllers of a type with one index, and two panic devices of a model."""
    seen: dict[tuple[str, int | None], Controller] = {}
    for item in controllers:
        first = seen.setdefault((item.type, item.index), item)
        if first is item or item.type == "usb":  # those on USB are looked at when everything is placed
            continue
        error = refuse(
            item,
            f"Multiple '{item.type}' controllers with index '{item.index}'",
            "duplicate-index",
            "give one of them another index, or leave the index out",
            f"the first one is a {first.model or first.type} controller{at(first)}",
        )
        error.parties += (first.label,)
        raise error
    models: set[str] = set()
    for panic in devices.get("panic", []):
        if panic.model in models:
            raise refuse(
                panic, f"Multiple panic devices with model '{panic.model}'", "duplicate-panic", "take one of them out"
            )
        models.add(panic.model)


def _machine_controllers(controllers: ControllerList, guest: Guest, rules: Libvirt) -> None:
    """Add what every machine of the family has (libvirt rule 5.3)."""
    machine = guest.machine
    if machine.usb and controllers.find("usb", 0) is None:
        controllers.ensure("usb", 0, machine.usb)
    if machine.sata:
        controllers.ensure("sata", 0)
    root = controllers.find("pci", 0)
    if machine.root is None:
        if root is not None and not root.model:
            raise refuse(root, "PCI controller model was not set correctly", "no-model", "write model='pci-root'")
        if rules.knows_machines_without_pci:
            _check_machine_without_pci(controllers, guest)
        return
    if root is None:
        controllers.add(Controller("controller", "pci:0", machine.root, type="pci", index=0))
    elif root.model != machine.root:
        raise refuse(
            root,
            f"The PCI controller with index='0' must be model='{machine.root}' for this machine type,"
            f" but model='{root.model or '(null)'}' was found instead",
            "wrong-root",
            f"add <controller type='pci' index='0' model='{machine.root}'/> before the others, or number them from 1",
            "a controller without an index gets the lowest one that is unused, and 0 is the root bus",
        )


def _check_machine_without_pci(controllers: ControllerList, guest: Guest) -> None:
    """Refuse a machine of which libvirt knows no root bus, and PCI controllers where there is none (libvirt rule
    13.7).
    """
    name = guest.machine_name
    remedy = f"name a machine of type {machines_with_pci(guest)} in <os><type machine='...'>"
    if guest.machine.lacks_root:
        from pcisim.catalogue.other_machines import architectures_of

        others = architectures_of(guest.machine_type)
        raise RefusedError(
            f"Machine type '{name}' supports PCI but no PCI controller added",
            code="no-pci-bus",
            details=(f"the machine type '{name}' has no PCI bus that libvirt knows: {known_machines(guest, others)}",),
            line=guest.machine_line,
            remedy=remedy + (f", or another architecture: arch='{others[0]}'" if others else ""),
        )
    pci = next((item for item in controllers.items if item.is_pci), None)
    if pci is not None:
        raise refuse(pci, f"Machine type '{name}' does not support PCI", "no-pci-bus", remedy)


def _device_defaults(
    devices: dict[str, list[Device]], controllers: ControllerList, models: Models, rules: Libvirt
) -> None:
    """Fill in the models that nobody wrote (libvirt rule 5.4) and libvirt's order of the lists (libvirt rule 5.1)."""
    consoles, serials = devices.get("console"), devices.get("serial")
    if consoles and consoles[0].bus in ("", "serial"):
        first = consoles[0]
        if serials:
            kind = first.address_type and IGNORED
            defaults = {"target/@type": "serial"}
            first = evolved(first, mirrors=serials[0], address_type=kind, address=None, defaults=defaults)
        elif ("serial", models.serial) in ON_SPAPR_VIO and _loses_its_address(first):  # it becomes a serial port
            first = evolved(first, address_type=IGNORED, address=None)
        devices["console"] = [first, *consoles[1:]]
    for element, devices_of in devices.items():
        fill = _FILL.get(element)
        if fill is not None:
            devices[element] = [fill(device, models, rules) for device in devices_of]
    for position, controller in enumerate(controllers.items):
        if controller.type == "usb" and not controller.model:
            off = models.usb == "none"
            if off and controller.address_type is not None and not rules.usb_off_on_s390:
                controller.plug = CONVENTIONAL  # no model, but a place
                continue
            controller = controllers.items[position] = evolved(
                controller,
                model=models.usb,
                plug=PLUGS["controller/usb"][models.usb],
                defaults=controller.defaults | {"@model": models.usb},
            )
            if off and controller.address_type is not None:
                controller.address_type, controller.address = IGNORED, None
    disks = devices.get("disk")
    if disks:
        devices["disk"] = _sorted_disks(disks)
    videos = devices.get("video", [])
    if any(video.primary for video in videos[1:]):
        ordered: list[Device] = []
        for video in videos:
            ordered.insert(0 if video.primary else len(ordered), video)
        devices["video"] = [evolved(video, label=f"video:{n}") for n, video in enumerate(ordered)]


def _loses_its_address(device: Device) -> bool:
    """Return whether a device that turns out to be on spapr-vio has an address of another type (libvirt rule 1.2)."""
    if device.address_type in (None, IGNORED, "spapr-vio", "virtio-serial"):
        return False
    bus, slot = (0, 0) if device.address is None else (device.address >> 8 & 0xFF, device.address >> 3 & 0x1F)
    if bus and slot:
        raise refuse(
            device,
            f"spapr-vio reg='{bus << 32:#x}' exceeds maximum possible value (0xffffffff)",
            "address-range",
            "leave the address out",
            f"{device.label} is on spapr-vio, and libvirt takes what its address holds for a register",
        )
    return True


def _sorted_disks(disks: list[Device]) -> list[Device]:
    """Sort by number among the disks of each declared bus; buses in the order of their first disk."""
    groups: dict[str, list[Device]] = {}
    for disk in disks:
        groups.setdefault("" if disk.defaults else disk.bus, []).append(disk)
    for group in groups.values():
        group.sort(key=lambda disk: -1 if disk.unit is None or disk.kind == "nvme" else disk.unit)
    return [disk for group in groups.values() for disk in group]


def _fill_interface(device: Device, models: Models, rules: Libvirt) -> Device:
    if device.model or device.bus == "hostdev":
        return device
    virtio = device.bus == "vdpa" or (device.bus == "vhostuser" and rules.vhostuser_is_virtio)
    model = "virtio" if virtio else models.interface
    return _filled(device, model, interface_plug(model, rules), "model/@type")


def _fill_video(device: Device, models: Models, _rules: Libvirt) -> Device:
    return device if device.model else _filled(device, models.video, PLUGS["video"][models.video], "model/@type")


def _fill_vsock(device: Device, _models: Models, _rules: Libvirt) -> Device:
    return device if device.model else _filled(device, "virtio", PLUGS["vsock"]["virtio"], "@model")


def _filled(device: Device, model: str, plug: int, path: str) -> Device:
    return evolved(device, model=model, plug=plug, defaults=device.defaults | {path: model})


_FILL = {"interface": _fill_interface, "video": _fill_video, "vsock": _fill_vsock}


def _controllers_of_disks(controllers: ControllerList, disks: list[Device]) -> None:
    """Add the controllers that disks hang on (libvirt rule 5.5, step 1)."""
    highest: dict[str, int] = {}
    for disk in disks:
        each = DISKS_A_CONTROLLER.get(disk.bus)
        if each is None or disk.address_type not in (None, "drive"):
            continue
        if disk.controller is None and disk.unit is None:
            continue
        index = disk.controller if disk.controller is not None else (disk.unit or 0) // each
        if index > MAX_INDEX * 16:
            raise refuse(disk, f"{disk.bus} controller index {index} too high", "index-range")
        highest[disk.bus] = max(highest.get(disk.bus, -1), index)
    for bus in DISKS_A_CONTROLLER:
        for index in range(highest.get(bus, -1) + 1):
            controllers.ensure(bus, index)


def _nvme_controllers(controllers: ControllerList, disks: list[Device]) -> None:
    """Add the NVMe controllers that disks hang on, with the serial number of their disks (libvirt rule 13.13)."""
    highest = max([disk.controller or 0 for disk in disks], default=-1)
    if highest > MAX_INDEX * 16:
        raise refuse(disks[0], f"nvme controller index {highest} too high", "index-range")
    for index in range(highest + 1):
        controllers.ensure("nvme", index)
    given = {item.index for item in controllers.items if item.type == "nvme" and item.serial}
    for disk in disks:
        found = controllers.find("nvme", disk.controller or 0)
        assert found is not None
        if not disk.serial or disk.serial == found.serial:
            continue
        if found.serial:
            error = refuse(
                disk,
                "Conflicting NVME disk serial number, all disks on a controller must have the same serial number as the"
                " controller itself",
                "nvme-serial",
                f"write <serial>{found.serial}</serial>, leave it out, or use another controller",
                f"{found.label} has the serial number '{found.serial}'"
                + ("" if found.index in given else ", which libvirt takes from the first of its disks that has one"),
            )
            error.parties += (found.label,)
            raise error
        found.serial = disk.serial
    for item in controllers.items:
        if item.type == "nvme" and not item.serial:
            on_it = [disk for disk in disks if disk.controller == item.index]
            raise RefusedError(
                "Missing mandatory serial for NVMe controller",
                code="nvme-serial",
                details=(f"{item.label} has none" + ("" if on_it else ", and no disk that would say one"),),
                line=item.line or next((disk.line for disk in on_it), None),
                remedy="add <serial>...</serial> to the controller, or to one of its disks",
                parties=(item.label, *[disk.label for disk in on_it[:1]]),
            )


def _scsi_models(controllers: ControllerList, machine: Machine, rules: Libvirt) -> None:
    """Fill in the models of SCSI controllers (libvirt rules 5.4 and 13.1)."""
    default = machine.models.scsi
    scsi = [item for item in controllers.items if item.type == "scsi"]
    if rules.scsi_follows_first and default == Models().scsi:
        said = [item for item in scsi if item.model not in ("", "auto")]
        default = said[0].model if said else default
    for index, controller in enumerate(controllers.items):
        if controller.type == "scsi" and controller.model in ("", "auto"):
            controllers.items[index] = evolved(
                controller,
                model=default,
                plug=PLUGS["controller/scsi"][default],
                defaults=controller.defaults | {"@model": default},
            )
            if ("controller/scsi", default) in ON_SPAPR_VIO and _loses_its_address(controller):
                controllers.items[index] = evolved(controllers.items[index], address_type=IGNORED, address=None)


def _controllers_of_scsi_hostdevs(
    controllers: ControllerList, hostdevs: list[Device], *, only_missing_models: bool
) -> None:
    """Add the controllers that SCSI host devices hang on (libvirt rule 5.5, steps 0 and 4)."""
    highest = -1
    model = ""
    for hostdev in hostdevs:
        index = hostdev.controller or 0
        if index <= highest:
            continue
        if index > _MOST_CONTROLLERS:
            raise refuse(hostdev, f"SCSI controller index {index} too high", "index-range", "name a lower controller")
        found = controllers.find("scsi", index)
        if found is not None and found.model:
            model = found.model
        if only_missing_models:
            for number in range(highest + 1, index + 1):
                controllers.ensure("scsi", number, model)
        highest = index
    for number in range(highest + 1):
        controllers.ensure("scsi", number, model)


_MOST_CONTROLLERS = 65535
"""More controllers than there are PCI addresses."""


def _scsi_hostdev_units(hostdevs: list[Device], disks: list[Device], controllers: ControllerList) -> list[Device]:
    """Give SCSI host devices without an address the first free unit of a controller."""
    if not hostdevs:
        return hostdevs
    each = DISKS_A_CONTROLLER["scsi"]
    used = {(h.controller, *h.drive) for h in hostdevs if h.controller is not None}
    for disk in disks:
        if disk.bus == "scsi":
            if disk.controller is not None:
                used.add((disk.controller, *disk.drive))
            elif disk.unit is not None:
                used.add((disk.unit // each, 0, 0, disk.unit % each))
    placed: list[Device] = []
    first = 0  # all units of the controllers before it are in use
    for hostdev in hostdevs:
        if hostdev.controller is None:
            for index in count(first):
                found = controllers.find("scsi", index)
                units = SCSI_HOSTDEV_UNITS.get(found.model, each) if found is not None else each
                unit = next((unit for unit in range(units) if (index, 0, 0, unit) not in used), None)
                if unit is not None:
                    break
            first = index
            used.add((index, 0, 0, unit or 0))
            hostdev = evolved(hostdev, controller=index, drive=(0, 0, unit or 0))
        placed.append(hostdev)
    return placed


def _virtio_ports(devices: dict[str, list[Device]], element: str) -> list[Device]:
    return [device for device in devices.get(element, []) if device.bus == "virtio"]


def _assign_serial_ports(controllers: ControllerList, devices: dict[str, list[Device]], rules: Libvirt) -> None:
    """Give ports of virtio-serial controllers, and add controllers when those there run out (libvirt rule 5.5, step
    7).
    """
    everything = (*controllers.items, *chain.from_iterable(devices.values()))
    written = [device for device in everything if device.address_type == "virtio-serial" and device.unit]
    consoles = [d for d in _virtio_ports(devices, "console") if d.controller is not None and not d.unit]
    channels = [d for d in _virtio_ports(devices, "channel") if not d.unit]
    if not written and not consoles and not channels:
        return
    ports = _SerialPorts(controllers)
    for device in written:
        ports.reserve(device)
    for device in consoles:  # those without an address use no port
        if rules.console_on_port_0:
            ports.take(device, device.controller, lowest=0)
        else:  # it keeps port 0, and takes one of controller 0 all the same
            ports.take(device, 0)
    for device in channels:
        ports.take(device, device.controller)


class _SerialPorts:
    """The ports of all virtio-serial controllers."""

    def __init__(self, controllers: ControllerList) -> None:
        self.controllers = controllers
        self.counts: dict[int, int] = {}
        self.taken: dict[int, dict[int, Device]] = {}
        self.next: dict[int, int] = {}
        for item in controllers.items:
            if item.type == "virtio-serial" and item.index is not None and item.index not in self.counts:
                self._open(item.index)
        self.order = sorted(self.counts)
        self.full = 0
        """How many of the controllers in order have no port left."""

    def _open(self, index: int) -> None:
        found = self.controllers.find("virtio-serial", index)
        self.counts[index] = found.ports if found is not None and found.ports is not None else SERIAL_PORTS
        self.taken[index] = {}
        self.next[index] = 1

    def _check_controller(self, device: Device, index: int) -> None:
        if index not in self.counts:
            raise refuse(
                device,
                f"virtio serial controller {index} is missing",
                "port-range",
                f"leave the address of {device.label} out",
                "only channels and consoles of type virtio bring their controller along",
            )

    def reserve(self, device: Device) -> None:
        """Take the port that an address names."""
        index, port = device.controller or 0, device.unit or 0
        self._check_controller(device, index)
        if port >= self.counts[index]:
            raise refuse(
                device,
                f"virtio serial controller {index} does not have port {port}",
                "port-range",
                f"name a port from 1 to {self.counts[index] - 1}, or leave the address out",
            )
        other = self.taken[index].setdefault(port, device)
        if other is not device:
            error = refuse(
                device,
                f"virtio serial port {port} on controller {index} is already occupied",
                "port-occupied",
                "name another port, or leave the address out",
                f"{other.label} has it{at(other)}",
            )
            error.parties += (other.label,)
            raise error

    def take(self, device: Device, index: int | None, lowest: int = 1) -> None:
        """Take the lowest free port: of a controller, or of any."""
        if index is not None:
            self._check_controller(device, index)
            if not self._take_of(index, device, lowest):
                raise refuse(
                    device,
                    f"Unable to find a free port on virtio-serial controller {index}",
                    "port-range",
                    "leave the address out: libvirt then adds a controller",
                    f"the controller has {self.counts[index]} ports, and the first is for a console only",
                )
            return
        while self.full < len(self.order):
            if self._take_of(self.order[self.full], device):
                return
            self.full += 1
        index = next(n for n in count() if n not in self.counts)
        self.controllers.ensure("virtio-serial", index)
        self._open(index)
        self.order.append(index)
        self._take_of(index, device)

    def _take_of(self, index: int, device: Device, lowest: int = 1) -> bool:
        taken = self.taken[index]
        if not lowest and 0 not in taken and self.counts[index]:
            taken[0] = device
            return True
        while self.next[index] in taken:
            self.next[index] += 1
        if self.next[index] >= self.counts[index]:
            return False
        taken[self.next[index]] = device
        return True


def _leave_pci(devices: dict[str, list[Device]], controllers: ControllerList, machine: Machine) -> None:
    """Let virtio devices without an address have one of another type, where the machine has such (libvirt rules 4.4,
    4.5).
    """
    kind = machine.virtio_bus
    if kind == "virtio-mmio":
        root = controllers.find("pci", 0)
        if root is not None and root.model == "pcie-root":
            everything = chain(controllers.items, *devices.values())
            if not any(device.address_type == kind and _keeps_its_address(device) for device in everything):
                if "interface" in devices:
                    devices["interface"] = [_primed(device) for device in devices["interface"]]
                return
    for element, models in ON_VIRTIO_BUS.items():
        if element in devices and not (kind == "virtio-mmio" and element in NEVER_ON_MMIO):
            devices[element] = [
                evolved(device, address_type=kind) if device.address_type is None and device.model in models else device
                for device in devices[element]
            ]
    for position, item in enumerate(controllers.items):
        if item.type in ("scsi", "virtio-serial") and item.address_type is None:
            controllers.items[position] = evolved(item, address_type=kind)


def _primed(interface: Device) -> Device:
    """Return an interface as it is when each virtio device has been told to be on PCI, those of the host on USB too."""
    if interface.kind == "usb" and interface.address_type is None and interface.model in ON_VIRTIO_BUS["interface"]:
        return evolved(interface, address_type="pci")
    return interface


def _keeps_its_address(device: Device) -> bool:
    element = f"controller/{device.type}" if isinstance(device, Controller) else device.element
    return (element, device.model) not in ADDRESS_DROPPED | ON_SPAPR_VIO and device.mirrors is None


_ALIASES = {
    "amd64": "x86_64", "x64": "x86_64", "x86": "i686", "i386": "i686", "arm64": "aarch64", "armhf": "armv7l",
    "arm": "armv7l", "ppc64el": "ppc64le", "powerpc": "ppc", "loong64": "loongarch64", "s390": "s390x",
}  # fmt: skip
"""What others call architectures, and libvirt does not."""


def _check_architecture(guest: Guest, rules: Libvirt) -> None:
    from pcisim.catalogue.other_machines import ARCHITECTURES, architectures_of

    known = (*X86, *ARCHITECTURES)
    if guest.arch not in known:
        raise NotCoveredError(
            f"architecture {guest.arch!r} is not covered: pcisim knows the rules of {', '.join(known)}",
            code="unknown-architecture",
            details=(f"libvirt calls it {_ALIASES[guest.arch]}",) if guest.arch in _ALIASES else (),
            line=guest.machine_line,
            remedy="ask libvirt itself about this guest",
        )
    others = architectures_of(guest.machine_type)
    if others and guest.arch not in others:
        raise RefusedError(
            f"machine type '{guest.machine_type}' is not one of {guest.arch}",
            code="unknown-machine",
            details=(f"it is a machine of {', '.join(others)}",),
            line=guest.machine_line,
            remedy=f"name a machine of {guest.arch}, or another architecture",
        )
    if libvirt_version(guest.machine.since).release > rules.release:
        raise NotCoveredError(
            f"machine type '{guest.machine_type}' of {guest.arch} is not covered as libvirt {rules.version}",
            code="machine-not-covered",
            details=(f"pcisim knows what libvirt does with it from {guest.machine.since} on",),
            line=guest.machine_line,
            remedy=f"ask for --libvirt {guest.machine.since}, or libvirt itself about this guest",
        )
