"""The policy of libvirt's QEMU driver: two passes, growth between them, the spare port.

The trial pass may append buses and finds out which controllers are missing; what it
places is thrown away, but for the fixed places of the chipset.  The real pass starts
afresh with all controllers known and cannot grow.

Source: libvirt rule 6 (libvirt rule 6.8 is the sketch that `place` follows), libvirt rule 7 for what
comes after; verified against libvirt 9.0.0 and 11.3.0.
"""

from __future__ import annotations

from typing import NamedTuple

from pcisim.address import pack
from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import MAX_INDEX, PCI_CONTROLLERS, ROOT_MODELS
from pcisim.catalogue.versions import DEFAULT_VERSION, VERSIONS, Libvirt
from pcisim.errors import RefusedError
from pcisim.guest import Controller, Device, Guest, evolved
from pcisim.libvirt.completion import ControllerList
from pcisim.libvirt.growth import Demand, growth
from pcisim.libvirt.passes import SPARE, Count, Pass, highest_index, index_too_high
from pcisim.libvirt.targets import multifunction, readdress, settle_controllers, with_own_bridges
from pcisim.placement import Placement
from pcisim.topology import Topology

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class LibvirtPolicy(NamedTuple):
    """Place addresses exactly as a version of libvirt does.

    Args:
        rules: the row of the version.
    """

    rules: Libvirt = VERSIONS[DEFAULT_VERSION]

    def describe(self) -> str:
        """Say in one line what the policy does."""
        return f"as libvirt {self.rules.version}"

    def place(self, guest: Guest, *, log: bool = False) -> Placement:
        """Place a completed guest.

        Args:
            guest: what `pcisim.libvirt.completion.complete` returned; it is not changed.
            log: whether to keep how each device got its place.

        Raises:
            RefusedError: libvirt refuses the definition.
        """
        guest = with_own_bridges(guest)
        highest = highest_index(guest)
        if highest > MAX_INDEX:
            raise index_too_high(next(d for d in guest.controllers if d.is_pci and d.index == highest))
        placed = None if log else self._in_one_pass(guest)
        real, controllers, added = placed or self._in_two_passes(guest, log=log)
        if guest.machine.places_pci:
            settle_controllers(controllers, real.addresses, host_bridges=guest.machine.host_bridges)
        carried = multifunction(real.addresses)
        readdress(guest, real.addresses)
        return Placement(
            guest=evolved(guest, controllers=controllers),
            topology=real.topology,
            addresses=real.addresses,
            multifunction=carried,
            added=added,
            rewritten={d: old for d, old in _given(guest).items() if real.present[d] != old},
            log=real.log,
            zpci=_zpci_ids(real, [] if self.rules.numbers_added_bridges else added) if guest.machine.zpci else None,
            overwritten=_overwritten(real, guest),
        )

    def _in_two_passes(self, guest: Guest, *, log: bool) -> _Placed:
        """Place a guest as libvirt does (libvirt rule 6.8)."""
        present = _given(guest)
        controllers = ControllerList.of(self.rules, guest.controllers)
        added: list[Controller] = []
        count = highest_index(guest) + 1
        trial = Pass(self.rules, guest, controllers.items, present, count, trial=True, log=log)
        if count:
            added = self._run_trial(trial, controllers)
        real = Pass(self.rules, guest, controllers.items, present, len(trial.topology.buses), trial=False, log=log)
        real.collect()
        if guest.machine.places_pci:
            real.chipset()
            real.primary_video()
            real.assign()
        if log and count:
            for device, steps in trial.log.items():  # places that the trial pass leaves behind
                real.log.setdefault(device, [step for step in steps if not step.looks])
        return real, controllers.items, added

    def _run_trial(self, trial: Pass, controllers: ControllerList) -> list[Controller]:
        """Run the trial pass, and add and return the controllers that it finds missing."""
        buses = trial.topology.buses
        first = len(buses)
        trial.collect()
        trial.chipset()
        trial.primary_video()
        trial.imagine()
        trial.assign()
        if trial.keeps_spare and len(buses) > first and trial.topology.search(c.EXPRESS) is None:
            trial.grow(len(buses), c.EXPRESS, SPARE)
        added = _missing(trial.topology, controllers)
        trial.find_all(new for new in added if new.model not in ROOT_MODELS)
        trial.flush()
        return added

    def _in_one_pass(self, guest: Guest) -> _Placed | None:
        """Place a guest in the real pass alone, where arithmetic says what the trial pass would add.

        It says how many buses of each model, not in which order: with two models the order is the trial pass's to
        find.  A PCI controller that looks for a place may be in the way of those that are added, and of the companions
        whose place the trial pass leaves behind; an expander may want the very slot that the imaginary device takes.

        Returns:
            ``None`` where the trial pass has to be run, be it to say why libvirt refuses the guest.
        """
        controllers = ControllerList.of(self.rules, guest.controllers)
        try:
            counted = Count(self.rules, guest, controllers.items, _given(guest)).count_all()
            if counted.grew or not guest.machine.places_pci:
                return None
            if counted.is_complete:
                return counted, controllers.items, []
            grown = growth(counted.demand())
            new = [(model, count) for model, count in grown.by_model(guest.machine.growth) if count]
            if not grown.fits or len(new) > 1:
                return None
            wanting = [d for d in guest.controllers if d.wants]
            plugs = {PCI_CONTROLLERS[d.model].plug for d in wanting if d.is_pci} - {0}
            if plugs & {c.EXPANDER} or (plugs and (new or any(d.ich9 for d in wanting))):
                return None
            real = counted.real(controllers.items, *(new[0] if new else (guest.machine.growth, 0)))
            added = _missing(real.topology, controllers)
            real.primary_video()
            real.assign()
        except RefusedError:
            return None
        return real, controllers.items, added

    def demand(self, guest: Guest) -> Demand:
        """Count what the trial pass looks for and what is there to begin with, without placing anything.

        Args:
            guest: a completed guest.

        Raises:
            RefusedError: an explicit address, or a fixed place, is refused.
        """
        return Count(self.rules, guest, guest.controllers, _given(guest)).count_all().demand()


_Placed = tuple[Pass, list[Controller], list[Controller]]
"""The real pass, all controllers, and those of them that were added."""


def _missing(topology: Topology, controllers: ControllerList) -> list[Controller]:
    """Add the controllers that buses lack, and return them."""
    known = {d.index for d in controllers.items if d.is_pci}
    added = [
        Controller("controller", f"pci:{bus.index}", bus.model.name, type="pci", index=bus.index)
        for bus in topology.buses
        if bus.index and bus.index not in known
    ]
    if added:
        controllers.add_all(added)
    return added


def _overwritten(real: Pass, guest: Guest) -> frozenset[Device]:
    """Return the devices of which the machine's own place, or that of their kind, took the whole address."""
    if guest.machine.zpci or not any(device.zpci is not None for device in guest.all_devices()):
        return frozenset()
    slot = guest.machine.video_slot
    return frozenset(
        device
        for device, packed in real.present.items()
        if device.address is None and (device.element != "video" or packed == pack(0, slot or 0))
    )


def _zpci_ids(real: Pass, unnumbered: list[Controller]) -> dict[Device, tuple[int, int]]:
    from pcisim.libvirt.zpci import zpci_ids

    return zpci_ids(real.walk(), real.addresses.keys() - set(unnumbered))


def _given(guest: Guest) -> dict[Device, int]:
    """Return every explicit address."""
    lists: list[list[Any]] = [guest.controllers, *guest.devices.values()]
    return {device: device.address for devices in lists for device in devices if device.address is not None}
