"""Which layout to take: policies side by side, each with what it costs, and the one that suits best.

Of the layouts that fit, that every firmware asked about boots and that have the room asked for later, one that keeps
every given address is preferred; of those libvirt's own; else the one with the most devices that can be detached while
the guest runs; of those the one with the fewest PCI controllers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import NamedTuple

from pcisim.address import format_packed
from pcisim.capacity.fits import PLUG_NAMES, missing_hot
from pcisim.capacity.report import Capacity, capacity
from pcisim.catalogue.connectors import CONVENTIONAL, EXPRESS
from pcisim.catalogue.devices import plug_on
from pcisim.catalogue.versions import DEFAULT_VERSION, Libvirt, libvirt_version
from pcisim.enumeration.io_windows import io_budget
from pcisim.errors import RefusedError, UsageError, check_type, counted
from pcisim.formats.domain.reader import read
from pcisim.formats.domain.text import render
from pcisim.formats.jsondoc import libvirt_keys
from pcisim.formats.plain import printable
from pcisim.guest import Controller, Device, Guest, evolved
from pcisim.hotplug.unplug import check_goes, detachable
from pcisim.placement import Placement
from pcisim.placement.groups import grouped_by_host_slot
from pcisim.plan import HostPci, Plan, assign
from pcisim.policies import policy_of
from pcisim.rewrite.reassign import reassign
from pcisim.rewrite.scsi_disks import ScsiDisks, movable, scsi_disks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pcisim.requests import Wish

SCHEMA = "pcisim.recommend/1"
SCSI = "virtio-scsi"
"""The row of libvirt's own layout with the virtio disks on few SCSI controllers."""
FIRMWARES = ("seabios", "ovmf")


class Layout(NamedTuple):
    """One row of the comparison: a policy on a machine type, and what it comes to.

    Args:
        policy: the policy, or `SCSI`.
        machine: the machine type.
        reason: why the guest does not fit; "" where it does.
        later: how many of the devices asked for later find no slot while the guest runs, by plug.
        boots: whether each firmware gets past its I/O; ``None`` where that was not measured.
        moved: addresses that were given and are others now: the label, what was given, and what it is.
        costs: in words, what else is given up.
        plan: the plan; ``None`` where the guest does not fit.
        capacity: what the plan has left; ``None`` where there is not a plan.
        controllers: PCI controllers with an index above 0.
        shared_slots: slots in which more than one function is held by the guest's devices.
        detachable: how many devices can be detached while the guest runs.
        devices: how many devices have a PCI address, or are disks on a SCSI controller.
    """

    policy: str
    machine: str
    reason: str = ""
    later: Mapping[str, int] = {}
    boots: Mapping[str, bool | None] = {}
    moved: tuple[tuple[str, str, str], ...] = ()
    costs: tuple[str, ...] = ()
    plan: Plan | None = None
    capacity: Capacity | None = None
    controllers: int = 0
    shared_slots: int = 0
    detachable: int = 0
    devices: int = 0

    @property
    def fits(self) -> bool:
        """Return whether the guest fits."""
        return self.plan is not None

    @property
    def qualifies(self) -> bool:
        """Return whether it fits, boots under the firmware of the definition, and has the room asked for later."""
        return self.plan is not None and self.boots[self.plan.placement.guest.firmware] is not False and not self.later

    def __repr__(self) -> str:
        return f"<Layout {self.policy} on {self.machine}: {'fits' if self.fits else self.reason}>"

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain data."""
        row: dict[str, Any] = {
            "policy": self.policy,
            "machine": self.machine,
            "fits": self.fits,
            "reason": self.reason or None,
        }
        if self.capacity is None:
            return row
        room = self.capacity.room
        return row | {
            "boots": {name: "unknown" if boots is None else boots for name, boots in self.boots.items()},
            "controllers": self.controllers,
            "buses": len(self.capacity.buses),
            "io_windows": {"asked": self.capacity.io.windows, "room": self.capacity.io.room},
            "port_memory_kib": self.capacity.port_memory_kib,
            "empty_hot_slots": {"express": room.express_hot, "conventional": room.conventional_hot},
            "detachable": self.detachable,
            "devices": self.devices,
            "shared_slots": self.shared_slots,
            "moved": [{"label": label, "given": given, "address": now} for label, given, now in self.moved],
            "later_missing": dict(self.later),
            "costs": list(self.costs),
        }


class Recommendation(NamedTuple):
    """Layouts of a guest, side by side.

    Args:
        layouts: one row for each machine type and policy, in the order in which they were asked for.
        best: the recommended row; ``None`` where none qualifies.
        rules: the version of libvirt, with its profile.
    """

    layouts: tuple[Layout, ...]
    best: Layout | None
    rules: Libvirt

    def __repr__(self) -> str:
        best = "none" if self.best is None else f"{self.best.policy} on {self.best.machine}"
        return f"<Recommendation {best}, of {len(self.layouts)} layouts>"

    def to_frame(self) -> Any:
        """Return one row for each layout as a data frame of pandas, else of polars.

        Raises:
            UsageError: neither is installed.
        """
        from pcisim.frames import frame_of

        rows = []
        for layout in self.layouts:
            known = layout.capacity
            rows.append(
                (
                    layout.policy,
                    layout.machine,
                    layout.fits,
                    layout is self.best,
                    *(layout.boots.get(firmware) for firmware in FIRMWARES),
                    layout.controllers if known else None,
                    known.room.express_hot if known else None,
                    known.room.conventional_hot if known else None,
                    layout.detachable if known else None,
                    layout.devices if known else None,
                    layout.shared_slots if known else None,
                    len(layout.moved) if known else None,
                    layout.reason,
                )
            )
        return frame_of(_COLUMNS, rows)

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as plain data; the key ``schema`` names its version."""
        return {
            "schema": SCHEMA,
            **libvirt_keys(self.rules),
            "layouts": [layout.to_json() for layout in self.layouts],
            "recommended": None if self.best is None else self.layouts.index(self.best),
        }

    def lines(self) -> list[str]:
        """Return the comparison for people: a table, then what does not go into it."""
        cells = [_cells(layout) for layout in self.layouts]
        shown = [
            n for n, head in enumerate(_HEADS) if head not in _IF_THEY_DIFFER or len({row[n] for row in cells}) > 1
        ]
        rows = [[row[n] for n in shown] for row in (_HEADS, *cells)]
        widths = [max(map(len, column)) for column in zip(*rows)]
        marks = [" ", *("*" if layout is self.best else " " for layout in self.layouts)]
        lines = [
            f"{mark} {'  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()}"
            for mark, row in zip(marks, rows)
        ]
        for layout in self.layouts:
            name = f"{layout.policy} on {layout.machine}"
            if layout.reason:
                lines.append(f"{name}: {printable(layout.reason)}")
            for firmware, boots in layout.boots.items():
                if boots is False:
                    lines.append(f"{name}: {_FIRMWARE[firmware]} stops for want of I/O ports")
            for plug, count in layout.later.items():
                lines.append(f"{name}: lacks {count} {plug} {'slot' if count == 1 else 'slots'} for what comes later")
            if layout.moved:
                first = ", ".join(f"{label} from {given} to {now}" for label, given, now in layout.moved[:3])
                more = f" and {len(layout.moved) - 3} more" if len(layout.moved) > 3 else ""
                lines.append(f"{name}: moves {first}{more}")
            lines += [f"{name}: {cost}" for cost in layout.costs]
        if self.best is None:
            lines.append("no layout is recommended: none fits, boots and has the room asked for")
        else:
            lines.append(f"recommended: {self.best.policy} on {self.best.machine}")
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())


_COLUMNS = (
    "policy", "machine", "fits", "recommended", *(f"boots_{firmware}" for firmware in FIRMWARES), "controllers",
    "express_hot", "conventional_hot", "detachable", "devices", "shared_slots", "moved", "reason",
)  # fmt: skip
"""The columns of a layout in a data frame."""
_FIRMWARE = {"seabios": "SeaBIOS", "ovmf": "OVMF"}
_HEADS = (
    "policy", "machine", "fits", "boots", "controllers", "I/O windows", "port memory", "hot slots", "detachable",
    "shared slots", "moved",
)  # fmt: skip
_IF_THEY_DIFFER = ("machine", "moved")
"""Columns that are left out where all rows say the same."""


def _cells(layout: Layout) -> tuple[str, ...]:
    found = layout.capacity
    if found is None:
        return (layout.policy, layout.machine, "no", *[""] * (len(_HEADS) - 4), "0")
    boots = [name for name, value in layout.boots.items() if value]
    return (
        layout.policy,
        layout.machine,
        "yes",
        "+".join(boots) or ("no" if False in layout.boots.values() else "?"),
        str(layout.controllers),
        f"{found.io.windows}/{'?' if found.io.room is None else found.io.room}",
        f"{found.port_memory_kib / 1024:.1f} MiB",
        f"{found.room.express_hot}+{found.room.conventional_hot}",
        f"{layout.detachable}/{layout.devices}",
        str(layout.shared_slots),
        str(len(layout.moved)),
    )


def recommend(
    guest: Guest | str | bytes,
    policies: Iterable[str] | None = None,
    *,
    later: Mapping[str, int] | None = None,
    machines: Iterable[str] = (),
    libvirt: str | Libvirt = DEFAULT_VERSION,
    profile: str | None = None,
    host_pci: HostPci = None,
    wishes: Mapping[str, Wish] | None = None,
    group_by_host_slot: bool = False,
) -> Recommendation:
    """Compare layouts of a guest and say which to take.

    Args:
        guest: a `Guest`, or domain XML.
        policies: the policies to compare, as `assign` takes them; by default ``libvirt``, ``dense`` and ``hotplug``
            with spares for what comes later.  A guest with virtio disks has a row more, its disks on virtio-scsi
            controllers.
        later: how many devices of each model will be attached while the guest runs.
        machines: the machine types to compare; by default the guest's own.
        libvirt: the libvirt version to emulate, from ``7.0`` on.
        profile: the QEMU and firmware to ask, as for `assign`.
        host_pci: which host devices of a document are conventional, as for `assign`.
        wishes: what is wished for of the places of devices, as for `assign`; a layout that cannot keep them is refused.
        group_by_host_slot: as for `assign`.

    Raises:
        InputError: the XML cannot be read.
        RefusedError: libvirt refuses the definition as it stands, whatever the places.
        UsageError: an unknown version, policy or model, or nothing to compare.

    Examples:
        >>> import pcisim
        >>> pcisim.recommend(pcisim.Guest.of("pc", {"virtio-blk": 59}))
        <Recommendation virtio-scsi on pc, of 4 layouts>
    """
    rules = libvirt_version(libvirt, profile)
    check_type(guest, (Guest, str, bytes), "a guest is a Guest, or domain XML as str or bytes")
    names = None if policies is None else tuple(policies)
    if names is not None and not names:
        raise UsageError("there is no policy to compare", code="usage", remedy="name one, such as dense")
    for name in names or ():
        policy_of(name, rules)
    wanted = dict(wishes or {})
    if isinstance(guest, Guest):
        guest = guest.wishing(wanted)
        wanted = dict(guest.wishes)
        guest = render(guest)
    text = guest
    source = read(text, rules)
    if group_by_host_slot:
        wanted = grouped_by_host_slot(source, wanted)
    more = dict(later or {})
    source.extended(more)  # refuses models that there are not
    asked = _Question(source, more, rules, host_pci, wanted)
    layouts = []
    for machine in tuple(machines) or (None,):
        own, error = text, None
        if machine is not None:
            try:
                own = reassign(text, machine=machine, libvirt=rules).text if _is_other(source, machine) else text
            except RefusedError as refused:
                error = refused
        title = machine or source.machine_type
        chosen = names or _usual(source if error else read(own, rules), more)
        if error is not None:
            layouts += [Layout(name, title, error.headline) for name in chosen]
            continue
        layouts += [_layout(asked, own, name, title) for name in chosen]
        if movable(source.devices.get("disk", [])) > 1:
            layouts.append(_on_scsi(asked, own, title))
    return Recommendation(tuple(layouts), _best(layouts), rules)


def _usual(guest: Guest, later: Mapping[str, int]) -> tuple[str, ...]:
    """Return what is compared where nobody says: `hotplug` has a spare for each device that comes later."""
    spares = Counter(plug_on(device.plug, guest.express) for device in _more(guest, later))
    options = "".join(f":{name}={spares[plug]}" for plug, name in _SPARES.items() if spares[plug])
    return "libvirt", "dense", f"hotplug{options}"


_SPARES = {EXPRESS: "spare", CONVENTIONAL: "pci-spare"}


def _more(guest: Guest, later: Mapping[str, int]) -> list[Device]:
    """Return the devices that come later."""
    known = set(guest.all_devices())
    return [d for d in guest.extended(later).all_devices() if d not in known]


def _is_other(guest: Guest, machine: str) -> bool:
    return evolved(guest, machine_type=machine).machine.family != guest.machine.family


class _Question(NamedTuple):
    """What is asked of every layout."""

    source: Guest
    """The guest as it was given."""
    later: Mapping[str, int]
    rules: Libvirt
    host_pci: HostPci
    wishes: Mapping[str, Wish]


def _layout(
    asked: _Question, text: str | bytes, policy: str, machine: str, costs: tuple[str, ...] = (), title: str = ""
) -> Layout:
    """Return the row of a definition under a policy."""
    try:
        plan = assign(text, policy, libvirt=asked.rules, host_pci=asked.host_pci, wishes=asked.wishes)
    except RefusedError as error:
        if error.code == "unknown-architecture":  # no policy has an answer
            raise
        return Layout(title or policy, machine, error.headline)
    placement = plan.placement
    scsi = [d for d in placement.guest.devices.get("disk", ()) if d.bus == "scsi"]
    return Layout(
        title or policy,
        machine,
        later=_missing(asked, placement),
        boots={firmware: _boots(placement, firmware) for firmware in FIRMWARES},
        moved=_moved(asked.source, placement),
        costs=costs,
        plan=plan,
        capacity=capacity(placement),
        controllers=sum(c.is_pci and bool(c.index) for c in placement.guest.controllers),
        shared_slots=_shared(placement),
        detachable=sum(map(_is_device, detachable(placement))) + sum(_can_go(disk, placement) for disk in scsi),
        devices=sum(map(_is_device, placement.addresses)) + len(scsi),
    )


def _on_scsi(asked: _Question, text: str | bytes, machine: str) -> Layout:
    """Return the row of a definition as libvirt places it, its virtio disks on SCSI controllers."""
    try:
        changed = scsi_disks(text, asked.rules)
    except RefusedError as error:
        return Layout(SCSI, machine, error.headline)
    # a SCSI disk needs no slot, and can be detached
    kept = {label: wish for label, wish in asked.wishes.items() if label.removeprefix("disk:") not in changed.renamed}
    return _layout(asked._replace(wishes=kept), changed.text, "libvirt", machine, _scsi_costs(changed), SCSI)


def _scsi_costs(changed: ScsiDisks) -> tuple[str, ...]:
    old, new = next(iter(changed.renamed.items()))
    costs = [
        f"{counted(len(changed.renamed), 'disk changes its name', 'disks change their names')} in the guest"
        f" ({old} becomes {new}), and it needs virtio_scsi"
        " instead of virtio_blk"
    ]
    if changed.kept:
        costs.append(
            f"{counted(len(changed.kept), 'virtio disk has', 'virtio disks have')} options that SCSI disks do not, and"
            f" {'stays as it is' if len(changed.kept) == 1 else 'stay as they are'}"
        )
    return tuple(costs)


def _missing(asked: _Question, placement: Placement) -> Mapping[str, int]:
    """Return how many of the devices that come later find no slot, by plug."""
    if not asked.later:
        return {}
    missing, _ = missing_hot(placement, _more(placement.guest, asked.later), asked.rules)
    return {PLUG_NAMES[plug]: count for plug, count in missing.items()}


def _boots(placement: Placement, firmware: str) -> bool | None:
    if placement.guest.firmware != firmware:
        placement = copy(placement)
        placement.guest = evolved(placement.guest, firmware=firmware)
    return io_budget(placement).boots


def _moved(source: Guest, placement: Placement) -> tuple[tuple[str, str, str], ...]:
    now = {d.label: packed for d, packed in placement.addresses.items()}
    moved = []
    for device in source.all_devices():
        given = device.address
        if given is not None and now.get(device.label) != given:
            packed = now.get(device.label)
            moved.append((device.label, format_packed(given), format_packed(packed) if packed is not None else "none"))
    return tuple(moved)


def _shared(placement: Placement) -> int:
    slots = Counter(packed >> 3 for packed in placement.addresses.values())
    return sum(count > 1 for count in slots.values())


def _is_device(device: Device) -> bool:
    return not isinstance(device, Controller) or not device.is_pci


def _can_go(disk: Device, placement: Placement) -> bool:
    try:
        check_goes(disk, None, placement.guest, placement.topology)
    except RefusedError:
        return False
    return True


def _best(layouts: Sequence[Layout]) -> Layout | None:
    fitting = [layout for layout in layouts if layout.qualifies]
    return min(fitting, key=_rank, default=None)


def _rank(layout: Layout) -> tuple[bool, bool, int, int]:
    """Return what layouts that qualify are sorted by, the best first."""
    return bool(layout.moved), layout.policy != "libvirt", -layout.detachable, layout.controllers
