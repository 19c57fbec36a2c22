"""``pcisim diff --each``: what an upgrade of libvirt places otherwise, refuses, or has no machine for."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import NamedTuple

from pcisim.catalogue.versions import Libvirt, libvirt_version
from pcisim.cli import common, inputs
from pcisim.cli.changes import changes_of
from pcisim.cli.manner import as_text
from pcisim.compare import Difference, compare
from pcisim.diagnose.upgrades import machine_gone
from pcisim.errors import InputError, PcisimError, UsageError, counted
from pcisim.plan import Plan, assign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

EACH_SCHEMA = "pcisim.diff-each/1"
UNREADABLE = 3


class Upgrade(NamedTuple):
    """What an upgrade makes of one definition."""

    name: str
    old: Plan | PcisimError
    new: Plan | PcisimError
    difference: Difference | None
    """``None`` where one of the two is not a plan."""
    gone: str
    """What there is to say of a machine type that is gone; "" where it is not."""

    @property
    def unreadable(self) -> bool:
        """Return whether neither version can read it."""
        return all(isinstance(each, InputError) for each in (self.old, self.new))

    @property
    def refusal(self) -> str:
        """Return why the new version refuses what the old one accepts."""
        return self.new.headline if isinstance(self.new, PcisimError) and isinstance(self.old, Plan) else ""

    @property
    def accepted(self) -> bool:
        """Return whether the new version accepts what the old one refuses."""
        return isinstance(self.old, PcisimError) and isinstance(self.new, Plan)

    @property
    def differs(self) -> bool:
        """Return whether there is anything to know before the upgrade."""
        return bool(self.difference or self.refusal or self.accepted or self.gone)

    def lines(self) -> Iterator[str]:
        """Yield what there is to say of it, one line for the file and one for each change."""
        said = [self.difference.summary] if self.difference else []
        if self.refusal:
            said.append(f"refused: {self.refusal}")
        if self.accepted and isinstance(self.old, PcisimError):
            said.append(f"accepted, was refused: {self.old.headline}")
        said += [self.gone] if self.gone else []
        if said:
            yield f"{self.name}: {'; '.join(said)}"
        if self.difference:
            yield from (f"  {line}" for line in str(self.difference).split("\n"))

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "file": as_text(self.name),
            "differs": self.differs,
            "refused": {
                side: each.headline if isinstance(each, PcisimError) else None
                for side, each in (("old", self.old), ("new", self.new))
            },
            "machine_gone": self.gone or None,
            "changes": changes_of(self.difference) if self.difference is not None else [],
        }


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    old, new = (
        libvirt_version(version or arguments.libvirt) for version in (arguments.libvirt_old, arguments.libvirt_new)
    )
    if old.version == new.version:
        raise UsageError(
            "--each compares every file with itself, as two versions of libvirt",
            code="usage",
            remedy="name them: --libvirt-old 11.3 --libvirt-new 12.9",
        )
    host_pci = common.host_pci_of(arguments.host_pci)
    found = [upgrade(name, data, old, new, host_pci) for name, data in _documents(arguments.files)]
    if arguments.format == "json":
        common.write_json(document(found, old, new))
    else:
        from pcisim.formats.plain import printable

        common.write_stdout("".join(f"{printable(line)}\n" for one in found for line in one.lines()))
    unreadable = [one for one in found if one.unreadable]
    for one in unreadable:
        assert isinstance(one.new, PcisimError)
        common.complain(*one.new.explanation())
    common.say(summary(found, old, new))
    if unreadable:
        return UNREADABLE
    return 1 if any(one.differs for one in found) else 0


def _documents(names: Sequence[str]) -> Iterator[tuple[str, bytes | InputError]]:
    """Yield the files, those of directories too, with what they hold."""
    for source in inputs.expanded(names):
        try:
            yield source.shown, source.error or common.read_bytes(source.name)
        except InputError as error:
            yield source.name, error


def upgrade(name: str, data: bytes | InputError, old: Libvirt, new: Libvirt, host_pci: Any = None) -> Upgrade:
    """Return what an upgrade makes of a definition.

    Args:
        name: of its file.
        data: what the file holds, or why it cannot be read.
        old: the version that there is.
        new: the version that is to be.
        host_pci: as for `pcisim.assign`.
    """
    if isinstance(data, InputError):
        return Upgrade(name, data, data, None, "")
    plans = [_planned(name, data, rules, host_pci) for rules in (old, new)]
    before, after = plans
    gone = ""
    for plan in plans:
        if isinstance(plan, Plan):
            finding = machine_gone(plan.source, new)
            gone = finding.headline if finding is not None and machine_gone(plan.source, old) is None else ""
    both = isinstance(before, Plan) and isinstance(after, Plan)
    return Upgrade(name, before, after, compare(before, after) if both else None, gone)  # type: ignore[arg-type]


def _planned(name: str, data: bytes, rules: Libvirt, host_pci: Any) -> Plan | PcisimError:
    try:
        return assign(data, libvirt=rules, host_pci=host_pci, name=name)
    except UsageError:
        raise
    except PcisimError as error:
        return error


def summary(found: Sequence[Upgrade], old: Libvirt, new: Libvirt) -> str:
    """Return in one line how many definitions an upgrade concerns."""
    counts = (
        (sum(bool(one.difference) for one in found), "placed otherwise"),
        (sum(bool(one.refusal) for one in found), "refused"),
        (sum(one.accepted for one in found), "accepted now"),
        (sum(bool(one.gone) for one in found), "without a machine type"),
        (sum(one.unreadable for one in found), "unreadable"),
    )
    said = ", ".join(f"{count} {what}" for count, what in counts if count) or "nothing changes"
    return f"{counted(len(found), 'file')}: {said}, from libvirt {old.version} to {new.version}"


def document(found: Sequence[Upgrade], old: Libvirt, new: Libvirt) -> dict[str, Any]:
    """Return the answer as plain data.

    Keys: ``schema``, ``libvirt``, ``measured`` and ``profile`` (``old`` and ``new`` each), ``files`` (``file``,
    ``differs``, ``refused`` by side, ``machine_gone``, ``changes`` as in ``pcisim.diff/1``).
    """
    from pcisim.formats.jsondoc import both_libvirt_keys

    return {
        "schema": EACH_SCHEMA,
        **both_libvirt_keys(old, new),
        "files": [one.to_json() for one in found],
    }
