"""The machine types of x86: their root bus, what is built in, what libvirt adds.

Those of other architectures are in `pcisim.catalogue.other_machines`.

Source: libvirt rules 4 and 5.4, verified against libvirt 9.0.0 and 11.3.0; the built-in functions are those of
QEMU 7.2 and 10.0.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import NamedTuple

from pcisim.address import whole_number
from pcisim.catalogue.versions import Libvirt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BUILT_IN = "built-in"
RESERVED = "reserved"
PREFERRED = "preferred"
DEVICE = "device"
OWNER_KINDS = (BUILT_IN, RESERVED, PREFERRED, DEVICE)
"""What an owner of a place can be: part of the machine; kept free by libvirt although
nothing of the definition is there; a device at a place that its kind has a right to; any other device."""


class Place(NamedTuple):
    """One row: a function of the root bus that the machine or libvirt disposes of."""

    slot: int
    function: int
    owner: str
    kind: str


class Models(NamedTuple):
    """One row: the models that libvirt fills in where nobody names one."""

    interface: str = "rtl8139"
    video: str = "cirrus"
    usb: str = "piix3-uhci"
    scsi: str = "lsilogic"
    panic: str = ""
    """"" where there is no default."""
    serial: str = ""
    """The type of a serial port's target; "" where there is no default."""
    pointer: str = "usb"
    """The bus of a mouse and a keyboard."""
    tablet: str = "usb"
    """The bus of any other input device."""


class Machine(NamedTuple):
    """One row: a family of machine types."""

    family: str
    root: str | None
    """The model of PCI controller 0; `None` where there is no PCI bus."""
    usb: str | None
    """The model of the USB controller that libvirt adds; `None` where it adds none."""
    sata: bool
    """Whether libvirt adds SATA controller 0."""
    ide: bool
    """Whether the machine has an IDE controller."""
    video_slot: int | None
    """The slot that the primary video device takes if it is empty."""
    places: tuple[Place, ...]
    """Fixed functions of the root bus."""
    preferred: tuple[Place, ...]
    """Places that a device of a certain kind takes if it finds the slot empty."""
    models: Models = Models()
    balloon: bool = True
    """Whether libvirt adds a memory balloon."""
    places_pci: bool = True
    """Whether libvirt gives PCI addresses at all: where it gives none, a device may go without."""
    one_pci_bus: bool = False
    """Whether libvirt calls the root bus ``pci``, because the emulator does."""
    root_hotplug: bool = True
    """Whether QEMU plugs devices into a conventional root bus while the guest runs."""
    usb_pointers: bool = False
    """Whether libvirt adds a keyboard and a mouse on USB to a guest with a display."""
    virtio_bus: str = ""
    """Where virtio devices are instead of on PCI: ``ccw`` always, ``virtio-mmio`` where there is no PCI Express or
    a device of the guest is there already."""
    disk_addresses: tuple[str, ...] = ("ccw", "virtio-mmio")
    """The other types than ``pci`` that the address of a virtio disk may have; the emulator has to know virtio-mmio."""
    host_bridges: bool = False
    """Whether there may be many pci-root controllers, each a host bridge; libvirt adds them instead of bridges."""
    since: str = "9.0"
    """The oldest version of libvirt of which pcisim knows what it does with these machines."""
    takes_hole: bool = False
    """Whether the size of the 64-bit window may be chosen, outside x86."""
    lacks_root: bool = False
    """Whether libvirt takes the machine to have PCI, and refuses it because it knows no root bus of it."""
    changes: tuple[tuple[str, str, Any], ...] = ()
    """What newer versions do otherwise: the name of the difference (`Libvirt`), the field, its value with it."""

    def as_of(self, rules: Libvirt | None) -> Machine:
        """Return the family as a version of libvirt treats it; ``None`` stands for one without the `changes`."""
        if not self.changes or rules is None:
            return self
        return self._replace(**{name: value for since, name, value in self.changes if getattr(rules, since)})

    @property
    def express(self) -> bool:
        """Return whether the root bus is PCI Express."""
        return self.root == "pcie-root"

    @property
    def growth(self) -> str:
        """Return the model of the controllers that libvirt adds for conventional devices."""
        return "pci-root" if self.host_bridges else "pci-bridge"

    @property
    def zpci(self) -> bool:
        """Return whether PCI functions have a uid and a fid."""
        return self.virtio_bus == "ccw"

    @property
    def spoken_for(self) -> int:
        """Return the slots of bus 0, as bits, on which somebody has a claim."""
        return sum({1 << place.slot for place in (*self.places, *self.preferred)})


_X86 = Models(panic="isa", serial="isa-serial", pointer="ps2")
I440FX = Machine(
    family="i440fx",
    root="pci-root",
    usb="piix3-uhci",
    sata=False,
    ide=True,
    video_slot=2,
    places=(
        Place(0, 0, "i440FX host bridge", BUILT_IN),
        Place(1, 0, "PIIX3 ISA bridge", BUILT_IN),
        Place(1, 1, "PIIX3 IDE controller (ide:0)", RESERVED),
        Place(1, 2, "PIIX3 USB controller (usb:0)", RESERVED),
        Place(1, 3, "PIIX4 power management", BUILT_IN),
    ),
    preferred=(Place(2, 0, "primary video", PREFERRED),),
    models=_X86,
)
Q35 = Machine(
    family="q35",
    root="pcie-root",
    usb="qemu-xhci",
    sata=True,
    ide=False,
    video_slot=1,
    places=(
        Place(0, 0, "Q35 host bridge", BUILT_IN),
        Place(0x1F, 0, "ICH9 LPC bridge", BUILT_IN),
        Place(0x1F, 2, "ICH9 SATA controller (sata:0)", RESERVED),
        Place(0x1F, 3, "ICH9 SMBus controller", BUILT_IN),
    ),
    preferred=(
        Place(1, 0, "primary video", PREFERRED),
        Place(0x1B, 0, "ICH9 sound", PREFERRED),
        Place(0x1D, 0, "ICH9 USB controllers, first set", PREFERRED),
        Place(0x1A, 0, "ICH9 USB controllers, second set", PREFERRED),
        Place(0x1E, 0, "dmi-to-pci-bridge", PREFERRED),
    ),
    models=_X86,
)
_NO_PCI = "knows_machines_without_pci"
ISAPC = Machine("isapc", None, None, False, False, None, (), (), _X86, changes=((_NO_PCI, "balloon", False),))
OTHER = Machine(
    "other",
    None,
    "piix3-uhci",
    False,
    False,
    None,
    (),
    (),
    _X86,
    changes=((_NO_PCI, "lacks_root", True),),
)
"""Every other x86 machine: libvirt knows no PCI bus of it."""
MICROVM = OTHER._replace(family="microvm", changes=((_NO_PCI, "balloon", False), (_NO_PCI, "usb", None)))

IDE_0 = (1, 1)
USB_0 = (1, 2)
SATA_0 = (0x1F, 2)
ICH9_USB_SLOTS = (0x1D, 0x1A)
DMI_SLOT = 0x1E
ICH9_SOUND_SLOT = 0x1B
CHIPSET_FUNCTIONS = MappingProxyType(
    {family.family: tuple(p for p in family.places if p.kind == BUILT_IN and p.slot) for family in (I440FX, Q35)}
)
"""Functions that libvirt itself keeps for the chipset (slot 0 needs no keeping)."""

X86 = ("x86_64", "i686")
_EXACT = MappingProxyType({"": I440FX, "pc": I440FX, "q35": Q35, "isapc": ISAPC, "microvm": MICROVM})
_PREFIXES = (
    ("pc-q35-", Q35),
    ("pc-i440fx-", I440FX),
    ("pc-0.", I440FX),
    ("pc-1.", I440FX),
    ("rhel", I440FX),
)


def x86_machine(name: str) -> Machine:
    """Return the family of a machine type of x86, whatever its version.

    Args:
        name: the machine type; an empty one is ``pc``.
    """
    row = _EXACT.get(name)
    if row is not None:
        return row
    return next((row for prefix, row in _PREFIXES if name.startswith(prefix)), OTHER)


def machine_version(name: str) -> tuple[int, int] | None:
    """Return the version of a machine type such as ``pc-q35-9.2``; ``None`` for one without."""
    found = _VERSION.match(name)
    return (whole_number(found[1]), whole_number(found[2])) if found else None


_VERSION = re.compile(r"pc(?:-q35|-i440fx)?-(\d+)\.(\d+)")
