"""Sweeps through Dask: real schedulers and workers in processes of their own, some of which are killed."""

from __future__ import annotations

import gc
import json
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from runs import history_of
from threadpoolctl import threadpool_info
from tiny import write_tiny

from copi_np import DataError, InputError
from copi_np.datasets import load_dataset
from copi_np.errors import StoppedError
from copi_np.experiments import sweep as sweep_room
from copi_np.experiments.campaign import grid, perform, run_folder
from copi_np.experiments.config import RunConfig
from copi_np.experiments.records import read_run
from copi_np.experiments.sweep import Source, run_task, sweep

EARLIER = set()
"""Processes that tests of other files have left to serve them, such as one that forks others."""


@pytest.fixture(autouse=True)
def only_own_processes():
    """What is left open is to be reported here, not in the tests of another file."""
    EARLIER.clear()
    EARLIER.update(children())
    yield
    gc.collect()


@pytest.fixture
def data(tmp_path):
    return load_dataset(write_tiny(tmp_path, n_train=600))


@pytest.fixture
def config(data):
    return RunConfig("copi-bp", data.name, (6, 5, 3), 3, 0.05, 0.05, batch_size=4, seed=3)


def content_of(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def children():
    """Processes that this one has started, but for the tracker that Python itself keeps until its end."""
    import psutil

    return [
        child
        for child in psutil.Process().children(recursive=True)
        if child not in EARLIER and "resource_tracker" not in " ".join(child.cmdline())
    ]


# ------------------------------------------------------------------------------------------- processes of its own


def test_a_sweep_comes_to_the_same_as_one_run_after_the_other(tmp_path, data):
    """Also where one of them diverges, which stops no other; and the second time there is nothing left to do.

    Meanwhile nothing listens to the network.
    """
    import psutil

    options = {"preset": "own-data", "dataset": data.name, "layers": "6,5,3", "batch_size": 4, "epochs": 2}
    configs, _ = grid(options, ["copi-fa", "bp"], [0, 1], lambda _: data, {"eta_W": [0.01, 1e30]})
    left, came, heard = [], [], set()

    def on_tick(n_epochs):
        left.append(n_epochs)
        processes = [psutil.Process(), *children()]
        listening = [c for p in processes for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        heard.update(c.laddr.ip for c in listening)

    outcomes = sweep(
        tmp_path / "sweep", configs, data, backend="numpy", n_workers=2, on_tick=on_tick, on_outcome=came.append
    )
    assert children() == []
    assert heard == {"127.0.0.1"}
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
    outcome = perform(tmp_path / "sweep", replace(config, epochs=n_epochs), data, "numpy")
    alone = perform(tmp_path / "alone", replace(config, epochs=n_epochs), data, "numpy")
    assert history_of(outcome.folder) == history_of(alone.folder)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_worker_that_replaces_a_dead_one_leaves_ctrl_c_to_us(tmp_path, config, data, monkeypatch):
    """A terminal sends the signal to workers too: they would die, and the run would go on once more."""
    monkeypatch.setattr(sweep_room, "TICK", 0.02)
    config = replace(config, epochs=24)
    folder = run_folder(tmp_path / "sweep", config, data)
    sent = []
    deadline = time.monotonic() + 60

    def on_tick(n_epochs):
        assert time.monotonic() < deadline  # Dask does not replace a worker that the signal has ended
        if n_epochs < 24 and not sent:
            sent.append(signal.SIGKILL)
        elif sent == [signal.SIGKILL] and "continued" in (folder / "run.json").read_text():
            sent.append(signal.SIGINT)
        else:
            return
        for child in children():
            child.send_signal(sent[-1])

    (outcome,) = sweep(tmp_path / "sweep", [config], data, backend="numpy", n_workers=1, on_tick=on_tick)
    assert sent == [signal.SIGKILL, signal.SIGINT]
    assert outcome.failure is None
    assert len(outcome.history) == 24
    assert len(read_run(folder).description["continued"]) == 1


# ------------------------------------------------------------------------------------------ an existing scheduler


class Cluster:
    """A scheduler and workers of Dask as processes of their own, without anything that would start them again."""

    def __init__(self, folder):
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.processes = []
        self.start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", self.file)
        self.wait_for(self.found_address)  # the file is there before it is whole
        self.address = self.found_address()[1]

    def found_address(self):
        return self.file.is_file() and re.search(r'"address": "(tcp://[^"]+)"', self.file.read_text())

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
    configs = [replace(config, seed=seed, epochs=24) for seed in range(2)]
    workers = [cluster.worker() for _ in range(2)]
    folder = run_folder(tmp_path / "sweep", configs[0], data)
    kill = KillOne(folder, workers)
    outcomes = sweep(tmp_path / "sweep", configs, data, backend="numpy", scheduler=cluster.address, on_tick=kill)
    assert kill.killed
    assert [outcome.failure for outcome in outcomes] == [None] * 2
    assert sum(worker.poll() is None for worker in workers) == 1
    (continued,) = read_run(folder).description["continued"]
    assert 1 <= continued["after_epoch"] < 24
    for outcome in outcomes:
        assert len(outcome.history) == 24
        assert history_of(outcome.folder) == history_of(perform(tmp_path / "alone", outcome.config, data).folder)


def test_relative_paths_mean_those_of_the_client_and_are_recorded_as_given(
    tmp_path, config, data, cluster, monkeypatch
):
    """The workers are in another folder; a command that has no workers finds the run again."""
    monkeypatch.chdir(tmp_path)
    cluster.worker()
    config, data = replace(config, dataset="tiny.npz"), load_dataset("tiny.npz")
    (outcome,) = sweep("sweep", [config], data, backend="numpy", scheduler=cluster.address)
    assert outcome.failure is None
    assert outcome.folder == tmp_path / run_folder("sweep", config, data)
    assert json.loads((outcome.folder / "run.json").read_text())["config"]["dataset"] == "tiny.npz"
    before = content_of(outcome.folder)
    assert perform("sweep", config, data, "numpy").history == outcome.history
    assert content_of(outcome.folder) == before


CLIENT = """
import sys
from copi_np.datasets import load_dataset
from copi_np.experiments.config import RunConfig
from copi_np.experiments.sweep import sweep

root, dataset, scheduler = sys.argv[1:]
config = RunConfig("copi-bp", dataset, (6, 5, 3), 100_000, 0.05, 0.05, batch_size=4, seed=3)
try:
    sweep(root, [config], load_dataset(dataset), backend="numpy", scheduler=scheduler)
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("victim", ["client", "scheduler"])
def test_workers_stop_where_nobody_waits_for_them(tmp_path, config, data, cluster, victim):
    """Also where nobody could tell them; and the user of a scheduler that is gone sees one line."""
    worker = cluster.worker()
    command = [sys.executable, "-c", CLIENT, str(tmp_path / "sweep"), data.name, cluster.address]
    client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    cluster.processes.append(client)
    folder = run_folder(tmp_path / "sweep", config, data)
    Cluster.wait_for(lambda: (folder / "history.jsonl").is_file() and read_run(folder).history)
    {"client": client, "scheduler": cluster.processes[0]}[victim].kill()
    told, noise = client.communicate(timeout=60)
    if victim == "scheduler":
        assert re.fullmatch("CopiError lost the Dask scheduler: finished epochs are recorded.*\n", told)
        assert noise == ""
        # at once: Dask itself leaves a task of a closing worker half a minute
        Cluster.wait_for(lambda: worker.poll() is not None, seconds=15)
    with FileLock(folder / ".lock", timeout=30):
        assert read_run(folder).history


def test_workers_that_stay_stop_with_the_sweep(tmp_path, config, data, cluster):
    cluster.worker()
    long = replace(config, epochs=100_000)
    with pytest.raises(StoppedError):
        sweep(tmp_path / "sweep", [long], data, backend="numpy", scheduler=cluster.address, on_tick=StopLater())
    folder = run_folder(tmp_path / "sweep", long, data)
    with FileLock(folder / ".lock", timeout=30):
        assert read_run(folder).history


def test_a_scheduler_without_workers_is_refused(tmp_path, config, data, cluster, monkeypatch):
    monkeypatch.setattr(sweep_room, "CONNECTION_TIMEOUT", 1)
    with pytest.raises(InputError, match=r"has no workers: start some with 'dask worker tcp://"):
        sweep(tmp_path / "sweep", [config], data, scheduler=cluster.address)
    assert not (tmp_path / "sweep").exists()


def test_workers_of_another_kind_are_refused_before_they_try(tmp_path, config, data, cluster, monkeypatch):
    monkeypatch.setattr(sweep_room, "CONNECTION_TIMEOUT", 30)
    cluster.worker()

    def refused(message):
        with pytest.raises(InputError, match=rf"^worker tcp://\S+ {message}"):
            sweep(tmp_path / "sweep", [config], data, scheduler=cluster.address)

    with monkeypatch.context() as patch:
        patch.setattr(sweep_room, "__version__", "0.0.1")
        refused(r"has copi-np .*: install version 0\.0\.1 there, as here")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "touch", lambda *_: None)  # what is written here does not appear there
        refused(r"does not see .*sweep: choose a folder that all workers share")
    with monkeypatch.context() as patch:
        patch.setattr(sweep_room, "_worker_problem", not_installed)
        refused(r"cannot use copi-np \(ModuleNotFoundError: no such module\): install version")
    with np.load(data.name) as arrays:
        np.savez(data.name, **{**arrays, "x_test": arrays["x_test"] + 1})
    refused(r"lacks the data: data set '.*tiny\.npz' on a worker differs from the one here: copy it there")
    Path(data.name).unlink()
    refused(r"lacks the data: .*tiny\.npz")
    assert not list((tmp_path / "sweep").iterdir())


def not_installed(*_):
    raise ModuleNotFoundError("no such module")


not_installed.__module__ = "__main__"  # so that it is sent by value: workers cannot import this file


def test_a_folder_that_cannot_be_is_an_error(tmp_path, config, data, cluster):
    cluster.worker()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match=r"cannot write .*file"):
        sweep(tmp_path / "file", [config], data, scheduler=cluster.address)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "tls://127.0.0.1:9", "nonsense", "tcp://", ""])
def test_a_scheduler_that_is_not_there_is_an_error(tmp_path, config, data, address, monkeypatch):
    monkeypatch.setattr(sweep_room, "CONNECTION_TIMEOUT", 1)
    with pytest.raises(InputError, match=r"there is no Dask scheduler at .*: start one with 'dask scheduler'"):
        sweep(tmp_path, [config], data, scheduler=address)


def test_a_server_that_is_no_scheduler_is_an_error(tmp_path, config, data, monkeypatch):
    """Such as one that waits for the client to speak; Dask's client would wait as well, for ever."""
    monkeypatch.setattr(sweep_room, "CONNECTION_TIMEOUT", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(InputError, match=f"there is no Dask scheduler at {address}"):
            sweep(tmp_path, [config], data, scheduler=address)


def test_without_dask_it_says_what_to_install(tmp_path, config, data, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=re.escape("pip install 'copi-np[sweep]'")):
        sweep(tmp_path, [config], data)


# ---------------------------------------------------------------------------------------------- a task by itself


@pytest.fixture
def task(tmp_path, config, data, monkeypatch):
    monkeypatch.setattr(sweep_room.StopWhenCancelled, "on_batch", lambda *_: None)  # there is no Dask here

    def call(root=tmp_path, fingerprint=data.fingerprint):
        return run_task(str(root), Source(data.name, None, fingerprint), "numpy", False, config)

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


def test_a_worker_that_nobody_checked_refuses_what_it_cannot_do(task, tmp_path):
    with pytest.raises(DataError, match="differs from the one here"):
        task(fingerprint="0" * 64)
    with pytest.raises(InputError, match=r"does not see .*elsewhere"):
        task(root=tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


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


def flaky(marker, what):
    """Fails as often as files in a folder can be taken away, in ways that nobody foresaw."""
    import os
    from pathlib import Path

    for path in Path(marker).iterdir():
        path.unlink()
        if what == "dies":
            os._exit(1)
        raise OSError("stale file handle")
    return "done"


@pytest.mark.parametrize(
    ("what", "n_failures", "failure"),
    [
        ("raises", 2, None),
        ("raises", 3, "OSError: stale file handle"),
        ("dies", 1, None),
        ("dies", 2, "2 workers died running it: check their logs, and whether memory ran out"),
    ],
)
def test_what_nobody_foresaw_is_tried_again(tmp_path, config, data, monkeypatch, what, n_failures, failure):
    import dask
    import distributed  # noqa: F401  (first: its defaults would go with the setting below)

    marker = tmp_path / "marker"
    marker.mkdir()
    for k in range(n_failures):
        (marker / str(k)).touch()
    monkeypatch.setattr(flaky, "__module__", "__main__")
    monkeypatch.setattr(sweep_room, "run_task", lambda *_: flaky(marker, what))
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}):
        (outcome,) = sweep(tmp_path / "sweep", [config], data, n_workers=1)
    assert outcome == "done" if failure is None else outcome.failure == failure
    assert not list(marker.iterdir())
