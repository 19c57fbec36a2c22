"""Plans as plain data, versioned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pcisim.address import format_packed
from pcisim.capacity.report import room
from pcisim.catalogue.versions import Libvirt
from pcisim.guest import Controller, Device
from pcisim.hotplug.unplug import detachable
from pcisim.placement import Placement

PLAN_SCHEMA = "pcisim.plan/1"


def plan_document(
    placement: Placement, rules: Libvirt, policy: str, others: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """Return a plan as plain data.

    Args:
        placement: the placed guest.
        rules: the libvirt version that was emulated.
        policy: what the policy says of itself.
        others: where other versions of libvirt differ, as plain data.

    Keys: ``schema``, ``libvirt``, ``measured``, ``other_versions``, ``policy``, ``machine``,
    ``arch``, ``devices`` (one row for each PCI address), ``controllers`` (one for each PCI bus),
    ``buses`` (who holds what, and who has a claim on what nobody holds), ``hotplug`` (empty slots that
    take it, and the labels of what can be detached), ``added`` (labels), ``rewritten``.
    What they hold is in docs/json.md.
    """
    guest, topology = placement.guest, placement.topology
    added = {d.label for d in guest.all_devices() if d.origin is None and not d.row}
    return {
        "schema": PLAN_SCHEMA,
        **libvirt_keys(rules),
        "other_versions": list(others),
        "policy": policy,
        "machine": guest.machine_name,
        "arch": guest.arch,
        "devices": [
            _device(d, placement.addresses[d], placement.multifunction.get(d)) | _zpci(placement.zpci.get(d))
            for d in guest.all_devices()
            if d in placement.addresses
        ],
        "controllers": [
            {
                "label": d.label,
                "index": d.index,
                "model": d.model,
                "model_name": d.model_name or None,
                "target": dict(d.target),
                "address": format_packed(placement.addresses[d]) if d in placement.addresses else None,
            }
            for d in guest.controllers
            if d.is_pci
        ],
        "buses": [
            {
                "index": bus.index,
                "model": bus.model.name,
                "usable_slots": list(bus.model.slots),
                "held": [
                    {"address": format_packed(packed), "owner": owner.label, "kind": owner.owner_kind}
                    for packed, owner in held
                ],
                "claims": [
                    {"address": format_packed(packed), "owner": place.owner, "kind": place.kind}
                    for packed, place in (placement.claims if not bus.index else ())
                ],
            }
            for bus, held in zip(topology.buses, topology.holders())
        ],
        "hotplug": {
            "empty_slots": room(topology).hot,
            "detachable": [d.label for d in detachable(placement)],
        },
        "added": sorted(added & {d.label for d in placement.addresses}),
        "rewritten": {d.label: format_packed(old) for d, old in placement.rewritten.items()},
    }


def libvirt_keys(rules: Libvirt) -> dict[str, Any]:
    """Return what every document says of the versions.

    Keys: ``libvirt``, the version that was asked for; ``measured``, whether it was; ``profile``, the QEMU and its
    firmware.
    """
    return {"libvirt": rules.version, "measured": rules.measured, "profile": str(rules.profile)}


def both_libvirt_keys(old: Libvirt, new: Libvirt) -> dict[str, Any]:
    """Return what a document that compares two versions says of them: `libvirt_keys`, each ``old`` and ``new``."""
    before, after = libvirt_keys(old), libvirt_keys(new)
    return {key: {"old": before[key], "new": after[key]} for key in before}


def _zpci(ids: tuple[int, int] | None) -> dict[str, Any]:
    return {} if ids is None else {"zpci": {"uid": ids[0], "fid": ids[1]}}


def _device(device: Device, packed: int, multifunction: str | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "label": device.label,
        "element": device.element,
        "type": device.type if isinstance(device, Controller) else device.bus or None,
        "model": device.model or None,
        "address": format_packed(packed),
        "bus": packed >> 8 & 0xFF,
        "slot": packed >> 3 & 0x1F,
        "function": packed & 7,
        "multifunction": multifunction,
        "line": device.line,
    }
    return row
