"""The policy ``dense``: the legal layout with the fewest PCI controllers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cmp_to_key
from itertools import combinations_with_replacement, permutations
from typing import NamedTuple

from pcisim.address import FUNCTIONS, MAX_FUNCTION, SLOTS, format_packed, pack
from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import MAX_INDEX, PCI_CONTROLLERS
from pcisim.catalogue.versions import DEFAULT_VERSION, VERSIONS, Libvirt
from pcisim.catalogue.x86_machines import IDE_0
from pcisim.dense.composition import Composition, Demand, Freedom, Shortage, number_budget
from pcisim.dense.layout import Chooser, Layout, Place, Seats, available_on, new_place, ordered_models
from pcisim.dense.modern import modernised
from pcisim.dense.wanted import Item, Wanted
from pcisim.enumeration.io_windows import IoBudget, io_budget, io_ports
from pcisim.errors import NotCoveredError, RefusedError
from pcisim.guest import Controller, Device, Guest, evolved
from pcisim.libvirt.completion import ControllerList
from pcisim.libvirt.growth import NUMBER_BUDGET, Budget
from pcisim.libvirt.passes import highest_index, index_too_high
from pcisim.libvirt.targets import multifunction, readdress, settle_controllers, with_own_bridges
from pcisim.placement import Placement, PlacementStep
from pcisim.placement.bus_numbers import numbers_short
from pcisim.placement.covered import check_covered
from pcisim.topology import Bus, Topology

MOST_LEVELS = 44
"""How deep bridges are nested at most: QEMU has names for 49 levels."""
_FEW = 4
"""Of so many controllers that are added every order is tried, where others are listed."""
_MOST_BESIDE = 3
"""How many controllers more than it takes are tried, where function 0 of a slot is missing or the firmware stops."""
MOST_FUNCTIONS = (MAX_INDEX + 1) * SLOTS * FUNCTIONS
"""How many functions 256 buses have."""
_OFF = "off"
_NONE = "none"


class DensePolicy(NamedTuple):
    """Place a guest with as few PCI controllers as possible.

    Args:
        rules: the version of libvirt that takes the result.
        freedom: where devices may go.
        modern: whether virtio devices become non-transitional ones, which have no I/O ports.
        firmware: ``seabios``, ``ovmf`` or ``none``, whose I/O the layout must leave enough of; "" for the guest's own.
    """

    rules: Libvirt = VERSIONS[DEFAULT_VERSION]
    freedom: Freedom = Freedom()
    modern: bool = False
    firmware: str = ""

    def describe(self) -> str:
        """Say in one line what the policy does."""
        return f"packed, for libvirt {self.rules.version}"

    def place(self, guest: Guest, *, log: bool = False) -> Placement:
        """Place a completed guest as a whole.

        Args:
            guest: what `pcisim.libvirt.completion.complete` returned; it is not changed.
            log: whether to say how each device got its place.

        Raises:
            RefusedError: there is no legal layout; the budget says what runs out.
            NotCoveredError: it is not known how to pack on the machine.
        """
        check_covered(guest, "packing")
        guest = with_own_bridges(modernised(guest) if self.modern else guest)
        highest = highest_index(guest)
        if highest > MAX_INDEX:
            raise index_too_high(next(d for d in guest.controllers if d.is_pci and d.index == highest))
        return _Packing(self, guest, Wanted(self.rules, guest).collected(), log=log).placement()


def most_more(policy: DensePolicy, guest: Guest, row: str) -> int:
    """Return how many more of a described device there are controllers for, whatever the firmware; -1 for none.

    Args:
        policy: the policy.
        guest: a completed guest that has at least one of them.
        row: the name in `DEVICE_MODELS`.
    """
    guest = with_own_bridges(guest)
    wanted = Wanted(policy.rules, guest).collected()
    packing = _Packing(policy, guest, wanted, log=False)
    kind = next((item.kind for item in wanted.items if item.device.row == row), 0)
    return packing.most_more(kind) if kind else -1


class Apart(NamedTuple):
    """A device with a slot of its own."""

    kind: int
    hot: bool
    """Whether the slot has to take hotplug; the first of a group only needs room for the others."""
    device: Device


class _Packing:
    """One guest while it is packed."""

    def __init__(self, policy: DensePolicy, guest: Guest, wanted: Wanted, *, log: bool) -> None:
        self.policy = policy
        self.guest = guest
        self.wanted = wanted
        self.log = log
        topology = wanted.topology
        gaps = wanted.gaps
        self.open = [index for index in gaps if not topology.buses[index].used]
        self.fixed = [_added(index, topology.buses[index].model.name) for index in gaps if index not in self.open]
        controllers = [(d, kind) for d, kind in wanted.items if isinstance(d, Controller) and d.is_pci]
        controllers += [(new, PCI_CONTROLLERS[new.model].plug) for new in self.fixed]
        self.controllers = sorted(controllers, key=lambda item: item[0].index or 0)
        endpoints = [item for item in wanted.items if not (isinstance(item[0], Controller) and item[0].is_pci)]
        apart = {label: wish.hotpluggable for label, wish in guest.wishes.items() if wish.hotpluggable or wish.group}
        self.endpoints = [item for item in endpoints if item.device.label not in apart]
        self.alone = [Apart(item.kind, apart[item.device.label], item.device) for item in endpoints
                      if item.device.label in apart]  # fmt: skip
        self.places = [self._place(bus) for bus in topology.buses if bus.index not in self.open]
        self.demand = self._demand()

    def _place(self, bus: Bus) -> Place:
        topology = self.wanted.topology
        unshared = 0
        for slot in range(bus.model.slots[1] + 1):
            holder = topology.owners.get(bus.base | slot << 3)
            if getattr(holder, "multifunction", None) == _OFF:
                unshared |= 1 << slot
        available = available_on(bus, unshared)
        if not bus.index and self.guest.machine.family == "i440fx":
            available &= ~(1 << pack(0, *IDE_0))  # the machine has it, whether or not the definition does
        hot = topology.takes_hotplug(bus)
        return Place(bus.index, self.policy.freedom.socket(bus.model), available, bus.used, hot)

    def _demand(self) -> Demand:
        wanted: dict[int, int] = {}
        for _, kind in (*self.controllers, *self.endpoints):
            wanted[kind] = wanted.get(kind, 0) + 1
        for kind, *_ in self.alone:
            wanted[kind] = wanted.get(kind, 0) + FUNCTIONS
        for members in self.wanted.sets.values():
            wanted[c.CONVENTIONAL] = wanted.get(c.CONVENTIONAL, 0) + len(members)
        free: dict[int, int] = {}
        for place in self.places:
            free[place.socket] = free.get(place.socket, 0) + place.available.bit_count()
        waiting = {d.index for d, _ in self.controllers}
        parents = {d.index: self.wanted.addresses[d] >> 8 for d in self.guest.controllers if self._has_place(d)}
        rooted = set()
        for place in self.places:
            number: int | None = place.bus
            seen: set[int | None] = set()
            while number and number not in seen and number not in waiting:
                seen.add(number)
                number = parents.get(number)
            if number == 0 and place.available:
                rooted.add(place.socket)
        socket = self.policy.freedom.socket
        brought = {(kind, socket(PCI_CONTROLLERS[d.model])) for d, kind in self.controllers}
        return Demand(wanted, free, rooted, brought, self.policy.freedom, express=self.guest.express)

    def _has_place(self, device: Controller) -> bool:
        return device.is_pci and device in self.wanted.addresses

    # the best layout

    def placement(self) -> Placement:
        """Return the guest packed.

        Raises:
            RefusedError: there is no legal layout.
        """
        topology = self.wanted.topology
        if not topology.buses:
            return self._placement(Layout({}, (), {}, {}, 0, 0), dict(self.wanted.addresses), [])
        for kind in {kind for _, kind in self.wanted.items}:
            if not any(socket & kind for socket in self.demand.sockets):
                self.wanted.refuse(next(item for item in self.wanted.items if item.kind == kind))
        found: list[Composition] = []
        short: Shortage | None = None
        for made in self.demand.candidates():
            if isinstance(made, Composition):
                found.append(made)
            else:
                short = short or made
        if not found:
            raise self._refused(self._named(short))
        listed = sum(d.is_pci and bool(d.index) for d in self.guest.controllers) + len(self.fixed)
        least = max(min(made.total for made in found), len(self.open))
        if listed + least > MAX_INDEX:
            raise self._refused((number_budget(listed + least),))
        worst: IoBudget | None = None
        for total in range(least, min(least + _MOST_BESIDE, MAX_INDEX - listed) + 1):
            layouts = [
                layout
                for made in dict.fromkeys(filled for made in found for filled in self._filled(made, total))
                for models in self._numbered(made)
                for layout in self._seatable(models)
            ]
            layouts.sort(key=_BEST_FIRST)
            answer = self._checked(layouts)
            if isinstance(answer, Placement):
                return answer
            if answer is not None:
                worst = answer
                break
        if worst is not None:
            if self.policy.freedom.mixed:  # virtio has no I/O ports where it is PCI Express
                strict = self.policy._replace(freedom=self.policy.freedom._replace(mixed=False))
                with suppress(NoLayoutError):
                    return _Packing(strict, self.guest, self.wanted, log=self.log).placement()
            modern = "" if self.policy.modern else "take virtio devices without I/O ports (dense:modern=on), or "
            raise _no_layout(_io_budgets(worst), f"{modern}use fewer devices with I/O ports")
        if self.alone:
            raise NotCoveredError(
                "no layout that keeps the wishes was found, which does not mean that there is none",
                code="not-found",
                details=(f"slots of their own: {', '.join(one.device.label for one in self.alone)}",),
                remedy="wish for less, or use fewer devices",
            )
        raise self._refused(())

    def _filled(self, made: Composition, total: int) -> Iterator[Composition]:
        """Yield a composition, made up to a number: indexes have gaps, or a slot lacks function 0."""
        lack = total - made.total
        if lack < 0:
            return
        if not lack:
            yield made
            return
        models = [place for place, may in enumerate(self._may_be_added) if may]
        if lack > _FEW:
            ways = [[model] * lack for model in models] + [[1, *[2] * (lack - 1)], [0, 1, *[2] * (lack - 2)]]
        else:
            ways = [list(way) for way in combinations_with_replacement(models, lack)]
        for way in ways:
            more = Composition(*(count + way.count(place) for place, count in enumerate(made)))
            if self.demand.shortage(more) is None and self.demand.is_rooted(more):
                yield more

    @property
    def _may_be_added(self) -> tuple[bool, ...]:
        express = self.guest.express
        return express, express, True, express, express, express and self.policy.freedom.dmi

    def _numbered(self, made: Composition) -> Iterator[dict[int, str]]:
        """Yield the model of each index that is added, in the orders that are worth a try."""
        top = len(self.wanted.topology.buses)
        indexes = [*self.open, *range(top, top + made.total - len(self.open))]
        models = ordered_models(made)
        if len(models) < _FEW or (len(self.places) > 1 and len(models) == _FEW):
            for order in sorted(set(permutations(models))):
                yield dict(zip(indexes, order))
        else:
            yield dict(zip(indexes, models))

    def _seatable(self, models: dict[int, str]) -> Iterator[tuple[Layout, dict[int, int]]]:
        """Yield the layouts with certain controllers, of which each finds a place on a bus before it."""
        few = len(models) + len(self.controllers) <= _FEW
        for apart, pins in ((True, False), (False, False), (True, True)):
            found = self._layout(models, apart=apart, pins=pins)
            if found is not None and self._controllers_seated(*found, 0) is not None:
                yield found
                if not few:
                    return

    def _rows(self, models: Mapping[int, str]) -> list[tuple[Controller, int]]:
        """Return the controllers that look for a place, and the kind of each, in the order of their indexes."""
        rows = [*self.controllers]
        for index, model in models.items():
            rows.append((_added(index, model), PCI_CONTROLLERS[model].plug))
        return sorted(rows, key=lambda row: row[0].index or 0)

    def _layout(self, models: dict[int, str], *, apart: bool, pins: bool) -> tuple[Layout, dict[int, int]] | None:
        """Return the layout with certain controllers.

        Args:
            models: the model of each that is added, by index.
            apart: whether bridges go first where no endpoint goes.
            pins: whether controllers are placed one by one, before all else.
        """
        freedom = self.policy.freedom
        new = [new_place(index, model, freedom) for index, model in models.items()]
        chooser = Chooser(sorted((*self.places, *new)))
        sets: dict[int, int] = {}
        for index, members in self.wanted.sets.items():
            packed = chooser.choose_set([function for function, _ in members], c.CONVENTIONAL)
            if packed is None:
                return None
            sets[index or 0] = packed
        counts: dict[int, int] = {}
        pinned: dict[int, int] = {}
        for controller, kind in self._rows(models):
            if pins:
                seat = chooser.choose_one(kind, controller.index or 0)
                if seat is None:
                    return None
                pinned[controller.index or 0] = seat
            else:
                counts[kind] = counts.get(kind, 0) + 1
        for _, kind in self.endpoints:
            counts[kind] = counts.get(kind, 0) + 1
        taken = []
        alone: dict[tuple[int, bool], dict[int, int]] = {}
        for sockets, kinds in _groups(counts, {place.socket for place in chooser.places}):
            count = sum(counts[kind] for kind in kinds)
            chosen: list[dict[int, int] | None] = []
            if kinds == [c.PCI_BRIDGE] and apart:
                without_endpoints = frozenset(socket for socket in sockets if not socket & c.ENDPOINT)
                first = min(count, chooser.room(without_endpoints))
                chosen.append(chooser.choose(first, without_endpoints))
                count -= first
            chosen.append(chooser.choose(count, sockets))
            for part in chosen:
                if part is None:
                    return None
                taken.append((sum(kinds), part))
        for kind, hot in sorted({one[:2] for one in self.alone}, key=lambda key: not key[1]):  # the choosy ones first
            count = sum(one[:2] == (kind, hot) for one in self.alone)
            part = chooser.choose_alone(count, kind, hot=hot)
            if part is None:
                return None
            alone[kind, hot] = part
        if chooser.lacks_function_0() is not None:
            return None
        return Layout(models, tuple(taken), alone, pinned, chooser.empty, chooser.occupied), sets

    # who sits where

    def _checked(self, layouts: list[tuple[Layout, dict[int, int]]]) -> Placement | IoBudget | None:
        """Return the first layout of which the firmware gets past its I/O, else what the best one asks for."""
        worst: IoBudget | None = None
        for layout, sets in _worth_a_try(layouts):
            first: list[Item] | None = None
            for chains in self._arrangements(layout):
                for devices in (self.endpoints, first):
                    made = None if devices is None else self._seated(layout, sets, chains, devices)
                    if made is None:
                        continue
                    numbers = numbers_short(made)
                    if numbers is not None:  # the tree has as many buses however they hang on each other
                        raise self._refused((Budget(NUMBER_BUDGET, *numbers),))
                    budget = self._io(made)
                    if budget is None:
                        return made
                    if worst is None or budget.bytes < worst.bytes:
                        worst = budget
                    if first is None:
                        with_ports = {device: ports for device, _, ports in io_ports(made) if ports}
                        if not self.policy.freedom.mixed and not _may_boot(budget, sum(with_ports.values())):
                            return budget
                        first = sorted(self.endpoints, key=lambda item: item.device not in with_ports)
        return worst

    @property
    def _firmware(self) -> str:
        return self.policy.firmware or self.guest.firmware

    def _io(self, made: Placement) -> IoBudget | None:
        """Return what a layout asks of its firmware if that is too much."""
        if self._firmware == _NONE:
            return None
        budget = io_budget(_with_guest(made, evolved(made.guest, firmware=self._firmware)))
        return budget if budget.boots is False else None

    def _arrangements(self, layout: Layout) -> Iterator[int]:
        """Yield in how many chains bridges hang on each other, so that their windows do too; 0 is as flat as can be."""
        bridges = sum(PCI_CONTROLLERS[model].plug == c.PCI_BRIDGE for model in layout.models.values())
        room = self.policy.rules.profile.io_room(self._firmware, self.guest.machine.family)
        most = room.windows if room is not None and room.fatal else MAX_INDEX
        if bridges <= most:
            yield 0
        least, most = -(-bridges // MOST_LEVELS), min(most, bridges - 1)
        if least <= most and most:
            yield from dict.fromkeys((most, (least + most) // 2, least))

    def _controllers_seated(
        self, layout: Layout, sets: dict[int, int], chains: int
    ) -> tuple[dict[Device, int], dict[int, Seats], list[Controller]] | None:
        """Return the addresses of all but the endpoints, what is left for those by kind, and the new controllers."""
        seats: dict[int, Seats] = {}
        every = (*c.KIND_NAMES, c.INTEGRATED)
        for kinds, taken in layout.taken:
            shared = next((seats[kind] for kind in every if kinds & kind and kind in seats), None) or Seats()
            shared.add(taken)
            seats.update({kind: shared for kind in every if kinds & kind})
        addresses = dict(self.wanted.addresses)
        for index, members in self.wanted.sets.items():
            for function, device in members:
                addresses[device] = sets[index or 0] | function
        conventional: list[int] = []
        rows = self._rows(layout.models)
        for controller, kind in rows:
            index = controller.index or 0
            bus = None
            if PCI_CONTROLLERS[controller.model].accepts & c.PCI_BRIDGE:
                if chains and kind == c.PCI_BRIDGE and len(conventional) >= chains:
                    bus = conventional[-chains]
                conventional.append(index)
            packed = layout.pinned.get(index)
            if packed is None:
                packed = seats[kind].seat(index, bus)
            if packed is None:
                return None
            addresses[controller] = packed
        return addresses, seats, [d for d, _ in rows if (d.index or 0) in layout.models]

    def _seated(self, layout: Layout, sets: dict[int, int], chains: int, devices: list[Item]) -> Placement | None:
        found = self._controllers_seated(layout, sets, chains)
        if found is None:
            return None
        addresses, seats, new = found
        if devices and len({id(seats[kind]) for _, kind in devices}) == 1:
            addresses.update(zip([device for device, _ in devices], seats[devices[0].kind].rest()))
        else:
            for device, kind in devices:
                packed = seats[kind].seat()
                if packed is None:
                    return None
                addresses[device] = packed
        for key, places in layout.alone.items():
            own = Seats()
            own.add(places)
            addresses.update(zip([one.device for one in self.alone if one[:2] == key], own.rest()))
        return self._placement(layout, addresses, [*self.fixed, *new])

    def _placement(self, layout: Layout, addresses: dict[Device, int], added: list[Controller]) -> Placement:
        wanted, guest = self.wanted, self.guest
        topology = Topology(
            integrated_conventional=self.policy.rules.integrated_conventional_on_express,
            spoken_for=guest.machine.spoken_for,
        )
        topology.hotplug_off = set(wanted.topology.hotplug_off)
        top = len(wanted.topology.buses) + sum(index >= len(wanted.topology.buses) for index in layout.models)
        for index in range(top):
            row = (
                PCI_CONTROLLERS[layout.models[index]] if index in layout.models else wanted.topology.buses[index].model
            )
            topology.add_bus(row)
        owners = dict(wanted.topology.owners)
        owners.update({packed: device for device, packed in addresses.items() if packed not in owners})
        topology.fill(owners)
        controllers = ControllerList.of(self.policy.rules, guest.controllers)
        added.sort(key=lambda d: d.index or 0)
        if added:
            controllers.add_all(added)
        if guest.machine.places_pci:
            settle_controllers(controllers.items, addresses)
        carried = multifunction(addresses)
        readdress(guest, addresses)
        return Placement(
            guest=evolved(guest, controllers=controllers.items),
            topology=topology,
            addresses=addresses,
            multifunction=carried,
            added=added,
            rewritten={d: old for d, old in _given(guest).items() if wanted.present[d] != old},
            log=_remarks(addresses) if self.log else {},
        )

    # refusals

    def _named(self, short: Shortage | None) -> tuple[Budget, ...]:
        """Return the budget that no number of controllers makes up for."""
        if short is None:
            return ()
        if short.sockets and all(socket & c.INTEGRATED for socket in short.sockets):
            name = "functions of bus 0"
        else:
            name = "functions for " + ", ".join(name for kind, name in c.KIND_NAMES.items() if short.kinds & kind)
        return (Budget(name, short.needed, short.available),)

    def _refused(self, short: tuple[Budget, ...]) -> NoLayoutError:
        freedom = self.policy.freedom
        ways = []
        if self.guest.express and not all(freedom[:2]):
            more = " and ".join(f"{name}=on" for name in ("mixed", "integrated") if not getattr(freedom, name))
            ways.append(f"allow more places (dense:{more.replace(' and ', ':')})")
        return _no_layout(short, " or ".join(["use fewer devices", *ways]))

    def most_more(self, kind: int) -> int:
        """Return how many more devices of a kind there are controllers for, whatever the firmware; -1 for none."""
        listed = sum(d.is_pci and bool(d.index) for d in self.guest.controllers) + len(self.fixed)

        def fits(count: int) -> bool:
            grown = self.demand.with_more(kind, count)
            totals = (made.total for made in grown.candidates() if isinstance(made, Composition))
            return listed + max(min(totals, default=MAX_INDEX + 1), len(self.open)) <= MAX_INDEX

        if not fits(0):
            return -1
        low, high = 0, MOST_FUNCTIONS
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        return low


class NoLayoutError(RefusedError):
    """No legal layout holds a guest; `short` are the budgets that run out."""

    short: tuple[Budget, ...] = ()


def _no_layout(short: tuple[Budget, ...], remedy: str) -> NoLayoutError:
    error = NoLayoutError(
        "No more available PCI slots: no layout holds the guest",
        code="no-layout",
        details=tuple(map(str, short)),
        remedy=remedy,
    )
    error.short = short
    return error


def _groups(counts: Mapping[int, int], sockets: set[int]) -> Iterator[tuple[frozenset[int], list[int]]]:
    """Yield kinds that share their sockets: what has to be on bus 0 and controllers first, then by few sockets."""
    groups: dict[frozenset[int], list[int]] = {}
    for kind in counts:
        groups.setdefault(frozenset(socket for socket in sockets if socket & kind), []).append(kind)
    yield from sorted(groups.items(), key=lambda group: (bool(sum(group[1]) & c.ENDPOINT), len(group[0]), group[1]))


def _better(one: tuple[Layout, object], other: tuple[Layout, object]) -> int:
    return -1 if one[0].comes_before(other[0]) else 1


_BEST_FIRST = cmp_to_key(_better)


def _added(index: int, model: str) -> Controller:
    return Controller("controller", f"pci:{index}", model, type="pci", index=index)


def _given(guest: Guest) -> dict[Device, int]:
    return {device: device.address for device in guest.all_devices() if device.address is not None}


def _worth_a_try(layouts: list[tuple[Layout, dict[int, int]]]) -> list[tuple[Layout, dict[int, int]]]:
    """Return the best layouts, and the one with the fewest bridges that have windows of their own."""
    few = layouts[:_FEW]
    if len(layouts) > _FEW:
        few.append(min(layouts[_FEW:], key=lambda one: [*one[0].models.values()].count("pcie-to-pci-bridge")))
    return few


def _may_boot(budget: IoBudget, ports: int) -> bool:
    """Return whether a number of bytes of I/O ports, wherever they are, leaves the firmware enough."""
    return budget.profile is None or ports < budget.profile.room


def _with_guest(made: Placement, guest: Guest) -> Placement:
    return Placement(guest, made.topology, made.addresses, made.multifunction, made.added, made.rewritten, made.log)


def _io_budgets(worst: IoBudget) -> tuple[Budget, ...]:
    room = worst.profile.room if worst.profile is not None else 0
    return (Budget("bytes of I/O ports", worst.bytes, room - 1),)


def _remarks(addresses: dict[Device, int]) -> dict[Device, list[PlacementStep]]:
    def remark(packed: int) -> str:
        function = packed & MAX_FUNCTION
        return (
            f"packed: function {function} of {format_packed(packed & ~MAX_FUNCTION)} is the lowest that is left for it"
        )

    return {device: [PlacementStep(remark(packed))] for device, packed in addresses.items()}
