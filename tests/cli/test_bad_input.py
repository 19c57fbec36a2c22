"""Bad input, each kind of it: one headline, the right status, no traceback, soon, and the file as it was."""

from __future__ import annotations

import itertools
import random
import string
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import Done, is_tidy, process, run
from tests.limits import within
from tests.sampled import one_in

SOON = 10.0
"""Seconds that nothing may take longer than."""


def guest(devices: str = "", machine: str = "pc", arch: str = "x86_64") -> bytes:
    """Return a domain."""
    kind = f"<type arch='{arch}' machine='{machine}'>hvm</type>"
    return f"<domain>\n<os>{kind}</os>\n<devices>\n{devices}\n</devices>\n</domain>\n".encode()


def nic(attributes: str = "") -> str:
    """Return a network card, with an address if attributes of one are given."""
    address = f"<address type='pci' {attributes}/>" if attributes else ""
    return f"<interface type='user'><model type='virtio'/>{address}</interface>"


LAUGHS = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))
DIGITS = "9" * 400
SHORT = f"'{'9' * 60}... (400 characters)'"
SCSI_HOSTDEV = (
    "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/><address bus='0' target='0' unit='0'/>"
    "</source>{}</hostdev>"
)
PORT = "<controller type='pci' index='{}' model='{}'><address type='pci' bus='{}'/></controller>"

CASES: dict[str, tuple[bytes, int, str]] = {
    # what, status, beginning of the headline after the name of the file
    "empty": (b"", 3, ":1: XML cannot be read: the document is empty: it has no element (line 1, column 1)"),
    "blank": (b" \n\n", 3, ":3: XML cannot be read: the document is empty"),
    "junk": (random.Random(1).randbytes(5000), 3, ":1: XML cannot be read: "),
    "zeroes": (bytes(5000), 3, ":1: XML cannot be read: "),
    "text": (b"hello", 3, ":1: XML cannot be read: "),
    "broken": (b"<domain>\n<os>", 3, ":2: XML cannot be read: the document ends, but <os>, opened on line 2"),
    "crossed": (b"<domain><os></domain>", 3, ":1: XML cannot be read: </domain> does not close <os>, opened on line 1"),
    "two-roots": (b"<domain/><domain/>", 3, ":1: XML cannot be read: there is something after the end"),
    "another-root": (
        b"<network/>", 3, ":1: this is not a domain: unexpected root element <network>, expecting <domain>\n",
    ),
    "no-os": (b"<domain/>", 1, ":1: an os <type> must be specified"),
    "unknown-machine": (guest(machine="frobnicate"), 1, ":2: Machine type '"),
    "almost-a-machine": (guest(machine="pc-frobnicate-9"), 1, ":2: Machine type '"),
    "unknown-arch": (guest(arch="z80"), 4, ":2: architecture 'z80' is not covered"),
    "other-arch": (guest(machine="sun4u", arch="sparc64"), 4, ":2: architecture 'sparc64' is not covered"),
    "doctype": (b"<!DOCTYPE domain><domain/>", 3, ":1: XML cannot be read: a DOCTYPE, which is refused"),
    "entity": (b"<domain>&foo;</domain>", 3, ":1: XML cannot be read: the entity &foo is not defined"),
    "laughs": (f"<!DOCTYPE a [<!ENTITY l0 'ha'>{LAUGHS}]><a>&l9;</a>".encode(), 3, ":1: XML cannot be read: a DOCTYPE"),
    "late-laughs": (f"<a/><!DOCTYPE a [<!ENTITY l0 'ha'>{LAUGHS}]>".encode(), 3, ":1: XML cannot be read: "),
    "external": (b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", 3, ":1: XML cannot be read: a DOCTYPE"),
    "deep": (guest("<a>" * 10_000 + "</a>" * 10_000), 3, ":4: XML cannot be read: elements are nested more than 256"),
    "deep-and-open": (b"<domain>" + b"<a>" * 1_000_000, 3, ":1: XML cannot be read: elements are nested more than 256"),
    "large": (b"<domain><!--" + b"x" * (17 << 20) + b"--></domain>", 3, ": XML document of more than 16 MiB"),
    "many-attributes": (b"<domain " + b" ".join(b"a%d='x'" % n for n in range(100_000)) + b"/>", 1, ":1: an os <type>"),
    "attribute-twice": (b"<domain><os a='1' a='1'/></domain>", 3, ":1: XML cannot be read: the attribute a is there"),
    "nul": (b"<domain>\0</domain>", 3, ":1: XML cannot be read: a NUL character"),
    "not-utf-8": (guest("<!-- caf\xe9 -->").decode().encode("latin-1"), 3, ":4: XML cannot be read: the byte 0xe9"),
    "unknown-encoding": (b"<?xml version='1.0' encoding='none'?><a/>", 3, ":1: XML cannot be read: the encoding 'no"),
    "no-text-encoding": (b"<?xml version='1.0' encoding='base64'?><a/>", 3, ":1: XML cannot be read: "),
    "half-utf-16": (guest().decode().encode("utf-16")[:-1], 3, ":6: XML cannot be read: not well-formed UTF-16"),
    "utf-32": (guest().decode().encode("utf-32"), 3, ":1: XML cannot be read: "),
    **{
        f"digits-{name}": (
            guest(nic(f"{name}='{DIGITS}'")), 3,
            f":4: Invalid value for attribute '{name}' in element 'address': {SHORT}.",
        )
        for name in ("domain", "bus", "slot", "function")
    },
    "digits-index": (
        guest(f"<controller type='pci' index='{DIGITS}' model='pci-bridge'/>"), 3,
        f":4: Invalid value for attribute 'index' in element 'controller': {SHORT}.",
    ),
    "digits-target": (
        guest(f"<controller type='pci' index='1' model='pci-bridge'><target chassisNr='{DIGITS}'/></controller>"), 3,
        f":4: Invalid value for attribute 'chassisNr' in element 'target': {SHORT}.",
    ),
    "slot-range": (guest(nic("slot='0x20'")), 3, ":4: Invalid PCI address slot='0x20', must be <= 0x1F"),
    "huge-index": (guest("<controller type='pci' index='1000' model='pci-bridge'/>"), 1, ":4: PCI controller index 1"),
    "index-256": (guest("<controller type='pci' index='256' model='pci-bridge'/>"), 1, ":4: PCI controller index 256"),
    "enormous-index": (
        guest("<controller type='pci' index='2000000000' model='pci-bridge'/>"), 1,
        ":4: PCI controller index 2000000000",
    ),
    "enormous-drive-controller": (
        guest(SCSI_HOSTDEV.format("<address type='drive' controller='4000000000'/>")), 1, ":4: SCSI controller index 4",
    ),
    "bridges-in-a-circle": (guest(PORT.format(1, "pci-bridge", 2) + PORT.format(2, "pci-bridge", 1)), 1, ":4: "),
    "long-value": (guest(f"<rng model='{'x' * 1_000_000}'/>"), 3, ":4: Invalid value for attribute 'model' in element"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_input(case: str, tmp_path: Path) -> None:
    text, status, headline = CASES[case]
    file = tmp_path / "guest.xml"
    file.write_bytes(text)
    with within(SOON):
        done = run("assign", str(file))
    assert (done.status, done.out) == (status, "")
    assert done.err.startswith(f"{file}{headline}"), done.err
    assert is_tidy(done.err)
    assert len(done.err) < 5000
    for words in (["tree"], ["assign", "--format", "qemu"], ["assign", "--in-place"]):
        assert run(*words, str(file)) == done
    assert file.read_bytes() == text
    piped = run("assign", "-", given=text)
    assert piped == done._replace(err=done.err.replace(f"{file}", "<stdin>"))


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("missing.xml", "cannot read missing.xml: no such file or directory"),
        ("missing-*.xml", "cannot read missing-*.xml: no file matches"),
        ("", "cannot read a file without a name: no such file or directory"),
        ("a\0b", "cannot read a\\x00b: embedded null byte"),
    ],
)
def test_files_that_cannot_be_read(name: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = Done(3, "", f"{complaint}\n  to do: name a file of domain XML\n")
    assert run("assign", name) == done
    assert run("tree", name) == done
    assert run("assign", "--in-place", name) == done


def test_an_endless_file() -> None:
    done = process(["tree", "/dev/zero"])
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.decode() == (
        "/dev/zero: XML document of more than 16 MiB\n"
        "  to do: take larger ones by --max-size MIB, or PCISIM_MAX_SIZE=MIB; each MiB takes up to 64 of memory\n"
    )


def test_the_limit_of_size_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "large.xml"
    path.write_bytes(guest().replace(b"<domain>", b"<domain><!--" + b"x" * (17 << 20) + b"-->"))
    assert run("tree", str(path)).status == 3
    assert run("tree", "--max-size", "20", str(path)).status == 0
    assert process(["tree", str(path)], environment={"PCISIM_MAX_SIZE": "20"}).returncode == 0
    small = run("tree", "--max-size=1", "-", given=guest("<!--" + "x" * (2 << 20) + "-->"))
    assert small.err.startswith("<stdin>: XML document of more than 1 MiB\n")
    for word in ("0", "-1", "x", "1.5", "9" * 5000):
        done = run("tree", f"--max-size={word}", "-", given=guest())
        assert (done.status, done.out) == (2, "")


def test_the_memory_that_a_document_takes(tmp_path: Path) -> None:
    """What takes most is many elements, as short as they can be."""
    path = tmp_path / "large.xml"
    path.write_bytes(guest("<a/>" * (1 << 20)))
    code = (
        "import re, sys; from pcisim.cli import main; status = main(['tree', sys.argv[1]]);"
        # not getrusage, which begins with what the parent had when it forked
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=True, timeout=120)
    assert int(done.stdout.split()[-1]) < (4 * 64 + 60) << 10  # KiB; 60 MiB are Python and pcisim


def _names(prefix: str) -> list[str]:
    letters = itertools.product(string.ascii_lowercase, repeat=4)
    return [prefix + "".join(name) for name in itertools.islice(letters, 20_000)]


MANY = {
    "cards": [nic()] * 20_000,
    "disks": [f"<disk type='file'><target dev='{name}' bus='virtio'/></disk>" for name in _names("vd")],
    "addresses": [nic(f"bus='{n % 255 + 1}' slot='{n % 31 + 1}' function='{n % 8}'") for n in range(20_000)],
    "videos": ["<video><model type='virtio'/></video>"] * 20_000,
    "inputs": ["<input type='tablet' bus='virtio'/>"] * 20_000,
    "usb-controllers": ["<controller type='usb' model='ehci'/>"] * 20_000,
    "ich9-controllers": [
        f"<controller type='usb' model='ich9-{model}'/>"
        for _ in range(5_000)
        for model in ("ehci1", "uhci1", "uhci2", "uhci3")
    ],
    "bridges": ["<controller type='pci' model='pci-bridge'/>"] * 20_000,
    "scsi-host-devices": [SCSI_HOSTDEV.format("")] * 20_000,
    "serial-controllers": [
        f"<channel type='pty'><target type='virtio'/><address type='virtio-serial' controller='{n}' port='1'/>"
        "</channel>"
        for n in range(20_000)
    ],
}


@pytest.mark.parametrize(("what", "machine"), one_in(3, [(what, m) for what in MANY for m in ("pc", "q35")]))
def test_twenty_thousand_devices(what: str, machine: str) -> None:
    """They are refused for what does not fit, not for the count."""
    text = guest("\n".join(MANY[what]), machine)
    with within(SOON):
        done = run("assign", "-", given=text)
    assert (done.status, done.out) == (1, "")
    assert is_tidy(done.err)
    assert "many" not in done.err.splitlines()[0]


@pytest.mark.parametrize(
    "words",
    [
        ["q35", "--device", "virtio-blk,count=20000"],
        [
            "pc",
            "--device",
            "e1000,count=20000",
            "--device",
            "virtio-scsi,count=20000",
            "--device",
            "pci-serial,count=9999",
        ],
    ],
)
def test_twenty_thousand_devices_without_xml(words: list[str]) -> None:
    with within(SOON):
        done = run("assign", "--machine", *words)
    assert done.status == 1
    assert "--device" not in done.err


def test_a_large_drive_controller() -> None:
    """libvirt adds every SCSI controller up to it."""
    with within(SOON):
        done = run("assign", "-", given=guest(SCSI_HOSTDEV.format("<address type='drive' controller='20000'/>")))
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("<stdin>: a PCI slot is needed")


def test_two_thousand_million_ports() -> None:
    """libvirt accepts them: what is not used must not be counted out."""
    ports = "<controller type='virtio-serial' index='0' ports='2000000000'/>"
    with within(SOON):
        done = run("assign", "-", given=guest(ports + "<channel type='pty'><target type='virtio'/></channel>"))
    assert done.status == 0


CIRCLES = {
    "by-hand": PORT.format(1, "pcie-switch-upstream-port", 2) + PORT.format(2, "pcie-switch-downstream-port", 1),
    "by-search": "<controller type='pci' index='1' model='pcie-switch-upstream-port'/>"
    "<controller type='pci' index='2' model='pcie-switch-downstream-port'/>"
    "<controller type='usb' model='none'/><memballoon model='none'/>",
}


@pytest.mark.parametrize("case", CIRCLES)
@pytest.mark.parametrize(
    "words",
    [
        ["assign"],
        ["tree"],
        ["assign", "--format", "qemu"],
        ["assign", "--format", "json"],
        ["assign", "--explain", "pci:2"],
    ],
)
def test_controllers_in_a_circle(case: str, words: list[str]) -> None:
    """libvirt accepts these, so that pcisim does; no command may follow them for ever."""
    root = "<controller type='pci' index='0' model='pcie-root'/>"
    done = run(*words, "-", given=guest(root + CIRCLES[case], "q35"))
    assert done.status == 0
    assert "pci.1" in done.out or "pci:1" in done.out or "index='1'" in done.out or "pci:2" in done.out
