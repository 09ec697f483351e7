"""Train one network from a configuration, in memory or into a folder, where an interrupted run goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from copi_np.backend import Backend
from copi_np.callbacks import BestCheckpoint, Callback, CheckpointWriter, EarlyStopping
from copi_np.datasets import Dataset, hold_out
from copi_np.errors import DataError, InputError, NewerVersionError, list_names
from copi_np.experiments.config import RunConfig, run_name
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
from copi_np.storage.untrusted import exists, is_taken
from copi_np.training import fit, training_settings

DEMO_FILE = "demo.json"


def first_state(config: RunConfig, backend: str | Backend) -> tuple[Network, np.random.Generator]:
    """The untrained network, and the random generator that shuffles the samples.

    Every purpose has a random generator of its own, a child of the seed, so that methods with the same seed start
    from the same weights and see the same batches; the third child belongs to `with_validation`.
    """
    weights_rng, shuffling_rng = np.random.default_rng(config.seed).spawn(2)
    return config.build_network(weights_rng, backend), shuffling_rng


def train(
    config: RunConfig, data: Dataset, backend: str | Backend = "auto", callbacks: Sequence[Callback] = ()
) -> tuple[Network, list[EpochRecord]]:
    """Train a network as `config` says.

    Parameters
    ----------
    config : RunConfig
    data : Dataset                      that of ``config.dataset``
    backend : str or Backend
    callbacks : sequence of Callback

    Returns
    -------
    network : Network                   trained
    history : list of EpochRecord
    """
    network, rng = first_state(config, backend)
    return network, _fit(network, rng, config, with_validation(config, data), callbacks)


def with_validation(config: RunConfig, data: Dataset) -> Dataset:
    """The data of a run, with the validation split that it holds out; its choice depends on the seed alone."""
    if not config.val_fraction:
        return data
    return hold_out(data, config.val_fraction, np.random.default_rng(config.seed).spawn(3)[2])


def _fit(
    network: Network,
    rng: np.random.Generator,
    config: RunConfig,
    data: Dataset,
    callbacks: Sequence[Callback],
    history: Sequence[EpochRecord] = (),
) -> list[EpochRecord]:
    if config.patience:
        callbacks = [EarlyStopping(config.patience, first_epochs=config.first_epochs), *callbacks]
    return fit(
        network,
        data,
        epochs=config.epochs,
        schedule=config.schedule,
        rng=rng,
        batch_size=config.batch_size,
        callbacks=callbacks,
        history=history,
    )


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
    """Train as `train` does, and keep the run in a folder: run.json, history.jsonl, checkpoint.npz.

    With a validation split, best.npz is the network of the epoch that is best on it.

    Parameters
    ----------
    folder : path       made if need be
    resume : bool       go on from the last finished epoch of the run that the folder holds, if it holds one, which
                        comes to the same as never having stopped; a run that is finished is not repeated. Without
                        this, a folder with a run in it is refused
    diagnostics : bool  also record what goes on in the layers, in diagnostics.jsonl: `copi_np.diagnostics`
    others              as for `train`

    Returns
    -------
    history : list of EpochRecord

    Raises
    ------
    InputError          if the folder holds another run, or cannot be written
    DataError           if the run that it holds cannot go on: no checkpoint, or a damaged one
    """
    folder = Path(folder)
    record = _found(folder, config, data, resume=resume)
    if record is not None and config.is_over(record.history):
        return record.history  # nothing to write, so the folder may be read-only
    with hold(folder):
        record = _found(folder, config, data, resume=resume)  # another process may have been here meanwhile
        if record is not None and config.is_over(record.history):
            return record.history
        network, rng = first_state(config, backend)
        splits = with_validation(config, data)
        settings = training_settings(splits, config.schedule, config.batch_size)
        writer = CheckpointWriter(folder / CHECKPOINT_FILE, rng, settings)
        try:
            history = writer.begin(network, [], resume=resume)
        except NewerVersionError:
            raise
        except DataError as error:
            raise DataError(f"{error}; or move {folder} away, to start the run anew") from error
        if record is not None and record.history and not history:
            raise DataError(f"there is no {writer.path} to go on from: move that folder away, to start the run anew")
        recorders: list[Callback] = [writer]
        recorders += [BestCheckpoint(folder / BEST_FILE)] if config.val_fraction else []
        recorders += [DiagnosticsRecorder(folder, splits)] if diagnostics else []
        recorders += [RunRecorder(folder, config, data)]
        return _fit(network, rng, config, splits, [*recorders, *callbacks], history)


def _found(folder: Path, config: RunConfig, data: Dataset, *, resume: bool) -> RunRecord | None:
    """The records of this very run, to go on with; an error if the folder holds another, or may not hold any."""
    if not resume and _holds_a_run(folder):
        raise another_run(folder)
    return own_run(folder, config, data)


def own_run(folder: Path, config: RunConfig, data: Dataset) -> RunRecord | None:
    """The records of this very run in a folder, or None if there are none.

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
        then, now = record.config.as_dict(), config.as_dict()
        changes = [
            f"{name} {then[name]}, now {now[name]}"
            for name in now
            if then[name] != now[name] and name not in ("epochs", "patience", "dataset")  # no part of a run's name
        ]
        if not changes:
            raise InputError(f"{folder / RUN_FILE} does not fit its own name: undo what was changed in it")
        raise InputError(f"{another_run(folder)} ({list_names(changes)})")
    return record


class RunRecorder(Callback):
    """Writes a run to its folder as it goes; the folder must be in hand, see `hold`.

    It comes after the other recorders: an epoch is in the history once all that goes with it is there.

    Parameters
    ----------
    folder : Path
    config : RunConfig
    data : Dataset      that of ``config.dataset``, from which nothing is held out yet
    """

    def __init__(self, folder: Path, config: RunConfig, data: Dataset) -> None:
        self.folder = folder
        self.config = config
        self.data = data

    def on_start(self, network: Network, history: Sequence[EpochRecord]) -> None:
        """Say in the folder what is run on what."""
        description = self._description(network, len(history))
        replace_text(self.folder / RUN_FILE, json.dumps(description, indent=2) + "\n")
        (self.folder / FAILURE_FILE).unlink(missing_ok=True)
        # a process killed between its two writes leaves a history one epoch short of the checkpoint
        write_lines(self.folder / HISTORY_FILE, [record.as_dict() for record in history])

    def _description(self, network: Network, n_epochs: int) -> dict[str, Any]:
        """What run.json says: of the first start, and of every later one."""
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
        if n_epochs == 0:
            return head | environment
        earlier = read_run(self.folder).description
        continued = [*earlier.get("continued", []), {"after_epoch": n_epochs, **environment}]
        return earlier | head | {"continued": continued}

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Record the epoch."""
        append_line(self.folder / HISTORY_FILE, record.as_dict())


def free_folder(config: RunConfig, parent: str | Path = "runs") -> Path:
    """A folder below `parent` that no run has taken, named after method, data set and seed."""
    name = f"{config.method}_{Path(config.dataset).stem}_seed{config.seed}"
    candidates = (Path(parent) / (name if n == 1 else f"{name}_{n}") for n in count(1))
    return next(folder for folder in candidates if not is_taken(folder))


def _holds_a_run(folder: Path) -> bool:
    return any(is_taken(folder / name) for name in (RUN_FILE, HISTORY_FILE, CHECKPOINT_FILE, DEMO_FILE))


def other_data(folder: Path, data: Dataset) -> InputError:
    """The error for a run that learned from other data."""
    return InputError(f"the run in {folder} learned from other data than {data.name}: give those")


def another_run(folder: Path) -> InputError:
    """The error for a folder that is taken."""
    return InputError(f"{folder} holds another run: choose another folder, or move that run away")
