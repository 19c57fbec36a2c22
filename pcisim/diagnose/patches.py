"""Findings mended in the document itself.

Each finding that can be mended mechanically has ways to do so, tried in order.  A way counts when the
edited document, diagnosed anew, no longer has the finding and has no error that it did not have before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from pcisim.address import MAX_BUS, parse_number
from pcisim.catalogue.controllers import PCI_CONTROLLERS, TARGET_RANGES
from pcisim.diagnose.diagnosis import Diagnosis, controllers_to_paste, examine
from pcisim.diagnose.finding import Finding
from pcisim.formats._splice import Editor, Fragment
from pcisim.formats._xml import Element
from pcisim.guest import Controller

_MOST_MENDED = 50


class _Site:
    """Where a finding is mended.

    Attributes:
        editor: takes the edits.
        finding: what is to be mended.
        element: the element that the finding is about.
        diagnosis: all findings of the document.
        libvirt: whose rules.
    """

    def __init__(self, finding: Finding, diagnosis: Diagnosis, libvirt: str) -> None:
        assert diagnosis.guest is not None
        self.guest = diagnosis.guest
        self.document = diagnosis.guest.document
        self.editor = Editor(self.document)
        self.finding = finding
        self.diagnosis = diagnosis
        self.libvirt = libvirt
        self.element: Element | None = diagnosis.origins.get(finding)

    @property
    def controllers(self) -> list[Element]:
        """Return the PCI controllers of the document."""
        devices = self.document.root.find("devices")
        rows = devices.findall("controller") if devices is not None else []
        return [element for element in rows if element.get("type") == "pci"]

    def labelled(self, label: str) -> Element | None:
        """Return the element of a device of the placed guest by its label."""
        placement = self.diagnosis.placement
        devices = (placement.guest if placement is not None else self.guest).all_devices()
        return next((d.origin for d in devices if d.label == label and d.origin is not None), None)

    def add_controller(self, model: str, index: int | None, before: Element | None = None) -> None:
        """Add a PCI controller: before an element, or after the last one."""
        number = {} if index is None else {"index": str(index)}
        fragment = Fragment("controller", {"type": "pci", **number, "model": model})
        rows = self.controllers
        devices = self.document.root.find("devices")
        if before is not None:
            self.editor.insert_before(before, fragment)
        elif rows:
            self.editor.insert_after(rows[-1], fragment)
        elif devices is not None:
            self.editor.append_child(devices, fragment)
        else:
            self.editor.append_child(self.document.root, Fragment("devices", children=(fragment,)))

    def rename_buses(self, new: Mapping[int, int]) -> None:
        """Change the bus in every PCI address that names one of these."""
        devices = self.document.root.find("devices")
        for element in devices.children if devices is not None else ():
            address = element.find("address")
            if address is not None and address.get("type") == "pci":
                bus = parse_number(address.get("bus") or "0")
                if bus is not None and bus in new:
                    self.editor.set_attribute(address, "bus", f"{new[bus]:#04x}")


_Way = Callable[[_Site, Element], bool]


def patched(
    document: str | bytes, before: Diagnosis, codes: frozenset[str], libvirt: str
) -> tuple[str | bytes, int, Diagnosis]:
    """Mend findings in a document.

    Args:
        document: domain XML.
        before: its diagnosis.
        codes: which findings.
        libvirt: whose rules.

    Returns:
        The document, how many findings were mended, and its new diagnosis.
    """
    mended = 0
    for _ in range(_MOST_MENDED):
        step = _one(before, codes, libvirt)
        if step is None:
            break
        document, before = step
        mended += 1
    return document, mended, before


def _one(before: Diagnosis, codes: frozenset[str], libvirt: str) -> tuple[str | bytes, Diagnosis] | None:
    known = {(finding.code, finding.headline) for finding in before.errors}
    for finding in before.findings:
        if finding.code not in codes:
            continue
        for document in _tries(finding, before, libvirt):
            after = examine(document, libvirt=libvirt)
            gone = all((f.code, f.parties) != (finding.code, finding.parties) for f in after.findings)
            if after.readable and gone and known.issuperset((f.code, f.headline) for f in after.errors):
                return document, after
    return None


def _tries(finding: Finding, diagnosis: Diagnosis, libvirt: str) -> Iterator[str | bytes]:
    if diagnosis.guest is None or diagnosis.guest.document is None:
        return
    for way in _WAYS.get(finding.code, ()):
        site = _Site(finding, diagnosis, libvirt)
        element = site.element if site.element is not None else site.document.root
        if way(site, element):
            yield site.editor.apply()


def _drop_address(site: _Site, element: Element) -> bool:
    address = element.find("address")
    if address is None or element is site.document.root:
        return False
    site.editor.remove(address)
    return True


def _drop_acpi_index(site: _Site, element: Element) -> bool:
    acpi = element.find("acpi")
    if acpi is None:
        return False
    site.editor.remove(acpi)
    return True


def _drop_index(site: _Site, element: Element) -> bool:
    if element.get("index") is None:
        return False
    site.editor.remove_attribute(element, "index")
    return True


def _drop_model_name(site: _Site, element: Element) -> bool:
    models = element.findall("model")
    for model in models:
        site.editor.remove(model)
    return bool(models)


def _drop_options(site: _Site, element: Element) -> bool:
    """Take out every option of ``<target>`` that the controller cannot have."""
    row = PCI_CONTROLLERS.get(element.get("model") or "")
    bad = []
    for target in element.findall("target"):
        for option, text in target.attrib.items():
            low, high = TARGET_RANGES.get(option, (0, 0))
            number = parse_number(text) or 0
            if row is not None and (option not in row.options or (high and not low <= number <= high)):
                bad.append((target, option))
    for target, option in bad:
        if len(target.attrib) == 1 and not target.children:
            site.editor.remove(target)
        else:
            site.editor.remove_attribute(target, option)
    return bool(bad)


def _hotplug_on(site: _Site, element: Element) -> bool:
    done = False
    for target in element.findall("target"):
        if target.get("hotplug") == "off":
            site.editor.set_attribute(target, "hotplug", "on")
            done = True
    return done


def _as_told(site: _Site, element: Element) -> bool:
    """Write the ``<target>`` numbers, the ACPI index or the parts of the address that the remedy names."""
    remedy = site.finding.remedy
    done = False
    for option, number, label in re.findall(r"<target (\w+)='(\d+)'/> in (\S+?)(?=,|$)", remedy):
        controller = site.labelled(label)
        if controller is None:
            return False
        _set_target(site.editor, controller, option, number)
        done = True
    acpi = element.find("acpi")
    for number in re.findall(r"<acpi index='(\d+)'/>", remedy):
        if acpi is not None:
            site.editor.set_attribute(acpi, "index", number)
            done = True
    address = element.find("address")
    if address is not None and "in the address of" in remedy:
        for name, value in re.findall(r"(function|multifunction)='(\w+)'", remedy):
            site.editor.set_attribute(address, name, value)
            done = True
    return done


def _set_target(editor: Editor, controller: Element, option: str, number: str) -> None:
    targets = controller.findall("target")
    chosen = next((t for t in targets if option in t.attrib), targets[-1] if targets else None)
    address = controller.find("address")
    if chosen is not None:
        editor.set_attribute(chosen, option, number)
    elif address is not None:
        editor.insert_before(address, Fragment("target", {option: number}))
    else:
        editor.append_child(controller, Fragment("target", {option: number}))


def _list_root(site: _Site, element: Element) -> bool:
    root, rows = site.guest.machine.root, site.controllers
    if root is None or not rows:
        return False
    if parse_number(element.get("index") or "") == 0 and element in rows:
        site.editor.remove_attribute(element, "index")
    site.add_controller(root, 0, before=rows[0])
    return True


def _index_0(site: _Site, element: Element) -> bool:
    site.editor.set_attribute(element, "index", "0")
    return True


def _paste_controllers(site: _Site, _element: Element) -> bool:
    made = controllers_to_paste(site.guest, site.libvirt)
    rows = site.controllers
    for controller in made:
        first = rows[0] if rows and not controller.index else None
        site.add_controller(controller.model, controller.index, before=first)
    return bool(made)


def _one_more(site: _Site, element: Element) -> bool:
    """Add the controller that the remedy names."""
    found = re.search(r"<controller type='pci' index='(\d+)' model='([\w-]+)'/>( before)?", site.finding.remedy)
    if found is None:
        return False
    before = element if found[3] and element in site.controllers else None
    site.add_controller(found[2], int(found[1]), before=before)
    return True


def _port_before(site: _Site, element: Element) -> bool:
    """Give the bridge's index to a new root port, and the bridge a higher one."""
    index = parse_number(element.get("index") or "")
    if not index or element not in site.controllers or not site.guest.express:
        return False
    highest = max((d.index or 0 for d in site.guest.controllers if d.type == "pci"), default=0)
    site.add_controller("pcie-root-port", index, before=element)
    site.editor.set_attribute(element, "index", str(highest + 1))
    if element.get("model") == "pci-bridge":
        site.editor.set_attribute(element, "model", "pcie-to-pci-bridge")
        for target in element.findall("target"):
            site.editor.remove(target)
        for model in element.findall("model"):
            site.editor.remove(model)
    site.rename_buses({index: highest + 1})
    return highest < MAX_BUS


def _swap_indexes(site: _Site, element: Element) -> bool:
    """Let two controllers change their indexes, in the addresses that name their buses too."""
    placement = site.diagnosis.placement
    if placement is None or len(site.finding.parties) < 2:
        return False
    controllers = {d.label: d for d in placement.guest.controllers}
    one, other = (controllers.get(label) for label in site.finding.parties[:2])
    if not isinstance(one, Controller) or not isinstance(other, Controller) or other.origin is None:
        return False
    a, b = one.index or 0, other.index or 0
    site.editor.set_attribute(element, "index", str(b))
    site.editor.set_attribute(other.origin, "index", str(a))
    site.rename_buses({a: b, b: a})
    return True


def _usb_master(site: _Site, element: Element) -> bool:
    index = {"index": element.get("index") or "0"}
    if element is site.document.root:
        return False
    site.editor.insert_before(element, Fragment("controller", {"type": "usb", **index, "model": "ich9-ehci1"}))
    return True


def _usb_function_0(site: _Site, element: Element) -> bool:
    found = re.search(r"index='(\d+)'", site.finding.remedy)
    if found is None or element is site.document.root:
        return False
    master = Fragment("master", {"startport": "0"})
    attributes = {"type": "usb", "index": found[1], "model": "ich9-uhci1"}
    site.editor.insert_after(element, Fragment("controller", attributes, children=(master,)))
    return True


def _with_acpi(site: _Site, _element: Element) -> bool:
    root = site.document.root
    features = root.find("features")
    if features is not None:
        site.editor.append_child(features, Fragment("acpi"))
    else:
        site.editor.append_child(root, Fragment("features", children=(Fragment("acpi"),)))
    return True


def _virtio_video(site: _Site, element: Element) -> bool:
    model = element.find("model")
    if model is None:
        return False
    for name in model.attrib:
        if name not in ("type", "heads", "primary"):
            site.editor.remove_attribute(model, name)
    site.editor.set_attribute(model, "type", "virtio")
    return True


_ADDRESS = (_drop_address,)
_WAYS: Mapping[str, tuple[_Way, ...]] = MappingProxyType(
    {
        "slot-occupied": _ADDRESS,
        "wrong-plug": _ADDRESS,
        "not-integrated": _ADDRESS,
        "slot-range": _ADDRESS,
        "bus-missing": _ADDRESS,
        "domain-range": _ADDRESS,
        "fixed-place": _ADDRESS,
        "root-address": _ADDRESS,
        "wrong-address-type": _ADDRESS,
        "address-range": _ADDRESS,
        "bad-number": _ADDRESS,
        "bad-attribute": _ADDRESS,
        "address-type": _ADDRESS,
        "chipset-function": _ADDRESS,
        "acpi-index": (_drop_acpi_index,),
        "duplicate-index": (_drop_index,),
        "wrong-root": (_list_root, _drop_address),
        "root-index": (_index_0,),
        "wrong-option": (_drop_options,),
        "target-range": (_drop_options,),
        "wrong-model-name": (_drop_model_name,),
        "no-more-slots": (_paste_controllers,),
        "index-range": (_paste_controllers,),
        "no-slot-for-controller": (_paste_controllers,),
        "cannot-grow": (_paste_controllers, _port_before),
        "bridge-order": (_drop_address, _port_before),
        "bus-before-controller": (_swap_indexes, _one_more, _port_before),
        "usb-no-master": (_usb_master,),
        "needs-acpi": (_with_acpi,),
        "secondary-video": (_virtio_video,),
        "single-function": (_as_told,),
        "orphan-function": (_as_told,),
        "duplicate-chassis": (_as_told,),
        "duplicate-bus-nr": (_as_told,),
        "too-many-buses": (_as_told,),
        "bus-numbers-no-boot": (_as_told,),
        "bus-numbers-overlap": (_as_told,),
        "duplicate-acpi-index": (_as_told,),
        "acpi-index-range": (_as_told,),
        "companion-orphan": (_usb_function_0,),
        "hotplug-off": (_hotplug_on,),
        "no-hot-slot": (_one_more,),
    }
)
"""The ways to mend each finding; what is not here takes a decision that only its owner can make."""

MENDED = frozenset(_WAYS)
