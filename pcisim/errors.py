"""What can go wrong, as data first and text second.

Every refusal of pcisim is a `PcisimError`.  The headline carries the words that
libvirt's users search for; the details say who else is involved and what to do.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class PcisimError(Exception):
    """A refusal: what, where, by which rule, who else is involved, what to do.

    Args:
        headline: one line that a human understands.
        code: a stable word such as ``slot-occupied``; see `docs/errors.md`.
        details: further lines, shown indented below the headline.
        remedy: what to do about it, or ``""``.
        file: the name of the document, or ``None``.
        line: 1-based line in it, or ``None``.
        column: 1-based column, or ``None``.
        parties: labels of everything involved, the one refused first.

    As text it begins with ``file:line:``, or with ``line 15:`` where there is no file, as far as that is known.

    Examples:
        >>> import pcisim
        >>> try:
        ...     pcisim.assign("<domain><os><type>hvm</type></os>\\n\\n<devices><disk/></devices></domain>")
        ... except pcisim.PcisimError as error:
        ...     print(error, error.code, error.parties)
        line 3: missing target information for device no-target ('disk:0',)
    """

    exit_status = 1

    def __init__(
        self,
        headline: str,
        *,
        code: str,
        details: tuple[str, ...] = (),
        remedy: str = "",
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        parties: tuple[str, ...] = (),
    ) -> None:
        super().__init__(headline)
        self.headline = headline
        self.code = code
        self.details = details
        self.remedy = remedy
        self.file = file
        self.line = line
        self.column = column
        self.parties = parties

    @property
    def where(self) -> str:
        """Return ``file:line``, as much of it as is known, or ``""``."""
        return ":".join(str(part) for part in (self.file, self.line) if part is not None)

    def __reduce__(self) -> tuple[object, ...]:
        return _made, (type(self), self.args), self.__dict__

    def __str__(self) -> str:
        if self.file is None and self.line is not None:
            return f"line {self.line}: {self.headline}"
        return f"{self.where}: {self.headline}" if self.where else self.headline

    def explanation(self) -> list[str]:
        """Return the lines to print: the headline, then the indented rest."""
        lines = [str(self), *(f"  {detail}" for detail in self.details)]
        if self.remedy:
            lines.append(f"  to do: {self.remedy}")
        return lines


def _made(kind: type[PcisimError], args: tuple[object, ...]) -> PcisimError:
    """Return an error without its data, as pickle wants it: what was raised in a worker arrives as it was."""
    return kind.__new__(kind, *args)


class RefusedError(PcisimError):
    """Well-formed, but refused, unsound or without room (exit status 1)."""


class NotCoveredError(RefusedError):
    """Nothing that pcisim knows the rules of: neither a yes nor a no (exit status 4)."""

    exit_status = 4


def counted(number: int, what: str, many: str = "") -> str:
    """Return a number with what is counted, in the singular or in the plural.

    Args:
        number: how many there are.
        what: one of them, in words.
        many: several of them, where that is not `what` with an s.
    """
    return f"{number} {what if number == 1 else many or what + 's'}"


def did_you_mean(word: str, known: Iterable[str], most: int = 3, *, join: str = ", ", cutoff: float = 0.6) -> str:
    """Return the question whether another word was meant; "" where none is near.

    Args:
        word: what was written.
        known: the words that there are.
        most: how many are offered.
        join: what stands between them.
        cutoff: how near they are at least, from 0 to 1.
    """
    from difflib import get_close_matches

    near = get_close_matches(word[:60], [*known], most, cutoff)
    return f"did you mean {join.join(near)}?" if near else ""


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return ascending numbers as inclusive ranges."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return found


def ranged(numbers: Iterable[int]) -> str:
    """Return ascending numbers in words: ``1-3,5``."""
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs(numbers))


NOT_COVERED_CODES = frozenset({"unknown-architecture", "machine-not-covered"})
"""The codes of `NotCoveredError`."""


class UsageError(PcisimError, ValueError):
    """A wrong call: an unknown option, device name or policy (exit status 2)."""

    exit_status = 2


class WrongTypeError(UsageError, TypeError):
    """A wrong call: an argument of a type that it cannot have (exit status 2)."""


def check_type(value: object, kinds: type | tuple[type, ...], what: str) -> None:
    """Refuse an argument that somebody wrote for another one.

    Args:
        value: the argument.
        kinds: the types that it may have.
        what: what it is, for people, with the names of the types: ``a machine type is a str``.

    Raises:
        WrongTypeError: it has another type.
    """
    if not isinstance(value, kinds):
        raise WrongTypeError(f"{what}, not {type(value).__name__}", code="wrong-type")


class InputError(PcisimError, ValueError):
    """Cannot be read, parsed or written, or out of syntax or range (exit status 3)."""

    exit_status = 3
