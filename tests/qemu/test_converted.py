"""Law: what is moved from one kind of machine to the other boots there, from the disks that moved.

Each guest is converted and placed, a real QEMU is started on the plan with the disks on their new buses, and SeaBIOS
runs the boot sector of the first of them, which says so on the debug console.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import pcisim
from pcisim.guest import Device
from pcisim.libvirt.drives import drive_of
from pcisim.plan import Plan
from tests.guests import controller, disk, domain, nic, pci, video
from tests.qemu import running
from tests.qemu.firmware import LIMIT, Machine

pytestmark = [
    pytest.mark.qemu,
    pytest.mark.skipif(not running.is_installed(), reason=f"{running.PROGRAM} is not installed"),
]

SAID = "booted from a disk that moved"


def boot_sector() -> bytes:
    """Return a sector that a BIOS boots, and that says so."""
    code = (
        b"\xfc"  # cld
        b"\xba\x02\x04"  # mov dx, 0x402
        b"\xe8\x00\x00"  # call the next instruction, whose address is
        b"\x5e"  # pop si
        b"\x83\xc6\x10"  # add si, as far as the text is from there
        b"\x2e\xac"  # next: cs lodsb
        b"\x84\xc0"  # test al, al
        b"\x74\x03"  # jz end
        b"\xee"  # out dx, al
        b"\xeb\xf7"  # jmp next
        b"\xf4"  # end: hlt
        b"\xeb\xfd"  # jmp end
    )
    return (code + SAID.encode() + b"\n\0").ljust(510, b"\0") + b"\x55\xaa"


def cdrom() -> bytes:
    """Return a CD-ROM that a BIOS boots without emulation, and that says so."""
    block = 2048
    record = (b"\0CD001\1EL TORITO SPECIFICATION".ljust(0x47, b"\0") + struct.pack("<I", 18)).ljust(block, b"\0")
    valid = (b"\1".ljust(0x1C, b"\0") + b"\xaa\x55\x55\xaa").ljust(32, b"\0")
    entry = b"\x88" + b"\0" * 5 + struct.pack("<HI", 4, 19)
    return b"\0" * 17 * block + record + (valid + entry).ljust(block, b"\0") + boot_sector().ljust(64 * block, b"\0")


def ide(number: int, kind: str = "disk", inner: str = "") -> str:
    return disk(number, inner, bus="ide", prefix="hd").replace("device='disk'", f"device='{kind}'")


def sata(number: int, kind: str = "disk") -> str:
    return disk(number, bus="sata", prefix="sd").replace("device='disk'", f"device='{kind}'")


LAST = "<address type='drive' bus='1' unit='1'/>"
OLD = {
    "one": [ide(0)],
    "cdrom": [ide(2, "cdrom"), disk(0)],
    "four": [controller("ide", 0), ide(3, inner=LAST), ide(0), ide(1), ide(2, "cdrom")],
    "beside-sata": [controller("sata", 0), sata(0), ide(0), ide(1, "cdrom"), nic()],
    "beside-scsi": [disk(0, bus="scsi", prefix="sd"), ide(1), video("vga"), nic("e1000")],
    "bridges": [pci("pci-bridge", 1), pci("pci-bridge", 2), ide(0), disk(0), disk(1)],
}
NEW = {
    "one": [sata(0)],
    "cdrom": [controller("sata", 0), sata(1, "cdrom"), disk(0), video("vga")],
    "four": [*(sata(n) for n in (5, 0, 9, 2)), nic()],
    "ports": [pci("pcie-root", 0), pci("pcie-root-port", 1), pci("pcie-root-port", 2), sata(0), nic("e1000e"), disk(0)],
}
CASES: list[tuple[str, str, str, str | None]] = [
    ("pc", "q35", name, fix) for name in OLD for fix in ("sata", "virtio-scsi")
]
CASES += [("q35", "pc", name, fix) for name in NEW for fix in (None, "virtio-scsi")]
QUICK = (("pc", "q35", "four", "sata"), ("pc", "q35", "cdrom", "virtio-scsi"), ("q35", "pc", "four", None))


def place(device: Device, plan: Plan) -> str:
    """Return the place of a disk, as QEMU names it."""
    drive = drive_of(device)
    assert drive is not None
    number, bus, target, unit = drive
    if device.bus == "ide":
        return f"bus=ide.{bus},unit={unit}"
    if device.bus == "scsi":
        return f"bus=scsi-{number}.0,channel=0,scsi-id={target},lun={unit}"
    return f"bus={'ide' if plan.placement.guest.express and not number else f'sata-{number}'}.{unit}"


def words(plan: Plan, moved: list[str], folder: Path) -> tuple[str, list[str], list[str]]:
    """Return machine, devices and other options of QEMU, with the disks that moved; the first is booted."""
    devices, options = [], []
    line = iter(word for word in plan.to_qemu_args(runnable=True) if word != "-nodefaults")
    machine = ""
    for word in line:
        value = next(line)
        if word == "-machine":
            machine = value
        elif word == "-device":
            devices.append(value)
        else:
            options.append(f"{word} {value}")
    disks = {device.label: device for device in plan.placement.guest.devices["disk"]}
    for number, label in enumerate(moved):
        device = disks[label]
        is_cdrom = device.origin.get("device") == "cdrom"
        image = folder / f"{number}.img"
        image.write_bytes(cdrom() if is_cdrom else boot_sector().ljust(1 << 20, b"\0"))
        kind = f"{'scsi' if device.bus == 'scsi' else 'ide'}-{'cd' if is_cdrom else 'hd'}"
        options.append(
            f"-drive if=none,id=moved{number},format=raw,file={image},readonly={'on' if is_cdrom else 'off'}"
        )
        devices.append(f"{kind},drive=moved{number},{place(device, plan)}" + (",bootindex=0" if not number else ""))
    return machine, devices, options


def said_by(machine: Machine) -> Iterator[str]:
    """Yield what is on the debug console, again and again."""
    machine.command("cont")
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        yield machine.log.read_text("latin-1")
        time.sleep(0.05)


def boots(before: str, after: str, name: str, fix: str | None, folder: Path) -> None:
    text = domain(before, *(OLD if before == "pc" else NEW)[name])
    made = pcisim.reassign(text, machine=after, fix_ide=fix)
    plan = pcisim.assign(made.text)
    left = "ide" if before == "pc" else "sata"
    old, new = pcisim.assign(text).source.devices["disk"], plan.source.devices["disk"]
    moved = [now.label for was, now in zip(old, new, strict=True) if was.bus != now.bus]
    assert len(moved) == len(made.moved) == sum(was.bus == left for was in old)
    assert left not in [now.bus for now in new]
    with Machine(*words(plan, moved, folder)) as machine:
        assert any(SAID in heard for heard in said_by(machine)), machine.log.read_text("latin-1")[-2000:]


@pytest.mark.parametrize(("before", "after", "name", "fix"), QUICK)
def test_boots(before: str, after: str, name: str, fix: str | None, tmp_path: Path) -> None:
    boots(before, after, name, fix, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after", "name", "fix"), [case for case in CASES if case not in QUICK])
def test_all_boot(before: str, after: str, name: str, fix: str | None, tmp_path: Path) -> None:
    boots(before, after, name, fix, tmp_path)
