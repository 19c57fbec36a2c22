"""A Linux guest put together from Debian's packages, booted under TCG to be asked one thing.

Linux 6.1 and busybox of Debian bookworm; what else is in it, and what it prints, is up to the caller.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

KERNEL, BUSYBOX = "linux-image-amd64", "busybox-static"
MODULES = ("virtio_net", "virtio_pci", "e1000", "e1000e", "8139cp", "ahci", "xhci_pci", "nvme")
TIMEOUT = 300
END = "@end"
START = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /run
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s /bin
export PATH=/bin
exec </dev/console >/dev/console 2>&1
stty -echo -onlcr 2>/dev/null
for m in $(cat /modules/order); do insmod /modules/$m.ko 2>/dev/null; done
sleep 1
"""


class LinuxGuest:
    """A kernel and an initial ramdisk, and the QEMUs to boot them on.

    Args:
        chroot: a Debian trixie, as ``tests/oracle/setup.sh`` makes it, with QEMU 10.0.
        questions: shell commands, whose output is the answer.
        programs: programs of the chroot to put into the guest.
        packages: packages of bookworm to put into it, with the libraries of their programs.
        name: of the folder that it is made in.
    """

    def __init__(
        self,
        chroot: Path,
        questions: str,
        *,
        programs: Sequence[str] = (),
        packages: Sequence[str] = (),
        name: str = "pcisim-guest",
    ) -> None:
        self.chroot = chroot.resolve()
        self.folder = self.chroot / "var/tmp" / name
        """Below the chroot, so that both QEMUs can read it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as work:
            self._make(Path(work), f"{START}{questions}echo {END}\nreboot -f\n", programs, packages)

    def _make(self, work: Path, init: str, programs: Sequence[str], packages: Sequence[str]) -> None:
        depends = subprocess.run(["apt-cache", "depends", KERNEL], check=True, capture_output=True, text=True).stdout
        image = re.findall(r"Depends: (linux-image-\S+)", depends)[0]
        _unpack([image, BUSYBOX], work / "debian")
        _unpack(packages, work / "more")
        debian, root = work / "debian", work / "root"
        for folder in ("bin", "modules"):
            (root / folder).mkdir(parents=True)
        (root / "init").write_text(init)
        (root / "init").chmod(0o755)
        busybox = root / "bin/busybox"
        shutil.copy(debian / "bin/busybox", busybox)
        for program in programs:
            shutil.copy(self.chroot / program, root / "bin")
            for name in _libraries(["chroot", str(self.chroot), "ldd", f"/{program}"]):
                _copy(self.chroot / name.lstrip("/"), root / name.lstrip("/"))
        more = work / "more"
        for file in (file for file in more.rglob("*") if file.is_file()):
            if file.parent.name == "bin" and file.read_bytes()[:4] == b"\x7fELF":
                _copy(file, root / "bin" / file.name)
                for name in _libraries(["ldd", str(file)], more):
                    _copy(
                        Path(name),
                        root / (name if more not in Path(name).parents else name[len(str(more)) :]).lstrip("/"),
                    )
            elif file.parent.name == "misc":
                _copy(file, root / file.relative_to(more))
        order: list[str] = []
        for module in MODULES:
            _copy_module(module, debian, root / "modules", order)
        (root / "modules/order").write_text(" ".join(order))
        names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
        packed = subprocess.run(
            [busybox, "cpio", "-o", "-H", "newc"], cwd=root, input=names.encode(), check=True, capture_output=True
        ).stdout
        (self.folder / "initrd.gz").write_bytes(gzip.compress(packed, 1))
        shutil.copy(next((debian / "boot").glob("vmlinuz-*")), self.folder / "vmlinuz")

    def ask(self, qemu: str, words: Sequence[str], *, kernel: str = "") -> str:
        """Boot the guest and return what it printed.

        Args:
            qemu: ``7.2``, this machine's, or another, the chroot's.
            words: QEMU's arguments.
            kernel: more of the kernel's command line.
        """
        program = ["qemu-system-x86_64"] if qemu == "7.2" else ["chroot", str(self.chroot), "qemu-system-x86_64"]
        folder = self.folder if qemu == "7.2" else Path("/", self.folder.relative_to(self.chroot))
        command = [*program, *words, "-accel", "tcg", "-m", "384M", "-no-user-config", "-no-reboot", "-monitor", "none"]
        command += ["-serial", "stdio", "-kernel", f"{folder}/vmlinuz", "-initrd", f"{folder}/initrd.gz"]
        command += ["-append", f"console=ttyS0 panic=-1 loglevel=3 {kernel}"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL)
        if END not in result.stdout:
            sys.exit(f"the guest did not answer:\n{result.stderr}{result.stdout}{' '.join(command)}")
        return result.stdout.replace("\r", "")

    def close(self) -> None:
        """Remove what was made."""
        shutil.rmtree(self.folder)


def _unpack(packages: Sequence[str], target: Path) -> None:
    """Download packages of this machine's Debian and unpack them."""
    target.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        if packages:
            subprocess.run(["apt-get", "-qq", "download", *packages], cwd=folder, check=True, stderr=subprocess.DEVNULL)
        for package in Path(folder).glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, target], check=True)


def _libraries(command: list[str], found_in: Path | None = None) -> list[str]:
    """Return the libraries that a program needs."""
    folders = "" if found_in is None else f"{found_in}/lib/x86_64-linux-gnu:{found_in}/usr/lib/x86_64-linux-gnu"
    env = os.environ | {"LD_LIBRARY_PATH": folders}
    text = subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout
    return re.findall(r"(/\S+) \(0x", text)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source.resolve(), target)


def _copy_module(name: str, debian: Path, target: Path, order: list[str]) -> None:
    """Copy a kernel module after those that it depends on; note the order."""
    if name in order:
        return
    source = next((debian / "lib/modules").rglob(re.sub("[-_]", "[-_]", name) + ".ko"))
    depends = re.search(rb"\0depends=([^\0]*)\0", source.read_bytes())
    for other in depends[1].decode().split(",") if depends and depends[1] else ():
        _copy_module(other, debian, target, order)
    shutil.copy(source, target / f"{name}.ko")
    order.append(name)
