"""Gradient descent with momentum."""

from __future__ import annotations

from typing import final

from copi_np.arrays import Array
from copi_np.backend import Backend
from copi_np.steps.base import States, Step


@final
class MomentumStep(Step):
    """The heavy ball of Polyak (1964): ``v = beta * v + rules.sgd_update(x, delta)``, then ``W += eta_W * v``.

    Parameters
    ----------
    beta : float    share of the velocity v that remains after a step
    """

    uses_y = False

    def __init__(self, beta: float = 0.9) -> None:
        self.beta = beta
        self.velocity: Array = None

    def start(self, weights: Array, backend: Backend) -> None:
        """Forget the velocity; parameters as for `Step.start`."""
        super().start(weights, backend)
        self.velocity = None

    def step(self, weights: Array, states: States, eta: float) -> None:
        """Update the velocity, then W; parameters as for `Step.step`."""
        assert states.delta is not None
        if self.velocity is None:
            self.velocity = self.backend.xp.zeros_like(weights)
        self.velocity *= self.beta
        self.backend.matmul_add(self.velocity, states.delta.T, states.x, 1 / states.x.shape[0])
        weights += eta * self.velocity

    def state(self) -> dict[str, Array | float]:
        """Return the velocity, (O, I), once there is one."""
        return {} if self.velocity is None else {"velocity": self.velocity}

    def restore(self, state: dict[str, Array | float]) -> None:
        """Continue from what `state` returned."""
        self.velocity = state.get("velocity")
