"""The policy ``hotplug``: libvirt's own places, and room for devices that come while the guest runs."""

from __future__ import annotations

from typing import NamedTuple

from pcisim.catalogue import connectors as c
from pcisim.catalogue.versions import DEFAULT_VERSION, VERSIONS, Libvirt
from pcisim.catalogue.x86_machines import RESERVED
from pcisim.errors import RefusedError
from pcisim.guest import Guest
from pcisim.libvirt.passes import no_buses
from pcisim.libvirt.policy import LibvirtPolicy
from pcisim.placement import Placement
from pcisim.placement.covered import check_covered
from pcisim.spares.extension import Extension, HotSlots
from pcisim.spares.presets import PRESETS, Settings, no_room
from pcisim.topology import Owner


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

    @property
    def names(self) -> tuple[str, ...]:
        """Return the options that say each of them."""
        return tuple(name.replace("_", "-") for name in self._fields)

    def __str__(self) -> str:
        said = [f"{name}={count}" for name, count in zip(self.names, self) if count or name == "spare"]
        return ":".join(("hotplug", *said))


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
        asked = ", ".join(f"{name} {count}" for name, count in zip(self.spares.names, self.spares) if count)
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
        check_covered(guest, "spares", "are")
        if self.preset and guest.express:
            return PRESETS[self.preset].place(self.rules, guest, self.settings, log)
        made = LibvirtPolicy(self.rules).place(guest, log=log)
        return made if self.preset else self._extended(made, log=log)

    def _extended(self, made: Placement, *, log: bool) -> Placement:
        asked = self.spares
        guest = made.guest
        if not made.topology.buses and asked != Spares(0):
            raise no_buses(guest, Owner("a spare slot", RESERVED))
        extension = Extension(self.rules, made, log=log)
        if not guest.express:
            if asked.total or asked.extra:
                instead = asked._replace(spare=max(asked.spare, asked.total, asked.extra), total=0, extra=0)
                raise RefusedError(
                    f"machine type '{guest.machine_name}' has no PCI Express ports to count",
                    code="no-spares",
                    line=guest.machine_line,
                    remedy=f"ask for {instead}, which are conventional slots there",
                )
            slots = self._ensure_conventional(extension, asked.spare + asked.pci_spare)
            if slots is not None:
                spare = min(asked.spare, slots.empty)
                raise _missing(slots, asked, asked._replace(spare=spare, pci_spare=slots.empty - spare))
            return extension.finished()
        slots = self._ensure_conventional(extension, asked.pci_spare)
        if slots is not None:
            raise _missing(slots, asked, asked._replace(pci_spare=slots.empty))
        needed = extension.ports - extension.unneeded_ports
        ports = max(asked.total, needed + asked.extra)
        while (slots := extension.hot_slots(c.EXPRESS)).empty < asked.spare or extension.ports < ports:
            if not extension.append("pcie-root-port", "appended: a spare port"):
                had = extension.ports
                fewer = asked._replace(
                    spare=min(asked.spare, slots.empty),
                    total=min(asked.total, had),
                    extra=min(asked.extra, had - needed),
                )
                raise _missing(slots, asked, fewer)
        return extension.finished()

    def _ensure_conventional(self, extension: Extension, wanted: int) -> HotSlots | None:
        """Append bridges until there are as many slots as wanted; return what there is if they are fewer."""
        while (slots := extension.hot_slots(c.CONVENTIONAL)).empty < wanted:
            if slots.blocked_by is not None or not extension.append_conventional("appended: spare slots"):
                return slots
        return None


def _missing(slots: HotSlots, asked: Spares, fewer: Spares) -> RefusedError:
    details = [
        f"{name} {number} is asked for, and {had} can be had"
        for name, number, had in zip(asked.names, asked, fewer)
        if had < number
    ]
    if slots.blocked_by is not None:
        bus = slots.blocked_by
        details.append(f"libvirt looks no further than bus {bus.index}, a {bus.model.name} that takes no hotplug here")
    return no_room(*details, remedy=f"ask for {fewer}")
