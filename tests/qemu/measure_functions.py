"""Measure `pcisim.catalogue.functions` again on a real QEMU.

A paused QEMU is started for every question, one at a time, and the registers are read and sized
through qtest: no firmware, no guest, no KVM.  Everything takes a minute or two.

    python tests/qemu/measure_functions.py --check
    python tests/qemu/measure_functions.py --qemu "chroot DIR qemu-system-x86_64" --check
    python tests/qemu/measure_functions.py --write        # only with the QEMU of the default profile
    python tests/qemu/measure_functions.py --driver e1000 # print, whatever the table says
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shlex
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import attrs

from pcisim.catalogue import functions as table
from pcisim.catalogue.bars import IO, MEM32, MEM64, Bar, K, M
from pcisim.catalogue.functions import PciFunction
from pcisim.errors import RefusedError

LIMIT = 30.0
"""Seconds that one QEMU may take."""
ECAM = 0xE0000000
"""Where microvm has its configuration space."""
CONFIG_ADDRESS, CONFIG_DATA = 0xCF8, 0xCFC


class QemuRefusal(Exception):
    """QEMU did not start with these devices; the text is its own."""


class Qtest:
    """A paused QEMU, asked about configuration space by (bus, slot, function)."""

    def __init__(self, command: Sequence[str], machine: str, arguments: Sequence[str], fds: Sequence[int] = ()) -> None:
        common = ["-S", "-nodefaults", "-display", "none", "-m", "128M,slots=4,maxmem=1G"]
        self.ecam = machine.startswith("microvm")
        self.process = subprocess.Popen(
            [*command, "-M", machine, *common, "-qtest", "stdio", "-qtest-log", "none", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=fds,
        )  # fmt: skip
        self.timer = threading.Timer(LIMIT, self.process.kill)
        self.timer.start()

    def __enter__(self) -> Qtest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.timer.cancel()
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def ask(self, line: str) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        for reply in self.process.stdout:
            if reply.startswith("OK"):
                return int([*reply.split(), "0"][1], 16)
        raise QemuRefusal(self.process.stderr.read().strip() or "QEMU ended or took too long")

    def read(self, at: tuple[int, int, int], offset: int) -> int:
        bus, slot, function = at
        if self.ecam:
            return self.ask(f"readl {ECAM + (bus << 20 | slot << 15 | function << 12 | offset):#x}")
        self.ask(f"outl {CONFIG_ADDRESS:#x} {1 << 31 | bus << 16 | slot << 11 | function << 8 | offset:#x}")
        return self.ask(f"inl {CONFIG_DATA:#x}")

    def write(self, at: tuple[int, int, int], offset: int, value: int) -> None:
        bus, slot, function = at
        if self.ecam:
            self.ask(f"writel {ECAM + (bus << 20 | slot << 15 | function << 12 | offset):#x} {value:#x}")
            return
        self.ask(f"outl {CONFIG_ADDRESS:#x} {1 << 31 | bus << 16 | slot << 11 | function << 8 | offset:#x}")
        self.ask(f"outl {CONFIG_DATA:#x} {value:#x}")

    def probe(self, driver: str, at: tuple[int, int, int]) -> PciFunction | None:
        """Return the function there, its BARs sized, or `None` where nothing answers."""
        identity = self.read(at, 0)
        if identity == 0xFFFFFFFF:
            return None
        kind = self.read(at, 0x08)
        header = self.read(at, 0x0C) >> 16 & 0x7F
        return PciFunction(
            driver,
            identity & 0xFFFF,
            identity >> 16,
            kind >> 16,
            kind & 0xFF,
            table.ALWAYS if 0x10 in self.capabilities(at) else table.NEVER,
            tuple(self.bars(at, 2 if header else 6)),
            self.rom(at, 0x38 if header else 0x30),
            header,
            self.read(at, 0x3C) >> 8 & 0xFF,
        )

    def capabilities(self, at: tuple[int, int, int]) -> list[int]:
        found: list[int] = []
        if self.read(at, 0x04) >> 20 & 1:
            offset = self.read(at, 0x34) & 0xFC
            while offset and len(found) < 48:
                entry = self.read(at, offset)
                found.append(entry & 0xFF)
                offset = entry >> 8 & 0xFC
        return found

    def bars(self, at: tuple[int, int, int], count: int) -> Iterator[Bar]:
        index = 0
        while index < count:
            offset = 0x10 + 4 * index
            flags = self.read(at, offset) & 0xF
            self.write(at, offset, 0xFFFFFFFF)
            low = self.read(at, offset)
            if flags & 1:
                yield Bar(index, IO, False, -(low & ~3) & (0xFFFF if not low >> 16 else 0xFFFFFFFF))
            elif flags & 6 == 4:
                self.write(at, offset + 4, 0xFFFFFFFF)
                both = self.read(at, offset + 4) << 32 | low
                yield Bar(index, MEM64, bool(flags & 8), -(both & ~flags) & (1 << 64) - 1)
                index += 1
            elif low:
                yield Bar(index, MEM32, bool(flags & 8), -(low & ~flags) & 0xFFFFFFFF)
            index += 1

    def rom(self, at: tuple[int, int, int], offset: int) -> int:
        self.write(at, offset, 0xFFFFF800)
        return -(self.read(at, offset) & 0xFFFFF800) & 0xFFFFFFFF


# ------------------------------------------------------------------ places


@attrs.frozen
class Place:
    """Where a device is put, and what the table is asked for it."""

    machine: str
    lead: tuple[str, ...]
    """The bridges before it, as ``-device`` arguments."""
    bridges: tuple[tuple[int, int], ...]
    """(bus, slot) of each of them, from the root on; the n-th gets the secondary bus n."""
    bus: str
    at: tuple[int, int, int]
    express_bus: bool
    root_bus: bool


_PORT = "pcie-root-port,id=r,chassis=1,bus=pcie.0,addr=4"
_UPSTREAM, _DOWNSTREAM = "x3130-upstream,id=u,bus=r,addr=0", "xio3130-downstream,id=w,bus=u,addr=0,chassis=2"
PLACES = {
    "pc": Place("pc", (), (), "pci.0", (0, 5, 0), False, True),
    "pcie.0": Place("q35,cxl=on", (), (), "pcie.0", (0, 5, 0), True, True),
    "root-port": Place("q35", (_PORT,), ((0, 4),), "r", (1, 0, 0), True, False),
    "pcie-pci-bridge": Place(
        "q35", (_PORT, "pcie-pci-bridge,id=b,bus=r,addr=0"), ((0, 4), (1, 0)), "b", (2, 2, 0), False, False
    ),
    "pci-bridge": Place(
        "pc", ("pci-bridge,id=b,chassis_nr=1,bus=pci.0,addr=4",), ((0, 4),), "b", (1, 2, 0), False, False
    ),
    "dmi-bridge": Place("q35", ("i82801b11-bridge,id=b,bus=pcie.0,addr=4",), ((0, 4),), "b", (1, 2, 0), False, False),
    "switch": Place("q35", (_PORT, _UPSTREAM, _DOWNSTREAM), ((0, 4), (1, 0), (2, 0)), "w", (3, 0, 0), True, False),
}
MAIN_PLACES = ("pc", "pcie.0", "root-port", "pcie-pci-bridge")
"""Where options are tried too."""
ONLY_AT = {
    "pxb": {"pc"},
    "pxb-pcie": {"pcie.0"},
    "pxb-cxl": {"pcie.0"},
    "virtio-iommu-pci": {"pc", "pcie.0"},
}
"""Devices that QEMU refuses at every other place."""

# ------------------------------------------------------------------ back-ends that need nothing from the host

_CAN = ("-object", "can-bus,id=can")
_SERIAL = tuple(word for n in range(1, 5) for word in ("-chardev", f"null,id=c{n}"))
_NIC = ("-netdev", "hubport,id=n0,hubid=0")
_BLOCK = ("-blockdev", "driver=null-co,node-name=d0,read-zeroes=on")
_SOUND = ("-audiodev", "none,id=a0")


def _memory(size: str) -> tuple[str, ...]:
    return ("-object", f"memory-backend-ram,id=m0,size={size},share=on")


NEEDS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "virtio-blk-pci": (_BLOCK, "drive=d0"),
    "nvme": (_BLOCK, "drive=d0,serial=1"),
    "virtio-9p-pci": (("-fsdev", "synth,id=f0"), "fsdev=f0,mount_tag=t"),
    "virtio-crypto-pci": (("-object", "cryptodev-backend-builtin,id=y0"), "cryptodev=y0"),
    "virtio-mem-pci": (_memory("128M"), "memdev=m0"),
    "virtio-pmem-pci": (_memory("128M"), "memdev=m0"),
    "ivshmem-plain": (_memory("1M"), "memdev=m0"),
    "acpi-erst": (_memory("64K"), "memdev=m0"),
    "pci-serial": (_SERIAL, "chardev=c1"),
    "pci-serial-2x": (_SERIAL, "chardev1=c1,chardev2=c2"),
    "pci-serial-4x": (_SERIAL, "chardev1=c1,chardev2=c2,chardev3=c3,chardev4=c4"),
    "pci-ipmi-bt": (("-device", "ipmi-bmc-sim,id=i0"), "bmc=i0"),
    "pci-ipmi-kcs": (("-device", "ipmi-bmc-sim,id=i0"), "bmc=i0"),
    "ctucan_pci": (_CAN, "canbus0=can,canbus1=can"),
    "mioe3680_pci": (_CAN, "canbus0=can,canbus1=can"),
    "pcm3680_pci": (_CAN, "canbus0=can,canbus1=can"),
    "kvaser_pci": (_CAN, "canbus=can"),
    **dict.fromkeys(("AC97", "ES1370", "virtio-sound-pci"), (_SOUND, "audiodev=a0")),
    **dict.fromkeys(("pci-bridge", "pci-bridge-seat"), ((), "chassis_nr=7")),
    **dict.fromkeys(
        ("pcie-root-port", "ioh3420", "xio3130-downstream", "cxl-rp", "cxl-downstream"), ((), "chassis=9,slot=3")
    ),
    **dict.fromkeys(("pxb", "pxb-pcie", "pxb-cxl"), ((), "bus_nr=100")),
    "cxl-type3": (("-object", "memory-backend-ram,id=m0,size=256M", "-object", "memory-backend-ram,id=l0,size=1M"),
                  "memdev=m0,lsa=l0"),
    **dict.fromkeys(
        (
            "virtio-net-pci", "e1000", "e1000-82544gc", "e1000-82545em", "e1000e", "igb", "ne2k_pci", "pcnet",
            "rtl8139", "tulip", "vmxnet3", "i82550", "i82551", "i82557a", "i82557b", "i82557c", "i82558a", "i82558b",
            "i82559a", "i82559b", "i82559c", "i82559er", "i82562", "i82801",
        ),
        (_NIC, "netdev=n0"),
    ),
}  # fmt: skip


def _receive(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise OSError("closed")
        data += piece
    return data


def _vhost_user(connection: socket.socket) -> None:
    """Answer as much of the vhost-user protocol as a device asks for while it is made."""
    numbers = {1: 1 << 32 | 1 << 30, 15: 1 | 1 << 9, 17: 16, 36: 32}  # features, their extension, queues, memory slots
    with contextlib.suppress(OSError):
        while True:
            request, flags, size = struct.unpack("<III", _receive(connection, 12))
            payload = _receive(connection, size)
            if request in numbers:
                payload = struct.pack("<Q", numbers[request])
            elif request == 24:  # the device's own configuration: all zero
                payload = payload[:12] + bytes(size - 12)
            elif request != 11:  # where a ring stands
                if not flags & 8:
                    continue
                payload = bytes(8)
            connection.sendall(struct.pack("<III", request, 5, len(payload)) + payload)


def _shared_memory(connection: socket.socket) -> None:
    """Say what an ivshmem server says first: version 0, peer 0, and 1 MiB of memory."""
    memory = os.memfd_create("ivshmem")
    os.ftruncate(memory, 1 << 20)
    connection.sendall(struct.pack("<qq", 0, 0))
    socket.send_fds(connection, [struct.pack("<q", -1)], [memory])
    os.close(memory)


@contextlib.contextmanager
def backend(driver: str) -> Iterator[tuple[tuple[str, ...], str, tuple[int, ...]]]:
    """Yield the arguments before ``-device``, its first properties and the file descriptors to pass on."""
    if driver.startswith("vhost-user") or driver == "ivshmem-doorbell":
        mine, theirs = socket.socketpair()
        with mine, theirs:
            properties = "chardev=u0"
            if driver == "ivshmem-doorbell":
                _shared_memory(mine)
                properties += ",vectors=1"
            else:
                threading.Thread(target=_vhost_user, args=(mine,), daemon=True).start()
                properties += ",tag=t" if driver == "vhost-user-fs-pci" else ""
            yield ("-chardev", f"socket,id=u0,fd={theirs.fileno()}"), properties, (theirs.fileno(),)
            with contextlib.suppress(OSError):
                mine.shutdown(socket.SHUT_RDWR)
        return
    stem = re.sub(r"-(non-)?transitional$", "", driver)
    arguments, properties = NEEDS.get(stem, ((), ""))
    yield arguments, properties, ()


def measure(command: Sequence[str], driver: str, place: str, options: Mapping[str, str]) -> PciFunction:
    """Start QEMU with the device in that place and return what it is there.

    Raises:
        QemuRefusal: QEMU did not start.
    """
    where = PLACES[place]
    with backend(driver) as (arguments, properties, fds):
        device = [driver, properties, *(f"{name}={value}" for name, value in options.items())]
        device += [f"bus={where.bus}", f"addr={where.at[1]}"]
        lead = [word for bridge in where.lead for word in ("-device", bridge)]
        line = [*arguments, *lead, "-device", ",".join(filter(None, device))]
        with Qtest(command, where.machine, line, fds) as qemu:
            for number, (bus, slot) in enumerate(where.bridges, 1):
                qemu.write((bus, slot, 0), 0x18, 0xFF << 16 | number << 8 | bus)
            found = qemu.probe(driver, where.at)
    if found is None:
        raise QemuRefusal("nothing answers there")
    return found


NOT_ALONE = frozenset({"AMDVI-PCI"})
"""PCI devices that QEMU lists, and that another one brings."""


def built_ins(command: Sequence[str]) -> Iterator[tuple[str, tuple[int, int], str | None, PciFunction | None]]:
    """Yield machine, place, name in the table and finding for every function of the bare machines."""
    for machine, option in (("pc", "usb=on"), ("q35", "usb=on"), ("microvm", "pcie=on")):
        known = table.BUILT_INS[machine]
        with Qtest(command, f"{machine},{option}", ()) as qemu:
            for slot in range(32):
                for function in range(8):
                    name = known.get((slot, function))
                    found = qemu.probe(name or "?", (0, slot, function))
                    if name or found:
                        yield machine, (slot, function), name, found
    with Qtest(command, "q35", ("-device", "amd-iommu")) as qemu:
        yield "q35", (1, 0), "AMDVI-PCI", qemu.probe("AMDVI-PCI", (0, 1, 0))


# ------------------------------------------------------------------ questions

VIRTIO_OPTIONS = (
    "disable-legacy=on", "disable-legacy=off", "disable-legacy=auto", "disable-modern=on",
    "disable-modern=on,disable-legacy=off", "disable-modern=on,disable-legacy=on", "modern-pio-notify=on",
    "disable-modern=on,disable-legacy=off,modern-pio-notify=on", "page-per-vq=on", "vectors=0", "vectors=255",
)  # fmt: skip
MORE_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "virtio-net-pci": (
        "romfile=", "rombar=0", "mq=on", "rss=on", "hash=on", "host_mtu=1500", "speed=1000", "duplex=full", "mq=off",
        "vectors=254", "vectors=512", "vectors=1024", "vectors=2048", "vectors=2049", "vectors=2049,mq=on",
        "vectors=0,mq=on", "vectors=0,host_mtu=1500", "vectors=0,speed=10", "romsize=524288", "romfile=pxe-e1000.rom",
    ),
    "virtio-net-pci-transitional": ("mq=on",),
    "virtio-net-pci-non-transitional": ("mq=on",),
    "virtio-blk-pci": (
        "discard=off", "discard=off,write-zeroes=off", "num-queues=254", "num-queues=255", "num-queues=1024",
        "num-queues=300,vectors=2", "class=384",
    ),
    "virtio-scsi-pci": ("num_queues=251", "num_queues=252", "num_queues=1000", "vectors=0"),
    "virtio-9p-pci": ("vectors=0",),
    "virtio-rng-pci": ("vectors=0",),
    "virtio-iommu-pci": ("class=2048",),
    "virtio-serial-pci": ("emergency-write=off", "emergency-write=off,vectors=0", "class=896", "class=597"),
    "virtio-balloon-pci": (
        "page-poison=off", "free-page-reporting=on", "qemu-4-0-config-size=on,page-poison=off",
    ),
    "e1000": ("romfile=", "rombar=0", "romfile=pxe-virtio.rom"),
    "e1000e": ("romfile=",),
    "edu": ("romfile=efi-e1000.rom",),
    "vmxnet3": ("romfile=",),
    "rtl8139": ("rombar=0",),
    "VGA": ("vgamem_mb=0", "vgamem_mb=1", "vgamem_mb=24", "vgamem_mb=64", "vgamem_mb=1000", "romfile=", "mmio=off"),
    "secondary-vga": ("vgamem_mb=64",),
    "ati-vga": ("vgamem_mb=64", "model=rv100", "x-device-id=20825", "model=x"),
    "vmware-svga": ("vgamem_mb=64", "vgamem_mb=600"),
    "bochs-display": ("vgamem=64M", "vgamem=6M"),
    "virtio-vga": ("romfile=",),
    "qxl-vga": (
        "ram_size=67108864,vram_size=67108864,vram64_size_mb=0,vgamem_mb=16",
        "ram_size_mb=128,vram_size_mb=128,vram64_size_mb=256", "vgamem_mb=128", "ram_size_mb=1024", "revision=2",
    ),
    "qxl": (
        "vram_size_mb=24", "vram64_size_mb=64", "vram64_size_mb=128", "vgamem_mb=33", "vgamem_mb=300", "ram_size=0",
        "ram_size_mb=1025", "ram_size_mb=4096", "vram_size=0", "vram_size_mb=0", "revision=1",
        "vgamem_mb=64,ram_size_mb=64,vram64_size_mb=128,revision=1",
    ),
    "acpi-erst": ("record_size=4096",),
    "pci-testdev": ("membar=1G", "membar=512"),
    "nvme": (
        "cmb_size_mb=64", "max_ioqpairs=511", "max_ioqpairs=512", "max_ioqpairs=5000", "msix_qsize=256",
        "msix_qsize=257", "msix_qsize=2048", "msix-exclusive-bar=on", "msix-exclusive-bar=on,msix_qsize=300",
        "num_queues=513", "use-intel-id=on",
    ),
    "pci-bridge": ("shpc=off", "shpc=on", "msi=off"),
    "pci-bridge-seat": ("shpc=off",),
}  # fmt: skip


def questions(driver: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield every place and set of options that a driver is tried with."""
    for place in PLACES:
        yield place, {}
    row = table.FUNCTIONS.get(driver)
    for text in (*(VIRTIO_OPTIONS if row and row.virtio else ()), *MORE_OPTIONS.get(driver, ())):
        options = dict(item.split("=", 1) for item in text.split(","))
        for place in MAIN_PLACES:
            yield place, options


def expected(driver: str, place: str, options: Mapping[str, str], profile: str) -> PciFunction | None:
    """Return what the table says; `None` when it says that QEMU refuses."""
    if place not in ONLY_AT.get(driver, PLACES):
        return None
    where = PLACES[place]
    try:
        answer = table.function_at(
            driver, express_bus=where.express_bus, options=options, root_bus=where.root_bus, profile=profile
        )
    except RefusedError:
        return None
    return answer._replace(virtio="", legacy=0)


def differences(command: Sequence[str], driver: str, profile: str) -> tuple[int, list[str]]:
    """Return how many measurements agree with the table, and the others in words."""
    agree, wrong = 0, []
    for place, options in questions(driver):
        asked = " ".join([driver, f"at {place}", *(f"{name}={value}" for name, value in options.items())])
        try:
            found: PciFunction | None = measure(command, driver, place, options)
        except QemuRefusal as error:
            if re.search(r"Property '.*' not found", str(error)):
                continue
            found, words = None, str(error)
        else:
            words = ""
        answer = expected(driver, place, options, profile)
        if found == answer:
            agree += 1
        elif found is None:
            wrong.append(f"{asked}: refused: {words.splitlines()[-1]}")
        else:
            wrong.append(f"{asked}:\n    table    {answer}\n    measured {found}")
    return agree, wrong


def version(command: Sequence[str]) -> str:
    """Return QEMU's version such as ``10.0.13``."""
    text = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version (\d+\.\d+\.\d+)", text)
    return found[1] if found else "unknown"


def profile_of(command: Sequence[str]) -> str:
    """Return the profile to compare with: that of the version, the default one for a version that has none."""
    short = version(command).rpartition(".")[0]
    return short if short in table.PROFILES else table.DEFAULT_PROFILE


def offered(command: Sequence[str]) -> list[str]:
    """Return the PCI drivers that this QEMU lists."""
    text = subprocess.run([*command, "-device", "help"], capture_output=True, text=True, check=True).stdout
    return [name for name in re.findall(r'^name "([^"]+)", bus PCI', text, re.MULTILINE) if name not in NOT_ALONE]


def check(command: Sequence[str]) -> int:
    """Compare the whole table with this QEMU; return how many differences there are."""
    profile = profile_of(command)
    print(f"qemu {version(command)} against profile {profile}")
    drivers, agree, wrong = offered(command), 0, []
    for driver in drivers:
        if table.is_measured(driver, profile):
            good, bad = differences(command, driver, profile)
            agree += good
            wrong += bad
        elif driver not in table.UNMEASURED and driver not in table.UNMEASURED_IN_7_2:
            wrong.append(f"{driver}: no row, and no reason why")
    for machine, (slot, function), name, found in built_ins(command):
        where = f"{machine} {slot:02x}.{function}"
        if name is None or found is None:
            wrong.append(f"{where}: table {name}, measured {found}")
            continue
        answer = table.function_at(name, express_bus=machine != "pc", root_bus=True, profile=profile)
        if name in table.PLACE_IS_ID_IN_7_2 and profile == "7.2":
            answer = answer._replace(device=slot << 3 | function)
        if found == answer._replace(virtio="", legacy=0):
            agree += 1
        else:
            wrong.append(f"{where}:\n    table    {answer}\n    measured {found}")
    built = {name for places in table.BUILT_INS.values() for name in places.values()} | NOT_ALONE
    for driver in sorted(table.FUNCTIONS.keys() - set(drivers) - built):
        if table.is_measured(driver, profile):
            wrong.append(f"{driver}: this QEMU does not have it")
    print(*wrong, f"{agree} measurements agree, {len(wrong)} differ", sep="\n")
    return len(wrong)


# ------------------------------------------------------------------ writing


def row_of(command: Sequence[str], driver: str) -> PciFunction:
    """Measure a driver where it is taken and return its row."""
    found: dict[str, PciFunction] = {}
    for place in MAIN_PLACES:
        if place in ONLY_AT.get(driver, PLACES):
            found[place] = measure(command, driver, place, {})
    first = next(iter(found.values()))
    express = tuple(place for place, row in found.items() if row.express == table.ALWAYS)
    where = {
        (): table.NEVER, ("root-port",): table.PORT, ("pcie.0", "root-port"): table.EXPRESS,
        MAIN_PLACES: table.ALWAYS,
    }[express]  # fmt: skip
    if not driver.startswith(("virtio-", "vhost-")):
        return first._replace(express=where)
    row = found.get("root-port", first)._replace(express=where)
    legacy = first.bars[0] if first.bars[0].kind == IO else None
    if legacy is None:
        return row._replace(virtio=table.MODERN)
    hybrid = row.bars[0] != legacy
    return row._replace(
        virtio=table.HYBRID if hybrid else table.TRANSITIONAL,
        bars=tuple(bar for bar in row.bars if bar.number),
        legacy=first.device,
    )


def _size(size: int) -> str:
    for unit, name in ((M, "M"), (K, "K")):
        if size and size % unit == 0:
            return name if size == unit else f"{size // unit} * {name}"
    return str(size)


def _source(row: PciFunction) -> str:
    names = {(IO, False): "_io", (MEM32, False): "_m32", (MEM32, True): "_p32"}
    names |= {(MEM64, False): "_m64", (MEM64, True): "_p64"}
    bars = [f"{names[bar.kind, bar.prefetchable]}({bar.number}, {_size(bar.size)})" for bar in row.bars]
    roms = {256 * K: "_ROM_NIC", 64 * K: "_ROM_VGA"}
    legacy = f"0x{row.legacy:04X}" if row.legacy else "0"
    tail = [roms.get(row.rom, _size(row.rom)), str(row.header), str(row.pin), row.virtio.upper() or '""', legacy]
    for empty in ("0", '""', "0", "0", "0"):
        if tail[-1] != empty:
            break
        tail.pop()
    head = f'"{row.driver}", 0x{row.vendor:04X}, 0x{row.device:04X}, 0x{row.class_code:04X}, {row.revision}'
    block = f"({', '.join(bars)}{',' if len(bars) == 1 else ''})"
    line = f"    _F({', '.join([head, row.express.upper(), block, *tail])}),\n"
    if len(line) > 121:
        line = f"    _F({head}, {row.express.upper()},\n       {', '.join([block, *tail])}),\n"
    return line


def write(command: Sequence[str]) -> None:
    """Write the rows of the table anew."""
    rows = {name: found for _, _, name, found in built_ins(command) if name and found}
    for driver in offered(command):
        if driver not in table.UNMEASURED:
            rows[driver] = row_of(command, driver)
    path = Path(table.__file__)
    text = path.read_text()
    start = text.index("\n", text.index("# driver, vendor, device")) + 1
    end = text.index(")\n# fmt: on", start)
    lines = [_source(rows[name]) for name in sorted(rows, key=str.lower)]
    path.write_text(text[:start] + "".join(lines) + text[end:])
    print(f"{len(rows)} rows")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--qemu", default="qemu-system-x86_64", help="the command, with leading arguments if need be")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="compare the table with this QEMU (the default)")
    action.add_argument("--write", action="store_true", help="write the table anew")
    action.add_argument("--driver", help="print what one driver is in every place")
    args = parser.parse_args(arguments)
    command = shlex.split(args.qemu)
    if args.driver:
        for place, options in questions(args.driver):
            try:
                print(place, options or "", measure(command, args.driver, place, options))
            except QemuRefusal as error:
                print(place, options or "", "refused:", str(error).splitlines()[-1])
        return 0
    if args.write:
        if version(command).rpartition(".")[0] != table.DEFAULT_PROFILE:
            print(f"the table is that of QEMU {table.DEFAULT_PROFILE}, not of {version(command)}", file=sys.stderr)
            return 2
        write(command)
        return 0
    return 1 if check(command) else 0


if __name__ == "__main__":
    sys.exit(main())
