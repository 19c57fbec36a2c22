"""What the rows of a fleet say together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from pcisim.catalogue.machines import machine_of
from pcisim.catalogue.versions import Libvirt, libvirt_version
from pcisim.catalogue.x86_machines import OTHER
from pcisim.errors import NOT_COVERED_CODES
from pcisim.fleet.survey.rows import Row
from pcisim.formats.jsondoc import libvirt_keys
from pcisim.formats.plain import printable

SCHEMA = "pcisim.fleet-summary/1"
EXAMPLES = 5
"""How many guests of a kind are named; the rows name all."""


class Group:
    """Guests of which the same is said: how many, the first of them, and what is said of the first."""

    def __init__(self) -> None:
        self.count = 0
        self.examples: list[str] = []
        self.message = ""

    def add(self, row: Row) -> None:
        """Count a guest."""
        if not self.count:
            self.message = row.message or ""
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(row.path)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"count": self.count, "examples": self.examples} | ({"message": self.message} if self.message else {})

    def __str__(self) -> str:
        text = ", ".join(map(printable, self.examples))
        more = self.count - len(self.examples)
        return f"{text} and {more:,} more" if more else text


def _family(machine: str) -> str:
    """Return the family of an x86 machine type, the name without a version of any other."""
    row = machine_of(machine)
    return machine.partition("-")[0] if row is OTHER else row.family


class Summary:
    """The figures of a fleet, row by row.

    Args:
        libvirt: the libvirt version that was emulated.
        more: what every guest was to get beside what it has.
    """

    def __init__(self, libvirt: str | Libvirt, more: Iterable[tuple[str, int]] = ()) -> None:
        self.libvirt = libvirt
        self.more = tuple(more)
        self.guests = 0
        self.fit = 0
        self.refused: dict[str, Group] = {}
        self.unreadable: dict[str, Group] = {}
        self.not_covered: dict[str, Group] = {}
        self.full = Group()
        self.no_hot_slot = Group()
        self.no_boot = Group()
        self.percent: Counter[int] = Counter()
        """How many guests use so many hundredths of their slots, rounded down."""
        self.hot: dict[str, Counter[int]] = {}
        """How many guests of a machine family have so many free slots for hotplug, of the kind their machine takes."""

    def add(self, rows: Iterable[Row]) -> None:
        """Count guests."""
        for row in rows:
            self.guests += 1
            if row.fits:
                self._fits(row)
            else:
                unknown = self.not_covered if row.code in NOT_COVERED_CODES else self.unreadable
                groups = unknown if row.fits is None else self.refused
                groups.setdefault(row.code or "", Group()).add(row)

    def _fits(self, row: Row) -> None:
        self.fit += 1
        if not row.buses:
            return  # no slots: neither full nor empty
        # on a conventional root bus there are neither ports nor slots for PCI Express
        express = machine_of(row.machine or "").express or row.ports or row.free_cold_express
        hot = (row.free_hot_express if express else row.free_hot_conventional) or 0
        self.hot.setdefault(_family(row.machine or ""), Counter())[hot] += 1
        if not hot:
            self.no_hot_slot.add(row)
        if row.boots is False:
            self.no_boot.add(row)
        used = row.used or 0
        slots = used + (row.free_cold_express or 0) + (row.free_cold_conventional or 0)
        self.percent[100 * used // slots if slots else 100] += 1
        if used == slots:
            self.full.add(row)

    @property
    def sound(self) -> bool:
        """Return whether every guest fits and boots."""
        return self.fit == self.guests and not self.no_boot.count

    def quantile(self, share: float) -> int:
        """Return how many hundredths of their slots that share of the guests uses at most, from 0 to 100."""
        left = share * sum(self.percent.values())
        for percent in sorted(self.percent):
            left -= self.percent[percent]
            if left <= 0:
                return percent
        return 100

    def lines(self) -> list[str]:
        """Return the summary for people."""
        kinds = (self.refused, self.unreadable, self.not_covered)
        refused, unreadable, not_covered = (sum(g.count for g in groups.values()) for groups in kinds)
        asked = "".join(f", with {count} more {model}" for model, count in self.more)
        lines = [
            f"{self.guests:,} guest{'s' * (self.guests != 1)}, as libvirt {self.libvirt}{asked}:"
            f" {self.fit:,} fit{'s' * (self.fit == 1)}, {refused:,} refused,"
            f" {unreadable:,} cannot be read" + (f", {not_covered:,} not covered" if not_covered else "")
        ]
        if self.percent:
            lines.append(
                f"slots in use: half of the guests use at most {self.quantile(0.5)} %, nine of ten at most"
                f" {self.quantile(0.9)} %, the fullest {max(self.percent)} %"
            )
        for title, group in (
            ("no slot left at all", self.full),
            ("no slot left for hotplug", self.no_hot_slot),
            ("will not boot: more I/O windows than the firmware has", self.no_boot),
        ):
            if group.count:
                lines += [f"{title}: {group.count:,}", f"  {group}"]
        for title, groups in zip(("refused", "cannot be read", "not covered"), kinds):
            for code, group in sorted(groups.items(), key=lambda item: (-item[1].count, item[0])):
                lines += [f"{title}: {group.count:,} {code}: {printable(group.message)}", f"  {group}"]
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return the summary as plain data; the key ``schema`` names its version."""
        return {
            "schema": SCHEMA,
            **libvirt_keys(libvirt_version(self.libvirt)),
            "more": dict(self.more),
            "guests": self.guests,
            "fit": self.fit,
            "refused": {code: group.to_json() for code, group in sorted(self.refused.items())},
            "unreadable": {code: group.to_json() for code, group in sorted(self.unreadable.items())},
            "not_covered": {code: group.to_json() for code, group in sorted(self.not_covered.items())},
            "full": self.full.to_json(),
            "no_hot_slot": self.no_hot_slot.to_json(),
            "no_boot": self.no_boot.to_json(),
            "percent_of_slots": {str(percent): count for percent, count in sorted(self.percent.items())},
            "free_hot_slots": {
                family: {str(free): count for free, count in sorted(counts.items())}
                for family, counts in sorted(self.hot.items())
            },
        }
