"""Let a real firmware enumerate a machine, and read off what QEMU then has in its registers."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.qemu.running import PROGRAM

LIMIT = 60.0
"""Seconds that one firmware may take."""
BOOTS, STOPS = ("enter handle_19", "Booting from"), "address space"
"""What SeaBIOS prints when it looks for a disk, and when it stops."""
WINDOWS = (("io", "io_range"), ("memory", "memory_range"), ("prefetch", "prefetchable_range"))


class Refused(Exception):
    """QEMU does not start; the text is its own."""


class Machine:
    """A paused QEMU, spoken to over QMP."""

    def __init__(
        self, machine: str, devices: Sequence[str], options: Sequence[str] = (), *, command: Sequence[str] = (PROGRAM,)
    ) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.log = Path(self.folder.name) / "debugcon"
        words = [*command, "-accel", "tcg", "-machine", machine, "-S", "-nodefaults", "-no-user-config", "-m", "256M"]
        words += ["-display", "none", "-qmp", "stdio", "-chardev", f"file,id=log,path={self.log}"]
        words += ["-device", "isa-debugcon,iobase=0x402,chardev=log"]
        for option in options:
            words += option.split(" ")
        for device in devices:
            words += ["-device", device]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.lines = self.process.stdout
        assert self.lines is not None
        self.lines.readline()  # the greeting
        try:
            self.command("qmp_capabilities")
        except (EOFError, BrokenPipeError):
            self.process.wait()
            assert self.process.stderr is not None
            text = self.process.stderr.read()
            self.close()
            raise Refused(text.replace(f"{PROGRAM}: ", "").strip()) from None

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        self.folder.cleanup()

    def command(self, name: str, **arguments: object) -> Any:
        assert self.process.stdin is not None
        assert self.lines is not None
        self.process.stdin.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.process.stdin.flush()
        for line in self.lines:
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise Refused(answer["error"]["desc"])
        raise EOFError(f"QEMU ended at {name}")

    def run_seabios(self) -> tuple[bool, list[dict[str, Any]]]:
        """Return whether SeaBIOS comes to boot, and every function with its bridges' numbers and windows."""
        self.command("cont")
        end = time.monotonic() + LIMIT
        text = ""
        while not any(word in text for word in (*BOOTS, STOPS)):
            assert time.monotonic() < end, f"SeaBIOS neither boots nor stops: {text[-2000:]}"
            time.sleep(0.02)
            text = self.log.read_text("latin-1")
        return STOPS not in text, [shaped(f) for bus in self.command("query-pci") for f in flat(bus["devices"])]


def flat(devices: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return functions with all that is behind them, parents first."""
    found = []
    for device in devices:
        found += [device, *flat(device.get("pci_bridge", {}).get("devices", []))]
    return found


def shaped(device: dict[str, Any]) -> dict[str, Any]:
    """Return one function of ``query-pci`` as `pcisim.simulation` has it, but for what is behind."""
    shape: dict[str, Any] = {key: device[key] for key in ("bus", "slot", "function", "qdev_id")}
    shape["pci_id"] = f"{device['id']['vendor']:04x}:{device['id']['device']:04x}"
    shape["class"] = f"{device['class_info']['class']:04x}"
    bars = sorted(device["regions"], key=lambda region: int(region["bar"]))
    unset = (-1, 0xFFFFFFFF, (1 << 64) - 1)
    shape["bars"] = [(r["bar"], r["type"], r["size"], None if r["address"] in unset else r["address"]) for r in bars]
    if "pci_bridge" in device:
        info = device["pci_bridge"]["bus"]
        shape["numbers"] = [info["number"], info["secondary"], info["subordinate"]]
        shape["windows"] = {
            name: None if info[key]["base"] > info[key]["limit"] else [info[key]["base"], info[key]["limit"]]
            for name, key in WINDOWS
        }
    return shape


def shaped_prediction(buses: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what `pcisim.simulation` says in the same shape."""
    found: list[dict[str, Any]] = []
    stack = [function for bus in reversed(buses) for function in reversed(bus["functions"])]
    while stack:
        function = stack.pop()
        stack += reversed(function.get("behind", []))
        shape = {key: function[key] for key in ("bus", "slot", "function", "qdev_id", "pci_id", "class")}
        shape["bars"] = [(b["bar"], b["type"], b["size"], b["address"]) for b in function.get("bars", [])]
        if "bridge" in function:
            bridge = function["bridge"]
            shape["numbers"] = [bridge[key] for key in ("primary", "secondary", "subordinate")]
            shape["windows"] = {name: bridge[name] for name, _ in WINDOWS}
        found.append(shape)
    return found
