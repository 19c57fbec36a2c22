"""What devices need of the rest of a definition: memory, threads, firmware, a display (libvirt rule 8.4)."""

from __future__ import annotations

from pcisim.catalogue.versions import Libvirt
from pcisim.catalogue.x86_machines import X86
from pcisim.errors import RefusedError
from pcisim.guest import Device, Guest, refuse
from pcisim.libvirt.parsing import second, wrong_type

_ACPI_NEEDS_UEFI = "aarch64"
_IN_SLOTS = ("dimm", "nvdimm")
"""The models of memory devices that take a slot, in every version."""
_WITHOUT_NODE = ("virtio-pmem", "sgx-epc")
"""The models of memory devices that belong to no NUMA node of the guest."""


def check_definition(guest: Guest, rules: Libvirt) -> None:
    """Refuse what libvirt refuses in a definition as a whole, before it looks at single devices.

    Raises:
        RefusedError: the first thing that is refused.
    """
    if guest.machine_origin is not None:
        _check_acpi(guest)
    memory = [d for d in guest.devices.get("memory", ()) if d.traits]
    if memory or (not rules.memory_without_slots and guest.traits.get("memory_slots")):
        _check_memory(memory, guest, rules)


def check_tpms(guest: Guest) -> None:
    """Refuse a second TPM of a kind.

    Raises:
        RefusedError: in libvirt's words.
    """
    tpms = guest.devices.get("tpm")
    if tpms and len(tpms) > 1:
        for proxy, name in ((True, "TPM Proxy"), (False, "TPM non-proxy")):
            same = [d for d in tpms if d.traits.get("proxy", False) is proxy]
            if len(same) > 1:
                raise second(same[1], f"only a single {name} device is supported")


def _check_acpi(guest: Guest) -> None:
    uefi = guest.firmware == "ovmf"
    headline = code = remedy = ""
    if guest.arch in X86:
        if uefi and not guest.acpi:
            headline, code = "UEFI requires ACPI on this architecture", "needs-acpi"
            remedy = "add <features><acpi/></features>"
    elif guest.acpi and guest.arch == _ACPI_NEEDS_UEFI and not uefi:
        headline, code = "ACPI requires UEFI on this architecture", "needs-uefi"
        remedy = "write <os firmware='efi'>, or take <acpi/> out of <features>"
    if headline:
        raise RefusedError(headline, code=code, line=guest.machine_line, remedy=remedy)


_GIVE_ROOM = "write <maxMemory slots='16' unit='GiB'>64</maxMemory>, above what the guest has in all"


def _check_memory(memory: list[Device], guest: Guest, rules: Libvirt) -> None:
    slots = guest.traits.get("memory_slots")
    if slots is None:
        raise refuse(
            memory[0],
            "cannot use/hotplug a memory device when domain 'maxMemory' is not defined",
            "memory-device",
            _GIVE_ROOM,
        )
    nodes = len(guest.numa_nodes)
    if not rules.memory_without_slots and not nodes:
        headline = "At least one numa node has to be configured when enabling memory hotplug"
        remedy = "add <cell id='0' .../> to <cpu><numa>, or take <maxMemory> out"
        label = (memory[0].label,) if memory else ()
        line = memory[0].line if memory else guest.machine_line
        raise RefusedError(headline, code="memory-device", line=line, parties=label, remedy=remedy)
    if not rules.memory_without_slots and len(memory) > slots:
        headline = f"memory device count '{len(memory)}' exceeds slots count '{slots}'"
        raise refuse(memory[-1], headline, "memory-device", "give <maxMemory> more slots")
    for device in memory:
        lacks_node = device.traits.get("node") is None and nodes and device.model not in _WITHOUT_NODE
        if lacks_node and not rules.memory_without_slots:
            raise _no_node(device)
        if not rules.memory_without_slots:
            check_slot_twice(device, guest)
        _check_slot(device, slots)
        _check_address(device, rules)
        if lacks_node:
            raise _no_node(device)


def _no_node(device: Device) -> RefusedError:
    headline = "target NUMA node needs to be specified for memory device"
    return refuse(device, headline, "memory-device", "add <target><node>0</node></target>")


def check_node(device: Device, guest: Guest) -> None:
    """Refuse a memory device of a NUMA node that the guest does not have.

    Raises:
        RefusedError: in libvirt's words.
    """
    node = device.traits.get("node")
    nodes = max(len(guest.numa_nodes), 1)
    if node is not None and node >= nodes:
        headline = (
            f"can't add memory backend for guest node '{node}' as the guest has only '{nodes}' NUMA nodes configured"
        )
        raise refuse(device, headline, "numa-node", "name a node that <cpu><numa> has")


def check_memory_slots(guest: Guest) -> None:
    """Refuse more memory devices than there are slots, as libvirt gives each its slot.

    Raises:
        RefusedError: in libvirt's words.
    """
    slots = guest.traits.get("memory_slots")
    if slots is None:
        return
    devices = [d for d in guest.devices.get("memory", ()) if d.traits and d.model in _IN_SLOTS]
    taken = {d.traits["slot"] for d in devices if "slot" in d.traits}
    free = sum(slot not in taken for slot in range(min(slots, len(devices))))
    wanting = [d for d in devices if "slot" not in d.traits]
    if len(wanting) > free:
        headline = "failed to find an empty memory slot"
        raise refuse(wanting[free], headline, "memory-device", "give <maxMemory> more slots")


def check_slot_twice(device: Device, guest: Guest) -> None:
    """Refuse a memory device in the slot of another one.

    Raises:
        RefusedError: in libvirt's words.
    """
    slot = device.traits.get("slot")
    if slot is None or device.model not in _IN_SLOTS:
        return
    for other in guest.devices["memory"]:
        if other is not device and other.model in _IN_SLOTS and other.traits.get("slot") == slot:
            headline = f"memory device slot '{slot}' is already being used by another memory device"
            error = refuse(other, headline, "memory-device", "leave the address out", f"{device.label} has it")
            error.parties += (device.label,)
            raise error


def _check_slot(device: Device, slots: int) -> None:
    slot = device.traits.get("slot")
    if slot is None or device.model not in _IN_SLOTS:
        return
    if slot >= slots:
        headline = f"memory device slot '{slot}' exceeds slots count '{slots}'"
        raise refuse(device, headline, "memory-device", "give <maxMemory> more slots, or leave the address out")


def _check_address(device: Device, rules: Libvirt) -> None:
    on_ccw = device.model == "virtio-mem" and rules.memory_on_ccw
    if device.plug and device.address_type not in (None, "pci", *(["ccw"] if on_ccw else [])):
        allowed = "'pci' and 'ccw'" if on_ccw else "'pci'"
        raise wrong_type(device, f"only {allowed} addresses are supported for the {device.model} device", "pci")


# single devices


def shares_memory(guest: Guest) -> bool:
    """Return whether another process may share all of the guest's memory."""
    access = guest.traits.get("memory_access", "")
    cells = guest.traits.get("cells")
    return all((mode or access) == "shared" for mode in cells) if cells else access == "shared"


def check_sharing(device: Device, guest: Guest, what: str) -> None:
    """Refuse a device that shares the guest's memory with a process of the host, where that is not shared.

    Args:
        device: the device.
        guest: the guest.
        what: what libvirt calls it.

    Raises:
        RefusedError: in libvirt's words.
    """
    if guest.machine_origin is not None and device.origin is not None and not shares_memory(guest):
        raise refuse(
            device,
            f"'{what}' requires shared memory",
            "no-shared-memory",
            "write <memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
        )


def has_thread(guest: Guest, number: int) -> bool:
    """Return whether a guest has an I/O thread of that number."""
    known: set[int] = guest.traits.get("threads", set())
    more = int(guest.traits.get("thread_count", 0)) - len(known)  # they get the lowest numbers that are free
    return number in known or number - sum(one < number for one in known) <= more


def check_thread(device: Device, guest: Guest, number: int, headline: str) -> None:
    """Refuse an I/O thread that a guest does not have.

    Raises:
        RefusedError: in libvirt's words.
    """
    if not has_thread(guest, number):
        raise refuse(
            device,
            headline.format(number),
            "no-iothread",
            f"add <iothreads>{number}</iothreads>, or <iothreadids><iothread id='{number}'/></iothreadids>",
        )
