"""What a guest sees of its PCI buses, as values."""

from __future__ import annotations

from typing import NamedTuple

from pcisim.address import GuestAddress, PciAddress
from pcisim.catalogue.bars import MEM32
from pcisim.catalogue.functions import ALWAYS, PciFunction
from pcisim.catalogue.subsystems import subsystem_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

IO, MEMORY, PREFETCH = "io", "memory", "prefetch"
WINDOW_KINDS = (IO, MEMORY, PREFETCH)
ROM = 6
"""The index of the expansion ROM among the BARs."""


class Numbers(NamedTuple):
    """The three bus numbers of a bridge; all 0 where no firmware programmed it."""

    primary: int
    secondary: int
    subordinate: int


class GuestBar(NamedTuple):
    """One base address register of a function, or its expansion ROM (index 6)."""

    index: int  # type: ignore[assignment]  # a tuple has a method of that name
    kind: str
    """``io``, ``mem32`` or ``mem64``."""
    prefetchable: bool
    size: int
    """In bytes."""
    address: int | None
    """Where the firmware put it; ``None`` when it never did, or when that was not worked out."""


class Window(NamedTuple):
    """What a bridge forwards to the bus behind it."""

    kind: str
    """``io``, ``memory`` or ``prefetch``."""
    size: int | None
    """In bytes; ``None`` when the bridge goes without."""
    base: int | None = None
    """Its first address; ``None`` when it goes without, or when that was not worked out."""


class GuestFunction(NamedTuple):
    """One PCI function of the machine, and where the guest finds it.

    Args:
        address: where the guest sees it; ``None`` when it never does.
        label: the device or controller of the definition (``disk:vda``, ``pci:3``), the ``id`` of a
            ``-device``; ``None`` for a function of the chipset.
        configured: the address in the definition: the bus is the index of a controller.  ``None``
            for a function that no definition lists.
        row: what the device is in its place; all zeros where it was not measured (a host device).
        multifunction: whether it says that its device has more functions.
        placed: the address of each of its BARs, in the order of `row`; ``None`` where there is none.
        numbers: of a bridge, else ``None``.
        forwarded: of a bridge, base and size of its I/O, memory and prefetchable window, ``None``
            where it goes without; else empty.
        remarks: what is odd about it: why it is lost, dead or fatal.
        off: whether Linux switched off the port that it is behind: it is listed, and answers no more.
    """

    address: GuestAddress | None
    label: str | None
    configured: PciAddress | None
    row: PciFunction
    multifunction: bool
    placed: tuple[int | None, ...]
    numbers: Numbers | None
    forwarded: tuple[tuple[int, int] | None, ...]
    remarks: tuple[str, ...]
    off: bool = False

    @property
    def driver(self) -> str:
        """Return QEMU's name of the device."""
        return self.row.driver

    @property
    def vendor(self) -> int:
        """Return the vendor's id, 16 bits; 0 where it is not known."""
        return self.row.vendor

    @property
    def device(self) -> int:
        """Return the device's id, 16 bits; 0 where it is not known."""
        return self.row.device

    @property
    def subsystem(self) -> tuple[int, int] | None:
        """Return the subsystem's vendor and device ids; ``None`` for a bridge, and where they are not known."""
        return subsystem_of(self.row) if self.row.vendor else None

    @property
    def class_code(self) -> int:
        """Return class and subclass, 16 bits: 0x0200 is an Ethernet controller."""
        return self.row.class_code

    @property
    def revision(self) -> int:
        """Return the revision, 8 bits."""
        return self.row.revision

    @property
    def header(self) -> int:
        """Return 0 for an endpoint, 1 for a bridge."""
        return self.row.header

    @property
    def pin(self) -> int:
        """Return the interrupt pin, 1 for INTA; 0 for none."""
        return self.row.pin

    @property
    def express(self) -> bool:
        """Return whether it has a PCI Express capability."""
        return self.row.express == ALWAYS

    @property
    def bars(self) -> tuple[GuestBar, ...]:
        """Return its base address registers by index, the expansion ROM last."""
        row = self.row
        bars = [
            GuestBar(bar.number, bar.kind, bar.prefetchable, bar.size, address)
            for bar, address in zip(row.bars, self.placed, strict=True)
        ]
        return (*bars, GuestBar(ROM, MEM32, False, row.rom, None)) if row.rom else tuple(bars)

    @property
    def windows(self) -> tuple[Window, ...]:
        """Return the I/O, memory and prefetchable window of a bridge, in that order; else nothing."""
        return tuple(
            [
                Window(kind, None) if window is None else Window(kind, window[1], window[0])
                for kind, window in zip(WINDOW_KINDS, self.forwarded)
            ]
        )

    @property
    def is_bridge(self) -> bool:
        """Return whether it is a PCI-to-PCI bridge."""
        return self.numbers is not None


class GuestBus(NamedTuple):
    """One bus that the guest enumerates.

    Args:
        number: its bus number.
        bridge: the address of the bridge that leads to it; ``None`` for a root bus.
        label: the controller whose bus it is (``pci:0`` for the root bus of a definition), or the
            bus's name on QEMU's command line; ``None`` where it has none.
    """

    number: int
    bridge: GuestAddress | None
    label: str | None


class GuestView(NamedTuple):
    """What firmware and guest see of a machine.

    Args:
        firmware: ``seabios`` or ``ovmf``.
        profile: the versions that the figures were measured on.
        functions: everything that the guest sees, in order of its address.
        unseen: everything that QEMU takes and the guest never sees; the remarks say why.
        buses: in order of their number.
        boots: whether the machine gets as far as booting; ``None`` when that is not known.
        reason: why it does not boot; "" when it does.
        remarks: what is odd about the machine as a whole.
    """

    firmware: str
    profile: str
    functions: tuple[GuestFunction, ...]
    unseen: tuple[GuestFunction, ...]
    buses: tuple[GuestBus, ...]
    boots: bool | None
    reason: str
    remarks: tuple[str, ...]

    def find(self, label: str) -> GuestFunction | None:
        """Return the function of a device, seen or not; ``None`` when there is no such device."""
        return next((f for f in (*self.functions, *self.unseen) if f.label == label), None)

    def __repr__(self) -> str:
        unseen = f", {len(self.unseen)} never seen" if self.unseen else ""
        return f"<GuestView {self.firmware}: {len(self.functions)} functions on {len(self.buses)} buses{unseen}>"

    def to_frame(self) -> Any:
        """Return one row for each function as a data frame of pandas, else of polars; those never seen come last.

        Raises:
            UsageError: neither is installed.
        """
        from pcisim.frames import frame_of

        rows = [
            (
                str(f.address) if f.address is not None else None,
                f.label,
                str(f.configured) if f.configured is not None else None,
                f.driver,
                f.vendor,
                f.device,
                f.class_code,
                f.is_bridge,
                "; ".join(f.remarks),
            )
            for f in (*self.functions, *self.unseen)
        ]
        return frame_of(_COLUMNS, rows)


_COLUMNS = ("address", "label", "configured", "driver", "vendor", "device", "class_code", "is_bridge", "remarks")
"""The columns of a function in a data frame."""
