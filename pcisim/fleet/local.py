"""Work done by processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from pcisim.errors import InputError
from pcisim.fleet.answers import Question
from pcisim.fleet.batch import Batch, work
from pcisim.fleet.rows import Row

MOST_LOSSES = 3
"""How often a batch may lose its worker before the run is given up."""
_AHEAD = 4
"""How many batches a worker is given in advance."""


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def local_rows(batches: Sequence[Batch], question: Question, workers: int) -> Iterator[list[Row]]:
    """Yield the rows of each batch, in order.

    A worker that is lost is replaced, and what it had not delivered is done again.

    Args:
        batches: where the guests are.
        question: what is asked of them.
        workers: how many processes; with 1 the work is done in this one.

    Raises:
        InputError: a source cannot be read any more; or a batch has lost one worker after the other.
    """
    if workers == 1 or len(batches) == 1:
        for batch in batches:
            yield work(batch, question)
        return
    done = losses = 0
    while done < len(batches):
        before = done
        pool = ProcessPoolExecutor(workers, initializer=_begin)
        try:
            for rows in _in_order(pool, batches[done:], question, workers * _AHEAD):
                yield rows
                done += 1
        except BrokenProcessPool as error:
            losses = losses + 1 if done == before else 0
            if losses == MOST_LOSSES:
                raise InputError(
                    "workers are lost again and again",
                    code="worker-lost",
                    details=(f"after {done} of {len(batches)} batches; the system ends them when memory is short",),
                    remedy="--workers 1 does the work in one process",
                ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor, batches: Sequence[Batch], question: Question, ahead: int
) -> Iterator[list[Row]]:
    waiting: list[Future[list[Row]]] = []
    for batch in batches:
        waiting.append(pool.submit(work, batch, question))
        if len(waiting) > ahead:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


def _begin() -> None:
    """Leave Ctrl-C to the process that gives the work, and end when it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
