"""Law: a remedy is tried before it is told.

What `diagnose` and the command line tell of a finding of any golden document is an edit of that document which was
made and judged: the finding is gone, and no error came instead.  What does not help is not told.
"""

from __future__ import annotations

import re

import pytest

import pcisim
from pcisim.cli.common import assigned
from pcisim.diagnose import ERROR, RULES, Finding, Judge, check, examine, remedy_of
from pcisim.diagnose.phrases import PHRASES, UNTRIED, clauses, is_tried, said_edit
from pcisim.diagnose.remedies import FIRST, LAST
from pcisim.diagnose.trial import NOTHING_FITS, Tried, ways_out
from pcisim.enumeration import enumerate_guest
from pcisim.guest import Guest
from tests.guests import BARE, at, disk, domain, nic, pci
from tests.record_goldens import cases, not_covered, read_answer, read_guest
from tests.sampled import one_in, where_versions_differ

VERSIONS = [(case, version) for case in cases() for version in read_answer(case) if version not in not_covered(case)]
R = pci("pcie-root")
HOST = "<source><address domain='0' bus='6' slot='{}' function='0'/></source>"


def hostdev(address: str = "", slot: str = "0") -> str:
    """Return a host device on PCI."""
    return f"<hostdev mode='subsystem' type='pci'>{HOST.format(slot)}{address}</hostdev>"


def expander(index: int, node: int | None = None) -> str:
    """Return a PCI Express expander."""
    inner = f"<node>{node}</node>" if node is not None else ""
    return pci("pcie-expander-bus", index, f"<target busNr='200'>{inner}</target>")


def errors(document: str | bytes, version: str) -> list[tuple[str, str]]:
    """Return the code and the headline of each error."""
    return [(f.code, f.headline) for f in examine(document, libvirt=version).errors]


def told(text: str, code: str, version: str = "11.3") -> Finding:
    """Return the first finding of a code."""
    return next(finding for finding in check(text, libvirt=version) if finding.code == code)


# the law


@pytest.mark.parametrize(("case", "version"), one_in(3, VERSIONS))
def test_what_is_told_was_tried(case: str, version: str) -> None:
    text = read_guest(case)
    judge = Judge(version)
    before = examine(text, libvirt=version)
    if before.guest is None:
        assert check(text, libvirt=version) == before.findings
        return
    for finding, telling in zip(before.findings, check(text, libvirt=version)):
        ways = list(ways_out(finding, before, judge))
        kept = [clause for clause in clauses(finding.remedy) if not is_tried(clause)]
        expected = ", or ".join([*kept, *(way.text for way in ways)])
        assert telling.remedy == expected or (not expected and telling.remedy == NOTHING_FITS)
        for way in ways:
            check_helps(finding, way, text, version)


def check_helps(finding: Finding, way: Tried, text: str, version: str) -> None:
    """Judge the edited document anew, without the trial's own eyes."""
    other = re.fullmatch(r"ask for --libvirt ([\d.]+)", way.text)
    judged = other[1] if other is not None else version
    assert way.document != text or judged != version, way.text
    old, new = errors(text, version), errors(way.document, judged)
    assert (finding.code, finding.headline) not in [
        (f.code, f.headline) for f in examine(way.document, libvirt=judged).findings
    ] or old.count((finding.code, finding.headline)) > 1
    assert [error for error in new if error not in old and error[0] != "io-space"] == []
    if not new:
        pcisim.assign(way.document, libvirt=judged)


@pytest.mark.parametrize(
    ("case", "version"), where_versions_differ(pair for pair in VERSIONS if not read_answer(pair[0])[pair[1]]["ok"])
)
def test_every_golden_refusal_has_a_remedy(case: str, version: str) -> None:
    """The command line has something to say about each, and it is what `diagnose` says."""
    text = read_guest(case)
    with pytest.raises(pcisim.PcisimError) as caught:
        assigned(text.encode(), libvirt=version)
    error = caught.value
    same = [f for f in check(text, libvirt=version) if (f.code, f.headline) == (error.code, error.headline)]
    assert error.remedy in [finding.remedy for finding in same]
    assert error.remedy or case in WITHOUT, error.headline


WITHOUT = frozenset({"refused-pcie-to-pci-bridge-behind-its-own-bridge", "refused-nvme-gap"})
"""Where two errors hold each other; and a controller that libvirt adds between others, which nothing is tried for."""


def test_what_does_not_help_is_not_told() -> None:
    text = domain("q35", R, nic("virtio", at(0, 0x1F)))
    before = examine(text)
    (finding,) = before.errors
    for useless in ("write slot='0x1f'", "take the first empty slot of bus 0: 0x1f", "add a wish", "use another guest"):
        poor = finding._replace(remedy=useless)
        before.origins[poor] = before.origins[finding]
        assert useless not in [way.text for way in ways_out(poor, before, Judge())]
    assert next(way.text for way in ways_out(finding, before, Judge())) == "leave the address of interface:0 out"


def test_tables() -> None:
    assert set(FIRST) | set(LAST) <= set(RULES)
    for pattern, _ in PHRASES:
        re.compile(pattern)
    for clause in UNTRIED:
        assert not is_tried(clause)
        assert said_edit(clause) is None


def test_clauses() -> None:
    assert clauses("") == []
    assert clauses("leave the address of pci:1 out, or take the first empty slot of bus 0: 0x03; use another") == [
        "leave the address of pci:1 out",
        "take the first empty slot of bus 0: 0x03",
        "use another",
    ]
    assert clauses("write a number without sign and blanks: decimal, or hexadecimal with 0x") == [
        "write a number without sign and blanks: decimal, or hexadecimal with 0x"
    ]


def test_guests_without_a_document() -> None:
    guest = Guest.of("pc", {"virtio-blk": 59})
    (finding,) = (f for f in check(guest) if f.severity == ERROR)
    assert finding.remedy == "add <controller type='pci' index='1' model='pci-bridge'/>"
    with pytest.raises(pcisim.PcisimError, match="No PCI buses available") as caught:
        assigned(Guest.of("microvm", {"e1000": 1}), libvirt="11.3")
    assert caught.value.remedy == "name a machine of type pc or q35 in <os><type machine='...'>"


def test_too_much_is_not_tried() -> None:
    huge = domain("pc", "\n".join(disk(n, at(0, 5)) for n in range(5000)))
    with pytest.raises(pcisim.PcisimError) as caught:
        assigned(huge.encode(), libvirt="11.3")
    assert caught.value.remedy == ""
    many = [f for f in check(domain("pc", "\n".join(disk(n, at(0, 5)) for n in range(120)))) if f.severity == ERROR]
    assert many[0].remedy
    assert many[-1].remedy == ""


def test_a_code_is_enough() -> None:
    text = domain("pc", *(pci("pci-bridge", n) for n in range(1, 10)))
    assert remedy_of("io-space", text, Judge()).startswith("take pci:9 (line 18) out")
    assert remedy_of("slot-occupied", text, Judge()) == ""


# what is about no place


def host_function(number: int, inner: str = "") -> str:
    """Return a host device, each number another one."""
    return f"<hostdev mode='subsystem' type='pci'>{HOST.format(number)}{inner}</hostdev>"


def sata(number: int, unit: int) -> str:
    """Return a disk on SATA at a unit."""
    return (
        f"<disk type='file'><source file='/a'/><target dev='sd{chr(97 + number)}' bus='sata'/>"
        f"<address type='drive' controller='0' bus='0' target='0' unit='{unit}'/></disk>"
    )


def dimm(inner: str) -> str:
    """Return a memory device."""
    return f"<memory model='dimm'><target><size unit='MiB'>512</size>{inner}</target></memory>"


NUMA = "<cpu><numa><cell id='0' memory='1' unit='GiB'/></numa></cpu>"


@pytest.mark.parametrize(
    ("code", "devices", "head", "remedy"),
    [
        ("duplicate-hostdev", [hostdev(), hostdev()], "", "take one of the two out"),
        ("duplicate-boot", [host_function(n, "<boot order='1'/>") for n in (1, 2)], "",
         "take its <boot> out, or give one of the two another order"),
        ("duplicate-alias", [host_function(n, "<alias name='ua-x'/>") for n in (1, 2)], "",
         "take its <alias> out, or give one of the two another alias"),
        ("duplicate-drive", [sata(0, 1), sata(1, 1)], "", "give one of the two another unit"),
        ("bad-number", [host_function(1, "<boot order='0'/>")], "", "count from 1"),
        ("secondary-video", ["<video><model type='qxl' primary='yes'/></video>"] * 2, "",
         "take primary='yes' out of the others"),
        ("memory-device", [dimm("<node>0</node>")], NUMA,
         "write <maxMemory slots='16' unit='GiB'>64</maxMemory>, above what the guest has in all"),
        ("memory-device", [dimm("")], NUMA + "<maxMemory slots='2' unit='GiB'>9</maxMemory>",
         "add <target><node>0</node></target>"),
        ("memory-device", [dimm("<node>0</node>")] * 2, NUMA + "<maxMemory slots='1' unit='GiB'>9</maxMemory>",
         "give <maxMemory> more slots"),
        ("numa-node", [dimm("<node>5</node>")], NUMA + "<maxMemory slots='2' unit='GiB'>9</maxMemory>",
         "name a node that <cpu><numa> has"),
        ("filesystem", ["<filesystem type='mount'><source dir='/a'/></filesystem>"], "",
         "add <target dir='...'/>: the tag that the guest mounts"),
        ("port-range", ["<serial type='pty'><target type='isa-serial'/></serial>"] * 5, "",
         "use <target type='pci-serial'/>, or a port up to 3"),
        ("port-occupied", ["<serial type='pty'><target type='isa-serial' port='1'/></serial>"] * 2, "",
         "name another port, or leave it out"),
    ],
)  # fmt: skip
def test_what_is_about_no_place_is_tried(code: str, devices: list[str], head: str, remedy: str) -> None:
    text = domain("pc", *devices, head=head)
    assert told(text, code).remedy == remedy


# the kinds that could not work


@pytest.mark.parametrize("model", ["pcie-root-port", "pcie-to-pci-bridge", "dmi-to-pci-bridge"])
def test_no_place_on_the_machine(model: str) -> None:
    finding = told(domain("pc", BARE, pci(model, 1)), _refusal_of(model))
    assert "switch" not in finding.remedy
    assert "free a slot" not in finding.remedy
    assert finding.remedy.startswith(
        "'pcisim assign --reassign --machine pc' places the devices anew: the PCI controllers are those of another kind"
    )


def _refusal_of(model: str) -> str:
    """Return the code of the refusal of a PCI Express controller on pc."""
    return "cannot-grow" if model == "pcie-to-pci-bridge" else "no-slot-for-controller"


def test_a_document_of_q35_on_pc() -> None:
    ports = [pci("pcie-root-port", n, at(0, 1 + n)) for n in range(1, 4)]
    text = domain("pc", R, *ports, nic("virtio", at(1, 0)), disk(0, at(2, 0)))
    finding = told(text, "wrong-root")
    assert "'pcisim assign --reassign --machine pc'" in finding.remedy


def test_a_host_device_straight_on_an_expander() -> None:
    numa = "<cpu><numa><cell id='0' memory='1' unit='GiB'/></numa></cpu>"
    text = domain("q35", R, expander(1, 0), hostdev(at(1, 0)), head=numa)
    finding = told(text, "wrong-plug")
    assert finding.remedy == (
        "add <controller type='pci' index='2' model='pcie-root-port'><address type='pci' bus='0x01' slot='0x00'/>"
        "</controller>, and write bus='0x02' slot='0x00' in the address of hostdev:0: it stays on NUMA node 0, or leave"
        " the address of hostdev:0 out"
    )
    before = examine(text)
    way = next(ways_out(before.errors[0], before, Judge()))
    plan = pcisim.assign(way.document)
    assert str(plan.addresses["hostdev:0"]) == "0000:02:00.0"
    assert str(plan.addresses["pci:2"]) == "0000:01:00.0"


@pytest.mark.parametrize(
    ("machine", "remedy"),
    [
        ("q35", "write bus='sata' in the <target> of disk:hda (line 11)"),
        ("isapc", "take disk:hda (line 11) out"),
    ],
)
def test_no_ide(machine: str, remedy: str) -> None:
    off = "<controller type='usb' model='none'/><memballoon model='none'/>"
    finding = told(domain(machine, off, disk(0, bus="ide", prefix="hd")), "no-ide")
    assert finding.remedy == remedy
    assert finding.line == 11
    assert "disk:hda" in finding.parties


def test_a_hosts_own_address() -> None:
    finding = told(domain("q35", R, hostdev(slot="0xd6")), "address-range")
    assert finding.details == ("it is the address that the device has on the host, in <source>",)
    assert finding.remedy == "write the address that 'lspci -D' shows on the host: a slot is a number from 0 to 0x1f"


# I/O ports


def transitional(bus: int) -> str:
    """Return a network card with legacy I/O ports behind a port."""
    return nic("virtio-transitional", at(bus, 0))


def bridges(count: int) -> list[str]:
    """Return ports with a pcie-to-pci-bridge behind each."""
    return [
        text
        for n in range(1, 2 * count, 2)
        for text in (pci("pcie-root-port", n), pci("pcie-to-pci-bridge", n + 1, at(n, 0)))
    ]


@pytest.mark.parametrize(
    ("machine", "devices", "remedy"),
    [
        (
            "q35",
            [R, *(pci("pcie-root-port", n) for n in range(1, 17)), *(transitional(n) for n in range(1, 17))],
            "write model='virtio-non-transitional' in interface:14 (line 41), interface:15 (line 42)",
        ),
        ("pc", [pci("pci-bridge", n) for n in range(1, 10)], "take pci:9 (line 18) out"),
        ("q35", [R, *bridges(16)], "take pci:31 (line 41), pci:32 (line 42), pci:29 (line 39), pci:30 (line 40) out"),
        (
            "q35",
            [R, *bridges(15), *(pci("pcie-root-port", n) for n in (31, 32)), *(transitional(n) for n in (31, 32))],
            "write model='virtio-non-transitional' in interface:0 (line 43), interface:1 (line 44), and take pci:29"
            " (line 39), pci:30 (line 40) out",
        ),
        (
            "q35",
            [R, *(pci("pcie-root-port", n) for n in range(1, 17)), *(nic("e1000e", at(n, 0)) for n in range(1, 17))],
            "boot with UEFI, by <os firmware='efi'>",
        ),
        ("pc", [pci("pci-bridge", 12)], "number the PCI controllers without gaps, which libvirt fills with bridges"),
    ],
    ids=["legacy", "bridges-pc", "bridges-q35", "both", "neither", "gaps"],
)
def test_io_ports(machine: str, devices: list[str], remedy: str) -> None:
    text = domain(machine, *devices)
    finding = told(text, "io-space")
    assert finding.remedy.startswith(remedy)
    before = examine(text)
    known = next(f for f in before.findings if f.code == "io-space")
    way = next(ways_out(known, before, Judge()))
    placement = pcisim.assign(way.document).placement
    assert enumerate_guest(placement, placement.guest.firmware).boots


def test_devices_of_a_bridge_that_goes_find_another() -> None:
    text = domain("pc", *(pci("pci-bridge", n) for n in range(1, 10)), *(nic("virtio", at(n, 3)) for n in range(1, 10)))
    finding = told(text, "io-space")
    assert finding.remedy == (
        "take pci:9 (line 18) out and the addresses of interface:8 (line 27): the bridges that are left take what is"
        " behind them, and close the gaps in the numbers from 9 on"
    )
