"""Gradient descent preconditioned by the inverse second moments of a layer's inputs, computed explicitly."""

from __future__ import annotations

from typing import final

from copi_np.arrays import Array
from copi_np.backend import Backend
from copi_np.family import DAMPING
from copi_np.rules import mean_outer
from copi_np.steps.base import States, Step


@final
class NaturalStep(Step):
    """FOOF, the input half of K-FAC: ``W += eta_W * family.natural_update(x, delta, C)``, C a running mean of <x x^T>.

    Parameters
    ----------
    beta : float        share of the running mean that remains after a batch
    every : int         batches from one inverse to the next, since it is expensive
    damping : float     as for `family.natural_update`
    """

    uses_y = False

    def __init__(self, beta: float = 0.95, every: int = 10, damping: float = DAMPING) -> None:
        self.beta = beta
        self.every = every
        self.damping = damping
        self.C: Array = None
        self.inverse: Array = None
        self.count = 0

    def start(self, weights: Array, backend: Backend) -> None:
        """Forget the second moments; parameters as for `Step.start`."""
        super().start(weights, backend)
        self.C, self.inverse, self.count = None, None, 0

    def step(self, weights: Array, states: States, eta: float) -> None:
        """Update C, every n-th time its inverse, then W; parameters as for `Step.step`."""
        xp, x = self.backend.xp, states.x
        C = mean_outer(x, x)
        self.C = C if self.C is None else self.beta * self.C + (1 - self.beta) * C
        if self.count % self.every == 0:
            identity = xp.eye(C.shape[0], dtype=C.dtype, device=self.backend.device)
            self.inverse = xp.linalg.inv(self.C + self.damping * identity)
        self.count += 1
        weights += eta * (mean_outer(states.delta, x) @ self.inverse)

    def state(self) -> dict[str, Array | float]:
        """Return C and its inverse, (I, I) each, and the number of steps so far."""
        return {"C": self.C, "inverse": self.inverse, "count": self.count} if self.count else {}

    def restore(self, state: dict[str, Array | float]) -> None:
        """Continue from what `state` returned."""
        if state:
            self.C, self.inverse, self.count = state["C"], state["inverse"], int(state["count"])
