"""Write a fleet of domain files, as ``virsh dumpxml`` prints them: several shapes, some of them broken.

    python benchmarks/make_fleet.py 100000 build/fleet

The same numbers give the same files.  Names, UUIDs, MAC addresses, images, terminals and sizes differ from
guest to guest; what hardware there is differs between some hundred shapes.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from uuid import UUID

from pcisim.guest import disk_target

A_FOLDER = 1000
"""How many files a directory holds."""

HEAD = """<domain type='kvm' id='{number}' xmlns:app='http://example.org/app/1.0'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <title>Guest number {number}</title>
  <metadata>
    <app:instance>
      <app:owner tenant='{tenant}'>team {team}</app:owner>
      <app:created at='2024-0{month}-11T10:{minute}:00Z'/>
      <app:flavor name='m1.{size}'/>
    </app:instance>
  </metadata>
  <memory unit='KiB'>{memory}</memory>
  <currentMemory unit='KiB'>{memory}</currentMemory>
  <vcpu placement='static'>{cpus}</vcpu>
  <sysinfo type='smbios'>
    <system>
      <entry name='manufacturer'>Example</entry>
      <entry name='serial'>{uuid}</entry>
    </system>
  </sysinfo>
  <os>
    <type arch='x86_64' machine='{machine}'>hvm</type>{loader}
    <boot dev='hd'/>
  </os>
  <features>
    <acpi/>
    <apic/>
  </features>
  <cpu mode='host-model' check='partial'>
    <topology sockets='{cpus}' cores='1' threads='1'/>
  </cpu>
  <clock offset='utc'>
    <timer name='rtc' tickpolicy='catchup'/>
    <timer name='hpet' present='no'/>
  </clock>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
"""
LOADER = """
    <loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader>
    <nvram>/var/lib/libvirt/qemu/nvram/{name}_VARS.fd</nvram>"""
DISK = """    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none' discard='unmap'/>
      <source file='/srv/images/{name}/{target}.qcow2' index='{index}'/>
      <backingStore/>
      <target dev='{target}' bus='{bus}'/>
      <serial>{serial}</serial>
      <alias name='virtio-disk{index}'/>{address}
    </disk>
"""
INTERFACE = """    <interface type='bridge'>
      <mac address='52:54:00:{mac}'/>
      <source bridge='br{bridge}'/>
      <target dev='vnet{tap}'/>
      <model type='{model}'/>{address}
      <mtu size='1500'/>
      <alias name='net{index}'/>
    </interface>
"""
HOSTDEV = """    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source>
        <address domain='0x0000' bus='0x{bus:02x}' slot='0x00' function='0x{function}'/>
      </source>
    </hostdev>
"""
PORT = """    <controller type='pci' index='{index}' model='pcie-root-port'>
      <model name='pcie-root-port'/>
      <target chassis='{index}' port='{port:#x}'/>
      <alias name='pci.{index}'/>
    </controller>
"""
TERMINAL = """    <serial type='pty'>
      <source path='/dev/pts/{tap}'/>
      <target type='isa-serial' port='0'>
        <model name='isa-serial'/>
      </target>
      <alias name='serial0'/>
    </serial>
    <console type='pty' tty='/dev/pts/{tap}'>
      <source path='/dev/pts/{tap}'/>
      <target type='serial' port='0'/>
      <alias name='serial0'/>
    </console>
    <channel type='unix'>
      <source mode='bind' path='/run/libvirt/qemu/channel/{number}-{name}/org.qemu.guest_agent.0'/>
      <target type='virtio' name='org.qemu.guest_agent.0' state='connected'/>
      <alias name='channel0'/>
    </channel>
"""
DESKTOP = """    <input type='tablet' bus='usb'/>
    <graphics type='spice' port='{port}' autoport='yes' listen='127.0.0.1'>
      <listen type='address' address='127.0.0.1'/>
    </graphics>
    <sound model='ich9'/>
    <video>
      <model type='qxl' ram='65536' vram='65536' vgamem='16384' heads='1' primary='yes'/>
    </video>
    <redirdev bus='usb' type='spicevmc'/>
"""
TAIL = """    <memballoon model='virtio'>
      <stats period='10'/>
    </memballoon>
    <rng model='virtio'>
      <backend model='random'>/dev/urandom</backend>
    </rng>
  </devices>
  <seclabel type='dynamic' model='dac' relabel='yes'>
    <label>+64055:+{uid}</label>
  </seclabel>
</domain>
"""
BUSES = ("virtio", "virtio", "virtio", "scsi", "sata")
NICS = ("virtio", "virtio", "virtio", "e1000e", "e1000")
MACHINES = ("pc-q35-9.2", "pc-q35-9.2", "q35", "pc-q35-8.2", "pc-i440fx-9.2", "pc")


def guest(number: int, seed: int = 1) -> str:
    """Return one domain.

    Args:
        number: its number, from which everything about it follows.
        seed: another fleet.
    """
    draw = random.Random(f"{seed}/{number}")
    shape = random.Random(f"{seed}/shape/{draw.randrange(300)}")
    machine, efi = shape.choice(MACHINES), shape.random() < 0.2
    name = f"guest-{number:06}"
    facts = {
        "number": number,
        "name": name,
        "uuid": UUID(int=draw.getrandbits(128)),
        "tenant": UUID(int=draw.getrandbits(128)),
        "team": draw.randrange(40),
        "month": draw.randrange(1, 10),
        "minute": draw.randrange(10, 60),
        "size": draw.choice(("small", "large")),
        "memory": draw.choice((1, 2, 4, 8, 16)) << 20,
        "cpus": draw.choice((1, 2, 4, 8)),
        "tap": draw.randrange(500),
        "uid": draw.randrange(70000),
        "port": 5900 + draw.randrange(500),
    }
    parts = [HEAD.format(machine=machine, loader=LOADER.format(name=name) if efi else "", **facts)]
    bus = shape.choice(BUSES)
    express = "q35" in machine
    disks = shape.choice((1, 1, 2, 2, 3, 4, 6, 12, 24)) if bus == "virtio" else shape.choice((1, 2, 4))
    written = shape.random() < 0.3 and bus == "virtio" and not express
    for index in range(disks):
        target = disk_target("vd" if bus == "virtio" else "sd", index)
        slot = f"\n      <address type='pci' domain='0x0000' bus='0x00' slot='{index + 4:#04x}' function='0x0'/>"
        parts.append(
            DISK.format(
                name=name,
                target=target,
                bus=bus,
                index=index,
                serial=f"{draw.getrandbits(64):x}",
                address=slot if written and index < 20 else "",
            )
        )
    if express:
        parts += [PORT.format(index=n, port=0x0F + n) for n in range(1, 1 + shape.choice((0, 0, 4, 10, 14, 28)))]
    if bus == "scsi":
        parts.append("    <controller type='scsi' index='0' model='virtio-scsi'/>\n")
    model = shape.choice(NICS)
    clash = f"\n      <address type='pci' slot='{3 + disks:#x}'/>" if written and shape.random() < 0.1 else ""
    for index in range(shape.choice((1, 1, 2, 3, 8))):
        mac = ":".join(f"{draw.randrange(256):02x}" for _ in range(3))
        places = {"bridge": draw.randrange(9), "tap": draw.randrange(500)}
        parts.append(INTERFACE.format(mac=mac, model=model, index=index, address=clash, **places))
    parts += [HOSTDEV.format(bus=draw.randrange(1, 200), function=n) for n in range(shape.choice((0, 0, 0, 1, 4)))]
    parts.append(TERMINAL.format(**facts))
    if shape.random() < 0.5:
        parts.append(DESKTOP.format(**facts))
    return "".join([*parts, TAIL.format(**facts)])


def broken(number: int, seed: int = 1) -> bytes:
    """Return a domain that cannot be read."""
    draw = random.Random(f"{seed}/broken/{number}")
    text = guest(number, seed).encode()
    return draw.choice(
        (
            text[: draw.randrange(len(text))],
            text.replace(b"</devices>", b"</device>"),
            text.replace(b"<devices>", b"<devices>\xff"),
            text.replace(b"<target dev='vd", b"<target dev='").replace(b"<target dev='sd", b"<target dev='"),
            b"",
        )
    )


def write(folder: Path, count: int, *, share: float = 0.01, seed: int = 1) -> None:
    """Write a fleet.

    Args:
        folder: where; its directories hold `A_FOLDER` files each.
        count: how many files.
        share: how many of them are broken.
        seed: another fleet.
    """
    chance = random.Random(seed)
    for number in range(count):
        place = folder / f"{number // A_FOLDER:04}"
        if number % A_FOLDER == 0:
            place.mkdir(parents=True, exist_ok=True)
        data = broken(number, seed) if chance.random() < share else guest(number, seed).encode()
        (place / f"guest-{number:06}.xml").write_bytes(data)


def main() -> None:
    """Write a fleet as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, help="how many files")
    parser.add_argument("folder", type=Path, help="where")
    parser.add_argument("--broken", type=float, default=0.01, help="the share of files that cannot be read (0.01)")
    parser.add_argument("--seed", type=int, default=1, help="another number gives another fleet")
    arguments = parser.parse_args()
    write(arguments.folder, arguments.count, share=arguments.broken, seed=arguments.seed)


if __name__ == "__main__":
    main()
