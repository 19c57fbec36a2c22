"""What vendors support: the limits of a product, one row each, in our own words.

A row's code names the function of `pcisim.diagnose.limits` that judges it; the rows of two products may share it.
Severities are those of findings: an error is not supported, a warning is a preview or a risk, a note is worth knowing.

Source: appendix C.2 (feature restrictions) of the Red Hat Enterprise Linux 7 guide to deploying and administering
virtualization; chapter 4 (virtualization restrictions) of the Red Hat Enterprise Linux 6 guide to configuring hosts and
installing guests.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ERROR, WARNING, NOTE = "error", "warning", "note"


class Limit(NamedTuple):
    """One row: a limit that is judged on each guest."""

    code: str
    severity: str
    meaning: str
    """What goes beyond it, in one line."""
    remedy: str = ""
    """What to do about it."""
    most: int = 0
    """The highest number that is supported, where it is a number."""
    up_to: int = 0
    """The highest number that this row speaks of, another speaks of higher ones; 0 for any."""


class Product(NamedTuple):
    """The limits of one product."""

    name: str
    title: str
    head: str
    """What every report begins with."""
    limits: tuple[Limit, ...]
    remarks: tuple[str, ...]
    """What cannot be read from a guest: about hosts and operations."""

    def to_json(self) -> dict[str, Any]:
        """Return what is said of all guests, as plain data."""
        return {"name": self.name, "title": self.title, "head": self.head, "remarks": list(self.remarks)}


_FUNCTIONS = Limit(
    "limit-functions",
    NOTE,
    "how many PCI functions there are in theory, and how many the root bus has without the machine's own",
)
_VCPUS = Limit("limit-vcpus", ERROR, "more than 240 vCPUs", "give the guest at most 240 vCPUs", 240)
_IDE = Limit(
    "limit-ide",
    ERROR,
    "more than 4 IDE disks and CD-ROMs",
    "give the disks beyond the fourth bus='virtio', or bus='scsi' on a virtio-scsi controller",
    4,
)
_SCSI = Limit("limit-scsi", ERROR, "a SCSI controller that is not virtio-scsi", "write model='virtio-scsi'")
_CACHE = Limit(
    "limit-cache",
    NOTE,
    "a disk that is open for writing without cache='none': the guest cannot be migrated safely",
    "write cache='none' in the <driver> of the disk",
)
_ASSIGNED = Limit(
    "limit-assigned",
    NOTE,
    "a device of the host: no migration, no save and restore, no core dump while the guest has it",
    "detach the device first where the guest can do without it for a while",
)
_WHOLE_DISK = Limit(
    "limit-whole-disk",
    WARNING,
    "a whole disk of the host as a disk open for writing: the guest can write labels that the host trusts",
    "pass a partition or a logical volume",
)
_MIGRATION = "both hosts of a migration need processors of one vendor and the same setting of the NX bit"
_TSC = "a host without a constant time stamp counter needs more configuration for its guests' clocks"

_ROWS = (
    Product(
        "rhel7",
        "Red Hat Enterprise Linux 7 (qemu-kvm)",
        "limits of RHEL 7 with qemu-kvm; many of them do not apply to qemu-kvm-rhev; only support is judged:"
        " addresses are not assigned the way RHEL 7's libvirt did",
        (
            Limit("limit-tcg", ERROR, "a guest without KVM, such as <domain type='qemu'>", "write <domain type='kvm'>"),
            _VCPUS._replace(remedy="give the guest at most 240 vCPUs (160 on RHEL 7.0)"),
            Limit(
                "limit-vcpus-first",
                NOTE,
                "more than 160 vCPUs, which was RHEL 7.0's limit",
                "use RHEL 7.2 or later, or give the guest at most 160 vCPUs",
                160,
                240,
            ),
            _IDE,
            _SCSI,
            _FUNCTIONS,
            Limit(
                "limit-nested",
                WARNING,
                "vmx or svm for the guest: nested virtualization is a technology preview",
                "write policy='disable' in that <feature>",
            ),
            _CACHE,
            _ASSIGNED,
            _WHOLE_DISK,
            Limit(
                "limit-memory-hotplug",
                ERROR,
                "slots for memory modules, or a memory module",
                "take <maxMemory> and the <memory> devices out",
            ),
            Limit(
                "limit-vhost-user",
                ERROR,
                "a vhost-user device",
                "use a device that QEMU serves itself: an interface on a bridge or a network, a disk image",
            ),
            Limit("limit-throttling", ERROR, "I/O throttling of a disk", "take <iotune> out"),
            Limit(
                "limit-iothread",
                ERROR,
                "an I/O thread for a virtio disk",
                "take iothread= out of the <driver> of the disk",
            ),
            Limit(
                "limit-numa-node",
                ERROR,
                "PCI Express devices bound to a NUMA node of the guest",
                "take the <node> of the expander bus out",
            ),
        ),
        (
            _MIGRATION,
            "live snapshots are not supported",
            "streaming and mirroring of disks, and live merges of their images, are not supported",
            "unplugging vCPUs is not supported",
            "guests on the real-time kernel are not supported",
            _TSC,
        ),
    ),
    Product(
        "rhel6",
        "Red Hat Enterprise Linux 6 (qemu-kvm)",
        "limits of RHEL 6 with qemu-kvm; only support is judged: addresses are not assigned the way RHEL 6's libvirt"
        " did",
        (
            _VCPUS._replace(remedy="give the guest at most 240 vCPUs (160 before RHEL 6.7, 64 before 6.3)"),
            Limit(
                "limit-vcpus-first",
                NOTE,
                "more than 64 vCPUs, which was RHEL 6.0's limit",
                "use RHEL 6.7 or later, or look up the limit of the minor release",
                64,
                240,
            ),
            _IDE,
            _SCSI,
            _FUNCTIONS,
            _CACHE,
            _ASSIGNED,
            _WHOLE_DISK,
        ),
        (_MIGRATION, _TSC),
    ),
)
PRODUCTS: Mapping[str, Product] = MappingProxyType({row.name: row for row in _ROWS})
