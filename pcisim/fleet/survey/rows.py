"""What is said of each guest of a fleet: one row, whose columns are the table `COLUMNS`."""

from __future__ import annotations

from typing import Any, NamedTuple

from pcisim.capacity.max_count import SPACE
from pcisim.errors import NotCoveredError, PcisimError, RefusedError

SCHEMA = "pcisim.fleet/1"
"""The version of the columns."""
MOST_TEXT = 4096
"""How many characters of a document's text a row holds: a worker has many rows at once."""


class Row(NamedTuple):
    """One guest, or one file that cannot be read; `COLUMNS` says what each field means."""

    path: str
    name: str | None
    machine: str | None
    libvirt: str
    fits: bool | None
    code: str | None
    message: str | None
    line: int | None
    devices: int | None = None
    controllers: int | None = None
    buses: int | None = None
    ports: int | None = None
    used: int | None = None
    free_cold_express: int | None = None
    free_cold_conventional: int | None = None
    free_hot_express: int | None = None
    free_hot_conventional: int | None = None
    boots: bool | None = None

    @property
    def lacks_room(self) -> bool:
        """Return whether the guest is refused for want of room, rather than for what it says."""
        return self.fits is False and self.code in SPACE

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain data; the key ``schema`` names its version."""
        return {"schema": SCHEMA, **self._asdict()}


class Column(NamedTuple):
    """One column: its name, the type of its values, and what they say."""

    name: str
    kind: type
    meaning: str
    required: bool = False
    """Whether every row has a value."""


COLUMNS = (
    Column("path", str, "the file; ARCHIVE:MEMBER; INVENTORY:LINE (a CSV) or INVENTORY:ROW (Parquet), from 1", True),
    Column("name", str, "the guest's name; empty where none is given or the file cannot be read"),
    Column("machine", str, "the machine type as it is written, `pc` where none is"),
    Column("libvirt", str, "the libvirt version that was emulated", True),
    Column("fits", bool, "whether libvirt takes the guest; empty where it cannot be read or is not covered"),
    Column("code", str, "of a guest that is refused or cannot be read: the code of the error"),
    Column("message", str, "of the same: its headline"),
    Column("line", int, "of the same: the line of the document, or of the inventory, where that is known"),
    Column("devices", int, "devices and controllers with a PCI address that give no PCI bus"),
    Column("controllers", int, "bridges: PCI controllers with an address, those that libvirt adds included"),
    Column("buses", int, "PCI buses, the root bus included"),
    Column("ports", int, "PCI Express ports"),
    Column("used", int, "slots in use on the buses that take devices; with the two `free_cold` all that there are"),
    Column("free_cold_express", int, "empty PCI Express slots"),
    Column("free_cold_conventional", int, "empty conventional slots"),
    Column("free_hot_express", int, "empty PCI Express slots that a running guest can take"),
    Column("free_hot_conventional", int, "empty conventional slots that a running guest can take"),
    Column("boots", bool, "whether the firmware has the I/O ports that the bridges ask for; empty where not known"),
)


def error_row(path: str, name: str | None, machine: str | None, libvirt: str, error: PcisimError) -> Row:
    """Return the row of a guest that is refused or not covered, or of what cannot be read.

    Args:
        path: where it is.
        name: the guest's name, where that is known.
        machine: its machine type, where that is known.
        libvirt: the libvirt version that was emulated.
        error: what is wrong.
    """
    refused = isinstance(error, RefusedError) and not isinstance(error, NotCoveredError)
    fits = False if refused else None
    name, machine = (None if text is None else cut(text) for text in (name, machine))
    return Row(path, name, machine, libvirt, fits, error.code, cut(error.headline), error.line)


def cut(text: str) -> str:
    """Return a text of a document as a row holds it: its first `MOST_TEXT` characters, and that there are more."""
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}... ({len(text):,} characters)"
