"""Adam, the paper's baseline."""

from __future__ import annotations

from typing import Final, final

from copi_np.arrays import Array, slices
from copi_np.backend import Backend
from copi_np.steps.base import States, Step

BLOCK: Final = 2**15
"""How many weights Adam updates at a time on the host."""


@final
class AdamStep(Step):
    """Adam on the SGD update of one layer (Kingma and Ba 2014; constants of Section 3.1 of the paper).

    Parameters
    ----------
    beta1, beta2 : float    decay rates of the running means of the update and of its square
    epsilon : float         added to the root of the second mean, after its bias is corrected
    """

    uses_y = False

    def __init__(self, beta1: float = 0.9, beta2: float = 0.99, epsilon: float = 1e-8) -> None:
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.mean: Array = None
        self.square: Array = None
        self.count = 0

    def start(self, weights: Array, backend: Backend) -> None:
        """Forget the running means; parameters as for `Step.start`."""
        super().start(weights, backend)
        self.mean, self.square, self.count = None, None, 0

    def step(self, weights: Array, states: States, eta: float) -> None:
        """Update the running means, then W; parameters as for `Step.step`."""
        x, delta, backend = states.x, states.delta, self.backend
        assert delta is not None
        if self.count == 0:
            self.mean, self.square = backend.xp.zeros_like(weights), backend.xp.zeros_like(weights)
        self.count += 1
        n_outputs, n_inputs = weights.shape
        # on the host, block by block, so that the intermediate results of a block stay in the processor's cache
        n_rows = max(1, BLOCK // n_inputs) if backend.is_host else n_outputs
        for rows in slices(n_outputs, n_rows):
            move = self._direction(delta[:, rows].T @ x / x.shape[0], self.mean[rows, :], self.square[rows, :])
            move *= eta
            block = weights[rows, :]
            block += move

    def _direction(self, dW: Array, mean: Array, square: Array) -> Array:
        """Update some rows of the running means, and return the direction in which to move them; overwrites dW."""
        mean *= self.beta1
        mean += (1 - self.beta1) * dW
        square *= self.beta2
        dW *= dW
        dW *= 1 - self.beta2
        square += dW
        # both bias corrections, folded into the two scalars below
        correction = (1 - self.beta2**self.count) ** 0.5
        size = self.backend.xp.sqrt(square)
        size += self.epsilon * correction
        direction = mean / size
        direction *= correction / (1 - self.beta1**self.count)
        return direction

    def state(self) -> dict[str, Array | float]:
        """Return the running means, (O, I) each, and the number of steps so far."""
        return {"mean": self.mean, "square": self.square, "count": self.count} if self.count else {}

    def restore(self, state: dict[str, Array | float]) -> None:
        """Continue from what `state` returned."""
        if state:
            self.mean, self.square, self.count = state["mean"], state["square"], int(state["count"])
