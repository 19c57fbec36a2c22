"""``pcisim fits``: yes and no, what to paste, its formats, its exit statuses."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

import pcisim
from tests.cli.running import EXAMPLES, Done, is_tidy, process, run
from tests.guests import domain, nic, pci
from tests.limits import within
from tests.sampled import one_in

PORTS = "places for root ports: 247 needed, 240 available, short by 7"
SOON = 10.0


def document(*words: str, given: bytes = b"") -> tuple[int, dict[str, Any]]:
    """Return the exit status, and the JSON that the command prints."""
    done = run("fits", "--format", "json", *words, given=given)
    found: dict[str, Any] = json.loads(done.out)
    return done.status, found


def test_yes() -> None:
    assert run("fits", "--machine", "pc", "--add", "virtio-blk=58") == Done(0, "yes: 58 more devices fit\n", "")
    assert run("fits", "--machine", "pc", "--add", "vga") == Done(0, "yes: 1 more device fits\n", "")
    assert run("fits", "--machine", "pc", "--add", "virtio-blk=0") == Done(0, "yes: 0 more devices fit\n", "")


@pytest.mark.parametrize(
    ("words", "command"),
    [(("fits", "--add", "virtio-blk=1"), "fits"), (("capacity", "--of", "virtio-blk"), "capacity --of")],
)
def test_there_is_no_answer_for_another_policy(words: tuple[str, ...], command: str) -> None:
    done = run(*words, "--machine", "pc", "--policy", "qemu")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"{command} answers as libvirt places, not as QEMU 7.2 places")


def test_options_add_up() -> None:
    words = ["--add", "virtio-blk=100", "--add", "virtio-net=100", "--add", "virtio-blk=37"]
    assert run("fits", "--machine", "q35", *words) == Done(0, "yes: 237 more devices fit\n", "")
    assert run("fits", "--machine", "q35", *words, "--add", "virtio-rng").status == 1


def test_no_and_what_to_paste() -> None:
    assert run("fits", "--machine", "pc", "--add", "virtio-blk=90") == Done(
        1,
        "no: 90 more devices do not fit: slots for pci-bridges: 2 needed, 0 available, short by 2\n"
        "add (moves nothing that is there):\n"
        "  <controller type='pci' index='1' model='pci-bridge'/>\n",
        "",
    )


def test_no_and_nothing_to_paste() -> None:
    assert run("fits", "--machine", "q35", "--add", "virtio-blk=300") == Done(
        1,
        "no: 300 more devices do not fit: places for root ports: 303 needed, 240 available, short by 63;"
        " bus numbers: 304 needed, 256 available, short by 48\n"
        "it fits under --policy dense, with 38 pcie-root-port: devices share slots, and what does cannot be detached"
        " while the guest runs; add:\n"
        + "".join(f"  {port(number)}\n" for number in range(1, 39))
        + "  and the addresses of the devices: --format xml prints the whole definition\n",
        "",
    )


def port(number: int) -> str:
    """Return a root port of a guest that is packed."""
    slot, function = divmod(number + 7, 8)
    bit = "" if function else " multifunction='on'"
    address = f"domain='0x0000' bus='0x00' slot='{slot:#04x}' function='{function:#x}'{bit}"
    return (
        f"<controller type='pci' index='{number}' model='pcie-root-port'><address type='pci' {address}/></controller>"
    )


def test_nothing_fits_however_it_is_packed() -> None:
    done = run("fits", "--machine", "q35", "--add", "virtio-blk=3000")
    assert done.out.splitlines()[1] == (
        "none of the controllers that were tried makes it fit; libvirt says:"
        " a PCIe slot is needed to connect a PCI controller"
        " model='pcie-root-port', but none is available, and it cannot be automatically added"
    )
    assert run("fits", "--machine", "q35", "--add", "virtio-blk=3000", "--policy", "dense").out.startswith(
        "no: 3000 more devices do not fit: bus numbers: 378 needed, 256 available, short by 122\n"
    )


def test_packed() -> None:
    assert run("fits", "--machine", "q35", "--add", "virtio-blk=300", "--policy", "dense") == Done(
        0, "yes: 300 more devices fit\n", ""
    )


def test_hotplug() -> None:
    desktop = str(EXAMPLES / "desktop.xml")
    assert run("fits", desktop, "--add", "virtio-net=1", "--hotplug") == Done(
        0, "yes: 1 more device can be attached to the running guest\n", ""
    )
    assert run("fits", desktop, "--add", "virtio-net=3", "--hotplug") == Done(
        1,
        "no: 1 of 3 can be attached; free hot-pluggable room lacks 2 PCI Express slots\n"
        "before the next boot add:\n"
        "  <controller type='pci' index='8' model='pcie-root-port'/>\n"
        "  <controller type='pci' index='9' model='pcie-root-port'/>\n",
        "",
    )


def test_what_a_running_guest_never_takes() -> None:
    done = run("fits", "--machine", "q35", "--add", "vga", "--hotplug")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("live attach of device 'video' is not supported\n")
    done = run("fits", "--machine", "q35", "--add", "vhost-vsock=2", "--hotplug")
    assert (done.status, done.out) == (1, "")


def test_json() -> None:
    status, found = document("--machine", "q35", "--add", "virtio-blk=244")
    assert status == 1
    assert found["controllers"][:2] == [
        "<controller type='pci' index='1' model='pcie-root-port'/>",
        "<controller type='pci' index='2' model='pcie-switch-upstream-port'/>",
    ]
    assert len(found["controllers"]) == 9
    del found["controllers"]
    assert found == {
        "schema": "pcisim.fits/1",
        "libvirt": "12.9",
        "measured": True,
        "profile": "qemu-11.1",
        "fits": False,
        "headline": f"no: 244 more devices do not fit: {PORTS}",
        "boots": True,
        "hotplug": False,
        "reason": "a PCIe slot is needed to connect a PCI controller model='pcie-root-port',"
        " but none is available, and it cannot be automatically added",
        "short": [{"budget": "places for root ports", "needed": 247, "available": 240, "short": 7}],
        "missing": {},
        "elsewhere": None,
        "raw_arguments": 0,
    }


def test_json_of_a_running_guest() -> None:
    status, found = document("--machine", "q35", "--hotplug", "--add", "virtio-net=2", "--add", "e1000=1")
    assert (status, found["hotplug"], found["missing"]) == (1, True, {"PCI Express": 1, "conventional": 1})
    assert found["reason"] == "No more available PCI slots"


def test_fits_and_boots_are_two_answers() -> None:
    done = run("fits", "--machine", "q35", "--add", "e1000e=15")
    assert (done.status, done.out) == (0, "yes: 15 more devices fit\n")
    assert done.err.startswith("warning: this guest will not boot: 15 bridges ask for an I/O window, and qemu-11.1/se")
    assert is_tidy(done.err)
    status, found = document("--machine", "q35", "--add", "e1000e=15")
    assert (status, found["fits"], found["boots"]) == (0, True, False)
    assert document("--machine", "q35", "--add", "e1000e=14")[1]["boots"] is True
    assert document("--machine", "pc", "--add", "virtio-blk=9000")[1]["boots"] is None


def test_the_new_definition() -> None:
    """Rule: "`--format xml` for the whole new definition", in which no address that exists moves."""
    plan = pcisim.assign(domain("pc", *[nic("virtio")] * 20))
    text = plan.to_xml()
    assert isinstance(text, str)
    done = run("fits", "-", "--add", "virtio-blk=39", "--format", "xml", given=text.encode())
    assert done.status == 1
    assert done.err.startswith("no: 39 more devices do not fit: slots for pci-bridges: 1 needed")
    new = pcisim.assign(done.out)
    assert done.out == new.to_xml()
    assert plan.addresses.items() <= new.addresses.items()
    assert sum(label.startswith("disk:") for label in new.addresses) == 39
    kept = [line for line in text.splitlines() if line in done.out.splitlines()]
    assert kept == text.splitlines()


def test_the_new_definition_of_a_guest_without_xml() -> None:
    done = run("fits", "--machine", "pc", "--add", "virtio-blk=59", "--format", "xml")
    assert done.status == 1
    assert len(pcisim.assign(done.out).addresses) == 59 + 2 + 2
    done = run("fits", "--machine", "pc", "--add", "virtio-blk=58", "--format", "xml")
    assert (done.status, done.err) == (0, "yes: 58 more devices fit\n")
    assert len(pcisim.assign(done.out).addresses) == 58 + 2 + 1


def test_the_new_definition_of_a_running_guest_is_without_the_devices() -> None:
    text = pcisim.assign_xml(domain("q35", nic("virtio")))
    assert isinstance(text, str)
    done = run("fits", "-", "--add", "virtio-blk=3", "--hotplug", "--format", "xml", given=text.encode())
    assert done.status == 1
    new = pcisim.assign(done.out)
    assert new.addresses.keys() - pcisim.assign(text).addresses.keys() == {"pci:5", "pci:6"}


def test_no_new_definition_where_nothing_helps() -> None:
    done = run("fits", "--machine", "q35", "--add", "virtio-blk=3000", "--format", "xml")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("no: 3000 more devices do not fit")


def test_the_new_definition_is_packed_where_nothing_else_helps() -> None:
    done = run("fits", "--machine", "q35", "--add", "virtio-blk=300", "--format", "xml")
    assert done.status == 1
    assert done.err.splitlines()[1] == "under --policy dense it fits: that is what is printed"
    assert sum(label.startswith("disk:") for label in pcisim.assign(done.out).addresses) == 300
    assert pcisim.assign(done.out).to_xml() == done.out


def test_a_definition_in_another_encoding() -> None:
    text = f"<?xml version='1.0' encoding='utf-16'?>{domain('pc', nic('virtio'))}".encode("utf-16")
    done = process(["fits", "-", "--add", "virtio-net=1", "--format", "xml"], given=text)
    assert (done.returncode, done.stderr) == (0, b"yes: 1 more device fits\n")
    assert pcisim.assign(done.stdout).addresses.keys() > pcisim.assign(text).addresses.keys()


@pytest.mark.parametrize(
    ("words", "status", "headline"),
    [
        (["-"], 2, "nothing to add"),
        (["--add", "vga"], 2, "no guest: neither a file nor --machine is given"),
        (["--machine", "q35", "--add"], 2, "argument --add: expected one argument"),
        (["--machine", "q35", "--add", ""], 2, "unknown device ''"),
        (["--machine", "q35", "--add", "=3"], 2, "unknown device ''"),
        (["--machine", "q35", "--add", "virtio-block=3"], 2, "unknown device 'virtio-block'"),
        (["--machine", "q35", "--add", "virtio-blk=-1"], 2, "--add virtio-blk=-1: '-1' is not a valid count"),
        (["--machine", "q35", "--add", "virtio-blk="], 2, "--add virtio-blk=: '' is not a valid count"),
        (["--machine", "q35", "--add", "virtio-blk=1e3"], 2, "--add virtio-blk=1e3: '1e3' is not a valid count"),
        (["--machine", "q35", "--add", "virtio-blk=0x10"], 2, "--add virtio-blk=0x10: '0x10' is not a valid count"),
        (["--machine", "q35", "--add", "virtio-blk=3=3"], 2, "--add virtio-blk=3=3: '3=3' is not a valid count"),
        (
            ["--machine", "q35", "--add", "virtio-blk=\u0663"],
            2,
            "--add virtio-blk=\u0663: '\u0663' is not a valid count",
        ),
        (["--machine", "q35", "--add", "virtio-blk=65537"], 2, "--add virtio-blk=65537: at most 65536 are allowed"),
        (["--machine", "q35", "--add", f"virtio-blk={'9' * 5000}"], 2, "--add virtio-blk=999"),
        (["missing.xml", "--add", "vga"], 3, "cannot read missing.xml: no such file or directory"),
        (["", "--add", "vga"], 3, "cannot read a file without a name: no such file or directory"),
        (["-", "--add", "vga"], 3, "<stdin>:1: XML cannot be read: the document is empty"),
        (["--machine", "frobnicator", "--add", "vga"], 1, "Machine type '"),
        (["--machine", "pc", "--add", "virtio-iommu"], 1, "IOMMU device: 'virtio' is only supported with"),
    ],
)
@pytest.mark.parametrize("hotplug", [False, True])
def test_what_is_refused(words: list[str], status: int, headline: str, hotplug: bool) -> None:
    with within(SOON):
        done = run("fits", *words, *(["--hotplug"] if hotplug else []))
    assert (done.status, done.out) == (status, "")
    if "virtio-iommu" in words and hotplug:
        headline = "live attach of device 'iommu' is not supported"
    assert done.err.startswith(headline), done.err
    assert is_tidy(done.err)


@pytest.mark.parametrize("text", [b"\0" * 5000, b"<domain>", b"<a/>", random.Random(4).randbytes(5000)])
def test_garbage(text: bytes) -> None:
    done = run("fits", "-", "--add", "virtio-blk=3", given=text)
    assert (done.status, done.out) == (3, "")
    assert is_tidy(done.err)


@pytest.mark.parametrize("hotplug", [False, True])
@pytest.mark.parametrize("count", one_in(2, [7000, 50_000]))
@pytest.mark.parametrize(("machine", "model"), [("pc", "virtio-blk"), ("q35", "virtio-blk"), ("q35", "e1000")])
def test_absurd_counts_are_answered_soon(machine: str, model: str, count: int, hotplug: bool) -> None:
    with within(SOON):
        done = run("fits", "--machine", machine, "--add", f"{model}={count}", *(["--hotplug"] if hotplug else []))
    assert (done.status, done.err) == (1, "") or done.err.startswith("warning: this guest will not boot")


def test_a_full_guest_is_filled_soon() -> None:
    """255 bridges take some thousand devices while the guest runs."""
    text = domain("pc", pci("pci-root"), *[pci("pci-bridge")] * 255).encode()
    with within(SOON):
        done = run("fits", "-", "--add", "virtio-rng=7600", "--hotplug", given=text)
    assert done.out == "yes: 7600 more devices can be attached to the running guest\n"


def test_a_closed_pipe_ends_in_silence() -> None:
    words = ["fits", "--machine", "pc", "--add", "virtio-blk=900", "--format", "xml"]
    done = process(words, shell="2>/dev/null | head -c 10")
    assert (done.stdout, done.stderr) == (b"<domain ty", b"")


def test_room_for_hotplug_where_libvirt_has_no_more_ports() -> None:
    """Packed there is room for ports that stay empty; the definition that is printed has them."""
    asked = ("--add", "virtio-net=2", "--hotplug")
    words = ("fits", "--machine", "q35", "--device", "virtio-blk=237", *asked)
    told = run(*words)
    assert told.status == 1
    assert told.out.splitlines()[1].startswith("it fits under --policy dense, with 32 pcie-root-port: ")
    packed = run(*words, "--format", "xml")
    assert run("fits", "-", *asked, given=packed.out.encode()).status == 0


@pytest.mark.parametrize("wish", ["group=nics", "node=0", "hotpluggable=on"])
@pytest.mark.parametrize("policy", ["libvirt", "dense"])
def test_wishes_are_kept_beside_what_comes_later(wish: str, policy: str) -> None:
    words = ("fits", "--machine", "q35", "--device", f"virtio-net,count=4,{wish}", "--policy", policy)
    done = run(*words, "--add", "virtio-net=5", "--hotplug")
    assert done.status == 1
    assert "before the next boot add:" in done.out


def test_the_definition_in_which_it_fits_keeps_wishes() -> None:
    words = ("--machine", "q35", "--device", "virtio-net,count=4,group=nics", "--device", "virtio-blk=236")
    done = run("fits", *words, "--add", "virtio-blk=9", "--format", "xml")
    places = pcisim.assign(done.out).addresses
    assert len({(places[f"interface:{n}"].bus, places[f"interface:{n}"].slot) for n in range(4)}) == 1
