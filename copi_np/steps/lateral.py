"""Lateral weights in place: both forms of decorrelation."""

from __future__ import annotations

from typing import final

import numpy as np

from copi_np.arrays import Array, NDArray
from copi_np.steps.base import States, Step


@final
class MatrixStep(Step):
    """``R += eta_R * rules.decorrelation_update(R, x)`` (Eq. 4, first line)."""

    uses_y = False
    uses_x_R = True

    def step(self, weights: Array, states: States, eta: float) -> None:
        """Grow each row by its unit's power, then add the outer product; parameters as for `Step.step`."""
        x = states.x
        if states.x_R is None and x.shape[0] > x.shape[1]:  # (x^T x) R takes fewer operations than x^T (x R)
            left, right = x.T @ x, weights * 1
        else:
            left, right = x.T, x @ weights if states.x_R is None else states.x_R
        weights *= (1 + eta * states.power)[:, None]
        self.backend.matmul_add(weights, left, right, -eta / x.shape[0])

    def stable_eta(self, y: NDArray) -> float | None:
        """Return a step size that is stable for lateral weights that start from the identity.

        Once its inputs are nearly decorrelated, a layer is stable for eta_R < 2 / (sum of the two largest variances).
        On raw inputs the bound is 2 / (largest eigenvalue of their second moments), and that eigenvalue is at least
        half of the sum. This returns half of that bound, since the moments of one batch differ from those of the next.

        Parameters
        ----------
        y : (B, I) array        inputs of the layer, before its lateral weights

        Returns
        -------
        eta_R : float or None   None where inputs are zero, or their squares overflow
        """
        y = y.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            power = np.sum(y**2)
        if not 0 < power < np.inf:
            return None
        return float(len(y) / np.linalg.norm(y, 2) ** 2)


@final
class LocalStep(Step):
    """``R += eta_R * rules.local_decorrelation_update(R, x)`` (Eq. 4, second line)."""

    is_local_form = True
    uses_y = False

    def step(self, weights: Array, states: States, eta: float) -> None:
        """Grow each column by its unit's power, then add the outer product; parameters as for `Step.step`."""
        x = states.x
        q = x @ weights.T
        weights *= 1 + eta * states.power
        self.backend.matmul_add(weights, q.T, x, -eta / x.shape[0])
