"""Which cases are asked in every run, and which are slow (`make slow`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import pytest
from _pytest.mark import ParameterSet

from pcisim.catalogue.versions import DEFAULT_VERSION
from tests.record_goldens import read_answer

Case = TypeVar("Case")


def where_versions_differ(pairs: Iterable[tuple[str, str]]) -> list[ParameterSet]:
    """Return pairs of golden and version: slow is the version of which the same is recorded as of the newest."""
    found = []
    for case, version in pairs:
        answer = read_answer(case)
        alike = version != DEFAULT_VERSION and answer[version] == answer[DEFAULT_VERSION]
        found.append(pytest.param(case, version, marks=[pytest.mark.slow] if alike else [], id=f"{case}-{version}"))
    return found


def one_in(number: int, cases: Sequence[Case], *, always: Iterable[Case] = ()) -> list[ParameterSet]:
    """Return all cases: slow are those that are neither one in so many, nor to be asked always.

    Args:
        number: how many of which one is asked.
        cases: the argument of each case, a tuple where it has several.
        always: the cases that are asked in any event.
    """
    chosen = {*cases[::number], *always}
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)), marks=[] if case in chosen else [pytest.mark.slow]
        )
        for case in cases
    ]
