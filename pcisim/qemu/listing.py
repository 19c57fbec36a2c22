"""The functions of a machine as QEMU lists them."""

from __future__ import annotations

from pcisim.catalogue.qemu_rules import CHILD_BUSES, CLASS_NAMES
from pcisim.qemu.machine import QemuMachine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def class_name(code: int) -> str:
    """Return QEMU's name of a device class."""
    return CLASS_NAMES.get(code, f"Class {code:04x}")


def placement_of(machine: QemuMachine) -> list[dict[str, Any]]:
    """Return every PCI function as the records of a real QEMU have them, by bus name, slot and function."""
    rows: list[dict[str, Any]] = []
    for part in (part for bus in machine.buses() for part in bus.parts.values()):
        row = part.row
        name = class_name(row.class_code) if row else ""
        item: dict[str, Any] = {
            "bus": part.bus.label,
            "slot": part.slot,
            "function": part.function,
            "driver": part.driver,
            "id": part.label or "",
            "multifunction": part.multifunction,
            "class": name,
            "pci_id": f"{row.vendor:04x}:{row.device:04x}" if row else "",
        }
        child = part.behind.label if part.behind is not None else CHILD_BUSES.get(part.driver)
        if child and "bridge" in name.lower():
            item["child_bus"] = child
        rows.append(item)
    return sorted(rows, key=lambda item: (item["bus"], item["slot"], item["function"]))
