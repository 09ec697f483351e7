"""The figures of the second class. They repeat the experiments of its notebook, with the same seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from sketches import synapse, ways_down

from copi_np import Callback, Network, Schedule, fit, load_dataset
from copi_np.analysis import alignment_angles, compress
from copi_np.course.classroom import FOR_A_PROJECTOR, arrows, named_curves
from copi_np.course.sliders import batch_with
from copi_np.datasets import as_float, one_hot
from copi_np.history import EpochRecord
from copi_np.plotting import COLOURS, StyledFigure, image_rows, own_style
from copi_np.rules import copi_update, linear_map, mean_outer, mean_square, oja_update

Array = npt.NDArray[Any]

DATA: Final = load_dataset("mnist-5k")
IMAGES, TARGETS = as_float(DATA.train.inputs, "float32"), one_hot(DATA.train.labels, 10, "float32")


def train(network: Network, *callbacks: Callback) -> list[EpochRecord]:
    """Train on the digits for eight epochs; in the first, R learns alone."""
    schedule = Schedule(eta_W=1e-3, eta_R=1e-3, delta_scale=300, first_epochs=1, first_eta_W=0, first_eta_R=1e-2)
    return fit(network, DATA, epochs=8, schedule=schedule, rng=np.random.default_rng(1), callbacks=callbacks)


# ------------------------------------------------------------------------------------------------ 1. error signals

SIZES: Final = [784, 100, 100, 10]


def losses() -> dict[str, list[float]]:
    """Return the loss of eight digits while the states of layer 1 move along signals at four angles to the right one.

    They move by lengths from 0 to 1, in 20 steps.
    """
    rng = np.random.default_rng(0)
    network = Network(SIZES, rng=rng, dtype="float64")
    wanted = TARGETS[:8].astype("float64")
    trace = network.forward(IMAGES[:8].astype("float64"))
    right = network.error_signals(trace, wanted)[0]
    right = right / np.linalg.norm(right)
    across = rng.normal(size=right.shape)
    across -= np.sum(across * right) * right
    across /= np.linalg.norm(across)

    def loss(a: Array) -> float:
        y = network.layers[0].activation.f(a)
        for layer in network.layers[1:]:
            *_, y = layer.forward(y)
        return float(np.sum((y - wanted) ** 2) / 8)

    thetas = {f"{angle}°": np.radians(angle) for angle in (120, 90, 60, 0)}
    signals = {name: np.cos(theta) * right + np.sin(theta) * across for name, theta in thetas.items()}
    lengths = np.linspace(0, 1, 21)
    return {name: [loss(trace.a[0] + length * signal) for length in lengths] for name, signal in signals.items()}


def below_90() -> Figure:
    """Draw how the loss changes along signals at four angles to the right one."""
    return named_curves({"eight digits, states of layer 1": losses()}, "loss", "steps along the signal")


class Angles(Callback):
    """Record the angles between a network's signals and those of backpropagation, at the start and by epoch."""

    def on_start(self, network: Network, history: Sequence[EpochRecord]) -> None:
        self.by_epoch = [alignment_angles(network, IMAGES[:500], TARGETS[:500])]

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        self.by_epoch.append(alignment_angles(network, IMAGES[:500], TARGETS[:500]))


def stay(W: Array) -> Array:
    """Return an update of zero."""
    return 0 * W


@cache
def run(error_signal: str, frozen: bool = False) -> tuple[list[float], Array]:
    """Return a network's test accuracies (8) in percent and its angles (9, 2) in both hidden layers.

    If it is frozen, the forward weights above layer 1 do not learn.
    """
    network, angles = Network(SIZES, rng=np.random.default_rng(0), error_signal=error_signal), Angles()
    for layer in network.layers[1:] if frozen else ():
        layer.forward_step = stay
    history = train(network, angles)
    return [100 * record.test_accuracy for record in history], np.array(angles.by_epoch)


def angle() -> Figure:
    """Draw the angle of feedback alignment to backpropagation by epoch."""
    curves = {f"layer {k + 1}": run("fa")[1][:, k] for k in range(2)}
    return named_curves({"feedback alignment; R learns alone in epoch 1": curves}, "angle (°)", "epoch")


def taught() -> Figure:
    """Draw the test accuracy of backpropagation and of feedback alignment by epoch."""
    curves = {"backpropagation": run("bp")[0], "feedback alignment": run("fa")[0]}
    return named_curves({"R learns alone in epoch 1": curves}, "test accuracy (%)", "epoch", start=1)


def frozen_above() -> Figure:
    """Draw the angle in layer 1, if all weights learn and if only those of layer 1 learn."""
    curves = {"all weights learn": run("fa")[1][:, 0], "only layer 1 learns": run("fa", frozen=True)[1][:, 0]}
    return named_curves({"the angle in layer 1": curves}, "angle (°)", "epoch")


# -------------------------------------------------------------------------------------------- 2. reading a network


def untrained() -> Network:
    """Return a network of four layers that has learned nothing."""
    return Network([784, 200, 200, 200, 10], rng=np.random.default_rng(0))


@cache
def trained() -> Network:
    """Return the same network after training."""
    network = untrained()
    train(network)
    return network


def decorrelated() -> Array:
    """Return what the trained network's first R makes of the training images, (4000, 784)."""
    return trained().forward(IMAGES).x[0]


def fields(network: Network, x: Array) -> dict[str, Array]:
    """Return the fields (10, 784) of the first ten units of each layer, in units of the root mean square of x."""
    rms = np.sqrt(mean_square(x))
    return {f"layer {k + 1}": (linear_map(x, y) * rms)[:10] for k, y in enumerate(network.forward(IMAGES).y)}


def weights() -> Figure:
    """Draw what W and W R of ten units of layer 1 look like after training."""
    first = trained().layers[0]
    return image_rows({"W": first.W[:10], "W R": first.folded()[:10]}, DATA.image_shape)


def read() -> Figure:
    """Draw the fields of the trained network."""
    return image_rows(fields(trained(), decorrelated()), DATA.image_shape)


def nothing_learned() -> Figure:
    """Draw fields of the untrained network, read through raw pixels."""
    return image_rows(fields(untrained(), IMAGES), DATA.image_shape)


def likeness(x: Array) -> float:
    """Return the median cosine between the fields of the untrained network and the mean image, both through x."""
    rms = np.sqrt(mean_square(x) + 1e-12)
    mean = x.mean(axis=0) / rms
    shown = fields(untrained(), x)["layer 1"]
    return float(np.median(np.abs(shown @ mean) / np.linalg.norm(shown, axis=1) / np.linalg.norm(mean)))


def two_readings() -> Figure:
    """Draw the fields of layer 1 of the untrained network, through raw pixels and through decorrelated ones."""
    inputs = {"raw pixels": IMAGES, "decorrelated": decorrelated()}
    rows = {name: fields(untrained(), x)["layer 1"] for name, x in inputs.items()}
    return image_rows(rows, DATA.image_shape)


# -------------------------------------------------------------------------------------------------- 3. compression


def one_digit() -> Figure:
    """Draw the ten outputs for the first test digit, before and after compression."""
    networks = {"four layers": trained(), "two layers": compress(trained(), IMAGES, keep=2)}
    with own_style(**FOR_A_PROJECTOR):
        figure = StyledFigure(figsize=(9, 4.2), layout="constrained")
        axes = figure.subplots()
        for k, (name, network) in enumerate(networks.items()):
            outputs = network.predict(as_float(DATA.test.inputs[:1], "float32"))[0]
            axes.bar(np.arange(10) + 0.4 * k - 0.2, outputs, 0.4, color=COLOURS[k], label=name)
        axes.set(xlabel="class", ylabel="output", xticks=range(10), title=f"a test digit: {DATA.test.labels[0]}")
        axes.legend()
    return figure


# ------------------------------------------------------------------------------------------------- 4. one synapse

MOMENTS: Final = {"decorrelated": np.diag([1.5, 0.7]), "correlated": np.array([[1.5, 0.9], [0.9, 1.0]])}
NO_ERROR: Final[dict[str, Callable[[Array, Array], Array]]] = {
    "Hebb": lambda W, x: mean_outer(x @ W.T, x),
    "Oja": oja_update,
    "COPI": lambda W, x: copi_update(W, x, x @ W.T),
}


def stays() -> Figure:
    """Draw where the arrows of three rules go on decorrelated inputs, without an error."""
    return arrows(NO_ERROR, {"decorrelated": MOMENTS["decorrelated"]})


def explodes() -> Figure:
    """Draw where the arrows of three rules go on correlated inputs, without an error."""
    return arrows(NO_ERROR, {"correlated": MOMENTS["correlated"]})


def lengths(decay: str, scale: int, n_steps: int = 400) -> list[float]:
    """Return the length of the weights of a unit by step, if its targets are scaled."""
    x = batch_with(MOMENTS["decorrelated"], n_samples=150)
    z = x @ (scale * np.array([[0.8, -0.6]])).T
    power = mean_square({"COPI": x, "Oja": z}[decay])
    W, found = np.zeros((1, 2)), [0.0]
    for _ in range(n_steps):
        W = W + 0.02 * (mean_outer(z, x) - W * power)
        found.append(float(np.linalg.norm(W)))
    return found


def larger_targets() -> Figure:
    """Draw the length of the weights, for targets as they are and four times as large."""
    panels = {
        title: {f"{decay}'s decay": lengths(decay, scale) for decay in ("COPI", "Oja")}
        for title, scale in {"desired length 1": 1, "desired length 4": 4}.items()
    }
    figure = named_curves(panels, "length of the weights")
    for axes in figure.axes:
        axes.locator_params("x", nbins=4)  # large numbers need room
    return figure


FIGURES: Final = (
    below_90, ways_down, angle, taught, frozen_above, weights, read, nothing_learned, two_readings, one_digit, synapse,
    stays, explodes, larger_targets,
)  # fmt: skip
