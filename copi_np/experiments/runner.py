"""Train one network from a configuration, in memory or into a folder, from which an interrupted run can resume."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from copi_np.backend import Backend
from copi_np.callbacks import BestCheckpoint, Callback, EarlyStopping, ResumeError
from copi_np.checkpoint import previous_path
from copi_np.datasets import Dataset, hold_out
from copi_np.errors import CopiError, DataError, InputError, list_names
from copi_np.experiments.config import RunConfig, method_name, run_name
from copi_np.experiments.diagnostics import DiagnosticsRecorder
from copi_np.experiments.environment import blas, n_cores, versions
from copi_np.experiments.records import (
    BEST_FILE,
    CHECKPOINT_FILE,
    FAILURE_FILE,
    HISTORY_FILE,
    RUN_FILE,
    RunRecord,
    hold,
    read_run,
)
from copi_np.history import EpochRecord
from copi_np.network import Network
from copi_np.storage.atomic import replace_text
from copi_np.storage.jsonl import append_line, write_lines
from copi_np.storage.untrusted import exists, path_exists
from copi_np.training import fit

DEMO_FILE = "demo.json"


def first_state(config: RunConfig, backend: str | Backend) -> tuple[Network, np.random.Generator]:
    """Return the untrained network, and the random generator that shuffles the samples.

    Each purpose has its own random generator, a child of the seed, so that methods with the same seed start from the
    same weights and see the same batches. The third child belongs to `with_validation`.
    """
    weights_rng, shuffling_rng = np.random.default_rng(config.seed).spawn(2)
    return config.build_network(weights_rng, backend), shuffling_rng


def train(
    config: RunConfig, data: Dataset, backend: str | Backend = "auto", callbacks: Sequence[Callback] = ()
) -> tuple[Network, list[EpochRecord]]:
    """Train a network as configured.

    Parameters
    ----------
    config : RunConfig
    data : Dataset                      the data set ``config.dataset``
    backend : str or Backend
    callbacks : sequence of Callback

    Returns
    -------
    network : Network                   trained
    history : list of EpochRecord
    """
    network, rng = first_state(config, backend)
    return network, _fit(network, rng, config, prepared(config, data), callbacks)


def with_validation(config: RunConfig, data: Dataset) -> Dataset:
    """Return the data of a run, with its validation split held out; the split depends on the seed alone."""
    if not config.val_fraction:
        return data
    return hold_out(data, config.val_fraction, np.random.default_rng(config.seed).spawn(3)[2])


def prepared(config: RunConfig, data: Dataset) -> Dataset:
    """Return the data that a run learns from: with its validation split, scaled as measured on the other samples."""
    splits = with_validation(config, data)
    return splits if config.scale == "none" else splits.scaled(config.scale)


def _fit(
    network: Network,
    rng: np.random.Generator,
    config: RunConfig,
    data: Dataset,
    callbacks: Sequence[Callback],
    **resuming: Any,
) -> list[EpochRecord]:
    """Call `fit` as configured; `resuming` may hold its arguments `checkpoint` and `resume`."""
    if config.patience:
        callbacks = [EarlyStopping(config.patience, first_epochs=config.first_epochs), *callbacks]
    with naming_own_lines(config):
        return fit(
            network,
            data,
            epochs=config.epochs,
            schedule=config.schedule,
            rng=rng,
            batch_size=config.batch_size,
            callbacks=callbacks,
            **resuming,
        )


@contextmanager
def naming_own_lines(config: RunConfig) -> Iterator[None]:
    """Turn an error in a part of the user's own into an InputError that names the line."""
    try:
        yield
    except CopiError:
        raise
    except Exception as error:
        if line := config.line_at_fault(error):
            raise InputError(f"{line}: correct it") from None
        raise


def train_into(
    folder: str | Path,
    config: RunConfig,
    data: Dataset,
    backend: str | Backend = "auto",
    callbacks: Sequence[Callback] = (),
    *,
    resume: bool = False,
    diagnostics: bool = False,
) -> list[EpochRecord]:
    """Train as `train` does, and record the run in a folder: run.json, history.jsonl, checkpoint.npz.

    With a validation split, best.npz holds the network of the epoch that is best on it.

    Parameters
    ----------
    folder : path       created if missing
    resume : bool       if the folder holds this run, resume after its last finished epoch, with the same result as
                        without the interruption; a finished run is not repeated. By default a folder with a run in it
                        is refused
    diagnostics : bool  also record `copi_np.diagnostics` of every layer, in diagnostics.jsonl
    others              as for `train`

    Returns
    -------
    history : list of EpochRecord

    Raises
    ------
    InputError          if the folder holds another run, or without `resume` this one, or cannot be written
    DataError           if its run cannot resume, because the checkpoint is missing or damaged
    """
    folder = Path(folder)
    record = _found(folder, config, data, resume=resume)
    if record is not None and config.is_over(record.history):
        return record.history  # nothing to write: the folder may be read-only
    with hold(folder):
        record = _found(folder, config, data, resume=resume)  # another process may have trained in the meantime
        if record is not None and config.is_over(record.history):
            return record.history
        checkpoint = folder / CHECKPOINT_FILE
        if record is not None and record.history and not any(map(path_exists, (checkpoint, previous_path(checkpoint)))):
            raise DataError(f"there is no {checkpoint} to resume from: move that folder away to start the run again")
        network, rng = first_state(config, backend)
        splits = prepared(config, data)
        recorders: list[Callback] = [BestCheckpoint(folder / BEST_FILE)] if config.val_fraction else []
        recorders += [DiagnosticsRecorder(folder, splits, config.schedule)] if diagnostics else []
        recorders += [RunRecorder(folder, config, data)]
        try:
            return _fit(network, rng, config, splits, [*recorders, *callbacks], checkpoint=checkpoint, resume=resume)
        except ResumeError as error:
            raise DataError(f"{error}; or move {folder} away to start the run again") from None


def _found(folder: Path, config: RunConfig, data: Dataset, *, resume: bool) -> RunRecord | None:
    """Return the records of this run, if any; raise an InputError for another run, or for any run without `resume`."""
    if not resume:
        check_holds_no_run(folder, config, data, "resume=True")
    return own_run(folder, config, data)


def check_holds_no_run(folder: Path, config: RunConfig, data: Dataset, how: str, longer: str = "") -> None:
    """Raise an InputError if a folder holds this run, finished or not, or another one.

    Parameters
    ----------
    how : str       how to resume the run, for the message
    longer : str    what to add for a run that has not reached its number of epochs
    others          as for `train_into`
    """
    if not _holds_a_run(folder):
        return
    try:
        record = read_run(folder)
    except DataError:
        raise another_run(folder) from None
    if record.description.get("data_sha256") != data.fingerprint:
        raise another_run(folder)
    own_run(folder, config, data)  # raises an error for other settings
    n_done, others = len(record.history), "or choose another folder"
    if config.is_over(record.history):
        done, further = f"finished after {n_done} epochs", f"{how} and more than {n_done} epochs"
        raise InputError(f"{folder} already holds this run, {done}: train it further with {further}, {others}")
    done = f"with {n_done} of {config.epochs} epochs finished"
    raise InputError(f"{folder} already holds this run, {done}: resume it with {how}{longer}, {others}")


def own_run(folder: Path, config: RunConfig, data: Dataset) -> RunRecord | None:
    """Return the records of this run in a folder, or None if there are none.

    Raises
    ------
    InputError          if the folder holds another run
    """
    if not exists(folder / RUN_FILE):
        if _holds_a_run(folder):
            raise another_run(folder)
        return None
    record = read_run(folder)
    if record.description.get("data_sha256") != data.fingerprint:
        raise other_data(folder, data)
    if record.description.get("name") != run_name(config, data):
        then, now = (each.without_folders().as_dict() for each in (record.config, config))
        changes = [
            f"{name} {then.get(name)}, now {now.get(name)}"
            for name in {**then, **now}
            if then.get(name) != now.get(name)
            and name not in ("epochs", "patience", "dataset")  # not part of a run's name
        ]
        if not changes:
            raise InputError(f"{folder / RUN_FILE} does not match the name it holds: undo the changes made to it")
        raise InputError(f"{another_run(folder)} ({list_names(changes)})")
    return record


class RunRecorder(Callback):
    """Callback that writes a run to its folder; the caller must hold the folder's lock, see `hold`.

    It runs after the other recorders, so that an epoch enters the history once all its other files are written.

    Parameters
    ----------
    folder : Path
    config : RunConfig
    data : Dataset      the data set ``config.dataset``, before any samples are held out
    """

    def __init__(self, folder: Path, config: RunConfig, data: Dataset) -> None:
        self.folder = folder
        self.config = config
        self.data = data

    def on_start(self, network: Network, history: Sequence[EpochRecord]) -> None:
        """Describe the run and this machine in the folder."""
        description = self._description(network, len(history))
        replace_text(self.folder / RUN_FILE, json.dumps(description, indent=2) + "\n")
        (self.folder / FAILURE_FILE).unlink(missing_ok=True)
        # a process killed between two writes leaves a history that lacks the checkpoint's last epoch
        write_lines(self.folder / HISTORY_FILE, [record.as_dict() for record in history])

    def _description(self, network: Network, n_epochs: int) -> dict[str, Any]:
        """Return the contents of run.json: the environment of the first start, and of every later one."""
        environment = {
            "backend": network.backend.name,
            "device": network.backend.describe(),
            "blas": blas(),
            "cores": n_cores(),
            "versions": versions(),
        }
        head = {
            "name": run_name(self.config, self.data),
            "config": self.config.as_dict(),
            "data_sha256": self.data.fingerprint,
        }
        if self.data.class_names is not None:
            head["class_names"] = list(self.data.class_names)
        if n_epochs == 0:
            return head | environment
        earlier = read_run(self.folder).description
        continued = [*earlier.get("continued", []), {"after_epoch": n_epochs, **environment}]
        return earlier | head | {"continued": continued}

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Record the epoch."""
        append_line(self.folder / HISTORY_FILE, record.as_dict())


def free_folder(config: RunConfig, parent: str | Path = "runs") -> Path:
    """Return a free folder in `parent`, named after method, data set and seed."""
    name = f"{method_name(config)}_{Path(config.dataset).stem}_seed{config.seed}"
    candidates = (Path(parent) / (name if n == 1 else f"{name}_{n}") for n in count(1))
    return next(folder for folder in candidates if not path_exists(folder))


def _holds_a_run(folder: Path) -> bool:
    return any(path_exists(folder / name) for name in (RUN_FILE, HISTORY_FILE, CHECKPOINT_FILE, DEMO_FILE))


def other_data(folder: Path, data: Dataset) -> InputError:
    """Return the error for a run that was trained on other data."""
    return InputError(f"the run in {folder} was trained on other data than {data.name}: use the same data")


def another_run(folder: Path) -> InputError:
    """Return the error for a folder that holds another run."""
    return InputError(f"{folder} holds another run: choose another folder, or move that run away")
