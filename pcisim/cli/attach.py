"""``pcisim attach``: which address a device gets when it is attached to a guest that runs, or to its definition."""

from __future__ import annotations

import argparse

from pcisim.cli import common, inputs
from pcisim.errors import PcisimError, RefusedError, UsageError
from pcisim.formats.plain import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pcisim.address import PciAddress
    from pcisim.guest import Controller, Device
    from pcisim.hotplug import Event
    from pcisim.hotplug.guest_address import Sight
    from pcisim.placement import Placement
    from pcisim.plan import Plan

ATTACH_SCHEMA = "pcisim.attach/1"
_MOST_TOLD = 8
"""Of so many devices the text says where the guest finds them."""

_EPILOG = """examples:
  virsh dumpxml vm | pcisim attach - --device virtio-net,count=4
  pcisim attach guest.xml nic.xml              as virsh attach-device --live
  pcisim attach guest.xml nic.xml --config     as virsh attach-device --config

exit status: 0 all are attached; 1 not all, and why; 2 usage; 3 cannot be read
"""


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "attach",
        help="show which address a device gets when it is attached",
        description="Print the address that a running guest gives to each device that is attached to it, and say"
        " where the guest finds it, and whether the address would be the same after a cold start. With --config: the"
        " address in the stored definition, which grows, and takes what a running guest does not.",
        epilog=_EPILOG,
        formatter_class=common.HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE|-", nargs="?", help="domain XML; - is standard input, the default")
    parser.add_argument("devices", metavar="DEVICE.xml", nargs="*", help="a file with one device element")
    parser.add_argument(
        "--device",
        action="append",
        default=[],
        metavar="MODEL[,count=N]",
        help="a device by QEMU's name without -pci; --device=help lists them",
    )
    parser.add_argument("--config", action="store_true", help="attach to the stored definition, not to a running guest")
    add_common_options(parser)
    parser.set_defaults(run=run)
    _let_options_stand_anywhere(parser)


def _let_options_stand_anywhere(parser: argparse.ArgumentParser) -> None:
    """Let an option stand between the two files, which argparse does not by itself before Python 3.12."""
    plain = parser.parse_known_args

    def parse(args: Any = None, namespace: Any = None) -> Any:
        parser.parse_known_args = plain  # type: ignore[method-assign]  # it is called from inside
        try:
            return parser.parse_known_intermixed_args(args, namespace)
        finally:
            parser.parse_known_args = parse  # type: ignore[method-assign]

    parser.parse_known_args = parse  # type: ignore[method-assign]


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that attach and detach share."""
    common.add_libvirt(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or json")
    common.add_host_pci(parser)
    common.add_debug(parser)


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Return the plan of the guest in the file.

    Raises:
        PcisimError: it cannot be read, or is refused.
    """

    name = "<stdin>" if arguments.file == common.STDIN else arguments.file
    data = common.read_bytes(arguments.file)
    return common.assigned(data, libvirt=arguments.libvirt, host_pci=common.host_pci_of(arguments.host_pci), name=name)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    if common.lists_devices(arguments):
        return 0
    if arguments.file is None:
        arguments.file = inputs.implied(
            "no guest: no file is given", "name a file of domain XML, or -, or pipe a document in"
        )
    if bool(arguments.device) == bool(arguments.devices):
        raise UsageError(
            "give either --device or files of device XML",
            code="usage",
            remedy="write --device virtio-net,count=4, or name a file with one device element",
        )
    if arguments.devices.count(common.STDIN) + (arguments.file == common.STDIN) > 1:
        raise UsageError("two inputs are standard input", code="usage", remedy="name a file for one of them")
    plan = plan_of(arguments)
    devices = _devices(arguments, plan)
    answer = (_Stored if arguments.config else _Running)(plan, devices)
    answer.attach_all()
    uncounted = common.uncounted_arguments(plan)
    if arguments.format == "json":
        common.write_json(answer.to_json() | {"raw_arguments": uncounted})
    else:
        common.write_stdout(answer.text())
    (common.say if answer.refused is None else common.complain)(*answer.report())
    return 0 if answer.refused is None else 1


def _devices(arguments: argparse.Namespace, plan: Plan) -> list[Device]:
    if arguments.device:
        from pcisim.placement.pinned import pinned

        guest = pinned(plan.placement)
        asked: list[Device] = []
        for name, count in common.device_counts(arguments.device).items():
            known = {*guest.all_devices()}
            guest = guest.extended({name: count})
            asked += [d for d in guest.all_devices() if d not in known]
        return asked
    from pcisim.formats.domain.reader import read_device
    from pcisim.formats.host_pci import lookup

    host_pci = lookup(common.host_pci_of(arguments.host_pci))
    devices = []
    for name in arguments.devices:
        data = common.read_bytes(name, "a file with one device element")
        try:
            devices.append(read_device(data, plan.rules, plan.placement.guest.machine, host_pci=host_pci))
        except PcisimError as error:
            error.file = "<stdin>" if name == common.STDIN else name
            raise
    return devices


class _Answer:
    """What is attached, and why no more."""

    mode = ""

    def __init__(self, plan: Plan, devices: list[Device]) -> None:
        self.plan = plan
        self.devices = devices
        self.done = 0
        self.refused: RefusedError | None = None
        self.rows: list[tuple[str, PciAddress | None, str | None]] = []
        """Label, address and multifunction of each device, and of what came along."""

    def attach_all(self) -> None:
        """Attach one device after the other, until one is refused."""
        for device in self.devices:
            try:
                self.attach(device)
            except RefusedError as error:
                self.refused = error
                return
            self.done += 1

    def attach(self, device: Device) -> None:
        """Attach a device."""
        raise NotImplementedError

    def text(self) -> str:
        """Return a line for each device: its label and its ``<address>`` element."""
        from pcisim.formats.domain.writer import address_element

        width = max((len(label) for label, _, _ in self.rows), default=0)
        return "".join(
            f"{printable(label):{width}} "
            + (
                address_element(int(address), multifunction, self.numbers(label))
                if address is not None
                else "(needs no PCI address)"
            )
            + "\n"
            for label, address, multifunction in self.rows
        )

    def numbers(self, label: str) -> tuple[int, int] | None:
        """Return the uid and the fid of a device, on s390."""
        return None

    def report(self) -> list[str]:
        """Return what is to be said beside: a headline, and details."""
        rules = f"as libvirt {self.plan.rules.version}"
        if self.refused is None:
            return [f"{self.done} attached, {rules}", *self.remarks()]
        error = self.refused
        reason, details = error.headline, list(error.details)
        if error.code == "no-more-slots" and self.mode == "live":
            reason, details = details[0], [error.headline, *details[1:]]
        remedy = self.remedy() or error.remedy
        headline = f"{self.done} of {len(self.devices)}: {reason}" + (f"; {remedy}" if remedy else "")
        return [headline, *(f"  {line}" for line in details), *self.remarks()]

    def remarks(self) -> list[str]:
        """Return details about what is attached."""
        return []

    def remedy(self) -> str:
        """Return what to do about the refusal, if more is known than it says itself."""
        controllers = self.controllers_to_add()
        return f"before the next boot add {' '.join(map(_element, controllers))}" if controllers else ""

    def controllers_to_add(self) -> tuple[Controller, ...]:
        """Return the controllers that let all be attached after the next boot."""
        return ()

    def to_json(self) -> dict[str, Any]:
        """Return the answer as plain data.

        Keys: ``schema``, ``libvirt``, ``mode`` (``live`` or ``config``), ``asked`` (how many), ``done``, ``attached``
        (``label``, ``address``, ``multifunction`` and more by mode), ``refused`` (``code``, ``headline``, ``details``,
        ``remedy``, ``before_next_boot``: elements to paste), ``null`` when nothing is.
        """
        from pcisim.formats.jsondoc import libvirt_keys

        error = self.refused
        return {
            "schema": ATTACH_SCHEMA,
            **libvirt_keys(self.plan.rules),
            "mode": self.mode,
            "asked": len(self.devices),
            "done": self.done,
            "attached": [
                {
                    "label": label,
                    "address": None if address is None else str(address),
                    "multifunction": multifunction,
                    **self.more(label, address),
                }
                for label, address, multifunction in self.rows
            ],
            "refused": None
            if error is None
            else {
                "code": error.code,
                "headline": error.headline,
                "details": list(error.details),
                "remedy": self.remedy() or error.remedy,
                "before_next_boot": [_element(controller) for controller in self.controllers_to_add()],
            },
        }

    def more(self, label: str, address: PciAddress | None) -> dict[str, Any]:
        """Return further keys of a row."""
        return {}


class _Running(_Answer):
    """Attach to a guest that runs, and to its definition beside, to compare."""

    mode = "live"

    def __init__(self, plan: Plan, devices: list[Device]) -> None:
        from pcisim.hotplug import RunningGuest

        super().__init__(plan, devices)
        self.guest = RunningGuest(plan.placement, plan.rules)
        self.stored: Placement = plan.placement
        self.cold: dict[str, PciAddress | None] = {}
        self.cold_refusal: RefusedError | None = None
        self._sights: dict[str, Sight] | None = None

    def attach(self, device: Device) -> None:
        """Attach to both; the definition's refusals are only remarks."""
        from pcisim.hotplug import attach_config

        before = len(self.guest.events)
        self.guest.attach(device)
        self._note(self.guest.events[before:])
        if self.cold_refusal is None:
            try:
                self.stored = attach_config(self.stored, [device], self.plan.rules)
            except RefusedError as error:
                self.cold_refusal = error
        places = _places(self.stored)
        self.cold |= {event.label: places.get(event.label) for event in self.guest.events[before:]}

    def _note(self, events: list[Event]) -> None:
        self.rows += [(event.label, event.address, event.multifunction) for event in events]

    def moved(self) -> list[tuple[str, PciAddress, PciAddress | None]]:
        """Return what the definition would put elsewhere: label, address now, address then."""
        return [
            (label, address, self.cold[label])
            for label, address, _ in self.rows
            if address is not None and self.cold[label] != address
        ]

    def remarks(self) -> list[str]:
        """Say what becomes of the addresses at a cold start."""
        if not any(address is not None for _, address, _ in self.rows):
            return []
        sights = self.sights()
        lines = [
            f"  the guest finds {label} at {sights[label][0]}" if sights[label][0] else f"  {label}: {sights[label][1]}"
            for label, address, _ in self.rows[:_MOST_TOLD]
            if address is not None
        ]
        if len(self.rows) > _MOST_TOLD:
            lines.append(f"  and so on: --format json says it of all {len(self.rows)}")
        return lines + self._kept()

    def _kept(self) -> list[str]:
        moved = self.moved()
        kept = "  an address is kept at a cold start because it is written into the stored XML"
        if not moved:
            return [f"{kept}: --live --config writes the same"]
        lines = [f"{kept}: write these elements there, for --live --config would not:"]
        for label, _, then in moved:
            lines.append(f"  {label}: --config gives {then}" if then is not None else f"  {label}: --config gives none")
        if self.cold_refusal is not None:
            lines.append(f"  --config refuses: {self.cold_refusal.headline}")
        return lines

    def controllers_to_add(self) -> tuple[Controller, ...]:
        """Return the controllers that let all be attached after the next boot."""
        from pcisim.capacity.fits import room_at_next_boot

        if self.refused is None or self.refused.code != "no-more-slots":
            return ()
        return room_at_next_boot(self.plan.placement, self.devices, self.plan.rules)

    def more(self, label: str, address: PciAddress | None) -> dict[str, Any]:
        """Return where the definition would put it."""
        then = self.cold[label]
        guest, why = self.sights().get(label, (None, ""))
        return {
            "config_address": None if then is None else str(then),
            "same_with_config": then == address,
            "guest_address": None if guest is None else str(guest),
            "guest_remark": why,
        }

    def sights(self) -> dict[str, Sight]:
        """Return where the running guest finds what was attached, by label."""
        from pcisim.hotplug.guest_address import seen_when_plugged

        if self._sights is None:
            placed = [(label, address) for label, address, _ in self.rows if address is not None]
            found = seen_when_plugged(self.plan.placement, [address for _, address in placed])
            self._sights = {label: sight for (label, _), sight in zip(placed, found)}
        return self._sights


class _Stored(_Answer):
    """Attach to the stored definition."""

    mode = "config"

    def __init__(self, plan: Plan, devices: list[Device]) -> None:
        super().__init__(plan, devices)
        self.placement: Placement = plan.placement
        self.added: list[Controller] = []

    def attach(self, device: Device) -> None:
        """Attach a device, and note what came along."""
        from pcisim.hotplug import attach_config

        known = {d.label for d in self.placement.guest.all_devices()}
        self.placement = attach_config(self.placement, [device], self.plan.rules)
        places = _places(self.placement)
        for one in self.placement.guest.all_devices():
            if one.label not in known and one.mirrors is None:
                self.rows.append((one.label, places.get(one.label), self.placement.multifunction.get(one)))
        self.added += self.placement.added

    def numbers(self, label: str) -> tuple[int, int] | None:
        """Return the uid and the fid of a device, on s390."""
        return next((ids for device, ids in self.placement.zpci.items() if device.label == label), None)

    def remarks(self) -> list[str]:
        """Say which controllers libvirt adds."""
        places = _places(self.placement)
        return [
            f"  libvirt adds {d.label} {d.model}" + (f" at {places[d.label]}" if d.label in places else "")
            for d in self.added
        ]

    def more(self, label: str, address: PciAddress | None) -> dict[str, Any]:
        """Return whether libvirt adds it."""
        return {"added": any(controller.label == label for controller in self.added)}


def _places(placement: Placement) -> dict[str, PciAddress]:
    from pcisim.address import PciAddress

    return {d.label: PciAddress.from_int(packed) for d, packed in placement.addresses.items()}


def _element(controller: Controller) -> str:
    from pcisim.formats.domain.text import element_lines

    return element_lines(controller)[0][1]
