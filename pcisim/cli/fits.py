"""``pcisim fits``: will it fit, and if not, what to paste."""

from __future__ import annotations

import argparse

from pcisim.cli import common
from pcisim.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pcisim.placement import Placement

_EPILOG = """examples:
  pcisim fits guest.xml --add virtio-blk=3 --add virtio-net=1
  virsh dumpxml vm | pcisim fits - --add virtio-net=3 --hotplug
  pcisim fits guest.xml --add virtio-blk=60 --format xml > new.xml

exit status: 0 it fits, 1 it does not
"""


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "fits",
        help="say whether more devices fit, and if not, what to paste",
        description="Say by exit status and one line whether more devices fit. When they do not, print the controllers"
        " that make them fit without moving any address that exists.",
        epilog=_EPILOG,
        formatter_class=common.HelpFormatter,
        allow_abbrev=False,
    )
    common.add_guest_options(parser)
    parser.add_argument(
        "--add", action="append", default=[], metavar="MODEL=N", help="how many more of a device (may be repeated)"
    )
    parser.add_argument("--hotplug", action="store_true", help="while the guest runs")
    parser.add_argument(
        "--format",
        choices=("text", "json", "xml"),
        default="text",
        help="text (default), json, or xml: the whole new definition, addressed; with --hotplug without the devices",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from pcisim.capacity.fits import fits
    from pcisim.formats.domain.text import element_lines
    from pcisim.libvirt.policy import LibvirtPolicy

    if common.lists_devices(arguments):
        return 0
    more = common.added_devices(arguments.add)
    if not more:
        raise UsageError("nothing to add", code="usage", remedy="write --add virtio-blk=3")
    plan = common.plan_of(arguments)
    common.answers_as_libvirt(plan, "fits")
    answer = fits(plan.source, more, LibvirtPolicy(plan.rules), hotplug=arguments.hotplug)
    lines = [line for controller in answer.controllers for _, line in element_lines(controller)]
    uncounted = common.uncounted_arguments(plan)
    if arguments.format == "json":
        import json

        from pcisim.formats.jsondoc import libvirt_keys

        document = {
            "schema": "pcisim.fits/1",
            **libvirt_keys(plan.rules),
            "fits": answer.fits,
            "headline": answer.headline,
            "boots": _boots(answer.placement),
            "hotplug": arguments.hotplug,
            "reason": answer.reason,
            "short": [short.to_json() for short in answer.short],
            "missing": dict(answer.missing),
            "controllers": lines,
            "raw_arguments": uncounted,
        }
        common.write_stdout(json.dumps(document, indent=2) + "\n")
    elif arguments.format == "xml":
        common.say(answer.headline)
        if answer.fits or lines:
            text = _new_definition(plan, answer, more, running=arguments.hotplug)
            common.write_stdout(text.encode() if isinstance(text, str) else text)
    else:
        said = [answer.headline]
        if lines:
            said += ["before the next boot add:" if arguments.hotplug else "add (moves nothing that is there):"]
            said += [f"  {line}" for line in lines]
        elif not answer.fits:
            said += [f"no controllers that were tried make it fit; libvirt says: {answer.reason}"]
        common.write_stdout("\n".join(said) + "\n")
    if answer.placement is not None:
        common.warn_if_it_will_not_boot(answer.placement)
    return 0 if answer.fits else 1


def _boots(placement: Placement | None) -> bool | str | None:
    """Return whether the firmware gets past its I/O windows, where that was measured."""
    from pcisim.enumeration.io_windows import io_budget

    if placement is None:
        return None
    boots = io_budget(placement).boots
    return "unknown" if boots is None else boots


def _new_definition(plan: Any, answer: Any, more: dict[str, int], *, running: bool) -> str | bytes:
    """Return the definition in which it fits, addressed; addresses that are there stay.

    It has the new controllers, and the new devices too, unless they are to be attached while the guest runs.
    """
    from pcisim.formats.domain.text import add_to_document, render
    from pcisim.formats.xml.document import parse
    from pcisim.guest import evolved
    from pcisim.plan import assign

    if running:
        text = add_to_document(parse(plan.to_xml()), answer.controllers)
    elif plan.source.document is None:
        guest = plan.source.extended(more)
        text = render(evolved(guest, controllers=[*guest.controllers, *answer.controllers]))
    else:
        text = add_to_document(plan.source.document, [*answer.controllers, *answer.devices])
    return assign(text, plan.policy, libvirt=plan.rules).to_xml()
