"""Records of epochs, and the callback that does nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from copi_np.errors import InputError
from copi_np.history import EpochRecord
from copi_np.network import Network


def another_training(path: Path) -> InputError:
    """The error for a file that is there, and not what this training would have written."""
    what = "it is of another training, or of later epochs"
    return InputError(f"{path} exists already: {what}, so move it away, or choose another path")


class Callback:
    """Told of what happens in training; override what you need.

    Attributes
    ----------
    stop : bool                 set it, and no further epoch begins
    needs_validation : bool     whether it is of no use without a validation split, see `copi_np.datasets.hold_out`
    """

    stop: bool = False
    needs_validation: bool = False

    def on_start(self, network: Network, history: Sequence[EpochRecord]) -> None:
        """Called once everything is checked, before the first batch; with the epochs that are done already."""

    def on_batch(self, batch: int, n_batches: int) -> None:
        """Called after each batch, counted from 1 in every epoch."""

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Called after each epoch, once it is evaluated."""
