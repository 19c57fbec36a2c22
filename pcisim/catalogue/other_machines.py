"""The machine types of other architectures than x86.

Source: libvirt rules 4 and 5.4; every row was verified against libvirt 11.3.0 with QEMU 10.0, and those that
begin with 9.0 of libvirt 9.0.0 with QEMU 7.2 too.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from pcisim.catalogue.x86_machines import BUILT_IN, I440FX, Q35, X86, Machine, Models, Place, x86_machine

_CONVENTIONAL = Machine(
    "conventional",
    "pci-root",
    "piix3-uhci",
    False,
    False,
    None,
    (),
    (),
    Models(),
    disk_addresses=("ccw",),
    root_hotplug=False,
)
"""A conventional root bus on which nothing is fixed."""
_VIRT = _CONVENTIONAL._replace(
    root="pcie-root", usb=None, places=(Place(0, 0, "generic host bridge", BUILT_IN),), root_hotplug=True
)
"""A PCI Express root bus with nothing but its host bridge."""
_NO_PCI = "knows_machines_without_pci"
_BARE = _CONVENTIONAL._replace(root=None, usb=None, places_pci=False, changes=((_NO_PCI, "places_pci", True),))
"""No PCI bus that libvirt knows."""


def _usb_of(field: str, value: object) -> tuple[str, str, object]:
    return "usb_by_machine", field, value


def _virt_changes(models: Models) -> tuple[tuple[str, str, object], ...]:
    """Return what newer versions of libvirt fill in on a virt machine."""
    models = models._replace(scsi="virtio-scsi")
    return ("virtio_scsi_on_virt", "models", models), _usb_of("models", models._replace(usb="qemu-xhci"))


_OHCI = (_usb_of("usb", "pci-ohci"), _usb_of("models", Models(usb="pci-ohci")))
"""What newer versions of libvirt do on machines that had a piix3-uhci, though they have no PIIX3."""
_MMIO = "virtio-mmio"
_DISKS = ("ccw", _MMIO)


class Architecture(NamedTuple):
    """One row: the machine types of an architecture.

    Args:
        name: the machine type of a definition that names none.
        default: its family.
        machines: the families, by the names of their machine types without a version.
        others: all others.
    """

    name: str
    default: Machine
    machines: tuple[tuple[str, Machine], ...]
    others: Machine


def _arm(usb: str, since: str) -> Architecture:
    models = Models("lan9118", usb=usb)
    virt_models = Models("virtio", "virtio", usb, panic="pvpanic", serial="system-serial")
    virt = _VIRT._replace(
        family="arm-virt",
        models=virt_models,
        balloon=False,
        virtio_bus=_MMIO,
        disk_addresses=_DISKS,
        since=since,
        changes=(*_virt_changes(virt_models), ("hole_on_arm", "takes_hole", True)),
    )
    bare = _BARE._replace(family="arm", models=models, balloon=False, disk_addresses=_DISKS)
    versatile = _CONVENTIONAL._replace(
        family="versatilepb",
        usb="pci-ohci",
        models=Models("scm91c111", usb=usb),
        balloon=False,
        one_pci_bus=True,
        disk_addresses=_DISKS,
        since="11.3",
        changes=(_usb_of("usb", "qemu-xhci"), _usb_of("models", Models("scm91c111", usb="qemu-xhci"))),
    )
    realview = bare._replace(family="realview", usb="pci-ohci", since="11.3")
    machines = (
        ("virt", virt),
        ("versatilepb", versatile),
        ("vexpress", bare._replace(family="vexpress", virtio_bus=_MMIO)),
        (
            "realview-eb",
            realview._replace(
                changes=(
                    *realview.changes,
                    (_NO_PCI, "root", "pci-root"),
                    _usb_of("usb", "qemu-xhci"),
                    _usb_of("models", models._replace(usb="qemu-xhci")),
                ),
            ),
        ),
        ("realview", realview._replace(changes=(*realview.changes, (_NO_PCI, "usb", None)))),
    )
    return Architecture("virt", virt._replace(since="11.3"), machines, bare)


def _riscv() -> Architecture:
    models = Models("virtio", "virtio", serial="system-serial")
    no_balloon = ("riscv_without_balloon", "balloon", False)
    virt = _VIRT._replace(
        family="riscv-virt",
        models=models,
        virtio_bus=_MMIO,
        disk_addresses=_DISKS,
        changes=(*_virt_changes(models), no_balloon),
    )
    others = _BARE._replace(family="riscv", disk_addresses=_DISKS, changes=(*_BARE.changes, no_balloon))
    return Architecture("virt", virt._replace(since="11.3"), (("virt", virt),), others)


def _loongarch() -> Architecture:
    models = Models("virtio", "virtio", "qemu-xhci", "virtio-scsi", serial="system-serial")
    virt = _VIRT._replace(family="loongarch-virt", models=models, balloon=False, since="11.3")
    bare = _BARE._replace(family="loongarch", balloon=False, since="11.3")
    return Architecture("virt", virt, (("virt", virt),), bare)


def _ppc64() -> Architecture:
    models = Models(video="vga", usb="qemu-xhci")
    others = _CONVENTIONAL._replace(family="ppc64", usb="qemu-xhci", models=models, usb_pointers=True)
    pseries = others._replace(
        family="pseries",
        models=models._replace(scsi="ibmvscsi", panic="pseries", serial="spapr-vio-serial"),
        host_bridges=True,
        root_hotplug=True,
    )
    beige = others._replace(family="g3beige", ide=True)
    return Architecture("pseries", pseries, (("pseries", pseries), ("g3beige", beige)), others)


def _ppc() -> Architecture:
    others = _CONVENTIONAL._replace(family="ppc", changes=_OHCI)
    beige = others._replace(family="g3beige", ide=True)
    return Architecture("g3beige", beige, (("g3beige", beige),), others)


def _s390() -> Architecture:
    models = Models("virtio", "virtio", "none", "virtio-scsi", "s390", "sclp-serial", "virtio", "virtio")
    ccw = _CONVENTIONAL._replace(family="s390", usb=None, models=models, virtio_bus="ccw", root_hotplug=True)
    return Architecture("s390-ccw-virtio", ccw, (), ccw)


def _one(family: str, name: str) -> Architecture:
    row = _CONVENTIONAL._replace(family=family, one_pci_bus=True, changes=_OHCI)
    return Architecture(name, row, (), row)


_RISCV, _PPC64 = _riscv(), _ppc64()
ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        "aarch64": _arm("qemu-xhci", "9.0"),
        "armv7l": _arm("piix3-uhci", "9.0"),
        "armv6l": _arm("piix3-uhci", "11.3"),
        "riscv64": _RISCV,
        "riscv32": _RISCV,
        "loongarch64": _loongarch(),
        "ppc64": _PPC64,
        "ppc64le": _PPC64,
        "ppc": _ppc(),
        "s390x": _s390(),
        "alpha": _one("alpha", "clipper"),
        "sh4": _one("sh4", "r2d"),
    }
)
"""By libvirt's names."""
_UNKNOWN = _BARE._replace(family="unknown")


def other_machine(name: str, arch: str) -> Machine:
    """Return the family of a machine type of another architecture than x86; an unknown architecture has no buses."""
    row = ARCHITECTURES.get(arch)
    if row is None:
        return _UNKNOWN
    if not name:
        return row.default
    return next((machine for known, machine in row.machines if _is(name, known)), row.others)


def _is(name: str, known: str) -> bool:
    return f"{name}-".startswith(f"{known}-")


def architectures_of(name: str) -> list[str]:
    """Return the architectures that have a family of machine types of that name; none of a name that says nothing."""
    if x86_machine(name) in (I440FX, Q35):
        return list(X86) if name else []
    return [arch for arch, row in ARCHITECTURES.items() if any(_is(name, known) for known, _ in row.machines)]
