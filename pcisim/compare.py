"""Two guests, device by device: who is who, and who moved.

`match` pairs the devices of two guests by what is stable about them; `compare` says of two
placed guests whose place changed.  A place is the way to a device from the root bus, by slot and
function: that is what the guest sees.  The bus in an address is only the index of a controller,
which may change without anything moving, or stay while the controller itself moves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from pcisim._record import record
from pcisim.address import PciAddress, parse_number
from pcisim.guest import Controller, Device
from pcisim.placement import Placement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol
else:
    Protocol = object

USER_ALIAS = "ua-"
"""What an alias begins with that a user gave; libvirt hands out all others anew at each start."""

ALIAS = "alias"
MAC = "MAC"
TARGET = "target"
HOST = "host device"
INDEX = "index"
CONTENT = "content"
POSITION = "position"
PLACE = "place"
"""What two devices may be matched by."""

_NAMES = (TARGET, INDEX)
"""Identities that are names: two devices with different ones are never the same device."""

_ONE_OF_A_KIND = frozenset({"memballoon", "vsock", "iommu", "pstore", "video", "watchdog"})
"""Elements of which a guest mostly has one: the one left on each side is the same, of whatever model."""

MOVED = "moved"
RENUMBERED = "renumbered"
APPEARED = "appeared"
GONE = "gone"
MODEL = "model"
MULTIFUNCTION = "multifunction"
OPTION = "option"
KINDS = (MOVED, RENUMBERED, APPEARED, GONE, MODEL, MULTIFUNCTION, OPTION)
"""What may have changed: the place; the index of a controller only; a PCI address that came or
went; the model; the multifunction bit; a number in the ``<target>`` of a PCI controller."""


# who is who


@record
class Pair:
    """A device of the old guest and the same one in the new.

    Args:
        old: the device in the old guest.
        new: the device in the new guest.
        by: what they were matched by, such as `MAC`.
    """

    old: Device
    new: Device
    by: str


@record
class Group:
    """Devices of one kind that nothing tells apart well enough.

    Args:
        element: libvirt's element.
        model: the model that all of them have.
        old: those of the old guest.
        new: those of the new guest.
    """

    element: str
    model: str
    old: tuple[Device, ...]
    new: tuple[Device, ...]


@record
class Matching:
    """The devices of two guests, matched.

    Args:
        pairs: those that are in both.
        old: those that are only in the old guest.
        new: those that are only in the new guest.
        ambiguous: those that may or may not be in both.
    """

    pairs: tuple[Pair, ...]
    old: tuple[Device, ...]
    new: tuple[Device, ...]
    ambiguous: tuple[Group, ...]


def match(
    old: Iterable[Device], new: Iterable[Device], places: Mapping[Device, Hashable] = MappingProxyType({})
) -> Matching:
    """Match the devices of two completed guests; PCI controllers are left out.

    In this order: alias that a user gave; MAC address, target, host device or, for controllers,
    type and index; any other alias; the same content, first of those at the same place, then in
    order; the same element, model and place; the only ones left of an element and model, or as
    many left on both sides.  Aliases like ``net0`` come after the MAC because libvirt hands them
    out by position.  Disks and everything else with a name are matched by
    name or alias only.

    Args:
        old: the devices of the old guest.
        new: the devices of the new guest.
        places: the place of each device of both, as far as it is known.
    """

    def at_place(key: Callable[[Device], Hashable]) -> Callable[[Device], Hashable]:
        return lambda device: (places[device], key(device)) if device in places else None

    work = _Matcher(_without_pci(old), _without_pci(new))
    work.unique(_user_alias, ALIAS)
    work.unique(identity)
    work.unique(_any_alias, ALIAS)
    work.unique(at_place(_signature), CONTENT)
    work.in_order(_signature, CONTENT)
    work.by_position(at_place(_kind_and_model), PLACE)
    work.by_position(_kind_and_model)
    work.by_position(lambda device: device.element if device.element in _ONE_OF_A_KIND else None)
    return work.result()


class _Matcher:
    """The devices that are still to be matched, and the pairs found so far."""

    def __init__(self, old: Sequence[Device], new: Sequence[Device]) -> None:
        self.old = list(old)
        self.new = list(new)
        self.pairs: list[Pair] = []

    def groups(self, key: Callable[[Device], Any]) -> Iterator[tuple[Any, list[Device], list[Device]]]:
        """Yield each key that both sides have, with those that have it."""
        if not self.old or not self.new:
            return
        ours: dict[tuple[str, Any], list[Device]] = {}
        theirs: dict[tuple[str, Any], list[Device]] = {}
        for devices, found in ((self.old, ours), (self.new, theirs)):
            for device in devices:
                value = key(device)
                if value is not None:
                    found.setdefault((device.element, value), []).append(device)
        for (element, value), devices in ours.items():
            if (element, value) in theirs:
                yield value, devices, theirs[element, value]

    def pair(self, found: Iterable[tuple[Device, Device, str]]) -> None:
        """Settle pairs."""
        made = [Pair(*row) for row in found]
        self.pairs += made
        gone = {id(device) for pair in made for device in (pair.old, pair.new)}
        self.old = [device for device in self.old if id(device) not in gone]
        self.new = [device for device in self.new if id(device) not in gone]

    def unique(self, key: Callable[[Device], Any], by: str = "") -> None:
        """Match those whose key nobody else has; without `by` the key begins with what they were matched by."""
        self.pair(
            [(one[0], two[0], by or str(value[0])) for value, one, two in self.groups(key) if len(one) == 1 == len(two)]
        )

    def in_order(self, key: Callable[[Device], Any], by: str) -> None:
        """Match those with the same key one after the other: nothing tells them apart, so any pairing is right."""
        self.pair([(*pair, by) for _, one, two in self.groups(key) for pair in zip(one, two)])

    def by_position(self, key: Callable[[Device], Any], by: str = POSITION) -> None:
        """Match the only ones left of a kind, or all when as many are left of it and nothing contradicts."""
        found: list[tuple[Device, Device, str]] = []
        for _, one, two in self.groups(key):
            if len(one) != len(two) or any(_has_name(device) for device in (*one, *two)):
                continue
            if not any(map(_contradict, one, two)) or (len(one) == 1 and by == POSITION):
                found += [(*pair, by) for pair in zip(one, two)]
        self.pair(found)

    def result(self) -> Matching:
        """Return what was found, and what was not."""
        ambiguous = [
            Group(one[0].element, one[0].model, tuple(one), tuple(two))
            for _, one, two in self.groups(_kind_and_model)
            if not any(_has_name(device) for device in (*one, *two))
        ]
        unclear = {id(device) for group in ambiguous for device in (*group.old, *group.new)}
        return Matching(
            tuple(self.pairs),
            tuple(device for device in self.old if id(device) not in unclear),
            tuple(device for device in self.new if id(device) not in unclear),
            tuple(ambiguous),
        )


def identity(device: Device) -> tuple[str, Hashable] | None:
    """Return what names a device, and what kind of name that is; ``None`` when nothing does."""
    if isinstance(device, Controller):
        return INDEX, device.label
    if device.element == "disk":
        return TARGET, device.label
    if device.origin is None:
        return None
    find = _IDENTITIES.get(device.element)
    return None if find is None else find(device.origin)


def _interface_identity(element: Any) -> tuple[str, Hashable] | None:
    mac = element.find("mac")
    address = mac.get("address") if mac is not None else None
    if address:
        return MAC, address.lower()
    return _host_identity(element) if element.get("type") == "hostdev" else None


def _host_identity(element: Any) -> tuple[str, Hashable] | None:
    source = element.find("source")
    address = source.find("address") if source is not None else None
    if address is None:
        return None
    values = {name: parse_number(value) for name, value in address.attrib.items()}
    if address.get("uuid"):
        return HOST, address.get("uuid").lower()
    if "slot" not in values:
        return None
    return HOST, tuple(values.get(name, 0) for name in ("domain", "bus", "slot", "function"))


def _named(child: str, attribute: str) -> Callable[[Any], tuple[str, Hashable] | None]:
    def find(element: Any) -> tuple[str, Hashable] | None:
        holder = element.find(child) if child else element
        name = holder.get(attribute) if holder is not None else None
        return (TARGET, name) if name else None

    return find


_IDENTITIES: dict[str, Callable[[Any], tuple[str, Hashable] | None]] = {
    "interface": _interface_identity,
    "hostdev": _host_identity,
    "filesystem": _named("target", "dir"),
    "channel": _named("target", "name"),
    "shmem": _named("", "name"),
}


def alias_of(device: Device) -> str | None:
    """Return the alias that is written down for a device."""
    alias = device.origin.find("alias") if device.origin is not None else None
    return None if alias is None else alias.get("name") or None


def _user_alias(device: Device) -> str | None:
    alias = alias_of(device)
    return alias if alias and alias.startswith(USER_ALIAS) else None


def _any_alias(device: Device) -> str | None:
    alias = alias_of(device)
    return None if alias is None or alias.startswith(USER_ALIAS) else alias


def _signature(device: Device) -> Hashable:
    """Return the content of a device, but for places, aliases and what libvirt fills in."""
    if device.origin is None:
        return device.element, device.model, device.label if _has_name(device) else ""
    element = device.origin
    attributes = {name: value for name, value in element.attrib.items() if name != "model"}
    attributes |= {path[1:]: value for path, value in device.defaults.items() if path.startswith("@")}
    attributes.pop("model", None)
    children = [_content(child) for child in element.children if child.tag not in ("address", "alias", "model")]
    models = [{**child.attrib, "type": ""} for child in element.findall("model")] or [{"type": ""}]
    return (
        device.model,
        tuple(sorted(attributes.items())),
        tuple(tuple(sorted(model.items())) for model in models),
        element.text.strip(),
        tuple(children),
    )


def _content(element: Any) -> Hashable:
    children = tuple(_content(child) for child in element.children)
    return element.tag, tuple(sorted(element.attrib.items())), element.text.strip(), children


def _kind_and_model(device: Device) -> Hashable:
    return (device.type, device.model) if isinstance(device, Controller) else device.model


def _has_name(device: Device) -> bool:
    named = identity(device)
    return named is not None and named[0] in _NAMES


def _contradict(old: Device, new: Device) -> bool:
    one, two = identity(old), identity(new)
    return one is not None and two is not None and one != two


def _without_pci(devices: Iterable[Device]) -> list[Device]:
    return [device for device in devices if not is_pci_controller(device)]


def is_pci_controller(device: Device) -> bool:
    """Return whether a device is a PCI controller: one that gives a PCI bus."""
    return isinstance(device, Controller) and device.type == "pci"


def match_pci_controllers(old: Placement, new: Placement, *, by_index: bool = False) -> Matching:
    """Match the PCI controllers of two placed guests, the roots left out.

    By the alias that a user gave first, then by index and model, then by place.  When fewer would
    have changed that way, the places count first: then controllers merely have other numbers.

    Args:
        old: the old guest.
        new: the new guest.
        by_index: whether indexes count first in any case.
    """
    before, after = paths(old), paths(new)
    first = _match_buses(old, new, before | after, ((INDEX, MODEL), (PLACE, MODEL), (PLACE,)))
    other = _match_buses(old, new, before | after, ((PLACE, MODEL), (INDEX, MODEL), (PLACE,)))

    def disturbed(matching: Matching) -> int:
        moved = sum(before[pair.old] != after[pair.new] for pair in matching.pairs)
        renumbered = sum(_index(pair.old) != _index(pair.new) for pair in matching.pairs)
        return renumbered + 2 * (moved + len(matching.old) + len(matching.new))

    return first if by_index else min(other, first, key=disturbed)


def _match_buses(old: Placement, new: Placement, ways: dict[Device, str], tiers: Iterable[tuple[str, ...]]) -> Matching:
    def key(parts: tuple[str, ...]) -> Callable[[Device], Hashable]:
        def of(device: Device) -> Hashable:
            values = {PLACE: ways[device], INDEX: _index(device), MODEL: device.model}
            return tuple(values[part] for part in parts)

        return of

    work = _Matcher(_pci_controllers(old), _pci_controllers(new))
    work.unique(_user_alias, ALIAS)
    work.unique(key((INDEX, PLACE, MODEL)), INDEX)
    for parts in tiers:
        work.unique(key(parts), parts[0])
    return Matching(tuple(work.pairs), tuple(work.old), tuple(work.new), ())


def _pci_controllers(placement: Placement) -> list[Device]:
    return [device for device in placement.addresses if is_pci_controller(device)]


# where


def paths(placement: Placement) -> dict[Device, str]:
    """Return the way to each device from the root bus, by slot and function: ``02.4/00.0``.

    A bus that cannot be reached from the root (libvirt lets controllers sit on each other in a
    circle) is named by its index: ``(3)/00.0``.
    """
    addresses = placement.addresses
    holders = {d.index: addresses[d] for d in placement.guest.controllers if d.type == "pci" and d in addresses}
    ways: dict[int, str] = {0: ""}

    def way(bus: int, above: tuple[int, ...] = ()) -> str:
        if bus not in ways:
            if bus in above or bus not in holders:
                return f"({bus})/"
            packed = holders[bus]
            found = f"{way(packed >> 8 & 0xFF, (*above, bus))}{_slot(packed)}/"
            if "(" in found:
                found = f"({bus})/"
            ways[bus] = found
        return ways[bus]

    return {device: way(packed >> 8 & 0xFF) + _slot(packed) for device, packed in addresses.items()}


def _slot(packed: int) -> str:
    return f"{packed >> 3 & 0x1F:02x}.{packed & 7}"


@record
class Spot:
    """A device in one of the two guests.

    Args:
        label: its label there.
        address: its PCI address, or ``None`` when it has none.
        path: the way to it from the root bus, such as ``02.4/00.0``; "" without an address.
        model: its model, in libvirt's words; the bus for a disk that is not on PCI.
    """

    label: str
    address: PciAddress | None
    path: str
    model: str


# what changed


@record
class Change:
    """One thing that differs about one device.

    Args:
        kind: one of `KINDS`.
        old: the device in the old guest, ``None`` if it is not there.
        new: the device in the new guest, ``None`` if it is not there.
        by: what the two were matched by; "" when there is only one.
        name: for `OPTION` the name of the option.
        before: for `MODEL`, `MULTIFUNCTION` and `OPTION` what it was.
        after: what it is.
    """

    kind: str
    old: Spot | None
    new: Spot | None
    by: str = ""
    name: str = ""
    before: str = ""
    after: str = ""

    @property
    def label(self) -> str:
        """Return the label of the device, in the old guest if it is there."""
        spot = self.old or self.new
        return spot.label if spot else ""

    @property
    def text(self) -> str:
        """Return what changed, without the label."""
        renamed = f"  (now {self.new.label})" if self.old and self.new and self.new.label != self.old.label else ""
        return _TEXTS[self.kind](self) + renamed

    def __str__(self) -> str:
        return f"{self.label}  {self.text}"


def _moved_text(change: Change) -> str:
    old, new = change.old, change.new
    assert old is not None
    assert new is not None
    text = f"{old.address} -> {new.address}"
    if old.address == new.address:
        text += f"  (bus {_bus(old):#04x} moved: {old.path} -> {new.path})"
    return text


def _renumbered_text(change: Change) -> str:
    old, new = change.old, change.new
    assert old is not None
    assert new is not None
    if _bus(old) == _bus(new):  # a controller, of which only its own index changed
        return f"index only: {change.before} -> {change.after}, still at {old.address}"
    return f"{old.address} -> {new.address}  (index only: its place is still {old.path})"


def _bus(spot: Spot) -> int:
    return -1 if spot.address is None else spot.address.bus


_TEXTS: dict[str, Callable[[Change], str]] = {
    MOVED: _moved_text,
    RENUMBERED: _renumbered_text,
    APPEARED: lambda change: f"appears at {change.new.address if change.new else ''}",
    GONE: lambda change: f"goes from {change.old.address if change.old else ''}",
    MODEL: lambda change: f"model {change.before} -> {change.after}",
    MULTIFUNCTION: lambda change: f"multifunction {change.before} -> {change.after}",
    OPTION: lambda change: f"{change.name} {change.before} -> {change.after}",
}


@record
class Ambiguity:
    """Devices of one kind of which it cannot be told who is who.

    Args:
        element: libvirt's element.
        model: the model that all of them have.
        old: those of the old guest.
        new: those of the new guest.
    """

    element: str
    model: str
    old: tuple[Spot, ...]
    new: tuple[Spot, ...]

    @property
    def label(self) -> str:
        """Return the label of the first of them."""
        return self.old[0].label

    @property
    def text(self) -> str:
        """Return who is there, without the first label."""
        return f"ambiguous, {self.element} {self.model}".rstrip() + f": {_spots(self.old)} -> {_spots(self.new)}"

    def __str__(self) -> str:
        return f"{self.label}  {self.text}"


def _spots(spots: Sequence[Spot]) -> str:
    return ", ".join(f"{spot.label} {spot.address or 'without PCI address'}" for spot in spots)


@record
class Difference:
    """What differs between two placed guests; false when nothing does.

    Args:
        changes: what changed, in the order of the labels.
        ambiguous: devices with a PCI address of which it cannot be told who is who.
    """

    changes: tuple[Change, ...]
    ambiguous: tuple[Ambiguity, ...]

    def __bool__(self) -> bool:
        return bool(self.changes or self.ambiguous)

    def of(self, kind: str) -> list[Change]:
        """Return the changes of a kind.

        Args:
            kind: one of `KINDS`.
        """
        return [change for change in self.changes if change.kind == kind]

    @property
    def summary(self) -> str:
        """Return how many changes of each kind there are, in one line."""
        counts = [(len(self.of(kind)), _COUNTED[kind]) for kind in KINDS] + [(len(self.ambiguous), "ambiguous")]
        return ", ".join(f"{count} {what}" for count, what in counts if count) or "nothing moves"

    def rows(self) -> list[tuple[str, str]]:
        """Return the label and the text of each change, sorted."""
        found: list[Change | Ambiguity] = [*self.changes, *self.ambiguous]
        rows = [(item.label, item.text) for item in found]
        return sorted(rows, key=lambda row: natural(row[0]))

    def __str__(self) -> str:
        rows = self.rows()
        width = max((len(label) for label, _ in rows), default=0)
        return "\n".join(f"{label:{width}}  {text}" for label, text in rows)


_COUNTED = {
    MOVED: "moved",
    RENUMBERED: "renumbered in place",
    APPEARED: "appeared",
    GONE: "gone",
    MODEL: "of another model",
    MULTIFUNCTION: "with another multifunction bit",
    OPTION: "with another number in <target>",
}


def natural(label: str) -> tuple[tuple[str, int], ...]:
    """Return a key by which ``pci:2`` comes before ``pci:10``, and ``disk:vdz`` before ``disk:vdaa``."""
    head, _, tail = label.partition(":")
    parts = re.findall(r"(\D*)(\d*)", tail)
    return ((head, 0), ("", len(parts[0][0])), *((text, int(digits or -1)) for text, digits in parts))


class Placed(Protocol):
    """What `compare` takes: a `pcisim.Plan`, or whatever else has a placement."""

    @property
    def placement(self) -> Placement:
        """Return the placed guest."""


def compare(old: Placed, new: Placed) -> Difference:
    """Say what differs between two placed guests: addresses, controllers, models, multifunction bits.

    Devices are matched as `match` says, PCI controllers as `match_pci_controllers` says, by index
    when a device behind them moves.  A device moved when the way to it from the root bus changed,
    even if its address is the same.

    Args:
        old: the plan of the guest as it was.
        new: the plan of the guest as it is to be.
    """
    work = _Comparison(old.placement, new.placement)
    guests = old.placement.guest, new.placement.guest
    matching = match(guests[0].all_devices(), guests[1].all_devices(), work.paths_before | work.paths_after)
    changes = [change for pair in matching.pairs for change in work.pair(pair)]
    moves = any(change.kind == MOVED for change in changes)
    buses = match_pci_controllers(old.placement, new.placement, by_index=moves)
    changes += [change for pair in buses.pairs for change in work.pair(pair)]
    for device in (*matching.old, *buses.old):
        if device in old.placement.addresses:
            changes.append(Change(GONE, work.before(device), None))
    for device in (*matching.new, *buses.new):
        if device in new.placement.addresses:
            changes.append(Change(APPEARED, None, work.after(device)))
    changes.sort(key=lambda change: (natural(change.label), KINDS.index(change.kind)))
    ambiguous = [
        Ambiguity(
            group.element,
            group.model,
            tuple(work.before(device) for device in group.old),
            tuple(work.after(device) for device in group.new),
        )
        for group in matching.ambiguous
        if any(d in old.placement.addresses for d in group.old) or any(d in new.placement.addresses for d in group.new)
    ]
    return Difference(tuple(changes), tuple(sorted(ambiguous, key=lambda group: natural(group.label))))


class _Comparison:
    """Two placed guests, and the ways to their devices."""

    def __init__(self, old: Placement, new: Placement) -> None:
        self.old = old
        self.new = new
        self.paths_before = paths(old)
        self.paths_after = paths(new)

    def before(self, device: Device) -> Spot:
        """Return where a device was."""
        return _spot(device, self.old, self.paths_before)

    def after(self, device: Device) -> Spot:
        """Return where a device is."""
        return _spot(device, self.new, self.paths_after)

    def pair(self, pair: Pair) -> Iterator[Change]:
        """Yield what changed about one device."""
        old, new = self.before(pair.old), self.after(pair.new)
        if old.address is None and new.address is None:
            return
        kind = _kind_of_move(pair, old, new)
        if kind == RENUMBERED:
            yield Change(kind, old, new, pair.by, "index", _index(pair.old), _index(pair.new))
        elif kind:
            yield Change(kind, old, new, pair.by)
        if old.model != new.model:
            yield Change(MODEL, old, new, pair.by, "", old.model or "none", new.model or "none")
        if old.address is not None and new.address is not None:
            one, two = self.old.multifunction.get(pair.old, "none"), self.new.multifunction.get(pair.new, "none")
            if one != two:
                yield Change(MULTIFUNCTION, old, new, pair.by, "", one, two)
        yield from _options(pair, old, new)


def _kind_of_move(pair: Pair, old: Spot, new: Spot) -> str:
    if old.address is None:
        return APPEARED
    if new.address is None:
        return GONE
    if old.path != new.path:
        return MOVED
    return RENUMBERED if old.address != new.address or _index(pair.old) != _index(pair.new) else ""


def _index(device: Device) -> str:
    return str(device.index) if isinstance(device, Controller) and device.type == "pci" else ""


def _options(pair: Pair, old: Spot, new: Spot) -> Iterator[Change]:
    one, two = pair.old, pair.new
    if not isinstance(one, Controller) or not isinstance(two, Controller):
        return
    for name in sorted({*one.target, *two.target}):
        before, after = one.target.get(name), two.target.get(name)
        follows = before == _default(one, name, old) and after == _default(two, name, new)
        if before != after and not follows:
            shown = ["none" if value is None else str(value) for value in (before, after)]
            yield Change(OPTION, old, new, pair.by, name, *shown)


def _default(controller: Controller, name: str, spot: Spot) -> int | None:
    """Return the number that libvirt gives an option of itself, which follows index and place."""
    if name in ("chassis", "chassisNr"):
        return controller.index
    if name != "port" or spot.address is None:
        return None
    slot, function = spot.address.slot, spot.address.function
    return slot << 3 | function if controller.model == "pcie-root-port" else slot


def _spot(device: Device, placement: Placement, ways: dict[Device, str]) -> Spot:
    packed = placement.addresses.get(device)
    model = device.model or device.bus
    if isinstance(device, Controller) and device.model_name not in ("", device.model):
        model = f"{device.model} ({device.model_name})"
    return Spot(device.label, None if packed is None else PciAddress.from_int(packed), ways.get(device, ""), model)
