"""Ask a running libvirtd where the devices of a domain go.

Run as a program (any Python 3.11 with the `libvirt` module, usually the system's), this is
a client that speaks JSON, one object a line:

    live.py URI
        first line out   {"libvirt": "11.3.0"}
        in               {"xml": "<domain ..."}
        out              {"ok": true, "xml": "<domain ..."}
                         {"ok": false, "error": "...", "code": 27}

Each question is defined as an inactive domain under a name and UUID of our own, dumped,
and undefined. Nothing is started.

Imported, it offers `LiveLibvirt`, which runs that program as a child. The tests need no
libvirt module of their own for it. Which daemon to ask comes from the environment:

    PCISIM_LIBVIRT_12_9     URI of a libvirt 12.9
    PCISIM_LIBVIRT_11_3     URI of a libvirt 11.3
    PCISIM_LIBVIRT_9_0      URI of a libvirt 9.0
    PCISIM_LIBVIRT_PYTHON   the interpreter that has `libvirt`; default /usr/bin/python3
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from types import TracebackType
from typing import Any

URI_VARIABLES = {"12.9": "PCISIM_LIBVIRT_12_9", "11.3": "PCISIM_LIBVIRT_11_3", "9.0": "PCISIM_LIBVIRT_9_0"}
PYTHON_VARIABLE = "PCISIM_LIBVIRT_PYTHON"
NAME_PREFIX = "pcisim-live"

NAMESPACES = {
    "qemu": "http://libvirt.org/schemas/domain/qemu/1.0",
    "libosinfo": "http://libosinfo.org/xmlns/libvirt/domain/1.0",
    "nova": "http://openstack.org/xmlns/libvirt/nova/1.1",
}


class LiveError(RuntimeError):
    """The client or the daemon went away: nothing that a domain is to blame for."""


@dataclass(frozen=True)
class Answer:
    """What libvirt said: `xml` when it accepted, else `error` and its `code`."""

    ok: bool
    xml: str = ""
    error: str = ""
    code: int = 0


def configured(version: str) -> str | None:
    """Return the URI of the daemon of this version, or None when the environment names none."""
    return os.environ.get(URI_VARIABLES[version]) or None


class LiveLibvirt:
    """A child process that is asked question by question.

    Args:
        uri: the libvirt connection URI.
        python: the interpreter that has the `libvirt` module.
    """

    def __init__(self, uri: str, python: str | None = None) -> None:
        command = [python or os.environ.get(PYTHON_VARIABLE, "/usr/bin/python3"), "-I", __file__, uri]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        self.version = str(self._read()["libvirt"])

    def __enter__(self) -> LiveLibvirt:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, xml: str) -> Answer:
        """Return what libvirt makes of this domain XML.

        Raises:
            LiveError: the client ended.
        """
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps({"xml": xml}) + "\n")
            self._child.stdin.flush()
        except OSError as error:
            raise LiveError(f"the libvirt client ended: {error}") from error
        return Answer(**self._read())

    def close(self) -> None:
        """End the child; it undefines what it is at first."""
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                stream.close()
        self._child.wait(timeout=60)

    def _read(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise LiveError(f"the libvirt client ended with status {self._child.wait(timeout=60)}")
        reply: dict[str, Any] = json.loads(line)
        return reply


def as_ours(xml: str, name: str) -> str:
    """Return the domain under this name and a fresh UUID, emulated if it was of KVM.

    What does not parse, or is not a domain, comes back unchanged, so that libvirt refuses it
    in its own words.
    """
    try:
        root = ET.fromstring(xml)
    except ET.ParseError:
        return xml
    if root.tag != "domain":
        return xml
    if root.get("type") == "kvm":
        root.set("type", "qemu")  # the machine that runs the tests need not have KVM
    ours = {"name": name, "uuid": str(uuid.uuid4())}
    for tag, text in ours.items():
        for old in root.findall(tag):
            root.remove(old)
        new = ET.Element(tag)
        new.text = text
        root.insert(0, new)
    for entry in root.findall("./sysinfo/system/entry[@name='uuid']"):  # has to equal the domain's
        entry.text = ours["uuid"]
    return ET.tostring(root, encoding="unicode")


class Client:
    """The side that has the `libvirt` module."""

    def __init__(self, uri: str) -> None:
        import libvirt  # type: ignore[import-not-found,unused-ignore]

        self.libvirt: Any = libvirt
        libvirt.registerErrorHandler(lambda *_: None, None)  # or it prints each error too
        self.connection = libvirt.open(uri)
        self.count = 0
        for prefix, namespace in NAMESPACES.items():
            ET.register_namespace(prefix, namespace)

    def version(self) -> str:
        """Return the daemon's version, as in ``11.3.0``."""
        number = self.connection.getLibVersion()
        return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"

    def ask(self, xml: str) -> dict[str, object]:
        """Define, dump, undefine."""
        self.count += 1
        domain = None
        try:
            domain = self.connection.defineXML(as_ours(xml, f"{NAME_PREFIX}-{os.getpid()}-{self.count}"))
            return {"ok": True, "xml": domain.XMLDesc(self.libvirt.VIR_DOMAIN_XML_INACTIVE)}
        except self.libvirt.libvirtError as error:
            return {"ok": False, "error": error.get_error_message(), "code": error.get_error_code()}
        finally:
            if domain is not None:
                self.undefine(domain)

    def undefine(self, domain: Any) -> None:
        """Undefine, and keep whatever firmware or TPM state the XML happened to name."""
        keep_nvram = self.libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM
        keep_tpm = getattr(self.libvirt, "VIR_DOMAIN_UNDEFINE_KEEP_TPM", 0)
        try:
            domain.undefineFlags(keep_nvram | keep_tpm)
        except self.libvirt.libvirtError:  # an older daemon does not know the TPM flag
            domain.undefineFlags(keep_nvram)


def main(uri: str) -> None:
    """Serve stdin to stdout until the former ends."""
    client = Client(uri)
    print(json.dumps({"libvirt": client.version()}), flush=True)
    for line in sys.stdin:
        print(json.dumps(client.ask(json.loads(line)["xml"])), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
