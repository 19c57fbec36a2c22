"""The policy ``hotplug``: libvirt's own places, and room for devices that come while the guest runs."""

from __future__ import annotations

from typing import NamedTuple

from pcisim.catalogue import connectors as c
from pcisim.catalogue.versions import DEFAULT_VERSION, VERSIONS, Libvirt
from pcisim.errors import NotCoveredError, RefusedError
from pcisim.guest import Guest
from pcisim.libvirt.policy import LibvirtPolicy
from pcisim.placement import Placement
from pcisim.spares.extension import Extension, HotSlots
from pcisim.spares.presets import PRESETS, Settings, no_room


class Spares(NamedTuple):
    """How much room is asked for; all of it is there in the end."""

    spare: int = 1
    """Empty hot-pluggable slots for devices of the machine's own kind: PCI Express, or conventional on pc."""
    total: int = 0
    """Ports in all."""
    extra: int = 0
    """Ports beyond those that the definition has and its devices need."""
    pci_spare: int = 0
    """Empty hot-pluggable conventional slots (on pc beside `spare`)."""


class HotplugPolicy(NamedTuple):
    """Place a guest as libvirt does, with spare ports and slots.

    Args:
        rules: the version of libvirt that places the guest and takes the result.
        spares: how much room is asked for.
        preset: the name of a manager in `PRESETS` that decides instead; "" for none.
        settings: what goes with the preset.
    """

    rules: Libvirt = VERSIONS[DEFAULT_VERSION]
    spares: Spares = Spares()
    preset: str = ""
    settings: Settings = Settings()

    def describe(self) -> str:
        """Say in one line what the policy does."""
        if self.preset:
            return f"as {self.preset} does, with libvirt {self.rules.version}"
        asked = ", ".join(f"{name.replace('_', '-')} {count}" for name, count in self.spares._asdict().items() if count)
        return f"as libvirt {self.rules.version}, with room for more ({asked or 'none asked for'})"

    @property
    def reads_memory(self) -> bool:
        """Return whether the answer depends on how much memory a document gives the guest."""
        return bool(self.preset) and "memory" in PRESETS[self.preset].settings and self.settings.memory is None

    def place(self, guest: Guest, *, log: bool = False) -> Placement:
        """Place a completed guest as a whole.

        Args:
            guest: what `pcisim.libvirt.completion.complete` returned; it is not changed.
            log: whether to say how each device got its place.

        Raises:
            RefusedError: libvirt refuses the guest, or there is no room for what is asked.
            NotCoveredError: it is not known how to keep room on the machine.
        """
        machine = guest.machine
        if machine.root is not None and (machine.host_bridges or machine.zpci or not machine.places_pci):
            raise NotCoveredError(
                f"spares on machine type '{guest.machine_name}' of {guest.arch} are not covered",
                code="machine-not-covered",
                line=guest.machine_line,
                remedy="leave --policy out: libvirt's places are known",
            )
        if self.preset and guest.express:
            return PRESETS[self.preset].place(self.rules, guest, self.settings, log)
        made = LibvirtPolicy(self.rules).place(guest, log=log)
        return made if self.preset else self._extended(made, log=log)

    def _extended(self, made: Placement, *, log: bool) -> Placement:
        spare, total, extra, pci_spare = self.spares
        express = made.guest.express
        if not express and (total or extra):
            raise RefusedError(
                f"machine type '{made.guest.machine_name}' has no PCI Express ports to count",
                code="no-spares",
                line=made.guest.machine_line,
                remedy="use spare=N, which counts conventional slots there, or a machine such as q35",
            )
        extension = Extension(self.rules, made, log=log)
        self._ensure_conventional(extension, pci_spare + (0 if express else spare))
        if express:
            ports = max(total, extension.ports - extension.unneeded_ports + extra)
            while (hot := extension.hot_slots(c.EXPRESS)).slots < spare or extension.ports < ports:
                if not extension.append("pcie-root-port", "appended: a spare port"):
                    raise _missing(hot, spare, "PCI Express", extension.ports, ports)
        return extension.finished()

    def _ensure_conventional(self, extension: Extension, wanted: int) -> None:
        while (hot := extension.hot_slots(c.CONVENTIONAL)).slots < wanted:
            if hot.blocked_by is not None or not extension.append_conventional("appended: spare slots"):
                raise _missing(hot, wanted, "conventional")


def _missing(hot: HotSlots, wanted: int, kind: str, ports: int = 0, wanted_ports: int = 0) -> RefusedError:
    details = []
    if hot.slots < wanted:
        details.append(f"{wanted} empty hot-pluggable {kind} slots are asked for, and {hot.slots} can be had")
    if ports < wanted_ports:
        details.append(f"{wanted_ports} ports are asked for, and {ports} can be had")
    if hot.blocked_by is not None:
        bus = hot.blocked_by
        details.append(f"libvirt looks no further than bus {bus.index}, a {bus.model.name} that takes no hotplug here")
    return no_room(*details)
