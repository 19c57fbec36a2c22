"""Work done by a cluster: Dask's scheduler hands it out, and again when a worker is lost.

Workers get paths and ranges of bytes, so that they have to see the same files under the same names.
"""

from __future__ import annotations

import asyncio
import time
import uuid
import warnings
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from pcisim.errors import InputError, PcisimError
from pcisim.fleet.survey.answers import Question
from pcisim.fleet.survey.batch import Batch, work
from pcisim.fleet.survey.extras import needed
from pcisim.fleet.survey.rows import Row

CONNECT_SECONDS = 15.0
"""How long a scheduler may take to answer, and then its first worker to be there."""
LOST_SECONDS = 60.0
"""How long a run waits without any worker, or for a scheduler that has fallen silent."""
_POLL_SECONDS = 2.0
_ANSWER_SECONDS = 10.0
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
        InputError: no scheduler answers there, it or all workers are lost, or a source cannot be read any more.
    """
    distributed = needed("distributed", "cluster", "--scheduler")
    client = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of transports that are not there any more
            # a client that gets no answer waits for ever, and complains once more at its end
            _run(asyncio.wait_for(_answers(distributed, scheduler), CONNECT_SECONDS + 1))
            client = distributed.Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except Exception as error:  # each transport has its own
        if client is not None:
            _close(client)
        text = str(error).replace("\\n", "\n").strip()
        raise InputError(
            f"no Dask scheduler with workers answers at {scheduler}",
            code="cannot-connect",
            details=(text.splitlines()[0],) if text else (f"within {CONNECT_SECONDS:g} seconds",),
            remedy="start one with 'dask scheduler', and workers with 'dask worker ADDRESS'",
        ) from error
    try:
        yield from _in_order(client, batches, question, scheduler)
    except PcisimError:
        raise
    except ImportError as error:
        raise _failed(scheduler, error, "its workers need the same pcisim as this machine") from error
    except (distributed.KilledWorker, distributed.CancelledError, OSError, RuntimeError) as error:
        raise _failed(scheduler, error, "the logs of its scheduler and workers say more") from error
    finally:
        _close(client)


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run it to its end, in a notebook too, where a loop runs already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(coroutine)
        return
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, coroutine).result()


async def _answers(distributed: Any, scheduler: str) -> None:
    """Return when a scheduler has said who it is."""
    arguments = distributed.Security().get_connection_args("client")
    remote = distributed.core.rpc(scheduler, connection_args=arguments, timeout=CONNECT_SECONDS)
    try:
        who = await remote.identity()
        if who.get("type") != "Scheduler":
            raise ValueError(f"a {who.get('type', 'program of another kind')} answers there")
    finally:
        await remote.close_rpc()


def _close(client: Any) -> None:
    """Leave a cluster, however it is."""
    with suppress(Exception):
        client.close(timeout=_POLL_SECONDS)
    client.status = "closed"  # or it would try again at the end of the process


def _failed(scheduler: str, error: Exception, remedy: str) -> InputError:
    lines = [line for line in str(error).splitlines() if line]
    return InputError(
        f"the cluster at {scheduler} cannot do it: {type(error).__name__}",
        code="cluster-failed",
        details=tuple(lines[:3]),
        remedy=remedy,
    )


def _in_order(client: Any, batches: Sequence[Batch], question: Question, scheduler: str) -> Iterator[list[Row]]:
    run = uuid.uuid4().hex[:8]
    waiting: list[Any] = []
    threads = sum(client.nthreads().values())
    ahead = max(_LEAST_AHEAD, threads * _AHEAD)
    for number, batch in enumerate(batches):
        waiting.append(client.submit(work, batch, question, key=f"pcisim-fleet-{run}-{number}", pure=False))
        if len(waiting) > ahead:
            yield _result(client, waiting.pop(0), scheduler)
    while waiting:
        yield _result(client, waiting.pop(0), scheduler)


def _result(client: Any, future: Any, scheduler: str) -> list[Row]:
    """Return the rows of a batch, as long as there is somebody to work.

    Raises:
        InputError: no worker was there for `LOST_SECONDS`, or the scheduler did not answer.
    """
    since = time.monotonic()
    while True:
        try:
            rows: list[Row] = future.result(timeout=_POLL_SECONDS)
            return rows
        except TimeoutError:
            if _has_workers(client):
                since = time.monotonic()
            elif time.monotonic() - since >= LOST_SECONDS:
                raise InputError(
                    f"the cluster at {scheduler} has had no workers for {LOST_SECONDS:g} seconds, or does not answer",
                    code="cluster-failed",
                    remedy="start workers with 'dask worker ADDRESS', and begin again",
                ) from None


def _has_workers(client: Any) -> bool:
    """Return whether the scheduler says within `_ANSWER_SECONDS` that it has workers."""
    try:
        return bool(client.sync(client.scheduler.ncores, workers=None, callback_timeout=_ANSWER_SECONDS))
    except (OSError, RuntimeError):
        return False
