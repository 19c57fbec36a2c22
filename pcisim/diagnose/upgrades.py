"""What another version of libvirt, with the QEMU of its distribution, makes of a guest; nothing here refuses a place.

Source: libvirt rules 13.1 and 13.19; the machine types are those that each QEMU lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pcisim.catalogue.machines import MACHINES_FROM
from pcisim.catalogue.versions import Libvirt
from pcisim.diagnose.finding import Finding
from pcisim.diagnose.rules import NEWER_MACHINE, RULES
from pcisim.diagnose.view import found, line_of
from pcisim.guest import Guest


def upgrade_findings(guest: Guest, placed: Guest | None, rules: Libvirt) -> list[Finding]:
    """Return what an upgrade changes.

    Args:
        guest: the guest as it was read or described.
        placed: the same when it is placed; ``None`` where libvirt refuses it.
        rules: the version of libvirt.
    """
    gone = machine_gone(guest, rules)
    return [*([gone] if gone is not None else []), *(_other_scsi_models(placed) if placed is not None else ())]


def machine_gone(guest: Guest, rules: Libvirt) -> Finding | None:
    """Return the finding that a machine type is too old for the QEMU of a version of libvirt, if it is."""
    match = _VERSIONED.fullmatch(guest.machine_type)
    if match is None:
        return None
    name, version = match[1], (int(match[2]), int(match[3]))
    oldest = MACHINES_FROM.get(rules.qemu, {}).get((guest.machine.family, name))
    if oldest is None or version >= oldest:
        return None
    first = f"{name}-{oldest[0]}.{oldest[1]}"
    return Finding(
        RULES["machine-gone"].severity,
        "machine-gone",
        f"QEMU {rules.qemu}, which libvirt {rules.version} comes with, has no machine type '{guest.machine_type}'",
        line=guest.machine_line,
        details=(
            f"libvirt says: \"Emulator ... does not support machine type '{guest.machine_type}'\"",
            f"the oldest that it has is {first}",
        ),
        remedy=NEWER_MACHINE,
    )


_VERSIONED = re.compile(r"([a-z][a-z0-9-]*[a-z0-9])-([0-9]{1,4})\.([0-9]{1,4})")


def _other_scsi_models(guest: Guest) -> Iterator[Finding]:
    """Find SCSI controllers that get another model than the definition uses."""
    scsi = [d for d in guest.controllers if d.type == "scsi"]
    filled = [d for d in scsi if "@model" in d.defaults]
    written = next((d for d in scsi if d not in filled), None)
    for controller in filled:
        if written is not None and controller.model != written.model:
            yield found(
                "other-model",
                f"libvirt gives {controller.label} the model {controller.model}, and {written.label} is"
                f" {written.model}",
                (controller, written),
                f"{written.label} is what the definition uses{line_of(written)}: the guest needs a driver for the other"
                " model too",
                f"<controller type='scsi' index='{controller.index}' model='{written.model}'/> in the definition makes"
                " it the same; from 12.9 on libvirt does so by itself",
            )
