"""What fits where: plugs and sockets as sets of kinds."""

from __future__ import annotations

import pytest

from pcisim.catalogue import connectors as c

ALL = {
    "standard PCI device": c.CONVENTIONAL,
    "PCI Express device": c.EXPRESS,
    "pcie-root-port": c.ROOT_PORT,
    "pcie-switch-upstream-port": c.UPSTREAM_PORT,
    "pcie-switch-downstream-port": c.DOWNSTREAM_PORT,
    "dmi-to-pci-bridge": c.DMI_BRIDGE,
    "pci-expander-bus": c.EXPANDER,
    "pcie-expander-bus": c.EXPRESS_EXPANDER,
    "pci-bridge": c.PCI_BRIDGE,
    "pcie-to-pci-bridge": c.EXPRESS_TO_PCI_BRIDGE,
}


def test_kinds_are_single_bits_of_their_own() -> None:
    bits = [*ALL.values(), c.INTEGRATED, c.NO_CLASS]
    assert all(bit.bit_count() == 1 for bit in bits)
    assert len(set(bits)) == 12
    assert c.ENDPOINT == c.CONVENTIONAL | c.EXPRESS


@pytest.mark.parametrize(("name", "kind"), ALL.items())
def test_names(name: str, kind: int) -> None:
    assert c.name_of(kind) == name
    assert c.name_of(kind | c.INTEGRATED) == name
    assert c.KIND_NAMES[kind] == name


def test_name_of_what_has_no_class() -> None:
    assert c.name_of(0) == "device"
    assert c.name_of(c.NO_CLASS) == "device"


@pytest.mark.parametrize("kind", ALL.values())
@pytest.mark.parametrize("other", ALL.values())
def test_automatic_socket(kind: int, other: int) -> None:
    accepts = kind | other
    assert c.automatic_socket(accepts, automatic=True) == accepts
    expected = {k for k in (kind, other) if k not in (c.CONVENTIONAL, c.EXPRESS)}
    assert c.automatic_socket(accepts, automatic=False) == sum(expected)


@pytest.mark.parametrize("kind", ALL.values())
def test_explicit_socket(kind: int) -> None:
    """Libvirt rule 2: who accepts one kind of endpoint then accepts both, and a pci-bridge; others stay strict."""
    if kind in (c.CONVENTIONAL, c.EXPRESS):
        assert c.explicit_socket(kind) == c.CONVENTIONAL | c.EXPRESS | c.PCI_BRIDGE
    else:
        assert c.explicit_socket(kind) == kind
