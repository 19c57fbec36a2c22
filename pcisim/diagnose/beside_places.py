"""The words of remedies that are about no place, and the edits that they mean: aliases, sources, memory, threads."""

from __future__ import annotations

import re
from collections.abc import Callable

from pcisim.address import parse_number
from pcisim.diagnose import edits as e
from pcisim.diagnose.edits import Site
from pcisim.formats.xml.document import Element
from pcisim.formats.xml.editor import Fragment
from pcisim.libvirt.drives import drive_of

Said = Callable[[Site, "re.Match[str]"], bool]
"""Does in a document what matched words say; returns whether it could."""


# the guest


def _of_guest(site: Site, said: re.Match[str]) -> bool:
    """Take elements of the guest out that are no devices."""
    parents = site.root.findall(said["parent"]) if said["parent"] else [site.root]
    return e.take_out(site, [child for parent in parents for child in parent.findall(said["tag"])])


def _share_memory(site: Site, _said: re.Match[str]) -> bool:
    """Let other processes share the memory of the guest."""
    source, access = Fragment("source", {"type": "memfd"}), Fragment("access", {"mode": "shared"})
    backing = site.root.find("memoryBacking")
    if backing is None:
        site.editor.append_child(site.root, Fragment("memoryBacking", children=(source, access)))
        return True
    former = backing.find("access")
    if former is not None:
        site.editor.set_attribute(former, "mode", "shared")
    else:
        site.editor.append_child(backing, access)
    return True


def _maximum(site: Site, _said: re.Match[str]) -> bool:
    """Say how much memory there may be, and how many slots."""
    e.take_out(site, site.root.findall("maxMemory"))
    site.editor.append_child(site.root, Fragment("maxMemory", {"slots": "16", "unit": "GiB"}, text="64"))
    return True


def _more_slots(site: Site, _said: re.Match[str]) -> bool:
    maximum = site.root.find("maxMemory")
    if maximum is None:
        return False
    site.editor.set_attribute(maximum, "slots", "64")
    return True


def _thread(site: Site, said: re.Match[str]) -> bool:
    """Give the guest an I/O thread of a number."""
    listed, counted = site.root.find("iothreadids"), site.root.find("iothreads")
    one = Fragment("iothread", {"id": said[1]})
    if listed is not None:
        site.editor.append_child(listed, one)
    elif counted is not None:
        site.editor.replace(counted, Fragment("iothreads", text=said[1]))
    else:
        site.editor.append_child(site.root, Fragment("iothreadids", children=(one,)))
    return True


def _uefi(site: Site, _said: re.Match[str]) -> bool:
    systems = site.root.findall("os")
    for system in systems[:1]:
        site.editor.set_attribute(system, "firmware", "efi")
    return bool(systems)


def _graphics(site: Site, _said: re.Match[str]) -> bool:
    devices = site.root.find("devices")
    if devices is None:
        return False
    site.editor.append_child(devices, Fragment("graphics", {"type": "vnc"}))
    return True


# one device


def _child(site: Site, fragment: Fragment) -> bool:
    """Put a child into the finding's element, instead of those of its name."""
    if site.element is site.root:
        return False
    e.take_out(site, site.element.findall(fragment.tag))
    site.editor.append_child(site.element, fragment)
    return True


def _in_child(site: Site, said: re.Match[str]) -> bool:
    children = e.children_named(site, said[3])
    for child in children[:1]:
        site.editor.set_attribute(child, said[1], said[2])
    return bool(children)


def _share_directory(site: Site, _said: re.Match[str]) -> bool:
    former = [value for source in e.children_named(site, "source") for value in source.attrib.values()]
    source = Fragment("source", {"dir": former[0] if former else "/srv"})
    return e.write_attribute(site, "type", "mount") and _child(site, source)


def _pci_serial(site: Site, _said: re.Match[str]) -> bool:
    return _child(site, Fragment("target", {"type": "pci-serial"}))


def _without(site: Site, name: str, *where: str) -> bool:
    """Take an attribute out of the finding's element, or of the children that a path leads to."""
    holders = [element for element in e.children_named(site, *where) if name in element.attrib]
    for element in holders:
        site.editor.remove_attribute(element, name)
    return bool(holders)


def _without_thread(site: Site, _said: re.Match[str]) -> bool:
    mapped = e.children_named(site, "driver", "iothreads")
    return any([_without(site, "iothread", "driver"), e.take_out(site, mapped)])


def _node(site: Site, said: re.Match[str]) -> bool:
    """Put a memory device on a NUMA node that there is."""
    targets = e.children_named(site, "target")
    for target in targets:
        e.take_out(site, target.findall("node"))
        site.editor.append_child(target, Fragment("node", text=str(min(site.guest.numa_nodes, default=0))))
    return bool(targets and said)


def _port(site: Site, _said: re.Match[str]) -> bool:
    """Give a serial port on ISA a number that no other has."""
    used = {target.get("port") for d in site.devices if d.tag == site.element.tag for target in d.findall("target")}
    free = next((str(number) for number in range(4) if str(number) not in used), None)
    targets = e.children_named(site, "target")
    if site.element.tag not in ("serial", "parallel") or not targets or free is None:
        return False
    site.editor.set_attribute(targets[0], "port", free)
    return True


def _of_controller(site: Site, said: re.Match[str]) -> bool:
    """Write the model of the controller that a drive address names."""
    controller = site.labelled(site.finding.parties[1]) if len(site.finding.parties) > 1 else None
    if controller is None or controller.tag != "controller":
        return False
    return e.write_attribute(site, "model", said[1], controller)


# one of several


def _numbers(site: Site, tag: str, name: str) -> set[int | None]:
    """Return the numbers that an attribute of a child has in all devices."""
    return {parse_number(found.get(name) or "") for d in site.devices for found in d.findall(tag)}


def _other_order(site: Site, _said: re.Match[str]) -> bool:
    used = _numbers(site, "boot", "order")
    free = next(number for number in range(1, len(used) + 2) if number not in used)
    boots = e.children_named(site, "boot")
    for boot in boots[:1]:
        site.editor.set_attribute(boot, "order", str(free))
    return bool(boots)


def _other_alias(site: Site, _said: re.Match[str]) -> bool:
    used = {alias.get("name") for d in site.devices for alias in d.findall("alias")}
    aliases = e.children_named(site, "alias")
    for alias in aliases[:1]:
        names = (f"{alias.get('name')}-{number}" for number in range(2, len(used) + 3))
        site.editor.set_attribute(alias, "name", next(name for name in names if name not in used))
    return bool(aliases)


def _other_unit(site: Site, _said: re.Match[str]) -> bool:
    """Give a disk or a SCSI host device the first unit of its controller that is free."""
    address = site.element.find("address") if site.element is not site.root else None
    drives = {d.origin: drive for d in site.guest.all_devices() if (drive := drive_of(d)) is not None}
    own = drives.get(site.element)
    if address is None or own is None:
        return False
    used = {drive[3] for drive in drives.values() if drive[:3] == own[:3]}
    free = next(unit for unit in range(len(used) + 2) if unit not in used and unit != _ADAPTERS_OWN)
    site.editor.set_attribute(address, "unit", str(free))
    return True


_ADAPTERS_OWN = 7
"""The unit of a SCSI bus that the controller itself has."""


def _not_primary(site: Site, _said: re.Match[str]) -> bool:
    others = [model for device in _others(site) for model in device.findall("model") if "primary" in model.attrib]
    for model in others:
        site.editor.remove_attribute(model, "primary")
    return bool(others)


def _others(site: Site) -> list[Element]:
    """Return the other devices of the kind."""
    return [device for device in site.devices if device.tag == site.element.tag and device is not site.element]


def _from_one(site: Site, _said: re.Match[str]) -> bool:
    """Write a number instead of 0 into the attribute that the headline speaks of."""
    found = re.search(r"attribute '([\w:-]+)' in element '([\w:-]+)'", site.finding.headline)
    if found is None or site.element is site.root:
        return False
    name, tag = found[1], found[2]
    rest = [site.element]
    while rest:
        element = rest.pop(0)
        if element.tag == tag and parse_number(element.get(name) or "") == 0:
            used = _numbers(site, tag, name)
            site.editor.set_attribute(element, name, str(next(n for n in range(1, len(used) + 2) if n not in used)))
            return True
        rest += element.children
    return False


def _serial(site: Site, said: re.Match[str]) -> bool:
    """Give a controller a serial number."""
    controller = next((c for c in site.guest.controllers if c.label in site.finding.parties), None)
    element = site.element if controller is None or controller.origin is None else controller.origin
    site.editor.append_child(element, Fragment("serial", text="1"))
    return True


PHRASES: tuple[tuple[str, Said], ...] = (
    (r"write <memoryBacking>.*", _share_memory),
    (r"write <maxMemory .*", _maximum),
    (r"give <maxMemory> more slots", _more_slots),
    (r"add <iothreads>(\d+)</iothreads>", _thread),
    (r"write <os firmware='efi'>", _uefi),
    (r"add <graphics>", _graphics),
    (r"add <serial>\.\.\.</serial> to the controller", _serial),
    (r"take <(?P<tag>acpi|boot|maxMemory)/?> out(?: of <(?P<parent>\w+)>)?", _of_guest),
    (r"take its <(boot|alias)> out", lambda s, m: e.take_out(s, e.children_named(s, m[1]))),
    (r"take (display|ramfb)='on' out", lambda s, m: _without(s, m[1])),
    (r"write (ramfb)='off' for one of the two", lambda s, m: e.write_attribute(s, m[1], "off")),
    (r"take iothread='...' out of its <driver>|take the I/O thread out", _without_thread),
    (r"take primary='yes' out of the others", _not_primary),
    (r"take the others out", lambda s, m: e.take_out(s, _others(s))),
    (r"give it <address type='(\w+)'/>", lambda s, m: e.address_of_type(s, s.element, m[1])),
    (r"give one of the two another unit|give one of the two another address", _other_unit),
    (r"give one of the two another alias", _other_alias),
    (r"give one of the two another order", _other_order),
    (r"count from 1", _from_one),
    (r"write (\w+)='(\w+)' in its <(\w+)>", _in_child),
    (r"write type='mount' and <source dir='\.\.\.'/>", _share_directory),
    (r"write <source (dir|file|dev|name)='\.\.\.'.*", lambda s, m: _child(s, Fragment("source", {m[1]: "/srv"}))),
    (r"add <target dir='\.\.\.'/>", lambda s, m: _child(s, Fragment("target", {"dir": "share"}))),
    (r"use <target type='pci-serial'/>", _pci_serial),
    (r"add <target><node>0</node></target>|name a node that <cpu><numa> has", _node),
    (r"name another port", _port),
    (r"leave it out", lambda s, m: _without(s, "port", "target")),
    (r"use model='([\w-]+)'(?: or model='[\w-]+')?", _of_controller),
)
"""By what is said, as in `pcisim.diagnose.phrases`."""
