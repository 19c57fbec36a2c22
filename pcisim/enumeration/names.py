"""Names of network interfaces in a Linux guest, by the rules of systemd's udev.

A name comes from the first of three sources that has one: the index that ACPI gives (``eno1``), the number
of the hotplug slot (``ens3``, ``ens3f1``), the place (``enp1s0``, ``enp1s0f1``; decimal numbers).  What
counts as the number of a slot changed from release to release; each version of the rules is a *naming scheme*,
which the guest may choose (``net.naming_scheme=``).  A virtio interface is named after its PCI function.

Source: systemd.net-naming-scheme(7) for the schemes; each checked against udev 257 (Debian trixie), which
knows them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pcisim.address import GuestAddress
from pcisim.enumeration.slots import SlotRules, Slots, slot_rules, slots_of
from pcisim.enumeration.view import GuestFunction, GuestView
from pcisim.errors import UsageError
from pcisim.placement import Placement

ETHERNET = 0x0200
"""The class of a network interface."""

ALWAYS, NEVER, SHARED = "always", "never", "shared"
ONBOARD, SLOT, PATH = "onboard", "slot", "path"


class Scheme(NamedTuple):
    """One row: a version of the rules, as far as it matters to PCI interfaces of QEMU's guests."""

    name: str
    bridge: str
    """Whether the slot of a bridge on the way to the interface counts as the interface's: `ALWAYS`, `NEVER`, or
    `SHARED`: only when the interface's function says that its device has more functions."""
    described: bool
    """Whether the number that ACPI gives to the interface's own function comes before that of a listed slot, and so
    counts even where another slot has it."""


_ROWS = (
    Scheme("v238", ALWAYS, False),
    Scheme("v239", ALWAYS, False),
    Scheme("v240", ALWAYS, False),
    Scheme("v241", ALWAYS, False),
    Scheme("v243", ALWAYS, False),
    Scheme("v245", ALWAYS, False),
    Scheme("v247", NEVER, False),
    Scheme("v249", NEVER, False),
    Scheme("v250", NEVER, False),
    Scheme("v251", SHARED, False),
    Scheme("v252", SHARED, False),
    Scheme("v253", SHARED, False),
    Scheme("v254", SHARED, False),
    Scheme("v255", NEVER, False),
    Scheme("v257", NEVER, True),
)
SCHEMES: Mapping[str, Scheme] = MappingProxyType({row.name: row for row in _ROWS})
LATEST = _ROWS[-1].name
_GROUPS = [
    (rows[0], tuple(row.name for row in rows))
    for rows in (
        [row for row in _ROWS if (row.bridge, row.described) == rules]
        for rules in dict.fromkeys((row.bridge, row.described) for row in _ROWS)
    )
]
"""The schemes with the same rules, and one of them for all."""


class InterfaceName(NamedTuple):
    """A name of an interface, and who gives it.

    Args:
        name: such as ``enp1s0``.
        source: `ONBOARD`, `SLOT` or `PATH`.
        schemes: the naming schemes that give it, oldest first.
    """

    name: str
    source: str
    schemes: tuple[str, ...]


def spans(schemes: Iterable[str]) -> str:
    """Return schemes as ranges: ``v238-v245, v257``."""
    order = list(SCHEMES)
    groups: list[list[str]] = []
    for name in schemes:
        if groups and order.index(groups[-1][-1]) + 1 == order.index(name):
            groups[-1].append(name)
        else:
            groups.append([name])
    return ", ".join(g[0] if len(g) == 1 else f"{g[0]}-{g[-1]}" for g in groups)


def text_of(options: Sequence[InterfaceName]) -> str:
    """Return the names of an interface: one alone, several each with its schemes."""
    if len(options) == 1:
        return options[0].name
    return ", ".join(f"{option.name} ({spans(option.schemes)})" for option in options)


def scheme_of(name: str) -> Scheme:
    """Return the scheme of a name; ``latest`` is the newest known.

    Raises:
        UsageError: there is no such scheme.
    """
    row = SCHEMES.get(LATEST if name == "latest" else name)
    if row is None:
        raise UsageError(
            f"unknown naming scheme {name!r}",
            code="unknown-naming-scheme",
            remedy=f"one of {', '.join(SCHEMES)}, latest",
        )
    return row


def is_interface(function: GuestFunction) -> bool:
    """Return whether a function is a network interface: by its class, or by its element where that is not known."""
    if function.vendor:
        return function.class_code == ETHERNET
    return function.label is not None and function.label.startswith("interface:")


def names_of_guest(
    placement: Placement, view: GuestView, scheme: str | None = None
) -> dict[GuestAddress, tuple[InterfaceName, ...]]:
    """Return the names of the interfaces of a guest of libvirt.

    Args:
        placement: the placed guest; its multifunction bits are those that somebody wrote down, too.
        view: what it sees.
        scheme: as for `interface_names`.

    Raises:
        UsageError: as for `interface_names`.
    """
    guest = placement.guest
    indexes = {d.label: d.acpi_index or 0 for d in guest.all_devices()}
    shared = {d.label for d, bit in placement.multifunction.items() if bit == "on"}
    functions = (
        f._replace(multifunction=True) if f.label in shared and not f.multifunction else f for f in view.functions
    )
    view = view._replace(functions=tuple(functions))
    return interface_names(view, slot_rules(guest), indexes, scheme)


def interface_names(
    view: GuestView, rules: SlotRules, indexes: Mapping[str, int], scheme: str | None = None
) -> dict[GuestAddress, tuple[InterfaceName, ...]]:
    """Return the names of every network interface that a Linux guest sees, by its address.

    Args:
        view: what the guest sees.
        rules: what its machine makes of slots.
        indexes: the ``acpi-index`` of each device by label, 0 for none, in the order in which QEMU makes them.
        scheme: the naming scheme; ``None`` for all: then one name where they agree, else each with its schemes.

    Raises:
        UsageError: an unknown scheme.
    """
    groups: list[tuple[Scheme, tuple[str, ...]]]
    groups = _GROUPS if scheme is None else [(scheme_of(scheme), (scheme_of(scheme).name,))]
    slots = slots_of(view, rules)
    told = _indexes_told(view, slots, indexes)
    bridges = {bus.number: bus.bridge for bus in view.buses}
    named: dict[GuestAddress, tuple[InterfaceName, ...]] = {}
    for function in view.functions:
        if function.address is None or function.off or not is_interface(function):
            continue
        index = told.get(int(function.address))
        found: dict[tuple[str, str], list[str]] = {}
        for row, alike in groups:
            key = (f"eno{index}", ONBOARD) if index else _placed(function, slots, bridges, row)
            found.setdefault(key, []).extend(alike)
        named[function.address] = tuple(InterfaceName(*key, _in_order(schemes)) for key, schemes in found.items())
    return named


def _in_order(schemes: Iterable[str]) -> tuple[str, ...]:
    given = set(schemes)
    return tuple(name for name in SCHEMES if name in given)


def _indexes_told(view: GuestView, slots: Slots, indexes: Mapping[str, int]) -> dict[int, int]:
    """Return the ACPI index that the guest is told of each function, by its packed address; 0 for none.

    A slot that takes hotplug has one index for all its functions: that of the device that QEMU made last.
    Measured on both QEMUs.
    """
    order = {label: number for number, label in enumerate(indexes)}
    last: dict[int, tuple[int, str]] = {}
    for function in view.functions:
        if function.address is not None and function.label in order:
            place = int(function.address) >> 3
            last[place] = max(last.get(place, (-1, "")), (order[function.label], function.label))
    told = {}
    for function in view.functions:
        if function.address is None or int(function.address) not in slots.indexed:
            continue
        packed, label = int(function.address), function.label
        if packed in slots.described and packed >> 3 in last:
            label = last[packed >> 3][1]
        told[packed] = indexes.get(label or "", 0)
    return told


def _placed(
    function: GuestFunction, slots: Slots, bridges: Mapping[int, GuestAddress | None], scheme: Scheme
) -> tuple[str, str]:
    address = function.address
    assert address is not None
    domain = f"P{address.segment}" if address.segment else ""
    suffix = f"f{address.function}" if address.function or function.multifunction else ""
    number = _slot_number(function, slots, bridges, scheme)
    if number:
        return f"en{domain}s{number}{suffix}", SLOT
    return f"en{domain}p{address.bus}s{address.device}{suffix}", PATH


def _slot_number(
    function: GuestFunction, slots: Slots, bridges: Mapping[int, GuestAddress | None], scheme: Scheme
) -> int:
    """Return the number of the slot that an interface is named after; 0 for none."""
    address = function.address
    assert address is not None
    if scheme.described and slots.described.get(int(address)):
        return slots.described[int(address)]
    number = slots.numbers.get(int(address) >> 3)
    if number:
        return number
    if scheme.bridge == NEVER or (scheme.bridge == SHARED and not function.multifunction):
        return 0
    above = bridges.get(address.bus)
    while above is not None:
        number = slots.numbers.get(int(above) >> 3)
        if number:
            return number
        above = bridges.get(above.bus)
    return 0


def clashes(
    names: Mapping[GuestAddress, tuple[InterfaceName, ...]],
) -> list[tuple[str, tuple[GuestAddress, ...], tuple[str, ...]]]:
    """Return the names that several interfaces would have, whose they are, and by which schemes.

    Only one of them gets it; the others keep the kernel's ``ethN``.
    """
    holders: dict[str, dict[str, list[GuestAddress]]] = {}
    for address, options in names.items():
        for option in options:
            for scheme in option.schemes:
                holders.setdefault(option.name, {}).setdefault(scheme, []).append(address)
    found = []
    for name, by_scheme in holders.items():
        groups: dict[tuple[GuestAddress, ...], list[str]] = {}
        for scheme, addresses in by_scheme.items():
            if len(addresses) > 1:
                groups.setdefault(tuple(addresses), []).append(scheme)
        found += [(name, addresses, tuple(schemes)) for addresses, schemes in groups.items()]
    return found
