"""The figures of the first class. Seeds are fixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from copi_np import Network, Schedule, fit, load_dataset
from copi_np.analysis import decorrelation_path
from copi_np.course.animation import cloud_strip
from copi_np.course.classroom import LinearTask, named_curves, weight_planes
from copi_np.course.lesson_00 import draw_layer
from copi_np.course.sliders import batch_with
from copi_np.datasets import as_float
from copi_np.plotting import image_rows
from copi_np.rules import copi_update, decorrelate, decorrelation_update, sgd_update
from copi_np.whitening import second_moment, zca

Array = npt.NDArray[Any]
Rule = Callable[[Array, Array, Array], Array]


def sgd(W: Array, x: Array, z: Array) -> Array:
    """Return the update of gradient descent towards the targets z."""
    return sgd_update(x, z - x @ W.T)


RULES: Final[Mapping[str, Rule]] = {"COPI": copi_update, "gradient descent": sgd}


# ------------------------------------------------------------------------------------------- 1. one network


@cache
def trained() -> tuple[Network, list[float]]:
    """Return a network that was trained on the bundled digits, and its test accuracy after every epoch in percent."""
    schedule = Schedule(eta_W=1e-3, eta_R=1e-3, delta_scale=500, first_epochs=1, first_eta_W=0, first_eta_R=1e-2)
    network = Network([784, 200, 10], rng=np.random.default_rng(0))
    history = fit(network, load_dataset("mnist-5k"), epochs=6, schedule=schedule, rng=np.random.default_rng(1))
    return network, [100 * record.test_accuracy for record in history]


def digits() -> Array:
    """Return the training images (4000, 784) between 0 and 1."""
    return as_float(load_dataset("mnist-5k").train.inputs, "float64")


def layer() -> Figure:
    """Draw one layer."""
    return draw_layer()


def accuracy() -> Figure:
    """Draw the test accuracy of the network by epoch."""
    return named_curves({"R learns in epoch 1, then R and W": {"COPI": trained()[1]}}, "test accuracy (%)", "epoch", 1)


def outlines() -> Figure:
    """Draw eight digits, before and after the first layer's R."""
    some = digits()[:8]
    R = trained()[0].layers[0].R.astype("float64")
    return image_rows({"y": some, "x = R y": decorrelate(R, some)}, (28, 28))


# -------------------------------------------------------------------------------------- 2. inferring parameters

GOAL: Final = np.array([[1.5, -0.5]])
"""The weights that generated the targets."""
MOMENTS: Final = {"correlated inputs": np.array([[1, 0.8], [0.8, 1]]), "decorrelated inputs": np.diag([1, 0.4])}


def path_of(rule: Rule, C: Array) -> Array:
    """Return the weights (601, 2) of a unit that learns the goal from inputs with second moments C."""
    x = batch_with(C, n_samples=100)
    W = [np.zeros((1, 2))]
    for _ in range(600):
        W.append(W[-1] + 0.05 * rule(W[-1], x, x @ GOAL.T))
    return np.concatenate(W)


def wrong_weights() -> Figure:
    """Draw the paths of two weights to where they stop, for both rules, over the contours of the loss."""
    panels = {title: {name: path_of(rule, C) for name, rule in RULES.items()} for title, C in MOMENTS.items()}
    return weight_planes(panels, MOMENTS, tuple(GOAL[0]))


# ------------------------------------------------------------------------------------------------ 3. decorrelation


def cloud() -> Figure:
    """Draw a cloud of two inputs while R learns."""
    mixing = np.array([[1.2, 0.0], [0.75, 0.45]])
    y = np.random.default_rng(0).normal(size=(120, 2)) @ mixing.T
    return cloud_strip(y, list(decorrelation_path(y, 0.1, 60)), (0, 5, 15, 60))


def powers(share: float, n_steps: int = 4) -> list[float]:
    """Return the mean square of x before and after steps of size share / lambda, for raw digits."""
    y = digits()[:500]
    eta = share / np.linalg.eigvalsh(second_moment(y))[-1]
    return [float(np.mean(decorrelate(R, y) ** 2)) for R in decorrelation_path(y, eta, n_steps)]


def step_sizes() -> Figure:
    """Draw the size of x for three step sizes."""
    curves = {rf"$\eta = {share}\,/\,\lambda$": powers(share) for share in (0.5, 1.5, 2.5)}
    return named_curves({"two steps shrink x, the third blows it up": curves}, "mean square of x", yscale="log")


def three_digits() -> Figure:
    """Draw digits raw, after the R that the network has learned, and after ZCA whitening."""
    images = digits()
    some, R = images[:8], trained()[0].layers[0].R.astype("float64")
    whitened = decorrelate(zca(second_moment(images), 1e-2), some)
    return image_rows({"raw": some, "COPI": decorrelate(R, some), "ZCA": whitened}, (28, 28))


# -------------------------------------------------------------------------------------- 5. COPI and backpropagation


def drift(rule: Rule, eta: float = 1e-3) -> list[float]:
    """Return how far W R of a layer without errors moves while R learns, in percent of its norm."""
    rng = np.random.default_rng(0)
    start = W = rng.normal(size=(4, 5))
    y, R = rng.normal(size=(20, 5)) @ rng.normal(size=(5, 5)) / 2, np.eye(5)
    moved = [0.0]
    for _ in range(1000):
        x = y @ R.T
        W, R = W + eta * rule(W, x, x @ W.T), R + eta * decorrelation_update(R, x)
        moved.append(100 * float(np.linalg.norm(W @ R - start) / np.linalg.norm(start)))
    return moved


def no_errors() -> Figure:
    """Draw the drift of W R under both rules."""
    curves = {name: drift(rule) for name, rule in RULES.items()}
    return named_curves({"no errors, so nothing to learn": curves}, "change of W R (%)")


def race(rule: Rule, eta_R: float, eta_W: float = 0.2) -> list[float]:
    """Return the test error of a linear layer after each epoch; R starts where it decorrelates all training inputs."""
    task = LinearTask(0)
    W, R, errors = task.W, task.R, []
    for _ in range(15):
        for y, z in task.batches():
            x = decorrelate(R, y)
            W, R = W + eta_W * rule(W, x, z), R + eta_R * decorrelation_update(R, x)
        errors.append(task.test_error(W @ R))
    return errors


def moves_or_rests() -> Figure:
    """Draw the test error of both rules, while R learns and while it is held fixed."""
    panels = {
        title: {name: race(rule, eta_R) for name, rule in RULES.items()}
        for title, eta_R in {"R learns": 0.2, "R is held fixed": 0.0}.items()
    }
    return named_curves(panels, "test error", "epoch", 1, "log")


FIGURES: Final = (
    layer, accuracy, outlines, wrong_weights, cloud, step_sizes, three_digits, no_errors, moves_or_rests,
)  # fmt: skip
