"""What a command line says beside ``-device``: the machine, its memory and processors, NUMA nodes, back-ends.

Source: verified against QEMU 7.2; options that say nothing about devices are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pcisim.catalogue.machines import MACHINES_FROM, machine_of
from pcisim.catalogue.profiles import QEMUS, Qemu
from pcisim.catalogue.qemu_rules import (
    ACPI_SINCE,
    ACPI_SWITCHES,
    CORES_FIRST_SINCE,
    DEFAULT_CPU,
    FAMILIES,
)
from pcisim.errors import UsageError
from pcisim.guest import NO_RAM, Ram
from pcisim.qemu.device import refusal

_LIMIT = "max-ram-below-4g"
_MOST_BELOW_4G = 4 << 30
_VERSION = re.compile(r"-(\d+)\.(\d+)(?:\.\d+)?$")
_MEMORY_BACKEND = "memory-backend-"
_BACKENDS = ("-object", "-chardev", "-netdev", "-blockdev", "-drive", "-fsdev", "-audiodev")
_NAMES = ("id", "node-name")


class Processors(NamedTuple):
    """How many processors there are, and how they are grouped."""

    cpus: int
    maxcpus: int
    sockets: int
    dies: int
    cores: int
    threads: int


class MachineOptions:
    """The options of one command line.

    Args:
        machine: as after ``-machine``: ``q35``, ``microvm,pcie=on``, ``pc,usb=on``.
        options: further options, each one text with its blank: ``-global X=Y``, ``-m 1G``.
        qemu: the version of QEMU.

    Raises:
        UsageError: a machine that is not pc, q35 or microvm, or an option that cannot be read.
    """

    def __init__(self, machine: str, options: Iterable[str] = (), qemu: Qemu = QEMUS["7.2"]) -> None:
        self.qemu = qemu
        self.name, *settings = machine.split(",")
        self.settings = dict(_pairs(",".join(settings)))
        self.globals: dict[str, str] = {}
        """By ``DRIVER.PROPERTY``."""
        self.backends: dict[str, dict[str, str]] = {}
        """What each back-end says, by its id."""
        self.cpu_model = DEFAULT_CPU
        self.nodes: list[dict[str, str]] = []
        """What each NUMA node says."""
        self._smp: dict[str, str] = {}
        self._memory: dict[str, str] = {"size": self.settings.get("memory", "")}
        for option in options:
            self._read(*option.strip().partition(" ")[::2], option)
        self.family = _family(self.name)
        found = _VERSION.search(self.name)
        self.version = (int(found[1]), int(found[2])) if found else qemu.release
        self.memory = _size(self._memory["size"]) or NO_RAM.size
        self.slots = int(self._memory.get("slots") or 0)
        self.maxmem = _size(self._memory.get("maxmem", ""))
        self.processors = _processors(self._smp, cores_first=self.since(CORES_FIRST_SINCE))

    def _read(self, key: str, value: str, option: str) -> None:
        value = value.strip()
        if key == "-global":
            name, state = _global(value, option)
            self.globals[name] = state
        elif key in ("-machine", "-M"):
            self.settings.update(_pairs(value))
        elif key == "-m":
            self._memory |= dict(_pairs(value, first="size"))
        elif key == "-smp":
            self._smp |= dict(_pairs(value, first="cpus"))
        elif key == "-cpu":
            self.cpu_model = value.split(",")[0]
        elif key == "-numa" and value.startswith("node"):
            self.nodes.append(dict(_pairs(value, first="type")))
        elif key in _BACKENDS:
            words = _read_json(value) if value.startswith("{") else dict(_pairs(value, first="qom-type"))
            for name in _NAMES:
                if name in words:
                    self.backends[words[name]] = words

    @property
    def ram(self) -> Ram:
        """Return how much RAM there is."""
        return Ram(self.memory, self.maxmem, self.slots, _size(self.settings.get(_LIMIT, ""), unit=0))

    def since(self, version: tuple[int, int]) -> bool:
        """Return whether the machine is of a version or a newer one."""
        return self.version >= version

    def is_on(self, setting: str, *, default: bool = False) -> bool:
        """Return whether a setting of the machine is on."""
        return self.settings.get(setting, "on" if default else "off") == "on"

    @property
    def has_pci(self) -> bool:
        """Return whether the machine has a PCI bus."""
        return self.family != "microvm" or self.is_on("pcie")

    @property
    def acpi(self) -> bool:
        """Return whether the machine has ACPI."""
        return self.settings.get("acpi") != "off"

    @property
    def acpi_root(self) -> bool:
        """Return whether ACPI handles hotplug on the root bus."""
        root = ACPI_SWITCHES.get(self.family, ("", ""))[1]
        return bool(root) and self.acpi and not self._is_off(root)

    @property
    def acpi_bridges(self) -> bool:
        """Return whether ACPI handles hotplug on the buses below bridges.

        On pc it also does so wherever it was told to leave the root bus alone.
        """
        if self.family not in ACPI_SWITCHES or (self.family == "pc" and not self.acpi):
            return False
        below, root = ACPI_SWITCHES[self.family]
        if root and self._is_off(root):
            return True
        return self.since(ACPI_SINCE[self.family]) and not self._is_off(below)

    def _is_off(self, switch: str) -> bool:
        return self.globals.get(switch) in ("off", "no", "false", "n")

    def memory_of(self, backend: str) -> int | None:
        """Return the bytes of a memory back-end; ``None`` for one that no option defines."""
        words = self.backends.get(backend, {})
        if not words.get("qom-type", "").startswith(_MEMORY_BACKEND) or "size" not in words:
            return None
        return _size(words["size"], unit=0)

    def check(self) -> None:
        """Check that QEMU has the machine, and that processors and memory fit together.

        Raises:
            RefusedError: QEMU does not start with them.
        """
        names = {name: since for (_, name), since in MACHINES_FROM[self.qemu.version].items()}
        oldest = names.get(_VERSION.sub("", self.name), (0, 0))
        if not oldest <= self.version <= self.qemu.release:
            raise refusal(
                "unsupported machine type",
                f"QEMU {self.qemu.version} does not have {self.name}",
                code="qemu-machine",
                remedy="name a version that it has, or none",
            )
        self._check_processors()
        self._check_memory()
        self._check_nodes()

    def _check_processors(self) -> None:
        cpus, maxcpus, sockets, dies, cores, threads = self.processors
        words = f"sockets ({sockets}) * dies ({dies}) * cores ({cores}) * threads ({threads})"
        if sockets * dies * cores * threads != maxcpus:
            raise refusal(
                f"Invalid CPU topology: product of the hierarchy must match maxcpus: {words} != maxcpus ({maxcpus})",
                "-smp does not add up",
                code="qemu-processors",
            )
        if maxcpus < cpus:
            raise refusal(
                f"Invalid CPU topology: maxcpus must be equal to or greater than smp: {words} == maxcpus ({maxcpus})"
                f" < smp_cpus ({cpus})",
                "-smp does not add up",
                code="qemu-processors",
            )

    def _check_memory(self) -> None:
        if self.ram.limit > _MOST_BELOW_4G:
            raise refusal(
                f"Machine option '{_LIMIT}={self.ram.limit}' expects size less than or equal to 4G",
                "what is below 4 GiB is no more than that",
                code="qemu-memory",
            )
        if "slots" in self._memory and self.slots and not self.maxmem:
            raise refusal("slots specified but no max-size", "-m slots= goes with maxmem=", code="qemu-memory")
        if self.maxmem and self.maxmem < self.memory:
            raise refusal(
                f"invalid value of maxmem: maximum memory size ({self.maxmem:#x}) must be at least the initial memory"
                f" size ({self.memory:#x})",
                "",
                code="qemu-memory",
            )
        if self.slots and self.maxmem == self.memory:
            raise refusal(
                "invalid value of maxmem: memory slots were specified but maximum memory size"
                f" ({self.maxmem:#x}) is equal to the initial memory size ({self.memory:#x})",
                "",
                code="qemu-memory",
            )

    def _check_nodes(self) -> None:
        sizes = [
            self.memory_of(node["memdev"]) if "memdev" in node else _size(node.get("mem", "")) for node in self.nodes
        ]
        total = sum(size for size in sizes if size is not None)
        if sizes and None not in sizes and total != self.memory:
            raise refusal(
                f"total memory for NUMA nodes ({total:#x}) should equal RAM size ({self.memory:#x})",
                "each -numa node has the memory of its memdev=, and none without",
                code="qemu-numa",
                remedy="give each node memdev=, the sizes adding up to -m",
            )


def _family(name: str) -> str:
    """Return ``pc``, ``q35`` or ``microvm``."""
    family = "microvm" if name.startswith("microvm") else FAMILIES.get(machine_of(name).family)
    if family is None:
        raise UsageError(
            f"machine type {name!r} is not known", code="unknown-machine", remedy="one of pc, q35 and microvm"
        )
    return family


def _read_json(text: str) -> dict[str, str]:
    import json

    try:
        found = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not JSON: {error}", code="bad-option") from None
    return {key: str(value) for key, value in found.items()}


def _global(value: str, option: str) -> tuple[str, str]:
    """Read ``DRIVER.PROPERTY=VALUE`` or ``driver=D,property=P,value=V``."""
    if value.startswith("driver="):
        words = dict(_pairs(value))
        if {"driver", "property", "value"} <= words.keys():
            return f"{words['driver']}.{words['property']}", words["value"]
    name, equals, state = value.partition("=")
    if not equals or "." not in name:
        raise UsageError(f"{option!r} is not -global DRIVER.PROPERTY=VALUE", code="bad-option")
    return name, state


def _pairs(text: str, *, first: str = "") -> Iterator[tuple[str, str]]:
    """Yield the keys and values of an option; what stands first without a key has the one that is given."""
    for number, item in enumerate(text.split(",") if text else ()):
        key, equals, value = item.partition("=")
        if equals or number or not first:
            yield key, value
        else:
            yield first, item


def _processors(smp: Mapping[str, str], *, cores_first: bool) -> Processors:
    """Return how processors are grouped; what is not said is filled up with cores, or with sockets."""
    given = {key: int(value) for key, value in smp.items() if value.isdecimal()}
    cpus, dies = given.get("cpus", 0), given.get("dies", 1) or 1
    maxcpus = given.get("maxcpus", 0) or cpus
    groups = {key: given.get(key, 0) for key in ("sockets", "cores", "threads")}
    fill = ("cores", "sockets", "threads") if cores_first else ("sockets", "cores", "threads")
    filler = next((key for key in fill if not groups[key]), "") if maxcpus else ""
    groups = {key: value or 1 for key, value in groups.items()}
    product = dies * groups["sockets"] * groups["cores"] * groups["threads"]
    if filler:
        groups[filler] = maxcpus // product
    maxcpus = maxcpus or product
    return Processors(cpus or maxcpus, maxcpus, groups["sockets"], dies, groups["cores"], groups["threads"])


def _size(text: str, *, unit: int = 20) -> int:
    """Return bytes of a size such as 512M, with the unit (a power of two) that it has where none is written."""
    found = re.fullmatch(r"(\d+)([KMGT]?)B?", text.upper()) if text else None
    if text and found is None:
        raise UsageError(f"{text!r} is not a size", code="bad-option")
    return 0 if found is None else int(found[1]) << {"K": 10, "": unit, "M": 20, "G": 30, "T": 40}[found[2]]
