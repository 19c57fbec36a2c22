"""Processors that are plugged in as devices.

Source: verified against QEMU 7.2.
"""

from __future__ import annotations

from collections.abc import Mapping

from pcisim.catalogue.properties import CPU_SUFFIX
from pcisim.qemu.device import QemuDevice, refusal
from pcisim.qemu.options import MachineOptions

_IDS = ("socket-id", "die-id", "core-id", "thread-id")


class ProcessorSlots:
    """The places of processors: socket, die, core and thread.

    Args:
        options: those of the command line, with ``-smp`` and ``-cpu``.
    """

    def __init__(self, options: MachineOptions) -> None:
        self._options = options
        rows = options.processors
        self._counts = (rows.sockets, rows.dies, rows.cores, rows.threads)
        self._taken = set(range(rows.cpus))

    def plug(self, device: QemuDevice, properties: Mapping[str, str]) -> None:
        """Plug a processor in.

        Raises:
            RefusedError: another model than the machine has, or a place that is not given, not there or taken.
        """
        model = self._options.cpu_model + CPU_SUFFIX
        if self._options.family == "microvm":
            raise refusal(
                f"virt: device plug request for unsupported device type: {device.name}", "", code="qemu-processor"
            )
        if device.name != model:
            raise refusal(
                f"Invalid CPU type, expected cpu type: '{model}'",
                "all processors are of one model",
                code="qemu-processor",
            )
        number = self._place(properties)
        if number in self._taken:
            raise refusal(
                f"CPU[{number}] with APIC ID {number} exists",
                "a processor is there already",
                code="qemu-processor",
            )
        self._taken.add(number)

    def _place(self, properties: Mapping[str, str]) -> int:
        """Return the number of a place, counted in the order of sockets, dies, cores and threads."""
        if not set(_IDS) & properties.keys() and properties.get("apic-id", "").isdecimal():
            return int(properties["apic-id"])
        number = 0
        for name, count in zip(_IDS, self._counts, strict=True):
            text = properties.get(name, "0" if name == "die-id" else "")
            if not text.isdecimal():
                raise refusal(f"CPU {name} is not set", f"{', '.join(_IDS)} say where it goes", code="qemu-processor")
            if int(text) >= count:
                raise refusal(
                    f"Invalid CPU {name}: {text} must be in range 0:{count - 1}",
                    "-smp says how many there are",
                    code="qemu-processor",
                    remedy="raise maxcpus= with it",
                )
            number = number * count + int(text)
        return number
