"""How many more of a device fit, and which counts below the most libvirt refuses.

libvirt's answer is not monotonic: its trial pass places devices first and bridges last, so that a count is
refused when the bridges that it needs find no room behind the devices, and a higher one, with one bridge
more, is accepted.  `pcisim.libvirt.growth` counts; the engine is asked at every edge of what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from pcisim.catalogue import connectors as c
from pcisim.catalogue.controllers import MAX_INDEX
from pcisim.catalogue.devices import CONTROLLER_MODELS, PLUGS, plug_on
from pcisim.catalogue.versions import Libvirt
from pcisim.catalogue.x86_machines import X86
from pcisim.errors import RefusedError, runs
from pcisim.guest import MOST_DEVICES, Guest, device_model
from pcisim.libvirt.completion import complete
from pcisim.libvirt.growth import BRIDGE_SLOTS, Budget, growth, most_more
from pcisim.libvirt.policy import LibvirtPolicy
from pcisim.policies import placed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pcisim.dense.policy import DensePolicy
    from pcisim.spares.policy import HotplugPolicy

    Counted = LibvirtPolicy | DensePolicy | HotplugPolicy

SPACE = frozenset(
    {"no-more-slots", "no-slot-for-controller", "cannot-grow", "index-range", "bridge-order", "no-layout", "no-spares"}
)
"""The codes of refusals that say that something does not fit."""


class More(NamedTuple):
    """How many more of a device fit.

    Args:
        device: the model that was asked about.
        most: the highest count that fits; -1 when the guest does not fit as it is.
        holes: the counts below `most` that are refused, as inclusive ranges.
        reason: why one more than `most` does not fit.
        short: the budgets that run out then, and by how much; empty where it is not for want of room.
    """

    device: str
    most: int
    holes: tuple[tuple[int, int], ...]
    reason: str
    short: tuple[Budget, ...] = ()

    def __str__(self) -> str:
        why = "; ".join(map(str, self.short)) or self.reason
        if self.most < 0:
            return f"{self.device}: the guest itself does not fit: {why}"
        text = f"{self.device}: up to {self.most} more fit"
        if self.holes:
            shown = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in self.holes)
            text += f"; refused below that: {shown}"
        return f"{text}; not {self.most + 1}: {why}"


def how_many_more(guest: Guest, device: str, rules: Libvirt) -> More:
    """Return how many more of a device a guest takes, as libvirt places.

    What the guest has without an address is placed together with the new devices.

    Args:
        guest: as it was read or described.
        device: a model, by QEMU's name.
        rules: the version of libvirt.

    Raises:
        UsageError: an unknown device.
        RefusedError: the guest is refused for something else than room, or the device is not on PCI there.
    """
    row = device_model(device)
    if guest.arch not in X86:
        _check_on_pci(guest, device, rules)
    policy = LibvirtPolicy(rules)
    refusals: dict[int, RefusedError | None] = {}

    def refusal(count: int) -> RefusedError | None:
        if count not in refusals:
            refusals[count] = _refusal(guest, device, count, policy)
        return refusals[count]

    first = refusal(0)
    if first is not None and first.code not in SPACE:
        raise first
    for count in (1, 2):
        error = refusal(count)
        if error is not None and error.code not in SPACE:
            # the guest takes one of them, or none, whatever the room
            fitting = [n for n in range(count) if refusal(n) is None]
            most = fitting[-1] if fitting else -1
            return More(device, most, tuple(runs(n for n in range(most) if refusal(n))), error.headline)
    demand = policy.demand(complete(guest.extended({device: 2}), rules))
    plug = plug_on(PLUGS[row.element].get(row.model, c.EXPRESS), guest.express)
    counts = [n for n in range(3) if refusal(n) is None]
    if not counts and first is not None and growth(demand).fits:
        # what is refused then is a controller of the definition, which is placed before any device
        return More(device, -1, (), first.headline)
    counts += [n for n in range(3, most_more(demand, plug) + 3) if growth(demand.with_more(plug, n - 2)).fits]
    highest = counts[-1] if counts else -1
    holes = tuple(runs(_missing(counts)))
    edges = {n for a, b in holes for n in (a - 1, a, b, b + 1)} | {highest, highest + 1, highest + 2, 3, 4}
    known = set(counts)
    if any((refusal(n) is None) != (n in known) for n in edges if n >= 0):
        highest, holes = _scan(refusal, highest + 2 * BRIDGE_SLOTS)
    error = refusal(highest + 1)
    exceeded = growth(demand.with_more(plug, highest - 1)).exceeded
    return More(device, highest, holes, error.headline if error else "", exceeded)


def how_many_more_under(guest: Guest, device: str, policy: Counted) -> More:
    """Return how many more of a device a guest takes under a policy.

    Args:
        guest: as it was read or described.
        device: a model, by QEMU's name, or a PCI controller, by libvirt's.
        policy: how it is placed.

    Raises:
        UsageError: an unknown device.
        RefusedError: the guest is refused for something else than room, or the device is not on PCI there.
    """
    if device_model(device, controllers=True).name in CONTROLLER_MODELS:
        return _how_many_more_controllers(guest, device, policy)
    if isinstance(policy, LibvirtPolicy):
        return how_many_more(guest, device, policy.rules)
    from pcisim.spares.policy import HotplugPolicy

    if isinstance(policy, HotplugPolicy):
        return how_many_more_beside_spares(guest, device, policy)
    return how_many_more_packed(guest, device, policy)


def _how_many_more_controllers(guest: Guest, model: str, policy: Counted) -> More:
    """Ask the engine for each count of a PCI controller, of which there are few."""
    first = _refusal(guest, model, 0, policy)
    if first is not None and first.code not in SPACE:
        raise first
    most, holes = _scan(partial(_refusal, guest, model, policy=policy), MAX_INDEX)
    error = _refusal(guest, model, most + 1, policy)
    return More(model, most, holes, error.headline if error else "")


def how_many_more_packed(guest: Guest, device: str, policy: DensePolicy) -> More:
    """Return how many more of a device a guest takes, packed: there are no counts below that do not fit.

    Args:
        guest: as it was read or described.
        device: a model, by QEMU's name.
        policy: how it is packed.

    Raises:
        UsageError: an unknown device.
        RefusedError: the guest is refused for something else than room.
    """
    from pcisim.dense.policy import NoLayoutError, most_more

    row = device_model(device)
    if guest.arch not in X86:
        _check_on_pci(guest, device, policy.rules)

    def refusal(count: int) -> RefusedError | None:
        return _refusal(guest, device, count, policy)

    def answer(most: int, error: RefusedError | None) -> More:
        short = error.short if isinstance(error, NoLayoutError) else ()
        return More(device, most, (), error.headline if error else "", short)

    first = refusal(0)
    if first is not None:
        if first.code not in SPACE:
            raise first
        return answer(-1, first)
    for count in (1, 2):  # the first may have a place of its own
        error = refusal(count)
        if error is not None:
            return answer(count - 1, error)
    most = min(MOST_DEVICES - 1, 2 + most_more(policy, complete(guest.extended({device: 2}), policy.rules), row.name))
    error = refusal(most)
    if error is None:
        return answer(most, refusal(most + 1))
    low, high = 2, 4
    while high < most and refusal(high) is None:
        low, high = high, 2 * high
    high = min(high, most)
    while high - low > 1:
        middle = (low + high) // 2
        if (error := refusal(middle)) is None:
            low = middle
        else:
            high = middle
    return answer(low, refusal(low + 1))


def how_many_more_beside_spares(guest: Guest, device: str, policy: HotplugPolicy) -> More:
    """Return how many more of a device a guest takes that keeps the spares that are asked for.

    Args:
        guest: as it was read or described.
        device: a model, by QEMU's name.
        policy: which spares.

    Raises:
        UsageError: an unknown device.
        RefusedError: the guest is refused for something else than room, or the device is not on PCI there.
    """
    of_libvirt = how_many_more(guest, device, policy.rules)
    refusals: dict[int, RefusedError | None] = {}

    def refusal(count: int) -> RefusedError | None:
        if count not in refusals:
            error = refusals[count] = _refusal(guest, device, count, policy)
            if not count and error is not None and error.code not in SPACE:
                raise error
        return refusals[count]

    refused = {count for low, high in of_libvirt.holes for count in range(low, high + 1)}
    for low, _ in of_libvirt.holes:  # where all slots are taken, there is none for a bridge either
        count = low - 1
        while count >= 0 and count not in refused and refusal(count):
            refused.add(count)
            count -= 1
    # a preset may do without the spare port that libvirt insists on
    counts = [count for count in range(of_libvirt.most + 3) if count not in refused]
    fitting, beyond = 0, len(counts)
    while fitting < beyond:
        middle = (fitting + beyond) // 2
        if refusal(counts[middle]) is None:
            fitting = middle + 1
        else:
            beyond = middle
    most = counts[fitting - 1] if fitting else -1
    error = refusal(most + 1)
    reason = "; ".join((error.headline, *error.details[:1])) if error is not None else ""
    return More(device, most, tuple(runs(count for count in sorted(refused) if count < most)), reason)


def _check_on_pci(guest: Guest, device: str, rules: Libvirt) -> None:
    row = device_model(device)
    trial = complete(guest.extended({device: 1}), rules)
    machine = trial.machine
    if machine.places_pci and any(d.row == row.name and d.wants for d in trial.all_devices()):
        return
    why = f"it is on {machine.virtio_bus}" if machine.places_pci else "libvirt gives no PCI addresses there"
    raise RefusedError(
        f"{device} has no PCI address on machine type '{guest.machine_name}': {why}",
        code="not-on-pci",
        line=guest.machine_line,
        remedy="ask about a device that is on PCI there",
    )


def shortages(guest: Guest, policy: LibvirtPolicy) -> tuple[Budget, ...]:
    """Return the budgets that run out when a guest is placed; none when there is room.

    Args:
        guest: as it was read or described.
        policy: the policy that places them.

    Raises:
        RefusedError: an explicit address, or a fixed place, is refused.
    """
    return growth(policy.demand(complete(guest, policy.rules))).exceeded


def _refusal(
    guest: Guest, device: str, count: int, policy: LibvirtPolicy | DensePolicy | HotplugPolicy
) -> RefusedError | None:
    try:
        placed(guest.extended({device: count}), policy, policy.rules)
    except RefusedError as error:
        return error
    return None


def _scan(refusal: Callable[[int], RefusedError | None], highest: int) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Ask the engine count by count."""
    counts = [n for n in range(highest + 1) if refusal(n) is None]
    return (counts[-1] if counts else -1), tuple(runs(_missing(counts)))


def _missing(counts: list[int]) -> list[int]:
    known = set(counts)
    return [n for n in range(counts[-1]) if n not in known] if counts else []
