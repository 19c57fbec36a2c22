"""Versions of QEMU, of its firmware and of the guest's kernel, with all that differs between them.

A new firmware is a row of `SEABIOSES` or `OVMFS`; what is measured with it, a row of `PROFILES`.

Source: QEMU rules 4.1 to 4.3, firmware rules 3.1 to 3.5; measured on the versions that the rows name.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from pcisim.errors import UsageError, check_type

GIB = 1 << 30
WINDOW = 0x1000
"""The least size of a bridge's I/O window, and what it is aligned to."""

SEABIOS, OVMF = "seabios", "ovmf"
_Row = TypeVar("_Row")

_GUEST_FAMILIES: Mapping[str, str] = MappingProxyType({"i440fx": "pc"})
"""What QEMU calls a family of machines, where a guest's row calls it otherwise."""


class IoRoom(NamedTuple):
    """The room for I/O that a firmware has on a family of machines."""

    name: str
    """The profile and the firmware."""
    family: str
    room: int
    """Bytes; windows and ports of bus 0 must stay below it."""
    windows: int
    """The most windows of 4 KiB that it hands out."""
    occupied: int
    """The same when devices with I/O ports are behind them."""
    fatal: bool
    """Whether the machine does not boot when the room is exceeded."""
    all_ask: bool
    """Whether it asks for a window for every bridge, empty ports too."""


class SeaBios(NamedTuple):
    """One row: a version of SeaBIOS."""

    version: str
    io_small: tuple[int, int]
    """Base and size of the I/O range that is used as long as it is large enough."""
    io_base: int
    """The base of the larger range."""
    io_end: Mapping[str, int]
    """The end of the larger range, by family; it is not filled to the last window."""
    memory_start: Mapping[str, tuple[int, ...]]
    """Where the room below 4 GiB begins, by family: the first that is not below the RAM, else where the RAM ends."""
    memory_end: int
    least_windows: tuple[int, int, int]
    """The alignment of a bridge's I/O, memory and prefetchable window, and what hotplug wants at least."""
    fixed_ports: Mapping[str, int]
    """I/O BARs that it moves to a place of their own after all."""
    acpi_tables: Mapping[str, bool]
    """Whether it has ACPI tables of its own for a machine that has none, by family."""
    high_end: int = 0
    """The end of the address space that 64-bit windows are put at, with an AMD processor of 40 address bits; 0 where
    they begin right above the RAM."""
    high_share: int = 0
    """With RAM above 4 GiB they get a multiple of this."""
    high_prefetch: int = 0
    """The alignment, and the least size, of the prefetchable window of a bridge that takes devices while the guest
    runs, with RAM above 4 GiB."""
    keeps_large_align: bool = True
    """Whether that leaves a larger alignment of what is behind the bridge; else large BARs lie below the window."""

    def io_room(self, profile: str, family: str) -> IoRoom | None:
        """Return its room for I/O on a family of machines; ``None`` where that was not measured."""
        family = _GUEST_FAMILIES.get(family, family)
        if family not in ("pc", "q35"):
            return None
        room = self.io_end[family] - self.io_base
        most = room // WINDOW - 1
        name = f"{profile}/{SEABIOS}-{self.version}"
        return IoRoom(name, family, room, most, most, fatal=True, all_ask=False)


class Ovmf(NamedTuple):
    """One row: a version of OVMF."""

    version: str
    io_room_of: Mapping[str, tuple[int, int]]
    """First and last I/O port, by family."""
    memory_room: Mapping[str, tuple[int, int]]
    """Begin and end of the room below 4 GiB, by family; but it is no larger than
    the largest power of two that RAM leaves free."""
    high_room: tuple[int, int]
    """Begin and end of the room above 4 GiB; measured with a processor of 40 address bits, which end there too."""
    hotplug_io: int
    """Bytes of I/O ports that a bridge asks for which takes devices while the guest runs."""
    hotplug_memory: int
    hotplug_prefetch: int

    def io_room(self, profile: str, family: str) -> IoRoom | None:
        """Return its room for I/O on a family of machines; ``None`` where that was not measured."""
        family = _GUEST_FAMILIES.get(family, family)
        if family not in self.io_room_of:
            return None
        start, end = self.io_room_of[family]
        most = (end - start) // WINDOW
        name, padded = f"{profile}/{OVMF}-{self.version}", bool(self.hotplug_io)
        return IoRoom(name, family, end - start, most, most - 1, fatal=False, all_ask=padded)


class Linux(NamedTuple):
    """One row: a version of the guest's kernel."""

    version: str
    io_start: int
    """Below this it places nothing."""
    io_end: int
    reserved_ports: Mapping[str, tuple[tuple[int, int], ...]]
    """Ports of the chipset, by family: those of ACPI hotplug."""


class RamBelow(NamedTuple):
    """How much RAM a family of machines has below 4 GiB."""

    threshold: int
    """From how much RAM on only part of it is there."""
    most: int
    """How much then."""
    limit_is_threshold: bool = False
    """Whether ``max-ram-below-4g`` stands for the threshold, too."""


class Qemu(NamedTuple):
    """One row: a version of QEMU, as far as the guest sees it."""

    version: str
    acpi_of_every_function: bool
    """Whether its ACPI tables describe every function that is there, or only function 0 of slots that take hotplug."""
    ram_below: Mapping[str, RamBelow]
    """How much RAM is below 4 GiB, by family."""
    warns_of_dead_slots: bool
    """Whether it warns of a device in a slot of a port that no guest looks at."""
    takes_unset_for_last: bool = True
    """Whether ``device_add`` without an address is refused where one to slot 31 would be, or to slot 0 of a port."""
    names_what_is_never_plugged: bool = True
    """Whether it says of what is never plugged while it runs that this is so; else that it is not pluggable."""

    @property
    def release(self) -> tuple[int, int]:
        """Return the version as two numbers, which is that of its newest machine types."""
        major, minor = self.version.split(".")
        return int(major), int(minor)

    def function_table(self, machine: tuple[int, int] | None) -> str:
        """Return the profile of `pcisim.catalogue.functions` for machine types of a version (``None``: the newest)."""
        return OLD_FUNCTIONS if machine is not None and machine < NEW_FUNCTIONS_SINCE else self.version


class Profile(NamedTuple):
    """One row: versions that belong together."""

    name: str
    qemu: Qemu
    seabios: SeaBios
    ovmf: Ovmf
    linux: Linux

    def io_room(self, firmware: str, family: str) -> IoRoom | None:
        """Return the room for I/O that a firmware has on a family of machines; ``None`` where that was not measured."""
        if firmware not in FIRMWARES:
            return None
        return (self.seabios if firmware == SEABIOS else self.ovmf).io_room(self.name, family)

    def firmware_name(self, firmware: str) -> str:
        """Return the profile and the version of a firmware: ``qemu-7.2/seabios-1.16.2``."""
        return f"{self.name}/{firmware}-{(self.seabios if firmware == SEABIOS else self.ovmf).version}"

    def __hash__(self) -> int:
        return hash((self.name, self.seabios.version, self.ovmf.version))

    def __str__(self) -> str:
        """Return the word that `profile_of` takes for it: its name, and the firmware that is not the name's."""
        usual = PROFILES[self.name]
        words = [self.name]
        if self.seabios is not usual.seabios:
            words.append(f"{SEABIOS}={self.seabios.version}")
        if self.ovmf is not usual.ovmf:
            words.append(f"{OVMF}={self.ovmf.version}")
        return ":".join(words)


_NO_TABLES: Mapping[str, bool] = MappingProxyType({"pc": False, "q35": False, "microvm": False})
_SEABIOS_1_16_2 = SeaBios(
    "1.16.2",
    io_small=(0xC000, 0x4000),
    io_base=0x1000,
    io_end=MappingProxyType({"pc": 0xA000, "q35": 0x10000, "microvm": 0x10000}),
    memory_start=MappingProxyType({"pc": (0x80000000, 0xC0000000), "q35": (0xC0000000,), "microvm": (0xC0000000,)}),
    memory_end=0xFEC00000,
    least_windows=(WINDOW, 2 << 20, 2 << 20),
    fixed_ports=MappingProxyType({"ICH9-SMB": 0x700}),
    acpi_tables=MappingProxyType({"pc": False, "q35": True, "microvm": False}),
)
_SEABIOS_1_16_3 = _SEABIOS_1_16_2._replace(
    version="1.16.3", high_end=1 << 40, high_share=128 * GIB, high_prefetch=512 << 20, keeps_large_align=False
)
SEABIOSES: Mapping[str, SeaBios] = MappingProxyType(
    {
        row.version: row
        for row in (
            _SEABIOS_1_16_2,
            _SEABIOS_1_16_3,
            _SEABIOS_1_16_3._replace(version="1.17", acpi_tables=_NO_TABLES, keeps_large_align=True),
        )
    }
)
_OVMF_2022_11 = Ovmf(
    "2022.11",
    io_room_of=MappingProxyType({"q35": (0x6000, 0x10000), "pc": (0xC000, 0x10000)}),
    memory_room=MappingProxyType({"q35": (0xC0000000, 0xFC000000), "pc": (0x80000000, 0xFC000000)}),
    high_room=(0xE000000000, 0x10000000000),
    hotplug_io=0x200,
    hotplug_memory=2 << 20,
    hotplug_prefetch=512 << 20,
)
_OVMF_2025_02 = _OVMF_2022_11._replace(
    version="2025.02",
    memory_room=MappingProxyType({"q35": (0x80000000, 0xE0000000), "pc": (0x80000000, 0xFC000000)}),
    high_room=(0xC000000000, 0xE000000000),
    hotplug_io=0,
)
OVMFS: Mapping[str, Ovmf] = MappingProxyType(
    {
        row.version: row
        for row in (
            _OVMF_2022_11._replace(version="2020.11", hotplug_prefetch=0),
            _OVMF_2022_11,
            _OVMF_2025_02,
            _OVMF_2025_02._replace(version="2026.08"),
        )
    }
)
_LINUX_6_1 = Linux(
    "6.1",
    io_start=0x1000,
    io_end=0x10000,
    reserved_ports=MappingProxyType({"pc": ((0xAE00, 0xB000),), "q35": (), "microvm": ()}),
)
_LINUX_6_12 = _LINUX_6_1._replace(version="6.12")
_RAM_BELOW: Mapping[str, RamBelow] = MappingProxyType(
    {
        "pc": RamBelow(0xE0000000, 0xC0000000, limit_is_threshold=True),
        "q35": RamBelow(0xB0000000, 0x80000000),
        "microvm": RamBelow(0xC0000000, 0xC0000000),
    }
)
QEMUS: Mapping[str, Qemu] = MappingProxyType(
    {
        row.version: row
        for row in (
            Qemu(
                "7.2",
                False,
                _RAM_BELOW,
                warns_of_dead_slots=False,
                takes_unset_for_last=False,
                names_what_is_never_plugged=False,
            ),
            Qemu("10.0", True, _RAM_BELOW, warns_of_dead_slots=True),
            Qemu("11.1", True, _RAM_BELOW, warns_of_dead_slots=True),
        )
    }
)

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        row.name: row
        for row in (
            Profile("qemu-7.2", QEMUS["7.2"], SEABIOSES["1.16.2"], OVMFS["2022.11"], _LINUX_6_1),
            Profile("qemu-10.0", QEMUS["10.0"], SEABIOSES["1.16.3"], OVMFS["2025.02"], _LINUX_6_12),
            Profile("qemu-11.1", QEMUS["11.1"], SEABIOSES["1.17"], OVMFS["2025.02"], _LINUX_6_12),
        )
    }
)
"""The profiles that were measured, oldest first, each with the firmware and the kernel of its distribution."""
DEFAULT_PROFILE = [*PROFILES.values()][-1]
FIRMWARES = (SEABIOS, OVMF)

OLD_FUNCTIONS = "7.2"
"""The profile of `pcisim.catalogue.functions` that older machine types have."""
NEW_FUNCTIONS_SINCE = (10, 0)
"""The version of machine types from which the balloon and virtio-mem have MSI-X, whichever QEMU has the machine."""
ACPI_BRIDGES_SINCE: Mapping[str, tuple[int, int]] = MappingProxyType({"q35": (6, 1), "i440fx": (1, 7)})
"""The first version of each family of machine types where ACPI handles hotplug below bridges."""


def has_tables(firmware: str, profile: Profile, family: str) -> bool:
    """Return whether a firmware has ACPI tables of its own for a machine of a family that has none."""
    return firmware == SEABIOS and profile.seabios.acpi_tables.get(_GUEST_FAMILIES.get(family, family), False)


def check_firmware(firmware: str) -> None:
    """Check the name of a firmware.

    Raises:
        UsageError: it is not known.
    """
    if firmware not in FIRMWARES:
        raise UsageError(
            f"unknown firmware {firmware!r}", code="unknown-firmware", remedy=f"one of {', '.join(FIRMWARES)}"
        )


def profile_of(word: str | Profile, *, seabios: str | None = None, ovmf: str | None = None) -> Profile:
    """Return the profile that a word names, with the firmware that is wanted in it.

    Args:
        word: ``NAME[:seabios=VERSION][:ovmf=VERSION]``, the name being one of `PROFILES`; or a profile.
        seabios: a version of SeaBIOS instead of the profile's, one of `SEABIOSES`.
        ovmf: a version of OVMF instead of the profile's, one of `OVMFS`.

    Raises:
        UsageError: no such profile, or no such version of a firmware.
    """
    settings: list[tuple[str, str]] = []
    if isinstance(word, Profile):
        profile = word
    else:
        check_type(word, str, "a profile is a str, such as 'qemu-10.0'")
        name, *texts = word.split(":")
        profile = _known(PROFILES, name, "profile", "unknown-profile")
        for text in texts:
            key, _, version = text.partition("=")
            settings.append((key, version))
    settings += [(key, version) for key, version in ((SEABIOS, seabios), (OVMF, ovmf)) if version is not None]
    for key, version in settings:
        if key == SEABIOS:
            profile = profile._replace(seabios=_known(SEABIOSES, version, "version of SeaBIOS", "unknown-firmware"))
        elif key == OVMF:
            profile = profile._replace(ovmf=_known(OVMFS, version, "version of OVMF", "unknown-firmware"))
        else:
            raise UsageError(
                f"a profile has no option {key!r}",
                code="unknown-profile",
                details=(f"its options: {', '.join(FIRMWARES)}",),
                remedy=f"write {profile.name}:ovmf={profile.ovmf.version}",
            )
    return profile


def _known(rows: Mapping[str, _Row], name: str, kind: str, code: str) -> _Row:
    row = rows.get(name)
    if row is None:
        raise UsageError(f"unknown {kind} {name!r}", code=code, remedy=f"one of {', '.join(rows)}")
    return row
