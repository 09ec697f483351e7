"""Decorrelation and whitening as a scikit-learn transformer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Any, Final, Self
from warnings import warn

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, check_is_fitted

from copi_np._checks import check_count, check_flag, check_rate
from copi_np._memory import check_fits
from copi_np.analysis import decorrelation_path, lateral_move
from copi_np.arrays import Array, NDArray
from copi_np.backend import get_backend
from copi_np.errors import DivergenceError, InputError, choose, list_names, shown
from copi_np.estimators.base import OwnParts
from copi_np.estimators.inputs import FLOATS, check_complete, validated
from copi_np.family import foldiak_update, normalised_decorrelation_update
from copi_np.rules import decorrelate, decorrelation_update, local_decorrelation_update
from copi_np.steps import LATERAL_ARGUMENTS, LATERAL_FAMILY
from copi_np.whitening import cholesky, mean_absolute_correlation, pca, second_moment, zca


def foldiak_lateral_update(R: Array, x: Array, eta_R: float) -> Array:
    """Return the change of R = (I + L)^-1, divided by eta_R, in a step of Foldiak's rule for L, see `family`."""
    L = np.linalg.inv(R) - np.eye(len(R), dtype=R.dtype)
    return (np.linalg.inv(np.eye(len(R), dtype=R.dtype) + L + eta_R * foldiak_update(L, x)) - R) / eta_R


UPDATES: Final[dict[str, Callable[..., Array]]] = {
    "copi": decorrelation_update,
    "copi-local": local_decorrelation_update,
    **LATERAL_FAMILY,
    "normalised": partial(
        normalised_decorrelation_update, damping=1e-30
    ),  # only features that are always zero need any
    "foldiak": foldiak_lateral_update,
}
WHITENINGS: Final[dict[str, Callable[[Array, float], Array]]] = {"zca": zca, "pca": pca, "cholesky": cholesky}
N_MATRICES: Final = 3
"""Matrices (I, I) that any method needs at once: second moments, R, and the update or the eigenvectors."""


def _sum_of_products(X: NDArray) -> NDArray:
    """Return X^T X (I, I), summed pairwise: one sum over all samples loses digits, most where a feature is constant."""
    if len(X) <= 256:
        return np.asarray(X.T @ X)
    half = len(X) // 2
    return _sum_of_products(X[:half]) + _sum_of_products(X[half:])


@dataclass(eq=False, repr=False)
class Decorrelator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, OwnParts, BaseEstimator):  # type: ignore[misc]
    """A transformer that decorrelates features, by COPI or by whitening: X R^T, with R the lateral weights.

    Second moments are not centred, as everywhere in this package, unless ``center=True``.

    Parameters
    ----------
    method : {"copi", "copi-local", "kappa", "gain", "normalised", "foldiak", "zca", "pca", "cholesky"} or function
                                "copi" and "copi-local" learn R step by step from the identity, by the matrix and the
                                local form of the rule, without normalising the features; the next four learn by other
                                rules, see `copi_np.family`; the last three are formulas, see `copi_np.whitening`, and
                                set all variances to one. A function is a rule of your own, of any of R, x, y, eta_R and
                                sample_weight, and learns R like "copi"
    eta_R : float               step size of the methods that learn, in units of 1 / <||y||^2>, where y is a sample of
                                X; "normalised" has no units. 1 or less is stable for "copi", whatever the units of X
    max_iter : int              largest number of steps of `fit` for the methods that learn, each on all samples
    tol : float                 mean absolute correlation at which they stop
    center : bool               whether to subtract the means of the features first
    epsilon : float             added to every eigenvalue by the whitening methods, for features that are always zero or
                                linear combinations of others; in units of X^2

    Attributes
    ----------
    components_ : (I, I) array  R, in the dtype of X
    mean_ : (I,) array          means of the features if ``center=True``, otherwise zeros
    second_moment_ : (I, I) array
                                over all samples so far, around `mean_`
    n_samples_seen_ : int       number of samples so far
    n_iter_ : int               number of steps; 1 for a formula
    n_features_in_, feature_names_in_
                                number and names of the features of X; names only if X is a frame that has them
    """

    method: Any = "copi"
    _: KW_ONLY
    eta_R: float = 0.5
    max_iter: int = 10_000
    tol: float = 1e-2
    epsilon: float = 0.0
    center: bool = False

    _parts = ("method",)

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn R from all samples.

        Parameters
        ----------
        X : (N, I) array-like
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        InputError              if a parameter is invalid, or the features are too large or cannot be whitened
        BackendError            if there are so many features that R does not fit into memory
        DivergenceError         if eta_R is too large
        ValueError              from scikit-learn, if X cannot be used
        """
        X = self._checked(X, reset=True)
        X, self.mean_ = self._centred(X)
        C = self._moment(X)
        R, n_steps = (self._whitening(C), 1) if self._whitens else self._learned(X, C)
        self.components_, self.second_moment_, self.n_samples_seen_, self.n_iter_ = R, C, len(X), n_steps
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Learn from one batch: one step of a COPI method, or the whitening formula applied to all samples so far.

        Parameters and errors are those of `fit`. Whitening needs as many samples as features in the first batch, or
        an epsilon.
        """
        first = not hasattr(self, "components_")
        X = self._checked(X, reset=first)
        rows, mean = self._centred(X)
        R, C, n_samples, n_steps = np.eye(X.shape[1], dtype=X.dtype), self._moment(rows), len(X), 1
        if not first:
            R, n_samples, n_steps = self.components_, n_samples + self.n_samples_seen_, n_steps + self.n_iter_
            share, shift = len(X) / n_samples, mean - self.mean_
            C = (1 - share) * self.second_moment_ + share * C
            if self.center:
                C, mean = C + share * (1 - share) * np.outer(shift, shift), self.mean_ + share * shift
        if self._whitens:
            R = self._whitening(C)
        else:
            with np.errstate(over="ignore", invalid="ignore"):  # reported as divergence
                R = self._check_finite(lateral_move(self._update)(R, X - mean, self._step_size(C)))
        self.components_, self.second_moment_, self.n_samples_seen_, self.n_iter_ = R, C, n_samples, n_steps
        self.mean_ = mean
        return self

    def transform(self, X: Any) -> NDArray:
        """Return the decorrelated features (N, I) of samples X (N, I)."""
        check_is_fitted(self, "components_")
        return np.asarray(decorrelate(self.components_, self._checked(X, reset=False) - self.mean_))

    def inverse_transform(self, X: Any) -> NDArray:
        """Return the samples (N, I) whose decorrelated features are X (N, I)."""
        check_is_fitted(self, "components_")
        check_complete("X", X)
        X = check_array(X, dtype=self.components_.dtype)
        if X.shape[1] != self._n_features_out:
            raise InputError(f"X must have {self._n_features_out} decorrelated features, got {X.shape[1]}")
        return np.linalg.solve(self.components_, X.T).T + self.mean_

    @property
    def _n_features_out(self) -> int:
        """Number of output features, for `get_feature_names_out`."""
        return len(self.components_)

    def _checked(self, X: Any, *, reset: bool) -> NDArray:
        """Check the parameters and, at first, that R fits into memory; return X in the dtype of the first X."""
        if isinstance(self.method, str):
            choose("method", self.method, {**UPDATES, **WHITENINGS})
        elif not callable(self.method):
            names = f"one of {list_names([*UPDATES, *WHITENINGS])}, or a function of any of "
            raise InputError(f"method must be {names}{list_names(LATERAL_ARGUMENTS)}: got {shown(self.method)}")
        check_count("max_iter", self.max_iter)
        check_flag("center", self.center)
        for name in ("eta_R", "tol", "epsilon"):
            check_rate(name, getattr(self, name))
        n_needed = 2 if self._whitens and reset else 1
        dtype = FLOATS if reset else self.components_.dtype
        rows: NDArray = np.asarray(validated(self, X, reset=reset, dtype=dtype, ensure_min_samples=n_needed))
        if reset:
            what = f"decorrelating {rows.shape[1]} features takes {{need}} in {rows.dtype}"
            advice = "choose fewer features, since R grows with their square"
            check_fits(N_MATRICES * rows.shape[1] ** 2 * rows.itemsize, what, advice, get_backend("numpy"))
        return rows

    def _centred(self, X: NDArray) -> tuple[NDArray, NDArray]:
        """Return X minus its means, and the means; without `center`, X itself and zeros."""
        mean = X.mean(axis=0) if self.center else np.zeros(X.shape[1], dtype=X.dtype)
        return X - mean if self.center else X, mean

    def _moment(self, X: NDArray) -> NDArray:
        """Return the second moments of X, or raise an InputError if its dtype cannot hold their trace."""
        with np.errstate(over="ignore", invalid="ignore"):
            C = _sum_of_products(X) / len(X)
            if not np.isfinite(np.trace(C)):
                raise InputError(f"the squares of X are too large for {X.dtype}: scale the features down")
        return C

    @property
    def _whitens(self) -> bool:
        return isinstance(self.method, str) and self.method in WHITENINGS

    @property
    def _update(self) -> Callable[..., Array]:
        """The rule that learns R."""
        update: Callable[..., Array] = UPDATES[self.method] if isinstance(self.method, str) else self.method
        return update

    def _whitening(self, C: NDArray) -> NDArray:
        return np.asarray(WHITENINGS[self.method](C, self.epsilon))

    def _step_size(self, C: NDArray) -> float:
        """Return eta_R / <||y||^2>, the step size of most rules; <||y||^2> is the trace of C."""
        power = float(np.trace(C))
        if self.method == "normalised":
            return self.eta_R  # its update has no units
        if self.method == "kappa":
            power = max(power, 1.0)  # it also moves variances towards 1, however small features are
        return self.eta_R / power if power > 0 else 0.0

    def _learned(self, X: NDArray, C: NDArray) -> tuple[NDArray, int]:
        """Apply the rule until the features are decorrelated; return R and the number of steps."""
        rows = X
        if isinstance(self.method, str):
            # COPI's rules see only the second moments of a batch: I rows with the same moments make each step fast
            triangle = np.asarray(np.linalg.qr(X, mode="r"))
            rows = triangle * np.sqrt(len(triangle) / len(X), dtype=X.dtype)
        path = decorrelation_path(rows, self._step_size(C), self.max_iter, self._update)
        with np.errstate(over="ignore", invalid="ignore"):  # reported as divergence
            for n_steps, R in enumerate(path):  # noqa: B007 - both are needed after the loop
                correlation = mean_absolute_correlation(second_moment(decorrelate(self._check_finite(R), rows)))
                if correlation <= self.tol:
                    break
            else:
                now = f"mean absolute correlation is {correlation:.2g} after max_iter={self.max_iter} steps"
                advice = (
                    "raise max_iter, scale features to equal variance, or drop features that are combinations of others"
                )
                warn(f"{now}: {advice}", ConvergenceWarning, stacklevel=3)
        return R, n_steps

    def _check_finite(self, R: NDArray) -> NDArray:
        if not np.isfinite(R).all():
            safe = "1 or less is safe unless features are combinations of others: drop those"
            advice = f"lower eta_R (now {self.eta_R:g}), {safe}"
            raise DivergenceError(f"decorrelation diverged: {advice}")
        return R

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
