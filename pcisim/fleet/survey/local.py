"""Work done by processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait

from pcisim.errors import InputError, PcisimError
from pcisim.fleet.survey.answers import Question
from pcisim.fleet.survey.batch import Batch, reason, work
from pcisim.fleet.survey.rows import Row

MOST_LOSSES = 3
"""How often a batch may lose its worker before the run is given up."""
_AHEAD = 4
"""How many batches a worker is given in advance, and how many for each wait to be yielded in their turn."""
_END_SECONDS = 5.0
"""How long a worker that was killed may take to end."""


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def local_rows(batches: Sequence[Batch], question: Question, workers: int) -> Iterator[list[Row]]:
    """Yield the rows of each batch, in order.

    A worker that is lost is replaced, and what it had not delivered is done again.

    Args:
        batches: where the guests are.
        question: what is asked of them.
        workers: how many processes, no more than there are batches; with 1 the work is done in this one.

    Raises:
        InputError: a source cannot be read any more; a batch has lost one worker after the other; or no worker
            can be started.
    """
    workers = min(workers, len(batches))
    if workers <= 1:
        for batch in batches:
            yield work(batch, question)
        return
    pool = _Pool(batches, question)
    try:
        pool.start(workers)
        yield from pool.rows()
    finally:
        pool.end()


class _Worker:
    """A process, and the batches that it was given and has not delivered."""

    def __init__(self, process: multiprocessing.process.BaseProcess, connection: Connection) -> None:
        self.process = process
        self.connection = connection
        self.given: deque[int] = deque()


class _Pool:
    """Workers, each at the end of a connection of its own: of the one that closes, the worker is gone.

    Numbers of batches go to a worker, so few bytes that it is never waited for; numbers and rows come back.  There
    is no thread, which a full system could refuse, or which could wait for a worker that never began.
    """

    def __init__(self, batches: Sequence[Batch], question: Question) -> None:
        self._batches = batches
        self._question = question
        self._workers: list[_Worker] = []
        self._to_do: deque[int] = deque(range(len(batches)))
        self._losses: dict[int, int] = {}
        self._done = 0

    def start(self, count: int) -> None:
        """Start workers, all or none.

        Raises:
            InputError: one of them cannot be started (code ``worker-start``).
        """
        for number in range(count):
            try:
                self._start()
            except OSError as error:
                raise InputError(
                    f"cannot start worker {number + 1} of {count}: {reason(error)}",
                    code="worker-start",
                    details=("a limit of processes or of open files is reached",),
                    remedy="use fewer: --workers 1 does the work in one process; or see ulimit -n and ulimit -u",
                ) from error

    def rows(self) -> Iterator[list[Row]]:
        """Yield the rows of each batch, in order."""
        ready: dict[int, list[Row]] = {}
        while self._done < len(self._batches):
            self._hand_out()
            for connection in wait([worker.connection for worker in self._workers]):
                (worker,) = [one for one in self._workers if one.connection is connection]
                try:
                    number, answer = worker.connection.recv()
                except (EOFError, OSError):
                    self._replace(worker)
                    continue
                worker.given.remove(number)
                if isinstance(answer, Exception):
                    raise answer
                ready[number] = answer
            while self._done in ready:
                rows = ready.pop(self._done)
                self._done += 1
                yield rows

    def end(self) -> None:
        """End the workers, whatever they do."""
        for worker in self._workers:
            worker.connection.close()
            worker.process.kill()
        for worker in self._workers:
            worker.process.join(_END_SECONDS)
        self._workers = []

    def _start(self) -> None:
        ours, theirs = multiprocessing.Pipe()
        # what is inherited by a fork and stays open would hide from other workers that this process is gone
        inherited = multiprocessing.get_start_method() == "fork"
        open_here = [ours, *(worker.connection for worker in self._workers)] if inherited else []
        process = multiprocessing.Process(
            target=_serve, args=(self._batches, self._question, theirs, open_here), daemon=True
        )
        _interruptible(False)
        try:
            process.start()
            self._workers.append(_Worker(process, ours))
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            _interruptible(True)

    def _hand_out(self) -> None:
        """Give every worker what it may have in advance, the first batches first."""
        end = self._done + _AHEAD * len(self._workers)
        for _ in range(_AHEAD):
            for worker in self._workers:
                if self._to_do and self._to_do[0] < end and len(worker.given) < _AHEAD:
                    number = self._to_do.popleft()
                    worker.given.append(number)
                    with suppress(OSError):  # it is gone, which is noticed where it is listened to
                        worker.connection.send(number)

    def _replace(self, worker: _Worker) -> None:
        """Start another worker for one that is gone, or go on with the others.

        Raises:
            InputError: that happens to one batch again and again; or there is no other worker.
        """
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.join(_END_SECONDS)
        suspect = worker.given[0] if worker.given else self._done
        self._losses[suspect] = self._losses.get(suspect, 0) + 1
        self._to_do = deque(sorted((*worker.given, *self._to_do)))
        if self._losses[suspect] == MOST_LOSSES:
            raise InputError(
                "workers are lost again and again",
                code="worker-lost",
                details=(
                    f"after {self._done} of {len(self._batches)} batches; the system ends them when memory is short",
                ),
                remedy="--workers 1 does the work in one process",
            )
        try:
            self._start()
        except OSError as error:
            if not self._workers:
                raise InputError(
                    f"cannot start another worker: {reason(error)}",
                    code="worker-start",
                    remedy="--workers 1 does the work in one process",
                ) from error


def _serve(
    batches: Sequence[Batch], question: Question, connection: Connection, open_here: Sequence[Connection]
) -> None:
    """Answer with the rows of batches until nobody asks any more; this is what runs in a worker."""
    _begin()
    for other in open_here:
        other.close()
    with suppress(EOFError, OSError):
        while True:
            number = connection.recv()
            answer: list[Row] | Exception
            try:
                answer = work(batches[number], question)
            except PcisimError as error:
                answer = error
            except Exception as error:  # a defect, which is said where somebody can see it
                answer = RuntimeError(f"{type(error).__name__}: {error}")
            connection.send((number, answer))


def _begin() -> None:
    """Leave Ctrl-C to the process that gives the work, and do on other signals nothing that it would do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    _interruptible(True)


def _interruptible(can_be: bool) -> None:
    """Let Ctrl-C through or hold it back: a process that begins would complain of it before it knows better."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK if can_be else signal.SIG_BLOCK, {signal.SIGINT})
