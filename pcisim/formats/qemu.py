"""A placed guest as QEMU arguments.

Source: section 7.5 of the rules for the names of buses; what each device needs to start was
tried on QEMU 7.2 and 10.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from pcisim.address import MAX_BUS, MAX_FUNCTION, MAX_SLOT
from pcisim.catalogue.devices import ICH9_START_PORTS
from pcisim.drivers import driver_of
from pcisim.guest import Controller, Device
from pcisim.placement import Placement

_NOT_EMITTED = frozenset({("i440fx", "ide:0"), ("q35", "sata:0")})
"""Controllers that come with the machine."""

_BACKENDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        # element, or driver without its virtio variant: property=PLACEHOLDER, and what stands in for it
        "disk": ("drive=DRIVE_{n}", "-blockdev driver=null-co,node-name=DRIVE_{n},read-zeroes=on"),
        "interface": ("netdev=NETDEV_{n}", "-netdev hubport,id=NETDEV_{n},hubid={k}"),
        "pci-serial": ("chardev=CHARDEV_{n}", "-chardev null,id=CHARDEV_{n}"),
        "virtio-9p-pci": ("fsdev=FSDEV_{n},mount_tag=share{n}", "-fsdev synth,id=FSDEV_{n}"),
        "vhost-user-fs-pci": ("chardev=CHARDEV_FS_{n},tag=share{n}", ""),
        "virtio-rng-pci": ("rng=RNG_{n}", "-object rng-builtin,id=RNG_{n}"),
        "virtio-crypto-pci": ("cryptodev=CRYPTODEV_{n}", "-object cryptodev-backend-builtin,id=CRYPTODEV_{n}"),
        "virtio-pmem-pci": ("memdev=PMEM_{n}", "-object memory-backend-ram,id=PMEM_{n},size=128M"),
        "virtio-mem-pci": ("memdev=MEM_{n}", "-object memory-backend-ram,id=MEM_{n},size=256M"),
        "ivshmem-plain": ("memdev=SHMEM_{n}", "-object memory-backend-ram,id=SHMEM_{n},size=4M,share=on"),
        "ivshmem-doorbell": ("chardev=CHARDEV_SHMEM_{n}", ""),
        "acpi-erst": ("memdev=ERST_{n}", "-object memory-backend-ram,id=ERST_{n},size=64K,share=on"),
        "AC97": ("audiodev=AUDIODEV", "-audiodev none,id=AUDIODEV"),
        "ES1370": ("audiodev=AUDIODEV", "-audiodev none,id=AUDIODEV"),
        "virtio-sound-pci": ("audiodev=AUDIODEV", "-audiodev none,id=AUDIODEV"),
        "vfio-pci": ("host=HOST_{n}", ""),
        "vhost-scsi-pci": ("wwpn=WWPN_{n}", ""),
        "vhost-vsock-pci": ("guest-cid=CID_{n}", ""),
        "virtio-input-host-pci": ("evdev=EVDEV_{n}", ""),
    }
)
"""What a device is connected to.  An empty stand-in: the host has to have something, so that
`STAND_INS` takes the device's place in a runnable line."""

STAND_INS = MappingProxyType(
    {
        "vfio-pci": "pci-testdev",
        "vhost-scsi-pci": "virtio-rng-pci",
        "vhost-vsock-pci": "virtio-rng-pci",
        "vhost-user-fs-pci": "virtio-rng-pci",
        "virtio-input-host-pci": "virtio-tablet-pci",
        "ivshmem-doorbell": "virtio-rng-pci",
    }
)
"""Devices that only start with something of the host's, and what a runnable line has instead."""

_MEMORY = ("virtio-pmem-pci", "virtio-mem-pci")


def arguments(placement: Placement, *, runnable: bool = False) -> list[str]:
    """Return QEMU's arguments for a placed guest.

    Args:
        placement: the guest; buses come before the devices on them, which QEMU needs.
        runnable: whether to add null back-ends, and stand-ins for devices of the host.
    """
    guest = placement.guest
    family = guest.machine.family
    root = "pcie.0" if guest.machine.express else "pci.0"
    line = ["-machine", guest.machine_type or "pc", "-nodefaults"]
    if runnable:
        line += ["-display", "none"]
    backends: dict[str, None] = {}
    devices: list[str] = []
    memory = False
    for place, device in enumerate(_parents_first(placement)):
        if (family, device.label) in _NOT_EMITTED and placement.addresses[device] >> 8 == 0:
            continue
        driver = driver_of(device, guest)
        properties: list[str] = []
        plain = _plain(driver)
        backend = _BACKENDS.get(device.element) if device.element in ("disk", "interface") else _BACKENDS.get(plain)
        if driver == "vfio-pci":
            backend = _BACKENDS["vfio-pci"]
        if backend is not None:
            name = device.label.partition(":")[2].replace(":", "_")
            wanted, stand_in = (text.format(n=name, k=place) for text in backend)
            if runnable and not stand_in:
                driver = STAND_INS[plain]
            else:
                properties.append(wanted)
                if runnable:
                    backends[stand_in] = None
        memory |= plain in _MEMORY
        if isinstance(device, Controller):
            properties += _controller_properties(device)
        properties += [f"id={_id(device)}", *_place(placement, device, root)]
        devices += ["-device", ",".join([driver, *properties])]
    if runnable and memory:
        line += ["-m", "size=1G,slots=64,maxmem=64G"]
    for backend_line in backends:
        line += backend_line.split(" ")
    return line + devices


def _parents_first(placement: Placement) -> Iterable[Device]:
    """Yield the PCI controllers, each after the one it hangs on, then everything else."""
    guest, addresses = placement.guest, placement.addresses
    by_index = {d.index: d for d in guest.controllers if d.type == "pci"}
    done: dict[Device, None] = {}
    for controller in by_index.values():
        chain: list[Controller] = []
        current: Controller | None = controller
        while current is not None and current in addresses and current not in done and current not in chain:
            chain.append(current)
            current = by_index.get(addresses[current] >> 8 & MAX_BUS)
        done.update(dict.fromkeys(reversed(chain)))
    yield from done
    for device in guest.all_devices():
        if device in addresses and device not in done:
            yield device


def _plain(driver: str) -> str:
    return driver.removesuffix("-transitional").removesuffix("-non")


def _id(device: Device) -> str:
    if isinstance(device, Controller) and device.type == "pci":
        return f"pci.{device.index}"
    return device.label.replace(":", "-")


def _controller_properties(controller: Controller) -> list[str]:
    target = controller.target
    if controller.type == "usb" and controller.model in ICH9_START_PORTS:
        return [f"masterbus=usb-{controller.index}-ich9-ehci1.0", f"firstport={controller.start_port or 0}"]
    if controller.type != "pci":
        return []
    if controller.model == "pci-bridge":
        return [f"chassis_nr={target['chassisNr']}"]
    if "busNr" in target:
        return [f"bus_nr={target['busNr']}"] + ([f"numa_node={target['node']}"] if "node" in target else [])
    if "chassis" in target:
        hotplug = [f"hotplug={target['hotplug']}"] if "hotplug" in target else []
        reserve = [f"mem-reserve={target['memReserve']}K"] if "memReserve" in target else []
        return [f"port={target['port']:#x}", f"chassis={target['chassis']}", "slot=0", *hotplug, *reserve]
    return []


def _place(placement: Placement, device: Device, root: str) -> list[str]:
    packed = placement.addresses[device]
    bus = packed >> 8 & MAX_BUS
    place = [f"bus={f'pci.{bus}' if bus else root}"]
    multifunction = placement.multifunction.get(device)
    if multifunction:
        place.append(f"multifunction={multifunction}")
    slot, function = packed >> 3 & MAX_SLOT, packed & MAX_FUNCTION
    return [*place, f"addr={slot:#x}.{function:#x}" if function else f"addr={slot:#x}"]
