"""Refusals: data first, text second."""

from __future__ import annotations

import pickle

import pytest

from pcisim.errors import (
    InputError,
    NotCoveredError,
    PcisimError,
    RefusedError,
    UsageError,
    WrongTypeError,
)


def test_carries_what_it_was_given() -> None:
    error = PcisimError(
        "headline",
        code="some-code",
        details=("one", "two"),
        remedy="do this",
        file="vm.xml",
        line=7,
        column=3,
        parties=("disk:vda", "disk:vdb"),
    )
    assert (error.headline, error.code, error.details, error.remedy) == (
        "headline",
        "some-code",
        ("one", "two"),
        "do this",
    )
    assert (error.file, error.line, error.column, error.parties) == ("vm.xml", 7, 3, ("disk:vda", "disk:vdb"))
    assert error.args == ("headline",)


def test_knows_nothing_that_it_was_not_told() -> None:
    error = PcisimError("headline", code="c")
    assert (error.details, error.remedy, error.file, error.line, error.column, error.parties) == (
        (),
        "",
        None,
        None,
        None,
        (),
    )


@pytest.mark.parametrize(
    ("file", "line", "where", "text"),
    [
        (None, None, "", "headline"),
        ("vm.xml", None, "vm.xml", "vm.xml: headline"),
        ("vm.xml", 7, "vm.xml:7", "vm.xml:7: headline"),
        (None, 7, "7", "line 7: headline"),
    ],
)
def test_says_where(file: str | None, line: int | None, where: str, text: str) -> None:
    error = PcisimError("headline", code="c", file=file, line=line)
    assert error.where == where
    assert str(error) == text


def test_explanation_is_one_headline_and_indented_detail() -> None:
    error = PcisimError("headline", code="c", details=("one", "two"), remedy="do this", file="vm.xml", line=7)
    assert error.explanation() == ["vm.xml:7: headline", "  one", "  two", "  to do: do this"]
    assert PcisimError("headline", code="c").explanation() == ["headline"]


@pytest.mark.parametrize(
    ("kind", "status"), [(PcisimError, 1), (RefusedError, 1), (UsageError, 2), (InputError, 3), (NotCoveredError, 4)]
)
def test_exit_status(kind: type[PcisimError], status: int) -> None:
    assert kind("headline", code="c").exit_status == status
    assert issubclass(kind, PcisimError)


def test_what_python_programs_expect() -> None:
    assert issubclass(InputError, ValueError)
    assert issubclass(UsageError, ValueError)
    assert not issubclass(RefusedError, ValueError)
    assert issubclass(WrongTypeError, TypeError)
    assert issubclass(WrongTypeError, UsageError)


@pytest.mark.parametrize("kind", [PcisimError, RefusedError, UsageError, WrongTypeError, InputError])
def test_survives_a_journey_to_another_process(kind: type[PcisimError]) -> None:
    error = kind("headline", code="c", details=("one",), remedy="do", file="f", line=7, column=3, parties=("disk:vda",))
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert again.args == error.args
    assert vars(again) == vars(error)
    assert again.explanation() == error.explanation()
