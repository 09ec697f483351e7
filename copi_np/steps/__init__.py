"""How a layer moves its weights: the in-place twin of every rule of `rules.py`, and Adam for the baseline.

Each rule stands twice and no more: as the equation, in `rules.py`, and here as the step that training takes, fused
into as few passes over the (O, I) and (I, I) matrices as possible. Tests hold the two equal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, final

from copi_np.arrays import Array
from copi_np.backend import Backend
from copi_np.errors import InputError
from copi_np.scaled import ScaledRows

BLOCK: Final = 2**15
"""Weights that Adam moves at a time on the host."""


class ForwardStep(ABC):
    """Moves the forward weights of one layer, in place."""

    @abstractmethod
    def step(self, backend: Backend, W: Array, x: Array, a: Array, delta: Array, power: Array, eta_W: float) -> None:
        """Add eta_W times the update to W (O, I).

        Parameters
        ----------
        backend : Backend
        W : (O, I) array        forward weights, changed
        x : (B, I) array        decorrelated inputs
        a : (B, O) array        pre-activations
        delta : (B, O) array    error signal
        power : (I,) array      mean square of x over the batch
        eta_W : float           step size
        """

    def state(self) -> dict[str, Array | int]:
        """What the next step depends on, beside its arguments; nothing, unless a rule says otherwise."""
        return {}

    def restore(self, state: dict[str, Array | int]) -> None:
        """Go on from what `state` returned."""
        if state:
            raise InputError(f"{type(self).__name__} keeps nothing between steps, got {sorted(state)} to go on from")


@final
class CopiStep(ForwardStep):
    """``W += eta_W * rules.copi_update(W, x, a + delta)``."""

    def step(self, backend: Backend, W: Array, x: Array, a: Array, delta: Array, power: Array, eta_W: float) -> None:
        """Decay W, then add the Hebbian term; parameters as `ForwardStep.step`."""
        W *= 1 - eta_W * power
        backend.matmul_add(W, (a + delta).T, x, eta_W / x.shape[0])


@final
class SgdStep(ForwardStep):
    """``W += eta_W * rules.sgd_update(x, delta)``."""

    def step(self, backend: Backend, W: Array, x: Array, a: Array, delta: Array, power: Array, eta_W: float) -> None:
        """Add the update; parameters as `ForwardStep.step`."""
        backend.matmul_add(W, delta.T, x, eta_W / x.shape[0])


@final
class AdamStep(ForwardStep):
    """Adam on the SGD update of one layer (Kingma and Ba 2014; constants of Section 3.1 of the paper).

    Parameters
    ----------
    beta1, beta2 : float    decay of the running mean of the update and of its square
    epsilon : float         added to the root of the second, after the correction of its bias
    """

    def __init__(self, beta1: float = 0.9, beta2: float = 0.99, epsilon: float = 1e-8) -> None:
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.mean: Array = None
        self.square: Array = None
        self.count = 0

    def step(self, backend: Backend, W: Array, x: Array, a: Array, delta: Array, power: Array, eta_W: float) -> None:
        """Update the running means, then move W; parameters as `ForwardStep.step`."""
        if self.count == 0:
            self.mean, self.square = backend.xp.zeros_like(W), backend.xp.zeros_like(W)
        self.count += 1
        n_outputs, n_inputs = W.shape
        # on the host, block by block: what comes of a block stays in the processor's cache until it is used
        n_rows = max(1, BLOCK // n_inputs) if backend.is_host else n_outputs
        for start in range(0, n_outputs, n_rows):
            rows = slice(start, min(start + n_rows, n_outputs))
            move = self._direction(backend, delta[:, rows].T @ x / x.shape[0], self.mean[rows, :], self.square[rows, :])
            move *= eta_W
            W_rows = W[rows, :]
            W_rows += move

    def _direction(self, backend: Backend, dW: Array, mean: Array, square: Array) -> Array:
        """Update some rows of the running means with these rows of the update; the same rows of the move."""
        mean *= self.beta1
        mean += (1 - self.beta1) * dW
        square *= self.beta2
        dW *= dW
        dW *= 1 - self.beta2
        square += dW
        # the corrections of both biases are put into the two numbers that are left
        correction = (1 - self.beta2**self.count) ** 0.5
        size = backend.xp.sqrt(square)
        size += self.epsilon * correction
        direction = mean / size
        direction *= correction / (1 - self.beta1**self.count)
        return direction

    def state(self) -> dict[str, Array | int]:
        """The running means, each (O, I), and the number of steps so far."""
        return {"mean": self.mean, "square": self.square, "count": self.count} if self.count else {}

    def restore(self, state: dict[str, Array | int]) -> None:
        """Go on from what `state` returned."""
        self.mean, self.square, self.count = state["mean"], state["square"], int(state["count"])


FORWARD_STEPS: dict[str, Callable[[], ForwardStep]] = {"copi": CopiStep, "sgd": SgdStep, "adam": AdamStep}


def matrix_decorrelation_step(R: ScaledRows, x: Array, power: Array, eta_R: float, x_R: Array | None = None) -> None:
    """``R += eta_R * rules.decorrelation_update(R, x)``.

    Parameters
    ----------
    R : ScaledRows          lateral weights (I, I), changed
    x : (B, I) array        decorrelated inputs
    power : (I,) array      mean square of x over the batch
    eta_R : float           step size
    x_R : (B, I) array      x R, if it is known already
    """
    if x_R is None:
        x_R = R.rows_times(x)
    R.scale_rows(1 + eta_R * power)
    R.add_outer(x, x_R, -eta_R / x.shape[0])


def local_decorrelation_step(R: ScaledRows, x: Array, power: Array, eta_R: float, x_R: Array | None = None) -> None:
    """``R += eta_R * rules.local_decorrelation_update(R, x)``; parameters as above, of which x_R is of no use."""
    q = R.times_rows(x)
    R.scale_columns(1 + eta_R * power)
    R.add_outer(q, x, -eta_R / x.shape[0])


LATERAL_STEPS = {"matrix": matrix_decorrelation_step, "local": local_decorrelation_step}
