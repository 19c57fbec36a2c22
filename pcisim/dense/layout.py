"""Which functions of the buses are taken, and who takes them.

A layout is a set of places first: 256 bits a bus.  Partly used slots, and those of buses without hotplug, cost nothing
and are filled first; then as few empty slots as possible, the lowest; in each slot function 0 first.  Who takes them is
decided afterwards, in libvirt's order, a controller always on a bus with a lower index than its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pcisim.address import FUNCTIONS, SLOTS
from pcisim.catalogue.controllers import EMULATOR_TAKES_NO_HOTPLUG, MAX_INDEX, PACKED_WITH, PCI_CONTROLLERS
from pcisim.dense.composition import Composition, Freedom
from pcisim.topology import Bus, bits

_SLOT = (1 << FUNCTIONS) - 1
_FIRST_FUNCTIONS = sum(1 << (slot << 3) for slot in range(SLOTS))


class Place(NamedTuple):
    """What a bus has to offer."""

    bus: int
    """Its index."""
    socket: int
    available: int
    """256 bits: the functions that may be taken."""
    used: int
    """256 bits: those that are held."""
    is_hot: bool
    """Whether it takes devices while the guest runs."""


class Layout(NamedTuple):
    """Which places are taken, and by which kind."""

    models: Mapping[int, str]
    """The models of the controllers that are added, by index."""
    taken: tuple[tuple[int, dict[int, int]], ...]
    """Sets of kinds that share their sockets, and for each bus the functions that they take."""
    alone: Mapping[tuple[int, bool], Mapping[int, int]]
    """For each kind, and whether hotplug is needed, the functions 0 of slots that have one holder, by bus."""
    pinned: Mapping[int, int]
    """The places of controllers that were chosen one by one, by index, packed."""
    empty: int
    """How many slots that take hotplug are left empty."""
    occupied: int
    """All held functions as one number: bit ``bus << 8 | slot << 3 | function``."""

    def comes_before(self, other: Layout) -> bool:
        """Return whether it is the better one of two that have equally many controllers."""
        if self.empty != other.empty:
            return self.empty > other.empty
        differ = self.occupied ^ other.occupied
        return bool(self.occupied & differ & -differ)


def spread(slots: int) -> int:
    """Return the functions of slots, as 256 bits."""
    return sum([_SLOT << (slot << 3) for slot in bits(slots)])


def held_slots(used: int) -> int:
    """Return the slots of which a function is held, as 32 bits."""
    folded = used | used >> 4
    folded |= folded >> 2
    folded |= folded >> 1
    return sum([1 << (place >> 3) for place in bits(folded & _FIRST_FUNCTIONS)])


def available_on(bus: Bus, unshared: int) -> int:
    """Return the functions of a bus that may be taken.

    Args:
        bus: the bus.
        unshared: the slots, as bits, whose function 0 is the only one that there may be.
    """
    return spread(bus.usable & ~unshared) & ~bus.used


def ordered_models(made: Composition) -> list[str]:
    """Return the models in the order of their indexes: what is filled from slot 0 comes first, ports before bridges."""
    ports = [PACKED_WITH[0]] * made.ports
    early = 1 if made.downstream >= FUNCTIONS and made.upstream else made.ports
    order = ports[:early] + [PACKED_WITH[3]] * made.upstream + ports[early:] + [PACKED_WITH[4]] * made.downstream
    return order + [PACKED_WITH[5]] * made.dmi + [PACKED_WITH[1]] * made.to_pci + [PACKED_WITH[2]] * made.bridges


class Chooser:
    """Chooses the functions that are taken.

    Args:
        places: every bus, in ascending order of index.
    """

    def __init__(self, places: Iterable[Place]) -> None:
        self.places = list(places)
        self.available = [place.available for place in self.places]
        self.used = [place.used for place in self.places]

    def room(self, sockets: frozenset[int]) -> int:
        """Return how many functions are left on buses of some sockets."""
        return sum(self.available[n].bit_count() for n, place in enumerate(self.places) if place.socket in sockets)

    def choose(self, count: int, sockets: frozenset[int]) -> dict[int, int] | None:
        """Take functions of buses of some sockets, as 256 bits by bus; ``None`` where there are not so many."""
        if not count:
            return {}
        buses = [n for n, place in enumerate(self.places) if place.socket in sockets and self.available[n]]
        union: dict[int, int] = {}
        due: dict[int, int] = {}
        for number in buses:
            available = self.available[number]
            held = spread(held_slots(self.used[number]))
            union[number] = available & held if self.places[number].is_hot else available
            due[number] = available & held & _FIRST_FUNCTIONS
        lack = count - sum([mask.bit_count() for mask in union.values()])
        for number in buses:
            if lack <= 0:
                break
            fresh = self.available[number] & ~union[number]
            for slot in bits(held_slots(fresh)):
                functions = fresh & _SLOT << (slot << 3)
                union[number] |= functions
                lack -= functions.bit_count()
                if lack <= 0:
                    break
        if lack > 0:
            return None
        owed = sum([mask.bit_count() for mask in due.values()])
        chosen: dict[int, int] = {}
        first, left = min(owed, count), max(0, count - owed)
        for number in buses:
            must = lowest(due[number], first)
            rest = lowest(union[number] & ~due[number], left)
            first -= must.bit_count()
            left -= rest.bit_count()
            if must | rest:
                chosen[number] = must | rest
                self.take(number, must | rest)
        return {self.places[number].bus: mask for number, mask in chosen.items()}

    def choose_one(self, kind: int, below: int) -> int | None:
        """Take one function, packed, on a bus with an index below a number: where it costs no slot, if possible."""
        fresh: tuple[int, int] | None = None
        for number, place in enumerate(self.places):
            available = self.available[number]
            if place.bus >= below or not place.socket & kind or not available:
                continue
            held = available & spread(held_slots(self.used[number]))
            cheap = held if place.is_hot else available
            if cheap:
                low = held & _FIRST_FUNCTIONS or cheap
                fresh = number, low & -low
                break
            fresh = fresh or (number, available & -available)
        if fresh is None:
            return None
        self.take(*fresh)
        return self.places[fresh[0]].bus << 8 | fresh[1].bit_length() - 1

    def take(self, number: int, mask: int) -> None:
        """Take functions of a bus."""
        self.available[number] &= ~mask
        self.used[number] |= mask

    def choose_alone(self, count: int, kind: int, *, hot: bool) -> dict[int, int] | None:
        """Take the lowest empty slots, of each function 0; ``None`` if they are too few.

        Args:
            count: how many.
            kind: of what goes there.
            hot: whether they have to take hotplug; those that do not come first otherwise.
        """
        chosen: dict[int, int] = {}
        for number, place in sorted(enumerate(self.places), key=lambda one: one[1].is_hot):
            if not count:
                break
            if (hot and not place.is_hot) or not place.socket & kind:
                continue
            for slot in bits(held_slots(self.available[number])):
                whole = _SLOT << (slot << 3)
                if not count or self.used[number] & whole or self.available[number] & whole != whole:
                    continue
                self.take(number, 1 << (slot << 3))
                self.available[number] &= ~whole
                chosen[place.bus] = chosen.get(place.bus, 0) | 1 << (slot << 3)
                count -= 1
        return None if count else chosen

    def choose_set(self, functions: Iterable[int], kind: int) -> int | None:
        """Take some functions of one slot, of a slot in use if possible; return function 0 of the slot, packed."""
        pattern = sum(1 << function for function in functions)
        for only_held in (True, False):
            for number, place in enumerate(self.places):
                if not place.socket & kind:
                    continue
                for slot in range(SLOTS):
                    held = self.used[number] >> (slot << 3) & _SLOT
                    fits = self.available[number] >> (slot << 3) & pattern == pattern
                    if fits and (held or not only_held):
                        self.take(number, pattern << (slot << 3))
                        return place.bus << 8 | slot << 3
        return None

    def lacks_function_0(self) -> int | None:
        """Return the first slot, packed, that is in use without function 0."""
        for place, used in zip(self.places, self.used):
            lacking = spread(held_slots(used)) & _FIRST_FUNCTIONS & ~used
            if lacking:
                return place.bus << 8 | (lacking & -lacking).bit_length() - 1
        return None

    @property
    def empty(self) -> int:
        """Return how many slots that take hotplug are empty."""
        total = 0
        for place, used, available in zip(self.places, self.used, self.available):
            if place.is_hot:
                total += (held_slots(available) & ~held_slots(used)).bit_count()
        return total

    @property
    def occupied(self) -> int:
        """Return all held functions as one number."""
        data = bytearray((MAX_INDEX + 1) * 32)
        for place, used in zip(self.places, self.used):
            data[place.bus * 32 : place.bus * 32 + 32] = used.to_bytes(32, "little")
        return int.from_bytes(data, "little")


def lowest(mask: int, count: int) -> int:
    """Return the lowest bits of a mask, as many as there are up to a count."""
    if count <= 0:
        return 0
    if mask.bit_count() <= count:
        return mask
    low, high = 0, mask.bit_length()
    while low < high:  # the shortest part that has as many
        middle = (low + high) // 2
        if (mask & (1 << middle) - 1).bit_count() < count:
            low = middle + 1
        else:
            high = middle
    return mask & (1 << low) - 1


class Seats:
    """The functions that some kinds take, handed out one by one."""

    def __init__(self) -> None:
        self.left: dict[int, int] = {}

    def add(self, taken: Mapping[int, int]) -> None:
        """Add functions."""
        for bus, mask in taken.items():
            self.left[bus] = self.left.get(bus, 0) | mask
        self.left = {bus: mask for bus, mask in sorted(self.left.items()) if mask}

    def seat(self, below: int = MAX_INDEX + 1, bus: int | None = None) -> int | None:
        """Hand out the lowest function on a bus with an index below a number, or on a certain bus if it has one."""
        if bus is None or bus not in self.left:
            bus = next(iter(self.left), None)
            if bus is None or bus >= below:
                return None
        mask = self.left[bus]
        low = mask & -mask
        if mask == low:
            del self.left[bus]
        else:
            self.left[bus] = mask ^ low
        return bus << 8 | low.bit_length() - 1

    def rest(self) -> list[int]:
        """Return all that are left, in ascending order."""
        return [bus << 8 | place for bus, mask in self.left.items() for place in bits(mask)]


def new_place(index: int, model: str, freedom: Freedom) -> Place:
    """Return the place of a controller that is added."""
    row = PCI_CONTROLLERS[model]
    return Place(
        index, freedom.socket(row), spread(row.slot_mask), 0, row.hotplug and model not in EMULATOR_TAKES_NO_HOTPLUG
    )
