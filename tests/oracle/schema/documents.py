"""Random domains, each from a seed, that libvirt's grammar allows and that are worth asking about.

    python -m tests.oracle.schema.documents FOLDER --seed 7     the XML of one seed, by the grammar in FOLDER

What the grammar allows is nearly always refused for some trifle: two devices of one name, an emulator that is not
there. So a walk's result is *repaired*, and it is in *parts*: whoever asks begins with the first, and leaves out
whatever was refused.
"""

from __future__ import annotations

import argparse
import random
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.oracle.schema.grammar import Grammar
from tests.oracle.schema.taste import TASTES
from tests.oracle.schema.walk import Walk
from tests.oracle.snippets import letters

CONTAINERS = ("os", "features", "devices")
"""The elements whose children are parts, each of them; of all else the whole element is one."""
NEEDED = ("name", "uuid", "memory", "currentMemory", "maxMemory", "vcpu", "type")
"""What the walk's own is not used of."""

MACHINES: tuple[tuple[float, str, str | None, str | None], ...] = (
    (40, "pc", "pc", "x86_64"), (3, "pc", None, "x86_64"), (3, "pc", None, None), (3, "pc", "pc-i440fx-6.2", "x86_64"),
    (45, "q35", "q35", "x86_64"), (3, "q35", "pc-q35-6.2", "i686"), (2, "any", "isapc", "x86_64"),
    (1, "any", "microvm", "x86_64"),
    (5, "q35", "virt", "aarch64"), (2, "q35", "virt", "riscv64"), (2, "q35", "virt", "armv7l"),
    (1, "q35", "virt", "loongarch64"), (6, "any", "pseries", "ppc64"), (7, "s390", "s390-ccw-virtio", "s390x"),
    (1, "any", "mac99", "ppc"), (1, "any", "powernv9", "ppc64"), (1, "any", "clipper", "alpha"),
    (1, "any", "r2d", "sh4"), (1, "any", "versatilepb", "armv7l"), (0.5, "any", "vexpress-a15", "armv7l"),
    (0.5, "any", "raspi3b", "aarch64"),
)  # fmt: skip
"""Rows of weight, taste, machine type and architecture."""
X86 = ("x86_64", "i686", None)

RICH = """
<domain>
  <maxMemory slots='16' unit='GiB'>16</maxMemory>
  <vcpu>4</vcpu>
  <iothreads>2</iothreads>
  <memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>
  <cpu>
    <numa><cell id='0' cpus='0-1' memory='256' unit='MiB'/><cell id='1' cpus='2-3' memory='256' unit='MiB'/></numa>
  </cpu>
</domain>
"""
"""What devices may ask for elsewhere in the domain: room for memory, NUMA nodes, iothreads, shared memory."""
PREFIXES = {"ide": "hd", "fdc": "fd", "virtio": "vd", "xen": "xvd", "uml": "ubd"}
"""How the name of a disk begins by its bus; ``sd`` otherwise."""
NOT_OF_PCI = {"target", "device", "uuid"}
"""What shows that the address of a host device is none of PCI."""
MENDED = 0.93
"""How often what can be fixed is."""
NAMES_OF_MODELS = {
    "pci-bridge": "pci-bridge", "dmi-to-pci-bridge": "i82801b11-bridge", "pcie-to-pci-bridge": "pcie-pci-bridge",
    "pcie-root-port": "ioh3420", "pcie-switch-upstream-port": "x3130-upstream",
    "pcie-switch-downstream-port": "xio3130-downstream", "pci-expander-bus": "pxb", "pcie-expander-bus": "pxb-pcie",
}  # fmt: skip


@dataclass(frozen=True)
class Document:
    """A domain in parts.

    Attributes:
        base: the domain without its parts.
        parts: where each belongs, the name of a container or ``domain``, and the element.
    """

    base: ET.Element
    parts: tuple[tuple[str, ET.Element], ...]

    def xml(self, kept: Iterable[int] | None = None) -> str:
        """Return the domain with these parts, by their places, in the order of the document; with all by default."""
        root = ET.Element(self.base.tag, self.base.attrib)
        root.extend(self.base)
        containers = {"domain": root}
        for name in CONTAINERS:
            own = self.base.find(name)
            container = containers[name] = ET.Element(name, {} if own is None else own.attrib)
            container.extend([] if own is None else own)
            if own is not None:
                root.remove(own)
        for place in range(len(self.parts)) if kept is None else sorted(kept):
            where, part = self.parts[place]
            containers[where].append(part)
        root.extend(container for name, container in containers.items() if name != "domain" and len(container))
        return ET.tostring(root, encoding="unicode")


def generate(grammar: Grammar, seed: int, others: bool = True) -> Document:
    """Return the domain of this seed.

    Args:
        others: whether there may be other machines than those of x86.
    """
    rng = random.Random(f"pcisim schema {seed}")
    rows = [row for row in MACHINES if others or row[3] in X86]
    _, taste, machine, arch = rng.choices(rows, [row[0] for row in rows])[0]
    root = Walk(grammar, TASTES[taste], rng).element("domain")
    rich = ET.fromstring(RICH) if rng.random() < 0.6 else ET.Element("domain")
    repair(root, rng)
    return Document(base_of(machine, arch, rich), tuple(parts_of(root, {child.tag for child in rich})))


def base_of(machine: str | None, arch: str | None, rich: ET.Element) -> ET.Element:
    """Return a domain of this machine without any device."""
    base = ET.Element("domain", {"type": "qemu"})
    ET.SubElement(base, "name").text = "generated"
    ET.SubElement(base, "memory", {"unit": "MiB"}).text = "512"
    base.extend(rich)
    kind = ET.SubElement(ET.SubElement(base, "os"), "type")
    kind.attrib.update({name: value for name, value in (("arch", arch), ("machine", machine)) if value})
    kind.text = "hvm"
    return base


def parts_of(root: ET.Element, given: set[str]) -> Iterator[tuple[str, ET.Element]]:
    """Yield the parts of a domain, but those that it has to have and those that are given already."""
    for child in root:
        if child.tag in CONTAINERS:
            yield from ((child.tag, part) for part in child if part.tag not in NEEDED or child.tag == "devices")
        elif child.tag not in NEEDED and child.tag not in given:
            yield "domain", child


def repair(root: ET.Element, rng: random.Random) -> None:
    """Fix what would be refused for a trifle, most of the time, and what would harm a daemon, always."""
    for count, target in enumerate(root.iterfind("devices/disk/target")):
        if rng.random() < MENDED:
            bus = target.get("bus", "")
            prefix = PREFIXES.get(bus, "sd") if bus else rng.choice(("sd", "hd", "vd", "sd", "xvd", "fd"))
            target.set("dev", prefix + letters(count))
    for count, boot in enumerate(root.iterfind("devices/*/boot")):
        if rng.random() < MENDED:
            boot.set("order", str(count + 1))
    for controller in root.iterfind("devices/controller[@type='pci']"):
        if rng.random() < MENDED:
            repair_pci(controller)
    for element in list(root.iter()):
        for source in element.findall("source")[1:]:
            element.remove(source)
    for size in root.iterfind("devices/memory/target/size"):
        size.set("unit", "MiB")
    for address in root.iterfind("devices/*/source/address"):
        if NOT_OF_PCI.isdisjoint(address.keys()):
            address.set("domain", "0x00ff")  # of a device that no host has: else libvirt looks at it
    for host in root.iterfind("devices/hostdev"):
        for address in host.findall("address[@type='spapr-vio']"):
            host.remove(address)  # libvirt 11.3 would add controllers without end


def repair_pci(controller: ET.Element) -> None:
    """Give a PCI controller a name that goes with its model, and the root bus index 0 to itself."""
    model = controller.get("model", "")
    name = controller.find("model")
    if name is not None:
        if model in NAMES_OF_MODELS:
            name.set("name", NAMES_OF_MODELS[model])
        else:
            controller.remove(name)
    root = model in ("pci-root", "pcie-root")
    if "index" in controller.attrib and root != (controller.get("index") == "0"):
        controller.set("index", "0" if root else "1")


def main() -> None:
    """Print domains."""
    parser = argparse.ArgumentParser(description="Random domains that libvirt's grammar allows.")
    parser.add_argument("folder", type=Path, help="where the .rng files are")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds")
    options = parser.parse_args()
    grammar = Grammar(options.folder)
    for seed in range(options.seed, options.seed + options.count):
        root = ET.fromstring(generate(grammar, seed).xml())
        ET.indent(root)
        print(f"<!-- seed {seed} -->\n{ET.tostring(root, encoding='unicode')}")


if __name__ == "__main__":
    main()
