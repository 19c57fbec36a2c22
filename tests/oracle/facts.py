"""Reduce an addressed domain XML to the facts that two answers can be compared by.

A fact is kept of every PCI controller, and of every device or other controller that has a
PCI address. Facts are plain JSON, by label:

    {"pci:1": {"model": "pcie-root-port", "name": "pcie-root-port",
               "target": {"chassis": 1, "port": 16},
               "address": "0000:00:02.0", "multifunction": "on"},
     "disk:vda": {"model": "virtio", "address": "0000:01:00.0"}}

Numbers are compared as numbers: ``0x10`` and ``16`` are the same port. An address that was
left empty reads ``"?"``. On s390 there is ``"zpci": {"fid": 0, "uid": 1}`` too.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter

Fact = dict[str, object]
Facts = dict[str, Fact]

ABOUT_PCI = re.compile(r"pci|integrated device|no master usb controller|in element 'address'", re.IGNORECASE)

# element -> (child, attribute) that holds the model; others have it as their own `model`
MODEL_AT: dict[str, tuple[str, str]] = {
    "disk": ("target", "bus"),
    "interface": ("model", "type"),
    "video": ("model", "type"),
    "filesystem": ("driver", "type"),
    "shmem": ("model", "type"),
    "serial": ("target", "type"),
    "hostdev": ("", "type"),
    "input": ("", "bus"),
}


def about_pci(error: str) -> bool:
    """Tell whether this refusal of libvirt's is about PCI addresses or controllers."""
    return bool(ABOUT_PCI.search(error))


def facts(xml: str | bytes) -> Facts:
    """Return the facts of an addressed domain XML, in document order."""
    found: Facts = {}
    places: Counter[str] = Counter()
    for element in ET.fromstring(xml).iterfind("./devices/*"):
        label = _label(element, places)
        fact = _fact(element)
        if fact is not None:
            while label in found:  # a disk target twice, say: libvirt would refuse it
                label += "'"
            found[label] = fact
    return found


def differences(expected: Facts, actual: Facts) -> list[str]:
    """Return one line for each thing that differs; none when the two agree."""
    lines = []
    for label in dict.fromkeys([*expected, *actual]):
        mine, theirs = expected.get(label), actual.get(label)
        if mine is None or theirs is None:
            side = "missing" if theirs is None else "not expected"
            lines.append(f"{label}: {side}: {mine or theirs}")
            continue
        for field in dict.fromkeys([*mine, *theirs]):
            if mine.get(field) != theirs.get(field):
                lines.append(f"{label}: {field}: expected {mine.get(field)!r}, got {theirs.get(field)!r}")
    return lines


def _label(element: ET.Element, places: Counter[str]) -> str:
    """Return the name of a device; counts it among its kind in `places`."""
    tag = element.tag
    place = places[tag]
    places[tag] += 1
    if tag == "controller":
        kind, model = element.get("type", "?"), element.get("model", "")
        label = f"{kind}:{int(element.get('index', '0'))}"  # an index is decimal, even 010
        return f"{label}:{model}" if model.startswith("ich9-") else label
    target = element.find("target")
    if tag == "disk" and target is not None:
        return f"disk:{target.get('dev')}"
    return f"{tag}:{place}"


def _fact(element: ET.Element) -> Fact | None:
    """Return what there is to compare, or None when it has nothing to do with PCI."""
    address = element.find("address")
    has_address = address is not None and address.get("type") == "pci"
    is_pci_controller = element.tag == "controller" and element.get("type") == "pci"
    if not has_address and not is_pci_controller:
        return None
    fact: Fact = {"model": _model(element)}
    if is_pci_controller:
        fact |= _controller_fact(element)
    if address is not None and has_address:
        fact["address"] = _address_text(address)
        if address.get("multifunction") is not None:
            fact["multifunction"] = address.get("multifunction")
        zpci = address.find("zpci")
        if zpci is not None and zpci.attrib:
            fact["zpci"] = {name: _number(value) for name, value in sorted(zpci.attrib.items())}
    return fact


def _controller_fact(element: ET.Element) -> Fact:
    fact: Fact = {}
    model = element.find("model")
    if model is not None:
        fact["name"] = model.get("name")
    target = element.find("target")
    if target is not None and (target.attrib or len(target)):
        fact["target"] = {name: _number(value) for name, value in sorted(target.attrib.items())}
        node = target.findtext("node")
        if node is not None:
            fact["node"] = _number(node.strip())
    return fact


def _model(element: ET.Element) -> str | None:
    child, attribute = MODEL_AT.get(element.tag, ("", "model"))
    holders = element.findall(child) if child else [element]
    return next((text for holder in holders if (text := holder.get(attribute)) is not None), None)


def _address_text(address: ET.Element) -> str:
    if not {"domain", "bus", "slot", "function"} & set(address.attrib):
        return "?"
    domain, bus, slot, function = (_number(address.get(part, "0")) for part in ("domain", "bus", "slot", "function"))
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def _number(text: str) -> int | str:
    """Return the number that libvirt reads: decimal, 0x.., or octal with a leading 0."""
    try:
        if re.fullmatch(r"0[0-7]+", text):
            return int(text, 8)
        return int(text, 0)
    except ValueError:
        return text
