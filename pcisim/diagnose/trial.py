"""A remedy is tried before anybody is told: the document is edited and judged anew.

What is told of a remedy is what was tried: of the ways out that a refusal or a rule offers those that work, else
what `pcisim.diagnose.remedies` proposes and works, else nothing.  A remedy works when the finding is gone and no
error is there that was not there before.  A document that cannot be read as a guest at all is not edited: what its
refusal says is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from pcisim.catalogue.versions import DEFAULT_VERSION, Libvirt
from pcisim.diagnose.diagnosis import Diagnosis, examine
from pcisim.diagnose.edits import Site
from pcisim.diagnose.finding import ERROR, Finding
from pcisim.diagnose.limits import limits_of, with_limits
from pcisim.diagnose.phrases import clauses, is_tried, said_edit
from pcisim.diagnose.refusals import ROOM
from pcisim.diagnose.remedies import ALONE, FIRST, LAST, LAST_OF_ALL, Proposal
from pcisim.errors import PcisimError
from pcisim.guest import NO_RAM, Guest
from pcisim.placement import Policy
from pcisim.policies import HostPci

MOST_WORK = 400
"""How much work the remedies of one document may be: a trial costs as many units as there are errors, and one more,
for every 64 devices.  What comes after that is neither tried nor told."""

MOST_BYTES = 1 << 20
"""Nothing is tried for a refusal of a larger document: no guest has room for so much."""
_BYTES = 256
"""What a device takes of a document."""

MOST_TOLD = 3
"""How many ways out are told of one finding."""

NOTHING_FITS = "none of the controllers that were tried makes it fit and boot"
"""What is told where there is no room, and nothing that was tried makes some."""

_LATER = frozenset({"io-space"})
"""Errors that are looked for in a guest without other errors: that one comes to light is no fault of a remedy."""


class Judge(NamedTuple):
    """What a document is judged by.

    Args:
        libvirt: the version of libvirt.
        policy: how to place.
        host_pci: which host devices are conventional.
    """

    libvirt: str | Libvirt = DEFAULT_VERSION
    policy: str | Policy = "libvirt"
    host_pci: HostPci = None

    def diagnosis(self, document: str | bytes | Guest) -> Diagnosis:
        """Return what is wrong with a document, or with a guest."""
        host_pci = None if isinstance(document, Guest) else self.host_pci
        return examine(document, self.policy, libvirt=self.libvirt, host_pci=host_pci)


class Tried(NamedTuple):
    """A remedy that works.

    Args:
        text: what to do.
        document: the document when it is done.
        diagnosis: what is wrong with it then.
    """

    text: str
    document: str | bytes
    diagnosis: Diagnosis


def check(
    guest: Guest | str | bytes,
    policy: str | Policy = "libvirt",
    *,
    libvirt: str | Libvirt = DEFAULT_VERSION,
    host_pci: HostPci = None,
    limits: str | None = None,
) -> list[Finding]:
    """Return everything that is wrong with a guest, or worth knowing, in the order of the document.

    An empty list: as far as `NOT_JUDGED` is no matter, libvirt accepts the guest, the emulator starts it, the guest
    sees all of it, and there is room for one more device while it runs.
    Each remedy was tried.

    Args:
        guest: a `Guest`, or domain XML as text or bytes.
        policy: as for `pcisim.assign`.
        libvirt: the libvirt version to emulate, from ``7.0`` on.
        host_pci: which host devices are conventional, as for `pcisim.assign`.
        limits: the product whose limits also apply, such as ``rhel7``: a row of
            `pcisim.catalogue.limits.PRODUCTS`.  What the limits say of hosts and operations is in ``remarks`` there.

    Raises:
        UsageError: an unknown version, policy or name of limits, or `host_pci` for a `Guest`.

    Examples:
        >>> import pcisim
        >>> pcisim.check(pcisim.Guest.of("q35", {"virtio-blk": 2}))
        []
        >>> crowded = pcisim.Guest.of("pc", {"virtio-blk": 59})
        >>> [(finding.severity, finding.code) for finding in pcisim.check(crowded)]
        [('error', 'no-slot-for-controller')]
        >>> [finding.code for finding in pcisim.check(pcisim.Guest.of("q35"), limits="rhel7")]
        ['limit-functions']
    """
    product = None if limits is None else limits_of(limits)
    before = examine(guest, policy, libvirt=libvirt, host_pci=host_pci)
    return with_limits(with_remedies(before, Judge(libvirt, policy, host_pci)), product, libvirt)


def with_remedies(diagnosis: Diagnosis, judge: Judge) -> Diagnosis:
    """Return a diagnosis whose findings tell of remedies that work, and of no others.

    Args:
        diagnosis: as `examine` returns it.
        judge: what judged it.
    """
    before = _documented(diagnosis, judge)
    if before is None:
        return diagnosis
    described = {_key(finding): finding for finding in before.findings}
    budget, cost = MOST_WORK, _cost(before)
    told: dict[Finding, Finding] = {}
    for finding in diagnosis.findings:
        said = [clause for clause in clauses(finding.remedy) if not is_tried(clause)]
        if budget > 0:
            one = finding if before is diagnosis else described[_key(finding)]
            ways = list(ways_out(one, before, judge, budget))
            budget -= cost * max(1, len(ways))
            said += [way.text for way in ways]
        if not said and finding.code in ROOM:
            said = [NOTHING_FITS]
        text = ", or ".join(said)
        told[finding] = finding if text == finding.remedy else finding._replace(remedy=text)
    new = Diagnosis(list(told.values()), diagnosis.guest, diagnosis.placement)
    new.origins = {told.get(finding, finding): element for finding, element in diagnosis.origins.items()}
    return new


def remedy_of(refused: PcisimError | str, document: str | bytes | Guest, judge: Judge) -> str:
    """Return what to do about a refusal, or a finding, tried; "" when nothing that was tried helps.

    Args:
        refused: the refusal, or the code of the finding.
        document: what was refused.
        judge: what refused it.
    """
    if _size(document) > MOST_BYTES:
        return refused.remedy if isinstance(refused, PcisimError) and refused.code == "xml-size" else ""
    for finding in with_remedies(judge.diagnosis(document), judge).findings:
        if refused == finding.code if isinstance(refused, str) else _key(finding) == (refused.code, refused.headline):
            return finding.remedy
    return ""


def _size(document: str | bytes | Guest) -> int:
    """Return about how many bytes a document has."""
    return sum(_BYTES for _ in document.all_devices()) if isinstance(document, Guest) else len(document)


def patched(
    document: str | bytes, before: Diagnosis, which: frozenset[str | Finding], libvirt: str | Libvirt
) -> tuple[str | bytes, int, Diagnosis]:
    """Fix findings in a document: no device is taken away for it, and the machine type stays.

    Args:
        document: domain XML.
        before: its diagnosis.
        which: which findings: the findings themselves, or their codes.
        libvirt: the libvirt version to emulate.

    Returns:
        The document, how many findings were fixed, and its new diagnosis.
    """
    judge = Judge(libvirt)
    keys = {_key(finding) for finding in which if isinstance(finding, Finding)}
    fixed = 0
    for _ in range(_MOST_MENDED):
        mine = (finding for finding in before.findings if finding.code in which or _key(finding) in keys)
        ways = (way for finding in mine for way in ways_out(finding, before, judge))
        step = next((way for way in ways if way.document != document and _keeps(way.diagnosis, before)), None)
        if step is None:
            break
        document, before = step.document, step.diagnosis
        fixed += 1
    return document, fixed, before


_MOST_MENDED = 50


def _keeps(after: Diagnosis, before: Diagnosis) -> bool:
    """Return whether a guest is for the machine that it was for, with all of its devices."""
    one, two = after.guest, before.guest
    if one is None or two is None or one.machine_type != two.machine_type:
        return False
    return all(len(one.devices.get(element, ())) >= len(devices) for element, devices in two.devices.items())


def _documented(diagnosis: Diagnosis, judge: Judge) -> Diagnosis | None:
    """Return the diagnosis of a document, that which describes a guest without one; ``None`` if there is none."""
    guest = diagnosis.guest
    if guest is None:
        return None
    if guest.document is not None:
        return diagnosis
    from pcisim.formats.domain.text import render

    described = judge.diagnosis(render(guest))
    alike = [(f.code, f.headline) for f in diagnosis.findings] == [(f.code, f.headline) for f in described.findings]
    return described if alike else None


def ways_out(finding: Finding, before: Diagnosis, judge: Judge, budget: int = MOST_WORK) -> Iterator[Tried]:
    """Yield the remedies of a finding that work, the best first."""
    if before.guest is None or before.guest.document is None:
        return
    seen: set[tuple[object, ...]] = set()
    told = 0

    def working(proposals: Iterator[Proposal]) -> Iterator[Tried]:
        nonlocal told, budget
        for proposal in proposals:
            if told == MOST_TOLD or budget <= 0:
                return
            site = Site(finding, before, judge.libvirt, judge.policy)
            document = _edited(site, proposal)
            if document is None:
                continue
            judged = document, site.libvirt, site.policy
            if judged in seen:
                continue
            seen.add(judged)
            budget -= _cost(before)
            after = judge._replace(libvirt=site.libvirt, policy=site.policy).diagnosis(document)
            if _is_gone(finding, before, after):
                told += 1
                yield Tried(proposal.text, document, after)

    site = Site(finding, before, judge.libvirt, judge.policy)
    first = chain.from_iterable(propose(site) for propose in FIRST.get(finding.code, ()))
    for way in working(first):
        yield way
        break
    if told and finding.code in ALONE:
        return
    yield from working(Proposal(clause, edit) for clause in clauses(finding.remedy) if (edit := said_edit(clause)))
    if told or finding.severity != ERROR:
        return
    for way in working(chain.from_iterable(p(site) for p in (*LAST.get(finding.code, ()), *LAST_OF_ALL))):
        yield way
        return


def _cost(diagnosis: Diagnosis) -> int:
    devices = 0 if diagnosis.guest is None else sum(1 for _ in diagnosis.guest.all_devices())
    return (1 + len(diagnosis.errors)) * (1 + devices // 64)


def _edited(site: Site, proposal: Proposal) -> str | bytes | None:
    """Return the document as a proposal edits it; ``None`` where it cannot."""
    try:
        return site.edited if proposal.edit(site) else None
    except (ValueError, StopIteration):
        # two steps of one edit meet in one element, as with two <address> in a device; no name or number is free
        return None


def _is_gone(finding: Finding, before: Diagnosis, after: Diagnosis) -> bool:
    """Return whether a finding is gone, and no error is there that was not."""
    if not after.readable or any((f.code, f.parties) == (finding.code, finding.parties) for f in after.findings):
        return False
    if _counted(after.findings)[_key(finding)] >= _counted(before.findings)[_key(finding)]:
        return False
    if finding.code in _LATER and after.placement is not None:
        from pcisim.enumeration import enumerate_guest  # 20 ms, so not before it is needed

        if enumerate_guest(after.placement, after.placement.guest.firmware, ram=NO_RAM).boots is False:
            return False
    old = _counted(before.errors)
    return all(count <= old[key] or key[0] in _LATER - {finding.code} for key, count in _counted(after.errors).items())


def _key(finding: Finding) -> tuple[str, str]:
    return finding.code, finding.headline


def _counted(findings: list[Finding]) -> Counter[tuple[str, str]]:
    return Counter(map(_key, findings))
