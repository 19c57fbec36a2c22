"""A placed guest as QEMU arguments.

Source: libvirt rule 7.5 for the names of buses; what each device needs to start was
tried on QEMU 7.2 and 10.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pcisim.address import MAX_BUS, MAX_FUNCTION, MAX_SLOT
from pcisim.catalogue.bridges import BRIDGES
from pcisim.catalogue.x86_machines import X86
from pcisim.guest import Controller, Device
from pcisim.placement import Placement
from pcisim.qemu.device_names import driver_of

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
        "mdev": ("sysfsdev=MDEV_{n}", ""),
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
        "mdev": "pci-testdev",
        "vhost-scsi-pci": "virtio-rng-pci",
        "vhost-vsock-pci": "virtio-rng-pci",
        "vhost-user-fs-pci": "virtio-rng-pci",
        "virtio-input-host-pci": "virtio-tablet-pci",
        "ivshmem-doorbell": "virtio-rng-pci",
    }
)
"""Devices that only start with something of the host's, and what a runnable line has instead."""

_MEMORY = ("virtio-pmem-pci", "virtio-mem-pci")
_EHCI = ("ich9-usb-ehci1", "usb-ehci")
_EHCI_PORTS = 6
_UHCI_PORTS = 2
_HIGHEST_ACPI_INDEX = 16383
_NO_NAME = re.compile("[^A-Za-z0-9._-]")


def arguments(placement: Placement, *, runnable: bool = False) -> list[str]:
    """Return QEMU's arguments for a placed guest.

    Args:
        placement: the guest; buses come before the devices on them, which QEMU needs.
        runnable: whether to add null back-ends, and stand-ins for devices of the host.

    A runnable line differs in what libvirt leaves to QEMU and QEMU refuses: ports of one chassis
    get different slot numbers, and a USB companion that its master cannot have is on its own.
    """
    return _Line(placement, runnable=runnable).words()


class _Line:
    """One command line.

    Args:
        placement: the guest.
        runnable: as for `arguments`.
    """

    def __init__(self, placement: Placement, *, runnable: bool) -> None:
        self.placement = placement
        self.guest = placement.guest
        self.runnable = runnable
        self.ids = _identities(placement)
        machine = self.guest.machine
        self.buses = {0: "pcie.0" if machine.express else "pci" if machine.one_pci_bus else "pci.0"}
        self.host_bridges = [d for d in self.guest.controllers if d.model == "pci-root" and d.target.get("index")]
        for controller in self.guest.controllers:
            if controller.is_pci and controller.index and controller in self.ids:
                self.buses[controller.index] = self.ids[controller]
        for controller in self.host_bridges:
            self.buses[controller.index or 0] = f"pci.{controller.index}.0"
        self.masters = {
            d.index or 0: d for d in reversed(self.guest.controllers) if d.type == "usb" and not d.companion
        }
        self.backends: dict[str, None] = {}
        self.slots: dict[int, int] = {}
        self.ports: set[tuple[int, int]] = set()
        self.acpi_indexes: set[int] = set()
        self.memory_devices = 0

    def words(self) -> list[str]:
        devices: list[str] = []
        for bridge in self.host_bridges:
            node = f",numa_node={bridge.target['node']}" if "node" in bridge.target else ""
            devices += ["-device", f"{bridge.model_name},index={bridge.target['index']},id=pci.{bridge.index}{node}"]
        for place, device in enumerate(self._in_order()):
            driver = driver_of(device, self.guest)
            if driver and not self._is_built_in(device):
                if device in self.placement.zpci:
                    uid, fid = self.placement.zpci[device]
                    devices += ["-device", f"zpci,uid={uid},fid={fid},target={self.ids[device]},id=zpci{uid}"]
                devices += ["-device", ",".join(self._device(device, driver, place))]
        machine = self.guest.machine_name.replace(",", ",,")
        knows_acpi = self.guest.arch in X86 or self.guest.machine.express
        line = ["-machine", f"{machine},acpi=off" if knows_acpi and not self.guest.acpi else machine, "-nodefaults"]
        for controller in self.guest.controllers:
            if self.guest.arch in X86 and controller.model == "pci-root" and "hotplug" in controller.target:
                line += ["-global", f"PIIX4_PM.acpi-root-pci-hotplug={controller.target['hotplug']}"]
        if self.runnable:
            line += ["-display", "none", *self._memory()]
        for backend in self.backends:
            line += backend.split(" ")
        return line + devices

    def _in_order(self) -> Iterator[Device]:
        """Yield what has a PCI address: a PCI controller after the one it hangs on, a companion after its master."""
        guest, addresses = self.guest, self.placement.addresses
        by_index = {d.index: d for d in guest.controllers if d.is_pci}
        done: dict[Device, None] = {}
        for controller in by_index.values():
            chain: list[Controller] = []
            current: Controller | None = controller
            while current is not None and current in addresses and current not in done and current not in chain:
                chain.append(current)
                current = by_index.get(addresses[current] >> 8 & MAX_BUS)
            done.update(dict.fromkeys(reversed(chain)))
        yield from done
        usb = [d for d in guest.controllers if d.type == "usb"]
        for device in (*(d for d in usb if not d.companion), *(d for d in usb if d.companion), *guest.all_devices()):
            if device in addresses and device not in done:
                done[device] = None
                if device.on_pci:
                    yield device

    def _is_built_in(self, device: Device) -> bool:
        return (self.guest.machine.family, device.label) in _NOT_EMITTED and not self.placement.addresses[device] >> 8

    def _device(self, device: Device, driver: str, place: int) -> list[str]:
        """Return a device and its properties.

        Args:
            device: what has a PCI address.
            driver: QEMU's device.
            place: its number on this command line.
        """
        plain = driver.removesuffix("-transitional").removesuffix("-non")
        kind = plain
        if driver == "vfio-pci":
            kind = "mdev" if device.element == "hostdev" and device.bus == "mdev" else driver
        elif device.element in ("disk", "interface"):
            kind = device.element
        properties: list[str] = []
        if kind in _BACKENDS:
            name = _escaped(device.label.partition(":")[2].replace(":", "_"))
            if driver == "vfio-pci" and device.element == "interface":  # which are counted apart from the hostdevs
                name = f"interface_{name}"
            wanted, stand_in = (text.format(n=name, k=place) for text in _BACKENDS[kind])
            if self.runnable and not stand_in:
                driver = STAND_INS[kind]
            else:
                properties.append(wanted)
                self.backends |= {stand_in: None} if self.runnable else {}
        self.memory_devices += plain in _MEMORY
        if isinstance(device, Controller):
            properties += self._of_controller(device)
        return [driver, *properties, f"id={self.ids[device]}", *self._place(device)]

    def _of_controller(self, controller: Controller) -> list[str]:
        target = controller.target
        if controller.type == "usb":
            return self._of_companion(controller) if controller.companion else []
        if controller.type == "nvme":
            return [f"serial={controller.serial.replace(',', ',,')}"]
        properties: list[str] = []
        if "chassisNr" in target:
            properties.append(f"chassis_nr={target['chassisNr']}")
        if "chassis" in target:
            chassis = target["chassis"]
            slot = self.slots.get(chassis, 0)
            if self.runnable:
                self.slots[chassis] = slot + 1
            properties += [f"port={target['port']:#x}", f"chassis={chassis}", f"slot={slot}"]
        if "busNr" in target:
            properties.append(f"bus_nr={target['busNr']}")
        if "node" in target:
            properties.append(f"numa_node={target['node']}")
        if "hotplug" in target:
            properties.append(f"hotplug={target['hotplug']}")
        if "memReserve" in target and not (self.runnable and not BRIDGES[controller.model_name].reserves):
            properties.append(f"mem-reserve={target['memReserve'] << 10}")
        return properties

    def _of_companion(self, controller: Controller) -> list[str]:
        """Return what ties a USB controller to the one whose ports it serves."""
        master = self.masters.get(controller.index or 0)
        if master not in self.ids:
            return []
        first = controller.start_port or 0
        ports = {(controller.index or 0, port) for port in range(first, first + _UHCI_PORTS)}
        fits = driver_of(master, self.guest) in _EHCI and first + _UHCI_PORTS <= _EHCI_PORTS
        if self.runnable and (not fits or ports & self.ports):
            return []
        self.ports |= ports
        return [f"masterbus={self.ids[master]}.0", f"firstport={first}"]

    def _place(self, device: Device) -> list[str]:
        packed = self.placement.addresses[device]
        number, slot, function = packed >> 8 & MAX_BUS, packed >> 3 & MAX_SLOT, packed & MAX_FUNCTION
        place = [f"bus={self.buses.get(number, f'pci.{number}')}"]
        multifunction = self.placement.multifunction.get(device)
        if multifunction:
            place.append(f"multifunction={multifunction}")
        place.append(f"addr={slot:#x}.{function:#x}" if function else f"addr={slot:#x}")
        index = device.acpi_index
        if index and not (self.runnable and (index in self.acpi_indexes or index > _HIGHEST_ACPI_INDEX)):
            self.acpi_indexes.add(index)
            place.append(f"acpi-index={index}")
        return place

    def _memory(self) -> list[str]:
        """Return memory for the devices that bring some, and for the NUMA nodes that expanders belong to."""
        nodes = sorted(self.guest.numa_nodes) if any("node" in d.target for d in self.guest.controllers) else []
        words: list[str] = []
        for node in nodes:
            words += ["-object", f"memory-backend-ram,id=NODE_{node},size=128M"]
            words += ["-numa", f"node,nodeid={node},memdev=NODE_{node}"]
        size = 128 * len(nodes) or 256
        if self.memory_devices:
            return ["-m", f"size={size}M,slots=1,maxmem={size // 1024 + self.memory_devices + 1}G", *words]
        return ["-m", f"size={size}M", *words] if nodes else []


def _identities(placement: Placement) -> dict[Device, str]:
    """Return the id of each device: the user's own alias, or its label; no two are alike."""
    ids: dict[Device, str] = {}
    taken: set[str] = set()
    for device in placement.addresses:
        alias = None if device.origin is None else device.origin.find("alias")
        name = "" if alias is None else alias.get("name") or ""
        if not name.startswith("ua-"):  # libvirt takes no other from the user
            name = device.label.replace(":", "." if device.label.startswith("pci:") else "-")
        name = _escaped(name)
        while name in taken:
            name += "-again"
        taken.add(name)
        ids[device] = name
    return ids


def _escaped(label: str) -> str:
    """Return a label as QEMU takes names: letters, digits and a few signs."""
    return _NO_NAME.sub(lambda found: f"_{ord(found[0]):x}_", label)
