"""A user's own file, type-checked against the built wheel (`make wheel`) and run."""

from __future__ import annotations

import pcisim

guest = pcisim.Guest.of("q35", {"virtio-blk": 3, "virtio-net": 1})
plan: pcisim.Plan = pcisim.assign(guest, policy="libvirt", libvirt="11.3")
addresses: dict[str, pcisim.PciAddress] = plan.addresses
first: pcisim.PciAddress = addresses["disk:vda"]
place: tuple[int, int, int, int] = (first.domain, first.bus, first.slot, first.function)
text: str = pcisim.assign_xml("<domain><os><type machine='q35'>hvm</type></os><devices/></domain>")
data: bytes = pcisim.assign_xml(text.encode())
arguments: list[str] = plan.to_qemu_args()
most: int = plan.max_count("virtio-blk").most
enough: bool = bool(plan.fits({"virtio-net": 3}, hotplug=True))
codes: list[str] = [finding.code for finding in plan.check(limits="rhel7")]
boots: bool | None = plan.guest("ovmf").boots
free: int = plan.capacity().room.hot
moved: list[str] = [str(change) for change in plan.diff(pcisim.assign(text)).changes]
q35: str | bytes = pcisim.reassign(text, machine="pc").text
meaning: str = str(pcisim.explain("No more available PCI slots"))
try:
    pcisim.assign("<domain/>")
except pcisim.PcisimError as error:
    code: str = error.code
    assert code == "no-os-type", code
assert place[2:] == (0, 0), place
