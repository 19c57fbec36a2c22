"""What the commands share that look at a guest from the inside."""

from __future__ import annotations

import argparse

from pcisim.cli import common

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pcisim.enumeration import GuestView
    from pcisim.formats.guest import Names
    from pcisim.plan import Plan

WILL_NOT_BOOT = 1


def add_firmware_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that says whose numbers the guest finds."""
    parser.add_argument(
        "--firmware",
        choices=("seabios", "ovmf"),
        help="the firmware that numbers the buses (default: the definition's, else seabios)",
    )


def add_scheme_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that says by which rules interfaces are named."""
    parser.add_argument(
        "--naming-scheme",
        metavar="vNNN|latest",
        help="the guest's net.naming_scheme, such as v252 (default: all of them; one name where they agree)",
    )


def view_of(plan: Plan, firmware: str | None) -> GuestView:
    """Return what the guest of a plan sees.

    Args:
        plan: the plan.
        firmware: ``seabios``, ``ovmf``, or ``None`` for the one of the definition.

    Raises:
        RefusedError: the machine has no PCI bus.
    """
    return plan.guest(firmware)


def names_of(plan: Plan, view: GuestView, scheme: str | None) -> Names:
    """Return the names of the interfaces of a plan's guest.

    Raises:
        UsageError: an unknown naming scheme.
    """
    from pcisim.enumeration.names import names_of_guest

    return names_of_guest(plan.placement, view, scheme)


def status_of(view: GuestView) -> int:
    """Return the exit status for a guest, after saying on stderr that it will not boot if it will not."""
    if view.boots is not False:
        return 0
    common.complain(
        f"this guest will not boot: {view.reason}",
        f"  as {view.profile}; the numbers are those that it had given",
        "  to do: pcisim check says which devices are behind it",
    )
    return WILL_NOT_BOOT
