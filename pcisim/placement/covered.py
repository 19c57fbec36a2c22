"""Which machines have a PCI bus on which it is known how to place otherwise than libvirt does."""

from __future__ import annotations

from pcisim.errors import NotCoveredError
from pcisim.guest import Guest


def check_covered(guest: Guest, what: str, verb: str = "is") -> None:
    """Refuse a machine of many host bridges, of zPCI, or on which libvirt gives no PCI addresses.

    Args:
        guest: a completed guest.
        what: what is asked for, in a word.
        verb: the one that goes with it.

    Raises:
        NotCoveredError: it is such a machine.
    """
    machine = guest.machine
    if machine.root is not None and (machine.host_bridges or machine.zpci or not machine.places_pci):
        raise NotCoveredError(
            f"{what} on machine type '{guest.machine_name}' of {guest.arch} {verb} not covered",
            code="machine-not-covered",
            line=guest.machine_line,
            remedy="leave --policy out: libvirt's places are known",
        )
