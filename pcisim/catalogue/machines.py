"""Machine types of all architectures, by their names.

The rows are in `pcisim.catalogue.x86_machines` and `pcisim.catalogue.other_machines`; the second is not imported
before it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pcisim.catalogue.versions import Libvirt
from pcisim.catalogue.x86_machines import X86, Machine, x86_machine


def machine_of(name: str, arch: str = "x86_64", rules: Libvirt | None = None) -> Machine:
    """Return the family of a machine type, whatever its version.

    Args:
        name: the machine type; an empty one is the architecture's default, ``pc`` on x86.
        arch: the architecture, in libvirt's words.
        rules: the version of libvirt that completes guests of it; ``None`` where that does not matter.
    """
    if arch in X86:
        return x86_machine(name).as_of(rules)
    from pcisim.catalogue.other_machines import other_machine

    return other_machine(name, arch).as_of(rules)


MACHINES_FROM: Mapping[str, Mapping[tuple[str, str], tuple[int, int]]] = MappingProxyType(
    {
        "7.2": {("i440fx", "pc-i440fx"): (1, 4), ("q35", "pc-q35"): (2, 4)},
        "10.0": {
            ("i440fx", "pc-i440fx"): (2, 4), ("q35", "pc-q35"): (2, 4), ("arm-virt", "virt"): (2, 6),
            ("pseries", "pseries"): (3, 0), ("s390", "s390-ccw-virtio"): (2, 9),
        },
        "11.1": {
            ("i440fx", "pc-i440fx"): (5, 2), ("q35", "pc-q35"): (5, 2), ("arm-virt", "virt"): (5, 2),
            ("pseries", "pseries"): (5, 2), ("s390", "s390-ccw-virtio"): (5, 2),
        },
    }
)  # fmt: skip
"""For each QEMU the oldest version of its machine types, by family and name; of others nothing was measured."""


def default_machine(arch: str) -> str:
    """Return the machine type of a definition that names none, "" for an unknown architecture."""
    if arch in X86:
        return "pc"
    from pcisim.catalogue.other_machines import ARCHITECTURES

    return ARCHITECTURES[arch].name if arch in ARCHITECTURES else ""
