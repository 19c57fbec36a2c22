"""Addresses carried from an old definition of a guest into a new one.

`keep` writes into the new definition what the old one says about places.  What comes out is placed
like any other document, so that the end is what `assign` gives for it.  Every other byte stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pcisim.address import PciAddress, format_packed
from pcisim.catalogue.controllers import ROOT_MODELS
from pcisim.catalogue.versions import DEFAULT_VERSION, Libvirt, libvirt_version
from pcisim.catalogue.x86_machines import Machine
from pcisim.compare.matching import (
    INDEX,
    POSITION,
    USER_ALIAS,
    Group,
    Matching,
    Pair,
    is_pci_controller,
    match,
)
from pcisim.errors import RefusedError, counted
from pcisim.formats.domain.reader import read
from pcisim.formats.domain.writer import address_attributes, edit, target_attributes, zpci_attributes
from pcisim.formats.host_pci import lookup
from pcisim.formats.xml.document import Element
from pcisim.formats.xml.editor import Editor, Fragment
from pcisim.guest import Controller, Device, Guest, evolved
from pcisim.libvirt.completion import complete
from pcisim.libvirt.policy import LibvirtPolicy
from pcisim.placement import Placement
from pcisim.policies import HostPci, placed
from pcisim.topology import Topology

_NUMBERS = ("chassisNr", "chassis", "port", "busNr", "index")
"""The options of a PCI controller that the guest can tell; the others are the user's to change."""

_REPLACEABLE = ("interface:", "hostdev:")
"""Devices that may be another one in the place of the old: with another MAC address, of another host device."""


class Kept(NamedTuple):
    """A device that keeps its address.

    Args:
        label: its label in the new definition.
        address: the address.
        by: what it was matched by.
    """

    label: str
    address: PciAddress
    by: str


class Carried(NamedTuple):
    """A definition with the addresses of an older one written in.

    Args:
        text: the new definition, of the kind that came in.
        kept: the devices that were given their old addresses.
        controllers: the labels of the PCI controllers that were taken over.
        overruled: in words, each address of the old definition that could not be kept, and why.
        new: the labels of devices that the old definition does not have, and that want an address.
        gone: the labels, in the old definition, of devices with an address that the new one does not have.
        ambiguous: devices of which it cannot be told who is who; they are placed anew.
    """

    text: str | bytes
    kept: tuple[Kept, ...]
    controllers: tuple[str, ...]
    overruled: tuple[str, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]
    ambiguous: tuple[Group, ...]

    def __repr__(self) -> str:
        return f"<Carried {len(self.kept)} addresses, {len(self.controllers)} PCI controllers, {len(self.new)} new>"

    def explanation(self) -> list[str]:
        """Return the lines to print: a headline, then what was not kept."""
        lines = [
            f"{counted(len(self.kept), 'address', 'addresses')} and"
            f" {counted(len(self.controllers), 'PCI controller')} kept"
        ]
        lines += [f"  not kept: {text}" for text in self.overruled]
        for group in self.ambiguous:
            old, new = (", ".join(device.label for device in devices) for devices in (group.old, group.new))
            lines.append(
                f"  ambiguous: {group.element} {group.model}".rstrip()
                + f": {old} before, {new} now; an alias such as <alias name='ua-1'/> in both tells them apart"
            )
        guessed = [kept for kept in self.kept if kept.by == POSITION and kept.label.startswith(_REPLACEABLE)]
        lines += [f"  taken for the one before: {kept.label}, the only one left of its model" for kept in guessed]
        if self.new:
            lines.append(f"  new: {', '.join(self.new)}")
        if self.gone:
            lines.append(f"  gone: {', '.join(self.gone)}")
        return lines


def keep(
    old: str | bytes | Placement,
    xml: str | bytes,
    *,
    libvirt: str | Libvirt = DEFAULT_VERSION,
    host_pci: HostPci = None,
) -> Carried:
    """Write the addresses and the PCI controllers of an old definition into a new one.

    Devices are matched as `pcisim.compare.match` says.  What is written down in the new definition
    stays: an address there beats the one of the old definition.  A PCI controller that both have
    keeps the options that the new definition says, and the place and the numbers of the old one.

    Args:
        old: the old definition, or how it is placed.
        xml: the new definition.
        libvirt: the libvirt version to emulate, from ``7.0`` on.
        host_pci: which host devices are conventional, as for `pcisim.assign`.

    Raises:
        InputError: a definition cannot be read.
        RefusedError: the two are for different kinds of machines, a PCI controller is another one
            in each, or libvirt refuses a definition.
        UsageError: an unknown version.

    Examples:
        >>> import pcisim
        >>> old = pcisim.assign(pcisim.Guest.of("q35", {"virtio-net": 1, "virtio-blk": 1})).to_xml()
        >>> kept = pcisim.keep(old, pcisim.reassign(old).text)
        >>> pcisim.assign_xml(kept.text) == old, kept.overruled
        (True, ())
    """
    rules = libvirt_version(libvirt)
    known = lookup(host_pci)
    if not isinstance(old, Placement):
        old = placed(read(old, rules, host_pci=known), LibvirtPolicy(rules), rules)
    guest = read(xml, rules, host_pci=known)
    root: Element = guest.document.root
    if root.find("devices") is None:
        editor = Editor(guest.document)
        editor.append_child(root, Fragment("devices"))
        guest = read(editor.apply(), rules, host_pci=known)
    completed = complete(guest, rules)
    if completed.machine.root != old.guest.machine.root:
        raise RefusedError(
            f"addresses of a guest of type {old.guest.machine_name} are no use on"
            f" {guest.machine_name}: the root bus is another",
            code="other-machine",
            details=(
                f"the root bus was a {old.guest.machine.root}, and is a {completed.machine.root}",
                "the old definition is the one that --keep names",
            ),
            remedy="place the new definition without the old one, and see with 'pcisim diff' what moves",
        )
    return _Keeping(old, completed).result()


class _Keeping:
    """One new definition that takes over the places of an old one."""

    def __init__(self, old: Placement, new: Guest) -> None:
        self.old = old
        self.new = new
        self.addresses: dict[Device, int] = {}
        self.multifunction: dict[Device, str] = {}
        self.zpci: dict[Device, tuple[int, int]] = {}
        self.written_ids = {known for d in new.all_devices() for known in enumerate(d.zpci or ())}
        self.kept: list[Kept] = []
        self.overruled: list[str] = []
        self.missing: list[Controller] = []
        self.indexes: dict[Device, int] = {}
        self.holders: dict[int, Device] = {}
        written = {device: device.address for device in new.all_devices() if device.address is not None}
        self.matching: Matching = match(old.guest.all_devices(), new.all_devices(), old.addresses | written)

    def result(self) -> Carried:
        """Return the new definition with what it takes over."""
        buses = self.match_buses()
        same = [pair for pair in (*buses, *self.matching.pairs) if self.written_the_same(pair)]
        moved = {pair.new: self.old.addresses[pair.old] for pair in same}
        self.multifunction = {pair.new: pair.new.multifunction for pair in same if pair.new.multifunction}
        for device in self.new.all_devices():
            if device.address is not None:
                self.addresses[device] = moved.get(device, device.address)
        self.holders = {packed: device for device, packed in self.addresses.items()}
        for pair in buses:
            _number(pair)
        for controller in self.missing:
            if controller in self.old.addresses:  # a host bridge has none
                self.claim(controller, controller, INDEX)
        for pair in (*buses, *self.matching.pairs):
            self.carry(pair)
        text = self.write()
        known = {pair.new for pair in buses}
        new = [
            d for d in (*pci_controllers(self.new), *self.matching.new) if d not in known and _needs_pci(d) and d.wants
        ]
        return Carried(
            text=text,
            kept=tuple(self.kept),
            controllers=tuple(controller.label for controller in self.missing),
            overruled=tuple(self.overruled),
            new=tuple(device.label for device in new if _needs_pci(device) and device.wants),
            gone=tuple(device.label for device in self.matching.old if device in self.old.addresses),
            ambiguous=tuple(
                group for group in self.matching.ambiguous if any(d in self.old.addresses for d in group.old)
            ),
        )

    def written_the_same(self, pair: Pair) -> bool:
        """Return whether both definitions say the same address, which placing the old one had to change."""
        return pair.old in self.old.rewritten and pair.new.address == self.old.rewritten[pair.old]

    # PCI controllers

    def match_buses(self) -> list[Pair]:
        """Match the PCI controllers by index; those without one in the new definition take one of their model."""
        ours = {
            d.index or 0: d for d in self.old.guest.controllers if d.is_pci and (d.index or d.model not in ROOT_MODELS)
        }
        theirs = [d for d in self.new.controllers if d.is_pci and (d.index or d.model not in ROOT_MODELS)]
        pairs: list[Pair] = []
        taken: set[int] = set()
        unnumbered: list[Controller] = []
        for controller in theirs:
            if "@index" in controller.defaults:
                unnumbered.append(controller)
                continue
            index = controller.index or 0
            taken.add(index)
            if index in ours:
                self.check_same_bus(ours[index], controller)
                pairs.append(Pair(ours[index], controller, INDEX))
        for controller in unnumbered:
            index = self.index_for(controller, ours, taken)
            taken.add(index)
            if index in ours:
                pairs.append(Pair(ours[index], controller, INDEX))
            self.renumber(controller, index)
        self.missing = [controller for index, controller in ours.items() if index not in taken]
        return pairs

    def check_same_bus(self, old: Controller, new: Controller) -> None:
        if old.model == new.model:
            return
        free = next(n for n in range(1, 1000) if all(n != d.index for d in pci_controllers(self.old.guest, self.new)))
        raise RefusedError(
            f"PCI controller {new.index} was a {old.model}, and is a {new.model} now",
            code="other-controller",
            details=(
                f"the old definition has a {old.model} of index {old.index}, with the places of what is behind it",
                f"the new one has a {new.model} of that index (line {new.line})",
            ),
            remedy=f"give the new one another index, such as {free}, or none",
            line=new.line,
            parties=(new.label, f"{old.label} of the old definition"),
        )

    def index_for(self, controller: Controller, ours: dict[int, Controller], taken: set[int]) -> int:
        """Return the index for a PCI controller that has none: of the old one that it is, or a free one."""
        free = [n for n, old in ours.items() if n not in taken and old.model == controller.model]
        if controller.address is not None:
            written = self.old.rewritten
            free = [n for n in free if controller.address in (self.old.addresses[ours[n]], written.get(ours[n]))]
        if free:
            return min(free)
        natural = controller.index or 0
        if natural not in taken and natural not in ours:
            return natural
        used = taken | set(ours)
        return next(n for n in range(1, len(used) + 2) if n not in used)

    def renumber(self, controller: Controller, index: int) -> None:
        """Give a PCI controller another index than it would have got, unless an address counts on that."""
        natural = controller.index
        if index == natural:
            return
        for device in self.new.all_devices():
            if device.address is not None and device.address >> 8 == natural:
                raise RefusedError(
                    f"{device.label} counts on bus {natural}, which is another one with the controllers of before",
                    code="other-controller",
                    details=(
                        f"{device.label} has the address {format_packed(device.address)} (line {device.line})",
                        f"the {controller.model} on line {controller.line} has no index: it would be {natural},"
                        f" but that is taken, and it becomes {index}",
                    ),
                    remedy="write the index of each PCI controller down, or leave the address out",
                    line=device.line,
                    parties=(device.label, controller.label),
                )
        self.indexes[controller] = index
        controller.index, controller.label = index, f"pci:{index}"
        controller.defaults = controller.defaults | {"@index": str(index)}

    # addresses

    def carry(self, pair: Pair) -> None:
        """Give a device its old address, if nothing speaks against it."""
        old, new = pair.old, pair.new
        packed = self.old.addresses.get(old)
        if packed is None or new.mirrors is not None:
            return
        place = f"{new.label} was at {format_packed(packed)}"
        if new.address is not None:
            if self.addresses[new] != packed:
                self.overruled.append(f"{place}; the new definition says {format_packed(new.address)}{_follow(new)}")
        elif not _needs_pci(new):
            self.overruled.append(f"{place}; it needs no PCI address any more")
        elif not new.wants:
            self.overruled.append(f"{place}; the new definition gives it an address of type '{new.address_type}'")
        elif in_chipset(old, self.old.guest.machine) != in_chipset(new, self.new.machine):
            self.overruled.append(f"{place}; the chipset's own place is for {old.model or old.label} only")
        elif not in_chipset(new, self.new.machine):
            self.claim(old, new, pair.by)

    def claim(self, old: Device, new: Device, by: str) -> None:
        """Take the place of a device of the old definition, unless the new definition gives it to another."""
        packed = self.old.addresses[old]
        holder = self.holders.get(packed)
        if holder is not None:
            self.overruled.append(
                f"{new.label} was at {format_packed(packed)}, which the new definition gives to {holder.label}"
                + (f" (line {holder.line})" if holder.line else "")
                + _follow(new)
            )
            return
        self.addresses[new] = packed
        self.holders[packed] = new
        flag = self.old.multifunction.get(old)
        if flag:
            self.multifunction[new] = flag
        ids = self.old.zpci.get(old)
        if ids is not None and (new is old or new.zpci is None) and not self.written_ids.intersection(enumerate(ids)):
            self.zpci[new] = ids
        if new is not old:
            self.kept.append(Kept(new.label, PciAddress.from_int(packed), by))

    # text

    def write(self) -> str | bytes:
        """Return the new definition with the addresses, and with the PCI controllers that it lacks."""
        written = [d for d in self.new.controllers if not d.is_pci or d.origin is not None]
        for device in self.new.all_devices():
            if device.mirrors is not None and device.mirrors in self.addresses:
                self.addresses[device] = self.addresses[device.mirrors]
        guest = evolved(self.new, controllers=written)
        editor = edit(Placement(guest, Topology(), self.addresses, self.multifunction, [], {}, {}, self.zpci))
        for controller, index in self.indexes.items():
            editor.set_attribute(controller.origin, "index", str(index))
        parent = _devices_of(self.new)
        controllers = parent.findall("controller")
        after = [child for child in controllers if child.get("type") == "pci"] or controllers
        for fragment in self.fragments():
            if after:
                editor.insert_after(after[-1], fragment)
            else:
                editor.append_child(parent, fragment)
        return editor.apply()

    def fragments(self) -> Iterator[Fragment]:
        """Yield the PCI controllers to be written: the root when it has options, and those that are missing."""
        roots = [next((d for d in pci_controllers(guest) if not d.index), None) for guest in (self.old.guest, self.new)]
        if roots[0] is not None and roots[0].origin is not None and (roots[1] is None or roots[1].origin is None):
            yield _copy(roots[0].origin)
        for controller in self.missing:
            yield self.fragment(controller)

    def fragment(self, controller: Controller) -> Fragment:
        """Return a PCI controller of the old definition, at its place if that is free."""
        children = [Fragment("model", {"name": controller.model_name})]
        node = controller.target.get("node")
        if node is not None and node not in self.new.numa_nodes:
            self.overruled.append(f"{controller.label} was on NUMA node {node}, which the new definition does not have")
            node = None
        target = target_attributes(controller)
        if target or node is not None:
            children.append(Fragment("target", target, () if node is None else (Fragment("node", text=str(node)),)))
        if controller.origin is not None:
            children += [_copy(child) for child in controller.origin.children if _is_extra(child)]
        packed = self.addresses.get(controller)
        if packed is not None:
            ids = self.zpci.get(controller)
            zpci = () if ids is None else (Fragment("zpci", zpci_attributes(ids)),)
            children.append(Fragment("address", address_attributes(packed, self.multifunction.get(controller)), zpci))
        head = {"type": "pci", "index": str(controller.index), "model": controller.model}
        return Fragment("controller", head, children)


def _number(pair: Pair) -> None:
    """Let a PCI controller of the new definition have the numbers of the old one, where it says none."""
    old, new = pair.old, pair.new
    assert isinstance(old, Controller)
    assert isinstance(new, Controller)
    new.target = {name: old.target[name] for name in _NUMBERS if name in old.target} | new.target
    new.model_name = new.model_name or old.model_name


def pci_controllers(*guests: Guest) -> list[Controller]:
    """Return the PCI controllers of guests, the roots included."""
    return [device for guest in guests for device in guest.controllers if device.is_pci]


def _follow(device: Device) -> str:
    return "; what is behind it moves with it" if is_pci_controller(device) else ""


def _needs_pci(device: Device) -> bool:
    if isinstance(device, Controller) and device.is_pci:
        return device.model not in ROOT_MODELS
    return bool(device.plug)


def in_chipset(device: Device, machine: Machine) -> bool:
    """Return whether a device has a place of its own in the chipset, which nobody can choose."""
    if not isinstance(device, Controller) or device.index:
        return False
    if machine.family == "i440fx":
        return device.type == "ide" or (device.type == "usb" and device.model == "piix3-uhci")
    return machine.family == "q35" and device.type == "sata"


def _devices_of(guest: Guest) -> Element:
    found: Element | None = guest.document.root.find("devices")
    assert found is not None
    return found


def _copy(element: Element) -> Fragment:
    return Fragment(element.tag, element.attrib, [_copy(child) for child in element.children], element.text.strip())


def _is_extra(element: Element) -> bool:
    """Return whether a child of a PCI controller says something beside its model, its numbers and its place."""
    if element.tag == "alias":
        return (element.get("name") or "").startswith(USER_ALIAS)
    return element.tag not in ("model", "target", "address")
