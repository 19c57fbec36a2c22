"""Where everything sits, from the counts alone: the closed form of libvirt's placement on `pc` and `q35`.

It holds for guests in which no address is explicit and no PCI controller is listed, which is what counts
describe.  `pcisim.libvirt.growth` says how many buses such a guest gets, from the number of devices of each plug;
which device sits where follows from the order of placing.  Let the devices be placed in the order of libvirt rule 6.4:
controllers other than PCI's where libvirt rule 6.4 has them, each element in the order of its columns.  Before that
the fixed
places are given: the first video device has slot 1 of bus 0 on q35, 2 on pc; SATA controller 0 has 1f.2 and the first
ICH9 sound 1b.0 on q35; USB controller 0 has 01.2 on pc if it is a PIIX3.  The others look for a place; whatever stands
before a device in that order is *before* it.

pc.  All are conventional, and only pci-bridges are added, k of them.

        places        p = 0, 1, ...: the empty slots of bus 0, then slots 1 to 31 of bus 1, of bus 2, ...
        bridges       p = 0 ... k - 1                 they are placed first in the real pass
        a device      p = k + (devices before it)

q35.  Let h be 1 if there is a conventional device, which brings a root port and a pcie-to-pci-bridge, else 0, and B the
    pci-bridges behind that one.  There is one spare port: the memory balloon is always there, so that something always
    is.
    Buses are numbered as they are brought.  Let a(b) be the express devices before conventional device 31 b: then
    a(b) + 1 ports and b conventional buses come before conventional bus b.

        conventional bus b    has index a(b) + b + 2
        the j-th port         is at function j % 8 of the j // 8-th of the empty slots of bus 0
        pcie-to-pci-bridge    on the port with the lowest index, 01:00.0; it is placed before the devices
        pci-bridges           p = 0 ... B - 1 of the places p: slots 1 to 31 of conventional bus 0, of bus 1, ...
        a conventional one    p = B + (conventional ones before it)
        an express one        on the port of index 1 + h + (express ones before) + ceil((conventional ones before) / 31)
        virtio-iommu, pvpanic in the slots of bus 0 that follow the ports'

Source: libvirt rules 4 to 6; `tests/fleet/test_arrays.py` compares all of it with `pcisim.assign`.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from pcisim.address import FUNCTIONS, pack
from pcisim.catalogue import connectors as c
from pcisim.catalogue.devices import PLACED, PLUGS, DeviceModel, plug_on
from pcisim.catalogue.versions import DEFAULT_VERSION, VERSIONS
from pcisim.catalogue.x86_machines import I440FX, ICH9_SOUND_SLOT, Q35, SATA_0, USB_0, Machine
from pcisim.fleet.arrays.owners import CODES, MODEL_CODES
from pcisim.libvirt.growth import BRIDGE_SLOTS, Demand, growth, most_more
from pcisim.libvirt.parsing import single_elements
from pcisim.libvirt.validation import SECONDARY_VIDEO

Ints = NDArray[np.int32]
Bools = NDArray[np.bool_]
_NONE = np.zeros(0, np.int32)

EMPTY_SLOTS = 30
"""Slots of bus 0 that are empty to begin with: 2 to 1f on pc, 1 to 1e on q35."""
MOST_BRIDGES = 30
"""More never find room behind the devices: a guest's last bus has at most 30 empty slots."""
_BALLOON = MODEL_CODES["memballoon", "virtio"]
_SATA = MODEL_CODES["controller/sata", ""]
ONE_AT_MOST = frozenset({*single_elements(VERSIONS[DEFAULT_VERSION]), "panic"})
"""Elements of which a guest has at most one (of the models that there are names for)."""


@attrs.define(eq=False)
class Item:
    """The devices of one column, or those that libvirt implies.

    Args:
        code: who they are, as in `OWNERS`.
        element: libvirt's element.
        plug: what each needs from a bus of this machine.
        search: how many look for a place.
        fixed: how many (0 or 1) have the place `place` of bus 0.
    """

    code: int
    element: str
    plug: int
    search: Ints
    fixed: Bools | None = None
    place: int = 0
    before: Ints = attrs.field(factory=lambda: _NONE)
    """Places that devices of the same plug look for before these: conventional or express ones, or integrated ones."""
    conventional_before: Ints = attrs.field(factory=lambda: _NONE)


class Form:
    """The closed form of guests of one machine.

    Args:
        machine: one of the families.
        devices: the rows of the columns.
        counts: (K, guests): how many of each, as `capped` returns them.
        types: the order in which the types of controllers come, for the first listed of each; `None` for the order
            of the columns.
    """

    def __init__(
        self, machine: Machine, devices: Sequence[DeviceModel], counts: Ints, types: Sequence[str] | None = None
    ) -> None:
        self.machine = machine
        self.devices = devices
        self.guests = counts.shape[1]
        self.none = np.zeros(self.guests, np.int32)
        self.refused = np.zeros(self.guests, np.bool_)
        self.controllers: list[Item] = []
        self.elements: list[Item] = []
        if types is None:
            types = list(dict.fromkeys(row.element for row in devices if _is_controller(row)))
        self._add_controllers(counts, types)
        self._add_elements(counts)
        self._refuse(counts)
        self._count()

    # what there is

    def _add_controllers(self, counts: Ints, types: Sequence[str]) -> None:
        machine, express = self.machine, self.machine.express
        for element in types:
            self._add(element, counts, self.controllers)
        assert machine.usb is not None
        no_usb = self._total("controller/usb", counts) == 0
        usb = Item(
            MODEL_CODES["controller/usb", machine.usb],
            "controller/usb",
            plug_on(PLUGS["controller/usb"][machine.usb], express),
            no_usb.astype(np.int32),
        )
        if not express:
            usb.fixed, usb.place, usb.search = no_usb, pack(0, *USB_0), self.none
        self.controllers.append(usb)
        if machine.sata:
            no_sata = self._total("controller/sata", counts) == 0
            sata = Item(_SATA, "controller/sata", c.CONVENTIONAL, self.none)
            sata.fixed, sata.place = no_sata, pack(0, *SATA_0)
            self.controllers.append(sata)

    def _add_elements(self, counts: Ints) -> None:
        elements = dict.fromkeys(row.element for row in self.devices if not _is_controller(row))
        for element in elements:
            self._add(element, counts, self.elements)
        if "memballoon" not in elements:
            plug = plug_on(PLUGS["memballoon"]["virtio"], self.machine.express)
            self.elements.append(Item(_BALLOON, "memballoon", plug, np.ones(self.guests, np.int32)))

    def _add(self, element: str, counts: Ints, items: list[Item]) -> None:
        """Add the columns of an element."""
        preferred = _PREFERRED[self.machine.family].get(element)
        before = self.none
        for row, count in zip(self.devices, counts):
            if row.element != element:
                continue
            if element == "memballoon" and not any(item.element == element for item in items):
                count = count + (self._total(element, counts) == 0)
            plug = plug_on(PLUGS[element].get(row.model, c.EXPRESS), self.machine.express)
            item = Item(CODES[row.name], element, plug, count)
            if preferred is not None and preferred[0] in ("", row.model):
                item.fixed, item.place = (count > 0) & (before == 0), preferred[1]
                item.search = count - item.fixed
            items.append(item)
            if preferred is not None and (preferred[2] or preferred[0] == row.model):
                before = before + count

    def _total(self, element: str, counts: Ints) -> Ints:
        return sum(
            (count for row, count in zip(self.devices, counts) if row.element == element),
            start=self.none,
        )

    def _refuse(self, counts: Ints) -> None:
        """Find what is refused whatever the room: libvirt rules 5 and 8.3."""
        express = self.machine.express
        for element in dict.fromkeys(row.element for row in self.devices):
            if element == "iommu" and not express:
                self.refused |= self._total(element, counts) > 0
            elif element in ONE_AT_MOST:
                self.refused |= self._total(element, counts) > 1
        for item in self.elements:
            if item.element == "video" and item.code not in _SECONDARY:
                self.refused |= item.search > 0

    # how much of it

    def _count(self) -> None:
        """Count what looks for a place, in the order of libvirt rule 6.4."""
        express = conventional = integrated = self.none
        for item in self.in_order():
            item.conventional_before = conventional
            if item.plug & c.INTEGRATED and self.machine.express:
                item.before = integrated
                integrated = integrated + item.search
            elif item.plug & c.EXPRESS:
                item.before = express
                express = express + item.search
            else:
                item.before = conventional
                conventional = conventional + item.search
        self.express, self.conventional, self.integrated = express, conventional, integrated
        fixed = [item.fixed for item in (*self.controllers, *self.elements) if item.fixed is not None]
        self.fixed = sum(fixed, start=self.none)
        self.has_video = self._fixed_at("video")
        self.has_sound = self._fixed_at("sound")
        self._grow()
        self.length = self.express + self.conventional + self.integrated + self.fixed + self.buses - 1
        for array in (self.length, self.buses, self.ports, *self.free_cold, *self.free_hot):
            array[~self.fits] = 0

    def in_order(self) -> list[Item]:
        """Return the items in the order in which libvirt places them."""
        return sorted((*self.controllers, *self.elements), key=lambda item: _RANK[item.element])

    def _fixed_at(self, element: str) -> Bools:
        has = np.zeros(self.guests, np.bool_)
        for item in (*self.controllers, *self.elements):
            if item.element == element and item.fixed is not None:
                has |= item.fixed
        return has

    def _grow(self) -> None:
        """Count what libvirt adds, and what is left then."""
        express = self.machine.express
        root = EMPTY_SLOTS - self.has_video.astype(np.int32)
        integrated = [] if express else [item for item in self.elements if item.plug & c.INTEGRATED]
        on_root = sum((item.search for item in integrated), start=self.none)
        before = integrated[0].before if integrated else self.none
        if express:
            self.root = root = root - self.has_sound - self.integrated
        self.demand = Demand(
            conventional=self.conventional - on_root + (not express),
            express=self.express,
            integrated=self.integrated + on_root,
            before_integrated=before + (not express),
            free_conventional=self.none if express else root,
            free_bridge=self.none,
            free_express=self.none,
            free_port=root * FUNCTIONS if express else self.none,
            free_root=root,
            buses=1,
            takes_bridges=not express,
            express_root=express,
            spare=express,
        )
        grown = growth(self.demand)
        self.ports = self.grown_ports = grown.ports
        self.to_pci, self.bridges = grown.to_pci, grown.bridges
        self.fits = grown.fits & ~self.refused
        self.buses = 1 + grown.ports + grown.to_pci + grown.bridges
        slots = BRIDGE_SLOTS * (grown.to_pci + grown.bridges) - self.conventional - grown.bridges
        if not express:
            self.free_cold = self.free_hot = (self.none, slots + root)
            return
        spare = grown.ports - grown.to_pci - self.express
        self.free_cold = (root - self.port_slots + spare, slots)
        self.free_hot = (spare, slots.copy())

    @property
    def port_slots(self) -> Ints:
        """Return how many slots of bus 0 the ports take that libvirt adds."""
        slots: Ints = -(-self.grown_ports // FUNCTIONS)
        return slots

    def room(self, plug: int) -> Ints:
        """Return how many more devices fit at most, beyond holes; -1 where not even these do, however many are added.

        Args:
            plug: what they need from a bus.
        """
        if self.machine.express and plug & c.INTEGRATED:
            return np.where(self.fits, self.room_on_root(), -1)
        more: Ints = most_more(self.demand, plug)
        more[self.refused | (more < 0)] = -1
        return more

    def room_on_root(self) -> Ints:
        """Return how many more devices fit on bus 0 of guests that fit: a slot each beside the ports."""
        room: Ints = self.root - -(-self.ports // FUNCTIONS)
        return room

    @property
    def layout(self) -> Ints:
        """Return a number for each guest; those with the same one have their places in the same pattern."""
        return self.bridges if self.machine.express else self.none


def _is_controller(row: DeviceModel) -> bool:
    return row.element.startswith("controller/")


_RANK = {element: place for place, element in enumerate(PLACED)}
_RANK |= {element: _RANK["controller"] for element in PLUGS if element.startswith("controller/")}
_SECONDARY = frozenset(
    code for (element, model), code in MODEL_CODES.items() if element == "video" and model in SECONDARY_VIDEO
)


def _video(machine: Machine) -> tuple[str, int, bool]:
    assert machine.video_slot is not None
    return "", pack(0, machine.video_slot), True


_PREFERRED: dict[str, dict[str, tuple[str, int, bool]]] = {
    "i440fx": {"controller/usb": ("piix3-uhci", pack(0, *USB_0), True), "video": _video(I440FX)},
    "q35": {
        "controller/sata": ("", pack(0, *SATA_0), True),
        "video": _video(Q35),
        "sound": ("ich9", pack(0, ICH9_SOUND_SLOT), False),
    },
}
"""The fixed places: for an element the model ("" for any), the place, and whether only the first of the element has
it, rather than the first of the model."""
