"""``pcisim assign --keep`` and ``--reassign``: what is done to a document before it is placed."""

from __future__ import annotations

import argparse

from pcisim.cli import common
from pcisim.errors import PcisimError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pcisim.plan import HostPci


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--keep`` and ``--reassign``; ``--machine`` is there already."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--keep",
        metavar="OLD.xml",
        help="devices that are also in OLD.xml (by alias, MAC address or target) keep their addresses, and its"
        " PCI controllers stay; only the rest is placed",
    )
    which.add_argument(
        "--reassign",
        action="store_true",
        help="drop all PCI addresses and PCI controllers, and place everything again; with --machine,"
        " for another machine type",
    )
    parser.add_argument(
        "--fix-ide",
        choices=("sata", "virtio-scsi"),
        help="with --reassign: move disks and CD-ROMs from IDE, which q35 does not have, to that bus",
    )


def wanted(arguments: argparse.Namespace) -> str:
    """Return which of the options is given, "" when none is.

    Raises:
        UsageError: it does not go with the others.
    """
    if arguments.fix_ide is not None and not arguments.reassign:
        raise UsageError("--fix-ide goes with --reassign", code="usage")
    if arguments.keep is None and not arguments.reassign:
        return ""
    option = "--reassign" if arguments.reassign else "--keep"
    if arguments.file is None:
        raise UsageError(f"{option} needs a file", code="usage", remedy="name the domain XML, or - for standard input")
    if arguments.keep is not None and arguments.machine is not None:
        raise UsageError(
            "--keep does not go with --machine",
            code="usage",
            remedy="addresses are of use on the same kind of machine only; --reassign --machine changes it",
        )
    if arguments.keep == common.STDIN == arguments.file:
        raise UsageError("both definitions are standard input", code="usage", remedy="name a file for one of them")
    return option


def apply(arguments: argparse.Namespace, data: bytes, host_pci: HostPci = None) -> tuple[bytes, list[str]]:
    """Return the document with places carried over or dropped, and what there is to say of that.

    Args:
        arguments: what the command line says; `wanted` returns an option.
        data: the document.
        host_pci: which host devices are conventional.

    Raises:
        PcisimError: a definition cannot be read, or is refused.
    """
    made, lines = _reassigned(arguments, data) if arguments.reassign else _kept(arguments, data, host_pci)
    return made.encode() if isinstance(made, str) else made, lines


def _reassigned(arguments: argparse.Namespace, data: bytes) -> tuple[str | bytes, list[str]]:
    from pcisim.rewrite.reassign import reassign

    with _Blame(arguments.file):
        made = reassign(data, machine=arguments.machine, fix_ide=arguments.fix_ide, libvirt=arguments.libvirt)
    return made.text, made.explanation()


def _kept(arguments: argparse.Namespace, data: bytes, host_pci: HostPci) -> tuple[str | bytes, list[str]]:
    from pcisim.rewrite.keep import keep

    name = _shown(arguments.keep)
    old = common.assigned(common.read_bytes(arguments.keep), libvirt=arguments.libvirt, host_pci=host_pci, name=name)
    with _Blame(arguments.file):
        made = keep(old.placement, data, libvirt=arguments.libvirt, host_pci=host_pci)
    return made.text, made.explanation()


def _shown(name: str) -> str:
    return "<stdin>" if name == common.STDIN else name


class _Blame:
    """Name the file in what is raised inside."""

    def __init__(self, name: str) -> None:
        self.name = _shown(name)

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, where: object) -> None:
        if isinstance(error, PcisimError) and error.file is None:
            error.file = self.name
