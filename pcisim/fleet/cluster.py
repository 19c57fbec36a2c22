"""Work done by a cluster: Dask's scheduler hands it out, and again when a worker is lost.

Workers get paths and ranges of bytes, so that they have to see the same files under the same names.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from pcisim.errors import InputError
from pcisim.fleet.answers import Question
from pcisim.fleet.batch import Batch, work
from pcisim.fleet.extras import needed
from pcisim.fleet.rows import Row

CONNECT_SECONDS = 15
_AHEAD = 4
_LEAST_AHEAD = 16
"""How many batches are handed out at least, while workers still arrive."""


def cluster_rows(batches: Sequence[Batch], question: Question, scheduler: str) -> Iterator[list[Row]]:
    """Yield the rows of each batch, in order.

    Args:
        batches: where the guests are.
        question: what is asked of them.
        scheduler: the address of Dask's scheduler, such as ``tcp://10.0.0.1:8786``.

    Raises:
        UsageError: dask.distributed is not there.
        InputError: no scheduler answers there, it is lost, or a source cannot be read any more.
    """
    distributed = needed("distributed", "cluster", "--scheduler")
    try:
        client = distributed.Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(
            f"no Dask scheduler answers at {scheduler}",
            code="cannot-connect",
            details=(str(error).splitlines()[0],) if str(error) else (),
            remedy="start one with 'dask scheduler', and workers with 'dask worker ADDRESS'",
        ) from error
    try:
        yield from _in_order(distributed, client, batches, question)
    except (distributed.KilledWorker, distributed.CancelledError, OSError) as error:
        raise InputError(
            f"the cluster at {scheduler} gave up: {type(error).__name__}", code="worker-lost", details=(str(error),)
        ) from error
    finally:
        client.close()


def _in_order(distributed: Any, client: Any, batches: Sequence[Batch], question: Question) -> Iterator[list[Row]]:
    run = uuid.uuid4().hex[:8]
    waiting: list[Any] = []
    threads = sum(client.nthreads().values())
    ahead = max(_LEAST_AHEAD, threads * _AHEAD)
    for number, batch in enumerate(batches):
        waiting.append(client.submit(work, batch, question, key=f"pcisim-fleet-{run}-{number}", pure=False))
        if len(waiting) > ahead:
            yield waiting.pop(0).result()
    while waiting:
        yield waiting.pop(0).result()
