"""The closed form of `dense`: where everything sits in the layout with the fewest controllers, from the counts alone.

No address is written down and no controller listed, the firmware is not looked at, and devices go where libvirt's
automatic rules put their kind.  The devices are in the order of libvirt rule 6.4; the fixed places are libvirt's.

pc.  Of R functions that are free on bus 0, and 248 on each of B bridges, C are looked for by devices and B by bridges.

        bridges       B = ceil((C - R) / 247)
        places        p = 0, 1, ...: the free functions of bus 0, then slots 1 to 31 of bus 1, of bus 2, ...
        bridges       p = 0 ... B - 1, a device p = B + (devices before it)
        pvpanic       before the bridges where there are any: then it is the only one that has to be on bus 0

q35.  Of E express and C conventional devices; R functions of bus 0 are left for root ports.

        U             1 where the ports do not all fit on bus 0: a switch, whose upstream port is on 01:00.0
        T             ceil(C / 248) pcie-to-pci-bridges, but no more than fill the last port: 8 - (E + U) % 8
        ports         ceil((E + T + U) / 8), of which R at most are root ports and the others the switch's
        B             ceil((C - 248 T) / 247) pci-bridges
        numbers       ports, the switch, pcie-to-pci-bridges, pci-bridges (but one port, the switch, the other ports
                      where the switch has 8 ports or more)
        a root port   on the j-th free function of bus 0; what has to be there follows
        an express one  on the function U + T + (express ones before) of the ports
        a conventional one  on the function B + (conventional ones before) of the conventional buses

More pcie-to-pci-bridges take the place of pci-bridges: a bridge less has a function and so a slot less in use, and each
holds 248 functions where a pci-bridge, which needs one itself, adds 247.

Source: libvirt rules 2.1 to 2.3; `tests/fleet/test_policies.py` compares it with `pcisim.dense`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pcisim.address import FUNCTIONS, MAX_SLOT, pack
from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import MAX_INDEX
from pcisim.catalogue.x86_machines import CHIPSET_FUNCTIONS, I440FX, ICH9_SOUND_SLOT, IDE_0, Q35, SATA_0, USB_0
from pcisim.fleet.arrays.closed_form import Form, Ints
from pcisim.fleet.arrays.owners import CODES
from pcisim.fleet.arrays.runs import Run, Runs, item_runs, run_table
from pcisim.libvirt.growth import BRIDGE_SLOTS

_PORT, _TO_PCI, _BRIDGE = CODES["pcie-root-port"], CODES["pcie-to-pci-bridge"], CODES["pci-bridge"]
_UPSTREAM, _DOWNSTREAM = CODES["pcie-switch-upstream-port"], CODES["pcie-switch-downstream-port"]
_BUS_FUNCTIONS = BRIDGE_SLOTS * FUNCTIONS
_EACH = _BUS_FUNCTIONS - 1
"""What a pci-bridge adds: it needs a function itself."""
_MANY_PORTS = FUNCTIONS
"""A switch with so many ports has the second number."""


class PackedForm(Form):
    """The closed form of guests that are packed."""

    def _grow(self) -> None:
        variant = self.has_video + 2 * (self.has_sound if self.machine.express else self._fixed_at("controller/usb"))
        self.variant = variant.astype(np.int32)
        roots = _EXPRESS_ROOTS if self.machine.express else _CONVENTIONAL_ROOTS
        self.root = roots.functions[self.variant]
        self.switch = self.down = self.none
        if self.machine.express:
            self.root = self.root - self.integrated
            self._count_express()
            on_root = self.all_ports - self.down + self.integrated
        else:
            self.bridges = _over(self.conventional - self.root, _EACH)
            self.to_pci = self.ports = self.none
            on_root = np.minimum(self.conventional + self.bridges, self.root)
        self.buses = 1 + self.ports + self.switch + self.to_pci + self.bridges
        self.fits = (self.buses <= MAX_INDEX + 1) & (self.root > 0) & ~self.refused
        behind = self.conventional + self.bridges - (0 if self.machine.express else on_root)
        slots = BRIDGE_SLOTS * (self.to_pci + self.bridges) - _over(behind, FUNCTIONS)
        most = roots.empty_slots.shape[1] - 1
        root_slots = roots.empty_slots[self.variant, np.minimum(on_root, most)]
        if self.machine.express:
            self.free_cold, self.free_hot = (root_slots, slots), (self.none.copy(), slots.copy())
        else:
            self.free_cold = self.free_hot = (self.none.copy(), slots + root_slots)

    def _count_express(self) -> None:
        express, conventional = self.express, self.conventional
        self.switch = (express + (conventional > 0) > FUNCTIONS * self.root).astype(np.int32)
        self.ports, self.to_pci, self.bridges = self._behind_ports(self.switch)
        self.all_ports = self.ports
        self.down = self.switch * (self.ports - self.root)

    def _behind_ports(self, switch: Ints | int) -> tuple[Ints, Ints, Ints]:
        """Return the numbers of ports, pcie-to-pci-bridges and pci-bridges, with a switch or without."""
        express = self.express + switch
        to_pci = np.minimum(FUNCTIONS - express % FUNCTIONS, _over(self.conventional, _BUS_FUNCTIONS))
        bridges = _over(self.conventional - _BUS_FUNCTIONS * to_pci, _EACH)
        return _over(express + to_pci, FUNCTIONS), to_pci, bridges

    def room_on_root(self) -> Ints:
        """Return how many more devices fit on bus 0: with a switch one root port is enough."""
        takes_switch = sum(self._behind_ports(1), start=self.none + 1) <= MAX_INDEX
        return self.root - np.where(takes_switch, 1, self.all_ports)

    def room(self, plug: int) -> Ints:
        """Return how many more devices fit at most; -1 where not even these do.

        Args:
            plug: what they need from a bus.
        """
        if self.machine.express and plug & c.INTEGRATED:
            return np.where(self.fits, self.room_on_root(), -1)
        if not self.machine.express:
            more = self.root + _EACH * MAX_INDEX - self.conventional
        elif plug & c.EXPRESS:
            more = self._most_express() - self.express
        else:
            express = self.express + (self.express >= FUNCTIONS * self.root)
            to_pci = FUNCTIONS - express % FUNCTIONS
            left = MAX_INDEX - (express - self.express) - _over(express + to_pci, FUNCTIONS)
            more = _EACH * left + np.minimum(to_pci, left) - self.conventional
        more[self.refused | (more < 0)] = -1
        return more

    def _most_express(self) -> Ints:
        """Return how many express devices fit beside the conventional ones."""
        wants = (self.conventional > 0).astype(np.int32)
        most = self.none - 1
        for to_pci in range(1, FUNCTIONS + 1):
            own = to_pci * wants
            left = MAX_INDEX - own - _over(self.conventional - _BUS_FUNCTIONS * own, _EACH)
            most = np.maximum(most, FUNCTIONS * np.minimum(left, self.root) - own)
            most = np.maximum(most, (left - 1 > self.root) * (FUNCTIONS * (left - 1) - own - 1))
            if not wants.any():
                break
        return most

    @property
    def layout(self) -> Ints:
        """Return a number for each guest; those with the same one have their places in the same pattern."""
        if not self.machine.express:
            return self.none
        root_ports = self.all_ports - self.down
        number: Ints = self.switch * np.where(self.down >= _MANY_PORTS, 2, root_ports + 1)
        return number


def packed_runs(form: Form) -> Runs:
    """Return the addresses of packed guests, in the order of `Plan.addresses`.

    All guests must fit and have the same `layout`.
    """
    assert isinstance(form, PackedForm)
    return _runs_q35(form, int(form.layout[0])) if form.machine.express else _runs_pc(form)


def _runs_pc(form: PackedForm) -> Runs:
    start = len(_BUS_0) + _PC_SIZE * form.variant
    grown = (form.bridges > 0).astype(np.int32)
    integrated = sum((item.search for item in form.elements if item.plug & c.INTEGRATED), start=form.none) * grown
    first = start + form.bridges + integrated
    starts: dict[int, Ints] = {}
    passed = form.none
    for item in form.in_order():
        if item.plug & c.INTEGRATED:
            starts[id(item)] = np.where(grown, start + passed, first + item.before)
            passed = passed + item.search * grown
        else:
            starts[id(item)] = first + item.before - passed
    rows: list[Run] = []
    for items in (form.controllers, form.elements):
        for item in items:
            rows += item_runs(item, starts[id(item)])
        if items is form.controllers:
            rows.append((_BRIDGE, form.bridges, start + integrated))
    return run_table(rows, _PC_TABLE)


def _runs_q35(form: PackedForm, switch: int) -> Runs:
    """Return the addresses of guests.

    Args:
        form: the guests.
        switch: the index of the upstream port; 0 where there is none.
    """
    root = _ROOT_START + _ROOT_SIZE * form.variant
    root_ports = form.all_ports - form.down
    conventional = _CONVENTIONAL_START + _BUS_FUNCTIONS * (1 + form.ports + form.switch)
    table, express, inside = _Q35_TABLE, _EXPRESS_START, 0
    if switch:
        own = _express_places(switch)
        express, inside = len(table), len(table) + len(own)
        table = np.concatenate([table, own, switch << 8 | np.arange(256, dtype=np.uint16)])
    early = np.minimum(root_ports, switch - 1) if switch else root_ports
    rows: list[Run] = []
    for item in form.controllers:
        rows += item_runs(item, _start(form, item.plug, root + root_ports, express, conventional) + item.before)
    rows += [
        (_PORT, early, root),
        (_UPSTREAM, form.switch, express),
        (_PORT, root_ports - early, root + early),
        (_DOWNSTREAM, form.down, inside),
        (_TO_PCI, form.to_pci, form.switch + express),
        (_BRIDGE, form.bridges, conventional),
    ]
    for item in form.elements:
        rows += item_runs(item, _start(form, item.plug, root + root_ports, express, conventional) + item.before)
    return run_table(rows, table)


def _start(form: PackedForm, plug: int, root: Ints, express: int, conventional: Ints) -> Ints:
    """Return where the places of devices of a plug begin."""
    if plug & c.INTEGRATED:
        return root
    if plug & c.EXPRESS:
        return np.asarray(form.switch + form.to_pci + express, np.int32)
    return np.asarray(form.bridges + conventional, np.int32)


def _over(count: Ints, divisor: int) -> Ints:
    """Return how many of a size it takes for a count, none for less than one."""
    return np.maximum(-(-count // divisor), 0)


# tables


class _Roots:
    """The free functions of bus 0 in each variant: without and with video; without and with the other fixed place."""

    def __init__(self, taken: list[int], video: int, other: int) -> None:
        every = range(FUNCTIONS, (MAX_SLOT + 1) * FUNCTIONS)
        self.places: list[list[int]] = []
        for variant in range(4):
            held = {*taken, *([video] if variant & 1 else []), *([other] if variant & 2 else [])}
            self.places.append([place for place in every if place not in held])
        self.functions = np.array([len(places) for places in self.places], np.int32)
        self.empty_slots = np.zeros((4, max(self.functions) + 1), np.int32)
        """By variant and by how many of the functions are taken."""
        for variant, places in enumerate(self.places):
            held_slots = {place >> 3 for place in every} - {
                slot for slot in range(1, MAX_SLOT + 1) if sum(place >> 3 == slot for place in places) == FUNCTIONS
            }
            for count in range(len(places) + 1):
                slots = held_slots | {place >> 3 for place in places[:count]}
                self.empty_slots[variant, count:] = MAX_SLOT - len(slots)


def _chipset(family: str) -> list[int]:
    return [pack(0, place.slot, place.function) for place in CHIPSET_FUNCTIONS[family]]


assert Q35.video_slot is not None
assert I440FX.video_slot is not None
_EXPRESS_ROOTS = _Roots([*_chipset("q35"), pack(0, *SATA_0)], pack(0, Q35.video_slot), pack(0, ICH9_SOUND_SLOT))
_CONVENTIONAL_ROOTS = _Roots([*_chipset("i440fx"), pack(0, *IDE_0)], pack(0, I440FX.video_slot), pack(0, *USB_0))

_BEHIND = np.arange(FUNCTIONS, (MAX_SLOT + 1) * FUNCTIONS, dtype=np.uint16)
_EVERY_BUS = (np.arange(MAX_INDEX + 1, dtype=np.uint16)[:, None] << 8 | _BEHIND).ravel()
"""Slots 1 to 31 of each bus."""


def _express_places(switch: int = 0) -> NDArray[np.uint16]:
    """Return the functions of the ports, port by port.

    Args:
        switch: the index that no port has.
    """
    ports = np.arange(1, MAX_INDEX + 1, dtype=np.uint16)
    ports = ports[ports != switch]
    return np.asarray((ports[:, None] << 8 | np.arange(FUNCTIONS, dtype=np.uint16)).ravel(), np.uint16)


def _table_of(*parts: NDArray[np.integer] | list[int]) -> NDArray[np.uint16]:
    return np.concatenate([np.asarray(part, np.uint16) for part in parts])


_BUS_0 = np.arange(256, dtype=np.uint16)
_PC_SIZE = max(_CONVENTIONAL_ROOTS.functions) + _BUS_FUNCTIONS * MAX_INDEX
_PC_TABLE = _table_of(
    _BUS_0,
    *(np.resize(_table_of(places, _EVERY_BUS[_BUS_FUNCTIONS:]), _PC_SIZE) for places in _CONVENTIONAL_ROOTS.places),
)
_ROOT_SIZE = max(_EXPRESS_ROOTS.functions)
_ROOT_START = len(_BUS_0)
_EXPRESS_START = _ROOT_START + 4 * _ROOT_SIZE
_CONVENTIONAL_START = _EXPRESS_START + FUNCTIONS * MAX_INDEX
_Q35_TABLE = _table_of(
    _BUS_0, *(np.resize(places, _ROOT_SIZE) for places in _EXPRESS_ROOTS.places), _express_places(), _EVERY_BUS
)
