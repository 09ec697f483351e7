"""A layer with biases: one more input, a constant unit that is always 1, so that COPI's rules learn the biases too.

With y' = [y, 1], W (O, I+1) and R (I+1, I+1), the layer computes x = R y' and a = W x. The last row of R stays at
(0, .., 0, 1), so that the last unit of x is always 1 too, and the last columns of W and R are biases. C = <x x^T> has
the means of the other units in its last row and column. The rules are the same as without a bias, except that the last
row of off(C) is left out, since the constant unit cannot move. With P, the identity without its last 1, they are

    dR = -P off(C) R                    matrix form, Eq. 4, first line: all rows but the last one
    dW = <delta x^T> + W P off(C)       COPI, Eq. 3 in the form of Theorem 1

At the fixed point P off(C) = 0: inputs x have mean 0 and are decorrelated. And decorrelating still does not disturb
what the layer computes: W R moves by eta <delta x^T> R to first order, as in Theorem 2. W P is W with its biases set to
0, so the second line is the COPI rule for W P and for states without the biases, a = W P x. This is what rules get to
see.

The local form -R off(C) learns R as if it had no biases, and biases learn by the plain db = -<x>. With -R P off(C), the
means of x would grow without limit where those of y are large.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from array_api_compat import array_namespace, device

from copi_np.arrays import Array
from copi_np.backend import Backend
from copi_np.errors import InputError
from copi_np.layer import Layer
from copi_np.rules import mean_outer
from copi_np.steps import States


def append_one(y: Array) -> Array:
    """Append a unit that is always 1 to a batch y, (B, I) to (B, I+1)."""
    xp = array_namespace(y)
    return xp.concat([y, xp.ones((y.shape[0], 1), dtype=y.dtype, device=device(y))], axis=1)


class BiasedLayer(Layer):
    """A layer whose units have biases, which start at 0.

    Parameters
    ----------
    W : (O, I) array                        forward weights without the biases
    activation, forward_step, decorrelation, backend
                                            as for `Layer`

    Attributes
    ----------
    W, R                                    (O, I+1) and (I+1, I+1); the last row of R is (0, .., 0, 1)
    """

    has_bias = True

    def __init__(self, W: Array, activation: Any, forward_step: Any, decorrelation: Any, backend: Backend) -> None:
        biases = backend.xp.zeros_like(W[:, :1])
        super().__init__(backend.xp.concat([W, biases], axis=1), activation, forward_step, decorrelation, backend)

    def rows(self, y: Array) -> Array:
        """Append the constant unit to inputs y (B, I)."""
        return append_one(y)

    def step(self, states: States, eta_W: float, eta_R: float) -> None:
        """Update W and R as `Layer.step` does, but leave out the last row of off(C)."""
        y = None if states.y is None else append_one(states.y)
        states = replace(states, y=y, a=states.a - self._W[:, -1])
        with self._local_biases(states, eta_R), _set_aside(self._W[:, -1]):
            super().step(states, eta_W, eta_R)
        if self._R is not None:
            self._R[-1, :-1], self._R[-1, -1] = 0, 1

    @contextmanager
    def _local_biases(self, states: States, eta_R: float) -> Iterator[None]:
        """Set the biases of R aside while the local form updates R, and move them by -<x>."""
        if self.lateral_step is None or self._R is None or not self.lateral_step.is_local_form:
            yield
            return
        states, eta_R = self.lateral_step.learns_from(states, eta_R)
        x = states.weighted().x
        biases = self._R[:-1, -1]
        with _set_aside(biases):
            yield
            biases[...] = -eta_R * mean_outer(x[:, :-1], x[:, -1:])[:, 0]

    def _checked(self, name: str, values: Array, shape: tuple[int, int]) -> Array:
        checked = super()._checked(name, values, shape)
        if name == "R" and not bool(self.backend.xp.all(checked[-1, :] == self._identity()[-1, :])):
            raise InputError("the last row of R belongs to the constant unit of the bias: it must be 0, .., 0, 1")
        return checked


@contextmanager
def _set_aside(biases: Array) -> Iterator[None]:
    """Set biases, a view, to 0; at the end, add the old values to what was learned in between."""
    before = biases + 0
    biases *= 0
    try:
        yield
    finally:
        biases += before
