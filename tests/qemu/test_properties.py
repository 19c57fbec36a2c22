"""Law: the table of properties is what QEMU 7.2 itself says of its devices."""

from __future__ import annotations

import subprocess

import pytest

from pcisim.catalogue.properties import NOT_ON_PCI, PROPERTIES
from tests.qemu import running
from tests.qemu.measure_properties import help_text, measure

pytestmark = [
    pytest.mark.qemu,
    pytest.mark.skipif(not running.is_installed(), reason=f"{running.PROGRAM} is not installed"),
]


def is_measured_version() -> bool:
    text = subprocess.run([running.PROGRAM, "--version"], capture_output=True, check=True, text=True).stdout
    return " 7.2." in text


@pytest.mark.parametrize("driver", ["pcie-root-port", "pci-bridge", "virtio-net-pci", "e1000", "pxb-pcie"])
def test_devices_take_what_the_table_says(driver: str) -> None:
    words = {word.partition("=")[0] for word in help_text([running.PROGRAM], f"{driver},help").split()}
    known = {"addr", "multifunction", "romfile"} | ({"chassis"} & set(PROPERTIES[driver]))
    assert known <= set(PROPERTIES[driver]) & words


def test_whole_table() -> None:
    if not is_measured_version():
        pytest.skip("this QEMU has not the version that was measured")
    properties, others = measure([running.PROGRAM])
    assert {name: dict(row) for name, row in PROPERTIES.items()} == properties
    assert dict(NOT_ON_PCI) == others
