"""Random command lines: trees of bridges and devices, sound and unsound."""

from __future__ import annotations

import random

ENDPOINTS = (
    "virtio-rng-pci", "virtio-rng-pci,disable-legacy=on", "virtio-scsi-pci", "virtio-net-pci,romfile=", "e1000",
    "e1000e,romfile=", "nec-usb-xhci", "qemu-xhci", "virtio-serial-pci", "pci-testdev", "rtl8139", "lsi53c895a",
    "intel-hda", "virtio-balloon-pci", "pci-testdev,membar=64M", "VGA", "i6300esb", "megasas",
)  # fmt: skip
PORTS, SWITCH, PLAIN = "port", "switch", "plain"
_LAST = {PORTS: 0, SWITCH: 31, PLAIN: 31}


class Tree:
    """Grows one command line.

    Args:
        seed: what it grows from.
    """

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self.machine = self.random.choice(("pc", "q35", "q35"))
        self.devices: list[str] = []
        self.options: list[str] = []
        self.count = 0
        root = "pci.0" if self.machine == "pc" else "pcie.0"
        self.buses: list[tuple[str, str, int]] = [(root, PLAIN, 0)]
        if self.random.random() < 0.15:
            self.expander()
        if self.random.random() < 0.1:
            driver = "PIIX4_PM" if self.machine == "pc" else "ICH9-LPC"
            self.options.append(f"-global {driver}.acpi-pci-hotplug-with-bridge-support=off")
        for _ in range(self.random.randint(1, 22)):
            bus = self.random.choice(self.buses)
            if bus[2] < 5 and self.random.random() < 0.45:
                self.bridge(*bus)
            else:
                self.endpoint(*bus)

    def name(self) -> str:
        self.count += 1
        return f"d{self.count}"

    def place(self, bus: str, kind: str) -> str:
        roll = self.random.random()
        if roll < 0.15:
            return f"bus={bus}"
        slot = self.random.randint(0, _LAST[kind]) if roll < 0.95 else self.random.randint(0, 32)
        if roll < 0.3:
            return f"bus={bus},addr={slot:x}.{self.random.randint(0, 7)}"
        shared = ",multifunction=on" if roll < 0.5 else ""
        return f"bus={bus},addr={slot:#x}{shared}"

    def add(self, driver: str, name: str, bus: str, kind: str) -> None:
        self.devices.append(f"{driver},id={name},{self.place(bus, kind)}")

    def expander(self) -> None:
        name, number = self.name(), self.random.choice((3, 16, 64, 200))
        if self.machine == "pc":
            self.add(f"pxb,bus_nr={number}", name, "pci.0", PLAIN)
            self.buses.append((name, PLAIN, 1))
            return
        self.add(f"pxb-pcie,bus_nr={number}", name, "pcie.0", PLAIN)
        for _ in range(self.random.randint(0, 3)):
            port = self.name()
            self.add(f"pcie-root-port,chassis={self.count}", port, name, PLAIN)
            self.buses.append((port, PORTS, 1))

    def bridge(self, bus: str, kind: str, depth: int) -> None:
        name = self.name()
        drivers = [("pcie-root-port", PORTS), ("pci-bridge", PLAIN), ("i82801b11-bridge", PLAIN)]
        if kind == PORTS:
            drivers = [("x3130-upstream", SWITCH), ("pcie-pci-bridge", PLAIN)]
        elif kind == SWITCH:
            drivers = [("xio3130-downstream", PORTS)]
        elif self.machine == "pc" or depth:
            drivers = [("pci-bridge", PLAIN)] * 4 + drivers
        else:
            drivers = [("pcie-root-port", PORTS), ("ioh3420", PORTS)] * 3 + drivers
        driver, behind = self.random.choice(drivers)
        more = ""
        if driver == "pci-bridge":
            more = f",chassis_nr={self.count}" + self.random.choice(("", "", ",shpc=off"))
        elif behind == PORTS:
            more = f",chassis={self.count}"
        if driver == "pcie-root-port" and self.random.random() < 0.2:
            more += self.random.choice(
                (",bus-reserve=3", ",io-reserve=8K", ",mem-reserve=4M", ",pref64-reserve=64M", ",hotplug=off")
            )
        self.add(driver + more, name, bus, kind)
        self.buses.append((name, behind, depth + 1))

    def endpoint(self, bus: str, kind: str, _: int) -> None:
        self.add(self.random.choice(ENDPOINTS), self.name(), bus, kind)
