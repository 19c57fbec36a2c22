"""QEMU command lines as text."""

from __future__ import annotations

import pytest

from pcisim.errors import InputError
from pcisim.formats.qemu_line import CommandLine, read

PASTED = r"""#!/bin/sh
LANG=C /usr/bin/qemu-system-x86_64 \
  -machine 'q35,usb=off' --nodefaults -m 1G -S \
  # ports
  -device pcie-root-port,id=r1,chassis=1 \
  -device '{"driver": "virtio-net-pci", "bus": "r1"}' \
  -drive "file=a b.img,if=none" -global ICH9-LPC.x=off
"""


def test_pasted_command_line() -> None:
    assert read(PASTED) == CommandLine(
        "q35,usb=off",
        ("pcie-root-port,id=r1,chassis=1", '{"driver": "virtio-net-pci", "bus": "r1"}'),
        ("-m 1G", "-global ICH9-LPC.x=off"),
        False,
    )


def test_file_of_devices() -> None:
    line = read(b"-device e1000\n-device rtl8139,addr=5\n")
    assert line == CommandLine("pc", ("e1000", "rtl8139,addr=5"), (), True)


def test_short_options() -> None:
    assert read("-M type=q35 -usb -no-acpi -device e1000").machine == "q35,usb=on,acpi=off"


def test_windows_line_ends() -> None:
    assert read("-M q35 \\\r\n -device e1000\r\n").devices == ("e1000",)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "qemu-line-syntax"),
        ("qemu-system-x86_64", "qemu-line-syntax"),
        ("-device", "qemu-line-syntax"),
        ("-device e1000 stray", "qemu-line-syntax"),
        ("-M q35 -", "qemu-line-syntax"),
        ("-M q35\n-device 'e1000", "qemu-line-quote"),
        (b"-M \xff", "qemu-line-encoding"),
    ],
)
def test_what_cannot_be_read(text: str | bytes, code: str) -> None:
    with pytest.raises(InputError) as refused:
        read(text, name="vm.sh")
    assert refused.value.code == code
    assert refused.value.file == "vm.sh"
