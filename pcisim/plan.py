"""What the user holds in hand: a placed guest, and every way to look at it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from pcisim.address import PciAddress, format_packed
from pcisim.catalogue.versions import DEFAULT_VERSION, Libvirt, libvirt_version
from pcisim.completion import complete
from pcisim.errors import PcisimError, UsageError
from pcisim.guest import Device, Guest
from pcisim.placement import Placement, Policy
from pcisim.placement.libvirt import LibvirtPolicy
from pcisim.placement.validation import validate
from pcisim.topology import Topology

if TYPE_CHECKING:
    from pcisim.formats._splice import Editor
    from pcisim.formats.domain_xml import HostPci


@attrs.define(eq=False)
class Plan:
    """A placed guest.

    Args:
        placement: what the policy returned.
        rules: the version of libvirt whose rules were used.
        source: the guest as it was given, before completion.
    """

    placement: Placement
    rules: Libvirt
    source: Guest

    @property
    def guest(self) -> Guest:
        """Return the guest with everything that libvirt and the policy added."""
        return self.placement.guest

    @property
    def topology(self) -> Topology:
        """Return every bus and who sits on it."""
        return self.placement.topology

    @cached_property
    def addresses(self) -> Mapping[str, PciAddress]:
        """Return the address of every device and controller that has a PCI address, by label."""
        return {d.label: PciAddress.from_int(packed) for d, packed in self.placement.addresses.items()}


def policy_of(policy: str | Policy, rules: Libvirt) -> Policy:
    """Return the policy of a name, or the policy itself.

    Raises:
        UsageError: there is no such policy.
    """
    if not isinstance(policy, str):
        return policy
    if policy == "libvirt":
        return LibvirtPolicy(rules)
    raise UsageError(f"unknown policy {policy!r}", code="unknown-policy", details=("known: libvirt",))


def assign(
    guest: Guest | str | bytes,
    policy: str | Policy = "libvirt",
    *,
    libvirt: str = DEFAULT_VERSION,
    host_pci: Any = None,
    name: str | None = None,
) -> Plan:
    """Place a guest."""
    rules = libvirt_version(libvirt)
    chosen = policy_of(policy, rules)
    if not isinstance(guest, Guest):
        from pcisim.formats.domain_xml import read

        guest = read(guest, rules, name=name, host_pci=host_pci)
    try:
        placement = chosen.place(complete(guest, rules))
        validate(placement.guest)
    except PcisimError as error:
        if error.file is None:
            error.file = guest.name or name
        raise
    return Plan(placement, rules, guest)


def assign_xml(
    xml: str | bytes,
    *,
    policy: str | Policy = "libvirt",
    libvirt: str = DEFAULT_VERSION,
    host_pci: Any = None,
) -> str | bytes:
    """Return domain XML with every PCI address filled in."""
    from pcisim.formats.domain_edits import edit

    return edit(assign(xml, policy, libvirt=libvirt, host_pci=host_pci).placement).apply()
