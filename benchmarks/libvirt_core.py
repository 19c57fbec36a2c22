"""The peer of a single reservation: libvirt's own allocator, called in its shared library.

libvirt exports its private functions to its own drivers, so that no compiler is needed to call them.  Where the
fields of its structures lie was read off the machine code of version 9.0.0, and holds for that version only.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import statistics
import struct

from benchmarks.measure import processor_time

VERSION = 9_000_000
"""The version whose structures these are."""

# a set of addresses: the buses, how many
BUS_BYTES = 0x60
# a device's place: what kind of address, and the address
INFO_BYTES = 0x100
INFO_BUS, INFO_SLOT, INFO_FUNCTION = 0x14, 0x18, 0x1C

ANY_FUNCTION = -1
AUTOMATIC = 1 << 0
CONVENTIONAL, EXPRESS = 1 << 4, 1 << 5
MODELS = {"pci-root": 0, "pcie-root": 1, "pci-bridge": 2, "pcie-root-port": 5}


class UnavailableError(Exception):
    """There is no libvirt of the known version here."""


class Core:
    """libvirt's allocator.

    Raises:
        UnavailableError: there is no libvirt of the known version here.
    """

    def __init__(self) -> None:
        name = ctypes.util.find_library("virt") or "libvirt.so.0"
        try:
            library = ctypes.CDLL(name)
            version = ctypes.c_ulong()
            library.virGetVersion(ctypes.byref(version), None, None)
            self._alloc = library.virDomainPCIAddressSetAlloc
            self._free = library.virDomainPCIAddressSetFree
            self._set_model = library.virDomainPCIAddressBusSetModel
            self._reserve = library.virDomainPCIAddressReserveNextAddr
            self._nothing = library.virDeviceInfoPCIAddressIsPresent
        except (OSError, AttributeError) as error:
            raise UnavailableError(f"libvirt's shared library cannot be called: {error}") from error
        if version.value != VERSION:
            raise UnavailableError(f"libvirt is {version.value}, and the structures are known of {VERSION} only")
        self._alloc.restype = ctypes.c_void_p
        self._alloc.argtypes = [ctypes.c_size_t, ctypes.c_int]
        self._free.argtypes = [ctypes.c_void_p]
        self._set_model.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_bool]
        self._reserve.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
        self._nothing.argtypes = [ctypes.c_void_p]

    def run(self, models: list[str], plug: int, count: int) -> tuple[float, float, list[int]]:
        """Reserve places one after the other.

        Args:
            models: the models of the buses.
            plug: `CONVENTIONAL` or `EXPRESS`.
            count: how many places.

        Returns:
            The seconds that it took, those of so many calls that do nothing, and the packed addresses.
        """
        places = self._alloc(len(models), 0)
        buses = ctypes.cast(places, ctypes.POINTER(ctypes.c_void_p))[0]
        for number, model in enumerate(models):
            self._set_model(buses + number * BUS_BYTES, MODELS[model], True)
        infos = ctypes.create_string_buffer(INFO_BYTES * count)
        pointers = [ctypes.addressof(infos) + number * INFO_BYTES for number in range(count)]
        nothing, reserve, flags = self._nothing, self._reserve, AUTOMATIC | plug
        begin = processor_time()
        for pointer in pointers:
            nothing(pointer)
        middle = processor_time()
        for pointer in pointers:
            reserve(places, pointer, flags, ANY_FUNCTION)
        end = processor_time()
        self._free(places)
        raw = infos.raw
        fields = (
            [struct.unpack_from("=I", raw, number * INFO_BYTES + field)[0] for number in range(count)]
            for field in (INFO_BUS, INFO_SLOT, INFO_FUNCTION)
        )
        packed = [bus << 8 | slot << 3 | function for bus, slot, function in zip(*fields, strict=True)]
        return end - middle, middle - begin, packed

    def seconds(self, models: list[str], plug: int, count: int, runs: int) -> float:
        """Return the seconds of a place: the median of some runs, without what the calls through ctypes cost."""
        answers = [self.run(models, plug, count) for _ in range(runs)]
        reserving = statistics.median(answer[0] for answer in answers)
        calling = statistics.median(answer[1] for answer in answers)
        return (reserving - calling) / count
