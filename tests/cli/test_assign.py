"""``pcisim assign``: what it prints, what it writes, what it leaves alone."""

from __future__ import annotations

import json
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import pcisim
from tests.cli.running import EXAMPLES, PLAIN, Done, example, is_tidy, process, run
from tests.placement.test_quick_check import REPORTED
from tests.record_goldens import read_guest

SERVER = str(EXAMPLES / "server.xml")
DESKTOP = str(EXAMPLES / "desktop.xml")
CONFLICT = str(EXAMPLES / "conflict.xml")

SERVER_REPORT = """\
6 added, 2 already addressed, as libvirt 12.9
  line 33: opened <controller .../>
  line 34: opened <watchdog .../>
  line 35: opened <memballoon .../>
"""

SERVER_DIFF = """\
--- {name}
+++ {name}\t(addressed)
@@ -18,6 +18,7 @@
     <disk type='block' device='disk'>
       <source dev='/dev/vg0/data'/>
       <target dev='vdb' bus='virtio'/>
+      <address type='pci' domain='0x0000' bus='0x00' slot='0x06' function='0x0'/>
     </disk>
     <interface type='bridge'>
       <mac address='52:54:00:aa:00:01'/>
@@ -29,9 +30,20 @@
       <mac address='52:54:00:aa:00:02'/>
       <source bridge='br1'/>
       <model type='e1000'/>
+      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>
     </interface>
-    <controller type='scsi' index='0' model='virtio-scsi'/>
-    <watchdog model='i6300esb' action='reset'/>
-    <memballoon model='virtio'/>
+    <controller type='scsi' index='0' model='virtio-scsi'>
+      <address type='pci' domain='0x0000' bus='0x00' slot='0x04' function='0x0'/>
+    </controller>
+    <controller type='usb' index='0' model='piix3-uhci'>
+      <address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x2'/>
+    </controller>
+    <controller type='pci' index='0' model='pci-root'/>
+    <watchdog model='i6300esb' action='reset'>
+      <address type='pci' domain='0x0000' bus='0x00' slot='0x08' function='0x0'/>
+    </watchdog>
+    <memballoon model='virtio'>
+      <address type='pci' domain='0x0000' bus='0x00' slot='0x07' function='0x0'/>
+    </memballoon>
   </devices>
 </domain>
"""

SERVER_ADDRESSES = """\
scsi:0       <address type='pci' domain='0x0000' bus='0x00' slot='0x04' function='0x0'/>
usb:0        <address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x2'/>
disk:vda     <address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0'/>
disk:vdb     <address type='pci' domain='0x0000' bus='0x00' slot='0x06' function='0x0'/>
interface:0  <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/>
interface:1  <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>
watchdog:0   <address type='pci' domain='0x0000' bus='0x00' slot='0x08' function='0x0'/>
memballoon:0 <address type='pci' domain='0x0000' bus='0x00' slot='0x07' function='0x0'/>
"""

SERVER_QEMU = """\
-machine pc-i440fx-7.2 \\
-nodefaults \\
-device piix3-usb-uhci,id=usb-0,bus=pci.0,addr=0x1.0x2 \\
-device virtio-scsi-pci,id=scsi-0,bus=pci.0,addr=0x4 \\
-device virtio-blk-pci,drive=DRIVE_vda,id=disk-vda,bus=pci.0,addr=0x5 \\
-device virtio-blk-pci,drive=DRIVE_vdb,id=disk-vdb,bus=pci.0,addr=0x6 \\
-device virtio-net-pci,netdev=NETDEV_0,id=interface-0,bus=pci.0,addr=0x3 \\
-device e1000,netdev=NETDEV_1,id=interface-1,bus=pci.0,addr=0x2 \\
-device i6300esb,id=watchdog-0,bus=pci.0,addr=0x8 \\
-device virtio-balloon-pci,id=memballoon-0,bus=pci.0,addr=0x7
"""

WITHOUT_XML = """\
<domain type='qemu'>
  <name>guest</name>
  <memory unit='GiB'>1</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
  </os>
  <features>
    <acpi/>
  </features>
  <devices>
    <disk type='file' device='disk'>
      <source file='/disks/vda'/>
      <target dev='vda' bus='virtio'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>
    </disk>
    <controller type='usb' index='0' model='piix3-uhci'>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x2'/>
    </controller>
    <controller type='pci' index='0' model='pci-root'/>
    <memballoon model='virtio'>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/>
    </memballoon>
  </devices>
</domain>
"""

REFUSAL = """\
{name}:15: Attempted double use of PCI Address 0000:00:08.0
  interface:0 asks for it
  disk:vda holds it already (line 10)
  to do: leave the address of interface:0 out, or take the first empty slot of bus 0: 0x03, or share the slot:\
 function='0x1' is free
"""


def addressed(name: str) -> bytes:
    """Return an example with its addresses."""
    text = pcisim.assign_xml(example(name))
    assert isinstance(text, bytes)
    return text


# results


def test_prints_the_addressed_xml() -> None:
    assert run("assign", SERVER) == Done(0, addressed("server").decode(), SERVER_REPORT)
    assert run("assign", "--format", "xml", SERVER) == run("assign", SERVER)


def test_reads_standard_input() -> None:
    assert run("assign", "-", given=example("server")) == run("assign", SERVER)


def test_prints_the_difference() -> None:
    diff = SERVER_DIFF.format(name=SERVER)
    assert run("assign", "--print-diff", SERVER) == Done(0, diff, SERVER_REPORT)
    diff = SERVER_DIFF.format(name="<stdin>")
    assert run("assign", "--print-diff", "-", given=example("server")) == Done(0, diff, SERVER_REPORT)


def test_prints_addresses() -> None:
    first_line = SERVER_REPORT.splitlines(keepends=True)[0]
    assert run("assign", SERVER, "--format", "addresses") == Done(0, SERVER_ADDRESSES, first_line)


def test_prints_qemu_arguments() -> None:
    first_line = SERVER_REPORT.splitlines(keepends=True)[0]
    assert run("assign", SERVER, "--format", "qemu") == Done(0, SERVER_QEMU, first_line)


def test_qemu_arguments_are_words_for_a_shell() -> None:
    text = run("assign", SERVER, "--format", "qemu", "--runnable").out
    words = subprocess.run(["bash", "-c", f"printf '%s\\n' {text}"], capture_output=True, check=True, text=True).stdout
    plan = pcisim.assign(example("server"))
    assert words.splitlines() == plan.to_qemu_args(runnable=True)


def test_prints_json() -> None:
    done = run("assign", DESKTOP, "--format", "json", "--libvirt", "9.0")
    plan = pcisim.assign(example("desktop"), libvirt="9.0")
    assert json.loads(done.out) == json.loads(json.dumps(plan.to_json()))
    assert done.out.startswith('{\n  "schema": "pcisim.plan/1",\n  "libvirt": "9.0",\n')
    assert done.err == "16 added, 0 already addressed, as libvirt 9.0\n"


def test_explains() -> None:
    done = run("assign", SERVER, "--explain", "disk:vda")
    assert done == Done(0, "disk:vda is at 0000:00:05.0\n  the address is explicit on line 13\n", "")
    done = run("assign", SERVER, "--explain", "disk:vdb")
    assert done == Done(0, f"{pcisim.assign(example('server')).explain('disk:vdb')}\n", "")


def test_without_xml() -> None:
    report = "3 added, 0 already addressed, as libvirt 12.9\n"
    assert run("assign", "--machine", "pc", "--device", "virtio-blk") == Done(0, WITHOUT_XML, report)


def test_counts_add_up() -> None:
    words = ("assign", "--machine", "q35", "--format", "addresses")
    at_once = run(*words, "--device", "virtio-blk,count=3", "--device", "vga,count=0")
    one_by_one = run(*words, *["--device", "virtio-blk"] * 2, "--device", "virtio-blk-pci")
    assert at_once.out == one_by_one.out
    assert [line.split()[0] for line in at_once.out.splitlines() if line.startswith("disk")] == [
        "disk:vda",
        "disk:vdb",
        "disk:vdc",
    ]


def test_conventional_host_devices() -> None:
    hostdev = (
        b"<domain><os><type machine='q35'>hvm</type></os><devices><hostdev mode='subsystem' type='pci'>"
        b"<source><address domain='0' bus='6' slot='0x12' function='0'/></source></hostdev></devices></domain>"
    )
    words = ("assign", "-", "--format", "addresses")
    express = run(*words, given=hostdev)
    assert "hostdev:0    <address type='pci' domain='0x0000' bus='0x02' slot='0x00' function='0x0'/>\n" in express.out
    declared = run(*words, "--host-pci", "0000:06:12.0=pci", given=hostdev)
    assert "hostdev:0    <address type='pci' domain='0x0000' bus='0x03' slot='0x01' function='0x0'/>\n" in declared.out
    assert run(*words, "--host-pci", "0000:06:12.0=pcie", given=hostdev) == express
    assert run(*words, "--host-pci", "0000:06:13.0=pci", given=hostdev) == express


# refusals


@pytest.mark.parametrize("more", [[], ["--print-diff"], ["--format", "json"], ["--explain", "disk:vda"]])
def test_a_refusal(more: list[str]) -> None:
    assert run("assign", CONFLICT, *more) == Done(1, "", REFUSAL.format(name=CONFLICT))


def test_a_refusal_of_standard_input() -> None:
    done = run("assign", "-", given=example("conflict"))
    assert done == Done(1, "", REFUSAL.format(name="<stdin>"))


def test_what_does_not_fit_without_xml() -> None:
    done = run("assign", "--machine", "pc", "--device", "virtio-blk,count=929")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(
        "a PCI slot is needed to connect a PCI controller model='pci-bridge', but none is available"
    )
    assert is_tidy(done.err)


# files


def test_in_place(tmp_path: Path) -> None:
    guest = tmp_path / "guest.xml"
    guest.write_bytes(example("server"))
    guest.chmod(0o640)
    assert run("assign", "--in-place", str(guest)) == Done(0, "", SERVER_REPORT)
    assert guest.read_bytes() == addressed("server")
    assert stat.S_IMODE(guest.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["guest.xml"]


def test_in_place_shows_the_difference(tmp_path: Path) -> None:
    guest = tmp_path / "guest.xml"
    guest.write_bytes(example("server"))
    done = run("assign", "--in-place", "--print-diff", str(guest))
    assert done == Done(0, SERVER_DIFF.format(name=guest), SERVER_REPORT)
    assert guest.read_bytes() == addressed("server")


def test_in_place_although_the_difference_is_read_no_further(tmp_path: Path) -> None:
    guest = tmp_path / "guest.xml"
    guest.write_bytes(example("server"))
    done = process(["assign", "--in-place", "--print-diff", str(guest)], shell='| true; exit "${PIPESTATUS[0]}"')
    assert done.returncode == 0
    assert guest.read_bytes() == addressed("server")


def test_in_place_touches_no_file_without_need(tmp_path: Path) -> None:
    guest = tmp_path / "guest.xml"
    guest.write_bytes(addressed("server"))
    os.utime(guest, (1, 1))
    assert run("assign", "--in-place", str(guest)).err == "0 added, 8 already addressed, as libvirt 12.9\n"
    assert guest.stat().st_mtime == 1


def test_in_place_follows_a_link(tmp_path: Path) -> None:
    guest = tmp_path / "guest.xml"
    guest.write_bytes(example("server"))
    (tmp_path / "link.xml").symlink_to("guest.xml")
    assert run("assign", "--in-place", str(tmp_path / "link.xml")).status == 0
    assert (tmp_path / "link.xml").is_symlink()
    assert guest.read_bytes() == addressed("server")


def test_in_place_keeps_the_owner(tmp_path: Path) -> None:
    guest = tmp_path / "guest.xml"
    guest.write_bytes(example("server"))
    owner = (12345, 54321) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    os.chown(guest, *owner)
    guest.chmod(0o4711)
    assert run("assign", "--in-place", str(guest)).status == 0
    now = guest.stat()
    assert (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) == (*owner, 0o4711)


def test_in_place_keeps_what_is_refused(tmp_path: Path) -> None:
    guest = tmp_path / "guest.xml"
    guest.write_bytes(example("conflict"))
    os.utime(guest, (1, 1))
    assert run("assign", "--in-place", str(guest)) == Done(1, "", REFUSAL.format(name=guest))
    assert (guest.read_bytes(), guest.stat().st_mtime) == (example("conflict"), 1)


def test_in_place_takes_ordinary_files_only(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    code = "import sys; open(sys.argv[1], 'wb').write(open(sys.argv[2], 'rb').read())"
    with subprocess.Popen([sys.executable, "-c", code, fifo, SERVER]):
        done = process(["assign", "--in-place", str(fifo)])
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.decode() == (
        f"cannot write {fifo}: not a regular file\n  to do: -o FILE writes the result elsewhere\n"
    )


AS_IT_WAS = (
    "  the file is as it was; a new one is made in its directory, and then takes its place\n"
    "  to do: -o FILE writes the result elsewhere\n"
)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_in_place_on_a_full_disk(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it shows late; `test_writing` has a disk that is full."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    guest = tmp_path / "guest.xml"
    guest.write_bytes(example("server"))
    monkeypatch.setattr(f"os.{step}", full)
    done = run("assign", "--in-place", str(guest))
    assert done == Done(3, "", f"cannot write {guest}: no space left on device\n{AS_IT_WAS}")
    assert guest.read_bytes() == example("server")
    assert os.listdir(tmp_path) == ["guest.xml"]


def test_in_place_with_a_limit_of_size(tmp_path: Path) -> None:
    """A real write that fails in the middle."""
    guest = tmp_path / "guest.xml"
    guest.write_bytes(example("desktop"))
    done = subprocess.run(
        [sys.executable, "-m", "pcisim", "assign", "--in-place", str(guest)],
        capture_output=True,
        check=False,
        env={"PYTHONPATH": str(EXAMPLES.parent), "PYTHONDONTWRITEBYTECODE": "1", **PLAIN},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.decode() == f"cannot write {guest}: file too large\n{AS_IT_WAS}"
    assert guest.read_bytes() == example("desktop")
    assert os.listdir(tmp_path) == ["guest.xml"]


@pytest.mark.parametrize("what", ["file", "folder"])
def test_in_place_without_permission(what: str, open_folder: Path) -> None:
    folder = open_folder / "folder"
    folder.mkdir()
    guest = folder / "guest.xml"
    guest.write_bytes(example("server"))
    guest.chmod(0o444 if what == "file" else 0o666)
    folder.chmod(0o777 if what == "file" else 0o555)
    done = as_somebody_else("assign", "--in-place", str(guest))
    assert done == Done(3, "", f"cannot write {guest}: permission denied\n{AS_IT_WAS}")
    assert guest.read_bytes() == example("server")
    assert os.listdir(folder) == ["guest.xml"]
    folder.chmod(0o777)


def as_somebody_else(*words: str) -> Done:
    """Run here as a user who is not root, whom modes do not hold up."""
    run("assign", SERVER)  # what it imports may lie where only root can read
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        os.write(writer, json.dumps(run(*words)).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as stream:
        answer = json.loads(stream.read())
    os.waitpid(child, 0)
    return Done(*answer)


def test_output_file(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 255)
    assert run("assign", SERVER, "-o", str(target)) == Done(0, "", SERVER_REPORT)
    assert target.read_bytes() == addressed("server")
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~_umask()
    assert run("assign", SERVER, "-o", str(target), "--format", "addresses").status == 0
    assert target.read_text() == SERVER_ADDRESSES
    assert run("assign", SERVER, "-o", str(target), "--print-diff").out == SERVER_DIFF.format(name=SERVER)
    assert target.read_bytes() == addressed("server")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_standard_output_as_output_file() -> None:
    assert run("assign", SERVER, "-o", "-") == run("assign", SERVER)


def test_what_is_no_ordinary_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE) as reader:
        assert run("assign", SERVER, "-o", str(fifo)).status == 0
        assert reader.communicate(timeout=60)[0] == addressed("server")
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert run("assign", SERVER, "-o", "/dev/full").err == "cannot write /dev/full: no space left on device\n"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing/guest.xml", "cannot write missing/guest.xml: no such file or directory"),
        (".", "cannot write .: is a directory"),
        ("", "cannot write the file: it has no name"),
        ("a\0b", "cannot write a\\x00b: embedded null byte"),
        ("guest.xml/x", "cannot write guest.xml/x: not a directory"),
        ("x" * 256, f"cannot write {'x' * 256}: file name too long"),
    ],
)
def test_output_files_that_cannot_be(name: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("guest.xml").touch()
    assert run("assign", SERVER, "-o", name) == Done(3, "", f"{reason}\n")
    assert os.listdir() == ["guest.xml"]


# what the bytes are


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: b"<?xml version='1.0' encoding='iso-8859-1'?>\n<!-- caf\xe9 -->" + text,
        lambda text: text.decode().encode("utf-16"),
        lambda text: text.rstrip(),
        lambda text: b"".join(line.strip() for line in text.splitlines()),
    ],
    ids=["CRLF", "BOM", "latin-1", "UTF-16", "no-newline-at-end", "one-line"],
)
def test_any_encoding_comes_back_as_it_was(change: object, tmp_path: Path) -> None:
    assert callable(change)
    text = change(example("server"))
    guest = tmp_path / "guest.xml"
    guest.write_bytes(text)
    assert run("assign", "--in-place", str(guest)).status == 0
    assert guest.read_bytes() == pcisim.assign_xml(text)
    piped = process(["assign", "-"], given=text)
    assert piped.stdout == pcisim.assign_xml(text)


def test_the_difference_is_one_that_patch_takes(tmp_path: Path) -> None:
    """Also with characters that end a line for Python, but not for patch, and no newline at the end."""
    text = example("server").rstrip().replace(b"8</memory>", b"8</memory><!-- a\xc2\x85b\xe2\x80\xa8c\rd -->")
    guest = tmp_path / "guest.xml"
    guest.write_bytes(text)
    diff = process(["assign", "--print-diff", "guest.xml"], folder=tmp_path).stdout
    assert b"\\ No newline at end of file\n" in diff
    assert patched(text, diff) == pcisim.assign_xml(text)


def test_the_difference_of_what_is_not_utf_8(tmp_path: Path) -> None:
    text = b"<?xml version='1.0' encoding='iso-8859-1'?>\n" + example("server").replace(b"'br0'", b"'br\xe9'")
    guest = tmp_path / "guest.xml"
    guest.write_bytes(text)
    diff = process(["assign", "--print-diff", "guest.xml"], folder=tmp_path, environment={"PYTHONIOENCODING": "ascii"})
    assert patched(text, diff.stdout) == pcisim.assign_xml(text)


def patched(text: bytes, diff: bytes) -> bytes:
    """Return what ``patch`` would make of a text: a small one, which needs every context line to be right."""
    old = [line + b"\n" for line in text.split(b"\n")]
    old[-1] = old[-1][:-1]
    new: list[bytes] = []
    place = 0
    for line in diff.split(b"\n")[2:]:
        if line.startswith(b"@@"):
            begin = int(line.split(b"-")[1].split(b",")[0]) - 1
            new += old[place:begin]
            place = begin
        elif line.startswith(b"\\"):
            new[-1] = new[-1].removesuffix(b"\n")
        elif line.startswith(b"+"):
            new.append(line[1:] + b"\n")
        elif line:
            assert old[place].removesuffix(b"\n") == line[1:]
            place += 1
            if line.startswith(b" "):
                new.append(line[1:] + b"\n")
    return b"".join([*new, *old[place:]])


@pytest.mark.parametrize(
    ("case", "warning"),
    [
        (
            "lone-function-without-function-zero",
            "slot 0000:00:05 has no function 0, so that the guest never sees",
        ),
        ("ich9-without-function-zero", "slot 0000:00:"),
        ("multifunction-off-is-respected", "says multifunction='off', but is not alone: "),
    ],
)
def test_what_libvirt_accepts_and_is_not_sound_is_reported(case: str, warning: str) -> None:
    done = run("assign", "-", given=read_guest(case).encode())
    assert done.status == 0
    (line,) = (line for line in done.err.splitlines() if line.startswith("warning: "))
    assert warning in line
    assert line.endswith(f"[{REPORTED[case]}]")
    assert "  to do: " in done.err


def test_a_sound_guest_is_not_looked_at_closer() -> None:
    code = "import sys; from pcisim.cli import main; main(['assign', '-']); print('pcisim.diagnose' in sys.modules)"
    for case, loaded in (("gnome-boxes", "False"), ("lone-function-without-function-zero", "True")):
        done = subprocess.run([sys.executable, "-c", code], input=read_guest(case).encode(), capture_output=True)
        assert done.stdout.decode().splitlines()[-1] == loaded
