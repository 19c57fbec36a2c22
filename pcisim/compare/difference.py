"""Who moved: two placed guests, device by device."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pcisim.address import PciAddress, whole_number
from pcisim.catalogue.controllers import PCI_CONTROLLERS
from pcisim.compare.matching import Pair, match
from pcisim.compare.places import index_of, match_pci_controllers, paths
from pcisim.guest import Controller, Device
from pcisim.placement import Placement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol
else:
    Protocol = object

MOVED = "moved"
RENUMBERED = "renumbered"
APPEARED = "appeared"
GONE = "gone"
MODEL = "model"
MULTIFUNCTION = "multifunction"
OPTION = "option"
RENAMED = "renamed"
KINDS = (MOVED, RENUMBERED, APPEARED, GONE, MODEL, MULTIFUNCTION, OPTION, RENAMED)
"""What may have changed: the place; the index of a controller only; a PCI address that came or
went; the model; the multifunction bit; a number in the ``<target>`` of a PCI controller; the name
of an interface in a Linux guest."""


class PlaceOf(NamedTuple):
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


class Change(NamedTuple):
    """One thing that differs about one device.

    Args:
        kind: one of `KINDS`.
        old: the device in the old guest, ``None`` if it is not there.
        new: the device in the new guest, ``None`` if it is not there.
        by: what the two were matched by; "" when there is only one.
        name: for `OPTION` the name of the option; for `RENAMED` the naming schemes, "" for all.
        before: for `MODEL`, `MULTIFUNCTION`, `OPTION` and `RENAMED` what it was.
        after: what it is.
    """

    kind: str
    old: PlaceOf | None
    new: PlaceOf | None
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


def _bus(spot: PlaceOf) -> int:
    return -1 if spot.address is None else spot.address.bus


def _renamed_text(change: Change) -> str:
    text = f"the guest's {change.before} -> {change.after}"
    return f"{text} ({change.name})" if change.name else text


_TEXTS: dict[str, Callable[[Change], str]] = {
    MOVED: _moved_text,
    RENUMBERED: _renumbered_text,
    APPEARED: lambda change: f"appears at {change.new.address if change.new else ''}",
    GONE: lambda change: f"disappears from {change.old.address if change.old else ''}",
    MODEL: lambda change: f"model {change.before} -> {change.after}",
    MULTIFUNCTION: lambda change: f"multifunction {change.before} -> {change.after}",
    OPTION: lambda change: f"{change.name} {change.before} -> {change.after}",
    RENAMED: _renamed_text,
}


class Ambiguity(NamedTuple):
    """Devices of one kind of which it cannot be told who is who.

    Args:
        element: libvirt's element.
        model: the model that all of them have.
        old: those of the old guest.
        new: those of the new guest.
    """

    element: str
    model: str
    old: tuple[PlaceOf, ...]
    new: tuple[PlaceOf, ...]

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


def _spots(spots: Sequence[PlaceOf]) -> str:
    return ", ".join(f"{spot.label} {spot.address or 'without PCI address'}" for spot in spots)


class Difference(NamedTuple):
    """What differs between two placed guests; false when nothing does.

    Args:
        changes: what changed, in the order of the labels.
        ambiguous: devices with a PCI address of which it cannot be told who is who.
    """

    changes: tuple[Change, ...]
    ambiguous: tuple[Ambiguity, ...]

    def __bool__(self) -> bool:
        return bool(self.changes or self.ambiguous)

    def __repr__(self) -> str:
        return f"<Difference {self.summary}>"

    def to_frame(self) -> Any:
        """Return one row for each change as a data frame of pandas, else of polars; ambiguous devices are not in it.

        Raises:
            UsageError: neither is installed.
        """
        from pcisim.frames import frame_of

        def address(spot: PlaceOf | None) -> str | None:
            return None if spot is None or spot.address is None else str(spot.address)

        rows = [(c.label, c.kind, address(c.old), address(c.new), c.name, c.before, c.after) for c in self.changes]
        return frame_of(("label", "kind", "old", "new", "name", "before", "after"), rows)

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
    RENAMED: "renamed in the guest",
}


def natural(label: str) -> tuple[tuple[str, int], ...]:
    """Return a key by which ``pci:2`` comes before ``pci:10``, and ``disk:vdz`` before ``disk:vdaa``."""
    head, _, tail = label.partition(":")
    parts = re.findall(r"(\D*)(\d*)", tail)
    return (
        (head, 0),
        ("", len(parts[0][0])),
        *((text, whole_number(digits) if digits else -1) for text, digits in parts),
    )


class Placed(Protocol):
    """What `compare` takes: a `pcisim.Plan`, or whatever else has a placement."""

    @property
    def placement(self) -> Placement:
        """Return the placed guest."""


def compare(old: Placed, new: Placed) -> Difference:
    """Say what differs between two placed guests: addresses, controllers, models, multifunction bits, interface names.

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
    if any(pair.old.element == "interface" for pair in matching.pairs):
        from pcisim.compare.names import renames  # 20 ms, so not before it is needed

        for pair, was, becomes, schemes in renames(old.placement, new.placement, matching.pairs):
            spots = work.before(pair.old), work.after(pair.new)
            changes.append(Change(RENAMED, *spots, pair.by, schemes, was, becomes))
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

    def before(self, device: Device) -> PlaceOf:
        """Return where a device was."""
        return _spot(device, self.old, self.paths_before)

    def after(self, device: Device) -> PlaceOf:
        """Return where a device is."""
        return _spot(device, self.new, self.paths_after)

    def pair(self, pair: Pair) -> Iterator[Change]:
        """Yield what changed about one device."""
        old, new = self.before(pair.old), self.after(pair.new)
        if old.address is None and new.address is None:
            return
        kind = _kind_of_move(pair, old, new)
        if kind == RENUMBERED:
            yield Change(kind, old, new, pair.by, "index", index_of(pair.old), index_of(pair.new))
        elif kind:
            yield Change(kind, old, new, pair.by)
        if old.model != new.model:
            yield Change(MODEL, old, new, pair.by, "", old.model or "none", new.model or "none")
        if old.address is not None and new.address is not None:
            one, two = self.old.multifunction.get(pair.old, "none"), self.new.multifunction.get(pair.new, "none")
            if one != two:
                yield Change(MULTIFUNCTION, old, new, pair.by, "", one, two)
        yield from _options(pair, old, new)


def _kind_of_move(pair: Pair, old: PlaceOf, new: PlaceOf) -> str:
    if old.address is None:
        return APPEARED
    if new.address is None:
        return GONE
    if old.path != new.path:
        return MOVED
    return RENUMBERED if old.address != new.address or index_of(pair.old) != index_of(pair.new) else ""


def _options(pair: Pair, old: PlaceOf, new: PlaceOf) -> Iterator[Change]:
    one, two = pair.old, pair.new
    if not isinstance(one, Controller) or not isinstance(two, Controller):
        return
    for name in sorted({*one.target, *two.target}):
        before, after = one.target.get(name), two.target.get(name)
        follows = before == _default(one, name, old) and after == _default(two, name, new)
        if before != after and not follows:
            shown = ["none" if value is None else str(value) for value in (before, after)]
            yield Change(OPTION, old, new, pair.by, name, *shown)


def _default(controller: Controller, name: str, spot: PlaceOf) -> int | None:
    """Return the number that libvirt gives an option of itself, which follows index and place."""
    if name in ("chassis", "chassisNr"):
        return controller.index
    if name != "port" or spot.address is None:
        return None
    slot, function = spot.address.slot, spot.address.function
    return PCI_CONTROLLERS[controller.model].port_number(slot, function)


def _spot(device: Device, placement: Placement, ways: dict[Device, str]) -> PlaceOf:
    packed = placement.addresses.get(device)
    model = device.model or device.bus
    if isinstance(device, Controller) and device.model_name not in ("", device.model):
        model = f"{device.model} ({device.model_name})"
    return PlaceOf(device.label, None if packed is None else PciAddress.from_int(packed), ways.get(device, ""), model)
