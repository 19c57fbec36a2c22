"""Who is who in two guests.

`match` pairs the devices of two guests by what is stable about them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pcisim.address import parse_number
from pcisim.guest import Controller, Device

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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


class Pair(NamedTuple):
    """A device of the old guest and the same one in the new.

    Args:
        old: the device in the old guest.
        new: the device in the new guest.
        by: what they were matched by, such as `MAC`.
    """

    old: Device
    new: Device
    by: str


class Group(NamedTuple):
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


class Matching(NamedTuple):
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

    work = Matcher(_without_pci(old), _without_pci(new))
    work.unique(user_alias, ALIAS)
    work.unique(identity)
    work.unique(_any_alias, ALIAS)
    work.unique(at_place(_signature), CONTENT)
    work.in_order(_signature, CONTENT)
    work.by_position(at_place(_kind_and_model), PLACE)
    work.by_position(_kind_and_model)
    work.by_position(lambda device: device.element if device.element in _ONE_OF_A_KIND else None)
    return work.result()


class Matcher:
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


def user_alias(device: Device) -> str | None:
    """Return the alias that a user gave a device."""
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
    return isinstance(device, Controller) and device.is_pci
