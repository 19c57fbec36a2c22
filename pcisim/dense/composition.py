"""How many PCI controllers of each model a guest takes: arithmetic on numbers of functions.

A *socket* is the set of kinds that a bus accepts; buses of one socket are as good as each other.  What looks for a
place is counted by kind, what is free by socket.  By Hall's theorem everything finds a place if and only if, for each
set of sockets, what has to be on one of them is no more than what they have.  A controller takes one function and
brings 8, 248 or 256, so that it is enough that the first of each kind finds a place that is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from operator import add
from typing import NamedTuple

from pcisim.address import FUNCTIONS
from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import MAX_INDEX, PACKED_WITH, PCI_CONTROLLERS, ControllerModel
from pcisim.libvirt.growth import NUMBER_BUDGET, Budget

_MOST = 1 << 20
"""A composition of more controllers than this is none."""


class Freedom(NamedTuple):
    """Where devices may go beyond the places that libvirt's automatic rules give them."""

    mixed: bool = False
    """Whether endpoints go on every bus on which a written address may put them."""
    integrated: bool = False
    """Whether endpoints go on a PCI Express root bus."""
    dmi: bool = False
    """Whether a dmi-to-pci-bridge may be added."""

    def socket(self, model: ControllerModel) -> int:
        """Return the kinds that may be put on the bus of a model; `INTEGRATED` is one of a root bus."""
        kinds = c.explicit_socket(model.accepts) if self.mixed else model.accepts
        if not model.plug:
            kinds |= c.INTEGRATED
            if not model.automatic and not self.integrated:
                kinds &= ~c.ENDPOINT
        elif not model.automatic and not self.mixed:
            kinds &= ~c.ENDPOINT
        return kinds


class Composition(NamedTuple):
    """How many controllers of each model are added."""

    ports: int = 0
    to_pci: int = 0
    bridges: int = 0
    upstream: int = 0
    downstream: int = 0
    dmi: int = 0

    @property
    def total(self) -> int:
        """Return how many there are in all."""
        return sum(self)


_ROWS = tuple(PCI_CONTROLLERS[model] for model in PACKED_WITH)
_BRINGS = tuple(row.slot_count * FUNCTIONS for row in _ROWS)


class Shortage(NamedTuple):
    """What no number of controllers makes up for."""

    kinds: int
    """The kinds that find no place."""
    sockets: tuple[int, ...]
    """All that accepts them."""
    needed: int
    available: int


class Demand:
    """What looks for a place, and what is free before any controller is added.

    Args:
        wanted: how many look for a place, by kind; in functions.
        free: how many functions are free, by socket, those of listed controllers without a place included.
        rooted: the sockets of which a bus that has its place has a function free.
        brought: the kinds of listed controllers without a place, and the sockets that they bring.
        express: whether the root bus is PCI Express.
        freedom: where devices may go.
    """

    def __init__(
        self,
        wanted: Mapping[int, int],
        free: Mapping[int, int],
        rooted: set[int],
        brought: set[tuple[int, int]],
        freedom: Freedom,
        *,
        express: bool,
    ) -> None:
        self.freedom = freedom
        self.express = express
        self.rooted = rooted
        self.brought = brought
        self.new_sockets = tuple(freedom.socket(row) for row in _ROWS)
        usable = self.new_sockets if express else (freedom.socket(PCI_CONTROLLERS["pci-bridge"]),)
        self.sockets = tuple(dict.fromkeys([*free, *usable]))
        self.free = [free.get(socket, 0) for socket in self.sockets]
        self._position = {socket: place for place, socket in enumerate(self.sockets)}
        self.kinds = tuple(dict.fromkeys([*wanted, *(row.plug for row in _ROWS)]))
        self.wanted = [wanted.get(kind, 0) for kind in self.kinds]
        self._allowed = [
            sum(1 << place for place, socket in enumerate(self.sockets) if socket & kind) for kind in self.kinds
        ]
        self._brings = [self._position.get(socket) for socket in self.new_sockets]
        self._plugs = [self.kinds.index(row.plug) for row in _ROWS]
        sets = sorted(range(1 << len(self.sockets)), key=lambda mask: (mask.bit_count(), mask))
        self._sets = [
            (
                mask,
                [place for place, allowed in enumerate(self._allowed) if not allowed & ~mask],
                [place for place in range(len(self.sockets)) if mask >> place & 1],
            )
            for mask in sets
        ]

    def with_more(self, kind: int, count: int) -> Demand:
        """Return the demand with more devices of a kind."""
        grown = copy(self)
        grown.wanted = [have + count * (known == kind) for known, have in zip(self.kinds, self.wanted)]
        return grown

    def shortage(self, made: Composition) -> tuple[int, int, int, int] | None:
        """Return the smallest set of sockets that is too small: as bits, what is needed, what there is, the kinds."""
        wanted, free = list(self.wanted), list(self.free)
        for count, plug, brings, functions in zip(made, self._plugs, self._brings, _BRINGS):
            if count:
                wanted[plug] += count
                if brings is not None:
                    free[brings] += count * functions
        for mask, kinds, places in self._sets:
            needed = sum([wanted[kind] for kind in kinds])
            available = sum([free[place] for place in places])
            if needed > available:
                return mask, needed, available, sum({self.kinds[kind] for kind in kinds if wanted[kind]})
        return None

    def is_rooted(self, made: Composition) -> bool:
        """Return whether every kind of controller, the listed ones included, hangs on something in the end."""
        waiting = set(self.brought)
        waiting |= {(row.plug, socket) for count, row, socket in zip(made, _ROWS, self.new_sockets) if count}
        reached = set(self.rooted)
        while True:
            now = {(plug, socket) for plug, socket in waiting if any(plug & there for there in reached)}
            if not now:
                return not waiting
            reached |= {socket for _, socket in now}
            waiting -= now

    def least(self, made: Composition, *, switch: bool) -> Composition | Shortage:
        """Return the fewest bridges and ports that have to be added to a composition.

        Args:
            made: what there is in any case.
            switch: whether ports are those of a switch, as far as possible.
        """
        port, conventional, inside = self._brings[0], self._brings[2], self._brings[3]
        short: tuple[int, int, int, int] | None = None
        while made.total < _MOST:
            short = self.shortage(made)
            if short is None:
                return made
            mask, needed, available, kinds = short
            missing = needed - available
            if conventional is not None and mask >> conventional & 1:
                made = made._replace(bridges=made.bridges + _ceil_div(missing, _BRINGS[2]))
            elif not self.express:
                return self._named(short)
            elif port is not None and mask >> port & 1:
                more = _ceil_div(missing, _BRINGS[0])
                made = (
                    made._replace(downstream=made.downstream + more)
                    if switch
                    else made._replace(ports=made.ports + more)
                )
            elif inside is not None and mask >> inside & 1:
                made = made._replace(upstream=made.upstream + _ceil_div(missing, _BRINGS[3]))
            elif kinds & c.ROOT_PORT and made.ports >= missing:
                made = made._replace(ports=made.ports - missing, downstream=made.downstream + missing)
            else:
                return self._named(short)
        return self._named(short or (0, 0, 0, 0))

    def _named(self, short: tuple[int, int, int, int]) -> Shortage:
        mask, needed, available, kinds = short
        sockets = tuple(socket for place, socket in enumerate(self.sockets) if mask >> place & 1)
        return Shortage(kinds, sockets, needed, available)

    def candidates(self) -> Iterator[Composition | Shortage]:
        """Yield, for each number of other controllers that is worth a try, the fewest bridges and ports beside them."""
        only_ports = [place for place, socket in enumerate(self.sockets) if socket == self.new_sockets[0]]
        slack = sum(self.free[place] for place in only_ports) - sum(
            count for kind, count in zip(self.kinds, self.wanted) if kind & self.new_sockets[0] and kind != c.PCI_BRIDGE
        )
        most_to_pci = most_dmi = 0
        if self.express and self._wants_conventional and not self.freedom.mixed:
            most_to_pci = min(MAX_INDEX, (slack if slack >= 0 else slack % FUNCTIONS) + FUNCTIONS)
        if self.express and self.freedom.dmi:
            most_dmi = MAX_INDEX if self.freedom.mixed else 1
        ways = (False, True) if self.express and self.freedom.integrated else (False,)
        for dmi in range(most_dmi + 1):
            best = _MOST
            for to_pci in range(most_to_pci + 1):
                for switch in ways:
                    start = Composition(int(switch), to_pci, dmi=dmi)
                    made = self.least(start, switch=switch)
                    if isinstance(made, Shortage):
                        yield made
                    elif self.is_rooted(made):
                        best = min(best, made.total)
                        yield made
                    elif self.express:
                        yield from self._rooted(start, switch=switch)
            if dmi and self.freedom.mixed and best == dmi:
                return  # the others are enough already

    def _rooted(self, start: Composition, *, switch: bool) -> Iterator[Composition]:
        """Yield compositions with what it takes for all controllers to hang on something."""
        for ports in (0, 1):
            for to_pci in (0, 1):
                for upstream, downstream in ((0, 0), (1, 0), (0, 1), (1, 1)):
                    for bridges in (0, 1):
                        more = Composition(ports, to_pci, bridges, upstream, downstream)
                        if not more.total:
                            continue
                        grown = self.least(Composition(*map(add, start, more)), switch=switch)
                        if isinstance(grown, Composition) and self.is_rooted(grown):
                            yield grown

    @property
    def _wants_conventional(self) -> bool:
        socket = self.new_sockets[2]
        return any(count and kind & socket for kind, count in zip(self.kinds, self.wanted))


def number_budget(needed: int) -> Budget:
    """Return the budget of bus numbers that a number of controllers takes, the root bus included."""
    return Budget(NUMBER_BUDGET, needed + 1, MAX_INDEX + 1)


def _ceil_div(count: int, divisor: int) -> int:
    return -(-count // divisor)
