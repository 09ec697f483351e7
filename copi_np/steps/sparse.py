"""Cheaper decorrelation: R learns from some samples of a batch, or from some batches."""

from __future__ import annotations

from dataclasses import replace
from typing import final

from copi_np.arrays import Array, NDArray
from copi_np.backend import Backend
from copi_np.steps.base import States, Step


@final
class SparseStep(Step):
    """Updates R from only the first samples of a batch, or only every n-th batch, with n times the step size.

    Batches are shuffled, so the first samples are a random choice. At a given R, the mean update is the same as from
    all samples of all batches, if the rule is linear in <x x^T>, as Eq. 4 is.

    Parameters
    ----------
    inner : Step            the update
    samples : int or None   samples of each batch that it learns from; None: all
    every : int             batches from one update to the next
    """

    def __init__(self, inner: Step, samples: int | None, every: int) -> None:
        self.inner = inner
        self.samples = samples
        self.every = every
        self.takes_sample_weight = inner.takes_sample_weight
        self.is_local_form = inner.is_local_form
        self.uses_y = inner.uses_y
        self._waited = 0

    def start(self, weights: Array, backend: Backend) -> None:
        """Prepare for a layer's weights; the first update is at the first batch."""
        self.inner.start(weights, backend)
        self._waited = 0

    def rows_of_x_R(self, batch_size: int) -> int:
        """Return what `Step.rows_of_x_R` returns, but 0 at batches without an update."""
        return 0 if self._waited else self.inner.rows_of_x_R(min(self.samples or batch_size, batch_size))

    def step(self, weights: Array, states: States, eta: float) -> None:
        """Update R if it is this batch's turn; parameters as for `Step.step`."""
        states, eta = self.learns_from(states, eta)
        if eta != 0:
            self.inner.step(weights, states, eta)
        self._waited = (self._waited + 1) % self.every

    def learns_from(self, states: States, eta: float) -> tuple[States, float]:
        """Return what `Step.learns_from` returns, with a step size of 0 at batches without an update."""
        eta = 0.0 if self._waited else self.every * eta
        states = states.first(self.samples)
        return (states if self.every == 1 else replace(states, eta_R=eta)), eta

    def state(self) -> dict[str, Array | float]:
        """Return the state of the update, and how many batches ago the last one was."""
        return self.inner.state() | ({} if self.every == 1 else {"batches_waited": float(self._waited)})

    def restore(self, state: dict[str, Array | float]) -> None:
        """Continue from what `state` returned."""
        state = dict(state)
        self._waited = int(state.pop("batches_waited", 0)) % self.every
        self.inner.restore(state)

    def stable_eta(self, y: NDArray) -> float | None:
        """Return what `Step.stable_eta` returns, for a step that is `every` times as large."""
        eta = self.inner.stable_eta(y)
        return None if eta is None else eta / self.every
