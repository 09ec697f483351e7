"""COPI as a scikit-learn classifier."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from copi_np.arrays import NDArray
from copi_np.datasets import one_hot
from copi_np.errors import InputError, shown
from copi_np.estimators.base import NetworkEstimator
from copi_np.estimators.inputs import check_complete, scaling, validated
from copi_np.export import Exportable
from copi_np.losses import LOSSES, Loss, log_softmax


def _has_probabilities(estimator: COPIClassifier) -> bool:
    """Return True if the outputs are logits, whose softmax gives class probabilities; else raise AttributeError."""
    loss = estimator.network_.loss if hasattr(estimator, "network_") else estimator.loss
    if loss not in ("cross_entropy", LOSSES["cross_entropy"]):
        raise AttributeError("predict_proba needs the softmax: COPIClassifier(loss='cross_entropy')")
    return True


@dataclass(eq=False, repr=False)
class COPIClassifier(ClassifierMixin, NetworkEstimator):  # type: ignore[misc]
    """A classifier that learns by COPI, by one of the rules it is compared with, or by a rule of your own.

    The network has one output per class and computes in the dtype of X, float32 or float64.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
                                        numbers of hidden units, the first layer first
    image_shape : (C, H, W) or None     the features are the pixels of such images; hidden layers may then be
                                        convolutions: ``[Conv(16, 3), Pool(2), 50]``, see `copi_np.architecture`
    rule, error_signal, decorrelation, activation, backend
                                        as for `copi_np.network.Network`: built-in names, or functions and objects of
                                        your own. Pickle stores a function by name, so it must be defined in a module
    decorrelation_samples, decorrelation_every, rest_R_after
                                        as for `Network` and `Schedule`: they make decorrelation cheaper. `fit` refuses
                                        updates that would diverge at once; `partial_fit` does not look
    standardize : bool                  scale the features to zero mean and unit variance, as measured on the samples of
                                        the first call of `fit` or `partial_fit`: COPI needs inputs of about unit size,
                                        and diverges on large ones
    fit_intercept : bool                give every layer a bias, see `copi_np.bias`. The networks of the paper have
                                        none; without them, no layer can shift its outputs
    eta_W, eta_R, first_epochs, first_eta_W, first_eta_R, delta_scale
                                        step sizes by epoch, see `copi_np.training.Schedule`; eta_R None: the same as
                                        eta_W; first_eta_R None: the same as eta_R. By default the first epoch only
                                        decorrelates
    batch_size : int                    samples per step; the last batch of an epoch may be smaller
    max_iter : int                      largest number of epochs
    tol, n_iter_no_change : float, int  stop once this many epochs in a row, not counting the first ones, fail to beat
                                        the best before them by `tol`: in loss, or with `early_stopping` in accuracy on
                                        the validation split
    early_stopping : bool               hold out some samples for validation, and keep the network of the best epoch
    validation_fraction : float         the share of samples held out
    warm_start : bool                   let `fit` continue from the network of the last fit, with its sizes and parts:
                                        only step sizes and when to stop may change
    random_state : int, RandomState or None
                                        draws weights, order of samples and validation split; an integer gives the
                                        weights and the order of ``copi-np train --seed``
    loss : {"cross_entropy", "quadratic"} or Loss
                                        "quadratic" is the paper's; only "cross_entropy" gives probabilities

    Attributes
    ----------
    classes_ : (K,) array               labels, sorted
    network_ : Network                  the trained network
    n_iter_ : int                       number of epochs
    loss_curve_ : list of float         mean loss per training sample by epoch, measured before each batch's update
    validation_scores_ : list of float  accuracy on the validation split by epoch; empty without `early_stopping`
    scaler_ : StandardScaler or None    standardises the features
    n_features_in_, feature_names_in_   number and names of the features of X; names only if X is a frame that has them
    """

    _: KW_ONLY
    loss: str | Loss = "cross_entropy"

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one epoch on these samples, exactly as one epoch of `fit`, with the same parameters and errors.

        Parameters
        ----------
        X : (N, I) array-like
        y : (N,) array-like
        classes : (K,) array-like       all labels that will ever occur; needed only in the first call
        sample_weight : (N,) array-like or None
                                        how many times each sample counts, relative to the others of this call

        Returns
        -------
        self
        """
        if classes is not None:
            check_complete("classes", classes)
            assert_all_finite(np.asarray(classes), input_name="classes")
        if not hasattr(self, "network_"):
            if classes is None:
                raise InputError("the first partial_fit needs classes, all labels that will ever occur: got None")
        elif classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
            before = shown(self.classes_.tolist())
            raise InputError(f"classes were {before}, and are now {shown(classes)}: they cannot change")
        return self._fit_epoch(X, y, sample_weight, classes)

    def predict(self, X: Any) -> NDArray:
        """Return the class of each sample, (N,): the one with the largest output."""
        largest = np.argmax(self._outputs(X), axis=1)
        return np.asarray(self.classes_[largest])

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> NDArray:
        """Return the softmax of the outputs, (N, K) in float64: class probabilities in the order of `classes_`."""
        return np.asarray(np.exp(log_softmax(self._outputs(X).astype(np.float64))))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy, as classifiers of scikit-learn do; masked and missing values raise an `InputError`."""
        check_complete("y", y)
        check_complete("sample_weight", sample_weight)
        return float(super().score(X, y, sample_weight))

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[NDArray, NDArray]:
        X, y = validated(self, X, y, reset=reset)
        check_classification_targets(y)
        return X, y

    def _learn_targets(self, y: NDArray, weights: NDArray | None) -> None:
        self.classes_ = np.unique(y)

    def _targets(self, y: NDArray) -> NDArray:
        if new := sorted(set(np.unique(y).tolist()) - set(self.classes_.tolist())):
            raise InputError(f"y has new classes {shown(new)}: list all classes in the first partial_fit")
        return one_hot(np.searchsorted(self.classes_, y), len(self.classes_), np.float64)

    def _exportable(self) -> Exportable:
        check_is_fitted(self, "network_")
        inputs, has_probabilities = scaling(self.scaler_), hasattr(self, "predict_proba")
        return Exportable(self.network_, self.n_features_in_, inputs, None, self.classes_, has_probabilities)

    def _strata(self, y: NDArray) -> NDArray:
        return y

    def _score(self, outputs: NDArray, targets: NDArray, weights: NDArray | None) -> float:
        return float(np.average(outputs.argmax(axis=1) == targets.argmax(axis=1), weights=weights))
