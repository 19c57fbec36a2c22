"""Ask a running libvirtd what attach and detach answer, on guests that run and on stored definitions.

Run as a program (any Python 3.11 with the `libvirt` module, usually the system's), this is a
client that speaks JSON, one object a line:

    live_guest.py URI
        first line out   {"libvirt": "11.3.0"}
        in               {"xml": "<domain ...", "live": true, "steps": [step, ...]}
        out              {"ok": true, "xml": "<domain ...", "steps": [answer, ...]}
                         {"ok": false, "error": "...", "code": 27}

A step is ``{"attach": "<rng ..."}``, ``{"detach": "ua-7"}`` (an alias), ``{"detach": "ua-7", "pending": true}``, or
``{"monitor": "info qtree"}``, whose answer has ``said``;
an answer is ``{"ok": true, "xml": "<domain ..."}``, or ``{"ok": false, "error": "...", "code": 1, "xml": ...}``.

With ``live`` the guest is started paused, and destroyed whatever happens.  It runs no code, so that nothing in it
would ever acknowledge a detach; the client writes to the emulator's eject register in its place.  Without, the
definition is stored, changed with the config flag, and undefined.

Imported, it offers `LiveGuests`, which runs that program as a child.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
import xml.etree.ElementTree as ET
from types import TracebackType
from typing import Any

PYTHON_VARIABLE = "PCISIM_LIBVIRT_PYTHON"
NAME_PREFIX = "pcisim-hotplug"

EJECT = {"pc": 0xAE00, "q35": 0x0CC0}
"""Where the ACPI hotplug registers are, by machine; +0x10 chooses the bus, +8 ejects slots."""


class LiveGuests:
    """A child process that is asked one sequence after the other.

    Args:
        uri: the libvirt connection URI.
    """

    def __init__(self, uri: str) -> None:
        command = [os.environ.get(PYTHON_VARIABLE, "/usr/bin/python3"), "-I", __file__, uri]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        self.version = str(self._read()["libvirt"])

    def __enter__(self) -> LiveGuests:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                stream.close()
        self._child.wait(timeout=60)

    def ask(self, xml: str, steps: list[dict[str, object]], *, live: bool) -> dict[str, Any]:
        """Return what libvirt makes of a sequence."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps({"xml": xml, "steps": steps, "live": live}) + "\n")
        self._child.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        assert line, f"the libvirt client ended with status {self._child.wait(timeout=60)}"
        reply: dict[str, Any] = json.loads(line)
        return reply


class Client:
    """The side that has the `libvirt` module."""

    def __init__(self, uri: str) -> None:
        import libvirt  # type: ignore[import-not-found,unused-ignore]
        import libvirt_qemu  # type: ignore[import-not-found,unused-ignore]

        self.libvirt: Any = libvirt
        self.monitor: Any = libvirt_qemu
        libvirt.registerErrorHandler(lambda *_: None, None)  # or it prints each error too
        self.connection = libvirt.open(uri)
        self.count = 0

    def version(self) -> str:
        """Return the daemon's version, as in ``11.3.0``."""
        number = self.connection.getLibVersion()
        return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Make the guest or the definition, take the steps, and clear it away."""
        self.count += 1
        root = ET.fromstring(question["xml"])
        for tag, text in (("name", f"{NAME_PREFIX}-{os.getpid()}-{self.count}"), ("uuid", str(uuid.uuid4()))):
            for old in root.findall(tag):
                root.remove(old)
            ET.SubElement(root, tag).text = text
        root.set("type", "qemu")
        xml = ET.tostring(root, encoding="unicode")
        live = bool(question["live"])
        try:
            domain = (
                self.connection.createXML(xml, self.libvirt.VIR_DOMAIN_START_PAUSED)
                if live
                else self.connection.defineXML(xml)
            )
        except self.libvirt.libvirtError as error:
            return {"ok": False, "error": error.get_error_message(), "code": error.get_error_code()}
        try:
            return {
                "ok": True,
                "xml": self.dump(domain, live),
                "steps": [self.step(domain, step, live) for step in question["steps"]],
            }
        finally:
            if live:
                domain.destroy()
            else:
                domain.undefineFlags(self.libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)

    def dump(self, domain: Any, live: bool) -> str:
        """Return the domain as it is now."""
        return str(domain.XMLDesc(0 if live else self.libvirt.VIR_DOMAIN_XML_INACTIVE))

    def step(self, domain: Any, step: dict[str, Any], live: bool) -> dict[str, Any]:
        """Take one step."""
        flags = self.libvirt.VIR_DOMAIN_AFFECT_LIVE if live else self.libvirt.VIR_DOMAIN_AFFECT_CONFIG
        answer: dict[str, Any] = {"ok": True}
        try:
            if "monitor" in step:
                answer["said"] = self.qmp(domain, "human-monitor-command", **{"command-line": step["monitor"]})
            elif "attach" in step:
                domain.attachDeviceFlags(step["attach"], flags)
            elif live:
                answer["pending"] = self.detach(domain, step["detach"], bool(step.get("pending")))
            else:
                domain.detachDeviceAlias(step["detach"], flags)
        except self.libvirt.libvirtError as error:
            answer = {"ok": False, "error": error.get_error_message(), "code": error.get_error_code()}
        return answer | {"xml": self.dump(domain, live)}

    def detach(self, domain: Any, alias: str, pending: bool) -> bool:
        """Ask for a device to go, and let the guest acknowledge it unless that is to be pending; say whether it is."""
        root = ET.fromstring(domain.XMLDesc(0))
        element = next((e for e in root.iterfind("./devices/*") if e.find(f"alias[@name='{alias}']") is not None), None)
        domain.detachDeviceAlias(alias, self.libvirt.VIR_DOMAIN_AFFECT_LIVE)
        address = element.find("address") if element is not None else None
        ejected = True
        if address is not None and address.get("type") == "pci":
            bus, slot = (int(address.get(part, "0"), 0) for part in ("bus", "slot"))
            if pending:
                return True
            ejected = self.eject(domain, root, bus, slot)
        for _ in range(500 if ejected else 50):  # without ACPI the bridge itself may let it go, a little later
            if f"'{alias}'" not in domain.XMLDesc(0):
                return False
            time.sleep(0.01)
        if ejected:
            raise TimeoutError(f"{alias} did not go")
        return True

    def eject(self, domain: Any, root: ET.Element, bus: int, slot: int) -> bool:
        """Write to the eject register, as the guest's ACPI code does; say whether the bus has one."""
        machine = root.find("./os/type")
        assert machine is not None
        base = EJECT["q35" if "q35" in machine.get("machine", "") else "pc"]
        path = f"/machine/peripheral/pci.{bus}/pci.{bus}" if bus else "/machine/i440fx/pci.0"
        number = self.qmp(domain, "qom-get", path=path, property="acpi-pcihp-bsel")
        if number is None:
            return False
        for line in (f"o /w {base + 0x10:#x} {number}", f"o /w {base + 8:#x} {1 << slot:#x}"):
            self.qmp(domain, "human-monitor-command", **{"command-line": line})
        return True

    def qmp(self, domain: Any, command: str, **arguments: object) -> Any:
        """Ask the emulator; ``None`` when it refuses."""
        request = json.dumps({"execute": command, "arguments": arguments})
        return json.loads(self.monitor.qemuMonitorCommand(domain, request, 0)).get("return")


def main(uri: str) -> None:
    """Serve stdin to stdout until the former ends."""
    client = Client(uri)
    print(json.dumps({"libvirt": client.version()}), flush=True)
    for line in sys.stdin:
        print(json.dumps(client.ask(json.loads(line))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
