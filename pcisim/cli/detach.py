"""``pcisim detach``: what is free after devices have been detached from a guest that runs."""

from __future__ import annotations

import argparse

from pcisim.cli import common
from pcisim.cli.attach import add_common_options, plan_of
from pcisim.errors import RefusedError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pcisim.capacity.report import Room
    from pcisim.catalogue.versions import Libvirt
    from pcisim.hotplug import RunningGuest

DETACH_SCHEMA = "pcisim.detach/1"

_EPILOG = """examples:
  virsh dumpxml vm | pcisim detach - interface:1 disk:vdb
  pcisim tree guest.xml                        shows the labels

exit status: 0 all are detached; 1 not all, and why; 2 usage; 3 cannot be read
"""


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "detach",
        help="show what is free after devices have been detached",
        description="Detach devices from a running guest, and print what is free afterwards. A place is free once the"
        " guest has let the device go: here it always does.",
        epilog=_EPILOG,
        formatter_class=common.HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE|-", help="domain XML; - is standard input")
    parser.add_argument("labels", metavar="LABEL", nargs="+", help="a device, such as interface:1 or disk:vdb")
    add_common_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from pcisim.hotplug import RunningGuest

    twice = [label for label in arguments.labels if arguments.labels.count(label) > 1]
    if twice:
        raise UsageError(f"{twice[0]} is named twice", code="usage", remedy="name each device once")
    plan = plan_of(arguments)
    guest = RunningGuest(plan.placement, plan.rules)
    refused: RefusedError | None = None
    rows: list[tuple[str, str | None]] = []
    for label in arguments.labels:
        try:
            address = guest.detach(label)
        except RefusedError as error:
            refused = error
            break
        rows.append((label, None if address is None else str(address)))
    if arguments.format == "json":
        common.write_json(_document(plan.rules, rows, refused, free(guest)))
    else:
        width = max((len(label) for label, _ in rows), default=0)
        lines = [
            f"{label:{width}} {f'frees {address}' if address else '(had no PCI address)'}" for label, address in rows
        ]
        common.write_stdout("".join(f"{line}\n" for line in (*lines, free(guest))))
    if refused is None:
        common.say(f"{len(rows)} detached, as libvirt {plan.rules.version}")
        return 0
    first, *rest = refused.explanation()
    common.complain(f"{len(rows)} of {len(arguments.labels)}: {first}", *rest)
    return 1


def free(guest: RunningGuest) -> Room:
    """Return the free slots of a running guest, by plug, cold and hot."""
    from pcisim.capacity.report import Room, room
    from pcisim.catalogue import connectors as c

    cold = room(guest.topology)
    express = guest.headroom(c.EXPRESS) if guest.definition.express else 0
    return Room(cold.express_cold, cold.conventional_cold, express, guest.headroom(c.CONVENTIONAL))


def _document(
    rules: Libvirt, rows: list[tuple[str, str | None]], refused: RefusedError | None, left: Room
) -> dict[str, Any]:
    """Return the answer as plain data.

    Keys: ``schema``, ``libvirt``, ``detached`` (``label``, ``address``), ``free`` (slots, by plug, cold and
    hot), ``refused`` (``code``, ``headline``, ``details``, ``remedy``), ``null`` when nothing is.
    """
    from pcisim.formats.jsondoc import libvirt_keys

    return {
        "schema": DETACH_SCHEMA,
        **libvirt_keys(rules),
        "detached": [{"label": label, "address": address} for label, address in rows],
        "free": {
            "express": {"cold": left.express_cold, "hot": left.express_hot},
            "conventional": {"cold": left.conventional_cold, "hot": left.conventional_hot},
        },
        "refused": None
        if refused is None
        else {
            "code": refused.code,
            "headline": refused.headline,
            "details": list(refused.details),
            "remedy": refused.remedy,
        },
    }
