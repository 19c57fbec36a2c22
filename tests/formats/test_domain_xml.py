"""The reader: every attribute rule and the syntax of numbers, with the errors that libvirt 11.3 gives.

All of these were asked of a live libvirt 11.3; it refuses each of `REFUSED` in the same words.
"""

from __future__ import annotations

import pytest

import pcisim
from pcisim.catalogue.versions import libvirt_version
from pcisim.errors import InputError, PcisimError, RefusedError
from pcisim.formats.domain.reader import read
from pcisim.guest import Guest
from tests.guests import FIRST_LINE, domain

RULES = libvirt_version("11.3")


def reading(text: str | bytes, version: str = "11.3") -> Guest:
    """Read a document."""
    return read(text, libvirt_version(version))


def addressed(attributes: str) -> str:
    """Return a network card with an address."""
    return f"<interface type='user'><model type='virtio'/><address {attributes}/></interface>"


# numbers


@pytest.mark.parametrize(
    "number", ["9", "0x9", "0X9", "011", "0b1001", "0B1001", " 9", "\t9", "+9", " +9", "0x00000009", "00000011"]
)
def test_numbers(number: str) -> None:
    device = reading(domain("pc", addressed(f"type='pci' slot='{number}'".replace("\t", "&#9;")))).devices["interface"][
        0
    ]
    assert device.address == 9 << 3


def test_binary_numbers_came_with_a_newer_c_library() -> None:
    text = domain("pc", addressed("type='pci' slot='0b1001'"))
    with pytest.raises(InputError, match=r"'0b1001'\. Expected non-negative integer value"):
        reading(text, "9.0")


@pytest.mark.parametrize(("index", "number"), [("7", 7), ("010", 10), (" 7", 7), ("+7", 7), ("007", 7)])
def test_controller_indexes_are_decimal(index: str, number: int) -> None:
    guest = reading(domain("pc", f"<controller type='pci' index='{index}' model='pci-bridge'/>"))
    assert [(c.index, c.label) for c in guest.controllers] == [(number, f"pci:{number}")]


# addresses


@pytest.mark.parametrize(
    ("attributes", "address"),
    [
        ("type='pci' bus='1'", 0x100),
        ("type='pci' slot='31' function='7'", 0x1F << 3 | 7),
        ("type='pci' bus='255' slot='0x1f' function='0'", 0xFFF8),
        ("type='pci' domain='1'", 0x10000),
        ("type='pci' domain='0xffffffff' slot='1'", 0xFFFFFFFF << 16 | 8),
        ("type='pci' slot='5' colour='red'", 5 << 3),
    ],
)
def test_addresses(attributes: str, address: int) -> None:
    device = reading(domain("pc", addressed(attributes))).devices["interface"][0]
    assert (device.address_type, device.address, device.wants) == ("pci", address, False)


@pytest.mark.parametrize(
    "rest", ["", "domain='0'", "bus='0x0' slot='00'", "function='8'", "function='3' multifunction='on'"]
)
def test_empty_addresses(rest: str) -> None:
    """Domain, bus and slot 0 say nothing, whatever function and multifunction are."""
    device = reading(domain("pc", addressed(f"type='pci' {rest}"))).devices["interface"][0]
    assert (device.address_type, device.address, device.multifunction, device.wants) == ("pci", None, None, True)


@pytest.mark.parametrize("flag", ["on", "off"])
def test_multifunction(flag: str) -> None:
    device = reading(domain("pc", addressed(f"type='pci' slot='5' multifunction='{flag}'"))).devices["interface"][0]
    assert device.multifunction == flag


@pytest.mark.parametrize("kind", ["drive", "usb", "isa", "virtio-mmio", "spapr-vio", "ccid", "virtio-serial", "ccw"])
def test_other_addresses_want_nothing(kind: str) -> None:
    device = reading(domain("pc", addressed(f"type='{kind}' slot='1'"))).devices["interface"][0]
    assert (device.address_type, device.address, device.wants) == (kind, None, False)


def test_the_first_of_two_addresses_counts() -> None:
    both = "<address type='pci' slot='5'/><address type='pci' slot='6'/>"
    guest = reading(
        domain("pc", f"<rng model='virtio'>{both}</rng>", f"<controller type='scsi' index='0'>{both}</controller>")
    )
    assert guest.devices["rng"][0].address == guest.controllers[0].address == 5 << 3


# refusals

REFUSED = (
    (
        addressed("type='pci' slot='9 '"), "bad-number",
        "Invalid value for attribute 'slot' in element 'address': '9 '. Expected non-negative integer value",
    ),
    (
        addressed("type='pci' slot=''"), "bad-number",
        "Invalid value for attribute 'slot' in element 'address': ''. Expected non-negative integer value",
    ),
    (
        addressed("type='pci' slot='09'"), "bad-number",
        "Invalid value for attribute 'slot' in element 'address': '09'. Expected non-negative integer value",
    ),
    (
        addressed("type='pci' slot='1f'"), "bad-number",
        "Invalid value for attribute 'slot' in element 'address': '1f'. Expected non-negative integer value",
    ),
    (
        addressed("type='pci' slot='0x'"), "bad-number",
        "Invalid value for attribute 'slot' in element 'address': '0x'. Expected non-negative integer value",
    ),
    (
        addressed("type='pci' slot='-1'"), "bad-number",
        "Invalid value for attribute 'slot' in element 'address': '-1'. Expected non-negative integer value",
    ),
    (
        addressed("type='pci' slot='- 1'"), "bad-number",
        "Invalid value for attribute 'slot' in element 'address': '- 1'. Expected non-negative integer value",
    ),
    (
        addressed("type='pci' slot='zz'"), "bad-number",
        "Invalid value for attribute 'slot' in element 'address': 'zz'. Expected non-negative integer value",
    ),
    (
        addressed("type='pci' slot='1.0'"), "bad-number",
        "Invalid value for attribute 'slot' in element 'address': '1.0'. Expected non-negative integer value",
    ),
    (
        addressed("type='pci' slot='4294967295'"), "address-range",
        "Invalid PCI address slot='0xffffffff', must be <= 0x1F",
    ),
    (
        addressed("type='pci' slot='4294967296'"), "bad-number",
        "Invalid value for attribute 'slot' in element 'address': '4294967296'. Expected non-negative in"
        "teger value",
    ),
    (
        addressed("type='pci' slot='٩'"), "bad-number",
        "Invalid value for attribute 'slot' in element 'address': '٩'. Expected non-negative integer value",
    ),
    (addressed("type='pci' slot='0x20'"), "address-range", "Invalid PCI address slot='0x20', must be <= 0x1F"),
    (addressed("type='pci' slot='32'"), "address-range", "Invalid PCI address slot='0x20', must be <= 0x1F"),
    (addressed("type='pci' bus='256' slot='1'"), "address-range", "Invalid PCI address bus='0x100', must be <= 0xFF"),
    (
        addressed("type='pci' slot='1' function='8'"), "address-range",
        "Invalid PCI address function=0x8, must be <= 7",
    ),
    (
        addressed("type='pci' function='zz'"), "bad-number",
        "Invalid value for attribute 'function' in element 'address': 'zz'. Expected non-negative integer value",
    ),
    (
        addressed("type='pci' domain='1' slot='5'"), "domain-range",
        "Invalid PCI address 0001:00:05.0. Only PCI domain 0 is available",
    ),
    (
        addressed("type='pci' domain='1'"), "domain-range",
        "Invalid PCI address 0001:00:00.0. Only PCI domain 0 is available",
    ),
    (
        addressed("type='pci' domain='4294967295' slot='5'"), "domain-range",
        "Invalid PCI address ffffffff:00:05.0. Only PCI domain 0 is available",
    ),
    (
        addressed("type='pci' slot='5' multifunction='yes'"), "bad-attribute",
        "Invalid value for attribute 'multifunction' in element 'address': 'yes'. Expected 'on' or 'off'",
    ),
    (
        addressed("type='pci' multifunction='maybe'"), "bad-attribute",
        "Invalid value for attribute 'multifunction' in element 'address': 'maybe'. Expected 'on' or 'off'",
    ),
    (addressed(""), "missing-attribute", "Missing required attribute 'type' in element 'address'"),
    (addressed("type='PCI'"), "address-type", "Invalid value for attribute 'type' in element 'address': 'PCI'."),
    (addressed("type='none'"), "address-type", "Invalid value for attribute 'type' in element 'address': 'none'."),
    (addressed("type='scsi'"), "address-type", "Invalid value for attribute 'type' in element 'address': 'scsi'."),
    (addressed("type='ccw'"), "wrong-address-type", "CCW addresses are not supported by machine type 'pc'"),
    (
        addressed("type='unassigned'"), "wrong-address-type",
        "address of type 'unassigned' is supported only for hostdevs",
    ),
    (
        "<interface type='user'><model type='virtio'/><address type='pci' slot='5'><zpci uid='1'/></addr"
        "ess></interface>", "zpci",
        "This QEMU binary doesn't support zPCI",
    ),
    (
        "<interface type='user'><model type='a b'/></interface>", "interface-model",
        "Model name contains invalid characters",
    ),
    (
        "<interface type='user'><model type='virtio'/><acpi index='0'/></interface>", "acpi-index",
        "Invalid value for attribute 'index' in element 'acpi': Zero is not permitted",
    ),
    (
        "<interface type='user'><model type='virtio'/><acpi index='x'/></interface>", "bad-number",
        "Invalid value for attribute 'index' in element 'acpi': 'x'. Expected non-negative integer value",
    ),
    ("<disk type='file'/>", "no-target", "missing target information for device"),
    ("<disk type='file'><target/></disk>", "no-target", "missing target information for device"),
    (
        "<disk type='file'><source file='/a'/><target dev='vda' bus='foo'/></disk>", "unknown-word",
        "Invalid value for attribute 'bus' in element 'target': 'foo'.",
    ),
    (
        "<disk type='file'><source file='/a'/><target dev='foo' bus='virtio'/></disk>", "disk-name",
        "Unknown disk name 'foo' and no address specified",
    ),
    (
        "<disk type='file'><source file='/a'/><target dev='vdA' bus='virtio'/></disk>", "disk-name",
        "Unknown disk name 'vdA' and no address specified",
    ),
    (
        "<disk type='file' model='foo'><source file='/a'/><target dev='vda' bus='virtio'/></disk>", "unknown-word",
        "Invalid value for attribute 'model' in element 'disk': 'foo'.",
    ),
    (
        "<disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/></disk><disk type='file'><"
        "source file='/b'/><target dev='vda' bus='virtio'/></disk>", "duplicate-target",
        "target 'vda' duplicated for disk sources",
    ),
    (
        "<disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/></disk><disk type='file'><"
        "source file='/b'/><target dev='vda' bus='scsi'/></disk>", "duplicate-target",
        "target 'vda' duplicated for disk sources",
    ),
    (
        "<disk type='file'><source file='/a'/><target dev='sda' bus='scsi'/><address type='drive' contro"
        "ller='x'/></disk>", "bad-number",
        "Invalid value for attribute 'controller' in element 'address': 'x'. Expected non-negative integer value",
    ),
    (
        "<disk type='file'><source file='/a'/><target dev='sda' bus='scsi'/><address type='pci' slot='9'"
        "/></disk>", "wrong-address-type",
        "Invalid address type 'pci' for the disk 'sda' with the bus type 'scsi'",
    ),
    (
        "<disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/><address type='drive'/></disk>",
        "wrong-address-type",
        "virtio disk cannot have an address of type 'drive'",
    ),
    (
        "<controller type='foo'/>", "unknown-word",
        "Invalid value for attribute 'type' in element 'controller': 'foo'.",
    ),
    (
        "<controller type='pci'/>",
        "wrong-root",
        "The PCI controller with index='0' must be model='pci-root' for this machine type,"
        " but model='(null)' was found instead",
    ),
    ("<controller type='pci' index='1'/>", "no-model", "PCI controller model was not set correctly"),
    ("<controller type='pci' index='1' model='foo'/>", "unknown-model", "Unknown model type 'foo'"),
    (
        "<controller type='pci' index='0x1' model='pci-bridge'/>", "bad-number",
        "Invalid value for attribute 'index' in element 'controller': '0x1'. Expected integer value",
    ),
    (
        "<controller type='pci' index='-1' model='pci-bridge'/>", "bad-number",
        "Invalid value for attribute 'index' in element 'controller': '-1'. Expected non-negative value",
    ),
    (
        "<controller type='pci' index='1 ' model='pci-bridge'/>", "bad-number",
        "Invalid value for attribute 'index' in element 'controller': '1 '. Expected integer value",
    ),
    (
        "<controller type='pci' index='' model='pci-bridge'/>", "bad-number",
        "Invalid value for attribute 'index' in element 'controller': ''. Expected integer value",
    ),
    (
        "<controller type='pci' index='256' model='pci-bridge'/>", "index-range",
        "PCI controller index 256 too high, maximum is 255",
    ),
    (
        "<controller type='pci' index='1' model='pci-bridge'><model name='foo'/></controller>", "unknown-word",
        "Invalid value for attribute 'name' in element 'model': 'foo'.",
    ),
    (
        "<controller type='pci' index='1' model='pci-bridge'><model name='pxb'/></controller>", "wrong-model-name",
        "Option 'modelName' has invalid value for PCI controller with index '1', model 'pci-bridge' and "
        "modelName 'pxb'",
    ),
    (
        "<controller type='pci' index='1' model='pci-bridge'><target chassisNr='x'/></controller>", "bad-number",
        "Invalid value for attribute 'chassisNr' in element 'target': 'x'. Expected integer value",
    ),
    (
        "<controller type='pci' index='1' model='pci-bridge'><target chassisNr='0'/></controller>", "target-range",
        "PCI controller chassisNr '0' out of range - must be 1-255",
    ),
    (
        "<controller type='pci' index='1' model='pci-bridge'><target chassisNr='256'/></controller>", "target-range",
        "PCI controller chassisNr '256' out of range - must be 1-255",
    ),
    (
        "<controller type='pci' index='1' model='pci-bridge'><target chassisNr='-1'/></controller>", "bad-number",
        "Invalid value for attribute 'chassisNr' in element 'target': '-1'. Expected non-negative value",
    ),
    (
        "<controller type='pci' index='1' model='pci-bridge'><target port='1'/></controller>", "wrong-option",
        "Option 'port' is not valid for PCI controller with index '1', model 'pci-bridge' and modelName "
        "'pci-bridge'",
    ),
    (
        "<controller type='pci' index='1' model='pci-bridge'><target hotplug='on'/></controller>", "wrong-option",
        "Option 'hotplug' is not valid for PCI controller with index '1', model 'pci-bridge' and modelNa"
        "me 'pci-bridge'",
    ),
    (
        "<controller type='pci' index='1' model='pci-bridge'><target hotplug='maybe'/></controller>", "bad-attribute",
        "Invalid value for attribute 'hotplug' in element 'target': 'maybe'. Expected 'on' or 'off'",
    ),
    (
        "<controller type='pci' index='1' model='pci-bridge'><target memReserve='x'/></controller>", "bad-number",
        "Invalid value for attribute 'memReserve' in element 'target': 'x'. Expected non-negative integer value",
    ),
    (
        "<controller type='pci' index='1' model='pci-expander-bus'><target><node>x</node></target></controller>",
        "bad-number",
        "invalid NUMA node in target",
    ),
    (
        "<controller type='pci' index='1' model='pci-expander-bus'><target><node>3</node></target></controller>",
        "numa-node",
        "pci-expander-bus with index 1 is configured for a NUMA node (3) not present in the domain's <cp"
        "u><numa> array (0)",
    ),
    ("<controller type='usb' model='foo'/>", "unknown-model", "Unknown model type 'foo'"),
    ("<controller type='scsi' model='foo'/>", "unknown-model", "Unknown model type 'foo'"),
    ("<controller type='ide' model='foo'/>", "unknown-model", "Unknown model type 'foo'"),
    (
        "<controller type='virtio-serial' ports='-1'/>", "bad-number",
        "Invalid value for attribute 'ports' in element 'controller': '-1'. Expected non-negative value",
    ),
    (
        "<controller type='virtio-serial' ports='x'/>", "bad-number",
        "Invalid value for attribute 'ports' in element 'controller': 'x'. Expected integer value",
    ),
    (
        "<controller type='usb' index='0' model='ich9-ehci1'/><controller type='usb' index='0' model='ic"
        "h9-uhci1'><master startport='x'/></controller>", "bad-number",
        "Invalid value for attribute 'startport' in element 'master': 'x'. Expected non-negative integer value",
    ),
    ("<hostdev/>", "missing-attribute", "Missing required attribute 'type' in element 'hostdev'"),
    (
        "<hostdev mode='subsystem' type='foo'/>", "unknown-word",
        "Invalid value for attribute 'type' in element 'hostdev': 'foo'.",
    ),
    (
        "<hostdev mode='subsystem' type='scsi_host' model='foo'><source protocol='vhost' wwpn='naa.50014"
        "05df3e54061'/></hostdev>", "unknown-word",
        "Invalid value for attribute 'model' in element 'hostdev': 'foo'.",
    ),
    ("<sound/>", "missing-attribute", "Missing required attribute 'model' in element 'sound'"),
    ("<sound model='foo'/>", "unknown-word", "Invalid value for attribute 'model' in element 'sound': 'foo'."),
    ("<memballoon/>", "missing-attribute", "Missing required attribute 'model' in element 'memballoon'"),
    (
        "<memballoon model='foo'/>", "unknown-word",
        "Invalid value for attribute 'model' in element 'memballoon': 'foo'.",
    ),
    ("<rng/>", "missing-attribute", "Missing required attribute 'model' in element 'rng'"),
    ("<rng model='foo'/>", "unknown-word", "Invalid value for attribute 'model' in element 'rng': 'foo'."),
    ("<watchdog/>", "missing-attribute", "Missing required attribute 'model' in element 'watchdog'"),
    ("<watchdog model='foo'/>", "unknown-word", "Invalid value for attribute 'model' in element 'watchdog': 'foo'."),
    (
        "<video><model type='foo'/></video>", "unknown-word",
        "Invalid value for attribute 'type' in element 'model': 'foo'.",
    ),
    (
        "<filesystem type='mount'><driver type='foo'/><source dir='/a'/><target dir='a'/></filesystem>", "unknown-word",
        "Invalid value for attribute 'type' in element 'driver': 'foo'.",
    ),
    (
        "<shmem name='a'><model type='foo'/></shmem>", "unknown-word",
        "Invalid value for attribute 'type' in element 'model': 'foo'.",
    ),
    ("<input/>", "missing-attribute", "missing input device type"),
    ("<input type='tablet' bus='foo'/>", "unknown-word", "unknown input bus type 'foo'"),
    (
        "<input type='tablet' bus='virtio' model='foo'/>", "unknown-word",
        "unknown input model 'foo'",
    ),
    (
        "<vsock model='foo'><cid auto='yes'/></vsock>", "unknown-word",
        "Invalid value for attribute 'model' in element 'vsock': 'foo'.",
    ),
    ("<memory/>", "missing-attribute", "Missing required attribute 'model' in element 'memory'"),
    ("<memory model='foo'/>", "unknown-word", "Invalid value for attribute 'model' in element 'memory': 'foo'."),
    ("<iommu/>", "missing-attribute", "Missing required attribute 'model' in element 'iommu'"),
    ("<iommu model='foo'/>", "unknown-word", "Invalid value for attribute 'model' in element 'iommu': 'foo'."),
    ("<crypto/>", "missing-attribute", "Missing required attribute 'model' in element 'crypto'"),
    (
        "<crypto model='foo' type='qemu'/>", "unknown-word",
        "Invalid value for attribute 'model' in element 'crypto': 'foo'.",
    ),
    ("<pstore/>", "missing-attribute", "Missing required attribute 'backend' in element 'pstore'"),
    ("<pstore backend='foo'/>", "unknown-word", "Invalid value for attribute 'backend' in element 'pstore': 'foo'."),
    ("<panic model='foo'/>", "unknown-word", "unknown panic model 'foo'"),
    (
        "<serial type='pty'><target type='foo'/></serial>", "unknown-word",
        "unknown target type 'foo' specified for character device",
    ),
    (
        "<channel type='pty'><target type='virtio'/><address type='virtio-serial' controller='x'/></channel>",
        "bad-number",
        "Invalid value for attribute 'controller' in element 'address': 'x'. Expected non-negative integer value",
    ),
    (
        "<interface type='foo'/>", "unknown-word",
        "Invalid value for attribute 'type' in element 'interface': 'foo'.",
    ),
    (
        "<disk type='foo'><source file='/a'/><target dev='vda' bus='virtio'/></disk>", "unknown-word",
        "Invalid value for attribute 'type' in element 'disk': 'foo'.",
    ),
    (
        "<disk device='foo'><source file='/a'/><target dev='vda' bus='virtio'/></disk>", "unknown-word",
        "Invalid value for attribute 'device' in element 'disk': 'foo'.",
    ),
    (
        "<disk device='cdrom'><source file='/a'/><target dev='sda' bus='virtio'/></disk>", "disk-bus",
        "disk type of 'sda' does not support ejectable media",
    ),
    (
        "<disk device='floppy'><source file='/a'/><target dev='vda' bus='fdc'/></disk>", "disk-name",
        "Invalid floppy device name: vda",
    ),
    (
        "<disk device='floppy'><source file='/a'/><target dev='fda' bus='usb'/></disk>", "disk-bus",
        "Invalid bus type 'usb' for floppy disk",
    ),
    (
        "<disk><source file='/a'/><target dev='vda' bus='fdc'/></disk>", "disk-bus",
        "Invalid bus type 'fdc' for disk",
    ),
    (
        "<disk><source file='/a'/><target dev='fda' bus='virtio'/></disk>", "disk-name",
        "Invalid harddisk device name: fda",
    ),
    (
        "<disk><source file='/a'/><target dev='vda1'/></disk>", "disk-name",
        "invalid disk target 'vda1', partitions can't appear in disk targets",
    ),
    (
        "<disk><source file='/a'/><target dev='foo' bus='virtio'/><address type='pci' slot='9'/></disk>", "disk-name",
        "Invalid harddisk device name: foo",
    ),
    (
        "<disk model='virtio'><source file='/a'/><target dev='sda' bus='scsi'/></disk>", "disk-bus",
        "disk model 'virtio' not supported for bus 'scsi'",
    ),
    (
        "<disk type='block' device='lun'><source dev='/a'/><target dev='sda' bus='usb'/></disk>", "disk-bus",
        "disk device='lun' is not supported for bus='usb'",
    ),
    (
        "<hostdev mode='subsystem' type='pci'/>", "missing-source",
        "Missing <source> element in hostdev device",
    ),
    (
        "<hostdev mode='subsystem' type='mdev'><source/></hostdev>", "missing-attribute",
        "Missing required attribute 'model' in element 'hostdev'",
    ),
    (
        "<hostdev mode='subsystem' type='mdev' model='foo'><source/></hostdev>", "unknown-word",
        "Invalid value for attribute 'model' in element 'hostdev': 'foo'.",
    ),
    (
        "<hostdev mode='subsystem' type='pci'><source><address bus='0x1ff' slot='1'/></source></hostdev>",
        "address-range",
        "Invalid PCI address bus='0x1ff', must be <= 0xFF",
    ),
    (
        "<hostdev mode='subsystem' type='pci'><source><address bus='x' slot='1'/></source></hostdev>", "bad-number",
        "Invalid value for attribute 'bus' in element 'address': 'x'. Expected non-negative integer value",
    ),
    (
        "<interface type='hostdev'><source><address type='pci' bus='0xf0' slot='0x20'/></source></interface>",
        "address-range",
        "Invalid PCI address slot='0x20', must be <= 0x1F",
    ),
    (
        "<input/>", "missing-attribute",
        "missing input device type",
    ),
    (
        "<input type='foo'/>", "unknown-word",
        "unknown input device type 'foo'",
    ),
    (
        "<input type='tablet' bus='ps2'/>", "input-bus",
        "ps2 bus does not support tablet input device",
    ),
    (
        "<input type='tablet' bus='xen'/>", "input-bus",
        "unsupported input bus xen",
    ),
    (
        "<input type='mouse' bus='ps2' model='virtio'/>", "input-bus",
        "only bus 'virtio' is supported for input model 'virtio'",
    ),
    (
        "<input type='evdev' bus='usb'/>", "input-bus",
        "input evdev doesn't support bus element",
    ),
    (
        "<input type='passthrough' bus='usb'/>", "input-bus",
        "only bus 'virtio' is supported for 'passthrough' input devices",
    ),
    (
        "<filesystem type='foo'/>", "unknown-word",
        "Invalid value for attribute 'type' in element 'filesystem': 'foo'.",
    ),
    (
        "<filesystem model='foo'/>", "unknown-word",
        "Invalid value for attribute 'model' in element 'filesystem': 'foo'.",
    ),
    (
        "<filesystem model='virtio'><driver type='virtiofs'/><source dir='/a'/><target dir='a'/></filesystem>",
        "filesystem",
        "virtiofs does not support model",
    ),
    (
        "<shmem name='a'/>", "obsolete-model",
        "ivshmem device is no longer supported",
    ),
    (
        "<shmem name='a'><model type='ivshmem'/></shmem>", "obsolete-model",
        "ivshmem device is no longer supported",
    ),
    (
        "<watchdog model='i6300esb' action='foo'/>", "unknown-word",
        "Invalid value for attribute 'action' in element 'watchdog': 'foo'.",
    ),
    (
        "<serial type='foo'/>", "unknown-word",
        "unknown type presented to host for character device: foo",
    ),
    (
        "<channel type='pty'/>", "missing-attribute",
        "target type must be specified for channel device",
    ),
    (
        "<channel type='pty'><target type='foo'/></channel>", "unknown-word",
        "unknown target type 'foo' specified for character device",
    ),
    (
        "<console type='pty'><target type='foo'/></console>", "unknown-word",
        "unknown target type 'foo' specified for character device",
    ),
    (
        "<serial type='pty'><target type='pci-serial'><model name='isa-serial'/></target></serial>", "wrong-option",
        "Target model 'isa-serial' requires target type 'isa-serial'",
    ),
    (
        "<serial type='pty'><target><model name='pci-serial'/></target></serial>", "wrong-option",
        "Target model 'pci-serial' requires target type 'pci-serial'",
    ),
    (
        "<serial type='pty'><target type='pci-serial'><model name='foo'/></target></serial>", "unknown-word",
        "unknown target model 'foo' specified for character device",
    ),
    (
        "<tpm model='foo'/>", "unknown-word",
        "Invalid value for attribute 'model' in element 'tpm': 'foo'.",
    ),
    (
        "<hub type='foo'/>", "unknown-word",
        "unknown hub device type 'foo'",
    ),
    (
        "<redirdev bus='foo' type='spicevmc'/>", "unknown-word",
        "unknown redirdev bus 'foo'",
    ),
    (
        "<smartcard mode='foo'/>", "unknown-word",
        "Invalid value for attribute 'mode' in element 'smartcard': 'foo'.",
    ),
    (
        "<graphics type='foo'/>", "unknown-word",
        "Invalid value for attribute 'type' in element 'graphics': 'foo'.",
    ),
    (
        "<controller type='usb' model=''/>", "unknown-model",
        "Unknown model type ''",
    ),
    (
        "<controller type='pci' index='1' model=''/>", "unknown-model",
        "Unknown model type ''",
    ),
    (
        "<controller type='usb' ports='x'/>", "bad-number",
        "Invalid value for attribute 'ports' in element 'controller': 'x'. Expected integer value",
    ),
    (
        "<controller type='pci' index='1' model='pci-bridge'><target/><target/></controller>", "second-element",
        "Multiple <target> elements in controller definition not allowed",
    ),
    (
        "<controller type='scsi'><model/><model/></controller>", "second-element",
        "Multiple <model> elements in controller definition not allowed",
    ),
    (
        "<memory model='dimm'><target><size>1</size></target><address type='dimm'/></memory>", "missing-attribute",
        "Missing required attribute 'slot' in element 'address'",
    ),
    (
        "<memory model='dimm'><target><size>1</size></target><address type='dimm' slot='0x1'/></memory>", "bad-number",
        "Invalid value for attribute 'slot' in element 'address': '0x1'. Expected non-negative integer value",
    ),
    (
        "<rng model='virtio'><backend model='random'/><address type='drive' controller='0x1'/></rng>", "bad-number",
        "Invalid value for attribute 'controller' in element 'address': '0x1'. Expected non-negative integer value",
    ),
    (
        "<rng model='virtio'><backend model='random'/><address type='isa' iobase='x'/></rng>", "bad-number",
        "Invalid value for attribute 'iobase' in element 'address': 'x'. Expected non-negative integer value",
    ),
    (
        "<rng model='virtio'><backend model='random'/><address type='ccid' slot='-1'/></rng>", "bad-number",
        "Invalid value for attribute 'slot' in element 'address': '-1'. Expected non-negative integer value",
    ),
    (
        "<rng model='virtio'><backend model='random'/><address type='spapr-vio' reg='x'/></rng>", "bad-number",
        "Invalid value for attribute 'reg' in element 'address': 'x'. Expected non-negative integer value",
    ),
    (
        "<rng model='virtio'><backend model='random'/><acpi index='0x1'/></rng>", "bad-number",
        "Invalid value for attribute 'index' in element 'acpi': '0x1'. Expected non-negative integer value",
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("element", "code", "headline"), REFUSED, ids=[f"{n}-{row[1]}" for n, row in enumerate(REFUSED)]
)
def test_refusals(element: str, code: str, headline: str) -> None:
    with pytest.raises(PcisimError) as caught:
        pcisim.assign(domain("pc", element), name="guest.xml")
    error = caught.value
    assert (error.headline, error.code) == (headline, code)
    assert (error.file, error.line) == ("guest.xml", FIRST_LINE)
    assert str(error) == f"guest.xml:{FIRST_LINE}: {headline}"
    assert isinstance(error, InputError if code in SYNTAX else RefusedError)
    assert len(error.parties) == (2 if code == "duplicate-target" else 1)


SYNTAX = {
    "bad-number", "bad-attribute", "unknown-word", "missing-attribute", "address-type", "address-range",
    "interface-model", "disk-name", "acpi-index", "missing-source",
}  # fmt: skip
"""What is out of syntax or range; the command line ends with 3."""


def test_the_line_is_that_of_the_element() -> None:
    card = "<interface type='user'>\n<model type='virtio'/>\n<address\ntype='pci'\nslot='99'/>\n</interface>"
    with pytest.raises(InputError) as caught:
        pcisim.assign(domain("pc", "<rng model='virtio'/>", card))
    assert (caught.value.line, caught.value.parties) == (FIRST_LINE + 3, ("interface:0",))


@pytest.mark.parametrize(
    ("text", "line", "headline"),
    [
        ("<domain/>", 1, "an os <type> must be specified"),
        ("\n<domain>\n<os/>\n</domain>", 2, "an os <type> must be specified"),
    ],
)
def test_no_machine(text: str, line: int, headline: str) -> None:
    with pytest.raises(RefusedError) as caught:
        reading(text)
    assert (caught.value.line, caught.value.headline, caught.value.code) == (line, headline, "no-os-type")


def test_another_root_element() -> None:
    with pytest.raises(InputError) as caught:
        reading("<domainsnapshot><domain/></domainsnapshot>")
    assert (caught.value.line, caught.value.code) == (1, "not-a-domain")


# what there is to read


def test_machine_and_architecture() -> None:
    guest = reading("<domain><os><type>hvm</type></os></domain>")
    assert (guest.machine_type, guest.arch, guest.devices, guest.controllers, guest.acpi) == (
        "",
        "x86_64",
        {},
        [],
        False,
    )
    guest = reading(
        "<domain><os><type arch='i686' machine='pc-q35-9.2'>hvm</type></os><features><acpi/></features>"
        "<cpu><numa><cell id='0'/><cell/><cell id='0x5'/></numa></cpu>"
        "<devices><graphics type='vnc'/></devices></domain>"
    )
    assert (guest.machine_type, guest.arch, guest.acpi, guest.graphics) == ("pc-q35-9.2", "i686", True, True)
    assert guest.numa_nodes == {0, 1, 5}


def test_labels_and_lines() -> None:
    text = domain(
        "q35",
        "<disk type='file'><target dev='vdb' bus='virtio'/></disk>",
        "<interface type='user'/>",
        "<interface type='user'/>",
        "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source>"
        "<address uuid='470ea4b5-0f16-4df7-aff2-4fb4cec610c7'/></source></hostdev>",
        "<controller type='pci' model='pcie-root-port'/>",
        "<unknown-element model='x'/>",
    )
    devices = list(reading(text).all_devices())
    assert {d.label: d.line for d in devices} == {
        "disk:vdb": FIRST_LINE,
        "interface:0": FIRST_LINE + 1,
        "interface:1": FIRST_LINE + 2,
        "hostdev:0": FIRST_LINE + 3,
        "pci:?": FIRST_LINE + 4,
    }


@pytest.mark.parametrize(
    ("name", "bus", "number"),
    [
        ("vda", "virtio", 0), ("vdz", "virtio", 25), ("vdaa", "virtio", 26), ("sdab", "scsi", 27), ("hdc", "ide", 2),
        ("fdb", "fdc", 1), ("xvda", "xen", 0), ("ubda", "uml", 0),
    ],
)  # fmt: skip
def test_the_bus_of_a_disk_that_names_none(name: str, bus: str, number: int) -> None:
    kind = "floppy" if bus == "fdc" else "disk"
    disk = reading(domain("pc", f"<disk type='file' device='{kind}'><target dev='{name}'/></disk>")).devices["disk"][0]
    assert (disk.bus, disk.unit, disk.defaults) == (bus, number, {"target/@bus": bus})


@pytest.mark.parametrize(
    ("written", "model"), [("E1000", "e1000"), ("VIRTIO", "virtio"), ("am79c973", "Am79C973"), ("Foo", "Foo")]
)
def test_models_of_interfaces_in_another_spelling(written: str, model: str) -> None:
    card = reading(domain("pc", f"<interface type='user'><model type='{written}'/></interface>")).devices["interface"][
        0
    ]
    assert (card.model, card.defaults) == (model, {} if model == written else {"model/@type": model})


def test_host_devices_are_looked_up_only_if_asked() -> None:
    text = domain(
        "q35",
        "<hostdev mode='subsystem' type='pci'><source><address bus='6' slot='0x12' function='1'/></source></hostdev>",
        "<interface type='hostdev'><source><address type='pci' domain='1' bus='0x7'/></source></interface>",
        "<hostdev mode='subsystem' type='pci'><source/></hostdev>",
    )
    asked: list[str] = []

    def look(address: pcisim.PciAddress) -> bool:
        asked.append(str(address))
        return address.bus == 6

    guest = read(text, RULES, host_pci=look)
    assert asked == ["0000:06:12.1", "0001:07:00.0"]
    plugs = [device.plug for device in guest.all_devices()]
    assert plugs == [1, 2, 2]
    assert [device.plug for device in reading(text).all_devices()] == [2, 2, 2]


# text and bytes

GUEST = (
    "<domain><!-- caf\xe9 --><os><type machine='q35'>hvm</type></os><devices><rng model='virtio'/></devices></domain>"
)


@pytest.mark.parametrize(
    "text",
    [
        GUEST,
        f"<?xml version='1.0' encoding='iso-8859-1'?>{GUEST}",
        f"<?xml version='1.0' encoding='no-such-thing'?>{GUEST}",
        f"\ufeff{GUEST}",
        GUEST.encode(),
        GUEST.encode("utf-8-sig"),
        GUEST.encode("utf-16"),
        f"<?xml version='1.0' encoding='iso-8859-1'?>{GUEST}".encode("latin-1"),
        f"<?xml version='1.0' encoding='windows-1252'?>{GUEST}".encode("cp1252"),
    ],
)
def test_text_and_bytes(text: str | bytes) -> None:
    assert reading(text).machine_type == "q35"
    written = pcisim.assign_xml(text)
    assert type(written) is type(text)
    assert pcisim.assign(written).addresses == pcisim.assign(GUEST).addresses


def test_the_declared_encoding_is_believed_for_bytes() -> None:
    with pytest.raises(InputError, match="encoding 'no-such-thing'"):
        reading(f"<?xml version='1.0' encoding='no-such-thing'?>{GUEST}".encode())
    with pytest.raises(InputError, match="the byte 0xe9"):
        reading(GUEST.encode("latin-1"))


def test_the_base_of_a_memory_device_has_64_bits() -> None:
    address = "<address type='dimm' slot='0' base='0x100000000'/>"
    dimm = f"<memory model='dimm'><target><size>1</size></target>{address}</memory>"
    assert reading(domain("pc", dimm)).devices["memory"][0].address_type == "dimm"


# what stands twice


def test_devices_of_all_elements_are_read() -> None:
    nic, rng = "<interface type='user'/>", "<rng model='virtio'/>"
    guest = reading(domain("pc", nic).replace("</domain>", f"<devices>{rng}{nic}</devices></domain>"))
    assert [device.label for device in guest.all_devices()] == ["interface:0", "interface:1", "rng:0"]


def test_a_target_of_two_devices_elements_is_one_too_many() -> None:
    disk = "<disk type='file'><target dev='vda' bus='virtio'/></disk>"
    text = domain("pc", disk).replace("</domain>", f"<devices>{disk}</devices></domain>")
    with pytest.raises(RefusedError, match="target 'vda' duplicated"):
        pcisim.assign(text)


def test_the_first_os_that_says_it_says_machine_and_architecture() -> None:
    text = "<domain><os><bootmenu/></os><os><type>hvm</type></os><os><type machine='q35'/></os>{}</domain>"
    guest = reading(text.format("<os><type arch='i686' machine='pc'/></os>"))
    assert (guest.machine_type, guest.arch) == ("q35", "i686")
    assert reading(text.format("")).arch == "x86_64"


def test_acpi_and_numa_cells_of_all_elements_are_read() -> None:
    cpu = "<cpu><numa><cell id='{}'/></numa><numa><cell id='9'/></numa></cpu>"
    text = "<domain><os><type/></os><features><acpi/></features><features/>{}</domain>"
    guest = reading(text.format(cpu.format(0) + cpu.format(1)))
    assert (guest.acpi, guest.numa_nodes) == (True, frozenset({0, 1}))
    with pytest.raises(InputError, match="Duplicate NUMA cell info for cell id '0'"):
        reading(text.format(cpu.format(0) + cpu.format(0)))


@pytest.mark.parametrize(("version", "model", "primary"), [("9.0", "virtio", True), ("11.3", "", False)])
def test_models_of_a_video_device(version: str, model: str, primary: bool) -> None:
    models = "<model/><model type='virtio'/><model type='qxl' primary='yes'/>"
    (video,) = reading(domain("pc", f"<video>{models}</video>"), version).devices["video"]
    assert (video.model, video.primary) == (model, primary)


# USB devices of the host


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("<address type='usb' bus='2' device='3'/>", "usb"),
        ("<vendor id='0x1234'/><product id='1'/>", "usb"),
        ("<vendor id='0x1234'/><product id='1'/><address type='pci' bus='2'/>", ""),
        ("<address type='pci' bus='2'/>", ""),
    ],
)
def test_an_interface_of_the_host_is_on_pci_or_on_usb(source: str, kind: str) -> None:
    text = domain("pc", f"<interface type='hostdev'><source>{source}</source></interface>")
    (device,) = reading(text).devices["interface"]
    assert (device.kind, device.on_pci) == (kind, not kind)


@pytest.mark.parametrize(
    ("source", "headline"),
    [
        ("", "unknown host device source address type '(null)'"),
        ("<address bus='2'/>", "unknown host device source address type '(null)'"),
        ("<address type='drive'/>", "unknown host device source address type 'drive'"),
        ("<vendor id='1'/>", "missing product"),
        ("<vendor/><product id='1'/>", "Missing required attribute 'id' in element 'vendor'"),
        ("<vendor id='0'/><product id='1'/>", "Invalid value for attribute 'id' in element 'vendor': Zero is not"),
        ("<vendor id='1'/><product id='x'/>", "Invalid value for attribute 'id' in element 'product': 'x'."),
        ("<address type='usb' device='1'/>", "Missing required attribute 'bus' in element 'address'"),
        ("<address type='usb' bus='1'/>", "Missing required attribute 'device' in element 'address'"),
    ],
)
def test_which_device_of_the_host(source: str, headline: str) -> None:
    text = domain("pc", f"<interface type='hostdev'><source>{source}</source></interface>")
    with pytest.raises(PcisimError) as caught:
        reading(text)
    assert caught.value.headline.startswith(headline)
    if "(null)" in headline:
        with pytest.raises(InputError, match="missing source address type"):
            reading(text, "9.0")


@pytest.mark.parametrize(
    ("address", "headline"),
    [
        ("<address/>", "No type specified for device address"),
        ("<address type='none'/>", "unknown address type 'none'"),
    ],
)
def test_types_of_addresses_in_the_words_of_9_0(address: str, headline: str) -> None:
    with pytest.raises(InputError) as caught:
        reading(domain("pc", f"<rng model='virtio'>{address}</rng>"), "9.0")
    assert caught.value.headline == headline


@pytest.mark.parametrize(
    ("device", "headline"),
    [
        ("<rng model='x'/>", "unknown RNG model 'x'"),
        ("<watchdog model='itco'/>", "unknown watchdog model 'itco'"),
        ("<panic model='pvpanic'/>", "unknown panic model 'pvpanic'"),
        ("<video><model type='x'/></video>", "unknown video model 'x'"),
        ("<sound model='virtio'/>", "Invalid value for attribute 'model' in element 'sound': 'virtio'."),
    ],
)
def test_unknown_models_in_the_words_of_9_0(device: str, headline: str) -> None:
    with pytest.raises(InputError) as caught:
        reading(domain("pc", device), "9.0")
    assert caught.value.headline == headline
