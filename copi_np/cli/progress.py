"""Progress bars for training, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Self

from copi_np.callbacks import Callback
from copi_np.history import EpochRecord
from copi_np.network import Network

SHOWN: Final = ContextVar("SHOWN", default=True)
"""Whether bars are shown: those of downloads are too deep down to be told one by one."""


@contextmanager
def no_bars() -> Iterator[None]:
    """Show no bars inside a ``with`` statement."""
    token = SHOWN.set(False)
    try:
        yield
    finally:
        SHOWN.reset(token)


class Bar(Callback):
    """A bar over epochs, with the time left; use it in a ``with`` statement. It appears with the first batch."""

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
        """Move the bar on, by a part of an epoch or more."""
        if not SHOWN.get():
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                desc=self.label,
                total=self.n_epochs,
                initial=self.n_before,
                bar_format="{desc}{bar:12} [{elapsed}<{remaining}{postfix}]",  # fits 80 columns
                mininterval=0.1 if sys.stderr.isatty() else 10.0,  # a log file wants few lines
            )
        self._bar.set_description_str(self.label, refresh=False)
        self._bar.total = self.n_epochs
        self._bar.update(min(n_epochs, self.n_epochs - self._bar.n))  # a sum of rounded parts may come to more than all

    def note(self, text: str, *, at_once: bool = True) -> None:
        """Show `text` behind the bar, at once or the next time that it moves."""
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=at_once)

    def tell(self, text: str) -> None:
        """Print `text` above the bar, where it stays."""
        if SHOWN.get():
            from tqdm import tqdm

            tqdm.write(text, file=sys.stderr)

    def on_batch(self, batch: int, n_batches: int) -> None:
        """Move the bar on by a batch."""
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
    """One bar for many runs, and which of them is at work.

    Parameters
    ----------
    n_runs : int
    n_epochs : int      of all runs together, without those that are on record already
    """

    def __init__(self, n_runs: int, n_epochs: int) -> None:
        super().__init__("", n_epochs)
        self.n_runs = n_runs
        self.n_begun = 0
        self.end = 0.0

    def begin(self, label: str, n_epochs: float = 0.0) -> None:
        """Say which run comes next, and its epochs; or, of runs at the same time, which has come to its end."""
        self.n_begun += 1
        self.label = f"{self.n_begun}/{self.n_runs} {label:28}"
        self.end = self.n_done + n_epochs

    @property
    def n_done(self) -> float:
        """Epochs that the bar has counted."""
        return 0.0 if self._bar is None else float(self._bar.n)

    def set_left(self, n_epochs: float) -> None:
        """Say how many epochs are left, where nobody tells of batches."""
        self.advance(max(0.0, self.n_epochs - n_epochs - self.n_done))

    def end_run(self) -> None:
        """Take off the total what the present run has not done: it failed, or stopped early."""
        self.n_epochs -= max(0.0, self.end - self.n_done)

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Show the accuracy."""
        self.note(f"test {100 * record.test_accuracy:.1f} %", at_once=False)  # a log file wants few lines
