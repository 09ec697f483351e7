"""A progress bar for training, on standard error."""

from __future__ import annotations

import sys
from typing import Any

from copi_np.network import Network
from copi_np.training import Callback, EpochRecord


class ProgressBar(Callback):
    """One bar a run, over all batches of all epochs, with the latest accuracy; use it in a ``with`` statement.

    Parameters
    ----------
    label : str     stands before the bar
    epochs : int    number of epochs of the run
    """

    def __init__(self, label: str, epochs: int) -> None:
        self.label = label
        self.epochs = epochs
        self._bar: Any = None

    def __enter__(self) -> ProgressBar:
        return self

    def on_start(self, network: Network) -> None:
        """Draw the bar."""
        from tqdm import tqdm

        self._bar = tqdm(
            desc=f"{self.label:20}",
            bar_format="{desc}{bar:12} [{elapsed}<{remaining}{postfix}]",  # fits 80 columns
            mininterval=0.1 if sys.stderr.isatty() else 10.0,  # a log file wants few lines
        )

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def on_batch(self, batch: int, n_batches: int) -> None:
        """Move the bar on."""
        self._bar.total = self.epochs * n_batches
        self._bar.update()

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Show the accuracy."""
        self._bar.set_postfix_str(
            f"{record.epoch}/{self.epochs}: "
            f"train {100 * record.train_accuracy:.1f} test {100 * record.test_accuracy:.1f} %"
        )
