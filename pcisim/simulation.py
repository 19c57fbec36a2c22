"""A command line without libvirt, simulated: what QEMU takes, what the firmware numbers, what Linux finds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pcisim.catalogue.bars import IO, MEM64
from pcisim.catalogue.bridges import ROOT_PORTS
from pcisim.catalogue.profiles import Profile, check_firmware, profile_of
from pcisim.enumeration import linux
from pcisim.enumeration.enumerate import program, view_of
from pcisim.enumeration.firmware_result import FirmwareResult
from pcisim.enumeration.hotplugged import appears
from pcisim.enumeration.numbers import Routing
from pcisim.enumeration.view import ROM, WINDOW_KINDS, GuestFunction, GuestView
from pcisim.errors import RefusedError, WrongTypeError
from pcisim.qemu.functions import PciBus, QemuFunction
from pcisim.qemu.listing import placement_of
from pcisim.qemu.machine import SHPC, QemuMachine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NUMBERS = ("primary", "secondary", "subordinate")
_BOOTED = "boot attempt"
_ENDED = {"seabios": "firmware gave up: {}", "ovmf": "tree unchanged"}
"""How the run of a firmware ends that does not come to boot."""
_HANGS = "timeout"
"""How it ends when the firmware goes round in circles."""
USUAL_PROFILE = "qemu-7.2"
"""The profile of a simulation that names none."""
_NO_FIRMWARE = ("microvm",)
"""Families on which no firmware looks for PCI devices."""


class HotplugStep(NamedTuple):
    """One device plugged into, or unplugged from, a running machine.

    Args:
        text: a ``-device`` text, or ``-`` and an id.
        error: QEMU's reason to refuse it; ``None`` when it was done.
        placed: bus name, slot and function of what was plugged in.
        seen: whether a running Linux finds it; ``None`` for what was refused or unplugged.
        remark: why not, or since when.
    """

    text: str
    error: str | None
    placed: tuple[tuple[str, int, int], ...]
    seen: bool | None
    remark: str

    def to_json(self) -> dict[str, Any]:
        """Return the step as the records of a real QEMU have it."""
        if self.text.startswith("-"):
            return {"step": self.text, "error": self.error}
        placed = [{"bus": bus, "slot": slot, "function": function} for bus, slot, function in self.placed]
        return {"step": self.text, "error": self.error, "placed": placed}


class Simulation:
    """What becomes of a command line.

    Args:
        machine: as it was given.
        devices: as they were given.
        options: as they were given.
        firmware: ``seabios`` or ``ovmf``.
        profile: the versions of QEMU, firmware and kernel.
        built: the machine as far as QEMU built it; with every device when it was accepted.
        refusal: why QEMU did not start; ``None`` when it did.
    """

    def __init__(
        self,
        machine: str,
        devices: Sequence[str],
        options: Sequence[str],
        firmware: str,
        profile: Profile,
        built: QemuMachine,
        refusal: RefusedError | None,
    ) -> None:
        self.machine = machine
        self.devices = tuple(devices)
        self.options = tuple(options)
        self.firmware = firmware
        self.profile = profile
        self.built = built
        self.refusal = refusal
        self._programmed: FirmwareResult | None = None

    def __repr__(self) -> str:
        how = "accepted" if self.accepted else f"refused: {self.error}"
        return f"<Simulation {self.machine}, {len(self.devices)} device{'s' * (len(self.devices) != 1)}: {how}>"

    @property
    def accepted(self) -> bool:
        """Return whether QEMU starts."""
        return self.refusal is None

    @property
    def error(self) -> str | None:
        """Return QEMU's words when it does not start, with the device and the reason."""
        if self.refusal is None:
            return None
        blamed = [detail for detail in self.refusal.details[:1] if detail.startswith("-device ")]
        return ": ".join((*blamed, self.refusal.headline))

    @property
    def programmed(self) -> FirmwareResult | None:
        """Return what the firmware wrote into the functions; ``None`` where none runs or QEMU does not start."""
        if self._programmed is None and self.accepted and self.built.hardware.family not in _NO_FIRMWARE:
            self._programmed = program(self.built.hardware, self.firmware, self.profile)
        return self._programmed

    @property
    def view(self) -> GuestView | None:
        """Return what the guest sees; ``None`` where no firmware runs or QEMU does not start."""
        programmed = self.programmed
        if programmed is None:
            return None
        return view_of(self.built.hardware, self.firmware, programmed, self.profile)

    def to_json(self) -> dict[str, Any]:
        """Return the simulation in the shape in which a real QEMU, its firmware and a Linux guest are recorded."""
        record: dict[str, Any] = {"machine": self.machine, "devices": list(self.devices)}
        if self.options:
            record["options"] = list(self.options)
        record |= {"accepted": self.accepted, "error": self.error}
        if not self.accepted:
            return record
        record |= {"warnings": list(self.built.warnings), "placement": placement_of(self.built)}
        programmed, view = self.programmed, self.view
        if programmed is None or view is None:
            return record
        record[self.firmware] = {
            "name": self.firmware,
            "profile": self.profile.firmware_name(self.firmware),
            "ended": _ended(self.firmware, programmed),
            "buses": self._buses(programmed),
        }
        if self.firmware == "seabios":
            record["linux"] = _linux(view)
        return record

    def _buses(self, programmed: FirmwareResult) -> list[dict[str, Any]]:
        hardware, routing = self.built.hardware, programmed.routing
        return [
            {
                "bus": bus.number,
                "functions": [_function(part, bus.number, programmed, (bus,)) for part in _shown(bus, routing)],
            }
            for bus in (*hardware.extra[::-1], hardware.root)
        ]


def simulate_qemu(
    machine: str,
    devices: Iterable[str],
    *,
    options: Iterable[str] = (),
    firmware: str = "seabios",
    profile: str | Profile = USUAL_PROFILE,
) -> Simulation:
    """Simulate a QEMU command line: who is taken where, what the firmware and a Linux guest make of it.

    ``-nodefaults`` is taken for given, and back-ends (``drive=``, ``netdev=``) for there.

    Args:
        machine: as after ``-machine``, with its options: ``q35``, ``microvm,pcie=on``.
        devices: what stands after each ``-device``, ``driver,key=value`` or JSON, in the order of the command line.
        options: other options that matter, each with its blank: ``-global X=Y``, ``-m 1G``.
        firmware: ``seabios`` or ``ovmf``.
        profile: the versions of QEMU, firmware and kernel, as for `pcisim.assign`; by default `USUAL_PROFILE`.

    Raises:
        UsageError: an unknown machine, firmware or profile.

    A command line that QEMU refuses is a result, not an error: see `Simulation.refusal`.

    Examples:
        >>> import pcisim
        >>> pcisim.simulate_qemu("q35", ["e1000e,addr=3,id=net0", "virtio-rng-pci,addr=3"]).refusal.headline
        'PCI: slot 3 function 0 not available for virtio-rng-pci, in use by e1000e,id=net0'
    """
    check_firmware(firmware)
    if isinstance(devices, (str, bytes)) or isinstance(options, (str, bytes)):
        raise WrongTypeError("devices and options are lists of strings, not one string", code="wrong-type")
    devices, options = tuple(devices), tuple(options)
    versions = profile_of(profile)
    built = QemuMachine(machine, options, versions.qemu)
    try:
        built.start(devices)
    except RefusedError as error:
        return Simulation(machine, devices, options, firmware, versions, built, error)
    return Simulation(machine, devices, options, firmware, versions, built, None)


def _ended(firmware: str, programmed: FirmwareResult) -> str:
    """Return how the run of a firmware ends, in the words of the records."""
    if programmed.boots:
        return _BOOTED
    return _ENDED[firmware].format(programmed.reason) if programmed.found else _HANGS


def _shown(bus: PciBus, routing: Routing) -> list[QemuFunction]:
    """Return the functions of whatever bus QEMU takes for a root bus by its number."""
    found = bus if bus.parent is None else routing.find(bus.number)
    return found.in_order() if found else []


def _function(part: QemuFunction, number: int, programmed: FirmwareResult, above: tuple[PciBus, ...]) -> dict[str, Any]:
    """Return a function with what QEMU takes to be behind it, up to a bus that is above it already."""
    row = part.row
    item: dict[str, Any] = {"bus": number, "slot": part.slot, "function": part.function, "qdev_id": part.label or ""}
    item["pci_id"] = f"{row.vendor:04x}:{row.device:04x}" if row else ""
    item["class"] = f"{row.class_code:04x}" if row else ""
    if row and (row.bars or row.rom):
        addresses = programmed.bars.get(part, {})
        bars = [_bar(bar.number, bar.kind, bar.prefetchable, bar.size, addresses.get(bar.number)) for bar in row.bars]
        if row.rom:
            bars.append(_bar(6, "rom", False, row.rom, None))
        item["bars"] = bars
    if part.behind is not None:
        numbers = programmed.routing.numbers.get(part, [0, 0, 0])
        bridge: dict[str, Any] = dict(zip(NUMBERS, numbers, strict=True))
        untouched = _untouched(part, programmed)
        for kind, name in enumerate(WINDOW_KINDS):
            base, size = programmed.window(part, kind) or (0, untouched[kind])
            bridge[name] = [base, base + size - 1] if size else None
        item["bridge"] = bridge
        below = programmed.routing.find(numbers[1], part.bus) if numbers[1] else None
        item["behind"] = []
        if below is not None and below not in above:
            above += (below,)
            item["behind"] = [_function(child, numbers[1], programmed, above) for child in below.in_order()]
    return item


def _untouched(part: QemuFunction, programmed: FirmwareResult) -> tuple[int, int, int]:
    """Return the sizes of the windows that are in the registers of a bridge which nobody gave any.

    All zeros there mean a window at 0, but root ports start with windows that are closed.  SeaBIOS
    closes two of the three before it stops.
    """
    if part.behind is None or part.driver in ROOT_PORTS:
        return 0, 0, 0
    if part not in programmed.found or part in programmed.forgotten:
        return 1 << 12, 1 << 20, 1 << 20
    return (0, 0, 0) if programmed.closes_windows else (0, 1 << 20, 0)


def _bar(number: int, kind: str, prefetchable: bool, size: int, address: int | None) -> dict[str, Any]:
    item: dict[str, Any] = {"bar": number, "type": "io" if kind == IO else "memory", "size": size, "address": address}
    if kind != IO:
        item |= {"mem64": kind == MEM64, "prefetch": prefetchable}
    return item


def _linux(view: GuestView) -> dict[str, Any]:
    if not view.boots:
        return {"booted": False, "why": view.reason}
    return {"booted": True, "functions": [_linux_function(function) for function in view.functions]}


def _linux_function(function: GuestFunction) -> dict[str, Any]:
    item: dict[str, Any] = {"address": str(function.address), "class": f"{function.class_code:04x}"}
    item["pci_id"] = f"{function.vendor:04x}:{function.device:04x}"
    if function.numbers is not None:
        bridge: dict[str, Any] = {name: getattr(function.numbers, name) for name in NUMBERS}
        for window in function.windows:
            known = window.base is not None and window.size
            bridge[window.kind] = [window.base, (window.base or 0) + (window.size or 0) - 1] if known else None
        item["bridge"] = bridge
    resources = [
        {"bar": number, "type": "io", "size": size, "assigned": True, "address": address}
        for number, (address, size) in enumerate(linux.IDE_PORTS if function.class_code == linux.IDE else ())
    ]
    for bar in function.bars:
        if bar.index != ROM:
            kind = "io" if bar.kind == IO else "memory"
            size = bar.size if bar.kind == IO else max(bar.size, linux.LEAST_MEMORY)
            resource = {"bar": bar.index, "type": kind, "size": size, "assigned": bar.address is not None}
            resources.append(resource | {"address": bar.address or 0})
    if resources:
        item["resources"] = resources
    return item


class HotplugSimulation:
    """What becomes of devices that are plugged into a running, paused machine.

    Args:
        start: the machine as it started.
        steps: what happened, in order; empty when QEMU did not start.
    """

    def __init__(self, start: Simulation, steps: tuple[HotplugStep, ...]) -> None:
        self.start = start
        self.steps = steps

    def __repr__(self) -> str:
        refused = sum(step.error is not None for step in self.steps)
        return f"<HotplugSimulation {self.start.machine}: {len(self.steps)} steps, of which {refused} refused>"

    def to_json(self) -> dict[str, Any]:
        """Return the steps in the shape in which those of a real QEMU are recorded."""
        record = {
            k: v for k, v in self.start.to_json().items() if k in ("machine", "devices", "options", "accepted", "error")
        }
        record["steps"] = [step.to_json() for step in self.steps]
        return record


def simulate_hotplug(
    machine: str,
    devices: Iterable[str],
    steps: Iterable[str],
    *,
    options: Iterable[str] = (),
    profile: str | Profile = USUAL_PROFILE,
) -> HotplugSimulation:
    """Simulate ``device_add`` and ``device_del`` on a QEMU that was started with some devices.

    Args:
        machine: as for `simulate_qemu`.
        devices: as for `simulate_qemu`.
        steps: a ``-device`` text to plug in, or ``-`` and an id to unplug.
        options: as for `simulate_qemu`.
        profile: as for `simulate_qemu`.

    Raises:
        UsageError: an unknown machine or profile.

    Examples:
        >>> import pcisim
        >>> steps = ["virtio-net-pci,id=n,bus=p", "-n"]
        >>> pcisim.simulate_hotplug("q35", ["pcie-root-port,id=p"], steps)
        <HotplugSimulation q35: 2 steps, of which 0 refused>
    """
    start = simulate_qemu(machine, devices, options=options, profile=profile)
    if not start.accepted:
        return HotplugSimulation(start, ())
    programmed = start.programmed
    booted_with = frozenset() if programmed is None else frozenset(linux.scan(start.built.hardware, programmed))
    return HotplugSimulation(start, tuple([_step(start.built, text, booted_with) for text in steps]))


def _step(built: QemuMachine, text: str, booted_with: frozenset[QemuFunction]) -> HotplugStep:
    try:
        if text.startswith("-"):
            built.unplug(text[1:])
            return HotplugStep(text, None, (), None, "")
        part = built.plug(text)
    except RefusedError as error:
        return HotplugStep(text, error.headline, (), None, "; ".join(error.details[1:]))
    if part is None:
        return HotplugStep(text, None, (), None, "it is not on PCI")
    seen, remark = appears(part, booted_with, native=built.handlers[part.bus] == SHPC)
    return HotplugStep(text, None, ((str(part.bus.label), part.slot, part.function),), seen, remark)
