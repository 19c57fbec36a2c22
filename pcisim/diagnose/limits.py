"""Whether a guest is within the limits that a vendor supports: a function for each limit that is judged.

What is judged is the guest as libvirt completes it, so that a SCSI controller without a model has the one that libvirt
fills in.  A guest that libvirt refuses before it is complete is judged as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from pcisim.address import FUNCTIONS, MAX_SLOT, parse_number
from pcisim.capacity.report import THEORETICAL
from pcisim.catalogue.limits import PRODUCTS, Limit, Product
from pcisim.catalogue.versions import Libvirt, libvirt_version
from pcisim.catalogue.x86_machines import BUILT_IN
from pcisim.diagnose.diagnosis import Diagnosis
from pcisim.diagnose.finding import Finding, by_line
from pcisim.diagnose.view import line_of
from pcisim.errors import RefusedError, UsageError, check_type
from pcisim.formats.domain.attributes import short
from pcisim.formats.xml.document import Element
from pcisim.guest import Device, Guest
from pcisim.libvirt.completion import complete


def limits_of(name: str) -> Product:
    """Return the limits of a product.

    Args:
        name: its name, such as ``rhel7``: a row of `pcisim.catalogue.limits.PRODUCTS`.

    Raises:
        UsageError: there are no limits of that name.

    Examples:
        >>> limits_of("rhel7").title
        'Red Hat Enterprise Linux 7 (qemu-kvm)'
    """
    check_type(name, str, "the name of limits is a str, such as 'rhel7'")
    if name not in PRODUCTS:
        raise UsageError(
            f"unknown limits {name!r}",
            code="unknown-limits",
            details=(f"known: {', '.join(PRODUCTS)}",),
            remedy="'pcisim check --limits help' lists them",
        )
    return PRODUCTS[name]


def beyond_limits(diagnosis: Diagnosis, product: Product, rules: Libvirt) -> list[Finding]:
    """Return what of a guest is beyond the limits of a product, in the order of the document.

    Args:
        diagnosis: the guest, as `pcisim.diagnose.examine` returns it.
        product: the limits.
        rules: the version of libvirt that completes the guest.
    """
    if diagnosis.guest is None:
        return []
    placement = diagnosis.placement
    guest = placement.guest if placement is not None else _completed(diagnosis.guest, rules)
    rows = [(row, JUDGES[row.code]) for row in product.limits]
    return sorted((finding for row, judge in rows for finding in judge(guest, row)), key=by_line)


def with_limits(diagnosis: Diagnosis, product: Product | None, libvirt: str | Libvirt) -> list[Finding]:
    """Return the findings of a guest, with what of it is beyond the limits of a product, if one is given.

    Args:
        diagnosis: the guest.
        product: the limits, if any.
        libvirt: the version of libvirt that completes the guest.
    """
    if product is None:
        return diagnosis.findings
    return sorted([*diagnosis.findings, *beyond_limits(diagnosis, product, libvirt_version(libvirt))], key=by_line)


def _completed(guest: Guest, rules: Libvirt) -> Guest:
    try:
        return complete(guest, rules)
    except RefusedError:
        return guest


def _finding(row: Limit, headline: str, label: str, line: int | None, *details: str, remedy: str = "") -> Finding:
    return Finding(row.severity, row.code, headline, (label,), line, details, remedy or row.remedy)


def _about(row: Limit, device: Device, what: str, *details: str, remedy: str = "") -> Finding:
    return _finding(row, f"{device.label} {what}", device.label, device.line, *details, remedy=remedy)


_NOTHING = Element()
"""What stands for an element that is not there."""
_NOTHING.tag, _NOTHING.attrib, _NOTHING.children = "", {}, ()


def _inside(whole: Guest | Device, tag: str = "") -> Element:
    """Return the element of a guest or a device, or the first one of a name inside it; else `_NOTHING`."""
    if isinstance(whole, Guest):
        element = whole.document.root if whole.document is not None else None
    else:
        element = whole.origin
    if element is not None and tag:
        element = element.find(tag)
    return element if element is not None else _NOTHING


def _number(text: str | None) -> int | None:
    return parse_number((text or "").strip())


# the guest as a whole


def _tcg(guest: Guest, row: Limit) -> Iterator[Finding]:
    root = _inside(guest)
    kind = root.get("type")
    if kind is not None and kind != "kvm":
        how = "the processor is emulated (TCG)" if kind == "qemu" else "it is not a guest of KVM"
        yield _finding(row, f"<domain type='{short(kind)}'> is not supported: {how}", "domain", root.line)


def _vcpus(guest: Guest, row: Limit) -> Iterator[Finding]:
    element = _inside(guest, "vcpu")
    count = _number(element.text) if element.tag else None
    if count is not None and row.most < count <= (row.up_to or count):
        yield _finding(row, f"{count} vCPUs are more than {row.most}", "vcpu", element.line)


def _nested(guest: Guest, row: Limit) -> Iterator[Finding]:
    for feature in _inside(guest, "cpu").findall("feature"):
        name, policy = feature.get("name"), feature.get("policy", "require")
        if name in ("vmx", "svm") and policy not in ("disable", "forbid"):
            headline = f"the guest's processor has {name}: nested virtualization is a technology preview"
            yield _finding(row, headline, "cpu", feature.line)


def _functions(guest: Guest, row: Limit) -> Iterator[Finding]:
    machine = guest.machine
    bridges = sum(d.is_pci and bool(d.index) for d in guest.controllers)
    if machine.root is None:
        return
    own = {place.slot for place in machine.places if place.kind == BUILT_IN}
    slots = MAX_SLOT + 1
    left = slots - len(own)
    behind = f", and as many behind each of {bridges} bridges" if bridges > 1 else ""
    yield _finding(
        row,
        f"in theory there is room for {THEORETICAL * (1 + bridges)} PCI functions: {slots} slots of {FUNCTIONS} on the"
        f" root bus{', and as many behind the bridge' if bridges == 1 else behind}",
        "pci:0",
        next((d.line for d in guest.controllers if d.is_pci and not d.index), None),
        f"without the slots of the machine's own devices the root bus has {left} slots, {left * FUNCTIONS} functions",
        "'pcisim capacity' says what each bus takes, and what is left",
    )


def _memory_hotplug(guest: Guest, row: Limit) -> Iterator[Finding]:
    element = _inside(guest, "maxMemory")
    slots = _number(element.get("slots"))
    if slots:
        headline = f"<maxMemory> has {slots} slots: memory hotplug is not supported"
        yield _finding(row, headline, "maxMemory", element.line)
    for device in guest.devices.get("memory", ()):
        yield _about(row, device, "is a memory module: memory hotplug is not supported")


# disks


def _ide(guest: Guest, row: Limit) -> Iterator[Finding]:
    disks = [d for d in guest.devices.get("disk", ()) if d.bus == "ide"]
    if len(disks) > row.most:
        headline = f"{len(disks)} disks and CD-ROMs are on IDE, and {row.most} are supported"
        beyond = disks[row.most :]
        yield Finding(
            row.severity,
            row.code,
            headline,
            tuple(d.label for d in beyond),
            beyond[0].line,
            tuple(f"beyond the limit: {d.label}{line_of(d)}" for d in beyond),
            row.remedy,
        )


def _scsi(guest: Guest, row: Limit) -> Iterator[Finding]:
    for controller in guest.controllers:
        if controller.type != "scsi" or controller.model.startswith("virtio"):
            continue
        model = controller.model or "of libvirt's choice"
        if controller.origin is not None and "@model" not in controller.defaults:
            yield _about(row, controller, f"is an emulated SCSI controller, {model}: only virtio-scsi is supported")
            continue
        users = (d for kind in ("disk", "hostdev") for d in guest.devices.get(kind, ()) if d.bus == "scsi")
        user = next((d for d in users if (d.controller or 0) == controller.index), None)
        line = controller.line or (user.line if user is not None else None)
        details = (f"libvirt adds it for {user.label}",) if user is not None and controller.origin is None else ()
        yield _finding(
            row,
            f"{controller.label} becomes an emulated SCSI controller, {model}: only virtio-scsi is supported",
            controller.label,
            line,
            *details,
            remedy=f"write <controller type='scsi' index='{controller.index or 0}' model='virtio-scsi'/>",
        )


def _writable(guest: Guest) -> Iterator[Device]:
    """Yield the disks that the guest may write to and that have a source."""
    for device in guest.devices.get("disk", ()):
        element = device.origin
        if element is None or element.get("device") == "cdrom" or element.find("source") is None:
            continue
        if element.find("readonly") is None and element.find("transient") is None:
            yield device


_NO_HOST_CACHE = ("nvme", "vhostuser", "vhostvdpa")
"""Types of disks that the host does not cache."""


def _cache(guest: Guest, row: Limit) -> Iterator[Finding]:
    for device in _writable(guest):
        cache = _inside(device, "driver").get("cache") or "default"
        if cache != "none" and device.origin.get("type") not in _NO_HOST_CACHE:
            yield _about(row, device, f"is open for writing with cache='{short(cache)}': it cannot be migrated safely")


_WHOLE = re.compile(
    r"/dev/((sd|hd|vd|xvd|dasd)[a-z]+|nvme\d+n\d+|mmcblk\d+|mapper/mpath[a-z]+|disk/by-(id|path)/.+(?<!-part\d)(?<!-part\d\d))"
)
"""Names that udev and multipath give to whole disks."""


def _whole_disk(guest: Guest, row: Limit) -> Iterator[Finding]:
    for device in _writable(guest):
        path = _inside(device, "source").get("dev") or ""
        if device.origin.get("type") == "block" and _WHOLE.fullmatch(path):
            yield _about(row, device, f"is the whole disk {short(path)} of the host, open for writing")


def _throttling(guest: Guest, row: Limit) -> Iterator[Finding]:
    for device in guest.devices.get("disk", ()):
        tune = _inside(device, "iotune")
        if tune.tag and any(_number(child.text) for child in tune.children):
            yield _about(row, device, "is throttled: I/O throttling is not supported")


def _iothread(guest: Guest, row: Limit) -> Iterator[Finding]:
    for device in guest.devices.get("disk", ()):
        if device.bus == "virtio" and not device.traits.keys().isdisjoint(("iothread", "iothreads")):
            yield _about(row, device, "has an I/O thread of its own, which is not supported for virtio disks")


# other devices


def _assigned(guest: Guest, row: Limit) -> Iterator[Finding]:
    hostdevs = [d for d in guest.devices.get("hostdev", ()) if d.bus in ("pci", "mdev")]
    interfaces = [d for d in guest.devices.get("interface", ()) if d.bus == "hostdev"]
    disks = [d for d in guest.devices.get("disk", ()) if _inside(d).get("type") == "nvme"]
    for device in (*hostdevs, *interfaces, *disks):
        yield _about(row, device, "is a device of the host: no migration, no save and restore, no core dump with it")


def _vhost_user(guest: Guest, row: Limit) -> Iterator[Finding]:
    found = [d for d in guest.devices.get("interface", ()) if d.bus == "vhostuser"]
    found += [d for d in guest.devices.get("disk", ()) if _inside(d).get("type") == "vhostuser"]
    found += [d for d in guest.devices.get("filesystem", ()) if _inside(d, "driver").get("type") == "virtiofs"]
    found += [d for d in guest.devices.get("video", ()) if _inside(d, "driver").get("name") == "vhostuser"]
    for device in found:
        yield _about(row, device, "is a vhost-user device, which is not supported")


def _numa_node(guest: Guest, row: Limit) -> Iterator[Finding]:
    for device in guest.controllers:
        if device.is_pci and device.target.get("node") is not None:
            yield _about(
                row,
                device,
                f"binds what is behind it to NUMA node {device.target['node']} of the guest, which is not supported",
            )


Judgement = Callable[[Guest, Limit], Iterator[Finding]]
JUDGES: Mapping[str, Judgement] = MappingProxyType(
    {
        "limit-tcg": _tcg,
        "limit-vcpus": _vcpus,
        "limit-vcpus-first": _vcpus,
        "limit-ide": _ide,
        "limit-scsi": _scsi,
        "limit-functions": _functions,
        "limit-nested": _nested,
        "limit-cache": _cache,
        "limit-assigned": _assigned,
        "limit-whole-disk": _whole_disk,
        "limit-memory-hotplug": _memory_hotplug,
        "limit-vhost-user": _vhost_user,
        "limit-throttling": _throttling,
        "limit-iothread": _iothread,
        "limit-numa-node": _numa_node,
    }
)
"""What judges each limit, by the code of its row."""
