"""The devices of section 3.2 of libvirt's rules: one row a variant."""

from __future__ import annotations

from collections.abc import Callable

from tests.oracle import snippets as s
from tests.oracle.draft import Draft
from tests.oracle.snippets import el

Builder = Callable[[Draft, str], str]


def once(name: str, builder: Builder) -> Builder:
    """Return a builder of something a guest may have once; "" afterwards."""
    return lambda d, address: builder(d, address) if d.once(name) else ""


def usb(builder: Builder) -> Builder:
    """Return a builder of something that needs USB; "" when that is switched off."""

    def build(d: Draft, address: str) -> str:
        if "no usb" in d.taken_once:
            return ""
        d.taken_once.add("usb in use")
        return builder(d, address)

    return build


def disk_of(model: str | None) -> Builder:
    return lambda d, address: s.disk(d.target("vd"), "virtio", address, model=model)


def drive_of(prefix: str, bus: str, device: str) -> Builder:
    return lambda d, address: s.disk(d.target(prefix), bus, device=device)


def interface_of(model: str) -> Builder:
    return lambda d, address: s.interface(model, address)


def sound_of(model: str) -> Builder:
    return lambda d, address: el("sound", {"model": model}, address)


def controller_of(kind: str, model: str | None) -> Builder:
    return lambda d, address: s.controller(kind, d.count(f"controller {kind}"), model, address)


def usb_of(model: str) -> Builder:
    return usb(lambda d, address: s.controller("usb", 1 + d.count("usb"), model, address))


def filesystem_of(driver: str | None, model: str | None) -> Builder:
    def build(d: Draft, address: str) -> str:
        d.shared_memory()
        return s.filesystem(d.count("filesystem"), driver, model, address)

    return build


def memory_of(model: str) -> Builder:
    def build(d: Draft, address: str) -> str:
        d.memory_devices()
        return s.memory(model, address) if d.count("memory") < 3 else ""

    return build


def memballoon_of(model: str) -> Builder:
    return lambda d, address: el("memballoon", {"model": model}, address)


def rng_of(model: str) -> Builder:
    return lambda d, address: s.rng(model, address)


def vhost_scsi_of(model: str | None) -> Builder:
    return lambda d, address: s.hostdev_vhost_scsi(d.count("vhost-scsi"), model, address)


def input_of(kind: str) -> Builder:
    return lambda d, address: s.input_device(kind, "virtio", address)


def vsock_of(model: str) -> Builder:
    return lambda d, address: s.vsock(model, address)


def other_watchdog(d: Draft, address: str) -> str:
    return s.watchdog("itco" if d.family == "q35" else "ib700")


def no_address(builder: Builder) -> Builder:
    """Return a builder that never writes an address."""
    return lambda d, address: builder(d, "")


VIRTIO_MODELS = ("virtio", "virtio-transitional", "virtio-non-transitional")
INTERFACES = (
    *VIRTIO_MODELS, "e1000", "e1000e", "igb", "rtl8139", "vmxnet3", "vmxnet", "pcnet", "ne2k_pci", "i82559c", "tulip",
    "82540EM", "82545EM", "Am79C970A", "lan9118", "netfront", "foobar",
)  # fmt: skip
SCSI = (*VIRTIO_MODELS[1:], "virtio-scsi", "lsilogic", "lsisas1068", "lsisas1078", "vmpvscsi", "dc390", "am53c974")
USB = ("piix3-uhci", "piix4-uhci", "ehci", "vt82c686b-uhci", "pci-ohci", "nec-xhci", "qemu-xhci")

TCP = el("source", {"mode": "connect", "host": "localhost", "service": "4000"}) + el("protocol", {"type": "raw"})
TPM = el("backend", {"type": "passthrough"}, el("device", {"path": "/dev/tpm0"}))
PLUGS: dict[str, Builder] = {
    "disk-virtio": disk_of(None),
    **{f"disk-{model}-model": disk_of(model) for model in VIRTIO_MODELS},
    "disk-scsi": drive_of("sd", "scsi", "disk"),
    "disk-scsi-cdrom": drive_of("sd", "scsi", "cdrom"),
    "disk-sata": drive_of("sd", "sata", "cdrom"),
    "disk-floppy": once("floppy", lambda d, address: s.disk("fda", None, device="floppy")),
    "disk-usb": usb(drive_of("sd", "usb", "disk")),
    **{f"interface-{model}": interface_of(model) for model in INTERFACES},
    "interface-usb-net": usb(no_address(interface_of("usb-net"))),
    **{f"sound-{model}": sound_of(model) for model in ("ich6", "ac97", "es1370", "virtio")},
    **{f"sound-{model}": no_address(sound_of(model)) for model in ("sb16", "pcspk")},
    "sound-usb": usb(no_address(sound_of("usb"))),
    "controller-sata-further": lambda d, address: s.controller("sata", 1 + d.count("sata"), None, address),
    **{f"controller-usb-{model}": usb_of(model) for model in USB},
    **{f"controller-scsi-{model}": controller_of("scsi", model) for model in SCSI},
    "controller-virtio-serial": controller_of("virtio-serial", None),
    **{f"controller-virtio-serial-{model}": controller_of("virtio-serial", model) for model in VIRTIO_MODELS},
    "controller-fdc": once("fdc", no_address(lambda d, address: s.controller("fdc", 0))),
    "filesystem-default": filesystem_of(None, None),
    "filesystem-path": filesystem_of("path", None),
    **{f"filesystem-{model}": filesystem_of(None, model) for model in VIRTIO_MODELS},
    "filesystem-virtiofs": filesystem_of("virtiofs", None),
    "filesystem-mtp": no_address(filesystem_of("mtp", None)),
    **{f"memballoon-{model}": once("balloon", memballoon_of(model)) for model in VIRTIO_MODELS},
    **{f"rng-{model}": rng_of(model) for model in VIRTIO_MODELS},
    "watchdog-i6300esb": once("watchdog", lambda d, address: s.watchdog("i6300esb", address)),
    "watchdog-itco": once("watchdog", no_address(other_watchdog)),
    "hostdev-pci": lambda d, address: s.hostdev_pci(d.count("hostdev"), address),
    "hostdev-mdev": lambda d, address: s.hostdev_mdev(d.count("mdev"), address),
    "hostdev-scsi_host": vhost_scsi_of(None),
    **{f"hostdev-scsi_host-{model}": vhost_scsi_of(model) for model in VIRTIO_MODELS},
    "interface-hostdev": lambda d, address: s.hostdev_interface(d.count("hostdev"), address),
    **{f"input-virtio-{kind}": input_of(kind) for kind in ("mouse", "keyboard", "tablet", "passthrough")},
    "input-evdev": no_address(lambda d, address: s.input_device("evdev", None)),
    "input-ps2": no_address(lambda d, address: s.input_device("mouse", "ps2")),
    "input-without-bus": usb(no_address(lambda d, address: s.input_device("tablet", None))),
    "shmem-plain": lambda d, address: s.shmem(d.count("shmem"), address),
    "shmem-doorbell": lambda d, address: s.shmem(d.count("shmem"), address, doorbell=True),
    "vsock": once("vsock", lambda d, address: s.vsock(None, address)),
    **{f"vsock-{model}": once("vsock", vsock_of(model)) for model in VIRTIO_MODELS},
    "memory-virtio-mem": memory_of("virtio-mem"),
    "memory-virtio-pmem": memory_of("virtio-pmem"),
    "memory-dimm": no_address(memory_of("dimm")),
    "crypto": lambda d, address: s.crypto(address),
    "panic-isa": once("panic", no_address(lambda d, address: el("panic", {"model": "isa"}))),
    "panic-default": once("panic", no_address(lambda d, address: el("panic"))),
    "panic-pvpanic": once("panic", no_address(lambda d, address: el("panic", {"model": "pvpanic"}))),
    "pstore": once("pstore", lambda d, address: s.pstore(address)),
    "serial-pci": lambda d, address: s.serial("pci-serial", address) if d.count("serial") < 3 else "",
    "serial-isa": lambda d, address: s.serial(None) if d.count("serial") < 3 else "",
    "redirdev": usb(no_address(lambda d, address: el("redirdev", {"bus": "usb", "type": "tcp"}, TCP))),
    "tpm": once("tpm", no_address(lambda d, address: el("tpm", {"model": "tpm-tis"}, TPM))),
    "hub": usb(no_address(lambda d, address: el("hub", {"type": "usb"}))),
    "smartcard": usb(once("smartcard", no_address(lambda d, address: el("smartcard", {"mode": "host"})))),
}
