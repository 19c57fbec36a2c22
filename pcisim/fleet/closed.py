"""Where everything sits, from the counts alone: the closed form of libvirt's placement on `pc` and `q35`.

It holds for guests in which no address is written down and no PCI controller is listed, which is what counts
describe.  Then the trial pass (rules 6.3 to 6.6) depends on two numbers, and on the order of placing.  Let the devices
be placed in the order of rule 6.4: controllers other than PCI's where rule 6.4 has them, each element in the order of
its columns.  Before that the fixed places are given: the first video device has slot 1 of bus 0 on q35, 2 on pc; SATA
controller 0 has 1f.2 and the first ICH9 sound 1b.0 on q35; USB controller 0 has 01.2 on pc if it is a PIIX3.  The
others look for a place; whatever stands before a device in that order is *before* it.

pc.  All are conventional.  Let F = 30 empty slots of bus 0, 29 with video, and D devices that look for one.  The trial
    pass adds an imaginary device, T = D + 1, and k = ceil((T - F) / 31) bridges when that is above 0.

        it fits if    F + 31 k - T >= k               the bridges are placed last in the trial pass
        places        p = 0, 1, ...: the empty slots of bus 0, then slots 1 to 31 of bus 1, of bus 2, ...
        bridges       p = 0 ... k - 1                 they are placed first in the real pass
        a device      p = k + (devices before it)
        pvpanic       must be on bus 0 in both passes: 1 + before < F and k + before < F

q35.  Let E devices be express and C conventional, and v slots of pcie-root be empty: 30, less those of the first video
    and the first ICH9 sound, less I: one each for virtio-iommu and pvpanic, which must be on bus 0.  The first
    conventional device brings a root port and a pcie-to-pci-bridge, every 31 more a pci-bridge, each express device a
    port, and there is one spare port: the memory balloon is always there, so that something always is.

        h = 1 if C > 0                                whether there is a conventional bus
        B = (C - 1) // 31                             pci-bridges behind the pcie-to-pci-bridge; 0 without any
        ports = E + h + 1
        it fits if    ports <= 8 v                    eight ports share a slot
                      31 (B + 1) - C >= B             the bridges are placed last in the trial pass
                      ports + h + B <= 255            the highest index

    Buses are numbered as they are brought.  Let a(b) be the express devices before conventional device 31 b: then
    a(b) + 1 ports and b conventional buses come before conventional bus b.

        conventional bus b    has index a(b) + b + 2
        the j-th port         is at function j % 8 of the j // 8-th of the empty slots of bus 0
        pcie-to-pci-bridge    on the port with the lowest index, 01:00.0; it is placed before the devices
        pci-bridges           p = 0 ... B - 1 of the places p: slots 1 to 31 of conventional bus 0, of bus 1, ...
        a conventional one    p = B + (conventional ones before it)
        an express one        on the port of index 1 + h + (express ones before) + ceil((conventional ones before) / 31)
        virtio-iommu, pvpanic in the slots of bus 0 that follow the ports'

Source: sections 4 to 6 of the rules; `tests/test_fleet.py` compares all of it with `pcisim.assign`.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from pcisim import connector as c
from pcisim.address import FUNCTIONS, pack
from pcisim.catalogue.controllers import MAX_INDEX
from pcisim.catalogue.devices import PLACED, PLUGS, DeviceModel, plug_on
from pcisim.catalogue.machines import I440FX, ICH9_SOUND_SLOT, Q35, SATA_0, USB_0, Machine
from pcisim.catalogue.versions import DEFAULT_VERSION, VERSIONS
from pcisim.completion import single_elements
from pcisim.fleet.owners import CODES, MODEL_CODES
from pcisim.placement.validation import SECONDARY_VIDEO

Ints = NDArray[np.int32]
Bools = NDArray[np.bool_]
_NONE = np.zeros(0, np.int32)

BRIDGE_SLOTS = 31
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
        """Find what is refused whatever the room: rules 5 and 8.3."""
        express = self.machine.express
        for element in dict.fromkeys(row.element for row in self.devices):
            if element in ONE_AT_MOST:
                self.refused |= self._total(element, counts) > (0 if element == "iommu" and not express else 1)
        for item in self.elements:
            if item.element == "video" and item.code not in _SECONDARY:
                self.refused |= item.search > 0

    # how much of it

    def _count(self) -> None:
        """Count what looks for a place, in the order of rule 6.4."""
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
        (self._count_q35 if self.machine.express else self._count_pc)()
        self.length = self.express + self.conventional + self.integrated + self.fixed + self.buses - 1
        for array in (self.length, self.buses, self.ports, *self.free_cold, *self.free_hot):
            array[~self.fits] = 0

    def in_order(self) -> list[Item]:
        """Return the items in the order in which libvirt places them."""
        return sorted((*self.controllers, *self.elements), key=lambda item: _RANK[item.element])

    def _fixed_at(self, element: str) -> Bools:
        has = np.zeros(self.guests, np.bool_)
        for item in self.elements:
            if item.element == element and item.fixed is not None:
                has |= item.fixed
        return has

    def _count_pc(self) -> None:
        free = EMPTY_SLOTS - self.has_video.astype(np.int32)
        wanted = self.conventional + 1
        self.bridges = np.maximum(-((free - wanted) // BRIDGE_SLOTS), 0)
        self.ports = self.none
        left = free + BRIDGE_SLOTS * self.bridges - wanted
        self.fits = ~self.refused & (left >= self.bridges)
        for item in self.elements:
            if item.plug & c.INTEGRATED:
                on_root = (1 + item.before < free) & (self.bridges + item.before < free)
                self.fits &= on_root | (item.search == 0)
        self.buses = 1 + self.bridges
        empty = left + 1 - self.bridges
        none = self.none
        self.free_cold, self.free_hot = (none, empty), (none, empty)

    def _count_q35(self) -> None:
        has = (self.conventional > 0).astype(np.int32)
        self.bridges = np.maximum(self.conventional - 1, 0) // BRIDGE_SLOTS
        self.ports = self.express + has + 1
        self.root = root = EMPTY_SLOTS - self.has_video.astype(np.int32) - self.has_sound - self.integrated
        empty = BRIDGE_SLOTS * (has + self.bridges) - self.conventional
        self.fits = (
            ~self.refused
            & (self.ports <= FUNCTIONS * root)
            & (empty >= self.bridges)
            & (self.ports + has + self.bridges <= MAX_INDEX)
        )
        self.buses = 1 + self.ports + has + self.bridges
        empty = empty - self.bridges
        spare = np.ones(self.guests, np.int32)
        self.free_cold = (root - self.port_slots + spare, empty)
        self.free_hot = (spare, empty.copy())

    @property
    def port_slots(self) -> Ints:
        """Return how many slots of bus 0 the ports take."""
        return -(-self.ports // FUNCTIONS)

    def room(self, plug: int) -> Ints:
        """Return how many more devices fit at most, beyond holes; -1 where not even these do, however many are added.

        Args:
            plug: what they need from a bus: express or conventional, and not integrated.
        """
        more = self._room_q35(plug) if self.machine.express else self._room_pc()
        more[self.refused | (more < 0)] = -1
        return more

    def _room_pc(self) -> Ints:
        """D <= F + 30 k - 1 fits with k bridges; with pvpanic, what stands before it fills all but a slot of bus 0."""
        free = EMPTY_SLOTS - self.has_video.astype(np.int32)
        more: Ints = free + (BRIDGE_SLOTS - 1) * MOST_BRIDGES - 1 - self.conventional
        for item in self.elements:
            if item.plug & c.INTEGRATED:
                more = np.where(item.search > 0, free - 2 - item.before, more)
        return more

    def _room_q35(self, plug: int) -> Ints:
        """C <= 30 B + 31 fits with B bridges."""
        places = FUNCTIONS * self.root
        has = 1 if plug & c.CONVENTIONAL else (self.conventional > 0).astype(np.int32)
        ports = self.express + has + 1
        if plug & c.CONVENTIONAL:
            bridges = np.minimum(MAX_INDEX - 1 - ports, MOST_BRIDGES)
            more: Ints = (BRIDGE_SLOTS - 1) * bridges + BRIDGE_SLOTS - self.conventional
            more[(ports > places) | (bridges < 0)] = -1
            return more
        more = np.minimum(places, MAX_INDEX - has - self.bridges) - ports
        more[BRIDGE_SLOTS * (has + self.bridges) - self.conventional < self.bridges] = -1
        return more

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
