"""Make random domains of other architectures than x86, each from a seed.

    python -m tests.oracle.others --seed 7                     the XML of one seed
    python -m tests.oracle.others --seed 1 --count 1000 --tags   how often each clause was hit

Beside the clauses of `tests.oracle.other_clauses` there are those of x86 that suit a machine with the same
kind of root bus; what x86 machines keep for their chipset is left out.
"""

from __future__ import annotations

import random

from tests.oracle import clauses, mistakes, snippets
from tests.oracle.draft import CLAUSES, Clause, Draft
from tests.oracle.generator import Case, command_line
from tests.oracle.other_clauses import ANY_ADDRESS, OTHER_CLAUSES, zpci

REGISTERED_BY = (clauses, mistakes)  # importing them is what fills CLAUSES

MACHINES: dict[str, tuple[tuple[int, str | None, str], ...]] = {
    "express": (
        (30, "virt", "aarch64"), (5, "virt-7.2", "aarch64"), (3, None, "aarch64"), (8, "virt", "armv7l"),
        (3, "virt", "armv6l"), (15, "virt", "riscv64"), (5, "virt", "riscv32"), (2, None, "riscv64"),
        (10, "virt", "loongarch64"), (2, None, "loongarch64"),
    ),
    "conventional": (
        (10, "mac99", "ppc64"), (10, "g3beige", "ppc64"), (4, "powernv9", "ppc64"), (10, "g3beige", "ppc"),
        (8, "mac99", "ppc"), (4, None, "ppc"), (4, "ppce500", "ppc"), (8, "clipper", "alpha"), (3, None, "alpha"),
        (8, "r2d", "sh4"), (3, None, "sh4"), (8, "versatilepb", "armv7l"), (2, "versatilepb", "armv6l"),
    ),
    "pseries": (
        (30, "pseries", "ppc64"), (8, "pseries-7.2", "ppc64"), (10, "pseries", "ppc64le"), (5, None, "ppc64"),
        (5, None, "ppc64le"),
    ),
    "s390": ((30, "s390-ccw-virtio", "s390x"), (8, "s390-ccw-virtio-7.2", "s390x"), (8, None, "s390x")),
    "bare": (
        (10, "vexpress-a15", "armv7l"), (4, "vexpress-a9", "armv7l"), (6, "raspi3b", "aarch64"),
        (5, "realview-pb-a8", "armv7l"), (5, "integratorcp", "armv7l"), (5, "sifive_u", "riscv64"),
        (5, "spike", "riscv64"), (3, "virt", "x86_64"), (2, "sbsa-ref", "aarch64"), (2, None, "armv7l"),
    ),
}  # fmt: skip
"""The machines of each family, as rows of weight, machine type and architecture."""
WEIGHTS = {"express": 5, "conventional": 4, "pseries": 5, "s390": 5, "bare": 1}
ALIKE = {"express": "q35", "conventional": "pc", "pseries": "pc", "s390": "pc"}
"""The x86 machine whose clauses suit a family too."""
WITHOUT_USB = ("express", "s390", "bare")
OF_X86 = ("4.1/", "4.2/", "4.3/", "5.5/disk-implies-ide", "12/", "8.1/wrong-root", "8.1/root-index", "8.2/chipset")
"""How the names of clauses begin that are of x86 machines alone."""


LEFT_OUT = {"conventional": ("8.3/isa-serial-on-pci",), "s390": ("6.4/ich9",)}
"""What is known to differ and left so: a serial port of no kind of its own at a PCI address, of which libvirt also
makes a console there; and ICH9 companions on s390, which get the written numbers of their master."""


class OtherDraft(Draft):
    """A draft that writes addresses as suits s390 too: there who says nothing is on ccw."""

    def at(self, bus: int, slot: int, function: int = 0, multifunction: str | None = None) -> str:
        """Return an explicit address, on s390 sometimes with its numbers."""
        written = super().at(bus, slot, function, multifunction)
        return zpci(self, written) if self.family == "s390" and self.chance(0.15) else written

    def some_address(self) -> str:
        """Return no address, an empty one, or an explicit one at a free place."""
        if self.family == "s390" and self.chance(0.4):
            return zpci(self) if self.chance(0.4) else ANY_ADDRESS
        return super().some_address()


def clauses_of(family: str) -> list[Clause]:
    """Return the clauses that suit a family: its own, and those of the x86 machine that is most like it."""
    own = [clause for clause in OTHER_CLAUSES if family in clause.on]
    alike = [
        clause
        for clause in CLAUSES
        if ALIKE.get(family) in clause.on
        and not any(tag.startswith((*OF_X86, "style/", *LEFT_OUT.get(family, ()))) for tag in clause.tags)
    ]
    return own + alike


def all_tags() -> list[str]:
    """Return the names of all clauses, sorted."""
    return sorted({tag for family in MACHINES for clause in clauses_of(family) for tag in clause.tags})


def generate_other(seed: int) -> Case:
    """Return the domain of this seed."""
    rng = random.Random(f"pcisim other {seed}")
    family = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    _, machine, arch = rng.choices(MACHINES[family], [row[0] for row in MACHINES[family]])[0]
    draft = OtherDraft(rng, family, machine, arch)
    draft.head["features"] = ""  # ACPI needs firmware on some, and others have none
    known = clauses_of(family)
    own = [clause for clause in known if clause in OTHER_CLAUSES]
    faults = [clause for clause in known if clause.refusal is not None]
    if faults and rng.random() < 0.1:
        rng.choice(faults).apply(draft)
    else:
        subject = rng.choice(own if rng.random() < 0.5 else [c for c in known if c.refusal is None])
        subject.apply(draft)
        beside = [clause for clause in known if clause.refusal is None and not clause.alone and clause is not subject]
        number = 0 if subject.alone else rng.choice((0, 0, 1, 1, 2, 3, 4, 6))
        for clause in rng.sample(beside, min(number, len(beside))):
            clause.apply(draft)
    _finish(draft)
    return Case(draft.xml(), tuple(sorted(draft.tags)), draft.refusal)


def _finish(draft: Draft) -> None:
    """Give the guest the USB controller that its devices need, mostly."""
    needs = draft.family in WITHOUT_USB and "usb in use" in draft.taken_once
    if needs and "usb 0" not in draft.taken_once and draft.chance(0.8):
        model = draft.rng.choice(("qemu-xhci", "qemu-xhci", "nec-xhci", "pci-ohci", None))
        draft.add(snippets.controller("usb", 0, model))
    if draft.family == "pseries" and draft.unindexed and draft.chance(0.5):
        draft.unindexed = False  # the first host bridge without an index is the root bus then


if __name__ == "__main__":
    command_line("Random domains of other architectures than x86.", generate_other, all_tags())
