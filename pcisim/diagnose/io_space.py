"""What frees I/O ports where a firmware runs out of them: computed from who holds them.

SeaBIOS gives each bridge of a root bus a window of 4 KiB at least.  A port asks for one when a device with I/O ports is
behind it, such as legacy virtio; a pci-bridge and a pcie-to-pci-bridge ask even when they are empty.

Source: firmware rules 3.2, 3.3 and 6.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pcisim.catalogue.controllers import EXPANDERS, SHPC_BRIDGES
from pcisim.catalogue.profiles import WINDOW
from pcisim.diagnose import edits as e
from pcisim.diagnose.edits import Edit, Site
from pcisim.enumeration.io_windows import io_budget, io_ports
from pcisim.formats.xml.editor import Fragment
from pcisim.guest import Controller, Device
from pcisim.placement import Placement

MODERN = "virtio-non-transitional"
_NAMED = 4
"""So many devices are named, and the others counted."""


class _Branch(NamedTuple):
    """A bridge of a root bus that asks for a window, and all that is behind it.

    Args:
        bridges: the bridge, and those below.
        holders: the devices behind them that have I/O ports.
        others: the other devices behind them.
    """

    bridges: tuple[Controller, ...]
    holders: tuple[Device, ...]
    others: tuple[Device, ...]

    @property
    def always(self) -> bool:
        """Return whether it asks with nothing behind it, too."""
        return any(bridge.model in SHPC_BRIDGES for bridge in self.bridges)

    @property
    def legacy(self) -> bool:
        """Return whether it asks for legacy virtio devices and nothing else."""
        return not self.always and all(_is_legacy(device) for device in self.holders)

    @property
    def written(self) -> bool:
        """Return whether the definition lists all of its bridges."""
        return all(bridge.origin is not None for bridge in self.bridges)


def _is_legacy(device: Device) -> bool:
    return device.origin is not None and device.model.startswith("virtio") and device.element in _ATTRIBUTE


_ATTRIBUTE = {
    "disk": "", "filesystem": "", "rng": "", "memballoon": "", "vsock": "", "controller": "", "input": "",
    "interface": "type",
}  # fmt: skip
"""Where an element says of which virtio it is: in its own ``model``, or in that attribute of ``<model>``."""


def ways(site: Site) -> Iterator[tuple[str, Edit]]:
    """Yield what may free enough I/O ports: in words, and as an edit.

    Args:
        site: of a finding about the I/O ports of a placed guest.
    """
    placement = site.diagnosis.placement
    budget = io_budget(placement) if placement is not None else None
    if placement is None or budget is None or budget.profile is None:
        return
    if budget.profile.fatal:
        missing = (budget.bytes - budget.profile.room) // WINDOW + 1
    else:
        missing = len(budget.asking) - (budget.room or 0)
    if any(controller.origin is None for controller in placement.added):
        yield "number the PCI controllers without gaps, which libvirt fills with bridges", e.renumber
    branches = _branches(placement, frozenset(budget.asking))
    legacy = [branch for branch in branches if branch.legacy and branch.holders][-missing:]
    bridges = sorted((b for b in branches if b.written and (b.always or not b.holders)), key=_least_use)
    devices = [device for branch in legacy for device in branch.holders]
    modern = _modern_text(devices), _modern(devices)
    fewer = bridges[: max(0, missing - len(legacy))]
    if legacy and len(legacy) >= missing:
        yield modern
    elif legacy and fewer:
        yield f"{modern[0]}, and {_fewer_text(fewer)}", _both(modern[1], _fewer(fewer))
    for count in (missing, missing + 1):
        if len(bridges) >= count:
            yield _fewer_text(bridges[:count]), _fewer(bridges[:count])
    if budget.profile.fatal:
        yield "boot with UEFI, by <os firmware='efi'>", _uefi


def _branches(placement: Placement, asking: frozenset[str]) -> list[_Branch]:
    """Return what hangs on each bridge of a root bus that asks for a window, by the index of the bridge."""
    below: dict[int, list[Device]] = {}
    ports: dict[Device, int | None] = {}
    for device, bus, number in io_ports(placement):
        below.setdefault(bus, []).append(device)
        ports[device] = number
    controllers = [d for d in ports if isinstance(d, Controller) and d.is_pci]
    roots = [0, *(c.index or 0 for c in controllers if c.model in EXPANDERS)]
    found = []
    for root in roots:
        for top in below.get(root, ()):
            if not isinstance(top, Controller) or not top.is_pci or top.label not in asking:
                continue
            bridges, devices, rest = [top], [], [top]
            while rest:
                for device in below.get(rest.pop().index or 0, ()):
                    if isinstance(device, Controller) and device.is_pci:
                        bridges.append(device)
                        rest.append(device)
                    else:
                        devices.append(device)
            holders = tuple(d for d in devices if ports[d] != 0)
            found.append(_Branch(tuple(bridges), holders, tuple(d for d in devices if ports[d] == 0)))
    return sorted(found, key=lambda branch: branch.bridges[0].index or 0)


def _least_use(branch: _Branch) -> tuple[int, int]:
    """Return the key that brings the emptiest bridges first, and of these the last ones."""
    return len(branch.holders) + len(branch.others), -(branch.bridges[0].index or 0)


def _modern_text(devices: list[Device]) -> str:
    return f"write model='{MODERN}' in {_names(devices)}"


def _modern(devices: list[Device]) -> Edit:
    def edit(site: Site) -> bool:
        for device in devices:
            attribute = _ATTRIBUTE[device.element]
            models = device.origin.findall("model") if attribute else []
            for model in models:
                site.editor.set_attribute(model, attribute, MODERN)
            if attribute and not models:
                site.editor.append_child(device.origin, Fragment("model", {attribute: MODERN}))
            if not attribute:
                site.editor.set_attribute(device.origin, "model", MODERN)
        return bool(devices)

    return edit


def _fewer_text(branches: list[_Branch]) -> str:
    text = f"take {_names([bridge for branch in branches for bridge in branch.bridges])} out"
    behind = [device for branch in branches for device in (*branch.holders, *branch.others)]
    addressed = [device for device in behind if device.address is not None]
    if addressed:
        text += f" and the addresses of {_names(addressed)}: the bridges that are left take what is behind them"
    gone = [bridge.index or 0 for branch in branches for bridge in branch.bridges]
    return text + f", and close the gaps in the numbers from {min(gone)} on"


def _fewer(branches: list[_Branch]) -> Edit:
    def edit(site: Site) -> bool:
        gone = [bridge.origin for branch in branches for bridge in branch.bridges]
        for device in (d for branch in branches for d in (*branch.holders, *branch.others)):
            if device.address is not None:
                e.drop_address(site, device.origin)
        e.renumber(site, but=gone)
        return e.take_out(site, gone)

    return edit


def _both(one: Edit, other: Edit) -> Edit:
    return lambda site: one(site) and other(site)


def _uefi(site: Site) -> bool:
    system = site.root.find("os")
    if system is None:
        return False
    site.editor.set_attribute(system, "firmware", "efi")
    return True


def _names(devices: list[Device] | list[Controller]) -> str:
    shown = [d.label + (f" (line {d.line})" if d.line else "") for d in devices[:_NAMED]]
    rest = len(devices) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
