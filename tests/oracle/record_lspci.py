"""Record what lspci prints in a guest, or compare with what is recorded.

    python -m tests.oracle.record_lspci DIR            write every answer anew
    python -m tests.oracle.record_lspci DIR --check    compare, write nothing; status 1 when anything differs

Each of `MACHINES` is booted on QEMU 7.2 with SeaBIOS, Linux 6.1, lspci 3.9 and pci.ids of Debian bookworm.  DIR is
the chroot that `tests/oracle/setup.sh` makes.  What is kept in ``tests/data/lspci/NAME.json``: the machine, its
devices, and the lines that lspci prints, by its options.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from tests.oracle.linux_guest import LinuxGuest
from tests.record_goldens import DATA

FOLDER = DATA / "lspci"
OPTIONS = ("", "-t", "-tv", "-tvnn", "-n", "-nn", "-D", "-s 01:", "-v")
MACHINES = {
    "q35": (
        "VGA,addr=1 pcie-root-port,id=r1,chassis=1,addr=2.0,multifunction=on pcie-root-port,id=r2,chassis=2,addr=2.1"
        " pcie-root-port,id=r3,chassis=3,addr=2.2 pcie-root-port,id=r4,chassis=4,addr=2.3"
        " pcie-root-port,id=r5,chassis=5,addr=2.4 virtio-net-pci,bus=r1 pcie-pci-bridge,id=pb,bus=r2"
        " e1000,bus=pb,addr=4 rtl8139,bus=pb,addr=5 qemu-xhci,bus=r3 virtio-scsi-pci,bus=r4 ich9-intel-hda,addr=1b"
        " ich9-usb-uhci1,addr=1d.0,multifunction=on ich9-usb-uhci2,addr=1d.1 ich9-usb-uhci3,addr=1d.2"
        " ich9-usb-ehci1,addr=1d.7 virtio-balloon-pci,addr=6 virtio-rng-pci,addr=7 e1000e,addr=8"
        " i82801b11-bridge,id=dm,addr=1e pci-bridge,id=b5,bus=dm,chassis_nr=7,addr=3 virtio-serial-pci,bus=b5,addr=7"
        " pxb-pcie,id=px,bus_nr=64,addr=9 pcie-root-port,id=r9,bus=px,chassis=9,addr=1 virtio-gpu-pci,bus=r9"
    ),
    "pc": (
        "VGA,addr=2 piix3-usb-uhci,addr=1.2 virtio-net-pci,addr=3 pci-bridge,id=b1,chassis_nr=1,addr=4"
        " pci-bridge,id=b2,chassis_nr=2,addr=5 virtio-scsi-pci,bus=b1,addr=3 lsi53c895a,addr=7 AC97,addr=8"
        " i6300esb,addr=9 pci-serial,addr=a pci-bridge,id=b3,bus=b1,chassis_nr=3,addr=9 virtio-net-pci,bus=b3,addr=1"
        " e1000,bus=b3,addr=1f sdhci-pci,addr=b virtio-rng-pci,addr=c.0,multifunction=on virtio-rng-pci,addr=c.3"
    ),
}


def answers(text: str) -> dict[str, list[str]]:
    """Return what lspci printed by its options."""
    found: dict[str, list[str]] = {}
    for part in re.split(r"^@lspci ?", text, flags=re.MULTILINE)[1:]:
        options, *lines = part.partition("@end")[0].splitlines()
        found[options] = [line for line in lines if "libkmod" not in line]
    return found


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Record what lspci prints in a guest.")
    parser.add_argument("chroot", type=Path, metavar="DIR", help="a Debian trixie, as tests/oracle/setup.sh makes it")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    options = parser.parse_args()
    questions = "".join(f"echo '@lspci {words}'; lspci {words}\n" for words in OPTIONS)
    guest = LinuxGuest(options.chroot, questions, packages=["pciutils", "libpci3", "pci.ids"])
    changed = 0
    for name, text in MACHINES.items():
        devices = text.split(" ")
        words = [word for device in devices for word in ("-device", device)]
        printed = answers(guest.ask("7.2", ["-machine", name, "-nodefaults", "-display", "none", *words]))
        document = json.dumps({"machine": name, "devices": devices, "lspci": printed}, indent=1) + "\n"
        path = FOLDER / f"{name}.json"
        if not path.exists() or path.read_text() != document:
            changed += 1
            print(f"{'differs' if options.check else 'recorded'}: {name}", flush=True)
            if not options.check:
                path.parent.mkdir(exist_ok=True)
                path.write_text(document)
    guest.close()
    sys.exit(1 if options.check and changed else 0)


if __name__ == "__main__":
    main()
