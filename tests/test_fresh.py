"""The closed form of fresh guests, against the policy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pcisim
from pcisim.catalogue.devices import PLUGS
from pcisim.catalogue.versions import libvirt_version
from pcisim.completion import complete, complete_bare
from pcisim.formats.domain_xml import read
from pcisim.guest import Device, Guest
from pcisim.placement.fresh import fresh
from pcisim.placement.libvirt import LibvirtPolicy
from tests.guests import BARE, NO_BALLOON, NO_USB, at, controller, disk, disks, domain, ich9, nic, pci, video
from tests.property.strategies import VERSIONS, Drawn, drawn_guests

BALLOON = "<memballoon model='virtio'/>"
CHANNEL = "<channel type='pty'><target type='virtio' name='a'/></channel>"
NEC_XHCI = "<controller type='usb' index='0' model='nec-xhci'/>"
RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
SHARED = "<graphics type='vnc'/>" + video("virtio")
FRESH = {
    "": "",
    "disks": disks(3),
    "a disk beyond the others": disk(700) + disk(),
    "interfaces": nic("virtio") + nic("e1000e") + nic("e1000") + nic("rtl8139") + RNG,
    "terminals": "<serial type='pty'/><console type='pty'/>" + CHANNEL,
    "a virtio console": "<console type='pty'><target type='virtio'/></console>",
    "video": video("vga") + video("qxl"),
    "the display first": video("vga") + video("qxl", primary=True),
    "vnc": SHARED,
    "no place": NO_BALLOON + video("none"),
    "no USB": NO_USB,
    "nothing": f"{NO_BALLOON}\n{NO_USB}",
    "nothing but video": f"{NO_BALLOON}\n{NO_USB}\n{video('vga')}",
    "sound of the chipset last": "<sound model='sb16'/><sound model='usb'/><sound model='ich9'/>",
    "sound": "<sound model='ich9'/><sound model='ich6'/><sound model='ich9'/>",
    "watchdogs": "<watchdog model='i6300esb'/>",
    "input": "<input type='tablet' bus='usb'/><input type='mouse' bus='virtio'/>",
    "disks on controllers": disk(0, bus="sata", prefix="sd") + disk(8, bus="scsi", prefix="sd"),
    "an address of no PCI device": disk(0, "<address type='drive' unit='3'/>", "sata", "sd"),
    "controllers": "<controller type='scsi' model='lsilogic' index='0'/>\n" + NEC_XHCI,
    "a host device": "<hostdev mode='subsystem' type='pci'><source><address bus='6' slot='0'/></source></hostdev>",
    "shared memory": "<shmem name='a'><model type='ivshmem-plain'/></shmem>",
    "vsock": "<vsock model='virtio'><cid auto='yes'/></vsock>",
}
NOT_FRESH = {
    "an address": nic("virtio", at(0, 5)),
    "an empty address": nic("virtio", "<address type='pci'/>"),
    "a port": pci("pcie-root-port", 1),
    "companions": ich9(0),
    "a default model": "<interface type='user'/>",
    "a default bus": "<disk type='file'><target dev='vda'/></disk>",
    "a hub": "<hub type='usb'/>",
    "an ACPI index": "<interface type='user'><model type='virtio'/><acpi index='3'/></interface>",
    "a SCSI host device": "<hostdev mode='subsystem' type='scsi'><source><adapter name='a'/></source></hostdev>",
    "a serial port on PCI": "<serial type='pty'><target type='pci-serial'/></serial><console type='pty'/>",
}
MIXED = [
    nic("virtio"), nic("e1000e"), nic("e1000"), nic("rtl8139"), RNG, RNG.replace("'virtio'", "'virtio-transitional'"),
    "<sound model='ich6'/>", "<sound model='ich9'/>", "<watchdog model='i6300esb'/>", "<serial type='pty'/>", CHANNEL,
    "<input type='mouse' bus='virtio'/>", video("virtio"), video("qxl"), SHARED, "<panic model='pvpanic'/>",
    "<filesystem type='mount'><source dir='/a'/><target dir='b'/></filesystem>", "<iommu model='virtio'/>",
    "<vsock model='virtio'/>", "<memballoon model='none'/>", BARE, BALLOON, "<crypto model='virtio' type='qemu'/>",
    controller("scsi", None, "lsilogic"), controller("virtio-serial"),
]  # fmt: skip


def completed(text: str, version: str) -> Guest:
    rules = libvirt_version(version)
    return complete(read(text, rules), rules)


def unequal(text: str, version: str = "11.3") -> str | None:
    """Return how the closed form of a fresh guest differs from the policy."""
    try:
        guest = completed(text, version)
    except pcisim.PcisimError:
        return None
    places = fresh(guest, {})
    if places is None:
        return None
    try:
        placement = LibvirtPolicy(libvirt_version(version)).place(guest)
    except pcisim.PcisimError as error:
        return f"refused: {error}"
    expected = {device.label: packed for device, packed in placement.addresses.items()}
    found = {device.label: packed for device, packed in places.places.items() if isinstance(device, Device)}
    found |= {f"pci:{index}": packed for index, (_, packed) in enumerate(places.bridges, 1)}
    added = {d.index: (d.model, placement.addresses[d]) for d in placement.added}
    bridges = dict(enumerate(places.bridges, 1))
    return None if (found, bridges) == (expected, added) else f"{found} {expected} {bridges} {added}"


@pytest.mark.parametrize("version", ["9.0", "11.3"])
@pytest.mark.parametrize("beside", ["", video("vga"), nic("e1000"), nic("e1000") * 31 + RNG, "<sound model='ich9'/>"])
@pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 8, 13, 14, 15, 189, 190, 220, 221, 228, 229, 230, 231, 236, 237, 238])
def test_express_devices_at_every_edge(count: int, beside: str, version: str) -> None:
    """Eight ports share a slot, of which bus 0 has 30: one less beside a video device or the sound of the chipset."""
    text = domain("q35", disks(count // 2), nic("virtio") * (count - count // 2), beside)
    assert unequal(text, version) is None


@pytest.mark.parametrize("version", ["9.0", "11.3"])
@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize("count", [0, 1, *range(26, 34), *range(57, 64), *range(89, 94)])
@pytest.mark.parametrize("beside", ["", video("vga"), RNG * 3])
def test_conventional_devices_at_every_edge(count: int, beside: str, machine: str, version: str) -> None:
    """A bridge has 31 slots, the root bus of pc 30 empty ones; bridges are placed last, and then first."""
    text = domain(machine, nic("e1000") * count, beside)
    assert unequal(text, version) is None


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_it_ends_where_the_policy_ends(machine: str) -> None:
    """What does not fit is left to the policy, and everything that fits is not."""
    model = {"pc": "e1000", "q35": "virtio"}[machine]
    most = {"pc": 928, "q35": 237}[machine]
    for count, fits in ((most, True), (most + 1, False)):
        guest = completed(domain(machine, nic(model) * count), "11.3")
        assert (fresh(guest, {}) is not None) is fits
        if not fits:
            with pytest.raises(pcisim.PcisimError):
                pcisim.assign(domain(machine, nic(model) * count))


@given(
    st.sampled_from(["pc", "q35"]),
    st.lists(st.tuples(st.sampled_from(MIXED), st.sampled_from([1, 1, 1, 2, 31, 40])), max_size=12),
    st.lists(st.integers(0, 800), max_size=12, unique=True),
    VERSIONS,
)
def test_equals_the_policy_on_fresh_guests(
    machine: str, others: list[tuple[str, int]], numbers: list[int], version: str
) -> None:
    """In libvirt's order, not in that of the document: disks by number, elements by kind."""
    texts = [text * count for text, count in others]
    assert unequal(domain(machine, *texts[::2], *map(disk, numbers), *texts[1::2]), version) is None


@given(drawn_guests(), VERSIONS)
def test_equals_the_policy_on_random_guests(drawn: Drawn, version: str) -> None:
    """Whatever is there: what is not fresh is left to the policy."""
    assert unequal(drawn.text, version) is None


@pytest.mark.parametrize("devices", FRESH.values(), ids=FRESH)
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_these_are_fresh(machine: str, devices: str) -> None:
    assert fresh(completed(domain(machine, devices), "11.3"), {}) is not None
    assert unequal(domain(machine, devices)) is None


@pytest.mark.parametrize(
    ("kind", "model"),
    [(row.partition("/")[2], model) for row, models in PLUGS.items() if row[:11] == "controller/" for model in models],
)
@pytest.mark.parametrize("version", ["9.0", "11.3"])
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_controllers_of_every_model(machine: str, version: str, kind: str, model: str) -> None:
    """The chipset has places of its own for controller 0 of some types."""
    for index in (0, 1):
        text = domain(machine, controller(kind, index, model), nic("e1000"))
        assert unequal(text, version) is None


@pytest.mark.parametrize("devices", NOT_FRESH.values(), ids=NOT_FRESH)
def test_these_are_not(devices: str) -> None:
    assert fresh(completed(domain("q35", devices), "11.3"), {}) is None


@pytest.mark.parametrize("version", ["9.0", "11.3"])
@pytest.mark.parametrize("beside", ["", BARE, BARE + nic("e1000"), BARE + nic("virtio"), nic("virtio") * 7])
@pytest.mark.parametrize("device", ["<iommu model='virtio'/>", "<panic model='pvpanic'/>"])
def test_integrated_devices_follow_the_ports(device: str, beside: str, version: str) -> None:
    text = domain("q35", device, beside)
    assert unequal(text, version) is None
    assert version == "9.0" or fresh(completed(text, version), {}) is not None


def test_no_other_machine_is() -> None:
    assert fresh(completed(domain("microvm", NO_BALLOON + NO_USB), "11.3"), {}) is None


@pytest.mark.parametrize("version", ["9.0", "11.3"])
@pytest.mark.parametrize("machine", ["pc", "q35", "pc-q35-9.2", "pc-i440fx-4.0", "rhel6.6.0"])
def test_bare_machines_are_completed_alike(machine: str, version: str) -> None:
    rules = libvirt_version(version)
    guest = Guest(machine)
    bare, own = complete_bare(guest, rules), complete(guest, rules)
    assert bare is not None
    assert [c.label for c in bare.controllers] == [c.label for c in own.controllers]
    assert {e: [d.label for d in row] for e, row in bare.devices.items()} == {
        e: [d.label for d in row] for e, row in own.devices.items()
    }


@pytest.mark.parametrize(
    "guest",
    [
        Guest("q35").extended({"virtio-net": 1}),
        Guest("q35").extended({"virtio-scsi": 1}),
        Guest("q35", graphics=True),
        Guest("q35", "aarch64"),
        Guest("microvm"),
    ],
)
def test_others_are_not_completed_alike(guest: Guest) -> None:
    assert complete_bare(guest, libvirt_version("11.3")) is None
