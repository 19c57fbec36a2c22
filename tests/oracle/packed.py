"""Random guests that are packed, get spares or have groups, of devices that any host can start; and real firmware."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path
from typing import Any, NamedTuple

import pcisim
from pcisim.enumeration import enumerate_guest
from pcisim.errors import PcisimError
from pcisim.plan import Plan
from pcisim.requests import Wish
from tests.oracle.sequences import Maker, address, domain
from tests.oracle.snippets import el, letters
from tests.qemu.firmware import Machine, flat
from tests.qemu.running import identity

DENSE = (
    "dense", "dense:firmware=none", "dense:mixed=on:firmware=none", "dense:integrated=on", "dense:dmi=on:mixed=on",
    "dense:modern=on",
)  # fmt: skip
SPARES = ("hotplug", "hotplug:spare=4:pci-spare=2", "hotplug:total=14", "hotplug:extra=3", "hotplug:pci-spare=33")
MOST = 100
"""Devices at most of a guest whose firmware runs."""


def random_xml(rng: random.Random, most: int) -> str:
    """Return a guest of up to so many devices, each with an alias; some controllers and addresses are written."""
    machine = rng.choice(("pc", "q35", "q35"))
    maker = Maker(rng)
    parts = []
    if rng.random() < 0.4:
        model = "pci-bridge" if machine == "pc" else "pcie-root-port"
        parts += [el("controller", {"type": "pci", "index": n, "model": model}) for n in range(1, rng.randrange(2, 5))]
    if rng.random() < 0.3:
        parts.append(maker.rng_device(address(0, rng.randrange(3, 0x1A), 0)))
    for number in range(rng.randrange(1, most)):
        kind = rng.random()
        if kind < 0.7:
            model = rng.choice(("virtio", "virtio-non-transitional"))
            parts.append(maker.disk(f"vd{letters(number)}", "virtio", model=model))
        elif kind < 0.8:
            parts.append(maker.rng_device())
        elif kind < 0.92 or machine == "pc":
            parts.append(maker.interface(rng.choice(("virtio", "virtio", "e1000e")) if machine == "q35" else "virtio"))
        else:
            parts.append(maker.interface("e1000"))
    if rng.random() < 0.3:
        parts.append(maker.controller("scsi", 0, "virtio-scsi"))
    return domain(machine, "".join(parts))


def random_plan(seed: int, version: str, policies: tuple[str, ...] = (*DENSE, *SPARES), most: int = 60) -> Plan | None:
    """Return a plan of a random guest, a third of them with groups; ``None`` where the guest is refused."""
    rng = random.Random(f"plans {seed}")
    xml = random_xml(rng, most)
    policy = rng.choice(policies)
    wishes = {}
    try:
        if rng.random() < 0.3:
            alone = pcisim.assign(xml, libvirt=version)
            devices = alone.placement.guest.all_devices()
            endpoints = [d for d in devices if d.label in alone.addresses and d.origin is not None]
            labels = [d.label for d in endpoints if d.address is None and d.element in ("disk", "interface", "rng")]
            some = rng.sample(labels, min(len(labels), rng.randrange(2, 12)))
            wishes = {label: Wish(group=f"g{n // 4}") for n, label in enumerate(some)}
        return pcisim.assign(xml, policy, libvirt=version, wishes=wishes)
    except PcisimError:
        return None


# firmware

SECTOR = bytes.fromhex("31c08ed8ba0204be177cfcac84c07403eeebf8faf4ebfc") + b"the last disk boots\n\0"
"""Writes a line to SeaBIOS's debug port and stops."""
SAYS = "the last disk boots"
_SIZE = 1 << 20
ROM = 6
"""The BAR of an option ROM, which is switched off again."""
CHIPSET = ("ide:0", "sata:0")
"""What the machine brings itself, without a name."""


def boot_image(path: Path) -> Path:
    """Write a disk that says that it boots."""
    path.write_bytes((SECTOR.ljust(510, b"\0") + b"\x55\xaa").ljust(_SIZE, b"\0"))
    return path


class Seen(NamedTuple):
    """What a firmware made of a guest."""

    says: str
    """What was written to the debug port."""
    lost: list[str]
    """Functions that are not where they were expected, or lack a resource."""
    functions: int


def booted(plan: Plan, firmware: str, *, image: Path | None = None, ovmf: str = "", limit: float = 60) -> Seen:
    """Boot a plan on QEMU and compare every function with what is predicted.

    Args:
        plan: what to boot.
        firmware: ``seabios`` or ``ovmf``.
        image: a boot sector for the last virtio disk.
        ovmf: the code of OVMF.
        limit: how long the firmware may take, in seconds.
    """
    words = plan.to_qemu_args(runnable=True)
    if image is not None:
        last = [word for word in words if word.startswith("virtio-blk")][-1]
        node = re.findall(r"drive=([^,]+)", last)[0]
        words[words.index(last)] = f"{last},bootindex=1"
        back = next(word for word in words if f"node-name={node}," in word)
        words[words.index(back)] = f"driver=file,node-name={node},filename={image},read-only=on"
    view = enumerate_guest(plan.placement, firmware)
    devices = {d.label: identity(d) for d in plan.placement.guest.all_devices()}
    expected = {}
    for function in view.functions:
        if function.label in devices and function.label not in CHIPSET and function.address is not None:
            place = (function.address.bus, function.address.device, function.address.function)
            expected[devices[function.label]] = (place, [bar is not None for bar in function.placed])
    machine, pairs = _options(words)
    if ovmf:
        pairs.append(f"-drive if=pflash,format=raw,readonly=on,file={ovmf}")
    with Machine(machine, (), pairs) as qemu:
        qemu.command("cont")
        end = time.monotonic() + limit
        wrong = ["nothing was asked"]
        waits_for = SAYS if image is not None else "Booting from" if not ovmf else ""
        while time.monotonic() < end:
            time.sleep(0.1 if not ovmf else 0.5)
            says = qemu.log.read_text("latin-1")
            if waits_for and waits_for not in says and "No bootable" not in says:
                continue
            wrong = _wrong(qemu, expected)
            if not wrong or not ovmf:
                break
        return Seen(says, wrong, len(expected))


def names_seen(plan: Plan) -> set[str]:
    """Return the devices to which SeaBIOS gives resources or numbers, by their names on QEMU's command line."""
    machine, options = _options(plan.to_qemu_args(runnable=True))
    with Machine(machine, (), options) as qemu:
        qemu.run_seabios()
        bridges = [f for bus in qemu.command("query-pci") for f in flat(bus["devices"]) if "pci_bridge" in f]
        without = {f["qdev_id"] for f in bridges if not f["pci_bridge"]["bus"]["secondary"]}
        return {name for name, (_, bars) in _seen(qemu).items() if all(bars)} - without


def _options(words: list[str]) -> tuple[str, list[str]]:
    machine = words[words.index("-machine") + 1]
    rest = [word for word in words if word not in ("-machine", machine, "-nodefaults")]
    return machine, [f"{flag} {value}" for flag, value in zip(rest[::2], rest[1::2]) if flag != "-display"]


def _seen(qemu: Machine) -> dict[str, tuple[tuple[int, int, int], list[bool]]]:
    """Return where each function is, by name, and whether each of its BARs has an address."""
    seen = {}
    for bus in qemu.command("query-pci"):
        for function in flat(bus["devices"]):
            bars = [r for r in function["regions"] if r["bar"] != ROM]
            regions = [bar["address"] not in (-1, 0xFFFFFFFF, (1 << 64) - 1) for bar in bars]
            place = (function["bus"], function["slot"], function["function"])
            seen[function["qdev_id"]] = (place, regions)
    return seen


def _wrong(qemu: Machine, expected: dict[str, Any]) -> list[str]:
    seen = _seen(qemu)
    wrong = []
    for name, (place, bars) in expected.items():
        found = seen.get(name)
        if found is None or found[0] != place:
            wrong.append(f"{name}: {found} instead of {place}")
        elif not all(found[1]) or not all(bars):
            wrong.append(f"{name}: a BAR without an address ({found[1]}, predicted {bars})")
    return wrong
