"""``pcisim attach`` and ``pcisim detach``: what they print, and how they fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pcisim import hotplug
from pcisim.errors import RefusedError
from tests.cli.running import EXAMPLES, Done, example, is_tidy, run
from tests.guests import BARE, at, disk, domain, nic, pci
from tests.hotplug_cases import OFF, ROOT, ports, rng, scsi

DESKTOP = str(EXAMPLES / "desktop.xml")
KEPT = "an address is kept at a cold start because it is written into the stored XML"


def line(label: str, bus: int, slot: int, function: int = 0) -> str:
    return (
        f"{label} <address type='pci' domain='0x0000' bus='{bus:#04x}' slot='{slot:#04x}' function='{function:#x}'/>\n"
    )


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """Return a folder with device files."""
    (tmp_path / "nic.xml").write_text(nic("virtio"))
    (tmp_path / "rng.xml").write_text(f"<?xml version='1.0'?>\n{rng()}")
    (tmp_path / "disk.xml").write_text(disk(15, bus="scsi", prefix="sd"))
    (tmp_path / "bad.xml").write_text("<interface type='user'>\n<address type='pci' slot='0x20'/>\n</interface>")
    (tmp_path / "lease.xml").write_text("<lease/>")
    return tmp_path


# ------------------------------------------------------------------ a running guest


def test_a_device_by_name() -> None:
    assert run("attach", DESKTOP, "--device", "virtio-net") == Done(
        0,
        line("interface:1", 7, 0),
        "1 attached, as libvirt 12.9\n  the guest finds interface:1 at 0000:07:00.0\n"
        f"  {KEPT}: --live --config writes the same\n",
    )


def test_where_the_guest_finds_it() -> None:
    """The bus of an address is the index of a controller: the guest numbers the ports by their places."""
    xml = domain("q35", BARE, ROOT, pci("pcie-root-port", 1, at(0, 5)), pci("pcie-root-port", 2, at(0, 2))).encode()
    done = run("attach", "-", "--device", "virtio-net,count=2", given=xml)
    assert done.out == line("interface:0", 1, 0) + line("interface:1", 2, 0)
    assert done.err.splitlines()[1:3] == [
        "  the guest finds interface:0 at 0000:02:00.0",
        "  the guest finds interface:1 at 0000:01:00.0",
    ]


def test_of_many_only_some_are_told() -> None:
    xml = domain("pc", BARE).encode()
    done = run("attach", "-", "--device", "virtio-net,count=9", given=xml)
    told = done.err.splitlines()[1:-1]
    assert told[7:] == ["  the guest finds interface:7 at 0000:00:09.0", "  and so on: --format json says it of all 9"]
    document = json.loads(run("attach", "-", "--device", "virtio-net,count=9", "--format", "json", given=xml).out)
    assert [row["guest_address"] for row in document["attached"]] == [f"0000:00:{slot:02x}.0" for slot in range(2, 11)]


def test_a_device_from_a_file(given: Path) -> None:
    xml = domain("pc", BARE, pci("pci-bridge", 1)).encode()
    done = run("attach", "-", str(given / "nic.xml"), str(given / "rng.xml"), given=xml)
    assert done.out == line("interface:0", 0, 3) + line("rng:0      ", 0, 4)
    assert done.status == 0
    assert run("attach", DESKTOP, "-", given=nic("virtio").encode()).out == line("interface:1", 7, 0)


def test_no_port_left() -> None:
    done = run("attach", "-", "--device", "virtio-net,count=4", given=domain("q35", BARE + ROOT + ports(3)).encode())
    assert done.status == 1
    assert done.out == "".join(line(f"interface:{n}", n + 1, 0) for n in range(3))
    assert done.err.splitlines() == [
        "3 of 4: no free hot-pluggable express port; before the next boot add"
        " <controller type='pci' index='4' model='pcie-root-port'/>",
        "  No more available PCI slots",
        "  bus 0 (pcie-root): takes no hotplug",
        "  bus 1 (pcie-root-port): no slot is empty",
        "  bus 2 (pcie-root-port): no slot is empty",
        "  bus 3 (pcie-root-port): no slot is empty",
        *(f"  the guest finds interface:{n} at 0000:{n + 1:02x}:00.0" for n in range(3)),
        f"  {KEPT}: --live --config writes the same",
    ]


def test_what_is_to_be_added_makes_room() -> None:
    """The controllers of the complaint, pasted into the definition, let all four be attached."""
    xml = domain("q35", BARE + ROOT + ports(1)).encode()
    asked = ("attach", "-", "--device", "virtio-net,count=3", "--device", "rtl8139")
    done = run(*asked, "--format", "json", given=xml)
    assert done.status == 1
    pasted = "".join(json.loads(done.out)["refused"]["before_next_boot"])
    grown = run("assign", "-", given=xml).out.replace("</devices>", f"{pasted}</devices>")
    again = run(*asked, given=grown.encode())
    assert (again.status, len(again.out.splitlines())) == (0, 4)


def test_the_definition_would_put_it_elsewhere() -> None:
    """On pc libvirt keeps the last slot of a definition for a bridge; a running guest just takes it."""
    xml = domain("pc", BARE + "".join(rng() for _ in range(29))).encode()
    done = run("attach", "-", "--device", "virtio-rng", given=xml)
    assert done.out == line("rng:29", 0, 0x1F)
    assert done.err.splitlines() == [
        "1 attached, as libvirt 12.9",
        "  the guest finds rng:29 at 0000:00:1f.0",
        f"  {KEPT}: write these elements there, for --live --config would not:",
        "  rng:29: --config gives 0000:01:01.0",
    ]


def test_the_definition_takes_what_comes_along_too(given: Path) -> None:
    """A running guest gives its new SCSI controllers the model of the last one; 11.3 makes a definition's lsilogic."""
    xml = domain("q35", BARE + ROOT + ports(5) + scsi("virtio-scsi", 0)).encode()
    done = run("attach", "-", str(given / "disk.xml"), "--libvirt", "11.3", given=xml)
    assert done.out == line("scsi:1  ", 2, 0) + line("scsi:2  ", 3, 0) + "disk:sdp (needs no PCI address)\n"
    assert done.err.splitlines()[4:] == [
        "  scsi:1: --config gives 0000:07:01.0",
        "  scsi:2: --config gives 0000:07:02.0",
    ]


def test_the_definition_refuses_what_a_running_guest_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes 255 controllers to get there, so that the refusal is a made-up one."""

    def refuse(*_: object) -> None:
        raise RefusedError("PCI controller index 256 too high, maximum is 255", code="index-range")

    monkeypatch.setattr(hotplug, "attach_config", refuse)
    done = run("attach", "-", "--device", "virtio-rng,count=2", given=domain("pc", BARE).encode())
    assert done.out == line("rng:0", 0, 2) + line("rng:1", 0, 3)
    assert done.err.splitlines()[4:] == [
        "  rng:0: --config gives none",
        "  rng:1: --config gives none",
        "  --config refuses: PCI controller index 256 too high, maximum is 255",
    ]


def test_what_needs_no_address(given: Path, tmp_path: Path) -> None:
    (tmp_path / "guest.xml").write_text(domain("pc", BARE + "".join(scsi("virtio-scsi", n) for n in range(3))))
    done = run("attach", str(tmp_path / "guest.xml"), str(given / "disk.xml"))
    assert done == Done(0, "disk:sdp (needs no PCI address)\n", "1 attached, as libvirt 12.9\n")


def test_what_never_comes() -> None:
    done = run("attach", DESKTOP, "--device", "ac97")
    assert (done.status, done.out) == (1, "")
    assert done.err.splitlines() == [
        "0 of 1: live attach of device 'sound' is not supported; attach it with --config: it is there at the next boot",
        "  no running guest takes it, whatever room there is",
    ]


def test_where_qemu_refuses() -> None:
    xml = domain("pc", BARE + pci("pci-root", 0, OFF) + pci("pci-bridge", 1)).encode()
    done = run("attach", "-", "--device", "virtio-net", given=xml)
    assert done.err.splitlines() == [
        "0 of 1: Bus 'pci.0' does not support hotplugging;"
        " name a slot that takes it: <address type='pci' bus='0x01' slot='0x01'/>",
        "  interface:0: libvirt goes to 0000:00:03.0, and looks no further;"
        " <target hotplug='off'/> switches the hotplug of the root bus off",
    ]


def test_live_json() -> None:
    xml = domain("q35", BARE + ROOT + ports(1)).encode()
    done = run("attach", "-", "--device", "virtio-net,count=2", "--format", "json", given=xml)
    assert done.status == 1
    document = json.loads(done.out)
    assert document["refused"].pop("details")[0] == "no free hot-pluggable express port"
    element = "<controller type='pci' index='2' model='pcie-root-port'/>"
    assert document == {
        "schema": "pcisim.attach/1",
        "libvirt": "12.9",
        "measured": True,
        "profile": "qemu-11.1",
        "mode": "live",
        "asked": 2,
        "done": 1,
        "attached": [
            {
                "label": "interface:0",
                "address": "0000:01:00.0",
                "multifunction": None,
                "config_address": "0000:01:00.0",
                "same_with_config": True,
                "guest_address": "0000:01:00.0",
                "guest_remark": "",
            }
        ],
        "refused": {
            "code": "no-more-slots",
            "headline": "No more available PCI slots",
            "remedy": f"before the next boot add {element}",
            "before_next_boot": [element],
        },
        "raw_arguments": 0,
    }


# ------------------------------------------------------------------ the stored definition


def test_the_definition_grows() -> None:
    done = run("attach", "-", "--device", "virtio-net,count=2", "--config", given=domain("q35", BARE).encode())
    assert done.status == 0
    assert done.out.replace(" multifunction='on'", "") == (
        line("pci:1      ", 0, 1) + line("pci:2      ", 0, 1, 1) + line("interface:0", 1, 0) + line("interface:1", 2, 0)
    )
    assert done.err.splitlines() == [
        "2 attached, as libvirt 12.9",
        "  libvirt adds pci:1 pcie-root-port at 0000:00:01.0",
        "  libvirt adds pci:2 pcie-root-port at 0000:00:01.1",
    ]


def test_the_definition_takes_any_function(tmp_path: Path) -> None:
    (tmp_path / "nic.xml").write_text(nic("virtio", at(7, 0, 3)))
    (tmp_path / "root.xml").write_text(nic("virtio", at(0, 9)))
    done = run("attach", DESKTOP, str(tmp_path / "nic.xml"), "--config", str(tmp_path / "root.xml"))
    assert (done.status, done.out) == (0, line("interface:1", 7, 0, 3) + line("interface:2", 0, 9))
    assert run("attach", DESKTOP, str(tmp_path / "nic.xml")).err.startswith(
        "0 of 1: Only PCI device addresses with function=0 are supported; "
    )


def test_config_json() -> None:
    xml = domain("q35", BARE).encode()
    asked = ("--device", "virtio-net", "--device", "virtio-crypto")
    done = run("attach", "-", *asked, "--config", "--format", "json", given=xml)
    assert done.status == 1
    document = json.loads(done.out)
    assert [(row["label"], row["address"], row["added"]) for row in document["attached"]] == [
        ("pci:1", "0000:00:01.0", True),
        ("pci:2", "0000:00:01.1", True),
        ("interface:0", "0000:01:00.0", False),
    ]
    assert document["refused"] == {
        "code": "not-attachable",
        "headline": "persistent attach of device 'crypto' is not supported",
        "details": [],
        "remedy": "edit the definition (virsh edit)",
        "before_next_boot": [],
    }


# ------------------------------------------------------------------ detach


def test_what_is_free_afterwards() -> None:
    assert run("detach", DESKTOP, "interface:0", "disk:vda") == Done(
        0,
        "interface:0 frees 0000:01:00.0\ndisk:vda    frees 0000:04:00.0\n"
        "free slots: cold 30 PCI Express + 0 conventional, hot 3 PCI Express + 0 conventional\n",
        "2 detached, as libvirt 12.9\n",
    )


def test_what_never_goes() -> None:
    done = run("detach", "-", "interface:0", "video:0", "disk:vda", given=example("desktop"))
    assert done.status == 1
    assert done.out.splitlines()[0] == "interface:0 frees 0000:01:00.0"
    headline, *rest = done.err.splitlines()
    assert headline.startswith("1 of 3: ")
    assert headline.endswith(": live detach of device 'video' is not supported")
    assert rest == [
        "  video:0 stays while the guest runs",
        "  to do: take it out of the stored definition: it is gone at the next boot",
    ]


def test_detach_json() -> None:
    xml = domain("pc", BARE + scsi("virtio-scsi", 0) + disk(0, bus="scsi", prefix="sd") + rng()).encode()
    done = run("detach", "-", "disk:sda", "rng:0", "ide:0", "--format", "json", given=xml)
    assert done.status == 2
    done = run("detach", "-", "disk:sda", "rng:0", "usb:0", "--format", "json", given=xml)
    assert (done.status, is_tidy(done.err)) == (1, True)
    document = json.loads(done.out)
    assert document.pop("refused")["code"] == "not-hot-pluggable"
    assert document == {
        "schema": "pcisim.detach/1",
        "libvirt": "12.9",
        "measured": True,
        "profile": "qemu-11.1",
        "detached": [{"label": "disk:sda", "address": None}, {"label": "rng:0", "address": "0000:00:03.0"}],
        "free": {"express": {"cold": 0, "hot": 0}, "conventional": {"cold": 29, "hot": 29}},
    }


def test_the_hot_slots_are_those_that_can_be_reached() -> None:
    """A root bus of pc without hotplug bars the way to the bridges behind it."""
    xml = domain("pc", BARE + pci("pci-root", 0, OFF) + pci("pci-bridge", 1) + rng(at(1, 1))).encode()
    assert run("detach", "-", "rng:0", given=xml).out.splitlines()[1] == (
        "free slots: cold 0 PCI Express + 60 conventional, hot 0 PCI Express + 0 conventional"
    )


# ------------------------------------------------------------------ wrong calls


@pytest.mark.parametrize(
    ("words", "status", "headline"),
    [
        (("attach",), 2, "no guest: no file is given"),
        (("attach", DESKTOP), 2, "give either --device or files of device XML"),
        (("attach", DESKTOP, "nic.xml", "--device", "vga"), 2, "give either --device or files of device XML"),
        (("attach", DESKTOP, "--device", "nonsense"), 2, "unknown device 'nonsense'"),
        (("attach", DESKTOP, "--device", "vga,count=x"), 2, "--device vga,count=x: 'x' is not a valid count"),
        (("attach", DESKTOP, "--device", "vga", "--libvirt", "1.0"), 2, "libvirt 1.0 is older than 7.0"),
        (("attach", DESKTOP, "--bogus"), 2, "unrecognized arguments: --bogus"),
        (("attach", "-", "-"), 2, "two inputs are standard input"),
        (("attach", DESKTOP, "missing.xml"), 3, "cannot read missing.xml: no such file"),
        (("attach", "missing.xml", "--device", "vga"), 3, "cannot read missing.xml: no such file"),
        (("detach", DESKTOP), 2, "the following arguments are required: LABEL"),
        (("detach", DESKTOP, "disk:vdz"), 2, "no device 'disk:vdz'"),
        (("detach", "missing.xml", "disk:vda"), 3, "cannot read missing.xml: no such file"),
    ],
)
def test_a_wrong_call(words: tuple[str, ...], status: int, headline: str) -> None:
    done = run(*words)
    assert (done.status, done.out) == (status, "")
    assert done.err.startswith(headline)
    assert is_tidy(done.err)


def test_a_file_that_cannot_be_read_is_named(given: Path) -> None:
    bad, lease = str(given / "bad.xml"), str(given / "lease.xml")
    assert run("attach", DESKTOP, bad).err.startswith(f"{bad}:2: Invalid PCI address slot='0x20', must be <= 0x1F")
    done = run("attach", DESKTOP, lease)
    assert (done.status, done.err.splitlines()[0]) == (
        3,
        f"{lease}:1: this is not a device that could have an address: the root element is <lease>",
    )


def test_the_devices_are_listed() -> None:
    done = run("attach", "--device", "?")
    assert done.status == 0
    assert "virtio-net" in done.out


def test_options_stand_anywhere(given: Path) -> None:
    card = str(given / "rng.xml")
    wanted = run("attach", DESKTOP, card, "--config")
    assert wanted.status == 0
    assert run("attach", DESKTOP, "--config", card) == wanted
    assert run("attach", "--config", DESKTOP, card) == wanted
    assert run("attach", "--help").out.startswith("usage: pcisim attach [-h]")


# ------------------------------------------------------------------ other architectures


@pytest.mark.parametrize("arch", ["aarch64", "loongarch64"])
def test_a_scsi_controller_that_comes_along_finds_no_place(arch: str, given: Path) -> None:
    """Of which nobody said the model, so that nobody says what kind of place it needs."""
    xml = domain("virt", rng(), arch=arch).replace("<acpi/>", "").encode()
    full = domain("virt", ROOT, ports(1), rng(), arch=arch).encode()
    (given / "controller.xml").write_text("<controller type='scsi' index='1'/>")
    for text, device in ((full, "disk.xml"), (full, "controller.xml"), (xml, "disk.xml")):
        done = run("attach", "-", str(given / device), given=text)
        assert done.status in (0, 1)
        assert is_tidy(done.err)


def test_host_bridges_that_come_along_have_no_address() -> None:
    text = domain("pseries", BARE, *(disk(n) for n in range(28)), arch="ppc64").encode()
    done = run("attach", "-", "--config", "--device", "virtio-net,count=6", given=text)
    assert done.status == 0
    assert "  libvirt adds pci:1 pci-root\n" in done.err


def test_where_a_guest_of_another_architecture_finds_it_is_not_covered() -> None:
    text = domain("virt", ROOT, ports(2), rng(), arch="aarch64").encode()
    done = run("attach", "-", "--device", "virtio-net", given=text)
    assert (done.status, done.out) == (0, line("interface:0", 2, 0))
    assert "  interface:0: where a guest of aarch64 finds it is not covered\n" in done.err


def test_attaching_on_s390_leaves_the_numbers_that_there_are() -> None:
    text = domain("", "<sound model='ich6'/>", arch="s390x").encode()
    done = run("attach", "-", "--config", "--device", "e1000", given=text)
    element = "<address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'>"
    assert (done.status, done.out) == (0, f"interface:0 {element}<zpci uid='0x0002' fid='0x00000001'/></address>\n")


def test_a_device_is_detached_once() -> None:
    done = run("detach", DESKTOP, "rng:0", "rng:0")
    assert (done.status, done.out, done.err.partition("\n")[0]) == (2, "", "rng:0 is named twice")
