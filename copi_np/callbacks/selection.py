"""Select on a validation split: keep the best epoch, and stop early.

Nothing here looks at the test set: selecting on it would make the selected test accuracy optimistic.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from typing import Final

from copi_np._checks import check_count
from copi_np.callbacks.base import Callback, another_training
from copi_np.checkpoint import load_like, save_network
from copi_np.errors import CopiWarning, DataError, InputError, choose
from copi_np.history import EpochRecord
from copi_np.network import Network
from copi_np.storage.atomic import check_free, check_writable, is_stream
from copi_np.storage.untrusted import path_exists

MONITORS: Final[dict[str, Callable[[EpochRecord], float | None]]] = {
    "val_accuracy": lambda record: record.val_accuracy,
    "val_loss": lambda record: None if record.val_loss is None else -record.val_loss,
}
"""Scores to select an epoch by: the higher, the better."""


def best_epoch(history: Sequence[EpochRecord], monitor: str = "val_accuracy") -> int:
    """Return the epoch that is best on the validation split, counted from 1; of several equal ones, the first.

    Parameters
    ----------
    history : sequence of EpochRecord
    monitor : {"val_accuracy", "val_loss"}

    Returns
    -------
    epoch : int

    Raises
    ------
    InputError      if there is no epoch, or no validation split in one of them
    """
    score = choose("monitor", monitor, MONITORS)
    scores = [value for record in history if (value := score(record)) is not None]
    if not scores or len(scores) < len(history):
        raise InputError("there is no validation split to select an epoch by: train with hold_out(data, 0.1, rng)")
    return len(scores) - epochs_since_best(scores)


def epochs_since_best(scores: Sequence[float], tol: float = 0.0) -> int:
    """Count the latest epochs in a row that did not beat the best score before them by more than `tol`."""
    best, waited = -inf, 0
    for score in scores:
        waited = 0 if score > best + tol else waited + 1
        best = max(best, score)
    return waited


class EarlyStopping(Callback):
    """Callback that ends training after `patience` epochs in a row without a new best on the validation split.

    Parameters
    ----------
    patience : int              epochs without a new best
    monitor : {"val_accuracy", "val_loss"}
    first_epochs : int          epochs that do not count, while decorrelation sets in, see `Schedule`

    Raises
    ------
    InputError                  if a value is invalid; from `fit`, if the data have no validation split
    """

    needs_validation = True

    def __init__(self, patience: int, monitor: str = "val_accuracy", *, first_epochs: int = 0) -> None:
        check_count("patience", patience)
        check_count("first_epochs", first_epochs, minimum=0)
        choose("monitor", monitor, MONITORS)
        self.patience = patience
        self.monitor = monitor
        self.first_epochs = first_epochs
        self.history: list[EpochRecord] = []

    def on_start(self, network: Network, history: Sequence[EpochRecord]) -> None:
        """Count the epochs done so far."""
        self.history = list(history)
        self._count()

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Stop if patience has run out."""
        self.history.append(record)
        self._count()

    def _count(self) -> None:
        self.stop = has_waited(self.history, self.patience, self.first_epochs, self.monitor)


def has_waited(
    history: Sequence[EpochRecord], patience: int, first_epochs: int = 0, monitor: str = "val_accuracy"
) -> bool:
    """Return whether `patience` epochs in a row, not counting the first epochs, have brought no new best."""
    if not history:
        return False
    return len(history) - max(best_epoch(history, monitor), first_epochs) >= patience


class BestCheckpoint(Callback):
    """Callback that saves the network of the epoch that is best on the validation split.

    `load_network` reads it; its metadata hold the record of that epoch.

    Parameters
    ----------
    path : path                 an .npz file, replaced at each better epoch
    monitor : {"val_accuracy", "val_loss"}

    Raises
    ------
    InputError                  from `fit`, if the data have no validation split, or if the file exists before the first
                                epoch, or later belongs to another training run
    DataError                   from `fit`, if the file cannot be written

    Warns
    -----
    CopiWarning                 if training resumes, but the file with the best epoch so far is missing
    """

    needs_validation = True

    def __init__(self, path: str | os.PathLike[str], monitor: str = "val_accuracy") -> None:
        choose("monitor", monitor, MONITORS)
        self.path = Path(path)
        self.monitor = monitor
        self.history: list[EpochRecord] = []

    def on_start(self, network: Network, history: Sequence[EpochRecord]) -> None:
        """Check that the file is from this training run; save the latest epoch if a killed process failed to."""
        self.history = list(history)
        check_writable(self.path)
        if not history:
            check_free(self.path)
            return
        self._check_own(network)
        self._keep_if_best(network)
        if not path_exists(self.path):
            epoch = best_epoch(history, self.monitor)
            warnings.warn(
                f"{self.path}, with epoch {epoch}, is missing: only a better one will be saved", CopiWarning, 2
            )

    def _check_own(self, network: Network) -> None:
        """Raise an InputError unless the file holds an epoch of this training run, or the next one."""
        if not path_exists(self.path) or is_stream(self.path):
            return
        try:
            found, metadata = load_like(self.path, network)
        except (DataError, InputError):
            raise another_training(self.path) from None
        epochs = [record.as_dict() for record in self.history]
        # training may have resumed from the checkpoint before the latest
        is_next = found.config == network.config and metadata.get("epoch") == len(epochs) + 1
        if metadata not in epochs and not is_next:
            raise another_training(self.path)

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Save the network if it is the best so far."""
        self.history.append(record)
        self._keep_if_best(network)

    def _keep_if_best(self, network: Network) -> None:
        if best_epoch(self.history, self.monitor) == len(self.history):
            save_network(self.path, network, self.history[-1].as_dict())
