"""Memory that is plugged in: DIMMs, and virtio devices that bring memory.

Source: verified against QEMU 7.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pcisim.qemu.device import QemuDevice, refusal
from pcisim.qemu.options import MachineOptions

DIMMS = frozenset({"pc-dimm", "nvdimm"})
VIRTIO_MEMORY = frozenset({"virtio-mem-pci", "virtio-pmem-pci"})
_GRANULE = 2 << 20
_LEAST_LABEL = 128 << 10
_HIGH_MEMORY = 1 << 32
_ADDRESS = MappingProxyType(
    {"pc-dimm": "addr", "nvdimm": "addr", "virtio-mem-pci": "memaddr", "virtio-pmem-pci": "memaddr"}
)
"""The property that says where the memory goes."""
_NODE: Mapping[str, str] = MappingProxyType(
    {
        "pc-dimm": "'DIMM property node has value {node}' which exceeds the number of numa nodes: {nodes}",
        "nvdimm": "'DIMM property node has value {node}' which exceeds the number of numa nodes: {nodes}",
        "virtio-mem-pci": "'node' property has value '{node}', which exceedsthe number of numa nodes: {nodes}",
    }
)


class MemoryDevices:
    """The memory beyond that of ``-m``, and the room for it.

    Args:
        options: those of the command line, with ``-m`` and ``-numa``.
    """

    def __init__(self, options: MachineOptions) -> None:
        self._options = options
        self._slots: set[int] = set()
        self._bytes = 0

    def plug(self, device: QemuDevice, properties: Mapping[str, str]) -> None:
        """Plug one in, if the device is one.

        Raises:
            RefusedError: there is no room, or a property does not fit.
        """
        name = device.name
        if name not in DIMMS | VIRTIO_MEMORY or self._options.family == "microvm":
            return
        slot = self._slot(name, properties) if name in DIMMS else None
        self._check_node(name, properties)
        self._check_address(int(properties.get(_ADDRESS[name], 0)))
        if name in VIRTIO_MEMORY and not self._options.maxmem:
            raise refusal(
                "memory devices (e.g. for memory hotplug) are not enabled, please specify the maxmem option",
                "-m has no maxmem=",
                code="qemu-memory",
                remedy="add maxmem= to -m",
            )
        size = self._options.memory_of(properties.get("memdev", ""))
        if size is not None:
            self._check_size(size)
            self._bytes += size
        if slot is not None:
            self._slots.add(slot)

    def _slot(self, name: str, properties: Mapping[str, str]) -> int:
        slots = self._options.slots
        if not self._options.acpi:
            raise refusal(
                "memory hotplug is not enabled: missing acpi device or acpi disabled", "acpi=off", code="qemu-memory"
            )
        if name == "nvdimm" and int(properties.get("label-size", _LEAST_LABEL)) < _LEAST_LABEL:
            raise refusal(
                f"Property 'nvdimm.label-size' ({int(properties['label-size']):#x}) is required at least"
                f" {_LEAST_LABEL:#x}",
                "",
                code="qemu-value",
            )
        if not slots:
            raise refusal(
                "no slots where allocated, please specify the 'slots' option",
                "-m has no slots=",
                code="qemu-memory",
                remedy="add slots= and maxmem= to -m",
            )
        asked = int(properties.get("slot", -1))
        if asked >= slots:
            raise refusal(
                f"invalid slot number {asked}, valid range is [0-{slots - 1}]", "-m slots= says so", code="qemu-memory"
            )
        if asked in self._slots:
            raise refusal(f"slot {asked} is busy", "another one has it", code="qemu-memory")
        free = next((slot for slot in range(slots) if slot not in self._slots), None)
        if free is None:
            raise refusal("no free slots available", f"-m slots={slots}", code="qemu-memory", remedy="raise slots=")
        return asked if asked >= 0 else free

    @staticmethod
    def _check_address(address: int) -> None:
        if address % _GRANULE:
            raise refusal(f"address must be aligned to {_GRANULE:#x} bytes", f"it is {address:#x}", code="qemu-memory")
        if 0 < address < _HIGH_MEMORY:
            raise refusal(
                f"can't add memory device [{address:#x}]", f"there is room from {_HIGH_MEMORY:#x}", code="qemu-memory"
            )

    def _check_node(self, name: str, properties: Mapping[str, str]) -> None:
        node, nodes = int(properties.get("node", 0)), max(len(self._options.nodes), 1)
        if node >= nodes and name in _NODE:
            raise refusal(_NODE[name].format(node=node, nodes=nodes), "no -numa defines it", code="qemu-memory")

    def _check_size(self, size: int) -> None:
        if size % _GRANULE:
            raise refusal(
                f"backend memory size must be multiple of {_GRANULE:#x}", f"it is {size:#x}", code="qemu-memory"
            )
        room = self._options.maxmem - self._options.memory
        if self._bytes + size > room:
            raise refusal(
                f"not enough space, currently {self._bytes:#x} in use of total space for memory devices {room:#x}",
                f"{size:#x} more are wanted",
                code="qemu-memory",
                remedy="raise maxmem=",
            )
