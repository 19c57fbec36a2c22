"""The texts that follow from other tables: pcisim's own headlines, by their rule, and words and numbers of attributes.

A headline of a finding that pcisim words itself has a row by the code of its rule; what libvirt says of a word that it
does not know, or of a model of another machine, is made from the tables that hold the words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pcisim.catalogue.attribute_words import ADDRESS_NUMBERS, CCW_LIMITS, FOREIGN, INVALID, OF_X86, WORDS
from pcisim.catalogue.controllers import MODEL_NAMES, PCI_CONTROLLERS, TARGET_RANGES
from pcisim.catalogue.devices import ADDRESS_TYPES, PLUGS
from pcisim.diagnose.rules import RULES
from pcisim.diagnose.texts import LIBVIRT, PCISIM, TEXTS, Text

_OWN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "single-function": ("says multifunction='off' but is not alone",),
        "chipset-function": ("where the machine's own IDE controller is",),
        "virtual-functions": ("leaves no room on its bus for its virtual functions",
                              "meets the virtual functions of *"),
        "duplicate-chassis": ("have one chassis *",),
        "duplicate-chassis-nr": ("have one chassisNr *",),
        "duplicate-bus-nr": ("have one busNr *",),
        "bus-before-controller": ("comes before * whose bus it sits on",),
        "controller-circle": ("sit on each other's buses no way leads to the root bus",),
        "bridge-depth": ("bridges one more than QEMU has names for",),
        "no-such-device": ("QEMU has no device * which is what libvirt makes of *",
                           "which is what libvirt makes of * is not on PCI"),
        "not-on-pci": ("is not on PCI and its address is *",
                       "is not on PCI libvirt takes its address for one of type *"),
        "place-in-vain": ("is not on PCI and libvirt keeps * for it all the same",),
        "duplicate-acpi-index": ("have one ACPI index *",),
        "acpi-index-range": ("has ACPI index * the highest is *",),
        "too-many-buses": ("but 255 is the highest",),
        "io-space": ("bytes of I/O ports are asked for and the firmware stops at *",),
        "bus-numbers-overlap": ("takes * bus numbers * but * begins at *", "take * bus numbers but * begins at *"),
        "io-windows": ("bridges ask for I/O windows more than the firmware hands out",),
        "orphan-function": ("has no function 0 so that the guest never sees *",),
        "switched-off": ("behind ports that Linux switches off",),
        "interface-name-twice": ("would all be * in the guest",),
        "acpi-index-in-vain": ("has ACPI index * but the guest calls it *",),
        "address-rewritten": ("is written at * and libvirt puts it at *",),
        "conventional-on-port": ("is a conventional PCI device on *",),
        "express-on-conventional": ("counts as a PCI Express device and is on *",),
        "controllers-filled": ("libvirt adds * since * has a higher index",),
        "address-dropped": ("the address of * is not kept",),
        "no-hot-slot": ("is free for hotplug a running guest refuses *",),
        "hotplug-off": ("which are switched off for hotplug",),
        "interface-bus-number": ("of the definition is the guest's bus *",),
        "card-split": ("of the host are in different slots of the guest",),
        "group-shared": ("devices that share a slot share an IOMMU group in the guest *",),
        "drive-numbers": ("virtio disks are to have a number of SeaBIOS which has *",),
        "raw-arguments": ("raw QEMU arguments of * are not counted", "raw QEMU argument of * is not counted"),
        "more-findings": ("only the first * refusals are listed",),
        "unknown-architecture": ("architecture * is not covered",),
        "unknown-machine": ("machine type * of * is not covered as libvirt *", "machine type * is not one of *"),
        "unknown-model": ("libvirt * does not know the model *",),
        "xml-syntax": ("XML cannot be read *",),
        "xml-depth": ("elements are nested more than * deep",),
        "xml-doctype": ("a DOCTYPE is refused",),
        "xml-encoding": ("the encoding * is not known",),
        "xml-size": ("XML document of more than * MiB",),
        "not-a-domain": ("this is not a domain",),
    }
)  # fmt: skip
"""pcisim's own headlines, by the code of the finding."""

_ALSO = MappingProxyType(
    {
        "orphan-function": ("companion-orphan",),
        "bus-numbers-overlap": ("bus-numbers-no-boot",),
        "raw-arguments": ("raw-device",),
        "no-hot-slot": ("hotplug-off",),
    }
)
"""What has the same headline."""

_COMMANDS = (
    (("in this guest cannot stay as it is on machine type *", "in this guest cannot stay as they are on machine type *",
      "devices cannot be moved to machine type *"),
     "--reassign --machine was asked for another kind of machine, which does not have what the guest has",
     "change what is listed, then reassign"),
    (("addresses of a guest of type * are no use on *", "PCI controller * was a * and is a * now",
      "counts on bus * which is another one with the controllers of before"),
     "--keep was asked to carry addresses over to a guest with other buses",
     "leave the PCI controllers as they were, or place the devices anew (--reassign)"),
    (("this is not a device that could have an address",), "what is attached is not a device element",
     "pass one element, such as <interface>...</interface>"),
    (("what a guest of * sees is not covered", "what a running guest of * takes is not covered",
      "where QEMU places on machine type * of * is not covered"), "pcisim cannot say that of this machine type",
     "ask for what libvirt does: assign, tree and check"),
    (("packing on machine type * of * is not covered", "* on machine type * of * * not covered"),
     "the policy dense was asked to pack a guest of a machine on which it is not known how",
     "leave --policy out: libvirt's own places are known"),
    (("no layout that keeps the wishes was found",),
     "the policy dense found no layout that keeps a slot for each device that is to have one, and proves nothing by it",
     "wish for less, or use fewer devices"),
    (("machine type * has no PCI Express ports to count", "spares on machine type * of * are not covered"),
     "the policy hotplug was asked for ports on a machine without any, or for spares on one that is not covered",
     "ask for spare=N, which counts conventional slots on pc, or leave --policy out"),
    (("has no slot that others can share",), "devices are to share a slot, and the first of them has none of its own",
     "leave it out of the group"),
    (("no room for the expander buses of NUMA nodes",),
     "devices are to be on NUMA nodes, and slots, controllers or bus numbers do not suffice for expanders of these",
     "wish for fewer devices on nodes, or use fewer devices"),
    (("has I/O ports, and is not placed below an expander bus",),
     "a device is to be on a NUMA node, and only devices without I/O ports are placed below an expander",
     "take a model without, such as virtio-non-transitional, or leave node= out"),
    (("nobody asked the guest to let * go",), "a guest lets a device go when it is asked to", "detach it first"),
    (("has no PCI address on machine type *", "the machine * has no PCI bus there is nothing to see"),
     "the machine type has no PCI bus, or the device another one", "ask about a device that is on PCI there"),
    (("nothing is at PCI address *",), "nothing was there to be released", "name an address that is in use"),
    (("cannot replace * without loss", "another program has changed it meanwhile"),
     "the file is not written, so that nothing is lost", "write elsewhere with -o FILE, or --force"),
    (("Invalid PCI address * a text such as * is needed",
      "Invalid PCI address * expected domain:bus:slot.function *",
      "Invalid PCI address * is not a packed address", "Invalid PCI address * is not in *",
      "Invalid PCI address * is not a hexadecimal number"), "a text is no PCI address",
     "write domain:bus:slot.function in hexadecimal, such as 0000:03:1f.7"),
    (("device * cannot work it is neither modern nor legacy",), "a virtio device with both of its interfaces off",
     "leave disable-modern= or disable-legacy= out"),
    (("XML cannot hold the character *",), "a name or value has a character that XML does not allow", "write another"),
    (("there is no -device and no other option of QEMU's", "is not an option of QEMU's", "lacks its value",
      "the command line ends inside a quotation *", "not UTF-8 text *"), "the text is not a QEMU command line",
     "pass the arguments as they were given to QEMU"),
)  # fmt: skip
"""What commands say of what they were asked for, what it means, and what to do."""

_CHECK = "'pcisim check FILE' says which device it is and what helps, tried"


def _own() -> Iterator[Text]:
    for code, patterns in _OWN.items():
        row = RULES[code]
        rule = f"{row.meaning} ({row.source})" if re.match(r"\d", row.source) else row.meaning
        yield Text(PCISIM, patterns, (code, *_ALSO.get(code, ())), row.meaning, rule, _CHECK)


def _commands() -> Iterator[Text]:
    for patterns, meaning, remedy in _COMMANDS:
        yield Text(PCISIM, patterns, (), meaning, meaning, remedy)


def _of_words() -> Iterator[Text]:
    """Yield what libvirt says of a word that it does not know, where it does not name the attribute."""
    found: dict[str, set[str]] = {}
    for row in (row for rows in WORDS.values() for row in rows if row.headline != INVALID):
        found.setdefault(row.headline, set()).update(row.words)
    for headline, words in found.items():
        pattern = headline.replace("'{value}'", "*").replace("{value}", "*")
        known = ", ".join(sorted(words))
        yield Text(
            LIBVIRT, (pattern,), ("unknown-word",), "an attribute holds a word that libvirt does not know",
            f"the words are: {known} (8.1)", "write one of these words",
        )  # fmt: skip


def _of_machines() -> Iterator[Text]:
    """Yield what libvirt says of a device that only other machines have."""
    for (element, model), headline in {**FOREIGN, **OF_X86}.items():
        yield Text(
            LIBVIRT, (headline,), ("wrong-machine",),
            f"a <{element}>" + (f" of model {model}" if model else "") + " that this machine type does not have",
            "some models are for one architecture or machine type (8.3)", "use another model of it, or take it out",
        )  # fmt: skip


def rows() -> tuple[Text, ...]:
    """Return every row: those of `TEXTS`, then those that other tables make."""
    return (*TEXTS, *_own(), *_commands(), *_of_words(), *_of_machines())


# attributes

_ATTRIBUTE = re.compile(r"attribute\W{1,3}(\w[\w:-]{,60})\W{1,3}in element\W{1,3}(\w[\w:-]{,60})", re.IGNORECASE)
_PARTS = MappingProxyType(
    {
        "domain": "a number; guests have PCI domain 0 only",
        "bus": "a number from 0 to 0xff, the index of a PCI controller",
        "slot": "a number from 0 to 0x1f",
        "function": "a number from 0 to 7",
        "multifunction": "on or off",
    }
)
"""What the parts of a PCI address may be."""
_NUMBERS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("controller", "index"): "a decimal number, without 0x; PCI controllers have 0 to 255",
        ("controller", "ports"): "a decimal number",
        ("master", "startport"): "a number",
        ("acpi", "index"): "a decimal number from 1 to 16383",
        ("zpci", "uid"): "a number from 1 to 0xffff",
        ("zpci", "fid"): "a number of 32 bits",
        ("target", "hotplug"): "on or off",
        ("target", "memReserve"): "a number of KiB",
        **{("target", name): f"a number from {low} to {high}" for name, (low, high) in TARGET_RANGES.items()},
        **{("address", name): f"a number up to {limit:#x}" for name, limit in CCW_LIMITS.items()},
    }
)


def about_attribute(row: Text, text: str) -> Text:
    """Return a row that speaks of the attribute which a text names, where it names one.

    Args:
        row: what the text means.
        text: the text, as it was pasted.
    """
    found = _ATTRIBUTE.search(text)
    if found is None or not row.patterns[0].startswith(("Invalid value for attribute", "Missing required attribute")):
        return row
    name, tag = found[1], found[2]
    what = _holds(name, tag)
    if not what:
        return row
    holds = f"'{name}' of <{tag}> is {what}"
    if row.patterns[0].startswith("Missing"):
        return row._replace(meaning=f"<{tag}> lacks '{name}'", rule=f"{holds} (1.1)", remedy=f"add {name}=")
    return row._replace(
        meaning=f"'{name}' of <{tag}> holds something else", rule=f"{holds} (1.1)", remedy=f"write {what}"
    )


def _holds(name: str, tag: str) -> str:
    """Return what an attribute may hold, in words; "" where it is not known."""
    if (tag, name) in _NUMBERS:
        return _NUMBERS[tag, name]
    if tag == "address":
        if name == "type":
            return f"one of {', '.join(sorted(ADDRESS_TYPES | {'pci'}))}"
        others = [kind for kind, numbers in ADDRESS_NUMBERS.items() if name in numbers]
        if name in _PARTS:
            return _PARTS[name]
        return f"a number, in an address of type {' or '.join(others)}" if others else ""
    words: set[str] = set()
    for element, rows in WORDS.items():
        for row in rows:
            if (row.child or element) == tag and row.attribute == name:
                words |= row.words
    if tag == "controller":
        kinds = {key.partition("/")[2] for key in PLUGS if key.startswith("controller/")}
        words |= {"type": {*kinds, "pci"}, "model": {*PCI_CONTROLLERS}}.get(name, set())
    elif tag == "model" and name == "name":
        words |= set(MODEL_NAMES)
    elif tag == "model" and name == "type":
        words |= {*PLUGS["video"], *PLUGS["shmem"]}
    elif name in ("model", "type") and tag in PLUGS:
        words |= {*PLUGS[tag]}
    elif tag == "driver":
        words |= {*PLUGS["filesystem"]}
    elif tag == "target" and name == "bus":
        words |= {"ide", "fdc", "scsi", "virtio", "xen", "usb", "uml", "sata", "sd", "none"}
    words.discard("")
    return f"one of {', '.join(sorted(words))}" if words else ""
