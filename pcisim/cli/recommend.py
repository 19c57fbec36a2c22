"""``pcisim recommend``: layouts side by side, and which to take."""

from __future__ import annotations

import argparse

from pcisim.cli import common
from pcisim.errors import PcisimError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_EPILOG = """examples:
  pcisim recommend guest.xml
  pcisim recommend --machine q35 --device virtio-blk,count=300
  pcisim recommend guest.xml --later virtio-net=2 --compare libvirt,dense:modern=on
  pcisim recommend guest.xml --machines pc,q35 --emit xml > new.xml

Of the layouts that fit, boot and have the room asked for later, one that keeps every given address comes first, then
libvirt's own, then the one with the most devices that can be detached while the guest runs, then the one with the
fewest PCI controllers.  It is marked with *.

exit status: 0 a layout is recommended, 1 none is
"""


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "recommend",
        help="compare layouts and recommend one",
        description="Compare how policies would place a guest: whether it fits and boots, what it costs, and what can"
        " be attached and detached later. Recommend one of them.",
        epilog=_EPILOG,
        formatter_class=common.HelpFormatter,
        allow_abbrev=False,
    )
    common.add_guest_options(parser, policy=False)
    parser.add_argument(
        "--compare",
        metavar="POLICY,...",
        help="the policies to compare (default: libvirt, dense and hotplug with what comes"
        " --later as spares; --policy=help of pcisim assign lists them)",
    )
    parser.add_argument("--machines", metavar="TYPE,...", help="machine types to compare (default: the guest's)")
    parser.add_argument(
        "--later",
        action="append",
        default=[],
        metavar="MODEL=N",
        help="devices to attach later, while the guest is running (may be repeated)",
    )
    parser.add_argument(
        "--emit",
        choices=("xml", "virt-install", "nova", "kubevirt", "qemu"),
        help="print the recommended layout in the format of a manager, instead of the table",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or json")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from pcisim.recommendation import recommend

    if arguments.emit and arguments.format == "json":
        raise UsageError("--emit and --format json are given", code="usage", remedy="give one or the other")
    guest, host_pci, name = common.guest_of(arguments)
    try:
        found = recommend(
            guest,
            _names(arguments.compare) if arguments.compare is not None else None,
            later=common.device_counts(arguments.later, "--later"),
            machines=_names(arguments.machines) if arguments.machines is not None else (),
            libvirt=arguments.libvirt,
            host_pci=host_pci,
            wishes=common.wishes_of(arguments),
            group_by_host_slot=arguments.group_by_host_slot,
        )
    except PcisimError as error:
        error.file = error.file or name
        raise
    if arguments.format == "json":
        common.write_json(found.to_json())
    elif arguments.emit and found.best is not None and found.best.plan is not None:
        from pcisim.managers import emitted

        text, unsaid = emitted(found.best.plan, arguments.emit)
        common.say(f"{found.best.policy} on {found.best.machine}", *found.best.costs, *unsaid)
        common.write_stdout(text)
    elif arguments.emit:
        common.say(*found.lines())
    else:
        common.write_stdout("\n".join(found.lines()) + "\n")
    return 0 if found.best is not None else 1


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)
