"""The writer: exactly what is added and changed, in the file's own indentation and quotes, and nothing else."""

from __future__ import annotations

import pytest

import pcisim
from tests.guests import domain

DOMAIN = """\
<domain>
  <os>
    <type machine='{machine}'>hvm</type>
  </os>
  <devices>
{devices}
  </devices>
</domain>
"""


def written(machine: str, devices: str, version: str = "11.3") -> tuple[str, list[str]]:
    """Return the lines of the devices as they become, and what was replaced."""
    text = DOMAIN.format(machine=machine, devices=devices.rstrip("\n"))
    plan = pcisim.assign(text, libvirt=version)
    after = plan.to_xml()
    assert isinstance(after, str)
    head, tail = DOMAIN.format(machine=machine, devices="\0").split("\0")
    assert after.startswith(head)
    assert after.endswith(tail)
    return after[len(head) : -len(tail)] + "\n", [f"{change.line}: {change}" for change in plan.changes()]


QUIET = """\
    <controller type='usb' index='0' model='none'/>
    <memballoon model='none'/>
"""
"""Keeps libvirt from adding anything but the root bus (and SATA on q35)."""
ROOT = """\
    <controller type='pci' index='0' model='pci-root'/>
"""
QUIET_ROOT = QUIET.replace("    <mem", f"{ROOT}    <mem")
USB_NONE = "<controller type='usb' index='0' model='none'/>"
USB_NONE_AT = "<controller type='usb' index='0' model='none'><address type='pci' slot='9'/></controller>"
USB_NONE_OPEN = "<controller type='usb' index='0' model='none'></controller>"
SERIAL = """\
    <controller type='virtio-serial' index='0'>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>
    </controller>
"""

CASES: dict[str, tuple[str, str, str, list[str]]] = {
    "nothing": ("pc", QUIET_ROOT, QUIET_ROOT, []),
    "the-root-bus": ("pc", QUIET, QUIET_ROOT, []),
    "an-address": (
        "pc",
        QUIET_ROOT + "    <rng model='virtio'>\n      <backend model='random'/>\n    </rng>\n",
        QUIET_ROOT
        + "    <rng model='virtio'>\n      <backend model='random'/>\n"
        + "      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>\n    </rng>\n",
        [],
    ),
    "an-element-is-opened": (
        "pc",
        QUIET_ROOT + "    <rng model='virtio' />\n",
        QUIET_ROOT
        + "    <rng model='virtio'>\n"
        + "      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>\n    </rng>\n",
        ["9: opened <rng .../>"],
    ),
    "an-element-on-one-line": (
        "pc",
        QUIET_ROOT + "    <rng model='virtio'><backend model='random'/></rng> <!-- mine -->\n",
        QUIET_ROOT
        + "    <rng model='virtio'><backend model='random'/>"
        + "<address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/></rng> <!-- mine -->\n",
        [],
    ),
    "double-quotes-and-tabs": (
        "pc",
        QUIET_ROOT.replace("'", '"').replace("    ", "\t\t") + '\t\t<rng model="virtio">\n\t\t</rng>\n',
        QUIET_ROOT.replace("'", '"').replace("    ", "\t\t")
        + '\t\t<rng model="virtio">\n'
        + '\t\t  <address type="pci" domain="0x0000" bus="0x00" slot="0x02" function="0x0"/>\n\t\t</rng>\n',
        [],
    ),
    "an-empty-address-is-filled-in": (
        "pc",
        QUIET_ROOT + "    <rng model='virtio'><address type='pci'/></rng>\n",
        QUIET_ROOT
        + "    <rng model='virtio'><address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/></rng>\n",
        [],
    ),
    "what-an-empty-address-says-besides-goes": (
        "pc",
        QUIET_ROOT + "    <rng model='virtio'><address function='7' type='pci' bus='0' multifunction='on'/></rng>\n",
        QUIET_ROOT
        + "    <rng model='virtio'><address function='0x0' type='pci' bus='0' domain='0x0000' slot='0x02'/></rng>\n",
        [
            "9: removed attribute multifunction of address: on",
            "9: set attribute function of address: 7 -> 0x0",
        ],
    ),
    "addresses-stay-as-they-are-written": (
        "pc",
        QUIET_ROOT + "    <rng model='virtio'><address type='pci' slot=' 011' function='+0'   bus=\"0\" /></rng>\n",
        QUIET_ROOT + "    <rng model='virtio'><address type='pci' slot=' 011' function='+0'   bus=\"0\" /></rng>\n",
        [],
    ),
    "multifunction-is-added": (
        "pc",
        QUIET_ROOT
        + "    <rng model='virtio'><address type='pci' slot='9'/></rng>\n"
        + "    <rng model='virtio'><address type='pci' slot='9' function='1'/></rng>\n",
        QUIET_ROOT
        + "    <rng model='virtio'><address type='pci' slot='9' multifunction='on'/></rng>\n"
        + "    <rng model='virtio'><address type='pci' slot='9' function='1'/></rng>\n",
        [],
    ),
    "multifunction-off-is-respected": (
        "pc",
        QUIET_ROOT
        + "    <rng model='virtio'><address type='pci' slot='9' multifunction='off'/></rng>\n"
        + "    <rng model='virtio'><address type='pci' slot='9' function='1'/></rng>\n",
        QUIET_ROOT
        + "    <rng model='virtio'><address type='pci' slot='9' multifunction='off'/></rng>\n"
        + "    <rng model='virtio'><address type='pci' slot='9' function='1'/></rng>\n",
        [],
    ),
    "implied-devices-go-to-the-end": (
        "pc",
        "    <graphics type='vnc'/>\n",
        """\
    <graphics type='vnc'/>
    <controller type='usb' index='0' model='piix3-uhci'>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x2'/>
    </controller>
    <controller type='pci' index='0' model='pci-root'/>
    <memballoon model='virtio'>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/>
    </memballoon>
    <video>
      <model type='cirrus'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>
    </video>
""",
        [],
    ),
    "controllers-go-after-the-last-one": (
        "pc",
        QUIET_ROOT + "    <!-- a card -->\n" + "    <rng model='virtio'><address type='pci' bus='1' slot='4'/></rng>\n",
        QUIET_ROOT.replace(
            ROOT,
            ROOT
            + """\
    <controller type='pci' index='1' model='pci-bridge'>
      <model name='pci-bridge'/>
      <target chassisNr='1'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>
    </controller>
""",
        )
        + "    <!-- a card -->\n"
        + "    <rng model='virtio'><address type='pci' bus='1' slot='4'/></rng>\n",
        [],
    ),
    "names-and-numbers-of-a-controller": (
        "q35",
        QUIET
        + "    <controller type='pci' model='pcie-root'/>\n    <controller type='pci' model='pcie-root-port'/>\n"
        + "    <controller type='pci' model='pcie-root-port'><target chassis='77'/></controller>\n"
        + "    <controller type='pci' model='pcie-expander-bus'>\n      <model/>\n    </controller>\n"
        + "    <controller type='sata' index='0'/>\n",
        QUIET
        + """\
    <controller type='pci' model='pcie-root' index='0'/>
    <controller type='pci' model='pcie-root-port' index='1'>
      <model name='pcie-root-port'/>
      <target chassis='1' port='0x8'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0' multifunction='on'/>
    </controller>
    <controller type='pci' model='pcie-root-port' index='2'><target chassis='77' port='0x9'/>"""
        + "<model name='pcie-root-port'/>"
        + """<address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x1'/></controller>
    <controller type='pci' model='pcie-expander-bus' index='3'>
      <model name='pxb-pcie'/>
      <target busNr='254'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>
    </controller>
    <controller type='sata' index='0'>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x1f' function='0x2'/>
    </controller>
""",
        ["9: opened <controller .../>", "14: opened <controller .../>"],
    ),
    "companions-of-usb": (
        "pc",
        "    <memballoon model='none'/>\n"
        + ROOT
        + "    <controller type='usb' index='0' model='ich9-ehci1'/>\n"
        + "    <controller type='usb' index='0' model='ich9-uhci2'>\n    </controller>\n",
        "    <memballoon model='none'/>\n"
        + ROOT
        + """\
    <controller type='usb' index='0' model='ich9-ehci1'>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x7'/>
    </controller>
    <controller type='usb' index='0' model='ich9-uhci2'>
      <master startport='2'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x1'/>
    </controller>
""",
        ["8: opened <controller .../>"],
    ),
    "the-bus-of-a-card-goes-up": (
        "q35",
        QUIET + "    <interface type='user'>\n      <model type='e1000'/>\n"
        "      <address type='pci' bus='0x1' slot='0x4'/>\n    </interface>\n",
        QUIET.replace(
            "    <mem",
            """\
    <controller type='sata' index='0'>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x1f' function='0x2'/>
    </controller>
    <controller type='pci' index='0' model='pcie-root'/>
    <controller type='pci' index='1' model='pcie-root-port'>
      <model name='pcie-root-port'/>
      <target chassis='1' port='0x8'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0' multifunction='on'/>
    </controller>
    <controller type='pci' index='2' model='pcie-to-pci-bridge'>
      <model name='pcie-pci-bridge'/>
      <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
    </controller>
    <controller type='pci' index='3' model='pcie-root-port'>
      <model name='pcie-root-port'/>
      <target chassis='3' port='0x9'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x1'/>
    </controller>
    <mem""",
        )
        + "    <interface type='user'>\n      <model type='e1000'/>\n"
        "      <address type='pci' bus='0x02' slot='0x4'/>\n    </interface>\n",
        ["10: set attribute bus of address: 0x1 -> 0x02"],
    ),
    "models-that-libvirt-fills-in": (
        "pc",
        QUIET_ROOT
        + "    <interface type='user'/>\n    <video/>\n    <interface type='user'>\n      <model type='E1000'/>\n"
        + "      <address type='pci'/>\n    </interface>\n"
        + "    <disk type='file'>\n      <target dev='vda'/>\n    </disk>\n"
        + "    <controller type='scsi' index='0'/>\n",
        QUIET_ROOT
        + """\
    <interface type='user'>
      <model type='rtl8139'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/>
    </interface>
    <video>
      <model type='cirrus'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>
    </video>
    <interface type='user'>
      <model type='e1000'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x04' function='0x0'/>
    </interface>
    <disk type='file'>
      <target dev='vda' bus='virtio'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x06' function='0x0'/>
    </disk>
    <controller type='scsi' index='0' model='lsilogic'>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0'/>
    </controller>
""",
        [
            "9: opened <interface .../>",
            "10: opened <video/>",
            "12: set attribute type of model: E1000 -> e1000",
            "18: opened <controller .../>",
        ],
    ),
    "dropped-addresses": (
        "pc",
        QUIET_ROOT.replace(USB_NONE, USB_NONE_AT)
        + "    <channel type='pty'>\n      <target type='virtio'/>\n"
        + "      <address type='pci' slot='9'/>\n    </channel>\n"
        + "    <video><model type='none'/><address type='pci' slot='9'/></video>\n",
        QUIET_ROOT.replace(USB_NONE, USB_NONE_OPEN).replace(ROOT, ROOT + SERIAL)
        + "    <channel type='pty'>\n      <target type='virtio'/>\n    </channel>\n"
        + "    <video><model type='none'/></video>\n",
        ["6: removed address of line 6", "11: removed address of line 11", "13: removed address of line 13"],
    ),
    "the-primary-video-comes-first": (
        "pc",
        QUIET_ROOT
        + "    <video>\n      <model type='qxl'/>\n    </video>\n    <sound model='sb16'/>\n"
        + "    <video>\n      <model type='qxl' primary='yes'/>\n    </video>\n",
        QUIET_ROOT
        + """\
    <video>
      <model type='qxl' primary='yes'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>
    </video>
    <video>
      <model type='qxl'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/>
    </video>
    <sound model='sb16'/>
""",
        ["13: moved video: line 13 -> before line 9"],
    ),
    "what-libvirt-does-not-know-stays": (
        "pc",
        QUIET_ROOT + "    <gadget model='x'/>\n    <!-- <rng model='virtio'/> -->\n    <?php <rng/> ?>\n",
        QUIET_ROOT + "    <gadget model='x'/>\n    <!-- <rng model='virtio'/> -->\n    <?php <rng/> ?>\n",
        [],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_written(case: str) -> None:
    machine, before, after, changes = CASES[case]
    assert written(machine, before) == (after, changes)


@pytest.mark.parametrize("case", CASES)
def test_written_once_is_written_for_good(case: str) -> None:
    machine, _, after, _ = CASES[case]
    assert written(machine, after) == (after, [])


LINE = "<address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>"


def test_a_guest_without_devices() -> None:
    before = "<domain>\n  <os>\n    <type>hvm</type>\n  </os>\n</domain>\n"
    assert pcisim.assign_xml(before) == (
        "<domain>\n  <os>\n    <type>hvm</type>\n  </os>\n  <devices>\n"
        "    <controller type='usb' index='0' model='piix3-uhci'>\n"
        "      <address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x2'/>\n"
        "    </controller>\n"
        "    <controller type='pci' index='0' model='pci-root'/>\n"
        f"    <memballoon model='virtio'>\n      {LINE}\n    </memballoon>\n"
        "  </devices>\n</domain>\n"
    )


def test_a_guest_on_one_line() -> None:
    before = (
        "<domain><os><type>hvm</type></os><devices><controller type='usb' index='0' model='none'/>"
        "<controller type='pci' index='0' model='pci-root'/><memballoon model='virtio'/></devices></domain>"
    )
    after = before.replace("<memballoon model='virtio'/>", f"<memballoon model='virtio'>{LINE}</memballoon>")
    assert pcisim.assign_xml(before) == after


def test_windows_line_ends() -> None:
    before = DOMAIN.format(machine="pc", devices=QUIET_ROOT + "    <rng model='virtio'/>").replace("\n", "\r\n")
    after = before.replace("<rng model='virtio'/>", f"<rng model='virtio'>\r\n      {LINE}\r\n    </rng>")
    assert pcisim.assign_xml(before) == after
    assert pcisim.assign_xml(before.encode()) == after.encode()


def test_what_libvirt_9_0_does_not_know() -> None:
    devices = QUIET_ROOT.replace(
        ROOT, ROOT + "    <controller type='pci' index='1' model='pci-bridge'><target memReserve='4'/></controller>\n"
    )
    devices += "    <crypto model='virtio' type='qemu'>\n      <address type='pci' slot='7'/>\n    </crypto>\n"
    after, changes = written("pc", devices, "9.0")
    assert "memReserve" not in after
    assert "<crypto model='virtio' type='qemu'>\n    </crypto>\n" in after
    assert changes == ["8: removed attribute memReserve of target: 4", "11: removed address of line 11"]
    after, changes = written("pc", devices, "11.3")
    assert "<target memReserve='4' chassisNr='1'/>" in after
    assert "<address type='pci' slot='7'/>" in after
    assert changes == []


def test_addresses_of_other_types_that_libvirt_wrote_stay() -> None:
    """Libvirt rule 1.2: those of PCI on a hub and a dimm are replaced, and not the ones that replace them."""
    hub = "<hub type='usb'><address type='usb' bus='0' port='1'/></hub>"
    dimm = (
        "<memory model='dimm'><target><size unit='KiB'>524288</size><node>0</node></target>"
        "<address type='dimm' slot='0' base='0x100000000'/></memory>"
    )
    after, _ = written("pc", hub)
    assert "<address type='usb' bus='0' port='1'/></hub>" in after
    document = domain("pc", dimm).replace("</os>", "</os><cpu><numa><cell id='0' cpus='0' memory='1'/></numa></cpu>")
    document = document.replace("<os>", "<maxMemory slots='4' unit='GiB'>8</maxMemory><os>")
    assert dimm in pcisim.assign_xml(document)
