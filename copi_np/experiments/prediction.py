"""Predict the classes of samples with a trained network."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from typing import Any, NamedTuple

import numpy as np

from copi_np.arrays import NDArray
from copi_np.datasets import as_float
from copi_np.errors import InputError
from copi_np.experiments.samples import Samples
from copi_np.experiments.trained import Trained
from copi_np.losses import LOSSES, log_softmax


class Prediction(NamedTuple):
    """The predictions of a network for some samples.

    Attributes
    ----------
    labels : (N,) array of int64        the class with the largest output, 0 .. K - 1
    probabilities : (N, K) array or None
                                        softmax of the outputs, in float64; None unless asked for
    accuracy : float or None            share of samples whose label is right, 0 to 1; None without labels
    """

    labels: NDArray
    probabilities: NDArray | None
    accuracy: float | None


def check_can_predict(trained: Trained, *, probabilities: bool) -> None:
    """Raise an InputError unless a network has classes, and gives probabilities if they are wanted."""
    network = trained.network
    if network.n_outputs < 2:
        raise InputError(f"{trained.path} has one output, so it has no classes: use its predict() from Python")
    if probabilities and network.loss != LOSSES["cross_entropy"]:
        raise InputError(
            f"{trained.path} was trained with loss {network.loss.name}, whose outputs are not probabilities: "
            "leave out --probabilities, or train with --loss cross_entropy"
        )


def predict(trained: Trained, samples: Samples, *, probabilities: bool = False) -> Prediction:
    """Predict the classes of samples.

    Parameters
    ----------
    trained : Trained           from `load_trained`
    samples : Samples           from `read_samples`
    probabilities : bool        whether to compute probabilities too; needs the cross-entropy

    Raises
    ------
    InputError                  if the network has no classes, or no probabilities
    """
    check_can_predict(trained, probabilities=probabilities)
    network = trained.network
    raw = samples.inputs if network.scaling is None else network.scaling.apply(samples.inputs)
    inputs = network.backend.asarray(as_float(raw, network.dtype), copy=False)
    outputs = network.backend.to_host(network.predict(inputs))
    labels = np.argmax(outputs, axis=1)
    shares = np.exp(log_softmax(outputs.astype(np.float64))) if probabilities else None
    right = None if samples.labels is None else float(np.mean(labels == samples.labels))
    return Prediction(labels, shares, right)


def named(prediction: Prediction, class_names: Sequence[str] | None) -> list[Any]:
    """Return the predicted labels as names, or as numbers if the classes have no names."""
    numbers = prediction.labels.tolist()
    return numbers if class_names is None else [class_names[number] for number in numbers]


def prediction_csv(prediction: Prediction, class_names: Sequence[str] | None = None) -> str:
    """Format a prediction as CSV: the column "label", and with probabilities one column per class, such as "p_0"."""
    shares: Any = prediction.probabilities
    rows = [[label] for label in named(prediction, class_names)]
    head = ["label"]
    if shares is not None:
        head += [f"p_{name}" for name in class_names or range(shares.shape[1])]
        rows = [[*row, *(f"{share:.6g}" for share in of_row)] for row, of_row in zip(rows, shares, strict=True)]
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    return text.getvalue()
