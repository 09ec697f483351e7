"""Carry out many runs on many processes or machines, through Dask.

Every run is a task. Its records are in a folder that all workers can see, so if a worker dies, another one resumes
the task after its last recorded epoch.
"""

from __future__ import annotations

import asyncio
import signal
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache, partial
from logging import CRITICAL, getLogger
from pathlib import Path
from typing import Any, Final, NamedTuple

from copi_np import __version__
from copi_np.callbacks import Callback
from copi_np.datasets import Dataset, load_dataset
from copi_np.errors import CopiError, DataError, InputError, StoppedError, explain_os_errors, one_line
from copi_np.experiments.campaign import Outcome, epochs_left, perform, run_folder
from copi_np.experiments.config import RunConfig
from copi_np.experiments.environment import n_cores
from copi_np.experiments.main_guard import check_main_guard
from copi_np.experiments.own_parts import with_folder
from copi_np.storage.atomic import followed
from copi_np.storage.untrusted import expand_home

RETRIES: Final = 2
"""How often a task is retried after an error from outside this package, such as one of the file system."""
PATIENCE: Final = 60.0
"""Seconds that a task waits for a locked run: Dask may have given up on a worker that is alive and holds the lock."""
CONNECTION_TIMEOUT: Final = 10
"""Seconds to wait for a scheduler, and for its first worker."""
TICK: Final = 0.5
"""Seconds between two checks of the records."""


def sweep(
    root: str | Path,
    configs: Sequence[RunConfig],
    data: Dataset,
    *,
    data_dir: str | Path | None = None,
    backend: str = "auto",
    diagnostics: bool = False,
    scheduler: str | None = None,
    n_workers: int | None = None,
    on_tick: Callable[[int], None] = lambda n_epochs: None,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Carry out runs on Dask workers, each by `campaign.perform`; recorded epochs are not repeated.

    Every worker uses one thread of BLAS, so that workers on one machine do not compete for its cores. A task whose
    worker dies moves to another; after four dead workers Dask blames the task and abandons it.

    Parameters
    ----------
    root : path                 folder of the campaign, on a file system that all workers share
    configs : sequence of RunConfig
    data : Dataset              the data set of the configurations; every worker loads its own copy
    data_dir : path, optional   where workers find it, see `load_dataset`
    backend : {"auto", "numpy", "cupy"}
    diagnostics : bool          as for `perform`
    scheduler : str, optional   address of a Dask scheduler, e.g. "tcp://host:8786"; by default processes are started
                                here, and ended afterwards
    n_workers : int, optional   number of those processes; default: one per core
    on_tick : callable          called about twice a second with the number of epochs that unfinished runs still need;
                                may raise an error to stop, such as `StoppedError`
    on_outcome : callable       called with each outcome as soon as it is known

    Returns
    -------
    outcomes : list of Outcome  in the order of `configs`

    Raises
    ------
    InputError                  if Dask is not installed, the scheduler or its workers cannot be used, or processes
                                cannot be started here: in a script, call this inside ``if __name__ == "__main__":``
    DataError                   if the campaign's folder cannot be written
    CopiError                   if the scheduler is lost; epochs finished before are recorded
    """
    if scheduler is None:
        check_main_guard("sweep()")
    root = Path(root).absolute()
    source = Source(_source(data.name), _absolute(data_dir), data.fingerprint)
    task = partial(run_task, str(root), source, backend, diagnostics)
    outcomes: dict[RunConfig, Outcome] = {}
    with _client(scheduler, n_workers or n_cores()) as client:
        _check_workers(client, root, source)
        # pure=False gives unique keys: a task of another sweep on this scheduler must not be mistaken for one of ours
        futures = {
            client.submit(task, with_absolute_paths(config), retries=RETRIES, pure=False): config for config in configs
        }
        while futures:
            on_tick(sum(epochs_left(root, config, data) for config in futures.values()))
            for future in _finished(futures):
                config = futures.pop(future)
                outcomes[config] = _outcome(future, config, run_folder(root, config, data))
                on_outcome(outcomes[config])
        on_tick(0)
    return [outcomes[config] for config in configs]


# --------------------------------------------------------------------------------------------------- on a worker


class Source(NamedTuple):
    """Where a worker finds the data, and their fingerprint; sent instead of the data, which may be large.

    Attributes
    ----------
    name : str              as for `load_dataset`; for an .npz file, its absolute path
    data_dir : str or None  as for `load_dataset`, absolute
    fingerprint : str       `Dataset.fingerprint`
    """

    name: str
    data_dir: str | None
    fingerprint: str


def with_absolute_paths(config: RunConfig) -> RunConfig:
    """Return the configuration with absolute paths of its own files: workers may have another current folder."""
    return replace(config, digested=None, **with_folder(Path.cwd(), config.own_parts))


def run_task(root: str, source: Source, backend: str, diagnostics: bool, config: RunConfig) -> Outcome:
    """Carry out one run on a worker; parameters as for `sweep`."""
    from threadpoolctl import threadpool_limits

    # permanently, not only during this task: another thread of this process may run another task
    threadpool_limits(1, user_api="blas")
    data = _load(source)
    if not Path(root).is_dir():  # a worker that joined late has not been checked, and would write to its own disk
        raise InputError(f"a worker does not see {root}: choose a folder that all workers share")
    deadline = time.monotonic() + PATIENCE
    while True:
        outcome = perform(root, config, data, backend, [StopWhenCancelled()], diagnostics=diagnostics)
        if not outcome.in_use or time.monotonic() > deadline:
            return outcome
        time.sleep(TICK)


@lru_cache(maxsize=1)
def _load(source: Source) -> Dataset:
    """Load the data on this worker, once.

    Raises
    ------
    DataError       if they are not available, or differ from the data where the sweep was started
    """
    data = load_dataset(source.name, source.data_dir)
    if data.fingerprint != source.fingerprint:
        raise DataError(f"data set {source.name!r} on a worker differs from the one here: copy it there")
    return data


class StopWhenCancelled(Callback):
    """Callback that stops a run whose result is no longer needed: Dask cannot interrupt a running task.

    This happens after the sweep was stopped or killed, or when the scheduler is lost or has given up on this worker.
    Dask then closes the worker, but only once its task has ended.
    """

    def on_batch(self, batch: int, n_batches: int) -> None:
        """Stop if Dask has cancelled this task, or is closing this worker."""
        from distributed import Status, get_worker

        worker = get_worker()
        task = worker.state.tasks.get(worker.get_current_task())
        if task is None or task.state == "cancelled" or worker.status in (Status.closing, Status.closed):
            raise StoppedError(signal.SIGTERM)


# --------------------------------------------------------------------------------------------------- on the client


@contextmanager
def _client(scheduler: str | None, n_workers: int) -> Iterator[Any]:
    """Connect to an existing scheduler, or start worker processes that end with the client."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise InputError("copi-np sweep needs Dask: pip install 'copi-np[sweep]'") from None
    for name in ("distributed", "distributed.client", "distributed.gc"):  # the levels that Dask sets
        getLogger(name).setLevel(CRITICAL)  # the user sees outcomes and errors instead
    if scheduler is not None:
        with _connect(scheduler) as client:
            yield client
        return
    # no memory limit: it would kill a worker that might get by with swapping
    cluster = LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        processes=True,
        memory_limit=None,
        dashboard_address="127.0.0.1:0",  # any free port: another cluster may use the default one
        silence_logs=CRITICAL,
    )
    with cluster, Client(cluster) as client:
        client.register_worker_callbacks(_ignore_interrupts)  # also on workers that replace dead ones
        try:
            yield client
        finally:
            with suppress(TimeoutError):  # Dask cannot close a worker that it is just restarting
                client.wait_for_workers(n_workers, timeout=CONNECTION_TIMEOUT)


def _connect(scheduler: str) -> Any:
    """Connect to the scheduler at an address.

    Raises
    ------
    InputError      if no scheduler answers there
    """
    from distributed import Client

    try:
        # in another thread, since a notebook already runs an event loop in this one
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _check_scheduler(scheduler)).result()
        return Client(scheduler, timeout=CONNECTION_TIMEOUT)
    except Exception as error:  # each kind of address raises different errors
        raise InputError(
            f"there is no Dask scheduler at {scheduler} ({_describe(error)}): "
            "start one with 'dask scheduler', or correct the address"
        ) from None


async def _check_scheduler(scheduler: str) -> None:
    """Raise an error unless a scheduler answers: a client waits forever for other servers, such as the dashboard."""
    from distributed.comm.core import connect
    from distributed.security import Security

    async with asyncio.timeout(CONNECTION_TIMEOUT):
        comm = await connect(scheduler, CONNECTION_TIMEOUT, **Security().get_connection_args("client"))
        await comm.close()


def _ignore_interrupts() -> None:
    """Ignore Ctrl-C, which a terminal also sends to workers: the main process ends them once records are complete."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _check_workers(client: Any, root: Path, source: Source) -> None:
    """Check that all workers can carry out runs.

    Raises
    ------
    InputError      if there are no workers, or one of them lacks this version of the package, the folder or the data
    DataError       if the folder cannot be written from here
    """
    try:
        client.wait_for_workers(1, timeout=CONNECTION_TIMEOUT)
    except TimeoutError:
        address = client.scheduler.address
        raise InputError(f"the scheduler has no workers: start some with 'dask worker {address}'") from None
    probe = root / f".probe-{uuid.uuid4().hex}"
    with explain_os_errors("write", root):
        followed(root).mkdir(parents=True, exist_ok=True)
        probe.touch()
    try:
        problems = client.run(_worker_problem, __version__, str(probe), source, on_error="return")
    finally:
        probe.unlink(missing_ok=True)
    for address, problem in problems.items():
        if isinstance(problem, Exception):
            problem = f"cannot use copi-np ({_describe(problem)}): install version {__version__} there"
        if problem is not None:
            raise InputError(f"worker {address} {problem}")


def _worker_problem(version: str, probe: str, source: Source) -> str | None:
    """Say what keeps this worker from carrying out runs, or return None."""
    if __version__ != version:
        return f"has copi-np {__version__}: install version {version} there, as here"
    if not Path(probe).is_file():
        return f"does not see {Path(probe).parent}: choose a folder that all workers share"
    try:
        _load(source)
    except CopiError as error:
        return f"lacks the data: {error}"
    return None


def _finished(futures: Any) -> list[Any]:
    """Return the futures that are done, after waiting briefly for the next one.

    Raises
    ------
    CopiError       if the scheduler is lost
    """
    from distributed import wait

    try:
        with suppress(TimeoutError):
            wait(list(futures), timeout=TICK, return_when="FIRST_COMPLETED")
    except CancelledError:
        raise CopiError(
            "lost the Dask scheduler: finished epochs are recorded; run the same command again to resume"
        ) from None
    return [future for future in futures if future.done()]


def _outcome(future: Any, config: RunConfig, folder: Path) -> Outcome:
    """Return the outcome of a task, or a failure that says why there is none."""
    error = future.exception()
    if error is None:
        outcome: Outcome = future.result()
        return outcome
    return Outcome(config, folder, [], _describe(error))


def _describe(error: BaseException) -> str:
    """Describe an error in one line."""
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return f"{error.allowed_failures + 1} workers died running it: check their logs, and whether memory ran out"
    return one_line(error)


def _source(name: str) -> str:
    """Return a data set's name, or its file's absolute path: workers may have another current folder."""
    return str(expand_home(name).absolute()) if name.endswith(".npz") else name


def _absolute(data_dir: str | Path | None) -> str | None:
    return None if data_dir is None else str(Path(data_dir).absolute())
