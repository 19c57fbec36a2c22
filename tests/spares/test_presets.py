"""What managers do, in the figures that they publish."""

from __future__ import annotations

from pathlib import Path

import pytest

import pcisim
from pcisim.errors import UsageError
from pcisim.fleet.survey.answers import Answers, Question
from pcisim.formats.domain.text import render
from pcisim.guest import Guest
from pcisim.plan import Plan
from pcisim.policies import _PRESET_NAMES, POLICIES, listed
from pcisim.spares.presets import MOST_NOVA_PORTS, PRESETS, placeholders_by_interfaces, ports_by_memory
from tests.guests import BARE, at, controller, disk, disks, domain, nic, pci

GIB = 1 << 30
VIRTIO = "virtio-non-transitional"


def kubevirt(
    memory: str = "<memory unit='GiB'>4</memory>", disks: int = 2, interfaces: int = 1, rng: bool = True
) -> str:
    """Return a guest as KubeVirt writes it: the USB controller is there, and is none."""
    devices = [
        nic(VIRTIO),
        controller("usb", 0, "none"),
        controller("scsi", 0, VIRTIO),
        controller("virtio-serial", 0, VIRTIO),
        *[disk(number) for number in range(disks)],
        f"<memballoon model='{VIRTIO}'/>",
    ]
    if rng:
        devices.append(f"<rng model='{VIRTIO}'><backend model='random'>/dev/urandom</backend></rng>")
    return domain("q35", *devices).replace("<memory unit='MiB'>64</memory>", memory)


def buses(plan: Plan) -> dict[str, int]:
    """Return the bus of each device that is none of the root bus."""
    return {label: address.bus for label, address in plan.addresses.items() if address.bus}


def ports(plan: Plan) -> tuple[int, list[int]]:
    """Return how many root ports there are, and which of them are empty."""
    rows = [bus for bus in plan.topology.buses if bus.model.name == "pcie-root-port"]
    return len(rows), [bus.index for bus in rows if bus.free]


def test_kubevirt_counts_placeholders_by_interfaces() -> None:
    assert [placeholders_by_interfaces(count) for count in range(6)] == [0, 3, 2, 1, 0, 0]


def test_kubevirt_counts_ports_by_memory() -> None:
    large, small = 2 * GIB + 1, 2 * GIB
    assert [ports_by_memory(large, used) for used in (0, 7, 8, 10, 14, 30)] == [16, 9, 8, 6, 6, 6]
    assert [ports_by_memory(small, used) for used in (0, 4, 5, 8, 30)] == [8, 4, 3, 3, 3]


CIRROS = kubevirt(disks=1, rng=False)
AT_VERSION_1 = {"interface:0": 1, "scsi:0": 5, "virtio-serial:0": 6, "disk:vda": 7, "memballoon:0": 8}
AT_VERSION_2 = {"interface:0": 1, "scsi:0": 0x0B, "virtio-serial:0": 0x0C, "disk:vda": 0x0D, "memballoon:0": 0x0E}


def test_kubevirt_version_1() -> None:
    plan = pcisim.assign(CIRROS, "hotplug:preset=kubevirt-v1")
    assert buses(plan) == AT_VERSION_1
    assert ports(plan) == (9, [2, 3, 4, 9])  # the last is libvirt's own


def test_kubevirt_version_2_moves_devices() -> None:
    plan = pcisim.assign(CIRROS, "hotplug:preset=kubevirt-v2:used=7")
    assert buses(plan) == AT_VERSION_2
    assert ports(plan) == (15, [*range(2, 11), 15])


def test_kubevirt_version_3_appends() -> None:
    plan = pcisim.assign(CIRROS, "hotplug:preset=kubevirt-v3:used=7")
    assert buses(plan) == AT_VERSION_1
    assert ports(plan) == (15, [2, 3, 4, *range(9, 16)])


@pytest.mark.parametrize("version", ["v2", "v3"])
@pytest.mark.parametrize(
    ("memory", "more_disks", "total"),
    [
        ("<memory unit='GiB'>1</memory>", 0, 8 + 3),
        ("<memory unit='MiB'>2151</memory>", 0, 8 + 8),
        ("<memory unit='MiB'>2151</memory>", 6, 14 + 6),
        ("<memory>2097152</memory>", 0, 8 + 3),
        ("<memory unit='b'>2147483649</memory>", 0, 8 + 8),
    ],
)
def test_kubevirt_has_as_many_ports_as_its_own_tests_count(
    version: str, memory: str, more_disks: int, total: int
) -> None:
    plan = pcisim.assign(kubevirt(memory, 2 + more_disks), f"hotplug:preset=kubevirt-{version}")
    assert ports(plan)[0] == total


def test_kubevirt_keeps_slots_that_it_has_noted() -> None:
    one = pcisim.assign(CIRROS, "hotplug:preset=kubevirt-v2:slots=10")
    two = pcisim.assign(CIRROS.replace(nic(VIRTIO), nic(VIRTIO) * 2), "hotplug:preset=kubevirt-v2:slots=10")
    assert buses(one).items() >= AT_VERSION_2.items()
    assert buses(two).items() >= (AT_VERSION_2 | {"interface:1": 2}).items()


def test_kubevirt_says_how_much_memory() -> None:
    small = pcisim.assign(CIRROS, "hotplug:preset=kubevirt-v2:memory=2GiB")
    large = pcisim.assign(CIRROS.replace("<memory unit='GiB'>4</memory>", ""), "hotplug:preset=kubevirt-v2:memory=3GB")
    neither = pcisim.assign(CIRROS.replace("<memory unit='GiB'>4</memory>", ""), "hotplug:preset=kubevirt-v2")
    assert (ports(small)[0], ports(large)[0], ports(neither)[0]) == (9, 16, 9)


def test_kubevirt_leaves_addresses_that_are_written() -> None:
    xml = domain("q35", BARE, pci("pcie-root-port", 1), nic("virtio", at(1, 0)), nic("e1000"), disk())
    plan = pcisim.assign(xml, "hotplug:preset=kubevirt-v1")
    assert str(plan.addresses["interface:0"]) == "0000:01:00.0"
    plan.topology.check()


def test_kubevirt_appends_nothing_beyond_index_31() -> None:
    plan = pcisim.assign(kubevirt(disks=24), "hotplug:preset=kubevirt-v3")
    assert len(plan.topology.buses) == 32 + 2  # devices and libvirt's spare port are there already
    plan = pcisim.assign(kubevirt(disks=20), "hotplug:preset=kubevirt-v3")
    assert len(plan.topology.buses) == 32


@pytest.mark.parametrize(("count", "total", "free"), [(0, 14, 14), (5, 14, 9), (14, 14, 0), (20, 20, 0)])
def test_virt_install_writes_14_ports(count: int, total: int, free: int) -> None:
    plan = pcisim.assign(domain("q35", BARE, disks(count)), "hotplug:preset=virt-install")
    assert (ports(plan)[0], len(ports(plan)[1])) == (total, free)


def test_virt_install_leaves_written_controllers_alone() -> None:
    xml = domain("q35", BARE, pci("pcie-root"), disk())
    assert pcisim.assign(xml, "hotplug:preset=virt-install").addresses == pcisim.assign(xml).addresses


@pytest.mark.parametrize(("number", "total", "free"), [(0, 6, 1), (3, 5, 0), (28, 28, 23)])
def test_nova_writes_what_num_pcie_ports_says(number: int, total: int, free: int) -> None:
    plan = pcisim.assign(domain("q35", BARE, disks(5)), f"hotplug:preset=nova:ports={number}")
    assert (ports(plan)[0], len(ports(plan)[1])) == (total, free)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_do_nothing_on_pc(name: str) -> None:
    xml = domain("pc", disks(3), nic())
    policy = f"hotplug:preset={name}" + ":ports=4" * (name == "nova")
    assert pcisim.assign(xml, policy).addresses == pcisim.assign(xml).addresses


@pytest.mark.parametrize("name", PRESETS)
def test_a_guest_without_xml_is_as_its_document(name: str) -> None:
    policy = f"hotplug:preset={name}" + ":ports=4" * (name == "nova")
    guest = Guest.of("q35", {"virtio-blk": 3, "virtio-net": 2, "virtio-scsi": 1})
    plan = pcisim.assign(guest, policy)
    assert plan.addresses == pcisim.assign(render(guest), policy).addresses
    assert pcisim.assign(plan.to_xml()).addresses == plan.addresses


def test_options_and_presets_are_one_table() -> None:
    options = {option.name: option for option in POLICIES["hotplug"].options}
    assert tuple(PRESETS) == options["preset"].words == _PRESET_NAMES
    assert options["ports"].high == MOST_NOVA_PORTS
    assert {name for row in PRESETS.values() for name in row.settings} < set(options)


@pytest.mark.parametrize(
    ("policy", "headline", "detail"),
    [
        ("hotplug:preset=ovirt", "policy 'hotplug:preset=ovirt': preset cannot be 'ovirt'",
         "preset is virt-install or nova or kubevirt-v1 or kubevirt-v2 or kubevirt-v3: the manager whose spares to"
         " imitate"),
        ("hotplug:spare=256", "policy 'hotplug:spare=256': spare cannot be '256'",
         "spare is a number from 0 to 255: empty hot-pluggable slots, PCI Express or on pc conventional"),
        ("hotplug:preset=nova:ports=29", "policy 'hotplug:preset=nova:ports=29': ports cannot be '29'",
         "ports is a number from 0 to 28: num_pcie_ports of nova"),
        ("hotplug:preset=nova", "policy 'hotplug': preset nova needs ports",
         "ports is a number from 0 to 28: num_pcie_ports of nova"),
        ("hotplug:ports=4", "policy 'hotplug': ports does not go with no preset",
         "with no preset go: spare, total, extra, pci-spare"),
        ("hotplug:preset=virt-install:spare=1", "policy 'hotplug': spare does not go with preset virt-install",
         "with preset virt-install go: no other options"),
        ("hotplug:preset=kubevirt-v2:memory=4", "policy 'hotplug:preset=kubevirt-v2:memory=4': memory cannot be '4'",
         "memory is an integer with a unit, such as 4GiB or 512MiB: how much the guest has, as KubeVirt looks at"
         " it"),
        ("hotplug:preset=kubevirt-v2:memory=4XiB",
         "policy 'hotplug:preset=kubevirt-v2:memory=4XiB': memory cannot be '4XiB'",
         "memory is an integer with a unit, such as 4GiB or 512MiB: how much the guest has, as KubeVirt looks at"
         " it"),
    ],
)  # fmt: skip
def test_what_does_not_go_together(policy: str, headline: str, detail: str) -> None:
    with pytest.raises(UsageError) as caught:
        pcisim.assign(Guest.of("q35"), policy)
    assert caught.value.headline == headline
    assert caught.value.details[0] == detail


def test_the_page_has_every_option_and_preset() -> None:
    page = (Path(pcisim.__file__).parent.parent / "docs/spares.md").read_text(encoding="utf-8")
    for option in POLICIES["hotplug"].options:
        assert f"`{option.name}=" in page or option.name == "preset", option.name
    for row in page.splitlines():
        preset, *cells = [cell.strip() for cell in row.strip("|").split("|")]
        if preset.startswith("`kubevirt") and len(cells) == 6:
            plan = pcisim.assign(CIRROS, f"hotplug:preset={preset.strip('`')}")
            assert [f"{bus:02x}" for _, bus in sorted(buses(plan).items(), key=lambda item: item[1])] == cells[:5]
            assert spans(ports(plan)[1]) == cells[5]
    assert all(f"`{name}`" in page for name in PRESETS)


def spans(numbers: list[int]) -> str:
    """Return ascending numbers as hexadecimal ranges."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][-1] == number - 1:
            ranges[-1][1:] = [number]
        else:
            ranges.append([number])
    return ", ".join("-".join(f"{number:02x}" for number in span) for span in ranges)


def test_policies_are_listed() -> None:
    lines = listed()
    assert "hotplug                  as libvirt does, with spare ports and slots for hotplug" in lines
    assert "  :pci-spare=            empty hot-pluggable conventional slots (a number from 0 to 255)" in lines
    assert any(line.split()[:1] == ["kubevirt-v3"] for line in lines)
    assert "  :mixed=                whether endpoints go on every bus on which a written address may put them" in [
        line.partition(" (")[0] for line in lines
    ]


def test_a_fleet_looks_at_the_memory_of_each_guest() -> None:
    question = Question(policy="hotplug:preset=kubevirt-v2").checked()
    answers = Answers(question)
    small, large = CIRROS.replace("<memory unit='GiB'>4</memory>", "<memory unit='GiB'>1</memory>"), CIRROS
    rows = [answers.of_document(name, xml.encode()) for name, xml in (("small", small), ("large", large))]
    assert [row.ports for row in rows] == [ports(pcisim.assign(xml, question.policy))[0] for xml in (small, large)]
    assert rows[0].ports != rows[1].ports
