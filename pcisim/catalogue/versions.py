"""The versions of libvirt that pcisim answers for, one row each.

Source: libvirt rule 11; every difference was asked of both daemons.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pcisim._record import record
from pcisim.errors import UsageError, check_type


@record
class Libvirt:
    """One row: how a version of libvirt differs where addresses depend on it."""

    version: str
    qemu: str
    """The version of QEMU that the distribution has with it."""
    sorts_added_controllers: bool
    """Controllers that libvirt adds are sorted in by index, instead of put last."""
    integrated_conventional_on_express: bool
    """A conventional device that must sit on bus 0 may sit on pcie-root (pvpanic)."""
    places_newcomers: bool
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


SINCE: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "sorts_added_controllers": (10, 0),
        "integrated_conventional_on_express": (10, 0),
        "places_newcomers": (10, 0),
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
    }
)
"""For each difference the first release that has it; (10, 0) where it came somewhere between 9.0 and 11.3."""


def _row(version: str, qemu: str) -> Libvirt:
    release = tuple(map(int, version.split(".")))
    return Libvirt(version, qemu, **{name: release >= since for name, since in SINCE.items()})


VERSIONS: Mapping[str, Libvirt] = MappingProxyType(
    {row.version: row for row in (_row("9.0", "7.2"), _row("11.3", "10.0"))}
)
"""The versions that were measured, each with the QEMU of its distribution."""
DEFAULT_VERSION = "11.3"


def libvirt_version(name: str) -> Libvirt:
    """Return the row of a version.

    Raises:
        UsageError: `name` is none of `VERSIONS`.
    """
    check_type(name, str, "a version of libvirt is a str, such as '11.3'")
    row = VERSIONS.get(".".join(name.split(".")[:2]))
    if row is None:
        raise UsageError(
            f"unknown libvirt version {name!r}",
            code="unknown-version",
            details=(f"known: {', '.join(VERSIONS)}",),
            remedy="take the nearest one: 9.0 for releases before 10, else 11.3",
        )
    return row
