"""Rules about room: for one more device while the guest runs, and for the firmware's windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import MAX_INDEX
from pcisim.catalogue.versions import Libvirt
from pcisim.catalogue.x86_machines import X86
from pcisim.diagnose.finding import Finding
from pcisim.diagnose.view import PlacedView, found
from pcisim.enumeration.firmware_result import IO, MEMORY, PREFETCH
from pcisim.enumeration.io_windows import IoBudget, io_budget
from pcisim.errors import RefusedError, counted
from pcisim.guest import Controller, Device, Guest, evolved
from pcisim.hotplug.kinds import emulator_refuses
from pcisim.libvirt.completion import complete
from pcisim.libvirt.controllers_to_add import recipes_for, remedies
from pcisim.libvirt.policy import LibvirtPolicy


def hot_slots(view: PlacedView) -> Iterator[Finding]:
    """Find guests to which nothing can be attached while they run."""
    if not view.placement.topology.buses:
        return
    kind = c.EXPRESS if view.guest.express else c.CONVENTIONAL
    what, refused = _HOT_WORDS[kind]
    topology = view.placement.topology
    free = [bus for bus in topology.buses if bus.free and bus.model.hotplug and bus.model.accepts & kind]
    if any(topology.takes_hotplug(bus) for bus in free):
        return
    switched_off = {d.index: d for d in view.guest.controllers if d.is_pci and d.target.get("hotplug") == "off"}
    off = [switched_off[bus.index] for bus in free if bus.index in switched_off]
    if off:
        yield found(
            "hotplug-off",
            f"the only free {what}s are on {', '.join(d.label for d in off)}, which are switched off for hotplug",
            off,
            f"a running guest refuses {refused}",
            remedy=f"take hotplug='off' out of {off[0].label}, or add <controller type='pci' model='{_port(view)}'/>",
        )
        return
    cold = emulator_refuses(free[0], None, view.guest) if free else None
    yield found(
        "no-hot-slot",
        f"no {what} is free for hotplug: a running guest refuses {refused}",
        (),
        "it says 'No more available PCI slots'" if cold is None else cold.why,
        remedy=cold.remedy if cold is not None else _paste(view) or "make room on the root bus for one more bridge",
    )


_HOT_WORDS = {
    c.EXPRESS: ("PCI Express port", "every virtio and other PCI Express device"),
    c.CONVENTIONAL: ("slot", "every device"),
}


def _port(view: PlacedView) -> str:
    return "pcie-root-port" if view.guest.express else "pci-bridge"


def _paste(view: PlacedView) -> str:
    """Return the controller that leaves one slot free, with the index that keeps the others where they are."""
    index = len(view.placement.topology.buses)
    if index > MAX_INDEX:
        return ""
    return f"add <controller type='pci' index='{index}' model='{_port(view)}'/>; it is there from the next start on"


def io_ports(view: PlacedView) -> Iterator[Finding]:
    """Find guests that ask for more I/O windows than the firmware has."""
    budget = io_budget(view.placement)
    profile = budget.profile
    if profile is None:
        return
    details = (
        f"{counted(len(budget.asking), 'bridge asks', 'bridges ask')} for a window of 4 KiB at least: {budget.bridges}",
        f"measured: {profile.name}",
        *([f"not known and not counted: {', '.join(budget.unknown)}"] if budget.unknown else []),
    )
    if not budget.boots:
        yield found(
            "io-space",
            f"{budget.bytes:#x} bytes of I/O ports are asked for, and the firmware stops at {profile.room:#x}:"
            " the guest does not boot",
            (),
            *details,
            remedy="take bridges away, or devices with I/O ports from behind them; pci-bridge and pcie-to-pci-bridge"
            " ask even when they are empty, a port only for a device that has I/O ports",
        )
    elif not profile.fatal and len(budget.asking) > profile.windows - _in_use(view, budget):
        yield found(
            "io-windows",
            f"{len(budget.asking)} bridges ask for I/O windows, more than the firmware hands out, until the operating"
            " system repairs it",
            (),
            *_without(view),
            f"it hands out {profile.windows}, one fewer when devices with I/O ports are behind them",
            *details,
            remedy="take bridges away, or devices with I/O ports from behind them",
        )


def _without(view: PlacedView) -> Iterator[str]:
    """Yield who goes without: bridges and devices, by the windows and addresses that the firmware gives."""
    from pcisim.enumeration.enumerate import enumerated  # 20 ms, so not before it is needed

    hardware, programmed = enumerated(view.placement)
    bridges = [part for part in hardware.parts() if part.behind is not None and part in programmed.found]
    asking = set(io_budget(view.placement).asking)
    without = [part for part in bridges if part.label in asking and not programmed.window(part, IO)]
    dead = [part for part in without if not (programmed.window(part, MEMORY) or programmed.window(part, PREFETCH))]
    served = [part for part in without if part not in dead]
    lost = [part for part in hardware.parts() if part.row and part.row.bars and part not in programmed.bars]
    for parts, what in (
        (dead, "get no window at all, not for memory either: nothing can be plugged in there"),
        (served, "get windows for what is behind them and none for I/O: nothing more can be plugged in there"),
        ([part for part in lost if part not in bridges], "get no addresses"),
    ):
        if parts:
            yield f"{', '.join(str(part.label) for part in parts)} {what}"


def _in_use(view: PlacedView, budget: IoBudget) -> bool:
    """Return whether there are devices behind the bridges that ask."""
    asking = set(budget.asking)
    buses = {index for index, bridge in view.bridges.items() if bridge.label in asking}
    return any(packed >> 8 in buses for device, packed in view.addresses.items() if device not in view.bridges.values())


DRIVE_NUMBERS = 16
"""How many disks SeaBIOS gives a number (firmware rule 6.2)."""
_FIRST_OF = {
    "hd": lambda guest: any(_kind(disk) in ("", "disk", "lun") for disk in guest.devices.get("disk", ())),
    "cdrom": lambda guest: any(_kind(disk) == "cdrom" for disk in guest.devices.get("disk", ())),
    "fd": lambda guest: any(_kind(disk) == "floppy" for disk in guest.devices.get("disk", ())),
    "network": lambda guest: bool(guest.devices.get("interface")),
}
"""Whether there is what ``<boot>`` of ``<os>`` names, so that libvirt gives it a boot order."""


def _kind(disk: Device) -> str:
    return (disk.origin.get("device") or "") if disk.origin is not None else ""


def drive_numbers(view: PlacedView) -> Iterator[Finding]:
    """Find guests with more virtio disks than SeaBIOS has numbers for, of those that it looks at."""
    guest = view.guest
    if guest.firmware != "seabios" or guest.arch not in X86:
        return
    disks = [d for d in guest.devices.get("disk", ()) if d.bus == "virtio" and d in view.addresses]
    if len(disks) <= DRIVE_NUMBERS:
        return
    ordered = [d for d in disks if "boot" in d.traits]
    if any("boot" in device.traits for device in guest.all_devices()):
        ordered.sort(key=lambda disk: int(disk.traits["boot"]))
        disks, without = ordered, ordered[DRIVE_NUMBERS:]
        why = f"{', '.join(d.label for d in without[:4])}{' ...' if without[4:] else ''}: the last by boot order"
        remedy = "take the <boot> of the disks without a number out"
    elif any(_FIRST_OF[kind](guest) for kind in guest.traits.get("os_boots", ("hd",))):
        return
    else:
        without = []
        why = "nothing has a boot order: <os> names no device that the guest has, so that SeaBIOS looks at every disk"
        remedy = "write <boot dev='hd'/> in <os>"
    if len(disks) > DRIVE_NUMBERS:
        yield found(
            "drive-numbers",
            f"{len(disks)} virtio disks are to have a number of SeaBIOS, which has {DRIVE_NUMBERS}",
            without,
            why,
            "what boots finds the others only with a driver of its own",
            remedy=remedy,
        )


ROOM_RULES = (hot_slots, io_ports, drive_numbers)


def paste_for(guest: Guest, rules: Libvirt, is_sound: Callable[[Guest], bool]) -> list[Controller]:
    """Return controllers that make a guest fit which libvirt refuses for want of room; none when none help.

    Args:
        guest: as it was read, or described.
        rules: the version of libvirt.
        is_sound: says whether a guest is accepted, and starts.
    """
    root = _root(guest)
    rooted = evolved(guest, controllers=[*root, *guest.controllers])
    try:
        demand = LibvirtPolicy(rules).demand(complete(rooted, rules))
    except RefusedError:  # for something else than room
        return []
    for plug in (c.EXPRESS, c.CONVENTIONAL):
        if recipes_for(guest, plug):
            for made in remedies(guest, {plug: 1}, demand.fits_with):
                if is_sound(evolved(rooted, controllers=[*rooted.controllers, *made])):
                    return [*root, *made]
    return []


def _root(guest: Guest) -> list[Controller]:
    """Return the root bus, when the guest has PCI controllers without an index and does not list it."""
    model = guest.machine.root
    unlisted = not any(d.is_pci and d.index == 0 for d in guest.controllers)
    if model and unlisted and any(d.is_pci and d.index is None for d in guest.controllers):
        return [Controller("controller", "pci:0", model, type="pci", index=0)]
    return []
