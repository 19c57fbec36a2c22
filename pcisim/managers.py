"""A plan in the words of what manages virtual machines, as far as these have words for it.

Source: virt-install(1), nova's configuration options and KubeVirt's API reference.
"""

from __future__ import annotations

from pcisim.address import format_packed
from pcisim.guest import Controller, Device
from pcisim.libvirt.policy import LibvirtPolicy
from pcisim.plan import Plan
from pcisim.spares.policy import HotplugPolicy
from pcisim.spares.presets import MOST_NOVA_PORTS


def emitted(plan: Plan, form: str) -> tuple[str, list[str]]:
    """Return a plan for a manager, and in words what the manager cannot express.

    Args:
        plan: a placed guest.
        form: ``xml``, ``qemu``, ``virt-install``, ``nova`` or ``kubevirt``.
    """
    if form == "xml":
        text = plan.to_xml()
        return (text if isinstance(text, str) else text.decode()), []
    if form == "qemu":
        from pcisim.formats.plain import shell_lines

        return shell_lines(plan.to_qemu_args()), []
    return {"virt-install": _virt_install, "nova": _nova, "kubevirt": _kubevirt}[form](plan)


def _added(plan: Plan) -> list[Controller]:
    """Return the PCI controllers below the root, in order of index."""
    found = [c for c in plan.placement.guest.controllers if c.is_pci and c.index]
    return sorted(found, key=lambda c: c.index or 0)


def _ports(plan: Plan) -> int | None:
    """Return how many root ports there are, if there is nothing else and libvirt places what is on them."""
    controllers = _added(plan)
    if isinstance(plan.policy, (LibvirtPolicy, HotplugPolicy)) and all(c.model == _PORT for c in controllers):
        return len(controllers)
    return None


_PORT = "pcie-root-port"
_NOTHING = "libvirt makes this layout by itself: nothing has to be said"


def _on_targets(plan: Plan) -> list[Device]:
    """Return the disks on SCSI targets that are written down."""
    return [d for d in plan.placement.guest.devices.get("disk", ()) if d.bus == "scsi" and d.controller is not None]


def _virt_install(plan: Plan) -> tuple[str, list[str]]:
    ports = _ports(plan)
    disks = [
        f"# {d.label}: add ,bus=scsi,address.type=drive,address.controller={d.controller},address.target={d.drive[1]}"
        for d in _on_targets(plan)
    ]
    indexes = sorted({d.controller for d in _on_targets(plan) if d.controller is not None})
    disks = [f"--controller type=scsi,index={index},model=virtio-scsi" for index in indexes] + disks
    if ports is not None:
        lines = [f"--controller num_pcie_root_ports={ports}"] if plan.placement.guest.express else []
        return "".join(line + "\n" for line in lines + disks), [] if lines or disks else [_NOTHING]
    lines = [
        f"--controller type=pci,index={c.index},model={c.model},{_address(plan, c)}"
        for c in _added(plan)
        if c in plan.placement.addresses
    ]
    lines += [f"# {d.label}: add ,{_address(plan, d)}" for d in _devices(plan)]
    return "".join(line + "\n" for line in lines + disks), []


def _address(plan: Plan, device: Device) -> str:
    packed = plan.placement.addresses[device]
    parts = {"domain": packed >> 16, "bus": packed >> 8 & 0xFF, "slot": packed >> 3 & 0x1F, "function": packed & 7}
    words = ["address.type=pci", *(f"address.{name}={value:#x}" for name, value in parts.items())]
    carried = plan.placement.multifunction.get(device)
    return ",".join(words + ([f"address.multifunction={carried}"] if carried else []))


def _devices(plan: Plan) -> list[Device]:
    controllers = set(_added(plan))
    return [d for d in plan.placement.guest.all_devices() if d in plan.placement.addresses and d not in controllers]


def _nova(plan: Plan) -> tuple[str, list[str]]:
    ports = _ports(plan)
    if ports is None:
        return "", ["nova has no words for this layout: it writes no addresses and no bridges, and libvirt places"]
    unsaid = []
    if _on_targets(plan):
        unsaid.append("nova puts disks on a virtio-scsi controller by image properties: hw_disk_bus=scsi,"
                      " hw_scsi_model=virtio-scsi")  # fmt: skip
    if not plan.placement.guest.express:
        return "", unsaid or [_NOTHING]
    if ports > MOST_NOVA_PORTS:
        return "", [*unsaid, f"nova takes at most num_pcie_ports = {MOST_NOVA_PORTS}; this layout has {ports}"]
    return f"[libvirt]\nnum_pcie_ports = {ports}\n", unsaid


def _kubevirt(plan: Plan) -> tuple[str, list[str]]:
    lines = []
    unsaid = []
    for heading, element, name in (("disks", "disk", "disk"), ("interfaces", "interface", "")):
        rows = [d for d in plan.placement.guest.devices.get(element, ()) if d in plan.placement.addresses]
        if rows:
            lines.append(f"{heading}:")
        for device in rows:
            address = format_packed(plan.placement.addresses[device])
            lines.append(f"- name: {device.label.partition(':')[2]}")
            lines += [f"  {name}:", f"    pciAddress: {address}"] if name else [f"  pciAddress: {address}"]
    if _on_targets(plan):
        unsaid.append("KubeVirt puts disks with bus: scsi on a virtio-scsi controller, and numbers them itself")
    controllers = _added(plan)
    if controllers:
        unsaid.append(f"KubeVirt has no words for the {len(controllers)} PCI controllers: libvirt adds its own")
    if any(plan.placement.addresses[d] & 7 for d in _devices(plan)):
        unsaid.append("KubeVirt sets no multifunction: functions other than 0 need it in function 0 of their slot")
    return "".join(line + "\n" for line in lines), unsaid
