"""A random domain under construction, and the register of clauses that can be put into it.

A *clause* is a named piece of libvirt's rules, such as ``6.6/bus-increment``: the number is
the section of the rules it belongs to. Each clause comes with a function that adds to a
`Draft` what makes a guest depend on that rule.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.oracle.snippets import controller, el, letters

# where an explicit address of an endpoint is harmless: the slots of each kind of bus
ENDPOINT_SLOTS: dict[str, range] = {
    "pci-root": range(3, 31),
    "pci-bridge": range(1, 32),
    "pci-expander-bus": range(32),
    "pcie-root": range(3, 25),
    "dmi-to-pci-bridge": range(32),
    "pcie-to-pci-bridge": range(1, 32),
    "pcie-root-port": range(1),
    "pcie-switch-downstream-port": range(1),
}

Place = tuple[int, int, int]

ROOTS = {
    "pc": "pci-root",
    "q35": "pcie-root",
    "express": "pcie-root",
    "conventional": "pci-root",
    "pseries": "pci-root",
    "s390": "pci-root",
}
"""The root bus of each family of machines that has one."""


@dataclass
class Draft:
    """What has been decided so far about one domain.

    Attributes:
        family: ``pc``, ``q35`` or ``isapc``, or one of `tests.oracle.others`.
        parts: blocks of XML below ``<devices>``; a block keeps its inner order.
        buses: controller index -> model, of those a device may be put on by hand.
        used: functions given away by hand.
    """

    rng: random.Random
    family: str
    machine: str | None
    arch: str | None
    tags: set[str] = field(default_factory=set)
    parts: list[str] = field(default_factory=list)
    head: dict[str, str] = field(default_factory=dict)
    tail: list[str] = field(default_factory=list)
    boot: list[str] = field(default_factory=list)
    buses: dict[int, str] = field(default_factory=dict)
    used: set[Place] = field(default_factory=set)
    taken_once: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    top_index: int = 0
    unindexed: bool = False
    keep_order: bool = False
    refusal: str | None = None

    def __post_init__(self) -> None:
        root = ROOTS.get(self.family)
        if root:
            self.buses[0] = root

    @property
    def express(self) -> bool:
        """Tell whether the root bus is PCI Express."""
        return ROOTS.get(self.family) == "pcie-root"

    def add(self, *xml: str) -> None:
        """Add one block of devices."""
        self.parts.append("\n".join(xml))

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.rng.random() < probability

    def once(self, what: str) -> bool:
        """Return True the first time it is asked for this thing."""
        if what in self.taken_once:
            return False
        self.taken_once.add(what)
        return True

    def count(self, what: str) -> int:
        """Return 0, 1, 2... for the things of one kind."""
        number = self.counts.get(what, 0)
        self.counts[what] = number + 1
        return number

    def target(self, prefix: str) -> str:
        """Return the next disk target with this prefix."""
        return prefix + letters(self.count(f"disk {prefix}"))

    # ---- addresses

    def number(self, value: int) -> str:
        """Write a number in one of the bases that libvirt reads."""
        style = self.rng.choices(("hex", "decimal", "octal"), (6, 3, 1))[0]
        self.tags.add(f"1/number-{style}")
        return {"hex": f"0x{value:02x}", "decimal": str(value), "octal": f"0{value:o}"}[style]

    def at(self, bus: int, slot: int, function: int = 0, multifunction: str | None = None) -> str:
        """Return an explicit address, written in one of many ways, and remember that it is used."""
        self.used.add((bus, slot, function))
        values: dict[str, object] = {"type": "pci"}
        if self.chance(0.7):
            values["domain"] = self.rng.choice(("0x0000", "0", "0x0"))
        for name, value in (("bus", bus), ("slot", slot), ("function", function)):
            if value or self.chance(0.7):
                values[name] = self.number(value)
            else:
                self.tags.add("1/attribute-left-out")
        values["multifunction"] = multifunction
        return el("address", values)

    def free(self, *models: str) -> Place | None:
        """Return a free slot, at function 0, on a bus of one of these models (any when none are named)."""
        buses = [index for index, model in self.buses.items() if not models or model in models]
        self.rng.shuffle(buses)
        for bus in buses:
            slots = [
                slot
                for slot in ENDPOINT_SLOTS.get(self.buses[bus], range(0))
                if not any((bus, slot, function) in self.used for function in range(8))
            ]
            if slots:
                return bus, self.rng.choice(slots), 0
        return None

    def some_address(self) -> str:
        """Return no address, an empty one, or an explicit one at a free place."""
        style = self.rng.choices(("none", "empty", "explicit"), (70, 8, 22))[0]
        place = self.free() if style == "explicit" else None
        if place is not None:
            return self.at(*place)
        return "<address type='pci'/>" if style == "empty" else ""

    # ---- controllers

    def next_index(self, gap: int = 0) -> int:
        """Return the next unused PCI controller index, or one `gap` further."""
        self.top_index += 1 + gap
        return self.top_index

    def pci(self, model: str, index: int | None = None, inner: str = "") -> str:
        """Return a PCI controller; one without an index makes the root bus be listed first."""
        if index is None:
            self.unindexed = True
        else:
            self.top_index = max(self.top_index, index)
            self.buses[index] = model
        self.tags.add(f"2/{model}")
        return controller("pci", index, model, inner)

    def numa(self) -> None:
        """Give the guest two NUMA nodes."""
        cells = "".join(
            el("cell", {"id": node, "cpus": f"{2 * node}-{2 * node + 1}", "memory": 256, "unit": "MiB"})
            for node in range(2)
        )
        self.head["vcpu"] = el("vcpu", {}, "4")
        self.head["cpu"] = el("cpu", {}, el("numa", {}, cells))

    def memory_devices(self) -> None:
        """Let the guest have memory devices."""
        self.numa()
        self.head["maxMemory"] = el("maxMemory", {"slots": 8, "unit": "GiB"}, "8")

    def shared_memory(self) -> None:
        """Let vhost-user processes see the guest's memory."""
        inner = el("source", {"type": "memfd"}) + el("access", {"mode": "shared"})
        self.head["memoryBacking"] = el("memoryBacking", {}, inner)

    # ---- the end

    def xml(self) -> str:
        """Return the domain."""
        if not self.keep_order and self.chance(0.5):
            self.rng.shuffle(self.parts)
        parts = self.parts
        if self.unindexed:
            parts = [controller("pci", self.rng.choice((None, 0)), ROOTS[self.family]), *parts]
        elif 0 in self.buses and self.refusal is None and self.chance(0.1) and self.once("root"):
            self.tags.add("2/root-listed")
            parts = [*parts, controller("pci", 0, self.buses[0])]
        half = self.rng.randint(0, len(parts)) if "halves" in self.taken_once else len(parts)
        devices = "".join(
            "<devices>\n" + "\n".join(some) + "\n</devices>" for some in (parts[:half], parts[half:]) if some
        )
        if not parts:
            self.tags.add("4.2/no-devices")
        kind = el("type", {"arch": self.arch, "machine": self.machine}, "hvm")
        head = {"memory": el("memory", {"unit": "MiB"}, "512"), "vcpu": el("vcpu", {}, "1")} | self.head
        head.setdefault("features", el("features", {}, el("acpi"), el("apic")))
        lines = [
            f"<domain type='{self.rng.choice(('kvm', 'qemu'))}' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>",
            "<name>generated</name>",
            *head.values(),
            el("os", {}, kind, *self.boot),
            devices,
            *self.tail,
            "</domain>",
        ]
        return "\n".join(line for line in lines if line) + "\n"


Action = Callable[[Draft], object]


@dataclass(frozen=True)
class Clause:
    """One or more named rules and the function that brings them into play.

    Attributes:
        on: the machine families it makes sense on.
        refusal: for a deliberate mistake, a pattern that libvirt's error matches.
        alone: whether it wants no other clause beside it.
    """

    tags: tuple[str, ...]
    action: Action
    on: tuple[str, ...]
    refusal: str | None = None
    alone: bool = False

    def apply(self, draft: Draft) -> bool:
        """Add it to the draft; False when it does not fit what is there already."""
        if self.action(draft) is False:
            return False
        draft.tags.update(self.tags)
        if self.refusal is not None:
            draft.refusal = self.refusal
        return True


CLAUSES: list[Clause] = []


def clause(*tags: str, on: str = "pc q35", alone: bool = False) -> Callable[[Action], Action]:
    """Register a function under these clauses."""

    def register(action: Action) -> Action:
        CLAUSES.append(Clause(tags, action, tuple(on.split()), None, alone))
        return action

    return register


def mistake(tag: str, refusal: str, on: str = "pc q35") -> Callable[[Action], Action]:
    """Register a function that makes a guest libvirt refuses, in words that match `refusal`."""

    def register(action: Action) -> Action:
        CLAUSES.append(Clause((tag,), action, tuple(on.split()), refusal))
        return action

    return register
