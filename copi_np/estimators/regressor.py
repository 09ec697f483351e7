"""COPI as a scikit-learn regressor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, column_or_1d

from copi_np.arrays import NDArray
from copi_np.errors import InputError
from copi_np.estimators.base import NetworkEstimator
from copi_np.estimators.inputs import check_complete, scaling, validated
from copi_np.export import Exportable


@dataclass(eq=False, repr=False)
class COPIRegressor(MultiOutputMixin, RegressorMixin, NetworkEstimator):  # type: ignore[misc]
    """A regressor that learns by COPI, or by one of the rules it is compared with: quadratic loss, linear outputs.

    Parameters and attributes are those of `COPIClassifier`, without `loss` and `classes_`. With `standardize`, each
    output of y is scaled to zero mean and unit variance as well, and the loss is measured on this scale; early stopping
    watches R^2.

    Attributes
    ----------
    target_scaler_ : StandardScaler or None     standardises y
    """

    loss: ClassVar[str] = "quadratic"
    _output_activation: ClassVar[str | None] = "linear"

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch on these samples, exactly as one epoch of `fit`, with the same parameters and errors."""
        return self._fit_epoch(X, y, sample_weight)

    def predict(self, X: Any) -> NDArray:
        """Return the outputs of the network in the units of y, (N, K), or (N,) if K is 1."""
        outputs = self._outputs(X)
        if self.target_scaler_ is not None:
            outputs = self.target_scaler_.inverse_transform(outputs)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R^2, as regressors of scikit-learn do; masked and missing values raise an `InputError`."""
        check_complete("y", y)
        check_complete("sample_weight", sample_weight)
        return float(super().score(X, y, sample_weight))

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[NDArray, NDArray]:
        X, y = validated(self, X, y, reset=reset, multi_output=True, y_numeric=True)
        if y.dtype.kind == "f" and not np.isfinite(y).all():  # from None in y, converted after scikit-learn's check
            raise InputError("y holds missing values: drop their samples, or fill them in")
        return X, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _learn_targets(self, y: NDArray, weights: NDArray | None) -> None:
        scaler = StandardScaler()
        self.target_scaler_ = scaler.fit(y.reshape(len(y), -1), sample_weight=weights) if self.standardize else None

    def _targets(self, y: NDArray) -> NDArray:
        targets = y.reshape(len(y), -1).astype(np.float64)
        return targets if self.target_scaler_ is None else np.asarray(self.target_scaler_.transform(targets))

    def _exportable(self) -> Exportable:
        check_is_fitted(self, "network_")
        return Exportable(
            self.network_, self.n_features_in_, scaling(self.scaler_), outputs=scaling(self.target_scaler_)
        )

    def _strata(self, y: NDArray) -> None:
        return None

    def _score(self, outputs: NDArray, targets: NDArray, weights: NDArray | None) -> float:
        return float(r2_score(targets, outputs, sample_weight=weights))
