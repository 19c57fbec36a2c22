"""Buses, slots and functions: who sits where.

Addresses are packed integers here (see `pcisim.address`), slots and functions are bits:
a bus keeps 256 bits of occupancy and, derived from them, 32 bits of empty slots, so that a
search looks at each bus once and remembers where the last one of its kind ended.

Source: libvirt rules 2 and 6.2 to 6.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pcisim.address import MAX_FUNCTION, MAX_SLOT, format_packed
from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import EMULATOR_TAKES_NO_HOTPLUG, SOCKETS, ControllerModel
from pcisim.catalogue.x86_machines import DEVICE
from pcisim.errors import RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol
else:
    Protocol = object

_ALL_FUNCTIONS = 0xFF
_ENDPOINTS = frozenset({c.CONVENTIONAL, c.EXPRESS})
_BITS = tuple(1 << place for place in range(256))
_PLACES = {1 << slot: slot << 3 for slot in range(MAX_SLOT + 1)}
"""Function 0 of each slot, by the bit of the slot."""


class Holder(Protocol):
    """Whoever holds a place: a device, a controller, or a part of the machine."""

    @property
    def label(self) -> str:
        """Return the name by which reports speak of it."""

    @property
    def owner_kind(self) -> str:
        """Return its kind: ``built-in``, ``reserved``, ``preferred`` or ``device``."""

    @property
    def line(self) -> int | None:
        """Return the line of the document where it stands, if it stands in one."""


class Owner(NamedTuple):
    """A holder that no definition names, such as the host bridge."""

    label: str
    owner_kind: str
    line: int | None = None


class Bus:
    """What one controller offers: slots, what it accepts, occupancy.

    Args:
        index: the controller's index (0 to 255).
        model: its row in the catalogue.
    """

    __slots__ = ("automatic", "base", "explicit", "free", "full", "index", "model", "shared", "usable", "used")

    def __init__(self, index: int, model: ControllerModel) -> None:
        self.index = index
        self.base = index << 8
        self.model = model
        self.automatic, self.explicit, self.usable = SOCKETS[model.name]
        self.used = 0
        """256 bits: bit ``slot << 3 | function`` is set when the function is held."""
        self.free = self.usable
        """32 bits: the usable slots in which nothing is held."""
        self.full = 0
        """32 bits: the slots in which all eight functions are held."""
        self.shared = 0
        """32 bits: the slots whose first holder shares its functions (a root port)."""

    def functions(self, slot: int) -> int:
        """Return the held functions of a slot as 8 bits."""
        return self.used >> (slot << 3) & _ALL_FUNCTIONS

    def __repr__(self) -> str:
        held = " ".join(f"{bit >> 3:02x}.{bit & MAX_FUNCTION}" for bit in bits(self.used))
        return f"<Bus {self.index} {self.model.name}: {held or 'empty'}>"


def bits(mask: int) -> Iterator[int]:
    """Yield the positions of the set bits, the lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


_FUNCTION_ZERO: dict[int, tuple[tuple[int, ...], int]] = {}
_MOST_REMEMBERED = 4096


def _function_zero(slots: int) -> tuple[tuple[int, ...], int]:
    """Return function 0 of each of some slots, as numbers ``slot << 3`` and as bits; the usual sets are remembered."""
    known = _FUNCTION_ZERO.get(slots)
    if known is None:
        if len(_FUNCTION_ZERO) == _MOST_REMEMBERED:
            _FUNCTION_ZERO.clear()
        places = tuple([slot << 3 for slot in bits(slots)])
        known = _FUNCTION_ZERO[slots] = places, sum([1 << place for place in places])
    return known


def _take_shared(bus: Bus, slots: int, count: int) -> Iterator[int]:
    """Take the functions of slots that root ports share, one after the other, as many as there are up to a count."""
    for slot in bits(slots):
        bus.free &= ~(1 << slot)
        bus.shared |= 1 << slot
        for place in range(slot << 3, slot + 1 << 3):
            if not bus.used >> place & 1:
                bus.used |= 1 << place
                count -= 1
                yield place
                if not count:
                    break
        if bus.functions(slot) == _ALL_FUNCTIONS:
            bus.full |= 1 << slot
        if not count:
            return


class SearchStep(NamedTuple):
    """One step of a search: a bus that was looked at, and what came of it."""

    bus: int
    model: str
    verdict: str
    last: int | None = None
    """The last bus of a group of which the same is to be said."""

    def buses(self, form: str = "d") -> str:
        """Return the bus, or the first and the last of the group, in a form for numbers."""
        return f"bus {self.bus:{form}}" if self.last is None else f"buses {self.bus:{form}}-{self.last:{form}}"


def grouped(looks: Iterable[SearchStep]) -> list[SearchStep]:
    """Return the steps of a search, neighbours of which the same is to be said as one."""
    groups: list[SearchStep] = []
    for look in looks:
        last = groups[-1] if groups else None
        if last is not None and (last.model, last.verdict) == (look.model, look.verdict):
            groups[-1] = SearchStep(last.bus, last.model, last.verdict, look.bus)
        else:
            groups.append(look)
    return groups


class Topology:
    """All buses of a machine and who sits on them.

    Args:
        integrated_conventional: whether a conventional device that must sit on bus 0
            may sit on a PCI Express root bus (libvirt 11.3 allows it, 9.0 does not).
        spoken_for: slots of bus 0, as bits, that advice should not offer: the machine or
            a certain kind of device has a claim on them.
    """

    def __init__(self, *, integrated_conventional: bool = True, spoken_for: int = 0) -> None:
        self.buses: list[Bus] = []
        self.owners: dict[int, Holder] = {}
        self.integrated_conventional = integrated_conventional
        self.spoken_for = spoken_for
        self.hotplug_off: set[int] = set()
        """The buses whose hotplug somebody switched off."""
        self._cursors: dict[int, int] = {}
        self._latest: dict[int, Bus] = {}
        """For plugs of endpoints the bus of the cursor."""

    def __repr__(self) -> str:
        return f"<Topology {len(self.buses)} buses, {len(self.owners)} functions held>"

    def add_bus(self, model: ControllerModel) -> Bus:
        """Append a bus with the next index."""
        bus = Bus(len(self.buses), model)
        self.buses.append(bus)
        return bus

    def add_buses(self, model: ControllerModel, count: int) -> None:
        """Append a number of buses of one model."""
        first = len(self.buses)
        self.buses += [Bus(index, model) for index in range(first, first + count)]

    def takes_hotplug(self, bus: Bus) -> bool:
        """Return whether devices can be plugged into a bus of this topology while the guest runs."""
        model = bus.model
        return model.hotplug and bus.index not in self.hotplug_off and model.name not in EMULATOR_TAKES_NO_HOTPLUG

    def accepts(self, bus: Bus, plug: int, *, explicit: bool) -> bool:
        """Return whether a bus accepts a plug.

        Args:
            bus: one of `buses`.
            plug: connector kinds, `INTEGRATED` among them or not.
            explicit: whether somebody wrote the address down; automatic placement is stricter.
        """
        if plug & c.INTEGRATED:
            socket = bus.explicit if explicit else bus.model.accepts
            if self.integrated_conventional:
                socket |= c.CONVENTIONAL
            return not bus.index and bool(plug & socket)
        return bool(plug & (bus.explicit if explicit else bus.automatic))

    def reserve(self, packed: int, plug: int, owner: Holder, *, explicit: bool = True) -> None:
        """Give a named place to its owner.

        Args:
            packed: the address.
            plug: what the owner needs.
            owner: who gets it.
            explicit: whether somebody wrote the address down.

        Raises:
            RefusedError: there is no such bus or slot, the bus does not accept the plug, or
                the function is taken; nothing has changed then.
        """
        number, slot = packed >> 8, packed >> 3 & MAX_SLOT
        if number >= len(self.buses):
            raise self._no_bus(packed, owner)
        bus = self.buses[number]
        if not self.accepts(bus, plug, explicit=explicit):
            raise self._wrong_plug(bus, packed, plug, owner)
        if not bus.usable >> slot & 1:
            raise _wrong_slot(bus, packed, owner)
        if bus.used >> (packed & 0xFF) & 1:
            raise self._taken(packed, owner)
        self._take(bus, packed, plug)
        self.owners[packed] = owner

    def allocate(self, plug: int, owner: Holder, function: int = 0) -> int | None:
        """Find a place for an owner and give it to them.

        Args:
            plug: what the owner needs.
            owner: who gets it.
            function: the function to take in an empty slot (0 to 7).

        Returns:
            The packed address, or ``None`` when no bus has room.
        """
        bus = self._latest.get(plug)
        if bus is not None:
            free = bus.free
            if free and plug & bus.automatic:  # as `search` and `_take`, where there is nothing to search
                low = free & -free
                bus.free = free ^ low
                place = _PLACES[low] | function
                bus.used |= _BITS[place]
                packed = bus.base | place
                self.owners[packed] = owner
                if free == low:
                    self._advance(plug, bus.index + 1)
                return packed
        found = self.search(plug, function)
        if found is not None:
            bus = self.buses[found >> 8]
            self._take(bus, found, plug)
            self.owners[found] = owner
            if plug in _ENDPOINTS:
                self._advance(plug, bus.index + (not bus.free))
        return found

    def fill(self, owners: Mapping[int, Holder]) -> None:
        """Give free places to their owners, whatever the buses accept.

        Args:
            owners: the owner of each packed address.
        """
        taken: dict[int, int] = {}
        for packed in owners:
            taken[packed >> 8] = taken.get(packed >> 8, 0) | 1 << (packed & 0xFF)
        for number, mask in taken.items():
            bus = self.buses[number]
            bus.used |= mask
            for slot in {place >> 3 for place in bits(mask)}:
                bus.free &= ~(1 << slot)
                if bus.functions(slot) == _ALL_FUNCTIONS:
                    bus.full |= 1 << slot
        self.owners.update(owners)

    def _advance(self, plug: int, number: int) -> None:
        """Let the next search for a plug of endpoints begin at a bus."""
        self._cursors[plug] = number
        if number < len(self.buses):
            self._latest[plug] = self.buses[number]

    def allocate_all(self, plug: int, owners: Sequence[Holder], addresses: dict[Any, int], first: int = 0) -> int:
        """Find a place for one owner after the other, as `allocate` does, until no bus has room.

        Args:
            plug: what each owner needs.
            owners: who gets the places.
            addresses: where to put the packed address of each owner.
            first: the position of the first owner to place.

        Returns:
            The position of the first owner that got no place; ``len(owners)`` when all did.
        """
        places = self._take_many(plug, len(owners) - first)
        stop = first + len(places)
        run = owners if len(places) == len(owners) else owners[first:stop]
        addresses.update(zip(run, places))
        self.owners.update(zip(places, run))
        return stop

    def _take_many(self, plug: int, count: int) -> list[int]:
        """Take the next places for a plug, as many as there are up to a count; nobody owns them yet."""
        places: list[int] = []
        if not count:
            return places
        buses = self.buses
        packs = plug & c.ROOT_PORT
        integrated = plug & c.INTEGRATED
        for number in range(self._cursors.get(plug, 0), len(buses)):
            bus = buses[number]
            free = bus.free | bus.shared & ~bus.full if packs else bus.free
            if not free or not (self.accepts(bus, plug, explicit=False) if integrated else plug & bus.automatic):
                continue
            base = number << 8
            if packs:
                places += [base | place for place in _take_shared(bus, free, count - len(places))]
            elif free == 1:  # a port
                bus.free = 0
                bus.used |= 1
                places.append(base)
            else:
                slots, functions = _function_zero(free)
                left = count - len(places)
                if left < len(slots):
                    slots = slots[:left]
                    functions &= (2 << slots[-1]) - 1
                    free &= (2 << (slots[-1] >> 3)) - 1
                bus.free ^= free
                bus.used |= functions
                places += [base | slot for slot in slots]
            if len(places) == count:
                self._cursors[plug] = number
                return places
        self._cursors[plug] = len(buses)
        return places

    def search(self, plug: int, function: int = 0) -> int | None:
        """Return the place that automatic placement would give, without taking it.

        Buses in ascending order, slots in ascending order, the first empty slot; a root port
        also takes the first free function of a slot that a root port took first.  The search
        goes on from the bus where the last one for the same plug ended: before it nothing has
        become free since (`release` sees to that).
        """
        buses = self.buses
        start = self._cursors.get(plug, 0)
        packs = plug & c.ROOT_PORT
        integrated = plug & c.INTEGRATED
        for number in range(start, len(buses)):
            bus = buses[number]
            slots = bus.free | bus.shared & ~bus.full if packs else bus.free
            if slots and (self.accepts(bus, plug, explicit=False) if integrated else plug & bus.automatic):
                if number != start:
                    self._cursors[plug] = number
                slot = (slots & -slots).bit_length() - 1
                if not bus.free >> slot & 1:
                    taken = bus.functions(slot)
                    function = (~taken & taken + 1).bit_length() - 1
                return number << 8 | slot << 3 | function
        self._cursors[plug] = len(buses)
        return None

    def explain(self, plug: int) -> list[SearchStep]:
        """Return every bus that a search for a plug would look at, and why it is passed over."""
        looks = []
        for bus in self.buses:
            free = bus.free | (bus.shared & ~bus.full if plug & c.ROOT_PORT else 0)
            if self.accepts(bus, plug, explicit=False):
                if free:
                    slot = (free & -free).bit_length() - 1
                    looks.append(
                        SearchStep(bus.index, bus.model.name, f"slot {slot:#04x} is the first one free: chosen")
                    )
                    break
                low, high = bus.model.slots
                verdict = "its one slot is taken" if low == high else "accepts the device, but no slot is empty"
            elif plug & c.INTEGRATED:
                verdict = "the device must sit on bus 0"
            elif plug & bus.model.accepts:
                if bus.model.automatic or not plug & c.ENDPOINT:
                    verdict = "libvirt keeps it for the bridge that it adds"
                else:
                    verdict = f"takes a {c.name_of(plug)} only at an explicit address"
            else:
                verdict = f"does not accept a {c.name_of(plug)}"
            looks.append(SearchStep(bus.index, bus.model.name, verdict))
        return looks

    def release(self, packed: int) -> None:
        """Take a place back.

        Raises:
            RefusedError: nobody holds it; nothing has changed then.
        """
        if self.owners.pop(packed, None) is None:
            raise RefusedError(f"nothing is at PCI address {format_packed(packed)}", code="slot-empty")
        number, slot = packed >> 8, packed >> 3 & MAX_SLOT
        bus = self.buses[number]
        bus.used ^= 1 << (packed & 0xFF)
        bus.full &= ~(1 << slot)
        if not bus.functions(slot):
            bus.free |= 1 << slot
            bus.shared &= ~(1 << slot)
        for plug, cursor in self._cursors.items():
            if cursor > number:
                self._cursors[plug] = number
                self._latest.pop(plug, None)

    def _take(self, bus: Bus, packed: int, plug: int) -> None:
        slot = packed >> 3 & MAX_SLOT
        bit = 1 << slot
        if bus.free & bit:
            bus.free ^= bit
            if plug & c.ROOT_PORT:
                bus.shared |= bit
            bus.used |= 1 << (packed & 0xFF)
            return
        bus.used |= 1 << (packed & 0xFF)
        if bus.functions(slot) == _ALL_FUNCTIONS:
            bus.full |= bit

    def check(self) -> None:
        """Verify that the masks, the owners and the bounds agree.

        Raises:
            AssertionError: they do not; the message shows the state.
        """
        held = {bus.index: 0 for bus in self.buses}
        for packed in self.owners:
            assert packed >> 8 in held, f"{format_packed(packed)} is on no bus of {self.buses}"
            held[packed >> 8] |= 1 << (packed & 0xFF)
        for number, bus in enumerate(self.buses):
            state = f"{bus!r} free={bus.free:08x} full={bus.full:08x} shared={bus.shared:08x} {self.owners}"
            assert bus.index == number, state
            assert bus.used == held[number], f"occupancy and owners differ: {state}"
            for slot in range(MAX_SLOT + 1):
                functions, usable = bus.functions(slot), bus.usable >> slot & 1
                assert usable or not functions, f"slot {slot:#x} is not usable: {state}"
                assert bus.free >> slot & 1 == (usable and not functions), f"slot {slot:#x}, free: {state}"
                assert bus.full >> slot & 1 == (functions == _ALL_FUNCTIONS), f"slot {slot:#x}, full: {state}"
                assert not bus.shared >> slot & 1 or functions, f"slot {slot:#x}, shared: {state}"
        bounds = [*self._cursors.items(), *((plug, bus.index) for plug, bus in self._latest.items())]
        for plug, number in bounds:
            for bus in self.buses[:number]:
                slots = bus.free | bus.shared & ~bus.full if plug & c.ROOT_PORT else bus.free
                room = slots and self.accepts(bus, plug, explicit=False)
                assert not room, f"a search for {plug:#x} begins at bus {number}: {bus!r}"

    def holders(self) -> list[list[tuple[int, Holder]]]:
        """Return, for each bus, the packed addresses that are held and by whom, in ascending order."""
        rows: list[list[tuple[int, Holder]]] = [[] for _ in self.buses]
        for packed in sorted(self.owners):
            rows[packed >> 8].append((packed, self.owners[packed]))
        return rows

    def _repr_svg_(self) -> str | None:
        from pcisim.notebook import SVG, picture

        return picture(self, SVG)

    # refusals, in the words that libvirt's users search for

    def _no_bus(self, packed: int, owner: Holder) -> RefusedError:
        text = format_packed(packed)
        if not self.buses:
            return _refusal(
                "No PCI buses available",
                "no-pci-bus",
                owner,
                (f"{owner.label} needs or has a PCI address, but the machine type has no PCI bus",),
                "use a machine that has one, such as pc, q35 or virt, or take the device out",
            )
        if packed >> 16:
            return _refusal(
                f"Invalid PCI address {text}. Only PCI domain 0 is available",
                "domain-range",
                owner,
                (f"{owner.label}: domain {packed >> 16:#06x}",),
                "write domain='0x0000'",
            )
        return _refusal(
            f"Invalid PCI address {text}. Only PCI buses up to {len(self.buses) - 1} are available",
            "bus-missing",
            owner,
            (f"{owner.label}: no controller has index {packed >> 8}",),
            f"add <controller type='pci' index='{packed >> 8}' model='...'/>, or name another bus",
        )

    def _wrong_plug(self, bus: Bus, packed: int, plug: int, owner: Holder) -> RefusedError:
        text = format_packed(packed)
        if plug & c.INTEGRATED and bus.index:
            return _refusal(
                f"The device at PCI address {text} needs to be an integrated device (bus=0)",
                "not-integrated",
                owner,
                (f"{owner.label} can only sit on bus 0",),
                "give it an address with bus='0x00', or none",
            )
        accepted = ", ".join(name for kind, name in c.KIND_NAMES.items() if kind & bus.explicit)
        return _refusal(
            f"The device at PCI address {text} cannot be plugged into the PCI controller with index='{bus.index}'."
            f" It requires a controller that accepts a {c.name_of(plug)}.",
            "wrong-plug",
            owner,
            (f"{owner.label}: bus {bus.index} is a {bus.model.name}, which accepts: {accepted}",),
            "leave the address out, or name a bus that accepts it",
        )

    def _taken(self, packed: int, owner: Holder) -> RefusedError:
        other = self.owners[packed]
        if owner.owner_kind != DEVICE and other.owner_kind == DEVICE:
            owner, other = other, owner  # the chipset was there first
        slot = packed >> 3 & MAX_SLOT
        bus = self.buses[packed >> 8]
        function = next((f for f in range(8) if not bus.functions(slot) >> f & 1), None)
        first = self.owners.get(packed & ~MAX_FUNCTION)
        if "off" in (getattr(first, "multifunction", None), getattr(owner, "multifunction", None)):
            function = None  # QEMU does not start a guest with anything beside a single function
        if not bus.index and self.spoken_for >> slot & 1:
            function = None  # some functions of the slot are the chipset's
        free = bus.free if bus.index else bus.free & ~self.spoken_for
        advice = "leave the address out"
        if free:
            advice += f", or take the first empty slot of bus {bus.index}: {(free & -free).bit_length() - 1:#04x}"
        if function is not None:
            advice += f", or share the slot: function='{function:#x}' is free"
        held = f"{other.label} holds it already" + (f" (line {other.line})" if other.line else "")
        return _refusal(
            f"Attempted double use of PCI Address {format_packed(packed)}",
            "slot-occupied",
            owner,
            (f"{owner.label} asks for it", held if other.owner_kind == "device" else f"{held}, {other.owner_kind}"),
            advice,
            other,
        )


def _wrong_slot(bus: Bus, packed: int, owner: Holder) -> RefusedError:
    low, high = bus.model.slots
    bound = f">= {low}" if (packed >> 3 & MAX_SLOT) < low else f"<= {high}"
    return _refusal(
        f"Invalid PCI address {format_packed(packed)}. slot must be {bound}",
        "slot-range",
        owner,
        (f"{owner.label} is on bus {bus.index}, a {bus.model.name}: {bus.model.unusable}",),
        f"use a slot from {low:#04x} to {high:#04x}" if high > low else "write slot='0x00'",
    )


def _refusal(
    headline: str, code: str, owner: Holder, details: tuple[str, ...], remedy: str, other: Holder | None = None
) -> RefusedError:
    parties = (owner.label,) if other is None else (owner.label, other.label)
    return RefusedError(headline, code=code, details=details, remedy=remedy, line=owner.line, parties=parties)
