"""Make random x86 domains, each from a seed, that between them touch every clause of libvirt's rules.

    python -m tests.oracle.generator --seed 7                     the XML of one seed
    python -m tests.oracle.generator --seed 1 --count 1000 --tags   how often each clause was hit

The same seed always gives the same domain. The clauses are registered by the modules
`clauses`, `styles`, `odd_clauses`, `alone_clauses` and `mistakes`; each seed has one of them as its
subject, in turn, and a few others beside it. About one domain in four carries a deliberate mistake.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.oracle import alone_clauses, clauses, mistakes, odd_clauses, styles
from tests.oracle.draft import CLAUSES, Clause, Draft

REGISTERED_BY = (clauses, styles, odd_clauses, alone_clauses, mistakes)  # importing them is what fills CLAUSES

# (weight, machine, arch); {} is a version
MACHINES: dict[str, tuple[tuple[int, str | None, str | None], ...]] = {
    "pc": (
        (40, "pc", "x86_64"),
        (25, "pc-i440fx-{}", "x86_64"),
        (8, None, "x86_64"),
        (5, None, None),
        (8, "pc", None),
        (8, "pc", "i686"),
    ),
    "q35": ((60, "q35", "x86_64"), (25, "pc-q35-{}", "x86_64"), (8, "q35", None), (7, "q35", "i686")),
    "isapc": ((1, "isapc", "x86_64"),),
}
OLD_VERSIONS = ("2.12", "3.1", "4.2", "5.2", "6.2", "7.0", "7.2")  # QEMU 7.2 knows them too
NEW_VERSIONS = ("8.2", "9.0", "9.2", "10.0")

# clauses that no function stands for: they come about by the way
BY_THE_WAY = (
    "1/number-hex", "1/number-decimal", "1/number-octal", "1/attribute-left-out", "2/root-listed",
    "2/pci-bridge", "2/pci-expander-bus", "2/pcie-root-port", "2/dmi-to-pci-bridge", "2/pcie-to-pci-bridge",
    "2/pcie-switch-upstream-port", "2/pcie-switch-downstream-port", "2/pcie-expander-bus", "2/bridge-on-expander",
    "2/bridge-behind-dmi", "2/endpoint-by-hand-on-dmi", "2/bridge-behind-pcie-to-pci", "2/port-on-expander",
    "2/dmi-on-expander", "4.1/no-machine", "4.1/no-arch", "4.1/i686", "4.1/versioned-machine",
    "5.5/virtio-serial-ports-attribute", "7/busNr-default", "7/busNr-given", "7/numa-node",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One generated domain.

    Attributes:
        xml: the domain XML.
        tags: the clauses it touches, sorted.
        refusal: for a deliberate mistake, a pattern that libvirt's error matches.
    """

    xml: str
    tags: tuple[str, ...]
    refusal: str | None


def all_tags() -> list[str]:
    """Return the names of all clauses, sorted."""
    return sorted({tag for clause in CLAUSES for tag in clause.tags} | set(BY_THE_WAY))


def generate(seed: int) -> Case:
    """Return the domain of this seed."""
    rng = random.Random(f"pcisim {seed}")
    subjects = [clause for clause in CLAUSES if clause.refusal is None]
    faults = [clause for clause in CLAUSES if clause.refusal is not None]
    fault = seed % 4 == 0
    subject = faults[seed // 4 % len(faults)] if fault else subjects[(seed - seed // 4 - 1) % len(subjects)]
    draft = start(rng, rng.choice(subject.on))
    subject.apply(draft)
    others = [clause for clause in subjects if draft.family in clause.on and not clause.alone]
    for clause in rng.sample(others, companions(rng, subject)):
        if clause is not subject:
            clause.apply(draft)
    return Case(draft.xml(), tuple(sorted(draft.tags)), draft.refusal)


def companions(rng: random.Random, subject: Clause) -> int:
    """Return how many other clauses come along: none beside a mistake, so that it is its own reason."""
    if subject.refusal is not None or subject.alone:
        return 0
    return rng.choice((0, 1, 2, 3, 4, 6, 9))


def start(rng: random.Random, family: str) -> Draft:
    """Return an empty draft on some machine of this family."""
    rows = MACHINES[family]
    _, machine, arch = rng.choices(rows, [row[0] for row in rows])[0]
    draft = Draft(rng, family, machine, arch)
    if machine is None:
        draft.tags.add("4.1/no-machine")
    elif "{}" in machine:
        draft.machine = machine.format(rng.choice(OLD_VERSIONS if rng.random() < 0.8 else NEW_VERSIONS))
        draft.tags.add("4.1/versioned-machine")
    if arch is None:
        draft.tags.add("4.1/no-arch")
    elif arch == "i686":
        draft.tags.add("4.1/i686")
    return draft


def count_tags(first: int, count: int, make: Callable[[int], Case], tags: Iterable[str]) -> Counter[str]:
    """Return how often each clause is touched by these seeds."""
    counts = Counter(dict.fromkeys(tags, 0))
    for seed in range(first, first + count):
        counts.update(make(seed).tags)
    return counts


def command_line(description: str, make: Callable[[int], Case], tags: Iterable[str]) -> None:
    """Run a generator from the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds")
    parser.add_argument("--tags", action="store_true", help="count the clauses instead of printing XML")
    options = parser.parse_args()
    if options.tags:
        for tag, hits in sorted(count_tags(options.seed, options.count, make, tags).items()):
            print(f"{hits:6} {tag}")
        return
    for seed in range(options.seed, options.seed + options.count):
        case = make(seed)
        print(f"<!-- seed {seed}: {' '.join(case.tags)} -->")
        print(case.xml)


if __name__ == "__main__":
    command_line("Random x86 domains that touch libvirt's PCI rules.", generate, all_tags())
