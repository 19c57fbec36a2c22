"""The policy of libvirt's QEMU driver: two passes, growth between them, the spare port.

The trial pass may append buses and finds out which controllers are missing; what it
places is thrown away, but for the fixed places of the chipset.  The real pass starts
afresh with all controllers known and cannot grow.

Source: section 6 of the rules (6.8 is the sketch that `place` follows), section 7 for what
comes after; asked of libvirt 9.0.0 and 11.3.0.
"""

from __future__ import annotations

from pcisim import connector as c
from pcisim._record import evolved, record
from pcisim.catalogue.controllers import MAX_INDEX, ROOT_MODELS
from pcisim.catalogue.devices import ADDRESS_READDRESSED, plug_on
from pcisim.catalogue.versions import DEFAULT_VERSION, VERSIONS, Libvirt
from pcisim.completion import ControllerList
from pcisim.guest import Controller, Device, Guest
from pcisim.placement import Placement
from pcisim.placement.passes import IMAGINARY, SPARE, Count, Pass, index_too_high
from pcisim.placement.settle import multifunction, settle_controllers
from pcisim.topology import Topology

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CONVENTIONAL_BRIDGES = ("pci-root", "pci-bridge")
_INTEGRATED = ("iommu", "panic")


@record
class LibvirtPolicy:
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
            guest: what `pcisim.completion.complete` returned; it is not changed.
            log: whether to keep how each device got its place.

        Raises:
            RefusedError: libvirt refuses the definition.
        """
        guest = evolved(guest, controllers=[evolved(d) if d.type == "pci" else d for d in guest.controllers])
        given = _given(guest)
        present = dict(given)
        controllers = ControllerList.of(self.rules, guest.controllers)
        added: list[Controller] = []
        highest = max((d.index or 0 for d in guest.controllers if d.type == "pci"), default=-1)
        if highest > MAX_INDEX:
            raise index_too_high(next(d for d in guest.controllers if d.type == "pci" and d.index == highest))
        real = None if log else self._without_trial(guest, present, highest + 1)
        if real is None:
            present = dict(given)
            count = highest + 1
            if count:
                trial = self._trial(guest, controllers, present, highest, added, log=log)
                count = len(trial.topology.buses)
                if trial.is_final and not log:
                    real = trial
            if real is None:
                real = Pass(self.rules, guest, controllers.items, present, count, trial=False, log=log)
                real.collect()
                if guest.machine.places_pci:
                    real.chipset()
                    real.assign()
                if log and count:
                    for device, steps in trial.log.items():  # places that the trial pass leaves behind
                        real.log.setdefault(device, [step for step in steps if not step.looks])
        if guest.machine.places_pci:
            settle_controllers(controllers.items, real.addresses, host_bridges=guest.machine.host_bridges)
        carried = multifunction(real.addresses)
        for element in ADDRESS_READDRESSED:
            for device in guest.devices.get(element, ()):
                real.addresses.pop(device, None)
        for console in guest.devices.get("console", ())[:1]:
            if console.mirrors is not None and console.mirrors in real.addresses:
                real.addresses[console] = real.addresses[console.mirrors]
        return Placement(
            guest=evolved(guest, controllers=controllers.items),
            topology=real.topology,
            addresses=real.addresses,
            multifunction=carried,
            added=added,
            rewritten={d: old for d, old in given.items() if present[d] != old},
            log=real.log,
            zpci=_zpci_ids(real, [] if self.rules.numbers_added_bridges else added) if guest.machine.zpci else None,
        )

    def _trial(
        self,
        guest: Guest,
        controllers: ControllerList,
        present: dict[Device, int],
        highest: int,
        added: list[Controller],
        *,
        log: bool,
    ) -> Pass:
        """Run the trial pass, and add the controllers that it finds missing."""
        express = guest.express
        trial = Pass(self.rules, guest, controllers.items, present, highest + 1, trial=True, log=log)
        trial.collect()
        trial.chipset()
        buses = trial.topology.buses
        if not express and any(bus.free for bus in buses):
            trial.find(c.CONVENTIONAL, IMAGINARY)
        trial.assign()
        if express and highest == 0 and len(buses) > highest + 1 and trial.topology.search(c.EXPRESS) is None:
            trial.grow(len(buses), c.EXPRESS, SPARE)
        known = {d.index for d in controllers.items if d.type == "pci"}
        added += [
            Controller("controller", f"pci:{bus.index}", bus.model.name, type="pci", index=bus.index)
            for bus in buses
            if bus.index and bus.index not in known
        ]
        if added:
            controllers.add_all(added)
            trial.find_all(new for new in added if new.model not in ROOT_MODELS)
            trial.flush()
        trial.is_final = express and self._repeats_itself(guest, trial)
        return trial

    def _repeats_itself(self, guest: Guest, trial: Pass) -> bool:
        """Return whether the real pass would find the places that the trial pass found.

        So it does on a PCI Express machine where nothing but root ports was added and nothing
        else looks for a place on bus 0: ports and devices are then never in each other's way.
        """
        if trial.found_twice or trial.grew_bridges:
            return False
        present = trial.present
        for device in guest.controllers:
            looks = device.ich9 or (device.type == "pci" and device.model not in ROOT_MODELS)
            if looks and device not in present:
                return False
        return not any(
            d.plug & c.INTEGRATED for element in _INTEGRATED for d in guest.devices.get(element, ()) if d not in present
        )

    def _without_trial(self, guest: Guest, present: dict[Device, int], count: int) -> Pass | None:
        """Return the real pass where the trial pass cannot append a bus, else ``None``.

        So it is on a conventional machine that has an empty slot for everything that looks for
        one, for the imaginary device, and for a video device that is looked after twice.
        """
        machine = guest.machine
        if (
            guest.express
            or not machine.places_pci
            or not count
            or sum(d.type == "pci" for d in guest.controllers) != count
        ):
            return None
        if any(packed >> 8 >= count for packed in present.values()):
            return None
        real = Pass(self.rules, guest, guest.controllers, present, count, trial=False, log=False)
        real.collect()
        real.chipset()
        wanting = 2
        for device in guest.all_devices():
            plug = plug_on(device.plug, False)
            if device.address is not None or not (plug or device.element == "controller"):
                continue
            if plug & ~c.CONVENTIONAL:
                return None
            if isinstance(device, Controller) and device.type == "pci" and device.model not in _CONVENTIONAL_BRIDGES:
                return None
            wanting += 1
        if wanting > sum(bus.free.bit_count() for bus in real.topology.buses if bus.automatic & c.CONVENTIONAL):
            return None
        real.assign()
        return real

    def demand(self, guest: Guest) -> Demand:
        """Count what the trial pass looks for and what is there to begin with, without placing anything.

        Args:
            guest: a completed guest.

        Raises:
            RefusedError: an address that is written down, or a fixed place, is refused.
        """
        present = _given(guest)
        highest = max((d.index or 0 for d in guest.controllers if d.type == "pci"), default=-1)
        trial = Count(self.rules, guest, guest.controllers, present, highest + 1, trial=True, log=False)
        trial.collect()
        trial.chipset()
        topology = trial.topology
        if not guest.express and any(bus.free for bus in topology.buses):
            trial.find(c.CONVENTIONAL, IMAGINARY)
        trial.assign()
        return Demand(topology, trial.wanted, guest.express and highest == 0)


def _zpci_ids(real: Pass, unnumbered: list[Controller]) -> dict[Device, tuple[int, int]]:
    from pcisim.placement.zpci import zpci_ids

    return zpci_ids(real.walk(), real.addresses.keys() - set(unnumbered))


def _given(guest: Guest) -> dict[Device, int]:
    """Return every address that is written down."""
    lists: list[list[Any]] = [guest.controllers, *guest.devices.values()]
    return {device: device.address for devices in lists for device in devices if device.address is not None}


@record
class Demand:
    """What a guest's trial pass looks for, counted by plug, and the buses before it looks.

    Args:
        topology: after everything that is written down, and the chipset's places.
        wanted: how many places are looked for, by plug.
        spare: whether a spare port is added when the topology grows.
    """

    topology: Topology
    wanted: dict[int, int]
    spare: bool
