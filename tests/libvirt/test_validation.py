"""What libvirt 11.3 refuses after it has placed everything: its own words, each verified against the live daemon."""

from __future__ import annotations

import pytest

import pcisim
from pcisim.catalogue.versions import libvirt_version
from pcisim.guest import Guest
from pcisim.libvirt.completion import complete
from pcisim.libvirt.policy import LibvirtPolicy
from pcisim.libvirt.validation import validate
from tests.guests import BARE, FIRST_LINE, NO_USB, at, completed, controller, disk, domain, nic, pci, refused, video

ISA, USB, DRIVE = "<address type='isa'/>", "<address type='usb'/>", "<address type='drive'/>"
CCW, UNASSIGNED = "<address type='ccw'/>", "<address type='unassigned'/>"
PCI = "<address type='pci'/>"
CDROM = "<disk type='file' device='cdrom'><target dev='hda' bus='ide'/></disk>"
FLOPPY_ON_PCI = f"<disk type='file' device='floppy'><target dev='fda' bus='fdc'/>{at(0, 9)}</disk>"


def target(model: str, options: str, index: int = 1) -> str:
    return pci(model, index, f"<target {options}/>")


def hostdev(kind: str, address: str, rest: str = "") -> str:
    sources = {
        "pci": "<address domain='0' bus='0xf0' slot='1' function='0'/>",
        "usb": "<vendor id='0x1234'/><product id='0xbeef'/>",
        "scsi": "<adapter name='scsi_host0'/><address bus='0' target='0' unit='0'/>",
        "mdev": "<address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/>",
    }
    return f"<hostdev mode='subsystem' type='{kind}'{rest}><source>{sources[kind]}</source>{address}</hostdev>"


# --- cases

# fmt: off
REFUSED: list[tuple[str, str, list[str], str]] = [
    # PCI controllers (section 7)
    ("index-range", "pc", [pci("pci-bridge", 256)], """
        PCI controller index 256 too high, maximum is 255
    """),
    ("wrong-model-name", "q35", [pci("pcie-root-port", 1, "<model name='pci-bridge'/>")], """
        Option 'modelName' has invalid value for PCI controller with index '1', model 'pcie-root-port' and
        modelName 'pci-bridge'
    """),
    ("wrong-model-name-of-a-root", "q35", [pci("pcie-root", 0, "<model name='pcie-root-port'/>")], """
        Option 'modelName' is not valid for PCI controller with index '0', model 'pcie-root' and modelName
        'pcie-root-port'
    """),
    ("wrong-option-chassisNr-on-a-port", "q35", [target("pcie-root-port", "chassisNr='1'")], """
        Option 'chassisNr' is not valid for PCI controller with index '1', model 'pcie-root-port' and
        modelName 'pcie-root-port'
    """),
    ("wrong-option-chassis-on-a-bridge", "pc", [target("pci-bridge", "chassis='1'")], """
        Option 'chassis' is not valid for PCI controller with index '1', model 'pci-bridge' and modelName
        'pci-bridge'
    """),
    ("wrong-option-port-on-a-bridge", "pc", [target("pci-bridge", "port='1'")], """
        Option 'port' is not valid for PCI controller with index '1', model 'pci-bridge' and modelName
        'pci-bridge'
    """),
    ("wrong-option-busNr-on-a-bridge", "pc", [target("pci-bridge", "busNr='9'")], """
        Option 'busNr' is not valid for PCI controller with index '1', model 'pci-bridge' and modelName
        'pci-bridge'
    """),
    ("wrong-option-index-on-x86", "pc", [target("pci-bridge", "index='1'")], """
        Option 'targetIndex' is not valid for PCI controller with index '1', model 'pci-bridge' and
        modelName 'pci-bridge'
    """),
    ("wrong-option-hotplug-on-a-bridge", "pc", [target("pci-bridge", "hotplug='off'")], """
        Option 'hotplug' is not valid for PCI controller with index '1', model 'pci-bridge' and modelName
        'pci-bridge'
    """),
    ("wrong-option-hotplug-on-pcie-root", "q35", [target("pcie-root", "hotplug='off'", 0)], """
        Option 'hotplug' is not valid for PCI controller with index '0', model 'pcie-root' and modelName
        'none'
    """),
    ("wrong-option-memReserve-on-dmi", "q35", [target("dmi-to-pci-bridge", "memReserve='1'")], """
        Option 'memReserve' is not valid for PCI controller with index '1', model 'dmi-to-pci-bridge' and
        modelName 'i82801b11-bridge'
    """),
    ("target-range-chassisNr", "pc", [target("pci-bridge", "chassisNr='256'")], """
        PCI controller chassisNr '256' out of range - must be 1-255
    """),
    ("target-range-chassisNr-zero", "pc", [target("pci-bridge", "chassisNr='0'")], """
        PCI controller chassisNr '0' out of range - must be 1-255
    """),
    ("target-range-chassis", "q35", [target("pcie-root-port", "chassis='256'")], """
        PCI controller chassis '256' out of range - must be 0-255
    """),
    ("target-range-port", "q35", [target("pcie-root-port", "port='0x100'")], """
        PCI controller port '256' out of range - must be 0-255
    """),
    ("target-range-busNr", "q35", [target("pcie-expander-bus", "busNr='255'")], """
        PCI controller busNr '255' out of range - must be 1-254
    """),
    ("target-range-busNr-zero", "q35", [target("pcie-expander-bus", "busNr='0'")], """
        PCI controller busNr '0' out of range - must be 1-254
    """),
    # IDE
    ("no-ide", "q35", [controller("ide", 0)], """
        IDE controllers are unsupported for this QEMU binary or machine type
    """),
    ("second-ide", "pc", [controller("ide", 0), controller("ide", 1)], """
        Only a single IDE controller is supported for this machine type
    """),
    # addresses of other types
    ("wrong-address-type-unassigned", "pc", [nic("virtio", UNASSIGNED)], """
        address of type 'unassigned' is supported only for hostdevs
    """),
    ("wrong-address-type-disk-on-pci", "pc", [disk(0, at(0, 9), "ide", "hd")], """
        Invalid address type 'pci' for the disk 'hda' with the bus type 'ide'
    """),
    ("wrong-address-type-floppy-on-pci", "pc", [FLOPPY_ON_PCI], """
        Invalid address type 'pci' for the disk 'fda' with the bus type 'fdc'
    """),
    ("wrong-address-type-usb-disk", "pc", [disk(0, at(0, 9), "usb", "sd")], """
        unexpected address type for usb disk
    """),
    ("wrong-address-type-virtio-disk", "pc", [disk(0, DRIVE)], """
        virtio disk cannot have an address of type 'drive'
    """),
    ("wrong-address-type-hostdev", "pc", [hostdev("pci", DRIVE)], """
        PCI host devices must use 'pci' or 'unassigned' address type
    """),
    ("wrong-address-type-mdev", "pc", [hostdev("mdev", DRIVE, " model='vfio-pci'")], """
        Unsupported address type 'drive' with mediated device model 'vfio-pci'
    """),
    ("wrong-address-type-usb-hostdev", "pc", [hostdev("usb", at(0, 9))], """
        USB host device must use 'usb' address type
    """),
    ("wrong-address-type-scsi-hostdev", "pc", [hostdev("scsi", at(0, 9))], """
        SCSI host device must use 'drive' address type
    """),
    ("wrong-address-type-usb-input", "pc", [f"<input type='tablet' bus='usb'>{at(0, 9)}</input>"], """
        Invalid address for a USB device
    """),
    ("wrong-address-type-redirdev", "pc", [f"<redirdev bus='usb' type='spicevmc'>{at(0, 9)}</redirdev>"], """
        Invalid address for a USB device
    """),
    ("wrong-address-type-pci-serial", "pc", [f"<serial type='pty'><target type='pci-serial'/>{ISA}</serial>"], """
        Target type 'pci-serial' requires address type 'pci'
    """),
    ("wrong-address-type-usb-serial", "pc", [f"<serial type='pty'><target type='usb-serial'/>{at(0, 9)}</serial>"], """
        usb-serial requires address of usb type
    """),
    ("wrong-address-type-isa-serial", "pc", [f"<serial type='pty'><target type='isa-serial'/>{at(0, 9)}</serial>"], """
        Target type 'isa-serial' requires address type 'isa'
    """),
    ("wrong-address-type-console", "pc", [f"<console type='pty'>{at(0, 9)}</console>"], """
        Target type 'isa-serial' requires address type 'isa'
    """),
    ("wrong-address-type-smartcard", "pc", [f"<smartcard mode='host'>{at(0, 9)}</smartcard>"], """
        Controllers must use the 'ccid' address type
    """),
    ("wrong-address-type-ramfb", "pc", [video("ramfb", at(0, 9))], """
        address not supported for video type ramfb
    """),
    ("wrong-address-type-i6300esb", "pc", [f"<watchdog model='i6300esb'>{ISA}</watchdog>"], """
        i6300esb model of watchdog can go only on PCI bus
    """),
    ("wrong-address-type-ib700", "pc", [f"<watchdog model='ib700'>{PCI}</watchdog>"], """
        ib700 model of watchdog does not support configuring the address
    """),
    ("wrong-address-type-itco", "q35", [f"<watchdog model='itco'>{at(0, 9)}</watchdog>"], """
        itco model of watchdog is part of the machine and cannot have any address set.
    """),
    ("wrong-address-type-pvpanic", "q35", [f"<panic model='pvpanic'>{ISA}</panic>"], """
        pvpanic is supported only with PCI address type
    """),
    ("wrong-address-type-isa-panic", "pc", [f"<panic model='isa'>{at(0, 9)}</panic>"], """
        panic is supported only with ISA address type
    """),
    ("wrong-address-type-hyperv", "pc", [f"<panic model='hyperv'>{ISA}</panic>"], """
        setting the panic device address is not supported for model 'hyperv'
    """),
    ("wrong-address-type-intel-iommu", "q35", [f"<iommu model='intel'>{at(0, 9)}</iommu>"], """
        iommu model 'intel' can't have address
    """),
    ("wrong-address-type-virtio-iommu", "q35", [f"<iommu model='virtio'>{ISA}</iommu>"], """
        IOMMU device: 'virtio' needs a PCI address
    """),
    # machines
    ("wrong-machine-ib700", "q35", ["<watchdog model='ib700'/>"], """
        ib700 model of watchdog cannot be used with this machine type
    """),
    ("wrong-machine-itco", "pc", ["<watchdog model='itco'/>"], """
        itco model of watchdog is only part of q35 machine
    """),
    ("wrong-machine-iommu", "pc", ["<iommu model='virtio'/>"], """
        IOMMU device: 'virtio' is only supported with Q35 and ARM Virt machines
    """),
    # USB switched off
    ("usb-disabled-input", "pc", [NO_USB, "<input type='tablet' bus='usb'/>"], """
        Can't add USB input device. USB bus is disabled
    """),
    ("usb-disabled-hub", "pc", [NO_USB, "<hub type='usb'/>"], """
        Can't add USB hub: USB is disabled for this domain
    """),
    ("usb-disabled-hostdev", "pc", [NO_USB, hostdev("usb", "")], """
        Can't add host USB device: USB is disabled in this host
    """),
    ("usb-disabled-sound", "pc", [NO_USB, "<sound model='usb'/>"], """
        USB is disabled for this domain, but USB devices are present in the domain XML
    """),
    ("usb-disabled-usb-net", "pc", [NO_USB, nic("usb-net")], """
        USB is disabled for this domain, but USB devices are present in the domain XML
    """),
    # what only a first or a single device may be
    ("secondary-video-vga", "pc", [video("qxl"), video("vga")], """
        video type 'vga' is only valid as primary video device
    """),
    ("secondary-video-bochs", "pc", [video("qxl"), video("bochs")], """
        video type 'bochs' is only valid as primary video device
    """),
    ("acpi-index", "pc", [disk(0, "<acpi index='1'/>", "scsi", "sd")], """
        ACPI index is only supported for PCI devices
    """),
]
# fmt: on


@pytest.mark.parametrize(("name", "machine", "devices", "headline"), [pytest.param(*row, id=row[0]) for row in REFUSED])
def test_refused(name: str, machine: str, devices: list[str], headline: str) -> None:
    error = refused(machine, *devices)
    assert error.headline == " ".join(headline.split())
    assert name.startswith(error.code)
    assert error.exit_status == 1
    assert error.line == FIRST_LINE + len(devices) - 1
    assert len(error.parties) == 1
    assert error.remedy


def test_usb_net_with_an_address_of_pci_is_no_usb_device_in_older_rules() -> None:
    """Verified against libvirt 9.0.0, which knows the name and no more."""
    text = domain("pc", NO_USB, nic("usb-net", at(0, 7)))
    assert str(pcisim.assign(text, libvirt="9.0").addresses["interface:0"]) == "0000:00:07.0"
    assert refused("pc", NO_USB, nic("usb-net", at(0, 7))).code == "usb-disabled"


def test_ccw_is_for_other_machines() -> None:
    error = refused("pc", nic("virtio", CCW))
    assert error.headline == "CCW addresses are not supported by machine type 'pc'"
    assert (error.code, error.line, error.parties) == ("wrong-address-type", FIRST_LINE, ("interface:0",))


def test_node_on_a_port() -> None:
    numa = "<vcpu>1</vcpu><cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>"
    error = refused("q35", pci("pcie-root-port", 1, "<target><node>0</node></target>"), head=numa)
    assert error.headline == (
        "Option 'numaNode' is not valid for PCI controller with index '1', model 'pcie-root-port'"
        " and modelName 'pcie-root-port'"
    )
    assert (error.code, error.line, error.parties) == ("wrong-option", FIRST_LINE, ("pci:1",))


def test_virtio_iommu_needs_acpi() -> None:
    text = domain("q35", "<iommu model='virtio'/>").replace("<acpi/>", "")
    with pytest.raises(pcisim.PcisimError) as caught:
        pcisim.assign(text)
    assert caught.value.headline == "IOMMU device: 'virtio' requires ACPI"


ACCEPTED = [
    # verified against libvirt 11.3.0: each is taken
    ("index-255", "pc", [pci("pci-bridge", 255)]),
    ("bounds-of-numbers", "q35", [target("pcie-root-port", "chassis='0' port='255'")]),
    ("bounds-of-chassisNr", "pc", [target("pci-bridge", "chassisNr='255'")]),
    ("bounds-of-busNr", "q35", [target("pcie-expander-bus", "busNr='254'")]),
    ("ioh3420", "q35", [pci("pcie-root-port", 1, "<model name='ioh3420'/>")]),
    ("same-chassisNr-twice", "pc", [target("pci-bridge", "chassisNr='7'"), target("pci-bridge", "chassisNr='7'", 2)]),
    ("hotplug-off-on-pci-root", "pc", [target("pci-root", "hotplug='off'", 0)]),
    ("unassigned-hostdev", "pc", [hostdev("pci", UNASSIGNED)]),
    ("nic-on-isa", "pc", [nic("virtio", ISA)]),
    ("virtio-disk-on-mmio", "pc", [disk(0, "<address type='virtio-mmio'/>")]),
    ("video-none-with-address", "pc", [video("none", at(0, 9))]),
    ("itco", "q35", ["<watchdog model='itco'/>"]),
    ("ib700", "pc", ["<watchdog model='ib700'/>"]),
    ("secondary-qxl", "pc", [video("vga"), video("qxl"), video("virtio")]),
    ("usb-none-without-usb-devices", "pc", [NO_USB, "<input type='mouse' bus='ps2'/>"]),
    ("acpi-index-on-pci", "pc", [nic("virtio", "<acpi index='1'/>")]),
]


@pytest.mark.parametrize(("machine", "devices"), [pytest.param(*row[1:], id=row[0]) for row in ACCEPTED])
def test_accepted(machine: str, devices: list[str]) -> None:
    plan = pcisim.assign(domain(machine, *devices))
    assert plan.placement.guest.machine_type == machine


def test_validates_what_was_placed() -> None:
    """`validate` looks at the placed guest: the sound one passes, one with a wrong option does not."""
    guest = complete(Guest.of("q35", {"virtio-blk": 1}), libvirt_version("11.3"))
    placement = LibvirtPolicy().place(guest)
    validate(placement.guest, placement.addresses, libvirt_version("11.3"))
    root = next(c for c in placement.guest.controllers if c.label == "pci:1")
    root.target["busNr"] = 9
    with pytest.raises(pcisim.PcisimError) as caught:
        validate(placement.guest, placement.addresses, libvirt_version("11.3"))
    assert (caught.value.code, caught.value.parties) == ("wrong-option", ("pci:1",))


def test_addresses_are_refused_before_options() -> None:
    """Libvirt rule 0: "an address error is reported before a validation error"."""
    both = [target("pci-bridge", "busNr='9'"), nic("virtio", at(0, 1, 3))]
    assert refused("pc", *both).code == "slot-occupied"


def test_duplicate_indexes_are_refused_before_addresses() -> None:
    """Libvirt rule 0: "... but after duplicate-index errors"."""
    both = [nic("virtio", at(0, 1, 3)), pci("pci-bridge", 1), pci("pci-bridge", 1)]
    assert refused("pc", *both).code == "duplicate-index"


def test_bare_guest_passes() -> None:
    assert completed("pc", BARE).devices["memballoon"][0].model == "none"
