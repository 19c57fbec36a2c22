"""The words that attributes may hold, and the numbers that addresses hold, element by element.

Only what is said of the device itself: what stands behind it on the host (sources, back-ends, drivers)
has no say in where it sits, and is not looked at.

Source: each row was verified against libvirt 9.0.0 and 11.3.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

INVALID = "Invalid value for attribute '{attribute}' in element '{tag}': '{value}'."
FORMER_WORDING = MappingProxyType(
    {
        "rng": "unknown RNG model '{value}'", "video": "unknown video model '{value}'",
        "watchdog": "unknown watchdog model '{value}'", "panic": "unknown panic model '{value}'",
    }
)  # fmt: skip
"""What libvirt 9.0 says instead of `INVALID`, of the model of an element."""


class Words(NamedTuple):
    """One row: the words that an attribute of an element, or of a child of it, may hold."""

    child: str
    """The child that has the attribute; "" for the element itself."""
    attribute: str
    words: frozenset[str]
    headline: str = INVALID
    """What libvirt says of any other word."""


def _words(where: str, words: str, headline: str = INVALID) -> Words:
    child, _, attribute = where.rpartition("@")
    return Words(child, attribute, frozenset(words.split()), headline)


_CHARACTER = _words(
    "@type",
    "null vc pty dev file pipe stdio udp tcp unix spicevmc spiceport nmdm qemu-vdagent dbus",
    "unknown type presented to host for character device: {value}",
)
_TARGET = "unknown target type '{value}' specified for character device"

WORDS: Mapping[str, tuple[Words, ...]] = MappingProxyType(
    {
        "disk": (
            _words("@device", "disk cdrom floppy lun"),
            _words("@type", "file block dir network volume nvme vhostuser vhostvdpa"),
        ),
        "interface": (
            _words(
                "@type",
                "ethernet user vhostuser server client mcast udp network bridge internal direct hostdev vdpa null vds",
            ),
        ),
        "hostdev": (
            _words("@mode", "subsystem", "hostdev mode '{value}' is not supported in qemu"),
            _words("@type", "pci usb scsi scsi_host mdev"),
        ),
        "input": (
            _words("@type", "mouse tablet keyboard passthrough evdev", "unknown input device type '{value}'"),
            _words("@bus", "ps2 usb virtio xen parallels none", "unknown input bus type '{value}'"),
            _words("@model", "virtio virtio-transitional virtio-non-transitional", "unknown input model '{value}'"),
        ),
        "filesystem": (_words("@type", "mount block file template ram bind volume"),),
        "watchdog": (_words("@action", "reset shutdown poweroff pause none dump inject-nmi"),),
        "serial": (
            _CHARACTER,
            _words(
                "target@type",
                "none isa-serial pci-serial usb-serial spapr-vio-serial system-serial sclp-serial isa-debug",
                _TARGET,
            ),
        ),
        "parallel": (_CHARACTER,),
        "console": (_CHARACTER, _words("target@type", "none serial virtio xen lxc uml openvz sclp sclplm", _TARGET)),
        "channel": (_CHARACTER, _words("target@type", "none guestfwd virtio xen", _TARGET)),
        "panic": (_words("@model", "default isa pvpanic hyperv pseries s390", "unknown panic model '{value}'"),),
        "tpm": (_words("@model", "tpm-tis tpm-crb tpm-spapr spapr-tpm-proxy"),),
        "hub": (_words("@type", "usb", "unknown hub device type '{value}'"),),
        "redirdev": (_words("@bus", "usb", "unknown redirdev bus '{value}'"),),
        "smartcard": (_words("@mode", "host host-certificates passthrough"),),
        "graphics": (_words("@type", "sdl vnc rdp desktop spice egl-headless dbus"),),
    }
)
"""By element.  Words that decide about a place are in `pcisim.catalogue.devices.PLUGS` instead."""

LONG_NUMBERS = ("base", "reg")
"""Those of `ADDRESS_NUMBERS` that have 64 bits; the others have 32."""

ADDRESS_NUMBERS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "drive": {"controller": 10, "bus": 10, "target": 10, "unit": 10},
        "virtio-serial": {"controller": 10, "bus": 10, "port": 10},
        "ccid": {"controller": 10, "slot": 10},
        "usb": {"bus": 10},
        "dimm": {"slot": 10, "base": 16},
        "isa": {"iobase": 16, "irq": 16},
        "spapr-vio": {"reg": 16},
    }
)
"""The numbers of an address that is not of type ``pci``, and the base that each is written in."""

ADDRESS_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "pci": ("domain", "bus", "slot", "function"),
        "drive": ("controller", "bus", "target", "unit"),
        "virtio-serial": ("controller", "bus", "port"),
        "ccid": ("controller", "slot"),
        "usb": ("bus", "port"),
        "dimm": ("slot", "", "base"),
        "isa": ("iobase", "irq"),
        "spapr-vio": ("reg", "true"),
        "ccw": ("cssid", "ssid", "devno", "true"),
    }
)
"""The words of 32 bits that an address of each type takes in libvirt's memory, where it overlays domain, bus, slot and
function of one on PCI. ``true`` is 1; a number of `LONG_NUMBERS` takes two words, the lower one first, and ``port`` of
type usb one for each part."""

SERIAL_MODELS = MappingProxyType(
    {
        "isa-serial": "isa-serial", "usb-serial": "usb-serial", "pci-serial": "pci-serial",
        "spapr-vty": "spapr-vio-serial", "pl011": "system-serial", "16550a": "system-serial",
        "sclpconsole": "sclp-serial", "sclplmconsole": "sclp-serial", "isa-debugcon": "isa-debug",
    }
)  # fmt: skip
"""The type of target that each model of a serial port goes with."""

SERIAL_MODEL_MACHINES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"pl011": ("arm-virt",), "16550a": ("riscv-virt", "loongarch-virt")}
)
"""The families of machines that a model of a serial port is for, where it is not for all."""

VIDEO_DEVICES = ("virtio-vga", "virtio-gpu", "virtio-vga-gl", "virtio-gpu-gl", "vhost-user-vga", "vhost-user-gpu")
"""Which device of the emulator a video device of model virtio may be."""

CCW_LIMITS = MappingProxyType({"cssid": 0xFE, "ssid": 3, "devno": 0xFFFF})
"""The numbers of an address of type ``ccw``, and the highest of each."""

FOREIGN: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("panic", "s390"): "only S390 guests support panic device of model 's390'",
        ("panic", "pseries"): "only pSeries guests support panic device of model 'pseries'",
        ("watchdog", "diag288"): "diag288 model of watchdog is allowed for s390 and s390x only",
        ("iommu", "smmuv3"): "IOMMU device: 'smmuv3' is only supported with ARM Virt machines",
        ("serial", "sclp-serial"): "Serial device with target type 'sclp-serial' and target model 'sclpconsole'"
        " not compatible with guest architecture or machine type",
        ("serial", "spapr-vio-serial"): "Serial device with target type 'spapr-vio-serial' and target model"
        " 'spapr-vty' not compatible with guest architecture or machine type",
        **{
            ("video", model): f"domain configuration does not support video model '{model}'"
            for model in ("gop", "parallels", "vbox", "xen")
        },
        ("nvram", ""): "nvram device is only supported for PPC64",
        ("controller", "buslogic"): "Unsupported controller model: buslogic",
        ("controller", "ncr53c90"): "ncr53c90 SCSI controller is not a built-in for this machine",
    }
)
"""Models of machines that are no x86 machines, and what libvirt says of them."""

OF_X86: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("panic", "hyperv"): "only i686 and x86_64 guests support panic device of model 'hyperv'",
        ("serial", "isa-debug"): "isa-debug serial type only valid on x86 architecture",
        ("panic", "isa"): "the QEMU binary does not support the ISA panic device",
    }
)
"""Models of x86 machines, and what libvirt says of them on others."""

USB_MODELS_OF_QEMU: Mapping[str, tuple[str, ...]] = MappingProxyType({"s390x": ("qemu-xhci",)})
"""The USB controllers that the emulator of an architecture has, where it has few."""
USB_MODELS_OF_SOME: Mapping[str, tuple[str, ...]] = MappingProxyType({"vt82c686b-uhci": ("ppc", "ppc64", "ppc64le")})
"""The architectures whose emulator has a USB controller that most have not."""

OWN_MODELS: Mapping[str, frozenset[tuple[str, str]]] = MappingProxyType(
    {
        "s390": frozenset({("panic", "s390"), ("watchdog", "diag288"), ("serial", "sclp-serial")}),
        "pseries": frozenset({("panic", "pseries"), ("serial", "spapr-vio-serial"), ("nvram", "")}),
        "arm-virt": frozenset({("iommu", "smmuv3")}),
    }
)
"""Those of `FOREIGN` that a family of machines has, by the family."""
