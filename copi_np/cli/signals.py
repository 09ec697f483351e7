"""Stop when the user or the system asks, between two batches, and never while a file is being written."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from copi_np.callbacks import Callback
from copi_np.errors import StoppedError


class StopOnSignal(Callback):
    """Callback that turns SIGINT (Ctrl-C) or SIGTERM into a `StoppedError` after the current batch.

    Use it in a ``with`` statement. A second signal takes effect at once, as it would without this.
    """

    def __init__(self) -> None:
        self._received: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopOnSignal:
        self._previous = {number: signal.signal(number, self._receive) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *exception: object) -> None:
        self._restore()

    def on_batch(self, batch: int, n_batches: int) -> None:
        """Stop if a signal has arrived."""
        self.check()

    def check(self) -> None:
        """Raise a `StoppedError` if a signal has arrived."""
        if self._received is not None:
            raise StoppedError(self._received)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM raise a KeyboardInterrupt with its number, so that programs end as cleanly as by Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread can handle signals
        yield
        return
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(number)
