"""Progress bars for training, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from copi_np.callbacks import Callback
from copi_np.datasets.fetch import SHOW_PROGRESS
from copi_np.history import EpochRecord
from copi_np.network import Network


@contextmanager
def no_bars() -> Iterator[None]:
    """Show no bars inside a ``with`` statement."""
    token = SHOW_PROGRESS.set(False)
    try:
        yield
    finally:
        SHOW_PROGRESS.reset(token)


class Bar(Callback):
    """A progress bar over epochs, with the time left; use it in a ``with`` statement. It appears at the first batch."""

    def __init__(self, label: str, n_epochs: float, n_before: float = 0.0) -> None:
        self.label = label
        self.n_epochs = n_epochs
        self.n_before = n_before
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, n_epochs: float) -> None:
        """Advance the bar by a number of epochs, or a part of one."""
        if not SHOW_PROGRESS.get():
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                desc=self.label,
                total=self.n_epochs,
                initial=self.n_before,
                bar_format="{desc}{bar:12} [{elapsed}<{remaining}{postfix}]",  # fits 80 columns
                mininterval=0.1 if sys.stderr.isatty() else 10.0,  # few lines in a log file
            )
        self._bar.set_description_str(self.label, refresh=False)
        self._bar.total = self.n_epochs
        self._bar.update(min(n_epochs, self.n_epochs - self._bar.n))  # rounded parts may add up to more than the total

    def note(self, text: str, *, at_once: bool = True) -> None:
        """Show `text` after the bar, at once or when the bar next moves."""
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=at_once)

    def print_above(self, text: str) -> None:
        """Print `text` above the bar, permanently."""
        if SHOW_PROGRESS.get():
            from tqdm import tqdm

            tqdm.write(text, file=sys.stderr)

    def on_batch(self, batch: int, n_batches: int) -> None:
        """Advance the bar by one batch."""
        self.advance(1 / n_batches)


class ProgressBar(Bar):
    """The bar of one run, with its latest accuracy."""

    def __init__(self, label: str, epochs: int, epochs_before: int = 0) -> None:
        super().__init__(f"{label:20}", epochs, epochs_before)

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Show the accuracy."""
        self.note(
            f"{record.epoch}/{self.n_epochs}: "
            f"train {100 * record.train_accuracy:.1f} test {100 * record.test_accuracy:.1f} %"
        )


class CampaignBar(Bar):
    """One bar for many runs, which also shows the current run.

    Parameters
    ----------
    n_runs : int
    n_epochs : int      of all runs together, without those already recorded
    """

    def __init__(self, n_runs: int, n_epochs: int) -> None:
        super().__init__("", n_epochs)
        self.n_runs = n_runs
        self.n_begun = 0
        self.end = 0.0

    def begin(self, label: str, n_epochs: float = 0.0) -> None:
        """Show the next run and count its epochs; of parallel runs, show the one that has ended."""
        self.n_begun += 1
        self.label = f"{self.n_begun}/{self.n_runs} {label:28}"
        self.end = self.n_done + n_epochs

    @property
    def n_done(self) -> float:
        """Epochs counted so far."""
        return 0.0 if self._bar is None else float(self._bar.n)

    def set_left(self, n_epochs: float) -> None:
        """Set how many epochs are left, for runs whose batches are not reported."""
        self.advance(max(0.0, self.n_epochs - n_epochs - self.n_done))

    def end_run(self) -> None:
        """Subtract from the total the epochs that the current run did not do, because it failed or stopped early."""
        self.n_epochs -= max(0.0, self.end - self.n_done)

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Show the accuracy."""
        self.note(f"test {100 * record.test_accuracy:.1f} %", at_once=False)  # few lines in a log file
