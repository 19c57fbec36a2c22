"""The same rows from every executor: processes of this machine, and a Dask cluster of two worker processes.

In the middle of a run either loses a worker, and still delivers every row exactly once.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from pcisim.errors import InputError, PcisimError, UsageError
from pcisim.fleet.survey import files, inventory, local
from pcisim.fleet.survey.answers import Question
from pcisim.fleet.survey.rows import Row
from pcisim.fleet.survey.run import rows_of, survey
from pcisim.fleet.survey.sources import batches
from tests.cli.running import is_tidy, process
from tests.fleet.fleets import archive, member, write_fleet

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0


class Executor(Protocol):
    """Two workers."""

    options: dict[str, Any]
    """What `rows_of` and `survey` are told."""

    def lose_one(self) -> None:
        """Kill a worker."""


class Processes:
    """Processes of this machine."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {"workers": 2}

    def lose_one(self) -> None:
        os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)


class Cluster:
    """A scheduler and its workers, each a process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workers: list[subprocess.Popen[bytes]] = []
        note = folder / "scheduler.json"
        options = ("--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0")
        self.scheduler = self._start("scheduler", *options, "--scheduler-file", str(note))
        until = time.monotonic() + START_SECONDS
        while not note.exists() or not note.read_text():
            assert time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.1)
        self.options = {"scheduler": json.loads(note.read_text())["address"]}

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *options]
        with open(self.folder / "log", "ab") as log:
            return subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)}
            )

    def ready(self) -> None:
        """Bring the workers to two, and wait until the scheduler knows them."""
        distributed = pytest.importorskip("distributed")
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < 2:
            options = ("--nthreads", "1", "--no-nanny", "--no-dashboard")
            self.workers.append(self._start("worker", self.options["scheduler"], *options))
        with distributed.Client(self.options["scheduler"], set_as_default=False) as client:
            client.wait_for_workers(2, timeout=START_SECONDS)

    def lose_one(self) -> None:
        self.workers[0].kill()
        self.workers[0].wait()

    def close(self) -> None:
        for one in (*self.workers, self.scheduler):
            one.kill()
            one.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    pytest.importorskip("distributed")
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()


@pytest.fixture(params=["processes", "cluster"])
def executor(request: pytest.FixtureRequest) -> Executor:
    if request.param == "processes":
        return Processes()
    made: Cluster = request.getfixturevalue("cluster")
    made.ready()
    return made


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "GUESTS", 10)
    monkeypatch.setattr(inventory, "_RANGE", 100)


def alone(*sources: str | Path) -> list[Row]:
    """Return the rows that one process gives."""
    return list(survey(sources, workers=1))


def test_every_kind_of_source(tmp_path: Path, executor: Executor) -> None:
    paths = write_fleet(tmp_path / "fleet", 105)
    table = tmp_path / "t.csv"
    table.write_text("name,machine,virtio-blk\n" + "".join(f"g{n},pc,{n % 40 - 1}\n" for n in range(100)))
    tar = archive(tmp_path / "a.tar", *(member(f"{n}.xml", Path(p).read_bytes()) for n, p in enumerate(paths[:30])))
    sources = (tmp_path / "fleet", table, tar, paths[0])
    rows = list(survey(sources, **executor.options))
    assert rows == alone(*sources)
    assert len(rows) == 105 + 100 + 30 + 1
    assert {row.fits for row in rows} == {True, False, None}


def test_order_of_rows_is_that_of_the_sources(tmp_path: Path, executor: Executor) -> None:
    paths = write_fleet(tmp_path, 64)
    assert [row.path for row in survey(tmp_path, **executor.options)] == paths


def test_relative_paths(tmp_path: Path, executor: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fleet(tmp_path / "fleet", 15)
    monkeypatch.chdir(tmp_path)
    rows = list(survey("fleet", **executor.options))
    assert rows == alone("fleet")
    assert rows[0].path == "fleet/0/00000-web.xml"
    assert rows[0].fits


def test_questions(tmp_path: Path, executor: Executor) -> None:
    write_fleet(tmp_path, 21)
    options: dict[str, Any] = {"libvirt": "9.0", "more": {"virtio-net": 2}}
    rows = list(survey(tmp_path, **options, **executor.options))
    assert rows == list(survey(tmp_path, **options, workers=1))
    assert rows != alone(tmp_path)
    assert {row.libvirt for row in rows} == {"9.0"}


def test_a_worker_is_lost(tmp_path: Path, executor: Executor) -> None:
    write_fleet(tmp_path, 1200)
    found = batches([str(tmp_path)])
    rows: list[Row] = []
    for number, some in enumerate(rows_of(found, Question(), **executor.options)):
        rows += some
        if number == 20:
            executor.lose_one()
    assert len({row.path for row in rows}) == len(rows) == 1200
    assert rows == alone(tmp_path)


def test_a_source_that_goes_away(tmp_path: Path, executor: Executor) -> None:
    data = Path(write_fleet(tmp_path, 1)[0]).read_bytes()
    tar = archive(tmp_path / "a.tar", *(member(f"{n}.xml", data) for n in range(500)))
    found = batches([tar])
    os.unlink(tar)
    with pytest.raises(InputError) as caught:
        list(rows_of(found, Question(), **executor.options))
    assert caught.value.code == "cannot-read"
    assert caught.value.headline == f"cannot read {tar}: no such file or directory"


def test_stopping_early(tmp_path: Path, executor: Executor) -> None:
    write_fleet(tmp_path, 300)
    rows = survey(tmp_path, **executor.options)
    first = next(rows)
    rows.close()  # type: ignore[attr-defined]
    assert first == alone(first.path)[0]


def test_workers_are_lost_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fleet(tmp_path, 30)
    monkeypatch.setattr(local, "_begin", lambda: os._exit(1))
    with pytest.raises(InputError) as caught:
        list(survey(tmp_path, workers=2))
    assert (caught.value.code, caught.value.exit_status) == ("worker-lost", 3)


def test_no_process_stays_behind(tmp_path: Path) -> None:
    write_fleet(tmp_path, 30)
    assert len(list(survey(tmp_path, workers=2))) == 30
    until = time.monotonic() + 10
    while multiprocessing.active_children():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize("workers", [0, -1, True, 1.5])
def test_numbers_of_workers(tmp_path: Path, workers: Any) -> None:
    write_fleet(tmp_path, 1)
    with pytest.raises(UsageError):
        list(survey(tmp_path, workers=workers))


def test_a_scheduler_has_workers_of_its_own(tmp_path: Path) -> None:
    write_fleet(tmp_path, 1)
    with pytest.raises(UsageError):
        list(survey(tmp_path, workers=2, scheduler="tcp://127.0.0.1:1"))


@pytest.mark.parametrize("address", ["", "nonsense", "foo://bar:1", "tcp://127.0.0.1:1"])
def test_no_scheduler(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    from pcisim.fleet.survey import cluster

    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    write_fleet(tmp_path, 1)
    with pytest.raises(InputError) as caught:
        list(survey(tmp_path, scheduler=address))
    assert (caught.value.code, caught.value.exit_status) == ("cannot-connect", 3)


@pytest.fixture
def listener() -> Iterator[str]:
    """Give the address of somebody who takes calls and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


def test_a_listener_that_says_nothing(tmp_path: Path, listener: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    from pcisim.fleet.survey import cluster

    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    write_fleet(tmp_path, 1)
    begin = time.monotonic()
    with pytest.raises(InputError) as caught:
        list(survey(tmp_path, scheduler=listener))
    assert caught.value.code == "cannot-connect"
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize("address", ["tls://127.0.0.1:1", "ucx://127.0.0.1:1", "inproc://x"])
def test_transports_that_are_not_set_up(tmp_path: Path, address: str) -> None:
    """There is the headline, and nothing of what Dask thinks of it."""
    pytest.importorskip("distributed")
    write_fleet(tmp_path, 1)
    done = process(["fleet", str(tmp_path), "--scheduler", address])
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.startswith(f"no Dask scheduler with workers answers at {address}\n".encode())
    assert is_tidy(done.stderr.decode())


@pytest.mark.parametrize("how", ["workers", "scheduler", "silence"])
def test_a_cluster_that_goes_away(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All workers are killed, the scheduler is, or it stops to answer: the run ends after the time that is said."""
    pytest.importorskip("distributed")
    from pcisim.fleet.survey import cluster as module

    monkeypatch.setattr(module, "LOST_SECONDS", 1.0)
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.2)
    monkeypatch.setattr(module, "_ANSWER_SECONDS", 0.5)
    write_fleet(tmp_path / "fleet", 1200)
    cluster = Cluster(tmp_path)
    try:
        cluster.ready()
        rows = rows_of(batches([str(tmp_path / "fleet")]), Question(), **cluster.options)
        next(rows)
        if how == "workers":
            for worker in cluster.workers:
                worker.kill()
                worker.wait()
        elif how == "scheduler":
            cluster.scheduler.kill()
        else:
            cluster.scheduler.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        with pytest.raises(InputError) as caught:
            list(rows)
        assert caught.value.code == "cluster-failed"
        assert time.monotonic() - begin < 15
    finally:
        cluster.close()


def test_without_distributed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    write_fleet(tmp_path, 1)
    with pytest.raises(PcisimError) as caught:
        list(survey(tmp_path, scheduler="tcp://127.0.0.1:1"))
    assert (caught.value.code, caught.value.remedy) == ("missing-library", "pip install 'pcisim[cluster]'")
