"""Short ways to write guests down, and to read off what became of them."""

from __future__ import annotations

import pcisim
from pcisim.catalogue.versions import libvirt_version
from pcisim.catalogue.x86_machines import X86
from pcisim.errors import PcisimError
from pcisim.formats.domain.reader import read
from pcisim.guest import Controller, Guest, disk_target
from pcisim.libvirt.completion import complete
from pcisim.plan import Plan

NO_BALLOON = "<memballoon model='none'/>"
NO_USB = "<controller type='usb' model='none'/>"
BARE = NO_BALLOON + NO_USB
"""What keeps libvirt from adding anything but the root bus and SATA."""


def domain(machine: str, *devices: str, head: str = "", arch: str = "x86_64") -> str:
    """Return domain XML, one device on each line from line 10 on; on x86 with ACPI, which others do without."""
    acpi = "<acpi/>" if arch in X86 else ""
    kind = f"<type arch='{arch}' machine='{machine}'>hvm</type>"
    return (
        "<domain type='qemu'>\n<name>guest</name>\n<memory unit='MiB'>64</memory>\n"
        f"{head}\n<os>\n{kind}\n</os>\n<features>{acpi}</features>\n<devices>\n"
        + "\n".join(devices)
        + "\n</devices>\n</domain>\n"
    )


FIRST_LINE = 10
"""The line of the first device of `domain`."""


def at(bus: int, slot: int, function: int = 0, multifunction: str = "") -> str:
    """Return a written address."""
    flag = f" multifunction='{multifunction}'" if multifunction else ""
    return f"<address type='pci' domain='0' bus='{bus:#x}' slot='{slot:#x}' function='{function}'{flag}/>"


def nic(model: str = "virtio", address: str = "") -> str:
    """Return a network card; no model element when the model is ""."""
    name = f"<model type='{model}'/>" if model else ""
    return f"<interface type='user'>{name}{address}</interface>"


def disk(number: int = 0, address: str = "", bus: str = "virtio", prefix: str = "vd") -> str:
    """Return a disk by its number."""
    name = disk_target(prefix, number)
    return f"<disk type='file' device='disk'><source file='/{name}'/><target dev='{name}' bus='{bus}'/>{address}</disk>"


def disks(count: int) -> str:
    """Return the first virtio disks."""
    return "".join(disk(number) for number in range(count))


def video(model: str, address: str = "", primary: bool = False) -> str:
    """Return a video device."""
    mark = " primary='yes'" if primary else ""
    return f"<video><model type='{model}'{mark}/>{address}</video>"


def pci(model: str, index: int | None = None, inner: str = "") -> str:
    """Return a PCI controller."""
    number = "" if index is None else f" index='{index}'"
    return f"<controller type='pci'{number} model='{model}'>{inner}</controller>"


def controller(kind: str, index: int | None = None, model: str = "", inner: str = "") -> str:
    """Return a controller of another type."""
    number = "" if index is None else f" index='{index}'"
    name = f" model='{model}'" if model else ""
    return f"<controller type='{kind}'{number}{name}>{inner}</controller>"


def ich9(index: int | None = None, order: str = "e123") -> str:
    """Return a set of ICH9 USB controllers in an order."""
    rows = {
        "e": controller("usb", index, "ich9-ehci1"),
        "1": controller("usb", index, "ich9-uhci1", "<master startport='0'/>"),
        "2": controller("usb", index, "ich9-uhci2", "<master startport='2'/>"),
        "3": controller("usb", index, "ich9-uhci3", "<master startport='4'/>"),
    }
    return "".join(rows[letter] for letter in order)


def table(plan: Plan) -> str:
    """Return a plan as lines in the order of addresses.

    ``00:01.0* pci:1 pcie-root-port``: a star for multifunction='on', a bang for 'off'.
    """
    rows = []
    for device, packed in plan.placement.addresses.items():
        mark = {"on": "*", "off": "!"}.get(plan.placement.multifunction.get(device, ""), "")
        model = f" {device.model}" if isinstance(device, Controller) and device.type == "pci" else ""
        rows.append((packed, f"{packed >> 8:02x}:{packed >> 3 & 31:02x}.{packed & 7}{mark} {device.label}{model}"))
    return "\n".join(text for _, text in sorted(rows))


def placed(machine: str, *devices: str, version: str = "11.3", head: str = "") -> str:
    """Return the `table` of a guest."""
    return table(pcisim.assign(domain(machine, *devices, head=head), libvirt=version))


def refused(machine: str, *devices: str, version: str = "11.3", head: str = "") -> PcisimError:
    """Return how a guest is refused."""
    try:
        plan = pcisim.assign(domain(machine, *devices, head=head), libvirt=version)
    except PcisimError as error:
        return error
    raise AssertionError(f"accepted:\n{table(plan)}")


def completed(machine: str, *devices: str, version: str = "11.3", head: str = "") -> Guest:
    """Return the guest as libvirt sees it before it places anything."""
    rules = libvirt_version(version)
    return complete(read(domain(machine, *devices, head=head), rules), rules)


def lines(text: str) -> str:
    """Return a table written with indentation."""
    return "\n".join(line.strip() for line in text.strip().splitlines())
