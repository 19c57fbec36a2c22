"""The versions of libvirt that pcisim answers for, one row each.

Source: libvirt rule 11; every difference was asked of both daemons.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from pcisim.catalogue.profiles import PROFILES, Profile, profile_of
from pcisim.errors import UsageError, check_type


class Libvirt(NamedTuple):
    """One row: how a version of libvirt differs where addresses depend on it."""

    version: str
    profile: Profile
    """The QEMU, firmware and kernel of the distribution that has it; or what was chosen instead."""
    sorts_added_controllers: bool
    """Controllers that libvirt adds are sorted in by index, instead of put last."""
    integrated_conventional_on_express: bool
    """A conventional device that must sit on bus 0 may sit on pcie-root (pvpanic)."""
    places_crypto_and_pstore: bool
    """crypto and pstore get addresses; pvpanic, virtio sound and the mtp driver are known."""
    usb_net_is_usb: bool
    """An interface of model usb-net needs no PCI address; before, asking for one failed."""
    vhostuser_is_virtio: bool
    """An interface of type vhostuser without a model becomes virtio instead of rtl8139."""
    memory_reserve: bool
    """The option ``memReserve`` of a PCI controller is known; before, it is not read."""
    several_watchdogs: bool
    """There may be more than one watchdog, and ib700 is for pc machines only."""
    memory_on_ccw: bool
    """A virtio-mem device may have a CCW address, on s390."""
    numbers_added_bridges: bool
    """PCI controllers that libvirt adds get a uid and a fid, on s390."""
    binary_numbers: bool
    """0b11 is a number (its C library is glibc 2.38 or newer)."""
    words_of_address_types: bool
    """A type of address that is missing or unknown is refused as other words are; before, in words of its own."""
    first_video_model_says_all: bool
    """Of several ``<model>`` of a video device the first says all; before, the first that has an attribute says it."""
    several_iothreads: bool
    """The driver of a disk may name several I/O threads; before, they are not read."""
    displays_of_host_devices: bool
    """``display`` and ``ramfb`` of a PCI host device are read, not only those of a mediated one."""
    memory_without_slots: bool
    """A maximum of memory needs neither slots nor a NUMA node, and only dimms take slots."""
    disks_on_vdpa: bool
    """A disk may be of type vhostvdpa."""
    vhostuser_needs_sharing: bool
    """An interface of type vhostuser needs shared memory, as a disk of that type does."""
    virtio_scsi_on_virt: bool
    """A SCSI controller without a model is virtio-scsi on the virt machines of ARM and RISC-V."""
    scsi_follows_first: bool
    """Elsewhere it has the model of the first SCSI controller that says one, instead of lsilogic."""
    usb_by_machine: bool
    """A USB controller without a model is qemu-xhci or pci-ohci on the other machines that had a piix3-uhci."""
    nvme_controllers: bool
    """There are NVMe controllers, with disks on them."""
    amd_iommu: bool
    """An IOMMU of model amd is known."""
    several_iommus: bool
    """There may be more than one IOMMU."""
    video_devices: bool
    """A virtio video device may say which device of the emulator it is; what this libvirt writes says it."""
    usb_disk_models: bool
    """A disk on USB has a model; what this libvirt writes says it."""
    port_before_bridge: bool
    """A root port is added for a pcie-to-pci-bridge that finds none."""
    board_interfaces_off_pci: bool
    """The interfaces lan9118 and scm91c111, which are parts of boards, get no PCI addresses."""
    riscv_without_balloon: bool
    """No memory balloon is added on RISC-V."""
    knows_machines_without_pci: bool
    """Machines without PCI get no PCI devices of libvirt's own, and refuse those and the controllers of others."""
    usb_off_on_s390: bool
    """A USB controller without a model is none on s390, with an address too."""
    hole_on_arm: bool
    """``<pcihole64>`` is taken on the virt machine of ARM."""
    asks_qemu_for_usb: bool
    """USB controllers that the emulator does not have are refused."""
    console_on_port_0: bool
    """The port of a virtio console counts from 0."""
    names_express_slots: bool
    """Refusals call the slot of a PCI Express controller a PCIe slot, and write connect flags with two digits."""

    def __str__(self) -> str:
        return self.version

    def __repr__(self) -> str:
        return f"<Libvirt {self.version}, profile {self.profile.name}>"

    @property
    def release(self) -> tuple[int, int]:
        """Return the version as two numbers."""
        return _release(self.version)

    @property
    def qemu(self) -> str:
        """Return the version of QEMU."""
        return self.profile.qemu.version

    @property
    def measured(self) -> bool:
        """Return whether a libvirt of this version was asked; others follow the nearest older one that was."""
        return self.version in VERSIONS


SINCE: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "sorts_added_controllers": (10, 0),
        "integrated_conventional_on_express": (10, 0),
        "places_crypto_and_pstore": (10, 0),
        "usb_net_is_usb": (10, 0),
        "vhostuser_is_virtio": (10, 0),
        "memory_reserve": (10, 0),
        "several_watchdogs": (10, 0),
        "memory_on_ccw": (10, 0),
        "numbers_added_bridges": (10, 0),
        "binary_numbers": (10, 0),
        "words_of_address_types": (10, 0),
        "first_video_model_says_all": (10, 0),
        "several_iothreads": (10, 0),
        "displays_of_host_devices": (10, 0),
        "memory_without_slots": (10, 0),
        "disks_on_vdpa": (10, 0),
        "vhostuser_needs_sharing": (10, 0),
        "virtio_scsi_on_virt": (11, 6),
        "scsi_follows_first": (12, 9),
        "usb_by_machine": (11, 9),
        "nvme_controllers": (11, 5),
        "amd_iommu": (11, 5),
        "several_iommus": (11, 10),
        "video_devices": (12, 5),
        "usb_disk_models": (11, 5),
        "port_before_bridge": (12, 9),
        "board_interfaces_off_pci": (12, 9),
        "riscv_without_balloon": (12, 9),
        "knows_machines_without_pci": (12, 9),
        "usb_off_on_s390": (12, 9),
        "hole_on_arm": (12, 9),
        "asks_qemu_for_usb": (12, 9),
        "console_on_port_0": (12, 9),
        "names_express_slots": (12, 9),
    }
)
"""For each difference the first release that has it.

(10, 0) stands where it came somewhere between 9.0 and 11.3, and (12, 9) where it came between 11.3 and 12.9.
"""

OLDEST = (7, 0)
"""The oldest release that pcisim answers for; it places as 9.0 does, but for CCW addresses."""
FOLLOWED_FROM: Mapping[str, tuple[int, int]] = MappingProxyType({"9.0": OLDEST, "11.3": (10, 0), "12.9": (12, 9)})
"""From which release on a measured version is followed by those that were not measured."""


def _release(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def _row(version: str, profile: Profile) -> Libvirt:
    release = _release(version)
    return Libvirt(version, profile, **{name: release >= since for name, since in SINCE.items()})


VERSIONS: Mapping[str, Libvirt] = MappingProxyType(
    {
        row.version: row
        for row in (
            _row("9.0", PROFILES["qemu-7.2"]),
            _row("11.3", PROFILES["qemu-10.0"]),
            _row("12.9", PROFILES["qemu-11.1"]),
        )
    }
)
"""The versions that were measured, oldest first, each with the QEMU of its distribution."""
DEFAULT_VERSION: str = [*VERSIONS][-1]
"""The newest version that was measured: it reads what all older ones wrote."""


def libvirt_version(name: str | Libvirt, profile: str | Profile | None = None) -> Libvirt:
    """Return the row of a version, measured or not.

    Args:
        name: a release from `OLDEST` on, such as ``11.3`` or ``12.5.0``.  One that was not
            measured follows the newest older one that was (the oldest one, if it is older), with what is known to
            have come in between.  A row is returned as it is.
        profile: the QEMU and its firmware that go with it, as for `pcisim.catalogue.profiles.profile_of`; ``None``
            for those of the distribution that it was measured on.

    Raises:
        UsageError: it is not a version, or older than `OLDEST`; or no profile.
    """
    if profile is not None:
        return libvirt_version(name)._replace(profile=profile_of(profile))
    if isinstance(name, Libvirt):
        return name
    check_type(name, str, "a version of libvirt is a str, such as '11.3'")
    row = VERSIONS.get(name)
    if row is not None:
        return row
    parts = name.split(".")
    if len(parts) not in (2, 3) or not all(part.isascii() and part.isdigit() and len(part) < 4 for part in parts):
        raise UsageError(
            f"unknown libvirt version {name!r}",
            code="unknown-version",
            details=(f"measured: {', '.join(VERSIONS)}",),
            remedy="write it as 'virsh version' does: 10.0.0, or 10.0",
        )
    release = _release(name)
    if release < OLDEST:
        raise UsageError(
            f"libvirt {name} is older than {OLDEST[0]}.{OLDEST[1]}, the oldest version that pcisim answers for",
            code="unknown-version",
            details=(f"measured: {', '.join(VERSIONS)}",),
        )
    return VERSIONS.get(f"{release[0]}.{release[1]}") or _row(name, VERSIONS[followed(release)].profile)


def first_with(difference: str) -> str:
    """Return the first version that is known to have a difference: a release, or the first that was measured."""
    since = SINCE[difference]
    return next((v for v, start in FOLLOWED_FROM.items() if start == since), f"{since[0]}.{since[1]}")


def followed(release: tuple[int, int]) -> str:
    """Return the measured version that a release follows."""
    return [version for version, start in FOLLOWED_FROM.items() if start <= release][-1]
