"""The versions of libvirt that pcisim answers for, one row each.

Source: section 11 of the rules; every difference was asked of both daemons.
"""

from __future__ import annotations

from types import MappingProxyType

from pcisim._record import record
from pcisim.errors import UsageError, check_type


@record
class Libvirt:
    """One row: how a version of libvirt differs where addresses depend on it."""

    version: str
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
    several_iothreads: bool
    """The driver of a disk may name several I/O threads; before, they are not read."""
    displays_of_host_devices: bool
    """``display`` and ``ramfb`` of a PCI host device are read, not only those of a mediated one."""
    words_of_sources: bool
    """Sources of host devices that say too little are refused as other elements are; before, in words of its own."""
    memory_needs_slots: bool
    """A maximum of memory needs slots and a NUMA node, and a memory device of any kind takes a slot."""
    vhostuser_needs_sharing: bool
    """An interface of type vhostuser needs shared memory, as a disk of that type does."""
    lun_on_virtio: bool
    """A disk on virtio may be a LUN of the host (its QEMU still hands SCSI commands on)."""
    ccw_names_device: bool
    """A CCW address that the machine does not have is refused in words that name the device, if it has an alias."""


VERSIONS = MappingProxyType(
    {
        "9.0": Libvirt(
            "9.0", False, False, False, False, False, False, False, False, False, False,
            False, False, False, True, False, True, True,
        ),
        "11.3": Libvirt(
            "11.3", True, True, True, True, True, True, True, True, True, True,
            True, True, True, False, True, False, False,
        ),
    }
)  # fmt: skip
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
