"""The closed form written down: the addresses of guests as slices of a table of places."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from pcisim.address import FUNCTIONS, MAX_SLOT
from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import MAX_INDEX
from pcisim.catalogue.x86_machines import ICH9_SOUND_SLOT
from pcisim.fleet.arrays.closed_form import EMPTY_SLOTS, MOST_BRIDGES, Bools, Form, Ints, Item
from pcisim.fleet.arrays.owners import CODES
from pcisim.libvirt.growth import BRIDGE_SLOTS

_MOST_PORTS = FUNCTIONS * EMPTY_SLOTS
_APPENDED = 2 * MAX_INDEX // (BRIDGE_SLOTS - 1) + 1
"""More pci-bridges are never appended on pc, whatever spares are asked for."""
_PORT, _TO_PCI, _BRIDGE = CODES["pcie-root-port"], CODES["pcie-to-pci-bridge"], CODES["pci-bridge"]


@attrs.define(eq=False)
class Runs:
    """Addresses as slices of a table of places, guest after guest.

    Args:
        places: addresses.
        codes: (guests, R): who sits there, run by run.
        lengths: (guests, R): how many places a run takes.
        starts: (guests, R): the first of them in the table.
    """

    places: NDArray[np.uint16]
    codes: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    starts: Ints


def runs_of(form: Form) -> Runs:
    """Return the addresses, in the order of `Plan.addresses`.

    All guests must fit and have the same `layout`.
    """
    return q35_runs(form, int(form.layout[0])) if form.machine.express else pc_runs(form)


def pc_start(form: Form) -> Ints:
    """Return where the places of devices begin on pc."""
    start: Ints = _PC_START + _PC_PLACES * form.has_video + form.bridges
    return start


def pc_runs(form: Form, appended: Sequence[Run] = ()) -> Runs:
    """Return the addresses of guests of pc.

    Args:
        form: the guests.
        appended: controllers behind those that libvirt adds.
    """
    start = pc_start(form)
    rows: list[Run] = []
    for item in form.controllers:
        rows += item_runs(item, start + item.before)
    rows.append((_BRIDGE, form.bridges, start - form.bridges))
    rows += appended
    for item in form.elements:
        rows += item_runs(item, start + item.before)
    return run_table(rows, _PLACES)


def port_start(form: Form) -> Ints:
    """Return where the places of root ports begin."""
    start: Ints = _PORT_START + _MOST_PORTS * (form.has_video + 2 * form.has_sound)
    return start


def q35_runs(
    form: Form,
    bridges: int,
    more_buses: Sequence[Ints] = (),
    appended: Callable[[int, Ints], list[Run]] | None = None,
) -> Runs:
    """Return the addresses of guests of q35.

    Args:
        form: the guests.
        bridges: how many pci-bridges libvirt adds to each.
        more_buses: the indexes of conventional buses that are appended.
        appended: returns the controllers behind those that libvirt adds, from where the places of ports and of
            conventional buses begin in the table.
    """
    has = (form.conventional > 0).astype(np.int32)
    ports = port_start(form)
    done = [has * (1 + _express_before(form, BRIDGE_SLOTS * b)) for b in range(bridges + 1)]
    buses = [ports_before + b + 1 for b, ports_before in enumerate(done)] if has[0] or not more_buses else []
    places, conventional = _conventional_places(form, [*buses, *more_buses])
    controllers: list[Run] = []
    before = form.none
    for b, ports_before in enumerate(done):
        controllers.append((_PORT, ports_before - before, ports + before))
        controllers.append((_BRIDGE, has, conventional + b - 1) if b else (_TO_PCI, has, _EXPRESS_START))
        before = ports_before
    controllers.append((_PORT, form.grown_ports - before, ports + before))
    if appended is not None:
        controllers += appended(_EXPRESS_START, conventional)
    rows: list[Run] = []
    for items in (form.controllers, form.elements):
        for item in items:
            if item.plug & c.INTEGRATED:
                start = ports + FUNCTIONS * (form.port_slots + item.before)
                for nth in range(min(int(item.search.max(initial=0)), EMPTY_SLOTS)):  # a slot each, as function 0
                    rows.append((item.code, item.search > nth, start + FUNCTIONS * nth))
                continue
            if item.plug & c.EXPRESS:
                start = _EXPRESS_START + has + item.before - (-item.conventional_before // BRIDGE_SLOTS)
            else:
                start = conventional + bridges + item.before
            rows += item_runs(item, start)
        if items is form.controllers:
            rows += controllers
    return run_table(rows, places)


def _conventional_places(form: Form, buses: list[Ints]) -> tuple[NDArray[np.uint16], Ints]:
    """Return the table of places, and where in it the conventional ones of each guest begin.

    Args:
        buses: the indexes of each guest's conventional buses.
    """
    if len(buses) == 1:
        return _PLACES, _BRIDGE_START + BRIDGE_SLOTS * buses[0]
    each = BRIDGE_SLOTS * len(buses)
    own = np.stack(buses, axis=1).astype(np.uint16)[:, :, None] << 8 | _BRIDGE_PLACES
    starts = len(_PLACES) + each * np.arange(form.guests, dtype=np.int32)
    return np.concatenate([_PLACES, own.ravel()]), starts


def _express_before(form: Form, conventional: int) -> Ints:
    """Return how many express devices are placed before a conventional one."""
    before = form.none.copy()
    for item in (*form.controllers, *form.elements):
        if item.plug & c.EXPRESS and not item.plug & c.INTEGRATED:
            before += item.search * (item.conventional_before <= conventional)
    return before


Run = tuple[int, Ints | Bools, Ints | int]
"""Who sits there, how many places it takes, and the first of them in the table."""


def item_runs(item: Item, start: Ints) -> list[Run]:
    """Return the runs of an item: at its fixed place, and from a place of the table on."""
    runs: list[Run] = []
    if item.fixed is not None:
        runs.append((item.code, item.fixed, item.place))
    runs.append((item.code, item.search, start))
    return runs


def run_table(rows: list[Run], places: NDArray[np.uint16]) -> Runs:
    """Return runs side by side: of each who sits there, how many places it takes, and the first of them."""
    rows = [row for row in rows if row[1].any()]
    guests = len(rows[0][1])
    lengths, starts = np.empty((guests, len(rows)), np.int64), np.empty((guests, len(rows)), np.int32)
    for column, (_, length, start) in enumerate(rows):
        lengths[:, column] = length
        starts[:, column] = start
    codes = np.array([code for code, _, _ in rows], np.uint8)
    return Runs(places, np.broadcast_to(codes, lengths.shape), lengths, starts)


def _slots(*taken: int, first: int = 1, last: int = MAX_SLOT) -> NDArray[np.uint16]:
    """Return function 0 of slots."""
    return np.array([slot << 3 for slot in range(first, last + 1) if slot not in taken], np.uint16)


_BRIDGE_PLACES = _slots()


def _pc_places(*taken: int) -> NDArray[np.uint16]:
    buses = np.arange(1, MOST_BRIDGES + _APPENDED + 1, dtype=np.uint16) << 8
    places = np.concatenate([_slots(*taken, first=2), (buses[:, None] | _BRIDGE_PLACES).ravel()])
    return np.resize(places, _PC_PLACES)


def _port_places(*taken: int) -> NDArray[np.uint16]:
    slots = _slots(*taken, last=MAX_SLOT - 1)
    return np.resize((slots[:, None] | np.arange(FUNCTIONS, dtype=np.uint16)).ravel(), _MOST_PORTS)


_PC_PLACES = 30 + BRIDGE_SLOTS * (MOST_BRIDGES + _APPENDED)
_PC_START = 256
_EXPRESS_START = _PC_START + 2 * _PC_PLACES
_PORT_START = _EXPRESS_START + MAX_INDEX
_BRIDGE_START = _PORT_START + 4 * _MOST_PORTS
_PLACES = np.concatenate(
    [
        np.arange(256, dtype=np.uint16),  # bus 0
        _pc_places(),
        _pc_places(2),
        np.arange(1, MAX_INDEX + 1, dtype=np.uint16) << 8,
        _port_places(),
        _port_places(1),
        _port_places(ICH9_SOUND_SLOT),
        _port_places(1, ICH9_SOUND_SLOT),
        (np.arange(MAX_INDEX + 1, dtype=np.uint16)[:, None] << 8 | _BRIDGE_PLACES).ravel(),
    ]
)
"""Every place that does not depend on the guest: bus 0; the places of pc, without video and with; the ports of q35
by index; where the ports themselves are, without and with video, without and with ICH9 sound; slots 1 to 31 of each
bus."""
