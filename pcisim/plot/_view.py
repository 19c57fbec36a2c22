"""What the pictures show, before anything is drawn: who owns each function of each bus."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from pcisim.address import FUNCTIONS, MAX_SLOT, pack
from pcisim.catalogue.versions import Libvirt
from pcisim.catalogue.x86_machines import BUILT_IN, PREFERRED, RESERVED
from pcisim.errors import UsageError
from pcisim.formats.plain import printable
from pcisim.guest import Controller, Device
from pcisim.placement import Placement
from pcisim.topology import Bus, Holder, Owner, Topology

NETWORK, STORAGE, DISPLAY, HOST, CONTROLLER, OTHER = "network", "storage", "display", "host", "controller", "other"
DEVICES = (NETWORK, STORAGE, DISPLAY, HOST, CONTROLLER, OTHER)
"""The kinds of what the guest's devices and controllers are."""
FREE, UNUSABLE = "free", "unusable"
KINDS = (BUILT_IN, RESERVED, PREFERRED, *DEVICES, FREE, UNUSABLE)
"""Every function of a bus is of one of these kinds."""
_ELEMENTS = {
    "interface": NETWORK,
    "disk": STORAGE,
    "filesystem": STORAGE,
    "video": DISPLAY,
    "hostdev": HOST,
    "controller": CONTROLLER,
}
_STORAGE_CONTROLLERS = ("ide", "sata", "scsi")


class Cell(NamedTuple):
    """One function of a bus.

    Args:
        slot: 0 to 31.
        function: 0 to 7.
        kind: one of `KINDS`.
        label: who holds it, or whom it is kept for; "" when nobody.
    """

    slot: int
    function: int
    kind: str
    label: str


class Placed(Protocol):
    """What has a placement: a plan."""

    @property
    def placement(self) -> Placement:
        """The placed guest."""

    @property
    def rules(self) -> Libvirt:
        """The version of libvirt that placed it."""


Subject = Placed | Placement | Topology
"""What can be drawn."""


def placement_of(subject: object) -> Placement | None:
    """Return the placement of a plan, or of what is one itself; ``None`` for anything else."""
    found = getattr(subject, "placement", subject)
    return found if isinstance(found, Placement) else None


class BusContents:
    """What a picture needs to know of a plan, a placement or a topology.

    A topology alone does not know its machine: the host bridge, the reserved and preferred places and the
    slots whose `multifunction` is off are then not marked.

    Args:
        subject: what to show.

    Raises:
        UsageError: it is none of the three.
    """

    def __init__(self, subject: Subject) -> None:
        placement = placement_of(subject)
        self.single: frozenset[int] = frozenset()
        """The slots, as ``bus << 5 | slot``, whose function 0 says that it is alone."""
        self.preferred: dict[int, str] = {}
        """Functions of bus 0 that devices of a certain kind take if they find the slot empty."""
        self.reserved: dict[int, str] = {}
        """Functions of bus 0 where only one device of the chipset may sit; libvirt does not keep them for it."""
        extra: dict[int, Holder] = {}
        if placement is not None:
            guest, self.topology = placement.guest, placement.topology
            self.title = printable(f"{guest.machine_name} ({guest.arch})")
            self.single = frozenset(
                packed >> 3
                for device, packed in placement.addresses.items()
                if placement.multifunction.get(device) == "off" and not packed % FUNCTIONS
            )
            if self.topology.buses:
                extra = {pack(0, 0, p.function): Owner(p.owner, p.kind) for p in guest.machine.places if not p.slot}
                self.preferred = {pack(0, p.slot, p.function): p.owner for p in guest.machine.preferred}
                self.reserved = {
                    pack(0, p.slot, p.function): p.owner for p in guest.machine.places if p.kind == RESERVED
                }
        elif isinstance(subject, Topology):
            self.topology = subject
            self.title = ""
        else:
            raise UsageError(
                f"a picture shows a Plan, a Placement or a Topology, not {subject!r}",
                code="usage",
                remedy="write pcisim.assign(guest) for a plan",
            )
        self.owners: dict[int, Holder] = {**extra, **self.topology.owners}
        self.held: list[list[tuple[int, Holder]]] = [[] for _ in self.topology.buses]
        for packed in sorted(self.owners):
            self.held[packed >> 8].append((packed, self.owners[packed]))
        self.below = {
            packed: owner.index
            for packed, owner in self.owners.items()
            if isinstance(owner, Controller) and owner.is_pci and owner.index and owner.index < len(self.topology.buses)
        }
        """The index of the bus behind the controller at an address."""

    def bus(self, index: int) -> Bus:
        """Return a bus by its index.

        Raises:
            UsageError: there is no such bus.
        """
        buses = self.topology.buses
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(buses):
            known = f"buses 0 to {len(buses) - 1}" if buses else "no PCI bus"
            raise UsageError(f"there is no bus {index!r}", code="usage", details=(f"the guest has {known}",))
        return buses[index]

    def cells(self, index: int) -> list[Cell]:
        """Return the 256 functions of a bus."""
        bus = self.bus(index)
        return [self._cell(bus, slot, function) for slot in range(MAX_SLOT + 1) for function in range(FUNCTIONS)]

    def _cell(self, bus: Bus, slot: int, function: int) -> Cell:
        packed = pack(bus.index, slot, function)
        owner = self.owners.get(packed)
        if owner is not None:
            return Cell(slot, function, kind_of(owner), name_of(owner))
        if not bus.usable >> slot & 1 or packed >> 3 in self.single:
            return Cell(slot, function, UNUSABLE, "")
        if packed in self.reserved:
            return Cell(slot, function, RESERVED, self.reserved[packed])
        if packed in self.preferred and bus.free >> slot & 1:
            return Cell(slot, function, PREFERRED, f"for {self.preferred[packed]}")
        return Cell(slot, function, FREE, "")

    def hotplug(self, index: int) -> bool:
        """Return whether a bus takes devices while the guest runs."""
        return self.topology.takes_hotplug(self.topology.buses[index])


def kind_of(owner: Holder) -> str:
    """Return the kind of an owner: of a device what it does, of anything else what it is to the machine."""
    if isinstance(owner, Controller) and owner.type in _STORAGE_CONTROLLERS:
        return STORAGE
    if isinstance(owner, Device):
        return _ELEMENTS.get(owner.element, OTHER)
    return owner.owner_kind if owner.owner_kind in KINDS else OTHER


def name_of(owner: Holder) -> str:
    """Return the label of an owner, and its model if it has one."""
    return printable(f"{owner.label} {owner.model}".rstrip() if isinstance(owner, Device) else owner.label)


def ranges(numbers: list[int]) -> str:
    """Return ascending slots as text: ``03-05, 1e``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{a:02x}" if a == b else f"{a:02x}-{b:02x}" for a, b in runs)
