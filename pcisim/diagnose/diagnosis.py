"""All findings of a guest in one pass."""

from __future__ import annotations

from types import MappingProxyType

from pcisim.catalogue.versions import DEFAULT_VERSION, Libvirt, libvirt_version
from pcisim.diagnose.buses import BUS_RULES, switched_off
from pcisim.diagnose.devices import DEVICE_RULES
from pcisim.diagnose.finding import ERROR, NOTE, Finding, by_line
from pcisim.diagnose.names import interface_names
from pcisim.diagnose.raw import uncounted
from pcisim.diagnose.refusals import Refusals
from pcisim.diagnose.room import ROOM_RULES, paste_for
from pcisim.diagnose.slots import SLOT_RULES, dropped_addresses
from pcisim.diagnose.upgrades import upgrade_findings
from pcisim.diagnose.view import PlacedView
from pcisim.errors import PcisimError
from pcisim.formats.domain.reader import UNREADABLE, Problem, read
from pcisim.formats.host_pci import lookup
from pcisim.formats.xml.document import Element
from pcisim.guest import Controller, Device, Guest
from pcisim.placement import Placement, Policy
from pcisim.policies import HostPci, check_host_pci, placed, policy_of


class Diagnosis:
    """What is wrong with a guest, and what is left of it.

    Attributes:
        findings: everything, in the order of the document.
        guest: as it was read or described; ``None`` when the document cannot be read at all.
        placement: the placed guest, when libvirt accepts it.
    """

    def __init__(self, findings: list[Finding], guest: Guest | None, placement: Placement | None) -> None:
        self.findings = sorted(dict.fromkeys(findings), key=by_line)
        self.guest = guest
        self.placement = placement
        self.origins: dict[Finding, Element] = {}
        """The element of the document that a finding is about, where there is one."""

    def __repr__(self) -> str:
        return f"<Diagnosis {len(self.findings)} findings, of which {len(self.errors)} errors>"

    @property
    def errors(self) -> list[Finding]:
        """Return the findings that are errors."""
        return [finding for finding in self.findings if finding.severity == ERROR]

    @property
    def readable(self) -> bool:
        """Return whether the document could be read, if not in every part."""
        return self.guest is not None


def examine(
    guest: Guest | str | bytes,
    policy: str | Policy = "libvirt",
    *,
    libvirt: str | Libvirt = DEFAULT_VERSION,
    host_pci: HostPci = None,
) -> Diagnosis:
    """Return everything that is wrong with a guest, and what it was read and placed as; no remedy is tried.

    Args:
        guest: a `Guest`, or domain XML as text or bytes.
        policy: as for `pcisim.assign`.
        libvirt: the libvirt version to emulate, from ``7.0`` on.
        host_pci: which host devices are conventional, as for `pcisim.assign`.

    Raises:
        UsageError: an unknown version or policy, or `host_pci` for a `Guest`.
    """
    rules = libvirt_version(libvirt)
    chosen = policy_of(policy, rules)
    problems: list[Problem] = []
    if not isinstance(guest, Guest):
        known = lookup(host_pci)
        try:
            guest = read(guest, rules, host_pci=known, problems=problems)
        except PcisimError as error:
            return Diagnosis([_of(error)], None, None)
    else:
        check_host_pci(host_pci)
    return _Examination(guest, problems, chosen, libvirt).diagnosis()


class _Examination:
    """One diagnosis."""

    def __init__(self, guest: Guest, problems: list[Problem], policy: Policy, version: str | Libvirt) -> None:
        self.guest = guest
        self.problems = problems
        self.policy = policy
        self.version = version

    def diagnosis(self) -> Diagnosis:
        """Return everything that is found."""
        origins = {_of(error): element for element, error in self.problems}
        findings = list(origins)
        if any(element.tag == "controller" for element, _ in self.problems):
            # without one of its controllers the rest of the guest is another guest
            return self._made(findings, None, origins)
        unreadable = {d.label for d in self.guest.all_devices() if d.model == UNREADABLE}
        refusals = Refusals(self.guest, self.policy, self.version)
        for error in refusals.errors:
            if unreadable.intersection(error.parties):
                continue
            subject = refusals.subjects.get(error)
            finding = _about(_of(error), subject)
            findings.append(finding)
            if subject is not None:
                origins[finding] = subject.origin
        if len(refusals.errors) == refusals.most:
            findings.append(Finding(NOTE, "more-findings", f"only the first {refusals.most} refusals are listed"))
        whole = not findings
        placement = refusals.placement
        if placement is not None:
            devices = {d.label: d for d in placement.guest.all_devices()}
            held = sound(placement, whole=whole)
            if whole and all(finding.severity != ERROR for finding in held):
                view = PlacedView(placement)
                held += [*switched_off(view), *interface_names(view)]
            for finding in held:
                findings.append(finding)
                subject = devices.get(finding.parties[0]) if finding.parties else None
                if subject is not None and subject.origin is not None:
                    origins[finding] = subject.origin
        placed = placement.guest if placement is not None and whole else None
        for finding in upgrade_findings(self.guest, placed, libvirt_version(self.version)):
            findings.append(finding)
            subject = next((d for d in self.guest.all_devices() if d.label in finding.parties[:1]), None)
            if subject is not None and subject.origin is not None:
                origins[finding] = subject.origin
            elif not finding.parties and self.guest.machine_origin is not None:
                origins[finding] = self.guest.machine_origin
        labelled = {d.label: d for d in self.guest.all_devices()}
        for finding in dropped_addresses(self.guest.all_devices()):
            findings.append(finding)
            origins[finding] = labelled[finding.parties[0]].origin
        return self._made(findings, placement if whole else None, origins)

    def _made(self, findings: list[Finding], placement: Placement | None, origins: dict[Finding, Element]) -> Diagnosis:
        diagnosis = Diagnosis([*findings, *uncounted(self.guest)], self.guest, placement)
        diagnosis.origins = origins
        return diagnosis


_REMEDIES = MappingProxyType(
    {
        "bad-number": "write a number without sign and blanks: decimal, or hexadecimal with 0x",
        "bad-attribute": "write a value that is expected",
        "missing-attribute": "add the attribute",
        "unknown-word": "write a word that this version of libvirt knows",
        "unknown-model": "write one of libvirt's models; QEMU's name goes into <model name='...'/>",
        "address-type": "write type='pci', or leave the address out",
        "xml-empty": "pass what 'virsh dumpxml' prints for a guest",
        "xml-syntax": "fix the XML; 'virt-xml-validate' says more",
    }
)
"""What to do about refusals that do not say so themselves."""


def _of(error: PcisimError) -> Finding:
    return Finding.of(error, error.remedy or _REMEDIES.get(error.code, ""))


def _about(finding: Finding, subject: Device | None) -> Finding:
    """Return a finding that names the device to be changed first, where another one was refused for it."""
    if subject is None or not finding.parties:
        return finding
    label = subject.label if subject.label in finding.parties else finding.parties[0]
    parties = (label, *(party for party in finding.parties if party != label))
    remedy = finding.remedy.replace("leave the address out", f"leave the address of {label} out")
    return finding._replace(parties=parties, line=subject.line, remedy=remedy)


MOST_PASTED = 12
"""How many controllers a remedy lists at most."""


def controllers_to_paste(guest: Guest, version: str | Libvirt, policy: str | Policy = "libvirt") -> list[Controller]:
    """Return controllers that make a guest fit which libvirt refuses for want of room; none when none help.

    Args:
        guest: as it was read, or described.
        version: the libvirt version to emulate.
        policy: how to place.
    """

    rules = libvirt_version(version)
    chosen = policy_of(policy, rules)

    def is_sound(larger: Guest) -> bool:
        try:
            placement = placed(larger, chosen, rules)
        except PcisimError:
            return False
        return not any(finding.severity == ERROR for finding in sound(placement, whole=True))

    return paste_for(guest, rules, is_sound)


def controller_text(controller: Controller) -> str:
    """Return a PCI controller as text to paste."""
    return f"<controller type='pci' index='{controller.index}' model='{controller.model}'/>"


def sound(placement: Placement, *, whole: bool) -> list[Finding]:
    """Return what is found in a guest that libvirt accepts.

    Args:
        placement: the placed guest.
        whole: whether it is the guest itself; when parts of it were set aside, nothing can be said about room.
    """
    view = PlacedView(placement)
    rules = (*SLOT_RULES, *DEVICE_RULES, *BUS_RULES, *(ROOM_RULES if whole else ()))
    return [finding for rule in rules for finding in rule(view)]
