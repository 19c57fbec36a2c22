"""Ask one question of every guest of a fleet."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pcisim.catalogue.versions import DEFAULT_VERSION
from pcisim.errors import UsageError
from pcisim.fleet.survey.answers import Question
from pcisim.fleet.survey.batch import Batch
from pcisim.fleet.survey.rows import Row
from pcisim.fleet.survey.sources import batches as find

Source = str | os.PathLike[str]


def survey(
    sources: Source | Iterable[Source],
    *,
    libvirt: str = DEFAULT_VERSION,
    policy: str = "libvirt",
    more: Mapping[str, int] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
) -> Iterator[Row]:
    """Yield a row for every guest, in the order of the sources, however many workers there are.

    Args:
        sources: directories, files of domain XML, tar archives, inventories (``.csv``, ``.parquet``).
        libvirt: the libvirt version to emulate, from ``7.0`` on.
        policy: how to place.
        more: what every guest is to get beside what it has, as for `Guest.of`.
        workers: how many processes, from 1; by default one for each processor.
        scheduler: the address of a Dask scheduler, whose workers are to do it instead.

    Raises:
        InputError: a source cannot be read, or no scheduler answers.
        UsageError: a wrong call; or a library is missing.
    """
    question = Question(libvirt, policy, tuple(sorted((more or {}).items()))).checked()
    one = isinstance(sources, str | os.PathLike)
    found = find([sources] if one else list(sources))  # type: ignore[list-item, arg-type]
    for rows in rows_of(found, question, workers=workers, scheduler=scheduler):
        yield from rows


def rows_of(
    batches: Sequence[Batch], question: Question, *, workers: int | None = None, scheduler: str | None = None
) -> Iterator[list[Row]]:
    """Yield the rows of each batch, in order.

    Args:
        batches: where the guests are.
        question: what is asked of them.
        workers: as for `survey`.
        scheduler: as for `survey`.

    Raises:
        InputError: as for `survey`.
        UsageError: as for `survey`.
    """
    if scheduler is not None:
        if workers is not None:
            raise UsageError("a scheduler has workers of its own", code="usage", remedy="leave --workers out")
        from pcisim.fleet.survey.cluster import cluster_rows

        return cluster_rows(batches, question, scheduler)
    from pcisim.fleet.survey.local import local_rows, processors

    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
        raise UsageError(f"the number of workers must be a positive integer, not {workers!r}", code="usage")
    return local_rows(batches, question, workers or processors())
