"""Train one network from a configuration, in memory or into a folder of records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np

from copi_np.backend import Backend
from copi_np.checkpoint import save_network
from copi_np.datasets import Dataset
from copi_np.environment import blas, n_cores, versions
from copi_np.errors import InputError, cannot_write
from copi_np.experiments.config import RunConfig
from copi_np.network import Network
from copi_np.training import Callback, EpochRecord, fit

RUN_FILE = "run.json"
HISTORY_FILE = "history.jsonl"
CHECKPOINT_FILE = "checkpoint.npz"
DEMO_FILE = "demo.json"


def train(
    config: RunConfig, data: Dataset, backend: str | Backend = "auto", callbacks: Sequence[Callback] = ()
) -> tuple[Network, list[EpochRecord]]:
    """Train a network as `config` says.

    Every purpose has a random generator of its own, a child of the seed, so that methods with the same seed start
    from the same weights and see the same batches.

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
    weights_rng, shuffling_rng = np.random.default_rng(config.seed).spawn(2)
    network = config.build_network(weights_rng, backend)
    history = fit(
        network,
        data,
        epochs=config.epochs,
        schedule=config.schedule,
        rng=shuffling_rng,
        batch_size=config.batch_size,
        callbacks=callbacks,
    )
    return network, history


def train_into(
    folder: str | Path,
    config: RunConfig,
    data: Dataset,
    backend: str | Backend = "auto",
    callbacks: Sequence[Callback] = (),
) -> list[EpochRecord]:
    """Train as `train` does, and keep the run in a folder: run.json, history.jsonl, checkpoint.npz.

    Parameters
    ----------
    folder : path       made if need be; it must not hold another run
    others              as for `train`

    Returns
    -------
    history : list of EpochRecord

    Raises
    ------
    InputError          if the folder holds another run or cannot be written
    """
    return train(config, data, backend, [RunRecorder(folder, config), *callbacks])[1]


class RunRecorder(Callback):
    """Writes a run to its folder as it goes, so that whatever happens, the finished epochs stay readable."""

    def __init__(self, folder: str | Path, config: RunConfig) -> None:
        self.folder = Path(folder)
        self.config = config
        if any((self.folder / name).exists() for name in (RUN_FILE, HISTORY_FILE, CHECKPOINT_FILE, DEMO_FILE)):
            raise another_run(self.folder)

    def on_start(self, network: Network) -> None:
        """Make the folder, and say in it what is run on what."""
        description = {
            "config": self.config.as_dict(),
            "backend": network.backend.name,
            "device": network.backend.describe(),
            "blas": blas(),
            "cores": n_cores(),
            "versions": versions(),
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write to {self.folder} ({error.strerror}): choose another folder") from error
        try:
            # mode "x": of two runs that start at the same time, one is refused
            with (self.folder / RUN_FILE).open("x", encoding="utf-8") as file:
                file.write(json.dumps(description, indent=2) + "\n")
        except FileExistsError as error:
            raise another_run(self.folder) from error
        except OSError as error:
            raise cannot_write(self.folder / RUN_FILE, error) from error

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Append the epoch to the history, then replace the checkpoint."""
        path = self.folder / HISTORY_FILE
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record.as_dict()) + "\n")
        except OSError as error:
            raise cannot_write(path, error) from error
        save_network(self.folder / CHECKPOINT_FILE, network, {"epoch": record.epoch})


def free_folder(config: RunConfig, parent: str | Path = "runs") -> Path:
    """A folder below `parent` that no run has taken, named after method, data set and seed."""
    name = f"{config.method}_{Path(config.dataset).stem}_seed{config.seed}"
    candidates = (Path(parent) / (name if n == 1 else f"{name}_{n}") for n in count(1))
    return next(folder for folder in candidates if not folder.exists())


def another_run(folder: Path) -> InputError:
    """The error for a folder that is taken."""
    return InputError(f"{folder} holds another run: choose another folder, or move that run away")
