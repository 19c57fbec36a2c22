"""Where the versions of libvirt that were measured differ about one guest.

A cheap look at the guest says whether they can; only then is it placed as the others place it.

Source: libvirt rules 11 and 13.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pcisim.address import format_packed
from pcisim.catalogue.controllers import GROWN
from pcisim.catalogue.devices import BOARD_INTERFACES, KNOWN_SINCE, PLACED_SINCE_11
from pcisim.catalogue.versions import VERSIONS, Libvirt, followed
from pcisim.catalogue.x86_machines import I440FX, Q35
from pcisim.errors import NotCoveredError, PcisimError
from pcisim.guest import Controller, Device, Guest
from pcisim.placement import Placement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


class VersionDifference(NamedTuple):
    """Another answer than the plan's: what versions of libvirt say that place the guest alike."""

    versions: tuple[str, ...]
    """Newest first."""
    refusal: str
    """Why they refuse the guest; "" where they do not."""
    label: str
    """The first device that is otherwise: one with another model, if there is one."""
    here: str
    """Its model or its address in the plan; "none" for no address."""
    there: str
    """The same as those versions have it."""
    addresses: int
    """How many addresses differ."""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "versions": list(self.versions),
            "refusal": self.refusal or None,
            "label": self.label or None,
            "here": self.here or None,
            "there": self.there or None,
            "addresses": self.addresses,
        }


def sentence(differences: Iterable[VersionDifference], version: str) -> str:
    """Return the differences in a line.

    Args:
        differences: what `version_differences` returned.
        version: the version of the plan.
    """
    alike: dict[tuple[str, ...], list[VersionDifference]] = {}
    for one in differences:
        alike.setdefault((one.refusal, one.label, one.here, one.there), []).append(one)
    said = []
    for (refusal, label, here, there), group in alike.items():
        versions = [version for one in group for version in one.versions]
        if refusal:
            said.append(f"{_and(versions)} {'refuse' if len(versions) > 1 else 'refuses'} the guest: {refusal}")
        else:
            counts = [str(one.addresses) for one in group]
            verb = "address differs" if counts == ["1"] else "addresses differ"
            said.append(f"{label}: {version} {here}, {_and(versions)} {there}: {_and(counts)} {verb}")
    return "; ".join(said)


def _and(words: Sequence[str]) -> str:
    return " and ".join([*([", ".join(words[:-1])] if words[1:] else []), words[-1]])


def version_differences(
    placement: Placement, rules: Libvirt, place: Callable[[Libvirt], Placement]
) -> list[VersionDifference]:
    """Return what the other versions that were measured say of a guest, where it is something else.

    Args:
        placement: the guest, as a version places it.
        rules: that version.
        place: reads and places the guest as another version; it may raise what `pcisim.assign` does.
    """
    if not may_differ(placement.guest):
        return []
    mine = _answer(placement)
    groups: dict[tuple[str, tuple[tuple[str, tuple[str, str]], ...]], list[str]] = {}
    own = rules.version if rules.measured else followed(rules.release)
    for version in [*VERSIONS][::-1]:
        if version == own and rules.measured:
            continue
        refusal, answer = "", mine
        try:
            answer = _answer(place(VERSIONS[version]))
        except NotCoveredError:
            continue
        except PcisimError as error:
            refusal = error.headline.rstrip(".")
        if refusal or answer != mine:
            groups.setdefault((refusal, tuple(answer.items())), []).append(version)
    return [_difference(versions, refusal, mine, dict(answer)) for (refusal, answer), versions in groups.items()]


_Answer = dict[str, tuple[str, str]]
"""By label the model of each controller, and the address."""
_NOWHERE = ("", "")


def _answer(placement: Placement) -> _Answer:
    addresses = placement.addresses
    return {
        device.label: (
            device.model if isinstance(device, Controller) else "",
            format_packed(addresses[device]) if device in addresses else "",
        )
        for device in placement.guest.all_devices()
        if isinstance(device, Controller) or device in addresses
    }


def _difference(versions: Sequence[str], refusal: str, mine: _Answer, theirs: _Answer) -> VersionDifference:
    if refusal:
        return VersionDifference(tuple(versions), refusal, "", "", "", 0)
    labels = [label for label in dict.fromkeys([*mine, *theirs]) if mine.get(label) != theirs.get(label)]
    pairs = {label: (mine.get(label, _NOWHERE), theirs.get(label, _NOWHERE)) for label in labels}
    models = [x for x in labels if x in mine and x in theirs and pairs[x][0][0] != pairs[x][1][0]]
    label = (models or labels)[0]
    if models:
        here, there = (model for model, _ in pairs[label])
    else:
        here, there = (
            address or (model or "without address" if label in of else "none")
            for of, (model, address) in zip((mine, theirs), pairs[label])
        )
    moved = sum(one[1] != other[1] for one, other in pairs.values())
    return VersionDifference(tuple(versions), "", label, here, there, moved)


def may_differ(guest: Guest) -> bool:
    """Return whether versions of libvirt may differ about a completed guest: ``False`` means that they do not."""
    newest_words = guest.rules is not None and guest.rules.memory_reserve  # else not everything was read
    return guest.machine not in (I440FX, Q35) or not newest_words or any(_may_differ(guest))


def _may_differ(guest: Guest) -> Iterator[bool]:
    devices = guest.devices
    yield "memory_slots" in guest.traits or not devices.keys().isdisjoint((*PLACED_SINCE_11, "memory"))
    yield any(d.model == model for element, model in KNOWN_SINCE for d in devices.get(element, ()))
    yield any(_is_disputed_interface(d) for d in devices.get("interface", ()))
    yield any(
        d.kind == "nvme" or d.bus == "nvme" or "iothreads" in d.traits or _says_model(d)
        for d in devices.get("disk", ())
    )
    yield any("display" in d.traits or "ramfb" in d.traits for d in devices.get("hostdev", ()))
    yield any(d.bus == "virtio" and d.address_type == "virtio-serial" for d in devices.get("console", ()))
    yield any(d.origin is not None and len(d.origin.findall("model")) > 1 for d in devices.get("video", ()))
    yield len(devices.get("iommu", ())) > 1
    watchdogs = devices.get("watchdog", ())
    yield len(watchdogs) > 1 or any(d.model == "ib700" for d in watchdogs)
    yield from _disputed_controllers(guest.controllers)


def _is_disputed_interface(device: Device) -> bool:
    return device.bus == "vhostuser" or device.model == "usb-net" or device.model in BOARD_INTERFACES


def _says_model(device: Device) -> bool:
    return device.bus == "usb" and device.origin is not None and "model" in device.origin.attrib


def _disputed_controllers(controllers: Sequence[Controller]) -> Iterator[bool]:
    scsi = {d.model for d in controllers if d.type == "scsi"}
    yield scsi != {"lsilogic"} and any(d.type == "scsi" and "@model" in d.defaults for d in controllers)
    grown = any(_is_added(d) and d.model in GROWN for d in controllers)
    ports = 0
    added: set[bool] = set()
    for item in controllers:
        on_pci = item.is_pci
        if _is_added(item):
            added.add(on_pci)
            ports += item.type == "virtio-serial"
            yield ports > 1
        else:
            yield on_pci in added  # sorted in before it, or put last
        yield item.ich9 and "@index" in item.defaults
        yield item.model == "vt82c686b-uhci" or "memReserve" in item.target or item.type == "nvme"
        yield on_pci and grown and item.model == "pcie-to-pci-bridge" and not _is_added(item)


def _is_added(controller: Controller) -> bool:
    return controller.origin is None and not controller.row
