"""Forward weights in place: COPI and gradient descent."""

from __future__ import annotations

from typing import final

from copi_np.arrays import Array
from copi_np.steps.base import States, Step


@final
class CopiStep(Step):
    """``W += eta_W * rules.copi_update(W, x, a + delta)`` (Eq. 3)."""

    needs_decorrelated_inputs = True
    uses_y = False

    def step(self, weights: Array, states: States, eta: float) -> None:
        """Decay W, then add the Hebbian term; parameters as for `Step.step`."""
        weights *= 1 - eta * states.power
        self.backend.matmul_add(weights, states.z.T, states.x, eta / states.x.shape[0])


@final
class SgdStep(Step):
    """``W += eta_W * rules.sgd_update(x, delta)`` (Section 2.7)."""

    uses_y = False

    def step(self, weights: Array, states: States, eta: float) -> None:
        """Add the update; parameters as for `Step.step`."""
        assert states.delta is not None
        self.backend.matmul_add(weights, states.delta.T, states.x, eta / states.x.shape[0])
