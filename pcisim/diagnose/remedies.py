"""What may be done about a finding beside what its own remedy says: what takes a look at the whole guest.

`FIRST` comes before the finding's own remedy, `LAST` when nothing of it helps.  Nothing here is a promise:
`pcisim.diagnose.trial` applies an edit and judges the document before anybody is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from pcisim.address import parse_number
from pcisim.catalogue.controllers import COMMON, LED_TO_BY, PCI_CONTROLLERS, ROOT_MODELS
from pcisim.catalogue.versions import VERSIONS
from pcisim.diagnose import edits as e
from pcisim.diagnose import io_space
from pcisim.diagnose.diagnosis import MOST_PASTED, controller_text, controllers_to_paste
from pcisim.diagnose.edits import Edit, Site
from pcisim.diagnose.refusals import ROOM, is_short_of_room
from pcisim.errors import PcisimError
from pcisim.formats.xml.document import Element
from pcisim.guest import Controller, Device
from pcisim.rewrite.reassign import reassign


class Proposal(NamedTuple):
    """What may be done."""

    text: str
    edit: Edit


# what takes a look at the whole guest


def _named(device: Device) -> str:
    """Return who a device is and where it stands."""
    return device.label + (f" (line {device.line})" if device.line else "")


def _expander_port(site: Site) -> Iterator[Proposal]:
    """Propose a root port on an expander for an endpoint that sits straight on it: it stays on the NUMA node."""
    address = site.element.find("address") if site.element is not site.root else None
    bus = parse_number(address.get("bus") or "0") if address is not None else None
    expander = next((c for c in site.guest.controllers if c.is_pci and c.index == bus), None)
    if expander is None or expander.model != "pcie-expander-bus" or site.element.tag == "controller":
        return
    index = site.highest + 1
    taken = site.written_slots(bus or 0) - {parse_number((address.get("slot") if address is not None else "") or "0")}
    slot = next((n for n in range(0x20) if n not in taken), None)
    if slot is None:
        return
    node = expander.target.get("node")
    yield Proposal(
        f"add <controller type='pci' index='{index}' model='pcie-root-port'><address type='pci' bus='{bus:#04x}'"
        f" slot='{slot:#04x}'/></controller>, and write bus='{index:#04x}' slot='0x00' in the address of"
        f" {site.finding.parties[0]}" + (f": it stays on NUMA node {node}" if node is not None else ""),
        lambda s: e.port_on_expander(s, index, slot),
    )


def _ide_disks(site: Site) -> Iterator[Proposal]:
    """Propose another bus for the disks that no IDE controller is there for."""
    disks = [d for d in site.guest.devices.get("disk", ()) if d.bus == "ide" and d.origin is not None]
    listed = [c for c in site.guest.controllers if c.type == "ide" and c.origin is not None]
    extra = [c for c in listed if c.index or not site.guest.machine.ide]
    if site.guest.machine.ide:
        disks = [d for d in disks if (d.unit or 0) > 3 or d.controller]
    for bus in ("sata", "scsi", "virtio"):
        steps = []
        if disks:
            steps.append(f"write bus='{bus}' in the <target> of {_several(disks)}")
        if extra:
            steps.append(f"take {_several(extra)} out")

        def edit(s: Site, bus: str = bus) -> bool:
            for disk in disks:
                address = disk.origin.find("address")
                if address is not None:
                    s.editor.remove(address)
                e.write_attribute(s, "bus", bus, disk.origin)
            return e.take_out(s, [c.origin for c in extra]) or bool(disks)

        if steps:
            yield Proposal(", and ".join(steps), edit)


def _several(devices: list[Device] | list[Controller], most: int = 4) -> str:
    shown = [_named(device) for device in devices[:most]]
    return ", ".join(shown) + (f" and {len(devices) - most} more" if len(devices) > most else "")


def _other_root(site: Site) -> Iterator[Proposal]:
    """Propose to carry a document over that was written for the other kind of machine."""
    guest = site.guest
    roots = {PCI_CONTROLLERS[c.model].name for c in guest.controllers if c.is_pci and c.model in PCI_CONTROLLERS}
    express = any(name.startswith("pcie-") or name == "dmi-to-pci-bridge" for name in roots)
    if guest.machine.root is None or express == guest.express or not roots:
        return
    kind = {"i440fx": "pc", "q35": "q35", "arm-virt": "virt"}.get(guest.machine.family, "")
    if kind:
        yield Proposal(
            f"'pcisim assign --reassign --machine {kind}' places the devices anew: the PCI controllers are those of"
            " another kind of machine",
            partial(_reassigned, machine=kind),
        )


def _reassigned(site: Site, machine: str) -> bool:
    """Place everything anew, as ``--reassign`` does."""
    try:
        site.document = reassign(site.edited, machine=machine, libvirt=site.libvirt).text
    except PcisimError:
        return False
    return True


def _expander_model(site: Site) -> Iterator[Proposal]:
    model = {"i440fx": "pci-expander-bus"}.get(site.guest.machine.family, "pcie-expander-bus")
    if site.element in site.controllers and "expander" in (site.element.get("model") or ""):
        yield Proposal(f"write model='{model}'", lambda s: e.as_model(s, s.element, model))


def _room(site: Site) -> Iterator[Proposal]:
    """Propose controllers that make a guest fit."""
    finding = site.finding
    subject = next((d for d in site.guest.all_devices() if d.origin is site.element), None)
    if not is_short_of_room(finding.code, subject) or len(site.diagnosis.errors) > 1:
        return
    made = controllers_to_paste(site.guest, site.libvirt)
    if made and len(made) <= MOST_PASTED:
        text = " ".join(controller_text(controller) for controller in made)
        yield Proposal(f"add {text}", lambda s: e.add_controllers(s, text))
    yield from _other_root(site)
    if not isinstance(subject, Controller) or not subject.is_pci:
        yield from _fewer(site)
        return
    before = LED_TO_BY.get(subject.model, ())
    if subject.index and before:
        yield _inserted(subject, before)
    if subject.origin is not None:
        yield Proposal(f"take {_named(subject)} out", lambda s: e.take_out(s, [s.element]))


def _inserted(controller: Controller, models: tuple[str, ...]) -> Proposal:
    index = controller.index or 0
    new = [Controller("controller", "", model, index=index + place) for place, model in enumerate(models)]
    return Proposal(
        f"add {' '.join(map(controller_text, new))} before {_named(controller)}, and give it index"
        f" {index + len(models)}: QEMU makes controllers in their order",
        partial(e.insert_before, models=models),
    )


def _led_to(site: Site) -> Iterator[Proposal]:
    """Propose controllers that lead to one which found no way to the root."""
    subject = next((c for c in site.guest.controllers if c.origin is site.element), None)
    if subject is not None and subject.index and site.guest.express:
        yield _inserted(subject, LED_TO_BY.get(subject.model, ("pcie-root-port",)))


def _root_model(site: Site) -> Iterator[Proposal]:
    root, model = site.guest.machine.root, site.element.get("model")
    if root and site.element in site.controllers and model in ROOT_MODELS and model != root:
        yield Proposal(f"write model='{root}'", lambda s: e.as_model(s, s.element, root))


def _no_root(site: Site) -> Iterator[Proposal]:
    model = "pcie-root-port" if site.guest.express else "pci-bridge"
    if site.guest.machine.root:
        yield Proposal(f"write model='{model}'", lambda s: e.as_model(s, s.element, model))


def _no_node(site: Site) -> Iterator[Proposal]:
    nodes = e.children_named(site, "target", "node")
    if nodes:
        yield Proposal("take the <node> out", lambda s: e.take_out(s, nodes))


def _own_bus(site: Site) -> Iterator[Proposal]:
    """Propose a bus of its own for a card whose virtual functions meet others."""
    index = site.highest + 1
    model, slot = ("pcie-root-port", 0) if site.guest.express else ("pci-bridge", 1)
    for label in site.finding.parties[::-1]:
        card = site.labelled(label)
        if card is None or card.tag == "controller":
            continue
        yield Proposal(
            f"add <controller type='pci' index='{index}' model='{model}'/>, and write bus='{index:#04x}'"
            f" slot='{slot:#04x}' function='0x0' in the address of {label}",
            lambda s, card=card: e.on_new_bus(s, card, model, index, slot),  # type: ignore[misc]
        )


def _other_party(site: Site) -> Iterator[Proposal]:
    """Propose to leave out the address of the other one of two."""
    for label in site.finding.parties[1:]:
        other = site.labelled(label)
        if other is not None and other.find("address") is not None:
            yield Proposal(f"leave the address of {label} out", lambda s, o=other: e.drop_address(s, o))  # type: ignore[misc]


def _usb_master(site: Site) -> Iterator[Proposal]:
    """Propose a master, with the whole set where libvirt puts it."""
    index = site.element.get("index") or "0"
    usb = [d for d in site.devices if d.tag == "controller" and d.get("type") == "usb" and d.get("index", "0") == index]
    yield Proposal(
        f"add <controller type='usb' index='{index}' model='ich9-ehci1'/>, and leave the addresses of its companions"
        " out",
        lambda s: (
            any([e.drop_address(s, d) for d in usb])  # noqa: C419
            and e.add_usb(s, {"index": index, "model": "ich9-ehci1"})
        ),
    )


def _highest_bus(site: Site) -> Iterator[Proposal]:
    """Propose to leave out the address with the highest bus, for which libvirt would add bus after bus."""
    placed = [d for d in site.guest.all_devices() if d.address is not None and d.origin is not None]
    if placed:
        highest = max(placed, key=lambda d: d.address or 0)
        yield Proposal(f"leave the address of {_named(highest)} out", lambda s: e.drop_address(s, highest.origin))


def _ide_out(site: Site) -> Iterator[Proposal]:
    disks = [d for d in site.guest.devices.get("disk", ()) if d.bus == "ide" and d.origin is not None]
    if disks:
        yield Proposal(f"take {_several(disks)} out", lambda s: e.take_out(s, [d.origin for d in disks]))


def _fewer(site: Site) -> Iterator[Proposal]:
    """Propose to take devices away, the last ones first: as few as will do, found by halving."""
    last = [d for d in site.guest.all_devices() if d.wants and d.origin is not None and not isinstance(d, Controller)]
    last.sort(key=lambda d: -(d.line or 0))
    counts = [n for n in (1, 2, 4, 8, 16, 32, 64, 128, 256) if n <= len(last)]
    for count in counts:
        shown = f"{last[0].label}" if count == 1 else f"the last {count} devices, such as {last[0].label},"
        yield Proposal(f"take {shown} out", lambda s, n=count: e.take_out(s, [d.origin for d in last[:n]]))  # type: ignore[misc]


def _close_words(site: Site) -> Iterator[Proposal]:
    """Propose the words that libvirt knows which resemble what is written."""
    known = next((line.removeprefix("known: ") for line in site.finding.details if line.startswith("known: ")), "")
    place = _written_word(site)
    if place is None or not known:
        return
    words = known.split(", ")
    likely = [*get_close_matches(place[0].get(place[1]) or "", words, 3, 0.4), *(w for w in _LIKELY if w in words)]
    for word in dict.fromkeys([*likely, *(w for w in words[:3] if not w.startswith("vfio-"))]):
        yield Proposal(f"write {place[1]}='{word}'", lambda s, w=word: _write_word(s, w))  # type: ignore[misc]


_LIKELY = (*COMMON, "vfio-pci", "vga")
"""Words that are meant more often than others."""


def _written_word(site: Site) -> tuple[Element, str] | None:
    """Return the attribute of the finding's element that holds the word which the headline quotes."""
    place = e.invalid_attribute(site)
    quoted = re.search(r"'([^']*)'", site.finding.headline)
    if place is not None or quoted is None:
        return place
    for element in (site.element, *site.element.children):
        for name, value in element.attrib.items():
            if value == quoted[1]:
                return element, name
    return None


def _write_word(site: Site, word: str) -> bool:
    place = _written_word(site)
    if place is None:
        return False
    site.editor.set_attribute(*place, word)
    return True


def _versions(site: Site) -> Iterator[Proposal]:
    """Propose another version of libvirt, which knows the word."""
    for version in reversed([*VERSIONS]):
        if version != str(site.libvirt):
            yield Proposal(f"ask for --libvirt {version}", partial(e.other_version, version=version))


def _other_model(site: Site) -> Iterator[Proposal]:
    """Propose a model that QEMU has for what it lacks."""
    kind = site.element.tag if site.element.tag != "controller" else f"controller/{site.element.get('type')}"
    for model in _USUAL.get(kind, ()):
        if "model" in site.element.attrib:
            yield Proposal(f"write model='{model}'", lambda s, m=model: e.write_attribute(s, "model", m))  # type: ignore[misc]
        else:
            yield Proposal(f"write <model type='{model}'/>", lambda s, m=model: e.write_model(s, "type", m))  # type: ignore[misc]


_USUAL: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "controller/usb": ("qemu-xhci",),
        "controller/scsi": ("virtio-scsi",),
        "interface": ("virtio", "e1000e"),
        "sound": ("ich9",),
        "video": ("virtio", "vga"),
        "vsock": ("virtio",),
        "input": ("virtio",),
    }
)
"""A model of each kind that every QEMU has."""


def _leave_address(site: Site) -> Iterator[Proposal]:
    if site.element is not site.root and site.element.find("address") is not None:
        label = site.finding.parties[0] if site.finding.parties else f"<{site.element.tag}>"
        yield Proposal(f"leave the address of {label} out", lambda s: e.drop_address(s, s.element))


def _leave_out(site: Site) -> Iterator[Proposal]:
    element: Element = site.element
    if element is not site.root:
        label = site.finding.parties[0] if site.finding.parties else f"<{element.tag}>"
        yield Proposal(f"take {label} (line {element.line}) out", lambda s: e.take_out(s, [s.element]))


_Proposes = Callable[[Site], Iterator[Proposal]]


def _io_ports(site: Site) -> Iterator[Proposal]:
    return (Proposal(text, edit) for text, edit in io_space.ways(site))


FIRST: Mapping[str, tuple[_Proposes, ...]] = MappingProxyType(
    {
        "wrong-plug": (_expander_port, _other_root),
        "no-ide": (_ide_disks, _ide_out),
        "second-ide": (_ide_disks,),
        "wrong-machine": (_expander_model,),
        "wrong-root": (_root_model, _other_root),
        "controller-circle": (_led_to,),
        "root-index": (_no_root,),
        "io-space": (_io_ports, _fewer),
        "io-windows": (_io_ports,),
        **dict.fromkeys((*ROOM, "index-range"), (_room,)),
    }
)
"""What comes before the finding's own remedy, by its code."""

ALONE = frozenset({*ROOM, "no-ide", "second-ide"})
"""The codes of which nothing else is said when something of `FIRST` helps."""

LAST: Mapping[str, tuple[_Proposes, ...]] = MappingProxyType(
    {
        "unknown-word": (_close_words, _versions),
        "unknown-model": (_close_words, _versions),
        "numa-node": (_no_node,),
        "bridge-order": (_led_to,),
        "bus-before-controller": (_led_to,),
        "cannot-grow": (_led_to,),
        "index-range": (_highest_bus,),
        "duplicate-index": (_leave_out,),
        "no-such-device": (_other_model,),
        "virtual-functions": (_own_bus, _other_party),
        "slot-occupied": (_other_party,),
        "usb-no-master": (_usb_master,),
    }
)
"""What is left when nothing of the finding's own remedy helps, by its code; then `LAST_OF_ALL`."""

LAST_OF_ALL: tuple[_Proposes, ...] = (_leave_address, _leave_out)
