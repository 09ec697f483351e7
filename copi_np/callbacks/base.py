"""The base class of callbacks, whose methods do nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from copi_np.errors import InputError
from copi_np.history import EpochRecord
from copi_np.network import Network


def another_training(path: Path) -> InputError:
    """Return the error for an existing file that this training run cannot have written."""
    what = "it belongs to another training run, or to later epochs"
    return InputError(f"{path} already exists: {what}, so move it away, or choose another path")


class Callback:
    """Base class of callbacks: override the methods you need.

    Attributes
    ----------
    stop : bool                 set it to True to end training before the next epoch
    needs_validation : bool     whether the data must have a validation split, see `copi_np.datasets.hold_out`
    """

    stop: bool = False
    needs_validation: bool = False

    def on_start(self, network: Network, history: Sequence[EpochRecord]) -> None:
        """Called before the first batch, after all checks; `history` holds the epochs done so far."""

    def on_batch(self, batch: int, n_batches: int) -> None:
        """Called after each batch, counted from 1 in every epoch."""

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Called after each epoch and its evaluation."""
