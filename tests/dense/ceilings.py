"""The table of how many devices fit, which is in docs/dense.md: ``python -m tests.dense.ceilings`` prints it."""

from __future__ import annotations

from typing import cast

from pcisim.capacity.max_count import how_many_more, how_many_more_packed
from pcisim.catalogue.versions import DEFAULT_VERSION, VERSIONS
from pcisim.dense.policy import DensePolicy
from pcisim.guest import Guest
from pcisim.policies import policy_of

RULES = VERSIONS[DEFAULT_VERSION]
DEVICES = ("virtio-blk", "e1000", "vmxnet3")
ROWS = (
    ("pc", "libvirt"),
    ("pc", "dense"),
    ("pc", "dense:modern=on"),
    ("pc", "dense:firmware=none"),
    ("q35", "libvirt"),
    ("q35", "dense"),
    ("q35", "dense:integrated=on"),
    ("q35", "dense:firmware=none"),
    ("q35", "dense:mixed=on:firmware=none"),
)


def most(machine: str, policy: str, device: str) -> int:
    """Return how many of a device fit beside those that libvirt adds."""
    if policy == "libvirt":
        return how_many_more(Guest.of(machine), device, RULES).most
    return how_many_more_packed(Guest.of(machine), device, cast(DensePolicy, policy_of(policy, RULES))).most


def table() -> list[str]:
    """Return the lines of the table."""
    lines = [f"| machine | policy | {' | '.join(DEVICES)} |", "| --- | --- " + "| --- " * len(DEVICES) + "|"]
    for machine, policy in ROWS:
        counts = " | ".join(f"{most(machine, policy, device):,}" for device in DEVICES)
        lines.append(f"| {machine} | `{policy}` | {counts} |")
    return lines


if __name__ == "__main__":
    print("\n".join(table()))
