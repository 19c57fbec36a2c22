"""Law: pcisim answers as the libvirt that is running, on guests nobody has seen before.

Set PCISIM_LIBVIRT_11_3 (and PCISIM_LIBVIRT_9_0) to a connection URI; `setup.sh` beside this
file makes such daemons. PCISIM_ORACLE_SEEDS says how many guests (300) and
PCISIM_ORACLE_FIRST where to begin (1).
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

import pcisim
from tests.oracle.agreement import Agreement, kind
from tests.oracle.facts import about_pci
from tests.oracle.generator import Case, generate
from tests.oracle.live import URI_VARIABLES, LiveLibvirt, configured
from tests.oracle.others import generate_other

FIRST = int(os.environ.get("PCISIM_ORACLE_FIRST", "1"))
REDUCED_AT_MOST = 20  # disagreements; each takes some hundred questions
SEEDS = int(os.environ.get("PCISIM_ORACLE_SEEDS", "300"))

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module", params=list(URI_VARIABLES))
def live(request: pytest.FixtureRequest) -> Iterator[tuple[str, LiveLibvirt]]:
    """Return a version and a connection to a daemon of that version."""
    version = request.param
    uri = configured(version)
    if uri is None:
        pytest.skip(f"{URI_VARIABLES[version]} is not set: no libvirt {version} to ask")
    with LiveLibvirt(uri) as client:
        assert client.version.startswith(f"{version}."), f"{uri} is libvirt {client.version}"
        yield version, client


EMULATED = {
    arch: f"<domain type='qemu'><name>a</name><memory>131072</memory><os><type arch='{arch}'>hvm</type></os></domain>"
    for arch in ("aarch64", "armv7l", "riscv64", "ppc64", "ppc", "s390x", "alpha", "sh4")
}
"""The smallest guest of each architecture that both daemons can have an emulator of."""
NOT_FOR_PCISIM = re.compile(
    r"not supported (by|with) this QEMU|QEMU executable|QEMU binary (does not|doesn't) support(?! zPCI)"
    r"|does not support machine type|Unknown architecture|requires? UEFI",
    re.IGNORECASE,
)
"""Refusals that depend on the emulator, or the firmware, even though they may name a PCI device."""
FROM_THE_DOCUMENT = re.compile(
    r"hostdev already exists|non unique alias|boot order|boot elements|zero is not permitted|duplicate drive address"
    r"|in use by (a|another) scsi|conflicts with scsi|target must be 0|bus must be 0|only (supports )?1 (ide|fdc|bus)"
    r"|unsupported controller model|duplicated for disk sources|primary video|'none' video type|single tpm"
    r"|maximum of two tpm|tpm (device )?backend|isa serial|port '.*' already allocated|requires shared memory|iothread"
    r"|'maxmemory'|memory slot|memory device (slot|count)|numa node|device='lun'|device 'lun'|mount filesystem type"
    r"|missing target information|input type=|model '(gop|parallels|vbox|xen)'|address type|addresses? of type"
    r"|acpi index|uefi requires acpi"
    r"|does not support configuring|address not supported|graphics device is needed|'ramfb' enabled|booting from",
    re.IGNORECASE,
)
"""Refusals of devices that pcisim places, from what the document says of them beside their places."""


def about_places(error: str) -> bool:
    """Tell whether this refusal is one that pcisim has to share."""
    return bool(about_pci(error) or FROM_THE_DOCUMENT.search(error)) and not NOT_FOR_PCISIM.search(error)


def compare(live: tuple[str, LiveLibvirt], make: Callable[[int], Case]) -> None:
    """Ask libvirt and pcisim about the domain of every seed; fail with one report of each sort of disagreement."""
    version, client = live
    agreement = Agreement(version, client, about_places)
    counts: Counter[str] = Counter()
    reports: dict[str, str] = {}
    for seed in range(FIRST, FIRST + SEEDS):
        case = make(seed)
        answer = client.ask(case.xml)
        lines = agreement.disagreement(case.xml, answer)
        if lines is None:
            counts["accepted, but not covered" if answer.ok else "refused, but not about PCI: left out"] += 1
            continue
        counts["accepted" if answer.ok else "refused about PCI"] += 1
        if lines:
            counts["wrong"] += 1
            if counts["wrong"] <= REDUCED_AT_MOST:
                small, rest = agreement.reduced(case.xml, lines)
                title = f"seed {seed}: {' '.join(case.tags)}"
                reports.setdefault(kind(rest), agreement.report(title, small, rest))
    print(f"libvirt {version}, seeds {FIRST} to {FIRST + SEEDS - 1}: {dict(counts)}")
    assert not reports, "\n\n".join([f"{counts['wrong']} of {SEEDS} wrong: {dict(counts)}", *reports.values()])


def test_pcisim_answers_as_libvirt(live: tuple[str, LiveLibvirt]) -> None:
    compare(live, generate)


def test_pcisim_answers_as_libvirt_for_other_architectures(live: tuple[str, LiveLibvirt]) -> None:
    lacking = [name for name, xml in EMULATED.items() if not live[1].ask(xml).ok]
    if lacking:
        pytest.skip(f"the daemon has no emulator of {', '.join(lacking)}")
    compare(live, generate_other)


def test_what_libvirt_wrote_is_not_changed(live: tuple[str, LiveLibvirt]) -> None:
    """Law: a dump that libvirt takes back is read and not changed by a byte; one that it refuses is refused."""
    version, client = live
    wrong = []
    for seed in range(FIRST, FIRST + SEEDS):
        answer = client.ask(generate(seed).xml)
        if not answer.ok:
            continue
        again = client.ask(answer.xml)
        try:
            same = pcisim.assign_xml(answer.xml, libvirt=version) == answer.xml
        except pcisim.PcisimError as error:
            same = not again.ok
            if not same:
                wrong.append(f"seed {seed}: {error}")
        else:
            if not same:
                wrong.append(f"seed {seed}: changed")
    assert wrong == []


def test_deliberate_mistakes_are_refused_for_their_reason(live: tuple[str, LiveLibvirt]) -> None:
    version, client = live
    if version != "11.3":
        pytest.skip("the patterns are those of 11.3")
    wrong = []
    for seed in range(FIRST, FIRST + 2 * SEEDS):
        case = generate(seed)
        if case.refusal is None:
            continue
        answer = client.ask(case.xml)
        if answer.ok or not re.search(case.refusal, answer.error):
            wrong.append(f"seed {seed}: {case.tags}: wanted {case.refusal!r}, got {answer.error or 'accepted'}")
    assert wrong == []
