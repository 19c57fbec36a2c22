"""What a product supports: each limit is tried on a guest beyond it and on one within."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

import pcisim
from pcisim.catalogue.limits import PRODUCTS, Limit, Product
from pcisim.diagnose import SEVERITIES, Finding, check, limits_of
from pcisim.diagnose.limits import JUDGES
from pcisim.errors import UsageError
from tests.cli.running import run
from tests.guests import BARE, at, controller, disk, domain, nic, pci

RHEL7 = PRODUCTS["rhel7"]
ROWS = {row.code: row for row in RHEL7.limits}
PAGE = Path(__file__).parent.parent.parent / "docs/limits.md"

CPU = "<cpu><feature name='vmx'{}/></cpu>"
NODES = "<cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>"
HOSTDEV = "<hostdev mode='subsystem' type='{}'>{}</hostdev>"
OF_PCI, OF_USB = "<source><address bus='6'/></source>", "<source><vendor id='1'/><product id='2'/></source>"
EXPANDER = "<target>{}</target>"
SHARED = "<memoryBacking><access mode='shared'/></memoryBacking>"


def block(source: str, inner: str = "", kind: str = "block", device: str = "disk") -> str:
    return f"<disk type='{kind}' device='{device}'>{source}<target dev='vda' bus='virtio'/>{inner}</disk>"


def of_host(path: str, inner: str = "") -> str:
    return block(f"<source dev='{path}'/>", inner)


def ide(count: int) -> list[str]:
    return [disk(n, bus="ide", prefix="hd") for n in range(count)]


USER = "<interface type='vhostuser'><source type='unix' path='/s' mode='client'/><model type='virtio'/></interface>"


class Case(NamedTuple):
    """A guest beyond a limit, and one within it."""

    code: str
    beyond: str
    within: str
    label: str
    line: int | None


def kvm(*devices: str, head: str = "", machine: str = "q35") -> str:
    return domain(machine, BARE, *devices, head=head).replace("type='qemu'", "type='kvm'", 1)


CASES = (
    Case("limit-tcg", domain("q35"), kvm(), "domain", 1),
    Case("limit-tcg", domain("q35").replace("'qemu'", "'hvf'"), kvm(), "domain", 1),
    Case("limit-vcpus", kvm(head="<vcpu>241</vcpu>"), kvm(head="<vcpu>240</vcpu>"), "vcpu", 4),
    Case("limit-vcpus-first", kvm(head="<vcpu> 161 </vcpu>"), kvm(head="<vcpu>160</vcpu>"), "vcpu", 4),
    Case("limit-vcpus-first", kvm(head="<vcpu>240</vcpu>"), kvm(head="<vcpu>241</vcpu>"), "vcpu", 4),
    Case("limit-ide", kvm(*ide(6), machine="pc"), kvm(*ide(4), machine="pc"), "disk:hde", 15),
    Case("limit-scsi", kvm(controller("scsi", 0, "lsilogic")), kvm(controller("scsi", 0, "virtio-scsi")), "scsi:0", 11),
    Case("limit-scsi", kvm(controller("scsi", 0)), kvm(controller("scsi", 0, "virtio-scsi")), "scsi:0", 11),
    Case(
        "limit-scsi",
        kvm(disk(bus="scsi", prefix="sd")),
        kvm(controller("scsi", 0, "virtio-scsi"), disk(bus="scsi", prefix="sd")),
        "scsi:0",
        11,
    ),
    Case("limit-functions", kvm(), kvm(machine="isapc"), "pci:0", None),
    Case("limit-nested", kvm(head=CPU.format("")), kvm(head=CPU.format(" policy='disable'")), "cpu", 4),
    Case("limit-nested", kvm(head=CPU.format(" policy='optional'")), kvm(head="<cpu/>"), "cpu", 4),
    Case(
        "limit-cache", kvm(disk()), kvm(block("<driver cache='none'/><source file='/a'/>", kind="file")), "disk:vda", 11
    ),
    Case("limit-cache", kvm(disk()), kvm(disk(address="<readonly/>")), "disk:vda", 11),
    Case("limit-assigned", kvm(HOSTDEV.format("pci", OF_PCI)), kvm(HOSTDEV.format("usb", OF_USB)), "hostdev:0", 11),
    Case(
        "limit-assigned",
        kvm("<interface type='hostdev'><source><address type='pci' bus='6'/></source></interface>"),
        kvm(nic()),
        "interface:0",
        11,
    ),
    Case("limit-whole-disk", kvm(of_host("/dev/sdb")), kvm(of_host("/dev/sdb1")), "disk:vda", 11),
    Case("limit-whole-disk", kvm(of_host("/dev/nvme0n1")), kvm(of_host("/dev/nvme0n1p1")), "disk:vda", 11),
    Case(
        "limit-whole-disk",
        kvm(of_host("/dev/disk/by-id/wwn-0x5")),
        kvm(of_host("/dev/disk/by-id/wwn-0x5-part1")),
        "disk:vda",
        11,
    ),
    Case("limit-whole-disk", kvm(of_host("/dev/mapper/mpatha")), kvm(of_host("/dev/mapper/vg-lv")), "disk:vda", 11),
    Case("limit-whole-disk", kvm(of_host("/dev/vdaa")), kvm(of_host("/dev/vdaa", "<readonly/>")), "disk:vda", 11),
    Case(
        "limit-memory-hotplug",
        kvm(head="<maxMemory slots='4' unit='MiB'>128</maxMemory>"),
        kvm(head="<maxMemory slots='0' unit='MiB'>64</maxMemory>"),
        "maxMemory",
        4,
    ),
    Case("limit-vhost-user", kvm(USER, head=SHARED), kvm(nic(), head=SHARED), "interface:0", 11),
    Case(
        "limit-vhost-user",
        kvm("<filesystem><driver type='virtiofs'/><source dir='/a'/><target dir='t'/></filesystem>", head=SHARED),
        kvm("<filesystem><source dir='/a'/><target dir='t'/></filesystem>"),
        "filesystem:0",
        11,
    ),
    Case(
        "limit-throttling",
        kvm(disk(address="<iotune><total_iops_sec>100</total_iops_sec></iotune>")),
        kvm(disk(address="<iotune><total_iops_sec>0</total_iops_sec></iotune>")),
        "disk:vda",
        11,
    ),
    Case(
        "limit-iothread",
        kvm(block("<driver iothread='1'/><source file='/a'/>", kind="file"), head="<iothreads>1</iothreads>"),
        kvm(disk(), head="<iothreads>1</iothreads>"),
        "disk:vda",
        11,
    ),
    Case(
        "limit-numa-node",
        kvm(pci("pcie-root", 0), pci("pcie-expander-bus", 1, EXPANDER.format("<node>0</node>")), head=NODES),
        kvm(pci("pcie-root", 0), pci("pcie-expander-bus", 1), head=NODES),
        "pci:1",
        12,
    ),
)


def of(code: str, text: str) -> list[Finding]:
    return [finding for finding in check(text, limits="rhel7") if finding.code == code]


@pytest.mark.parametrize("case", CASES, ids=[f"{n}-{case.code}" for n, case in enumerate(CASES)])
def test_each_limit_both_ways(case: Case) -> None:
    finding = of(case.code, case.beyond)[0]
    row = ROWS[case.code]
    assert (finding.severity, finding.parties[0], finding.line) == (row.severity, case.label, case.line)
    assert finding.remedy or case.code == "limit-functions"
    assert of(case.code, case.within) == []


def test_every_row_is_judged_and_tried() -> None:
    assert {case.code for case in CASES} == set(ROWS) == set(JUDGES)
    for product in PRODUCTS.values():
        for row in product.limits:
            assert row.severity in SEVERITIES
            assert row.code in JUDGES
            assert row.remedy or row.code == "limit-functions"


def test_nothing_is_beyond_the_limits_of_a_plain_guest() -> None:
    text = kvm(block("<driver cache='none'/><source file='/a'/>", kind="file"), nic())
    assert [f.code for f in check(text, limits="rhel7")] == ["limit-functions"]


def test_both_figures_are_told_of_functions() -> None:
    (pc,) = of("limit-functions", kvm(pci("pci-bridge", 1), machine="pc"))
    assert "room for 512 PCI functions" in pc.headline
    assert pc.details[0].endswith("30 slots, 240 functions")
    (q35,) = of("limit-functions", kvm(pci("pcie-root", 0), *(pci("pcie-root-port", n) for n in range(1, 8))))
    assert "room for 2048 PCI functions" in q35.headline
    assert q35.line == 11
    assert q35.details[0].endswith("30 slots, 240 functions")


def test_a_controller_that_libvirt_adds_is_on_the_line_of_its_disk() -> None:
    (finding,) = of("limit-scsi", kvm(nic(), disk(bus="scsi", prefix="sd")))
    assert finding.line == 12
    assert finding.details == ("libvirt adds it for disk:sda",)
    assert "becomes an emulated SCSI controller, lsilogic" in finding.headline
    assert finding.remedy == "write <controller type='scsi' index='0' model='virtio-scsi'/>"


def test_a_refused_guest_is_judged_as_it_is_written() -> None:
    text = kvm(nic("virtio", at(0, 1)), nic("virtio", at(0, 1)), disk(), head="<vcpu>300</vcpu>")
    codes = {finding.code for finding in check(text, limits="rhel7")}
    assert {"slot-occupied", "limit-vcpus", "limit-cache"} <= codes


def test_a_guest_without_document() -> None:
    guest = pcisim.Guest.of("q35", {"virtio-blk": 2, "virtio-net": 1})
    assert [f.code for f in check(guest, limits="rhel7")] == ["limit-functions"]


def test_unknown_limits() -> None:
    for call in (lambda: check(kvm(), limits="rhel99"), lambda: limits_of(5)):  # type: ignore[arg-type]
        with pytest.raises(UsageError):
            call()


# the page


def _table(row: Limit) -> str:
    return f"| `{row.code}` | {row.severity} | {row.meaning} | {row.remedy} |\n"


@pytest.mark.parametrize("product", PRODUCTS.values(), ids=PRODUCTS)
def test_the_page_has_every_row(product: Product) -> None:
    _, _, section = PAGE.read_text(encoding="utf-8").partition(f"## {product.name}: {product.title}\n")
    section = section.partition("\n## ")[0]
    assert section.partition("| --- | --- | --- | --- |\n")[2].startswith("".join(map(_table, product.limits)))
    assert section.rstrip().endswith("Printed once: " + "; ".join(product.remarks) + ".")


# the command line


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("limits")
    (path / "one.xml").write_text(kvm(disk()))
    (path / "two.xml").write_text(domain("q35"))
    return path


def test_text(folder: Path) -> None:
    done = run("check", "--limits", "rhel7", str(folder / "one.xml"), str(folder / "two.xml"))
    lines = done.out.replace(f"{folder}/", "").splitlines()
    assert done.status == 1
    assert lines[0] == RHEL7.head
    assert (
        "one.xml:11: note: disk:vda is open for writing with cache='default': it cannot be migrated safely"
        in done.out.replace(f"{folder}/", "")
    )
    assert lines[-len(RHEL7.remarks) :] == [f"  {remark}" for remark in RHEL7.remarks]
    assert done.out.count(RHEL7.remarks[0]) == done.out.count(RHEL7.head) == 1
    assert run("check", "--limits", "rhel7", str(folder / "one.xml")).status == 0


def test_json(folder: Path) -> None:
    done = run("check", "--limits", "rhel7", "--format", "json", str(folder / "two.xml"))
    answer = json.loads(done.out)
    assert answer["limits"] == {
        "name": "rhel7", "title": RHEL7.title, "head": RHEL7.head, "remarks": list(RHEL7.remarks),
    }  # fmt: skip
    assert "limit-tcg" in [finding["code"] for finding in answer["files"][0]["findings"]]
    assert "limits" not in json.loads(run("check", "--format", "json", str(folder / "two.xml")).out)


def test_github(folder: Path) -> None:
    done = run("check", "--limits", "rhel7", "--format", "github", str(folder / "two.xml"))
    last = done.out.splitlines()[-1]
    assert last.startswith(f"::notice title=rhel7::{RHEL7.head}")
    assert all(remark in last for remark in RHEL7.remarks)


def test_help_needs_no_file() -> None:
    for word in ("help", "?"):
        done = run("check", "--limits", word)
        assert done.status == 0
        assert all(name in done.out for name in (*PRODUCTS, *ROWS))


def test_unknown_name(folder: Path) -> None:
    done = run("check", "--limits", "rhel99", str(folder / "one.xml"))
    assert (done.status, done.out) == (2, "")
    assert "unknown limits 'rhel99'" in done.err
