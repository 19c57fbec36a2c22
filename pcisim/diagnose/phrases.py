"""The words of remedies, and the edit of the document that each of them means.

The refusals and the rules say what to do, one way out or several; a row of `PHRASES`, or of those of
`pcisim.diagnose.beside_places`, knows how to do it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from itertools import product
from string import ascii_lowercase

from pcisim.address import parse_number
from pcisim.diagnose import edits as e
from pcisim.diagnose.beside_places import PHRASES as BESIDE_PLACES
from pcisim.diagnose.beside_places import Said
from pcisim.diagnose.edits import Edit, Site
from pcisim.diagnose.rules import NEWER_MACHINE
from pcisim.formats.xml.editor import Fragment


def _attributes(site: Site, said: re.Match[str]) -> bool:
    element = site.labelled(said["of"]) if said["of"] else site.element
    pairs = re.findall(r"(\w+)='([^']*)'", said["pairs"])
    return element is not None and all(e.write_attribute(site, name, value, element) for name, value in pairs)


def _targets(site: Site, said: re.Match[str]) -> bool:
    found = re.findall(r"<target (\w+)='(\d+)'/> in (\S+?)(?=,|$)", said[0])
    return bool(found) and all(e.write_target(site, site.labelled(label), name, n) for name, n, label in found)


def _without_boot_orders(site: Site, _said: re.Match[str]) -> bool:
    elements = [site.labelled(label) for label in site.finding.parties]
    return e.take_out(site, [boot for element in elements if element is not None for boot in element.findall("boot")])


def _address_of(site: Site, said: re.Match[str]) -> bool:
    return e.drop_address(site, site.labelled(said["of"]) if said["of"] else site.element)


def _whole_address(site: Site, said: re.Match[str]) -> bool:
    bus, slot, function = (int(said[name], 16) for name in ("bus", "slot", "function"))
    return e.write_attribute(site, "domain", "0x0000") and e.write_address(site, bus=bus, slot=slot, function=function)


def _acpi_indexes(site: Site, _said: re.Match[str]) -> bool:
    """Give each party an ACPI index that nobody has."""
    used = {acpi.get("index") for element in site.devices for acpi in element.findall("acpi")}
    for label in site.finding.parties:
        element = site.labelled(label)
        if element is None:
            return False
        number = next(str(n) for n in range(1, len(used) + 2) if str(n) not in used)
        used.add(number)
        acpi = element.find("acpi")
        if acpi is not None:
            site.editor.set_attribute(acpi, "index", number)
        else:
            site.editor.append_child(element, Fragment("acpi", {"index": number}))
    return True


def _acpi_index(site: Site, number: str) -> bool:
    acpi = site.element.find("acpi")
    if acpi is None:
        return False
    site.editor.set_attribute(acpi, "index", number)
    return True


def _named_element(site: Site, said: re.Match[str]) -> bool:
    tag = said[1]
    return e.take_out(site, e.children_named(site, tag) or e.children_named(site, "address", tag))


def _model(site: Site) -> bool:
    """Take out what says of which model a device is."""
    models = e.children_named(site, "model") or e.children_named(site, "target", "model")
    if not models and "model" in site.element.attrib:
        site.editor.remove_attribute(site.element, "model")
        return True
    return e.take_out(site, models)


def _required(site: Site, said: re.Match[str]) -> bool:
    """Write ``<model name>``, and the index as every number that ``<target>`` has to say."""
    index = site.element.get("index") or "1"
    options = re.findall(r"(\w+)=\.\.\.", said[2] or "")
    return e.write_model(site, "name", said[1]) and all(e.write_target(site, site.element, o, index) for o in options)


def _other_index(site: Site) -> bool:
    kind = site.element.get("type")
    numbers = [d.index or 0 for d in site.guest.controllers if d.type == kind]
    if site.element.tag != "controller":
        return False
    return e.write_attribute(site, "index", str(max([0, *numbers]) + 1))


def _without_attribute(site: Site, name: str) -> bool:
    if name not in site.element.attrib:
        return False
    site.editor.remove_attribute(site.element, name)
    return True


def _port_of_serial(site: Site, low: int, high: int) -> bool:
    address = site.element.find("address")
    used = {found.get("port") for other in site.devices if (found := other.find("address")) is not None}
    free = next((str(n) for n in range(low, high + 1) if str(n) not in used), None)
    if address is None or free is None:
        return False
    site.editor.set_attribute(address, "port", free)
    return True


def _zpci_number(site: Site, name: str) -> bool:
    zpci = next((found for found in e.children_named(site, "address", "zpci")), None)
    if zpci is None:
        return False
    used = {
        parse_number(found.get(name) or "")
        for element in site.devices
        for address in element.findall("address")
        for found in address.findall("zpci")
    }
    number = next(n for n in range(0x1000, 0xFFFF) if n not in used)
    site.editor.set_attribute(zpci, name, f"{number:#x}")
    return True


def _other_target(site: Site, prefix: str = "") -> bool:
    """Give a disk a target name that no other has."""
    target = site.element.find("target")
    if site.element.tag != "disk":
        return False
    used = {found.get("dev") for disk in site.devices if disk.tag == "disk" for found in disk.findall("target")}
    prefix = prefix or ((target.get("dev") or "vd") if target is not None else "vd")[:2]
    letters = [*ascii_lowercase, *map("".join, product(ascii_lowercase, repeat=2))]
    name = next(f"{prefix}{letter}" for letter in letters if f"{prefix}{letter}" not in used)
    if target is None:
        site.editor.append_child(site.element, Fragment("target", {"dev": name, "bus": "virtio"}))
    else:
        site.editor.set_attribute(target, "dev", name)
    return True


def _markup(site: Site, said: re.Match[str]) -> bool:
    """Add ``<source>`` with the address of a host's device."""
    pairs = dict(re.findall(r"(\w+)='([^']*)'", said[0]))
    for source in e.children_named(site, "source"):
        site.editor.remove(source)
    site.editor.append_child(site.element, Fragment("source", children=(Fragment("address", pairs),)))
    return site.element is not site.root


def _sample(site: Site, *values: str) -> bool:
    """Write a value into the attribute that the headline speaks of."""
    place = e.invalid_attribute(site)
    if place is None:
        return False
    site.editor.set_attribute(*place, values[0])
    return True


def _number(site: Site) -> bool:
    """Write the digits of what is no number as one."""
    place = e.invalid_attribute(site)
    if place is None:
        return False
    if place[1] == "slot" and place[0] in site.element.children:
        return e.slot_in_range(site, 1, 0x1F)
    number = parse_number((place[0].get(place[1]) or "").strip("-+ \t\n"))
    return _sample(site, str(number if number is not None and number < 8 else 1))


def _expected(site: Site) -> bool:
    found = re.search(r"Expected '([^']*)'", site.finding.headline)
    return found is not None and _sample(site, found[1])


def _missing(site: Site) -> bool:
    place = e.invalid_attribute(site)
    return place is not None and _sample(site, _SAMPLES.get(place, _SAMPLES.get(place[1], "")) or "1")


_SAMPLES: Mapping[object, str] = {"type": "pci", "model": "virtio", "dev": "vdz", "cssid": "0xfe"}
"""What an attribute may hold, by its name."""


def _part_in_range(site: Site, said: re.Match[str]) -> bool:
    """Write a number in range into the part of the address that the headline speaks of, the host's included."""
    name = said["part"]
    for address in (*e.children_named(site, "address"), *e.children_named(site, "source", "address")):
        number = parse_number(address.get(name) or "0")
        if number is not None and number > int(said["high"], 0):
            if name == "slot" and address in site.element.children:
                return e.slot_in_range(site, 1, 0x1F)
            site.editor.set_attribute(address, name, "0x0")
            return True
    if name == "uid":
        return _zpci_number(site, "uid")
    return False


def _one_element(site: Site) -> bool:
    """Write what two elements of a name say into the first."""
    for tag in ("target", "model"):
        found = e.children_named(site, tag)
        for other in found[1:]:
            for name, value in other.attrib.items():
                site.editor.set_attribute(found[0], name, value)
            site.editor.remove(other)
        if len(found) > 1:
            return True
    return False


def _bus_numbers(site: Site) -> bool:
    """Spread the expanders over the bus numbers."""
    expanders = [c for c in site.controllers if "expander" in (c.get("model") or "")]
    step = 0xF0 // (len(expanders) + 1)
    return bool(expanders) and all(
        e.write_target(site, c, "busNr", str(0xFE - step * place)) for place, c in enumerate(expanders, start=1)
    )


def _node(site: Site) -> bool:
    nodes = e.children_named(site, "target", "node")
    known = sorted(site.guest.numa_nodes)
    for node in nodes:
        if known:
            site.editor.replace(node, Fragment("node", text=str(known[0])))
    return bool(nodes and known)


def _cell_ids(site: Site) -> bool:
    """Give each NUMA cell whose id another one has an id that none has."""
    cells = [
        cell for cpu in site.root.findall("cpu") for numa in cpu.findall("numa")[:1] for cell in numa.findall("cell")
    ]
    free = (number for number in range(len(cells), 2 * len(cells)))
    seen: set[int | None] = set()
    for place, cell in enumerate(cells):
        number = parse_number(cell.get("id") or str(place))
        if number in seen:
            site.editor.set_attribute(cell, "id", str(next(free)))
        seen.add(number)
    return len(seen) < len(cells)


def _under(site: Site, policy: str) -> bool:
    site.policy = policy
    return True


def _alone(site: Site, said: re.Match[str]) -> bool:
    element = site.labelled(said[1])
    return e.drop_address(site, element) and (site.guest.acpi or e.with_acpi(site))


def _behind_a_port(site: Site) -> bool:
    site.add_controller("pcie-root-port", site.highest + 1)
    return site.guest.express and e.drop_address(site, site.element)


def _the_other_usb(site: Site) -> bool:
    usb = [c for c in site.devices if c.tag == "controller" and c.get("type") == "usb"]
    return e.take_out(site, [c for c in usb if c.get("model") != "none"])


def _usb_none(site: Site) -> bool:
    usb = [c for c in site.devices if c.tag == "controller" and c.get("type") == "usb"]
    return e.take_out(site, [c for c in usb if c.get("model") == "none"])


def _on_the_root(site: Site, said: re.Match[str]) -> bool:
    taken = site.written_slots(0)
    free = next((slot for slot in range(8, 0x1E) if slot not in taken), None)
    return free is not None and e.write_address(site, bus=0, slot=free, function=0) and bool(said)


_CLAUSES = re.compile(
    r"(?:, | )or (?=(?:leave|take|write|give|name|use|let|list|share|add|edit|put|make|ask|number|another|one|an"
    r"|move)\b)"
    r"|; (?=(?:leave|take|write|give|name|use|add)\b)"
)

UNTRIED = frozenset(
    {
        "nothing",
        NEWER_MACHINE,
        "attach it with --config, for the next boot",
        "leave their addresses out and assign with --group-by-host-slot",
        "leave the addresses out of those that are to be passed on, and assign without packing them",
        "write bus= and addr= of a place that 'pcisim tree' shows as free",
    }
)
"""What changes nothing that could be tried: it is sound as it is, a command says otherwise when it is given, or
pcisim does not read it."""


PHRASES: tuple[tuple[str, Said], ...] = (
    (r"leave the address(?: of (?P<of>\S+))? out", _address_of),
    (r"take the <address>(?P<of>) out", _address_of),
    (r"take the <boot> of the disks without a number out", _without_boot_orders),
    (r"write <boot dev='hd'/> in <os>", lambda s, _: e.boot_from_disk(s)),
    (
        r"take the first empty slot of bus \d+: (0x\w+)",
        lambda s, m: e.write_address(s, slot=int(m[1], 16), function=0),
    ),
    (r"share the slot: function='0x(\d)' is free", lambda s, m: e.write_address(s, function=int(m[1]))),
    (r"write \w{4}:(?P<bus>\w\w):(?P<slot>\w\w)\.(?P<function>\d)", _whole_address),
    (
        r"use a slot from (0x\w+) to (0x\w+)",
        lambda s, m: e.slot_in_range(s, int(m[1], 16), int(m[2], 16)),
    ),
    (r"give it an address with bus='0x00', or none", _on_the_root),
    (r"give each <cell> an id of its own", lambda s, m: _cell_ids(s)),
    (r"give (?:it )?one of type '?(\w+)'?", lambda s, m: e.address_of_type(s, s.element, m[1])),
    (
        r"write type='pci'",
        lambda s, m: (
            bool(e.children_named(s, "address"))
            and e.write_attribute(s, "type", "pci", e.children_named(s, "address")[0])
        ),
    ),
    (r"write model='virtio' or model='virtio-non-transitional'", lambda s, m: e.write_attribute(s, "model", "virtio")),
    (r"write (?P<pairs>(?:\w+='[^']*' ?)+)(?: ?in (?:the address of )?(?P<of>\S+?))?", _attributes),
    (r"write <target busNr='\.\.\.'/> on each expander", lambda s, m: _bus_numbers(s)),
    (r"write <target .*", _targets),
    (r"write <acpi index='(\d+)'/> in \S+", lambda s, m: _acpi_index(s, m[1])),
    (r"number the devices from 1", lambda s, m: _acpi_indexes(s, m) if s.finding.parties else _acpi_index(s, "1")),
    (r"(?:give each )?an <acpi index='N'/>(?: of its own)?", _acpi_indexes),
    (r"take '(\w+)' out of <target>", lambda s, m: e.drop_options(s)),
    (
        r"take the <node> out",
        lambda s, m: any(e.drop_option(s, t, "node") for t in e.children_named(s, "target")),
    ),
    (
        r"leave the target's index out",
        lambda s, m: any(e.drop_option(s, t, "index") for t in e.children_named(s, "target")),
    ),
    (r"(?:leave <model>|take the model) out|take it out", lambda s, m: _model(s)),
    (r"write <model name='([\w-]+)'/>(?: and <target (.*)/>)?", _required),
    (r"write <model type='([\w-]+)'/>", lambda s, m: e.write_model(s, "type", m[1])),
    (r"write <target type='([\w-]+)'/?>", lambda s, m: e.write_target(s, s.element, "type", m[1])),
    (r"write a number from (\d+) to (\d+)", lambda s, m: e.number_in_range(s, int(m[1]), int(m[2]))),
    (r"take the <(\w+)> element out", _named_element),
    (
        r"take <graphics> out",
        lambda s, m: e.take_out(s, [d for d in s.devices if d.tag == "graphics"]),
    ),
    (r"give (?:one of them|it) another index", lambda s, m: _other_index(s)),
    (r"leave the index out", lambda s, m: _without_attribute(s, "index")),
    (r"leave the bus out", lambda s, m: _without_attribute(s, "bus")),
    (r"take (?:the device|one of them|one of the two) out", lambda s, m: e.take_out(s, [s.element])),
    (r"take the controller with model='none' out", lambda s, m: _usb_none(s)),
    (r"take the other USB controllers out", lambda s, m: _the_other_usb(s)),
    (r"give the guest a USB controller", lambda s, m: e.usb_controller(s)),
    (
        r"add <controller type='usb' index='(\d+)' model='([\w-]+)'/>",
        lambda s, m: e.add_usb(s, {"index": m[1], "model": m[2]}),
    ),
    (
        r"add <controller type='usb' index='(\d+)' model='ich9-uhci1'><master startport='0'/></controller>",
        lambda s, m: e.add_usb(
            s, {"index": m[1], "model": "ich9-uhci1"}, Fragment("master", {"startport": "0"}), after=True
        ),
    ),
    (r"add <controller type='pci' index='0' model='[\w-]+'/> before the others", lambda s, m: e.list_root(s)),
    (r"number them from 1", lambda s, m: _other_index(s)),
    (
        r"add <controller type='pci' index='\d+' model='[\w-]+'/>, and give \S+ a higher index",
        lambda s, m: e.port_before(s),
    ),
    (
        r"(?:before the next boot )?(?:add|list|write) <controller type='pci'.*",
        lambda s, m: e.add_controllers(s, m[0]),
    ),
    (r"let \S+ and \S+ change their indexes.*", lambda s, m: e.swap_indexes(s)),
    (r"number the controllers (?:from 1 )?without (?:large )?gaps", lambda s, m: e.renumber(s)),
    (r"add <cell id='(\d+)' \.\.\./> to <cpu><numa>", lambda s, m: e.add_cell(s, m[1])),
    (r"name a node that is there", lambda s, m: _node(s)),
    (r"(?:use|name) a machine of type (\w+)(?: or q35)?(?: in .*)?", lambda s, m: e.write_machine(s, m[1])),
    (
        r"another architecture: arch='(\w+)'",
        lambda s, m: e.write_machine(s, s.guest.machine_type, m[1]),
    ),
    (r"use model='(?:itco' \(q35\) or model=')?([\w-]+)'", lambda s, m: e.write_attribute(s, "model", m[1])),
    (r"use model type qxl or virtio for every video device but the first", lambda s, m: e.as_video(s, "virtio")),
    (
        r"add <features><acpi/></features>|before the next boot add <acpi/> to the <features>",
        lambda s, m: e.with_acpi(s),
    ),
    (
        r"(?:before the next boot )?take hotplug='off' (?:out of|off controller) (?P<label>\S+)",
        lambda s, m: e.hotplug_on(s, [found for found in [s.labelled(m["label"])] if found is not None]),
    ),
    (r"name a port from (\d+) to (\d+)", lambda s, m: _port_of_serial(s, int(m[1]), int(m[2]))),
    (r"name another port", lambda s, m: _port_of_serial(s, 1, 30)),
    (r"leave --policy out", lambda s, m: _under(s, "libvirt")),
    (r"ask for (hotplug:[\w:=-]+)", lambda s, m: _under(s, m[1])),
    (r"ask for --libvirt ([\d.]+)", lambda s, m: e.other_version(s, m[1])),
    (r"add <target dev='vda' bus='virtio'/>", lambda s, m: _other_target(s)),
    (r"give (?:one of the two|it) another target", lambda s, m: _other_target(s)),
    (r"name it vda, vdb, \.\.\. \(.*\)", lambda s, m: _other_target(s, "vd")),
    (r"add <source><address [^>]*/></source>", _markup),
    (r"write bus='sata' or bus='scsi'", lambda s, m: e.write_attribute(s, "bus", "sata")),
    (
        r"write model='pcie-root-port' \(q35\) or model='pci-bridge' \(pc\)",
        lambda s, m: e.write_attribute(s, "model", "pcie-root-port" if s.guest.express else "pci-bridge"),
    ),
    (
        r"write ([\w-]+)(?: or [\w-]+)*",
        lambda s, m: s.finding.code == "wrong-model-name" and e.write_model(s, "name", m[1]),
    ),
    (r"letters, digits, - and _ are allowed", lambda s, m: e.write_model(s, "type", "virtio")),
    (r"add type='(\w+)'", lambda s, m: e.write_attribute(s, "type", m[1])),
    (r"add the attribute", lambda s, m: _missing(s)),
    (r"write a number without sign and blanks: decimal, or hexadecimal with 0x", lambda s, m: _number(s)),
    (r"write a value that is expected", lambda s, m: _expected(s)),
    (
        r"(?:write the address that 'lspci -D' shows on the host: )?"
        r"an? (?P<part>\w+) is a number from \d+ to (?P<high>0x\w+)",
        _part_in_range,
    ),
    (r"make one of the two", lambda s, m: _one_element(s)),
    (r"give it another (uid|fid)", lambda s, m: _zpci_number(s, m[1])),
    (r"give (\S+) a slot up to (0x\w+)", lambda s, m: e.slot_in_range(s, 1, int(m[2], 16))),
    (r"one behind a port of its own", lambda s, m: _behind_a_port(s)),
    (
        r"give \S+ the address <address type='pci' bus='(0x\w+)' slot='(0x\w+)'/>",
        lambda s, m: e.write_address(s, bus=int(m[1], 16), slot=int(m[2], 16), function=0),
    ),
    (r"put (\S+) alone into a slot, not on an expander, and have <acpi/> in <features>", _alone),
    (r"give (?P<of>\S+) a place on another bus", _address_of),
    (r"move one to another slot", lambda s, m: e.drop_address(s, s.labelled(s.finding.parties[0]))),
    (r"put \S+ on a bus nearer to the root", lambda s, m: e.drop_address(s, s.element)),
    (r"write the bus of a controller that leads to the root, and comes earlier, in \S+", _on_the_root),
)
"""By what is said; whatever follows a colon or a comma explains."""  # fmt: skip


def clauses(text: str) -> list[str]:
    """Return the ways out that a remedy offers, one by one."""
    return [clause for clause in _CLAUSES.split(text) if clause] if text else []


def is_tried(clause: str) -> bool:
    """Return whether there is something to be tried about what a remedy says."""
    return clause not in UNTRIED


def said_edit(clause: str) -> Edit | None:
    """Return the edit that words mean; ``None`` where no row knows them."""
    rows = [
        (said, match)
        for pattern, said in (*BESIDE_PLACES, *PHRASES)
        if (match := re.fullmatch(rf"(?:{pattern})(?:[:;,] .*)?", clause)) is not None
    ]
    return partial(_say, rows) if rows else None


def _say(rows: list[tuple[Said, re.Match[str]]], site: Site) -> bool:
    """Do what the first row says that can."""
    return any(said(site, match) for said, match in rows)
