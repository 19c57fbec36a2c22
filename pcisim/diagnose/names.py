"""Interfaces whose name in a Linux guest is not what somebody would expect."""

from __future__ import annotations

from collections.abc import Iterator

from pcisim.catalogue.x86_machines import X86
from pcisim.diagnose.finding import Finding
from pcisim.diagnose.view import PlacedView, found
from pcisim.guest import NO_RAM, Device

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pcisim.address import GuestAddress
    from pcisim.enumeration.names import InterfaceName


def interface_names(view: PlacedView) -> Iterator[Finding]:
    """Find names that two interfaces would have, names after surprising bus numbers, and ACPI indexes in vain."""
    devices = {d.label: d for d in view.addresses}
    if view.guest.arch not in X86 or not any(d.element == "interface" for d in devices.values()):
        return
    from pcisim.enumeration import enumerate_guest  # 20 ms, so not before they are needed
    from pcisim.enumeration.names import ONBOARD, PATH, clashes, names_of_guest, spans

    seen = enumerate_guest(view.placement, view.guest.firmware, ram=NO_RAM)
    names = names_of_guest(view.placement, seen)
    who: dict[GuestAddress, Device] = {}
    for function in seen.functions:
        if function.address in names and function.label in devices:
            who[function.address] = devices[function.label]
    for name, addresses, schemes in clashes(names):
        parties = [who[address] for address in addresses if address in who]
        if len(parties) > 1:
            yield found(
                "interface-name-twice",
                f"{', '.join(d.label for d in parties)} would all be {name} in the guest",
                parties,
                f"by naming schemes {spans(schemes)}: one gets the name, the others stay ethN",
                remedy="give each an <acpi index='N'/> of its own, in a slot of its own, or move one to another slot",
            )
    moved = []
    for address, device in who.items():
        index = device.acpi_index
        own = names[address][0]
        if index and (own.source != ONBOARD or own.name != f"eno{index}"):
            yield _in_vain(device, index, own)
        elif address.bus != view.addresses[device] >> 8 and any(option.source == PATH for option in names[address]):
            moved.append((device, address, names[address]))
    if moved:
        yield _after_bus(view, moved)


def _in_vain(device: Device, index: int, name: InterfaceName) -> Finding:
    return found(
        "acpi-index-in-vain",
        f"{device.label} has ACPI index {index}, but the guest calls it {name.name}",
        (device,),
        "a slot that takes hotplug has one index, its last device's; none is told on an expander or without ACPI",
        remedy=f"put {device.label} alone into a slot, not on an expander, and have <acpi/> in <features>",
    )


def _after_bus(view: PlacedView, moved: list[tuple[Device, GuestAddress, tuple[InterfaceName, ...]]]) -> Finding:
    from pcisim.enumeration.names import text_of

    lines = [
        f"{device.label} is {text_of(options)} in the guest: bus {view.addresses[device] >> 8} of the definition is the"
        f" guest's bus {address.bus}"
        for device, address, options in moved
    ]
    return found(
        "interface-bus-number",
        lines[0] + (f", and {len(lines) - 1} more" if len(lines) > 1 else ""),
        [device for device, _, _ in moved],
        "buses are numbered by where their controllers sit: a port that comes before renames the interface",
        *lines[1:],
        remedy="nothing, or an <acpi index='N'/>, which makes it enoN wherever it sits",
    )
