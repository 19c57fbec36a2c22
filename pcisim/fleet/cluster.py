"""Work done by a cluster: Dask's scheduler hands it out, and again when a worker is lost.

Workers get paths and ranges of bytes, so that they have to see the same files under the same names.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from pcisim.errors import InputError, PcisimError
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
    client = None
    try:
        distributed.comm.resolve_address(scheduler)  # a client that takes no address complains once more at its end
        client = distributed.Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        if client is not None:
            client.close()
        raise InputError(
            f"no Dask scheduler with workers answers at {scheduler}",
            code="cannot-connect",
            details=(str(error).splitlines()[0],) if str(error) else (),
            remedy="start one with 'dask scheduler', and workers with 'dask worker ADDRESS'",
        ) from error
    try:
        yield from _in_order(distributed, client, batches, question)
    except PcisimError:
        raise
    except ImportError as error:
        raise _failed(scheduler, error, "its workers need the same pcisim as this machine") from error
    except (distributed.KilledWorker, distributed.CancelledError, OSError, RuntimeError) as error:
        raise _failed(scheduler, error, "the logs of its scheduler and workers say more") from error
    finally:
        client.close()


def _failed(scheduler: str, error: Exception, remedy: str) -> InputError:
    lines = [line for line in str(error).splitlines() if line]
    return InputError(
        f"the cluster at {scheduler} cannot do it: {type(error).__name__}",
        code="cluster-failed",
        details=tuple(lines[:3]),
        remedy=remedy,
    )


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
