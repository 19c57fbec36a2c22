"""What running guests answered, recorded from libvirt 11.3.0 with QEMU 10.0 on 2026-11-23.

A step is ``+`` and a device, or ``-`` and a label; what came of it is the label and address of everything that came or
went, or ``!``, the code and libvirt's words.  The guest had let go of whatever was detached.
`tests/oracle/test_attach_live.py` asks again.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.guests import BARE, at, controller, disk, nic, pci, video

OFF = "<target hotplug='off'/>"
ROOT = pci("pcie-root", 0)
TO_PCI = "pcie-to-pci-bridge"
PORT = "pcie-root-port"


def rng(place: str = "", model: str = "virtio") -> str:
    """Return a random number generator."""
    return f"<rng model='{model}'><backend model='random'>/dev/urandom</backend>{place}</rng>"


def scsi(model: str, index: int | None = None, place: str = "") -> str:
    """Return a SCSI controller."""
    return controller("scsi", index, model, place)


def ports(count: int, first: int = 1) -> str:
    """Return root ports."""
    return "".join(pci(PORT, index) for index in range(first, first + count))


def rngs(bus: int, slots: range) -> str:
    """Return generators that fill slots of a bus."""
    return "".join(rng(at(bus, slot)) for slot in slots)


@dataclass(frozen=True)
class Case:
    """A guest that runs, and what happened to it."""

    name: str
    machine: str
    devices: str
    steps: tuple[tuple[str, str], ...]
    acpi: bool = True
    arch: str = "x86_64"


SHMEM = "<shmem name='s0'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>"
KEYBOARD = "<input type='keyboard' bus='virtio'/>"
WATCHDOG = "<watchdog model='i6300esb' action='reset'/>"
SERIAL = "<serial type='null'><target type='pci-serial'/></serial>"
CHANNEL = "<channel type='null'><target type='virtio' name='a'/></channel>"
VIRTIO_SERIAL = controller("virtio-serial", 0)

CASES = (
    Case(
        "pc: the first empty slot, wherever; an address is taken at function 0 of any bus that takes hotplug",
        "pc",
        BARE + pci("pci-bridge", 1) + scsi("virtio-scsi", 0, at(0, 9, 1)) + rng(at(0, 9, 0, "on")) + rng(at(0, 10, 3)),
        (
            ("+" + rng(at(0, 9, 2)), "!function-not-zero: Only PCI device addresses with function=0 are supported"),
            ("+" + rng(at(0, 9, 0)), "!slot-occupied: Attempted double use of PCI Address 0000:00:09.0"),
            (
                "+" + rng(at(0, 10, 0)),
                "!single-function: PCI: a.0 indicates single function, but a.3 is already populated.",
            ),
            ("+" + rng(at(0, 0, 0)), "rng:2 00:03.0"),
            ("+" + rng(at(0, 10, 0, "on")), "rng:3 00:0a.0"),
            ("+" + rng(at(0, 13, 0, "on")), "rng:4 00:0d.0"),
            ("+" + rng(at(0, 14, 0, "off")), "rng:5 00:0e.0"),
            ("+" + rng(at(0, 0, 5)), "rng:6 00:04.0"),
            ("+" + rng(at(1, 0)), "!slot-range: Invalid PCI address 0000:01:00.0. slot must be >= 1"),
            (
                "+" + rng(at(3, 1)),
                "!bus-missing: Invalid PCI address 0000:03:01.0. Only PCI buses up to 1 are available",
            ),
            ("+" + rng(at(0, 1)), "!slot-occupied: Attempted double use of PCI Address 0000:00:01.0"),
            ("+" + rng(at(1, 5)), "rng:7 01:05.0"),
            ("+" + nic("rtl8139"), "interface:0 00:05.0"),
            ("+" + nic(""), "interface:1 00:06.0"),
            ("+" + rng("", "virtio-transitional"), "rng:8 00:07.0"),
        ),
    ),
    Case(
        "pc: a root bus without hotplug is where libvirt goes all the same",
        "pc",
        BARE + pci("pci-root", 0, OFF) + pci("pci-bridge", 1) + rng(at(0, 5)) + rng(at(1, 5)),
        (
            ("+" + rng(), "!no-hotplug: Bus 'pci.0' does not support hotplugging"),
            ("+" + rng(at(0, 9)), "!no-hotplug: Bus 'pci.0' does not support hotplugging"),
            ("+" + rng(at(1, 1)), "rng:2 01:01.0"),
            ("-rng:1", "rng:1 01:05.0"),
            (
                "-rng:0",
                "!no-hotplug: cannot hot unplug rng device with PCI guest address: 0000:00:05.0"
                " - not allowed by controller",
            ),
        ),
    ),
    Case(
        "pc without ACPI: nothing comes to the root bus and nothing goes, a bridge takes devices",
        "pc",
        BARE + pci("pci-bridge", 1) + rng(at(0, 5)),
        (
            ("+" + rng(), "!no-hotplug: Bus 'pci.0' does not support hotplugging"),
            ("+" + rng(at(1, 7)), "rng:1 01:07.0"),
            ("-rng:0", "!no-hotplug: Bus 'pci.0' does not support hotplugging"),
        ),
        acpi=False,
    ),
    Case(
        "pc: an expander with a lower index than a bridge bars the way to it",
        "pc",
        BARE
        + rngs(0, range(2, 31))
        + pci("pci-expander-bus", 1, at(0, 31))
        + pci("pci-bridge", 2, at(1, 0))
        + rng(at(1, 4)),
        (
            ("+" + rng(), "!no-hotplug: Bus 'pci.1' does not support hotplugging"),
            ("+" + rng(at(2, 4)), "rng:30 02:04.0"),
            ("-rng:29", "!no-hotplug: Bus 'pci.1' does not support hotplugging"),
            ("-rng:0", "rng:0 00:02.0"),
            ("+" + rng(), "rng:31 00:02.0"),
        ),
    ),
    Case(
        "pc: the root bus full, then a bridge by index, then nothing; what has gone is the lowest free place again",
        "pc",
        BARE + rngs(0, range(3, 31)) + pci("pci-bridge", 1, at(0, 31)) + rngs(1, range(2, 32)) + rng(at(0, 2, 1)),
        (
            ("+" + rng(), "rng:59 01:01.0"),
            ("+" + rng(), "!no-more-slots: No more available PCI slots"),
            ("-rng:40", "rng:40 01:0e.0"),
            ("-rng:7", "rng:7 00:0a.0"),
            ("+" + nic("e1000"), "interface:0 00:0a.0"),
            ("+" + nic("e1000"), "interface:1 01:0e.0"),
            ("+" + rng(at(0, 2, 0, "on")), "rng:60 00:02.0"),
            ("+" + rng(), "!no-more-slots: No more available PCI slots"),
        ),
    ),
    Case(
        "q35: ports with hotplug; an address may name them, or a bridge behind one or behind a dmi-to-pci-bridge",
        "q35",
        BARE
        + ROOT
        + pci(PORT, 1)
        + pci(PORT, 2, OFF)
        + pci(PORT, 3)
        + pci(TO_PCI, 4, at(1, 0))
        + pci(PORT, 5)
        + pci("pcie-switch-upstream-port", 6, at(5, 0))
        + pci("pcie-switch-downstream-port", 7, at(6, 0))
        + pci("pcie-switch-downstream-port", 8, OFF + at(6, 1))
        + pci("pcie-expander-bus", 9)
        + pci(PORT, 10, at(9, 0))
        + pci("dmi-to-pci-bridge", 11)
        + pci("pci-bridge", 12, at(11, 1))
        + pci(PORT, 13),
        (
            *(
                (
                    "+" + rng(at(bus, slot)),
                    f"!no-hotplug: The device at PCI address 0000:{bus:02x}:{slot:02x}.0 requires hotplug capability,"
                    f" but the PCI controller with index='{bus}' doesn't support hotplug",
                )
                for bus, slot in ((2, 0), (0, 5), (8, 0), (6, 5), (9, 5), (11, 3))
            ),
            ("+" + rng(at(10, 0)), "rng:0 0a:00.0"),
            ("+" + rng(at(12, 3)), "rng:1 0c:03.0"),
            ("+" + rng(at(4, 3)), "rng:2 04:03.0"),
            ("+" + rng(at(4, 0)), "!slot-range: Invalid PCI address 0000:04:00.0. slot must be >= 1"),
            ("+" + rng(at(13, 1)), "!slot-range: Invalid PCI address 0000:0d:01.0. slot must be <= 0"),
            ("+" + nic("rtl8139", at(13, 0)), "interface:0 0d:00.0"),
            ("+" + rng(), "rng:3 03:00.0"),
            ("+" + rng(), "rng:4 07:00.0"),
            ("+" + rng(), "!no-more-slots: No more available PCI slots"),
            ("+" + nic("rtl8139"), "interface:1 04:01.0"),
            ("+" + nic("rtl8139"), "interface:2 04:02.0"),
            ("+" + nic("rtl8139"), "interface:3 04:04.0"),
            ("-rng:3", "rng:3 03:00.0"),
            ("+" + nic("e1000e"), "interface:4 03:00.0"),
        ),
    ),
    Case(
        "q35: nothing is added for a conventional card, and none goes to a dmi-to-pci-bridge",
        "q35",
        BARE + ROOT + pci("dmi-to-pci-bridge", 1) + ports(1, 2),
        (
            ("+" + nic("rtl8139"), "!no-more-slots: No more available PCI slots"),
            (
                "+" + nic("rtl8139", at(1, 5)),
                "!no-hotplug: The device at PCI address 0000:01:05.0 requires hotplug capability,"
                " but the PCI controller with index='1' doesn't support hotplug",
            ),
            ("+" + nic("e1000e"), "interface:0 02:00.0"),
        ),
    ),
    Case(
        "q35: what sits on the root bus stays; what is behind a dmi-to-pci-bridge goes, and cannot come back",
        "q35",
        BARE
        + ROOT
        + ports(2)
        + pci("dmi-to-pci-bridge", 3)
        + pci("pci-bridge", 4, at(3, 5))
        + pci(PORT, 5, OFF)
        + rng(at(0, 6))
        + rng(at(3, 1))
        + rng(at(4, 1))
        + rng(at(5, 0))
        + rng(at(2, 0)),
        (
            ("-rng:0", "!no-hotplug: Bus 'pcie.0' does not support hotplugging"),
            ("-rng:1", "rng:1 03:01.0"),
            ("-rng:2", "rng:2 04:01.0"),
            (
                "-rng:3",
                "!no-hotplug: cannot hot unplug rng device with PCI guest address: 0000:05:00.0"
                " - not allowed by controller",
            ),
            ("-rng:4", "rng:4 02:00.0"),
            ("+" + rng(), "rng:5 01:00.0"),
            ("+" + rng(), "rng:6 02:00.0"),
            ("+" + rng(), "!no-more-slots: No more available PCI slots"),
        ),
    ),
    Case(
        "a slot that is shared holds on to its devices, one whose only device is at another function does not",
        "pc",
        BARE
        + pci("pci-bridge", 1)
        + rng(at(0, 5))
        + rng(at(1, 5, 1))
        + rng(at(0, 6, 0, "on"))
        + rng(at(0, 7, 1))
        + rng(at(0, 9, 0, "on"))
        + rng(at(0, 9, 1)),
        (
            ("-rng:0", "rng:0 00:05.0"),
            ("-rng:1", "rng:1 01:05.1"),
            ("-rng:2", "rng:2 00:06.0"),
            ("-rng:3", "rng:3 00:07.1"),
            (
                "-rng:4",
                "!multifunction-unplug: hot unplug rng device with multifunction PCI guest address: 0000:00:09.0",
            ),
            (
                "-rng:5",
                "!multifunction-unplug: hot unplug rng device with multifunction PCI guest address: 0000:00:09.1",
            ),
        ),
    ),
    Case(
        "SCSI: controllers come along, of the model of the last one, and go when nothing hangs on them",
        "q35",
        BARE + ROOT + ports(6) + pci(TO_PCI, 7, at(1, 0)) + scsi("lsilogic", 0) + scsi("virtio-scsi", 1),
        (
            ("+" + disk(15, bus="scsi", prefix="sd"), "scsi:2 03:00.0, disk:sdp -"),
            ("-scsi:2", "!controller-busy: device cannot be detached: device is busy"),
            ("-disk:sdp", "disk:sdp -"),
            ("-scsi:2", "scsi:2 03:00.0"),
            ("+" + scsi("virtio-scsi", 0), "!duplicate-index: target scsi:0 already exists"),
            ("+" + scsi("virtio-scsi"), "scsi:2 03:00.0"),
            ("+" + scsi("lsilogic", 7), "scsi:7 07:02.0"),
            ("+" + disk(0), "disk:vda 04:00.0"),
            ("+" + disk(0), "!duplicate-target: target 'vda' duplicated for disk sources"),
            ("-disk:vda", "disk:vda 04:00.0"),
            ("+" + disk(0), "disk:vda 04:00.0"),
        ),
    ),
    Case(
        "SCSI: without a controller there, they are lsilogic",
        "q35",
        BARE + ROOT + ports(1) + pci(TO_PCI, 2, at(1, 0)),
        (("+" + disk(7, bus="scsi", prefix="sd"), "scsi:0 02:01.0, scsi:1 02:02.0, disk:sdh -"),),
    ),
    Case(
        "the kinds that come and go, and those that do not",
        "pc",
        controller("usb", 0, "qemu-xhci") + video("vga"),
        (
            ("+" + SHMEM, "shmem:0 00:05.0"),
            ("+" + KEYBOARD, "input:0 00:06.0"),
            ("+" + WATCHDOG, "watchdog:0 00:07.0"),
            ("+" + WATCHDOG, "watchdog:1 00:08.0"),
            ("+" + SERIAL, "serial:0 00:09.0"),
            ("+" + CHANNEL, "!no-serial-port: no virtio-serial controllers are available"),
            ("+" + VIRTIO_SERIAL, "virtio-serial:0 00:0a.0"),
            ("+" + CHANNEL, "channel:0 -"),
            ("-shmem:0", "shmem:0 00:05.0"),
            ("-input:0", "input:0 00:06.0"),
            ("-watchdog:0", "watchdog:0 00:07.0"),
            ("-channel:0", "channel:0 -"),
            ("-virtio-serial:0", "!not-hot-pluggable: 'virtio-serial' controller cannot be hot unplugged."),
            ("-serial:0", "serial:0 00:09.0"),
            ("-usb:0", "!not-hot-pluggable: 'usb' controller cannot be hot unplugged."),
            ("-video:0", "!not-hot-pluggable: live detach of device 'video' is not supported"),
            ("-memballoon:0", "!not-hot-pluggable: live detach of device 'memballoon' is not supported"),
            ("+<sound model='ac97'/>", "!not-hot-pluggable: live attach of device 'sound' is not supported"),
            ("+" + video("virtio"), "!not-hot-pluggable: live attach of device 'video' is not supported"),
            ("+<panic model='pvpanic'/>", "!not-hot-pluggable: live attach of device 'panic' is not supported"),
            (
                "+<crypto model='virtio' type='qemu'><backend model='builtin' queues='1'/></crypto>",
                "!not-hot-pluggable: live attach of device 'crypto' is not supported",
            ),
            (
                "+<pstore backend='acpi-erst'><path>/tmp/p</path><size unit='KiB'>64</size></pstore>",
                "!not-hot-pluggable: live attach of device 'pstore' is not supported",
            ),
            (
                "+" + controller("usb", 1, "qemu-xhci"),
                "!not-hot-pluggable: 'usb' controller cannot be hot plugged.",
            ),
            ("+" + controller("sata", 0), "!not-hot-pluggable: 'sata' controller cannot be hot plugged."),
            (
                "+" + pci("pci-bridge", 5, "<model name='pci-bridge'/><target chassisNr='5'/>"),
                "!not-hot-pluggable: 'pci' controller cannot be hot plugged.",
            ),
            (
                "+" + pci("pci-bridge", 5, "<model name='pci-bridge'/>"),
                "!required-option: Required option 'chassisNr' is not set for PCI controller with index '5',"
                " model 'pci-bridge' and modelName 'pci-bridge'",
            ),
            (
                "+" + pci("pci-bridge"),
                "!required-option: Required option 'modelName' is not set for PCI controller with index '-1',"
                " model 'pci-bridge' and modelName 'none'",
            ),
            (
                "+<input type='mouse' bus='ps2'/>",
                "!not-hot-pluggable: input device on bus 'ps2' cannot be hot plugged.",
            ),
            (
                "+<watchdog model='ib700' action='reset'/>",
                "!not-hot-pluggable: hotplug of watchdog model 'ib700' is not supported",
            ),
            (
                "+<filesystem type='mount' accessmode='mapped'><source dir='/tmp'/><target dir='x'/></filesystem>",
                "!not-hot-pluggable: only virtiofs filesystems can be hotplugged",
            ),
            (
                "+<interface type='null'><model type='virtio'/></interface>",
                "!not-hot-pluggable: hotplug of interface type of null is not implemented yet",
            ),
            (
                "+<disk type='file' device='cdrom'><target dev='hda' bus='ide'/></disk>",
                "!not-hot-pluggable: disk bus 'ide' cannot be hotplugged.",
            ),
            (
                "+<serial type='null'><target type='isa-debug'/></serial>",
                "!not-hot-pluggable: Bus 'isa.0' does not support hotplugging",
            ),
            ("+" + scsi("dc390"), "!not-in-emulator: is not a valid device model name"),
        ),
    ),
    Case(
        "an igb holds functions for its virtual ones, of which libvirt knows nothing",
        "pc",
        BARE + pci("pci-bridge", 1),
        (
            ("+" + nic("igb", at(0, 13)), "interface:0 00:0d.0"),
            ("+" + nic("igb", at(0, 14)), "!virtual-functions: not available for"),
            ("+" + nic("igb", at(0, 15)), "!virtual-functions: VF addr overflows"),
            ("+" + rng(at(0, 29)), "!virtual-functions: PCI: slot 29 function 0 not available for"),
            ("+" + rng(at(0, 31)), "rng:0 00:1f.0"),
            ("+" + rng(at(1, 0x1E)), "rng:1 01:1e.0"),
            ("+" + nic("igb", at(1, 14)), "!virtual-functions: not available for"),
            ("-rng:1", "rng:1 01:1e.0"),
            ("+" + nic("igb", at(1, 14)), "interface:1 01:0e.0"),
            ("-interface:0", "interface:0 00:0d.0"),
            ("+" + rng(at(0, 29)), "rng:2 00:1d.0"),
        ),
    ),
    Case(
        "no PCI bus at all",
        "isapc",
        BARE,
        (("+" + rng(), "!no-pci-bus: No PCI buses available"),),
    ),
    Case(
        "virt of ARM: ports as on q35",
        "virt",
        ROOT + ports(2) + pci(TO_PCI, 3, at(1, 0)) + pci("dmi-to-pci-bridge", 4) + rng(at(4, 5)),
        (
            ("+" + rng(), "rng:1 02:00.0"),
            ("+" + rng(), "!no-more-slots: No more available PCI slots"),
            ("+" + nic("e1000"), "interface:0 03:01.0"),
            ("+" + rng(at(0, 9)), "!no-hotplug: requires hotplug capability"),
            ("-rng:0", "!no-hotplug: Bus 'pci.4' does not support hotplugging"),
            ("-rng:1", "rng:1 02:00.0"),
        ),
        acpi=False,
        arch="aarch64",
    ),
    Case(
        "pseries: the root bus, without ACPI; SCSI controllers of its own do not come",
        "pseries",
        pci("pci-root", 0) + pci("pci-root", 1) + BARE + rng(),
        (
            ("+" + rng(), "rng:1 00:02.0"),
            ("+" + nic("e1000", at(1, 3)), "interface:0 01:03.0"),
            ("+" + controller("scsi", 0), "!not-in-emulator: "),
            ("+" + scsi("virtio-scsi", 0), "scsi:0 00:03.0"),
            ("-rng:0", "rng:0 00:01.0"),
            ("+" + nic(), "interface:1 00:01.0"),
        ),
        acpi=False,
        arch="ppc64",
    ),
    Case(
        "other machines of POWER: no hotplug on the root bus",
        "mac99",
        BARE + rng(),
        (
            ("+" + rng(), "!no-hotplug: Bus 'pci.0' does not support hotplugging"),
            ("-rng:0", "!no-hotplug: Bus 'pci.0' does not support hotplugging"),
        ),
        acpi=False,
        arch="ppc64",
    ),
)
