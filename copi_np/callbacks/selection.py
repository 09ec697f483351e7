"""Selection on a validation split: the best epoch so far, and the end when there is no better one.

None of this looks at the test set. A choice made on it would make the accuracy of what is chosen too good.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from copi_np._checks import check_count
from copi_np.callbacks.base import Callback, another_training
from copi_np.checkpoint import load_like, save_network
from copi_np.errors import CopiWarning, DataError, InputError, choose
from copi_np.history import EpochRecord
from copi_np.network import Network
from copi_np.storage.atomic import check_free
from copi_np.storage.untrusted import is_taken

MONITORS: Final[dict[str, Callable[[EpochRecord], float | None]]] = {
    "val_accuracy": lambda record: record.val_accuracy,
    "val_loss": lambda record: None if record.val_loss is None else -record.val_loss,
}
"""What an epoch may be chosen by: the higher, the better."""


def best_epoch(history: Sequence[EpochRecord], monitor: str = "val_accuracy") -> int:
    """The epoch that is best on the validation split, counted from 1; the first of those that are equal.

    Parameters
    ----------
    history : sequence of EpochRecord
    monitor : {"val_accuracy", "val_loss"}

    Returns
    -------
    epoch : int

    Raises
    ------
    InputError      if there is no epoch, or one without a validation split
    """
    score = choose("monitor", monitor, MONITORS)
    scores = [value for record in history if (value := score(record)) is not None]
    if not scores or len(scores) < len(history):
        raise InputError("there is no validation split to choose an epoch by: train with hold_out(data, 0.1, rng)")
    return 1 + scores.index(max(scores))


class EarlyStopping(Callback):
    """Ends training after `patience` epochs in a row that were not the best so far on the validation split.

    Parameters
    ----------
    patience : int              epochs without a new best one
    monitor : {"val_accuracy", "val_loss"}
    first_epochs : int          epochs that are not counted: decorrelation has to set in first, see `Schedule`

    Raises
    ------
    InputError                  if a value cannot be used; from `fit`, if the data have no validation split
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
        """Count the epochs that are done already."""
        self.history = list(history)
        self._count()

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Stop if it has been long enough."""
        self.history.append(record)
        self._count()

    def _count(self) -> None:
        self.stop = has_waited(self.history, self.patience, self.first_epochs, self.monitor)


def has_waited(
    history: Sequence[EpochRecord], patience: int, first_epochs: int = 0, monitor: str = "val_accuracy"
) -> bool:
    """Whether `patience` epochs in a row, those of `first_epochs` not counted, were not the best so far."""
    if not history:
        return False
    return len(history) - max(best_epoch(history, monitor), first_epochs) >= patience


class BestCheckpoint(Callback):
    """Keeps the network of the epoch that is best on the validation split.

    `load_network` reads it; its metadata are the record of that epoch.

    Parameters
    ----------
    path : path                 an .npz file, replaced by each better epoch
    monitor : {"val_accuracy", "val_loss"}

    Raises
    ------
    InputError                  from `fit`, if the data have no validation split, or if there is such a file before the
                                first epoch, or later one of another training
    DataError                   if the file cannot be written

    Warns
    -----
    CopiWarning                 if training goes on, but the file with the best epoch so far is gone
    """

    needs_validation = True

    def __init__(self, path: str | os.PathLike[str], monitor: str = "val_accuracy") -> None:
        choose("monitor", monitor, MONITORS)
        self.path = Path(path)
        self.monitor = monitor
        self.history: list[EpochRecord] = []

    def on_start(self, network: Network, history: Sequence[EpochRecord]) -> None:
        """See that nothing is lost: another file, or the latest epoch, of which a killed process did not get so far."""
        self.history = list(history)
        if not history:
            check_free(self.path)
            return
        self._check_own(network)
        self._keep_if_best(network)
        if not is_taken(self.path):
            epoch = best_epoch(history, self.monitor)
            warnings.warn(f"{self.path}, with epoch {epoch}, is gone: only a better one is kept", CopiWarning, 2)

    def _check_own(self, network: Network) -> None:
        """Raise an InputError if there is a file that is of no epoch of this training, or at most its next one."""
        if not is_taken(self.path):
            return
        try:
            found, metadata = load_like(self.path, network)
        except (DataError, InputError) as error:
            raise another_training(self.path) from error
        epochs = [record.as_dict() for record in self.history]
        # training may have gone on from the checkpoint before the latest
        is_next = found.config == network.config and metadata.get("epoch") == len(epochs) + 1
        if metadata not in epochs and not is_next:
            raise another_training(self.path)

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Keep the network, if it is the best so far."""
        self.history.append(record)
        self._keep_if_best(network)

    def _keep_if_best(self, network: Network) -> None:
        if best_epoch(self.history, self.monitor) == len(self.history):
            save_network(self.path, network, self.history[-1].as_dict())
