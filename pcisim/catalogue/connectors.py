"""Plugs and sockets: what fits where, and why not.

A *plug* is what a device or controller needs from the bus it sits on; a *socket* is
what a bus accepts.  Both are sets of connector kinds, kept as integers.

Source: the rules of libvirt's QEMU driver, section 2 of the behaviour asked of 11.3.0.
"""

from __future__ import annotations

CONVENTIONAL = 1 << 0
EXPRESS = 1 << 1
ROOT_PORT = 1 << 2
UPSTREAM_PORT = 1 << 3
DOWNSTREAM_PORT = 1 << 4
DMI_BRIDGE = 1 << 5
EXPANDER = 1 << 6
EXPRESS_EXPANDER = 1 << 7
PCI_BRIDGE = 1 << 8
EXPRESS_TO_PCI_BRIDGE = 1 << 9
INTEGRATED = 1 << 10
"""Not a kind: the device must sit on bus 0."""
NO_CLASS = 1 << 11
"""Not a kind: libvirt tries to place the device, but knows no bus that takes it."""

ENDPOINT = CONVENTIONAL | EXPRESS

KIND_NAMES = {
    CONVENTIONAL: "standard PCI device",
    EXPRESS: "PCI Express device",
    ROOT_PORT: "pcie-root-port",
    UPSTREAM_PORT: "pcie-switch-upstream-port",
    DOWNSTREAM_PORT: "pcie-switch-downstream-port",
    DMI_BRIDGE: "dmi-to-pci-bridge",
    EXPANDER: "pci-expander-bus",
    EXPRESS_EXPANDER: "pcie-expander-bus",
    PCI_BRIDGE: "pci-bridge",
    EXPRESS_TO_PCI_BRIDGE: "pcie-to-pci-bridge",
}


def name_of(plug: int) -> str:
    """Return the name of the first kind in `plug`, in libvirt's words."""
    for kind, name in KIND_NAMES.items():
        if plug & kind:
            return name
    return "device"


def automatic_socket(accepts: int, automatic: bool) -> int:
    """Return the plugs that automatic placement may put on a bus.

    Args:
        accepts: the kinds that the bus accepts.
        automatic: whether automatic placement of endpoints may use the bus; the
            placement of controllers does not ask.
    """
    return accepts if automatic else accepts & ~ENDPOINT


def explicit_socket(accepts: int) -> int:
    """Return the plugs that an address written by the user may put on a bus.

    A bus for either kind of endpoint then takes both, and a pci-bridge goes wherever
    a conventional device goes.
    """
    if accepts & ENDPOINT:
        return accepts | ENDPOINT | PCI_BRIDGE
    return accepts
