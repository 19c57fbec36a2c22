"""A definition of a guest without its places, to be placed anew, for another machine type if need be.

Every byte that is not about places stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pcisim.catalogue.controllers import GROWN, PCI_CONTROLLERS, PORTS, ROOT_MODELS, pci_controller
from pcisim.catalogue.machines import machine_of
from pcisim.catalogue.other_machines import architectures_of
from pcisim.catalogue.versions import DEFAULT_VERSION, Libvirt, libvirt_version
from pcisim.catalogue.x86_machines import X86, Machine
from pcisim.compare.matching import USER_ALIAS, alias_of, is_pci_controller
from pcisim.errors import RefusedError
from pcisim.formats.domain.reader import read
from pcisim.formats.xml.document import Element
from pcisim.formats.xml.editor import Editor
from pcisim.guest import Controller, Device, Guest, evolved
from pcisim.rewrite.disk_buses import IDE, SATA, Move, check_fix, immovable, move
from pcisim.rewrite.keep import in_chipset, pci_controllers


class Reassigned(NamedTuple):
    """A definition without places, ready to be placed anew.

    Args:
        text: the definition, of the kind that came in.
        machine: the machine type that it is for now; "" when it is the one that it was for.
        lost: in words, what the places said and a new placing does not know.
        advice: in words, devices that may stay but are not what one would take on the other machine type.
        moved: in words, the disks that are on another bus now.
    """

    text: str | bytes
    machine: str
    lost: tuple[str, ...]
    advice: tuple[str, ...]
    moved: tuple[str, ...] = ()

    def __repr__(self) -> str:
        told = f"{len(self.moved)} moved, {len(self.lost)} lost, {len(self.advice)} advised"
        return f"<Reassigned{f' to {self.machine}' if self.machine else ''}: {told}>"

    def explanation(self) -> list[str]:
        """Return the lines to print: a headline, then what is moved and what is lost, then the advice."""
        headline = "PCI addresses and PCI controllers dropped"
        lines = [headline + (f", machine type {self.machine}" if self.machine else "")]
        lines += [f"  moved: {text}" for text in self.moved]
        return lines + [f"  lost: {text}" for text in self.lost] + [f"  advice: {text}" for text in self.advice]


def reassign(
    xml: str | bytes,
    *,
    machine: str | None = None,
    fix_ide: str | None = None,
    libvirt: str | Libvirt = DEFAULT_VERSION,
) -> Reassigned:
    """Drop every PCI address and every PCI controller but the root, for another machine type if need be.

    The root controller stays with its options, such as ``pcihole64``; for another kind of machine
    it becomes that one's root, without ``hotplug``.  Expanders, switches and their NUMA nodes go
    like every other PCI controller, and are named in `Reassigned.lost`.

    From q35 to pc, disks and CD-ROMs move from SATA to IDE, which takes four, and the SATA controllers go.  The other
    way, those on IDE are refused unless `fix_ide` says where to they move.

    Args:
        xml: the definition.
        machine: another machine type; ``pc`` or ``q35`` without a version change nothing in a
            definition that is for some version of it.
        fix_ide: where disks and CD-ROMs on IDE are moved to: ``sata``, or ``virtio-scsi`` with a controller of their
            own.  On the way to pc it is those on SATA: ``sata`` leaves them there, on an AHCI card.
        libvirt: the libvirt version to emulate, from ``7.0`` on.

    Raises:
        InputError: the definition cannot be read.
        RefusedError: the machine type is none with a PCI bus, or devices cannot stay as they are on
            it; all of them are named (code ``machine-change``).
        UsageError: an unknown version, or a bus that IDE disks are not moved to.

    Examples:
        >>> import pcisim
        >>> xml = pcisim.assign(pcisim.Guest.of("pc", {"virtio-blk": 1})).to_xml()
        >>> made = pcisim.reassign(xml, machine="q35", fix_ide="sata")
        >>> str(pcisim.assign(made.text).addresses["disk:vda"])
        '0000:03:00.0'
    """
    rules = libvirt_version(libvirt)
    check_fix(fix_ide)
    guest = read(xml, rules)
    name = _other_machine(guest, machine)
    family = machine_of(name, guest.arch) if name else guest.machine
    changes = bool(name) and family.family != guest.machine.family
    what = _move(guest, family, fix_ide, changes=changes)
    _check_devices(guest, family, name or guest.machine_name, what, changes=changes)
    editor = Editor(guest.document)
    if name:
        editor.set_attribute(guest.machine_origin, "machine", name)
    lost = list(_lost(guest))
    moved = move(editor, guest, rules, what) if what is not None else []
    gone = {c.origin for c in what.controllers(guest)} if what is not None else set()
    has_root = False  # whether one was seen that stays: pseries may have many
    for element in (each for parent in guest.document.root.findall("devices") for each in parent.children):
        if element in gone:
            continue
        if element.tag != "controller" or element.get("type") != "pci":
            for address in element.findall("address"):
                if address.get("type") == "pci":
                    editor.remove(address)
        elif element.get("model") not in ROOT_MODELS or has_root:
            editor.remove(element)
        elif family.root not in (None, element.get("model")):
            lost += _become_root(editor, element, str(family.root))
            has_root = True
        else:
            has_root = True
    lost += [
        f"{c.label}, with alias {alias}"
        for c in guest.controllers
        if c.origin in gone and (alias := alias_of(c)) and alias.startswith(USER_ALIAS)
    ]
    stays = evolved(guest, controllers=[c for c in guest.controllers if c.origin not in gone])
    advice = _advice(stays, family) if changes else ()
    return Reassigned(editor.apply(), name, tuple(lost), tuple(advice), tuple(moved))


def _move(guest: Guest, family: Machine, fix_ide: str | None, *, changes: bool) -> Move | None:
    """Return which disks move to another bus, if any."""
    if changes and family.ide and not guest.machine.ide:
        return None if fix_ide == SATA else Move("sata", fix_ide or IDE, drops=True)
    return None if fix_ide is None else Move("ide", fix_ide, drops=not family.ide)


_UNVERSIONED = ("pc", "q35", "virt", "pseries")


def _other_machine(guest: Guest, machine: str | None) -> str:
    """Return the machine type to write down, or "" when it stays."""
    if machine is None or machine == guest.machine_type:
        return ""
    family = machine_of(machine, guest.arch)
    others = architectures_of(machine)
    if family.root is None or not machine or (others and guest.arch not in others):
        raise RefusedError(
            f"devices cannot be moved to machine type '{machine}'",
            code="wrong-machine",
            details=(
                f"it is a machine of {', '.join(others)}"
                if others and guest.arch not in others
                else "it is unknown, or has no PCI bus that libvirt knows",
            ),
            remedy="name q35 or pc, or a version of them such as pc-q35-9.2"
            if guest.arch in X86
            else f"name a machine of {guest.arch}",
        )
    return "" if machine in _UNVERSIONED and family.family == guest.machine.family else machine


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


def _lost(guest: Guest) -> Iterator[str]:
    """Yield in words what the addresses and PCI controllers of a definition say that is not made anew."""
    controllers = [d for d in pci_controllers(guest) if d.model not in ROOT_MODELS or d.index]
    behind = _behind(guest)
    for controller in controllers:
        said = list(_said(controller, guest.machine))
        if controller.model in GROWN and not said:
            continue
        there = ", ".join(device.label for device in behind.get(controller.index or 0, ()))
        yield (
            f"{controller.label} {controller.model}"
            + (f" ({', '.join(said)})" if said else "")
            + (f", with {there} behind it" if there else "")
        )
    empty = [d for d in controllers if d.model in PORTS and d.index is not None and d.index not in behind]
    if len(empty) > 1:
        yield f"{len(empty)} ports with nothing behind them: libvirt adds those that are used, and one to spare"
    for devices in _sharing(guest):
        yield f"one slot for {', '.join(device.label for device in devices)}: each gets one of its own"


def _said(controller: Controller, machine: Machine) -> Iterator[str]:
    """Yield the options of a PCI controller that are the user's, not libvirt's."""
    for name in ("busNr", "node", "hotplug", "memReserve"):
        if name in controller.target:
            yield f"{'NUMA node' if name == 'node' else name} {controller.target[name]}"
    known = controller.model in PCI_CONTROLLERS
    usual = pci_controller(controller.model, host_bridges=machine.host_bridges).model_names[:1] if known else ()
    if controller.model_name and controller.model_name not in usual:
        yield controller.model_name
    alias = alias_of(controller)
    if alias and alias.startswith(USER_ALIAS):
        yield f"alias {alias}"


def _behind(guest: Guest) -> dict[int, list[Device]]:
    """Return, by the index of a PCI controller, the devices that are written to be anywhere behind it."""
    above = {d.index: d.address >> 8 for d in pci_controllers(guest) if d.index and d.address is not None}
    found: dict[int, list[Device]] = {}
    for device in guest.all_devices():
        bus = None if device.address is None else device.address >> 8
        seen: set[int] = set()
        while bus and bus not in seen:
            seen.add(bus)
            devices = found.setdefault(bus, [])
            if not is_pci_controller(device):
                devices.append(device)
            bus = above.get(bus)
    return found


def _sharing(guest: Guest) -> Iterator[list[Device]]:
    """Yield the devices that are written to share a slot, but for those that always do."""
    slots: dict[int, list[Device]] = {}
    for device in guest.all_devices():
        own = isinstance(device, Controller) and (device.is_pci or device.ich9 or in_chipset(device, guest.machine))
        if device.address is not None and not own:
            slots.setdefault(device.address >> 3, []).append(device)
    yield from (devices for devices in slots.values() if len(devices) > 1)


# what another machine type does not have


class _Rule(NamedTuple):
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
)  # each was verified against libvirt 11.3.0, as were the two of the definition itself

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


def _check_devices(guest: Guest, family: Machine, name: str, moving: Move | None, *, changes: bool) -> None:
    moves = [d.label for d in (*moving.disks(guest), *moving.controllers(guest))] if moving is not None else []
    found = [(label, text) for label, text in _found(guest, family, _REFUSED) if changes and label not in moves]
    on_ide = {d.label for d in guest.devices.get("disk", ()) if d.bus == "ide"}
    on_ide |= {c.label for c in guest.controllers if c.type == "ide"}
    remedy = "change what is listed, then reassign"
    if not on_ide.isdisjoint(label for label, _ in found):
        remedy = "'--fix-ide sata' or '--fix-ide virtio-scsi' moves what is on IDE; change the rest, then reassign"
    if changes and family.family == "i440fx":
        found += _of_firmware(guest)
    stuck = list(immovable(guest, moving)) if moving is not None else []
    if stuck and moving is not None and moving.target == IDE:
        remedy = "'--fix-ide sata' leaves the disks on SATA, on an AHCI card; '--fix-ide virtio-scsi' moves them"
    found += stuck
    if found:
        what = "one thing" if len(found) == 1 else f"{len(found)} things"
        raise RefusedError(
            f"{what} in this guest cannot stay as it is on machine type {name}"
            if len(found) == 1
            else f"{what} in this guest cannot stay as they are on machine type {name}",
            code="machine-change",
            details=tuple(text for _, text in found),
            remedy=remedy,
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
