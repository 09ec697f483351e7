"""Sweeps through Dask: real schedulers and workers in processes of their own, some of which are killed."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from threadpoolctl import threadpool_info
from tiny import write_tiny

from copi_np import BackendError, InputError
from copi_np.datasets import load_dataset
from copi_np.errors import StoppedError
from copi_np.experiments import sweep as sweep_room
from copi_np.experiments.campaign import grid, perform, run_folder
from copi_np.experiments.config import RunConfig
from copi_np.experiments.records import read_run
from copi_np.experiments.sweep import run_task, sweep

SECONDS = re.compile('"seconds": [0-9.e+-]+')
# distributed leaves sockets and loops to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def data(tmp_path):
    return load_dataset(write_tiny(tmp_path, n_train=600))


@pytest.fixture
def config(data):
    return RunConfig("copi-bp", data.name, (6, 5, 3), 3, 0.05, 0.05, batch_size=4, seed=3)


def history_of(folder):
    return SECONDS.sub("", (folder / "history.jsonl").read_text())


def content_of(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def children():
    """Processes that this one has started, but for the tracker that Python itself keeps until its end."""
    import psutil

    found = {child: " ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)}
    return [command for command in found.values() if "resource_tracker" not in command]


# ------------------------------------------------------------------------------------------- processes of its own


def test_a_sweep_comes_to_the_same_as_one_run_after_the_other(tmp_path, data):
    """Also where one of them diverges, which stops no other; and the second time there is nothing left to do."""
    options = {"preset": "own-data", "dataset": data.name, "layers": "6,5,3", "batch_size": 4, "epochs": 2}
    configs, _ = grid(options, ["copi-fa", "bp"], [0, 1], lambda _: data, {"eta_W": [0.01, 1e30]})
    left, came = [], []
    outcomes = sweep(
        tmp_path / "sweep", configs, data, backend="numpy", n_workers=2, on_tick=left.append, on_outcome=came.append
    )
    assert children() == []
    assert [outcome.config for outcome in outcomes] == configs
    assert sorted(map(id, came)) == sorted(map(id, outcomes))
    assert (left[0], left[-1]) == (2 * len(configs), 0)
    assert left == sorted(left, reverse=True)
    for outcome in outcomes:
        alone = perform(tmp_path / "alone", outcome.config, data, "numpy")
        assert (outcome.failure is None) == (outcome.config.eta_W == 0.01)
        assert outcome.failure == alone.failure
        assert history_of(outcome.folder) == history_of(alone.folder)

    before = {path: content_of(path) for path in (tmp_path / "sweep" / "runs").iterdir()}
    good = [config for config in configs if config.eta_W == 0.01]
    again = sweep(tmp_path / "sweep", good, data, backend="numpy", n_workers=1)
    assert [outcome.failure for outcome in again] == [None] * len(good)
    for config in good:
        folder = run_folder(tmp_path / "sweep", config, data)
        assert content_of(folder) == before[folder]


class StopLater:
    """Stops a sweep as soon as an epoch is on record."""

    def __init__(self):
        self.first = None

    def __call__(self, n_epochs):
        self.first = n_epochs if self.first is None else self.first
        if n_epochs < self.first:
            raise StoppedError(signal.SIGTERM)


def test_a_stopped_sweep_leaves_whole_records_and_no_process(tmp_path, config, data):
    long = replace(config, epochs=100_000)
    with pytest.raises(StoppedError):
        sweep(tmp_path / "sweep", [long], data, backend="numpy", n_workers=1, on_tick=StopLater())
    assert children() == []
    run = read_run(run_folder(tmp_path / "sweep", long, data))
    assert run.history
    n_epochs = len(run.history) + 2
    (outcome,) = sweep(tmp_path / "sweep", [replace(config, epochs=n_epochs)], data, backend="numpy", n_workers=1)
    alone = perform(tmp_path / "alone", replace(config, epochs=n_epochs), data, "numpy")
    assert history_of(outcome.folder) == history_of(alone.folder)


# ------------------------------------------------------------------------------------------ an existing scheduler


class Cluster:
    """A scheduler and workers of Dask as processes of their own, without anything that would start them again."""

    def __init__(self, folder):
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.processes = []
        self.start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", self.file)
        self.wait_for(self.file.is_file)
        self.address = re.search(r'"address": "(tcp://[^"]+)"', self.file.read_text())[1]

    def start(self, what, *arguments):
        log = (self.folder / f"{what}.log").open("ab")
        command = [sys.executable, "-m", "distributed.cli.dask_" + what, *map(str, arguments), "--no-dashboard"]
        self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder))
        log.close()
        return self.processes[-1]

    def worker(self, *arguments):
        return self.start("worker", self.address, "--no-nanny", "--nthreads", "1", *arguments)

    @staticmethod
    def wait_for(condition, seconds=60):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path):
    folder = tmp_path / "cluster"
    folder.mkdir()
    found = Cluster(folder)
    yield found
    found.close()


class KillOne:
    """Kills the process that has a run in hand, once that run has an epoch on record and another to go."""

    def __init__(self, folder, workers):
        self.folder, self.workers, self.killed = folder, workers, False

    def __call__(self, n_epochs):
        history = self.folder / "history.jsonl"
        if self.killed or not history.is_file() or history.read_bytes().count(b"\n") < 1:
            return
        holder = {int(pid) for pid in self.locks()} & {worker.pid for worker in self.workers}
        for pid in holder:
            next(worker for worker in self.workers if worker.pid == pid).send_signal(signal.SIGKILL)
            self.killed = True

    def locks(self):
        """Processes that hold the lock of this run open."""
        import psutil

        for worker in self.workers:
            with suppress(psutil.Error):
                if any(file.path == str(self.folder / ".lock") for file in psutil.Process(worker.pid).open_files()):
                    yield worker.pid


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_run_whose_worker_is_killed_goes_on_from_its_last_epoch(tmp_path, config, data, cluster, monkeypatch):
    monkeypatch.setattr(sweep_room, "TICK", 0.02)
    configs = [replace(config, seed=seed, epochs=80) for seed in range(3)]
    workers = [cluster.worker() for _ in range(2)]
    folder = run_folder(tmp_path / "sweep", configs[0], data)
    kill = KillOne(folder, workers)
    outcomes = sweep(tmp_path / "sweep", configs, data, backend="numpy", scheduler=cluster.address, on_tick=kill)
    assert kill.killed
    assert [outcome.failure for outcome in outcomes] == [None] * 3
    assert sum(worker.poll() is None for worker in workers) == 1
    (continued,) = read_run(folder).description["continued"]
    assert 1 <= continued["after_epoch"] < 80
    for outcome in outcomes:
        assert len(outcome.history) == 80
        assert history_of(outcome.folder) == history_of(perform(tmp_path / "alone", outcome.config, data).folder)


def test_workers_that_stay_stop_with_the_sweep(tmp_path, config, data, cluster):
    cluster.worker()
    long = replace(config, epochs=100_000)
    with pytest.raises(StoppedError):
        sweep(tmp_path / "sweep", [long], data, backend="numpy", scheduler=cluster.address, on_tick=StopLater())
    folder = run_folder(tmp_path / "sweep", long, data)
    short = replace(config, epochs=len(read_run(folder).history) + 2000)

    def at_rest():
        before = history_of(folder)
        time.sleep(0.5)
        return history_of(folder) == before

    Cluster.wait_for(at_rest)
    assert len(read_run(folder).history) < short.epochs


def test_a_scheduler_without_workers_and_workers_of_another_kind_are_refused(
    tmp_path, config, data, cluster, monkeypatch
):
    monkeypatch.setattr(sweep_room, "CONNECTION_TIMEOUT", 1)
    with pytest.raises(InputError, match=r"has no workers: start some with 'dask worker tcp://"):
        sweep(tmp_path / "sweep", [config], data, scheduler=cluster.address)
    monkeypatch.setattr(sweep_room, "CONNECTION_TIMEOUT", 30)
    cluster.worker()
    monkeypatch.setattr(sweep_room, "__version__", "0.0.1")
    with pytest.raises(BackendError, match=r"worker tcp://.* has copi-np .*: install version 0\.0\.1 there"):
        sweep(tmp_path / "sweep", [config], data, scheduler=cluster.address)
    monkeypatch.undo()
    monkeypatch.setattr(sweep_room, "_look", blind)
    with pytest.raises(InputError, match=r"does not see .*: choose a folder that all workers share"):
        sweep(tmp_path / "sweep", [config], data, scheduler=cluster.address)
    assert not list((tmp_path / "sweep").iterdir())


def blind(probe):
    from copi_np import __version__

    return __version__, False


blind.__module__ = "__main__"  # so that it is sent by value: workers cannot import this file


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "tcp://"])
def test_a_scheduler_that_is_not_there_is_an_error(tmp_path, config, data, address, monkeypatch):
    monkeypatch.setattr(sweep_room, "CONNECTION_TIMEOUT", 1)
    with pytest.raises(InputError, match="there is no Dask scheduler at"):
        sweep(tmp_path, [config], data, scheduler=address)


def test_without_dask_it_says_what_to_install(tmp_path, config, data, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=re.escape("pip install 'copi-np[sweep]'")):
        sweep(tmp_path, [config], data)


# ---------------------------------------------------------------------------------------------- a task by itself


@pytest.fixture
def task(tmp_path, config, data, monkeypatch):
    monkeypatch.setattr(sweep_room.StopSwitch, "on_epoch", lambda *_: None)  # there is no Dask here

    def call(fingerprint=data.fingerprint):
        return run_task(str(tmp_path), data.name, None, fingerprint, "numpy", False, "switch", config)

    return call


def test_a_task_computes_with_one_thread_of_blas(task, monkeypatch):
    from threadpoolctl import threadpool_limits

    seen = []

    def watch(*arguments, **options):
        seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return perform(*arguments, **options)

    monkeypatch.setattr(sweep_room, "perform", watch)
    with threadpool_limits(2, user_api="blas"):
        assert task().failure is None
    assert set(seen) == {1}


def test_a_task_refuses_other_data(task):
    with pytest.raises(Exception, match="on this worker are others"):
        task("0" * 64)


def test_a_task_waits_for_a_run_in_use(task, tmp_path, config, data, monkeypatch):
    """As of a worker that lost its connection, and was given up, but is still at work."""
    first = [True]

    def busy(*arguments, **options):
        outcome = perform(*arguments, **options)
        return outcome._replace(failure="busy", in_use=True) if first and first.pop() else outcome

    monkeypatch.setattr(sweep_room, "perform", busy)
    monkeypatch.setattr(sweep_room, "TICK", 0.01)
    assert task().failure is None
    monkeypatch.setattr(sweep_room, "PATIENCE", -1)
    first.append(True)
    assert task().in_use


def flaky(marker, *_):
    """Fails as often as files in a folder can be taken away, in ways that nobody foresaw."""
    from pathlib import Path

    for path in Path(marker).iterdir():
        path.unlink()
        raise OSError("stale file handle")
    return "done"


@pytest.mark.parametrize(("n_failures", "failure"), [(2, None), (3, "OSError: stale file handle")])
def test_errors_that_nobody_foresaw_are_tried_again(tmp_path, config, data, monkeypatch, n_failures, failure):
    marker = tmp_path / "marker"
    marker.mkdir()
    for k in range(n_failures):
        (marker / str(k)).touch()
    monkeypatch.setattr(flaky, "__module__", "__main__")
    monkeypatch.setattr(sweep_room, "run_task", lambda *_: flaky(marker))
    outcomes = sweep(tmp_path / "sweep", [config], data, n_workers=1)
    if failure is None:
        assert outcomes == ["done"]
    else:
        assert outcomes[0].failure == failure
    assert not list(marker.iterdir())
