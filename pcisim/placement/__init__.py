"""Policies: each places a whole guest, `place(guest) -> Placement`."""

from __future__ import annotations

from typing import Protocol

import attrs

from pcisim.guest import Controller, Device, Guest
from pcisim.topology import Look, Topology


@attrs.define
class Step:
    """How one device got its place: a remark, or the buses that were looked at."""

    remark: str
    looks: list[Look] = attrs.field(factory=list)


@attrs.define
class Placement:
    """A placed guest: what a policy returns.

    Args:
        guest: the guest with the controllers that were added.
        topology: every bus and who sits on it.
        addresses: the packed address of every device and controller that has a PCI address.
        multifunction: ``on`` or ``off`` for those that carry the attribute.
        added: the controllers that the policy added.
        rewritten: the addresses that were written down and had to change, with the old one.
        log: how each device got its place, when the policy was asked to log.
    """

    guest: Guest
    topology: Topology
    addresses: dict[Device, int]
    multifunction: dict[Device, str]
    added: list[Controller]
    rewritten: dict[Device, int]
    log: dict[Device, list[Step]] = attrs.field(factory=dict)


class Policy(Protocol):
    """What places guests."""

    def place(self, guest: Guest, *, log: bool = False) -> Placement:
        """Place a completed guest as a whole."""

    def describe(self) -> str:
        """Say in one line what the policy does."""
