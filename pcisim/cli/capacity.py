"""``pcisim capacity``: how much room is left."""

from __future__ import annotations

import argparse

from pcisim.cli import common, terminal
from pcisim.cli.manner import manner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_STYLES = {r"^(bus  |\S+: functions, ).*": "bold", r"^total .*": "bold", r"will not boot": "red"}
_EPILOG = """examples:
  pcisim capacity guest.xml
  virsh dumpxml vm | pcisim capacity - --of virtio-blk
  pcisim capacity --machine q35 --device vga --of virtio-blk
"""


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "capacity",
        help="report how much room is left, cold and hot, and how many more of a device fit",
        description="Report for each bus what is usable, held and free, the totals cold and hot, and the budgets beside"
        " the addresses: bus numbers, memory for ports, I/O windows.",
        epilog=_EPILOG,
        formatter_class=common.HelpFormatter,
        allow_abbrev=False,
    )
    common.add_guest_options(parser)
    parser.add_argument(
        "--of",
        action="append",
        default=[],
        metavar="MODEL",
        help="count how many more of this device or PCI controller fit, and which counts below that libvirt refuses",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or json")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from pcisim.capacity.max_count import how_many_more_under
    from pcisim.capacity.report import capacity

    plan = common.plan_of(arguments)
    more = []
    if arguments.of:
        policy = common.counted_policy(plan, "capacity --of")
        more = [how_many_more_under(plan.source, name, policy) for name in arguments.of]
    report = capacity(plan.placement)
    uncounted = common.uncounted_arguments(plan)
    if arguments.format == "json":
        from pcisim.formats.jsondoc import libvirt_keys

        document = report.to_json() | libvirt_keys(plan.rules) | {"policy": arguments.policy}
        document["raw_arguments"] = uncounted
        document["of"] = {
            row.device: {arguments.policy: {"most": row.most, "holes": [list(hole) for hole in row.holes]}}
            for row in more
        }
        document["no_more"] = {
            row.device: {
                arguments.policy: {
                    "count": row.most + 1,
                    "reason": row.reason,
                    "short": [short.to_json() for short in row.short],
                }
            }
            for row in more
        }
        common.write_json(document)
        return 0
    lines = [*report.lines(grouped=not manner.verbose), *(f"{row} ({plan.policy.describe()})" for row in more)]
    common.write_stdout(terminal.text_of(lines, _STYLES))
    return 0
