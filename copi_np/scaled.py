"""A matrix whose rows carry a factor that is multiplied in later: M = diag(scale) @ stored.

The rule of the lateral weights multiplies every row of R by a factor of its own at each step. Done at once, that is one
more pass over memory, which for thousands of units costs as much as a tenth of a step; put off, it is a product of
vectors. Whoever only reads changes nothing, so that several threads may read at once.
"""

from __future__ import annotations

from typing import Final, final

from copi_np.arrays import Array
from copi_np.backend import Backend

MOST_FACTORS: Final = 16
"""Factors that may be put off; few enough that on a device, where nobody looks at them, they stay in range."""
LARGEST: Final = 1e3
"""A scale outside 1 / LARGEST to LARGEST is multiplied in at once, on the host."""


@final
class ScaledRows:
    """The matrix diag(scale) @ stored.

    Parameters
    ----------
    stored : (N, M) array       taken over, and changed in place
    backend : Backend
    """

    def __init__(self, stored: Array, backend: Backend) -> None:
        self._stored = stored
        self._backend = backend
        self._scale: Array | None = None
        self._n_factors = 0

    def array(self) -> Array:
        """The matrix itself: what is stored where no factor is put off, else a new array with all multiplied in."""
        return self._stored if self._scale is None else self._stored * self._scale[:, None]

    def times_rows(self, y: Array) -> Array:
        """``y @ M.T``: M times every row of y (B, M); (B, N)."""
        product = y @ self._stored.T
        return product if self._scale is None else product * self._scale

    def rows_times(self, x: Array) -> Array:
        """``x @ M``, for x (B, N); (B, M)."""
        return (x if self._scale is None else x * self._scale) @ self._stored

    def scale_rows(self, factors: Array) -> None:
        """``M *= factors[:, None]``, put off; factors (N,) are not zero."""
        self._scale = factors if self._scale is None else self._scale * factors
        self._n_factors += 1
        if self._n_factors >= MOST_FACTORS or (self._backend.is_host and self._out_of_range()):
            self._stored *= self._scale[:, None]
            self._scale, self._n_factors = None, 0

    def scale_columns(self, factors: Array) -> None:
        """``M *= factors``, at once; factors (M,)."""
        self._stored *= factors

    def _out_of_range(self) -> bool:
        xp = self._backend.xp
        size = xp.abs(self._scale)
        in_range = xp.all((size >= 1 / LARGEST) & (size <= LARGEST))
        return not bool(in_range)

    def add_outer(self, x: Array, y: Array, alpha: float) -> None:
        """``M += alpha * x.T @ y``, for x (B, N) and y (B, M)."""
        if self._scale is not None:
            x = x / self._scale
        self._backend.matmul_add(self._stored, x.T, y, alpha)
