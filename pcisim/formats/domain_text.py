"""Domain XML for a guest that has none: the shortest text that libvirt defines as that guest."""

from __future__ import annotations

from pcisim.catalogue.devices import DEVICE_MODELS
from pcisim.guest import Controller, Device, Guest

_MEMORY_DEVICES = "  <maxMemory slots='256' unit='GiB'>1024</maxMemory>\n"
_SHARED_MEMORY = "  <memoryBacking>\n    <source type='memfd'/>\n    <access mode='shared'/>\n  </memoryBacking>\n"
_NUMA = "  <cpu>\n    <numa>\n      <cell id='0' cpus='0' memory='1' unit='GiB'/>\n    </numa>\n  </cpu>\n"


def render(guest: Guest) -> str:
    """Return a domain of the guest's machine and devices, without addresses.

    Args:
        guest: what `Guest.of` made.
    """
    devices: list[str] = []
    for device in guest.all_devices():
        xml = DEVICE_MODELS[device.row].xml
        number = _number(device)
        mac = f"{number >> 8:02x}:{number & 0xFF:02x}"
        devices.append(_indented(xml.format(n=number, mac=mac, disk=device.label.partition(":")[2])))
    has_memory = bool(guest.devices.get("memory"))
    shares_memory = any(d.model == "virtiofs" for d in guest.devices.get("filesystem", ()))
    return (
        "<domain type='qemu'>\n"
        "  <name>guest</name>\n"
        + (_MEMORY_DEVICES if has_memory else "")
        + "  <memory unit='GiB'>1</memory>\n"
        + (_SHARED_MEMORY if shares_memory else "")
        + "  <vcpu>1</vcpu>\n"
        "  <os>\n"
        f"    <type arch='{guest.arch}' machine='{guest.machine_type}'>hvm</type>\n"
        "  </os>\n"
        "  <features>\n    <acpi/>\n  </features>\n"
        + (_NUMA if has_memory else "")
        + "  <devices>\n"
        + "".join(devices)
        + "  </devices>\n"
        "</domain>\n"
    )


def _number(device: Device) -> int:
    if isinstance(device, Controller):
        return device.index or 0
    return device.unit if device.unit is not None else int(device.label.partition(":")[2])


def _indented(xml: str, depth: int = 2) -> str:
    """Return an element with each of its descendants on a line of its own."""
    lines: list[str] = []
    for piece in xml.replace("><", ">\n<").split("\n"):
        if piece.startswith("</"):
            depth -= 1
        lines.append("  " * depth + piece + "\n")
        if not piece.startswith("</") and not piece.endswith("/>") and "</" not in piece:
            depth += 1
    return "".join(lines)
