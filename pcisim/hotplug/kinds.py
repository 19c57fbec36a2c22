"""Which devices come and go while a guest runs, and which buses take them: tables, and the refusals they lead to.

Source: every row and every refusal was verified against libvirt 11.3.0 with QEMU 10.0 on running guests (2026-11-23).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import EMULATOR_TAKES_NO_HOTPLUG, PCI_CONTROLLERS
from pcisim.catalogue.versions import Libvirt
from pcisim.catalogue.x86_machines import X86
from pcisim.guest import Controller, Device, Guest, refuse
from pcisim.libvirt.drives import drive_of, said
from pcisim.libvirt.twice import host_devices, is_same_host_device
from pcisim.libvirt.validation import check_ide, check_options
from pcisim.topology import Bus

# which devices come and go


class Hot(NamedTuple):
    """One row: which devices of an element come and go while the guest runs."""

    by: str
    """The attribute of `Device` that decides; "" where all of the element are alike."""
    comes: frozenset[str]
    """The values with which a device may be attached."""
    goes: frozenset[str]
    """The values with which it may be detached."""
    no_attach: str
    """libvirt's words for the others."""
    no_detach: str

    def value(self, device: Device) -> str:
        """Return what decides about a device."""
        return str(getattr(device, self.by)) if self.by else ""


def _hot(by: str = "", comes: str = "", goes: str | None = None, no_attach: str = "", no_detach: str = "") -> Hot:
    values = frozenset(comes.split())
    return Hot(by, values, values if goes is None else frozenset(goes.split()), no_attach, no_detach)


_NETWORKS = "user ethernet network bridge direct vhostuser vdpa hostdev"
_NOT_YET = "server client mcast udp internal null"

HOT: Mapping[str, Hot] = MappingProxyType(
    {
        "disk": _hot("bus", "virtio scsi usb", None, "disk bus '{}' cannot be hotplugged.",
                     "This type of disk cannot be hot unplugged"),
        "interface": _hot("bus", _NETWORKS, f"{_NETWORKS} {_NOT_YET}",
                          "hotplug of interface type of {} is not implemented yet"),
        "controller": _hot("type", "scsi virtio-serial", "scsi", "'{}' controller cannot be hot plugged.",
                           "'{}' controller cannot be hot unplugged."),
        "hostdev": _hot("bus", "pci mdev scsi_host usb scsi"),
        "rng": _hot(),
        "vsock": _hot(),
        "redirdev": _hot(),
        "shmem": _hot("model", "ivshmem-plain ivshmem-doorbell", None, "{} device is no longer supported"),
        "memory": _hot("model", "virtio-pmem virtio-mem dimm nvdimm"),
        "input": _hot("bus", "virtio usb", None, "input device on bus '{}' cannot be hot plugged.",
                      "input device on bus '{}' cannot be detached"),
        "watchdog": _hot("model", "i6300esb", None, "hotplug of watchdog model '{}' is not supported",
                         "hot unplug of watchdog of model {} is not supported"),
        "filesystem": _hot("model", "virtiofs", None, "only virtiofs filesystems can be hotplugged",
                           "only virtiofs filesystems can be hotplugged"),
        "serial": _hot("model", "pci-serial usb-serial", None, "Bus 'isa.0' does not support hotplugging",
                       "Bus 'isa.0' does not support hotplugging"),
        "channel": _hot("bus", "virtio", None, "unsupported channel target type {}"),
        "console": _hot("bus", "virtio", None, "unsupported console target type {}"),
    }
)  # fmt: skip
"""The elements of which a running guest takes any; all others never come and go while it runs."""

NOT_MADE = frozenset({"dc390", "buslogic", "ibmvscsi", "ncr53c90"})
"""SCSI controllers that libvirt has names for and QEMU on x86 no device (its `dc390` it asks for as ``dc-390``)."""

STORED_REFUSES = frozenset(
    {"memballoon", "crypto", "panic", "pstore", "tpm", "video", "hub", "smartcard", "nvram"}
)  # fmt: skip
"""Elements that cannot be attached to a stored definition either: it has to be edited."""
STORED_REFUSED_BEFORE = STORED_REFUSES | {"iommu"}
"""The same for libvirt 9.0."""

# which buses take them

LIBVIRT_LOOKS = frozenset(name for name, row in PCI_CONTROLLERS.items() if "port" in name and row.hotplug)
"""Models whose ``<target hotplug='off'/>`` libvirt knows of when it looks for a place.  It passes over that of
pci-root, goes there, and QEMU refuses."""


def is_hot(bus: Bus, controller: Controller | None) -> bool:
    """Return whether libvirt puts devices on a bus while the guest runs."""
    off = controller is not None and controller.target.get("hotplug") == "off"
    return bus.model.hotplug and not (off and bus.model.name in LIBVIRT_LOOKS)


class Cold(NamedTuple):
    """Why QEMU plugs nothing into a bus that libvirt takes for hot-pluggable, and what to do before the next boot."""

    why: str
    remedy: str


_ADD_BRIDGE = "before the next boot add <controller type='pci' model='pci-bridge'/>, and name a slot of it"
_EXPRESS_ROOT = Cold("a PCI Express root bus takes no hotplug", "leave the address out, or name a port")
_EXPANDER = Cold("QEMU's pxb takes no hotplug; a pci-bridge on it does", _ADD_BRIDGE)
_SWITCHED_OFF = Cold(
    "<target hotplug='off'/> switches the hotplug of the root bus off",
    "before the next boot take hotplug='off' off controller pci:0",
)
_NO_ACPI = Cold(
    "the root bus of pc takes no hotplug without ACPI", "before the next boot add <acpi/> to the <features>"
)

_DMI_WITHOUT_ACPI = Cold(
    "a dmi-to-pci-bridge takes no hotplug but that of ACPI on x86",
    "attach it with --config, for the next boot",
)
_COLD_ROOT = Cold("the root bus of this machine takes no hotplug", "attach it with --config, for the next boot")


def emulator_refuses(bus: Bus, controller: Controller | None, guest: Guest) -> Cold | None:
    """Return why QEMU refuses a bus that libvirt takes for hot-pluggable; ``None`` where it does not."""
    name = bus.model.name
    if name == "pcie-root":
        return _EXPRESS_ROOT
    if name in EMULATOR_TAKES_NO_HOTPLUG:
        return _EXPANDER
    if name == "pci-root" and controller is not None and controller.target.get("hotplug") == "off":
        return _SWITCHED_OFF
    if name == "pci-root" and guest.machine.family == "i440fx" and not guest.acpi:
        return _NO_ACPI
    if name == "pci-root" and not guest.machine.root_hotplug:
        return _COLD_ROOT
    if name == "dmi-to-pci-bridge" and guest.arch not in X86:
        return _DMI_WITHOUT_ACPI
    return None


def check_comes(device: Device) -> None:
    """Refuse what never comes while a guest runs.

    Raises:
        RefusedError: in libvirt's words.
    """
    if isinstance(device, Controller) and device.is_pci:
        check_options(device)
    row = HOT.get(device.element)
    value = row.value(device) if row is not None else ""
    if row is None or (row.by and value and value not in row.comes):
        words = row.no_attach.format(value) if row is not None else ""
        raise refuse(
            device,
            words or f"live attach of device '{device.element}' is not supported",
            "not-hot-pluggable",
            "edit the stored definition"
            if device.element in STORED_REFUSES
            else "attach it with --config: it is there at the next boot",
            "no running guest takes it, whatever room there is",
        )
    check_made(device)


def check_made(device: Device) -> None:
    """Refuse a SCSI controller of which QEMU makes no PCI device.

    Raises:
        RefusedError: in the words of libvirt for a name that QEMU does not know.
    """
    if isinstance(device, Controller) and device.type == "scsi" and device.model in NOT_MADE:
        raise refuse(
            device,
            f"'{device.model}' is not a valid device model name",
            "not-in-emulator",
            "use model='virtio-scsi'",
            "libvirt has a name for it, QEMU no such device on PCI",
        )


def check_stored(device: Device, guest: Guest, rules: Libvirt) -> None:
    """Refuse what cannot be attached to a stored definition.

    Raises:
        RefusedError: in libvirt's words.
    """
    if device.element in (STORED_REFUSES if rules.places_crypto_and_pstore else STORED_REFUSED_BEFORE):
        raise refuse(
            device,
            f"persistent attach of device '{device.element}' is not supported",
            "not-attachable",
            "edit the definition (virsh edit)",
        )
    if device.element == "watchdog" and not rules.places_crypto_and_pstore and guest.devices.get("watchdog"):
        raise refuse(
            device,
            "domain already has a watchdog",
            "second-device",
            "take one of them out",
            f"libvirt {rules.version} knows no second one",
        )
    if device.element == "iommu" and guest.devices.get("iommu"):
        raise refuse(
            device,
            "domain already has an iommu device",
            "second-device",
            "edit the definition (virsh edit)" if rules.several_iommus else "take one of them out",
            "libvirt attaches the first one only",
        )
    if isinstance(device, Controller) and device.is_pci:
        check_options(device)
    elif isinstance(device, Controller) and device.type == "ide":
        check_ide(device, guest)
    if device.element == "hostdev" and device.traits.get("host"):
        same = next((d for d in host_devices(guest) if is_same_host_device(d, device)), None)
        if same is not None:
            raise refuse(
                device,
                "device is already in the domain configuration",
                "duplicate-hostdev",
                "name another device of the host",
                f"{same.label} is it" + (f" (line {same.line})" if same.line else ""),
            )
    if any(d.label == device.label for d in guest.all_devices()):
        is_disk = device.element == "disk"
        raise refuse(
            device,
            f"target {device.label[5:]} already exists" if is_disk else f"controller {device.label} already exists",
            "duplicate-target" if is_disk else "duplicate-index",
            "give it another target" if is_disk else "give it another index, or none",
        )
    _check_unit(device, guest)


_TWO_UNITS = "lsisas1068"
"""The model of SCSI controllers on which libvirt takes units above 1 for occupied when a disk is attached."""


def _check_unit(disk: Device, guest: Guest) -> None:
    drive = drive_of(disk) if disk.element == "disk" and disk.bus == "scsi" else None
    if drive is None or drive[3] <= 1:
        return
    on = next((d for d in guest.controllers if d.type == "scsi" and d.index == drive[0]), None)
    if on is not None and on.model == _TWO_UNITS:
        raise refuse(
            disk,
            "Domain already contains a disk with that address",
            "duplicate-drive",
            f"edit the definition (virsh edit), or attach it at a target of its own with unit 0 of {on.label}",
            f"{said(drive)} is free, but libvirt attaches disks to units 0 and 1 of an {_TWO_UNITS} only",
        )


def no_room(plug: int, guest: Guest) -> str:
    """Return in one phrase what a running guest has none of."""
    if plug & c.EXPRESS:
        return "no free hot-pluggable express port"
    return "no free hot-pluggable conventional slot" + (" behind a bridge" if guest.express else "")


def bus_name(bus: Bus) -> str:
    """Return the name by which QEMU speaks of a bus."""
    return "pcie.0" if bus.model.name == "pcie-root" else f"pci.{bus.index}"


def row_of(model: str) -> str:
    """Return a PCI controller as an element to paste."""
    return f"<controller type='pci' model='{model}'/>"
