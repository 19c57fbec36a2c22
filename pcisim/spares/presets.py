"""What managers of virtual machines do about spare ports, by what they count: one row each.

All of them act on machines with a PCI Express root bus only; anywhere else a guest is placed as libvirt does.

virt-install and Nova write a number of root ports into the definition.  What is placed first fills them, and once they
are exceeded there is no spare port: libvirt brings one only where no PCI controller but the root is listed (libvirt
rule 6.6).

KubeVirt defines the domain with placeholder interfaces behind the written ones, takes them out again, and defines it
once more; version 3 then appends root ports.  What it counts as ports in use is in `ports_in_use`.  libvirt's own spare
port comes with the first definition.  It makes up for the USB controller of model ``none`` that KubeVirt writes and
counts, so that the total is the one that KubeVirt's tests expect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from pcisim.catalogue.controllers import EXPANDERS, ROOT_MODELS
from pcisim.catalogue.devices import plug_on
from pcisim.catalogue.versions import Libvirt
from pcisim.errors import RefusedError
from pcisim.guest import Controller, Device, Guest, evolved
from pcisim.libvirt.completion import ControllerList
from pcisim.libvirt.policy import LibvirtPolicy
from pcisim.placement import Placement, PlacementStep
from pcisim.spares.extension import Extension

VIRT_INSTALL_PORTS = 14
MOST_NOVA_PORTS = 28
_PORT = "pcie-root-port"
_WRITTEN = "a root port that is written before anything is placed"


class Settings(NamedTuple):
    """What goes with a preset; ``None`` where it is not said."""

    ports: int | None = None
    memory: int | None = None
    """In bytes."""
    used: int | None = None
    """How many ports KubeVirt counts as in use."""
    slots: int | None = None
    """How many interfaces and placeholders there are in all, as KubeVirt notes it of a guest of version 2."""


class Preset(NamedTuple):
    """One row: a manager."""

    name: str
    summary: str
    place: Callable[[Libvirt, Guest, Settings, bool], Placement]
    """Places a completed guest on a PCI Express machine; the last argument says whether to log."""
    settings: tuple[str, ...] = ()
    """Which of `Settings` go with it."""
    needs: tuple[str, ...] = ()
    """Which of them have to be said."""


def _virt_install(rules: Libvirt, guest: Guest, settings: Settings, log: bool) -> Placement:
    if any(d.is_pci and _is_written(d) for d in guest.controllers):
        return LibvirtPolicy(rules).place(guest, log=log)
    return _with_ports(rules, guest, VIRT_INSTALL_PORTS, log)


def _nova(rules: Libvirt, guest: Guest, settings: Settings, log: bool) -> Placement:
    return _with_ports(rules, guest, settings.ports or 0, log)


def _with_ports(rules: Libvirt, guest: Guest, count: int, log: bool) -> Placement:
    """Place a guest to whose definition root ports are written."""
    known = {d.label for d in guest.controllers}
    first = max((d.index or 0 for d in guest.controllers if d.is_pci), default=0) + 1
    ports = [
        Controller("controller", f"pci:{index}", _PORT, type="pci", index=index)
        for index in range(first, first + count)
    ]
    if ports:
        controllers = ControllerList.of(rules, guest.controllers)
        controllers.add_all(ports)
        guest = evolved(guest, controllers=controllers.items)
    made = LibvirtPolicy(rules).place(guest, log=log)
    made.added = [d for d in made.guest.controllers if d.is_pci and d.label not in known]
    if log:
        written = {port.label for port in ports}
        for controller in made.added:
            if controller.label in written:
                made.log.setdefault(controller, []).insert(0, PlacementStep(_WRITTEN))
    return made


# KubeVirt


def ports_in_use(guest: Guest) -> int:
    """Return how many ports a definition uses as KubeVirt counts.

    Every interface, PCI host device, virtio disk, virtio input device, watchdog, memory balloon and controller of a
    definition counts that has no address or one of type pci, whatever its model (a USB controller of model ``none``
    too), but for root buses and PCI Express expanders; and one random number generator.

    Args:
        guest: a completed guest; what completion has added is not counted.
    """
    devices = guest.devices
    counted: list[Device] = [d for d in guest.controllers if d.model not in _NEVER_COUNTED]
    for element, bus in _COUNTED:
        counted += [d for d in devices.get(element, ()) if not bus or d.bus == bus]
    counted += devices.get("rng", [])[:1]
    return sum(_is_written(d) and d.address_type in (None, "pci") for d in counted)


_NEVER_COUNTED = ROOT_MODELS | (EXPANDERS - {"pci-expander-bus"})
_COUNTED = (
    ("interface", ""), ("hostdev", "pci"), ("disk", "virtio"), ("input", "virtio"), ("watchdog", ""),
    ("memballoon", ""),
)  # fmt: skip
_INTERFACES = 4
_LARGE = 2 << 30
_MOST_APPENDED_INDEX = 31
"""Beyond this index KubeVirt appends nothing."""


class Reserved(NamedTuple):
    """How much room KubeVirt keeps."""

    placeholders: int
    appended: int = 0


def placeholders_by_interfaces(interfaces: int) -> int:
    """Return how many placeholders KubeVirt's first version takes: up to 4 with the interfaces, if there are any."""
    return max(0, _INTERFACES - interfaces) if interfaces else 0


def ports_by_memory(memory: int, used: int) -> int:
    """Return how many free ports KubeVirt wants from version 2 on.

    Args:
        memory: of the guest, in bytes.
        used: how many ports it counts as in use.
    """
    return max(16 - used, 6) if memory > _LARGE else max(8 - used, 3)


def _placeholders(guest: Guest, settings: Settings) -> int:
    interfaces = len(guest.devices.get("interface", ()))
    if settings.slots is not None:
        return max(0, settings.slots - interfaces)
    return placeholders_by_interfaces(interfaces)


def _version_1(guest: Guest, settings: Settings) -> Reserved:
    return Reserved(_placeholders(guest, settings))


def _version_2(guest: Guest, settings: Settings) -> Reserved:
    if settings.slots is not None:  # versions that note them append, too
        return _version_3(guest, settings)
    return Reserved(_wanted_ports(guest, settings))


def _version_3(guest: Guest, settings: Settings) -> Reserved:
    placeholders = _placeholders(guest, settings)
    return Reserved(placeholders, max(0, _wanted_ports(guest, settings) - placeholders))


def _wanted_ports(guest: Guest, settings: Settings) -> int:
    memory = guest.ram.size if settings.memory is None else settings.memory
    used = ports_in_use(guest) if settings.used is None else settings.used
    return ports_by_memory(memory, used)


def _kubevirt(
    reserve: Callable[[Guest, Settings], Reserved],
) -> Callable[[Libvirt, Guest, Settings, bool], Placement]:
    def place(rules: Libvirt, guest: Guest, settings: Settings, log: bool) -> Placement:
        reserved = reserve(guest, settings)
        made = LibvirtPolicy(rules).place(guest.extended({"virtio-net": reserved.placeholders}), log=log)
        if reserved.placeholders:
            _drop_placeholders(made, guest)
        extension = Extension(rules, made, log=log)
        for _ in range(reserved.appended):
            if len(extension.topology.buses) > _MOST_APPENDED_INDEX:
                break
            if not extension.append(_PORT, "KubeVirt appends it when everything has its place"):
                raise no_room("a port that KubeVirt appends finds no place on bus 0")
        return extension.finished()

    return place


def _drop_placeholders(made: Placement, guest: Guest) -> None:
    """Take the placeholders out, and let the interfaces without a written address find places anew."""
    kept = guest.devices.get("interface", [])
    known = set(kept)
    again = []
    for device in made.guest.devices["interface"]:
        packed = made.addresses.get(device)
        if packed is None or (device in known and device.address is not None):
            continue
        made.topology.release(packed)
        del made.addresses[device]
        made.multifunction.pop(device, None)
        if device in known:
            again.append(device)
        else:
            made.log.pop(device, None)
    made.guest.devices["interface"] = list(kept)
    for device in sorted(again, key=lambda d: d.bus == "hostdev"):  # as libvirt comes by them
        packed = made.topology.allocate(plug_on(device.plug, guest.express), device)
        if packed is None:
            raise no_room(f"{device.label} finds no place when the placeholders are gone")
        made.addresses[device] = packed


def no_room(*details: str, remedy: str = "use fewer devices") -> RefusedError:
    """Return the refusal of a guest with spares for which there is no room."""
    return RefusedError(
        "No more available PCI slots: there is no room for the spares",
        code="no-spares",
        details=details,
        remedy=remedy,
    )


def _is_written(device: Device) -> bool:
    """Return whether a device stands in the definition, and is not one that completion has added."""
    return device.origin is not None or bool(device.row) or (isinstance(device, Controller) and bool(device.index))


_OF_KUBEVIRT = ("memory", "used", "slots")
_ROWS = (
    Preset("virt-install", "14 root ports, unless a PCI controller is written", _virt_install),
    Preset("nova", "the root ports that num_pcie_ports says; 0 is libvirt's own", _nova, ("ports",), ("ports",)),
    Preset("kubevirt-v1", "ports for 4 interfaces, if there is one", _kubevirt(_version_1), _OF_KUBEVIRT),
    Preset("kubevirt-v2", "8 or 16 ports by memory, 3 or 6 of them free", _kubevirt(_version_2), _OF_KUBEVIRT),
    Preset("kubevirt-v3", "as many free ports as v2, at the addresses of v1", _kubevirt(_version_3), _OF_KUBEVIRT),
)
PRESETS: Mapping[str, Preset] = MappingProxyType({row.name: row for row in _ROWS})
