"""Addresses carried from one document into another, or dropped from one: what to do before placing.

`keep` writes into a new definition what an old one says about places; `reassign` takes out all of
it, for another machine type if need be.  Both return a document that is then placed like any other,
so that what comes out is what `assign` gives for it.  Every byte that is not about places stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from pcisim._record import evolved, record
from pcisim.address import PciAddress, format_packed
from pcisim.catalogue.controllers import PCI_CONTROLLERS, ROOT_MODELS
from pcisim.catalogue.machines import Machine, machine_of
from pcisim.catalogue.versions import Libvirt
from pcisim.compare import INDEX, POSITION, USER_ALIAS, Group, Matching, Pair, alias_of, is_pci_controller, match
from pcisim.completion import complete
from pcisim.errors import RefusedError
from pcisim.formats._splice import Editor, Fragment
from pcisim.formats._xml import Element
from pcisim.formats.domain_edits import address_attributes, edit, target_attributes
from pcisim.formats.domain_xml import HostPci, read
from pcisim.guest import Controller, Device, Guest
from pcisim.placement import Placement
from pcisim.topology import Topology

_NUMBERS = ("chassisNr", "chassis", "port", "busNr")
"""The options of a PCI controller that the guest can tell; the others are the user's to change."""


# keep: addresses of an old definition for a new one


@record
class Kept:
    """A device that keeps its address.

    Args:
        label: its label in the new definition.
        address: the address.
        by: what it was matched by.
    """

    label: str
    address: PciAddress
    by: str


@record
class Carried:
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

    def explanation(self) -> list[str]:
        """Return the lines to print: a headline, then what was not kept."""
        lines = [f"{len(self.kept)} addresses and {len(self.controllers)} PCI controllers kept"]
        lines += [f"  not kept: {text}" for text in self.overruled]
        for group in self.ambiguous:
            old, new = (", ".join(device.label for device in devices) for devices in (group.old, group.new))
            lines.append(
                f"  ambiguous: {group.element} {group.model}".rstrip()
                + f": {old} before, {new} now; an alias such as <alias name='ua-1'/> in both tells them apart"
            )
        lines += [f"  by position: {kept.label} {kept.address}" for kept in self.kept if kept.by == POSITION]
        if self.new:
            lines.append(f"  new: {', '.join(self.new)}")
        if self.gone:
            lines.append(f"  gone: {', '.join(self.gone)}")
        return lines


def keep(old: Placement, new: str | bytes, rules: Libvirt, *, host_pci: HostPci | None = None) -> Carried:
    """Write the addresses and the PCI controllers of an old definition into a new one.

    Devices are matched as `pcisim.compare.match` says.  What is written down in the new definition
    stays: an address there beats the one of the old definition.  A PCI controller that both have
    keeps the options that the new definition says, and the place and the numbers of the old one.

    Args:
        old: the old definition, placed.
        new: the new definition.
        rules: the version of libvirt.
        host_pci: says which host devices are conventional; all others are PCI Express.

    Raises:
        InputError: the new definition cannot be read.
        RefusedError: the two are for different kinds of machines, a PCI controller is another one
            in each, or libvirt refuses the new definition.
    """
    guest = read(new, rules, host_pci=host_pci)
    root: Element = guest.document.root
    if root.find("devices") is None:
        editor = Editor(guest.document)
        editor.append_child(root, Fragment("devices"))
        guest = read(editor.apply(), rules, host_pci=host_pci)
    completed = complete(guest, rules)
    if completed.machine.root != old.guest.machine.root:
        raise RefusedError(
            f"addresses of a guest of type {old.guest.machine_type or 'pc'} are no use on"
            f" {guest.machine_type or 'pc'}: the root bus is another",
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
            self.claim(controller, controller, INDEX)
        for pair in (*buses, *self.matching.pairs):
            self.carry(pair)
        text = self.write()
        known = {pair.new for pair in buses}
        new = [d for d in (*_pci(self.new), *self.matching.new) if d not in known and _needs_pci(d) and d.wants]
        return Carried(
            text=text,
            kept=tuple(self.kept),
            controllers=tuple(controller.label for controller in self.missing),
            overruled=tuple(self.overruled),
            new=tuple(device.label for device in new),
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
        ours = {d.index or 0: d for d in self.old.guest.controllers if d.type == "pci" and d.model not in ROOT_MODELS}
        theirs = [d for d in self.new.controllers if d.type == "pci" and d.model not in ROOT_MODELS]
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
        free = next(n for n in range(1, 1000) if all(n != d.index for d in _pci(self.old.guest, self.new)))
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
        used = {d.index for d in _pci(self.new)} | taken | set(ours)
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
        elif _fixed(old, self.old.guest.machine) != _fixed(new, self.new.machine):
            self.overruled.append(f"{place}; the chipset's own place is for {old.model or old.label} only")
        elif not _fixed(new, self.new.machine):
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
        if new is not old:
            self.kept.append(Kept(new.label, PciAddress.from_int(packed), by))

    # text

    def write(self) -> str | bytes:
        """Return the new definition with the addresses, and with the PCI controllers that it lacks."""
        written = [d for d in self.new.controllers if d.type != "pci" or d.origin is not None]
        for device in self.new.all_devices():
            if device.mirrors is not None and device.mirrors in self.addresses:
                self.addresses[device] = self.addresses[device.mirrors]
        guest = evolved(self.new, controllers=written)
        editor = edit(Placement(guest, Topology(), self.addresses, self.multifunction, [], {}, {}))
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
        roots = [next((d for d in _pci(guest) if not d.index), None) for guest in (self.old.guest, self.new)]
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
            children.append(Fragment("address", address_attributes(packed, self.multifunction.get(controller))))
        head = {"type": "pci", "index": str(controller.index), "model": controller.model}
        return Fragment("controller", head, children)


def _number(pair: Pair) -> None:
    """Let a PCI controller of the new definition have the numbers of the old one, where it says none."""
    old, new = pair.old, pair.new
    assert isinstance(old, Controller)
    assert isinstance(new, Controller)
    new.target = {name: old.target[name] for name in _NUMBERS if name in old.target} | new.target
    new.model_name = new.model_name or old.model_name


def _pci(*guests: Guest) -> list[Controller]:
    return [device for guest in guests for device in guest.controllers if device.type == "pci"]


def _follow(device: Device) -> str:
    return "; what is behind it moves with it" if is_pci_controller(device) else ""


def _needs_pci(device: Device) -> bool:
    if isinstance(device, Controller) and device.type == "pci":
        return device.model not in ROOT_MODELS
    return bool(device.plug)


def _fixed(device: Device, machine: Machine) -> bool:
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


# reassign: places dropped, for the same machine type or another


@record
class Reassigned:
    """A definition without places, ready to be placed anew.

    Args:
        text: the definition, of the kind that came in.
        machine: the machine type that it is for now; "" when it is the one that it was for.
        lost: in words, what the places said and a new placing does not know.
        advice: in words, devices that may stay but are not what one would take on the other machine type.
    """

    text: str | bytes
    machine: str
    lost: tuple[str, ...]
    advice: tuple[str, ...]

    def explanation(self) -> list[str]:
        """Return the lines to print: a headline, then what is lost, then the advice."""
        headline = "PCI addresses and PCI controllers dropped"
        lines = [headline + (f", machine type {self.machine}" if self.machine else "")]
        return lines + [f"  lost: {text}" for text in self.lost] + [f"  advice: {text}" for text in self.advice]


def reassign(text: str | bytes, rules: Libvirt, *, machine: str | None = None) -> Reassigned:
    """Drop every PCI address and every PCI controller but the root, for another machine type if need be.

    The root controller stays with its options, such as ``pcihole64``; for another kind of machine
    it becomes that one's root, without ``hotplug``.  Expanders, switches and their NUMA nodes go
    like every other PCI controller, and are named in `Reassigned.lost`.

    Args:
        text: the definition.
        rules: the version of libvirt.
        machine: another machine type; ``pc`` or ``q35`` without a version change nothing in a
            definition that is for some version of it.

    Raises:
        InputError: the definition cannot be read.
        RefusedError: the machine type is none with a PCI bus, or devices cannot stay as they are on
            it; all of them are named (code ``machine-change``).
    """
    guest = read(text, rules)
    name = _other_machine(guest, machine)
    family = machine_of(name) if name else guest.machine
    if name and family.family != guest.machine.family:
        _check_devices(guest, family, name)
    editor = Editor(guest.document)
    if name:
        kind = guest.document.root.find("os").find("type")
        editor.set_attribute(kind, "machine", name)
    lost = list(_lost(guest))
    parent = guest.document.root.find("devices")
    for element in parent.children if parent is not None else ():
        if element.tag != "controller" or element.get("type") != "pci":
            for address in element.findall("address"):
                if address.get("type") == "pci":
                    editor.remove(address)
        elif element.get("model") not in ROOT_MODELS:
            editor.remove(element)
        elif family.root not in (None, element.get("model")):
            lost += _become_root(editor, element, str(family.root))
    advice = _advice(guest, family) if family.family != guest.machine.family else ()
    return Reassigned(editor.apply(), name, tuple(lost), tuple(advice))


def _other_machine(guest: Guest, machine: str | None) -> str:
    """Return the machine type to write down, or "" when it stays."""
    if machine is None or machine == guest.machine_type:
        return ""
    family = machine_of(machine)
    if family.root is None or not machine:
        raise RefusedError(
            f"machine type '{machine}' is none that devices can be placed on anew",
            code="wrong-machine",
            details=("it has no PCI bus, as far as libvirt knows, or is unknown",),
            remedy="name q35 or pc, or a version of them such as pc-q35-9.2",
        )
    return "" if machine in ("pc", "q35") and family.family == guest.machine.family else machine


def _become_root(editor: Editor, element: Element, model: str) -> Iterator[str]:
    """Make the root controller that of another kind of machine, and yield what that costs."""
    editor.set_attribute(element, "model", model)
    for target in element.findall("target"):
        if "hotplug" in target.attrib:
            yield f"hotplug='{target.get('hotplug')}' of the root bus, which a {model} does not know"
            if len(target.attrib) == 1 and not target.children:
                editor.remove(target)
            else:
                editor.remove_attribute(target, "hotplug")


# what is lost with the places


_MADE_ANEW = ("pcie-root-port", "pci-bridge", "pcie-to-pci-bridge")
"""The PCI controllers that libvirt adds by itself."""

_PORTS = ("pcie-root-port", "pcie-switch-downstream-port")


def _lost(guest: Guest) -> Iterator[str]:
    """Yield in words what the addresses and PCI controllers of a definition say that is not made anew."""
    controllers = [d for d in _pci(guest) if d.model not in ROOT_MODELS]
    behind = _behind(guest)
    for controller in controllers:
        said = list(_said(controller))
        if controller.model in _MADE_ANEW and not said:
            continue
        there = ", ".join(device.label for device in behind.get(controller.index or 0, ()))
        yield (
            f"{controller.label} {controller.model}"
            + (f" ({', '.join(said)})" if said else "")
            + (f", with {there} behind it" if there else "")
        )
    empty = [d for d in controllers if d.model in _PORTS and d.index is not None and d.index not in behind]
    if len(empty) > 1:
        yield f"{len(empty)} ports with nothing behind them: libvirt adds those that are used, and one to spare"
    for devices in _sharing(guest):
        yield f"one slot for {', '.join(device.label for device in devices)}: each gets one of its own"


def _said(controller: Controller) -> Iterator[str]:
    """Yield the options of a PCI controller that are the user's, not libvirt's."""
    for name in ("busNr", "node", "hotplug", "memReserve"):
        if name in controller.target:
            yield f"{'NUMA node' if name == 'node' else name} {controller.target[name]}"
    row = PCI_CONTROLLERS.get(controller.model)
    if controller.model_name and (row is None or controller.model_name != row.model_names[0]):
        yield controller.model_name
    alias = alias_of(controller)
    if alias and alias.startswith(USER_ALIAS):
        yield f"alias {alias}"


def _behind(guest: Guest) -> dict[int, list[Device]]:
    """Return, by the index of a PCI controller, the devices that are written to be anywhere behind it."""
    above = {d.index: d.address >> 8 for d in _pci(guest) if d.index and d.address is not None}
    found: dict[int, list[Device]] = {}
    for device in guest.all_devices():
        bus = None if device.address is None else device.address >> 8
        seen: set[int] = set()
        while bus and bus not in seen:
            seen.add(bus)
            devices = found.setdefault(bus, [])
            if device not in _pci(guest):
                devices.append(device)
            bus = above.get(bus)
    return found


def _sharing(guest: Guest) -> Iterator[list[Device]]:
    """Yield the devices that are written to share a slot, but for those that always do."""
    slots: dict[int, list[Device]] = {}
    for device in guest.all_devices():
        own = isinstance(device, Controller) and (device.type == "pci" or device.ich9 or _fixed(device, guest.machine))
        if device.address is not None and not own:
            slots.setdefault(device.address >> 3, []).append(device)
    yield from (devices for devices in slots.values() if len(devices) > 1)


# what another machine type does not have


@record
class _Rule:
    """One row: a device that a family of machines does not take, or that one would not take on it.

    Args:
        family: the family.
        applies: whether a device is one.
        reason: why.
        remedy: what to write instead.
    """

    family: str
    applies: Callable[[Device], bool]
    reason: str
    remedy: str


_REFUSED = (
    _Rule(
        "q35",
        lambda d: d.element == "disk" and d.bus == "ide",
        "bus='ide', and q35 has no IDE controller",
        "use bus='sata', and leave its <address type='drive'> out",
    ),
    _Rule(
        "q35",
        lambda d: isinstance(d, Controller) and d.type == "ide",
        "q35 has no IDE controller",
        "take it out",
    ),
    _Rule(
        "q35",
        lambda d: d.element == "watchdog" and d.model == "ib700",
        "model='ib700' is part of pc",
        "use model='itco', which is part of q35, or 'i6300esb'",
    ),
    _Rule(
        "i440fx",
        lambda d: d.element == "watchdog" and d.model == "itco",
        "model='itco' is part of q35",
        "use model='i6300esb', or take it out",
    ),
    _Rule(
        "i440fx",
        lambda d: d.element == "iommu" and d.model in ("intel", "virtio"),
        "only q35 has an IOMMU",
        "take it out",
    ),
)  # each was asked of libvirt 11.3.0, as were the two of the definition itself

_ADVISED = (
    _Rule(
        "q35",
        lambda d: isinstance(d, Controller) and d.type == "usb" and d.model in ("", "piix3-uhci", "piix4-uhci"),
        "a UHCI controller sits on a conventional bus",
        "model='qemu-xhci' is what libvirt gives q35",
    ),
    _Rule(
        "i440fx",
        lambda d: isinstance(d, Controller) and d.type == "sata",
        "pc has no SATA controller built in: it becomes an AHCI card",
        "take it out if no disk needs it",
    ),
)


def _found(guest: Guest, family: Machine, rules: Iterable[_Rule]) -> Iterator[tuple[str, str]]:
    """Yield the label of each device to which a rule applies, and what to say of it."""
    for device in guest.all_devices():
        for rule in rules:
            if rule.family == family.family and rule.applies(device):
                line = f" (line {device.line})" if device.line else ""
                yield device.label, f"{device.label}{line}: {rule.reason}; {rule.remedy}"


def _check_devices(guest: Guest, family: Machine, name: str) -> None:
    found = list(_found(guest, family, _REFUSED))
    if family.family == "i440fx":
        found += _of_firmware(guest)
    if found:
        what = "one thing" if len(found) == 1 else f"{len(found)} things"
        raise RefusedError(
            f"{what} of this guest cannot stay as it is on machine type {name}"
            if len(found) == 1
            else f"{what} of this guest cannot stay as they are on machine type {name}",
            code="machine-change",
            details=tuple(text for _, text in found),
            remedy="change what is listed, then reassign",
            parties=tuple(label for label, _ in found),
        )


def _of_firmware(guest: Guest) -> Iterator[tuple[str, str]]:
    """Yield what beside devices only q35 has."""
    root: Element = guest.document.root
    system, features = root.find("os"), root.find("features")
    loader = system.find("loader") if system is not None else None
    if loader is not None and loader.get("secure") == "yes":
        yield "loader", f"loader (line {loader.line}): secure='yes' is for q35 only; use a firmware without secure boot"
    smm = features.find("smm") if features is not None else None
    tseg = smm.find("tseg") if smm is not None else None
    if tseg is not None:
        yield "tseg", f"tseg (line {tseg.line}): only q35 has it; take it out"


def _advice(guest: Guest, family: Machine) -> Iterator[str]:
    return (text for _, text in _found(guest, family, _ADVISED))
