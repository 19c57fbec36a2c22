"""Domain XML for a guest that has none: the shortest text that libvirt defines as that guest."""

from __future__ import annotations

from collections.abc import Iterable

from pcisim.catalogue.devices import DEVICE_MODELS
from pcisim.catalogue.x86_machines import X86
from pcisim.formats.xml.document import Document
from pcisim.formats.xml.editor import DEPTHS, Editor, Markup, deeper
from pcisim.guest import Controller, Device, Guest

_MEMORY_DEVICES = "  <maxMemory slots='256' unit='GiB'>1024</maxMemory>\n"
_SHARED_MEMORY = "  <memoryBacking>\n    <source type='memfd'/>\n    <access mode='shared'/>\n  </memoryBacking>\n"
_CELL = "      <cell id='{}'{} memory='1' unit='GiB'/>\n"

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", "'": "&apos;", "\n": "&#10;", "\t": "&#9;", "\r": "&#13;"})


def render(guest: Guest) -> str:
    """Return a domain of the guest's machine and devices, without addresses.

    Args:
        guest: what `Guest.of` made.
    """
    lines = [line for device in guest.all_devices() for line in element_lines(device)]
    arch, machine = (word.translate(_ESCAPES) for word in (guest.arch, guest.machine_type))
    has_memory = bool(guest.devices.get("memory"))
    shares_memory = any(d.model == "virtiofs" for d in guest.devices.get("filesystem", ()))
    firmware = " firmware='efi'" if guest.acpi and guest.arch not in X86 else ""  # without it they have no ACPI
    return (
        "<domain type='qemu'>\n"
        "  <name>guest</name>\n"
        + (_MEMORY_DEVICES if has_memory else "")
        + "  <memory unit='GiB'>1</memory>\n"
        + (_SHARED_MEMORY if shares_memory else "")
        + "  <vcpu>1</vcpu>\n"
        f"  <os{firmware}>\n"
        f"    <type arch='{arch}' machine='{machine}'>hvm</type>\n"
        "  </os>\n"
        + ("  <features>\n    <acpi/>\n  </features>\n" if guest.acpi else "")
        + (_numa(max(guest.numa_nodes, default=0) + 1) if has_memory or guest.numa_nodes else "")
        + "  <devices>\n"
        + "".join(f"{'  ' * (depth + 2)}{line}\n" for depth, line in lines)
        + "  </devices>\n"
        "</domain>\n"
    )


def _numa(nodes: int) -> str:
    """Return a number of NUMA nodes, the processor on the first."""
    cells = "".join(_CELL.format(node, "" if node else " cpus='0'") for node in range(nodes))
    return f"  <cpu>\n    <numa>\n{cells}    </numa>\n  </cpu>\n"


def element_lines(device: Device) -> list[tuple[int, str]]:
    """Return the element of a described device: how deep each line is indented, and its text."""
    if isinstance(device, Controller) and device.is_pci:
        return [(0, f"<controller type='pci' index='{device.index}' model='{device.model}'/>")]
    number = _number(device)
    mac = f"{number >> 8:02x}:{number & 0xFF:02x}"
    xml = DEVICE_MODELS[device.row].xml.format(n=number, mac=mac, disk=device.label.partition(":")[2])
    lines: list[tuple[int, str]] = []
    depth = 0
    for piece in xml.replace("><", ">\n<").split("\n"):
        if piece.startswith("</"):
            depth -= 1
        lines.append((depth, piece))
        if not piece.startswith("</") and not piece.endswith("/>") and "</" not in piece:
            depth += 1
    return lines


def add_to_document(document: Document, devices: Iterable[Device]) -> str | bytes:
    """Return a document with elements for more described devices at the end of ``<devices>``."""
    editor = Editor(document)
    lines = "".join([DEPTHS[depth] + line for device in devices for depth, line in element_lines(device)])
    parent = document.root.find("devices")
    if parent is not None:
        editor.append_child(parent, Markup(lines))
    else:
        editor.append_child(document.root, Markup(f"\0<devices>{deeper(lines)}\0</devices>"))
    return editor.apply()


def _number(device: Device) -> int:
    if isinstance(device, Controller):
        return device.index or 0
    return device.unit if device.unit is not None else int(device.label.partition(":")[2])
