"""All that libvirt refuses in a guest, not only the first.

The guest is placed as libvirt does it.  What is refused is noted and set aside - the address dropped, the
option forgotten, the device left out - and the rest is placed again, until it is accepted or can no longer
be judged.  So every refusal is one that libvirt would report once those before it are fixed, and a guest
that libvirt refuses has one at least.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pcisim.catalogue.controllers import PCI_CONTROLLERS, TARGET_RANGES
from pcisim.catalogue.versions import Libvirt, libvirt_version
from pcisim.errors import PcisimError, RefusedError
from pcisim.guest import Controller, Device, Guest, evolved
from pcisim.libvirt.completion import complete
from pcisim.placement import Placement, Policy
from pcisim.policies import placed

MOST = 200
"""How many refusals are looked for."""
_MOST_PLACED = 300_000
"""How many devices are placed for that, again and again: a guest of 50,000 gets some seconds."""
_LEAST = 5
"""How many refusals are looked for in any guest."""

ROOM = frozenset({"no-more-slots", "no-slot-for-controller", "cannot-grow"})
"""The codes of refusals for want of room."""


class Refusals:
    """What libvirt refuses in a guest.

    Attributes:
        errors: the refusals, in the order in which libvirt finds them.
        most: how many of them are looked for, fewer in a guest with very many devices.
        placement: what is left when everything refused is set aside; ``None`` when that cannot be judged.
    """

    def __init__(self, guest: Guest, policy: Policy, version: str | Libvirt) -> None:
        self.errors: list[PcisimError] = []
        self.subjects: dict[PcisimError, Device] = {}
        self.placement: Placement | None = None
        self.most = max(_LEAST, min(MOST, _MOST_PLACED // max(1, len(list(guest.all_devices())))))
        self._original = guest
        self._rules = libvirt_version(version)
        current: Guest | None = guest
        seen: set[tuple[object, ...]] = set()
        while current is not None and len(self.errors) < self.most:
            try:
                self.placement = placed(current, policy, self._rules)
                return
            except PcisimError as error:
                refused = error
            key = (refused.code, refused.headline, refused.parties, refused.line)
            if key in seen:
                return
            seen.add(key)
            self.errors.append(refused)
            current = self._set_aside(current, refused)

    def _set_aside(self, guest: Guest, error: PcisimError) -> Guest | None:
        subject = self._subject(guest, error)
        if subject is not None and subject.origin is not None:
            self.subjects[error] = subject
        way = _WAYS.get(error.code)
        return None if way is None else way(guest, subject)

    def _subject(self, guest: Guest, error: PcisimError) -> Device | None:
        """Return the device that a refusal is about; ``None`` when the definition has none of the parties."""
        try:
            devices = list(complete(guest, self._rules).all_devices())
        except RefusedError:
            devices = list(guest.all_devices())
        for label in error.parties:
            named = [d for d in devices if d.label == label]
            on_line = [d for d in named if d.line == error.line]
            for chosen in (on_line or named)[-1:]:
                for device in guest.all_devices():
                    if device.origin is chosen.origin if chosen.origin is not None else device.label == label:
                        return device
        return None


_Way = Callable[[Guest, "Device | None"], "Guest | None"]


def _replaced(guest: Guest, old: Device, new: Device | None) -> Guest:
    """Return a guest with another device in the place of one, or without it."""
    if isinstance(old, Controller):
        controllers = [new if d is old else d for d in guest.controllers]
        return evolved(guest, controllers=[d for d in controllers if d is not None])
    devices = [new if d is old else d for d in guest.devices[old.element]]
    return evolved(guest, devices={**guest.devices, old.element: [d for d in devices if d is not None]})


def _without_address(guest: Guest, subject: Device | None) -> Guest | None:
    """Drop an address; a device that is no controller then stays out of the way, so that it needs no room."""
    if subject is None or (subject.address_type is None and isinstance(subject, Controller)):
        return None
    dropped = evolved(subject, address=None, address_type=None, multifunction=None)
    if not isinstance(subject, Controller):
        elsewhere = "virtio-mmio" if subject.element == "disk" and subject.bus == "virtio" else None
        dropped = evolved(dropped, plug=0, acpi_index=None, address_type=elsewhere)
    return _replaced(guest, subject, dropped)


def _without(guest: Guest, subject: Device | None) -> Guest | None:
    """Leave a device out; not a controller whose bus somebody names, since the bus would be another one."""
    if subject is None:
        return None
    if isinstance(subject, Controller) and subject.is_pci:
        others = [d for d in guest.controllers if d.is_pci and d.index == subject.index and d is not subject]
        if subject.index is None or (
            not any(d.model == subject.model for d in others)
            and any(d.address is not None and d.address >> 8 == subject.index for d in guest.all_devices())
        ):
            return None
    return _replaced(guest, subject, None)


def _without_acpi_index(guest: Guest, subject: Device | None) -> Guest | None:
    return None if subject is None else _replaced(guest, subject, evolved(subject, acpi_index=None))


def _without_option(guest: Guest, subject: Device | None) -> Guest | None:
    """Forget the first option of ``<target>`` that is refused."""
    if not isinstance(subject, Controller):
        return None
    known = PCI_CONTROLLERS[subject.model].options
    for option, value in subject.target.items():
        low, high = TARGET_RANGES.get(option, (0, 0))
        if option not in known or (high and not low <= value <= high):
            return _replaced(guest, subject, _forget(subject, option))
    return None


def _forget(controller: Controller, option: str) -> Controller:
    return evolved(controller, target={name: v for name, v in controller.target.items() if name != option})


def _without_node(guest: Guest, subject: Device | None) -> Guest | None:
    return _replaced(guest, subject, _forget(subject, "node")) if isinstance(subject, Controller) else None


def _without_model_name(guest: Guest, subject: Device | None) -> Guest | None:
    return _replaced(guest, subject, evolved(subject, model_name="")) if isinstance(subject, Controller) else None


def _without_companions(guest: Guest, _subject: Device | None) -> Guest:
    return evolved(guest, controllers=[d for d in guest.controllers if d.type != "usb"])


def _with_root(guest: Guest, subject: Device | None) -> Guest | None:
    """List the root bus before the controllers that have no index, or let it take the place of a wrong one."""
    model = guest.machine.root
    if not isinstance(subject, Controller) or model is None:
        return None
    root = Controller("controller", "pci:0", model, type="pci", index=0)
    rest = [d for d in guest.controllers if d is not subject or d.index is None]
    return evolved(guest, controllers=[root, *rest])


def _without_ide(guest: Guest, _subject: Device | None) -> Guest:
    disks = [d for d in guest.devices.get("disk", ()) if d.bus != "ide"]
    controllers = [d for d in guest.controllers if d.type != "ide"]
    return evolved(guest, devices={**guest.devices, "disk": disks}, controllers=controllers)


def _without_automatic(guest: Guest, subject: Device | None) -> Guest | None:
    """Leave out what looks for room: the controller that found none, or all devices without an address."""
    if isinstance(subject, Controller) and subject.is_pci:
        return _without(guest, subject)
    devices = {
        element: [_out_of_the_way(d) if d.plug and d.wants else d for d in row]
        for element, row in guest.devices.items()
    }
    return evolved(guest, devices=devices)


def _without_too_many(guest: Guest, subject: Device | None) -> Guest | None:
    """Leave out what has, names, or would need a controller with too high an index."""
    if is_short_of_room("index-range", subject):
        return _without_automatic(guest, None)
    if subject is not None and subject.address is not None and not isinstance(subject, Controller):
        return _without_address(guest, subject)
    return _without(guest, subject)


def is_short_of_room(code: str, subject: Device | None) -> bool:
    """Return whether a refusal is for want of room: of slots, or of indexes for more controllers."""
    if code in ROOM:
        return True
    wants = subject is None or (subject.wants and not (isinstance(subject, Controller) and subject.is_pci))
    return code == "index-range" and wants


def _out_of_the_way(device: Device) -> Device:
    elsewhere = "virtio-mmio" if device.element == "disk" else None
    return evolved(device, plug=0, acpi_index=None, address_type=elsewhere)


def _without_trait(*names: str) -> _Way:
    """Return the way that forgets what is said of a device beside its place."""

    def way(guest: Guest, subject: Device | None) -> Guest | None:
        if subject is None or not any(name in subject.traits for name in names):
            return None
        return _replaced(
            guest, subject, evolved(subject, traits={n: v for n, v in subject.traits.items() if n not in names})
        )

    return way


def _without_boot(guest: Guest, subject: Device | None) -> Guest | None:
    """Forget a boot order; the one of the operating system first."""
    if "os_boot" in guest.traits:
        return evolved(guest, traits={n: v for n, v in guest.traits.items() if n not in ("os_boot", "os_boots")})
    return _without_trait("boot")(guest, subject)


def _with_acpi(guest: Guest, subject: Device | None) -> Guest | None:
    """Give a guest the ACPI that its firmware needs, or leave out the device that needs it."""
    return evolved(guest, acpi=True) if subject is None else _without(guest, subject)


def _without_acpi(guest: Guest, _subject: Device | None) -> Guest:
    return evolved(guest, acpi=False)


def _without_zpci(guest: Guest, subject: Device | None) -> Guest | None:
    return None if subject is None else _replaced(guest, subject, evolved(subject, zpci=None))


def _without_memory(guest: Guest, subject: Device | None) -> Guest | None:
    """Leave a memory device out; all of them, and the maximum, where the guest has no NUMA node for any."""
    if guest.numa_nodes:
        return _without(guest, subject)
    traits = {name: value for name, value in guest.traits.items() if name != "memory_slots"}
    return evolved(guest, traits=traits, devices={**guest.devices, "memory": []})


def _without_drive(guest: Guest, subject: Device | None) -> Guest | None:
    """Forget the place of a disk or a SCSI host device on its controller."""
    if subject is None:
        return None
    dropped = evolved(subject, address_type=None, controller=None, drive=(0, 0, 0), unit=None)
    return _replaced(guest, subject, dropped)


def _without_thread(guest: Guest, subject: Device | None) -> Guest | None:
    return _without_trait("iothread", "iothreads")(guest, subject)


def _without_primary(guest: Guest, subject: Device | None) -> Guest | None:
    """Leave out a second video device, or forget that it is a primary one."""
    if subject is not None and subject.primary and len([d for d in guest.devices["video"] if d.primary]) > 1:
        return _replaced(guest, subject, evolved(subject, primary=False))
    return _without(guest, subject)


_WAYS: Mapping[str, _Way] = MappingProxyType(
    {
        "slot-occupied": _without_address,
        "wrong-plug": _without_address,
        "not-integrated": _without_address,
        "slot-range": _without_address,
        "bus-missing": _without_address,
        "domain-range": _without_address,
        "fixed-place": _without_address,
        "root-address": _without_address,
        "wrong-address-type": _without_address,
        "acpi-index": _without_acpi_index,
        "numa-node": _without_node,
        "wrong-option": _without_option,
        "target-range": _without_option,
        "wrong-model-name": _without_model_name,
        "duplicate-index": _without,
        "duplicate-panic": _without,
        "second-device": _without,
        "secondary-video": _without_primary,
        "usb-disabled": _without,
        "root-index": _without,
        "no-model": _without,
        "wrong-machine": _without,
        "needs-acpi": _with_acpi,
        "needs-uefi": _without_acpi,
        "needs-graphics": _without_trait("display"),
        "duplicate-hostdev": _without_trait("host"),
        "duplicate-alias": _without_trait("alias"),
        "duplicate-target": _without,
        "duplicate-boot": _without_boot,
        "boot-order": _without_boot,
        "duplicate-drive": _without_drive,
        "drive-range": _without_drive,
        "filesystem": _without,
        "disk-source": _without_trait("lun"),
        "disk-bus": _without,
        "input-bus": _without,
        "obsolete-model": _without,
        "no-shared-memory": _without,
        "no-iothread": _without_thread,
        "memory-device": _without_memory,
        "zpci": _without_zpci,
        "index-range": _without_too_many,
        "bridge-order": _without,
        "port-range": _without,
        "port-occupied": _without,
        "usb-no-master": _without_companions,
        "wrong-root": _with_root,
        "no-ide": _without_ide,
        "second-ide": _without_ide,
        "no-more-slots": _without_automatic,
        "no-slot-for-controller": _without_automatic,
        "cannot-grow": _without_automatic,
    }
)
"""How each refusal is set aside; what is not here ends the judging."""
