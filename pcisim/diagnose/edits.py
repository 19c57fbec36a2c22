"""Edits of a document that fix a finding: each changes what one remedy says, and tells whether it could.

An edit promises nothing: `pcisim.diagnose.trial` judges the edited document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from pcisim.address import MAX_BUS, parse_number
from pcisim.catalogue.controllers import MAX_INDEX, PCI_CONTROLLERS, TARGET_RANGES
from pcisim.catalogue.versions import Libvirt
from pcisim.diagnose.diagnosis import Diagnosis
from pcisim.diagnose.finding import Finding
from pcisim.formats.xml.document import Element
from pcisim.formats.xml.editor import Editor, Fragment
from pcisim.guest import Controller
from pcisim.placement import Policy


class Site:
    """Where a finding is fixed.

    Attributes:
        editor: takes the edits.
        finding: what is to be fixed.
        element: the element that the finding is about; the root where there is none.
        diagnosis: all findings of the document.
        libvirt: the libvirt version that judges the edited document.
        policy: how its devices are placed.
        document: the edited document where something else than the editor made it, else ``None``.
    """

    def __init__(
        self, finding: Finding, diagnosis: Diagnosis, libvirt: str | Libvirt, policy: str | Policy = "libvirt"
    ) -> None:
        assert diagnosis.guest is not None
        self.guest = diagnosis.guest
        self.source = diagnosis.guest.document
        self.editor = Editor(self.source)
        self.finding = finding
        self.diagnosis = diagnosis
        self.libvirt = libvirt
        self.policy = policy
        self.document: str | bytes | None = None
        self.element: Element = diagnosis.origins.get(finding, self.root)

    @property
    def root(self) -> Element:
        """Return the outermost element."""
        root: Element = self.source.root
        return root

    @property
    def edited(self) -> str | bytes:
        """Return the document as it was edited."""
        return self.editor.apply() if self.document is None else self.document

    @property
    def devices(self) -> list[Element]:
        """Return every device and controller of the document."""
        return [child for devices in self.root.findall("devices") for child in devices.children]

    @property
    def controllers(self) -> list[Element]:
        """Return the PCI controllers of the document."""
        return [element for element in self.devices if element.tag == "controller" and element.get("type") == "pci"]

    @property
    def highest(self) -> int:
        """Return the highest index of a PCI controller."""
        placement = self.diagnosis.placement
        guest = self.guest if placement is None else placement.guest
        return max((d.index or 0 for d in guest.controllers if d.is_pci), default=0)

    def labelled(self, label: str) -> Element | None:
        """Return the element of a device by its label: the finding's own first."""
        if label in self.finding.parties[:1] and self.element is not self.root:
            return self.element
        placement = self.diagnosis.placement
        devices = (placement.guest if placement is not None else self.guest).all_devices()
        return next((d.origin for d in devices if d.label == label and d.origin is not None), None)

    def add_controller(self, model: str, index: int | None, before: Element | None = None) -> None:
        """Add a PCI controller: before an element, or after the last one."""
        number = {} if index is None else {"index": str(index)}
        fragment = Fragment("controller", {"type": "pci", **number, "model": model})
        rows = self.controllers
        devices = self.root.find("devices")
        if before is not None:
            self.editor.insert_before(before, fragment)
        elif rows:
            self.editor.insert_after(rows[-1], fragment)
        elif devices is not None:
            self.editor.append_child(devices, fragment)
        else:
            self.editor.append_child(self.root, Fragment("devices", children=(fragment,)))

    def rename_buses(self, new: Mapping[int, int], but: Element | None = None) -> None:
        """Change the bus in every PCI address that names one of these, but for one address."""
        for element in self.devices:
            address = element.find("address")
            if address is not None and address is not but and address.get("type") == "pci":
                bus = parse_number(address.get("bus") or "0")
                if bus is not None and bus in new:
                    self.editor.set_attribute(address, "bus", f"{new[bus]:#04x}")

    def written_slots(self, bus: int) -> set[int]:
        """Return the slots of a bus that PCI addresses of the document name, and those of the machine's own."""
        slots = {place.slot for place in self.guest.machine.places} if not bus else set()
        for element in self.devices:
            address = element.find("address")
            if address is None or address.get("type") != "pci":
                continue
            if (parse_number(address.get("bus") or "0") or 0) == bus:
                slots.add(parse_number(address.get("slot") or "0") or 0)
        return slots


Edit = Callable[[Site], bool]


# addresses


def drop_address(site: Site, element: Element | None) -> bool:
    """Take the address out of an element."""
    address = element.find("address") if element is not None and element is not site.root else None
    if address is not None:
        site.editor.remove(address)
    return address is not None


def write_address(site: Site, **parts: int) -> bool:
    """Write bus, slot or function of the address of the finding's element."""
    address = site.element.find("address")
    if address is None or site.element is site.root:
        return False
    for name, number in parts.items():
        site.editor.set_attribute(address, name, f"{number:#x}" if name == "function" else f"{number:#04x}")
    return True


def address_of_type(site: Site, element: Element | None, kind: str) -> bool:
    """Put an address of another type in the place of an element's."""
    if element is None or not drop_address(site, element):
        return False
    site.editor.append_child(element, Fragment("address", {"type": kind, **_ADDRESSES.get(kind, {})}))
    return True


_ADDRESSES: Mapping[str, dict[str, str]] = {
    "drive": {"controller": "0", "bus": "0", "target": "0", "unit": "0"},
    "ccid": {"controller": "0", "slot": "0"},
}
"""What an address of each type says at least."""


def slot_in_range(site: Site, low: int, high: int) -> bool:
    """Write the lowest slot of a range that no address of the document names on that bus."""
    address = site.element.find("address")
    if address is None or site.element is site.root:
        return False
    taken = site.written_slots(parse_number(address.get("bus") or "0") or 0)
    free = next((slot for slot in range(low, high + 1) if slot not in taken), None)
    return free is not None and write_address(site, slot=free, function=0)


# attributes and elements


def write_attribute(site: Site, name: str, value: str, element: Element | None = None) -> bool:
    """Write an attribute where it belongs: of the address, of a disk's target, or of the element itself."""
    element = site.element if element is None else element
    if element is site.root:
        return False
    address, target = element.find("address"), element.find("target")
    holder = element
    if name in _OF_ADDRESSES and address is not None:
        holder = address
    elif element.tag == "disk" and name in ("bus", "dev") and target is not None:
        holder = target
    site.editor.set_attribute(holder, name, value)
    return True


_OF_ADDRESSES = frozenset({"domain", "slot", "function", "multifunction", "uid", "fid", "cssid", "ssid", "devno"})


def write_model(site: Site, name: str, value: str) -> bool:
    """Write an attribute of ``<model>``."""
    models = children_named(site, "model")
    for model in models[:1]:
        site.editor.set_attribute(model, name, value)
    if not models and site.element is not site.root:
        site.editor.append_child(site.element, Fragment("model", {name: value}))
    return site.element is not site.root


def take_out(site: Site, elements: list[Element]) -> bool:
    """Take elements out."""
    for element in elements:
        site.editor.remove(element)
    return bool(elements) and site.root not in elements


def children_named(site: Site, *path: str) -> list[Element]:
    """Return the elements below the finding's, or below the root, that a path of names leads to."""
    found = [site.element]
    for tag in path:
        found = [child for element in found for child in element.findall(tag)]
    return found


def invalid_attribute(site: Site) -> tuple[Element, str] | None:
    """Return the element and the attribute that the finding's headline speaks of."""
    found = re.search(r"attribute '([\w:-]+)' in element '([\w:-]+)'", site.finding.headline)
    if found is None:
        return None
    value = re.search(r"in element '[^']*': '(.*?)'", site.finding.headline)
    rest = [site.element]
    while rest:
        element = rest.pop(0)
        if element.tag == found[2] and element.get(found[1]) == (None if value is None else value[1]):
            return element, found[1]
        rest += element.children
    return None


def drop_options(site: Site) -> bool:
    """Take out every option of ``<target>`` that the controller cannot have."""
    row = PCI_CONTROLLERS.get(site.element.get("model") or "")
    bad = []
    for target in site.element.findall("target"):
        for option, text in [*target.attrib.items(), *((child.tag, child.text) for child in target.children)]:
            low, high = TARGET_RANGES.get(option, (0, 0))
            number = parse_number(text or "") or 0
            if row is not None and (option not in row.options or (high and not low <= number <= high)):
                bad.append((target, option))
    return all(drop_option(site, target, option) for target, option in bad) and bool(bad)


def drop_option(site: Site, target: Element, option: str) -> bool:
    """Take an option out of a ``<target>``, and the element with its last one."""
    if option == "node":
        return take_out(site, target.findall("node"))
    if option not in target.attrib:
        return False
    if len(target.attrib) == 1 and not target.children:
        site.editor.remove(target)
    else:
        site.editor.remove_attribute(target, option)
    return True


def write_target(site: Site, controller: Element | None, option: str, number: str) -> bool:
    """Write an option of ``<target>``."""
    if controller is None:
        return False
    targets = controller.findall("target")
    chosen = next((t for t in targets if option in t.attrib), targets[-1] if targets else None)
    address = controller.find("address")
    if chosen is not None:
        site.editor.set_attribute(chosen, option, number)
    elif address is not None:
        site.editor.insert_before(address, Fragment("target", {option: number}))
    else:
        site.editor.append_child(controller, Fragment("target", {option: number}))
    return True


def number_in_range(site: Site, low: int, high: int) -> bool:
    """Write a number in range, which no other controller has, for the option that the headline names."""
    found = re.search(r"PCI controller (\w+)(?: index)? '", site.finding.headline)
    if found is None:
        return False
    option = {"target": "index"}.get(found[1], found[1])
    used = {target.get(option) for c in site.controllers for target in c.findall("target")}
    numbers = range(high - 14, low, -16) if option == "busNr" else range(max(low, 1), high + 1)
    free = next((str(number) for number in numbers if str(number) not in used), None)
    return free is not None and write_target(site, site.element, option, free)


# controllers


def renumber_from(site: Site, index: int, by: int, but: Element | None = None) -> bool:
    """Give every PCI controller from an index on a higher one, in the addresses that name their buses but one."""
    new = {n: n + by for c in site.controllers if (n := parse_number(c.get("index") or "")) is not None and n >= index}
    for controller in site.controllers:
        number = parse_number(controller.get("index") or "")
        if number in new:
            site.editor.set_attribute(controller, "index", str(new[number]))
    site.rename_buses(new, but)
    return max(new.values(), default=0) <= MAX_INDEX


def insert_before(site: Site, models: tuple[str, ...]) -> bool:
    """Put PCI controllers before the finding's, each on the bus of the one before, and that one on the last bus."""
    index = parse_number(site.element.get("index") or "")
    address = site.element.find("address")
    if not index or site.element not in site.controllers or not renumber_from(site, index, len(models), address):
        return False
    for place, model in enumerate(models):
        site.add_controller(model, index + place, before=site.element)
    if address is not None:
        site.editor.remove(address)
    return True


def list_root(site: Site) -> bool:
    """List the root bus before all other PCI controllers."""
    root, rows = site.guest.machine.root, site.controllers
    if root is None or not rows:
        return False
    if parse_number(site.element.get("index") or "") == 0 and site.element in rows:
        site.editor.remove_attribute(site.element, "index")
    site.add_controller(root, 0, before=rows[0])
    return True


def add_controllers(site: Site, text: str) -> bool:
    """Add the controllers that a text lists; one of index 0 comes first, and one may come before the element."""
    found = re.findall(r"<controller type='pci'(?: index='(\d+)')? model='([\w-]+)'/>", text)
    rows = site.controllers
    for index, model in found:
        first = rows[0] if rows and index == "0" else None
        if re.search(rf"{re.escape(model)}'/> before ", text) and site.element in rows:
            first = site.element
        site.add_controller(model, int(index) if index else site.highest + 1, before=first)
    return bool(found)


def port_before(site: Site) -> bool:
    """Give the bridge's index to a new root port, and the bridge a higher one."""
    element = site.element
    index, highest = parse_number(element.get("index") or ""), site.highest
    if not index or element not in site.controllers or not site.guest.express or highest >= MAX_BUS:
        return False
    site.add_controller("pcie-root-port", index, before=element)
    site.editor.set_attribute(element, "index", str(highest + 1))
    if element.get("model") == "pci-bridge":
        as_model(site, element, "pcie-to-pci-bridge")
    site.rename_buses({index: highest + 1})
    return True


def as_model(site: Site, controller: Element, model: str) -> bool:
    """Make a PCI controller one of another model, with nothing of the old one's."""
    if controller not in site.controllers or controller.get("model") == model:
        return False
    site.editor.set_attribute(controller, "model", model)
    return bool(take_out(site, [*controller.findall("target"), *controller.findall("model")]) or True)


def swap_indexes(site: Site) -> bool:
    """Let two controllers change their indexes, in the addresses that name their buses too."""
    placement = site.diagnosis.placement
    if placement is None or len(site.finding.parties) < 2:
        return False
    controllers = {d.label: d for d in placement.guest.controllers}
    one, other = (controllers.get(label) for label in site.finding.parties[:2])
    if not isinstance(one, Controller) or not isinstance(other, Controller) or other.origin is None:
        return False
    a, b = one.index or 0, other.index or 0
    site.editor.set_attribute(site.element, "index", str(b))
    site.editor.set_attribute(other.origin, "index", str(a))
    site.rename_buses({a: b, b: a})
    return True


def port_on_expander(site: Site, index: int, slot: int) -> bool:
    """Put a root port on the expander's bus, and the device behind it."""
    address = site.element.find("address")
    if address is None:
        return False
    bus = address.get("bus") or "0"
    where = Fragment("address", {"type": "pci", "bus": bus, "slot": f"{slot:#04x}"})
    port = Fragment("controller", {"type": "pci", "index": str(index), "model": "pcie-root-port"}, children=(where,))
    site.editor.insert_after(site.controllers[-1], port)
    return write_address(site, bus=index, slot=0, function=0)


def on_new_bus(site: Site, device: Element, model: str, index: int, slot: int) -> bool:
    """Add a PCI controller, and put a device on its bus."""
    site.add_controller(model, index)
    address = device.find("address")
    where = {"bus": f"{index:#04x}", "slot": f"{slot:#04x}", "function": "0x0"}
    if address is None:
        site.editor.append_child(device, Fragment("address", {"type": "pci", "domain": "0x0000", **where}))
        return True
    for name, value in where.items():
        site.editor.set_attribute(address, name, value)
    return True


def add_usb(site: Site, attributes: dict[str, str], *children: Fragment, after: bool = False) -> bool:
    """Add a USB controller before an element, or after it."""
    fragment = Fragment("controller", {"type": "usb", **attributes}, children=children)
    if site.element is site.root:
        devices = site.root.find("devices")
        if devices is None:
            return False
        site.editor.append_child(devices, fragment)
    elif after:
        site.editor.insert_after(site.element, fragment)
    else:
        site.editor.insert_before(site.element, fragment)
    return True


def usb_controller(site: Site) -> bool:
    """Give the guest a USB controller, instead of the one that switches USB off."""
    off = [e for e in site.devices if e.tag == "controller" and e.get("type") == "usb" and e.get("model") == "none"]
    for element in off:
        site.editor.set_attribute(element, "model", "qemu-xhci")
    return bool(off) or add_usb(site, {"model": "qemu-xhci"})


def renumber(site: Site, but: Sequence[Element] = ()) -> bool:
    """Number the PCI controllers of the list but some without gaps, in the addresses that name their buses too."""
    left = [element for element in site.controllers if element not in but]
    indexes = {element: parse_number(element.get("index") or "") for element in left}
    numbers = sorted({number for number in indexes.values() if number is not None})
    new = {number: place for place, number in enumerate(numbers, start=0 if 0 in numbers else 1)}
    for element, number in indexes.items():
        if number is not None and new[number] != number:
            site.editor.set_attribute(element, "index", str(new[number]))
    site.rename_buses({old: number for old, number in new.items() if old != number})
    return any(old != number for old, number in new.items())


# the guest


def with_acpi(site: Site) -> bool:
    """Add ``<acpi/>`` to the ``<features>``."""
    features = site.root.find("features")
    if features is not None:
        site.editor.append_child(features, Fragment("acpi"))
    else:
        site.editor.append_child(site.root, Fragment("features", children=(Fragment("acpi"),)))
    return True


def boot_from_disk(site: Site) -> bool:
    """Let the firmware boot from the first disk, too."""
    os = site.root.find("os")
    if os is None:
        return False
    site.editor.append_child(os, Fragment("boot", {"dev": "hd"}))
    return True


def write_machine(site: Site, machine: str, arch: str = "") -> bool:
    """Write another machine type."""
    kind = site.guest.machine_origin
    if kind is None:
        return False
    site.editor.set_attribute(kind, "machine", machine)
    if arch:
        site.editor.set_attribute(kind, "arch", arch)
    return True


def add_cell(site: Site, number: str) -> bool:
    """Add a NUMA cell: the next one, since libvirt numbers them without gaps."""
    if sorted(site.guest.numa_nodes) != list(range(int(number))):
        return False
    cell = Fragment("cell", {"id": number, "memory": "512", "unit": "MiB"})
    cpu = site.root.find("cpu")
    numa = cpu.find("numa") if cpu is not None else None
    if numa is not None:
        site.editor.append_child(numa, cell)
    elif cpu is not None:
        site.editor.append_child(cpu, Fragment("numa", children=(cell,)))
    else:
        site.editor.append_child(site.root, Fragment("cpu", children=(Fragment("numa", children=(cell,)),)))
    return True


def as_video(site: Site, model: str) -> bool:
    """Make a video device one of another model, with nothing of the old one's."""
    found = site.element.find("model")
    if found is None:
        return False
    for name in found.attrib:
        if name not in ("type", "heads", "primary"):
            site.editor.remove_attribute(found, name)
    site.editor.set_attribute(found, "type", model)
    return True


def hotplug_on(site: Site, elements: list[Element]) -> bool:
    """Take ``hotplug='off'`` out of controllers."""
    done = False
    for element in elements:
        for target in element.findall("target"):
            if target.get("hotplug") == "off":
                done |= drop_option(site, target, "hotplug")
    return done


def other_version(site: Site, version: str) -> bool:
    """Let another version of libvirt judge the document."""
    site.libvirt = version
    return True
