"""Many runs on many processes or machines, through Dask.

Every run is a task. Its records lie in a folder that all workers see, so a task whose worker dies goes on elsewhere
from the last epoch on record.
"""

from __future__ import annotations

import asyncio
import signal
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from logging import CRITICAL, getLogger
from pathlib import Path
from typing import Any, Final, NamedTuple

from copi_np import __version__
from copi_np.callbacks import Callback
from copi_np.datasets import Dataset, load_dataset
from copi_np.errors import CopiError, DataError, InputError, StoppedError, cannot_write, one_line
from copi_np.experiments.campaign import Outcome, epochs_left, perform, run_folder
from copi_np.experiments.config import RunConfig
from copi_np.experiments.environment import n_cores

RETRIES: Final = 2
"""Times that a task is tried again after an error that this package does not know, such as of a file system."""
PATIENCE: Final = 60.0
"""Seconds that a task waits for a run in use: by a worker that was given up, but has not died yet."""
CONNECTION_TIMEOUT: Final = 10
"""Seconds to wait for a scheduler, and for its first worker."""
TICK: Final = 0.5
"""Seconds between two looks at the records."""


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
    """Carry out runs on Dask workers, as `campaign.perform` does each; what is on record is not repeated.

    Every worker computes with one thread of BLAS, so that workers on one machine do not fight for its cores. A task
    whose worker dies is given to another; after four dead workers Dask takes the task for the cause, and gives it up.

    Parameters
    ----------
    root : path                 the campaign's folder, on a file system that all workers share
    configs : sequence of RunConfig
    data : Dataset              that of the configurations; every worker loads it for itself
    data_dir : path, optional   where workers look for it, see `load_dataset`
    backend : {"auto", "numpy", "cupy"}
    diagnostics : bool          as for `perform`
    scheduler : str, optional   address of a Dask scheduler, e.g. "tcp://host:8786"; None starts processes here, and
                                ends them
    n_workers : int, optional   of those processes; default: one for each core
    on_tick : callable          called about twice a second with the number of epochs that are left, of all runs that
                                have not come to their end; may raise to stop, such as `StoppedError`
    on_outcome : callable       called with each outcome as it comes

    Returns
    -------
    outcomes : list of Outcome  in the order of `configs`

    Raises
    ------
    InputError                  if Dask is not installed, or scheduler or workers cannot be used
    DataError                   if the campaign's folder cannot be written
    CopiError                   if the scheduler goes away; what was finished before is recorded
    """
    root = Path(root).absolute()
    source = Source(_source(data.name), _absolute(data_dir), data.fingerprint)
    task = partial(run_task, str(root), source, backend, diagnostics)
    outcomes: dict[RunConfig, Outcome] = {}
    with _client(scheduler, n_workers or n_cores()) as client:
        _check_workers(client, root, source)
        # keys of their own: a task of another sweep on this scheduler, perhaps just being stopped, is not this one's
        futures = {client.submit(task, config, retries=RETRIES, pure=False): config for config in configs}
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
    """Where a worker finds the data, and what they must be: sent instead of the data, which may be large.

    Attributes
    ----------
    name : str              as for `load_dataset`; of an .npz file, its absolute path
    data_dir : str or None  as for `load_dataset`, absolute
    fingerprint : str       `Dataset.fingerprint`
    """

    name: str
    data_dir: str | None
    fingerprint: str


def run_task(root: str, source: Source, backend: str, diagnostics: bool, config: RunConfig) -> Outcome:
    """Carry out one run on a worker; parameters as for `sweep`."""
    from threadpoolctl import threadpool_limits

    # for good, not for this task alone: another task may be at work in another thread of this process
    threadpool_limits(1, user_api="blas")
    data = _load(source)
    if not Path(root).is_dir():  # a worker that joined late, which nobody checked, would keep its records to itself
        raise InputError(f"a worker does not see {root}: choose a folder that all workers share")
    deadline = time.monotonic() + PATIENCE
    while True:
        outcome = perform(root, config, data, backend, [StopUnwanted()], diagnostics=diagnostics)
        if not outcome.in_use or time.monotonic() > deadline:
            return outcome
        time.sleep(TICK)


@lru_cache(maxsize=1)
def _load(source: Source) -> Dataset:
    """The data on this worker, read once.

    Raises
    ------
    DataError       if they cannot be had, or are others than where the sweep was started
    """
    data = load_dataset(source.name, source.data_dir)
    if data.fingerprint != source.fingerprint:
        raise DataError(f"data set {source.name!r} on a worker differs from that here: copy it there")
    return data


class StopUnwanted(Callback):
    """Stops a run once nobody waits for it any more: Dask cannot end a task that is at work.

    So it is after the sweep was stopped or killed, and where the scheduler is gone or gave this worker up, which closes
    it, but not before its task has come to an end.
    """

    def on_batch(self, batch: int, n_batches: int) -> None:
        """Stop if Dask has cancelled this task, or closes this worker."""
        from distributed import Status, get_worker

        worker = get_worker()
        task = worker.state.tasks.get(worker.get_current_task())
        if task is None or task.state == "cancelled" or worker.status in (Status.closing, Status.closed):
            raise StoppedError(signal.SIGTERM)


# --------------------------------------------------------------------------------------------------- on the client


@contextmanager
def _client(scheduler: str | None, n_workers: int) -> Iterator[Any]:
    """A client of an existing scheduler, or of processes that end with it."""
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise InputError("copi-np sweep needs Dask: pip install 'copi-np[sweep]'") from error
    for name in ("distributed", "distributed.client", "distributed.gc"):  # the levels that Dask sets
        getLogger(name).setLevel(CRITICAL)  # what matters to the user is in outcomes and errors
    if scheduler is not None:
        with _connect(scheduler) as client:
            yield client
        return
    # no limit of memory: a worker would be killed where swapping might do
    cluster = LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        processes=True,
        memory_limit=None,
        dashboard_address="127.0.0.1:0",  # this machine alone; any free port: another cluster may have the usual one
        silence_logs=CRITICAL,
    )
    with cluster, Client(cluster) as client:
        client.register_worker_callbacks(_leave_interrupts_to_us)  # also of those that replace dead ones
        try:
            yield client
        finally:
            with suppress(TimeoutError):  # Dask fails to close a worker that it is about to start again
                client.wait_for_workers(n_workers, timeout=CONNECTION_TIMEOUT)


def _connect(scheduler: str) -> Any:
    """A client of the scheduler at an address.

    Raises
    ------
    InputError      if there is none
    """
    from distributed import Client

    try:
        # in a thread of its own, since a notebook has a loop running in this one
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _knock(scheduler)).result()
        return Client(scheduler, timeout=CONNECTION_TIMEOUT)
    except Exception as error:  # every kind of address has errors of its own
        raise InputError(
            f"there is no Dask scheduler at {scheduler} ({_describe(error)}): "
            "start one with 'dask scheduler', or correct the address"
        ) from error


async def _knock(scheduler: str) -> None:
    """See that a scheduler answers: a client would wait for ever for another kind of server, such as the dashboard."""
    from distributed.comm.core import connect
    from distributed.security import Security

    async with asyncio.timeout(CONNECTION_TIMEOUT):
        comm = await connect(scheduler, CONNECTION_TIMEOUT, **Security().get_connection_args("client"))
        await comm.close()


def _leave_interrupts_to_us() -> None:
    """Ctrl-C in a terminal reaches the workers too: this process ends them, after the records are whole."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _check_workers(client: Any, root: Path, source: Source) -> None:
    """Refuse workers that cannot do it, before they try.

    Raises
    ------
    InputError      if there are none, or one of them lacks this version of the package, the folder or the data
    DataError       if the folder cannot be written from here
    """
    try:
        client.wait_for_workers(1, timeout=CONNECTION_TIMEOUT)
    except TimeoutError as error:
        address = client.scheduler.address
        raise InputError(f"the scheduler has no workers: start some with 'dask worker {address}'") from error
    probe = root / f".probe-{uuid.uuid4().hex}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe.touch()
    except OSError as error:
        raise cannot_write(root, error) from error
    try:
        complaints = client.run(_complaint, __version__, str(probe), source, on_error="return")
    finally:
        probe.unlink(missing_ok=True)
    for address, complaint in complaints.items():
        if isinstance(complaint, Exception):
            complaint = f"cannot use copi-np ({_describe(complaint)}): install version {__version__} there"
        if complaint is not None:
            raise InputError(f"worker {address} {complaint}")


def _complaint(version: str, probe: str, source: Source) -> str | None:
    """What keeps this worker from carrying out runs, or None."""
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
    """The futures that are done, after waiting a moment for the next one.

    Raises
    ------
    CopiError       if the scheduler is gone
    """
    from distributed import wait

    try:
        with suppress(TimeoutError):
            wait(list(futures), timeout=TICK, return_when="FIRST_COMPLETED")
    except CancelledError as error:
        raise CopiError(
            "lost the Dask scheduler: what was finished before is recorded, and the same command goes on from there"
        ) from error
    return [future for future in futures if future.done()]


def _outcome(future: Any, config: RunConfig, folder: Path) -> Outcome:
    """What a task returned, or a failure that says why it returned nothing."""
    error = future.exception()
    if error is None:
        outcome: Outcome = future.result()
        return outcome
    return Outcome(config, folder, [], _describe(error))


def _describe(error: BaseException) -> str:
    """An error in one line."""
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return f"{error.allowed_failures + 1} workers died of it: look into their logs, and whether memory ran out"
    return one_line(error)


def _source(name: str) -> str:
    """A data set's name, or the absolute path of its file: workers may have another current folder."""
    return str(Path(name).expanduser().absolute()) if name.endswith(".npz") else name


def _absolute(data_dir: str | Path | None) -> str | None:
    return None if data_dir is None else str(Path(data_dir).absolute())
