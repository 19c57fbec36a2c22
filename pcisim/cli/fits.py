"""``pcisim fits``: will it fit, and if not, what to paste."""

from __future__ import annotations

import argparse

from pcisim.cli import common
from pcisim.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pcisim.capacity.fits import Fits
    from pcisim.guest import Controller, Guest
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
        help="say whether more devices fit, and if not, what to add",
        description="Say by exit status and one line whether more devices fit. When they do not, print the controllers"
        " that make them fit without moving any address that exists.",
        epilog=_EPILOG,
        formatter_class=common.HelpFormatter,
        allow_abbrev=False,
    )
    common.add_guest_options(parser)
    parser.add_argument(
        "--add", action="append", default=[], metavar="MODEL=N", help="devices to add (may be repeated)"
    )
    parser.add_argument("--hotplug", action="store_true", help="attach them while the guest is running")
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

    more = common.device_counts(arguments.add, "--add")
    if not more:
        raise UsageError("nothing to add", code="usage", remedy="write --add virtio-blk=3")
    plan = common.plan_of(arguments)
    answer = fits(plan.source, more, common.counted_policy(plan, "fits"), hotplug=arguments.hotplug)
    own = answer.controllers if answer.elsewhere is None else ()
    lines = [line for controller in own for _, line in element_lines(controller)]
    uncounted = common.uncounted_arguments(plan)
    if arguments.format == "json":
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
            "elsewhere": _elsewhere(answer, plan.source),
            "raw_arguments": uncounted,
        }
        common.write_json(document)
    elif arguments.format == "xml":
        common.say(answer.headline)
        if answer.elsewhere is not None:
            common.say(f"under --policy {answer.elsewhere[0]} it fits: that is what is printed")
        if answer.fits or lines or answer.elsewhere is not None:
            text = _new_definition(plan, answer, more, running=arguments.hotplug)
            common.write_stdout(text.encode() if isinstance(text, str) else text)
    else:
        said = [answer.headline]
        if lines:
            said += ["before the next boot add:" if arguments.hotplug else "add (moves nothing that is there):"]
            said += [f"  {line}" for line in lines]
        elif answer.elsewhere is not None:
            said += [_packed_headline(*answer.elsewhere, plan.source)]
            said += [f"  {line}" for line in _pasted(answer.elsewhere[1], plan.source)]
            said += ["  and the addresses of the devices: --format xml prints the whole definition"]
        elif not answer.fits:
            said += [f"none of the controllers that were tried makes it fit; libvirt says: {answer.reason}"]
        common.write_stdout("\n".join(said) + "\n")
    if answer.placement is not None:
        common.warn_if_it_will_not_boot(answer.placement)
    return 0 if answer.fits else 1


def _added(placement: Placement, source: Guest) -> list[Controller]:
    """Return the PCI controllers that a guest has not as it was given."""
    known = {controller.label for controller in source.controllers} | {"pci:0"}
    return [d for d in placement.guest.controllers if d.is_pci and d.label not in known]


def _packed_headline(policy: str, placement: Placement, source: Guest) -> str:
    models: dict[str, int] = {}
    for controller in _added(placement, source):
        models[controller.model] = models.get(controller.model, 0) + 1
    with_ = ", ".join(f"{count} {model}" for model, count in models.items()) or "no more controllers"
    return (
        f"it fits under --policy {policy}, with {with_}: devices share slots, and what does cannot be detached while"
        " the guest runs; add:"
    )


def _pasted(placement: Placement, source: Guest) -> list[str]:
    from pcisim.formats.domain.text import element_lines
    from pcisim.formats.domain.writer import address_element

    lines = []
    for controller in _added(placement, source):
        (_, line), *_ = element_lines(controller)
        address = address_element(placement.addresses[controller], placement.multifunction.get(controller))
        lines.append(f"{line[:-2]}>{address}</controller>")
    return lines


def _elsewhere(answer: Fits, source: Guest) -> dict[str, Any] | None:
    """Return another policy under which it fits, as plain data: ``policy``, ``controllers``, ``addresses``."""
    if answer.elsewhere is None:
        return None
    from pcisim.address import format_packed

    policy, placement = answer.elsewhere
    return {
        "policy": policy,
        "controllers": _pasted(placement, source),
        "addresses": {d.label: format_packed(packed) for d, packed in placement.addresses.items()},
    }


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

    if running:  # all that is there has its place
        if answer.elsewhere is not None:
            plan = assign(plan.source, answer.elsewhere[0], libvirt=plan.rules)
        text = add_to_document(parse(plan.to_xml()), answer.controllers)
        return assign(text, "libvirt", libvirt=plan.rules).to_xml()
    if plan.source.document is None:
        guest = plan.source.extended(more)
        text = render(evolved(guest, controllers=[*guest.controllers, *answer.controllers]))
    else:
        text = add_to_document(plan.source.document, [*answer.controllers, *answer.devices])
    policy = plan.policy if answer.elsewhere is None else answer.elsewhere[0]
    return assign(text, policy, libvirt=plan.rules, wishes=plan.source.wishes).to_xml()
