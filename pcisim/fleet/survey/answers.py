"""The PCI answer of each guest, worked out once for each shape."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import NamedTuple

from pcisim.capacity.report import room
from pcisim.catalogue import connectors as c
from pcisim.catalogue.versions import DEFAULT_VERSION, Libvirt, libvirt_version
from pcisim.enumeration.io_windows import io_budget
from pcisim.errors import InputError, PcisimError, RefusedError
from pcisim.fleet.survey.rows import Row, cut, error_row
from pcisim.fleet.survey.shapes import ScannedShape, scan_shape
from pcisim.formats.domain.reader import read
from pcisim.formats.xml.document import parse
from pcisim.guest import Controller, Guest
from pcisim.placement import Placement
from pcisim.plan import assign
from pcisim.policies import policy_of

MOST_SHAPES = 100_000
"""How many answers are kept, at about 400 bytes each; a fleet has some hundred shapes."""
_MOST_KEPT = 1_000
"""How many characters the texts of an answer may have that is kept."""


class Question(NamedTuple):
    """What is asked of every guest.

    Args:
        libvirt: the libvirt version to emulate, from ``7.0`` on.
        policy: the name of a policy.
        more: what every guest is to get beside what it has: models by QEMU's name, and how many.
        profile: the QEMU and its firmware, as for `pcisim.assign`.
    """

    libvirt: str = DEFAULT_VERSION
    policy: str = "libvirt"
    more: tuple[tuple[str, int], ...] = ()
    profile: str | None = None

    def checked(self) -> Question:
        """Return the question with the version and the profile as rows name them.

        Raises:
            UsageError: an unknown version, profile, policy or device, or a count that is none.
        """
        rules = libvirt_version(self.libvirt, self.profile)
        policy_of(self.policy, rules)
        Guest.of("q35", dict(self.more))
        return self._replace(libvirt=rules.version, profile=str(rules.profile))


class Figures(NamedTuple):
    """What a row says of a guest that fits, from the machine type on."""

    machine: str
    devices: int
    controllers: int
    buses: int
    ports: int
    used: int
    free_cold_express: int
    free_cold_conventional: int
    free_hot_express: int
    free_hot_conventional: int
    boots: bool | None


def figures(placement: Placement) -> Figures:
    """Return the figures of a placed guest."""
    topology = placement.topology
    addressed = [d for d in placement.addresses if d.mirrors is None]
    controllers = sum(isinstance(d, Controller) and d.is_pci for d in addressed)
    left = room(topology)
    slots = sum(bus.model.slots[1] - bus.model.slots[0] + 1 for bus in topology.buses if bus.model.accepts & c.ENDPOINT)
    return Figures(
        machine=cut(placement.guest.machine_name),
        devices=len(addressed) - controllers,
        controllers=controllers,
        buses=len(topology.buses),
        ports=sum("port" in bus.model.name for bus in topology.buses),
        used=slots - left.express_cold - left.conventional_cold,
        free_cold_express=left.express_cold,
        free_cold_conventional=left.conventional_cold,
        free_hot_express=left.express_hot,
        free_hot_conventional=left.conventional_hot,
        boots=io_budget(placement).boots,
    )


class Refusal(NamedTuple):
    """What a row says of a guest that is refused or cannot be read, whatever it is called and wherever it stands.

    Args:
        machine: the machine type, where that is known.
        fits: ``False`` when it is refused, ``None`` when it cannot be read.
        code: the code of the error.
        message: its headline.
        place: which of the elements that are noted its line is about.
    """

    machine: str | None
    fits: bool | None
    code: str
    message: str
    place: int | None


class Answers:
    """Rows of guests; each shape is worked out once.

    Args:
        question: what is asked.
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        self.rules: Libvirt = libvirt_version(question.libvirt, question.profile)
        self.worked_out = 0
        self._known: dict[Hashable, Figures | Refusal] = {}

    def of_document(self, path: str, data: bytes) -> Row:
        """Return the row of domain XML.

        Args:
            path: where it is, for the row.
            data: the document.
        """
        try:
            return self._of_document(path, data)
        except (MemoryError, SystemError):  # expat's callbacks lose the one, and Python complains by the other
            pass  # what was read is given back first
        error = InputError("cannot be read: it takes more memory than there is", code="memory")
        return error_row(path, None, None, self.rules.version, error)

    def _of_document(self, path: str, data: bytes) -> Row:
        skimmed = scan_shape(data)
        if skimmed is None:
            return self._read(path, data, None)
        known = self._known.get(skimmed.key)
        if known is None:
            return self._read(path, data, skimmed)
        line = None
        if isinstance(known, Refusal) and known.place is not None:
            lines: list[int] = []
            scan_shape(data, lines)
            line = lines[known.place]
        return self._row(path, skimmed.name or None, known, line)

    def of_counts(
        self,
        path: str,
        name: str | None,
        machine: str,
        counts: tuple[tuple[str, int], ...],
        line: int | None,
        arch: str = "x86_64",
    ) -> Row:
        """Return the row of a guest that is described by counts.

        Args:
            path: where it is, for the row.
            name: the guest's name.
            machine: its machine type.
            counts: how many of each model, by QEMU's name.
            line: where it is described.
            arch: its architecture.
        """
        key = (machine, counts, arch) if len(machine) + len(arch) <= _MOST_KEPT else None
        known = self._known.get(key) if key else None
        if known is None:
            try:
                known = self._work_out(Guest.of(machine, dict(counts), arch=arch))
            except PcisimError as error:
                known = _refusal(machine, error, None)
            if key:
                self._keep(key, known)
        return self._row(path, name, known, line)

    def _read(self, path: str, data: bytes, skimmed: ScannedShape | None) -> Row:
        """Return the row of a document of which nothing is known."""
        name = machine = None
        lines: list[int] = []
        try:
            document = parse(data)
            element = document.root.find("name")
            name = element.text or None if element is not None else None
            guest = read(document, self.rules)
            machine = guest.machine_name
            answer: Figures | Refusal = self._work_out(guest)
            line = None
        except PcisimError as error:
            line = error.line
            if skimmed is not None and line is not None:
                scan_shape(data, lines)
                if lines.count(line) != 1:  # which of them is meant?
                    skimmed = None
            answer = _refusal(machine, error, lines.index(line) if skimmed is not None and line is not None else None)
        if skimmed is not None:
            self._keep(skimmed.key, answer)
        return self._row(path, name, answer, line)

    def _work_out(self, guest: Guest) -> Figures:
        self.worked_out += 1
        if self.question.more:
            guest = guest.extended(dict(self.question.more))
        return figures(assign(guest, self.question.policy, libvirt=self.rules).placement)

    def _keep(self, key: Hashable, answer: Figures | Refusal) -> None:
        if sum(len(text) for text in answer if isinstance(text, str)) > _MOST_KEPT:
            return
        if len(self._known) >= MOST_SHAPES:
            self._known.clear()
        self._known[key] = answer

    def _row(self, path: str, name: str | None, answer: Figures | Refusal, line: int | None) -> Row:
        if name is not None:
            name = cut(name)
        if isinstance(answer, Refusal):
            machine, fits, code, message, _ = answer
            return Row(path, name, machine, self.rules.version, fits, code, message, line)
        return Row(path, name, answer[0], self.rules.version, True, None, None, None, *answer[1:])


def _refusal(machine: str | None, error: PcisimError, place: int | None) -> Refusal:
    fits = False if isinstance(error, RefusedError) else None
    return Refusal(None if machine is None else cut(machine), fits, error.code, cut(error.headline), place)


@lru_cache(maxsize=4)
def answers(question: Question) -> Answers:
    """Return the answers that this process has for a question."""
    return Answers(question)
