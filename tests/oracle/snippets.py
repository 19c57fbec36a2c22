"""Write the XML of single devices, for the generator. Nothing here draws a random number."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import quoteattr


def el(tag: str, attributes: Mapping[str, object] | None = None, *children: str) -> str:
    """Return an element; attributes that are None are left out, empty children too."""
    named = "".join(f" {k}={quoteattr(str(v))}" for k, v in (attributes or {}).items() if v is not None)
    inside = "".join(children)
    return f"<{tag}{named}>{inside}</{tag}>" if inside else f"<{tag}{named}/>"


def letters(number: int) -> str:
    """Return the letters of a disk target: 0 is a, 25 z, 26 aa."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


def disk(
    target: str,
    bus: str | None = None,
    address: str = "",
    *,
    device: str | None = "disk",
    model: str | None = None,
    extra: str = "",
) -> str:
    """Return a disk with this target name; cdroms and floppies come empty."""
    source = el("source", {"file": f"/srv/img/{target}.img"}) if device in ("disk", None) else ""
    target_xml = el("target", {"dev": target, "bus": bus})
    return el("disk", {"type": "file", "device": device, "model": model}, source, target_xml, extra, address)


def interface(model: str | None = None, address: str = "", extra: str = "") -> str:
    """Return a user-mode network interface."""
    return el("interface", {"type": "user"}, el("model", {"type": model}) if model else "", extra, address)


def controller(type_: str, index: object = None, model: str | None = None, inner: str = "") -> str:
    """Return a controller; `inner` holds its model, target, master and address elements."""
    return el("controller", {"type": type_, "index": index, "model": model}, inner)


def ich9(index: object, function: int, address: str = "") -> str:
    """Return the ICH9 USB controller of this function: 7 is the EHCI, 0 to 2 are its companions."""
    if function == 7:
        return controller("usb", index, "ich9-ehci1", address)
    master = el("master", {"startport": 2 * function})
    return controller("usb", index, f"ich9-uhci{function + 1}", master + address)


def hostdev_pci(number: int, address: str = "") -> str:
    """Return the passing-on of a host device that no host has."""
    source = el("address", {"domain": "0x0000", "bus": f"0x{0xF0 + number % 16:02x}", "slot": f"0x{number // 16:02x}"})
    return el("hostdev", {"mode": "subsystem", "type": "pci", "managed": "yes"}, el("source", {}, source), address)


def hostdev_interface(number: int, address: str = "") -> str:
    """Return an interface that is such a host device."""
    place = {"type": "pci", "domain": "0x0000", "bus": f"0x{0xF0 + number % 16:02x}", "slot": f"0x{number // 16:02x}"}
    mac = el("mac", {"address": f"52:54:00:00:f0:{number:02x}"})
    return el("interface", {"type": "hostdev", "managed": "yes"}, mac, el("source", {}, el("address", place)), address)


def hostdev_mdev(number: int, address: str = "") -> str:
    """Return a mediated device."""
    uuid = f"3a2b9f6e-52d7-4a6e-8d3e-0c8f6f2b{number:04x}"
    source = el("source", {}, el("address", {"uuid": uuid}))
    return el("hostdev", {"mode": "subsystem", "type": "mdev", "model": "vfio-pci"}, source, address)


def hostdev_scsi(number: int, address: str = "") -> str:
    """Return a SCSI host device (it sits on a scsi controller, not on PCI)."""
    place = el("address", {"bus": 0, "target": number % 8, "unit": number // 8})
    source = el("source", {}, el("adapter", {"name": "scsi_host0"}), place)
    return el("hostdev", {"mode": "subsystem", "type": "scsi"}, source, address)


def hostdev_vhost_scsi(number: int, model: str | None = None, address: str = "") -> str:
    """Return a vhost-scsi host adapter."""
    source = el("source", {"protocol": "vhost", "wwpn": f"naa.5001405df3e7f{number:03x}"})
    return el("hostdev", {"mode": "subsystem", "type": "scsi_host", "model": model}, source, address)


def filesystem(number: int, driver: str | None, model: str | None = None, address: str = "") -> str:
    """Return a shared directory."""
    mode = {"virtiofs": "passthrough", "mtp": None}.get(driver or "", "mapped")
    driver_xml = el("driver", {"type": driver}) if driver else ""
    paths = el("source", {"dir": f"/srv/share{number}"}) + el("target", {"dir": f"share{number}"})
    return el("filesystem", {"type": "mount", "accessmode": mode, "model": model}, driver_xml, paths, address)


def video(type_: str, address: str = "", *, primary: bool = False) -> str:
    """Return a video card."""
    return el("video", {}, el("model", {"type": type_, "primary": "yes" if primary else None}), address)


def rng(model: str = "virtio", address: str = "") -> str:
    """Return a random number device."""
    return el("rng", {"model": model}, el("backend", {"model": "random"}, "/dev/urandom"), address)


def watchdog(model: str, address: str = "") -> str:
    """Return a watchdog."""
    return el("watchdog", {"model": model, "action": "reset"}, address)


def channel(number: int, address: str = "") -> str:
    """Return a virtio channel."""
    target = el("target", {"type": "virtio", "name": f"org.test.port.{number}"})
    return el("channel", {"type": "unix"}, target, address)


def console(target: str) -> str:
    """Return a console with this target type."""
    return el("console", {"type": "pty"}, el("target", {"type": target}))


def serial(target: str | None = None, address: str = "") -> str:
    """Return a serial port."""
    return el("serial", {"type": "pty"}, el("target", {"type": target, "port": 0}), address)


def shmem(number: int, address: str = "", *, doorbell: bool = False) -> str:
    """Return a shared memory device."""
    if doorbell:
        inner = el("model", {"type": "ivshmem-doorbell"}) + el("server", {"path": f"/run/shmem{number}"})
        return el("shmem", {"name": f"shmem{number}"}, inner, el("msi", {"vectors": 2}), address)
    inner = el("model", {"type": "ivshmem-plain"}) + el("size", {"unit": "M"}, "4")
    return el("shmem", {"name": f"shmem{number}"}, inner, address)


def input_device(type_: str, bus: str | None, address: str = "") -> str:
    """Return an input device; passthrough and evdev ones with their host device."""
    source = {
        "passthrough": el("source", {"evdev": "/dev/input/event3"}),
        "evdev": el("source", {"dev": "/dev/input/e1"}),
    }
    return el("input", {"type": type_, "bus": bus}, source.get(type_, ""), address)


def vsock(model: str | None = None, address: str = "") -> str:
    """Return the vsock device."""
    return el("vsock", {"model": model}, el("cid", {"auto": "yes"}), address)


def crypto(address: str = "") -> str:
    """Return a virtio crypto device."""
    backend = el("backend", {"model": "builtin", "queues": 1})
    return el("crypto", {"model": "virtio", "type": "qemu"}, backend, address)


def pstore(address: str = "") -> str:
    """Return the persistent store."""
    inner = el("path", {}, "/srv/pstore") + el("size", {"unit": "KiB"}, "64")
    return el("pstore", {"backend": "acpi-erst"}, inner, address)


def memory(model: str, address: str = "") -> str:
    """Return a memory device; the guest needs a maximum and a NUMA node 0 for it."""
    node = el("node", {}, "0")
    if model == "virtio-mem":
        sizes = el("block", {"unit": "MiB"}, "2") + el("requested", {"unit": "MiB"}, "0")
        target = el("target", {}, el("size", {"unit": "MiB"}, "128"), node, sizes)
        return el("memory", {"model": model}, target, address)
    if model == "virtio-pmem":
        source = el("source", {}, el("path", {}, "/srv/pmem"))
        target = el("target", {}, el("size", {"unit": "MiB"}, "128"))
        return el("memory", {"model": model, "access": "shared"}, source, target, address)
    return el("memory", {"model": model}, el("target", {}, el("size", {"unit": "MiB"}, "128"), node), address)
