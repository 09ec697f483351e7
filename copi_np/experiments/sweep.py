"""Many runs on many processes or machines, through Dask.

Every run is a task. Its records lie in a folder that all workers see, so a task whose worker dies goes on elsewhere
from the last epoch on record.
"""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from logging import CRITICAL, getLogger
from pathlib import Path
from typing import Any, Final

from copi_np import __version__
from copi_np.datasets import Dataset, load_dataset
from copi_np.environment import n_cores
from copi_np.errors import BackendError, DataError, InputError, StoppedError
from copi_np.experiments.campaign import Outcome, epochs_left, perform, run_folder
from copi_np.experiments.config import RunConfig
from copi_np.network import Network
from copi_np.training import Callback, EpochRecord

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
    on_tick : callable          called about twice a second with the number of epochs that are left, on the whole; may
                                raise to stop, such as `StoppedError`
    on_outcome : callable       called with each outcome as it comes

    Returns
    -------
    outcomes : list of Outcome  in the order of `configs`

    Raises
    ------
    InputError                  if Dask is not installed, or scheduler or workers cannot be used
    """
    root = Path(root).resolve()
    task = partial(run_task, str(root), _source(data.name), _absolute(data_dir), data.fingerprint, backend, diagnostics)
    outcomes: dict[RunConfig, Outcome] = {}
    with _client(scheduler, n_workers or n_cores()) as client, _stop_switch(client) as switch:
        _check_workers(client, root)
        # keys of their own: Dask would hand out what an earlier sweep on this scheduler came to
        futures = {client.submit(task, switch, config, retries=RETRIES, pure=False): config for config in configs}
        while futures:
            on_tick(sum(epochs_left(root, config, data) for config in configs))
            for future in _finished(futures):
                config = futures.pop(future)
                outcomes[config] = _outcome(future, config, run_folder(root, config, data))
                on_outcome(outcomes[config])
        on_tick(0)
    return [outcomes[config] for config in configs]


# --------------------------------------------------------------------------------------------------- on a worker


def run_task(
    root: str,
    source: str,
    data_dir: str | None,
    fingerprint: str,
    backend: str,
    diagnostics: bool,
    switch: str,
    config: RunConfig,
) -> Outcome:
    """Carry out one run on a worker; parameters as for `sweep`, `switch` names the event that stops it."""
    from threadpoolctl import threadpool_limits

    # for good, not for this task alone: another task may be at work in another thread of this process
    threadpool_limits(1, user_api="blas")
    data = _load(source, data_dir)
    if data.fingerprint != fingerprint:
        raise DataError(f"the data {source} on this worker are others than where the sweep was started: copy them")
    callbacks = [StopSwitch(switch)]
    deadline = time.monotonic() + PATIENCE
    while True:
        outcome = perform(root, config, data, backend, callbacks, diagnostics=diagnostics)
        if not outcome.in_use or time.monotonic() > deadline:
            return outcome
        time.sleep(TICK)


@lru_cache(maxsize=1)
def _load(source: str, data_dir: str | None) -> Dataset:
    return load_dataset(source, data_dir)


class StopSwitch(Callback):
    """Stops a run at the end of an epoch once an event of Dask's is set: a task that is at work cannot be cancelled."""

    def __init__(self, name: str) -> None:
        self.name = name

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Stop if the event is set."""
        from distributed import Event

        if Event(self.name).is_set():
            raise StoppedError(signal.SIGTERM)


# --------------------------------------------------------------------------------------------------- on the client


@contextmanager
def _client(scheduler: str | None, n_workers: int) -> Iterator[Any]:
    """A client of an existing scheduler, or of processes that end with it."""
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise InputError("copi-np sweep needs Dask: pip install 'copi-np[sweep]'") from error
    getLogger("distributed").setLevel(CRITICAL)  # what matters to the user is in outcomes and errors
    if scheduler is None:
        # no limit of memory: a worker would be killed where swapping might do
        cluster = LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=None,
            dashboard_address=":0",  # any free port: another cluster may have the usual one
            silence_logs=CRITICAL,
        )
        with cluster, Client(cluster) as client:
            client.run(_leave_interrupts_to_us)
            yield client
        return
    try:
        client = Client(scheduler, timeout=CONNECTION_TIMEOUT)
    except (OSError, ValueError) as error:
        raise InputError(
            f"there is no Dask scheduler at {scheduler}: start one with 'dask scheduler', or correct the address"
        ) from error
    with client:
        yield client


def _leave_interrupts_to_us() -> None:
    """Ctrl-C in a terminal reaches the workers too: this process ends them, after the records are whole."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _stop_switch(client: Any) -> Iterator[str]:
    """The name of an event that is set once this context is left, however it is left."""
    from distributed import Event

    event = Event(f"copi-np-{uuid.uuid4().hex}", client=client)
    try:
        yield str(event.name)
    finally:
        with suppress(Exception):  # of a scheduler that is gone; the error that led here says more
            event.set()


def _check_workers(client: Any, root: Path) -> None:
    """Refuse workers that cannot do it, before they try: without this version of the package, or without the folder."""
    try:
        client.wait_for_workers(1, timeout=CONNECTION_TIMEOUT)
    except TimeoutError as error:
        address = client.scheduler.address
        raise InputError(f"the scheduler has no workers: start some with 'dask worker {address}'") from error
    root.mkdir(parents=True, exist_ok=True)
    probe = root / f".probe-{uuid.uuid4().hex}"
    probe.touch()
    try:
        answers = client.run(_look, str(probe))
    except Exception as error:
        raise BackendError(f"a worker cannot use copi-np ({error}): install version {__version__} there") from error
    finally:
        probe.unlink()
    for address, (version, sees_root) in answers.items():
        if version != __version__:
            raise BackendError(f"worker {address} has copi-np {version}: install version {__version__} there, as here")
        if not sees_root:
            raise InputError(f"worker {address} does not see {root}: choose a folder that all workers share")


def _look(probe: str) -> tuple[str, bool]:
    """The version of this package on a worker, and whether it sees a file."""
    return __version__, Path(probe).is_file()


def _finished(futures: Any) -> list[Any]:
    """The futures that are done, after waiting a moment for the next one."""
    from distributed import wait

    with suppress(TimeoutError):
        wait(list(futures), timeout=TICK, return_when="FIRST_COMPLETED")
    return [future for future in futures if future.done()]


def _outcome(future: Any, config: RunConfig, folder: Path) -> Outcome:
    """What a task returned, or a failure that says why it returned nothing."""
    error = future.exception()
    if error is None:
        outcome: Outcome = future.result()
        return outcome
    text = (str(error).splitlines() or [""])[0]
    return Outcome(config, folder, [], f"{type(error).__name__}: {text}")


def _source(name: str) -> str:
    """A data set's name, or the absolute path of its file: workers may have another current folder."""
    return str(Path(name).expanduser().resolve()) if name.endswith(".npz") else name


def _absolute(data_dir: str | Path | None) -> str | None:
    return None if data_dir is None else str(Path(data_dir).resolve())
