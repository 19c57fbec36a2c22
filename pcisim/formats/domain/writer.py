"""A placed guest written back into the document that it was read from.

Only what placing decided is written: PCI addresses, PCI controllers, implied devices that
have a PCI address, and the defaults on which addresses depend.  Every other byte stays.
"""

from __future__ import annotations

import itertools

from pcisim.address import FUNCTIONS, MAX_BUS, MAX_FUNCTION, MAX_SLOT, SLOTS, parse_number
from pcisim.catalogue.devices import ADDRESS_READDRESSED
from pcisim.formats.xml.document import Element
from pcisim.formats.xml.editor import DEPTHS, Editor, Fragment, Markup, deeper
from pcisim.guest import IGNORED, Controller, Device
from pcisim.placement import Placement


def edit(placement: Placement) -> Editor:
    """Return the edits that write a placement into its document.

    Args:
        placement: of a guest that was read from a document.
    """
    document = placement.guest.document
    editor = Editor(document)
    root: Element = document.root
    parent = root.find("devices")
    pci = [c for c in parent.findall("controller") if c.get("type") == "pci"] if parent is not None else []
    addresses, carried, zpci = placement.addresses, placement.multifunction, placement.zpci
    beside_pci: list[str] = []  # so that the same guest is the same text, whatever was there before
    added: list[str] = []
    for controller in placement.guest.controllers:
        if controller.origin is not None:
            _edit_controller(editor, controller, placement)
        elif controller.is_pci and pci:
            beside_pci.append(_lines_of(controller, placement))
        elif controller.is_pci or controller in addresses:
            added.append(_lines_of(controller, placement))
    others: list[str] = []
    plain: list[tuple[Element, str]] = []
    for devices in placement.guest.devices.values():
        for device in devices:
            if device.origin is not None:
                if device.address_type is None and device in addresses and not device.defaults:
                    text = address_element(addresses[device], carried.get(device), zpci.get(device))
                    plain.append((device.origin, text))
                else:
                    _edit_device(editor, device, placement)
            elif device in addresses:
                others.append(device_lines(device, addresses[device], carried.get(device), zpci=zpci.get(device)))
    editor.append_lines(plain)
    _move_primary_video(editor, placement)
    if parent is None:
        if added or others:
            editor.append_child(root, Markup(f"\0<devices>{deeper(''.join(added + others))}\0</devices>"))
        return editor
    if beside_pci:
        editor.insert_after(pci[-1], Markup("".join(beside_pci)))
    last = next((child for child in reversed(parent.children) if child.tag == "controller"), None)
    if last is not None and added:
        editor.insert_after(last, Markup("".join(added)))
        added = []
    if added or others:
        editor.append_child(parent, Markup("".join(added + others)))
    return editor


def address_element(packed: int, multifunction: str | None = None, zpci: Ids | None = None) -> str:
    """Return the ``<address>`` element of a packed address, with the uid and the fid that it has on s390."""
    if zpci is not None:
        plain = address_element(packed, multifunction)
        numbers = "".join([f" {name}='{text}'" for name, text in zpci_attributes(zpci).items()])
        return f"{plain[:-2]}><zpci{numbers}/></address>"
    flag = f" multifunction='{multifunction}'" if multifunction else ""
    if packed > 0xFFFF:
        domain, bus = packed >> 16, packed >> 8 & MAX_BUS
        return f"<address type='pci' domain='{domain:#06x}' bus='{bus:#04x}' {PLACES[packed & 0xFF]}{flag}/>"
    return f"<address type='pci' {BUSES[packed >> 8]} {PLACES[packed & 0xFF]}{flag}/>"


Ids = tuple[int, int]
"""A uid and a fid."""
PLACES = [f"slot='{slot:#04x}' function='{function:#x}'" for slot in range(SLOTS) for function in range(FUNCTIONS)]
"""The slot and function of the low eight bits of an address."""
BUSES = [f"domain='0x0000' bus='{bus:#04x}'" for bus in range(MAX_BUS + 1)]
"""The bus of the next eight bits, in domain 0."""


def zpci_attributes(zpci: Ids) -> dict[str, str]:
    """Return the attributes of ``<zpci>``, in libvirt's order and widths."""
    return {"uid": f"{zpci[0]:#06x}", "fid": f"{zpci[1]:#010x}"}


def address_attributes(packed: int, multifunction: str | None = None) -> dict[str, str]:
    """Return the attributes of ``<address type='pci'>``, in libvirt's order and widths."""
    attributes = {
        "type": "pci",
        "domain": f"{packed >> 16:#06x}",
        "bus": f"{packed >> 8 & MAX_BUS:#04x}",
        "slot": f"{packed >> 3 & MAX_SLOT:#04x}",
        "function": f"{packed & MAX_FUNCTION:#x}",
    }
    if multifunction:
        attributes["multifunction"] = multifunction
    return attributes


def target_attributes(controller: Controller) -> dict[str, str]:
    """Return the attributes of ``<target>``, in libvirt's order: decimal, but for the port."""
    return {
        name: f"{value:#x}" if name == "port" else str(value)
        for name in _TARGET
        if (value := controller.target.get(name)) is not None
    }


_TARGET = ("chassisNr", "chassis", "port", "busNr", "index", "hotplug", "memReserve")


def _lines_of(controller: Controller, placement: Placement) -> str:
    packed, carried = placement.addresses.get(controller), placement.multifunction.get(controller)
    return controller_lines(controller, packed, carried, zpci=placement.zpci.get(controller))


def _edit_device(editor: Editor, device: Device, placement: Placement) -> None:
    element: Element = device.origin
    packed = placement.addresses.get(device)
    address = element.find("address")
    if packed is None:
        if address is not None and (
            (device.address_type == IGNORED and not _is_shown_twice(device, address))
            or (device.address_type == "pci" and (device.element, device.model) in ADDRESS_READDRESSED)
        ):
            for each in element.findall("address"):
                editor.remove(each)
        elif address is not None and device.address_type == "pci":
            for path, value in device.defaults.items():
                _set_default(editor, element, path, value)
            kept = {name: value for name, value in address.attrib.items() if name == "multifunction"}
            _rewrite(editor, address, {"type": "pci"} | (kept if device.address is None else {}))
            if device in placement.zpci:
                _edit_zpci(editor, address, placement.zpci[device])
        elif address is None and device.element == "hostdev" and device.controller is not None:
            bus, target, unit = device.drive
            text = f"controller='{device.controller}' bus='{bus}' target='{target}' unit='{unit}'"
            editor.append_lines([(element, f"<address type='drive' {text}/>")])
        return
    for path, value in device.defaults.items():
        _set_default(editor, element, path, value)
    multifunction, zpci = placement.multifunction.get(device), placement.zpci.get(device)
    if address is None:
        editor.append_lines([(element, address_element(packed, multifunction, zpci))])
        return
    if device in placement.overwritten:
        for child in address.findall("zpci"):
            editor.remove(child)
    elif zpci is None and device.zpci is not None:
        zpci = device.zpci[0] or 0, device.zpci[1] or 0  # of what gets no numbers, such as a serial port
    if zpci is not None:
        _edit_zpci(editor, address, zpci)
    if device.address is not None:
        if device.address != packed:
            editor.set_attribute(address, "bus", f"{packed >> 8 & MAX_BUS:#04x}")
        if multifunction is not None and "multifunction" not in address.attrib:
            editor.set_attribute(address, "multifunction", multifunction)
    else:
        _rewrite(editor, address, address_attributes(packed, multifunction))


def _is_shown_twice(device: Device, address: Element) -> bool:
    """Return whether the address of a console is that of the serial port which it is another name for."""
    serial = device.mirrors
    shown = serial.origin.find("address") if serial is not None and serial.origin is not None else None
    return shown is not None and shown.attrib == address.attrib


def _edit_zpci(editor: Editor, address: Element, zpci: Ids) -> None:
    child = address.find("zpci")
    if child is None:
        editor.append_child(address, Fragment("zpci", zpci_attributes(zpci)))
        return
    for name, text in zpci_attributes(zpci).items():
        if name not in child.attrib:
            editor.set_attribute(child, name, text)


def _rewrite(editor: Editor, address: Element, wanted: dict[str, str]) -> None:
    """Let an address have these attributes and no others; what says the same already stays as it is written."""
    for name in address.attrib:
        if name not in wanted:
            editor.remove_attribute(address, name)
    for name, value in wanted.items():
        old = address.attrib.get(name)
        if old is None or (old != value and (parse_number(old) is None or parse_number(old) != parse_number(value))):
            editor.set_attribute(address, name, value)


def _set_default(editor: Editor, element: Element, path: str, value: str) -> None:
    """Set an attribute by its path: ``@model``, or ``target/@bus`` in a child that may be missing."""
    child_tag, _, attribute = path.rpartition("@")
    child_tag = child_tag.rstrip("/")
    if not child_tag:
        editor.set_attribute(element, attribute, value)
        return
    child = element.find(child_tag)
    if child is not None:
        editor.set_attribute(child, attribute, value)
    else:
        _insert(editor, element, Fragment(child_tag, {attribute: value}))


def _insert(editor: Editor, element: Element, fragment: Fragment) -> None:
    """Add a child before the address, if there is one."""
    address = element.find("address")
    if address is not None:
        editor.insert_before(address, fragment)
    else:
        editor.append_child(element, fragment)


def _edit_controller(editor: Editor, controller: Controller, placement: Placement) -> None:
    element: Element = controller.origin
    if not controller.is_pci:
        _edit_device(editor, controller, placement)
        return
    model, target = element.find("model"), element.find("target")
    if (
        controller.address_type == "pci"
        and model is not None
        and "name" in model.attrib
        and target is not None
        and target.attrib.keys() == controller.target.keys()
    ):  # everything but the address is there already
        _edit_device(editor, controller, placement)
        return
    for target in element.findall("target"):
        if "memReserve" in target.attrib and "memReserve" not in controller.target:
            if controller.target:
                editor.remove_attribute(target, "memReserve")
            else:
                editor.remove(target)
    if controller not in placement.addresses and controller.address_type != "pci":
        for path, value in controller.defaults.items():  # the index counts, whether it has a place or not
            _set_default(editor, element, path, value)
    if controller.model_name and not any(child.get("name") for child in element.findall("model")):
        model = element.find("model")
        if model is not None:
            editor.set_attribute(model, "name", controller.model_name)
        else:
            _insert(editor, element, Fragment("model", {"name": controller.model_name}))
    wanted = target_attributes(controller)
    targets = element.findall("target")
    missing = {name: value for name, value in wanted.items() if not any(name in t.attrib for t in targets)}
    if missing and targets:
        for name, value in missing.items():
            editor.set_attribute(targets[-1], name, value)
    elif missing:
        _insert(editor, element, Fragment("target", missing))
    _edit_device(editor, controller, placement)


_OUTER, _INNER = DEPTHS[0], DEPTHS[1]


def controller_lines(
    controller: Controller, packed: int | None, multifunction: str | None = None, zpci: Ids | None = None
) -> str:
    """Return the lines of a controller that is added, as those of a `Markup`."""
    model = f" model='{controller.model}'" if controller.model else ""
    lines = f"{_INNER}<model name='{controller.model_name}'/>" if controller.model_name else ""
    target = controller.target
    if len(target) == 2 and "chassis" in target and "port" in target:  # what most of them have
        lines += f"{_INNER}<target chassis='{target['chassis']}' port='{target['port']:#x}'/>"
    elif target:
        options = "".join([f" {name}='{value}'" for name, value in target_attributes(controller).items()])
        node = f"{DEPTHS[2]}<node>{target['node']}</node>{_INNER}" if "node" in target else ""
        lines += f"{_INNER}<target{options}{f'>{node}</target>' if node else '/>'}"
    if controller.companion:
        lines += f"{_INNER}<master startport='{controller.start_port or 0}'/>"
    if controller.serial:
        text = controller.serial.replace("&", "&amp;").replace("<", "&lt;")
        lines += f"{_INNER}<serial>{text}</serial>"
    if packed is not None:
        lines += _INNER + address_element(packed, multifunction, zpci)
    end = f">{lines}{_OUTER}</controller>" if lines else "/>"
    return f"{_OUTER}<controller type='{controller.type}' index='{controller.index}'{model}{end}"


def device_lines(device: Device, packed: int, multifunction: str | None = None, zpci: Ids | None = None) -> str:
    """Return the lines of a device that libvirt adds, as those of a `Markup`."""
    address = _INNER + address_element(packed, multifunction, zpci)
    if device.element == "video":
        return f"{_OUTER}<video>{_INNER}<model type='{device.model}'/>{address}{_OUTER}</video>"
    return f"{_OUTER}<{device.element} model='{device.model}'>{address}{_OUTER}</{device.element}>"


def _move_primary_video(editor: Editor, placement: Placement) -> None:
    """Put the primary video device first, where libvirt writes it."""
    videos = [d for d in placement.guest.devices.get("video", ()) if d.origin is not None]
    for first, video in itertools.pairwise(videos):
        if first.origin.start > video.origin.start:
            anchor = min((d.origin for d in videos), key=lambda element: int(element.start))
            editor.move_before(first.origin, anchor)
